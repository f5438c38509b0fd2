//! What a program does with one socket of a client.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::ack::Ack;
use crate::ack::table::TooManyAcks;
use crate::client::link::Note;
use crate::client::peer::resolve;
use crate::client::wire::{Outbound, Route};
use crate::client::{Client, ClientSocket};
use crate::convert::IntoPayload;
use crate::delivery::Gap;
use crate::error::{EventError, ReceiveError, SendError};
use crate::event::IntoEvent;
use crate::handlers::{Handlers, Listens, listening};
use crate::listeners::{ListenerId, Place};
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Resumption;
use crate::rejection::{Failure, Rejection};
use crate::slab::SocketId;

impl ClientSocket {
    /// Returns the path of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.peer.path
    }

    /// Returns the client that it is one of the sockets of.
    #[must_use]
    pub fn client(&self) -> Client {
        Client { core: Arc::clone(&self.core) }
    }

    /// Returns the id that it has at the server, while it is connected.
    #[must_use]
    pub fn id(&self) -> Option<SocketId> {
        self.peer.wire.lock().id()
    }

    /// Returns whether it is connected, as far as it has been [polled](Client::poll).
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.id().is_some()
    }

    /// Returns how it came to be connected, the last time that it was: whether its session was [resumed](crate::Recovery),
    /// after a lost connection, or why not.
    #[must_use]
    pub fn resumption(&self) -> Resumption {
        self.peer.wire.lock().resumption()
    }

    /// Returns whether it is connected or to be: neither side has disconnected it since it was to connect, and
    /// the server has not refused it. [`Client::reconnect`] connects those that are.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.peer.wire.lock().is_wanted()
    }

    /// Connects it again, after either side has disconnected it or the server refused it. Does nothing if it
    /// [is active](Self::is_active).
    ///
    /// # Errors
    ///
    /// If the connection is closed. It is connected by the next [`Client::reconnect`] then, unless the client
    /// is [closed](Client::close).
    pub fn connect(&self) -> Result<(), ReceiveError> {
        self.peer.wire.lock().want().map_err(ReceiveError::Closed)?;
        self.peer.settle()
    }

    /// Disconnects it, and returns whether it was connected. It gets nothing more; its
    /// [hooks](Self::on_disconnect) are told in this call, unless it is made by a handler: then right after that.
    ///
    /// The server is told at once, but for one that is still connecting, or emitting: then as soon as it is not.
    pub fn disconnect(&self) -> bool {
        let ended = {
            let mut wire = self.peer.wire.lock();
            let ended = wire.give_up();
            if ended.is_some() {
                self.core.note(Note::Disconnected(Arc::clone(&self.peer), DisconnectReason::Client));
            }
            ended
        };
        let was_connected = ended.is_some();
        // An error says that the connection is closed, which the next poll tells of.
        drop(self.peer.settle());
        if let Some(ended) = ended {
            resolve(&self.core.acks, ended, &DisconnectReason::Client);
        }
        self.core.run();
        was_connected
    }

    /// Sets what the socket says of itself the next time it connects.
    pub fn set_auth(&self, auth: impl Into<Payload>) {
        let old = self.peer.wire.lock().set_auth(auth.into());
        drop(old);
    }

    /// Emits an event to the server. Its handlers run in this call, unless one of the same socket is running.
    ///
    /// Until the socket is connected events wait, and are sent in order when it is, before its
    /// [hooks](Self::on_connect) are called; so they do after a disconnect.
    ///
    /// # Errors
    ///
    /// If the event name is refused, or the payload cannot be made or is
    /// [too long](crate::EngineBuilder::max_payload_bytes); if too many events wait, here or at the server; if the
    /// connection is closed, and the client has not [polled](Client::poll) that yet or is
    /// [closed](Client::close).
    pub fn emit<E: IntoEvent>(&self, event: E, payload: impl IntoPayload<E::Data>) -> Result<(), SendError> {
        self.send(event.text(), payload.into_payload()?, Kind::Plain).map(|_| ())
    }

    /// As [`emit`](Self::emit), unless the socket is not connected: then the event is dropped. Returns whether
    /// it was not. It does not overtake events that wait.
    ///
    /// # Errors
    ///
    /// As `emit`.
    pub fn emit_volatile<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<bool, SendError> {
        self.send(event.text(), payload.into_payload()?, Kind::Volatile).map(|sent| sent.is_some())
    }

    /// As [`emit`](Self::emit), and the server is to answer. The answer comes in by a [poll](Client::poll); a
    /// disconnect resolves it too, but not one of an earlier session than that in which the event is sent.
    ///
    /// An event whose [timeout](Ack::timeout) is over while it waits to be sent is sent all the same.
    ///
    /// ```
    /// use roomcast::{Client, Engine, Payload};
    ///
    /// let engine = Engine::new();
    /// engine.of("/")?.on_with_ack("double", |_, text: Payload, ack| {
    ///     ack.send(text.as_str().unwrap_or_default().repeat(2)).unwrap();
    /// })?;
    /// let client = Client::new(&engine);
    /// let socket = client.socket("/", ())?;
    /// let answer = socket.emit_with_ack("double", "ha")?;
    /// client.poll();
    /// assert_eq!(answer.wait()?.as_str(), Some("haha"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `emit`; and if [too many](crate::EngineBuilder::max_pending_acks) wait for their answers.
    pub fn emit_with_ack<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Ack, SendError> {
        let sent = self.send(event.text(), payload.into_payload()?, Kind::Question)?;
        Ok(sent.flatten().expect("a question has an answer"))
    }

    /// Returns how many events wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.peer.wire.lock().waiting()
    }

    /// Calls `hook` whenever it is connected, ahead of all events.
    pub fn on_connect(&self, hook: impl Fn(&Self) + Send + Sync + 'static) -> ListenerId {
        let id = self.peer.connect.add(Place::Last, Box::new(hook));
        self.listening();
        id
    }

    /// Calls `hook` whenever the server does not let it in, with what a middleware said; or the connection is
    /// lost before it has.
    pub fn on_connect_error(&self, hook: impl Fn(&Self, &Rejection) + Send + Sync + 'static) -> ListenerId {
        let id = self.peer.connect_error.add(Place::Last, Box::new(hook));
        self.listening();
        id
    }

    /// Calls `hook` whenever it was connected and is not any more, behind all events.
    pub fn on_disconnect(
        &self,
        hook: impl Fn(&Self, &DisconnectReason) + Send + Sync + 'static,
    ) -> ListenerId {
        let id = self.peer.disconnect.add(Place::Last, Box::new(hook));
        self.listening();
        id
    }

    /// Calls `hook` where messages are missing, because this client was slow to poll.
    pub fn on_gap(&self, hook: impl Fn(&Self, Gap) + Send + Sync + 'static) -> ListenerId {
        let id = self.peer.gap.add(Place::Last, Box::new(hook));
        self.listening();
        id
    }

    /// Calls `hook` with what goes wrong in handlers and hooks: panics, and payloads that they do not take. A
    /// panic in it ends there.
    pub fn on_error(&self, hook: impl Fn(&Self, &Failure) + Send + Sync + 'static) -> ListenerId {
        let id = self.peer.error.add(Place::Last, Box::new(hook));
        self.listening();
        id
    }

    /// Takes off a handler or hook, and returns whether it was here.
    pub fn off(&self, id: ListenerId) -> bool {
        self.peer.remove(id)
    }

    /// Takes off all handlers and hooks.
    pub fn off_all(&self) {
        self.peer.clear();
    }

    /// Sends an event, or leaves it waiting. Returns nothing if it is dropped, and else what answers it.
    fn send(&self, event: &str, payload: Payload, kind: Kind) -> Result<Option<Option<Ack>>, SendError> {
        let engine = &self.core.engine.directory().core;
        engine.events.check(event)?;
        let (bytes, limit) = (payload.len(), engine.config.max_payload_bytes);
        if bytes > limit {
            return Err(SendError::TooLong { bytes, limit });
        }
        let limit = engine.config.inbound_queue;
        let (line, ack);
        {
            let mut wire = self.peer.wire.lock();
            // Here, so that whoever ends the session finds it; and first, as what has a route is to be sent.
            let session = wire.session();
            ack = (kind == Kind::Question)
                .then(|| Ack::open(&self.core.acks, &engine.clock, wire.key(session)))
                .transpose()
                .map_err(|TooManyAcks { limit }| SendError::TooManyAcks { limit })?;
            let route = wire.route(kind == Kind::Volatile).map_err(ReceiveError::Closed)?;
            if matches!(route, Route::Later) && wire.waiting() >= limit {
                return Err(SendError::Full { limit });
            }
            line = match route {
                Route::Nowhere => return Ok(None),
                Route::Now(line) => {
                    if !self.peer.handlers.any_outgoing.is_empty() {
                        let peer = Arc::clone(&self.peer);
                        self.core.note(Note::Outgoing(peer, SmolStr::new(event), payload.clone()));
                    }
                    Some(line)
                }
                Route::Later => {
                    let (event, payload) = (SmolStr::new(event), payload.clone());
                    let ack = ack.as_ref().map(|ack| (ack.id(), session));
                    wire.wait(Outbound { event, payload, ack });
                    None
                }
            };
        }
        if let Some(ack) = &ack {
            ack.sent();
        }
        if let Some(line) = line {
            self.core.run();
            self.peer.send_event(&line, event, payload, ack.as_ref().map(Ack::id))?;
        }
        Ok(Some(ack))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Volatile,
    Question,
}

impl Listens for ClientSocket {
    type Socket = Self;

    fn with_handlers<R>(&self, f: impl FnOnce(&Handlers<Self>) -> R) -> R {
        f(&self.peer.handlers)
    }

    fn check_event(&self, event: &str) -> Result<(), EventError> {
        self.core.engine.directory().core.events.check(event)
    }

    fn listening(&self) {
        self.core.registered(&self.peer);
    }
}

listening!(ClientSocket, ClientSocket);

impl PartialEq for ClientSocket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.peer, &other.peer)
    }
}

impl Eq for ClientSocket {}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSocket")
            .field("namespace", &self.namespace())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
