//! The shared state under the public handles: engine, namespace, socket; and all that changes
//! memberships.
//!
//! # Lock order
//!
//! Whoever holds a lock may take only ones further down this list. Of rooms several are held at a time,
//! taken in the order of their ids; of the others one at a time.
//!
//! 1. the engine's table of namespaces (`engine.rs`)
//! 2. a socket's state
//! 3. a shard of a namespace's room index
//! 4. a room
//! 5. a mailbox's post
//! 6. the engine's slab of sockets; a namespace's settings; the event table
//!
//! # No user code under a lock
//!
//! Payloads, wakers and callbacks run or are dropped only when none of these locks is held by the thread:
//! whatever a locked section lets go of is moved into a [`Trash`], which is declared before the section and
//! so outlives it. Nothing else in the engine calls out.

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

use crate::config::{Backlog, Config};
use crate::error::{MembershipError, RoomNameError, StaleSocket};
use crate::event::EventTable;
use crate::index::RoomIndex;
use crate::joined::Joined;
use crate::name::RoomName;
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::slab::{IdSlab, SocketId};
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::topic::{Change, Kind, Pile, Post, Topic, Trash};

pub(crate) struct EngineCore {
    pub(crate) config: Config,
    pub(crate) events: EventTable,
    sockets: RwLock<IdSlab<Arc<SocketCore>>>,
    topics: AtomicU64,
}

pub(crate) struct NamespaceCore {
    pub(crate) path: Box<str>,
    pub(crate) engine: Arc<EngineCore>,
    pub(crate) order: Order,
    pub(crate) rooms: RoomIndex,
    pub(crate) everyone: Arc<Topic>,
    is_closed: AtomicBool,
    settings: RwLock<Settings>,
}

#[derive(Debug)]
struct Settings {
    backlog: Backlog,
    closed: Option<DisconnectReason>,
}

pub(crate) struct SocketCore {
    pub(crate) namespace: Arc<NamespaceCore>,
    post: Arc<Post>,
    is_closed: AtomicBool,
    /// Set when the socket is first sent to directly.
    direct: OnceLock<Arc<Topic>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Why it is closed.
    closed: Option<DisconnectReason>,
    /// When it joined its namespace, and its own topic.
    everyone: u64,
    direct: u64,
    rooms: Joined,
}

/// A room as callers name it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoomRef<'a> {
    Name(&'a RoomName),
    Topic(&'a Arc<Topic>),
}

impl EngineCore {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            events: EventTable::new(config.event_names, config.max_name_bytes),
            sockets: RwLock::new(IdSlab::new()),
            topics: AtomicU64::new(0),
            config,
        }
    }

    pub(crate) fn socket_count(&self) -> usize {
        self.sockets.read().len()
    }

    fn topic(&self, kind: Kind, backlog: &Backlog) -> Topic {
        Topic::new(self.topics.fetch_add(1, Ordering::Relaxed), kind, backlog)
    }
}

impl NamespaceCore {
    pub(crate) fn new(path: &str, engine: Arc<EngineCore>) -> Self {
        let backlog = engine.config.backlog;
        Self {
            path: path.into(),
            order: Order::new(),
            rooms: RoomIndex::new(engine.config.shards),
            everyone: Arc::new(engine.topic(Kind::Everyone, &backlog)),
            is_closed: AtomicBool::new(false),
            settings: RwLock::new(Settings { backlog, closed: None }),
            engine,
        }
    }

    pub(crate) fn backlog(&self) -> Backlog {
        self.settings.read().backlog
    }

    pub(crate) fn set_backlog(&self, backlog: Backlog) {
        self.settings.write().backlog = backlog;
        self.everyone.set_backlog(&backlog);
    }

    /// Whether it is closed. One load.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Connects a socket. In a closed namespace it is closed at once.
    pub(crate) fn connect(this: &Arc<Self>) -> Arc<SocketCore> {
        let mut trash = Trash::default();
        let mut connected = None;
        this.engine.sockets.write().insert(|id| {
            let socket = Arc::new(SocketCore {
                namespace: Arc::clone(this),
                post: Arc::new(Post::new(id, this.order.horizon())),
                is_closed: AtomicBool::new(false),
                direct: OnceLock::new(),
                state: Mutex::new(State { closed: None, everyone: 0, direct: 0, rooms: Joined::new() }),
            });
            connected = Some(Arc::clone(&socket));
            socket
        });
        let socket = connected.expect("the slab has made one");
        // Under the state's lock: once it is a member, others find it and may disconnect it.
        let mut state = socket.state.lock();
        state.everyone = Topic::join(&this.everyone, &this.order, &socket.post, &this.pile(), &mut trash);
        drop(state);
        // Whoever closed the namespace before this look may have missed the socket; whoever does it after
        // finds it among the members.
        let closed = this.settings.read().closed.clone();
        if let Some(reason) = closed {
            socket.disconnect(reason);
        }
        socket
    }

