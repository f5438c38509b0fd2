//! Beyond the limits, nothing goes missing in silence: gaps tell of exactly what is lost, only what may be
//! lost is, or the socket is disconnected, and neither happens to a socket that keeps up.

use proptest::prelude::*;
use roomcast::Engine;

use crate::mail::MIN_SIZE;
use crate::op::Op;
use crate::ops::{Mix, PLAIN, limits, ops};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, machine};

const MIX: Mix = Mix {
    times: &[1, 1, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 18, 31, 33, 64, 66, 130, 300],
    sizes: &[MIN_SIZE, MIN_SIZE, 9, 30, 64, 65, 300],
    ..PLAIN
};

fn check(limits: Limits, ops: &[Op]) -> Check {
    let engine = Engine::builder().backlog(limits.backlog()).build();
    let mut rig = Rig::new(&engine, "/", 4, limits, 1024);
    (0..3).for_each(|_| rig.connect());
    rig.run(ops)
}

#[test]
fn gaps_tell_exactly_what_is_lost() {
    let limits = limits().prop_map(|limits| Limits { disconnects: false, ..limits });
    machine(150, (limits, ops(MIX, 1..50)), |(limits, ops)| check(limits, &ops));
}

#[test]
fn whoever_would_lose_something_is_disconnected() {
    let limits = limits().prop_map(|limits| Limits { disconnects: true, ..limits });
    machine(150, (limits, ops(MIX, 1..50)), |(limits, ops)| check(limits, &ops));
}

#[test]
fn each_room_goes_by_its_own_limits() {
    let mix = Mix { backlogs: 3, ..MIX };
    machine(150, (limits(), ops(mix, 1..60)), |(limits, ops)| check(limits, &ops));
}
