//! The one order that everything in a namespace has: a counter, and a journal for those who want to know.

use crossbeam_utils::CachePadded;

use crate::journal::Journal;
use crate::sync::{AtomicU64, Ordering};

/// Hands out sequences, from 1 up. Messages, joins and leaves each take one, under their room's lock.
#[derive(Debug)]
pub(crate) struct Order {
    next: CachePadded<AtomicU64>,
    /// What becomes of the rooms, in that order.
    journal: Journal,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self { next: CachePadded::new(AtomicU64::new(1)), journal: Journal::new() }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Takes the next sequence.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // Release: what happened before is visible below a horizon that includes this sequence (the
        // proof is in `topic.rs`). Acquire: what this sequence comes after is visible here.
        self.next.fetch_add(1, Ordering::AcqRel)
    }

    /// A sequence that is above all that were taken: what a drain may deliver is below.
    #[inline]
    pub(crate) fn horizon(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }
}
