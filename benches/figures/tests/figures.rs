//! Numbers in, numbers out.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Target, write};
use roomcast_figures::chart;
use roomcast_figures::draw::{DARK, LIGHT};
use roomcast_figures::figures::Figures;
use roomcast_figures::latency::{self, Latencies, Percentiles};
use roomcast_figures::targets::{Outcome, check};
use roomcast_figures::{provenance, table};

const HOUR: Duration = Duration::from_secs(3600);

fn read(target: &Target) -> Figures {
    Figures::read(&target.path().join("criterion"), HOUR, true).expect("good figures")
}

fn error_of(target: &Target, strict: bool) -> String {
    let read = Figures::read(&target.path().join("criterion"), HOUR, strict);
    format!("{:#}", read.expect_err("there is something wrong"))
}

/// Files that criterion 0.7 has written itself.
#[test]
fn criterions_own_files_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let figures = Figures::read(&folder, Duration::MAX, true).expect("good figures");
    let groups: Vec<_> = figures.groups().map(|(group, systems)| (group, systems.len())).collect();
    assert_eq!(groups, [("burst/1000x100", 2)]);
    assert_eq!(figures.get("burst/1000x100", "roomcast"), Some(355392.2236318408 / 100_000.0));
    assert_eq!(figures.get("burst/1000x100", "push"), Some(13676936.15 / 100_000.0));
    assert_eq!(figures.get("burst/1000x100", "nobody"), None);
}

#[test]
fn medians_are_of_an_element_and_groups_in_order() {
    let target = Target::new();
    target.bench("wide/10000", "roomcast", 50.0, 1).bench("wide/10", "roomcast", 40.0, 1);
    target.bench("publish/100000", "roomcast", 33.0, 1024).bench("publish/100", "roomcast", 32.0, 1024);
    target.bench("burst/10000x100", "roomcast", 0.5, 1_000_000).bench(
        "burst/100x100",
        "roomcast",
        0.7,
        10_000,
    );
    target.bench("direct", "roomcast", 90.0, 1000);
    let figures = read(&target);
    let groups: Vec<_> = figures.groups().map(|(group, _)| group).collect();
    let expected = [
        "burst/100x100",
        "burst/10000x100",
        "publish/100",
        "publish/100000",
        "direct",
        "wide/10",
        "wide/10000",
    ];
    assert_eq!(groups, expected);
    assert!((figures.get("publish/100", "roomcast").expect("it is there") - 32.0).abs() < 1e-9);
}

#[test]
fn ratios_are_to_roomcast() {
    let target = Target::new();
    target.bench("burst/1000x100", "push", 36.8, 100_000).bench("burst/1000x100", "roomcast", 0.8, 100_000);
    target.bench("burst/1000x100", "floor", 0.4, 100_000).bench("sparse/100", "push", 45.0, 100);
    let expected = "burst/1000x100       floor 0.40 ns (0.50 x) | roomcast 0.80 ns | push 36.8 ns (46.0 x)\n\
                    sparse/100           push 45.0 ns\n";
    assert_eq!(table::medians(&read(&target)), expected);
}

