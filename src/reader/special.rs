//! A pass that has more to it than messages: gaps, rooms that were left, the end of the socket, or the rest of a
//! pass that has stopped. It keeps all its state in the reader.

use std::convert::Infallible;
use std::ops::ControlFlow;

use super::memberships::{FOREVER, read};
use super::verdict::was_member;
use super::{Last, RareState, Reader};
use crate::delivery::{Delivery, Gap, GapReason, Item};
use crate::entry::Entry;
use crate::event::EventTable;
use crate::segment::{Next, Peek, SegmentRef};
use crate::sync::Arc;
use crate::topic::Loss;

impl Reader {
    /// Begins a pass, and tells whether there is anything in it.
    pub(super) fn begin(&mut self) -> bool {
        if self.closed().is_some() {
            return false;
        }
        if let Some(heads) = &mut self.heads {
            heads.clear();
        }
        match self.wide.take() {
            Some(wide) => {
                wide.hot.iter().for_each(|hot| self.look(hot.place as usize));
                self.wide = Some(wide);
            }
            None => (0..self.memberships.len()).for_each(|place| self.look(place)),
        }
        self.in_pass = true;
        self.be_special();
        if self.order_heads() && self.rare.as_ref().is_none_or(|rare| rare.gap.is_none()) {
            self.finish();
        }
        self.in_pass
    }

    /// Moves on to the next delivery of the pass, if there is one.
    pub(super) fn run_to_next(&mut self, events: &EventTable) -> bool {
        let mut count = 0;
        let ControlFlow::Continue(()) =
            self.run::<true, Infallible>(events, &mut count, &mut |_| ControlFlow::Continue(()));
        count > 0
    }

    /// Delivers what is left of the pass until `f` breaks; or with `ONE`, finds the next delivery and does not
    /// call `f`.
    #[inline(never)]
    pub(super) fn run<const ONE: bool, B>(
        &mut self,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        // To tell how many messages were handed out: gaps are none.
        let mut before = *count;
        if let Some(gap) = self.rare.as_mut().and_then(|rare| rare.gap.take()) {
            let sequence = self.read;
            self.set_last_gap(None, gap, sequence);
            *count += 1;
            before += 1;
            if ONE {
                return ControlFlow::Continue(());
            }
            f(Delivery { item: Item::Gap(gap), sequence, room: None, events })?;
        }
        let handed = self.handed as usize;
        while let Some((place, second)) = self.heads.as_ref().and_then(|heads| heads.first()) {
            let membership = self.memberships.at_mut(place);
            // Copies of one message have the same sequence, so up to and including the second.
            let bound = second.saturating_add(1).min(self.horizon).min(membership.until());
            if let Some(gap) = membership.take_gap() {
                let sequence = match self.memberships.cursors()[place].peek() {
                    Peek::Item(sequence) => sequence.min(bound),
                    Peek::Empty | Peek::End => bound,
                };
                self.set_last_gap(Some(place), gap, sequence);
                *count += 1;
                before += 1;
                if ONE {
                    return ControlFlow::Continue(());
                }
                let room = Some(&self.memberships.list()[place].room);
                let told = f(Delivery { item: Item::Gap(gap), sequence, room, events });
                if told.is_break() {
                    self.handed += (*count - before) as u32;
                    return told;
                }
                continue;
            }
            let pass = (self.pass(self.memberships.list()[place].is_past()), handed + (*count - before));
            let mut broken = None;
            let (cursor, list) = self.memberships.cursor_and_list(place);
            let (room, notes) = (&list[place].room, &mut self.notes);
            let (handed, _) = read((cursor, list), room, bound, pass, notes, |sequence, entry, room| {
                if ONE {
                    return ControlFlow::Break(());
                }
                let delivery = Delivery { item: Item::Message(entry), sequence, room: Some(room), events };
                f(delivery).map_break(|value| broken = Some(value))
            });
            *count += handed;
            self.read = self.read.max(self.read_below(place));
            if ONE && handed > 0 || broken.is_some() {
                self.handed += (*count - before) as u32;
                self.last = Some(Last::Message(place as u32));
                self.account();
                return broken.map_or(ControlFlow::Continue(()), ControlFlow::Break);
            }
            let next = self.next_sequence(place);
            if let Some(heads) = &mut self.heads {
                heads.advance(next);
            }
        }
        self.finish();
        ControlFlow::Continue(())
    }

    /// Ends a pass that is read to its end.
    fn finish(&mut self) {
        self.in_pass = false;
        self.handed = 0;
        self.read = self.horizon;
        self.account();
        let is_waiting = self.rare.as_mut().is_some_and(|rare| std::mem::take(&mut rare.is_waiting));
        if self.left > 0 && !is_waiting {
            self.forget_left();
        }
        if let Some(rare) = &mut self.rare {
            let memberships = &self.memberships;
            rare.untrimmed.retain(|&since| {
                let place = memberships.position(since);
                place.is_some_and(|place| !memberships.list()[place].room.try_trim())
            });
            if let Some((_, reason)) = rare.closing.take_if(|(at, _)| *at < self.horizon) {
                rare.closed = Some(reason);
                self.left = 0;
                self.wide = None;
                self.release();
            }
        }
        self.cool();
        self.settle();
    }

    /// Finds out whether the next pass is plain, as far as is known now.
    pub(super) fn settle(&mut self) {
        // A wide reader may have many memberships, of which none is special unless it is counted in `left`, or else
        // its gap is in the pass that is going on.
        self.is_plain = !self.in_pass
            && self.left == 0
            && self.rare.as_ref().is_none_or(|rare| rare.is_quiet())
            && (self.wide.is_some()
                || self.memberships.list().iter().all(|membership| membership.is_plain()));
    }

