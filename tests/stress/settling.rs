//! Everything at the same time: sockets that come, join, move, leave and go, messages of all kinds, and the end of the
//! namespace or of the engine in the middle of it. Whoever wins, nothing is left, in any round.

use std::array;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use roomcast::{DisconnectReason, Engine, Namespace};

use crate::common::{Live, messages};
use crate::counting::live_bytes;
use crate::{rounds, watched};

const MEMBERS: usize = 3;
/// Members, a publisher, and one that ends it.
const WORKERS: usize = MEMBERS + 2;
/// After these, what threads keep for themselves is there.
const WARM_UP: usize = 8;

#[derive(Clone)]
struct Scene {
    engine: Engine,
    world: Namespace,
    live: Live,
}

impl Scene {
    fn new() -> Self {
        let engine = Engine::builder().backlog(messages(16)).build();
        Self { world: engine.of("/stress").unwrap(), engine, live: Live::default() }
    }

    /// What one worker does in a round. Refusals are fine: it may be over at any moment.
    fn act(&self, worker: usize, round: usize) {
        match worker.checked_sub(MEMBERS) {
            None => (0..4).for_each(|turn| self.come_and_go(round + worker + turn)),
            Some(0) => (0..10).for_each(|_| self.publish()),
            Some(_) => self.end(round),
        }
    }

    fn come_and_go(&self, turn: usize) {
        let (socket, mut inbox) = self.world.connect();
        _ = socket.join(["a", "b"]);
        _ = socket.to("a").emit("n", self.live.payload(1));
        _ = socket.emit("n", self.live.payload(1));
        inbox.drain(|_| {});
        _ = socket.set_rooms(["b", "c"]);
        match turn % 4 {
            0 => _ = socket.leave_all(),
            1 => _ = socket.disconnect(DisconnectReason::Client),
            2 => _ = inbox.drain(|_| {}),
            _ => {}
        }
    }

    fn publish(&self) {
        let (world, payload) = (&self.world, || self.live.payload(1));
        _ = world.to("a").emit("n", payload());
        _ = world.to(["c", "b"]).emit("n", payload());
        _ = world.to("b").except("a").emit("n", payload());
        _ = world.to("c").volatile().emit("n", payload());
        _ = world.emit("n", payload());
        if let Some(id) = world.socket_ids().first() {
            _ = world.to(*id).emit("n", payload());
        }
    }

    fn end(&self, round: usize) {
        match round % 4 {
            0 => {}
            1 => _ = self.world.everyone().disconnect("all out"),
            2 => _ = self.engine.remove("/stress"),
            _ => self.engine.close(),
        }
    }

    /// What is left: sockets, in two counts, rooms and payloads.
    fn left(&self) -> [usize; 4] {
        let Self { engine, world, live } = self;
        [engine.socket_count(), world.socket_count(), world.rooms().len(), live.count()]
    }
}

#[test]
fn nothing_is_left_of_any_round() {
    watched("settling", || {
        let scene = Mutex::new(None::<Scene>);
        let bytes: [AtomicI64; WORKERS] = array::from_fn(|_| AtomicI64::new(0));
        let barrier = Barrier::new(WORKERS + 1);
        let rounds = rounds() + WARM_UP;
        thread::scope(|scope| {
            for (worker, bytes) in bytes.iter().enumerate() {
                let (scene, barrier) = (&scene, &barrier);
                scope.spawn(move || {
                    for round in 0..rounds {
                        barrier.wait();
                        let scene = scene.lock().unwrap().clone().expect("it is there in a round");
                        barrier.wait();
                        scene.act(worker, round);
                        drop(scene);
                        bytes.store(live_bytes(), Ordering::SeqCst);
                        barrier.wait();
                    }
                });
            }
            // Told when all is over, as threads wait for one another until then.
            let (mut last, mut left) = (0, Vec::new());
            let mut changes = 0;
            for round in 0..rounds {
                *scene.lock().unwrap() = Some(Scene::new());
                (0..3).for_each(|_| _ = barrier.wait());
                let scene = scene.lock().unwrap().take().expect("as above");
                left.extend(Some((round, scene.left())).filter(|(_, left)| *left != [0; 4]));
                drop(scene);
                let bytes =
                    bytes.iter().map(|bytes| bytes.load(Ordering::SeqCst)).sum::<i64>() + live_bytes();
                changes += usize::from(round >= WARM_UP && bytes != last);
                last = bytes;
            }
            assert!(left.is_empty(), "left after rounds: {left:?}");
            // A thread that waits for a lock for the first time keeps something. What a round leaves shows in each.
            assert!(changes <= 2 * WORKERS, "bytes have changed {changes} times in {rounds} rounds");
        });
    });
}
