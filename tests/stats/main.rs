//! What is counted adds up with what happens, whatever the policy, and does not sink.

#[path = "../common/mod.rs"]
mod common;

mod progress;
mod sums;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomcast::{
    ClientPacket, DisconnectReason, Engine, History, NamespaceStats, Past, Payload, ReceiveError,
};

/// Numbers that look random, and are the same in each run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn every_way_to_read_counts_the_same() {
    let world = Engine::builder().backlog(common::messages(8)).track_progress().build().of("/").unwrap();
    let (socket, mut inbox) = world.connect();
    let emit = |number: usize| (0..number).for_each(|_| _ = socket.emit("n", ()).unwrap());
    emit(3);
    inbox.drain(|_| {});
    emit(3);
    assert_eq!(inbox.iter().count(), 3);
    emit(2);
    assert!(inbox.recv().is_ok() && inbox.recv_timeout(std::time::Duration::ZERO).is_ok());
    emit(1);
    assert!(smol::block_on(inbox.recv_async()).is_ok());
    assert_eq!((inbox.stats().delivered, inbox.stats().gaps), (9, 0));
    emit(100);
    let mut deliveries = 0;
    inbox.drain(|_| deliveries += 1);
    let stats = inbox.stats();
    assert_eq!((stats.gaps, stats.delivered + stats.backlog_missed), (1, 109));
    assert_eq!(stats.delivered, 9 + deliveries - 1);
    assert_eq!(world.stats().delivered, stats.delivered);
    // What a drain handed out that panicked may be missing, but nothing after it.
    emit(4);
    let panicked = catch_unwind(AssertUnwindSafe(|| inbox.drain(|_| panic!("as it should"))));
    assert!(panicked.is_err());
    assert_eq!(inbox.drain(|_| {}), 3);
    assert!((3..=4).contains(&(inbox.stats().delivered - stats.delivered)));
}

#[test]
fn what_an_outbox_sends_is_delivered() {
    let engine = Engine::new();
    let world = engine.of("/").unwrap();
    world.on_connect(|socket| drop(socket.emit("welcome", "hello")));
    let (connection, mut outbox) = engine.connect(());
    connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() }).unwrap();
    assert_eq!(engine.stats().connections, 1);
    outbox.drain(|_| {});
    drop(outbox);
    let stats = engine.stats();
    assert_eq!((stats.total.delivered, stats.total.published, stats.connections), (1, 1, 0));
    assert_eq!(stats.event_names, 1);
}

#[test]
fn each_reason_counts() {
    let engine = Engine::builder().max_sockets(3).unwrap().build();
    let world = engine.of("/world").unwrap();
    let reasons = [
        DisconnectReason::Client,
        DisconnectReason::Server,
        DisconnectReason::Transport,
        DisconnectReason::Timeout,
        DisconnectReason::Protocol,
        DisconnectReason::from("words"),
        DisconnectReason::from("other words"),
    ];
    for reason in &reasons {
        world.connect().0.disconnect(reason.clone());
    }
    let kept: Vec<_> = (0..3).map(|_| world.connect()).collect();
    assert!(world.connect().0.closed() == Some(DisconnectReason::NamespaceFull));
    drop(kept);
    let _late: Vec<_> = (0..2).map(|_| world.connect()).collect();
    engine.remove("/world");
    let stats = world.stats();
    assert_eq!(
        stats.disconnects.to_string(),
        "1 client, 1 server, 1 transport, 1 timeout, 1 protocol, 3 inbox_dropped, 1 namespace_full, \
         2 namespace_removed, 2 other"
    );
    assert_eq!((stats.disconnects.total(), stats.attempts, stats.connects), (13, 13, 12));
    assert_eq!(stats.disconnects.by(&DisconnectReason::from("")), 2);
    assert_eq!(NamespaceStats::default().disconnects.to_string(), "none");
    assert_eq!(engine.stats().total.disconnects, stats.disconnects);
}

#[test]
fn who_is_woken_counts_once() {
    let world = Engine::new().of("/").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join(["a", "b", "c"]).unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    inbox.drain(|_| {});
    inbox.on_wake(move || _ = count.fetch_add(1, Ordering::SeqCst));
    let a = world.room("a").unwrap();
    assert_eq!((a.stats().sleeping, socket.stats().is_sleeping), (1, true));
    for round in 1..=5 {
        world.to(["a", "b"]).emit("n", ()).unwrap();
        world.to("c").emit("n", ()).unwrap();
        assert_eq!((a.stats().sleeping, socket.stats().is_sleeping), (0, false));
        assert_eq!(inbox.drain(|_| {}), 2);
        socket.join(round).unwrap(); // a change of rooms wakes too
        assert_eq!((calls.load(Ordering::SeqCst), world.stats().wakes), (2 * round, 2 * round));
        inbox.drain(|_| {});
    }
}

