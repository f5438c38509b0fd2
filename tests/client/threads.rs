//! Clients that several threads use, and types.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use roomcast::{Client, Engine, Payload};

use crate::rig::*;

#[test]
fn one_thread_emits_while_another_polls() {
    const EACH: usize = 2000;
    let engine = Engine::builder().inbound_queue(100_000).unwrap().build();
    let root = engine.of("/").unwrap();
    root.on("n", |socket, payload: Payload| _ = socket.emit("n", payload).unwrap()).unwrap();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (inside, is_busy) = (Arc::clone(&seen), Mutex::new(()));
    socket
        .on("n", move |_, payload: Payload| {
            // Handlers of one client never run at the same time.
            let _busy = is_busy.try_lock().expect("one at a time");
            inside.lock().unwrap().push(text(&payload).parse::<usize>().unwrap());
        })
        .unwrap();
    thread::scope(|scope| {
        // The first go before it is connected, and the others while those are sent.
        let emitter = socket.clone();
        scope.spawn(move || {
            (0..EACH).for_each(|number| emitter.emit("n", number.to_string()).unwrap());
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while seen.lock().unwrap().len() < EACH {
                    client.poll();
                }
            });
        }
    });
    assert_eq!(*seen.lock().unwrap(), (0..EACH).collect::<Vec<_>>());
}

#[test]
fn threads_that_connect_disconnect_and_emit_break_nothing() {
    let engine = Engine::builder().inbound_queue(100_000).unwrap().build();
    engine.of("/").unwrap();
    let client = Client::new(&engine);
    let socket = client.socket("/", ()).unwrap();
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let (on, off) = (Arc::clone(&counts), Arc::clone(&counts));
    socket.on_connect(move |_| _ = on.0.fetch_add(1, Ordering::SeqCst));
    socket.on_disconnect(move |_, _| {
        let ends = off.1.fetch_add(1, Ordering::SeqCst) + 1;
        assert_eq!(off.0.load(Ordering::SeqCst), ends);
    });
    let failures = Arc::new(AtomicUsize::new(0));
    let failed = Arc::clone(&failures);
    socket.on_error(move |_, _| _ = failed.fetch_add(1, Ordering::SeqCst));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..500 {
                    socket.emit("x", ()).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..500 {
                socket.disconnect();
                socket.connect().unwrap();
                client.poll();
            }
        });
        scope.spawn(|| {
            for _ in 0..500 {
                client.poll();
            }
        });
    });
    while client.poll() > 0 {}
    assert_eq!((client.closed(), failures.load(Ordering::SeqCst)), (None, 0));
    assert!(socket.is_connected());
    assert_eq!((socket.waiting(), engine.socket_count()), (0, 1));
    let (connects, disconnects) = (counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst));
    assert_eq!(connects, disconnects + 1);
}

#[test]
fn threads_that_close_and_reconnect_leave_one_connection() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..300 {
                    client.disconnect();
                    // Another thread may close it before the socket has asked.
                    let _ = client.reconnect();
                    let _ = socket.emit_volatile("echo", ());
                    client.poll();
                }
            });
        }
    });
    client.reconnect().unwrap();
    while client.poll() > 0 {}
    assert!(socket.is_connected());
    assert_eq!((engine.connection_count(), engine.socket_count()), (1, 1));
}

#[cfg(feature = "serde")]
#[test]
fn typed_events_go_both_ways() {
    use std::sync::mpsc::channel;

    use roomcast::{Event, Shared};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Move {
        x: i32,
    }
    const MOVE: Event<Move> = Event::new("move");
    const MAP: Event<Vec<u8>> = Event::new("map");

    let engine = Engine::new();
    let root = engine.of("/").unwrap();
    root.on(MOVE, |socket, step: Move| _ = socket.emit(MOVE, &Move { x: step.x + 1 }).unwrap()).unwrap();
    root.on_with_ack("add", |_, (a, b): (i32, i32), ack| _ = ack.send(&(a + b)).unwrap()).unwrap();
    let (client, socket) = connected(&engine);
    let (sender, moves) = channel();
    socket.on(MOVE, move |_, step: Move| sender.send(step).unwrap()).unwrap();
    let (sender, maps) = channel();
    socket.on(MAP, move |_, Shared(map): Shared<Vec<u8>>| sender.send(map).unwrap()).unwrap();
    socket.emit(MOVE, &Move { x: 1 }).unwrap();
    let sum = socket.emit_with_ack("add", &(2, 3)).unwrap();
    let map = Arc::new(vec![1, 2, 3]);
    root.emit(MAP, Arc::clone(&map)).unwrap();
    client.poll();
    assert_eq!(moves.recv().unwrap(), Move { x: 2 });
    assert_eq!(sum.wait().unwrap().decode::<i32>().unwrap(), 5);
    assert!(Arc::ptr_eq(&maps.recv().unwrap(), &map));
    let log = Log::default();
    log.follow(&socket);
    at_server(&engine, &socket).emit("move", "nonsense").unwrap();
    client.poll();
    assert!(log.take()[1].contains("could not be read"));
}
