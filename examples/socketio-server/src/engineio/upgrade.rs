//! The upgrade: a WebSocket that takes a session over from polling.

use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::packet::{PROBE, Packet, Received};
use super::reason::CloseReason;
use super::service::Service;
use super::session::{Carrier, Session};
use super::websocket::{self, WebSocket};

/// How long the client has, from opening the WebSocket to switching to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has a WebSocket take over a session, if the client goes through with it. If not, polling goes on.
pub(super) async fn take_over<S: Service>(session: &Session<S>, mut socket: WebSocket) {
    if !session.begin_upgrade() {
        return websocket::close(socket, &CloseReason::protocol("the session has a WebSocket")).await;
    }
    match timeout(PATIENCE, probe(session, &mut socket)).await {
        Ok(Ok(())) => {
            session.set_carrier(Carrier::WebSocket);
            websocket::carry(session, socket).await;
        }
        failed => {
            session.set_carrier(Carrier::Polling);
            let reason = failed.map_or(CloseReason::protocol("the upgrade took too long"), |probed| {
                probed.err().unwrap_or(CloseReason::Transport)
            });
            websocket::close(socket, &reason).await;
        }
    }
}

/// Waits until the client has seen that the WebSocket works, and switches to it.
async fn probe<S: Service>(session: &Session<S>, socket: &mut WebSocket) -> Result<(), CloseReason> {
    let mut is_probed = false;
    loop {
        let message = tokio::select! {
            message = websocket::next(socket) => message?,
            reason = session.closed() => return Err(reason),
        };
        let Frame::Text(text) = message else {
            return Err(CloseReason::protocol("a message during the upgrade"));
        };
        match Received::parse(&text) {
            Ok(Received::Ping(PROBE)) => {
                websocket::send(socket, Packet::probe_answer()).await?;
                is_probed = true;
                session.set_carrier(Carrier::Upgrading { is_probed });
            }
            Ok(Received::Upgrade) if is_probed => return Ok(()),
            _ => return Err(CloseReason::protocol("neither a probe nor an upgrade")),
        }
    }
}
