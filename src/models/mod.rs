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
//!
//! Races that have to be here, each with a model of it:
//!
//! | race                                  | model                                                        |
//! |---------------------------------------|--------------------------------------------------------------|
//! | publish against read, over an edge    | `segment::a_reader_goes_on_over_the_edge`                    |
//! | publish against publish               | `log::two_publishers_make_one_order`                         |
//! | join against publish                  | `membership::a_joiner_gets_all_from_the_join_on`             |
//! | leave against publish                 | `membership::a_leaver_gets_nothing_from_the_leave_on`        |
//! | cursor dropped against retirement     | `log::a_cursor_dropped_while_the_room_empties_keeps_nothing` |
//! | lag against read                      | `room::gaps_are_where_messages_are_missing`                  |
//! | close against publish                 | `membership::a_closed_socket_gets_what_was_published_before` |
//! | room made against room made           | `index::two_who_make_a_room_make_one`                        |
//! | inbox dropped against delivery        | `engine::a_dropped_inbox_leaves_nothing_behind`              |
//! | transport changed against delivery    | `outgoing::who_comes_to_be_woken_late_is`                    |
//! | sleep against what has to wake        | all of `wake`                                                |
//! | join with the past against publish   | `past::who_joins_with_the_past_gets_everything_once`         |
//! | a message replaced against read       | `past::newer_messages_replace_older_ones_and_the_newest_comes` |
//! | a tick against a drain up to it       | `past::nothing_of_a_tick_is_read_before_it`                  |
//! | counts read against what changes them | `engine::what_is_counted_was_so_at_some_moment`              |
//! | what is counted, while what did it goes | all of `counts`                                            |
//! | made against made, what is made once  | all of `once`                                                |
//! | presence against leave, watch, flush  | all of `presence`                                            |
//! | resume against loss, expiry, resume   | all of `recovery`                                            |
//! | what is recorded, while it happens    | all of `record`, with the feature of that name               |

mod ack;
mod capacity;
mod clock;
mod connection;
mod counts;
mod engine;
mod inbox;
mod index;
mod journal;
mod life;
mod listed;
mod log;
mod membership;
mod once;
mod outgoing;
mod past;
mod presence;
#[cfg(feature = "record")]
mod record;
mod recovery;
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
