//! The reading half of a socket: its cursors, merged by sequence.
//!
//! It belongs to one reader (`&mut self`), so reading takes no lock and counts no reference.
//!
//! # A pass
//!
//! Reading goes in passes. One begins by loading the horizon, then takes in what the mailbox holds, and
//! then looks where each cursor stands. From there on it depends on nothing that changes: all that it
//! delivers is below the horizon, and whatever joins or leaves afterwards has a sequence above. So a
//! pass may stop after any delivery and go on later. When it has delivered everything, rooms that were left are
//! forgotten.
//!
//! *One look at each room.* Once a pass has handed out a message, a room in which it has found nothing, or nothing more,
//! is not looked at again in that pass: what has appeared in it since may have a sequence below what has been delivered
//! from others. Until then it may look again.
//!
//! Each cursor moves before its message is handed out: a message whose callback panicked counts as
//! delivered.
//!
//! # Plain passes and special ones
//!
//! Nearly always nothing but messages is to be read: nobody has left, nothing was lost, the socket is not being
//! closed, the pass before came to its end. Then a pass is [plain]: a merge of a few cursors that keeps its
//! state on the stack. All the rest is [special], and a plain pass that stops, or meets a cut log, goes on as a
//! special one. A callback's panic ends a plain pass; the next one goes on from the cursors.
//!
//! # Which cursors are looked at
//!
//! A membership is *armed* when its room has promised to tell of the next message (see `topic.rs`), and
//! then it need not be looked at. A reader that sleeps arms all. One that is polled arms none, so that
//! publishing to it costs nothing, as long as it has few rooms; with more than [`MANY`] it is [wide]: it arms
//! those that were idle for some passes, so that a pass costs as much as there are active rooms.

mod arming;
mod changes;
mod memberships;
mod plain;
mod special;
mod verdict;
mod wide;

pub(crate) use self::arming::Sleep;

use std::ops::ControlFlow;

use self::memberships::{Found, Memberships};
use self::plain::{Few, Short};
use self::verdict::{Counts, Notes, Pass};
use self::wide::Wide;
use crate::counters::Readings;
use crate::defect::{self, Defect};
use crate::delivery::{Delivery, Gap, Item};
use crate::event::EventTable;
use crate::mailbox::Ready;
use crate::merge::Heads;
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::sync::{Arc, IS_MODEL};
use crate::topic::Post;

/// With more memberships than this, idle ones are armed.
const MANY: usize = if IS_MODEL { 3 } else { 32 };
/// With fewer than this, they are no more.
const FEW: usize = if IS_MODEL { 2 } else { 16 };

/// Stands for a number of letters: the mailbox is to be looked into, whatever there were.
const NOT_COUNTED: u64 = u64::MAX;

/// What a short pass touches comes first, as little as it is: with many sockets that is most of what a drain costs.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Reader {
    /// Either the same as `letters`, and then the next pass is plain and there are few rooms, unless more letters were left
    /// since: it may be a [short](plain::Short) one. Or [`NOT_COUNTED`]. So one comparison tells all there is to know.
    short_at: u64,
    /// All below is read, in this pass.
    read: u64,
    me: SocketId,
    /// How many deliveries were handed out, gaps included.
    deliveries: u64,
    /// What it has done without, though it was for it; and whether there is something to [do](Self::take_due).
    notes: Notes,
    memberships: Memberships,
    /// The pass delivers what is below.
    horizon: u64,
    /// How many letters there were in the namespace when the mailbox was last found empty, or emptied.
    letters: u64,
    /// Whether the next pass is plain, unless the mailbox holds something.
    is_plain: bool,
    in_pass: bool,
    /// Whether somebody wants to know how far it has read.
    is_strict: bool,
    wide: Option<Box<Wide>>,
    post: Arc<Post>,
    /// What a special pass is at, once one has found something.
    heads: Option<Box<Heads>>,
    /// How many memberships are over and not forgotten yet.
    left: u32,
    /// How many messages of this pass were handed out one by one.
    handed: u32,
    /// Where the last delivery came from.
    last: Option<Last>,
    /// What a reader that is polled, has few rooms and loses nothing does not have.
    rare: Option<Box<RareState>>,
}

#[derive(Debug, Default)]
struct RareState {
    /// Empty, kept for its memory.
    ready: Ready,
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
    /// Of what it has read and lost so far, gaps and what they told of.
    lost: Readings,
    /// What was [taken](Reader::take_due) of that.
    accounted: Readings,
}

