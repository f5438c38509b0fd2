//! Bodies of POST requests that are too much, or no payload.

use super::common::polling::Polling;
use super::{MAX_PAYLOAD, PATIENT, attack};

/// Payloads that end the session.
const BAD_PAYLOADS: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("not a packet", b"abc"),
    ("not UTF-8", b"42[\"message\",\"\xff\xfe\"]"),
    ("half a character", b"42[\"message\",\"\xe2\x82\"]"),
    ("separators alone", b"\x1e\x1e\x1e"),
    ("an empty packet at the end", b"42[\"message\",1]\x1e"),
    ("an empty packet at the start", b"\x1e42[\"message\",1]"),
    ("the separator of the third protocol", b"15:42[\"message\",1]"),
    ("binary that is not base64", b"b!!!!"),
    ("base64 of an impossible length", b"bAAAAA"),
    ("base64 with padding inside", b"bAA=AAAA="),
    ("base64 with line breaks", b"bAA\nAA"),
    ("zeroes", &[0; 100]),
    ("bad after good", b"42[\"message\",1]\x1eabc"),
];

#[test]
fn bad_payloads() {
    attack(&PATIENT, |server| {
        for (name, payload) in BAD_PAYLOADS {
            let session = Polling::connected(server.address());
            let status = session.post(payload).map(|response| response.status);
            assert!(matches!(status, None | Some(400)), "{name}: {status:?}");
            assert!(session.is_gone(), "{name}");
        }
    });
}

#[test]
fn a_payload_of_the_greatest_size() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let text = "x".repeat(MAX_PAYLOAD - r#"42["message",""]"#.len());
        assert_eq!(session.post(format!(r#"42["message","{text}"]"#)).unwrap().status, 200);
        assert_eq!(session.get().unwrap().text(), format!(r#"42["message-back","{text}"]"#));
    });
}

#[test]
fn bodies_that_are_too_much() {
    attack(&PATIENT, |server| {
        let mebibyte = "4".repeat(1 << 20);
        for announced in [MAX_PAYLOAD + 1, 1 << 20, 1 << 40] {
            let session = Polling::connected(server.address());
            let mut http = session.begin_post(&format!("Content-Length: {announced}"));
            let _ = http.send(&mebibyte[..announced.min(1 << 20)]);
            let status = http.response().map(|response| response.status);
            assert!(matches!(status, None | Some(400 | 413)), "{announced} bytes: {status:?}");
            assert!(session.is_gone(), "{announced} bytes");
        }
    });
}

#[test]
fn bodies_that_are_announced_to_be_too_much() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let mut http = session.begin_post("Content-Length: 1000000000");
        let status = http.response().map(|response| response.status);
        assert!(matches!(status, None | Some(400 | 413)), "before any of it is sent: {status:?}");
        assert!(session.is_gone());
    });
}

#[test]
fn chunks_without_end() {
    attack(&PATIENT, |server| {
        for size in [20, 50_000] {
            let session = Polling::connected(server.address());
            let mut http = session.begin_post("Transfer-Encoding: chunked");
            let chunk = format!("{size:x}\r\n{}\r\n", "4".repeat(size));
            let burst = chunk.repeat(50_000 / size);
            let taken = (0..20).take_while(|_| http.send(&burst)).count();
            let status = http.response().map(|response| response.status);
            assert!(
                matches!(status, None | Some(400 | 413)),
                "chunks of {size}: {status:?} after {taken} bursts"
            );
            assert!(session.is_gone(), "chunks of {size}");
        }
    });
}

#[test]
fn chunks_that_are_right() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let mut http = session.begin_post("Transfer-Encoding: chunked");
        for byte in r#"42["message",1]"#.chars() {
            http.send(format!("1;note=x\r\n{byte}\r\n"));
        }
        http.send("0\r\n\r\n");
        assert_eq!(http.response().unwrap().text(), "ok");
        assert_eq!(session.get().unwrap().text(), r#"42["message-back",1]"#);
    });
}
