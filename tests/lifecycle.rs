//! What comes and goes: sockets, rooms, namespaces, engines; the same every time; and from any thread.

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{line, messages, watched};
use roomcast::{
    Backlog, Broadcast, Closed, ConfigError, Delivery, DisconnectReason, EmitError, Emitted, Engine,
    EngineBuilder, EventError, EventHandle, Gap, GapReason, Inbox, Iter, MembershipError, Message, Namespace,
    NamespaceError, Overflow, Payload, RecvTimeoutError, Room, RoomName, RoomNameError, Socket, SocketId,
    StaleSocket, Target, Via,
};

#[test]
fn public_types_cross_threads_and_show_themselves() {
    fn shared<T: Send + Sync + Debug>() {}
    fn handle<T: Send + Sync + Debug + Clone + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + Clone + PartialEq + 'static>() {}
    handle::<Engine>();
    handle::<EngineBuilder>();
    handle::<Backlog>();
    handle::<Overflow>();
    handle::<Namespace>();
    handle::<Socket>();
    handle::<SocketId>();
    handle::<Room>();
    handle::<RoomName>();
    handle::<EventHandle>();
    handle::<Payload>();
    handle::<Target>();
    handle::<Broadcast<'static>>();
    handle::<Emitted>();
    handle::<Message>();
    handle::<Gap>();
    handle::<GapReason>();
    handle::<Via<'static>>();
    handle::<DisconnectReason>();
    handle::<Delivery<'static>>();
    shared::<Inbox>();
    shared::<Iter<'static>>();
    error::<NamespaceError>();
    error::<EventError>();
    error::<RoomNameError>();
    error::<MembershipError>();
    error::<EmitError>();
    error::<StaleSocket>();
    error::<Closed>();
    error::<RecvTimeoutError>();
    error::<ConfigError>();
    assert_eq!((size_of::<SocketId>(), size_of::<Option<SocketId>>()), (8, 8));
    assert_eq!(size_of::<Payload>(), size_of::<usize>());
}

#[test]
fn a_first_program() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (a, mut a_inbox) = world.connect();
    let (b, mut b_inbox) = world.connect();
    a.join(["x", "y"]).unwrap();
    b.join("y").unwrap();
    world.to(["x", "y"]).emit("union", "1").unwrap();
    a.to("y").emit("others", "2").unwrap();
    a.within("y").emit("within", "3").unwrap();
    a.emit("direct", "4").unwrap();
    a.broadcast().emit("broadcast", "5").unwrap();
    world.emit("all", "6").unwrap();
    world.to(b.id()).to("x").emit("mixed", "7").unwrap();
    world.to("y").except(b.id()).emit("except", "8").unwrap();
    world.except("x").emit("but", "9").unwrap();
    assert_eq!(line(&mut a_inbox), "union:1 within:3 direct:4 all:6 mixed:7 except:8");
    assert_eq!(line(&mut b_inbox), "union:1 others:2 within:3 broadcast:5 all:6 mixed:7 but:9");
}

#[test]
fn a_delivery_tells_where_it_comes_from() {
    let namespace = Engine::new().of("/from").unwrap();
    let (sender, mut sender_inbox) = namespace.connect();
    let (socket, mut inbox) = namespace.connect();
    socket.join(["a", "b"]).unwrap();
    let emitted = [
        sender.to(["b", "a"]).emit("n", ()).unwrap(),
        sender.broadcast().emit("n", ()).unwrap(),
        sender.to(socket.id()).emit("n", ()).unwrap(),
        namespace.to(["nowhere", "a"]).emit("n", ()).unwrap(),
        namespace.to("a").to(socket.id()).emit("n", ()).unwrap(),
    ];
    let (a, b) = (RoomName::from("a"), RoomName::from("b"));
    let by = [Via::Room(&b), Via::Namespace, Via::Direct, Via::Room(&a), Via::Room(&a)];
    let mut seen = 0;
    inbox.drain(|delivery| {
        assert_eq!(delivery.via(), Some(by[seen]));
        assert_eq!(delivery.sender(), (seen < 3).then(|| sender.id()));
        assert_eq!(Some(delivery.sequence()), emitted[seen].sequence());
        let message = delivery.to_message();
        assert_eq!((message.sender(), message.room()), (delivery.sender(), delivery.room()));
        assert_eq!(message.sequence(), delivery.sequence());
        assert!(message.payload().ptr_eq(delivery.payload()));
        seen += 1;
    });
    assert_eq!((seen, sender_inbox.drain(|_| {})), (5, 0));
    assert_eq!(emitted.map(|emitted| emitted.rooms()), [2, 1, 1, 1, 2]);
    assert_eq!(emitted.map(|emitted| emitted.members()), [2, 2, 1, 1, 2]);
}

