//! The rooms of one socket as its reader keeps them, and which of the rooms' messages are for the socket.
//!
//! Cursors lie apart from everything else: a pass walks over all of them, and over nothing else but what it
//! delivers.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::verdict::{Notes, Pass, Verdict, judge};
use crate::defect::{self, Defect};
use crate::delivery::Gap;
use crate::entry::Entry;
use crate::growth::make_room;
use crate::segment::{Cursor, Look, Next, Peek, Position, SegmentWriter};
use crate::sync::Arc;
use crate::topic::{Before, Topic};

/// In joining order. A membership stays at its place until some are [forgotten](Self::retain).
#[derive(Debug)]
#[repr(C)] // what a pass walks over comes first
pub(super) struct Memberships {
    cursors: SmallVec<[Cursor<Entry>; 2]>,
    /// As many, and in the same order.
    list: SmallVec<[Membership; 1]>,
}

#[derive(Debug)]
pub(super) struct Membership {
    /// Twice the sequence at which the socket joined, which names the membership; one more while it is armed.
    since: u64,
    pub(super) room: Arc<Topic>,
    /// What few memberships have.
    rare: Option<Box<Rare>>,
}

#[derive(Debug)]
pub(super) struct Rare {
    /// It is over: what is at or above this sequence is not for the socket, and nor is what is at or
    /// above this message number of the log.
    pub(super) until: u64,
    pub(super) messages: u64,
    /// Lost before the message that the cursor is at.
    pub(super) gap: Option<Gap>,
    /// What came before it joined, if that was asked for: in the membership of the past itself, and in the one that
    /// it comes before.
    past: Option<Past>,
}

/// What a socket gets of what was published before it joined.
#[derive(Clone, Copy, Debug)]
struct Past {
    /// The sequence of the first message.
    from: u64,
    /// Whether it gets only those that have a key.
    is_keyed: bool,
}

/// What there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// In this room only.
    One(usize),
    /// In several, or not known without a closer look.
    More,
}

/// Above all sequences and message numbers.
pub(super) const FOREVER: u64 = u64::MAX - 1;

