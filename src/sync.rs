//! The primitives that concurrent code here is built on. They have several faces, so that the code which a tool
//! looks at is the code that ships:
//!
//! | `--cfg`               | face                                                                        |
//! |-----------------------|-----------------------------------------------------------------------------|
//! | none                  | the real one: `std`, `parking_lot`, `crossbeam-channel`, as they are         |
//! | `roomcast_loom`       | loom's: every interleaving, and every value that a load may see              |
//! | `roomcast_shuttle`    | shuttle's: random interleavings of many threads and steps                   |
//! | `roomcast_tsan`       | the real one, less what the thread sanitizer cannot see into: `OnceLock`     |
//! | `roomcast_rtsan`      | the real one, with locks that the realtime sanitizer reports                 |
//! | `roomcast_lock_order` | the real one, with locks that panic when they are taken in a circle of orders |
//!
//! Locks never poison: a panic in user code never happens under one of them (see `state.rs`
//! for the lock order and that rule), so there is nothing to guard against.
//!
//! # What is `std`'s in every face
//!
//! - `Arc` where there are `Weak`s or trait objects, neither of which loom's has. Counting is all that it does
//!   for us; what it holds is in a face.
//! - Counters in statics, which number things: they outlive an execution of a model.
//! - Wakers: they are the users'.
//!
//! The channel of a [`ReadyQueue`](crate::ReadyQueue) is crossbeam's in every face, as it is part of the interface.
//! Nothing here waits for it.

#[cfg(not(any(roomcast_loom, roomcast_shuttle)))]
mod real;
#[cfg(not(any(roomcast_loom, roomcast_shuttle)))]
pub(crate) use self::real::*;

#[cfg(roomcast_rtsan)]
mod reported;

#[cfg(any(roomcast_loom, roomcast_shuttle))]
mod model;
#[cfg(any(roomcast_loom, roomcast_shuttle))]
pub(crate) use self::model::*;

#[cfg(not(roomcast_loom))]
mod cell;
#[cfg(not(roomcast_loom))]
pub(crate) use self::cell::UnsafeCell;

#[cfg(any(roomcast_loom, roomcast_shuttle, roomcast_tsan))]
mod once;
#[cfg(any(roomcast_loom, roomcast_shuttle, roomcast_tsan))]
pub(crate) use self::once::OnceLock;

/// Whether a model is run: then tables and segments are small, so that their edges are near.
pub(crate) const IS_MODEL: bool = cfg!(any(roomcast_loom, roomcast_shuttle));
