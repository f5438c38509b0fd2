//! Middlewares that decide later: from other threads, too late, never, and while things end.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use roomcast::{Decision, DisconnectReason, Engine, Namespace, Rejection, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer};

/// How a connection comes to its end.
type End = fn(&Engine, &Peer);

const SECOND: Duration = Duration::from_secs(1);

/// Has a namespace hand out its decisions.
fn defer(namespace: &Namespace) -> Receiver<(Socket, Decision)> {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    namespace.deferred_middleware(move |socket, decision| {
        sender.lock().unwrap().send((socket.clone(), decision)).unwrap();
    });
    receiver
}

/// Logs who connects and who is disconnected.
fn watch(namespace: &Namespace, log: &Log) {
    namespace.on_connect({
        let log = log.clone();
        move |_| log.say("connect")
    });
    namespace.on_disconnect({
        let log = log.clone();
        move |_, reason| log.say(format!("disconnect {reason:?}"))
    });
}

#[test]
fn they_decide_from_another_thread_and_in_order() {
    watched("deciding elsewhere", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let log = Log::new();
        let decisions = defer(&io);
        io.middleware({
            let log = log.clone();
            move |_| {
                log.say(format!("{:?}", thread::current().name()));
                Ok(())
            }
        });
        let more = defer(&io);
        watch(&io, &log);
        let mut peer = Peer::new(&engine);
        peer.connect("/");
        assert_eq!(peer.read(), [""; 0]);
        thread::scope(|scope| {
            let decider = thread::Builder::new().name("decider".into());
            let decide = move || {
                let (socket, decision) = decisions.recv().unwrap();
                assert_eq!(socket.join("room"), Ok(1));
                decision.accept();
            };
            decider.spawn_scoped(scope, decide).unwrap();
            let (socket, decision) = more.recv().unwrap();
            assert!(!socket.is_connected());
            decision.accept();
        });
        assert_eq!(log.take(), [r#"Some("decider")"#, "connect"]);
        assert_eq!(peer.read(), ["connect"]);
        assert!(peer.socket("/").is_in("room"));
    });
}

#[test]
fn a_rejection_from_another_thread_has_its_words_and_data() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let decisions = defer(&io);
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    let (socket, decision) = decisions.recv().unwrap();
    thread::spawn(move || decision.reject(Rejection::new("no").with_data([4, 0, 3]))).join().unwrap();
    assert_eq!(peer.read(), ["error:no ([4, 0, 3])"]);
    assert_eq!(socket.closed(), Some(DisconnectReason::Rejected));
    // Dropped, by a thread that panics.
    peer.connect("/");
    let (_, decision) = decisions.recv().unwrap();
    let panicked = thread::spawn(move || {
        let _decision = decision;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(peer.read(), ["error:the middleware came to no decision"]);
}

#[test]
fn deciding_at_once_is_deciding_too() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    for n in 0..3 {
        let log = log.clone();
        io.deferred_middleware(move |_, decision| {
            log.say(format!("begins {n}"));
            decision.accept();
            log.say(format!("ends {n}"));
        });
    }
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    assert_eq!(peer.read(), ["connect"]);
    assert_eq!(log.take(), ["begins 0", "begins 1", "begins 2", "ends 2", "ends 1", "ends 0"]);
}

#[test]
fn each_middleware_has_its_own_time() {
    let engine = Engine::builder().middleware_timeout(SECOND).build();
    let io = engine.of("/").unwrap();
    let (first, second) = (defer(&io), defer(&io));
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    engine.tick(SECOND / 2);
    first.recv().unwrap().1.accept();
    engine.tick(SECOND);
    assert_eq!(peer.read(), [""; 0]);
    let (socket, decision) = second.recv().unwrap();
    engine.tick(SECOND + SECOND / 2);
    assert_eq!(peer.read(), ["error:timed out"]);
    decision.accept();
    assert_eq!((peer.read(), socket.closed()), (vec![], Some(DisconnectReason::Rejected)));
    // One in time is not haunted by its deadline.
    peer.connect("/");
    first.recv().unwrap().1.accept();
    second.recv().unwrap().1.accept();
    engine.tick(SECOND * 100);
    assert_eq!(peer.read(), ["connect"]);
    // And without a deadline it may take as long as it likes.
    let engine = Engine::builder().no_middleware_timeout().no_connect_timeout().build();
    let decisions = defer(&engine.of("/").unwrap());
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    engine.tick(SECOND * 1_000_000);
    decisions.recv().unwrap().1.accept();
    assert_eq!(peer.read(), ["connect"]);
}

#[test]
fn a_decision_after_the_end_changes_nothing() {
    let ends: [(&str, End); 4] = [
        ("client", |_, peer| peer.disconnect("/")),
        ("transport", |_, peer| assert!(peer.connection.close(DisconnectReason::Transport))),
        ("protocol", |_, peer| assert!(peer.try_send("/", "early", "").is_err())),
        ("shutdown", |engine, _| engine.close()),
    ];
    for (end, go) in ends {
        for accepts in [true, false] {
            let engine = Engine::new();
            let io = engine.of("/").unwrap();
            let log = Log::new();
            watch(&io, &log);
            let decisions = defer(&io);
            let mut peer = Peer::new(&engine);
            peer.connect("/");
            let (socket, decision) = decisions.recv().unwrap();
            socket.join("room").unwrap();
            go(&engine, &peer);
            assert!(socket.closed().is_some() && io.rooms().is_empty(), "{end}");
            if accepts {
                decision.accept();
            } else {
                decision.reject("no");
            }
            assert_eq!((peer.read(), log.take()), (vec![], vec![]), "{end}");
            assert_eq!(engine.socket_count(), 0);
        }
    }
}

#[test]
fn a_client_that_gave_up_may_try_again_while_the_first_attempt_is_undecided() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let decisions = defer(&io);
    let mut peer = Peer::new(&engine);
    peer.connect_as("/", "first");
    peer.disconnect("/");
    peer.connect_as("/", "second");
    let (first, one) = decisions.recv().unwrap();
    let (second, two) = decisions.recv().unwrap();
    one.accept();
    assert_eq!(peer.read(), [""; 0]);
    two.accept();
    assert_eq!(peer.read(), ["connect"]);
    assert_eq!((first.closed(), second.auth().as_str()), (Some(DisconnectReason::Client), Some("second")));
    assert_eq!(io.socket_ids(), [second.id()]);
}

