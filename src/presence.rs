//! Who is here: who is present in a room, by key, and those who watch.
//!
//! # Invariant
//!
//! Watchers are the members of two topics beside the room: of differences, and of numbers. What is done for them, to
//! flush and to begin and end a watch, is done one thing at a time (see `serial.rs`), under no lock. So
//!
//! - differences are published in the order of their versions, and each brings the state of the flush before to that
//!   of its own;
//! - who begins to watch is sent the state of the last flush between two flushes, and is in the topic before the next:
//!   the first difference that it gets is the next one. It gets none twice, as it is sent its state under the same
//!   turn.
//!
//! Direct messages and those of the topic are in one order, as all of the namespace are; so a watcher that applies what
//! it is sent to the state that it was sent has what was present at the last flush. See `roster.rs` for what that is.
//!
//! # What keeps what
//!
//! The core is kept with the room, as users' data are. A socket that watches holds a [`Presence`], and so the room. The
//! engine's list, by which a tick finds those that are watched, holds nothing.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::convert::IntoPayload;
use crate::error::{MembershipError, PresenceError};
use crate::event::EventHandle;
use crate::flushers::Flush;
use crate::name::RoomName;
use crate::payload::Payload;
use crate::room::Room;
use crate::roster::{
    News, PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, PresenceCount, PresenceDiff, PresenceEntry,
    PresenceState, Roster,
};
use crate::serial::Serial;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::{Mute, NamespaceCore, SocketCore};
use crate::sync::Arc as Shared;

/// Who is present in a room: sockets under keys, each with metadata; and sockets that watch who comes and goes.
///
/// `Send`, `Sync`; cloning counts references, and all that are made of one room are the same. A user with three
/// sockets is there once, under one key. To be present takes to be in the room, and ends with leaving it, by whatever
/// way. To watch does not: who watches need not be present, nor in the room, and who is present need not watch.
///
/// What changes is told when it is [flushed](Self::flush), which each [`Engine::tick`](crate::Engine::tick) does:
/// all of it as one message to all who watch, which costs the same however many these are. Who came and went since the
/// last time is not told of.
///
/// ```
/// use roomcast::{Engine, PRESENCE_DIFF, PRESENCE_STATE, Presence, Shared};
/// use std::time::Duration;
///
/// let engine = Engine::new();
/// let chat = engine.of("/chat")?;
/// let presence = Presence::new(&chat.room("lobby")?);
/// let [(phone, mut inbox), (laptop, _laptop_inbox), (bot, _bot_inbox)] = [(); 3].map(|()| chat.connect());
/// for (socket, key) in [(&phone, "ann"), (&bot, "bot"), (&laptop, "ann")] {
///     socket.join("lobby")?;
///     presence.track(socket, key, ())?;
/// }
/// assert_eq!((presence.count(), presence.get("ann").len()), (2, 2));
///
/// presence.watch(&phone)?;
/// bot.disconnect("off");
/// presence.update(&laptop, "away")?;
/// engine.tick(Duration::from_millis(16));
///
/// let mut told = Vec::new();
/// inbox.drain(|delivery| {
///     if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
///         told.push(format!("{:?}", state.keys()));
///     } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
///         told.push(format!("{} left, {} is {:?}", diff.leaves[0].key, diff.updates[0].key, diff.updates[0].meta));
///     }
/// });
/// assert_eq!(told, [r#"["ann", "bot"]"#, r#"bot left, ann is "away""#]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Keep one for as long as presence is wanted: a room without members, handles and watchers is gone, and what was
/// present in it with it. Metadata are [`Payload`]s, compared as these are: values in memory by where they are.
#[derive(Clone)]
pub struct Presence {
    room: Room,
    core: Arc<Core>,
}

struct Core {
    namespace: Shared<NamespaceCore>,
    name: RoomName,
    roster: Arc<Roster>,
    /// For those who are told of differences, and of numbers.
    diffs: Room,
    counts: Room,
    /// Of a state, a difference and a number.
    events: [EventHandle; 3],
    jobs: Serial<Job>,
    this: Weak<Self>,
}

enum Job {
    Flush,
    Watch {
        socket: Socket,
        presence: Presence,
        is_count: bool,
    },
    Unwatch {
        socket: Socket,
    },
    /// One has ceased to watch: perhaps the last.
    Tidy,
}

/// What a socket keeps while it watches.
struct Watching(Presence);

impl Presence {
    /// Returns the presence of a room, which comes to be with the first call.
    #[must_use]
    pub fn new(room: &Room) -> Self {
        let topic = room.topic();
        let core = topic.data().get_or_insert_with::<Held>(|| Held(Core::new(room)));
        Self { room: room.clone(), core: Arc::clone(&core.0) }
    }

