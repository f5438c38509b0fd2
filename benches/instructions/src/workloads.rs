//! What is counted: worlds of a common size, in which one thing is done again and again.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, Delivery, Engine, EventHandle, History, Inbox, Namespace, Outbox, Past,
    Payload, Recovery, Room, ServerPacket, Socket,
};

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// One operation, in words.
    pub(crate) what: &'static str,
    /// How often it is repeated when it is counted: enough that neither random hash keys nor where segments begin
    /// shows.
    pub(crate) rounds: u64,
    /// Does so many rounds, and returns how many operations that were.
    pub(crate) run: fn(rounds: u64) -> u64,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "publish", what: "an emit to a room of 1,000, one of 100", rounds: 8, run: publish },
    Workload {
        name: "publish-named",
        what: "the same, room and event by name",
        rounds: 8,
        run: publish_named,
    },
    Workload {
        name: "publish-union",
        what: "an emit to 4 rooms that overlap",
        rounds: 4,
        run: publish_union,
    },
    Workload {
        name: "publish-asking",
        what: "an emit to a room of 1,000 that all are to answer, asked before",
        rounds: 8,
        run: publish_asking,
    },
    Workload {
        name: "publish-asking-anew",
        what: "the same, after somebody has joined",
        rounds: 8,
        run: publish_asking_anew,
    },
    Workload { name: "publish-direct", what: "an emit to one socket", rounds: 32, run: publish_direct },
    Workload {
        name: "publish-latest",
        what: "an emit to a room of 1,000 that replaces the one before",
        rounds: 8,
        run: publish_latest,
    },
    Workload {
        name: "publish-kept",
        what: "an emit to a room of 1,000 with a history of 50",
        rounds: 8,
        run: publish_kept,
    },
    Workload { name: "deliver", what: "a delivery, one of 100 in a drain", rounds: 8, run: deliver },
    Workload {
        name: "deliver-sparse",
        what: "a drain of one message, in one room",
        rounds: 64,
        run: deliver_sparse,
    },
    Workload {
        name: "deliver-union",
        what: "a delivery of what was emitted to 4 rooms",
        rounds: 4,
        run: deliver_union,
    },
    Workload {
        name: "deliver-grid",
        what: "a delivery, one of 8 in a drain of 9 rooms",
        rounds: 16,
        run: deliver_grid,
    },
    Workload {
        name: "pass-replaced",
        what: "a message that was replaced, one of 99 in a drain",
        rounds: 8,
        run: pass_replaced,
    },
    Workload { name: "try-next", what: "a delivery by try_next, one of 100", rounds: 4, run: try_next },
    Workload { name: "send", what: "a packet, one of 100 in a drain of an outbox", rounds: 4, run: send },
    Workload {
        name: "send-kept",
        what: "the same, where sessions are kept, of 64 messages",
        rounds: 4,
        run: send_kept,
    },
    Workload { name: "drain-idle", what: "a drain of nothing, in 10 rooms", rounds: 16, run: drain_idle },
    Workload { name: "join", what: "a join by name, one of 1,000 rooms", rounds: 16, run: join },
    Workload {
        name: "join-with",
        what: "a join by name, with the last 50 messages",
        rounds: 16,
        run: join_with,
    },
    Workload { name: "leave", what: "a leave by name", rounds: 16, run: leave },
    Workload {
        name: "drain-moved",
        what: "a drain that takes in a join and a leave",
        rounds: 16,
        run: drain_moved,
    },
    Workload { name: "wake", what: "a wake-up, one of 1,000 by an emit", rounds: 32, run: wake },
    Workload {
        name: "drain-sleep",
        what: "a drain of one message, to sleep again",
        rounds: 16,
        run: drain_sleep,
    },
    Workload { name: "connect", what: "a socket connects", rounds: 8, run: connect },
    Workload { name: "disconnect", what: "a socket in 10 rooms goes", rounds: 16, run: disconnect },
];

