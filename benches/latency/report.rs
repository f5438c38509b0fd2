//! What comes out: a table, and a file for each scenario.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::slice::{Load, Pace, Slice, histogram};

const QUANTILES: [f64; 4] = [0.5, 0.99, 0.999, 1.0];

/// Everything that was measured in one scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    about: &'static str,
    messages_per_second: f64,
    readers_per_message: usize,
    rooms: usize,
    sockets: usize,
    rooms_each: usize,
    backlog: usize,
    seconds: f64,
    rows: Vec<Row>,
}

/// What one system came to.
#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    /// Joins with their leaves beside, in a second.
    visits_per_second: f64,
    /// How many latencies were recorded.
    count: u64,
    /// Medians of the rounds: one bad moment of the machine is in one round.
    #[serde(flatten)]
    median: Figures,
    /// Of the round in which it was least, and of that in which it was most.
    max_ns_least: u64,
    max_ns_most: u64,
    rounds: Vec<Figures>,
    /// Of all rounds together: shares of the latencies, and what those are at most.
    curve: Vec<(f64, u64)>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
}

impl Report {
    pub(crate) fn new(
        scenario: &'static str,
        about: &'static str,
        load: &Load,
        pace: &Pace,
        rounds: usize,
    ) -> Self {
        Self {
            scenario,
            about,
            messages_per_second: 1.0 / pace.period.as_secs_f64(),
            readers_per_message: load.readers(),
            rooms: load.rooms,
            sockets: load.sockets,
            rooms_each: load.rooms_each,
            backlog: load.backlog,
            seconds: (pace.period * pace.messages as u32 * rounds as u32).as_secs_f64(),
            rows: Vec::new(),
        }
    }

    /// Adds what a system came to, round by round.
    pub(crate) fn add(&mut self, id: &'static str, slices: &[Slice]) {
        let rounds: Vec<_> = slices.iter().map(|slice| Figures::of(&slice.latency)).collect();
        let mut all = histogram();
        slices.iter().for_each(|slice| all.add(&slice.latency).expect("of the same bounds"));
        let elapsed: Duration = slices.iter().map(|slice| slice.elapsed).sum();
        let visits: u64 = slices.iter().map(|slice| slice.visits).sum();
        self.rows.push(Row {
            id,
            visits_per_second: visits as f64 / elapsed.as_secs_f64(),
            count: all.len(),
            median: Figures::median(&rounds),
            max_ns_least: rounds.iter().map(|round| round.max_ns).min().expect("there are rounds"),
            max_ns_most: rounds.iter().map(|round| round.max_ns).max().expect("there are rounds"),
            curve: all
                .iter_quantiles(4)
                .map(|it| (it.quantile_iterated_to(), it.value_iterated_to()))
                .collect(),
            rounds,
        });
    }

    /// Writes it to a file of its own in this folder, and returns where that is.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(self.scenario).with_extension("json");
        fs::write(&path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(path)
    }

    pub(crate) fn print(&self) {
        println!(
            "\n{}: {}\n  {:.0} messages a second, each to {} of {} sockets in {} rooms",
            self.scenario,
            self.about,
            self.messages_per_second,
            self.readers_per_message,
            self.sockets,
            self.rooms
        );
        let heads = ["p50", "p99", "p99.9", "max", "least max", "most"];
        println!("  {:16}{}", "", heads.map(|head| format!("{head:>12}")).concat());
        for Row { id, median, max_ns_least, max_ns_most, visits_per_second, .. } in &self.rows {
            let cells =
                [median.p50_ns, median.p99_ns, median.p999_ns, median.max_ns, *max_ns_least, *max_ns_most];
            print!("  {id:16}{}", cells.map(|ns| format!("{:>12}", time(ns))).concat());
            if *visits_per_second > 0.0 {
                print!("   {visits_per_second:.0} visits a second");
            }
            println!();
        }
    }
}

impl Figures {
    fn of(latency: &Histogram<u64>) -> Self {
        let [p50_ns, p99_ns, p999_ns, max_ns] = QUANTILES.map(|quantile| latency.value_at_quantile(quantile));
        Self { p50_ns, p99_ns, p999_ns, max_ns }
    }

    fn median(rounds: &[Self]) -> Self {
        let median = |figure: fn(&Self) -> u64| {
            let mut figures: Vec<_> = rounds.iter().map(figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        };
        Self {
            p50_ns: median(|it| it.p50_ns),
            p99_ns: median(|it| it.p99_ns),
            p999_ns: median(|it| it.p999_ns),
            max_ns: median(|it| it.max_ns),
        }
    }
}

/// Nanoseconds, to three digits.
fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        _ => (ns as f64 / 1e6, "ms"),
    };
    let digits = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.digits$} {unit}")
}
