//! Where a client's socket stands with the server, and what it is to send next.
//!
//! # Invariants
//!
//! * *What is sent fits.* The server answers a [`Connect`](crate::ClientPacket::Connect) once, by letting the
//!   client in or not, unless a `Disconnect` comes in between. So a `Disconnect` is sent only by a client that
//!   has been let in, and waits for what is being sent; and a `Connect` waits for the `Disconnect`. Whoever
//!   changes the place asks for the next [step](Wire::next_step), takes it, and asks again.
//! * *A session ends once.* It is live from the moment when the client learns that it is in, to the moment when
//!   either side gives it up or the connection is lost. Whoever ends it is told so, and tells of it.
//! * *Nothing overtakes.* While something waits to be sent, what is emitted waits behind it.
//!
//! What concerns another connection than the present one, by its number, changes nothing.

use std::collections::VecDeque;

use smol_str::SmolStr;

use crate::connection::Connection;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::{Offset, Resumption, SessionKey};
use crate::slab::SocketId;

pub(super) struct Wire {
    /// Which one of the client's sockets.
    number: u32,
    /// Which one of the client's connections.
    epoch: u64,
    /// Until it is lost.
    connection: Option<Connection>,
    place: Place,
    /// What there is at the server is given up.
    is_leaving: bool,
    /// Whether it is to be connected, as far as the user says.
    is_wanted: bool,
    /// How many packets are being sent.
    in_flight: usize,
    /// How often it was connected.
    session: u32,
    auth: Payload,
    /// By what it can come back, if the connection is lost.
    kept: Option<Kept>,
    /// How it came, the last time.
    resumption: Resumption,
    waiting: VecDeque<Outbound>,
    /// Whether somebody sends what waits.
    is_flushing: bool,
    /// Why the last session ended.
    ended: DisconnectReason,
    /// Whether it ended for good.
    is_over: bool,
}

/// What the server has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Out,
    Asked,
    In(SocketId),
    /// It is being given up.
    Going,
}

/// An event that goes out.
pub(super) struct Outbound {
    pub(super) event: SmolStr,
    pub(super) payload: Payload,
    /// The number of the answer, and the session that it is for.
    pub(super) ack: Option<(u64, u32)>,
}

/// A session at the server, and the last that was seen of it.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) session: SessionKey,
    pub(super) seen: Option<Offset>,
}

/// What to send next.
pub(super) enum Step {
    Leave(Line),
    Ask(Line, Payload, Option<Kept>),
}

/// A connection, and which one it is.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) epoch: u64,
    pub(super) connection: Connection,
}

/// Where an event goes.
pub(super) enum Route {
    Now(Line),
    /// Behind what waits, or until it is connected.
    Later,
    Nowhere,
}

/// A session that has ended.
pub(super) struct Ended {
    /// By what its answers are known.
    pub(super) key: SocketId,
    /// What waited to be sent in it and is to be answered: its caller is told that there is no answer.
    pub(super) unsent: Vec<Outbound>,
}

/// What becomes of a socket when its connection is lost.
pub(super) enum Loss {
    Nothing,
    Ended(Ended),
    NotLetIn,
}

impl Wire {
    pub(super) fn new(number: u32, line: Line, auth: Payload) -> Self {
        Self {
            number,
            epoch: line.epoch,
            connection: Some(line.connection),
            place: Place::Out,
            is_leaving: false,
            is_wanted: false,
            in_flight: 0,
            session: 0,
            auth,
            kept: None,
            resumption: Resumption::New,
            waiting: VecDeque::new(),
            is_flushing: false,
            ended: DisconnectReason::Client,
            is_over: false,
        }
    }

    /// The id at the server, while the session is live.
    pub(super) fn id(&self) -> Option<SocketId> {
        match self.place {
            Place::In(id) if !self.is_leaving => Some(id),
            _ => None,
        }
    }

