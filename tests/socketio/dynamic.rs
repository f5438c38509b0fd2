//! Namespaces that parents make: which one, when, for how long.

use std::sync::{Arc, Mutex};
use std::thread;

use roomcast::{DisconnectReason, EmitError, Engine, Namespace, Payload, RoomNameError, StaleSocket, Target};

use crate::common::watched;
use crate::rig::{Log, Peer};

/// Takes away the namespace that is being made.
type Rug = fn(&Engine, &Namespace);

#[test]
fn the_first_parent_that_matches_makes_the_child() {
    let engine = Engine::new();
    let log = Log::new();
    let by_function = engine.of_fn({
        let log = log.clone();
        move |path, auth| {
            log.say(path);
            path == "/game-1" || auth.as_str() == Some("token")
        }
    });
    let games = engine.of_pattern("/game-{id}").unwrap();
    let all = engine.of_pattern("/{*rest}").unwrap();
    for path in ["/game-1", "/game-2", "/a/b"] {
        Peer::joined(&engine, path);
    }
    assert_eq!(log.take(), ["/game-1", "/game-2", "/a/b"]);
    for parent in [&by_function, &games, &all] {
        parent.keep_empty(true);
    }
    let mut peer = Peer::new(&engine);
    for path in ["/game-1", "/game-2", "/a/b"] {
        peer.connect(path);
    }
    peer.connect_as("/game-3", "token");
    assert_eq!(peer.read(), ["connect"; 4]);
    let children = |parent: &roomcast::Parent| -> Vec<String> {
        parent.children().iter().map(|child| child.path().to_owned()).collect()
    };
    assert_eq!(children(&by_function), ["/game-1", "/game-3"]);
    assert_eq!((children(&games), children(&all)), (vec!["/game-2".into()], vec!["/a/b".into()]));
    let params = |path: &str| engine.get(path).unwrap().params();
    assert_eq!((params("/game-2").get("id"), params("/a/b").get("rest")), (Some("2"), Some("a/b")));
    assert!(params("/game-1").is_empty() && params("/").is_empty());
    assert_eq!((games.pattern(), by_function.pattern()), (Some("/game-{id}"), None));
}

#[test]
fn a_function_and_a_hook_may_call_anything() {
    watched("reentrant parents", || {
        let engine = Engine::new();
        let log = Log::new();
        engine.of_fn({
            let (engine, log) = (engine.clone(), log.clone());
            move |path, _| {
                log.say(format!("asked {} {}", engine.get(path).is_none(), engine.namespaces().len()));
                // One that makes the namespace itself has it stay.
                path == "/own" && engine.of(path).is_ok()
            }
        });
        engine.on_new_namespace({
            let (engine, log) = (engine.clone(), log.clone());
            move |namespace| {
                log.say(format!("{} {}", namespace.path(), engine.get(namespace.path()).is_some()));
                match namespace.path() {
                    "/own" => log.say(engine.of("/another").is_ok().to_string()),
                    "/gone" => log.say(engine.remove("/gone").to_string()),
                    _ => {}
                }
            }
        });
        let mut peer = Peer::new(&engine);
        peer.connect("/own");
        let said = ["asked true 1", "/own true", "/another true", "true"];
        assert_eq!((log.take(), peer.read()), (said.map(String::from).into(), vec!["connect".into()]));
        peer.disconnect("/own");
        assert!(engine.get("/own").is_some() && engine.get("/another").is_some());
        assert!(engine.of("/gone").unwrap().is_closed());
        assert_eq!(log.take(), ["/gone true", "true"]);
        peer.connect("/gone");
        assert_eq!(peer.read(), ["error:Invalid namespace"]);
        engine.close(); // hooks hold what holds them
    });
}

