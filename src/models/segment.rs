//! Writer against readers, and who destroys what, within a segment and over the links between them.

use std::ops::ControlFlow;

use loom::thread;

use super::{Token, all, explore};
use crate::segment::{Cursor, Next, Peek, Position, SegmentWriter};
use crate::sync::Arc;

/// A bound above all sequences.
const ALL: u64 = u64::MAX - 1;

fn segment(capacity: u32) -> SegmentWriter<Token> {
    SegmentWriter::new(capacity, Position::default())
}

/// Pushes the message of a number under the sequence of ten times that.
fn push(writer: &mut SegmentWriter<Token>, number: u64) {
    writer.push(number * 10, Token::new(number));
}

fn rotate(writer: &mut SegmentWriter<Token>, messages: u64) {
    writer.rotate(2, Position { messages, bytes: 0 });
}

/// Reads on to the end, crossing links, and checks that the numbers go up from `read + 1` one by one.
fn read_on(cursor: &mut Cursor<Token>, read: &mut u64) {
    loop {
        cursor.walk(ALL, |sequence, token| {
            *read += 1;
            assert_eq!((sequence, token.number), (*read * 10, *read));
            ControlFlow::Continue(())
        });
        if cursor.peek() != Peek::End {
            return;
        }
        match cursor.segment().next() {
            Next::Segment(next) => {
                assert_eq!(next.start().messages, *read);
                drop(cursor.enter(next));
            }
            Next::Open => return,
            Next::Cut => panic!("nobody cuts here"),
        }
    }
}

#[test]
fn what_is_published_is_whole_and_in_order() {
    let outcomes = explore("publish and read in a segment", 10, || {
        let mut writer = segment(2);
        let mut cursor = writer.segment().cursor(0);
        let publisher = thread::spawn(move || {
            push(&mut writer, 1);
            push(&mut writer, 2);
        });
        let mut read = 0;
        read_on(&mut cursor, &mut read);
        let first = read;
        publisher.join().unwrap();
        read_on(&mut cursor, &mut read);
        assert_eq!(read, 2);
        first
    });
    assert_eq!(outcomes, all([0, 1, 2]));
}

#[test]
fn a_reader_goes_on_over_the_edge() {
    let outcomes = explore("publish and read over an edge", 20, || {
        let mut writer = segment(2);
        push(&mut writer, 1);
        let mut cursor = writer.segment().cursor(0);
        let publisher = thread::spawn(move || {
            push(&mut writer, 2);
            rotate(&mut writer, 2);
            push(&mut writer, 3);
            writer
        });
        let mut read = 0;
        read_on(&mut cursor, &mut read);
        let first = read;
        drop(publisher.join().unwrap());
        read_on(&mut cursor, &mut read);
        assert_eq!(read, 3);
        first
    });
    assert_eq!(outcomes, all([1, 2, 3]));
}

#[test]
fn a_segment_that_closes_early_has_an_end() {
    let outcomes = explore("closing early against a reader", 20, || {
        let mut writer = segment(2);
        push(&mut writer, 1);
        let mut cursor = writer.segment().cursor(0);
        let publisher = thread::spawn(move || {
            rotate(&mut writer, 1); // one slot is left unused
            push(&mut writer, 2);
        });
        let mut read = 0;
        read_on(&mut cursor, &mut read);
        let (first, at_end) = (read, cursor.peek() == Peek::End);
        publisher.join().unwrap();
        read_on(&mut cursor, &mut read);
        assert_eq!(read, 2);
        assert_eq!(cursor.peek(), Peek::Empty, "the second segment is not closed");
        (first, at_end)
    });
    // At the end and nothing read from the second segment: between the mark and the link.
    assert!(outcomes.is_superset(&all([(1, false), (1, true), (2, false)])), "{outcomes:?}");
}

