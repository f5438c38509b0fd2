//! A `tokio::sync::broadcast` channel for each room, read without a runtime.
//!
//! Does more than the others: each reader counts the payload, and drops it once the last has read it. Does less: a
//! socket in several rooms has a receiver for each, reads one after the other in no common order, and looks at all
//! of them to find what there is. To leave one's own messages out is left to the reader: they carry who sent them.
//! What is unread when a receiver is dropped is lost, so that is read first. Nothing keeps a socket that is in two
//! rooms from getting a message to both twice, so `union` and `except` are left out.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use smallvec::SmallVec;
use tokio::sync::broadcast::{self, Receiver, Sender, error::TryRecvError};

use super::{ByName, Peer, Sleep, System};
use crate::load::{PAYLOAD_BYTES, Tally, first_word};

#[derive(Clone)]
pub struct Message {
    payload: Arc<[u8; PAYLOAD_BYTES]>,
    sender: Option<u32>,
}

pub struct TokioBroadcast {
    rooms: RwLock<HashMap<String, Room>>,
    capacity: usize,
}

#[derive(Clone)]
pub struct Room {
    number: usize,
    sender: Sender<Message>,
}

pub struct Socket {
    number: u32,
    /// By the room's number.
    receivers: SmallVec<[(usize, Receiver<Message>); 1]>,
    /// What was read of rooms that it has left since the last drain.
    left: Tally,
}

impl Peer for TokioBroadcast {
    const ID: &str = "tokio-broadcast";
    const PUSHES: bool = false;

    type Payload = Arc<[u8; PAYLOAD_BYTES]>;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Self::Payload {
        Arc::new(bytes)
    }

    fn bytes(payload: &Self::Payload) -> &[u8] {
        &payload[..]
    }
}

impl System for TokioBroadcast {
    type Room = Room;
    type Socket = Socket;

    fn new(sockets: usize, unread: usize) -> (Self, Vec<Socket>) {
        let socket = |number| Socket { number, receivers: SmallVec::new(), left: Tally::default() };
        let sockets = (0..sockets as u32).map(socket).collect();
        (Self { rooms: RwLock::default(), capacity: unread.max(16) }, sockets)
    }

    fn room(&self, name: &str) -> Room {
        let mut rooms = self.rooms.write();
        let number = rooms.len();
        let room = || Room { number, sender: broadcast::channel(self.capacity).0 };
        rooms.entry(name.to_owned()).or_insert_with(room).clone()
    }

    fn join(&self, socket: &mut Socket, room: &Room) {
        if socket.receivers.iter().all(|(number, _)| *number != room.number) {
            socket.receivers.push((room.number, room.sender.subscribe()));
        }
    }

    fn leave(&self, socket: &mut Socket, room: &Room) {
        if let Some(place) = socket.receivers.iter().position(|(number, _)| *number == room.number) {
            let (_, mut receiver) = socket.receivers.swap_remove(place);
            read_all(&mut receiver, socket.number, &mut socket.left);
        }
    }

    #[inline]
    fn publish(&self, room: &Room, payload: &Self::Payload) {
        let message = Message { payload: Arc::clone(payload), sender: None };
        room.sender.send(message).unwrap_or_else(|_| panic!("there are receivers"));
    }

    #[inline]
    fn publish_from(&self, sender: &Socket, room: &Room, payload: &Self::Payload) {
        let message = Message { payload: Arc::clone(payload), sender: Some(sender.number) };
        room.sender.send(message).unwrap_or_else(|_| panic!("there are receivers"));
    }

    #[inline(always)]
    fn drain(&self, socket: &mut Socket) -> Tally {
        let mut tally = std::mem::take(&mut socket.left);
        for (_, receiver) in &mut socket.receivers {
            read_all(receiver, socket.number, &mut tally);
        }
        tally
    }
}

impl ByName for TokioBroadcast {
    fn join_by_name(&self, socket: &mut Socket, room: &str) {
        self.join(socket, &self.rooms.read()[room]);
    }

    fn leave_by_name(&self, socket: &mut Socket, room: &str) {
        self.leave(socket, &self.rooms.read()[room]);
    }
}

impl Sleep for TokioBroadcast {
    async fn next(&self, socket: &mut Socket) -> u64 {
        let (_, receiver) = &mut socket.receivers[0];
        first_word(&receiver.recv().await.expect("it keeps up").payload[..])
    }
}

#[inline]
fn read_all(receiver: &mut Receiver<Message>, reader: u32, tally: &mut Tally) {
    loop {
        match receiver.try_recv() {
            Ok(message) if message.sender == Some(reader) => {}
            Ok(message) => tally.add(first_word(&message.payload[..])),
            Err(TryRecvError::Empty) => return,
            Err(error) => panic!("a receiver keeps up: {error}"),
        }
    }
}
