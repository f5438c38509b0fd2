//! What runs in a poll, and what it may do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use roomcast::{Client, DisconnectReason, Engine, Failure, Payload};

use crate::rig::*;

#[test]
fn handlers_may_call_anything() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    let (also, here) = (log.clone(), client.clone());
    socket
        .on("echo", move |socket, payload: Payload| {
            also.add(format!("{} begins", text(&payload)));
            if text(&payload) == "1" {
                socket.emit("echo", "2").unwrap();
                let game = here.socket("/game", ()).unwrap();
                game.on_connect({
                    let log = also.clone();
                    move |game| {
                        log.add("game");
                        game.disconnect();
                        log.add("left");
                    }
                });
                let log = also.clone();
                game.on_disconnect(move |_, _| log.add("bye"));
                assert_eq!(here.poll(), 0);
                assert_eq!(here.poll_timeout(Duration::ZERO), 0);
                here.on_wake(|| {});
                here.no_wake();
                here.reconnect().unwrap();
            }
            also.add(format!("{} ends", text(&payload)));
        })
        .unwrap();
    socket.emit("echo", "1").unwrap();
    // Its own packet, and what the handler left to this call: the echo, and that it is in the game.
    assert_eq!(client.poll(), 3);
    let lines = log.take();
    assert_eq!(lines[..2], ["1 begins", "1 ends"]);
    assert!(lines.windows(2).any(|pair| pair == ["2 begins", "2 ends"]));
    assert!(lines.windows(3).any(|three| three == ["game", "left", "bye"]), "{lines:?}");
    assert_eq!(engine.get("/game").unwrap().socket_count(), 0);
    client.close();
}

#[test]
fn a_handler_may_disconnect_and_gets_nothing_more() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    socket
        .on("echo", |socket, _: Payload| {
            socket.disconnect();
            assert!(!socket.is_connected());
        })
        .unwrap();
    socket.emit("echo", "1").unwrap();
    socket.emit("echo", "2").unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ echo 1", "/ disconnect Client"]);
    socket.connect().unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ connect"]);
}

#[test]
fn a_socket_may_connect_again_from_its_disconnect_hook() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    socket.on_disconnect(|socket, _| socket.connect().unwrap());
    for _ in 0..3 {
        at_server(&engine, &socket).disconnect(DisconnectReason::Server);
        while client.poll() > 0 {}
        assert_eq!(log.take(), ["/ disconnect Server", "/ connect"]);
    }
    assert!(socket.disconnect());
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ disconnect Client", "/ connect"]);
    assert_eq!(engine.socket_count(), 1);
}

#[test]
fn that_it_was_disconnected_is_told_before_it_is_connected_again() {
    let engine = echo();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    let log = Log::default();
    log.follow(&socket);
    let rounds = AtomicUsize::new(0);
    socket.on_connect(move |socket| {
        if rounds.fetch_add(1, Ordering::SeqCst) < 2 {
            assert!(socket.disconnect());
            socket.connect().unwrap();
        }
    });
    while client.poll() > 0 {}
    let expected = ["/ connect", "/ disconnect Client", "/ connect", "/ disconnect Client", "/ connect"];
    assert_eq!(log.take(), expected);
    assert_eq!(engine.socket_count(), 1);
}

#[test]
fn a_client_may_reconnect_from_a_disconnect_hook() {
    let engine = echo();
    let (client, root) = connected(&engine);
    let game = client.socket("/game", ()).unwrap();
    client.poll();
    let log = Log::default();
    log.follow(&root);
    log.follow(&game);
    root.on_disconnect(|root, _| root.client().reconnect().unwrap());
    game.on_disconnect(|game, _| game.client().reconnect().unwrap());
    for round in 0..3 {
        let connection = at_server(&engine, &root).connection().unwrap();
        connection.close(DisconnectReason::Transport);
        while client.poll() > 0 {}
        let mut lines = log.take();
        lines.sort();
        let expected = ["/ connect", "/ disconnect Transport", "/game connect", "/game disconnect Transport"];
        assert_eq!(lines, expected, "round {round}");
        assert_eq!((engine.connection_count(), engine.socket_count()), (1, 2));
    }
}

