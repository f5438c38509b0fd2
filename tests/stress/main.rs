//! Threads at their own pace where loom does not look: connections, decisions, children, registrations. Each
//! test does the same race many times over and checks what must hold whoever wins.
//!
//! `ROOMCAST_ROUNDS` sets how many times.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

mod settling;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use common::watched_for;
use roomcast::{
    ClientPacket, Connection, Decision, DisconnectReason, Engine, Handshake, Inbox, Namespace, Outbox,
    Payload, ReceiveError, RoomEvent, ServerPacket, Socket,
};

const THREADS: usize = 4;

/// How often a race is run.
fn rounds() -> usize {
    std::env::var("ROOMCAST_ROUNDS").map_or(200, |rounds| rounds.parse().expect("a number"))
}

/// Ends the test program if the work hangs: far longer than so many rounds take on a slow machine.
fn watched<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    watched_for(Duration::from_millis(300) * (200 + rounds() as u32), what, work)
}

/// Does all of these at the same time, each on a thread of its own.
fn race(works: Vec<Box<dyn FnOnce() + Send>>) {
    let start = Arc::new(Barrier::new(works.len()));
    let threads: Vec<_> = works
        .into_iter()
        .map(|work| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                work();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn work(work: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    Box::new(work)
}

fn connect(engine: &Engine) -> (Connection, Outbox) {
    engine.connect(Handshake::new())
}

fn enter(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() })
}

fn leave(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Disconnect { namespace })
}

fn send(connection: &Connection, namespace: &str, event: &str, number: u64) -> Result<(), ReceiveError> {
    let payload = Payload::from(Arc::new(number));
    connection.receive(ClientPacket::Event { namespace, event, payload, ack: None })
}

/// How often sockets were said to be there, and to be gone.
#[derive(Default)]
struct Attendance {
    came: AtomicUsize,
    went: AtomicUsize,
    failures: Failures,
}

/// What the error hook was told. A panic in a handler ends there, so that is how a test hears of it.
type Failures = Arc<Mutex<Vec<String>>>;

fn note_failures(namespace: &Namespace, failures: &Failures) {
    let failures = Arc::clone(failures);
    namespace.on_error(move |_, failure| failures.lock().unwrap().push(format!("{failure:?}")));
}

impl Attendance {
    /// Counts in this one, and checks that a socket goes after it came, and once.
    fn take(self: &Arc<Self>, engine: &Engine, path: &str) {
        #[derive(Default)]
        struct Here(AtomicBool);
        let namespace = engine.of(path).unwrap();
        let this = Arc::clone(self);
        namespace.on_connect(move |socket| {
            assert!(socket.set_data(Here(AtomicBool::new(true))).is_none());
            this.came.fetch_add(1, Ordering::SeqCst);
        });
        let this = Arc::clone(self);
        namespace.on_disconnect(move |socket, _| {
            let here = socket.data::<Here>().expect("it came");
            assert!(here.0.swap(false, Ordering::SeqCst), "it goes once");
            this.went.fetch_add(1, Ordering::SeqCst);
        });
        note_failures(&namespace, &self.failures);
    }

    fn check(&self) -> usize {
        let [came, went] = [&self.came, &self.went].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(came, went);
        assert_eq!(*self.failures.lock().unwrap(), [""; 0]);
        came
    }
}

