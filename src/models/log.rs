//! Publishers under the log's lock against readers that take none.

use std::ops::ControlFlow;

use loom::thread;

use super::{Token, all, explore, explore_within};
use crate::log::{Garbage, Limits, Log, Missed};
use crate::segment::{Cursor, Next, Peek, Position};
use crate::sync::{Arc, Mutex};

type Shared = Arc<Mutex<Log<Token>>>;

fn shared(backlog: u64, segment_slots: u32) -> Shared {
    let backlog = Position { messages: backlog, bytes: u64::MAX };
    Arc::new(Mutex::new(Log::new(Limits { backlog, segment_slots, segment_bytes: 100 })))
}

/// Appends the next message, of this weight, and returns its number, from 1.
fn append(log: &Shared, bytes: u64) -> u64 {
    let mut trash = Garbage::new();
    let mut log = log.lock();
    let number = log.messages() + 1;
    if log.append(number, Token::new(number), bytes, &mut trash) {
        while log.is_over() {
            log.let_go(&mut trash);
        }
    }
    number
}

fn trim(log: &Shared) {
    let mut trash = Garbage::new();
    if let Some(mut log) = log.try_lock() {
        log.trim(&mut trash);
    }
}

/// Follows a log as an inbox does.
struct Follower {
    log: Shared,
    cursor: Cursor<Token>,
    /// Which message it is at.
    at: u64,
    read: u64,
    missed: u64,
}

impl Follower {
    fn new(log: &Shared) -> Self {
        Self { log: Arc::clone(log), cursor: log.lock().end(), at: 0, read: 0, missed: 0 }
    }

    fn read_on(&mut self) {
        loop {
            let (at, read) = (&mut self.at, &mut self.read);
            self.cursor.walk(u64::MAX - 1, |sequence, token| {
                *at += 1;
                *read += 1;
                assert_eq!((sequence, token.number), (*at, *at));
                ControlFlow::Continue(())
            });
            if self.cursor.peek() != Peek::End {
                return;
            }
            match self.cursor.segment().next() {
                Next::Open => return,
                Next::Segment(next) => {
                    let old = self.cursor.enter(next);
                    if old.give_back() == 1 {
                        trim(&self.log);
                    }
                }
                Next::Cut => self.resume(),
            }
        }
    }

    fn resume(&mut self) {
        let mut trash = Garbage::new();
        let Missed { from, to } = self.log.lock().resume(&mut self.cursor, &mut trash);
        drop(trash);
        assert_eq!(from, self.at);
        assert!(to >= from);
        self.missed += to - from;
        self.at = to;
        trim(&self.log);
    }
}

#[test]
fn two_publishers_make_one_order() {
    explore("two publishers and a reader", 1000, || {
        let log = shared(100, 2);
        let mut follower = Follower::new(&log);
        let publishers = [(); 2].map(|()| {
            let log = Arc::clone(&log);
            thread::spawn(move || append(&log, 1) + append(&log, 1))
        });
        follower.read_on();
        let sums = publishers.map(|publisher| publisher.join().unwrap());
        assert_eq!(sums.iter().sum::<u64>(), 1 + 2 + 3 + 4);
        follower.read_on();
        assert_eq!((follower.read, follower.missed), (4, 0));
    });
}

#[test]
fn heavy_messages_close_a_segment() {
    let outcomes = explore("a segment closed by bytes against a reader", 50, || {
        let log = shared(100, 2);
        let mut follower = Follower::new(&log);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || (append(&log, 60), append(&log, 60))
        });
        follower.read_on();
        let first = follower.read;
        publisher.join().unwrap();
        follower.read_on();
        assert_eq!((follower.read, follower.missed), (2, 0));
        first
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn read_and_missed_add_up() {
    let outcomes = explore("cut against a reader that resumes", 200, || {
        let log = shared(1, 1);
        let mut follower = Follower::new(&log);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || (0..4).for_each(|_| _ = append(&log, 1))
        });
        follower.read_on();
        publisher.join().unwrap();
        follower.read_on();
        assert_eq!((follower.read + follower.missed, follower.at), (4, 4));
        let mut log = log.lock();
        assert!(!log.has_parked(), "it has resumed");
        follower.missed
    });
    assert!(outcomes.len() > 1, "{outcomes:?}");
}

#[test]
fn two_readers_that_are_cut_off_count_for_themselves() {
    let outcomes = explore_within(2, "two readers crossing against the cut in a log", 2000, || {
        let log = shared(1, 1);
        let mut followers = [Follower::new(&log), Follower::new(&log)];
        append(&log, 1);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || (0..2).for_each(|_| _ = append(&log, 1))
        });
        let [mut one, mut two] = followers;
        let reader = thread::spawn(move || {
            one.read_on();
            one
        });
        two.read_on();
        publisher.join().unwrap();
        followers = [reader.join().unwrap(), two];
        followers.each_mut().map(|follower| {
            follower.read_on();
            assert_eq!((follower.read + follower.missed, follower.at), (3, 3));
            follower.missed
        })
    });
    assert_eq!(outcomes, all([[0, 0], [0, 1], [1, 0], [1, 1]]));
}

#[test]
fn read_segments_go() {
    explore("trim by a reader against append", 100, || {
        let log = shared(100, 1);
        let mut follower = Follower::new(&log);
        append(&log, 1);
        append(&log, 1);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || append(&log, 1)
        });
        follower.read_on();
        publisher.join().unwrap();
        follower.read_on();
        assert_eq!((follower.read, follower.missed), (3, 0));
        // The reader is in the last segment. Whoever missed the chance to trim leaves it to the next.
        (0..3).for_each(|_| trim(&log));
        assert_eq!(log.lock().retained(), 1);
    });
}

#[test]
fn two_readers_leave_nothing_behind() {
    explore("two readers crossing against trim", 200, || {
        let log = shared(100, 1);
        let [mut one, mut two] = [Follower::new(&log), Follower::new(&log)];
        (0..3).for_each(|_| _ = append(&log, 1));
        let reader = thread::spawn(move || {
            one.read_on();
            assert_eq!(one.read, 3);
            one
        });
        two.read_on();
        assert_eq!(two.read, 3);
        drop(reader.join().unwrap());
        (0..3).for_each(|_| trim(&log));
        assert_eq!(log.lock().retained(), 1);
    });
}

#[test]
fn a_cursor_dropped_while_it_is_cut_off_counts_no_more() {
    explore("cut against dropping the cursor", 20, || {
        let log = shared(1, 1);
        let follower = Follower::new(&log);
        append(&log, 1);
        let reader = thread::spawn(move || drop(follower.cursor));
        append(&log, 1);
        reader.join().unwrap();
        append(&log, 1);
        let mut log = log.lock();
        assert!(!log.has_parked());
        assert_eq!(log.messages(), 3);
    });
}

#[test]
fn a_cursor_dropped_while_the_room_empties_keeps_nothing() {
    explore("retirement against dropping the cursor", 4, || {
        let log = shared(100, 1);
        let follower = Follower::new(&log);
        append(&log, 1);
        append(&log, 1);
        let reader = thread::spawn(move || drop(follower.cursor));
        let mut trash = Garbage::new();
        log.lock().retire(&mut trash);
        drop(trash);
        reader.join().unwrap();
        // Whoever missed the chance to trim leaves it to the next.
        trim(&log);
        assert_eq!(log.lock().retained(), 0);
    });
}
