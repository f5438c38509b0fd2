//! Several namespaces of one engine, that are removed, made again and closed.

use proptest::collection::vec;
use proptest::prelude::*;
use roomcast::{DisconnectReason, EmitError, Engine, NamespaceError, RoomNameError};

use crate::op::Op;
use crate::ops::{Mix, PLAIN, op};
use crate::rig::Rig;
use crate::world::Limits;
use crate::{Check, ensure, machine};

const MIX: Mix = Mix { ends: 4, ..PLAIN };
const PATHS: [&str; 3] = ["/", "chat", "/world/eu"];

#[derive(Clone, Debug)]
enum Step {
    /// In one of all namespaces, removed ones included.
    In(usize, Op),
    Of(usize),
    Remove(usize),
    Close,
    Cross(usize, usize),
    Look,
}

struct Universe {
    engine: Engine,
    rigs: Vec<Rig>,
    /// Which of them is at a path now.
    present: [Option<usize>; PATHS.len()],
    is_closed: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = 0..1000_usize;
    let step = prop_oneof![
        60 => (any.clone(), op(MIX)).prop_map(|(rig, op)| Step::In(rig, op)),
        3 => any.clone().prop_map(Step::Of),
        3 => any.clone().prop_map(Step::Remove),
        1 => Just(Step::Close),
        4 => (any.clone(), any).prop_map(|(a, b)| Step::Cross(a, b)),
        2 => Just(Step::Look),
    ];
    vec(step, 1..100)
}

impl Universe {
    fn new() -> Self {
        let mut universe =
            Self { engine: Engine::new(), rigs: Vec::new(), present: [None; 3], is_closed: false };
        universe.add(0);
        universe
    }

    fn add(&mut self, path: usize) {
        let mut rig = Rig::new(&self.engine, PATHS[path], 3, Limits::default(), 1024);
        (0..2).for_each(|_| rig.connect());
        self.present[path] = Some(self.rigs.len());
        self.rigs.push(rig);
    }

    fn step(&mut self, step: &Step) -> Check {
        match step {
            Step::In(rig, op) => {
                let rig = rig % self.rigs.len();
                if matches!(op, Op::Connect) && self.rigs[rig].world.is_closed {
                    return self.connect_late(rig);
                }
                self.rigs[rig].apply(op)
            }
            Step::Of(path) => {
                let path = path % PATHS.len();
                let found = self.engine.of(PATHS[path]);
                if self.is_closed {
                    ensure!(found == Err(NamespaceError::EngineClosed), "of returned {found:?}");
                    return Ok(());
                }
                let found = found.map_err(|error| error.to_string())?;
                match self.present[path] {
                    Some(rig) => {
                        ensure!(found == self.rigs[rig].namespace, "{} is another now", PATHS[path]);
                    }
                    None => self.add(path),
                }
                Ok(())
            }
            Step::Remove(path) => {
                let path = path % PATHS.len();
                let was_there = self.engine.remove(PATHS[path]);
                let rig = self.present[path].take();
                ensure!(was_there == rig.is_some(), "remove returned {was_there}");
                if let Some(rig) = rig {
                    self.rigs[rig].close(&DisconnectReason::NamespaceRemoved);
                    if path == 0 {
                        self.add(0);
                    }
                }
                Ok(())
            }
            Step::Close => {
                self.engine.close();
                self.is_closed = true;
                for rig in self.present.iter_mut().filter_map(Option::take) {
                    self.rigs[rig].close(&DisconnectReason::Shutdown);
                }
                Ok(())
            }
            Step::Cross(a, b) => self.cross(a % self.rigs.len(), b % self.rigs.len()),
            Step::Look => self.look(),
        }
    }

    /// A socket of a namespace that is gone is closed from the start.
    fn connect_late(&self, rig: usize) -> Check {
        let rig = &self.rigs[rig];
        let (socket, mut inbox) = rig.namespace.connect();
        ensure!(!socket.is_connected() && rig.namespace.socket(socket.id()).is_err(), "it is connected");
        let count = inbox.drain(|_| {});
        ensure!(count == 0 && inbox.closed().cloned() == socket.closed(), "{count} deliveries, {inbox:?}");
        Ok(())
    }

    /// What belongs to one namespace is refused by another.
    fn cross(&self, a: usize, b: usize) -> Check {
        let (here, there) = (&self.rigs[a], &self.rigs[b]);
        if a == b || here.world.is_closed {
            return Ok(());
        }
        let room = there.namespace.room("lobby").map_err(|error| error.to_string())?;
        let emitted = here.namespace.to(&room).emit("moved", ());
        ensure!(emitted == Err(EmitError::Room(RoomNameError::Foreign)), "a foreign room: {emitted:?}");
        let emitted = here.namespace.except(&room).emit("moved", ());
        ensure!(emitted == Err(EmitError::Room(RoomNameError::Foreign)), "a foreign room: {emitted:?}");
        for (peer, _) in there.peers.iter().zip(0..2) {
            let id = peer.socket.id();
            let emitted = here.namespace.to("lobby").to(id).emit("moved", ());
            ensure!(matches!(emitted, Err(EmitError::Stale(_))), "a foreign socket: {emitted:?}");
            ensure!(here.namespace.socket(id).is_err(), "a foreign socket is found");
            if peer.socket.is_connected() {
                let own = here.namespace.room("lobby").map_err(|error| error.to_string())?;
                ensure!(peer.socket.join(&own).is_err(), "joined a foreign room");
                ensure!(own.emit_from(&peer.socket, "moved", ()).is_err(), "emitted to a foreign room");
            }
        }
        Ok(())
    }

    fn look(&self) -> Check {
        let count: usize = self.rigs.iter().map(|rig| rig.world.connected.len()).sum();
        let found = self.engine.socket_count();
        ensure!(found == count, "{found} sockets, expected {count}");
        ensure!(self.engine.is_closed() == self.is_closed, "is_closed is {}", self.engine.is_closed());
        let present: Vec<_> = self.present.iter().flatten().map(|&rig| &self.rigs[rig].namespace).collect();
        let found = self.engine.namespaces();
        ensure!(found.iter().eq(present.iter().copied()), "namespaces are {found:?}, expected {present:?}");
        for (path, rig) in PATHS.iter().zip(&self.present) {
            let rig = rig.map(|rig| self.rigs[rig].namespace.clone());
            ensure!(self.engine.get(path) == rig, "{path} is not {rig:?}");
        }
        Ok(())
    }
}

fn check(steps: &[Step]) -> Check {
    let mut universe = Universe::new();
    for step in steps {
        universe.step(step).map_err(|problem| format!("{problem}\n  in {step:?}"))?;
    }
    universe.look()?;
    universe.rigs.iter_mut().try_for_each(Rig::finish)
}

#[test]
fn namespaces_come_and_go() {
    machine(150, steps(), |steps| check(&steps));
}
