//! The entry: Socket.IO's `io`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Backlog, Config};
use crate::directory::Directory;
use crate::error::{ConfigError, NamespaceError};
use crate::namespace::Namespace;
use crate::recovery::Recovery;

/// A pub/sub engine: namespaces by path.
///
/// `Send`, `Sync`; cloning counts a reference, and all clones are the same engine. It has no thread, no
/// timer and no clock of its own. Dropping it closes nothing: namespaces and sockets live on by
/// themselves; [`close`](Self::close) closes. It also lets go of handlers and hooks: what they have captured
/// (the engine itself, perhaps, or a namespace) is not freed before.
///
/// ```
/// let engine = roomcast::Engine::new();
/// let world = engine.of("/world")?;
/// let (player, mut inbox) = world.connect();
/// player.join("cell:3:4")?;
/// world.to("cell:3:4").emit("moved", "north")?;
/// let mut seen = Vec::new();
/// inbox.drain(|delivery| seen.push(delivery.event().to_owned()));
/// assert_eq!(seen, ["moved"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    directory: Arc<Directory>,
}

impl Engine {
    /// Creates an engine with the default settings. Its namespace `/` exists.
    #[must_use]
    pub fn new() -> Self {
        EngineBuilder::default().build()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Returns the namespace of this path, which it creates if there is none. `chat` and `/chat` are the
    /// same; an empty path is `/`.
    ///
    /// It stays until it is [removed](Self::remove), also if a [parent](Self::of_pattern) has made it: only to
    /// look at one of those, use [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// If the engine is closed; for a path of more than 256 bytes, with white space, control characters or
    /// one of `,?#` in it, or with an empty part.
    pub fn of(&self, path: &str) -> Result<Namespace, NamespaceError> {
        self.directory.of(path).map(Namespace::new)
    }

    /// Returns the namespace of this path, if it exists.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Namespace> {
        self.directory.get(path).map(Namespace::new)
    }

    /// Returns all namespaces, by path.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.directory.namespaces().into_iter().map(Namespace::new).collect()
    }

    /// Removes a namespace, and returns whether there was one. `/` is replaced by a new one.
    ///
    /// Its sockets are disconnected with
    /// [`DisconnectReason::NamespaceRemoved`](crate::DisconnectReason::NamespaceRemoved), and what was registered
    /// with it goes. Handles of it stay closed for good, also when the path is used again.
    pub fn remove(&self, path: &str) -> bool {
        self.directory.remove(path)
    }

    /// Closes the engine, for good: disconnects all sockets with
    /// [`DisconnectReason::Shutdown`](crate::DisconnectReason::Shutdown), removes all namespaces, closes all
    /// connections, and takes off what was registered. Does nothing the second time.
    ///
    /// Transports can still drain: each client is told for each of its sockets, and then its
    /// [`Outbox`](crate::Outbox) that all is over. A middleware that has yet to decide decides nothing more.
    pub fn close(&self) {
        self.directory.close();
    }

    /// Returns whether the engine is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.directory.is_closed()
    }

    /// Tells the engine what time it is: how long after a start of your choice, always the same one.
    ///
    /// The engine has no clock. What has a timeout ends with the first tick at or after its time: waiting for
    /// [answers](crate::Acks::timeout), for [middlewares](EngineBuilder::middleware_timeout) and for clients
    /// to [join something](EngineBuilder::connect_timeout). Timeouts count from the time of the latest tick
    /// when they are set, 0 before the first, so they are as exact as ticks are frequent; and a first tick that
    /// is far from 0, such as the time of day, ends all that were set before it. What is due runs in
    /// this call, under no lock. An earlier time than the latest changes nothing back.
    ///
    /// First of all those who watch a [`Presence`](crate::Presence) are told what has changed in the tick that ends with
    /// this call. A tick is a boundary in the order of messages, too: [`Inbox::drain_before`](crate::Inbox::drain_before)
    /// reads up to it, and [`Namespace::tick_of`](crate::Namespace::tick_of) tells in which one a message was emitted. What is due
    /// in this call is of the tick that begins with it. And [lifetimes](crate::Broadcast::lifetime) and the
    /// [age](crate::History::age) of a history count by it. O(namespaces and watched presences), beside what is due.
    ///
    /// ```
    /// use roomcast::{DisconnectReason, Engine, Handshake};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::builder().connect_timeout(Duration::from_secs(45)).build();
    /// let (connection, _outbox) = engine.connect(Handshake::new());
    /// engine.tick(Duration::from_secs(44));
    /// assert_eq!(connection.closed(), None);
    /// engine.tick(Duration::from_secs(45));
    /// assert_eq!(connection.closed(), Some(DisconnectReason::Timeout));
    /// ```
    pub fn tick(&self, now: Duration) {
        self.directory.core.flushers.flush_all();
        self.directory.tick(now);
    }

    /// Returns the time of the latest [tick](Self::tick), 0 before the first.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.directory.core.clock.now()
    }

    /// Returns how many sockets are connected, in all namespaces. O(1).
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.directory.core.socket_count()
    }

    /// Returns how many connections are open. O(1).
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.directory.connection_count()
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("namespaces", &self.namespaces()).finish_non_exhaustive()
    }
}

