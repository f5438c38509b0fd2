//! What has happened so far, over all clients.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Three digits of every duration.
const DIGITS: u8 = 3;

#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) connected: Counter,
    pub(crate) joined: Counter,
    pub(crate) said: Counter,
    pub(crate) delivered: Counter,
    /// Events other than messages: who comes and goes.
    pub(crate) noticed: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    /// From opening a connection to being in the namespace.
    pub(crate) connecting: Durations,
    /// From saying something to hearing it.
    pub(crate) latency: Durations,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations, counted in microseconds.
#[derive(Debug)]
pub(crate) struct Durations(Mutex<Histogram<u64>>);

impl Durations {
    pub(crate) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().expect("nothing panics with it").saturating_record(micros);
    }

    /// Returns the milliseconds within which this share of them was. 0 if there are none.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.lock().expect("nothing panics with it").value_at_quantile(quantile) as f64 / 1e3
    }
}

impl Default for Durations {
    fn default() -> Self {
        let hour = Duration::from_secs(3600).as_micros() as u64;
        Self(Mutex::new(Histogram::new_with_bounds(1, hour, DIGITS).expect("the bounds are good ones")))
    }
}
