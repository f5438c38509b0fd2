#![doc = include_str!("guide.md")]

// Files import only downwards. From the ground up: foreign, merge, reason, roll, slab, sync, token; then
// error, payload, encode, decode, convert, order, segment; event, entry, log, mailbox, name, ledger; config; topic, with all that happens under
// a room's lock; delivery, index, joined; reader, state; and the handles: room, target, broadcast, socket,
// inbox, namespace, engine.
mod broadcast;
#[allow(dead_code)]
mod clock;
mod config;
mod convert;
#[cfg(feature = "serde")]
mod decode;
mod delivery;
#[cfg(feature = "serde")]
mod encode;
mod engine;
mod entry;
mod error;
mod event;
mod foreign;
mod inbox;
mod index;
mod joined;
mod ledger;
mod log;
mod mailbox;
mod merge;
#[cfg(all(test, roomcast_loom))]
mod models;
mod name;
mod namespace;
mod order;
#[allow(dead_code)] // wired with dynamic namespaces
mod pattern;
mod payload;
mod reader;
mod reason;
mod roll;
mod room;
mod segment;
#[allow(dead_code)]
mod serial;
mod slab;
mod socket;
mod state;
mod sync;
mod target;
mod token;
mod topic;

pub use crate::ack::answers::Answers;
pub use crate::ack::{Ack, Acks};
pub use crate::broadcast::{Broadcast, Emitted};
pub use crate::config::{Backlog, Overflow};
pub use crate::convert::{FromPayload, IntoPayload, Shared};
pub use crate::delivery::{Delivery, Gap, GapReason, Message, Via};
pub use crate::engine::{Engine, EngineBuilder};
pub use crate::error::{
    AckError, Closed, ConfigError, DecodeError, EmitError, EncodeError, EventError, MembershipError,
    NamespaceError, PatternError, RecvTimeoutError, RoomNameError, StaleSocket,
};
pub use crate::event::{EventHandle, IntoEvent};
pub use crate::inbox::{Inbox, Iter};
pub use crate::name::RoomName;
pub use crate::namespace::Namespace;
pub use crate::pattern::Params;
pub use crate::payload::Payload;
pub use crate::reason::DisconnectReason;
pub use crate::room::Room;
pub use crate::slab::SocketId;
pub use crate::socket::Socket;
pub use crate::target::{IntoRooms, IntoTargets, Target};
pub use crate::token::{Event, Typed, Untyped};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
