//! The same on an engine.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use roomcast::{
    Ack, AckSender, Acks, Broadcast, Connection, Decision, Engine, Handshake, Namespace, Outbox, Room,
    Socket, SocketId,
};

use super::hooks;
use super::script::{
    Act, Aim, CONNECT_TIMEOUT, From, MAX_CONNECTIONS, MIDDLEWARE_TIMEOUT, PATHS, QUEUE, ROOMS, Spot,
};

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) this: Weak<Self>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) spaces: Vec<Namespace>,
    /// What happened to rooms, by namespace.
    pub(crate) events: Vec<Vec<String>>,
    /// By the number of the packet that asked for it.
    pub(crate) sockets: Vec<Option<Socket>>,
    numbers: HashMap<SocketId, usize>,
    pub(crate) clients: Vec<Connection>,
    pub(crate) outboxes: Vec<Option<Outbox>>,
    pub(crate) acks: Vec<Option<Handle>>,
    pub(crate) asks: Vec<AckSender>,
    pub(crate) pins: Vec<Room>,
    pub(crate) locked: Vec<usize>,
    pub(crate) kept: BTreeMap<usize, Decision>,
    pub(crate) mails: usize,
    pub(crate) trace: Vec<String>,
    pub(crate) stream: Vec<(&'static str, String)>,
}

/// To answers, with the number of the one socket that is asked.
pub(crate) enum Handle {
    One(usize, Ack),
    All(Acks),
}

pub(crate) enum Source {
    Namespace(Namespace),
    Socket(Socket),
}