/// Callgrind counts what happens in here, and nothing else.
#[inline(never)]
pub(crate) fn counted_section<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// Has it counted, if so.
fn section<R>(is_counted: bool, work: impl FnOnce() -> R) -> R {
    if is_counted { counted_section(work) } else { work() }
}

const PATH: &str = "/counted";
const MEMBERS: usize = 1000;
const BURST: usize = 100;
/// How many messages a history has.
const KEPT: usize = 50;
/// Of the rooms that are joined by name, and how many of them each socket is in.
const ROOMS: usize = 1000;
const EACH: usize = 10;
/// Rounds before those that are counted: then lists and segments are as large as they get.
const WARM_UP: u64 = 4;

struct World {
    namespace: Namespace,
    event: EventHandle,
    payload: Payload,
    rooms: Vec<Room>,
    sockets: Vec<Socket>,
    inboxes: Vec<Inbox>,
}

impl World {
    /// Sockets, each in the rooms of these numbers.
    fn new(sockets: usize, rooms: usize, places: impl Fn(usize) -> Vec<usize>) -> Self {
        Self::of(&Engine::new(), sockets, rooms, places)
    }

    fn of(engine: &Engine, sockets: usize, rooms: usize, places: impl Fn(usize) -> Vec<usize>) -> Self {
        let namespace = engine.of(PATH).expect("a good path");
        let rooms: Vec<Room> =
            (0..rooms).map(|number| namespace.room(name(number)).expect("a good name")).collect();
        let (sockets, inboxes): (Vec<_>, Vec<_>) = (0..sockets).map(|_| namespace.connect()).unzip();
        for (number, socket) in sockets.iter().enumerate() {
            let places: Vec<&Room> = places(number).into_iter().map(|place| &rooms[place]).collect();
            socket.join(places).expect("it is connected");
        }
        let event = namespace.event("moved").expect("a good name");
        let mut world = Self { namespace, event, payload: Payload::from([7; 64]), rooms, sockets, inboxes };
        world.drain();
        world
    }

    /// All in one room.
    fn crowd() -> Self {
        Self::new(MEMBERS, 1, |_| vec![0])
    }

    /// All in two of four rooms.
    fn overlapping() -> Self {
        Self::new(MEMBERS, 4, |number| vec![number % 4, (number + 1 + number / 4 % 3) % 4])
    }

    /// All in ten of many rooms.
    fn town() -> Self {
        Self::new(ROOMS, ROOMS, |number| (0..EACH).map(|step| (number + step * step) % ROOMS).collect())
    }

    fn emit(&self) {
        self.rooms[0].emit(&self.event, &self.payload).expect("the namespace is open");
    }

    fn emit_latest(&self) {
        let room = self.namespace.to(&self.rooms[0]).latest(7);
        room.emit(&self.event, &self.payload).expect("the namespace is open");
    }

    fn emit_to_all_rooms(&self) {
        let rooms = self.namespace.to(&self.rooms[..]);
        rooms.emit(&self.event, &self.payload).expect("the namespace is open");
    }

    /// Returns how many deliveries there were.
    fn drain(&mut self) -> u64 {
        let (mut deliveries, mut sum) = (0, 0);
        for inbox in &mut self.inboxes {
            deliveries += inbox.drain(|delivery| sum += first_byte(&delivery)) as u64;
        }
        assert_eq!(sum, 7 * deliveries);
        deliveries
    }

    /// Rounds of a burst by `publish`, which is counted, and of reading it: each message by `readers`.
    fn publishes(&mut self, rounds: u64, readers: u64, publish: impl Fn(&Self, usize)) -> u64 {
        self.rounds(rounds, |world, is_counted| {
            let burst = |world: &Self| (0..BURST).for_each(|number| publish(world, number));
            section(is_counted, || burst(world));
            assert_eq!(world.drain(), BURST as u64 * readers);
            BURST as u64
        })
    }

