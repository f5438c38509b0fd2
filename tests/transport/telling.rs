//! What a transport is told: once between two drains that there is something, never too late; and once to close.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use roomcast::{DisconnectReason, Engine, Handshake, Outbox, Payload, Transport};

use crate::common::messages;
use crate::rig::{Line, Peer, connect, send, text};

fn engine() -> Engine {
    let engine = Engine::builder()
        .backlog(messages(8))
        .connect_timeout(Duration::from_secs(5))
        .inbound_queue(4)
        .unwrap()
        .build();
    for path in ["/", "/late", "/no"] {
        engine.of(path).unwrap();
    }
    engine.of("/no").unwrap().middleware(|_| Err("no".into()));
    let answer = |_: &roomcast::Socket, _: Payload, ack: roomcast::AckSender| drop(ack.send("yes"));
    engine.of("/").unwrap().on_with_ack("question", answer).unwrap();
    engine
}

type Bring = fn(&Engine, &Peer);

/// Everything that brings something to send to a client that is in a room of `/`, and what it is sent.
const BRINGS: [(&[&str], Bring); 13] = [
    (&["/late connect"], |_, peer| connect(&peer.connection, "/late").unwrap()),
    (&["/no error:no"], |_, peer| connect(&peer.connection, "/no").unwrap()),
    (&["/nowhere error:Invalid namespace"], |_, peer| connect(&peer.connection, "/nowhere").unwrap()),
    (&["/ e:room"], |engine, _| _ = engine.of("/").unwrap().to("room").emit("e", "room").unwrap()),
    (&["/ e:two"], |engine, _| _ = engine.of("/").unwrap().to(["room", "else"]).emit("e", "two").unwrap()),
    (&["/ e:all"], |engine, _| _ = engine.of("/").unwrap().emit("e", "all").unwrap()),
    (&["/ e:direct"], |_, peer| _ = peer.socket("/").emit("e", "direct").unwrap()),
    (&["/ e:volatile"], |_, peer| _ = peer.socket("/").emit_volatile("e", "volatile").unwrap()),
    (&["/ e?:asked"], |_, peer| drop(peer.socket("/").emit_with_ack("e", "asked").unwrap())),
    (&["/ ack 7:yes"], |_, peer| send(&peer.connection, "/", "question", 7).unwrap()),
    (&["/ disconnect:kick"], |_, peer| assert!(peer.socket("/").disconnect("kick"))),
    (&["/ disconnect:over"], |_, peer| assert!(peer.connection.close("over"))),
    (&["/ disconnect:namespace removed"], |engine, _| assert!(engine.remove("/"))),
];

#[test]
fn each_thing_to_send_wakes_once_and_not_again_before_the_drain() {
    for (place, (sent, bring)) in BRINGS.into_iter().enumerate() {
        for (after, (also, bring_more)) in BRINGS.into_iter().enumerate() {
            let (engine, line) = (engine(), Line::new());
            let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
            assert_eq!(line.wakes(), 1, "to connect");
            assert!(peer.read().is_empty());
            bring(&engine, &peer);
            assert_eq!(line.wakes(), 1, "{sent:?}");
            // After these its socket is gone.
            if place < 10 && place != after {
                bring_more(&engine, &peer);
                assert_eq!(line.wakes(), 0, "{also:?} after {sent:?}");
                let mut told = [sent, also].concat();
                let mut read = peer.read();
                told.sort_unstable();
                read.sort_unstable();
                // A namespace that it has just joined is disconnected too.
                read.retain(|packet| packet != "/late disconnect:over");
                assert_eq!(read, told);
            } else {
                assert_eq!(peer.read(), sent);
                if peer.connection.closed().is_none() {
                    connect(&peer.connection, "/late").and_then(|()| connect(&peer.connection, "/x")).ok();
                    assert_eq!(line.wakes(), 1, "again after {sent:?}");
                }
            }
        }
    }
}

#[test]
fn a_gap_takes_no_wake_up_of_its_own() {
    let (engine, line) = (engine(), Line::new());
    let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
    line.wakes();
    for round in 0..3 {
        for number in 0..100 {
            engine.of("/").unwrap().to("room").emit("e", number.to_string()).unwrap();
        }
        assert_eq!(line.wakes(), 1, "round {round}");
        let read = peer.read();
        let gaps: Vec<usize> = read.iter().filter_map(|it| it.strip_prefix("/ gap:")?.parse().ok()).collect();
        assert_eq!((gaps.len(), gaps[0] + read.len() - 1), (1, 100), "{read:?}");
        assert!(peer.read().is_empty());
    }
}

/// A transport that drains in the middle of its wake-up, as none should: what it is told of is there by then.
struct Eager {
    outbox: Mutex<Option<Outbox>>,
    sent: Mutex<Vec<String>>,
}

impl Transport for Eager {
    fn wake(&self) {
        // Not there before `connect` has returned, and in use if its own drain brings something.
        let Ok(mut outbox) = self.outbox.try_lock() else { return };
        let Some(outbox) = &mut *outbox else { return };
        outbox.drain(|packet| self.sent.lock().unwrap().push(text(packet)));
    }
}

