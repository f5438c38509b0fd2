//! Connecting, answers, being refused, coming back.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{
    AckError, Client, DisconnectReason, Engine, EventError, Handshake, Payload, Rejection, SendError,
};

use crate::rig::*;

#[test]
fn connecting_is_told_by_a_poll_and_the_ids_agree() {
    let engine = echo();
    let client = Client::with_handshake(&engine, Handshake::new().with("address", "here"));
    assert_eq!(client.handshake().get("address"), Some("here"));
    let socket = client.socket("game", "token").unwrap();
    assert_eq!((socket.namespace(), socket.id(), socket.is_active()), ("/game", None, true));
    let log = Log::default();
    log.follow(&socket);
    assert_eq!(client.poll(), 1);
    assert_eq!(log.take(), ["/game connect"]);
    let there = at_server(&engine, &socket);
    assert_eq!(there.auth().as_str(), Some("token"));
    assert_eq!(there.handshake().get("address"), Some("here"));
    assert_eq!(client.poll(), 0);
}

#[test]
fn a_namespace_has_one_socket_and_a_client_several() {
    let engine = echo();
    let client = Client::new(&engine);
    let (root, game) = (client.socket("/", ()).unwrap(), client.socket("/game", ()).unwrap());
    assert_eq!(client.socket("game", ()).unwrap(), game);
    assert_ne!(root, game);
    assert_eq!(client.sockets(), [root.clone(), game.clone()]);
    assert_eq!(root.client(), client);
    assert_eq!((client.poll(), engine.connection_count(), engine.socket_count()), (2, 1, 2));
    let log = Log::default();
    log.follow(&root);
    log.follow(&game);
    root.emit("echo", "a").unwrap();
    game.emit("echo", "b").unwrap();
    client.poll();
    assert_eq!(log.take(), ["/ echo a", "/game echo b"]);
    assert!(game.disconnect());
    root.emit("echo", "c").unwrap();
    client.poll();
    assert_eq!(log.take(), ["/game disconnect Client", "/ echo c"]);
    assert_eq!((engine.connection_count(), engine.socket_count()), (1, 1));
}

#[test]
fn what_is_emitted_before_it_is_connected_goes_first_and_in_order() {
    let engine = echo();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    let log = Log::default();
    log.follow(&socket);
    socket.on_connect(|socket| socket.emit("echo", "3").unwrap());
    socket.emit("echo", "1").unwrap();
    assert!(!socket.emit_volatile("echo", "dropped").unwrap());
    socket.emit("echo", "2").unwrap();
    assert_eq!(socket.waiting(), 2);
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ connect", "/ echo 1", "/ echo 2", "/ echo 3"]);
    assert_eq!(socket.waiting(), 0);
    assert!(socket.emit_volatile("echo", "4").unwrap());
    client.poll();
    assert_eq!(log.take(), ["/ echo 4"]);
}

#[test]
fn no_more_waits_than_the_limit() {
    let engine = Engine::builder().inbound_queue(2).unwrap().build();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    socket.emit("a", ()).unwrap();
    let second = socket.emit_with_ack("b", ()).unwrap();
    assert_eq!(socket.emit("c", ()), Err(SendError::Full { limit: 2 }));
    assert_eq!(socket.emit_with_ack("c", ()).unwrap_err(), SendError::Full { limit: 2 });
    client.poll();
    socket.emit("c", ()).unwrap();
    assert!(!second.is_done());
}

#[test]
fn bad_names_are_refused_and_nothing_is_closed() {
    let (client, socket) = connected(&echo());
    assert_eq!(socket.emit("", ()), Err(SendError::Event(EventError::Empty)));
    assert!(matches!(socket.emit("disconnect", ()), Err(SendError::Event(EventError::Reserved(_)))));
    assert!(socket.on("connect", |_, (): ()| {}).is_err());
    assert_eq!(client.closed(), None);
}

