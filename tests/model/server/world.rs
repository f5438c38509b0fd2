//! The reference: namespaces, sockets and rooms as plain lists, and who gets what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use roomcast::{DisconnectReason, EmitError, MembershipError, Refusal, RoomName};

use super::answers::Ack;
use super::clients::{Client, Timer};
use super::script::{Aim, Attempt, Change, From, REAL, ROOMS, Script, Spot};

#[derive(Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) is_closed: bool,
    /// In which a client may be, or wait to be.
    pub(crate) max_namespaces: usize,
    /// Which namespace is at a path now.
    pub(crate) present: [Option<usize>; REAL],
    pub(crate) spaces: Vec<Space>,
    /// One for each attempt to connect that came as far as the first middleware.
    pub(crate) sockets: Vec<Option<Socket>>,
    pub(crate) clients: Vec<Client>,
    /// The order in which clients are closed with the engine.
    pub(crate) places: Vec<Option<usize>>,
    pub(crate) free_places: Vec<usize>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) timer_count: u64,
    pub(crate) acks: Vec<Ack>,
    pub(crate) asks: Vec<Ask>,
    pub(crate) pins: Vec<(usize, usize)>,
    pub(crate) locked: BTreeSet<usize>,
    /// Middlewares' decisions that are kept, by socket.
    pub(crate) kept: BTreeSet<usize>,
    pub(crate) mails: usize,
    topics: u64,
    /// What was called, and what calls returned.
    pub(crate) trace: Vec<String>,
    /// What was sent: path and packet.
    pub(crate) stream: Vec<(&'static str, String)>,
}

pub(crate) struct Space {
    pub(crate) path: usize,
    pub(crate) closed: Option<DisconnectReason>,
    /// Open sockets, in that order.
    pub(crate) open: Vec<usize>,
    pub(crate) rooms: [Room; ROOMS.len()],
    pub(crate) ack_count: u64,
    pub(crate) has_had_once: bool,
    pub(crate) has_hooks: bool,
    /// What happened to its rooms.
    pub(crate) events: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Room {
    pub(crate) members: Vec<usize>,
    /// Its age, while it has members or handles. With it goes all that was set.
    pub(crate) topic: Option<u64>,
    pub(crate) pins: usize,
    pub(crate) capacity: Option<usize>,
    pub(crate) data: Option<u32>,
}

pub(crate) struct Socket {
    pub(crate) space: usize,
    pub(crate) client: usize,
    pub(crate) script: Arc<Attempt>,
    pub(crate) is_open: bool,
    pub(crate) closed: Option<DisconnectReason>,
    pub(crate) rooms: Vec<usize>,
    /// The rooms that it was in, until it is told that it is out of them.
    pub(crate) leaving: Option<Vec<usize>>,
    /// Whether it is closed and has yet to say good-bye: it still speaks.
    pub(crate) is_leaving: bool,
    /// Whether nothing more is called for it.
    pub(crate) is_gone: bool,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) is_busy: bool,
    pub(crate) inbox: Vec<Item>,
    direct: Option<u64>,
    /// Whether a middleware is to decide.
    pub(crate) is_waiting: bool,
    pub(crate) has_own: bool,
    pub(crate) data: Option<u32>,
}

pub(crate) enum Job {
    Connected,
    Event(Event),
    Left(DisconnectReason),
}

#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) event: usize,
    pub(crate) script: Script,
    pub(crate) answer: Option<u64>,
}

/// What a socket has yet to be sent.
pub(crate) enum Item {
    Event { mail: usize, ack: Option<u64> },
    Answer { id: u64, text: String },
}

/// An event that is to be answered later.
pub(crate) struct Ask {
    pub(crate) socket: usize,
    pub(crate) id: Option<u64>,
    pub(crate) is_answered: bool,
}

/// The rooms that are addressed, oldest first, with their members.
pub(crate) type Addressed = BTreeMap<u64, Vec<usize>>;

pub(crate) fn name(room: usize) -> RoomName {
    RoomName::from(ROOMS[room])
}

/// How errors are written in a trace: sockets go by their numbers there.
pub(crate) fn stale(socket: usize) -> String {
    format!("Err(stale {socket})")
}

impl Socket {
    pub(crate) fn new(space: usize, client: usize, script: Arc<Attempt>) -> Self {
        Self {
            space,
            client,
            script,
            is_open: false,
            closed: None,
            rooms: Vec::new(),
            leaving: None,
            is_leaving: false,
            is_gone: false,
            jobs: VecDeque::new(),
            is_busy: false,
            inbox: Vec::new(),
            direct: None,
            is_waiting: false,
            has_own: false,
            data: None,
        }
    }
}

