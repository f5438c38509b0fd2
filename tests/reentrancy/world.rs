//! A small world with one of everything, in which code of the user's is called.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{self, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use roomcast::{
    ClientPacket, Connection, Delivery, DisconnectReason, Engine, Failure, Inbox, IntoPayload, Namespace,
    Outbox, Payload, Recovery, ServerPacket, SessionKey, Socket, Transport,
};

use crate::common::messages;
use crate::trap::{ON_PURPOSE, Trap};

/// How many messages a room keeps.
pub(crate) const BACKLOG: usize = 16;

/// Two sockets that the trap concerns, one read by an inbox and one by a transport, and another one; all in `room` and
/// in `second`.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) namespace: Namespace,
    pub(crate) local: Socket,
    pub(crate) inbox: Reader<Inbox>,
    pub(crate) connection: Connection,
    pub(crate) client: Socket,
    /// The client's, if it was given one.
    key: Option<SessionKey>,
    pub(crate) outbox: Reader<Outbox>,
    pub(crate) line: Arc<Line>,
    pub(crate) other: Socket,
    pub(crate) other_inbox: Reader<Inbox>,
    /// How often the trap was sprung.
    pub(crate) runs: AtomicUsize,
    /// What handlers have noted.
    pub(crate) log: Log,
    /// Which hooks were told of the trap's panic.
    pub(crate) reports: Log,
    /// The next number to be emitted, and how many were.
    next: AtomicUsize,
    emitted: AtomicUsize,
    /// Counts messages that are alive.
    live: Arc<()>,
}

pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// What is emitted to the room: its number, and a mark that it is alive.
struct Numbered(usize, #[expect(dead_code, reason = "it is counted")] Arc<()>);

impl World {
    /// One in which sessions are kept of clients whose lines are lost, or none.
    pub(crate) fn new(recovers: bool) -> Arc<Self> {
        let mut builder = Engine::builder()
            .backlog(messages(BACKLOG))
            .shards(1) // whoever holds the lock of one room's name holds that of all
            .and_then(|builder| builder.membership_backlog(16))
            .and_then(|builder| builder.inbound_queue(4))
            .unwrap();
        if recovers {
            builder = builder.recovery(Recovery::new(60 * SECOND));
        }
        let engine = builder.build();
        let namespace = engine.of("/scene").unwrap();
        let reports = watched_for_panics(&engine, &namespace);
        let line = Arc::<Line>::default();
        let (connection, mut outbox) = engine.connect(Wire(Arc::clone(&line)));
        enter(&connection, "/scene");
        let mut key = None;
        outbox.drain(|packet| {
            if let ServerPacket::Connect { session, .. } = packet {
                key = session;
            }
        });
        let client = connection.socket("/scene").unwrap();
        let ((local, inbox), (other, other_inbox)) = (namespace.connect(), namespace.connect());
        for socket in [&local, &client, &other] {
            socket.join(["room", "second"]).unwrap();
        }
        let this = Self {
            inbox: Reader::new(inbox),
            outbox: Reader::new(outbox),
            other_inbox: Reader::new(other_inbox),
            runs: AtomicUsize::new(0),
            log: Log::default(),
            next: AtomicUsize::new(0),
            emitted: AtomicUsize::new(0),
            live: Arc::default(),
            engine,
            namespace,
            local,
            connection,
            client,
            key,
            line,
            other,
            reports,
        };
        this.settle();
        Arc::new(this)
    }

    /// Emits the next number to the room, which everybody is in.
    pub(crate) fn emit(&self) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let payload = Payload::from(Arc::new(Numbered(number, Arc::clone(&self.live))));
        if self.namespace.to("room").emit("n", payload).is_ok() {
            self.emitted.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many numbers were emitted.
    pub(crate) fn emitted(&self) -> usize {
        self.emitted.load(Ordering::SeqCst)
    }

    /// Emits to the room that no witness is in.
    pub(crate) fn emit_second(&self, payload: impl IntoPayload) {
        let _ = self.namespace.to("second").emit("second", payload);
    }

    /// Has the client send an event.
    pub(crate) fn receive(&self, event: &str) {
        let (namespace, payload) = ("/scene", Payload::default());
        let _ = self.connection.receive(ClientPacket::Event { namespace, event, payload, ack: None });
    }

    /// The client's line is lost.
    pub(crate) fn lose(&self) {
        drop(self.outbox.take());
    }

    /// The client comes back, on a line of its own.
    pub(crate) fn come_back(&self) {
        let (namespace, auth) = ("/scene", Payload::default());
        let session = self.key.expect("sessions are kept");
        let (connection, outbox) = self.engine.connect(());
        let _ = connection.receive(ClientPacket::Resume { namespace, auth, session, seen: None });
        self.outbox.put(outbox);
    }

    /// A new client that asks to be in a namespace.
    pub(crate) fn visit(&self, path: &str) -> (Connection, Outbox) {
        let (connection, outbox) = self.engine.connect(());
        enter(&connection, path);
        (connection, outbox)
    }

    pub(crate) fn note(&self, what: impl Into<String>) {
        self.log.lock().push(what.into());
    }

    /// Everybody reads, but for those who are doing so.
    pub(crate) fn settle(&self) {
        self.inbox.read();
        self.outbox.read();
        self.other_inbox.read();
    }

    /// Everybody leaves the second room, and reads: what it has kept goes.
    pub(crate) fn leave_second(&self) {
        for socket in [&self.local, &self.client, &self.other] {
            let _ = socket.leave("second");
        }
        self.settle();
    }

    /// What can be counted.
    pub(crate) fn counts(&self) -> String {
        let Self { engine, namespace, .. } = self;
        let rooms = namespace.rooms();
        let retained = ["room", "second"].map(|name| namespace.room(name).map(|room| room.retained()));
        let own =
            [&self.local, &self.client, &self.other].map(|socket| (socket.is_connected(), socket.rooms()));
        let live = Arc::strong_count(&self.live) - 1;
        let (sockets, connections) = (engine.socket_count(), engine.connection_count());
        let spaces = engine.namespaces();
        format!("{spaces:?} {sockets} {connections} {rooms:?} {retained:?} {own:?} {live} live")
    }

    /// What is counted and what is listed agree, and everything still works for who comes now.
    pub(crate) fn check(&self) {
        assert!(self.runs.load(Ordering::SeqCst) > 0, "the trap was never sprung");
        for (name, len) in self.namespace.rooms() {
            assert_eq!(self.namespace.members(name).len(), len);
        }
        assert_eq!(self.namespace.socket_ids().len(), self.namespace.socket_count());
        for socket in [&self.local, &self.client, &self.other] {
            assert_eq!(socket.rooms().len(), socket.room_count());
            let is_member = self.namespace.members("room").contains(&socket.id());
            assert_eq!(socket.is_in("room"), is_member);
            if socket.is_connected() {
                socket.emit("probe", "").unwrap();
            }
        }
        self.settle();
        self.inbox.check(&self.local);
        self.outbox.check(&self.client);
        self.other_inbox.check(&self.other);
        let Ok(namespace) = self.engine.of("/scene") else { return assert!(self.engine.is_closed()) };
        let (socket, inbox) = namespace.connect();
        let reader = Reader::new(inbox);
        socket.join(["room", "second"]).unwrap();
        namespace.to(["room", "second"]).emit("check", "1").unwrap();
        namespace.emit("check", "2").unwrap();
        socket.emit("check", "3").unwrap();
        reader.read();
        assert_eq!(*reader.heard(), ["check:1", "check:2", "check:3"]);
    }
}

/// Has the hooks that are told of panics note those on purpose.
fn watched_for_panics(engine: &Engine, namespace: &Namespace) -> Log {
    let reports = Log::default();
    engine.on_panic({
        let reports = Arc::clone(&reports);
        move |place, message| report(&reports, "engine", place, message)
    });
    namespace.on_error({
        let reports = Arc::clone(&reports);
        move |_, failure| report_failure(&reports, "socket", failure)
    });
    reports
}

pub(crate) fn report_failure(reports: &Log, who: &str, failure: &Failure) {
    if let Failure::Panicked { place, message, .. } = failure {
        report(reports, who, place, message);
    }
}

fn report(reports: &Log, who: &str, place: &str, message: &str) {
    if message == ON_PURPOSE {
        reports.lock().push(format!("{who}: {place}"));
    }
}

pub(crate) fn enter(connection: &Connection, namespace: &str) {
    let _ = connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() });
}

/// What reads for a socket, used by one at a time, and what has come out of it.
pub(crate) struct Reader<E> {
    end: Mutex<Option<E>>,
    heard: Mutex<Vec<String>>,
}

/// An inbox or an outbox.
pub(crate) trait End {
    fn drain_texts(&mut self, hear: impl FnMut(String));
}

impl<E: End> Reader<E> {
    pub(crate) fn new(end: E) -> Self {
        Self { end: Mutex::new(Some(end)), heard: Mutex::default() }
    }

    /// Uses it, if it is there and nobody else does.
    pub(crate) fn lend<R>(&self, uses: impl FnOnce(&mut E) -> R) -> Option<R> {
        self.end.try_lock()?.as_mut().map(uses)
    }

    /// Takes it, if it is there and nobody uses it.
    pub(crate) fn take(&self) -> Option<E> {
        self.end.try_lock()?.take()
    }

    /// Has it read from this from now on, unless it is being used.
    pub(crate) fn put(&self, end: E) {
        let old = self.end.try_lock().map(|mut held| held.replace(end));
        drop(old);
    }

