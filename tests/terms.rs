//! Messages that replace others, that expire, and that are for those only who are not far behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use roomcast::{Backlog, Broadcast, EmitError, Engine, Inbox, Namespace, RoomName};

const SECOND: Duration = Duration::from_secs(1);

fn world() -> Namespace {
    Engine::new().of("/world").unwrap()
}

fn drained(inbox: &mut Inbox) -> Vec<String> {
    let mut texts = Vec::new();
    inbox.drain(|delivery| texts.push(delivery.payload().as_str().unwrap().to_owned()));
    texts
}

fn latest(broadcast: Broadcast<'_>, key: impl Into<RoomName>, text: &str) {
    broadcast.latest(key).emit("state", text).unwrap();
}

#[test]
fn of_each_key_only_the_newest_comes_in_its_place() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    for n in 0..1000 {
        latest(world.to("room"), n % 7, &format!("{n}"));
        if n % 100 == 0 {
            world.to("room").emit("said", format!("said {n}")).unwrap();
        }
    }
    let got = drained(&mut inbox);
    let said = (0..10).map(|n| format!("said {}", n * 100));
    assert_eq!(got, said.chain((993..1000).map(|n| n.to_string())).collect::<Vec<_>>());
    assert_eq!(inbox.replaced(), 993);

    // Who reads along misses nothing.
    for n in 0..10 {
        latest(world.to("room"), 0, &format!("{n}"));
        assert_eq!(drained(&mut inbox), [n.to_string()]);
    }
    assert_eq!(inbox.replaced(), 993);
}

#[test]
fn event_key_room_and_who_is_left_out_tell_messages_apart() {
    let world = world();
    let (ann, mut anns) = world.connect();
    let (bob, _bobs) = world.connect();
    ann.join(["a", "b"]).unwrap();
    bob.join("a").unwrap();
    let say = |broadcast: Broadcast<'_>, event: &str, key: RoomName| {
        broadcast.latest(key).emit(event, event).unwrap()
    };
    for _ in 0..2 {
        say(world.to("a"), "one", 1.into());
        say(world.to("a"), "two", 1.into());
        say(world.to("a"), "one", 2.into());
        say(world.to("a"), "one", "1".into());
        say(world.to("b"), "one", 1.into());
        say(world.to("a").to("b"), "one", 1.into());
        say(world.to("b").to("a"), "one", 1.into());
        say(world.to("a").except("nobody"), "one", 1.into());
        say(world.to("a").except(bob.id()), "one", 1.into());
        say(bob.to("a"), "one", 1.into());
        say(world.to(ann.id()), "one", 1.into());
        say(world.except("nobody"), "one", 1.into());
    }
    // A room that does not exist leaves nobody out, so it makes no difference.
    assert_eq!((drained(&mut anns).len(), anns.replaced()), (11, 13));
}

#[test]
fn one_that_is_not_for_the_socket_replaces_nothing() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    let _room = world.room("room").unwrap(); // the same one, when nobody is in it
    socket.join("room").unwrap();
    latest(world.to("room"), 1, "before");
    socket.leave("room").unwrap();
    latest(world.to("room"), 1, "when it was out");
    let (other, mut others) = world.connect();
    other.join("room").unwrap();
    latest(world.to("room"), 1, "for the other");
    assert_eq!(drained(&mut inbox), ["before"]);
    assert_eq!(drained(&mut others), ["for the other"]);

    // To rooms that leave others out: only those that are for it count.
    socket.join(["room", "quiet"]).unwrap();
    let loud = || world.to("room").except("quiet");
    socket.leave("quiet").unwrap();
    let quiet = world.room("quiet").unwrap();
    latest(loud(), 1, "loud");
    socket.join(&quiet).unwrap();
    latest(loud(), 1, "not for the quiet");
    assert_eq!(drained(&mut inbox), ["loud"]);
    assert_eq!(drained(&mut others), ["not for the quiet"]);
}

#[test]
fn what_is_emitted_in_a_drain_replaces_nothing_in_it() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    latest(world.to("room"), 1, "1");
    latest(world.to("room"), 2, "2");
    let mut got = Vec::new();
    inbox.drain(|delivery| {
        got.push(delivery.payload().as_str().unwrap().to_owned());
        latest(world.to("room"), 2, "3");
        // It may leave before the newer one is out: then that is not for it.
        socket.leave("room").unwrap();
    });
    assert_eq!(got, ["1", "2"]);
    assert_eq!(drained(&mut inbox), ["3"]);
}

#[test]
fn a_message_to_several_rooms_replaces_its_like_whichever_way_they_come() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    let (_a, _b) = (world.room("a").unwrap(), world.room("b").unwrap());
    socket.join("a").unwrap();
    let both = || world.to("a").to("b");
    latest(both(), 1, "by a");
    latest(both(), 1, "by a again");
    socket.join("b").unwrap();
    latest(both(), 1, "by a, not b");
    socket.leave("a").unwrap();
    latest(both(), 1, "by b");
    assert_eq!((drained(&mut inbox), inbox.replaced()), (vec!["by b".to_owned()], 3));
}