#[test]
fn a_decision_a_deadline_or_the_end_of_the_connection() {
    watched("decisions", || {
        let engine = Engine::new();
        let attendance = Arc::new(Attendance::default());
        attendance.take(&engine, "/");
        let decision = Arc::new(Mutex::new(None::<Decision>));
        engine.of("/").unwrap().deferred_middleware({
            let decision = Arc::clone(&decision);
            move |socket, new| {
                socket.join("waiting").unwrap();
                *decision.lock().unwrap() = Some(new);
            }
        });
        let mut now = Duration::ZERO;
        let mut ends = HashMap::<String, usize>::new();
        for round in 0..rounds() * 4 {
            let (connection, mut outbox) = connect(&engine);
            enter(&connection, "/").unwrap();
            assert_eq!(engine.of("/").unwrap().room_len("waiting"), 1);
            let decision = decision.lock().unwrap().take().unwrap();
            now += Duration::from_secs(31);
            let (time, ticker, closer) = (now, engine.clone(), connection.clone());
            let mut works = vec![work(move || decision.accept()), work(move || ticker.tick(time))];
            match round % 4 {
                0 => {}
                1 => works.push(work(move || _ = leave(&closer, "/"))),
                2 => works.push(work(move || _ = closer.close(DisconnectReason::Transport))),
                _ => drop(works.pop()),
            }
            race(works);
            let mut sent = String::new();
            outbox.drain(|packet| {
                sent.push(match packet {
                    ServerPacket::Connect { .. } => 'C',
                    ServerPacket::ConnectError { message, .. } => {
                        assert_eq!(message, "timed out");
                        'E'
                    }
                    ServerPacket::Disconnect { .. } => 'D',
                    other => panic!("{other:?}"),
                });
            });
            assert!(["", "C", "CD", "E"].contains(&&*sent), "{sent}");
            assert_eq!(sent == "C" && round % 4 != 1, !connection.sockets().is_empty());
            *ends.entry(sent).or_default() += 1;
            drop(outbox);
            assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
            assert_eq!(engine.of("/").unwrap().room_len("waiting"), 0);
            attendance.check();
        }
        assert!(ends.contains_key("C"), "{ends:?}");
    });
}

#[test]
fn an_engine_that_closes_leaves_nobody_and_keeps_nothing() {
    watched("close of the engine", || {
        let mut let_in = 0;
        for round in 0..rounds() {
            let engine = Engine::new();
            let attendance = Arc::new(Attendance::default());
            let (world, games) = (engine.of("/").unwrap(), engine.of_pattern("/game-{id}").unwrap());
            attendance.take(&engine, "/");
            let kept = Arc::new(());
            for hook in 0..2 {
                let kept = Arc::clone(&kept);
                let hold = move |_: &Socket| assert_eq!(Arc::strong_count(&kept).min(1), 1);
                _ = if hook == 0 { world.on_connect(hold) } else { games.on_connect(hold) };
            }
            let connections = Arc::new(Mutex::new(Vec::new()));
            let mut works: Vec<_> = (1..THREADS)
                .map(|number| {
                    let (engine, connections) = (engine.clone(), Arc::clone(&connections));
                    work(move || {
                        for _ in 0..3 {
                            let (connection, outbox) = connect(&engine);
                            let child = format!("/game-{}", number % 2);
                            _ = (enter(&connection, "/"), enter(&connection, &child));
                            if connection.socket(&child).is_some() {
                                _ = leave(&connection, &child);
                            }
                            connections.lock().unwrap().push((connection, outbox));
                        }
                    })
                })
                .collect();
            let closer = engine.clone();
            works.push(work(move || {
                // Once for sure after somebody was let in.
                while round == 0 && closer.socket_count() == 0 {
                    thread::yield_now();
                }
                closer.close();
            }));
            race(works);
            for (connection, outbox) in &mut *connections.lock().unwrap() {
                assert_eq!(connection.closed(), Some(DisconnectReason::Shutdown));
                assert!(connection.sockets().is_empty());
                outbox.drain(|_| {});
                assert_eq!(outbox.closed(), Some(&DisconnectReason::Shutdown));
            }
            assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
            assert!(games.children().is_empty() && engine.namespaces().is_empty());
            let_in += attendance.check();
            assert_eq!(Arc::strong_count(&kept), 1, "what was registered is taken off");
        }
        assert!(let_in > 0);
    });
}

#[test]
fn nobody_is_in_a_child_that_others_do_not_find() {
    watched("children", || {
        let engine = Engine::new();
        let games = engine.of_pattern("/game-{id}").unwrap();
        let refused = Arc::new(AtomicUsize::new(0));
        games.middleware({
            let refused = Arc::clone(&refused);
            move |_| {
                let is_refused = refused.fetch_add(1, Ordering::Relaxed) % 3 == 0;
                if is_refused { Err("not you".into()) } else { Ok(()) }
            }
        });
        let works = (0..THREADS).map(|_| {
            let engine = engine.clone();
            work(move || {
                let (connection, mut outbox) = connect(&engine);
                for _ in 0..rounds() * 5 {
                    enter(&connection, "/game-1").unwrap();
                    if let Some(socket) = connection.socket("/game-1") {
                        let child = engine.get("/game-1").expect("somebody is in it");
                        assert_eq!(child, socket.namespace());
                        assert!(!child.is_closed() && child.socket_ids().contains(&socket.id()));
                        leave(&connection, "/game-1").unwrap();
                    }
                    outbox.drain(|_| {});
                }
            })
        });
        race(works.collect());
        assert!(games.children().is_empty(), "the last one has taken it away");
        // And what is registered with the parent goes with it, though it has had children.
        engine.close();
        assert_eq!(Arc::strong_count(&refused), 1);
    });
}

