//! One thread for many connections: which of them have something to send, in which order, and nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, select};
use roomcast::{DisconnectReason, Engine, Handshake, Namespace, Outbox, ReadyQueue, ServerPacket};

use crate::common::{messages, number, watched};
use crate::rig::{Peer, connect, stop_at, text};

/// So many clients in one namespace, in a room of each one's own, that have read so; keys are their numbers.
fn clients(count: usize) -> (Engine, Namespace, ReadyQueue<usize>, Vec<Peer>) {
    let engine = Engine::new();
    let namespace = engine.of("/").unwrap();
    let ready = ReadyQueue::new();
    let peers = (0..count).map(|key| {
        let peer = Peer::joined(&engine, ready.transport(key), &["/"], "room");
        peer.socket("/").join(key as i64).unwrap();
        peer
    });
    let mut peers: Vec<_> = peers.collect();
    peers.iter_mut().for_each(|peer| assert!(peer.read().is_empty()));
    assert_eq!(keys(&ready).into_iter().collect::<BTreeSet<_>>(), (0..count).collect());
    (engine, namespace, ready, peers)
}

fn keys(ready: &ReadyQueue<usize>) -> Vec<usize> {
    ready.receiver().try_iter().collect()
}

fn emit(namespace: &Namespace, key: i64) {
    namespace.to(key).emit("e", "").unwrap();
}

#[test]
fn a_key_comes_once_until_its_connection_is_drained_in_the_order_of_becoming_ready() {
    let (_, namespace, ready, mut peers) = clients(5);
    for key in [3, 0, 3, 4, 0, 0] {
        emit(&namespace, key);
    }
    assert_eq!(keys(&ready), [3, 0, 4]);
    // Who was told is not told again; who is new comes behind.
    for key in [4, 1, 3] {
        emit(&namespace, key);
    }
    assert_eq!(keys(&ready), [1]);
    assert_eq!(peers[3].read().len(), 3);
    for key in [0, 3, 4, 2] {
        emit(&namespace, key);
    }
    assert_eq!(keys(&ready), [3, 2]);
    let lengths = peers.iter_mut().map(|peer| peer.read().len()).collect::<Vec<_>>();
    assert_eq!(lengths, [4, 1, 1, 1, 3]);
    assert!(keys(&ready).is_empty());
    namespace.to("room").emit("e", "").unwrap();
    assert_eq!(keys(&ready).into_iter().collect::<BTreeSet<_>>(), (0..5).collect());
}

#[test]
fn the_key_of_a_connection_that_is_closed_comes() {
    let (engine, _, ready, mut peers) = clients(4);
    assert!(peers[2].connection.close("over"));
    assert_eq!(keys(&ready), [2]);
    assert_eq!(peers[2].read(), ["/ disconnect:over"]);
    assert_eq!(peers[2].outbox.closed(), Some(&"over".into()));
    drop(peers.remove(1));
    assert_eq!(keys(&ready), [1], "its outbox is gone");
    engine.close();
    assert_eq!(keys(&ready).into_iter().collect::<BTreeSet<_>>(), [0, 3].into());
    // One that is closed from the start as well.
    let mut late = Peer::new(&engine, ready.transport(9));
    assert_eq!((keys(&ready), late.read().len()), (vec![9], 0));
    assert_eq!(late.outbox.closed(), Some(&DisconnectReason::Shutdown));
}

#[test]
fn one_that_stops_comes_again_behind_the_others_if_it_is_put_back() {
    let (_, namespace, ready, mut peers) = clients(3);
    (0..3).for_each(|_| emit(&namespace, 0));
    (1..3).for_each(|key| emit(&namespace, key));
    let mut order = Vec::new();
    while let Ok(key) = ready.receiver().try_recv() {
        let mut count = 0;
        let drained = peers[key].outbox.try_drain(|_| {
            order.push(key);
            count += 1;
            stop_at(1, count)
        });
        if drained.is_break() {
            ready.push(key);
        }
    }
    assert_eq!(order, [0, 1, 2, 0, 0]);
    // Left there, it is not told of again.
    (0..3).for_each(|_| emit(&namespace, 0));
    assert_eq!((keys(&ready), peers[0].read_some(1).len()), (vec![0], 1));
    emit(&namespace, 0);
    assert!(keys(&ready).is_empty());
    assert_eq!(peers[0].read().len(), 3);
}

#[test]
fn a_queue_stands_beside_other_channels() {
    watched("select", || {
        let (_engine, namespace, ready, mut peers) = clients(3);
        let (commands, commanded) = bounded(0);
        let publisher = thread::spawn(move || {
            for n in 0..300 {
                emit(&namespace, n % 3);
            }
            commands.send("stop").unwrap();
            commands
        });
        let (mut packets, mut is_over) = (0, false);
        while packets < 300 || !is_over {
            select! {
                recv(ready.receiver()) -> key => packets += peers[key.unwrap()].read().len(),
                recv(commanded) -> command => is_over |= command.is_ok(),
            }
        }
        publisher.join().unwrap();
        assert_eq!(packets, 300);
    });
}

