//! What a socket has beyond the engine: how it came, its own handlers, and its jobs. Only sockets that need
//! one have one.
//!
//! # One at a time, in order
//!
//! All that a socket's handlers and hooks are called for goes through one [`Serial`]: that it connected, its
//! events in the order in which they came, that it was disconnected. That it connected is pushed before
//! anybody can find the socket, and that it was disconnected once, by the one who closed it. So handlers of
//! one socket never run at the same time, an event never overtakes `on_connect`, and nothing follows
//! `on_disconnect`. An event that still waits when the socket is closed is dropped.

use std::any::Any;
use std::sync::{Arc, Weak};

use crate::handshake::Handshake;
use crate::incoming::Incoming;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Resumption;
use crate::registry::Registry;
use crate::serial::Serial;
use crate::state::SocketCore;
use crate::sync::{Mutex, OnceLock};

pub(crate) struct Session {
    pub(crate) jobs: Serial<Job>,
    origin: Mutex<Origin>,
    /// Its way through the middlewares, while it is on it.
    pub(crate) attempt: OnceLock<Weak<dyn Dismiss>>,
    /// The right of its client to come back to it, if it has one.
    pub(crate) lease: OnceLock<Weak<dyn Tenure>>,
    /// What was registered with this socket alone.
    registry: OnceLock<Box<Registry>>,
}

/// How a socket came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) auth: Payload,
    pub(crate) handshake: Handshake,
    /// The connection that it is one of the sockets of.
    pub(crate) connection: Option<Weak<dyn Any + Send + Sync>>,
    pub(crate) resumption: Resumption,
}

/// What a socket is to be told of that is closed before it is open.
pub(crate) trait Dismiss: Send + Sync {
    fn dismiss(self: Arc<Self>);
}

/// The right of a client to come back to its socket, for those who end either.
pub(crate) trait Tenure: Send + Sync {
    /// Its connection is lost, for this reason, and returns whether the socket is kept. To be called by whoever closes
    /// the connection, and by whoever lets go of what it has to send; and [`tell`](Self::tell) is to follow.
    fn lose(self: Arc<Self>, reason: &DisconnectReason) -> bool;

    /// Calls the hooks, and sees to it that no more are kept than may be. Under no lock.
    fn tell(&self);

    /// The socket is disconnected. Under no lock.
    fn over(&self);

    /// Whether its client is away, and may come back.
    fn is_lost(&self) -> bool;
}

#[derive(Debug)]
pub(crate) enum Job {
    Connected,
    /// The client is away, and may come back.
    Lost(DisconnectReason),
    /// It has.
    Resumed,
    Event(Incoming),
    Disconnected(DisconnectReason),
}

impl Session {
    fn new(origin: Origin) -> Self {
        Self {
            jobs: Serial::new(),
            origin: Mutex::new(origin),
            attempt: OnceLock::new(),
            lease: OnceLock::new(),
            registry: OnceLock::new(),
        }
    }

    /// Makes the session of a socket that is new, and came by a connection.
    pub(crate) fn begin(socket: &SocketCore, origin: Origin) -> Arc<Self> {
        socket.data.get_or_insert_with(|| Self::new(origin))
    }

    /// Tells something of how its socket came, the last time. Under a lock.
    pub(crate) fn origin<R>(&self, tell: impl FnOnce(&Origin) -> R) -> R {
        tell(&self.origin.lock())
    }

    /// Its client has come back.
    pub(crate) fn set_origin(&self, origin: Origin) {
        let old = std::mem::replace(&mut *self.origin.lock(), origin);
        drop(old);
    }

    pub(crate) fn lease(&self) -> Option<Arc<dyn Tenure>> {
        self.lease.get()?.upgrade()
    }

    /// The session of a socket, if it has one.
    pub(crate) fn get(socket: &SocketCore) -> Option<Arc<Self>> {
        socket.data.get()
    }

    /// The session of a socket.
    pub(crate) fn of(socket: &SocketCore) -> Arc<Self> {
        socket.data.get_or_insert_with(|| Self::new(Origin::default()))
    }

    /// What was registered with this socket alone, if anything was.
    pub(crate) fn registered(&self) -> Option<&Registry> {
        self.registry.get().map(|registry| &**registry)
    }

    /// Lets go of what was registered with this socket: it may hold the socket that holds it.
    pub(crate) fn clear(&self) {
        if let Some(registry) = self.registered() {
            registry.clear();
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.registry.get_or_init(|| Box::new(Registry::new()))
    }
}
