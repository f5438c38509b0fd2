//! Edge cases 19 to 27 and 35 to 37: how a socket comes and goes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{DisconnectReason, EmitError, Engine, Handshake, MembershipError, Payload, Rejection, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer, rooms, send};

#[test]
fn edge_19_disconnecting_sees_the_rooms_and_disconnect_sees_none() {
    // In Socket.IO the socket is still connected in `disconnecting`, and in a room of its own id, which we do
    // not have. Ours is closed then, and can still say good-bye: in both, and no more after them.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let say = |hook: &'static str, what: &'static str| {
        let log = log.clone();
        move |socket: &Socket, reason: &DisconnectReason| {
            let members = socket.namespace().room_len("one");
            log.say(format!("{hook} {reason:?} {:?} {} {members}", rooms(socket), socket.is_connected()));
            socket.to("one").emit(what, "").unwrap();
        }
    };
    io.on_disconnecting(say("disconnecting", "going"));
    io.on_disconnect(say("disconnect", "gone"));
    let (mut other, stays) = Peer::joined(&engine, "/");
    let (_peer, socket) = Peer::joined(&engine, "/");
    stays.join("one").unwrap();
    socket.join(["one", "two"]).unwrap();
    socket.disconnect("bye");
    let said =
        [r#"disconnecting Other("bye") ["one", "two"] false 1"#, r#"disconnect Other("bye") [] false 1"#];
    assert_eq!(log.take(), said);
    assert_eq!(other.read(), ["going:", "gone:"]);
    assert_eq!(socket.to("one").emit("late", "").map(drop), Err(EmitError::Closed("bye".into())));
    assert_eq!(other.read(), [""; 0]);
}

#[test]
fn edge_20_the_disconnect_hook_that_sees_rooms_is_disconnecting() {
    // socketioxide has one hook, which sees rooms that others still send to. Ours sees them, and nothing that
    // is sent from then on arrives.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_disconnecting({
        let log = log.clone();
        move |socket, _| {
            log.say(format!("{:?} {}", rooms(socket), socket.is_in("room")));
            log.say(format!("{:?}", socket.namespace().to("room").emit("too late", "").unwrap().members()));
            log.say(format!("{:?}", socket.namespace().emit("too late", "").unwrap().members()));
        }
    });
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    io.to("room").emit("in time", "").unwrap();
    socket.disconnect(DisconnectReason::Server);
    assert_eq!(log.take(), [r#"["room"] true"#, "0", "0"]);
    assert_eq!((rooms(&socket), socket.is_in("room")), (vec![], false));
    assert_eq!(peer.read(), ["in time:", "disconnect:Server"]);
}

#[test]
fn edge_21_joining_after_the_disconnect_creates_nothing() {
    // In both peers it says nothing; here it is an error. In socketioxide the membership stays for good.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let join = || {
        let log = log.clone();
        move |socket: &Socket, _: &DisconnectReason| log.say(format!("{:?}", socket.join("late")))
    };
    io.on_disconnecting(join());
    io.on_disconnect(join());
    let (_peer, socket) = Peer::joined(&engine, "/");
    let room = io.room("late").unwrap();
    socket.join("before").unwrap();
    socket.disconnect(DisconnectReason::Server);
    let closed = || MembershipError::Closed(DisconnectReason::Server);
    assert_eq!(socket.join("late"), Err(closed()));
    assert_eq!(socket.join(&room), Err(closed()));
    assert_eq!(socket.set_rooms(["late"]), Err(closed()));
    assert_eq!(socket.leave("before"), Err(closed()));
    assert_eq!(log.take(), ["Err(Closed(Server))", "Err(Closed(Server))"]);
    assert!(io.rooms().is_empty() && room.is_empty() && rooms(&socket).is_empty());
}

#[test]
fn edge_22_rooms_joined_in_a_failing_middleware_are_released() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    chat.middleware(|socket| {
        socket.join(["one", "two"]).unwrap();
        assert_eq!(socket.namespace().room_len("one"), 1);
        Ok(())
    });
    chat.middleware(|_| Err("no".into()));
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert_eq!(peer.read(), ["error:no"]);
    assert!(chat.rooms().is_empty());
    chat.to("one").emit("lost", "").unwrap();
    assert_eq!(peer.read(), [""; 0]);
}

