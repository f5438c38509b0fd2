//! What is told at the end of each tick of an engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::sync::Mutex;

/// Something that has news now and then.
pub(crate) trait Flush: Send + Sync {
    /// Whether there may be any.
    fn is_dirty(&self) -> bool;

    /// Tells them. Under no lock.
    fn flush(&self);
}

/// All that may have news, by numbers that say in which order they are asked.
pub(crate) struct Flushers(Mutex<BTreeMap<u64, Weak<dyn Flush>>>);

impl Flushers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Has one be asked from now on, until it is [removed](Self::remove).
    pub(crate) fn add(&self, number: u64, flusher: Weak<dyn Flush>) {
        // One that was there is the same.
        let before = self.0.lock().insert(number, flusher);
        drop(before);
    }

    pub(crate) fn remove(&self, number: u64) {
        let removed = self.0.lock().remove(&number);
        drop(removed);
    }

    /// Has all tell what they have. O(those that there are), a load for each that has nothing.
    pub(crate) fn flush_all(&self) {
        let all: Vec<Weak<dyn Flush>> = self.0.lock().values().cloned().collect();
        // The last to hold one may be this, so it is let go of under no lock.
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|one: &Arc<dyn Flush>| one.is_dirty())
            .for_each(|one| one.flush());
    }
}