    pub(crate) fn read(&self) {
        self.lend(|end| end.drain_texts(|text| self.hear(text)));
    }

    pub(crate) fn hear(&self, text: String) {
        self.heard.lock().push(text);
    }

    pub(crate) fn heard(&self) -> parking_lot::MutexGuard<'_, Vec<String>> {
        self.heard.lock()
    }

    /// A connected socket has got what was emitted to it last.
    fn check(&self, socket: &Socket) {
        let is_reading = socket.is_connected() && self.end.lock().is_some();
        assert!(
            !is_reading || self.heard().last().is_some_and(|last| last == "probe:"),
            "{:?}",
            self.heard()
        );
    }
}

impl End for Inbox {
    fn drain_texts(&mut self, mut hear: impl FnMut(String)) {
        self.drain(|delivery| hear(text(&delivery)));
    }
}

impl End for Outbox {
    fn drain_texts(&mut self, mut hear: impl FnMut(String)) {
        self.drain(|packet| hear(packet_text(&packet)));
    }
}

pub(crate) fn text(delivery: &Delivery<'_>) -> String {
    let payload = delivery.payload();
    match (delivery.gap(), payload.downcast_ref::<Numbered>()) {
        (Some(gap), _) => format!("gap:{}", gap.missed),
        (None, Some(Numbered(number, _))) => format!("n:{number}"),
        (None, None) => format!("{}:{}", delivery.event(), payload.as_str().unwrap_or("-")),
    }
}

pub(crate) fn packet_text(packet: &ServerPacket<'_>) -> String {
    match packet {
        ServerPacket::Event { delivery, .. } => text(delivery),
        ServerPacket::Gap { gap, .. } => format!("gap:{}", gap.missed),
        other => format!("{other:?}").split(' ').next().unwrap_or_default().to_owned(),
    }
}

/// Where the transport of the client springs a trap.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) wake: Mutex<Option<Trap>>,
    pub(crate) close: Mutex<Option<Trap>>,
    pub(crate) drop: Mutex<Option<Trap>>,
}

/// The transport of the client.
struct Wire(Arc<Line>);

fn spring(place: &Mutex<Option<Trap>>) {
    let trap = place.lock().clone();
    trap.iter().for_each(Trap::spring);
}

impl Transport for Wire {
    fn wake(&self) {
        spring(&self.0.wake);
    }

    fn close(&self, _: &DisconnectReason) {
        spring(&self.0.close);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        spring(&self.0.drop);
    }
}

/// Two in the room who have nothing to do with it, one of each kind.
pub(crate) struct Witnesses {
    inbox: Reader<Inbox>,
    outbox: Reader<Outbox>,
    sockets: [Socket; 2],
    _connection: Connection,
}

impl Witnesses {
    pub(crate) fn new(world: &World) -> Self {
        let (local, inbox) = world.namespace.connect();
        let (connection, outbox) = world.visit("/scene");
        let remote = connection.socket("/scene").unwrap();
        let sockets = [local, remote];
        sockets.iter().for_each(|socket| _ = socket.join("room").unwrap());
        let this =
            Self { inbox: Reader::new(inbox), outbox: Reader::new(outbox), sockets, _connection: connection };
        this.read();
        this
    }

    /// What each has got of the room since it was asked last.
    pub(crate) fn read(&self) -> [Vec<String>; 2] {
        self.inbox.read();
        self.outbox.read();
        let of_room = |heard: &mut Vec<String>| {
            let is_of_room = |text: &String| text.starts_with("n:") || text.starts_with("gap:");
            std::mem::take(heard).into_iter().filter(is_of_room).collect()
        };
        [of_room(&mut self.inbox.heard()), of_room(&mut self.outbox.heard())]
    }

    /// Each has got every number or was told how many it has missed, unless it was disconnected: then no more than
    /// there were.
    pub(crate) fn check(&self, emitted: usize) {
        for (heard, socket) in self.read().iter().zip(&self.sockets) {
            let mut times = BTreeMap::<&str, usize>::new();
            let mut told = 0;
            for text in heard {
                match text.split_once(':') {
                    Some(("gap", missed)) => told += missed.parse::<usize>().unwrap(),
                    _ => *times.entry(text).or_default() += 1,
                }
            }
            assert!(times.values().all(|times| *times == 1), "twice: {heard:?}");
            told += times.len();
            assert!(
                if socket.is_connected() { told == emitted } else { told <= emitted },
                "{emitted}: {heard:?}"
            );
        }
    }
}

/// Stops after each packet or delivery.
pub(crate) fn one_by_one<B>(mut drain: impl FnMut() -> ControlFlow<B>) {
    while drain().is_break() {}
    let Continue::<B>(()) = drain() else { unreachable!("there was no more") };
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