#[test]
fn a_namespace_that_is_removed_meanwhile_lets_nobody_in() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    let decisions = defer(&chat);
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert!(engine.remove("/chat"));
    let (socket, decision) = decisions.recv().unwrap();
    decision.accept();
    assert_eq!(peer.read(), ["error:namespace removed"]);
    assert_eq!(socket.closed(), Some(DisconnectReason::NamespaceRemoved));
    assert_eq!((log.take(), engine.socket_count()), (vec![], 0));
}

#[test]
fn accepting_while_the_transport_is_lost_is_one_or_the_other() {
    watched("accept against close", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let log = Log::new();
        watch(&io, &log);
        let decisions = defer(&io);
        let mut connected = 0;
        for round in 0..300 {
            let mut peer = Peer::new(&engine);
            peer.connect("/");
            let (socket, decision) = decisions.recv().unwrap();
            socket.join("room").unwrap();
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    decision.accept();
                });
                barrier.wait();
                match round % 3 {
                    0 => assert!(peer.connection.close(DisconnectReason::Transport)),
                    1 => peer.disconnect("/"),
                    _ => _ = socket.disconnect("kicked"),
                }
            });
            let said = log.take();
            let reason = socket.closed().unwrap();
            if said.is_empty() {
                assert!(!peer.read().contains(&"connect".to_owned()));
            } else {
                assert_eq!(said, ["connect".to_owned(), format!("disconnect {reason:?}")]);
                connected += 1;
            }
            assert_eq!((io.rooms().len(), io.socket_count(), engine.socket_count()), (0, 0, 0));
        }
        println!("{connected} of 300 got in first");
    });
}

#[test]
fn many_decisions_from_many_threads() {
    watched("many decisions", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let (first, second) = (defer(&io), defer(&io));
        let mut peers: Vec<_> = (0..100).map(|_| Peer::new(&engine)).collect();
        for (n, peer) in peers.iter().enumerate() {
            peer.connect_as("/", if n % 3 == 0 { "bad" } else { "good" });
        }
        let (first, second) = (Arc::new(Mutex::new(first)), Arc::new(Mutex::new(second)));
        thread::scope(|scope| {
            for decisions in [&first, &first, &second, &second] {
                let is_first = Arc::ptr_eq(decisions, &first);
                scope.spawn(move || {
                    for _ in 0..if is_first { 50 } else { 33 } {
                        let (socket, decision) = decisions.lock().unwrap().recv().unwrap();
                        if is_first && socket.auth().as_str() == Some("bad") {
                            decision.reject("no");
                        } else {
                            decision.accept();
                        }
                    }
                });
            }
        });
        for (n, peer) in peers.iter_mut().enumerate() {
            assert_eq!(peer.read(), [if n % 3 == 0 { "error:no" } else { "connect" }]);
        }
        assert_eq!(io.socket_count(), 66);
    });
}
