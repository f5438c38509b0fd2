//! The table of a connection's sockets, and what becomes of what its client sends.
//!
//! # Invariants, under the lock of the table of sockets
//!
//! A namespace has one place in the table: it is connecting, or it has a socket, or its socket was disconnected
//! by this side. Whoever changes that says so in a note before letting go of the lock, so the notes are in the
//! order of the changes; what becomes of it (middlewares, hooks, waking the transport) is done after. When the
//! connection is closed the table is empty, and stays so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use smol_str::SmolStr;

mod resuming;

pub(crate) use self::resuming::{let_go, park};

use self::resuming::lose;
use crate::attempt::{Attempt, Host};
use crate::clock::TimerId;
use crate::directory::{Close, Directory, Shut};
use crate::error::{ProtocolError, ReceiveError};
use crate::handshake::Handshake;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::incoming::{AckSender, Incoming};
use crate::lease::Holder;
use crate::name::{MAX_PATH, normalize_path};
use crate::outgoing::{Note, Outgoing};
use crate::packet::ClientPacket;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Resumption;
use crate::rejection::Rejection;
use crate::session::{Job, Origin, Session, Tenure};
use crate::socket::Socket;
use crate::state::{Cut, SocketCore};
use crate::stream::Stream;
use crate::sync::Mutex;
use crate::trace;
use crate::transport::Transport;

pub(crate) struct ConnectionCore {
    pub(crate) outgoing: Outgoing,
    directory: Arc<Directory>,
    handshake: Handshake,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    sockets: BTreeMap<Box<str>, Place>,
    /// How many times the client has connected to a namespace.
    connects: u64,
    closed: Option<DisconnectReason>,
    /// Closes it, if it joins nothing.
    timer: Option<TimerId>,
    /// Its place in the directory.
    place: Option<usize>,
}

#[derive(Debug)]
enum Place {
    /// The connect of this number is looking for the namespace.
    Taken(u64),
    Connecting(Arc<Attempt>),
    Connected(Socket),
    /// It was disconnected by this side. The client may not know yet, and what it sends is not its fault.
    Left,
}

impl ConnectionCore {
    pub(crate) fn open(directory: &Arc<Directory>, transport: Arc<dyn Transport>) -> Arc<Self> {
        let handshake = transport.handshake();
        let state = State { sockets: BTreeMap::new(), connects: 0, closed: None, timer: None, place: None };
        let core = Arc::new(Self {
            outgoing: Outgoing::new(transport),
            directory: Arc::clone(directory),
            handshake,
            state: Mutex::new(state),
        });
        core.register();
        core
    }

    pub(super) fn receive(self: &Arc<Self>, packet: ClientPacket<'_>) -> Result<(), ReceiveError> {
        let received = self.check_payload(&packet).and_then(|()| match packet {
            ClientPacket::Connect { namespace, auth } => self.connect(namespace, auth),
            ClientPacket::Resume { namespace, auth, session, seen } => {
                self.resume(namespace, auth, session, seen)
            }
            ClientPacket::Event { namespace, event, payload, ack } => {
                self.event(namespace, event, payload, ack)
            }
            ClientPacket::Ack { namespace, id, payload } => self.ack(namespace, id, payload),
            ClientPacket::Disconnect { namespace } => self.disconnect(namespace),
        });
        match &received {
            Err(error @ ReceiveError::Protocol(_)) => {
                self.directory.core.refused.count_protocol();
                trace::refused(error);
                self.close(DisconnectReason::Protocol);
            }
            Err(error @ ReceiveError::Busy) => {
                self.directory.core.refused.count_busy();
                trace::refused(error);
            }
            _ => {}
        }
        received
    }

    pub(super) fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The sockets that are connected, by path.
    pub(super) fn sockets(&self) -> Vec<Socket> {
        let state = self.state.lock();
        let sockets = state.sockets.values().filter_map(|place| match place {
            Place::Connected(socket) => Some(socket.clone()),
            _ => None,
        });
        sockets.filter(Socket::is_connected).collect()
    }

