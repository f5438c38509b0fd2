//! One room of a socket as its reader sees it, and which of the room's messages are for the socket.

use std::ops::ControlFlow;

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

/// What a reader has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) handed: usize,
    /// Volatile messages that were for the socket.
    pub(super) dropped: u64,
}

impl Membership {
    /// Lets go of it, and of what the room has kept for it alone.
    pub(super) fn release(self) {
        let Self { room, cursor, .. } = self;
        drop(cursor);
        room.trim();
    }

    /// Hands each message of this segment that is below `bound` and for the socket to `f`, until that breaks.
    /// Drops a volatile one that it meets behind more than `slack` others.
    ///
    /// The loop has no call in it but that of `f`: with one, the optimiser keeps whatever `f` adds up in
    /// memory, and that doubles the time per delivery. So it stops at what needs a closer look.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        bound: u64,
        me: SocketId,
        others: &Others<'_, Self>,
        slack: i64,
        mut f: impl FnMut(u64, &Entry, &Topic) -> ControlFlow<()>,
    ) -> Passed {
        let Self { room, cursor, .. } = self;
        let (room, from) = (&**room, cursor.index());
        let (mut skipped, mut dropped) = (0, 0);
        loop {
            let mut is_special = false;
            cursor.walk(bound, |sequence, entry| match entry {
                Entry::All { .. } => f(sequence, entry, room),
                Entry::NotSender { sender, .. } if *sender != me => f(sequence, entry, room),
                _ => {
                    is_special = true;
                    ControlFlow::Break(())
                }
            });
            let special = cursor.last().filter(|_| is_special);
            let Some((sequence, entry)) = special else { break };
            if !is_for(entry, sequence, me, room, others) {
                skipped += 1;
            } else if entry.is_volatile() && i64::from(cursor.index() - from - skipped) > slack + 1 {
                skipped += 1;
                dropped += 1;
            } else if f(sequence, entry, room).is_break() {
                break;
            }
        }
        Passed { handed: (cursor.index() - from - skipped) as usize, dropped }
    }

    /// The sequence below which it has read everything, as far as this segment tells.
    pub(super) fn read_below(&self) -> u64 {
        self.cursor.last().map_or(0, |(sequence, _)| sequence + 1)
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
pub(super) fn is_for(
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
