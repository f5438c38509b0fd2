//! What criterion has measured, from the files that it leaves for its own use.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::fresh::Fresh;

/// The system that others are compared with.
pub const OURS: &str = "roomcast";

/// Medians of a run, by group and system.
#[derive(Debug)]
pub struct Figures {
    groups: BTreeMap<Key, BTreeMap<String, Figure>>,
    pub newest: SystemTime,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

/// A median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Of an element: a delivery, a message, whatever the group counts.
    pub ns: f64,
    /// How many elements a round has.
    pub elements: u64,
}

impl Figures {
    /// Reads all that is in criterion's folder, and keeps what was written within `span` before the newest.
    ///
    /// # Errors
    ///
    /// If there is nothing, a file is not what it should be, or with `strict` something is older.
    pub fn read(folder: &Path, span: Duration, strict: bool) -> Result<Self> {
        let mut files = Vec::new();
        find(folder, &mut files)
            .with_context(|| format!("no figures in {}: run `cargo bench` first", folder.display()))?;
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        for path in files {
            let benchmark: Benchmark = read(&path)?;
            let estimates_path = path.with_file_name("estimates.json");
            let estimates: Estimates = read(&estimates_path)?;
            let id = benchmark.id();
            let Some(elements) = benchmark.elements() else {
                warnings.push(format!("{id} does not count elements; left out"));
                continue;
            };
            let ns = estimates.median.point_estimate / elements as f64;
            if !(ns.is_finite() && ns > 0.0) {
                bail!("{}: {ns} ns is no median", estimates_path.display());
            }
            let written = fs::metadata(&estimates_path).and_then(|file| file.modified());
            let written = written.with_context(|| estimates_path.display().to_string())?;
            found.push((written, (benchmark, Figure { ns, elements })));
        }
        let Some(fresh) = Fresh::of(found, span, |(benchmark, _)| benchmark.id()) else {
            bail!("no figures in {}: run `cargo bench` first", folder.display());
        };
        warnings.extend(fresh.warning(span, strict)?);
        let mut groups = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (Benchmark { group_id, function_id, .. }, figure) in fresh.kept {
            let group = groups.entry(Key::new(group_id)).or_default();
            if group.insert(function_id.clone(), figure).is_some() {
                bail!("{} has two figures for one system, {function_id}", folder.display());
            }
        }
        Ok(Self { groups, newest: fresh.newest, warnings })
    }

    /// The groups in order, each with its systems by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Figure>)> {
        self.groups.iter().map(|(key, systems)| (key.name.as_str(), systems))
    }

    /// The median of a system in a group, in nanoseconds for an element.
    #[must_use]
    pub fn get(&self, group: &str, system: &str) -> Option<f64> {
        Some(self.group(group)?.get(system)?.ns)
    }

    /// The systems of a group.
    #[must_use]
    pub fn group(&self, group: &str) -> Option<&BTreeMap<String, Figure>> {
        self.groups.get(&Key::new(group.to_owned()))
    }
}

/// A group's name, ordered by its numbers as numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: usize,
    parts: Vec<(u64, String)>,
    name: String,
}

impl Key {
    fn new(name: String) -> Self {
        const KINDS: [&str; 4] = ["burst", "sparse", "publish", "grid"]; // then the others, by name
        let kind = name.split('/').next().unwrap_or_default();
        let kind = KINDS.iter().position(|it| *it == kind).unwrap_or(KINDS.len());
        let parts = name
            .split_inclusive(|c: char| !c.is_ascii_digit())
            .map(|part| {
                (part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0), part.to_owned())
            })
            .collect();
        Self { kind, parts, name }
    }
}

/// Adds the `benchmark.json` of each benchmark's last run.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("new") && path.join("benchmark.json").is_file() {
            files.push(path.join("benchmark.json"));
        } else if path.is_dir() {
            find(&path, files)?;
        }
    }
    Ok(())
}

/// Reads a file of JSON.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

#[derive(Debug, Deserialize)]
struct Benchmark {
    group_id: String,
    #[serde(default)]
    function_id: String,
    #[serde(default)]
    throughput: serde_json::Value,
}

impl Benchmark {
    fn id(&self) -> String {
        format!("{}/{}", self.group_id, self.function_id)
    }

    fn elements(&self) -> Option<u64> {
        self.throughput.get("Elements")?.as_u64().filter(|elements| *elements > 0)
    }
}

#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    point_estimate: f64,
}