#[test]
fn an_ack_is_answered_or_resolved_by_a_disconnect_or_a_timeout() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let answered = socket.emit_with_ack("ask", "really").unwrap();
    let silent = socket.emit_with_ack("nobody", ()).unwrap();
    let late = socket.emit_with_ack("nobody", ()).unwrap().timeout(Duration::from_secs(1));
    assert!(!answered.is_done());
    client.poll();
    assert_eq!(answered.wait().unwrap().as_str(), Some("really!"));
    engine.tick(Duration::from_secs(1));
    assert_eq!(late.wait().unwrap_err(), AckError::TimedOut);
    assert!(!silent.is_done());
    at_server(&engine, &socket).disconnect(DisconnectReason::Server);
    client.poll();
    assert_eq!(silent.wait().unwrap_err(), AckError::Disconnected(DisconnectReason::Server));
}

#[test]
fn an_ack_of_an_event_that_waits_survives_a_reconnect() {
    let (client, socket) = connected(&echo());
    socket.disconnect();
    let answer = socket.emit_with_ack("ask", "still there").unwrap();
    socket.connect().unwrap();
    while client.poll() > 0 {}
    assert_eq!(answer.wait().unwrap().as_str(), Some("still there!"));
}

#[test]
fn an_ack_of_a_session_is_not_sent_in_the_next_one() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let lost = socket.emit_with_ack("nobody", ()).unwrap();
    assert!(socket.disconnect());
    assert_eq!(lost.wait().unwrap_err(), AckError::Disconnected(DisconnectReason::Client));
    drop(client);
    let waits = socket.emit_with_ack("nobody", ()).unwrap();
    let (sender, outcome) = channel();
    waits.on_done(move |answer| sender.send(answer).unwrap());
    drop(socket);
    assert_eq!(outcome.recv().unwrap().unwrap_err(), AckError::Disconnected(DisconnectReason::Transport));
}

#[test]
fn a_handler_answers_once_and_only_in_its_session() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    socket
        .on_with_ack("question", move |_, payload: Payload, ack| {
            assert!(ack.is_wanted());
            assert_eq!(ack.send(payload), Ok(true));
            assert_eq!(ack.send("again"), Ok(false));
        })
        .unwrap();
    socket.on_with_ack("later", move |_, (): (), ack| *keep.lock().unwrap() = Some(ack)).unwrap();
    let there = at_server(&engine, &socket);
    let (now, later) =
        (there.emit_with_ack("question", "x").unwrap(), there.emit_with_ack("later", ()).unwrap());
    client.poll();
    assert_eq!(now.wait().unwrap().as_str(), Some("x"));
    assert!(!later.is_done());
    assert!(socket.disconnect());
    let ack = kept.lock().unwrap().take().unwrap();
    assert!(ack.send("too late").is_err());
    assert!(later.wait().is_err());
    assert_eq!(client.closed(), None);
}

#[test]
fn a_refusal_is_a_connect_error_and_a_new_token_helps() {
    let engine = Engine::new();
    engine.of("/admin").unwrap().middleware(|socket| match socket.auth().as_str() {
        Some("right") => Ok(()),
        _ => Err(Rejection::new("not authorized").with_data("later")),
    });
    let client = Client::new(&engine);
    let admin = client.socket("/admin", "wrong").unwrap();
    let log = Log::default();
    log.follow(&admin);
    let more = log.clone();
    admin.on_connect_error(move |_, rejection| more.add(text(rejection.data())));
    client.poll();
    assert_eq!(log.take(), ["/admin connect_error not authorized", "later"]);
    assert!(!admin.is_active() && !admin.is_connected());
    admin.set_auth("right");
    admin.connect().unwrap();
    client.poll();
    assert_eq!(log.take(), ["/admin connect"]);
    let nowhere = client.socket("/nowhere", ()).unwrap();
    let bad = client.socket("a b", ()).unwrap();
    log.follow(&nowhere);
    log.follow(&bad);
    client.poll();
    assert_eq!(
        log.take(),
        ["/nowhere connect_error Invalid namespace", "a b connect_error Invalid namespace"]
    );
    assert_eq!(client.closed(), None);
}

#[test]
fn a_socket_that_the_server_disconnected_connects_again_by_hand_only() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    at_server(&engine, &socket).disconnect("go away");
    socket.emit("echo", "lost").unwrap();
    client.poll();
    assert_eq!(log.take(), ["/ disconnect Other(\"go away\")"]);
    assert!(!socket.is_active());
    client.reconnect().unwrap();
    assert_eq!(client.poll(), 0);
    socket.emit("echo", "kept").unwrap();
    socket.connect().unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ connect", "/ echo kept"]);
}

