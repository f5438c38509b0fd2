//! What an input is in a file: the form in which it is written, and read back.
//!
//! Rooms are named by the numbers that the engine has given them, and a namespace by that of all its sockets; each is
//! said what it is before it is used. So are the numbers of events.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::{Backlog, Overflow};
use crate::history::{Extent, History, Past};
use crate::name::RoomName;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;

/// What a file begins with, and the version of all that follows.
pub(crate) const MAGIC: [u8; 16] = *b"roomcast-record\x01";

/// What takes a replay's engine to be like the one that was recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    /// Of the crate that has written it, for people.
    #[serde(borrow)]
    pub(crate) crate_version: Cow<'a, str>,
    pub(crate) backlog: Limits,
    pub(crate) membership_backlog: u64,
    pub(crate) remembered_ticks: u64,
    pub(crate) max_name_bytes: u64,
    /// The number of all sockets of `/`.
    pub(crate) root: u64,
    /// Whether it says when inboxes were read.
    pub(crate) has_reads: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Wire<'a> {
    Namespace {
        path: &'a str,
        topic: u64,
    },
    NamespaceGone {
        topic: u64,
    },
    Room {
        namespace: u64,
        topic: u64,
        #[serde(borrow)]
        name: Name<'a>,
        backlog: Limits,
        /// Whether it is what is told of that room.
        is_aside: bool,
    },
    /// The first message to a socket alone is about to come.
    Direct {
        socket: Id,
        topic: u64,
        since: u64,
        backlog: Limits,
    },
    RoomGone {
        topic: u64,
    },
    Connecting {
        namespace: u64,
        socket: Id,
    },
    Opened {
        socket: Id,
        since: u64,
    },
    Joined {
        socket: Id,
        topic: u64,
        since: u64,
        past: Option<Reach>,
    },
    Left {
        socket: Id,
        topic: u64,
    },
    Disconnected {
        socket: Id,
        at: u64,
        #[serde(borrow)]
        reason: Reason<'a>,
    },
    InboxDropped {
        socket: Id,
    },
    Event {
        number: u32,
        name: &'a str,
    },
    Published(#[serde(borrow)] Published<'a>),
    SetBacklog {
        topic: u64,
        backlog: Limits,
    },
    SetHistory {
        topic: u64,
        history: Option<Keeps>,
    },
    Tick {
        now: Duration,
    },
    Read(Read),
    Slept {
        socket: Id,
    },
}

/// A message, and whom it is for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Published<'a> {
    pub(crate) namespace: u64,
    pub(crate) sequence: u64,
    /// In the order in which they were named.
    #[serde(borrow)]
    pub(crate) rooms: Cow<'a, [u64]>,
    pub(crate) sender: Option<Id>,
    pub(crate) event: Named<'a>,
    pub(crate) payload: Body<'a>,
    /// What few messages have.
    pub(crate) more: Option<Box<More<'a>>>,
    pub(crate) leaves_out_sender: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct More<'a> {
    pub(crate) except_rooms: Vec<u64>,
    pub(crate) except_sockets: Vec<Id>,
    pub(crate) frame: Frame,
    pub(crate) slack: Option<u32>,
    pub(crate) ends: Option<Duration>,
    #[serde(borrow)]
    pub(crate) key: Option<Name<'a>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    #[default]
    Event,
    Question(u64),
    Answer(u64),
}

/// An event by its number, or one that has none.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Named<'a> {
    Listed(u32),
    Unlisted(&'a str),
}

/// How far an inbox was read: what one call has handed out, or as much of it as came before the next input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) socket: Id,
    /// Whether it began with what was there then, but for the last so many places in the order; or went on.
    pub(crate) start: Option<u64>,
    pub(crate) handed: u64,
    /// How far the last that was handed out was from the end of the order.
    pub(crate) behind: u64,
    /// Whether there was no more.
    pub(crate) is_over: bool,
}

/// What a message carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Body<'a> {
    Plain(#[serde(borrow)] Plain<'a>),
    PresenceState { room: Name<'a>, version: u64, entries: Vec<Present<'a>> },
    PresenceDiff { room: Name<'a>, version: u64, lists: [Vec<Present<'a>>; 3] },
    PresenceCount { room: Name<'a>, keys: u64 },
}

