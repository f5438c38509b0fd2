//! Folders with results, as criterion and the latency bench leave them.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tempfile::TempDir;

/// A target folder that goes when the test ends.
pub(crate) struct Target(TempDir);

impl Target {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A benchmark that was run now.
    pub(crate) fn bench(&self, group: &str, system: &str, ns: f64, elements: u64) -> &Self {
        self.bench_ago(group, system, ns, elements, Duration::ZERO)
    }

    /// One that was run so long ago.
    pub(crate) fn bench_ago(
        &self,
        group: &str,
        system: &str,
        ns: f64,
        elements: u64,
        ago: Duration,
    ) -> &Self {
        let benchmark = json!({
            "group_id": group,
            "function_id": system,
            "value_str": null,
            "throughput": { "Elements": elements },
            "full_id": format!("{group}/{system}"),
        });
        let median = ns * elements as f64;
        let estimates = json!({
            "mean": { "point_estimate": 2.0 * median },
            "median": { "point_estimate": median },
        });
        let folder = self.path().join("criterion").join(group.replace('/', "_")).join(system).join("new");
        write(&folder.join("benchmark.json"), &benchmark.to_string(), ago);
        write(&folder.join("estimates.json"), &estimates.to_string(), ago);
        self
    }

    /// A scenario with a row for each of these systems, by their medians.
    pub(crate) fn latency(&self, scenario: &str, rate: f64, rows: &[(&str, u64)], ago: Duration) -> &Self {
        let rows = rows.iter().map(|&(id, p50)| {
            json!({
                "id": id,
                "p50_ns": p50,
                "p99_ns": 10 * p50,
                "p999_ns": 100 * p50,
                "curve": [[0.0, 1], [0.5, p50], [0.99, 10 * p50], [0.999, 100 * p50], [1.0, 200 * p50]],
            })
        });
        let report = json!({
            "scenario": scenario,
            "messages_per_second": rate,
            "readers_per_message": 40,
            "rows": rows.collect::<Vec<_>>(),
        });
        write(&self.path().join("latency").join(scenario).with_extension("json"), &report.to_string(), ago);
        self
    }
}

pub(crate) fn write(path: &Path, text: &str, ago: Duration) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("can be made");
    fs::write(path, text).expect("can be written");
    let file = File::options().write(true).open(path).expect("it was just written");
    file.set_modified(SystemTime::now() - ago).expect("times can be set");
}
