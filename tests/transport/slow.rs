//! Transports that drain too little, or nothing: what they cost is bounded, and nobody else loses anything.

use std::sync::Arc;

use roomcast::{Backlog, DisconnectReason, Engine, Namespace, ServerPacket};

use crate::common::{Live, disconnecting, messages, number};
use crate::rig::{Line, Peer, connect, stop_at};

const LIMIT: usize = 64;

fn world(backlog: Backlog) -> (Engine, Namespace) {
    let engine = Engine::builder().backlog(backlog).build();
    let namespace = engine.of("/").unwrap();
    (engine, namespace)
}

/// A client and what it is sent: numbers, how many are lost, and why it was disconnected.
struct Reader {
    line: Arc<Line>,
    peer: Peer,
    numbers: Vec<u64>,
    lost: u64,
    gaps: usize,
    ends: Vec<DisconnectReason>,
}

impl Reader {
    fn new(engine: &Engine) -> Self {
        let line = Line::new();
        let peer = Peer::joined(engine, Arc::clone(&line), &["/"], "room");
        line.wakes();
        Self { line, peer, numbers: Vec::new(), lost: 0, gaps: 0, ends: Vec::new() }
    }

    /// Drains until so many packets have come, and returns how many did.
    fn read(&mut self, most: usize) -> usize {
        let Self { numbers, lost, gaps, ends, .. } = self;
        let mut count = 0;
        let _ = self.peer.outbox.try_drain(|packet| {
            match packet {
                ServerPacket::Event { delivery, .. } => numbers.push(number(&delivery)),
                ServerPacket::Gap { gap, .. } => {
                    assert!(gap.exact);
                    *lost += gap.missed;
                    *gaps += 1;
                }
                ServerPacket::Disconnect { reason, .. } => ends.push(reason.clone()),
                other => panic!("unexpected: {other:?}"),
            }
            count += 1;
            stop_at(most, count)
        });
        count
    }
}

fn emit(namespace: &Namespace, number: u64) {
    namespace.to("room").emit("n", number.to_le_bytes()).unwrap();
}

/// So many clients, of whom every so-manieth never drains.
fn crowd(engine: &Engine, count: usize, every: usize) -> (Vec<Reader>, Vec<Reader>) {
    let (mut stalled, mut others) = (Vec::new(), Vec::new());
    for number in 0..count {
        let of = if number % every == 0 { &mut stalled } else { &mut others };
        of.push(Reader::new(engine));
    }
    (stalled, others)
}

#[test]
fn what_a_stalled_share_costs_is_bounded_and_nobody_else_loses_anything() {
    const PUBLISHED: usize = 20 * LIMIT;
    let segment = messages(LIMIT).segment_messages();
    // One of ten, and all.
    for every in [10, 1] {
        let (engine, namespace) = world(messages(LIMIT));
        let (mut stalled, mut others) = crowd(&engine, 50, every);
        let (live, mut most) = (Live::default(), 0);
        for _ in 0..PUBLISHED {
            namespace.to("room").emit("n", live.payload(1)).unwrap();
            others.iter_mut().for_each(|it| _ = it.read(usize::MAX));
            most = most.max(live.count());
        }
        // They stalled at one place, so one segment beyond what the room keeps is held by all of them.
        assert!((LIMIT..=LIMIT + 2 * segment).contains(&most), "{most} were kept for {every}");
        assert!(others.iter().all(|it| it.numbers.len() == PUBLISHED && it.gaps == 0 && it.lost == 0));
        for it in &mut stalled {
            assert_eq!(it.line.wakes(), 1);
            it.read(usize::MAX);
            assert_eq!((it.gaps, it.numbers.len() as u64 + it.lost), (1, PUBLISHED as u64));
            assert!(it.numbers.len() >= LIMIT);
        }
        assert!(live.count() <= segment, "{} are kept for nobody", live.count());
        drop((stalled, others));
        drop(namespace);
        assert!(engine.remove("/"));
        assert_eq!((live.count(), engine.connection_count()), (0, 0));
    }
}

#[test]
fn one_that_drains_at_last_is_told_what_it_has_lost() {
    for published in [1, LIMIT, LIMIT + 1, 2 * LIMIT, 7 * LIMIT + 3] {
        let (engine, namespace) = world(messages(LIMIT));
        let (mut slow, mut other) = (Reader::new(&engine), Reader::new(&engine));
        for n in 0..published as u64 {
            emit(&namespace, n);
            assert_eq!(other.read(usize::MAX), 1);
        }
        assert_eq!((slow.line.wakes(), slow.line.closes()), (1, vec![]));
        slow.read(usize::MAX);
        assert_eq!(slow.numbers.len() as u64 + slow.lost, published as u64);
        // It goes by segments, so one or the other in between.
        let (kept, gone) = (published <= LIMIT, published >= LIMIT + 2 * messages(LIMIT).segment_messages());
        assert!(if slow.gaps == 0 { !gone } else { !kept }, "{published}: {} are lost", slow.lost);
        assert!(slow.numbers.is_sorted() && slow.numbers.last() == Some(&(published as u64 - 1)));
        assert_eq!((other.numbers.len(), other.gaps), (published, 0));
        // As everybody else from now on.
        emit(&namespace, 7);
        assert_eq!((slow.read(usize::MAX), slow.numbers.last()), (1, Some(&7)));
    }
}

