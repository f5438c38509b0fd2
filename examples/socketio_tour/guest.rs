//! The other side: a client that notes what it gets, and a notebook for handlers.

use std::error::Error;
use std::sync::{Arc, Mutex};

use roomcast::{Client, ClientSocket, Engine, Payload, Socket};

/// A client that is connected to one namespace.
pub(crate) struct Guest {
    /// Its socket at the server: JavaScript's `socket` in `io.on("connection", (socket) => ..)`.
    pub(crate) socket: Socket,
    /// The same on its own side: JavaScript's `const socket = io()` in the browser.
    pub(crate) client: ClientSocket,
    seen: Notes,
}

impl Guest {
    /// Connects. The error says what the server does when it does not let it in.
    pub(crate) fn new(io: &Engine, namespace: &str) -> Result<Self, Box<dyn Error>> {
        let client = Client::new(io).socket(namespace, ())?;
        let seen = Notes::default();
        let notes = seen.clone();
        client.on_any(move |_, incoming| notes.add(line(incoming.event(), incoming.payload())));
        let refusal = Notes::default();
        let notes = refusal.clone();
        client.on_connect_error(move |_, rejection| notes.add(rejection.message()));
        client.client().poll();
        let id = client.id().ok_or_else(|| refusal.take().join(", "))?;
        let nsp = io.get(namespace).ok_or("it is gone")?; // `of` would keep a dynamic one for good
        Ok(Self { socket: nsp.socket(id)?, client, seen })
    }

    /// Takes in what the server has sent: returns the events since the last time, as `name payload`.
    pub(crate) fn got(&self) -> Vec<String> {
        while self.client.client().poll() > 0 {}
        self.seen.take()
    }
}

/// Has a client try to connect: returns with what words the server refuses, or nothing if it does not.
pub(crate) fn refusal(io: &Engine, namespace: &str) -> Option<String> {
    Guest::new(io, namespace).err().map(|error| error.to_string())
}

/// What handlers note, for assertions outside of them. Clones are the same notes.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// Adds a line.
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Returns the lines since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Returns a handler that notes this word and what the event carries.
    pub(crate) fn noting<S>(&self, word: &'static str) -> impl Fn(&S, Payload) + Send + Sync + use<S> {
        let notes = self.clone();
        move |_, payload| notes.add(line(word, &payload))
    }
}

/// An event in one line. Text is shown as it is.
pub(crate) fn line(event: &str, payload: &Payload) -> String {
    match payload.as_str() {
        Some(text) => format!("{event} {text}"),
        None if payload.is_empty() => event.to_owned(),
        None => format!("{event} {payload:?}"),
    }
}
