//! The hooks of a recording: what goes into an engine is taken down here, if it is recorded.
//!
//! # The idea
//!
//! What sockets are delivered follows from a few kinds of things, whoever has them done: namespaces, sockets and rooms
//! come and go, sockets join and leave, messages are put into logs, limits and histories are set, time passes, inboxes
//! are read. Handlers, middlewares, hooks, admission, presence and interest decide *which* of these are done, and
//! need not be known to do them again. So a recording is a list of them, and a replay runs no code of the user's.
//!
//! # Invariant
//!
//! While an engine is recorded, each of them is done under the tape's [`Hold`], and noted before the hold ends: from
//! the first lock that it takes to the last one that it lets go of. So they happen one at a time, and the notes are in
//! the order in which they did. As all that they depend on (members of rooms, limits, logs, the places of cursors, the
//! time) is changed by nothing else, doing them again in that order does the same.
//!
//! Reading is no exception: a drain of an inbox that is recorded goes message by message, each step under the hold, and
//! what it hands out is handed out under none. So a note says how many messages a call has handed out before something
//! else happened, and the replay takes as many steps.
//!
//! A hold is no longer than that: wake-ups, and what lets go of payloads, come after it, as after every other lock. It
//! comes after the engine's table of namespaces in the lock order, and before all else; the notes come last. Whoever
//! holds it may ask for it again, as dropping a payload may do while an inbox is read.
//!
//! Notes are gathered in blocks, and a block is written by whoever comes by under no lock: see
//! [`spill`](Tape::spill).
//!
//! Without the feature `record` none of this is there. With it, an engine that is not recorded looks at one flag.

#[cfg(not(feature = "record"))]
mod off;
#[cfg(feature = "record")]
mod on;
#[cfg(feature = "record")]
pub(crate) mod sink;
#[cfg(feature = "record")]
pub(crate) mod wire;

#[cfg(not(feature = "record"))]
pub(crate) use self::off::{Hold, Tape};
#[cfg(feature = "record")]
pub(crate) use self::on::{EncodeValue, Hold, Plan, Tape};

/// One look of a reader at its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// At what there is now, or of that at what is below this sequence.
    Start(Option<u64>),
    /// At what is left of an earlier one.
    GoOn,
}
