//! The text of packets: Socket.IO's in Engine.IO's, as far as this program's clients send and get them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The namespace of the chat.
const NAMESPACE: &str = "/chat";

/// What a client gets.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Open(Open),
    Ping,
    /// Only to keep a poll from waiting.
    Noop,
    /// The server gives the session up.
    Close,
    Connected,
    Refused(&'a str),
    Disconnected,
    Event {
        name: Cow<'a, str>,
        data: &'a RawValue,
    },
    Ack {
        id: u64,
        data: &'a RawValue,
    },
}

/// What the server says of a session.
#[derive(Debug, Deserialize)]
pub(crate) struct Open {
    pub(crate) sid: String,
}

/// What is no packet, or none that these clients can get.
#[derive(Debug)]
pub(crate) struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packet that means nothing: {}", self.0)
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Malformed> {
        Self::read(text).ok_or_else(|| Malformed(text.chars().take(200).collect()))
    }

    fn read(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(1)?;
        match (kind, rest) {
            ("0", open) => Some(Self::Open(serde_json::from_str(open).ok()?)),
            ("1", "") => Some(Self::Close),
            ("2", "") => Some(Self::Ping),
            ("6", "") => Some(Self::Noop),
            ("4", message) => Self::read_message(message),
            _ => None,
        }
    }

    fn read_message(message: &'a str) -> Option<Self> {
        let (kind, rest) = message.split_at_checked(1)?;
        let rest = rest.strip_prefix(NAMESPACE)?;
        // The comma may be left out where nothing follows.
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(',')? };
        match kind {
            "0" => Some(Self::Connected),
            "1" => Some(Self::Disconnected),
            "2" => {
                #[derive(Deserialize)]
                struct Event<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] &'a RawValue);
                let Event(name, data) = serde_json::from_str(rest).ok()?;
                Some(Self::Event { name, data })
            }
            "3" => {
                let digits = rest.find('[')?;
                let [data] = serde_json::from_str(&rest[digits..]).ok()?;
                Some(Self::Ack { id: rest[..digits].parse().ok()?, data })
            }
            "4" => Some(Self::Refused(rest)),
            _ => None,
        }
    }
}

pub(crate) const PONG: &str = "3";
pub(crate) const CLOSE: &str = "1";

/// Connects to the namespace of the chat, under a name.
pub(crate) fn connect(name: &str) -> String {
    format!("40{NAMESPACE},{}", serde_json::json!({ "name": name }))
}

/// Gives the namespace up.
pub(crate) fn disconnect() -> String {
    format!("41{NAMESPACE},")
}

/// Sends an event that is to be acknowledged.
pub(crate) fn event(id: u64, name: &str, data: impl serde::Serialize) -> String {
    let payload = serde_json::to_string(&(name, data)).expect("names and texts are plain data");
    format!("42{NAMESPACE},{id}{payload}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Packet::parse(text).map_or_else(|error| error.to_string(), |packet| format!("{packet:?}"))
    }

    #[test]
    fn reads_what_servers_send() {
        assert!(
            matches!(Packet::parse(r#"0{"sid":"a","upgrades":[]}"#), Ok(Packet::Open(Open { sid })) if sid == "a")
        );
        assert!(matches!(Packet::parse(r#"40/chat,{"sid":"a"}"#), Ok(Packet::Connected)));
        assert!(matches!(Packet::parse("41/chat,"), Ok(Packet::Disconnected)));
        assert!(matches!(
            Packet::parse(r#"44/chat,{"message":"no"}"#),
            Ok(Packet::Refused(r#"{"message":"no"}"#))
        ));
        let Ok(Packet::Event { name, data }) = Packet::parse(r#"42/chat,["said",{"a":[1]}]"#) else {
            panic!()
        };
        assert_eq!((name.as_ref(), data.get()), ("said", r#"{"a":[1]}"#));
        let Ok(Packet::Ack { id, data }) = Packet::parse(r#"43/chat,17["yes"]"#) else { panic!() };
        assert_eq!((id, data.get()), (17, r#""yes""#));
    }

    #[test]
    fn refuses_what_means_nothing() {
        for text in [
            "",
            "9",
            "2x",
            "4",
            "42",
            "42/chat",
            "42/chats,[1,2]",
            "42[\"a\",1]",
            "43/chat,[1]",
            "43/chat,1[",
            "\u{e9}",
        ] {
            assert!(shown(text).starts_with("a packet that means nothing"), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn writes_what_servers_read() {
        assert_eq!(connect("Ann"), r#"40/chat,{"name":"Ann"}"#);
        assert_eq!(event(7, "join", "lobby"), r#"42/chat,7["join","lobby"]"#);
        assert_eq!(disconnect(), "41/chat,");
    }
}