#[test]
fn what_clients_may_not_do_is_counted() {
    let engine = Engine::builder().inbound_queue(2).unwrap().build();
    let world = engine.of("/").unwrap();
    let (connection, _outbox) = engine.connect(());
    let event = |connection: &roomcast::Connection| {
        let payload = Payload::default();
        connection.receive(ClientPacket::Event { namespace: "/", event: "flood", payload, ack: None })
    };
    let again = connection.clone();
    world
        .on("flood", move |_, _: Payload| {
            let received: Vec<_> = (0..4).map(|_| event(&again)).collect();
            assert_eq!(received.iter().filter(|it| **it == Err(ReceiveError::Busy)).count(), 2);
            again.close(DisconnectReason::Server);
        })
        .unwrap();
    connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() }).unwrap();
    event(&connection).unwrap();
    let (stranger, _outbox) = engine.connect(());
    assert!(event(&stranger).is_err());
    let stats = engine.stats();
    assert_eq!((stats.refused, stats.protocol_errors), (2, 1));
}

#[test]
fn what_removed_namespaces_did_stays() {
    let engine = Engine::new();
    let parent = engine.of_pattern("/game-{id}").unwrap();
    for round in 0..3 {
        for path in ["/", "/world"] {
            let namespace = engine.of(path).unwrap();
            let (socket, _inbox) = namespace.connect();
            socket.join("room").unwrap();
            namespace.to("room").emit("n", "four").unwrap();
            assert!(engine.remove(path));
        }
        let (connection, _outbox) = engine.connect(());
        let namespace = format!("/game-{round}");
        connection
            .receive(ClientPacket::Connect { namespace: &namespace, auth: Payload::default() })
            .unwrap();
        engine.get(&namespace).unwrap().emit("n", "six123").unwrap();
        assert_eq!(parent.children().len(), 1);
        connection.close(DisconnectReason::Client);
        assert_eq!(parent.children().len(), 0);
        let stats = engine.stats();
        assert_eq!((stats.total.published, stats.total.bytes), (3 * (round + 1), 14 * (round + 1)));
        assert_eq!((stats.namespaces, stats.total.sockets, stats.total.rooms), (1, 0, 0));
        assert_eq!(stats.total.disconnects.total(), 3 * (round + 1));
    }
    let (_socket, _inbox) = engine.get("/").unwrap().connect();
    let before = engine.stats();
    engine.close();
    let after = engine.stats();
    assert_eq!(
        (after.namespaces, after.total.sockets, after.total.published),
        (0, 0, before.total.published)
    );
    assert_eq!(after.total.disconnects.by(&DisconnectReason::Shutdown), 1);
}

#[test]
fn what_a_namespace_did_is_there_while_it_is_removed() {
    for ending in [|engine: &Engine| engine.close(), |engine: &Engine| assert!(engine.remove("/world"))] {
        let engine = Engine::new();
        let world = engine.of("/world").unwrap();
        let (seen, here) = (Arc::new(AtomicU64::new(0)), engine.clone());
        let look = Arc::clone(&seen);
        world.on_disconnect(move |_, _| {
            let stats = here.stats();
            assert_eq!((stats.total.published, stats.total.sockets), (3, 0));
            look.fetch_add(1, Ordering::SeqCst);
        });
        let (_socket, _inbox) = world.connect();
        (0..3).for_each(|_| _ = world.emit("n", ()).unwrap());
        ending(&engine);
        assert_eq!((seen.load(Ordering::SeqCst), engine.stats().total.published), (1, 3));
    }
}

#[test]
fn what_a_socket_does_without_adds_up() {
    let engine = Engine::builder().volatile_backlog(1).track_progress().build();
    let world = engine.of("/").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    let lifetime = Duration::from_secs(1);
    for round in 0..10 {
        for key in 0..3 {
            world.to("room").latest(key).emit("state", ()).unwrap();
        }
        world.to("room").lifetime(lifetime).emit("fleeting", ()).unwrap();
        world.to("room").emit("plain", ()).unwrap();
        world.to("room").volatile().emit("position", ()).unwrap();
        engine.tick(round * lifetime);
    }
    assert_eq!(socket.stats().unread, Some(60));
    inbox.drain(|_| {});
    let stats = inbox.stats();
    assert_eq!((stats.replaced, stats.expired), (27, 10));
    assert_eq!(stats.delivered + stats.volatile_dropped, 60 - 27 - 10);
    assert_eq!((inbox.replaced(), inbox.expired()), (stats.replaced, stats.expired));
    let total = world.stats();
    assert_eq!((total.replaced, total.expired, total.delivered), (27, 10, stats.delivered));
    assert_eq!(total.volatile_dropped, stats.volatile_dropped);
}

#[test]
fn what_a_room_keeps_is_counted_when_it_comes_and_not_again_when_it_is_read() {
    let world = Engine::builder().track_progress().build().of("/").unwrap();
    let room = world.room("room").unwrap();
    room.set_history(History::new());
    (0..5).for_each(|_| _ = room.emit("n", "four").unwrap());
    let (late, mut inbox) = world.connect();
    late.join_with(&room, Past::all()).unwrap();
    room.emit("n", "live").unwrap();
    assert_eq!(inbox.drain(|_| {}), 6);
    let stats = world.stats();
    assert_eq!((stats.published, stats.addressed, stats.delivered, stats.bytes), (6, 1, 6, 24));
    assert_eq!(room.stats().retained, 6);
}
