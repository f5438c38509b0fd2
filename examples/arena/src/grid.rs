//! The map: a square of cells that wraps around at its edges, in whole numbers, so that sums come out the same in
//! whatever order they are made, and on each machine.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// How wide a cell is.
pub const CELL: i32 = 1024;

/// A place, a way, or a speed (a way in one tick).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vector {
    /// To the right.
    pub x: i32,
    /// Downwards.
    pub y: i32,
}

/// A square of cells. A cell is known by its number, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    side: i32,
}

/// Which agents are in which cell.
#[derive(Clone, Debug)]
pub struct Index {
    /// Where each cell's agents begin in `agents`, and where the last one's end.
    starts: Vec<u32>,
    agents: Vec<u32>,
}

impl Vector {
    /// Returns the length, rounded down: exact, as squares of ways on a map are far below 2⁵².
    #[must_use]
    pub fn length(self) -> i32 {
        (self.square() as f64).sqrt() as i32
    }

    /// Returns the square of the length.
    #[must_use]
    pub fn square(self) -> i64 {
        i64::from(self.x).pow(2) + i64::from(self.y).pow(2)
    }

    /// Returns the same direction, no shorter than this, unless there is no direction.
    #[must_use]
    pub fn at_least(self, limit: i32) -> Self {
        let length = self.length();
        if length < limit { self * limit / length.max(1) } else { self }
    }

    /// Returns the same direction, no longer than this.
    #[must_use]
    pub fn at_most(self, limit: i32) -> Self {
        let length = self.length();
        if length > limit { self * limit / length } else { self }
    }
}

impl Grid {
    /// Creates a grid with about one cell for each agent, and with nine at least.
    #[must_use]
    pub fn for_agents(agents: usize) -> Self {
        let side = (agents as f64).sqrt().ceil() as i32;
        Self { side: side.max(3) }
    }

    /// Returns how many cells a row has.
    #[must_use]
    pub fn side(self) -> usize {
        self.side as usize
    }

    /// Returns how many cells there are.
    #[must_use]
    pub fn cells(self) -> usize {
        self.side() * self.side()
    }

    /// Returns how wide the map is.
    #[must_use]
    pub fn width(self) -> i32 {
        self.side * CELL
    }

    /// Brings a place that is beyond an edge in at the other.
    #[must_use]
    pub fn wrap(self, place: Vector) -> Vector {
        let width = self.width();
        Vector { x: place.x.rem_euclid(width), y: place.y.rem_euclid(width) }
    }

    /// Returns the shortest way from one place to another.
    #[must_use]
    pub fn way(self, from: Vector, to: Vector) -> Vector {
        let width = self.width();
        let part = |way: i32| match way {
            _ if way >= width / 2 => way - width,
            _ if way < -width / 2 => way + width,
            _ => way,
        };
        let way = to - from;
        Vector { x: part(way.x), y: part(way.y) }
    }

    /// Returns the cell of a place.
    #[must_use]
    pub fn cell(self, place: Vector) -> usize {
        ((place.y / CELL) * self.side + place.x / CELL) as usize
    }

    /// Returns a cell and the eight around it.
    #[must_use]
    pub fn around(self, cell: usize) -> [usize; 9] {
        let side = self.side();
        let rows = [side - 1, 0, 1].map(|step| (cell / side + step) % side * side);
        let columns = [side - 1, 0, 1].map(|step| (cell % side + step) % side);
        std::array::from_fn(|place| rows[place / 3] + columns[place % 3])
    }
}

impl Index {
    /// Creates one of this many cells, from the cell of each agent.
    #[must_use]
    pub fn new(cells: usize, places: impl Iterator<Item = usize> + Clone) -> Self {
        let mut index = Self { starts: vec![0; cells + 1], agents: Vec::new() };
        index.rebuild(places);
        index
    }

