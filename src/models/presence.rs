//! Presence: who leaves is not left behind, and who watches has what was there at the last flush.

use std::sync::Arc as StdArc;
use std::time::Duration;

use loom::thread;

use super::{Token, all, explore_within};
use crate::roster::{PRESENCE_DIFF, PRESENCE_STATE, PresenceEntry, PresenceState};
use crate::{Engine, Inbox, Namespace, Payload, Presence, PresenceError, Shared, Socket};

fn scene() -> (Namespace, Presence) {
    let world = Engine::builder().shards(1).unwrap().build().of("/").unwrap();
    let presence = Presence::new(&world.room(1).unwrap());
    (world, presence)
}

fn member(world: &Namespace) -> (Socket, Inbox) {
    let (socket, inbox) = world.connect();
    socket.join(1).unwrap();
    (socket, inbox)
}

fn meta(number: u64) -> Payload {
    Payload::from(StdArc::new(Token::new(number)))
}

/// What a watcher has made of all that it was sent, and how many differences that were.
fn read(inbox: &mut Inbox) -> (Vec<PresenceEntry>, usize) {
    let (mut here, mut diffs) = (None::<PresenceState>, 0);
    inbox.drain(|delivery| {
        if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
            here = Some(PresenceState::clone(&state));
        } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
            assert!(here.as_mut().expect("the state comes first").apply(&diff), "a gap, or twice");
            diffs += 1;
        }
    });
    (here.map_or_else(Vec::new, |here| here.entries().to_vec()), diffs)
}

#[test]
fn who_leaves_is_not_present() {
    let outcomes = explore_within(5, "track against leave", 50, || {
        let (world, presence) = scene();
        let (socket, _inbox) = member(&world);
        let other = thread::spawn({
            let (presence, socket) = (presence.clone(), socket.clone());
            move || presence.track(&socket, "ann", meta(1))
        });
        socket.leave(1).unwrap();
        let tracked = other.join().unwrap();
        assert!(presence.list().is_empty() && presence.count() == 0);
        match tracked {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error, PresenceError::NotInRoom);
                false
            }
        }
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn who_begins_to_watch_misses_nothing_and_gets_nothing_twice() {
    let outcomes = explore_within(5, "watch against track and flush", 150, || {
        let (world, presence) = scene();
        let [(ann, _ann), (watcher, mut inbox), (first, _first)] = [(); 3].map(|()| member(&world));
        presence.watch(&first).unwrap();
        let other = thread::spawn({
            let presence = presence.clone();
            move || {
                presence.track(&ann, "ann", meta(1)).unwrap();
                presence.flush();
                ann
            }
        });
        presence.watch(&watcher).unwrap();
        let _ann = other.join().unwrap();
        presence.flush();
        let (here, diffs) = read(&mut inbox);
        assert_eq!(here, presence.list());
        assert_eq!(here.len(), 1);
        diffs
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn two_who_flush_tell_of_everything_once() {
    let outcomes = explore_within(5, "track and flush against untrack and flush", 200, || {
        let (world, presence) = scene();
        let [(ann, _ann), (bob, _bob), (watcher, mut inbox)] = [(); 3].map(|()| member(&world));
        presence.track(&bob, "bob", meta(1)).unwrap();
        presence.watch(&watcher).unwrap();
        let other = thread::spawn({
            let presence = presence.clone();
            move || {
                presence.track(&ann, "ann", meta(2)).unwrap();
                presence.flush();
                ann
            }
        });
        bob.leave(1).unwrap();
        presence.flush();
        let ann = other.join().unwrap();
        // Each has flushed, or left it to the other.
        let (here, diffs) = read(&mut inbox);
        assert_eq!(here, presence.list());
        assert_eq!((here.len(), here[0].socket), (1, ann.id()));
        diffs
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn what_a_tick_misses_the_next_one_tells() {
    let outcomes = explore_within(5, "track against a tick", 10, || {
        let engine = Engine::builder().shards(1).unwrap().build();
        let world = engine.of("/").unwrap();
        let presence = Presence::new(&world.room(1).unwrap());
        let [(ann, _ann), (bob, _bob), (watcher, mut inbox)] = [(); 3].map(|()| member(&world));
        presence.watch(&watcher).unwrap();
        presence.track(&bob, "bob", meta(1)).unwrap();
        let other = thread::spawn({
            let presence = presence.clone();
            move || {
                presence.track(&ann, "ann", meta(2)).unwrap();
                ann
            }
        });
        engine.tick(Duration::from_millis(1));
        let _ann = other.join().unwrap();
        engine.tick(Duration::from_millis(2));
        let (here, diffs) = read(&mut inbox);
        assert_eq!(here, presence.list());
        assert_eq!(here.len(), 2);
        diffs
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn the_last_who_watches_may_go_while_another_comes() {
    explore_within(5, "unwatch against watch, with a track between", 200, || {
        let (world, presence) = scene();
        let [(ann, _ann), (old, _old), (new, mut inbox)] = [(); 3].map(|()| member(&world));
        presence.watch(&old).unwrap();
        presence.track(&ann, "ann", meta(1)).unwrap();
        let other = thread::spawn({
            let presence = presence.clone();
            move || presence.unwatch(&old)
        });
        presence.watch(&new).unwrap();
        presence.update(&ann, meta(2)).unwrap();
        other.join().unwrap();
        presence.flush();
        assert_eq!(presence.watchers(), (1, 0));
        assert_eq!(read(&mut inbox).0, presence.list());
    });
}