#[test]
fn what_was_published_before_a_disconnection_can_be_drained() {
    let namespace = Engine::new().of("/last").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (other, mut other_inbox) = namespace.connect();
    socket.join("room").unwrap();
    other.join("room").unwrap();
    namespace.to("room").emit("n", "1").unwrap();
    socket.emit("n", "2").unwrap();
    namespace.emit("n", "3").unwrap();
    assert!(socket.disconnect(DisconnectReason::Timeout));
    namespace.to("room").emit("n", "4").unwrap();
    namespace.emit("n", "5").unwrap();
    assert_eq!(inbox.closed(), None, "not before it is drained");
    assert_eq!((line(&mut inbox), inbox.closed()), ("n:1 n:2 n:3".into(), Some(&DisconnectReason::Timeout)));
    assert_eq!(line(&mut other_inbox), "n:1 n:3 n:4 n:5");
    drop(other_inbox);
    assert_eq!(other.closed(), Some(DisconnectReason::InboxDropped));
    assert_eq!((namespace.rooms(), namespace.socket_count()), (vec![], 0));
}

#[test]
fn a_message_left_is_a_message_kept() {
    let namespace = Engine::new().of("/left").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (_stays, _stays_inbox) = {
        let (stays, inbox) = namespace.connect();
        stays.join("room").unwrap();
        (stays, inbox)
    };
    for round in 0..3 {
        namespace.to("room").emit("n", "missed").unwrap();
        socket.join("room").unwrap();
        namespace.to("room").emit("n", format!("{round}")).unwrap();
        socket.leave("room").unwrap();
        namespace.to("room").emit("n", "missed").unwrap();
    }
    assert_eq!(line(&mut inbox), "n:0 n:1 n:2");
}

#[test]
fn engines_and_namespaces_do_not_meet() {
    let engines = [Engine::new(), Engine::new()];
    let mut sockets = Vec::new();
    for engine in &engines {
        for path in ["/a", "/b"] {
            let namespace = engine.of(path).unwrap();
            let (socket, inbox) = namespace.connect();
            socket.join("room").unwrap();
            sockets.push((namespace, socket, inbox));
        }
    }
    for (n, (namespace, ..)) in sockets.iter().enumerate() {
        namespace.to("room").emit("n", n.to_string()).unwrap();
        namespace.emit("all", n.to_string()).unwrap();
    }
    for (n, (_, _, inbox)) in sockets.iter_mut().enumerate() {
        assert_eq!(line(inbox), format!("n:{n} all:{n}"));
    }
    engines[0].close();
    let open: Vec<_> = sockets.iter().map(|(_, socket, _)| socket.is_connected()).collect();
    assert_eq!(open, [false, false, true, true]);
    assert_eq!((engines[0].socket_count(), engines[1].socket_count()), (0, 2));
    // Handles outlive the engine's own.
    drop(engines);
    let (namespace, socket, inbox) = &mut sockets[2];
    namespace.to("room").emit("n", "on").unwrap();
    assert_eq!((line(inbox), socket.is_connected()), ("n:on".into(), true));
}

