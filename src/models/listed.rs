//! Publishing to those who are listed: who is on the list is who reads the message. Only who is closed at that
//! moment may be listed and read it no more; it is not waited for.

use std::sync::Arc as StdArc;

use loom::thread;

use super::scene::{Member, Scene};
use super::{all, explore};
use crate::ack::Acks;
use crate::ack::table::AckTable;
use crate::clock::Clock;
use crate::error::AckError;
use crate::reason::DisconnectReason;
use crate::sync::Arc;
use crate::topic::Topic;
use crate::{Engine, Namespace};

/// Checks that who is listed reads the message, and nobody else; and tells who.
fn check<const N: usize>(listed: &[crate::SocketId], members: [&mut Member; N]) -> [bool; N] {
    members.map(|member| {
        let is_listed = listed.contains(&member.post.id());
        let numbers = member.numbers();
        assert_eq!(numbers, if is_listed { vec![1] } else { vec![] });
        is_listed
    })
}

#[test]
fn who_joins_is_listed_or_does_not_read_it() {
    let outcomes = explore("listed publish against two joins", 50, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let [mut one, mut two] = [1, 2].map(|number| Member::new(&scene, number));
        scene.join(&b, &one.post);
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_listed(&[&a, &b], &[], 1)
        });
        scene.join(&a, &one.post);
        scene.join(&a, &two.post);
        let early = one.drain() + two.drain();
        let listed = publisher.join().unwrap();
        assert_eq!(listed.iter().filter(|id| **id == one.post.id()).count(), 1, "listed once");
        let [is_one, is_two] = check(&listed, [&mut one, &mut two]);
        assert!(is_one);
        (is_two, early)
    });
    assert_eq!(outcomes, all([(false, 1), (true, 0), (true, 1), (true, 2)]));
}

#[test]
fn who_leaves_is_listed_or_does_not_read_it() {
    let outcomes = explore("listed publish against a leave and a change of rooms", 500, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let [mut one, mut two] = [1, 2].map(|number| Member::new(&scene, number));
        let [since, its] = [&one, &two].map(|member| scene.join(&a, &member.post));
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_listed(&[&a, &b], &[], 1)
        });
        let leaver = thread::spawn({
            let (scene, a, post) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&one.post));
            move || scene.leave(&a, &post, since)
        });
        scene.join(&b, &two.post);
        scene.leave(&a, &two.post, its);
        let listed = publisher.join().unwrap();
        leaver.join().unwrap();
        let [is_one, is_two] = check(&listed, [&mut one, &mut two]);
        assert!(is_two, "it was in one of the rooms all the time");
        assert_eq!(listed.len(), 1 + usize::from(is_one));
        is_one
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn who_reads_it_before_it_is_closed_is_listed() {
    let outcomes = explore("listed publish against a close", 8, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let [mut one, mut two] = [1, 2].map(|number| Member::new(&scene, number));
        let since = scene.join(&a, &one.post);
        scene.join(&a, &two.post);
        let publisher = thread::spawn({
            let (scene, a, b) = (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b));
            move || scene.publish_listed(&[&a, &b], &[], 1)
        });
        scene.close(&a, &one.post, since);
        let listed = publisher.join().unwrap();
        assert_eq!(check(&listed, [&mut two]), [true]);
        let is_listed = listed.contains(&one.post.id());
        let reads = !one.numbers().is_empty();
        assert!(one.reader.closed().is_some());
        (is_listed, reads)
    });
    assert_eq!(outcomes, all([(false, false), (true, false), (true, true)]));
}

#[test]
fn who_is_left_out_is_not_listed_and_does_not_read_it() {
    // The room that is left out has the lower number, and the higher: what is locked first differs.
    for (room, except) in [(1, 2), (2, 1)] {
        let outcomes =
            explore("listed publish against joining and leaving what is left out", 200, move || {
                let scene = Scene::new();
                let (room, except) = (Scene::room(room), Scene::room(except));
                let [mut joins, mut leaves] = [1, 2].map(|number| Member::new(&scene, number));
                [&joins, &leaves].into_iter().for_each(|member| _ = scene.join(&room, &member.post));
                let since = scene.join(&except, &leaves.post);
                let publisher = thread::spawn({
                    let (scene, room, except) =
                        (StdArc::clone(&scene), Arc::clone(&room), Arc::clone(&except));
                    move || scene.publish_listed(&[&room], &[&except], 1)
                });
                let leaver = thread::spawn({
                    let (scene, except) = (StdArc::clone(&scene), Arc::clone(&except));
                    let post = Arc::clone(&leaves.post);
                    move || scene.leave(&except, &post, since)
                });
                scene.join(&except, &joins.post);
                let listed = publisher.join().unwrap();
                leaver.join().unwrap();
                check(&listed, [&mut joins, &mut leaves])
            });
        assert_eq!(outcomes, all([[false, false], [false, true], [true, false], [true, true]]));
    }
}

