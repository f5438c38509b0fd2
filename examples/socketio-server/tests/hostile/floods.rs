//! Too much of what is right.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::common::PATIENCE;
use super::common::polling::Polling;
use super::common::server::Server;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::common::well_behaved::Mode;
use super::{IMPATIENT, PATIENT, attack, attack_in};

/// How much memory one client may make the server use.
const ONE_CLIENT: u64 = 64 << 20;
/// How long a flood may take until it is served or refused.
const FLOODED: Duration = Duration::from_secs(10);

/// Reads until the session ends or the answer to `done` is there.
fn read_until_done(socket: &mut WebSocket) -> Vec<String> {
    let mut received = Vec::new();
    while let Incoming::Text(packet) = socket.next() {
        let is_last = packet == DONE_BACK;
        received.push(packet);
        if is_last {
            break;
        }
    }
    received
}

const DONE: &str = r#"42["message","done"]"#;
const DONE_BACK: &str = r#"42["message-back","done"]"#;

#[test]
fn ten_thousand_packets_in_a_payload() {
    attack(&PATIENT, |server| {
        for packet in ["3", r#"42["message",1]"#] {
            let session = Polling::connected(server.address());
            let status = session.post(vec![packet; 10_000].join("\u{1e}")).map(|response| response.status);
            if status == Some(200) {
                assert_eq!(
                    session.post(r#"42["message-with-ack"]"#).unwrap().status,
                    200,
                    "taken, and unharmed"
                );
            } else {
                assert!(matches!(status, None | Some(400 | 413)), "{status:?}");
                assert!(session.is_gone(), "refused, and closed");
            }
        }
    });
}

const EVENTS: usize = 100_000;

/// No ping comes in between, which could not be answered in the middle of a flood.
const UNHURRIED: [&str; 2] = ["--ping-interval", "60000"];
/// How often one client connects and disconnects.
const ROUNDS: usize = 2_000;

fn numbered(number: usize) -> Vec<u8> {
    Frame::text(format!(r#"42["message",{number}]"#)).encode()
}

fn flood() -> Vec<u8> {
    (0..EVENTS).flat_map(numbered).collect()
}

/// One who reads gets all answers, each once and in order. Those that it is too slow for are counted.
#[test]
fn a_hundred_thousand_events_answered() {
    attack(&UNHURRIED, |server| {
        let mut socket = WebSocket::connected(server.address(), FLOODED);
        let mut writer = socket.writer();
        let sender = thread::spawn(move || writer.write_all(&flood()));
        let mut next = 0;
        while next < EVENTS {
            let Incoming::Text(packet) = socket.next() else { panic!("ended after {next}") };
            match missed(&packet) {
                Some(count) => next += count,
                None => {
                    assert_eq!(packet, format!(r#"42["message-back",{next}]"#));
                    next += 1;
                }
            }
        }
        sender.join().unwrap().unwrap();
    });
}

/// How many messages are missing here, if that is what a packet says.
fn missed(packet: &str) -> Option<usize> {
    let count = packet.strip_prefix(r#"42["gap",{"missed":"#)?.split(',').next()?;
    Some(count.parse().unwrap())
}

/// Sends what it can, and reads nothing until it is stuck or cut off: what that costs the server is bounded. It
/// answers no ping, so it is ended.
fn assert_bounded(server: &Server, mut socket: WebSocket, packet: &Frame, count: usize) {
    let before = server.resident_bytes();
    let mut writer = socket.writer();
    writer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    drop(writer.write_all(&packet.encode().repeat(count)));
    let used = server.resident_bytes().saturating_sub(before);
    assert!(used < ONE_CLIENT, "{used} bytes for one client");
    socket.assert_ends();
}

#[test]
fn a_hundred_thousand_events_from_one_who_does_not_read() {
    attack(&IMPATIENT, |server| {
        let socket = WebSocket::connected(server.address(), FLOODED);
        assert_bounded(server, socket, &Frame::text(r#"42["message",1]"#), EVENTS);
    });
}

#[test]
fn a_hundred_thousand_big_events_from_one_who_does_not_read() {
    attack(&IMPATIENT, |server| {
        let socket = WebSocket::connected(server.address(), FLOODED);
        let packet = Frame::text(format!(r#"42["message","{}"]"#, "x".repeat(1_000)));
        assert_bounded(server, socket, &packet, EVENTS);
    });
}

#[test]
fn a_hundred_thousand_echoes_to_one_who_does_not_read() {
    attack_in(Mode::EngineOnly, &IMPATIENT, |server| {
        // Empty ones take room, too.
        for (packet, count) in [
            (Frame::text("4hello"), EVENTS),
            (Frame::binary([1; 1_000]), EVENTS),
            (Frame::binary([]), 40 * EVENTS),
        ] {
            let socket = WebSocket::session(server.address(), "/engine.io/", FLOODED);
            assert_bounded(server, socket, &packet, count);
        }
    });
}

/// Each is to be answered, whether that is read or not.
#[test]
fn a_million_pings_of_websocket_from_one_who_does_not_read() {
    attack(&IMPATIENT, |server| {
        let socket = WebSocket::connected(server.address(), FLOODED);
        assert_bounded(server, socket, &Frame::new(9, [0; 125]), 10 * EVENTS);
    });
}

/// What is kept of an attachment is what it has, and not what came before it in the same read.
#[test]
fn small_attachments_behind_large_packets() {
    attack(&UNHURRIED, |server| {
        let before = server.resident_bytes();
        let mut socket = WebSocket::connected(server.address(), FLOODED);
        let unasked = format!(r#"431["{}"]"#, "x".repeat(900_000));
        let event = r#"451-["message",{"_placeholder":true,"num":0},1]"#;
        let round = [Frame::text(unasked), Frame::text(event), Frame::binary([1])];
        let bytes: Vec<_> = round.iter().flat_map(Frame::encode).collect();
        assert!((0..150).all(|_| socket.send_bytes(&bytes)), "cut off");
        socket.send(&Frame::text(DONE));
        let used = server.resident_bytes().saturating_sub(before);
        assert!(used < ONE_CLIENT, "{used} bytes for one client");
    });
}

#[test]
fn a_thousand_namespaces() {
    attack(&UNHURRIED, |server| {
        let mut socket = WebSocket::connected(server.address(), FLOODED);
        let connects: Vec<_> =
            (0..1_000).flat_map(|number| Frame::text(format!("40/nowhere-{number},")).encode()).collect();
        socket.send_bytes(&connects);
        socket.send(&Frame::text(DONE));
        // In different namespaces, so in no order.
        let received: Vec<_> = (0..1_001).map(|_| socket.next()).collect();
        let count = |is_so: fn(&str) -> bool| {
            received.iter().filter(|packet| matches!(packet, Incoming::Text(text) if is_so(text))).count()
        };
        assert_eq!(count(|packet| packet.starts_with("44/nowhere-")), 1_000);
        assert_eq!(count(|packet| packet == DONE_BACK), 1);
    });
}

#[test]
fn connecting_and_disconnecting() {
    attack(&UNHURRIED, |server| {
        let mut socket = WebSocket::connected(server.address(), FLOODED);
        let mut writer = socket.writer();
        let sender = thread::spawn(move || {
            let round = [Frame::text("41").encode(), Frame::text("40").encode()].concat();
            writer.write_all(&round.repeat(ROUNDS))?;
            writer.write_all(&Frame::text(DONE).encode())
        });
        let received = read_until_done(&mut socket);
        drop(sender.join().unwrap()); // an error if it was cut off
        let connected = received.iter().filter(|packet| packet.starts_with("40{")).count();
        assert!(connected <= ROUNDS, "{connected} connects");
    });
}

#[test]
fn connections_opened_and_dropped() {
    attack(&PATIENT, |server| {
        for number in 0..500 {
            let mut socket = WebSocket::session(server.address(), "/socket.io/", PATIENCE);
            if number % 2 == 0 {
                socket.send(&Frame::text("40"));
                socket.send(&Frame::text(r#"42["message",1]"#));
            }
        }
    });
}

#[test]
fn two_thousand_sessions_abandoned() {
    attack(&IMPATIENT, |server: &Server| {
        let sessions: Vec<_> = (0..2_000).map(|_| Polling::open(server.address(), "/socket.io/")).collect();
        let deadline = Instant::now() + FLOODED;
        for session in sessions {
            while session.get().is_some_and(|response| response.status != 400) {
                assert!(Instant::now() < deadline, "an abandoned session is kept");
            }
        }
    });
}
