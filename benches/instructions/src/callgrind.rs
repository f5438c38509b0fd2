//! Runs workloads under callgrind, which counts every instruction.

use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::workloads::{WORKLOADS, Workload};

/// What one operation takes, by workload.
pub(crate) type Counts = Vec<(String, Count)>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) instructions: f64,
    /// Those that read and write memory in one step: each costs as much as tens of others, and more when threads meet.
    pub(crate) atomics: f64,
}

/// Counts all workloads, in their order, as many at a time as there are processors.
pub(crate) fn count_all() -> Result<Counts, String> {
    let left = Mutex::new(WORKLOADS.iter().enumerate());
    let counted = Mutex::new(Vec::new());
    let processors = thread::available_parallelism().map_or(1, |number| number.get());
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                loop {
                    let Some((place, workload)) = left.lock().expect("no panic").next() else { break };
                    let count = count(workload);
                    counted.lock().expect("no panic").push((place, workload.name.to_owned(), count));
                }
            });
        }
    });
    let mut counted = counted.into_inner().expect("no panic");
    counted.sort_by_key(|(place, ..)| *place);
    counted.into_iter().map(|(_, name, count)| Ok((name, count?))).collect()
}

/// Counts one operation: what happens inside of [`counted_section`](crate::workloads::counted_section) alone.
fn count(workload: &Workload) -> Result<Count, String> {
    let program = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-bus=yes"])
        .arg("--toggle-collect=*counted_section*")
        .arg(program)
        .args(["--run", workload.name])
        // The C library's allocator keeps what is freed for the next of that size, however much it is: what it does
        // beyond depends on where things happen to lie.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=60000")
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} under callgrind: {}\n{said}", workload.name, output.status));
    }
    let operations = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().ok();
    match (collected(&said), operations) {
        (Some((instructions, atomics)), Some(operations)) if instructions > 0.0 => {
            Ok(Count { instructions: instructions / operations, atomics: atomics / operations })
        }
        _ => Err(format!("{} under callgrind says nothing of what it counted:\n{said}", workload.name)),
    }
}

/// The numbers in callgrind's last words: `==123== Collected : 456 7`, of instructions and of those that are atomic.
fn collected(said: &str) -> Option<(f64, f64)> {
    said.lines().find(|line| line.contains("Events    : Ir Ge"))?;
    let numbers = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    let mut numbers = numbers.split_whitespace();
    // It leaves out the second if that is 0.
    Some((numbers.next()?.parse().ok()?, numbers.next().unwrap_or("0").parse().ok()?))
}
