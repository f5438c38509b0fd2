//! What clients send: the text of a packet, without its attachments.

use std::fmt;

use serde_json::value::RawValue;

/// How many attachments one packet may have.
pub(super) const MAX_ATTACHMENTS: usize = 256;

/// A packet, as its text says it.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) namespace: &'a str,
    pub(super) content: Content<'a>,
    /// How many attachments come after it.
    pub(super) attachments: usize,
}

/// What a packet is about.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Connect { auth: &'a str },
    Disconnect,
    Event { event: String, arguments: Vec<&'a RawValue>, ack: Option<u64> },
    Ack { id: u64, arguments: Vec<&'a RawValue> },
}

/// Why a text is no packet of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadPacket {
    Type,
    Attachments,
    Id,
    Payload,
    Event,
}

/// What clients say of themselves who say nothing.
const NO_AUTH: &str = "{}";

/// What the protocol's own libraries tell programs, and clients do not send.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

impl<'a> Packet<'a> {
    /// Reads a packet: `type[attachments-][/namespace,][id][payload]`.
    pub(super) fn parse(text: &'a str) -> Result<Self, BadPacket> {
        let (kind, rest) = text.split_at_checked(1).ok_or(BadPacket::Type)?;
        let (attachments, rest) = match kind {
            "5" | "6" => take_attachments(rest)?,
            _ => (0, rest),
        };
        let (namespace, rest) = take_namespace(rest);
        let (id, payload) = take_id(rest)?;
        let content = match (kind, id) {
            ("0", None) => Content::Connect { auth: check_auth(payload)? },
            ("1", None) if payload.is_empty() => Content::Disconnect,
            ("2" | "5", ack) => {
                let mut arguments = array(payload)?;
                if arguments.is_empty() {
                    return Err(BadPacket::Payload);
                }
                Content::Event { event: event(arguments.remove(0))?, arguments, ack }
            }
            ("3" | "6", Some(id)) => Content::Ack { id, arguments: array(payload)? },
            ("3" | "6", None) | ("0" | "1", Some(_)) => return Err(BadPacket::Id),
            ("1", None) => return Err(BadPacket::Payload),
            _ => return Err(BadPacket::Type),
        };
        Ok(Self { namespace, content, attachments })
    }
}

fn take_attachments(text: &str) -> Result<(usize, &str), BadPacket> {
    let (count, rest) = text.split_once('-').ok_or(BadPacket::Attachments)?;
    match number(count).and_then(|count| usize::try_from(count).ok()) {
        Some(count @ 0..=MAX_ATTACHMENTS) => Ok((count, rest)),
        _ => Err(BadPacket::Attachments),
    }
}

fn take_namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') { text.split_once(',').unwrap_or((text, "")) } else { ("/", text) }
}

fn take_id(text: &str) -> Result<(Option<u64>, &str), BadPacket> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (id, rest) = text.split_at(end);
    if id.is_empty() { Ok((None, rest)) } else { Ok((Some(number(id).ok_or(BadPacket::Id)?), rest)) }
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn check_auth(payload: &str) -> Result<&str, BadPacket> {
    if payload.is_empty() {
        return Ok(NO_AUTH);
    }
    let json: &RawValue = serde_json::from_str(payload).map_err(|_| BadPacket::Payload)?;
    if json.get().starts_with('{') { Ok(json.get()) } else { Err(BadPacket::Payload) }
}

fn array(payload: &str) -> Result<Vec<&RawValue>, BadPacket> {
    serde_json::from_str(payload).map_err(|_| BadPacket::Payload)
}

fn event(name: &RawValue) -> Result<String, BadPacket> {
    let name: String = serde_json::from_str(name.get()).map_err(|_| BadPacket::Event)?;
    if RESERVED.contains(&&*name) { Err(BadPacket::Event) } else { Ok(name) }
}

