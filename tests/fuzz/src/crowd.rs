//! Presence, interest and ticks, held against their reference.

use roomcast::Cell;

use crate::choices::Choices;
use crate::crowd_rig::Rig;
use crate::crowd_world::{KEYS, Near, Op, ROOMS, SOCKETS, Setup, Step, VIEWS, Whom};

/// How much is done in one run, at most: a long run finds no more than several short ones.
const MAX_OPS: usize = 300;

/// Does what the bytes say to an engine and to the reference. Whatever they say, both agree.
pub fn crowd(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut rig = Rig::new(setup(&mut choices));
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

fn setup(choices: &mut Choices<'_>) -> Setup {
    let near = if choices.flag() {
        Near::Square(choices.below(3) as u32)
    } else {
        Near::Circle(choices.below(48) as u32)
    };
    let hysteresis = choices.below(20) as u32;
    let rooms_per_socket = choices.one_of(&[1000, 1000, 40, 20, 9, 2]);
    let plane = Setup { near, hysteresis, rooms_per_socket, around: None };
    let around = (choices.below(3) == 0).then(|| plane.least_size() + choices.below(4) as u32);
    Setup { around, ..plane }
}

fn op(choices: &mut Choices<'_>) -> Op {
    let (socket, room) = (choices.below(SOCKETS), choices.below(ROOMS));
    match choices.below(48) {
        0..=2 => Op::Join(socket, room),
        3 | 4 => Op::Leave(socket, room),
        5 => Op::LeaveAll(socket),
        6 => Op::Replace(socket, choices.flag()),
        7..=12 => Op::Track(socket, room, choices.below(KEYS), choices.below(3) as u8),
        13 | 14 => Op::Update(socket, room, choices.below(3) as u8),
        15 | 16 => Op::Untrack(socket, room),
        17..=19 => Op::Watch(socket, room, choices.below(4) == 0),
        20 => Op::Unwatch(socket, room),
        21..=23 => Op::Flush(room),
        24..=31 => Op::Interest(socket, step(choices)),
        32 => {
            let capacity = (choices.below(4) > 0).then(|| choices.below(3));
            Op::Capacity(cell(choices), capacity)
        }
        33..=38 => Op::Emit(socket, whom(choices)),
        39..=41 => Op::Tick(choices.below(3) as u64),
        42 | 43 => Op::Drain(socket),
        44..=46 => Op::DrainBefore(socket, choices.below(6) as u64),
        _ => Op::Next(socket, 1 + choices.below(6)),
    }
}

fn step(choices: &mut Choices<'_>) -> Step {
    match choices.below(16) {
        0..=6 => Step::Move(coordinate(choices), coordinate(choices)),
        7..=9 => Step::Look(choices.below(VIEWS as usize) as u64, coordinate(choices), coordinate(choices)),
        10 => Step::LookAway(choices.below(VIEWS as usize) as u64),
        11 | 12 => Step::Pin(cell(choices)),
        13 => Step::Unpin(cell(choices)),
        14 => Step::Waver(coordinate(choices), coordinate(choices)),
        _ => Step::Clear,
    }
}

fn coordinate(choices: &mut Choices<'_>) -> i32 {
    choices.below(128) as i32 - 64
}

fn cell(choices: &mut Choices<'_>) -> Cell {
    (choices.below(4) as i64 - 2, choices.below(4) as i64 - 2)
}

fn whom(choices: &mut Choices<'_>) -> Whom {
    match choices.below(8) {
        0 => Whom::Everyone,
        1 => Whom::Room(choices.below(ROOMS)),
        2 => Whom::Socket(choices.below(SOCKETS)),
        3 | 4 => Whom::Cell(cell(choices)),
        _ => Whom::Here,
    }
}
