//! A transport that drains: what it is told is in order and whole, also if it panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roomcast::{DisconnectReason, Engine, Handshake, Outbox, Payload, ServerPacket};

use crate::rig::Peer;

/// What a packet is.
fn kind(packet: ServerPacket<'_>) -> String {
    match packet {
        ServerPacket::Connect { .. } => "connect".into(),
        ServerPacket::ConnectError { message, .. } => message.into(),
        ServerPacket::Event { delivery, .. } => delivery.event().into(),
        ServerPacket::Disconnect { .. } => "disconnect".into(),
        other => format!("{other:?}"),
    }
}

/// Drains with a `send` that panics after each packet, until there is nothing left.
fn drain(outbox: &mut Outbox) -> Vec<String> {
    let mut packets = Vec::new();
    for _ in 0..100 {
        let drained = catch_unwind(AssertUnwindSafe(|| {
            outbox.drain(|packet| {
                packets.push(kind(packet));
                panic!("the transport");
            })
        }));
        if drained.is_ok() {
            return packets;
        }
    }
    panic!("{packets:?}");
}

#[test]
fn a_send_that_panics_loses_no_more_than_its_packet() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (connection, mut outbox) = engine.connect(Handshake::new());
    let connect = |namespace| {
        let auth = Payload::default();
        connection.receive(roomcast::ClientPacket::Connect { namespace, auth }).unwrap();
    };
    connect("/");
    connect("/unknown");
    io.emit("one", "").unwrap();
    // Each namespace has its turn, and all of its packets then.
    assert_eq!(drain(&mut outbox), ["connect", "one", "Invalid namespace"]);
    io.emit("two", "").unwrap();
    connection.socket("/").unwrap().disconnect("bye");
    connect("/");
    io.emit("three", "").unwrap();
    assert_eq!(drain(&mut outbox), ["two", "disconnect", "connect", "three"]);
    io.emit("four", "").unwrap();
    connection.close(DisconnectReason::Server);
    assert_eq!(drain(&mut outbox), ["four", "disconnect"]);
    assert_eq!(outbox.closed(), Some(&DisconnectReason::Server));
}

#[test]
fn what_a_namespace_says_is_in_order_whatever_happens_between_two_drains() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.middleware(|socket| if socket.auth().as_str() == Some("bad") { Err("no".into()) } else { Ok(()) });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/", "bad");
    peer.connect_as("/", "good");
    peer.socket("/").emit("one", "").unwrap();
    peer.socket("/").disconnect(DisconnectReason::Server);
    // The client has not been told yet, so it cannot know better; but it may try.
    peer.connect_as("/", "bad");
    peer.connect_as("/", "good");
    peer.socket("/").emit("two", "").unwrap();
    engine.close();
    let told = ["error:no", "connect", "one:", "disconnect:Server", "error:no", "connect", "two:"];
    assert_eq!(peer.read(), [&told[..], &["disconnect:Shutdown"]].concat());
    assert_eq!(peer.closed(), Some(DisconnectReason::Shutdown));
}

#[test]
fn a_send_that_panics_wakes_for_what_is_left() {
    let engine = Engine::new();
    let (connection, mut outbox) = engine.connect(Handshake::new());
    let wakes = Arc::new(AtomicUsize::new(0));
    outbox.on_wake({
        let wakes = Arc::clone(&wakes);
        move || _ = wakes.fetch_add(1, Ordering::SeqCst)
    });
    for namespace in ["/", "/unknown"] {
        let auth = Payload::default();
        connection.receive(roomcast::ClientPacket::Connect { namespace, auth }).unwrap();
    }
    assert_eq!(wakes.swap(0, Ordering::SeqCst), 1);
    assert!(catch_unwind(AssertUnwindSafe(|| outbox.drain(|_| panic!("the transport")))).is_err());
    assert_eq!(wakes.swap(0, Ordering::SeqCst), 1);
    assert_eq!(drain(&mut outbox), ["Invalid namespace"]);
}

#[test]
fn an_outbox_knows_its_connection() {
    let engine = Engine::new();
    let (connection, outbox) = engine.connect(Handshake::new());
    let (other, _outbox) = engine.connect(Handshake::new());
    assert!(outbox.connection() == connection && outbox.connection() != other);
    assert!(outbox.connection().close(DisconnectReason::Transport));
    assert_eq!(connection.closed(), Some(DisconnectReason::Transport));
}

#[test]
fn each_namespace_has_its_turn_in_the_order_in_which_they_came() {
    let engine = Engine::new();
    let paths = ["/b", "/a", "/c"];
    let spaces = paths.map(|path| engine.of(path).unwrap());
    let mut peer = Peer::new(&engine);
    paths.iter().for_each(|path| peer.connect(path));
    let emit = || spaces.iter().for_each(|space| _ = space.emit("e", "").unwrap());
    emit();
    emit();
    let turn = |path: &str| ["connect", "e:", "e:"].map(|what| format!("{path} {what}"));
    assert_eq!(peer.read_all(), paths.map(turn).concat());
    // One that comes back is behind the others, and behind what it had before.
    emit();
    peer.socket("/b").disconnect("kick");
    peer.connect("/b");
    emit();
    let told = [
        &["/b e:", r#"/b disconnect:Other("kick")"#][..],
        &["/a e:", "/a e:", "/c e:", "/c e:", "/b connect", "/b e:"],
    ];
    assert_eq!(peer.read_all(), told.concat());
}
