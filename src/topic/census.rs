//! What a room has done and holds: worked out on demand, so that a publish counts nothing.

use super::{Inner, Topic};
use crate::counters::Tally;
use crate::segment::Position;
use crate::sync::Ordering;

/// What a room has done, and what it holds at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    pub(crate) tally: Tally,
    pub(crate) members: usize,
    /// How many memberships are armed, at most: some may have ended.
    pub(crate) armed: usize,
    pub(crate) retained: Position,
}

impl Topic {
    /// What it has done so far, if it has neither members nor handles: then that is all.
    pub(crate) fn idle_tally(&self) -> Option<Tally> {
        if self.handles.load(Ordering::Acquire) > 0 {
            return None;
        }
        let inner = self.inner.lock();
        inner.members.is_empty().then(|| inner.tally())
    }

    pub(crate) fn census(&self) -> Census {
        let inner = self.inner.lock();
        Census {
            tally: inner.tally(),
            members: inner.members.len(),
            armed: inner.armed.len().min(inner.members.len()),
            retained: Position { messages: inner.log.retained(), bytes: inner.log.retained_bytes() },
        }
    }

    /// How many of the messages that it holds have this sequence or a later one.
    pub(crate) fn unread(&self, since: u64) -> u64 {
        self.inner.lock().log.since(since)
    }
}

impl Inner {
    fn tally(&self) -> Tally {
        let taken = self.log.taken();
        let members = self.members.len() as u64;
        Tally {
            taken,
            copies: self.copies,
            addressed: self.due.wrapping_add(members.wrapping_mul(taken.messages)),
            joins: self.joins,
            leaves: self.joins - members,
        }
    }
}
