//! The append-only log of a room, over [segments](crate::segment): what to keep, and for whom.
//!
//! A log is used under its room's lock. It knows nothing of its readers but this:
//!
//! * `head` is the oldest segment that the log itself holds on to, and holds, through the links, all
//!   up to the tail. A cursor reads on from its segment through the same links.
//! * **Read segments go.** While nobody is *parked* (below), `head` moves on past every segment that no
//!   cursor is in. Rotation does it, and readers that were the last to leave a segment.
//! * **Unread segments go at the limit.** When all that came after `head` reaches the backlog limit,
//!   `head` moves on even though cursors are in it. The segment's link is cut, so those cursors hold
//!   this one segment and nothing after it; they are *parked*. While any are, the log keeps what is
//!   within the limit for them.
//! * **What the left-behind are told.** A parked cursor first reads what is left in its own segment. Then
//!   it [resumes](Log::resume) at `head`, and the number of messages between is the difference of two
//!   message counts, whatever became of the segments.
//!
//! So, whoever stalls, one log holds at most `limit + 1` segment of messages, and each parked cursor
//! at most one segment more.

use std::mem;

use smallvec::SmallVec;

use crate::defect::{self, Defect};
use crate::segment::{Cursor, Next, Position, SegmentRef, SegmentWriter};
use crate::sync::{Arc, IS_MODEL};

/// The slots of a log's first segment; each next one has twice as many, up to [`STEADY`], and beyond
/// only where readers lag by whole segments. In a room that is [`SLOW`] each has half as many as the one before.
const FIRST: u32 = if IS_MODEL { 2 } else { 4 };
/// How large segments get in a room that is read as fast as it is written.
const STEADY: u32 = if IS_MODEL { 2 } else { 16 };
/// A room is slow that takes in less than one in so many of the messages of its namespace.
const SLOW: u64 = 1 << 14;

/// More bytes than these that were read are let go of when all members sleep.
const IDLE_BYTES: u64 = 16 << 10;

/// Segments let go of under a lock, to be dropped after it: payloads are user code.
pub(crate) type Garbage<T> = SmallVec<[SegmentRef<T>; 2]>;

/// How much a log keeps for cursors that do not read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)] // what an append looks at comes first, as in a log
pub(crate) struct Limits {
    /// What may come after the head before the head goes.
    pub(crate) backlog: Position,
    /// The most slots in a segment.
    pub(crate) segment_slots: u32,
    /// How many bytes close a segment early.
    pub(crate) segment_bytes: u64,
}

/// What an append touches comes first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Log<T> {
    tail: SegmentWriter<T>,
    taken: Position,
    /// Once as much as this is taken in, the head is over the limit: nothing is while it is the tail.
    overflow: Position,
    /// The tail has taken in enough once so many bytes are taken in.
    heavy: u64,
    limits: Limits,
    head: SegmentRef<T>,
    /// What few logs have.
    held: Option<Box<Held>>,
}

/// What is held on to for those who do not read along.
#[derive(Debug)]
struct Held {
    /// Messages from this number on, read or not.
    floor: u64,
    /// The segments that were cut and in which there are cursors; may hold some in which there are none
    /// any more. By `end`, rising.
    parked: Vec<Parked>,
    /// The `end` of the last one.
    last_parked: u64,
}

#[derive(Debug)]
struct Parked {
    /// The message number after its last one: where a cursor in it resumes from.
    end: u64,
    /// The segment has a clone, for as long as it lives.
    alive: Arc<()>,
}

impl Default for Held {
    fn default() -> Self {
        Self { floor: u64::MAX, parked: Vec::new(), last_parked: 0 }
    }
}

impl Parked {
    fn is_alive(&self) -> bool {
        Arc::strong_count(&self.alive) > 1
    }
}

/// What a cursor missed: messages number `from` up to, and not including, `to` of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

const NEVER: Position = Position { messages: u64::MAX, bytes: u64::MAX };

