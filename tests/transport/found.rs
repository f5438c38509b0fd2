//! What was wrong once, a test for each.

use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use roomcast::{Backlog, Codec, DisconnectReason, Engine, Payload, ReadyQueue, Transport};

use crate::rig::{Bell, Peer, connect};

/// A transport that was polled took those who waited with its callbacks.
#[test]
fn whoever_waits_by_a_polled_outbox_waits_on_when_its_callback_is_removed() {
    let engine = Engine::new();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let wait = |peer: &mut Peer| peer.outbox.poll_wait(&mut Context::from_waker(&waker)).is_pending();
    assert!(wait(&mut peer));
    peer.outbox.no_wake();
    assert_eq!(bell.rings(), 1, "to look again");
    assert!(wait(&mut peer));
    engine.of("/").unwrap().emit("n", ()).unwrap();
    assert_eq!(bell.rings(), 2);
}

/// A socket is found closed as soon as it is cut, which was before its inbox was told: so a client that connected
/// again at that moment heard of its new socket before it heard of the end of the old one.
#[test]
fn a_socket_ends_before_the_next_one_of_its_namespace_begins() {
    // To leave so many takes a while.
    let engine = Engine::builder().max_rooms_per_socket(usize::MAX).build();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    let socket = peer.socket("/");
    for number in 0..20_000_i64 {
        socket.join(number).unwrap();
        if number % 500 == 0 {
            peer.read();
        }
    }
    let kicked = std::thread::spawn({
        let socket = socket.clone();
        move || socket.disconnect("kick")
    });
    while socket.is_connected() {
        std::hint::spin_loop();
    }
    connect(&peer.connection, "/").unwrap();
    let mut read = peer.read();
    assert!(kicked.join().unwrap());
    read.extend(peer.read());
    assert_eq!(read, ["/ disconnect:kick", "/ connect"]);
}

/// What came in the middle of a drain that stopped was told at once, and then whoever had stopped put the key back: with
/// each turn there was one more.
#[test]
fn a_connection_that_is_always_stopped_has_one_key() {
    let engine = Engine::builder().backlog(Backlog::new().messages(64).unwrap()).build();
    let [a, b] = ["/a", "/b"].map(|path| engine.of(path).unwrap());
    let ready = ReadyQueue::new();
    let mut peer = Peer::new(&engine, ready.transport(7));
    connect(&peer.connection, "/a").unwrap();
    connect(&peer.connection, "/b").unwrap();
    for _ in 0..1000 {
        assert_eq!(ready.receiver().try_iter().collect::<Vec<_>>(), [7]);
        (0..20).for_each(|_| _ = a.emit("n", ()).unwrap());
        let mut turn = 16;
        let drained = peer.outbox.try_drain(|_| {
            turn -= 1;
            if turn == 8 {
                b.emit("n", ()).unwrap();
            }
            if turn == 0 { Break(()) } else { Continue(()) }
        });
        assert!(drained.is_break());
        assert!(ready.receiver().is_empty(), "whoever has stopped knows");
        ready.push(7);
    }
}

/// What codecs made of gaps was kept for ever, with the empty payload that all gaps have.
#[test]
fn what_is_made_of_a_gap_goes() {
    struct Shares(Arc<()>);
    impl Codec for Shares {
        type Encoded = Arc<()>;
        fn encode(&self, _: &str, _: &Payload) -> Arc<()> {
            Arc::clone(&self.0)
        }
    }
    let shared = Arc::new(());
    let engine = Engine::builder().backlog(Backlog::new().messages(8).unwrap()).build();
    let namespace = engine.of("/").unwrap();
    let (_socket, mut inbox) = namespace.connect();
    (0..1000).for_each(|_| _ = namespace.emit("n", ()).unwrap());
    let mut gaps = 0;
    inbox.drain(|delivery| {
        if delivery.gap().is_some() {
            gaps += 1;
            let _ = delivery.encoded(&Shares(Arc::clone(&shared)));
        }
    });
    assert_eq!((gaps, Arc::strong_count(&shared)), (1, 1));
}

/// A panic of the callback that was removed came before the new one was told.
#[test]
fn a_callback_that_panics_when_it_is_dropped_is_replaced_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("on purpose"));
        }
    }
    let engine = Engine::new();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    let bomb = Bomb;
    peer.outbox.on_wake(move || _ = &bomb);
    engine.of("/").unwrap().emit("n", ()).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let replace = || peer.outbox.on_wake(move || _ = count.fetch_add(1, Ordering::SeqCst));
    assert!(catch_unwind(AssertUnwindSafe(replace)).is_ok());
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

/// When an engine was closed, lines stayed open for as long as hooks took.
#[test]
fn transports_are_told_to_close_before_hooks_are_called() {
    struct Noting(Arc<Mutex<Vec<&'static str>>>);
    impl Transport for Noting {
        fn close(&self, _: &DisconnectReason) {
            self.0.lock().unwrap().push("close");
        }
    }
    let closes: [fn(&Engine, &Peer); 2] =
        [|engine, _| engine.close(), |_, peer| _ = peer.connection.close("over")];
    for close in closes {
        let (engine, noted) = (Engine::new(), Arc::new(Mutex::new(Vec::new())));
        let notes = Arc::clone(&noted);
        engine.of("/").unwrap().on_disconnect(move |_, _| notes.lock().unwrap().push("hook"));
        let peer = Peer::joined(&engine, Noting(Arc::clone(&noted)), &["/"], "room");
        close(&engine, &peer);
        assert_eq!(*noted.lock().unwrap(), ["close", "hook"]);
    }
}
