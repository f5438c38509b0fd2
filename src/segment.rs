//! One fixed block of log slots, and the link to the block after it. This file and its [cursor] are the only ones with
//! `unsafe`.
//!
//! A segment has **one writer** ([`SegmentWriter`], not `Clone`, used under the log's lock) and any
//! number of readers, each holding a counted reference ([`SegmentRef`]).
//!
//! # Invariants
//!
//! 1. *Write once, then publish.* A slot's item is written exactly once, by the writer, before its
//!    sequence is stored with `Release`. The sequence is non-zero and never changes afterwards
//!    until the segment is destroyed. Who reads a non-zero sequence with `Acquire` may read the item
//!    for as long as it holds a reference: reading takes one load and waits for nobody.
//! 2. *Filled in order.* Slot `i + 1` is published after slot `i`, so the published slots are a
//!    prefix. A segment that closes early marks the first unused slot with [`CLOSED`].
//! 3. *Counted life.* The block is destroyed by whoever takes `refs` to zero, and by nobody else.
//! 4. *A link is a pile of tickets.* Rotating gives the link [`TICKETS`] references to the next
//!    segment at once. A reader takes one with a single subtraction, and then owns it without having
//!    touched the next segment at all. Cutting the link swaps the pile for [`CUT`] and gives back
//!    what was left, so every reference is owned by exactly one party at any time: a reader that got
//!    a positive number owns one; everything below that number belonged to the link.
//!
//! Destroying a segment gives back the tickets of its link, which may destroy the next one, and so
//! on: that is a loop, never a recursion.
//!
//! # Why `unsafe` pays
//!
//! Slots lie inline behind the header, so that a scattered read costs one cache miss and not two, and
//! crossing into the next segment costs two atomic operations in all; the same with `Arc`, a boxed
//! slice and a lock on the link costs five.

mod cursor;

pub(crate) use self::cursor::{Cursor, Look, Peek, Ready};

use std::alloc::{self, Layout};
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};

use crate::defect::{self, Defect};
use crate::foreign::contain;
use crate::sync::{Arc, AtomicI64, AtomicPtr, AtomicU64, Ordering, UnsafeCell, fence};

/// The sequence of a slot that is not published yet.
pub(crate) const EMPTY: u64 = 0;
/// The sequence in the first unused slot of a segment that was closed before it was full.
pub(crate) const CLOSED: u64 = u64::MAX;

/// How many references a link starts with: more readers than there will ever be.
const TICKETS: i64 = 1 << 40;
/// What stands in place of the tickets of a link that was cut: so low that no number of late
/// subtractions brings it near the overflow.
const CUT: i64 = i64::MIN / 2;

struct Slot<T> {
    sequence: AtomicU64,
    item: UnsafeCell<MaybeUninit<T>>,
}

struct Header<T> {
    refs: AtomicU64,
    /// References to `next` that this segment's link still owns: 0 before there is a next segment.
    tickets: AtomicI64,
    next: AtomicPtr<Self>,
    /// Held from the cut on, so that the log can count the cut segments that are still alive.
    parked: UnsafeCell<Option<Arc<()>>>,
    start: Position,
    capacity: u32,
    /// How far behind the beginning of the block this header is.
    pad: u8,
    items: PhantomData<T>,
}

/// What a log had taken in before a segment began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Messages.
    pub(crate) messages: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// What follows a segment.
pub(crate) enum Next<T> {
    /// Nothing yet: the segment is its log's last one.
    Open,
    /// Something that this reader was too slow for.
    Cut,
    /// The next segment.
    Segment(SegmentRef<T>),
}

/// A counted reference to a segment: read access to all that is published in it.
pub(crate) struct SegmentRef<T> {
    header: NonNull<Header<T>>,
}

/// The one write access to a segment.
///
/// Invariant: `len <= capacity`, which is the segment's own. Kept here so that a push touches no more than a slot.
pub(crate) struct SegmentWriter<T> {
    segment: SegmentRef<T>,
    len: u32,
    capacity: u32,
}

// SAFETY: a `SegmentRef` gives `&T` to any thread that holds one (hence `T: Sync`) and the last one
// drops the items, wherever it is (hence `T: Send`). All shared fields are atomics, but for `item`
// (invariant 1) and `parked` (written once by the cut, under the log's lock; read by the destroyer
// alone).
unsafe impl<T: Send + Sync> Send for SegmentRef<T> {}
// SAFETY: as above; `&SegmentRef` allows no more than reading and cloning.
unsafe impl<T: Send + Sync> Sync for SegmentRef<T> {}

