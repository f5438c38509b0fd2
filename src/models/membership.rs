//! Joining and leaving against publishing: a member gets exactly what was published in between.

use std::sync::Arc as StdArc;

use loom::thread;

use super::scene::{Member, Scene};
use super::{all, explore};
use crate::sync::{Arc, AtomicBool, Ordering};

#[test]
fn a_joiner_gets_all_from_the_join_on() {
    let outcomes = explore("join against publish", 50, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let witness = Member::of(&scene, &[&room]);
        let mut member = Member::new(&scene, 2);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || [1, 2, 3].map(|number| (scene.publish(&room, number).unwrap(), number))
        });
        let since = scene.join(&room, &member.post);
        member.drain();
        let published = publisher.join().unwrap();
        drop(witness);
        let later: Vec<_> =
            published.iter().filter(|(at, _)| *at > since).map(|(_, number)| *number).collect();
        assert_eq!(member.numbers(), later);
        later.len()
    });
    assert_eq!(outcomes, all([0, 1, 2, 3]));
}

#[test]
fn a_join_is_known_before_what_follows_it() {
    let outcomes = explore("join and publish against a drain", 100, || {
        let scene = Scene::new();
        let (old, new) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&old]);
        let post = Arc::clone(&member.post);
        let other = thread::spawn(move || {
            scene.join(&new, &post);
            scene.publish(&new, 1);
            scene.publish(&old, 2);
        });
        let first = member.numbers();
        other.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        first.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_join_under_way_keeps_the_order() {
    let outcomes = explore("join against publish in two rooms and a drain", 200, || {
        let scene = Scene::new();
        let (old, new) = (Scene::room(1), Scene::room(2));
        let mut member = Member::of(&scene, &[&old]);
        let joiner = thread::spawn({
            let (scene, new, post) = (StdArc::clone(&scene), Arc::clone(&new), Arc::clone(&member.post));
            move || scene.join(&new, &post)
        });
        let publisher = thread::spawn(move || {
            let is_member = scene.publish(&new, 1).is_some();
            scene.publish(&old, 2);
            is_member
        });
        let first = member.numbers();
        joiner.join().unwrap();
        let expected: &[u64] = if publisher.join().unwrap() { &[1, 2] } else { &[2] };
        assert_eq!(member.numbers(), expected);
        (first.len(), expected.len())
    });
    assert_eq!(outcomes, all([(0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]));
}

#[test]
fn a_leaver_gets_nothing_from_the_leave_on() {
    let outcomes = explore("leave against publish to the others", 500, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let witness = Member::of(&scene, &[&room]);
        let mut member = Member::new(&scene, 2);
        let since = scene.join(&room, &member.post);
        assert_eq!(since, 2);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || [1, 2].map(|number| scene.publish(&room, number).unwrap())
        });
        let leaver = thread::spawn({
            let (scene, post) = (StdArc::clone(&scene), Arc::clone(&member.post));
            move || scene.leave(&room, &post, since)
        });
        member.drain();
        let published = publisher.join().unwrap();
        leaver.join().unwrap();
        // The leave has the one sequence of 3, 4 and 5 that no message has.
        let until = (3..).find(|at| !published.contains(at)).unwrap();
        let before: Vec<_> =
            (1..).zip(published).filter(|(_, at)| *at < until).map(|(number, _)| number).collect();
        assert_eq!(member.numbers(), before);
        drop(witness);
        before.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_leaver_gets_all_up_to_the_leave() {
    let outcomes = explore("leave against publish and drain", 1000, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&room, &member.post);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || [1, 2].map(|number| scene.publish(&room, number))
        });
        let leaver = thread::spawn({
            let (scene, post) = (StdArc::clone(&scene), Arc::clone(&member.post));
            move || scene.leave(&room, &post, since)
        });
        member.drain();
        let published = publisher.join().unwrap();
        leaver.join().unwrap();
        // It is the only member, so what was published after it left was published to nobody.
        let before: Vec<_> = (1..).zip(published).filter_map(|(number, at)| at.map(|_| number)).collect();
        assert_eq!(member.numbers(), before);
        before.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn what_is_published_between_two_memberships_is_not_read() {
    let outcomes = explore("leave and join again against publish", 100, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&room, &member.post);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || [1, 2].map(|number| scene.publish(&room, number))
        });
        scene.leave(&room, &member.post, since);
        scene.join(&room, &member.post);
        member.drain();
        let published = publisher.join().unwrap();
        let expected: Vec<_> = (1..).zip(published).filter_map(|(number, at)| at.map(|_| number)).collect();
        assert_eq!(member.numbers(), expected);
        expected
    });
    assert_eq!(outcomes, all([vec![], vec![1], vec![2], vec![1, 2]]));
}

