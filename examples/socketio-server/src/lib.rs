//! A Socket.IO server on `roomcast`: Engine.IO 4 and Socket.IO 5, over HTTP long-polling and WebSocket.
//!
//! [`engineio`] carries messages; [`socketio`] makes them the packets of a `roomcast` connection; [`server`] listens.

pub mod chat;
pub mod conformance;
pub mod echo;
pub mod engineio;
pub mod options;
mod page;
pub mod server;
pub mod socketio;

pub use options::Options;
pub use server::{Server, start};
