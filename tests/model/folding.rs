//! A socket that is moved between rooms and does not read stays bounded: at a limit, all that it has not
//! read turns into one gap.

use proptest::prelude::*;
use roomcast::Engine;

use crate::op::Op;
use crate::ops::{Mix, PLAIN, limits, ops};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, machine};

const MIX: Mix = Mix { rooms: &[1, 1, 2, 3, 6], moves: 20, ..PLAIN };

fn check(limits: Limits, fold_at: usize, ops: &[Op]) -> Check {
    let builder = Engine::builder().backlog(limits.backlog());
    let engine = builder.membership_backlog(fold_at).expect("in range").build();
    let mut rig = Rig::new(&engine, "/", 6, limits, fold_at);
    (0..3).for_each(|_| rig.connect());
    rig.run(ops)
}

#[test]
fn too_many_changes_unread_fold_into_one_gap() {
    machine(250, (2..12_usize, ops(MIX, 1..80)), |(fold_at, ops)| check(Limits::default(), fold_at, &ops));
}

#[test]
fn gaps_of_both_kinds_add_up() {
    let mix = Mix { times: &[1, 1, 2, 7, 8, 9, 17, 33], ..MIX };
    let limits = limits().prop_map(|limits| Limits { disconnects: false, ..limits });
    let all = (limits, 2..12_usize, ops(mix, 1..60));
    machine(150, all, |(limits, fold_at, ops)| check(limits, fold_at, &ops));
}
