//! Puts packets together from the messages that they come in: one of text, and one for each attachment.

use std::str::FromStr;

use bytes::Bytes;
use roomcast::{ClientPacket, Offset, Payload, SessionKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::arguments;
use super::packet::{Content, Packet};
use crate::engineio::{Message, Refused};

/// What has come of a packet so far.
#[derive(Debug)]
pub(super) struct Decoder {
    partial: Option<Partial>,
    max_bytes: usize,
}

/// A packet that lacks attachments.
#[derive(Debug)]
struct Partial {
    /// Is known to be one.
    text: Box<str>,
    attachments: Vec<Bytes>,
    lacks: usize,
    bytes: usize,
}

impl Decoder {
    /// Creates one for packets of up to so many bytes, attachments included.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { partial: None, max_bytes }
    }

    /// Takes a message, and hands the packet that it completes to `deliver`.
    pub(super) fn take(
        &mut self,
        message: Message<'_>,
        deliver: impl FnOnce(ClientPacket<'_>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        match (message, &mut self.partial) {
            (Message::Text(text), None) => {
                let packet = parse(text)?;
                if packet.attachments == 0 {
                    return deliver_with(packet, Vec::new(), deliver);
                }
                let lacks = packet.attachments;
                let (attachments, bytes) = (Vec::new(), text.len());
                self.partial = Some(Partial { text: text.into(), attachments, lacks, bytes });
                Ok(())
            }
            (Message::Binary(attachment), Some(partial)) => {
                partial.bytes += attachment.len();
                if partial.bytes > self.max_bytes {
                    return Err(Refused("a packet with its attachments is too large".into()));
                }
                // Copied: a slice would keep all of the buffer that it was read into, however long it waits in a log.
                partial.attachments.push(Bytes::copy_from_slice(&attachment));
                partial.lacks -= 1;
                if partial.lacks > 0 {
                    return Ok(());
                }
                match self.partial.take() {
                    Some(Partial { text, attachments, .. }) => {
                        deliver_with(parse(&text)?, attachments, deliver)
                    }
                    None => Ok(()),
                }
            }
            (Message::Text(_), Some(_)) => Err(Refused("text in place of an attachment".into())),
            (Message::Binary(_), None) => Err(Refused("an attachment of no packet".into())),
        }
    }
}

/// What a client that was here before knows of that: it comes with what it says of itself.
#[derive(Debug, Default)]
struct Kept {
    pid: Option<SessionKey>,
    offset: Option<Offset>,
}

impl Kept {
    /// What of it is none of ours is as if it was not there: the client may call its own things so.
    fn of(auth: &str) -> Self {
        #[derive(Deserialize)]
        struct Auth<'a> {
            #[serde(borrow)]
            pid: Option<&'a RawValue>,
            #[serde(borrow)]
            offset: Option<&'a RawValue>,
        }
        let Ok(Auth { pid, offset }) = serde_json::from_str(auth) else { return Self::default() };
        Self { pid: pid.and_then(parsed), offset: offset.and_then(parsed) }
    }
}

fn parsed<T: FromStr>(json: &RawValue) -> Option<T> {
    serde_json::from_str::<String>(json.get()).ok()?.parse().ok()
}

fn parse(text: &str) -> Result<Packet<'_>, Refused> {
    Packet::parse(text).map_err(|error| Refused(error.to_string().into()))
}

