//! A simulation on roomcast, and its view in a terminal: agents that act on what they hear from the cells around them.
//! See the README beside it.

// Files import only downwards: grid, world, options, sim, record, view, main.
pub mod grid;
pub mod options;
pub mod record;
pub mod sim;
pub mod view;
pub mod world;
