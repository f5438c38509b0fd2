//! The reference: clients, their way through the middlewares, and what is called for their sockets.

use std::sync::Arc;

use roomcast::{DisconnectReason, EventError, ProtocolError, ReceiveError};

use super::outbox::{Feed, Note};
use super::script::{
    Attempt, CONNECT_TIMEOUT, EVENTS, Later, MIDDLEWARE_TIMEOUT, NO_PATH, Packet, QUEUE, REAL, RESERVED,
    Verdict,
};
use super::world::{Event, Job, Socket, World};

#[derive(Default)]
pub(crate) struct Client {
    pub(crate) closed: Option<DisconnectReason>,
    pub(super) places: [Place; REAL],
    /// For whoever drains.
    pub(super) notes: Vec<Note>,
    pub(super) feeds: Vec<Feed>,
    pub(crate) has_outbox: bool,
    pub(super) told: Option<DisconnectReason>,
    /// Where it is in the order in which clients are closed.
    place: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Free,
    Connecting(usize),
    Connected(usize),
    Left,
}

pub(crate) struct Timer {
    pub(crate) at: u64,
    pub(crate) number: u64,
    pub(crate) due: Due,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Client(usize),
    Middleware(usize),
    Ack(usize),
}

/// A script has panicked.
pub(crate) struct Panicked;

impl World {
    pub(crate) fn open_client(&mut self) {
        let client = self.clients.len();
        let place = self.free_places.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(client);
        self.clients.push(Client { has_outbox: true, place, ..Client::default() });
        self.schedule(CONNECT_TIMEOUT, Due::Client(client));
        if self.is_closed {
            self.close_client(client, &DisconnectReason::Shutdown);
        }
    }

    pub(crate) fn close_client(&mut self, client: usize, reason: &DisconnectReason) -> bool {
        let cut = self.shut_client(client, reason);
        cut.is_some_and(|cut| {
            self.tell_all(&cut);
            true
        })
    }

    /// Closes a client, unless it is, and takes its sockets out of everything. Those are to be told.
    pub(crate) fn shut_client(&mut self, client: usize, reason: &DisconnectReason) -> Option<Vec<usize>> {
        let it = &mut self.clients[client];
        if it.closed.is_some() {
            return None;
        }
        it.closed = Some(reason.clone());
        let places = std::mem::take(&mut it.places);
        it.notes.push(Note::Closed(reason.clone()));
        let place = it.place;
        self.cancel(Due::Client(client));
        self.places[place] = None;
        self.free_places.push(place);
        let mut sockets = Vec::new();
        for place in places {
            if let Place::Connecting(socket) = place {
                self.stop_waiting(socket);
            }
            if let Place::Connecting(socket) | Place::Connected(socket) = place {
                sockets.push(socket);
            }
        }
        Some(self.cut_all(&sockets, reason))
    }

    /// The numbers of its connected sockets.
    pub(crate) fn connected(&self, client: usize) -> Vec<usize> {
        let connected = self.clients[client].places.iter().filter_map(|place| match place {
            Place::Connected(socket) if self.socket(*socket).is_open => Some(*socket),
            _ => None,
        });
        connected.collect()
    }

    pub(crate) fn receive(
        &mut self,
        client: usize,
        packet: &Packet,
        number: usize,
    ) -> Result<(), ReceiveError> {
        if let Some(reason) = &self.clients[client].closed {
            return Err(ReceiveError::Closed(reason.clone()));
        }
        let received = match packet {
            Packet::Connect { path, attempt } => self.connect(client, *path, attempt, number),
            Packet::Event { path, event, script, wants_answer } => {
                let answer = wants_answer.then_some(number as u64);
                self.event(client, *path, Event { event: *event, script: Arc::clone(script), answer })
            }
            Packet::Answer { path, id } => self.find_own(client, *path).map(|socket| {
                if let Some(socket) = socket {
                    self.answer(*id, socket, &format!("answer {number}"));
                }
            }),
            Packet::Disconnect { path } => {
                self.give_up(client, *path);
                Ok(())
            }
        };
        if let Err(ReceiveError::Protocol(_)) = received {
            self.close_client(client, &DisconnectReason::Protocol);
        }
        received
    }

