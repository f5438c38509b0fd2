//! Runs the simulation, in the terminal's view or without.

use std::error::Error;
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Instant;

use arena::options::Options;
use arena::record::Record;
use arena::sim::Simulation;
use arena::view::View;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

/// How many ticks there are without a view, if nothing is said.
const TICKS: u64 = 600;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.headless && !stdout().is_terminal() {
        let message = "there is no terminal to show it in: --headless prints a summary";
        Options::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let simulation = Simulation::new(options)?;
    let (mut simulation, mut record) = if options.headless {
        headless(options, simulation)
    } else {
        View::new(options, simulation).run()?
    };
    record.add_counts(simulation.finish());
    println!("{}", serde_json::to_string(&record.summary(options, &simulation))?);
    Ok(())
}

fn headless(options: &Options, mut simulation: Simulation) -> (Simulation, Record) {
    let mut record = Record::new(options.budget());
    let mut due = Instant::now();
    for _ in 0..options.ticks.unwrap_or(TICKS) {
        record.add(&simulation.tick());
        if options.realtime {
            // A late tick is not made up for: the next ones have their time as well.
            due = Instant::now().max(due + options.budget());
            sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    (simulation, record)
}
