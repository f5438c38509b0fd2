//! One namespace of an engine and its reference, side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roomcast::{
    Broadcast, DisconnectReason, EmitError, Emitted, Engine, EventHandle, Inbox, MembershipError, Namespace,
    Room, RoomName, Socket, SocketId, StaleSocket, Target,
};

use crate::mail::{EVENTS, Mail};
use crate::op::{Change, From, Op, Place, Route};
use crate::world::{Emit, Limits, Origin, Refusal, Report, Spot, World};
use crate::{Check, ensure};

/// No more sockets than these are connected at a time.
const MAX_SOCKETS: usize = 7;

pub(crate) struct Rig {
    pub(crate) namespace: Namespace,
    pub(crate) world: World,
    pub(crate) peers: Vec<Peer>,
    pub(crate) names: Vec<RoomName>,
    handles: Vec<(usize, Room)>,
    targets: Vec<Kept>,
    events: Vec<EventHandle>,
    next_id: u64,
}

pub(crate) struct Peer {
    pub(crate) socket: Socket,
    pub(crate) inbox: Option<Inbox>,
    pub(crate) watch: Option<Watch>,
}

/// Counts the wake-ups of an inbox.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) wakes: Arc<AtomicUsize>,
    /// Whether there was something to wake it for since it was last read to the end.
    pub(crate) is_due: bool,
    /// Whether something else is woken until then.
    pub(crate) is_replaced: bool,
}

#[derive(Default)]
struct Kept {
    target: Target,
    to: Option<Vec<Spot>>,
    except: Vec<Spot>,
    pinned: Vec<usize>,
}

/// Room names of all kinds.
pub(crate) fn names(count: usize) -> Vec<RoomName> {
    let kinds = |n: i64| match n {
        0 => RoomName::from("lobby"),
        1 => RoomName::from(5),
        2 => RoomName::from((3, -4)),
        3 => RoomName::from("5"),
        4 => RoomName::from("a room with a name too long to lie inline"),
        5 => RoomName::from((5, 0, 0)),
        n => RoomName::from(n * 1000),
    };
    (0..count as i64).map(kinds).collect()
}

impl Rig {
    /// Sets up what an engine with these settings has under `path`.
    pub(crate) fn new(engine: &Engine, path: &str, rooms: usize, limits: Limits, fold_at: usize) -> Self {
        let namespace = engine.of(path).expect("the path is good");
        let events = EVENTS.iter().map(|&name| namespace.event(name).expect("the name is good")).collect();
        Self {
            namespace,
            world: World::new(rooms, limits, fold_at),
            peers: Vec::new(),
            names: names(rooms),
            handles: Vec::new(),
            targets: Vec::new(),
            events,
            next_id: 1,
        }
    }

