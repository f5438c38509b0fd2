//! The primitives of a checker, loom or shuttle, with the interface of the real ones.

#[cfg(roomcast_loom)]
use loom as checker;
#[cfg(roomcast_shuttle)]
use shuttle as checker;

use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use checker::sync::{Condvar, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use checker::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use checker::sync::{Arc, MutexGuard};
pub(crate) use crossbeam_channel::RecvTimeoutError;
#[cfg(roomcast_loom)]
pub(crate) use loom::cell::UnsafeCell;

/// Hashes alike each time, as a model is to take the same steps each time: a look-up compares what its table says is
/// near, and comparing may be a step.
pub(crate) type Keys = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// The checker's mutex with parking_lot's interface.
#[derive(Debug)]
pub(crate) struct Mutex<T>(checker::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// The checker's reader-writer lock with parking_lot's interface.
#[derive(Debug)]
pub(crate) struct RwLock<T>(checker::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A number that no other living thread of the model has, and is not 0.
pub(crate) fn this_thread() -> usize {
    checker::thread_local!(static HERE: Cell<u8> = Cell::new(0));
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// crossbeam's channel, as far as it is used here: it has room for one, and both ends stay until all is over.
pub(crate) fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert_eq!(capacity, 1, "what is not modelled");
    let channel = Arc::new(Channel { place: Mutex::new(None), sent: Condvar::new() });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

pub(crate) struct Sender<T>(Arc<Channel<T>>);

pub(crate) struct Receiver<T>(Arc<Channel<T>>);

struct Channel<T> {
    place: Mutex<Option<T>>,
    sent: Condvar,
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), T> {
        let mut place = self.0.place.lock();
        if place.is_some() {
            return Err(value);
        }
        *place = Some(value);
        self.0.sent.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, RecvTimeoutError> {
        let mut place = self.0.place.lock();
        loop {
            match place.take() {
                Some(value) => return Ok(value),
                None => place = self.0.sent.wait(place).unwrap_or_else(|poisoned| poisoned.into_inner()),
            }
        }
    }

    /// As [`recv`](Self::recv): no time passes in a model, so a wake-up that is lost is a deadlock.
    pub(crate) fn recv_deadline(&self, _deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}
