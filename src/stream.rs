//! All that a client is to be sent in one namespace.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::inbox::Inbox;
use crate::lease::{Lease, Leases};
use crate::recovery::{Offset, SessionKey};
use crate::sent::{Missed, Sent};
use crate::slab::SocketId;
use crate::socket::Socket;

/// The inbox of a socket, and what is kept for its client in case the connection is lost. Goes from one outbox to the
/// next when it comes back.
pub(crate) struct Stream {
    pub(crate) inbox: Inbox,
    pub(crate) kept: Option<Kept>,
}

/// What is kept for a client that may come back.
pub(crate) struct Kept {
    /// Weakly: it has the stream while the client is away.
    lease: Weak<StreamLease>,
    key: SessionKey,
    pub(crate) sent: Sent,
}

pub(crate) type StreamLease = Lease<Box<Stream>>;
pub(crate) type StreamLeases = Leases<Box<Stream>>;

impl Stream {
    pub(crate) fn new(inbox: Inbox) -> Box<Self> {
        Box::new(Self { inbox, kept: None })
    }

    /// Its client may come back from now on.
    pub(crate) fn keep(&mut self, lease: &Arc<StreamLease>, leases: &StreamLeases) {
        let sent = Sent::new(lease.number, leases.limits());
        self.kept = Some(Kept { lease: Arc::downgrade(lease), key: lease.key, sent });
    }

    pub(crate) fn id(&self) -> SocketId {
        self.inbox.id()
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.inbox.socket()
    }

    /// Its lease, unless that is over.
    pub(crate) fn lease(&self) -> Option<Arc<StreamLease>> {
        self.kept.as_ref()?.lease.upgrade()
    }

    pub(crate) fn key(&self) -> Option<SessionKey> {
        self.kept.as_ref().map(|kept| kept.key)
    }

    /// Has all sent that the client has not seen, before what comes later; or says how much of it is not there.
    pub(crate) fn rewind(&mut self, seen: Option<Offset>) -> Result<(), Missed> {
        let Self { inbox, kept: Some(Kept { sent, .. }) } = self else { return Ok(()) };
        sent.rewind(seen, |hand_over| {
            inbox.drain(hand_over);
        })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("inbox", &self.inbox).field("is_kept", &self.kept.is_some()).finish()
    }
}
