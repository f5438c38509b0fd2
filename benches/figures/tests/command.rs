//! The program, by its exit codes and files.

mod common;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use common::Target;

fn run(target: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcast-figures"));
    let Output { status, stdout, stderr } =
        command.arg("--target").arg(target).args(arguments).output().expect("it can be run");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn wrong_arguments_are_2_and_missing_data_1() {
    let target = Target::new();
    for wrong in [&["--nonsense"][..], &["paint"], &["--span", "soon"], &["table", "--out", "."]] {
        let (code, out, error) = run(target.path(), wrong);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(error.contains("error:"), "{error}");
    }
    for command in [&[][..], &["table"], &["chart"], &["latency"]] {
        let (code, _, error) = run(target.path(), command);
        assert_eq!(code, Some(1), "{command:?}");
        assert!(error.starts_with("error: no ") && error.contains("first"), "{error}");
    }
}

#[test]
fn a_table_warns_of_what_it_leaves_out() {
    let target = Target::new();
    let day = Duration::from_secs(24 * 3600);
    target.bench("sparse/100", "roomcast", 4.0, 100).bench_ago("sparse/100", "push", 45.0, 100, day);
    let (code, out, error) = run(target.path(), &[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("sparse/100           roomcast 4.00 ns\n"), "{out}");
    assert!(out.contains("within 4 times floor"), "{out}");
    assert!(error.starts_with("warning: ") && error.contains("sparse/100/push"), "{error}");
    assert_eq!(run(target.path(), &["--strict"]).0, Some(1));
    let (code, out, error) = run(target.path(), &["--strict", "--span", "2d"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.contains("push 45.0 ns (11.2 x)"), "{out}");
}

#[test]
fn charts_are_written_light_and_dark() {
    let target = Target::new();
    target.bench("burst/1000x100", "roomcast", 0.68, 100_000);
    target.latency("load", 50_000.0, &[("roomcast", 4_000)], Duration::ZERO);
    let out = target.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    for name in ["chart", "latency"] {
        let folder = out.to_str().expect("text");
        let (code, printed, error) =
            run(target.path(), &[name, "--out", folder, "--machine", "a pocket calculator"]);
        assert_eq!(code, Some(0), "{error}");
        assert_eq!(printed.lines().count(), 2);
        for theme in ["light", "dark"] {
            let svg =
                std::fs::read_to_string(out.join(format!("{name}-{theme}.svg"))).expect("it was written");
            assert!(svg.contains("Measured on a pocket calculator, 20"), "{svg}");
        }
    }
    let (code, _, error) = run(target.path(), &["chart", "--out", "/nonexistent"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("/nonexistent/chart-light.svg"), "{error}");
}