    /// The connected socket of this id.
    pub(crate) fn socket(&self, id: SocketId) -> Result<Arc<SocketCore>, StaleSocket> {
        let sockets = self.engine.sockets.read();
        let socket = sockets.get(id).filter(|socket| std::ptr::eq(&*socket.namespace, self));
        socket.cloned().ok_or(StaleSocket(id))
    }

    pub(crate) fn check(&self, name: &RoomName) -> Result<(), RoomNameError> {
        name.check(self.engine.config.max_name_bytes)
    }

    /// Calls `pin` with the room of this name, which it makes if there is none.
    pub(crate) fn pin_room<R>(&self, name: &RoomName, pin: impl FnOnce(&Arc<Topic>) -> R) -> R {
        let make = || self.engine.topic(Kind::Named(name.clone()), &self.backlog());
        self.rooms.get_or_insert(name, make, pin)
    }

    /// Closes the namespace, for good, and disconnects its sockets.
    pub(crate) fn close(&self, reason: &DisconnectReason) {
        self.settings.write().closed.get_or_insert_with(|| reason.clone());
        self.is_closed.store(true, Ordering::Release);
        for id in self.everyone.members() {
            if let Ok(socket) = self.socket(id) {
                socket.disconnect(reason.clone());
            }
        }
    }

    /// How much may pile up in the mailbox of a socket that does not drain.
    fn pile(&self) -> Pile {
        let Config { membership_backlog, backlog, .. } = &self.engine.config;
        Pile { changes: *membership_backlog, unread: backlog.limits().backlog }
    }
}

impl SocketCore {
    pub(crate) fn id(&self) -> SocketId {
        self.post.id()
    }

    pub(crate) fn post(&self) -> &Arc<Post> {
        &self.post
    }

