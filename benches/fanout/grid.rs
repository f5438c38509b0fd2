//! Sockets that move over a grid of rooms: `grid`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use crate::crowd::drain_all;
use crate::load::{Batch, Group, Random, Tally};
use crate::systems::System;

const SIDE: usize = 100;
const SOCKETS: usize = 10_000;
/// How many move in a tick.
const MOVES: usize = SOCKETS / 20;
/// How many messages a room may get in a tick: some more than sockets come together.
const UNREAD: usize = 64;

pub fn grid(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>)]) {
    let mut group = criterion.benchmark_group(format!("grid/{SOCKETS}"));
    group.throughput(Throughput::Elements(1));
    runs.iter().for_each(|run| run(&mut group));
}

/// Times ticks.
pub fn ticks<S: System>(group: &mut Group<'_>) {
    let mut setup = None;
    group.bench_function(S::ID, |bencher| {
        let (grid, batches) = setup.get_or_insert_with(|| {
            let (mut grid, batches) = (Grid::<S>::new(), Batch::several(SOCKETS));
            for batch in &batches {
                grid.timed_tick(batch);
            }
            (grid, batches)
        });
        let mut batches = batches.iter().cycle();
        bencher.iter_custom(|ticks| {
            (0..ticks).map(|_| grid.timed_tick(batches.next().expect("there are batches"))).sum()
        });
    });
}

/// A room for each cell. A socket is in those of the nine around it, and the grid has no edge.
struct Grid<S: System> {
    system: S,
    sockets: Vec<S::Socket>,
    /// By row and column.
    rooms: Vec<S::Room>,
    members: Vec<usize>,
    /// Row and column of each socket.
    places: Vec<(usize, usize)>,
    random: Random,
}

impl<S: System> Grid<S> {
    fn new() -> Self {
        let (system, mut sockets) = S::new(SOCKETS, UNREAD);
        let cells = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
        let rooms: Vec<_> = cells.map(|(row, column)| system.room(&format!("cell:{row}:{column}"))).collect();
        let mut random = Random::default();
        let places: Vec<_> = (0..SOCKETS).map(|_| (random.below(SIDE), random.below(SIDE))).collect();
        let mut members = vec![0; rooms.len()];
        for (socket, &(row, column)) in sockets.iter_mut().zip(&places) {
            for room in (0..3).flat_map(|step| around(row, column + SIDE - 1 + step)) {
                system.join(socket, &rooms[room]);
                members[room] += 1;
            }
        }
        Self { system, sockets, rooms, members, places, random }
    }

    /// Returns what a tick took, after checking what was read in it.
    fn timed_tick(&mut self, batch: &Batch<S>) -> Duration {
        let mut expected = Tally::default();
        let mut messages = vec![0; self.rooms.len()];
        for (&(row, column), &word) in self.places.iter().zip(batch.words()) {
            let room = cell(row, column);
            messages[room] += 1;
            let others = self.members[room] - 1;
            expected += Tally { deliveries: others, sum: word.wrapping_mul(others as u64) };
        }
        assert!(messages.iter().all(|messages| *messages <= UNREAD), "a room with too many messages");
        batch.touch();

        let start = Instant::now();
        let read = self.tick(batch);
        let took = start.elapsed();
        assert_eq!(read, expected, "what was read of {}", S::ID);
        took
    }

    /// Every socket publishes to the others around it, some move to the right, every socket reads.
    fn tick(&mut self, batch: &Batch<S>) -> Tally {
        let Self { system, sockets, rooms, members, places, random } = self;
        system.within(|| {
            for ((socket, &(row, column)), payload) in sockets.iter().zip(&*places).zip(batch.payloads()) {
                system.publish_from(socket, &rooms[cell(row, column)], black_box(payload));
            }
            for _ in 0..MOVES {
                let mover = random.below(SOCKETS);
                let (socket, (row, column)) = (&mut sockets[mover], &mut places[mover]);
                for room in around(*row, *column + SIDE - 1) {
                    system.leave(socket, &rooms[room]);
                    members[room] -= 1;
                }
                for room in around(*row, *column + 2) {
                    system.join(socket, &rooms[room]);
                    members[room] += 1;
                }
                *column = (*column + 1) % SIDE;
            }
        });
        drain_all(system, sockets)
    }
}

fn cell(row: usize, column: usize) -> usize {
    (row % SIDE) * SIDE + column % SIDE
}

/// The three cells of this column that are nearest to the row.
fn around(row: usize, column: usize) -> impl Iterator<Item = usize> {
    (0..3).map(move |step| cell(row + SIDE - 1 + step, column))
}
