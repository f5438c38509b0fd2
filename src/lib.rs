#![doc = include_str!("guide.md")]
#![cfg_attr(roomcast_rtsan, feature(sanitize))]

// Files import only downwards. From the ground up:
//
// - ground: clock, defect, encodings, flushers, foreign, gate, listeners, merge, reason, roll, serial, slab, sync, token
// - what travels: name, journal, counters, order, error, data, payload, encode, decode, convert, segment, event, terms,
//   entry, pattern, rejection, packet, stats, trace
// - the engine: log, mailbox, ledger, roster, config, history, ticks; tape; topic, with all that happens under a room's lock;
//   delivery, codec, index, joined; ack, reader, state
// - its handles: room, target, recipients, broadcast, socket, inbox, namespace, acked, selection
// - the server model: handshake, transport, ready, decision, incoming, handlers, registry, session, hub; directory, engine;
//   parent; attempt, outgoing, connection, outbox
// - beside it: interest, presence
// - looking at all that: snapshot, observe, recording
// - doing it again: record, replay
// - on the other side: client
mod ack;
mod acked;
mod attempt;
mod broadcast;
mod client;
mod clock;
mod codec;
mod config;
mod connection;
mod convert;
mod counters;
mod data;
mod decision;
#[cfg(feature = "serde")]
mod decode;
mod defect;
mod delivery;
mod directory;
#[cfg(feature = "serde")]
mod encode;
mod encodings;
mod engine;
mod entry;
mod error;
mod event;
mod flushers;
mod foreign;
mod gate;
mod growth;
pub mod guide;
mod handlers;
mod handshake;
mod history;
mod hub;
mod inbox;
mod incoming;
mod index;
mod interest;
mod joined;
mod journal;
mod lease;
mod ledger;
mod listeners;
mod log;
mod mailbox;
mod members;
mod merge;
#[cfg(all(test, roomcast_loom))]
mod models;
mod name;
mod namespace;
mod observe;
mod order;
mod outbox;
mod outgoing;
mod packet;
mod parent;
mod pattern;
mod payload;
mod presence;
mod reader;
mod ready;
mod reason;
mod recipients;
#[cfg(feature = "record")]
mod record;
#[cfg(feature = "metrics")]
mod recording;
mod recovery;
mod registry;
mod rejection;
#[cfg(feature = "record")]
mod replay;
mod roll;
mod room;
mod roster;
mod segment;
mod selection;
mod sent;
mod serial;
mod session;
mod slab;
mod snapshot;
mod socket;
mod state;
mod stats;
mod stream;
mod sync;
mod tape;
mod target;
mod terms;
mod ticks;
mod token;
mod topic;
mod trace;
mod transport;

/// The crate of the receiver in [`ReadyQueue`]: a `select!` takes one of the same version.
pub use crossbeam_channel;

pub use crate::ack::answers::Answers;
pub use crate::ack::{Ack, Acks};
pub use crate::broadcast::{Broadcast, Emitted};
pub use crate::client::{Client, ClientSocket};
pub use crate::codec::Codec;
pub use crate::config::{Backlog, Overflow};
pub use crate::connection::Connection;
pub use crate::convert::{FromPayload, IntoPayload, Shared};
pub use crate::decision::Decision;
pub use crate::delivery::{Delivery, Gap, GapReason, Message, Via};
pub use crate::engine::{Engine, EngineBuilder};
pub use crate::error::{
    AckError, Closed, ConfigError, DecodeError, EmitError, EncodeError, EventError, ForgottenTick,
    InvalidToken, MembershipError, NamespaceError, OutOfGrid, PatternError, PresenceError, ProtocolError,
    ReceiveError, RecvTimeoutError, Refusal, SendError, StaleSocket,
};
pub use crate::event::{EventHandle, IntoEvent};
pub use crate::handlers::Outcome;
pub use crate::handshake::Handshake;
pub use crate::history::{History, Joined, Past};
pub use crate::inbox::{Inbox, Iter};
pub use crate::incoming::{AckSender, Incoming};
pub use crate::interest::{Cell, Grid, Interest, Moved, Plan};
pub use crate::journal::RoomEvent;
pub use crate::listeners::ListenerId;
pub use crate::name::{RoomName, RoomNameError};
pub use crate::namespace::Namespace;
pub use crate::outbox::Outbox;
pub use crate::packet::{ClientPacket, ServerPacket};
pub use crate::parent::Parent;
pub use crate::pattern::Params;
pub use crate::payload::Payload;
pub use crate::presence::Presence;
pub use crate::ready::{ReadyQueue, ReadyTransport};
pub use crate::reason::DisconnectReason;
#[cfg(feature = "record")]
pub use crate::record::{RecordError, Recorder, Recording};
pub use crate::recovery::{Offset, Recovery, Resumption, SessionKey};
pub use crate::rejection::{Failure, Rejection};
#[cfg(feature = "record")]
pub use crate::replay::{Addressee, Emission, Input, Replay, ReplayError, Unrecorded};
pub use crate::room::Room;
pub use crate::roster::{
    PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, PresenceCount, PresenceDiff, PresenceEntry, PresenceState,
};
pub use crate::selection::Selected;
pub use crate::slab::SocketId;
pub use crate::snapshot::{NamespaceSnapshot, Snapshot};
pub use crate::socket::Socket;
pub use crate::stats::{Disconnects, EngineStats, InboxStats, NamespaceStats, RoomStats, SocketStats};
pub use crate::target::{IntoRooms, IntoTargets, Target};
pub use crate::token::{Event, Typed, Untyped};
pub use crate::transport::Transport;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
