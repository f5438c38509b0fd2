//! Transports that count what they are told, and clients that record what they are sent.

use std::collections::BTreeMap;
use std::mem::take;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Wake;

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Engine, Outbox, Payload, ReceiveError, ServerPacket, Socket,
    Transport,
};

/// A transport that counts what it is told.
#[derive(Default)]
pub(crate) struct Line(Mutex<Told>);

#[derive(Default)]
struct Told {
    wakes: usize,
    closes: Vec<DisconnectReason>,
}

impl Line {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it was woken since this was last asked.
    pub(crate) fn wakes(&self) -> usize {
        take(&mut self.0.lock().unwrap().wakes)
    }

    /// Why it was told to close, each time that it was since this was last asked.
    pub(crate) fn closes(&self) -> Vec<DisconnectReason> {
        take(&mut self.0.lock().unwrap().closes)
    }
}

impl Transport for Line {
    fn wake(&self) {
        self.0.lock().unwrap().wakes += 1;
    }

    fn close(&self, reason: &DisconnectReason) {
        self.0.lock().unwrap().closes.push(reason.clone());
    }
}

/// A bell that a thread can wait for: rings add up.
#[derive(Default)]
pub(crate) struct Bell {
    rings: Mutex<usize>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rung.notify_all();
    }

    pub(crate) fn rings(&self) -> usize {
        *self.rings.lock().unwrap()
    }

    /// Waits until there were more than `rings`, and returns how many there were.
    pub(crate) fn wait_past(&self, rings: usize) -> usize {
        *self.rung.wait_while(self.rings.lock().unwrap(), |now| *now <= rings).unwrap()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl Transport for Bell {
    fn wake(&self) {
        self.ring();
    }
}

/// A client with both halves of its connection, moved by the test.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) outbox: Outbox,
}

impl Peer {
    pub(crate) fn new(engine: &Engine, transport: impl Transport) -> Self {
        let (connection, outbox) = engine.connect(transport);
        Self { connection, outbox }
    }

    /// One that has a socket in each of these namespaces and in a room of each, and has read so.
    pub(crate) fn joined(engine: &Engine, transport: impl Transport, paths: &[&str], room: &str) -> Self {
        let mut peer = Self::new(engine, transport);
        for path in paths {
            connect(&peer.connection, path).unwrap();
            peer.socket(path).join(room).unwrap();
        }
        assert_eq!(peer.read().len(), paths.len());
        peer
    }

    /// Its connected socket in a namespace, as the server has it.
    pub(crate) fn socket(&self, path: &str) -> Socket {
        self.connection.socket(path).expect("connected")
    }

    /// Drains, and returns what came.
    pub(crate) fn read(&mut self) -> Vec<String> {
        let mut read = Vec::new();
        assert_eq!(self.outbox.drain(|packet| read.push(text(packet))), read.len());
        read
    }

    /// As [`read`](Self::read), by a drain that stops after so many packets.
    pub(crate) fn read_some(&mut self, most: usize) -> Vec<String> {
        let mut read = Vec::new();
        let _ = self.outbox.try_drain(|packet| {
            read.push(text(packet));
            stop_at(most, read.len())
        });
        read
    }
}

/// Breaks with the last of so many.
pub(crate) fn stop_at(most: usize, count: usize) -> ControlFlow<()> {
    if count >= most { Break(()) } else { Continue(()) }
}

/// Drains by drains that stop after so many packets each, until one does not.
pub(crate) fn drain_by(outbox: &mut Outbox, most: usize, mut send: impl FnMut(ServerPacket<'_>)) {
    let mut count = 0;
    let mut drain = || {
        count = 0;
        outbox.try_drain(|packet| {
            send(packet);
            count += 1;
            stop_at(most, count)
        })
    };
    // Far more than any test has packets.
    assert!((0..1_000_000).any(|_| drain().is_continue()), "it never ends");
}

/// Drains all, by the drain that could stop or by the one that could not.
pub(crate) fn drain_all(outbox: &mut Outbox, in_parts: bool, mut send: impl FnMut(ServerPacket<'_>)) {
    if in_parts {
        let _: ControlFlow<()> = outbox.try_drain(|packet| {
            send(packet);
            Continue(())
        });
    } else {
        outbox.drain(send);
    }
}

pub(crate) fn connect(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() })
}

pub(crate) fn leave(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Disconnect { namespace })
}

/// Sends an event, which is to be answered if it has a number.
pub(crate) fn send(
    connection: &Connection,
    namespace: &str,
    event: &str,
    ack: impl Into<Option<u64>>,
) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Event { namespace, event, payload: Payload::default(), ack: ack.into() })
}

/// What a packet is, in words: without ids, which differ from client to client.
pub(crate) fn text(packet: ServerPacket<'_>) -> String {
    let namespace = packet.namespace();
    let words = |payload: &Payload| payload.as_str().unwrap_or("-").to_owned();
    match packet {
        ServerPacket::Connect { .. } => format!("{namespace} connect"),
        ServerPacket::ConnectError { message, .. } => format!("{namespace} error:{message}"),
        ServerPacket::Event { delivery, .. } => {
            let mark = if delivery.ack_id().is_some() { "?" } else { "" };
            format!("{namespace} {}{mark}:{}", delivery.event(), words(delivery.payload()))
        }
        ServerPacket::Gap { gap, .. } => format!("{namespace} gap:{}", gap.missed),
        ServerPacket::Ack { id, payload, .. } => format!("{namespace} ack {id}:{}", words(payload)),
        ServerPacket::Disconnect { reason, .. } => format!("{namespace} disconnect:{reason}"),
    }
}

/// Sorts packets by namespace, as there is no order between those.
pub(crate) fn by_namespace(packets: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (namespace, text) in packets.iter().filter_map(|packet| packet.split_once(' ')) {
        streams.entry(namespace).or_default().push(text);
    }
    streams
}
