//! What clients do that no client does, and clients that ask for too much.

use roomcast::{
    ClientPacket, DisconnectReason, Engine, EventError, Failure, Handshake, Payload, ProtocolError,
    ReceiveError,
};

use crate::rig::{Log, Peer, send};

/// Checks that a connection was closed for what its client did, with all its sockets.
#[track_caller]
fn is_closed(engine: &Engine, peer: &mut Peer) {
    assert_eq!(peer.connection.closed(), Some(DisconnectReason::Protocol));
    assert!(peer.connection.sockets().is_empty());
    assert_eq!(engine.socket_count(), 0);
    peer.read();
    assert_eq!(peer.closed(), Some(DisconnectReason::Protocol));
    let closed = ReceiveError::Closed(DisconnectReason::Protocol);
    assert_eq!(peer.try_connect("/", ""), Err(closed.clone()));
    assert_eq!(peer.try_send("/", "event", ""), Err(closed));
}

#[test]
fn an_unknown_namespace_is_told_and_no_fault() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    for path in ["/unknown", "unknown", "//", "/a//b", "/a b", "/a,b", "/a?b", "/#", "/a\n"] {
        peer.connect(path);
        // Under the name that the client knows it by, if it can be one in its one form.
        let told = if path == "unknown" { "/unknown" } else { path };
        assert_eq!(peer.read_all(), [format!("{told} error:Invalid namespace")]);
    }
    let longest = format!("/ {}", "x".repeat(254));
    peer.connect(&longest);
    assert_eq!(peer.read_all(), [format!("{longest} error:Invalid namespace")]);
    assert!(socket.is_connected());
    assert_eq!(engine.namespaces().len(), 1);
    // It may come to exist.
    engine.of("/unknown").unwrap();
    peer.connect("unknown");
    assert_eq!(peer.read_all(), ["/unknown connect"]);
    // A refusal repeats the name, so there is an end to its length.
    let too_long = Err(ReceiveError::Protocol(ProtocolError::PathTooLong));
    assert_eq!(peer.try_connect(&format!("{longest}x"), ""), too_long);
    is_closed(&engine, &mut peer);
}

#[test]
fn names_of_one_namespace_are_one() {
    let engine = Engine::new();
    engine.of("/chat").unwrap();
    let mut peer = Peer::new(&engine);
    peer.connect("chat");
    assert_eq!(peer.read_all(), ["/chat connect"]);
    assert_eq!(peer.connection.socket("chat"), peer.connection.socket("/chat"));
    let again = Err(ReceiveError::Protocol(ProtocolError::AlreadyConnected));
    assert_eq!(peer.try_connect("/chat", ""), again);
    is_closed(&engine, &mut peer);
}

#[test]
fn an_event_before_the_connect_closes_the_connection() {
    let not_connected = || Err(ReceiveError::Protocol(ProtocolError::NotConnected));
    for path in ["/", "/chat", "/unknown", "/a b", ""] {
        let engine = Engine::new();
        engine.of("/chat").unwrap();
        let mut peer = Peer::new(&engine);
        assert_eq!(peer.try_send(path, "event", ""), not_connected());
        is_closed(&engine, &mut peer);
        let mut peer = Peer::new(&engine);
        let ack = ClientPacket::Ack { namespace: path, id: 0, payload: Payload::default() };
        assert_eq!(peer.connection.receive(ack), not_connected());
        is_closed(&engine, &mut peer);
    }
}

#[test]
fn giving_up_what_one_does_not_have_changes_nothing() {
    // It crosses with a rejection or a kick, so a client that did everything right sends it.
    for path in ["/", "/chat", "/unknown", "/a b", ""] {
        let engine = Engine::new();
        engine.of("/chat").unwrap();
        let mut peer = Peer::new(&engine);
        peer.disconnect(path);
        assert_eq!((peer.read(), peer.closed()), (vec![], None), "{path}");
        peer.connect("/");
        peer.disconnect("/chat");
        peer.disconnect("/chat");
        assert_eq!((peer.read(), engine.socket_count()), (vec!["connect".into()], 1), "{path}");
        peer.connection.close(DisconnectReason::Server);
        let disconnect = ClientPacket::Disconnect { namespace: path };
        let closed = ReceiveError::Closed(DisconnectReason::Server);
        assert_eq!(peer.connection.receive(disconnect), Err(closed), "{path}");
    }
}

