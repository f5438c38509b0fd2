//! The shared state under the public handles: engine, namespace, socket; and all that changes
//! memberships.
//!
//! # Lock order
//!
//! Whoever holds a lock may take only ones further down this list. Of rooms several are held at a time,
//! taken in the order of their ids; of the others one at a time.
//!
//! 1. the engine's table of namespaces (`directory.rs`); a connection's table of sockets
//!    (`connection/core.rs`)
//! 2. the tape's turn (`tape.rs`), while the engine is recorded
//! 3. a socket's state
//! 4. a shard of a namespace's room index
//! 5. a room
//! 6. a mailbox's post; a journal's notes; a roster; a lease
//! 7. the table of leases; the engine's slab of sockets; a namespace's settings, its list of those who connect, its list of topics of
//!    one socket, its gate; the event table; the engine's clock; the table of acknowledgements, then one of them;
//!    lists of handlers; users' data; what is in a connection's queues; a namespace's ticks; what is told with a tick; the
//!    tape's notes
//!
//! # No user code under a lock
//!
//! Payloads, wakers and callbacks run or are dropped only when none of these locks is held by the thread:
//! whatever a locked section lets go of is moved into a [`Trash`], which is declared before the section and
//! so outlives it. Nothing else in the engine calls out, but for [`Hooks`], which says when.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;

mod asides;
mod counts;
mod cut;
mod life;
mod rooms;

pub(crate) use self::cut::Cut;

use self::asides::Asides;
use self::cut::Closing;
use crate::ack::table::AckTable;
use crate::clock::Clock;
use crate::config::{Backlog, Config, Overflow};
use crate::counters::{Refused, Tally};
use crate::data::DataMap;
use crate::error::{MembershipError, Refusal, StaleSocket};
use crate::event::EventTable;
use crate::flushers::Flushers;
use crate::foreign::catch;
use crate::index::RoomIndex;
use crate::joined::Joined;
use crate::journal::RoomEvent;
use crate::listeners::List;
use crate::name::{RoomName, RoomNameError};
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::slab::{IdSlab, SocketId};
use crate::sync::{Arc, AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, OnceLock, Ordering, RwLock};
use crate::tape::Tape;
use crate::ticks::Ticks;
use crate::topic::{Kind, Pile, Post, Topic, Trash};

pub(crate) struct EngineCore {
    pub(crate) config: Config,
    /// Told of panics that concern no socket.
    pub(crate) panics: List<PanicHook>,
    pub(crate) events: EventTable,
    pub(crate) clock: std::sync::Arc<Clock>,
    pub(crate) tape: Tape,
    /// What is told at the end of a tick.
    pub(crate) flushers: Flushers,
    sockets: RwLock<IdSlab<Arc<SocketCore>>>,
    pub(crate) refused: Refused,
    /// How many sockets are open.
    open: AtomicUsize,
    topics: AtomicU64,
}

/// Is told what panicked, and the panic's message.
pub(crate) type PanicHook = dyn Fn(&str, &str) + Send + Sync;

pub(crate) struct NamespaceCore {
    pub(crate) path: Box<str>,
    pub(crate) engine: Arc<EngineCore>,
    pub(crate) order: Order,
    pub(crate) rooms: RoomIndex,
    pub(crate) everyone: Arc<Topic>,
    pub(crate) acks: std::sync::Arc<AckTable>,
    /// What the layers above have to say, once they have.
    pub(crate) hooks: OnceLock<Box<dyn Hooks>>,
    /// Whether a room was ever given a capacity.
    pub(crate) has_capacities: AtomicBool,
    /// How many sockets are connecting or open.
    occupants: AtomicUsize,
    connecting: Mutex<Connecting>,
    directs: Mutex<Directs>,
    is_closed: AtomicBool,
    settings: RwLock<Settings>,
    pub(crate) ticks: Ticks,
}

/// The sockets that are connecting, in the order in which they began.
#[derive(Debug, Default)]
struct Connecting {
    next: u64,
    /// How many have opened.
    opened: u64,
    sockets: BTreeMap<u64, SocketId>,
}

/// The topics of sockets that were sent to directly, by their ids.
#[derive(Debug, Default)]
struct Directs {
    topics: BTreeMap<u64, Arc<Topic>>,
    /// What those did whose sockets are closed.
    gone: Tally,
}

/// What the layers above do when something happens to the sockets of a namespace. Called under no lock;
/// what panics in it is contained in it.
pub(crate) trait Hooks: Any + Send + Sync {
    /// Whether a socket may join a room that it is not in. Nothing has changed yet.
    fn admit(&self, socket: &Arc<SocketCore>, room: &RoomName) -> Result<(), Refusal>;

