//! Publishing against a draining reader: the order over rooms, once each, and gaps that add up.

use std::sync::Arc as StdArc;

use loom::thread;

use super::scene::{Alarm, Got, Member, Scene};
use super::{all, explore};
use crate::config::Overflow;
use crate::sync::{Arc, AtomicBool, Ordering};

#[test]
fn what_was_published_before_is_read_before() {
    let outcomes = explore("order over two rooms", 50, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&a, &b]);
        let publisher = thread::spawn(move || {
            scene.publish(&a, 1);
            scene.publish(&b, 2);
        });
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn the_order_holds_over_two_publishers() {
    let outcomes = explore("order over two rooms and two publishers", 1000, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&b, &a]);
        let is_published = Arc::new(AtomicBool::new(false));
        let other = (StdArc::clone(&scene), Arc::clone(&is_published));
        let before = thread::spawn(move || {
            scene.publish(&a, 1);
            is_published.store(true, Ordering::Release);
        });
        let after = thread::spawn(move || {
            let (scene, is_published) = other;
            let is_after = is_published.load(Ordering::Acquire);
            scene.publish(&b, if is_after { 2 } else { 9 });
        });
        let first = member.numbers();
        for thread in [before, after] {
            thread.join().unwrap();
        }
        let numbers = member.numbers();
        assert!([[1, 2], [1, 9], [9, 1]].iter().any(|order| numbers == order), "{numbers:?}");
        (numbers.contains(&2), first.len())
    });
    assert!(outcomes.is_superset(&all([(true, 0), (true, 1), (true, 2), (false, 1)])), "{outcomes:?}");
}

#[test]
fn a_room_that_fired_is_read_before_what_follows() {
    let outcomes = explore("order over two armed rooms", 60, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&a, &b]);
        let alarm = Alarm::new();
        assert!(member.sleep(&alarm));
        let publisher = thread::spawn(move || {
            scene.publish(&a, 1);
            scene.publish(&b, 2);
        });
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        assert_eq!(alarm.rung(), 1);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_room_that_is_about_to_fire_is_read_too() {
    // One publisher has taken the armed off the list, and another one has overtaken it.
    let outcomes = explore("order over an armed room and two publishers", 200, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&a, &b]);
        let alarm = Alarm::new();
        assert!(member.sleep(&alarm));
        let other = thread::spawn({
            let (scene, a) = (StdArc::clone(&scene), Arc::clone(&a));
            move || _ = scene.publish(&a, 9)
        });
        let publisher = thread::spawn(move || {
            scene.publish(&a, 1);
            scene.publish(&b, 2);
        });
        let first = member.numbers();
        other.join().unwrap();
        publisher.join().unwrap();
        let mut numbers = member.numbers();
        numbers.retain(|number| *number != 9);
        assert_eq!(numbers, [1, 2]);
        assert_eq!((member.got.len(), alarm.rung()), (3, 1));
        first.len()
    });
    assert!(outcomes.is_superset(&all([0, 1, 2])), "{outcomes:?}");
}

