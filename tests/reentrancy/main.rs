//! Code of the user's, wherever the engine calls it: whatever it calls there, and if it panics, nothing hangs and
//! nobody else is hurt.
//!
//! Two tables make the cells: the [places](places) where such code is called, and the [actions](actions) that it takes
//! there. A third, of the [checks](panics), says what holds after a panic.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

mod actions;
mod places;
mod trap;
mod world;

mod cells;
mod depth;
mod panics;
mod wakeups;
