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

use crate::delivery::{Delivery, Gap, GapReason, Item};
use crate::entry::Entry;
use crate::event::EventTable;
use crate::mailbox::Wake;
use crate::merge::Heads;
use crate::order::Order;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::roll::{Others, Roll};
use crate::segment::{Cursor, Next, SegmentRef};
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::topic::{Change, Post, Topic};

/// With more memberships than this, idle ones are armed.
const MANY: usize = 32;
/// With fewer than this, they are no more.
const FEW: usize = 16;

#[derive(Debug)]
pub(crate) struct Reader {
    post: Arc<Post>,
    memberships: Roll<Membership, 2>,
    /// While there are many memberships: those that are not armed.
    hot: Vec<u64>,
    is_wide: bool,
    /// How many memberships are over and not forgotten yet.
    left: usize,
    heads: Heads,
    horizon: u64,
    in_pass: bool,
    /// All below is read, in this pass.
    read: u64,
    /// A gap over all rooms, to be told first.
    gap: Option<Gap>,
    /// Where the last delivery came from.
    last: Option<Last>,
    closing: Option<(u64, DisconnectReason)>,
    closed: Option<DisconnectReason>,
    // Kept for their memory.
    changes: Vec<Change>,
    ready: Vec<u64>,
    nothing: Payload,
}

#[derive(Debug)]
struct Membership {
    room: Arc<Topic>,
    cursor: Cursor<Entry>,
    /// It is over: what is at or above this sequence is not for the socket, and nor is what is at or
    /// above this message number of the log.
    until: u64,
    messages: u64,
    is_armed: bool,
    /// Lost before the message that the cursor is at.
    gap: Option<Gap>,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    Message { place: usize },
    Gap { place: Option<usize>, gap: Gap, sequence: u64 },
}

