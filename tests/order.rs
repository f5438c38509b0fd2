//! Order, once, and membership at publish time, with publishers, readers and movers on threads of their
//! own.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::{messages, number, watched};
use roomcast::{Delivery, Engine, Inbox, Namespace, Socket, SocketId, Target};

const PUBLISHERS: u64 = 4;
const MEMBERS: usize = 5;
/// Messages of each publisher.
const MESSAGES: u64 = 2_400;

fn namespace() -> Namespace {
    Engine::builder().backlog(messages(1 << 20)).build().of("/order").unwrap()
}

fn payload(publisher: u64, n: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&publisher.to_le_bytes());
    bytes[8..].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// Publisher and number.
fn parse(delivery: &Delivery<'_>) -> (u64, u64) {
    assert_eq!(delivery.gap(), None);
    let bytes = delivery.payload().as_bytes().unwrap();
    (u64::from_le_bytes(bytes[..8].try_into().unwrap()), u64::from_le_bytes(bytes[8..].try_into().unwrap()))
}

/// Emits message `n` of a publisher: what it is addressed to goes round.
fn publish(namespace: &Namespace, members: &[Socket], publisher: u64, n: u64) {
    let own = format!("own {publisher}");
    let one = &members[n as usize / 8 % MEMBERS];
    let payload = payload(publisher, n);
    let emitted = match n % 8 {
        0 => namespace.to(own).emit("own", payload),
        1 => namespace.to("shared").emit("shared", payload),
        2 => namespace.to([own.as_str(), "shared"]).emit("union", payload),
        3 => namespace.emit("all", payload),
        4 => one.emit("direct", payload),
        5 => namespace.to(one.id()).to("shared").emit("mixed", payload),
        6 => one.to("shared").emit("others", payload),
        _ => namespace.to("shared").except(own).emit("nobody", payload),
    };
    assert!(emitted.unwrap().sequence().is_some());
}

/// The numbers of a publisher's messages that are for this member, which is in all rooms.
fn expected(member: usize) -> Vec<u64> {
    let is_for = |n: &u64| {
        let one = *n as usize / 8 % MEMBERS;
        match n % 8 {
            4 => one == member,
            6 => one != member,
            7 => false,
            _ => true,
        }
    };
    (0..MESSAGES).filter(is_for).collect()
}

/// One member's reading, until it has got everything: the messages in the order in which they came.
fn read_all(member: usize, mut inbox: Inbox) -> Vec<(u64, u64, u64, bool)> {
    let mut got = Vec::new();
    let total = expected(member).len() * PUBLISHERS as usize;
    let mut take = |delivery: Delivery<'_>| {
        let (publisher, n) = parse(&delivery);
        let is_shared = delivery.room().is_some_and(|room| room.as_str() == Some("shared"));
        got.push((publisher, n, delivery.sequence(), is_shared));
        got.len()
    };
    // Two block, the others poll; all ways to read mix.
    let mut count = 0;
    while count < total {
        if member % 2 == 0 {
            count = take(inbox.recv().unwrap());
        }
        if let Some(delivery) = inbox.try_next() {
            count = take(delivery);
        }
        if inbox.drain(|delivery| count = take(delivery)) == 0 {
            thread::yield_now();
        }
    }
    assert_eq!(inbox.drain(|_| {}), 0, "more than was published");
    got
}

