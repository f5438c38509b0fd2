//! What the figures are to reach, all of them ratios within one run.

use crate::figures::{Figures, OURS};

/// A target, and whether it is met.
#[derive(Debug)]
pub struct Checked {
    /// In words, with the limit.
    pub claim: String,
    pub outcome: Outcome,
}

/// With the ratio that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Met(f64),
    NotMet(f64),
    NotMeasured,
}

/// Holds a run against all targets.
#[must_use]
pub fn check(figures: &Figures) -> Vec<Checked> {
    let mut all: Vec<_> = TARGETS.iter().map(|target| target.check(figures)).collect();
    // Everywhere: one line for each group that has both.
    for (group, systems) in figures.groups() {
        if systems.contains_key(OURS) && systems.contains_key("tuned-push") {
            let target = Target { group, versus: Versus::System("tuned-push"), limit: Limit::AtMost(1.0) };
            all.push(target.check(figures));
        }
    }
    all
}

/// What "flat" is taken for, where the cost is to be the same at any size.
const FLAT: Limit = Limit::AtMost(1.2);

const TARGETS: [Target<'static>; 29] = [
    Target::at_most("burst/1000x100", "floor", 2.5),
    Target::at_most("burst/10000x100", "floor", 2.5),
    Target::faster("burst/1000x100", "tokio-broadcast", 25.0),
    Target::faster("burst/1000x100", "push", 45.0),
    Target::faster("burst/1000x100", "socketioxide", 250.0),
    Target::at_most("sparse/100", "floor", 4.0),
    Target::at_most("sparse/10000", "floor", 4.0),
    Target::at_most("sparse/100000", "floor", 4.0),
    Target::at_most("publish/1", "mutex-add-write", 1.5),
    Target::at_most("publish/100", "mutex-add-write", 1.5),
    Target::at_most("publish/10000", "mutex-add-write", 1.5),
    Target::at_most("publish/100000", "mutex-add-write", 1.5),
    Target::flat("publish/100000", "publish/1"),
    Target::faster("grid/10000", "tokio-broadcast", 3.0),
    Target::faster("grid/10000", "push", 4.0),
    Target::faster("grid/10000", "socketioxide", 40.0),
    Target::at_most("churn/100000", "push", 1.0),
    Target::flat("wide/1000", "wide/10"),
    Target::flat("wide/10000", "wide/10"),
    Target::flat("acked/2000", "acked/1000"),
    Target::flat("acked/4000", "acked/2000"),
    Target::flat("acked/8000", "acked/4000"),
    Target::flat("union-emit/2000", "union-emit/1000"),
    Target::flat("union-emit/4000", "union-emit/2000"),
    Target::flat("union-emit/8000", "union-emit/4000"),
    Target::flat("except/2000", "except/1000"),
    Target::flat("except/4000", "except/2000"),
    Target::flat("except/8000", "except/4000"),
    // For a message of any thread: so that two threads publish 1.7 times as many.
    Target { group: "contend/1/apart", versus: Versus::Group("contend/2/apart"), limit: Limit::AtLeast(1.7) },
];

#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    group: &'a str,
    versus: Versus<'a>,
    limit: Limit,
}

#[derive(Clone, Copy, Debug)]
enum Versus<'a> {
    /// Another system, in the same group.
    System(&'a str),
    /// Ours, in another group.
    Group(&'a str),
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// Ours takes so many times as long, or less.
    AtMost(f64),
    /// The other system takes so many times as long; ours so many times as long as in the other group.
    AtLeast(f64),
}

impl<'a> Target<'a> {
    const fn at_most(group: &'a str, system: &'a str, limit: f64) -> Self {
        Self { group, versus: Versus::System(system), limit: Limit::AtMost(limit) }
    }

    const fn faster(group: &'a str, system: &'a str, times: f64) -> Self {
        Self { group, versus: Versus::System(system), limit: Limit::AtLeast(times) }
    }

    const fn flat(group: &'a str, other: &'a str) -> Self {
        Self { group, versus: Versus::Group(other), limit: FLAT }
    }

    fn check(&self, figures: &Figures) -> Checked {
        let ours = figures.get(self.group, OURS);
        let (other, other_name) = match self.versus {
            Versus::System(system) => (figures.get(self.group, system), system),
            Versus::Group(group) => (figures.get(group, OURS), group),
        };
        let found = ours.zip(other).map(|(ours, other)| match (self.limit, self.versus) {
            (Limit::AtLeast(_), Versus::System(_)) => other / ours,
            _ => ours / other,
        });
        let is_met = |found: f64| match self.limit {
            Limit::AtMost(limit) => found <= limit,
            Limit::AtLeast(limit) => found >= limit,
        };
        let outcome = match found {
            None => Outcome::NotMeasured,
            Some(found) if is_met(found) => Outcome::Met(found),
            Some(found) => Outcome::NotMet(found),
        };
        Checked { claim: self.claim(other_name), outcome }
    }

    fn claim(&self, other: &str) -> String {
        let group = self.group;
        match (self.limit, self.versus) {
            (Limit::AtMost(1.0), Versus::System(_)) => {
                format!("{group}: no slower than {other}")
            }
            (Limit::AtMost(limit), _) => format!("{group}: within {limit} times {other}"),
            (Limit::AtLeast(limit), Versus::System(_)) => {
                format!("{group}: at least {limit} times faster than {other}")
            }
            (Limit::AtLeast(limit), Versus::Group(_)) => {
                format!("{group}: at least {limit} times {other}")
            }
        }
    }
}
