//! Failures that the machines have found, each in its smallest form.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use roomcast::{Backlog, Engine, Inbox, Namespace, Overflow, RecvTimeoutError, Socket};

fn world(messages: usize, overflow: Overflow) -> Namespace {
    let backlog = Backlog::new().messages(messages).expect("in range").overflow(overflow);
    Engine::builder().backlog(backlog).build().of("/").expect("the path is good")
}

fn short(messages: usize) -> Namespace {
    world(messages, Overflow::DropOldest)
}

fn member(world: &Namespace, room: &str) -> (Socket, Inbox) {
    let (socket, inbox) = world.connect();
    socket.join(room).expect("it is connected");
    (socket, inbox)
}

fn send(world: &Namespace, room: &str, payloads: &[&str]) {
    for &payload in payloads {
        world.to(room).emit("said", payload).expect("the room is good");
    }
}

/// Emits to the others in room `a`.
fn send_own(socket: &Socket, count: usize) {
    for _ in 0..count {
        socket.to("a").emit("said", "its own").expect("it is connected");
    }
}

/// What an inbox has: payloads, and `-3` for a gap of three, `-3?` for one of at most three.
fn read(inbox: &mut Inbox) -> Vec<String> {
    let mut read = Vec::new();
    let mut last = 0;
    inbox.drain(|delivery| {
        assert!(delivery.sequence() >= last, "out of order: {delivery:?} after {last}");
        last = delivery.sequence();
        read.push(match delivery.gap() {
            Some(gap) if gap.exact => format!("-{}", gap.missed),
            Some(gap) => format!("-{}?", gap.missed),
            None => delivery.payload().as_str().expect("text").to_owned(),
        });
    });
    read
}

