//! A session over WebSocket.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::transport::{TransportError, session_id};

/// Thousands of clients with the library's usual buffers would be more than the server that they are to measure.
const BUFFER: usize = 4096;

#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: WebSocketStream<TcpStream>,
}

impl WebSocket {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, TransportError> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let (stream, _) = tokio_tungstenite::client_async_with_config(url, tcp, Some(config)).await?;
        let mut this = Self { stream };
        session_id(&this.next().await?)?;
        Ok(this)
    }

    pub(crate) async fn next(&mut self) -> Result<Utf8Bytes, TransportError> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(why))) => {
                    return Err(TransportError::Closed(why.map(|why| why.to_string())));
                }
                None => return Err(TransportError::Closed(None)),
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                    return Err(TransportError::Unexpected("a binary packet, which this chat has none of"));
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    pub(crate) async fn send(&mut self, packet: String) -> Result<(), TransportError> {
        Ok(self.stream.send(Message::text(packet)).await?)
    }
}
