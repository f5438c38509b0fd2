//! What the counts are to be.

use std::fmt;
use std::fs;
use std::process::Command;

use crate::callgrind::{Count, Counts};
use crate::workloads::WORKLOADS;

/// How far a figure may be off, either way: this part of it, or if it is near to none so much.
const TOLERANCE: f64 = 0.02;
const LEAST: f64 = 0.01;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");

/// Counts that were taken before, in a file for people to read.
#[derive(Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) tools: Tools,
    pub(crate) counts: Counts,
}

/// What the counts depend on beside the code: compiler and target, and the C library, whose allocator is counted too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tools(String);

/// Counts beside those of a baseline.
pub(crate) struct Comparison(Vec<Row>);

struct Row {
    name: String,
    before: Option<Count>,
    now: Option<Count>,
}

const TOOLS: &str = "# Counted with: ";

impl Baseline {
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("{PATH}: not a baseline; -- --bless makes one"))
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        fs::write(PATH, self.to_string()).map_err(|error| format!("{PATH}: {error}"))
    }

    pub(crate) fn compare(&self, counts: &Counts) -> Comparison {
        let find = |counts: &Counts, name: &str| {
            counts.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
        };
        let known = counts.iter().map(|(name, count)| Row {
            name: name.clone(),
            before: find(&self.counts, name),
            now: Some(*count),
        });
        let gone = self.counts.iter().filter(|(name, _)| find(counts, name).is_none());
        let gone = gone.map(|(name, count)| Row { name: name.clone(), before: Some(*count), now: None });
        Comparison(known.chain(gone).collect())
    }

    fn parse(text: &str) -> Option<Self> {
        let tools = text.lines().find_map(|line| line.strip_prefix(TOOLS))?;
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let counts = lines.map(|line| {
            let mut words = line.split_whitespace();
            let (name, mut number) = (words.next()?, || words.next()?.parse().ok());
            Some((name.to_owned(), Count { instructions: number()?, atomics: number()? }))
        });
        Some(Self { tools: Tools(tools.to_owned()), counts: counts.collect::<Option<_>>()? })
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# One operation: instructions, and how many of them are atomic. Written by --bless, see src/main.rs."
        )?;
        writeln!(f, "{TOOLS}{}", self.tools)?;
        writeln!(f)?;
        for (name, count) in &self.counts {
            let workload = WORKLOADS.iter().find(|workload| workload.name == name);
            let Count { instructions, atomics } = count;
            let what = workload.map_or("", |workload| workload.what);
            writeln!(f, "{name:<16} {instructions:>9.2} {atomics:>8.3}  {what}")?;
        }
        Ok(())
    }
}

impl Tools {
    pub(crate) fn here() -> Self {
        let library = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
        let library = library.ok().filter(|output| output.status.success());
        let library = library.map_or("another C library".into(), |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        });
        Self(format!("{}, {}, {library}", env!("COMPILER"), env!("TARGET")))
    }
}

impl fmt::Display for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Comparison {
    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(Row::holds)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["", "instructions", "were", "change", "atomics", "were"];
        let [name, instructions, before, change, atomics, atomics_before] = heads;
        write!(f, "{name:<16} {instructions:>12} {before:>9} {change:>9}")?;
        writeln!(f, " {atomics:>9} {atomics_before:>8}")?;
        for row in &self.0 {
            let show =
                |figure: Option<f64>, digits| figure.map_or("none".into(), |it| format!("{it:.digits$}"));
            let instructions = |count: Option<Count>| show(count.map(|count| count.instructions), 2);
            let atomics = |count: Option<Count>| show(count.map(|count| count.atomics), 3);
            write!(f, "{:<16} {:>12} {:>9}", row.name, instructions(row.now), instructions(row.before))?;
            write!(f, " {:>9} {:>9} {:>8}", row.change(), atomics(row.now), atomics(row.before))?;
            writeln!(f, "{}", if row.holds() { "" } else { "  <-- off" })?;
        }
        Ok(())
    }
}

impl Row {
    fn change(&self) -> String {
        let (Some(before), Some(now)) = (self.before, self.now) else { return String::new() };
        format!("{:+.2} %", (now.instructions / before.instructions - 1.0) * 100.0)
    }

    fn holds(&self) -> bool {
        let (Some(before), Some(now)) = (self.before, self.now) else { return false };
        is_near(before.instructions, now.instructions) && is_near(before.atomics, now.atomics)
    }
}

fn is_near(before: f64, now: f64) -> bool {
    (now - before).abs() <= (before * TOLERANCE).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64, f64)]) -> Counts {
        let count = |&(name, instructions, atomics): &(&str, _, _)| {
            (name.to_owned(), Count { instructions, atomics })
        };
        counts.iter().map(count).collect()
    }

    fn baseline(of: &[(&str, f64, f64)]) -> Baseline {
        Baseline { tools: Tools("rustc 1.2.3 (4), some-target, some libc".to_owned()), counts: counts(of) }
    }

    #[test]
    fn what_is_written_is_read() {
        let written = baseline(&[("publish", 70.25, 4.125), ("deliver", 9.5, 0.0)]);
        assert_eq!(Baseline::parse(&written.to_string()), Some(written));
        assert_eq!(Baseline::parse("publish 70.25 4\n"), None);
        assert_eq!(Baseline::parse(&format!("{TOOLS}some\npublish much\n")), None);
    }

    #[test]
    fn two_in_a_hundred_are_held_either_way() {
        let before = baseline(&[("publish", 100.0, 5.0), ("deliver", 50.0, 0.0)]);
        let holds = |publish, atomics, deliver, none| {
            let now = [("publish", publish, atomics), ("deliver", deliver, none)];
            before.compare(&counts(&now)).holds()
        };
        assert!(holds(100.0, 5.0, 50.0, 0.0) && holds(101.9, 5.09, 49.1, 0.009));
        assert!(!holds(102.1, 5.0, 50.0, 0.0) && !holds(100.0, 5.0, 48.9, 0.0));
        assert!(!holds(100.0, 6.0, 50.0, 0.0) && !holds(100.0, 5.0, 50.0, 0.02));
    }

    #[test]
    fn what_is_new_or_gone_is_off() {
        let before = baseline(&[("publish", 100.0, 5.0)]);
        assert!(!before.compare(&counts(&[("publish", 100.0, 5.0), ("new", 1.0, 0.0)])).holds());
        assert!(!before.compare(&Vec::new()).holds());
        assert!(before.compare(&before.counts).to_string().contains("+0.00 %"));
    }
}
