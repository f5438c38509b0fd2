//! One drain for all namespaces: in order, in turns, with an end; and what a drain that stops or panics leaves.

use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use roomcast::{Engine, Namespace, ServerPacket};

use crate::common::watched;
use crate::rig::{Line, Peer, by_namespace, connect, drain_all, drain_by, text};

fn engine() -> (Engine, Namespace, Namespace) {
    let engine = Engine::new();
    let (a, b) = (engine.of("/a").unwrap(), engine.of("/b").unwrap());
    (engine, a, b)
}

/// One on a line, with a socket in each of two namespaces, in a room of each.
fn joined(engine: &Engine) -> (Arc<Line>, Peer) {
    let line = Line::new();
    let peer = Peer::joined(engine, Arc::clone(&line), &["/a", "/b"], "room");
    line.wakes();
    (line, peer)
}

fn emit(namespace: &Namespace, texts: impl IntoIterator<Item = usize>) {
    texts.into_iter().for_each(|text| _ = namespace.to("room").emit("e", text.to_string()).unwrap());
}

#[test]
fn a_drain_that_stops_is_woken_by_nothing_and_waits_for_nothing() {
    watched("wait after a break", || {
        let (engine, a, b) = engine();
        let (line, mut peer) = joined(&engine);
        emit(&a, 0..4);
        assert_eq!((line.wakes(), peer.read_some(1)), (1, vec!["/a e:0".to_owned()]));
        // Whatever comes now: it knows that there may be more.
        emit(&a, 4..6);
        b.emit("e", "").unwrap();
        peer.socket("/a").emit("e", "direct").unwrap();
        connect(&peer.connection, "/unknown").unwrap();
        assert_eq!(line.wakes(), 0);
        for left in (1..9).rev() {
            assert!(peer.outbox.wait_timeout(Duration::ZERO));
            peer.outbox.wait();
            let mut cx = Context::from_waker(Waker::noop());
            assert!(peer.outbox.poll_wait(&mut cx).is_ready());
            assert!(pin!(peer.outbox.wait_async()).poll(&mut cx).is_ready());
            assert_eq!((peer.read_some(1).len(), line.wakes()), (1, 0), "{left} left");
        }
        // That was all, which it cannot know.
        assert!(peer.outbox.wait_timeout(Duration::ZERO));
        assert_eq!((peer.read_some(1).len(), line.wakes()), (0, 0));
        assert!(!peer.outbox.wait_timeout(Duration::ZERO));
        emit(&b, [0]);
        assert_eq!((line.wakes(), peer.read()), (1, vec!["/b e:0".to_owned()]));
    });
}

#[test]
fn the_value_of_a_break_comes_out_and_its_packet_counts_as_sent() {
    let (engine, a, _) = engine();
    let (_, mut peer) = joined(&engine);
    emit(&a, 0..3);
    let mut sent = Vec::new();
    let mut fail_at = |event: &str| {
        peer.outbox.try_drain(|packet| {
            sent.push(text(packet));
            if sent.last().unwrap().ends_with(event) { Break(sent.len()) } else { Continue(()) }
        })
    };
    assert_eq!(fail_at("e:1"), Break(2));
    assert_eq!(fail_at("never"), Continue(()));
    assert_eq!(sent, ["/a e:0", "/a e:1", "/a e:2"]);
}

/// Everything that has an order in one namespace, between two drains.
fn busy(engine: &Engine, peer: &Peer) {
    let a = engine.of("/a").unwrap();
    emit(&a, 0..3);
    peer.socket("/a").emit("direct", "").unwrap();
    a.emit("all", "").unwrap();
    peer.socket("/a").disconnect("kick");
    connect(&peer.connection, "/a").unwrap();
    peer.socket("/a").join("room").unwrap();
    emit(&a, 3..5);
    emit(&engine.of("/b").unwrap(), 0..2);
    connect(&peer.connection, "/unknown").unwrap();
    peer.socket("/a").disconnect("again");
    connect(&peer.connection, "/a").unwrap();
    peer.connection.close("over");
}

const A: [&str; 12] = [
    "e:0",
    "e:1",
    "e:2",
    "direct:",
    "all:",
    "disconnect:kick",
    "connect",
    "e:3",
    "e:4",
    "disconnect:again",
    "connect",
    "disconnect:over",
];

fn check(sent: &[String]) {
    let streams = by_namespace(sent);
    assert_eq!(streams["/a"], A);
    assert_eq!(streams["/b"], ["e:0", "e:1", "disconnect:over"]);
    assert_eq!(streams["/unknown"], ["error:Invalid namespace"]);
}

#[test]
fn an_old_socket_comes_to_its_end_before_the_new_one_begins_wherever_it_stops() {
    // Stopping once, after each number of packets, and always after that many.
    for most in 1..=17 {
        for always in [false, true] {
            let (engine, ..) = engine();
            let (_, mut peer) = joined(&engine);
            busy(&engine, &peer);
            let mut sent = peer.read_some(most);
            assert_eq!(sent.len(), most.min(16));
            assert_eq!(peer.outbox.closed().is_some(), most == 17, "stopped after {most}");
            if always {
                drain_by(&mut peer.outbox, most, |packet| sent.push(text(packet)));
            } else {
                sent.extend(peer.read());
            }
            check(&sent);
            assert_eq!(peer.outbox.closed(), Some(&"over".into()));
        }
    }
}

