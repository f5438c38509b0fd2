//! What comes out of a run.

use std::time::Duration;

use serde::Serialize;

use crate::options::Options;
use crate::process::Usage;
use crate::progress::Progress;

/// The outcome of a run, and its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    ok: bool,
    clients: u32,
    polling_share: f64,
    rooms: u32,
    rooms_each: u32,
    rate: f64,
    connected: u64,
    connect_seconds: f64,
    connect_p50_ms: f64,
    connect_p99_ms: f64,
    speak_seconds: f64,
    messages: u64,
    deliveries: u64,
    expected: u64,
    deliveries_per_second: f64,
    latency_p50_ms: f64,
    latency_p99_ms: f64,
    latency_p999_ms: f64,
    latency_max_ms: f64,
    other_events: u64,
    received_bytes: u64,
    sent_bytes: u64,
    #[serde(flatten)]
    usage: Option<Usage>,
    problems: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        progress: &Progress,
        expected: u64,
        connecting: Duration,
        speaking: Duration,
        usage: Option<Usage>,
        mut problems: Vec<String>,
    ) -> Self {
        let Options { clients, polling_share, rooms, rooms_each, rate, .. } = *options;
        let deliveries = progress.delivered.get();
        if deliveries != expected {
            problems.push(format!("{deliveries} deliveries, where {expected} were due"));
        }
        let speak_seconds = speaking.as_secs_f64();
        Self {
            ok: problems.is_empty(),
            clients,
            polling_share,
            rooms,
            rooms_each,
            rate,
            connected: progress.connected.get(),
            connect_seconds: connecting.as_secs_f64(),
            connect_p50_ms: progress.connecting.quantile_ms(0.5),
            connect_p99_ms: progress.connecting.quantile_ms(0.99),
            speak_seconds,
            messages: progress.said.get(),
            deliveries,
            expected,
            deliveries_per_second: if speak_seconds > 0.0 { deliveries as f64 / speak_seconds } else { 0.0 },
            latency_p50_ms: progress.latency.quantile_ms(0.5),
            latency_p99_ms: progress.latency.quantile_ms(0.99),
            latency_p999_ms: progress.latency.quantile_ms(0.999),
            latency_max_ms: progress.latency.quantile_ms(1.0),
            other_events: progress.noticed.get(),
            received_bytes: progress.received_bytes.get(),
            sent_bytes: progress.sent_bytes.get(),
            usage,
            problems,
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.ok
    }

    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }
}
