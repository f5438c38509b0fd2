//! Edge cases 28 to 30 and 38: events on their way in and out, and what is told of rooms.

use roomcast::{Engine, Failure, Incoming, Payload, RoomEvent, Socket};

use crate::rig::{Log, Peer, text};

#[test]
fn edge_28_a_packet_middleware_may_rename_an_event_and_an_error_goes_to_the_error_hook() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    for name in ["old", "new", "bad"] {
        let log = log.clone();
        io.on(name, move |_, payload: Payload| log.say(format!("{name}:{}", text(&payload)))).unwrap();
    }
    io.packet_middleware(|_, incoming: &mut Incoming| {
        if incoming.event() == "old" {
            incoming.set_event("new");
            incoming.set_payload("rewritten").unwrap();
        }
        Ok(())
    });
    io.packet_middleware(|_, incoming: &mut Incoming| match incoming.event() {
        "bad" => Err("not today".into()),
        _ => Ok(()),
    });
    io.on_error({
        let log = log.clone();
        move |_, failure: &Failure| log.say(failure.to_string())
    });
    let (mut peer, _socket) = Peer::joined(&engine, "/");
    peer.send("/", "old", "1");
    peer.send("/", "bad", "2");
    peer.send("/", "new", "3");
    assert_eq!(log.take(), ["new:rewritten", r#"the event "bad" was refused: not today"#, "new:3"]);
    assert_eq!((peer.read(), peer.connection.closed()), (vec![], None));
}

#[test]
fn edge_29_catch_all_handlers_have_an_order_and_outgoing_ones_see_broadcasts_and_bytes() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let incoming = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, incoming: &Incoming| log.say(format!("{what} {}", incoming.event()))
    };
    let outgoing = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, event: &str, payload: &Payload| log.say(format!("{what} {event}:{}", text(payload)))
    };
    let second = socket.on_any(incoming("second"));
    socket.on_any(incoming("third"));
    socket.prepend_any(incoming("first"));
    peer.send("/", "in", "");
    assert_eq!(log.take(), ["first in", "second in", "third in"]);
    assert!(socket.off(second));
    peer.send("/", "in", "");
    assert_eq!(log.take(), ["first in", "third in"]);

    socket.on_any_outgoing(outgoing("two"));
    let one = socket.prepend_any_outgoing(outgoing("one"));
    socket.emit("direct", "d").unwrap();
    io.emit("all", [1, 2]).unwrap();
    assert_eq!(log.take(), [""; 0]); // as its turn comes to go
    assert_eq!(peer.read(), ["direct:d", "all:[1, 2]"]);
    assert_eq!(log.take(), ["one direct:d", "two direct:d", "one all:[1, 2]", "two all:[1, 2]"]);
    assert!(socket.off(one));
    socket.on_with_ack("q", |_, _: Payload, ack| assert!(ack.send("a").unwrap())).unwrap();
    let _ack = socket.emit_with_ack("asked", "").unwrap();
    peer.ask("/", "q", "", 1);
    assert_eq!(peer.read(), ["asked?:", "ack 1:a"]);
    assert_eq!(log.take(), ["first q", "third q", "two asked:"]); // an answer is no event
}

#[test]
fn edge_30_an_error_without_a_hook_hurts_nobody() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.packet_middleware(|_, incoming: &mut Incoming| match incoming.event() {
        "bad" => Err("no".into()),
        _ => Ok(()),
    });
    io.on("value", |_, _: roomcast::Shared<u8>| -> () { unreachable!() }).unwrap();
    io.on("panics", |_, _: Payload| -> () { panic!("on purpose") }).unwrap();
    io.on("good", {
        let log = log.clone();
        move |_, _: Payload| log.say("good")
    })
    .unwrap();
    // An event of that name is one like any other.
    io.on("error", {
        let log = log.clone();
        move |_, payload: Payload| log.say(format!("error {}", text(&payload)))
    })
    .unwrap();
    let (peer, socket) = Peer::joined(&engine, "/");
    for event in ["bad", "value", "panics", "unknown", "error", "good"] {
        peer.send("/", event, "x");
    }
    assert_eq!(log.take(), ["error x", "good"]);
    assert!(socket.is_connected() && peer.connection.closed().is_none());
}

#[test]
fn edge_38_room_events_come_once_and_hooks_may_join_and_leave() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let (_a, a) = Peer::joined(&engine, "/");
    let (_b, b) = Peer::joined(&engine, "/");
    let name = {
        let id = a.id();
        move |socket| if socket == id { "a" } else { "b" }
    };
    io.on_room({
        let log = log.clone();
        move |io, event| {
            let members = io.room_len(event.room());
            let socket = event.socket().map_or("", name);
            log.say(match event {
                RoomEvent::Created(room) => format!("{socket}+{room}"),
                RoomEvent::Joined(room, _) => format!("{socket}>{room}"),
                RoomEvent::Left(room, _) => format!("{socket}<{room}"),
                RoomEvent::Deleted(room) => format!("{socket}-{room} {members}"),
                _ => unreachable!("{event:?}"),
            });
        }
    });
    a.join(["one", "two", "one"]).unwrap();
    a.join("one").unwrap();
    b.join("one").unwrap();
    b.leave("unknown").unwrap();
    assert_eq!(log.take(), ["+one", "a>one", "+two", "a>two", "b>one"]);
    a.leave("one").unwrap();
    a.leave("one").unwrap();
    assert_eq!(log.take(), ["a<one"]);
    b.disconnect("bye");
    assert_eq!(log.take(), ["b<one", "-one 0"]);
    // A hook that throws out whoever joins, and follows whoever leaves.
    io.on_room({
        let a = a.clone();
        move |io, event| match event {
            RoomEvent::Joined(room, socket) if room.as_str() == Some("trap") => {
                assert_eq!(io.socket(*socket).unwrap().leave(room), Ok(1));
            }
            RoomEvent::Left(room, _) if room.as_str() == Some("trap") => {
                assert_eq!(a.join("after"), Ok(1));
            }
            _ => {}
        }
    });
    a.join("trap").unwrap();
    assert_eq!(log.take(), ["+trap", "a>trap", "a<trap", "-trap 0", "+after", "a>after"]);
    assert!(!io.has_room("trap"));
    engine.close(); // hooks hold what holds them
}