#[test]
fn whether_empty_children_stay_can_be_changed() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let peer = Peer::new(&engine);
    let visit = |path: &str| {
        peer.connect(path);
        peer.disconnect(path);
        engine.get(path).is_some()
    };
    assert!(!visit("/game-1"));
    games.keep_empty(true);
    assert!(visit("/game-1") && visit("/game-1"));
    games.keep_empty(false);
    assert!(engine.get("/game-1").is_some()); // for what becomes empty from now on
    assert!(!visit("/game-1"));
    // Sockets without a connection count too.
    peer.connect("/game-2");
    let (local, _inbox) = engine.get("/game-2").unwrap().connect();
    peer.disconnect("/game-2");
    assert!(engine.get("/game-2").is_some());
    local.disconnect("bye");
    assert!(engine.get("/game-2").is_none());
    // Asked for by name it stays, from then on.
    peer.connect("/game-3");
    engine.of("/game-3").unwrap();
    peer.disconnect("/game-3");
    assert!(engine.get("/game-3").is_some());
    assert!(engine.remove("/game-3") && !visit("/game-3"));
}

#[test]
fn a_child_is_there_until_the_last_has_said_good_bye() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let log = Log::new();
    games.on_disconnect({
        let (engine, log) = (engine.clone(), log.clone());
        move |socket, _| {
            let namespace = socket.namespace();
            log.say(format!("{} {}", namespace.is_closed(), engine.get("/game-7") == Some(namespace)));
        }
    });
    let (peer, _) = Peer::joined(&engine, "/game-7");
    peer.disconnect("/game-7");
    assert_eq!((log.take(), games.children().len()), (vec!["false true".into()], 0));
    engine.close(); // hooks hold what holds them
}

#[test]
fn a_parent_emits_to_targets_that_are_of_no_child() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let [(mut a, one), (mut b, _two)] = ["/game-1", "/game-2"].map(|path| Peer::joined(&engine, path));
    one.join("room").unwrap();
    let emitted = games.emit_to(&Target::new().except("room"), "but", "").unwrap();
    assert_eq!((emitted.sequence(), emitted.rooms()), (None, 2));
    let none: [&str; 0] = [];
    assert_eq!(games.emit_to(&Target::new().to(none), "nobody", "").unwrap().members(), 0);
    let room = one.namespace().room("room").unwrap();
    let foreign = games.emit_to(&Target::new().to(room), "foreign", "").unwrap_err();
    assert_eq!(foreign, EmitError::Room(RoomNameError::Foreign));
    assert_eq!((b.read(), a.read().contains(&"but:".to_owned())), (vec!["but:".into()], false));
}

#[test]
fn middlewares_that_the_new_namespace_hook_adds_hold_for_everybody() {
    // Also for who finds the namespace while the hook is still at it.
    let engine = Engine::new();
    engine.of_pattern("/game-{id}").unwrap();
    let inside = Arc::new(Mutex::new(None));
    engine.on_new_namespace({
        let (engine, inside) = (engine.clone(), Arc::clone(&inside));
        move |namespace| {
            let early = Peer::new(&engine);
            early.connect(namespace.path());
            *inside.lock().unwrap() = Some(early);
            namespace.middleware(|socket| match socket.auth().as_str() {
                Some("token") => Ok(()),
                _ => Err("no token".into()),
            });
        }
    });
    let mut first = Peer::new(&engine);
    first.connect("/game-7");
    assert_eq!(first.read(), ["error:no token"]);
    let mut early = inside.lock().unwrap().take().unwrap();
    assert_eq!(early.read(), ["error:no token"]);
    assert!(engine.get("/game-7").is_none());
    first.connect_as("/game-7", "token");
    assert_eq!(first.read(), ["connect"]);
    engine.close(); // hooks hold what holds them
}

#[test]
fn who_waits_for_the_new_namespace_hook_may_give_up_and_try_again() {
    let engine = Engine::new();
    engine.of_pattern("/game-{id}").unwrap();
    let log = Log::new();
    let [first, again, lost] = [0; 3].map(|_| Arc::new(Mutex::new(Peer::new(&engine))));
    engine.on_new_namespace({
        let (again, lost, log) = (Arc::clone(&again), Arc::clone(&lost), log.clone());
        move |namespace| {
            let again = again.lock().unwrap();
            again.connect_as("/game-7", "given up");
            again.disconnect("/game-7");
            again.connect_as("/game-7", "again");
            let lost = lost.lock().unwrap();
            lost.connect_as("/game-7", "lost");
            lost.connection.close("lost");
            namespace.on_connect({
                let log = log.clone();
                move |socket| log.say(socket.auth().as_str().unwrap())
            });
        }
    });
    first.lock().unwrap().connect_as("/game-7", "first");
    assert_eq!(log.take(), ["again", "first"]);
    assert_eq!(again.lock().unwrap().read(), ["connect"]);
    assert_eq!(lost.lock().unwrap().read(), [""; 0]);
    assert_eq!(engine.get("/game-7").unwrap().socket_count(), 2);
    assert_eq!(engine.socket_count(), 2);
    // The namespace goes when both have left: none of those that gave up is counted.
    first.lock().unwrap().disconnect("/game-7");
    again.lock().unwrap().disconnect("/game-7");
    assert!(engine.get("/game-7").is_none());
    engine.close(); // hooks hold what holds them
}

