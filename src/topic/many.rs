//! Several rooms at one point in the order: publishing one message to all of them, and listing whom exactly a
//! target is.
//!
//! All rooms that decide are locked, those that are left out too when a list is made, in the order of their
//! ids. So a list is of one moment, and a message that is published under the same hold of the locks goes to
//! those who are on it and to nobody else: whoever joins or leaves any of these rooms does it before or after.

use std::collections::HashSet;
use std::sync::Arc as Shared;

use smallvec::SmallVec;

use super::{Inner, MANY, Published, Topic, Victims};
use crate::defect::{self, Defect};
use crate::entry::Entry;
use crate::log::Garbage;
use crate::members::Members;
use crate::order::Order;
use crate::slab::SocketId;
use crate::sync::MutexGuard;
use crate::tape::Hold;

/// What a room is to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Addressed,
    LeftOut,
}

/// A room of a target.
pub(crate) type Listed<'a> = (&'a Topic, Role);

type LockedRoom<'a> = (&'a Topic, Role, MutexGuard<'a, Inner>);
type Locked<'a> = SmallVec<[LockedRoom<'a>; MANY]>;

impl Topic {
    /// Publishes one message to the members of several rooms, which are sorted by id, each once.
    #[inline]
    pub(crate) fn publish_all<'a>(
        rooms: impl Iterator<Item = &'a Self>,
        entry: Entry,
        order: &Order,
        victims: &mut Victims,
        hold: Hold<'_>,
    ) -> Option<Published> {
        let mut trash = Garbage::new();
        let mut locked = Locked::new();
        lock(&mut locked, rooms.map(|room| (room, Role::Addressed)));
        publish(&mut locked, entry, order, (victims, &mut trash), hold)
    }

    /// The members of addressed rooms that are not members of one that is left out, each once: room by room,
    /// in joining order. The rooms are sorted by id, each once. O(members).
    pub(crate) fn list(rooms: &[Listed<'_>]) -> Vec<SocketId> {
        let mut locked = Locked::new();
        lock(&mut locked, rooms.iter().copied());
        list(&locked)
    }

    /// Publishes one message to the members of the addressed rooms, and returns whom it is for as
    /// [`list`](Self::list) does, those too whom the entry leaves out by identity. O(1) for one room, as long as it has the
    /// same members; O(members) else.
    #[inline(never)]
    pub(crate) fn publish_listed(
        rooms: &[Listed<'_>],
        entry: Entry,
        order: &Order,
        victims: &mut Victims,
        hold: Hold<'_>,
    ) -> (Option<Published>, Shared<Members>) {
        let mut trash = Garbage::new();
        let mut locked = Locked::new();
        lock(&mut locked, rooms.iter().copied());
        let listed = match &mut locked[..] {
            [(_, Role::Addressed, inner)] if inner.members.len() > 1 => inner.list(),
            _ => Shared::new(Members::new(list(&locked))),
        };
        (publish(&mut locked, entry, order, (victims, &mut trash), hold), listed)
    }
}

/// Locks rooms that are sorted by id, each once. In place, as the list is large.
///
/// Those without members too: who joins one is a member from a later sequence on, and does not wait for a copy
/// there that is not.
#[inline]
fn lock<'a>(locked: &mut Locked<'a>, rooms: impl Iterator<Item = Listed<'a>>) {
    rooms.for_each(|(room, role)| locked.push((room, role, room.inner.lock())));
    debug_assert!(defect::is(Defect::UnsortedUnion) || locked.is_sorted_by(|a, b| a.0.id < b.0.id));
}

/// Publishes to the members of the addressed rooms, unlocks all, ends the hold, and wakes.
#[inline(always)] // into the emit to several rooms
fn publish(
    locked: &mut Locked<'_>,
    entry: Entry,
    order: &Order,
    (victims, trash): (&mut Victims, &mut Garbage<Entry>),
    hold: Hold<'_>,
) -> Option<Published> {
    let Some(last) = locked.iter().rposition(takes_in) else {
        locked.clear(); // the entry is dropped under no lock
        hold.end();
        return None;
    };
    let bytes = entry.payload().len() as u64;
    let mut published = Published { sequence: order.next(), members: 0, rooms: 0 };
    let older = entry.latest().and_then(|_| {
        // In one of the rooms: always the same one for the same rooms.
        let first = locked.iter_mut().find(|(_, role, _)| *role == Role::Addressed);
        first.and_then(|(.., inner)| inner.put_newest(&entry))
    });
    let mut append = |inner: &mut Inner, entry: Entry| {
        published.rooms += usize::from(!inner.members.is_empty());
        published.members += inner.members.len();
        inner.append(published.sequence, entry, bytes, victims, trash);
    };
    for (.., inner) in locked[..last].iter_mut().filter(|room| takes_in(room)) {
        inner.copies += 1;
        append(inner, entry.clone());
    }
    append(&mut locked[last].2, entry);
    older.inspect(|older| older.replace(published.sequence));
    if locked.iter().any(has_sleepers) {
        wake(locked, order, hold);
    } else {
        locked.clear();
        hold.end();
    }
    Some(published)
}

/// Unlocks all, and wakes those who sleep in addressed rooms.
#[cold]
fn wake(locked: &mut Locked<'_>, order: &Order, hold: Hold<'_>) {
    let sleeping = locked.iter_mut().filter(|room| has_sleepers(room));
    let fired: SmallVec<[_; MANY]> =
        sleeping.map(|(room, _, inner)| (*room, inner.take_armed(order))).collect();
    locked.clear();
    hold.end();
    for (room, armed) in fired {
        room.fire(armed, order);
    }
}

/// Whether somebody reads what is published to it, or will.
fn takes_in((_, role, inner): &LockedRoom<'_>) -> bool {
    *role == Role::Addressed && (!inner.members.is_empty() || inner.keeps())
}

fn has_sleepers((_, role, inner): &LockedRoom<'_>) -> bool {
    *role == Role::Addressed && !inner.armed.is_empty()
}

fn list(locked: &Locked<'_>) -> Vec<SocketId> {
    let members = |wanted: Role| {
        let rooms = locked.iter().filter(move |(_, role, _)| *role == wanted);
        rooms.flat_map(|(.., inner)| inner.members.iter()).map(|(_, post)| post.id())
    };
    // One room and nobody left out is the common case, and needs no set.
    if let [(_, Role::Addressed, _)] = locked[..] {
        return members(Role::Addressed).collect();
    }
    let mut seen: HashSet<SocketId> = members(Role::LeftOut).collect();
    members(Role::Addressed).filter(|id| seen.insert(*id)).collect()
}
