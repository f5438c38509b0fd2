//! Clients by transports: both halves of a connection, and what lets them in.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, Decision, DisconnectReason, Engine, Outbox, Payload, ReadyQueue, ReceiveError,
    ServerPacket, Transport,
};
use shuttle::sync::Mutex;
use shuttle::thread::yield_now;

use crate::rig::{Bell, all, explore, join, join_all, small, spawn};

/// A transport that rings when it is told anything, and remembers why it was closed.
#[derive(Default)]
struct Line {
    bell: Bell,
    closes: Mutex<Vec<DisconnectReason>>,
}

impl Transport for Line {
    fn wake(&self) {
        self.bell.ring();
    }

    fn close(&self, reason: &DisconnectReason) {
        self.closes.lock().unwrap().push(reason.clone());
    }
}

fn connect(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() })
}

fn event<'a>(namespace: &'a str, event: &'a str) -> ClientPacket<'a> {
    ClientPacket::Event { namespace, event, payload: Payload::default(), ack: None }
}

/// What a packet is, in a word or two.
fn text(packet: ServerPacket<'_>) -> String {
    match packet {
        ServerPacket::Connect { namespace, .. } => format!("{namespace} connect"),
        ServerPacket::ConnectError { namespace, message, .. } => format!("{namespace} error {message}"),
        ServerPacket::Event { namespace, delivery, .. } => {
            format!("{namespace} {} {}", delivery.event(), delivery.payload().as_str().unwrap_or("-"))
        }
        ServerPacket::Gap { namespace, gap, .. } => format!("{namespace} gap {}", gap.missed),
        ServerPacket::Ack { namespace, id, .. } => format!("{namespace} ack {id}"),
        ServerPacket::Disconnect { namespace, reason } => format!("{namespace} disconnect {reason}"),
    }
}

/// Drains whenever `wait` returns, until the connection is closed.
fn write(outbox: &mut Outbox, mut wait: impl FnMut(&mut Outbox)) -> Vec<String> {
    let mut written = Vec::new();
    while outbox.closed().is_none() {
        wait(outbox);
        outbox.drain(|packet| written.push(text(packet)));
    }
    written
}

fn of_namespace<'a>(written: &'a [String], namespace: &str) -> Vec<&'a str> {
    let of_it = |packet: &'a String| packet.strip_prefix(namespace)?.strip_prefix(' ');
    written.iter().filter_map(of_it).collect()
}

/// Two namespaces emit to one client, which a third thread disconnects. It drains as it is told by `writing`.
fn serve(writing: fn(&mut Outbox, &Line) -> Vec<String>) -> usize {
    let engine = small().build();
    let paths = ["/a", "/b"];
    let worlds = paths.map(|path| engine.of(path).unwrap());
    let line = Arc::new(Line::default());
    let (connection, mut outbox) = engine.connect(Arc::clone(&line));
    for path in paths {
        connect(&connection, path).unwrap();
    }
    let writer = spawn({
        let line = Arc::clone(&line);
        move || (writing(&mut outbox, &line), outbox)
    });
    let emitters = worlds.map(|world| spawn(move || ["0", "1"].map(|n| world.emit("n", n).unwrap())));
    join_all(emitters);
    assert!(connection.close("over"));
    let (written, _outbox) = join(writer);
    for path in paths {
        assert_eq!(of_namespace(&written, path), ["connect", "n 0", "n 1", "disconnect over"]);
    }
    assert_eq!(*line.closes.lock().unwrap(), ["over".into()]);
    assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
    line.bell.rings()
}

#[test]
fn a_transport_is_woken_for_everything_and_closed_once() {
    fn scenario() -> usize {
        serve(|outbox, line| {
            let mut rings = 0;
            write(outbox, |_| rings = line.bell.wait_past(rings))
        })
    }
    let rings = explore(scenario);
    assert!(rings.len() > 3, "{rings:?}");
}

#[test]
fn a_thread_that_waits_by_the_outbox_is_woken_for_everything() {
    fn scenario() -> usize {
        serve(|outbox, _| write(outbox, Outbox::wait))
    }
    let rings = explore(scenario);
    assert!(rings.len() > 1, "{rings:?}");
}

