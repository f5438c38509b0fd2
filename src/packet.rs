//! What goes over a connection, in either direction. No wire format: a transport has one.

use crate::delivery::{Delivery, Gap};
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::{Offset, Resumption, SessionKey};
use crate::slab::SocketId;

/// What a client sends. Goes in by [`Connection::receive`](crate::Connection::receive).
#[derive(Clone, Debug)]
pub enum ClientPacket<'a> {
    /// It wants a socket in a namespace.
    Connect {
        /// The path.
        namespace: &'a str,
        /// What it says of itself, for the middlewares.
        auth: Payload,
    },
    /// It wants the socket that it had in a namespace, of a connection that is lost; or else a new one.
    Resume {
        /// The path.
        namespace: &'a str,
        /// What it says of itself, for the middlewares.
        auth: Payload,
        /// The key that it was given with that socket.
        session: SessionKey,
        /// The last that it has seen of what it was sent there; nothing if it has seen none.
        seen: Option<Offset>,
    },
    /// An event, to its socket in a namespace.
    Event {
        /// The path.
        namespace: &'a str,
        /// The event's name.
        event: &'a str,
        /// What it carries.
        payload: Payload,
        /// The number of the answer that it wants, if it wants one: the client's choice.
        ack: Option<u64>,
    },
    /// Its answer to an event.
    Ack {
        /// The path.
        namespace: &'a str,
        /// The number of the answer, as it was asked for.
        id: u64,
        /// The answer.
        payload: Payload,
    },
    /// It gives its socket in a namespace up.
    Disconnect {
        /// The path.
        namespace: &'a str,
    },
}

/// What a server sends. Comes out of [`Outbox::drain`](crate::Outbox::drain).
///
/// A transport that knows nothing of some kind of packet loses what it says. So a new kind is a breaking change, on
/// purpose: the compiler shows where it is missing.
#[derive(Clone, Copy, Debug)]
pub enum ServerPacket<'a> {
    /// The client has a socket in a namespace.
    Connect {
        /// The path.
        namespace: &'a str,
        /// The socket's id.
        id: SocketId,
        /// By which the client can [resume](ClientPacket::Resume), if its session is [kept](crate::Recovery).
        session: Option<SessionKey>,
        /// What became of the session that it wanted to resume.
        resumption: Resumption,
    },
    /// The client does not get a socket in a namespace.
    ConnectError {
        /// The path.
        namespace: &'a str,
        /// Why, in words.
        message: &'a str,
        /// What else there is to say. Empty if there is nothing.
        data: &'a Payload,
    },
    /// A message to its socket in a namespace.
    Event {
        /// The path.
        namespace: &'a str,
        /// The message: its event, what it carries, and [what it wants](Delivery::ack_id) for an answer.
        delivery: Delivery<'a>,
        /// Its place in the session, if that is [kept](crate::Recovery), and it may be sent again.
        offset: Option<Offset>,
    },
    /// Messages are missing here.
    Gap {
        /// The path.
        namespace: &'a str,
        /// How many, and why.
        gap: Gap,
        /// As of an event.
        offset: Option<Offset>,
    },
    /// The answer to an event of the client.
    Ack {
        /// The path.
        namespace: &'a str,
        /// The number of the answer, as the client chose it.
        id: u64,
        /// The answer.
        payload: &'a Payload,
    },
    /// The client's socket in a namespace is disconnected. Not sent when the client asked for it.
    Disconnect {
        /// The path.
        namespace: &'a str,
        /// Why.
        reason: &'a DisconnectReason,
    },
}

impl<'a> ServerPacket<'a> {
    /// Returns the path of the namespace that it is about.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match *self {
            Self::Connect { namespace, .. }
            | Self::ConnectError { namespace, .. }
            | Self::Event { namespace, .. }
            | Self::Gap { namespace, .. }
            | Self::Ack { namespace, .. }
            | Self::Disconnect { namespace, .. } => namespace,
        }
    }
}