impl<T> SegmentWriter<T> {
    /// Creates a segment of `capacity` slots (at least one) that begins at `start`.
    pub(crate) fn new(capacity: u32, start: Position) -> Self {
        let capacity = capacity.max(1);
        let layout = layout::<T>(capacity);
        // SAFETY: the layout is never of size zero, as it contains a header.
        let block = unsafe { alloc::alloc(layout) };
        if block.is_null() {
            alloc::handle_alloc_error(layout);
        }
        let pad = block.addr().wrapping_neg() % SLOT_ALIGN;
        // SAFETY: the block is ours alone, of this layout: as much as it takes to align it, a header, then `capacity`
        // slots.
        let header = unsafe {
            let header = NonNull::new_unchecked(block.add(pad).cast::<Header<T>>());
            header.as_ptr().write(Header {
                refs: AtomicU64::new(1),
                tickets: AtomicI64::new(0),
                next: AtomicPtr::new(ptr::null_mut()),
                parked: UnsafeCell::new(None),
                start,
                capacity,
                pad: pad as u8,
                items: PhantomData,
            });
            let first = slots(header);
            for index in 0..capacity as usize {
                first.add(index).write(Slot {
                    sequence: AtomicU64::new(EMPTY),
                    item: UnsafeCell::new(MaybeUninit::uninit()),
                });
            }
            header
        };
        Self { segment: SegmentRef { header }, len: 0, capacity }
    }

    /// How many slots are written.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// A cursor after the last item.
    #[inline]
    pub(crate) fn end(&self) -> Cursor<T> {
        Cursor::at(self.segment.clone(), self.len, self.capacity)
    }

    /// Read access to the segment.
    pub(crate) fn segment(&self) -> &SegmentRef<T> {
        &self.segment
    }

    /// Publishes `item` under `sequence`, which is neither [`EMPTY`] nor [`CLOSED`].
    ///
    /// # Panics
    ///
    /// When the segment is full.
    pub(crate) fn push(&mut self, sequence: u64, item: T) {
        self.push_with(sequence, || item);
    }

    /// As [`push`](Self::push), with an item that is made in its slot: once nothing can panic any more, so that it
    /// need not be anywhere else.
    #[inline(always)]
    pub(crate) fn push_with(&mut self, sequence: u64, make: impl FnOnce() -> T) {
        assert!(!self.is_full(), "push into a full segment");
        debug_assert!(sequence != EMPTY && sequence != CLOSED);
        // SAFETY: in range, as the segment is not full.
        let slot = unsafe { self.segment.slot(self.len) };
        // SAFETY: the slot is not published, and only its one writer (`&mut self`) writes to it:
        // nobody else looks at the item (invariant 1).
        slot.item.with_mut(|cell| unsafe { (*cell).write(make()) });
        let ordering = if defect::is(Defect::RelaxedPublish) { Ordering::Relaxed } else { Ordering::Release };
        slot.sequence.store(sequence, ordering);
        self.len += 1;
    }

    /// Closes this segment and goes on in a new one of `capacity` slots that begins at `start`.
    pub(crate) fn rotate(&mut self, capacity: u32, start: Position) {
        let next = Self::new(capacity, start);
        if !self.is_full() {
            // SAFETY: in range, as the segment is not full.
            let slot = unsafe { self.segment.slot(self.len) };
            slot.sequence.store(CLOSED, Ordering::Release);
        }
        let header = self.segment.header();
        // Relaxed: nobody else knows of the new segment yet; the store of the tickets publishes it.
        next.segment.header().refs.fetch_add(TICKETS.unsigned_abs(), Ordering::Relaxed);
        header.next.store(next.segment.header.as_ptr(), Ordering::Relaxed);
        header.tickets.store(TICKETS, Ordering::Release);
        *self = next;
    }
}

impl<T> SegmentRef<T> {
    pub(crate) fn capacity(&self) -> u32 {
        self.header().capacity
    }

    /// What the log had taken in before this segment.
    pub(crate) fn start(&self) -> Position {
        self.header().start
    }

