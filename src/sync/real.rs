//! What ships.

pub(crate) use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
#[cfg(not(any(roomcast_lock_order, roomcast_rtsan)))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
pub(crate) use std::collections::hash_map::RandomState as Keys;
pub(crate) use std::sync::Arc;
#[cfg(not(roomcast_tsan))]
pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(roomcast_lock_order)]
pub(crate) use tracing_mutex::parkinglot::tracing::{Mutex, MutexGuard, RwLock};

#[cfg(roomcast_rtsan)]
pub(crate) use super::reported::{Mutex, MutexGuard, RwLock};

/// A number that no other living thread has, and is not 0.
pub(crate) fn this_thread() -> usize {
    use std::cell::Cell;
    thread_local!(static HERE: Cell<u8> = const { Cell::new(0) });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
