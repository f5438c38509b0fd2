//! A slice of a measurement: one system under one load, from its creation to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::systems::{Inbox, Read, System};

/// How often the thread beside comes, and how many joins with their leaves it does then.
const VISIT_PERIOD: Duration = Duration::from_millis(1);
const VISITS: usize = 100;

/// How long after the last message all must have arrived.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is there. Messages go to one room after the other; socket `s` is in the rooms from `s` on, modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) rooms: usize,
    pub(crate) sockets: usize,
    pub(crate) rooms_each: usize,
    /// The limit of each room, in messages. Before anything is timed, more than that is published and read.
    pub(crate) backlog: usize,
    pub(crate) reader: Reader,
    pub(crate) beside: Beside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// One thread that drains all sockets in turn.
    Polls,
    /// One thread that sleeps until its one socket is sent something.
    Sleeps,
}

/// What else goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// One more socket, in all rooms, never reads: it is over every room's limit all the time.
    Stalled,
    /// Another thread has sockets join and leave these rooms.
    Churn,
    /// As `Churn`, in an instance of its own: what a third thread costs by being there.
    Elsewhere,
}

/// When messages are due: one each period. Without a period as fast as it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) messages: u64,
    pub(crate) period: Duration,
}

#[derive(Debug)]
pub(crate) struct Slice {
    /// From when each message was due to when each of its readers had it, in nanoseconds, but for the first tenth of
    /// the messages. Counted from when it was due, a publisher that is held up hides nothing.
    pub(crate) latency: Histogram<u64>,
    pub(crate) elapsed: Duration,
    /// Joins with their leaves, beside.
    pub(crate) visits: u64,
}

/// Runs a system under a load, and checks that every socket read each message once, in order.
pub(crate) fn run<S: System>(load: &Load, pace: &Pace) -> Slice {
    let system = S::new(load.rooms, load.backlog);
    let stalled = (load.beside == Beside::Stalled).then(|| system.connect(0..load.rooms));
    let mut sockets = Sockets::new(&system, load);
    let filled = fill(&system, load, &mut sockets);
    let other = (load.beside == Beside::Elsewhere).then(|| {
        let other = S::new(load.rooms, load.backlog);
        let members = Sockets::new(&other, load);
        (other, members)
    });
    let visited = match load.beside {
        Beside::Churn => Some(&system),
        _ => other.as_ref().map(|(other, _)| other),
    };

    let is_over = AtomicBool::new(false);
    let mut timing = Timing::new(pace, filled);
    let start = timing.start;
    let (elapsed, visits) = thread::scope(|scope| {
        let visitor = visited.map(|system| scope.spawn(|| visit(system, load.rooms, &is_over)));
        let publisher = scope.spawn(|| {
            for number in 0..pace.messages {
                wait_until(start + pace.period * number as u32);
                let message = filled + number;
                system.publish(message as usize % load.rooms, message);
            }
        });
        let due = pace.messages * load.readers() as u64;
        match load.reader {
            Reader::Polls => sockets.poll(due, &mut timing, || publisher.is_finished()),
            Reader::Sleeps => sockets.sleep(due, &mut timing),
        }
        let elapsed = start.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (elapsed, visitor.map_or(0, |visitor| visitor.join().expect("visits end well")))
    });

    assert_eq!(sockets.sweep(|_| ()), 0, "{}: messages that are not due", S::ID);
    if let Some(stalled) = stalled {
        check_stalled::<S>(stalled, filled + pace.messages);
    }
    Slice { latency: timing.latency, elapsed, visits }
}

/// The control: two threads that only read the clock, and how late they see that a message would have been due.
pub(crate) fn clock(_load: &Load, pace: &Pace) -> Slice {
    let watch = |mut timing: Timing| {
        for number in 0..pace.messages {
            wait_until(timing.start + pace.period * number as u32);
            timing.record(number);
        }
        (timing.latency, timing.start.elapsed())
    };
    let (timing, other) = (Timing::new(pace, 0), Timing::new(pace, 0));
    thread::scope(|scope| {
        let other = scope.spawn(|| watch(other));
        let (mut latency, elapsed) = watch(timing);
        latency.add(other.join().expect("it only reads the clock").0).expect("of the same bounds");
        Slice { latency, elapsed, visits: 0 }
    })
}

impl Load {
    /// How many sockets read each message.
    pub(crate) fn readers(&self) -> usize {
        assert!(self.sockets % self.rooms == 0 && self.rooms_each <= self.rooms, "all rooms are of one size");
        self.sockets / self.rooms * self.rooms_each
    }

    /// How many messages no reader loses, if it reads none.
    pub(crate) fn most_unread(&self) -> u64 {
        (self.backlog * self.rooms / 2) as u64
    }
}

/// The sockets that read, and what each is to be sent next.
struct Sockets<I> {
    inboxes: Vec<I>,
    rooms: u64,
    rooms_each: u64,
    is_ordered: bool,
    /// By socket, then by its rooms.
    next: Vec<u64>,
    /// By socket: one more than what it was sent last.
    least: Vec<u64>,
}

