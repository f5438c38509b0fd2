//! What comes at the last moment, when one who waits has looked and not yet left word.

use std::cell::RefCell;
use std::ptr::null;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use roomcast::Engine;

use crate::rig::Peer;

thread_local!(static AT_LAST: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) });

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| {}, |_| {}, |_| {});

/// Waiting clones the waker to leave it behind: after it has looked.
fn clone(_: *const ()) -> RawWaker {
    let late = AT_LAST.take();
    late.into_iter().for_each(|late| late());
    RawWaker::new(null(), &TABLE)
}

#[test]
fn what_comes_when_word_is_about_to_be_left_is_not_missed() {
    // SAFETY: nothing is behind the pointer, and no function of the table uses it. All may run on any thread.
    let waker = unsafe { Waker::new(null(), &TABLE) };
    let mut cx = Context::from_waker(&waker);
    let engine = Engine::new();
    let namespace = engine.of("/").unwrap();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    assert!(peer.outbox.poll_wait(&mut cx).is_pending());
    for round in 0..3 {
        let emit = namespace.clone();
        AT_LAST.set(Some(Box::new(move || _ = emit.to("room").emit("e", "").unwrap())));
        assert_eq!(peer.outbox.poll_wait(&mut cx), Poll::Ready(()), "round {round}");
        assert_eq!(peer.read(), ["/ e:"]);
        assert!(peer.outbox.poll_wait(&mut cx).is_pending());
    }
    let connection = peer.connection.clone();
    AT_LAST.set(Some(Box::new(move || assert!(connection.close("over")))));
    assert!(peer.outbox.poll_wait(&mut cx).is_ready());
    assert_eq!(peer.read(), ["/ disconnect:over"]);
}
