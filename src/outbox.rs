//! The outbound half of a connection: all its inboxes as one stream of packets.
//!
//! # Rounds
//!
//! Draining goes in rounds. One begins by taking the notes of the connection, and then sends what each feed holds, in
//! the order in which the feeds came. So what a namespace had before a client connected to it again comes to its end
//! before what it has now. A round may stop after any packet, and go on later where it stopped: no feed is
//! looked at twice before all others were looked at once, however early a transport always stops.

use std::convert::Infallible;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

mod waiting;

use crate::connection::{self, Connection, ConnectionCore};
use crate::delivery::Delivery;
use crate::engine::Engine;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::outgoing::Note;
use crate::packet::ServerPacket;
use crate::reason::DisconnectReason;
use crate::recovery::Offset;
use crate::rejection::Rejection;
use crate::sent::{Due, Sent};
use crate::socket::Socket;
use crate::state::NamespaceCore;
use crate::stream::Stream;
use crate::transport::Transport;

use self::waiting::Tokens;

/// What a client is to be sent, for all its namespaces: the outbound half of a [`Connection`].
///
/// There is one for each connection. `Send`, and used by one thread or task at a time. Dropping it closes the
/// connection with [`DisconnectReason::Transport`]; then sessions may be [kept](crate::Recovery). Choose a way to learn that there is something:
///
/// | | |
/// |---|---|
/// | a game's tick, a poll loop | [`drain`](Self::drain), [`try_drain`](Self::try_drain) |
/// | a thread of its own | [`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout), then drain |
/// | a task on any runtime | [`wait_async`](Self::wait_async), [`poll_wait`](Self::poll_wait), then drain |
/// | an event loop | the [`Transport`] is told, or a [callback](Self::on_wake) in its place; then drain |
/// | one thread for many | a [`ReadyQueue`](crate::ReadyQueue), then drain |
///
/// All are views of one mechanism and may be mixed. Between two drains there is at most one wake-up, and none is lost.
///
/// In one namespace packets are in order: first that the client is connected, then messages and answers in the
/// order in which they were emitted, then that it is disconnected. Between namespaces there is no order.
pub struct Outbox {
    core: Arc<ConnectionCore>,
    /// In the order in which they came.
    feeds: Vec<Feed>,
    /// The feed that comes next, while a round is under way.
    next: Option<usize>,
    /// Whether inboxes signal.
    is_watching: bool,
    /// For a thread that blocks.
    tokens: Option<Tokens>,
    /// Why the connection is closed. All feeds are coming to their ends.
    closing: Option<DisconnectReason>,
    closed: Option<DisconnectReason>,
}

/// What there is to send of one namespace.
enum Feed {
    Live { stream: Box<Stream>, socket: Socket, is_told: bool },
    Refused { namespace: Box<str>, rejection: Rejection },
}

impl Engine {
    /// Connects a client by a [`Transport`]: returns the inbound and the outbound half of its connection.
    ///
    /// A [`Handshake`](crate::Handshake), what is known of the client from the start, is a transport too: one that
    /// drains by itself, or waits by the outbox, and is told nothing.
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
    pub fn connect(&self, transport: impl Transport) -> (Connection, Outbox) {
        let connection = Connection::open(self.directory(), Arc::new(transport));
        let core = Arc::clone(connection.core());
        let outbox = Outbox {
            is_watching: !core.outgoing.is_polled(),
            core,
            feeds: Vec::new(),
            next: None,
            tokens: None,
            closing: None,
            closed: None,
        };
        (connection, outbox)
    }
}

