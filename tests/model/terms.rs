//! Every message comes on the terms that it was emitted on, and every past meets the present.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::terms_rig::Rig;
use crate::terms_world::{Emit, Op, ROOMS, SOCKETS, Spot, Want};
use crate::{Check, machine};

fn spots(most: usize) -> impl Strategy<Value = Vec<Spot>> {
    let rooms = (0..ROOMS).map(Spot::Room);
    let all: Vec<Spot> = rooms.chain((0..SOCKETS).map(Spot::Socket)).collect();
    let weighted: Vec<Spot> = all.iter().copied().filter(|spot| matches!(spot, Spot::Room(_))).collect();
    prop_oneof![3 => subsequence(weighted, 0..=ROOMS).prop_shuffle(), 1 => subsequence(all, 0..=most).prop_shuffle()]
}

fn emit() -> impl Strategy<Value = Emit> {
    let from = prop_oneof![3 => Just(None), 2 => (0..SOCKETS).prop_map(Some)];
    let to = prop_oneof![1 => Just(None), 8 => spots(3).prop_map(Some)];
    let except = prop_oneof![4 => Just(Vec::new()), 1 => spots(2)];
    let terms =
        (option::weighted(0.6, 0..2_usize), option::weighted(0.2, 0..4_u64), option::weighted(0.2, 0..5_u32));
    (from, any::<bool>(), to, except, 0..2_usize, terms).prop_map(
        |(from, is_excepted, to, except, event, (key, lifetime, slack))| {
            // From within there is no way to address everyone.
            let is_excepted = is_excepted || to.is_none();
            Emit { from, is_excepted: is_excepted && from.is_some(), to, except, event, key, lifetime, slack }
        },
    )
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        2 => Just(Want::All),
        2 => (0..8_usize).prop_map(Want::Last),
        2 => (0..8_usize).prop_map(Want::Since),
        1 => Just(Want::Latest),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (sockets, rooms) = (0..SOCKETS, 0..ROOMS);
    let history = option::weighted(0.9, (1..12_usize, option::weighted(0.3, 0..4_u64)));
    let op = prop_oneof![
        3 => (sockets.clone(), rooms.clone()).prop_map(|(socket, room)| Op::Join(socket, room)),
        4 => (sockets.clone(), rooms.clone(), want()).prop_map(|(socket, room, want)| Op::JoinWith(socket, room, want)),
        4 => (sockets.clone(), rooms.clone()).prop_map(|(socket, room)| Op::Leave(socket, room)),
        24 => emit().prop_map(Op::Emit),
        2 => (0..3_u64).prop_map(Op::Tick),
        2 => (rooms.clone(), history).prop_map(|(room, history)| Op::History(room, history)),
        1 => (rooms, want()).prop_map(|(room, want)| Op::Ask(room, want)),
        3 => sockets.clone().prop_map(Op::Drain),
        3 => (sockets.clone(), 1..6_usize).prop_map(|(socket, count)| Op::Next(socket, count)),
        2 => (sockets, 1..6_usize).prop_map(|(socket, count)| Op::TryDrain(socket, count)),
    ];
    vec(op, 1..80)
}

fn check(ops: &[Op]) -> Check {
    let mut rig = Rig::new();
    for op in ops {
        rig.apply(op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
    }
    rig.finish()
}

#[test]
fn every_message_comes_on_its_terms_and_every_past_meets_the_present() {
    machine(400, ops(), |ops| check(&ops));
}