#[test]
fn the_server_may_call_the_client_from_its_handlers() {
    let engine = Engine::new();
    let root = engine.of("/").unwrap();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    client.poll();
    let log = Log::default();
    log.follow(&socket);
    let here = socket.clone();
    root.on("leave", move |_, (): ()| {
        // In the client's emit: what is sent goes first.
        assert!(here.disconnect());
        here.emit("kept", ()).unwrap();
        here.connect().unwrap();
        here.client().poll();
    })
    .unwrap();
    let kept = log.clone();
    root.on("kept", move |_, (): ()| kept.add("kept")).unwrap();
    socket.emit("leave", ()).unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ disconnect Client", "kept", "/ connect"]);
    assert_eq!((engine.socket_count(), client.closed()), (1, None));
    engine.close();
}

#[test]
fn a_panic_is_told_and_hurts_nobody_else() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    socket.on_error({
        let log = log.clone();
        move |_, failure| {
            if let Failure::Panicked { place, message, .. } = failure {
                log.add(format!("{place}: {message}"));
            }
            panic!("an error hook too");
        }
    });
    socket.on("echo", |_, _: Payload| -> () { panic!("first") }).unwrap();
    socket
        .on("echo", {
            let log = log.clone();
            move |_, _: Payload| log.add("second")
        })
        .unwrap();
    socket.on_any(|_, _| panic!("any"));
    socket.on_any_outgoing(|_, _, _| panic!("outgoing"));
    socket.on_disconnect(|_, _| panic!("disconnect"));
    socket.on_connect(|_| panic!("connect"));
    socket.emit("echo", ()).unwrap();
    client.poll();
    assert_eq!(log.take(), ["on_any_outgoing: outgoing", "on_any: any", "handler: first", "second"]);
    socket.disconnect();
    socket.connect().unwrap();
    client.poll();
    assert_eq!(log.take(), ["on_disconnect: disconnect", "on_connect: connect"]);
    assert!(socket.is_connected());
}

#[test]
fn a_payload_that_a_handler_does_not_take_is_an_error() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    socket.on("echo", |_, (): ()| -> () { panic!("not called") }).unwrap();
    socket.emit("echo", "text").unwrap();
    client.poll();
    let lines = log.take();
    assert_eq!(lines[0], "/ echo text");
    assert!(lines[1].starts_with("/ error the event \"echo\" could not be read"), "{lines:?}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn handlers_are_in_order_and_can_be_taken_off() {
    let (client, socket) = connected(&echo());
    let log = Log::default();
    let say = |what: &'static str| {
        let log = log.clone();
        move || log.add(what)
    };
    let (f, g, h, i, j, k) = (say("on"), say("once"), say("any"), say("first"), say("out"), say("first out"));
    let on = socket.on("echo", move |_, _: Payload| f()).unwrap();
    socket.once("echo", move |_, _: Payload| g()).unwrap();
    let any = socket.on_any(move |_, _| h());
    socket.prepend_any(move |_, _| i());
    socket.on_any_outgoing(move |_, _, _| j());
    let out = socket.prepend_any_outgoing(move |_, _, _| k());
    socket.emit("echo", ()).unwrap();
    client.poll();
    assert_eq!(log.take(), ["first out", "out", "first", "any", "on", "once"]);
    assert!(socket.off(any) && socket.off(out) && !socket.off(out));
    socket.emit("echo", ()).unwrap();
    client.poll();
    assert_eq!(log.take(), ["out", "first", "on"]);
    assert_eq!((socket.off_event("echo"), socket.off(on)), (1, false));
    let hooks = [
        socket.on_connect(|_| {}),
        socket.on_connect_error(|_, _| {}),
        socket.on_disconnect(|_, _| {}),
        socket.on_gap(|_, _| {}),
        socket.on_error(|_, _| {}),
    ];
    assert!(hooks.into_iter().all(|hook| socket.off(hook)));
    assert!(!hooks.into_iter().any(|hook| socket.off(hook)));
    socket.off_all();
    socket.emit("echo", ()).unwrap();
    client.poll();
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn outgoing_events_that_waited_are_told_when_they_go() {
    let engine = echo();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    let log = Log::default();
    let say = log.clone();
    socket.on_any_outgoing(move |_, event, payload| say.add(format!("{event} {}", text(payload))));
    socket.emit("a", "1").unwrap();
    assert_eq!(log.take(), [""; 0]);
    client.poll();
    assert_eq!(log.take(), ["a 1"]);
}
