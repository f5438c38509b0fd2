//! The gate of a namespace that is new: who comes before all have been told of it waits here, so that
//! what they register with it holds for everybody.
//!
//! # Invariant
//!
//! What is brought is done once: at once if the gate is open, or else by the one who opens it. Under no
//! lock.

use crate::foreign::contain;
use crate::sync::Mutex;

/// What waits, while it is shut.
pub(crate) struct Gate(Mutex<Option<Vec<Entrant>>>);

type Entrant = Box<dyn FnOnce() + Send>;

impl Gate {
    /// Creates one that is open.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Has who comes wait until it is [opened](Self::open).
    pub(crate) fn shut(&self) {
        self.0.lock().get_or_insert_default();
    }

    /// Opens it, and does what has waited, in the order in which it came. A panic in one of them ends there.
    pub(crate) fn open(&self) {
        let waiting = self.0.lock().take();
        waiting.into_iter().flatten().for_each(contain);
    }

    /// Does this as soon as it is open.
    pub(crate) fn pass(&self, entrant: impl FnOnce() + Send + 'static) {
        let mut waiting = self.0.lock();
        if let Some(waiting) = &mut *waiting {
            waiting.push(Box::new(entrant));
            return;
        }
        drop(waiting);
        entrant();
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    #[cfg(panic = "unwind")]
    fn who_comes_while_it_is_shut_waits() {
        let gate = Arc::new(Gate::new());
        let (sender, passed) = channel();
        let pass = |n: u32| {
            let sender = sender.clone();
            gate.pass(move || sender.send(n).unwrap());
        };
        pass(0);
        gate.shut();
        pass(1);
        gate.pass(|| panic!("on purpose"));
        gate.shut(); // still
        pass(2);
        let again = (Arc::clone(&gate), sender.clone());
        gate.pass(move || again.0.pass(move || again.1.send(3).unwrap()));
        assert_eq!(passed.try_iter().collect::<Vec<_>>(), [0]);
        gate.open();
        gate.open();
        pass(4);
        assert_eq!(passed.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
