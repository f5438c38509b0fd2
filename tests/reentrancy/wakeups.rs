//! Wake-ups of some next to those of others, and what is seen meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use roomcast::{Engine, Inbox};

use crate::common::line;
use crate::trap::caught;

#[test]
#[cfg(panic = "unwind")]
fn a_panicking_callback_does_not_keep_the_others_asleep() {
    let namespace = Engine::new().of("/panics").unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let mut sockets: Vec<_> = (0..10).map(|_| namespace.connect()).collect();
    for (n, (socket, inbox)) in sockets.iter_mut().enumerate() {
        socket.join("room").unwrap();
        inbox.drain(|_| {});
        let woken = Arc::clone(&woken);
        inbox.on_wake(move || {
            woken.fetch_add(1, Ordering::SeqCst);
            assert!(n % 2 == 1, "a panic on purpose");
        });
    }
    for round in 1..=3 {
        namespace.to("room").emit("n", ()).unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), 10 * round);
        assert!(sockets.iter_mut().all(|(_, inbox)| inbox.drain(|_| {}) == 1));
    }
}

/// A value in a callback, whose drop is user code too.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a panic on purpose");
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_callback_that_ends_with_its_inbox_spoils_nothing_for_the_publisher() {
    let namespace = Engine::new().of("/panics").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (_later, mut later_inbox) = namespace.connect();
    socket.join("room").unwrap();
    let (dropped, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    inbox.drain(|_| {});
    let slot = Arc::new(Mutex::new(None::<Inbox>));
    let bomb = Bomb(Arc::clone(&dropped));
    inbox.on_wake({
        let slot = Arc::clone(&slot);
        move || {
            let inbox = slot.lock().unwrap().take();
            drop((inbox, &bomb)); // now the publisher holds the callback alone
        }
    });
    later_inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || drop(woken.fetch_add(1, Ordering::SeqCst).to_string())
    });
    later_inbox.drain(|_| {});
    inbox.drain(|_| {});
    *slot.lock().unwrap() = Some(inbox);
    let before = woken.load(Ordering::SeqCst);
    assert!(!caught(|| drop(namespace.emit("n", ()))), "the panic reached the publisher");
    assert_eq!((dropped.load(Ordering::SeqCst), woken.load(Ordering::SeqCst)), (1, before + 1));
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_a_drain_loses_one_delivery_and_no_wake_up() {
    let namespace = Engine::new().of("/panics").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let woken = Arc::new(AtomicUsize::new(0));
    inbox.drain(|_| {});
    inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || {
            woken.fetch_add(1, Ordering::SeqCst);
        }
    });
    for text in ["a", "b", "c"] {
        socket.emit("n", text).unwrap();
    }
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    let panicked = caught(|| {
        inbox.drain(|delivery| assert_ne!(delivery.payload().as_str(), Some("b"), "a panic on purpose"));
    });
    assert!(panicked);
    assert_eq!(woken.load(Ordering::SeqCst), 2, "woken for what is left");
    assert_eq!(line(&mut inbox), "n:c");
    socket.emit("n", "d").unwrap();
    assert_eq!((woken.load(Ordering::SeqCst), line(&mut inbox)), (3, "n:d".into()));
}

#[test]
fn what_is_published_before_is_seen_before_even_while_others_are_woken() {
    // A wakes two; the first of them publishes B and then C, in its callback. Whoever gets C has got B.
    let namespace = Engine::new().of("/order").unwrap();
    let (first, mut first_inbox) = namespace.connect();
    let (second, mut second_inbox) = namespace.connect();
    first.join("room").unwrap();
    second.join(["room", "other"]).unwrap();
    first_inbox.drain(|_| {});
    second_inbox.drain(|_| {});
    let second_inbox = Arc::new(Mutex::new(second_inbox));
    let seen = Arc::new(Mutex::new(String::new()));
    first_inbox.on_wake({
        let (namespace, seen) = (namespace.clone(), Arc::clone(&seen));
        let second_inbox = Arc::clone(&second_inbox);
        move || {
            namespace.to("room").emit("n", "B").unwrap();
            namespace.to("other").emit("n", "C").unwrap();
            seen.lock().unwrap().push_str(&line(&mut second_inbox.lock().unwrap()));
        }
    });
    second_inbox.lock().unwrap().on_wake(|| {});
    namespace.to("room").emit("n", "A").unwrap();
    assert_eq!(*seen.lock().unwrap(), "n:A n:B n:C");
}
