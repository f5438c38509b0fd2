//! What the integration tests share.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{io, process, thread};

use roomcast::{Backlog, Delivery, Inbox, Namespace, Overflow, Payload, Socket};

/// How long anything watched may take: `ROOMCAST_WATCHDOG` in seconds, or far more than any test takes on a slow
/// machine.
fn limit() -> Duration {
    let seconds = std::env::var("ROOMCAST_WATCHDOG").map_or(60, |seconds| seconds.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// Runs `work` on a thread of its own and of this name, and ends the test program if it hangs.
pub(crate) fn watched<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    watched_for(limit(), what, work)
}

/// As [`watched`], with a limit for what may take longer.
pub(crate) fn watched_for<T: Send + 'static>(
    limit: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, end) = channel::<()>();
    let worker = thread::Builder::new().name(what.to_owned()).spawn(move || {
        let _done = done; // dropped when the work is over, by a panic too
        work()
    });
    let worker = worker.expect("a thread");
    if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        // Not by a macro, as the test program would keep that to itself.
        let _ = writeln!(io::stderr(), "`{what}` hangs: not over within {limit:?}");
        process::abort();
    }
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Counts values that are alive, in payloads.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<AtomicUsize>);

struct Counted(Arc<AtomicUsize>);

impl Live {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A payload that counts for as long as anything holds it.
    pub(crate) fn payload(&self, weight: usize) -> Payload {
        self.0.fetch_add(1, Ordering::SeqCst);
        Payload::with_weight(Arc::new(Counted(Arc::clone(&self.0))), weight)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Publishes from two threads, so many messages each, in all the ways that can wake a socket that is in `room`.
pub(crate) fn hammer(namespace: &Namespace, socket: &Socket, each: u64) -> Vec<thread::JoinHandle<()>> {
    (0..2_u64)
        .map(|publisher| {
            let (namespace, socket) = (namespace.clone(), socket.clone());
            thread::spawn(move || {
                for n in 0..each {
                    let payload = (2 * n + publisher).to_le_bytes();
                    match n % 4 {
                        0 => namespace.to("room").emit("n", payload),
                        1 => namespace.emit("n", payload),
                        2 => socket.emit("n", payload),
                        _ => namespace.to("room").to(socket.id()).emit("n", payload),
                    }
                    .unwrap();
                    if n % 5 == publisher {
                        thread::yield_now(); // let the reader fall asleep now and then
                    }
                }
            })
        })
        .collect()
}

/// What one drain brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// The numbers in the messages, see [`number`].
    pub(crate) numbers: Vec<u64>,
    pub(crate) missed: u64,
    pub(crate) gaps: usize,
    pub(crate) inexact: usize,
}

impl Read {
    pub(crate) fn total(&self) -> u64 {
        self.numbers.len() as u64 + self.missed
    }
}

/// The number that a payload of eight bytes stands for, or 0.
pub(crate) fn number(delivery: &Delivery<'_>) -> u64 {
    let bytes = delivery.payload().as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}

/// Drains an inbox.
pub(crate) fn read(inbox: &mut Inbox) -> Read {
    let mut read = Read::default();
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => {
            read.missed += gap.missed;
            read.gaps += 1;
            read.inexact += usize::from(!gap.exact);
        }
        None => read.numbers.push(number(&delivery)),
    });
    read
}

/// Drains an inbox into a line of `event:text`.
pub(crate) fn line(inbox: &mut Inbox) -> String {
    let mut words = Vec::new();
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => words.push(format!("gap:{}", gap.missed)),
        None => {
            words.push(format!("{}:{}", delivery.event(), delivery.payload().as_str().unwrap_or("-")));
        }
    });
    words.join(" ")
}

pub(crate) fn messages(limit: usize) -> Backlog {
    Backlog::new().messages(limit).expect("a limit from 1 up")
}

pub(crate) fn disconnecting(limit: usize) -> Backlog {
    messages(limit).overflow(Overflow::Disconnect)
}
