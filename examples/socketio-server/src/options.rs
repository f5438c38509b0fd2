//! What the command line says.

use std::time::Duration;

use clap::Parser;

const MAX_MILLISECONDS: u64 = i32::MAX as u64;

/// A Socket.IO server on roomcast. Without a mode it serves a chat, and a page to chat in.
#[derive(Clone, Debug, Parser)]
#[command(name = "socketio-server")]
pub struct Options {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// From one ping to the next, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "25000", value_parser = milliseconds)]
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "20000", value_parser = milliseconds)]
    pub ping_timeout: Duration,
    /// How long a client may take to connect to a namespace, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "45000", value_parser = milliseconds)]
    pub connect_timeout: Duration,
    /// How long a client whose connection is lost may take to come back to its session, in milliseconds; without it none is
    /// kept.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub recovery: Option<Duration>,
    /// How many bytes a client may send at a time.
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000)]
    pub max_payload: usize,
    /// Serve what the protocol's test suite expects, in place of the chat.
    #[arg(long, conflicts_with = "engine_only")]
    pub conformance: bool,
    /// Serve Engine.IO alone, and send every message back.
    #[arg(long)]
    pub engine_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self::parse_from(["socketio-server"])
    }
}

/// As long as a timer of a browser can be set.
fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(milliseconds @ 1..=MAX_MILLISECONDS) => Ok(Duration::from_millis(milliseconds)),
        _ => Err(format!("not a number from 1 to {MAX_MILLISECONDS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_defaults_are_the_protocols() {
        let options = Options::default();
        assert_eq!((options.port, options.max_payload), (3000, 1_000_000));
        let figures = [options.ping_interval, options.ping_timeout, options.connect_timeout];
        assert_eq!(figures, [25, 20, 45].map(Duration::from_secs));
        let given = Options::try_parse_from(["", "--ping-timeout", "200", "--engine-only"]).unwrap();
        assert_eq!((given.ping_timeout, given.engine_only), (Duration::from_millis(200), true));
        assert!(Options::try_parse_from(["", "--engine-only", "--conformance"]).is_err());
        for bad in ["soon", "0", "-1", "2147483648", "1.5", ""] {
            assert!(Options::try_parse_from(["", "--ping-interval", bad]).is_err(), "{bad}");
        }
    }
}
