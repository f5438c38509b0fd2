//! A panic in every place, checked four times: as it was with code that returns, so it is with code that panics.
#![cfg(panic = "unwind")]

use std::env;
use std::process::Command;

use crate::common::watched;
use crate::counting::live_bytes;
use crate::places::{self, Fate, Scene};
use crate::trap::{Manner, ON_PURPOSE, Trap, caught, panics, watch_panics};
use crate::world::{Witnesses, World};

/// What has become of a world in which the trap was sprung.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    is_caught: bool,
    panics: Vec<String>,
    reports: Vec<String>,
    /// What came to those whom it concerns, and what their handlers have noted.
    own: [Vec<String>; 3],
    /// What came to all others.
    others: [Vec<String>; 3],
    emitted: usize,
    counts: String,
    /// Whether everything works, for those who are there and for who comes.
    works: bool,
    /// How many bytes another such world has left behind.
    leaked: i64,
}

type Check = fn(&Outcome, &Outcome, Fate) -> bool;

/// What is to hold of the world with a panic, beside the one without.
const CHECKS: [(&str, Check); 4] = [
    ("the panic reaches only who is told of it", |panicked, returned, fate| {
        let told: &[&str] = if let Fate::Told(place) = fate { &[place] } else { &[] };
        let before = (returned.is_caught, returned.panics.len(), returned.reports.len());
        before == (false, 0, 0)
            && (panicked.is_caught, &*panicked.panics) == (fate == Fate::Caller, &[ON_PURPOSE.to_owned()])
            && panicked.reports == told
    }),
    ("the next message arrives", |panicked, returned, _| panicked.own == returned.own),
    ("everybody else gets every message", |panicked, returned, _| {
        let numbers = |heard: &[String]| heard.iter().filter(|text| text.starts_with("n:")).count();
        panicked.others == returned.others
            && panicked.others.iter().all(|heard| numbers(heard) == panicked.emitted)
    }),
    ("counts, memory and locks are as before", |panicked, returned, _| {
        // The checker of lock orders keeps what it has seen.
        let has_leaked = panicked.leaked != 0 && !cfg!(roomcast_lock_order);
        panicked.works && panicked.counts == returned.counts && !has_leaked
    }),
];

/// Springs a trap that does nothing but return or panic.
fn play(scene: Scene, panics_there: bool) -> Outcome {
    let world = World::new(scene.recovers);
    let witnesses = Witnesses::new(&world);
    let manner = Manner { panics: panics_there, ..Manner::default() };
    let trap = Trap::new(&world, |_| {}, manner);
    let is_caught = caught(|| (scene.bring)(&world, &trap));
    let panics = panics();
    world.settle();
    (0..3).for_each(|_| world.emit());
    world.receive("e");
    world.settle();
    let counts = world.counts();
    let [first, second] = witnesses.read();
    let others = [first, second, world.other_inbox.heard().clone()];
    let own = [world.inbox.heard().clone(), world.outbox.heard().clone(), world.log.lock().clone()];
    let reports = world.reports.lock().clone();
    let emitted = world.emitted();
    let works = !caught(|| world.check()); // takes every lock
    world.engine.close();
    Outcome { is_caught, panics, reports, own, others, emitted, counts, works, leaked: 0 }
}

/// As [`play`], once more when what is made once in a thread was made.
fn play_twice(scene: Scene, panics_there: bool) -> Outcome {
    let outcome = play(scene, panics_there);
    let before = live_bytes();
    drop(play(scene, panics_there));
    Outcome { leaked: live_bytes() - before, ..outcome }
}

#[test]
fn a_panic_anywhere_hurts_nobody_else() {
    watch_panics();
    let (mut failed, mut cells) = (Vec::new(), 0);
    for (place, fate, scene) in places::all().filter(|(_, fate, _)| fate.is_survived()) {
        let play = move || (play_twice(scene, true), play_twice(scene, false));
        let (panicked, returned) = watched(place, play);
        for (check, holds) in CHECKS {
            cells += 1;
            if !holds(&panicked, &returned, fate) {
                failed.push(format!(
                    "after a panic in {place}: {check}: {panicked:?}, and without: {returned:?}"
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {cells} cells: {}", failed.len(), failed.join("\n"));
}

/// So the test runs itself, once for each such place.
#[test]
fn a_panic_on_top_of_another_ends_the_process() {
    let name = "panics::a_panic_on_top_of_another_ends_the_process";
    let doomed = || places::all().filter(|(_, fate, _)| !fate.is_survived());
    if let Ok(chosen) = env::var("ROOMCAST_DOOMED") {
        watch_panics();
        let (_, _, scene) = doomed().find(|(place, ..)| *place == chosen).expect("a place");
        play(scene, true);
        return;
    }
    assert!(doomed().count() > 0);
    for (place, ..) in doomed() {
        let mut itself = Command::new(env::current_exe().unwrap());
        let ended = itself.args(["--exact", name]).env("ROOMCAST_DOOMED", place).output().unwrap();
        assert_eq!(ended.status.code(), None, "a panic in {place}: {ended:?}"); // by a signal
    }
}
