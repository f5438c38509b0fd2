//! Presence: who is here, by key; told in differences that bring each watcher's list up to the last flush.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::Live;
use roomcast::{
    Backlog, DisconnectReason, Engine, Inbox, Namespace, PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE,
    Presence, PresenceDiff, PresenceEntry, PresenceError, PresenceState, RoomName, Shared, Socket,
};

/// What a client keeps of presence: what it was told, and nothing else.
#[derive(Default)]
struct Client {
    states: BTreeMap<RoomName, PresenceState>,
    counts: BTreeMap<RoomName, usize>,
    diffs: Vec<Arc<PresenceDiff>>,
}

impl Client {
    fn read(&mut self, inbox: &mut Inbox) {
        inbox.drain(|delivery| {
            assert!(delivery.gap().is_none());
            if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
                self.states.insert(state.room().clone(), PresenceState::clone(&state));
            } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
                assert_eq!(delivery.room(), Some(&diff.room));
                assert!([&diff.joins, &diff.leaves, &diff.updates].iter().any(|list| !list.is_empty()));
                let state = self.states.get_mut(&diff.room).expect("the state comes first");
                assert!(state.apply(&diff), "{} after {}", diff.version, state.version());
                self.diffs.push(diff);
            } else if let Some(Ok(Shared(count))) = delivery.get_as(PRESENCE_COUNT) {
                self.counts.insert(count.room.clone(), count.keys);
            }
        });
    }
}

/// A socket, and who reads what it is sent.
type Seat = (Socket, Inbox, Client);

fn world() -> (Engine, Namespace) {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    (engine, world)
}

/// A presence, somebody who watches it, and sockets in its room.
fn scene<const N: usize>() -> (Presence, Seat, [(Socket, Inbox); N]) {
    let (_, world) = world();
    let presence = Presence::new(&world.room("room").unwrap());
    let (watcher, mut inbox) = world.connect();
    presence.watch(&watcher).unwrap();
    let mut client = Client::default();
    client.read(&mut inbox);
    let sockets = std::array::from_fn(|_| {
        let (socket, inbox) = world.connect();
        socket.join("room").unwrap();
        (socket, inbox)
    });
    (presence, (watcher, inbox, client), sockets)
}

fn keys(list: &[PresenceEntry]) -> Vec<&str> {
    list.iter().map(|entry| &*entry.key).collect()
}

#[test]
fn what_came_to_nothing_is_not_told() {
    let (presence, (_watcher, mut inbox, mut client), [(ann, _a), (bob, _b)]) = scene();
    presence.track(&ann, "ann", "here").unwrap();
    presence.track(&bob, "bob", "here").unwrap();
    presence.flush();
    client.read(&mut inbox);
    assert_eq!(keys(&client.diffs[0].joins), ["ann", "bob"]);

    // Goes and comes back the same; and says something and takes it back.
    ann.leave("room").unwrap();
    ann.join("room").unwrap();
    presence.track(&ann, "ann", "here").unwrap();
    presence.update(&bob, "away").unwrap();
    presence.update(&bob, "here").unwrap();
    // Comes and goes.
    let (cat, _c) = presence.room().namespace().connect();
    cat.join("room").unwrap();
    presence.track(&cat, "cat", ()).unwrap();
    cat.disconnect("bye");
    presence.flush();
    assert_eq!(inbox.drain(|_| {}), 0);
    assert_eq!(keys(&presence.list()), ["ann", "bob"]);

    // Goes and comes back as somebody else.
    presence.track(&ann, "eve", "here").unwrap();
    presence.update(&bob, "away").unwrap();
    presence.flush();
    client.read(&mut inbox);
    let diff = &client.diffs[1];
    assert_eq!(
        (keys(&diff.leaves), keys(&diff.joins), keys(&diff.updates)),
        (vec!["ann"], vec!["eve"], vec!["bob"])
    );
    assert_eq!(client.states[&"room".into()].entries(), presence.list());
}

