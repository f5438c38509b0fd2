//! Code of users that is called or dropped by the engine, and calls the engine: under no lock, whichever thread it is
//! on. A lock that is held meanwhile is a deadlock here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roomcast::{Backlog, Codec, Inbox, Namespace, Payload, RoomEvent, RoomName, Socket, SocketId};
use shuttle::sync::Mutex;
use shuttle::thread::yield_now;

use crate::rig::{Bell, all, explore, join, join_all, small, spawn, world};
use crate::witness::{Member, publish};

#[test]
fn a_wake_up_may_do_anything() {
    fn scenario() -> (usize, usize) {
        let world = world();
        let mut sleeper = Member::of(&world, &["room"]);
        let listener = Member::of(&world, &["echo"]);
        sleeper.drain();
        let bell = Bell::new();
        sleeper.inbox.on_wake({
            let (world, socket, bell) = (world.clone(), sleeper.socket.clone(), Arc::clone(&bell));
            move || {
                world.to(["echo", "room"]).emit("n", [9, 9]).unwrap();
                socket.leave("room").unwrap();
                socket.join(["room", "other"]).unwrap();
                bell.ring();
            }
        });
        let publishers = [1, 2].map(|publisher| {
            let world = world.clone();
            spawn(move || publish(publisher, 2, |number| world.to("room").emit("n", number)).len())
        });
        let drained = sleeper.drain();
        join_all(publishers);
        sleeper.inbox.no_wake();
        let woken = bell.rings();
        assert_eq!(listener.finish().got, vec![[9, 9]; woken]);
        assert!(sleeper.socket.is_in("other") && sleeper.socket.is_in("room"));
        (drained.min(1), woken)
    }
    let outcomes = explore(scenario);
    assert!(outcomes.is_superset(&all([(0, 1), (1, 1), (1, 2)])), "{outcomes:?}");
}

/// A payload that looks around and speaks when it is dropped.
struct Nosy {
    world: Namespace,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.world.to(["room", "echo"]).emit("dropped", ()).unwrap();
        drop((self.world.members("room"), self.world.sockets(), self.world.rooms()));
    }
}

#[test]
fn a_payload_may_do_anything_when_it_is_dropped() {
    fn scenario() -> usize {
        let world = small().backlog(Backlog::new().messages(1).unwrap()).build().of("/world").unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        let [mut reader, stalled] = [(); 2].map(|()| world.connect());
        for (socket, _) in [&reader, &stalled] {
            socket.join("room").unwrap();
        }
        let publishers = [(); 2].map(|()| {
            let (world, dropped) = (world.clone(), Arc::clone(&dropped));
            spawn(move || {
                for _ in 0..2 {
                    let payload = Arc::new(Nosy { world: world.clone(), dropped: Arc::clone(&dropped) });
                    world.to("room").emit("n", payload).unwrap();
                }
            })
        });
        let leaver = spawn(move || {
            stalled.0.leave("room").unwrap();
            drop(stalled);
        });
        reader.1.drain(|_| {});
        let early = dropped.load(Ordering::Relaxed);
        join_all(publishers);
        join(leaver);
        drop(reader);
        assert_eq!(world.socket_count(), 0);
        assert_eq!(dropped.load(Ordering::Relaxed), 4, "what nobody can read any more is gone");
        early
    }
    let early = explore(scenario);
    assert!(early.is_superset(&all([0, 1, 2])), "{early:?}");
}

/// Rooms as their events tell of them.
#[derive(Default)]
struct Told(BTreeMap<RoomName, BTreeSet<SocketId>>);

