//! How all is measured that has a fixed crowd of readers, with messages that are each for all of them or for one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Throughput;

use crate::load::{Batch, Group, Tally};
use crate::systems::{Peer, System};

/// Readers, and a way to publish to them. All calls come from one thread.
pub trait Crowd {
    /// Whose crowd it is.
    type Peer: Peer;

    /// Publishes these, one by one.
    fn publish(&mut self, payloads: &[<Self::Peer as Peer>::Payload]);

    /// Has each reader, one after the other, read all that it has not read yet.
    fn drain(&mut self) -> Tally;
}

/// Sockets of a system, and how they are published to.
pub struct Scene<S: System, F> {
    system: S,
    sockets: Vec<S::Socket>,
    publish: F,
}

impl<S: System, F: FnMut(&S, &[S::Socket], &S::Payload)> Scene<S, F> {
    pub fn new(system: S, sockets: Vec<S::Socket>, publish: F) -> Self {
        Self { system, sockets, publish }
    }
}

impl<S: System, F: FnMut(&S, &[S::Socket], &S::Payload)> Crowd for Scene<S, F> {
    type Peer = S;

    #[inline]
    fn publish(&mut self, payloads: &[S::Payload]) {
        let Self { system, sockets, publish } = self;
        system.within(|| payloads.iter().for_each(|payload| publish(system, sockets, black_box(payload))));
    }

    fn drain(&mut self) -> Tally {
        drain_all(&self.system, &mut self.sockets)
    }
}

/// Has all these sockets read.
#[inline]
pub fn drain_all<S: System>(system: &S, sockets: &mut [S::Socket]) -> Tally {
    system.settle();
    let mut tally = Tally::default();
    for socket in sockets {
        tally += system.drain(socket);
    }
    tally
}

/// Times rounds of so many messages that are published and then read, each by so many readers.
pub fn time_rounds<C: Crowd>(group: &mut Group<'_>, readers: usize, messages: usize, build: impl Fn() -> C) {
    group.throughput(Throughput::Elements((readers * messages) as u64));
    let mut setup = None; // only if the filter lets the benchmark run
    group.bench_function(C::Peer::ID, |bencher| {
        let (crowd, batches) = setup.get_or_insert_with(|| prepare(build(), readers, messages));
        let mut batches = batches.iter().cycle();
        bencher.iter(|| {
            let batch = batches.next().expect("there are batches");
            crowd.publish(batch.payloads());
            batch.check(crowd.drain(), readers);
        });
    });
}

/// Times the publishing of so many messages, and not the reading that follows each batch.
pub fn time_publishing<C: Crowd>(
    group: &mut Group<'_>,
    readers: usize,
    messages: usize,
    build: impl Fn() -> C,
) {
    // Where a message takes a step for each member, fewer make up a batch that is as long.
    let messages = if C::Peer::PUSHES { (16 * messages / readers).clamp(1, messages) } else { messages };
    group.throughput(Throughput::Elements(messages as u64));
    let mut setup = None;
    group.bench_function(C::Peer::ID, |bencher| {
        let (crowd, batches) = setup.get_or_insert_with(|| prepare(build(), readers, messages));
        let mut batches = batches.iter().cycle();
        bencher.iter_custom(|rounds| {
            let mut published = Duration::ZERO;
            for _ in 0..rounds {
                let batch = batches.next().expect("there are batches");
                batch.touch();
                let start = Instant::now();
                crowd.publish(batch.payloads());
                published += start.elapsed();
                batch.check(crowd.drain(), readers);
            }
            published
        });
    });
}

/// A crowd that has read something, and what to publish.
fn prepare<C: Crowd>(mut crowd: C, readers: usize, messages: usize) -> (C, [Batch<C::Peer>; 3]) {
    let batches = Batch::several(messages);
    crowd.publish(batches[0].payloads());
    batches[0].check(crowd.drain(), readers);
    (crowd, batches)
}
