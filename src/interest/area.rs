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

/// A world that goes round: what is beyond its last column is its first one again, and so with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrap {
    pub(super) columns: i64,
    pub(super) rows: i64,
}

/// The cells of which a part is within a distance of a point. Columns from `first` on, each with its first and last
/// row; none is empty.
///
/// In a world that goes round, all that is first is in the world, and what is last may be beyond its end: there it goes on
/// at the beginning. It does not come round to itself, so that no cell is in it twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    first: i64,
    columns: Vec<(i64, i64)>,
    wrap: Option<Wrap>,
}

impl Point {
    pub(super) fn cell(self) -> Cell {
        (self.x >> PARTS_BITS, self.y >> PARTS_BITS)
    }
}

impl Area {
    pub(super) fn fill(&mut self, shape: Shape, point: Point, radius: i64, wrap: Option<Wrap>) {
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
        self.wrap = wrap;
        if let Some(wrap) = wrap {
            self.first = self.first.rem_euclid(wrap.columns);
            for (first, last) in &mut self.columns {
                let way = first.rem_euclid(wrap.rows) - *first;
                (*first, *last) = (*first + way, *last + way);
            }
        }
    }

    pub(super) fn contains(&self, (x, y): Cell) -> bool {
        self.rows(x).is_some_and(|(first, last)| match self.wrap {
            None => (first..=last).contains(&y),
            Some(wrap) => (y - first).rem_euclid(wrap.rows) <= last - first,
        })
    }

    /// By column and then by row, as cells are ordered.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        let Wrap { columns, rows } = self.wrap.unwrap_or(Wrap { columns: i64::MAX, rows: i64::MAX });
        let last = self.first + self.columns.len() as i64 - 1;
        in_order(self.first, last, columns).flat_map(move |x| {
            let (first, last) = self.rows(x).expect("it is one of the columns");
            in_order(first, last, rows).map(move |y| (x, y))
        })
    }

    /// Calls `f` with each cell that is not in another area of the same world, in order. O(columns + those cells); in a
    /// world that goes round O(cells).
    pub(super) fn each_beyond(&self, other: &Self, mut f: impl FnMut(Cell)) {
        if self.wrap.is_some() {
            return self.cells().filter(|cell| !other.contains(*cell)).for_each(f);
        }
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
        let place = column - self.first;
        let place = self.wrap.map_or(place, |wrap| place.rem_euclid(wrap.columns));
        self.columns.get(usize::try_from(place).ok()?).copied()
    }
}

/// The numbers from one to another in a world of so many, in order: those that are beyond its end are at its beginning.
fn in_order(first: i64, last: i64, size: i64) -> impl Iterator<Item = i64> {
    (size..=last).map(move |number| number - size).chain(first..=last.min(size - 1))
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
        area.fill(shape, Point { x, y }, radius, None);
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
        fn an_area_of_a_world_that_goes_round_is_that_of_the_plane_wound_up(
            shape in shapes(), place in places(), radius in radii(), more in (0_i64..3, 0_i64..3), other in places(),
        ) {
            let least = (2 * radius + PARTS - 1) / PARTS + 1;
            let wrap = Wrap { columns: least + more.0, rows: least + more.1 };
            let wound = |(x, y): Cell| (x.rem_euclid(wrap.columns), y.rem_euclid(wrap.rows));
            let round = |(x, y): (i64, i64)| {
                let mut area = Area::default();
                area.fill(shape, Point { x, y }, radius, Some(wrap));
                area
            };
            let (one, other) = (round(place), round(other));
            let mut near: Vec<Cell> = area(shape, place, radius).cells().map(wound).collect();
            near.sort_unstable();
            prop_assert!(near.is_sorted_by(|a, b| a < b), "no cell is in it twice");
            prop_assert_eq!(one.cells().collect::<Vec<_>>(), &near[..]);
            let all = || (0..wrap.columns).flat_map(|x| (0..wrap.rows).map(move |y| (x, y)));
            prop_assert!(all().all(|cell| one.contains(cell) == near.binary_search(&cell).is_ok()));
            // Once around the world it is the same.
            let there = (place.0 + wrap.columns * PARTS, place.1 - wrap.rows * PARTS);
            prop_assert_eq!(&round(there), &one);
            let mut beyond = Vec::new();
            one.each_beyond(&other, |cell| beyond.push(cell));
            near.retain(|cell| !other.contains(*cell));
            prop_assert_eq!(beyond, near);
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
