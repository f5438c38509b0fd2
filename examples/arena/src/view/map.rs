//! The map: how many agents are where, and where those are that hunt.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;

use crate::grid::Grid;
use crate::world::Body;

/// The map, as large as the area allows. A character is twice as high as wide.
#[derive(Debug)]
pub(super) struct Map<'a> {
    pub(super) grid: Grid,
    pub(super) bodies: &'a [Body],
}

/// What stands for how many, measured in halves of the mean, and in which colour.
const SHADES: [(usize, &str, Color); 6] = [
    (0, " ", Color::Reset),
    (1, "·", Color::Indexed(24)),
    (2, "░", Color::Indexed(31)),
    (4, "▒", Color::Indexed(38)),
    (8, "▓", Color::Indexed(80)),
    (usize::MAX, "█", Color::Indexed(195)),
];
const HUNTED: Color = Color::Indexed(203);

impl Widget for Map<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let height = area.height.min(area.width / 2);
        let area = Rect { width: height * 2, height, ..area };
        for (spot, (agents, is_hunted)) in
            self.count(area.width.into(), area.height.into()).into_iter().enumerate()
        {
            let mean = self.bodies.len() as f64 / f64::from(area.area());
            let halves = (agents as f64 * 2.0 / mean).ceil() as usize;
            let (_, symbol, colour) =
                SHADES.iter().find(|(most, ..)| halves <= *most).expect("the last has no limit");
            let (x, y) = (spot % usize::from(area.width), spot / usize::from(area.width));
            let style = Style::new().fg(if is_hunted { HUNTED } else { *colour });
            buffer[(area.x + x as u16, area.y + y as u16)].set_symbol(symbol).set_style(style);
        }
    }
}

impl Map<'_> {
    /// Counts the agents in each of so many spots, row by row, and tells where there are hunters.
    fn count(&self, columns: usize, rows: usize) -> Vec<(usize, bool)> {
        let mut spots = vec![(0, false); columns * rows];
        let of = |part: i32, parts: usize| part as usize * parts / self.grid.width() as usize;
        if spots.is_empty() {
            return spots;
        }
        for body in self.bodies {
            let place = body.place();
            let spot = &mut spots[of(place.y, rows) * columns + of(place.x, columns)];
            spot.0 += 1;
            spot.1 |= body.is_hunter();
        }
        spots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::HUNTERS;

    #[test]
    fn all_agents_are_on_the_map_where_they_are() {
        let grid = Grid::for_agents(1000);
        let bodies = Body::spread(1000, grid, 3);
        let map = Map { grid, bodies: &bodies };
        for (columns, rows) in [(1, 1), (2, 1), (64, 32), (7, 500)] {
            let spots = map.count(columns, rows);
            assert_eq!(spots.iter().map(|(agents, _)| agents).sum::<usize>(), 1000);
            let hunted = spots.iter().filter(|(_, is_hunted)| *is_hunted).count();
            assert!((1..=1000 / HUNTERS).contains(&hunted));
        }
        let right = bodies.iter().filter(|body| body.place().x >= grid.width() / 2).count();
        assert_eq!(map.count(2, 1)[1].0, right);
        let low = bodies.iter().filter(|body| body.place().y >= grid.width() / 2).count();
        assert_eq!(map.count(1, 2)[1].0, low);
    }

    #[test]
    fn more_agents_are_a_darker_spot() {
        let grid = Grid::for_agents(1000);
        let bodies = Body::spread(1000, grid, 3);
        let (area, mut buffer) = (Rect::new(1, 2, 90, 20), Buffer::empty(Rect::new(0, 0, 100, 30)));
        let map = Map { grid, bodies: &bodies };
        let spots = map.count(40, 20);
        map.render(area, &mut buffer);
        let mut darkest = [0; 6];
        for (spot, (agents, is_hunted)) in spots.into_iter().enumerate() {
            let cell = &buffer[(1 + spot as u16 % 40, 2 + spot as u16 / 40)];
            let shade = SHADES.iter().position(|(_, symbol, _)| *symbol == cell.symbol()).unwrap();
            darkest[shade] = darkest[shade].max(agents);
            assert_eq!(cell.fg == HUNTED, is_hunted);
        }
        // The mean is one and a quarter.
        assert_eq!(darkest[..4], [0, 0, 1, 2]);
        assert!(darkest[4] <= 5 && darkest[4] > 2, "{darkest:?}");
        assert_eq!(buffer[(41, 2)].symbol(), " ", "it is twice as wide as high");
    }
}
