//! Memory comes back: what handlers, hooks and sockets hold is let go of when they are over.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use roomcast::{ClientPacket, DisconnectReason, Engine, Handshake, Namespace, Payload, Socket};

use crate::common::Live;
use crate::rig::Peer;

/// Registers everything that can be with a namespace, each of it holding `held`, and the namespace itself.
fn register(namespace: &Namespace, held: &Arc<()>) {
    let hold = || (Arc::clone(held), namespace.clone());
    let (a, b, c, d, e) = (hold(), hold(), hold(), hold(), hold());
    namespace.middleware(move |_| {
        _ = &a;
        Ok(())
    });
    namespace.deferred_middleware(move |_, decision| {
        _ = &b;
        decision.accept();
    });
    namespace.on_connect(move |_| _ = &c);
    namespace.on_disconnecting(move |_, _| _ = &d);
    namespace.on_disconnect(move |_, _| _ = &e);
    let (a, b, c, d, e) = (hold(), hold(), hold(), hold(), hold());
    namespace.on_error(move |_, _| _ = &a);
    namespace.on_room(move |_, _| _ = &b);
    namespace.admission(move |_, _| {
        _ = &c;
        Ok(())
    });
    namespace.packet_middleware(move |_, _| {
        _ = &d;
        Ok(())
    });
    namespace.on("e", move |_, _: Payload| _ = &e).unwrap();
    let (a, b, c, d, e) = (hold(), hold(), hold(), hold(), hold());
    namespace.on_with_ack("e", move |_, _: Payload, _| _ = &a).unwrap();
    namespace.once("never", move |_, _: Payload| _ = &b).unwrap();
    namespace.on_any(move |_, _| _ = &c);
    namespace.prepend_any(move |_, _| _ = &d);
    namespace.on_any_outgoing(move |_, _, _| _ = &e);
}

/// How a connection comes to its end.
type End = fn(&Engine, &Peer);

/// How many [`register`] registers.
const REGISTERED: usize = 15;

/// Registers what can be with a socket, each of it holding `held`, and the socket itself.
fn register_own(socket: &Socket, held: &Arc<()>) {
    let hold = || (Arc::clone(held), socket.clone());
    let (a, b, c, d) = (hold(), hold(), hold(), hold());
    socket.on("e", move |_, _: Payload| _ = &a).unwrap();
    socket.on_disconnecting(move |_, _| _ = &b);
    socket.on_disconnect(move |_, _| _ = &c);
    socket.on_any_outgoing(move |_, _, _| _ = &d);
}

const REGISTERED_OWN: usize = 4;

/// Whether somebody still has the value that [`Socket::set_data`] was given.
fn mark(socket: &Socket) -> Weak<()> {
    let mark = Arc::new(());
    let weak = Arc::downgrade(&mark);
    socket.set_data(mark);
    weak
}

#[test]
fn what_is_registered_with_a_namespace_goes_with_it() {
    for end in ["remove", "close"] {
        let engine = Engine::new();
        let chat = engine.of("/chat").unwrap();
        let held = Arc::new(());
        register(&chat, &held);
        assert_eq!(Arc::strong_count(&held), 1 + REGISTERED);
        let (peer, socket) = Peer::joined(&engine, "/chat");
        register_own(&socket, &held);
        assert_eq!(Arc::strong_count(&held), 1 + REGISTERED + REGISTERED_OWN);
        peer.send("/chat", "e", "");
        match end {
            "remove" => drop(engine.remove("/chat")),
            _ => engine.close(),
        }
        assert_eq!(Arc::strong_count(&held), 1, "{end}");
        // What comes too late stays with nobody.
        register(&chat, &held);
        register_own(&socket, &held);
        assert_eq!(Arc::strong_count(&held), 1, "{end}");
    }
}

