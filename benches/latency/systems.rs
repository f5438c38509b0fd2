//! The systems under test: rooms whose members are read by one thread, and published to by another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::RwLock;
use roomcast::{Backlog, Engine, EventHandle, Namespace, Payload, Room};
use slab::Slab;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

/// The size of every payload.
const PAYLOAD_BYTES: usize = 64;

/// Rooms, shared by the threads. Rooms go by their numbers here, messages carry theirs.
pub(crate) trait System: Sized + Sync {
    const ID: &'static str;

    /// Whether a socket reads in the order of publishing over all its rooms, or only within each.
    const IS_ORDERED: bool;

    /// Whether a socket that does not read loses messages, beyond the limit.
    const IS_BOUNDED: bool;

    type Inbox: Inbox;

    /// `backlog` is the limit of each room, in messages.
    fn new(rooms: usize, backlog: usize) -> Self;

    /// Connects a socket, and has it join these rooms.
    fn connect(&self, rooms: impl Iterator<Item = usize>) -> Self::Inbox;

    fn publish(&self, room: usize, message: u64);

    /// Has a socket join this room, and leave it.
    fn visit(&self, inbox: &mut Self::Inbox, room: usize);
}

/// What one socket is sent.
pub(crate) trait Inbox: Send {
    /// Reads all that is there.
    fn drain(&mut self, deliver: impl FnMut(Read));

    /// Sleeps until there is a message, and reads it. For sockets of one room.
    fn sleep(&mut self) -> Read;
}

/// What an inbox hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Message(u64),
    /// So many messages are gone, as the socket was over the limit.
    Lost(u64),
}

impl Read {
    /// Takes it as a message of a socket that keeps up.
    #[inline]
    pub(crate) fn message(self) -> u64 {
        match self {
            Self::Message(message) => message,
            Self::Lost(count) => {
                panic!("a reader that reads on has lost {count} messages: the rate is too high")
            }
        }
    }
}

#[inline]
fn bytes_of(message: u64) -> [u8; PAYLOAD_BYTES] {
    let mut bytes = [0xA5; PAYLOAD_BYTES];
    bytes[..8].copy_from_slice(&message.to_le_bytes());
    bytes
}

#[inline]
fn message_of(payload: &[u8]) -> Read {
    Read::Message(u64::from_le_bytes(*payload.first_chunk().expect("payloads have 64 bytes")))
}

fn names(rooms: usize) -> Vec<String> {
    (0..rooms).map(|room| format!("cell:{room}")).collect()
}

/// This crate. Published to by handles, joined and left by name.
pub(crate) struct Roomcast {
    namespace: Namespace,
    names: Vec<String>,
    rooms: Vec<Room>,
    event: EventHandle,
}

impl System for Roomcast {
    const ID: &'static str = "roomcast";
    const IS_ORDERED: bool = true;
    const IS_BOUNDED: bool = true;

    type Inbox = roomcast::Inbox;

    fn new(rooms: usize, backlog: usize) -> Self {
        let backlog = Backlog::new().messages(backlog).expect("a good limit");
        let namespace = Engine::builder().backlog(backlog).build().of("/bench").expect("a good path");
        let names = names(rooms);
        let rooms = names.iter().map(|name| namespace.room(name).expect("a good name")).collect();
        let event = namespace.event("moved").expect("a good name");
        Self { namespace, names, rooms, event }
    }

    fn connect(&self, rooms: impl Iterator<Item = usize>) -> roomcast::Inbox {
        let (socket, inbox) = self.namespace.connect();
        for room in rooms {
            socket.join(&self.rooms[room]).expect("it is connected");
        }
        inbox
    }

    #[inline]
    fn publish(&self, room: usize, message: u64) {
        let payload = Payload::from(bytes_of(message));
        self.rooms[room].emit(&self.event, payload).expect("the namespace is open");
    }

    fn visit(&self, inbox: &mut roomcast::Inbox, room: usize) {
        let room = self.names[room].as_str();
        inbox.socket().join(room).expect("it is connected");
        inbox.socket().leave(room).expect("it is connected");
    }
}

impl Inbox for roomcast::Inbox {
    #[inline]
    fn drain(&mut self, mut deliver: impl FnMut(Read)) {
        Self::drain(self, |delivery| deliver(read(&delivery)));
    }

    fn sleep(&mut self) -> Read {
        read(&self.recv().expect("it is connected"))
    }
}

