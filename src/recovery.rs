//! What is kept of a client whose connection is lost, and how it says who it was.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{check_bytes, check_messages};
use crate::error::{ConfigError, InvalidToken};

/// For how long, and how much, sessions are kept after a connection was lost: Socket.IO's *connection state recovery*.
/// Off unless it is [set](crate::EngineBuilder::recovery).
///
/// A client whose connection ends [unplanned](crate::DisconnectReason::is_unplanned) has its sockets kept: they stay
/// connected, in their rooms, with their data, and miss nothing. It comes back with a
/// [`ClientPacket::Resume`](crate::ClientPacket::Resume) in each namespace, and then gets all that it has not seen, in
/// order: what was sent and got lost on the way as well as what was emitted meanwhile. If it doesn't come back in time,
/// its sockets are disconnected with the reason for which the connection was lost. The chapter
/// [*Recovery*](crate::guide::recovery) tells it from the start.
///
/// ```
/// use roomcast::{Engine, Recovery};
/// use std::time::Duration;
///
/// let recovery = Recovery::new(Duration::from_secs(120)).sessions(10_000)?.messages(256)?.bytes(1 << 18)?;
/// let engine = Engine::builder().recovery(recovery).build();
/// # Ok::<(), roomcast::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Recovery {
    pub(crate) time: Duration,
    pub(crate) sessions: usize,
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) runs_middlewares: bool,
    pub(crate) keys: Option<Keys>,
}

/// Where the keys of sessions come from.
pub(crate) type Keys = Arc<dyn Fn() -> SessionKey + Send + Sync>;

impl Recovery {
    /// Keeps sessions for so long, by the engine's [clock](crate::Engine::tick).
    ///
    /// At most 65,536 at a time; of each the last 1,024 messages and 1 MiB of payload, whichever is less, are sent again
    /// if need be.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        Self { time, sessions: 1 << 16, messages: 1024, bytes: 1 << 20, runs_middlewares: false, keys: None }
    }

    /// Sets how many sessions without a connection are kept. Default 65,536. With one more, the one that has waited the
    /// longest is given up.
    ///
    /// # Errors
    ///
    /// For 0.
    pub fn sessions(mut self, sessions: usize) -> Result<Self, ConfigError> {
        self.sessions = sessions;
        if sessions == 0 {
            return Err(ConfigError { setting: "sessions", problem: "must be at least 1" });
        }
        Ok(self)
    }

    /// Sets how many messages a client can have missed and still resume: those that were sent to it and that it has not
    /// seen, and those that were not sent. Default 1,024.
    ///
    /// A socket keeps as many of the last that it was sent, also while it is connected: 56 bytes each, and the payloads,
    /// which it shares with whoever else has them.
    ///
    /// # Errors
    ///
    /// For 0, and above 2³².
    pub fn messages(mut self, messages: usize) -> Result<Self, ConfigError> {
        self.messages = messages;
        check_messages(messages).map(|()| self)
    }

    /// Sets how many payload bytes these messages may have. Default 1 MiB.
    ///
    /// # Errors
    ///
    /// For 0, and above 2⁴⁸.
    pub fn bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.bytes = bytes;
        check_bytes(bytes).map(|()| self)
    }

    /// Has [middlewares](crate::Namespace::middleware) asked again when a client resumes. By default they are not: it
    /// was let in.
    ///
    /// They find the socket as it is, with its rooms and data, and with what the client says of itself now. One that does
    /// not let it resume ends its session with [`DisconnectReason::Rejected`](crate::DisconnectReason::Rejected).
    #[must_use]
    pub fn run_middlewares(mut self) -> Self {
        self.runs_middlewares = true;
        self
    }

    /// Takes the keys of sessions from `keys`, which is to return another one each time that nobody can guess: whoever
    /// has a session's key can take it over. Called under no lock. A socket whose key is in use already gets none.
    ///
    /// By default they are made from the standard library's hash keys: SipHash of a counter, under a key from the
    /// operating system.
    #[must_use]
    pub fn keys(mut self, keys: impl Fn() -> SessionKey + Send + Sync + 'static) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovery")
            .field("time", &self.time)
            .field("sessions", &self.sessions)
            .field("messages", &self.messages)
            .field("bytes", &self.bytes)
            .field("runs_middlewares", &self.runs_middlewares)
            .finish_non_exhaustive()
    }
}

