//! A reader's place in a [segment](super): what is next, one by one or many at once.
//!
//! A cursor holds the segment that it is in (invariant 3), so whatever slot it has seen published with `Acquire` may be
//! read for as long as it stays (invariant 1).

use std::fmt;
use std::ops::ControlFlow;
use std::ptr;

use super::{CLOSED, EMPTY, SegmentRef, Slot, slots};
use crate::defect::{self, Defect};
use crate::sync::Ordering;

/// A reader's place in a segment: at one of its slots, or past the last one.
///
/// Invariant: `index <= capacity`, which is the segment's own. Kept here so that a read does not
/// touch the segment's header.
pub(crate) struct Cursor<T> {
    segment: SegmentRef<T>,
    index: u32,
    capacity: u32,
}

/// What a cursor is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peek {
    /// A published item of this sequence.
    Item(u64),
    /// A slot that may be published any time.
    Empty,
    /// The end: there will never be more in this segment.
    End,
}

/// What a cursor is at, with a way to step over it.
pub(crate) enum Look<'a, T> {
    Item(Ready<'a, T>),
    /// Nothing that is to be stepped over now.
    Empty,
    /// The end of this segment.
    End(&'a SegmentRef<T>),
}

/// The published item that a cursor is at.
pub(crate) struct Ready<'a, T> {
    cursor: &'a mut Cursor<T>,
    /// Where the cursor is, in the segment that it holds.
    slot: *const Slot<T>,
    sequence: u64,
}

/// The item that a cursor has just stepped over.
pub(crate) struct Passed<'a, T>(Ready<'a, T>);

impl<T> Cursor<T> {
    /// For the segment's own code alone, as all that is read depends on it: the capacity is that of the segment, and
    /// `index` at most that.
    pub(super) fn at(segment: SegmentRef<T>, index: u32, capacity: u32) -> Self {
        debug_assert!(index <= capacity);
        Self { segment, index, capacity }
    }

