//! What a run comes to.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::options::Options;
use crate::sim::{Counts, Simulation, Tick};

/// What the ticks of a run were.
#[derive(Clone, Debug)]
pub struct Record {
    budget: Duration,
    counts: Counts,
    time: Duration,
    phases: [Duration; 3],
    over_budget: u64,
    /// In nanoseconds.
    times: Histogram<u64>,
}

/// A record in figures, to be printed.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    seed: u64,
    agents: u32,
    threads: u16,
    ticks: u64,
    every: u64,
    stalled: u8,
    #[serde(flatten)]
    counts: Counts,
    checksum: String,
    tick_ms: Times,
    /// Means.
    phases_ms: Phases,
    budget_ms: f64,
    over_budget: u64,
    deliveries_per_second: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Phases {
    publish: f64,
    drain: f64,
    r#move: f64,
}

impl Record {
    /// Creates one of no tick yet.
    #[must_use]
    pub fn new(budget: Duration) -> Self {
        let times = Histogram::new(3).expect("three digits are possible");
        let (counts, time, phases) = Default::default();
        Self { budget, counts, time, phases, over_budget: 0, times }
    }

    /// Adds a tick.
    pub fn add(&mut self, tick: &Tick) {
        self.add_counts(tick.counts);
        self.time += tick.time;
        self.phases.iter_mut().zip(tick.phases).for_each(|(sum, phase)| *sum += phase);
        self.over_budget += u64::from(tick.time > self.budget);
        self.times.record(tick.time.as_nanos() as u64).expect("the histogram grows");
    }

    /// Adds what happened beside the ticks.
    pub fn add_counts(&mut self, counts: Counts) {
        self.counts = self.counts.and(counts);
    }

    /// Returns what was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns how many ticks took longer than they may.
    #[must_use]
    pub fn over_budget(&self) -> u64 {
        self.over_budget
    }

    /// Returns the time that this share of the ticks did not exceed.
    #[must_use]
    pub fn tick_time(&self, share: f64) -> Duration {
        Duration::from_nanos(self.times.value_at_quantile(share))
    }

    /// Returns the figures.
    #[must_use]
    pub fn summary(&self, options: &Options, simulation: &Simulation) -> Summary {
        let ticks = simulation.ticks();
        let [publish, drain, r#move] = self.phases.map(|sum| milliseconds(sum.div_f64(ticks.max(1) as f64)));
        let time = |share| milliseconds(self.tick_time(share));
        Summary {
            seed: options.seed,
            agents: options.agents,
            threads: options.threads,
            ticks,
            every: simulation.every(),
            stalled: options.stalled,
            counts: self.counts,
            checksum: format!("{:016x}", simulation.checksum()),
            tick_ms: Times { p50: time(0.5), p99: time(0.99), max: time(1.0) },
            phases_ms: Phases { publish, drain, r#move },
            budget_ms: milliseconds(self.budget),
            over_budget: self.over_budget,
            deliveries_per_second: (self.counts.delivered as f64 / self.time.as_secs_f64().max(1e-9)) as u64,
        }
    }
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_ranked_and_counts_added() {
        let mut record = Record::new(Duration::from_millis(16));
        for milliseconds in 1..=100 {
            let time = Duration::from_millis(milliseconds);
            let counts = Counts { delivered: 10, max_backlog: milliseconds % 7, ..Counts::default() };
            record.add(&Tick { counts, time, phases: [time / 2, time / 4, time / 4] });
        }
        record.add_counts(Counts { gaps: 1, ..Counts::default() });
        let counts = record.counts();
        assert_eq!((counts.delivered, counts.max_backlog, counts.gaps), (1000, 6, 1));
        assert_eq!(record.over_budget(), 84);
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let time = milliseconds(record.tick_time(share));
            assert!((expected..expected * 1.002).contains(&time), "{share}: {time}");
        }
    }

    #[test]
    fn a_summary_has_the_figures_in_order() {
        let options = Options { agents: 50, ..Options::default() };
        let mut simulation = Simulation::new(&options).unwrap();
        let mut record = Record::new(options.budget());
        (0..10).for_each(|_| record.add(&simulation.tick()));
        let json = serde_json::to_string(&record.summary(&options, &simulation)).unwrap();
        let begin = r#"{"seed":1,"agents":50,"threads":1,"ticks":10,"every":6,"stalled":0,"published":8"#;
        assert!(json.starts_with(begin), "{json}");
        assert!(json.contains(r#""budget_ms":16.667,"#) && !json.contains("digest"), "{json}");
    }
}
