//! WebSocket: a session is read and written at the same time, a packet in each message.

use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, Stream, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::packet::{Message, Packet, Received};
use super::reason::CloseReason;
use super::service::{Batch, Service};
use super::session::{Carrier, Session, Turn};

pub(super) type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// How many bytes are written at a time, about: what a client that does not read costs.
const BATCH_BYTES: usize = 16 << 10;

/// How many bytes may wait to be written, at least: those of a message, and of answers to pings that the client does
/// not read.
const MAX_UNSENT: usize = 16 << 20;

/// What each connection has for reading.
const READ_BUFFER: usize = 4 << 10;

/// How long the client has to take note that it is over.
const LINGER: Duration = Duration::from_secs(1);

/// Wraps a connection that speaks WebSocket from now on.
pub(super) async fn accept(connection: Upgraded, max_payload: usize) -> WebSocket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(BATCH_BYTES)
        .max_write_buffer_size(MAX_UNSENT.max(max_payload.saturating_mul(2)))
        .max_message_size(Some(max_payload))
        .max_frame_size(Some(max_payload));
    WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, Some(config)).await
}

/// Carries a session until either side closes it.
pub(super) async fn carry<S: Service>(session: &Session<S>, socket: WebSocket) {
    let (mut inbound, mut outbound) = (session.inbound.lock().await, session.outbound.lock().await);
    let (mut sink, mut stream) = socket.split();
    let reason = tokio::select! {
        reason = read(session, &mut stream, &mut inbound) => reason,
        reason = write(session, &mut sink, &mut outbound) => reason,
    };
    drop((inbound, outbound));
    session.close(reason.clone());
    if let Ok(socket) = sink.reunite(stream) {
        close(socket, &reason).await;
    }
}

/// Sends a packet.
pub(super) async fn send(socket: &mut WebSocket, packet: Packet) -> Result<(), CloseReason> {
    socket.send(frame(packet)).await.map_err(|_| CloseReason::Transport)
}

/// Waits for a message.
///
/// # Errors
///
/// If there will be none: the connection is lost, or was closed by the client, or the client is at fault.
pub(super) async fn next(
    stream: &mut (impl Stream<Item = Result<Frame, Error>> + Unpin),
) -> Result<Frame, CloseReason> {
    loop {
        match stream.next().await {
            Some(Ok(message @ (Frame::Text(_) | Frame::Binary(_)))) => return Ok(message),
            Some(Ok(Frame::Close(_))) | None => return Err(CloseReason::Transport),
            Some(Ok(_)) => {} // pings of WebSocket itself, which are answered already
            Some(Err(error)) => return Err(fault(&error)),
        }
    }
}

/// Says good-bye: why it is over, and that nothing more is sent. Waits a little for the client to take note.
pub(super) async fn close(mut socket: WebSocket, reason: &CloseReason) {
    let farewell = CloseFrame { code: close_code(reason), reason: shorten(&reason.to_string()).into() };
    let leave = async {
        // Fails if the client was first. Then reading on answers its farewell.
        let _ = socket.close(Some(farewell)).await;
        while let Some(Ok(_)) = socket.next().await {}
        // What is unread when a connection is closed would make the client lose the farewell.
        let connection = socket.get_mut();
        connection.shutdown().await?;
        tokio::io::copy(connection, &mut tokio::io::sink()).await
    };
    // The client may be gone, or not care.
    let _ = timeout(LINGER, leave).await;
}

async fn read<S: Service>(
    session: &Session<S>,
    stream: &mut SplitStream<WebSocket>,
    inbound: &mut S::Inbound,
) -> CloseReason {
    let mut closed = pin!(session.closed());
    loop {
        let message = tokio::select! {
            reason = &mut closed => return reason,
            message = next(stream) => message,
        };
        let received = match &message {
            Ok(Frame::Text(text)) => Received::parse(text),
            Ok(message) => Ok(Received::Message(Message::Binary(message.clone().into_data()))),
            Err(reason) => return reason.clone(),
        };
        let taken = match received {
            Ok(packet) => session.take(packet, inbound).await,
            Err(error) => Err(CloseReason::Protocol(error.to_string().into())),
        };
        if let Err(reason) = taken {
            return reason;
        }
    }
}

async fn write<S: Service>(
    session: &Session<S>,
    sink: &mut SplitSink<WebSocket, Frame>,
    outbound: &mut S::Outbound,
) -> CloseReason {
    let mut batch = Batch::new(BATCH_BYTES);
    loop {
        let turn = session.turn(Carrier::WebSocket, outbound, &mut batch).await;
        if let Turn::Closed(reason) = turn {
            return reason;
        }
        for packet in batch.take() {
            if sink.feed(frame(packet)).await.is_err() {
                return CloseReason::Transport;
            }
        }
        if sink.flush().await.is_err() {
            return CloseReason::Transport;
        }
        if let Turn::Last(reason) = turn {
            return reason;
        }
    }
}

fn frame(packet: Packet) -> Frame {
    match packet {
        Packet::Text(text) => Frame::Text(text),
        Packet::Binary(bytes) => Frame::Binary(bytes),
    }
}

fn fault(error: &Error) -> CloseReason {
    match error {
        Error::Capacity(_) => CloseReason::TooLarge,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => CloseReason::Transport,
        Error::Protocol(_) | Error::Utf8(_) => CloseReason::Protocol(error.to_string().into()),
        _ => CloseReason::Transport,
    }
}

fn close_code(reason: &CloseReason) -> CloseCode {
    match reason {
        CloseReason::Client | CloseReason::Transport | CloseReason::Service(_) => CloseCode::Normal,
        CloseReason::PingTimeout => CloseCode::Policy,
        CloseReason::TooLarge => CloseCode::Size,
        CloseReason::Protocol(_) => CloseCode::Protocol,
        CloseReason::Shutdown => CloseCode::Away,
    }
}

/// Cuts words to what a close frame has room for.
fn shorten(words: &str) -> &str {
    const MAX_REASON: usize = 123;
    let end = (0..=words.len().min(MAX_REASON)).rev().find(|end| words.is_char_boundary(*end));
    &words[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_between_characters() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"x".repeat(200)), "x".repeat(123));
        assert_eq!(shorten(&"é".repeat(100)), "é".repeat(61));
        assert_eq!(shorten(""), "");
    }
}
