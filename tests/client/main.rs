//! The client in the same process, against the server that it is for.

mod rig;

mod connecting;
mod ending;
mod handlers;
mod threads;
mod waiting;
