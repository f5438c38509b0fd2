//! What clients are sent: packets as text and attachments.
//!
//! A message is encoded once, by [`Packets`], for all its recipients: as it is for the main namespace, and from that once
//! more as it is for its own. Only the id of an acknowledgement takes a copy for each.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use roomcast::{Codec, Offset, Payload, SessionKey};
use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::Arguments;
use crate::engineio;

/// An event or an answer, but for its namespace and id. Cloning it copies no content.
#[derive(Clone, Debug)]
pub struct Encoded(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// As it is for the main namespace, without an id.
    packet: engineio::Packet,
    /// How much of its message comes before namespace and id.
    head: usize,
    /// As it is for another namespace, without an id: the one that it was first told in, as messages are in one.
    elsewhere: OnceLock<(Box<str>, engineio::Packet)>,
    attachments: Vec<Bytes>,
}

/// Encodes events.
#[derive(Clone, Copy, Debug)]
pub struct Packets;

impl Codec for Packets {
    type Encoded = Encoded;

    fn encode(&self, event: &str, payload: &Payload) -> Encoded {
        encode(event, payload)
    }
}

/// Encodes an event.
pub(super) fn encode(event: &str, payload: &Payload) -> Encoded {
    encode_as(["2", "5"], Some(event), payload)
}

/// Encodes an answer.
pub(super) fn encode_ack(payload: &Payload) -> Encoded {
    encode_as(["3", "6"], None, payload)
}

/// Writes that a client is connected, and by which key it can come back, if it can.
pub(super) fn connect(namespace: &str, id: &str, session: Option<SessionKey>) -> engineio::Packet {
    #[derive(Serialize)]
    struct Connect<'a> {
        sid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<String>,
    }
    single("0", namespace, &json(&Connect { sid: id, pid: session.map(|session| session.to_string()) }))
}

/// Writes that a client is not let in.
pub(super) fn connect_error(namespace: &str, message: &str, data: &Payload) -> engineio::Packet {
    #[derive(Serialize)]
    struct ConnectError<'a> {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Box<RawValue>>,
    }
    // Of a middleware's own writing: what is no JSON is left out. So are bytes, which this packet cannot attach.
    let text = data.as_str().map(json);
    let data = text.as_deref().or(data.as_json()).and_then(|data| serde_json::from_str(data).ok());
    single("4", namespace, &json(&ConnectError { message, data }))
}

/// Writes that a client is disconnected.
pub(super) fn disconnect(namespace: &str) -> engineio::Packet {
    single("1", namespace, "")
}

impl Encoded {
    /// Returns the packets that tell it in a namespace, with this id if it wants an answer or is one.
    pub fn packets(&self, namespace: &str, id: Option<u64>) -> impl Iterator<Item = engineio::Packet> {
        let shared = &*self.0;
        let first = match (namespace, id) {
            ("/", None) => shared.packet.clone(),
            (_, None) => {
                let (known, packet) =
                    shared.elsewhere.get_or_init(|| (namespace.into(), shared.told(namespace, None)));
                if **known == *namespace { packet.clone() } else { shared.told(namespace, None) }
            }
            (_, Some(_)) => shared.told(namespace, id),
        };
        self.with_attachments(first)
    }

    /// Returns the packets that tell it in a namespace, to a client that can come back: with its offset behind the
    /// arguments. Takes a copy for each.
    pub fn packets_at(&self, namespace: &str, offset: Offset) -> impl Iterator<Item = engineio::Packet> {
        self.with_attachments(self.0.told_at(namespace, offset))
    }

    fn with_attachments(&self, first: engineio::Packet) -> impl Iterator<Item = engineio::Packet> {
        std::iter::once(first).chain(self.0.attachments.iter().cloned().map(engineio::Packet::Binary))
    }
}

impl Shared {
    /// Puts namespace and id into a copy.
    fn told(&self, namespace: &str, id: Option<u64>) -> engineio::Packet {
        let (head, rest) = self.packet.message_text().unwrap_or_default().split_at(self.head);
        engineio::Packet::message(head.len() + namespace.len() + MAX_ID + rest.len(), |text| {
            text.push_str(head);
            push_namespace(text, namespace);
            if let Some(id) = id {
                text.push_str(&id.to_string());
            }
            text.push_str(rest);
        })
    }
}

