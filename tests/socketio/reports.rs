//! What error hooks and the engine's panic hook are told, and what they can do about it.

use std::fmt;

use roomcast::{AckSender, Engine, EventError, Failure, Payload, Rejection, Shared, Socket};

use crate::rig::{Log, Peer, text};

/// What a failure has that answers the event, if it is about one.
fn ack(failure: &Failure) -> Option<&AckSender> {
    match failure {
        Failure::Refused { ack, .. } | Failure::Undecodable { ack, .. } | Failure::Failed { ack, .. } => {
            Some(ack)
        }
        _ => None,
    }
}

#[test]
fn an_error_hook_may_answer_the_event_that_failed() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.packet_middleware(
        |_, incoming| {
            if incoming.event() == "refused" { Err(Rejection::new("not now")) } else { Ok(()) }
        },
    );
    io.on_with_ack("unreadable", |_, _: Shared<u8>, _| -> () { unreachable!() }).unwrap();
    io.on_with_ack("failed", |_, _: Payload, _| Err("disk full")).unwrap();
    io.on_with_ack("answered", |_, _: Payload, ack: AckSender| {
        ack.send("by the handler").unwrap();
        Err("too late")
    })
    .unwrap();
    io.on_error({
        let log = log.clone();
        move |_, failure| {
            let ack = ack(failure).unwrap();
            let was_wanted = ack.is_wanted();
            assert_eq!(ack.send(format!("error: {failure}")).unwrap(), was_wanted);
            log.say(failure.to_string());
        }
    });
    let (mut peer, _) = Peer::joined(&engine, "/");
    for (number, event) in (0..).zip(["refused", "unreadable", "failed", "answered"]) {
        peer.ask("/", event, "", number);
        let said = log.take();
        let answer = if event == "answered" { "by the handler" } else { &*format!("error: {}", said[0]) };
        assert_eq!((said.len(), peer.read()), (1, vec![format!("ack {number}:{answer}")]));
        // And if none was wanted, it does no harm.
        peer.send("/", event, "");
        assert_eq!((log.take(), peer.read()), (said, vec![]));
    }
}

#[test]
fn what_a_handler_returns_is_reported_if_it_is_an_error() {
    struct Why(u8);
    impl fmt::Display for Why {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "reason {}", self.0)
        }
    }
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_error({
        let log = log.clone();
        move |_, failure| {
            let Failure::Failed { event, message, ack } = failure else { panic!("{failure}") };
            log.say(format!("{event}: {message} {}", ack.is_wanted()));
        }
    });
    io.on("e", |_, payload: Payload| if payload.is_empty() { Ok(()) } else { Err(Why(1)) }).unwrap();
    io.once("e", |_, _: Payload| Err::<(), _>(Why(2))).unwrap();
    io.on_with_ack("e", |_, _: Payload, _| Err::<(), _>(Why(3))).unwrap();
    let (peer, socket) = Peer::joined(&engine, "/");
    socket.on("e", |_, _: Payload| Err::<(), _>(Why(4))).unwrap();
    // One that fails keeps none of the others from being called.
    peer.ask("/", "e", "x", 7);
    assert_eq!(log.take(), ["e: reason 1 true", "e: reason 2 true", "e: reason 3 true", "e: reason 4 true"]);
    peer.send("/", "e", "");
    assert_eq!(log.take(), ["e: reason 3 false", "e: reason 4 false"]);
}

#[test]
fn a_failure_says_what_and_where() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_error({
        let log = log.clone();
        move |_, failure| {
            if let Failure::Panicked { place, event, message } = failure {
                log.say(format!("{place} {event:?} {message}"));
            }
            log.say(failure.to_string());
        }
    });
    io.on("crash", |_, _: Payload| -> () { panic!("oh no") }).unwrap();
    io.on("fail", |_, _: Payload| Err("disk full")).unwrap();
    io.on_connect(|_| panic!("at once"));
    let (peer, _) = Peer::joined(&engine, "/");
    assert_eq!(log.take(), ["on_connect None at once", "panic in on_connect: at once"]);
    peer.send("/", "crash", "");
    assert_eq!(log.take(), [r#"handler Some("crash") oh no"#, r#"panic in handler of "crash": oh no"#]);
    peer.send("/", "fail", "");
    assert_eq!(log.take(), [r#"the handler of "fail" failed: disk full"#]);
    io.packet_middleware(|_, incoming| {
        incoming.set_event("renamed");
        panic!("in between")
    });
    peer.send("/", "e", "");
    let said = log.take();
    assert_eq!(said[1], r#"panic in packet_middleware of "e": in between"#);
}

#[test]
fn the_engine_is_told_of_panics_that_concern_no_socket() {
    let engine = Engine::new();
    let log = Log::new();
    engine.on_panic(|_, _| panic!("even this one"));
    let hook = engine.on_panic({
        let log = log.clone();
        move |place, message| log.say(format!("{place}: {message}"))
    });
    engine.of_fn(|path, _| {
        assert!(path != "/bad", "which path");
        path == "/good"
    });
    engine.on_new_namespace(|namespace| panic!("new {}", namespace.path()));
    let io = engine.of("/").unwrap();
    io.on_room(|_, event| panic!("room {}", event.room()));
    // Those that do belong to a socket come to its error hooks alone.
    io.on("e", |_, _: Payload| -> () { panic!("handler") }).unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    peer.send("/", "e", "");
    assert_eq!(log.take(), [""; 0]);
    socket.join("here").unwrap();
    assert_eq!(log.take(), ["on_room: room here", "on_room: room here"]);
    peer.connect("/bad");
    assert_eq!(log.take(), ["of_fn: which path"]);
    peer.connect("/good");
    assert_eq!(log.take(), ["on_new_namespace: new /good"]);
    assert_eq!(peer.read(), ["error:Invalid namespace", "connect"]);
    assert!(engine.off(hook) && !engine.off(hook));
    socket.leave("here").unwrap();
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn whom_a_packet_middleware_disconnects_no_handler_sees() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, payload: Payload| log.say(format!("{what} {}", text(&payload)))
    };
    io.packet_middleware({
        let log = log.clone();
        move |socket, incoming| {
            log.say(format!("middleware {}", text(incoming.payload())));
            if incoming.payload().as_str() == Some("flood") {
                socket.disconnect("flood");
            }
            Ok(())
        }
    });
    io.on("e", say("handler")).unwrap();
    io.on_error(|_, failure| panic!("{failure}"));
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.on("e", say("own handler")).unwrap();
    peer.send("/", "e", "fine");
    peer.send("/", "e", "flood");
    assert_eq!(log.take(), ["middleware fine", "handler fine", "own handler fine", "middleware flood"]);
    assert_eq!(peer.read(), [r#"disconnect:Other("flood")"#]);
}

#[test]
fn a_name_that_is_refused_is_refused_by_all_that_register() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    assert_eq!(io.on("", |_, _: Payload| -> () {}), Err(EventError::Empty));
    assert_eq!(io.once("", |_, _: Payload| Ok::<(), String>(())), Err(EventError::Empty));
    assert_eq!(io.on_with_ack("", |_, _: Payload, _| {}), Err(EventError::Empty));
    assert_eq!(io.off_event(""), 0);
}