impl fmt::Display for BadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "unknown packet type",
            Self::Attachments => "bad number of attachments",
            Self::Id => "bad acknowledgement id",
            Self::Payload => "bad payload",
            Self::Event => "bad event name",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a packet in a form that is easy to compare.
    fn show(text: &str) -> Result<String, BadPacket> {
        let list = |arguments: Vec<&RawValue>| {
            arguments.iter().map(|argument| argument.get()).collect::<Vec<_>>().join(" ")
        };
        Packet::parse(text).map(|packet| {
            let (namespace, attachments) = (packet.namespace, packet.attachments);
            match packet.content {
                Content::Connect { auth } => format!("{namespace} connect {auth}"),
                Content::Disconnect => format!("{namespace} disconnect"),
                Content::Event { event, arguments, ack } => {
                    format!("{namespace} {event} {ack:?} {attachments}: {}", list(arguments))
                }
                Content::Ack { id, arguments } => {
                    format!("{namespace} ack {id} {attachments}: {}", list(arguments))
                }
            }
        })
    }

    #[test]
    fn packets_are_read() {
        for (text, shown) in [
            ("0", "/ connect {}"),
            ("0{\"token\":\"123\"}", "/ connect {\"token\":\"123\"}"),
            ("0/admin,", "/admin connect {}"),
            ("0/admin", "/admin connect {}"),
            ("0/admin,{}", "/admin connect {}"),
            ("1", "/ disconnect"),
            ("1/admin,", "/admin disconnect"),
            ("1/admin", "/admin disconnect"),
            ("2[\"foo\"]", "/ foo None 0: "),
            ("2/admin,[\"bar\", 1, {\"a\":2}]", "/admin bar None 0: 1 {\"a\":2}"),
            ("212[\"foo\"]", "/ foo Some(12) 0: "),
            ("2/7,18446744073709551615[\"a,b\"]", "/7 a,b Some(18446744073709551615) 0: "),
            ("2[\"\\u0066oo\"]", "/ foo None 0: "),
            ("3/admin,13[\"bar\"]", "/admin ack 13 0: \"bar\""),
            ("30[]", "/ ack 0 0: "),
            ("50-[\"baz\"]", "/ baz None 0: "),
            ("52-/admin,7[\"baz\",{},[]]", "/admin baz Some(7) 2: {} []"),
            ("61-15[\"bar\"]", "/ ack 15 1: \"bar\""),
        ] {
            assert_eq!(show(text).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for (error, texts) in [
            (
                BadPacket::Type,
                &["", "7", "9[\"a\"]", "abc", "4", "4{\"message\":\"a\"}", "é", "-1[\"a\"]", " 2[\"a\"]"][..],
            ),
            (
                BadPacket::Attachments,
                &[
                    "5",
                    "5[\"a\"]",
                    "5-[\"a\"]",
                    "5a-[\"a\"]",
                    "5-1-[\"a\"]",
                    "5+1-[\"a\"]",
                    "51.5-[\"a\"]",
                    "6/a,[]",
                ],
            ),
            (BadPacket::Attachments, &["5257-[\"a\"]", "599999999999999999999-[\"a\"]", "51", "6 1-[]"]),
            (
                BadPacket::Id,
                &[
                    "218446744073709551616[\"a\"]",
                    "3[]",
                    "61-[]",
                    "3/a,[]",
                    "01",
                    "11",
                    "0/a,1{}",
                    "12[\"a\"]",
                ],
            ),
            (BadPacket::Payload, &["0[]", "0null", "0\"a\"", "0{", "0{}{}", "0/a,abc", "1{}", "1/a,[]"]),
            (
                BadPacket::Payload,
                &["2", "2/a,", "21", "2{}", "2\"a\"", "2[]", "2[\"a\"", "2[\"a\"]x", "2abc[\"a\"]"],
            ),
            (
                BadPacket::Payload,
                &["2-1[\"a\"]", "2[\"a\",]", "2[\"a\",undefined]", "31", "31{}", "31null", "2[\"\n\"]"],
            ),
            (BadPacket::Event, &["2[1]", "2[null]", "2[[]]", "2[{}]", "2[\"\\ud800\"]", "2[true,\"a\"]"]),
            (BadPacket::Event, &["2[\"connect\"]", "2[\"connect_error\"]", "2[\"disconnect\"]"]),
            (BadPacket::Event, &["2[\"disconnecting\"]", "2[\"newListener\"]", "51-1[\"removeListener\",1]"]),
        ] {
            for text in texts {
                assert_eq!(show(text), Err(error), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(text in r#"[0-9]?[0-9]{0,3}-?(/[a,]{0,3})?[0-9]{0,3}([\[\]{}",:a0]|\PC){0,20}"#) {
            let _ = Packet::parse(&text);
        }
    }
}
