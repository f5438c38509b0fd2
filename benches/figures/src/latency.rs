//! The picture of the latencies: a panel for each system, a line for each scenario.
//!
//! The claim is that lines of one panel are together: what is slow beside does not make others slow.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use svg::node::element::Path as Curve;
use svg::node::element::path::Data;

use crate::draw::{Anchor, Axis, Canvas, MARGIN, Theme, WIDTH, round};
use crate::figures::read;
use crate::fresh::Fresh;
use crate::units::{grouped, power, time};

const TITLE: &str = "How long from emit to receive, under load";

/// The control, which is no system.
const CLOCK: &str = "clock";

/// The scenarios that are drawn, in words, each with its dashes. All have one load.
const SCENARIOS: [(&str, &str, &str); 4] = [
    ("load", "load alone", ""),
    ("stalled", "+ a stalled socket", "7 3"),
    ("churn", "+ joins and leaves", "2 3"),
    ("elsewhere", "+ those elsewhere", "8 3 2 3"),
];

/// The largest share that is drawn is all but one in ten thousand.
const NINES: f64 = 4.0;

const PLOT: (f64, f64) = (172.0, WIDTH - MARGIN);
const TOP: f64 = 104.0;
const BOTTOM: f64 = 364.0;
const GAP: f64 = 18.0;

/// What the latency bench has left, by scenario.
#[derive(Debug)]
pub struct Latencies {
    scenarios: BTreeMap<String, Scenario>,
    pub newest: SystemTime,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Scenario {
    scenario: String,
    messages_per_second: f64,
    readers_per_message: u64,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    /// Shares, and what those are at most.
    curve: Vec<(f64, u64)>,
}

/// A system's medians, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
}

impl Latencies {
    /// Reads all scenarios, and keeps what was written within `span` before the newest.
    ///
    /// # Errors
    ///
    /// If there are none, a file is not what it should be, or with `strict` one is older.
    pub fn read(folder: &Path, span: Duration, strict: bool) -> Result<Self> {
        let missing =
            || format!("no latencies in {}: run `cargo bench --bench latency` first", folder.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).with_context(missing)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let written = fs::metadata(&path).and_then(|file| file.modified());
                found.push((written.with_context(|| path.display().to_string())?, read::<Scenario>(&path)?));
            }
        }
        let Some(fresh) = Fresh::of(found, span, |it| it.scenario.clone()) else { bail!(missing()) };
        let warnings = fresh.warning(span, strict)?.into_iter().collect();
        let scenarios = fresh.kept.into_iter().map(|it| (it.scenario.clone(), it)).collect();
        Ok(Self { scenarios, newest: fresh.newest, warnings })
    }

    /// The systems that are drawn, in the order of the files.
    #[must_use]
    pub fn systems(&self) -> Vec<&str> {
        let mut systems = Vec::new();
        for row in self.drawn().flat_map(|(_, _, scenario)| &scenario.rows) {
            if row.id != CLOCK && !systems.contains(&row.id.as_str()) {
                systems.push(row.id.as_str());
            }
        }
        systems
    }

    /// The percentiles of a system in a scenario.
    #[must_use]
    pub fn get(&self, scenario: &str, system: &str) -> Option<Percentiles> {
        let row = self.scenarios.get(scenario)?.row(system)?;
        Some(Percentiles { p50: row.p50_ns, p99: row.p99_ns, p999: row.p999_ns })
    }

    /// The scenarios that are drawn, with their places in the table of them.
    fn drawn(&self) -> impl Iterator<Item = (usize, &'static str, &Scenario)> {
        let places = SCENARIOS.iter().enumerate();
        places.filter_map(|(place, (id, words, _))| Some((place, *words, self.scenarios.get(*id)?)))
    }
}

impl Scenario {
    fn row(&self, system: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == system)
    }
}

/// Draws the picture.
///
/// # Errors
///
/// If none of the scenarios was measured, or not all under one load.
pub fn draw(latencies: &Latencies, theme: Theme, footer: &str) -> Result<String> {
    let systems = latencies.systems();
    let Some((_, _, first)) = latencies.drawn().next().filter(|_| !systems.is_empty()) else {
        bail!("nothing to draw: none of {} was measured", SCENARIOS.map(|(id, _, _)| id).join(", "));
    };
    for (_, _, scenario) in latencies.drawn() {
        if scenario.messages_per_second != first.messages_per_second {
            bail!("{} and {} were measured under different loads", first.scenario, scenario.scenario);
        }
    }

    let mut canvas = Canvas::new(theme);
    canvas.bold(TITLE, (MARGIN, 36.0), 20.0, theme.ink, Anchor::Start);
    let subtitle = format!(
        "{} messages a second, each to {} sockets, from one thread to another; both axes are logarithmic.",
        grouped(first.messages_per_second.round() as u64),
        first.readers_per_message
    );
    canvas.text(&subtitle, (MARGIN, 57.0), 12.5, theme.muted, Anchor::Start);

    let points = latencies.drawn().flat_map(|(_, _, scenario)| scenario.rows.iter().flat_map(Row::points));
    let axis = Axis::of(points.map(|(_, ns)| ns), (BOTTOM, TOP));
    for tick in axis.ticks() {
        canvas.text(&power(tick), (PLOT.0 - 10.0, axis.at(tick) + 4.0), 11.0, theme.muted, Anchor::End);
    }
    canvas.text("percentile", (PLOT.0 - 10.0, BOTTOM + 17.0), 11.0, theme.muted, Anchor::End);
    let pitch = (PLOT.1 - PLOT.0 + GAP) / systems.len() as f64;
    for (place, system) in systems.iter().enumerate() {
        let left = PLOT.0 + place as f64 * pitch;
        panel(&mut canvas, latencies, system, &axis, (left, left + pitch - GAP));
    }
    let y = legend(&mut canvas, latencies, &systems, pitch);
    let note = "Times are from when a message was due, so a publisher that is held up hides nothing. Curves: all rounds \
        together; numbers: medians of the rounds. The clock is a control: threads that only read it, and how late they \
        are. Elsewhere: the joins and leaves are in another instance, so they only take a core's time.";
    let y = canvas.paragraph(note, y + 28.0);
    let end = canvas.paragraph(footer, y + 6.0);

    let described = systems.iter().flat_map(|system| {
        latencies.drawn().filter_map(move |(_, words, scenario)| {
            let row = scenario.row(system)?;
            Some(format!("{system}, {words}: {}", row.percentiles()))
        })
    });
    let described = described.collect::<Vec<_>>().join("; ");
    Ok(canvas.finish(round(end + 4.0), TITLE, &described))
}

