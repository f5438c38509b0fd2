//! Handlers: registered for all and for one, once, taken off while they run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use roomcast::{Engine, ListenerId, Payload, Shared, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer, send, text};

#[test]
fn one_handler_serves_all_sockets_and_knows_which() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.on("echo", |socket, payload: Payload| drop(socket.emit("echoed", payload))).unwrap();
    let [mut a, mut b] = [0; 2].map(|_| Peer::joined(&engine, "/").0);
    a.send("/", "echo", "a");
    b.send("/", "echo", "b");
    b.socket("/").on("echo", |socket, _: Payload| drop(socket.emit("own", ""))).unwrap();
    a.send("/", "echo", "2");
    b.send("/", "echo", "2");
    assert_eq!(a.read(), ["echoed:a", "echoed:2"]);
    assert_eq!(b.read(), ["echoed:b", "echoed:2", "own:"]);
}

#[test]
fn several_handlers_of_an_event_run_in_order_of_registration() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, _: Payload| log.say(what)
    };
    let (peer, socket) = Peer::joined(&engine, "/game-7");
    socket.on("e", say("socket 1")).unwrap();
    socket.namespace().on("e", say("namespace 1")).unwrap();
    games.on("e", say("parent 1")).unwrap();
    socket.once("e", say("socket 2")).unwrap();
    socket.namespace().once("e", say("namespace 2")).unwrap();
    games.once("e", say("parent 2")).unwrap();
    games.on("other", say("other")).unwrap();
    peer.send("/game-7", "e", "");
    let all = ["parent 1", "parent 2", "namespace 1", "namespace 2", "socket 1", "socket 2"];
    assert_eq!(log.take(), all);
    peer.send("/game-7", "e", "");
    assert_eq!(log.take(), ["parent 1", "namespace 1", "socket 1"]);
    assert_eq!((games.off_event("e"), socket.off_event("e"), socket.off_event("e")), (1, 1, 0));
    peer.send("/game-7", "e", "");
    assert_eq!(log.take(), ["namespace 1"]);
}

#[test]
fn once_is_once_across_threads() {
    watched("once", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let peers: Vec<_> = (0..4).map(|_| Peer::joined(&engine, "/").0).collect();
        for _ in 0..200 {
            let calls = Arc::new(AtomicUsize::new(0));
            io.once("e", {
                let calls = Arc::clone(&calls);
                move |_, _: Payload| _ = calls.fetch_add(1, Ordering::Relaxed)
            })
            .unwrap();
            let barrier = Barrier::new(peers.len());
            thread::scope(|scope| {
                for peer in &peers {
                    let (connection, barrier) = (&peer.connection, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        send(connection, "/", "e", "").unwrap();
                    });
                }
            });
            assert_eq!(calls.load(Ordering::Relaxed), 1);
            assert_eq!((io.off_event("e"), Arc::strong_count(&calls)), (0, 1));
        }
    });
}

#[test]
fn once_is_over_before_its_handler_runs() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.once("e", {
        let (io, log) = (io.clone(), log.clone());
        move |socket, payload: Payload| {
            log.say(text(&payload));
            assert_eq!(io.off_event("e"), 0);
            // The same event again: for the next one.
            let (again, io) = (log.clone(), io.clone());
            io.once("e", move |_, payload: Payload| again.say(format!("next {}", text(&payload)))).unwrap();
            send(&socket.connection().unwrap(), "/", "e", "2").unwrap();
            log.say("first ends");
        }
    })
    .unwrap();
    io.on_error({
        let log = log.clone();
        move |_, failure| log.say(failure.to_string().split(':').next().unwrap())
    });
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "e", "1");
    assert_eq!(log.take(), ["1", "first ends", "next 2"]);
    // One that cannot be read counts, and so does a panic.
    io.once("e", |_, _: Shared<u8>| -> () { unreachable!() }).unwrap();
    io.once("e", |_, _: Payload| -> () { panic!("on purpose") }).unwrap();
    peer.send("/", "e", "3");
    peer.send("/", "e", "4");
    assert_eq!(log.take(), [r#"the event "e" could not be read"#, r#"panic in handler of "e""#]);
}

#[test]
fn taking_off_inside_a_handler_counts_from_the_next_event() {
    // As in Node: an event goes to those who were there when it began.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let ids: Arc<OnceLock<[ListenerId; 3]>> = Arc::default();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, _: Payload| log.say(what)
    };
    let first = io
        .on("e", {
            let (io, log, ids) = (io.clone(), log.clone(), Arc::clone(&ids));
            move |_, _: Payload| {
                log.say("first");
                for id in ids.get().unwrap() {
                    log.say(io.off(*id).to_string());
                }
                let log = log.clone();
                io.on("e", move |_, _: Payload| log.say("new")).unwrap();
            }
        })
        .unwrap();
    let second = io.on("e", say("second")).unwrap();
    let third = io.once("e", say("third")).unwrap();
    ids.set([first, second, third]).unwrap();
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "e", "");
    assert_eq!(log.take(), ["first", "true", "true", "true", "second", "third"]);
    peer.send("/", "e", "");
    assert_eq!(log.take(), ["new"]);
    // A hook that takes itself off.
    let hook: Arc<OnceLock<ListenerId>> = Arc::default();
    let id = io.on_connect({
        let (io, log, hook) = (io.clone(), log.clone(), Arc::clone(&hook));
        move |_| log.say(io.off(*hook.get().unwrap()).to_string())
    });
    hook.set(id).unwrap();
    Peer::joined(&engine, "/");
    Peer::joined(&engine, "/");
    assert_eq!(log.take(), ["true"]);
}

