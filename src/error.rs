//! Every public error: small types, one per kind of operation.

use std::error::Error;
use std::fmt;

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

/// Why a room name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomNameError {
    /// It is empty text.
    Empty,
    /// It is longer than [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes) allows.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is a [`Room`](crate::Room) of another namespace.
    Foreign,
}

/// Why a socket's rooms were not changed. None of them were.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipError {
    /// The socket is closed, for this reason.
    Closed(DisconnectReason),
    /// One of the rooms cannot be one.
    Room(RoomNameError),
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
    /// The namespace is removed.
    NamespaceClosed,
    /// The value could not be made a payload.
    Encode(EncodeError),
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

/// Why there is no answer of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// It had not answered when the time was over, or the waiting was [given up](crate::Acks::cancel).
    TimedOut,
    /// It was disconnected before it answered, for this reason.
    Disconnected(DisconnectReason),
}

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
            Self::TooLong { bytes, limit } => too_long(f, "event", *bytes, *limit),
            Self::Reserved(name) => write!(f, "the event name {name:?} is reserved"),
        }
    }
}

impl fmt::Display for RoomNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the room name is empty"),
            Self::TooLong { bytes, limit } => too_long(f, "room", *bytes, *limit),
            Self::Foreign => f.write_str("the room handle is of another namespace"),
        }
    }
}

fn too_long(f: &mut fmt::Formatter<'_>, what: &str, bytes: usize, limit: usize) -> fmt::Result {
    write!(f, "the {what} name has {bytes} bytes, more than the limit of {limit}")
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the socket is closed: {reason}"),
            Self::Room(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Room(error) => error.fmt(f),
            Self::Stale(error) => error.fmt(f),
            Self::Closed(reason) => write!(f, "the socket is closed: {reason}"),
            Self::NamespaceClosed => f.write_str("the namespace is removed"),
            Self::Encode(error) => error.fmt(f),
        }
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

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("not answered in time"),
            Self::Disconnected(reason) => write!(f, "not answered before the end: {reason}"),
        }
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
impl Error for RoomNameError {}
impl Error for MembershipError {}
impl Error for EmitError {}
impl Error for EncodeError {}
impl Error for DecodeError {}
impl Error for StaleSocket {}
impl Error for Closed {}
impl Error for RecvTimeoutError {}
impl Error for AckError {}
impl Error for ConfigError {}

impl From<RoomNameError> for MembershipError {
    fn from(error: RoomNameError) -> Self {
        Self::Room(error)
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
