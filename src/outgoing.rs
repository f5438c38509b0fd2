//! What a connection itself has to say, and how its transport is woken.
//!
//! # One wake-up between two drains, and none lost
//!
//! Whoever has brought something signals: sets the flag, and wakes if it was not set. A drain clears the flag
//! first and then looks at everything, so what was brought before is found, and what is brought after wakes
//! again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::foreign::contain;
use crate::inbox::Inbox;
use crate::reason::DisconnectReason;
use crate::rejection::Rejection;
use crate::slab::SocketId;
use crate::sync::{AtomicBool, Mutex, Ordering};

#[derive(Debug)]
pub(crate) enum Note {
    /// A socket has connected. From here on its inbox is read.
    Connected(Box<Inbox>),
    Rejected {
        namespace: Box<str>,
        rejection: Rejection,
    },
    /// The client has given up a socket: nothing more goes to it.
    Dropped(SocketId),
    /// The connection is closed, and all its sockets are.
    Closed(DisconnectReason),
}

type Wake = Arc<dyn Fn() + Send + Sync>;

pub(crate) struct Outgoing {
    notes: Mutex<VecDeque<Note>>,
    wake: Mutex<Option<Wake>>,
    is_signalled: AtomicBool,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self {
            notes: Mutex::new(VecDeque::new()),
            wake: Mutex::new(None),
            is_signalled: AtomicBool::new(false),
        }
    }

    /// Adds a note, and returns how many there are. [`signal`](Self::signal) is to follow, under no lock.
    pub(crate) fn push(&self, note: Note) -> usize {
        let mut notes = self.notes.lock();
        notes.push_back(note);
        notes.len()
    }

    /// Takes back the note that a socket has connected, if the transport has not seen it.
    pub(crate) fn take_back(&self, socket: SocketId) -> Option<Box<Inbox>> {
        let mut notes = self.notes.lock();
        let is_it = |note: &Note| matches!(note, Note::Connected(inbox) if inbox.id() == socket);
        let place = notes.iter().position(is_it)?;
        match notes.remove(place) {
            Some(Note::Connected(inbox)) => Some(inbox),
            _ => None,
        }
    }

    /// Whether the client has given up a socket, and the transport has yet to see that.
    pub(crate) fn is_dropped(&self, socket: SocketId) -> bool {
        self.notes.lock().iter().any(|note| matches!(note, Note::Dropped(id) if *id == socket))
    }

    pub(crate) fn pop(&self) -> Option<Note> {
        let mut notes = self.notes.lock();
        let note = notes.pop_front();
        if notes.is_empty() {
            *notes = VecDeque::new();
        }
        note
    }

    /// There is something to drain.
    pub(crate) fn signal(&self) {
        if !self.is_signalled.swap(true, Ordering::AcqRel) {
            self.call();
        }
    }

    /// A drain begins.
    pub(crate) fn begin(&self) {
        // Not a mere store: what was brought before the flag was set is visible from here on.
        self.is_signalled.swap(false, Ordering::AcqRel);
    }

    /// Sets what is called by [`signal`](Self::signal). If there was a signal already, it is called now.
    pub(crate) fn set_wake(&self, wake: Option<Wake>) {
        let old = std::mem::replace(&mut *self.wake.lock(), wake);
        drop(old);
        if self.is_signalled.load(Ordering::Acquire) {
            self.call();
        }
    }

    fn call(&self) {
        let wake = self.wake.lock().clone();
        if let Some(wake) = wake {
            contain(|| wake());
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("notes", &self.notes.lock().len()).finish_non_exhaustive()
    }
}