impl Outbox {
    /// Hands everything that the client is to be sent to `send`, and returns how many packets that were.
    ///
    /// A drain ends: what comes meanwhile, from inside `send` too, waits for the next one, but for what is for a
    /// namespace that this one has yet to come to, or to come back to after a [stop](Self::try_drain). If `send`
    /// panics, the packet that it was called with counts as sent; the next drain goes on after it, and there is a
    /// wake-up for it.
    pub fn drain(&mut self, mut send: impl FnMut(ServerPacket<'_>)) -> usize {
        let mut count = 0;
        let ControlFlow::Continue(()) = self.rounds::<Infallible>(&mut count, &mut |packet| {
            send(packet);
            ControlFlow::Continue(())
        });
        count
    }

    /// As [`drain`](Self::drain), until `send` breaks: with a value of its own, an error perhaps, which is returned.
    /// The packet with which it breaks counts as sent, and the next call goes on after it.
    ///
    /// For a transport that can take only so much at a time: **what is not drained costs nothing**. It stays in
    /// the logs of the rooms, where it is shared and bounded, while a queue of your own is neither; and what comes of a
    /// client that is too slow is decided there, by the [backlog](crate::Backlog).
    ///
    /// After a break no wake-up is due: whoever has stopped knows that there may be more, and comes back when there
    /// is room. Namespaces take turns, however early it always stops.
    ///
    /// ```
    /// use roomcast::{ClientPacket, Engine, Outbox, Payload, ServerPacket};
    /// use std::io::{Result, Write};
    /// use std::ops::ControlFlow;
    ///
    /// /// Adds packets to `buffer` until that holds 16 KiB. Returns whether there may be more.
    /// fn fill(outbox: &mut Outbox, buffer: &mut Vec<u8>) -> Result<bool> {
    ///     let filled = outbox.try_drain(|packet| {
    ///         let written = match packet {
    ///             ServerPacket::Event { delivery, .. } => writeln!(buffer, "{}", delivery.event()),
    ///             _ => Ok(()),
    ///         };
    ///         match written {
    ///             Err(error) => ControlFlow::Break(Err(error)),
    ///             Ok(()) if buffer.len() >= 16 * 1024 => ControlFlow::Break(Ok(true)),
    ///             Ok(()) => ControlFlow::Continue(()),
    ///         }
    ///     });
    ///     filled.break_value().unwrap_or(Ok(false))
    /// }
    ///
    /// let engine = Engine::new();
    /// let (connection, mut outbox) = engine.connect(());
    /// connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
    /// for _ in 0..4000 {
    ///     engine.of("/")?.emit("tick", ())?;
    /// }
    /// let (mut buffer, mut bytes) = (Vec::new(), 0);
    /// while fill(&mut outbox, &mut buffer)? {
    ///     assert!(buffer.len() < 17 * 1024);
    ///     bytes += buffer.drain(..).count(); // sent
    /// }
    /// assert_eq!(bytes + buffer.len(), 4000 * "tick\n".len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_drain<B>(
        &mut self,
        mut send: impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.rounds(&mut 0, &mut send)
    }

    /// Lets go of what is [kept](crate::Recovery) for the client of a namespace, up to this offset: it has seen it. Does
    /// nothing for an offset of another session.
    ///
    /// For a transport whose client tells what it has seen now and then: what is kept is bounded without it.
    pub fn seen(&mut self, namespace: &str, offset: Offset) {
        for feed in &mut self.feeds {
            let Feed::Live { stream, socket, .. } = feed else { continue };
            if let (true, Some(kept)) = (*socket.core().namespace.path == *namespace, &mut stream.kept) {
                kept.sent.seen(offset);
            }
        }
    }

