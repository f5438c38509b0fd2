use std::ops::ControlFlow;

use super::*;

/// Published sequences and items, from a cursor on, over as many segments as there are.
fn read(mut cursor: Cursor<u32>) -> Vec<(u64, u32)> {
    let mut seen = Vec::new();
    loop {
        cursor.walk(u64::MAX - 1, |sequence, &item| {
            seen.push((sequence, item));
            ControlFlow::Continue(())
        });
        match (cursor.peek(), cursor.segment().next()) {
            (Peek::End, Next::Segment(next)) => drop(cursor.enter(next)),
            _ => return seen,
        }
    }
}

/// Steps over the next item below `bound`, if there is one: then it is the last one that was passed.
fn step(cursor: &mut Cursor<u32>, bound: u64) -> bool {
    let Look::Item(ready) = cursor.look(bound) else { return false };
    let (sequence, passed) = (ready.sequence(), ready.pass());
    let item = *passed.item();
    assert_eq!(cursor.last(), Some((sequence, &item)));
    true
}

#[test]
fn a_cursor_finds_the_end_of_what_it_may_read() {
    for capacity in 1..=40 {
        for len in 0..=capacity {
            let mut writer = SegmentWriter::new(capacity, Position::default());
            (0..len).for_each(|item| writer.push(u64::from(item) * 2 + 10, item));
            for from in 0..=len {
                for bound in 9..=2 * u64::from(len) + 11 {
                    let cursor = writer.segment().cursor(from);
                    let expected = (from..len).take_while(|item| u64::from(*item) * 2 + 10 < bound);
                    assert_eq!(cursor.end_below(bound), from + expected.count() as u32);
                }
            }
        }
    }
}

#[test]
fn a_segment_that_closes_early_ends_where_it_was_closed() {
    let mut writer = SegmentWriter::new(8, Position::default());
    let start = writer.segment().cursor(0);
    writer.push(1, 10);
    writer.rotate(1, Position { messages: 1, bytes: 0 });
    writer.push(3, 30);
    writer.rotate(4, Position { messages: 2, bytes: 0 });
    writer.push(4, 40);
    assert_eq!(read(start), [(1, 10), (3, 30), (4, 40)]);
}

#[test]
fn a_cursor_steps_over_what_is_published_below_the_bound() {
    let mut writer = SegmentWriter::new(3, Position::default());
    writer.push(10, 1);
    writer.push(12, 2);
    let mut cursor = writer.segment().cursor(0);
    assert_eq!((cursor.last(), cursor.peek(), cursor.is_at_end()), (None, Peek::Item(10), false));
    for (bound, item) in
        [(10, None), (11, Some((10, &1))), (12, None), (13, Some((12, &2))), (u64::MAX, None)]
    {
        assert_eq!(step(&mut cursor, bound), item.is_some(), "below {bound}");
        assert!(item.is_none() || cursor.last() == item);
    }
    assert_eq!((cursor.last(), cursor.index()), (Some((12, &2)), 2));
    assert_eq!((cursor.peek(), cursor.is_at_end()), (Peek::Empty, false));

    writer.rotate(1, Position { messages: 2, bytes: 0 });
    assert_eq!((cursor.peek(), cursor.is_at_end()), (Peek::End, true), "it was closed early");
    assert!(!step(&mut cursor, u64::MAX));
    writer.push(14, 3);
    drop(cursor.enter(writer.segment().clone()));
    assert!(step(&mut cursor, 15) && cursor.last() == Some((14, &3)));
    assert_eq!((cursor.peek(), cursor.is_at_end()), (Peek::End, true), "it is full");
    assert!(!step(&mut cursor, u64::MAX));
}

#[test]
fn giving_a_segment_back_tells_how_many_still_hold_it() {
    let writer = SegmentWriter::<u32>::new(2, Position::default());
    let [one, two] = [writer.segment().clone(), writer.segment().clone()];
    assert!(!writer.segment().is_unique());
    assert_eq!((one.give_back(), two.give_back()), (2, 1));
    assert!(writer.segment().is_unique());
    let alone = writer.segment().clone();
    drop(writer);
    assert_eq!(alone.give_back(), 0);
}