#[test]
fn the_last_reference_destroys_a_segment_once() {
    explore("cursors cloned and dropped against destruction", 20, || {
        let mut writer = segment(2);
        push(&mut writer, 1);
        let cursor = writer.segment().cursor(0);
        let reader = thread::spawn(move || {
            let (mut mine, mut read) = (cursor.segment().cursor(0), 0);
            drop(cursor);
            read_on(&mut mine, &mut read);
            assert!(read >= 1);
        });
        let mut second = writer.segment().cursor(1);
        push(&mut writer, 2);
        drop(writer);
        let mut read = 1;
        read_on(&mut second, &mut read);
        assert_eq!(read, 2);
        drop(second);
        reader.join().unwrap();
    });
}

/// Two linked segments with messages 1 and 2, and 3; the writer is at the second.
fn linked() -> (Cursor<Token>, SegmentWriter<Token>) {
    let mut writer = segment(2);
    let cursor = writer.segment().cursor(2);
    push(&mut writer, 1);
    push(&mut writer, 2);
    rotate(&mut writer, 2);
    push(&mut writer, 3);
    (cursor, writer)
}

/// Crosses the link, if it is not cut, and reads on the other side.
fn cross(mut cursor: Cursor<Token>) -> bool {
    match cursor.segment().next() {
        Next::Segment(next) => {
            drop(cursor.enter(next));
            let mut read = 2;
            read_on(&mut cursor, &mut read);
            assert!(read >= 3);
            true
        }
        Next::Cut => false,
        Next::Open => panic!("there is a next segment"),
    }
}

#[test]
fn a_link_is_crossed_or_cut() {
    let outcomes = explore("crossing a link against cutting it", 10, || {
        let (cursor, writer) = linked();
        let head = cursor.segment().clone();
        let parked = Arc::new(());
        let reader = thread::spawn(move || cross(cursor));
        head.cut(Arc::clone(&parked));
        drop(head);
        let crossed = reader.join().unwrap();
        // Nobody is in the first segment any more; the second belongs to the writer alone.
        assert_eq!(Arc::strong_count(&parked), 1);
        assert!(writer.segment().is_unique());
        crossed
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn each_of_two_readers_crosses_or_is_cut_off() {
    let outcomes = explore("two readers crossing against the cut", 500, || {
        let (cursor, writer) = linked();
        let head = cursor.segment().clone();
        let parked = Arc::new(());
        let other = head.cursor(2);
        let readers = [thread::spawn(move || cross(cursor)), thread::spawn(move || cross(other))];
        head.cut(Arc::clone(&parked));
        drop(head);
        let crossed = readers.map(|reader| reader.join().unwrap());
        assert_eq!(Arc::strong_count(&parked), 1);
        assert!(writer.segment().is_unique());
        crossed
    });
    assert_eq!(outcomes, all([[false, false], [false, true], [true, false], [true, true]]));
}

#[test]
fn tickets_come_back_with_the_segment() {
    // Whoever is the last in the first segment gives back what its link has left, while the other may
    // have just taken a ticket.
    explore("two readers crossing against destruction", 50, || {
        let (cursor, writer) = linked();
        let other = cursor.segment().cursor(2);
        let readers = [thread::spawn(move || cross(cursor)), thread::spawn(move || cross(other))];
        for reader in readers {
            assert!(reader.join().unwrap());
        }
        assert!(writer.segment().is_unique());
    });
}

#[test]
fn a_chain_is_destroyed_from_any_side() {
    explore("destruction of a chain", 100, || {
        let (cursor, mut writer) = linked();
        let middle = writer.segment().cursor(0);
        rotate(&mut writer, 3);
        push(&mut writer, 4);
        let threads = [
            thread::spawn(move || drop(cursor)),
            thread::spawn(move || drop(middle)),
            thread::spawn(move || drop(writer)),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_reader_crosses_while_the_rest_is_let_go_of() {
    explore("crossing against destruction", 5, || {
        let (cursor, writer) = linked();
        let head = cursor.segment().clone();
        let reader = thread::spawn(move || assert!(cross(cursor)));
        drop(writer);
        drop(head);
        reader.join().unwrap();
    });
}
