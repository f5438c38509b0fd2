//! Connections through the public handles: who decides on a socket, who closes it, who runs its handlers.
//!
//! What is under the locks of `crate::sync` is interleaved here: the tables of connections and namespaces,
//! attempts, jobs. Counters of the layers above (`hub.rs`, `listeners.rs`) are `std`'s, which loom does not see;
//! `tests/stress` covers those.

use std::sync::{Arc as StdArc, Mutex as StdMutex};

use loom::sync::Notify;
use loom::thread;

use super::{all, explore, explore_within};
use crate::sync::Mutex;
use crate::{
    ClientPacket, Connection, Decision, DisconnectReason, Engine, Handshake, Outbox, Payload, ServerPacket,
};

/// An engine whose namespace `/` writes down what becomes of its sockets, and is not told twice at a time.
struct Stage {
    engine: Engine,
    told: StdArc<StdMutex<Vec<&'static str>>>,
}

impl Stage {
    fn new() -> Self {
        let engine = Engine::new();
        let told = StdArc::<StdMutex<Vec<_>>>::default();
        let world = engine.of("/").unwrap();
        let at_work = StdArc::new(Mutex::new(()));
        let tell = |what| {
            let (told, at_work) = (StdArc::clone(&told), StdArc::clone(&at_work));
            move || {
                let _one = at_work.try_lock().expect("one at a time");
                told.lock().unwrap().push(what);
            }
        };
        let [connect, disconnect, event, failure] = ["connect", "disconnect", "event", "failure"].map(tell);
        world.on_error(move |_, _| failure()); // a panic in one of them ends there
        world.on_connect(move |_| connect());
        world.on_disconnect(move |_, _| disconnect());
        world.on("event", move |_, _: Payload| event()).unwrap();
        Self { engine, told }
    }

    fn connect(&self) -> (Connection, Outbox) {
        self.engine.connect(Handshake::new())
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }

    /// Sees to it that nothing is left.
    fn end(self) {
        let core = StdArc::clone(self.engine.directory());
        let world = self.engine.get("/");
        self.engine.close();
        assert_eq!((self.engine.connection_count(), self.engine.socket_count()), (0, 0));
        assert!(world.is_none_or(|world| !world.core().is_occupied()));
        assert_eq!(core.core.clock.len(), 0);
    }
}

fn enter(connection: &Connection, namespace: &str) {
    connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() }).unwrap();
}

/// Has decisions made later, by whoever takes them out.
fn defer(engine: &Engine) -> StdArc<StdMutex<Option<Decision>>> {
    let decision = StdArc::<StdMutex<Option<Decision>>>::default();
    engine.of("/").unwrap().deferred_middleware({
        let decision = StdArc::clone(&decision);
        move |_, new| *decision.lock().unwrap() = Some(new)
    });
    decision
}

/// What was sent, by a letter each: `C`onnected, `E`rror, e`v`ent, `D`isconnected.
fn drain(outbox: &mut Outbox) -> String {
    let mut sent = String::new();
    outbox.drain(|packet| {
        sent.push(match packet {
            ServerPacket::Connect { .. } => 'C',
            ServerPacket::ConnectError { .. } => 'E',
            ServerPacket::Event { .. } => 'v',
            ServerPacket::Disconnect { .. } => 'D',
            other => panic!("{other:?}"),
        });
    });
    sent
}

