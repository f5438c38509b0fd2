//! The corpus, replayed: what fuzzing has found worth keeping holds on any toolchain.

use std::fs;
use std::path::Path;

use roomcast_fuzz::TARGETS;

/// Runs a target on all files of its corpus.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("each target has a corpus") {
        let path = entry.expect("the folder can be read").path();
        println!("{}", path.display()); // the last one, of a target that panics
        target(&fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    assert!(count > 0, "nothing in {}", folder.display());
}

#[test]
fn operations() {
    replay("operations");
}

#[test]
fn terms() {
    replay("terms");
}

#[test]
fn crowd() {
    replay("crowd");
}

#[test]
fn names() {
    replay("names");
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn chunks() {
    replay("chunks");
}

#[test]
fn recordings() {
    replay("recordings");
}

#[test]
fn sessions() {
    replay("sessions");
}