/// What is to be done about what a reader has read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// The socket is to be disconnected for its backlog.
    pub(crate) is_overrun: bool,
    /// What it has read and lost since this was last asked.
    pub(crate) more: Readings,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    /// In the membership at this place.
    Message(u32),
    Gap(Option<u32>),
}

impl Reader {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self {
            short_at: NOT_COUNTED,
            horizon: 0,
            read: 0,
            me: post.id(),
            is_plain: true,
            in_pass: false,
            is_strict: false,
            memberships: Memberships::new(),
            wide: None,
            post,
            heads: None,
            letters: NOT_COUNTED,
            left: 0,
            handed: 0,
            notes: Notes::default(),
            deliveries: 0,
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
        self.notes.counts().dropped
    }

    /// How many messages it has passed over as their lifetime was over.
    pub(crate) fn expired(&self) -> u64 {
        self.notes.counts().expired
    }

    /// How many messages it has passed over for a newer one of the same key.
    pub(crate) fn replaced(&self) -> u64 {
        self.notes.counts().replaced
    }

    /// So many deliveries more were handed out, gaps included.
    #[inline]
    pub(crate) fn count(&mut self, deliveries: usize) {
        self.deliveries += deliveries as u64;
    }

    /// What it has read and lost so far.
    pub(crate) fn readings(&self) -> Readings {
        let lost = self.rare.as_ref().map_or(Readings::default(), |rare| rare.lost);
        let Counts { dropped, expired, replaced } = self.notes.counts();
        let delivered = self.deliveries.saturating_sub(lost.gaps);
        Readings { delivered, volatile: dropped, expired, replaced, ..lost }
    }

