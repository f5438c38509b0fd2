//! Publishing from several threads at once: `contend`.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use crate::crowd::drain_all;
use crate::load::{Batch, Group, Tally};
use crate::systems::System;

/// How many messages a thread publishes in a round: enough that starting threads counts for little.
const MESSAGES: usize = 1 << 14;
/// How many payloads it takes for that, one after the other. No two threads share one.
const PAYLOADS: usize = 64;
/// How many members read each room.
const MEMBERS: usize = 4;
/// How many sockets join and leave rooms.
const MOVERS: usize = 16;

/// Where the threads publish, and what happens beside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Where {
    /// Each in a room of its own.
    Apart,
    /// All in one room.
    Together,
    /// Each in a room of its own, while one more thread has sockets join and leave these rooms.
    Churn,
}

pub fn contend(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>, Where, usize)]) {
    for (place, name) in [(Where::Apart, "apart"), (Where::Together, "together"), (Where::Churn, "churn")] {
        for threads in [1, 2, 4] {
            let mut group = criterion.benchmark_group(format!("contend/{threads}/{name}"));
            runs.iter().for_each(|run| run(&mut group, place, threads));
        }
    }
}

/// Times how long threads take to publish, from the first's start to the last's end. Members read afterwards.
pub fn publishers<S>(group: &mut Group<'_>, place: Where, threads: usize)
where
    S: System + Sync,
    S::Room: Sync,
    S::Socket: Send,
    S::Payload: Sync,
{
    group.throughput(Throughput::Elements((threads * MESSAGES) as u64));
    let mut setup = None;
    group.bench_function(S::ID, |bencher| {
        let stage = setup.get_or_insert_with(|| Stage::<S>::new(place, threads));
        stage.round();
        bencher.iter_custom(|rounds| (0..rounds).map(|_| stage.round()).sum());
    });
}

struct Stage<S: System> {
    system: S,
    rooms: Vec<S::Room>,
    members: Vec<S::Socket>,
    movers: Vec<S::Socket>,
    /// One for each thread.
    batches: Vec<Batch<S>>,
}

impl<S> Stage<S>
where
    S: System + Sync,
    S::Room: Sync,
    S::Socket: Send,
    S::Payload: Sync,
{
    fn new(place: Where, threads: usize) -> Self {
        let rooms = if place == Where::Together { 1 } else { threads };
        let movers = if place == Where::Churn { MOVERS } else { 0 };
        let (system, mut members) = S::new(rooms * MEMBERS + movers, threads * MESSAGES);
        let movers = members.split_off(rooms * MEMBERS);
        let rooms: Vec<_> = (0..rooms).map(|number| system.room(&format!("room:{number}"))).collect();
        for (number, socket) in members.iter_mut().enumerate() {
            system.join(socket, &rooms[number % rooms.len()]);
        }
        let batches = (0..threads).map(|thread| Batch::new(thread * PAYLOADS, PAYLOADS)).collect();
        Self { system, rooms, members, movers, batches }
    }

    /// Returns what publishing took, after checking what was read.
    fn round(&mut self) -> Duration {
        let Self { system, rooms, movers, batches, .. } = self;
        let (system, rooms) = (&*system, &*rooms);
        let (waiting, publishing) = (AtomicUsize::new(batches.len()), AtomicUsize::new(batches.len()));
        let publish = |batch: &Batch<S>, room: &S::Room| {
            waiting.fetch_sub(1, SeqCst);
            while waiting.load(SeqCst) > 0 {
                thread::yield_now();
            }
            let start = Instant::now();
            for payload in batch.payloads().iter().cycle().take(MESSAGES) {
                system.publish(room, black_box(payload));
            }
            let end = Instant::now();
            publishing.fetch_sub(1, SeqCst);
            (start, end)
        };
        let took = thread::scope(|scope| {
            let publish = &publish;
            let place = |number| &rooms[number % rooms.len()];
            let threads: Vec<_> = batches
                .iter()
                .enumerate()
                .map(|(n, batch)| scope.spawn(move || publish(batch, place(n))))
                .collect();
            if !movers.is_empty() {
                while publishing.load(SeqCst) > 0 {
                    move_around(system, rooms, movers);
                }
            }
            let times = threads.into_iter().map(|thread| thread.join().expect("no panic"));
            let (starts, ends): (Vec<_>, Vec<_>) = times.unzip();
            let first = starts.into_iter().min().expect("there are threads");
            ends.into_iter().max().expect("there are threads") - first
        });
        self.check();
        took
    }

    fn check(&mut self) {
        let mut expected = Tally::default();
        for batch in &self.batches {
            let repeats = (MESSAGES / PAYLOADS * MEMBERS) as u64;
            let sum = batch.words().iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
            expected += Tally { deliveries: MESSAGES * MEMBERS, sum: sum.wrapping_mul(repeats) };
        }
        let read = drain_all(&self.system, &mut self.members);
        assert_eq!(read, expected, "what was read of {}", S::ID);
        drain_all(&self.system, &mut self.movers); // or they would fall behind
    }
}

/// Has each of these sockets join each room, read, and leave.
fn move_around<S: System>(system: &S, rooms: &[S::Room], sockets: &mut [S::Socket]) {
    for socket in sockets {
        for room in rooms {
            system.join(socket, room);
            system.drain(socket);
            system.leave(socket, room);
        }
    }
}
