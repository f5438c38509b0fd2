//! A room's history: which of the messages in its log are kept for those who come later.
//!
//! # Invariant, under the room's lock
//!
//! There is a mark for each message that is kept, in order, and the log holds on to all from the first mark on. So
//! whoever joins under the lock may begin at any mark, and misses nothing from there on.
//!
//! The past of a membership is a membership of its own that is over from the start: it ends where the socket
//! joins. So history and live messages meet at one point of the order, and a reader merges both as it merges rooms.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Change, Inner, Pile, Post, Topic, Trash, Victims};
use crate::clock::Now;
use crate::defect::{self, Defect};
use crate::entry::Entry;
use crate::history::{Extent, Found, History, Past};
use crate::log::{Garbage, Limits};
use crate::order::Order;
use crate::segment::{Cursor, Position};
use crate::sync::Arc;

#[derive(Debug)]
pub(super) struct Kept {
    history: History,
    /// The room's, by itself.
    limits: Limits,
    now: Now,
    marks: VecDeque<Mark>,
    /// Of all messages that it has kept since it was set.
    bytes: u64,
    /// The sequence below which, and at which, messages are not kept.
    gone: u64,
    /// Whether one has gone that was kept.
    has_lost: bool,
}

/// A message that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    /// Its number in the log.
    pub(super) number: u64,
    /// Bytes of those before it.
    before: u64,
    at: Duration,
}

/// What a socket gets that was published before it joined: a membership of its own, which is over.
#[derive(Debug)]
pub(crate) struct Before {
    /// The sequence at which it ends, which names it.
    pub(crate) at: u64,
    pub(crate) room: Arc<Topic>,
    pub(crate) cursor: Cursor<Entry>,
    /// How much there is.
    pub(super) unread: Position,
    /// The number of the first message after it.
    pub(crate) end: u64,
    /// Whether only messages that have a key are wanted.
    pub(crate) is_keyed: bool,
}

/// Where to begin to read what is kept, and where to end.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) cursor: Cursor<Entry>,
    /// The number of the first message after it.
    pub(crate) end: u64,
    /// Above all sequences in it, and whatever has replaced one of them by now.
    pub(crate) horizon: u64,
}

impl Topic {
    /// What is kept from now on, if anything is. Returns what it lets go of.
    pub(crate) fn set_history(&self, history: Option<History>, order: &Order, now: &Now) -> Garbage<Entry> {
        let mut trash = Garbage::new();
        let mut inner = self.inner.lock();
        let before = inner.log.last_sequence().unwrap_or(order.horizon() - 1);
        let limits = inner.limits();
        match history {
            Some(history) => {
                let kept = &mut inner.extras().kept;
                kept.get_or_insert_with(|| Box::new(Kept::new(limits, now, before))).set_history(history);
            }
            None => inner.extras.iter_mut().for_each(|extras| extras.kept = None),
        }
        inner.set_limits(limits);
        inner.hold(&mut trash);
        drop(inner);
        trash
    }

    pub(crate) fn history(&self) -> Option<History> {
        self.inner.lock().kept().map(|kept| kept.history)
    }

    /// What is kept of the past. Whoever has read it lets the room [trim](Self::trim).
    pub(crate) fn past(&self, past: Past, order: &Order) -> (Option<Stretch>, Found) {
        let mut trash = Garbage::new();
        let mut inner = self.inner.lock();
        let (mark, found, _) = inner.find(past, &mut trash);
        let stretch = mark.map(|mark| Stretch {
            cursor: inner.log.cursor_at(mark.number),
            end: inner.log.messages(),
            horizon: order.horizon(),
        });
        (stretch, found)
    }

    /// Leaves what is kept of the past with a socket that is about to join.
    pub(super) fn add_past(
        this: &Arc<Self>,
        inner: &mut Inner,
        past: Past,
        (order, post, pile): (&Order, &Arc<Post>, &Pile),
        trash: &mut Trash,
    ) -> Found {
        let (mark, found, bytes) = inner.find(past, &mut trash.segments);
        if let Some(mark) = mark {
            let first = mark.number + u64::from(defect::is(Defect::PastStart));
            let (cursor, end) = (inner.log.cursor_at(first), inner.log.messages());
            let unread = Position { messages: end - mark.number, bytes };
            let (room, is_keyed) = (Arc::clone(this), past.extent == Extent::Latest);
            let before = Before { at: order.next(), room, cursor, unread, end, is_keyed };
            trash.tell(order, post, Change::Past(Box::new(before)), pile);
        }
        found
    }
}

