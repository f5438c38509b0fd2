//! The end of a connection, a client, an engine; and that nothing is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use roomcast::{Client, ClientSocket, DisconnectReason, Engine, Payload, ReceiveError, SendError};

use crate::rig::*;

#[test]
fn after_the_end_of_the_connection_an_emit_waits_once_that_is_polled() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    at_server(&engine, &socket).connection().unwrap().close(DisconnectReason::Timeout);
    let closed = ReceiveError::Closed(DisconnectReason::Timeout);
    assert_eq!(socket.emit("echo", ()), Err(SendError::Receive(closed.clone())));
    assert_eq!(client.socket("/game", ()).unwrap_err(), closed);
    client.poll();
    socket.emit("echo", ()).unwrap();
    assert_eq!(socket.waiting(), 1);
    assert_eq!(socket.connect(), Err(closed.clone()));
    assert_eq!(client.socket("/game", ()).unwrap_err(), closed);
    client.reconnect().unwrap();
    assert_eq!(client.poll(), 2);
    // The one that could not connect has no handle, and stays out.
    assert_eq!(engine.socket_count(), 1);
}

#[test]
fn a_client_can_disconnect_and_come_back() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    assert!(client.disconnect() && !client.disconnect());
    assert_eq!((client.closed(), engine.connection_count()), (Some(DisconnectReason::Client), 0));
    assert_eq!(log.take(), ["/ disconnect Client"]);
    socket.emit("echo", "kept").unwrap();
    client.reconnect().unwrap();
    while client.poll() > 0 {}
    assert_eq!(log.take(), ["/ connect", "/ echo kept"]);
}

/// A socket with a handler, a hook and a callback that hold the flag, the client and the socket.
fn tangled(engine: &Engine, drops: &Arc<AtomicUsize>) -> (Client, ClientSocket) {
    let (client, socket) = connected(engine);
    let held = || (Flag(Arc::clone(drops)), client.clone(), socket.clone());
    let (a, b, c) = (held(), held(), held());
    socket.on("echo", move |_, _: Payload| _ = &a).unwrap();
    socket.on_disconnect(move |_, _| _ = &b);
    client.on_wake(move || _ = &c);
    (client, socket)
}

#[test]
fn closing_takes_off_what_holds_the_client() {
    let engine = echo();
    let drops = Arc::new(AtomicUsize::new(0));
    let (client, socket) = tangled(&engine, &drops);
    let log = Log::default();
    log.follow(&socket);
    let answer = socket.emit_with_ack("nobody", ()).unwrap();
    assert!(client.close() && !client.close());
    assert_eq!(log.take(), ["/ disconnect Client"]);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    assert!(answer.wait().is_err());
    let closed = ReceiveError::Closed(DisconnectReason::Client);
    assert_eq!(client.reconnect(), Err(closed.clone()));
    assert_eq!(socket.connect(), Err(closed.clone()));
    assert_eq!(socket.emit("echo", ()), Err(SendError::Receive(closed)));
    // What is registered now goes at once.
    let held = (Flag(Arc::clone(&drops)), client.clone());
    socket.on("echo", move |_, _: Payload| _ = &held).unwrap();
    assert_eq!(drops.load(Ordering::SeqCst), 4);
    let held = (Flag(Arc::clone(&drops)), client.clone());
    client.on_wake(move || _ = &held);
    assert_eq!(drops.load(Ordering::SeqCst), 5);
}

#[test]
fn closing_from_a_handler_lets_go_when_the_handler_is_done() {
    let engine = echo();
    let drops = Arc::new(AtomicUsize::new(0));
    let (client, socket) = tangled(&engine, &drops);
    let seen = Arc::clone(&drops);
    socket
        .on("echo", move |socket, _: Payload| {
            assert!(socket.client().close());
            assert_eq!(seen.load(Ordering::SeqCst), 0);
        })
        .unwrap();
    socket.emit("echo", ()).unwrap();
    client.poll();
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    assert_eq!(engine.connection_count(), 0);
}

#[test]
fn a_closed_engine_ends_its_clients() {
    let engine = echo();
    let drops = Arc::new(AtomicUsize::new(0));
    let (client, socket) = tangled(&engine, &drops);
    let log = Log::default();
    log.follow(&socket);
    engine.close();
    client.poll();
    assert_eq!(log.take(), ["/ disconnect Shutdown"]);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    assert_eq!(client.reconnect(), Err(ReceiveError::Closed(DisconnectReason::Shutdown)));
}

#[test]
fn the_last_handle_closes_the_connection() {
    let engine = echo();
    let drops = Arc::new(AtomicUsize::new(0));
    let (client, socket) = connected(&engine);
    let flag = Flag(Arc::clone(&drops));
    socket.on("echo", move |_, _: Payload| _ = &flag).unwrap();
    let log = Log::default();
    let say = log.clone();
    engine.of("/").unwrap().on_disconnect(move |_, reason| say.add(format!("{reason:?}")));
    drop(client);
    assert_eq!((engine.connection_count(), drops.load(Ordering::SeqCst)), (1, 0));
    drop(socket);
    assert_eq!((engine.connection_count(), drops.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(log.take(), ["Transport"]);
}

#[test]
fn the_last_handle_may_go_in_a_handler() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    let kept = Arc::new(Mutex::new(Some(socket.clone())));
    let inside = Arc::clone(&kept);
    socket.on("echo", move |_, _: Payload| drop(inside.lock().unwrap().take())).unwrap();
    socket.emit("echo", ()).unwrap();
    drop(socket);
    client.poll();
    assert!(kept.lock().unwrap().is_none());
    drop(client);
    assert_eq!(engine.connection_count(), 0);
}