#[test]
fn a_user_with_three_sockets_is_one() {
    let (presence, _watcher, [(one, _one), (two, _two), (three, _three)]) = scene();
    for socket in [&one, &two, &three] {
        presence.track(socket, "ann", socket.id().to_string()).unwrap();
    }
    assert_eq!((presence.count(), presence.get("ann").len(), presence.list().len()), (1, 3, 3));
    two.disconnect("closed the tab");
    one.leave("room").unwrap();
    assert_eq!((presence.count(), presence.get("ann")[0].socket), (1, three.id()));
    assert!(presence.untrack(&three) && !presence.untrack(&three));
    assert_eq!((presence.count(), presence.get("ann")), (0, vec![]));
    assert!(three.is_in("room"));
}

#[test]
fn what_is_refused_changes_nothing() {
    let (presence, _watcher, [(ann, _a)]) = scene();
    let (_, elsewhere) = world();
    let [(guest, _g), (other, _o)] = [presence.room().namespace().connect(), elsewhere.connect()];
    other.join("room").unwrap();
    presence.track(&ann, "ann", "here").unwrap();
    let before = presence.list();
    let long = "k".repeat(257);
    for (socket, key, error) in [
        (&guest, "guest", PresenceError::NotInRoom),
        (&other, "other", PresenceError::Foreign),
        (&ann, "", PresenceError::EmptyKey),
        (&ann, &*long, PresenceError::KeyTooLong { bytes: 257, limit: 256 }),
    ] {
        assert_eq!(presence.track(socket, key, ()), Err(error));
    }
    assert_eq!(presence.update(&guest, ()), Err(PresenceError::NotPresent));
    assert_eq!(presence.watch(&other), Err(PresenceError::Foreign));
    assert!(!presence.untrack(&guest) && !presence.untrack(&other));
    guest.disconnect("gone");
    let closed = PresenceError::Closed(DisconnectReason::from("gone"));
    assert_eq!(presence.track(&guest, "guest", ()), Err(closed.clone()));
    assert_eq!(presence.update(&guest, ()), Err(closed.clone()));
    assert_eq!((presence.watch(&guest), presence.watch_count(&guest)), (Err(closed.clone()), Err(closed)));
    assert_eq!((presence.list(), presence.watchers()), (before, (1, 0)));
}

#[test]
fn it_shows_who_is_there() {
    let (presence, _watcher, [(ann, _a), (again, _g)]) = scene();
    presence.track(&ann, "ann", ()).unwrap();
    presence.track(&again, "ann", ()).unwrap();
    assert!(format!("{presence:?}").contains("keys: 1"), "{presence:?}");
    assert_eq!(presence, Presence::new(presence.room()));
    assert_ne!(presence, Presence::new(&presence.room().namespace().room("another").unwrap()));
    let (late, mut inbox) = presence.room().namespace().connect();
    presence.flush();
    presence.watch(&late).unwrap();
    let delivery = inbox.try_next().unwrap();
    let state = delivery.payload().downcast_ref::<PresenceState>().unwrap();
    assert_eq!((state.keys(), state.entries().len()), (vec!["ann"], 2));
}

#[test]
fn numbers_alone_are_told_when_they_change() {
    let (presence, _watcher, [(ann, _a), (again, _g), (bob, _b)]) = scene();
    let (display, mut inbox) = presence.room().namespace().connect();
    presence.track(&ann, "ann", ()).unwrap();
    presence.watch_count(&display).unwrap();
    let mut told = Vec::new();
    let mut read = |inbox: &mut Inbox| {
        inbox.drain(|delivery| {
            told.push(delivery.get_as::<Shared<_>, _>(PRESENCE_COUNT).unwrap().unwrap().0.keys);
        });
        std::mem::take(&mut told)
    };
    // As of the last flush: before that there was nobody.
    assert_eq!(read(&mut inbox), [0]);
    presence.flush();
    presence.track(&again, "ann", ()).unwrap();
    presence.flush(); // a second socket of hers
    presence.track(&bob, "bob", ()).unwrap();
    presence.flush();
    bob.disconnect("bye");
    presence.track(&again, "cat", ()).unwrap();
    presence.flush(); // as many as before
    assert_eq!(read(&mut inbox), [1, 2]);
}

