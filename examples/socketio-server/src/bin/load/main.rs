//! A load of real clients for a Socket.IO server on this machine: they join rooms of its chat, all speak, and each
//! checks all that it gets.

mod client;
mod http;
mod inbound;
mod loopback;
mod options;
mod packet;
mod plan;
mod polling;
mod process;
mod progress;
mod report;
mod run;
mod transport;
mod websocket;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    match run::run(&options) {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).expect("a report is plain data"));
            for problem in report.problems() {
                eprintln!("failed: {problem}");
            }
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
