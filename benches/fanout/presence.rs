//! Who comes and goes, and telling those who watch: `presence`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use roomcast::{Engine, EventHandle, Inbox, Namespace, Payload, Presence, Socket};

use crate::load::Group;

/// How many are present all the while.
const GUESTS: usize = 1000;
/// After how many who came and went those who watch are told, and all read.
const BATCH: u64 = 64;
const ROOM: &str = "lobby";

pub fn presence(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("presence/join");
    group.throughput(Throughput::Elements(1));
    visits(&mut group, "roomcast", 10, true);
    visits(&mut group, "unwatched", 0, true);
    visits(&mut group, "untracked", 0, false);
    drop(group);

    for watchers in [1, 100, 10_000] {
        let mut group = criterion.benchmark_group(format!("presence/flush/{watchers}"));
        group.throughput(Throughput::Elements(1));
        flushes(&mut group, "roomcast", watchers, |scene| scene.presence.flush());
        flushes(&mut group, "by-hand", watchers, |scene| {
            for (_, inbox) in &scene.watchers {
                inbox.socket().emit(&scene.event, black_box(&scene.diff)).expect("it is connected");
            }
        });
    }
}

/// Times how one joins, is present or not, and leaves.
fn visits(group: &mut Group<'_>, id: &str, watchers: usize, is_tracked: bool) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(|| Scene::new(watchers, true));
        let Scene { presence, guest: (socket, inbox), key, .. } = scene;
        bencher.iter_custom(|visits| {
            let mut took = Duration::ZERO;
            let mut left = visits;
            while left > 0 {
                let batch = left.min(BATCH);
                let start = Instant::now();
                for _ in 0..batch {
                    socket.join(ROOM).expect("it is connected");
                    if is_tracked {
                        presence.track(socket, Arc::clone(key), ()).expect("it is in the room");
                    }
                    socket.leave(ROOM).expect("it is connected");
                }
                took += start.elapsed();
                left -= batch;
                inbox.drain(|_| {});
                presence.flush();
            }
            took
        });
        assert_eq!(presence.count(), GUESTS);
    });
}

/// Times how so many are told by `tell` that one has come or gone, and not their reading.
fn flushes(group: &mut Group<'_>, id: &str, watchers: usize, tell: fn(&Scene)) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(|| Scene::new(watchers, id == "roomcast"));
        scene.guest.0.join(ROOM).expect("it is connected");
        bencher.iter_custom(|flushes| {
            let mut took = Duration::ZERO;
            for _ in 0..flushes {
                let Scene { presence, guest: (socket, _), key, .. } = scene;
                if !presence.untrack(socket) {
                    presence.track(socket, Arc::clone(key), ()).expect("it is in the room");
                }
                let start = Instant::now();
                tell(scene);
                took += start.elapsed();
                let read: usize = scene.watchers.iter_mut().map(|(_, inbox)| inbox.drain(|_| {})).sum();
                assert_eq!(read, watchers, "told by {id}");
            }
            took
        });
    });
}

struct Scene {
    presence: Presence,
    watchers: Vec<(Socket, Inbox)>,
    _guests: Vec<(Socket, Inbox)>,
    guest: (Socket, Inbox),
    key: Arc<str>,
    event: EventHandle,
    /// What is told by hand: text that says as much.
    diff: Payload,
}

impl Scene {
    fn new(watchers: usize, do_watch: bool) -> Self {
        let world: Namespace = Engine::new().of("/bench").expect("a good path");
        let presence = Presence::new(&world.room(ROOM).expect("a good name"));
        let guests: Vec<_> = (0..GUESTS).map(|_| world.connect()).collect();
        for (number, (socket, _)) in guests.iter().enumerate() {
            socket.join(ROOM).expect("it is connected");
            presence.track(socket, format!("guest {number}"), ()).expect("it is in the room");
        }
        let mut watchers: Vec<_> = (0..watchers).map(|_| world.connect()).collect();
        for (socket, inbox) in watchers.iter_mut().filter(|_| do_watch) {
            presence.watch(socket).expect("it is connected");
            inbox.drain(|_| {});
        }
        let (event, diff) = (world.event("diff").expect("a good name"), "ann has come".into());
        Self { presence, watchers, _guests: guests, guest: world.connect(), key: "ann".into(), event, diff }
    }
}
