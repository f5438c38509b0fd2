//! The systems under test: one room, N members, each with an inbox of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::RwLock;
use roomcast::{Engine, EventHandle, Inbox, Payload, Room};
use slab::Slab;
use tokio::sync::broadcast::{self, error::TryRecvError};

/// The size of every payload.
pub(crate) const PAYLOAD_BYTES: usize = 64;

const ROOM: &str = "cell:3:4";

/// A room with its members, as one system does it. All calls come from one thread.
pub(crate) trait System {
    /// What criterion calls it.
    const ID: &str;

    /// Whether publishing takes a step for each member.
    const PUSHES: bool;

    /// A payload made beforehand: publishing it shares it and copies nothing.
    type Payload: Clone;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Self::Payload;

    /// Creates the room and its members, of whom none is ever more than `unread` messages behind.
    fn new(members: usize, unread: usize) -> Self;

    fn publish(&mut self, payload: &Self::Payload);

    /// Has each member, one after the other, read all that it has not read yet.
    fn drain(&mut self) -> Tally;
}

/// What was read: how many messages, and the sum of their payloads' first words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) deliveries: usize,
    pub(crate) sum: u64,
}

#[inline]
fn first_word(payload: &[u8]) -> u64 {
    let word = payload.first_chunk().expect("payloads have 64 bytes");
    u64::from_le_bytes(*word)
}

/// This crate, with handles resolved beforehand and default limits.
///
/// Does more than the others with a message: it has an event, a place in an order over all rooms and
/// direct messages, and members are told of losses. Does less when it publishes: nothing is done for each
/// member, and the payload is counted once for the room. Readers do not count it.
pub(crate) struct Roomcast {
    room: Room,
    event: EventHandle,
    inboxes: Vec<Inbox>,
}

impl System for Roomcast {
    const ID: &str = "roomcast";
    const PUSHES: bool = false;

    type Payload = Payload;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Payload {
        Payload::from(bytes)
    }

    fn new(members: usize, _unread: usize) -> Self {
        let namespace = Engine::new().of("/bench").expect("a good path");
        let room = namespace.room(ROOM).expect("a good name");
        let event = namespace.event("moved").expect("a good name");
        let inboxes = (0..members)
            .map(|_| {
                let (socket, inbox) = namespace.connect();
                socket.join(&room).expect("it is connected");
                inbox
            })
            .collect();
        Self { room, event, inboxes }
    }

    #[inline]
    fn publish(&mut self, payload: &Payload) {
        self.room.emit(&self.event, payload.clone()).expect("the namespace is open");
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for inbox in &mut self.inboxes {
            tally.deliveries += inbox.drain(|delivery| {
                let bytes = delivery.payload().as_bytes().expect("payloads are bytes");
                tally.sum = tally.sum.wrapping_add(first_word(bytes));
            });
        }
        tally
    }
}

/// What one writes by hand: a channel for each socket, and a map of rooms.
///
/// Does more than the others when it publishes: it finds the room by name, which the others have a handle
/// to (a few tens of nanoseconds a message), and counts the payload once for each member. Does less: no
/// order across rooms is kept, and channels have no limit, so nothing stops a stalled member's backlog.
pub(crate) struct Push {
    sockets: RwLock<Slab<Sender<Arc<[u8; PAYLOAD_BYTES]>>>>,
    rooms: RwLock<HashMap<String, HashSet<usize>>>,
    inboxes: Vec<Receiver<Arc<[u8; PAYLOAD_BYTES]>>>,
}

impl System for Push {
    const ID: &str = "push";
    const PUSHES: bool = true;

    type Payload = Arc<[u8; PAYLOAD_BYTES]>;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Self::Payload {
        Arc::new(bytes)
    }

    fn new(members: usize, _unread: usize) -> Self {
        let mut sockets = Slab::new();
        let mut room = HashSet::new();
        let inboxes = (0..members)
            .map(|_| {
                let (sender, receiver) = unbounded();
                room.insert(sockets.insert(sender));
                receiver
            })
            .collect();
        let rooms = HashMap::from([(ROOM.to_owned(), room)]);
        Self { sockets: RwLock::new(sockets), rooms: RwLock::new(rooms), inboxes }
    }

    #[inline]
    fn publish(&mut self, payload: &Self::Payload) {
        let rooms = self.rooms.read();
        let sockets = self.sockets.read();
        for &socket in &rooms[ROOM] {
            sockets[socket].send(Arc::clone(payload)).expect("the receiver is alive");
        }
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for inbox in &self.inboxes {
            for payload in inbox.try_iter() {
                tally.deliveries += 1;
                tally.sum = tally.sum.wrapping_add(first_word(&payload[..]));
            }
        }
        tally
    }
}

/// A `tokio::sync::broadcast` channel for the room, read without a runtime.
///
/// Does more than the others: each reader counts the payload, and drops it once the last has read it.
/// Does less: a receiver is in this one room, and to read several in order is left to the user.
pub(crate) struct TokioBroadcast {
    sender: broadcast::Sender<Arc<[u8; PAYLOAD_BYTES]>>,
    receivers: Vec<broadcast::Receiver<Arc<[u8; PAYLOAD_BYTES]>>>,
}

impl System for TokioBroadcast {
    const ID: &str = "tokio-broadcast";
    const PUSHES: bool = false;

    type Payload = Arc<[u8; PAYLOAD_BYTES]>;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Self::Payload {
        Arc::new(bytes)
    }

    fn new(members: usize, unread: usize) -> Self {
        let (sender, _) = broadcast::channel(unread.max(16));
        let receivers = (0..members).map(|_| sender.subscribe()).collect();
        Self { sender, receivers }
    }

    #[inline]
    fn publish(&mut self, payload: &Self::Payload) {
        self.sender.send(Arc::clone(payload)).expect("there are receivers");
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for receiver in &mut self.receivers {
            loop {
                match receiver.try_recv() {
                    Ok(payload) => {
                        tally.deliveries += 1;
                        tally.sum = tally.sum.wrapping_add(first_word(&payload[..]));
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(error) => panic!("a receiver keeps up: {error}"),
                }
            }
        }
        tally
    }
}
