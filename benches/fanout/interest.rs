//! A socket that moves on a grid and is in the nine rooms around it: `interest`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use roomcast::{Cell, Engine, Grid, Inbox, Interest, Namespace, Socket};

use crate::load::Group;

const CELL: f64 = 32.0;
/// After how many moves the socket reads, so that its changes do not pile up. That is not timed.
const BATCH: u64 = 64;
const NEAR: usize = 9;

pub fn interest(criterion: &mut Criterion) {
    let grid = Grid::new(CELL).expect("a good size");
    let mut group = criterion.benchmark_group("interest/cross");
    group.throughput(Throughput::Elements(1));
    moves(&mut group, "roomcast", CELL, |scene, x| scene.go(x));
    moves(&mut group, "by-name", CELL, move |scene, x| {
        let column = grid.cell(x, 0.0).expect("on the grid").0;
        let names = |column: i64| [-1, 0, 1].map(|row| grid.name((column, row)));
        // To the right and back: the column ahead is joined and the one behind left.
        let ahead = if column > scene.column { 1 } else { -1 };
        scene.socket.join(names(column + ahead)).expect("it is connected");
        scene.socket.leave(names(scene.column - ahead)).expect("it is connected");
        scene.column = column;
    });
    drop(group);

    let mut group = criterion.benchmark_group("interest/stay");
    group.throughput(Throughput::Elements(1));
    moves(&mut group, "roomcast", 1.0, |scene, x| scene.go(x));
    moves(&mut group, "cell-alone", 1.0, move |scene, x| {
        let cell: Cell = grid.cell(x, 16.0).expect("on the grid");
        assert_eq!(black_box(cell).0, scene.column);
    });
}

/// Times a move by so much to the right, and back.
fn moves(group: &mut Group<'_>, id: &str, by: f64, mut go: impl FnMut(&mut Scene, f64)) {
    let mut setup = None;
    group.bench_function(id, |bencher| {
        let scene = setup.get_or_insert_with(|| Scene::new(id == "by-name"));
        bencher.iter_custom(|moves| {
            let mut took = Duration::ZERO;
            let mut left = moves;
            while left > 0 {
                let batch = left.min(BATCH);
                let start = Instant::now();
                for number in 0..batch {
                    let is_out = (moves - left + number) % 2 == 0;
                    go(scene, black_box(if is_out { 16.0 + by } else { 16.0 }));
                }
                took += start.elapsed();
                left -= batch;
                scene.inbox.drain(|_| {});
            }
            assert_eq!(scene.socket.room_count(), NEAR, "rooms of {id}");
            if moves % 2 == 1 {
                go(scene, 16.0); // as it was
            }
            took
        });
    });
}

struct Scene {
    interest: Interest,
    socket: Socket,
    inbox: Inbox,
    /// Of the one who does it by hand.
    column: i64,
    _world: Namespace,
}

impl Scene {
    fn new(is_by_hand: bool) -> Self {
        let world = Engine::new().of("/bench").expect("a good path");
        let (socket, inbox) = world.connect();
        let grid = Grid::new(CELL).expect("a good size");
        let mut scene = Self { interest: Interest::new(grid), socket, inbox, column: 0, _world: world };
        if is_by_hand {
            let around = (-1..=1).flat_map(|column| (-1..=1).map(move |row| grid.name((column, row))));
            scene.socket.join(around.collect::<Vec<_>>()).expect("it is connected");
        } else {
            scene.go(16.0);
        }
        scene
    }

    fn go(&mut self, x: f64) {
        let plan = self.interest.move_to(x, 16.0).expect("on the grid");
        plan.apply(&self.socket).expect("it is connected");
    }
}
