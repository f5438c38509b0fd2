//! A client that does everything right. Whatever others do, it must be served.

use std::net::SocketAddr;

use super::PATIENCE;
use super::polling::Polling;
use super::websocket::{Frame, Incoming, WebSocket};

/// What a server serves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Conformance,
    EngineOnly,
    Chat,
}

impl Mode {
    /// The flag that a server is started with for it.
    pub(crate) fn flag(self) -> Option<&'static str> {
        match self {
            Self::Conformance => Some("--conformance"),
            Self::EngineOnly => Some("--engine-only"),
            Self::Chat => None,
        }
    }

    /// Uses everything that is served.
    pub(crate) fn assert_served(self, address: SocketAddr) {
        match self {
            Self::Conformance => assert_conforms(address),
            Self::EngineOnly => assert_echoes(address),
            Self::Chat => assert_chats(address),
        }
    }
}

fn assert_echoes(address: SocketAddr) {
    let mut socket = WebSocket::session(address, "/engine.io/", PATIENCE);
    socket.send(&Frame::text("4hello"));
    assert_eq!(socket.next(), Incoming::Text("4hello".to_owned()));
    socket.send(&Frame::binary([1, 2, 3]));
    assert_eq!(socket.next(), Incoming::Binary(vec![1, 2, 3]));

    let session = Polling::open(address, "/engine.io/");
    assert_eq!(session.post("4hello").unwrap().text(), "ok");
    assert_eq!(session.get().unwrap().text(), "4hello");
    assert_eq!(session.post("1").unwrap().status, 200);
}

/// One joins a room, and hears the other.
fn assert_chats(address: SocketAddr) {
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| {
        let mut socket = WebSocket::session(address, "/socket.io/", PATIENCE);
        socket.send(&Frame::text(format!(r#"40/chat,{{"name":"{name}"}}"#)));
        socket.send(&Frame::text(r#"42/chat,0["join","well-behaved"]"#));
        socket
            .next_where(|packet| packet.starts_with(r#"43/chat,0[{"room":"well-behaved","members":["#))
            .unwrap();
        socket
    });
    bob.send(&Frame::text(r#"42/chat,1["say",{"room":"well-behaved","text":"hello"}]"#));
    bob.next_where(|packet| packet.starts_with("43/chat,1[")).unwrap();
    let is_said =
        |packet: &str| packet.starts_with(r#"42/chat,["said","#) && packet.contains(r#""text":"hello""#);
    ann.next_where(is_said).unwrap();
}

/// Connects over both transports, sends an event and asks for an answer.
fn assert_conforms(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, PATIENCE);
    socket.send(&Frame::text(r#"42["message","hello"]"#));
    assert_eq!(socket.next(), Incoming::Text(r#"42["message-back","hello"]"#.to_owned()));
    socket.send(&Frame::text(r#"427["message-with-ack",1,"two"]"#));
    assert_eq!(socket.next(), Incoming::Text(r#"437[1,"two"]"#.to_owned()));

    let session = Polling::connected(address);
    assert_eq!(session.post(r#"42["message","hello"]"#).unwrap().text(), "ok");
    assert_eq!(session.get().unwrap().text(), r#"42["message-back","hello"]"#);
    assert_eq!(session.post("1").unwrap().status, 200);
}
