//! The reference: one namespace as plain lists.

use std::collections::{BTreeMap, BTreeSet};

use roomcast::{Backlog, DisconnectReason, Overflow};

use crate::mail::Mail;
use crate::reading::{Expected, Moved, Reading};

/// By which way a message comes. Rooms and sockets go by their index everywhere here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Everyone,
    Room(usize),
    Direct,
}

/// A room or a socket that is named in an emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Room(usize),
    Socket(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Namespace,
    /// A socket, itself excluded.
    Others(usize),
    /// A socket, itself included.
    Within(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Emit {
    pub(crate) origin: Origin,
    /// `None` is everyone.
    pub(crate) to: Option<Vec<Spot>>,
    pub(crate) except: Vec<Spot>,
    pub(crate) mail: Mail,
}

/// What an emit reports: members of the addressed rooms, and rooms that have any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) members: usize,
    pub(crate) rooms: usize,
}

/// A [`Backlog`] that can be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) disconnects: bool,
}

impl Limits {
    pub(crate) fn backlog(self) -> Backlog {
        let policy = if self.disconnects { Overflow::Disconnect } else { Overflow::DropOldest };
        let backlog = Backlog::new().messages(self.messages).and_then(|b| b.bytes(self.bytes));
        backlog.expect("limits are from 1 up").overflow(policy)
    }

    /// The most messages that a socket that stalls can find: the limit, the segment that is let go of as
    /// a whole, and the one that the socket is in. Disconnecting may take one segment longer.
    fn most(self) -> usize {
        self.messages + (2 + usize::from(self.disconnects)) * self.backlog().segment_messages()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 4096, bytes: 16 << 20, disconnects: false }
    }
}

/// How much may pile up unread: changes of membership, and what is in rooms that were left meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pile {
    pub(crate) changes: usize,
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Pile {
    const ANY: Self = Self { changes: usize::MAX, messages: usize::MAX, bytes: usize::MAX };
}

/// All that was emitted to a room, to everyone or to one socket, while it had members.
#[derive(Debug)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    bytes: usize,
    limits: Limits,
    /// The first message that no member may have lost, so far.
    pub(crate) safe_from: usize,
    /// Whether it ever dropped the oldest: if not, members are disconnected and lose nothing.
    pub(crate) has_dropped: bool,
    /// The largest of [`Limits::most`].
    pub(crate) most: usize,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    /// Bytes of all entries before.
    bytes_before: usize,
    /// Sockets that are left out by identity.
    excluded: Vec<usize>,
}

impl Log {
    fn new(limits: Limits) -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
            limits,
            safe_from: 0,
            has_dropped: !limits.disconnects,
            most: limits.most(),
        }
    }

    fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.has_dropped |= !limits.disconnects;
        self.most = self.most.max(limits.most());
    }

    /// The first of the newest messages that are within the limits together.
    fn kept_from(&self) -> usize {
        let by_number = self.entries.len().saturating_sub(self.limits.messages);
        let by_bytes = self.entries.partition_point(|e| self.bytes - e.bytes_before > self.limits.bytes);
        by_number.max(by_bytes).min(self.entries.len().saturating_sub(1))
    }

    /// Messages and bytes since message `number`.
    fn published_since(&self, number: usize) -> (usize, usize) {
        let before = self.entries.get(number).map_or(self.bytes, |entry| entry.bytes_before);
        (self.entries.len() - number, self.bytes - before)
    }

    fn append(&mut self, sequence: u64, size: usize, excluded: Vec<usize>) {
        self.entries.push(Entry { sequence, bytes_before: self.bytes, excluded });
        self.bytes += size.min(self.limits.bytes);
        self.safe_from = self.safe_from.max(self.kept_from());
    }
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    /// In joining order.
    pub(crate) members: Vec<usize>,
    /// Handles that keep its place.
    pins: usize,
    /// Its log, while it has members or handles. Logs are numbered in the order in which they come to be.
    log: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Socket {
    /// In joining order.
    pub(crate) rooms: Vec<usize>,
    pub(crate) closed: Option<DisconnectReason>,
    direct: Option<usize>,
    /// By log of which it is a member: the number of the first message it gets, and of the membership.
    since: BTreeMap<usize, (usize, usize)>,
    pub(crate) reading: Reading,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rooms: Vec<Room>,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) logs: Vec<Log>,
    /// Connected sockets, in that order.
    pub(crate) connected: Vec<usize>,
    pub(crate) is_closed: bool,
    pub(crate) limits: Limits,
    pub(crate) pile: Pile,
    /// How many messages, joins, leaves and disconnects there were. A membership's number is that of its join.
    steps: usize,
    /// The last message's.
    pub(crate) sequence: u64,
}

