//! What is measured of every system.

use std::fs;

use crate::counting::live_bytes;
use crate::report::Report;
use crate::systems::System;

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) sockets: usize,
    pub(crate) rooms: usize,
    pub(crate) per_socket: usize,
}

impl Size {
    /// The rooms of a socket: as if they were scattered, and each another.
    pub(crate) fn rooms_of(self, socket: usize) -> Vec<usize> {
        let (first, step) = (socket.wrapping_mul(7919), self.rooms / self.per_socket);
        (0..self.per_socket).map(|number| (first + number * step) % self.rooms).collect()
    }
}

pub(crate) fn measure<S: System>(size: Size) -> Report {
    let mut report = Report { system: S::ID.to_owned(), rows: Vec::new(), broken: Vec::new() };
    let before = live_bytes();
    let rows = build::<S>(size);
    let left = live_bytes() - before;
    report.state(left == 0, format!("{} gives all back in the end, but for {left} bytes", S::ID));
    for (what, live, resident) in rows {
        report.add(what, live, resident);
    }
    report.add("a message that 100 have not read", unread::<S>(), None);
    report
}

/// Builds the world step by step, and takes it down again: what each thing takes, live and resident.
fn build<S: System>(size: Size) -> [(&'static str, f64, Option<f64>); 4] {
    let start = Mark::now();
    let mut system = S::new(size);
    (0..size.sockets).for_each(|_| system.connect());
    let connected = Mark::now();
    (0..size.rooms).for_each(|room| system.add_room(room, 0));
    let furnished = Mark::now();
    for socket in 0..size.sockets {
        system.join(socket, &size.rooms_of(socket));
    }
    let joined = Mark::now();
    let each = |what, since: &Mark, now: &Mark, number: usize| {
        let (live, resident) = now.since(since);
        (what, live / number as f64, resident.map(|bytes| bytes / number as f64))
    };
    [
        each("a socket in no room", &start, &connected, size.sockets),
        each("a room without members", &connected, &furnished, size.rooms),
        each("a membership", &furnished, &joined, size.sockets * size.per_socket),
        each("a socket, all in", &start, &joined, size.sockets),
    ]
}

/// Bytes for each message, beside the payload, in a room whose members do not read.
fn unread<S: System>() -> f64 {
    const MEMBERS: usize = 100;
    const MESSAGES: usize = 4000;
    let live = |messages: usize| {
        let start = live_bytes();
        let mut system = S::new(Size { sockets: MEMBERS, rooms: 1, per_socket: 1 });
        system.add_room(0, messages);
        for socket in 0..MEMBERS {
            system.connect();
            system.join(socket, &[0]);
        }
        let payload = S::payload();
        (0..messages).for_each(|_| system.publish(0, &payload));
        live_bytes() - start
    };
    (live(MESSAGES) - live(0)) as f64 / MESSAGES as f64
}

/// How many bytes there are at one moment.
struct Mark {
    live: i64,
    resident: Option<i64>,
}

impl Mark {
    fn now() -> Self {
        Self { live: live_bytes(), resident: resident_bytes() }
    }

    fn since(&self, before: &Self) -> (f64, Option<f64>) {
        let resident = self.resident.zip(before.resident).map(|(now, before)| (now - before) as f64);
        ((self.live - before.live) as f64, resident)
    }
}

/// What is in memory of this process, on Linux.
fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
