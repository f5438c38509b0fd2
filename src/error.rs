//! Every public error: small types, one per kind of operation.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::name::{BadPath, RoomName, RoomNameError};
use crate::reason::DisconnectReason;
use crate::slab::SocketId;

/// Why there is no such namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The path cannot be one.
    BadPath {
        /// The path as it was given.
        path: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The engine is closed.
    EngineClosed,
}

/// A text that cannot be a pattern of namespace paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    pub(crate) text: Box<str>,
    pub(crate) at: Option<usize>,
    pub(crate) problem: &'static str,
}

impl PatternError {
    /// Returns the text as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the byte of the text at which the brace stands that is wrong. Returns nothing if the text as a
    /// whole cannot be a path, whatever its braces mean.
    #[must_use]
    pub fn at(&self) -> Option<usize> {
        self.at
    }
}

/// Why an event name was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventError {
    /// It is empty.
    Empty,
    /// It is longer than [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes) allows.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Nobody emits it: `connect`, `connect_error`, `disconnect`, `disconnecting` or `gap`.
    Reserved(Box<str>),
}

/// Why a socket's rooms were not changed. None of them were.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipError {
    /// The socket is closed, for this reason.
    Closed(DisconnectReason),
    /// One of the rooms cannot be one.
    Room(RoomNameError),
    /// The socket would be in more rooms than
    /// [`EngineBuilder::max_rooms_per_socket`](crate::EngineBuilder::max_rooms_per_socket) allows.
    TooManyRooms {
        /// How many that are.
        limit: usize,
    },
    /// The socket may not join this room.
    Refused {
        /// The room.
        room: RoomName,
        /// Why.
        refusal: Refusal,
    },
}

/// Why a socket may not join a room: what an [`admission`](crate::Namespace::admission) hook answers, and a
/// room that is [full](crate::Room::set_capacity).
///
/// `&str` converts to [`Denied`](Self::Denied).
///
/// ```
/// use roomcast::{Engine, MembershipError, Refusal};
///
/// let game = Engine::new().of("/game")?;
/// game.admission(|socket, room| match room.as_str() {
///     Some("finals") => Err(Refusal::Locked),
///     Some("vip") if socket.data::<String>().is_none() => Err("members only".into()),
///     _ => Ok(()),
/// });
/// let (ann, _inbox) = game.connect();
/// let Err(MembershipError::Refused { room, refusal }) = ann.join(["lobby", "vip"]) else { panic!() };
/// assert_eq!((room.as_str(), refusal), (Some("vip"), "members only".into()));
/// assert_eq!(ann.room_count(), 0); // of several, none
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has as many members as it may have.
    Full,
    /// Nobody joins it at present.
    Locked,
    /// Something else, in the words of whoever refused.
    Denied(Box<str>),
}

/// Why the presence of a socket, or what it watches, was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceError {
    /// The socket is closed, for this reason.
    Closed(DisconnectReason),
    /// The socket is not connected yet.
    Connecting,
    /// The socket is of another namespace than the room.
    Foreign,
    /// The socket is not in the room.
    NotInRoom,
    /// The socket is not present.
    NotPresent,
    /// The key is empty.
    EmptyKey,
    /// The key is longer than [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes) allows.
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The metadata could not be made a payload.
    Encode(EncodeError),
}

/// Why nothing was emitted, to anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// The event name was refused.
    Event(EventError),
    /// One of the rooms cannot be one.
    Room(RoomNameError),
    /// A socket that it was addressed to is gone.
    Stale(StaleSocket),
    /// The socket that was to emit is closed, for this reason.
    Closed(DisconnectReason),
    /// The socket that was to emit, or to be emitted to, is not connected yet.
    Connecting,
    /// The namespace is removed.
    NamespaceClosed,
    /// The value could not be made a payload.
    Encode(EncodeError),
    /// As many messages as [`EngineBuilder::max_pending_acks`](crate::EngineBuilder::max_pending_acks) allows
    /// wait for their answers.
    TooManyAcks {
        /// How many that are.
        limit: usize,
    },
    /// The [key](crate::Broadcast::latest) is too long: as long a text as a name can be.
    KeyTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be: [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes).
        limit: usize,
    },
}

/// Why a value could not be made a [`Payload`](crate::Payload).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    message: Box<str>,
}

/// Why a [`Payload`](crate::Payload) is not the value that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    message: Box<str>,
}

