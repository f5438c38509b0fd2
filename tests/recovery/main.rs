//! Recovery: a client whose connection is lost comes back to its socket, and gets all that it has not seen, once and in
//! order; or is told why not.

mod bounds;
mod ends;
mod hooks;
mod in_process;
mod middlewares;
mod program;
mod races;
mod random;
mod rig;
mod sent_again;

use std::sync::Arc;
use std::time::Duration;

use roomcast::{
    ClientPacket, DisconnectReason, Engine, Payload, Presence, Recovery, Resumption, RoomName, SessionKey,
};

use crate::rig::{Client, KEEP, PATH, Told, engine, engine_with};

#[test]
fn a_client_gets_the_same_socket_and_all_that_it_has_not_seen() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let mut ann = Client::new(&engine);
    let socket = ann.socket();
    let id = ann.id;
    socket.join(["room", "other"]).unwrap();
    socket.set_data(7_u8);
    assert_eq!((socket.resumption(), socket.is_away()), (Resumption::New, false));
    chat.to("room").emit("seen", ()).unwrap();
    assert_eq!(ann.got(), ["seen"]);

    // Sent, and lost with the line.
    chat.to("room").emit("a", ()).unwrap();
    socket.emit("b", ()).unwrap();
    chat.emit("c", ()).unwrap();
    assert_eq!(ann.lose(), 3);
    // Not even sent.
    chat.to("other").emit("d", ()).unwrap();
    let (session, seen) = (ann.session.unwrap(), ann.seen);
    drop(ann);
    // Emitted while it is away.
    assert!(socket.is_away() && socket.is_connected());
    assert_eq!(chat.members("room"), [socket.id()]);
    assert_eq!(socket.connection(), None);
    socket.emit("e", ()).unwrap();
    chat.to("room").emit("f", ()).unwrap();
    socket.leave("room").unwrap();
    chat.to("room").emit("not for it", ()).unwrap();
    socket.join("new").unwrap();
    chat.to(["room", "new", "other"]).emit("g", ()).unwrap();

    let mut ann = Client::resume(&engine, session, seen);
    assert_eq!(ann.got(), ["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!((ann.resumption, ann.id, ann.session), (Some(Resumption::Recovered), id, Some(session)));
    assert_eq!(ann.socket(), socket);
    assert_eq!(socket.connection().as_ref(), Some(&ann.connection));
    assert_eq!(socket.data::<u8>().as_deref(), Some(&7));
    assert_eq!((socket.resumption(), socket.is_away()), (Resumption::Recovered, false));
    assert_eq!(socket.rooms(), ["other", "new"].map(RoomName::from));
    chat.emit("live", ()).unwrap();
    ann.say("hello", None).unwrap();
    assert_eq!(ann.got(), ["live"]);
    assert_eq!(told.take(), ["connect", "away transport closed", "resume", "said hello"]);
    let stats = engine.stats();
    assert_eq!((stats.sessions, stats.away, stats.resumed, stats.expired_sessions), (1, 0, 1, 0));
    assert_eq!((stats.total.connects, stats.connections), (1, 1));
}

/// Socket.IO has nothing to resume by before the first event.
#[test]
fn one_that_has_seen_nothing_comes_back_too() {
    let (engine, chat) = engine();
    let mut ann = Client::open(&engine);
    ann.enter(ClientPacket::Connect { namespace: PATH, auth: Payload::default() }).unwrap();
    ann.see();
    let ann = ann.come_back(&engine);
    chat.emit("a", ()).unwrap();
    assert_eq!(ann.seen, None);
    let mut ann = ann.come_back(&engine);
    assert_eq!(ann.got(), ["a"]);
    assert_eq!(ann.resumption, Some(Resumption::Recovered));
}

#[test]
fn one_comes_back_again_and_again() {
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    let id = ann.id;
    let mut seen = Vec::new();
    for number in 0..100 {
        chat.emit("n", number.to_string()).unwrap();
        match number % 4 {
            0 => ann.see(),
            1 => ann.see_some(1),
            2 => drop(ann.lose()),
            _ => {}
        }
        seen.append(&mut ann.got);
        ann = ann.come_back(&engine);
    }
    seen.append(&mut ann.got());
    assert_eq!(seen, (0..100).map(|number| format!("n{number}")).collect::<Vec<_>>());
    assert_eq!((ann.id, engine.stats().resumed), (id, 100));
}

#[test]
fn one_that_has_another_line_already_is_taken_from_the_first() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let mut old = Client::new(&engine);
    chat.emit("a", ()).unwrap();
    assert_eq!(old.got(), ["a"]);
    chat.emit("b", ()).unwrap();
    let mut new = Client::resume(&engine, old.session.unwrap(), old.seen);
    assert_eq!(old.connection.closed(), Some(DisconnectReason::Transport));
    // What it has to send is with the old one's transport until that lets go of it.
    assert_eq!((new.got(), new.resumption), (vec![], None));
    assert_eq!(old.got(), Vec::<String>::new());
    assert_eq!(old.outbox.closed(), Some(&DisconnectReason::Transport));
    assert_eq!((new.got(), new.resumption), (vec!["b".to_owned()], Some(Resumption::Recovered)));
    assert_eq!(told.take(), ["connect", "away transport closed", "resume"]);
    drop(old);
    assert_eq!((new.connection.closed(), chat.socket_count()), (None, 1));
}

