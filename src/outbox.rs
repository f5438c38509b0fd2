//! The outbound half of a connection: all its inboxes as one stream of packets.

use std::fmt;
use std::sync::Arc;

use crate::connection::{Connection, ConnectionCore};
use crate::delivery::Delivery;
use crate::engine::Engine;
use crate::handshake::Handshake;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::outgoing::Note;
use crate::packet::ServerPacket;
use crate::reason::DisconnectReason;
use crate::rejection::Rejection;
use crate::socket::Socket;

/// What a client is to be sent, for all its namespaces: the outbound half of a [`Connection`].
///
/// There is one for each connection. `Send`, and used by one transport at a time. Dropping it closes the
/// connection with [`DisconnectReason::Transport`].
///
/// In one namespace packets are in order: first that the client is connected, then messages and answers in the
/// order in which they were emitted, then that it is disconnected. Between namespaces there is no order.
pub struct Outbox {
    core: Arc<ConnectionCore>,
    /// In the order in which they came.
    feeds: Vec<Feed>,
    /// Whether inboxes signal.
    is_watching: bool,
    /// Why the connection is closed. All feeds are coming to their ends.
    closing: Option<DisconnectReason>,
    closed: Option<DisconnectReason>,
}

/// What there is to send of one namespace.
enum Feed {
    Live { inbox: Box<Inbox>, socket: Socket, is_told: bool },
    Refused { namespace: Box<str>, rejection: Rejection },
}

impl Engine {
    /// Connects a client: returns the inbound and the outbound half of its connection.
    ///
    /// It is in no namespace yet: that takes a [`ClientPacket::Connect`](crate::ClientPacket::Connect). With a
    /// closed engine it is closed from the start.
    ///
    /// ```
    /// use roomcast::{ClientPacket, Engine, Handshake, Payload, ServerPacket};
    ///
    /// let engine = Engine::new();
    /// let chat = engine.of("/chat")?;
    /// chat.on("hello", |socket, name: Payload| {
    ///     socket.emit("welcome", name).unwrap();
    /// })?;
    ///
    /// let (connection, mut outbox) = engine.connect(Handshake::new());
    /// connection.receive(ClientPacket::Connect { namespace: "/chat", auth: Payload::default() })?;
    /// connection.receive(ClientPacket::Event {
    ///     namespace: "/chat",
    ///     event: "hello",
    ///     payload: Payload::from("Ann"),
    ///     ack: None,
    /// })?;
    /// let mut seen = Vec::new();
    /// outbox.drain(|packet| match packet {
    ///     ServerPacket::Connect { namespace, .. } => seen.push(namespace.to_owned()),
    ///     ServerPacket::Event { delivery, .. } => seen.push(delivery.event().to_owned()),
    ///     other => panic!("unexpected: {other:?}"),
    /// });
    /// assert_eq!(seen, ["/chat", "welcome"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn connect(&self, handshake: Handshake) -> (Connection, Outbox) {
        let connection = Connection::open(self.directory(), handshake);
        let core = Arc::clone(connection.core());
        (connection, Outbox { core, feeds: Vec::new(), is_watching: false, closing: None, closed: None })
    }
}

impl Outbox {
    /// Hands everything that the client is to be sent to `send`, and returns how many packets that were.
    ///
    /// What comes meanwhile, from inside `send` too, waits for the next drain. If `send` panics, the packet that
    /// it was called with counts as sent; the next drain goes on after it, and there is a wake-up for it.
    pub fn drain(&mut self, mut send: impl FnMut(ServerPacket<'_>)) -> usize {
        self.core.outgoing.begin();
        let mut count = 0;
        let mut send = |packet: ServerPacket<'_>| {
            count += 1;
            send(packet);
        };
        let draining = Draining(self);
        let this = &mut *draining.0;
        while let Some(note) = this.core.outgoing.pop() {
            this.take(note);
        }
        let mut place = 0;
        while place < this.feeds.len() {
            if this.feed(place, &mut send) {
                place += 1;
            }
        }
        if this.feeds.is_empty() {
            this.closed = this.closing.take().or(this.closed.take());
        }
        std::mem::forget(draining);
        count
    }

