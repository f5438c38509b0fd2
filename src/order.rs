//! The one order that everything in a namespace has: a counter, and a journal for those who want to know.

use crossbeam_utils::CachePadded;

use crate::counters::Counters;
use crate::journal::Journal;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Hands out sequences, from 1 up. Messages, joins and leaves each take one, under their room's lock.
#[derive(Debug)]
pub(crate) struct Order {
    next: CachePadded<AtomicU64>,
    rare: CachePadded<Rare>,
    /// What becomes of the rooms, in that order.
    journal: Journal,
    counters: Counters,
}

/// What every drain looks at, and little else changes.
#[derive(Debug)]
struct Rare {
    letters: AtomicU64,
    is_strict: AtomicBool,
    /// From which sequence on anybody can ask how far readers are, 0 if nobody can.
    tracked_from: AtomicU64,
}

impl Order {
    pub(crate) fn new() -> Self {
        let rare = Rare {
            letters: AtomicU64::new(0),
            is_strict: AtomicBool::new(false),
            tracked_from: AtomicU64::new(0),
        };
        Self {
            next: CachePadded::new(AtomicU64::new(1)),
            rare: CachePadded::new(rare),
            journal: Journal::new(),
            counters: Counters::default(),
        }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
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

    /// Counts that something was left in a mailbox: after it was left, and before anything is published that
    /// depends on it.
    pub(crate) fn count_letter(&self) {
        self.rare.letters.fetch_add(1, Ordering::Release);
    }

    /// How many letters there were. Loaded after a horizon, it counts all that a message below that horizon
    /// depends on; so where the number is that of an earlier look at a mailbox, nothing is in there that matters
    /// now, and the mailbox need not be touched.
    #[inline]
    pub(crate) fn letters(&self) -> u64 {
        self.rare.letters.load(Ordering::Acquire)
    }

    /// From now on, readers keep account of how far they have read: a room disconnects who falls behind.
    pub(crate) fn be_strict(&self) {
        self.rare.is_strict.store(true, Ordering::Release);
    }

    /// From now on, readers keep account so that others can ask how far they are.
    pub(crate) fn track(&self) {
        let from = self.horizon();
        let _ = self.rare.tracked_from.compare_exchange(0, from, Ordering::AcqRel, Ordering::Acquire);
        self.be_strict();
    }

    /// From which sequence on readers keep account for others, if they do.
    pub(crate) fn tracked_from(&self) -> Option<u64> {
        Some(self.rare.tracked_from.load(Ordering::Acquire)).filter(|from| *from > 0)
    }

    /// Whether readers keep account. One that has met a message of a strict room knows.
    #[inline]
    pub(crate) fn is_strict(&self) -> bool {
        self.rare.is_strict.load(Ordering::Acquire)
    }
}
