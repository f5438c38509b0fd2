//! Pushing done well: a queue under a lock for each socket, all side by side, and members in a dense list.
//!
//! Does more than the others when it publishes: it counts the payload and takes a lock once for each member. Does
//! less: the number of sockets is fixed, queues have no limit, a socket does not know its rooms, and messages to
//! one room are in one order, but those to several are not.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::{Mutex, RwLock};

use super::{ByName, Direct, Everyone, Peer, Select, Sleep, System};
use crate::load::{PAYLOAD_BYTES, Tally, first_word};

type Message = Arc<[u8; PAYLOAD_BYTES]>;

/// Sorted: joining and leaving need no walk, and those who have joined in random order are found in the order in
/// which they lie in memory.
type Room = Arc<Mutex<Vec<u32>>>;

pub struct TunedPush {
    queues: Box<[Mutex<Queue>]>,
    rooms: RwLock<HashMap<String, Room>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Message>,
    waker: Option<Waker>,
}

/// For each socket, the last message to several rooms that it was seen for.
struct Seen {
    message: u64,
    by: Box<[u64]>,
}

impl TunedPush {
    #[inline]
    fn push(&self, socket: u32, payload: &Message) {
        let mut queue = self.queues[socket as usize].lock();
        queue.messages.push_back(Arc::clone(payload));
        if let Some(waker) = queue.waker.take() {
            drop(queue);
            waker.wake();
        }
    }
}

impl Peer for TunedPush {
    const ID: &str = "tuned-push";
    const PUSHES: bool = true;

    type Payload = Message;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Message {
        Arc::new(bytes)
    }

    fn bytes(payload: &Message) -> &[u8] {
        &payload[..]
    }
}

impl System for TunedPush {
    type Room = Room;
    type Socket = u32;

    fn new(sockets: usize, _unread: usize) -> (Self, Vec<u32>) {
        let queues = (0..sockets).map(|_| Mutex::default()).collect();
        let seen = Seen { message: 0, by: vec![0; sockets].into_boxed_slice() };
        let system = Self { queues, rooms: RwLock::default(), seen: Mutex::new(seen) };
        (system, (0..sockets as u32).collect())
    }

    fn room(&self, name: &str) -> Room {
        Arc::clone(self.rooms.write().entry(name.to_owned()).or_default())
    }

    fn join(&self, socket: &mut u32, room: &Room) {
        let mut members = room.lock();
        if let Err(place) = members.binary_search(socket) {
            members.insert(place, *socket);
        }
    }

    fn leave(&self, socket: &mut u32, room: &Room) {
        let mut members = room.lock();
        if let Ok(place) = members.binary_search(socket) {
            members.remove(place);
        }
    }

    #[inline]
    fn publish(&self, room: &Room, payload: &Message) {
        for &member in &*room.lock() {
            self.push(member, payload);
        }
    }

    #[inline]
    fn publish_from(&self, sender: &u32, room: &Room, payload: &Message) {
        for &member in room.lock().iter().filter(|member| **member != *sender) {
            self.push(member, payload);
        }
    }

    #[inline(always)]
    fn drain(&self, socket: &mut u32) -> Tally {
        let mut tally = Tally::default();
        for payload in self.queues[*socket as usize].lock().messages.drain(..) {
            tally.add(first_word(&payload[..]));
        }
        tally
    }
}

impl ByName for TunedPush {
    fn join_by_name(&self, socket: &mut u32, room: &str) {
        self.join(socket, &self.rooms.read()[room]);
    }

    fn leave_by_name(&self, socket: &mut u32, room: &str) {
        self.leave(socket, &self.rooms.read()[room]);
    }
}

impl Select for TunedPush {
    type Target = (Vec<Room>, Vec<Room>);

    fn target(&self, to: &[Room], except: &[Room]) -> Self::Target {
        (to.to_vec(), except.to_vec())
    }

    #[inline]
    fn publish_to(&self, (to, except): &Self::Target, payload: &Message) {
        let mut seen = self.seen.lock();
        seen.message += 1;
        let message = seen.message;
        for room in except {
            for &member in &*room.lock() {
                seen.by[member as usize] = message;
            }
        }
        for room in to {
            for &member in &*room.lock() {
                if std::mem::replace(&mut seen.by[member as usize], message) != message {
                    self.push(member, payload);
                }
            }
        }
    }
}

impl Everyone for TunedPush {
    #[inline]
    fn publish_to_everyone(&self, payload: &Message) {
        for socket in 0..self.queues.len() as u32 {
            self.push(socket, payload);
        }
    }
}

impl Direct for TunedPush {
    #[inline]
    fn send(&self, socket: &u32, payload: &Message) {
        self.push(*socket, payload);
    }
}

impl Sleep for TunedPush {
    async fn next(&self, socket: &mut u32) -> u64 {
        let queue = &self.queues[*socket as usize];
        poll_fn(|cx| {
            let mut queue = queue.lock();
            if let Some(payload) = queue.messages.pop_front() {
                return Poll::Ready(first_word(&payload[..]));
            }
            queue.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
