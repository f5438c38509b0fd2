//! The reading half of a socket: its cursors, merged by sequence.
//!
//! It belongs to one reader (`&mut self`), so reading takes no lock and counts no reference.
//!
//! # A pass
//!
//! Reading goes in passes. One begins by loading the horizon, then takes in what the mailbox holds, and
//! then looks where each cursor stands. From there on it depends on nothing that changes: all that it
//! delivers is below the horizon, and whatever joins or leaves afterwards has a sequence above. So a
//! pass may stop after any delivery (because one was asked for, or because the callback panicked) and
//! go on later. When it has delivered everything, rooms that were left are forgotten.
//!
//! Each cursor moves before its message is handed out: a message whose callback panicked counts as
//! delivered.
//!
//! # Which cursors are looked at
//!
//! A membership is *armed* when its room has promised to tell of the next message (see `topic.rs`), and
//! then it is not looked at. A reader that sleeps arms all. One that is polled arms none, so that
//! publishing to it costs nothing, as long as it has few rooms; with more than [`MANY`] it arms those
//! that a pass found idle, so that a pass costs as much as there are active rooms.

mod arming;
mod changes;
mod membership;

pub(crate) use self::arming::Sleep;

use std::convert::Infallible;
use std::ops::ControlFlow;

use self::membership::{FOREVER, Membership, was_member};
use crate::defect::{self, Defect};
use crate::delivery::{Delivery, Gap, GapReason, Item};
use crate::entry::Entry;
use crate::event::EventTable;
use crate::merge::Heads;
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::roll::Roll;
use crate::segment::{Next, Peek, SegmentRef};
use crate::slab::SocketId;
use crate::sync::{Arc, IS_MODEL};
use crate::topic::{Loss, Post};

/// With more memberships than this, idle ones are armed.
const MANY: usize = if IS_MODEL { 3 } else { 32 };
/// With fewer than this, they are no more.
const FEW: usize = if IS_MODEL { 2 } else { 16 };

#[derive(Debug)]
pub(crate) struct Reader {
    me: SocketId,
    post: Arc<Post>,
    memberships: Roll<Membership, 2>,
    heads: Heads,
    horizon: u64,
    /// All below is read, in this pass.
    read: u64,
    in_pass: bool,
    is_wide: bool,
    /// How many memberships are over and not forgotten yet.
    left: u32,
    /// How many messages of this pass were handed out one by one.
    handed: u32,
    /// Volatile messages are dropped behind more than this many others.
    volatile_backlog: u32,
    /// How many were.
    dropped: u64,
    /// Where the last delivery came from.
    last: Option<Last>,
    /// What a reader that is polled, has few rooms and loses nothing does not have.
    rare: Option<Box<RareState>>,
}

#[derive(Debug, Default)]
struct RareState {
    /// While there are many memberships: those that are not armed.
    hot: Vec<u64>,
    /// Empty, kept for its memory.
    ready: Vec<u64>,
    /// A gap over all rooms, to be told first.
    gap: Option<Gap>,
    /// The last delivery, if it was a gap, with its sequence.
    last_gap: Option<(Gap, u64)>,
    /// The socket is being closed at this sequence, and has yet to leave rooms.
    cut: Option<u64>,
    closing: Option<(u64, DisconnectReason)>,
    closed: Option<DisconnectReason>,
    /// Memberships whose rooms were busy as this reader passed a segment that nobody else is in.
    untrimmed: Vec<u64>,
    /// Messages were missed in a room that is to disconnect those who miss any.
    is_overrun: bool,
    /// Others were at work between the cut at which the socket was closed and its leaving of the rooms, so
    /// what was lost of a room may have been emitted after the cut.
    is_cut_blurred: bool,
    /// Memberships that were over before this sequence may be folded away.
    floor: u64,
    /// Whether a gap had to wait for the next pass: until then, what was left is not forgotten.
    is_waiting: bool,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    /// In the membership at this place.
    Message(u32),
    Gap(Option<u32>),
}

