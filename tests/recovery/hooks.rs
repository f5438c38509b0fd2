//! What hooks of a session may do, and what becomes of one that panics.

use std::sync::{Arc, Mutex};

use roomcast::{ClientPacket, DisconnectReason, Payload, Resumption};

use crate::rig::{Client, PATH, Told, engine};

#[test]
fn one_that_is_told_that_a_client_is_away_may_do_without_it() {
    let (engine, chat) = engine();
    chat.on_away(|socket, reason| assert!(socket.disconnect(reason.clone())));
    let told = Told::by(&chat);
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    drop(ann);
    assert_eq!((chat.socket_count(), engine.stats().sessions), (0, 0));
    assert_eq!(
        told.take(),
        ["connect", "away transport closed", "leaving transport closed", "gone transport closed"]
    );
    let mut ann = Client::resume(&engine, session, None);
    ann.see();
    assert_eq!(ann.resumption, Some(Resumption::TooLate));
}

#[test]
fn one_that_is_told_that_a_client_is_back_may_emit_join_and_close() {
    let (engine, chat) = engine();
    chat.on_resume(|socket| {
        socket.join("back").unwrap();
        socket.to("back").emit("others", ()).unwrap();
        socket.emit("welcome", ()).unwrap();
    });
    let told = Told::by(&chat);
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    drop(ann);
    chat.emit("a", ()).unwrap();
    let mut ann = Client::resume(&engine, session, None);
    assert_eq!(ann.got(), ["a", "welcome"]);
    drop(ann);
    chat.on_resume(|socket| assert!(socket.connection().unwrap().close("no")));
    drop(Client::resume(&engine, session, None));
    assert_eq!(chat.socket_count(), 0);
    assert_eq!(
        told.take()[1..],
        ["away transport closed", "resume", "away transport closed", "resume", "leaving no", "gone no"]
    );
}

#[test]
fn one_that_panics_is_reported_and_nothing_else_comes_of_it() {
    let (engine, chat) = engine();
    chat.on_away(|_, _| panic!("as it should"));
    chat.on_resume(|_| panic!("as it should"));
    let failures = Arc::<Mutex<Vec<String>>>::default();
    let note = Arc::clone(&failures);
    chat.on_error(move |_, failure| note.lock().unwrap().push(failure.to_string()));
    let told = Told::by(&chat);
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    drop(ann);
    chat.emit("a", ()).unwrap();
    assert_eq!(Client::resume(&engine, session, None).got(), ["a"]);
    let failures = failures.lock().unwrap();
    assert!(failures[0].contains("on_away") && failures[1].contains("on_resume"), "{failures:?}");
    assert_eq!(told.take()[..3], ["connect", "away transport closed", "resume"]);
}

#[test]
fn one_of_a_socket_alone_is_called_and_may_be_taken_off() {
    let (engine, _chat) = engine();
    let ann = Client::new(&engine);
    let (socket, session) = (ann.socket(), ann.session.unwrap());
    let told = Arc::<Mutex<Vec<&str>>>::default();
    let note = |what| {
        let told = Arc::clone(&told);
        move || told.lock().unwrap().push(what)
    };
    let (away, resume) = (note("away"), note("resume"));
    let away = socket.on_away(move |_, _| away());
    let resume = socket.on_resume(move |_| resume());
    drop(ann);
    drop(Client::resume(&engine, session, None));
    assert!(socket.off(away) && socket.off(resume) && !socket.off(resume));
    drop(Client::resume(&engine, session, None));
    assert_eq!(*told.lock().unwrap(), ["away", "resume", "away"]);
}

/// Handlers that run when the line is cut go on, and what they emit is not lost.
#[test]
fn a_handler_that_runs_as_the_line_is_cut_is_done_before_the_client_is_away() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    chat.on("work", |socket, _: Payload| {
        assert!(socket.connection().unwrap().close(DisconnectReason::Transport));
        assert!(socket.is_away());
        socket.emit("done", ()).unwrap();
    })
    .unwrap();
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    ann.say("work", None).unwrap();
    assert!(ann.enter(ClientPacket::Disconnect { namespace: PATH }).is_err());
    drop(ann);
    assert_eq!(Client::resume(&engine, session, None).got(), ["done"]);
    let told = told.take();
    assert_eq!(told[..4], ["connect", "said work", "away transport closed", "resume"]);
}
