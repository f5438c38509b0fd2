//! A program drawn from a seed, over all that decides what sockets are delivered, and all ways to read them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use roomcast::{
    Backlog, Broadcast, ClientPacket, Connection, Engine, History, Inbox, Namespace, Outbox, Overflow, Past,
    Payload, Presence, Room, RoomName, ServerPacket, Socket, SocketId, Target,
};

use crate::seen::{Seen, drain};

/// Knuth's linear congruential generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

pub(crate) struct World {
    random: Random,
    seen: Seen,
    engine: Engine,
    sockets: Vec<(Socket, Inbox)>,
    /// Beside each, the ids of its sockets by namespace.
    clients: Vec<(Connection, Outbox, HashMap<String, SocketId>)>,
    rooms: Vec<Room>,
    presences: Vec<Presence>,
    now: Duration,
    hard: bool,
}

const PATHS: [&str; 2] = ["/", "/game"];

pub(crate) fn engine() -> Engine {
    let backlog = Backlog::new().messages(12).unwrap();
    Engine::builder().backlog(backlog).membership_backlog(8).unwrap().volatile_backlog(3).build()
}

/// Runs so many steps on an engine, and returns what was seen. With `hard`, rooms get small backlogs, and reading panics.
pub(crate) fn run(engine: &Engine, seed: u64, steps: usize, hard: bool) -> Seen {
    let mut world = World {
        random: Random(seed),
        seen: Seen::default(),
        engine: engine.clone(),
        sockets: Vec::new(),
        clients: Vec::new(),
        rooms: Vec::new(),
        presences: Vec::new(),
        now: Duration::ZERO,
        hard,
    };
    for path in PATHS {
        world.host(path);
    }
    (0..steps).for_each(|_| world.step());
    for (_, inbox) in &mut world.sockets {
        drain(&world.seen, inbox);
    }
    world.seen.clone()
}

impl World {
    /// A namespace whose handlers move sockets about and answer.
    fn host(&mut self, path: &str) {
        let namespace = self.engine.of(path).unwrap();
        namespace.on_connect(|socket| drop(socket.join("lobby")));
        namespace.on_disconnecting(|socket, _| {
            drop(socket.to("lobby").emit("bye", "so"));
        });
        namespace
            .on_with_ack("say", |socket: &Socket, words: Payload, ack| {
                drop(socket.to("lobby").emit("said", words));
                drop(ack.send("told"));
            })
            .unwrap();
    }

    fn namespace(&mut self) -> Namespace {
        self.engine.of(PATHS[self.random.below(PATHS.len())]).unwrap()
    }

    fn name(&mut self) -> RoomName {
        let n = self.random.below(4);
        match self.random.below(4) {
            0 => (n, -7).into(),
            1 => (1, n, u64::MAX).into(),
            2 => "lobby".into(),
            _ => format!("room {n}").into(),
        }
    }

    fn payload(&mut self) -> Payload {
        match self.random.below(5) {
            0 => ().into(),
            1 => vec![7; self.random.below(50)].into(),
            2 => Payload::json("[1, 2]"),
            3 => std::sync::Arc::new(self.random.below(9)).into(),
            _ => format!("text {}", self.random.below(1000)).into(),
        }
    }

    fn target(&mut self) -> Target {
        let mut target = Target::new();
        for _ in 0..self.random.below(3) {
            target = target.to(self.name());
        }
        if self.random.below(4) == 0 {
            target = target.except(self.name());
        }
        if let Some((socket, _)) = self.sockets.get(self.random.below(20)) {
            let id = socket.id();
            target = if self.random.below(2) == 0 { target.to(id) } else { target.except(id) };
        }
        target
    }

    fn socket(&mut self) -> Option<usize> {
        (!self.sockets.is_empty()).then(|| self.random.below(self.sockets.len()))
    }

