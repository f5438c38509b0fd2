//! Why a socket was disconnected.

use std::fmt;

/// Why a socket was disconnected.
///
/// [`Socket::disconnect`](crate::Socket::disconnect) takes any of them; `&str` converts to
/// [`Other`](Self::Other).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The other side asked for it.
    Client,
    /// This side did.
    Server,
    /// The transport under it closed or failed.
    Transport,
    /// Its backlog was over the limit, and the [policy](crate::Overflow) is to disconnect.
    Backlog,
    /// Its peer was silent for too long.
    Timeout,
    /// Its inbox was dropped.
    InboxDropped,
    /// Its namespace was removed.
    NamespaceRemoved,
    /// The engine was closed.
    Shutdown,
    /// Something else, in the words of whoever disconnected it.
    Other(Box<str>),
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "disconnected by the client",
            Self::Server => "disconnected by the server",
            Self::Transport => "transport closed",
            Self::Backlog => "backlog over the limit",
            Self::Timeout => "timed out",
            Self::InboxDropped => "inbox dropped",
            Self::NamespaceRemoved => "namespace removed",
            Self::Shutdown => "engine closed",
            Self::Other(words) => words,
        })
    }
}

impl From<&str> for DisconnectReason {
    fn from(words: &str) -> Self {
        Self::Other(words.into())
    }
}

impl From<String> for DisconnectReason {
    fn from(words: String) -> Self {
        Self::Other(words.into())
    }
}
