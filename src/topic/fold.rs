//! What becomes of changes that pile up in the mailbox of a socket that does not drain.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::{Change, Trash};
use crate::entry::Entry;
use crate::log::Garbage;
use crate::mailbox::ChangeList;
use crate::segment::{Cursor, Next, Position};
use crate::slab::SocketId;
use crate::sync::Arc;

/// How much may pile up in the mailbox of a socket that does not drain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pile {
    /// Changes, before it is looked into.
    pub(crate) changes: usize,
    /// Unread messages of rooms that were joined and left meanwhile.
    pub(crate) unread: Position,
}

impl Pile {
    /// As much as it takes.
    pub(crate) const ANY: Self =
        Self { changes: usize::MAX, unread: Position { messages: u64::MAX, bytes: u64::MAX } };
}

/// Folds changes that pile up unread, once there are many of them or they hold much unread, and if that
/// helps: memberships that were begun and ended meanwhile go, and everything published so far counts as
/// lost.
///
/// What stays is a change for each room that the socket is in, and two for each that the reader knows of,
/// so the list is bounded by twice those and the limit. It is looked into at the limit and at each
/// multiple of it, and folded if that takes an eighth away.
pub(super) fn fold(
    changes: &mut ChangeList<Change>,
    held: &mut Position,
    pile: &Pile,
    socket: SocketId,
    trash: &mut Trash,
) {
    // Joined and left with nothing in between, in all the namespace: it has never been. But with a past it has.
    if let [before @ .., Change::Joined { since: joined, .. }, Change::Left { since, until, .. }] =
        &changes[..]
    {
        let has_past = matches!(before.last(), Some(Change::Past(_)));
        if since == joined && *until == since + 1 && !has_past {
            changes.pop();
            trash.changes.extend(changes.pop());
            return;
        }
    }
    let (floor, more) = match changes.last() {
        Some(&Change::Joined { since, .. }) => (since, Position::default()),
        Some(&Change::Left { since, until, at }) => (until, unread_at(changes, since, at)),
        // While it is a member, the room holds that anyway, within its limits.
        Some(Change::Past(before)) => (before.at, Position::default()),
        _ => return,
    };
    held.messages += more.messages;
    held.bytes = held.bytes.saturating_add(more.bytes);
    let is_heavy = held.messages > pile.unread.messages || held.bytes > pile.unread.bytes;
    let is_long = changes.len() >= pile.changes && changes.len() % pile.changes == 0;
    if !is_heavy && !is_long {
        return;
    }
    let over = over(changes);
    if !is_heavy && over.len() * 8 < changes.len() {
        return;
    }
    *held = Position::default();
    let (mut lost, mut exact) = (0, true);
    let mut rest = Vec::new();
    for change in changes.drain(..) {
        match change {
            Change::Joined { since, room, cursor, .. } if over.contains_key(&since) => {
                let unread = unread(cursor, over[&since], socket, &mut trash.segments);
                lost += unread.0;
                exact &= unread.1;
                if trash.folded.last().is_none_or(|last| !Arc::ptr_eq(last, &room)) {
                    trash.folded.push(room);
                }
            }
            Change::Left { since, .. } if over.contains_key(&since) => {}
            Change::Past(before) => {
                // Which of these are for it is not looked into.
                lost += unread(before.cursor, before.end, socket, &mut trash.segments).0;
                exact = false;
                trash.folded.push(before.room);
            }
            Change::Folded { lost: before, exact: was_exact, .. } => {
                lost += before;
                exact &= was_exact;
            }
            _ => rest.push(change),
        }
    }
    changes.push(Change::Folded { floor, lost, exact });
    changes.extend(rest);
}

/// How much was taken in by a room between the join named `since`, if it is among the changes, and `at`; with what was
/// asked for of the time before.
fn unread_at(changes: &[Change], since: u64, at: Position) -> Position {
    // But for the fold at their head, changes are in the order of their sequences.
    let folds = usize::from(matches!(changes.first(), Some(Change::Folded { .. })));
    let changes = &changes[folds..];
    let place = changes.partition_point(|change| match change {
        Change::Joined { since: sequence, .. }
        | Change::Left { until: sequence, .. }
        | Change::Cut { at: sequence } => *sequence < since,
        Change::Past(before) => before.at < since,
        Change::Folded { .. } | Change::Closed { .. } => false,
    });
    match changes.get(place) {
        Some(Change::Joined { since: found, at: joined, room, .. }) if *found == since => {
            let before = match place.checked_sub(1).map(|place| &changes[place]) {
                Some(Change::Past(before)) if Arc::ptr_eq(&before.room, room) => before.unread,
                _ => Position::default(),
            };
            Position {
                messages: at.messages - joined.messages + before.messages,
                bytes: at.bytes - joined.bytes + before.bytes,
            }
        }
        _ => Position::default(),
    }
}

/// The memberships that were both begun and ended in these changes, with the message number of their end.
fn over(changes: &[Change]) -> HashMap<u64, u64> {
    let begun = changes.iter().filter_map(|change| match change {
        Change::Joined { since, .. } => Some(*since),
        _ => None,
    });
    let begun: HashSet<u64> = begun.collect();
    let over = changes.iter().filter_map(|change| match change {
        Change::Left { since, at, .. } if begun.contains(since) => Some((*since, at.messages)),
        _ => None,
    });
    over.collect()
}

/// How many messages from `cursor` up to message number `end` are for this socket, as far as that can be
/// told without its memberships, and whether that is exact.
fn unread(mut cursor: Cursor<Entry>, end: u64, socket: SocketId, trash: &mut Garbage<Entry>) -> (u64, bool) {
    let mut count = end - cursor.messages();
    let mut exact = true;
    loop {
        let mut left = end - cursor.messages();
        cursor.walk(u64::MAX - 1, |_, entry| {
            if left > 0 {
                count -= u64::from(entry.excludes(socket));
                exact &= !matches!(entry, Entry::Aimed { audience, .. } if audience.asks_for_rooms());
            }
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if cursor.messages() >= end {
            break;
        }
        let Next::Segment(next) = cursor.segment().next() else {
            exact = false; // the log has let go of the rest
            break;
        };
        trash.push(cursor.enter(next));
    }
    trash.push(cursor.into_segment());
    (count, exact)
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
