//! What happens to the rooms of a namespace, told one by one in the order in which it happened.
//!
//! # Exact, once, in order
//!
//! A room notes what happens to it while it is locked, so the notes of one room are in the order in which
//! its members came and went. They are told later, under no lock, one at a time: whoever finds nobody at it
//! tells all that there are, those of others too. So a call that joins or leaves returns after its notes
//! were told, unless another thread, or a frame further out on this one, is telling at that moment: then
//! that one tells them.

use crate::name::RoomName;
use crate::serial::Serial;
use crate::slab::SocketId;
use crate::sync::{AtomicBool, Ordering};

/// Something that happened to a room.
///
/// Of one room: created, then joined and left, then deleted, and again. A socket's joins and leaves of a
/// room take turns. Told to the hooks of [`Namespace::on_room`](crate::Namespace::on_room).
///
/// ```
/// use roomcast::{Engine, RoomEvent};
///
/// let engine = Engine::new();
/// let game = engine.of("/game")?;
/// game.on_room(|game, event| match event {
///     RoomEvent::Joined(room, socket) | RoomEvent::Left(room, socket) => {
///         let presence = format!("{socket}, of {}", game.room_len(room));
///         game.to(room).emit("presence", presence).unwrap();
///     }
///     _ => {}
/// });
/// let (ann, mut inbox) = game.connect();
/// let (bob, _bob_inbox) = game.connect();
/// ann.join("table")?;
/// bob.join("table")?;
/// bob.leave("table")?;
/// let mut seen = Vec::new();
/// inbox.drain(|delivery| seen.push(delivery.payload().as_str().unwrap().to_owned()));
/// assert_eq!(seen[1..], [format!("{}, of 2", bob.id()), format!("{}, of 1", bob.id())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// It got its first member, who is told next.
    Created(RoomName),
    /// A socket joined it.
    Joined(RoomName, SocketId),
    /// A socket left it, by itself or with its disconnect.
    Left(RoomName, SocketId),
    /// Its last member has left.
    Deleted(RoomName),
}

impl RoomEvent {
    /// Returns the room.
    #[must_use]
    pub fn room(&self) -> &RoomName {
        match self {
            Self::Created(room) | Self::Joined(room, _) | Self::Left(room, _) | Self::Deleted(room) => room,
        }
    }

    /// Returns the socket that joined or left.
    #[must_use]
    pub fn socket(&self) -> Option<SocketId> {
        match self {
            Self::Joined(_, socket) | Self::Left(_, socket) => Some(*socket),
            Self::Created(_) | Self::Deleted(_) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    is_watched: AtomicBool,
    notes: Serial<RoomEvent>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { is_watched: AtomicBool::new(false), notes: Serial::new() }
    }

    /// Notes from now on.
    pub(crate) fn watch(&self) {
        self.is_watched.store(true, Ordering::Release);
    }

    /// Whether anybody wants to know. One load.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// Notes that a socket became a member, the first or not. Under the room's lock.
    pub(crate) fn joined(&self, room: &RoomName, socket: SocketId, is_first: bool) {
        if is_first {
            self.notes.push_always(RoomEvent::Created(room.clone()));
        }
        self.notes.push_always(RoomEvent::Joined(room.clone(), socket));
    }

    /// Notes that a member left, the last or not. Under the room's lock.
    pub(crate) fn left(&self, room: &RoomName, socket: SocketId, is_last: bool) {
        self.notes.push_always(RoomEvent::Left(room.clone(), socket));
        if is_last {
            self.notes.push_always(RoomEvent::Deleted(room.clone()));
        }
    }

    /// Tells what was noted. Under no lock.
    pub(crate) fn tell(&self, tell: impl FnMut(RoomEvent)) {
        self.notes.run(tell);
    }
}