/// The settings of an [`Engine`], each checked when it is set.
///
/// ```
/// use roomcast::{Backlog, Engine};
///
/// let engine = Engine::builder()
///     .backlog(Backlog::new().messages(256)?)
///     .shards(16)?
///     .event_names(100)?
///     .build();
/// assert!(Engine::builder().shards(12).is_err());
/// # Ok::<(), roomcast::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before `build`"]
pub struct EngineBuilder {
    config: Config,
    recovery: Option<Recovery>,
}

impl EngineBuilder {
    /// Sets what rooms keep for members that do not read, where a namespace or room sets nothing else.
    /// Default [`Backlog::new`].
    pub fn backlog(mut self, backlog: Backlog) -> Self {
        self.config.backlog = backlog;
        self
    }

    /// Sets in how many separately locked parts a namespace's table of room names is. Default 64.
    ///
    /// More let more threads join, leave and look up rooms at the same time; each costs 128 bytes per
    /// namespace. Emitting through a [`Room`](crate::Room) handle takes none of these locks.
    ///
    /// # Errors
    ///
    /// If it is not a power of two, or above 4096.
    pub fn shards(self, shards: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.shards = shards)
    }

    /// Sets how many different event names the engine remembers. Default 4096.
    ///
    /// Each costs about 30 bytes plus its length, for the life of the engine. Further names work all the
    /// same, and each emit under one costs an allocation.
    ///
    /// # Errors
    ///
    /// Above 131,040.
    pub fn event_names(self, names: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.event_names = names)
    }

    /// Sets how many bytes the name of an event or of a room can have. Default 256.
    ///
    /// A name of up to 23 bytes is stored inline; a longer one is allocated.
    ///
    /// # Errors
    ///
    /// For 0, and above 65,536.
    pub fn max_name_bytes(self, bytes: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.max_name_bytes = bytes)
    }

    /// Sets how many joins and leaves of a socket can pile up while it does not drain. Default 1024.
    ///
    /// Each costs about 60 bytes. Beyond it, or when the rooms that it has joined and left unread hold
    /// more than the engine's [backlog](Self::backlog) together, what the socket has not read so far turns
    /// into one [gap](crate::GapReason::Memberships), and it is left with what its present rooms need.
    ///
    /// # Errors
    ///
    /// Below 2.
    pub fn membership_backlog(self, changes: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.membership_backlog = changes)
    }

    /// Sets after how long a connection is closed that has joined no namespace, with
    /// [`DisconnectReason::Timeout`](crate::DisconnectReason::Timeout). Default 45 seconds.
    ///
    /// Counts in the engine's own time: without [ticks](Engine::tick) nothing times out.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = Some(timeout);
        self
    }

    /// Lets connections that have joined no namespace stay.
    pub fn no_connect_timeout(mut self) -> Self {
        self.config.connect_timeout = None;
        self
    }

    /// Sets how long a [deferred middleware](crate::Namespace::deferred_middleware) has to decide, before its
    /// socket is rejected. Default 30 seconds, of the engine's own [time](Engine::tick).
    pub fn middleware_timeout(mut self, timeout: Duration) -> Self {
        self.config.middleware_timeout = Some(timeout);
        self
    }

    /// Lets deferred middlewares take as long as they like.
    pub fn no_middleware_timeout(mut self) -> Self {
        self.config.middleware_timeout = None;
        self
    }

    /// Sets how many events of a socket can wait while one of its handlers runs. Default 1024.
    ///
    /// Beyond it [`Connection::receive`](crate::Connection::receive) takes in no more of them. Each costs about
    /// 56 bytes, beside its payload. As many connects, let in or refused, can wait for a transport that does not
    /// drain; beyond it its connection is closed.
    ///
    /// # Errors
    ///
    /// For 0.
    pub fn inbound_queue(self, events: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.inbound_queue = events)
    }

    /// Sets in how many namespaces one connection can have a socket, or be about to. Default 64. More are
    /// refused with a connect error.
    ///
    /// # Errors
    ///
    /// For 0.
    pub fn max_namespaces(self, namespaces: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.max_namespaces = namespaces)
    }

    /// Sets how many sockets a namespace can have, those included that have yet to be let in, or to have the last of
    /// their hooks called. Default 1,048,576; `usize::MAX` is no limit.
    ///
    /// Further clients are refused with a connect error, and what [`Namespace::connect`] returns is closed, with
    /// [`DisconnectReason::NamespaceFull`](crate::DisconnectReason::NamespaceFull). Exact, between threads too.
    ///
    /// # Errors
    ///
    /// For 0.
    pub fn max_sockets(self, sockets: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.max_sockets = sockets)
    }

    /// Sets how many rooms a namespace can have, those included that only [handles](crate::Room) keep. Default
    /// 1,048,576; `usize::MAX` is no limit.
    ///
    /// Nobody can [make](crate::RoomNameError::TooManyRooms) further ones; those that are there can be joined. A
    /// call that would make several makes none, and one that also leaves rooms does so afterwards. Never more, between
    /// threads too; of two calls for the last place at the same moment both may be refused.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.config.max_rooms = rooms;
        self
    }

    /// Sets in how many rooms a socket can be. Default 16,384; `usize::MAX` is no limit.
    ///
    /// To join more is [refused](crate::MembershipError::TooManyRooms).
    pub fn max_rooms_per_socket(mut self, rooms: usize) -> Self {
        self.config.max_rooms_per_socket = rooms;
        self
    }

    /// Sets how many messages to one socket can wait for its answer, and how many broadcasts of one namespace for
    /// their answers. Default 4096; `usize::MAX` is no limit. For a [`ClientSocket`](crate::ClientSocket) it is how
    /// many of its events can wait for the server.
    ///
    /// To emit more that are to be answered is [refused](crate::EmitError::TooManyAcks). Give them a
    /// [timeout](crate::Acks::timeout): otherwise one member that never answers keeps every broadcast waiting.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.config.max_pending_acks = acks;
        self
    }

    /// Sets how [long](crate::Payload::len) a payload can be that a client sends, with an event, an answer or to
    /// connect. Default 1 MiB; `usize::MAX` is no limit.
    ///
    /// A connection that brings a longer one is [closed](crate::ProtocolError::PayloadTooLong). What the server
    /// emits has no such limit: it counts against the [backlog](Self::backlog).
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.config.max_payload_bytes = bytes;
        self
    }

    /// Sets behind how many unread messages a [volatile](crate::Broadcast::volatile) one is dropped. Default
    /// 64; with 0 only sockets that have read everything get it, as in Socket.IO.
    pub fn volatile_backlog(mut self, messages: u32) -> Self {
        self.config.volatile_backlog = messages;
        self
    }

    /// Sets how many of its latest ticks a namespace remembers, for [`Inbox::drain_before`](crate::Inbox::drain_before)
    /// and [`Namespace::tick_of`](crate::Namespace::tick_of). Default 256.
    ///
    /// Each costs 24 bytes per namespace, once there was a tick. A tick with the time of the latest goes on with that one,
    /// and is none of its own.
    pub fn remembered_ticks(mut self, ticks: usize) -> Self {
        self.config.remembered_ticks = ticks;
        self
    }

    /// Has sessions kept when connections are lost, for clients to come back to. Default: none is, and a socket is
    /// disconnected when its connection is lost.
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Has all namespaces [track](crate::Namespace::track_progress) how far their sockets have read, from the start.
    /// Default: none does.
    pub fn track_progress(mut self) -> Self {
        self.config.track_progress = true;
        self
    }

    /// Creates the engine.
    #[must_use]
    pub fn build(self) -> Engine {
        Engine { directory: Directory::new(self.config, self.recovery) }
    }

    fn set(mut self, change: impl FnOnce(&mut Config)) -> Result<Self, ConfigError> {
        change(&mut self.config);
        self.config.check()?;
        Ok(self)
    }
}
