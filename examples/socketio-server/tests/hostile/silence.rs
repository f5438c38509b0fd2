//! Clients that begin something and do not go on with it.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::common::http::Http;
use super::common::polling::Polling;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::{IMPATIENT, attack};

/// How long the slowest limit takes, that of a request's head, and then some.
const SLOWEST: Duration = Duration::from_secs(15);
/// How long the heartbeat takes, and then some.
const HEARTBEAT: Duration = Duration::from_secs(2);

fn silent_after_connecting(address: SocketAddr) {
    WebSocket::connected(address, HEARTBEAT).assert_ends();
}

fn silent_before_connecting(address: SocketAddr) {
    WebSocket::session(address, "/socket.io/", HEARTBEAT).assert_ends();
}

fn silent_within_a_frame(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, HEARTBEAT);
    socket.send(&Frame::text("4").announcing(1000));
    socket.assert_ends();
}

fn silent_within_a_message(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, HEARTBEAT);
    socket.send(&Frame::text("42[").unfinished());
    socket.assert_ends();
}

fn silent_where_attachments_are_due(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, HEARTBEAT);
    socket
        .send(&Frame::text(r#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#));
    socket.send(&Frame::binary([1]));
    socket.assert_ends();
}

/// It answers pings, and joins nothing.
fn alive_but_in_no_namespace(address: SocketAddr) {
    let mut socket = WebSocket::session(address, "/socket.io/", HEARTBEAT);
    let start = Instant::now();
    while let Incoming::Text(packet) = socket.next() {
        assert_eq!(packet, "2");
        assert!(start.elapsed() < HEARTBEAT, "it is waited for");
        socket.send(&Frame::text("3"));
    }
}

/// It answers with pings of WebSocket, which are no heartbeat of Engine.IO.
fn pongs_of_another_kind(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, HEARTBEAT);
    let start = Instant::now();
    while let Incoming::Text(packet) = socket.next() {
        assert_eq!(packet, "2");
        assert!(start.elapsed() < HEARTBEAT, "it is taken for alive");
        socket.send(&Frame::new(10, ""));
    }
}

fn polls_abandoned(address: SocketAddr) {
    let sessions: Vec<_> = (0..20).map(|_| Polling::open(address, "/socket.io/")).collect();
    let deadline = Instant::now() + HEARTBEAT;
    for session in sessions {
        // Polled to see whether it is there, and not posted to, which might be taken for a sign of life.
        while session.get().is_some_and(|response| response.status != 400) {
            assert!(Instant::now() < deadline, "an abandoned session is kept");
        }
    }
}

fn upgrade_abandoned(address: SocketAddr) {
    let session = Polling::connected(address);
    let target = session.target().replace("polling", "websocket");
    let mut socket = WebSocket::open(address, &target, SLOWEST).unwrap();
    socket.send(&Frame::text("2probe"));
    socket.assert_ends();
}

fn head_in_drops(address: SocketAddr) {
    let mut http = Http::open(address, SLOWEST);
    let start = Instant::now();
    while http.send("X") {
        assert!(start.elapsed() < SLOWEST, "a head without end is read");
        thread::sleep(Duration::from_millis(50)); // its way to be slow
    }
}

fn no_head_at_all(address: SocketAddr) {
    let refused = Http::open(address, SLOWEST).response();
    assert!(refused.is_none_or(|response| response.status == 408));
}

fn half_a_head(address: SocketAddr) {
    let mut http = Http::open(address, SLOWEST);
    http.send("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost:");
    let refused = http.response();
    assert!(refused.is_none_or(|response| (400..500).contains(&response.status)));
}

fn body_in_drops(address: SocketAddr) {
    let session = Polling::connected(address);
    let mut http = session.begin_post("Content-Length: 100000");
    let start = Instant::now();
    while http.send("4") {
        assert!(start.elapsed() < SLOWEST, "a body without end is read");
        thread::sleep(Duration::from_millis(50)); // its way to be slow
    }
    assert!(session.is_gone());
}

fn half_a_body(address: SocketAddr) {
    let session = Polling::connected(address);
    let mut http = session.begin_post("Content-Length: 100000");
    http.send("42[");
    let refused = http.response();
    assert!(refused.is_none_or(|response| (400..500).contains(&response.status)));
    assert!(session.is_gone());
}

/// It asks for a great deal and reads nothing, so that the server cannot send.
fn deaf(address: SocketAddr) {
    let mut socket = WebSocket::connected(address, SLOWEST);
    let mut writer = socket.writer();
    writer.set_write_timeout(Some(HEARTBEAT)).unwrap();
    let big = Frame::text(format!(r#"42["message","{}"]"#, "x".repeat(100_000))).encode();
    for _ in 0..500 {
        if writer.write_all(&big).is_err() {
            break;
        }
    }
    // What was on its way still comes, and then the end.
    socket.assert_ends();
}

type Client = fn(SocketAddr);

const CLIENTS: &[(&str, Client)] = &[
    ("silent after connecting", silent_after_connecting),
    ("silent before connecting", silent_before_connecting),
    ("silent within a frame", silent_within_a_frame),
    ("silent within a message", silent_within_a_message),
    ("silent where attachments are due", silent_where_attachments_are_due),
    ("alive but in no namespace", alive_but_in_no_namespace),
    ("pongs of another kind", pongs_of_another_kind),
    ("polls abandoned", polls_abandoned),
    ("upgrade abandoned", upgrade_abandoned),
    ("head in drops", head_in_drops),
    ("no head at all", no_head_at_all),
    ("half a head", half_a_head),
    ("body in drops", body_in_drops),
    ("half a body", half_a_body),
    ("deaf", deaf),
];

#[test]
fn silence() {
    attack(&IMPATIENT, |server| {
        let address = server.address();
        thread::scope(|scope| {
            for (name, client) in CLIENTS {
                thread::Builder::new()
                    .name((*name).to_owned())
                    .spawn_scoped(scope, move || client(address))
                    .unwrap();
            }
        });
    });
}
