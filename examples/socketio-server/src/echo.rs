//! A service that sends back what it gets: Engine.IO with nothing above it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::engineio::{
    Batch, CloseReason, Flow, Inbound, Message, Opening, Outbound, Packet, Refused, Service,
};

/// What a packet costs beside its bytes: an empty one is not for nothing.
const OVERHEAD: usize = size_of::<Packet>();

/// Sends every message back.
#[derive(Debug)]
pub struct Echo {
    max_bytes: usize,
}

impl Echo {
    /// Creates a service that takes in no more from a client that has not read so many bytes of its own.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes }
    }
}

impl Service for Echo {
    type Inbound = Incoming;
    type Outbound = Outgoing;

    fn open(&self, _: &Opening) -> (Incoming, Outgoing) {
        let queue = Arc::new(Queue::default());
        (Incoming { queue: Arc::clone(&queue), max_bytes: self.max_bytes }, Outgoing { queue })
    }
}

/// Puts what a client sends into its queue.
#[derive(Debug)]
pub struct Incoming {
    queue: Arc<Queue>,
    max_bytes: usize,
}

/// Takes what it is sent out of it.
#[derive(Debug)]
pub struct Outgoing {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Inbound for Incoming {
    async fn receive(&mut self, message: Message<'_>) -> Result<(), Refused> {
        let packet = match message {
            Message::Text(text) => Packet::message(text.len(), |buffer| buffer.push_str(text)),
            Message::Binary(bytes) => Packet::Binary(Bytes::copy_from_slice(&bytes)),
        };
        while self.queue.lock().bytes >= self.max_bytes {
            self.queue.emptied.notified().await;
        }
        let mut waiting = self.queue.lock();
        waiting.bytes += packet.size() + OVERHEAD;
        waiting.packets.push_back(packet);
        self.queue.filled.notify_one();
        Ok(())
    }

    fn close(&mut self, _: &CloseReason) {}
}

impl Outbound for Outgoing {
    fn pull(&mut self, batch: &mut Batch) -> Flow {
        let mut waiting = self.queue.lock();
        while !batch.is_full() {
            let Some(packet) = waiting.packets.pop_front() else { break };
            waiting.bytes -= packet.size() + OVERHEAD;
            batch.push(packet);
        }
        self.queue.emptied.notify_one();
        Flow::Open
    }

    async fn ready(&mut self) {
        self.queue.filled.notified().await;
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
