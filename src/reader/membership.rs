//! One room of a socket as its reader sees it, and which of the room's messages are for the socket.

use crate::delivery::Gap;
use crate::entry::Entry;
use crate::roll::Others;
use crate::segment::Cursor;
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::topic::Topic;

#[derive(Debug)]
pub(super) struct Membership {
    pub(super) room: Arc<Topic>,
    pub(super) cursor: Cursor<Entry>,
    pub(super) is_armed: bool,
    /// What few memberships have.
    pub(super) rare: Option<Box<Rare>>,
}

#[derive(Debug)]
pub(super) struct Rare {
    /// It is over: what is at or above this sequence is not for the socket, and nor is what is at or
    /// above this message number of the log.
    pub(super) until: u64,
    pub(super) messages: u64,
    /// Lost before the message that the cursor is at.
    pub(super) gap: Option<Gap>,
}

impl Membership {
    /// Lets go of it, and of what the room has kept for it alone.
    pub(super) fn release(self) {
        let Self { room, cursor, .. } = self;
        drop(cursor);
        room.trim();
    }

    /// The sequence from which on nothing is for the socket.
    #[inline]
    pub(super) fn until(&self) -> u64 {
        self.rare.as_ref().map_or(FOREVER, |rare| rare.until)
    }

    pub(super) fn gap(&self) -> Option<Gap> {
        self.rare.as_ref()?.gap
    }

    pub(super) fn take_gap(&mut self) -> Option<Gap> {
        self.rare.as_mut()?.gap.take()
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare { until: FOREVER, messages: FOREVER, gap: None }))
    }
}

/// Above all sequences and message numbers.
pub(super) const FOREVER: u64 = u64::MAX - 1;

/// Whether a message that a member of `room` met is for it.
#[inline(always)]
pub(super) fn is_for(
    entry: &Entry,
    sequence: u64,
    me: SocketId,
    room: &Topic,
    others: &Others<'_, Membership>,
) -> bool {
    match entry {
        Entry::All { .. } => true,
        Entry::NotSender { sender, .. } => *sender != me,
        // Apart, so that the two forms of every day are two comparisons and not a jump table.
        other => is_for_some(other, sequence, me, room, others),
    }
}

#[inline(never)]
fn is_for_some(
    entry: &Entry,
    sequence: u64,
    me: SocketId,
    room: &Topic,
    others: &Others<'_, Membership>,
) -> bool {
    match entry {
        Entry::Aimed { audience, .. } => {
            audience.is_for(me, room.id(), |id| was_member(others, id, sequence))
        }
        short => !short.excludes(me),
    }
}

/// Whether one of these memberships was in that room at that sequence.
pub(super) fn was_member(memberships: &Others<'_, Membership>, room: u64, sequence: u64) -> bool {
    memberships.iter().any(|(since, membership)| {
        membership.room.id() == room && (since..membership.until()).contains(&sequence)
    })
}
