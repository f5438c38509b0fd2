//! Socket.IO's server, feature by feature, in the order of its documentation: a dictionary that runs.
//!
//! ```text
//! cargo run --example socketio_tour                     everything that needs no other crate
//! cargo run --example socketio_tour --features serde    the same, and events of any `Serialize` type
//! ```
//!
//! Each function is one feature. It quotes what a Socket.IO server writes, in JavaScript, says the same here, and
//! asserts what comes of it. Modules are chapters: [`server`], [`socket`], [`middlewares`], [`client`],
//! [`emitting`], [`listening`], [`broadcasting`], [`rooms`], [`cheatsheet`], [`namespaces`], [`typed`] and, with
//! the feature, `typed_serde`. Where Socket.IO has something that is not here, a comment says so in its place.
//!
//! `io` is always the engine, `nsp` a namespace. The other side is a client in the same process, put together
//! in [`guest`]: what handlers see is noted there and asserted outside, because a panic in a handler is contained
//! and would fail nothing.

/// A chapter: its title, and its features in order.
macro_rules! chapter {
    ($title:literal: $($feature:ident),+ $(,)?) => {
        crate::Chapter { title: $title, features: &[$((stringify!($feature), $feature)),+] }
    };
}

mod broadcasting;
mod cheatsheet;
mod client;
mod emitting;
mod guest;
mod listening;
mod middlewares;
mod namespaces;
mod rooms;
mod server;
mod socket;
mod typed;
#[cfg(feature = "serde")]
mod typed_serde;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a feature returns. Assertions panic; whatever else goes wrong is an error.
type Done = Result<(), Box<dyn Error>>;

/// The name of a feature, and what shows it.
type Feature = (&'static str, fn() -> Done);

struct Chapter {
    title: &'static str,
    features: &'static [Feature],
}

const CHAPTERS: &[Chapter] = &[
    server::CHAPTER,
    socket::CHAPTER,
    middlewares::CHAPTER,
    client::CHAPTER,
    emitting::CHAPTER,
    listening::CHAPTER,
    broadcasting::CHAPTER,
    rooms::CHAPTER,
    cheatsheet::CHAPTER,
    // Not here: adapters. There is one process, and what an adapter does in memory is the engine itself.
    namespaces::CHAPTER,
    // Not here: a custom parser, and the wire protocol. A transport brings both.
    // Not here: the admin UI. What it shows is in `server::fetch_sockets` and `rooms::room_events`.
    // Not here: connection state recovery. A client that comes back has a new socket.
    typed::CHAPTER,
    #[cfg(feature = "serde")]
    typed_serde::CHAPTER,
];

/// Runs all features in order, says so, and returns how many there were.
fn run(out: &mut impl Write) -> Result<usize, Box<dyn Error>> {
    let mut count = 0;
    for chapter in CHAPTERS {
        writeln!(out, "{}", chapter.title)?;
        for (name, feature) in chapter.features {
            feature().map_err(|error| format!("{name}: {error}"))?;
            writeln!(out, "  {name}")?;
            count += 1;
        }
    }
    writeln!(out, "{count} features")?;
    Ok(count)
}

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(_) => ExitCode::SUCCESS,
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
    fn all_features_are_as_they_are_shown() {
        let mut out = Vec::new();
        let count = run(&mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().filter(|line| line.starts_with("  ")).count(), count);
        assert!(out.ends_with(&format!("\n{count} features\n")));
    }
}
