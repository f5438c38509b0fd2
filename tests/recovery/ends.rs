//! What ends a session, and that nothing of it stays.

use std::sync::Arc;

use roomcast::{ClientPacket, DisconnectReason, Engine, Namespace, Payload, Resumption};

use crate::rig::{Client, PATH, Told, engine};

/// Ends the connection of a client, or its socket, on purpose.
type End = fn(&Client);

#[test]
fn what_was_planned_is_not_resumed() {
    let ends: &[(End, &str)] = &[
        (
            |ann| ann.enter(ClientPacket::Disconnect { namespace: PATH }).unwrap(),
            "disconnected by the client",
        ),
        (|ann| assert!(ann.socket().disconnect(DisconnectReason::Server)), "disconnected by the server"),
        (|ann| assert!(ann.connection.close("good night")), "good night"),
        (|ann| assert!(ann.connection.close(DisconnectReason::Client)), "disconnected by the client"),
        (|ann| assert!(ann.socket().disconnect_client("you")), "you"),
        (
            |ann| {
                let connect = ClientPacket::Connect { namespace: PATH, auth: Payload::default() };
                ann.enter(connect).unwrap_err();
            },
            "protocol error",
        ),
    ];
    for (end, reason) in ends {
        let (engine, chat) = engine();
        let told = Told::by(&chat);
        let ann = Client::new(&engine);
        let session = ann.session.unwrap();
        end(&ann);
        assert_eq!(engine.stats().sessions, 0);
        assert_eq!(told.take(), ["connect", &format!("leaving {reason}"), &format!("gone {reason}")]);
        drop(ann);
        let mut ann = Client::resume(&engine, session, None);
        ann.see();
        assert_eq!((ann.resumption, chat.socket_count()), (Some(Resumption::TooLate), 1));
    }
    for unplanned in [DisconnectReason::Transport, DisconnectReason::Timeout] {
        let (engine, chat) = engine();
        let told = Told::by(&chat);
        let mut ann = Client::new(&engine);
        let session = ann.session.unwrap();
        assert!(unplanned.is_unplanned() && ann.connection.close(unplanned.clone()));
        assert!(!ann.connection.close("later"));
        assert_eq!(ann.got(), Vec::<String>::new());
        assert_eq!(ann.outbox.closed(), Some(&unplanned));
        let mut ann = Client::resume(&engine, session, None);
        ann.see();
        assert_eq!(ann.resumption, Some(Resumption::Recovered));
        assert_eq!(told.take(), ["connect", &format!("away {unplanned}"), "resume"]);
    }
}

/// Ends what is away.
type EndAway = fn(&Engine, &Namespace, &roomcast::Socket);

#[test]
fn a_session_whose_client_is_away_can_be_ended() {
    let ends: &[(EndAway, &str)] = &[
        (|_, _, socket| assert!(socket.disconnect("enough")), "enough"),
        (|_, _, socket| assert!(socket.disconnect_client("enough")), "enough"),
        (|engine, _, _| assert!(engine.remove(PATH)), "namespace removed"),
        (|engine, _, _| engine.close(), "engine closed"),
        (|engine, _, _| engine.tick(crate::rig::KEEP), "transport closed"),
        (|_, chat, _| assert!(chat.to("room").disconnect("room").is_ok()), "room"),
    ];
    for (end, reason) in ends {
        let (engine, chat) = engine();
        let told = Told::by(&chat);
        let mut ann = Client::new(&engine);
        let (socket, session) = (ann.socket(), ann.session.unwrap());
        socket.join("room").unwrap();
        let value = Arc::new(());
        chat.emit("lost", Payload::from(Arc::clone(&value))).unwrap();
        ann.lose();
        drop(ann);
        chat.emit("unsent", Payload::from(Arc::clone(&value))).unwrap();
        assert_eq!(Arc::strong_count(&value), 3);
        end(&engine, &chat, &socket);
        assert_eq!(Arc::strong_count(&value), 1, "{reason}");
        assert!(!socket.is_connected() && !socket.is_away());
        let stats = engine.stats();
        assert_eq!((stats.sessions, stats.away, stats.total.sockets), (0, 0, 0));
        assert_eq!(
            told.take()[1..],
            ["away transport closed".to_owned(), format!("leaving {reason}"), format!("gone {reason}")]
        );
        if !engine.is_closed() {
            let mut late = Client::resume(&engine, session, None);
            late.see();
            assert!(matches!(late.resumption, None | Some(Resumption::TooLate)));
        }
    }
}

#[test]
fn an_engine_that_goes_lets_go_of_who_is_away() {
    let value = Arc::new(());
    {
        let (engine, chat) = engine();
        let ann = Client::new(&engine);
        ann.socket().set_data(Arc::clone(&value));
        drop(ann);
        assert_eq!((chat.socket_count(), Arc::strong_count(&value)), (1, 2));
        drop(engine);
        assert_eq!(chat.socket_count(), 0);
    }
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn who_gives_up_while_it_comes_back_has_left() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let mut old = Client::new(&engine);
    let new = Client::resume(&engine, old.session.unwrap(), None);
    // It waits for what the old one's transport has.
    new.enter(ClientPacket::Disconnect { namespace: PATH }).unwrap();
    old.see();
    assert_eq!((chat.socket_count(), engine.stats().sessions), (0, 0));
    assert_eq!(told.take()[2..], ["leaving disconnected by the client", "gone disconnected by the client"]);
}
