//! What the references get wrong in tables 1a and 1b: namespaces, middlewares.
//!
//! | row | reference | what it does | here |
//! |---|---|---|---|
//! | 1a static ns | Socket.IO | loses the handler of `of(name, fn)` if a pattern matches the name | [`ref_1a_hooks_of_a_namespace_asked_for_by_name_are_kept_beside_a_pattern`] |
//! | 1a parent to child | Socket.IO | existing children do not get what is registered with the parent later | [`ref_1a_what_is_registered_with_a_parent_later_holds_for_children_that_exist`] |
//! | 1a parent operations | Socket.IO | `fetchSockets` throws, joining, leaving, disconnecting do nothing | [`ref_1a_operations_on_all_children_do_what_they_say`] |
//! | 1a creation race | socketioxide | two namespaces of one path | `edge_31` |
//! | 1a clean-up | Socket.IO | a socket in a middleware ends in a namespace that nobody finds | [`ref_1a_a_child_stays_while_somebody_is_in_its_middlewares`] |
//! | 1a deleting | socketioxide | tells clients nothing | [`ref_1a_removing_a_namespace_tells_its_clients`] |
//! | 1a violations | socketioxide | a second connect replaces the socket | [`ref_1a_a_second_connect_closes_the_connection_and_replaces_nothing`] |
//! | 1a violations | Socket.IO | two connects during a middleware make two sockets | [`ref_1a_two_connects_during_a_middleware_make_one_socket`] |
//! | 1b rejection | socketioxide | keeps rooms of a failing middleware | `edge_22`, [`ref_1b_rooms_of_whoever_is_rejected_late_are_released`] |
//! | 1b middleware | Socket.IO | keeps a socket whose middleware never decides | [`ref_1b_a_middleware_that_never_decides_keeps_nothing`] |
//! | 1b `connection` order | socketioxide | an event right after the connect finds no handler | [`ref_1b_an_event_right_after_the_connect_finds_the_handlers`] |
//! | 1b extractors | socketioxide | a panic in the disconnect handler skips the clean-up | [`ref_1b_a_panicking_disconnect_hook_skips_nothing`] |

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use roomcast::{DisconnectReason, Engine, Payload, ProtocolError, ReceiveError, Target};

use crate::common::watched;
use crate::rig::{Log, Peer, send, text};

#[test]
fn ref_1a_hooks_of_a_namespace_asked_for_by_name_are_kept_beside_a_pattern() {
    let engine = Engine::new();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &roomcast::Socket| log.say(what)
    };
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.on_connect(say("parent"));
    engine.of("/game-7").unwrap().on_connect(say("child"));
    Peer::joined(&engine, "/game-7");
    assert_eq!(log.take(), ["parent", "child"]);
    // It is guarded like the others, which Socket.IO learned from #4164.
    games.middleware(|_| Err("no".into()));
    let mut peer = Peer::new(&engine);
    peer.connect("/game-7");
    assert_eq!((peer.read(), log.take()), (vec!["error:no".into()], vec![]));
}

