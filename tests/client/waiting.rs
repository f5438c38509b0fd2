//! Gaps, wake-ups, waiting for what comes, a server that is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use roomcast::{Backlog, Client, DisconnectReason, Engine, Payload, ReceiveError, SendError};

use crate::rig::*;

#[test]
fn who_is_slow_to_poll_is_told_of_the_gap() {
    let engine = Engine::builder().backlog(Backlog::new().messages(2).unwrap()).build();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    log.follow(&socket);
    let say = log.clone();
    socket.on_gap(move |_, gap| say.add(format!("{} missed", gap.missed)));
    for number in 0..5 {
        engine.of("/").unwrap().emit("n", number.to_string()).unwrap();
    }
    client.poll();
    let lines = log.take();
    let missed: usize =
        lines.iter().filter_map(|line| line.strip_suffix(" missed")?.parse::<usize>().ok()).sum();
    assert!(missed > 0 && lines.last().unwrap() == "/ n 4", "{lines:?}");
    assert_eq!(missed + lines.iter().filter(|line| line.starts_with("/ n ")).count(), 5);
}

#[test]
fn it_is_woken_once_between_two_polls_also_after_a_reconnect() {
    let engine = echo();
    let client = Client::new(&engine);
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let socket = client.socket("/", ()).unwrap();
    // There is something already.
    client.on_wake(move || _ = count.fetch_add(1, Ordering::SeqCst));
    let wakes = || woken.swap(0, Ordering::SeqCst);
    assert_eq!(wakes(), 1);
    client.poll();
    socket.emit("echo", "1").unwrap();
    socket.emit("echo", "2").unwrap();
    assert_eq!(wakes(), 1);
    assert_eq!((client.poll(), wakes()), (2, 0));
    socket.emit("echo", "3").unwrap();
    assert_eq!((wakes(), client.poll()), (1, 1));
    at_server(&engine, &socket).connection().unwrap().close(DisconnectReason::Transport);
    assert_eq!(wakes(), 1);
    client.poll();
    client.reconnect().unwrap();
    assert_eq!(wakes(), 1);
    client.poll();
    socket.emit("echo", "4").unwrap();
    assert_eq!((wakes(), client.poll()), (1, 1));
    client.no_wake();
    socket.emit("echo", "5").unwrap();
    assert_eq!((wakes(), client.poll()), (0, 1));
}

#[test]
fn a_thread_can_wait_for_what_comes() {
    let engine = echo();
    let (client, socket) = connected(&engine);
    assert_eq!(client.poll_timeout(Duration::ZERO), 0);
    let (sender, received) = channel();
    socket.on("echo", move |_, payload: Payload| sender.send(payload).unwrap()).unwrap();
    let player = thread::spawn(move || {
        while client.closed().is_none() {
            client.poll_timeout(Duration::from_secs(60));
        }
    });
    for number in 0..100 {
        socket.emit("echo", number.to_string()).unwrap();
        assert_eq!(text(&received.recv().unwrap()), number.to_string());
    }
    engine.close();
    player.join().unwrap();
}

#[test]
fn a_busy_server_is_an_error_of_the_emit_and_what_waits_is_sent_later() {
    let engine = Engine::builder().inbound_queue(1).unwrap().build();
    let root = engine.of("/").unwrap();
    let (client, socket) = connected(&engine);
    let log = Log::default();
    let (here, say) = (socket.clone(), log.clone());
    root.on("first", move |_, (): ()| {
        here.emit("second", ()).unwrap();
        assert_eq!(here.emit("third", ()), Err(SendError::Receive(ReceiveError::Busy)));
        say.add("first");
    })
    .unwrap();
    let say = log.clone();
    root.on("second", move |_, (): ()| say.add("second")).unwrap();
    socket.emit("first", ()).unwrap();
    assert_eq!(log.take(), ["first", "second"]);
    assert_eq!(client.closed(), None);
    root.off_event("first");
}

#[test]
fn what_a_busy_server_did_not_take_in_is_sent_by_the_next_poll() {
    let engine = Engine::builder().inbound_queue(1).unwrap().build();
    let root = engine.of("/").unwrap();
    let (client, socket) = connected(&engine);
    socket.disconnect();
    client.poll(); // what was given up and is not read counts, and this server allows one
    let log = Log::default();
    for event in ["first", "second"] {
        let say = log.clone();
        root.on(event, move |_, (): ()| say.add(event)).unwrap();
    }
    // The server's hook is running when the client learns that it is in.
    let here = client.clone();
    root.on_connect(move |_| assert_eq!(here.poll(), 1));
    socket.on_any_outgoing(|socket, event, _| {
        if event == "first" {
            socket.emit("second", ()).unwrap();
        }
    });
    socket.emit("first", ()).unwrap();
    socket.connect().unwrap();
    assert_eq!((log.take(), socket.waiting()), (vec!["first".to_owned()], 1));
    // It does not overtake.
    assert!(matches!(socket.emit("third", ()), Err(SendError::Full { limit: 1 })));
    client.poll();
    assert_eq!((log.take(), socket.waiting()), (vec!["second".to_owned()], 0));
    client.close();
    engine.close();
}
