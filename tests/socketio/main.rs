//! Socket.IO's server model: its edge cases, what its implementations get wrong, and what is beyond both.
//!
//! A client is a [`rig::Peer`]: a connection and its outbox, moved by the test. Nothing here waits for time;
//! there are threads only where the point is about threads.
//!
//! # The edge cases that the peers' own tests check
//!
//! Each has a test with its number, `edge_02_..`, in the `edge_` modules. Where we chose otherwise than a peer, a
//! comment says so. Left out are
//!
//! - 18: a header and its attachments stay adjacent. A matter of the wire; a payload here is one value.
//! - 37 in part: polls in flight. A matter of the transport.
//! - 39: what is replayed after a reconnect. There is no recovery yet.
//! - 40: nodes of a cluster. There is one.
//!
//! # What was seen to go wrong in the references
//!
//! The `ref_` modules have a table each, by rows of the comparison of both: what a reference does, and the
//! test that shows that we do not. The rest of the modules is about what neither has, and about both together.

#[path = "../common/mod.rs"]
mod common;

mod rig;

mod edge_acks;
mod edge_events;
mod edge_life;
mod edge_namespaces;
mod edge_targets;
mod edge_volatile;

mod ref_acks;
mod ref_events;
mod ref_life;
mod ref_namespaces;

mod closing;
mod cutting;
mod deferred;
mod draining;
mod dynamic;
mod endings;
mod giving_up;
mod handlers;
mod membership;
mod memory;
mod nosy;
mod panics;
mod protocol;
mod reports;
mod selection;
mod storms;
mod undecided;
