//! The engine's time, which only comes in from the caller, and what is to happen at a time.
//!
//! # Invariant
//!
//! A timer is in the table until it is taken out, under the lock, by the one who runs it or the one who
//! cancels it: it runs or is cancelled, never both and never twice. Timers run and are dropped under no
//! lock. Time never goes back.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::foreign::contain;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// What time it is, and what is due when. Starts at 0, which is whenever the caller says.
pub(crate) struct Clock {
    state: Mutex<State>,
    now: Now,
}

/// The time of a clock, to be looked at without its lock: to the nanosecond, for 584 years.
#[derive(Clone, Debug)]
pub(crate) struct Now(Arc<AtomicU64>);

/// Names a timer for as long as it waits. No two timers of a clock ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId {
    /// First, so that timers are in the order of their deadlines.
    at: Duration,
    number: u64,
}

type Timer = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    now: Duration,
    /// The number of the next timer.
    next: u64,
    timers: BTreeMap<TimerId, Timer>,
}

impl Clock {
    /// Creates a clock at 0, with nothing scheduled.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), now: Now(Arc::new(AtomicU64::new(0))) }
    }

    /// Returns the time of the latest tick.
    pub(crate) fn now(&self) -> Duration {
        self.state.lock().now
    }

    /// The time, for those who keep it at hand.
    pub(crate) fn shared_now(&self) -> &Now {
        &self.now
    }

    /// Returns the time that is `timeout` from now, or the latest there is.
    pub(crate) fn deadline(&self, timeout: Duration) -> Duration {
        self.now().saturating_add(timeout)
    }

    /// Sets the time to `now`, unless it is later already, and runs what is due by then: by deadline, and
    /// at the same deadline as scheduled, under no lock. A panic in one of them ends there.
    ///
    /// Runs what was scheduled before the tick began, and nothing else: what a timer schedules waits for
    /// the next tick, even if its time has come, so a tick always ends. A tick from inside a timer runs
    /// what is left; so does one on another thread, which shares the timers with this one.
    pub(crate) fn tick(&self, now: Duration) {
        self.set(now);
        let mut state = self.state.lock();
        let (now, begun) = (state.now, state.next);
        let mut due = state.take_due(None, now, begun);
        drop(state);
        while let Some((id, timer)) = due {
            contain(timer);
            due = self.state.lock().take_due(Some(id), now, begun);
        }
    }

    /// Sets the time to `now`, unless it is later already. A [tick](Self::tick) is to follow.
    pub(crate) fn set(&self, now: Duration) {
        let mut state = self.state.lock();
        state.now = state.now.max(now);
        self.now.set(state.now);
    }

    /// Has `timer` run by the first tick that begins after this call and at or after `at`, be that past.
    pub(crate) fn schedule(&self, at: Duration, timer: impl FnOnce() + Send + 'static) -> TimerId {
        let timer: Timer = Box::new(timer);
        let mut state = self.state.lock();
        let id = TimerId { at, number: state.next };
        state.next += 1;
        state.timers.insert(id, timer);
        id
    }

    /// Drops a timer. Returns false if it runs, has run or is cancelled.
    pub(crate) fn cancel(&self, id: TimerId) -> bool {
        // Dropped below, under no lock: what it owns is not ours.
        let timer = self.state.lock().timers.remove(&id);
        let Some(timer) = timer else { return false };
        contain(|| drop(timer));
        true
    }

    /// Returns how many timers wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.state.lock().timers.len()
    }
}

