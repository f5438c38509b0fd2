//! Several threads at once: what each socket was handed is what it is handed again.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use roomcast::{Backlog, Engine, Past};

use crate::program::Random;
use crate::record;
use crate::seen::{Seen, drain, replay};

const THREADS: u64 = 4;

/// Threads that publish, join, leave, connect, read and tick, each as it likes.
fn race(engine: &Engine, seed: u64, steps: usize) -> Seen {
    let (seen, barrier) = (Seen::default(), Barrier::new(THREADS as usize));
    let world = engine.of("/world").unwrap();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (seen, barrier, world, engine) = (&seen, &barrier, &world, &engine);
            scope.spawn(move || {
                let mut random = Random(seed * THREADS + number);
                let mut pairs: Vec<_> = (0..3).map(|_| world.connect()).collect();
                let room = world.room("room 0").unwrap();
                barrier.wait();
                for step in 0..steps {
                    let (place, name) = (random.below(pairs.len()), format!("room {}", random.below(3)));
                    let (socket, inbox) = &mut pairs[place];
                    // Errors are those of sockets that are closed.
                    match random.below(16) {
                        0..=2 => drop(socket.join(name)),
                        3 => drop(socket.join_with(name, Past::all())),
                        4 => drop(socket.leave(name)),
                        5 | 6 => drop(socket.to(name).emit("said", "words")),
                        7 => drop(world.to([name.as_str(), "room 1"]).except("room 2").emit("all", "of you")),
                        8 => drop(room.emit("room", step.to_string())),
                        9 => drop(world.everyone().latest(1).emit("latest", step.to_string())),
                        10 => drop(world.everyone().lifetime(Duration::from_millis(3)).emit("short", "!")),
                        11 => engine.tick(engine.now() + Duration::from_millis(1)),
                        12 if step % 5 == 0 => {
                            drop(world.to(socket.id()).volatile_behind(1).emit("soon", "!"));
                        }
                        13 if step % 9 == 0 => pairs[place] = world.connect(),
                        14 if step % 11 == 0 => _ = socket.disconnect("enough"),
                        _ => drain(seen, inbox),
                    }
                }
                pairs.iter_mut().for_each(|(_, inbox)| drain(seen, inbox));
            });
        }
    });
    seen
}

#[test]
fn what_threads_did_at_once_is_done_again() {
    let mut gaps = 0;
    for seed in 0..crate::cases(12) {
        let backlog = Backlog::new().messages(16).unwrap();
        let engine = Engine::builder().backlog(backlog).membership_backlog(8).unwrap().build();
        let recording = record(&engine);
        let seen = race(&engine, seed, 800);
        let again = replay(&recording.finish().unwrap());
        let mut ids: Vec<_> = again.all().into_iter().map(|(id, _)| id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(seen.all().len(), again.all().len());
        for id in ids {
            let (seen, again) = (seen.of(id), again.of(id));
            let differs = seen.iter().zip(&again).enumerate().find(|(_, (seen, again))| seen != again);
            assert!(seen == again, "seed {seed}, {id}: {differs:#?}");
            gaps += seen.iter().filter(|line| line.contains("Gap {")).count();
        }
    }
    assert!(gaps > 0, "nobody has lost anything");
}
