//! What recording costs: an emit and a delivery of an engine that is recorded, beside one that is not. Into nothing, so
//! without the cost of a file.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput};
use roomcast::{Engine, Inbox, Recorder, Recording, Room};

/// Counts what it is given, and keeps nothing.
#[derive(Clone, Default)]
struct Nowhere(Arc<AtomicU64>);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A room with one member, and whatever records it.
struct World {
    room: Room,
    inbox: Inbox,
    recording: Option<Recording<Nowhere>>,
}

const PAYLOAD: [u8; 64] = [7; 64];
const BURST: u64 = 100;

/// How an engine is recorded: not at all, without reads, with them.
const WAYS: [(&str, Option<bool>); 3] =
    [("alone", None), ("recorded", Some(false)), ("recorded with reads", Some(true))];

fn world(reads: Option<bool>) -> World {
    let engine = Engine::new();
    let recording =
        reads.map(|reads| Recorder::new().reads(reads).start(&engine, Nowhere::default()).unwrap());
    let world = engine.of("/world").unwrap();
    let (socket, inbox) = world.connect();
    let room = world.room("room").unwrap();
    socket.join(&room).unwrap();
    World { room, inbox, recording }
}

fn record(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(BURST));
    for (name, reads) in WAYS {
        let mut world = world(reads);
        group.bench_function(format!("100 emits, a drain/{name}"), |b| {
            b.iter(|| {
                for _ in 0..BURST {
                    world.room.emit("moved", PAYLOAD).unwrap();
                }
                world.inbox.drain(|_| {})
            });
        });
        let mut world = self::world(reads);
        group.bench_function(format!("100 emits to a reader that stalls/{name}"), |b| {
            b.iter(|| (0..BURST).for_each(|_| _ = world.room.emit("moved", PAYLOAD).unwrap()));
        });
        if let Some(recording) = world.recording.take() {
            recording.flush();
            let (inputs, bytes) = (recording.inputs(), recording.bytes());
            println!("{name}: {:.1} bytes an emit of 64 bytes", bytes as f64 / inputs as f64);
        }
        drop(world);
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    record(&mut criterion);
    criterion.final_summary();
}