    /// Whether both are the same segment.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.header == other.header
    }

    /// All published items, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        (0..self.capacity()).map_while(|index| self.get(index))
    }

    /// A cursor at slot `index`, which may be one past the last.
    pub(crate) fn cursor(&self, index: u32) -> Cursor<T> {
        let capacity = self.capacity();
        assert!(index <= capacity, "a cursor stays inside its segment");
        Cursor::at(self.clone(), index, capacity)
    }

    /// Takes a reference to the next segment, if there is one.
    pub(crate) fn next(&self) -> Next<T> {
        let header = self.header();
        match header.tickets.load(Ordering::Acquire) {
            0 => return Next::Open,
            tickets if tickets < 0 => return Next::Cut,
            _ => {}
        }
        // Acquire: pairs with the store in `rotate`, through any subtractions in between.
        if header.tickets.fetch_sub(1, Ordering::Acquire) <= 0 {
            return Next::Cut; // cut since the load: the link owned nothing that we could take
        }
        // SAFETY: the ticket that we took is one reference to `next` (invariant 4), which is set,
        // since there were tickets.
        let header = unsafe { NonNull::new_unchecked(header.next.load(Ordering::Relaxed)) };
        Next::Segment(Self { header })
    }

    /// Whether no segment follows this one yet. One load.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.header().tickets.load(Ordering::Acquire) == 0
    }

    /// Cuts the link to the next segment: readers still in this one are told so when they get to its
    /// end. `parked` is held for as long as any of them is.
    ///
    /// The caller holds the log's lock and a reference of its own to the next segment, so that
    /// nothing is destroyed here.
    pub(crate) fn cut(&self, parked: Arc<()>) {
        // SAFETY: written under the log's lock, once per segment, and not read before the
        // destruction, which needs the reference that `self` is.
        self.header().parked.with_mut(|cell| unsafe { *cell = Some(parked) });
        self.unlink();
    }

    /// Gives back what the link to the next segment holds of it. As [`cut`](Self::cut), for a segment
    /// that no reader is in: the next one is known to be read by nobody before this one is dropped.
    pub(crate) fn unlink(&self) {
        let header = self.header();
        // AcqRel: the subtractions of readers that got a ticket come before, the link's own
        // references end here.
        let tickets = header.tickets.swap(CUT, Ordering::AcqRel);
        debug_assert!(tickets > 0, "cut twice, or before there was a next segment");
        if tickets > 0 {
            let next = header.next.load(Ordering::Relaxed);
            let ours = tickets.unsigned_abs() + u64::from(defect::is(Defect::ExtraTicket));
            // SAFETY: `next` is set, since there were tickets; those left are ours to give back.
            let left = unsafe { release(NonNull::new_unchecked(next), ours) };
            debug_assert!(left > 0, "the caller holds the next segment");
        }
    }

    /// Whether the caller's is the only reference, the link of the segment before included.
    pub(crate) fn is_unique(&self) -> bool {
        self.header().refs.load(Ordering::Acquire) == 1
    }

    /// Gives the reference back, and returns how many are left, those of the link before it included.
    pub(crate) fn give_back(self) -> u64 {
        let header = self.header;
        mem::forget(self);
        // SAFETY: this reference is ours to give back, once: it was forgotten.
        let left = unsafe { release(header, 1) };
        if left == 0 {
            // SAFETY: it was the last one.
            unsafe { destroy(header) }
        }
        left
    }

    #[inline(always)]
    fn header(&self) -> &Header<T> {
        // SAFETY: the block lives at least as long as this reference to it (invariant 3).
        unsafe { self.header.as_ref() }
    }

    fn get(&self, index: u32) -> Option<(u64, &T)> {
        assert!(index < self.capacity(), "slot out of range");
        // SAFETY: in range.
        unsafe { self.slot(index) }.get()
    }

    /// # Safety
    ///
    /// `index` is below the capacity.
    #[inline(always)]
    unsafe fn slot(&self, index: u32) -> &Slot<T> {
        debug_assert!(index < self.capacity());
        // SAFETY: in range, and the block lives as long as this reference (invariant 3). The pointer
        // comes from the allocation itself, so it may reach past the header.
        unsafe { &*slots(self.header).add(index as usize) }
    }
}

impl<T> Slot<T> {
    /// The item, if it is published.
    #[inline(always)]
    fn get(&self) -> Option<(u64, &T)> {
        match self.sequence.load(Ordering::Acquire) {
            EMPTY | CLOSED => None,
            // SAFETY: the sequence was read with `Acquire` and is a message's, so the item was
            // written before and never changes (invariant 1); it lives as long as the slot does.
            sequence => Some((sequence, self.item.with(|cell| unsafe { (*cell).assume_init_ref() }))),
        }
    }

    /// What this slot is to a cursor.
    #[inline(always)]
    fn peek(&self) -> Peek {
        match self.sequence.load(Ordering::Acquire) {
            EMPTY => Peek::Empty,
            CLOSED => Peek::End,
            sequence => Peek::Item(sequence),
        }
    }

    /// Whether the item is published, and below `bound`, which is not 0.
    #[inline(always)]
    fn is_below(&self, bound: u64) -> bool {
        // One comparison for three: `EMPTY` wraps around, `CLOSED` is above every bound.
        self.sequence.load(Ordering::Acquire).wrapping_sub(1) < bound - 1
    }