    /// A socket is about to open.
    fn opening(&self, socket: &Arc<SocketCore>);

    /// A socket has opened, or was closed in the attempt.
    fn opened(&self, socket: &Arc<SocketCore>);

    /// An open socket was closed: it has left its rooms. Sees to it that it says good-bye, and between its
    /// hooks [leaves its rooms](SocketCore::end_rooms) and [tells of that](NamespaceCore::tell_rooms); then
    /// [ends](SocketCore::end_leaving) that, and [vacates](NamespaceCore::vacate) the namespace.
    fn closed(&self, socket: &Arc<SocketCore>, reason: &DisconnectReason);

    /// A socket was closed that was never open, or before there were hooks.
    fn dismissed(&self, socket: &Arc<SocketCore>);

    /// Something happened to a room.
    fn room_event(&self, namespace: &Arc<NamespaceCore>, event: RoomEvent);

    /// The last of the sockets that were connecting or open is gone, and has said good-bye.
    fn vacant(&self, namespace: &Arc<NamespaceCore>);

    /// The namespace is closed, and all its sockets are gone.
    fn retire(&self);

    fn as_any(&self) -> &dyn Any;
}

#[derive(Debug)]
struct Settings {
    backlog: Backlog,
    closed: Option<DisconnectReason>,
}

/// What joining and emitting touch comes first.
#[repr(C)]
pub(crate) struct SocketCore {
    pub(crate) namespace: Arc<NamespaceCore>,
    post: Arc<Post>,
    state: Mutex<State>,
    /// [`CONNECTING`], [`OPEN`] or [`CLOSED`].
    phase: AtomicU8,
    /// Whether it is not counted as an occupant, as there was no place for it.
    is_surplus: bool,
    /// Set when the socket is first sent to directly.
    direct: OnceLock<Arc<Topic>>,
    /// Among those of its namespace that are or were connecting.
    number: u64,
    /// What users, and layers above, keep with it.
    pub(crate) data: DataMap,
}

const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

#[derive(Debug)]
#[repr(C)] // what joining touches comes first
struct State {
    /// Set when it is closed.
    closing: Option<Box<Closing>>,
    /// When it joined its namespace, once it is open.
    everyone: Option<NonZeroU64>,
    rooms: Joined,
    /// When it joined its own topic.
    direct: u64,
    asides: Asides,
}

/// A room as callers name it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoomRef<'a> {
    Name(&'a RoomName),
    Topic(&'a Arc<Topic>),
}

impl<'a> RoomRef<'a> {
    pub(crate) fn name(self) -> &'a RoomName {
        match self {
            Self::Name(name) => name,
            Self::Topic(topic) => topic.name().expect("handles are of named rooms"),
        }
    }
}

/// A namespace has as many sockets as it may have.
#[derive(Debug)]
pub(crate) struct NamespaceFull;

/// Why a socket cannot emit.
#[derive(Clone, Debug)]
pub(crate) enum Mute {
    Connecting,
    Closed(DisconnectReason),
}

impl EngineCore {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            events: EventTable::new(config.event_names, config.max_name_bytes),
            clock: std::sync::Arc::new(Clock::new()),
            tape: Tape::default(),
            flushers: Flushers::new(),
            panics: List::new(),
            sockets: RwLock::new(IdSlab::new()),
            refused: Refused::default(),
            open: AtomicUsize::new(0),
            topics: AtomicU64::new(0),
            config,
        }
    }

    /// Runs code of the user's that concerns no socket, and tells the panic hooks if it panics.
    pub(crate) fn guard<R>(&self, place: &str, code: impl FnOnce() -> R) -> Option<R> {
        let report = |message: Box<str>| self.panics.call_each(|hook| drop(catch(|| hook(place, &message))));
        catch(code).map_err(report).ok()
    }

    /// How many sockets are open.
    pub(crate) fn socket_count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether it has had no socket, and no room or namespace but one.
    #[cfg(feature = "record")]
    pub(crate) fn is_new(&self) -> bool {
        self.topics.load(Ordering::Relaxed) == 1 && self.sockets.read().is_new()
    }

    fn topic(&self, order: &Order, kind: Kind, backlog: &Backlog) -> Topic {
        if backlog.policy() == Overflow::Disconnect {
            order.be_strict();
        }
        Topic::new(self.topics.fetch_add(1, Ordering::Relaxed), kind, backlog)
    }
}