#[test]
fn a_list_is_of_one_moment() {
    let outcomes = explore("list against a move from room to room", 15, || {
        let scene = Scene::new();
        let (a, b) = (Scene::room(1), Scene::room(2));
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&b, &member.post);
        let mover = thread::spawn({
            let (scene, a, b, post) =
                (StdArc::clone(&scene), Arc::clone(&a), Arc::clone(&b), Arc::clone(&member.post));
            move || {
                scene.join(&a, &post);
                scene.leave(&b, &post, since);
            }
        });
        let listed = Topic::list(&super::scene::listed(&[&a, &b], &[]));
        assert_eq!(listed, [member.post.id()], "never in none of them, never listed twice");
        let left_out = Topic::list(&super::scene::listed(&[&a], &[&b])).len();
        mover.join().unwrap();
        assert!(member.numbers().is_empty());
        left_out
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn who_is_asked_and_goes_is_not_waited_for() {
    let outcomes = explore("listed publish with acks against a close", 30, || {
        let scene = Scene::new();
        let (table, clock) = (StdArc::new(AckTable::new(usize::MAX)), StdArc::new(Clock::new()));
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&room, &member.post);
        let closer = thread::spawn({
            let (scene, room, post) = (StdArc::clone(&scene), Arc::clone(&room), Arc::clone(&member.post));
            let table = StdArc::clone(&table);
            move || {
                scene.close(&room, &post, since);
                table.gone(post.id(), &DisconnectReason::Server);
            }
        });
        let acks = Acks::open(&table, &clock).unwrap();
        let listed = scene.publish_listed(&[&room], &[], 1);
        let is_asked = !listed.is_empty();
        acks.sent_to(listed.clone().into());
        let was_done = acks.is_done();
        closer.join().unwrap();
        assert!(acks.is_done(), "nobody is left to answer");
        assert!(is_asked || member.numbers().is_empty());
        let answers = acks.wait();
        assert!(answers.iter().all(|(_, answer)| matches!(answer, Err(AckError::Disconnected(_)))));
        assert_eq!((answers.iter().count(), table.len()), (usize::from(is_asked), 0));
        member.drain();
        (is_asked, was_done)
    });
    assert_eq!(outcomes, all([(false, true), (true, false), (true, true)]));
}

fn world() -> Namespace {
    Engine::new().of("/").unwrap()
}

#[test]
fn an_acked_broadcast_never_waits_for_who_is_disconnected() {
    let outcomes = explore("acked broadcast against disconnect", 80, || {
        let world = world();
        let (socket, mut inbox) = world.connect();
        let id = socket.id();
        socket.join(1).unwrap();
        let other = thread::spawn(move || socket.disconnect(DisconnectReason::Client));
        let acks = world.to(1).emit_with_ack("question", "?").unwrap();
        let was_done = acks.is_done();
        other.join().unwrap();
        assert!(acks.is_done());
        let answers = acks.wait();
        let is_asked = answers.get(id).is_some();
        let reads = inbox.drain(|_| {}) > 0;
        assert!(is_asked || !reads, "who reads it was asked");
        assert_eq!(world.core().acks.len(), 0);
        (is_asked, was_done, reads)
    });
    let asked = [(true, false, false), (true, false, true), (true, true, false), (true, true, true)];
    assert_eq!(outcomes, all(asked.into_iter().chain([(false, true, false)])));
}

#[test]
fn a_question_to_a_socket_is_refused_or_over_when_it_is_disconnected() {
    let outcomes = explore("acked message against disconnect", 80, || {
        let world = world();
        let (socket, mut inbox) = world.connect();
        let other = thread::spawn({
            let socket = socket.clone();
            move || socket.disconnect(DisconnectReason::Client)
        });
        let asked = socket.emit_with_ack("question", "?");
        other.join().unwrap();
        let answer = asked.ok().map(|ack| {
            assert!(ack.is_done());
            ack.wait()
        });
        let (is_asked, reads) = (answer.is_some(), inbox.drain(|_| {}) > 0);
        assert!(is_asked || !reads);
        assert!(answer.is_none_or(|answer| matches!(answer, Err(AckError::Disconnected(_)))));
        assert_eq!(world.core().acks.len(), 0);
        (is_asked, reads)
    });
    assert_eq!(outcomes, all([(false, false), (true, false), (true, true)]));
}
