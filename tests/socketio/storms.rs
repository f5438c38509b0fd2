//! Everything at once, from several threads, with rules that must hold whoever wins.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use roomcast::{ClientPacket, Decision, Engine, Handshake, Payload, RoomEvent, ServerPacket};

use crate::common::watched;
use crate::rig::Peer;

/// Small numbers that look random, the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// How often things happened that come in pairs.
#[derive(Clone, Default)]
struct Pairs(Arc<[AtomicUsize; 4]>);

impl Pairs {
    fn add(&self, place: usize) {
        self.0[place].fetch_add(1, Ordering::SeqCst);
    }

    fn counts(&self) -> [usize; 4] {
        [0, 1, 2, 3].map(|place| self.0[place].load(Ordering::SeqCst))
    }
}

/// A client that does all that it can, in any order.
fn wander(engine: &Engine, dice: &mut Dice) {
    let mut peer = Peer::new(engine);
    for _ in 0..300 {
        let namespace = &*format!("/game-{}", dice.roll(2));
        match dice.roll(8) {
            0..=2 => drop(peer.try_connect(namespace, "")),
            3 => drop(peer.connection.receive(ClientPacket::Disconnect { namespace })),
            4 => drop(peer.try_send(namespace, "e", "")),
            5 => drop(peer.read()),
            6 => {
                if let Some(socket) = peer.connection.socket(namespace) {
                    drop(socket.join("another"));
                    if dice.roll(3) == 0 {
                        socket.disconnect("kick");
                    }
                }
            }
            _ => _ = dice.roll(10) == 0 && engine.remove(namespace),
        }
        if peer.connection.closed().is_some() {
            peer = Peer::new(engine);
        }
    }
}

#[test]
fn clients_kicks_removals_and_late_decisions_leave_nothing() {
    watched("a storm", || {
        for round in 0..30 {
            let engine = Engine::new();
            let games = engine.of_pattern("/game-{id}").unwrap();
            let kept = Arc::new(Mutex::new(Vec::<Decision>::new()));
            let pairs = Pairs::default();
            games.deferred_middleware({
                let (kept, turn) = (Arc::clone(&kept), AtomicUsize::new(0));
                move |socket, decision| {
                    drop(socket.join("room"));
                    match turn.fetch_add(1, Ordering::SeqCst) % 3 {
                        0 => decision.accept(),
                        _ => kept.lock().unwrap().push(decision),
                    }
                }
            });
            let count = pairs.clone();
            games.on_connect(move |_| count.add(0));
            let count = pairs.clone();
            games.on_disconnect(move |_, _| count.add(1));
            let count = pairs.clone();
            games.on_room(move |_, event| match event {
                RoomEvent::Joined(..) => count.add(2),
                RoomEvent::Left(..) => count.add(3),
                _ => {}
            });
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let clients = [1, 2, 3].map(|n| {
                    let engine = &engine;
                    scope.spawn(move || wander(engine, &mut Dice(round * 31 + n)))
                });
                scope.spawn(|| {
                    let mut turn = 0;
                    while !is_over.load(Ordering::SeqCst) {
                        let decision = kept.lock().unwrap().pop();
                        turn += 1;
                        match (decision, turn % 3) {
                            (Some(decision), 0) => decision.reject("no"),
                            (Some(decision), 1) => decision.accept(),
                            (decision, _) => drop(decision),
                        }
                        engine.tick(Duration::from_secs(turn / 50));
                        thread::yield_now();
                    }
                });
                clients.into_iter().for_each(|client| client.join().unwrap());
                is_over.store(true, Ordering::SeqCst);
            });
            let late = std::mem::take(&mut *kept.lock().unwrap());
            drop(late);
            assert_eq!((engine.connection_count(), engine.socket_count()), (0, 0), "round {round}");
            assert_eq!(games.children().len(), 0, "round {round}");
            let [connected, disconnected, joined, left] = pairs.counts();
            assert_eq!((connected, joined), (disconnected, left), "round {round}");
            assert!(connected > 0 && joined > 0);
            engine.close();
            assert_eq!(Arc::strong_count(&pairs.0), 1, "a hook is left in round {round}");
        }
    });
}

#[test]
fn a_transport_that_drains_when_it_is_woken_gets_everything() {
    const EMITS: usize = 200;
    // A wake-up that is lost hangs.
    watched("a transport that waits to be woken", || {
        for round in 0..200 {
            let engine = Engine::new();
            let chat = engine.of("/chat").unwrap();
            let (connection, mut outbox) = engine.connect(Handshake::new());
            let (wake, woken) = sync_channel(1);
            let on_wake = || {
                let wake = wake.clone();
                move || _ = wake.try_send(())
            };
            if round % 2 == 0 {
                outbox.on_wake(on_wake());
            }
            thread::scope(|scope| {
                scope.spawn(|| {
                    let auth = Payload::default();
                    connection.receive(ClientPacket::Connect { namespace: "/chat", auth }).unwrap();
                    for _ in 0..EMITS {
                        chat.emit("e", "").unwrap();
                        if round % 3 == 0 {
                            thread::yield_now();
                        }
                    }
                });
                let mut seen = 0;
                for turn in 0.. {
                    // Set late, set again, and taken off for a while.
                    match turn % 11 {
                        3 => {
                            outbox.no_wake();
                            thread::yield_now();
                            outbox.on_wake(on_wake());
                        }
                        0 | 7 => outbox.on_wake(on_wake()),
                        _ => {}
                    }
                    if seen == EMITS {
                        break;
                    }
                    woken.recv().unwrap();
                    outbox.drain(|packet| seen += usize::from(matches!(packet, ServerPacket::Event { .. })));
                }
            });
        }
    });
}
