//! For how long, how many sessions and how much of each are kept.

use std::time::Duration;

use roomcast::{Backlog, Engine, Namespace, Overflow, Payload, Recovery, Resumption, SessionKey};

use crate::rig::{Client, KEEP, Told, engine, engine_with};

#[test]
fn a_session_is_kept_for_its_time_and_no_longer() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let ann = Client::new(&engine);
    let (socket, session) = (ann.socket(), ann.session.unwrap());
    socket.join("room").unwrap();
    engine.tick(Duration::from_secs(100));
    drop(ann);
    engine.tick(Duration::from_secs(100) + KEEP - Duration::from_nanos(1));
    assert!(socket.is_connected());
    let ann = Client::resume(&engine, session, None);
    engine.tick(Duration::from_secs(1000));
    assert!(socket.is_connected() && !socket.is_away());
    drop(ann);
    engine.tick(Duration::from_secs(1000) + KEEP);
    assert!(!socket.is_connected() && !socket.is_away() && !chat.has_room("room"));
    let mut late = Client::resume(&engine, session, None);
    late.see();
    assert_eq!(late.resumption, Some(Resumption::TooLate));
    assert_eq!(late.socket().resumption(), Resumption::TooLate);
    assert_ne!(late.session, Some(session));
    assert_eq!(
        told.take(),
        [
            "connect",
            "away transport closed",
            "resume",
            "away transport closed",
            "leaving transport closed",
            "gone transport closed",
            "connect"
        ]
    );
    let stats = engine.stats();
    assert_eq!((stats.sessions, stats.away, stats.resumed, stats.expired_sessions), (1, 0, 1, 1));
    assert!(engine.snapshot().to_string().contains("1 session, 0 away; 1 resumed, 1 expired"));
}

#[test]
fn of_too_many_the_one_that_waits_the_longest_is_given_up() {
    let (engine, chat) = engine_with(Recovery::new(KEEP).sessions(2).unwrap());
    let clients: Vec<_> = (0..4).map(|_| Client::new(&engine)).collect();
    let sessions: Vec<_> = clients.iter().map(|client| client.session.unwrap()).collect();
    let mut clients: Vec<_> = clients.into_iter().map(Some).collect();
    for place in [2, 0, 3] {
        clients[place] = None;
    }
    assert_eq!((chat.socket_count(), engine.stats().away), (3, 2));
    // One that comes back and is lost again is the last.
    drop(Client::resume(&engine, sessions[0], None));
    clients[1] = None;
    let mut back: Vec<_> = sessions.iter().map(|session| Client::resume(&engine, *session, None)).collect();
    back.iter_mut().for_each(Client::see);
    let resumed: Vec<_> = back.iter().map(|client| client.resumption.unwrap().is_recovered()).collect();
    assert_eq!(resumed, [true, true, false, false]);
    assert_eq!(engine.stats().expired_sessions, 2);
}

#[test]
fn a_client_that_has_missed_more_than_is_kept_is_told_how_much() {
    for (limit, missed, is_in_time) in
        [(10, 10, true), (10, 11, false), (1, 1, true), (1, 2, false), (3, 100, false)]
    {
        for sent in [0, 1, missed / 2, missed] {
            let (engine, chat) = engine_with(Recovery::new(KEEP).messages(limit).unwrap());
            let told = Told::by(&chat);
            let mut ann = Client::new(&engine);
            (0..20).for_each(|_| _ = chat.emit("seen", ()).unwrap());
            ann.see();
            (0..sent).for_each(|number| _ = chat.emit("n", number.to_string()).unwrap());
            ann.lose();
            let (session, seen) = (ann.session.unwrap(), ann.seen);
            drop(ann);
            (sent..missed).for_each(|number| _ = chat.emit("n", number.to_string()).unwrap());
            let mut ann = Client::resume(&engine, session, seen);
            let got = ann.got();
            if is_in_time {
                assert_eq!(ann.resumption, Some(Resumption::Recovered));
                assert_eq!(got, (0..missed).map(|number| format!("n{number}")).collect::<Vec<_>>());
                continue;
            }
            let lost = (missed - limit) as u64;
            assert_eq!(ann.resumption, Some(Resumption::TooOld { missed: lost, exact: true }));
            assert_eq!(got, Vec::<String>::new());
            assert_ne!(ann.session, Some(session));
            assert_eq!(ann.socket().resumption(), Resumption::TooOld { missed: lost, exact: true });
            assert_eq!(
                told.take()[1..],
                ["away transport closed", "leaving transport closed", "gone transport closed", "connect"]
            );
            assert_eq!(chat.socket_count(), 1);
        }
    }
}