#[test]
fn a_connection_to_a_closing_engine_is_closed_and_forgotten() {
    let outcomes = explore("connection against the close of the engine", 25, || {
        let engine = Engine::new();
        let closer = thread::spawn({
            let engine = engine.clone();
            move || engine.close()
        });
        let (connection, mut outbox) = engine.connect(Handshake::new());
        let was_closed = connection.closed().is_some();
        closer.join().unwrap();
        assert_eq!(connection.closed(), Some(DisconnectReason::Shutdown));
        assert_eq!((engine.connection_count(), engine.directory().core.clock.len()), (0, 0));
        assert_eq!(drain(&mut outbox), "");
        assert_eq!(outbox.closed(), Some(&DisconnectReason::Shutdown));
        was_closed
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn a_socket_of_a_closing_engine_is_closed_with_it() {
    let outcomes = explore_within(2, "connect packet against the close of the engine", 200, || {
        let stage = Stage::new();
        let (connection, mut outbox) = stage.connect();
        let closer = thread::spawn({
            let engine = stage.engine.clone();
            move || engine.close()
        });
        let is_received =
            connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() }).is_ok();
        closer.join().unwrap();
        assert!(connection.sockets().is_empty());
        let (told, sent) = (stage.told(), drain(&mut outbox));
        assert!(told.is_empty() || told == ["connect", "disconnect"], "{told:?}");
        assert!(outbox.closed().is_some());
        stage.end();
        (is_received, told.len(), sent)
    });
    let let_in = (true, 2, "CD".to_owned());
    assert!(outcomes.is_superset(&all([(false, 0, String::new()), let_in])), "{outcomes:?}");
}

/// Accepts on a thread of its own. A decision holds its socket weakly, which loom does not see: the look at the
/// connection is where it switches.
fn decide(connection: &Connection, decision: Decision) -> thread::JoinHandle<()> {
    let connection = connection.clone();
    thread::spawn(move || {
        drop(connection.closed());
        decision.accept();
    })
}

#[test]
fn a_decision_counts_or_the_deadline() {
    let outcomes = explore("accept against tick", 20, || {
        let stage = Stage::new();
        let decision = defer(&stage.engine);
        let (connection, mut outbox) = stage.connect();
        enter(&connection, "/");
        let decision = decision.lock().unwrap().take().unwrap();
        let decider = decide(&connection, decision);
        stage.engine.tick(std::time::Duration::from_secs(30));
        decider.join().unwrap();
        let sent = drain(&mut outbox);
        let told = stage.told();
        assert_eq!(told.len(), connection.sockets().len());
        assert_eq!(sent, if told.is_empty() { "E" } else { "C" });
        stage.end();
        sent
    });
    assert_eq!(outcomes, all(["C", "E"].map(String::from)));
}

#[test]
fn a_socket_that_is_accepted_while_its_connection_closes_is_not_left() {
    let outcomes = explore("accept against the close of the connection", 100, || {
        let stage = Stage::new();
        let decision = defer(&stage.engine);
        let (connection, mut outbox) = stage.connect();
        enter(&connection, "/");
        let decision = decision.lock().unwrap().take().unwrap();
        let decider = decide(&connection, decision);
        assert!(connection.close(DisconnectReason::Transport));
        decider.join().unwrap();
        assert_eq!(stage.engine.socket_count(), 0);
        let (told, sent) = (stage.told(), drain(&mut outbox));
        assert!(told.is_empty() || told == ["connect", "disconnect"], "{told:?}");
        assert!(["", "CD"].contains(&&*sent), "{sent}");
        assert!(outbox.closed().is_some());
        stage.end();
        (told.len(), sent)
    });
    assert_eq!(outcomes, all([(0, ""), (2, ""), (2, "CD")].map(|(told, sent)| (told, sent.to_owned()))));
}

#[test]
fn a_socket_that_is_accepted_while_its_client_gives_it_up_is_not_left() {
    let outcomes = explore("accept against a disconnect packet", 100, || {
        let stage = Stage::new();
        let decision = defer(&stage.engine);
        let (connection, mut outbox) = stage.connect();
        enter(&connection, "/");
        let decision = decision.lock().unwrap().take().unwrap();
        let decider = decide(&connection, decision);
        connection.receive(ClientPacket::Disconnect { namespace: "/" }).unwrap();
        decider.join().unwrap();
        assert_eq!((stage.engine.socket_count(), connection.sockets().len()), (0, 0));
        let (told, sent) = (stage.told(), drain(&mut outbox));
        assert!(told.is_empty() || told == ["connect", "disconnect"], "{told:?}");
        // It is told nothing of what it has given up.
        assert_eq!((&*sent, &*drain(&mut outbox)), ("", ""));
        stage.end();
        told.len()
    });
    assert_eq!(outcomes, all([0, 2]));
}

#[test]
fn handlers_of_a_socket_run_one_at_a_time() {
    let outcomes = explore_within(2, "two events and a disconnect", 500, || {
        let stage = Stage::new();
        let (connection, outbox) = stage.connect();
        enter(&connection, "/");
        let others = [(); 2].map(|()| {
            let connection = connection.clone();
            let send = move |payload| {
                let event = ClientPacket::Event { namespace: "/", event: "event", payload, ack: None };
                connection.receive(event).is_ok()
            };
            thread::spawn(move || send(Payload::default()))
        });
        assert!(connection.socket("/").unwrap().disconnect(DisconnectReason::Server));
        let taken = others.map(|other| other.join().unwrap());
        assert_eq!(taken, [true, true], "what it sends to a socket that has gone is not its fault");
        let told = stage.told();
        let events = told.len() - 2;
        let expected: Vec<_> =
            ["connect"].into_iter().chain(vec!["event"; events]).chain(["disconnect"]).collect();
        assert_eq!(told, expected);
        drop(outbox);
        stage.end();
        events
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn nobody_is_in_a_child_that_has_gone() {
    let outcomes = explore("connect to a child against its last disconnect", 150, || {
        let engine = Engine::new();
        let _games = engine.of_pattern("/game-{id}").unwrap();
        let [(one, _one), (two, mut outbox)] = [(); 2].map(|()| engine.connect(Handshake::new()));
        enter(&one, "/game-1");
        let first = engine.get("/game-1").unwrap();
        let leaver = thread::spawn(move || {
            one.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
            one
        });
        enter(&two, "/game-1");
        let one = leaver.join().unwrap();
        let socket = two.socket("/game-1").expect("it got in");
        let child = engine.get("/game-1").expect("it is there");
        assert_eq!(socket.namespace(), child);
        assert_eq!((child.socket_ids(), child.is_closed()), (vec![socket.id()], false));
        assert_eq!(drain(&mut outbox), "C");
        let is_same = child == first;
        assert!(is_same || first.is_closed());
        two.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
        assert!(engine.get("/game-1").is_none());
        engine.close();
        drop(one);
        is_same
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn whoever_makes_a_child_is_in_it() {
    let outcomes = explore_within(2, "two connects to a new child, and a disconnect", 100, || {
        let engine = Engine::new();
        let _games = engine.of_pattern("/game-{id}").unwrap();
        let [(one, _one), (two, _two)] = [(); 2].map(|()| engine.connect(Handshake::new()));
        let passer = thread::spawn(move || {
            enter(&one, "/game-1");
            one.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
        });
        enter(&two, "/game-1");
        let first = two.socket("/game-1").map(|socket| socket.namespace());
        passer.join().unwrap();
        let child = engine.get("/game-1");
        assert!(child.is_some() && child == first, "it got in, and stays in the one that is found");
        engine.close();
        first.map(|child| child.is_closed())
    });
    assert_eq!(outcomes, all([Some(true)]));
}

#[test]
fn a_transport_is_woken_for_all_that_it_is_to_send() {
    let outcomes = explore_within(2, "connect and emit against a transport that waits", 500, || {
        let stage = Stage::new();
        let (connection, mut outbox) = stage.connect();
        let sender = thread::spawn({
            let connection = connection.clone();
            move || {
                enter(&connection, "/");
                connection.socket("/").unwrap().emit("event", "!").unwrap();
            }
        });
        let bell = StdArc::new(Notify::new());
        outbox.on_wake({
            let bell = StdArc::clone(&bell);
            move || bell.notify()
        });
        let (mut sent, mut drains) = (String::new(), 0);
        while sent.len() < 2 {
            sent.push_str(&drain(&mut outbox));
            drains += 1;
            if sent.len() < 2 {
                bell.wait(); // for good, if a wake-up was lost
            }
        }
        sender.join().unwrap();
        assert_eq!(sent, "Cv");
        drop(outbox);
        stage.end();
        drains.min(3)
    });
    assert_eq!(outcomes, all([1, 2, 3]));
}