impl<T> Log<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        let first = FIRST.min(limits.segment_slots);
        let tail = SegmentWriter::new(first, Position::default());
        Self {
            head: tail.segment().clone(),
            tail,
            taken: Position::default(),
            overflow: NEVER,
            heavy: limits.segment_bytes,
            limits,
            held: None,
        }
    }

    /// Appends an item that weighs `bytes`, and tells whether the head is over the limit now: then
    /// the caller [lets go](Self::let_go) of it. More than the limit counts as the limit.
    #[inline]
    pub(crate) fn append(&mut self, sequence: u64, item: T, bytes: u64, trash: &mut Garbage<T>) -> bool {
        let bytes = bytes.min(self.limits.backlog.bytes);
        if self.tail.is_full() || self.tail_is_heavy(bytes) {
            self.rotate(sequence, trash);
        }
        self.append_fitting(sequence, bytes, || item);
        self.is_over()
    }

    /// Whether an item that weighs `bytes` goes into the tail as it is, and leaves the head within the
    /// limit.
    #[inline(always)]
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        !self.tail.is_full()
            && bytes <= self.limits.backlog.bytes
            && !self.tail_is_heavy(bytes)
            && self.taken.messages + 1 < self.overflow.messages
            && self.taken.bytes.saturating_add(bytes) < self.overflow.bytes
    }

    /// Appends an item that [fits](Self::fits), made in its slot.
    #[inline(always)]
    pub(crate) fn append_fitting(&mut self, sequence: u64, bytes: u64, make: impl FnOnce() -> T) {
        self.tail.push_with(sequence, make);
        self.taken.messages += 1;
        self.taken.bytes = self.taken.bytes.saturating_add(bytes);
    }

    /// The sequence of the last message, 0 if there never was one; or `None`, if that is not known any more.
    pub(crate) fn last_sequence(&self) -> Option<u64> {
        let last = self.tail.segment().iter().last().map(|(sequence, _)| sequence);
        last.or((self.taken.messages == 0).then_some(0))
    }

    /// How many messages it has taken in.
    pub(crate) fn messages(&self) -> u64 {
        self.taken.messages
    }

    /// What it has taken in.
    pub(crate) fn taken(&self) -> Position {
        self.taken
    }

    /// How many messages are held for cursors, or would be if there were any that lag.
    pub(crate) fn retained(&self) -> u64 {
        self.taken.messages - self.head.start().messages
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// How many bytes these are, and what shares their segments.
    pub(crate) fn retained_bytes(&self) -> u64 {
        self.taken.bytes - self.head.start().bytes
    }

    /// How many of the messages that it holds have this sequence or a later one. O(segments).
    pub(crate) fn since(&self, sequence: u64) -> u64 {
        let segment = self.last_segment(|next| next.iter().next().is_some_and(|(first, _)| first < sequence));
        let earlier = segment.iter().take_while(|(it, _)| *it < sequence).count() as u64;
        self.taken.messages - segment.start().messages - earlier
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.overflow = self.end_of_head();
        self.heavy = self.end_of_tail();
    }

    /// Holds on to messages from this number on, read or not, up to the limit.
    pub(crate) fn hold_from(&mut self, floor: u64) {
        if floor != self.floor() {
            self.held.get_or_insert_default().floor = floor;
        }
    }

    /// A cursor at a message that the log holds on to. A step for each segment before it.
    pub(crate) fn cursor_at(&self, number: u64) -> Cursor<T> {
        let segment = self.last_segment(|next| next.start().messages <= number);
        segment.cursor((number - segment.start().messages) as u32)
    }

    /// Whether the head is over the limit.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.taken.messages >= self.overflow.messages || self.taken.bytes >= self.overflow.bytes
    }

    /// A cursor after the last item.
    pub(crate) fn end(&self) -> Cursor<T> {
        self.tail.end()
    }

    /// The segment that goes first.
    pub(crate) fn head(&self) -> &SegmentRef<T> {
        &self.head
    }

    /// Whether cursors that were cut off have yet to resume.
    pub(crate) fn has_parked(&mut self) -> bool {
        let Some(Held { parked, .. }) = self.held.as_deref_mut() else { return false };
        while let Some(last) = parked.last() {
            if last.is_alive() {
                return true;
            }
            parked.pop();
        }
        false
    }

    /// From where on messages are lost to the cursors that were cut off last.
    pub(crate) fn last_parked(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.last_parked)
    }

    /// Whether there are cursors that resume from this message number.
    pub(crate) fn is_parked(&self, end: u64) -> bool {
        let Some(Held { parked, .. }) = self.held.as_deref() else { return false };
        let place = parked.binary_search_by_key(&end, |parked| parked.end);
        place.is_ok_and(|place| parked[place].is_alive())
    }

    /// Lets go of the head, unless it is the tail: then it returns false. Cursors in it are parked.
    pub(crate) fn let_go(&mut self, trash: &mut Garbage<T>) -> bool {
        let Some(next) = self.after_head() else { return false };
        if self.head.is_unique() {
            self.head.unlink();
        } else {
            let alive = Arc::new(());
            self.head.cut(Arc::clone(&alive));
            let Held { parked, last_parked, .. } = &mut **self.held.get_or_insert_default();
            *last_parked = next.start().messages;
            if parked.len() == parked.capacity() {
                parked.retain(Parked::is_alive);
            }
            parked.push(Parked { end: *last_parked, alive });
        }
        self.move_head(next, trash);
        true
    }

    /// Lets go of all messages, as far as no cursor is left: for a room that has lost its last member.
    pub(crate) fn retire(&mut self, trash: &mut Garbage<T>) {
        if self.tail.len() > 0 {
            self.go_on(FIRST, trash);
            self.overflow = self.end_of_head();
        }
        self.trim(trash);
    }

    /// Puts off letting go of the head until one more segment's worth has come in.
    pub(crate) fn put_off(&mut self) {
        self.overflow.messages = self.taken.messages + u64::from(self.limits.segment_slots);
        self.overflow.bytes = self.taken.bytes.saturating_add(self.limits.segment_bytes);
    }

    /// Lets go of all that nobody is going to read.
    pub(crate) fn trim(&mut self, trash: &mut Garbage<T>) {
        while self.head.is_unique() && !self.has_parked() {
            let Some(next) = self.after_head().filter(|next| next.start().messages <= self.floor()) else {
                return;
            };
            self.head.unlink(); // or its link, in the trash, would keep the next one from being unique
            self.move_head(next, trash);
        }
    }

    /// Moves a parked cursor, which has read all of its segment, to the head.
    pub(crate) fn resume(&self, cursor: &mut Cursor<T>, trash: &mut Garbage<T>) -> Missed {
        let missed = Missed { from: cursor.messages(), to: self.head.start().messages };
        trash.push(cursor.enter(self.head.clone()));
        missed
    }

    /// Moves a cursor that has read everything, and whose reader is about to sleep, out of a segment that is large
    /// or heavy: once all are gone from it, it goes.
    pub(crate) fn settle(&mut self, cursor: &mut Cursor<T>, trash: &mut Garbage<T>) {
        let tail = self.tail.segment();
        let is_large = tail.capacity() > STEADY || self.taken.bytes - tail.start().bytes > IDLE_BYTES;
        // An empty one is neither.
        if is_large {
            self.trim(trash);
            self.go_on(FIRST, trash);
        }
        if !cursor.segment().is(self.tail.segment()) {
            trash.push(cursor.enter(self.tail.segment().clone()));
        }
    }

    /// Goes on in a new segment, which begins with the message of this sequence.
    fn rotate(&mut self, sequence: u64, trash: &mut Garbage<T>) {
        self.trim(trash);
        let slots = self.tail.segment().capacity();
        // Where messages are held on to, that says nothing of readers: a sixteenth of what there is will do.
        let is_much = self.floor() == u64::MAX || self.retained() >= u64::from(slots) * 16;
        let lagging = !self.head.is(self.tail.segment()) && is_much;
        let slots = match slots {
            _ if self.is_slow(sequence) => FIRST.max(slots / 2),
            _ if slots < STEADY || lagging => slots * 2,
            _ => slots,
        };
        self.go_on(slots, trash);
    }

    /// Goes on in a new segment of so many slots.
    fn go_on(&mut self, slots: u32, trash: &mut Garbage<T>) {
        let is_alone = self.head.is(self.tail.segment());
        self.tail.rotate(slots.min(self.limits.segment_slots), self.taken);
        self.heavy = self.end_of_tail();
        if is_alone {
            self.overflow = self.end_of_head();
            self.trim(trash);
        }
    }

    /// Whether others have taken in much more, from the tail's first message up to this sequence.
    fn is_slow(&self, sequence: u64) -> bool {
        let first = self.tail.segment().iter().next();
        first.is_some_and(|(first, _)| sequence - first > SLOW * u64::from(self.tail.len()))
    }

    /// The last segment that begins early enough, or the head. The log holds all of them, so nothing is destroyed here.
    fn last_segment(&self, is_early: impl Fn(&SegmentRef<T>) -> bool) -> SegmentRef<T> {
        let mut segment = self.head.clone();
        while let Next::Segment(next) = segment.next() {
            if !is_early(&next) {
                break;
            }
            segment = next;
        }
        segment
    }

    fn floor(&self) -> u64 {
        self.held.as_ref().map_or(u64::MAX, |held| held.floor)
    }

    fn tail_is_heavy(&self, bytes: u64) -> bool {
        self.taken.bytes.saturating_add(bytes) > self.heavy && self.tail.len() > 0
    }

    /// Up to how many bytes taken in the tail is not heavy.
    fn end_of_tail(&self) -> u64 {
        self.tail.segment().start().bytes.saturating_add(self.limits.segment_bytes)
    }

    fn move_head(&mut self, next: SegmentRef<T>, trash: &mut Garbage<T>) {
        let old = mem::replace(&mut self.head, next);
        if defect::is(Defect::ForgottenArc) {
            mem::forget(old.clone());
        }
        trash.push(old);
        self.overflow = self.end_of_head();
    }

    /// The overflow mark that belongs to the present head.
    fn end_of_head(&self) -> Position {
        let Some(next) = self.after_head() else { return NEVER };
        let (end, limit) = (next.start(), self.limits.backlog);
        Position {
            messages: end.messages.saturating_add(limit.messages),
            bytes: end.bytes.saturating_add(limit.bytes),
        }
    }

    fn after_head(&self) -> Option<SegmentRef<T>> {
        match self.head.next() {
            Next::Segment(next) => Some(next),
            Next::Open => None,
            Next::Cut => unreachable!("a log moves its head off a segment that it cuts"),
        }
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