#[test]
fn ref_1a_what_is_registered_with_a_parent_later_holds_for_children_that_exist() {
    let engine = Engine::new();
    let log = Log::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (mut first, socket) = Peer::joined(&engine, "/game-7");
    socket.join("before").unwrap();
    let handler = games
        .on("move", {
            let log = log.clone();
            move |socket, step: Payload| log.say(format!("{} {}", socket.namespace().path(), text(&step)))
        })
        .unwrap();
    games.on_room({
        let log = log.clone();
        move |_, event| log.say(event.room().to_string())
    });
    games.on_any_outgoing({
        let log = log.clone();
        move |_, event, _| log.say(event)
    });
    games.admission(|_, room| if room.as_str() == Some("closed") { Err("no".into()) } else { Ok(()) });
    games.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("{reason:?}"))
    });
    games.middleware(|_| Err("closed".into()));
    first.send("/game-7", "move", "north");
    assert!(socket.join("closed").is_err());
    socket.leave("before").unwrap();
    socket.emit("news", "").unwrap();
    assert_eq!(first.read(), ["news:"]);
    assert_eq!(log.take(), ["/game-7 north", "before", "before", "news"]);
    let mut second = Peer::new(&engine);
    second.connect("/game-7");
    assert_eq!(second.read(), ["error:closed"]);
    // And what is taken off holds for none.
    assert!(games.off(handler));
    first.send("/game-7", "move", "south");
    socket.disconnect("bye");
    assert_eq!(log.take(), [r#"Other("bye")"#]);
}

#[test]
fn ref_1a_operations_on_all_children_do_what_they_say() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (mut a, _) = Peer::joined(&engine, "/game-1");
    let (mut b, _) = Peer::joined(&engine, "/game-2");
    let (mut c, _) = Peer::joined(&engine, "/");
    let everyone = Target::new();
    assert_eq!(games.sockets(&everyone).unwrap().len(), 2);
    assert_eq!(games.join(&everyone, ["in", "out"]).unwrap().changed(), 2);
    assert_eq!(games.leave(&everyone, "out").unwrap().changed(), 2);
    assert_eq!(games.emit("all", "").unwrap().members(), 2);
    assert_eq!(games.emit_to(&Target::new().to("in"), "room", "").unwrap().members(), 2);
    assert_eq!(games.emit_to(&Target::new().to("out"), "room", "").unwrap().members(), 0);
    assert_eq!(games.disconnect(&Target::new().to("in"), "over").unwrap().changed(), 2);
    for peer in [&mut a, &mut b] {
        assert_eq!(peer.read(), ["all:", "room:", r#"disconnect:Other("over")"#]);
    }
    assert_eq!((c.read(), games.children().len()), (vec![], 0));
    // The same pattern is the same parent (in Socket.IO the second never matches: #5224).
    assert_eq!(engine.of_pattern("game-{id}").unwrap(), games);
}

#[test]
fn ref_1a_a_child_stays_while_somebody_is_in_its_middlewares() {
    let engine = Engine::new();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| match socket.auth().as_str() {
            Some("waits") => decisions.lock().unwrap().push(decision),
            _ => decision.accept(),
        }
    });
    let (first, _) = Peer::joined(&engine, "/game-7");
    let mut waits = Peer::new(&engine);
    waits.connect_as("/game-7", "waits");
    let game = engine.get("/game-7").unwrap();
    first.disconnect("/game-7");
    assert_eq!(game.socket_count(), 0);
    assert_eq!(engine.get("/game-7").as_ref(), Some(&game));
    decisions.lock().unwrap().pop().unwrap().accept();
    assert_eq!(waits.read(), ["connect"]);
    engine.of("/game-7").unwrap().emit("found", "").unwrap();
    assert_eq!(waits.read(), ["found:"]);
    // Also after a refusal, and when somebody gives up.
    for end in ["reject", "leave", "close"] {
        let peer = Peer::new(&engine);
        peer.connect_as("/game-8", "waits");
        assert!(engine.get("/game-8").is_some());
        match end {
            "reject" => decisions.lock().unwrap().pop().unwrap().reject("no"),
            "leave" => peer.disconnect("/game-8"),
            _ => drop(peer),
        }
        assert!(engine.get("/game-8").is_none(), "{end}");
    }
}

#[test]
fn ref_1a_removing_a_namespace_tells_its_clients() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    chat.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("{reason:?}"))
    });
    let mut peers = [0; 2].map(|_| Peer::joined(&engine, "/chat").0);
    chat.emit("last", "").unwrap();
    assert!(engine.remove("chat"));
    for peer in &mut peers {
        assert_eq!(peer.read(), ["last:", "disconnect:NamespaceRemoved"]);
        assert_eq!(peer.connection.closed(), None);
        peer.connect("/chat");
        assert_eq!(peer.read(), ["error:Invalid namespace"]);
    }
    assert_eq!(log.take(), ["NamespaceRemoved"; 2]);
}

#[test]
fn ref_1a_a_second_connect_closes_the_connection_and_replaces_nothing() {
    let engine = Engine::new();
    let log = Log::new();
    let io = engine.of("/").unwrap();
    io.middleware({
        let log = log.clone();
        move |_| {
            log.say("middleware");
            Ok(())
        }
    });
    io.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("{reason:?}"))
    });
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let again = Err(ReceiveError::Protocol(ProtocolError::AlreadyConnected));
    assert_eq!(peer.try_connect("/", ""), again);
    assert_eq!(log.take(), ["middleware", "Protocol"]);
    assert_eq!(socket.closed(), Some(DisconnectReason::Protocol));
    assert_eq!(peer.read(), ["disconnect:Protocol"]);
    assert_eq!(peer.closed(), Some(DisconnectReason::Protocol));
    assert_eq!(io.socket_count(), 0);
}

