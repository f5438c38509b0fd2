//! Looking on while others are at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use roomcast::{Engine, NamespaceStats};

use crate::common::{messages, watched};

/// All that only counts up.
fn rising(stats: &NamespaceStats) -> Vec<u64> {
    let NamespaceStats { attempts, connects, joins, leaves, published, copies, bytes, .. } = *stats;
    let NamespaceStats { addressed, delivered, gaps, backlog_missed, volatile_dropped, wakes, .. } = *stats;
    let mut rising = vec![attempts, connects, joins, leaves, published, copies, bytes];
    rising.extend([addressed, delivered, gaps, backlog_missed, volatile_dropped, wakes]);
    rising.extend(stats.disconnects.iter().map(|(_, count)| count));
    rising
}

#[test]
fn between_threads_nothing_sinks_and_in_the_end_all_is_exact() {
    const ROUNDS: u64 = 400;
    watched("counting under load", || {
        let engine = Engine::builder().backlog(messages(64)).track_progress().build();
        let world = engine.of("/world").unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let looker = {
            let (engine, world, is_over) = (engine.clone(), world.clone(), Arc::clone(&is_over));
            thread::spawn(move || {
                let (mut before, mut before_all) = (world.stats(), engine.stats().total);
                let mut looks = 0_u64;
                while !is_over.load(Ordering::Acquire) {
                    let (now, all) = (world.stats(), engine.stats().total);
                    for (old, new) in [(&before, &now), (&before_all, &all)] {
                        let sinks = rising(old).iter().zip(rising(new)).any(|(old, new)| *old > new);
                        assert!(!sinks, "{old:?}\n{new:?}");
                    }
                    assert!(engine.snapshot().to_string().lines().count() <= 130);
                    (before, before_all) = (now, all);
                    looks += 1;
                }
                looks
            })
        };
        let workers: Vec<_> = (0..2_u64)
            .map(|worker| {
                let (engine, world) = (engine.clone(), world.clone());
                thread::spawn(move || {
                    let (mut emitted, mut members) = (0, 0);
                    for round in 0..ROUNDS {
                        let (socket, mut inbox) = world.connect();
                        socket.join([round % 3, 3 + worker]).unwrap();
                        for _ in 0..4 {
                            for done in [
                                world.to(round % 3).to(3 + worker).emit("n", [7; 3]).unwrap(),
                                socket.emit("n", [7; 3]).unwrap(),
                                world.emit("n", [7; 3]).unwrap(),
                            ] {
                                emitted += 1;
                                members += done.members() as u64;
                            }
                        }
                        inbox.drain(|_| {});
                        let path = format!("/fleeting-{worker}-{}", round % 2);
                        engine.of(&path).unwrap().connect().0.join("there").unwrap();
                        assert!(engine.remove(&path));
                    }
                    (emitted, members)
                })
            })
            .collect();
        let done = workers.into_iter().map(|worker| worker.join().unwrap());
        let (emitted, members) = done.fold((0, 0), |sum, done| (sum.0 + done.0, sum.1 + done.1));
        is_over.store(true, Ordering::Release);
        assert!(looker.join().unwrap() > 0);
        let stats = world.stats();
        assert_eq!((stats.published, stats.addressed), (emitted, members));
        assert_eq!((stats.joins, stats.leaves), (4 * ROUNDS, 4 * ROUNDS));
        assert_eq!((stats.connects, stats.disconnects.total()), (2 * ROUNDS, 2 * ROUNDS));
        assert_eq!((stats.sockets, stats.rooms, stats.idle_rooms, stats.retained), (0, 0, 0, 0));
        let all = engine.stats();
        assert_eq!((all.total.connects, all.total.joins), (4 * ROUNDS, 6 * ROUNDS));
        assert_eq!((all.namespaces, all.total.published), (2, emitted));
    });
}