/// A small generator of numbers: the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Everything observable of a long program of all kinds of calls.
fn trace() -> String {
    let engine = Engine::builder().backlog(messages(20)).membership_backlog(16).unwrap().build();
    let (mut trace, mut numbers) = (String::new(), Numbers(7));
    let mut sockets: Vec<(Namespace, Socket, Inbox)> = Vec::new();
    for step in 0..6_000 {
        let n = numbers.below(20);
        let namespace = engine.of(["/a", "/b", "/c"][numbers.below(3)]).unwrap();
        if sockets.len() < 5 || n == 0 && sockets.len() < 40 {
            let (socket, inbox) = namespace.connect();
            write!(trace, " {}", socket.id()).unwrap();
            sockets.push((namespace, socket, inbox));
            continue;
        }
        let index = numbers.below(sockets.len());
        let (room, other) = (format!("room {}", numbers.below(12)), numbers.below(4));
        let (home, socket, inbox) = &mut sockets[index];
        match n {
            1 if step % 5 == 0 => drop(sockets.remove(index)),
            1 | 2 => write!(trace, " {}", socket.disconnect("over")).unwrap(),
            3..=6 => write!(trace, " {:?}", socket.join([room.clone(), format!("room {other}")])).unwrap(),
            7 => write!(trace, " {:?}", socket.leave(&room)).unwrap(),
            8 => write!(trace, " {:?}", socket.set_rooms([room.clone(), format!("room {other}")])).unwrap(),
            9 | 10 => write!(
                trace,
                " {:?}",
                namespace.to([room.clone(), format!("room {other}")]).emit("u", step.to_string())
            )
            .unwrap(),
            11 => write!(trace, " {:?}", home.except(&room).emit("e", step.to_string())).unwrap(),
            12..=14 => write!(trace, " {:?}", socket.to(&room).emit("o", step.to_string())).unwrap(),
            15 => write!(trace, " {:?}", socket.emit("d", step.to_string())).unwrap(),
            16 if step % 50 == 0 => write!(trace, " {}", engine.remove(namespace.path())).unwrap(),
            16 => write!(trace, " {:?} {:?}", namespace.rooms(), namespace.socket_ids()).unwrap(),
            17 => write!(trace, " {:?} {:?}", home.members(&room), socket.rooms()).unwrap(),
            _ => drop(inbox.drain(|delivery| write!(trace, " {delivery:?}").unwrap())),
        }
        if sockets.get(index).is_some_and(|(_, _, inbox)| inbox.closed().is_some()) {
            drop(sockets.remove(index));
        }
    }
    trace
}

#[test]
fn the_same_program_has_the_same_trace() {
    let first = trace();
    assert!(first.contains("gap: Gap") && first.contains("Memberships") && first.len() > 100_000);
    for _ in 0..3 {
        assert!(trace() == first, "two runs differ");
    }
    let on_another_thread = thread::spawn(trace).join().unwrap();
    assert!(on_another_thread == first, "a thread of its own differs");
}

#[test]
fn sockets_come_and_go_on_all_threads() {
    watched("churn", || {
        const THREADS: usize = 4;
        let engine = Engine::new();
        let start = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (engine, start) = (engine.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for round in 0..400 {
                        let namespace = engine.of(["/a", "/b"][round % 2]).unwrap();
                        let (socket, mut inbox) = namespace.connect();
                        // All threads make, join, leave and unmake the same few rooms.
                        let _ = socket.join([round % 3, round % 5]);
                        let room = namespace.room(round % 3).unwrap();
                        let _ = room.emit("n", "hello");
                        let _ = socket.broadcast().emit("n", "to all");
                        let _ = socket.set_rooms([round % 2, 7]);
                        inbox.drain(|delivery| assert!(delivery.gap().is_none()));
                        match round % 4 {
                            0 => assert!(socket.disconnect("done") || namespace.is_closed()),
                            1 if thread == 0 => assert!(engine.remove("/b") || round == 0),
                            _ => drop(inbox),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(engine.socket_count(), 0);
        for namespace in engine.namespaces() {
            assert_eq!((namespace.rooms(), namespace.socket_ids()), (vec![], vec![]));
        }
    });
}

#[test]
fn a_closing_engine_leaves_nobody_connected() {
    watched("close", || {
        for _ in 0..100 {
            let engine = Engine::new();
            let namespace = engine.of("/closing").unwrap();
            let connecting: Vec<_> = (0..3)
                .map(|_| {
                    let namespace = namespace.clone();
                    thread::spawn(move || (0..30).map(|_| namespace.connect()).collect::<Vec<_>>())
                })
                .collect();
            engine.close();
            for sockets in connecting {
                for (socket, _inbox) in sockets.join().unwrap() {
                    assert_eq!(socket.closed(), Some(DisconnectReason::Shutdown));
                }
            }
            assert_eq!(engine.socket_count(), 0);
        }
    });
}
