//! What the tests have in common.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use roomcast::{Client, ClientSocket, Engine, Payload, Socket};

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Logs all that a client's socket tells.
    pub(crate) fn follow(&self, socket: &ClientSocket) {
        let log = self.clone();
        socket.on_connect(move |socket| log.add(format!("{} connect", socket.namespace())));
        let log = self.clone();
        socket.on_connect_error(move |socket, rejection| {
            log.add(format!("{} connect_error {rejection}", socket.namespace()));
        });
        let log = self.clone();
        socket.on_disconnect(move |socket, reason| {
            log.add(format!("{} disconnect {reason:?}", socket.namespace()));
        });
        let log = self.clone();
        socket.on_any(move |socket, incoming| {
            log.add(format!("{} {} {}", socket.namespace(), incoming.event(), text(incoming.payload())));
        });
        let log = self.clone();
        socket.on_error(move |socket, failure| log.add(format!("{} error {failure}", socket.namespace())));
    }
}

pub(crate) fn text(payload: &Payload) -> &str {
    payload.as_str().unwrap_or("-")
}

/// A server that sends everything back, in `/` and `/game`.
pub(crate) fn echo() -> Engine {
    let engine = Engine::new();
    for path in ["/", "/game"] {
        let namespace = engine.of(path).unwrap();
        namespace
            .on("echo", |socket, payload: Payload| {
                socket.emit("echo", payload).unwrap();
            })
            .unwrap();
        namespace
            .on_with_ack("ask", |_, payload: Payload, ack| {
                ack.send(format!("{}!", text(&payload))).unwrap();
            })
            .unwrap();
    }
    engine
}

/// A client that is in `/`.
pub(crate) fn connected(engine: &Engine) -> (Client, ClientSocket) {
    let client = Client::new(engine);
    let socket = client.socket("/", ()).unwrap();
    client.poll();
    assert!(socket.is_connected());
    (client, socket)
}

/// The server's side of a client's socket.
pub(crate) fn at_server(engine: &Engine, socket: &ClientSocket) -> Socket {
    engine.get(socket.namespace()).unwrap().socket(socket.id().expect("connected")).unwrap()
}

/// Tells when it is dropped.
pub(crate) struct Flag(pub(crate) Arc<AtomicUsize>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