#[test]
fn targets_are_met_up_to_their_limits() {
    let target = Target::new();
    target.bench("burst/1000x100", "roomcast", 1.0, 100).bench("burst/1000x100", "floor", 0.4, 100);
    target.bench("burst/1000x100", "push", 44.9, 100).bench("burst/1000x100", "tokio-broadcast", 25.1, 100);
    target.bench("sparse/100", "roomcast", 4.1, 100).bench("sparse/100", "floor", 1.0, 100);
    target.bench("contend/1/apart", "roomcast", 34.0, 1).bench("contend/2/apart", "roomcast", 20.0, 1);
    target.bench("publish/1", "roomcast", 30.0, 1).bench("publish/100000", "roomcast", 37.0, 1);
    target.bench("grid/10000", "roomcast", 2e6, 1).bench("grid/10000", "tuned-push", 1e6, 1);
    let checked = check(&read(&target));
    let outcome = |claim: &str| {
        let found = checked.iter().find(|checked| checked.claim == claim);
        match found.unwrap_or_else(|| panic!("no target {claim}")).outcome {
            Outcome::Met(ratio) => Some((true, (ratio * 1000.0).round() / 1000.0)),
            Outcome::NotMet(ratio) => Some((false, (ratio * 1000.0).round() / 1000.0)),
            Outcome::NotMeasured => None,
        }
    };
    assert_eq!(outcome("burst/1000x100: within 2.5 times floor"), Some((true, 2.5)));
    assert_eq!(outcome("burst/1000x100: at least 45 times faster than push"), Some((false, 44.9)));
    assert_eq!(outcome("burst/1000x100: at least 25 times faster than tokio-broadcast"), Some((true, 25.1)));
    assert_eq!(outcome("burst/1000x100: at least 250 times faster than socketioxide"), None);
    assert_eq!(outcome("sparse/100: within 4 times floor"), Some((false, 4.1)));
    assert_eq!(outcome("contend/1/apart: at least 1.7 times contend/2/apart"), Some((true, 1.7)));
    assert_eq!(outcome("publish/100000: within 1.2 times publish/1"), Some((false, 1.233)));
    assert_eq!(outcome("grid/10000: no slower than tuned-push"), Some((false, 2.0)));
    let text = table::targets(&read(&target));
    assert!(
        text.lines().any(|line| line.starts_with("sparse/100:") && line.ends_with("NOT MET       4.10 x")),
        "{text}"
    );
}

