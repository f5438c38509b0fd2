//! What is counted, while what it is counted of goes: each message counts once, at any moment.

use loom::thread;

use super::{all, explore};
use crate::Engine;

const ROOM: u32 = 1;

#[test]
fn what_a_room_did_counts_once_while_it_goes() {
    let outcomes = explore("last leave against looks at what is counted", 20, || {
        let world = Engine::new().of("/").unwrap();
        let (socket, _inbox) = world.connect();
        socket.join(ROOM).unwrap();
        world.to(ROOM).emit("m", ()).unwrap();
        let other = thread::spawn(move || socket.leave(ROOM).unwrap());
        let [first, second] = [(); 2].map(|()| world.stats());
        assert_eq!((first.published, first.addressed, first.joins), (1, 1, 1));
        assert_eq!((second.published, second.addressed, second.joins), (1, 1, 1));
        assert_eq!(other.join().unwrap(), 1);
        let last = world.stats();
        assert_eq!((last.published, last.addressed, last.leaves, last.rooms), (1, 1, 1, 0));
        (first.leaves, second.leaves)
    });
    assert_eq!(outcomes, all([(0, 0), (0, 1), (1, 1)]));
}

#[test]
fn what_a_socket_was_sent_counts_once_while_it_goes() {
    let outcomes = explore("disconnect against looks at what is counted", 20, || {
        let world = Engine::new().of("/").unwrap();
        let (socket, _inbox) = world.connect();
        socket.emit("m", ()).unwrap();
        let other = thread::spawn(move || socket.disconnect("bye"));
        let [first, second] = [(); 2].map(|()| world.stats());
        assert_eq!((first.published, second.published), (1, 1));
        assert!(other.join().unwrap());
        let last = world.stats();
        assert_eq!((last.published, last.addressed, last.sockets), (1, 1, 0));
        (first.sockets, second.sockets)
    });
    assert_eq!(outcomes, all([(1, 1), (1, 0), (0, 0)]));
}

#[test]
fn what_a_namespace_did_counts_once_while_it_is_removed() {
    let outcomes = explore("removal against a look at what is counted", 20, || {
        let engine = Engine::new();
        let (_socket, _inbox) = {
            let world = engine.of("/world").unwrap();
            let connected = world.connect();
            world.emit("m", ()).unwrap();
            connected
        };
        let here = engine.clone();
        let other = thread::spawn(move || here.remove("/world"));
        let stats = engine.stats();
        assert_eq!(stats.total.published, 1);
        assert!(other.join().unwrap());
        assert_eq!((engine.stats().total.published, engine.stats().namespaces), (1, 1));
        stats.namespaces
    });
    assert_eq!(outcomes, all([1, 2]));
}