    /// The socket that a client may send to, or none if it was disconnected from this side.
    fn find_own(&self, client: usize, path: usize) -> Result<Option<usize>, ReceiveError> {
        match self.clients[client].places.get(path) {
            Some(&Place::Connected(socket)) => Ok(Some(socket).filter(|&socket| self.socket(socket).is_open)),
            Some(Place::Left) => Ok(None),
            _ => Err(ProtocolError::NotConnected.into()),
        }
    }

    fn connect(
        &mut self,
        client: usize,
        path: usize,
        attempt: &Arc<Attempt>,
        number: usize,
    ) -> Result<(), ReceiveError> {
        match self.clients[client].places.get(path) {
            Some(&Place::Connected(socket)) if self.socket(socket).closed.is_some() => {}
            Some(Place::Free | Place::Left) | None => {}
            Some(_) => return Err(ProtocolError::AlreadyConnected.into()),
        }
        if path != NO_PATH && !self.make_place(client, path) {
            let notes = self.note(client, Note::Rejected(path, "Too many namespaces".into()));
            self.check_notes(client, notes);
            return Ok(());
        }
        let Some(space) = self.present.get(path).copied().flatten() else {
            if let Some(place) = self.clients[client].places.get_mut(path) {
                *place = Place::Free;
            }
            let notes = self.note(client, Note::Rejected(path, "Invalid namespace".into()));
            self.check_notes(client, notes);
            return Ok(());
        };
        self.sockets[number] = Some(Socket::new(space, client, Arc::clone(attempt)));
        self.clients[client].places[path] = Place::Connecting(number);
        self.pass(number, 0);
        Ok(())
    }

    /// Whether a client may be in one more namespace, if it is one more. For that it forgets one that it was
    /// in.
    fn make_place(&mut self, client: usize, path: usize) -> bool {
        let max = self.max_namespaces;
        let places = &mut self.clients[client].places;
        let is_there = places.get(path).is_some_and(|place| *place != Place::Free);
        if is_there || places.iter().filter(|place| **place != Place::Free).count() < max {
            return true;
        }
        let left = places.iter_mut().find(|place| **place == Place::Left);
        left.is_some_and(|left| std::mem::take(left) == Place::Left)
    }

    fn event(&mut self, client: usize, path: usize, event: Event) -> Result<(), ReceiveError> {
        let Some(socket) = self.find_own(client, path)? else { return Ok(()) };
        if event.event == RESERVED {
            return Err(ProtocolError::Event(EventError::Reserved(EVENTS[RESERVED].into())).into());
        }
        if self.socket(socket).jobs.len() >= QUEUE {
            return Err(ReceiveError::Busy);
        }
        self.socket_mut(socket).jobs.push_back(Job::Event(event));
        self.run(socket);
        Ok(())
    }

    fn give_up(&mut self, client: usize, path: usize) {
        // It may not know yet that it has no place there.
        let Some(place) = self.clients[client].places.get_mut(path) else { return };
        match std::mem::take(place) {
            Place::Free | Place::Left => {}
            Place::Connecting(socket) => self.abort(socket, &DisconnectReason::Client),
            Place::Connected(socket) => {
                let notes = self.note_dropped(client, socket);
                self.disconnect(socket, &DisconnectReason::Client);
                self.check_notes(client, notes);
            }
        }
    }