#[test]
fn only_active_rooms_are_looked_at_and_none_is_missed() {
    let outcomes = explore("many rooms, the idle ones armed", 60, || {
        let scene = Scene::new();
        let rooms = [1, 2, 3, 4].map(Scene::room);
        let mut member = Member::of(&scene, &rooms.each_ref());
        let [a, b, ..] = rooms;
        let publisher = thread::spawn(move || {
            scene.publish(&b, 1);
            scene.publish(&a, 2);
        });
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn an_armed_room_is_armed_again() {
    explore("many rooms, armed while published to", 300, || {
        let scene = Scene::new();
        let rooms = [1, 2, 3, 4].map(Scene::room);
        let mut member = Member::of(&scene, &rooms.each_ref());
        let [room, ..] = rooms;
        let publisher = thread::spawn(move || {
            scene.publish(&room, 1);
            scene.publish(&room, 2);
        });
        member.drain();
        member.drain();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
    });
}

#[test]
fn a_union_is_read_once() {
    let outcomes = explore("union against a drain", 100, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&a, &b]);
        let publisher = thread::spawn(move || {
            scene.publish_all(&[&a, &b], 1);
            scene.publish(&b, 2);
        });
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_union_is_read_once_while_its_rooms_are_joined_and_left() {
    let outcomes = explore("union against join and leave", 60, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&a, &member.post);
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_all(&[&a, &b], 1)
        });
        scene.join(&b, &member.post);
        scene.leave(&a, &member.post, since);
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn a_union_is_not_lost_between_its_rooms() {
    // The room that is listed first is empty until the socket joins it.
    let outcomes = explore("union against a join to its first room", 20, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&b]);
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_all(&[&a, &b], 1)
        });
        scene.join(&a, &member.post);
        let first = member.numbers();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn all_members_see_one_order() {
    let outcomes = explore("two publishers to one room", 500, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let [mut one, mut two] = [1, 2].map(|number| Member::new(&scene, number));
        for member in [&one, &two] {
            scene.join(&room, &member.post);
        }
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || _ = scene.publish(&room, 1)
        });
        let reader = thread::spawn(move || {
            one.drain();
            one
        });
        scene.publish(&room, 2);
        publisher.join().unwrap();
        let mut one = reader.join().unwrap();
        let numbers = one.numbers();
        assert_eq!(numbers, two.numbers());
        numbers
    });
    assert_eq!(outcomes, all([vec![1, 2], vec![2, 1]]));
}

/// Checks that messages and gaps make up the numbers from 1 on, and returns how many were missed.
fn check_gaps(got: &[Got]) -> (u64, u64) {
    let (mut at, mut missed_in_all) = (0, 0);
    for got in got {
        match *got {
            Got::Message(number) => {
                at += 1;
                assert_eq!(number, at);
            }
            Got::Gap { missed, exact } => {
                assert!(missed > 0 && exact);
                at += missed;
                missed_in_all += missed;
            }
        }
    }
    (at, missed_in_all)
}

#[test]
fn gaps_are_where_messages_are_missing() {
    let outcomes = explore("overflow against a drain", 700, || {
        let scene = Scene::new();
        let room = Scene::short_room(1, Overflow::DropOldest);
        let mut member = Member::of(&scene, &[&room]);
        let publisher = thread::spawn(move || (1..=4).for_each(|number| _ = scene.publish(&room, number)));
        member.drain();
        publisher.join().unwrap();
        member.drain();
        let (at, missed) = check_gaps(&member.got);
        assert_eq!(at, 4);
        missed
    });
    assert!(outcomes.len() > 1, "{outcomes:?}");
}

#[test]
fn what_a_socket_sent_itself_is_not_missing() {
    let outcomes = explore("overflow with messages that are not for the reader", 700, || {
        let scene = Scene::new();
        let room = Scene::short_room(1, Overflow::DropOldest);
        let mut member = Member::of(&scene, &[&room]);
        let id = member.post.id();
        let publisher = thread::spawn(move || {
            scene.publish(&room, 1);
            scene.publish_from(&room, 9, id);
            scene.publish(&room, 2);
            scene.publish(&room, 3);
            scene.publish(&room, 4);
        });
        member.drain();
        publisher.join().unwrap();
        member.drain();
        let (at, missed) = check_gaps(&member.got);
        assert_eq!(at, 4, "{:?}", member.got);
        missed
    });
    assert!(outcomes.len() > 1, "{outcomes:?}");
}

#[test]
fn whoever_would_lose_a_message_is_found() {
    // Progress is above a message that was being published while the reader looked.
    let outcomes = explore("overflow that disconnects against a drain", 100, || {
        let scene = Scene::new();
        let room = Scene::short_room(1, Overflow::Disconnect);
        let mut member = Member::of(&scene, &[&room]);
        let publisher = thread::spawn(move || {
            let mut victims = 0;
            for number in 1..=3 {
                victims += scene.publish_and_find(&room, number);
            }
            victims
        });
        member.drain();
        let victims = publisher.join().unwrap();
        member.drain();
        // One that was missed finds out itself.
        let is_found = victims > 0 || member.reader.take_due().is_overrun;
        assert!(is_found || member.got == [1, 2, 3].map(Got::Message), "{:?}", member.got);
        victims
    });
    assert!(outcomes.is_superset(&all([0, 1])), "{outcomes:?}");
}