impl Reader {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self {
            post,
            memberships: Roll::new(),
            hot: Vec::new(),
            is_wide: false,
            left: 0,
            heads: Heads::default(),
            horizon: 0,
            in_pass: false,
            read: 0,
            gap: None,
            last: None,
            closing: None,
            closed: None,
            changes: Vec::new(),
            ready: Vec::new(),
            nothing: Payload::default(),
        }
    }

    /// Why the socket is closed, once everything that was published before is read.
    pub(crate) fn closed(&self) -> Option<&DisconnectReason> {
        self.closed.as_ref()
    }

    /// Hands all that was published before this call to `f`, and returns how often it was called.
    pub(crate) fn drain(
        &mut self,
        order: &Order,
        events: &EventTable,
        mut f: impl FnMut(Delivery<'_>),
    ) -> usize {
        let mut count = 0;
        if self.in_pass {
            count += self.run::<false>(events, &mut f);
        }
        if self.begin(order) {
            count += self.run::<false>(events, &mut f);
        }
        count
    }

    /// Moves on to the next delivery, if there is one: then [`current`](Self::current) returns it.
    pub(crate) fn advance(&mut self, order: &Order, events: &EventTable) -> bool {
        self.last = None;
        let mut ignore = |_: Delivery<'_>| {};
        self.in_pass && self.run::<true>(events, &mut ignore) > 0
            || self.begin(order) && self.run::<true>(events, &mut ignore) > 0
    }

    /// The delivery that [`advance`](Self::advance) moved on to.
    pub(crate) fn current<'a>(&'a self, events: &'a EventTable) -> Option<Delivery<'a>> {
        Some(match self.last? {
            Last::Message { place } => {
                let membership = self.memberships.at(place)?;
                let (sequence, entry) = membership.cursor.last()?;
                Delivery { item: Item::Message(entry), sequence, room: Some(&membership.room), events }
            }
            Last::Gap { place, gap, sequence } => {
                let room = place.and_then(|place| self.memberships.at(place));
                let room = room.map(|membership| &*membership.room);
                Delivery { item: Item::Gap(gap, &self.nothing), sequence, room, events }
            }
        })
    }

    /// Leaves word to be woken when there is something to read. Returns false, and does not, if there is
    /// something already.
    pub(crate) fn sleep(&mut self, wake: Wake) -> bool {
        if self.in_pass || self.closed.is_some() || !self.post.sleep(wake) {
            return false;
        }
        for place in 0..self.memberships.places() {
            let Some((since, membership, _)) = self.memberships.split_at_mut(place) else { continue };
            if !membership.is_armed {
                membership.is_armed = membership.room.arm(&self.post, since, &membership.cursor);
                if !membership.is_armed {
                    self.post.stay_awake();
                    self.cool();
                    return false;
                }
            }
        }
        self.hot.clear();
        true
    }

    /// Begins a pass, and tells whether there is anything in it.
    fn begin(&mut self, order: &Order) -> bool {
        // The order of these two matters, see `topic.rs`: whatever a message below the horizon depends
        // on is in the mailbox by now.
        self.horizon = order.horizon();
        if self.post.is_dirty() {
            self.take_changes();
        }
        if self.closed.is_some() {
            return false;
        }
        self.heads.clear();
        if self.is_wide {
            for index in 0..self.hot.len() {
                if let Some(place) = self.memberships.position(self.hot[index]) {
                    self.look(place);
                }
            }
        } else {
            for place in 0..self.memberships.places() {
                if self.memberships.at(place).is_some_and(|membership| !membership.is_armed) {
                    self.look(place);
                }
            }
        }
        self.heads.order();
        self.in_pass = true;
        if self.heads.first().is_none() && self.gap.is_none() {
            self.finish();
        }
        self.in_pass
    }

    /// Delivers what is left of the pass, or with `ONE` the next message.
    #[inline]
    fn run<const ONE: bool>(&mut self, events: &EventTable, f: &mut impl FnMut(Delivery<'_>)) -> usize {
        let mut count = 0;
        if let Some(gap) = self.gap.take() {
            let sequence = self.read;
            self.last = Some(Last::Gap { place: None, gap, sequence });
            f(Delivery { item: Item::Gap(gap, &self.nothing), sequence, room: None, events });
            count += 1;
            if ONE {
                return count;
            }
        }
        let me = self.post.id();
        while let Some((place, second)) = self.heads.first() {
            let Some((_, membership, others)) = self.memberships.split_at_mut(place) else {
                unreachable!("memberships stay for the length of a pass");
            };
            // Copies of one message have the same sequence, so up to and including the second.
            let bound = second.saturating_add(1).min(self.horizon).min(membership.until);
            let room = &*membership.room;
            if let Some(gap) = membership.gap.take() {
                let sequence = membership.cursor.sequence().unwrap_or(bound).min(bound);
                self.last = Some(Last::Gap { place: Some(place), gap, sequence });
                f(Delivery { item: Item::Gap(gap, &self.nothing), sequence, room: Some(room), events });
                count += 1;
                if ONE {
                    return count;
                }
            }
            while let Some((sequence, entry)) = membership.cursor.take_below(bound) {
                self.read = sequence + 1;
                if is_for(entry, sequence, me, room, &others) {
                    if ONE {
                        self.last = Some(Last::Message { place });
                        return 1;
                    }
                    f(Delivery { item: Item::Message(entry), sequence, room: Some(room), events });
                    count += 1;
                }
            }
            let next = self.next_sequence(place);
            self.heads.advance(next);
        }
        self.finish();
        count
    }

    /// Ends a pass that is read to its end.
    fn finish(&mut self) {
        self.in_pass = false;
        self.read = self.horizon;
        self.post.set_progress(self.horizon);
        if self.left > 0 {
            self.forget_left();
        }
        if let Some((_, reason)) = self.closing.take_if(|(at, _)| *at < self.horizon) {
            self.closed = Some(reason);
            self.left = 0;
            self.hot = Vec::new();
            drop(self.memberships.clear());
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
            let (_, membership, _) = self.memberships.split_at_mut(place)?;
            let bound = self.horizon.min(membership.until);
            if let Some(sequence) = membership.cursor.sequence() {
                if sequence < bound {
                    return Some(sequence);
                }
                break;
            }
            if !membership.cursor.at_end() {
                break;
            }
            match membership.cursor.segment().next() {
                Next::Open => break,
                Next::Segment(next) => self.enter(place, next),
                Next::Cut => self.resume(place),
            }
        }
        // A gap is told before the message after it; if the membership ends before that, at its end.
        let membership = self.memberships.at(place)?;
        (membership.gap.is_some() && membership.until <= self.horizon).then(|| membership.until - 1)
    }

    fn enter(&mut self, place: usize, next: SegmentRef<Entry>) {
        let Some((_, membership, _)) = self.memberships.split_at_mut(place) else { return };
        self.post.set_progress(self.read);
        let old = membership.cursor.enter(next);
        // The log and this reader: then nobody else is going to let go of it soon.
        let is_last = old.refs() <= 2;
        drop(old);
        if is_last {
            membership.room.trim();
        }
    }

    /// Goes on where the log has kept messages, and works out how many are lost.
    #[cold]
    fn resume(&mut self, place: usize) {
        let me = self.post.id();
        let Some((_, membership, others)) = self.memberships.split_at_mut(place) else { return };
        let room = Arc::clone(&membership.room);
        let (lost, account) = room.resume(&mut membership.cursor, me, membership.messages);
        let not_mine = account.aimed.iter().filter(|aimed| {
            !aimed.audience.is_for(me, room.id(), |id| was_member(&others, id, aimed.sequence))
        });
        let mut missed = lost - not_mine.count() as u64;
        // Of those that exclude a socket which has left since, some may have been emitted after that; and
        // nobody counts them for one that is closed.
        let is_member = membership.until == u64::MAX;
        let exact = account.complete && (is_member || account.excluded == 0 && self.closing.is_none());
        if is_member {
            debug_assert!(missed >= account.excluded);
            missed = missed.saturating_sub(account.excluded);
        }
        if missed > 0 {
            let before = membership.gap.take();
            membership.gap = Some(Gap {
                missed: missed + before.map_or(0, |gap| gap.missed),
                exact: exact && before.is_none_or(|gap| gap.exact),
                reason: GapReason::Backlog,
            });
        }
    }

    #[cold]
    fn take_changes(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        let mut ready = std::mem::take(&mut self.ready);
        self.post.take(&mut changes, &mut ready);
        let mut folded = None;
        for change in changes.drain(..) {
            match change {
                Change::Joined { since, room, cursor } => {
                    let (until, messages) = (u64::MAX, u64::MAX);
                    let membership = Membership { room, cursor, until, messages, is_armed: false, gap: None };
                    self.memberships.push(since, membership);
                    self.hot.extend(self.is_wide.then_some(since));
                }
                Change::Left { since, until, messages } => {
                    let Some(place) = self.memberships.position(since) else { continue };
                    let Some(membership) = self.memberships.at_mut(place) else { continue };
                    (membership.until, membership.messages) = (until, messages);
                    self.left += 1;
                    // It may have been fired without our having been told yet.
                    self.heat(since);
                }
                Change::Folded { floor, lost, exact } => folded = Some((floor, lost, exact)),
                Change::Closed { at, reason } => {
                    for place in 0..self.memberships.places() {
                        if let Some(membership) = self.memberships.at_mut(place) {
                            membership.until = membership.until.min(at);
                        }
                    }
                    self.closing = Some((at, reason));
                }
            }
        }
        for since in ready.drain(..) {
            self.heat(since);
        }
        (self.changes, self.ready) = (changes, ready);
        let is_wide = self.memberships.len() > if self.is_wide { FEW } else { MANY };
        if is_wide && !self.is_wide {
            let awake = self.memberships.iter().filter(|(_, membership)| !membership.is_armed);
            self.hot = awake.map(|(since, _)| since).collect();
        } else if !is_wide {
            self.hot.clear();
        }
        self.is_wide = is_wide;
        if let Some((floor, lost, exact)) = folded {
            self.skip_to(floor, lost, exact);
        }
    }

    /// The membership is armed no more.
    fn heat(&mut self, since: u64) {
        let Some(place) = self.memberships.position(since) else { return };
        let Some(membership) = self.memberships.at_mut(place) else { return };
        if std::mem::take(&mut membership.is_armed) && self.is_wide {
            self.hot.push(since);
        }
    }

    /// Arms what is idle, as far as that needs no waiting.
    fn cool(&mut self) {
        let Self { hot, memberships, post, .. } = self;
        hot.retain(|&since| {
            let Some(place) = memberships.position(since) else { return false };
            let Some(membership) = memberships.at_mut(place) else { return false };
            membership.is_armed = membership.is_armed
                || membership.until == u64::MAX && membership.room.try_arm(post, since, &membership.cursor);
            !membership.is_armed
        });
    }

    fn forget_left(&mut self) {
        let (horizon, left) = (self.horizon, &mut self.left);
        // Dropped as they are removed: payloads are user code, but no lock is held here.
        self.memberships.retain(
            |membership| membership.until > horizon,
            |membership| {
                *left -= 1;
                drop(membership);
            },
        );
    }

    /// Passes over all messages below `floor`, which are lost.
    #[cold]
    fn skip_to(&mut self, floor: u64, lost: u64, exact: bool) {
        let me = self.post.id();
        let (mut missed, mut exact) = (lost, exact);
        for place in 0..self.memberships.places() {
            while self.next_sequence(place).is_some_and(|sequence| sequence < floor) {
                let Some((_, membership, others)) = self.memberships.split_at_mut(place) else { break };
                let gap = membership.gap.take();
                missed += gap.map_or(0, |gap| gap.missed);
                exact &= gap.is_none_or(|gap| gap.exact);
                let bound = floor.min(membership.until);
                let room = &*membership.room;
                while let Some((sequence, entry)) = membership.cursor.take_below(bound) {
                    missed += u64::from(is_for(entry, sequence, me, room, &others));
                    exact &= !matches!(entry, Entry::Aimed { audience, .. } if audience.asks_for_rooms());
                }
            }
        }
        self.read = self.read.max(floor);
        if missed > 0 {
            self.gap = Some(Gap { missed, exact, reason: GapReason::Memberships });
        }
    }
}

/// Whether a message that a member of `room` met is for it.
#[inline(always)]
fn is_for(entry: &Entry, sequence: u64, me: SocketId, room: &Topic, others: &Others<'_, Membership>) -> bool {
    match entry {
        Entry::All { .. } => true,
        Entry::NotSender { sender, .. } => *sender != me,
        Entry::NotSocket { excluded, .. } => *excluded != me,
        Entry::Aimed { audience, .. } => {
            audience.is_for(me, room.id(), |id| was_member(others, id, sequence))
        }
    }
}

/// Whether one of these memberships was in that room at that sequence.
fn was_member(memberships: &Others<'_, Membership>, room: u64, sequence: u64) -> bool {
    memberships.iter().any(|(since, membership)| {
        membership.room.id() == room && (since..membership.until).contains(&sequence)
    })
}
