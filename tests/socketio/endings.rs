//! Each way in which a socket ends: what its hooks are told, in which order, and what its client is.

use std::time::Duration;

use roomcast::{Backlog, DisconnectReason, Engine, Namespace, Overflow, Socket};

use crate::rig::{Log, Peer, rooms};

/// Logs the life of the sockets of a namespace.
fn watch(namespace: &Namespace, log: &Log) {
    let say = |what: &'static str| {
        let log = log.clone();
        move |socket: &Socket, reason: &DisconnectReason| {
            assert_eq!(socket.closed().as_ref(), Some(reason));
            log.say(format!("{what} {reason:?} {:?}", rooms(socket)));
        }
    };
    namespace.on_disconnecting(say("disconnecting"));
    namespace.on_disconnect(say("disconnect"));
    namespace.on_connect({
        let log = log.clone();
        move |socket| {
            socket.join("room").unwrap();
            log.say("connect");
        }
    });
    namespace.on_error({
        let log = log.clone();
        move |_, failure| log.say(failure.to_string())
    });
}

/// Ends one socket of `/chat` and checks what is said of it.
#[track_caller]
fn ends(reason: &DisconnectReason, packets: &[String], end: impl FnOnce(&Engine, &mut Peer)) {
    let engine =
        Engine::builder().backlog(Backlog::new().messages(4).unwrap().overflow(Overflow::Disconnect)).build();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    let (mut peer, socket) = Peer::joined(&engine, "/chat");
    assert_eq!(log.take(), ["connect"]);
    end(&engine, &mut peer);
    let told = [format!(r#"disconnecting {reason:?} ["room"]"#), format!("disconnect {reason:?} []")];
    assert_eq!(log.take(), told);
    assert_eq!(socket.closed().as_ref(), Some(reason));
    assert!(!socket.disconnect("again"));
    let gaps_aside: Vec<_> = peer.read().into_iter().filter(|packet| packet.starts_with("dis")).collect();
    assert_eq!(gaps_aside, packets);
    assert!(chat.rooms().is_empty() && chat.sockets().is_empty());
    assert_eq!((log.take(), engine.socket_count()), (vec![], 0));
}

fn told(reason: &DisconnectReason) -> Vec<String> {
    vec![format!("disconnect:{reason:?}")]
}

#[test]
fn the_client_leaves() {
    // It knows, and is not told.
    ends(&DisconnectReason::Client, &[], |_, peer| peer.disconnect("/chat"));
}

#[test]
fn the_server_disconnects_it() {
    let reason = DisconnectReason::Server;
    ends(&reason, &told(&reason), |_, peer| {
        assert!(peer.socket("/chat").disconnect(DisconnectReason::Server));
        assert_eq!(peer.connection.closed(), None);
    });
}

#[test]
fn the_server_disconnects_it_in_its_own_words() {
    let reason = DisconnectReason::from("cheating".to_owned());
    ends(&reason, &told(&reason), |engine, _| {
        let selected = engine.of("/chat").unwrap().to("room").disconnect("cheating").unwrap();
        assert_eq!(selected.changed(), 1);
    });
}

#[test]
fn the_transport_is_lost() {
    let reason = DisconnectReason::Transport;
    ends(&reason, &told(&reason), |_, peer| {
        assert!(peer.connection.close(DisconnectReason::Transport));
        assert_eq!(peer.connection.closed(), Some(DisconnectReason::Transport));
    });
}

#[test]
fn the_outbox_is_dropped() {
    ends(&DisconnectReason::Transport, &[], |engine, peer| {
        let (_, other) = engine.connect(roomcast::Handshake::new());
        drop(std::mem::replace(&mut peer.outbox, other));
        assert_eq!(peer.connection.closed(), Some(DisconnectReason::Transport));
    });
}

#[test]
fn it_falls_behind() {
    let reason = DisconnectReason::Backlog;
    ends(&reason, &told(&reason), |engine, peer| {
        let chat = engine.of("/chat").unwrap();
        for _ in 0..40 {
            chat.emit("news", "").unwrap();
        }
        assert_eq!(peer.connection.closed(), None);
    });
}

#[test]
fn its_peer_is_silent() {
    let reason = DisconnectReason::Timeout;
    ends(&reason, &told(&reason), |_, peer| assert!(peer.connection.close(DisconnectReason::Timeout)));
}

#[test]
fn its_client_breaks_the_protocol() {
    let reason = DisconnectReason::Protocol;
    ends(&reason, &told(&reason), |_, peer| assert!(peer.try_send("/other", "event", "").is_err()));
}

#[test]
fn its_namespace_is_removed() {
    let reason = DisconnectReason::NamespaceRemoved;
    ends(&reason, &told(&reason), |engine, peer| {
        assert!(engine.remove("/chat"));
        assert_eq!(peer.connection.closed(), None);
    });
}

#[test]
fn the_engine_is_closed() {
    let reason = DisconnectReason::Shutdown;
    ends(&reason, &told(&reason), |engine, peer| {
        engine.close();
        assert_eq!(peer.connection.closed(), Some(DisconnectReason::Shutdown));
    });
}

#[test]
fn a_socket_that_is_rejected_ends_without_hooks() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    chat.middleware({
        let log = log.clone();
        move |socket| {
            let log = log.clone();
            socket.on_disconnect(move |_, reason| log.say(format!("own {reason:?}")));
            socket.join("room").unwrap();
            Err("no".into())
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert_eq!((peer.read(), log.take()), (vec!["error:no".into()], vec![]));
    assert!(chat.rooms().is_empty());
}

#[test]
fn a_middleware_may_disconnect_its_socket_or_its_connection() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    chat.middleware(|socket| {
        if socket.auth().as_str() == Some("one") {
            assert!(socket.disconnect("not this one"));
        } else {
            assert!(socket.connection().unwrap().close("none of them"));
        }
        Ok(())
    });
    chat.middleware({
        let log = log.clone();
        move |_| {
            log.say("the next middleware");
            Ok(())
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/chat", "one");
    assert_eq!(peer.read(), ["error:not this one"]);
    peer.connect_as("/chat", "all");
    assert_eq!((peer.read(), peer.closed()), (vec![], Some("none of them".into())));
    assert_eq!((log.take(), engine.socket_count(), chat.is_closed()), (vec![], 0, false));
}

#[test]
fn a_hook_may_disconnect_the_socket_that_has_just_connected() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    chat.on_connect(|socket| {
        socket.emit("sorry", "").unwrap();
        socket.disconnect("full");
    });
    watch(&chat, &log);
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert_eq!(peer.read(), ["connect", "sorry:", r#"disconnect:Other("full")"#]);
    // Those that follow are called all the same, with a socket that is closed: here one that joins panics.
    let said = log.take();
    assert_eq!(said.len(), 3);
    assert!(said[0].starts_with("panic in on_connect:"), "{said:?}");
    assert_eq!(said[1..], [r#"disconnecting Other("full") []"#, r#"disconnect Other("full") []"#]);
}

#[test]
fn hooks_of_a_socket_follow_those_of_its_namespace_and_parent() {
    let engine = Engine::new();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, _: &DisconnectReason| log.say(what)
    };
    let games = engine.of_pattern("/game-{id}").unwrap();
    let game = engine.of("/game-7").unwrap();
    let (_peer, socket) = Peer::joined(&engine, "/game-7");
    socket.on_disconnect(say("disconnect socket"));
    socket.on_disconnecting(say("disconnecting socket"));
    game.on_disconnect(say("disconnect namespace"));
    game.on_disconnecting(say("disconnecting namespace"));
    games.on_disconnect(say("disconnect parent"));
    games.on_disconnecting(say("disconnecting parent"));
    socket.disconnect("bye");
    let disconnecting = ["disconnecting parent", "disconnecting namespace", "disconnecting socket"];
    let disconnect = ["disconnect parent", "disconnect namespace", "disconnect socket"];
    assert_eq!(log.take(), [disconnecting, disconnect].concat());
}

#[test]
fn the_end_waits_for_the_handler_that_brought_it() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    chat.on("leave", {
        let log = log.clone();
        move |socket, _: roomcast::Payload| {
            socket.disconnect(DisconnectReason::Server);
            assert!(!socket.is_connected() && socket.namespace().sockets().is_empty());
            log.say("handler goes on");
        }
    })
    .unwrap();
    let (peer, _) = Peer::joined(&engine, "/chat");
    peer.send("/chat", "leave", "");
    let order = ["connect", "handler goes on", r#"disconnecting Server ["room"]"#, "disconnect Server []"];
    assert_eq!(log.take(), order);
}

#[test]
fn a_client_comes_back_under_a_new_id() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let log = Log::new();
    watch(&chat, &log);
    let (mut peer, first) = Peer::joined(&engine, "/chat");
    first.emit("unread", "").unwrap();
    first.disconnect(DisconnectReason::Server);
    // It may have been told or not: what it had comes first.
    peer.connect("/chat");
    let second = peer.socket("/chat");
    assert_eq!(peer.read(), ["unread:", "disconnect:Server", "connect"]);
    assert!(first.id() != second.id() && peer.id("/chat") == second.id());
    // It gives up unread what it leaves.
    second.emit("unread", "").unwrap();
    peer.disconnect("/chat");
    peer.connect("/chat");
    assert_eq!(peer.read(), ["connect"]);
    assert_eq!(log.take().iter().filter(|said| *said == "connect").count(), 3);
    assert_eq!(chat.socket_ids(), [peer.id("/chat")]);
}

#[test]
fn a_connection_that_joined_once_is_not_timed_out() {
    let engine = Engine::builder().connect_timeout(Duration::from_secs(1)).build();
    let (peer, socket) = Peer::joined(&engine, "/");
    socket.disconnect(DisconnectReason::Server);
    engine.tick(Duration::from_secs(9));
    assert_eq!(peer.connection.closed(), None);
}

#[test]
fn rooms_are_left_between_the_hooks_also_from_its_own_handler() {
    for own in [false, true] {
        let engine = Engine::new();
        let chat = engine.of("/chat").unwrap();
        let log = Log::new();
        watch(&chat, &log);
        chat.on_room({
            let log = log.clone();
            move |_, event| log.say(format!("{event:?}").split('(').next().unwrap())
        });
        chat.on("leave", {
            let log = log.clone();
            move |socket, _: roomcast::Payload| {
                socket.disconnect("bye");
                log.say("handler goes on");
            }
        })
        .unwrap();
        let (peer, socket) = Peer::joined(&engine, "/chat");
        log.take();
        if own {
            peer.send("/chat", "leave", "");
        } else {
            socket.disconnect("bye");
        }
        let handler = if own { &["handler goes on"][..] } else { &[] };
        let hooks =
            [r#"disconnecting Other("bye") ["room"]"#, "Left", "Deleted", r#"disconnect Other("bye") []"#];
        assert_eq!(log.take(), [handler, &hooks].concat(), "own handler: {own}");
    }
}
