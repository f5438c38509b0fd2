//! The live view in a terminal: ticks in their time, frames between them, and what keys do.

mod map;
mod screen;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use crate::options::{MAX_EVERY, Options};
use crate::record::Record;
use crate::sim::{Simulation, Tick};

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(50);
/// How many ticks are one bar of a diagram.
const BAR: u64 = 6;
/// How many bars are kept: as many as a wide terminal shows.
const BARS: usize = 256;

/// A run that is watched.
#[derive(Debug)]
pub struct View {
    options: Options,
    simulation: Simulation,
    record: Record,
    /// The ticks of about the last second, and when each was over.
    recent: VecDeque<(Instant, Tick)>,
    bars: VecDeque<Tick>,
    paused: bool,
}

impl View {
    /// Creates one of a run that is about to begin.
    #[must_use]
    pub fn new(options: &Options, simulation: Simulation) -> Self {
        let record = Record::new(options.budget());
        let (recent, bars) = (VecDeque::new(), VecDeque::new());
        Self { options: options.clone(), simulation, record, recent, bars, paused: false }
    }

    /// Shows the run in this process's terminal until it is over or the user has seen enough, and returns what is left
    /// of it. The terminal is then as it was; so it is after a panic.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be used.
    pub fn run(mut self) -> io::Result<(Simulation, Record)> {
        let mut terminal = ratatui::try_init()?;
        let shown = self.show(&mut terminal);
        ratatui::try_restore()?;
        shown.map(|()| (self.simulation, self.record))
    }

    fn show(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let mut due = Instant::now();
        let mut drawn: Option<Instant> = None;
        loop {
            if drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
                terminal.draw(|frame| self.draw(frame))?;
                drawn = Some(Instant::now());
            }
            // A late tick is not made up for: the next ones have their time as well.
            due = Instant::now().max(due + self.options.budget());
            while event::poll(due.saturating_duration_since(Instant::now()))? {
                match event::read()? {
                    Event::Key(key) if key.is_press() && !self.press(key) => return Ok(()),
                    _ => {}
                }
                if Instant::now() >= due {
                    break; // whoever leans on a key does not stop the world
                }
            }
            if !self.paused {
                self.tick();
            }
            if self.options.ticks == Some(self.simulation.ticks()) {
                return Ok(());
            }
        }
    }

    fn tick(&mut self) {
        let tick = self.simulation.tick();
        self.record.add(&tick);
        self.recent.push_back((Instant::now(), tick));
        if self.recent.len() > self.options.hz as usize + 1 {
            self.recent.pop_front();
        }
        match self.bars.back_mut() {
            Some(bar) if self.simulation.ticks() % BAR != 1 => {
                bar.counts = bar.counts.and(tick.counts);
                bar.time = bar.time.max(tick.time);
            }
            _ => self.bars.push_back(tick),
        }
        if self.bars.len() > BARS {
            self.bars.pop_front();
        }
    }

    /// Does what a key is for, and returns whether to go on.
    fn press(&mut self, key: KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return key.code != KeyCode::Char('c');
        }
        let every = self.simulation.every();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char(' ') => {
                self.paused = !self.paused;
                self.recent.clear(); // the pause is no time that ticks took
            }
            KeyCode::Char('+' | '=') => self.simulation.set_every(every - 1),
            KeyCode::Char('-') => self.simulation.set_every((every + 1).min(MAX_EVERY.into())),
            _ => {}
        }
        true
    }

    /// How many ticks, and how many deliveries, there were in each of the last seconds.
    fn rates(&self) -> (f64, f64) {
        let (Some((first, _)), Some((last, _))) = (self.recent.front(), self.recent.back()) else {
            return (0.0, 0.0);
        };
        let seconds = (*last - *first).as_secs_f64().max(1e-9);
        let ticks = self.recent.iter().skip(1);
        let delivered: u64 = ticks.clone().map(|(_, tick)| tick.counts.delivered).sum();
        (ticks.count() as f64 / seconds, delivered as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(arguments: &str) -> View {
        let options = clap::Parser::parse_from(["arena"].into_iter().chain(arguments.split(' ')));
        View::new(&options, Simulation::new(&options).unwrap())
    }

    #[test]
    fn keys_pause_change_how_often_agents_speak_and_end() {
        let mut view = view("--agents 20 --every 2");
        let mut press = |code, modifiers| {
            let goes_on = view.press(KeyEvent::new(code, modifiers));
            (goes_on, view.paused, view.simulation.every())
        };
        let plain = KeyModifiers::NONE;
        assert_eq!(press(KeyCode::Char(' '), plain), (true, true, 2));
        assert_eq!(press(KeyCode::Char(' '), plain), (true, false, 2));
        assert_eq!(press(KeyCode::Char('-'), plain), (true, false, 3));
        assert_eq!(press(KeyCode::Char('+'), KeyModifiers::SHIFT), (true, false, 2));
        assert_eq!(press(KeyCode::Char('='), plain), (true, false, 1));
        assert_eq!(press(KeyCode::Char('+'), plain), (true, false, 1));
        assert_eq!(press(KeyCode::Char('c'), plain), (true, false, 1));
        assert_eq!(press(KeyCode::Char(' '), KeyModifiers::CONTROL), (true, false, 1));
        for (code, modifiers) in
            [(KeyCode::Char('q'), plain), (KeyCode::Esc, plain), (KeyCode::Char('c'), KeyModifiers::CONTROL)]
        {
            assert_eq!(press(code, modifiers), (false, false, 1));
        }
    }

    #[test]
    fn rates_and_bars_are_of_the_last_ticks() {
        let mut view = view("--agents 20 --every 1 --hz 10");
        assert_eq!(view.rates(), (0.0, 0.0));
        (0..25).for_each(|_| view.tick());
        assert_eq!(view.recent.len(), 11);
        // One published message each, and at least that: deliveries in a bar are those of its ticks.
        let published: Vec<_> = view.bars.iter().map(|bar| bar.counts.published).collect();
        assert_eq!(published, [120, 120, 120, 120, 20]);
        let (start, tick) = (Instant::now(), view.recent[0].1);
        let delivered = |delivered| Tick { counts: crate::sim::Counts { delivered, ..tick.counts }, ..tick };
        view.recent =
            (0..5).map(|n| (start + Duration::from_millis(100) * n, delivered(u64::from(n)))).collect();
        let (ticks, deliveries) = view.rates();
        assert!((ticks - 10.0).abs() < 1e-6 && (deliveries - 25.0).abs() < 1e-6, "{ticks} {deliveries}");
        (0..BAR as usize * (BARS + 9)).for_each(|_| view.tick());
        assert_eq!(view.bars.len(), BARS);
    }
}
