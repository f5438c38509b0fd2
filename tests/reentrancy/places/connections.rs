//! Transports, and drains of what they send.

use std::ops::ControlFlow::Break;
use std::sync::Arc;
use std::task::{Context, Waker};

use roomcast::{Handshake, ReadyQueue, ServerPacket, Transport};

use super::Fate::{Caller, Contained};
use super::Place;
use crate::trap::{OnDrop, Trap};
use crate::world::{BACKLOG, World, enter, one_by_one, packet_text};

pub(super) const PLACES: &[Place] = &[
    ("a transport's handshake", Caller, |w, trap| {
        drop(w.engine.connect(Asked { handshake: Some(trap.clone()), is_polled: None }));
    }),
    ("whether a transport is polled", Caller, |w, trap| {
        drop(w.engine.connect(Asked { handshake: None, is_polled: Some(trap.clone()) }));
    }),
    ("a transport's wake at an emit", Contained, |w, trap| wake(w, trap, World::emit)),
    ("a transport's wake at a connect", Contained, |w, trap| wake(w, trap, |w| enter(&w.connection, "/"))),
    ("a transport's wake at a disconnect", Contained, |w, trap| {
        wake(w, trap, |w| _ = w.client.disconnect("bye"));
    }),
    ("a transport's wake at a close", Contained, |w, trap| wake(w, trap, |w| _ = w.connection.close("bye"))),
    ("a transport's close", Contained, |w, trap| {
        *w.line.close.lock() = Some(trap.clone());
        w.connection.close("bye");
    }),
    ("a transport's close by the engine", Contained, |w, trap| {
        *w.line.close.lock() = Some(trap.clone());
        w.engine.close();
    }),
    ("a transport's drop", Contained, |w, trap| {
        *w.line.drop.lock() = Some(trap.clone());
        drop(w.outbox.take());
    }),
    ("a ready key's clone", Contained, |w, trap| {
        let ready = ReadyQueue::new();
        let (connection, outbox) = w.engine.connect(ready.transport(Key(trap.clone())));
        enter(&connection, "/scene");
        connection.close("over");
        drop(outbox);
    }),
    ("a transport's drain", Caller, |w, trap| {
        (0..3).for_each(|_| w.emit());
        w.outbox.lend(|outbox| {
            outbox.drain(|packet| {
                w.outbox.hear(packet_text(&packet));
                trap.spring();
            })
        });
    }),
    ("a transport's drain that stops", Caller, |w, trap| {
        (0..3).for_each(|_| w.emit());
        w.outbox.lend(|outbox| {
            one_by_one(|| {
                outbox.try_drain(|packet| {
                    w.outbox.hear(packet_text(&packet));
                    trap.spring();
                    Break(())
                })
            });
        });
    }),
    ("a transport's gap", Caller, |w, trap| {
        (0..2 * BACKLOG).for_each(|_| drop(w.client.emit("x", "")));
        w.outbox.lend(|outbox| {
            outbox.drain(|packet| {
                w.outbox.hear(packet_text(&packet));
                if matches!(packet, ServerPacket::Gap { .. }) {
                    trap.spring();
                }
            })
        });
    }),
    ("the sending of a disconnect", Caller, |w, trap| {
        w.client.disconnect("bye");
        w.outbox.lend(|outbox| {
            outbox.drain(|packet| {
                w.outbox.hear(packet_text(&packet));
                trap.spring();
            })
        });
    }),
    ("an outbox's callback", Contained, |w, trap| {
        let trap = trap.clone();
        w.outbox.lend(|outbox| outbox.on_wake(move || trap.spring()));
        w.emit();
    }),
    ("the drop of an outbox's callback with it", Contained, |w, trap| {
        let held = OnDrop(trap.clone());
        w.outbox.lend(|outbox| outbox.on_wake(move || _ = &held));
        drop(w.outbox.take());
    }),
    ("an outbox's waker", Contained, |w, trap| {
        poll(w, &Arc::new(trap.clone()).into());
        w.emit();
    }),
    ("the drop of an outbox's waker with it", Contained, |w, trap| {
        poll(w, &Arc::new(OnDrop(trap.clone())).into());
        drop(w.outbox.take());
    }),
];

fn wake(w: &World, trap: &Trap, cause: fn(&World)) {
    *w.line.wake.lock() = Some(trap.clone());
    cause(w);
}

fn poll(w: &World, waker: &Waker) {
    w.outbox.lend(|outbox| assert!(outbox.poll_wait(&mut Context::from_waker(waker)).is_pending()));
}

/// A transport that springs a trap when it is asked.
struct Asked {
    handshake: Option<Trap>,
    is_polled: Option<Trap>,
}

impl Transport for Asked {
    fn handshake(&self) -> Handshake {
        self.handshake.iter().for_each(Trap::spring);
        Handshake::new()
    }

    fn is_polled(&self) -> bool {
        self.is_polled.iter().for_each(Trap::spring);
        true
    }
}

/// Springs it when it is told of.
struct Key(Trap);

impl Clone for Key {
    fn clone(&self) -> Self {
        self.0.spring();
        Self(self.0.clone())
    }
}