/// Draws a system's lines.
fn panel(canvas: &mut Canvas, latencies: &Latencies, system: &str, axis: &Axis, (left, right): (f64, f64)) {
    let theme = canvas.theme;
    canvas.bold(system, (left, TOP - 14.0), 13.5, theme.ink, Anchor::Start);
    for tick in axis.ticks() {
        canvas.line((left, axis.at(tick)), (right, axis.at(tick)), theme.faint, 1.0);
    }
    let x = |nines: f64| left + nines / NINES * (right - left);
    for (nines, label) in [(0, "0"), (1, "90"), (2, "99"), (3, "99.9"), (4, "99.99")] {
        let anchor = if nines == 4 { Anchor::End } else { Anchor::Middle };
        let at = x(f64::from(nines));
        canvas.line((at, TOP), (at, BOTTOM), theme.faint, 1.0);
        canvas.text(label, (at, BOTTOM + 17.0), 11.0, theme.muted, anchor);
    }
    let curve = |row: &Row| {
        let mut points = row.points().map(|(nines, ns)| (round(x(nines)), round(axis.at(ns))));
        let start = Data::new().move_to(points.next().expect("a curve has points"));
        let data = points.fold(start, |data, point| data.line_to(point));
        Curve::new().set("d", data).set("fill", "none").set("stroke-linejoin", "round")
    };
    let control = latencies.drawn().find_map(|(_, _, scenario)| scenario.row(CLOCK));
    if let Some(clock) = control {
        canvas.add(curve(clock).set("stroke", theme.other).set("stroke-width", 1.25));
    }
    for (place, _, scenario) in latencies.drawn() {
        if let Some(row) = scenario.row(system) {
            let line = curve(row).set("stroke", theme.series[place]).set("stroke-width", 2);
            canvas.add(line.set("stroke-dasharray", SCENARIOS[place].2));
        }
    }
}

/// Draws what the lines are, with their percentiles, and returns where that ends.
fn legend(canvas: &mut Canvas, latencies: &Latencies, systems: &[&str], pitch: f64) -> f64 {
    let theme = canvas.theme;
    let mut y = BOTTOM + 46.0;
    for place in 0..systems.len() {
        let at = (PLOT.0 + place as f64 * pitch, y);
        canvas.text("p50 · p99 · p99.9", at, 11.0, theme.muted, Anchor::Start);
    }
    let mut row = |words: &str, stroke: &str, dashes: &str, size: f64, cells: &[Option<String>]| {
        y += 20.0;
        let line =
            svg::node::element::Line::new().set("x1", MARGIN).set("x2", MARGIN + 20.0).set("y1", y - 4.0);
        let line = line.set("y2", y - 4.0).set("stroke", stroke).set("stroke-width", size);
        canvas.add(line.set("stroke-dasharray", dashes));
        canvas.text(words, (MARGIN + 26.0, y), 11.5, theme.ink, Anchor::Start);
        for (place, cell) in cells.iter().enumerate() {
            if let Some(cell) = cell {
                canvas.text(cell, (PLOT.0 + place as f64 * pitch, y), 11.5, theme.ink, Anchor::Start);
            }
        }
    };
    for (place, words, scenario) in latencies.drawn() {
        let cells: Vec<_> = systems.iter().map(|system| Some(scenario.row(system)?.percentiles())).collect();
        row(words, theme.series[place], SCENARIOS[place].2, 2.0, &cells);
    }
    if let Some(clock) = latencies.drawn().find_map(|(_, _, scenario)| scenario.row(CLOCK)) {
        row("the clock alone", theme.other, "", 1.25, &[Some(clock.percentiles())]);
    }
    y
}

impl Row {
    /// How many nines a share is, and the latency.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self.curve.iter().map(|&(share, ns)| (-(1.0 - share).log10(), ns as f64));
        points.filter(|(nines, ns)| *nines <= NINES && *ns > 0.0)
    }

    fn percentiles(&self) -> String {
        [self.p50_ns, self.p99_ns, self.p999_ns].map(|ns| time(ns as f64)).join(" · ")
    }
}
