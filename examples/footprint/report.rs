//! What was measured, and a table of it.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) system: String,
    pub(crate) rows: Vec<Row>,
    /// What is stated and does not hold.
    pub(crate) broken: Vec<String>,
}

/// Bytes for one of something.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) live: f64,
    /// If the operating system tells, and there was enough to tell.
    pub(crate) resident: Option<f64>,
}

impl Report {
    pub(crate) fn add(&mut self, what: &str, live: f64, resident: Option<f64>) {
        self.rows.push(Row { what: what.to_owned(), live, resident });
    }

    /// Notes it if something stated does not hold.
    pub(crate) fn state(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.broken.push(what.into());
        }
    }
}

/// A column for each system. The rows are those of the first one.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut table = String::new();
    let mut line = |what: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: String = cells.map(|cell| format!(" {cell:>16}")).collect();
        writeln!(table, "{what:<46}{cells}").expect("a string takes it all");
    };
    line("", &mut reports.iter().map(|report| report.system.clone()));
    for row in reports.first().map_or(&[][..], |report| &report.rows) {
        let cells = reports.iter().map(|report| {
            let row = report.rows.iter().find(|other| other.what == row.what);
            row.map_or("-".to_owned(), Row::cell)
        });
        line(&row.what, &mut { cells });
    }
    table
}

impl Row {
    fn cell(&self) -> String {
        let resident = self.resident.map_or(String::new(), |bytes| format!(" ({bytes:.0})"));
        format!("{:.0}{resident}", self.live)
    }
}
