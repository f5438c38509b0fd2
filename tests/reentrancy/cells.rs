//! Every action in every place: it ends, it does what it does, and everything is as it should be then. Whether the code
//! returns or panics after it, and whether it acts itself or waits for another thread that does.

use crate::actions::ACTIONS;
use crate::common::watched;
use crate::places::{self, Fate, Scene};
use crate::trap::{Act, Manner, ON_PURPOSE, Trap, caught, panics, watch_panics};
use crate::world::{Witnesses, World};

/// Runs all cells, each under a watchdog.
fn run_all(manner: Manner) {
    watch_panics();
    let (mut failed, mut cells) = (Vec::new(), 0);
    for (place, fate, scene) in places::all().filter(|(_, fate, _)| !manner.panics || fate.is_survived()) {
        for (action, act) in ACTIONS {
            cells += 1;
            let name = format!("{action}, from inside {place}");
            if caught(|| watched(&name, move || cell(fate, scene, act, manner))) {
                failed.push(name);
            }
        }
    }
    assert!(failed.is_empty(), "{} of {cells} cells failed: {failed:#?}", failed.len());
}

fn cell(fate: Fate, scene: Scene, act: Act, manner: Manner) {
    let world = World::new(scene.recovers);
    let witnesses = Witnesses::new(&world);
    let trap = Trap::new(&world, act, manner);
    let is_caught = caught(|| (scene.bring)(&world, &trap));
    // Nor was there a panic that was caught elsewhere.
    assert_eq!(panics(), vec![ON_PURPOSE; usize::from(manner.panics)]);
    assert_eq!(is_caught, manner.panics && fate == Fate::Caller);
    world.settle();
    witnesses.check(world.emitted());
    world.check();
    assert!(panics().is_empty());
}

#[test]
fn every_action_is_legal_everywhere() {
    run_all(Manner::default());
}

#[test]
fn every_action_of_another_thread_ends_while_one_waits_for_it() {
    run_all(Manner { by_another: true, ..Manner::default() });
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_after_any_action_spoils_nothing() {
    run_all(Manner { panics: true, ..Manner::default() });
}
