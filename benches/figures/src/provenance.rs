//! Where figures come from: the machine, the day, and the versions of what was measured.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;
use std::{fs, thread};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Which package each system is, or is made of. Those not named are our own code.
const PACKAGES: [(&str, &str); 7] = [
    ("push", "crossbeam-channel"),
    ("tuned-push", "parking_lot"),
    ("tokio-broadcast", "tokio"),
    ("socketioxide", "socketioxide"),
    ("bus", "bus"),
    ("async-broadcast", "async-broadcast"),
    ("bevy-messages", "bevy_ecs"),
];

/// The machine that this runs on: `2 virtual CPUs of AMD EPYC`.
#[must_use]
pub fn machine() -> String {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    machine_of(cpus, &info)
}

fn machine_of(cpus: usize, info: &str) -> String {
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    let is_virtual = field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let kind = if is_virtual { "virtual CPU" } else { "CPU" };
    let plural = if cpus == 1 { "" } else { "s" };
    let model = field("model name").map(|model| model.replace("(R)", "").replace("(TM)", ""));
    let model = model.map(|model| format!(" of {}", model.split_whitespace().collect::<Vec<_>>().join(" ")));
    format!("{cpus} {kind}{plural}{}", model.unwrap_or_default())
}

/// The day, in UTC.
#[must_use]
pub fn date(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()[..10].to_owned()
}

/// The versions of these systems' packages, by a lock file: `tokio 1.54.1, ...`, each once.
///
/// # Errors
///
/// If there is no such file, or it is none.
pub fn versions<'a>(lock: &Path, systems: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let text = fs::read_to_string(lock).with_context(|| lock.display().to_string())?;
    let lock: Lock = toml::from_str(&text).with_context(|| lock.display().to_string())?;
    let mut found = BTreeMap::new();
    for system in systems {
        let package = PACKAGES.iter().find(|(id, _)| *id == system).map(|(_, package)| *package);
        for locked in lock.package.iter().filter(|locked| Some(locked.name.as_str()) == package) {
            found.insert(&locked.name, &locked.version); // of several the highest, which comes last
        }
    }
    Ok(found.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", "))
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_named() {
        let info = "model name\t: Intel(R) Xeon(R) Processor @ 2.80GHz\nflags\t\t: fpu hypervisor sse\n";
        assert_eq!(machine_of(2, info), "2 virtual CPUs of Intel Xeon Processor @ 2.80GHz");
        assert_eq!(machine_of(1, "model name : X\nflags : fpu\n"), "1 CPU of X");
        assert_eq!(machine_of(8, ""), "8 CPUs");
        assert_eq!(date(SystemTime::UNIX_EPOCH), "1970-01-01");
    }
}