impl Told {
    fn tell(&mut self, event: &RoomEvent) {
        let room = event.room().clone();
        match event {
            RoomEvent::Created(_) => assert!(self.0.insert(room, BTreeSet::new()).is_none()),
            RoomEvent::Joined(_, socket) => assert!(self.0.get_mut(&room).unwrap().insert(*socket)),
            RoomEvent::Left(_, socket) => assert!(self.0.get_mut(&room).unwrap().remove(socket)),
            RoomEvent::Deleted(_) => assert_eq!(self.0.remove(&room), Some(BTreeSet::new())),
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[test]
fn what_happens_to_rooms_is_told_once_and_in_order() {
    fn scenario() -> Vec<usize> {
        let world = world();
        let events = Arc::new(Mutex::new(Vec::new()));
        world.on_room({
            let events = Arc::clone(&events);
            move |world, event| {
                match event {
                    // Who is gone by now has left.
                    RoomEvent::Joined(room, socket) if *room == "limbo".into() => {
                        drop(world.socket(*socket).map(|socket| socket.leave(room)));
                    }
                    _ => {}
                }
                events.lock().unwrap().push(event.clone());
            }
        });
        let stays = Member::of(&world, &["room"]);
        let threads = [(); 2].map(|()| {
            let world = world.clone();
            spawn(move || {
                let (socket, inbox) = world.connect();
                socket.join(["room", "limbo"]).unwrap();
                drop(inbox);
            })
        });
        stays.socket.leave("room").unwrap();
        join_all(threads);
        let mut told = Told::default();
        let events = events.lock().unwrap();
        events.iter().for_each(|event| told.tell(event));
        assert_eq!((told.0.len(), world.rooms()), (0, vec![]));
        let of_room = events.iter().filter(|event| *event.room() == "room".into());
        // How many were in it each time that it was deleted: the runs of its life.
        of_room.fold(vec![0], |mut lives, event| {
            match event {
                RoomEvent::Joined(..) => *lives.last_mut().unwrap() += 1,
                RoomEvent::Deleted(_) => lives.push(0),
                _ => {}
            }
            lives
        })
    }
    let lives = explore(scenario);
    assert_eq!(lives, all([vec![1, 1, 1, 0], vec![1, 2, 0], vec![2, 1, 0], vec![3, 0]]));
}

/// Two threads and the engine end two sockets; hooks are called once for each, and may do anything.
#[test]
fn who_goes_says_good_bye_once() {
    fn scenario() -> bool {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        world.on_disconnecting({
            let ends = Arc::clone(&ends);
            move |socket, reason| {
                assert!(socket.is_in("room"));
                socket.to("room").emit("n", [1, 1]).unwrap();
                ends.lock().unwrap().push(("goes", socket.id(), reason.clone()));
            }
        });
        world.on_disconnect({
            let ends = Arc::clone(&ends);
            move |socket, reason| {
                assert!(socket.join("room").is_err() && !socket.is_in("room"));
                ends.lock().unwrap().push(("gone", socket.id(), reason.clone()));
            }
        });
        let [one, other] = [(); 2].map(|()| Member::of(&world, &["room"]));
        let enders = [&one, &one, &other].map(|member| {
            let socket = member.socket.clone();
            spawn(move || socket.disconnect("kicked"))
        });
        engine.remove("/world");
        join_all(enders);
        let [one, other] = [one, other].map(Member::finish);
        let ends = std::mem::take(&mut *ends.lock().unwrap());
        assert_eq!(ends.len(), 4, "{ends:?}");
        for member in [&one, &other] {
            let (id, reason) = (member.socket.id(), member.closed().unwrap());
            let own: Vec<_> = ends.iter().filter(|end| end.1 == id).cloned().collect();
            assert_eq!(own, [("goes", id, reason.clone()), ("gone", id, reason)]);
        }
        assert_eq!((engine.socket_count(), world.rooms()), (0, vec![]));
        one.got.len() + other.got.len() > 0
    }
    assert_eq!(explore(scenario), all([false, true]));
}

/// A value that uses the map that it was kept in when it goes.
struct Kept(u8, Socket);

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.1.data::<Self>());
    }
}

#[test]
fn values_that_are_made_at_once_are_one_value() {
    fn scenario() -> (u8, bool) {
        let world = world();
        let (socket, _inbox) = world.connect();
        let makers = [1, 2, 3].map(|maker| {
            let socket = socket.clone();
            spawn(move || {
                socket.data_or_insert_with(|| {
                    yield_now();
                    Kept(maker, socket.clone())
                })
            })
        });
        let early = socket.data::<Kept>();
        let kept = join_all(makers);
        assert!(kept.iter().chain(&early).all(|value| Arc::ptr_eq(value, &kept[0])));
        let (maker, was_early) = (kept[0].0, early.is_some());
        drop((kept, early));
        assert!(socket.remove_data::<Kept>().is_some_and(|kept| Arc::strong_count(&kept) == 1));
        (maker, was_early)
    }
    assert_eq!(explore(scenario).len(), 6);
}

/// Counts how often it encodes.
struct Counting(Arc<AtomicUsize>);

impl Codec for Counting {
    type Encoded = Arc<str>;

    fn encode(&self, event: &str, payload: &Payload) -> Arc<str> {
        self.0.fetch_add(1, Ordering::Relaxed);
        yield_now();
        format!("{event} {}", payload.as_str().unwrap()).into()
    }
}

#[test]
fn a_message_is_encoded_once_for_all() {
    fn scenario() -> usize {
        let world = world();
        let encoded = Arc::new(AtomicUsize::new(0));
        let readers = [(); 3].map(|()| {
            let (socket, mut inbox): (Socket, Inbox) = world.connect();
            socket.join("room").unwrap();
            let codec = Counting(Arc::clone(&encoded));
            spawn(move || {
                let mut frames = Vec::new();
                let mut read = |inbox: &mut Inbox| {
                    inbox.drain(|delivery| frames.push(delivery.encoded(&codec).into_owned()))
                };
                let early = read(&mut inbox);
                while inbox.closed().is_none() {
                    yield_now();
                    read(&mut inbox);
                }
                (frames, early)
            })
        });
        for text in ["one", "two"] {
            world.to("room").emit("said", text).unwrap();
        }
        world.everyone().disconnect("over").unwrap();
        let read = join_all(readers);
        for (frames, _) in &read {
            assert_eq!(frames.iter().map(|frame| &**frame).collect::<Vec<_>>(), ["said one", "said two"]);
            assert!(frames.iter().zip(&read[0].0).all(|(one, other)| Arc::ptr_eq(one, other)));
        }
        assert_eq!(encoded.load(Ordering::Relaxed), 2);
        read[0].1
    }
    assert_eq!(explore(scenario), all([0, 1, 2]));
}
