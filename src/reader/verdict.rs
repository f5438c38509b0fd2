//! What a message that takes a closer look is to a socket: not for it, not any more, or to be handed out.

use super::memberships::Membership;
use crate::entry::{Audience, Entry};
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::topic::Topic;

/// A pass, as far as it matters for what it hands out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) me: SocketId,
    pub(super) horizon: u64,
    /// Whether what is read was published before the socket joined.
    pub(super) is_past: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Mine,
    NotMine,
    Forgone(Forgone),
}

/// Why a socket does without a message that was for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgone {
    /// It is volatile, and the socket behind.
    Dropped,
    /// Its lifetime is over.
    Expired,
    /// A newer one has taken its place.
    Replaced,
}

/// How many messages a socket has done without.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) dropped: u64,
    pub(super) expired: u64,
    pub(super) replaced: u64,
}

/// What is to be told of what a reader has read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Whether anything is.
    pub(super) is_due: bool,
    counts: Option<Box<Counts>>,
}

impl Notes {
    #[cold]
    pub(super) fn count(&mut self, why: Forgone) {
        self.is_due = true;
        let counts = self.counts.get_or_insert_default();
        match why {
            Forgone::Dropped => counts.dropped += 1,
            Forgone::Expired => counts.expired += 1,
            Forgone::Replaced => counts.replaced += 1,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.as_deref().copied().unwrap_or_default()
    }
}

/// Judges a message that a member of `room` has met, in a pass that has handed out `before` others.
#[inline(always)]
pub(super) fn judge(
    entry: &Entry,
    sequence: u64,
    pass: Pass,
    before: usize,
    room: &Arc<Topic>,
    memberships: &[Membership],
) -> Verdict {
    if !is_mine(entry, sequence, pass, room, memberships) {
        return Verdict::NotMine;
    }
    match entry {
        Entry::Aimed { audience, .. } if audience.terms.is_some() => {
            judge_terms(audience, pass.horizon, before, memberships)
        }
        _ => Verdict::Mine,
    }
}

/// Judges a message that is for the socket.
#[inline(never)]
fn judge_terms(audience: &Audience, horizon: u64, before: usize, memberships: &[Membership]) -> Verdict {
    let Some(terms) = &audience.terms else { return Verdict::Mine };
    if terms.lifetime.as_ref().is_some_and(|lifetime| lifetime.is_over()) {
        return Verdict::Forgone(Forgone::Expired);
    }
    let replaced_at = terms.latest.as_ref().and_then(|latest| latest.replaced_at());
    if replaced_at.is_some_and(|at| at < horizon && reaches(audience, at, memberships)) {
        return Verdict::Forgone(Forgone::Replaced);
    }
    if terms.slack.is_some_and(|slack| before > slack as usize) {
        return Verdict::Forgone(Forgone::Dropped);
    }
    Verdict::Mine
}

/// Whether a message that a member of `room` met is for it, or was kept for it.
#[inline(always)]
pub(super) fn is_mine(
    entry: &Entry,
    sequence: u64,
    pass: Pass,
    room: &Arc<Topic>,
    memberships: &[Membership],
) -> bool {
    if pass.is_past {
        return is_kept_for(entry, sequence, pass.me, room.id(), memberships);
    }
    match entry {
        Entry::Aimed { audience, .. } => is_for(audience, sequence, pass.me, room, memberships),
        // Without a look at the room, which may be far away: whoever emits to rooms that it is in meets all of these.
        short => !short.excludes(pass.me),
    }
}

#[inline(never)]
fn is_for(
    audience: &Audience,
    sequence: u64,
    me: SocketId,
    room: &Arc<Topic>,
    memberships: &[Membership],
) -> bool {
    audience.is_for(me, room.id(), |id| was_member(memberships, id, sequence))
}

/// Whether one of these memberships was in that room at that sequence.
pub(super) fn was_member(memberships: &[Membership], room: u64, sequence: u64) -> bool {
    memberships.iter().any(|membership| {
        membership.room.id() == room && membership.since() <= sequence && sequence < membership.until()
    })
}

/// Whether a message from before it joined is for a socket: one that it is not left out of, does not get as a member of
/// this or another room, and has not got before with another room's past. Of its copies in the pasts that it is about to
/// read it gets the one in the first listed.
fn is_kept_for(entry: &Entry, sequence: u64, me: SocketId, here: u64, memberships: &[Membership]) -> bool {
    let was_member = |room: &u64| was_member(memberships, *room, sequence);
    let Entry::Aimed { audience, .. } = entry else { return !entry.excludes(me) && !was_member(&here) };
    let had = |room: u64, is_read: bool| {
        let mut with_it = memberships
            .iter()
            .filter(|it| it.room.id() == room && it.had_before(sequence, entry.latest().is_some()));
        with_it.clone().next().is_some() && is_read != with_it.any(Membership::is_past)
    };
    entry.is_kept()
        && !audience.excludes(me)
        && !audience.except_rooms.iter().any(|room| *room == here || was_member(room))
        && !audience.rooms.iter().any(|room| was_member(room) || had(*room, true))
        && audience.rooms.iter().find(|room| had(**room, false)) == Some(&here)
}

/// Whether a message to the same audience of that sequence, below the horizon, is for a socket that is not left out
/// by identity.
fn reaches(audience: &Audience, sequence: u64, memberships: &[Membership]) -> bool {
    let was_member = |room: &u64| was_member(memberships, *room, sequence);
    let had =
        |room: &u64| memberships.iter().any(|it| it.room.id() == *room && it.had_before(sequence, true));
    let gets = |room: &u64| was_member(room) || had(room);
    audience.rooms.iter().any(gets) && !audience.except_rooms.iter().any(was_member)
}
