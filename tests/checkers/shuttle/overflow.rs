//! Sockets that do not keep up, under either policy: what they lose is counted where it is missing, or they go.

use std::collections::BTreeSet;

use roomcast::{Backlog, DisconnectReason, Namespace, Overflow};
use shuttle::sync::Mutex;
use std::sync::Arc;

use crate::rig::{all, explore, join, join_all, small, spawn};
use crate::witness::{Member, Span, Stay, is_within, publish};

/// Rooms that keep one message or two.
fn tight(overflow: Overflow) -> Namespace {
    let backlog = Backlog::new().messages(1).unwrap().overflow(overflow);
    small().backlog(backlog).build().of("/world").unwrap()
}

#[test]
fn what_a_slow_socket_loses_is_counted() {
    fn scenario() -> (u64, u64) {
        let world = tight(Overflow::DropOldest);
        let [slow, stalled] = [(); 2].map(|()| Member::of(&world, &["room"]));
        let reader = spawn(move || slow.drain_often(3));
        let publishers = [1, 2].map(|publisher| {
            let room = world.room("room").unwrap();
            spawn(move || publish(publisher, 3, |number| room.emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let missed = [join(reader), stalled].map(|member| {
            let member = member.finish();
            member.check_order(&posts);
            assert_eq!((member.got.len() as u64 + member.missed, member.inexact), (6, 0), "{member:?}");
            assert!(member.got.len() == 6 || !member.got.is_empty(), "the newest is kept");
            member.missed
        });
        missed.into()
    }
    let missed: BTreeSet<_> = explore(scenario).into_iter().map(|(slow, _)| slow).collect();
    assert!(missed.is_superset(&all([2, 3, 4])), "{missed:?}");
}

#[test]
fn a_message_to_several_rooms_is_delivered_or_missed_once() {
    fn scenario() -> u64 {
        let world = tight(Overflow::DropOldest);
        let member = Member::of(&world, &["a", "b"]);
        let reader = spawn(move || member.drain_often(2));
        let publishers = [(1, &["a", "b"][..]), (2, &["b", "a"]), (3, &["b"])].map(|(publisher, rooms)| {
            let world = world.clone();
            spawn(move || publish(publisher, 2, |number| world.to(rooms).emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let member = join(reader).finish();
        member.check_order(&posts);
        assert_eq!((member.got.len() as u64 + member.missed, member.inexact), (6, 0), "{member:?}");
        member.missed
    }
    let missed = explore(scenario);
    assert!(missed.is_superset(&all([1, 2, 3])), "{missed:?}");
}

#[test]
fn a_limit_that_is_changed_meanwhile_loses_nothing_uncounted() {
    fn scenario() -> u64 {
        let world = tight(Overflow::DropOldest);
        let member = Member::of(&world, &["room"]);
        let reader = spawn(move || member.drain_often(2));
        let room = world.room("room").unwrap();
        let changer = spawn({
            let room = room.clone();
            move || [8, 2].map(|messages| room.set_backlog(Backlog::new().messages(messages).unwrap()))
        });
        let publisher = spawn({
            let room = room.clone();
            move || publish(1, 3, |number| room.emit("n", number))
        });
        let posts = [publish(2, 3, |number| room.emit("n", number)), join(publisher)].concat();
        join(changer);
        let member = join(reader).finish();
        member.check_order(&posts);
        assert_eq!((member.got.len() as u64 + member.missed, member.inexact), (6, 0), "{member:?}");
        member.missed
    }
    let missed = explore(scenario);
    assert!(missed.is_superset(&all([0, 1, 2, 3])), "{missed:?}");
}

#[test]
fn who_has_left_learns_what_it_has_missed_before() {
    fn scenario() -> (bool, bool) {
        let world = tight(Overflow::DropOldest);
        let (mut member, joined) = Span::of(|| Member::of(&world, &["room"]));
        let publishers = [1, 2].map(|publisher| {
            let world = world.clone();
            spawn(move || publish(publisher, 3, |number| world.to("room").emit("n", number)))
        });
        let leaver = spawn({
            let socket = member.socket.clone();
            move || Span::of(|| socket.leave("room").unwrap()).1
        });
        member.drain();
        let stay = Stay { joined, left: Some(join(leaver)) };
        let posts = join_all(publishers).concat();
        let member = member.finish();
        member.check_order(&posts);
        let is_for = posts.iter().map(|post| is_within(post, &[stay]));
        let surely = is_for.clone().filter(|is_for| *is_for == Some(true)).count() as u64;
        let perhaps = is_for.filter(|is_for| *is_for != Some(false)).count() as u64;
        let told = member.got.len() as u64 + member.missed;
        assert!(surely <= told && told <= perhaps, "{told} of {surely} to {perhaps}: {member:?}");
        (member.missed > 0, told < 6)
    }
    let outcomes = explore(scenario);
    assert!(outcomes.is_superset(&all([(false, true), (true, false), (true, true)])), "{outcomes:?}");
}

/// Who is too slow where that is the policy goes, told once and last; who keeps up stays.
#[test]
fn who_is_over_the_limit_is_disconnected_and_loses_nothing_before() {
    fn scenario() -> (bool, bool) {
        let world = tight(Overflow::Disconnect);
        let members = [(); 2].map(|()| Member::of(&world, &["room"]));
        let told = Arc::new(Mutex::new(Vec::new()));
        world.on_disconnect({
            let told = Arc::clone(&told);
            move |socket, reason| told.lock().unwrap().push((socket.id(), reason.clone()))
        });
        let [reader, other] = members.map(|member| spawn(move || member.drain_often(3)));
        let publishers = [1, 2].map(|publisher| {
            let room = world.room("room").unwrap();
            spawn(move || publish(publisher, 2, |number| room.emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let members = join_all([reader, other]).map(Member::finish);
        let mut told = std::mem::take(&mut *told.lock().unwrap());
        let gone = members.each_ref().map(|member| {
            member.check_order(&posts);
            let ends = told.extract_if(.., |(socket, _)| *socket == member.socket.id()).count();
            match member.closed() {
                None => {
                    assert_eq!((ends, member.got.len(), member.missed), (0, 4, 0));
                    false
                }
                Some(reason) => {
                    assert_eq!((ends, reason), (1, DisconnectReason::Backlog));
                    true
                }
            }
        });
        assert_eq!(told, []);
        assert_eq!(world.room_len("room"), gone.iter().filter(|gone| !**gone).count());
        gone.into()
    }
    let outcomes = explore(scenario);
    assert!(outcomes.is_superset(&all([(false, true), (true, false), (true, true)])), "{outcomes:?}");
}

/// A volatile message reaches who is not behind, or is counted.
#[test]
fn what_is_volatile_is_delivered_or_counted() {
    fn scenario() -> u64 {
        let world = small().volatile_backlog(0).build().of("/world").unwrap();
        let members = [(); 2].map(|()| Member::of(&world, &["room"]));
        let readers = members.map(|member| spawn(move || member.drain_often(2)));
        let publishers = [1, 2].map(|publisher| {
            let world = world.clone();
            spawn(move || publish(publisher, 2, |number| world.to("room").volatile().emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let dropped = join_all(readers).map(|member| {
            let member = member.finish();
            member.check_order(&posts);
            assert_eq!(member.got.len() as u64 + member.inbox.volatile_dropped(), 4);
            assert!(!member.got.is_empty());
            member.inbox.volatile_dropped()
        });
        dropped[0]
    }
    // Of three drains each brings one at least.
    assert_eq!(explore(scenario), all([1, 2, 3]));
}
