//! One room: `burst`, `sparse` and `publish`.

use criterion::Criterion;

use crate::crowd::{Crowd, Scene, time_publishing, time_rounds};
use crate::load::Group;
use crate::systems::System;

/// How many messages `publish` times together: enough that neither reading the clock nor what the
/// readers have displaced from the caches counts for much, and within any backlog limit. After 100,000
/// readers the caches hold nothing of the room: the first messages of a batch cost some microseconds more.
const BATCH: usize = 1024;

/// What has one room only.
pub trait OneRoom: Crowd {
    /// Creates the room and its members, of whom none is ever more than `unread` messages behind.
    fn new(members: usize, unread: usize) -> Self;
}

/// Measures one of them with so many members and messages.
type Run = fn(&mut Group<'_>, usize, usize);

pub fn burst(criterion: &mut Criterion, runs: &[Run]) {
    for (members, messages) in [(10, 1000), (100, 100), (1000, 100), (10_000, 100), (100_000, 10)] {
        let mut group = criterion.benchmark_group(format!("burst/{members}x{messages}"));
        runs.iter().for_each(|run| run(&mut group, members, messages));
    }
}

pub fn sparse(criterion: &mut Criterion, runs: &[Run]) {
    for members in [100, 10_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("sparse/{members}"));
        runs.iter().for_each(|run| run(&mut group, members, 1));
    }
}

pub fn publish(criterion: &mut Criterion, runs: &[Run]) {
    for members in [1, 100, 10_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("publish/{members}"));
        runs.iter().for_each(|run| run(&mut group, members, BATCH));
    }
}

/// Times rounds of messages that are published and then read by all members.
pub fn rounds<S: System>(group: &mut Group<'_>, members: usize, messages: usize) {
    time_rounds(group, members, messages, || room_of::<S>(members, messages));
}

/// Times the publishing of messages, and not the reading that follows each batch.
pub fn publishes<S: System>(group: &mut Group<'_>, members: usize, messages: usize) {
    time_publishing(group, members, messages, || room_of::<S>(members, messages));
}

/// As [`rounds`].
pub fn rounds_of_one<R: OneRoom>(group: &mut Group<'_>, members: usize, messages: usize) {
    time_rounds(group, members, messages, || R::new(members, messages));
}

/// As [`publishes`].
pub fn publishes_of_one<R: OneRoom>(group: &mut Group<'_>, members: usize, messages: usize) {
    time_publishing(group, members, messages, || R::new(members, messages));
}

fn room_of<S: System>(members: usize, unread: usize) -> impl Crowd<Peer = S> {
    let (system, mut sockets) = S::new(members, unread);
    let room = system.room("cell:3:4");
    sockets.iter_mut().for_each(|socket| system.join(socket, &room));
    Scene::new(system, sockets, move |system, _, payload| system.publish(&room, payload))
}