impl Reader {
    pub(crate) fn new(post: Arc<Post>, volatile_backlog: u32) -> Self {
        Self {
            me: post.id(),
            post,
            memberships: Roll::new(),
            heads: Heads::default(),
            horizon: 0,
            read: 0,
            in_pass: false,
            is_wide: false,
            left: 0,
            handed: 0,
            volatile_backlog,
            dropped: 0,
            last: None,
            rare: None,
        }
    }

    /// Why the socket is closed, once everything that was published before is read.
    pub(crate) fn closed(&self) -> Option<&DisconnectReason> {
        self.rare.as_ref()?.closed.as_ref()
    }

    /// How many volatile messages it has dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the socket is to be disconnected for its backlog. Tells once.
    #[inline]
    pub(crate) fn take_overrun(&mut self) -> bool {
        self.rare.as_mut().is_some_and(|rare| std::mem::take(&mut rare.is_overrun))
    }

    /// Whether a pass has stopped, and is to be gone on with.
    pub(crate) fn in_pass(&self) -> bool {
        self.in_pass
    }

    /// Hands all that was published before this call to `f`, and counts how often it is called. If `f` breaks, the
    /// pass goes on with the next call. With `rest_only` that call does no more than that.
    pub(crate) fn drain<B>(
        &mut self,
        order: &Order,
        events: &EventTable,
        rest_only: bool,
        count: &mut usize,
        mut f: impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        // What `f` emits is beyond it, also while an older pass comes to its end.
        let horizon = order.horizon();
        if self.in_pass {
            self.run::<false, B>(events, count, &mut f)?;
            if rest_only {
                return ControlFlow::Continue(());
            }
        }
        // The order of these two matters, see `topic.rs`: whatever a message below the horizon depends
        // on is in the mailbox by now.
        self.horizon = horizon;
        let is_dirty = self.post.is_dirty();
        if defect::is(Defect::LateHorizon) {
            self.horizon = order.horizon();
        }
        if !is_dirty && self.skim(events, count, &mut f)? {
            return ControlFlow::Continue(());
        }
        if self.begin(is_dirty) {
            self.run::<false, B>(events, count, &mut f)?;
        }
        ControlFlow::Continue(())
    }

