//! A client of which anything may happen, step by step on one thread: drains that stop and panic, gaps, disconnects by
//! either side, reconnects. It drains when it was told, and what comes is well formed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use roomcast::{Backlog, Engine, Inbox, Overflow, ServerPacket};

use crate::rig::{Line, Peer, connect, leave, text};

/// How many programs are tried: `ROOMCAST_CASES`, as for the reference model.
fn cases() -> u32 {
    std::env::var("ROOMCAST_CASES").map_or(300, |cases| cases.parse().expect("a number"))
}

const PATHS: [&str; 3] = ["/a", "/b", "/c"];

#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Leave(usize),
    Kick(usize),
    Join(usize, i64),
    Part(usize, i64),
    EmitTo(usize, i64, usize),
    Emit(usize),
    Look,
    /// Drains up to so many packets, if there were any but 0; at the last one it may panic, and at the first emit.
    Drain {
        most: usize,
        panics: bool,
        emits: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        2 => path().prop_map(Step::Connect),
        1 => path().prop_map(Step::Leave),
        1 => path().prop_map(Step::Kick),
        2 => (path(), 0..3_i64).prop_map(|(path, room)| Step::Join(path, room)),
        1 => (path(), 0..3_i64).prop_map(|(path, room)| Step::Part(path, room)),
        2 => (path(), 0..3_i64, 1..24_usize).prop_map(|(path, room, count)| Step::EmitTo(path, room, count)),
        1 => path().prop_map(Step::Emit),
        1 => Just(Step::Look),
        4 => (select(vec![0, 0, 1, 2, 3, 5]), prop::bool::weighted(0.15), prop::bool::weighted(0.25))
            .prop_map(|(most, panics, emits)| Step::Drain { most, panics, emits }),
    ]
}

struct Wild {
    engine: Engine,
    line: Arc<Line>,
    peer: Peer,
    /// The last drain has stopped.
    has_stopped: bool,
    /// How often it was woken since the last drain.
    wakes: usize,
    /// Where the client has a socket, as far as it knows.
    taken: BTreeSet<&'static str>,
    /// What came, and `left` where the client has.
    streams: BTreeMap<&'static str, Vec<String>>,
}

impl Wild {
    fn new(limit: usize, policy: Overflow) -> Self {
        let backlog = Backlog::new().messages(limit).unwrap().overflow(policy);
        let engine = Engine::builder().backlog(backlog).build();
        PATHS.iter().for_each(|path| _ = engine.of(path).unwrap());
        let line = Line::new();
        let peer = Peer::new(&engine, Arc::clone(&line));
        let (taken, streams) = (BTreeSet::new(), BTreeMap::new());
        Self { engine, line, peer, has_stopped: false, wakes: 0, taken, streams }
    }

    fn play(&mut self, step: &Step) {
        let namespace = |path: usize| self.engine.of(PATHS[path]).unwrap();
        let socket = |path: usize| self.peer.connection.socket(PATHS[path]);
        match *step {
            Step::Connect(path) if self.taken.insert(PATHS[path]) => {
                connect(&self.peer.connection, PATHS[path]).unwrap();
            }
            Step::Connect(_) => {}
            Step::Leave(path) => {
                leave(&self.peer.connection, PATHS[path]).unwrap();
                self.taken.remove(PATHS[path]);
                self.streams.entry(PATHS[path]).or_default().push("left".to_owned());
            }
            Step::Kick(path) => _ = socket(path).map(|socket| socket.disconnect("kick")),
            Step::Join(path, room) => _ = socket(path).map(|socket| socket.join(room).unwrap()),
            Step::Part(path, room) => _ = socket(path).map(|socket| socket.leave(room).unwrap()),
            Step::EmitTo(path, room, count) => {
                (0..count).for_each(|_| _ = namespace(path).to(room).emit("n", ()).unwrap());
            }
            Step::Emit(path) => _ = namespace(path).emit("n", ()).unwrap(),
            Step::Look => {
                let is_due = self.peer.outbox.wait_timeout(Duration::ZERO);
                assert_eq!(is_due, self.is_due());
            }
            Step::Drain { most, panics, emits } => self.drain(most, panics, emits),
        }
        self.wakes += self.line.wakes();
        assert!(self.wakes <= 1, "twice between two drains");
    }

    fn is_due(&mut self) -> bool {
        self.wakes += self.line.wakes();
        self.has_stopped || self.wakes > 0 || self.peer.outbox.closed().is_some()
    }