/// The id is of no connected socket of this namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleSocket(pub SocketId);

/// The tick is not among those that the namespace
/// [remembers](crate::EngineBuilder::remembered_ticks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenTick(pub Duration);

/// A text that is no [key of a session](crate::SessionKey), or no [offset](crate::Offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidToken;

/// The inbox is closed, and all that was published before is drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why.
    pub reason: DisconnectReason,
}

/// Why a blocking wait with a limit ended without a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// The time is over.
    Timeout,
    /// The inbox is closed and drained.
    Closed(DisconnectReason),
}

/// Why a connection took in nothing of what its client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The client has done what no client does. The connection is closed.
    Protocol(ProtocolError),
    /// Too many events wait for a handler that is running. Nothing has changed: bring it again later, and
    /// nothing else of this client before, or close the connection.
    Busy,
    /// The connection was closed before, for this reason.
    Closed(DisconnectReason),
}

/// Why a client sent nothing, and keeps nothing to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The event name was refused.
    Event(EventError),
    /// The value could not be made a payload.
    Encode(EncodeError),
    /// As many events as [`EngineBuilder::inbound_queue`](crate::EngineBuilder::inbound_queue) allows wait for
    /// the socket to be connected.
    Full {
        /// How many that are.
        limit: usize,
    },
    /// The payload is longer than [`EngineBuilder::max_payload_bytes`](crate::EngineBuilder::max_payload_bytes)
    /// allows.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// As many events as [`EngineBuilder::max_pending_acks`](crate::EngineBuilder::max_pending_acks) allows wait
    /// for their answers.
    TooManyAcks {
        /// How many that are.
        limit: usize,
    },
    /// The server's side of the connection did not take it in.
    Receive(ReceiveError),
}

/// What no client does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// It connected to a namespace in which it has a socket, or is about to.
    AlreadyConnected,
    /// It sent something to a namespace in which it has no socket, or not yet.
    NotConnected,
    /// It sent an event under a name that is empty, too long or reserved.
    Event(EventError),
    /// It named a namespace in more than 256 bytes.
    PathTooLong,
    /// It sent a payload longer than
    /// [`EngineBuilder::max_payload_bytes`](crate::EngineBuilder::max_payload_bytes) allows.
    PayloadTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why there is no answer of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// It had not answered when the time was over, or the waiting was [given up](crate::Acks::cancel).
    TimedOut,
    /// It was disconnected before it answered, for this reason.
    Disconnected(DisconnectReason),
}

/// The place is not on a [`Grid`](crate::Grid): a coordinate is not a number, infinite, or 2³¹ cells or more from the
/// middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfGrid;

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(crate) setting: &'static str,
    pub(crate) problem: &'static str,
}

impl EncodeError {
    /// Creates an error that displays as this message, for an [`IntoPayload`](crate::IntoPayload) of your
    /// own.
    #[must_use]
    pub fn new(message: impl Into<Box<str>>) -> Self {
        Self { message: message.into() }
    }
}

impl DecodeError {
    /// Creates an error that displays as this message, for a [`FromPayload`](crate::FromPayload) of your
    /// own.
    #[must_use]
    pub fn new(message: impl Into<Box<str>>) -> Self {
        Self { message: message.into() }
    }
}

impl ConfigError {
    /// Returns the name of the setting.
    #[must_use]
    pub fn setting(&self) -> &str {
        self.setting
    }
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPath { path, problem } => write!(f, "bad namespace path {path:?}: {problem}"),
            Self::EngineClosed => f.write_str("the engine is closed"),
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad pattern of paths {:?}", self.text)?;
        if let Some(at) = self.at {
            write!(f, ", at byte {at}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the event name is empty"),
            Self::TooLong { bytes, limit } => {
                write!(f, "the event name has {bytes} bytes, more than the limit of {limit}")
            }
            Self::Reserved(name) => write!(f, "the event name {name:?} is reserved"),
        }
    }
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the socket is closed: {reason}"),
            Self::Room(error) => error.fmt(f),
            Self::TooManyRooms { limit } => write!(f, "the socket cannot be in more than {limit} rooms"),
            Self::Refused { room, refusal } => write!(f, "the room {room} refused the socket: {refusal}"),
        }
    }
}