#[test]
fn what_is_not_of_the_last_run_is_left_out() {
    let target = Target::new();
    target.bench("sparse/100", "roomcast", 4.0, 100).bench_ago("sparse/100", "push", 45.0, 100, 2 * HOUR);
    let figures = Figures::read(&target.path().join("criterion"), HOUR, false).expect("good figures");
    assert_eq!(figures.get("sparse/100", "push"), None);
    assert!(figures.get("sparse/100", "roomcast").is_some());
    let expected = "1 figure is more than 1h older than the newest: sparse/100/push; left out";
    assert_eq!(figures.warnings, [expected]);
    assert!(error_of(&target, true).contains("sparse/100/push; run those again"));
    let all = Figures::read(&target.path().join("criterion"), 3 * HOUR, true).expect("within the span");
    assert!(all.get("sparse/100", "push").is_some() && all.warnings.is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    let target = Target::new();
    assert!(error_of(&target, false).contains("run `cargo bench` first"));

    target.bench("sparse/100", "roomcast", 4.0, 100);
    let folder = target.path().join("criterion/sparse_100/roomcast");
    write(&folder.join("base/benchmark.json"), "not read", Duration::ZERO);
    assert_eq!(read(&target).groups().count(), 1);

    write(&folder.join("new/estimates.json"), r#"{"median":{"point_estimate":0.0}}"#, Duration::ZERO);
    assert!(error_of(&target, false).contains("0 ns is no median"));
    write(&folder.join("new/estimates.json"), "{}", Duration::ZERO);
    let error = error_of(&target, false);
    assert!(error.contains("estimates.json") && error.contains("missing field `median`"), "{error}");

    target.bench("sparse/100", "roomcast", 4.0, 100);
    let bytes = r#"{"group_id":"copy","function_id":"roomcast","throughput":{"Bytes":64}}"#;
    write(&target.path().join("criterion/copy/roomcast/new/benchmark.json"), bytes, Duration::ZERO);
    let estimates = r#"{"median":{"point_estimate":1.0}}"#;
    write(&target.path().join("criterion/copy/roomcast/new/estimates.json"), estimates, Duration::ZERO);
    let figures = read(&target);
    assert_eq!(figures.groups().count(), 1);
    assert_eq!(figures.warnings, ["copy/roomcast does not count elements; left out"]);
}

#[test]
fn a_chart_has_each_figure_in_both_themes() {
    let target = Target::new();
    target.bench("burst/1000x100", "roomcast", 0.68, 100_000).bench("burst/1000x100", "push", 36.8, 100_000);
    target.bench("publish/100000", "roomcast", 33.0, 1024).bench("publish/100000", "socketioxide", 133e6, 2);
    let figures = read(&target);
    for theme in [LIGHT, DARK] {
        let svg = chart::draw(&figures, theme, "Made with <care> & \"quotes\".").expect("there are figures");
        let texts = texts_of(&svg);
        for text in
            ["0.68 ns", "36.8 ns", "54 ×", "33.0 ns", "133 ms", "4,000,000 ×", "push by hand", "socketioxide"]
        {
            assert!(texts.iter().any(|it| it == text), "{text} in {texts:?}");
        }
        assert!(svg.contains(theme.background) && svg.contains("&lt;care&gt; &amp; \"quotes\""));
    }
    assert_eq!(chart::systems(&figures), ["push", "roomcast", "roomcast", "socketioxide"]);
}

#[test]
fn a_chart_of_nothing_is_an_error() {
    let target = Target::new();
    target.bench("direct", "roomcast", 0.68, 100);
    let draw = |target: &Target| chart::draw(&read(target), LIGHT, "").map_err(|error| error.to_string());
    assert!(draw(&target).is_err_and(|error| error.contains("none of burst/1000x100")));
    target.bench("burst/1000x100", "push", 36.8, 100_000);
    assert_eq!(draw(&target), Err("burst/1000x100 was measured without roomcast".into()));
}

#[test]
fn latencies_are_drawn_if_they_are_of_one_load() {
    let target = Target::new();
    let rows = [("clock", 30), ("roomcast", 4_000), ("push", 9_000)];
    target.latency("load", 50_000.0, &rows, Duration::ZERO).latency("calm", 5_000.0, &rows, Duration::ZERO);
    target.latency("stalled", 50_000.0, &rows, 2 * HOUR);
    let folder = target.path().join("latency");
    let latencies = Latencies::read(&folder, HOUR, false).expect("there are some");
    assert_eq!(latencies.systems(), ["roomcast", "push"]);
    let expected = Percentiles { p50: 4_000, p99: 40_000, p999: 400_000 };
    assert_eq!(latencies.get("load", "roomcast"), Some(expected));
    assert_eq!(latencies.get("stalled", "roomcast"), None);
    assert_eq!(latencies.warnings.len(), 1);
    assert!(Latencies::read(&folder, HOUR, true).is_err());

    let svg = latency::draw(&latencies, DARK, "A footer.").expect("one scenario is enough");
    let texts = texts_of(&svg);
    for text in
        ["roomcast", "push", "4.00 µs · 40.0 µs · 400 µs", "load alone", "the clock alone", "A footer."]
    {
        assert!(texts.iter().any(|it| it == text), "{text} in {texts:?}");
    }

    target.latency("churn", 40_000.0, &rows, Duration::ZERO);
    let latencies = Latencies::read(&folder, HOUR, false).expect("there are some");
    let error = latency::draw(&latencies, LIGHT, "").expect_err("loads differ");
    assert_eq!(error.to_string(), "load and churn were measured under different loads");
}

#[test]
fn versions_are_of_what_is_drawn() {
    let target = Target::new();
    let lock = target.path().join("Cargo.lock");
    let text = "version = 4\n[[package]]\nname = \"tokio\"\nversion = \"1.54.1\"\n[[package]]\nname = \"bus\"\nversion = \"2.4.1\"\n";
    write(&lock, text, Duration::ZERO);
    let versions = provenance::versions(&lock, ["floor", "tokio-broadcast", "tokio-broadcast", "push"]);
    assert_eq!(versions.expect("a lock file"), "tokio 1.54.1");
    write(&lock, "nonsense", Duration::ZERO);
    assert!(provenance::versions(&lock, []).is_err());
}

/// What is written in a picture.
fn texts_of(svg: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for event in svg::read(svg).expect("an SVG") {
        if let svg::parser::Event::Text(text) = event {
            texts.push(text.trim().to_owned());
        }
    }
    texts
}
