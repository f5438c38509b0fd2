//! A chat with many rooms, in one process: what a Socket.IO chat server is on roomcast.
//!
//! ```text
//! cargo run --release --example chat                 users, admins and a script
//! cargo run --release --example chat -- --repl       you type the commands, or pipe them in
//! cargo run --release --example chat -- --threads    eight users, each on a thread of its own
//! ```
//!
//! Read `protocol.rs` first: the events, with their types. `server.rs` is the namespace `/chat`, and
//! `admin.rs` is `/admin`: there is everything that a server needs. `user.rs` is the other side, a client in
//! the same process. `command.rs` and `console.rs` give it a command language, in which `script.rs` and
//! `repl.rs` drive it; `threads.rs` drives it from many threads and checks what arrives.

mod admin;
mod command;
mod console;
mod protocol;
mod repl;
mod script;
mod server;
mod threads;
mod user;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: chat [--repl | --threads | --help]

  (nothing)   play a script: the same output every time
  --repl      read commands from standard input (/help lists them)
  --threads   run every user on a thread of its own, and check what arrives
  --help      show this
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Script,
    Repl,
    Threads,
    Help,
}

impl Mode {
    fn parse(args: &[String]) -> Result<Self, String> {
        match args {
            [] => Ok(Self::Script),
            [flag] => match flag.as_str() {
                "--repl" => Ok(Self::Repl),
                "--threads" => Ok(Self::Threads),
                "--help" | "-h" => Ok(Self::Help),
                _ => Err(format!("unknown argument {flag:?}")),
            },
            _ => Err("one argument at most".to_owned()),
        }
    }

    fn run(self) -> Result<(), Box<dyn Error>> {
        let mut out = io::stdout().lock();
        match self {
            Self::Script => script::run(&mut out)?,
            Self::Repl => repl::run(io::stdin().lock(), &mut out, io::stdin().is_terminal())?,
            Self::Threads => threads::run(&mut out, 1000)?,
            Self::Help => out.write_all(USAGE.as_bytes())?,
        }
        Ok(out.flush()?)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into()).collect();
    let mode = match Mode::parse(&args) {
        Ok(mode) => mode,
        Err(problem) => {
            eprint!("error: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match mode.run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output (`head`, say) has seen enough.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_choose_one_mode() {
        let parse = |args: &[&str]| Mode::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parse(&[]), Ok(Mode::Script));
        assert_eq!(parse(&["--repl"]), Ok(Mode::Repl));
        assert_eq!(parse(&["--threads"]), Ok(Mode::Threads));
        assert_eq!(parse(&["--help"]), Ok(Mode::Help));
        assert_eq!(parse(&["--replay"]), Err("unknown argument \"--replay\"".to_owned()));
        assert!(parse(&["--repl", "--threads"]).is_err());
    }
}
