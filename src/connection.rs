//! A connection: one client, with a socket in each of several namespaces.

use std::fmt;
use std::sync::Arc;

mod core;

pub(crate) use self::core::{ConnectionCore, let_go, park};

use crate::directory::Directory;
use crate::error::ReceiveError;
use crate::handshake::Handshake;
use crate::packet::ClientPacket;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Resumption;
use crate::session::Session;
use crate::socket::Socket;
use crate::transport::Transport;

/// One client, with a socket in each of several namespaces: the inbound half, and what there is to know of it.
///
/// Comes with its [`Outbox`](crate::Outbox), the outbound half, from [`Engine::connect`](crate::Engine::connect).
/// `Send`, `Sync`; cloning counts a reference. A transport hands what its client sends to
/// [`receive`](Self::receive), drains the outbox, and [closes](Self::close) the connection when it is lost.
#[derive(Clone)]
pub struct Connection {
    core: Arc<ConnectionCore>,
}

impl Connection {
    pub(crate) fn open(directory: &Arc<Directory>, transport: Arc<dyn Transport>) -> Self {
        Self { core: ConnectionCore::open(directory, transport) }
    }

    pub(crate) fn new(core: &Arc<ConnectionCore>) -> Self {
        Self { core: Arc::clone(core) }
    }

    pub(crate) fn core(&self) -> &Arc<ConnectionCore> {
        &self.core
    }

    /// Takes in what the client has sent. Its handlers run in this call, unless one of the same socket is
    /// running: then that thread runs them next.
    ///
    /// May be called from any thread, and from inside handlers. Packets of one client are to be brought one
    /// after the other, in the order in which they were sent. So it takes as long as the handlers do; a transport
    /// that has other things to do calls it on a thread or task of that client.
    ///
    /// A client that connects to a namespace that does not exist is told; that is no error here. Events for a
    /// socket that this side has disconnected are dropped. A handler that panics is no error either.
    ///
    /// ```
    /// use roomcast::{ClientPacket, Engine, Handshake, Payload, ProtocolError, ReceiveError};
    ///
    /// let engine = Engine::new();
    /// let (connection, _outbox) = engine.connect(Handshake::new());
    /// let connect = ClientPacket::Connect { namespace: "/", auth: Payload::default() };
    /// connection.receive(connect.clone())?;
    /// let error = connection.receive(connect).unwrap_err();
    /// assert_eq!(error, ReceiveError::Protocol(ProtocolError::AlreadyConnected));
    /// assert!(connection.closed().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Protocol`](ReceiveError::Protocol) if the client has done what no client does. The connection is
    ///   closed with [`DisconnectReason::Protocol`].
    /// - [`Busy`](ReceiveError::Busy) if as many events as
    ///   [`EngineBuilder::inbound_queue`](crate::EngineBuilder::inbound_queue) allows wait for a handler that is
    ///   running. The event is not taken in, and nothing else has changed.
    /// - [`Closed`](ReceiveError::Closed) if the connection is.
    pub fn receive(&self, packet: ClientPacket<'_>) -> Result<(), ReceiveError> {
        self.core.receive(packet)
    }

    /// Closes it, unless it is closed already, and returns whether it did: all its sockets are disconnected
    /// with this reason, by path, and who is connecting is not let in. Their hooks run in this call. For a reason that
    /// is [unplanned](DisconnectReason::is_unplanned), sockets whose sessions are [kept](crate::Recovery) are not
    /// disconnected: they are [away](Socket::is_away).
    ///
    /// The transport can still drain what was emitted before: it is then told that each socket is disconnected,
    /// and by [`Outbox::closed`](crate::Outbox::closed) that all is over.
    pub fn close(&self, reason: impl Into<DisconnectReason>) -> bool {
        self.core.close(reason.into())
    }

    /// Returns why it was closed, if it was.
    #[must_use]
    pub fn closed(&self) -> Option<DisconnectReason> {
        self.core.closed()
    }

    /// Returns what was known of it from the start.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        self.core.handshake()
    }

    /// Returns its connected sockets, by the paths of their namespaces: not those that are in middlewares.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.core.sockets()
    }

    /// Returns its connected socket in the namespace of this path.
    #[must_use]
    pub fn socket(&self, namespace: &str) -> Option<Socket> {
        self.core.socket(namespace)
    }
}

impl Socket {
    /// Returns the connection that it is one of the sockets of, unless it is one of
    /// [`Namespace::connect`](crate::Namespace::connect), or the connection is gone.
    ///
    /// To disconnect a client from all namespaces, close its connection.
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        let connection = Session::get(self.core())?.origin(|origin| origin.connection.as_ref()?.upgrade())?;
        Some(Connection { core: connection.downcast().ok()? })
    }

    /// Closes its connection, and so disconnects the client from all namespaces; or the socket, if it came
    /// without one, or its client is [away](Self::is_away). Returns whether it was connected.
    pub fn disconnect_client(&self, reason: impl Into<DisconnectReason>) -> bool {
        let (reason, was_connected) = (reason.into(), self.is_connected());
        match self.connection() {
            Some(connection) if connection.closed().is_none() => connection.close(reason) && was_connected,
            _ => self.disconnect(reason),
        }
    }

    /// Returns whether its connection is lost and its client may come back: it is [kept](crate::Recovery), connected, in
    /// its rooms, and misses nothing.
    #[must_use]
    pub fn is_away(&self) -> bool {
        Session::get(self.core()).and_then(|session| session.lease()).is_some_and(|lease| lease.is_lost())
    }

    /// Returns what became of the session that its client wanted to resume when it connected the last time.
    #[must_use]
    pub fn resumption(&self) -> Resumption {
        Session::get(self.core())
            .map_or_else(Resumption::default, |session| session.origin(|origin| origin.resumption))
    }

    /// Returns what was known of its connection from the start. Empty without one.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        Session::get(self.core())
            .map_or_else(Handshake::default, |session| session.origin(|origin| origin.handshake.clone()))
    }

    /// Returns what the client said of itself when it connected to this namespace. Empty without a connection.
    #[must_use]
    pub fn auth(&self) -> Payload {
        Session::get(self.core())
            .map_or_else(Payload::default, |session| session.origin(|origin| origin.auth.clone()))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("sockets", &self.sockets())
            .field("closed", &self.closed())
            .finish()
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Connection {}
