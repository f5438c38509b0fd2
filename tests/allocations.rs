//! Promise 10: no allocation per publish and per delivery, with handles resolved beforehand.
//!
//! The bound: one allocation per segment and room, made by the publisher, and nothing else. A segment is
//! of 16 messages where everybody reads along, and of up to 128 (`Backlog::segment_messages`) where
//! somebody lags.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use counting::allocations;
use roomcast::{
    Broadcast, Engine, EventHandle, Grid, Inbox, Interest, Namespace, Payload, Room, Socket, Target,
};

/// Messages in a segment of a room that is read along.
const SEGMENT: u64 = 16;
const PUBLISHED: u64 = 16 * 300;

struct World {
    namespace: Namespace,
    rooms: Vec<Room>,
    event: EventHandle,
    payload: Payload,
    /// The sockets; the first is in no room, the others in all.
    sockets: Vec<(Socket, Inbox)>,
}

impl World {
    fn new(rooms: i64) -> Self {
        let namespace = Engine::new().of("/allocations").unwrap();
        let rooms: Vec<_> = (0..rooms).map(|n| namespace.room(n).unwrap()).collect();
        let sockets: Vec<_> = (0..4).map(|_| namespace.connect()).collect();
        for (socket, _) in &sockets[1..] {
            socket.join(&rooms).unwrap();
        }
        let event = namespace.event("moved").unwrap();
        Self { namespace, rooms, event, payload: Payload::from("hello"), sockets }
    }

    /// Publishes and drains in turn, `burst` messages at a time, and returns how many allocations
    /// publishing and reading took, and how many deliveries there were.
    fn run(&mut self, burst: u64, mut publish: impl FnMut(&Self)) -> (u64, u64, u64) {
        let mut result = (0, 0, 0);
        for round in 0..2 * PUBLISHED / burst {
            let before = allocations();
            for _ in 0..burst {
                publish(self);
            }
            let between = allocations();
            let mut deliveries = 0;
            for (_, inbox) in &mut self.sockets {
                inbox.drain(|delivery| deliveries += delivery.payload().len() as u64 / 5);
            }
            // The first half is to warm up.
            if round >= PUBLISHED / burst {
                result.0 += between - before;
                result.1 += allocations() - between;
                result.2 += deliveries;
            }
        }
        result
    }
}

#[test]
fn a_room_handle() {
    let publish = |world: &World| {
        world.rooms[0].emit(&world.event, &world.payload).unwrap();
    };
    for burst in [1, 4, 16] {
        let measured = World::new(1).run(burst, publish);
        assert_eq!(measured, (PUBLISHED / SEGMENT, 0, 3 * PUBLISHED), "bursts of {burst}");
    }
    // Whoever drains only every thousand messages is in segments of 128.
    let (publishing, reading, deliveries) = World::new(1).run(1200, publish);
    assert!(publishing <= PUBLISHED / 100, "{publishing}");
    assert_eq!((reading, deliveries), (0, 3 * PUBLISHED));
}

#[test]
fn a_room_handle_from_a_socket() {
    let measured = World::new(1).run(4, |world| {
        world.rooms[0].emit_from(&world.sockets[1].0, &world.event, &world.payload).unwrap();
    });
    assert_eq!(measured, (PUBLISHED / SEGMENT, 0, 2 * PUBLISHED));
}

#[test]
fn everyone() {
    let measured = World::new(1).run(4, |world| {
        world.namespace.emit(&world.event, &world.payload).unwrap();
    });
    assert_eq!(measured, (PUBLISHED / SEGMENT, 0, 4 * PUBLISHED));
    let measured = World::new(1).run(4, |world| {
        world.sockets[0].0.broadcast().emit(&world.event, &world.payload).unwrap();
    });
    assert_eq!(measured, (PUBLISHED / SEGMENT, 0, 3 * PUBLISHED));
}

#[test]
fn one_socket() {
    let measured = World::new(1).run(4, |world| {
        world.sockets[2].0.emit(&world.event, &world.payload).unwrap();
    });
    assert_eq!(measured, (PUBLISHED / SEGMENT, 0, PUBLISHED));
}

/// As [`World::run`], publishing to a kept target.
fn kept(rooms: i64, target: impl FnOnce(&World) -> Target) -> (u64, u64, u64) {
    let mut world = World::new(rooms);
    let target = target(&world);
    world.run(4, |world| {
        world.namespace.target(&target).emit(&world.event, &world.payload).unwrap();
    })
}

