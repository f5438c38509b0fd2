//! Coming back: how a client gets the socket that it had by another connection.

use std::sync::{Arc, Weak};

use super::{ConnectionCore, Place};
use crate::attempt::{Attempt, Host, Resume};
use crate::error::ReceiveError;
use crate::lease::Holder;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::{Offset, Resumption, SessionKey};
use crate::sent::Missed;
use crate::session::{Session, Tenure};
use crate::socket::Socket;
use crate::stream::{Stream, StreamLease};

impl ConnectionCore {
    /// Gives the client the socket that it had; or a new one, if that is gone.
    pub(super) fn resume(
        self: &Arc<Self>,
        namespace: &str,
        auth: Payload,
        key: SessionKey,
        seen: Option<Offset>,
    ) -> Result<(), ReceiveError> {
        let Some((path, number)) = self.take_place(namespace)? else { return Ok(()) };
        let lease = self.directory.leases.as_ref().and_then(|leases| leases.find(key));
        let Some(lease) = lease.filter(|lease| *lease.socket.core().namespace.path == *path) else {
            self.enter(&path, number, auth, Resumption::TooLate);
            return Ok(());
        };
        // Weakly, both: they may wait for ever.
        let (this, claimed) = (Arc::downgrade(self), Arc::downgrade(&lease));
        lease.claim(Box::new(move |stream| match (this.upgrade(), claimed.upgrade(), stream) {
            (Some(this), Some(lease), stream) => {
                this.come_back(&lease, stream, Resume { number, auth }, seen);
            }
            // That one is lost too.
            (_, _, Some(stream)) => let_go(stream, &DisconnectReason::Transport),
            _ => {}
        }));
        Ok(())
    }

    /// The stream has come, or there is none any more. Under no lock.
    fn come_back(
        self: &Arc<Self>,
        lease: &Arc<StreamLease>,
        stream: Option<Box<Stream>>,
        resume: Resume,
        seen: Option<Offset>,
    ) {
        let path = &*lease.socket.core().namespace.path;
        let Resume { number, auth } = resume;
        let Some(mut stream) = stream else { return self.enter(path, number, auth, Resumption::TooLate) };
        let was_given_up = {
            let mut state = self.state.lock();
            let is_ours = state.place_of(path, number).is_some();
            (!is_ours).then(|| state.given_up())
        };
        if let Some(reason) = was_given_up {
            return let_go(stream, &reason);
        }
        if let Err(Missed { messages: missed, is_exact: exact }) = stream.rewind(seen) {
            lease.end();
            drop(stream);
            return self.enter(path, number, auth, Resumption::TooOld { missed, exact });
        }
        Session::of(stream.socket().core()).set_origin(self.origin(auth.clone(), Resumption::Recovered));
        let connection: Weak<Self> = Arc::downgrade(self);
        let attempt = Attempt::new(stream, connection, Some(Resume { number, auth }));
        let runs_middlewares =
            self.directory.leases.as_ref().is_some_and(|leases| leases.recovery.runs_middlewares);
        match self.set_out(path, number, &attempt) {
            Err(reason) => attempt.finish().into_iter().for_each(|stream| let_go(stream, &reason)),
            Ok(()) if runs_middlewares => attempt.begin(),
            Ok(()) => Arc::clone(self).accept(&attempt),
        }
    }

    /// A socket is back.
    pub(super) fn accept_again(self: &Arc<Self>, attempt: &Arc<Attempt>, resume: &Resume) {
        let Some(stream) = attempt.finish() else { return };
        let holder: Weak<Self> = Arc::downgrade(self);
        let holder: Weak<dyn Holder> = holder;
        let Some(lease) = stream.lease().filter(|lease| lease.hold(holder)) else {
            drop(stream);
            return self.enter_anew(attempt, resume);
        };
        if let Err((stream, reason)) = self.seat(attempt, stream) {
            let_go(stream, &reason);
        }
        lease.tell();
    }

    /// The socket has ended while its client was coming back: it gets a new one.
    pub(super) fn enter_anew(self: &Arc<Self>, attempt: &Arc<Attempt>, resume: &Resume) {
        drop(attempt.finish());
        let path = &*attempt.socket.core().namespace.path;
        let old = {
            let mut state = self.state.lock();
            let place = state.sockets.get_mut(path).filter(|place| place.is_attempt(attempt));
            place.map(|place| std::mem::replace(place, Place::Taken(resume.number)))
        };
        if old.is_some() {
            self.enter(path, resume.number, resume.auth.clone(), Resumption::TooLate);
        }
    }

    /// The right of a client to come back to a socket that is about to be open, if sessions are kept.
    pub(super) fn grant(self: &Arc<Self>, socket: &Socket) -> Option<Arc<StreamLease>> {
        let holder: Weak<Self> = Arc::downgrade(self);
        self.directory.leases.as_ref()?.grant(socket, holder)
    }
}

/// The connection of a socket is lost. Returns its lease, if it is kept.
pub(super) fn lose(socket: &Socket, reason: &DisconnectReason) -> Option<Arc<dyn Tenure>> {
    if !reason.is_unplanned() {
        return None;
    }
    let lease = Session::get(socket.core())?.lease()?;
    Arc::clone(&lease).lose(reason).then_some(lease)
}

/// The connection of a socket is closed for this reason: has the stream wait for the client, or returns it if the socket is
/// not kept. Under no lock.
pub(crate) fn park(mut stream: Box<Stream>, reason: &DisconnectReason) -> Result<(), Box<Stream>> {
    // Whoever closes it may not have come to that yet.
    let (Some(tenure), Some(lease)) = (lose(stream.socket(), reason), stream.lease()) else {
        return Err(stream);
    };
    stream.inbox.no_wake();
    lease.park(stream);
    tenure.tell();
    Ok(())
}

/// As [`park`]; or ends the socket.
pub(crate) fn let_go(stream: Box<Stream>, reason: &DisconnectReason) {
    if let Err(stream) = park(stream, reason) {
        stream.socket().disconnect(reason.clone());
    }
}
