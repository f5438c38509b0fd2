//! The public handle of a socket.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use crate::broadcast::{Broadcast, Emitted, Emitter, emit_direct};
use crate::convert::IntoPayload;
use crate::error::{EmitError, MembershipError};
use crate::event::IntoEvent;
use crate::history::{Joined, Past};
use crate::name::RoomName;
use crate::reason::DisconnectReason;
use crate::room::Room;
use crate::slab::SocketId;
use crate::state::SocketCore;
use crate::sync::Arc;
use crate::target::{IntoRooms, IntoTargets, Place, Target, with_places, with_rooms};

/// A socket: what joins rooms, emits, and is emitted to.
///
/// Comes with its [`Inbox`](crate::Inbox) from [`Namespace::connect`](crate::Namespace::connect). `Send`,
/// `Sync`; cloning counts a reference. All of it may be called from any thread, and from inside a drain,
/// a wake-up or a payload's `Drop`. Dropping handles does not disconnect; dropping the inbox does.
#[derive(Clone)]
pub struct Socket {
    core: Arc<SocketCore>,
}

impl Socket {
    pub(crate) fn new(core: Arc<SocketCore>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<SocketCore> {
        &self.core
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.core.id()
    }

    /// Joins one room or several, and returns how many it was not in before.
    ///
    /// It gets everything emitted to them from now on: the next statement sees it as a member. Rooms that
    /// do not exist come to exist. O(1) each, with a look-up for a name and none for a handle.
    ///
    /// ```
    /// # let (socket, _inbox) = roomcast::Engine::new().of("/")?.connect();
    /// assert_eq!(socket.join("lobby")?, 1);
    /// assert_eq!(socket.join(["lobby", "hall"])?, 1);
    /// assert_eq!(socket.join((3, 4))?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the socket is closed, a name is refused, [admission](crate::Namespace::admission) or a room's
    /// [capacity](crate::Room::set_capacity) refuses, or it would be in [too many](crate::EngineBuilder::max_rooms_per_socket)
    /// rooms or make [too many](crate::EngineBuilder::max_rooms); then it has joined none of them.
    pub fn join(&self, rooms: impl IntoRooms) -> Result<usize, MembershipError> {
        with_rooms(rooms, &self.core.namespace, |rooms| SocketCore::join(&self.core, rooms))
    }

    /// Joins a room with its [past](Past): what it [keeps](crate::Room::set_history) of what was emitted before, then
    /// everything emitted from now on, with nothing missed and nothing twice in between. If it is a member already,
    /// nothing happens.
    ///
    /// What was emitted before has its old [sequence](crate::Delivery::sequence), below [that of the
    /// join](Joined::sequence), and its old place in the order: the next drain hands it out before what is newer. It is
    /// what was emitted to the room, whoever was in it then: only messages that leave this socket out by its id are
    /// not for it, and those that it gets anyway, as a member of another room or of this one before. What it has read
    /// before it came back it gets again, if it asks for it. The past is not kept longer for a socket that does not read than other messages are: what
    /// goes is told as a [gap](crate::Delivery::gap).
    ///
    /// Costs a step for each segment of the history before what is wanted, which have 16 messages and in long histories up to
    /// 128, and no copy of any message.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join); then nothing has changed.
    pub fn join_with(&self, room: impl Into<RoomName>, past: Past) -> Result<Joined, MembershipError> {
        SocketCore::join_with(&self.core, &room.into(), past)
    }

    /// Leaves one room or several, and returns how many it was in.
    ///
    /// What was emitted to them before can still be drained; nothing emitted from now on arrives. A room
    /// is gone when its last member leaves.
    ///
    /// # Errors
    ///
    /// If the socket is closed or a name is refused; then it has left none of them.
    pub fn leave(&self, rooms: impl IntoRooms) -> Result<usize, MembershipError> {
        with_rooms(rooms, &self.core.namespace, |rooms| self.core.leave(rooms))
    }

    /// Leaves all rooms, and returns how many that were.
    ///
    /// # Errors
    ///
    /// If the socket is closed.
    pub fn leave_all(&self) -> Result<usize, MembershipError> {
        SocketCore::leave_all(&self.core)
    }

    /// Makes these its rooms: joins those that it is not in, then leaves all others, and returns how many
    /// it joined and left. Memberships that stay are not touched, so nothing is missed or repeated there.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join); then nothing has changed.
    pub fn set_rooms(&self, rooms: impl IntoRooms) -> Result<(usize, usize), MembershipError> {
        with_rooms(rooms, &self.core.namespace, |rooms| SocketCore::set_rooms(&self.core, rooms))
    }

    /// Returns the rooms that it is in, in joining order. O(rooms).
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomName> {
        self.core.rooms()
    }

    /// Returns how many rooms it is in. O(1).
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.core.room_count()
    }

    /// Returns whether it is in the room of this name. O(1), once the room is found.
    #[must_use]
    pub fn is_in(&self, room: impl Into<RoomName>) -> bool {
        self.core.is_in_room(&room.into())
    }