#[test]
fn one_by_one_replaces_like_a_drain() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    for n in 0..5 {
        latest(world.to("room"), n % 2, &format!("{n}"));
    }
    assert_eq!(inbox.try_next().unwrap().payload().as_str(), Some("3"));
    latest(world.to("room"), 0, "5"); // beyond what is being read
    assert_eq!(inbox.try_next().unwrap().payload().as_str(), Some("4"));
    assert_eq!(inbox.try_next().unwrap().payload().as_str(), Some("5"));
    assert!(inbox.try_next().is_none());
    assert_eq!(inbox.replaced(), 3);
}

#[test]
fn messages_expire_by_ticks_alone() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    let emit = |lifetime: Duration, text: &str| world.to("room").lifetime(lifetime).emit("e", text).unwrap();
    emit(SECOND, "1");
    emit(2 * SECOND, "2");
    emit(Duration::ZERO, "0");
    emit(Duration::MAX, "ever");
    engine.tick(SECOND - Duration::from_nanos(1));
    emit(Duration::ZERO, "now");
    assert_eq!(drained(&mut inbox), ["1", "2", "ever", "now"]);
    assert_eq!(inbox.expired(), 1);
    for text in ["a", "b"] {
        emit(SECOND, text);
        engine.tick(engine.now() + SECOND / 2);
    }
    engine.tick(SECOND / 2); // time does not go back
    assert_eq!((drained(&mut inbox), inbox.expired()), (vec!["b".to_owned()], 2));
    engine.tick(Duration::MAX);
    emit(SECOND, "at the end of time");
    assert_eq!(drained(&mut inbox), ["at the end of time"]);
}

#[test]
fn the_distance_is_the_emits_own() {
    let world = Engine::builder().volatile_backlog(1).build().of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    let emit = |n: u32| {
        world.to("room").volatile_behind(n).emit("e", format!("within {n}")).unwrap();
        world.to("room").volatile().emit("e", "within 1").unwrap();
        world.to("room").emit("e", "reliable").unwrap();
    };
    [0, 1, 2, 5].into_iter().for_each(emit);
    let got = drained(&mut inbox);
    assert_eq!(got, ["within 0", "within 1", "reliable", "reliable", "reliable", "within 5", "reliable"]);
    assert_eq!(inbox.volatile_dropped(), 5);
}

#[test]
fn terms_go_together_and_one_target_serves_several() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join(["a", "b"]).unwrap();
    let to = || world.to(["a", "b"]);
    let both = to().lifetime(SECOND);
    both.clone().latest(1).emit("e", "replaced").unwrap();
    both.clone().emit("e", "expired").unwrap();
    engine.tick(SECOND / 2);
    both.clone().latest(1).emit("e", "lives").unwrap();
    both.clone().volatile_behind(0).emit("e", "dropped").unwrap();
    both.emit("e", "lives too").unwrap();
    to().emit("e", "plain").unwrap();
    engine.tick(SECOND);
    assert_eq!(drained(&mut inbox), ["lives", "lives too", "plain"]);
    assert_eq!((inbox.replaced() + inbox.expired(), inbox.volatile_dropped()), (2, 1));
}

#[test]
fn keys_are_as_long_as_names() {
    let world = Engine::builder().max_name_bytes(8).unwrap().build().of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    latest(world.to("room"), "12345678", "fits");
    latest(world.to("room"), "", "an empty one is one");
    let refused = world.to("room").latest("123456789").emit("state", "does not fit");
    assert_eq!(refused, Err(EmitError::KeyTooLong { bytes: 9, limit: 8 }));
    assert_eq!(drained(&mut inbox), ["fits", "an empty one is one"]);
}

/// A reader beside a publisher gets of each key rising states, and the last one in the end.
#[test]
fn between_threads_states_only_rise_and_the_last_one_comes() {
    const STATES: u64 = 30_000;
    let backlog = Backlog::new().messages(STATES as usize).unwrap();
    let world = Engine::builder().backlog(backlog).build().of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..STATES {
                let key = n % 3;
                world.to("room").latest(key).emit("state", format!("{n}")).unwrap();
            }
            is_done.store(true, Ordering::Release);
        });
        let (mut last, mut count) = ([None; 3], 0);
        let mut is_last = false;
        while !is_last {
            is_last = is_done.load(Ordering::Acquire);
            inbox.drain(|delivery| {
                assert!(delivery.gap().is_none());
                let n: u64 = delivery.payload().as_str().unwrap().parse().unwrap();
                assert!(last[n as usize % 3].replace(n) < Some(n));
                count += 1;
            });
        }
        assert_eq!(last, [STATES - 3, STATES - 2, STATES - 1].map(Some));
        assert_eq!(count + inbox.replaced(), STATES);
    });
}
