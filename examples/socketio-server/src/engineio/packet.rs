//! Packets, the units of both transports.

use std::fmt;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(Bytes),
}

/// What a client is sent, in the form that WebSocket has for it. Cloning it copies no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Text, with the packet's type in front.
    Text(Utf8Bytes),
    /// A message of bytes.
    Binary(Bytes),
}

/// What a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    Close,
    Ping(&'a str),
    Pong,
    Message(Message<'a>),
    Upgrade,
}

/// What no client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPacket;

/// The type of the packet that a session begins with.
pub(super) const OPEN: char = '0';

/// The type of packets that are messages.
const MESSAGE: char = '4';

/// What a probing ping carries, and the pong to it.
pub(super) const PROBE: &str = "probe";

impl Packet {
    /// Creates a message of text, by the `write` that is given a buffer to append it to.
    pub fn message(capacity: usize, write: impl FnOnce(&mut String)) -> Self {
        let mut text = String::with_capacity(capacity + MESSAGE.len_utf8());
        text.push(MESSAGE);
        write(&mut text);
        Self::Text(text.into())
    }

    /// Returns the text of a message of text.
    #[must_use]
    pub fn message_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.strip_prefix(MESSAGE),
            Self::Binary(_) => None,
        }
    }

    /// Returns how many bytes it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    pub(super) const fn close() -> Self {
        Self::Text(Utf8Bytes::from_static("1"))
    }

    pub(super) const fn ping() -> Self {
        Self::Text(Utf8Bytes::from_static("2"))
    }

    pub(super) fn probe_answer() -> Self {
        Self::Text(format!("3{PROBE}").into())
    }

    pub(super) const fn noop() -> Self {
        Self::Text(Utf8Bytes::from_static("6"))
    }
}

impl<'a> Received<'a> {
    /// Reads a packet of text.
    pub(super) fn parse(text: &'a str) -> Result<Self, BadPacket> {
        let mut rest = text.chars();
        Ok(match (rest.next(), rest.as_str()) {
            (Some('1'), "") => Self::Close,
            (Some('2'), data) => Self::Ping(data),
            (Some('3'), _) => Self::Pong,
            (Some(MESSAGE), message) => Self::Message(Message::Text(message)),
            (Some('5'), "") => Self::Upgrade,
            _ => return Err(BadPacket),
        })
    }
}

impl fmt::Display for BadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad packet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_clients_are_told_apart() {
        for (text, packet) in [
            ("1", Ok(Received::Close)),
            ("2", Ok(Received::Ping(""))),
            ("2probe", Ok(Received::Ping(PROBE))),
            ("3", Ok(Received::Pong)),
            ("3probe", Ok(Received::Pong)),
            ("4", Ok(Received::Message(Message::Text("")))),
            ("4naïve\n", Ok(Received::Message(Message::Text("naïve\n")))),
            ("44", Ok(Received::Message(Message::Text("4")))),
            ("5", Ok(Received::Upgrade)),
            ("", Err(BadPacket)),
            ("0", Err(BadPacket)),
            ("1 ", Err(BadPacket)),
            ("5probe", Err(BadPacket)),
            ("6", Err(BadPacket)),
            ("7", Err(BadPacket)),
            ("abc", Err(BadPacket)),
            ("é", Err(BadPacket)),
            (" 4", Err(BadPacket)),
        ] {
            assert_eq!(Received::parse(text), packet, "{text:?}");
        }
    }

    #[test]
    fn a_message_is_written_with_its_type() {
        let packet = Packet::message(5, |text| text.push_str("hello"));
        assert_eq!(packet, Packet::Text("4hello".into()));
        assert_eq!((packet.message_text(), packet.size()), (Some("hello"), 6));
        assert_eq!(Packet::Binary(Bytes::from_static(b"4")).message_text(), None);
        assert_eq!(Packet::ping().message_text(), None);
    }
}
