//! What sockets and memberships take in bytes, here and elsewhere.
//!
//! ```text
//! cargo run --release -p roomcast-rivals --bin rivals-footprint -- 200000
//! ```
//!
//! Connects so many sockets (2,000 if not said), then has each join ten of a tenth as many rooms by name, and read what
//! that leaves it to read. No message is kept. What is printed are bytes on the heap, as asked for: what an allocator
//! adds to each block is not in it. `idle` is a socket in no room, its inbox and the handle that the program keeps
//! included; `in ten rooms` is all there is, rooms included, for each socket; `membership` is a tenth of the difference.
//! At last a message goes to each room, and is counted.
//!
//! What differs: a socket of `push` and `tuned-push` does not know its rooms, and their inboxes are empty, without a
//! buffer. One of `tokio-broadcast` is nothing but its receivers, and a channel has 16 slots. One of `socketioxide` has
//! a connection and a task, with a second channel that a real one would not have; see `src/socketioxide.rs`.

use std::env;
use std::process::ExitCode;

use roomcast_rivals::Socketioxide;
use roomcast_rivals::crowd::drain_all;
use roomcast_rivals::load::Batch;
use roomcast_rivals::systems::{ByName, Push, Roomcast, TokioBroadcast, TunedPush};

use crate::counting::live_bytes;

#[path = "../../../../tests/common/counting.rs"]
mod counting;

/// How many rooms each socket is in.
const ROOMS_EACH: usize = 10;
const DEFAULT_SOCKETS: usize = 2000;

fn main() -> ExitCode {
    let sockets = match env::args().nth(1).map(|argument| argument.parse()) {
        None => DEFAULT_SOCKETS,
        Some(Ok(sockets)) if sockets >= ROOMS_EACH * ROOMS_EACH => sockets,
        Some(_) => {
            eprintln!("usage: rivals-footprint [SOCKETS], at least 100");
            return ExitCode::from(2);
        }
    };
    println!("bytes per socket, {sockets} sockets, {} rooms", sockets / ROOMS_EACH);
    println!("{:16} {:>8} {:>13} {:>11}", "", "idle", "in ten rooms", "membership");
    for measure in SYSTEMS {
        let Footprint { id, idle, joined } = measure(sockets);
        println!("{id:16} {idle:8.0} {joined:13.0} {:11.1}", (joined - idle) / ROOMS_EACH as f64);
    }
    ExitCode::SUCCESS
}

const SYSTEMS: [fn(usize) -> Footprint; 5] = [
    footprint::<Roomcast>,
    footprint::<TunedPush>,
    footprint::<Push>,
    footprint::<TokioBroadcast>,
    footprint::<Socketioxide>,
];

/// Bytes for each socket.
struct Footprint {
    id: &'static str,
    /// While it is in no room.
    idle: f64,
    joined: f64,
}

fn footprint<S: ByName>(sockets: usize) -> Footprint {
    let before = live_bytes();
    let each = || (live_bytes() - before) as f64 / sockets as f64;
    let (system, mut connected) = S::new(sockets, 1);
    let idle = each();
    join_all(&system, &mut connected);
    let joined = each();
    check(&system, &mut connected);
    Footprint { id: S::ID, idle, joined }
}

/// All rooms get as many members: as many as a socket has rooms, ten times over.
fn join_all<S: ByName>(system: &S, sockets: &mut [S::Socket]) {
    let rooms = sockets.len() / ROOMS_EACH;
    system.within(|| {
        for (number, socket) in sockets.iter_mut().enumerate() {
            for room in 0..ROOMS_EACH {
                let name = name((number * ROOMS_EACH + room) % rooms);
                if number * ROOMS_EACH + room < rooms {
                    system.room(&name); // some want it made
                }
                system.join_by_name(socket, &name);
            }
        }
    });
    drain_all(system, sockets);
}

/// Checks that each socket gets what is for ten rooms.
fn check<S: ByName>(system: &S, sockets: &mut [S::Socket]) {
    let rooms = sockets.len() / ROOMS_EACH;
    let batch = Batch::<S>::new(0, rooms);
    let rooms: Vec<_> = (0..rooms).map(|number| system.room(&name(number))).collect();
    system.within(|| {
        rooms.iter().zip(batch.payloads()).for_each(|(room, payload)| system.publish(room, payload));
    });
    batch.check(drain_all(system, sockets), ROOMS_EACH * ROOMS_EACH);
}

fn name(room: usize) -> String {
    format!("room:{room:05}")
}

#[test]
fn every_system_takes_more_for_a_socket_in_rooms() {
    for measure in SYSTEMS {
        let Footprint { id, idle, joined } = measure(200);
        assert!(idle > 0.0 && joined > idle && joined < 32_768.0, "{id}: {idle} {joined}");
    }
}
