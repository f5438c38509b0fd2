//! Listens, and runs what serves each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use roomcast::{Engine, Recovery};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::echo::Echo;
use crate::engineio::{Config, EngineIo, Reply};
use crate::options::Options;
use crate::socketio::SocketIo;
use crate::{chat, conformance, page};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bytes the head of a request may have.
const MAX_HEAD: usize = 16 << 10;

/// How long clients have to read what they are sent when the server ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// How often clients of the chat are told how many are in its rooms.
const COUNTS_INTERVAL: Duration = Duration::from_millis(500);

/// How long no connection is accepted when the system has no room for one.
const BREATHER: Duration = Duration::from_millis(50);

/// A server that runs, until it is [shut down](Self::shutdown).
#[derive(Debug)]
#[must_use = "dropped, it runs on"]
pub struct Server {
    address: SocketAddr,
    engine: Engine,
    site: Site,
    tasks: TaskTracker,
    end: CancellationToken,
}

/// What is served.
#[derive(Clone, Debug)]
enum Site {
    SocketIo { server: Arc<EngineIo<SocketIo>>, has_page: bool },
    EngineIo(Arc<EngineIo<Echo>>),
}

/// Starts a server on this machine's own address.
///
/// # Errors
///
/// If the port cannot be listened on.
pub async fn start(options: Options) -> io::Result<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let tick_interval = tick_interval(&options);
    // Timeouts begin at the latest tick.
    let mut builder = Engine::builder().connect_timeout(options.connect_timeout + tick_interval);
    if let Some(time) = options.recovery {
        builder = builder.recovery(Recovery::new(time + tick_interval));
    }
    let engine = builder.build();
    let site = Site::new(&options, &engine, &tasks, &end);
    let patience = options.ping_interval + options.ping_timeout;
    tasks.spawn(tick(engine.clone(), tick_interval, end.clone()));
    tasks.spawn(listen(listener, site.clone(), patience, tasks.clone(), end.clone()));
    Ok(Server { address, engine, site, tasks, end })
}

impl Server {
    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many clients have a session.
    #[must_use]
    pub fn session_count(&self) -> usize {
        match &self.site {
            Site::SocketIo { server, .. } => server.session_count(),
            Site::EngineIo(server) => server.session_count(),
        }
    }

    /// Ends it: nobody is let in any more, and clients are sent what there is to send, if they read it in time. One that
    /// polls is sent as much as goes into one poll, if it waits in one.
    pub async fn shutdown(self) {
        self.end.cancel();
        self.engine.close();
        match &self.site {
            Site::SocketIo { server, .. } => server.end(),
            Site::EngineIo(server) => server.end(),
        }
        self.tasks.close();
        // Who has not read by then will not.
        let _ = timeout(FAREWELL, self.tasks.wait()).await;
    }
}

impl Site {
    fn new(options: &Options, engine: &Engine, tasks: &TaskTracker, end: &CancellationToken) -> Self {
        let Options { ping_interval, ping_timeout, max_payload, .. } = *options;
        let config = Config { ping_interval, ping_timeout, max_payload };
        if options.engine_only {
            return Self::EngineIo(EngineIo::new(config, Echo::new(max_payload), tasks.clone()));
        }
        if options.conformance {
            conformance::install(engine);
        } else {
            tasks.spawn(tell_counts(chat::install(engine), end.clone()));
        }
        let service = SocketIo::new(engine.clone(), max_payload);
        let server = EngineIo::new(config, service, tasks.clone());
        Self::SocketIo { server, has_page: !options.conformance }
    }

    async fn answer(&self, request: Request<Incoming>, address: SocketAddr) -> Reply {
        match (self, request.uri().path()) {
            (Self::SocketIo { server, .. }, "/socket.io/") => server.answer(request, address).await,
            (Self::EngineIo(server), "/engine.io/") => server.answer(request, address).await,
            (Self::SocketIo { has_page: true, .. }, path) if request.method() == Method::GET => {
                page::file(path).unwrap_or_else(page::not_found)
            }
            _ => page::not_found(),
        }
    }
}