#[test]
fn handlers_of_one_socket_never_run_at_the_same_time() {
    watched("handlers", || {
        const EVENTS: u64 = 50;
        let engine = Engine::new();
        for round in 0..rounds() / 4 {
            let world = engine.of(&format!("/{round}")).unwrap();
            let (at_work, seen) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(Vec::new())));
            let note = {
                let (at_work, seen) = (Arc::clone(&at_work), Arc::clone(&seen));
                move |what: &str, number: u64| {
                    let _one = at_work.try_lock().expect("one at a time");
                    seen.lock().unwrap().push((what.to_owned(), number));
                }
            };
            world.on_connect({
                let note = note.clone();
                move |_| note("connect", 0)
            });
            world.on_disconnect({
                let note = note.clone();
                move |_, _| note("disconnect", 0)
            });
            for once in [false, true] {
                let note = note.clone();
                let handler = move |_: &Socket, payload: Payload| {
                    note(if once { "once" } else { "event" }, *payload.downcast_ref::<u64>().unwrap());
                };
                if once { world.once("event", handler) } else { world.on("event", handler) }.unwrap();
            }
            let failures = Failures::default();
            note_failures(&world, &failures);
            let (connection, outbox) = connect(&engine);
            enter(&connection, world.path()).unwrap();
            let path: Arc<str> = world.path().into();
            let mut works: Vec<_> = (0..THREADS as u64)
                .map(|thread| {
                    let (connection, path) = (connection.clone(), Arc::clone(&path));
                    work(move || {
                        for number in 0..EVENTS {
                            send(&connection, &path, "event", thread * EVENTS + number).unwrap();
                        }
                    })
                })
                .collect();
            let is_cut = round % 2 == 1;
            if is_cut {
                let socket = connection.socket(world.path()).unwrap();
                works.push(work(move || _ = socket.disconnect(DisconnectReason::Server)));
            }
            race(works);
            drop(outbox);
            assert_eq!(*failures.lock().unwrap(), [""; 0]);
            let seen = seen.lock().unwrap();
            let numbers: Vec<_> =
                seen.iter().filter(|(what, _)| what == "event").map(|(_, number)| *number).collect();
            assert_eq!((seen[0].0.as_str(), seen[seen.len() - 1].0.as_str()), ("connect", "disconnect"));
            let once = seen.iter().filter(|(what, _)| what == "once").count();
            assert_eq!((once, seen.len()), (usize::from(!numbers.is_empty()), numbers.len() + once + 2));
            for thread in 0..THREADS as u64 {
                let own: Vec<_> = numbers.iter().filter(|number| **number / EVENTS == thread).collect();
                assert!(own.is_sorted() && (is_cut || own.len() == EVENTS as usize), "{own:?}");
            }
        }
    });
}

#[test]
fn what_is_registered_once_is_called_once() {
    watched("once", || {
        for _ in 0..rounds() {
            let engine = Engine::new();
            let world = engine.of("/").unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&calls);
            world.once("event", move |_, _: Payload| _ = counter.fetch_add(1, Ordering::SeqCst)).unwrap();
            // Handlers of several sockets run at the same time.
            let works = (0..THREADS).map(|_| {
                let (connection, outbox) = connect(&engine);
                enter(&connection, "/").unwrap();
                work(move || {
                    send(&connection, "/", "event", 1).unwrap();
                    drop(outbox);
                })
            });
            race(works.collect());
            assert_eq!(calls.load(Ordering::SeqCst), 1);
            assert_eq!(Arc::strong_count(&calls), 1);
        }
    });
}