#[test]
fn what_a_wake_up_is_about_is_there_when_it_comes() {
    for (told, bring) in BRINGS {
        let engine = engine();
        let eager = Arc::new(Eager { outbox: Mutex::default(), sent: Mutex::default() });
        let (connection, outbox) = engine.connect(Arc::clone(&eager));
        *eager.outbox.lock().unwrap() = Some(outbox);
        connect(&connection, "/").unwrap();
        connection.socket("/").unwrap().join("room").unwrap();
        let take = || std::mem::take(&mut *eager.sent.lock().unwrap());
        assert_eq!(take(), ["/ connect"]);
        // A second outbox, which it does not need.
        let peer = Peer { connection, outbox: engine.connect(()).1 };
        bring(&engine, &peer);
        assert_eq!(take(), told);
        drop(eager.outbox.lock().unwrap().take()); // they keep each other
    }
}

type End = fn(&Engine, &mut Option<Peer>);

/// All ways to close a connection that is in no namespace yet, and why it is then.
fn ends() -> [(DisconnectReason, End); 7] {
    [
        (DisconnectReason::Shutdown, |engine, _| engine.close()),
        (DisconnectReason::Protocol, |_, peer| {
            send(&peer.as_ref().unwrap().connection, "/", "e", None).unwrap_err();
        }),
        (DisconnectReason::Timeout, |engine, _| engine.tick(Duration::from_secs(5))),
        (DisconnectReason::Backlog, |_, peer| {
            (0..=4).for_each(|_| connect(&peer.as_ref().unwrap().connection, "/nowhere").unwrap());
        }),
        ("over".into(), |_, peer| assert!(peer.as_ref().unwrap().connection.close("over"))),
        ("from a socket".into(), |_, peer| {
            let peer = peer.as_ref().unwrap();
            connect(&peer.connection, "/").unwrap();
            assert!(peer.socket("/").disconnect_client("from a socket"));
        }),
        (DisconnectReason::Transport, |_, peer| drop(peer.take())),
    ]
}

#[test]
fn a_transport_is_told_to_close_once_whoever_closes_and_why() {
    for (reason, end) in ends() {
        let (engine, line) = (engine(), Line::new());
        let mut peer = Some(Peer::new(&engine, Arc::clone(&line)));
        assert_eq!((line.wakes(), line.closes()), (0, vec![]));
        let connection = peer.as_ref().unwrap().connection.clone();
        end(&engine, &mut peer);
        assert_eq!((line.wakes(), line.closes()), (1, vec![reason.clone()]));
        assert_eq!(connection.closed(), Some(reason.clone()));
        // Nor does anything come after it, whether it drains or not.
        for _ in 0..2 {
            assert!(!connection.close("again"));
            engine.tick(Duration::from_secs(100));
            engine.close();
            assert_eq!((line.wakes(), line.closes()), (0, vec![]));
            if let Some(peer) = &mut peer {
                peer.read();
                assert_eq!(peer.outbox.closed(), Some(&reason));
            }
        }
        drop(peer);
        assert_eq!((line.wakes(), line.closes(), Arc::strong_count(&line)), (0, vec![], 1));
    }
}

#[test]
fn with_a_closed_engine_it_is_told_before_connect_returns() {
    let (engine, line) = (engine(), Line::new());
    engine.close();
    let mut peer = Peer::new(&engine, Arc::clone(&line));
    assert_eq!((line.wakes(), line.closes()), (1, vec![DisconnectReason::Shutdown]));
    assert_eq!((peer.read().len(), peer.outbox.closed()), (0, Some(&DisconnectReason::Shutdown)));
    drop(peer);
    assert_eq!((line.wakes(), line.closes()), (0, vec![]));
}

/// Looks at the engine when it is told to close.
struct Witness {
    engine: Engine,
    seen: Arc<Mutex<Vec<(usize, usize, bool)>>>,
    connection: Arc<Mutex<Option<roomcast::Connection>>>,
}

impl Transport for Witness {
    fn close(&self, _: &DisconnectReason) {
        let is_closed = self.connection.lock().unwrap().as_ref().is_some_and(|it| it.closed().is_some());
        let counts = (self.engine.connection_count(), self.engine.socket_count());
        self.seen.lock().unwrap().push((counts.0, counts.1, is_closed));
    }
}

#[test]
fn all_is_over_when_it_is_told_to_close_and_hooks_come_later() {
    let (engine, seen, connection) = (engine(), Arc::default(), Arc::default());
    let witness =
        Witness { engine: engine.clone(), seen: Arc::clone(&seen), connection: Arc::clone(&connection) };
    let peer = Peer::joined(&engine, witness, &["/", "/late"], "room");
    *connection.lock().unwrap() = Some(peer.connection.clone());
    let told_first = Arc::new(AtomicUsize::new(0));
    engine.of("/").unwrap().on_disconnecting({
        let (told_first, seen) = (Arc::clone(&told_first), Arc::clone(&seen));
        move |_, _| told_first.store(seen.lock().unwrap().len(), Ordering::SeqCst)
    });
    assert!(peer.connection.close("over"));
    assert_eq!(*seen.lock().unwrap(), [(0, 0, true)]);
    assert_eq!(told_first.load(Ordering::SeqCst), 1);
    connection.lock().unwrap().take();
}