    /// Forgets what was, and counts anew.
    pub fn rebuild(&mut self, places: impl Iterator<Item = usize> + Clone) {
        self.starts.fill(0);
        let mut agents = 0;
        for cell in places.clone() {
            self.starts[cell] += 1;
            agents += 1;
        }
        // Where each cell's agents end. Filling them in from the end turns that into where they begin.
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.agents.resize(agents, 0);
        for (agent, cell) in places.enumerate() {
            self.starts[cell] -= 1;
            self.agents[self.starts[cell] as usize] = agent as u32;
        }
    }

    /// Returns the agents in a cell: in an order that depends on nothing but who is there.
    #[must_use]
    pub fn agents(&self, cell: usize) -> &[u32] {
        &self.agents[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }
}

impl Add for Vector {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y }
    }
}

impl Sub for Vector {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }
}

impl Mul<i32> for Vector {
    type Output = Self;

    fn mul(self, by: i32) -> Self {
        Self { x: self.x * by, y: self.y * by }
    }
}

impl Div<i32> for Vector {
    type Output = Self;

    fn div(self, by: i32) -> Self {
        Self { x: self.x / by, y: self.y / by }
    }
}

impl Neg for Vector {
    type Output = Self;

    fn neg(self) -> Self {
        Self { x: -self.x, y: -self.y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_about_one_cell_for_each_agent() {
        let sides = [1, 9, 10, 10_000, 10_001, 1_000_000].map(|agents| Grid::for_agents(agents).side());
        assert_eq!(sides, [3, 3, 4, 100, 101, 1000]);
    }

    #[test]
    fn the_map_wraps_around() {
        let grid = Grid::for_agents(16);
        let width = grid.width();
        assert_eq!(grid.wrap(Vector { x: -1, y: width }), Vector { x: width - 1, y: 0 });
        let (corner, opposite) = (Vector { x: 1, y: 1 }, Vector { x: width - 1, y: width - 2 });
        assert_eq!(grid.way(corner, opposite), Vector { x: -2, y: -3 });
        assert_eq!(grid.way(opposite, corner), Vector { x: 2, y: 3 });
        assert_eq!(grid.cell(opposite), 15);
        assert_eq!(grid.around(0), [15, 12, 13, 3, 0, 1, 7, 4, 5]);
        assert_eq!(grid.around(10), [5, 6, 7, 9, 10, 11, 13, 14, 15]);
    }

    #[test]
    fn a_cell_and_its_neighbours_are_near_each_other_both_ways() {
        for grid in [1, 16, 100].map(Grid::for_agents) {
            for cell in 0..grid.cells() {
                let mut around = grid.around(cell);
                assert!(around.iter().all(|&other| grid.around(other).contains(&cell)));
                around.sort_unstable();
                assert!(around.windows(2).all(|pair| pair[0] < pair[1]), "{around:?}");
            }
        }
    }

    #[test]
    fn the_index_has_each_agent_in_its_cell() {
        let places = [3, 0, 3, 1, 3];
        let mut index = Index::new(5, places.into_iter());
        let agents = |index: &Index, cell| {
            let mut agents = index.agents(cell).to_vec();
            agents.sort_unstable();
            agents
        };
        assert_eq!(
            [0, 1, 2, 3, 4].map(|cell| agents(&index, cell)),
            [vec![1], vec![3], vec![], vec![0, 2, 4], vec![]]
        );
        index.rebuild([4, 4].into_iter());
        assert_eq!(agents(&index, 4), [0, 1]);
        assert!((0..4).all(|cell| index.agents(cell).is_empty()));
    }

    #[test]
    fn lengths_are_cut_and_directions_kept() {
        let vector = Vector { x: 300, y: -400 };
        assert_eq!((vector.length(), vector.square()), (500, 250_000));
        assert_eq!(vector.at_most(500), vector);
        assert_eq!(vector.at_most(5), Vector { x: 3, y: -4 });
        assert_eq!(vector.at_least(500), vector);
        assert_eq!(vector.at_least(1000), Vector { x: 600, y: -800 });
        assert_eq!([Vector::default().at_most(0), Vector::default().at_least(9)], [Vector::default(); 2]);
    }
}
