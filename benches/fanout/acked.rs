//! Messages that each member is to answer: `acked`, the emit alone.

use std::hint::black_box;

use criterion::Criterion;

use crate::crowd::{Crowd, drain_all, time_publishing};
use crate::load::{Group, Tally};
use crate::systems::Ask;
use crate::whom::each;

const BATCH: usize = 128;

pub fn acked(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>, usize)]) {
    each(criterion, "acked", &[1000, 2000, 4000, 8000], runs);
}

/// Times emits with an answer wanted of so many members. They read it, and do not answer.
pub fn asks<S: Ask>(group: &mut Group<'_>, members: usize) {
    time_publishing(group, members, BATCH, || {
        let (system, mut sockets) = S::new(members, BATCH);
        let room = system.room("all");
        sockets.iter_mut().for_each(|socket| system.join(socket, &room));
        Asked { system, room, sockets, answers: Vec::with_capacity(BATCH) }
    });
}

struct Asked<S: Ask> {
    system: S,
    room: S::Room,
    sockets: Vec<S::Socket>,
    /// Of messages that are not read yet.
    answers: Vec<S::Answers>,
}

impl<S: Ask> Crowd for Asked<S> {
    type Peer = S;

    #[inline]
    fn publish(&mut self, payloads: &[S::Payload]) {
        let Self { system, room, answers, .. } = self;
        system.within(|| {
            for payload in payloads {
                answers.push(system.ask(room, black_box(payload)));
            }
        });
    }

    fn drain(&mut self) -> Tally {
        self.answers.clear();
        drain_all(&self.system, &mut self.sockets)
    }
}