#[test]
fn who_watches_stands_in_one_order_with_what_else_it_is_sent() {
    let (presence, (watcher, mut inbox, _), [(ann, _a)]) = scene();
    let room = presence.room();
    watcher.join(room).unwrap();
    presence.track(&ann, "ann", ()).unwrap();
    room.emit("said", "before").unwrap();
    presence.flush();
    watcher.emit("told", "between").unwrap();
    ann.disconnect("bye");
    presence.flush();
    room.emit("said", "after").unwrap();
    let mut events = Vec::new();
    inbox.drain(|delivery| events.push(delivery.event().to_owned()));
    assert_eq!(events, ["said", "presence_diff", "told", "presence_diff", "said"]);
}

#[test]
fn who_has_lost_a_difference_is_told_so_and_asks_anew() {
    let engine = Engine::builder().backlog(Backlog::new().messages(4).unwrap()).build();
    let world = engine.of("/world").unwrap();
    let presence = Presence::new(&world.room("room").unwrap());
    let [(watcher, mut inbox), (ann, _a)] = [(); 2].map(|()| world.connect());
    ann.join("room").unwrap();
    presence.watch(&watcher).unwrap();
    let Some(Ok(Shared(state))) = inbox.try_next().unwrap().get_as(PRESENCE_STATE) else {
        panic!("no state")
    };
    let mut state = PresenceState::clone(&state);
    for n in 0..50 {
        presence.track(&ann, "ann", n.to_string()).unwrap();
        presence.flush();
    }
    let (mut gaps, mut refused) = (0, 0);
    inbox.drain(|delivery| match delivery.get_as(PRESENCE_DIFF) {
        Some(diff) => {
            let Shared(diff) = diff.unwrap();
            refused += usize::from(!state.apply(&diff));
        }
        None => gaps += usize::from(delivery.gap().is_some()),
    });
    assert!(gaps == 1 && refused > 0 && state.version() < 50, "{gaps} {refused} {}", state.version());
    presence.watch(&watcher).unwrap();
    let mut client = Client::default();
    client.read(&mut inbox);
    presence.track(&ann, "ann", "last").unwrap();
    presence.flush();
    client.read(&mut inbox);
    assert_eq!(client.states[&"room".into()].entries(), presence.list());
    assert_eq!(presence.watchers(), (1, 0));
}

#[test]
fn it_tells_with_no_names_left_and_none_as_long_as_its_own() {
    let engine = Engine::builder().event_names(1).unwrap().max_name_bytes(4).unwrap().build();
    let world = engine.of("/").unwrap();
    let (watcher, mut inbox) = world.connect();
    world.event("only").unwrap();
    watcher.join("room").unwrap();
    let presence = Presence::new(&world.room("room").unwrap());
    presence.watch(&watcher).unwrap();
    presence.watch_count(&watcher).unwrap();
    presence.track(&watcher, "ann", ()).unwrap();
    presence.flush();
    let mut client = Client::default();
    client.read(&mut inbox);
    assert_eq!(client.states[&"room".into()].entries(), presence.list());
    assert_eq!((client.diffs.len(), client.counts[&"room".into()]), (1, 1));
}

#[test]
fn a_room_that_is_watched_stays_and_one_that_is_not_leaves_nothing() {
    let live = Live::default();
    let (engine, world) = world();
    let [(watcher, mut inbox), (ann, ann_inbox), (bob, _b)] = [(); 3].map(|()| world.connect());
    let mut client = Client::default();
    {
        let presence = Presence::new(&world.room("room").unwrap());
        presence.watch(&watcher).unwrap();
        ann.join("room").unwrap();
        presence.track(&ann, "ann", live.payload(1)).unwrap();
    }
    engine.tick(Duration::from_millis(1));
    drop(ann_inbox); // the last who is in the room
    assert!(!world.has_room("room"));
    engine.tick(Duration::from_millis(2));
    client.read(&mut inbox);
    assert_eq!((keys(&client.diffs[0].joins), keys(&client.diffs[1].leaves)), (vec!["ann"], vec!["ann"]));
    // It is the same presence when somebody comes.
    bob.join("room").unwrap();
    Presence::new(&world.room("room").unwrap()).track(&bob, "bob", live.payload(1)).unwrap();
    engine.tick(Duration::from_millis(3));
    client.read(&mut inbox);
    assert_eq!(keys(client.states[&"room".into()].entries()), ["bob"]);
    drop((inbox, client));
    bob.leave("room").unwrap();
    assert_eq!(Presence::new(&world.room("room").unwrap()).watchers(), (0, 0));
    assert_eq!(live.count(), 0, "metadata are left behind");
}

