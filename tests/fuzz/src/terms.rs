//! Keys, lifetimes, distances and histories, held against their reference.

use crate::choices::Choices;
use crate::terms_rig::Rig;
use crate::terms_world::{Emit, Op, ROOMS, SOCKETS, Spot, Want};

/// How much is done in one run, at most: a long run finds no more than several short ones.
const MAX_OPS: usize = 300;

/// Does what the bytes say to an engine and to the reference. Whatever they say, both agree.
pub fn terms(data: &[u8]) {
    let (mut choices, mut rig) = (Choices::new(data), Rig::new());
    for _ in 0..MAX_OPS {
        if choices.is_over() {
            break;
        }
        let op = op(&mut choices);
        if let Err(problem) = rig.apply(&op) {
            panic!("{problem}\n  in {op:?}");
        }
    }
    if let Err(problem) = rig.finish() {
        panic!("{problem}");
    }
}

fn op(choices: &mut Choices<'_>) -> Op {
    let (socket, room) = (choices.below(SOCKETS), choices.below(ROOMS));
    match choices.below(32) {
        0..=13 => Op::Emit(emit(choices)),
        14 | 15 => Op::Join(socket, room),
        16..=19 => Op::JoinWith(socket, room, want(choices)),
        20 | 21 => Op::Leave(socket, room),
        22 => Op::Tick(choices.below(4) as u64),
        23 | 24 => {
            let age = choices.flag().then(|| choices.below(5) as u64);
            Op::History(room, (choices.below(8) > 0).then(|| (1 + choices.below(40), age)))
        }
        25 => Op::Ask(room, want(choices)),
        26 | 27 => Op::Next(socket, 1 + choices.below(6)),
        28 => Op::TryDrain(socket, 1 + choices.below(6)),
        _ => Op::Drain(socket),
    }
}

fn emit(choices: &mut Choices<'_>) -> Emit {
    let from = choices.flag().then(|| choices.below(SOCKETS));
    let to = (choices.below(8) > 0).then(|| spots(choices));
    // From within there is no way to address everyone.
    let is_excepted = from.is_some() && (to.is_none() || choices.flag());
    let except = if choices.below(4) == 0 { spots(choices) } else { Vec::new() };
    let mut one_in = |n: usize, below: usize| (choices.below(n) == 0).then(|| choices.below(below));
    let (key, lifetime, slack) = (one_in(2, 3), one_in(4, 4), one_in(4, 6));
    let event = choices.below(2);
    let (lifetime, slack) = (lifetime.map(|it| it as u64), slack.map(|it| it as u32));
    Emit { from, is_excepted, to, except, event, key, lifetime, slack }
}

/// A few, each once.
fn spots(choices: &mut Choices<'_>) -> Vec<Spot> {
    let count = choices.one_of(&[1, 1, 2, 3, 0]);
    let mut spots = choices.list(count, |choices| match choices.below(ROOMS + 1) {
        ROOMS => Spot::Socket(choices.below(SOCKETS)),
        room => Spot::Room(room),
    });
    let mut seen = Vec::new();
    spots.retain(|spot| {
        !seen.contains(spot) && {
            seen.push(*spot);
            true
        }
    });
    spots
}

fn want(choices: &mut Choices<'_>) -> Want {
    match choices.below(4) {
        0 => Want::All,
        1 => Want::Last(choices.below(50)),
        2 => Want::Since(choices.below(50)),
        _ => Want::Latest,
    }
}
