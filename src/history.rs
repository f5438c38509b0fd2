//! What a room keeps for those who come later, and how much of it one of them asks for.

use std::time::Duration;

use crate::config::{check_bytes, check_messages};
use crate::error::ConfigError;

/// How many of its last messages a room keeps, for [sockets that join it later](crate::Socket::join_with) and for
/// whoever [asks](crate::Room::past). Off unless it is [set](crate::Room::set_history).
///
/// The newest message is kept whatever its size. [Volatile](crate::Broadcast::volatile) messages, and those that are
/// to be [answered](crate::Broadcast::emit_with_ack), are never kept. A message that went to several rooms is in the
/// history of each of them.
///
/// ```
/// use std::time::Duration;
/// use roomcast::History;
///
/// let history = History::new().messages(50)?.bytes(1 << 20)?.age(Duration::from_secs(600));
/// assert_eq!(history.message_limit(), 50);
/// assert!(History::new().messages(0).is_err());
/// # Ok::<(), roomcast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    messages: usize,
    bytes: usize,
    age: Option<Duration>,
}

/// How much of a room's [history](History) is wanted.
///
/// ```
/// use roomcast::{Engine, History, Past};
///
/// let chat = Engine::new().of("/chat")?;
/// let lobby = chat.room("lobby")?;
/// lobby.set_history(History::new());
/// for text in ["one", "two", "three"] {
///     lobby.emit("said", text)?;
/// }
/// let (late, mut inbox) = chat.connect();
/// let joined = late.join_with(&lobby, Past::last(2))?;
/// lobby.emit("said", "four")?;
/// let mut heard = Vec::new();
/// inbox.drain(|delivery| {
///     let is_past = delivery.sequence() < joined.sequence();
///     heard.push((delivery.payload().as_str().unwrap().to_owned(), is_past));
/// });
/// assert_eq!(heard, [("two".to_owned(), true), ("three".to_owned(), true), ("four".to_owned(), false)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub(crate) extent: Extent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    All,
    Last(usize),
    Since(u64),
    Latest,
}

/// What came of asking for the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many messages are kept that were asked for.
    pub(crate) messages: usize,
    /// Whether that is all that was asked for.
    pub(crate) is_complete: bool,
}

/// What came of [joining with the past](crate::Socket::join_with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub(crate) is_new: bool,
    pub(crate) sequence: u64,
    pub(crate) found: Found,
}

impl History {
    /// The default: 100 messages, 1 MiB, of any age.
    #[must_use]
    pub const fn new() -> Self {
        Self { messages: 100, bytes: 1 << 20, age: None }
    }

    /// Sets how many messages are kept at most. Default 100.
    ///
    /// Costs 72 bytes a message, beside the payloads, and those of a few more: up to a sixteenth, or 16.
    ///
    /// # Errors
    ///
    /// For 0, and above 2³².
    pub const fn messages(mut self, messages: usize) -> Result<Self, ConfigError> {
        self.messages = messages;
        match check_messages(messages) {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Sets how many payload bytes are kept at most. Default 1 MiB.
    ///
    /// # Errors
    ///
    /// For 0, and above 2⁴⁸.
    pub const fn bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.bytes = bytes;
        match check_bytes(bytes) {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Sets how old a message can be, in the engine's own [time](crate::Engine::tick). Default any age.
    ///
    /// Nobody is shown an older one; its memory comes back when the next message comes in or somebody asks.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Returns how many messages are kept at most.
    #[must_use]
    pub const fn message_limit(&self) -> usize {
        self.messages
    }

    /// Returns how many payload bytes are kept at most.
    #[must_use]
    pub const fn byte_limit(&self) -> usize {
        self.bytes
    }

    /// Returns how old a message can be, if that is limited.
    #[must_use]
    pub const fn age_limit(&self) -> Option<Duration> {
        self.age
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl Past {
    /// All that the room keeps.
    #[must_use]
    pub const fn all() -> Self {
        Self { extent: Extent::All }
    }

    /// The last messages, this many at most.
    #[must_use]
    pub const fn last(messages: usize) -> Self {
        Self { extent: Extent::Last(messages) }
    }

    /// All messages after the one of this [sequence](crate::Delivery::sequence): for a client that tells the last
    /// one that it has seen.
    #[must_use]
    pub const fn since(sequence: u64) -> Self {
        Self { extent: Extent::Since(sequence) }
    }

    /// Of all that the room keeps, the newest message of each [key](crate::Broadcast::latest), and no others: the state
    /// of what is going on.
    #[must_use]
    pub const fn latest() -> Self {
        Self { extent: Extent::Latest }
    }
}

impl Joined {
    /// Returns whether it was not a member before. If it was, nothing of the past comes.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns the place of the join in the namespace's order: [what comes](crate::Delivery::sequence) from this room
    /// with a lower one is of the past.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns how many messages of the past come at most: some may leave the socket out, may have expired or be
    /// replaced, or have no key where those with one were asked for.
    #[must_use]
    pub fn past(&self) -> usize {
        self.found.messages
    }

    /// Returns whether the room has kept all that was asked for: since the history was set, where all or the last few
    /// were; since the sequence, where one was given.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.found.is_complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_checked() {
        for bad in [
            History::new().messages(0),
            History::new().messages((1 << 32) + 1),
            History::new().bytes(0),
            History::new().bytes((1 << 48) + 1),
        ] {
            assert!(bad.is_err());
        }
        let history = History::new().messages(1 << 32).and_then(|history| history.bytes(1 << 48)).unwrap();
        assert_eq!((history.message_limit(), history.byte_limit()), (1 << 32, 1 << 48));
        assert_eq!(history.age_limit(), None);
    }
}
