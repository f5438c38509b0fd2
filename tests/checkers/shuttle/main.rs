//! The whole engine under shuttle's schedulers: scenarios of a few threads over the public interface.
//!
//! ```text
//! RUSTFLAGS="--cfg roomcast_shuttle" cargo test --release --package roomcast-checkers --test shuttle --target-dir target/shuttle
//! ```
//!
//! loom runs a small model in all its interleavings; these run scenes of several threads that are far too large for
//! that in thousands of random ones. Each checks what was promised by what its threads know themselves: what they did,
//! and when it began and ended ([`Span`](witness::Span)). All atomics are sequentially consistent here: weaker
//! orderings are loom's.
//!
//! Seeds are fixed, so the same build does the same each time. `ROOMCAST_SHUTTLE_ITERATIONS` sets how often each scenario
//! runs under each scheduler, and `SHUTTLE_RANDOM_SEED` another seed. In far fewer runs than there are by default not all
//! outcomes show that a scenario asks for.

#![cfg(roomcast_shuttle)]

mod acks;
mod callbacks;
mod clients;
mod connections;
mod life;
mod membership;
mod order;
mod overflow;
mod rig;
mod waking;
mod witness;
