//! What a client was sent last, to be sent again if it was lost on the way.
//!
//! # Invariants
//!
//! A [`Sent`] holds the last messages of a session in the order in which they are sent: first those that were, then
//! those that are [due](Sent::due). What may be sent twice has an offset, which counts from 1 and has no holes. What is
//! sent once at most (it wants an answer, is one, or is volatile) has none: it is held only while it is due.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use crate::defect::{self, Defect};
use crate::delivery::{Delivery, Gap, Item};
use crate::entry::{Entry, Frame};
use crate::event::EventTable;
use crate::recovery::Offset;
use crate::sync::Arc;
use crate::terms::Lifetime;
use crate::topic::Topic;

/// The last messages that a client was sent, and those that it is to be sent before what its inbox has.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The number of the session.
    session: u64,
    limits: Limits,
    /// By offset.
    held: VecDeque<Held>,
    /// The payload bytes of these.
    bytes: usize,
    /// How many of them, at the end, are to be sent.
    due: usize,
    /// The last offset that was given.
    last: u64,
    /// The last offset that is not held any more.
    gone: u64,
}

/// How much is held at most, but for the newest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// What a client has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) messages: u64,
    pub(crate) is_exact: bool,
}

/// A delivery without the borrow.
#[derive(Debug)]
struct Held {
    item: HeldItem,
    sequence: u64,
    room: Option<Arc<Topic>>,
    /// Its offset, or that of what came before.
    offset: u64,
    is_repeatable: bool,
    /// Whether it was never sent.
    is_new: bool,
}

#[derive(Debug)]
enum HeldItem {
    Message(Entry),
    Gap(Gap),
}

/// What is sent from here.
pub(crate) struct Due<'a> {
    pub(crate) delivery: Delivery<'a>,
    pub(crate) offset: Option<Offset>,
    /// Whether it was never sent before.
    pub(crate) is_new: bool,
}

impl Sent {
    pub(crate) fn new(session: u64, limits: Limits) -> Self {
        Self { session, limits, held: VecDeque::new(), bytes: 0, due: 0, last: 0, gone: 0 }
    }

    /// Notes that this is sent, when nothing is due, and returns its offset.
    pub(crate) fn push(&mut self, delivery: &Delivery<'_>) -> Option<Offset> {
        debug_assert_eq!(self.due, 0, "what is due comes first");
        if !is_repeatable(delivery) {
            return None;
        }
        self.hold(delivery, false);
        self.offset(self.last)
    }

    /// Lets go of what was sent and the client has seen.
    pub(crate) fn seen(&mut self, seen: Offset) {
        if seen.session != self.session {
            return;
        }
        while self.held.len() > self.due
            && self.held.front().is_some_and(|held| held.offset <= seen.count.get())
        {
            self.pop();
        }
    }