    /// Returns the room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Makes a socket that is in the room present under a key, until it leaves, disconnects or is
    /// [untracked](Self::untrack). One that is present already gets the new key and metadata; under the same key it
    /// keeps its place. O(log sockets).
    ///
    /// # Errors
    ///
    /// If the socket is closed, not in the room or of another namespace, the key is empty or too long, or the metadata
    /// cannot be made a payload; then nothing has changed.
    pub fn track(
        &self,
        socket: &Socket,
        key: impl Into<Arc<str>>,
        meta: impl IntoPayload,
    ) -> Result<(), PresenceError> {
        let key = key.into();
        self.check(socket)?;
        let limit = self.core.namespace.engine.config.max_name_bytes;
        match key.len() {
            0 => return Err(PresenceError::EmptyKey),
            bytes if bytes > limit => return Err(PresenceError::KeyTooLong { bytes, limit }),
            _ => {}
        }
        let meta = meta.into_payload()?;
        let track = || self.core.roster.track(socket.id(), key, meta);
        let before = socket.core().while_in(self.room.topic(), track)?;
        before.map(drop).ok_or(PresenceError::NotInRoom)
    }

    /// Changes what is said of a socket that is present.
    ///
    /// # Errors
    ///
    /// If it is closed or not present, or the metadata cannot be made a payload; then nothing has changed.
    pub fn update(&self, socket: &Socket, meta: impl IntoPayload) -> Result<(), PresenceError> {
        self.check(socket)?;
        let meta = meta.into_payload()?;
        // Under the socket's lock: it is closed, or else not closed in between and found not to be present.
        let update = || self.core.roster.update(socket.id(), meta);
        let before = socket.core().while_in(self.room.topic(), update)?;
        before.and_then(Result::ok).map(drop).ok_or(PresenceError::NotPresent)
    }

    /// Ends the presence of a socket, and returns whether it was present. It stays in the room.
    pub fn untrack(&self, socket: &Socket) -> bool {
        self.check(socket).is_ok() && self.core.roster.remove(socket.id()).is_some()
    }

    /// Returns who is present at this moment, in the order of arrival. O(sockets · log sockets).
    #[must_use]
    pub fn list(&self) -> Vec<PresenceEntry> {
        self.core.roster.all()
    }

    /// Returns the sockets that are present under a key, in the order of arrival.
    #[must_use]
    pub fn get(&self, key: &str) -> Vec<PresenceEntry> {
        self.core.roster.of_key(key)
    }

    /// Returns what is said of a socket, if it is present.
    #[must_use]
    pub fn of(&self, socket: SocketId) -> Option<PresenceEntry> {
        self.core.roster.of_socket(socket)
    }

    /// Returns how many keys are present. O(1).
    #[must_use]
    pub fn count(&self) -> usize {
        self.core.roster.len()
    }

    /// Has a socket watch: it gets who is present, as of the last [flush](Self::flush), by a [`PRESENCE_STATE`], and
    /// what changes by [`PRESENCE_DIFF`]s, in the one order of all that it is sent, until it is disconnected or
    /// [ceases to watch](Self::unwatch).
    ///
    /// One that watches already gets the state anew: for who has lost a difference. A difference is kept for watchers
    /// that do not read as messages to a room are, with the namespace's [backlog](crate::Backlog). The state is made
    /// for each who asks: O(sockets · log sockets). With the first who watches, account is kept of what was told: a
    /// second entry, but no second metadata, for each socket.
    ///
    /// It is done when this returns, unless another thread, or a frame further out on this one, is flushing or having
    /// somebody watch at that moment: then that one does it.
    ///
    /// # Errors
    ///
    /// If the socket is closed, not connected yet or of another namespace.
    pub fn watch(&self, socket: &Socket) -> Result<(), PresenceError> {
        self.begin(socket, false)
    }

    /// Has a socket watch the number of keys and nothing else: it gets a [`PRESENCE_COUNT`] at once, and another with
    /// each flush at which it has changed. For rooms that are too large to tell who is there. As [`watch`](Self::watch);
    /// a socket may do both.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    pub fn watch_count(&self, socket: &Socket) -> Result<(), PresenceError> {
        self.begin(socket, true)
    }

    /// Has a socket watch no more, in either way. Done as [`watch`](Self::watch) is. What was told before can still be
    /// drained.
    pub fn unwatch(&self, socket: &Socket) {
        self.core.bring(Job::Unwatch { socket: socket.clone() });
    }

    /// Returns how many sockets watch: who is there, and the number.
    #[must_use]
    pub fn watchers(&self) -> (usize, usize) {
        (self.core.diffs.len(), self.core.counts.len())
    }

    /// Tells all who watch what has changed since the last time: one message, or none if there is nothing to tell.
    /// Each [`Engine::tick`](crate::Engine::tick) does it for all rooms. O(changes). Done as [`watch`](Self::watch) is.
    pub fn flush(&self) {
        self.core.flush();
    }

    fn begin(&self, socket: &Socket, is_count: bool) -> Result<(), PresenceError> {
        self.check(socket)?;
        socket.core().check_open()?;
        self.core.bring(Job::Watch { socket: socket.clone(), presence: self.clone(), is_count });
        Ok(())
    }

    fn check(&self, socket: &Socket) -> Result<(), PresenceError> {
        let is_own = Shared::ptr_eq(&socket.core().namespace, &self.core.namespace);
        if is_own { Ok(()) } else { Err(PresenceError::Foreign) }
    }
}