/// The client, the transport and the engine end a connection at once.
#[test]
fn a_connection_is_closed_for_one_reason() {
    fn scenario() -> String {
        let engine = small().build();
        let ends = Arc::new(Mutex::new(Vec::new()));
        engine.of("/world").unwrap().on_disconnect({
            let ends = Arc::clone(&ends);
            move |_, reason| ends.lock().unwrap().push(reason.clone())
        });
        let line = Arc::new(Line::default());
        let (connection, mut outbox) = engine.connect(Arc::clone(&line));
        connect(&connection, "/world").unwrap();
        let closer = spawn({
            let connection = connection.clone();
            move || connection.close("by hand")
        });
        let misbehaving = spawn({
            let connection = connection.clone();
            move || connect(&connection, "/world")
        });
        let closing = spawn({
            let engine = engine.clone();
            move || engine.close()
        });
        outbox.drain(|_| {});
        let (was_open, mistaken) = (join(closer), join(misbehaving));
        join(closing);
        outbox.drain(|_| {});
        let reason = connection.closed().expect("closed");
        assert_eq!(outbox.closed(), Some(&reason));
        assert_eq!(*line.closes.lock().unwrap(), from_ref(&reason));
        assert_eq!(was_open, reason == "by hand".into());
        let is_mistaken = matches!(mistaken, Err(ReceiveError::Protocol(_)));
        assert!(is_mistaken || reason != DisconnectReason::Protocol);
        assert_eq!(ends.lock().unwrap().len(), 1);
        assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
        reason.to_string()
    }
    assert_eq!(explore(scenario), all(["by hand", "engine closed", "protocol error"].map(String::from)));
}

/// One server thread for two clients, as a ready queue tells it.
#[test]
fn a_ready_queue_tells_of_each_client_that_has_something() {
    fn scenario() -> usize {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let ready = ReadyQueue::new();
        let mut clients = [0, 1].map(|key| {
            let (connection, outbox) = engine.connect(ready.transport(key));
            connect(&connection, "/world").unwrap();
            (connection, outbox, Vec::new())
        });
        let ids = clients.each_ref().map(|(connection, ..)| connection.sockets()[0].id());
        let emitters = ids.map(|id| {
            let world = world.clone();
            // The client may be gone.
            spawn(move || ["0", "1"].map(|n| world.to(id).emit("n", n).is_ok()))
        });
        let closer = spawn({
            let connection = clients[0].0.clone();
            move || connection.close("over")
        });
        let mut served = 0;
        let mut serve = |clients: &mut [(Connection, Outbox, Vec<String>)]| {
            while let Ok(key) = ready.receiver().try_recv() {
                served += 1;
                let (_, outbox, written) = &mut clients[key];
                outbox.drain(|packet| written.push(text(packet)));
                assert!(ready.receiver().len() <= 2, "a key came twice");
            }
        };
        serve(&mut clients);
        let [_, is_sent] = join_all(emitters);
        assert_eq!(is_sent, [true; 2]);
        serve(&mut clients);
        join(closer);
        serve(&mut clients);
        let [(_, gone, first), (_, stays, second)] = &clients;
        assert_eq!((gone.closed(), stays.closed()), (Some(&"over".into()), None));
        assert_eq!(of_namespace(second, "/world"), ["connect", "n 0", "n 1"]);
        let whole = ["connect", "n 0", "n 1"];
        let first = of_namespace(first, "/world");
        let (last, before) = first.split_last().unwrap();
        assert_eq!(*last, "disconnect over");
        assert!(whole.starts_with(before), "{before:?}");
        served
    }
    let served = explore(scenario);
    assert!(served.is_superset(&all([2, 3, 4])), "{served:?}");
}