#[test]
fn whoever_is_connected_is_where_others_find_it() {
    watched("children come and go", || {
        let engine = Engine::new();
        let games = engine.of_pattern("/game-{id}").unwrap();
        games.middleware(|socket| if socket.auth().is_empty() { Ok(()) } else { Err("no".into()) });
        thread::scope(|scope| {
            for n in 0..4 {
                let engine = &engine;
                scope.spawn(move || {
                    let mut peer = Peer::new(engine);
                    for round in 0..300 {
                        if (round + n) % 3 == 0 {
                            peer.connect_as("/game-7", "bad");
                            assert_eq!(peer.await_packets(), ["error:no"]);
                        }
                        peer.connect("/game-7");
                        assert_eq!(peer.await_packets(), ["connect"]);
                        let here = peer.socket("/game-7").namespace();
                        assert_eq!(engine.get("/game-7").as_ref(), Some(&here));
                        assert!(!here.is_closed());
                        here.to(peer.id("/game-7")).emit("e", "").unwrap();
                        assert_eq!(peer.read(), ["e:"]);
                        peer.disconnect("/game-7");
                    }
                });
            }
        });
        assert_eq!((games.children().len(), engine.namespaces().len()), (0, 1));
        assert_eq!(engine.socket_count(), 0);
    });
}

#[test]
fn hooks_of_new_namespaces_are_told_once_and_taken_off() {
    let engine = Engine::new();
    let log = Log::new();
    let id = engine.on_new_namespace({
        let log = log.clone();
        move |namespace| log.say(namespace.path())
    });
    engine.of("/").unwrap();
    engine.of("chat").unwrap();
    engine.of("/chat").unwrap();
    assert!(engine.of("/a b").is_err());
    engine.remove("/chat");
    engine.of("/chat").unwrap();
    assert_eq!(log.take(), ["/chat", "/chat"]);
    assert!(engine.off(id) && !engine.off(id));
    engine.of("/news").unwrap();
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn what_is_registered_too_late_stays_with_nobody() {
    let held = Arc::new(());
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    engine.close();
    let hold = || (Arc::clone(&held), engine.clone(), games.clone());
    let (a, b, c, d) = (hold(), hold(), hold(), hold());
    games.on_connect(move |_| _ = &a);
    games.on("e", move |_, _: Payload| _ = &b).unwrap();
    engine.on_new_namespace(move |_| _ = &c);
    drop(engine.of_fn(move |_, _| Arc::strong_count(&d.0) == 0));
    assert_eq!(Arc::strong_count(&held), 1);
    let mut peer = Peer::new(&engine);
    assert!(peer.try_connect("/game-7", "").is_err());
    assert_eq!(peer.read(), [""; 0]);
}

#[test]
fn a_target_of_one_child_is_refused_before_anything_happens() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let [(mut a, one), (mut b, _two)] = ["/game-1", "/game-2"].map(|path| Peer::joined(&engine, path));
    let room = one.namespace().room("room").unwrap();
    one.join(&room).unwrap();
    let foreign = EmitError::Room(RoomNameError::Foreign);
    let targets = [
        (Target::new().to(one.id()), EmitError::Stale(StaleSocket(one.id()))),
        (Target::new().except(one.id()), EmitError::Stale(StaleSocket(one.id()))),
        (Target::new().to(&room), foreign.clone()),
        (Target::new().except(&room), foreign),
    ];
    for (target, error) in targets {
        assert_eq!(games.emit_to(&target, "e", "").map(drop), Err(error.clone()));
        assert_eq!(games.sockets(&target), Err(error.clone()));
        assert_eq!(games.join(&target, "joined"), Err(error.clone()));
        assert_eq!(games.leave(&target, "room"), Err(error.clone()));
        assert_eq!(games.disconnect(&target, "out"), Err(error));
    }
    // A name that cannot be one too, whoever it would have been for.
    assert!(matches!(games.emit_to(&Target::new().to(""), "e", ""), Err(EmitError::Room(_))));
    assert_eq!((a.read(), b.read()), (vec![], vec![]));
    assert_eq!((one.rooms().len(), engine.socket_count()), (1, 2));
}