    /// Whether there is something to [do](Self::take_due). Looked at after each drain.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.notes.is_due
    }

    /// What is to be done about what it has read. Tells of each once.
    #[cold]
    pub(crate) fn take_due(&mut self) -> Due {
        self.notes.is_due = false;
        let now = self.readings();
        let rare = self.rare();
        let before = std::mem::replace(&mut rare.accounted, now);
        Due { is_overrun: std::mem::take(&mut rare.is_overrun), more: now - before }
    }

    /// What it has read and lost since that was last asked, for a reader that reads no more.
    pub(crate) fn last_readings(&self) -> Readings {
        self.readings() - self.rare.as_ref().map_or(Readings::default(), |rare| rare.accounted)
    }

    /// Whether a pass has stopped, and is to be gone on with.
    pub(crate) fn in_pass(&self) -> bool {
        self.in_pass
    }

    /// Hands all that was published before this call to `f`, and counts how often it is called. If `f` breaks, the
    /// pass goes on with the next call. With `rest_only` that call does no more than that.
    ///
    /// What is here is all that a reader does as a rule, and is to be inlined; the rest is not.
    #[inline(always)]
    pub(crate) fn drain<B>(
        &mut self,
        order: &Order,
        events: &EventTable,
        rest_only: bool,
        count: &mut usize,
        mut f: impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        // What `f` emits is beyond it, also while an older pass comes to its end.
        let mut horizon = order.horizon();
        if order.letters() == self.short_at {
            debug_assert!(self.is_plain && !self.in_pass && self.wide.is_none());
            debug_assert_eq!(self.short_at, self.letters);
            if defect::is(Defect::LateHorizon) {
                horizon = order.horizon();
            }
            loop {
                match self.read_short(order, horizon, events, count, &mut f) {
                    Short::Over(flow) => return flow,
                    Short::One(place, handed) => {
                        return self.read_one((place, handed), order, horizon, events, count, &mut f);
                    }
                    Short::End(place) if self.cross(place, order, horizon) => {}
                    Short::End(_) | Short::More => break,
                }
            }
        }
        self.drain_several(order, horizon, events, rest_only, count, &mut f)
    }

    /// As [`drain`](Self::drain), whatever there is to do.
    #[inline(never)]
    fn drain_several<B>(
        &mut self,
        order: &Order,
        horizon: u64,
        events: &EventTable,
        rest_only: bool,
        count: &mut usize,
        f: &mut impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.in_pass {
            self.run::<false, B>(events, count, f)?;
            if rest_only {
                return ControlFlow::Continue(());
            }
        }
        self.take_letters(order, horizon);
        if let (true, Some(wide)) = (self.is_plain, &self.wide) {
            match self.memberships.find_at(wide.places(), self.horizon) {
                Found::Nothing => return self.end_plain(order, self.horizon),
                Found::One(place) => return self.read_wide(place, order, events, count, f),
                Found::More => {}
            }
        } else if self.is_plain {
            let mut heads = Few::new();
            if self.look_plainly(&mut heads).is_ok() {
                return match heads.alone() {
                    Some(place) => self.read_one((place, 0), order, self.horizon, events, count, f),
                    None => self.merge(&mut heads, order, events, count, f),
                };
            }
        }
        if self.begin() {
            self.run::<false, B>(events, count, f)?;
        }
        // Who stops often, or is wide, needs them again soon.
        if self.wide.is_none() {
            self.heads = None;
        }
        ControlFlow::Continue(())
    }

    /// As [`drain`](Self::drain), but begins no pass that delivers what is at or above `bound`.
    pub(crate) fn drain_below<B>(
        &mut self,
        bound: u64,
        order: &Order,
        events: &EventTable,
        count: &mut usize,
        mut f: impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let horizon = self.horizon_below(bound, order);
        self.drain_several(order, horizon, events, false, count, &mut f)
    }

    /// Moves on to the next delivery, if there is one: then [`current`](Self::current) returns it.
    pub(crate) fn advance(&mut self, order: &Order, events: &EventTable) -> bool {
        self.go_on(events) || self.start(order.horizon(), order, events)
    }

    /// As [`advance`](Self::advance), in the pass that has stopped, if there is one.
    pub(crate) fn go_on(&mut self, events: &EventTable) -> bool {
        self.last = None;
        self.in_pass && self.run_to_next(events)
    }

    /// As [`advance`](Self::advance), in a new pass over what is below this horizon. There is none that has stopped.
    pub(crate) fn start(&mut self, horizon: u64, order: &Order, events: &EventTable) -> bool {
        self.last = None;
        self.take_letters(order, horizon);
        self.begin() && self.run_to_next(events)
    }

    /// What is read stays read: there is nothing below the horizon of an earlier pass but what came late. So this is
    /// the horizon of a pass over what is below `bound`.
    pub(crate) fn horizon_below(&self, bound: u64, order: &Order) -> u64 {
        bound.clamp(self.read.max(1), order.horizon())
    }

    /// Whether a pass would find nothing, and change nothing either.
    pub(crate) fn is_up_to_date(&self, order: &Order) -> bool {
        self.is_plain
            && self.wide.is_none()
            && self.read == order.horizon()
            && self.letters == order.letters()
    }

    /// The delivery that [`advance`](Self::advance) moved on to.
    pub(crate) fn current<'a>(&'a self, events: &'a EventTable) -> Option<Delivery<'a>> {
        let room =
            |place: u32| self.memberships.list().get(place as usize).map(|membership| &membership.room);
        Some(match self.last? {
            Last::Message(place) => {
                let (sequence, entry) = self.memberships.cursors().get(place as usize)?.last()?;
                Delivery { item: Item::Message(entry), sequence, room: room(place), events }
            }
            Last::Gap(place) => {
                let (gap, sequence) = self.rare.as_ref()?.last_gap?;
                Delivery { item: Item::Gap(gap), sequence, room: place.and_then(room), events }
            }
        })
    }

    /// Lets go of everything, for good.
    pub(crate) fn release(&mut self) {
        self.memberships.release();
    }

    /// Sets the horizon, and takes in what is in the mailbox.
    ///
    /// The order of these two matters, see `topic.rs`: whatever a message below the horizon depends on is in the
    /// mailbox by the time that is looked into, and was counted among the letters.
    #[inline]
    fn take_letters(&mut self, order: &Order, horizon: u64) {
        self.horizon = horizon;
        self.is_strict = order.is_strict();
        let letters = order.letters();
        if letters != self.letters || !self.is_plain {
            self.letters = letters;
            if self.post.is_dirty() {
                self.take_changes();
            }
        }
        self.short_at = if self.is_plain && self.wide.is_none() { letters } else { NOT_COUNTED };
        if defect::is(Defect::LateHorizon) {
            self.horizon = order.horizon();
        }
    }

    /// The next pass is not plain.
    fn be_special(&mut self) {
        (self.is_plain, self.short_at) = (false, NOT_COUNTED);
    }

    /// Tells those who want to know how far it has read.
    #[inline]
    fn account(&mut self) {
        if self.is_strict {
            self.post.set_progress(self.read);
            self.notes.is_due = true;
        }
    }

    fn pass(&self, is_past: bool) -> Pass {
        Pass { me: self.me, horizon: self.horizon, is_past }
    }

    fn rare(&mut self) -> &mut RareState {
        self.rare.get_or_insert_default()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
