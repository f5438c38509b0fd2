//! WebSocket frames that break its rules.

use super::common::PATIENCE;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::{MAX_PAYLOAD, PATIENT, attack};

const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Frames that end the session, after which another would have been answered.
fn table() -> Vec<(&'static str, Vec<Frame>)> {
    let text = || Frame::text(r#"42["message",1]"#);
    let big = "x".repeat(MAX_PAYLOAD);
    vec![
        ("unmasked text", vec![text().unmasked()]),
        ("unmasked binary", vec![Frame::binary([1]).unmasked()]),
        ("reserved bit 1: no compression was agreed on", vec![text().reserved(0x40)]),
        ("reserved bit 2", vec![text().reserved(0x20)]),
        ("reserved bit 3", vec![text().reserved(0x10)]),
        ("reserved data opcode", vec![Frame::new(3, "x")]),
        ("reserved control opcode", vec![Frame::new(11, "")]),
        ("continuation of nothing", vec![Frame::new(0, "x")]),
        ("a message inside of another", vec![text().unfinished(), text()]),
        ("a ping in fragments", vec![Frame::new(PING, "x").unfinished()]),
        ("a ping of 126 bytes", vec![Frame::new(PING, vec![b'x'; 126])]),
        ("text that is not UTF-8", vec![Frame::new(1, [b'4', b'2', 0xff, 0xfe])]),
        ("text that ends within a character", vec![Frame::new(1, [b'4', 0xe2, 0x82])]),
        ("text that encodes a surrogate", vec![Frame::new(1, [b'4', 0xed, 0xa0, 0x80])]),
        ("fragments that are not UTF-8", vec![Frame::new(1, "4").unfinished(), Frame::new(0, [0xff])]),
        ("a close frame of one byte", vec![Frame::new(CLOSE, [3])]),
        ("a close frame with no such code", vec![Frame::new(CLOSE, [0, 1])]),
        ("a close frame whose words are not UTF-8", vec![Frame::new(CLOSE, [3, 0xe8, 0xff])]),
        ("one byte too much", vec![Frame::text(format!("42{big}"))]),
        ("one byte too much, binary", vec![Frame::binary(format!("{big}x"))]),
        ("too much, as announced", vec![text().announcing(MAX_PAYLOAD as u64 + 1)]),
        ("4 GiB announced", vec![text().announcing(1 << 32)]),
        ("2^63 bytes announced", vec![text().announcing(1 << 63)]),
        ("all the bytes there are announced", vec![text().announcing(u64::MAX)]),
    ]
}

#[test]
fn bad_frames() {
    attack(&PATIENT, |server| {
        for (name, frames) in table() {
            let mut socket = WebSocket::connected(server.address(), PATIENCE);
            frames.iter().for_each(|frame| {
                socket.send(frame);
            });
            socket.send(&Frame::text(r#"42["message","still there"]"#));
            assert_eq!(socket.next_where(|packet| packet.contains("still there")), None, "{name}");
        }
    });
}

#[test]
fn a_message_of_fragments_without_end() {
    attack(&PATIENT, |server| {
        for (size, count) in [(1_000, 2 * MAX_PAYLOAD / 1_000), (0, 100_000)] {
            let mut socket = WebSocket::connected(server.address(), PATIENCE);
            let fragment = |opcode| Frame::new(opcode, vec![b'4'; size]).unfinished().encode();
            let all = [fragment(1), fragment(0).repeat(count)].concat();
            // Empty fragments do not add up to anything: as long as the server takes them, it may.
            if !socket.send_bytes(&all) || size > 0 {
                assert_eq!(socket.next(), Incoming::Closed, "fragments of {size}");
            }
        }
    });
}

#[test]
fn frames_that_are_odd_but_right() {
    attack(&PATIENT, |server| {
        let mut socket = WebSocket::connected(server.address(), PATIENCE);
        for byte in Frame::text(r#"42["message",1]"#).encode() {
            socket.send_bytes(&[byte]);
        }
        assert_eq!(socket.next(), Incoming::Text(r#"42["message-back",1]"#.to_owned()));
        let pieces = [Frame::new(1, r#"42["mes"#).unfinished(), Frame::new(0, "").unfinished()];
        pieces.iter().for_each(|piece| {
            socket.send(piece);
        });
        socket.send(&Frame::new(0, r#"sage",2]"#));
        assert_eq!(socket.next(), Incoming::Text(r#"42["message-back",2]"#.to_owned()));
        socket.send(&Frame::new(CLOSE, [3, 0xe8]));
        assert_eq!(socket.next(), Incoming::Closed);
    });
}