#[test]
fn who_comes_and_goes_without_end_piles_up_nothing() {
    let live = Live::default();
    let (presence, _watcher, []) = scene();
    let world = presence.room().namespace();
    for _ in 0..1000 {
        let (socket, _inbox) = world.connect();
        socket.join("room").unwrap();
        presence.track(&socket, "guest", live.payload(1)).unwrap();
        presence.update(&socket, live.payload(1)).unwrap();
    }
    // Nothing was flushed, and nothing is left.
    assert_eq!((live.count(), presence.count()), (0, 0));
}

#[test]
fn metadata_may_call_back_when_they_are_dropped() {
    struct Nosy(Presence, Socket, Arc<AtomicUsize>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            self.0.flush();
            let _ = (self.0.list(), self.1.rooms());
            self.2.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (presence, (watcher, mut inbox, mut client), [(ann, _a), (bob, _b)]) = scene();
    let (outsider, _inbox) = presence.room().namespace().connect();
    let dropped = Arc::new(AtomicUsize::new(0));
    common::watched("metadata that call back", {
        let (presence, dropped) = (presence.clone(), Arc::clone(&dropped));
        move || {
            let nosy =
                |socket: &Socket| Arc::new(Nosy(presence.clone(), socket.clone(), Arc::clone(&dropped)));
            presence.track(&outsider, "outsider", nosy(&outsider)).unwrap_err();
            presence.update(&outsider, nosy(&outsider)).unwrap_err();
            assert_eq!(dropped.load(Ordering::Relaxed), 2);
            presence.track(&ann, "ann", nosy(&ann)).unwrap();
            presence.update(&ann, nosy(&ann)).unwrap();
            assert_eq!(dropped.load(Ordering::Relaxed), 3);
            presence.track(&ann, "eve", nosy(&ann)).unwrap();
            presence.flush();
            presence.track(&bob, "rob", nosy(&bob)).unwrap();
            bob.leave("room").unwrap(); // nobody was told, so nothing else holds it
            bob.join("room").unwrap();
            presence.track(&bob, "bob", nosy(&bob)).unwrap();
            ann.leave("room").unwrap();
            presence.flush();
            bob.disconnect("bye");
            presence.flush();
        }
    });
    client.read(&mut inbox);
    assert!(client.states[&"room".into()].entries().is_empty());
    drop((client, watcher, inbox)); // and with them what was told
    assert_eq!(dropped.load(Ordering::Relaxed), 7);
}

#[test]
fn a_wake_up_may_watch_and_flush() {
    let (presence, (watcher, mut inbox, mut client), [(ann, _a), (other, mut other_inbox)]) = scene();
    inbox.on_wake({
        let (presence, other) = (presence.clone(), other.clone());
        move || {
            presence.watch(&other).unwrap();
            presence.track(&other, "other", ()).unwrap();
            presence.flush();
        }
    });
    client.read(&mut inbox);
    presence.track(&ann, "ann", ()).unwrap();
    presence.flush();
    let mut others = Client::default();
    for (client, inbox) in [(&mut client, &mut inbox), (&mut others, &mut other_inbox)] {
        client.read(inbox);
        assert_eq!(client.states[&"room".into()].entries(), presence.list());
    }
    assert_eq!((presence.list().len(), presence.watchers()), (2, (2, 0)));
    presence.unwatch(&watcher);
}

#[test]
fn threads_that_come_go_watch_and_flush_leave_all_watchers_of_one_mind() {
    let (_, world) = world();
    let presence = Presence::new(&world.room("room").unwrap());
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (world, presence, barrier) = (world.clone(), presence.clone(), Arc::clone(&barrier));
            thread::spawn(move || {
                let (watcher, mut inbox) = world.connect();
                let mut client = Client::default();
                barrier.wait();
                presence.watch(&watcher).unwrap();
                for round in 0..300 {
                    let (socket, _inbox) = world.connect();
                    socket.join("room").unwrap();
                    presence.track(&socket, format!("{}", round % 3), round.to_string()).unwrap();
                    if round % 2 == 0 {
                        presence.flush();
                    }
                    socket.leave("room").unwrap();
                    if round % 7 == n {
                        presence.watch(&watcher).unwrap();
                    }
                    client.read(&mut inbox);
                }
                (watcher, inbox, client)
            })
        })
        .collect();
    let clients: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (stays, _inbox) = world.connect();
    stays.join("room").unwrap();
    presence.track(&stays, "stays", ()).unwrap();
    presence.flush();
    for (_watcher, mut inbox, mut client) in clients {
        client.read(&mut inbox);
        assert_eq!(client.states[&"room".into()].entries(), presence.list());
    }
    assert_eq!(presence.list().len(), 1);
}

