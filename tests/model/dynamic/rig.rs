//! The same on an engine.

use std::sync::{Arc, Mutex};

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Engine, Handshake, ListenerId, Namespace, Outbox, Parent,
    Payload, Socket,
};

use super::world::accepts;
use super::{CLIENTS, PATHS, PATTERNS, Step, Where};
use crate::{Check, ensure};

pub(super) struct Rig {
    engine: Engine,
    parents: Vec<Parent>,
    clients: Vec<(Connection, Outbox)>,
    registered: Vec<(Holder, Vec<ListenerId>)>,
    pub(super) trace: Trace,
}

type Trace = Arc<Mutex<Vec<String>>>;

enum Holder {
    Parent(Parent),
    Namespace(Namespace),
}

fn say(trace: &Trace, line: String) {
    trace.lock().expect("nothing panics under it").push(line);
}

/// Registers one hook of each kind, on a parent or a namespace.
macro_rules! register {
    ($holder:expr, $label:expr, $trace:expr) => {{
        let (label, holder) = ($label, $holder);
        let said = |what: &'static str| {
            let trace = Arc::clone($trace);
            move |socket: &Socket| say(&trace, format!("{what} {label} in {}", socket.namespace().path()))
        };
        let (middleware, connect, disconnect, event) =
            (said("middleware"), said("connect"), said("disconnect"), said("event"));
        vec![
            holder.middleware(move |socket| {
                middleware(socket);
                let is_let_in = socket.auth().downcast_ref::<(bool, bool)>().is_none_or(|(_, it)| *it);
                if is_let_in { Ok(()) } else { Err("no".into()) }
            }),
            holder.on_connect(connect),
            holder.on_disconnect(move |socket, _| disconnect(socket)),
            holder.on("event", move |socket, _: Payload| event(socket)).expect("the name is good"),
        ]
    }};
}

impl Rig {
    pub(super) fn new() -> Self {
        let engine = Engine::new();
        let clients = (0..CLIENTS).map(|_| engine.connect(Handshake::new())).collect();
        let trace = Trace::default();
        let again = Arc::clone(&trace);
        engine.on_new_namespace(move |namespace| {
            let params = namespace.params();
            let params: Vec<(&str, &str)> = params.iter().collect();
            say(&again, format!("new {} {params:?}", namespace.path()));
        });
        Self { engine, parents: Vec::new(), clients, registered: Vec::new(), trace }
    }

    fn say(&self, line: impl Into<String>) {
        say(&self.trace, line.into());
    }

    pub(super) fn apply(&mut self, step: Step) -> Check {
        match step {
            Step::Pattern(pattern) => {
                let parent = self.engine.of_pattern(PATTERNS[pattern]).map_err(|error| error.to_string())?;
                if !self.parents.contains(&parent) {
                    self.parents.push(parent);
                }
            }
            Step::Function(function) => self.parents.push(self.engine.of_fn(move |path, auth| {
                let path = PATHS.iter().position(|other| *other == path).expect("it is one of them");
                let says = auth.downcast_ref::<(bool, bool)>().is_some_and(|(says, _)| *says);
                if function == 2 {
                    std::panic::resume_unwind(Box::new("oops"));
                }
                accepts(function, path, says)
            })),
            Step::Register(place) => {
                let label = self.registered.len();
                let holder = match place {
                    Where::Parent(_) if self.parents.is_empty() => return Ok(()),
                    Where::Parent(parent) => {
                        Holder::Parent(self.parents[parent % self.parents.len()].clone())
                    }
                    Where::Path(path) => match self.engine.get(PATHS[path]) {
                        Some(namespace) => Holder::Namespace(namespace),
                        None => return Ok(()),
                    },
                };
                let ids = match &holder {
                    Holder::Parent(parent) => register!(parent, label, &self.trace),
                    Holder::Namespace(namespace) => register!(namespace, label, &self.trace),
                };
                self.registered.push((holder, ids));
            }
            Step::Off(label) => {
                if !self.registered.is_empty() {
                    let (holder, ids) = &self.registered[label % self.registered.len()];
                    ids.iter().for_each(|&id| match holder {
                        Holder::Parent(parent) => _ = parent.off(id),
                        Holder::Namespace(namespace) => _ = namespace.off(id),
                    });
                }
            }
            Step::Connect { client, path, says, is_let_in } => {
                let connection = &self.clients[client].0;
                if connection.closed().is_none() && connection.socket(PATHS[path]).is_none() {
                    let auth = Payload::from(Arc::new((says, is_let_in)));
                    let received = connection.receive(ClientPacket::Connect { namespace: PATHS[path], auth });
                    ensure!(received.is_ok(), "connecting returned {received:?}");
                    let connected = connection.socket(PATHS[path]).is_some();
                    self.say(if connected { "connected" } else { "refused" });
                }
            }
            Step::Leave { client, path } => {
                let connection = &self.clients[client].0;
                if connection.socket(PATHS[path]).is_some() {
                    let received = connection.receive(ClientPacket::Disconnect { namespace: PATHS[path] });
                    ensure!(received.is_ok(), "leaving returned {received:?}");
                }
            }
            Step::Close { client } => _ = self.clients[client].0.close(DisconnectReason::Transport),
            Step::Of(path) => {
                let found = self.engine.of(PATHS[path]);
                ensure!(found.is_ok() != self.engine.is_closed(), "of returned {found:?}");
            }
            Step::Remove(path) => {
                let removed = self.engine.remove(PATHS[path]);
                self.say(format!("removed {removed}"));
            }
            Step::KeepEmpty(parent, keep) => {
                if !self.parents.is_empty() {
                    self.parents[parent % self.parents.len()].keep_empty(keep);
                }
            }
            Step::Emit(parent) => {
                if !self.parents.is_empty() {
                    let emitted = self.parents[parent % self.parents.len()].emit("news", "1");
                    let emitted = emitted.map_err(|error| error.to_string())?;
                    self.say(format!("emitted to {}", emitted.members()));
                }
            }
            Step::Event { client, path } => {
                let connection = &self.clients[client].0;
                if connection.socket(PATHS[path]).is_some() {
                    let (payload, ack) = (Payload::default(), None);
                    let packet = ClientPacket::Event { namespace: PATHS[path], event: "event", payload, ack };
                    let received = connection.receive(packet);
                    ensure!(received.is_ok(), "an event returned {received:?}");
                }
            }
            Step::Shutdown => {
                self.engine.close();
                self.parents.clear();
            }
        }
        // So that the client knows, and nothing piles up.
        self.clients.iter_mut().for_each(|(_, outbox)| _ = outbox.drain(|_| {}));
        Ok(())
    }

    pub(super) fn look(&self) -> Vec<String> {
        let namespaces = self.engine.namespaces();
        let all: Vec<_> = namespaces.iter().map(|space| (space.path(), space.socket_count())).collect();
        let mut lines = vec![format!("{all:?}")];
        for (number, parent) in self.parents.iter().enumerate() {
            let children = parent.children();
            let children: Vec<_> = children.iter().map(Namespace::path).collect();
            lines.push(format!("children of {number}: {children:?}"));
        }
        lines
    }
}