    /// Returns the connection that it is the outbound half of.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection::new(&self.core)
    }

    /// Has `wake` called whenever there is something to drain, in place of [`Transport::wake`]: once after each drain
    /// at most, from the thread that brings it, under no lock. Called at once if there is something already. A panic in
    /// it ends there. Replaces the callback that was set before. A wake-up may turn out to be about nothing that
    /// is sent.
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
        self.watch();
        self.core.outgoing.set_callback(Some(Arc::new(wake)));
    }

    /// Removes the callback: from now on the [transport](Transport::wake) is woken, unless it is
    /// [polled](Transport::is_polled).
    pub fn no_wake(&mut self) {
        if self.core.outgoing.is_polled() {
            self.is_watching = false;
            for feed in &mut self.feeds {
                if let Feed::Live { stream, .. } = feed {
                    stream.inbox.no_wake();
                }
            }
            self.core.outgoing.rouse(); // and has them signal again
        }
        self.core.outgoing.set_callback(None);
    }

    /// Returns why the connection was closed, once everything before is drained: from then on there is nothing
    /// more to come, and the transport can close.
    #[must_use]
    pub fn closed(&self) -> Option<&DisconnectReason> {
        self.closed.as_ref()
    }

    /// Has inboxes signal, from now on.
    fn watch(&mut self) {
        self.is_watching = true;
        for feed in &mut self.feeds {
            if let Feed::Live { stream, .. } = feed {
                stream.inbox.on_wake(signal(&self.core));
            }
        }
    }

    /// Ends the round that is under way, and does another one.
    fn rounds<B>(
        &mut self,
        count: &mut usize,
        send: &mut impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.core.outgoing.begin();
        let mut draining = Draining(Some(self));
        let drained = draining.outbox().two_rounds(count, send);
        if let Some(Self { core, .. }) = draining.0.take() {
            if drained.is_break() { core.outgoing.stop() } else { core.outgoing.end() }
        }
        drained
    }

    fn two_rounds<B>(
        &mut self,
        count: &mut usize,
        send: &mut impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        loop {
            let is_last = self.next.is_none();
            if is_last {
                while let Some(note) = self.core.outgoing.pop() {
                    self.take(note);
                }
                self.park();
                self.next = Some(0);
            }
            self.round(!is_last, count, send)?;
            if is_last {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Does what is left of a round. If it is resumed, the feed in which it has stopped is read no further than it
    /// would have been then: the others have their turn.
    fn round<B>(
        &mut self,
        mut is_resumed: bool,
        count: &mut usize,
        send: &mut impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        while let Some(place) = self.next.filter(|place| *place < self.feeds.len()) {
            if self.feed(place, is_resumed, count, send)? {
                self.next = Some(place + 1);
            }
            is_resumed = false;
        }
        self.next = None;
        if self.feeds.is_empty() {
            self.closed = self.closing.take().or(self.closed.take());
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Connected(mut stream) => {
                if self.is_watching {
                    stream.inbox.wake_after_drain(signal(&self.core)); // this round comes to it
                }
                let socket = stream.socket().clone();
                // Behind what its namespace had before, which comes to its end first.
                self.feeds.push(Feed::Live { stream, socket, is_told: false });
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

    /// Lets go of the sockets whose clients may come back, if the connection is lost.
    fn park(&mut self) {
        let Some(reason) = self.closing.clone().filter(DisconnectReason::is_unplanned) else { return };
        for feed in std::mem::take(&mut self.feeds) {
            let kept = match feed {
                Feed::Live { stream, socket, is_told } if !self.core.outgoing.is_dropped(socket.id()) => {
                    match connection::park(stream, &reason) {
                        Ok(()) => continue,
                        Err(stream) => Feed::Live { stream, socket, is_told },
                    }
                }
                feed => feed,
            };
            self.feeds.push(kept);
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

    /// Sends what one feed holds, and returns whether it stays. If it does not, it is out of the list.
    fn feed<B>(
        &mut self,
        place: usize,
        is_resumed: bool,
        count: &mut usize,
        send: &mut impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, bool> {
        let Feed::Live { stream, socket, is_told } = &mut self.feeds[place] else {
            // Out of the list first: if `send` panics it is sent.
            if let Feed::Refused { namespace, rejection } = self.feeds.remove(place) {
                let (message, data) = (rejection.message(), rejection.data());
                *count += 1;
                send(ServerPacket::ConnectError { namespace: &namespace, message, data })?;
            }
            return ControlFlow::Continue(false);
        };
        // Given up since this round began: nothing more goes to it.
        if self.core.outgoing.is_dropped(socket.id()) {
            self.give_up(place);
            return ControlFlow::Continue(false);
        }
        let namespace = &*socket.core().namespace.path;
        if !std::mem::replace(is_told, true) {
            *count += 1;
            let (session, resumption) = (stream.key(), socket.resumption());
            send(ServerPacket::Connect { namespace, id: socket.id(), session, resumption })?;
        }
        let hub = Hub::get(&socket.core().namespace).filter(|hub| hub.watches_outgoing(socket));
        let Stream { inbox, kept } = &mut **stream;
        match kept {
            None => inbox.drain_counting(is_resumed, count, |delivery| {
                let packet = packet(namespace, delivery, None);
                if let (Some(hub), ServerPacket::Event { .. }) = (hub, packet) {
                    hub.call_outgoing(socket, delivery.event(), delivery.payload());
                }
                send(packet)
            })?,
            Some(kept) => send_kept(inbox, &mut kept.sent, hub, is_resumed, count, send)?,
        }
        let Some(reason) = inbox.closed().cloned() else { return ControlFlow::Continue(true) };
        if let Feed::Live { socket, .. } = self.feeds.remove(place) {
            if self.core.outgoing.is_dropped(socket.id()) {
                return ControlFlow::Continue(false); // at this very moment: who leaves is not told
            }
            self.core.forget(&socket);
            *count += 1;
            send(ServerPacket::Disconnect { namespace: &socket.core().namespace.path, reason: &reason })?;
        }
        ControlFlow::Continue(false)
    }
}

/// Sends what is due, and then what the inbox holds, and keeps it.
fn send_kept<B>(
    inbox: &mut Inbox,
    sent: &mut Sent,
    hub: Option<&Hub>,
    is_resumed: bool,
    count: &mut usize,
    send: &mut impl FnMut(ServerPacket<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let socket = inbox.socket().clone();
    let NamespaceCore { path, engine, .. } = &*socket.core().namespace;
    let mut send = |due: Due<'_>| {
        let Due { delivery, offset, is_new } = due;
        let packet = packet(path, delivery, offset);
        if let (Some(hub), ServerPacket::Event { .. }, true) = (hub, packet, is_new) {
            hub.call_outgoing(&socket, delivery.event(), delivery.payload());
        }
        send(packet)
    };
    while let Some(flow) = sent.send_next(&engine.events, |due| {
        *count += 1;
        send(due)
    }) {
        flow?;
    }
    inbox.drain_counting(is_resumed, count, |delivery| {
        let offset = sent.push(&delivery);
        send(Due { delivery, offset, is_new: true })
    })
}

/// A drain. Dropped with the outbox in it when `send` has panicked: there may be something left.
struct Draining<'a>(Option<&'a mut Outbox>);

impl Draining<'_> {
    fn outbox(&mut self) -> &mut Outbox {
        self.0.as_mut().expect("the drain is not over")
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        if let Some(outbox) = &self.0 {
            outbox.core.outgoing.fail();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.core.close(DisconnectReason::Transport);
        self.core.outgoing.hush();
        // Whoever has closed it before may not be through, and the reason is his.
        let reason = self.core.closed().unwrap_or(DisconnectReason::Transport);
        for feed in std::mem::take(&mut self.feeds) {
            if let Feed::Live { stream, .. } = feed {
                connection::let_go(stream, &reason);
            }
        }
        while let Some(note) = self.core.outgoing.pop() {
            if let Note::Connected(stream) = note {
                connection::let_go(stream, &reason);
            }
        }
    }
}

fn packet<'a>(namespace: &'a str, delivery: Delivery<'a>, offset: Option<Offset>) -> ServerPacket<'a> {
    match (delivery.gap(), delivery.answer_id()) {
        (Some(gap), _) => ServerPacket::Gap { namespace, gap, offset },
        (None, Some(id)) => ServerPacket::Ack { namespace, id, payload: delivery.payload() },
        (None, None) => ServerPacket::Event { namespace, delivery, offset },
    }
}

/// Returns what an inbox calls to signal the transport.
fn signal(core: &Arc<ConnectionCore>) -> impl Fn() + Send + Sync + use<> {
    let core = Arc::downgrade(core);
    move || {
        if let Some(core) = core.upgrade() {
            core.outgoing.signal();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("sockets", &self.feeds.len()).field("closed", &self.closed).finish()
    }
}
