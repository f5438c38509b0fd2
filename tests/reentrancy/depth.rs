//! Code that has itself called again, a hundred thousand times over: most of it one after the other, on a stack that does
//! not grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use roomcast::{Client, ClientPacket, Connection, Engine, Inbox, Namespace, Outbox, Payload, Socket};

use crate::common::{messages, watched};

/// How often something was called, and how deep in itself.
#[derive(Default)]
struct Rounds {
    runs: AtomicUsize,
    depth: AtomicUsize,
    deepest: AtomicUsize,
    limit: usize,
}

impl Rounds {
    /// One more, which has the next one called, up to the limit.
    fn round(&self, again: impl FnOnce()) {
        if self.runs.fetch_add(1, Ordering::SeqCst) < self.limit {
            let depth = self.depth.fetch_add(1, Ordering::SeqCst) + 1;
            self.deepest.fetch_max(depth, Ordering::SeqCst);
            again();
            self.depth.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

type Begin = fn(&Arc<Rounds>);

/// Far more than a stack has frames, and no more than a slow build does in a second.
const MANY: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

const FLAT: [(&str, Begin); 6] = [
    ("a handler that has its own event come again", |rounds| {
        let engine = Engine::new();
        let (connection, _outbox) = client(&engine);
        let rounds = Arc::clone(rounds);
        let again = move |socket: &Socket, _: Payload| rounds.round(|| send(&socket.connection().unwrap()));
        engine.of("/").unwrap().on("e", again).unwrap();
        send(&connection);
    }),
    ("a hook of rooms that joins and leaves", |rounds| {
        let namespace = Engine::new().of("/").unwrap();
        let (socket, _inbox) = namespace.connect();
        let rounds = Arc::clone(rounds);
        namespace.on_room(move |namespace, _| {
            rounds.round(|| {
                let socket = &namespace.sockets()[0];
                drop(if socket.is_in("room") { socket.leave("room") } else { socket.join("room") });
            });
        });
        socket.join("room").unwrap();
    }),
    ("a drain that emits to itself", |rounds| {
        let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
        socket.emit("e", "").unwrap();
        while inbox.drain(|_| rounds.round(|| drop(socket.emit("e", "")))) > 0 {}
    }),
    ("a callback that emits to itself", |rounds| {
        let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
        let again = Arc::clone(rounds);
        inbox.on_wake({
            let socket = socket.clone();
            move || again.round(|| drop(socket.emit("e", "")))
        });
        while rounds.runs.load(Ordering::SeqCst) < rounds.limit {
            inbox.drain(|_| {});
            drop(socket.emit("e", ""));
        }
    }),
    ("a client and a server that answer each other", |rounds| {
        let engine = Engine::new();
        engine.of("/").unwrap().on("e", |socket, _: Payload| socket.emit("e", "").map(drop)).unwrap();
        let client = Client::new(&engine);
        let socket = client.socket("/", ()).unwrap();
        let rounds = Arc::clone(rounds);
        socket.on("e", move |socket, _: Payload| rounds.round(|| socket.emit("e", "").unwrap())).unwrap();
        client.poll();
        socket.emit("e", "").unwrap();
        while client.poll() > 0 {}
    }),
    ("a payload that emits another when it is dropped", |rounds| {
        let engine = Engine::builder().backlog(messages(1)).build();
        let (socket, mut inbox) = engine.of("/").unwrap().connect();
        socket.emit("e", chain(&socket, rounds)).unwrap();
        while rounds.runs.load(Ordering::SeqCst) < rounds.limit {
            drop(socket.emit("e", ""));
            inbox.drain(|_| {});
        }
    }),
];

const NESTED: [(&str, Begin); 6] = [
    ("a callback of a tick that ticks", |rounds| {
        let engine = Engine::new();
        let (socket, _inbox) = engine.of("/").unwrap().connect();
        socket_asks(&engine, &socket, &Arc::clone(rounds));
        while rounds.runs.load(Ordering::SeqCst) < rounds.limit {
            engine.tick(engine.now() + Duration::from_secs(1));
        }
    }),
    ("two callbacks that drain and emit to each other", |rounds| {
        let namespace = Engine::new().of("/").unwrap();
        let inboxes: Arc<[(Socket, Mutex<Inbox>); 2]> = Arc::new(
            [namespace.connect(), namespace.connect()].map(|(socket, inbox)| (socket, Mutex::new(inbox))),
        );
        for (mine, other) in [(0, 1), (1, 0)] {
            let (rounds, all) = (Arc::clone(rounds), Arc::downgrade(&inboxes));
            inboxes[mine].1.lock().drain(|_| {});
            inboxes[mine].1.lock().on_wake(move || {
                let all = all.upgrade().unwrap();
                all[mine].1.lock().drain(|_| {});
                rounds.round(|| drop(all[other].0.emit("e", "")));
            });
        }
        inboxes[0].0.emit("e", "").unwrap();
    }),
    ("a callback of no answers that asks again", |rounds| {
        ask_nobody(&Engine::new().of("/").unwrap(), rounds);
    }),
    ("a hook of connects that connects another", |rounds| {
        let namespace = Engine::new().of("/").unwrap();
        let rounds = Arc::clone(rounds);
        namespace.on_connect(move |socket| rounds.round(|| drop(socket.namespace().connect())));
        drop(namespace.connect());
    }),
    ("a hook of disconnects that disconnects the next", |rounds| {
        let namespace = Engine::new().of("/").unwrap();
        let ends: Vec<_> = (0..=rounds.limit).map(|_| namespace.connect()).collect();
        let rounds = Arc::clone(rounds);
        namespace.on_disconnect(move |socket, reason| {
            let next = socket.namespace().sockets().into_iter().next();
            rounds.round(|| next.iter().for_each(|next| _ = next.disconnect(reason.clone())));
        });
        ends[0].0.disconnect("bye");
    }),
    ("a hook of namespaces that makes another", |rounds| {
        let engine = Engine::new();
        let (rounds, world) = (Arc::clone(rounds), engine.clone());
        engine.on_new_namespace(move |namespace| {
            rounds.round(|| drop(world.of(&format!("{}1", namespace.path()))));
        });
        engine.of("/1").unwrap();
        engine.close();
    }),
];

fn two_handlers(rounds: &Arc<Rounds>) {
    let engine = Engine::new();
    let clients = [client(&engine), client(&engine)];
    let (rounds, all) = (Arc::clone(rounds), clients.each_ref().map(|(connection, _)| connection.clone()));
    let again = move |socket: &Socket, _: Payload| {
        let is_other = |it: &&Connection| it.socket("/").as_ref() != Some(socket);
        rounds.round(|| all.iter().find(is_other).into_iter().for_each(send));
    };
    engine.of("/").unwrap().on("e", again).unwrap();
    send(&clients[0].0);
    engine.close();
}

fn ask_nobody(namespace: &Namespace, rounds: &Arc<Rounds>) {
    let (again, rounds) = ((namespace.clone(), Arc::clone(rounds)), Arc::clone(rounds));
    let ack = namespace.to("nobody").emit_with_ack("q", "").unwrap();
    ack.on_done(move |_| rounds.round(|| ask_nobody(&again.0, &again.1)));
}

/// A payload that emits its like when it is dropped.
struct Chain(Socket, Arc<Rounds>);

fn chain(socket: &Socket, rounds: &Arc<Rounds>) -> Payload {
    Arc::new(Chain(socket.clone(), Arc::clone(rounds))).into()
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.1.round(|| drop(self.0.emit("e", chain(&self.0, &self.1))));
    }
}

fn socket_asks(engine: &Engine, socket: &Socket, rounds: &Arc<Rounds>) {
    let (engine, socket, rounds) = (engine.clone(), socket.clone(), Arc::clone(rounds));
    let second = Duration::from_secs(1);
    socket.clone().emit_with_ack("q", "").unwrap().timeout(second).on_done(move |_| {
        let again = Arc::clone(&rounds);
        rounds.round(|| {
            socket_asks(&engine, &socket, &again);
            engine.tick(engine.now() + second);
        });
    });
}

fn client(engine: &Engine) -> (Connection, Outbox) {
    let (connection, outbox) = engine.connect(());
    connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() }).unwrap();
    (connection, outbox)
}

fn send(connection: &Connection) {
    let packet = ClientPacket::Event { namespace: "/", event: "e", payload: Payload::default(), ack: None };
    connection.receive(packet).unwrap();
}

/// Begins it, and returns how deep it got.
fn depth(what: &str, begin: Begin, limit: usize) -> usize {
    let rounds = Arc::new(Rounds { limit, ..Rounds::default() });
    let begun = Arc::clone(&rounds);
    watched(what, move || begin(&begun));
    assert!(rounds.runs.load(Ordering::SeqCst) >= limit, "{what}: ended before");
    rounds.deepest.load(Ordering::SeqCst)
}

#[test]
fn what_has_itself_called_again_is_called_one_after_the_other() {
    for (what, begin) in FLAT {
        assert_eq!(depth(what, begin, MANY), 1, "{what}");
    }
}

#[test]
fn handlers_nest_once_for_each_socket() {
    assert_eq!(depth("handlers of two sockets", two_handlers, MANY), 2);
}

/// As is said of them in the guide: they are to leave what they have come for to a thread or task.
#[test]
fn what_acts_in_the_middle_of_a_call_nests() {
    for (what, begin) in NESTED {
        assert_eq!(depth(what, begin, 100), 100, "{what}");
    }
}