impl NamespaceCore {
    pub(crate) fn new(path: &str, engine: Arc<EngineCore>, shards: usize) -> Self {
        let (order, backlog) = (Order::new(), engine.config.backlog);
        if engine.config.track_progress {
            order.track();
        }
        Self {
            path: path.into(),
            rooms: RoomIndex::new(shards, engine.config.max_rooms),
            everyone: Arc::new(engine.topic(&order, Kind::Everyone, &backlog)),
            order,
            acks: std::sync::Arc::new(AckTable::new(engine.config.max_pending_acks)),
            hooks: OnceLock::new(),
            has_capacities: AtomicBool::new(false),
            occupants: AtomicUsize::new(0),
            connecting: Mutex::new(Connecting::default()),
            directs: Mutex::new(Directs::default()),
            is_closed: AtomicBool::new(false),
            settings: RwLock::new(Settings { backlog, closed: None }),
            ticks: Ticks::new(engine.config.remembered_ticks, engine.clock.now()),
            engine,
        }
    }

    pub(crate) fn backlog(&self) -> Backlog {
        self.settings.read().backlog
    }

    pub(crate) fn set_backlog(&self, backlog: Backlog) {
        self.settings.write().backlog = backlog;
        let _hold = self.engine.tape.hold();
        self.everyone.set_backlog(&self.order, &backlog);
        self.engine.tape.backlog(self.everyone.id(), &backlog);
    }

    /// Sets what rooms made from now on keep, and nothing else.
    #[cfg(feature = "record")]
    pub(crate) fn assume_backlog(&self, backlog: Backlog) {
        self.settings.write().backlog = backlog;
    }

    /// Whether it is closed. One load.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Connects a socket. In a namespace that is closed or full it is closed at once.
    pub(crate) fn connect(this: &Arc<Self>) -> Arc<SocketCore> {
        let Ok(socket) = Self::begin(this) else {
            let surplus = Self::make_socket(this, true);
            let reason = this.closed().unwrap_or(DisconnectReason::NamespaceFull);
            SocketCore::disconnect(&surplus, reason);
            return surplus;
        };
        SocketCore::open(&socket);
        SocketCore::opened(&socket);
        socket
    }

    /// Makes a socket that is connecting, unless there are too many.
    pub(crate) fn begin(this: &Arc<Self>) -> Result<Arc<SocketCore>, NamespaceFull> {
        let limit = this.engine.config.max_sockets;
        let one_more = |occupants| (occupants < limit).then(|| occupants + 1);
        let occupied = this.occupants.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        occupied.map_err(|_| NamespaceFull)?;
        Ok(Self::make_socket(this, false))
    }

    /// Makes a socket that is connecting, however many there are: one of the occupants, unless it is one too many.
    pub(crate) fn make_socket(this: &Arc<Self>, is_surplus: bool) -> Arc<SocketCore> {
        let mut begun = None;
        let _hold = this.engine.tape.hold();
        let number = {
            let mut connecting = this.connecting.lock();
            connecting.next += 1;
            connecting.next
        };
        let id = this.engine.sockets.write().insert(|id| {
            let socket = Arc::new(SocketCore {
                namespace: Arc::clone(this),
                data: DataMap::default(),
                post: Arc::new(Post::new(id, this.order.horizon())),
                number,
                is_surplus,
                phase: AtomicU8::new(CONNECTING),
                direct: OnceLock::new(),
                state: Mutex::new(State {
                    everyone: None,
                    direct: 0,
                    rooms: Joined::new(),
                    asides: Asides::default(),
                    closing: None,
                }),
            });
            begun = Some(Arc::clone(&socket));
            socket
        });
        this.connecting.lock().sockets.insert(number, id);
        this.engine.tape.connecting(this.everyone.id(), id);
        begun.expect("the slab has made one")
    }

    /// Whether sockets are connecting or open.
    pub(crate) fn is_occupied(&self) -> bool {
        self.occupants.load(Ordering::Acquire) > 0
    }

    /// The open socket of this id.
    pub(crate) fn socket(&self, id: SocketId) -> Result<Arc<SocketCore>, StaleSocket> {
        self.occupant(id).filter(|socket| socket.is_open()).ok_or(StaleSocket(id))
    }

    /// The socket of this id, open or connecting.
    pub(crate) fn occupant(&self, id: SocketId) -> Option<Arc<SocketCore>> {
        let sockets = self.engine.sockets.read();
        sockets.get(id).filter(|socket| std::ptr::eq(&*socket.namespace, self)).cloned()
    }

