//! What a connection itself has to say, and how its transport is told.
//!
//! # One wake-up between two drains, and none lost
//!
//! Whoever has brought something signals, and that wakes if nobody has signalled since the last drain, and none is
//! under way. A drain first says that it begins and then looks at everything, so what was brought before is found.
//! What is brought meanwhile leaves its sign, and then the drain wakes as it ends. One that stops early wakes nobody,
//! as the transport knows that there may be more.
//!
//! The transport (or the callback in its place) is woken each time; beside it, once, whoever sleeps. The one who
//! wants to sleep leaves word under the lock of the ring, and looks for signals afterwards; a signal shows, and looks
//! for sleepers afterwards, under that lock. So one of the two sees the other.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::foreign::contain;
use crate::mailbox::Wake;
use crate::reason::DisconnectReason;
use crate::rejection::Rejection;
use crate::slab::SocketId;
use crate::stream::Stream;
use crate::sync::{AtomicU8, Mutex, Ordering};
use crate::transport::Transport;

#[derive(Debug)]
pub(crate) enum Note {
    /// A socket has connected. From here on its stream is read.
    Connected(Box<Stream>),
    Rejected {
        namespace: Box<str>,
        rejection: Rejection,
    },
    /// The client has given up a socket: nothing more goes to it.
    Dropped(SocketId),
    /// The connection is closed, and all its sockets are.
    Closed(DisconnectReason),
}

pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

pub(crate) struct Outgoing {
    notes: Mutex<VecDeque<Note>>,
    ring: Mutex<Ring>,
    phase: AtomicU8,
    /// Whether the transport is not to be woken.
    is_polled: bool,
}

/// There was no signal since the last drain, which is over.
const IDLE: u8 = 0;
/// A drain is under way, and there was no signal since it began.
const DRAINING: u8 = 1;
/// There was a signal since the last drain began.
const SIGNALLED: u8 = 2;

/// Who is to be told.
struct Ring {
    /// Until the outbox is gone.
    transport: Option<Arc<dyn Transport>>,
    /// Called in place of the transport.
    callback: Option<Callback>,
    /// Who waits by the outbox.
    sleeper: Option<Wake>,
}

impl Outgoing {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            is_polled: transport.is_polled(),
            notes: Mutex::new(VecDeque::new()),
            ring: Mutex::new(Ring { transport: Some(transport), callback: None, sleeper: None }),
            phase: AtomicU8::new(IDLE),
        }
    }

    pub(crate) fn is_polled(&self) -> bool {
        self.is_polled
    }

    /// Adds a note, and returns how many there are. [`signal`](Self::signal) is to follow, under no lock.
    pub(crate) fn push(&self, note: Note) -> usize {
        let mut notes = self.notes.lock();
        notes.push_back(note);
        notes.len()
    }

    /// Takes back the note that a socket has connected, if the transport has not seen it.
    pub(crate) fn take_back(&self, socket: SocketId) -> Option<Box<Stream>> {
        let mut notes = self.notes.lock();
        let is_it = |note: &Note| matches!(note, Note::Connected(stream) if stream.id() == socket);
        let place = notes.iter().position(is_it)?;
        match notes.remove(place) {
            Some(Note::Connected(stream)) => Some(stream),
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
        if self.phase.swap(SIGNALLED, Ordering::AcqRel) == IDLE {
            self.ring();
        }
    }

    /// A drain begins.
    pub(crate) fn begin(&self) {
        // Not a mere store: what was brought before a signal is visible from here on.
        self.phase.swap(DRAINING, Ordering::AcqRel);
    }

    /// The drain is over.
    pub(crate) fn end(&self) {
        let ended = self.phase.compare_exchange(DRAINING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if ended.is_err() {
            self.ring();
        }
    }

    /// The drain has stopped early: as if there was a signal, of which the transport knows.
    pub(crate) fn stop(&self) {
        self.phase.store(SIGNALLED, Ordering::Release);
    }

    /// The drain has panicked: as if there was a signal.
    pub(crate) fn fail(&self) {
        self.stop();
        self.ring();
    }

    /// Whether there was a signal since the last drain began.
    pub(crate) fn is_signalled(&self) -> bool {
        self.phase.load(Ordering::Acquire) == SIGNALLED
    }

    /// Leaves word to be woken by the next signal, unless there was one since the last drain began: then it
    /// returns false.
    pub(crate) fn sleep(&self, wake: Wake) -> bool {
        let old = self.ring.lock().sleeper.replace(wake);
        contain(|| drop(old)); // a waker's `Drop` is user code
        if !self.is_signalled() {
            return true;
        }
        let unused = self.ring.lock().sleeper.take();
        contain(|| drop(unused));
        false
    }

    /// Sets what is called by [`signal`](Self::signal) in place of the transport. If there was a signal already,
    /// whoever is to be told from now on is told now.
    pub(crate) fn set_callback(&self, callback: Option<Callback>) {
        let is_some = callback.is_some();
        let old = std::mem::replace(&mut self.ring.lock().callback, callback);
        let is_new = is_some || old.is_some();
        contain(|| drop(old));
        if is_new && self.is_signalled() {
            self.ring();
        }
    }

    /// Returns what tells the transport that the connection is closed, to be called under no lock.
    pub(crate) fn farewell(&self, reason: DisconnectReason) -> impl FnOnce() + use<> {
        let transport = self.ring.lock().transport.clone();
        move || {
            if let Some(transport) = transport {
                contain(|| transport.close(&reason));
                contain(|| drop(transport)); // the last one, perhaps
            }
        }
    }

    /// Wakes whoever sleeps, to look again.
    pub(crate) fn rouse(&self) {
        let sleeper = self.ring.lock().sleeper.take();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// Tells nobody any more.
    pub(crate) fn hush(&self) {
        let (transport, callback, sleeper) = {
            let mut ring = self.ring.lock();
            (ring.transport.take(), ring.callback.take(), ring.sleeper.take())
        };
        contain(|| drop(transport));
        contain(|| drop(callback));
        contain(|| drop(sleeper));
    }

    fn ring(&self) {
        let (transport, callback, sleeper) = {
            let mut ring = self.ring.lock();
            let callback = ring.callback.clone();
            let is_told = callback.is_none() && !self.is_polled;
            let transport = if is_told { ring.transport.clone() } else { None };
            (transport, callback, ring.sleeper.take())
        };
        if let Some(callback) = callback {
            contain(move || callback());
        }
        if let Some(transport) = transport {
            contain(|| transport.wake());
            contain(|| drop(transport));
        }
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("notes", &self.notes.lock().len()).finish_non_exhaustive()
    }
}