impl Now {
    pub(crate) fn get(&self) -> Duration {
        // Relaxed: a time says nothing of anything else.
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, now: Duration) {
        self.0.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl State {
    /// Takes the first timer behind `after` that is due at `now` and was scheduled before number `begun`.
    ///
    /// Those that are passed over are behind it no more, so a tick looks at each at most once.
    fn take_due(&mut self, after: Option<TimerId>, now: Duration, begun: u64) -> Option<(TimerId, Timer)> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let until = Bound::Included(TimerId { at: now, number: u64::MAX });
        let (&id, _) = self.timers.range((after, until)).find(|(id, _)| id.number < begun)?;
        self.timers.remove_entry(&id)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use std::sync::{Arc, Mutex as StdMutex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock whose timers write down that they ran.
    #[derive(Clone, Default)]
    struct Rig {
        clock: Arc<Clock>,
        ran: Arc<StdMutex<Vec<u32>>>,
    }

    impl Rig {
        fn schedule(&self, seconds: u32, name: u32) -> TimerId {
            self.schedule_and(seconds, name, |_| {})
        }

        fn schedule_and(
            &self,
            seconds: u32,
            name: u32,
            then: impl FnOnce(&Self) + Send + 'static,
        ) -> TimerId {
            let rig = self.clone();
            self.clock.schedule(SECOND * seconds, move || {
                rig.ran.lock().unwrap().push(name);
                then(&rig);
            })
        }

        fn tick(&self, seconds: u32) -> Vec<u32> {
            self.clock.tick(SECOND * seconds);
            std::mem::take(&mut *self.ran.lock().unwrap())
        }
    }

    #[test]
    fn timers_run_by_deadline_and_then_as_scheduled() {
        let rig = Rig::default();
        for (seconds, name) in [(3, 1), (1, 2), (2, 3), (1, 4), (9, 5), (0, 6)] {
            rig.schedule(seconds, name);
        }
        assert_eq!(rig.tick(0), [6]);
        assert_eq!(rig.tick(3), [2, 4, 3, 1]);
        assert_eq!((rig.tick(8), rig.clock.len()), (vec![], 1));
        assert_eq!((rig.tick(9), rig.clock.len()), (vec![5], 0));
    }

    #[test]
    fn time_never_goes_back_but_what_is_due_runs() {
        let rig = Rig::default();
        rig.tick(5);
        rig.schedule(4, 1);
        rig.schedule(6, 2);
        assert_eq!(rig.tick(3), [1]);
        assert_eq!(rig.clock.now(), SECOND * 5);
        assert_eq!(rig.clock.deadline(SECOND), SECOND * 6);
        assert_eq!(rig.clock.deadline(Duration::MAX), Duration::MAX);
        rig.clock.schedule(Duration::MAX, || {});
        rig.clock.tick(Duration::MAX);
        assert_eq!(rig.clock.len(), 0);
    }

    #[test]
    fn what_a_timer_schedules_waits_for_the_next_tick() {
        fn again(rig: &Rig) {
            rig.schedule_and(1, 7, again);
        }
        let rig = Rig::default();
        rig.schedule_and(2, 1, again);
        rig.schedule(3, 2);
        assert_eq!(rig.tick(3), [1, 2]);
        assert_eq!(rig.tick(3), [7]);
        assert_eq!(rig.tick(3), [7]);
        assert_eq!(rig.clock.len(), 1);
        rig.ran.lock().unwrap().clear();
        let (_, timer) = rig.clock.state.lock().timers.pop_first().unwrap();
        drop(timer); // it holds the rig
    }

    #[test]
    fn a_tick_from_inside_a_timer_runs_what_is_left() {
        let rig = Rig::default();
        rig.schedule_and(1, 1, |rig| rig.clock.tick(SECOND * 5));
        rig.schedule(2, 2);
        rig.schedule(5, 3);
        assert_eq!(rig.tick(2), [1, 2, 3]);
        assert_eq!(rig.clock.now(), SECOND * 5);
    }

    #[test]
    #[cfg(panic = "unwind")]
    fn a_timer_that_panics_keeps_none_from_running() {
        let rig = Rig::default();
        rig.schedule_and(1, 1, |_| panic!("as it should"));
        rig.schedule(1, 2);
        assert_eq!(rig.tick(1), [1, 2]);
    }

    #[test]
    fn a_cancelled_timer_does_not_run_and_is_dropped_under_no_lock() {
        struct Cancels(Arc<Clock>, TimerId);
        impl Drop for Cancels {
            fn drop(&mut self) {
                assert!(self.0.cancel(self.1));
            }
        }
        let rig = Rig::default();
        let inner = rig.schedule(1, 1);
        let cancels = Cancels(Arc::clone(&rig.clock), inner);
        let outer = rig.clock.schedule(SECOND, move || _ = &cancels);
        assert!(rig.clock.cancel(outer));
        assert_eq!((rig.clock.cancel(outer), rig.clock.cancel(inner), rig.clock.len()), (false, false, 0));
        assert!(rig.tick(1).is_empty());
        let ran = rig.schedule(1, 2);
        assert_eq!(rig.tick(1), [2]);
        assert!(!rig.clock.cancel(ran));
    }

    #[test]
    fn a_timer_cancels_one_that_is_due_too_but_not_itself() {
        let rig = Rig::default();
        let later = rig.schedule(2, 2);
        rig.schedule_and(1, 1, move |rig| assert!(rig.clock.cancel(later)));
        let own = Arc::new(StdMutex::new(None));
        let id = rig.schedule_and(3, 3, {
            let own = Arc::clone(&own);
            move |rig| own.lock().unwrap().take().into_iter().for_each(|id| assert!(!rig.clock.cancel(id)))
        });
        *own.lock().unwrap() = Some(id);
        assert_eq!(rig.tick(3), [1, 3]);
        assert!(own.lock().unwrap().is_none());
    }
}
