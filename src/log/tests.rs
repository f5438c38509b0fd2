use std::ops::ControlFlow;

use super::*;
use crate::segment::Peek;

/// A log of numbers from 1, each of which is its own sequence, as a room uses it.
struct Under {
    log: Log<u64>,
    trash: Garbage<u64>,
}

impl Under {
    fn new(messages: u64, bytes: u64, segment_slots: u32, segment_bytes: u64) -> Self {
        let backlog = Position { messages, bytes };
        let log = Log::new(Limits { backlog, segment_slots, segment_bytes });
        Self { log, trash: Garbage::new() }
    }

    /// Of which nothing goes.
    fn boundless() -> Self {
        Self::new(u64::MAX, u64::MAX, 64, u64::MAX)
    }

    /// Appends the next number, of this weight, and tells whether the head is over the limit.
    fn append(&mut self, bytes: u64) -> bool {
        let number = self.log.messages() + 1;
        let is_over = self.log.append(number, number, bytes, &mut self.trash);
        assert_eq!(is_over, self.log.is_over());
        self.trash.clear();
        is_over
    }

    /// Appends as many as this, all of which the log takes without getting over the limit.
    fn fill(&mut self, count: u64) {
        (0..count).for_each(|_| assert!(!self.append(1), "over at {}", self.log.messages()));
    }

    fn let_go(&mut self) -> bool {
        let has_gone = self.log.let_go(&mut self.trash);
        self.trash.clear();
        has_gone
    }

    fn trim(&mut self) {
        self.log.trim(&mut self.trash);
        self.trash.clear();
    }

    fn retire(&mut self) {
        self.log.retire(&mut self.trash);
        self.trash.clear();
    }

    /// Reads on to the end, or to where the cursor is cut off.
    fn read(&mut self, cursor: &mut Cursor<u64>) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            cursor.walk(u64::MAX - 1, |_, &number| {
                numbers.push(number);
                ControlFlow::Continue(())
            });
            let next = if cursor.peek() == Peek::End { cursor.segment().next() } else { Next::Open };
            let Next::Segment(next) = next else { return numbers };
            drop(cursor.enter(next));
        }
    }

    fn resume(&mut self, cursor: &mut Cursor<u64>) -> Missed {
        let missed = self.log.resume(cursor, &mut self.trash);
        self.trash.clear();
        missed
    }

    /// The segments that the next `count` messages of a byte go into: how many slots each has.
    fn capacities(&mut self, count: u64, mut after_each: impl FnMut(&mut Self)) -> Vec<u32> {
        let mut capacities = Vec::new();
        let mut last = None;
        for _ in 0..count {
            self.append(1);
            let start = self.log.tail.segment().start().messages;
            if last.replace(start) != Some(start) {
                capacities.push(self.log.tail.segment().capacity());
            }
            after_each(self);
        }
        capacities
    }
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn segments_double_up_to_the_steady_size_and_beyond_only_while_a_reader_lags() {
    let unread = Under::boundless().capacities(4 + 8 + 16 + 16 + 1, |_| ());
    assert_eq!(unread, [4, 8, 16, 16, 16], "nobody reads");

    let mut log = Under::boundless();
    let mut cursor = log.log.end();
    let keeping_up = log.capacities(4 + 8 + 16 + 16 + 1, |log| {
        log.read(&mut cursor);
    });
    assert_eq!(keeping_up, [4, 8, 16, 16, 16]);

    let mut log = Under::boundless();
    let stalled = log.log.end();
    assert_eq!(log.capacities(4 + 8 + 16 + 32 + 64 + 64, |_| ()), [4, 8, 16, 32, 64, 64]);
    drop(stalled);
}

#[test]
fn segments_halve_in_a_room_that_is_slow() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    log.fill(4 + 8 + 16 + 32 + 1);
    drop(stalled);
    let mut capacities = vec![log.log.tail.segment().capacity()];
    let mut sequence = 100;
    let mut append = |log: &mut Under, others: u64| {
        sequence += others + 1;
        log.log.append(sequence, 0, 1, &mut log.trash);
        log.trash.clear();
        if capacities.last() != Some(&log.log.tail.segment().capacity()) {
            capacities.push(log.log.tail.segment().capacity());
        }
    };
    (0..200).for_each(|_| append(&mut log, SLOW + 1));
    (0..40).for_each(|_| append(&mut log, SLOW / 2));
    assert_eq!(capacities, [64, 32, 16, 8, 4, 8, 16]);
}

