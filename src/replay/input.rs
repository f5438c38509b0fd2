//! An input, as people and programs look at it.

use std::fmt;
use std::time::Duration;

use super::stage::{Stage, id};
use super::values::payload;
use crate::config::Backlog;
use crate::history::{History, Past};
use crate::name::RoomName;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::tape::wire::{Named, Published, Wire};
use crate::topic::Kind;

/// Something that went into an engine while it was recorded. Comes from [`Replay::step`](crate::Replay::step).
///
/// It is what a call came to, whoever made it: a `join` of three rooms is three inputs, and one of none is no input; so
/// is a message to nobody. `Display` is a line for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// A namespace came to exist.
    NamespaceMade {
        /// Its path.
        namespace: String,
    },
    /// A namespace was removed. Its sockets are disconnected by inputs of their own.
    NamespaceRemoved {
        /// Its path.
        namespace: String,
    },
    /// A room got its place: its first member or handle is to follow.
    RoomMade {
        /// The path of the namespace.
        namespace: String,
        /// Which room.
        room: Addressee,
        /// What it keeps for members that do not read.
        backlog: Backlog,
    },
    /// A room lost its last member and handle, or the last of who watched it.
    RoomGone {
        /// The path of the namespace.
        namespace: String,
        /// Which room.
        room: Addressee,
    },
    /// A socket began to connect.
    Connecting {
        /// The path of the namespace.
        namespace: String,
        /// Its id.
        socket: SocketId,
    },
    /// A socket was let in.
    Connected {
        /// Its id.
        socket: SocketId,
        /// The place in the namespace's order.
        sequence: u64,
    },
    /// A socket joined a room, or began to watch one.
    Joined {
        /// Its id.
        socket: SocketId,
        /// Which room.
        room: Addressee,
        /// The place in the namespace's order.
        sequence: u64,
        /// With what of the past, if any was asked for.
        past: Option<Past>,
    },
    /// A socket left a room, or ceased to watch one.
    Left {
        /// Its id.
        socket: SocketId,
        /// Which room.
        room: Addressee,
    },
    /// A socket was disconnected, and left all its rooms with that.
    Disconnected {
        /// Its id.
        socket: SocketId,
        /// The place in the namespace's order.
        sequence: u64,
        /// Why.
        reason: DisconnectReason,
    },
    /// The inbox of a socket was dropped.
    InboxDropped {
        /// The socket's id.
        socket: SocketId,
    },
    /// A message was emitted, and somebody was there to get it.
    Emitted(Emission),
    /// A room was told what it keeps for members that do not read.
    BacklogSet {
        /// The path of the namespace.
        namespace: String,
        /// Which room, or everyone.
        room: Addressee,
        /// What it keeps.
        backlog: Backlog,
    },
    /// A room was told what it keeps for those who come later.
    HistorySet {
        /// The path of the namespace.
        namespace: String,
        /// Which room.
        room: Addressee,
        /// What it keeps, if anything.
        history: Option<History>,
    },
    /// It was said what time it is.
    Ticked {
        /// What was said.
        now: Duration,
    },
    /// An inbox was read.
    Read {
        /// The socket's id.
        socket: SocketId,
        /// How much was handed out before something else happened.
        handed: u64,
        /// Whether that was all there was.
        is_over: bool,
    },
    /// An inbox was left to be woken.
    Slept {
        /// The socket's id.
        socket: SocketId,
    },
}

/// A message of a recording.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Emission {
    /// The path of the namespace.
    pub namespace: String,
    /// Whom it is for, in the order in which they were named.
    pub to: Vec<Addressee>,
    /// The members of which it is not for.
    pub except: Vec<Addressee>,
    /// The event's name.
    pub event: String,
    /// What it carries.
    pub payload: Payload,
    /// Who has emitted it, if a socket has.
    pub sender: Option<SocketId>,
    /// Its place in the namespace's order.
    pub sequence: u64,
    /// The key, if it replaces the message before it of the same.
    pub latest: Option<RoomName>,
}

