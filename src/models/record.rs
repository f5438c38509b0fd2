//! Recording: what happened at once is done again one after the other, and delivers the same.

use loom::thread;

use super::{all, explore_within};
use crate::{Delivery, Engine, Inbox, Past, Recorder, Replay};

/// What was handed out: sequences and events.
type Seen = Vec<(u64, String)>;

fn see(seen: &mut Seen, delivery: Delivery<'_>) {
    seen.push((delivery.sequence(), delivery.event().to_owned()));
}

fn drain(seen: &mut Seen, inbox: &mut Inbox) {
    inbox.drain(|delivery| see(seen, delivery));
}

/// What a replay of this file hands out.
fn replay(file: &[u8]) -> Seen {
    let mut seen = Seen::new();
    let ended = Replay::open(file).and_then(|mut replay| replay.run(|_, delivery| see(&mut seen, delivery)));
    ended.unwrap();
    seen
}

#[test]
fn what_was_published_while_others_joined_and_read_is_delivered_again() {
    let outcomes = explore_within(2, "recorded: publish against join, read and leave", 100, || {
        let engine = Engine::new();
        let recording = engine.record(Vec::new()).unwrap();
        let world = engine.of("/").unwrap();
        let room = world.room(1).unwrap();
        let (socket, mut inbox) = world.connect();
        let publisher = thread::spawn({
            let (world, room) = (world.clone(), room.clone());
            move || {
                room.emit("a", "").unwrap();
                world.emit("b", "").unwrap();
            }
        });
        let mut seen = Seen::new();
        socket.join(&room).unwrap();
        drain(&mut seen, &mut inbox);
        socket.leave(&room).unwrap();
        publisher.join().unwrap();
        drain(&mut seen, &mut inbox);
        assert_eq!(replay(&recording.finish().unwrap()), seen);
        seen.into_iter().map(|(_, event)| event).collect::<String>()
    });
    assert_eq!(outcomes, all(["ab".to_owned(), "b".to_owned()]));
}

#[test]
fn blocks_are_written_once_and_in_order_whoever_writes_them() {
    let outcomes = explore_within(2, "recorded: two who fill blocks and write them", 100, || {
        let engine = Engine::new();
        let recording = Recorder::new().block_bytes(0).start(&engine, Vec::new()).unwrap();
        let world = engine.of("/").unwrap();
        let (socket, mut inbox) = world.connect();
        let publisher = thread::spawn({
            let world = world.clone();
            move || world.emit("a", "").unwrap().sequence()
        });
        let mine = socket.emit("b", "").unwrap().sequence();
        let is_first = publisher.join().unwrap() < mine;
        let mut seen = Seen::new();
        drain(&mut seen, &mut inbox);
        assert_eq!(replay(&recording.finish().unwrap()), seen);
        is_first
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn a_recording_ends_between_two_inputs() {
    let outcomes = explore_within(2, "recorded: the end against emits", 50, || {
        let engine = Engine::new();
        let recording = engine.record(Vec::new()).unwrap();
        let world = engine.of("/").unwrap();
        let (socket, _inbox) = world.connect();
        let publisher = thread::spawn({
            let world = world.clone();
            move || ["a", "b"].map(|event| world.emit(event, "").unwrap())
        });
        let file = recording.finish().unwrap();
        publisher.join().unwrap();
        let mut replay = Replay::open(&file[..]).unwrap().ignore_reads();
        replay.run(|_, _| {}).unwrap();
        replay.inbox(socket.id()).unwrap().drain(|_| {})
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_past_is_the_same_past() {
    let outcomes = explore_within(2, "recorded: publish against a join with the past", 30, || {
        let engine = Engine::new();
        let recording = engine.record(Vec::new()).unwrap();
        let world = engine.of("/").unwrap();
        let room = world.room(1).unwrap();
        room.set_history(crate::History::new());
        let (socket, mut inbox) = world.connect();
        let publisher = thread::spawn({
            let room = room.clone();
            move || _ = room.emit("a", "").unwrap()
        });
        let past = socket.join_with(1, Past::all()).unwrap().past();
        publisher.join().unwrap();
        let mut seen = Seen::new();
        drain(&mut seen, &mut inbox);
        assert_eq!((replay(&recording.finish().unwrap()), seen.len()), (seen, 1));
        past
    });
    assert_eq!(outcomes, all([0, 1]));
}