    /// What is next in this segment. One load.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Peek {
        if self.is_past_end() {
            return Peek::End;
        }
        // SAFETY: `index` is below the capacity.
        unsafe { self.segment.slot(self.index) }.peek()
    }

    /// As [`peek`](Self::peek), with the item itself if its sequence is below `bound`, and as if it were not there if not.
    #[inline(always)]
    pub(crate) fn look(&mut self, bound: u64) -> Look<'_, T> {
        if self.is_past_end() {
            return Look::End(&self.segment);
        }
        // SAFETY: `index` is below the capacity.
        let slot = unsafe { self.segment.slot(self.index) };
        let sequence = slot.sequence.load(Ordering::Acquire);
        // In an order in which what most slots are takes one comparison, and an item two.
        if sequence == EMPTY {
            return Look::Empty;
        }
        if sequence >= bound {
            return if sequence == CLOSED { Look::End(&self.segment) } else { Look::Empty };
        }
        Look::Item(Ready { slot: ptr::from_ref(slot), cursor: self, sequence })
    }

    /// Whether all slots of this segment are passed.
    #[inline(always)]
    fn is_past_end(&self) -> bool {
        self.index == self.capacity || defect::is(Defect::SegmentEdge) && self.index + 1 == self.capacity
    }

    /// Whether there will never be more in this segment. One load.
    #[inline(always)]
    pub(crate) fn is_at_end(&self) -> bool {
        self.peek() == Peek::End
    }

    /// Steps over the published items of this segment whose sequences are below `bound`, which is not 0,
    /// and hands each to `f`, until that breaks.
    ///
    /// An item counts as stepped over before `f` is called with it: also if `f` panics.
    #[inline(always)]
    pub(crate) fn walk(&mut self, bound: u64, mut f: impl FnMut(u64, &T) -> ControlFlow<()>) {
        /// Writes the index back once, however the loop ends: the loop itself counts nothing.
        struct Walk<'a, T> {
            slots: std::slice::Iter<'a, Slot<T>>,
            end: u32,
            index: &'a mut u32,
        }
        impl<T> Drop for Walk<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                *self.index = self.end - self.slots.len() as u32;
            }
        }

        let (from, end) = (self.index, self.end_below(bound));
        // SAFETY: `from <= end <= capacity`, and the block lives as long as the reference in `segment`.
        let slots = unsafe {
            let first = slots(self.segment.header).add(from as usize);
            std::slice::from_raw_parts(first, (end - from) as usize)
        };
        let mut walk = Walk { slots: slots.iter(), end, index: &mut self.index };
        // By reference: the guard sees the slot as passed before `f` is called.
        for slot in walk.slots.by_ref() {
            // SAFETY: published, as `end_below` has seen with `Acquire`.
            let (sequence, item) = unsafe { slot.settled() };
            if f(sequence, item).is_break() {
                break;
            }
        }
    }

    /// The index after the last published item whose sequence is below `bound`, as seen with `Acquire`.
    ///
    /// Published slots are a prefix with rising sequences (invariant 2), so this gallops, and whoever sees
    /// one slot published sees all before it.
    #[inline(always)]
    pub(super) fn end_below(&self, bound: u64) -> u32 {
        let is_below = |index: u32| {
            // SAFETY: the callers below ask for indices below the capacity only.
            unsafe { self.segment.slot(index) }.is_below(bound)
        };
        let (mut end, mut step) = (self.index, 1);
        // Invariant: all below `end` are.
        loop {
            let probe = end + step - 1;
            if probe >= self.capacity || !is_below(probe) {
                break;
            }
            end = probe + 1;
            step = end - self.index;
            // In a burst the segment is likely to be full.
            if step == 4 && is_below(self.capacity - 1) {
                return self.capacity;
            }
        }
        while step > 1 {
            step /= 2;
            let probe = end + step - 1;
            if probe < self.capacity && is_below(probe) {
                end = probe + 1;
            }
        }
        end
    }

    /// How many slots of this segment it has passed.
    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// How many messages its log had taken in before the one that this cursor is at.
    pub(crate) fn messages(&self) -> u64 {
        self.segment.start().messages + u64::from(self.index)
    }

    pub(crate) fn segment(&self) -> &SegmentRef<T> {
        &self.segment
    }

    pub(crate) fn into_segment(self) -> SegmentRef<T> {
        self.segment
    }

    /// The item that it has stepped over last, which is in this segment.
    #[inline]
    pub(crate) fn last(&self) -> Option<(u64, &T)> {
        let index = self.index.checked_sub(1)?;
        // SAFETY: below an index that is at most the capacity.
        unsafe { self.segment.slot(index) }.get()
    }

    /// Goes to the beginning of `next`, and returns the segment that it was in.
    pub(crate) fn enter(&mut self, next: SegmentRef<T>) -> SegmentRef<T> {
        self.capacity = next.capacity();
        self.index = 0;
        std::mem::replace(&mut self.segment, next)
    }
}

impl<'a, T> Ready<'a, T> {
    #[inline(always)]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    #[inline(always)]
    pub(crate) fn item(&self) -> &T {
        // SAFETY: the cursor holds the segment that the slot is in, which was seen published with `Acquire`.
        unsafe { (*self.slot).settled() }.1
    }

    /// Steps over it.
    #[inline(always)]
    pub(crate) fn pass(self) -> Passed<'a, T> {
        self.cursor.index += 1;
        Passed(self)
    }
}

impl<T> Passed<'_, T> {
    #[inline(always)]
    pub(crate) fn item(&self) -> &T {
        self.0.item()
    }

    /// What the cursor is at now.
    #[inline(always)]
    pub(crate) fn next(&self) -> Peek {
        self.0.cursor.peek()
    }

    /// Where the cursor is.
    #[inline(always)]
    pub(crate) fn segment(&self) -> &SegmentRef<T> {
        self.0.cursor.segment()
    }
}

impl<T> fmt::Debug for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("segment", &self.segment).field("index", &self.index).finish()
    }
}
