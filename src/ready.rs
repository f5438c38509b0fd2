//! Which of many connections have something to send.

use std::fmt;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::handshake::Handshake;
use crate::transport::Transport;

/// Tells which of many connections have something to send, so that one thread can serve all of them.
///
/// Each connection has a key of your choice: the place in your own table of clients, say. When there is something to
/// drain, or the connection is closed, its key comes out of the [`receiver`](Self::receiver), and does not come again
/// before the next drain. Who has nothing to send costs nothing: telling is O(1), and serving
/// is O(connections that are ready).
///
/// The receiver is crossbeam's, so it can stand in a `select!` beside channels of your own. It may be
/// cloned and shared by several threads; each key goes to one of them.
///
/// ```
/// use crossbeam_channel::{select, unbounded};
/// use roomcast::{ClientPacket, Engine, Handshake, Outbox, Payload, ReadyQueue};
///
/// let engine = Engine::new();
/// let ready = ReadyQueue::new();
/// let mut clients: Vec<Outbox> = Vec::new();
/// for number in 0..3 {
///     let handshake = Handshake::new().with("number", number.to_string());
///     let (connection, outbox) = engine.connect(ready.transport(number).with_handshake(handshake));
///     connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
///     clients.push(outbox);
/// }
/// let (commands, commanded) = unbounded();
/// commands.send("stop")?;
///
/// let (mut packets, mut is_over) = (0, false);
/// while packets < 3 || !is_over {
///     select! {
///         recv(ready.receiver()) -> key => packets += clients[key?].drain(|packet| println!("{packet:?}")),
///         recv(commanded) -> command => is_over = command? == "stop",
///     }
/// }
/// assert!(ready.receiver().is_empty());
/// engine.of("/")?.socket(clients[1].connection().sockets()[0].id()).unwrap().emit("hello", ())?;
/// assert_eq!(ready.receiver().try_recv(), Ok(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// - **Put the outbox into your table before you serve its key.** If another thread serves, a key may come before that:
///   the engine may be closed at that moment. So [push](Self::push) the key once when the outbox is there.
/// - **A key may come when its outbox is gone**: look it up, and let be what is not found. If keys are used again, the
///   next one may be told once too often; a drain of nothing does no harm.
/// - **A thread that [stops](crate::Outbox::try_drain) in the middle of a drain is not told again**: it knows. To
///   take its
///   turn behind the others, it puts the key [back](Self::push).
///
/// As long as each key is taken before its outbox is drained, there is one for each connection at most, beside those of
/// connections that are gone. Cloning the queue counts references.
#[derive(Clone)]
pub struct ReadyQueue<K> {
    sender: Sender<K>,
    receiver: Receiver<K>,
}

/// The transport of one connection that [`ReadyQueue::receiver`] tells of. Comes from [`ReadyQueue::transport`].
#[derive(Clone)]
pub struct ReadyTransport<K> {
    key: K,
    sender: Sender<K>,
    handshake: Handshake,
}

impl<K: Clone + Send + Sync + 'static> ReadyQueue<K> {
    /// Creates one that has nothing to tell.
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver }
    }

    /// Returns the transport of a connection, which will be told of by this key.
    #[must_use]
    pub fn transport(&self, key: K) -> ReadyTransport<K> {
        ReadyTransport { key, sender: self.sender.clone(), handshake: Handshake::new() }
    }

    /// Returns where the keys come out, in the order in which the connections became ready.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<K> {
        &self.receiver
    }

    /// Has this key come again, behind those that are there.
    pub fn push(&self, key: K) {
        // This queue holds a receiver, so it cannot fail.
        let _ = self.sender.send(key);
    }
}

impl<K> ReadyTransport<K> {
    /// Sets what is known of the client from the start.
    #[must_use]
    pub fn with_handshake(self, handshake: Handshake) -> Self {
        Self { handshake, ..self }
    }
}

impl<K: Clone + Send + Sync + 'static> Transport for ReadyTransport<K> {
    fn handshake(&self) -> Handshake {
        self.handshake.clone()
    }

    fn wake(&self) {
        // Fails when the queue is gone: then nobody asks.
        let _ = self.sender.send(self.key.clone());
    }
}

impl<K: Clone + Send + Sync + 'static> Default for ReadyQueue<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> fmt::Debug for ReadyQueue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyQueue").field("ready", &self.receiver.len()).finish()
    }
}

impl<K: fmt::Debug> fmt::Debug for ReadyTransport<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyTransport").field("key", &self.key).finish_non_exhaustive()
    }
}
