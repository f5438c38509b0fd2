//! Messages that replace each other, beside the same without a key: `latest`. One reader, who is behind.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use roomcast::{Engine, EventHandle, Inbox, Namespace, Payload, Room};

use crate::load::{Group, PAYLOAD_BYTES};

const BATCH: usize = 128;
/// How many keys the messages of a batch have: so many are read of them.
const KEYS: usize = 16;

pub fn latest(criterion: &mut Criterion) {
    for (name, is_read) in [("emit", false), ("drain", true)] {
        let mut group = criterion.benchmark_group(format!("latest/{name}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        time(&mut group, "roomcast", KEYS, is_read, Scene::emit_latest);
        time(&mut group, "no-key", BATCH, is_read, Scene::emit);
    }
}

/// Times the emitting of a batch, or its reading, of which so many messages are left.
fn time(group: &mut Group<'_>, id: &str, left: usize, is_read: bool, emit: fn(&Scene, usize)) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(Scene::new);
        bencher.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                (0..BATCH).for_each(|number| emit(scene, number));
                let emitted = Instant::now();
                let mut count = 0;
                scene.inbox.drain(|delivery| count += black_box(&delivery).payload().len());
                took += if is_read { emitted.elapsed() } else { emitted - start };
                assert_eq!(count, left * PAYLOAD_BYTES, "what was read of {id}");
            }
            took
        });
    });
}

struct Scene {
    namespace: Namespace,
    event: EventHandle,
    room: Room,
    inbox: Inbox,
    payload: Payload,
}

impl Scene {
    fn new() -> Self {
        let namespace = Engine::new().of("/bench").expect("a good path");
        let (room, event) = (namespace.room("all").expect("a good name"), namespace.event("moved"));
        let (socket, inbox) = namespace.connect();
        socket.join(&room).expect("it is connected");
        let payload = Payload::from([b'.'; PAYLOAD_BYTES]);
        Self { event: event.expect("a good name"), namespace, room, inbox, payload }
    }

    fn emit_latest(&self, number: usize) {
        let room = self.namespace.to(&self.room).latest((number % KEYS) as u64);
        room.emit(&self.event, black_box(&self.payload)).expect("the namespace is open");
    }

    fn emit(&self, _: usize) {
        let room = self.namespace.to(&self.room);
        room.emit(&self.event, black_box(&self.payload)).expect("the namespace is open");
    }
}
