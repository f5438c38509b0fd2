//! What sessions are for: the interface of the layer above.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;

use hyper::HeaderMap;

use super::packet::{Message, Packet};
use super::reason::CloseReason;

/// What sessions are opened with.
pub trait Service: Send + Sync + 'static {
    /// The half that takes in a client's messages.
    type Inbound: Inbound;
    /// The half that says what a client is to be sent.
    type Outbound: Outbound;

    /// Opens a session.
    fn open(&self, opening: &Opening) -> (Self::Inbound, Self::Outbound);
}

/// The half of a session that takes in what its client sends.
pub trait Inbound: Send + 'static {
    /// Takes in a message. The next one is not read before this is done.
    ///
    /// # Errors
    ///
    /// If it is one that no client sends. The session is closed.
    fn receive(&mut self, message: Message<'_>) -> impl Future<Output = Result<(), Refused>> + Send;

    /// Learns that the session has ended. Nothing comes after this.
    fn close(&mut self, reason: &CloseReason);
}

/// The half of a session that says what its client is to be sent. It is asked when the transport can take some.
pub trait Outbound: Send + 'static {
    /// Adds what is to be sent, until the batch is full.
    fn pull(&mut self, batch: &mut Batch) -> Flow;

    /// Waits until there may be something to pull. May be dropped without loss.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}

/// What is known of a client when it opens a session.
#[derive(Debug)]
pub struct Opening {
    /// Where it is.
    pub address: SocketAddr,
    /// The query of its request, in order.
    pub query: Vec<(String, String)>,
    /// The headers of its request.
    pub headers: HeaderMap,
}

/// Why a message was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Cow<'static, str>);

/// Whether there is more to come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Now or later.
    Open,
    /// Nothing after this batch, for the reason in these words.
    Ended(Box<str>),
}

/// What is sent in one go, bounded in bytes.
#[derive(Debug)]
pub struct Batch {
    packets: Vec<Packet>,
    bytes: usize,
    budget: usize,
}

impl Batch {
    /// Creates an empty one that is full with this many bytes.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self { packets: Vec::new(), bytes: 0, budget }
    }

    /// Adds a packet. The last one may go beyond the budget.
    pub fn push(&mut self, packet: Packet) {
        self.bytes += packet.size();
        self.packets.push(packet);
    }

    /// Returns whether no more should be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= self.budget
    }

    /// Returns whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Takes all packets out.
    pub fn take(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        std::mem::take(&mut self.packets)
    }
}
