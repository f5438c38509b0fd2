//! What is remembered of messages that a log let go of while somebody had yet to read them, so that a
//! gap counts exactly those that were addressed to the socket that lost them.
//!
//! How many messages lie between two places of a log is known without a ledger. What is not is which
//! of them were not for the socket that asks. Two kinds:
//!
//! * *Excluded by identity*, such as a sender's own broadcasts. Counted per socket, and only for
//!   sockets that are behind: whoever reads on has passed its own messages before they are let go of.
//!   A count belongs to a segment, as only those of segments after the socket's own are lost to it.
//!   Which of the first few that is, the socket's progress cannot tell for sure (it is read while the
//!   socket may be moving), so these stay apart and the rest are added up.
//! * *Depending on memberships*: sent to several rooms, or with rooms left out. Kept one by one, up to a
//!   limit; beyond it, gaps that reach back further say that they are upper bounds.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::entry::{Audience, Entry};
use crate::segment::SegmentRef;
use crate::slab::SocketId;
use crate::sync::Arc;

/// How many messages that depend on memberships are remembered per room, 24 bytes each.
const MAX_AIMED: usize = 4096;
/// How many segments of one socket are kept apart.
const APART: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By socket: message number at which a segment starts, and how many in it exclude the socket.
    excluded: HashMap<SocketId, SmallVec<[(u64, u64); APART]>, RandomState>,
    aimed: VecDeque<Aimed>,
    /// Message number from which on `aimed` is complete.
    complete_from: u64,
}

/// A message that is gone, and that was not for everyone.
#[derive(Clone, Debug)]
pub(crate) struct Aimed {
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) audience: Arc<Audience>,
}

/// What the ledger knows of the messages that one socket lost.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// How many excluded it by identity.
    pub(crate) excluded: u64,
    /// Those that depend on memberships.
    pub(crate) aimed: Vec<Aimed>,
    /// Whether that is all of them.
    pub(crate) complete: bool,
}

impl Ledger {
    /// Takes down what is special in a segment that is let go of. `is_behind` tells whether a socket
    /// may not have read a sequence yet; a wrong yes costs memory only.
    pub(crate) fn record(&mut self, segment: &SegmentRef<Entry>, is_behind: &dyn Fn(SocketId, u64) -> bool) {
        let start = segment.start().messages;
        for (number, (sequence, entry)) in (start..).zip(segment.iter()) {
            match entry {
                Entry::All { .. } => {}
                Entry::NotSender { sender: socket, .. } | Entry::NotSocket { excluded: socket, .. } => {
                    if is_behind(*socket, sequence) {
                        self.exclude(*socket, start);
                    }
                }
                Entry::Aimed { audience, .. } => {
                    for &socket in audience.except_sockets.iter().chain(&audience.sender) {
                        if !audience.asks_for_rooms()
                            && audience.excludes(socket)
                            && is_behind(socket, sequence)
                        {
                            self.exclude(socket, start);
                        }
                    }
                    if audience.asks_for_rooms() {
                        self.aimed.push_back(Aimed { number, sequence, audience: Arc::clone(audience) });
                        if self.aimed.len() > MAX_AIMED {
                            self.complete_from = self.aimed.pop_front().map_or(0, |gone| gone.number + 1);
                        }
                    }
                }
            }
        }
    }

    /// Closes the account of a socket that lost messages number `from` up to `to`.
    pub(crate) fn settle(&mut self, socket: SocketId, from: u64, to: u64) -> Account {
        let segments = self.excluded.remove(&socket).unwrap_or_default();
        let lost = segments.iter().filter(|(start, _)| (from..to).contains(start));
        let start = self.aimed.partition_point(|aimed| aimed.number < from);
        let aimed = self.aimed.range(start..).take_while(|aimed| aimed.number < to);
        Account {
            excluded: lost.map(|(_, count)| count).sum(),
            aimed: aimed.cloned().collect(),
            complete: from >= self.complete_from,
        }
    }

    fn exclude(&mut self, socket: SocketId, start: u64) {
        let segments = self.excluded.entry(socket).or_default();
        let is_full = segments.len() == APART;
        match segments.last_mut() {
            Some(last) if last.0 == start || is_full => last.1 += 1,
            _ => segments.push((start, 1)),
        }
    }
}
