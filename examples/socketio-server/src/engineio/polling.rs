//! HTTP long-polling: gets that wait for something to send, and posts that bring something.

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use super::packet::Packet;
use super::payload;
use super::reason::CloseReason;
use super::service::{Batch, Service};
use super::session::{Carrier, Session, Turn};

/// How many bytes answer one poll, about.
const BATCH_BYTES: usize = 64 << 10;

/// How many packets one payload may bring. Each costs more than its bytes.
const MAX_PACKETS: usize = 64 << 10;

/// Answers a poll: waits for something to send. Returns a payload, or nothing if the client does what it must not.
pub(super) async fn poll<S: Service>(session: &Session<S>) -> Option<String> {
    let Ok(mut outbound) = session.outbound.try_lock() else {
        // A WebSocket that has taken over since the session was found is no second poll.
        if session.carrier() != Carrier::WebSocket {
            session.close(CloseReason::protocol("two polls at a time"));
        }
        return None;
    };
    let lost = session.close_on_drop();
    let mut batch = Batch::new(BATCH_BYTES);
    match session.turn(Carrier::Polling, &mut outbound, &mut batch).await {
        Turn::Send => {}
        Turn::Last(reason) => {
            // The client knows that it has left.
            batch.push(if reason == CloseReason::Client { Packet::noop() } else { Packet::close() });
            session.close(reason);
        }
        Turn::Yield => batch.push(Packet::noop()),
        Turn::Closed(_) => batch.push(Packet::close()),
        Turn::Replaced => {
            lost.disarm();
            return None;
        }
    }
    lost.disarm();
    Some(payload::encode(&batch.take()))
}

/// Takes in what a post brings.
///
/// # Errors
///
/// With a status, if the session is closed by it.
pub(super) async fn post<S: Service>(
    session: &Session<S>,
    body: Incoming,
    max_payload: usize,
) -> Result<(), StatusCode> {
    let Ok(mut inbound) = session.inbound.try_lock() else {
        session.close(CloseReason::protocol("two posts at a time"));
        return Err(StatusCode::BAD_REQUEST);
    };
    let lost = session.close_on_drop();
    let received = async {
        let body = tokio::select! {
            body = read(body, max_payload) => body?,
            reason = session.closed() => return Err(reason),
        };
        let payload =
            std::str::from_utf8(&body).map_err(|_| CloseReason::protocol("a payload that is no text"))?;
        for (count, packet) in payload::decode(payload).enumerate() {
            if count == MAX_PACKETS {
                return Err(CloseReason::protocol("too many packets in a payload"));
            }
            let packet = packet.map_err(|error| CloseReason::Protocol(error.to_string().into()))?;
            session.take(packet, &mut inbound).await?;
        }
        Ok(())
    };
    let answer = match received.await {
        Ok(()) => Ok(()),
        Err(CloseReason::Client) => {
            session.leave().await;
            Ok(())
        }
        Err(reason) => {
            let is_too_large = reason == CloseReason::TooLarge;
            session.close(reason);
            Err(if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST })
        }
    };
    lost.disarm();
    answer
}

async fn read(mut body: Incoming, max_payload: usize) -> Result<Vec<u8>, CloseReason> {
    // What is announced to be too much is not waited for.
    if body.size_hint().lower() > max_payload as u64 {
        return Err(CloseReason::TooLarge);
    }
    // Copied together: kept as it comes, a chunk of one byte would cost fifty.
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| CloseReason::Transport)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max_payload {
            return Err(CloseReason::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
