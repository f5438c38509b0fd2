//! Handlers, middlewares and hooks of the server, and callbacks that wait for answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;

use roomcast::{Payload, Rejection};

use super::Fate::{Contained, Told};
use super::Place;
use super::payloads::answer;
use crate::trap::Trap;
use crate::world::{SECOND, World, packet_text, report_failure};

/// Registers a trap, by one of the methods that do.
macro_rules! set {
    ($trap:expr, $handle:expr, $method:ident($($event:literal,)? |$($argument:tt $(: $type:ty)?),*| $result:expr)) => {{
        let trap = $trap.clone();
        $handle.$method($($event,)? move |$($argument $(: $type)?),*| {
            trap.spring();
            $result
        })
    }};
}

pub(super) const PLACES: &[Place] = &[
    ("a middleware", Told("socket: middleware"), |w, trap| {
        set!(trap, w.namespace, middleware(|_| Ok(())));
        visit_twice(w);
    }),
    ("a deferred middleware", Told("socket: middleware"), |w, trap| {
        set!(trap, w.namespace, deferred_middleware(|_, decision| decision.accept()));
        visit_twice(w);
    }),
    ("on_connect of a client", Told("socket: on_connect"), |w, trap| {
        set!(trap, w.namespace, on_connect(|_| {}));
        visit_twice(w);
    }),
    ("on_connect of an inbox", Told("socket: on_connect"), |w, trap| {
        set!(trap, w.namespace, on_connect(|_| {}));
        drop((w.namespace.connect(), w.namespace.connect()));
    }),
    ("on_any", Told("socket: on_any"), |w, trap| {
        set!(trap, w.namespace, on_any(|_, _| {}));
        receive_twice(w);
    }),
    ("a packet middleware", Told("socket: packet_middleware"), |w, trap| {
        set!(trap, w.namespace, packet_middleware(|_, _| Ok(())));
        receive_twice(w);
    }),
    ("a handler", Told("socket: handler"), |w, trap| {
        set!(trap, w.namespace, on("e", |_, _: Payload| {})).unwrap();
        receive_twice(w);
    }),
    ("a socket's handler", Told("socket: handler"), |w, trap| {
        set!(trap, w.client, on("e", |_, _: Payload| {})).unwrap();
        receive_twice(w);
    }),
    ("a parent's on_connect", Told("socket: on_connect"), |w, trap| {
        let parent = w.engine.of_pattern("/game-{id}").unwrap();
        set!(trap, parent, on_connect(|_| {}));
        let reports = Arc::clone(&w.reports);
        parent.on_error(move |_, failure| report_failure(&reports, "socket", failure));
        drop((w.visit("/game-1"), w.visit("/game-1")));
    }),
    ("a handler that is called once", Told("socket: handler"), |w, trap| {
        set!(trap, w.namespace, once("e", |_, _: Payload| {})).unwrap();
        receive_twice(w);
    }),
    ("a handler's error's text", Told("socket: handler"), |w, trap| {
        let trap = trap.clone();
        w.namespace.on("e", move |_, _: Payload| Err::<(), _>(Text(trap.clone()))).unwrap();
        receive_twice(w);
    }),
    ("on_disconnecting", Told("socket: on_disconnecting"), |w, trap| {
        set!(trap, w.namespace, on_disconnecting(|_, _| {}));
        w.client.disconnect("bye");
    }),
    ("on_disconnect", Told("socket: on_disconnect"), |w, trap| {
        set!(trap, w.namespace, on_disconnect(|_, _| {}));
        w.client.disconnect("bye");
    }),
    ("on_disconnect of a lost client", Told("socket: on_disconnect"), |w, trap| {
        set!(trap, w.namespace, on_disconnect(|_, _| {}));
        drop(w.outbox.take());
    }),
    ("on_error", Contained, |w, trap| {
        set!(trap, w.namespace, on_error(|_, _| {}));
        let middleware = w.namespace.packet_middleware(|_, _| Err(Rejection::new("no")));
        w.receive("e");
        w.namespace.off(middleware);
        receive_twice(w);
    }),
    ("on_any_outgoing", Told("socket: on_any_outgoing"), |w, trap| {
        set!(trap, w.namespace, on_any_outgoing(|_, _, _| {}));
        (0..3).for_each(|_| w.emit());
        w.outbox.read();
    }),
    ("an admission", Told("socket: admission"), |w, trap| {
        set!(trap, w.namespace, admission(|_, _| Ok(())));
        drop((w.local.join("third"), w.local.leave("third")));
        assert!(!w.local.is_connected() || w.local.join("third").is_ok());
    }),
    ("on_room at a join", Told("engine: on_room"), |w, trap| {
        set!(trap, w.namespace, on_room(|_, _| {}));
        drop((w.local.join("third"), w.local.leave("third")));
    }),
    ("on_room at a leave", Told("engine: on_room"), |w, trap| {
        set!(trap, w.namespace, on_room(|_, _| {}));
        let _ = w.local.leave("second");
    }),
    ("on_room at a disconnect", Told("engine: on_room"), |w, trap| {
        set!(trap, w.namespace, on_room(|_, _| {}));
        w.local.disconnect("bye");
    }),
    ("on_new_namespace", Told("engine: on_new_namespace"), |w, trap| {
        set!(trap, w.engine, on_new_namespace(|_| {}));
        drop((w.engine.of("/brief"), w.engine.remove("/brief")));
    }),
    ("on_new_namespace of a child", Told("engine: on_new_namespace"), |w, trap| {
        set!(trap, w.engine, on_new_namespace(|_| {}));
        w.engine.of_pattern("/game-{id}").unwrap();
        drop((w.visit("/game-1"), w.visit("/game-2")));
    }),
    ("a parent's function", Told("engine: of_fn"), |w, trap| {
        set!(trap, w.engine, of_fn(|path, _| path == "/fn"));
        drop((w.visit("/fn"), w.visit("/fn")));
    }),
    #[cfg(panic = "unwind")]
    ("on_panic", Contained, |w, trap| {
        set!(trap, w.engine, on_panic(|_, _| {}));
        w.namespace.on_room(|_, _| std::panic::resume_unwind(Box::new(crate::trap::ANOTHER)));
        drop(w.local.join("third"));
    }),
    ("an answer's callback", Contained, |w, trap| {
        ask(w, trap);
        answer(w, Payload::default());
    }),
    ("an answer's callback at a disconnect", Contained, |w, trap| {
        ask(w, trap);
        w.local.disconnect("bye");
    }),
    ("an answer's callback at a removal", Contained, |w, trap| {
        ask(w, trap);
        w.engine.remove("/scene");
    }),
    ("a callback of several answers at a tick", Contained, |w, trap| {
        let trap = trap.clone();
        let acks = w.namespace.to("second").emit_with_ack("q", "").unwrap();
        acks.timeout(SECOND).on_done(move |_| trap.spring());
        w.engine.tick(SECOND);
    }),
    ("a callback of no answers at once", Contained, |w, trap| {
        let trap = trap.clone();
        w.namespace.to("nobody").emit_with_ack("q", "").unwrap().on_done(move |_| trap.spring());
    }),
    ("an answer's waker", Contained, |w, trap| {
        let mut ack = pin!(w.local.emit_with_ack("q", "").unwrap());
        let waker = Arc::new(trap.clone()).into();
        assert!(ack.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        answer(w, Payload::default());
    }),
];

fn visit_twice(w: &World) {
    drop(w.visit("/scene"));
    let (connection, mut outbox) = w.visit("/scene");
    outbox.drain(|packet| w.note(packet_text(&packet)));
    connection.close("over");
}

/// The second one comes to where a handler notes it.
fn receive_twice(w: &World) {
    let log = Arc::clone(&w.log);
    let handler = w.namespace.on("next", move |_, _: Payload| log.lock().push("handled".to_owned())).unwrap();
    w.receive("e");
    w.receive("e");
    w.receive("next");
    w.namespace.off(handler);
}

fn ask(w: &World, trap: &Trap) {
    let trap = trap.clone();
    w.local.emit_with_ack("q", "").unwrap().on_done(move |_| trap.spring());
}

/// Springs it when it is written.
struct Text(Trap);

impl std::fmt::Display for Text {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.spring();
        Ok(())
    }
}
