//! A pass in which there is nothing but messages to read: the common case by far.
//!
//! All its state but the cursors is on the stack, so that a pass which finds nothing, or reads one room, writes next
//! to nothing. When it cannot go on as it is, what is left becomes a special pass.
//!
//! Nearly all plain passes are [short](Short): there is nothing, or one message in one room. Only that is inlined where a
//! drain is called; with more beside it, the optimiser has no registers left for it.

use std::ops::ControlFlow;

use super::memberships::{Membership, read};
use super::verdict::{Notes, Pass, Verdict, judge};
use super::{MANY, Reader};
use crate::defect::{self, Defect};
use crate::delivery::{Delivery, Item};
use crate::entry::Entry;
use crate::event::EventTable;
use crate::order::Order;
use crate::segment::{Look, Next, Peek, Ready};
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::topic::Topic;

/// The rooms that have something to read, few enough to be kept sorted by inserting. The last one is next.
#[derive(Debug)]
pub(super) struct Few {
    heads: [Head; SPACE],
    len: usize,
}

/// The next message of a room: its sequence, then the room's place in the lowest bits.
type Head = u64;

const SPACE: usize = 32;
const PLACE_BITS: u32 = SPACE.trailing_zeros();
const _: () = assert!(MANY <= SPACE, "all rooms of a reader that is not wide have their place");

/// What has become of a pass that was taken for a short one.
#[derive(Debug)]
pub(super) enum Short<B> {
    Over(ControlFlow<B>),
    /// Only the room at this place has anything, or more. So many of its messages were read, one at most.
    One(usize, usize),
    /// Nothing was read, as the room at this place has another segment.
    End(usize),
    /// Nothing was read.
    More,
}

/// What has become of a message that was alone when it was found.
enum Alone<B> {
    /// Handed out, and nothing follows.
    Last,
    /// Handed out, and there may be more.
    More,
    /// Not handed out: it takes a closer look.
    Special,
    /// Handed out, and that was enough.
    Broken(B),
}

/// A log was cut off behind a cursor.
#[derive(Debug)]
pub(super) struct Cut;

impl Few {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { heads: [0; SPACE], len: 0 }
    }

    /// Adds the room at this place, of which there are less than [`SPACE`] others.
    #[inline(always)]
    fn insert(&mut self, sequence: u64, place: usize) {
        debug_assert!(self.len < SPACE);
        let head = sequence << PLACE_BITS | place as u64;
        let mut at = self.len;
        while at > 0 && self.heads[(at - 1) % SPACE] < head {
            self.heads[at % SPACE] = self.heads[(at - 1) % SPACE];
            at -= 1;
        }
        self.heads[at % SPACE] = head;
        self.len += 1;
    }

    /// Removes the one that is next: its place, and the sequence at which another one is.
    #[inline(always)]
    fn pop(&mut self) -> Option<(usize, Option<u64>)> {
        self.len = self.len.checked_sub(1)?;
        let head = self.heads[self.len % SPACE];
        let second = (self.len > 0).then(|| self.heads[(self.len - 1) % SPACE] >> PLACE_BITS);
        Some((head as usize % SPACE, second))
    }

    /// The place of the only one.
    #[inline(always)]
    pub(super) fn alone(&self) -> Option<usize> {
        (self.len == 1).then_some(self.heads[0] as usize % SPACE)
    }

    fn iter(&self) -> impl Iterator<Item = (u64, usize)> {
        self.heads[..self.len].iter().map(|head| (head >> PLACE_BITS, *head as usize % SPACE))
    }
}

impl Reader {
    /// Finds the rooms that have something to read.
    #[inline(always)]
    pub(super) fn look_plainly(&mut self, heads: &mut Few) -> Result<(), Cut> {
        let mut ends = 0_u32;
        for (place, cursor) in self.memberships.cursors().iter().enumerate() {
            match cursor.peek() {
                Peek::Empty => {}
                Peek::Item(sequence) if sequence < self.horizon => heads.insert(sequence, place),
                Peek::Item(_) => {}
                Peek::End if cursor.segment().is_open() => {}
                Peek::End => ends |= 1 << place,
            }
        }
        while ends != 0 {
            let place = ends.trailing_zeros() as usize;
            ends &= ends - 1;
            if let Some(sequence) = self.step_over(place)? {
                heads.insert(sequence, place);
            }
        }
        Ok(())
    }