    /// Asks the middlewares from this one on.
    fn pass(&mut self, number: usize, mut middleware: usize) {
        let script = Arc::clone(&self.socket(number).script);
        loop {
            if let Some(reason) = self.socket(number).closed.clone() {
                return self.reject(number, &reason.to_string());
            }
            match middleware {
                0 | 2 => {
                    let acts = if middleware == 0 { &script.first } else { &script.last };
                    self.say(format!("middleware {middleware} of {number}"));
                    let panicked = self.acts(number, acts).is_err();
                    let verdict = if middleware == 0 { script.verdict } else { Verdict::Pass };
                    if panicked || verdict == Verdict::Panic {
                        self.report_middleware(number);
                        return self.reject(number, "internal error");
                    }
                    if verdict == Verdict::Fail {
                        return self.reject(number, "no");
                    }
                    middleware += 1;
                }
                1 => {
                    self.socket_mut(number).is_waiting = true;
                    self.schedule(MIDDLEWARE_TIMEOUT, Due::Middleware(number));
                    self.say(format!("middleware 1 of {number}"));
                    let undecided = "the middleware came to no decision";
                    match script.later {
                        Later::Accept => self.decide(number, None),
                        Later::Reject => self.decide(number, Some("no")),
                        Later::Forget => self.decide(number, Some(undecided)),
                        Later::Keep => _ = self.kept.insert(number),
                        Later::Panic => {
                            self.decide(number, Some(undecided));
                            self.report_middleware(number);
                        }
                    }
                    return;
                }
                _ => return self.accept(number),
            }
        }
    }

    fn report_middleware(&mut self, number: usize) {
        if self.spaces[self.socket(number).space].has_hooks {
            self.say(format!("error of {number}: panic in middleware: oops"));
        }
    }

    /// A decision, which counts if it is waited for.
    pub(crate) fn decide(&mut self, number: usize, rejection: Option<&str>) {
        if !std::mem::take(&mut self.socket_mut(number).is_waiting) {
            return;
        }
        self.cancel(Due::Middleware(number));
        match rejection {
            None => self.pass(number, 2),
            Some(message) => self.reject(number, message),
        }
    }

    fn accept(&mut self, number: usize) {
        let Socket { space, client, .. } = *self.socket(number);
        if let Some(reason) = self.spaces[space].closed.clone() {
            self.disconnect(number, &reason);
            return self.reject(number, &reason.to_string());
        }
        self.spaces[space].open.push(number);
        let socket = self.socket_mut(number);
        socket.is_open = true;
        socket.jobs.push_back(Job::Connected);
        let path = self.spaces[space].path;
        if self.clients[client].places[path] == Place::Connecting(number) {
            self.clients[client].places[path] = Place::Connected(number);
            let notes = self.note(client, Note::Connected(number));
            self.cancel(Due::Client(client));
            self.check_notes(client, notes);
        } else {
            let reason = self.clients[client].closed.clone().unwrap_or(DisconnectReason::Client);
            self.disconnect(number, &reason);
        }
        self.run(number);
    }

    fn reject(&mut self, number: usize, message: &str) {
        let Socket { space, client, .. } = *self.socket(number);
        let path = self.spaces[space].path;
        if self.clients[client].places[path] != Place::Connecting(number) {
            return self.abort(number, &DisconnectReason::Rejected);
        }
        self.clients[client].places[path] = Place::Free;
        let notes = self.note(client, Note::Rejected(path, message.into()));
        self.abort(number, &DisconnectReason::Rejected);
        self.check_notes(client, notes);
    }

    fn abort(&mut self, number: usize, reason: &DisconnectReason) {
        self.stop_waiting(number);
        self.disconnect(number, reason);
    }

    fn stop_waiting(&mut self, number: usize) {
        self.socket_mut(number).is_waiting = false;
        self.cancel(Due::Middleware(number));
    }

    pub(crate) fn disconnect(&mut self, number: usize, reason: &DisconnectReason) -> bool {
        let is_cut = self.cut(number, reason);
        if is_cut {
            self.tell_all(&[number]);
        }
        is_cut
    }

