//! Whom a message is for, other than one room: `union`, `union-emit`, `except`, `except-rooms`, `broadcast`, `direct`.

use criterion::Criterion;

use crate::crowd::{Crowd, Scene, time_publishing, time_rounds};
use crate::load::Group;
use crate::systems::{Direct, Everyone, Select};

/// How many messages are published in a row.
const BATCH: usize = 128;

/// Measures a system at one size.
type Run = fn(&mut Group<'_>, usize);

pub fn union(criterion: &mut Criterion, runs: &[Run]) {
    each(criterion, "union", &[1, 2, 4, 8, 16], runs);
}

pub fn union_emit(criterion: &mut Criterion, runs: &[Run]) {
    each(criterion, "union-emit", &[1000, 2000, 4000, 8000], runs);
}

pub fn except(criterion: &mut Criterion, runs: &[Run]) {
    each(criterion, "except", &[1000, 2000, 4000, 8000], runs);
}

pub fn except_rooms(criterion: &mut Criterion, runs: &[Run]) {
    each(criterion, "except-rooms", &[1, 2, 4, 8, 16], runs);
}

pub fn broadcast(criterion: &mut Criterion, runs: &[Run]) {
    each(criterion, "broadcast", &[1000, 10_000, 100_000], runs);
}

/// One group for each size.
pub fn each(criterion: &mut Criterion, name: &str, sizes: &[usize], runs: &[Run]) {
    for &size in sizes {
        let mut group = criterion.benchmark_group(format!("{name}/{size}"));
        runs.iter().for_each(|run| run(&mut group, size));
    }
}

/// Times 10 messages to so many rooms with 1,000 sockets in all, each in two of them, and their reading.
pub fn unions<S: Select>(group: &mut Group<'_>, rooms: usize) {
    time_rounds(group, 1000, 10, || overlapping::<S>(1000, rooms, 10));
}

/// Times emits to four rooms with so many sockets in all, each in two of them.
pub fn union_emits<S: Select>(group: &mut Group<'_>, members: usize) {
    time_publishing(group, members, BATCH, || overlapping::<S>(members, 4, BATCH));
}

/// Times emits to a room of which as many members are left out as get the message, by a room that they are in.
pub fn excepts<S: Select>(group: &mut Group<'_>, excluded: usize) {
    time_publishing(group, excluded, BATCH, || {
        let (system, mut sockets) = S::new(2 * excluded, BATCH);
        let (all, muted) = (system.room("all"), system.room("muted"));
        sockets.iter_mut().for_each(|socket| system.join(socket, &all));
        sockets.iter_mut().step_by(2).for_each(|socket| system.join(socket, &muted));
        selected(system, sockets, &[all], &[muted])
    });
}

/// Times emits to a room of 1,000, without those who are in so many other rooms of ten.
pub fn except_several<S: Select>(group: &mut Group<'_>, rooms: usize) {
    time_publishing(group, 1000 - 10 * rooms, BATCH, || {
        let (system, mut sockets) = S::new(1000, BATCH);
        let all = system.room("all");
        sockets.iter_mut().for_each(|socket| system.join(socket, &all));
        let muted: Vec<_> = (0..rooms).map(|number| system.room(&format!("muted:{number}"))).collect();
        for (socket, number) in sockets.iter_mut().zip(0..10 * rooms) {
            system.join(socket, &muted[number / 10]);
        }
        selected(system, sockets, &[all], &muted)
    });
}

/// Times 10 messages to all of so many sockets that are in no room, and their reading.
pub fn broadcasts<S: Everyone>(group: &mut Group<'_>, sockets: usize) {
    time_rounds(group, sockets, 10, || {
        let (system, sockets) = S::new(sockets, 10);
        Scene::new(system, sockets, |system, _, payload| system.publish_to_everyone(payload))
    });
}

/// Times a message to each of 1,000 sockets, and its reading.
pub fn direct(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>)]) {
    let mut group = criterion.benchmark_group("direct");
    runs.iter().for_each(|run| run(&mut group));
}

pub fn directs<S: Direct>(group: &mut Group<'_>) {
    time_rounds(group, 1, 1000, || {
        let (system, sockets) = S::new(1000, 1);
        let mut turn = 0;
        Scene::new(system, sockets, move |system, sockets, payload| {
            system.send(&sockets[turn], payload);
            turn = if turn + 1 == sockets.len() { 0 } else { turn + 1 };
        })
    });
}

/// A message to all of these rooms: each socket is in one and in the one after it.
fn overlapping<S: Select>(sockets: usize, rooms: usize, unread: usize) -> impl Crowd<Peer = S> {
    let (system, mut sockets) = S::new(sockets, unread);
    let rooms: Vec<_> = (0..rooms).map(|number| system.room(&format!("room:{number}"))).collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        system.join(socket, &rooms[number % rooms.len()]);
        if rooms.len() > 1 {
            system.join(socket, &rooms[(number + 1) % rooms.len()]);
        }
    }
    selected(system, sockets, &rooms, &[])
}

fn selected<S: Select>(
    system: S,
    sockets: Vec<S::Socket>,
    to: &[S::Room],
    except: &[S::Room],
) -> impl Crowd<Peer = S> + use<S> {
    let target = system.target(to, except);
    Scene::new(system, sockets, move |system: &S, _: &[S::Socket], payload: &S::Payload| {
        system.publish_to(&target, payload);
    })
}