impl Memberships {
    pub(super) fn new() -> Self {
        Self { cursors: SmallVec::new(), list: SmallVec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds one at the end: `since` is above that of all before it.
    pub(super) fn push(&mut self, since: u64, room: Arc<Topic>, cursor: Cursor<Entry>) {
        debug_assert!(self.list.last().is_none_or(|last| last.since() < since), "sequences only rise");
        self.make_room(1);
        let past = self.list.last().filter(|last| last.is_past() && Arc::ptr_eq(&last.room, &room));
        let past = past.and_then(|last| last.rare.as_ref()?.past);
        let rare = past.map(|past| Box::new(Rare { past: Some(past), ..Rare::new() }));
        self.list.push(Membership { since: since << 1, room, rare });
        self.cursors.push(cursor);
    }

    /// Adds one that is over from the start, at the end.
    pub(super) fn push_past(&mut self, before: Before) {
        let Before { at, room, cursor, end, is_keyed, .. } = before;
        let Peek::Item(from) = cursor.peek() else { return };
        let cursor = if is_keyed { keyed(cursor, at) } else { cursor };
        self.push(at, room, cursor);
        let place = self.len() - 1;
        let rare = self.at_mut(place).rare();
        let until = at - u64::from(defect::is(Defect::PastSeam));
        (rare.until, rare.messages, rare.past) = (until, end, Some(Past { from, is_keyed }));
    }

    /// Makes room for as many more.
    pub(super) fn make_room(&mut self, more: usize) {
        make_room(&mut self.cursors, more);
        make_room(&mut self.list, more);
    }

    pub(super) fn position(&self, since: u64) -> Option<usize> {
        self.list.binary_search_by_key(&since, |membership| membership.since()).ok()
    }

    #[inline(always)]
    pub(super) fn cursors(&self) -> &[Cursor<Entry>] {
        &self.cursors
    }

    /// All cursors, and all memberships.
    #[inline(always)]
    pub(super) fn cursors_and_list(&mut self) -> (&mut [Cursor<Entry>], &[Membership]) {
        (&mut self.cursors, &self.list)
    }

    /// Finds the one of the rooms at these places that has something to read below this horizon. A look at each, and no
    /// more: one that has another segment is said to be one of several.
    pub(super) fn find_at(&self, places: impl Iterator<Item = usize>, horizon: u64) -> Found {
        let mut found = Found::Nothing;
        for place in places {
            match self.cursors[place].peek() {
                Peek::Empty => {}
                Peek::Item(sequence) if sequence >= horizon => {}
                Peek::Item(_) if found == Found::Nothing => found = Found::One(place),
                Peek::End if self.cursors[place].segment().is_open() => {}
                Peek::Item(_) | Peek::End => return Found::More,
            }
        }
        found
    }

    #[inline(always)]
    pub(super) fn list(&self) -> &[Membership] {
        &self.list
    }

    #[inline]
    pub(super) fn at_mut(&mut self, place: usize) -> &mut Membership {
        &mut self.list[place]
    }

    /// The cursor at a place, and all memberships.
    #[inline(always)]
    pub(super) fn cursor_and_list(&mut self, place: usize) -> (&mut Cursor<Entry>, &[Membership]) {
        (&mut self.cursors[place], &self.list)
    }

    #[inline]
    pub(super) fn both_mut(&mut self, place: usize) -> (&mut Cursor<Entry>, &mut Membership) {
        (&mut self.cursors[place], &mut self.list[place])
    }

    /// Removes what `keep` refuses.
    pub(super) fn retain(&mut self, keep: impl Fn(&Membership) -> bool) {
        let (cursors, list) = (&mut self.cursors[..], &mut self.list[..]);
        let Some(mut kept) = list.iter().position(|membership| !keep(membership)) else { return };
        for place in kept + 1..list.len() {
            if keep(&list[place]) {
                list.swap(kept, place);
                cursors.swap(kept, place);
                kept += 1;
            }
        }
        // Dropped as they are removed: payloads are user code, but no lock is held here.
        self.cursors.drain(kept..).zip(self.list.drain(kept..)).for_each(release);
        if self.list.capacity() > 4 * kept.max(2) {
            self.cursors.shrink_to_fit();
            self.list.shrink_to_fit();
        }
    }

    /// Lets go of all.
    pub(super) fn release(&mut self) {
        let (cursors, list) = (std::mem::take(&mut self.cursors), std::mem::take(&mut self.list));
        cursors.into_iter().zip(list).for_each(release);
    }
}

/// A cursor over those messages below this sequence alone that have a key.
fn keyed(mut cursor: Cursor<Entry>, bound: u64) -> Cursor<Entry> {
    let mut found = Vec::new();
    loop {
        cursor.walk(bound, |sequence, entry| {
            found.extend(entry.latest().map(|_| (sequence, entry.clone())));
            ControlFlow::Continue(())
        });
        match cursor.segment().next() {
            Next::Segment(next) if cursor.is_at_end() => drop(cursor.enter(next)),
            _ => break,
        }
    }
    let mut copies = SegmentWriter::new(found.len() as u32, Position::default());
    found.into_iter().for_each(|(sequence, entry)| copies.push(sequence, entry));
    copies.segment().cursor(0)
}

/// Lets go of a membership, and of what the room has kept for it alone.
fn release((cursor, membership): (Cursor<Entry>, Membership)) {
    drop(cursor);
    membership.room.trim();
}

impl Rare {
    fn new() -> Self {
        Self { until: FOREVER, messages: FOREVER, gap: None, past: None }
    }
}

impl Membership {
    /// The sequence at which the socket joined, which names the membership.
    #[inline]
    pub(super) fn since(&self) -> u64 {
        self.since >> 1
    }

    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.since & 1 == 1
    }

    pub(super) fn set_armed(&mut self, is_armed: bool) {
        self.since = self.since & !1 | u64::from(is_armed);
    }

    /// The sequence from which on nothing is for the socket.
    #[inline]
    pub(super) fn until(&self) -> u64 {
        self.rare.as_ref().map_or(FOREVER, |rare| rare.until)
    }

    /// Whether nothing about it is rare.
    #[inline(always)]
    pub(super) fn is_common(&self) -> bool {
        self.rare.is_none()
    }

    /// Whether it is one of many: neither over, nor with a gap to tell.
    pub(super) fn is_plain(&self) -> bool {
        self.rare.as_ref().is_none_or(|rare| rare.until == FOREVER && rare.gap.is_none())
    }

    /// Whether it is for what was published before the socket joined: over from the start.
    pub(super) fn is_past(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.past.is_some() && rare.until == self.since())
    }

