//! What one writes by hand: a channel for each socket, and a map of rooms.
//!
//! Does more than the others when it publishes: it finds the room by name, which the others have a handle to (a
//! few tens of nanoseconds a message), and counts the payload once for each member. Does less: no order between
//! publishers is kept, channels have no limit, so nothing stops a stalled member's backlog, and a socket does not
//! know its rooms. Its channels wake threads and not tasks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::RwLock;
use slab::Slab;

use super::{ByName, Direct, Everyone, Peer, Select, System};
use crate::load::{PAYLOAD_BYTES, Tally, first_word};

type Message = Arc<[u8; PAYLOAD_BYTES]>;

pub struct Push {
    sockets: RwLock<Slab<Sender<Message>>>,
    rooms: RwLock<HashMap<String, HashSet<usize>>>,
}

pub struct Socket {
    key: usize,
    inbox: Receiver<Message>,
}

impl Peer for Push {
    const ID: &str = "push";
    const PUSHES: bool = true;

    type Payload = Message;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Message {
        Arc::new(bytes)
    }

    fn bytes(payload: &Message) -> &[u8] {
        &payload[..]
    }
}

impl System for Push {
    type Room = String;
    type Socket = Socket;

    fn new(sockets: usize, _unread: usize) -> (Self, Vec<Socket>) {
        let mut senders = Slab::with_capacity(sockets);
        let sockets = (0..sockets)
            .map(|_| {
                let (sender, inbox) = unbounded();
                Socket { key: senders.insert(sender), inbox }
            })
            .collect();
        (Self { sockets: RwLock::new(senders), rooms: RwLock::default() }, sockets)
    }

    fn room(&self, name: &str) -> String {
        name.to_owned()
    }

    fn join(&self, socket: &mut Socket, room: &String) {
        self.join_by_name(socket, room);
    }

    fn leave(&self, socket: &mut Socket, room: &String) {
        self.leave_by_name(socket, room);
    }

    #[inline]
    fn publish(&self, room: &String, payload: &Message) {
        let rooms = self.rooms.read();
        let sockets = self.sockets.read();
        for &socket in &rooms[room] {
            sockets[socket].send(Arc::clone(payload)).expect("the receiver is alive");
        }
    }

    #[inline]
    fn publish_from(&self, sender: &Socket, room: &String, payload: &Message) {
        let rooms = self.rooms.read();
        let sockets = self.sockets.read();
        for &socket in rooms[room].iter().filter(|socket| **socket != sender.key) {
            sockets[socket].send(Arc::clone(payload)).expect("the receiver is alive");
        }
    }

    #[inline(always)]
    fn drain(&self, socket: &mut Socket) -> Tally {
        let mut tally = Tally::default();
        for payload in socket.inbox.try_iter() {
            tally.add(first_word(&payload[..]));
        }
        tally
    }
}

impl ByName for Push {
    fn join_by_name(&self, socket: &mut Socket, room: &str) {
        let mut rooms = self.rooms.write();
        match rooms.get_mut(room) {
            Some(members) => members.insert(socket.key),
            None => rooms.entry(room.to_owned()).or_default().insert(socket.key),
        };
    }

    fn leave_by_name(&self, socket: &mut Socket, room: &str) {
        let mut rooms = self.rooms.write();
        let members = rooms.get_mut(room).expect("it is a member");
        members.remove(&socket.key);
        if members.is_empty() {
            rooms.remove(room);
        }
    }
}

impl Select for Push {
    type Target = (Vec<String>, Vec<String>);

    fn target(&self, to: &[String], except: &[String]) -> Self::Target {
        (to.to_vec(), except.to_vec())
    }

    #[inline]
    fn publish_to(&self, (to, except): &Self::Target, payload: &Message) {
        let rooms = self.rooms.read();
        let sockets = self.sockets.read();
        let mut seen = HashSet::new();
        for socket in to.iter().flat_map(|room| &rooms[room]) {
            if !except.iter().any(|room| rooms[room].contains(socket)) && seen.insert(*socket) {
                sockets[*socket].send(Arc::clone(payload)).expect("the receiver is alive");
            }
        }
    }
}

impl Everyone for Push {
    #[inline]
    fn publish_to_everyone(&self, payload: &Message) {
        for (_, sender) in &*self.sockets.read() {
            sender.send(Arc::clone(payload)).expect("the receiver is alive");
        }
    }
}

impl Direct for Push {
    #[inline]
    fn send(&self, socket: &Socket, payload: &Message) {
        self.sockets.read()[socket.key].send(Arc::clone(payload)).expect("the receiver is alive");
    }
}
