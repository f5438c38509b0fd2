//! A client that remembers what it has seen, and comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, Engine, Namespace, Offset, Outbox, Payload, ReceiveError, Recovery, Resumption,
    ServerPacket, SessionKey, Socket, SocketId,
};

pub(crate) const PATH: &str = "/chat";

/// For how long sessions are kept, where a test sets nothing else.
pub(crate) const KEEP: Duration = Duration::from_secs(60);

pub(crate) fn engine() -> (Engine, Namespace) {
    engine_with(Recovery::new(KEEP))
}

pub(crate) fn engine_with(recovery: Recovery) -> (Engine, Namespace) {
    let engine = Engine::builder().recovery(recovery).build();
    let chat = engine.of(PATH).unwrap();
    (engine, chat)
}

/// The other side of a connection. What arrives there is what it [sees](Self::see); what is [lost](Self::lose) on the
/// way was sent all the same.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) outbox: Outbox,
    pub(crate) session: Option<SessionKey>,
    pub(crate) seen: Option<Offset>,
    pub(crate) resumption: Option<Resumption>,
    pub(crate) id: Option<SocketId>,
    /// What it has seen, since this was last taken.
    pub(crate) got: Vec<String>,
}

impl Client {
    /// One that is connected to the namespace, and knows.
    pub(crate) fn new(engine: &Engine) -> Self {
        let mut client = Self::open(engine);
        client.enter(ClientPacket::Connect { namespace: PATH, auth: Payload::default() }).unwrap();
        client.see();
        client
    }

    /// One that has said nothing yet.
    pub(crate) fn open(engine: &Engine) -> Self {
        let (connection, outbox) = engine.connect(());
        let (session, seen, resumption, id) = (None, None, None, None);
        Self { connection, outbox, session, seen, resumption, id, got: Vec::new() }
    }

    pub(crate) fn enter(&self, packet: ClientPacket<'_>) -> Result<(), ReceiveError> {
        self.connection.receive(packet)
    }

    pub(crate) fn say(&self, event: &str, ack: Option<u64>) -> Result<(), ReceiveError> {
        let payload = Payload::default();
        self.connection.receive(ClientPacket::Event { namespace: PATH, event, payload, ack })
    }

    /// Its socket, at the server.
    pub(crate) fn socket(&self) -> Socket {
        self.connection.socket(PATH).expect("it is connected")
    }

    /// Takes in all that there is.
    pub(crate) fn see(&mut self) {
        let Self { outbox, session, seen, resumption, id, got, .. } = self;
        outbox.drain(|packet| take(packet, session, seen, resumption, id, got));
    }

    /// Takes in so many packets.
    pub(crate) fn see_some(&mut self, mut packets: usize) {
        let Self { outbox, session, seen, resumption, id, got, .. } = self;
        while packets > 0 {
            let before = packets;
            let _ = outbox.try_drain(|packet| {
                take(packet, session, seen, resumption, id, got);
                packets -= 1;
                if packets == 0 {
                    std::ops::ControlFlow::Break(())
                } else {
                    std::ops::ControlFlow::Continue(())
                }
            });
            if packets == before {
                return;
            }
        }
    }

    /// All that there is is sent, and gets lost.
    pub(crate) fn lose(&mut self) -> usize {
        self.outbox.drain(|_| {})
    }

    /// What it has seen since this was last asked.
    pub(crate) fn got(&mut self) -> Vec<String> {
        self.see();
        std::mem::take(&mut self.got)
    }

    /// Its line is cut, and it comes by another one, with what it knows; without having looked there yet.
    pub(crate) fn come_back(self, engine: &Engine) -> Self {
        let (session, seen) = (self.session.expect("it has one"), self.seen);
        drop(self);
        Self::resume(engine, session, seen)
    }

    /// Comes by a new line with what was known of an old one.
    pub(crate) fn resume(engine: &Engine, session: SessionKey, seen: Option<Offset>) -> Self {
        let mut client = Self::open(engine);
        (client.session, client.seen) = (Some(session), seen);
        client.ask(session);
        client
    }

    /// Asks for a session.
    pub(crate) fn ask(&self, session: SessionKey) {
        let (auth, seen) = (Payload::default(), self.seen);
        self.enter(ClientPacket::Resume { namespace: PATH, auth, session, seen }).unwrap();
    }
}

fn take(
    packet: ServerPacket<'_>,
    session: &mut Option<SessionKey>,
    seen: &mut Option<Offset>,
    resumption: &mut Option<Resumption>,
    id: &mut Option<SocketId>,
    got: &mut Vec<String>,
) {
    let words = |payload: &Payload| payload.as_str().unwrap_or("").to_owned();
    match packet {
        ServerPacket::Connect { id: new, session: key, resumption: how, .. } => {
            (*session, *resumption, *id) = (key, Some(how), Some(new));
        }
        ServerPacket::Event { delivery, offset, .. } => {
            *seen = offset.or(*seen);
            let mark = if delivery.ack_id().is_some() { "?" } else { "" };
            got.push(format!("{}{mark}{}", delivery.event(), words(delivery.payload())));
        }
        ServerPacket::Gap { gap, offset, .. } => {
            *seen = offset.or(*seen);
            got.push(format!("gap {}", gap.missed));
        }
        ServerPacket::Ack { id, payload, .. } => got.push(format!("ack {id}{}", words(payload))),
        ServerPacket::ConnectError { message, .. } => got.push(format!("error {message}")),
        ServerPacket::Disconnect { reason, .. } => got.push(format!("end {reason}")),
    }
}

/// What hooks and handlers were called for.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn by(namespace: &Namespace) -> Self {
        let told = Self::default();
        let note = |what: &'static str| {
            let told = told.clone();
            move |detail: String| told.0.lock().unwrap().push(format!("{what}{detail}"))
        };
        let [connect, away, resume, leaving, gone, said] =
            ["connect", "away ", "resume", "leaving ", "gone ", "said"].map(note);
        namespace.on_connect(move |_| connect(String::new()));
        namespace.on_away(move |_, reason| away(reason.to_string()));
        namespace.on_resume(move |_| resume(String::new()));
        namespace.on_disconnecting(move |_, reason| leaving(reason.to_string()));
        namespace.on_disconnect(move |_, reason| gone(reason.to_string()));
        namespace.on_any(move |_, incoming| said(format!(" {}", incoming.event())));
        told
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
