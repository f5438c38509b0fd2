//! Within the limits, a socket reads exactly what is for it: everything, once, in order.

use roomcast::Engine;

use crate::op::Op;
use crate::ops::{Mix, PLAIN, ops};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, machine};

const MIX: Mix = PLAIN;

fn check(ops: &[Op]) -> Check {
    let engine = Engine::builder().event_names(3).expect("in range").build();
    let mut rig = Rig::new(&engine, "/", 6, Limits::default(), 1024);
    (0..3).for_each(|_| rig.connect());
    rig.run(ops)
}

#[test]
fn everyone_reads_exactly_what_is_for_them() {
    machine(300, ops(MIX, 1..80), |ops| check(&ops));
}
