//! What is remembered of messages that a log let go of while somebody had yet to read them, so that a
//! gap counts exactly those that were addressed to the socket that lost them.
//!
//! How many messages lie between two places of a log is known without a ledger. What is not is which
//! of them were not for the socket that asks. Two kinds:
//!
//! * *Excluded by identity*, such as a sender's own broadcasts. Counted per socket, in rows: a row begins
//!   where cursors were parked, and those parked there lose all that is in it and in the rows after it.
//!   A row that nobody is parked at any more is added to the one before, so there are at most as many as
//!   there are segments with stalled cursors in them.
//! * *Depending on memberships*: sent to several rooms, or with rooms left out. Kept one by one.
//!
//! Both have a limit. A gap that would have to count what is beyond says that it is an upper bound.

use std::collections::VecDeque;
use std::collections::hash_map::{HashMap, RandomState};

use crate::entry::{Audience, Entry};
use crate::segment::SegmentRef;
use crate::slab::SocketId;
use crate::sync::Arc;

/// How many messages that depend on memberships are remembered per room: each 24 bytes and its audience,
/// which all copies, and all messages to one kept target, share.
const MAX_AIMED: usize = 4096;
/// How many counts of sockets are kept per room, about 20 bytes each.
const MAX_EXCLUDED: usize = 1 << 16;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By `from`, rising.
    rows: Vec<Row>,
    /// How many counts there are in all rows.
    counts: usize,
    aimed: VecDeque<Aimed>,
    /// Message number from which on `aimed` is complete.
    complete_from: u64,
}

#[derive(Debug)]
struct Row {
    /// The message number at which it begins.
    from: u64,
    /// How many messages exclude a socket.
    excluded: HashMap<SocketId, u64, RandomState>,
    is_complete: bool,
}

/// A message that is gone, and that was not for everyone.
#[derive(Clone, Debug)]
pub(crate) struct Aimed {
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) audience: Arc<Audience>,
}

/// What the ledger knows of the messages that one socket lost.
#[derive(Debug)]
pub(crate) struct Account {
    /// How many excluded it by identity.
    pub(crate) excluded: u64,
    /// Those that depend on memberships.
    pub(crate) aimed: Vec<Aimed>,
    /// Whether that is all of them.
    pub(crate) complete: bool,
}

impl Account {
    /// There is no ledger, as nothing was lost.
    pub(crate) fn of_nothing() -> Self {
        Self { excluded: 0, aimed: Vec::new(), complete: true }
    }
}

impl Ledger {
    /// Takes down what is special in a segment that is let go of, and lost to all that are parked: the
    /// last of them at message number `parked`.
    pub(crate) fn record(&mut self, segment: &SegmentRef<Entry>, parked: u64) {
        if self.rows.last().is_none_or(|row| row.from != parked) {
            self.rows.push(Row { from: parked, excluded: HashMap::default(), is_complete: true });
        }
        for (number, (sequence, entry)) in (segment.start().messages..).zip(segment.iter()) {
            match entry {
                Entry::All { .. } => {}
                Entry::NotSender { sender: socket, .. } | Entry::NotSocket { excluded: socket, .. } => {
                    self.exclude(*socket);
                }
                Entry::Aimed { audience, .. } if audience.asks_for_rooms() => {
                    self.aimed.push_back(Aimed { number, sequence, audience: Arc::clone(audience) });
                    if self.aimed.len() > MAX_AIMED {
                        self.complete_from = self.aimed.pop_front().map_or(0, |gone| gone.number + 1);
                    }
                }
                Entry::Aimed { audience, .. } => {
                    let sender = audience.sender.filter(|_| audience.except_sender);
                    for &socket in audience.except_sockets.iter().chain(&sender) {
                        self.exclude(socket);
                    }
                }
            }
        }
    }

    /// Adds rows that nobody is parked at to those before them. Cheap while there are few.
    pub(crate) fn sweep(&mut self, is_parked: impl Fn(u64) -> bool) {
        if self.rows.len() < self.rows.capacity() {
            return;
        }
        let mut rows: Vec<Row> = Vec::with_capacity(self.rows.len());
        for row in self.rows.drain(..) {
            match rows.last_mut() {
                _ if is_parked(row.from) => rows.push(row),
                // Nobody is parked before it either.
                None => {}
                Some(before) => {
                    before.is_complete &= row.is_complete;
                    for (socket, count) in row.excluded {
                        *before.excluded.entry(socket).or_default() += count;
                    }
                }
            }
        }
        self.counts = rows.iter().map(|row| row.excluded.len()).sum();
        rows.reserve(self.rows.len() + 4);
        self.rows = rows;
    }

    /// What is known of messages number `from` up to `to`, for a socket that lost them.
    pub(crate) fn account(&self, socket: SocketId, from: u64, to: u64) -> Account {
        let rows = || self.rows.iter().filter(|row| row.from >= from);
        let start = self.aimed.partition_point(|aimed| aimed.number < from);
        let aimed = self.aimed.range(start..).take_while(|aimed| aimed.number < to);
        Account {
            excluded: rows().filter_map(|row| row.excluded.get(&socket)).sum(),
            aimed: aimed.cloned().collect(),
            complete: from >= self.complete_from && rows().all(|row| row.is_complete),
        }
    }

    fn exclude(&mut self, socket: SocketId) {
        let Some(row) = self.rows.last_mut() else { return };
        if let Some(count) = row.excluded.get_mut(&socket) {
            *count += 1;
        } else if self.counts < MAX_EXCLUDED {
            self.counts += 1;
            row.excluded.insert(socket, 1);
        } else {
            row.is_complete = false;
        }
    }
}