    /// Reads the pass, if no more than one membership has something to read and nothing has happened to
    /// any: the common case, which needs no merging. Returns whether that was all; if not, a pass with this
    /// horizon goes on from there.
    #[inline(always)]
    fn skim<B>(
        &mut self,
        events: &EventTable,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, bool> {
        const GO_ON: bool = false;
        if self.rare.is_some() || self.left > 0 {
            return ControlFlow::Continue(GO_ON);
        }
        let before = *count;
        let mut active = None;
        for (place, membership) in self.memberships.places_and_values() {
            match membership.cursor.peek() {
                _ if membership.is_armed => {}
                Peek::Empty => {}
                Peek::Item(_) if active.is_none() && membership.rare.is_none() => active = Some(place),
                Peek::Item(_) | Peek::End => return ControlFlow::Continue(GO_ON),
            }
        }
        while let Some(place) = active {
            let Some((_, membership, others)) = self.memberships.split_at_mut(place) else {
                return ControlFlow::Continue(GO_ON);
            };
            let slack = i64::from(self.volatile_backlog) - (*count - before) as i64;
            let mut broken = None;
            let passed = membership.read(self.horizon, self.me, &others, slack, |sequence, entry, room| {
                let delivery = Delivery { item: Item::Message(entry), sequence, room: Some(room), events };
                f(delivery).map_break(|value| broken = Some(value))
            });
            *count += passed.handed;
            self.dropped += passed.dropped;
            if let Some(value) = broken {
                self.handed = (*count - before) as u32;
                self.stop_at(place);
                return ControlFlow::Break(value);
            }
            if membership.cursor.peek() != Peek::End {
                break;
            }
            self.read = self.read.max(membership.read_below());
            match membership.cursor.segment().next() {
                Next::Open => break,
                Next::Segment(next) => self.enter(place, next),
                Next::Cut => {
                    self.handed = (*count - before) as u32;
                    return ControlFlow::Continue(GO_ON);
                }
            }
        }
        self.read = self.horizon;
        self.post.set_progress(self.horizon);
        ControlFlow::Continue(true)
    }

    /// Makes a pass, to be gone on with, of one that is all in the membership at this place.
    #[cold]
    fn stop_at(&mut self, place: usize) {
        let below = self.memberships.at(place).map_or(0, Membership::read_below);
        self.read = self.read.max(below);
        self.post.set_progress(self.read);
        self.in_pass = true;
        self.heads.clear();
        self.look(place);
        self.heads.order();
    }

    /// Moves on to the next delivery, if there is one: then [`current`](Self::current) returns it.
    pub(crate) fn advance(&mut self, order: &Order, events: &EventTable) -> bool {
        self.last = None;
        self.in_pass && self.run_to_next(events) || self.begin_now(order) && self.run_to_next(events)
    }

    /// Moves on to the next delivery of the pass, if there is one.
    fn run_to_next(&mut self, events: &EventTable) -> bool {
        let mut count = 0;
        let ControlFlow::Continue(()) =
            self.run::<true, Infallible>(events, &mut count, &mut |_| ControlFlow::Continue(()));
        count > 0
    }

    /// The delivery that [`advance`](Self::advance) moved on to.
    pub(crate) fn current<'a>(&'a self, events: &'a EventTable) -> Option<Delivery<'a>> {
        let membership = |place: u32| self.memberships.at(place as usize);
        Some(match self.last? {
            Last::Message(place) => {
                let membership = membership(place)?;
                let (sequence, entry) = membership.cursor.last()?;
                Delivery { item: Item::Message(entry), sequence, room: Some(&membership.room), events }
            }
            Last::Gap(place) => {
                let (gap, sequence) = self.rare.as_ref()?.last_gap?;
                let room = place.and_then(membership).map(|membership| &*membership.room);
                Delivery { item: Item::Gap(gap), sequence, room, events }
            }
        })
    }

    /// Begins a pass up to what is published now, and tells whether there is anything in it.
    fn begin_now(&mut self, order: &Order) -> bool {
        // In this order, as in `drain`.
        self.horizon = order.horizon();
        let is_dirty = self.post.is_dirty();
        self.begin(is_dirty)
    }

    /// Begins a pass, and tells whether there is anything in it. The horizon was loaded before `is_dirty`.
    fn begin(&mut self, is_dirty: bool) -> bool {
        if is_dirty {
            self.take_changes();
        }
        if self.closed().is_some() {
            return false;
        }
        self.heads.clear();
        if self.is_wide {
            self.look_at_hot();
        } else {
            self.look_at_all();
        }
        self.heads.order();
        self.in_pass = true;
        if self.heads.is_empty() && self.rare.as_ref().is_none_or(|rare| rare.gap.is_none()) {
            self.finish();
        }
        self.in_pass
    }

    /// Finds the cursors that have something to read.
    #[inline]
    fn look_at_all(&mut self) {
        let mut at_end = None;
        for (place, membership) in self.memberships.places_and_values() {
            if membership.is_armed {
                continue;
            }
            match membership.cursor.peek() {
                Peek::Item(sequence) if sequence < self.horizon.min(membership.until()) => {
                    self.heads.push(sequence, place);
                }
                Peek::Empty => {}
                Peek::Item(_) | Peek::End => at_end = at_end.or(Some(place)),
            }
        }
        if let Some(first) = at_end {
            self.look_again(first);
        }
    }

    /// Looks closer at those, from this place on, that a first look found at the end of something.
    #[inline(never)]
    fn look_again(&mut self, first: usize) {
        for place in first..self.memberships.places() {
            let Some(membership) = self.memberships.at(place) else { continue };
            let is_done = match membership.cursor.peek() {
                Peek::Item(sequence) => sequence < self.horizon.min(membership.until()),
                Peek::Empty => true,
                Peek::End => false,
            };
            if !is_done && !membership.is_armed {
                self.look(place);
            }
        }
    }

    #[inline(never)]
    fn look_at_hot(&mut self) {
        let hot = std::mem::take(&mut self.rare().hot);
        for &since in &hot {
            if let Some(place) = self.memberships.position(since) {
                self.look(place);
            }
        }
        self.rare().hot = hot;
    }

    /// Delivers what is left of the pass until `f` breaks; or with `ONE`, finds the next delivery and does not
    /// call `f`.
    #[inline]
    fn run<const ONE: bool, B>(
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
        let (me, base) = (self.me, i64::from(self.volatile_backlog) - i64::from(self.handed));
        while let Some((place, second)) = self.heads.first() {
            let Some((_, membership, others)) = self.memberships.split_at_mut(place) else {
                unreachable!("memberships stay for the length of a pass");
            };
            // Copies of one message have the same sequence, so up to and including the second.
            let bound = second.saturating_add(1).min(self.horizon).min(membership.until());
            if let Some(gap) = membership.take_gap() {
                let sequence = match membership.cursor.peek() {
                    Peek::Item(sequence) => sequence.min(bound),
                    Peek::Empty | Peek::End => bound,
                };
                self.set_last_gap(Some(place), gap, sequence);
                *count += 1;
                before += 1;
                if ONE {
                    return ControlFlow::Continue(());
                }
                let room = self.memberships.at(place).map(|membership| &*membership.room);
                let told = f(Delivery { item: Item::Gap(gap), sequence, room, events });
                if told.is_break() {
                    self.handed += (*count - before) as u32;
                    return told;
                }
                continue;
            }
            let slack = base - (*count - before) as i64;
            let mut broken = None;
            let passed = membership.read(bound, me, &others, slack, |sequence, entry, room| {
                if ONE {
                    return ControlFlow::Break(());
                }
                let delivery = Delivery { item: Item::Message(entry), sequence, room: Some(room), events };
                f(delivery).map_break(|value| broken = Some(value))
            });
            *count += passed.handed;
            self.read = self.read.max(membership.read_below());
            self.dropped += passed.dropped;
            if ONE && passed.handed > 0 || broken.is_some() {
                self.handed += (*count - before) as u32;
                self.last = Some(Last::Message(place as u32));
                self.post.set_progress(self.read);
                return broken.map_or(ControlFlow::Continue(()), ControlFlow::Break);
            }
            let next = self.next_sequence(place);
            self.heads.advance(next);
        }
        self.finish();
        ControlFlow::Continue(())
    }

    /// Ends a pass that is read to its end.
    fn finish(&mut self) {
        self.in_pass = false;
        self.handed = 0;
        self.read = self.horizon;
        self.post.set_progress(self.horizon);
        let is_waiting = self.rare.as_mut().is_some_and(|rare| std::mem::take(&mut rare.is_waiting));
        if self.left > 0 && !is_waiting {
            self.forget_left();
        }
        if let Some(rare) = &mut self.rare {
            let memberships = &self.memberships;
            rare.untrimmed.retain(|&since| {
                let place = memberships.position(since);
                place.and_then(|place| memberships.at(place)).is_some_and(|it| !it.room.try_trim())
            });
            if let Some((_, reason)) = rare.closing.take_if(|(at, _)| *at < self.horizon) {
                rare.closed = Some(reason);
                rare.hot = Vec::new();
                self.left = 0;
                self.is_wide = false;
                self.release();
            }
        }
        if self.is_wide {
            self.cool();
        }
    }

    /// Adds a membership to the pass, if it has something to read.
    fn look(&mut self, place: usize) {
        if let Some(sequence) = self.next_sequence(place) {
            self.heads.push(sequence, place);
        }
    }

    /// The sequence of the next message in this membership, or of a gap at its end, if it is in the pass.
    /// Goes on to the next segment where one ends.
    #[inline]
    fn next_sequence(&mut self, place: usize) -> Option<u64> {
        loop {
            let membership = self.memberships.at(place)?;
            let next = match membership.cursor.peek() {
                Peek::Item(sequence) if sequence < self.horizon.min(membership.until()) => {
                    return Some(sequence);
                }
                Peek::Item(_) | Peek::Empty => break,
                Peek::End => membership.cursor.segment().next(),
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
        let membership = self.memberships.at(place)?;
        (membership.gap().is_some() && membership.until() <= self.horizon).then(|| membership.until())
    }

    fn enter(&mut self, place: usize, next: SegmentRef<Entry>) {
        let Some((since, membership, _)) = self.memberships.split_at_mut(place) else { return };
        self.post.set_progress(self.read);
        let old = membership.cursor.enter(next);
        // The log's: then this reader was the last one in it, and nobody else is going to let go of it soon.
        if old.give_back() == 1 && !membership.room.try_trim() {
            self.rare().untrimmed.push(since);
        }
    }

    /// Goes on where the log has kept messages, and works out how many are lost. Returns false, and does
    /// not, if that is beyond this pass: some of what is lost may depend on changes that it does not know of.
    #[cold]
    fn resume(&mut self, place: usize) -> bool {
        let me = self.me;
        let Some((since, membership, others)) = self.memberships.split_at_mut(place) else { return false };
        let room = Arc::clone(&membership.room);
        let end = membership.rare.as_ref().map_or(FOREVER, |rare| rare.messages);
        // Of a membership that is over nothing changes any more.
        let horizon = if membership.until() <= self.horizon { FOREVER } else { self.horizon };
        let resumed = room.resume(&mut membership.cursor, (me, since), end, horizon);
        let Some(Loss { messages: lost, account, breaks_policy }) = resumed else { return false };
        let not_mine = account.aimed.iter().filter(|aimed| {
            !aimed.audience.is_for(me, room.id(), |id| was_member(&others, id, aimed.sequence))
        });
        let mut missed = lost - not_mine.count() as u64;
        // Of those that leave out a socket which has left since, some may have been emitted after that.
        let is_member = membership.until() == FOREVER;
        let floor = self.rare.as_ref().map_or(0, |rare| rare.floor);
        let is_explained = account.aimed.iter().all(|aimed| aimed.sequence >= floor);
        let is_blurred = self.rare.as_ref().is_some_and(|rare| rare.is_cut_blurred);
        let exact = account.complete && is_explained && !is_blurred && (is_member || account.excluded == 0);
        if is_member {
            debug_assert!(missed >= account.excluded);
            missed = missed.saturating_sub(account.excluded);
        }
        if missed > 0 {
            let before = membership.take_gap();
            membership.rare().gap = Some(Gap {
                missed: missed + before.map_or(0, |gap| gap.missed),
                exact: exact && before.is_none_or(|gap| gap.exact),
                reason: GapReason::Backlog,
            });
            self.rare().is_overrun |= breaks_policy;
        }
        true
    }

    #[cold]
    fn set_last_gap(&mut self, place: Option<usize>, gap: Gap, sequence: u64) {
        self.last = Some(Last::Gap(place.map(|place| place as u32)));
        self.rare().last_gap = Some((gap, sequence));
    }

    fn rare(&mut self) -> &mut RareState {
        self.rare.get_or_insert_default()
    }

    /// Lets go of everything, for good.
    pub(crate) fn release(&mut self) {
        self.memberships.clear().for_each(|(_, membership)| membership.release());
    }

    fn forget_left(&mut self) {
        let (horizon, left) = (self.horizon, &mut self.left);
        // Dropped as they are removed: payloads are user code, but no lock is held here.
        self.memberships.retain(
            |membership| membership.until() > horizon,
            |membership| {
                *left -= 1;
                membership.release();
            },
        );
    }
}
