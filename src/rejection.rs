//! What middlewares and handlers answer when they do not do what was asked.

use std::error::Error;
use std::fmt;

use crate::error::{
    DecodeError, EmitError, EncodeError, EventError, MembershipError, NamespaceError, Refusal,
};
use crate::incoming::AckSender;
use crate::name::RoomNameError;
use crate::payload::Payload;

/// A refusal in words, perhaps with data, as a middleware gives it. The client sees both as its connect
/// error.
///
/// `&str` and `String` convert to it.
///
/// ```
/// use roomcast::Rejection;
///
/// let rejection = Rejection::new("not authorized").with_data("retry later");
/// assert_eq!(rejection.message(), "not authorized");
/// assert_eq!(rejection.data().as_str(), Some("retry later"));
/// ```
#[derive(Clone, Debug)]
pub struct Rejection {
    message: Box<str>,
    data: Payload,
}

impl Rejection {
    /// Creates one without data.
    #[must_use]
    pub fn new(message: impl Into<Box<str>>) -> Self {
        Self { message: message.into(), data: Payload::default() }
    }

    /// Sets the data.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Payload>) -> Self {
        self.data = data.into();
        self
    }

    /// Returns the words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the data: empty, if none was set.
    #[must_use]
    pub fn data(&self) -> &Payload {
        &self.data
    }
}

impl From<&str> for Rejection {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Rejection {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// So that `?` works in middlewares.
macro_rules! from_errors {
    ($($error:ty)*) => {$(
        impl From<$error> for Rejection {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        }
    )*};
}

from_errors! {
    MembershipError Refusal EmitError EncodeError DecodeError EventError NamespaceError RoomNameError
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Rejection {}

/// What went wrong with an event, or in a handler, hook or middleware, as
/// [error hooks](crate::Namespace::on_error) are told. It ended there: nobody else was hurt.
///
/// ```
/// use roomcast::{Client, Engine, Failure};
///
/// let engine = Engine::new();
/// let chat = engine.of("/chat")?;
/// chat.on_error(|socket, failure| match failure {
///     Failure::Panicked { .. } => eprintln!("{failure}"), // a bug of ours
///     Failure::Refused { .. } | Failure::Undecodable { .. } => drop(socket.disconnect("bad client")),
///     _ => {}
/// });
/// chat.on("ping", |_socket, ()| {})?; // carries nothing
///
/// let client = Client::new(&engine);
/// client.socket("/chat", ())?.emit("ping", "something")?;
/// while client.poll() > 0 {}
/// assert_eq!(chat.socket_count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A packet middleware refused an event: no handler saw it.
    Refused {
        /// The event.
        event: Box<str>,
        /// What the middleware said.
        rejection: Rejection,
        /// What answers the event, if it wants an answer.
        ack: AckSender,
    },
    /// An event's payload was not what a handler takes: that handler was not called.
    Undecodable {
        /// The event.
        event: Box<str>,
        /// What is wrong with the payload.
        error: DecodeError,
        /// What answers the event, if it wants an answer.
        ack: AckSender,
    },
    /// A handler returned an error.
    Failed {
        /// The event.
        event: Box<str>,
        /// The error, in words.
        message: Box<str>,
        /// What answers the event, if it wants an answer and the handler has not given one.
        ack: AckSender,
    },
    /// A handler, hook or middleware panicked.
    Panicked {
        /// What it was: `handler`, `on_connect` and the like.
        place: &'static str,
        /// The event that it was called for, if it was for one.
        event: Option<Box<str>>,
        /// The panic's message.
        message: Box<str>,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { event, rejection, .. } => {
                write!(f, "the event {event:?} was refused: {rejection}")
            }
            Self::Undecodable { event, error, .. } => {
                write!(f, "the event {event:?} could not be read: {error}")
            }
            Self::Failed { event, message, .. } => write!(f, "the handler of {event:?} failed: {message}"),
            Self::Panicked { place, event: Some(event), message } => {
                write!(f, "panic in {place} of {event:?}: {message}")
            }
            Self::Panicked { place, event: None, message } => write!(f, "panic in {place}: {message}"),
        }
    }
}

impl Error for Failure {}
