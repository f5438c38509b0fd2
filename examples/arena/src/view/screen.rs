//! What the screen shows: the map, and beside it figures and diagrams of the last seconds.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline};

use super::View;
use super::map::Map;
use crate::sim::Tick;

/// How wide the figures are.
const FIGURES: u16 = 40;

impl View {
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [main, keys] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        // The map is a square, and a character twice as high as wide.
        let map = Constraint::Length(main.width.saturating_sub(FIGURES).min(main.height.saturating_mul(2)));
        let [map, side] = Layout::horizontal([map, Constraint::Length(FIGURES)]).areas(main);
        let block = Block::bordered().title(" arena ");
        frame.render_widget(
            Map { grid: self.simulation.grid(), bodies: self.simulation.bodies() },
            block.inner(map),
        );
        frame.render_widget(block, map);
        self.draw_side(frame, side);
        frame.render_widget(Line::from(" q quit   space pause   + - speak more, less often").dim(), keys);
    }

    fn draw_side(&self, frame: &mut Frame<'_>, area: Rect) {
        let graph = Constraint::Min(3);
        let [head, deliveries, times, backlog, sums] =
            Layout::vertical([Constraint::Length(4), graph, graph, graph, Constraint::Length(8)]).areas(area);
        let (ticks_per_second, deliveries_per_second) = self.rates();
        frame.render_widget(Paragraph::new(self.head(ticks_per_second)), head);

        let title = format!(" {} deliveries a second ", grouped(deliveries_per_second as u64));
        self.draw_graph(frame, deliveries, title, |bar| bar.counts.delivered, None);

        let budget = self.options.budget();
        let latest = self.recent.back().map_or(Duration::ZERO, |(_, tick)| tick.time);
        let p99 = self.record.tick_time(0.99);
        let title = format!(" tick {}, p99 {} of {} ms ", tenths(latest), tenths(p99), tenths(budget));
        let is_over = self.bars.back().is_some_and(|bar| bar.time > budget);
        let colour = if is_over { Color::Indexed(203) } else { Color::Indexed(71) };
        let microseconds = |bar: &Tick| bar.time.as_micros() as u64;
        self.draw_graph(frame, times, title, microseconds, Some((budget.as_micros() as u64, colour)));

        let most = self.recent.back().map_or(0, |(_, tick)| tick.counts.max_backlog);
        let title = format!(" backlog {most}, {} kept in rooms ", grouped(self.simulation.retained()));
        self.draw_graph(frame, backlog, title, |bar| bar.counts.max_backlog, None);
        frame.render_widget(Paragraph::new(self.sums()), sums);
    }

    fn head(&self, ticks_per_second: f64) -> Vec<Line<'static>> {
        let options = &self.options;
        let pause = if self.paused { ", paused" } else { "" };
        let rooms = self.simulation.grid().cells();
        let threads =
            if options.threads == 1 { "1 thread".into() } else { format!("{} threads", options.threads) };
        vec![
            format!(" {} agents, {} rooms", grouped(options.agents.into()), grouped(rooms as u64)).into(),
            format!(" {threads}, seed {}", options.seed).into(),
            format!(" each speaks every {} ticks", self.simulation.every()).into(),
            format!(" tick {}, {ticks_per_second:.0} a second{pause}", grouped(self.simulation.ticks()))
                .into(),
        ]
    }

    fn sums(&self) -> Vec<Line<'static>> {
        let counts = self.record.counts();
        [
            ("published", counts.published),
            ("delivered", counts.delivered),
            ("joins", counts.joins),
            ("leaves", counts.leaves),
            ("gaps", counts.gaps),
            ("missed", counts.missed),
            ("over budget", self.record.over_budget()),
        ]
        .map(|(name, count)| format!(" {name:<12}{:>20}", grouped(count)).into())
        .into()
    }

    /// Draws the last bars, as many as there is room for, up to a figure or to the highest.
    fn draw_graph(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        title: String,
        figure: fn(&Tick) -> u64,
        limit: Option<(u64, Color)>,
    ) {
        let block = Block::bordered().title(title);
        let hidden = self.bars.len().saturating_sub(block.inner(area).width.into());
        let figures: Vec<u64> = self.bars.iter().skip(hidden).map(figure).collect();
        let (top, colour) = limit.unwrap_or((0, Color::Indexed(38)));
        let top = top.max(figures.iter().copied().max().unwrap_or(0));
        let graph = Sparkline::default().data(figures).max(top).style(Style::new().fg(colour)).block(block);
        frame.render_widget(graph, area);
    }
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn tenths(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::*;
    use crate::options::Options;
    use crate::sim::Simulation;

    fn view() -> View {
        let options = Options { agents: 2500, threads: 2, seed: 42, ..Options::default() };
        View::new(&options, Simulation::new(&options).unwrap())
    }

    fn drawn(view: &View, width: u16, height: u16) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().clone()
    }

    #[test]
    fn the_screen_shows_the_map_and_what_was_counted() {
        let mut view = view();
        (0..120).for_each(|_| view.tick());
        let counts = view.record.counts();
        let shown = drawn(&view, 100, 30).to_string();
        for expected in [
            " 2,500 agents, 2,500 rooms",
            " 2 threads, seed 42",
            " each speaks every 6 ticks",
            " tick 120, ",
            "deliveries a second",
            " of 16.7 ms ",
            " kept in rooms ",
            "q quit",
        ] {
            assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
        }
        for (name, count) in
            [("published", counts.published), ("delivered", counts.delivered), ("joins", counts.joins)]
        {
            let line = shown.lines().find(|line| line.contains(name)).unwrap();
            assert!(count > 0 && line.contains(&grouped(count)), "{line}");
        }
        for drawn in ["░", "▒", "▓", "█", "▁"] {
            assert!(shown.contains(drawn), "{drawn} is not in\n{shown}");
        }
        assert!(!shown.contains("paused"));
        view.press(KeyCode::Char(' ').into());
        assert!(drawn(&view, 100, 30).to_string().contains("a second, paused"));
    }

    #[test]
    fn any_size_will_do() {
        let mut view = view();
        for size in [(0, 0), (1, 1), (2, 9), (39, 3), (41, 24), (80, 24), (300, 8), (300, 120)] {
            drawn(&view, size.0, size.1);
            view.tick();
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
