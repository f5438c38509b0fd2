//! Whatever users register may panic: it is told, nobody else is hurt, and the rest goes on.

use std::sync::Arc;

use roomcast::{Engine, Failure, Namespace, Payload, Socket};

use crate::rig::{Log, Peer, rooms};

/// Logs failures by their place and message, and what sockets live through.
fn watch(namespace: &Namespace, log: &Log) {
    namespace.on_error(|_, _| panic!("even the error hook"));
    namespace.on_error({
        let log = log.clone();
        move |_, failure| {
            log.say(match failure {
                Failure::Panicked { place, message, .. } => format!("{place}: {message}"),
                other => other.to_string(),
            });
        }
    });
    namespace.on_connect({
        let log = log.clone();
        move |_| log.say("connect")
    });
    namespace.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("disconnect {reason:?}"))
    });
}

#[test]
fn in_a_middleware_it_rejects_that_socket() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    let panics = |socket: &Socket, auth: &str| {
        socket.join("room").unwrap();
        assert!(socket.auth().as_str() != Some(auth), "{auth}");
    };
    chat.middleware(move |socket| {
        panics(socket, "now");
        Ok(())
    });
    chat.deferred_middleware(move |socket, decision| {
        panics(socket, "later");
        decision.accept();
        panics(socket, "after all");
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/chat", "now");
    assert_eq!(log.take(), ["middleware: now"]);
    peer.connect_as("/chat", "later");
    assert_eq!(log.take(), ["middleware: later"]);
    assert!(chat.rooms().is_empty());
    peer.connect_as("/chat", "after all");
    assert_eq!(log.take(), ["connect", "middleware: after all"]);
    let told = ["error:internal error", "error:the middleware came to no decision", "connect"];
    assert_eq!(peer.read(), told);
    assert_eq!(rooms(&peer.socket("/chat")), ["room"]);
}

#[test]
fn in_a_hook_or_handler_it_ends_there() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_connect(|_| panic!("1"));
    io.on_disconnecting(|_, _| panic!("2"));
    io.on_disconnect(|_, _| panic!("3"));
    io.on_any(|_, _| panic!("4"));
    io.on("e", |_, _: Payload| -> () { panic!("5") }).unwrap();
    io.on_any_outgoing(|_, _, _| panic!("6"));
    watch(&io, &log);
    io.on("e", {
        let log = log.clone();
        move |_, _: Payload| log.say("handled")
    })
    .unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    assert_eq!(log.take(), ["on_connect: 1", "connect"]);
    for _ in 0..2 {
        peer.send("/", "e", "");
        assert_eq!(log.take(), ["on_any: 4", "handler: 5", "handled"]);
    }
    socket.emit("out", "").unwrap();
    assert_eq!(peer.read(), ["out:"]);
    assert_eq!(log.take(), ["on_any_outgoing: 6"]);
    socket.disconnect("bye");
    let told = ["on_disconnecting: 2", "on_disconnect: 3", r#"disconnect Other("bye")"#];
    assert_eq!(log.take(), told);
    assert_eq!(peer.read(), [r#"disconnect:Other("bye")"#]);
}

#[test]
fn in_a_packet_middleware_it_refuses_that_event() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    watch(&io, &log);
    io.packet_middleware(|_, incoming| {
        incoming.set_event("good");
        assert!(incoming.payload().as_str() != Some("bad"), "bad");
        Ok(())
    });
    io.on("good", {
        let log = log.clone();
        move |_, _: Payload| log.say("handled")
    })
    .unwrap();
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "e", "bad");
    peer.send("/", "e", "");
    assert_eq!(log.take(), ["connect", "packet_middleware: bad", "handled"]);
}

#[test]
fn in_admission_it_refuses_and_in_a_room_hook_it_is_nothing() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    watch(&io, &log);
    io.admission(|_, room| {
        assert!(room.as_str() != Some("bad"), "bad");
        Ok(())
    });
    io.on_room(|_, _| panic!("room"));
    io.on_room({
        let log = log.clone();
        move |_, event| log.say(format!("{event:?}").split('(').next().unwrap())
    });
    let (_peer, socket) = Peer::joined(&engine, "/");
    log.take();
    assert!(socket.join(["good", "bad"]).is_err());
    assert_eq!(log.take(), ["admission: bad"]);
    assert_eq!(socket.join("good"), Ok(1));
    assert_eq!(log.take(), ["Created", "Joined"]);
    socket.leave("good").unwrap();
    assert_eq!(log.take(), ["Left", "Deleted"]);
    assert!(io.rooms().is_empty());
}