#[test]
fn a_room_is_slow_below_its_share_of_the_messages_and_not_at_it() {
    for (more, slots) in [(0, 8), (1, 4)] {
        let mut log = Under::boundless();
        log.fill(4);
        log.log.append(1 + 4 * SLOW + more, 0, 1, &mut log.trash);
        assert_eq!(log.log.tail.segment().capacity(), slots, "{more} more");
    }
}

#[test]
fn segments_of_messages_that_are_held_on_to_grow_with_a_sixteenth_of_them() {
    let mut log = Under::boundless();
    log.log.hold_from(0);
    let runs = [(4, 1), (8, 1), (16, 16), (32, 8), (64, 2)];
    let expected: Vec<u32> = runs.into_iter().flat_map(|(slots, count)| vec![slots; count]).collect();
    assert_eq!(log.capacities(4 + 8 + 16 * 16 + 8 * 32 + 64 + 1, |_| ()), expected);
}

#[test]
fn no_segment_has_more_slots_than_the_limit() {
    let mut log = Under::new(u64::MAX, u64::MAX, 3, u64::MAX);
    let stalled = log.log.end();
    assert_eq!(log.capacities(7, |_| ()), [3, 3, 3]);
    drop(stalled);
    log.retire();
    assert_eq!(log.log.end().segment().capacity(), 3);
}

#[test]
fn a_segment_closes_before_the_message_that_is_too_many_bytes_for_it() {
    let mut log = Under::new(u64::MAX, u64::MAX, 16, 100);
    let starts: Vec<u64> = [60, 40, 1, 99, 1, 500, 0, 100, 0]
        .into_iter()
        .map(|bytes| {
            log.append(bytes);
            log.log.tail.segment().start().messages
        })
        .collect();
    // 60 + 40 | 1 + 99 | 1 | 500, too heavy for any | 0 + 100 + 0
    assert_eq!(starts, [0, 0, 2, 2, 4, 5, 6, 6, 6]);
    assert_eq!(log.log.taken(), Position { messages: 9, bytes: 801 });
}

#[test]
fn a_message_that_is_too_heavy_for_any_segment_goes_into_an_empty_one() {
    let mut log = Under::new(u64::MAX, u64::MAX, 16, 100);
    let empty = log.log.tail.segment().clone();
    log.append(500);
    assert!(empty.is(log.log.tail.segment()));
}

#[test]
fn what_fits_goes_into_the_tail_and_leaves_the_head_within_the_limit() {
    let mut seed = 1_u64;
    let mut outcomes = [0; 2];
    for _ in 0..200 {
        let mut log = Under::new(6, 30, 4, 20);
        let stalled = log.log.end();
        for _ in 0..30 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = (seed >> 33) % 12;
            let fits = log.log.fits(bytes);
            let start = log.log.end().segment().start();
            let is_over = log.append(bytes);
            let is_same = start == log.log.end().segment().start();
            assert_eq!(fits, is_same && !is_over, "{bytes} bytes after {:?}", log.log.taken());
            outcomes[usize::from(fits)] += 1;
            while log.log.is_over() && log.let_go() {}
        }
        drop(stalled);
    }
    assert!(outcomes.into_iter().all(|count| count > 100), "both happen: {outcomes:?}");
    // More than the limit fits nowhere: it is to be counted as the limit.
    let log = Under::new(6, 30, 4, u64::MAX).log;
    assert!(log.fits(30) && !log.fits(31));
}

#[test]
fn the_head_is_over_once_as_many_messages_as_the_limit_came_after_it() {
    let mut log = Under::new(10, u64::MAX, 4, u64::MAX);
    let mut cursor = log.log.end();
    log.fill(4 + 9);
    assert_eq!(log.log.retained(), 13);
    assert!(log.append(1));
    assert!(log.let_go());
    assert!(!log.log.is_over());
    assert_eq!(log.log.retained(), 10);
    log.fill(3);
    assert!(log.append(1));
    assert!(log.let_go());
    assert_eq!(log.log.retained(), 10);

    assert_eq!(log.read(&mut cursor), numbers(1..5), "what its own segment holds");
    assert_eq!(log.resume(&mut cursor), Missed { from: 4, to: 8 });
    assert_eq!(log.read(&mut cursor), numbers(9..19));
    log.trim();
    assert_eq!(log.log.retained(), 2, "all but the tail has gone");
}

