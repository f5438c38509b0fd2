//! Namespaces that come to be when somebody connects to them: parents by pattern and by function, what they
//! hand to their children, and when children go.

mod rig;
mod world;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{Check, ensure, machine};
use rig::Rig;
use world::World;

const CLIENTS: usize = 3;
const PATTERNS: [&str; 3] = ["/game-{id}", "/{*all}", "/game-{id}/{*rest}"];
const PATHS: [&str; 6] = ["/game-1", "/game-2", "/game-1/x/y", "/lobby", "/fn-1", "/"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Pattern(usize),
    /// A parent by function: of paths that begin with `/fn`, or of those whose client says so, or one that
    /// panics.
    Function(usize),
    /// Has a parent's or a namespace's hooks write down that they were called.
    Register(Where),
    /// Takes something off that was registered.
    Off(usize),
    Connect {
        client: usize,
        path: usize,
        says: bool,
        is_let_in: bool,
    },
    Leave {
        client: usize,
        path: usize,
    },
    Close {
        client: usize,
    },
    Of(usize),
    Remove(usize),
    KeepEmpty(usize, bool),
    Emit(usize),
    Event {
        client: usize,
        path: usize,
    },
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Parent(usize),
    Path(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..PATHS.len();
    let client = 0..CLIENTS;
    let number = 0..100_usize;
    let places = prop_oneof![number.clone().prop_map(Where::Parent), path.clone().prop_map(Where::Path)];
    let step = prop_oneof![
        3 => (0..PATTERNS.len()).prop_map(Step::Pattern),
        2 => (0..3_usize).prop_map(Step::Function),
        5 => places.prop_map(Step::Register),
        2 => number.clone().prop_map(Step::Off),
        14 => (client.clone(), path.clone(), any::<bool>(), prop::bool::weighted(0.8)).prop_map(
            |(client, path, says, is_let_in)| Step::Connect { client, path, says, is_let_in }
        ),
        6 => (client.clone(), path.clone()).prop_map(|(client, path)| Step::Leave { client, path }),
        1 => client.clone().prop_map(|client| Step::Close { client }),
        2 => path.clone().prop_map(Step::Of),
        2 => path.clone().prop_map(Step::Remove),
        2 => (number.clone(), any::<bool>()).prop_map(|(parent, keep)| Step::KeepEmpty(parent, keep)),
        3 => number.prop_map(Step::Emit),
        4 => (client, path).prop_map(|(client, path)| Step::Event { client, path }),
        (1) => prop_oneof![1 => Just(Step::Shutdown), 9 => Just(Step::Emit(0))],
    ];
    vec(step, 1..80)
}

fn check(steps: &[Step]) -> Check {
    let (mut world, mut rig) = (World::new(), Rig::new());
    for &step in steps.iter().chain([&Step::Shutdown]) {
        if world.is_closed && !matches!(step, Step::Of(_) | Step::Remove(_) | Step::Connect { .. }) {
            continue;
        }
        world.apply(step);
        rig.apply(step).map_err(|problem| format!("{problem}\n  in {step:?}"))?;
        let found = std::mem::take(&mut *rig.trace.lock().expect("nothing panics under it"));
        let expected = std::mem::take(&mut world.trace);
        ensure!(found == expected, "called {found:#?}, expected {expected:#?}\n  in {step:?}");
        let (found, expected) = (rig.look(), world.look());
        ensure!(found == expected, "there is {found:#?}, expected {expected:#?}\n  in {step:?}");
    }
    ensure!(Arc::strong_count(&rig.trace) == 1, "{} hooks are left", Arc::strong_count(&rig.trace) - 1);
    Ok(())
}

#[test]
fn children_come_and_go() {
    machine(300, steps(), |steps| check(&steps));
}