#[test]
fn two_threads_share_a_queue_and_nothing_is_lost() {
    const EACH: usize = 200;
    watched("two threads", || {
        let (_, namespace, ready, peers) = clients(20);
        // A key may come to the second thread while the first is still at it.
        let outboxes: Vec<_> = peers.into_iter().map(|it| Mutex::new(it.outbox)).collect();
        let (ready, outboxes) = (Arc::new(ready), Arc::new(outboxes));
        let left = Arc::new(AtomicUsize::new(20 * EACH));
        let servers: Vec<_> = (0..2)
            .map(|_| {
                let (ready, outboxes, left) = (Arc::clone(&ready), Arc::clone(&outboxes), Arc::clone(&left));
                thread::spawn(move || {
                    // Keys beyond all tell the servers to end.
                    while let Some(outbox) = outboxes.get(ready.receiver().recv().unwrap()) {
                        let count = outbox.lock().unwrap().drain(|_| {});
                        let before = left.fetch_sub(count, Ordering::SeqCst);
                        if before == count && count > 0 {
                            (0..2).for_each(|_| ready.push(usize::MAX));
                        }
                    }
                })
            })
            .collect();
        for n in 0..EACH {
            if n % 2 == 0 {
                namespace.to("room").emit("e", "").unwrap();
            } else {
                (0..20).for_each(|key| emit(&namespace, key));
            }
        }
        servers.into_iter().for_each(|server| server.join().unwrap());
        assert_eq!(left.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_queue_tells_what_its_clients_are() {
    let (engine, ready) = (Engine::new(), ReadyQueue::<&str>::default());
    let transport = ready.transport("ann").with_handshake(Handshake::new().with("name", "Ann"));
    assert_eq!(format!("{transport:?}"), r#"ReadyTransport { key: "ann", .. }"#);
    let (connection, _outbox) = engine.connect(transport);
    assert_eq!(connection.handshake().get("name"), Some("Ann"));
    connection.close("over");
    assert_eq!(format!("{ready:?}"), "ReadyQueue { ready: 1 }");
    // Nobody asks any more.
    drop(ready);
    engine.close();
}

/// What a thread serves, and what has come to each.
struct Server {
    outboxes: Vec<Outbox>,
    /// How many messages, and the number of the last, by the kind of message.
    got: Vec<BTreeMap<String, u64>>,
    packets: usize,
    drains: usize,
}

impl Server {
    fn serve(&mut self, key: usize) {
        let (got, packets) = (&mut self.got[key], &mut self.packets);
        self.drains += 1;
        self.outboxes[key].drain(|packet| {
            *packets += 1;
            match packet {
                // Messages of one kind are numbered, from 1.
                ServerPacket::Event { delivery, .. } => {
                    let last = got.entry(delivery.event().to_owned()).or_default();
                    assert_eq!(number(&delivery), *last + 1);
                    *last += 1;
                }
                other => assert_eq!(text(other), "/ connect"),
            }
        });
    }

    /// Serves those who are told of, and returns how many drains and packets that were.
    fn serve_all(&mut self, ready: &ReadyQueue<usize>) -> (usize, usize) {
        let before = (self.drains, self.packets);
        while let Ok(key) = ready.receiver().try_recv() {
            self.serve(key);
        }
        (self.drains - before.0, self.packets - before.1)
    }
}

#[test]
fn one_thread_serves_a_hundred_thousand() {
    // A tenth without optimisation, where each takes ten times as long.
    let count = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
    let (rooms, start) = (1_000, Instant::now());
    let engine = Engine::builder().backlog(messages(1 << 16)).build();
    let namespace = engine.of("/").unwrap();
    let ready = ReadyQueue::new();
    let mut server =
        Server { outboxes: Vec::new(), got: vec![BTreeMap::new(); count], packets: 0, drains: 0 };
    // The first half are in a room, the others idle: but for what is for all.
    for key in 0..count {
        let (connection, outbox) = engine.connect(ready.transport(key));
        connect(&connection, "/").unwrap();
        if key < count / 2 {
            connection.socket("/").unwrap().join((key % rooms) as i64).unwrap();
        }
        server.outboxes.push(outbox);
    }
    assert_eq!(server.serve_all(&ready), (count, count));
    assert_eq!(server.serve_all(&ready), (0, 0));

    let members = count / 2 / rooms;
    let mut sent = vec![0; rooms];
    let mut to_room = |room: usize| {
        sent[room] += 1;
        namespace.to(room as i64).emit("room", u64::to_le_bytes(sent[room])).unwrap();
    };
    // Three messages to each of ten rooms: their members alone are drained, once.
    (0..30).for_each(|n| to_room(n % 10));
    assert_eq!(server.serve_all(&ready), (10 * members, 30 * members));
    namespace.emit("all", 1_u64.to_le_bytes()).unwrap();
    assert_eq!(server.serve_all(&ready), (count, count));

    // While it serves, on a thread of its own: to rooms, and to all.
    let expected = server.packets + 20 * rooms * members + 4 * count;
    let served = thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let before = server.drains;
            while server.packets < expected {
                let key = ready.receiver().recv_timeout(Duration::from_secs(60)).expect("something is lost");
                server.serve(key);
            }
            server.drains - before
        });
        for n in 0..20 * rooms {
            to_room(n % rooms);
            if n % (5 * rooms) == 0 {
                namespace.emit("all", (2 + n as u64 / (5 * rooms) as u64).to_le_bytes()).unwrap();
            }
        }
        serving.join().unwrap()
    });
    assert!((count..=20 * rooms * members + 4 * count).contains(&served));
    // A last one may have come for what was already drained.
    assert_eq!(server.serve_all(&ready).1, 0);
    for (key, got) in server.got.iter().enumerate() {
        let in_room = (key < count / 2).then(|| ("room".to_owned(), sent[key % rooms]));
        assert_eq!(*got, in_room.into_iter().chain([("all".to_owned(), 5)]).collect(), "client {key}");
    }
    let (packets, drains) = (server.packets, server.drains);
    let served = start.elapsed();
    engine.close();
    let mut closed = 0;
    while let Ok(key) = ready.receiver().try_recv() {
        server.outboxes[key].drain(|_| {});
        closed += usize::from(server.outboxes[key].closed().is_some());
    }
    assert_eq!(closed, count);
    println!(
        "{count} connections by one thread: {packets} packets in {drains} drains, {served:.2?}; closed by {:.2?}",
        start.elapsed()
    );
}