#[test]
fn edge_23_an_event_that_waits_when_the_socket_is_disconnected_is_not_delivered() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on("event", {
        let log = log.clone();
        move |socket, n: Payload| {
            log.say(n.as_str().unwrap());
            let connection = socket.connection().unwrap();
            send(&connection, "/", "event", "waits").unwrap();
            socket.disconnect(DisconnectReason::Server);
            // The client may not know yet: that is no fault of its.
            send(&connection, "/", "event", "is late").unwrap();
        }
    })
    .unwrap();
    io.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("{reason:?}"))
    });
    let (peer, _socket) = Peer::joined(&engine, "/");
    peer.send("/", "event", "first");
    assert_eq!(log.take(), ["first", "Server"]);
    peer.send("/", "event", "after");
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(peer.connection.closed(), None);
}

#[test]
fn edge_24_a_transport_lost_in_a_middleware_never_connects_and_leaves_nothing() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| {
            socket.join("room").unwrap();
            decisions.lock().unwrap().push(decision);
        }
    });
    let say = || {
        let log = log.clone();
        move |_: &Socket, reason: &DisconnectReason| log.say(format!("{reason:?}"))
    };
    io.on_disconnecting(say());
    io.on_disconnect(say());
    io.on_connect({
        let log = log.clone();
        move |_| log.say("connect")
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    assert_eq!(io.room_len("room"), 1);
    assert!(peer.connection.close(DisconnectReason::Transport));
    assert!(io.rooms().is_empty());
    decisions.lock().unwrap().pop().unwrap().accept();
    assert_eq!(log.take(), [""; 0]);
    assert_eq!((io.socket_count(), engine.socket_count(), engine.connection_count()), (0, 0, 0));
    assert_eq!(peer.read(), [""; 0]);
    assert_eq!(peer.closed(), Some(DisconnectReason::Transport));
}

#[test]
fn edge_25_in_a_middleware_the_socket_is_not_connected_and_nobody_finds_it() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.middleware({
        let log = log.clone();
        move |socket| {
            let io = socket.namespace();
            assert!(!socket.is_connected() && socket.closed().is_none());
            assert!(io.socket(socket.id()).is_err() && io.sockets().is_empty());
            assert!(socket.connection().unwrap().sockets().is_empty());
            assert!(io.to("nowhere").sockets().unwrap().is_empty());
            assert_eq!(socket.handshake().get("version"), Some("3"));
            log.say(socket.auth().as_str().unwrap());
            Ok(())
        }
    });
    io.on_connect({
        let log = log.clone();
        move |socket| {
            let io = socket.namespace();
            assert!(socket.is_connected() && io.socket(socket.id()).as_ref() == Ok(socket));
            assert_eq!(socket.connection().unwrap().socket("/").as_ref(), Some(socket));
            log.say("connected");
        }
    });
    let peer = Peer::with_handshake(&engine, Handshake::new().with("version", "3"));
    peer.connect_as("/", "token");
    assert_eq!(log.take(), ["token", "connected"]);
}