#[test]
fn who_is_left_out_is_judged_as_of_the_publish() {
    let outcomes = explore("publish except a room against leaving it", 100, || {
        let scene = Scene::new();
        let (room, except) = (Scene::room(1), Scene::room(2));
        let mut member = Member::new(&scene, 1);
        scene.join(&room, &member.post);
        let since = scene.join(&except, &member.post);
        let [is_published, is_left] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let publisher = thread::spawn({
            let (scene, except) = (StdArc::clone(&scene), Arc::clone(&except));
            let (is_published, is_left) = (Arc::clone(&is_published), Arc::clone(&is_left));
            move || {
                let was_left = is_left.load(Ordering::Acquire);
                scene.publish_except(&room, &except, 1);
                is_published.store(true, Ordering::Release);
                was_left
            }
        });
        let was_published = is_published.load(Ordering::Acquire);
        scene.leave(&except, &member.post, since);
        is_left.store(true, Ordering::Release);
        member.drain();
        let was_left = publisher.join().unwrap();
        let got = !member.numbers().is_empty();
        assert!(!(got && was_published), "published before the leave began");
        assert!(got || !was_left, "published after the leave returned");
        (was_published, was_left, got)
    });
    // In between, both are right.
    let in_between = [(false, false, false), (false, false, true)];
    assert_eq!(outcomes, all([(true, false, false), (false, true, true)].into_iter().chain(in_between)));
}

/// Rooms are left one by one when a socket is closed. One that had left the room that is left out, and was still in the one
/// that is addressed, got the message when it read before it knew that it was closed.
#[test]
fn who_is_left_out_is_left_out_to_the_end() {
    explore("publish except a room against a close and a drain", 100, || {
        let scene = Scene::new();
        let (room, except) = (Scene::room(1), Scene::room(2));
        let mut member = Member::new(&scene, 1);
        let since = [&except, &room].map(|room| scene.join(room, &member.post));
        let closer = thread::spawn({
            let (scene, post) = (StdArc::clone(&scene), Arc::clone(&member.post));
            let (room, except) = (Arc::clone(&room), Arc::clone(&except));
            move || scene.close_all(&[(&*except, since[0]), (&*room, since[1])], &post)
        });
        let publisher = thread::spawn({
            let scene = StdArc::clone(&scene);
            move || {
                scene.publish_except(&room, &except, 1);
            }
        });
        member.drain();
        closer.join().unwrap();
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [0; 0]);
        assert!(member.reader.closed().is_some());
    });
}

#[test]
fn a_closed_socket_gets_what_was_published_before() {
    let outcomes = explore("close against publish and drain", 3000, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let witness = Member::of(&scene, &[&room]);
        let mut member = Member::new(&scene, 2);
        let since = scene.join(&room, &member.post);
        let publisher = thread::spawn({
            let (scene, room) = (StdArc::clone(&scene), Arc::clone(&room));
            move || {
                scene.publish(&room, 1);
                scene.publish(&room, 2);
            }
        });
        let closer = thread::spawn({
            let (scene, post, room) = (StdArc::clone(&scene), Arc::clone(&member.post), Arc::clone(&room));
            move || scene.close(&room, &post, since)
        });
        member.drain();
        publisher.join().unwrap();
        closer.join().unwrap();
        let numbers = member.numbers();
        assert!([1, 2].starts_with(&numbers), "{numbers:?}");
        assert!(member.reader.closed().is_some());
        drop(witness);
        numbers.len()
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}
