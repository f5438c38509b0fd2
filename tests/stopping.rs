//! A drain that stops counts like one that does not: how far the socket is behind, what it drops, what it returns.

use std::ops::ControlFlow;

use roomcast::{Backlog, Delivery, Engine, Inbox, Namespace};

const BEHIND: u32 = 5;

/// A namespace, and an inbox in it with reliable and volatile messages from so many rooms, over several segments; before them the gap that
/// a small backlog leaves, if wanted.
fn behind(rooms: u32, with_gap: bool) -> (Namespace, Inbox) {
    let backlog = Backlog::new().messages(if with_gap { 16 } else { 1000 }).unwrap();
    let engine = Engine::builder().volatile_backlog(BEHIND).backlog(backlog).build();
    let world = engine.of("/world").unwrap();
    let (socket, inbox) = world.connect();
    for room in 0..rooms {
        socket.join(room).unwrap();
    }
    for number in 0..60_u32 {
        let to = world.to(number % rooms);
        let to = if number % 3 == 2 { to.volatile() } else { to };
        to.emit("number", number.to_string()).unwrap();
    }
    (world, inbox)
}

fn name(delivery: &Delivery<'_>) -> String {
    match delivery.gap() {
        Some(gap) => format!("gap of {}", gap.missed),
        None => delivery.payload().as_str().unwrap().to_owned(),
    }
}

/// Reads on, in drains that stop after `step` deliveries each.
fn in_steps(inbox: &mut Inbox, step: usize) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let mut left = step;
        let stopped = inbox.try_drain(|delivery| {
            names.push(name(&delivery));
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if stopped.is_continue() {
            return names;
        }
    }
}

fn one_by_one(inbox: &mut Inbox) -> Vec<String> {
    std::iter::from_fn(|| inbox.try_next().map(|delivery| name(&delivery))).collect()
}

#[test]
fn wherever_a_drain_stops_the_rest_is_as_far_behind() {
    for (rooms, with_gap) in [(1, false), (1, true), (3, false), (3, true)] {
        let (_world, mut inbox) = behind(rooms, with_gap);
        let mut whole = Vec::new();
        let count = inbox.drain(|delivery| whole.push(name(&delivery)));
        let dropped = inbox.volatile_dropped();
        assert_eq!(count, whole.len());
        assert_eq!(whole.iter().any(|name| name.starts_with("gap")), with_gap, "{whole:?}");
        assert!(dropped > 0);

        for step in 1..=count {
            let (_world, mut inbox) = behind(rooms, with_gap);
            assert_eq!(in_steps(&mut inbox, step), whole, "{rooms} rooms, stops after {step}");
            assert_eq!(inbox.volatile_dropped(), dropped);
        }
        let (_world, mut inbox) = behind(rooms, with_gap);
        assert_eq!(one_by_one(&mut inbox), whole, "{rooms} rooms, one by one");
        assert_eq!(inbox.volatile_dropped(), dropped);
    }
}

#[test]
fn as_many_messages_as_the_limit_may_come_before_a_volatile_one() {
    for rooms in [1, 3] {
        let (_world, mut inbox) = behind(rooms, false);
        let mut numbers = Vec::new();
        inbox.drain(|delivery| numbers.push(name(&delivery).parse::<u32>().unwrap()));
        // 2 and 5 have 2 and 5 before them, 8 has more.
        let expected: Vec<u32> = (0..60).filter(|number| number % 3 != 2 || *number <= BEHIND).collect();
        assert_eq!(numbers, expected, "{rooms} rooms");
    }
}

#[test]
fn what_comes_after_a_stop_is_not_behind_what_came_before_it() {
    for rooms in [1, 3] {
        let (world, mut inbox) = behind(rooms, false);
        let mut left = 10;
        let stopped = inbox.try_drain(|_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(stopped.is_break());
        world.to(rooms - 1).emit("number", "next").unwrap();
        world.to(0).volatile().emit("number", "new").unwrap();
        assert_eq!(in_steps(&mut inbox, usize::MAX).last().map(String::as_str), Some("new"), "{rooms} rooms");
    }
}

#[test]
fn a_pass_that_follows_a_stop_counts_for_itself_when_it_stops_too() {
    for rooms in [1, 3] {
        let (world, mut inbox) = behind(rooms, false);
        let until = |inbox: &mut Inbox, last: &str| {
            let stopped = inbox.try_drain(|delivery| match name(&delivery) == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
            assert!(stopped.is_break(), "{rooms} rooms, at {last}");
        };
        until(&mut inbox, "10");
        world.to(0).emit("number", "first").unwrap();
        world.to(rooms - 1).emit("number", "second").unwrap();
        world.to(0).volatile().emit("number", "third").unwrap();
        until(&mut inbox, "first");
        assert_eq!(in_steps(&mut inbox, usize::MAX), ["second", "third"], "{rooms} rooms");
    }
}

#[test]
fn a_pass_that_follows_a_stop_counts_for_itself_when_messages_were_lost() {
    for rooms in [1, 2] {
        let backlog = Backlog::new().messages(64).unwrap();
        let world = Engine::builder().volatile_backlog(rooms).backlog(backlog).build().of("/world").unwrap();
        let (socket, mut inbox) = world.connect();
        (0..rooms).for_each(|room| assert_eq!(socket.join(room), Ok(1)));
        for number in 0..3 {
            world.to(0).emit("number", number.to_string()).unwrap();
        }
        assert!(inbox.try_drain(|_| ControlFlow::Break(())).is_break());
        // One more in the segment of the first three, one in the other room, and then more than the backlog.
        world.to(0).emit("number", "3").unwrap();
        world.to(rooms - 1).emit("number", "4").unwrap();
        for _ in 0..100 {
            world.to(0).volatile().emit("number", "volatile").unwrap();
        }
        let names = in_steps(&mut inbox, usize::MAX);
        let [start @ .., gap, last] = &names[..] else { panic!("{names:?}") };
        assert!(gap.starts_with("gap of"), "{rooms} rooms: {names:?}");
        assert_eq!(
            (start.len(), last.as_str()),
            (2 + rooms as usize, "volatile"),
            "{rooms} rooms: {names:?}"
        );
    }
}
