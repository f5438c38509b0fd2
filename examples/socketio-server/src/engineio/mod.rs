//! Engine.IO, protocol 4: sessions over HTTP long-polling and WebSocket, and the upgrade from one to the other.
//!
//! It carries messages, text and binary, for a [`Service`] above it, and knows nothing of what they mean.

// Files import only downwards: packet; payload, reason; service; session; polling, websocket; upgrade; request;
// server.
mod packet;
mod payload;
mod polling;
mod reason;
mod request;
mod server;
mod service;
mod session;
mod upgrade;
mod websocket;

pub use packet::{Message, Packet};
pub use reason::CloseReason;
pub use server::{Config, EngineIo, Reply};
pub use service::{Batch, Flow, Inbound, Opening, Outbound, Refused, Service};
