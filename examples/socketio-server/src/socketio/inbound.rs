//! From a client to its connection.

use std::sync::Arc;
use std::time::Duration;

use roomcast::{Connection, DisconnectReason, ReceiveError};
use tokio::time::timeout;

use super::decoder::Decoder;
use super::wake::Wake;
use crate::engineio::{self, CloseReason, Message, Refused};

/// How many messages a client may send ahead of reading, before it is waited for. Less than a room keeps for it, so that
/// nothing is lost to one that reads at all. One that goes on sending and does not read finds a gap, answers included.
const LEAD: usize = 1024;

/// How long a client is waited for that does not read, before it may send as many more.
const PATIENCE: Duration = Duration::from_millis(200);

/// The half of a client that takes in what it sends. Handlers run in it.
#[derive(Debug)]
pub struct Inbound {
    connection: Connection,
    decoder: Decoder,
    wake: Arc<Wake>,
    /// How many messages came since it was last waited for.
    ahead: usize,
}

impl Inbound {
    pub(super) fn new(connection: Connection, wake: Arc<Wake>, max_payload: usize) -> Self {
        Self { connection, decoder: Decoder::new(max_payload), wake, ahead: 0 }
    }
}

impl engineio::Inbound for Inbound {
    async fn receive(&mut self, message: Message<'_>) -> Result<(), Refused> {
        self.ahead += 1;
        if self.ahead == LEAD {
            self.ahead = 0;
            let _ = timeout(PATIENCE, self.wake.all_taken()).await;
        }
        self.decoder.take(message, |packet| match self.connection.receive(packet) {
            // Closed by this side: the client does not know yet.
            Ok(()) | Err(ReceiveError::Closed(_)) => Ok(()),
            Err(error) => Err(Refused(error.to_string().into())),
        })
    }

    fn close(&mut self, reason: &CloseReason) {
        self.connection.close(match reason {
            CloseReason::Client | CloseReason::Transport => DisconnectReason::Transport,
            CloseReason::PingTimeout => DisconnectReason::Timeout,
            CloseReason::TooLarge | CloseReason::Protocol(_) => DisconnectReason::Protocol,
            CloseReason::Service(_) => DisconnectReason::Server,
            CloseReason::Shutdown => DisconnectReason::Shutdown,
        });
    }
}
