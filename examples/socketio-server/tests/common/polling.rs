//! A session over long-polling, each of its requests over a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use super::PATIENCE;
use super::http::{Http, Response};

/// A session, as its client knows it.
#[derive(Debug)]
pub(crate) struct Polling {
    address: SocketAddr,
    path: &'static str,
    sid: String,
}

impl Polling {
    /// Opens a session at a path such as `/socket.io/`.
    pub(crate) fn open(address: SocketAddr, path: &'static str) -> Self {
        let mut http = Http::open(address, PATIENCE);
        http.send(format!(
            "GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        ));
        let response = http.response().expect("a handshake is answered");
        let sid = response.text().split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.unwrap_or_else(|| panic!("no open packet: {}", response.text()));
        Self { address, path, sid: sid.to_owned() }
    }

    /// Acts on a session that somebody else has opened.
    pub(crate) fn stolen(address: SocketAddr, path: &'static str, sid: &str) -> Self {
        Self { address, path, sid: sid.to_owned() }
    }

    /// Opens a session, and connects it to the main namespace of the conformance mode.
    pub(crate) fn connected(address: SocketAddr) -> Self {
        let session = Self::open(address, "/socket.io/");
        assert_eq!(session.post("40").map(|response| response.status), Some(200));
        let mut received = String::new();
        while !received.contains("42[\"auth\",{}]") {
            received += session.get().expect("packets are waiting").text();
        }
        session
    }

    /// The request line's target.
    pub(crate) fn target(&self) -> String {
        format!("{}?EIO=4&transport=polling&sid={}", self.path, self.sid)
    }

    /// Polls, and waits for the answer.
    pub(crate) fn get(&self) -> Option<Response> {
        self.begin_get(PATIENCE).response()
    }

    /// Polls, and leaves the answer to be waited for.
    pub(crate) fn begin_get(&self, patience: Duration) -> Http {
        let mut http = Http::open(self.address, patience);
        http.send(format!("GET {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", self.target()));
        http
    }

    /// Posts a payload. `None` if the server closed the connection on it.
    pub(crate) fn post(&self, payload: impl AsRef<[u8]>) -> Option<Response> {
        let payload = payload.as_ref();
        let mut http = self.begin_post(&format!("Content-Length: {}", payload.len()));
        http.send(payload);
        http.response()
    }

    /// Posts the head of a request with these headers, and leaves the body to be sent.
    pub(crate) fn begin_post(&self, headers: &str) -> Http {
        let mut http = Http::open(self.address, PATIENCE);
        let target = self.target();
        http.send(format!("POST {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n\r\n"));
        http
    }

    /// Whether the server knows it no longer.
    pub(crate) fn is_gone(&self) -> bool {
        self.post("3").is_some_and(|response| response.status == 400)
    }
}
