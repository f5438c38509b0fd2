//! The same data, and no engine: what no system can be below.
//!
//! Neither owns payloads: they are never freed. There are few.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::Peer;
use crate::crowd::Crowd;
use crate::load::{PAYLOAD_BYTES, Tally, first_word};
use crate::one_room::OneRoom;

type Pointer = &'static [u8; PAYLOAD_BYTES];

/// Cursors over one slice of pointers to payloads, walked by one thread without synchronisation.
pub struct Floor {
    log: Vec<Pointer>,
    /// How many are published before all is read.
    unread: usize,
    /// How many messages there were before those in the log.
    before: usize,
    cursors: Vec<usize>,
}

impl Peer for Floor {
    const ID: &str = "floor";
    const PUSHES: bool = false;

    type Payload = Pointer;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Pointer {
        Box::leak(Box::new(bytes))
    }

    fn bytes(payload: &Pointer) -> &[u8] {
        &payload[..]
    }
}

impl OneRoom for Floor {
    fn new(members: usize, unread: usize) -> Self {
        Self { log: Vec::with_capacity(unread), unread, before: 0, cursors: vec![0; members] }
    }
}

impl Crowd for Floor {
    type Peer = Self;

    #[inline]
    fn publish(&mut self, payloads: &[Pointer]) {
        for payload in payloads {
            if self.log.len() == self.unread {
                self.before += self.log.len();
                self.log.clear();
            }
            self.log.push(black_box(payload));
        }
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for cursor in &mut self.cursors {
            let unread = &self.log[*cursor - self.before..];
            let sum = unread.iter().fold(0, |sum: u64, payload| sum.wrapping_add(first_word(&payload[..])));
            tally += Tally { deliveries: unread.len(), sum };
            *cursor += unread.len();
        }
        tally
    }
}

/// The least that publishing from any thread, in an order over all rooms, can cost: a lock that nobody else wants, a
/// number, and a write to a slot. Does not count the payload.
pub struct MutexAddWrite {
    room: Mutex<Slots>,
    sequence: AtomicU64,
    cursors: Vec<usize>,
}

struct Slots {
    slots: Box<[(u64, Pointer)]>,
    published: usize,
}

impl Peer for MutexAddWrite {
    const ID: &str = "mutex-add-write";
    const PUSHES: bool = false;

    type Payload = Pointer;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Pointer {
        Floor::payload(bytes)
    }

    fn bytes(payload: &Pointer) -> &[u8] {
        &payload[..]
    }
}

impl OneRoom for MutexAddWrite {
    fn new(members: usize, unread: usize) -> Self {
        let unwritten: (u64, Pointer) = (0, &[0; PAYLOAD_BYTES]);
        let slots = vec![unwritten; unread.next_power_of_two()].into_boxed_slice();
        let room = Mutex::new(Slots { slots, published: 0 });
        Self { room, sequence: AtomicU64::new(1), cursors: vec![0; members] }
    }
}

impl Crowd for MutexAddWrite {
    type Peer = Self;

    #[inline]
    fn publish(&mut self, payloads: &[Pointer]) {
        for payload in payloads {
            let mut room = self.room.lock();
            let sequence = self.sequence.fetch_add(1, Relaxed);
            let place = room.published & (room.slots.len() - 1);
            room.slots[place] = (sequence, black_box(payload));
            room.published += 1;
        }
    }

    fn drain(&mut self) -> Tally {
        let room = self.room.lock();
        let mut tally = Tally::default();
        for cursor in &mut self.cursors {
            for number in std::mem::replace(cursor, room.published)..room.published {
                let (sequence, payload) = room.slots[number & (room.slots.len() - 1)];
                assert_eq!(sequence, number as u64 + 1, "no slot is written over unread");
                tally.add(first_word(&payload[..]));
            }
        }
        tally
    }
}
