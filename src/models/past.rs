//! Joining with the past against publishing: the past and the present meet without a seam.

use std::sync::Arc as StdArc;
use std::time::Duration;

use loom::thread;

use super::scene::{Alarm, Got, Member, Scene};
use super::{all, explore};
use crate::sync::Arc;
use crate::ticks::Ticks;

#[test]
fn who_joins_with_the_past_gets_everything_once() {
    let outcomes = explore("join with the past against publish", 100, || {
        let scene = Scene::new();
        let room = scene.room_with_history(1, 8);
        scene.publish(&room, 1);
        let mut member = Member::new(&scene, 1);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || (2..=3).for_each(|number| _ = scene.publish(&room, number))
        });
        let past = scene.join_with_past(&room, &member.post);
        member.drain();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2, 3]);
        past
    });
    assert_eq!(outcomes, all([1, 2, 3]));
}

#[test]
fn what_goes_while_others_join_leaves_no_hole() {
    // Segments of two messages, of which two are kept.
    let outcomes = explore("join with the past against what ends it", 200, || {
        let scene = Scene::new();
        let room = scene.room_with_history(1, 2);
        (1..=3).for_each(|number| _ = scene.publish(&room, number));
        let mut member = Member::new(&scene, 1);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || (4..=6).for_each(|number| _ = scene.publish(&room, number))
        });
        let past = scene.join_with_past(&room, &member.post);
        assert_eq!(past, 2);
        member.drain();
        publisher.join().unwrap();
        let numbers = member.numbers();
        let first = numbers[0];
        assert_eq!(numbers, (first..=6).collect::<Vec<_>>());
        first
    });
    assert_eq!(outcomes, all([2, 3, 4, 5]));
}

#[test]
fn a_message_to_two_rooms_comes_with_the_past_of_one() {
    let outcomes = explore("join with two pasts against a union", 60, || {
        let scene = Scene::new();
        let (a, b) = (scene.room_with_history(1, 8), scene.room_with_history(2, 8));
        let mut member = Member::new(&scene, 1);
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_all(&[&a, &b], 1)
        });
        let pasts = scene.join_with_past(&a, &member.post) + scene.join_with_past(&b, &member.post);
        member.drain();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1]);
        pasts
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_sleeper_is_woken_for_the_past_and_for_what_follows() {
    let outcomes = explore("join with the past against sleep", 50, || {
        let scene = Scene::new();
        let room = scene.room_with_history(1, 8);
        scene.publish(&room, 1);
        let mut member = Member::new(&scene, 1);
        let (alarm, post) = (Alarm::new(), Arc::clone(&member.post));
        let joiner = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || {
                scene.join_with_past(&room, &post);
                scene.publish(&room, 2);
            }
        });
        let slept = member.wait_for(2, &alarm);
        joiner.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        slept
    });
    assert!(outcomes.is_superset(&all([0, 1])), "{outcomes:?}");
}

#[test]
fn newer_messages_replace_older_ones_and_the_newest_comes() {
    let outcomes = explore("replacing against a drain", 200, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::of(&scene, &[&room]);
        let publisher =
            thread::spawn(move || (1..=3).for_each(|number| _ = scene.publish_latest(&room, number)));
        member.drain();
        publisher.join().unwrap();
        let numbers = member.numbers();
        assert!(numbers.is_sorted() && numbers.last() == Some(&3), "{numbers:?}");
        assert_eq!(numbers.len() as u64 + member.reader.replaced(), 3);
        numbers.len()
    });
    // All three: who reads at the very moment may have a message before it is told of the next one.
    assert_eq!(outcomes, all([1, 2, 3]));
}

#[test]
fn what_was_emitted_before_a_drain_comes_or_what_has_replaced_it() {
    let outcomes = explore("replacing what is about to be read", 20, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::of(&scene, &[&room]);
        scene.publish_latest(&room, 1);
        let publisher = thread::spawn(move || _ = scene.publish_latest(&room, 2));
        member.drain();
        assert!(!member.got.is_empty(), "one is replaced, and the other one has not come");
        publisher.join().unwrap();
        let numbers = member.numbers();
        assert_eq!(numbers.last(), Some(&2));
        numbers.len()
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn who_leaves_gets_the_newest_from_before() {
    let outcomes = explore("replacing against a leave", 80, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&room, &member.post);
        member.drain();
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || [1, 2].map(|number| (number, scene.publish_latest(&room, number)))
        });
        let before = scene.order.horizon();
        scene.leave(&room, &member.post, since);
        let after = scene.order.horizon();
        member.drain();
        let published = publisher.join().unwrap();
        let numbers = member.numbers();
        for (number, sequence) in published.into_iter().filter_map(|(number, at)| Some((number, at?))) {
            let is_had = numbers.last().is_some_and(|last| *last >= number);
            assert!(is_had || sequence >= before, "{number} is lost: {numbers:?}");
            assert!(sequence < after || !numbers.contains(&number), "{number} came after all");
        }
        numbers
    });
    assert!(outcomes.is_superset(&all([vec![], vec![1], vec![2]])), "{outcomes:?}");
}

#[test]
fn nothing_of_a_tick_is_read_before_it() {
    let outcomes = explore("a tick between two emits against a drain up to it", 30, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::of(&scene, &[&room]);
        let (ticks, at) = (Arc::new(Ticks::new(8, Duration::ZERO)), Duration::from_secs(1));
        let publisher = thread::spawn({
            let (scene, ticks) = (StdArc::clone(&scene), Arc::clone(&ticks));
            move || {
                scene.publish(&room, 1);
                ticks.begin(at, &scene.order);
                scene.publish(&room, 2);
            }
        });
        let horizon = scene.order.horizon();
        let bound = ticks.sequence_at(at).unwrap();
        member.drain_below(bound.min(horizon));
        let first = member.got.len();
        assert!(!member.got.contains(&Got::Message(2)));
        publisher.join().unwrap();
        member.drain_below(ticks.sequence_at(at).unwrap());
        assert_eq!(member.got, [Got::Message(1)]);
        assert_eq!(member.numbers(), [1, 2]);
        first
    });
    assert_eq!(outcomes, all([0, 1]));
}
