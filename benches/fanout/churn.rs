//! Sockets that join and leave rooms by name: `churn`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use crate::crowd::drain_all;
use crate::load::{Batch, Group, Random};
use crate::systems::ByName;

const SOCKETS: usize = 100_000;
/// Ten sockets are in each from first to last.
const ROOMS: usize = SOCKETS / 10;

pub fn churn(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>)]) {
    let mut group = criterion.benchmark_group(format!("churn/{SOCKETS}"));
    group.throughput(Throughput::Elements(1));
    runs.iter().for_each(|run| run(&mut group));
}

/// Times how a socket joins a room that it is not in, and leaves it again. What that leaves to the socket's next
/// reading is not in it.
pub fn pairs<S: ByName>(group: &mut Group<'_>) {
    let mut setup = None;
    group.bench_function(S::ID, |bencher| {
        let churn = setup.get_or_insert_with(Churn::<S>::new);
        bencher.iter_custom(|pairs| {
            let took = churn.timed_pairs(pairs);
            churn.check();
            took
        });
    });
}

struct Churn<S: ByName> {
    system: S,
    sockets: Vec<S::Socket>,
    names: Vec<String>,
    rooms: Vec<S::Room>,
    batch: Batch<S>,
    random: Random,
}

impl<S: ByName> Churn<S> {
    fn new() -> Self {
        let (system, mut sockets) = S::new(SOCKETS, 1);
        let names: Vec<_> = (0..ROOMS).map(|number| format!("room:{number:05}")).collect();
        let rooms: Vec<_> = names.iter().map(|name| system.room(name)).collect();
        for (number, socket) in sockets.iter_mut().enumerate() {
            system.join(socket, &rooms[number % ROOMS]);
        }
        let mut churn =
            Self { system, sockets, names, rooms, batch: Batch::new(0, ROOMS), random: Random::default() };
        churn.check();
        churn
    }

    fn timed_pairs(&mut self, pairs: u64) -> Duration {
        let Self { system, sockets, names, random, .. } = self;
        let start = Instant::now();
        system.within(|| {
            for _ in 0..pairs {
                let number = random.below(SOCKETS);
                let room = (number + 1 + random.below(ROOMS - 1)) % ROOMS;
                let (socket, name) = (&mut sockets[number], black_box(&names[room]));
                system.join_by_name(socket, name);
                system.leave_by_name(socket, name);
            }
        });
        start.elapsed()
    }

    /// Checks that the ten of each room are its members, and nobody else.
    fn check(&mut self) {
        let messages = self.rooms.iter().zip(self.batch.payloads());
        self.system.within(|| messages.for_each(|(room, payload)| self.system.publish(room, payload)));
        let read = drain_all(&self.system, &mut self.sockets);
        self.batch.check(read, SOCKETS / ROOMS);
    }
}
