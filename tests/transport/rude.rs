//! A transport that misbehaves, wherever one is called, and what it may do there.

use std::cell::Cell;
use std::ops::ControlFlow::{self, Break};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roomcast::{
    Codec, Connection, DisconnectReason, Engine, Handshake, Outbox, Payload, ServerPacket, Transport,
};

use crate::common::messages;
use crate::rig::{Line, Peer, connect, send};

/// Where one misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Handshake,
    IsPolled,
    Wake,
    Close,
    Drop,
    Drain,
    TryDrain,
    Encode,
}

pub(crate) const PLACES: [Place; 8] = [
    Place::Handshake,
    Place::IsPolled,
    Place::Wake,
    Place::Close,
    Place::Drop,
    Place::Drain,
    Place::TryDrain,
    Place::Encode,
];

/// What one does there.
pub(crate) type Act = fn(&Scene);

pub(crate) const ACTS: [(&str, Act); 14] = [
    ("panic", |_| resume_unwind(Box::new("on purpose"))),
    ("emit", Scene::emit),
    ("emit to all", |scene| drop(scene.engine.get("/ns").map(|ns| ns.emit("noise", "")))),
    ("join", |scene| scene.with_me(|me| drop(me.socket("/ns").map(|it| it.join("extra"))))),
    ("leave", |scene| scene.with_me(|me| drop(me.socket("/ns").map(|it| it.leave("room"))))),
    ("receive", |scene| scene.with_me(|me| drop(send(me, "/ns", "said", 1)))),
    ("receive what is forbidden", |scene| scene.with_me(|me| drop(connect(me, "/ns")))),
    ("connect another client", |scene| {
        let (connection, mut outbox) = scene.engine.connect(Line::new());
        drop(connect(&connection, "/ns"));
        outbox.drain(|_| {});
        scene.others().push(outbox);
    }),
    ("disconnect itself", |scene| {
        scene.with_me(|me| _ = me.socket("/ns").map(|it| it.disconnect("myself")));
    }),
    ("disconnect another", |scene| {
        scene.others()[..1].iter().for_each(|it| {
            it.connection().sockets().iter().for_each(|it| _ = it.disconnect("kick"));
        });
    }),
    ("close twice", |scene| {
        scene.with_me(|me| (0..2).for_each(|_| _ = me.close("in the middle")));
    }),
    ("remove a namespace", |scene| _ = scene.engine.remove("/extra")),
    ("close the engine", |scene| scene.engine.close()),
    ("drop another outbox", |scene| {
        let other = scene.others().pop();
        drop(other);
    }),
];

/// A world with one who misbehaves, one who must not suffer, and one who may.
pub(crate) struct Scene {
    pub(crate) engine: Engine,
    pub(crate) me: Mutex<Option<Connection>>,
    others: Mutex<Vec<Outbox>>,
    /// The next number to be emitted, and those that were.
    next: AtomicU64,
    pub(crate) emitted: Mutex<Vec<u64>>,
    pub(crate) runs: AtomicUsize,
    place: Place,
    act: Act,
    /// Whether it behaves, for now.
    pub(crate) behaves: AtomicBool,
}

thread_local!(static IS_ACTING: Cell<bool> = const { Cell::new(false) });

impl Scene {
    pub(crate) fn new(place: Place, act: Act) -> Arc<Self> {
        let engine = Engine::builder()
            .backlog(messages(64))
            .connect_timeout(Duration::from_secs(5))
            .inbound_queue(8)
            .unwrap()
            .build();
        engine.of("/extra").unwrap();
        engine.of("/ns").unwrap().on("said", |_, _: Payload| {}).unwrap();
        let other = Peer::joined(&engine, Line::new(), &["/ns", "/extra"], "room").outbox;
        Arc::new(Self {
            engine,
            me: Mutex::default(),
            others: Mutex::new(vec![other]),
            next: AtomicU64::new(0),
            emitted: Mutex::default(),
            runs: AtomicUsize::new(0),
            place,
            act,
            behaves: AtomicBool::new(false),
        })
    }

