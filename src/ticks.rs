//! Where ticks lie in a namespace's order: what was emitted before which, and in which tick something was.

use std::collections::VecDeque;
use std::time::Duration;

use crate::defect::{self, Defect};
use crate::order::Order;
use crate::sync::Mutex;

/// The latest ticks of a namespace, oldest first.
#[derive(Debug)]
pub(crate) struct Ticks(Mutex<State>);

#[derive(Debug)]
struct State {
    marks: VecDeque<Mark>,
    /// How many are remembered.
    limit: usize,
    /// The time before the first one that is remembered, as far as that is known.
    before: Option<Duration>,
}

/// A tick, and the sequence from which on all was emitted after it began.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Duration,
    sequence: u64,
}

impl Ticks {
    /// Those of a namespace that is made at this time.
    pub(crate) fn new(limit: usize, now: Duration) -> Self {
        Self(Mutex::new(State { marks: VecDeque::new(), limit, before: Some(now) }))
    }

    /// A tick begins, unless it is the one that goes on.
    pub(crate) fn begin(&self, at: Duration, order: &Order) {
        let mut state = self.0.lock();
        let last = state.marks.back().map(|mark| mark.at).or(state.before);
        if last.is_some_and(|last| at <= last) {
            return;
        }
        // Under the lock, so that the sequences of later ticks are no lower.
        let sequence = order.horizon() + u64::from(defect::is(Defect::TickEdge));
        state.marks.push_back(Mark { at, sequence });
        if state.marks.len() > state.limit {
            state.marks.pop_front();
            state.before = None;
        }
    }

    /// The sequence from which on all was emitted in this tick or after it: `None` for one that is not remembered,
    /// and the highest there is for one that has yet to begin.
    pub(crate) fn sequence_at(&self, at: Duration) -> Option<u64> {
        let state = self.0.lock();
        let place = state.marks.partition_point(|mark| mark.at < at);
        let is_exact = |mark: &Mark| place > 0 || mark.at == at;
        match (state.marks.get(place), state.before) {
            (_, Some(before)) if at <= before => Some(0),
            (Some(mark), before) => (before.is_some() || is_exact(mark)).then_some(mark.sequence),
            (None, before) => (before.is_some() || place > 0).then_some(u64::MAX),
        }
    }

    /// The tick in which this sequence was taken, if it is remembered.
    pub(crate) fn time_of(&self, sequence: u64, order: &Order) -> Option<Duration> {
        let state = self.0.lock();
        if sequence == 0 || sequence >= order.horizon() {
            return None;
        }
        let place = state.marks.partition_point(|mark| mark.sequence <= sequence);
        place.checked_sub(1).map_or(state.before, |place| Some(state.marks[place].at))
    }
}