#[test]
fn an_event_while_the_middleware_decides_closes_the_connection() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.middleware(|socket| {
        let connection = socket.connection().unwrap();
        let sent = send(&connection, "/", "early", "");
        assert_eq!(sent, Err(ReceiveError::Protocol(ProtocolError::NotConnected)));
        Ok(())
    });
    let failures = Log::new();
    io.on_error({
        let failures = failures.clone();
        move |_, failure: &Failure| failures.say(failure.to_string())
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    is_closed(&engine, &mut peer);
    assert_eq!(failures.take(), [""; 0]);
}

#[test]
fn what_comes_after_leaving_is_a_fault_and_after_being_put_out_is_none() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let ack = socket.emit_with_ack("q", "").unwrap();
    peer.read();
    socket.disconnect(DisconnectReason::Server);
    // On its way when the server disconnected it, before and after the client is told.
    for _ in 0..2 {
        peer.send("/", "event", "");
        peer.answer_to("/", peer.question(), "yes");
        peer.read();
    }
    peer.disconnect("/");
    assert!(ack.wait().is_err());
    assert_eq!(peer.connection.closed(), None);
    let not_connected = Err(ReceiveError::Protocol(ProtocolError::NotConnected));
    assert_eq!(peer.try_send("/", "event", ""), not_connected);
    is_closed(&engine, &mut peer);
}

#[test]
fn reserved_empty_and_long_event_names_close_the_connection() {
    let long = "x".repeat(17);
    let names = [
        ("", EventError::Empty),
        ("connect", EventError::Reserved("connect".into())),
        ("connect_error", EventError::Reserved("connect_error".into())),
        ("disconnect", EventError::Reserved("disconnect".into())),
        ("disconnecting", EventError::Reserved("disconnecting".into())),
        (&long, EventError::TooLong { bytes: 17, limit: 16 }),
    ];
    for (name, error) in names {
        let engine = Engine::builder().max_name_bytes(16).unwrap().build();
        let log = Log::new();
        engine.of("/").unwrap().on_any({
            let log = log.clone();
            move |_, incoming| log.say(incoming.event())
        });
        let (mut peer, _) = Peer::joined(&engine, "/");
        peer.send("/", &"x".repeat(16), "");
        let refused = Err(ReceiveError::Protocol(ProtocolError::Event(error)));
        assert_eq!(peer.try_send("/", name, ""), refused);
        is_closed(&engine, &mut peer);
        assert_eq!(log.take(), ["x".repeat(16)]);
    }
}

#[test]
fn answers_that_nobody_asked_for_are_let_be() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let (mut other, _) = Peer::joined(&engine, "/");
    let ack = socket.emit_with_ack("q", "").unwrap();
    peer.read();
    let id = peer.question();
    for stranger in [id + 1, u64::MAX] {
        peer.answer_to("/", stranger, "wrong number");
    }
    other.answer_to("/", id, "wrong socket");
    assert!(!ack.is_done());
    peer.answer("/", "yes");
    peer.answer_to("/", id, "twice");
    assert_eq!(ack.wait().unwrap().as_str(), Some("yes"));
    assert_eq!((other.read(), other.connection.closed()), (vec![], None));
}

