//! A session of Engine.IO, over whichever transport.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::packet::{Malformed, Packet};
use crate::polling::Polling;
use crate::progress::Progress;
use crate::websocket::WebSocket;

/// A session. Its first packet, with its id, is read already.
#[derive(Debug)]
pub(crate) enum Transport {
    WebSocket(WebSocket),
    Polling(Polling),
}

/// Why a session is over.
#[derive(Debug)]
pub(crate) enum TransportError {
    Io(io::Error),
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    /// A status that is not 200.
    Status(u16),
    /// The server has closed it, and may have said why.
    Closed(Option<String>),
    Malformed(Malformed),
    /// What is no HTTP, or not what these protocols answer.
    Unexpected(&'static str),
}

impl Transport {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr, is_polling: bool) -> Result<Self, TransportError> {
        if is_polling {
            Ok(Self::Polling(Polling::open(address).await?))
        } else {
            Ok(Self::WebSocket(WebSocket::open(address).await?))
        }
    }

    /// Waits for the next packet. May be given up while it waits, without loss.
    pub(crate) async fn next(
        &mut self,
        progress: &Progress,
    ) -> Result<impl AsRef<str> + use<>, TransportError> {
        let text = match self {
            Self::WebSocket(socket) => Text::Shared(socket.next().await?),
            Self::Polling(session) => Text::Owned(session.next().await?),
        };
        progress.received_bytes.add(text.as_ref().len() as u64);
        Ok(text)
    }

    /// Sends a packet.
    pub(crate) async fn send(&mut self, packet: String, progress: &Progress) -> Result<(), TransportError> {
        progress.sent_bytes.add(packet.len() as u64);
        match self {
            Self::WebSocket(socket) => socket.send(packet).await,
            Self::Polling(session) => session.send(packet).await,
        }
    }
}

enum Text {
    Shared(tokio_tungstenite::tungstenite::Utf8Bytes),
    Owned(String),
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        match self {
            Self::Shared(text) => text,
            Self::Owned(text) => text,
        }
    }
}

/// Returns the id of a session from its first packet.
pub(crate) fn session_id(packet: &str) -> Result<String, TransportError> {
    match Packet::parse(packet)? {
        Packet::Open(open) => Ok(open.sid),
        _ => Err(TransportError::Unexpected("a session that does not begin with its id")),
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::WebSocket(error) => write!(f, "{error}"),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Closed(None) => write!(f, "closed by the server"),
            Self::Closed(Some(why)) => write!(f, "closed by the server: {why}"),
            Self::Malformed(error) => write!(f, "{error}"),
            Self::Unexpected(what) => write!(f, "{what}"),
        }
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for TransportError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

impl From<Malformed> for TransportError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}