    /// Makes due what the client has not seen of what was sent, and behind it what `unread` hands over, but for what is
    /// volatile; or says how much of it is not there.
    ///
    /// An offset of another session, or none, is that of a client that has seen nothing of this one.
    pub(crate) fn rewind(
        &mut self,
        seen: Option<Offset>,
        unread: impl FnOnce(&mut dyn FnMut(Delivery<'_>)),
    ) -> Result<(), Missed> {
        let seen = seen.filter(|seen| seen.session == self.session).map_or(0, |seen| seen.count.get());
        let mut missed = Missed { messages: 0, is_exact: true };
        unread(&mut |delivery| {
            if let Some(gap) = delivery.gap() {
                missed.messages += gap.missed;
                missed.is_exact &= gap.exact;
            } else if !delivery.is_volatile() {
                missed.messages += self.hold(&delivery, true);
            }
        });
        missed.messages += self.gone.saturating_sub(seen);
        if missed.messages > 0 {
            return Err(missed);
        }
        let seen = if defect::is(Defect::SeenAgain) { seen.saturating_sub(1) } else { seen };
        let is_due = |held: &Held| !held.is_repeatable || held.offset > seen;
        let first = self.held.iter().position(is_due).unwrap_or(self.held.len());
        self.due = self.held.len() - first;
        Ok(())
    }

    /// Counts the first one that is due as sent, and hands it over; or returns `None` if nothing is due.
    pub(crate) fn send_next<R>(&mut self, events: &EventTable, send: impl FnOnce(Due<'_>) -> R) -> Option<R> {
        while self.due > 0 {
            let place = self.held.len() - self.due;
            self.due -= 1;
            let is_new = std::mem::replace(&mut self.held[place].is_new, false);
            let once;
            let (held, offset) = if self.held[place].is_repeatable {
                let held = &self.held[place];
                (held, self.offset(held.offset))
            } else {
                once = self.remove(place)?;
                (&once, None)
            };
            if !held.is_over() {
                return Some(send(Due { delivery: held.delivery(events), offset, is_new }));
            }
        }
        None
    }

    fn offset(&self, count: u64) -> Option<Offset> {
        Some(Offset { session: self.session, count: NonZeroU64::new(count)? })
    }

    /// Takes a message in, and returns how many it lets go of that have no offset and were not sent.
    fn hold(&mut self, delivery: &Delivery<'_>, is_new: bool) -> u64 {
        let unsent = self.make_room(delivery.payload().len());
        let item = match delivery.item {
            Item::Message(entry) => HeldItem::Message(entry.clone()),
            Item::Gap(gap) => HeldItem::Gap(gap),
        };
        let is_repeatable = is_repeatable(delivery);
        self.last += u64::from(is_repeatable);
        let (sequence, room) = (delivery.sequence, delivery.room.cloned());
        let held = Held { item, sequence, room, offset: self.last, is_repeatable, is_new };
        self.bytes += held.bytes();
        self.held.push_back(held);
        unsent
    }

    /// Lets go of the oldest until there is room for so many bytes.
    fn make_room(&mut self, bytes: usize) -> u64 {
        let mut unsent = 0;
        while !self.held.is_empty()
            && (self.held.len() >= self.limits.messages || self.bytes + bytes > self.limits.bytes)
        {
            unsent += u64::from(self.pop());
        }
        unsent
    }

    /// Lets go of the oldest, and returns whether it has no offset: then it was not sent.
    fn pop(&mut self) -> bool {
        let Some(held) = self.remove(0) else { return false };
        if held.is_repeatable {
            self.gone = held.offset;
        }
        !held.is_repeatable
    }

    fn remove(&mut self, place: usize) -> Option<Held> {
        let held = self.held.remove(place)?;
        self.bytes -= held.bytes();
        Some(held)
    }
}

impl Held {
    fn delivery<'a>(&'a self, events: &'a EventTable) -> Delivery<'a> {
        let item = match &self.item {
            HeldItem::Message(entry) => Item::Message(entry),
            HeldItem::Gap(gap) => Item::Gap(*gap),
        };
        Delivery { item, sequence: self.sequence, room: self.room.as_ref(), events }
    }

    fn bytes(&self) -> usize {
        match &self.item {
            HeldItem::Message(entry) => entry.payload().len(),
            HeldItem::Gap(_) => 0,
        }
    }

    /// Whether its lifetime is over.
    fn is_over(&self) -> bool {
        match &self.item {
            HeldItem::Message(entry) => {
                entry.terms().and_then(|terms| terms.lifetime.as_ref()).is_some_and(Lifetime::is_over)
            }
            HeldItem::Gap(_) => false,
        }
    }
}

fn is_repeatable(delivery: &Delivery<'_>) -> bool {
    match delivery.item {
        Item::Message(entry) => entry.frame() == Frame::Event && !entry.is_volatile(),
        Item::Gap(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_costs_what_the_guide_says() {
        // With its fields in random places it may be larger.
        assert!(size_of::<Held>() == 56 || cfg!(roomcast_layout));
    }
}