#[test]
fn a_client_that_floods_a_busy_socket_is_held_back() {
    let engine = Engine::builder().inbound_queue(10).unwrap().build();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on("slow", {
        let log = log.clone();
        move |socket, _: Payload| {
            let connection = socket.connection().unwrap();
            for n in 0..10 {
                send(&connection, "/", "n", n.to_string()).unwrap();
            }
            for _ in 0..3 {
                log.say(format!("{:?}", send(&connection, "/", "n", "too many")));
            }
            // Another of its sockets is not concerned.
            send(&connection, "/chat", "n", "elsewhere").unwrap();
        }
    })
    .unwrap();
    for namespace in [&io, &engine.of("/chat").unwrap()] {
        let log = log.clone();
        namespace.on("n", move |_, n: Payload| log.say(n.as_str().unwrap())).unwrap();
    }
    let (peer, socket) = Peer::joined(&engine, "/");
    peer.connect("/chat");
    peer.send("/", "slow", "");
    let busy = ["Err(Busy)", "Err(Busy)", "Err(Busy)", "elsewhere"];
    let numbers = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    assert_eq!(log.take(), [&busy[..], &numbers].concat());
    peer.send("/", "n", "again");
    assert_eq!(log.take(), ["again"]);
    assert!(socket.is_connected() && peer.connection.closed().is_none());
}

#[test]
fn refusals_do_not_pile_up() {
    let engine = Engine::builder().inbound_queue(10).unwrap().build();
    engine.of("/closed").unwrap().middleware(|_| Err("no".into()));
    let mut reads = Peer::new(&engine);
    let mut stalls = Peer::new(&engine);
    for _ in 0..10 {
        stalls.connect("/closed");
        for _ in 0..10 {
            reads.connect("/unknown");
        }
        assert_eq!(reads.read().len(), 10);
    }
    assert_eq!(stalls.connection.closed(), None);
    stalls.connect("/unknown");
    assert_eq!(stalls.connection.closed(), Some(DisconnectReason::Backlog));
    let closed = Err(ReceiveError::Closed(DisconnectReason::Backlog));
    assert_eq!(stalls.try_connect("/unknown", ""), closed);
    assert!(stalls.read().len() <= 11);
    assert_eq!(stalls.closed(), Some(DisconnectReason::Backlog));
}

#[test]
fn sockets_that_come_and_go_unread_do_not_pile_up() {
    // One that was given up before the transport knew of it leaves nothing: no note for the one that does not
    // drain, and no packet.
    let engine = Engine::builder().inbound_queue(2).unwrap().build();
    let mut peer = Peer::new(&engine);
    for _ in 0..1000 {
        peer.connect("/");
        peer.socket("/").emit("unread", "").unwrap();
        peer.disconnect("/");
    }
    assert_eq!((peer.read(), peer.closed(), engine.socket_count()), (vec![], None, 0));
    // Those that the server ends are each told of, so a client that goes on without reading is put out.
    let mut stalls = Peer::new(&engine);
    let mut rounds = 0;
    while rounds < 1000 && stalls.try_connect("/", "").is_ok() {
        rounds += 1;
        if let Some(socket) = stalls.connection.socket("/") {
            socket.disconnect("kicked");
        }
    }
    assert!(rounds <= 3, "{rounds} sockets wait to be told of");
    stalls.read();
    assert_eq!(stalls.closed(), Some(DisconnectReason::Backlog));
    assert_eq!((engine.socket_count(), engine.connection_count()), (0, 1));
    // One that reads may come and go as it likes.
    let mut reads = Peer::new(&engine);
    for _ in 0..100 {
        reads.connect("/");
        assert_eq!(reads.read(), ["connect"]);
        reads.disconnect("/");
    }
    assert_eq!(reads.read(), [""; 0]);
}

#[test]
fn a_handler_may_connect_to_another_namespace_over_the_same_connection() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    engine.of("/chat").unwrap();
    io.middleware(|socket| {
        let packet = ClientPacket::Connect { namespace: "/chat", auth: socket.auth() };
        socket.connection().unwrap().receive(packet).map_err(|error| error.to_string().into())
    });
    let mut peer = Peer::with_handshake(&engine, Handshake::new());
    peer.connect_as("/", "token");
    assert_eq!(peer.read_all(), ["/chat connect", "/ connect"]);
    assert_eq!(peer.socket("/chat").auth().as_str(), Some("token"));
    assert!(peer.id("/") != peer.id("/chat"));
}
