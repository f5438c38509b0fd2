//! Timers: run or cancelled, by one of all who try.

use std::time::Duration;

use loom::thread;

use super::{Token, all, explore};
use crate::clock::{Clock, TimerId};
use crate::sync::{Arc, AtomicUsize, Ordering};

/// Schedules a timer that counts how often it ran, and whose leak loom reports.
fn schedule(clock: &Clock, at: u64) -> (TimerId, Arc<AtomicUsize>) {
    let ran = Arc::new(AtomicUsize::new(0));
    let (counter, token) = (Arc::clone(&ran), Token::new(at));
    let id = clock.schedule(Duration::from_secs(at), move || {
        drop(token);
        counter.fetch_add(1, Ordering::Relaxed);
    });
    (id, ran)
}

#[test]
fn a_timer_runs_or_is_cancelled() {
    let outcomes = explore("cancel against tick", 15, || {
        let clock = Arc::new(Clock::new());
        let timers = [1, 2].map(|at| schedule(&clock, at));
        let ids = timers.each_ref().map(|(id, _)| *id);
        let canceller = thread::spawn({
            let clock = Arc::clone(&clock);
            move || ids.map(|id| clock.cancel(id))
        });
        clock.tick(Duration::from_secs(2));
        let cancelled = canceller.join().unwrap();
        assert_eq!(clock.len(), 0);
        let ran = timers.map(|(_, ran)| ran.load(Ordering::Relaxed));
        assert_eq!(ran, cancelled.map(|cancelled| usize::from(!cancelled)));
        cancelled
    });
    assert_eq!(outcomes, all([[false, false], [false, true], [true, false], [true, true]]));
}

#[test]
fn two_ticks_run_a_timer_once() {
    let outcomes = explore("tick against tick and schedule", 12, || {
        let clock = Arc::new(Clock::new());
        let (_, first) = schedule(&clock, 1);
        let other = thread::spawn({
            let clock = Arc::clone(&clock);
            move || {
                let (_, second) = schedule(&clock, 1);
                clock.tick(Duration::from_secs(1));
                second
            }
        });
        clock.tick(Duration::from_secs(2));
        let early = first.load(Ordering::Relaxed);
        let second = other.join().unwrap();
        assert_eq!((clock.len(), clock.now()), (0, Duration::from_secs(2)));
        assert_eq!((first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)), (1, 1));
        early
    });
    // The other may be at it yet when a tick ends.
    assert_eq!(outcomes, all([0, 1]));
}