    fn drain(&mut self, most: usize, panics: bool, emits: bool) {
        let is_due = self.is_due();
        assert!(!self.has_stopped || self.wakes == 0, "whoever has stopped knows");
        self.wakes = 0;
        let mut count = 0;
        let Self { engine, peer, taken, streams, .. } = self;
        let drained = catch_unwind(AssertUnwindSafe(|| {
            peer.outbox.try_drain(|packet| {
                count += 1;
                let path = PATHS.into_iter().find(|path| *path == packet.namespace()).unwrap();
                if let ServerPacket::Disconnect { .. } = packet {
                    taken.remove(path);
                }
                streams.entry(path).or_default().push(text(packet));
                if emits && count == 1 {
                    PATHS.iter().for_each(|path| _ = engine.of(path).unwrap().emit("inside", ()).unwrap());
                }
                match count == most {
                    true if panics => resume_unwind(Box::new("on purpose")),
                    true => Break(()),
                    false => Continue(()),
                }
            })
        }));
        assert!(is_due || count == 0, "a wake-up was lost");
        self.wakes = self.line.wakes();
        self.has_stopped = matches!(drained, Ok(Break(())));
        match drained {
            Ok(Break(())) => assert_eq!(self.wakes, 0, "whoever stops knows"),
            Ok(Continue(())) => {}
            Err(_) => assert_eq!(self.wakes, 1, "there is more, perhaps"),
        }
    }

    fn end(mut self) {
        self.peer.connection.close("over");
        while self.peer.outbox.closed().is_none() {
            assert!(self.is_due(), "it is never told of the end");
            self.drain(1, false, false);
        }
        assert_eq!(self.line.closes().len(), 1);
        for (path, stream) in &self.streams {
            let mut is_connected = false;
            for packet in stream {
                let (is_begin, is_end) = (packet.ends_with(" connect"), packet.contains(" disconnect:"));
                assert!(packet == "left" || is_connected != is_begin, "{path}: {packet} in {stream:?}");
                is_connected = packet != "left" && !is_end;
            }
            assert!(!is_connected, "{path}: no end of {stream:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_is_told_once_and_what_comes_is_well_formed(
        limit in select(vec![16, 4096]),
        policy in select(vec![Overflow::DropOldest, Overflow::Disconnect]),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut wild = Wild::new(limit, policy);
        steps.iter().for_each(|step| wild.play(step));
        wild.end();
    }

    #[test]
    fn an_inbox_of_many_rooms_has_the_same_in_it_however_it_is_read(
        rooms in select(vec![3_i64, 20, 40, 80]),
        steps in prop::collection::vec((0..12_u8, 0..80_i64, 0..80_i64, 1..8_usize, any::<bool>()), 1..300),
    ) {
        let namespace = Engine::new().of("/").unwrap();
        let [(whole, mut whole_inbox), (parts, mut parts_inbox)] = [(); 2].map(|()| namespace.connect());
        let (mut expected, mut read) = (Vec::new(), Vec::new());
        for (kind, room, other, most, panics) in steps {
            let (room, other) = (room % rooms, other % rooms);
            let emit = || _ = namespace.to([room, other]).emit("n", ()).unwrap();
            match kind {
                0..3 => [&whole, &parts].iter().for_each(|socket| _ = socket.join(room).unwrap()),
                3 => [&whole, &parts].iter().for_each(|socket| _ = socket.leave(room).unwrap()),
                4..7 => (0..most).for_each(|_| emit()),
                7 => _ = namespace.emit("n", ()).unwrap(),
                8 => _ = namespace.to([whole.id(), parts.id()]).emit("n", ()).unwrap(),
                9 => _ = whole_inbox.drain(|delivery| expected.push(delivery.sequence())),
                10 => read_some(&mut parts_inbox, most, panics, &mut read),
                _ => {
                    let next = (0..most).map_while(|_| parts_inbox.try_next().map(|delivery| delivery.sequence()));
                    read.extend(next);
                }
            }
        }
        whole_inbox.drain(|delivery| expected.push(delivery.sequence()));
        parts_inbox.drain(|delivery| read.push(delivery.sequence()));
        prop_assert_eq!(expected, read);
    }
}

/// Drains up to so many, and then stops or panics.
fn read_some(inbox: &mut Inbox, most: usize, panics: bool, read: &mut Vec<u64>) {
    let mut left = most;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        inbox.try_drain(|delivery| {
            read.push(delivery.sequence());
            left -= 1;
            match left == 0 {
                true if panics => resume_unwind(Box::new("on purpose")),
                true => Break(()),
                false => Continue(()),
            }
        })
    }));
}