    /// Rounds of `publish`, and of reading it all, which is counted.
    fn deliveries(&mut self, rounds: u64, publish: impl Fn(&Self)) -> u64 {
        self.rounds(rounds, |world, is_counted| {
            publish(world);
            section(is_counted, || world.drain())
        })
    }

    /// Rounds of a join by each socket, and of a leave, one of which is counted.
    fn moves(&mut self, rounds: u64, counts: Move) -> u64 {
        let names: Vec<String> = (0..ROOMS).map(name).collect();
        self.rounds(rounds, |world, is_counted| {
            // None of the ten that it stays in.
            let places = (0..ROOMS).map(|number| &*names[(number + ROOMS / 2) % ROOMS]);
            let moves = || world.sockets.iter().zip(places.clone());
            let join = || moves().map(|(socket, room)| socket.join(room).expect("it is connected")).sum();
            let leave = || moves().map(|(socket, room)| socket.leave(room).expect("it is connected")).sum();
            let count = |which, work: &dyn Fn() -> usize| section(is_counted && which == counts, work);
            let moved: [usize; 2] = [count(Move::Join, &join), count(Move::Leave, &leave)];
            let drained = section(is_counted && counts == Move::TakeIn, || world.drain());
            assert_eq!(drained, 0);
            assert_eq!(moved, [ROOMS; 2]);
            ROOMS as u64
        })
    }

    /// Rounds of an emit that wakes all, and of drains after which they sleep again, one of which is counted.
    fn wakes(&mut self, rounds: u64, counts_drains: bool) -> u64 {
        let woken = Arc::new(AtomicU64::new(0));
        for inbox in &mut self.inboxes {
            let woken = Arc::clone(&woken);
            inbox.on_wake(move || {
                woken.fetch_add(1, Ordering::Relaxed);
            });
        }
        self.rounds(rounds, |world, is_counted| {
            woken.store(0, Ordering::Relaxed);
            section(is_counted && !counts_drains, || world.emit());
            assert_eq!(woken.load(Ordering::Relaxed), MEMBERS as u64);
            section(is_counted && counts_drains, || world.drain())
        })
    }

