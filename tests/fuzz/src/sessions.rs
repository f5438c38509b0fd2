//! Clients whose lines are cut and who come back, held against a reference.

#[path = "../../recovery/program.rs"]
mod program;
#[path = "../../recovery/rig.rs"]
#[expect(dead_code, reason = "the tests do more")]
mod rig;

use self::program::{CLIENTS, ROOMS, Step, To, run};
use crate::choices::Choices;

/// How much is done in one run, at most: a long run finds no more than several short ones.
const MAX_STEPS: usize = 200;

/// Does what the bytes say. Whatever they say, each client sees what it should.
pub fn sessions(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut steps = Vec::new();
    while !choices.is_over() && steps.len() < MAX_STEPS {
        steps.push(step(&mut choices));
    }
    run(&steps);
}

fn step(choices: &mut Choices<'_>) -> Step {
    let client = choices.below(CLIENTS);
    match choices.below(32) {
        0..=8 => Step::Emit(to(choices), choices.below(5) == 0),
        9 => Step::Ask(client),
        10..=12 => Step::Join(client, room(choices)),
        13 => Step::Leave(client, room(choices)),
        14..=18 => Step::See(client, 1 + choices.below(6)),
        19..=21 => Step::Lose(client),
        22..=24 => Step::Cut(client),
        25..=28 => Step::Resume(client),
        29 => Step::Quit(client),
        30 => Step::Kick(client),
        _ => Step::Tick(1 + choices.below(40) as u8),
    }
}

fn to(choices: &mut Choices<'_>) -> To {
    match choices.below(4) {
        0 => To::All,
        1 => To::Room(room(choices)),
        2 => To::Rooms(room(choices), room(choices)),
        _ => To::Client(choices.below(CLIENTS)),
    }
}

fn room(choices: &mut Choices<'_>) -> u8 {
    choices.below(ROOMS.into()) as u8
}