#[test]
fn one_that_is_put_out_for_its_backlog_is_told_at_once_and_may_come_back() {
    let (engine, namespace) = world(disconnecting(LIMIT));
    engine.of("/other").unwrap();
    let (mut slow, mut other) = (Reader::new(&engine), Reader::new(&engine));
    connect(&slow.peer.connection, "/other").unwrap();
    slow.peer.read();
    slow.line.wakes();
    let socket = slow.peer.socket("/");
    let mut published = 0;
    while socket.is_connected() {
        emit(&namespace, published);
        published += 1;
        assert_eq!(other.read(usize::MAX), 1);
        assert!(published <= 2 * LIMIT as u64);
    }
    assert!(published > LIMIT as u64);
    assert_eq!(socket.closed(), Some(DisconnectReason::Backlog));
    assert_eq!((namespace.room_len("room"), namespace.socket_count()), (1, 1));
    // It was told of the first message, and has not drained since: no more is due.
    assert_eq!((slow.line.wakes(), slow.line.closes()), (1, vec![]));
    slow.read(usize::MAX);
    assert_eq!(slow.ends, [DisconnectReason::Backlog]);
    assert!(slow.numbers.is_sorted() && slow.numbers.len() as u64 + slow.lost <= published);
    assert_eq!((slow.peer.connection.closed(), slow.peer.outbox.closed()), (None, None));
    assert!(slow.peer.socket("/other").is_connected());
    connect(&slow.peer.connection, "/").unwrap();
    slow.peer.socket("/").join("room").unwrap();
    assert_eq!(slow.line.wakes(), 1);
    assert_eq!(slow.peer.read(), ["/ connect"]);
    emit(&namespace, published);
    slow.numbers.clear();
    assert_eq!((slow.read(usize::MAX), &slow.numbers[..]), (1, &[published][..]));
}

#[test]
fn one_that_has_stopped_and_is_put_out_finds_that_at_its_end() {
    // It has drained a part, then nothing.
    let (engine, namespace) = world(disconnecting(LIMIT));
    let mut slow = Reader::new(&engine);
    (0..10).for_each(|n| emit(&namespace, n));
    assert_eq!((slow.line.wakes(), slow.read(4)), (1, 4));
    (10..10 + 4 * LIMIT as u64).for_each(|n| emit(&namespace, n));
    assert_eq!((slow.line.wakes(), slow.peer.connection.sockets().len()), (0, 0));
    while slow.read(1) > 0 {}
    assert_eq!(slow.ends, [DisconnectReason::Backlog]);
    assert!(slow.numbers.is_sorted() && slow.numbers.starts_with(&[0, 1, 2, 3]), "{:?}", slow.numbers);
    assert_eq!(slow.peer.outbox.closed(), None);
}

#[test]
fn all_that_stall_are_put_out_and_each_finds_that_at_its_end() {
    let (engine, namespace) = world(disconnecting(LIMIT));
    let (mut stalled, mut others) = crowd(&engine, 50, 10);
    let published = 3 * LIMIT as u64;
    for n in 0..published {
        emit(&namespace, n);
        others.iter_mut().for_each(|it| assert_eq!(it.read(usize::MAX), 1));
    }
    assert_eq!((namespace.socket_count(), engine.connection_count()), (45, 50));
    for it in &mut stalled {
        assert_eq!(it.line.wakes(), 1);
        it.read(usize::MAX);
        assert_eq!(it.ends, [DisconnectReason::Backlog]);
        assert!(it.numbers.len() as u64 + it.lost < published);
    }
    assert!(others.iter().all(|it| it.numbers.iter().copied().eq(0..published)));
}

#[test]
fn one_that_takes_one_packet_in_so_many_loses_the_rest_and_knows_how_much() {
    for every in [2, 3, 10] {
        let (engine, namespace) = world(messages(LIMIT));
        let (mut slow, mut other) = (Reader::new(&engine), Reader::new(&engine));
        let live = Live::default();
        let published = 15 * LIMIT as u64;
        let bound = LIMIT + 3 * messages(LIMIT).segment_messages();
        for n in 0..published {
            namespace.to("room").emit("n", live.payload(1)).unwrap();
            other.read(usize::MAX);
            if n % every == 0 {
                assert_eq!(slow.read(1), 1);
            }
            assert!(live.count() <= bound, "{} are kept", live.count());
        }
        while slow.read(1) > 0 {}
        assert!(slow.lost > 0 && slow.gaps > 0);
        assert_eq!(slow.numbers.len() as u64 + slow.lost, published, "one in {every}");
        assert_eq!((other.numbers.len() as u64, other.lost), (published, 0));
    }
}

#[test]
fn one_that_takes_one_packet_in_so_many_is_put_out_where_that_is_the_policy() {
    for every in [2, 3, 10] {
        let (engine, namespace) = world(disconnecting(LIMIT));
        let (mut slow, mut other) = (Reader::new(&engine), Reader::new(&engine));
        let published = 15 * LIMIT as u64;
        for n in 0..published {
            emit(&namespace, n);
            assert_eq!(other.read(usize::MAX), 1);
            if n % every == 0 {
                slow.read(1);
            }
        }
        while slow.read(1) > 0 {}
        assert_eq!(slow.ends, [DisconnectReason::Backlog]);
        assert!(slow.numbers.is_sorted() && (slow.numbers.len() as u64) < published / every + LIMIT as u64);
        assert_eq!((namespace.room_len("room"), slow.peer.connection.closed()), (1, None));
        assert!(other.numbers.iter().copied().eq(0..published));
    }
}
