//! Transports that misbehave: wherever they do, and whatever they do there, it ends, and nobody else is hurt.

use std::io;
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{Connection, Decision, DisconnectReason, Engine, Handshake, Transport};

use crate::common::{disconnecting, watched};
use crate::rig::{Line, Peer, connect, drain_all, leave, send, text};
use crate::rude::{ACTS, PLACES, Place, Rude, Scene};

#[test]
fn whatever_one_does_and_wherever_it_ends_and_hurts_nobody_else() {
    for place in PLACES {
        for (what, act) in ACTS {
            watched(&format!("{what} in {place:?}"), move || {
                let scene = Scene::new(place, act);
                let engine = scene.engine.clone();
                let mut witness = Peer::joined(&engine, Line::new(), &["/ns"], "room");
                scene.play();
                scene.emit();
                let runs = scene.runs.load(Ordering::SeqCst);
                assert!(runs > 0, "{what} in {place:?}: was not done");
                // The witness got all there was to get, in order.
                let read = witness.read();
                let mut emitted = scene.emitted.lock().unwrap().clone();
                emitted.sort_unstable(); // one that is emitted in a wake-up is noted before the one that woke
                let told = emitted.iter().map(|number| format!("/ns n:{number}"));
                let mut events = read.clone();
                events.retain(|packet| !packet.ends_with("noise:"));
                if engine.is_closed() {
                    assert_eq!(events.pop().as_deref(), Some("/ns disconnect:engine closed"));
                }
                assert!(told.eq(events), "{what} in {place:?}: {emitted:?}, and came {read:?}");
                // And nothing is left behind.
                scene.me.lock().unwrap().take();
                scene.others().clear();
                let left = usize::from(!engine.is_closed());
                let place = format!("{what} in {place:?}");
                assert_eq!((engine.connection_count(), engine.socket_count()), (left, left), "{place}");
                if let Some(namespace) = engine.get("/ns") {
                    assert_eq!((namespace.room_len("room"), namespace.room_len("extra")), (1, 0), "{place}");
                }
                drop(witness);
                assert_eq!((engine.connection_count(), engine.socket_count()), (0, 0), "{place}");
                assert_eq!(Arc::strong_count(&scene), 1, "{place}: a transport is left");
            });
        }
    }
}

/// A transport that panics when it is asked for the one thing or the other.
struct Mute {
    tells_handshake: bool,
}

impl Transport for Mute {
    fn handshake(&self) -> Handshake {
        if self.tells_handshake { Handshake::new() } else { resume_unwind(Box::new("on purpose")) }
    }

