//! Closing everything from anywhere, and everything at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use roomcast::{DisconnectReason, Engine, Payload, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer, send};

#[test]
fn the_engine_and_the_connection_may_be_closed_from_any_hook() {
    watched("closing from a hook", || {
        let hooks = [
            "middleware",
            "connect",
            "event",
            "any",
            "packet",
            "disconnecting",
            "disconnect",
            "room",
            "admission",
        ];
        for (hook, closes_engine) in hooks.iter().flat_map(|hook| [(*hook, true), (*hook, false)]) {
            let engine = Engine::new();
            let chat = engine.of("/chat").unwrap();
            let connection = Arc::new(Mutex::new(None::<roomcast::Connection>));
            let close = {
                let (engine, connection) = (engine.clone(), Arc::clone(&connection));
                move || {
                    if closes_engine {
                        engine.close();
                    } else {
                        let connection = connection.lock().unwrap().clone();
                        connection.unwrap().close(DisconnectReason::Transport);
                    }
                }
            };
            match hook {
                "middleware" => drop(chat.middleware(move |_| {
                    close();
                    Ok(())
                })),
                "connect" => drop(chat.on_connect(move |_| close())),
                "event" => drop(chat.on("event", move |_, _: Payload| close())),
                "any" => drop(chat.on_any(move |_, _| close())),
                "packet" => drop(chat.packet_middleware(move |_, _| {
                    close();
                    Ok(())
                })),
                "disconnecting" => drop(chat.on_disconnecting(move |_, _| close())),
                "disconnect" => drop(chat.on_disconnect(move |_, _| close())),
                "room" => drop(chat.on_room(move |_, _| close())),
                _ => drop(chat.admission(move |_, _| {
                    close();
                    Ok(())
                })),
            }
            let what = format!("{hook}, engine: {closes_engine}");
            let mut peer = Peer::new(&engine);
            *connection.lock().unwrap() = Some(peer.connection.clone());
            peer.connect("/chat");
            if let Some(socket) = peer.connection.socket("/chat") {
                if let Err(error) = socket.join("room") {
                    assert!(socket.closed().is_some(), "{what}: {error}");
                }
                send(&peer.connection, "/chat", "event", "").ok();
                socket.disconnect("bye");
            }
            let packets = peer.read();
            assert_eq!(peer.closed(), peer.connection.closed(), "{what}");
            assert!(peer.closed().is_some(), "{what}");
            if hook == "middleware" {
                assert_eq!(packets, [""; 0], "{what}");
            } else {
                assert_eq!(packets.len(), 2, "{what}: {packets:?}"); // connect, disconnect
            }
            assert_eq!((engine.socket_count(), chat.rooms().len()), (0, 0), "{what}");
            assert_eq!((engine.connection_count(), engine.is_closed()), (0, closes_engine), "{what}");
            engine.close(); // hooks hold what holds them
        }
    });
}

/// Brings something for a client.
type Bring<'a> = &'a dyn Fn(&Peer);

/// What a socket has lived through.
#[derive(Default)]
struct Life(AtomicUsize);

impl Life {
    /// Goes on from one stage to the next, and logs it if it was not there.
    fn step(socket: &Socket, from: usize, to: usize, failures: &Log) {
        let life = socket.data::<Self>().expect("set by the middleware");
        if let Err(was) = life.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst) {
            failures.say(format!("{was} and not {from}, on the way to {to}"));
        }
    }
}

