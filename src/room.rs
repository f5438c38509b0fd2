//! The public handle of a room.

use std::any::Any;
use std::fmt;

use crate::config::Backlog;
use crate::delivery::Delivery;
use crate::history::{History, Past};
use crate::index::{add_handle, remove_handle};
use crate::name::{RoomName, RoomNameError};
use crate::slab::SocketId;
use crate::state::NamespaceCore;
use crate::sync::{Arc, Ordering};
use crate::topic::Topic;

/// A room, found once: joining it and emitting to it look up no name.
///
/// Comes from [`Namespace::room`](crate::Namespace::room). `Send`, `Sync`; cloning counts two references.
/// It can be used wherever a room's name can. A room *exists* while it has members; a handle keeps its
/// place, so that the handle stays good when the last member leaves and others join later.
///
/// ```
/// let engine = roomcast::Engine::new();
/// let world = engine.of("/world")?;
/// let cell = world.room((3, 4))?;
/// let (socket, mut inbox) = world.connect();
/// socket.join(&cell)?;
/// cell.emit("moved", "north")?;
/// assert_eq!((cell.len(), inbox.drain(|_| {})), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Room {
    topic: Arc<Topic>,
    namespace: Arc<NamespaceCore>,
}

impl Room {
    pub(crate) fn new(namespace: &Arc<NamespaceCore>, name: &RoomName) -> Result<Self, RoomNameError> {
        namespace.check(name)?;
        let hold = namespace.engine.tape.hold();
        let topic = namespace.pin_room(name, |topic| {
            add_handle(topic);
            Arc::clone(topic)
        })?;
        hold.end();
        Ok(Self { topic, namespace: Arc::clone(namespace) })
    }

    /// What is told of a room, as one: to be emitted to, and nothing else.
    pub(crate) fn aside(namespace: &Arc<NamespaceCore>, name: &RoomName) -> Self {
        let topic = namespace.aside(name);
        add_handle(&topic);
        Self { topic, namespace: Arc::clone(namespace) }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &RoomName {
        self.topic.name().expect("handles are of named rooms")
    }

    /// Returns how many members it has. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.topic.len()
    }

    /// Returns whether it has no members, and so does not exist. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the members in joining order. O(members).
    #[must_use]
    pub fn members(&self) -> Vec<SocketId> {
        self.topic.members()
    }

    /// Returns whether a socket is a member. A stale id is not.
    #[must_use]
    pub fn contains(&self, socket: SocketId) -> bool {
        self.namespace.occupant(socket).is_some_and(|socket| socket.is_in(&self.topic))
    }

    /// Sets what this room keeps for members that do not read, in place of its namespace's
    /// [backlog](Backlog), for as long as the room has members or handles. Takes effect with the next
    /// message.
    pub fn set_backlog(&self, backlog: Backlog) {
        let tape = &self.namespace.engine.tape;
        let _hold = tape.hold();
        self.topic.set_backlog(&self.namespace.order, &backlog);
        tape.backlog(self.topic.id(), &backlog);
    }

    /// Has the room keep its last messages from now on, for [sockets that join later](crate::Socket::join_with) and for
    /// [`past`](Self::past); or keep none any more, with `None`. For as long as the room has members or handles: keep a
    /// handle of a room whose history is to outlive its members.
    ///
    /// Set again, it keeps what it has, as far as the new limits allow. What it keeps is held beside what members have
    /// yet to read, which may be as much: so a room with a longer history than its [backlog](Backlog) lets members
    /// lag behind as far. It reaches as far back as the larger of the two, volatile messages included. Emits to a room
    /// with a history are put in order and kept even if it has no members.
    pub fn set_history(&self, history: impl Into<Option<History>>) {
        let NamespaceCore { order, engine, .. } = &*self.namespace;
        let history = history.into();
        let hold = engine.tape.hold();
        let trash = self.topic.set_history(history, order, engine.clock.shared_now());
        engine.tape.history(self.topic.id(), history);
        hold.end();
        drop(trash);
    }

    /// Returns how much of its last messages the room keeps, if it keeps any.
    #[must_use]
    pub fn history(&self) -> Option<History> {
        self.topic.history()
    }

