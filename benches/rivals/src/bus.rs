//! `bus`, with one bus for the room.
//!
//! Does more than the others: each reader clones the payload, and counts itself off. Does less: only one thread
//! can publish, and it waits for the slowest reader when the ring is full; there are no rooms, and none can be joined
//! but by a call to the publisher. Each bus has a thread of its own that wakes publishers.

use std::hint::black_box;
use std::sync::Arc;

use bus::BusReader;

use crate::crowd::Crowd;
use crate::load::{PAYLOAD_BYTES, Tally, first_word};
use crate::one_room::OneRoom;
use crate::systems::Peer;

type Message = Arc<[u8; PAYLOAD_BYTES]>;

pub struct Bus {
    bus: bus::Bus<Message>,
    readers: Vec<BusReader<Message>>,
}

impl Peer for Bus {
    const ID: &str = "bus";
    const PUSHES: bool = false;

    type Payload = Message;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Message {
        Arc::new(bytes)
    }

    fn bytes(payload: &Message) -> &[u8] {
        &payload[..]
    }
}

impl OneRoom for Bus {
    fn new(members: usize, unread: usize) -> Self {
        let mut bus = bus::Bus::new(unread.max(16));
        let readers = (0..members).map(|_| bus.add_rx()).collect();
        Self { bus, readers }
    }
}

impl Crowd for Bus {
    type Peer = Self;

    #[inline]
    fn publish(&mut self, payloads: &[Message]) {
        for payload in payloads {
            self.bus.try_broadcast(Arc::clone(black_box(payload))).expect("readers keep up");
        }
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for reader in &mut self.readers {
            while let Ok(payload) = reader.try_recv() {
                tally.add(first_word(&payload[..]));
            }
        }
        tally
    }
}
