//! The server model: clients with sockets behind middlewares, handlers and hooks that act themselves, and
//! answers.
//!
//! A program is a list of acts, and so is what a handler or hook does, with the acts of those that it calls
//! inside. `world.rs` and the files beside it are the reference: they do the acts on plain lists, and
//! write down what is called, what calls return and what is sent. `rig.rs` does them on an engine. Both have
//! to write the same, act by act.

mod answers;
mod calls;
mod clients;
mod doing;
mod hooks;
mod jobs;
mod outbox;
mod regressions;
mod rig;
mod script;
mod world;

use crate::{Check, ensure, machine};
use rig::Rig;
use script::{Act, Mix, REAL, ROOMS, connect, program, wait};
use world::World;

/// Whether a program begins with clients that have sockets already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Bare,
    Connected,
    /// And others wait to be connected, and the rooms of one namespace are kept, and have room for so many.
    Limited([usize; ROOMS.len()]),
}

fn check(start_with: Start, max_namespaces: usize, program: &[Act]) -> Check {
    let mut world = World::new(max_namespaces);
    let rig = Rig::new(max_namespaces);
    let clients = [(0, 0), (1, 0), (0, 1), (2, 0)].into_iter().filter(|_| start_with != Start::Bare);
    let start = (0..REAL).map(|path| Act::Of { path }).chain([Act::Open, Act::Open, Act::Open]);
    let start = start.chain(clients.map(|(conn, path)| connect(conn, path)));
    let waiting = [Act::Open, wait(3, 0), wait(1, 1)];
    let start = start.chain(waiting.into_iter().filter(|_| matches!(start_with, Start::Limited(_))));
    let capacities =
        if let Start::Limited(capacities) = start_with { capacities.to_vec() } else { Vec::new() };
    let start = start.chain(capacities.into_iter().enumerate().flat_map(|(room, capacity)| {
        [Act::Pin { space: 0, room }, Act::Capacity { space: 0, room, capacity: Some(capacity) }]
    }));
    // Whoever is left is disconnected, and what is left is sent.
    let end = [Act::Shutdown].into_iter().chain((0..5).map(|conn| Act::Drain { conn }));
    for act in start.chain(program.iter().cloned()).chain(end) {
        drop(world.act(None, &act));
        rig.act(None, &act);
        compare(&mut world, &rig).map_err(|problem| format!("{problem}\n  in {act:?}"))?;
    }
    Ok(())
}

fn compare(world: &mut World, rig: &Rig) -> Check {
    let (trace, mut stream) = {
        let mut state = rig.state();
        (std::mem::take(&mut state.trace), std::mem::take(&mut state.stream))
    };
    same("trace", &std::mem::take(&mut world.trace), &trace)?;
    // Between namespaces there is no order.
    let mut expected = std::mem::take(&mut world.stream);
    expected.sort_by_key(|(path, _)| *path);
    stream.sort_by_key(|(path, _)| *path);
    same("stream", &expected, &stream)?;
    for (space, events) in world.spaces.iter().zip(&rig.state().events) {
        same("events of rooms", &space.events, events)?;
    }
    same("sight", &world.look(), &rig.look())
}

fn same<T: std::fmt::Debug + PartialEq>(what: &str, expected: &[T], found: &[T]) -> Check {
    let differs = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    let (expected, found) = (&expected[differs..], &found[differs..]);
    ensure!(
        expected.is_empty() && found.is_empty(),
        "{what} differs after {differs} lines\n  expected {expected:#?}\n  found {found:#?}"
    );
    Ok(())
}

const PLAIN: Mix = Mix {
    clients: 20,
    rooms: 6,
    emits: 5,
    acks: 4,
    selections: 2,
    ends: 2,
    times: 2,
    limits: 1,
    spaces: 1,
    depth: 2,
};

#[test]
fn clients_come_and_go() {
    machine(150, program(PLAIN, 1..60), |program| check(Start::Bare, 10, &program));
}

#[test]
fn handlers_act() {
    let mix = Mix { clients: 30, ends: 5, spaces: 2, depth: 3, ..PLAIN };
    machine(100, program(mix, 1..30), |program| check(Start::Bare, 10, &program));
}

#[test]
fn one_namespace_is_enough() {
    let mix = Mix { clients: 30, ends: 15, ..PLAIN };
    machine(150, program(mix, 1..60), |program| check(Start::Connected, 1, &program));
}

#[test]
fn messages_are_answered() {
    let mix = Mix { acks: 30, emits: 2, times: 4, ..PLAIN };
    machine(150, program(mix, 1..60), |program| check(Start::Connected, 10, &program));
}

#[test]
fn rooms_refuse_and_selections_move() {
    let mix = Mix { rooms: 20, selections: 15, limits: 20, acks: 2, ..PLAIN };
    machine(150, program(mix, 1..60), |program| check(Start::Connected, 10, &program));
}

#[test]
fn rooms_are_full() {
    let mix = Mix { clients: 4, rooms: 40, selections: 15, limits: 3, acks: 0, emits: 1, spaces: 0, ..PLAIN };
    let programs = ([0..4_usize, 0..4, 0..4], program(mix, 1..40));
    machine(150, programs, |(capacities, program)| check(Start::Limited(capacities), 10, &program));
}
