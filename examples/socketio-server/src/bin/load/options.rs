//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser};

/// Opens many clients on a Socket.IO chat server on this machine, has all of them speak, and checks that every
/// message reaches everybody whom it is for exactly once and in order. Prints a line of JSON, and exits with 1
/// unless all is well.
#[derive(Clone, Debug, Parser)]
#[command(version, group = ArgGroup::new("server").required(true))]
pub(crate) struct Options {
    /// The server's address, such as `http://127.0.0.1:3000`. Only loopback addresses are taken.
    #[arg(long, group = "server")]
    pub(crate) url: Option<String>,
    /// The server's program, to be started for this run on a free port.
    #[arg(long, group = "server", value_name = "PATH")]
    pub(crate) start: Option<PathBuf>,
    /// How many clients there are.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) clients: u32,
    /// How many rooms they are spread over.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rooms: u32,
    /// How many rooms each client is in.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rooms_each: u32,
    /// How many messages each client sends.
    #[arg(long, default_value_t = 10)]
    pub(crate) messages: u32,
    /// How many messages are sent in a second, by all clients together.
    #[arg(long, default_value_t = 1000.0, value_parser = positive)]
    pub(crate) rate: f64,
    /// Which share of the clients uses long-polling instead of WebSocket, from 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(crate) polling_share: f64,
    /// How many clients may be connecting and joining at the same time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ramp: u32,
    /// After how many seconds it is over, whatever happens.
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

impl Options {
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("not more than 0".into()) }
}

fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("not from 0 to 1".into()) }
}
