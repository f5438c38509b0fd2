//! The seam between the engine and a transport: packets go in by one call and come out by one drain, the transport is
//! told when there is something and when to close, and hurts nobody, whatever it does.

#[path = "../common/mod.rs"]
mod common;

mod rig;
mod rude;

mod draining;
mod encoding;
mod found;
mod late;
mod misbehaving;
mod parts;
mod ready;
mod slow;
mod telling;
mod waiting;
mod wild;
