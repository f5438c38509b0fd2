//! What is sent again, and what is not.

use roomcast::{ClientPacket, Payload, Resumption};

use crate::rig::{Client, PATH, engine};

#[test]
fn what_is_seen_is_not_sent_again_wherever_the_client_stops() {
    for seen in 0..=6 {
        let (engine, chat) = engine();
        let mut ann = Client::new(&engine);
        (0..4).for_each(|number| _ = chat.emit("n", number.to_string()).unwrap());
        ann.see_some(seen.min(4));
        ann.lose();
        let (session, known) = (ann.session.unwrap(), ann.seen);
        drop(std::mem::take(&mut ann.got));
        drop(ann);
        (4..6).for_each(|number| _ = chat.emit("n", number.to_string()).unwrap());
        let mut ann = Client::resume(&engine, session, known);
        let expected: Vec<_> = (seen.min(4)..6).map(|number| format!("n{number}")).collect();
        assert_eq!(ann.got(), expected);
    }
}

#[test]
fn one_that_is_lost_while_it_catches_up_goes_on_where_it_was() {
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    (0..4).for_each(|number| _ = chat.emit("n", number.to_string()).unwrap());
    ann.lose();
    ann = ann.come_back(&engine);
    let mut got = Vec::new();
    for number in 4..50 {
        chat.emit("n", number.to_string()).unwrap();
        ann.see_some(2); // that it is connected, and one more
        got.append(&mut ann.got);
        ann = ann.come_back(&engine);
    }
    got.append(&mut ann.got());
    assert_eq!(got, (0..50).map(|number| format!("n{number}")).collect::<Vec<_>>());
}

#[test]
fn what_wants_an_answer_is_sent_once_and_volatile_messages_are_gone() {
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    let socket = ann.socket();
    chat.emit("a", ()).unwrap();
    let early = socket.emit_with_ack("early", ()).unwrap();
    socket.emit_volatile("v", ()).unwrap();
    chat.emit("b", ()).unwrap();
    ann.say("question", Some(7)).unwrap();
    assert_eq!(ann.lose(), 4);
    let late = socket.emit_with_ack("late", ()).unwrap();
    socket.emit_volatile("w", ()).unwrap();
    chat.emit("c", ()).unwrap();
    let (session, seen) = (ann.session.unwrap(), ann.seen);
    drop(ann);
    socket.emit_volatile("x", ()).unwrap();
    let mut ann = Client::resume(&engine, session, seen);
    // Lost before it has seen any of it.
    ann.lose();
    let (session, seen) = (ann.session.unwrap(), ann.seen);
    drop(ann);
    let mut ann = Client::resume(&engine, session, seen);
    assert_eq!(ann.got(), ["a", "b", "c"]);
    for id in 0..2 {
        ann.enter(ClientPacket::Ack { namespace: PATH, id, payload: Payload::default() }).unwrap();
    }
    assert!(early.wait().is_ok() && late.wait().is_ok());
}

#[test]
fn a_question_that_was_not_sent_comes_in_its_place() {
    let (engine, chat) = engine();
    let ann = Client::new(&engine);
    let socket = ann.socket();
    let session = ann.session.unwrap();
    chat.emit("a", ()).unwrap();
    drop(ann);
    let _ask = socket.emit_with_ack("ask", ()).unwrap();
    chat.emit("b", ()).unwrap();
    let mut ann = Client::resume(&engine, session, None);
    assert_eq!(ann.got(), ["a", "ask?", "b"]);
    let seen = ann.seen;
    drop(ann);
    let mut ann = Client::resume(&engine, session, seen);
    assert_eq!((ann.got(), ann.resumption), (vec![], Some(Resumption::Recovered)));
}

#[test]
fn answers_that_were_not_sent_are_sent() {
    let (engine, chat) = engine();
    let kept = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = std::sync::Arc::clone(&kept);
    chat.on_with_ack("ask", move |_, _: Payload, ack| *keep.lock().unwrap() = Some(ack)).unwrap();
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    ann.say("ask", Some(7)).unwrap();
    drop(ann);
    kept.lock().unwrap().take().unwrap().send("!").unwrap();
    let mut ann = Client::resume(&engine, session, None);
    assert_eq!(ann.got(), ["ack 7!"]);
}

#[test]
fn a_gap_that_was_sent_and_not_seen_is_told_again() {
    let (engine, chat) = engine();
    chat.set_backlog(roomcast::Backlog::new().messages(8).unwrap());
    let room = chat.room("room").unwrap();
    let mut ann = Client::new(&engine);
    ann.socket().join("room").unwrap();
    (0..100).for_each(|number| _ = room.emit("n", number.to_string()).unwrap());
    ann.lose();
    let session = ann.session.unwrap();
    drop(ann);
    let mut ann = Client::resume(&engine, session, None);
    let first = ann.got();
    assert_eq!(ann.resumption, Some(Resumption::Recovered));
    assert_eq!(first, ["n0", "gap 91", "n92", "n93", "n94", "n95", "n96", "n97", "n98", "n99"]);
    // And not once more.
    let seen = ann.seen;
    drop(ann);
    assert_eq!(Client::resume(&engine, session, seen).got(), Vec::<String>::new());
}

#[test]
fn what_has_expired_meanwhile_is_not_sent_again() {
    use std::time::Duration;
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    chat.everyone().lifetime(Duration::from_secs(5)).emit("short", ()).unwrap();
    chat.emit("long", ()).unwrap();
    ann.lose();
    let session = ann.session.unwrap();
    drop(ann);
    engine.tick(Duration::from_secs(5));
    assert_eq!(Client::resume(&engine, session, None).got(), ["long"]);
}

#[test]
fn watchers_of_what_goes_out_are_told_once() {
    let (engine, chat) = engine();
    let count = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&count);
    chat.on_any_outgoing(move |_, event, _| told.lock().unwrap().push(event.to_owned()));
    let mut ann = Client::new(&engine);
    chat.emit("a", ()).unwrap();
    ann.lose();
    let session = ann.session.unwrap();
    drop(ann);
    chat.emit("b", ()).unwrap();
    let mut ann = Client::resume(&engine, session, None);
    assert_eq!(ann.got(), ["a", "b"]);
    drop(ann);
    assert_eq!(Client::resume(&engine, session, None).got(), ["a", "b"]);
    assert_eq!(*count.lock().unwrap(), ["a", "b"]);
}

#[test]
fn an_offset_of_an_earlier_session_is_not_mistaken_for_one_of_this() {
    let (engine, chat) = engine();
    let mut ann = Client::new(&engine);
    (0..10).for_each(|_| _ = chat.emit("old", ()).unwrap());
    ann.see();
    let old = ann.seen;
    drop(ann);
    engine.tick(crate::rig::KEEP);
    let mut ann = Client::new(&engine);
    chat.emit("new", ()).unwrap();
    ann.lose();
    let session = ann.session.unwrap();
    drop(ann);
    assert_eq!(Client::resume(&engine, session, old).got(), ["new"]);
}
