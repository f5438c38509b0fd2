//! The contract as plain lists and maps, and state machines that hold the engine against it.
//!
//! `world.rs` is the reference: for each message it works out, as it is emitted, exactly who gets it, by
//! which way and in which order. `reading.rs` compares what an inbox hands out with that. `rig.rs` does
//! each operation of `op.rs` to both. The machines differ in their settings and in what they do most.
//!
//! `terms` has a reference of its own, `terms_world.rs`, for what a message asks for beyond its recipients, and for what
//! rooms keep. `crowd` has another one, `crowd_world.rs`: for presence, interest and ticks.
//!
//! `server` and `dynamic` are the same for all above the rooms: clients, middlewares, hooks, answers, and the
//! namespaces that come and go.
//!
//! `ROOMCAST_CASES` sets how many cases each machine runs.

mod check;
mod crowd;
mod crowd_rig;
mod crowd_world;
mod dynamic;
mod exactness;
mod folding;
mod lifecycle;
mod mail;
mod many_rooms;
mod op;
mod ops;
mod overflow;
mod reading;
mod reads;
mod regressions;
mod rig;
mod server;
mod terms;
mod terms_rig;
mod terms_world;
mod world;

use check::{Check, ensure};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// Runs `check` on values of the strategy, and panics with the smallest that fails. `cases` is for the
/// debug build without `ROOMCAST_CASES`.
fn machine<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value) -> Check) {
    let cases = std::env::var("ROOMCAST_CASES").map_or(cases, |cases| cases.parse().expect("a number"));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100_000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&strategy, |value| check(value).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(problem, value)) => panic!("{problem}\n{value:?}"),
        Err(error) => panic!("{error}"),
    }
}
