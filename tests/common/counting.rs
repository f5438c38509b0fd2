//! An allocator that counts what the calling thread allocates: exact, whatever other tests do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static FREES: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// How many allocations this thread has made, growing ones included.
#[allow(dead_code, reason = "each test program counts something else")]
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// How many blocks this thread has freed.
#[allow(dead_code, reason = "each test program counts something else")]
pub(crate) fn frees() -> u64 {
    FREES.get()
}

/// How many bytes this thread has allocated and not freed.
#[allow(dead_code, reason = "each test program counts something else")]
pub(crate) fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}

fn count(allocations: u64, bytes: i64) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).expect("a layout fits an i64")
}

// SAFETY: everything is handed on to the system's allocator as it came. Counting touches only
// thread-local cells that need neither set-up nor tear-down, so it does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, size(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREES.set(FREES.get() + 1);
        count(0, -size(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, size(new_size) - size(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