    pub(super) fn socket(&self, namespace: &str) -> Option<Socket> {
        let path = normalize_path(namespace).ok()?;
        match self.state.lock().sockets.get(&*path)? {
            Place::Connected(socket) if socket.is_connected() => Some(socket.clone()),
            _ => None,
        }
    }

    /// The transport has told the client that its socket is disconnected.
    pub(crate) fn forget(&self, socket: &Socket) {
        let forgotten = {
            let mut state = self.state.lock();
            match state.sockets.get_mut(&*socket.core().namespace.path) {
                Some(place) if place.is(socket) => Some(std::mem::replace(place, Place::Left)),
                _ => None,
            }
        };
        drop(forgotten);
    }

    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        self.state.lock().closed.clone()
    }

    pub(crate) fn close(&self, reason: DisconnectReason) -> bool {
        let Some(Shut { farewell, hooks }) = self.shut(reason) else { return false };
        farewell();
        hooks();
        true
    }

    /// The first half of closing it, unless it is closed already: all its sockets are cut off, and the transport
    /// is woken. Then there is something to be told.
    fn shut(&self, reason: DisconnectReason) -> Option<Shut> {
        let (sockets, timer, place) = {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return None;
            }
            state.closed = Some(reason.clone());
            (std::mem::take(&mut state.sockets), state.timer.take(), state.place.take())
        };
        // All are cut off, and the transport is told, before the hooks of one are called.
        let (mut cut, mut attempts, mut kept, mut parked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for place in sockets.into_values() {
            match place {
                // It is away still. Without a stream somebody lets it in, and will find that the place is gone.
                Place::Connecting(attempt) if attempt.resume.is_some() && reason.is_unplanned() => {
                    parked.extend(attempt.finish());
                }
                Place::Connecting(attempt) => {
                    // It is in rooms, perhaps.
                    cut.extend(SocketCore::cut(attempt.socket.core(), reason.clone()));
                    attempts.push(attempt);
                }
                Place::Connected(socket) => match lose(&socket, &reason) {
                    Some(lease) => kept.push(lease),
                    None => cut.extend(SocketCore::cut(socket.core(), reason.clone())),
                },
                Place::Taken(_) | Place::Left => {}
            }
        }
        self.unregister(timer, place);
        self.outgoing.push(Note::Closed(reason.clone()));
        self.outgoing.signal();
        let farewell = Box::new(self.outgoing.farewell(reason.clone()));
        let hooks = Box::new(move || {
            Cut::tell_all(cut);
            kept.iter().for_each(|lease| lease.tell());
            parked.into_iter().for_each(|stream| let_go(stream, &reason));
            attempts.iter().for_each(|attempt| abort(attempt, &reason));
        });
        Some(Shut { farewell, hooks })
    }

    /// Makes itself known to the engine, and sets the time by which it is to have joined something.
    fn register(self: &Arc<Self>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        let place = self.directory.add_connection(weak.clone());
        let clock = &self.directory.core.clock;
        let timer = self.directory.core.config.connect_timeout.map(|timeout| {
            clock.schedule(clock.deadline(timeout), move || {
                if let Some(connection) = weak.upgrade() {
                    connection.close(DisconnectReason::Timeout);
                }
            })
        });
        let was_closed = {
            let mut state = self.state.lock();
            let is_closed = state.closed.is_some();
            if !is_closed {
                (state.timer, state.place) = (timer, Some(place));
            }
            is_closed
        };
        if was_closed {
            // By an engine that closed meanwhile, without these two.
            self.unregister(timer, Some(place));
        } else if self.directory.is_closed() {
            // Whoever closed the engine before this was known to it has missed it.
            self.close(DisconnectReason::Shutdown);
        }
    }

    fn unregister(&self, timer: Option<TimerId>, place: Option<usize>) {
        if let Some(timer) = timer {
            self.directory.core.clock.cancel(timer);
        }
        if let Some(place) = place {
            self.directory.remove_connection(place);
        }
    }

    fn check_payload(&self, packet: &ClientPacket<'_>) -> Result<(), ReceiveError> {
        let (ClientPacket::Connect { auth: payload, .. }
        | ClientPacket::Resume { auth: payload, .. }
        | ClientPacket::Event { payload, .. }
        | ClientPacket::Ack { payload, .. }) = packet
        else {
            return Ok(());
        };
        let (bytes, limit) = (payload.len(), self.directory.core.config.max_payload_bytes);
        if bytes <= limit {
            return Ok(());
        }
        self.state.lock().check_open()?;
        Err(ProtocolError::PayloadTooLong { bytes, limit }.into())
    }

    fn connect(self: &Arc<Self>, namespace: &str, auth: Payload) -> Result<(), ReceiveError> {
        if let Some((path, number)) = self.take_place(namespace)? {
            self.enter(&path, number, auth, Resumption::New);
        }
        Ok(())
    }

    /// Makes a socket in the namespace of this path, for the connect of this number.
    fn enter(self: &Arc<Self>, path: &str, number: u64, auth: Payload, resumption: Resumption) {
        let socket = match self.directory.enter(path, &auth) {
            Ok(socket) => socket,
            Err(no_entry) => {
                let notes = {
                    let mut state = self.state.lock();
                    let is_ours = state.place_of(path, number).is_some();
                    is_ours.then(|| {
                        state.sockets.remove(path);
                        self.outgoing.push(refusal(path, &no_entry.words()))
                    })
                };
                return self.said(notes.unwrap_or_default());
            }
        };
        let session = Session::begin(&socket, self.origin(auth, resumption));
        let connection: Weak<Self> = Arc::downgrade(self);
        let attempt = Attempt::new(Stream::new(Inbox::new(Socket::new(socket))), connection, None);
        let weak: Weak<Attempt> = Arc::downgrade(&attempt);
        let is_first = session.attempt.set(weak).is_ok();
        debug_assert!(is_first, "a socket connects once");
        match self.set_out(path, number, &attempt) {
            Ok(()) => attempt.begin(),
            Err(reason) => abort(&attempt, &reason),
        }
    }

    /// Gives an attempt the place that the connect of this number has taken; or says why there is none any more.
    fn set_out(&self, path: &str, number: u64, attempt: &Arc<Attempt>) -> Result<(), DisconnectReason> {
        let mut state = self.state.lock();
        match state.place_of(path, number) {
            Some(place) => {
                *place = Place::Connecting(Arc::clone(attempt));
                Ok(())
            }
            None => Err(state.given_up()),
        }
    }

    /// How a socket comes by this connection.
    fn origin(self: &Arc<Self>, auth: Payload, resumption: Resumption) -> Origin {
        let connection: Weak<Self> = Arc::downgrade(self);
        Origin { auth, handshake: self.handshake.clone(), connection: Some(connection), resumption }
    }

    /// Takes the place of a namespace, and returns its path and the number of the connect; or refuses.
    fn take_place<'a>(&self, namespace: &'a str) -> Result<Option<(Cow<'a, str>, u64)>, ReceiveError> {
        let path = normalize_path(namespace);
        let old;
        let (taken, notes) = {
            let mut state = self.state.lock();
            state.check_open()?;
            let Ok(path) = path else {
                if namespace.len() > MAX_PATH {
                    return Err(ProtocolError::PathTooLong.into());
                }
                let notes = self.outgoing.push(refusal(namespace, "Invalid namespace"));
                drop(state);
                self.said(notes);
                return Ok(None);
            };
            match state.sockets.get(&*path) {
                // Not merely cut: its end is to be in its inbox before there is a next one.
                Some(Place::Connected(socket)) if socket.closed().is_some() => {}
                Some(Place::Left) | None => {}
                Some(_) => return Err(ProtocolError::AlreadyConnected.into()),
            }
            if state.has_room_for(&path, self.directory.core.config.max_namespaces) {
                state.connects += 1;
                let number = state.connects;
                old = state.sockets.insert((*path).into(), Place::Taken(number));
                (Some((path, number)), 0)
            } else {
                old = None;
                (None, self.outgoing.push(refusal(&path, "Too many namespaces")))
            }
        };
        drop(old);
        self.said(notes);
        Ok(taken)
    }

    fn event(
        &self,
        namespace: &str,
        event: &str,
        payload: Payload,
        ack: Option<u64>,
    ) -> Result<(), ReceiveError> {
        let Some(socket) = self.find(namespace)? else { return Ok(()) };
        let core = socket.core();
        core.namespace.engine.events.check(event).map_err(ProtocolError::Event)?;
        let ack = ack.map_or_else(AckSender::none, |id| {
            let socket = socket.clone();
            AckSender::new(move |payload| socket.reply(id, payload))
        });
        let Some(session) = Session::get(core) else { return Ok(()) };
        let incoming = Incoming::new(SmolStr::new(event), payload, ack);
        let limit = core.namespace.engine.config.inbound_queue;
        if session.jobs.push(Job::Event(incoming), limit).is_err() {
            return Err(ReceiveError::Busy);
        }
        Hub::of(&core.namespace).run(core, &session);
        Ok(())
    }

    fn ack(&self, namespace: &str, id: u64, payload: Payload) -> Result<(), ReceiveError> {
        if let Some(socket) = self.find(namespace)? {
            // Late or twice: nothing comes of it.
            socket.answer(id, payload);
        }
        Ok(())
    }

    fn disconnect(&self, namespace: &str) -> Result<(), ReceiveError> {
        let (place, unread, notes) = {
            let mut state = self.state.lock();
            state.check_open()?;
            let path = normalize_path(namespace).ok();
            // What is not there was given up at the same moment by this side, or never let in.
            let Some(place) = path.and_then(|path| state.sockets.remove(&*path)) else { return Ok(()) };
            match &place {
                Place::Connected(socket) => match self.outgoing.take_back(socket.id()) {
                    Some(inbox) => (place, Some(inbox), 0),
                    None => {
                        let notes = self.outgoing.push(Note::Dropped(socket.id()));
                        (place, None, notes)
                    }
                },
                _ => (place, None, 0),
            }
        };
        match place {
            Place::Connecting(attempt) => abort(&attempt, &DisconnectReason::Client),
            Place::Connected(socket) => {
                socket.disconnect(DisconnectReason::Client);
            }
            Place::Taken(_) | Place::Left => {}
        }
        drop(unread);
        self.said(notes);
        Ok(())
    }

    /// The socket in a namespace, or `None` if this side has disconnected it.
    fn find(&self, namespace: &str) -> Result<Option<Socket>, ReceiveError> {
        let state = self.state.lock();
        state.check_open()?;
        let path = normalize_path(namespace).map_err(|_| ProtocolError::NotConnected)?;
        match state.sockets.get(&*path) {
            Some(Place::Connected(socket)) => Ok(socket.is_connected().then(|| socket.clone())),
            Some(Place::Left) => Ok(None),
            Some(Place::Taken(_) | Place::Connecting(_)) | None => Err(ProtocolError::NotConnected.into()),
        }
    }

    /// Gives a socket the place of its attempt; or returns the stream, if that is given up by the client, or with the
    /// connection: then with the reason.
    fn seat(
        &self,
        attempt: &Arc<Attempt>,
        stream: Box<Stream>,
    ) -> Result<(), (Box<Stream>, DisconnectReason)> {
        let (old, timer, notes) = {
            let mut state = self.state.lock();
            match state.sockets.get_mut(&*attempt.socket.core().namespace.path) {
                Some(place) if place.is_attempt(attempt) => {
                    let old = std::mem::replace(place, Place::Connected(attempt.socket.clone()));
                    let notes = self.outgoing.push(Note::Connected(stream));
                    (old, state.timer.take(), notes)
                }
                _ => return Err((stream, state.given_up())),
            }
        };
        drop(old);
        if let Some(timer) = timer {
            self.directory.core.clock.cancel(timer);
        }
        self.said(notes);
        Ok(())
    }

    /// There is a note more for the transport: so many. Under no lock.
    fn said(&self, notes: usize) {
        if notes == 0 {
            return;
        }
        self.outgoing.signal();
        if notes > self.directory.core.config.inbound_queue {
            // A client that asks and asks, and does not read.
            self.close(DisconnectReason::Backlog);
        }
    }
}

