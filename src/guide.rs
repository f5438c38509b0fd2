//! The rest of the guide: the [server model](server), [transports](transport), [histories](history) and messages that
//! replace others or expire, [interest] in what is near, [presence], [clients that come back](recovery), [what is
//! counted](observability), with the feature `record` what is recorded and replayed, what is [promised](guarantees) and what
//! is not, and a [dictionary](socketio) for those who know Socket.IO.
//!
//! The [front page](crate) is the first chapter: whom a message is for, payloads, ways to read, falling behind.

// For the links.
#[cfg(doc)]
use crate::*;

#[doc = include_str!("guide/server.md")]
pub mod server {}

#[doc = include_str!("guide/transport.md")]
pub mod transport {}

#[doc = include_str!("guide/history.md")]
pub mod history {}

#[doc = include_str!("guide/interest.md")]
pub mod interest {}

#[doc = include_str!("guide/presence.md")]
pub mod presence {}

#[doc = include_str!("guide/recovery.md")]
pub mod recovery {}

#[doc = include_str!("guide/observability.md")]
pub mod observability {}

#[cfg(feature = "record")]
#[doc = include_str!("guide/record.md")]
pub mod record {}

#[doc = include_str!("guide/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("guide/socketio.md")]
pub mod socketio {}
