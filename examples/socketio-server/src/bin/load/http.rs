//! HTTP/1.1 over one connection that is kept, as much of it as polling takes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::transport::TransportError;

const BUFFER: usize = 4096;
/// Servers close connections that are idle for longer, 5 seconds in the case of Node: a new one is opened before.
const MAX_IDLE: Duration = Duration::from_secs(4);
/// More than any server sends in one answer to a poll.
const MAX_BODY: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    last_used: Instant,
}

impl Http {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, TransportError> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(BUFFER, tcp), address, last_used: Instant::now() })
    }

    /// Gets a target.
    pub(crate) async fn get(&mut self, target: &str) -> Result<String, TransportError> {
        self.exchange(format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)).await
    }

    /// Posts a payload to a target.
    pub(crate) async fn post(&mut self, target: &str, payload: &str) -> Result<String, TransportError> {
        let (address, length) = (self.address, payload.len());
        self.exchange(format!(
            "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {length}\r\n\r\n{payload}"
        ))
        .await
    }

    async fn exchange(&mut self, request: String) -> Result<String, TransportError> {
        if self.last_used.elapsed() > MAX_IDLE {
            *self = Self::open(self.address).await?;
        }
        self.stream.write_all(request.as_bytes()).await?;
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(TransportError::Unexpected("an answer that is not HTTP"))?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length =
                    value.trim().parse().map_err(|_| TransportError::Unexpected("a length that is none"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let chunk = usize::from_str_radix(&self.line().await?, 16);
                let chunk = chunk.map_err(|_| TransportError::Unexpected("a chunk without length"))?;
                self.read(&mut body, chunk).await?;
                self.line().await?;
                if chunk == 0 {
                    break;
                }
            }
        } else {
            self.read(&mut body, length).await?;
        }
        self.last_used = Instant::now();
        if status != 200 {
            return Err(TransportError::Status(status));
        }
        String::from_utf8(body).map_err(|_| TransportError::Unexpected("an answer that is not UTF-8"))
    }

    async fn line(&mut self) -> Result<String, TransportError> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(TransportError::Closed(None));
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    async fn read(&mut self, body: &mut Vec<u8>, length: usize) -> Result<(), TransportError> {
        if body.len() + length > MAX_BODY {
            return Err(TransportError::Unexpected("an answer without end"));
        }
        let start = body.len();
        body.resize(start + length, 0);
        self.stream.read_exact(&mut body[start..]).await?;
        Ok(())
    }
}
