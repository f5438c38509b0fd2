//! The same packets however they are cut and carried: in one request or several, by chunks of a body, by fragments of
//! WebSocket messages, and whatever the bytes of a connection come together with.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use socketio_server::engineio::CloseReason;

use crate::choices::Choices;
use crate::recorder::{Client, Heard, record};

const SEPARATOR: u8 = 0x1e;

// Kinds of WebSocket frames.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Sends a payload of Engine.IO to the example's server in all ways that there are. In each it hears the same.
pub fn chunks(data: &[u8]) {
    let mut choices = Choices::new(data);
    let slack = choices.one_of(&[1 << 20, 1, 0]);
    let cuts = Cuts(choices.bytes());
    let payload = choices.rest();
    let limit = (payload.len() + slack).saturating_sub(1);
    let expected =
        if payload.len() > limit { vec![Heard::End(CloseReason::TooLarge)] } else { read(payload) };

    let whole = record(limit, async |client| {
        client.open().await;
        client.post(&[payload]).await;
    });
    assert_eq!(whole, expected, "in one piece");
    let pieces = record(limit, async |client| {
        client.open().await;
        client.post(&cuts.cut(payload)).await;
    });
    assert_eq!(pieces, expected, "in pieces");
    let chunked = record(limit, async |client| {
        client.open().await;
        client.post_chunked(&cuts.cut(payload)).await;
    });
    assert_eq!(chunked, expected, "in chunks");
    if payload.len() > limit || std::str::from_utf8(payload).is_err() {
        return; // a part of it may be fine
    }
    let several = record(limit, async |client| {
        client.open().await;
        for part in cuts.group(payload) {
            client.post(&[part]).await;
        }
    });
    assert_eq!(several, expected, "in several requests");
    let mut frames = record(limit, async |client| carry(client, payload, &cuts).await);
    if !matches!(expected.last(), Some(Heard::End(_))) {
        assert_eq!(frames.pop(), Some(Heard::End(CloseReason::Transport)), "the client has left");
    }
    assert_eq!(frames, expected, "over WebSocket");
}

/// Where to cut: after so many bytes each, over and over. Without any, nowhere.
struct Cuts<'a>(&'a [u8]);

impl Cuts<'_> {
    fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|&size| usize::from(size).max(1)).cycle().chain(std::iter::repeat(usize::MAX))
    }

    /// Cuts bytes into pieces, none of which is empty.
    fn cut<'b>(&self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        for size in self.sizes() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at(size.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// Cuts a payload between packets, so many of which go together.
    fn group<'b>(&self, payload: &'b [u8]) -> Vec<&'b [u8]> {
        let ends = payload.iter().enumerate().filter(|(_, byte)| **byte == SEPARATOR).map(|(place, _)| place);
        let mut sizes = self.sizes();
        let mut left = sizes.next();
        let (mut groups, mut start) = (Vec::new(), 0);
        for end in ends {
            left = left.map(|left| left - 1);
            if left == Some(0) {
                groups.push(&payload[start..end]);
                (start, left) = (end + 1, sizes.next());
            }
        }
        groups.push(&payload[start..]);
        groups
    }
}

/// What a payload says, read by the protocol's own words.
fn read(payload: &[u8]) -> Vec<Heard> {
    let refused = |words: &'static str| Heard::End(CloseReason::Protocol(words.into()));
    let Ok(text) = std::str::from_utf8(payload) else {
        return vec![refused("a payload that is no text")];
    };
    let mut heard = Vec::new();
    for packet in text.split(char::from(SEPARATOR)) {
        let mut rest = packet.chars();
        heard.push(match (rest.next(), rest.as_str()) {
            (Some('b'), base64) => match binary(base64) {
                Some(bytes) => Heard::Binary(bytes),
                None => refused("bad packet"),
            },
            (Some('4'), text) => Heard::Text(text.to_owned()),
            (Some('3'), _) => continue,
            (Some('2'), _) => refused("pings are for the server to send"),
            (Some('1'), "") => Heard::End(CloseReason::Client),
            (Some('5'), "") => refused("there is nothing to upgrade"),
            _ => refused("bad packet"),
        });
        if matches!(heard.last(), Some(Heard::End(_))) {
            break;
        }
    }
    heard
}

/// Padded, or not, or by half.
fn binary(base64: &str) -> Option<Vec<u8>> {
    let halved = || STANDARD.decode(format!("{base64}="));
    STANDARD.decode(base64).or_else(|_| STANDARD_NO_PAD.decode(base64)).or_else(|_| halved()).ok()
}

/// Sends the packets of a payload as WebSocket messages, in fragments, and leaves.
async fn carry(client: &mut Client, payload: &[u8], cuts: &Cuts<'_>) {
    client.open_websocket().await;
    let mut bytes = Vec::new();
    for packet in payload.split(|&byte| byte == SEPARATOR) {
        let attachment = packet.strip_prefix(b"b").and_then(|text| binary(std::str::from_utf8(text).ok()?));
        let (kind, content) = match &attachment {
            Some(attachment) => (BINARY, &attachment[..]),
            None => (TEXT, packet),
        };
        let fragments = cuts.cut(content);
        let last = fragments.len().saturating_sub(1);
        if fragments.is_empty() {
            push_frame(&mut bytes, kind, true, &[]);
        }
        for (place, fragment) in fragments.iter().enumerate() {
            push_frame(&mut bytes, if place == 0 { kind } else { CONTINUATION }, place == last, fragment);
            if fragment.len() % 2 == 1 {
                push_frame(&mut bytes, PING, true, &[]); // may come at any time
            }
        }
    }
    push_frame(&mut bytes, CLOSE, true, &[]);
    client.send(&cuts.cut(&bytes)).await;
    client.finish().await;
}

fn push_frame(bytes: &mut Vec<u8>, kind: u8, is_last: bool, content: &[u8]) {
    const MASKED: u8 = 0x80;
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    bytes.push(u8::from(is_last) << 7 | kind);
    match content.len() {
        length @ 0..=125 => bytes.push(MASKED | length as u8),
        length => {
            bytes.push(MASKED | 126);
            bytes.extend(u16::try_from(length).expect("inputs are small").to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(content.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}
