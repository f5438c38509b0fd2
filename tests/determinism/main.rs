//! The same program does the same, whatever the keys of the hash tables and the addresses of the blocks are: in one
//! process after another, each with keys of its own, and with an allocator that deals out addresses at random.

mod allocator;
mod program;

use std::env;
use std::process::Command;

use program::trace;

/// What the program does: seeds of the operations that it draws.
const PROGRAMS: [u64; 2] = [1, 2];
/// How addresses are dealt out: 0 is as the system does.
const DEALS: [u64; 3] = [0, 1, 2];
const DEAL: &str = "ROOMCAST_DEAL";
/// Where the traces begin in what the child prints. Before it stands what is to differ.
const BEGIN: &str = "--- trace\n";

/// The order of the addresses of blocks made one after the other, and of names in a table with keys of its own: what
/// is different in every child, or the test would show nothing.
fn chance() -> String {
    let blocks: Vec<_> = (0..64).map(Box::new).collect();
    let mut by_address: Vec<_> = blocks.iter().map(|block| (&raw const **block, **block)).collect();
    by_address.sort_unstable();
    let by_address: Vec<_> = by_address.iter().map(|(_, number)| *number).collect();
    let names: std::collections::HashSet<u64> = (0..64).collect();
    format!("{by_address:?}\n{names:?}\n")
}

/// Fails with the first line that differs.
#[track_caller]
fn assert_same(expected: &str, trace: &str, which: &str) {
    let differs = expected.lines().zip(trace.lines()).find(|(expected, line)| expected != line);
    assert!(expected == trace, "{which}: {differs:#?}");
}

#[test]
#[ignore = "the program that the other test runs"]
fn child() {
    allocator::deal(env::var(DEAL).unwrap().parse().unwrap());
    eprint!("{}{BEGIN}", chance());
    for seed in PROGRAMS {
        let first = trace(seed, |_| {});
        assert_same(&first, &trace(seed, |_| {}), &format!("program {seed}, a second time in one process"));
        eprint!("{first}");
    }
}

/// What a child says: what is to differ, and what is not.
fn run_child(deal: u64) -> (String, String) {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["child", "--exact", "--ignored", "--nocapture"]).env(DEAL, deal.to_string());
    let output = child.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let (chance, trace) = said.split_once(BEGIN).unwrap();
    (chance.to_owned(), trace.to_owned())
}

#[test]
fn one_process_does_what_another_one_does() {
    let runs = DEALS.map(run_child);
    let (_, expected) = &runs[0];
    for ((chance, trace), deal) in runs.iter().zip(DEALS).skip(1) {
        assert_ne!(chance, &runs[0].0, "dealt by {deal}");
        assert_same(expected, trace, &format!("dealt by {deal}"));
    }
    for (order, what) in ["addresses", "hashes"].into_iter().enumerate() {
        let differs =
            runs.iter().any(|(chance, _)| chance.lines().nth(order) != runs[0].0.lines().nth(order));
        assert!(differs, "the {what} are the same in all");
    }
    println!("{} lines, the same {} times over", expected.lines().count(), 2 * runs.len());
}