/// Somebody whom messages are for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addressee {
    /// All sockets of the namespace.
    Everyone,
    /// The members of a room.
    Room(RoomName),
    /// Those who watch who is present in a room.
    Watchers(RoomName),
    /// A socket.
    Socket(SocketId),
}

impl Emission {
    /// Returns whether it is for the members of a room.
    #[must_use]
    pub fn is_to(&self, room: impl Into<RoomName>) -> bool {
        self.to.contains(&Addressee::Room(room.into()))
    }
}

impl Input {
    /// What this input is, as far as the stage knows who is meant; or `None` if it is none of its own.
    pub(super) fn new(wire: &Wire<'_>, stage: &Stage) -> Option<Self> {
        let path = |namespace: u64| stage.path(namespace).map(str::to_owned);
        let at = |topic: u64| stage.spot(topic).map(|spot| spot.namespace.path.to_string());
        let room = |topic: u64| addressee(stage, topic);
        let socket = |socket| id(socket).ok();
        Some(match wire {
            Wire::Event { .. } | Wire::Direct { .. } => return None,
            Wire::Namespace { path, .. } => Self::NamespaceMade { namespace: (*path).to_owned() },
            Wire::NamespaceGone { topic } => Self::NamespaceRemoved { namespace: path(*topic)? },
            Wire::Room { namespace, name, backlog, is_aside, .. } => {
                let name = name.get()?;
                let room = if *is_aside { Addressee::Watchers(name) } else { Addressee::Room(name) };
                Self::RoomMade { namespace: path(*namespace)?, room, backlog: backlog.get()? }
            }
            Wire::RoomGone { topic } => Self::RoomGone { namespace: at(*topic)?, room: room(*topic)? },
            Wire::Connecting { namespace, socket: it } => {
                Self::Connecting { namespace: path(*namespace)?, socket: socket(*it)? }
            }
            Wire::Opened { socket: it, since } => Self::Connected { socket: socket(*it)?, sequence: *since },
            Wire::Joined { socket: it, topic, since, past } => Self::Joined {
                socket: socket(*it)?,
                room: room(*topic)?,
                sequence: *since,
                past: past.map(Into::into),
            },
            Wire::Left { socket: it, topic } => Self::Left { socket: socket(*it)?, room: room(*topic)? },
            Wire::Disconnected { socket: it, at, reason } => {
                Self::Disconnected { socket: socket(*it)?, sequence: *at, reason: reason.into() }
            }
            Wire::InboxDropped { socket: it } => Self::InboxDropped { socket: socket(*it)? },
            Wire::Published(published) => Self::Emitted(emission(published, stage)?),
            Wire::SetBacklog { topic, backlog } => {
                Self::BacklogSet { namespace: at(*topic)?, room: room(*topic)?, backlog: backlog.get()? }
            }
            Wire::SetHistory { topic, history } => Self::HistorySet {
                namespace: at(*topic)?,
                room: room(*topic)?,
                history: history.and_then(|history| history.get()),
            },
            Wire::Tick { now } => Self::Ticked { now: *now },
            Wire::Read(read) => {
                Self::Read { socket: socket(read.socket)?, handed: read.handed, is_over: read.is_over }
            }
            Wire::Slept { socket: it } => Self::Slept { socket: socket(*it)? },
        })
    }
}

fn addressee(stage: &Stage, topic: u64) -> Option<Addressee> {
    let spot = stage.spot(topic)?;
    Some(match spot.topic.kind() {
        Kind::Everyone => Addressee::Everyone,
        Kind::Named(name) => Addressee::Room(name.clone()),
        Kind::Aside(name) => Addressee::Watchers(name.clone()),
        Kind::Direct => Addressee::Socket(spot.owner?),
    })
}