/// By what a client shows that a session is its own: a secret, between it and this side.
///
/// Displays as 32 hexadecimal digits, and is parsed from them; `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(u128);

impl SessionKey {
    /// Returns the key of these bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Returns the key as a number.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl FromStr for SessionKey {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if text.len() != 32 {
            return Err(InvalidToken);
        }
        hexadecimal(text, |text| u128::from_str_radix(text, 16)).map(Self)
    }
}

/// The place of a message among all that a client was sent in one session. The last one that it has seen tells where to
/// go on.
///
/// No two messages of an engine have the same, so one that is left over from an earlier session is not mistaken for one
/// of this. Displays as two hexadecimal numbers with a point between them, and is parsed from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offset {
    /// The number of the session.
    pub(crate) session: u64,
    /// How many messages it was, this one included. Not 0, so that an offset that may be none is no larger.
    pub(crate) count: NonZeroU64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.session, self.count)
    }
}

impl FromStr for Offset {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (session, count) = text.split_once('.').ok_or(InvalidToken)?;
        let number = |text| hexadecimal(text, |text| u64::from_str_radix(text, 16));
        let count = NonZeroU64::new(number(count)?).ok_or(InvalidToken)?;
        Ok(Self { session: number(session)?, count })
    }
}

fn hexadecimal<N>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<N, std::num::ParseIntError>,
) -> Result<N, InvalidToken> {
    // Not all that `from_str_radix` takes: no sign.
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(InvalidToken);
    }
    parse(text).map_err(|_| InvalidToken)
}

/// How a socket came to its connection: what became of the session that its client wanted to resume, if it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resumption {
    /// The client did not ask for one.
    #[default]
    New,
    /// It is the same socket as before, with all that it had. The client gets all that it has not seen.
    Recovered,
    /// There is no such session, any more perhaps. The socket is a new one.
    TooLate,
    /// There was one, but not all that the client has not seen was there. The session has ended, and the socket is a new
    /// one.
    TooOld {
        /// How many messages it has missed.
        missed: u64,
        /// Whether that is exact, as [`Gap::exact`](crate::Gap::exact) says. If not it is an upper bound.
        exact: bool,
    },
}

impl Resumption {
    /// Returns whether it is the same socket as before.
    #[must_use]
    pub const fn is_recovered(self) -> bool {
        matches!(self, Self::Recovered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_read_as_it_was_told_and_nothing_else_is() {
        let key = SessionKey::from_bits(0xfedc << 100 | 7);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_string().len(), 32);
        assert!(!format!("{key:?}").contains('7'));
        let offset = Offset { session: 0xab, count: NonZeroU64::MAX };
        assert_eq!(size_of::<Option<Offset>>(), 16);
        assert_eq!(offset.to_string(), "ab.ffffffffffffffff");
        assert_eq!(offset.to_string().parse(), Ok(offset));
        for bad in
            ["", "7", &"0".repeat(31), &"0".repeat(33), &format!("+{}", "0".repeat(31)), &"ü".repeat(16)]
        {
            assert_eq!(bad.parse::<SessionKey>(), Err(InvalidToken), "{bad}");
        }
        for bad in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "1.0",
            "+1.2",
            "1.-2",
            "1.10000000000000000",
            "g.1",
            " 1.2",
            "1.ü",
        ] {
            assert_eq!(bad.parse::<Offset>(), Err(InvalidToken), "{bad}");
        }
    }

    #[test]
    fn edges_are_checked() {
        let recovery = || Recovery::new(Duration::from_secs(1));
        assert!(
            recovery().sessions(1).is_ok() && recovery().messages(1).is_ok() && recovery().bytes(1).is_ok()
        );
        assert!(
            recovery().sessions(0).is_err()
                && recovery().messages(0).is_err()
                && recovery().bytes(0).is_err()
        );
        assert!(recovery().messages((1 << 32) + 1).is_err() && recovery().bytes((1 << 48) + 1).is_err());
    }
}