impl Shared {
    /// Puts namespace and offset into a copy.
    fn told_at(&self, namespace: &str, offset: Offset) -> engineio::Packet {
        let (head, rest) = self.packet.message_text().unwrap_or_default().split_at(self.head);
        let rest = rest.strip_suffix(']').unwrap_or(rest); // of a list, with the event in it at least
        engineio::Packet::message(head.len() + namespace.len() + MAX_OFFSET + rest.len(), |text| {
            text.push_str(head);
            push_namespace(text, namespace);
            text.push_str(rest);
            text.push_str(&format!(",\"{offset}\"]"));
        })
    }
}

/// Two numbers of 16 digits each, a point, quotes, and commas and brackets around.
const MAX_OFFSET: usize = 38;

/// The digits of the largest id, and the comma after a namespace.
const MAX_ID: usize = 21;

fn encode_as([plain, binary]: [&str; 2], event: Option<&str>, payload: &Payload) -> Encoded {
    let attachments = attachments(payload);
    let count = attachments.len();
    let mut head = 0;
    let capacity = payload.len() + event.map_or(0, str::len) + 16;
    let packet = engineio::Packet::message(capacity, |text| {
        let start = text.len();
        match count {
            0 => text.push_str(plain),
            _ => text.push_str(&format!("{binary}{count}-")),
        }
        head = text.len() - start;
        text.push('[');
        if let Some(event) = event {
            text.push_str(&json(event));
        }
        push_arguments(text, payload, event.is_some());
        text.push(']');
    });
    Encoded(Arc::new(Shared { packet, head, elsewhere: OnceLock::new(), attachments }))
}

/// Writes the arguments that a payload is, between the brackets. A value that is no [`Arguments`] is none.
fn push_arguments(text: &mut String, payload: &Payload, is_after_event: bool) {
    let quoted;
    let arguments = if let Some(arguments) = payload.downcast_ref::<Arguments>() {
        let json = arguments.json();
        &json[1..json.len() - 1]
    } else if let Some(words) = payload.as_str() {
        quoted = json(words);
        &quoted
    } else if let Some(json) = payload.as_json() {
        json
    } else if is_bytes(payload) {
        r#"{"_placeholder":true,"num":0}"#
    } else {
        ""
    };
    if is_after_event && !arguments.is_empty() {
        text.push(',');
    }
    text.push_str(arguments);
}

fn attachments(payload: &Payload) -> Vec<Bytes> {
    if let Some(arguments) = payload.downcast_ref::<Arguments>() {
        arguments.attachments().to_vec()
    } else if is_bytes(payload) {
        // Copied, once for all: what is kept with the payload is not to keep it.
        vec![payload.as_bytes().map_or_else(Bytes::new, Bytes::copy_from_slice)]
    } else {
        Vec::new()
    }
}

fn is_bytes(payload: &Payload) -> bool {
    !payload.is_empty()
        && payload.as_bytes().is_some()
        && payload.as_str().is_none()
        && payload.as_json().is_none()
}

fn single(kind: &str, namespace: &str, payload: &str) -> engineio::Packet {
    engineio::Packet::message(kind.len() + namespace.len() + payload.len() + 1, |text| {
        text.push_str(kind);
        push_namespace(text, namespace);
        text.push_str(payload);
    })
}