    fn step(&mut self) {
        match self.random.below(64) {
            0..=2 => self.connect(),
            3..=11 => self.move_socket(),
            12..=30 => self.emit(),
            31..=43 => self.read(),
            44..=47 => self.client(),
            48..=50 => self.room(),
            51..=54 => self.presence(),
            55..=58 => {
                self.now += Duration::from_millis(self.random.below(40) as u64);
                self.engine.tick(self.now);
            }
            59 => self.ask(),
            60 if self.random.below(8) == 0 => {
                let path = PATHS[self.random.below(2)];
                self.engine.remove(path);
                self.host(path);
            }
            61 => drop(self.namespace().target(&Target::new().to(self.name())).join(self.name())),
            62 if self.sockets.len() > 4 => {
                let place = self.random.below(self.sockets.len());
                drop(self.sockets.swap_remove(place));
            }
            63 => {
                if let Some(place) = self.socket().filter(|_| self.sockets.len() > 4) {
                    self.sockets[place].0.disconnect("enough");
                }
            }
            _ => {}
        }
    }

    fn connect(&mut self) {
        if self.sockets.len() < 16 {
            let pair = self.namespace().connect();
            self.sockets.push(pair);
        }
    }

    fn move_socket(&mut self) {
        let (Some(place), name, other) = (self.socket(), self.name(), self.name()) else { return };
        let past = match self.random.below(4) {
            0 => Past::all(),
            1 => Past::last(self.random.below(4)),
            2 => Past::since(self.random.below(500) as u64),
            _ => Past::latest(),
        };
        let socket = &self.sockets[place].0;
        // Errors are those of sockets that are closed.
        match self.random.below(8) {
            0 => drop(socket.leave(name)),
            1 => drop(socket.set_rooms([name, other])),
            2 => drop(socket.leave_all()),
            3 | 4 => drop(socket.join_with(name, past)),
            5 => (0..12).for_each(|_| {
                drop(socket.join(&name));
                drop(socket.leave(&name));
            }),
            _ => drop(socket.join([name, other])),
        }
    }