#[test]
fn edge_26_middlewares_run_in_order_in_their_namespace_and_the_first_error_stops() {
    // In socketioxide the last one runs first, and an error has no data.
    let engine = Engine::new();
    let log = Log::new();
    let middleware = |what: &'static str, refused: Option<&'static str>| {
        let log = log.clone();
        move |socket: &Socket| {
            log.say(what);
            match refused {
                Some(auth) if socket.auth().as_str() == Some(auth) => {
                    Err(Rejection::new(format!("{what} says no")).with_data("retry later"))
                }
                _ => Ok(()),
            }
        }
    };
    let chat = engine.of("/chat").unwrap();
    chat.middleware(middleware("first", None));
    chat.middleware(middleware("second", Some("bad")));
    chat.middleware(middleware("third", None));
    engine.of("/news").unwrap().middleware(middleware("elsewhere", None));
    chat.on_connect({
        let log = log.clone();
        move |_| log.say("connect")
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/chat", "bad");
    assert_eq!(log.take(), ["first", "second"]);
    assert_eq!(peer.read_all(), ["/chat error:second says no (retry later)"]);
    peer.connect_as("/chat", "good");
    assert_eq!(log.take(), ["first", "second", "third", "connect"]);
    assert_eq!(peer.read_all(), ["/chat connect"]);
}

#[test]
fn edge_27_emitting_in_a_middleware_fails_and_queues_nothing() {
    // Socket.IO lets it through, ahead of the connect packet.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut other, _) = Peer::joined(&engine, "/");
    io.middleware(|socket| {
        socket.join("room").unwrap();
        assert!(matches!(socket.emit("early", ""), Err(EmitError::Connecting)));
        assert!(matches!(socket.emit_with_ack("early", ""), Err(EmitError::Connecting)));
        assert!(matches!(socket.broadcast().emit("early", ""), Err(EmitError::Connecting)));
        assert!(matches!(socket.within("room").emit("early", ""), Err(EmitError::Connecting)));
        assert!(matches!(socket.namespace().to(socket.id()).emit("early", ""), Err(EmitError::Stale(_))));
        Ok(())
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    peer.socket("/").emit("now", "").unwrap();
    assert_eq!(peer.read(), ["connect", "now:"]);
    assert_eq!(other.read(), [""; 0]);
}

#[test]
fn edge_35_a_connection_that_joins_nothing_is_closed_after_the_timeout() {
    let second = Duration::from_secs(1);
    let engine = Engine::builder().connect_timeout(second).build();
    engine.of("/closed").unwrap().middleware(|_| Err("no".into()));
    let [mut idle, mut joined, mut rejected, mut left] = [0; 4].map(|_| Peer::new(&engine));
    joined.connect("/");
    rejected.connect("/closed");
    rejected.connect("/unknown");
    left.connect("/");
    left.disconnect("/");
    engine.tick(second - Duration::from_nanos(1));
    assert!(idle.connection.closed().is_none() && rejected.connection.closed().is_none());
    engine.tick(second);
    for peer in [&mut idle, &mut rejected] {
        assert_eq!(peer.connection.closed(), Some(DisconnectReason::Timeout));
        peer.read();
        assert_eq!(peer.closed(), Some(DisconnectReason::Timeout));
    }
    // One that was in some namespace is at the end of its wait for good.
    for peer in [&mut joined, &mut left] {
        peer.read();
        assert_eq!((peer.connection.closed(), peer.closed()), (None, None));
    }
    assert_eq!(engine.connection_count(), 2);
}

#[test]
fn edge_36_closing_a_connection_ends_all_its_sockets_and_what_was_emitted_before_arrives() {
    // What Socket.IO does with `disconnect(true)`; there the reason is that of one namespace.
    let engine = Engine::new();
    let log = Log::new();
    let mut peer = Peer::new(&engine);
    for path in ["/a", "/b"] {
        let namespace = engine.of(path).unwrap();
        let log = log.clone();
        namespace.on_disconnect(move |socket, reason| {
            log.say(format!("{} {reason:?}", socket.namespace().path()));
        });
        peer.connect(path);
    }
    peer.read();
    peer.socket("/a").emit("last", "a").unwrap();
    engine.of("/b").unwrap().emit("last", "b").unwrap();
    peer.socket("/a").connection().unwrap().close(DisconnectReason::Server);
    assert_eq!(log.take(), ["/a Server", "/b Server"]);
    assert!(peer.connection.sockets().is_empty());
    let packets = ["/a last:a", "/a disconnect:Server", "/b last:b", "/b disconnect:Server"];
    assert_eq!(peer.read_all(), packets);
    assert_eq!(peer.closed(), Some(DisconnectReason::Server));
    // So does what is emitted just before all are disconnected together.
    let io = engine.of("/").unwrap();
    let mut peers = [0; 3].map(|_| Peer::joined(&engine, "/").0);
    io.emit("last", "").unwrap();
    assert_eq!(io.except("nowhere").disconnect("over").unwrap().changed(), 3);
    for peer in &mut peers {
        assert_eq!(peer.read(), ["last:", r#"disconnect:Other("over")"#]);
    }
}

#[test]
fn edge_37_a_closed_engine_has_no_sockets_and_can_be_closed_before_it_had_any() {
    let unused = Engine::new();
    unused.close();
    unused.close();
    assert!(unused.is_closed());
    let mut late = Peer::new(&unused);
    assert!(late.try_connect("/", "").is_err());
    assert_eq!((late.read(), late.closed()), (vec![], Some(DisconnectReason::Shutdown)));

    let engine = Engine::new();
    let mut peers: Vec<_> = (0..100).map(|_| Peer::joined(&engine, "/").0).collect();
    let io = engine.of("/").unwrap();
    io.emit("last", "").unwrap();
    let closing = engine.clone();
    watched("close", move || closing.close());
    assert_eq!((engine.socket_count(), engine.connection_count(), io.socket_count()), (0, 0, 0));
    for peer in &mut peers {
        // Socket.IO sends no disconnect then.
        assert_eq!(peer.read(), ["last:", "disconnect:Shutdown"]);
        assert_eq!(peer.closed(), Some(DisconnectReason::Shutdown));
    }
}
