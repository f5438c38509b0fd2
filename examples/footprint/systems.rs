//! The systems: sockets, each with an inbox, in rooms that are found by name.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::{Mutex, RwLock};
use roomcast::{Engine, EventHandle, Inbox, Namespace, Room, Socket};
use slab::Slab;
use tokio::sync::broadcast;

use crate::measure::Size;

/// A world of sockets and rooms, as one system has it.
pub(crate) trait System {
    const ID: &str;

    type Payload;

    fn payload() -> Self::Payload;

    fn new(size: Size) -> Self;

    /// Adds a socket that is in no room.
    fn connect(&mut self);

    /// Adds a room without members, of whom none is ever more than `unread` messages behind.
    fn add_room(&mut self, room: usize, unread: usize);

    fn join(&mut self, socket: usize, rooms: &[usize]);

    fn publish(&mut self, room: usize, payload: &Self::Payload);
}

fn name(room: usize) -> String {
    format!("cell:{room}")
}

/// This crate, with handles of all rooms. Inboxes are drained after they have joined.
pub(crate) struct Roomcast {
    pub(crate) namespace: Namespace,
    pub(crate) event: EventHandle,
    pub(crate) rooms: Vec<Room>,
    pub(crate) sockets: Vec<(Socket, Inbox)>,
}

impl System for Roomcast {
    const ID: &str = "roomcast";

    type Payload = roomcast::Payload;

    fn payload() -> Self::Payload {
        roomcast::Payload::from([7; 64])
    }

    fn new(size: Size) -> Self {
        let builder = Engine::builder().max_rooms(size.rooms).max_rooms_per_socket(size.per_socket);
        let engine = builder.max_sockets(size.sockets).expect("there are some").build();
        let namespace = engine.of("/world").expect("a good path");
        let event = namespace.event("moved").expect("a good name");
        let (rooms, sockets) = (Vec::with_capacity(size.rooms), Vec::with_capacity(size.sockets));
        Self { namespace, event, rooms, sockets }
    }

    fn connect(&mut self) {
        self.sockets.push(self.namespace.connect());
    }

    fn add_room(&mut self, room: usize, _unread: usize) {
        self.rooms.push(self.namespace.room(name(room)).expect("a good name"));
    }

    fn join(&mut self, socket: usize, rooms: &[usize]) {
        let (socket, inbox) = &mut self.sockets[socket];
        for &room in rooms {
            socket.join(&self.rooms[room]).expect("it is connected");
        }
        inbox.drain(|_| {});
    }

    fn publish(&mut self, room: usize, payload: &Self::Payload) {
        self.rooms[room].emit(&self.event, payload).expect("the namespace is open");
    }
}

/// What one writes by hand: a channel for each socket, and a map of rooms.
///
/// Does less: nobody knows what rooms a socket is in, and nothing limits what a stalled one piles up.
pub(crate) struct Push {
    sockets: RwLock<Slab<Sender<Arc<[u8; 64]>>>>,
    rooms: RwLock<HashMap<String, HashSet<usize>>>,
    inboxes: Vec<Receiver<Arc<[u8; 64]>>>,
}

impl System for Push {
    const ID: &str = "push";

    type Payload = Arc<[u8; 64]>;

    fn payload() -> Self::Payload {
        Arc::new([7; 64])
    }

    fn new(size: Size) -> Self {
        Self {
            sockets: RwLock::new(Slab::with_capacity(size.sockets)),
            rooms: RwLock::default(),
            inboxes: Vec::with_capacity(size.sockets),
        }
    }

    fn connect(&mut self) {
        let (sender, receiver) = unbounded();
        self.sockets.write().insert(sender);
        self.inboxes.push(receiver);
    }

    fn add_room(&mut self, room: usize, _unread: usize) {
        self.rooms.write().insert(name(room), HashSet::new());
    }

    fn join(&mut self, socket: usize, rooms: &[usize]) {
        for &room in rooms {
            self.rooms.write().get_mut(&name(room)).expect("it was added").insert(socket);
        }
    }

    fn publish(&mut self, room: usize, payload: &Self::Payload) {
        let sockets = self.sockets.read();
        for &socket in &self.rooms.read()[&name(room)] {
            sockets[socket].send(Arc::clone(payload)).expect("the receiver is alive");
        }
    }
}

/// The same with as little as it takes: a queue under a lock for each socket, and members in dense lists.
///
/// Does less, as [`Push`]; and to leave a room, all its members are looked through.
pub(crate) struct TunedPush {
    inboxes: Vec<Mutex<VecDeque<Arc<[u8; 64]>>>>,
    rooms: RwLock<HashMap<String, Vec<u32>>>,
}

impl System for TunedPush {
    const ID: &str = "tuned push";

    type Payload = Arc<[u8; 64]>;

    fn payload() -> Self::Payload {
        Arc::new([7; 64])
    }

    fn new(size: Size) -> Self {
        Self { inboxes: Vec::with_capacity(size.sockets), rooms: RwLock::default() }
    }

    fn connect(&mut self) {
        self.inboxes.push(Mutex::default());
    }

    fn add_room(&mut self, room: usize, _unread: usize) {
        self.rooms.write().insert(name(room), Vec::new());
    }

    fn join(&mut self, socket: usize, rooms: &[usize]) {
        for &room in rooms {
            let mut all = self.rooms.write();
            let members = all.get_mut(&name(room)).expect("it was added");
            if !members.contains(&(socket as u32)) {
                members.push(socket as u32);
            }
        }
    }

    fn publish(&mut self, room: usize, payload: &Self::Payload) {
        for &socket in &self.rooms.read()[&name(room)] {
            self.inboxes[socket as usize].lock().push_back(Arc::clone(payload));
        }
    }
}

/// A `tokio::sync::broadcast` channel for each room, and receivers for each socket.
///
/// Knows what rooms a socket is in. Does less: no order between rooms, and a room's limit is made room for at once.
pub(crate) struct TokioBroadcast {
    rooms: HashMap<String, broadcast::Sender<Arc<[u8; 64]>>>,
    /// With the number of the room.
    sockets: Vec<Vec<(usize, Messages)>>,
}

type Messages = broadcast::Receiver<Arc<[u8; 64]>>;

impl System for TokioBroadcast {
    const ID: &str = "tokio-broadcast";

    type Payload = Arc<[u8; 64]>;

    fn payload() -> Self::Payload {
        Arc::new([7; 64])
    }

    fn new(size: Size) -> Self {
        Self { rooms: HashMap::new(), sockets: Vec::with_capacity(size.sockets) }
    }

    fn connect(&mut self) {
        self.sockets.push(Vec::new());
    }

    fn add_room(&mut self, room: usize, unread: usize) {
        self.rooms.insert(name(room), broadcast::channel(unread.max(16)).0);
    }

    fn join(&mut self, socket: usize, rooms: &[usize]) {
        let receivers = rooms.iter().map(|&room| (room, self.rooms[&name(room)].subscribe()));
        self.sockets[socket].extend(receivers);
    }

    fn publish(&mut self, room: usize, payload: &Self::Payload) {
        self.rooms[&name(room)].send(Arc::clone(payload)).expect("there are receivers");
    }
}
