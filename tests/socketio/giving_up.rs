//! A client gives up a namespace at the moment at which the server lets it in, refuses it or throws it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use roomcast::{
    ClientPacket, DisconnectReason, Engine, Handshake, Payload, ProtocolError, ReceiveError, RoomEvent,
    ServerPacket,
};

use crate::rig::{Log, Peer};

#[test]
fn it_may_cross_with_a_rejection_or_a_kick() {
    let engine = Engine::new();
    engine.of("/other").unwrap();
    let chat = engine.of("/chat").unwrap();
    chat.middleware(|socket| if socket.auth().as_str() == Some("bad") { Err("no".into()) } else { Ok(()) });
    let (mut peer, other) = Peer::joined(&engine, "/other");
    // Rejected, and not told yet; then told.
    for read in [false, true] {
        peer.connect_as("/chat", "bad");
        let told = if read { peer.read() } else { vec![] };
        peer.disconnect("/chat");
        assert_eq!([told, peer.read()].concat(), ["error:no"]);
    }
    // Thrown out, and not told yet; then told.
    for read in [false, true] {
        peer.connect("/chat");
        assert_eq!(peer.read(), ["connect"]);
        peer.socket("/chat").disconnect("kick");
        let told = if read { peer.read() } else { vec![] };
        peer.disconnect("/chat");
        let expected = if read { vec![r#"disconnect:Other("kick")"#.to_owned()] } else { vec![] };
        assert_eq!((told, peer.read()), (expected, vec![]));
    }
    assert!(other.is_connected());
    assert_eq!((peer.connection.closed(), chat.socket_count()), (None, 0));
}

#[test]
fn what_it_gives_up_before_it_reads_of_it_leaves_no_packets() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let mut peer = Peer::new(&engine);
    for _ in 0..3 {
        peer.connect("/");
        io.emit("unread", "").unwrap();
        peer.disconnect("/");
    }
    assert_eq!(peer.read(), [""; 0]);
    peer.connect("/");
    peer.disconnect("/");
    peer.connect("/");
    io.emit("read", "").unwrap();
    assert_eq!(peer.read(), ["connect", "read:"]);
    // Nor does one that the server had thrown out by then.
    peer.disconnect("/");
    peer.connect("/");
    peer.socket("/").disconnect("kick");
    peer.disconnect("/");
    assert_eq!((peer.read(), io.socket_count()), (vec![], 0));
}

#[test]
fn what_it_gives_up_in_the_middle_of_a_drain_is_not_said_to_be_disconnected() {
    // The transport is still sending when the client's packet comes in, here from inside.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (connection, mut outbox) = engine.connect(Handshake::new());
    let connect = || {
        let auth = Payload::default();
        connection.receive(ClientPacket::Connect { namespace: "/", auth }).unwrap();
    };
    let kind = |packet: ServerPacket<'_>| format!("{packet:?}").split(' ').next().unwrap().to_owned();
    for last in ["Connect", "Event"] {
        connect();
        io.emit("one", "").unwrap();
        let mut told = Vec::new();
        outbox.drain(|packet| {
            told.push(kind(packet));
            if told.last().is_some_and(|told| told == last) {
                connection.receive(ClientPacket::Disconnect { namespace: "/" }).unwrap();
            }
        });
        outbox.drain(|packet| told.push(kind(packet)));
        // What was there before may follow.
        assert_eq!(told, ["Connect", "Event"], "{last}");
        assert_eq!((outbox.closed(), io.socket_count()), (None, 0));
    }
    // Given up before its turn comes: it leaves no packets at all.
    connection.receive(ClientPacket::Connect { namespace: "/unknown", auth: Payload::default() }).unwrap();
    connect();
    let mut told = Vec::new();
    for _ in 0..2 {
        outbox.drain(|packet| {
            told.push(kind(packet));
            connection.receive(ClientPacket::Disconnect { namespace: "/" }).unwrap();
        });
    }
    assert_eq!(told, ["ConnectError"]);
    // One that was thrown out is told of it, and one whose connection is closed.
    for end in ["kick", "close"] {
        connect();
        io.emit("one", "").unwrap();
        let mut told = Vec::new();
        let mut drain = || {
            outbox.drain(|packet| {
                match packet {
                    ServerPacket::Event { .. } if end == "kick" => {
                        assert!(connection.socket("/").unwrap().disconnect("kick"));
                    }
                    ServerPacket::Event { .. } => assert!(connection.close(DisconnectReason::Server)),
                    _ => {}
                }
                told.push(kind(packet));
            });
        };
        drain();
        drain();
        assert_eq!(told, ["Connect", "Event", "Disconnect"], "{end}");
    }
}

#[test]
fn a_rejection_is_told_before_what_the_client_does_after_it() {
    // A hook that hears that the rejected socket has left brings the client's next connect.
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let rejects = AtomicBool::new(true);
    chat.middleware(move |socket| {
        socket.join("room").unwrap();
        if rejects.swap(false, Ordering::SeqCst) { Err("no".into()) } else { Ok(()) }
    });
    let mut peer = Peer::new(&engine);
    let (connection, first) = (peer.connection.clone(), AtomicBool::new(true));
    chat.on_room(move |_, event| {
        if matches!(event, RoomEvent::Left(..)) && first.swap(false, Ordering::SeqCst) {
            let auth = Payload::default();
            connection.receive(ClientPacket::Connect { namespace: "/chat", auth }).unwrap();
        }
    });
    peer.connect("/chat");
    assert_eq!(peer.read(), ["error:no", "connect"]);
    engine.close(); // hooks hold what holds them
}

#[test]
fn a_connect_that_is_refused_after_a_kick_follows_the_disconnect() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.middleware(|socket| if socket.auth().as_str() == Some("bad") { Err("no".into()) } else { Ok(()) });
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.disconnect("kick");
    peer.connect_as("/", "bad");
    assert_eq!(peer.read(), [r#"disconnect:Other("kick")"#, "error:no"]);
}

#[test]
fn hooks_may_bring_the_client_back() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    let comebacks = Arc::new(AtomicUsize::new(0));
    chat.on_disconnect({
        let (log, comebacks) = (log.clone(), Arc::clone(&comebacks));
        move |socket, reason| {
            log.say(format!("{reason:?}"));
            if comebacks.fetch_add(1, Ordering::SeqCst) < 3 {
                let (connection, auth) = (socket.connection().unwrap(), Payload::default());
                connection.receive(ClientPacket::Connect { namespace: "/chat", auth }).unwrap();
            }
        }
    });
    let (mut peer, socket) = Peer::joined(&engine, "/chat");
    socket.disconnect("kick");
    assert_eq!(peer.read(), [r#"disconnect:Other("kick")"#, "connect"]);
    for _ in 0..3 {
        peer.disconnect("/chat");
    }
    // The second and third time it had not read that it was in, and the last time nobody brought it back.
    assert_eq!(peer.read(), [""; 0]);
    assert_eq!(log.take(), [r#"Other("kick")"#, "Client", "Client", "Client"]);
    assert_eq!((chat.socket_count(), peer.connection.sockets().len()), (0, 0));
}

#[test]
fn a_connection_has_so_many_namespaces() {
    let engine = Engine::builder().max_namespaces(3).unwrap().build();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let decisions = Arc::new(std::sync::Mutex::new(Vec::new()));
    games.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| match socket.auth().as_str() {
            Some("waits") => decisions.lock().unwrap().push(decision),
            _ => decision.accept(),
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/game-1");
    peer.connect("/game-2");
    peer.connect_as("/game-3", "waits");
    // Those that wait count, and what is refused makes no namespace.
    peer.connect("/game-4");
    assert_eq!(peer.read(), ["connect", "connect", "error:Too many namespaces"]);
    assert_eq!((games.children().len(), peer.connection.closed()), (3, None));
    let again = Err(ReceiveError::Protocol(ProtocolError::NotConnected));
    // Another connection has its own.
    let (_other, _) = Peer::joined(&engine, "/game-4");
    // There is room again for whatever reason one goes.
    peer.disconnect("/game-1");
    peer.connect("/game-5");
    peer.socket("/game-2").disconnect("kick");
    assert_eq!(peer.read(), [r#"disconnect:Other("kick")"#, "connect"]);
    peer.connect("/game-6");
    decisions.lock().unwrap().pop().unwrap().reject("no");
    peer.connect("/game-7");
    peer.connect("/game-8");
    let mut told = peer.read();
    told.sort();
    assert_eq!(told, ["connect", "connect", "error:Too many namespaces", "error:no"]);
    // What is refused leaves no place: an event to it is a fault.
    assert_eq!(peer.try_send("/game-8", "e", ""), again);
}

#[test]
fn namespaces_that_threw_it_out_do_not_pile_up() {
    let engine = Engine::builder().max_namespaces(8).unwrap().build();
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.on_connect(|socket| _ = socket.disconnect("no such game"));
    let mut peer = Peer::new(&engine);
    for n in 0..100 {
        peer.connect(&format!("/game-{n}"));
        assert_eq!(peer.read(), ["connect", r#"disconnect:Other("no such game")"#]);
        // The event that was on its way is no fault.
        peer.send(&format!("/game-{n}"), "e", "");
    }
    assert_eq!((peer.connection.closed(), games.children().len()), (None, 0));
    // Of the first nothing is known any more, as if it had never been.
    let not_connected = Err(ReceiveError::Protocol(ProtocolError::NotConnected));
    assert_eq!(peer.try_send("/game-0", "e", ""), not_connected);
}

#[test]
fn a_namespace_that_is_removed_and_comes_back_is_another_one() {
    let engine = Engine::new();
    engine.of("/chat").unwrap();
    let (mut peer, _) = Peer::joined(&engine, "/chat");
    assert!(engine.remove("/chat"));
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    chat.on_any({
        let log = log.clone();
        move |_, incoming| log.say(incoming.event())
    });
    // On its way to the old one: for nobody, told or not.
    peer.send("/chat", "old", "");
    assert_eq!(peer.read(), ["disconnect:NamespaceRemoved"]);
    peer.send("/chat", "old", "");
    peer.connect("/chat");
    peer.send("/chat", "new", "");
    assert_eq!((peer.read(), log.take()), (vec!["connect".into()], vec!["new".into()]));
    assert_eq!(chat.socket_count(), 1);
}