const EVERYONE: usize = 0;

impl World {
    pub(crate) fn new(rooms: usize, limits: Limits, fold_at: usize) -> Self {
        Self {
            rooms: (0..rooms).map(|_| Room::default()).collect(),
            sockets: Vec::new(),
            logs: vec![Log::new(limits)],
            connected: Vec::new(),
            is_closed: false,
            limits,
            pile: Pile { changes: fold_at, messages: limits.messages, bytes: limits.bytes },
            steps: 0,
            sequence: 0,
        }
    }

    pub(crate) fn connect(&mut self) -> usize {
        let id = self.sockets.len();
        self.sockets.push(Socket::default());
        self.connected.push(id);
        self.enter(id, EVERYONE);
        id
    }

    pub(crate) fn join(&mut self, socket: usize, rooms: &[usize]) -> usize {
        rooms.iter().filter(|&&room| self.join_one(socket, room)).count()
    }

    pub(crate) fn leave(&mut self, socket: usize, rooms: &[usize]) -> usize {
        let pile = self.pile;
        rooms.iter().filter(|&&room| self.leave_one(socket, room, &pile)).count()
    }

    pub(crate) fn set_rooms(&mut self, socket: usize, rooms: &[usize]) -> (usize, usize) {
        let joined = self.join(socket, rooms);
        let gone: Vec<_> =
            self.sockets[socket].rooms.iter().copied().filter(|room| !rooms.contains(room)).collect();
        (joined, self.leave(socket, &gone))
    }

    /// Disconnects a socket, unless it is closed already.
    pub(crate) fn disconnect(&mut self, socket: usize, reason: DisconnectReason) -> bool {
        if self.sockets[socket].closed.is_some() {
            return false;
        }
        self.steps += 1;
        for room in self.sockets[socket].rooms.clone() {
            self.leave_one(socket, room, &Pile::ANY);
        }
        let state = &mut self.sockets[socket];
        state.since.clear();
        state.closed = Some(reason);
        state.reading.left([Way::Everyone, Way::Direct]);
        self.connected.retain(|other| *other != socket);
        true
    }

    pub(crate) fn close(&mut self, reason: &DisconnectReason) {
        self.is_closed = true;
        for socket in self.connected.clone() {
            self.disconnect(socket, reason.clone());
        }
    }

    /// A handle keeps the room's place.
    pub(crate) fn pin(&mut self, room: usize) {
        self.log(room);
        self.rooms[room].pins += 1;
    }

    pub(crate) fn unpin(&mut self, room: usize) {
        self.rooms[room].pins -= 1;
        self.forget_idle(room);
    }

    pub(crate) fn set_room_limits(&mut self, room: usize, limits: Limits) {
        let log = self.log(room);
        self.logs[log].set_limits(limits);
        self.forget_idle(room);
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.logs[EVERYONE].set_limits(limits);
    }

    /// Rooms that exist with their sizes, oldest first.
    pub(crate) fn existing(&self) -> Vec<(usize, usize)> {
        let mut rooms: Vec<_> =
            (0..self.rooms.len()).filter(|&r| !self.rooms[r].members.is_empty()).collect();
        rooms.sort_by_key(|&room| self.rooms[room].log);
        rooms.into_iter().map(|room| (room, self.rooms[room].members.len())).collect()
    }

