//! What the references get wrong in table 1f: answers.
//!
//! | row | reference | what it does | here |
//! |---|---|---|---|
//! | 1f broadcast | Socket.IO | `emitWithAck` is on operators, not on the server | [`ref_1f_everything_that_emits_can_ask`] |
//! | 1f broadcast | Socket.IO | without a timeout it fails after a millisecond or two | [`ref_1f_without_a_timeout_answers_are_waited_for`] |
//! | 1f zero recipients | socketioxide | the future times out | [`ref_1f_nobody_asked_is_an_empty_success_however_one_waits`] |
//! | 1f recipient leaves | Socket.IO | counted until the timeout | [`ref_1f_a_recipient_that_leaves_is_not_waited_for`] |
//! | 1f recipient leaves | socketioxide | waited for while somebody holds the socket | the same |
//! | 1f pending on disconnect | Socket.IO | the callback is never called, the entry stays | [`ref_1f_a_callback_is_called_and_dropped_when_the_recipient_goes`] |
//! | 1f registration leak | socketioxide | entries that timed out stay | [`ref_1f_no_registration_outlives_its_question`] |

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roomcast::{AckError, DisconnectReason, Engine};

use crate::rig::{Log, Peer, text};

/// How a connection comes to its end.
type End = fn(&Engine, &Peer);

const SECOND: Duration = Duration::from_secs(1);

/// Polls a future once.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn ref_1f_everything_that_emits_can_ask() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let (_other, other) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    let room = io.room("room").unwrap();
    let asked = [
        io.except(other.id()).emit_with_ack("broadcast", "").unwrap(),
        io.to("room").emit_with_ack("room", "").unwrap(),
        room.emit_with_ack("handle", "").unwrap(),
        other.broadcast().emit_with_ack("others", "").unwrap(),
        other.to(socket.id()).emit_with_ack("id", "").unwrap(),
    ];
    let all = io.emit_with_ack("all", "").unwrap();
    let one = socket.emit_with_ack("one", "").unwrap();
    assert_eq!(peer.read(), ["broadcast?:", "room?:", "handle?:", "others?:", "id?:", "all?:", "one?:"]);
    for (n, acks) in asked.into_iter().enumerate() {
        assert_eq!(acks.expected(), 1);
        peer.answer("/", n.to_string());
        let answers = acks.wait();
        assert_eq!(text(answers.get(socket.id()).unwrap().as_ref().unwrap()), n.to_string());
    }
    peer.answer("/", "all");
    peer.answer("/", "one");
    assert_eq!((all.answered(), all.expected()), (1, 2));
    assert_eq!(text(&one.wait().unwrap()), "one");
}

#[test]
fn ref_1f_without_a_timeout_answers_are_waited_for() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let mut peers = [0; 2].map(|_| Peer::joined(&engine, "/").0);
    let acks = io.emit_with_ack("q", "").unwrap();
    engine.tick(SECOND * 3600 * 24 * 365);
    assert!(!acks.is_done());
    for peer in &mut peers {
        peer.read();
        peer.answer("/", "yes");
    }
    assert!(acks.wait().is_complete());
}

#[test]
fn ref_1f_nobody_asked_is_an_empty_success_however_one_waits() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let ask = || io.to("nowhere").emit_with_ack("q", "").unwrap();
    assert!(ask().wait().is_complete());
    assert!(ask().timeout(Duration::ZERO).wait().is_complete());
    assert!(ask().cancel().is_complete());
    assert!(matches!(poll(ask()), Poll::Ready(answers) if answers.is_empty() && answers.is_complete()));
    let log = Log::new();
    ask().on_done({
        let log = log.clone();
        move |answers| log.say(format!("{answers:?} {}", answers.is_complete()))
    });
    assert_eq!(log.take(), ["{} true"]);
}

#[test]
fn ref_1f_a_recipient_that_leaves_is_not_waited_for() {
    let engine = Engine::new();
    let mut io = engine.of("/").unwrap();
    let ways: [(&str, End); 6] = [
        ("client", |_, peer| peer.disconnect("/")),
        ("server", |_, peer| _ = peer.socket("/").disconnect("kicked")),
        ("transport", |_, peer| _ = peer.connection.close(DisconnectReason::Transport)),
        ("protocol", |_, peer| assert!(peer.try_send("/", "disconnect", "").is_err())),
        ("removed", |engine, _| assert!(engine.remove("/"))),
        ("shutdown", |engine, _| engine.close()),
    ];
    for (way, go) in ways {
        let (peer, held) = Peer::joined(&engine, "/");
        let (acks, ack) = (io.emit_with_ack("q", "").unwrap(), held.emit_with_ack("q", "").unwrap());
        assert!(!acks.is_done() && !ack.is_done());
        go(&engine, &peer);
        assert!(acks.is_done() && ack.is_done(), "{way}");
        let reason = held.closed().unwrap();
        let missing: Vec<_> = acks.wait().missing().map(|(id, error)| (id, error.clone())).collect();
        assert_eq!(missing, [(held.id(), AckError::Disconnected(reason.clone()))], "{way}");
        assert!(matches!(ack.wait(), Err(AckError::Disconnected(why)) if why == reason), "{way}");
        io = engine.get("/").unwrap_or(io);
    }
    // One that waits in a middleware is asked through the rooms that it has joined, and does not get in.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    io.deferred_middleware({
        let decisions = Arc::clone(&decisions);
        move |socket, decision| {
            socket.join("room").unwrap();
            decisions.lock().unwrap().push(decision);
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    let acks = io.to("room").emit_with_ack("q", "").unwrap();
    decisions.lock().unwrap().pop().unwrap().reject("no");
    assert!(acks.is_done());
    assert_eq!(peer.read(), ["error:no"]);
}

#[test]
fn ref_1f_a_callback_is_called_and_dropped_when_the_recipient_goes() {
    let engine = Engine::new();
    let (peer, socket) = Peer::joined(&engine, "/");
    let log = Log::new();
    let held = Arc::new(());
    socket.emit_with_ack("q", "").unwrap().on_done({
        let (log, held) = (log.clone(), Arc::clone(&held));
        move |answer| {
            log.say(format!("{} {:?}", Arc::strong_count(&held), answer.map_err(|error| error.to_string())));
        }
    });
    assert_eq!(Arc::strong_count(&held), 2);
    drop(peer);
    let said = log.take();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("2 Err("));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn ref_1f_no_registration_outlives_its_question() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let held = Arc::new(());
    let mut late = Vec::new();
    for n in 0..10 {
        let callback = {
            let held = Arc::clone(&held);
            move || drop(held)
        };
        // By the timeout, or by the answer.
        if n % 2 == 0 {
            socket.emit_with_ack("q", "").unwrap().timeout(SECOND).on_done(move |_| callback());
        } else {
            io.emit_with_ack("q", "").unwrap().timeout(SECOND).on_done(move |_| callback());
        }
        peer.read();
        if n % 3 == 0 {
            peer.answer("/", "in time");
        } else {
            late.push(peer.question());
            peer.skip_question();
        }
    }
    assert_eq!(Arc::strong_count(&held), 1 + late.len());
    engine.tick(engine.now() + SECOND);
    assert_eq!(Arc::strong_count(&held), 1);
    for id in late {
        assert!(!socket.answer(id, "late"));
    }
    // Nor does one that nobody waits for.
    drop(socket.emit_with_ack("q", "").unwrap().timeout(SECOND));
    peer.read();
    assert!(!socket.answer(peer.question(), "late"));
}
