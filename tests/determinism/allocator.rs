//! An allocator that deals out the addresses of the system's in an order that depends on a seed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

#[global_allocator]
static DEALER: Dealer = Dealer;

struct Dealer;

/// Where the dealer's random numbers are; 0 is for not to deal.
static STATE: AtomicU64 = AtomicU64::new(0);

/// From how many blocks one is chosen.
const CHOICE: usize = 4;

/// Deals by this seed from now on, or not at all if it is 0.
pub(crate) fn deal(seed: u64) {
    STATE.store(seed, Ordering::Relaxed);
}

// SAFETY: each block comes from the system's allocator, and goes back to it, with the layout that it was asked for.
unsafe impl GlobalAlloc for Dealer {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let seed = STATE.load(Ordering::Relaxed);
        if seed == 0 {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        }
        // Numbers that two threads share are as good as any.
        let random = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        STATE.store(random.max(1), Ordering::Relaxed);
        // SAFETY: the caller's promise. Whichever of them failed is null, which `dealloc` is not given.
        let blocks = [(); CHOICE].map(|()| unsafe { System.alloc(layout) });
        let chosen = (random >> 40) as usize % CHOICE;
        for (place, block) in blocks.into_iter().enumerate() {
            if place != chosen && !block.is_null() {
                // SAFETY: it was allocated above, with this layout, and nobody has seen it.
                unsafe { System.dealloc(block, layout) }
            }
        }
        blocks[chosen]
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