    /// Whether there is a session, and of this connection.
    fn is_live(&self, epoch: u64) -> bool {
        self.epoch == epoch && self.id().is_some()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the session that what is emitted now belongs to: the present one, or the next.
    pub(super) fn session(&self) -> u32 {
        if self.id().is_some() { self.session } else { following(self.session) }
    }

    /// By what the answers to a session are known.
    pub(super) fn key(&self, session: u32) -> SocketId {
        let bits = u64::from(session) << 32 | u64::from(self.number);
        SocketId::from_bits(bits).expect("sessions count from one")
    }

    pub(super) fn set_auth(&mut self, auth: Payload) -> Payload {
        std::mem::replace(&mut self.auth, auth)
    }

    /// It is to be connected. The error is why it cannot be.
    pub(super) fn want(&mut self) -> Result<(), DisconnectReason> {
        if self.is_over {
            return Err(self.ended.clone());
        }
        self.is_wanted = true;
        if self.connection.is_some() { Ok(()) } else { Err(self.ended.clone()) }
    }

    pub(super) fn do_not_want(&mut self) {
        self.is_wanted = false;
    }

    /// It is to be disconnected. Returns the session, if that ends it.
    pub(super) fn give_up(&mut self) -> Option<Ended> {
        self.is_wanted = false;
        if self.place == Place::Asked {
            self.is_leaving = true;
        }
        self.id()?;
        self.is_leaving = true;
        self.kept = None;
        Some(self.end(DisconnectReason::Client))
    }

    /// What is to be sent now, by the caller; [`left`](Self::left) or [`not_asked`](Self::not_asked) follow.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        let line = Line { epoch: self.epoch, connection: self.connection.clone()? };
        match self.place {
            Place::In(_) if self.is_leaving && self.in_flight == 0 => {
                self.place = Place::Going;
                Some(Step::Leave(line))
            }
            Place::Out if self.is_wanted => {
                self.place = Place::Asked;
                Some(Step::Ask(line, self.auth.clone(), self.kept))
            }
            _ => None,
        }
    }

    /// The server was told that it is given up.
    pub(super) fn left(&mut self, epoch: u64) {
        if self.epoch == epoch && self.place == Place::Going {
            self.place = Place::Out;
            self.is_leaving = false;
        }
    }

    /// The server could not be asked.
    pub(super) fn not_asked(&mut self, epoch: u64) {
        if self.epoch == epoch && self.place == Place::Asked {
            self.place = Place::Out;
            self.is_leaving = false;
        }
    }

    /// The server has let it in. Returns whether that begins a session: then what waits is to be sent.
    pub(super) fn accepted(
        &mut self,
        epoch: u64,
        id: SocketId,
        session: Option<SessionKey>,
        resumption: Resumption,
    ) -> bool {
        if self.epoch != epoch || self.place != Place::Asked {
            return false;
        }
        self.place = Place::In(id);
        self.resumption = resumption;
        self.kept = session.map(|session| match self.kept {
            Some(kept) if kept.session == session => kept,
            _ => Kept { session, seen: None },
        });
        if self.is_leaving {
            return false;
        }
        self.session = following(self.session);
        true
    }

    /// It has seen what has this offset. Returns the session, if it is live and of this connection.
    pub(super) fn saw(&mut self, epoch: u64, offset: Option<Offset>) -> Option<u32> {
        if !self.is_live(epoch) {
            return None;
        }
        if let Some(kept) = &mut self.kept {
            kept.seen = offset.or(kept.seen);
        }
        Some(self.session)
    }

    pub(super) fn resumption(&self) -> Resumption {
        self.resumption
    }

    /// The server has not let it in. Returns whether anybody wants to know.
    pub(super) fn rejected(&mut self, epoch: u64) -> bool {
        if self.epoch != epoch || self.place != Place::Asked {
            return false;
        }
        self.place = Place::Out;
        let is_told = !std::mem::take(&mut self.is_leaving);
        if is_told {
            self.is_wanted = false;
        }
        is_told
    }

    /// The server has disconnected it, on purpose or with the connection. Returns the session, if that ends it.
    pub(super) fn dismissed(
        &mut self,
        epoch: u64,
        reason: &DisconnectReason,
        on_purpose: bool,
    ) -> Option<Ended> {
        let Place::In(_) = self.place else { return None };
        if self.epoch != epoch {
            return None;
        }
        let ended = self.id().map(|_| self.end(reason.clone()));
        if ended.is_some() && on_purpose {
            (self.is_wanted, self.kept) = (false, None);
        }
        self.place = Place::Out;
        self.is_leaving = false;
        ended
    }

    /// The connection is lost.
    pub(super) fn lost(&mut self, epoch: u64, reason: &DisconnectReason) -> Loss {
        if self.epoch != epoch || self.connection.take().is_none() {
            return Loss::Nothing;
        }
        self.forget(reason)
    }

