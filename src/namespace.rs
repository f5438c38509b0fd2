//! The public handle of a namespace.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::broadcast::{Broadcast, Emitted, Emitter};
use crate::config::Backlog;
use crate::convert::IntoPayload;
use crate::error::{EmitError, EventError, StaleSocket};
use crate::event::{EventHandle, IntoEvent};
use crate::inbox::Inbox;
use crate::name::{RoomName, RoomNameError};
use crate::room::Room;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::NamespaceCore;
use crate::sync::Arc;
use crate::target::{IntoTargets, Target};

/// A namespace: its sockets, its rooms and its one order of messages.
///
/// Comes from [`Engine::of`](crate::Engine::of). `Send`, `Sync`; cloning counts a reference. Sockets, room
/// names and messages of different namespaces never meet.
#[derive(Clone)]
pub struct Namespace {
    core: Arc<NamespaceCore>,
}

impl Namespace {
    pub(crate) fn new(core: Arc<NamespaceCore>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        &self.core
    }

    /// Returns the path, with its slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.core.path
    }

    /// Connects a socket: returns its handle, and the one inbox that reads what it is sent.
    ///
    /// It gets what is emitted from now on. Keep the inbox: dropping it disconnects the socket. Hooks of
    /// [`on_connect`](Self::on_connect) run in this call; middlewares do not, as they are for clients, which come
    /// by [`Engine::connect`](crate::Engine::connect). In a
    /// namespace that was removed, or full, or whose engine is closed, the socket is closed from the start, and the
    /// inbox tells why after its first drain.
    #[must_use]
    pub fn connect(&self) -> (Socket, Inbox) {
        let socket = Socket::new(NamespaceCore::connect(&self.core));
        let inbox = Inbox::new(socket.clone());
        (socket, inbox)
    }

    /// Returns the connected socket of this id. O(1).
    ///
    /// # Errors
    ///
    /// For the id of a socket that is closed, or of another namespace.
    pub fn socket(&self, id: SocketId) -> Result<Socket, StaleSocket> {
        self.core.socket(id).map(Socket::new)
    }

    /// Returns the ids of all connected sockets, in the order in which they connected. O(sockets).
    #[must_use]
    pub fn socket_ids(&self) -> Vec<SocketId> {
        self.core.everyone.members()
    }

    /// Returns how many sockets are connected. O(1).
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.core.everyone.len()
    }

    /// Finds a room once, for later use. Does not make it exist: that takes a member.
    ///
    /// # Errors
    ///
    /// For empty text, and text longer than
    /// [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes); and if it would be one of
    /// [too many](crate::EngineBuilder::max_rooms).
    pub fn room(&self, name: impl Into<RoomName>) -> Result<Room, RoomNameError> {
        Room::new(&self.core, &name.into())
    }

    /// Returns whether a room of this name exists: whether it has members. O(1).
    #[must_use]
    pub fn has_room(&self, name: impl Into<RoomName>) -> bool {
        self.room_len(name) > 0
    }

    /// Returns how many members the room of this name has. O(1).
    #[must_use]
    pub fn room_len(&self, name: impl Into<RoomName>) -> usize {
        self.core.rooms.get(&name.into()).map_or(0, |topic| topic.len())
    }

    /// Returns the members of the room of this name, in joining order. O(members).
    #[must_use]
    pub fn members(&self, name: impl Into<RoomName>) -> Vec<SocketId> {
        self.core.rooms.get(&name.into()).map_or_else(Vec::new, |topic| topic.members())
    }

    /// Returns all rooms that exist with their sizes, oldest first. O(rooms · log rooms).
    #[must_use]
    pub fn rooms(&self) -> Vec<(RoomName, usize)> {
        let rooms = self.core.rooms.all();
        let sizes = rooms.iter().filter_map(|topic| Some((topic.name()?.clone(), topic.len())));
        sizes.filter(|(_, len)| *len > 0).collect()
    }

    /// Resolves an event name for later use: emitting under it hashes and allocates nothing. The handle of an
    /// [`Event<T>`](crate::Event) no longer says what its messages carry.
    ///
    /// # Errors
    ///
    /// For a name that is empty, too long or reserved.
    pub fn event(&self, name: impl IntoEvent) -> Result<EventHandle, EventError> {
        self.core.engine.events.event(name.text())
    }

    /// Emits a message to all sockets. As [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// If the event name is refused, the payload cannot be made or the namespace is removed.
    pub fn emit<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        self.everyone().emit(event, payload)
    }

    /// Addresses rooms and sockets.
    ///
    /// ```
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// # let (player, _inbox) = world.connect();
    /// world.to("lobby").emit("news", "hello")?;
    /// world.to([(3, 4), (3, 5)]).to(player.id()).except("muted").emit("moved", "north")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to(&self, places: impl IntoTargets) -> Broadcast<'_> {
        self.broadcast(Target::new().to(places))
    }

    /// Addresses all sockets but these, and but the members of these rooms.
    pub fn except(&self, places: impl IntoTargets) -> Broadcast<'_> {
        self.broadcast(Target::new().except(places))
    }

    /// Addresses all sockets.
    ///
    /// ```
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// world.everyone().volatile().emit("tick", "7")?;
    /// world.everyone().disconnect("maintenance")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn everyone(&self) -> Broadcast<'_> {
        self.broadcast(Target::new())
    }

    /// Addresses a target made before.
    pub fn target<'a>(&'a self, target: &'a Target) -> Broadcast<'a> {
        Broadcast::new(Emitter::Namespace(&self.core), Cow::Borrowed(target))
    }

    /// Returns the tick in which something with this [sequence](crate::Delivery::sequence) was emitted: the time of the
    /// latest [tick](crate::Engine::tick) before, that of the engine when the namespace was made if there was none.
    /// `None` if that is not [remembered](crate::EngineBuilder::remembered_ticks), or nothing has that sequence yet.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let engine = roomcast::Engine::new();
    /// let world = engine.of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// engine.tick(Duration::from_millis(16));
    /// player.emit("moved", "north")?;
    /// engine.tick(Duration::from_millis(33));
    /// let moved = inbox.try_next().unwrap();
    /// assert_eq!(world.tick_of(moved.sequence()), Some(Duration::from_millis(16)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// O(log of the ticks that are remembered), and takes a lock.
    #[must_use]
    pub fn tick_of(&self, sequence: u64) -> Option<Duration> {
        self.core.ticks.time_of(sequence, &self.core.order)
    }

    /// Returns what rooms made from now on keep for members that do not read.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        self.core.backlog()
    }

    /// Sets what rooms made from now on, and messages to all sockets, keep for members that do not read.
    /// For one room there is [`Room::set_backlog`]. Sockets that were sent to directly before keep theirs.
    pub fn set_backlog(&self, backlog: Backlog) {
        self.core.set_backlog(backlog);
    }

    /// Returns whether the namespace was removed or its engine closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    fn broadcast(&self, target: Target) -> Broadcast<'_> {
        Broadcast::new(Emitter::Namespace(&self.core), Cow::Owned(target))
    }
}

impl Socket {
    /// Returns its namespace.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace::new(Arc::clone(&self.core().namespace))
    }
}

impl Room {
    /// Returns its namespace.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace::new(Arc::clone(self.namespace_core()))
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Namespace {}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("path", &self.path())
            .field("sockets", &self.socket_count())
            .finish_non_exhaustive()
    }
}