#[test]
fn an_id_takes_off_where_it_was_registered_and_once() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (_peer, socket) = Peer::joined(&engine, "/");
    let of_namespace = io.on("e", |_, _: Payload| {}).unwrap();
    let of_socket = socket.on_any(|_, _| {});
    assert!(!socket.off(of_namespace) && !io.off(of_socket) && !engine.off(of_socket));
    assert!(io.off(of_namespace) && socket.off(of_socket));
    assert!(!io.off(of_namespace) && !socket.off(of_socket));
    let each = [
        io.middleware(|_| Err("no".into())),
        io.deferred_middleware(|_, decision| decision.reject("no")),
        io.on_connect(|_| panic!("taken off")),
        io.on_disconnecting(|_, _| panic!("taken off")),
        io.on_disconnect(|_, _| panic!("taken off")),
        io.on_room(|_, _| panic!("taken off")),
        io.admission(|_, _| Err("no".into())),
        io.packet_middleware(|_, _| Err("no".into())),
        io.on_any(|_, _| panic!("taken off")),
        io.prepend_any_outgoing(|_, _, _| panic!("taken off")),
        io.on("e", |_, _: Payload| -> () { panic!("taken off") }).unwrap(),
    ];
    let log = Log::new();
    io.on_error({
        let log = log.clone();
        move |_, failure| log.say(failure.to_string())
    });
    for id in each {
        assert!(io.off(id));
    }
    let (mut peer, socket) = Peer::joined(&engine, "/");
    assert_eq!(socket.join("room"), Ok(1));
    peer.send("/", "e", "");
    socket.emit("out", "").unwrap();
    assert_eq!(peer.read(), ["out:"]);
    peer.disconnect("/");
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn an_answer_may_come_later_from_anywhere_and_comes_once() {
    watched("late answer", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let (sender, acks) = std::sync::mpsc::channel();
        let sender = std::sync::Mutex::new(sender);
        io.on_with_ack("q", move |_, _: Payload, ack| sender.lock().unwrap().send(ack).unwrap()).unwrap();
        let (mut peer, socket) = Peer::joined(&engine, "/");
        peer.ask("/", "q", "", 7);
        let ack = acks.recv().unwrap();
        assert!(ack.is_wanted());
        let wins: usize = thread::scope(|scope| {
            let threads = [0; 4].map(|_| {
                let ack = ack.clone();
                scope.spawn(move || usize::from(ack.send("yes").unwrap()))
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((wins, ack.is_wanted()), (1, false));
        assert_eq!(peer.read(), ["ack 7:yes"]);
        // One that was not asked for goes nowhere, and one for a socket that is gone is an error.
        peer.send("/", "q", "");
        let ack = acks.recv().unwrap();
        assert_eq!((ack.is_wanted(), ack.send("no"), peer.read()), (false, Ok(false), vec![]));
        peer.ask("/", "q", "", 8);
        socket.disconnect("bye");
        assert!(acks.recv().unwrap().send("late").is_err());
    });
}

#[test]
fn once_may_use_itself_up() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    struct Ticket(u8);
    let ticket = Ticket(7);
    io.once("e", move |_, _: Payload| sender.send(ticket)).unwrap();
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "e", "");
    peer.send("/", "e", "");
    // It came, once, and the handler is gone with its end of the channel.
    assert_eq!(receiver.iter().map(|Ticket(number)| number).collect::<Vec<_>>(), [7]);
}

#[test]
fn outgoing_handlers_are_for_connections() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_any_outgoing({
        let log = log.clone();
        move |socket, event, _| log.say(format!("{event} {}", socket.connection().is_some()))
    });
    let (_socket, mut inbox) = io.connect();
    let (mut peer, _) = Peer::joined(&engine, "/");
    io.emit("e", "").unwrap();
    assert_eq!((inbox.drain(|_| {}), log.take()), (1, vec![]));
    assert_eq!((peer.read(), log.take()), (vec!["e:".into()], vec!["e true".into()]));
}

#[test]
fn who_reads_an_inbox_answers_with_any_payload() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (socket, mut inbox) = io.connect();
    let asks: Vec<_> = (0..3).map(|_| socket.emit_with_ack("q", "").unwrap()).collect();
    let mut ids = Vec::new();
    inbox.drain(|delivery| ids.extend(delivery.ack_id()));
    assert!(socket.answer(ids[0], "text") && socket.answer(ids[1], [1, 2]));
    assert!(socket.answer(ids[2], Payload::from("same")) && !socket.answer(ids[2], "twice"));
    let answers: Vec<_> = asks.into_iter().map(|ask| ask.wait().unwrap()).collect();
    // Payloads are equal if their bytes and their kinds are.
    assert_eq!(answers, [Payload::from("text"), Payload::from([1, 2]), Payload::from("same")]);
    assert_ne!(answers[0], Payload::from(*b"text"));
}

#[test]
fn a_transport_says_who_the_client_is() {
    struct Address([u8; 4]);
    let engine = Engine::new();
    let log = Log::new();
    engine.of("/").unwrap().middleware({
        let log = log.clone();
        move |socket| {
            let handshake = socket.handshake();
            assert!(handshake.data::<String>().is_none());
            log.say(format!("{:?} {:?}", handshake.data::<Address>().unwrap().0, handshake.get("Agent")));
            Ok(())
        }
    });
    let handshake = roomcast::Handshake::new().with("agent", "test").with_data(Address([127, 0, 0, 1]));
    let mut peer = Peer::with_handshake(&engine, handshake);
    peer.connect("/");
    assert_eq!(
        (peer.read(), log.take()),
        (vec!["connect".into()], vec![r#"[127, 0, 0, 1] Some("test")"#.into()])
    );
    assert_eq!(peer.connection.handshake().data::<Address>().unwrap().0, [127, 0, 0, 1]);
}