    /// Adds a membership to the pass, if it has something to read.
    #[inline(always)]
    pub(super) fn look(&mut self, place: usize) {
        // Most have nothing to read, and one load tells.
        if self.memberships.list()[place].is_common() {
            match self.memberships.cursors()[place].peek() {
                Peek::Empty => return,
                Peek::Item(sequence) if sequence >= self.horizon => return,
                Peek::Item(_) | Peek::End => {}
            }
        }
        if let Some(sequence) = self.next_sequence(place) {
            self.heads.get_or_insert_default().push(sequence, place);
        }
    }

    /// Ends the looking, and tells whether nothing was found.
    pub(super) fn order_heads(&mut self) -> bool {
        let Some(heads) = &mut self.heads else { return true };
        heads.order();
        heads.is_empty()
    }

    /// The sequence of the next message in this membership, or of a gap at its end, if it is in the pass.
    /// Goes on to the next segment where one ends.
    #[inline]
    pub(super) fn next_sequence(&mut self, place: usize) -> Option<u64> {
        let until = self.memberships.list()[place].until();
        loop {
            let cursor = &self.memberships.cursors()[place];
            let next = match cursor.peek() {
                Peek::Item(sequence) if sequence < self.horizon.min(until) => return Some(sequence),
                Peek::Item(_) | Peek::Empty => break,
                Peek::End => cursor.segment().next(),
            };
            match next {
                Next::Open => break,
                Next::Segment(next) => self.enter(place, next),
                Next::Cut if self.resume(place) => {}
                Next::Cut => {
                    self.rare().is_waiting = true;
                    break;
                }
            }
        }
        // A gap is told before the message after it; if the membership ends before that, at its end.
        let membership = &self.memberships.list()[place];
        (membership.gap().is_some() && until <= self.horizon).then_some(until)
    }

    /// The sequence below which all of a room is read, as far as the segment tells that its cursor is in.
    pub(super) fn read_below(&self, place: usize) -> u64 {
        self.memberships.cursors()[place].last().map_or(0, |(sequence, _)| sequence + 1)
    }

    pub(super) fn enter(&mut self, place: usize, next: SegmentRef<Entry>) {
        self.account();
        let (cursor, membership) = self.memberships.both_mut(place);
        let old = cursor.enter(next);
        // The log's: then this reader was the last one in it, and nobody else is going to let go of it soon.
        if old.give_back() == 1 && !membership.room.try_trim() {
            let since = membership.since();
            self.rare().untrimmed.push(since);
            self.be_special();
        }
    }

    /// Goes on where the log has kept messages, and works out how many are lost. Returns false, and does
    /// not, if that is beyond this pass: some of what is lost may depend on changes that it does not know of.
    #[cold]
    fn resume(&mut self, place: usize) -> bool {
        let me = self.me;
        let (cursor, list) = self.memberships.cursor_and_list(place);
        let membership = &list[place];
        let (room, until) = (Arc::clone(&membership.room), membership.until());
        // Of a membership that is over nothing changes any more.
        let horizon = if until <= self.horizon { FOREVER } else { self.horizon };
        let resumed = room.resume(cursor, (me, membership.since()), membership.messages(), horizon);
        let Some(Loss { messages: lost, account, breaks_policy }) = resumed else { return false };
        let not_mine = account
            .aimed
            .iter()
            .filter(|aimed| !aimed.audience.is_for(me, room.id(), |id| was_member(list, id, aimed.sequence)));
        let mut missed = lost - not_mine.count() as u64;
        // Of those that leave out a socket which has left since, some may have been emitted after that.
        let is_member = until == FOREVER;
        let floor = self.rare.as_ref().map_or(0, |rare| rare.floor);
        let is_explained = account.aimed.iter().all(|aimed| aimed.sequence >= floor);
        let is_blurred = self.rare.as_ref().is_some_and(|rare| rare.is_cut_blurred);
        let is_past = membership.is_past(); // who it is for is not accounted for
        let exact = account.complete
            && is_explained
            && !is_blurred
            && !is_past
            && (is_member || account.excluded == 0);
        if is_member {
            debug_assert!(missed >= account.excluded);
            missed = missed.saturating_sub(account.excluded);
        }
        if missed > 0 {
            let membership = self.memberships.at_mut(place);
            let before = membership.take_gap();
            membership.rare().gap = Some(Gap {
                missed: missed + before.map_or(0, |gap| gap.missed),
                exact: exact && before.is_none_or(|gap| gap.exact),
                reason: GapReason::Backlog,
            });
            self.rare().is_overrun |= breaks_policy;
            self.notes.is_due |= breaks_policy;
        }
        true
    }

    #[cold]
    fn set_last_gap(&mut self, place: Option<usize>, gap: Gap, sequence: u64) {
        self.last = Some(Last::Gap(place.map(|place| place as u32)));
        let rare = self.rare();
        rare.last_gap = Some((gap, sequence));
        rare.lost.gaps += 1;
        match gap.reason {
            GapReason::Backlog => rare.lost.backlog += gap.missed,
            GapReason::Memberships => rare.lost.memberships += gap.missed,
        }
        self.notes.is_due = true;
    }

    fn forget_left(&mut self) {
        let (horizon, before) = (self.horizon, self.memberships.len());
        self.memberships.retain(|membership| membership.until() > horizon);
        self.left -= (before - self.memberships.len()) as u32;
        self.fit_width();
        self.find_hot();
    }
}

impl RareState {
    /// Whether nothing of it is for the next pass.
    fn is_quiet(&self) -> bool {
        self.gap.is_none()
            && self.cut.is_none()
            && self.closing.is_none()
            && self.closed.is_none()
            && self.untrimmed.is_empty()
            && !self.is_waiting
            && !self.is_overrun
    }
}