    /// Reads nothing or one message in one room: nearly all passes of a reader with few rooms are no more than that.
    #[inline(always)]
    pub(super) fn read_short<B>(
        &mut self,
        order: &Order,
        horizon: u64,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> Short<B> {
        let (cursors, list) = self.memberships.cursors_and_list();
        let mut found = None;
        for (place, cursor) in cursors.iter_mut().enumerate() {
            match cursor.look(horizon) {
                Look::Empty => {}
                Look::Item(ready) if found.is_none() => found = Some((place, ready)),
                Look::Item(_) => return Short::More,
                Look::End(segment) if segment.is_open() => {}
                Look::End(_) => return Short::End(place),
            }
        }
        if let Some((place, ready)) = found {
            // Not by index: who does not ask for the room does without the check, too.
            let room = list.get(place).map(|membership| &membership.room);
            match hand_out(ready, room, self.me, horizon, events, count, f) {
                Alone::Last => {}
                Alone::More => return Short::One(place, 1),
                Alone::Special => return Short::One(place, 0),
                Alone::Broken(value) => return Short::Over(self.break_off(place, order, horizon, value)),
            }
        }
        self.end_short(order, horizon);
        Short::Over(ControlFlow::Continue(()))
    }

    /// Goes on to the next segment of the room at this place, unless the log was cut off there.
    #[inline(never)]
    pub(super) fn cross(&mut self, place: usize, order: &Order, horizon: u64) -> bool {
        (self.horizon, self.is_strict) = (horizon, order.is_strict());
        self.step_over(place).is_ok()
    }

    /// As [`read_short`](Self::read_short), by a reader with many rooms, of which only that at `place` has something.
    #[inline(always)]
    pub(super) fn read_wide<B>(
        &mut self,
        place: usize,
        order: &Order,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let horizon = self.horizon;
        let (cursor, list) = self.memberships.cursor_and_list(place);
        let handed = match cursor.look(horizon) {
            Look::Item(ready) => {
                let room = list.get(place).map(|membership| &membership.room);
                match hand_out(ready, room, self.me, horizon, events, count, f) {
                    Alone::Last => return self.end_plain(order, horizon),
                    Alone::Broken(value) => return self.break_off(place, order, horizon, value),
                    Alone::More => 1,
                    Alone::Special => 0,
                }
            }
            Look::Empty | Look::End(_) => 0,
        };
        self.read_one((place, handed), order, horizon, events, count, f)
    }

    /// A pass stops at the first message, which was of the room at this place.
    #[cold]
    fn break_off<B>(&mut self, place: usize, order: &Order, horizon: u64, value: B) -> ControlFlow<B> {
        (self.horizon, self.is_strict) = (horizon, order.is_strict());
        self.stop(place, &Few::new(), 1);
        ControlFlow::Break(value)
    }

    /// Tells those who want to know that all is read, and has it accounted for if anybody asks how far all are.
    #[cold]
    fn tell(&mut self, order: &Order) {
        self.post.set_progress(self.read);
        self.notes.is_due |= order.tracked_from().is_some();
    }

    /// Reads the only room that has anything, of which some messages have been handed out in this pass.
    #[inline(never)]
    pub(super) fn read_one<B>(
        &mut self,
        (place, handed): (usize, usize),
        order: &Order,
        horizon: u64,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let before = *count - handed;
        loop {
            let pass = (Pass { me: self.me, horizon, is_past: false }, *count - before);
            let mut broken = None;
            let (cursor, list) = self.memberships.cursor_and_list(place);
            let (room, notes) = (&list[place].room, &mut self.notes);
            let (handed, is_at_end) =
                read((cursor, list), room, horizon, pass, notes, |sequence, entry, room| {
                    let delivery =
                        Delivery { item: Item::Message(entry), sequence, room: Some(room), events };
                    f(delivery).map_break(|value| broken = Some(value))
                });
            *count += handed;
            if broken.is_none() && !is_at_end {
                return self.end_plain(order, horizon);
            }
            (self.horizon, self.is_strict) = (horizon, order.is_strict());
            if let Some(value) = broken {
                self.stop(place, &Few::new(), *count - before);
                return ControlFlow::Break(value);
            }
            match self.step_over(place) {
                Ok(None) => return self.end_plain(order, horizon),
                Ok(Some(_)) => {}
                Err(Cut) => {
                    self.stop(place, &Few::new(), *count - before);
                    return self.run::<false, B>(events, count, f);
                }
            }
        }
    }

    /// Reads several rooms, message by message in their order.
    #[inline(always)]
    pub(super) fn merge<B>(
        &mut self,
        heads: &mut Few,
        order: &Order,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let (horizon, before) = (self.horizon, *count);
        loop {
            let Some(place) = self.merge_segments(heads, (self.pass(false), before), events, count, f)?
            else {
                return self.end_plain(order, horizon);
            };
            match self.step_over(place) {
                Ok(None) => {}
                Ok(Some(sequence)) => heads.insert(sequence, place),
                Err(Cut) => {
                    self.stop(place, heads, *count - before);
                    return self.run::<false, B>(events, count, f);
                }
            }
        }
    }

    /// As [`merge`](Self::merge), up to the end of a segment, and returns where that is; or `None`, if all is read.
    #[inline(always)]
    fn merge_segments<B>(
        &mut self,
        heads: &mut Few,
        (pass, before): (Pass, usize),
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, Option<usize>> {
        let Pass { me, horizon, .. } = pass;
        let (cursors, list) = self.memberships.cursors_and_list();
        let mut mine = u64::MAX;
        while let Some((place, second)) = heads.pop() {
            // Copies of one message have the same sequence, so up to and including the second.
            let bound = second.map_or(horizon, |second| horizon.min(second + 1));
            let (cursor, room) = (&mut cursors[place], list.get(place).map(|membership| &membership.room));
            // Published, as it was when it was found.
            while let Look::Item(ready) = cursor.look(bound) {
                let sequence = ready.sequence();
                let passed = ready.pass();
                let entry = passed.item();
                let handed = *count - before;
                let is_mine = entry.is_plain_for(me)
                    || is_for_me((sequence, entry), &mut mine, (pass, handed), place, list, &mut self.notes);
                if is_mine {
                    *count += 1;
                    let delivery = Delivery { item: Item::Message(entry), sequence, room, events };
                    if let ControlFlow::Break(value) = f(delivery) {
                        self.stop(place, heads, *count - before);
                        return ControlFlow::Break(value);
                    }
                }
                match passed.next() {
                    Peek::Item(sequence) if sequence < bound => {}
                    Peek::Item(sequence) if sequence < horizon => {
                        heads.insert(sequence, place);
                        break;
                    }
                    Peek::Item(_) | Peek::Empty => break,
                    Peek::End if passed.segment().is_open() => break,
                    Peek::End => return ControlFlow::Continue(Some(place)),
                }
            }
        }
        ControlFlow::Continue(None)
    }

    /// Everything below this horizon is read.
    #[inline(always)]
    pub(super) fn end_plain<B>(&mut self, order: &Order, horizon: u64) -> ControlFlow<B> {
        self.end_short(order, horizon);
        if self.wide.is_some() {
            self.cool();
        }
        ControlFlow::Continue(())
    }

    /// As [`end_plain`](Self::end_plain), by a reader with few rooms.
    #[inline(always)]
    fn end_short(&mut self, order: &Order, horizon: u64) {
        self.read = horizon;
        if order.is_strict() {
            self.tell(order);
        }
    }

    /// Goes on to the next segment of the room at this place, and returns the sequence of its first message, if that
    /// is in the pass.
    #[inline(never)]
    fn step_over(&mut self, place: usize) -> Result<Option<u64>, Cut> {
        self.read = self.read.max(self.read_below(place));
        loop {
            match self.memberships.cursors()[place].segment().next() {
                Next::Open => return Ok(None),
                Next::Cut => return Err(Cut),
                Next::Segment(next) => self.enter(place, next),
            }
            match self.memberships.cursors()[place].peek() {
                Peek::Item(sequence) if sequence < self.horizon => return Ok(Some(sequence)),
                Peek::Item(_) | Peek::Empty => return Ok(None),
                Peek::End => {}
            }
        }
    }

    /// Makes a special pass of what is left: the room at this place, which was being read, and `others`.
    #[cold]
    fn stop(&mut self, place: usize, others: &Few, handed: usize) {
        self.handed = handed as u32;
        self.read = self.read.max(self.read_below(place));
        self.account();
        self.in_pass = true;
        self.be_special();
        let heads = self.heads.get_or_insert_default();
        heads.clear();
        others.iter().for_each(|(sequence, place)| heads.push(sequence, place));
        self.look(place);
        self.order_heads();
    }
}

/// Hands out a message that takes no closer look.
#[inline(always)]
fn hand_out<B>(
    ready: Ready<'_, Entry>,
    room: Option<&Arc<Topic>>,
    me: SocketId,
    horizon: u64,
    events: &EventTable,
    count: &mut usize,
    f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
) -> Alone<B> {
    let sequence = ready.sequence();
    if !ready.item().is_plain_for(me) {
        return Alone::Special;
    }
    let passed = ready.pass();
    *count += 1;
    if let ControlFlow::Break(value) =
        f(Delivery { item: Item::Message(passed.item()), sequence, room, events })
    {
        return Alone::Broken(value);
    }
    let is_last = match passed.next() {
        Peek::Empty => true,
        Peek::Item(sequence) => sequence >= horizon,
        Peek::End => passed.segment().is_open(),
    };
    if is_last { Alone::Last } else { Alone::More }
}

/// Whether a message of the room at this place that takes a closer look is for this reader, and to be handed out. `mine` is the last of these that
/// was for it: its other copies are not.
#[inline(always)]
fn is_for_me(
    (sequence, entry): (u64, &Entry),
    mine: &mut u64,
    (pass, handed): (Pass, usize),
    place: usize,
    list: &[Membership],
    notes: &mut Notes,
) -> bool {
    let is_had = *mine == sequence && !defect::is(Defect::UnionTwice);
    if is_had {
        return false;
    }
    let verdict = judge(entry, sequence, pass, handed, &list[place].room, list);
    if verdict != Verdict::NotMine {
        *mine = sequence;
    }
    if let Verdict::Forgone(why) = verdict {
        notes.count(why);
    }
    verdict == Verdict::Mine
}
