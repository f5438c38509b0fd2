//! Sets of cells around a point: a span of rows for each column.

use super::grid::{Cell, PARTS, PARTS_BITS};

/// A place, in parts of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Square,
    Circle,
}

/// The cells of which a part is within a distance of a point. Columns from `first` on, each with its first and last
/// row; none is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    first: i64,
    columns: Vec<(i64, i64)>,
}

impl Point {
    pub(super) fn cell(self) -> Cell {
        (self.x >> PARTS_BITS, self.y >> PARTS_BITS)
    }
}

impl Area {
    pub(super) fn fill(&mut self, shape: Shape, point: Point, radius: i64) {
        let row = |part: i64| part >> PARTS_BITS;
        self.first = row(point.x - radius);
        self.columns.clear();
        for column in self.first..=row(point.x + radius) {
            let half = match shape {
                Shape::Square => radius,
                Shape::Circle => {
                    let away = away(point.x, column);
                    // A radius is below 2²⁴ parts, so that squares are far from the end.
                    (radius * radius - away * away).isqrt()
                }
            };
            self.columns.push((row(point.y - half), row(point.y + half)));
        }
    }

    pub(super) fn contains(&self, (x, y): Cell) -> bool {
        self.rows(x).is_some_and(|(first, last)| (first..=last).contains(&y))
    }

    /// By column and then by row, as cells are ordered.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        self.spans().flat_map(|(x, (first, last))| (first..=last).map(move |y| (x, y)))
    }

    /// Calls `f` with each cell that is not in another area, in order. O(columns + those cells).
    pub(super) fn each_beyond(&self, other: &Self, mut f: impl FnMut(Cell)) {
        for (x, (first, last)) in self.spans() {
            // Where the other has nothing, all is before its first row.
            let (from, to) = other.rows(x).unwrap_or((last + 1, last));
            (first..=last.min(from - 1)).for_each(|y| f((x, y)));
            (first.max(to + 1)..=last).for_each(|y| f((x, y)));
        }
    }

    fn spans(&self) -> impl Iterator<Item = (i64, (i64, i64))> + '_ {
        (self.first..).zip(self.columns.iter().copied())
    }

    fn rows(&self, column: i64) -> Option<(i64, i64)> {
        self.columns.get(usize::try_from(column - self.first).ok()?).copied()
    }
}

/// How many parts away the nearest part of a column is.
fn away(part: i64, column: i64) -> i64 {
    let first = column << PARTS_BITS;
    (first - part).max(part - (first + PARTS - 1)).max(0)
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn area(shape: Shape, (x, y): (i64, i64), radius: i64) -> Area {
        let mut area = Area::default();
        area.fill(shape, Point { x, y }, radius);
        area
    }

    /// By the definition: the nearest part of the cell, in both directions.
    fn is_near(shape: Shape, (x, y): (i64, i64), radius: i64, cell: Cell) -> bool {
        let nearest = |place: i64, cell: i64| place.clamp(cell * PARTS, cell * PARTS + PARTS - 1) - place;
        let (dx, dy) = (nearest(x, cell.0), nearest(y, cell.1));
        match shape {
            Shape::Square => dx.abs().max(dy.abs()) <= radius,
            Shape::Circle => dx * dx + dy * dy <= radius * radius,
        }
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        prop_oneof![Just(Shape::Square), Just(Shape::Circle)]
    }

    fn places() -> impl Strategy<Value = (i64, i64)> {
        // Near borders more often than chance would have it.
        let part =
            || prop_oneof![-4 * PARTS..4 * PARTS, (-4_i64..4, -2_i64..2).prop_map(|(c, d)| c * PARTS + d)];
        (part(), part())
    }

    fn radii() -> impl Strategy<Value = i64> {
        prop_oneof![0..4 * PARTS, (0_i64..4, 0_i64..2).prop_map(|(c, d)| c * PARTS + d)]
    }

    proptest! {
        #[test]
        fn an_area_is_the_cells_within_the_distance(shape in shapes(), place in places(), radius in radii()) {
            let area = area(shape, place, radius);
            let all = || (-10..10).flat_map(|x| (-10..10).map(move |y| (x, y)));
            let near: Vec<Cell> = all().filter(|cell| is_near(shape, place, radius, *cell)).collect();
            prop_assert_eq!(area.cells().collect::<Vec<_>>(), &near[..]);
            prop_assert!(all().all(|cell| area.contains(cell) == near.binary_search(&cell).is_ok()));
        }

        #[test]
        fn what_is_beyond_another_area_is_found_in_order(
            shape in shapes(), one in places(), other in places(), radii in (radii(), radii()),
        ) {
            let (one, other) = (area(shape, one, radii.0), area(shape, other, radii.1));
            let mut beyond = Vec::new();
            one.each_beyond(&other, |cell| beyond.push(cell));
            let wanted: Vec<Cell> = one.cells().filter(|cell| !other.contains(*cell)).collect();
            prop_assert_eq!(beyond, wanted);
        }
    }
}