    /// The sequence and the item.
    ///
    /// # Safety
    ///
    /// The slot was seen published with `Acquire`.
    #[inline(always)]
    unsafe fn settled(&self) -> (u64, &T) {
        // SAFETY: the sequence does not change any more, so there is nothing to race with.
        #[cfg(not(any(roomcast_loom, roomcast_shuttle)))]
        let sequence = unsafe { *self.sequence.as_ptr() };
        // SAFETY: as above.
        #[cfg(roomcast_loom)]
        let sequence = unsafe { self.sequence.unsync_load() };
        // SAFETY: as above.
        #[cfg(roomcast_shuttle)]
        let sequence = unsafe { self.sequence.raw_load() };
        // SAFETY: the item was written before and never changes (invariant 1).
        (sequence, self.item.with(|cell| unsafe { (*cell).assume_init_ref() }))
    }
}

impl<T> Clone for SegmentRef<T> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones holds a reference already.
        self.header().refs.fetch_add(1, Ordering::Relaxed);
        Self { header: self.header }
    }
}

impl<T> Drop for SegmentRef<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this reference is ours to give back, once.
        if unsafe { release(self.header, 1) } == 0 {
            // SAFETY: it was the last one.
            unsafe { destroy(self.header) }
        }
    }
}

impl<T> fmt::Debug for SegmentRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentRef")
            .field("start", &self.start())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SegmentWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentWriter").field("segment", &self.segment).field("len", &self.len).finish()
    }
}

/// Gives back `count` references, and returns how many are left: if none, the caller destroys.
///
/// # Safety
///
/// The caller owns `count` references to this segment.
#[inline]
unsafe fn release<T>(header: NonNull<Header<T>>, count: u64) -> u64 {
    // SAFETY: the caller's references keep the block alive up to the subtraction.
    let refs = unsafe { &header.as_ref().refs };
    // Release: all that this party did with the segment comes before its destruction.
    let left = refs.fetch_sub(count, Ordering::Release) - count;
    if left == 0 {
        // .. which sees what every other party did. The thread sanitizer sees no fences.
        if cfg!(roomcast_tsan) {
            refs.load(Ordering::Acquire);
        } else {
            fence(Ordering::Acquire);
        }
    }
    left
}

/// Destroys a segment, and those after it that nobody else holds.
///
/// # Safety
///
/// The caller gave back the last reference.
#[cold]
unsafe fn destroy<T>(mut header: NonNull<Header<T>>) {
    loop {
        // SAFETY: nobody else has a reference, so this is the only access to the block; the
        // published slots are a prefix (invariant 2) and each holds an item (invariant 1).
        let next = unsafe {
            let (capacity, first) = (header.as_ref().capacity, slots(header));
            for index in 0..capacity as usize {
                let slot = &*first.add(index);
                if matches!(slot.sequence.load(Ordering::Relaxed), EMPTY | CLOSED) {
                    break;
                }
                slot.item.with_mut(|cell| contain(|| (*cell).assume_init_drop()));
            }
            // The items are gone, but a checker's atomics have state of their own.
            if mem::needs_drop::<Slot<T>>() {
                ptr::slice_from_raw_parts_mut(first, capacity as usize).drop_in_place();
            }
            let tickets = header.as_ref().tickets.load(Ordering::Relaxed);
            let next = NonNull::new(header.as_ref().next.load(Ordering::Relaxed));
            let block = header.as_ptr().cast::<u8>().sub(usize::from(header.as_ref().pad));
            ptr::drop_in_place(header.as_ptr());
            alloc::dealloc(block, layout::<T>(capacity));
            // Positive tickets: the link was made, never cut, and these references were its own.
            next.filter(|&next| tickets > 0 && release(next, tickets.unsigned_abs()) == 0)
        };
        match next {
            Some(next) => header = next,
            None => return,
        }
    }
}

/// Slots of 32 bytes are aligned to as much, so that none of them lies across two cache lines.
const SLOT_ALIGN: usize = 32;
/// What `malloc` aligns to anyway where pointers have 64 bits: it has no fast path to more.
const BLOCK_ALIGN: usize = 16;

fn layout<T>(capacity: u32) -> Layout {
    const { assert!(align_of::<Header<T>>() <= SLOT_ALIGN && align_of::<Slot<T>>() <= SLOT_ALIGN) };
    let slots = Layout::array::<Slot<T>>(capacity as usize).expect("a segment fits the memory");
    let size = SLOT_ALIGN - BLOCK_ALIGN + slots_offset::<T>() + slots.size();
    Layout::from_size_align(size, BLOCK_ALIGN).expect("a segment fits the memory")
}

/// The first slot of a segment.
///
/// # Safety
///
/// The segment is alive, or its block allocated.
#[inline(always)]
unsafe fn slots<T>(header: NonNull<Header<T>>) -> *mut Slot<T> {
    // SAFETY: inside the block, which has a header and slots behind it.
    unsafe { header.as_ptr().cast::<u8>().add(slots_offset::<T>()).cast() }
}

/// Where the slots are, from the header on.
const fn slots_offset<T>() -> usize {
    size_of::<Header<T>>().next_multiple_of(SLOT_ALIGN)
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
