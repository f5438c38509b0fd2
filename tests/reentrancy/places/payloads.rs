//! Payloads: how they are made and encoded, and when they go.

use std::sync::Arc;

use roomcast::{ClientPacket, Codec, DecodeError, EncodeError, FromPayload, IntoPayload, Payload};

use super::Fate::{Caller, Contained, Told};
use super::Place;
use crate::trap::{OnDrop, Trap};
use crate::world::{BACKLOG, World, enter, text};

pub(super) const PLACES: &[Place] = &[
    // The last ones to have read it go past it at a drain; its slot is emptied when it is emitted past.
    ("a payload's drop at an emit", Contained, |w, trap| {
        w.emit_second(dropping(trap));
        for _ in 0..20 {
            w.settle();
            (0..10).for_each(|_| w.emit_second("more"));
        }
    }),
    ("a payload's drop at the limit", Contained, |w, trap| {
        w.emit_second(dropping(trap));
        (0..8 * BACKLOG).for_each(|_| w.emit_second("more"));
        w.settle();
    }),
    ("a payload's drop at a drain", Contained, |w, trap| {
        w.emit_second(dropping(trap));
        (0..BACKLOG - 1).for_each(|_| w.emit_second("more"));
        w.settle();
        w.leave_second();
    }),
    ("a payload's drop at a leave", Contained, |w, trap| {
        w.emit_second(dropping(trap));
        w.settle();
        w.leave_second();
    }),
    ("a payload's drop at a disconnect", Contained, |w, trap| {
        w.emit_second(dropping(trap));
        drop(w.other.leave("second"));
        w.connection.close("bye");
        w.local.disconnect("bye");
        w.settle();
    }),
    ("a payload's drop with an inbox", Contained, |w, trap| {
        drop(w.local.emit("x", dropping(trap)));
        drop(w.inbox.take());
        // The rest is for when the namespace lets go of the socket.
    }),
    ("a payload's drop with an outbox", Contained, |w, trap| {
        drop(w.client.emit("x", dropping(trap)));
        drop(w.outbox.take());
    }),
    ("a payload's drop at a fold", Contained, |w, trap| {
        let _ = w.local.join("folded");
        let _ = w.namespace.to("folded").emit("x", dropping(trap));
        for n in 0..20 {
            let _ = w.local.leave("folded");
            // Not one after the other, or they would leave nothing to be folded.
            drop((w.local.join([n, n + 100]), w.local.leave(n), w.local.leave(n + 100)));
        }
    }),
    ("a payload's drop with an emit to nobody", Contained, |w, trap| {
        let _ = w.namespace.to("nobody").emit("x", dropping(trap));
    }),
    ("a payload's drop with an emit that is refused", Contained, |w, trap| {
        let _ = w.namespace.emit("", dropping(trap));
    }),
    ("a received payload's drop", Contained, |w, trap| {
        let (namespace, event) = ("/scene", "x");
        let packet = ClientPacket::Event { namespace, event, payload: dropping(trap), ack: None };
        let _ = w.connection.receive(packet);
    }),
    ("an answer's drop", Contained, |w, trap| {
        w.local.emit_with_ack("q", "").unwrap().on_done(drop);
        answer(w, dropping(trap));
    }),
    ("the drop of what a client says of itself", Contained, |w, trap| {
        let (connection, outbox) = w.engine.connect(());
        let _ = connection.receive(ClientPacket::Connect { namespace: "/scene", auth: dropping(trap) });
        drop(outbox);
        drop(connection);
    }),
    ("a payload's making", Caller, |w, trap| {
        drop(w.namespace.to("nobody").emit("x", Making(trap)));
    }),
    ("a payload's reading", Told("socket: handler"), |w, trap| {
        w.namespace.on("e", |_, Reading: Reading| {}).unwrap();
        let payload = Arc::new(trap.clone()).into();
        let packet = ClientPacket::Event { namespace: "/scene", event: "e", payload, ack: None };
        let _ = w.connection.receive(packet);
    }),
    ("a codec", Caller, |w, trap| {
        w.emit();
        w.outbox.lend(|outbox| {
            outbox.drain(|packet| {
                if let roomcast::ServerPacket::Event { delivery, .. } = packet {
                    w.outbox.hear(text(&delivery));
                    delivery.encoded(&Encoding(trap.clone()));
                }
            })
        });
    }),
    ("an encoded message's drop", Contained, |w, trap| {
        w.emit_second("x");
        w.inbox.lend(|inbox| inbox.drain(|delivery| drop(delivery.encoded(&Keeping(trap.clone())))));
        w.leave_second();
    }),
    ("the drop of what a client is refused with", Contained, |w, trap| {
        let trap = trap.clone();
        w.namespace.middleware(move |socket| {
            let is_first = socket.auth().as_str() == Some("refuse");
            if is_first { Err(roomcast::Rejection::new("no").with_data(dropping(&trap))) } else { Ok(()) }
        });
        let (connection, mut outbox) = w.engine.connect(());
        let _ = connection.receive(ClientPacket::Connect { namespace: "/scene", auth: "refuse".into() });
        enter(&connection, "/nowhere");
        outbox.drain(|_| {});
    }),
];

fn dropping(trap: &Trap) -> Payload {
    Payload::from(Arc::new(OnDrop(trap.clone())))
}

/// Answers what the local socket was asked.
pub(super) fn answer(w: &World, payload: Payload) {
    let mut asked = None;
    w.inbox.lend(|inbox| inbox.drain(|delivery| asked = delivery.ack_id()));
    assert!(w.local.answer(asked.expect("a question"), payload));
}

/// Springs it when it is made a payload.
struct Making<'a>(&'a Trap);

impl IntoPayload for Making<'_> {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        self.0.spring();
        Ok(Payload::default())
    }
}

/// Springs the trap that it is made of.
struct Reading;

impl FromPayload for Reading {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        payload.downcast_ref::<Trap>().ok_or_else(|| DecodeError::new("no trap"))?.spring();
        Ok(Self)
    }
}

/// Springs it when it encodes.
struct Encoding(Trap);

impl Codec for Encoding {
    type Encoded = ();

    fn encode(&self, _: &str, _: &Payload) {
        self.0.spring();
    }
}

/// Encodes to what springs it when it goes.
struct Keeping(Trap);

impl Codec for Keeping {
    type Encoded = Arc<OnDrop>;

    fn encode(&self, _: &str, _: &Payload) -> Arc<OnDrop> {
        Arc::new(OnDrop(self.0.clone()))
    }
}
