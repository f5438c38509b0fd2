//! What reading does besides reading, exactly: whether it allocates, frees, or takes a lock. The realtime sanitizer
//! watches, which is in nightly compilers:
//!
//! ```text
//! RUSTFLAGS="-Zsanitizer=realtime --cfg roomcast_rtsan" cargo +nightly test --package roomcast-checkers \
//!     --test realtime --target x86_64-unknown-linux-gnu --target-dir target/rtsan
//! ```
//!
//! With that `--cfg` every lock of the engine is a report, free or not: what reads without a report waits for nobody.
//! Without it there is nothing here.
//!
//! In steady state reading does nothing else, with one exception that is not the reader's own: whoever leaves a segment
//! of a log last frees it, with the payloads in it. What else there is comes when something has happened to the socket
//! itself, or it sleeps: then it looks into its mailbox, and into its rooms.
#![cfg(roomcast_rtsan)]
#![cfg_attr(roomcast_rtsan, feature(sanitize))]

use std::collections::BTreeSet;
use std::env;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;

use roomcast::{
    Backlog, ClientPacket, Delivery, Engine, EventHandle, Inbox, Namespace, Outbox, Payload, Room,
    ServerPacket, Socket, Target,
};

/// A name, what is done, and what the reading in it does besides.
type Scene = (&'static str, fn(), &'static [&'static str]);

const ALLOCATES: &str = "allocates";
const FREES: &str = "frees";
const LOCKS: &str = "locks";

#[rustfmt::skip]
const SCENES: &[Scene] = &[
    // In steady state. Somebody else is still in the segments that the reader leaves.
    ("one room", || steady(1, drain, |world| world.emit(0)), &[]),
    ("eight rooms, all active", || steady(8, drain, |world| (0..8).for_each(|room| world.emit(room))), &[]),
    ("eight rooms, one active", || steady(8, drain, |world| world.emit(5)), &[]),
    ("a union of three rooms", || steady(3, drain, |world| world.emit_to(&world.union)), &[]),
    ("a union, somebody's rooms left out", || steady(3, drain, |world| world.emit_to(&world.exclusive)), &[]),
    ("from the reader itself", || steady(1, drain, World::emit_from_reader), &[]),
    ("namespace-wide", || steady(1, drain, |world| _ = world.namespace.emit(&world.event, &world.payload)), &[]),
    ("volatile", || steady(1, drain, World::emit_volatile), &[]),
    ("rooms of all kinds at a time", || steady(8, drain, World::emit_all), &[]),
    ("nothing to read", || steady(8, drain, |_| ()), &[]),
    ("a drain that stops", || steady(8, drain_in_parts, World::emit_all), &[]),
    ("one by one", || steady(8, one_by_one, World::emit_all), &[]),
    ("kept", || steady(8, keep, World::emit_all), &[]),
    ("while others publish", while_others_publish, &[]),
    ("a hundred rooms, one active", || steady(100, drain, |world| world.emit(5)), &[]),
    ("two rooms active for the first time", two_rooms_for_the_first_time, &[]),

    // Segments that nobody else is in. No other socket can be in those of a direct message.
    ("last in a segment", last_in_a_segment, &[FREES]),
    ("direct messages", || steady(1, drain, |world| _ = world.reader.0.emit(&world.event, &world.payload)), &[FREES]),

    // Those that sleep, or are told by rooms, look into their mailboxes.
    ("a hundred rooms, active by turns", a_hundred_rooms_by_turns, &[LOCKS]),
    ("with a callback", with_a_callback, &[LOCKS]),
    // Who goes to sleep after a burst, the first in its room, begins a small segment there.
    ("by a task, in bursts", || steady(2, poll, |world| world.emit(1)), &[ALLOCATES, LOCKS]),

    // When something happens to the socket.
    ("after a join", after_a_join, &[ALLOCATES, FREES, LOCKS]),
    ("after a leave", after_a_leave, &[ALLOCATES, FREES, LOCKS]),
    ("memberships that were folded away", after_a_fold, &[ALLOCATES, FREES, LOCKS]),
    ("a gap", || after_a_gap(1), &[ALLOCATES, FREES, LOCKS]),
    ("the next gap, nobody else behind", || after_a_gap(2), &[FREES, LOCKS]),
    ("the end", the_end, &[ALLOCATES, FREES, LOCKS]),

    // A connection's notes are under a lock.
    ("an outbox", || outbox(|world| world.emit(0)), &[LOCKS]),
    ("an outbox with nothing to send", || outbox(|_| ()), &[LOCKS]),
];

/// Names the scene that a process is to do.
const SCENE: &str = "ROOMCAST_REALTIME_SCENE";
const OVER: &str = "the scene is over";

/// Each scene in a process of its own: its reports are all about it.
#[test]
fn reading_does_this_and_nothing_else() {
    if let Ok(name) = env::var(SCENE) {
        let (_, scene, _) = SCENES.iter().find(|scene| scene.0 == name).expect("there is such a scene");
        scene();
        println!("{OVER}");
        return;
    }
    let wrong: Vec<_> = SCENES
        .iter()
        .filter_map(|&(name, _, expected)| {
            let (reported, log) = reported(name);
            println!("{name}: {reported:?}");
            (!reported.iter().eq(expected))
                .then(|| format!("{name}: {reported:?} and not {expected:?}\n{log}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is reported of a scene, and the whole text.
fn reported(scene: &str) -> (BTreeSet<&'static str>, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "reading_does_this_and_nothing_else", "--nocapture"])
        .env(SCENE, scene)
        .env("RTSAN_OPTIONS", "halt_on_error=false")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(OVER), "{scene}: {log}");
    let calls = log.lines().filter(|line| line.contains(" in real-time context!"));
    let reported = calls.map(|line| match line.split('`').nth(1).expect("a function's name") {
        "malloc" | "calloc" | "realloc" | "posix_memalign" | "aligned_alloc" => ALLOCATES,
        "free" => FREES,
        name if name.contains("::sync::") => LOCKS,
        other => panic!("{scene}: {other}\n{log}"),
    });
    (reported.collect(), log)
}

/// Reads where everything that may take long is reported.
#[inline(never)]
#[sanitize(realtime = "nonblocking")]
fn realtime<T>(read: impl FnOnce() -> T) -> T {
    read()
}

struct World {
    namespace: Namespace,
    rooms: Vec<Room>,
    event: EventHandle,
    payload: Payload,
    union: Target,
    exclusive: Target,
    volatile: Target,
    /// In all rooms, as all sockets are.
    reader: (Socket, Inbox),
    others: Vec<(Socket, Inbox)>,
}

impl World {
    fn new(rooms: usize, others: usize) -> Self {
        Self::with(&Engine::new(), rooms, others)
    }

    fn with(engine: &Engine, rooms: usize, others: usize) -> Self {
        let namespace = engine.of("/realtime").unwrap();
        let rooms: Vec<_> = (0..rooms as i64).map(|name| namespace.room(name).unwrap()).collect();
        let [reader, outsider] = [(); 2].map(|()| namespace.connect());
        outsider.0.join("outside").unwrap();
        let others: Vec<_> = (0..others).map(|_| namespace.connect()).chain([outsider]).collect();
        for (socket, _) in others.iter().chain([&reader]) {
            socket.join(&rooms).unwrap();
        }
        let event = namespace.event("moved").unwrap();
        let volatile = Target::new().to(&rooms);
        let (union, exclusive) = (Target::new().to(&rooms), Target::new().to(&rooms).except("outside"));
        let payload = Payload::from("hello");
        Self { namespace, rooms, event, payload, union, exclusive, volatile, reader, others }
    }

    fn emit(&self, room: usize) {
        self.rooms[room].emit(&self.event, &self.payload).unwrap();
    }

    fn emit_to(&self, target: &Target) {
        self.namespace.target(target).emit(&self.event, &self.payload).unwrap();
    }

    fn emit_from_reader(&self) {
        self.rooms[0].emit_from(&self.reader.0, &self.event, &self.payload).unwrap();
    }

    fn emit_volatile(&self) {
        self.namespace.target(&self.volatile).volatile().emit(&self.event, &self.payload).unwrap();
    }

    fn emit_all(&self) {
        self.emit(self.rooms.len() / 2);
        self.emit_to(&self.union);
        self.emit_to(&self.exclusive);
        self.emit_from_reader();
        self.emit_volatile();
        self.namespace.emit(&self.event, &self.payload).unwrap();
    }

    fn others_drain(&mut self) {
        for (_, inbox) in &mut self.others {
            inbox.drain(|_| {});
        }
    }
}

/// Looks at all that there is to a delivery.
fn look(delivery: &Delivery<'_>) -> usize {
    let length = delivery.payload().as_bytes().map_or(0, <[u8]>::len) + delivery.event().len();
    let asked =
        (delivery.sender(), delivery.via(), delivery.ack_id(), delivery.gap(), delivery.is_volatile());
    std::hint::black_box(asked);
    length + delivery.sequence() as usize
}

fn drain(inbox: &mut Inbox) -> usize {
    inbox.drain(|delivery| _ = look(&delivery))
}

fn drain_in_parts(inbox: &mut Inbox) -> usize {
    let mut count = 0;
    let mut part = || {
        inbox.try_drain(|delivery| {
            count += look(&delivery).min(1);
            if count % 3 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    };
    while part().is_break() {}
    count
}

fn one_by_one(inbox: &mut Inbox) -> usize {
    let mut count = 0;
    while let Some(delivery) = inbox.try_next() {
        count += look(&delivery).min(1);
    }
    count
}

fn keep(inbox: &mut Inbox) -> usize {
    inbox.iter().filter(|message| message.payload().len() == 5).count()
}

fn poll(inbox: &mut Inbox) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut count = 0;
    while let std::task::Poll::Ready(Ok(delivery)) = inbox.poll_recv(&mut cx) {
        count += look(&delivery).min(1);
    }
    count
}

const ROUNDS: usize = 600;

/// Publishes in bursts that lie over the edges of segments, and reads after each, in real time once all lists have
/// their lengths.
fn steady(rooms: usize, read: fn(&mut Inbox) -> usize, publish: fn(&World)) {
    let mut world = World::new(rooms, 1);
    let mut count = 0;
    for round in 0..ROUNDS {
        for _ in 0..[1, 3, 16, 40][round % 4] {
            publish(&world);
        }
        count += if round < ROUNDS / 2 {
            read(&mut world.reader.1)
        } else {
            realtime(|| read(&mut world.reader.1))
        };
        world.others_drain();
    }
    println!("{count} deliveries");
}

/// Finds something to read all the time. The other never reads, or it might be further than the reader.
fn while_others_publish() {
    let backlog = Backlog::new().messages(1 << 32).unwrap().bytes(1 << 48).unwrap();
    let mut world = World::with(&Engine::builder().backlog(backlog).build(), 4, 1);
    world.emit_all();
    drain(&mut world.reader.1);
    let (is_over, start) = (AtomicBool::new(false), Barrier::new(3));
    let World { reader, rooms, namespace, event, payload, union, .. } = &mut world;
    thread::scope(|scope| {
        let publish = || {
            start.wait();
            while !is_over.load(Ordering::Relaxed) {
                for room in &*rooms {
                    room.emit(&*event, &*payload).unwrap();
                }
                namespace.target(union).emit(&*event, &*payload).unwrap();
                thread::yield_now();
            }
        };
        scope.spawn(publish);
        scope.spawn(publish);
        start.wait();
        let mut count = 0;
        for _ in 0..ROUNDS {
            count += realtime(|| drain(&mut reader.1));
            thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
        println!("{count} deliveries");
    });
}

fn last_in_a_segment() {
    let mut world = World::new(1, 1);
    drain(&mut world.reader.1);
    for _ in 0..ROUNDS {
        world.emit(0);
        world.others_drain();
        realtime(|| drain(&mut world.reader.1));
    }
}

/// Each is armed once it has been idle for some passes, and tells of its next message.
fn a_hundred_rooms_by_turns() {
    let mut world = World::new(100, 1);
    let mut count = 0;
    for round in 0..100 * ROUNDS {
        world.emit(round / 20 % 100);
        let mut read = || drain(&mut world.reader.1);
        count += if round < 50 * ROUNDS { read() } else { realtime(read) };
        world.others_drain();
    }
    println!("{count} deliveries");
}

fn with_a_callback() {
    let mut world = World::new(3, 1);
    let woken = Arc::new(AtomicBool::new(false));
    let wake = Arc::clone(&woken);
    world.reader.1.on_wake(move || wake.store(true, Ordering::Relaxed));
    for round in 0..ROUNDS {
        world.emit(round % 3);
        assert!(woken.swap(false, Ordering::Relaxed));
        if round < ROUNDS / 2 {
            drain(&mut world.reader.1);
        } else {
            realtime(|| drain(&mut world.reader.1));
        }
        world.others_drain();
    }
}

fn two_rooms_for_the_first_time() {
    let mut world = World::new(3, 1);
    world.emit(0);
    drain(&mut world.reader.1);
    world.emit(0);
    world.emit(1);
    assert_eq!(realtime(|| drain(&mut world.reader.1)), 2);
}

fn after_a_join() {
    let mut world = World::new(3, 1);
    drain(&mut world.reader.1);
    world.reader.0.join("new").unwrap();
    realtime(|| drain(&mut world.reader.1));
}

fn after_a_leave() {
    let mut world = World::new(3, 1);
    drain(&mut world.reader.1);
    world.emit(1);
    world.reader.0.leave(&world.rooms[1]).unwrap();
    assert_eq!(realtime(|| drain(&mut world.reader.1)), 1);
}

fn after_a_fold() {
    let mut world = World::with(&Engine::builder().membership_backlog(16).unwrap().build(), 1, 1);
    drain(&mut world.reader.1);
    for _ in 0..100 {
        world.reader.0.join("brief").unwrap();
        world.namespace.to("brief").emit(&world.event, &world.payload).unwrap();
        world.reader.0.leave("brief").unwrap();
    }
    let told = realtime(|| world.reader.1.try_next().and_then(|delivery| delivery.gap()));
    assert!(told.is_some_and(|gap| gap.missed > 0));
}

/// Reads `times` gaps, the last of them in real time.
fn after_a_gap(times: usize) {
    let engine = Engine::builder().backlog(Backlog::new().messages(32).unwrap()).build();
    let mut world = World::with(&engine, 1, 0);
    for time in 1..=times {
        (0..1000).for_each(|_| world.emit(0));
        world.others_drain();
        let mut missed = 0;
        let mut read =
            || world.reader.1.drain(|delivery| missed += delivery.gap().map_or(0, |gap| gap.missed));
        if time < times {
            read()
        } else {
            realtime(read)
        };
        assert!(missed > 0);
    }
}

fn the_end() {
    let mut world = World::new(1, 1);
    world.emit(0);
    world.reader.0.disconnect("over");
    assert_eq!(realtime(|| drain(&mut world.reader.1)), 1);
    assert!(world.reader.1.closed().is_some());
}

/// As [`steady`], with a connection that is polled.
fn outbox(publish: fn(&World)) {
    let engine = Engine::new();
    let mut world = World::with(&engine, 1, 1);
    let (connection, mut outbox) = engine.connect(());
    connection.receive(ClientPacket::Connect { namespace: "/realtime", auth: Payload::default() }).unwrap();
    connection.socket("/realtime").unwrap().join(&world.rooms).unwrap();
    let read = |outbox: &mut Outbox| {
        outbox.drain(|packet| {
            if let ServerPacket::Event { delivery, .. } = packet {
                look(&delivery);
            }
        })
    };
    let mut count = 0;
    for round in 0..ROUNDS {
        publish(&world);
        count += if round < ROUNDS / 2 { read(&mut outbox) } else { realtime(|| read(&mut outbox)) };
        world.others_drain();
        drain(&mut world.reader.1);
    }
    println!("{count} packets");
}
