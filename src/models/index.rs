//! Rooms by name: made, pinned and removed by several at once.

use loom::thread;

use super::{all, explore, explore_within};
use crate::sync::Arc;
use crate::{Engine, Namespace};

const ROOM: u32 = 1;

fn world() -> Namespace {
    Engine::new().of("/").unwrap()
}

#[test]
fn two_who_make_a_room_make_one() {
    explore("room made against room made", 5, || {
        let world = world();
        let [(one, mut one_inbox), (two, mut two_inbox)] = [(); 2].map(|()| world.connect());
        let other = thread::spawn(move || one.join(ROOM).unwrap());
        assert_eq!(two.join(ROOM), Ok(1));
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(world.room_len(ROOM), 2);
        assert_eq!(world.to(ROOM).emit("m", ()).unwrap().members(), 2);
        assert_eq!((one_inbox.drain(|_| {}), two_inbox.drain(|_| {})), (1, 1));
        drop((one_inbox, two_inbox));
        assert!(!world.has_room(ROOM));
    });
}

#[test]
fn a_room_that_goes_takes_no_joiner_with_it() {
    explore("last leave against join", 8, || {
        let world = world();
        let [(leaver, mut leaver_inbox), (joiner, mut joiner_inbox)] = [(); 2].map(|()| world.connect());
        leaver.join(ROOM).unwrap();
        let other = thread::spawn(move || leaver.leave(ROOM).unwrap());
        assert_eq!(joiner.join(ROOM), Ok(1));
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(world.members(ROOM), [joiner.id()]);
        assert_eq!(world.to(ROOM).emit("m", ()).unwrap().members(), 1);
        assert_eq!((leaver_inbox.drain(|_| {}), joiner_inbox.drain(|_| {})), (0, 1));
        assert_eq!(joiner.leave(ROOM), Ok(1));
        assert!(!world.has_room(ROOM));
    });
}

#[test]
fn a_handle_that_goes_takes_no_joiner_with_it() {
    explore("drop of the last handle against join", 5, || {
        let world = world();
        let (socket, mut inbox) = world.connect();
        let room = world.room(ROOM).unwrap();
        let other = thread::spawn(move || drop(room));
        assert_eq!(socket.join(ROOM), Ok(1));
        other.join().unwrap();
        assert_eq!(world.members(ROOM), [socket.id()]);
        world.to(ROOM).emit("m", ()).unwrap();
        assert_eq!(inbox.drain(|_| {}), 1);
    });
}

#[test]
fn two_who_let_go_of_a_room_remove_it() {
    explore("drop of the last handle against the last leave", 50, || {
        let (socket, _inbox) = world().connect();
        let index = &socket.core().namespace.rooms;
        let room = Namespace::new(Arc::clone(&socket.core().namespace)).room(ROOM).unwrap();
        socket.join(&room).unwrap();
        let other = thread::spawn(move || drop(room));
        assert!(index.get(&ROOM.into()).is_some(), "it has a member");
        socket.leave(ROOM).unwrap();
        other.join().unwrap();
        assert!(index.get(&ROOM.into()).is_none());
    });
}

#[test]
fn the_last_place_for_a_room_is_taken_once() {
    let outcomes = explore("two rooms made, one allowed", 5, || {
        let world = Engine::builder().max_rooms(1).build().of("/").unwrap();
        let [(one, _one_inbox), (two, _two_inbox)] = [(); 2].map(|()| world.connect());
        let other = thread::spawn(move || {
            let joined = one.join(1).is_ok();
            (joined, one)
        });
        let second = two.join(2).is_ok();
        let (first, one) = other.join().unwrap();
        assert!(first != second, "one of them is refused");
        assert_eq!((one.room_count(), two.room_count()), (usize::from(first), usize::from(second)));
        // The place comes back with the room that has it.
        one.leave_all().unwrap();
        two.leave_all().unwrap();
        assert_eq!(two.join(3), Ok(1));
        first
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn the_last_place_for_a_socket_is_taken_once() {
    let outcomes = explore_within(2, "two connects and a disconnect, two allowed", 50, || {
        let world = Engine::builder().max_sockets(2).unwrap().build().of("/").unwrap();
        let (old, _inbox) = world.connect();
        let connecter = thread::spawn({
            let world = world.clone();
            move || world.connect()
        });
        let leaver = thread::spawn(move || old.disconnect("bye"));
        let (one, _one_inbox) = world.connect();
        let (two, _two_inbox) = connecter.join().unwrap();
        leaver.join().unwrap();
        let connected = [&one, &two].map(|socket| usize::from(socket.is_connected()));
        assert_eq!(world.socket_count(), connected.iter().sum());
        let (three, _three_inbox) = world.connect();
        assert_eq!(three.is_connected(), connected != [1, 1], "a place that is free can be taken");
        connected
    });
    assert_eq!(outcomes, all([[0, 1], [1, 0], [1, 1]]));
}
