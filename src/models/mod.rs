//! loom models of the places where threads hand something over: one file per subject.
//!
//! ```text
//! RUSTFLAGS="--cfg roomcast_loom" cargo test --release --lib models
//! ```
//!
//! loom runs a model once for every order in which its threads can be interleaved with no more than so many
//! preemptions (what the model says, or `LOOM_MAX_PREEMPTIONS` if that is more), and for every value that a
//! load may see. What it cannot see it does not interleave:
//! a model of code that is not built on `crate::sync` would pass after one run. So every model
//! tells how often it has to run at least, and which outcomes the runs together have to show.
//!
//! loom reports an `Arc` that is leaked or dropped twice. The [`Token`]s in all messages hold one.

mod ack;
mod capacity;
mod clock;
mod connection;
mod engine;
mod inbox;
mod index;
mod journal;
mod life;
mod listed;
mod log;
mod membership;
mod outgoing;
mod room;
mod scene;
mod segment;
mod serial;
mod wake;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A numbered value whose leak or second drop loom reports.
#[derive(Clone, Debug)]
struct Token {
    number: u64,
    _alive: loom::sync::Arc<()>,
}

impl Token {
    fn new(number: u64) -> Self {
        Self { number, _alive: loom::sync::Arc::new(()) }
    }
}

/// Runs a model in all interleavings with up to three preemptions, at least `runs` of them, and returns
/// what outcomes there were.
fn explore<O: Ord + Send + 'static>(
    name: &str,
    runs: usize,
    model: impl Fn() -> O + Send + Sync + 'static,
) -> BTreeSet<O> {
    explore_within(3, name, runs, model)
}

/// As [`explore`], for models of many steps, with up to this many preemptions. Takes its place wherever
/// three would take longer than a few seconds.
fn explore_within<O: Ord + Send + 'static>(
    preemptions: usize,
    name: &str,
    runs: usize,
    model: impl Fn() -> O + Send + Sync + 'static,
) -> BTreeSet<O> {
    let mut builder = loom::model::Builder::new();
    let asked = builder.preemption_bound.unwrap_or(preemptions);
    // Fewer would not show all that is asked for.
    builder.preemption_bound = Some(asked.max(preemptions));
    builder.max_branches = 20_000;
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let (seen, counted) = (Arc::clone(&outcomes), Arc::clone(&count));
    let begun = Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let outcome = model();
        seen.lock().unwrap().insert(outcome);
    });
    let count = count.load(Ordering::Relaxed);
    println!("{name}: {count} runs, {:.1} s", begun.elapsed().as_secs_f32());
    assert!(count >= runs, "{name}: {count} runs are too few, at least {runs} are to be expected");
    std::mem::take(&mut *outcomes.lock().unwrap())
}

/// The outcomes that a model has to show, all of them and no others.
fn all<O: Ord>(outcomes: impl IntoIterator<Item = O>) -> BTreeSet<O> {
    outcomes.into_iter().collect()
}