    /// There is a new connection.
    pub(super) fn relink(&mut self, line: Line, reason: &DisconnectReason) -> Loss {
        if self.epoch >= line.epoch {
            return Loss::Nothing;
        }
        self.epoch = line.epoch;
        self.connection = Some(line.connection);
        self.forget(reason)
    }

    /// It is over for good. Returns what was never sent, and by what the answers to it are known.
    pub(super) fn finish(&mut self, reason: &DisconnectReason) -> Ended {
        self.is_over = true;
        self.is_wanted = false;
        self.ended = reason.clone();
        Ended { key: self.key(self.session()), unsent: std::mem::take(&mut self.waiting).into() }
    }

    /// Decides where an event goes. [`sent`](Self::sent) is to follow if it goes now; if later, it has to be
    /// left [waiting](Self::wait). The error is why nothing is sent ever.
    pub(super) fn route(&mut self, is_volatile: bool) -> Result<Route, DisconnectReason> {
        if self.is_over {
            return Err(self.ended.clone());
        }
        if self.id().is_none() {
            return Ok(if is_volatile { Route::Nowhere } else { Route::Later });
        }
        if self.is_flushing || !self.waiting.is_empty() {
            return Ok(Route::Later);
        }
        Ok(self.send().map_or(Route::Later, Route::Now))
    }

    pub(super) fn wait(&mut self, outbound: Outbound) {
        self.waiting.push_back(outbound);
    }

    /// Takes out the next one of those that wait, to be sent by the caller: [`sent`](Self::sent) is to follow.
    /// With none, or none that can be sent now, nobody sends them any more.
    pub(super) fn next_waiting(&mut self) -> Option<(Line, Outbound)> {
        self.is_flushing = self.id().is_some() && !self.waiting.is_empty();
        if !self.is_flushing {
            if self.waiting.is_empty() {
                self.waiting = VecDeque::new();
            }
            return None;
        }
        let line = self.send()?;
        Some((line, self.waiting.pop_front()?))
    }

    /// Puts back the one that was taken out: it could not be sent now. Gives it back if its session has ended
    /// meanwhile.
    pub(super) fn put_back(&mut self, outbound: Outbound) -> Option<Outbound> {
        self.is_flushing = false;
        if outbound.ack.is_some_and(|(_, session)| session != self.session()) {
            return Some(outbound);
        }
        self.waiting.push_front(outbound);
        None
    }

    /// Decides whether the answer to an event of this session can be sent; [`sent`](Self::sent) is to follow.
    pub(super) fn answer(&mut self, session: u32) -> Result<Line, DisconnectReason> {
        if self.session != session || self.id().is_none() {
            return Err(self.ended.clone());
        }
        self.send().ok_or_else(|| self.ended.clone())
    }

    /// What was being sent is sent.
    pub(super) fn sent(&mut self, epoch: u64) {
        if self.epoch == epoch {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// Whether it has something that waits and could be sent.
    pub(super) fn is_stuck(&self) -> bool {
        self.id().is_some() && !self.is_flushing && !self.waiting.is_empty()
    }

    fn send(&mut self) -> Option<Line> {
        let connection = self.connection.clone()?;
        self.in_flight += 1;
        Some(Line { epoch: self.epoch, connection })
    }

    /// What there was with the connection before counts no more.
    fn forget(&mut self, reason: &DisconnectReason) -> Loss {
        let loss = match self.place {
            Place::In(_) if !self.is_leaving => Loss::Ended(self.end(reason.clone())),
            Place::Asked if !self.is_leaving => Loss::NotLetIn,
            _ => Loss::Nothing,
        };
        if let Loss::Nothing | Loss::NotLetIn = loss {
            self.ended = reason.clone();
        }
        self.place = Place::Out;
        self.is_leaving = false;
        self.in_flight = 0;
        loss
    }

    fn end(&mut self, reason: DisconnectReason) -> Ended {
        self.ended = reason;
        self.is_flushing = false;
        let session = self.session;
        let is_of_it = |outbound: &Outbound| outbound.ack.is_some_and(|(_, of)| of == session);
        let (unsent, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(is_of_it);
        self.waiting = waiting.into();
        Ended { key: self.key(session), unsent }
    }
}

fn following(session: u32) -> u32 {
    session.wrapping_add(1).max(1)
}
