//! A server in memory, a client at its other end, and what the server hears.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socketio_server::engineio::{
    Batch, CloseReason, Config, EngineIo, Flow, Inbound, Message, Opening, Outbound, Refused, Service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a session has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    End(CloseReason),
}

/// Writes down what the only session hears, and has nothing to say.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Heard>>>);

struct Silence;

/// The client's end.
pub(crate) struct Client {
    stream: DuplexStream,
    /// Of a session over polling, once it is open.
    sid: String,
}

/// Runs a client of a server that takes up to `max_payload` bytes at a time, and returns what the server has heard. Time
/// passes only when everybody waits for it.
pub(crate) fn record(max_payload: usize, client: impl AsyncFnOnce(&mut Client)) -> Vec<Heard> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("the system has what it takes").block_on(async {
        let recorder = Recorder::default();
        let (ping_interval, ping_timeout) = (Duration::from_secs(25), Duration::from_secs(20));
        let config = Config { ping_interval, ping_timeout, max_payload };
        let server = EngineIo::new(config, recorder.clone(), TaskTracker::new());
        let (stream, other) = duplex(1 << 20);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(server.answer(request, ADDRESS).await) }
            });
            // Fails if the client did not speak HTTP.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(other), answer).with_upgrades().await;
        });
        client(&mut Client { stream, sid: String::new() }).await;
        // Until nobody has anything to do.
        tokio::time::sleep(Duration::from_millis(200)).await;
        recorder.heard().clone()
    })
}

impl Client {
    /// Opens a session over polling.
    pub(crate) async fn open(&mut self) {
        self.send(&[b"GET /?EIO=4&transport=polling HTTP/1.1\r\nhost: test\r\n\r\n"]).await;
        let (_, greeting) = self.response().await.expect("a new session");
        self.sid = greeting.split('"').nth(3).expect("a greeting with an id").to_owned();
    }

    /// Posts a body whose length is known, in these pieces.
    pub(crate) async fn post(&mut self, pieces: &[&[u8]]) {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.begin_post(&format!("content-length: {length}")).await;
        self.send(pieces).await;
        self.response().await;
    }

    /// Posts a body of chunks, in these pieces.
    pub(crate) async fn post_chunked(&mut self, pieces: &[&[u8]]) {
        self.begin_post("transfer-encoding: chunked").await;
        for piece in pieces {
            self.send(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"]).await;
        }
        self.send(&[b"0\r\n\r\n"]).await;
        self.response().await;
    }

    /// Opens a session over WebSocket.
    pub(crate) async fn open_websocket(&mut self) {
        let request = "GET /?EIO=4&transport=websocket HTTP/1.1\r\nhost: test\r\n\
            connection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.send(&[request.as_bytes()]).await;
        assert_eq!(self.response().await.map(|(status, _)| status), Some(101));
    }

    /// Writes bytes piece by piece: the server gets a chance to read each by itself.
    pub(crate) async fn send(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            if self.stream.write_all(piece).await.is_err() {
                return; // the server has closed it
            }
            yield_now().await;
        }
    }

    /// Sends nothing more, and waits until the server does not either.
    pub(crate) async fn finish(&mut self) {
        // Either fails if the server was faster.
        let _ = self.stream.shutdown().await;
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }

    async fn begin_post(&mut self, header: &str) {
        let sid = &self.sid;
        let head =
            format!("POST /?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nhost: test\r\n{header}\r\n\r\n");
        self.send(&[head.as_bytes()]).await;
    }

    /// Status and body of an answer, unless the server has closed the connection.
    async fn response(&mut self) -> Option<(u16, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).expect("heads are ASCII");
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((status, String::from_utf8(body).expect("bodies are text")))
    }
}

impl Recorder {
    fn heard(&self) -> std::sync::MutexGuard<'_, Vec<Heard>> {
        self.0.lock().expect("nobody panics")
    }
}

impl Service for Recorder {
    type Inbound = Self;
    type Outbound = Silence;

    fn open(&self, _: &Opening) -> (Self, Silence) {
        (self.clone(), Silence)
    }
}

impl Inbound for Recorder {
    async fn receive(&mut self, message: Message<'_>) -> Result<(), Refused> {
        self.heard().push(match message {
            Message::Text(text) => Heard::Text(text.to_owned()),
            Message::Binary(bytes) => Heard::Binary(bytes.to_vec()),
        });
        Ok(())
    }

    fn close(&mut self, reason: &CloseReason) {
        self.heard().push(Heard::End(reason.clone()));
    }
}

impl Outbound for Silence {
    fn pull(&mut self, _: &mut Batch) -> Flow {
        Flow::Open
    }

    async fn ready(&mut self) {
        std::future::pending::<()>().await;
    }
}