/// A transport that is only polled, and what it is told all the same.
struct Polled(Arc<Line>);

impl Transport for Polled {
    fn wake(&self) {
        self.0.wake();
    }

    fn close(&self, reason: &DisconnectReason) {
        self.0.close(reason);
    }

    fn is_polled(&self) -> bool {
        true
    }
}

#[test]
fn a_polled_transport_is_never_woken_but_told_to_close() {
    for (told, bring) in BRINGS {
        for waits in [false, true] {
            let (engine, line) = (engine(), Line::new());
            let mut peer = Peer::joined(&engine, Polled(Arc::clone(&line)), &["/"], "room");
            if waits {
                assert!(!peer.outbox.wait_timeout(Duration::ZERO));
            }
            bring(&engine, &peer);
            assert!(peer.outbox.wait_timeout(Duration::ZERO), "{told:?}");
            assert_eq!(peer.read(), told);
            peer.connection.close("over");
            assert_eq!((line.closes(), line.wakes()), (vec!["over".into()], 0), "{told:?}");
        }
    }
}

#[test]
fn a_callback_takes_the_place_of_the_transport_until_it_is_removed() {
    let (engine, line) = (engine(), Line::new());
    let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
    line.wakes();
    let io = engine.of("/").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let callback = |calls: &Arc<AtomicUsize>| {
        let calls = Arc::clone(calls);
        move || _ = calls.fetch_add(1, Ordering::SeqCst)
    };
    let told = || (calls.swap(0, Ordering::SeqCst), line.wakes());
    peer.outbox.on_wake(callback(&calls));
    assert_eq!(told(), (0, 0), "there is nothing");
    for round in 0..3 {
        (0..3).for_each(|_| _ = io.to("room").emit("e", "").unwrap());
        assert_eq!((told(), peer.read().len()), ((1, 0), 3), "round {round}");
    }
    io.emit("e", "").unwrap();
    assert_eq!(told(), (1, 0));
    peer.outbox.on_wake(callback(&calls));
    assert_eq!(told(), (1, 0), "the next one is told of what is there");
    peer.outbox.no_wake();
    assert_eq!(told(), (0, 1), "and so is the transport, which was not");
    assert_eq!((peer.read().len(), told()), (1, (0, 0)));
    io.emit("e", "").unwrap();
    assert_eq!(told(), (0, 1));
    // To close, it is told itself.
    peer.outbox.on_wake(callback(&calls));
    peer.read();
    told();
    peer.connection.close("over");
    assert_eq!((told(), line.closes()), ((1, 0), vec!["over".into()]));
}

#[test]
fn removing_a_callback_that_is_not_there_tells_nobody_again() {
    let (engine, line) = (engine(), Line::new());
    let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
    line.wakes();
    engine.of("/").unwrap().emit("e", "").unwrap();
    assert_eq!(line.wakes(), 1);
    peer.outbox.no_wake();
    assert_eq!(line.wakes(), 0, "it was told, and has not drained");
}

#[test]
fn an_outbox_takes_its_transport_and_callback_with_it() {
    let (engine, line) = (engine(), Line::new());
    let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
    let held = Arc::new(());
    let callback = Arc::clone(&held);
    peer.outbox.on_wake(move || _ = &callback);
    assert_eq!((Arc::strong_count(&line), Arc::strong_count(&held)), (2, 2));
    let weak: Weak<()> = Arc::downgrade(&held);
    drop(held);
    line.wakes();
    let Peer { connection, outbox } = peer;
    drop(outbox);
    assert_eq!((Arc::strong_count(&line), weak.strong_count()), (1, 0));
    assert_eq!((line.wakes(), line.closes()), (0, vec![DisconnectReason::Transport]));
    assert!(connect(&connection, "/").is_err());
    engine.close();
    assert_eq!((line.wakes(), line.closes()), (0, vec![]));
}

/// Tells in which order it is asked what it is.
struct Asked(Arc<Mutex<Vec<&'static str>>>);

impl Transport for Asked {
    fn handshake(&self) -> Handshake {
        self.0.lock().unwrap().push("handshake");
        Handshake::new().with("name", "Ann")
    }

    fn is_polled(&self) -> bool {
        self.0.lock().unwrap().push("is_polled");
        false
    }

    fn wake(&self) {
        self.0.lock().unwrap().push("wake");
    }
}

#[test]
fn a_transport_is_asked_once_and_for_the_handshake_first() {
    let (engine, asked) = (engine(), Arc::default());
    let transport: Arc<dyn Transport> = Arc::new(Asked(Arc::clone(&asked)));
    let peer = Peer::new(&engine, transport);
    connect(&peer.connection, "/").unwrap();
    assert_eq!(peer.socket("/").handshake().get("name"), Some("Ann"));
    assert_eq!(*asked.lock().unwrap(), ["handshake", "is_polled", "wake"]);
}
