//! Places, cells and distances: whole numbers, so that they come out the same everywhere.

use std::fmt;

use super::area::{Area, Point, Shape, Wrap};
use crate::error::{ConfigError, OutOfGrid};
use crate::name::RoomName;

/// A cell of a [`Grid`]: its column and its row.
pub type Cell = (i64, i64);

/// How many parts a cell has to each side: a place is known to the part.
pub(super) const PARTS: i64 = 1 << PARTS_BITS;
pub(super) const PARTS_BITS: u32 = 16;
/// Columns and rows are below this, to both sides.
const MAX_CELL: f64 = (1_u64 << 31) as f64;
/// How far a radius and a hysteresis can reach together, in cells.
const MAX_REACH: i64 = 128;

/// A grid of square cells, each of which is a room: which cell a place is in, and which cells are near it.
///
/// A plain value. The room of a cell is named by its column and row, `(3, -4)`, with a [layer](Self::layer) before
/// them by three numbers. Near is the cell itself and the eight around it, unless set otherwise.
///
/// ```
/// use roomcast::{Grid, RoomName};
///
/// let grid = Grid::new(32.0)?.cells_around(1)?;
/// assert_eq!(grid.cell(100.0, -1.0)?, (3, -1));
/// assert_eq!(grid.name((3, -1)), RoomName::from((3, -1)));
/// assert_eq!(grid.layer(7).name((3, -1)), RoomName::from((7, 3, -1)));
/// assert_eq!(grid.cells_near(100.0, -1.0)?.len(), 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Places are kept to the 65,536th part of a cell, and so are distances; columns and rows are below 2³¹ to both sides.
#[derive(Clone, Copy, PartialEq)]
pub struct Grid {
    cell_size: f64,
    layer: Option<i64>,
    shape: Shape,
    /// In parts of a cell, as the next.
    radius: i64,
    hysteresis: i64,
    wrap: Option<Wrap>,
}

impl Grid {
    /// Creates a grid with cells of this width and height.
    ///
    /// # Errors
    ///
    /// For a size that is not a positive number.
    pub fn new(cell_size: f64) -> Result<Self, ConfigError> {
        if !(cell_size > 0.0 && cell_size.is_finite()) {
            return Err(bad("cell_size", "must be positive and finite"));
        }
        Ok(Self { cell_size, layer: None, shape: Shape::Square, radius: PARTS, hysteresis: 0, wrap: None })
    }

    /// Puts a number before those of the cells, so that the rooms of several grids are not the same.
    #[must_use]
    pub fn layer(self, layer: i64) -> Self {
        Self { layer: Some(layer), ..self }
    }

    /// Sets that near are the cells that a circle around the place touches, of this radius in the units of the
    /// world. A cell is without its last border, in either direction: that is the next one's first.
    ///
    /// # Errors
    ///
    /// For a radius that is negative or not finite, or beyond 128 cells with the hysteresis.
    pub fn radius(self, distance: f64) -> Result<Self, ConfigError> {
        let radius = self.parts("radius", distance)?;
        Self { shape: Shape::Circle, radius, ..self }.check("radius")
    }

    /// Sets that near are the cell of the place and this many to each side of it: a square of cells. Default 1.
    ///
    /// # Errors
    ///
    /// Above 128, or beyond 128 cells with the hysteresis.
    pub fn cells_around(self, cells: u32) -> Result<Self, ConfigError> {
        let radius = i64::from(cells) * PARTS;
        Self { shape: Shape::Square, radius, ..self }.check("cells_around")
    }

    /// Sets how much further away than it comes near a cell has to be to be left, in the units of the world.
    /// Default 0.
    ///
    /// Who walks to and fro over a border by less than that enters and leaves nothing after the first time.
    ///
    /// # Errors
    ///
    /// For a distance that is negative or not finite, or beyond 128 cells with the radius.
    pub fn hysteresis(self, distance: f64) -> Result<Self, ConfigError> {
        let hysteresis = self.parts("hysteresis", distance)?;
        Self { hysteresis, ..self }.check("hysteresis")
    }

    /// Has the world go round: beyond the last of so many columns comes the first one, and so with rows. Cells are from
    /// (0, 0) on, and a place beyond an edge is the one that comes in at the other.
    ///
    /// ```
    /// let globe = roomcast::Grid::new(10.0)?.wrapping(100, 50)?;
    /// assert_eq!(globe.cell(-1.0, 505.0)?, (99, 0));
    /// let near = [(0, 0), (0, 1), (0, 49), (1, 0), (1, 1), (1, 49), (99, 0), (99, 1), (99, 49)];
    /// assert_eq!(globe.cells_near(5.0, 5.0)?, near);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// For a world that radius and hysteresis reach around: twice both together, and a cell, are to be no more than its
    /// width and its height.
    pub fn wrapping(self, columns: u32, rows: u32) -> Result<Self, ConfigError> {
        let wrap = Wrap { columns: columns.into(), rows: rows.into() };
        Self { wrap: Some(wrap), ..self }.check("wrapping")
    }

