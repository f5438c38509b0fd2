//! The sessions of a server, and its answers to requests.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_util::task::TaskTracker;

use super::packet::{OPEN, Packet};
use super::request::{Ask, BadRequest, query};
use super::service::{Inbound, Opening, Service};
use super::session::{Carrier, Session};
use super::{polling, upgrade, websocket};

/// An answer to a request.
pub type Reply = Response<Full<Bytes>>;

/// What clients are told when they open a session, and held to.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// From one ping to the next.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    pub ping_timeout: Duration,
    /// How many bytes a client may send at a time.
    pub max_payload: usize,
}

/// A server of Engine.IO for a [`Service`].
pub struct EngineIo<S: Service> {
    config: Config,
    service: S,
    sessions: Mutex<HashMap<Box<str>, Arc<Session<S>>>>,
    /// What goes on for as long as a session.
    tasks: TaskTracker,
}

impl<S: Service> EngineIo<S> {
    /// Creates a server that runs its sessions on `tasks`.
    pub fn new(config: Config, service: S, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { config, service, sessions: Mutex::default(), tasks })
    }

    /// Returns how many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions().len()
    }

    /// Ends all sessions, each when it has sent what there is to send.
    pub fn end(&self) {
        let sessions: Vec<_> = self.sessions().values().cloned().collect();
        sessions.iter().for_each(|session| session.end());
    }

    /// Answers a request. A poll is answered when there is something to send.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>, address: SocketAddr) -> Reply {
        let mut reply = self.try_answer(request, address).await.unwrap_or_else(refuse);
        let headers = reply.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        address: SocketAddr,
    ) -> Result<Reply, BadRequest> {
        match Ask::of(&request)? {
            Ask::Preflight => Ok(preflight()),
            Ask::Open => {
                let session = self.open(&Opening::of(&request, address), Carrier::Polling);
                Ok(text(self.greeting(&session, &["websocket"])))
            }
            Ask::Poll { sid } => {
                let session = self.find_polling(&sid)?;
                polling::poll(&session).await.map(text).ok_or(BadRequest::Other)
            }
            Ask::Post { sid } => {
                let session = self.find_polling(&sid)?;
                match polling::post(&session, request.into_body(), self.config.max_payload).await {
                    Ok(()) => Ok(text("ok".to_owned())),
                    Err(StatusCode::BAD_REQUEST) => Err(BadRequest::Other),
                    Err(status) => Ok(with_status(status, refuse(BadRequest::Other))),
                }
            }
            Ask::WebSocket { sid } => {
                let session = sid.map(|sid| self.find(&sid)).transpose()?;
                self.upgrade(session, request, address)
            }
        }
    }

    /// Answers that the connection speaks WebSocket from now on, and sees to that.
    fn upgrade(
        self: &Arc<Self>,
        session: Option<Arc<Session<S>>>,
        mut request: Request<Incoming>,
        address: SocketAddr,
    ) -> Result<Reply, BadRequest> {
        let upgraded = hyper::upgrade::on(&mut request);
        let opening = Opening::of(&request, address);
        // As the reference does: the first one that the client offers. A browser insists on an answer.
        let offered =
            request.headers().get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok());
        let protocol = offered.and_then(|offered| offered.split(',').next()?.trim().parse().ok());
        let mut reply =
            create_response_with_body(&request.map(drop), Full::default).map_err(|_| BadRequest::Other)?;
        if let Some(protocol) = protocol {
            reply.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let Ok(connection) = upgraded.await else { return };
            let mut socket = websocket::accept(connection, this.config.max_payload).await;
            if let Some(session) = session {
                return upgrade::take_over(&session, socket).await;
            }
            let session = this.open(&opening, Carrier::WebSocket);
            let greeting = this.greeting(&session, &[]);
            match websocket::send(&mut socket, Packet::Text(greeting.into())).await {
                Ok(()) => websocket::carry(&session, socket).await,
                Err(reason) => session.close(reason),
            }
        });
        Ok(reply)
    }

    /// Opens a session, which is there until it is closed.
    fn open(self: &Arc<Self>, opening: &Opening, carrier: Carrier) -> Arc<Session<S>> {
        let session = Arc::new(Session::new(new_sid(), carrier, self.service.open(opening)));
        self.sessions().insert(session.sid.clone(), Arc::clone(&session));
        let (this, opened) = (Arc::clone(self), Arc::clone(&session));
        self.tasks.spawn(async move {
            let reason = opened.beat(this.config.ping_interval, this.config.ping_timeout).await;
            this.sessions().remove(&opened.sid);
            opened.inbound.lock().await.close(&reason);
        });
        session
    }

    /// The packet that a session begins with.
    fn greeting(&self, session: &Session<S>, upgrades: &[&str]) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Greeting<'a> {
            sid: &'a str,
            upgrades: &'a [&'a str],
            ping_interval: u128,
            ping_timeout: u128,
            max_payload: usize,
        }
        let Config { ping_interval, ping_timeout, max_payload } = self.config;
        let (ping_interval, ping_timeout) = (ping_interval.as_millis(), ping_timeout.as_millis());
        let greeting = Greeting { sid: &session.sid, upgrades, ping_interval, ping_timeout, max_payload };
        format!("{OPEN}{}", serde_json::to_string(&greeting).expect("text and numbers are JSON"))
    }

    fn find(&self, sid: &str) -> Result<Arc<Session<S>>, BadRequest> {
        let session = self.sessions().get(sid).cloned();
        session.filter(|session| !session.is_closed()).ok_or(BadRequest::Session)
    }

    fn find_polling(&self, sid: &str) -> Result<Arc<Session<S>>, BadRequest> {
        let session = self.find(sid)?;
        if session.carrier() == Carrier::WebSocket { Err(BadRequest::Other) } else { Ok(session) }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Session<S>>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    fn of<B>(request: &Request<B>, address: SocketAddr) -> Self {
        Self { address, query: query(request), headers: request.headers().clone() }
    }
}

/// Makes a session id that nobody guesses.
fn new_sid() -> Box<str> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn text(body: String) -> Reply {
    with_type("text/plain; charset=UTF-8", body)
}

fn refuse(bad: BadRequest) -> Reply {
    #[derive(Serialize)]
    struct Refusal {
        code: u8,
        message: &'static str,
    }
    let refusal = Refusal { code: bad as u8, message: bad.message() };
    let body = serde_json::to_string(&refusal).expect("text and numbers are JSON");
    with_status(bad.status(), with_type("application/json", body))
}

fn preflight() -> Reply {
    let mut reply = with_status(StatusCode::NO_CONTENT, Reply::default());
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    reply
}

fn with_type(content_type: &'static str, body: String) -> Reply {
    let mut reply = Reply::new(Full::from(body));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

fn with_status(status: StatusCode, mut reply: Reply) -> Reply {
    *reply.status_mut() = status;
    reply
}

impl<S: Service> fmt::Debug for EngineIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineIo").field("config", &self.config).finish_non_exhaustive()
    }
}