#[test]
fn ref_1a_two_connects_during_a_middleware_make_one_socket() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |_, decision| decisions.lock().unwrap().push(decision)
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    // The second one is a fault also now, and does not reach the middleware.
    assert_eq!(peer.try_connect("", ""), Err(ReceiveError::Protocol(ProtocolError::AlreadyConnected)));
    let mut waiting = std::mem::take(&mut *decisions.lock().unwrap());
    assert_eq!(waiting.len(), 1);
    waiting.pop().unwrap().accept();
    assert_eq!((io.socket_count(), engine.socket_count()), (0, 0));
    assert_eq!((peer.read(), peer.closed()), (vec![], Some(DisconnectReason::Protocol)));
}

#[test]
fn ref_1b_rooms_of_whoever_is_rejected_late_are_released() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| {
            socket.join("room").unwrap();
            decisions.lock().unwrap().push((socket.clone(), decision));
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    let (socket, decision) = decisions.lock().unwrap().pop().unwrap();
    assert_eq!(socket.join("another"), Ok(1));
    decision.reject("no");
    assert_eq!(peer.read(), ["error:no"]);
    assert!(io.rooms().is_empty() && socket.join("late").is_err());
    assert_eq!(socket.closed(), Some(DisconnectReason::Rejected));
}

#[test]
fn ref_1b_a_middleware_that_never_decides_keeps_nothing() {
    let second = Duration::from_secs(1);
    let engine = Engine::builder().middleware_timeout(second).build();
    let io = engine.of("/").unwrap();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| {
            socket.join("room").unwrap();
            match socket.auth().as_str() {
                Some("dropped") => drop(decision),
                _ => decisions.lock().unwrap().push(decision),
            }
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/", "dropped");
    assert_eq!(peer.read(), ["error:the middleware came to no decision"]);
    peer.connect_as("/", "forgotten");
    engine.tick(second);
    assert_eq!(peer.read(), ["error:timed out"]);
    assert!(io.rooms().is_empty());
    // Too late, and without effect; the client may try again.
    decisions.lock().unwrap().pop().unwrap().accept();
    assert_eq!((peer.read(), io.socket_count()), (vec![], 0));
    peer.connect_as("/", "third");
    decisions.lock().unwrap().pop().unwrap().accept();
    assert_eq!(peer.read(), ["connect"]);
}

#[test]
fn ref_1b_an_event_right_after_the_connect_finds_the_handlers() {
    // The client is told before `on_connect` has run; what it sends then waits for that.
    watched("event after connect", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let log = Log::new();
        let (go, gone) = channel();
        let gone = Mutex::new(gone);
        io.on_connect({
            let log = log.clone();
            move |socket| {
                gone.lock().unwrap().recv().unwrap();
                let log = log.clone();
                socket.on("hello", move |_, _: Payload| log.say("heard")).unwrap();
            }
        });
        for _ in 0..100 {
            let mut peer = Peer::new(&engine);
            let connection = peer.connection.clone();
            let connecting = thread::spawn(move || {
                let packet = roomcast::ClientPacket::Connect { namespace: "/", auth: Payload::default() };
                connection.receive(packet).unwrap();
            });
            assert_eq!(peer.await_packets(), ["connect"]);
            // Whichever thread comes first runs the hook, and then what has come meanwhile.
            let connection = peer.connection.clone();
            let sending = thread::spawn(move || send(&connection, "/", "hello", "").unwrap());
            go.send(()).unwrap();
            connecting.join().unwrap();
            sending.join().unwrap();
            assert_eq!(log.take(), ["heard"]);
        }
    });
}

#[test]
fn ref_1b_a_panicking_disconnect_hook_skips_nothing() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let log = Log::new();
    games.on_disconnecting(|_, _| panic!("one"));
    games.on_disconnect(|_, _| panic!("two"));
    games.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("{reason:?}"))
    });
    games.on_error({
        let log = log.clone();
        move |_, failure| log.say(failure.to_string())
    });
    let (peer, socket) = Peer::joined(&engine, "/game-7");
    let game = socket.namespace();
    socket.join("room").unwrap();
    peer.disconnect("/game-7");
    assert_eq!(log.take(), ["panic in on_disconnecting: one", "panic in on_disconnect: two", "Client"]);
    assert!(game.rooms().is_empty() && game.sockets().is_empty() && socket.rooms().is_empty());
    assert!(engine.get("/game-7").is_none());
    assert_eq!(engine.socket_count(), 0);
}