impl Host for ConnectionCore {
    fn accept(self: Arc<Self>, attempt: &Arc<Attempt>) {
        if let Some(resume) = &attempt.resume {
            return self.accept_again(attempt, resume);
        }
        let socket = &attempt.socket;
        let core = socket.core();
        let lease = self.grant(socket); // before anybody finds the socket, and ends it
        if !SocketCore::open(core) {
            if let Some(lease) = lease {
                lease.over();
            }
            let reason = socket.closed().map_or_else(|| "closed".to_owned(), |reason| reason.to_string());
            return self.reject(attempt, Rejection::new(reason));
        }
        let Some(mut stream) = attempt.finish() else { return };
        if let (Some(lease), Some(leases)) = (lease, &self.directory.leases) {
            stream.keep(&lease, leases);
        }
        if let Err((stream, reason)) = self.seat(attempt, stream) {
            // It was there too short to be kept.
            socket.disconnect(reason);
            drop(stream);
        }
        SocketCore::opened(core);
    }

    fn reject(self: Arc<Self>, attempt: &Arc<Attempt>, rejection: Rejection) {
        if let (Some(resume), Some(_)) = (&attempt.resume, attempt.socket.closed()) {
            return self.enter_anew(attempt, resume); // it is not that it is rejected
        }
        let path = &*attempt.socket.core().namespace.path;
        let (removed, notes) = {
            let mut state = self.state.lock();
            if state.sockets.get(path).is_some_and(|place| place.is_attempt(attempt)) {
                let note = Note::Rejected { namespace: path.into(), rejection };
                (state.sockets.remove(path), self.outgoing.push(note))
            } else {
                (None, 0)
            }
        };
        abort(attempt, &DisconnectReason::Rejected);
        drop(removed);
        self.said(notes);
    }
}

