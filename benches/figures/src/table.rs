//! The figures and the targets, as text.

use std::fmt::Write;

use crate::figures::{Figures, OURS};
use crate::targets::{Outcome, check};
use crate::units::{ratio, time};

/// All medians, a group a line: the fastest first, with how many times ours each takes.
#[must_use]
pub fn medians(figures: &Figures) -> String {
    let mut text = String::new();
    for (group, systems) in figures.groups() {
        let ours = systems.get(OURS).map(|figure| figure.ns);
        let mut systems: Vec<_> = systems.iter().map(|(id, figure)| (id, figure.ns)).collect();
        systems.sort_by(|a, b| a.1.total_cmp(&b.1));
        let cells = systems.into_iter().map(|(id, ns)| match ours {
            Some(ours) if id != OURS => format!("{id} {} ({} x)", time(ns), ratio(ns / ours)),
            _ => format!("{id} {}", time(ns)),
        });
        let _ = writeln!(text, "{group:20} {}", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// The targets, and which of them are met.
#[must_use]
pub fn targets(figures: &Figures) -> String {
    let mut text = String::new();
    for checked in check(figures) {
        let verdict = match checked.outcome {
            Outcome::Met(found) => format!("met           {} x", ratio(found)),
            Outcome::NotMet(found) => format!("NOT MET       {} x", ratio(found)),
            Outcome::NotMeasured => "not measured".to_owned(),
        };
        let _ = writeln!(text, "{:64} {verdict}", checked.claim);
    }
    text
}