    /// Hands what the room keeps of the past to `f`, oldest first, without joining; and returns how many messages that
    /// were, and whether that was all that was asked for.
    ///
    /// It is what there is when this is called, whoever it was for; expired and [replaced](crate::Broadcast::latest)
    /// messages are left out. Runs under no lock, beside emits and joins.
    ///
    /// ```
    /// use roomcast::{Engine, History, Past};
    ///
    /// let chat = Engine::new().of("/chat")?;
    /// let lobby = chat.room("lobby")?;
    /// lobby.set_history(History::new().messages(2)?);
    /// for text in ["one", "two", "three"] {
    ///     lobby.emit("said", text)?;
    /// }
    /// let mut said = Vec::new();
    /// let (count, is_complete) = lobby.past(Past::all(), |delivery| said.push(delivery.to_message()));
    /// assert_eq!((count, is_complete), (2, false));
    /// assert_eq!(said[0].payload().as_str(), Some("two"));
    /// let last = said[1].sequence();
    /// assert_eq!(lobby.past(Past::since(last), |_| unreachable!()), (0, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn past(&self, past: Past, f: impl FnMut(Delivery<'_>)) -> (usize, bool) {
        let NamespaceCore { order, engine, .. } = &*self.namespace;
        let (stretch, found) = self.topic.past(past, order);
        let Some(stretch) = stretch else { return (0, found.is_complete) };
        let (count, is_whole) = stretch.read(past, &self.topic, &engine.events, f);
        self.topic.trim();
        (count, found.is_complete && is_whole)
    }

    /// Returns how many members the room may have, if that is limited.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.topic.capacity()).filter(|capacity| *capacity < usize::MAX)
    }

    /// Sets how many members the room may have, or that it may have any number with `None`, for as long as the
    /// room has members or handles: keep a handle of a room whose limit is to outlive its members.
    ///
    /// Joining a room that is full is [refused](crate::Refusal::Full), and of several rooms in one call none
    /// is joined then. Exact, between threads too. Members that are there stay, when there are more.
    pub fn set_capacity(&self, capacity: impl Into<Option<usize>>) {
        self.namespace.has_capacities.store(true, Ordering::Release);
        self.topic.set_capacity(capacity.into().unwrap_or(usize::MAX));
    }

    /// Keeps a value with the room, one of each type, for as long as the room has members or handles; and
    /// returns the one that was there before.
    ///
    /// ```
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// struct Rules { rounds: u32 }
    ///
    /// let table = world.room("table 1")?;
    /// table.set_data(Rules { rounds: 3 });
    /// assert_eq!(world.room("table 1")?.data::<Rules>().unwrap().rounds, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) -> Option<std::sync::Arc<T>> {
        self.topic.data().set(std::sync::Arc::new(value))
    }

    /// Returns the value of this type that is kept with the room.
    #[must_use]
    pub fn data<T: Any + Send + Sync>(&self) -> Option<std::sync::Arc<T>> {
        self.topic.data().get()
    }

    /// Returns the value of this type that is kept with the room; if there is none, the one that `make` makes.
    /// If two threads make one at the same time, both get the first.
    pub fn data_or_insert_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> std::sync::Arc<T> {
        self.topic.data().get_or_insert_with(make)
    }

    /// Removes the value of this type, and returns it.
    pub fn remove_data<T: Any + Send + Sync>(&self) -> Option<std::sync::Arc<T>> {
        self.topic.data().remove()
    }

    /// Returns how many messages it holds at this moment: those that some member has yet to read, as
    /// far as the limit lets it, and read ones in the same segments. O(1).
    #[must_use]
    pub fn retained(&self) -> u64 {
        self.topic.retained()
    }

    pub(crate) fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    pub(crate) fn namespace_core(&self) -> &Arc<NamespaceCore> {
        &self.namespace
    }

    pub(crate) fn is_of(&self, namespace: &NamespaceCore) -> bool {
        std::ptr::eq(&*self.namespace, namespace)
    }
}

impl From<&Room> for RoomName {
    fn from(room: &Room) -> Self {
        room.name().clone()
    }
}

impl Clone for Room {
    fn clone(&self) -> Self {
        add_handle(&self.topic);
        Self { topic: Arc::clone(&self.topic), namespace: Arc::clone(&self.namespace) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !remove_handle(&self.topic) || self.topic.len() > 0 {
            return;
        }
        let tape = &self.namespace.engine.tape;
        let hold = tape.hold();
        let gone = self.namespace.rooms.remove_idle(&self.topic);
        // What is told of a room is in no list.
        if gone.is_some() || self.topic.name().is_none() {
            tape.room_gone(self.topic.id());
        }
        hold.end();
        drop(gone);
    }
}

impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.topic, &other.topic)
    }
}

impl Eq for Room {}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("namespace", &self.namespace.path).field("name", self.name()).finish()
    }
}