#[test]
fn a_room_is_never_over_its_capacity() {
    watched("capacities", || {
        const PLACES: usize = 2;
        let engine = Engine::new();
        let world = engine.of("/").unwrap();
        let rooms = ["a", "b", "c"].map(|name| world.room(name).unwrap());
        rooms.iter().for_each(|room| room.set_capacity(PLACES));
        // By the hooks, which are told everything once and in order.
        let members = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
        world.on_room({
            let members = Arc::clone(&members);
            move |_, event| {
                let mut members = members.lock().unwrap();
                let name = event.room().to_string();
                match event {
                    RoomEvent::Created(_) => assert!(members.insert(name, 0).is_none()),
                    RoomEvent::Joined(..) => {
                        let count = members.get_mut(&name).expect("it was created");
                        *count += 1;
                        assert!(*count <= PLACES || event.room() == &"free".into(), "over capacity");
                    }
                    RoomEvent::Left(..) => *members.get_mut(&name).unwrap() -= 1,
                    RoomEvent::Deleted(_) => assert_eq!(members.remove(&name), Some(0)),
                    _ => unreachable!(),
                }
            }
        });
        let works = (0..THREADS).map(|thread| {
            let world = world.clone();
            work(move || {
                for round in 0..rounds() * 2 {
                    let (socket, inbox) = world.connect();
                    let (first, second) =
                        [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")][(round + thread) % 4];
                    let both = socket.join([first, second]).is_ok();
                    assert_eq!(socket.room_count(), if both { 2 } else { 0 });
                    let before = socket.room_count();
                    let changed = socket.set_rooms([second, "free"]).is_ok();
                    assert_eq!(socket.room_count(), if changed { 2 } else { before });
                    if round % 2 == 0 {
                        socket.leave_all().unwrap();
                    }
                    drop(inbox);
                }
            })
        });
        race(works.collect());
        assert!(members.lock().unwrap().is_empty());
        for room in &rooms {
            assert!(room.is_empty());
            let newcomers: Vec<(Socket, Inbox)> = (0..=PLACES).map(|_| world.connect()).collect();
            let places = newcomers.iter().filter(|(socket, _)| socket.join(room).is_ok()).count();
            assert_eq!(places, PLACES, "no place is lost");
        }
    });
}

#[test]
fn a_capacity_counts_from_the_moment_it_is_set() {
    watched("first capacities", || {
        for round in 0..rounds() * 5 {
            let world = Engine::new().of("/").unwrap();
            let [one, two] = [(); 2].map(|()| world.connect());
            let by_name = one.0.clone();
            let (ours, other) = (two.0.clone(), world.clone());
            let room = Arc::new(Mutex::new(None));
            let kept = Arc::clone(&room);
            race(vec![
                work(move || _ = if round % 2 == 0 { by_name.join("a") } else { by_name.join(["b", "a"]) }),
                work(move || {
                    let room = other.room("a").unwrap();
                    room.set_capacity(1);
                    _ = ours.join(&room);
                    *kept.lock().unwrap() = Some(room);
                }),
            ]);
            assert_eq!(world.room_len("a"), 1);
            let is_in_both = usize::from(round % 2 == 1 && one.0.is_in("a"));
            assert_eq!(world.room_len("b"), is_in_both);
        }
    });
}

#[test]
fn an_acked_broadcast_ends_whoever_answers_or_goes() {
    watched("acked broadcasts", || {
        let engine = Engine::new();
        let world = engine.of("/").unwrap();
        let (mut answered, mut asked) = (0, 0);
        for _ in 0..rounds() {
            let members: Vec<_> = (0..THREADS).map(|_| world.connect()).collect();
            members.iter().for_each(|(socket, _)| _ = socket.join("a").unwrap());
            let result = Arc::new(Mutex::new(None));
            let mut works: Vec<_> = members
                .into_iter()
                .enumerate()
                .map(|(number, (socket, mut inbox))| {
                    work(move || {
                        if number % 2 == 0 {
                            while inbox.drain(|delivery| {
                                socket.answer(delivery.ack_id().unwrap(), Payload::default());
                            }) == 0
                            {
                                thread::yield_now();
                            }
                        }
                        socket.disconnect(DisconnectReason::Client);
                    })
                })
                .collect();
            let (asker, kept) = (world.clone(), Arc::clone(&result));
            works.push(work(move || {
                // Waits for good if somebody who is gone is waited for.
                let acks = asker.to("a").emit_with_ack("question", "?").unwrap();
                *kept.lock().unwrap() = Some(acks.wait());
            }));
            race(works);
            let answers = result.lock().unwrap().take().unwrap();
            let ok = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
            assert_eq!(ok, THREADS / 2, "who waits for the question answers it");
            answered += ok;
            asked += answers.iter().count();
        }
        assert!(answered > 0 && asked >= answered);
    });
}
