//! A program of many operations, drawn from a seed, over all that the engine has; and a trace of all that can be
//! observed of it.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{
    Acks, Backlog, Client, ClientSocket, Engine, Handshake, Inbox, Namespace, Overflow, Parent, Payload,
    Refusal, Room, RoomName, Socket, Target,
};

const STEPS: usize = 2000;

/// Runs the program of a seed, and returns its trace. Before anything is done with the engine, `begin` gets it.
pub(crate) fn trace(seed: u64, begin: impl FnOnce(&Engine)) -> String {
    let trace = Trace::default();
    let mut world = World::new(Random(seed), trace.clone(), begin);
    for step in 0..STEPS {
        trace.say("step", step);
        world.step();
    }
    world.look();
    world.engine.close();
    trace.say("closed", &world.engine);
    drop(world);
    trace.0.lock().unwrap().clone()
}

/// Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// One of them, if there is any.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        (!items.is_empty()).then(|| &items[self.below(items.len())])
    }
}

#[derive(Clone, Default)]
struct Trace(Arc<Mutex<String>>);

impl Trace {
    fn say(&self, what: &str, value: impl Debug) {
        let line = format!("{what} {value:?}\n");
        self.0.lock().unwrap().push_str(&line);
    }
}

/// Says when it is dropped, wherever it was put.
struct Noted(String, Trace);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.say("dropped", &self.0);
    }
}

struct World {
    random: Random,
    trace: Trace,
    engine: Engine,
    games: Parent,
    sockets: Vec<(Socket, Inbox)>,
    clients: Vec<Client>,
    players: Vec<ClientSocket>,
    /// Handles, which keep rooms with their limits.
    rooms: Vec<Room>,
    questions: Vec<Acks>,
    now: Duration,
    /// How many things were noted.
    notes: usize,
}

const PATHS: [&str; 3] = ["/", "/chat", "/world"];

impl World {
    fn new(random: Random, trace: Trace, begin: impl FnOnce(&Engine)) -> Self {
        let engine = Engine::builder()
            .backlog(Backlog::new().messages(8).unwrap())
            .event_names(40)
            .unwrap()
            .membership_backlog(32)
            .unwrap()
            .inbound_queue(8)
            .unwrap()
            .volatile_backlog(6)
            .build();
        begin(&engine);
        let games = engine.of_pattern("/game-{id}").unwrap();
        let (new, panics) = (trace.clone(), trace.clone());
        engine.on_new_namespace(move |namespace| new.say("new", namespace));
        engine.on_panic(move |place, message| panics.say(place, message));
        games.on_connect({
            let trace = trace.clone();
            move |socket| {
                let params = socket.namespace().params();
                trace.say("in game", (socket, params));
            }
        });
        let (sockets, clients, players, rooms, questions) = <(Vec<_>, _, _, _, _)>::default();
        let mut world = Self {
            random,
            trace,
            engine,
            games,
            sockets,
            clients,
            players,
            rooms,
            questions,
            now: Duration::ZERO,
            notes: 0,
        };
        for path in PATHS {
            world.host(path);
        }
        world
    }

