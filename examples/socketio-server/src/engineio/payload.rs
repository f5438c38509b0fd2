//! Payloads, in which the bodies of polling requests carry packets: separated, and binary ones as base64.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::packet::{BadPacket, Message, Packet, Received};

const SEPARATOR: char = '\x1e';
const BINARY: char = 'b';

/// Pads what it writes, and reads base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, READ_ANY);
const READ_ANY: GeneralPurposeConfig = PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Writes packets as one payload.
pub(super) fn encode(packets: &[Packet]) -> String {
    let mut payload = String::with_capacity(packets.iter().map(|packet| packet.size() + 1).sum());
    for (place, packet) in packets.iter().enumerate() {
        if place > 0 {
            payload.push(SEPARATOR);
        }
        match packet {
            Packet::Text(text) => payload.push_str(text),
            Packet::Binary(bytes) => {
                payload.push(BINARY);
                BASE64.encode_string(bytes, &mut payload);
            }
        }
    }
    payload
}

/// Reads the packets of a payload, one after the other.
pub(super) fn decode(payload: &str) -> impl Iterator<Item = Result<Received<'_>, BadPacket>> {
    payload.split(SEPARATOR).map(|packet| match packet.strip_prefix(BINARY) {
        Some(base64) => match BASE64.decode(base64) {
            Ok(bytes) => Ok(Received::Message(Message::Binary(bytes.into()))),
            Err(_) => Err(BadPacket),
        },
        None => Received::parse(packet),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn binary(bytes: &'static [u8]) -> Result<Received<'static>, BadPacket> {
        Ok(Received::Message(Message::Binary(Bytes::from_static(bytes))))
    }

    fn text(text: &str) -> Result<Received<'_>, BadPacket> {
        Ok(Received::Message(Message::Text(text)))
    }

    #[test]
    fn packets_are_separated_and_bytes_are_base64() {
        let packets = [
            Packet::message(5, |text| text.push_str("hello")),
            Packet::ping(),
            Packet::Binary(Bytes::from_static(&[1, 2, 3, 4])),
            Packet::Binary(Bytes::new()),
        ];
        assert_eq!(encode(&packets), "4hello\x1e2\x1ebAQIDBA==\x1eb");
        assert_eq!(encode(&[]), "");
    }

    #[test]
    fn payloads_are_read_packet_by_packet() {
        let all = |payload| decode(payload).collect::<Vec<_>>();
        assert_eq!(all("4a\x1e3\x1e4"), [text("a"), Ok(Received::Pong), text("")]);
        assert_eq!(
            all("bAQIDBA==\x1ebAQIDBA=\x1ebAQIDBA\x1eb"),
            [binary(&[1, 2, 3, 4]), binary(&[1, 2, 3, 4]), binary(&[1, 2, 3, 4]), binary(&[])]
        );
        assert_eq!(all(""), [Err(BadPacket)]);
        assert_eq!(all("4a\x1e"), [text("a"), Err(BadPacket)]);
        assert_eq!(all("b*\x1e4a"), [Err(BadPacket), text("a")]);
        assert_eq!(all("bAQIDBA=4"), [Err(BadPacket)]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(messages in proptest::collection::vec(
            prop_oneof![
                "[^\x1e]*".prop_map(Ok),
                proptest::collection::vec(any::<u8>(), 0..50).prop_map(Err),
            ],
            1..8,
        )) {
            let packets: Vec<_> = messages.iter().map(|message| match message {
                Ok(text) => Packet::message(text.len(), |buffer| buffer.push_str(text)),
                Err(bytes) => Packet::Binary(bytes.clone().into()),
            }).collect();
            let payload = encode(&packets);
            let read: Result<Vec<_>, _> = decode(&payload).collect();
            let expected: Vec<_> = messages.iter().map(|message| Received::Message(match message {
                Ok(text) => Message::Text(text),
                Err(bytes) => Message::Binary(bytes.clone().into()),
            })).collect();
            prop_assert_eq!(read, Ok(expected));
        }

        #[test]
        fn anything_is_read_without_a_panic(payload in "(\x1e|b|[0-9]|=|\\PC){0,40}") {
            prop_assert!(decode(&payload).count() > 0);
        }
    }
}