#[cfg(feature = "serde")]
#[test]
fn what_is_told_has_a_form_in_json() {
    use roomcast::Payload;

    let (presence, (_watcher, mut inbox, _), [(ann, _a), (bob, _b)]) = scene();
    presence.track(&ann, "ann", Payload::json(r#"{"mood":"good"}"#)).unwrap();
    presence.track(&bob, "bob", "typing").unwrap();
    presence.flush();
    let mut json = Vec::new();
    inbox.drain(|delivery| {
        let diff = delivery.payload().downcast_ref::<PresenceDiff>().unwrap();
        json.push(Payload::encode(diff).unwrap().as_json().unwrap().to_owned());
    });
    let entry = |key: &str, socket: &Socket, number: u8, meta: &str| {
        format!(r#"{{"key":"{key}","socket":"{}","number":{number},"meta":{meta}}}"#, socket.id())
    };
    let joins = [entry("ann", &ann, 0, r#"{"mood":"good"}"#), entry("bob", &bob, 1, r#""typing""#)].join(",");
    assert_eq!(
        json,
        [format!(r#"{{"room":"room","version":1,"joins":[{joins}],"leaves":[],"updates":[]}}"#)]
    );
    presence.track(&bob, "bob", Arc::new(7_u8)).unwrap();
    assert!(Payload::encode(&presence.list()).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn states_and_numbers_have_a_form_in_json() {
    use roomcast::{Payload, PresenceCount};

    let (presence, _watcher, [(ann, _a), (late, mut inbox)]) = scene();
    presence.track(&ann, "ann", [1_u8, 2]).unwrap();
    presence.flush();
    presence.watch(&late).unwrap();
    presence.watch_count(&late).unwrap();
    presence.track(&late, "late", ()).unwrap();
    presence.flush();
    let mut json = Vec::new();
    inbox.drain(|delivery| {
        let payload = delivery.payload();
        let encoded = match (payload.downcast_ref::<PresenceState>(), payload.downcast_ref::<PresenceCount>())
        {
            (Some(state), _) => Payload::encode(state),
            (_, Some(count)) => Payload::encode(count),
            _ => Payload::encode(payload.downcast_ref::<PresenceDiff>().unwrap()),
        };
        json.push(encoded.unwrap().as_json().unwrap().to_owned());
    });
    json.sort_by_key(String::len);
    let [of_ann, of_late] = [(&ann, r#""ann""#, 0, "[1,2]"), (&late, r#""late""#, 1, "null")].map(
        |(socket, key, number, meta)| {
            format!(r#"{{"key":{key},"socket":"{}","number":{number},"meta":{meta}}}"#, socket.id())
        },
    );
    let mut expected = vec![
        r#"{"room":"room","keys":1}"#.to_owned(),
        r#"{"room":"room","keys":2}"#.to_owned(),
        format!(r#"{{"room":"room","version":1,"entries":[{of_ann}]}}"#),
        format!(r#"{{"room":"room","version":2,"joins":[{of_late}],"leaves":[],"updates":[]}}"#),
    ];
    expected.sort_by_key(String::len);
    assert_eq!(json, expected);
}
