//! A socket in many rooms of which one is active: `wide`.

use criterion::Criterion;

use crate::crowd::{Scene, time_rounds};
use crate::load::Group;
use crate::systems::System;
use crate::whom::each;

pub fn wide(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>, usize)]) {
    each(criterion, "wide", &[10, 1000, 10_000], runs);
}

/// Times a message to one of so many rooms that a socket is in, and its reading.
pub fn one_active<S: System>(group: &mut Group<'_>, rooms: usize) {
    time_rounds(group, 1, 1, || {
        let (system, mut sockets) = S::new(1, 1);
        let rooms: Vec<_> = (0..rooms).map(|number| system.room(&format!("room:{number}"))).collect();
        rooms.iter().for_each(|room| system.join(&mut sockets[0], room));
        Scene::new(system, sockets, move |system, _, payload| system.publish(&rooms[0], payload))
    });
}
