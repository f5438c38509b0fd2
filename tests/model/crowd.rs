//! Who is present is told as it is, who moves is in the cells around, and each tick ends where it should.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use roomcast::Cell;

use crate::crowd_rig::Rig;
use crate::crowd_world::{KEYS, Near, Op, ROOMS, SOCKETS, Setup, Step, VIEWS, Whom};
use crate::{Check, machine};

fn setups() -> impl Strategy<Value = Setup> {
    let near = prop_oneof![(0..48_u32).prop_map(Near::Circle), (0..3_u32).prop_map(Near::Square)];
    let limit = prop_oneof![3 => Just(1000_usize), 1 => 2..40_usize];
    (near, 0..20_u32, limit).prop_map(|(near, hysteresis, rooms_per_socket)| Setup {
        near,
        hysteresis,
        rooms_per_socket,
    })
}

/// Whole numbers and sixteens of them, to be at borders and at exact distances often.
fn coordinates() -> impl Strategy<Value = i32> {
    prop_oneof![-64..64_i32, (-4..4_i32).prop_map(|n| n * 16)]
}

fn cells() -> impl Strategy<Value = Cell> {
    (-2..2_i64, -2..2_i64)
}

fn steps() -> impl Strategy<Value = Step> {
    let place = || (coordinates(), coordinates());
    prop_oneof![
        8 => place().prop_map(|(x, y)| Step::Move(x, y)),
        3 => (0..VIEWS, place()).prop_map(|(view, (x, y))| Step::Look(view, x, y)),
        1 => (0..VIEWS).prop_map(Step::LookAway),
        2 => cells().prop_map(Step::Pin),
        2 => cells().prop_map(Step::Unpin),
        1 => Just(Step::Clear),
        1 => place().prop_map(|(x, y)| Step::Waver(x, y)),
    ]
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        1 => Just(Whom::Everyone),
        1 => (0..ROOMS).prop_map(Whom::Room),
        3 => Just(Whom::Here),
        2 => cells().prop_map(Whom::Cell),
        1 => (0..SOCKETS).prop_map(Whom::Socket),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let s = || 0..SOCKETS;
    let sr = || (0..SOCKETS, 0..ROOMS);
    let op = prop_oneof![
        3 => sr().prop_map(|(s, r)| Op::Join(s, r)),
        2 => sr().prop_map(|(s, r)| Op::Leave(s, r)),
        1 => s().prop_map(Op::LeaveAll),
        1 => (s(), any::<bool>()).prop_map(|(s, is_read)| Op::Replace(s, is_read)),
        7 => (sr(), 0..KEYS, 0..3_u8).prop_map(|((s, r), key, meta)| Op::Track(s, r, key, meta)),
        2 => (sr(), 0..3_u8).prop_map(|((s, r), meta)| Op::Update(s, r, meta)),
        2 => sr().prop_map(|(s, r)| Op::Untrack(s, r)),
        4 => (sr(), prop::bool::weighted(0.3)).prop_map(|((s, r), is_count)| Op::Watch(s, r, is_count)),
        1 => sr().prop_map(|(s, r)| Op::Unwatch(s, r)),
        3 => (0..ROOMS).prop_map(Op::Flush),
        8 => (s(), steps()).prop_map(|(s, step)| Op::Interest(s, step)),
        1 => (cells(), option::weighted(0.7, 0..3_usize)).prop_map(|(cell, most)| Op::Capacity(cell, most)),
        8 => (s(), whom()).prop_map(|(s, whom)| Op::Emit(s, whom)),
        4 => (0..3_u64).prop_map(Op::Tick),
        2 => s().prop_map(Op::Drain),
        5 => (s(), 0..6_u64).prop_map(|(s, ago)| Op::DrainBefore(s, ago)),
        2 => (s(), 1..5_usize).prop_map(|(s, count)| Op::Next(s, count)),
    ];
    vec(op, 1..80)
}

fn check(setup: Setup, ops: &[Op]) -> Check {
    let mut rig = Rig::new(setup);
    for op in ops {
        rig.apply(op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
    }
    rig.finish()
}

#[test]
fn everyone_is_told_who_is_there_hears_what_is_near_and_reads_up_to_its_tick() {
    machine(300, (setups(), ops()), |(setup, ops)| check(setup, &ops));
}
