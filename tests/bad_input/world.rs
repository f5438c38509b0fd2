//! What bad input must not change.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, Engine, Inbox, Namespace, Outbox, Parent, Payload, ReceiveError, Room, Socket,
    SocketId,
};

use crate::common::line;

/// How long names may be here.
pub(crate) const LONGEST: usize = 16;
/// How many events may wait for a handler.
pub(crate) const QUEUE: usize = 4;

/// An engine with something of everything in it.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) chat: Namespace,
    pub(crate) room: Room,
    /// In the rooms `room` and `other`.
    pub(crate) ann: Socket,
    /// In the rooms `room` and `full`, in which there is place for one.
    pub(crate) bob: Socket,
    /// Closed.
    pub(crate) gone: Socket,
    /// In the room `room` of another namespace.
    pub(crate) far: Socket,
    pub(crate) far_room: Room,
    /// In the room `room` of the namespace of the same path of another engine.
    pub(crate) foreign: Socket,
    pub(crate) foreign_room: Room,
    /// Removed; with a room of it and a socket that was in it.
    pub(crate) removed: (Namespace, Room, Socket),
    /// Closed.
    pub(crate) closed_engine: Engine,
    pub(crate) games: Parent,
    full: Room,
    inboxes: Vec<Inbox>,
    client: Client,
    /// What hooks were told.
    told: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let builder = Engine::builder().max_name_bytes(LONGEST).unwrap().inbound_queue(QUEUE).unwrap();
        let engine = builder.build();
        let [chat, there] = ["/chat", "/there"].map(|path| engine.of(path).unwrap());
        let elsewhere = Engine::new().of("/chat").unwrap();
        let (room, full) = (chat.room("room").unwrap(), chat.room("full").unwrap());
        full.set_capacity(1);
        let ((ann, ann_inbox), (bob, bob_inbox)) = (chat.connect(), chat.connect());
        ann.join(["room", "other"]).unwrap();
        bob.join(["room", "full"]).unwrap();
        let gone = chat.connect().0;
        let ((far, far_inbox), (foreign, foreign_inbox)) = (there.connect(), elsewhere.connect());
        far.join("room").unwrap();
        foreign.join("room").unwrap();
        let removed = engine.of("/removed").unwrap();
        let (left, left_inbox) = removed.connect();
        let removed = (removed.clone(), removed.room("room").unwrap(), left);
        assert!(engine.remove("/removed"));
        let closed_engine = Engine::new();
        closed_engine.close();
        let games = engine.of_pattern("/game-{id}").unwrap();
        games.keep_empty(true);
        Client::new(&engine, "/game-1").leave();
        let client = Client::new(&engine, "/chat");
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = || {
            let told = Arc::clone(&told);
            move |what: String| told.lock().unwrap().push(what)
        };
        let (on_room, on_error, on_panic) = (tell(), tell(), tell());
        chat.on_room(move |_, event| on_room(format!("{event:?}")));
        chat.on_error(move |_, failure| on_error(failure.to_string()));
        engine.on_panic(move |place, message| on_panic(format!("{place}: {message}")));
        chat.on_with_ack("ask", |_, payload: Payload, ack| drop(ack.send(payload))).unwrap();
        let (far_room, foreign_room) = (there.room("room").unwrap(), elsewhere.room("room").unwrap());
        let inboxes = vec![ann_inbox, bob_inbox, far_inbox, foreign_inbox, left_inbox];
        Self {
            engine,
            chat,
            room,
            ann,
            bob,
            gone,
            far,
            far_room,
            foreign,
            foreign_room,
            removed,
            closed_engine,
            games,
            full,
            inboxes,
            client,
            told,
        }
    }

    /// A client of its own, for what closes its connection: with a socket in `/chat`, and in nothing that is
    /// looked at.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(&self.engine, "/chat")
    }

    /// Has all that was sent so far be read, by nobody who minds.
    pub(crate) fn forget(&mut self) {
        self.inboxes.iter_mut().for_each(|inbox| drop(line(inbox)));
        drop(self.client.read());
    }

    /// Ids that name nobody in `/chat`.
    pub(crate) fn nobodies(&self) -> [(&'static str, SocketId); 6] {
        let id = |bits| SocketId::from_bits(bits).unwrap();
        [
            ("closed", self.gone.id()),
            ("of another namespace", self.far.id()),
            ("of the next generation", id(self.ann.id().to_bits() + (1 << 32))),
            ("of a place that there is not", id(1 << 32 | 1000)),
            ("the smallest", id(1 << 32 | u64::from(u32::MAX))),
            ("the largest", id(u64::MAX)),
        ]
    }

    /// All that can be observed, and that messages still get to whom they are for.
    pub(crate) fn snapshot(&mut self) -> String {
        let mut seen = format!(
            "{:?} {:?} {:?} {:?}\n",
            (&self.engine, self.engine.is_closed(), self.engine.now()),
            (self.engine.socket_count(), self.engine.connection_count()),
            (&self.closed_engine, self.closed_engine.namespaces()),
            (self.games.children(), self.games.pattern()),
        );
        let far = self.far.namespace();
        for namespace in [&self.chat, &far, &self.foreign.namespace(), &self.removed.0] {
            let members = namespace.rooms().into_iter().map(|(room, _)| (namespace.members(&room), room));
            let members: Vec<_> = members.collect();
            let own = (namespace.backlog(), namespace.is_closed(), namespace.socket_ids());
            seen += &format!("{namespace:?} {own:?} {members:?}\n");
        }
        for room in [&self.room, &self.full, &self.far_room, &self.foreign_room, &self.removed.1] {
            seen += &format!("{room:?} {} {:?}\n", room.len(), room.capacity());
        }
        for socket in [&self.ann, &self.bob, &self.gone, &self.far, &self.foreign, &self.removed.2] {
            seen += &format!("{socket:?} {:?} {:?}\n", socket.rooms(), socket.closed());
        }
        // What was sent in between, which is nothing; then one message to each room, and what comes of it.
        for _ in 0..2 {
            for inbox in &mut self.inboxes {
                seen += &format!("{:?} {} {:?}\n", inbox.id(), line(inbox), inbox.closed());
            }
            seen += &format!("{:?} {:?}\n", self.client.read(), self.client.connection);
            let told = std::mem::take(&mut *self.told.lock().unwrap());
            seen += &format!("{told:?}\n");
            for room in [&self.room, &self.full, &self.far_room, &self.foreign_room] {
                room.emit("probe", "hello").unwrap();
            }
            self.ann.emit("probe", "you").unwrap();
            self.client.send("ask", "you", Some(1)).unwrap();
            self.engine.tick(Duration::ZERO);
        }
        self.forget();
        seen
    }
}