fn push_namespace(text: &mut String, namespace: &str) {
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("text is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(packets: impl Iterator<Item = engineio::Packet>) -> Vec<String> {
        let show = |packet| match packet {
            engineio::Packet::Text(text) => text.to_string(),
            engineio::Packet::Binary(bytes) => format!("{bytes:?}"),
        };
        packets.map(show).collect()
    }

    fn arguments(json: &str, attachments: &[&'static [u8]]) -> Payload {
        let attachments = attachments.iter().copied().map(Bytes::from_static).collect();
        Payload::from(Arc::new(Arguments::new(json, attachments).unwrap()))
    }

    #[test]
    fn payloads_are_arguments() {
        let (one, two) = (r#"{"_placeholder":true,"num":0}"#, r#"{"_placeholder":true,"num":1}"#);
        for (payload, expected) in [
            (Payload::default(), vec![r#"42["e"]"#.to_owned()]),
            (Payload::from("a\"\n"), vec![r#"42["e","a\"\n"]"#.to_owned()]),
            (Payload::from(""), vec![r#"42["e",""]"#.to_owned()]),
            (Payload::json("[1]"), vec![r#"42["e",[1]]"#.to_owned()]),
            (Payload::from([1, 2]), vec![format!(r#"451-["e",{one}]"#), r#"b"\x01\x02""#.to_owned()]),
            (arguments("[ 1, [2] ]", &[]), vec![r#"42["e",1,[2]]"#.to_owned()]),
            (arguments("[[]]", &[]), vec![r#"42["e",[]]"#.to_owned()]),
            (arguments("[]", &[]), vec![r#"42["e"]"#.to_owned()]),
            (
                arguments(&format!("[[{one}],{two}]"), &[b"a", b""]),
                vec![format!(r#"452-["e",[{one}],{two}]"#), r#"b"a""#.to_owned(), r#"b"""#.to_owned()],
            ),
            (Payload::from(Arc::new(7)), vec![r#"42["e"]"#.to_owned()]),
        ] {
            assert_eq!(shown(encode("e", &payload).packets("/", None)), expected);
        }
    }

    #[test]
    fn namespace_and_id_come_between() {
        let event = encode("e\"", &Payload::json("1"));
        assert_eq!(shown(event.packets("/", Some(12))), [r#"4212["e\"",1]"#]);
        assert_eq!(shown(event.packets("/a", None)), [r#"42/a,["e\"",1]"#]);
        assert_eq!(shown(event.packets("/a", Some(u64::MAX))), [r#"42/a,18446744073709551615["e\"",1]"#]);
        let answer = encode_ack(&Payload::from([7]));
        let expected = [r#"461-/a,5[{"_placeholder":true,"num":0}]"#, r#"b"\x07""#];
        assert_eq!(shown(answer.packets("/a", Some(5))), expected);
        assert_eq!(shown(encode_ack(&Payload::default()).packets("/", Some(0))), ["430[]"]);
    }

    #[test]
    fn an_offset_comes_last() {
        let offset = "a.1f".parse().unwrap();
        let at = |payload, namespace| shown(encode("e", &payload).packets_at(namespace, offset));
        assert_eq!(at(Payload::default(), "/"), [r#"42["e","a.1f"]"#]);
        assert_eq!(at(Payload::json("[1]"), "/a"), [r#"42/a,["e",[1],"a.1f"]"#]);
        let binary = [r#"451-/a,["e",{"_placeholder":true,"num":0},"a.1f"]"#, r#"b"\x07""#];
        assert_eq!(at(Payload::from([7]), "/a"), binary);
    }

    #[test]
    fn what_is_the_same_for_all_is_not_copied() {
        let payload = Payload::from([7; 100]);
        let encoded = encode("e", &payload);
        for namespace in ["/", "/a"] {
            let text = |encoded: &Encoded| match encoded.packets(namespace, None).next() {
                Some(engineio::Packet::Text(text)) => text.as_ptr(),
                other => panic!("{other:?}"),
            };
            assert_eq!(text(&encoded), text(&encoded.clone()));
        }
        assert_eq!(shown(encoded.packets("/b", None))[0], r#"451-/b,["e",{"_placeholder":true,"num":0}]"#);
        let attachment = |encoded: &Encoded| match encoded.packets("/", None).nth(1) {
            Some(engineio::Packet::Binary(bytes)) => bytes.as_ptr(),
            other => panic!("{other:?}"),
        };
        assert_eq!(attachment(&encoded), attachment(&encoded.clone()));
    }

    #[test]
    fn the_life_of_a_socket_is_told() {
        let told = |packet| shown(std::iter::once(packet)).remove(0);
        assert_eq!(told(connect("/", "1v0", None)), r#"40{"sid":"1v0"}"#);
        assert_eq!(told(connect("/a", "1v0", None)), r#"40/a,{"sid":"1v0"}"#);
        let pid = "0123456789abcdef0123456789abcdef";
        let expected = format!(r#"40/a,{{"sid":"1v0","pid":"{pid}"}}"#);
        assert_eq!(told(connect("/a", "1v0", pid.parse().ok())), expected);
        assert_eq!(told(disconnect("/")), "41");
        assert_eq!(told(disconnect("/a")), "41/a,");
        for (data, shown) in [
            (Payload::default(), r#"44/a,{"message":"\"no\""}"#),
            (Payload::from("why"), r#"44/a,{"message":"\"no\"","data":"why"}"#),
            (Payload::json(r#"{"a":1}"#), r#"44/a,{"message":"\"no\"","data":{"a":1}}"#),
            (Payload::json("oops"), r#"44/a,{"message":"\"no\""}"#),
            (Payload::from([1]), r#"44/a,{"message":"\"no\""}"#),
        ] {
            assert_eq!(told(connect_error("/a", "\"no\"", &data)), shown);
        }
    }
}