    /// A namespace of this path, with hooks that say all that they are told.
    fn host(&mut self, path: &str) {
        let namespace = self.engine.of(path).unwrap();
        let trace = self.trace.clone();
        let say = |what: &'static str| {
            let trace = trace.clone();
            move |value: &dyn Debug| trace.say(what, value)
        };
        let (connect, leaving, left) = (say("connected"), say("disconnecting"), say("disconnected"));
        let (room, error) = (say("room"), say("error"));
        namespace.on_connect(move |socket| connect(socket));
        namespace.on_disconnecting(move |socket, reason| leaving(&(socket, reason, socket.rooms())));
        namespace.on_disconnect(move |socket, reason| left(&(socket, reason)));
        namespace.on_room(move |_, event| room(event));
        namespace.on_error(move |_, failure| error(failure));
        namespace.admission(
            |_, room| if room == &RoomName::from("closed") { Err(Refusal::Locked) } else { Ok(()) },
        );
        self.listen(&namespace);
    }

    /// Handlers of events, each of which can tell when it is dropped.
    fn listen(&mut self, namespace: &Namespace) {
        namespace.on_with_ack("ask", |_, payload: Payload, ack| drop(ack.send(payload))).unwrap();
        for n in 0..8 {
            let (event, noted) = (format!("event {n}"), self.noted());
            let heard = move |socket: &Socket, payload| noted.1.say("heard", (socket, payload, &noted.0));
            namespace.on(&event, move |socket, payload: Payload| heard(socket, payload)).unwrap();
        }
    }

    fn noted(&mut self) -> Noted {
        self.notes += 1;
        Noted(format!("note {}", self.notes), self.trace.clone())
    }

    fn say(&self, what: &str, value: impl Debug) {
        self.trace.say(what, value);
    }

    /// A name of a room, of one of the kinds there are.
    fn name(&mut self) -> RoomName {
        let n = self.random.below(4);
        match self.random.below(8) {
            0 => n.into(),
            1 => (n, -1).into(),
            2 => (1, n, u64::MAX).into(),
            3 if n == 0 => "closed".into(),
            _ => format!("room {n}").into(),
        }
    }

    fn names(&mut self) -> Vec<RoomName> {
        (0..1 + self.random.below(3)).map(|_| self.name()).collect()
    }

    fn event(&mut self) -> String {
        let names = if self.random.below(8) == 0 { 100 } else { 8 };
        format!("event {}", self.random.below(names))
    }

    fn payload(&mut self) -> Payload {
        match self.random.below(4) {
            0 => Payload::from(()),
            1 => Payload::from(vec![7; self.random.below(100)]),
            2 => Payload::from(Arc::new(self.noted())),
            _ => Payload::from(format!("text {}", self.random.below(1000))),
        }
    }

    fn target(&mut self) -> Target {
        let mut target = Target::new();
        if self.random.below(4) > 0 {
            target = target.to(self.names());
        }
        if self.random.below(3) == 0 {
            target = target.except(self.names());
        }
        match self.random.pick(&self.sockets) {
            Some((socket, _)) if self.random.below(6) == 0 => target.to(socket.id()),
            Some((socket, _)) if self.random.below(4) == 0 => target.except(socket.id()),
            _ => target,
        }
    }

    fn namespace(&mut self) -> Namespace {
        let path = PATHS[self.random.below(PATHS.len())];
        self.engine.get(path).unwrap()
    }

    fn socket(&mut self) -> Option<Socket> {
        self.random.pick(&self.sockets).map(|(socket, _)| socket.clone())
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..=1 => self.connect(),
            2..=8 => self.move_socket(),
            9..=21 => self.emit(),
            22..=24 => self.read(),
            25..=28 => self.ask(),
            29..=35 => self.play(),
            36 => self.limit(),
            37 => self.select(),
            38 => self.end(),
            _ => self.look(),
        }
    }

    fn connect(&mut self) {
        let (socket, inbox) = self.namespace().connect();
        self.say("connect", (&socket, socket.id().to_bits(), &inbox));
        self.sockets.push((socket, inbox));
        if self.sockets.len() > 16 {
            let closed = self.sockets.iter().position(|(socket, _)| !socket.is_connected());
            self.sockets.remove(closed.unwrap_or_default());
        }
    }

    fn move_socket(&mut self) {
        let (Some(socket), names) = (self.socket(), self.names()) else { return };
        match self.random.below(6) {
            0 => self.say("leave", socket.leave(names)),
            1 => self.say("set", socket.set_rooms(names)),
            2 if self.random.below(3) == 0 => self.say("leave all", socket.leave_all()),
            _ => self.say("join", socket.join(names)),
        }
        self.say("rooms", socket.rooms());
    }

    fn emit(&mut self) {
        let (event, payload, target) = (self.event(), self.payload(), self.target());
        let (namespace, socket) = (self.namespace(), self.socket());
        let emitted = match (self.random.below(8), &socket) {
            (0, _) => namespace.emit(&event, payload),
            (1, Some(socket)) => socket.emit(&event, payload),
            (2, Some(socket)) => socket.target(&target).emit(&event, payload),
            (3, Some(socket)) => socket.within(self.names()).emit(&event, payload),
            (4, _) => namespace.target(&target).volatile().emit(&event, payload),
            (5, _) => self.games.emit_to(&target, &event, payload),
            (6, Some(socket)) => match self.random.pick(&self.rooms) {
                Some(room) => room.emit_from(socket, &event, payload),
                None => namespace.emit("gap", payload),
            },
            _ => namespace.target(&target).emit(&event, payload),
        };
        self.say("emit", (event, target, emitted));
    }

    fn read(&mut self) {
        if self.sockets.is_empty() {
            return;
        }
        let (chosen, mut left) = (self.random.below(self.sockets.len()), self.random.below(60));
        let (socket, inbox) = &mut self.sockets[chosen];
        let mut questions = Vec::new();
        let trace = &self.trace;
        let drained = inbox.try_drain(|delivery| {
            trace.say("read", (delivery, delivery.sequence(), delivery.via(), delivery.sender()));
            questions.extend(delivery.ack_id());
            left = left.saturating_sub(1);
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        trace.say("drained", (&drained, inbox.volatile_dropped(), inbox.closed()));
        for question in questions {
            trace.say("answered", (question, socket.answer(question, "yes")));
        }
    }

    fn ask(&mut self) {
        let (target, namespace) = (self.target(), self.namespace());
        let trace = self.trace.clone();
        match self.random.below(6) {
            0 | 1 => match namespace.target(&target).emit_with_ack("question", "?") {
                Ok(acks) => self.questions.push(acks.timeout(Duration::from_secs(5))),
                Err(error) => self.say("ask", error),
            },
            2 => match self.socket().map(|socket| socket.emit_with_ack("question", "?")) {
                Some(Ok(ack)) => ack.on_done(move |answer| trace.say("answer", answer)),
                other => self.say("ask", other),
            },
            3 => {
                self.now += Duration::from_millis(self.random.below(4000) as u64);
                self.engine.tick(self.now);
            }
            _ if !self.questions.is_empty() => {
                let acks = self.questions.swap_remove(self.random.below(self.questions.len()));
                self.say("acks", &acks);
                if self.random.below(2) == 0 {
                    acks.on_done(move |answers| trace.say("answers", answers));
                } else {
                    self.say("cancelled", acks.cancel());
                }
            }
            _ => {}
        }
    }

    /// What clients do.
    fn play(&mut self) {
        let player = self.random.pick(&self.players).cloned();
        match (self.random.below(10), player) {
            (0, _) if self.clients.len() < 20 => {
                let handshake = Handshake::new().with("number", self.clients.len().to_string());
                self.clients.push(Client::with_handshake(&self.engine, handshake));
            }
            (1, _) => {
                let path = match self.random.below(2) {
                    0 => PATHS[self.random.below(3)].to_owned(),
                    _ => format!("/game-{}", self.random.below(6)),
                };
                let Some(client) = self.random.pick(&self.clients) else { return };
                let player = client.socket(&path, "token");
                self.trace.say("play", &player);
                if let Ok(player) = player {
                    let trace = self.trace.clone();
                    player.on_any(move |player, incoming| trace.say("client", (player, incoming.event())));
                    player.on_with_ack("question", |_, _: Payload, ack| drop(ack.send("so"))).unwrap();
                    self.players.push(player);
                }
            }
            (2, Some(player)) => self.say("disconnect", (player.disconnect(), player)),
            (3, Some(player)) => self.say("connect", (player.connect(), player)),
            (4, Some(player)) => {
                let trace = self.trace.clone();
                match player.emit_with_ack("ask", self.payload()) {
                    Ok(ack) => ack.on_done(move |answer| trace.say("told", answer)),
                    Err(error) => self.say("ask", error),
                }
            }
            (5, Some(player)) => {
                let emitted = player.emit(&self.event(), self.payload());
                self.say("emit", emitted);
            }
            (6, Some(player)) if self.random.below(4) == 0 => {
                let client = player.client();
                self.say("client", (client.disconnect(), client.reconnect(), &client));
            }
            _ => {
                let Some(client) = self.random.pick(&self.clients) else { return };
                self.trace.say("poll", (client.poll(), client));
            }
        }
    }

    fn limit(&mut self) {
        let (name, limit) = (self.name(), self.random.below(6) + 1);
        let room = self.namespace().room(name).unwrap();
        room.set_capacity(limit);
        if self.random.below(3) == 0 {
            room.set_backlog(Backlog::new().messages(limit * 4).unwrap().overflow(Overflow::Disconnect));
        }
        self.say("limit", (&room, room.capacity(), room.retained()));
        self.rooms.push(room);
        if self.rooms.len() > 10 {
            self.rooms.swap_remove(self.random.below(10));
        }
    }

    /// What is done to many sockets.
    fn select(&mut self) {
        let (target, names, namespace) = (self.target(), self.names(), self.namespace());
        let broadcast = namespace.target(&target);
        match self.random.below(8) {
            0 => self.say("select", (&names, broadcast.join(names.clone()))),
            1 => self.say("select", broadcast.leave(names)),
            2 if self.random.below(4) == 0 => self.say("select", broadcast.disconnect("selected")),
            3 => self.say("select", self.games.join(&target, names)),
            4 => self.say("select", self.games.sockets(&target)),
            _ => self.say("select", broadcast.sockets()),
        }
    }

    fn end(&mut self) {
        match self.random.below(8) {
            0 if self.random.below(3) == 0 => {
                let path = PATHS[self.random.below(PATHS.len())];
                self.say("remove", self.engine.remove(path));
                self.host(path);
            }
            1 => {
                let namespace = self.namespace();
                namespace.off_all();
                self.listen(&namespace);
            }
            2 if !self.clients.is_empty() => {
                let client = self.clients.swap_remove(self.random.below(self.clients.len()));
                self.say("close", (client.close(), client));
            }
            3 if !self.sockets.is_empty() => {
                let (socket, inbox) = self.sockets.swap_remove(self.random.below(self.sockets.len()));
                drop(inbox);
                self.say("inbox dropped", (&socket, socket.closed()));
            }
            _ => {
                let Some(socket) = self.socket() else { return };
                self.say("disconnect", (socket.disconnect("enough"), socket.disconnect("twice"), socket));
            }
        }
    }

    /// Says all that can be listed.
    fn look(&self) {
        self.say("engine", (&self.engine, self.engine.socket_count(), self.engine.connection_count()));
        for namespace in self.engine.namespaces() {
            self.say("namespace", (&namespace, namespace.rooms(), namespace.socket_ids()));
            for (name, _) in namespace.rooms() {
                self.say("members", (&name, namespace.members(&name)));
            }
        }
        self.say("parent", (&self.games, self.games.children()));
        self.say("handles", (&self.rooms, &self.questions, &self.players, &self.clients));
        for (socket, inbox) in &self.sockets {
            self.say("socket", (socket, socket.rooms(), socket.closed(), inbox));
        }
        self.say("connections", self.clients.iter().map(Client::sockets).collect::<Vec<_>>());
    }
}