impl Holder for ConnectionCore {
    fn lost(&self) {
        self.close(DisconnectReason::Transport);
    }
}

impl Close for ConnectionCore {
    fn shut(&self, reason: DisconnectReason) -> Option<Shut> {
        Self::shut(self, reason)
    }
}

impl State {
    fn check_open(&self) -> Result<(), ReceiveError> {
        self.closed.as_ref().map_or(Ok(()), |reason| Err(ReceiveError::Closed(reason.clone())))
    }
}

impl State {
    /// Why there is no place any more: with the connection, or by the client.
    fn given_up(&self) -> DisconnectReason {
        self.closed.clone().unwrap_or(DisconnectReason::Client)
    }

    /// The place that the connect of this number has taken, if it was not given up.
    fn place_of(&mut self, path: &str, number: u64) -> Option<&mut Place> {
        self.sockets.get_mut(path).filter(|place| matches!(place, Place::Taken(other) if *other == number))
    }

    /// Whether there may be one namespace more. Forgets what is left of others to make room.
    fn has_room_for(&mut self, path: &str, limit: usize) -> bool {
        if self.sockets.contains_key(path) || self.sockets.len() < limit {
            return true;
        }
        let left =
            self.sockets.iter().find(|(_, place)| matches!(place, Place::Left)).map(|(path, _)| path.clone());
        left.is_some_and(|left| self.sockets.remove(&left).is_some())
    }
}

fn refusal(namespace: &str, message: &str) -> Note {
    Note::Rejected { namespace: namespace.into(), rejection: Rejection::new(message) }
}

impl Place {
    fn is(&self, socket: &Socket) -> bool {
        matches!(self, Self::Connected(other) if other == socket)
    }

    fn is_attempt(&self, attempt: &Arc<Attempt>) -> bool {
        matches!(self, Self::Connecting(other) if Arc::ptr_eq(other, attempt))
    }
}

/// Releases a socket that does not get in from all that it has joined.
fn abort(attempt: &Attempt, reason: &DisconnectReason) {
    let stream = attempt.finish();
    attempt.socket.disconnect(reason.clone());
    drop(stream);
}
