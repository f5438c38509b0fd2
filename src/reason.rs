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
    /// Its backlog was over the limit, and the [policy](crate::Overflow) is to disconnect. Or its client
    /// connected and left [too often](crate::EngineBuilder::inbound_queue) while its transport drained nothing.
    Backlog,
    /// Its client connected to [nothing in time](crate::EngineBuilder::connect_timeout), or a transport says that
    /// it was silent for too long.
    Timeout,
    /// The other side did what no client does.
    Protocol,
    /// A middleware did not let it in. Hooks never see this: it was not connected.
    Rejected,
    /// Its inbox was dropped.
    InboxDropped,
    /// Its namespace had [as many sockets](crate::EngineBuilder::max_sockets) as it may have. Hooks never see this:
    /// it was not connected.
    NamespaceFull,
    /// Its namespace was removed.
    NamespaceRemoved,
    /// The engine was closed.
    Shutdown,
    /// Something else, in the words of whoever disconnected it.
    Other(Box<str>),
}

impl DisconnectReason {
    /// Returns whether nobody has wanted it: the transport failed, or the client was silent. Then the session may be
    /// [kept](crate::Recovery), to be resumed.
    #[must_use]
    pub fn is_unplanned(&self) -> bool {
        matches!(self, Self::Transport | Self::Timeout)
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "disconnected by the client",
            Self::Server => "disconnected by the server",
            Self::Transport => "transport closed",
            Self::Backlog => "backlog over the limit",
            Self::Timeout => "timed out",
            Self::Protocol => "protocol error",
            Self::Rejected => "rejected by a middleware",
            Self::InboxDropped => "inbox dropped",
            Self::NamespaceFull => "namespace full",
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