    /// Emits a message to this socket alone. As [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// If the event name is refused, the payload cannot be made or the socket is closed.
    pub fn emit<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        emit_direct(&self.core, event, payload)
    }

    /// Emits a message to this socket alone, unless it is behind. As [`Broadcast::volatile`].
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_volatile<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        self.core.check_open()?;
        let to_me = Cow::Owned(Target::new().to(self.id()));
        Broadcast::new(Emitter::Namespace(&self.core.namespace), to_me).volatile().emit(event, payload)
    }

    /// Addresses rooms and sockets, this one excluded: by identity, whatever rooms it is in.
    pub fn to(&self, places: impl IntoTargets) -> Broadcast<'_> {
        self.others(Target::new().to(places))
    }

    /// Addresses rooms and sockets, this one included if it is among them. Recipients see it as the
    /// [sender](crate::Delivery::sender) all the same.
    pub fn within(&self, places: impl IntoTargets) -> Broadcast<'_> {
        Broadcast::new(Emitter::Socket(&self.core), Cow::Owned(Target::new().to(places)))
    }

    /// Addresses all other sockets.
    pub fn broadcast(&self) -> Broadcast<'_> {
        self.others(Target::new())
    }

    /// Addresses all other sockets but these, and but the members of these rooms.
    pub fn except(&self, places: impl IntoTargets) -> Broadcast<'_> {
        self.others(Target::new().except(places))
    }

    /// Addresses a target made before, this socket excluded.
    pub fn target<'a>(&'a self, target: &'a Target) -> Broadcast<'a> {
        Broadcast::new(Emitter::Others(&self.core), Cow::Borrowed(target))
    }

    /// Keeps a value with the socket, one of each type, for as long as there are handles of it; and returns
    /// the one that was there before. To change it in place, keep a lock or an atomic in it.
    ///
    /// ```
    /// # let (socket, _inbox) = roomcast::Engine::new().of("/")?.connect();
    /// struct User { name: String }
    ///
    /// socket.set_data(User { name: "Ann".into() });
    /// assert_eq!(socket.data::<User>().unwrap().name, "Ann");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) -> Option<std::sync::Arc<T>> {
        self.core.data.set(std::sync::Arc::new(value))
    }

    /// Returns the value of this type that is kept with the socket.
    #[must_use]
    pub fn data<T: Any + Send + Sync>(&self) -> Option<std::sync::Arc<T>> {
        self.core.data.get()
    }

    /// Returns the value of this type that is kept with the socket; if there is none, the one that `make`
    /// makes. If two threads make one at the same time, both get the first.
    pub fn data_or_insert_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> std::sync::Arc<T> {
        self.core.data.get_or_insert_with(make)
    }

    /// Removes the value of this type, and returns it.
    pub fn remove_data<T: Any + Send + Sync>(&self) -> Option<std::sync::Arc<T>> {
        self.core.data.remove()
    }

    /// Disconnects it, whatever it has yet to read, and returns whether it was connected.
    ///
    /// It leaves all rooms, and its id is stale. Nothing emitted from now on reaches it; what was emitted
    /// before can still be drained, and then the inbox reports closed with this reason. The first reason
    /// stays.
    ///
    /// All that has taken effect before a hook is called. [`on_disconnecting`](Self::on_disconnecting) and
    /// [`on_disconnect`](Self::on_disconnect) hooks run in this call, unless a handler of this socket runs at the
    /// time, on whichever thread: then they run after it. A client stays connected to its other namespaces: to
    /// send it away altogether, close its [`connection`](Self::connection).
    pub fn disconnect(&self, reason: impl Into<DisconnectReason>) -> bool {
        SocketCore::disconnect(&self.core, reason.into())
    }

    /// Returns whether it is connected. One load.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.core.is_open()
    }

    /// Returns why it was disconnected, if it was.
    #[must_use]
    pub fn closed(&self) -> Option<DisconnectReason> {
        self.core.closed()
    }

    pub(crate) fn join_places(&self, rooms: &[Place]) -> Result<usize, MembershipError> {
        with_places(rooms, &self.core.namespace, |rooms| SocketCore::join(&self.core, rooms))
    }

    pub(crate) fn leave_places(&self, rooms: &[Place]) -> Result<usize, MembershipError> {
        with_places(rooms, &self.core.namespace, |rooms| self.core.leave(rooms))
    }

    fn others(&self, target: Target) -> Broadcast<'_> {
        Broadcast::new(Emitter::Others(&self.core), Cow::Owned(target))
    }
}

impl Room {
    /// Addresses the members of this room, from a socket, that socket excluded, without cloning the handle
    /// or building a target: `room.emit_from(&socket, event, payload)` is `socket.to(&room)` for the hot
    /// path.
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit_from<E: IntoEvent>(
        &self,
        socket: &Socket,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        crate::broadcast::emit_from(self, &socket.core, event, payload)
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.core.namespace.path)
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
