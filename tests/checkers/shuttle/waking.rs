//! Sleepers: woken when there is something, at most once between two drains. A wake-up that gets lost is a deadlock
//! here, which the scheduler finds.

use std::sync::Arc;

use roomcast::{Inbox, Namespace};
use shuttle::future::block_on;

use crate::rig::{Bell, all, explore, join, join_all, spawn, world};
use crate::witness::{Member, publish};

/// Reads whenever the bell rings, until it has so many messages.
fn read_when_woken(mut member: Member, bell: &Bell, count: usize) -> Member {
    let mut rings = 0;
    while member.got.len() < count {
        rings = bell.wait_past(rings);
        member.drain();
    }
    member
}

#[test]
fn a_sleeper_is_woken_for_everything() {
    fn scenario() -> usize {
        let world = world();
        let mut member = Member::of(&world, &["a", "b"]);
        member.drain();
        let bell = Bell::new();
        member.inbox.on_wake({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        let publishers = [(1, "a"), (2, "b"), (3, "a")].map(|(publisher, room)| {
            let room = world.room(room).unwrap();
            spawn(move || publish(publisher, 2, |number| room.emit("n", number)))
        });
        let member = read_when_woken(member, &bell, 6);
        let posts = join_all(publishers).concat();
        member.finish().check_all(&posts);
        bell.rings()
    }
    let rings = explore(scenario);
    assert!(rings.is_superset(&(2..=6).collect()), "{rings:?}");
}

/// Counts drains too: a wake-up takes a drain before the next.
#[test]
fn there_is_one_wake_up_between_two_drains_at_most() {
    fn scenario() -> (usize, usize) {
        let world = world();
        let mut member = Member::of(&world, &["a", "b", "c"]);
        member.drain();
        let bell = Bell::new();
        member.inbox.on_wake({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        let publishers = [["a", "b"], ["b", "c"], ["c", "a"]].map(|rooms| {
            let world = world.clone();
            spawn(move || world.to(rooms).emit("n", [1, 0]).unwrap())
        });
        let drained = member.drain();
        join_all(publishers);
        let rings = bell.rings();
        assert!(rings <= 2, "{rings} wake-ups, 1 drain");
        (drained, rings)
    }
    let outcomes = explore(scenario);
    assert!(outcomes.is_superset(&all([(0, 1), (1, 1), (1, 2), (2, 2), (3, 1)])), "{outcomes:?}");
}

/// One waits for each message, in a way of its own, while two publish and the end comes.
fn wait_for_everything(read: fn(&mut Member)) -> Vec<u8> {
    let world = world();
    let mut member = Member::of(&world, &["room"]);
    let socket = member.socket.clone();
    let reader = spawn(move || {
        read(&mut member);
        member
    });
    let publishers = [1, 2].map(|publisher| {
        let world = world.clone();
        spawn(move || publish(publisher, 2, |number| world.to("room").emit("n", number)))
    });
    let posts = join_all(publishers).concat();
    socket.disconnect("over");
    let member = join(reader);
    assert_eq!(member.closed(), Some("over".into()));
    member.check_all(&posts);
    member.publishers()
}

#[test]
fn a_thread_that_blocks_gets_everything_and_then_the_end() {
    fn scenario() -> Vec<u8> {
        wait_for_everything(|member| while member.read_with(|inbox| inbox.recv().ok()) {})
    }
    assert_eq!(explore(scenario).len(), 6);
}

#[test]
fn a_task_gets_everything_and_then_the_end() {
    fn scenario() -> Vec<u8> {
        wait_for_everything(|member| while member.read_with(|inbox| block_on(inbox.recv_async()).ok()) {})
    }
    assert_eq!(explore(scenario).len(), 6);
}

/// A socket that sleeps in its rooms is told of those that it is joined to meanwhile.
#[test]
fn a_sleeper_is_woken_for_a_room_that_it_joins_asleep() {
    fn scenario() -> usize {
        let world = world();
        let mut member = Member::of(&world, &[]);
        member.drain();
        let bell = Bell::new();
        member.inbox.on_wake({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        let socket = member.socket.clone();
        let movers = [(1, "a"), (2, "b")].map(|(publisher, room)| {
            let (world, socket) = (world.clone(), socket.clone());
            spawn(move || {
                socket.join(room).unwrap();
                publish(publisher, 2, |number| world.to(room).emit("n", number))
            })
        });
        let member = read_when_woken(member, &bell, 4);
        let posts = join_all(movers).concat();
        member.finish().check_all(&posts);
        bell.rings()
    }
    assert!(explore(scenario).len() > 3);
}

/// Who leaves takes its word back, and those who stay are woken all the same.
#[test]
fn sleepers_of_one_room_do_not_take_each_others_wake_up() {
    fn scenario() -> usize {
        let world = world();
        let sleep = |world: &Namespace| {
            let mut member = Member::of(world, &["room"]);
            member.drain();
            let bell = Bell::new();
            member.inbox.on_wake({
                let bell = Arc::clone(&bell);
                move || bell.ring()
            });
            (member, bell)
        };
        let sleepers = [(); 2].map(|()| {
            let (member, bell) = sleep(&world);
            spawn(move || read_when_woken(member, &bell, 2))
        });
        let (leaver, bell) = sleep(&world);
        let mover = spawn(move || {
            leaver.socket.leave("room").unwrap();
            leaver
        });
        let room = world.room("room").unwrap();
        let posts = publish(1, 2, |number| room.emit("n", number));
        for sleeper in join_all(sleepers) {
            sleeper.finish().check_all(&posts);
        }
        let leaver = join(mover).finish();
        assert!(leaver.got.is_empty() || bell.rings() > 0);
        leaver.got.len()
    }
    assert_eq!(explore(scenario), (0..=2).collect());
}

/// An end is something to be woken for.
#[test]
fn a_sleeper_is_woken_by_the_end() {
    fn scenario() -> bool {
        let world = world();
        let readers = [(); 2].map(|()| {
            let (_, mut inbox): (_, Inbox) = world.connect();
            spawn(move || {
                let closed = block_on(async { inbox.recv_async().await.map(drop) });
                closed.unwrap_err().reason == "over".into()
            })
        });
        let ended = spawn({
            let world = world.clone();
            move || world.everyone().disconnect("over").unwrap().changed()
        });
        let one_by_one = world.sockets().into_iter().filter(|socket| socket.disconnect("over")).count();
        assert_eq!(join(ended) + one_by_one, 2);
        assert_eq!(join_all(readers), [true; 2]);
        one_by_one == 1
    }
    assert_eq!(explore(scenario), all([false, true]));
}
