//! A client in the same process: what `socket.io-client` gives a program, over a connection like any
//! transport's.
//!
//! # Invariants
//!
//! * *One at a time, in order.* Handlers and hooks are called by whoever runs the tasks of one
//!   [`Serial`](crate::serial::Serial), and only that one drains the outbox. So handlers of one client never run
//!   at the same time; a poll from inside a handler, or while another thread is at it, leaves its drain to the
//!   one who is at it. What happens to a socket otherwise than by a packet is noted under the socket's lock, and
//!   told before the next packet is looked at: so that it was disconnected is told before it is connected again.
//! * *No handler under a lock.* The outbox is taken out of the client while it is drained. The locks are the
//!   client's, then a socket's, then the notes' and the table of answers'; the engine is called under none of
//!   them, but to look whether a connection is closed.
//! * *The last handle closes.* Handles hold the core, and nothing else does: notes and answers hold sockets, and
//!   wakers nothing.
//!
//! Where a socket stands with the server is in `client/wire.rs`.

mod dispatch;
mod link;
mod peer;
mod socket;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::link::Core;
use crate::client::peer::Peer;
use crate::engine::Engine;
use crate::error::ReceiveError;
use crate::handshake::Handshake;
use crate::payload::Payload;
use crate::reason::DisconnectReason;

/// A client in the same process: one connection, with a socket in each of several namespaces.
///
/// For local players, bots and tests. It is `socket.io-client`'s manager, without a network: to the server it
/// is a connection like all others. `Send`, `Sync`; cloning counts a reference.
///
/// It has no thread. What the server sends waits until somebody [polls](Self::poll), and handlers run in that
/// call, one at a time, under no lock; they may call anything here.
///
/// When the last handle goes, the client's and its sockets', the connection is closed, with
/// [`DisconnectReason::Transport`]; no handler is called any more. A handler that has captured a handle of its own
/// client keeps it from going, until [`close`](Self::close) takes the handler off. Handlers are passed their
/// socket, so they rarely have to.
///
/// ```
/// use roomcast::{Client, Engine, Payload};
///
/// let engine = Engine::new();
/// engine.of("/chat")?.on("hello", |socket, name: Payload| {
///     socket.emit("welcome", name).unwrap();
/// })?;
///
/// let client = Client::new(&engine);
/// let chat = client.socket("/chat", "my token")?;
/// chat.on_connect(|chat| chat.emit("hello", "Ann").unwrap());
/// let (heard, names) = std::sync::mpsc::channel();
/// chat.on("welcome", move |_, name: Payload| heard.send(name))?;
/// while client.poll() > 0 {}
/// assert!(chat.is_connected());
/// assert_eq!(names.recv()?.as_str(), Some("Ann"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
}

/// A client's socket in a namespace.
///
/// Comes from [`Client::socket`]. `Send`, `Sync`; cloning counts a reference. Handlers and hooks stay over
/// disconnects and reconnects, until they are taken off or the client is [closed](Client::close).
#[derive(Clone)]
pub struct ClientSocket {
    core: Arc<Core>,
    peer: Arc<Peer>,
}

impl Client {
    /// Creates a client with an empty handshake, and its connection.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self::with_handshake(engine, Handshake::new())
    }

    /// Creates a client of which this is known from the start, and its connection.
    #[must_use]
    pub fn with_handshake(engine: &Engine, handshake: Handshake) -> Self {
        Self { core: Core::new(engine, handshake) }
    }

    /// Connects to a namespace, with what the socket is to say of itself there, and returns its socket. The
    /// server's middlewares and hooks run in this call; what comes of it is told by a [poll](Self::poll).
    ///
    /// There is one socket for each namespace. A second call returns the same one, which says `auth` the next
    /// time it connects: now, unless it [is active](ClientSocket::is_active).
    ///
    /// # Errors
    ///
    /// If the connection is closed.
    pub fn socket(&self, namespace: &str, auth: impl Into<Payload>) -> Result<ClientSocket, ReceiveError> {
        let (peer, is_new) = self.core.peer_of(namespace, auth.into())?;
        let socket = self.core.socket(peer);
        if let Err(error) = socket.connect() {
            if is_new {
                socket.peer.wire.lock().do_not_want();
            }
            return Err(error);
        }
        Ok(socket)
    }

    /// Returns all its sockets, by path, connected or not.
    #[must_use]
    pub fn sockets(&self) -> Vec<ClientSocket> {
        self.core.peers().into_iter().map(|peer| self.core.socket(peer)).collect()
    }

    /// Takes in what the server has sent up to now, calls handlers and hooks, and returns how many packets that
    /// were.
    ///
    /// What comes meanwhile waits for the next poll. From inside a handler, and while another thread polls, it
    /// returns 0, and the one who polls looks once more. In one namespace packets come in the order in which they
    /// were sent.
    pub fn poll(&self) -> usize {
        self.core.poll()
    }

    /// As [`poll`](Self::poll), and blocks the thread until there is something, the connection is closed, or the
    /// time is over. For a thread that plays one client.
    ///
    /// Not for handlers: there it finds nothing, and waits until the time is over.
    pub fn poll_timeout(&self, timeout: Duration) -> usize {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            self.core.watch_once();
            let count = self.core.poll();
            if count > 0 {
                return count;
            }
            if self.closed().is_some() {
                return self.core.poll(); // what came before the end
            }
            let is_over = match deadline {
                Some(deadline) => self.core.tokens().recv_deadline(deadline).is_err(),
                None => self.core.tokens().recv().is_err(),
            };
            if is_over {
                return self.core.poll();
            }
        }
    }

    /// Has `wake` called whenever there is something to poll: once after each poll at most, from the thread that
    /// brings it, under no lock. Called at once if there is something already. A panic in it ends there.
    /// Replaces the callback that was set before; stays over reconnects.
    pub fn on_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.core.set_wake(Some(Arc::new(wake)));
        self.core.watch();
    }

    /// Removes the callback.
    pub fn no_wake(&self) {
        self.core.set_wake(None);
    }

    /// Makes a new connection, if the present one is closed, and connects all sockets again that
    /// [are active](ClientSocket::is_active): not those that either side has disconnected on purpose. Polls
    /// before.
    ///
    /// Called by a handler while the end of the connection is being told, what has not come in by then is lost.
    ///
    /// # Errors
    ///
    /// If the engine is closed, the client is, or the new connection is before all sockets are connecting.
    pub fn reconnect(&self) -> Result<(), ReceiveError> {
        self.core.reconnect()
    }

    /// Closes the connection, and returns whether it was open. The server and the sockets' hooks are told with
    /// [`DisconnectReason::Client`], and what was not polled is lost; [`reconnect`](Self::reconnect) connects
    /// again.
    pub fn disconnect(&self) -> bool {
        self.core.close(false)
    }

    /// Closes the client, for good, and returns whether its connection was open. As
    /// [`disconnect`](Self::disconnect); then drops what waits to be sent, and takes off all handlers and hooks
    /// and the callback, which may hold handles of the client. So does a poll that finds that the engine is
    /// closed.
    pub fn close(&self) -> bool {
        self.core.close(true)
    }

    /// Returns why the connection is closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<DisconnectReason> {
        self.core.closed()
    }

    /// Returns what the server knows of it from the start.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.core.handshake
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Client {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
