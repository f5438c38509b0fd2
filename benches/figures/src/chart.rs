//! The README's chart: what it costs, here and elsewhere.
//!
//! A row for each system, and the distance from ours, which on a logarithmic axis is how many times. Bars would have to
//! start at zero, and there is none.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use svg::node::element::Circle;

use crate::draw::{Anchor, Axis, Canvas, MARGIN, Theme, WIDTH, round};
use crate::figures::{Figure, Figures, OURS};
use crate::units::{about, power, time};

const TITLE: &str = "What a message costs";

/// The groups that are drawn, as far as they are there.
const WORKLOADS: [Workload; 4] = [
    Workload {
        group: "burst/1000x100",
        name: "Burst",
        about: "100 messages to a room of 1,000, everyone drains; per delivery",
    },
    Workload {
        group: "sparse/10000",
        name: "Sparse",
        about: "1 message to a room of 10,000, everyone drains; per delivery",
    },
    Workload {
        group: "grid/10000",
        name: "Grid",
        about: "10,000 sockets move through 10,000 rooms, publish, drain; per tick",
    },
    Workload {
        group: "publish/100000",
        name: "Publish",
        about: "the emit alone, to a room of 100,000; per message",
    },
];

/// The systems, in words. Others go by their ids.
const NAMES: [(&str, &str); 6] = [
    ("floor", "no engine at all"),
    ("mutex-add-write", "a lock and two writes"),
    ("push", "push by hand"),
    ("tuned-push", "push by hand, tuned"),
    ("tokio-broadcast", "tokio broadcast"),
    ("bevy-messages", "bevy messages"),
];

/// Not systems: the least that the work can take.
const FLOORS: [&str; 2] = ["floor", "mutex-add-write"];

const ROW: f64 = 20.0;
const PLOT: (f64, f64) = (172.0, 690.0);

#[derive(Debug)]
struct Workload {
    group: &'static str,
    name: &'static str,
    about: &'static str,
}

/// The systems that the chart has, for their versions.
#[must_use]
pub fn systems(figures: &Figures) -> Vec<&str> {
    WORKLOADS
        .iter()
        .filter_map(|it| figures.group(it.group))
        .flat_map(|group| group.keys().map(String::as_str))
        .collect()
}

/// Draws the chart.
///
/// # Errors
///
/// If a run has none of the groups, or one without our figure.
pub fn draw(figures: &Figures, theme: Theme, footer: &str) -> Result<String> {
    let mut blocks = Vec::new();
    for workload in &WORKLOADS {
        let Some(group) = figures.group(workload.group) else { continue };
        let Some(ours) = group.get(OURS) else {
            bail!("{} was measured without {OURS}", workload.group);
        };
        blocks.push((workload, ours.ns, group));
    }
    if blocks.is_empty() {
        let groups = WORKLOADS.map(|workload| workload.group).join(", ");
        bail!("nothing to draw: none of {groups} was measured");
    }

    let all = blocks.iter().flat_map(|(_, _, group)| group.values().map(|figure| figure.ns));
    let axis = Axis::of(all, PLOT);
    let mut canvas = Canvas::new(theme);
    canvas.bold(TITLE, (MARGIN, 36.0), 20.0, theme.ink, Anchor::Start);
    let subtitle = "Medians of one run, on a logarithmic scale. Lines start at roomcast: their length is how many times its cost.";
    canvas.text(subtitle, (MARGIN, 57.0), 12.5, theme.muted, Anchor::Start);

    let top = 90.0;
    let rows: usize = blocks.iter().map(|(_, _, group)| group.len()).sum();
    let bottom = top + rows as f64 * ROW + blocks.len() as f64 * BLOCK_HEAD;
    for tick in axis.ticks() {
        let x = axis.at(tick);
        canvas.line((x, top), (x, bottom), theme.faint, 1.0);
        canvas.text(&power(tick), (x, top - 7.0), 11.0, theme.muted, Anchor::Middle);
    }
    let mut y = top;
    let mut description = Vec::new();
    for (workload, ours, group) in blocks {
        y = block(&mut canvas, &axis, y, workload, ours, group);
        let figures = sorted(group).into_iter().map(|(id, ns)| format!("{} {}", name(id), time(ns)));
        description.push(format!(
            "{}, {}: {}",
            workload.name,
            workload.about,
            figures.collect::<Vec<_>>().join(", ")
        ));
    }
    let end = canvas.paragraph(footer, y + 32.0);
    Ok(canvas.finish(round(end + 4.0), TITLE, &description.join(". ")))
}

const BLOCK_HEAD: f64 = 42.0;

/// Draws a workload, and returns where the next begins.
fn block(
    canvas: &mut Canvas,
    axis: &Axis,
    top: f64,
    workload: &Workload,
    ours: f64,
    group: &BTreeMap<String, Figure>,
) -> f64 {
    let theme = canvas.theme;
    let baseline = top + 26.0;
    // The grid would cross the words.
    let head = svg::node::element::Rectangle::new().set("x", 0).set("y", top + 10.0).set("width", WIDTH);
    canvas.add(head.set("height", 23.0).set("fill", theme.background));
    canvas.bold(workload.name, (MARGIN, baseline), 14.0, theme.ink, Anchor::Start);
    canvas.text(workload.about, (PLOT.0, baseline), 12.5, theme.muted, Anchor::Start);

    let rows = sorted(group);
    let first = top + BLOCK_HEAD;
    let last = first + rows.len() as f64 * ROW;
    canvas.line((axis.at(ours), first), (axis.at(ours), last - 2.0), theme.accent, 1.0);
    for (place, (id, ns)) in rows.into_iter().enumerate() {
        let middle = first + place as f64 * ROW + ROW / 2.0;
        let baseline = middle + 4.0;
        let x = axis.at(ns);
        let label_x = x.max(axis.at(ours)) + 11.0;
        let is_ours = id == OURS;
        let dot = Circle::new()
            .set("cx", round(x))
            .set("cy", round(middle))
            .set("r", if is_ours { 5.5 } else { 4.5 });
        if is_ours {
            canvas.bold(name(id), (PLOT.0 - 14.0, baseline), 12.5, theme.accent, Anchor::End);
            canvas.add(dot.set("fill", theme.accent));
            canvas.bold(&time(ns), (label_x, baseline), 12.5, theme.accent, Anchor::Start);
            continue;
        }
        canvas.text(name(id), (PLOT.0 - 14.0, baseline), 12.5, theme.ink, Anchor::End);
        canvas.line((axis.at(ours), middle), (x, middle), theme.other, 2.0);
        let is_floor = FLOORS.contains(&id);
        let fill = if is_floor { theme.background } else { theme.other };
        canvas.add(dot.set("fill", fill).set("stroke", theme.other).set("stroke-width", 2));
        let times = format!("{} ×", about(ns / ours));
        canvas.value(&time(ns), &times, (label_x, baseline), 12.5);
    }
    last
}

/// The fastest first.
fn sorted(group: &BTreeMap<String, Figure>) -> Vec<(&str, f64)> {
    let mut rows: Vec<_> = group.iter().map(|(id, figure)| (id.as_str(), figure.ns)).collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    rows
}

fn name(id: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| name)
}
