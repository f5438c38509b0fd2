//! Sessions that are used in ways in which a session is not to be used.

use std::thread;
use std::time::{Duration, Instant};

use super::common::PATIENCE;
use super::common::http::Response;
use super::common::polling::Polling;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::{PATIENT, attack};

/// How long the server takes at most to read a request that is there, on a machine that is busy.
const TAKEN_UP: Duration = Duration::from_millis(300);

fn upgrade_target(session: &Polling) -> String {
    session.target().replace("transport=polling", "transport=websocket")
}

/// Upgrades a session, and returns its new transport.
fn upgrade(address: std::net::SocketAddr, session: &Polling) -> WebSocket {
    let mut socket = WebSocket::open(address, &upgrade_target(session), PATIENCE).unwrap();
    socket.send(&Frame::text("2probe"));
    assert_eq!(socket.next(), Incoming::Text("3probe".to_owned()));
    socket.send(&Frame::text("5"));
    socket
}

fn status(response: Option<Response>) -> Option<u16> {
    response.map(|response| response.status)
}

#[test]
fn two_polls_at_a_time() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let mut polls = [session.begin_get(PATIENCE), session.begin_get(PATIENCE)];
        let mut answers = polls.each_mut().map(|poll| {
            let response = poll.response().unwrap();
            (response.status, response.text().to_owned())
        });
        answers.sort();
        assert_eq!(answers[0], (200, "1".to_owned()), "the first is told that the session is closed");
        assert_eq!(answers[1].0, 400);
        assert!(session.is_gone());
    });
}

#[test]
fn two_posts_at_a_time() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let mut first = session.begin_post("Content-Length: 100");
        first.send("42[");
        // Each may still overtake the first.
        let start = Instant::now();
        while status(session.post(r#"42["message",1]"#)) == Some(200) {
            assert!(start.elapsed() < PATIENCE, "the session goes on");
        }
        assert!(session.is_gone());
        assert_ne!(status(first.response()), Some(200));
    });
}

#[test]
fn a_session_that_was_closed() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        assert_eq!(status(session.post("1")), Some(200));
        assert_eq!(status(session.get()), Some(400), "polled");
        assert_eq!(status(session.post("40")), Some(400), "posted to");
        assert!(WebSocket::open(server.address(), &upgrade_target(&session), PATIENCE).is_err(), "upgraded");
    });
}

#[test]
fn packets_after_the_closing_one() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let _ = session.post("1\u{1e}42[\"message\",1]");
        assert!(session.is_gone());
        let mut socket = WebSocket::connected(server.address(), PATIENCE);
        socket.send(&Frame::text("1"));
        socket.send(&Frame::text(r#"42["message",1]"#));
        assert_eq!(socket.next(), Incoming::Closed);
    });
}

#[test]
fn a_session_that_was_upgraded() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let mut socket = upgrade(server.address(), &session);
        // Answered, so the upgrade is complete.
        socket.send(&Frame::text(r#"42["message",1]"#));
        assert_eq!(socket.next(), Incoming::Text(r#"42["message-back",1]"#.to_owned()));
        assert_eq!(status(session.get()), Some(400), "polled");
        assert_eq!(status(session.post("40")), Some(400), "posted to");
        if let Ok(mut second) = WebSocket::open(server.address(), &upgrade_target(&session), PATIENCE) {
            assert_eq!(second.next(), Incoming::Closed, "upgraded once more");
        }
        socket.send(&Frame::text(r#"42["message",2]"#));
        assert_eq!(socket.next(), Incoming::Text(r#"42["message-back",2]"#.to_owned()), "unharmed");
    });
}

#[test]
fn upgrades_that_are_none() {
    attack(&PATIENT, |server| {
        for packets in [&["5"][..], &["3probe"], &["2prob"], &["4hello"], &["2probe", "2probe", "4hello"]] {
            let session = Polling::connected(server.address());
            let mut socket = WebSocket::open(server.address(), &upgrade_target(&session), PATIENCE).unwrap();
            for packet in packets {
                socket.send(&Frame::text(*packet));
            }
            let ended =
                std::iter::from_fn(|| Some(socket.next())).find(|it| *it != Incoming::Text("3probe".into()));
            assert_eq!(ended, Some(Incoming::Closed), "{packets:?}");
            assert_eq!(status(session.post(r#"42["message",1]"#)), Some(200), "{packets:?}: polling goes on");
            let answered = std::iter::from_fn(|| session.get()).find(|response| response.text() != "6");
            assert_eq!(answered.unwrap().text(), r#"42["message-back",1]"#, "{packets:?}");
        }
    });
}

#[test]
fn a_websocket_session_polled() {
    attack(&PATIENT, |server| {
        let mut socket =
            WebSocket::open(server.address(), "/socket.io/?EIO=4&transport=websocket", PATIENCE).unwrap();
        let Incoming::Text(open) = socket.next() else { panic!("no open packet") };
        let sid = open.split('"').nth(3).unwrap();
        let thief = Polling::stolen(server.address(), "/socket.io/", sid);
        assert_eq!(status(thief.get()), Some(400));
        assert_eq!(status(thief.post("1")), Some(400));
        socket.send(&Frame::text("40"));
        assert!(matches!(socket.next(), Incoming::Text(packet) if packet.starts_with("40{")), "unharmed");
    });
}

#[test]
fn a_poll_that_is_cancelled() {
    attack(&PATIENT, |server| {
        let session = Polling::connected(server.address());
        let poll = session.begin_get(PATIENCE);
        thread::sleep(TAKEN_UP); // a poll that the server has not read yet is none to it
        drop(poll);
        // It is noticed when the connection is, which may take a moment.
        let start = Instant::now();
        while !session.is_gone() {
            assert!(start.elapsed() < PATIENCE, "a session whose poll was cancelled goes on");
        }
    });
}