#[test]
fn lives_are_whole_whoever_ends_them() {
    watched("lives", || {
        let engine = Engine::new();
        let failures = Log::new();
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let games = engine.of_pattern("/game-{id}").unwrap();
        games.middleware(|socket| {
            socket.set_data(Life::default());
            socket.join("room").map_err(|error| error.to_string())?;
            if socket.auth().as_str() == Some("bad") { Err("no".into()) } else { Ok(()) }
        });
        games.on_connect({
            let (failures, begun) = (failures.clone(), Arc::clone(&begun));
            move |socket| {
                begun.fetch_add(1, Ordering::SeqCst);
                Life::step(socket, 0, 1, &failures);
            }
        });
        games
            .on("event", {
                let failures = failures.clone();
                move |socket, _: Payload| Life::step(socket, 1, 1, &failures)
            })
            .unwrap();
        games.on_disconnecting({
            let failures = failures.clone();
            move |socket, _| {
                Life::step(socket, 1, 2, &failures);
                if !socket.is_in("room") {
                    failures.say("not in its room");
                }
            }
        });
        games.on_disconnect({
            let (failures, ended) = (failures.clone(), Arc::clone(&ended));
            move |socket, _| {
                ended.fetch_add(1, Ordering::SeqCst);
                Life::step(socket, 2, 3, &failures);
                if socket.room_count() > 0 {
                    failures.say("still in a room");
                }
            }
        });
        games.on_error({
            let failures = failures.clone();
            move |_, failure| failures.say(failure.to_string())
        });
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..3)
                .map(|n| {
                    let engine = &engine;
                    scope.spawn(move || {
                        for round in 0..200 {
                            let path = format!("/game-{}", (n + round) % 2);
                            let mut peer = Peer::new(engine);
                            peer.connect_as(&path, if round % 5 == 0 { "bad" } else { "good" });
                            let first = peer.await_packets();
                            if first.first().is_some_and(|first| first == "connect") {
                                for _ in 0..3 {
                                    peer.send(&path, "event", "");
                                }
                                match round % 3 {
                                    0 => peer.disconnect(&path),
                                    1 => _ = peer.connection.close(DisconnectReason::Transport),
                                    _ => {}
                                }
                            } else {
                                assert!(first[0].starts_with("error:"), "{first:?}");
                            }
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                let mut turn = 0;
                while !is_over.load(Ordering::SeqCst) {
                    turn += 1;
                    for child in games.children() {
                        match turn % 3 {
                            0 => _ = engine.remove(child.path()),
                            1 => drop(child.to("room").disconnect(DisconnectReason::Server)),
                            _ => drop(child.emit("all", "")),
                        }
                    }
                    thread::yield_now();
                }
            });
            for client in clients {
                client.join().unwrap();
            }
            is_over.store(true, Ordering::SeqCst);
        });
        assert_eq!(failures.take(), [""; 0]);
        assert_eq!(begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
        assert!(begun.load(Ordering::SeqCst) > 100);
        assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
        assert_eq!(games.children().len(), 0);
    });
}

#[test]
fn the_transport_is_woken_once_for_whatever_comes_between_two_drains() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.on_with_ack("q", |_, _: Payload, ack| drop(ack.send("a"))).unwrap();
    let mut peer = Peer::new(&engine);
    let wakes = Arc::new(AtomicUsize::new(0));
    peer.outbox.on_wake({
        let wakes = Arc::clone(&wakes);
        move || _ = wakes.fetch_add(1, Ordering::SeqCst)
    });
    let woken = || wakes.swap(0, Ordering::SeqCst);
    let kinds: [(&str, Bring<'_>); 7] = [
        ("error:Invalid namespace", &|peer| peer.connect("/unknown")),
        ("connect", &|peer| peer.connect("/")),
        ("e:", &|peer| drop(peer.socket("/").emit("e", ""))),
        ("e:", &|_| drop(io.emit("e", ""))),
        ("ack 7:a", &|peer| peer.ask("/", "q", "", 7)),
        ("disconnect:Server", &|peer| _ = peer.socket("/").disconnect(DisconnectReason::Server)),
        ("connect", &|peer| peer.connect("/")),
    ];
    for (packet, bring) in kinds {
        bring(&peer);
        assert_eq!(woken(), 1, "{packet}");
        io.emit("more", "").unwrap();
        assert_eq!(woken(), 0, "{packet}");
        assert_eq!(peer.read()[0], packet);
        // A drain that finds a new socket may be woken by what it is about to read.
        peer.read();
        woken();
    }
    peer.connection.close(DisconnectReason::Transport);
    assert_eq!(woken(), 1);
    peer.read();
    assert_eq!(peer.closed(), Some(DisconnectReason::Transport));
    // Set late, it is told of what is there.
    let mut late = Peer::new(&engine);
    late.connect("/");
    late.outbox.on_wake({
        let wakes = Arc::clone(&wakes);
        move || _ = wakes.fetch_add(1, Ordering::SeqCst)
    });
    assert_eq!(woken(), 1);
    late.read();
    woken();
    late.outbox.no_wake();
    io.emit("e", "").unwrap();
    assert_eq!((woken(), late.read()), (0, vec!["e:".into()]));
}