#[test]
fn what_is_registered_with_a_parent_goes_with_the_engine() {
    let engine = Engine::new();
    let held = Arc::new(());
    let hold = || Arc::clone(&held);
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (a, b, c, d) = (hold(), hold(), hold(), hold());
    let engine_too = engine.clone();
    games.on_connect(move |_| _ = (&a, &engine_too));
    games.on("e", move |_, _: Payload| _ = &b).unwrap();
    engine.on_new_namespace(move |_| _ = &c);
    engine.of_fn(move |_, _| Arc::strong_count(&d) == 0);
    let (peer, _) = Peer::joined(&engine, "/game-7");
    peer.disconnect("/game-7");
    assert_eq!(Arc::strong_count(&held), 5);
    let (_peer, _) = Peer::joined(&engine, "/game-8");
    engine.close();
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_child_that_is_over_lets_go_of_what_is_its_own() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let held = Arc::new(());
    engine.on_new_namespace({
        let held = Arc::clone(&held);
        move |namespace| register(namespace, &held)
    });
    for n in 0..10 {
        let path = format!("/game-{n}");
        let (peer, _) = Peer::joined(&engine, &path);
        assert_eq!(Arc::strong_count(&held), 2 + REGISTERED);
        peer.disconnect(&path);
        assert_eq!((Arc::strong_count(&held), games.children().len()), (2, 0));
    }
}

#[test]
fn a_socket_goes_with_its_connection_whatever_its_handlers_hold() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let held = Arc::new(());
    let marks = Arc::new(Mutex::new(Vec::new()));
    io.on_connect({
        let (held, marks) = (Arc::clone(&held), Arc::clone(&marks));
        move |socket| {
            register_own(socket, &held);
            marks.lock().unwrap().push(mark(socket));
        }
    });
    let ends: [fn(Peer); 4] = [
        drop,
        |peer| peer.disconnect("/"),
        |peer| assert!(peer.connection.close(DisconnectReason::Transport)),
        |mut peer| {
            peer.connection.socket("/").unwrap().disconnect(DisconnectReason::Server);
            peer.read();
        },
    ];
    for end in ends {
        let mut peer = Peer::new(&engine);
        peer.connect("/");
        peer.read();
        io.emit("unread", "").unwrap();
        let weak = marks.lock().unwrap().pop().unwrap();
        assert_eq!((Arc::strong_count(&held), weak.strong_count()), (2 + REGISTERED_OWN, 1));
        end(peer);
        assert_eq!((Arc::strong_count(&held), weak.strong_count()), (2, 0));
    }
}

#[test]
fn a_socket_that_is_not_let_in_goes_whatever_its_handlers_hold() {
    let engine = Engine::builder().middleware_timeout(Duration::from_secs(1)).build();
    let io = engine.of("/").unwrap();
    let held = Arc::new(());
    let marks = Arc::new(Mutex::new(Vec::new()));
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.middleware({
        let (held, marks) = (Arc::clone(&held), Arc::clone(&marks));
        move |socket| {
            register_own(socket, &held);
            socket.join("room").unwrap();
            marks.lock().unwrap().push(mark(socket));
            if socket.auth().as_str() == Some("bad") { Err("no".into()) } else { Ok(()) }
        }
    });
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |_, decision| decisions.lock().unwrap().push(decision)
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/", "bad");
    let ends: [(&str, End); 3] = [
        ("times out", |engine, _| engine.tick(Duration::from_secs(1))),
        ("gives up", |_, peer| peer.disconnect("/")),
        ("is lost", |_, peer| assert!(peer.connection.close(DisconnectReason::Transport))),
    ];
    for (end, go) in ends {
        peer.connect("/");
        go(&engine, &peer);
        // The decision holds nothing of it, and is made in vain.
        assert_eq!(Arc::strong_count(&held), 2, "{end}");
        decisions.lock().unwrap().pop().unwrap().accept();
    }
    peer.read();
    let marks = marks.lock().unwrap();
    assert_eq!(marks.len(), 4);
    assert!(marks.iter().all(|mark| mark.strong_count() == 0));
}

