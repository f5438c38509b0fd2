//! Counting what happens. What is frequent is derived from what is there anyway; only what is rare is counted here.
//!
//! # What is derived
//!
//! A log knows how many messages and bytes it has taken in, and how many it holds. So a publish counts nothing more:
//! [`Tally`] adds what a room has to say, under the room's lock. How many deliveries it owed is worked out from that
//! number too, when somebody joins or leaves. The numbers of rooms that are gone stay where the rooms were listed,
//! and are added in the same locked section in which a room goes, so that whoever looks at a list and at what has gone
//! under one hold of its lock counts each once: a sum over all never sinks.
//!
//! # What is counted
//!
//! What is off the hot path, by relaxed additions where it happens. They are `std`'s in every face of `sync`: nothing
//! depends on them, and no model needs to look at them.

use std::ops::{AddAssign, Sub};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::reason::DisconnectReason;
use crate::segment::Position;

/// What a room has done so far, or several. None of it ever sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What was taken in.
    pub(crate) taken: Position,
    /// How many of the messages are counted in another room as well, as they were emitted to several.
    pub(crate) copies: u64,
    /// Each message counted once for each member that there was.
    pub(crate) addressed: u64,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.taken.messages += other.taken.messages;
        self.taken.bytes = self.taken.bytes.saturating_add(other.taken.bytes);
        self.copies += other.copies;
        self.addressed += other.addressed;
        self.joins += other.joins;
        self.leaves += other.leaves;
    }
}

/// What a reader has read and lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readings {
    pub(crate) delivered: u64,
    pub(crate) volatile: u64,
    pub(crate) expired: u64,
    pub(crate) replaced: u64,
    pub(crate) gaps: u64,
    /// Told of in gaps, by their reason.
    pub(crate) backlog: u64,
    pub(crate) memberships: u64,
}

impl Sub for Readings {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            delivered: self.delivered - before.delivered,
            volatile: self.volatile - before.volatile,
            expired: self.expired - before.expired,
            replaced: self.replaced - before.replaced,
            gaps: self.gaps - before.gaps,
            backlog: self.backlog - before.backlog,
            memberships: self.memberships - before.memberships,
        }
    }
}

/// What happens in a namespace now and then.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    wakes: AtomicU64,
    delivered: AtomicU64,
    volatile: AtomicU64,
    expired: AtomicU64,
    replaced: AtomicU64,
    gaps: AtomicU64,
    backlog: AtomicU64,
    memberships: AtomicU64,
    /// By [`reason_number`].
    closed: [AtomicU64; REASONS.len()],
}

/// The reasons for a disconnect, in their order, in a word each.
pub(crate) const REASONS: [&str; 12] = [
    "client",
    "server",
    "transport",
    "backlog",
    "timeout",
    "protocol",
    "rejected",
    "inbox_dropped",
    "namespace_full",
    "namespace_removed",
    "shutdown",
    "other",
];

impl Counters {
    /// Sleeping readers were woken.
    pub(crate) fn count_wakes(&self, woken: u64) {
        self.wakes.fetch_add(woken, Relaxed);
    }

    /// A socket was closed.
    pub(crate) fn count_closed(&self, reason: &DisconnectReason) {
        self.closed[reason_number(reason)].fetch_add(1, Relaxed);
    }

    /// A reader has gone on so far.
    pub(crate) fn count_readings(&self, more: Readings) {
        let Readings { delivered, volatile, expired, replaced, gaps, backlog, memberships } = more;
        let each = [
            (&self.delivered, delivered),
            (&self.volatile, volatile),
            (&self.expired, expired),
            (&self.replaced, replaced),
            (&self.gaps, gaps),
            (&self.backlog, backlog),
            (&self.memberships, memberships),
        ];
        for (counter, more) in each.into_iter().filter(|(_, more)| *more > 0) {
            counter.fetch_add(more, Relaxed);
        }
    }

    pub(crate) fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
    }

    pub(crate) fn readings(&self) -> Readings {
        Readings {
            delivered: self.delivered.load(Relaxed),
            volatile: self.volatile.load(Relaxed),
            expired: self.expired.load(Relaxed),
            replaced: self.replaced.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            backlog: self.backlog.load(Relaxed),
            memberships: self.memberships.load(Relaxed),
        }
    }

    pub(crate) fn closed(&self) -> [u64; REASONS.len()] {
        std::array::from_fn(|number| self.closed[number].load(Relaxed))
    }
}

/// The place of a reason in [`REASONS`].
pub(crate) fn reason_number(reason: &DisconnectReason) -> usize {
    match reason {
        DisconnectReason::Client => 0,
        DisconnectReason::Server => 1,
        DisconnectReason::Transport => 2,
        DisconnectReason::Backlog => 3,
        DisconnectReason::Timeout => 4,
        DisconnectReason::Protocol => 5,
        DisconnectReason::Rejected => 6,
        DisconnectReason::InboxDropped => 7,
        DisconnectReason::NamespaceFull => 8,
        DisconnectReason::NamespaceRemoved => 9,
        DisconnectReason::Shutdown => 10,
        DisconnectReason::Other(_) => 11,
    }
}

/// What clients sent that was refused, in an engine.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    busy: AtomicU64,
    protocol: AtomicU64,
}

impl Refused {
    /// An event was refused, as too many wait.
    pub(crate) fn count_busy(&self) {
        self.busy.fetch_add(1, Relaxed);
    }

    /// A connection was closed for what its client sent.
    pub(crate) fn count_protocol(&self) {
        self.protocol.fetch_add(1, Relaxed);
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy.load(Relaxed)
    }

    pub(crate) fn protocol(&self) -> u64 {
        self.protocol.load(Relaxed)
    }
}
