//! From emit to receive, between threads: how long it takes, at its worst too.
//!
//! ```text
//! cargo bench --bench latency                                 # everything, some minutes
//! cargo bench --bench latency -- load stalled --seconds 20    # these scenarios, for longer
//! ```
//!
//! One thread publishes at fixed times, another reads all sockets and takes the time of each message from when it was
//! *due*: so a publisher that is held up hides nothing (what is called coordinated omission). Every system has the same
//! load, in turn, in slices of a second or so and several rounds: a bad moment of the machine is in one slice, and figures
//! are medians of the rounds. `clock` is the control: threads that only read the clock, and how late they are to see what
//! time it is. What a system's figures are beyond that, it adds itself.
//!
//! Is anybody slow because somebody else is? `stalled` and `churn` are `load` with one thing more, to be held against
//! `load`; and against `elsewhere`, as a third thread takes a core's time wherever it works. Measure on an idle machine:
//! readers and publishers never sleep, and every other program takes time from one of them.
//!
//! Messages have 64 bytes. What a system does that differs is said in `latency/systems.rs`, and in `fanout/systems.rs`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::report::Report;
use crate::slice::{Beside, Load, Pace, Reader, Slice};
use crate::systems::{Push, Roomcast, System, TokioBroadcast};

#[path = "latency/report.rs"]
mod report;
#[path = "latency/slice.rs"]
mod slice;
#[path = "latency/systems.rs"]
mod systems;

/// How often each system has a turn in each scenario.
const ROUNDS: usize = 5;

/// Messages a second, where readers have little to do.
const CALM_RATE: f64 = 5_000.0;

/// Which share of what the slowest system can take is near saturation.
const LOADED_SHARE: f64 = 0.5;

const SCENARIOS: [Scenario; 7] = {
    use Reader::{Polls, Sleeps};
    use Shape::{Few, Many, One};
    [
        scenario("polling", One, Polls, Beside::Nothing, "one socket, whose reader polls"),
        scenario("sleeping", One, Sleeps, Beside::Nothing, "one socket, whose reader sleeps"),
        scenario("calm", Few, Polls, Beside::Nothing, "a steady rate"),
        scenario("load", Many, Polls, Beside::Nothing, "half of what the slowest can take"),
        scenario("stalled", Many, Polls, Beside::Stalled, "load, and a socket that never reads"),
        scenario("churn", Many, Polls, Beside::Churn, "load, and a thread that joins and leaves these rooms"),
        scenario("elsewhere", Many, Polls, Beside::Elsewhere, "load, and that thread in another instance"),
    ]
};

type Run = fn(&Load, &Pace) -> Slice;

const SYSTEMS: [(&str, Run); 4] = [
    ("clock", slice::clock),
    (Roomcast::ID, slice::run::<Roomcast>),
    (Push::ID, slice::run::<Push>),
    (TokioBroadcast::ID, slice::run::<TokioBroadcast>),
];

struct Scenario {
    name: &'static str,
    about: &'static str,
    shape: Shape,
    reader: Reader,
    beside: Beside,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A room with one socket.
    One,
    /// A hundred sockets in 10 rooms.
    Few,
    /// A thousand sockets in 100 rooms.
    Many,
}

/// Measures the time from emit to receive between threads, and writes it to `target/latency`.
#[derive(Parser)]
struct Options {
    /// The scenarios to run: all, if none is named.
    #[arg(value_parser = PossibleValuesParser::new(SCENARIOS.map(|scenario| scenario.name)))]
    scenarios: Vec<String>,
    /// For how long each system is measured in each scenario.
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    seconds: f64,
    /// Messages a second, in every scenario.
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Runs everything for a moment, for its checks, and writes nothing. So does a call without `--bench`.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool, // cargo adds it
}

impl Options {
    fn is_test(&self) -> bool {
        self.test || !self.bench
    }

    fn has(&self, scenario: &Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == scenario.name)
    }
}

const fn scenario(
    name: &'static str,
    shape: Shape,
    reader: Reader,
    beside: Beside,
    about: &'static str,
) -> Scenario {
    Scenario { name, about, shape, reader, beside }
}

impl Scenario {
    fn load(&self, is_test: bool) -> Load {
        // Limits are seconds away: what holds up a reader for as long is not the machine's noise.
        let (rooms, sockets, rooms_each, backlog) = match self.shape {
            Shape::One if !is_test => (1, 1, 1, 16_384),
            Shape::Few if !is_test => (10, 100, 4, 2048),
            Shape::Many if !is_test => (100, 1000, 4, 2048),
            Shape::One => (1, 1, 1, 256),
            Shape::Few | Shape::Many => (10, 100, 4, 256),
        };
        Load { rooms, sockets, rooms_each, backlog, reader: self.reader, beside: self.beside }
    }
}

/// Measures what the slowest system can take of this load, in messages a second.
fn capacity(load: &Load) -> f64 {
    let pace = Pace { messages: load.most_unread(), period: Duration::ZERO };
    let systems = SYSTEMS.iter().filter(|(id, _)| *id != "clock");
    let slowest = systems.map(|(_, run)| {
        let mut tries = [0; 3].map(|_| run(load, &pace).elapsed);
        tries.sort_unstable();
        tries[1]
    });
    pace.messages as f64 / slowest.max().expect("there are systems").as_secs_f64()
}

fn main() -> ExitCode {
    let options = Options::parse();
    let is_test = options.is_test();
    let (rounds, seconds) = if is_test { (1, 0.05) } else { (ROUNDS, options.seconds / ROUNDS as f64) };
    let chosen: Vec<_> = SCENARIOS.iter().filter(|scenario| options.has(scenario)).collect();

    let loaded = chosen.iter().find(|scenario| scenario.shape == Shape::Many);
    let loaded_rate = options.rate.or_else(|| {
        let load = Load { beside: Beside::Nothing, ..loaded?.load(is_test) };
        Some(LOADED_SHARE * capacity(&load))
    });
    let pace = |scenario: &Scenario| {
        // In a test none can be lost, whoever is held up.
        let most = if is_test { scenario.load(is_test).most_unread() } else { u64::MAX };
        let rate = if scenario.shape == Shape::Many { loaded_rate } else { options.rate };
        let rate = rate.unwrap_or(CALM_RATE);
        Pace {
            messages: most.min((rate * seconds).ceil() as u64),
            period: Duration::from_secs_f64(1.0 / rate),
        }
    };

    // All take turns, so that what is compared is near in time.
    let mut slices: Vec<_> = chosen.iter().map(|_| SYSTEMS.map(|_| Vec::new())).collect();
    for round in 1..=rounds {
        for (scenario, slices) in chosen.iter().zip(&mut slices) {
            eprint!("\rround {round} of {rounds}: {:16}", scenario.name);
            for ((_, run), slices) in SYSTEMS.iter().zip(slices) {
                slices.push(run(&scenario.load(is_test), &pace(scenario)));
            }
        }
    }
    eprintln!();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("latency");
    for (scenario, slices) in chosen.iter().zip(&slices) {
        let mut report =
            Report::new(scenario.name, scenario.about, &scenario.load(is_test), &pace(scenario), rounds);
        for ((id, _), slices) in SYSTEMS.iter().zip(slices) {
            report.add(id, slices);
        }
        report.print();
        if !is_test {
            match report.write(&folder) {
                Ok(path) => println!("  written to {}", path.display()),
                Err(error) => {
                    eprintln!("error: {}: {error}", folder.display());
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("not more than 0".into()) }
}
