//! Rooms with a capacity: a place is taken by one, never by more than there are, and none is lost.

use loom::thread;

use super::{all, explore};
use crate::{DisconnectReason, Engine, Inbox, MembershipError, Namespace, Refusal, Room, Socket};

fn world() -> Namespace {
    Engine::new().of("/").unwrap()
}

fn room_of(world: &Namespace, name: u32, capacity: usize) -> Room {
    let room = world.room(name).unwrap();
    room.set_capacity(capacity);
    room
}

/// Whether it got in. If not, then because that room was full.
fn got_in(joined: Result<usize, MembershipError>) -> bool {
    match joined {
        Ok(_) => true,
        Err(MembershipError::Refused { refusal: Refusal::Full, .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Takes all places that are left, and checks that these are as many as there should be.
fn fill(world: &Namespace, rooms: &[&Room]) {
    for room in rooms {
        let free = room.capacity().unwrap() - room.len();
        let newcomers: Vec<(Socket, Inbox)> = (0..=free).map(|_| world.connect()).collect();
        let places = newcomers.iter().filter(|(socket, _)| got_in(socket.join(*room))).count();
        assert_eq!((places, room.len()), (free, room.capacity().unwrap()), "no place is lost");
    }
}

#[test]
fn the_last_place_is_taken_by_one() {
    let outcomes = explore("two joins for one place", 20, || {
        let world = world();
        let room = room_of(&world, 1, 1);
        let (one, _one) = world.connect();
        let (two, _two) = world.connect();
        let other = thread::spawn({
            let room = room.clone();
            move || got_in(two.join([&room]))
        });
        let mine = got_in(one.join(1));
        let its = other.join().unwrap();
        assert!(mine != its, "one of them, and not both");
        assert_eq!(room.len(), 1);
        if mine {
            one.leave(&room).unwrap();
            fill(&world, &[&room]);
        }
        mine
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn of_two_rooms_both_are_joined_or_none() {
    let outcomes = explore("join of two rooms against joins of each", 100, || {
        let world = world();
        let rooms = [1, 2].map(|name| room_of(&world, name, 1));
        let (both, _both) = world.connect();
        let (last, _last) = world.connect();
        let other = thread::spawn({
            let room = rooms[1].clone();
            move || got_in(last.join(&room))
        });
        let joined = got_in(both.join(&rooms));
        let was_refused = !other.join().unwrap();
        assert_eq!(joined, was_refused);
        assert_eq!(both.room_count(), if joined { 2 } else { 0 });
        assert_eq!([rooms[0].len(), rooms[1].len()], if joined { [1, 1] } else { [0, 1] });
        fill(&world, &[&rooms[0], &rooms[1]]);
        joined
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn places_of_a_join_that_is_refused_are_free_again() {
    let outcomes = explore("two joins of two rooms in opposite order", 100, || {
        let world = world();
        let rooms = [1, 2].map(|name| room_of(&world, name, 1));
        let (one, _one) = world.connect();
        let (two, _two) = world.connect();
        let other = thread::spawn({
            let two = two.clone();
            move || got_in(two.join([2, 1]))
        });
        let mine = got_in(one.join([1, 2]));
        let its = other.join().unwrap();
        assert!(!(mine && its));
        for (socket, is_in) in [(&one, mine), (&two, its)] {
            assert_eq!(socket.room_count(), if is_in { 2 } else { 0 });
        }
        fill(&world, &[&rooms[0], &rooms[1]]);
        (mine, its)
    });
    // Each may hold the place that the other needs: then none gets in.
    assert_eq!(outcomes, all([(true, false), (false, true), (false, false)]));
}

#[test]
fn a_place_that_gets_free_is_taken_once() {
    let outcomes = explore("disconnect of a member against two joins", 300, || {
        let world = world();
        let room = room_of(&world, 1, 1);
        let [member, one, two] = [(); 3].map(|()| world.connect());
        member.0.join(&room).unwrap();
        let leaver = thread::spawn(move || _ = member.0.disconnect(DisconnectReason::Client));
        let other = thread::spawn(move || (got_in(two.0.set_rooms(1).map(|(joined, _)| joined)), two));
        let mine = got_in(one.0.join([1, 2]));
        leaver.join().unwrap();
        let (its, _two) = other.join().unwrap();
        assert!(!(mine && its));
        assert_eq!(room.len(), usize::from(mine) + usize::from(its));
        assert_eq!(world.room_len(2), usize::from(mine));
        fill(&world, &[&room]);
        (mine, its)
    });
    assert_eq!(outcomes, all([(false, false), (true, false), (false, true)]));
}

#[test]
fn a_room_that_goes_and_comes_back_has_its_new_capacity() {
    let outcomes = explore("join against a room that comes back with fewer places", 100, || {
        let world = world();
        let [member, one, two] = [(); 3].map(|()| world.connect());
        member.0.join(1).unwrap();
        world.room(1).unwrap().set_capacity(2);
        let other = thread::spawn({
            let world = world.clone();
            move || {
                member.0.leave(1).unwrap();
                let room = room_of(&world, 1, 1);
                (got_in(two.0.join(&room)), room, two)
            }
        });
        let mine = got_in(one.0.join(1));
        let (its, room, two) = other.join().unwrap();
        assert!(mine != its, "there is one place");
        assert_eq!(room.len(), 1);
        _ = (one.0.leave(1), two.0.leave(1));
        fill(&world, &[&room]);
        mine
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn the_first_capacity_of_all_counts_at_once() {
    let outcomes = explore("join against the first capacity and a join", 50, || {
        let world = world();
        let [one, two] = [(); 2].map(|()| world.connect());
        let other = thread::spawn({
            let world = world.clone();
            move || {
                let room = room_of(&world, 1, 1);
                (got_in(two.0.join(&room)), room, two)
            }
        });
        let mine = got_in(one.0.join([2, 1]));
        let (its, room, two) = other.join().unwrap();
        assert!(mine != its, "there is one place");
        assert_eq!((room.len(), world.room_len(2)), (1, usize::from(mine)));
        _ = (one.0.leave(1), two.0.leave(1));
        fill(&world, &[&room]);
        mine
    });
    assert_eq!(outcomes, all([false, true]));
}
