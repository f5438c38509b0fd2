//! A client that records what the server sends, and a log for what happens on the server.

use std::collections::HashMap;
use std::mem::take;
use std::sync::{Arc, Mutex};

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Engine, Handshake, Outbox, Payload, ReceiveError,
    ServerPacket, Socket, SocketId,
};

/// A connection with its outbox, driven by the test: nothing happens but what it does.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) outbox: Outbox,
    /// What came, without the namespace, until it is [read](Self::read).
    packets: Vec<Packet>,
    /// Its last id in each namespace.
    ids: HashMap<String, SocketId>,
    /// The numbers of the answers that it is to give, oldest first.
    questions: Vec<u64>,
}

/// What came, as text.
struct Packet {
    namespace: String,
    text: String,
}

impl Peer {
    /// One that is in no namespace yet.
    pub(crate) fn new(engine: &Engine) -> Self {
        Self::with_handshake(engine, Handshake::new())
    }

    pub(crate) fn with_handshake(engine: &Engine, handshake: Handshake) -> Self {
        let (connection, outbox) = engine.connect(handshake);
        Self { connection, outbox, packets: Vec::new(), ids: HashMap::new(), questions: Vec::new() }
    }

    /// One that has a socket in a namespace, and has read so.
    #[track_caller]
    pub(crate) fn joined(engine: &Engine, namespace: &str) -> (Self, Socket) {
        let mut peer = Self::new(engine);
        peer.connect(namespace);
        assert_eq!(peer.read(), ["connect"]);
        let socket = peer.socket(namespace);
        (peer, socket)
    }

    /// Asks for a socket in a namespace, which it may not get.
    #[track_caller]
    pub(crate) fn connect(&self, namespace: &str) {
        self.connect_as(namespace, Payload::default());
    }

    #[track_caller]
    pub(crate) fn connect_as(&self, namespace: &str, auth: impl Into<Payload>) {
        self.try_connect(namespace, auth).unwrap();
    }

    pub(crate) fn try_connect(&self, namespace: &str, auth: impl Into<Payload>) -> Result<(), ReceiveError> {
        self.connection.receive(ClientPacket::Connect { namespace, auth: auth.into() })
    }

    #[track_caller]
    pub(crate) fn send(&self, namespace: &str, event: &str, payload: impl Into<Payload>) {
        self.try_send(namespace, event, payload).unwrap();
    }

    pub(crate) fn try_send(
        &self,
        namespace: &str,
        event: &str,
        payload: impl Into<Payload>,
    ) -> Result<(), ReceiveError> {
        send(&self.connection, namespace, event, payload)
    }

    /// Sends an event that is to be answered under a number.
    #[track_caller]
    pub(crate) fn ask(&self, namespace: &str, event: &str, payload: impl Into<Payload>, ack: u64) {
        let packet = ClientPacket::Event { namespace, event, payload: payload.into(), ack: Some(ack) };
        self.connection.receive(packet).unwrap();
    }

    /// Answers the oldest of the questions that were read and not answered.
    #[track_caller]
    pub(crate) fn answer(&mut self, namespace: &str, payload: impl Into<Payload>) {
        let id = self.questions.remove(0);
        self.answer_to(namespace, id, payload);
    }

    #[track_caller]
    pub(crate) fn answer_to(&self, namespace: &str, id: u64, payload: impl Into<Payload>) {
        self.connection.receive(ClientPacket::Ack { namespace, id, payload: payload.into() }).unwrap();
    }

    /// The number of the oldest question that was read and not answered.
    pub(crate) fn question(&self) -> u64 {
        self.questions[0]
    }

    /// Lets it be.
    pub(crate) fn skip_question(&mut self) {
        self.questions.remove(0);
    }

    #[track_caller]
    pub(crate) fn disconnect(&self, namespace: &str) {
        self.connection.receive(ClientPacket::Disconnect { namespace }).unwrap();
    }

    /// Its connected socket in a namespace, as the server has it.
    #[track_caller]
    pub(crate) fn socket(&self, namespace: &str) -> Socket {
        self.connection.socket(namespace).expect("connected")
    }

    /// The id that it was last told in a namespace.
    pub(crate) fn id(&self, namespace: &str) -> SocketId {
        self.ids[namespace]
    }

    /// Drains, and returns what came: `connect`, `error:why`, `disconnect:why`, `ack 7:answer`, `event:payload`
    /// and `event?:payload` for one that wants an answer.
    pub(crate) fn read(&mut self) -> Vec<String> {
        self.drain();
        take(&mut self.packets).into_iter().map(|packet| packet.text).collect()
    }

    /// As [`read`](Self::read), once there is something: another thread may be about to bring it, such as one
    /// that has just made the namespace.
    pub(crate) fn await_packets(&mut self) -> Vec<String> {
        loop {
            let packets = self.read();
            if !packets.is_empty() {
                return packets;
            }
            std::thread::yield_now();
        }
    }

    /// As [`read`](Self::read), each with its namespace in front.
    pub(crate) fn read_all(&mut self) -> Vec<String> {
        self.drain();
        take(&mut self.packets)
            .into_iter()
            .map(|Packet { namespace, text }| format!("{namespace} {text}"))
            .collect()
    }

    /// Why the transport is to close, once it is.
    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        self.outbox.closed().cloned()
    }

    fn drain(&mut self) {
        let Self { outbox, packets, ids, questions, .. } = self;
        outbox.drain(|packet| {
            let namespace = packet.namespace().to_owned();
            let text = match packet {
                ServerPacket::Connect { id, .. } => {
                    ids.insert(namespace.clone(), id);
                    "connect".to_owned()
                }
                ServerPacket::ConnectError { message, data, .. } if data.is_empty() => {
                    format!("error:{message}")
                }
                ServerPacket::ConnectError { message, data, .. } => {
                    format!("error:{message} ({})", text(data))
                }
                ServerPacket::Event { delivery, .. } => {
                    questions.extend(delivery.ack_id());
                    let mark = if delivery.ack_id().is_some() { "?" } else { "" };
                    format!("{}{mark}:{}", delivery.event(), text(delivery.payload()))
                }
                ServerPacket::Gap { gap, .. } => format!("gap:{}", gap.missed),
                ServerPacket::Ack { id, payload, .. } => format!("ack {id}:{}", text(payload)),
                ServerPacket::Disconnect { reason, .. } => format!("disconnect:{reason:?}"),
            };
            packets.push(Packet { namespace, text });
        });
    }
}

/// What a client of this connection sends, from wherever the test has a handle of it.
pub(crate) fn send(
    connection: &Connection,
    namespace: &str,
    event: &str,
    payload: impl Into<Payload>,
) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Event { namespace, event, payload: payload.into(), ack: None })
}

/// What a payload is, in words.
pub(crate) fn text(payload: &Payload) -> String {
    match (payload.as_str(), payload.as_bytes()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(bytes)) => format!("{bytes:?}"),
        (None, None) => "a value".to_owned(),
    }
}

/// What happened on the server, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// Takes what was said so far.
    pub(crate) fn take(&self) -> Vec<String> {
        take(&mut *self.0.lock().unwrap())
    }
}

/// The names of a socket's rooms, in joining order.
pub(crate) fn rooms(socket: &Socket) -> Vec<String> {
    socket.rooms().iter().map(ToString::to_string).collect()
}