impl World {
    pub(crate) fn new(max_namespaces: usize) -> Self {
        Self { max_namespaces, ..Self::default() }
    }

    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.trace.push(line.into());
    }

    pub(crate) fn socket(&self, number: usize) -> &Socket {
        self.sockets[number].as_ref().expect("it came as far as the first middleware")
    }

    pub(crate) fn socket_mut(&mut self, number: usize) -> &mut Socket {
        self.sockets[number].as_mut().expect("it came as far as the first middleware")
    }

    pub(crate) fn add_space(&mut self, path: usize) -> usize {
        self.topics += 1;
        self.spaces.push(Space {
            path,
            closed: None,
            open: Vec::new(),
            rooms: Default::default(),
            ack_count: 0,
            has_had_once: false,
            has_hooks: true,
            events: Vec::new(),
        });
        self.present[path] = Some(self.spaces.len() - 1);
        self.spaces.len() - 1
    }

    /// The rooms that a socket says it is in.
    pub(crate) fn rooms_of(&self, number: usize) -> Vec<&'static str> {
        let socket = self.socket(number);
        socket.leaving.as_ref().unwrap_or(&socket.rooms).iter().map(|&room| ROOMS[room]).collect()
    }

    /// Whether what is to be closed for good is gone: joins, leaves and sets are refused then.
    fn check(&self, number: usize) -> Result<(), MembershipError> {
        self.socket(number).closed.clone().map_or(Ok(()), |reason| Err(MembershipError::Closed(reason)))
    }

    /// Joins, leaves or sets rooms, and returns how many were joined and left.
    pub(crate) fn change(
        &mut self,
        number: usize,
        change: Change,
        rooms: &[usize],
    ) -> Result<(usize, usize), MembershipError> {
        self.check(number)?;
        let of = |world: &Self| world.socket(number).rooms.clone();
        let before = of(self);
        if let Change::Leave = change {
            rooms.iter().for_each(|&room| self.leave(number, room));
            return Ok((0, before.len() - of(self).len()));
        }
        let mut new: Vec<usize> = Vec::new();
        for &room in rooms {
            if !before.contains(&room) && !new.contains(&room) {
                self.say(format!("admit {number} {}", ROOMS[room]));
                if self.locked.contains(&room) {
                    return Err(MembershipError::Refused { room: name(room), refusal: Refusal::Locked });
                }
                new.push(room);
            }
        }
        let space = self.socket(number).space;
        for &room in &new {
            let Room { members, capacity, .. } = &self.spaces[space].rooms[room];
            if capacity.is_some_and(|capacity| members.len() >= capacity) {
                return Err(MembershipError::Refused { room: name(room), refusal: Refusal::Full });
            }
        }
        new.iter().for_each(|&room| self.join(number, room));
        if let Change::Join = change {
            return Ok((new.len(), 0));
        }
        let gone: Vec<usize> = of(self).into_iter().filter(|room| !rooms.contains(room)).collect();
        gone.iter().for_each(|&room| self.leave(number, room));
        Ok((new.len(), gone.len()))
    }

    fn join(&mut self, number: usize, room: usize) {
        let space = self.socket(number).space;
        self.make(space, room);
        let Space { rooms, events, .. } = &mut self.spaces[space];
        if rooms[room].members.is_empty() {
            events.push(format!("{} created", ROOMS[room]));
        }
        events.push(format!("{} joined by {number}", ROOMS[room]));
        rooms[room].members.push(number);
        self.socket_mut(number).rooms.push(room);
    }

    pub(crate) fn leave(&mut self, number: usize, room: usize) {
        let socket = self.socket_mut(number);
        let Some(place) = socket.rooms.iter().position(|&other| other == room) else { return };
        socket.rooms.remove(place);
        let space = socket.space;
        let Space { rooms, events, .. } = &mut self.spaces[space];
        rooms[room].members.retain(|&other| other != number);
        events.push(format!("{} left by {number}", ROOMS[room]));
        if rooms[room].members.is_empty() {
            events.push(format!("{} deleted", ROOMS[room]));
        }
        self.forget_idle(space, room);
    }

    /// Gives a room its place, if it has none.
    pub(crate) fn make(&mut self, space: usize, room: usize) {
        self.topics += 1;
        self.spaces[space].rooms[room].topic.get_or_insert(self.topics);
    }

    pub(crate) fn forget_idle(&mut self, space: usize, room: usize) {
        let room = &mut self.spaces[space].rooms[room];
        if room.members.is_empty() && room.pins == 0 {
            *room = Room::default();
        }
    }

    fn direct(&mut self, number: usize) -> u64 {
        self.topics += 1;
        let topics = self.topics;
        *self.socket_mut(number).direct.get_or_insert(topics)
    }

    /// The namespace of an emit, and whom it is for, unless it is refused.
    pub(crate) fn find(&mut self, aim: &Aim) -> Result<(usize, Addressed, BTreeSet<usize>), String> {
        let mut left_out = BTreeSet::new();
        let space = match aim.from {
            From::Namespace(space) => {
                if self.spaces[space].closed.is_some() {
                    return Err(format!("Err({:?})", EmitError::NamespaceClosed));
                }
                space
            }
            From::Others(socket) | From::Within(socket) => {
                if let From::Others(_) = aim.from {
                    left_out.insert(socket);
                }
                self.check_speaks(socket)?;
                self.socket(socket).space
            }
        };
        let mut addressed = Addressed::new();
        if aim.to.is_none() {
            addressed.insert(0, self.spaces[space].open.clone());
        }
        for &spot in aim.to.iter().flatten() {
            match spot {
                Spot::Room(room) => {
                    let Room { topic, members, .. } = &self.spaces[space].rooms[room];
                    addressed.extend(topic.map(|topic| (topic, members.clone())));
                }
                Spot::Socket(socket) => {
                    let it = self.socket(socket);
                    if !it.is_open || it.space != space {
                        return Err(stale(socket));
                    }
                    addressed.insert(self.direct(socket), vec![socket]);
                }
            }
        }
        for &spot in &aim.except {
            match spot {
                Spot::Room(room) => left_out.extend(&self.spaces[space].rooms[room].members),
                Spot::Socket(socket) => _ = left_out.insert(socket),
            }
        }
        Ok((space, addressed, left_out))
    }

    /// Whether a socket emits to others: it is open, or has yet to say good-bye.
    fn check_speaks(&self, number: usize) -> Result<(), String> {
        let socket = self.socket(number);
        if socket.is_open || socket.is_leaving { Ok(()) } else { Err(self.mute(number)) }
    }

    pub(crate) fn mute(&self, number: usize) -> String {
        let closed = self.socket(number).closed.clone();
        format!("Err({:?})", closed.map_or(EmitError::Connecting, EmitError::Closed))
    }

    /// A message to these, and returns how it was addressed.
    pub(crate) fn publish(
        &mut self,
        addressed: &Addressed,
        left_out: &BTreeSet<usize>,
        mail: usize,
        ack: Option<u64>,
    ) -> (usize, usize) {
        for number in listed(addressed, left_out) {
            self.socket_mut(number).inbox.push(Item::Event { mail, ack });
        }
        let sizes = addressed.values().map(Vec::len).filter(|&size| size > 0);
        (sizes.clone().sum(), sizes.count())
    }

    /// To one open socket, or why not.
    pub(crate) fn find_direct(&mut self, number: usize) -> Result<(), String> {
        if !self.socket(number).is_open {
            return Err(self.mute(number));
        }
        self.direct(number);
        Ok(())
    }

    /// The sockets that an emit would be for, those too that are still with the middlewares.
    pub(crate) fn select(&mut self, aim: &Aim) -> Result<Vec<usize>, String> {
        let (_, addressed, left_out) = self.find(aim)?;
        Ok(listed(&addressed, &left_out))
    }

    /// What there is to see.
    pub(crate) fn look(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, space) in self.spaces.iter().enumerate() {
            let mut rooms: Vec<usize> = (0..ROOMS.len()).collect();
            rooms.retain(|&room| !space.rooms[room].members.is_empty());
            rooms.sort_by_key(|&room| space.rooms[room].topic);
            let rooms: Vec<_> = rooms.iter().map(|&room| (ROOMS[room], &space.rooms[room].members)).collect();
            lines.push(format!("namespace {number}: {:?} {rooms:?} {}", space.open, space.closed.is_some()));
        }
        for (number, client) in self.clients.iter().enumerate() {
            lines.push(format!("client {number}: {:?} {:?}", self.connected(number), client.closed));
        }
        for (number, socket) in self.sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            lines.push(format!(
                "socket {number}: {} {:?} {:?} {:?}",
                socket.is_open,
                socket.closed,
                self.rooms_of(number),
                socket.data
            ));
        }
        let open: usize = self.spaces.iter().map(|space| space.open.len()).sum();
        let clients = self.clients.iter().filter(|client| client.closed.is_none()).count();
        lines.push(format!("{open} sockets, {clients} clients, at {} s", self.now));
        lines
    }
}

/// Those that are addressed and not left out, each once: room by room, in joining order.
pub(crate) fn listed(addressed: &Addressed, left_out: &BTreeSet<usize>) -> Vec<usize> {
    let mut seen = left_out.clone();
    addressed.values().flatten().copied().filter(|&number| seen.insert(number)).collect()
}
