//! The program, as it is run.

use std::process::{Command, Output};

use serde_json::Value;

fn arena(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arena")).args(arguments.split_whitespace()).output().unwrap()
}

fn summary(arguments: &str) -> Value {
    let output = arena(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_summary_has_all_figures_and_they_agree() {
    let summary =
        summary("--headless --agents 600 --ticks 60 --threads 2 --seed 3 --every 3 --stalled 50 --hz 50");
    for (name, expected) in [
        ("seed", 3),
        ("agents", 600),
        ("threads", 2),
        ("ticks", 60),
        ("every", 3),
        ("stalled", 50),
        ("published", 600 * 60 / 3),
    ] {
        assert_eq!(summary[name], expected, "{name}: {summary}");
    }
    for name in ["delivered", "joins", "max_backlog", "deliveries_per_second"] {
        assert!(summary[name].as_u64().unwrap() > 0, "{name}: {summary}");
    }
    assert_eq!(summary["joins"], summary["leaves"]);
    assert_eq!(summary["budget_ms"], 20.0);
    let [p50, p99, max] = ["p50", "p99", "max"].map(|name| summary["tick_ms"][name].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{summary}");
    assert_eq!(summary["over_budget"] == 0, max <= 20.0, "{summary}");
    assert_eq!(summary["checksum"].as_str().unwrap().len(), 16);
    assert!(["gaps", "missed"].iter().all(|name| summary[name].is_u64()), "{summary}");
}

#[test]
fn ticks_wait_for_their_time_if_they_are_to() {
    let start = std::time::Instant::now();
    summary("--headless --agents 10 --ticks 20 --hz 40 --realtime");
    assert!(start.elapsed().as_millis() >= 20 * 25);
}

#[test]
fn wrong_arguments_are_told_and_end_with_two() {
    for (arguments, told) in [
        ("--agents many", "--agents"),
        ("--every 0", "--every"),
        ("--nonsense", "--nonsense"),
        ("--realtime", "--headless"),
        ("--ticks 5", "no terminal"),
    ] {
        let output = arena(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {errors}");
        assert!(errors.starts_with("error: ") && errors.contains(told), "{arguments}: {errors}");
        assert!(output.stdout.is_empty());
    }
    let help = arena("--help");
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--headless"));
}
