//! ```text
//! cargo run -p roomcast-figures              # medians, ratios, targets
//! cargo run -p roomcast-figures -- chart     # benches/chart-light.svg, benches/chart-dark.svg
//! cargo run -p roomcast-figures -- latency   # benches/latency-light.svg, benches/latency-dark.svg
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use roomcast_figures::draw::{DARK, LIGHT, Theme};
use roomcast_figures::figures::Figures;
use roomcast_figures::latency::Latencies;
use roomcast_figures::{chart, latency, provenance, table};

/// Puts next to each other what the benches have measured: a table, whether the targets are met, and charts.
#[derive(Debug, Parser)]
struct Options {
    /// Cargo's folder with the results [default: that of the workspace].
    #[arg(long, global = true, value_name = "FOLDER")]
    target: Option<PathBuf>,
    /// What was measured so long before the last figure is left out.
    #[arg(long, global = true, default_value = "2h", value_parser = humantime::parse_duration)]
    span: Duration,
    /// Fails, if there is anything to be left out for that.
    #[arg(long, global = true)]
    strict: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints medians, ratios and targets: what is done without a command.
    Table,
    /// Draws the README's chart.
    Chart(Drawing),
    /// Draws what the latency bench has measured.
    Latency(Drawing),
}

#[derive(Debug, Args)]
struct Drawing {
    /// Where the pictures go, light and dark [default: the folder of the benches].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// On which machine it was measured [default: this one].
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
}

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let target = options.target.clone().unwrap_or_else(target_folder);
    let read = || {
        let figures = Figures::read(&target.join("criterion"), options.span, options.strict)?;
        warn(&figures.warnings);
        Ok::<_, anyhow::Error>(figures)
    };
    match &options.command {
        None | Some(Command::Table) => {
            let figures = read()?;
            println!(
                "Medians in one run, and how many times roomcast's each is:\n\n{}",
                table::medians(&figures)
            );
            print!("Targets:\n\n{}", table::targets(&figures));
        }
        Some(Command::Chart(drawing)) => {
            let figures = read()?;
            let from = drawing.footer(chart::systems(&figures), figures.newest)?;
            let command = "cargo bench -p roomcast-rivals && cargo run -p roomcast-figures -- chart";
            let footer = format!(
                "{from} One thread, payloads of 64 bytes. Hollow: no system, but the least that the work can take.\n\
                Redraw: {command}"
            );
            drawing.write("chart", |theme| chart::draw(&figures, theme, &footer))?;
        }
        Some(Command::Latency(drawing)) => {
            let latencies = Latencies::read(&target.join("latency"), options.span, options.strict)?;
            warn(&latencies.warnings);
            let from = drawing.footer(latencies.systems(), latencies.newest)?;
            let command = "cargo bench --bench latency && cargo run -p roomcast-figures -- latency";
            let footer = format!("{from}\nRedraw: {command}");
            drawing.write("latency", |theme| latency::draw(&latencies, theme, &footer))?;
        }
    }
    Ok(())
}

impl Drawing {
    fn footer<'a>(&self, systems: impl IntoIterator<Item = &'a str>, newest: SystemTime) -> Result<String> {
        let machine = self.machine.clone().unwrap_or_else(provenance::machine);
        let versions = provenance::versions(&Path::new(MANIFEST).join("../../Cargo.lock"), systems)?;
        let versions = if versions.is_empty() { String::new() } else { format!(" With {versions}.") };
        Ok(format!("Measured on {machine}, {}.{versions}", provenance::date(newest)))
    }

    fn write(&self, name: &str, draw: impl Fn(Theme) -> Result<String>) -> Result<()> {
        let out = self.out.clone().unwrap_or_else(|| Path::new(MANIFEST).join(".."));
        for theme in [LIGHT, DARK] {
            let path = out.join(format!("{name}-{}.svg", theme.name));
            fs::write(&path, draw(theme)?).with_context(|| path.display().to_string())?;
            println!("{}", path.display());
        }
        Ok(())
    }
}

/// Where cargo builds, unless it is told otherwise on its command line.
fn target_folder() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(MANIFEST).join("../../target"))
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