#[test]
fn the_head_is_over_once_as_many_bytes_as_the_limit_came_after_it() {
    let mut log = Under::new(u64::MAX, 100, 4, u64::MAX);
    let stalled = log.log.end();
    log.fill(4);
    assert!(!log.append(99));
    assert!(log.append(1));
    assert!(log.let_go());
    assert!(!log.log.is_over(), "the head is the tail");
    drop(stalled);
}

#[test]
fn a_message_heavier_than_the_limit_counts_as_the_limit() {
    let mut log = Under::new(u64::MAX, 100, 4, u64::MAX);
    log.append(u64::MAX);
    assert_eq!(log.log.taken(), Position { messages: 1, bytes: 100 });
}

#[test]
fn the_tail_does_not_go() {
    let mut log = Under::new(1, 1, 4, 1);
    let stalled = log.log.end();
    assert!(!log.append(1));
    assert!(!log.let_go());
    assert_eq!((log.log.retained(), log.log.has_parked()), (1, false));
    drop(stalled);
}

#[test]
fn only_segments_with_cursors_are_parked_and_only_for_as_long() {
    let mut log = Under::boundless();
    let first = log.log.end();
    log.fill(4 + 1);
    let mut second = log.log.end();
    log.fill(7 + 16 + 1);
    assert!(log.let_go());
    assert!(log.let_go());
    assert_eq!(log.log.last_parked(), 12);
    assert_eq!([4, 5, 12].map(|end| log.log.is_parked(end)), [true, false, true]);
    assert!(log.log.has_parked());

    drop(first);
    assert_eq!([4, 12].map(|end| log.log.is_parked(end)), [false, true]);
    log.trim();
    assert_eq!(log.log.retained(), 17, "kept for the one that is parked");

    log.read(&mut second);
    assert_eq!(log.resume(&mut second), Missed { from: 12, to: 12 });
    assert!(!log.log.has_parked());
    assert_eq!(log.log.held.as_ref().map_or(0, |held| held.parked.len()), 0);

    assert!(log.let_go(), "the segment that it resumed at");
    assert_eq!(log.log.last_parked(), 28);
    drop(second);
    assert!(!log.log.has_parked());
}

#[test]
fn a_segment_that_nobody_is_in_is_not_parked() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    log.fill(4 + 8 + 1);
    drop(stalled);
    assert!(log.let_go());
    assert_eq!((log.log.last_parked(), log.log.retained()), (0, 9));
    assert!(!log.log.has_parked());
    log.trim();
    assert_eq!(log.log.retained(), 1, "its link keeps nothing");
}

#[test]
fn the_list_of_parked_segments_does_not_grow_with_those_that_are_over() {
    let mut log = Under::new(u64::MAX, u64::MAX, 1, u64::MAX);
    // One stays, so that the list is not emptied from its end.
    let stalled = log.log.end();
    log.fill(2);
    assert!(log.let_go());
    for _ in 0..1000 {
        let passing = log.log.head().cursor(0);
        log.fill(1);
        assert!(log.let_go());
        drop(passing);
    }
    let capacity = log.log.held.as_ref().map_or(0, |held| held.parked.capacity());
    assert!((1..=8).contains(&capacity), "{capacity}");
    assert!(log.log.is_parked(1));
    drop(stalled);
}

#[test]
fn putting_off_waits_for_one_more_segment_of_messages_or_of_bytes() {
    let mut log = Under::new(2, 1000, 4, 50);
    let stalled = log.log.end();
    log.fill(4 + 1);
    assert!(log.append(1));
    log.log.put_off();
    log.fill(3);
    assert!(log.append(1));
    log.log.put_off();
    assert!(!log.append(49));
    assert!(log.append(1));
    drop(stalled);
}

