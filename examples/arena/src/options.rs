//! What the command line says.

use std::time::Duration;

use clap::{Parser, value_parser};

/// Agents that flock and hunt by what they hear from the cells around them, each tick. Shows it in the terminal, or
/// prints a summary.
#[derive(Clone, Debug, Parser)]
#[command(name = "arena")]
pub struct Options {
    /// How many agents there are. The map has about as many cells.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub agents: u32,
    /// What chance goes by. The same seed gives the same run, whatever the number of threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many threads share the work of a tick.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// Each agent says where it is every so many ticks, not all in the same one.
    #[arg(long, value_name = "TICKS", default_value_t = 6, value_parser = value_parser!(u32).range(1..=MAX_EVERY.into()))]
    pub every: u32,
    /// How many ticks a second has: that, too, is the budget of each.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u32).range(1..=1000))]
    pub hz: u32,
    /// After how many ticks to end. Without the view, 600 if nothing is said.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub ticks: Option<u64>,
    /// How many agents of a hundred stall: they read every 600 ticks only.
    #[arg(long, value_name = "PER CENT", default_value_t = 0, value_parser = value_parser!(u8).range(0..=100))]
    pub stalled: u8,
    /// How many messages a room keeps for those who are behind.
    #[arg(long, value_name = "MESSAGES", default_value_t = 64, value_parser = value_parser!(u32).range(1..))]
    pub backlog: u32,
    /// Print a summary in JSON at the end, and nothing else. Ticks follow each other at once.
    #[arg(long)]
    pub headless: bool,
    /// Without the view, wait for each tick's time all the same.
    #[arg(long, requires = "headless")]
    pub realtime: bool,
}

/// The rarest that agents may speak.
pub const MAX_EVERY: u32 = 3600;

impl Options {
    /// Returns how long a tick may take.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_secs(1) / self.hz
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::parse_from(["arena"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_ten_thousand_agents_sixty_times_a_second() {
        let options = Options::default();
        assert_eq!((options.agents, options.every, options.threads), (10_000, 6, 1));
        assert_eq!(options.budget().as_micros(), 16_666);
        assert_eq!((options.ticks, options.headless, options.stalled), (None, false, 0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "--agents 0",
            "--agents 1000001",
            "--agents many",
            "--threads 0",
            "--threads 257",
            "--every 0",
            "--every 3601",
            "--hz 0",
            "--hz 1001",
            "--ticks 0",
            "--stalled 101",
            "--backlog 0",
            "--seed -1",
            "--realtime",
            "--nonsense",
            "nonsense",
        ] {
            let arguments = ["arena"].into_iter().chain(bad.split(' '));
            assert!(Options::try_parse_from(arguments).is_err(), "{bad}");
        }
        let good = "arena --agents 1 --threads 256 --every 1 --hz 1000 --ticks 1 --stalled 100 --headless --realtime";
        assert!(Options::try_parse_from(good.split(' ')).is_ok());
    }
}