#[inline]
fn read(delivery: &roomcast::Delivery<'_>) -> Read {
    match delivery.gap() {
        None => message_of(delivery.payload().as_bytes().expect("payloads are bytes")),
        Some(gap) => Read::Lost(gap.missed),
    }
}

/// What one writes by hand: a channel for each socket, and a map of rooms. Nothing bounds what a socket
/// that does not read has waiting.
pub(crate) struct Push {
    names: Vec<String>,
    sockets: RwLock<Slab<Sender<Arc<[u8; PAYLOAD_BYTES]>>>>,
    rooms: RwLock<HashMap<String, HashSet<usize>>>,
}

pub(crate) struct PushInbox {
    socket: usize,
    receiver: Receiver<Arc<[u8; PAYLOAD_BYTES]>>,
}

impl System for Push {
    const ID: &'static str = "push";
    const IS_ORDERED: bool = true;
    const IS_BOUNDED: bool = false;

    type Inbox = PushInbox;

    fn new(rooms: usize, _backlog: usize) -> Self {
        let names = names(rooms);
        let rooms = names.iter().map(|name| (name.clone(), HashSet::new())).collect();
        Self { names, sockets: RwLock::default(), rooms: RwLock::new(rooms) }
    }

    fn connect(&self, rooms: impl Iterator<Item = usize>) -> PushInbox {
        let (sender, receiver) = unbounded();
        let socket = self.sockets.write().insert(sender);
        let mut all = self.rooms.write();
        for room in rooms {
            all.get_mut(&self.names[room]).expect("there is such a room").insert(socket);
        }
        PushInbox { socket, receiver }
    }

    #[inline]
    fn publish(&self, room: usize, message: u64) {
        let payload = Arc::new(bytes_of(message));
        let rooms = self.rooms.read();
        let sockets = self.sockets.read();
        for &socket in &rooms[&self.names[room]] {
            sockets[socket].send(Arc::clone(&payload)).expect("the receiver is alive");
        }
    }

    fn visit(&self, inbox: &mut PushInbox, room: usize) {
        let name = &self.names[room];
        self.rooms.write().get_mut(name).expect("there is such a room").insert(inbox.socket);
        self.rooms.write().get_mut(name).expect("there is such a room").remove(&inbox.socket);
    }
}

impl Inbox for PushInbox {
    #[inline]
    fn drain(&mut self, mut deliver: impl FnMut(Read)) {
        self.receiver.try_iter().for_each(|payload| deliver(message_of(&payload[..])));
    }

    fn sleep(&mut self) -> Read {
        message_of(&self.receiver.recv().expect("the sender is alive")[..])
    }
}

/// A `tokio::sync::broadcast` channel for each room, read without a runtime. A socket has a receiver for
/// each of its rooms, and reads one after the other.
pub(crate) struct TokioBroadcast(Vec<broadcast::Sender<Arc<[u8; PAYLOAD_BYTES]>>>);

impl System for TokioBroadcast {
    const ID: &'static str = "tokio-broadcast";
    const IS_ORDERED: bool = false;
    const IS_BOUNDED: bool = true;

    type Inbox = Vec<broadcast::Receiver<Arc<[u8; PAYLOAD_BYTES]>>>;

    fn new(rooms: usize, backlog: usize) -> Self {
        Self((0..rooms).map(|_| broadcast::channel(backlog).0).collect())
    }

    fn connect(&self, rooms: impl Iterator<Item = usize>) -> Self::Inbox {
        rooms.map(|room| self.0[room].subscribe()).collect()
    }

    #[inline]
    fn publish(&self, room: usize, message: u64) {
        self.0[room].send(Arc::new(bytes_of(message))).expect("there are receivers");
    }

    fn visit(&self, inbox: &mut Self::Inbox, room: usize) {
        inbox.push(self.0[room].subscribe());
        inbox.pop();
    }
}

impl Inbox for Vec<broadcast::Receiver<Arc<[u8; PAYLOAD_BYTES]>>> {
    #[inline]
    fn drain(&mut self, mut deliver: impl FnMut(Read)) {
        for receiver in self {
            loop {
                match receiver.try_recv() {
                    Ok(payload) => deliver(message_of(&payload[..])),
                    Err(TryRecvError::Lagged(count)) => deliver(Read::Lost(count)),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
    }

    fn sleep(&mut self) -> Read {
        match self[0].blocking_recv() {
            Ok(payload) => message_of(&payload[..]),
            Err(RecvError::Lagged(count)) => Read::Lost(count),
            Err(RecvError::Closed) => panic!("the sender is alive"),
        }
    }
}