    fn is_polled(&self) -> bool {
        resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn a_transport_that_panics_when_it_is_asked_is_not_connected() {
    let engine = Engine::new();
    for tells_handshake in [false, true] {
        let connect = || engine.connect(Mute { tells_handshake });
        assert!(catch_unwind(AssertUnwindSafe(connect)).is_err());
        assert_eq!(engine.connection_count(), 0);
    }
    let mut peer = Peer::new(&engine, Line::new());
    connect(&peer.connection, "/").unwrap();
    assert_eq!(peer.read(), ["/ connect"]);
}

#[test]
fn a_transport_that_fails_takes_its_sockets_with_it_and_no_others() {
    let engine = Engine::new();
    let spaces = ["/a", "/b"].map(|path| engine.of(path).unwrap());
    let reasons = Arc::new(Mutex::new(Vec::new()));
    spaces.iter().for_each(|space| {
        let reasons = Arc::clone(&reasons);
        space.on_disconnect(move |_, reason| reasons.lock().unwrap().push(reason.clone()));
    });
    let line = Line::new();
    let [mut failing, mut other] =
        [(); 2].map(|()| Peer::joined(&engine, Arc::clone(&line), &["/a", "/b"], "room"));
    for number in 0..3 {
        spaces.iter().for_each(|space| _ = space.to("room").emit("n", number.to_string()).unwrap());
    }
    let mut sent = Vec::new();
    let failed = failing.outbox.try_drain(|packet| {
        if sent.len() == 2 {
            return Break(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        sent.push(text(packet));
        Continue(())
    });
    assert_eq!(failed.break_value().unwrap().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(sent, ["/a n:0", "/a n:1"]);
    line.closes();
    let Peer { connection, outbox } = failing;
    drop(outbox);
    assert_eq!(line.closes(), [DisconnectReason::Transport]);
    assert_eq!(connection.closed(), Some(DisconnectReason::Transport));
    assert_eq!(*reasons.lock().unwrap(), [DisconnectReason::Transport, DisconnectReason::Transport]);
    for space in &spaces {
        assert_eq!((space.room_len("room"), space.socket_count()), (1, 1));
        space.to("room").emit("n", "3").unwrap();
    }
    assert_eq!((engine.connection_count(), engine.socket_count()), (1, 2));
    let all = ["/a", "/b"].map(|path| (0..4).map(move |number| format!("{path} n:{number}")));
    assert_eq!(other.read(), all.into_iter().flatten().collect::<Vec<_>>());
    drop(connection);
}

#[test]
fn one_who_closes_in_the_middle_of_its_drain_still_ends_it() {
    for in_parts in [false, true] {
        let engine = Engine::new();
        engine.of("/").unwrap();
        let line = Line::new();
        let mut peer = Peer::joined(&engine, Arc::clone(&line), &["/"], "room");
        (0..3).for_each(|_| _ = engine.of("/").unwrap().emit("e", "").unwrap());
        line.wakes();
        let connection = peer.connection.clone();
        let mut sent = Vec::new();
        let closes = AtomicUsize::new(0);
        drain_all(&mut peer.outbox, in_parts, |packet| {
            sent.push(text(packet));
            closes.fetch_add(usize::from(connection.close("enough")), Ordering::SeqCst);
        });
        assert_eq!(sent, ["/ e:", "/ e:", "/ e:"]);
        assert_eq!((closes.into_inner(), line.wakes(), line.closes()), (1, 1, vec!["enough".into()]));
        assert_eq!(peer.read(), ["/ disconnect:enough"]);
        assert_eq!(peer.outbox.closed(), Some(&"enough".into()));
    }
}

type Cause = fn(&Engine, &Connection);

/// What has a transport woken or told to close, that has a socket in `/ns` and in a room there; or in `/extra`, if it is to
/// have none in `/ns`.
const CAUSES: [(&str, Cause); 19] = [
    ("connect", |_, me| drop(connect(me, "/extra"))),
    ("a connect error", |_, me| drop(connect(me, "/nowhere"))),
    ("to a room", |engine, _| drop(engine.get("/ns").map(|ns| ns.to("room").emit("n", "")))),
    ("to rooms", |engine, _| drop(engine.get("/ns").map(|ns| ns.to(["room", "second"]).emit("n", "")))),
    ("to all", |engine, _| drop(engine.get("/ns").map(|ns| ns.emit("n", "")))),
    ("direct", |_, me| drop(me.socket("/ns").map(|it| it.emit("n", "")))),
    ("a question", |engine, _| drop(engine.get("/ns").map(|ns| ns.to("room").emit_with_ack("n", "")))),
    ("an answer", |_, me| drop(send(me, "/ns", "ask", 1))),
    ("joined", |_, me| drop(me.socket("/ns").map(|it| it.join(["a", "b"])))),
    ("kicked", |_, me| _ = me.socket("/ns").map(|it| it.disconnect("kick"))),
    ("all are kicked", |engine, _| drop(engine.get("/ns").map(|ns| ns.to("room").disconnect("kick")))),
    ("removed", |engine, _| _ = engine.remove("/ns")),
    ("overflow", |engine, _| {
        let room = engine.of("/ns").unwrap().room("room").unwrap();
        room.set_backlog(disconnecting(8));
        (0..100).for_each(|_| drop(room.emit("n", "")));
    }),
    ("left, and joined again", |_, me| drop((leave(me, "/ns"), connect(me, "/ns")))),
    ("accepted later", |engine, me| {
        let waiting = Arc::new(Mutex::new(None::<Decision>));
        let later = Arc::clone(&waiting);
        let extra = engine.of("/extra").unwrap();
        let id = extra.deferred_middleware(move |_, decision| *later.lock().unwrap() = Some(decision));
        drop(connect(me, "/extra"));
        let decision = waiting.lock().unwrap().take();
        decision.into_iter().for_each(Decision::accept);
        extra.off(id);
    }),
    ("too many connects", |_, me| (0..=8).for_each(|_| drop(connect(me, "/nowhere")))),
    ("a protocol error", |_, me| drop(connect(me, "/ns"))),
    ("closed", |_, me| _ = me.close("over")),
    ("the engine is closed", |engine, _| engine.close()),
];

#[test]
fn whatever_has_a_transport_told_it_may_do_everything_then() {
    for place in [Place::Wake, Place::Close] {
        for (cause, bring) in CAUSES {
            for (what, act) in ACTS {
                let name = format!("{what} in {place:?}, for: {cause}");
                watched(&name.clone(), move || {
                    let scene = Scene::new(place, act);
                    let engine = scene.engine.clone();
                    let ns = engine.of("/ns").unwrap();
                    ns.on_with_ack("ask", |_, (), ack: roomcast::AckSender| drop(ack.send("yes"))).unwrap();
                    scene.behaves.store(true, Ordering::SeqCst);
                    let mut peer = Peer::joined(&engine, Rude(Arc::clone(&scene)), &["/ns"], "room");
                    *scene.me.lock().unwrap() = Some(peer.connection.clone());
                    assert!(peer.read().is_empty());
                    scene.behaves.store(false, Ordering::SeqCst);
                    bring(&engine, &peer.connection);
                    let ran = scene.runs.load(Ordering::SeqCst) > 0;
                    assert!(ran || place == Place::Close, "{name}: nobody was told");
                    peer.connection.close("over");
                    assert!(scene.runs.load(Ordering::SeqCst) > 0, "{name}: nobody was told to close");
                    scene.drain(&mut peer.outbox, false);
                    assert!(peer.outbox.closed().is_some(), "{name}");
                    scene.me.lock().unwrap().take();
                    drop(peer);
                    scene.others().clear();
                    assert_eq!((engine.connection_count(), engine.socket_count()), (0, 0), "{name}");
                    assert_eq!(ns.room_len("room"), 0, "{name}");
                    assert_eq!(Arc::strong_count(&scene), 1, "{name}: a transport is left");
                });
            }
        }
    }
}

#[test]
fn a_timeout_tells_under_no_lock() {
    for place in [Place::Wake, Place::Close] {
        for (what, act) in ACTS {
            watched(&format!("{what} in {place:?}, for a timeout"), move || {
                let scene = Scene::new(place, act);
                let clients = [(); 3].map(|()| scene.engine.connect(Rude(Arc::clone(&scene))));
                *scene.me.lock().unwrap() = Some(clients[1].0.clone());
                scene.engine.tick(Duration::from_secs(5));
                assert!(scene.runs.load(Ordering::SeqCst) > 0);
                assert!(clients.iter().all(|(connection, _)| connection.closed().is_some()), "{what}");
                scene.me.lock().unwrap().take();
                drop(clients);
                scene.others().clear();
                assert_eq!(scene.engine.connection_count(), 0, "{what}");
            });
        }
    }
}