    pub(crate) fn run(&mut self, ops: &[Op]) -> Check {
        for op in ops {
            self.apply(op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
        }
        self.finish()
    }

    /// Reads everything and looks at everything.
    pub(crate) fn finish(&mut self) -> Check {
        for socket in 0..self.peers.len() {
            self.read(socket, crate::op::Read::Drain).map_err(|problem| format!("{problem}\n  at last"))?;
        }
        self.look()
    }

    pub(crate) fn connect(&mut self) {
        let (socket, inbox) = self.namespace.connect();
        self.world.connect();
        self.peers.push(Peer { socket, inbox: Some(inbox), watch: None });
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Check {
        if let Op::Connect = op {
            if self.world.connected.len() < MAX_SOCKETS {
                self.connect();
            }
            return Ok(());
        }
        if self.peers.is_empty() {
            return Ok(());
        }
        match op {
            Op::Connect => {}
            Op::Move { socket, change, rooms, by_handle } => {
                self.change(self.peer(*socket), *change, rooms, *by_handle)?;
            }
            Op::LeaveAll { socket } => {
                let socket = self.peer(*socket);
                let left = self.peers[socket].socket.leave_all();
                let expected = self.membership(socket, |world| world.set_rooms(socket, &[]).1);
                ensure!(left == expected, "left {left:?}, expected {expected:?}");
            }
            Op::Emit { times, size, event, is_resolved, route } => {
                let event = event % EVENTS.len();
                for _ in 0..*times {
                    let mail = Mail { id: self.next_id, event, size: *size };
                    self.next_id += 1;
                    self.emit(route, mail, *is_resolved)?;
                }
            }
            Op::Read { socket, read } => self.read(self.peer(*socket), *read)?,
            Op::Disconnect { socket, reason } => {
                let reasons = [DisconnectReason::Client, DisconnectReason::Server, "bye".into()];
                let (socket, reason) = (self.peer(*socket), &reasons[reason % reasons.len()]);
                let was_connected = self.peers[socket].socket.disconnect(reason.clone());
                let expected = self.disconnect(socket, reason);
                ensure!(was_connected == expected, "disconnect returned {was_connected}");
            }
            Op::DropInbox { socket } => {
                let socket = self.peer(*socket);
                self.peers[socket].inbox = None;
                self.peers[socket].watch = None;
                self.disconnect(socket, &DisconnectReason::InboxDropped);
            }
            Op::KeepHandle { room } => {
                let room = room % self.names.len();
                self.world.pin(room);
                self.handles.push((room, self.handle(room)));
            }
            Op::DropHandle { handle } => {
                if !self.handles.is_empty() {
                    let (room, handle) = self.handles.swap_remove(handle % self.handles.len());
                    drop(handle);
                    self.world.unpin(room);
                }
            }
            Op::KeepTarget { slot, to, except } => self.keep_target(*slot, to.as_deref(), except),
            Op::RoomBacklog { room, limits } => {
                let room = room % self.names.len();
                self.handle(room).set_backlog(limits.backlog());
                self.world.set_room_limits(room, *limits);
            }
            Op::Backlog { limits } => {
                self.namespace.set_backlog(limits.backlog());
                self.world.set_limits(*limits);
            }
            Op::Watch { socket } => self.watch(self.peer(*socket)),
            Op::Unwatch { socket } => {
                let peer = self.peer(*socket);
                let peer = &mut self.peers[peer];
                if let (Some(inbox), Some(_)) = (&mut peer.inbox, peer.watch.take()) {
                    inbox.no_wake();
                }
            }
            Op::Look => self.look()?,
        }
        self.check_wakes()
    }

    /// The socket of this number.
    fn peer(&self, number: usize) -> usize {
        number % self.peers.len()
    }

    fn handle(&self, room: usize) -> Room {
        self.namespace.room(&self.names[room]).expect("the name is good")
    }

    /// A kept handle, or one of this room.
    fn some_handle(&self, number: usize) -> (usize, Room) {
        match self.handles.len() {
            0 => (number % self.names.len(), self.handle(number % self.names.len())),
            count => self.handles[number % count].clone(),
        }
    }

    fn membership<R>(
        &mut self,
        socket: usize,
        f: impl FnOnce(&mut World) -> R,
    ) -> Result<R, MembershipError> {
        match &self.world.sockets[socket].closed {
            Some(reason) => Err(MembershipError::Closed(reason.clone())),
            None => Ok(f(&mut self.world)),
        }
    }

    fn disconnect(&mut self, socket: usize, reason: &DisconnectReason) -> bool {
        if let Some(watch) = &mut self.peers[socket].watch {
            watch.is_due |= self.world.sockets[socket].closed.is_none();
        }
        self.world.disconnect(socket, reason.clone())
    }

    pub(crate) fn close(&mut self, reason: &DisconnectReason) {
        self.world.close(reason);
    }

    fn change(&mut self, socket: usize, change: Change, rooms: &[usize], by_handle: bool) -> Check {
        let rooms: Vec<usize> = rooms.iter().map(|room| room % self.names.len()).collect();
        let names: Vec<RoomName> = rooms.iter().map(|&room| self.names[room].clone()).collect();
        let handles: Vec<Room> = rooms.iter().filter(|_| by_handle).map(|&room| self.handle(room)).collect();
        let it = &self.peers[socket].socket;
        let joined_and_left = match change {
            Change::Join if by_handle => it.join(&handles).map(|count| (count, 0)),
            Change::Join if names.len() == 1 => it.join(&names[0]).map(|count| (count, 0)),
            Change::Join => it.join(&names).map(|count| (count, 0)),
            Change::Leave if by_handle => it.leave(&handles[..]).map(|count| (0, count)),
            Change::Leave => it.leave(names).map(|count| (0, count)),
            Change::Set if by_handle => it.set_rooms(handles.clone()),
            Change::Set => it.set_rooms(&names[..]),
        };
        let expected = self.membership(socket, |world| match change {
            Change::Join => (world.join(socket, &rooms), 0),
            Change::Leave => (0, world.leave(socket, &rooms)),
            Change::Set => world.set_rooms(socket, &rooms),
        });
        ensure!(joined_and_left == expected, "moved {joined_and_left:?}, expected {expected:?}");
        Ok(())
    }

    fn spots(&self, places: &[Place]) -> Vec<Spot> {
        let spots = places.iter().map(|place| match *place {
            Place::Room(room) => Spot::Room(room % self.names.len()),
            Place::Handle(handle) => Spot::Room(self.some_handle(handle).0),
            Place::Socket(socket) => Spot::Socket(self.peer(socket)),
        });
        spots.collect()
    }

    fn keep_target(&mut self, slot: usize, to: Option<&[Place]>, except: &[Place]) {
        const SLOTS: usize = 3;
        self.targets.resize_with(SLOTS, Kept::default);
        let mut target = Target::new();
        if let Some(places) = to {
            target = places.iter().fold(target.to(Vec::<RoomName>::new()), |target, place| match *place {
                Place::Room(room) => target.to(&self.names[room % self.names.len()]),
                Place::Handle(handle) => target.to(self.some_handle(handle).1),
                Place::Socket(socket) => target.to(self.peers[self.peer(socket)].socket.id()),
            });
        }
        target = except.iter().fold(target, |target, place| match *place {
            Place::Room(room) => target.except(&self.names[room % self.names.len()]),
            Place::Handle(handle) => target.except(self.some_handle(handle).1),
            Place::Socket(socket) => target.except(self.peers[self.peer(socket)].socket.id()),
        });
        let all = to.iter().copied().flatten().chain(except);
        let pinned: Vec<usize> = all
            .filter_map(|place| match *place {
                Place::Handle(handle) => Some(self.some_handle(handle).0),
                _ => None,
            })
            .collect();
        pinned.iter().for_each(|&room| self.world.pin(room));
        let kept = Kept { target, to: to.map(|to| self.spots(to)), except: self.spots(except), pinned };
        let old = std::mem::replace(&mut self.targets[slot % SLOTS], kept);
        old.pinned.iter().for_each(|&room| self.world.unpin(room));
    }

    /// Emits one message, and compares who it was for as far as that shows at once.
    fn emit(&mut self, route: &Route, mail: Mail, is_resolved: bool) -> Check {
        let (emit, emitted) = self.send(route, mail, is_resolved);
        let refusal = match *route {
            Route::Direct { socket } => self.world.refusal_of(self.peer(socket)),
            _ => self.world.refusal(&emit),
        };
        let expected = match refusal {
            Some(Refusal::NamespaceClosed) => Err(EmitError::NamespaceClosed),
            Some(Refusal::Closed(socket)) => Err(self.closed_error(socket)),
            Some(Refusal::Stale(socket)) => {
                Err(EmitError::Stale(StaleSocket(self.peers[socket].socket.id())))
            }
            None => Ok(self.world.report(&emit)),
        };
        let found = emitted.clone().map(|e| Report { members: e.members(), rooms: e.rooms() });
        ensure!(found == expected, "emit returned {emitted:?}, expected {expected:?}");
        if let Ok(emitted) = emitted {
            match emitted.sequence() {
                Some(sequence) => {
                    ensure!(emitted.rooms() > 0, "a sequence for nobody");
                    ensure!(sequence > self.world.sequence, "{emitted:?} after {}", self.world.sequence);
                    for socket in self.world.publish(&emit, sequence) {
                        if let Some(watch) = &mut self.peers[socket].watch {
                            watch.is_due = true;
                        }
                    }
                }
                None => ensure!(emitted.rooms() == 0, "no sequence, but rooms: {emitted:?}"),
            }
        }
        self.check_backlogs()
    }

    fn closed_error(&self, socket: usize) -> EmitError {
        let reason = self.world.sockets[socket].closed.clone();
        EmitError::Closed(reason.expect("a refusal is of a closed socket"))
    }

    /// Emits, and returns what that means.
    fn send(&self, route: &Route, mail: Mail, is_resolved: bool) -> (Emit, Result<Emitted, EmitError>) {
        let (resolved, name, payload) = (&self.events[mail.event], EVENTS[mail.event], mail.payload());
        let send = |broadcast: Broadcast<'_>| match is_resolved {
            true => broadcast.emit(resolved, payload.clone()),
            false => broadcast.emit(name, payload.clone()),
        };
        match route {
            Route::Direct { socket } => {
                let socket = self.peer(*socket);
                let to = Some(vec![Spot::Socket(socket)]);
                let emit = Emit { origin: Origin::Namespace, to, except: Vec::new(), mail };
                let it = &self.peers[socket].socket;
                (emit, if is_resolved { it.emit(resolved, payload) } else { it.emit(name, payload) })
            }
            Route::Room { room, from } => {
                let (room, handle) = self.some_handle(*room);
                let from = from.map(|from| self.peer(from));
                let origin = from.map_or(Origin::Namespace, Origin::Others);
                let emit = Emit { origin, to: Some(vec![Spot::Room(room)]), except: Vec::new(), mail };
                let emitted = match from {
                    Some(from) => handle.emit_from(&self.peers[from].socket, name, payload),
                    None if is_resolved => handle.emit(resolved, payload),
                    None => handle.emit(name, payload),
                };
                (emit, emitted)
            }
            Route::Kept { from, target } => {
                let nobody = Kept { target: Target::new().to(Vec::<RoomName>::new()), ..Kept::default() };
                let kept = self.targets.get(target % self.targets.len().max(1)).unwrap_or(&nobody);
                let to = if self.targets.is_empty() { Some(Vec::new()) } else { kept.to.clone() };
                let (origin, emitted) = match *from {
                    From::Namespace => (Origin::Namespace, send(self.namespace.target(&kept.target))),
                    From::Others(socket) | From::Within(socket) => {
                        let socket = self.peer(socket);
                        (Origin::Others(socket), send(self.peers[socket].socket.target(&kept.target)))
                    }
                };
                (Emit { origin, to, except: kept.except.clone(), mail }, emitted)
            }
            Route::Places { from, to, except, as_target } => {
                let (origin, broadcast) = self.start(*from, to.is_some(), *as_target);
                let mut broadcast = to.iter().flatten().fold(broadcast, |broadcast, place| match *place {
                    Place::Room(room) => broadcast.to(&self.names[room % self.names.len()]),
                    Place::Handle(handle) => broadcast.to(&self.some_handle(handle).1),
                    Place::Socket(socket) => broadcast.to(self.peers[self.peer(socket)].socket.id()),
                });
                broadcast = except.iter().fold(broadcast, |broadcast, place| match *place {
                    Place::Room(room) => broadcast.except(&self.names[room % self.names.len()]),
                    Place::Handle(handle) => broadcast.except(&self.some_handle(handle).1),
                    Place::Socket(socket) => broadcast.except(self.peers[self.peer(socket)].socket.id()),
                });
                let emit = Emit {
                    origin,
                    to: to.as_ref().map(|to| self.spots(to)),
                    except: self.spots(except),
                    mail,
                };
                (emit, send(broadcast))
            }
        }
    }

    /// An emit to nobody so far, or to everyone, by different ways to say so.
    fn start(&self, from: From, is_listed: bool, as_target: bool) -> (Origin, Broadcast<'_>) {
        static EVERYONE: std::sync::LazyLock<Target> = std::sync::LazyLock::new(Target::new);
        let none: [&str; 0] = [];
        match from {
            From::Namespace => {
                let broadcast = match (is_listed, as_target) {
                    (true, false) => self.namespace.to(none),
                    (true, true) => self.namespace.target(&EVERYONE).to(none),
                    (false, false) => self.namespace.except(none),
                    (false, true) => self.namespace.target(&EVERYONE),
                };
                (Origin::Namespace, broadcast)
            }
            From::Within(socket) if is_listed => {
                let socket = self.peer(socket);
                (Origin::Within(socket), self.peers[socket].socket.within(none))
            }
            From::Others(socket) | From::Within(socket) => {
                let socket = self.peer(socket);
                let it = &self.peers[socket].socket;
                let broadcast = match (is_listed, as_target) {
                    (true, _) => it.to(none),
                    (false, false) => it.broadcast(),
                    (false, true) => it.except(none),
                };
                (Origin::Others(socket), broadcast)
            }
        }
    }

    /// Checks who was disconnected by the emit that was just done.
    fn check_backlogs(&mut self) -> Check {
        for socket in self.world.connected.clone() {
            let reason = self.peers[socket].socket.closed();
            match reason {
                Some(reason) => {
                    ensure!(reason == DisconnectReason::Backlog, "socket {socket} is closed: {reason}");
                    let may_be = self.world.may_be_disconnected(socket);
                    ensure!(may_be, "socket {socket} is disconnected within its limits");
                    self.disconnect(socket, &reason);
                }
                None => {
                    let must_be = self.world.must_be_disconnected(socket);
                    ensure!(!must_be, "socket {socket} is connected beyond its limits");
                }
            }
        }
        Ok(())
    }

    pub(crate) fn id(&self, socket: usize) -> SocketId {
        self.peers[socket].socket.id()
    }

    fn watch(&mut self, socket: usize) {
        let peer = &mut self.peers[socket];
        let Some(inbox) = &mut peer.inbox else { return };
        let is_due = self.world.sockets[socket].reading.has_unread();
        let watch = Watch { is_due, ..Watch::default() };
        let wakes = Arc::clone(&watch.wakes);
        peer.watch = Some(watch);
        inbox.on_wake(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// At most one wake-up since the last read to the end, and one if there was reason to.
    pub(crate) fn check_wakes(&self) -> Check {
        for (socket, peer) in self.peers.iter().enumerate() {
            let Some(watch) = &peer.watch else { continue };
            let wakes = watch.wakes.load(Ordering::Relaxed);
            let least = usize::from(watch.is_due && !watch.is_replaced);
            ensure!((least..=1).contains(&wakes), "socket {socket}: {wakes} wake-ups, due: {}", watch.is_due);
        }
        Ok(())
    }
}