    /// Returns the connection that it is the outbound half of.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection::new(&self.core)
    }

    /// Has `wake` called whenever there is something to drain: once after each drain at most, from the thread
    /// that brings it, under no lock. Called at once if there is something already. A panic in it ends there.
    /// Replaces the callback that was set before. A wake-up may turn out to be about nothing that is sent.
    ///
    /// It runs in the middle of somebody's emit: let it unpark a thread, wake a task or put a token into a channel,
    /// and do not send there.
    ///
    /// ```
    /// # let engine = roomcast::Engine::new();
    /// # let (connection, mut outbox) = engine.connect(roomcast::Handshake::new());
    /// let writer = std::thread::spawn(move || {
    ///     let this = std::thread::current();
    ///     outbox.on_wake(move || this.unpark());
    ///     loop {
    ///         outbox.drain(|packet| println!("{packet:?}"));
    ///         if let Some(reason) = outbox.closed() {
    ///             return reason.to_string();
    ///         }
    ///         std::thread::park();
    ///     }
    /// });
    /// connection.close("good night");
    /// assert_eq!(writer.join().unwrap(), "good night");
    /// ```
    pub fn on_wake(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.is_watching = true;
        for feed in &mut self.feeds {
            if let Feed::Live { inbox, .. } = feed {
                watch(&self.core, inbox);
            }
        }
        self.core.outgoing.set_wake(Some(Arc::new(wake)));
    }

    /// Removes the callback.
    pub fn no_wake(&mut self) {
        self.is_watching = false;
        for feed in &mut self.feeds {
            if let Feed::Live { inbox, .. } = feed {
                inbox.no_wake();
            }
        }
        self.core.outgoing.set_wake(None);
    }

    /// Returns why the connection was closed, once everything before is drained: from then on there is nothing
    /// more to come, and the transport can close.
    #[must_use]
    pub fn closed(&self) -> Option<&DisconnectReason> {
        self.closed.as_ref()
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Connected(mut inbox) => {
                if self.is_watching {
                    watch(&self.core, &mut inbox);
                }
                let socket = inbox.socket().clone();
                // Behind what its namespace had before, which comes to its end first.
                self.feeds.push(Feed::Live { inbox, socket, is_told: false });
            }
            Note::Rejected { namespace, rejection } => {
                self.feeds.push(Feed::Refused { namespace, rejection });
            }
            Note::Dropped(id) => {
                let is_it = |feed: &Feed| matches!(feed, Feed::Live { socket, .. } if socket.id() == id);
                if let Some(place) = self.feeds.iter().position(is_it) {
                    self.give_up(place);
                }
            }
            Note::Closed(reason) => self.closing = Some(reason),
        }
    }

    /// Lets go of a socket that the client has given up.
    fn give_up(&mut self, place: usize) {
        let feed = self.feeds.remove(place);
        if let Feed::Live { socket, .. } = &feed {
            // Whoever left the note may not have come to that yet, and the reason is his: not that of the inbox.
            socket.disconnect(DisconnectReason::Client);
        }
    }

    /// Sends what one feed holds, and returns whether it stays.
    fn feed(&mut self, place: usize, send: &mut impl FnMut(ServerPacket<'_>)) -> bool {
        let Feed::Live { inbox, socket, is_told } = &mut self.feeds[place] else {
            // Out of the list first: if `send` panics it is sent.
            if let Feed::Refused { namespace, rejection } = self.feeds.remove(place) {
                let (message, data) = (rejection.message(), rejection.data());
                send(ServerPacket::ConnectError { namespace: &namespace, message, data });
            }
            return false;
        };
        // Given up since this drain began: nothing more goes to it.
        if self.core.outgoing.is_dropped(socket.id()) {
            self.give_up(place);
            return false;
        }
        let namespace = &*socket.core().namespace.path;
        if !std::mem::replace(is_told, true) {
            send(ServerPacket::Connect { namespace, id: socket.id() });
        }
        let watching = Hub::get(&socket.core().namespace).filter(|hub| hub.watches_outgoing(socket));
        inbox.drain(|delivery| {
            let packet = packet(namespace, delivery);
            if let (Some(hub), ServerPacket::Event { .. }) = (watching, packet) {
                hub.call_outgoing(socket, delivery.event(), delivery.payload());
            }
            send(packet);
        });
        let Some(reason) = inbox.closed().cloned() else { return true };
        if let Feed::Live { socket, .. } = self.feeds.remove(place) {
            if self.core.outgoing.is_dropped(socket.id()) {
                return false; // at this very moment: who leaves is not told
            }
            self.core.forget(&socket);
            send(ServerPacket::Disconnect { namespace: &socket.core().namespace.path, reason: &reason });
        }
        false
    }
}

/// A drain. Dropped when `send` has panicked: there may be something left.
struct Draining<'a>(&'a mut Outbox);

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        self.0.core.outgoing.signal();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.core.close(DisconnectReason::Transport);
        self.core.outgoing.set_wake(None);
        // Whoever has closed it before may not be through, and the reason is his.
        let reason = self.core.closed().unwrap_or(DisconnectReason::Transport);
        for feed in std::mem::take(&mut self.feeds) {
            if let Feed::Live { socket, .. } = &feed {
                socket.disconnect(reason.clone());
            }
        }
        while let Some(note) = self.core.outgoing.pop() {
            if let Note::Connected(inbox) = note {
                inbox.socket().disconnect(reason.clone());
            }
        }
    }
}

fn packet<'a>(namespace: &'a str, delivery: Delivery<'a>) -> ServerPacket<'a> {
    match (delivery.gap(), delivery.answer_id()) {
        (Some(gap), _) => ServerPacket::Gap { namespace, gap },
        (None, Some(id)) => ServerPacket::Ack { namespace, id, payload: delivery.payload() },
        (None, None) => ServerPacket::Event { namespace, delivery },
    }
}

/// Has an inbox signal the transport.
fn watch(core: &Arc<ConnectionCore>, inbox: &mut Inbox) {
    let core = Arc::downgrade(core);
    inbox.on_wake(move || {
        if let Some(core) = core.upgrade() {
            core.outgoing.signal();
        }
    });
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("sockets", &self.feeds.len()).field("closed", &self.closed).finish()
    }
}
