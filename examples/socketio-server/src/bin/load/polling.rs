//! A session over long-polling.

use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::http::Http;
use crate::transport::{TransportError, session_id};

/// How many packets wait until polling does.
const WAITING: usize = 256;

#[derive(Debug)]
pub(crate) struct Polling {
    post: Http,
    target: String,
    packets: mpsc::Receiver<Result<String, TransportError>>,
    poll: JoinHandle<()>,
}

impl Polling {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, TransportError> {
        let mut get = Http::open(address).await?;
        let target = "/socket.io/?EIO=4&transport=polling";
        let sid = session_id(&get.get(target).await?)?;
        let target = format!("{target}&sid={sid}");
        let (into, packets) = mpsc::channel(WAITING);
        let poll = tokio::spawn(poll(get, target.clone(), into));
        Ok(Self { post: Http::open(address).await?, target, packets, poll })
    }

    pub(crate) async fn next(&mut self) -> Result<String, TransportError> {
        self.packets.recv().await.unwrap_or(Err(TransportError::Closed(None)))
    }

    pub(crate) async fn send(&mut self, packet: String) -> Result<(), TransportError> {
        match self.post.post(&self.target, &packet).await?.as_str() {
            "ok" => Ok(()),
            _ => Err(TransportError::Unexpected("a payload that is not answered with ok")),
        }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.poll.abort();
    }
}

/// Polls until that fails or nobody wants more.
async fn poll(mut get: Http, target: String, into: mpsc::Sender<Result<String, TransportError>>) {
    loop {
        match get.get(&target).await {
            Ok(payload) => {
                for packet in payload.split('\u{1e}') {
                    if into.send(Ok(packet.to_owned())).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                drop(into.send(Err(error)).await);
                return;
            }
        }
    }
}
