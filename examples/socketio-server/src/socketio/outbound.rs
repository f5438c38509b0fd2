//! From the engine to a client.

use std::ops::ControlFlow;
use std::sync::Arc;

use roomcast::{DisconnectReason, Gap, Outbox, Payload, ServerPacket};

use super::codec::{self, Packets};
use super::wake::Wake;
use crate::engineio::{self, Batch, Flow};

/// The half of a client that says what it is to be sent. What is not pulled stays in the rooms' logs.
#[derive(Debug)]
pub struct Outbound {
    outbox: Outbox,
    wake: Arc<Wake>,
}

impl Outbound {
    pub(super) fn new(outbox: Outbox, wake: Arc<Wake>) -> Self {
        Self { outbox, wake }
    }
}

impl engineio::Outbound for Outbound {
    fn pull(&mut self, batch: &mut Batch) -> Flow {
        let Self { outbox, wake } = self;
        wake.take(|| {
            let drained = outbox.try_drain(|packet| {
                push(batch, packet);
                if batch.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            drained.is_break()
        });
        match self.outbox.closed() {
            Some(reason) => Flow::Ended(reason.to_string().into()),
            None => Flow::Open,
        }
    }

    async fn ready(&mut self) {
        self.wake.due().await;
    }
}

fn push(batch: &mut Batch, packet: ServerPacket<'_>) {
    match packet {
        ServerPacket::Connect { namespace, id, session, .. } => {
            batch.push(codec::connect(namespace, &id.to_string(), session));
        }
        ServerPacket::ConnectError { namespace, message, data } => {
            batch.push(codec::connect_error(namespace, message, data));
        }
        ServerPacket::Event { namespace, delivery, offset: Some(offset) } => {
            delivery.encoded(&Packets).packets_at(namespace, offset).for_each(|packet| batch.push(packet));
        }
        ServerPacket::Event { namespace, delivery, offset: None } => {
            delivery
                .encoded(&Packets)
                .packets(namespace, delivery.ack_id())
                .for_each(|packet| batch.push(packet));
        }
        ServerPacket::Ack { namespace, id, payload } => {
            codec::encode_ack(payload).packets(namespace, Some(id)).for_each(|packet| batch.push(packet));
        }
        ServerPacket::Gap { namespace, gap: Gap { missed, exact, .. }, offset } => {
            let gap = Payload::json(format!(r#"{{"missed":{missed},"exact":{exact}}}"#));
            let gap = codec::encode("gap", &gap);
            match offset {
                Some(offset) => gap.packets_at(namespace, offset).for_each(|packet| batch.push(packet)),
                None => gap.packets(namespace, None).for_each(|packet| batch.push(packet)),
            }
        }
        // Who is told that the server has disconnected it does not connect again by itself.
        ServerPacket::Disconnect { reason: DisconnectReason::Shutdown, .. } => {}
        ServerPacket::Disconnect { namespace, .. } => batch.push(codec::disconnect(namespace)),
    }
}
