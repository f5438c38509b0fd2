//! Ticks as a boundary in the order of messages: reading up to one, and telling in which one something was emitted.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use roomcast::{DisconnectReason, Engine, ForgottenTick, Inbox, Namespace};

fn at(tick: u64) -> Duration {
    Duration::from_millis(tick * 16)
}

fn before(inbox: &mut Inbox, tick: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    let count = inbox.drain_before(at(tick), |delivery| {
        numbers.push(delivery.payload().as_str().unwrap().parse().unwrap());
    });
    assert_eq!(count, Ok(numbers.len()));
    numbers
}

fn emit(world: &Namespace, number: u64) -> u64 {
    world.emit("e", number.to_string()).unwrap().sequence().unwrap()
}

#[test]
fn a_drain_before_a_tick_hands_out_what_came_before_it() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    let (_, mut slow) = world.connect();
    socket.join(["a", "b", "c"]).unwrap();
    for tick in 1..=50 {
        for (number, room) in (tick * 10..).zip(["a", "b", "c"]) {
            world.to(room).emit("e", number.to_string()).unwrap();
        }
        emit(&world, tick * 10 + 3);
        engine.tick(at(tick));
        emit(&world, tick * 10 + 4);
        // Each tick, and some ticks late.
        let own = [tick * 10 - 6].into_iter().filter(|_| tick > 1);
        assert_eq!(before(&mut inbox, tick), own.chain(tick * 10..tick * 10 + 4).collect::<Vec<_>>());
        let late = tick.saturating_sub(3);
        let seen = before(&mut slow, late);
        assert_eq!(seen.last().copied(), (late > 0).then_some(late * 10 + 3));
    }
    assert_eq!(before(&mut inbox, 51), [504], "before a tick that is to come is now");
    assert_eq!(before(&mut slow, 51).len(), 7);
}

#[test]
fn an_earlier_tick_than_before_has_nothing_new() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (_, mut inbox) = world.connect();
    engine.tick(at(1));
    emit(&world, 1);
    engine.tick(at(2));
    emit(&world, 2);
    assert_eq!(before(&mut inbox, 3), [1, 2]);
    assert_eq!(before(&mut inbox, 1), [0; 0]);
    emit(&world, 3);
    assert_eq!(before(&mut inbox, 2), [0; 0]);
    assert_eq!(inbox.drain(|_| {}), 1);
}

#[test]
fn ticks_between_the_ticks_that_there_were_and_repeated_ones() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (_, mut inbox) = world.connect();
    assert_eq!(before(&mut inbox, 0), [0; 0]);
    emit(&world, 0);
    assert_eq!(before(&mut inbox, 0), [0; 0], "the time at which it was made");
    engine.tick(at(10));
    emit(&world, 1);
    engine.tick(at(10)); // goes on
    engine.tick(at(3)); // time does not go back
    emit(&world, 2);
    engine.tick(at(20));
    emit(&world, 3);
    assert_eq!(before(&mut inbox, 7), [0], "the next tick after that began at 10");
    assert_eq!(before(&mut inbox, 10), [0; 0]);
    assert_eq!(before(&mut inbox, 11), [1, 2]);
}

#[test]
fn a_message_is_of_the_tick_in_which_it_was_emitted() {
    let engine = Engine::builder().remembered_ticks(3).build();
    engine.tick(at(1));
    let world = engine.of("/world").unwrap();
    let (_, mut inbox) = world.connect();
    let mut sequences = vec![emit(&world, 1)];
    for tick in 2..=4 {
        engine.tick(at(tick));
        sequences.push(emit(&world, tick));
    }
    let ticks = |world: &Namespace, sequences: &[u64]| -> Vec<_> {
        sequences.iter().map(|&sequence| world.tick_of(sequence)).collect()
    };
    assert_eq!(ticks(&world, &sequences), [1, 2, 3, 4].map(|tick| Some(at(tick))));
    assert_eq!(
        (world.tick_of(0), world.tick_of(sequences[3] + 1), world.tick_of(u64::MAX)),
        (None, None, None)
    );

    engine.tick(at(5));
    assert_eq!(ticks(&world, &sequences), [None, None, Some(at(3)), Some(at(4))]);
    let forgotten = inbox.drain_before(at(2), |_| unreachable!());
    assert_eq!(forgotten, Err(ForgottenTick(at(2))));
    assert_eq!(forgotten.unwrap_err().to_string(), "the tick at 32ms is not remembered any more");
    assert_eq!(before(&mut inbox, 3), [1, 2]);

    let engine = Engine::builder().remembered_ticks(0).build();
    let world = engine.of("/world").unwrap();
    let (_, mut inbox) = world.connect();
    engine.tick(at(1));
    let sequence = emit(&world, 1);
    assert_eq!(world.tick_of(sequence), None);
    assert_eq!(inbox.drain_before(at(1), |_| {}), Err(ForgottenTick(at(1))));
    assert_eq!(inbox.drain(|_| {}), 1);
}

#[test]
fn what_is_due_in_a_tick_is_of_it() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    let asked = socket.emit_with_ack("asked", ()).unwrap().timeout(at(1));
    let world_too = world.clone();
    asked.on_done(move |_| drop(world_too.emit("e", "7")));
    engine.tick(at(1));
    let mut count = 0;
    inbox.drain_before(at(1), |delivery| count += usize::from(delivery.is("asked"))).unwrap();
    assert_eq!(count, 1);
    assert_eq!(before(&mut inbox, 2), [7]);
}

#[test]
fn joins_leaves_and_the_end_come_with_their_tick() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    world.to("room").emit("e", "1").unwrap();
    engine.tick(at(1));
    socket.leave("room").unwrap();
    world.to("room").emit("e", "2").unwrap();
    socket.join("room").unwrap();
    world.to("room").emit("e", "3").unwrap();
    socket.disconnect(DisconnectReason::Server);
    world.to("room").emit("e", "4").unwrap();
    assert_eq!((before(&mut inbox, 1), inbox.closed()), (vec![1], None));
    assert_eq!((before(&mut inbox, 2), inbox.closed()), (vec![3], Some(&DisconnectReason::Server)));
}

#[test]
fn a_drain_that_stopped_comes_to_its_end_first() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (_, mut inbox) = world.connect();
    engine.tick(at(1));
    (0..4).for_each(|n| _ = emit(&world, n));
    assert!(inbox.try_next().is_some());
    (4..6).for_each(|n| _ = emit(&world, n));
    assert_eq!(before(&mut inbox, 1), [1, 2, 3]);
    engine.tick(at(2));
    let drained = catch_unwind(AssertUnwindSafe(|| {
        inbox.drain_before(at(2), |_| resume_unwind(Box::new("from the callback")))
    }));
    assert!(drained.is_err());
    assert_eq!(before(&mut inbox, 2), [5]);
}

/// Steps on several threads see the same, whoever comes first: what was emitted in the steps before.
#[test]
fn steps_in_parallel_see_the_steps_before() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let mut agents: Vec<_> = (0..8).map(|_| world.connect().1).collect();
    for tick in 1..=100 {
        engine.tick(at(tick));
        let (left, right) = agents.split_at_mut(4);
        thread::scope(|scope| {
            for half in [left, right] {
                let world = &world;
                scope.spawn(move || {
                    for inbox in half {
                        let seen = before(inbox, tick);
                        assert_eq!(seen, vec![tick - 1; if tick > 1 { 8 } else { 0 }]);
                        emit(world, tick);
                    }
                });
            }
        });
    }
}