    pub(crate) fn check(&self, name: &RoomName) -> Result<(), RoomNameError> {
        name.check(self.engine.config.max_name_bytes)
    }

    /// Makes what is to be told to those who watch a room.
    pub(crate) fn aside(&self, name: &RoomName) -> Arc<Topic> {
        let (backlog, _hold) = (self.backlog(), self.engine.tape.hold());
        let topic = self.engine.topic(&self.order, Kind::Aside(name.clone()), &backlog);
        self.engine.tape.room(self.everyone.id(), topic.id(), name, &backlog, true);
        Arc::new(topic)
    }

    /// Calls `pin` with the room of this name, which it makes if there is none. Under the tape's hold.
    pub(crate) fn pin_room<R>(
        &self,
        name: &RoomName,
        pin: impl FnOnce(&Arc<Topic>) -> R,
    ) -> Result<R, RoomNameError> {
        let make = || {
            let backlog = self.backlog();
            let topic = self.engine.topic(&self.order, Kind::Named(name.clone()), &backlog);
            self.engine.tape.room(self.everyone.id(), topic.id(), name, &backlog, false);
            topic
        };
        self.rooms.get_or_insert(name, make, pin)
    }

    /// Closes the namespace, for good, and cuts off its sockets. To be told, and then the namespace to be
    /// [retired](Self::retire).
    pub(crate) fn cut(&self, reason: &DisconnectReason) -> Vec<Cut> {
        self.settings.write().closed.get_or_insert_with(|| reason.clone());
        self.is_closed.store(true, Ordering::Release);
        // Looked at first: who opens meanwhile is among the members then, or finds the namespace closed.
        let connecting: Vec<SocketId> = self.connecting.lock().sockets.values().copied().collect();
        let ids = self.everyone.members().into_iter().chain(connecting);
        let sockets = ids.filter_map(|id| self.occupant(id));
        sockets.filter_map(|socket| SocketCore::cut(&socket, reason.clone())).collect()
    }

    /// Lets go of what was registered with a namespace that is closed, unless sockets of it are yet to go: then
    /// the last one does.
    pub(crate) fn retire(&self) {
        // Read by writing: either the last is gone by now and this sees it, or it goes later and sees that the
        // namespace is closed. After a mere load both might miss the other.
        let is_occupied = self.occupants.fetch_add(0, Ordering::AcqRel) > 0;
        if let (false, Some(hooks)) = (is_occupied, self.hooks.get()) {
            hooks.retire();
        }
    }

    /// Closes the namespace, for good, and disconnects its sockets.
    pub(crate) fn close(&self, reason: &DisconnectReason) {
        Cut::tell_all(self.cut(reason));
        self.retire();
    }

    /// Why it is closed.
    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        self.settings.read().closed.clone()
    }

    /// Tells what has happened to rooms, and has it written. Under no lock.
    #[inline]
    pub(crate) fn tell_rooms(this: &Arc<Self>) {
        if let (true, Some(hooks)) = (this.order.journal().is_watched(), this.hooks.get()) {
            this.order.journal().tell(|event| hooks.room_event(this, event));
        }
        this.engine.tape.spill();
    }

    /// How much may pile up in the mailbox of a socket that does not drain.
    fn pile(&self) -> Pile {
        let Config { membership_backlog, backlog, .. } = &self.engine.config;
        Pile { changes: *membership_backlog, unread: backlog.limits().backlog }
    }

    /// A socket is closed that was sent to directly: its topic takes in nothing more.
    fn end_direct(&self, topic: &Topic, trash: &mut Trash) {
        let tally = topic.census().tally;
        let mut directs = self.directs.lock();
        trash.topics.extend(directs.topics.remove(&topic.id()));
        directs.gone += tally;
    }

    /// A socket is gone for good that was among the occupants.
    pub(crate) fn vacate(this: &Arc<Self>) {
        if this.occupants.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        match this.hooks.get() {
            Some(hooks) if this.is_closed() => hooks.retire(),
            Some(hooks) => hooks.vacant(this),
            None => {}
        }
    }
}

impl State {
    fn check_open(&self) -> Result<(), MembershipError> {
        self.closed().map_or(Ok(()), |reason| Err(MembershipError::Closed(reason.clone())))
    }

    /// Why it is closed.
    fn closed(&self) -> Option<&DisconnectReason> {
        self.closing.as_ref().map(|closing| &closing.reason)
    }

    /// The rooms that it was in when it was closed, until it has left them for those who ask.
    fn leaving(&self) -> Option<&[RoomName]> {
        self.closing.as_ref()?.rooms.as_deref()
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