    /// Whether what was asked for of what was published before the socket joined had that message in it.
    pub(super) fn had_before(&self, sequence: u64, has_key: bool) -> bool {
        let past = self.rare.as_ref().and_then(|rare| rare.past.as_ref());
        past.is_some_and(|past| {
            past.from <= sequence && sequence < self.since() && (has_key || !past.is_keyed)
        })
    }

    pub(super) fn gap(&self) -> Option<Gap> {
        self.rare.as_ref()?.gap
    }

    pub(super) fn take_gap(&mut self) -> Option<Gap> {
        self.rare.as_mut()?.gap.take()
    }

    /// The message number of its log from which on nothing is for the socket.
    pub(super) fn messages(&self) -> u64 {
        self.rare.as_ref().map_or(FOREVER, |rare| rare.messages)
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare::new()))
    }
}

/// Hands each message of this segment that is below `bound` and for the socket to `f`, until that breaks. Returns
/// how many it has handed out, `before` that were handed out before not included, and whether the segment is at its end.
/// Those that the socket does without are noted.
///
/// The loop has no call in it but that of `f`: with one, the optimiser keeps whatever `f` adds up in
/// memory, and that doubles the time per delivery. So it stops at what needs a closer look.
#[inline(always)]
pub(super) fn read(
    (cursor, list): (&mut Cursor<Entry>, &[Membership]),
    room: &Arc<Topic>,
    bound: u64,
    (pass, before): (Pass, usize),
    notes: &mut Notes,
    mut f: impl FnMut(u64, &Entry, &Arc<Topic>) -> ControlFlow<()>,
) -> (usize, bool) {
    let from = cursor.index();
    let mut is_special;
    // Alone, as messages are where everybody reads along: that takes no search for the end.
    match cursor.look(bound) {
        Look::Empty => return (0, false),
        Look::End(_) => return (0, true),
        Look::Item(ready) => {
            let (sequence, passed) = (ready.sequence(), ready.pass());
            is_special = pass.is_past || !passed.item().is_plain_for(pass.me);
            if !is_special {
                let is_over = f(sequence, passed.item(), room).is_break();
                match passed.next() {
                    Peek::Item(sequence) if sequence < bound && !is_over => {}
                    next => return (1, next == Peek::End),
                }
            }
        }
    }
    let mut skipped = 0;
    loop {
        if !is_special {
            cursor.walk(bound, |sequence, entry| {
                if !pass.is_past && entry.is_plain_for(pass.me) {
                    return f(sequence, entry, room);
                }
                is_special = true;
                ControlFlow::Break(())
            });
        }
        if !std::mem::take(&mut is_special) {
            break;
        }
        let Some((sequence, entry)) = cursor.last() else { break };
        let handed = (cursor.index() - from - skipped - 1) as usize;
        match judge(entry, sequence, pass, before + handed, room, list) {
            Verdict::Mine => {
                if f(sequence, entry, room).is_break() {
                    break;
                }
            }
            Verdict::NotMine => skipped += 1,
            Verdict::Forgone(why) => {
                skipped += 1;
                notes.count(why);
            }
        }
    }
    ((cursor.index() - from - skipped) as usize, cursor.is_at_end())
}
