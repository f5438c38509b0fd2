//! Why a session ended.

use std::borrow::Cow;
use std::fmt;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said so.
    Client,
    /// The connection to the client was lost.
    Transport,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The client sent more at a time than is allowed.
    TooLarge,
    /// The client did what no client does.
    Protocol(Cow<'static, str>),
    /// The service has ended it, in these words.
    Service(Box<str>),
    /// The server ends.
    Shutdown,
}

impl CloseReason {
    pub(super) fn protocol(words: &'static str) -> Self {
        Self::Protocol(words.into())
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "closed by the client",
            Self::Transport => "transport lost",
            Self::PingTimeout => "ping timeout",
            Self::TooLarge => "payload too large",
            Self::Protocol(words) => words,
            Self::Service(words) => words,
            Self::Shutdown => "the server ends",
        })
    }
}
