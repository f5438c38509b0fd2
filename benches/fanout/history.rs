//! Rooms that keep their last messages, and joining with them: `history`.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use roomcast::{Engine, EventHandle, History, Inbox, Past, Payload, Room, Socket};

use crate::load::{Group, PAYLOAD_BYTES};

/// How many messages are kept.
const KEPT: usize = 50;
const BATCH: usize = 128;
const ROOM: &str = "all";

pub fn history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history/emit");
    group.throughput(Throughput::Elements(BATCH as u64));
    emits(&mut group, "roomcast", true);
    emits(&mut group, "no-history", false);
    drop(group);

    let mut group = criterion.benchmark_group("history/join");
    group.throughput(Throughput::Elements(1));
    joins(&mut group, "roomcast", KEPT, |scene| {
        let joined = scene.guest.join_with(ROOM, Past::last(KEPT)).expect("it is connected");
        assert_eq!(joined.past(), KEPT);
    });
    joins(&mut group, "by-hand", KEPT, |scene| {
        scene.guest.join(ROOM).expect("it is connected");
        for payload in &scene.kept {
            scene.guest.emit(&scene.event, payload).expect("it is connected");
        }
    });
    joins(&mut group, "plain", 0, |scene| {
        scene.guest.join(ROOM).expect("it is connected");
    });
}

/// Times the emitting of a batch to one member, and not its reading.
fn emits(group: &mut Group<'_>, id: &str, has_history: bool) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(|| Scene::new(has_history));
        bencher.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                (0..BATCH).for_each(|_| scene.emit());
                took += start.elapsed();
                assert_eq!(scene.member.drain(|_| {}), BATCH, "read of {id}");
            }
            took
        });
    });
}

/// Times a join by `join`, the reading of what comes with it, and the leaving again.
fn joins(group: &mut Group<'_>, id: &str, past: usize, join: fn(&Scene)) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(|| {
            let mut scene = Scene::new(true);
            (0..BATCH).for_each(|_| scene.emit());
            scene.kept.extend((0..KEPT).map(|_| scene.payload.clone()));
            scene.member.drain(|_| {});
            scene
        });
        bencher.iter(|| {
            join(scene);
            let mut bytes = 0;
            scene.arrivals.drain(|delivery| bytes += black_box(&delivery).payload().len());
            assert_eq!(bytes, past * PAYLOAD_BYTES, "read of {id}");
            scene.guest.leave(ROOM).expect("it is connected");
            scene.arrivals.drain(|_| {});
        });
    });
}

struct Scene {
    room: Room,
    event: EventHandle,
    member: Inbox,
    guest: Socket,
    arrivals: Inbox,
    payload: Payload,
    /// What is kept by hand.
    kept: VecDeque<Payload>,
}

impl Scene {
    fn new(has_history: bool) -> Self {
        let namespace = Engine::new().of("/bench").expect("a good path");
        let (room, event) = (namespace.room(ROOM).expect("a good name"), namespace.event("said"));
        let history = History::new().messages(KEPT).expect("in range");
        room.set_history(has_history.then_some(history));
        let ((socket, member), (guest, arrivals)) = (namespace.connect(), namespace.connect());
        socket.join(&room).expect("it is connected");
        let payload = Payload::from([b'.'; PAYLOAD_BYTES]);
        let kept = VecDeque::new();
        Self { room, event: event.expect("a good name"), member, guest, arrivals, payload, kept }
    }

    fn emit(&self) {
        self.room.emit(&self.event, black_box(&self.payload)).expect("the namespace is open");
    }
}
