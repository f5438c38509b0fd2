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
    let around = option::weighted(0.3, 0..4_u32);
    (near, 0..20_u32, limit, around).prop_map(|(near, hysteresis, rooms_per_socket, around)| {
        let plane = Setup { near, hysteresis, rooms_per_socket, around: None };
        Setup { around: around.map(|more| plane.least_size() + more), ..plane }
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

/// Programs that do so much of each: be present and watch, move, and read from tick to tick.
fn ops(presence: u32, interest: u32, ticks: u32) -> impl Strategy<Value = Vec<Op>> {
    let s = || 0..SOCKETS;
    let sr = || (0..SOCKETS, 0..ROOMS);
    let present = prop_oneof![
        3 => sr().prop_map(|(s, r)| Op::Join(s, r)),
        2 => sr().prop_map(|(s, r)| Op::Leave(s, r)),
        1 => s().prop_map(Op::LeaveAll),
        1 => (s(), any::<bool>()).prop_map(|(s, is_read)| Op::Replace(s, is_read)),
        9 => (sr(), 0..KEYS, 0..3_u8).prop_map(|((s, r), key, meta)| Op::Track(s, r, key, meta)),
        2 => (sr(), 0..3_u8).prop_map(|((s, r), meta)| Op::Update(s, r, meta)),
        3 => sr().prop_map(|(s, r)| Op::Untrack(s, r)),
        4 => (sr(), prop::bool::weighted(0.3)).prop_map(|((s, r), is_count)| Op::Watch(s, r, is_count)),
        1 => sr().prop_map(|(s, r)| Op::Unwatch(s, r)),
        2 => (0..ROOMS).prop_map(Op::Flush),
    ];
    let near = prop_oneof![
        8 => (s(), steps()).prop_map(|(s, step)| Op::Interest(s, step)),
        1 => (cells(), option::weighted(0.7, 0..3_usize)).prop_map(|(cell, most)| Op::Capacity(cell, most)),
        4 => (s(), whom()).prop_map(|(s, whom)| Op::Emit(s, whom)),
    ];
    let read = prop_oneof![
        4 => (s(), whom()).prop_map(|(s, whom)| Op::Emit(s, whom)),
        4 => (0..3_u64).prop_map(Op::Tick),
        2 => s().prop_map(Op::Drain),
        4 => (s(), 0..6_u64).prop_map(|(s, ago)| Op::DrainBefore(s, ago)),
        2 => (s(), 1..5_usize).prop_map(|(s, count)| Op::Next(s, count)),
    ];
    vec(prop_oneof![presence => present, interest => near, ticks => read], 1..80)
}

fn check(setup: Setup, ops: &[Op]) -> Check {
    let mut rig = Rig::new(setup);
    for op in ops {
        rig.apply(op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
    }
    rig.finish()
}

#[test]
fn watchers_are_told_who_is_there() {
    machine(200, (setups(), ops(16, 1, 3)), |(setup, ops)| check(setup, &ops));
}

#[test]
fn who_moves_is_in_the_cells_around() {
    machine(150, (setups(), ops(1, 16, 3)), |(setup, ops)| check(setup, &ops));
}

#[test]
fn reads_end_where_their_ticks_do() {
    machine(150, (setups(), ops(4, 4, 12)), |(setup, ops)| check(setup, &ops));
}
