//! Waking a transport: once between two drains, never too late, whoever sets what is called when.

use std::sync::Arc as StdArc;

use loom::sync::Notify;
use loom::thread;

use super::{all, explore};
use crate::mailbox::Wake;
use crate::outgoing::{Note, Outgoing};
use crate::rejection::Rejection;
use crate::sync::Arc;

/// What a transport leaves to be woken by.
#[derive(Default)]
struct Bell {
    bell: Notify,
    rung: std::sync::atomic::AtomicUsize,
}

impl Bell {
    fn hang(outgoing: &Outgoing) -> StdArc<Self> {
        let bell = StdArc::<Self>::default();
        outgoing.set_callback(Some(StdArc::new({
            let bell = StdArc::clone(&bell);
            move || bell.ring()
        })));
        bell
    }

    fn ring(&self) {
        self.rung.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.bell.notify();
    }

    fn rung(&self) -> usize {
        self.rung.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn bring(outgoing: &Outgoing) {
    outgoing.push(Note::Rejected { namespace: "/".into(), rejection: Rejection::new("no") });
    outgoing.signal();
}

fn drain(outgoing: &Outgoing) -> usize {
    outgoing.begin();
    let count = std::iter::from_fn(|| outgoing.pop()).count();
    outgoing.end();
    count
}

#[test]
fn who_is_woken_finds_what_was_brought() {
    let outcomes = explore("two signals against a transport that waits", 300, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let bell = Bell::hang(&outgoing);
        let others = [(); 2].map(|()| {
            let outgoing = Arc::clone(&outgoing);
            thread::spawn(move || bring(&outgoing))
        });
        let (mut found, mut drains, mut empty) = (0, 0, 0);
        while found < 2 {
            bell.bell.wait(); // for good, if a wake-up was lost
            let more = drain(&outgoing);
            (found, drains, empty) = (found + more, drains + 1, empty + usize::from(more == 0));
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(bell.rung() <= drains + 1, "one for each drain");
        assert_eq!(drain(&outgoing), 0);
        (drains, empty)
    });
    assert!(outcomes.is_superset(&all([(1, 0), (2, 0)])), "{outcomes:?}");
}

#[test]
fn many_signals_before_a_drain_wake_once() {
    let outcomes = explore("two times two signals", 30, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let bell = Bell::hang(&outgoing);
        let other = thread::spawn({
            let outgoing = Arc::clone(&outgoing);
            move || (0..2).for_each(|_| bring(&outgoing))
        });
        (0..2).for_each(|_| bring(&outgoing));
        other.join().unwrap();
        assert_eq!(bell.rung(), 1);
        assert_eq!(drain(&outgoing), 4);
        bring(&outgoing);
        assert_eq!(bell.rung(), 2, "and the next wakes again");
        bell.rung()
    });
    assert_eq!(outcomes, all([2]));
}

#[test]
fn a_drain_leaves_nothing_that_did_not_wake() {
    let outcomes = explore("signals against drains", 40, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let bell = Bell::hang(&outgoing);
        let other = thread::spawn({
            let outgoing = Arc::clone(&outgoing);
            move || (0..2).for_each(|_| bring(&outgoing))
        });
        let first = drain(&outgoing);
        let second = drain(&outgoing);
        let before = bell.rung();
        other.join().unwrap();
        let rung = bell.rung();
        assert!((1..=2).contains(&rung), "one for each that was brought, at most");
        let left = drain(&outgoing);
        assert_eq!(first + second + left, 2);
        assert!(left == 0 || rung > 0, "brought after the drains, and woken");
        (first + second, before, rung)
    });
    assert!(outcomes.is_superset(&all([(0, 0, 1), (1, 1, 2), (2, 1, 1), (2, 2, 2)])), "{outcomes:?}");
}

#[test]
fn who_comes_to_be_woken_late_is() {
    let outcomes = explore("signal against a new bell", 20, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let old = Bell::hang(&outgoing);
        let other = thread::spawn({
            let outgoing = Arc::clone(&outgoing);
            move || bring(&outgoing)
        });
        let new = Bell::hang(&outgoing);
        let mut waited = 0; // how often is up to loom, whose bells ring by themselves too
        while drain(&outgoing) == 0 {
            waited = 1;
            new.bell.wait(); // for good, if neither of the two threads calls it
        }
        other.join().unwrap();
        // At the moment when one takes the place of the other, both may be called.
        assert!((1..=2).contains(&(old.rung() + new.rung())));
        (old.rung(), new.rung(), waited)
    });
    assert!(outcomes.is_superset(&all([(0, 1, 0), (0, 1, 1), (1, 1, 0)])), "{outcomes:?}");
}

#[test]
fn what_was_brought_while_nobody_was_to_be_woken_wakes_who_comes() {
    let outcomes = explore("signal against no bell and a new one", 20, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let other = thread::spawn({
            let outgoing = Arc::clone(&outgoing);
            move || bring(&outgoing)
        });
        outgoing.set_callback(None);
        let bell = Bell::hang(&outgoing);
        while drain(&outgoing) == 0 {
            bell.bell.wait();
        }
        other.join().unwrap();
        assert_eq!(drain(&outgoing), 0);
        bell.rung()
    });
    // Twice, if it is hung between the signal and the call that follows it.
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn who_sleeps_is_woken_once_or_is_told_not_to() {
    let outcomes = explore("two signals against one who goes to sleep", 300, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let others = [(); 2].map(|()| {
            let outgoing = Arc::clone(&outgoing);
            thread::spawn(move || bring(&outgoing))
        });
        let bell = StdArc::new(Bell::default());
        let (mut found, mut slept) = (0, 0);
        while found < 2 {
            let sleeper = StdArc::clone(&bell);
            let wake = Wake::Callback(StdArc::new(move || sleeper.ring()));
            if outgoing.sleep(wake) {
                slept += 1;
                bell.bell.wait(); // for good, if a wake-up was lost
            }
            found += drain(&outgoing);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(drain(&outgoing), 0);
        // Awake again at once, it may have been woken all the same.
        (slept, bell.rung())
    });
    assert!(outcomes.is_superset(&all([(0, 0), (1, 1)])), "{outcomes:?}");
}

#[test]
fn a_drain_that_stops_is_woken_by_nothing_and_misses_nothing() {
    let outcomes = explore("a signal against a drain that stops", 20, || {
        let outgoing = Arc::new(Outgoing::new(StdArc::new(())));
        let bell = Bell::hang(&outgoing);
        (0..2).for_each(|_| bring(&outgoing));
        assert_eq!(bell.rung(), 1);
        let other = thread::spawn({
            let outgoing = Arc::clone(&outgoing);
            move || bring(&outgoing)
        });
        outgoing.begin();
        let first = usize::from(outgoing.pop().is_some());
        outgoing.stop();
        let before = bell.rung();
        // Whoever stops comes back by itself, and is not to sleep.
        assert!(!outgoing.sleep(Wake::Callback(StdArc::new(|| ()))));
        other.join().unwrap();
        let after = bell.rung() - before;
        assert_eq!(first + drain(&outgoing), 3);
        after
    });
    assert_eq!(outcomes, all([0]));
}