#[test]
fn reconnecting_connects_what_was_active() {
    let engine = echo();
    engine.of("/left").unwrap();
    engine.of("/kicked").unwrap();
    let (client, root) = connected(&engine);
    let sockets: Vec<_> = ["/game", "/kicked", "/left"].map(|path| client.socket(path, path).unwrap()).into();
    client.poll();
    at_server(&engine, &sockets[1]).disconnect(DisconnectReason::Server);
    sockets[2].disconnect();
    let log = Log::default();
    log.follow(&root);
    sockets.iter().for_each(|socket| log.follow(socket));
    client.poll();
    assert_eq!(log.take(), ["/kicked disconnect Server"]);
    let connection = at_server(&engine, &root).connection().unwrap();
    let old = root.id();
    connection.close(DisconnectReason::Transport);
    assert_eq!(client.closed(), Some(DisconnectReason::Transport));
    client.poll();
    assert_eq!(log.take(), ["/ disconnect Transport", "/game disconnect Transport"]);
    assert!(root.is_active() && !root.is_connected());
    root.emit("echo", "kept").unwrap();
    sockets[0].set_auth("new");
    client.reconnect().unwrap();
    assert_eq!(client.closed(), None);
    while client.poll() > 0 {}
    // In each namespace in order, between them as their turns come.
    assert_eq!(log.take(), ["/ connect", "/ echo kept", "/game connect"]);
    assert_ne!(root.id(), old);
    assert_eq!(at_server(&engine, &sockets[0]).auth().as_str(), Some("new"));
    assert_eq!(engine.connection_count(), 1);
    client.reconnect().unwrap();
    assert_eq!((client.poll(), engine.connection_count()), (0, 1));
}

#[test]
fn a_reconnect_tells_of_the_end_that_was_not_polled() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    at_server(&engine, &socket).emit("bye", "x").unwrap();
    at_server(&engine, &socket).connection().unwrap().close(DisconnectReason::Timeout);
    client.reconnect().unwrap();
    client.poll();
    assert_eq!(log.take(), ["/ bye x", "/ disconnect Timeout", "/ connect"]);
}

#[test]
fn the_end_of_a_connection_is_told_to_who_is_still_connecting() {
    let engine = Engine::new();
    let slow = engine.of("/slow").unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    slow.deferred_middleware(move |_, decision| keep.lock().unwrap().push(decision));
    let (client, root) = connected(&engine);
    let socket = client.socket("/slow", ()).unwrap();
    let log = Log::default();
    log.follow(&socket);
    assert_eq!(client.poll(), 0);
    let connection = at_server(&engine, &root).connection().unwrap();
    connection.close(DisconnectReason::Transport);
    client.poll();
    assert_eq!(log.take(), ["/slow connect_error transport closed"]);
    assert!(socket.is_active());
    client.reconnect().unwrap();
    kept.lock().unwrap().drain(..).for_each(|decision| decision.accept());
    client.poll();
    assert_eq!(log.take(), ["/slow connect"]);
}

#[test]
fn who_gives_up_while_it_is_connecting_is_told_nothing() {
    let engine = Engine::new();
    engine.of("/no").unwrap().middleware(|_| Err("no".into()));
    let client = Client::new(&engine);
    let (yes, no) = (client.socket("/", ()).unwrap(), client.socket("/no", ()).unwrap());
    let log = Log::default();
    log.follow(&yes);
    log.follow(&no);
    assert!(!yes.disconnect() && !no.disconnect());
    client.poll();
    assert_eq!(log.take(), [""; 0]);
    assert_eq!((engine.socket_count(), client.closed()), (0, None));
    // Once more, and it changes its mind twice.
    yes.connect().unwrap();
    no.connect().unwrap();
    yes.disconnect();
    no.disconnect();
    yes.set_auth("second");
    yes.connect().unwrap();
    no.connect().unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ connect", "/no connect_error no"]);
    assert_eq!(at_server(&engine, &yes).auth().as_str(), Some("second"));
    assert_eq!((engine.socket_count(), client.closed()), (1, None));
}