    /// Returns the cell of a place.
    ///
    /// # Errors
    ///
    /// If a coordinate is not a number, infinite, or 2³¹ cells or more from the middle.
    pub fn cell(&self, x: f64, y: f64) -> Result<Cell, OutOfGrid> {
        self.point(x, y).map(Point::cell)
    }

    /// Returns the name of a cell's room.
    #[must_use]
    pub fn name(&self, cell: Cell) -> RoomName {
        let (x, y) = self.wrapped(cell);
        match self.layer {
            Some(layer) => RoomName::from((layer, x, y)),
            None => RoomName::from((x, y)),
        }
    }

    /// Returns the cells near a place, by column and then by row: those that who stands there is to hear, or those
    /// that hear what happens there. O(cells).
    ///
    /// ```
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// let blast = roomcast::Grid::new(32.0)?.radius(20.0)?;
    /// let rooms: Vec<_> = blast.cells_near(60.0, 16.0)?.into_iter().map(|cell| blast.name(cell)).collect();
    /// assert_eq!(rooms, [(1, -1).into(), (1, 0).into(), (1, 1).into(), (2, -1).into(), (2, 0).into(), (2, 1).into()]);
    /// world.to(rooms).emit("blast", ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`cell`](Self::cell).
    pub fn cells_near(&self, x: f64, y: f64) -> Result<Vec<Cell>, OutOfGrid> {
        let point = self.point(x, y)?;
        let mut area = Area::default();
        self.enter_area(point, &mut area);
        Ok(area.cells().collect())
    }

    pub(super) fn point(&self, x: f64, y: f64) -> Result<Point, OutOfGrid> {
        let part = |place: f64| {
            let cells = place / self.cell_size;
            // Written so that what is not a number fails it.
            let is_on_it = cells > -MAX_CELL && cells < MAX_CELL;
            // By a power of two, which is exact: so the cell is that of the place, rounded down.
            is_on_it.then(|| (cells * PARTS as f64).floor() as i64).ok_or(OutOfGrid)
        };
        let (x, y) = (part(x)?, part(y)?);
        Ok(self.wrap.map_or(Point { x, y }, |wrap| Point {
            x: x.rem_euclid(wrap.columns * PARTS),
            y: y.rem_euclid(wrap.rows * PARTS),
        }))
    }

    /// The cell of the world that goes by this column and row.
    pub(super) fn wrapped(&self, (x, y): Cell) -> Cell {
        self.wrap.map_or((x, y), |wrap| (x.rem_euclid(wrap.columns), y.rem_euclid(wrap.rows)))
    }

    /// The cells that are near enough to be entered.
    pub(super) fn enter_area(&self, point: Point, area: &mut Area) {
        area.fill(self.shape, point, self.radius, self.wrap);
    }

    /// The cells that are near enough not to be left.
    pub(super) fn keep_area(&self, point: Point, area: &mut Area) {
        area.fill(self.shape, point, self.radius + self.hysteresis, self.wrap);
    }

    fn parts(&self, setting: &'static str, distance: f64) -> Result<i64, ConfigError> {
        if !(distance >= 0.0 && distance.is_finite()) {
            return Err(bad(setting, "must be finite, and not negative"));
        }
        // Too many for an `i64` become the most, and are refused by `check`.
        Ok((distance / self.cell_size * PARTS as f64).round().min((MAX_REACH * PARTS + 1) as f64) as i64)
    }

    fn check(self, setting: &'static str) -> Result<Self, ConfigError> {
        if self.radius + self.hysteresis > MAX_REACH * PARTS {
            return Err(bad(setting, "must be at most 128 cells, radius and hysteresis together"));
        }
        // So much is reached to both sides of the part that a place is in.
        let is_around = |size: i64| 2 * (self.radius + self.hysteresis) > (size - 1) * PARTS;
        if self.wrap.is_some_and(|wrap| is_around(wrap.columns) || is_around(wrap.rows)) {
            return Err(bad(setting, "radius and hysteresis must not reach around the world"));
        }
        Ok(self)
    }
}

fn bad(setting: &'static str, problem: &'static str) -> ConfigError {
    ConfigError { setting, problem }
}

impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |parts: i64| parts as f64 / PARTS as f64;
        f.debug_struct("Grid")
            .field("cell_size", &self.cell_size)
            .field("layer", &self.layer)
            .field("shape", &self.shape)
            .field("radius_in_cells", &cells(self.radius))
            .field("hysteresis_in_cells", &cells(self.hysteresis))
            .field("world", &self.wrap.map(|wrap| (wrap.columns, wrap.rows)))
            .finish()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_on_a_border_are_in_the_cell_behind_it() {
        let grid = Grid::new(0.1).unwrap();
        let cells = [0.0, -0.0, 0.05, 0.1, -0.05, -0.1, -0.11].map(|x| grid.cell(x, 0.0).unwrap().0);
        assert_eq!(cells, [0, 0, 0, 1, -1, -1, -2]);
        let grid = Grid::new(1024.0).unwrap();
        for place in -5000..5000 {
            let cell = grid.cell(f64::from(place), f64::from(-place)).unwrap();
            assert_eq!(cell, (i64::from(place).div_euclid(1024), i64::from(-place).div_euclid(1024)));
        }
    }

    #[test]
    fn a_world_goes_round_and_is_not_reached_around() {
        let grid = Grid::new(2.0).unwrap().radius(3.0).unwrap();
        let world = grid.wrapping(4, 7).unwrap();
        assert_eq!(world.cell(-0.5, 14.5).unwrap(), (3, 0));
        assert_eq!(world.cell(8.0 * 1e6, -14.0 * 1e6).unwrap(), (0, 0));
        assert_eq!(world.name((-1, 8)), world.name((3, 1)));
        // Three units to both sides of one part are four columns at most.
        assert_eq!(world.cells_near(0.0, 3.0).unwrap().iter().filter(|cell| cell.1 == 1).count(), 4);
        for (columns, rows) in [(3, 7), (7, 3), (0, 7), (7, 0)] {
            assert_eq!(grid.wrapping(columns, rows).unwrap_err().setting(), "wrapping");
        }
        assert_eq!(world.hysteresis(0.1).unwrap_err().setting(), "hysteresis");
        assert_eq!(world.radius(3.1).unwrap_err().setting(), "radius");
        assert_eq!(world.cells_around(2).unwrap_err().setting(), "cells_around");
        assert!(world.wrapping(5, 7).and_then(|world| world.hysteresis(1.0)).is_ok());
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let grid = Grid::new(2.0).unwrap();
        let edge = 2.0 * MAX_CELL;
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, edge, -edge] {
            assert_eq!(grid.cell(bad, 0.0), Err(OutOfGrid), "{bad}");
            assert_eq!(grid.cell(0.0, bad), Err(OutOfGrid), "{bad}");
        }
        let last = edge - 0.01;
        assert_eq!(grid.cell(last, -last), Ok(((1 << 31) - 1, -(1 << 31))));
        assert_eq!(grid.cells_near(last, -last).unwrap().len(), 9);
        let tiny = Grid::new(f64::MIN_POSITIVE).unwrap();
        assert_eq!(tiny.cell(1.0, 0.0), Err(OutOfGrid));
        assert_eq!(tiny.cell(f64::MIN_POSITIVE * 7.0, 0.0), Ok((7, 0)));
    }

    #[test]
    fn settings_are_checked() {
        for size in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Grid::new(size).unwrap_err().setting(), "cell_size");
        }
        let grid = Grid::new(10.0).unwrap();
        for distance in [-1.0, f64::NAN, f64::INFINITY, 1280.1, f64::MAX] {
            assert_eq!(grid.radius(distance).unwrap_err().setting(), "radius");
            let hysteresis = grid.radius(0.0).unwrap().hysteresis(distance);
            assert_eq!(hysteresis.unwrap_err().setting(), "hysteresis");
        }
        assert!(grid.cells_around(129).is_err() && grid.cells_around(u32::MAX).is_err());
        let widest = grid.radius(1270.0).unwrap().hysteresis(10.0).unwrap();
        assert!(widest.hysteresis(10.1).is_err() && widest.cells_around(128).is_err());
        assert_eq!(grid.cells_around(128).unwrap().cells_near(0.0, 0.0).unwrap().len(), 257 * 257);
    }

    #[test]
    fn a_square_of_cells_is_the_same_wherever_in_the_cell_one_stands() {
        let grid = Grid::new(0.1).unwrap().cells_around(2).unwrap();
        for place in 0..1000 {
            let (x, y) = (f64::from(place) * 0.037 - 20.0, f64::from(place) * -0.011);
            let (column, row) = grid.cell(x, y).unwrap();
            let square = (column - 2..=column + 2).flat_map(|x| (row - 2..=row + 2).map(move |y| (x, y)));
            assert!(grid.cells_near(x, y).unwrap().into_iter().eq(square), "{x} {y}");
        }
    }

    #[test]
    fn a_radius_of_nothing_is_the_cell_itself() {
        let grid = Grid::new(3.0).unwrap().radius(0.0).unwrap();
        for (x, y) in [(0.0, 0.0), (2.9, 3.0), (-0.1, -3.0)] {
            assert_eq!(grid.cells_near(x, y).unwrap(), [grid.cell(x, y).unwrap()]);
        }
    }
}