/// What is kept with the room.
struct Held(Arc<Core>);

impl Core {
    fn new(room: &Room) -> Arc<Self> {
        let (namespace, name) = (room.namespace_core(), room.name());
        Arc::new_cyclic(|this| Self {
            namespace: Shared::clone(namespace),
            name: name.clone(),
            roster: room.topic().keep_roster(),
            diffs: Room::aside(namespace, name),
            counts: Room::aside(namespace, name),
            events: [PRESENCE_STATE.name(), PRESENCE_DIFF.name(), PRESENCE_COUNT.name()]
                .map(|name| namespace.engine.events.own(name)),
            jobs: Serial::new(),
            this: Weak::clone(this),
        })
    }

    /// Which of the engine's it is.
    fn number(&self) -> u64 {
        self.diffs.topic().id()
    }

    fn bring(&self, job: Job) {
        self.jobs.push_always(job);
        self.jobs.run(|job| match job {
            Job::Flush => self.tell(),
            Job::Tidy => drop(self.is_watched()),
            Job::Watch { socket, presence, is_count } => self.watch(&socket, presence, is_count),
            Job::Unwatch { socket } => {
                [&self.diffs, &self.counts].into_iter().for_each(|room| socket.core().detach(room.topic()));
            }
        });
    }

    fn watch(&self, socket: &Socket, presence: Presence, is_count: bool) {
        let told = self.roster.watch(!is_count);
        let this: Weak<dyn Flush> = self.this.clone();
        self.namespace.engine.flushers.add(self.number(), this);
        let watched = if is_count { &self.counts } else { &self.diffs };
        // Closed meanwhile, or while it is told: then there is nobody to tell.
        if SocketCore::attach(socket.core(), watched.topic(), Watching(presence)).is_err() {
            return;
        }
        let (room, [state_event, _, count_event]) = (self.name.clone(), &self.events);
        let _ = if is_count {
            socket.emit(count_event, Arc::new(PresenceCount { room, keys: told.keys }))
        } else {
            let state = PresenceState { room, version: told.version, entries: told.entries };
            let weight = state.weight();
            socket.emit(state_event, Payload::with_weight(Arc::new(state), weight))
        };
    }

    /// Whether anybody watches. If not, no account is kept any more.
    fn is_watched(&self) -> bool {
        let is_watched = !self.diffs.is_empty() || !self.counts.is_empty();
        if !is_watched {
            self.namespace.engine.flushers.remove(self.number());
            drop(self.roster.unwatch());
        }
        is_watched
    }

    fn tell(&self) {
        if !self.is_watched() {
            return;
        }
        let (has_watchers, has_counters) = (!self.diffs.is_empty(), !self.counts.is_empty());
        let [_, diff_event, count_event] = &self.events;
        let News { version, joins, leaves, updates, keys, .. } = self.roster.flush();
        if let (true, Some(version)) = (has_watchers, version) {
            let diff = PresenceDiff { room: self.name.clone(), version, joins, leaves, updates };
            let weight = diff.weight();
            // If the namespace is closed there is nobody to tell.
            let _ = self.diffs.emit(diff_event, Payload::with_weight(Arc::new(diff), weight));
        }
        if let (true, Some(keys)) = (has_counters, keys) {
            let _ = self.counts.emit(count_event, Arc::new(PresenceCount { room: self.name.clone(), keys }));
        }
    }
}

impl Flush for Core {
    fn is_dirty(&self) -> bool {
        self.roster.is_dirty()
    }

    fn flush(&self) {
        self.bring(Job::Flush);
    }
}

impl Drop for Watching {
    /// Runs under no lock, when the socket is no member of what it watched any more.
    fn drop(&mut self) {
        self.0.core.bring(Job::Tidy);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.namespace.engine.flushers.remove(self.number());
    }
}

impl From<MembershipError> for PresenceError {
    fn from(error: MembershipError) -> Self {
        match error {
            MembershipError::Closed(reason) => Self::Closed(reason),
            // There is no other way for it to fail to look.
            _ => Self::NotInRoom,
        }
    }
}

impl From<Mute> for PresenceError {
    fn from(mute: Mute) -> Self {
        match mute {
            Mute::Connecting => Self::Connecting,
            Mute::Closed(reason) => Self::Closed(reason),
        }
    }
}

impl PartialEq for Presence {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Presence {}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("room", &self.room)
            .field("keys", &self.count())
            .finish_non_exhaustive()
    }
}