#[test]
fn a_wait_that_times_out_leaves_the_callback_in_place() {
    let (socket, mut inbox) = short(8).connect();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    inbox.drain(|_| {});
    inbox.on_wake(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(inbox.recv_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Timeout);
    socket.emit("said", "a").expect("it is connected");
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_gap_at_the_end_of_a_membership_comes_after_what_was_published_before_the_end() {
    let world = short(1);
    let (_other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    assert!(read(&mut inbox).is_empty());
    send(&world, "a", &["1", "2"]);
    socket.emit("said", "direct").expect("it is connected");
    socket.leave("a").expect("it is connected");
    send(&world, "a", &["3"]);
    assert_eq!(read(&mut inbox), ["1", "direct", "-1"]);
}

#[test]
fn a_gap_in_a_read_under_way_counts_nothing_from_after_the_leave() {
    let world = short(2);
    let (_other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    send(&world, "a", &["1", "2", "3", "4"]);
    assert!(inbox.try_next().is_some());
    socket.leave("a").expect("it is connected");
    send(&world, "a", &["5", "6", "7"]);
    assert_eq!(read(&mut inbox), ["-3"]);
}

#[test]
fn a_gap_in_a_read_under_way_counts_by_later_joins() {
    let world = short(1);
    let (socket, mut inbox) = world.connect();
    let (_other, _inbox) = world.connect();
    world.emit("said", "1").expect("it is open");
    world.emit("said", "2").expect("it is open");
    assert!(inbox.try_next().is_some());
    socket.join("a").expect("it is connected");
    // Neither is for the socket, and the first is lost.
    world.except("a").emit("said", "3").expect("it is open");
    world.except("a").emit("said", "4").expect("it is open");
    assert_eq!(read(&mut inbox), ["-1"]);
}

#[test]
fn what_is_read_one_by_one_is_not_behind() {
    let world = world(16, Overflow::Disconnect);
    let (socket, mut inbox) = member(&world, "a");
    // Two to a segment: both are read, so that 16 are left when the segment goes.
    send(&world, "a", &["1", "2"]);
    assert_eq!(inbox.iter().take(2).count(), 2);
    send(&world, "a", &["x"; 16]);
    assert!(socket.is_connected());
    assert_eq!(read(&mut inbox), ["x"; 16]);
}

#[test]
fn a_member_that_read_nothing_but_its_own_is_disconnected_before_it_loses_more() {
    let world = world(1, Overflow::Disconnect);
    let (socket, mut inbox) = member(&world, "a");
    send_own(&socket, 1);
    send(&world, "a", &["1", "2"]);
    assert!(!socket.is_connected());
    assert_eq!(read(&mut inbox), ["1", "2"]);
}

#[test]
fn what_a_socket_emitted_itself_is_missing_in_no_gap() {
    let world = short(2);
    let (_stalled, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    // It keeps up, while what it emits goes from the log because another does not.
    for _ in 0..12 {
        send_own(&socket, 1);
        assert!(read(&mut inbox).is_empty());
    }
    send_own(&socket, 5);
    assert!(read(&mut inbox).is_empty());
}

#[test]
fn what_a_socket_emitted_before_it_joined_is_counted_apart() {
    let world = short(1);
    let (_stalled, _inbox) = member(&world, "a");
    let (socket, mut inbox) = world.connect();
    send_own(&socket, 4);
    socket.join("a").expect("it is connected");
    send_own(&socket, 4);
    assert!(read(&mut inbox).is_empty());
}

#[test]
fn two_memberships_of_one_room_count_apart() {
    let world = short(1);
    let (_stalled, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    send_own(&socket, 4);
    socket.leave("a").expect("it is connected");
    socket.join("a").expect("it is connected");
    send_own(&socket, 4);
    send(&world, "a", &["1", "2"]);
    // What was lost before the leave may have been emitted after it, as far as the room can tell.
    assert_eq!(read(&mut inbox), ["-3?", "-1", "2"]);
}

#[test]
fn a_sender_that_leaves_itself_out_by_its_id_is_counted_once() {
    let world = short(1);
    let (_stalled, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    for _ in 0..3 {
        socket.within("a").except(socket.id()).emit("said", "its own").expect("it is connected");
    }
    send(&world, "a", &["1", "2", "3"]);
    assert_eq!(read(&mut inbox), ["-2", "3"]);
}

#[test]
fn memberships_that_were_folded_away_make_a_gap_an_upper_bound() {
    let backlog = Backlog::new().messages(1).expect("in range");
    let builder = Engine::builder().backlog(backlog).membership_backlog(2).expect("in range");
    let world = builder.build().of("/").expect("the path is good");
    let (_other, _inbox) = world.connect();
    let (socket, mut inbox) = world.connect();
    inbox.drain(|_| {});
    socket.join("a").expect("it is connected");
    world.emit("said", "1").expect("it is open");
    world.except("a").emit("said", "not for it").expect("it is open");
    socket.leave("a").expect("it is connected");
    world.emit("said", "2").expect("it is open");
    assert_eq!(read(&mut inbox), ["-1", "-1?", "2"]);
}

#[test]
fn a_gap_that_is_found_beyond_a_fold_is_told() {
    let backlog = Backlog::new().messages(2).expect("in range");
    let builder = Engine::builder().backlog(backlog).membership_backlog(2).expect("in range");
    let world = builder.build().of("/").expect("the path is good");
    let (_other, _inbox) = member(&world, "elsewhere");
    let (socket, mut inbox) = member(&world, "a");
    send(&world, "a", &["1"]);
    assert_eq!(read(&mut inbox), ["1"]);
    socket.join("b").expect("it is connected");
    send(&world, "elsewhere", &["not for it"]);
    socket.leave("b").expect("it is connected");
    send(&world, "a", &["2", "3", "4", "5"]);
    assert_eq!(read(&mut inbox), ["-2", "4", "5"]);
}

#[test]
fn a_room_that_was_left_is_known_until_a_gap_that_depends_on_it_is_told() {
    let world = short(8);
    let (socket, mut inbox) = member(&world, "a");
    socket.join("b").expect("it is connected");
    send(&world, "a", &["1"]);
    world.to("a").except("b").emit("said", "not for it").expect("the room is good");
    socket.leave("b").expect("it is connected");
    // The rest is lost while the first is being read.
    let count = inbox.drain(|_| send(&world, "a", &["2"; 30]));
    assert_eq!(count, 1);
    let mut expected = vec!["-22"];
    expected.extend(["2"; 8]);
    assert_eq!(read(&mut inbox), expected);
}

#[test]
fn what_was_not_for_a_socket_disconnects_nobody() {
    let world = world(1, Overflow::Disconnect);
    let (other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    assert!(read(&mut inbox).is_empty());
    for _ in 0..9 {
        other.to("a").except(socket.id()).emit("said", "not for it").expect("it is connected");
    }
    socket.leave("a").expect("it is connected");
    assert_eq!(read(&mut inbox), ["-7?"]);
    assert!(socket.is_connected());
}

#[test]
fn what_was_dropped_before_the_policy_changed_disconnects_nobody() {
    let world = short(1);
    let (_other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    let send_others = || {
        for _ in 0..3 {
            world.to("a").except(socket.id()).emit("said", "not for it").expect("it is open");
        }
    };
    send(&world, "a", &["1", "2", "3"]);
    send_others();
    let strict = Backlog::new().messages(1).expect("in range").overflow(Overflow::Disconnect);
    world.room("a").expect("the name is good").set_backlog(strict);
    send_others();
    assert_eq!(read(&mut inbox), ["1", "-2"]);
    assert!(socket.is_connected());
}

#[test]
fn what_is_lost_after_the_leave_disconnects_nobody() {
    let world = world(2, Overflow::Disconnect);
    let (other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    assert!(read(&mut inbox).is_empty());
    send_own(&other, 2);
    socket.leave("a").expect("it is connected");
    send_own(&other, 4);
    assert_eq!(read(&mut inbox), ["its own", "-1"]);
    assert!(socket.is_connected());
}

#[test]
fn what_is_lost_after_the_leave_disconnects_nobody_in_a_read_under_way_either() {
    let world = world(4, Overflow::Disconnect);
    let (other, _inbox) = member(&world, "a");
    let (socket, mut inbox) = member(&world, "a");
    send_own(&other, 4);
    assert!(inbox.try_next().is_some());
    socket.leave("a").expect("it is connected");
    let tight = Backlog::new().messages(2).expect("in range").overflow(Overflow::Disconnect);
    world.room("a").expect("the name is good").set_backlog(tight);
    send_own(&other, 1);
    assert_eq!(read(&mut inbox), ["-2", "its own"]);
    assert!(socket.is_connected());
}