    fn terms<'a>(&mut self, broadcast: Broadcast<'a>) -> Broadcast<'a> {
        match self.random.below(7) {
            0 => broadcast.volatile(),
            1 => broadcast.volatile_behind(self.random.below(6) as u32),
            2 => broadcast.lifetime(Duration::from_millis(self.random.below(60) as u64)),
            3 => broadcast.latest(self.random.below(3)),
            4 => broadcast.latest("key").lifetime(Duration::from_millis(30)),
            _ => broadcast,
        }
    }

    fn emit(&mut self) {
        let (namespace, target, payload) = (self.namespace(), self.target(), self.payload());
        let event = format!("event {}", self.random.below(5));
        let place = self.socket();
        let socket = place.map(|place| self.sockets[place].0.clone());
        let (way, burst) = (self.random.below(8), 1 + self.random.below(3) * self.random.below(6));
        for _ in 0..burst {
            let emitted = match (way, &socket) {
                (0, Some(socket)) => socket.emit(&event, &payload),
                (1, Some(socket)) => self.terms(socket.target(&target)).emit(&event, &payload),
                (2, Some(socket)) => self.terms(socket.within("lobby")).emit(&event, &payload),
                (3, Some(socket)) => match self.rooms.last() {
                    Some(room) => room.emit_from(socket, &event, &payload),
                    None => socket.emit_volatile(&event, &payload),
                },
                (4, _) => match self.rooms.first() {
                    Some(room) => room.emit(&event, &payload),
                    None => namespace.emit(&event, &payload),
                },
                (5, _) => self.terms(namespace.everyone()).emit(&event, &payload),
                _ => self.terms(namespace.target(&target)).emit(&event, &payload),
            };
            drop(emitted);
        }
    }

    fn read(&mut self) {
        let Some(place) = self.socket() else { return };
        let (way, mut left) = (self.random.below(8), self.random.below(5));
        let (seen, now) = (self.seen.clone(), self.now);
        let nested = self.random.below(3) == 0;
        let (socket, inbox) = &mut self.sockets[place];
        let (engine, id) = (&self.engine, inbox.id());
        match way {
            0 => drop(inbox.try_drain(|delivery| {
                seen.see(id, delivery);
                left = left.saturating_sub(1);
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })),
            1 => drop(inbox.drain_before(now, |delivery| seen.see(id, delivery))),
            2 => {
                while let Some(delivery) = inbox.try_next() {
                    seen.see(id, delivery);
                    left += 1;
                    if left > 6 {
                        break;
                    }
                }
            }
            3 => inbox.on_wake(|| {}),
            4 if self.hard => {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    inbox.drain(|delivery| {
                        seen.see(id, delivery);
                        left = left.saturating_sub(1);
                        if left == 0 {
                            std::panic::resume_unwind(Box::new("as it should"));
                        }
                    })
                }));
                drop(caught);
            }
            // What is done from inside, while more is to come.
            _ if nested => drop(inbox.drain(|delivery| {
                seen.see(id, delivery);
                left = (left + 1) % 7;
                match left {
                    0 => (0..20).for_each(|_| drop(socket.namespace().to("lobby").emit("nested", "!"))),
                    1 => drop(socket.join("room 1")),
                    2 => drop(socket.leave("room 1")),
                    3 => engine.tick(now + Duration::from_millis(25)),
                    _ => {}
                }
            })),
            _ => drain(&seen, inbox),
        }
        if nested {
            self.now += Duration::from_millis(25);
        }
    }

    fn client(&mut self) {
        let (place, path) = (self.random.below(6), PATHS[self.random.below(2)]);
        let (way, payload) = (self.random.below(8), Payload::from("hello"));
        if place >= self.clients.len() {
            let (connection, outbox) = self.engine.connect(());
            self.clients.push((connection, outbox, HashMap::new()));
        }
        let place = place.min(self.clients.len() - 1);
        let (connection, outbox, ids) = &mut self.clients[place];
        // Errors are those of a client that is not there, or is there twice.
        let received = match way {
            0 | 1 => connection.receive(ClientPacket::Connect { namespace: path, auth: payload }),
            2 => connection.receive(ClientPacket::Event {
                namespace: path,
                event: "say",
                payload,
                ack: Some(7),
            }),
            3 => connection.receive(ClientPacket::Disconnect { namespace: path }),
            _ => Ok(()),
        };
        if received.is_err() {
            self.clients.remove(place);
            return;
        }
        let (seen, mut left) = (self.seen.clone(), if way == 4 { 2 } else { usize::MAX });
        let _ = outbox.try_drain(|packet| {
            match packet {
                ServerPacket::Connect { namespace, id, .. } => _ = ids.insert(namespace.to_owned(), id),
                ServerPacket::Event { namespace, delivery, .. } => seen.see(ids[namespace], delivery),
                _ => {}
            }
            left -= 1;
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }

    fn room(&mut self) {
        let (name, limit) = (self.name(), self.random.below(6) + 1);
        let Ok(room) = self.namespace().room(name) else { return };
        let history = History::new().messages(limit * 2).unwrap();
        match self.random.below(if self.hard { 6 } else { 4 }) {
            0 => room.set_history(history),
            1 => room.set_history(history.bytes(40).unwrap().age(Duration::from_millis(50))),
            2 => room.set_history(None),
            3 => room.set_capacity(limit),
            4 => room.set_backlog(Backlog::new().messages(limit * 3).unwrap().overflow(Overflow::Disconnect)),
            _ => {
                let backlog = Backlog::new().messages(4 + limit).unwrap().bytes(400).unwrap();
                self.namespace().set_backlog(backlog);
            }
        }
        self.rooms.push(room);
        if self.rooms.len() > 5 {
            self.rooms.swap_remove(self.random.below(5));
        }
    }

    fn presence(&mut self) {
        let (Some(place), name, key) = (self.socket(), self.name(), self.random.below(3)) else { return };
        let socket = self.sockets[place].0.clone();
        let Ok(room) = socket.namespace().room(name) else { return };
        let presence = Presence::new(&room);
        // Errors are those of sockets that are not in the room.
        match self.random.below(7) {
            0 | 1 => drop(presence.watch(&socket)),
            2 => drop(presence.watch_count(&socket)),
            3 => presence.unwatch(&socket),
            4 => drop(presence.update(&socket, format!("meta {key}"))),
            _ => drop(presence.track(&socket, format!("key {key}"), "here")),
        }
        self.presences.push(presence);
        if self.presences.len() > 4 {
            self.presences.remove(0);
        }
    }

    fn ask(&mut self) {
        let (namespace, target) = (self.namespace(), self.target());
        if let Ok(acks) = namespace.target(&target).emit_with_ack("question", "?") {
            let _ = acks.cancel();
        }
        if let Some(place) = self.socket() {
            drop(self.sockets[place].0.emit_with_ack("question", "you?"));
        }
    }
}
