//! Sleeping against everything that has to wake a sleeper. A wake-up that is lost is a deadlock here.

use std::sync::Arc as StdArc;

use loom::thread;

use super::scene::{Alarm, Member, Scene};
use super::{all, explore, explore_within};
use crate::Engine;
use crate::config::Overflow;
use crate::reason::DisconnectReason;
use crate::sync::Arc;
use crate::topic::{Change, Pile, Trash};

#[test]
fn a_publish_wakes_a_sleeper_once() {
    let outcomes = explore("publish against sleep", 100, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::of(&scene, &[&room]);
        let alarm = Alarm::new();
        let publisher = thread::spawn(move || {
            scene.publish(&room, 1);
            scene.publish(&room, 2);
        });
        let slept = member.wait_for(2, &alarm);
        publisher.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
        assert!(alarm.rung() <= slept + 1);
        (slept, alarm.rung())
    });
    assert!(outcomes.is_superset(&all([(0, 0), (1, 1), (2, 2)])), "{outcomes:?}");
}

#[test]
fn two_rooms_wake_a_sleeper_once() {
    explore("publish to two rooms against sleep", 150, || {
        let scene = Scene::new();
        let rooms = [1, 2].map(Scene::room);
        let mut member = Member::of(&scene, &rooms.each_ref());
        let alarm = Alarm::new();
        let publishers = rooms.map(|room| {
            let scene = StdArc::clone(&scene);
            thread::spawn(move || scene.publish(&room, room.id()))
        });
        let is_asleep = member.sleep(&alarm);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        assert!(if is_asleep { alarm.rung() == 1 } else { alarm.rung() <= 1 });
        assert_eq!(member.numbers().len(), 2);
    });
}

#[test]
fn two_publishers_leave_no_sleeper_behind() {
    explore_within(2, "two publishers against sleep", 2000, || {
        let scene = Scene::new();
        let rooms = [1, 2].map(Scene::room);
        let mut member = Member::of(&scene, &rooms.each_ref());
        let alarm = Alarm::new();
        let publishers = rooms.map(|room| {
            let scene = StdArc::clone(&scene);
            thread::spawn(move || scene.publish(&room, room.id()))
        });
        member.wait_for(2, &alarm);
        for publisher in publishers {
            publisher.join().unwrap();
        }
    });
}

#[test]
fn a_join_wakes_a_sleeper() {
    explore("join and publish against sleep", 100, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let (alarm, post) = (Alarm::new(), Arc::clone(&member.post));
        let other = thread::spawn(move || {
            scene.join(&room, &post);
            scene.publish(&room, 1);
        });
        member.wait_for(1, &alarm);
        other.join().unwrap();
    });
}

#[test]
fn a_leave_keeps_no_sleeper_from_its_other_rooms() {
    explore_within(2, "leave and publish against sleep", 1000, || {
        let scene = Scene::new();
        let (left, kept) = (Scene::room(1), Scene::room(2));
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&left, &member.post);
        scene.join(&kept, &member.post);
        let (alarm, post) = (Alarm::new(), Arc::clone(&member.post));
        let other = thread::spawn(move || {
            scene.publish(&left, 1);
            scene.leave(&left, &post, since);
            scene.publish(&kept, 2);
        });
        member.wait_for(2, &alarm);
        other.join().unwrap();
        assert_eq!(member.numbers(), [1, 2]);
    });
}

#[test]
fn a_close_wakes_a_sleeper() {
    explore("close against sleep", 500, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::new(&scene, 1);
        let since = scene.join(&room, &member.post);
        let (alarm, post) = (Alarm::new(), Arc::clone(&member.post));
        let other = thread::spawn(move || scene.close(&room, &post, since));
        member.wait_until(&alarm, |member| member.reader.closed().is_some());
        other.join().unwrap();
    });
}

#[test]
fn a_gap_wakes_a_sleeper() {
    explore_within(2, "overflow against sleep", 2000, || {
        let scene = Scene::new();
        let room = Scene::short_room(1, Overflow::DropOldest);
        let mut member = Member::of(&scene, &[&room]);
        let alarm = Alarm::new();
        let publisher = thread::spawn(move || (1..=3).for_each(|number| _ = scene.publish(&room, number)));
        let last = super::scene::Got::Message(3);
        member.wait_until(&alarm, |member| member.got.last() == Some(&last));
        publisher.join().unwrap();
    });
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    // Two changes of one call, and a reader that between them goes to sleep in another task.
    explore("two changes against two wakers", 50, || {
        let scene = Scene::new();
        let mut member = Member::new(&scene, 1);
        let (first, second) = (Alarm::new(), Alarm::new());
        assert!(member.sleep(&first));
        let post = Arc::clone(&member.post);
        let closer = thread::spawn({
            let scene = StdArc::clone(&scene);
            move || {
                let room = Scene::room(1);
                let mut trash = Trash::default();
                crate::topic::Topic::join(&room, &scene.order, &post, &Pile::ANY, &mut trash);
                let at = scene.order.next();
                trash.tell(
                    &scene.order,
                    &post,
                    Change::Closed { at, reason: DisconnectReason::Server },
                    &Pile::ANY,
                );
            }
        });
        member.wait_until(&second, |member| member.reader.closed().is_some());
        closer.join().unwrap();
    });
}

#[test]
fn who_stops_waiting_misses_nothing() {
    let outcomes = explore("publish against a wait that times out", 50, || {
        let scene = Scene::new();
        let room = Scene::room(1);
        let mut member = Member::of(&scene, &[&room]);
        let alarm = Alarm::new();
        let publisher = thread::spawn(move || scene.publish(&room, 1));
        let is_asleep = member.sleep(&alarm);
        let is_unused = member.post.stay_awake().is_some();
        member.drain();
        let sleeps_again = member.got.is_empty() && member.sleep(&alarm);
        publisher.join().unwrap();
        assert!(!sleeps_again || alarm.rung() >= 1);
        assert_eq!(member.numbers(), [1]);
        (is_asleep, is_unused, sleeps_again)
    });
    assert!(outcomes.contains(&(true, true, true)), "{outcomes:?}");
    assert!(outcomes.contains(&(true, false, false)), "{outcomes:?}");
}

#[test]
fn a_thread_that_blocks_is_woken() {
    explore_within(2, "emit against a thread that blocks", 50, || {
        let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
        let emitter = thread::spawn(move || socket.emit("one", ()).unwrap());
        assert_eq!(inbox.recv().unwrap().event(), "one");
        emitter.join().unwrap();
    });
}

#[test]
fn a_thread_that_waits_for_an_answer_is_woken() {
    explore("answer against a thread that waits", 15, || {
        let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
        let ack = socket.emit_with_ack("one?", ()).unwrap();
        let closer = thread::spawn(move || socket.disconnect("over"));
        assert!(ack.wait().is_err());
        closer.join().unwrap();
        inbox.drain(|_| {});
    });
}
