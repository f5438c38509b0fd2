//! `async-broadcast`, with one channel for the room, read without a runtime.
//!
//! Does more than the others: each reader clones the payload, under a lock that all share with the publishers. Does
//! less: a receiver is in this one room, and a message that the slowest has not read holds up publishers.

use std::hint::black_box;
use std::sync::Arc;

use async_broadcast::{Receiver, Sender};

use crate::crowd::Crowd;
use crate::load::{PAYLOAD_BYTES, Tally, first_word};
use crate::one_room::OneRoom;
use crate::systems::Peer;

type Message = Arc<[u8; PAYLOAD_BYTES]>;

pub struct AsyncBroadcast {
    sender: Sender<Message>,
    receivers: Vec<Receiver<Message>>,
}

impl Peer for AsyncBroadcast {
    const ID: &str = "async-broadcast";
    const PUSHES: bool = false;

    type Payload = Message;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Message {
        Arc::new(bytes)
    }

    fn bytes(payload: &Message) -> &[u8] {
        &payload[..]
    }
}

impl OneRoom for AsyncBroadcast {
    fn new(members: usize, unread: usize) -> Self {
        let (sender, first) = async_broadcast::broadcast(unread);
        let mut receivers: Vec<_> = (1..members).map(|_| sender.new_receiver()).collect();
        receivers.push(first);
        Self { sender, receivers }
    }
}

impl Crowd for AsyncBroadcast {
    type Peer = Self;

    #[inline]
    fn publish(&mut self, payloads: &[Message]) {
        for payload in payloads {
            self.sender.try_broadcast(Arc::clone(black_box(payload))).expect("readers keep up");
        }
    }

    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for receiver in &mut self.receivers {
            while let Ok(payload) = receiver.try_recv() {
                tally.add(first_word(&payload[..]));
            }
        }
        tally
    }
}
