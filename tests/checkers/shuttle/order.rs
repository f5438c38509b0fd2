//! The order of what arrives, and that it arrives once.

use roomcast::Backlog;
use shuttle::sync::mpsc::channel;

use crate::rig::{explore, join, join_all, small, spawn, world};
use crate::witness::{Member, Post, publish};

#[test]
fn the_members_of_a_room_see_one_order() {
    fn scenario() -> Vec<u8> {
        let world = world();
        let readers = [(); 2].map(|()| {
            let member = Member::of(&world, &["room"]);
            spawn(move || member.drain_often(2))
        });
        let publishers = [1, 2].map(|publisher| {
            let room = world.room("room").unwrap();
            spawn(move || publish(publisher, 3, |number| room.emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let [one, other] = join_all(readers).map(Member::finish);
        one.check_all(&posts);
        other.check_all(&posts);
        assert_eq!(one.got, other.got);
        one.publishers()
    }
    // Three of one among three of the other.
    assert_eq!(explore(scenario).len(), 20);
}

#[test]
fn there_is_one_order_over_all_ways_to_a_socket() {
    fn scenario() -> Vec<u8> {
        let world = world();
        let member = Member::of(&world, &["a", "b"]);
        let (socket, id) = (member.socket.clone(), member.socket.id());
        let reader = spawn(move || member.drain_often(3));
        let one = spawn({
            let world = world.clone();
            move || {
                [
                    Post::new([1, 0], |number| world.to("a").emit("n", number)).unwrap(),
                    Post::new([1, 1], |number| world.emit("n", number)).unwrap(),
                    Post::new([1, 2], |number| socket.emit("n", number)).unwrap(),
                ]
            }
        });
        let other = spawn(move || {
            [
                Post::new([2, 0], |number| world.to(id).emit("n", number)).unwrap(),
                Post::new([2, 1], |number| world.to(["b", "a"]).emit("n", number)).unwrap(),
                Post::new([2, 2], |number| world.to("b").to(id).emit("n", number)).unwrap(),
            ]
        });
        let posts = join_all([one, other]).concat();
        let member = join(reader).finish();
        member.check_all(&posts);
        member.publishers()
    }
    // Of 20.
    assert!(explore(scenario).len() > 15);
}

#[test]
fn what_follows_from_a_message_comes_after_it() {
    fn scenario() -> usize {
        let world = world();
        let mut member = Member::of(&world, &["a", "b", "c"]);
        let (first, second) = (channel(), channel());
        let chain =
            [("a", None, Some(first.0)), ("b", Some(first.1), Some(second.0)), ("c", Some(second.1), None)];
        let threads = chain.map(|(name, before, after)| {
            let room = world.room(name).unwrap();
            spawn(move || {
                let n = before.map_or(0, |before| before.recv().unwrap());
                room.emit("n", [n, 0]).unwrap();
                if let Some(after) = after {
                    after.send(n + 1).unwrap();
                }
            })
        });
        let seen = member.drain();
        assert!(member.got.iter().map(|[n, _]| *n).eq(0..seen as u8), "{:?}", member.got);
        join_all(threads);
        assert_eq!(member.finish().publishers(), [0, 1, 2]);
        seen
    }
    assert_eq!(explore(scenario), (0..=3).collect());
}

#[test]
fn unions_in_opposite_orders_are_one_order() {
    fn scenario() -> Vec<u8> {
        let world = world();
        let reader = {
            let member = Member::of(&world, &["a", "b"]);
            spawn(move || member.drain_often(2))
        };
        let others = ["a", "b"].map(|room| Member::of(&world, &[room]));
        let publishers = [(1, ["a", "b"]), (2, ["b", "a"])].map(|(publisher, rooms)| {
            let world = world.clone();
            spawn(move || publish(publisher, 2, |number| world.to(rooms).emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let both = join(reader).finish();
        both.check_all(&posts);
        for other in others.map(Member::finish) {
            other.check_all(&posts);
            assert_eq!(other.got, both.got);
        }
        both.publishers()
    }
    assert_eq!(explore(scenario).len(), 6);
}

#[test]
fn a_room_has_one_order_wherever_else_its_messages_go() {
    fn scenario() -> Vec<u8> {
        let world = world();
        let reader = {
            let member = Member::of(&world, &["a", "b"]);
            spawn(move || member.drain_often(2))
        };
        let mut other = Member::of(&world, &["a"]);
        other.drain();
        other.inbox.on_wake(|| {}); // the way of a message is another one while somebody sleeps
        // By way of `b`, where they are too.
        let to_both = spawn({
            let world = world.clone();
            move || publish(1, 3, |number| world.to(["b", "a"]).emit("n", number))
        });
        let room = world.room("a").unwrap();
        let to_one = publish(2, 3, |number| room.emit("n", number));
        let posts = [join(to_both), to_one].concat();
        let (both, other) = (join(reader).finish(), other.finish());
        both.check_all(&posts);
        other.check_all(&posts);
        assert_eq!(both.got, other.got);
        both.publishers()
    }
    // Of 20.
    assert!(explore(scenario).len() > 15);
}

#[test]
fn unions_in_a_circle_are_one_order() {
    fn scenario() -> Vec<u8> {
        let world = world();
        let reader = {
            let member = Member::of(&world, &["a", "b", "c"]);
            spawn(move || member.drain_often(2))
        };
        let others = [("a", 2), ("b", 3), ("c", 1)].map(|(room, not)| (Member::of(&world, &[room]), not));
        let publishers = [(1, ["a", "b"]), (2, ["b", "c"]), (3, ["c", "a"])].map(|(publisher, rooms)| {
            let world = world.clone();
            spawn(move || publish(publisher, 2, |number| world.to(rooms).emit("n", number)))
        });
        let posts = join_all(publishers).concat();
        let all = join(reader).finish();
        all.check_all(&posts);
        for (other, not) in others.map(|(member, not)| (member.finish(), not)) {
            let for_it = |publisher: &u8| *publisher != not;
            assert!(other.publishers().into_iter().eq(all.publishers().into_iter().filter(for_it)));
            other.check_order(&posts);
        }
        all.publishers()
    }
    // Of 90: two of each of three.
    assert!(explore(scenario).len() > 60);
}

#[test]
fn a_reader_follows_over_the_ends_of_segments() {
    fn scenario() -> (usize, usize) {
        let backlog = Backlog::new().messages(8).unwrap();
        assert_eq!(backlog.segment_messages(), 1);
        let world = small().backlog(backlog).build().of("/world").unwrap();
        let mut member = Member::of(&world, &["room"]);
        let publishers = [1, 2].map(|publisher| {
            let room = world.room("room").unwrap();
            spawn(move || publish(publisher, 4, |number| room.emit("n", number)))
        });
        let seen = (member.drain(), member.drain());
        let posts = join_all(publishers).concat();
        member.finish().check_all(&posts);
        seen
    }
    let outcomes = explore(scenario);
    assert!((0..=8).all(|first| outcomes.iter().any(|seen| seen.0 == first)), "{outcomes:?}");
}
