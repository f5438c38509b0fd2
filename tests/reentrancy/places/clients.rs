//! Handlers and hooks of a client in the same process.

use std::sync::Arc;

use roomcast::{Client, ClientSocket, Payload};

use super::Fate::{Contained, Told};
use super::Place;
use crate::world::{BACKLOG, World, report_failure};

/// Registers a trap, by one of the methods that do.
macro_rules! set {
    ($trap:expr, $handle:expr, $method:ident($($event:literal,)? |$($argument:tt $(: $type:ty)?),*|)) => {{
        let trap = $trap.clone();
        $handle.$method($($event,)? move |$($argument $(: $type)?),*| trap.spring())
    }};
}

pub(super) const PLACES: &[Place] = &[
    ("a client's on_connect", Told("client: on_connect"), |w, trap| {
        play(w, |_, socket| _ = set!(trap, socket, on_connect(|_|)));
    }),
    ("a client's on_connect_error", Told("client: on_connect_error"), |w, trap| {
        play(w, |client, _| {
            let nowhere = client.socket("/nowhere", ()).unwrap();
            report(w, &nowhere);
            set!(trap, nowhere, on_connect_error(|_, _|));
        });
    }),
    ("a client's on_disconnect", Told("client: on_disconnect"), |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on_disconnect(|_, _|));
            client.poll();
            w.namespace.sockets().last().unwrap().disconnect("kick");
        });
    }),
    ("a client's on_gap", Told("client: on_gap"), |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on_gap(|_, _|));
            client.poll();
            let socket = w.namespace.socket(socket.id().unwrap()).unwrap();
            (0..2 * BACKLOG).for_each(|_| drop(socket.emit("x", "")));
        });
    }),
    ("a client's handler", Told("client: handler"), |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on("e", |_, _: Payload|)).unwrap();
            client.poll();
            (0..2).for_each(|_| drop(w.namespace.emit("e", "")));
        });
    }),
    ("a client's on_any", Told("client: on_any"), |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on_any(|_, _|));
            client.poll();
            (0..2).for_each(|_| drop(w.namespace.emit("e", "")));
        });
    }),
    ("a client's on_any_outgoing", Told("client: on_any_outgoing"), |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on_any_outgoing(|_, _, _|));
            client.poll();
            drop(socket.emit("e", ""));
        });
    }),
    ("a client's on_error", Contained, |w, trap| {
        play(w, |client, socket| {
            set!(trap, socket, on_error(|_, _|));
            socket.on("e", |_, _: Payload| Err::<(), _>("no")).unwrap();
            client.poll();
            drop(w.namespace.emit("e", ""));
        });
    }),
    ("a client's callback", Contained, |w, trap| {
        play(w, |client, _| {
            client.poll();
            let trap = trap.clone();
            client.on_wake(move || trap.spring());
            drop(w.namespace.emit("e", ""));
        });
    }),
    ("a client's answer's callback", Contained, |w, trap| {
        let answering = w.namespace.on_with_ack("q", |_, _: Payload, ack| drop(ack.send("yes"))).unwrap();
        play(w, |client, socket| {
            client.poll();
            set!(trap, socket.emit_with_ack("q", "").unwrap(), on_done(|_|));
        });
        w.namespace.off(answering);
    }),
];

/// Does something with a client that has asked to be in the namespace; then the client polls all that there is, notes
/// a message that comes next, and is gone.
fn play(w: &Arc<World>, with: impl FnOnce(&Client, &ClientSocket)) {
    let client = Client::new(&w.engine);
    let socket = client.socket("/scene", ()).unwrap();
    report(w, &socket);
    with(&client, &socket);
    while client.poll() > 0 {}
    let log = Arc::clone(&w.log);
    socket.on("next", move |_, _: Payload| log.lock().push("handled".to_owned())).unwrap();
    drop(w.namespace.emit("next", ""));
    client.poll();
    client.close();
}

fn report(w: &World, socket: &ClientSocket) {
    let reports = Arc::clone(&w.reports);
    socket.on_error(move |_, failure| report_failure(&reports, "client", failure));
}
