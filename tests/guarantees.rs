//! The chapter *Guarantees* names the tests that hold each promise. They exist, and no promise is without one.

use std::fs;
use std::path::{Path, PathBuf};

const CHAPTER: &str = include_str!("../src/guide/guarantees.md");

#[test]
fn every_test_that_the_chapter_names_exists() {
    let mut named = 0;
    for section in CHAPTER.split("\n# ").filter(|section| section.contains("\n> ")) {
        let title = section.lines().next().unwrap_or_default();
        let (_, held_by) =
            section.split_once("*Held by*").unwrap_or_else(|| panic!("nothing holds {title:?}"));
        // What is between backticks.
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing holds {title:?}");
        for name in &names {
            let (path, function) =
                name.rsplit_once("::").unwrap_or_else(|| panic!("{title:?}: `{name}` is no path"));
            assert!(is_test(&sources(path), function), "{title:?} names {name}, which is no test");
        }
        named += names.len();
    }
    assert!(named >= 50, "only {named} names were found");
}

/// The files in which a test of this path may be: a module, or a test program and the modules that it includes.
fn sources(path: &str) -> Vec<PathBuf> {
    let in_source = path.strip_prefix("src::").or_else(|| path.starts_with("models::").then_some(path));
    let (home, path) = in_source.map_or(("tests", path), |path| ("src", path));
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(home).join(path.replace("::", "/"));
    let mut sources = vec![base.with_extension("rs")];
    let mut folders = vec![base];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { sources.push(path) }
        }
    }
    sources
}

/// Whether one of the files has such a function, and an attribute makes it a test.
fn is_test(sources: &[PathBuf], function: &str) -> bool {
    let function = format!("fn {function}(");
    sources.iter().filter_map(|path| fs::read_to_string(path).ok()).any(|text| {
        text.match_indices(&function).any(|(at, _)| {
            let above = text[..at].lines().rev().skip_while(|line| line.trim().is_empty());
            above.take_while(|line| line.trim().starts_with('#')).any(|line| line.trim() == "#[test]")
        })
    })
}