impl Inner {
    /// Lets members lag behind as far as these limits say, or as the history does that is kept anyway.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        let mut backlog = limits.backlog;
        if let Some(kept) = self.kept_mut() {
            kept.limits = limits;
            backlog.messages = backlog.messages.max(kept.history.message_limit() as u64);
            backlog.bytes = backlog.bytes.max(kept.history.byte_limit() as u64);
        }
        self.log.set_limits(Limits { backlog, ..limits });
    }

    /// The limits that were set.
    fn limits(&self) -> Limits {
        self.kept().map_or(self.log.limits(), |kept| kept.limits)
    }

    fn kept(&self) -> Option<&Kept> {
        self.extras.as_ref()?.kept.as_deref()
    }

    fn kept_mut(&mut self) -> Option<&mut Kept> {
        self.extras.as_mut()?.kept.as_deref_mut()
    }

    /// Appends to the log, and keeps the message if it is one that a history keeps.
    #[inline(never)]
    pub(super) fn append_kept(
        &mut self,
        sequence: u64,
        entry: Entry,
        bytes: u64,
        victims: &mut Victims,
        trash: &mut Garbage<Entry>,
    ) {
        let is_kept = entry.is_kept();
        if self.log.append(sequence, entry, bytes, trash) {
            self.shed(victims, trash);
        }
        let (head, last) = (self.log.head().start().messages, self.log.messages() - 1);
        if let Some(kept) = self.kept_mut() {
            kept.forget_below(head);
            if is_kept {
                kept.push(sequence, last, bytes);
            }
            kept.sweep();
        }
        self.hold(trash);
    }

    fn find(&mut self, past: Past, trash: &mut Garbage<Entry>) -> (Option<Mark>, Found, u64) {
        let Some(kept) = self.kept_mut() else { return (None, Found::default(), 0) };
        kept.sweep();
        let found = kept.find(past);
        self.hold(trash);
        found
    }

    /// Has the log hold on to what is kept, and to no more.
    fn hold(&mut self, trash: &mut Garbage<Entry>) {
        self.log.hold_from(self.kept().map_or(u64::MAX, Kept::from));
        self.trim(trash);
    }
}

impl Kept {
    /// Keeps messages that come after this sequence.
    fn new(limits: Limits, now: &Now, sequence: u64) -> Self {
        Self {
            history: History::new(),
            limits,
            now: now.clone(),
            marks: VecDeque::new(),
            bytes: 0,
            gone: sequence,
            has_lost: false,
        }
    }

    fn set_history(&mut self, history: History) {
        self.history = history;
        self.sweep();
    }

    /// Keeps a message. [Sweeping](Self::sweep) is to follow.
    fn push(&mut self, sequence: u64, number: u64, bytes: u64) {
        self.marks.push_back(Mark { sequence, number, before: self.bytes, at: self.now.get() });
        self.bytes += bytes;
    }

    /// Keeps no more what the history's limits do not allow.
    fn sweep(&mut self) {
        let now = self.now.get();
        while let Some(first) = self.marks.front() {
            let is_much = self.marks.len() > self.history.message_limit()
                || self.bytes - first.before > self.history.byte_limit() as u64 && self.marks.len() > 1;
            // At the very age it is too old, but not in the tick in which it came.
            let is_older = |age| now.saturating_sub(first.at) >= age && now > first.at;
            let is_old = self.history.age_limit().is_some_and(is_older);
            if !is_much && !is_old {
                break;
            }
            self.drop_first();
        }
    }

    /// Keeps no more what the log has let go of.
    fn forget_below(&mut self, number: u64) {
        while self.marks.front().is_some_and(|first| first.number < number) {
            self.drop_first();
        }
    }

    /// The number from which on the log is to hold on to messages.
    fn from(&self) -> u64 {
        self.marks.front().map_or(u64::MAX, |first| first.number)
    }

    /// The first message that is wanted, if there is one, and what that is of what was asked for; how many bytes
    /// it and those after it have.
    fn find(&self, past: Past) -> (Option<Mark>, Found, u64) {
        let len = self.marks.len();
        let (first, is_complete) = match past.extent {
            Extent::All | Extent::Latest => (0, !self.has_lost),
            Extent::Last(messages) => (len.saturating_sub(messages), messages <= len || !self.has_lost),
            Extent::Since(sequence) => {
                (self.marks.partition_point(|mark| mark.sequence <= sequence), sequence >= self.gone)
            }
        };
        let mark = self.marks.get(first).copied();
        let bytes = mark.map_or(0, |mark| self.bytes - mark.before);
        (mark, Found { messages: len - first, is_complete }, bytes)
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.marks.pop_front() {
            self.gone = first.sequence;
            self.has_lost = true;
        }
    }
}
