//! Sockets in more rooms than a reader looks at one by one, and sockets that wait to be woken: at most
//! one wake-up between two reads, and none lost.

use roomcast::Engine;

use crate::op::Op;
use crate::ops::{Mix, PLAIN, ops};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, machine};

const MIX: Mix = Mix {
    times: &[1, 1, 1, 1, 2, 5, 17],
    rooms: &[1, 1, 2, 14, 15, 16, 17, 30, 31, 32, 33, 40, 47],
    watches: 4,
    ..PLAIN
};

fn check(ops: &[Op], rooms: usize) -> Check {
    let engine = Engine::builder().event_names(3).expect("in range").build();
    let mut rig = Rig::new(&engine, "/", rooms, Limits::default(), 1024);
    (0..3).for_each(|_| rig.connect());
    rig.run(ops)
}

#[test]
fn many_rooms_read_like_few() {
    machine(120, ops(MIX, 1..60), |ops| check(&ops, 48));
}

#[test]
fn one_wake_up_between_two_reads() {
    let mix = Mix { rooms: PLAIN.rooms, watches: 8, ends: 2, ..MIX };
    machine(250, ops(mix, 1..80), |ops| check(&ops, 6));
}
