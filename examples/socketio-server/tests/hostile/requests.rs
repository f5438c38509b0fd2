//! Requests that are not HTTP, or not Engine.IO's.

use super::common::PATIENCE;
use super::common::http::Http;
use super::common::polling::Polling;
use super::common::websocket::WebSocket;
use super::{PATIENT, attack};

/// Targets that Engine.IO refuses, in words that a program can read.
const BAD_TARGETS: &[(&str, &str)] = &[
    ("no parameters", "/socket.io/"),
    ("no version", "/socket.io/?transport=polling"),
    ("version 3", "/socket.io/?EIO=3&transport=polling"),
    ("version 44", "/socket.io/?EIO=44&transport=polling"),
    ("version a word", "/socket.io/?EIO=abc&transport=polling"),
    ("version negative", "/socket.io/?EIO=-4&transport=polling"),
    ("no transport", "/socket.io/?EIO=4"),
    ("transport empty", "/socket.io/?EIO=4&transport="),
    ("transport unknown", "/socket.io/?EIO=4&transport=carrier-pigeon"),
    ("transport of another case", "/socket.io/?EIO=4&transport=POLLING"),
    ("transport of objects", "/socket.io/?EIO=4&transport=constructor"),
    ("websocket without an upgrade", "/socket.io/?EIO=4&transport=websocket"),
    ("unknown sid", "/socket.io/?EIO=4&transport=polling&sid=unknown"),
    ("sid of objects", "/socket.io/?EIO=4&transport=polling&sid=__proto__"),
    ("sid with a zero byte", "/socket.io/?EIO=4&transport=polling&sid=%00"),
    ("sid that is not UTF-8", "/socket.io/?EIO=4&transport=polling&sid=%ff%fe"),
    ("sid with half an escape", "/socket.io/?EIO=4&transport=polling&sid=%4"),
    ("sid with a line break", "/socket.io/?EIO=4&transport=polling&sid=a%0d%0aX: y"),
];

#[test]
fn bad_targets() {
    attack(&PATIENT, |server| {
        let long_sid = format!("/socket.io/?EIO=4&transport=polling&sid={}", "a".repeat(6_000));
        for (name, target) in BAD_TARGETS.iter().copied().chain([("a long sid", long_sid.as_str())]) {
            let target = target.replace(' ', "%20");
            for method in ["GET", "POST"] {
                let mut http = Http::open(server.address(), PATIENCE);
                http.send(format!(
                    "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nConnection: close\r\n\r\n4"
                ));
                let response = http.response().unwrap_or_else(|| panic!("{name}: closed"));
                assert_eq!(response.status, 400, "{method}: {name}");
                let is_error = response.text().starts_with('{') && response.text().contains("\"message\":");
                assert!(is_error, "{method}: {name}: {}", response.text());
            }
            if !name.contains("without an upgrade") {
                assert!(WebSocket::open(server.address(), &target, PATIENCE).is_err(), "{name}");
            }
        }
    });
}

#[test]
fn bad_methods() {
    attack(&PATIENT, |server| {
        let session = Polling::open(server.address(), "/socket.io/");
        let opening = "/socket.io/?EIO=4&transport=polling".to_owned();
        for method in ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"] {
            for target in [&opening, &session.target()] {
                let mut http = Http::open(server.address(), PATIENCE);
                http.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"));
                // What HEAD is answered has a length, but no body.
                let status =
                    if method == "HEAD" { http.status() } else { http.response().map(|it| it.status) };
                assert!(matches!(status, Some(400 | 405 | 501)), "{method} {target}: {status:?}");
            }
        }
        assert_eq!(session.post("40").map(|response| response.status), Some(200), "the session is unharmed");
    });
}

/// What is no request, or one that is understood in two ways.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    const GET: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n";
    const POST: &str = "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n";
    let get = |headers: &str| format!("{GET}{headers}\r\n\r\n").into_bytes();
    let post = |headers: &str, body: &str| format!("{POST}{headers}\r\n\r\n{body}").into_bytes();
    vec![
        ("zeroes", vec![0; 1_000]),
        ("beyond ascii", vec![0xff; 1_000]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("an HTTP/2 preface in part", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x05".to_vec()),
        ("no such version", b"GET / HTTP/9.9\r\n\r\n".to_vec()),
        ("words", b"let me in please\r\n\r\n".to_vec()),
        ("a header without colon", get("nonsense")),
        ("a header without name", get(": value")),
        ("a header with a space in its name", get("a b: c")),
        ("a zero byte in a header", get("X: a\0b")),
        ("a line break alone in a header", get("X: a\rb: c")),
        ("a thousand headers", get(&vec!["X: y"; 1_000].join("\r\n"))),
        ("a header of a million bytes", get(&format!("X: {}", "y".repeat(1_000_000)))),
        ("a target of a million bytes", format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(1_000_000)).into()),
        ("negative length", post("Content-Length: -1", "4")),
        ("length not a number", post("Content-Length: ten", "4")),
        ("length beyond counting", post("Content-Length: 99999999999999999999999", "4")),
        ("two lengths", post("Content-Length: 1\r\nContent-Length: 2", "4")),
        ("a bad chunk length", post("Transfer-Encoding: chunked", "oops\r\n4\r\n0\r\n\r\n")),
        ("a chunk length beyond counting", post("Transfer-Encoding: chunked", "fffffffffffffffff\r\n4")),
        ("an encoding nobody knows", post("Transfer-Encoding: morse", "...")),
    ]
}

#[test]
fn garbage_requests() {
    attack(&PATIENT, |server| {
        for (name, bytes) in garbage() {
            let mut http = Http::open(server.address(), PATIENCE);
            http.send(&bytes);
            let status = http.response().map(|response| response.status);
            assert!(matches!(status, None | Some(400..=599)), "{name}: {status:?}");
        }
    });
}

/// Headers of an upgrade that is none.
const BAD_UPGRADES: &[(&str, &str)] = &[
    ("no key", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"),
    (
        "an old version",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    (
        "no version",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    (
        "to something else",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    (
        "without connection",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
];

#[test]
fn bad_upgrades() {
    attack(&PATIENT, |server| {
        for (name, headers) in BAD_UPGRADES {
            let mut http = Http::open(server.address(), PATIENCE);
            http.send(format!(
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n{headers}\r\n\r\n"
            ));
            let status = http.response().map(|response| response.status);
            assert!(matches!(status, None | Some(400..=499)), "{name}: {status:?}");
        }
    });
}