/// Serves whoever connects.
async fn listen(
    listener: TcpListener,
    site: Site,
    patience: Duration,
    tasks: TaskTracker,
    end: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = end.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tasks.spawn(serve(stream, address, site.clone(), patience, end.clone()));
            }
            Err(_) => sleep(BREATHER).await,
        }
    }
}

/// Serves one connection. It is given up if it takes no bytes for as long as `patience`.
async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    site: Site,
    patience: Duration,
    end: CancellationToken,
) {
    // Small packets are not to wait for each other. A connection that is lost already is found out below.
    let _ = stream.set_nodelay(true);
    let mut stream = Box::pin(TimeoutStream::new(stream));
    stream.as_mut().set_write_timeout_pinned(Some(patience));
    let answer = service_fn(|request| {
        let site = site.clone();
        async move { Ok::<_, std::convert::Infallible>(site.answer(request, address).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // What goes wrong here is the client's loss: it is gone, or did not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = end.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Tells an engine the time.
async fn tick(engine: Engine, every: Duration, end: CancellationToken) {
    let start = Instant::now();
    let mut ticks = interval(every);
    loop {
        tokio::select! {
            now = ticks.tick() => engine.tick(now - start),
            () = end.cancelled() => return,
        }
    }
}

/// Has a chat tell of its rooms.
async fn tell_counts(chat: Chat, end: CancellationToken) {
    let mut ticks = interval(COUNTS_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => chat.tell_counts(),
            () = end.cancelled() => return,
        }
    }
}

/// Finer than the shortest timeout.
fn tick_interval(options: &Options) -> Duration {
    let shortest = options.recovery.map_or(options.connect_timeout, |time| time.min(options.connect_timeout));
    (shortest / 50).clamp(Duration::from_millis(5), Duration::from_millis(50))
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
    use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

    use super::*;

    type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

    async fn connect(server: &Server) -> Client {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
        let (mut client, _) = connect_async(url).await.unwrap();
        assert!(next(&mut client).await.starts_with("0{"));
        client
    }

    async fn next(client: &mut Client) -> String {
        client.next().await.unwrap().unwrap().into_text().unwrap().to_string()
    }

    fn options() -> Options {
        Options { port: 0, conformance: true, ..Options::default() }
    }

    #[tokio::test]
    async fn the_end_comes_when_all_is_sent() {
        let server = start(options()).await.unwrap();
        let mut client = connect(&server).await;
        client.send("40".into()).await.unwrap();
        assert!(next(&mut client).await.starts_with("40{"));
        assert_eq!(next(&mut client).await, r#"42["auth",{}]"#);
        for _ in 0..3 {
            server.engine.of("/").unwrap().emit("last", "words").unwrap();
        }
        let (address, ending) = (server.address(), tokio::spawn(server.shutdown()));
        for _ in 0..3 {
            assert_eq!(next(&mut client).await, r#"42["last","words"]"#);
        }
        let Some(Ok(Message::Close(Some(farewell)))) = client.next().await else { panic!("no farewell") };
        assert_eq!((farewell.code, &*farewell.reason), (CloseCode::Normal, "engine closed"));
        ending.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_left_of_who_is_gone() {
        let server = start(options()).await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = connect(&server).await;
            client.send("40".into()).await.unwrap();
            next(&mut client).await;
            clients.push(client);
        }
        assert_eq!((server.session_count(), server.engine.socket_count()), (5, 5));
        drop(clients);
        let gone = async {
            while server.session_count() + server.engine.connection_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.unwrap();
        server.shutdown().await;
    }

    #[tokio::test]
    async fn a_client_that_joins_nothing_is_told_why_it_is_closed() {
        let server =
            start(Options { connect_timeout: Duration::from_millis(50), ..options() }).await.unwrap();
        let mut client = connect(&server).await;
        let Some(Ok(Message::Close(Some(farewell)))) = client.next().await else { panic!("no farewell") };
        assert_eq!((farewell.code, &*farewell.reason), (CloseCode::Normal, "timed out"));
        server.shutdown().await;
    }
}