#[test]
fn a_parent_selects_from_all_children() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let mut peers = ["/game-1", "/game-1", "/game-2"].map(|path| Peer::joined(&engine, path));
    let everyone = Target::new();
    let sockets: Vec<_> = peers.iter().map(|(_, socket)| socket.clone()).collect();
    assert_eq!(games.sockets(&everyone).unwrap(), sockets);
    // A namespace has handles of its sockets, and their ids.
    let game = engine.get("/game-1").unwrap();
    assert_eq!(
        (game.sockets(), game.socket_ids()),
        (sockets[..2].to_vec(), vec![sockets[0].id(), sockets[1].id()])
    );
    assert_eq!(game.everyone().sockets().unwrap(), sockets[..2]);
    // What one of them is refused is in what comes back, from whichever child.
    let full = engine.get("/game-2").unwrap().room("full").unwrap();
    full.set_capacity(0);
    let joined = games.join(&everyone, "full").unwrap();
    assert_eq!((joined.sockets(), joined.changed(), joined.refused().len()), (3, 2, 1));
    assert_eq!(joined.refused()[0].0, sockets[2].id());
    let left = games.leave(&Target::new().to("full"), "full").unwrap();
    assert_eq!((left.sockets(), left.changed()), (2, 2));
    sockets[0].join("out").unwrap();
    sockets[2].join("out").unwrap();
    let gone = games.disconnect(&Target::new().to("out"), "over").unwrap();
    assert_eq!((gone.sockets(), gone.changed()), (2, 2));
    let over = || vec![r#"disconnect:Other("over")"#.to_owned()];
    assert_eq!(peers.each_mut().map(|(peer, _)| peer.read()), [over(), vec![], over()]);
    assert_eq!(games.children(), [game]);
}

#[test]
fn a_new_namespace_hook_may_pull_the_rug() {
    watched("hooks that close what is being made", || {
        let rugs: [(&str, Rug); 4] = [
            ("closes", |engine, _| engine.close()),
            ("removes", |engine, namespace| assert!(engine.remove(namespace.path()))),
            ("asks for it by name", |engine, namespace| {
                assert_eq!(&engine.of(namespace.path()).unwrap(), namespace);
            }),
            ("comes and goes", |engine, namespace| {
                Peer::new(engine).connect(namespace.path());
            }),
        ];
        for (what, pull) in rugs {
            let engine = Engine::new();
            let games = engine.of_pattern("/game-{id}").unwrap();
            engine.on_new_namespace({
                let engine = engine.clone();
                move |namespace| pull(&engine, namespace)
            });
            let mut peer = Peer::new(&engine);
            peer.connect("/game-7");
            let told = peer.read();
            let (children, sockets) = (games.children().len(), engine.socket_count());
            match what {
                "closes" => {
                    assert_eq!(
                        (told.len(), peer.closed()),
                        (0, Some(DisconnectReason::Shutdown)),
                        "{told:?}"
                    );
                    assert_eq!((children, sockets), (0, 0));
                }
                "removes" => {
                    assert_eq!(told, ["error:namespace removed"]);
                    assert_eq!((children, sockets), (0, 0));
                }
                _ => {
                    assert_eq!(told, ["connect"], "{what}");
                    assert_eq!((children, sockets), (1, 1), "{what}");
                    peer.disconnect("/game-7");
                    // Asked for by name it stays.
                    let stays = usize::from(what == "asks for it by name");
                    assert_eq!(engine.get("/game-7").is_some(), stays == 1, "{what}");
                }
            }
            engine.close(); // hooks hold what holds them
        }
    });
}
