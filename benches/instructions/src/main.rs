//! Counts the instructions of what an engine does most, the atomic ones apart, and holds both to a baseline.
//!
//! ```text
//! cargo run --profile bench --package roomcast-instructions            # counts and compares
//! cargo run --profile bench --package roomcast-instructions -- --bless # counts and writes the baseline
//! ```
//!
//! Needs `valgrind`: each workload of `workloads.rs` runs under callgrind, in a process of its own. Times on a shared
//! machine vary by a tenth and more; these counts hardly do, so a change of 2 % either way is a change of the code. They
//! say nothing of caches and waiting: what is slow for those reasons is for `cargo bench`.
//!
//! Exit code: 0; 1 if a count is off by more than 2 %, or cannot be taken; 2 for a wrong command line. With another
//! compiler, target or C library than the baseline's, the counts are shown and nothing is held.

mod baseline;
mod callgrind;
mod workloads;

use std::process::ExitCode;

use crate::baseline::{Baseline, Tools};
use crate::workloads::WORKLOADS;

const USAGE: &str = "usage: roomcast-instructions [--bless | --run WORKLOAD]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => compare(),
        ["--bless"] => bless(),
        ["--run", name] if WORKLOADS.iter().any(|workload| workload.name == name) => {
            run(name);
            Ok(true)
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Counts, and tells whether all is as the baseline says.
fn compare() -> Result<bool, String> {
    let baseline = Baseline::read()?;
    let (tools, counts) = (Tools::here(), callgrind::count_all()?);
    let comparison = baseline.compare(&counts);
    print!("{comparison}");
    if baseline.tools != tools {
        println!("\nNothing is held: the baseline is of {}, and this is {tools}.", baseline.tools);
        return Ok(true);
    }
    if !comparison.holds() {
        println!("\nIf that is meant to be: -- --bless");
    }
    Ok(comparison.holds())
}

/// Counts, and makes that the baseline.
fn bless() -> Result<bool, String> {
    let baseline = Baseline { tools: Tools::here(), counts: callgrind::count_all()? };
    baseline.write()?;
    print!("{baseline}");
    Ok(true)
}

/// Does a workload, for callgrind to look at, and prints how many operations that were.
fn run(name: &str) {
    let workload = WORKLOADS.iter().find(|workload| workload.name == name).expect("checked");
    println!("{}", (workload.run)(workload.rounds));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_does_something() {
        for workload in WORKLOADS {
            // Each checks itself what comes of it.
            assert!((workload.run)(1) > 0, "{}", workload.name);
        }
    }

    #[test]
    fn the_baseline_is_of_these_workloads() {
        let counts = Baseline::read().unwrap().counts;
        let named: Vec<_> = counts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>());
    }
}