    /// Whether it is closed. One load.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        if !self.is_closed() {
            return None;
        }
        self.state.lock().closed.clone()
    }

    /// Joins those of these rooms that it is not in, and returns how many that were.
    pub(crate) fn join(&self, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        self.check(rooms)?;
        let mut trash = Trash::default();
        let mut state = self.state.lock();
        state.check_open()?;
        let before = state.rooms.len();
        for &room in rooms {
            self.join_one(&mut state, room, &mut trash);
        }
        Ok(state.rooms.len() - before)
    }

    /// Leaves those of these rooms that it is in, and returns how many that were.
    pub(crate) fn leave(&self, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        self.check(rooms)?;
        let mut trash = Trash::default();
        let mut state = self.state.lock();
        state.check_open()?;
        let before = state.rooms.len();
        for &room in rooms {
            let id = match room {
                RoomRef::Topic(topic) => Some(topic.id()),
                RoomRef::Name(name) => self.namespace.rooms.get(name).map(|topic| {
                    let id = topic.id();
                    trash.topics.push(topic);
                    id
                }),
            };
            if let Some(since) = id.and_then(|id| state.rooms.since(id)) {
                self.leave_one(&mut state, since, &self.namespace.pile(), &mut trash);
            }
        }
        Ok(before - state.rooms.len())
    }

    /// Leaves all rooms, and returns how many that were.
    pub(crate) fn leave_all(&self) -> Result<usize, MembershipError> {
        self.set_rooms(&[]).map(|(_, left)| left)
    }

    /// Leaves all rooms but these, joins those of them that it is not in, and returns how many it joined
    /// and left.
    pub(crate) fn set_rooms(&self, rooms: &[RoomRef<'_>]) -> Result<(usize, usize), MembershipError> {
        self.check(rooms)?;
        let mut trash = Trash::default();
        let mut state = self.state.lock();
        state.check_open()?;
        let before = state.rooms.len();
        let kept: HashSet<u64> =
            rooms.iter().map(|&room| self.join_one(&mut state, room, &mut trash)).collect();
        let joined = state.rooms.len() - before;
        let gone: Vec<u64> =
            state.rooms.iter().map(|(since, _)| since).filter(|since| !kept.contains(since)).collect();
        for &since in &gone {
            self.leave_one(&mut state, since, &self.namespace.pile(), &mut trash);
        }
        Ok((joined, gone.len()))
    }

    /// The rooms that it is in, in joining order.
    pub(crate) fn rooms(&self) -> Vec<RoomName> {
        let state = self.state.lock();
        state.rooms.iter().filter_map(|(_, topic)| topic.name().cloned()).collect()
    }

    pub(crate) fn room_count(&self) -> usize {
        self.state.lock().rooms.len()
    }

    pub(crate) fn is_in(&self, topic: &Topic) -> bool {
        self.state.lock().rooms.since(topic.id()).is_some()
    }

    /// The topic of messages to this socket alone.
    #[inline]
    pub(crate) fn direct(&self) -> Result<&Arc<Topic>, DisconnectReason> {
        match self.direct.get() {
            Some(topic) => Ok(topic),
            None => self.make_direct(),
        }
    }

    #[cold]
    fn make_direct(&self) -> Result<&Arc<Topic>, DisconnectReason> {
        let mut trash = Trash::default();
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        Ok(self.direct.get_or_init(|| {
            let topic = Arc::new(self.namespace.engine.topic(Kind::Direct, &self.namespace.backlog()));
            let NamespaceCore { order, .. } = &*self.namespace;
            state.direct = Topic::join(&topic, order, &self.post, &self.namespace.pile(), &mut trash);
            topic
        }))
    }

    /// Disconnects it, unless it is already. At once: nothing emitted afterwards reaches it.
    pub(crate) fn disconnect(&self, reason: DisconnectReason) -> bool {
        let _socket; // dropped, like the trash, when no lock is held
        let mut trash = Trash::default();
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return false;
        }
        state.closed = Some(reason.clone());
        self.is_closed.store(true, Ordering::Release);
        let order = &self.namespace.order;
        // The cut is one point in the order, whatever the rooms are left at.
        let at = order.next();
        _socket = self.namespace.engine.sockets.write().remove(self.id());
        let rooms: Vec<u64> = state.rooms.iter().map(|(since, _)| since).collect();
        for since in rooms {
            self.leave_one(&mut state, since, &Pile::ANY, &mut trash);
        }
        if let Some(direct) = self.direct.get() {
            direct.leave(order, &self.post, state.direct, &Pile::ANY, &mut trash);
        }
        self.namespace.everyone.leave(order, &self.post, state.everyone, &Pile::ANY, &mut trash);
        trash.tell(&self.post, Change::Closed { at, reason }, &Pile::ANY);
        true
    }

    /// Joins a room if it is not in it, and returns since when it is.
    fn join_one(&self, state: &mut State, room: RoomRef<'_>, trash: &mut Trash) -> u64 {
        let NamespaceCore { order, .. } = &*self.namespace;
        let rooms = &mut state.rooms;
        let mut join = |topic: &Arc<Topic>| {
            rooms.since(topic.id()).unwrap_or_else(|| {
                let since = Topic::join(topic, order, &self.post, &self.namespace.pile(), trash);
                rooms.push(since, Arc::clone(topic));
                since
            })
        };
        match room {
            RoomRef::Topic(topic) => join(topic),
            RoomRef::Name(name) => self.namespace.pin_room(name, join),
        }
    }

    fn leave_one(&self, state: &mut State, since: u64, pile: &Pile, trash: &mut Trash) {
        let Some(topic) = state.rooms.remove(since) else { return };
        if topic.leave(&self.namespace.order, &self.post, since, pile, trash) {
            trash.topics.extend(self.namespace.rooms.remove_idle(&topic));
        }
        trash.topics.push(topic);
    }

    fn check(&self, rooms: &[RoomRef<'_>]) -> Result<(), RoomNameError> {
        rooms.iter().try_for_each(|room| match room {
            RoomRef::Name(name) => self.namespace.check(name),
            RoomRef::Topic(_) => Ok(()),
        })
    }
}

impl State {
    fn check_open(&self) -> Result<(), MembershipError> {
        self.closed.as_ref().map_or(Ok(()), |reason| Err(MembershipError::Closed(reason.clone())))
    }
}

impl fmt::Debug for NamespaceCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceCore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for SocketCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketCore")
            .field("id", &self.id())
            .field("namespace", &self.namespace.path)
            .finish_non_exhaustive()
    }
}