#[test]
fn around_dynamic_namespaces_it_is_a_no() {
    let engine = Engine::new();
    let log = Log::new();
    engine.of_fn(|path, _| panic!("{path}"));
    engine.of_fn(|path, _| path == "/good");
    engine.on_new_namespace(|namespace| panic!("{namespace:?}"));
    engine.on_new_namespace({
        let log = log.clone();
        move |namespace| log.say(namespace.path())
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/bad");
    peer.connect("/good");
    assert_eq!(peer.read(), ["error:Invalid namespace", "connect"]);
    assert_eq!(log.take(), ["/good"]);
}

#[test]
fn in_whatever_waits_for_an_answer_or_to_be_woken_it_ends_there() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    peer.outbox.on_wake(|| panic!("wake"));
    socket.emit_with_ack("q", "").unwrap().on_done(|_| panic!("callback"));
    io.emit_with_ack("q", "").unwrap().timeout(std::time::Duration::from_secs(1)).on_done(|_| panic!("late"));
    assert_eq!(peer.read(), ["q?:", "q?:"]);
    peer.answer("/", "yes");
    engine.tick(std::time::Duration::from_secs(1));
    socket.emit("on", "").unwrap();
    assert_eq!(peer.read(), ["on:"]);
    assert!(socket.is_connected());
}

#[test]
fn what_a_panic_throws_may_panic_itself() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    watch(&io, &log);
    io.on("e", |_, _: Payload| -> () { std::panic::panic_any(Again) }).unwrap();
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "e", "");
    peer.disconnect("/");
    assert_eq!(log.take(), ["connect", "handler: a panic without a message", "disconnect Client"]);
}

#[test]
fn a_handler_whose_drop_panics_is_taken_off_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let held = Arc::new(());
    let (peer, socket) = Peer::joined(&engine, "/game-7");
    for _ in 0..2 {
        let bomb = Bomb;
        socket.on("e", move |_, _: Payload| _ = &bomb).unwrap();
    }
    let also = Arc::clone(&held);
    socket.on_disconnecting(move |_, _| _ = &also);
    // With its socket it goes where nobody is to blame, and the clean-up goes on.
    peer.disconnect("/game-7");
    assert_eq!((Arc::strong_count(&held), games.children().len()), (1, 0));

    for path in ["/", "/chat"] {
        let namespace = engine.of(path).unwrap();
        let bomb = Bomb;
        namespace.on("e", move |_, _: Payload| _ = &bomb).unwrap();
        let also = Arc::clone(&held);
        namespace.on_disconnecting(move |_, _| _ = &also);
    }
    let (mut peer, _) = Peer::joined(&engine, "/chat");
    engine.close();
    assert_eq!((peer.read(), Arc::strong_count(&held)), (vec!["disconnect:Shutdown".into()], 1));
    assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
}

#[test]
fn a_once_handler_whose_drop_panics_hurts_no_other_handler() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let (called, uncalled) = (Bomb, Bomb);
    io.once("e", move |_, _: Payload| _ = &called).unwrap();
    io.once("e", move |_, _: roomcast::Shared<u8>| _ = &uncalled).unwrap();
    let (peer, socket) = Peer::joined(&engine, "/");
    socket
        .on("e", {
            let log = log.clone();
            move |_, payload: Payload| log.say(format!("handled {}", payload.as_str().unwrap()))
        })
        .unwrap();
    peer.send("/", "e", "1");
    peer.send("/", "e", "2");
    assert_eq!(log.take(), ["handled 1", "handled 2"]);
    assert!(socket.is_connected());
}