#[test]
fn a_link_that_was_cut_says_so_and_keeps_nothing() {
    let mut writer = SegmentWriter::<u32>::new(1, Position::default());
    let start = writer.segment().clone();
    assert!(matches!(start.next(), Next::Open));
    writer.push(1, 10);
    writer.rotate(1, Position { messages: 1, bytes: 0 });
    assert!(matches!(start.next(), Next::Segment(next) if next.is(writer.segment())));
    let parked = Arc::new(());
    start.cut(Arc::clone(&parked));
    assert!((0..3).all(|_| matches!(start.next(), Next::Cut)));
    assert!(writer.segment().is_unique());
    assert_eq!(Arc::strong_count(&parked), 2);
    drop(start);
    assert_eq!(Arc::strong_count(&parked), 1);
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_a_walk_counts_the_item_as_passed() {
    let mut writer = SegmentWriter::new(4, Position::default());
    (1..=4).for_each(|item| writer.push(u64::from(item), item));
    let mut cursor = writer.segment().cursor(0);
    let walk = std::panic::AssertUnwindSafe(|| {
        cursor.walk(9, |_, &item| if item == 2 { panic!("at 2") } else { ControlFlow::Continue(()) });
    });
    assert!(std::panic::catch_unwind(walk).is_err());
    assert_eq!(read(cursor), [(3, 3), (4, 4)]);
}

#[test]
fn a_chain_of_a_million_segments_drops_without_recursion() {
    let drop_it = || {
        let mut writer = SegmentWriter::new(1, Position::default());
        let start = writer.segment().clone();
        for item in 1..=1_000_000_u32 {
            writer.push(u64::from(item), item);
            writer.rotate(1, Position { messages: u64::from(item), bytes: 0 });
        }
        drop(writer);
        drop(start);
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(drop_it).unwrap().join().unwrap();
}

#[test]
fn segments_and_cursors_print_where_they_are() {
    let mut writer = SegmentWriter::new(8, Position { messages: 7, bytes: 70 });
    writer.push(1, 10);
    let segment = "SegmentRef { start: Position { messages: 7, bytes: 70 }, capacity: 8, .. }";
    assert_eq!(
        format!("{:?}", writer.segment().cursor(1)),
        format!("Cursor {{ segment: {segment}, index: 1 }}")
    );
    assert_eq!(format!("{writer:?}"), format!("SegmentWriter {{ segment: {segment}, len: 1 }}"));
}

#[test]
fn no_slot_lies_across_two_cache_lines() {
    // As large as a message. Held together, and of sizes that leave the next block anywhere.
    let segments: Vec<_> = (1..=64).map(|slots| SegmentWriter::new(slots, Position::default())).collect();
    for (mut writer, sequence) in segments.into_iter().zip(1..) {
        writer.push(sequence, [sequence; 3]);
        let (_, item) = writer.segment().iter().next().unwrap();
        let slot = std::ptr::from_ref(item).addr() - 8;
        assert_eq!((slot % SLOT_ALIGN, item), (0, &[sequence; 3]));
    }
}

#[test]
fn what_a_cursor_looks_at_is_passed_once() {
    const ALL: u64 = u64::MAX - 1;
    let mut writer = SegmentWriter::new(2, Position::default());
    let mut cursor = writer.segment().cursor(0);
    assert!(matches!(cursor.look(ALL), Look::Empty));
    writer.push(10, 1);
    let Look::Item(ready) = cursor.look(ALL) else { panic!("one is published") };
    assert_eq!((ready.sequence(), *ready.item()), (10, 1));
    let _ = ready; // a look alone moves nothing
    assert_eq!(cursor.index(), 0);
    assert!(matches!(cursor.look(10), Look::Empty) && matches!(cursor.look(11), Look::Item(_)));
    let Look::Item(ready) = cursor.look(ALL) else { panic!("it is still there") };
    let passed = ready.pass();
    assert_eq!((*passed.item(), passed.next()), (1, Peek::Empty));
    writer.push(12, 2);
    assert_eq!(passed.next(), Peek::Item(12));
    let Look::Item(ready) = cursor.look(ALL) else { panic!("the second is published") };
    assert_eq!(*ready.item(), 2);
    let passed = ready.pass();
    assert_eq!((passed.next(), passed.segment().is_open()), (Peek::End, true));
    writer.rotate(2, Position { messages: 2, bytes: 0 });
    assert!(matches!(cursor.look(ALL), Look::End(segment) if !segment.is_open()));
    writer.rotate(1, Position { messages: 2, bytes: 0 });
    let Next::Segment(next) = cursor.segment().next() else { panic!("there is a next one") };
    drop(cursor.enter(next));
    assert!(matches!(cursor.look(ALL), Look::End(_)), "closed before it had any");
}