#[test]
fn every_member_gets_everything_once_and_in_order() {
    watched("order", || {
        let namespace = namespace();
        let (sockets, inboxes): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|_| namespace.connect()).unzip();
        for socket in &sockets {
            socket.join("shared").unwrap();
            socket.join((0..PUBLISHERS).map(|p| format!("own {p}")).collect::<Vec<_>>()).unwrap();
        }
        let sockets = Arc::new(sockets);
        let readers: Vec<_> = inboxes
            .into_iter()
            .enumerate()
            .map(|(member, inbox)| thread::spawn(move || read_all(member, inbox)))
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (namespace, sockets) = (namespace.clone(), Arc::clone(&sockets));
                thread::spawn(move || {
                    (0..MESSAGES).for_each(|n| publish(&namespace, &sockets, publisher, n));
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        let all: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        for (member, got) in all.iter().enumerate() {
            for publisher in 0..PUBLISHERS {
                let of_one = got.iter().filter(|message| message.0 == publisher);
                let numbers: Vec<_> = of_one.map(|message| message.1).collect();
                assert_eq!(numbers, expected(member), "member {member}, publisher {publisher}");
            }
            let sequences: HashSet<_> = got.iter().map(|message| message.2).collect();
            assert_eq!(sequences.len(), got.len(), "a sequence came twice");
        }
        // What came by the shared room, less what was not for all of its members.
        let shared = |member: usize| -> Vec<_> {
            let got: &Vec<(u64, u64, u64, bool)> = &all[member];
            let common = got.iter().filter(|message| message.3 && message.1 % 8 == 1);
            common.map(|message| (message.0, message.1, message.2)).collect()
        };
        for member in 1..MEMBERS {
            assert!(shared(member) == shared(0), "members of one room disagree on its order");
        }
        assert!(shared(0).is_sorted_by_key(|message| message.2));
    });
}

#[test]
fn a_chain_of_threads_keeps_its_order() {
    // What one thread emits after it has received, comes after what it received: for everybody.
    watched("chain", || {
        const ROUNDS: u64 = 1_500;
        let namespace = namespace();
        let (watcher, mut seen) = namespace.connect();
        watcher.join(["ping", "pong"]).unwrap();
        let [ping, pong] = ["ping", "pong"].map(|room| {
            let (socket, inbox) = namespace.connect();
            socket.join(room).unwrap();
            (socket, inbox)
        });
        let play = |(_socket, mut inbox): (Socket, Inbox), other: &'static str| {
            let namespace = namespace.clone();
            thread::spawn(move || {
                loop {
                    let n = inbox.recv().map(|delivery| parse(&delivery).1).unwrap();
                    if n >= ROUNDS {
                        return;
                    }
                    namespace.to(other).emit("n", payload(0, n + 1)).unwrap();
                    if n + 1 >= ROUNDS {
                        return;
                    }
                }
            })
        };
        let players = [play(ping, "pong"), play(pong, "ping")];
        namespace.to("ping").emit("n", payload(0, 0)).unwrap();
        let mut next = 0;
        while next <= ROUNDS {
            seen.drain(|delivery| {
                assert_eq!(parse(&delivery).1, next);
                next += 1;
            });
        }
        players.into_iter().for_each(|player| player.join().unwrap());
    });
}

/// A publisher's progress: the number of the emit that has begun last, and of the next that has not ended.
#[derive(Default)]
struct Progress {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Progress {
    fn emit(&self, n: u64, emit: impl FnOnce()) {
        self.begun.store(n + 1, Ordering::SeqCst);
        emit();
        self.ended.store(n + 1, Ordering::SeqCst);
    }

    /// All below have ended.
    fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// None from here up has begun.
    fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }
}

/// Joins and leaves while two publishers are at work, and checks what arrived against what must have.
fn come_and_go(mover: usize, namespace: &Namespace, progress: &[Progress; 2]) -> usize {
    let (socket, mut inbox) = namespace.connect();
    let room = namespace.room("room").unwrap();
    let (mut delivered, mine) = (0, 2 + mover as u64);
    for round in 0..300 {
        let ended_before = progress.each_ref().map(Progress::ended);
        if round % 2 == 0 { socket.join("room") } else { socket.join(&room) }.unwrap();
        let begun_after = progress.each_ref().map(Progress::begun);
        if (round + mover) % 3 == 0 {
            thread::yield_now();
        }
        let ended_last = progress.each_ref().map(Progress::ended);
        match round % 3 {
            0 => assert!(socket.leave("room").is_ok()),
            1 => assert!(socket.leave_all().is_ok()),
            _ => assert!(socket.set_rooms("elsewhere").is_ok()),
        }
        let begun_last = progress.each_ref().map(Progress::begun);
        let mut got = [vec![], vec![]];
        let mut take = |delivery: Delivery<'_>| {
            let (publisher, n) = parse(&delivery);
            assert_ne!(publisher, mine, "from after the leave");
            if publisher < 2 {
                got[publisher as usize].push(n);
            }
        };
        inbox.drain(&mut take);
        namespace.to("room").emit("late", payload(mine, 0)).unwrap();
        inbox.drain(&mut take); // what was being published during the first drain
        for (publisher, got) in got.iter().enumerate() {
            let place = format!("round {round}, publisher {publisher}: {got:?}");
            assert!(got.windows(2).all(|two| two[0] + 1 == two[1]), "a hole or a repeat: {place}");
            let [first, last] = [got.first(), got.last()].map(|n| n.copied());
            assert!(first.is_none_or(|n| n >= ended_before[publisher]), "from before the join: {place}");
            assert!(last.is_none_or(|n| n < begun_last[publisher]), "from after the leave: {place}");
            let must = begun_after[publisher]..ended_last[publisher];
            if !must.is_empty() {
                let (first, last) = (first.unwrap_or(u64::MAX), last.unwrap_or(0));
                assert!(first <= must.start && last + 1 >= must.end, "lost some of {must:?}: {place}");
            }
            delivered += got.len();
        }
    }
    delivered
}