impl fmt::Display for PresenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the socket is closed: {reason}"),
            Self::Connecting => f.write_str("the socket is not connected yet"),
            Self::Foreign => f.write_str("the socket is of another namespace"),
            Self::NotInRoom => f.write_str("the socket is not in the room"),
            Self::NotPresent => f.write_str("the socket is not present"),
            Self::EmptyKey => f.write_str("the key is empty"),
            Self::KeyTooLong { bytes, limit } => {
                write!(f, "the key has {bytes} bytes, more than the limit of {limit}")
            }
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "it is full",
            Self::Locked => "it is locked",
            Self::Denied(words) => words,
        })
    }
}

impl From<String> for Refusal {
    fn from(words: String) -> Self {
        Self::Denied(words.into())
    }
}

impl From<&str> for Refusal {
    fn from(words: &str) -> Self {
        Self::Denied(words.into())
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Room(error) => error.fmt(f),
            Self::Stale(error) => error.fmt(f),
            Self::Closed(reason) => write!(f, "the socket is closed: {reason}"),
            Self::Connecting => f.write_str("the socket is not connected yet"),
            Self::NamespaceClosed => f.write_str("the namespace is removed"),
            Self::Encode(error) => error.fmt(f),
            Self::TooManyAcks { limit } => write!(f, "{limit} messages wait for answers, and no more can"),
            Self::KeyTooLong { bytes, limit } => {
                write!(f, "the key has {bytes} bytes, more than the limit of {limit}")
            }
        }
    }
}

impl fmt::Display for ForgottenTick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tick at {:?} is not remembered any more", self.0)
    }
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not what this side has given out")
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for StaleSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no socket {} in this namespace", self.0)
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inbox is closed: {}", self.reason)
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("nothing arrived in time"),
            Self::Closed(reason) => write!(f, "the inbox is closed: {reason}"),
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Busy => f.write_str("too many events wait for a handler that is running"),
            Self::Closed(reason) => write!(f, "the connection is closed: {reason}"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Full { limit } => {
                write!(f, "{limit} events wait for the socket to be connected, and no more can")
            }
            Self::TooLong { bytes, limit } => {
                write!(f, "the payload has {bytes} bytes, more than the limit of {limit}")
            }
            Self::TooManyAcks { limit } => write!(f, "{limit} events wait for answers, and no more can"),
            Self::Receive(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyConnected => f.write_str("the client has a socket in that namespace already"),
            Self::NotConnected => f.write_str("the client has no socket in that namespace"),
            Self::PathTooLong => f.write_str("the path of the namespace has more than 256 bytes"),
            Self::PayloadTooLong { bytes, limit } => {
                write!(f, "the payload has {bytes} bytes, more than the limit of {limit}")
            }
            Self::Event(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("not answered in time"),
            Self::Disconnected(reason) => write!(f, "not answered before the end: {reason}"),
        }
    }
}

impl fmt::Display for OutOfGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place is not on the grid")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.setting, self.problem)
    }
}

impl Error for NamespaceError {}
impl Error for PatternError {}
impl Error for EventError {}
impl Error for MembershipError {}
impl Error for Refusal {}
impl Error for EmitError {}
impl Error for EncodeError {}
impl Error for DecodeError {}
impl Error for StaleSocket {}
impl Error for ForgottenTick {}
impl Error for InvalidToken {}
impl Error for Closed {}
impl Error for RecvTimeoutError {}

impl Error for ReceiveError {}
impl Error for SendError {}
impl Error for ProtocolError {}

impl Error for AckError {}

impl Error for OutOfGrid {}

impl Error for PresenceError {}

impl Error for ConfigError {}

impl From<BadPath> for NamespaceError {
    fn from(BadPath { path, problem }: BadPath) -> Self {
        Self::BadPath { path, problem }
    }
}

impl From<RoomNameError> for MembershipError {
    fn from(error: RoomNameError) -> Self {
        Self::Room(error)
    }
}

impl From<ProtocolError> for ReceiveError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<EventError> for SendError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<ReceiveError> for SendError {
    fn from(error: ReceiveError) -> Self {
        Self::Receive(error)
    }
}

impl From<EncodeError> for PresenceError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<EventError> for EmitError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl From<RoomNameError> for EmitError {
    fn from(error: RoomNameError) -> Self {
        Self::Room(error)
    }
}

impl From<StaleSocket> for EmitError {
    fn from(error: StaleSocket) -> Self {
        Self::Stale(error)
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<Closed> for RecvTimeoutError {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed.reason)
    }
}