#[test]
fn each_namespace_is_resumed_by_itself() {
    let (engine, chat) = engine();
    let other = engine.of("/other").unwrap();
    let mut ann = Client::new(&engine);
    let connect = ClientPacket::Connect { namespace: "/other", auth: Payload::default() };
    ann.enter(connect.clone()).unwrap();
    let key = ann.session.unwrap();
    ann.see();
    let others_key = ann.session.unwrap();
    assert_ne!(key, others_key);
    drop(ann);
    assert_eq!((chat.socket_count(), other.socket_count(), engine.stats().away), (1, 1, 2));

    // The key of one is none of the other.
    let mut ann = Client::resume(&engine, others_key, None);
    ann.see();
    assert_eq!(ann.resumption, Some(Resumption::TooLate));
    drop(ann);
    let mut ann = Client::resume(&engine, key, None);
    ann.see();
    assert_eq!(ann.resumption, Some(Resumption::Recovered));
    ann.enter(ClientPacket::Resume {
        namespace: "/other",
        auth: Payload::default(),
        session: others_key,
        seen: None,
    })
    .unwrap();
    ann.resumption = None;
    ann.see();
    assert_eq!((ann.resumption, other.socket_count()), (Some(Resumption::Recovered), 1));
    assert_eq!(
        ann.enter(connect).unwrap_err().to_string(),
        "the client has a socket in that namespace already"
    );
}

#[test]
fn what_a_client_says_of_itself_is_what_it_said_last() {
    let (engine, chat) = engine();
    let mut ann = Client::open(&engine);
    ann.enter(ClientPacket::Connect { namespace: PATH, auth: "first".into() }).unwrap();
    ann.see();
    let (socket, session) = (ann.socket(), ann.session.unwrap());
    assert_eq!(socket.auth(), Payload::from("first"));
    drop(ann);
    let handshake = roomcast::Handshake::new().with("address", "192.0.2.9");
    let (connection, _outbox) = engine.connect(handshake);
    let packet = ClientPacket::Resume { namespace: PATH, auth: "second".into(), session, seen: None };
    connection.receive(packet).unwrap();
    assert_eq!((socket.auth(), socket.is_away()), (Payload::from("second"), false));
    assert_eq!(socket.handshake().get("address"), Some("192.0.2.9"));
    assert_eq!(chat.socket_count(), 1);
}

#[test]
fn without_recovery_nothing_is_kept() {
    let engine = Engine::new();
    let chat = engine.of(PATH).unwrap();
    let told = Told::by(&chat);
    let mut ann = Client::new(&engine);
    assert_eq!(ann.session, None);
    chat.emit("a", ()).unwrap();
    assert_eq!((ann.got(), ann.seen), (vec!["a".to_owned()], None));
    drop(ann);
    assert_eq!(chat.socket_count(), 0);
    let mut ann = Client::resume(&engine, SessionKey::from_bits(1), None);
    ann.see();
    assert_eq!((ann.resumption, ann.session), (Some(Resumption::TooLate), None));
    assert_eq!(told.take(), ["connect", "leaving transport closed", "gone transport closed", "connect"]);
}

#[test]
fn keys_are_told_apart_and_may_be_ones_own() {
    let (engine, _chat) = engine();
    let keys: std::collections::BTreeSet<_> =
        (0..1000).map(|_| Client::new(&engine).session.unwrap().to_bits()).collect();
    assert_eq!(keys.len(), 1000);
    // Spread over all bits.
    let all = keys.iter().fold((u128::MAX, 0), |(and, or), key| (and & key, or | key));
    assert_eq!(all, (0, u128::MAX));

    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (engine, chat) = engine_with(Recovery::new(KEEP).keys(move || {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        SessionKey::from_bits(u128::from(number / 2))
    }));
    let [a, b, c] = [0; 3].map(|_| Client::new(&engine));
    let keys = [&a, &b, &c].map(|client| client.session.map(SessionKey::to_bits));
    assert_eq!(keys, [Some(0), None, Some(1)]);
    drop((a, b, c));
    assert_eq!(chat.socket_count(), 2); // the one without a key is gone
}

#[test]
fn presence_and_pending_answers_outlast_a_lost_connection() {
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    let socket = ann.socket();
    let (watcher, mut inbox) = chat.connect();
    let presence = Presence::new(&chat.room("room").unwrap());
    socket.join("room").unwrap();
    presence.watch(&watcher).unwrap();
    presence.track(&socket, "ann", ()).unwrap();
    engine.tick(Duration::from_secs(1));
    assert!(inbox.drain(|_| {}) > 0);
    let ack = socket.emit_with_ack("ask", ()).unwrap();
    let (session, seen) = (ann.session.unwrap(), ann.seen);
    drop(ann);
    engine.tick(Duration::from_secs(2));
    assert_eq!((inbox.drain(|_| {}), ack.is_done()), (0, false));
    ann = Client::resume(&engine, session, seen);
    assert_eq!(ann.got(), ["ask?"]);
    ann.enter(ClientPacket::Ack { namespace: PATH, id: 0, payload: "yes".into() }).unwrap();
    assert_eq!(ack.wait(), Ok(Payload::from("yes")));
}