#[test]
fn members_get_what_is_published_between_join_and_leave() {
    watched("membership", || {
        let namespace = Arc::new(namespace());
        let progress: Arc<[Progress; 2]> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        // One that stays, so that the room does, and that has to get everything.
        let (stayer, mut stayer_inbox) = namespace.connect();
        stayer.join("room").unwrap();
        let publishers = [0, 1].map(|publisher| {
            let (namespace, progress) = (Arc::clone(&namespace), Arc::clone(&progress));
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let room = namespace.room("room").unwrap();
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) && n < 300_000 {
                    progress[publisher].emit(n, || {
                        let payload = payload(publisher as u64, n);
                        if n % 2 == 0 {
                            room.emit("n", payload).unwrap();
                        } else {
                            namespace.to(["room", "other"]).emit("n", payload).unwrap();
                        }
                    });
                    n += 1;
                }
                n
            })
        });
        let movers = [0, 1].map(|mover| {
            let (namespace, progress) = (Arc::clone(&namespace), Arc::clone(&progress));
            thread::spawn(move || come_and_go(mover, &namespace, &progress))
        });
        let delivered: usize = movers.into_iter().map(|mover| mover.join().unwrap()).sum();
        is_over.store(true, Ordering::Relaxed);
        let published = publishers.map(|publisher| publisher.join().unwrap());
        let mut next = [0, 0];
        stayer_inbox.drain(|delivery| {
            let (publisher, n) = parse(&delivery);
            if publisher < 2 {
                assert_eq!(n, next[publisher as usize]);
                next[publisher as usize] += 1;
            }
        });
        assert_eq!(next, published);
        assert!(delivered > 0, "nobody was ever a member while something was published");
    });
}

#[test]
fn nothing_published_after_disconnect_arrives() {
    watched("disconnect", || {
        let namespace = Arc::new(namespace());
        let progress: Arc<[Progress; 2]> = Arc::default();
        let current = Arc::new(AtomicU64::new(0)); // the id of this round's socket, as bits
        let is_over = Arc::new(AtomicBool::new(false));
        let publisher = {
            let (namespace, progress) = (Arc::clone(&namespace), Arc::clone(&progress));
            let (current, is_over) = (Arc::clone(&current), Arc::clone(&is_over));
            thread::spawn(move || {
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) {
                    progress[0].emit(n, || {
                        let payload = payload(0, n);
                        // The three ways in which one socket is reached; the last may find it gone.
                        let id = SocketId::from_bits(current.load(Ordering::SeqCst));
                        match (n % 3, id) {
                            (0, _) => assert!(namespace.emit("n", payload).is_ok()),
                            (2, Some(id)) => drop(namespace.to(id).emit("n", payload)),
                            _ => assert!(namespace.to("room").emit("n", payload).is_ok()),
                        }
                    });
                    n += 1;
                }
            })
        };
        for round in 0..150 {
            let (socket, mut inbox) = namespace.connect();
            socket.join("room").unwrap();
            current.store(socket.id().to_bits(), Ordering::SeqCst);
            let first = progress[0].begun();
            while progress[0].ended() < first + 5 {
                thread::yield_now();
            }
            let ended = progress[0].ended();
            assert!(socket.disconnect("over"));
            let begun = progress[0].begun();
            let mut got = Vec::new();
            while inbox.closed().is_none() {
                inbox.drain(|delivery| got.push(parse(&delivery).1));
            }
            assert!(got.windows(2).all(|two| two[0] < two[1]), "round {round}: {got:?}");
            assert!(got.last().is_none_or(|n| *n < begun), "round {round}: {got:?} from {begun} on");
            let missing: Vec<_> =
                (first..ended).filter(|n| n % 3 != 2).filter(|n| got.binary_search(n).is_err()).collect();
            assert!(missing.is_empty(), "round {round}: lost {missing:?}");
        }
        is_over.store(true, Ordering::Relaxed);
        publisher.join().unwrap();
    });
}