    /// Misbehaves, if this is the place, and unless it does already.
    fn at(&self, place: Place) {
        struct Acting;
        impl Drop for Acting {
            fn drop(&mut self) {
                IS_ACTING.set(false);
            }
        }
        // Not for ever: one who emits whenever it is sent something always has something to be sent.
        let is_here = place == self.place && !self.behaves.load(Ordering::SeqCst);
        let is_here = is_here && self.runs.load(Ordering::SeqCst) < 30;
        if is_here && !IS_ACTING.replace(true) {
            let _acting = Acting;
            self.runs.fetch_add(1, Ordering::SeqCst);
            (self.act)(self);
        }
    }

    /// Emits the next number to the room, if that can be.
    pub(crate) fn emit(&self) {
        let Some(namespace) = self.engine.get("/ns") else { return };
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        if namespace.to("room").emit("n", number.to_string()).is_ok() {
            self.emitted.lock().unwrap().push(number);
        }
    }

    fn with_me(&self, act: impl FnMut(&Connection)) {
        let me = self.me.lock().unwrap().clone();
        me.iter().for_each(act);
    }

    pub(crate) fn others(&self) -> MutexGuard<'_, Vec<Outbox>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Rude(pub(crate) Arc<Scene>);

impl Transport for Rude {
    fn handshake(&self) -> Handshake {
        self.0.at(Place::Handshake);
        Handshake::new()
    }

    fn wake(&self) {
        self.0.at(Place::Wake);
    }

    fn close(&self, _: &DisconnectReason) {
        self.0.at(Place::Close);
    }

    fn is_polled(&self) -> bool {
        self.0.at(Place::IsPolled);
        false
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.0.at(Place::Drop);
    }
}

struct RudeCodec(Arc<Scene>);

impl Codec for RudeCodec {
    type Encoded = usize;

    fn encode(&self, event: &str, payload: &Payload) -> usize {
        self.0.at(Place::Encode);
        event.len() + payload.len()
    }
}

impl Scene {
    /// What the loop of a transport does with a packet.
    fn send(self: &Arc<Self>, place: Place, packet: ServerPacket<'_>) -> ControlFlow<()> {
        if let ServerPacket::Event { delivery, .. } = packet {
            delivery.encoded(&RudeCodec(Arc::clone(self)));
        }
        self.at(place);
        Break(())
    }

    /// Drains in one of two ways. Whatever is thrown there comes out, as the loop is the caller's.
    pub(crate) fn drain(self: &Arc<Self>, outbox: &mut Outbox, in_parts: bool) {
        let drained = catch_unwind(AssertUnwindSafe(|| {
            if in_parts {
                while outbox.try_drain(|packet| self.send(Place::TryDrain, packet)).is_break() {}
            } else {
                outbox.drain(|packet| _ = self.send(Place::Drain, packet));
            }
        }));
        let is_passed_on = matches!(self.place, Place::Drain | Place::TryDrain | Place::Encode);
        assert!(drained.is_ok() || is_passed_on);
    }

    /// The life of one who misbehaves.
    pub(crate) fn play(self: &Arc<Self>) {
        let asked = matches!(self.place, Place::Handshake | Place::IsPolled);
        let connected = catch_unwind(AssertUnwindSafe(|| self.engine.connect(Rude(Arc::clone(self)))));
        assert!(connected.is_ok() || asked);
        let Ok((connection, mut outbox)) = connected else { return };
        *self.me.lock().unwrap() = Some(connection.clone());
        for round in 0..6 {
            if connection.socket("/ns").is_none() && connect(&connection, "/ns").is_err() {
                break;
            }
            connection.socket("/ns").iter().for_each(|it| drop(it.join("room")));
            self.emit();
            self.drain(&mut outbox, round % 2 == 0);
            self.emit();
        }
        connection.close("over");
        self.drain(&mut outbox, true);
        drop(outbox);
    }
}
