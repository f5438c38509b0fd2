//! Clients of Engine.IO, as connections of an engine.

use std::sync::Arc;

use roomcast::{Engine, Handshake};

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::wake::Wake;
use crate::engineio::{Opening, Service};

/// Connects each client to an engine.
///
/// Its [`Handshake`] has the client's `address`, the query of its request, and the request's headers, in this order.
#[derive(Debug)]
pub struct SocketIo {
    engine: Engine,
    max_payload: usize,
}

impl SocketIo {
    /// Creates a service for packets of up to so many bytes, attachments included.
    #[must_use]
    pub fn new(engine: Engine, max_payload: usize) -> Self {
        Self { engine, max_payload }
    }
}

impl Service for SocketIo {
    type Inbound = Inbound;
    type Outbound = Outbound;

    fn open(&self, opening: &Opening) -> (Inbound, Outbound) {
        let wake = Arc::new(Wake::new(handshake(opening)));
        let (connection, outbox) = self.engine.connect(Arc::clone(&wake));
        (Inbound::new(connection, Arc::clone(&wake), self.max_payload), Outbound::new(outbox, wake))
    }
}

fn handshake(opening: &Opening) -> Handshake {
    let mut handshake = Handshake::new().with("address", opening.address.ip().to_string());
    for (name, value) in &opening.headers {
        if let Ok(value) = value.to_str() {
            handshake = handshake.with(name.as_str(), value);
        }
    }
    for (name, value) in &opening.query {
        handshake = handshake.with(name.as_str(), value.as_str());
    }
    handshake
}