#[test]
fn a_fold_lets_nothing_through_that_was_not_for_the_socket() {
    // Each message leaves out a room that the socket is in; the mailbox folds its coming and going.
    let engine = Engine::builder().membership_backlog(2).unwrap().build();
    let namespace = engine.of("/").unwrap();
    let (a, b) = (namespace.room("a").unwrap(), namespace.room("b").unwrap());
    let (socket, mut inbox) = namespace.connect();
    socket.join(&b).unwrap();
    inbox.drain(|_| {});
    let target = Target::new().to(&b).except(&a);
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for _ in 0..50_000 {
                socket.join(&a).unwrap();
                namespace.target(&target).emit("n", ()).unwrap();
                socket.leave(&a).unwrap();
            }
        });
        while !publisher.is_finished() {
            inbox.drain(|delivery| assert!(delivery.gap().is_some(), "{delivery:?}"));
        }
    });
}

/// Locked in the order in which they are named, two threads would wait for each other here.
#[test]
fn unions_may_name_their_rooms_in_any_order() {
    const EMITS: usize = 2000;
    watched("unions in opposite orders", || {
        let namespace = namespace();
        let (socket, mut inbox) = namespace.connect();
        socket.join(["room", "other"]).unwrap();
        thread::scope(|scope| {
            for rooms in [["room", "other"], ["other", "room"]] {
                let namespace = &namespace;
                scope.spawn(move || (0..EMITS).for_each(|_| _ = namespace.to(rooms).emit("n", ()).unwrap()));
            }
        });
        assert_eq!(inbox.drain(|_| {}), 2 * EMITS);
    });
}

#[test]
fn what_is_emitted_in_a_drain_waits_for_the_next() {
    // In one room, in several, and in more than are looked at in each drain.
    for rooms in [1, 2, 40] {
        watched("emits in a drain", move || {
            let namespace = namespace();
            let (socket, mut inbox) = namespace.connect();
            socket.join((0..rooms).collect::<Vec<i64>>()).unwrap();
            let emit = |n: i64| _ = namespace.to(n % rooms).emit("n", n.to_le_bytes()).unwrap();
            (0..2 * rooms).for_each(emit);
            for round in 0..60 {
                let (mut last, mut numbers) = (0, Vec::new());
                inbox.drain(|delivery| {
                    assert!(delivery.sequence() > last);
                    last = delivery.sequence();
                    numbers.push(number(&delivery) as i64);
                    emit(numbers[numbers.len() - 1] + 1);
                });
                assert_eq!(numbers, (round..2 * rooms + round).collect::<Vec<_>>(), "{rooms} rooms");
            }
        });
    }
}

#[test]
fn what_is_emitted_while_several_rooms_are_drained_waits_for_the_next_drain() {
    let world = Engine::new().of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join(["a", "b"]).unwrap();
    inbox.drain(|_| {});
    for room in ["a", "b"] {
        world.to(room).emit("n", ()).unwrap();
    }
    let answer = |_: Delivery<'_>| _ = world.to("a").emit("n", ()).unwrap();
    assert_eq!((inbox.drain(answer), inbox.drain(|_| {})), (2, 2));
}
