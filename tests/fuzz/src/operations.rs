//! Operations on a namespace, held against the reference model.

use roomcast::{DisconnectReason, Engine};

use crate::choices::Choices;
use crate::mail::MIN_SIZE;
use crate::op::{Change, From, Op, Place, Read, Route};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, ensure};

const PATH: &str = "/world";

/// How often one message is sent: around the edges of segments and limits.
const TIMES: [usize; 22] = [1, 1, 1, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 28, 29, 33, 64, 66, 130];

/// How much is done in one run, at most: a long run finds no more than several short ones.
const MAX_OPS: usize = 200;
const MAX_MESSAGES: usize = 2000;

/// What a namespace is set up with, one kind for each of the model's machines.
struct Setup {
    rooms: usize,
    limits: Limits,
    fold_at: usize,
    event_names: usize,
}

/// Does what the bytes say to an engine and to the model. Whatever they say, both agree.
pub fn operations(data: &[u8]) {
    if let Err(problem) = check(Choices::new(data)) {
        panic!("{problem}");
    }
}

fn check(mut choices: Choices<'_>) -> Check {
    let Setup { rooms, limits, fold_at, event_names } = setup(&mut choices);
    let builder = Engine::builder().backlog(limits.backlog());
    let builder = builder.membership_backlog(fold_at).and_then(|builder| builder.event_names(event_names));
    let engine = builder.expect("in range").build();
    let mut rig = Rig::new(&engine, PATH, rooms, limits, fold_at);
    (0..3).for_each(|_| rig.connect());
    let mut messages = 0;
    for _ in 0..MAX_OPS {
        if choices.is_over() || messages > MAX_MESSAGES {
            break;
        }
        match op(&mut choices) {
            None => {
                let was_there = engine.remove(PATH);
                ensure!(was_there != rig.world.is_closed, "remove returned {was_there}");
                rig.close(&DisconnectReason::NamespaceRemoved);
            }
            // The model connects to what is there.
            Some(Op::Connect) if rig.world.is_closed => {}
            Some(op) => {
                messages += if let Op::Emit { times, .. } = op { times } else { 0 };
                rig.apply(&op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
            }
        }
    }
    rig.finish()
}

fn setup(choices: &mut Choices<'_>) -> Setup {
    let plain = Setup { rooms: 6, limits: Limits::default(), fold_at: 1024, event_names: 3 };
    match choices.below(5) {
        0 => plain,
        1 => Setup { rooms: 48, ..plain },
        2 => Setup { fold_at: 2 + choices.below(10), ..plain },
        3 => {
            let limits = Limits { disconnects: false, ..limits(choices) };
            Setup { fold_at: 2 + choices.below(10), limits, ..plain }
        }
        _ => Setup { rooms: 4, limits: limits(choices), ..plain },
    }
}

fn limits(choices: &mut Choices<'_>) -> Limits {
    let messages = choices.one_of(&[1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 4096]);
    let bytes = choices.one_of(&[1 << 20, 1, 8, 63, 64, 65, 200, 1000]);
    Limits { messages, bytes, disconnects: choices.flag() }
}

/// The next operation, or `None` to remove the namespace.
fn op(choices: &mut Choices<'_>) -> Option<Op> {
    Some(match choices.below(64) {
        0..=21 => Op::Emit {
            times: choices.one_of(&TIMES),
            size: choices.one_of(&[MIN_SIZE, MIN_SIZE, 9, 30, 40, 64, 65, 300]),
            event: choices.number(),
            is_resolved: choices.flag(),
            route: route(choices),
        },
        22..=35 => Op::Move {
            socket: choices.number(),
            change: choices.one_of(&[Change::Join, Change::Join, Change::Leave, Change::Set]),
            rooms: rooms(choices),
            by_handle: choices.flag(),
        },
        36..=46 => Op::Read { socket: choices.number(), read: read(choices) },
        47 => Op::LeaveAll { socket: choices.number() },
        48 | 49 => Op::Connect,
        50 => Op::Disconnect { socket: choices.number(), reason: choices.number() },
        51 => Op::DropInbox { socket: choices.number() },
        52 => Op::KeepHandle { room: choices.number() },
        53 => Op::DropHandle { handle: choices.number() },
        54 | 55 => Op::KeepTarget { slot: choices.number(), to: to(choices), except: except(choices) },
        56 => Op::RoomBacklog { room: choices.number(), limits: limits(choices) },
        57 => Op::Backlog { limits: limits(choices) },
        58..=60 => Op::Watch { socket: choices.number() },
        61 => Op::Unwatch { socket: choices.number() },
        62 => Op::Look,
        _ => return None,
    })
}

fn route(choices: &mut Choices<'_>) -> Route {
    match choices.below(14) {
        0..=2 => {
            let room = choices.number();
            Route::Room { room, from: choices.flag().then(|| choices.number()) }
        }
        3 | 4 => Route::Kept { from: from(choices), target: choices.number() },
        5 => Route::Direct { socket: choices.number() },
        _ => Route::Places {
            from: from(choices),
            to: to(choices),
            except: except(choices),
            as_target: choices.flag(),
        },
    }
}

fn from(choices: &mut Choices<'_>) -> From {
    match choices.below(5) {
        0 | 1 => From::Namespace,
        2 | 3 => From::Others(choices.number()),
        _ => From::Within(choices.number()),
    }
}

fn to(choices: &mut Choices<'_>) -> Option<Vec<Place>> {
    let count = choices.one_of(&[1, 1, 2, 3, 4, 0]);
    choices.flag().then(|| choices.list(count, place))
}

fn except(choices: &mut Choices<'_>) -> Vec<Place> {
    let count = choices.one_of(&[0, 0, 0, 1, 2, 3]);
    choices.list(count, place)
}

fn place(choices: &mut Choices<'_>) -> Place {
    match choices.below(7) {
        0..=3 => Place::Room(choices.number()),
        4 | 5 => Place::Handle(choices.number()),
        _ => Place::Socket(choices.number()),
    }
}

/// A few by their numbers, or many in a row.
fn rooms(choices: &mut Choices<'_>) -> Vec<usize> {
    match choices.one_of(&[1, 1, 1, 1, 2, 3, 0, 6, 15, 16, 17, 31, 32, 33, 47]) {
        count @ 0..=4 => choices.list(count, Choices::number),
        count => {
            let first = choices.number();
            (first..first + count).collect()
        }
    }
}

fn read(choices: &mut Choices<'_>) -> Read {
    let few = choices.one_of(&[1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 40, 0]);
    match choices.below(14) {
        0..=5 => Read::Drain,
        6..=9 => Read::Next(few),
        10 => Read::Poll(few),
        11 => Read::Iter(few),
        12 => Read::Panic(few),
        _ => Read::Wait(few),
    }
}