    /// Whether a socket that emits or is addressed is closed: then nobody gets anything. What is
    /// addressed before a closed one has its log all the same.
    pub(crate) fn refusal(&mut self, emit: &Emit) -> Option<Refusal> {
        match emit.origin {
            Origin::Namespace if self.is_closed => return Some(Refusal::NamespaceClosed),
            Origin::Others(socket) | Origin::Within(socket) if self.sockets[socket].closed.is_some() => {
                return Some(Refusal::Closed(socket));
            }
            _ => {}
        }
        for spot in emit.to.iter().flatten() {
            if let &Spot::Socket(socket) = spot {
                if self.sockets[socket].closed.is_some() {
                    return Some(Refusal::Stale(socket));
                }
                self.direct(socket);
            }
        }
        None
    }

    /// The same for an emit by a socket to itself.
    pub(crate) fn refusal_of(&mut self, socket: usize) -> Option<Refusal> {
        if self.sockets[socket].closed.is_some() {
            return Some(Refusal::Closed(socket));
        }
        self.direct(socket);
        None
    }

    /// What the emit is going to report.
    pub(crate) fn report(&self, emit: &Emit) -> Report {
        let sizes = self.ways(emit).into_iter().map(|(way, _)| self.members_of(way).len());
        sizes.filter(|&size| size > 0).fold(Report::default(), |report, size| Report {
            members: report.members + size,
            rooms: report.rooms + 1,
        })
    }

    /// Puts a message into the queues of all whom it is for, and returns those.
    pub(crate) fn publish(&mut self, emit: &Emit, sequence: u64) -> BTreeSet<usize> {
        let (sender, mut excluded) = match emit.origin {
            Origin::Namespace => (None, Vec::new()),
            Origin::Others(socket) => (Some(socket), vec![socket]),
            Origin::Within(socket) => (Some(socket), Vec::new()),
        };
        let mut left_out: BTreeSet<usize> = BTreeSet::new();
        for spot in &emit.except {
            match *spot {
                Spot::Room(room) => left_out.extend(&self.rooms[room].members),
                Spot::Socket(socket) => excluded.push(socket),
            }
        }
        self.sequence = sequence;
        self.steps += 1;
        let mut reached = BTreeSet::new();
        for (way, log) in self.ways(emit) {
            let members = self.members_of(way);
            if members.is_empty() {
                continue;
            }
            let number = self.logs[log].entries.len();
            self.logs[log].append(sequence, emit.mail.size, excluded.clone());
            for socket in members {
                if reached.contains(&socket) || left_out.contains(&socket) || excluded.contains(&socket) {
                    continue;
                }
                reached.insert(socket);
                let way = way.into();
                let expected = Expected { mail: emit.mail, sender, way, log, number, sequence };
                self.sockets[socket].reading.expect(expected);
            }
        }
        reached
    }

    /// Whether a socket may be disconnected for its backlog now: whether it has yet to read a message
    /// that is not within the limits, in a room that disconnects. A message that excludes it by identity
    /// does not count; one that is not for it for another reason does.
    pub(crate) fn may_be_disconnected(&self, socket: usize) -> bool {
        let read = self.sockets[socket].reading.read_up_to();
        self.sockets[socket].since.iter().any(|(&log, &(since, _))| {
            let log = &self.logs[log];
            let unread = since.max(log.entries.partition_point(|entry| entry.sequence <= read));
            let lost = unread..log.kept_from().max(unread);
            log.limits.disconnects && log.entries[lost].iter().any(|e| !e.excluded.contains(&socket))
        })
    }

    /// Whether a socket has to be disconnected by now: whether a message for it in a room that always
    /// disconnects is further back than any segment reaches.
    pub(crate) fn must_be_disconnected(&self, socket: usize) -> bool {
        let state = &self.sockets[socket];
        state.reading.oldest_by_log().into_iter().any(|(log, number)| {
            let is_member = state.since.get(&log).is_some_and(|since| number >= since.0);
            let log = &self.logs[log];
            is_member && !log.has_dropped && log.entries.len() - number > log.most
        })
    }

