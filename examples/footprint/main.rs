//! What an idle world takes in memory: sockets in rooms, and nothing going on. Beside it the same world as one writes
//! it by hand.
//!
//! ```text
//! cargo run --release --example footprint [-- --sockets N] [--rooms N] [--per-socket N] [--json]
//! ```
//!
//! Each system is measured in a process of its own: live bytes exactly, by an allocator that counts, and resident bytes
//! as the operating system has them, on Linux: they include what the allocator takes around each block and keeps for
//! later. `measure.rs` says what is measured, `systems.rs` what the others do less than this crate.
//!
//! It also makes sure of what this crate states: payloads that everybody has read are gone when their segment is
//! passed, an idle room keeps one segment at most, and in the end everything is given back, to the byte. Exit code: 0;
//! 1 if that is not so; 2 for a wrong command line.

#[path = "../../tests/common/counting.rs"]
mod counting;
mod measure;
mod promises;
mod report;
mod systems;

use std::process::{Command, ExitCode, Stdio};

use crate::measure::{Size, measure};
use crate::report::Report;
use crate::systems::{Push, Roomcast, System, TokioBroadcast, TunedPush};

const USAGE: &str = "\
Usage: footprint [--sockets N] [--rooms N] [--per-socket N] [--json]

Bytes per idle socket, membership, room and unread message, of this crate and of
what one writes by hand.

  --sockets N     how many sockets there are; 200000 unless given
  --rooms N       how many rooms; 20000 unless given
  --per-socket N  in how many of them each socket is; 10 unless given
  --json          a line of JSON for each system in place of a table

Exit code: 0, 1 if something stated does not hold, 2 for a wrong command line.
";

const SYSTEMS: [&str; 4] = [Roomcast::ID, Push::ID, TunedPush::ID, TokioBroadcast::ID];

#[derive(Debug)]
struct Request {
    size: Size,
    as_json: bool,
    /// Measure this one here, rather than each in a process of its own.
    system: Option<String>,
}

fn main() -> ExitCode {
    let request = match Request::from_args(std::env::args().skip(1)) {
        Ok(Some(request)) => request,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprint!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Some(system) = &request.system {
        let report = report_on(system, request.size);
        println!("{}", serde_json::to_string(&report).expect("names and numbers"));
        return ExitCode::SUCCESS;
    }
    let reports: Vec<Report> = SYSTEMS.iter().map(|system| in_a_process(system, request.size)).collect();
    if request.as_json {
        for report in &reports {
            println!("{}", serde_json::to_string(report).expect("names and numbers"));
        }
    } else {
        let Size { sockets, rooms, per_socket } = request.size;
        println!("{sockets} sockets, each in {per_socket} of {rooms} rooms. Live bytes (resident ones):\n");
        print!("{}", report::table(&reports));
    }
    let broken: Vec<&String> = reports.iter().flat_map(|report| &report.broken).collect();
    broken.iter().for_each(|broken| eprintln!("does not hold: {broken}"));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report_on(system: &str, size: Size) -> Report {
    match system {
        Roomcast::ID => {
            let mut report = measure::<Roomcast>(size);
            promises::check(&mut report);
            report
        }
        Push::ID => measure::<Push>(size),
        TunedPush::ID => measure::<TunedPush>(size),
        _ => measure::<TokioBroadcast>(size),
    }
}

/// Measures a system in a process in which nothing else has been.
fn in_a_process(system: &str, size: Size) -> Report {
    let program = std::env::current_exe().expect("this program is somewhere");
    let [sockets, rooms, per_socket] =
        [size.sockets, size.rooms, size.per_socket].map(|size| size.to_string());
    let output = Command::new(program)
        .args(["--system", system, "--sockets", &sockets, "--rooms", &rooms, "--per-socket", &per_socket])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be started");
    assert!(output.status.success(), "{system}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("a report")
}

impl Request {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let size = Size { sockets: 200_000, rooms: 20_000, per_socket: 10 };
        let mut request = Self { size, as_json: false, system: None };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` takes a value"));
            let number = |text: String| {
                text.parse().map_err(|_| format!("`{text}` is no number")).and_then(|number| match number {
                    0 => Err(format!("`{arg}` is at least 1")),
                    number => Ok(number),
                })
            };
            match arg.as_str() {
                "-h" | "--help" => return Ok(None),
                "--json" => request.as_json = true,
                "--sockets" => request.size.sockets = number(value()?)?,
                "--rooms" => request.size.rooms = number(value()?)?,
                "--per-socket" => request.size.per_socket = number(value()?)?,
                "--system" => request.system = Some(value()?),
                _ => return Err(format!("unknown option `{arg}`")),
            }
        }
        if let Some(system) = request.system.as_ref().filter(|system| !SYSTEMS.contains(&system.as_str())) {
            return Err(format!("no system `{system}`"));
        }
        let Size { rooms, per_socket, .. } = request.size;
        if per_socket > rooms {
            return Err(format!("a socket cannot be in {per_socket} of {rooms} rooms"));
        }
        Ok(Some(request))
    }
}
