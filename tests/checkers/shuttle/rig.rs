//! Runs scenarios, thousands of times each.

use std::any::type_name;
use std::collections::BTreeSet;
use std::env;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use roomcast::{Engine, EngineBuilder, Namespace};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Condvar;
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

/// How often each scheduler runs a scenario, unless `ROOMCAST_SHUTTLE_ITERATIONS` says otherwise.
const RUNS: usize = 10_000;

/// How many ordering constraints a fault may need for PCT to look for it.
const DEPTH: usize = 3;

const SEED: u64 = 0x726f_6f6d;

/// Runs a scenario under both schedulers, and returns what outcomes there were.
///
/// A scenario is a function, and called by its name.
pub(crate) fn explore<O, S>(scenario: S) -> BTreeSet<O>
where
    O: Ord + Send + 'static,
    S: Fn() -> O + Clone + Send + Sync + 'static,
{
    let asked = env::var("ROOMCAST_SHUTTLE_ITERATIONS");
    let runs = asked.map_or(RUNS, |runs| runs.parse().expect("a number of iterations"));
    let mut outcomes =
        explore_by(RandomScheduler::new_from_seed(SEED, runs), "random", runs, scenario.clone());
    outcomes.extend(explore_by(PctScheduler::new_from_seed(SEED, DEPTH, runs), "PCT", runs, scenario));
    outcomes
}

fn explore_by<O, S>(scheduler: impl Scheduler + 'static, by: &str, asked: usize, scenario: S) -> BTreeSet<O>
where
    O: Ord + Send + 'static,
    S: Fn() -> O + Send + Sync + 'static,
{
    let mut config = Config::new();
    config.stack_size = 128 << 10;
    config.silence_warnings = true; // of orderings
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&outcomes);
    let begun = Instant::now();
    let runs = Runner::new(scheduler, config).run(move || {
        let outcome = scenario();
        seen.lock().unwrap().insert(outcome);
    });
    println!("{}: {runs} runs by {by}, {:.1} s", type_name::<S>(), begun.elapsed().as_secs_f32());
    assert_eq!(runs, asked, "a scheduler has stopped early");
    std::mem::take(&mut *outcomes.lock().unwrap())
}

/// The outcomes that a scenario has to show, all of them and no others.
pub(crate) fn all<O: Ord>(outcomes: impl IntoIterator<Item = O>) -> BTreeSet<O> {
    outcomes.into_iter().collect()
}

/// An engine of few parts, as each run makes one.
pub(crate) fn small() -> EngineBuilder {
    Engine::builder().shards(1).unwrap()
}

pub(crate) fn world() -> Namespace {
    small().build().of("/world").unwrap()
}

pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(work)
}

pub(crate) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap()
}

pub(crate) fn join_all<T, const N: usize>(threads: [JoinHandle<T>; N]) -> [T; N] {
    threads.map(join)
}

/// A bell that a thread can wait for: rings add up.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rings: shuttle::sync::Mutex<usize>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rung.notify_all();
    }

    pub(crate) fn rings(&self) -> usize {
        *self.rings.lock().unwrap()
    }

    /// Waits until there were more than `rings`, and returns how many there were.
    pub(crate) fn wait_past(&self, rings: usize) -> usize {
        *self.rung.wait_while(self.rings.lock().unwrap(), |now| *now <= rings).unwrap()
    }
}
