//! Edge cases 31 to 34: namespaces that come and go.

use std::sync::{Arc, Barrier};
use std::thread;

use roomcast::{DisconnectReason, Engine, Payload};

use crate::common::watched;
use crate::rig::{Log, Peer, send};

#[test]
fn edge_31_two_who_join_an_unknown_dynamic_namespace_at_once_create_it_once() {
    // socketioxide made two in 1 of 300 runs.
    watched("two at once", || {
        for _ in 0..100 {
            let engine = Engine::new();
            let log = Log::new();
            engine.of_pattern("/game-{id}").unwrap();
            engine.on_new_namespace({
                let log = log.clone();
                move |namespace| log.say(namespace.path())
            });
            let barrier = Arc::new(Barrier::new(4));
            let threads = [0; 4].map(|_| {
                let (engine, barrier) = (engine.clone(), Arc::clone(&barrier));
                thread::spawn(move || {
                    let mut peer = Peer::new(&engine);
                    barrier.wait();
                    peer.connect("/game-7");
                    assert_eq!(peer.await_packets(), ["connect"]);
                    peer
                })
            });
            let peers = threads.map(|thread| thread.join().unwrap());
            assert_eq!(log.take(), ["/game-7"]);
            let game = engine.get("/game-7").unwrap();
            assert_eq!(game.socket_count(), 4);
            game.emit("all", "").unwrap();
            for mut peer in peers {
                assert_eq!(peer.read(), ["all:"]);
            }
        }
    });
}

#[test]
fn edge_32_an_empty_child_is_cleaned_up_and_one_can_join_again() {
    // Off by default in Socket.IO; here it is on, and `keep_empty` turns it off.
    let engine = Engine::new();
    let log = Log::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.middleware(|socket| match socket.auth().as_str() {
        Some("bad") => Err("no".into()),
        _ => Ok(()),
    });
    engine.on_new_namespace({
        let log = log.clone();
        move |namespace| log.say(namespace.path())
    });
    let exists = |path: &str| engine.get(path).is_some();
    let [mut a, mut b] = [0; 2].map(|_| Peer::new(&engine));
    // After a rejection.
    a.connect_as("/game-1", "bad");
    assert!(!exists("/game-1"));
    // Not while others remain.
    a.connect("/game-1");
    b.connect("/game-1");
    assert_eq!(a.read(), ["error:no", "connect"]);
    a.disconnect("/game-1");
    a.connect_as("/game-1", "bad");
    assert!(exists("/game-1"));
    // After the last leave, for whatever reason.
    let game = engine.get("/game-1").unwrap();
    b.socket("/game-1").disconnect(DisconnectReason::Server);
    assert!(!exists("/game-1") && game.is_closed());
    // And one can join again.
    b.connect("/game-1");
    assert!(exists("/game-1") && engine.get("/game-1").unwrap() != game);
    assert_eq!(a.read(), ["error:no"]);
    assert_eq!(b.read(), ["connect", "disconnect:Server", "connect"]);
    assert_eq!(log.take(), ["/game-1"; 3]);
    b.connection.close(DisconnectReason::Transport);
    assert!(!exists("/game-1"));
    // Never a static one, also if it matches.
    let (c, _) = Peer::joined(&engine, "/game-2");
    let kept = engine.of("/game-2").unwrap();
    c.disconnect("/game-2");
    assert!(exists("/game-2") && !kept.is_closed());
    let (d, _) = Peer::joined(&engine, "/");
    d.disconnect("/");
    assert!(exists("/"));
    // And none if that is said.
    games.keep_empty(true);
    c.connect("/game-3");
    c.disconnect("/game-3");
    assert!(exists("/game-3"));
}

#[test]
fn edge_33_a_static_namespace_beats_a_pattern() {
    let engine = Engine::new();
    let log = Log::new();
    let hall = engine.of("/game-hall").unwrap();
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.on_connect({
        let log = log.clone();
        move |_| log.say("game")
    });
    hall.on_connect({
        let log = log.clone();
        move |_| log.say("hall")
    });
    Peer::joined(&engine, "/game-hall");
    let (_peer, _) = Peer::joined(&engine, "/game-7");
    assert_eq!(log.take(), ["hall", "game"]);
    assert_eq!(games.children().len(), 1);
}

#[test]
fn edge_34_a_namespace_may_be_removed_from_any_of_its_hooks() {
    watched("removing from a hook", || {
        for hook in ["middleware", "connect", "event", "any", "disconnecting", "disconnect", "room", "error"]
        {
            let engine = Engine::new();
            let chat = engine.of("/chat").unwrap();
            let remove = {
                let engine = engine.clone();
                move || {
                    engine.remove("/chat");
                }
            };
            match hook {
                "middleware" => drop(chat.middleware(move |_| {
                    remove();
                    Ok(())
                })),
                "connect" => drop(chat.on_connect(move |_| remove())),
                "event" => drop(chat.on("event", move |_, _: Payload| remove())),
                "any" => drop(chat.on_any(move |_, _| remove())),
                "disconnecting" => drop(chat.on_disconnecting(move |_, _| remove())),
                "disconnect" => drop(chat.on_disconnect(move |_, _| remove())),
                "room" => drop(chat.on_room(move |_, _| remove())),
                _ => {
                    chat.on("event", |_, _: Payload| -> () { panic!("on purpose") }).unwrap();
                    chat.on_error(move |_, _| remove());
                }
            }
            let mut peer = Peer::new(&engine);
            let mut other = Peer::new(&engine);
            peer.connect("/chat");
            other.connect("/chat");
            if let Some(socket) = peer.connection.socket("/chat") {
                socket.join("room").ok();
                send(&peer.connection, "/chat", "event", "").unwrap();
                socket.disconnect("bye");
            }
            let mut last = peer.read().pop().unwrap();
            last.truncate(last.find(':').unwrap());
            assert_eq!(last, if hook == "middleware" { "error" } else { "disconnect" }, "{hook}");
            assert!(other.read().pop().unwrap() != "connect", "{hook}");
            assert!(engine.get("/chat").is_none() && chat.is_closed(), "{hook}");
            assert_eq!((engine.socket_count(), chat.socket_count()), (0, 0), "{hook}");
        }
    });
}