/// A connection that is in one namespace.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    outbox: Outbox,
    path: &'static str,
}

impl Client {
    fn new(engine: &Engine, path: &'static str) -> Self {
        let (connection, outbox) = engine.connect(());
        let mut client = Self { connection, outbox, path };
        client.connect(path).unwrap();
        assert_eq!(client.read().len(), 1);
        client
    }

    fn leave(mut self) {
        self.connection.receive(ClientPacket::Disconnect { namespace: self.path }).unwrap();
        drop(self.read());
    }

    pub(crate) fn connect(&self, namespace: &str) -> Result<(), ReceiveError> {
        self.connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() })
    }

    pub(crate) fn send(
        &self,
        event: &str,
        payload: impl Into<Payload>,
        ack: Option<u64>,
    ) -> Result<(), ReceiveError> {
        let (namespace, payload) = (self.path, payload.into());
        self.connection.receive(ClientPacket::Event { namespace, event, payload, ack })
    }

    pub(crate) fn answer(&self, id: u64) -> Result<(), ReceiveError> {
        let (namespace, payload) = (self.path, Payload::default());
        self.connection.receive(ClientPacket::Ack { namespace, id, payload })
    }

    /// Answers all questions that it may have been asked.
    pub(crate) fn answer_all(&self, answer: &str) {
        for id in 0..1000 {
            let (namespace, payload) = (self.path, answer.into());
            self.connection.receive(ClientPacket::Ack { namespace, id, payload }).unwrap();
        }
    }

    /// What came, as the `Debug` of its packets.
    pub(crate) fn read(&mut self) -> Vec<String> {
        let mut packets = Vec::new();
        self.outbox.drain(|packet| packets.push(format!("{packet:?}")));
        packets
    }
}