#[test]
fn payloads_are_let_go_of() {
    let live = Live::default();
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    io.on_with_ack("q", |_, payload: Payload, ack| drop(ack.send(payload))).unwrap();
    socket.join("room").unwrap();
    socket.emit("direct", live.payload(1)).unwrap();
    io.to("room").emit("room", live.payload(1)).unwrap();
    let acks = io.emit_with_ack("q", live.payload(1)).unwrap();
    peer.ask("/", "q", live.payload(1), 7);
    assert_eq!(live.count(), 4);
    peer.read();
    peer.answer("/", live.payload(1));
    drop(acks.wait());
    // An event that nobody handles, answers to nothing, and auth.
    peer.send("/", "unknown", live.payload(1));
    peer.answer_to("/", 99, live.payload(1));
    let mut other = Peer::new(&engine);
    other.connect_as("/", live.payload(1));
    other.connect_as("/unknown", live.payload(1));
    other.read();
    socket.disconnect("bye");
    peer.read();
    other.connection.close(DisconnectReason::Transport);
    drop((peer, other, socket));
    // Logs keep their newest segments until the namespace goes.
    engine.close();
    drop((engine, io));
    assert_eq!(live.count(), 0);
}

#[test]
fn events_that_wait_go_with_their_socket() {
    let live = Live::default();
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let payloads = live.clone();
    io.on("first", move |socket, _: Payload| {
        let connection = socket.connection().unwrap();
        for _ in 0..10 {
            let (namespace, event, payload) = ("/", "second", payloads.payload(1));
            connection.receive(ClientPacket::Event { namespace, event, payload, ack: Some(1) }).unwrap();
        }
        assert_eq!(payloads.count(), 10);
        connection.close(DisconnectReason::Server);
    })
    .unwrap();
    let (peer, socket) = Peer::joined(&engine, "/");
    let weak = mark(&socket);
    drop(socket);
    peer.send("/", "first", "");
    assert_eq!((live.count(), peer.connection.closed()), (0, Some(DisconnectReason::Server)));
    assert!(peer.try_send("/", "second", "").is_err());
    drop(peer);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn a_connection_holds_nothing_of_what_is_over() {
    let held = Arc::new(());
    let engine = Engine::builder().connect_timeout(Duration::from_secs(1)).build();
    let handshake = Handshake::new().with_data(Arc::clone(&held));
    let (mut peer, other) = (Peer::with_handshake(&engine, handshake.clone()), engine.connect(handshake));
    assert_eq!(Arc::strong_count(&held), 2);
    peer.connect("/");
    peer.outbox.on_wake({
        let held = Arc::clone(&held);
        move || _ = &held
    });
    drop(other); // and with it its deadline
    assert_eq!((Arc::strong_count(&held), engine.connection_count()), (3, 1));
    let connection = peer.connection.clone();
    drop(peer);
    assert_eq!((Arc::strong_count(&held), engine.connection_count()), (2, 0));
    drop(connection);
    assert_eq!(Arc::strong_count(&held), 1);
    engine.tick(Duration::from_secs(9));
}

#[test]
fn an_engine_that_is_closed_and_dropped_is_gone_whatever_its_hooks_hold() {
    let held = Arc::new(());
    let engine = Engine::new();
    let handlers: [Namespace; 2] = ["/", "/chat"].map(|path| engine.of(path).unwrap());
    for namespace in &handlers {
        let (engine, held) = (engine.clone(), Arc::clone(&held));
        namespace.on_connect(move |_| _ = (&engine, &held));
    }
    let (peer, socket) = Peer::joined(&engine, "/chat");
    socket.set_data(Arc::clone(&held));
    assert_eq!(Arc::strong_count(&held), 4);
    engine.close();
    drop((engine, handlers, peer, socket));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_decision_that_its_middleware_keeps_for_good_keeps_nothing() {
    let held = Arc::new(());
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    chat.deferred_middleware({
        // It holds the decisions, and they would hold the socket, and that its namespace, which holds it.
        let (kept, held) = (Arc::clone(&kept), Arc::clone(&held));
        move |socket, decision| {
            socket.set_data(Arc::clone(&held));
            kept.lock().unwrap().push(decision);
        }
    });
    let handshake = Handshake::new().with_data(Arc::clone(&held));
    let mut peer = Peer::with_handshake(&engine, handshake);
    peer.connect("/chat");
    assert_eq!((peer.read(), Arc::strong_count(&held)), (vec![], 4));
    engine.close();
    drop((peer, chat, engine));
    assert_eq!((Arc::strong_count(&held), kept.lock().unwrap().len()), (1, 1));
    // And to make it then is in vain, and no harm.
    kept.lock().unwrap().pop().unwrap().accept();
}