fn deliver_with(
    packet: Packet<'_>,
    attachments: Vec<Bytes>,
    deliver: impl FnOnce(ClientPacket<'_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let namespace = packet.namespace;
    let payload = |arguments: Vec<_>| {
        arguments::payload(&arguments, attachments).map_err(|error| Refused(error.to_string().into()))
    };
    match packet.content {
        Content::Connect { auth } => {
            let (kept, auth) = (Kept::of(auth), Payload::json(auth));
            deliver(match kept.pid {
                Some(session) => ClientPacket::Resume { namespace, auth, session, seen: kept.offset },
                None => ClientPacket::Connect { namespace, auth },
            })
        }
        Content::Disconnect => deliver(ClientPacket::Disconnect { namespace }),
        Content::Event { event, arguments, ack } => {
            let payload = payload(arguments)?;
            deliver(ClientPacket::Event { namespace, event: &event, payload, ack })
        }
        Content::Ack { id, arguments } => {
            let payload = payload(arguments)?;
            deliver(ClientPacket::Ack { namespace, id, payload })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::Arguments;

    /// Feeds messages, and returns what was delivered in a form that is easy to compare.
    fn feed(messages: &[Message<'_>]) -> Result<Vec<String>, String> {
        let mut decoder = Decoder::new(100);
        let mut delivered = Vec::new();
        for message in messages {
            let taken = decoder.take(message.clone(), |packet| {
                delivered.push(match packet {
                    ClientPacket::Event { payload, event, .. } => match payload.downcast_ref::<Arguments>() {
                        Some(arguments) => {
                            format!("{event} {} {:?}", arguments.json(), arguments.attachments())
                        }
                        None => format!("{event} {payload:?}"),
                    },
                    other => format!("{other:?}"),
                });
                Ok(())
            });
            taken.map_err(|Refused(words)| words.into_owned())?;
        }
        Ok(delivered)
    }

    fn bytes(bytes: &'static [u8]) -> Message<'static> {
        Message::Binary(Bytes::from_static(bytes))
    }

    #[test]
    fn attachments_complete_a_packet() {
        let (one, two) = (r#"{"_placeholder":true,"num":0}"#, r#"{"_placeholder":true,"num":1}"#);
        let (first, second) = (format!(r#"51-["a",{one}]"#), format!(r#"52-["b",{two},{one}]"#));
        let messages = [
            Message::Text(r#"2["x"]"#),
            Message::Text(&first),
            bytes(b"1"),
            Message::Text(&second),
            bytes(b"2"),
            bytes(b"3"),
            Message::Text(r#"50-["y",1]"#),
        ];
        let arguments = format!(r#"b [{two},{one}] [b"2", b"3"]"#);
        let expected = [r#"x b"""#, r#"a b"1""#, &arguments, "y Json(1)"];
        assert_eq!(feed(&messages).unwrap(), expected);
    }

    #[test]
    fn a_client_that_was_here_before_says_so() {
        let pid = "0123456789abcdef0123456789abcdef";
        for (auth, session, offset) in [
            (format!(r#"{{"pid":"{pid}","offset":"a.1f","name":"Ann"}}"#), Some(pid), Some("a.1f")),
            (format!(r#"{{"name":"Ann","pid":"{pid}"}}"#), Some(pid), None),
            (format!(r#"{{"pid":"{pid}","offset":"of yesterday"}}"#), Some(pid), None),
            (format!(r#"{{"pid":"{pid}","offset":[7]}}"#), Some(pid), None),
            (r#"{"pid":7,"offset":"a.1f"}"#.to_owned(), None, Some("a.1f")),
            (r#"{"pid":"mine"}"#.to_owned(), None, None),
            ("{}".to_owned(), None, None),
        ] {
            let kept = Kept::of(&auth);
            let shown = (kept.pid.map(|pid| pid.to_string()), kept.offset.map(|offset| offset.to_string()));
            assert_eq!((shown.0.as_deref(), shown.1.as_deref()), (session, offset), "{auth}");
            let delivered = feed(&[Message::Text(&format!("0{auth}"))]).unwrap();
            assert_eq!(delivered[0].starts_with("Resume"), session.is_some(), "{auth}");
        }
    }

    #[test]
    fn messages_out_of_place_are_refused() {
        let packet = Message::Text(r#"52-["a",{"_placeholder":true,"num":2}]"#);
        for (messages, words) in [
            (vec![bytes(b"1")], "an attachment of no packet"),
            (vec![packet.clone(), Message::Text("1")], "text in place of an attachment"),
            (vec![packet.clone(), bytes(b"1"), packet.clone()], "text in place of an attachment"),
            (vec![packet.clone(), bytes(&[0; 80])], "a packet with its attachments is too large"),
            (vec![packet, bytes(b"1"), bytes(b"2")], "a placeholder stands for no attachment"),
            (vec![Message::Text("7")], "unknown packet type"),
        ] {
            assert_eq!(feed(&messages), Err(words.to_owned()));
        }
    }
}
