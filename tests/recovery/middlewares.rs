//! Middlewares are not asked again; or are, if that is set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomcast::{
    ClientPacket, Decision, Engine, Namespace, Payload, Recovery, Rejection, Resumption, SessionKey,
};

use crate::rig::{Client, KEEP, PATH, Told, engine, engine_with};

fn asking() -> (Engine, Namespace) {
    engine_with(Recovery::new(KEEP).run_middlewares())
}

/// Counts how often it is asked.
fn count(chat: &Namespace) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    chat.middleware(move |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    count
}

#[test]
fn they_are_skipped_or_run_by_option() {
    for (world, times) in [(engine(), 1), (asking(), 2)] {
        let (engine, chat) = world;
        let count = count(&chat);
        let mut ann = Client::new(&engine).come_back(&engine);
        chat.emit("a", ()).unwrap();
        assert_eq!((ann.got(), ann.resumption), (vec!["a".to_owned()], Some(Resumption::Recovered)));
        assert_eq!(count.load(Ordering::Relaxed), times);
        // A new one is asked about in either.
        engine.tick(Duration::from_secs(1));
        let session = ann.session.unwrap();
        drop(ann);
        engine.tick(Duration::from_secs(1) + KEEP);
        let mut late = Client::resume(&engine, session, None);
        late.see();
        assert_eq!((late.resumption, count.load(Ordering::Relaxed)), (Some(Resumption::TooLate), times + 1));
    }
}

#[test]
fn one_that_rejects_ends_the_session() {
    let (engine, chat) = asking();
    chat.middleware(|socket| {
        let is_known = socket.auth() == Payload::from("known");
        if is_known { Ok(()) } else { Err(Rejection::new("who are you")) }
    });
    let told = Told::by(&chat);
    let mut ann = Client::open(&engine);
    ann.enter(ClientPacket::Connect { namespace: PATH, auth: "known".into() }).unwrap();
    ann.see();
    let session = ann.session.unwrap();
    drop(ann);
    let mut other = Client::resume(&engine, session, None);
    assert_eq!(other.got(), ["error who are you"]);
    assert_eq!((chat.socket_count(), engine.stats().sessions), (0, 0));
    let gone = ["leaving rejected by a middleware", "gone rejected by a middleware"];
    assert_eq!(told.take()[2..], gone);
    let again = ClientPacket::Resume { namespace: PATH, auth: "known".into(), session, seen: None };
    other.enter(again).unwrap();
    other.see();
    assert_eq!(other.resumption, Some(Resumption::TooLate));
}

/// An engine whose middleware decides when it is told to, about those who come back.
fn deferring() -> (Engine, Namespace, Arc<Mutex<Vec<Decision>>>) {
    let recovery = Recovery::new(KEEP).run_middlewares();
    let engine = Engine::builder().no_middleware_timeout().no_connect_timeout().recovery(recovery).build();
    let chat = engine.of(PATH).unwrap();
    let decisions = Arc::<Mutex<Vec<Decision>>>::default();
    let keep = Arc::clone(&decisions);
    chat.deferred_middleware(move |socket, decision| {
        if socket.is_away() { keep.lock().unwrap().push(decision) } else { decision.accept() }
    });
    (engine, chat, decisions)
}

#[test]
fn one_that_decides_later_has_the_socket_wait_and_nothing_is_lost() {
    let (engine, chat, decisions) = deferring();
    let told = Told::by(&chat);
    let ann = Client::new(&engine);
    let (socket, session) = (ann.socket(), ann.session.unwrap());
    drop(ann);
    chat.emit("a", ()).unwrap();
    let mut ann = Client::resume(&engine, session, None);
    chat.emit("b", ()).unwrap();
    assert_eq!((ann.got(), socket.is_away()), (vec![], true));
    assert!(ann.connection.sockets().is_empty());
    decisions.lock().unwrap().pop().unwrap().accept();
    assert_eq!(ann.got(), ["a", "b"]);
    assert_eq!(told.take(), ["connect", "away transport closed", "resume"]);

    // Its line is cut again while it waits.
    drop(ann);
    let waiting = Client::resume(&engine, session, None);
    chat.emit("c", ()).unwrap();
    drop(waiting);
    assert!(socket.is_away());
    let mut ann = Client::resume(&engine, session, None);
    let [first, second] = <[Decision; 2]>::try_from(std::mem::take(&mut *decisions.lock().unwrap())).unwrap();
    first.accept();
    assert_eq!(ann.got(), Vec::<String>::new());
    second.accept();
    assert_eq!(ann.got(), ["a", "b", "c"]);
    // It was never back in between.
    assert_eq!(told.take(), ["away transport closed", "resume"]);
}

/// What happens to one that waits.
type Meanwhile = fn(&Engine, &Client, SessionKey);

#[test]
fn what_ends_while_a_middleware_decides_is_too_late() {
    let cases: &[Meanwhile] = &[
        |engine, _, _| engine.tick(KEEP),
        |engine, _, _| assert!(engine.get(PATH).unwrap().everyone().disconnect("enough").is_ok()),
    ];
    for meanwhile in cases {
        let (engine, chat, decisions) = deferring();
        let ann = Client::new(&engine);
        let (id, session) = (ann.socket().id(), ann.session.unwrap());
        drop(ann);
        let mut ann = Client::resume(&engine, session, None);
        meanwhile(&engine, &ann, session);
        assert_eq!(chat.socket_count(), 0);
        decisions.lock().unwrap().drain(..).for_each(Decision::accept);
        ann.see();
        assert_eq!(ann.got, Vec::<String>::new());
        assert_eq!((ann.resumption, chat.socket_count()), (Some(Resumption::TooLate), 1));
        assert_ne!(ann.id, Some(id));
    }
}

#[test]
fn who_gives_up_while_a_middleware_decides_has_left() {
    let (engine, chat, decisions) = deferring();
    let ann = Client::new(&engine);
    let session = ann.session.unwrap();
    drop(ann);
    let mut ann = Client::resume(&engine, session, None);
    ann.enter(ClientPacket::Disconnect { namespace: PATH }).unwrap();
    assert_eq!((chat.socket_count(), engine.stats().sessions), (0, 0));
    decisions.lock().unwrap().drain(..).for_each(Decision::accept);
    assert_eq!((ann.got(), ann.resumption), (vec![], None));
}