/// A middleware decides on one thread, while the time runs out on another and the client goes on a third.
#[test]
fn a_client_is_let_in_or_not_once() {
    fn scenario() -> (Vec<String>, usize) {
        const SECOND: Duration = Duration::from_secs(1);
        let engine = small().middleware_timeout(SECOND).build();
        let world = engine.of("/world").unwrap();
        let waiting = Arc::new(Mutex::new(Vec::<Decision>::new()));
        world.deferred_middleware({
            let waiting = Arc::clone(&waiting);
            move |socket, decision| {
                socket.join("lobby").unwrap();
                waiting.lock().unwrap().push(decision);
            }
        });
        let (connected, disconnected) = (Bell::new(), Bell::new());
        world.on_connect({
            let connected = Arc::clone(&connected);
            move |_| connected.ring()
        });
        world.on_disconnect({
            let disconnected = Arc::clone(&disconnected);
            move |_, _| disconnected.ring()
        });
        let line = Arc::new(Line::default());
        let (connection, mut outbox) = engine.connect(Arc::clone(&line));
        connect(&connection, "/world").unwrap();
        let decision = waiting.lock().unwrap().pop().expect("it waits");
        let decider = spawn(move || decision.accept());
        let ticker = spawn({
            let engine = engine.clone();
            move || engine.tick(SECOND)
        });
        let goer = spawn({
            let connection = connection.clone();
            move || connection.close("gone")
        });
        let mut written = Vec::new();
        outbox.drain(|packet| written.push(text(packet)));
        join(decider);
        join(ticker);
        join(goer);
        outbox.drain(|packet| written.push(text(packet)));
        assert_eq!((engine.socket_count(), world.rooms()), (0, vec![]));
        assert_eq!(connected.rings(), disconnected.rings());
        (written, connected.rings())
    }
    let words =
        |packets: &[&str]| packets.iter().map(|packet| format!("/world {packet}")).collect::<Vec<_>>();
    let expected = [
        (words(&[]), 0),
        (words(&[]), 1), // closed before it could be told
        (words(&["error timed out"]), 0),
        (words(&["connect", "disconnect gone"]), 1),
    ];
    assert_eq!(explore(scenario), all(expected));
}

/// Events of one socket by two threads, while a third disconnects it: handlers run one at a time, and the end last.
#[test]
fn handlers_of_a_socket_run_one_at_a_time_and_its_end_last() {
    fn scenario() -> Vec<&'static str> {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        for name in ["a", "b"] {
            let calls = Arc::clone(&calls);
            let handler = move |_: &roomcast::Socket, _: Payload| {
                calls.lock().unwrap().push("in");
                yield_now();
                calls.lock().unwrap().push(name);
            };
            world.on(name, handler).unwrap();
        }
        world.on_disconnect({
            let calls = Arc::clone(&calls);
            move |_, _| calls.lock().unwrap().push("end")
        });
        let (connection, _outbox) = engine.connect(());
        connect(&connection, "/world").unwrap();
        let socket = connection.socket("/world").unwrap();
        let clients = ["a", "b"].map(|name| {
            let connection = connection.clone();
            spawn(move || connection.receive(event("/world", name)).unwrap())
        });
        let ender = spawn(move || socket.disconnect("over"));
        join_all(clients);
        join(ender);
        let calls = std::mem::take(&mut *calls.lock().unwrap());
        let (last, handled) = calls.split_last().expect("the end is told");
        assert_eq!(*last, "end");
        assert!(
            handled.chunks(2).all(|call| call.len() == 2 && call[0] == "in" && call[1] != "in"),
            "{calls:?}"
        );
        calls.into_iter().filter(|call| *call != "in").collect()
    }
    let orders: [&[&str]; 5] =
        [&["end"], &["a", "end"], &["b", "end"], &["a", "b", "end"], &["b", "a", "end"]];
    assert_eq!(explore(scenario), all(orders.map(<[_]>::to_vec)));
}

/// Children come with the first client and go with the last: who connects is in the one that exists.
#[test]
fn a_dynamic_namespace_is_there_for_whoever_connects() {
    fn scenario() -> (usize, usize) {
        let engine: Engine = small().build();
        let games = engine.of_pattern("/game-{id}").unwrap();
        let made = Bell::new();
        engine.on_new_namespace({
            let made = Arc::clone(&made);
            move |_| made.ring()
        });
        games.on_connect(|socket| _ = socket.emit("n", "welcome"));
        let comers = [(); 3].map(|()| {
            let engine = engine.clone();
            spawn(move || {
                let (connection, mut outbox) = engine.connect(());
                connect(&connection, "/game-1").unwrap();
                // Who comes while hooks are told of the namespace is let in by the one who made it.
                let mut written = Vec::new();
                while written.len() < 2 {
                    outbox.wait();
                    outbox.drain(|packet| written.push(text(packet)));
                }
                let socket = connection.socket("/game-1").expect("let in");
                assert_eq!(engine.get("/game-1"), Some(socket.namespace()));
                connection.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
                assert_eq!(written, ["/game-1 connect", "/game-1 n welcome"]);
            })
        });
        let seen = games.children().len();
        join_all(comers);
        assert_eq!((games.children().len(), engine.socket_count()), (0, 0));
        assert!(engine.get("/game-1").is_none());
        (seen, made.rings())
    }
    assert_eq!(
        explore(scenario),
        [0, 1].into_iter().flat_map(|seen| (1..=3).map(move |made| (seen, made))).collect()
    );
}