#[test]
fn bytes_are_bounded_too_but_the_newest_is_kept_whatever_its_size() {
    let recovery = || Recovery::new(KEEP).bytes(100).unwrap();
    for (sizes, missed) in
        [(&[60, 40][..], 0), (&[60, 41], 1), (&[1000], 0), (&[1, 1, 99, 1], 2), (&[101, 0], 1)]
    {
        let (engine, chat) = engine_with(recovery());
        let mut ann = Client::new(&engine);
        sizes.iter().for_each(|size| _ = chat.emit("n", Payload::from(vec![0; *size])).unwrap());
        ann.lose();
        let session = ann.session.unwrap();
        drop(ann);
        let mut ann = Client::resume(&engine, session, None);
        ann.see();
        let expected =
            if missed == 0 { Resumption::Recovered } else { Resumption::TooOld { missed, exact: true } };
        assert_eq!(ann.resumption, Some(expected), "{sizes:?}");
    }
}

/// The session of a client that is away while 100 messages are emitted to its room.
fn away_from_a_busy_room(engine: &Engine, chat: &Namespace) -> SessionKey {
    let room = chat.room("room").unwrap();
    let ann = Client::new(engine);
    ann.socket().join("room").unwrap();
    let session = ann.session.unwrap();
    drop(ann);
    (0..100).for_each(|_| _ = room.emit("n", ()).unwrap());
    session
}

#[test]
fn what_a_backlog_has_dropped_meanwhile_makes_a_session_too_old() {
    let (engine, chat) = engine();
    chat.set_backlog(Backlog::new().messages(8).unwrap());
    let session = away_from_a_busy_room(&engine, &chat);
    let mut ann = Client::resume(&engine, session, None);
    ann.see();
    let Some(Resumption::TooOld { missed, exact: true }) = ann.resumption else {
        panic!("{:?}", ann.resumption)
    };
    assert!((80..=92).contains(&missed), "{missed}");
}

#[test]
fn a_backlog_that_disconnects_ends_a_session() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    chat.set_backlog(Backlog::new().messages(8).unwrap().overflow(Overflow::Disconnect));
    let session = away_from_a_busy_room(&engine, &chat);
    assert_eq!((chat.socket_count(), engine.stats().sessions), (0, 0));
    let mut ann = Client::resume(&engine, session, None);
    ann.see();
    assert_eq!(ann.resumption, Some(Resumption::TooLate));
    assert!(told.take().contains(&"gone backlog over the limit".to_owned()));
}

#[test]
fn what_the_transport_knows_to_be_seen_is_let_go_of() {
    let (engine, chat) = engine_with(Recovery::new(KEEP).messages(1 << 20).unwrap());
    let mut ann = Client::new(&engine);
    let payload = Payload::from(vec![0; 1000]);
    let alive = std::sync::Arc::new(());
    let value = std::sync::Arc::clone(&alive);
    chat.emit("n", Payload::from(value)).unwrap();
    (0..200).for_each(|_| _ = chat.emit("n", payload.clone()).unwrap());
    ann.see();
    assert_eq!(std::sync::Arc::strong_count(&alive), 2);
    let seen = ann.seen.unwrap();
    ann.outbox.seen("/other", seen);
    assert_eq!(std::sync::Arc::strong_count(&alive), 2);
    ann.outbox.seen("/chat", seen);
    assert_eq!(std::sync::Arc::strong_count(&alive), 1);
    chat.emit("a", ()).unwrap();
    ann.lose();
    let (session, seen) = (ann.session.unwrap(), ann.seen);
    drop(ann);
    assert_eq!(Client::resume(&engine, session, seen).got(), ["a"]);
    // It has said that it has seen it.
    let mut liar = Client::resume(&engine, session, None);
    liar.see();
    assert_eq!(liar.resumption, Some(Resumption::TooOld { missed: 201, exact: true }));
}

/// It is not sent twice, so it is not kept once it was sent.
#[test]
fn a_question_that_was_sent_takes_no_place() {
    let (engine, chat) = engine_with(Recovery::new(KEEP).messages(2).unwrap());
    let ann = Client::new(&engine);
    let (socket, session) = (ann.socket(), ann.session.unwrap());
    drop(ann);
    chat.emit("a", ()).unwrap();
    let _ask = socket.emit_with_ack("ask", ()).unwrap();
    let mut ann = Client::resume(&engine, session, None);
    chat.emit("b", ()).unwrap();
    assert_eq!(ann.lose(), 4); // that it is back, and the three
    drop(ann);
    let mut ann = Client::resume(&engine, session, None);
    assert_eq!(
        (ann.got(), ann.resumption),
        (vec!["a".to_owned(), "b".to_owned()], Some(Resumption::Recovered))
    );
}

#[test]
fn what_is_kept_is_shown() {
    let shown = format!("{:?}", Recovery::new(KEEP).messages(7).unwrap().sessions(3).unwrap());
    assert!(shown.starts_with("Recovery { time: 60s, sessions: 3, messages: 7, bytes: "), "{shown}");
}