    /// Whether a message may be missing: beyond the limits of a room that drops, or that was left.
    pub(crate) fn may_be_lost(&self, socket: usize, log: usize, number: usize) -> bool {
        let is_member = self.sockets[socket].since.get(&log).is_some_and(|since| number >= since.0);
        number < self.logs[log].safe_from && (self.logs[log].has_dropped || !is_member)
    }

    fn join_one(&mut self, socket: usize, room: usize) -> bool {
        if self.sockets[socket].rooms.contains(&room) {
            return false;
        }
        let log = self.log(room);
        self.rooms[room].members.push(socket);
        self.sockets[socket].rooms.push(room);
        self.enter(socket, log);
        true
    }

    fn leave_one(&mut self, socket: usize, room: usize, pile: &Pile) -> bool {
        if !self.sockets[socket].rooms.contains(&room) {
            return false;
        }
        let log = self.log(room);
        self.steps += 1;
        self.rooms[room].members.retain(|other| *other != socket);
        let state = &mut self.sockets[socket];
        state.rooms.retain(|other| *other != room);
        if let Some((since, membership)) = state.since.remove(&log) {
            let published = self.logs[log].published_since(since);
            if self.steps > membership + 1 || !state.reading.forget(membership) {
                state.reading.change(Moved::Out(membership), published, pile);
            }
        }
        state.reading.left([Way::Room(room)]);
        self.forget_idle(room);
        true
    }

    fn enter(&mut self, socket: usize, log: usize) {
        let since = self.logs[log].entries.len();
        self.steps += 1;
        self.sockets[socket].since.insert(log, (since, self.steps));
        self.sockets[socket].reading.change(Moved::In(self.steps), (0, 0), &self.pile);
    }

    /// The log of messages to one socket, which comes to be with the first.
    fn direct(&mut self, socket: usize) -> usize {
        if let Some(log) = self.sockets[socket].direct {
            return log;
        }
        let log = self.logs.len();
        self.logs.push(Log::new(self.limits));
        self.sockets[socket].direct = Some(log);
        self.enter(socket, log);
        log
    }

    /// The log of a room, which comes to be if there is none.
    fn log(&mut self, room: usize) -> usize {
        if let Some(log) = self.rooms[room].log {
            return log;
        }
        let log = self.logs.len();
        self.logs.push(Log::new(self.limits));
        self.rooms[room].log = Some(log);
        log
    }

    fn forget_idle(&mut self, room: usize) {
        let state = &mut self.rooms[room];
        if state.members.is_empty() && state.pins == 0 {
            state.log = None;
        }
    }

    /// The ways that an emit takes with their logs, in the order in which it lists them, each once.
    fn ways(&self, emit: &Emit) -> Vec<(Addressed, usize)> {
        let Some(to) = &emit.to else { return vec![(Addressed::Everyone, EVERYONE)] };
        let mut ways = Vec::new();
        for spot in to {
            let way = match *spot {
                Spot::Room(room) => self.rooms[room].log.map(|log| (Addressed::Room(room), log)),
                Spot::Socket(socket) => {
                    self.sockets[socket].direct.map(|log| (Addressed::Socket(socket), log))
                }
            };
            ways.extend(way.filter(|way| !ways.contains(way)));
        }
        ways
    }

    fn members_of(&self, way: Addressed) -> Vec<usize> {
        match way {
            Addressed::Everyone => self.connected.clone(),
            Addressed::Room(room) => self.rooms[room].members.clone(),
            Addressed::Socket(socket) => vec![socket],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressed {
    Everyone,
    Room(usize),
    Socket(usize),
}

impl From<Addressed> for Way {
    fn from(addressed: Addressed) -> Self {
        match addressed {
            Addressed::Everyone => Self::Everyone,
            Addressed::Room(room) => Self::Room(room),
            Addressed::Socket(_) => Self::Direct,
        }
    }
}

/// Why nobody gets anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NamespaceClosed,
    Closed(usize),
    Stale(usize),
}