#[test]
fn a_send_that_panics_loses_its_packet_alone_and_no_wake_up() {
    for in_parts in [false, true] {
        for place in 0..16 {
            let (engine, ..) = engine();
            let (line, mut peer) = joined(&engine);
            busy(&engine, &peer);
            line.wakes();
            let mut sent = Vec::new();
            let drained = catch_unwind(AssertUnwindSafe(|| {
                drain_all(&mut peer.outbox, in_parts, |packet| {
                    sent.push(text(packet));
                    if sent.len() > place {
                        resume_unwind(Box::new("on purpose"));
                    }
                });
            }));
            assert!(drained.is_err());
            assert_eq!(line.wakes(), 1, "after packet {place}");
            assert!(peer.outbox.wait_timeout(Duration::ZERO));
            sent.extend(peer.read());
            check(&sent);
            assert_eq!(peer.outbox.closed(), Some(&"over".into()));
        }
    }
}

#[test]
fn namespaces_take_turns_if_a_transport_always_stops_after_one_packet() {
    let (engine, a, b) = engine();
    let (_, mut peer) = joined(&engine);
    // More than it can take, each time.
    emit(&a, 0..10);
    emit(&b, 0..10);
    let mut from_b = 0;
    for number in 0..100 {
        emit(&a, [number]);
        from_b += peer.read_some(1).iter().filter(|packet| packet.starts_with("/b")).count();
    }
    assert_eq!(from_b, 10, "all that there was, though the other namespace never has nothing");
}

#[test]
fn what_comes_from_inside_a_drain_waits_for_the_next_one() {
    for in_parts in [false, true] {
        let (engine, a, b) = engine();
        let (line, mut peer) = joined(&engine);
        for round in 0..3 {
            emit(&a, [round]);
            emit(&b, [round]);
            line.wakes();
            let connection = peer.connection.clone();
            let mut count = 0;
            drain_all(&mut peer.outbox, in_parts, |_| {
                count += 1;
                connection.socket("/a").unwrap().emit("more", "").unwrap();
                b.to("room").emit("more", "").unwrap();
                connect(&connection, "/unknown").unwrap();
            });
            // To `/b` it was there when its turn came.
            assert!((2..=3).contains(&count), "{count}");
            assert_eq!(line.wakes(), 1);
            let left = peer.read();
            assert!(left.len() >= 5, "{left:?}");
        }
    }
}

#[test]
fn a_drain_that_goes_on_after_a_stop_ends_whatever_comes_from_inside() {
    watched("a drain that feeds itself", || {
        for most in 1..=4 {
            let (engine, a, b) = engine();
            let (_, mut peer) = joined(&engine);
            emit(&a, 0..4);
            emit(&b, 0..4);
            assert_eq!(peer.read_some(most).len(), most);
            let mut count = 0;
            peer.outbox.drain(|_| {
                count += 1;
                a.emit("more", "").unwrap();
                b.emit("more", "").unwrap();
            });
            assert!(count >= 8 - most);
            let left = peer.read();
            assert!(!left.is_empty());
            assert!(left.iter().all(|packet| packet.ends_with(" more:")));
        }
    });
}

#[test]
fn one_who_leaves_in_the_middle_of_a_drain_is_sent_nothing_more_of_it() {
    let (engine, a, b) = engine();
    let (line, mut peer) = joined(&engine);
    emit(&a, 0..3);
    emit(&b, 0..3);
    assert_eq!(peer.read_some(2), ["/a e:0", "/a e:1"]);
    crate::rig::leave(&peer.connection, "/a").unwrap();
    connect(&peer.connection, "/a").unwrap();
    peer.socket("/a").join("room").unwrap();
    emit(&a, [3]);
    assert_eq!(line.wakes(), 1, "for the first, and for none after the stop");
    assert_eq!(peer.read(), ["/b e:0", "/b e:1", "/b e:2", "/a connect", "/a e:3"]);
}

#[test]
fn a_transport_sees_which_messages_are_volatile() {
    let (engine, a, _) = engine();
    let (_, mut peer) = joined(&engine);
    a.to("room").volatile().emit("to a room", "").unwrap();
    a.to("room").emit("to a room", "").unwrap();
    a.everyone().volatile().emit("to all", "").unwrap();
    peer.socket("/a").emit_volatile("direct", "").unwrap();
    peer.socket("/a").emit("direct", "").unwrap();
    let mut seen = Vec::new();
    peer.outbox.drain(|packet| {
        if let ServerPacket::Event { delivery, .. } = packet {
            assert_eq!(delivery.to_message().is_volatile(), delivery.is_volatile());
            seen.push((delivery.event().to_owned(), delivery.is_volatile()));
        }
    });
    let expected =
        [("to a room", true), ("to a room", false), ("to all", true), ("direct", true), ("direct", false)];
    assert_eq!(seen, expected.map(|(event, is_volatile)| (event.to_owned(), is_volatile)));
}