    /// Does so many rounds, after some that are not to be counted, and returns how many operations that were.
    fn rounds(&mut self, rounds: u64, mut round: impl FnMut(&mut Self, bool) -> u64) -> u64 {
        for _ in 0..WARM_UP {
            round(self, false);
        }
        (0..rounds).map(|_| round(self, true)).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    Join,
    Leave,
    TakeIn,
}

fn publish(rounds: u64) -> u64 {
    World::crowd().publishes(rounds, MEMBERS as u64, |world, _| world.emit())
}

fn publish_named(rounds: u64) -> u64 {
    let room = name(0);
    World::crowd().publishes(rounds, MEMBERS as u64, |world, _| {
        world.namespace.to(room.as_str()).emit("moved", &world.payload).expect("the namespace is open");
    })
}

fn publish_union(rounds: u64) -> u64 {
    World::overlapping().publishes(rounds, MEMBERS as u64, |world, _| world.emit_to_all_rooms())
}

fn publish_direct(rounds: u64) -> u64 {
    World::new(BURST, 1, |_| vec![0]).publishes(rounds, 1, |world, number| {
        world.sockets[number].emit(&world.event, &world.payload).expect("it is connected");
    })
}

fn publish_asking(rounds: u64) -> u64 {
    World::crowd().rounds(rounds, |world, is_counted| {
        let ask = |_| world.rooms[0].emit_with_ack(&world.event, &world.payload).expect("few are asked");
        let asked: Vec<_> = section(is_counted, || (0..BURST).map(ask).collect());
        drop(asked);
        assert_eq!(world.drain(), MEMBERS as u64 * BURST as u64);
        BURST as u64
    })
}

fn publish_asking_anew(rounds: u64) -> u64 {
    let mut world = World::crowd();
    let (guest, _inbox) = world.namespace.connect();
    world.rounds(rounds, |world, is_counted| {
        for _ in 0..BURST {
            guest.leave(&world.rooms[0]).expect("it is connected");
            guest.join(&world.rooms[0]).expect("it is connected");
            let ask = || world.rooms[0].emit_with_ack(&world.event, &world.payload).expect("few are asked");
            drop(section(is_counted, ask));
        }
        assert_eq!(world.drain(), MEMBERS as u64 * BURST as u64);
        BURST as u64
    })
}

fn publish_latest(rounds: u64) -> u64 {
    World::crowd().rounds(rounds, |world, is_counted| {
        section(is_counted, || (0..BURST).for_each(|_| world.emit_latest()));
        assert_eq!(world.drain(), MEMBERS as u64);
        BURST as u64
    })
}

fn publish_kept(rounds: u64) -> u64 {
    let mut world = World::crowd();
    world.rooms[0].set_history(history());
    world.publishes(rounds, MEMBERS as u64, |world, _| world.emit())
}

fn deliver(rounds: u64) -> u64 {
    World::crowd().deliveries(rounds, |world| (0..BURST).for_each(|_| world.emit()))
}

fn deliver_sparse(rounds: u64) -> u64 {
    World::crowd().deliveries(rounds, World::emit)
}

fn deliver_union(rounds: u64) -> u64 {
    World::overlapping().deliveries(rounds, |world| (0..BURST).for_each(|_| world.emit_to_all_rooms()))
}

/// A socket for each cell of a grid, somewhere, that emits to the others around it.
fn deliver_grid(rounds: u64) -> u64 {
    const SIDE: usize = 16;
    const CELLS: usize = SIDE * SIDE;
    let home = |number: usize| number * 101 % CELLS;
    let around = |number: usize| {
        let (row, column) = (home(number) / SIDE, home(number) % SIDE);
        let cells =
            (0..9).map(|n| (row + n / 3 + SIDE - 1) % SIDE * SIDE + (column + n % 3 + SIDE - 1) % SIDE);
        cells.collect()
    };
    let mut world = World::new(CELLS, CELLS, around);
    let deliveries = world.deliveries(rounds, |world| {
        for (number, socket) in world.sockets.iter().enumerate() {
            let room = &world.rooms[home(number)];
            room.emit_from(socket, &world.event, &world.payload).expect("it is connected");
        }
    });
    assert_eq!(deliveries, rounds * CELLS as u64 * 8);
    deliveries
}

fn pass_replaced(rounds: u64) -> u64 {
    World::crowd().rounds(rounds, |world, is_counted| {
        (0..BURST).for_each(|_| world.emit_latest());
        assert_eq!(section(is_counted, || world.drain()), MEMBERS as u64);
        (MEMBERS * (BURST - 1)) as u64
    })
}

fn try_next(rounds: u64) -> u64 {
    let all = |world: &mut World| {
        let mut sum = 0;
        for inbox in &mut world.inboxes {
            while let Some(delivery) = inbox.try_next() {
                sum += first_byte(&delivery);
            }
        }
        sum / 7
    };
    World::crowd().rounds(rounds, |world, is_counted| {
        (0..BURST).for_each(|_| world.emit());
        section(is_counted, || all(world))
    })
}

fn drain_idle(rounds: u64) -> u64 {
    World::town().rounds(rounds, |world, is_counted| {
        let drained = section(is_counted, || world.drain());
        assert_eq!(drained, 0);
        world.inboxes.len() as u64
    })
}

fn join(rounds: u64) -> u64 {
    World::town().moves(rounds, Move::Join)
}

fn join_with(rounds: u64) -> u64 {
    let mut world = World::crowd();
    world.rooms[0].set_history(history());
    let mut guests: Vec<(Socket, Inbox)> = (0..MEMBERS).map(|_| world.namespace.connect()).collect();
    world.rounds(rounds, |world, is_counted| {
        (0..BURST).for_each(|_| world.emit());
        world.drain();
        guests.iter_mut().for_each(|(_, inbox)| _ = inbox.drain(|_| {}));
        let room = name(0);
        let join = |guest: &(Socket, Inbox)| guest.0.join_with(room.as_str(), Past::last(KEPT)).is_ok();
        assert!(section(is_counted, || guests.iter().all(join)));
        for (socket, inbox) in &mut guests {
            assert_eq!(inbox.drain(|_| {}), KEPT);
            socket.leave(room.as_str()).expect("it is connected");
        }
        MEMBERS as u64
    })
}

fn history() -> History {
    History::new().messages(KEPT).expect("in range")
}

fn leave(rounds: u64) -> u64 {
    World::town().moves(rounds, Move::Leave)
}

fn send(rounds: u64) -> u64 {
    sends(&Engine::new(), rounds)
}

fn send_kept(rounds: u64) -> u64 {
    let recovery = Recovery::new(Duration::from_secs(60)).messages(64).expect("a good number");
    sends(&Engine::builder().recovery(recovery).build(), rounds)
}

/// Rounds of a burst to clients of transports, all in one room, and of draining it, which is counted.
fn sends(engine: &Engine, rounds: u64) -> u64 {
    let mut world = World::of(engine, 0, 1, |_| Vec::new());
    let mut clients: Vec<(Connection, Outbox)> = (0..MEMBERS).map(|_| engine.connect(())).collect();
    for (connection, outbox) in &mut clients {
        let connect = ClientPacket::Connect { namespace: PATH, auth: Payload::default() };
        connection.receive(connect).expect("it may");
        connection.socket(PATH).expect("it is let in").join(&world.rooms[0]).expect("it is connected");
        outbox.drain(|_| {});
    }
    world.rounds(rounds, |world, is_counted| {
        (0..BURST).for_each(|_| world.emit());
        let (mut packets, mut sum) = (0, 0);
        section(is_counted, || {
            for (_, outbox) in &mut clients {
                packets += outbox.drain(|packet| {
                    if let ServerPacket::Event { delivery, .. } = packet {
                        sum += first_byte(&delivery);
                    }
                }) as u64;
            }
        });
        assert_eq!((packets, sum), ((BURST * MEMBERS) as u64, 7 * packets));
        packets
    })
}

fn drain_moved(rounds: u64) -> u64 {
    World::town().moves(rounds, Move::TakeIn)
}

fn wake(rounds: u64) -> u64 {
    World::crowd().wakes(rounds, false)
}

fn drain_sleep(rounds: u64) -> u64 {
    World::crowd().wakes(rounds, true)
}

fn connect(rounds: u64) -> u64 {
    let mut world = World::town();
    let mut guests = Vec::with_capacity(MEMBERS);
    world.rounds(rounds, |world, is_counted| {
        let all = || guests.extend((0..MEMBERS).map(|_| world.namespace.connect()));
        section(is_counted, all);
        guests.clear();
        MEMBERS as u64
    })
}

fn disconnect(rounds: u64) -> u64 {
    let mut world = World::town();
    world.rounds(rounds, |world, is_counted| {
        let mut guests: Vec<(Socket, Inbox)> = (0..MEMBERS).map(|_| world.namespace.connect()).collect();
        for (number, (socket, inbox)) in guests.iter_mut().enumerate() {
            let rooms: Vec<&Room> = (0..EACH).map(|step| &world.rooms[(number + step) % ROOMS]).collect();
            socket.join(rooms).expect("it is connected");
            inbox.drain(|_| {});
        }
        section(is_counted, || drop(guests));
        MEMBERS as u64
    })
}

fn name(number: usize) -> String {
    format!("cell:{}:{}", number / 100, number % 100)
}

#[inline]
fn first_byte(delivery: &Delivery<'_>) -> u64 {
    u64::from(delivery.payload().as_bytes().expect("payloads are bytes")[0])
}