impl<I: Inbox> Sockets<I> {
    fn new<S: System<Inbox = I>>(system: &S, load: &Load) -> Self {
        let rooms_of = |socket| (socket..socket + load.rooms_each).map(|room| room % load.rooms);
        Self {
            inboxes: (0..load.sockets).map(|socket| system.connect(rooms_of(socket))).collect(),
            rooms: load.rooms as u64,
            rooms_each: load.rooms_each as u64,
            is_ordered: S::IS_ORDERED,
            next: (0..load.sockets).flat_map(rooms_of).map(|room| room as u64).collect(),
            least: vec![0; load.sockets],
        }
    }

    /// Drains all, and returns how many messages that were.
    #[inline]
    fn sweep(&mut self, mut deliver: impl FnMut(u64)) -> u64 {
        let Self { inboxes, rooms, rooms_each, is_ordered, next, least } = self;
        let mut count = 0;
        for (socket, inbox) in inboxes.iter_mut().enumerate() {
            inbox.drain(|read| {
                let message = read.message();
                deliver(message);
                let place = (message % *rooms + *rooms - socket as u64 % *rooms) % *rooms;
                assert!(place < *rooms_each, "socket {socket} is not in the room of message {message}");
                let next = &mut next[socket * *rooms_each as usize + place as usize];
                assert_eq!(message, *next, "the next message of its room, to socket {socket}");
                *next += *rooms;
                if *is_ordered {
                    assert!(message >= least[socket], "message {message} to socket {socket} is late");
                    least[socket] = message + 1;
                }
                count += 1;
            });
        }
        count
    }

    fn poll(&mut self, due: u64, timing: &mut Timing, is_published: impl Fn() -> bool) {
        let (mut read, mut limit) = (0, None);
        while read < due {
            let count = self.sweep(|message| timing.record(message));
            read += count;
            if count == 0 && is_published() {
                let limit = *limit.get_or_insert_with(|| Instant::now() + PATIENCE);
                assert!(Instant::now() < limit, "{} of {due} messages have not arrived", due - read);
            }
        }
    }

    fn sleep(&mut self, due: u64, timing: &mut Timing) {
        assert!(self.inboxes.len() == 1 && self.rooms == 1, "one thread cannot sleep for several");
        for _ in 0..due {
            let message = self.inboxes[0].sleep().message();
            timing.record(message);
            assert_eq!(message, self.next[0], "the next message");
            self.next[0] += 1;
        }
    }
}

/// Brings all rooms to where they are after a while, a socket that never reads beyond the limit, and returns how many
/// messages it took.
fn fill<S: System>(system: &S, load: &Load, sockets: &mut Sockets<S::Inbox>) -> u64 {
    let each = load.backlog + load.backlog / 2;
    for round in 0..each {
        for room in 0..load.rooms {
            system.publish(room, (round * load.rooms + room) as u64);
        }
        sockets.sweep(|_| ());
    }
    (each * load.rooms) as u64
}

/// Checks that a socket in all rooms that never read is told the truth.
fn check_stalled<S: System>(mut inbox: S::Inbox, published: u64) {
    let (mut kept, mut lost) = (0, 0);
    inbox.drain(|read| match read {
        Read::Message(_) => kept += 1,
        Read::Lost(count) => lost += count,
    });
    assert_eq!(kept + lost, published, "{}: what the stalled socket is told", S::ID);
    assert_eq!(lost > 0, S::IS_BOUNDED, "{}: the stalled socket is over the limit", S::ID);
}

/// Joins and leaves until it is over, and returns how often.
fn visit<S: System>(system: &S, rooms: usize, is_over: &AtomicBool) -> u64 {
    let mut inboxes: Vec<_> = (0..VISITS).map(|_| system.connect(0..0)).collect();
    let (mut visits, mut due) = (0, Instant::now());
    while !is_over.load(Ordering::Relaxed) {
        for inbox in &mut inboxes {
            system.visit(inbox, visits as usize % rooms);
            inbox.drain(|_| ());
            visits += 1;
        }
        due = (due + VISIT_PERIOD).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    visits
}

/// What is late, and how late.
struct Timing {
    start: Instant,
    period: u64,
    /// The number of the first message, and of the first that counts.
    first: u64,
    first_counted: u64,
    latency: Histogram<u64>,
}

impl Timing {
    fn new(pace: &Pace, first: u64) -> Self {
        Self {
            start: Instant::now() + Duration::from_millis(5), // by then all threads are there
            period: pace.period.as_nanos() as u64,
            first,
            first_counted: first + pace.messages / 10,
            latency: histogram(),
        }
    }

    #[inline]
    fn record(&mut self, message: u64) {
        if message >= self.first_counted {
            let due = (message - self.first) * self.period;
            let now = self.start.elapsed().as_nanos() as u64;
            self.latency.saturating_record(now.saturating_sub(due).max(1));
        }
    }
}

/// An empty histogram of nanoseconds up to a minute, to a thousandth.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("good bounds")
}

fn wait_until(due: Instant) {
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}