/// A payload that has none in it: a file cannot nest them without end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Plain<'a> {
    Bytes(#[serde(borrow)] Bytes<'a>),
    Text(&'a str),
    Json(&'a str),
    /// In memory, and what was made of it.
    Value {
        weight: u64,
        bytes: Option<Bytes<'a>>,
    },
}

/// A socket that is present.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Present<'a> {
    pub(crate) key: &'a str,
    pub(crate) socket: Id,
    pub(crate) number: u64,
    #[serde(borrow)]
    pub(crate) meta: Plain<'a>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Name<'a> {
    Text(&'a str),
    Numbers { len: u8, large: u8, bits: [i64; 3] },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Id {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    messages: u64,
    bytes: u64,
    disconnects: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keeps {
    messages: u64,
    bytes: u64,
    age: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reach {
    All,
    Last(u64),
    Since(u64),
    Latest,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reason<'a> {
    Client,
    Server,
    Transport,
    Backlog,
    Timeout,
    Protocol,
    Rejected,
    InboxDropped,
    NamespaceFull,
    NamespaceRemoved,
    Shutdown,
    Other(&'a str),
}

/// Bytes that are written at once, and not one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrows;
        impl<'de> Visitor<'de> for Borrows {
            type Value = Bytes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_bytes(Borrows)
    }
}

impl<'a> Plain<'a> {
    /// The form of a payload, with what was made of it if it is a value in memory.
    pub(crate) fn new(payload: &'a Payload, bytes: Option<&'a [u8]>) -> Self {
        let plain = payload
            .as_str()
            .map(Self::Text)
            .or_else(|| payload.as_json().map(Self::Json))
            .or_else(|| payload.as_bytes().map(|bytes| Self::Bytes(Bytes(bytes))));
        plain.unwrap_or_else(|| Self::Value { weight: payload.len() as u64, bytes: bytes.map(Bytes) })
    }
}

impl<'a> From<&'a RoomName> for Name<'a> {
    fn from(name: &'a RoomName) -> Self {
        match name.numbers_in() {
            Some((len, large, bits)) => Self::Numbers { len, large, bits },
            None => Self::Text(name.as_str().unwrap_or_default()),
        }
    }
}

impl Name<'_> {
    /// The name, if it is one.
    pub(crate) fn get(&self) -> Option<RoomName> {
        match self {
            Self::Text(text) => (!text.is_empty()).then(|| RoomName::from(*text)),
            Self::Numbers { len, large, bits } => RoomName::of_numbers(*len, *large, *bits),
        }
    }
}

impl From<SocketId> for Id {
    fn from(id: SocketId) -> Self {
        let bits = id.to_bits();
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

impl Id {
    pub(crate) fn get(self) -> Option<SocketId> {
        SocketId::from_bits(u64::from(self.generation) << 32 | u64::from(self.index))
    }
}

impl From<&Backlog> for Limits {
    fn from(backlog: &Backlog) -> Self {
        Self {
            messages: backlog.message_limit() as u64,
            bytes: backlog.byte_limit() as u64,
            disconnects: backlog.policy() == Overflow::Disconnect,
        }
    }
}

impl Limits {
    pub(crate) fn get(self) -> Option<Backlog> {
        let overflow = if self.disconnects { Overflow::Disconnect } else { Overflow::DropOldest };
        let backlog = Backlog::new().messages(self.messages.try_into().ok()?).ok()?;
        Some(backlog.bytes(self.bytes.try_into().ok()?).ok()?.overflow(overflow))
    }
}

impl From<&History> for Keeps {
    fn from(history: &History) -> Self {
        let (messages, bytes) = (history.message_limit() as u64, history.byte_limit() as u64);
        Self { messages, bytes, age: history.age_limit() }
    }
}

impl Keeps {
    pub(crate) fn get(self) -> Option<History> {
        let history = History::new().messages(self.messages.try_into().ok()?).ok()?;
        let history = history.bytes(self.bytes.try_into().ok()?).ok()?;
        Some(self.age.map_or(history, |age| history.age(age)))
    }
}

impl From<Past> for Reach {
    fn from(past: Past) -> Self {
        match past.extent {
            Extent::All => Self::All,
            Extent::Last(messages) => Self::Last(messages as u64),
            Extent::Since(sequence) => Self::Since(sequence),
            Extent::Latest => Self::Latest,
        }
    }
}

impl From<Reach> for Past {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::All => Self::all(),
            Reach::Last(messages) => Self::last(messages.try_into().unwrap_or(usize::MAX)),
            Reach::Since(sequence) => Self::since(sequence),
            Reach::Latest => Self::latest(),
        }
    }
}

/// Those reasons that are no more than a name.
macro_rules! reasons {
    ($($reason:ident)*) => {
        impl<'a> From<&'a DisconnectReason> for Reason<'a> {
            fn from(reason: &'a DisconnectReason) -> Self {
                match reason {
                    $(DisconnectReason::$reason => Self::$reason,)*
                    DisconnectReason::Other(words) => Self::Other(words),
                }
            }
        }

        impl From<&Reason<'_>> for DisconnectReason {
            fn from(reason: &Reason<'_>) -> Self {
                match reason {
                    $(Reason::$reason => Self::$reason,)*
                    Reason::Other(words) => Self::Other((*words).into()),
                }
            }
        }
    };
}

reasons! {
    Client Server Transport Backlog Timeout Protocol Rejected InboxDropped NamespaceFull NamespaceRemoved Shutdown
}

impl From<crate::entry::Frame> for Frame {
    fn from(frame: crate::entry::Frame) -> Self {
        match frame {
            crate::entry::Frame::Event => Self::Event,
            crate::entry::Frame::Question(id) => Self::Question(id),
            crate::entry::Frame::Answer(id) => Self::Answer(id),
        }
    }
}

impl From<Frame> for crate::entry::Frame {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Event => Self::Event,
            Frame::Question(id) => Self::Question(id),
            Frame::Answer(id) => Self::Answer(id),
        }
    }
}