#[test]
fn a_kept_target() {
    let segments = PUBLISHED / SEGMENT;
    for rooms in [1, 2, 4] {
        let measured = kept(rooms, |world| Target::new().to(&world.rooms));
        assert_eq!(measured, (rooms as u64 * segments, 0, 3 * PUBLISHED), "{rooms} rooms");
    }
    let measured = kept(1, |world| Target::new().to(&world.rooms).to(world.sockets[0].0.id()));
    assert_eq!(measured, (2 * segments, 0, 4 * PUBLISHED), "a room and a socket");
    let measured = kept(2, |world| Target::new().to(&world.rooms[0]).except(&world.rooms[1]));
    assert_eq!(measured, (segments, 0, 0), "all members are left out");
    let measured = kept(1, |world| Target::new().to(&world.rooms[0]).except(world.sockets[1].0.id()));
    assert_eq!(measured, (segments, 0, 2 * PUBLISHED), "one member is left out");
    let measured = kept(1, |world| Target::new().except([world.sockets[1].0.id(), world.sockets[2].0.id()]));
    assert_eq!(measured, (segments, 0, 2 * PUBLISHED), "two sockets are left out");
}

#[test]
fn a_kept_target_on_terms() {
    let on_terms = |terms: fn(Broadcast<'_>) -> Broadcast<'_>| {
        let mut world = World::new(2);
        let target = Target::new().to(&world.rooms);
        world.run(4, |world| {
            terms(world.namespace.target(&target)).emit(&world.event, &world.payload).unwrap();
        })
    };
    let none = (2 * PUBLISHED / SEGMENT, 0, 3 * PUBLISHED);
    assert_eq!(on_terms(|emit| emit.volatile()), none);
    assert_eq!(on_terms(|emit| emit.volatile_behind(100)), none);
    assert_eq!(on_terms(|emit| emit.volatile().lifetime(Duration::from_secs(1))), none);
}

#[test]
fn a_kept_target_of_many_rooms() {
    let measured = kept(9, |world| Target::new().to(&world.rooms));
    assert_eq!(measured, (9 * PUBLISHED / SEGMENT, 0, 3 * PUBLISHED));
}

#[test]
fn names_take_a_look_up_and_no_allocation() {
    let measured = World::new(1).run(4, |world| {
        world.namespace.to(0).emit("moved", &world.payload).unwrap();
    });
    assert_eq!(measured, (PUBLISHED / SEGMENT, 0, 3 * PUBLISHED));
}

#[test]
fn arming_firing_and_waking() {
    for (rooms, emits) in [(1, 1), (3, 1), (3, 2), (3, 3)] {
        let mut world = World::new(rooms);
        let woken = Arc::new(AtomicUsize::new(0));
        for (_, inbox) in &mut world.sockets {
            let woken = Arc::clone(&woken);
            inbox.on_wake(move || {
                woken.fetch_add(1, Ordering::Relaxed);
            });
        }
        let target = Target::new().to(&world.rooms);
        let measured = world.run(1, |world| {
            for _ in 0..emits {
                world.namespace.target(&target).emit(&world.event, &world.payload).unwrap();
            }
        });
        let segments = emits * rooms as u64 * PUBLISHED / SEGMENT;
        assert_eq!(measured, (segments, 0, 3 * emits * PUBLISHED), "{rooms} rooms, {emits} emits");
        // Three sockets, woken once in each round, and some when they set the callback.
        assert!((0..=4).contains(&(woken.load(Ordering::Relaxed) as u64 - 3 * 2 * PUBLISHED)));
    }
}

#[test]
fn a_socket_in_many_rooms() {
    // More than are looked at in each drain: those that are idle are armed, fired and armed again.
    let mut world = World::new(100);
    let mut next = 0;
    let (publishing, reading, deliveries) = world.run(10, |world| {
        next = (next + 1) % world.rooms.len();
        world.rooms[next].emit(&world.event, &world.payload).unwrap();
    });
    assert_eq!((reading, deliveries), (0, 3 * PUBLISHED));
    assert!(publishing <= PUBLISHED / SEGMENT + 100, "{publishing}");
}

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn every_way_to_read() {
    let mut world = World::new(2);
    let waker = Waker::from(Arc::new(Nothing));
    let mut cx = Context::from_waker(&waker);
    let mut deliveries = 0;
    let mut took = 0;
    for round in 0..2 * PUBLISHED {
        for room in &world.rooms {
            room.emit(&world.event, &world.payload).unwrap();
        }
        let before = allocations();
        let [_, a, b, c] = &mut world.sockets[..] else { unreachable!() };
        while a.1.try_next().is_some() {
            deliveries += 1;
        }
        deliveries += b.1.iter().filter(|message| message.is(&world.event)).count();
        while let Poll::Ready(delivery) = c.1.poll_recv(&mut cx) {
            deliveries += usize::from(delivery.unwrap().is(&world.event));
        }
        if round >= PUBLISHED {
            took += allocations() - before;
        }
    }
    assert_eq!((took, deliveries as u64), (0, 3 * 2 * 2 * PUBLISHED));
}

#[test]
fn receiving_without_waiting() {
    let mut world = World::new(1);
    let mut took = 0;
    for round in 0..PUBLISHED {
        world.rooms[0].emit(&world.event, &world.payload).unwrap();
        let before = allocations();
        for (_, inbox) in &mut world.sockets[1..] {
            assert!(inbox.recv().is_ok_and(|delivery| delivery.is(&world.event)));
        }
        if round >= 100 {
            took += allocations() - before;
        }
        assert_eq!(took, 0, "round {round}");
    }
}

#[test]
fn joining_and_leaving() {
    let mut world = World::new(4);
    let rooms = world.rooms.clone();
    let (socket, mut inbox) = world.sockets.remove(0);
    let mut took = |change: &dyn Fn(&Socket)| {
        let mut took = (0, 0);
        for round in 0..2000 {
            let start = allocations();
            change(&socket);
            let changed = allocations();
            inbox.drain(|_| {});
            if round >= 1000 {
                took.0 += changed - start;
                took.1 += allocations() - changed;
            }
        }
        (took.0 / 1000, took.1 / 1000)
    };
    let by_handle = took(&|socket| {
        assert_eq!((socket.join(&rooms[0]), socket.leave(&rooms[0])), (Ok(1), Ok(1)));
    });
    let by_name = took(&|socket| {
        assert_eq!((socket.join(0), socket.leave(0)), (Ok(1), Ok(1)));
    });
    // The list of changes in the mailbox. Nothing was published in between, so the reader hears of nothing.
    assert_eq!((by_handle, by_name), ((1, 0), (1, 0)));
    let emitted_between = took(&|socket| {
        assert_eq!(socket.join(&rooms[0]), Ok(1));
        rooms[1].emit("m", &world.payload).unwrap();
        assert_eq!(socket.leave(&rooms[0]), Ok(1));
    });
    // What a reader keeps of a membership that is over, too.
    assert_eq!(emitted_between, (1, 1));
    let made_and_gone = took(&|socket| {
        assert_eq!((socket.join(77), socket.leave(77)), (Ok(1), Ok(1)));
    });
    // The room besides, with its log.
    assert_eq!(made_and_gone, (3, 0));
}

#[test]
fn moving_without_a_change_of_cells() {
    let (socket, _inbox) = Engine::new().of("/allocations").unwrap().connect();
    let grid = Grid::new(10.0).unwrap();
    let by_radius = grid.radius(35.0).unwrap().hysteresis(20.0).unwrap();
    for grid in [grid, grid.hysteresis(5.0).unwrap(), by_radius] {
        let mut interest = Interest::new(grid);
        interest.move_to(5.0, 5.0).unwrap().apply(&socket).unwrap();
        let mut walk = |steps: &mut dyn Iterator<Item = u32>| {
            let before = allocations();
            let changed = steps.filter(|step| {
                let (x, y) = (5.0 + f64::from(step % 40) / 10.0, 5.0 - f64::from(step % 30) / 10.0);
                !interest.move_to(x, y).unwrap().apply(&socket).unwrap().is_empty()
            });
            (changed.count(), allocations() - before)
        };
        walk(&mut (0..1000)); // to enter what is near some part of the way
        assert_eq!(walk(&mut (0..1000)), (0, 0));
        interest.clear().apply(&socket).unwrap();
    }
}