#[test]
fn cursors_that_settle_leave_what_is_large_or_heavy() {
    let mut log = Under::boundless();
    let mut cursors = [log.log.end(), log.log.end()];
    let mut settle = |log: &mut Under, is_moving: bool| {
        let before = log.log.tail.segment().start();
        for cursor in &mut cursors {
            log.read(cursor);
            log.log.settle(cursor, &mut log.trash);
            log.trash.clear();
            assert!(cursor.segment().is(log.log.tail.segment()));
            assert_eq!(cursor.messages(), log.log.messages());
        }
        assert_eq!(log.log.tail.segment().start() != before, is_moving);
        log.trim();
    };
    log.fill(4 + 8 + 16 + 16);
    settle(&mut log, true);
    assert_eq!((log.log.retained(), log.log.tail.segment().capacity()), (0, FIRST), "it was of 32 slots");
    settle(&mut log, false);
    log.append(IDLE_BYTES);
    settle(&mut log, false);
    assert_eq!(log.log.retained(), 1);
    log.append(1);
    settle(&mut log, true);
    assert_eq!(log.log.retained(), 0);
}

#[test]
fn the_last_sequence_is_known_unless_its_segment_has_gone() {
    let mut log = Under::boundless();
    assert_eq!(log.log.last_sequence(), Some(0), "there was none");
    log.fill(5);
    assert_eq!(log.log.last_sequence(), Some(5));
    log.retire();
    assert_eq!(log.log.last_sequence(), None);
    log.fill(1);
    assert_eq!(log.log.last_sequence(), Some(6));
}

#[test]
fn what_is_held_from_a_sequence_on_is_counted_over_all_segments() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    let sequence = |number: u64| 10 * number;
    for number in 1..=4 + 8 + 3 {
        log.log.append(sequence(number), number, 1, &mut log.trash);
    }
    for first in [1, 5, 13] {
        for since in 0..=sequence(16) {
            let expected = (first..16).filter(|number| sequence(*number) >= since).count() as u64;
            assert_eq!(log.log.since(since), expected, "since {since}, from message {first} on");
        }
        log.let_go();
    }
    drop(stalled);
}

#[test]
fn bytes_are_retained_with_their_messages() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    for (bytes, retained) in [(10, 10), (20, 30), (30, 60), (40, 100), (50, 150)] {
        log.append(bytes);
        assert_eq!(log.log.retained_bytes(), retained);
    }
    log.let_go();
    assert_eq!((log.log.retained(), log.log.retained_bytes()), (1, 50));
    drop(stalled);
}

#[test]
fn cursors_that_settle_stay_in_a_segment_of_the_steady_size() {
    let mut log = Under::boundless();
    let mut cursor = log.log.end();
    log.fill(4 + 8 + 16);
    log.read(&mut cursor);
    log.log.settle(&mut cursor, &mut log.trash);
    assert!(cursor.segment().is(log.log.tail.segment()));
    assert_eq!((cursor.messages(), log.log.tail.segment().start().messages), (28, 12));
}

#[test]
fn a_room_without_members_holds_nothing() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    log.fill(13);
    drop(stalled);
    log.retire();
    assert_eq!(log.log.retained(), 0);
    assert_eq!(log.log.tail.segment().capacity(), FIRST);

    let empty = log.log.tail.segment().clone();
    log.retire();
    assert!(empty.is(log.log.tail.segment()), "there was nothing to let go of");
}

#[test]
fn a_room_that_has_lost_its_members_keeps_what_one_of_them_may_still_read() {
    let mut log = Under::new(10, u64::MAX, 4, u64::MAX);
    let mut cursor = log.log.end();
    log.fill(3);
    log.retire();
    assert_eq!(log.log.retained(), 3);
    log.fill(9);
    assert!(log.append(1), "the limit holds for that too");
    assert_eq!(log.read(&mut cursor), numbers(1..14));
}

#[test]
fn new_limits_hold_at_once() {
    let mut log = Under::boundless();
    let stalled = log.log.end();
    log.fill(4 + 6);
    let limits = |messages| Limits { backlog: Position { messages, ..NEVER }, ..log.log.limits };
    let [less, as_much] = [6, 7].map(limits);
    log.log.set_limits(as_much);
    assert!(!log.log.is_over());
    log.log.set_limits(less);
    assert!(log.log.is_over());
    drop(stalled);
}