    /// Takes these out of everything, and only then has their hooks called; returns how many that were.
    pub(crate) fn disconnect_all(&mut self, sockets: &[usize], reason: &DisconnectReason) -> usize {
        let cut = self.cut_all(sockets, reason);
        self.tell_all(&cut);
        cut.len()
    }

    pub(crate) fn cut_all(&mut self, sockets: &[usize], reason: &DisconnectReason) -> Vec<usize> {
        sockets.iter().copied().filter(|&number| self.cut(number, reason)).collect()
    }

    /// Tells whoever waits for their answers, of all of them, and then the hooks of each.
    pub(crate) fn tell_all(&mut self, cut: &[usize]) {
        cut.iter().for_each(|&number| self.tell_askers(number));
        cut.iter().for_each(|&number| self.tell_hooks(number));
    }

    /// Takes a socket out of everything, unless it is. To be [told](Self::tell).
    pub(crate) fn cut(&mut self, number: usize, reason: &DisconnectReason) -> bool {
        let socket = self.socket_mut(number);
        if socket.closed.is_some() {
            return false;
        }
        socket.closed = Some(reason.clone());
        let rooms = socket.rooms.clone();
        if std::mem::take(&mut socket.is_open) {
            socket.leaving = Some(rooms.clone());
            socket.is_leaving = true;
        }
        let space = socket.space;
        self.spaces[space].open.retain(|&other| other != number);
        rooms.iter().for_each(|&room| self.leave(number, room));
        true
    }

    /// Tells whoever waits for answers of a socket that it is gone.
    fn tell_askers(&mut self, number: usize) {
        let reason = self.socket(number).closed.clone().expect("it is cut off");
        self.gone(number, &reason);
    }

    fn tell_hooks(&mut self, number: usize) {
        let socket = self.socket(number);
        let (was_open, reason) = (socket.is_leaving, socket.closed.clone().expect("it is cut off"));
        if was_open {
            self.socket_mut(number).jobs.push_back(Job::Left(reason));
            self.run(number);
            return;
        }
        if std::mem::take(&mut self.socket_mut(number).is_waiting) {
            // Nobody has to decide about it any more: its client is told at once.
            self.cancel(Due::Middleware(number));
            self.reject(number, &reason.to_string());
        }
        self.vacate(number);
    }

    /// That was all of a socket. With the last of its sockets a closed namespace loses its hooks.
    pub(crate) fn vacate(&mut self, number: usize) {
        let socket = self.socket_mut(number);
        socket.is_gone = true;
        let space = socket.space;
        if self.spaces[space].closed.is_some() {
            self.retire(space);
        }
    }

    /// A closed namespace loses its hooks, unless sockets have yet to go.
    pub(crate) fn retire(&mut self, space: usize) {
        let mut here = self.sockets.iter().flatten().filter(|socket| socket.space == space);
        if here.all(|socket| socket.is_gone) {
            self.spaces[space].has_hooks = false;
        }
    }

    pub(crate) fn schedule(&mut self, seconds: u64, due: Due) {
        self.timers.push(Timer { at: self.now + seconds, number: self.timer_count, due });
        self.timer_count += 1;
    }

    pub(crate) fn cancel(&mut self, due: Due) {
        self.timers.retain(|timer| timer.due != due);
    }

    /// What was scheduled before and is due happens: by time, and then as scheduled.
    pub(crate) fn tick(&mut self, now: u64) {
        self.now = self.now.max(now);
        let (now, begun) = (self.now, self.timer_count);
        loop {
            let due = self.timers.iter().filter(|timer| timer.at <= now && timer.number < begun);
            let Some(Timer { due, .. }) = due.min_by_key(|timer| (timer.at, timer.number)) else { return };
            let due = *due;
            self.cancel(due);
            match due {
                Due::Client(client) => _ = self.close_client(client, &DisconnectReason::Timeout),
                Due::Middleware(number) => self.decide(number, Some("timed out")),
                Due::Ack(ack) => self.expire(ack),
            }
        }
    }
}