impl Rig {
    pub(crate) fn new(max_namespaces: usize) -> Arc<Self> {
        let engine = Engine::builder()
            .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT))
            .middleware_timeout(Duration::from_secs(MIDDLEWARE_TIMEOUT))
            .max_namespaces(max_namespaces)
            .expect("it is not 0")
            .inbound_queue(QUEUE)
            .expect("it is not 0")
            .build();
        let rig = Arc::new_cyclic(|this| Self { engine, this: Weak::clone(this), state: Mutex::default() });
        let weak = Arc::downgrade(&rig);
        rig.engine.on_new_namespace(move |namespace| {
            if let Some(rig) = weak.upgrade() {
                rig.say(format!("new {}", namespace.path()));
                hooks::register(&rig, namespace);
            }
        });
        rig
    }

    /// Not to be held while the engine is called.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under it")
    }

    pub(crate) fn say(&self, line: impl Into<String>) {
        self.state().trace.push(line.into());
    }

    /// A socket is seen for the first time.
    pub(crate) fn meet(&self, number: usize, socket: &Socket) {
        let mut state = self.state();
        state.sockets[number] = Some(socket.clone());
        state.numbers.insert(socket.id(), number);
    }

    pub(crate) fn number(&self, id: SocketId) -> usize {
        self.state().numbers[&id]
    }

    pub(crate) fn acts(&self, me: Option<usize>, acts: &[Act]) {
        acts.iter().for_each(|act| self.act(me, act));
    }

    pub(crate) fn act(&self, me: Option<usize>, act: &Act) {
        match act {
            Act::Open => {
                if self.state().clients.len() < MAX_CONNECTIONS {
                    let (client, outbox) = self.engine.connect(Handshake::new());
                    let mut state = self.state();
                    state.clients.push(client);
                    state.outboxes.push(Some(outbox));
                }
            }
            // Not `panic!`: the panic hook would tell of it.
            Act::Panic if me.is_some() => std::panic::resume_unwind(Box::new("oops")),
            Act::Panic => {}
            Act::Of { path } => {
                let found = self.engine.of(PATHS[*path]);
                let spaces = self.state().spaces.clone();
                let found = found.map(|found| spaces.iter().position(|space| *space == found));
                self.say(format!("of {:?}", found.map(|found| found.expect("the hook has seen it"))));
            }
            Act::Remove { path } => {
                let removed = self.engine.remove(PATHS[*path]);
                self.say(format!("remove {removed}"));
            }
            Act::Shutdown => self.engine.close(),
            Act::Tick { by } => self.engine.tick(self.engine.now() + Duration::from_secs(*by)),
            Act::Lock { room, is_locked } => {
                let locked = &mut self.state().locked;
                locked.retain(|other| other != room);
                locked.extend(is_locked.then_some(*room));
            }
            Act::Unpin { pin } => {
                let mut state = self.state();
                let count = state.pins.len();
                let pin = (count > 0).then(|| state.pins.swap_remove(pin % count));
                drop(state);
                drop(pin);
            }
            Act::Finish { ack, how } => self.finish(*ack, how),
            Act::Reply { ask } => {
                let count = self.state().asks.len();
                if count > 0 {
                    let ask = ask % count;
                    let sender = self.state().asks[ask].clone();
                    let replied = sender.send("later");
                    self.say(format!("reply {ask}: {replied:?}"));
                }
            }
            Act::Send { .. } | Act::Close { .. } | Act::DropOutbox { .. } | Act::Drain { .. } => {
                self.act_of_client(act);
            }
            Act::Pin { .. } | Act::Capacity { .. } | Act::RoomData { .. } => self.act_of_room(act),
            Act::Emit { aim, wanted } => {
                if let Some(source) = self.source(me, aim.from) {
                    let emitted = self.emit(&self.broadcast(me, &source, aim), wanted.as_ref());
                    self.say(format!("emit {emitted}"));
                }
            }
            Act::Select { aim, doing } => {
                if let Some(source) = self.source(me, aim.from) {
                    let selected = self.select(&self.broadcast(me, &source, aim), doing);
                    self.say(format!("select {selected}"));
                }
            }
            Act::Move { socket, .. }
            | Act::Direct { socket, .. }
            | Act::Disconnect { socket, .. }
            | Act::Answer { socket, .. }
            | Act::Decide { socket, .. }
            | Act::SocketData { socket, .. } => {
                if let Some(number) = self.pick(me, *socket) {
                    let socket = self.state().sockets[number].clone().expect("it is there");
                    self.act_of_socket(number, &socket, act);
                }
            }
        }
    }

    fn pick(&self, me: Option<usize>, number: usize) -> Option<usize> {
        let state = self.state();
        match me {
            Some(me) if number % 3 == 0 => Some(me),
            _ if state.sockets.is_empty() => None,
            _ => {
                let number = number % state.sockets.len();
                state.sockets[number].is_some().then_some(number)
            }
        }
    }

    /// Whom an emit is from, with his number.
    fn source(&self, me: Option<usize>, from: From) -> Option<Source> {
        match from {
            From::Namespace(space) => {
                let state = self.state();
                Some(Source::Namespace(state.spaces[space % state.spaces.len()].clone()))
            }
            From::Others(number) | From::Within(number) => {
                let number = self.pick(me, number)?;
                self.state().sockets[number].clone().map(Source::Socket)
            }
        }
    }

    fn broadcast<'a>(&self, me: Option<usize>, source: &'a Source, aim: &Aim) -> Broadcast<'a> {
        let none: [&str; 0] = [];
        let start = match (source, aim.from, &aim.to) {
            (Source::Namespace(namespace), _, Some(_)) => namespace.to(none),
            (Source::Namespace(namespace), _, None) => namespace.except(none),
            (Source::Socket(socket), From::Within(_), _) => socket.within(none),
            (Source::Socket(socket), _, Some(_)) => socket.to(none),
            (Source::Socket(socket), _, None) => socket.broadcast(),
        };
        let id = |number| {
            let number = self.pick(me, number)?;
            self.state().sockets[number].as_ref().map(Socket::id)
        };
        let broadcast = aim.to.iter().flatten().fold(start, |broadcast, spot| match *spot {
            Spot::Room(room) => broadcast.to(ROOMS[room]),
            Spot::Socket(number) => match id(number) {
                Some(id) => broadcast.to(id),
                None => broadcast,
            },
        });
        aim.except.iter().fold(broadcast, |broadcast, spot| match *spot {
            Spot::Room(room) => broadcast.except(ROOMS[room]),
            Spot::Socket(number) => match id(number) {
                Some(id) => broadcast.except(id),
                None => broadcast,
            },
        })
    }
}
