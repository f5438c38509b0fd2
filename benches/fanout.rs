//! Fan-out to one room: what a message costs, published and read, here and elsewhere.
//!
//! ```text
//! cargo bench --bench fanout                       # everything, a few minutes
//! cargo bench --bench fanout -- burst/1000x100     # one group
//! ```
//!
//! All work is done by one thread, with payloads of 64 bytes that are made beforehand and shared. Groups:
//!
//! * `burst/{N}x{M}`: M messages to a room of N members, then each member drains. Per delivery.
//! * `sparse/{N}`: one message, then each member drains. Per delivery.
//! * `publish/{N}`: the emit alone, to a room of N members who have read all before it but the rest of
//!   a short batch. Per message.
//!
//! An iteration is a whole round, so what criterion calls `time` is per round, and its throughput is what
//! to compare. After a run `cargo run -p roomcast-figures` prints medians per element, and how they compare.
//!
//! What the systems do that differs, as far as it matters, is said where each is implemented, in
//! `fanout/systems.rs`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

use crate::systems::{PAYLOAD_BYTES, Push, Roomcast, System, Tally, TokioBroadcast};

#[path = "fanout/systems.rs"]
mod systems;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// How many messages `publish` times together: enough that neither reading the clock nor what the
/// readers have displaced from the caches counts for much, and within any backlog limit. After 100,000
/// readers the caches hold nothing of the room: the first messages of a batch cost some microseconds more.
const BATCH: usize = 1024;

fn burst(criterion: &mut Criterion) {
    for (members, messages) in [(10, 1000), (100, 100), (1000, 100), (10_000, 100), (100_000, 10)] {
        let mut group = criterion.benchmark_group(format!("burst/{members}x{messages}"));
        rounds::<Roomcast>(&mut group, members, messages);
        rounds::<Push>(&mut group, members, messages);
        rounds::<TokioBroadcast>(&mut group, members, messages);
    }
}

fn sparse(criterion: &mut Criterion) {
    for members in [100, 10_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("sparse/{members}"));
        rounds::<Roomcast>(&mut group, members, 1);
        rounds::<Push>(&mut group, members, 1);
        rounds::<TokioBroadcast>(&mut group, members, 1);
    }
}

fn publish(criterion: &mut Criterion) {
    for members in [1, 100, 10_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("publish/{members}"));
        publishes::<Roomcast>(&mut group, members);
        publishes::<Push>(&mut group, members);
        publishes::<TokioBroadcast>(&mut group, members);
    }
}

/// Times rounds of `messages` published and then read by all members.
fn rounds<S: System>(group: &mut Group<'_>, members: usize, messages: usize) {
    group.throughput(Throughput::Elements((members * messages) as u64));
    let mut setup = None; // only if the filter lets the benchmark run
    group.bench_function(S::ID, |bencher| {
        let (system, batches) = setup.get_or_insert_with(|| prepare::<S>(members, messages));
        let mut batches = batches.iter().cycle();
        bencher.iter(|| {
            let batch = batches.next().expect("there are batches");
            batch.publish(system);
            batch.check(system.drain(), members);
        });
    });
}

/// Times the publishing of batches, and not the reading that follows each.
fn publishes<S: System>(group: &mut Group<'_>, members: usize) {
    // Where a message takes a step for each member, fewer make up a batch that is as long.
    let messages = if S::PUSHES { (16 * BATCH / members).clamp(1, BATCH) } else { BATCH };
    group.throughput(Throughput::Elements(messages as u64));
    let mut setup = None;
    group.bench_function(S::ID, |bencher| {
        let (system, batches) = setup.get_or_insert_with(|| prepare::<S>(members, messages));
        let mut batches = batches.iter().cycle();
        bencher.iter_custom(|rounds| {
            let mut published = Duration::ZERO;
            for _ in 0..rounds {
                let batch = batches.next().expect("there are batches");
                batch.touch();
                let start = Instant::now();
                batch.publish(system);
                published += start.elapsed();
                batch.check(system.drain(), members);
            }
            published
        });
    });
}

/// A room whose members have joined and read, and some batches to publish in turn, so that no round
/// could pass for another.
fn prepare<S: System>(members: usize, messages: usize) -> (S, [Batch<S>; 3]) {
    let mut system = S::new(members, messages);
    let batches = [0, 1, 2].map(|batch| Batch::new(batch * messages, messages));
    for batch in &batches {
        batch.publish(&mut system);
        batch.check(system.drain(), members);
    }
    (system, batches)
}

/// Messages made beforehand, and what reading them adds up to.
struct Batch<S: System> {
    payloads: Vec<S::Payload>,
    sum: u64,
}

impl<S: System> Batch<S> {
    fn new(first: usize, messages: usize) -> Self {
        let words = (first..first + messages).map(|number| scatter(number as u64));
        Self {
            payloads: words.clone().map(|word| S::payload(bytes_of(word))).collect(),
            sum: words.fold(0, u64::wrapping_add),
        }
    }

    #[inline]
    fn publish(&self, system: &mut S) {
        for payload in &self.payloads {
            system.publish(black_box(payload));
        }
    }

    /// Brings the payloads into the cache, as if they had been made just now.
    fn touch(&self) {
        for payload in &self.payloads {
            drop(black_box(payload.clone()));
        }
    }

    /// Checks that each of `members` has read each message once.
    #[inline]
    fn check(&self, read: Tally, members: usize) {
        assert_eq!(read.deliveries, members * self.payloads.len(), "deliveries of {}", S::ID);
        assert_eq!(read.sum, self.sum.wrapping_mul(members as u64), "checksum of {}", S::ID);
    }
}

/// A payload that begins with this word.
fn bytes_of(word: u64) -> [u8; PAYLOAD_BYTES] {
    let mut bytes = [0xA5; PAYLOAD_BYTES];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes
}

/// Spreads small numbers over 64 bits, so that one message lost and another doubled changes the sum.
fn scatter(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1200))
        .nresamples(10_000)
        .configure_from_args();
    burst(&mut criterion);
    sparse(&mut criterion);
    publish(&mut criterion);
    criterion.final_summary();
}
