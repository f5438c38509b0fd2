//! The load: payloads, messages in batches, what reading them is to add up to, and how it is measured.

use std::hint::black_box;
use std::ops::AddAssign;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};

use crate::systems::Peer;

pub type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// How all of it is measured: shortly, as there are many groups.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1200))
        .nresamples(10_000)
        .configure_from_args()
}

/// The size of every payload.
pub const PAYLOAD_BYTES: usize = 64;

/// What was read: how many messages, and the sum of their payloads' first words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub deliveries: usize,
    pub sum: u64,
}

impl Tally {
    /// Counts a message that begins with this word.
    #[inline]
    pub fn add(&mut self, word: u64) {
        self.deliveries += 1;
        self.sum = self.sum.wrapping_add(word);
    }
}

impl AddAssign for Tally {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

#[inline]
pub fn first_word(payload: &[u8]) -> u64 {
    let word = payload.first_chunk().expect("payloads have 64 bytes");
    u64::from_le_bytes(*word)
}

/// Messages made beforehand, and what reading them adds up to.
pub struct Batch<P: Peer> {
    payloads: Vec<P::Payload>,
    words: Vec<u64>,
    sum: u64,
}

impl<P: Peer> Batch<P> {
    /// Batches to publish in turn, so that no round could pass for another.
    pub fn several(messages: usize) -> [Self; 3] {
        [0, 1, 2].map(|batch| Self::new(batch * messages, messages))
    }

    /// A batch of messages from this number on.
    pub fn new(first: usize, messages: usize) -> Self {
        let words: Vec<_> = (first..first + messages).map(|number| scatter(number as u64)).collect();
        Self {
            payloads: words.iter().map(|word| P::payload(bytes_of(*word))).collect(),
            sum: words.iter().fold(0, |sum, word| sum.wrapping_add(*word)),
            words,
        }
    }

    #[inline]
    pub fn payloads(&self) -> &[P::Payload] {
        &self.payloads
    }

    /// What the payloads begin with.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Brings the payloads into the cache, as if they had been made just now.
    pub fn touch(&self) {
        for payload in &self.payloads {
            black_box((payload.clone(), first_word(P::bytes(payload))));
        }
    }

    /// Checks that each of `members` has read each message once.
    #[inline]
    pub fn check(&self, read: Tally, members: usize) {
        assert_eq!(read.deliveries, members * self.payloads.len(), "deliveries of {}", P::ID);
        assert_eq!(read.sum, self.sum.wrapping_mul(members as u64), "checksum of {}", P::ID);
    }
}

/// Numbers that look random, the same in each run.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    #[inline]
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * limit as u128) >> 64) as usize
    }
}

/// A payload that begins with this word. It is text, for systems that send text.
fn bytes_of(word: u64) -> [u8; PAYLOAD_BYTES] {
    let mut bytes = [b'.'; PAYLOAD_BYTES];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes
}

/// Spreads small numbers over eight letters or so, so that one message lost and another doubled changes the sum.
fn scatter(number: u64) -> u64 {
    let word =
        (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word & u64::from_le_bytes([0x1F; 8]) | u64::from_le_bytes([0x60; 8])
}
