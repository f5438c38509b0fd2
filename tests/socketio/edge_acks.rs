//! Edge cases 9 to 14: answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use roomcast::{AckError, Backlog, DisconnectReason, EmitError, Engine, Overflow, Shared};

use crate::rig::{Log, Peer, text};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn edge_09_an_acked_broadcast_to_nobody_succeeds_empty() {
    // As a future, socketioxide's times out.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let none: [&str; 0] = [];
    for nobody in [io.to("nowhere"), io.to(none), io.except("nowhere")] {
        let acks = nobody.emit_with_ack("q", "").unwrap().timeout(SECOND);
        assert!(acks.is_done());
        assert_eq!(acks.expected(), 0);
        let answers = acks.wait();
        assert!(answers.is_empty() && answers.is_complete());
    }
    let (_peer, alone) = Peer::joined(&engine, "/");
    let answers = alone.broadcast().emit_with_ack("q", "").unwrap().wait();
    assert!(answers.is_empty() && answers.is_complete());
}

#[test]
fn edge_10_a_timeout_gives_the_partial_answers_and_leaves_no_registration() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b] = [0; 2].map(|_| Peer::joined(&engine, "/").0);
    let acks = io.emit_with_ack("q", "").unwrap().timeout(SECOND);
    let log = Log::new();
    acks.on_done({
        let log = log.clone();
        move |answers| {
            for (id, answer) in &answers {
                log.say(format!("{id} {:?}", answer.as_ref().map(text)));
            }
        }
    });
    assert_eq!((a.read(), b.read()), (vec!["q?:".into()], vec!["q?:".into()]));
    a.answer("/", "yes");
    engine.tick(SECOND - Duration::from_nanos(1));
    assert_eq!(log.take(), [""; 0]);
    engine.tick(SECOND);
    let ids = (a.id("/"), b.id("/"));
    assert_eq!(log.take(), [format!("{} Ok(\"yes\")", ids.0), format!("{} Err(TimedOut)", ids.1)]);
    // Late: nothing comes of it, also for the server.
    let id = b.question();
    b.answer("/", "late");
    assert!(!b.socket("/").answer(id, "later"));
    engine.tick(SECOND * 9);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn edge_11_a_timeout_of_zero_fails_even_if_the_answer_is_quick_and_the_callback_fires_once() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let calls = Arc::new(AtomicUsize::new(0));
    let ack = socket.emit_with_ack("q", "").unwrap().timeout(Duration::ZERO);
    assert!(ack.is_done());
    ack.on_done({
        let calls = Arc::clone(&calls);
        move |answer| {
            assert!(matches!(answer, Err(AckError::TimedOut)));
            calls.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(peer.read(), ["q?:"]);
    peer.answer("/", "quick");
    engine.tick(SECOND);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn edge_12_a_socket_that_is_closed_within_an_acked_broadcast_is_an_error_under_its_id() {
    // Of Socket.IO's it is waited for until the timeout, and it has no id there.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b, mut c] = [0; 3].map(|_| Peer::joined(&engine, "/").0);
    let acks = io.emit_with_ack("q", "").unwrap();
    for peer in [&mut a, &mut b, &mut c] {
        assert_eq!(peer.read(), ["q?:"]);
    }
    a.answer("/", "yes");
    let held = b.socket("/"); // whoever holds it does not make it live
    held.disconnect("kicked");
    c.disconnect("/");
    assert!(acks.is_done());
    let answers = acks.wait();
    assert_eq!(text(answers.get(a.id("/")).unwrap().as_ref().unwrap()), "yes");
    let gone = |reason: DisconnectReason| AckError::Disconnected(reason);
    let missing: Vec<_> = answers.missing().map(|(id, error)| (id, error.clone())).collect();
    assert_eq!(missing, [(b.id("/"), gone("kicked".into())), (c.id("/"), gone(DisconnectReason::Client))]);
}

#[test]
fn edge_13_an_answer_that_cannot_be_read_is_an_error_for_that_socket_only() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b] = [0; 2].map(|_| Peer::joined(&engine, "/").0);
    let acks = io.emit_with_ack("q", "").unwrap();
    a.read();
    b.read();
    a.answer("/", Arc::new(7_u64));
    b.answer("/", "seven");
    let answers = acks.wait();
    let read = |id| answers.get(id).unwrap().as_ref().unwrap().decode::<Shared<u64>>();
    assert_eq!(*read(a.id("/")).unwrap().0, 7);
    assert!(read(b.id("/")).is_err());
    assert!(answers.is_complete()); // both have answered; what with is the reader's affair
}

#[test]
fn edge_14_a_question_for_which_there_is_no_room_fails_at_once() {
    // socketioxide has a queue that is full. Ours overflows: who is over its backlog is disconnected, at once.
    let backlog = Backlog::new().messages(8).unwrap().overflow(Overflow::Disconnect);
    let engine = Engine::builder().backlog(backlog).build();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let acks: Vec<_> = (0..64).map_while(|_| socket.emit_with_ack("q", "").ok()).collect();
    assert!((8..64).contains(&acks.len()), "{}", acks.len());
    assert!(matches!(socket.emit_with_ack("q", ""), Err(EmitError::Closed(DisconnectReason::Backlog))));
    for ack in acks {
        assert!(ack.is_done());
        assert!(matches!(ack.wait(), Err(AckError::Disconnected(DisconnectReason::Backlog))));
    }
    assert_eq!(peer.read().last().unwrap(), "disconnect:Backlog");
}
