//! The message queue of Bevy's ECS, with a cursor for each member, and no systems or schedule around it.
//!
//! Does less than the others: there is one queue for each type of message and no rooms, publishing needs exclusive
//! access to the world, nothing is counted or locked, and what a reader has not read by the update after the next is
//! lost without a word.

use std::hint::black_box;
use std::sync::Arc;

use bevy_ecs::message::{Message, MessageCursor, Messages};

use crate::crowd::Crowd;
use crate::load::{PAYLOAD_BYTES, Tally, first_word};
use crate::one_room::OneRoom;
use crate::systems::Peer;

pub struct BevyMessages {
    messages: Messages<Moved>,
    cursors: Vec<MessageCursor<Moved>>,
}

#[derive(Clone, Message)]
pub struct Moved(Arc<[u8; PAYLOAD_BYTES]>);

impl Peer for BevyMessages {
    const ID: &str = "bevy-messages";
    const PUSHES: bool = false;

    type Payload = Moved;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Moved {
        Moved(Arc::new(bytes))
    }

    fn bytes(payload: &Moved) -> &[u8] {
        &payload.0[..]
    }
}

impl OneRoom for BevyMessages {
    fn new(members: usize, _unread: usize) -> Self {
        let messages = Messages::default();
        let cursors = (0..members).map(|_| messages.get_cursor_current()).collect();
        Self { messages, cursors }
    }
}

impl Crowd for BevyMessages {
    type Peer = Self;

    #[inline]
    fn publish(&mut self, payloads: &[Moved]) {
        for payload in payloads {
            self.messages.write(black_box(payload).clone());
        }
    }

    /// And ends the tick, in which what is older than a tick is dropped.
    fn drain(&mut self) -> Tally {
        let mut tally = Tally::default();
        for cursor in &mut self.cursors {
            for Moved(payload) in cursor.read(&self.messages) {
                tally.add(first_word(&payload[..]));
            }
        }
        self.messages.update();
        tally
    }
}
