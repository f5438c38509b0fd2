//! Clients that are in the rooms of the cells around them, and move.

use roomcast::{Cell, Grid, Interest, Plan};

use crate::random::Random;

/// How many columns of cells there are: of each three rooms one is a cell.
pub(crate) const COLUMNS: u32 = 4;

/// A client's interest, and where it is. All cells that it can want are there.
pub(crate) struct Walk {
    pub(crate) interest: Interest,
    /// In hundredths of a cell, as the next.
    place: [u32; 2],
    /// Where it is if it does what it has planned.
    next: Option<[u32; 2]>,
    has_place: bool,
    size: [u32; 2],
}

/// Cells of the size 1. Four are near at most, and some more are kept.
pub(crate) fn grid() -> Grid {
    let grid = Grid::new(1.0).and_then(|grid| grid.radius(0.5)).and_then(|grid| grid.hysteresis(0.25));
    grid.expect("in range")
}

/// Which room a cell is.
pub(crate) fn room((column, row): Cell) -> u32 {
    (row as u32 * COLUMNS + column as u32) * 3 + 2
}

/// Which cell a room is, if it is one.
pub(crate) fn cell(room: u32) -> Option<Cell> {
    let number = room / 3;
    (room % 3 == 2).then(|| ((number % COLUMNS).into(), (number / COLUMNS).into()))
}

impl Walk {
    pub(crate) fn new(rooms: u32) -> Self {
        let size = [COLUMNS * 100, rooms / 3 / COLUMNS * 100];
        Self { interest: Interest::new(grid()), place: [100; 2], next: None, has_place: false, size }
    }

    /// It has done what it had planned.
    pub(crate) fn has_done(&mut self) {
        if let Some(next) = self.next.take() {
            (self.place, self.has_place) = (next, true);
        }
    }

    /// A cell that is near its place, if there is one that it is not in.
    pub(crate) fn missing(&self) -> Option<Cell> {
        let [x, y] = self.place.map(|place| f64::from(place) / 100.0);
        let near = grid().cells_near(x, y).expect("on the grid");
        near.into_iter().find(|cell| self.has_place && self.interest.reasons(*cell) == 0)
    }

    /// What it does next: a step for the most part; or it looks elsewhere, or pins a cell that it knows.
    pub(crate) fn plan(&mut self, random: &mut Random) -> Plan<'_> {
        self.next = None;
        let known: Vec<Cell> = self.interest.cells().collect();
        let place = self.size.map(|size| 80 + random.below(size - 160));
        let there = place.map(|place| f64::from(place) / 100.0);
        match (random.below(12), random.pick(&known)) {
            (0, _) => self.interest.look(1, there[0], there[1]).expect("on the grid"),
            (1, _) => self.interest.look_away(1),
            (2, Some(cell)) => self.interest.pin(*cell),
            (3 | 4, Some(cell)) => self.interest.unpin(*cell),
            (5, _) => {
                self.next = Some(place);
                self.interest.move_to(there[0], there[1]).expect("on the grid")
            }
            _ => {
                let step = |(place, size): (u32, u32)| (place + random.below(101)).clamp(130, size - 30) - 50;
                let mut steps = self.place.into_iter().zip(self.size).map(step);
                let next = [(); 2].map(|()| steps.next().expect("there are two"));
                self.next = Some(next);
                let [x, y] = next.map(|place| f64::from(place) / 100.0);
                self.interest.move_to(x, y).expect("on the grid")
            }
        }
    }
}