fn emission(published: &Published<'_>, stage: &Stage) -> Option<Emission> {
    let who = |rooms: &[u64]| rooms.iter().filter_map(|room| addressee(stage, *room)).collect::<Vec<_>>();
    let more = published.more.as_deref();
    let mut except = more.map_or_else(Vec::new, |more| who(&more.except_rooms));
    let sockets = more.iter().flat_map(|more| &more.except_sockets).copied();
    let left_out = published.sender.filter(|_| published.leaves_out_sender);
    except.extend(sockets.chain(left_out).filter_map(|socket| id(socket).ok()).map(Addressee::Socket));
    let event = match published.event {
        Named::Listed(number) => stage.event(number)?,
        Named::Unlisted(name) => name,
    };
    Some(Emission {
        namespace: stage.path(published.namespace)?.to_owned(),
        to: who(&published.rooms),
        except,
        event: event.to_owned(),
        payload: payload(&published.payload, stage.decode.as_ref()).ok()?,
        sender: published.sender.and_then(|sender| id(sender).ok()),
        sequence: published.sequence,
        latest: more.and_then(|more| more.key.as_ref()).and_then(|key| key.get()),
    })
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Room(name) => write!(f, "{name:?}"),
            Self::Watchers(name) => write!(f, "who watches {name:?}"),
            Self::Socket(socket) => write!(f, "{socket}"),
        }
    }
}

impl fmt::Display for Emission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, to, except, event, payload, sender, sequence, latest } = self;
        write!(f, "no. {sequence} of {namespace}")?;
        if let Some(sender) = sender {
            write!(f, ", from {sender}")?;
        }
        for (words, list) in [(", to ", to), (", but not to ", except)] {
            for (place, addressee) in list.iter().enumerate() {
                write!(f, "{}{addressee}", if place == 0 { words } else { " and " })?;
            }
        }
        if let Some(key) = latest {
            write!(f, ", in place of {key:?}")?;
        }
        write!(f, ": {event} {payload:?}")
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamespaceMade { namespace } => write!(f, "{namespace} is made"),
            Self::NamespaceRemoved { namespace } => write!(f, "{namespace} is removed"),
            Self::RoomMade { namespace, room, .. } => write!(f, "{room} of {namespace} is made"),
            Self::RoomGone { namespace, room } => write!(f, "{room} of {namespace} is gone"),
            Self::Connecting { namespace, socket } => write!(f, "{socket} connects to {namespace}"),
            Self::Connected { socket, sequence } => write!(f, "{socket} is let in, as no. {sequence}"),
            Self::Joined { socket, room, sequence, past } => {
                write!(f, "{socket} joins {room}, as no. {sequence}")?;
                if past.is_some() { f.write_str(", with its past") } else { Ok(()) }
            }
            Self::Left { socket, room } => write!(f, "{socket} leaves {room}"),
            Self::Disconnected { socket, sequence, reason } => {
                write!(f, "{socket} is disconnected, as no. {sequence}: {reason}")
            }
            Self::InboxDropped { socket } => write!(f, "{socket} has no inbox any more"),
            Self::Emitted(emission) => emission.fmt(f),
            Self::BacklogSet { namespace, room, backlog } => {
                let (messages, bytes) = (backlog.message_limit(), backlog.byte_limit());
                write!(f, "{room} of {namespace} keeps {messages} unread messages, {bytes} bytes")
            }
            Self::HistorySet { namespace, room, history: Some(history) } => {
                let (messages, bytes) = (history.message_limit(), history.byte_limit());
                write!(f, "{room} of {namespace} has a history of {messages} messages, {bytes} bytes")
            }
            Self::HistorySet { namespace, room, history: None } => {
                write!(f, "{room} of {namespace} has no history")
            }
            Self::Ticked { now } => write!(f, "it is {now:?}"),
            Self::Read { socket, handed, is_over } => {
                let rest = if *is_over { "all that there is" } else { "so far" };
                write!(f, "{socket} reads {handed}, {rest}")
            }
            Self::Slept { socket } => write!(f, "{socket} waits to be woken"),
        }
    }
}
