//! Draining in parts: whatever a client is sent, and wherever its drains stop, it is sent the same.

use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use roomcast::{AckSender, Engine, GapReason, Inbox, Namespace, Payload, Socket};

use crate::common::messages;
use crate::rig::{Peer, by_namespace, connect, drain_by, leave, send};

const PATHS: [&str; 4] = ["/a", "/b", "/c", "/unknown"];
const ROOMS: [&str; 2] = ["x", "y"];

/// What happens to both clients alike; numbers choose the namespace and the room.
#[derive(Clone, Debug)]
enum Step {
    /// Also to one in which it has a socket, which closes the connection.
    Connect(usize),
    Leave(usize),
    Kick(usize),
    JoinRoom(usize, usize),
    LeaveRoom(usize, usize),
    ToRoom(usize, usize),
    ToRooms(usize),
    ToAll(usize),
    Direct(usize),
    Question(usize),
    Ask(usize),
    /// Whole by one client, and by the other until so many packets have come.
    Drain(usize),
    Remove(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let (space, room) = (0..3_usize, 0..2_usize);
    prop_oneof![
        2 => (0..4_usize).prop_map(Step::Connect),
        1 => space.clone().prop_map(Step::Leave),
        1 => space.clone().prop_map(Step::Kick),
        3 => (space.clone(), room.clone()).prop_map(|(space, room)| Step::JoinRoom(space, room)),
        1 => (space.clone(), room.clone()).prop_map(|(space, room)| Step::LeaveRoom(space, room)),
        5 => (space.clone(), room.clone()).prop_map(|(space, room)| Step::ToRoom(space, room)),
        2 => space.clone().prop_map(Step::ToRooms),
        3 => space.clone().prop_map(Step::ToAll),
        3 => space.clone().prop_map(Step::Direct),
        1 => space.clone().prop_map(Step::Question),
        1 => space.clone().prop_map(Step::Ask),
        5 => (1..6_usize).prop_map(Step::Drain),
        1 => Just(Step::Remove(2)),
        1 => Just(Step::Close),
    ]
}

/// Two clients of one engine that go through the same.
struct Pair {
    engine: Engine,
    whole: Peer,
    parts: Peer,
    /// What each was sent.
    sent: [Vec<String>; 2],
    count: u64,
}

impl Pair {
    fn new() -> Self {
        let engine = Engine::new();
        for path in &PATHS[..3] {
            let answer = |_: &Socket, _: Payload, ack: AckSender| drop(ack.send("answer"));
            engine.of(path).unwrap().on_with_ack("ask", answer).unwrap();
        }
        let [whole, parts] = [(); 2].map(|()| Peer::new(&engine, ()));
        Self { engine, whole, parts, sent: Default::default(), count: 0 }
    }

    fn peers(&self) -> [&Peer; 2] {
        [&self.whole, &self.parts]
    }

    fn each(&self, act: impl Fn(&Peer)) {
        self.peers().into_iter().for_each(act);
    }

    fn each_socket(&self, space: usize, act: impl Fn(&Socket)) {
        let sockets = self.peers().map(|peer| peer.connection.socket(PATHS[space]));
        sockets.iter().flatten().for_each(act);
    }

    fn emit(&mut self, space: usize, emit: impl FnOnce(&Namespace, String)) {
        self.count += 1;
        if let Some(namespace) = self.engine.get(PATHS[space]) {
            emit(&namespace, self.count.to_string());
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect(space) => self.each(|peer| drop(connect(&peer.connection, PATHS[space]))),
            Step::Leave(space) => {
                // What one who leaves has not read it is not sent any more.
                self.finish(1);
                self.each(|peer| drop(leave(&peer.connection, PATHS[space])));
            }
            Step::Kick(space) => self.each_socket(space, |socket| _ = socket.disconnect("kick")),
            Step::JoinRoom(space, room) => self.each_socket(space, |it| _ = it.join(ROOMS[room]).unwrap()),
            Step::LeaveRoom(space, room) => self.each_socket(space, |it| _ = it.leave(ROOMS[room]).unwrap()),
            Step::ToRoom(space, room) => self.emit(space, |to, text| {
                to.to(ROOMS[room]).emit("room", text).unwrap();
            }),
            Step::ToRooms(space) => {
                self.emit(space, |to, text| _ = to.to(ROOMS).emit("rooms", text).unwrap());
            }
            Step::ToAll(space) => self.emit(space, |to, text| _ = to.emit("all", text).unwrap()),
            Step::Direct(space) => self.each_socket(space, |socket| _ = socket.emit("direct", "").unwrap()),
            Step::Question(space) => {
                self.emit(space, |to, text| drop(to.to("x").emit_with_ack("question", text)));
            }
            Step::Ask(space) => {
                self.count += 1;
                self.each(|peer| drop(send(&peer.connection, PATHS[space], "ask", self.count)));
            }
            Step::Drain(most) => {
                self.sent[0].extend(self.whole.read());
                self.sent[1].extend(self.parts.read_some(most));
            }
            Step::Remove(space) => _ = self.engine.remove(PATHS[space]),
            Step::Close => self.each(|peer| _ = peer.connection.close("over")),
        }
    }

    /// Drains both to the end, one of them by so many packets.
    fn finish(&mut self, most: usize) {
        self.sent[0].extend(self.whole.read());
        let (parts, sent) = (&mut self.parts.outbox, &mut self.sent[1]);
        drain_by(parts, most, |packet| sent.push(crate::rig::text(packet)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_is_sent_the_same_wherever_its_drains_stop(
        steps in vec(step(), 1..60),
        last in 1..4_usize,
    ) {
        let mut pair = Pair::new();
        PATHS.iter().for_each(|path| pair.each(|peer| connect(&peer.connection, path).unwrap()));
        steps.iter().for_each(|step| pair.take(step));
        pair.finish(last);
        let [whole, parts] = &pair.sent;
        prop_assert_eq!(by_namespace(whole), by_namespace(parts));
        prop_assert_eq!(pair.whole.outbox.closed(), pair.parts.outbox.closed());
        prop_assert!(pair.whole.read().is_empty() && pair.parts.read().is_empty());
        prop_assert!(pair.engine.socket_count() <= 6);
        drop(pair.whole);
        drop(pair.parts);
        prop_assert_eq!((pair.engine.connection_count(), pair.engine.socket_count()), (0, 0));
    }
}

/// What happens to two sockets of a namespace with a small backlog.
#[derive(Clone, Debug)]
enum Act {
    Join(usize),
    Leave(usize),
    Emit(usize, usize),
    EmitVolatile(usize, usize),
    Direct(usize),
    Everyone,
    /// Drains by one, and by drains that stop after so many, as long as these stop, by the other.
    Drain(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (room, count) = (0..2_usize, 1..12_usize);
    prop_oneof![
        2 => room.clone().prop_map(Act::Join),
        1 => room.clone().prop_map(Act::Leave),
        4 => (room.clone(), count.clone()).prop_map(|(room, count)| Act::Emit(room, count)),
        3 => (room, count.clone()).prop_map(|(room, count)| Act::EmitVolatile(room, count)),
        2 => count.clone().prop_map(Act::Direct),
        1 => Just(Act::Everyone),
        3 => count.prop_map(Act::Drain),
    ]
}

/// What was delivered: by which way, and what; or how many are missing.
type Seen = (u64, String);

fn seen(delivery: &roomcast::Delivery<'_>) -> Seen {
    let what = match delivery.gap() {
        Some(gap) => {
            assert!(gap.exact && gap.reason == GapReason::Backlog);
            format!("{:?} gap of {}", delivery.via(), gap.missed)
        }
        None => format!("{:?} {:?}", delivery.via(), delivery.payload()),
    };
    (delivery.sequence(), what)
}

fn whole(inbox: &mut Inbox) -> Vec<Seen> {
    let mut deliveries = Vec::new();
    inbox.drain(|delivery| deliveries.push(seen(&delivery)));
    deliveries
}

fn in_parts(inbox: &mut Inbox, most: usize) -> Vec<Seen> {
    let mut deliveries = Vec::new();
    loop {
        let mut left = most;
        let drained = inbox.try_drain(|delivery| {
            deliveries.push(seen(&delivery));
            left -= 1;
            if left == 0 { Break(()) } else { Continue(()) }
        });
        if drained.is_continue() {
            return deliveries;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_inbox_has_the_same_in_it_wherever_its_drains_stop(
        acts in vec(act(), 1..60),
        volatile_backlog in 0..5_u32,
    ) {
        let engine = Engine::builder().backlog(messages(8)).volatile_backlog(volatile_backlog).build();
        let namespace = engine.of("/").unwrap();
        let mut sockets = [namespace.connect(), namespace.connect()];
        let mut number = 0..;
        let mut text = || number.next().map(|n: u64| n.to_string()).unwrap();
        for act in acts.into_iter().chain([Act::Drain(1)]) {
            match act {
                Act::Join(room) => sockets.iter().for_each(|it| _ = it.0.join(ROOMS[room]).unwrap()),
                Act::Leave(room) => {
                    // Left with something to read, gaps may be upper bounds, and differ.
                    prop_assert_eq!(whole(&mut sockets[0].1).len(), in_parts(&mut sockets[1].1, 1).len());
                    sockets.iter().for_each(|it| _ = it.0.leave(ROOMS[room]).unwrap());
                }
                Act::Emit(room, count) => {
                    (0..count).for_each(|_| _ = namespace.to(ROOMS[room]).emit("e", text()).unwrap());
                }
                Act::EmitVolatile(room, count) => (0..count).for_each(|_| {
                    namespace.to(ROOMS[room]).volatile().emit("e", text()).unwrap();
                }),
                Act::Direct(count) => (0..count).for_each(|_| {
                    let text = text();
                    let to = sockets.each_ref().map(|it| it.0.id());
                    namespace.to(to).emit("e", text).unwrap();
                }),
                Act::Everyone => _ = namespace.emit("e", text()).unwrap(),
                Act::Drain(most) => {
                    let [one, other] = &mut sockets;
                    prop_assert_eq!(whole(&mut one.1), in_parts(&mut other.1, most));
                    prop_assert_eq!(one.1.volatile_dropped(), other.1.volatile_dropped());
                }
            }
        }
    }
}

/// How many volatile messages a socket gets of so many in one drain, with or without one of another room behind them.
fn volatile_messages(count: u64, volatile_backlog: u32, is_merged: bool) -> usize {
    let engine = Engine::builder().backlog(messages(8)).volatile_backlog(volatile_backlog).build();
    let namespace = engine.of("/").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join(ROOMS).unwrap();
    inbox.drain(|_| {});
    (0..count).for_each(|n| _ = namespace.to("x").volatile().emit("e", n.to_string()).unwrap());
    if is_merged {
        namespace.to("y").emit("e", "").unwrap();
    }
    let mut handed = 0;
    inbox.drain(|delivery| handed += usize::from(delivery.is_volatile()));
    handed
}

#[test]
fn what_a_drain_has_handed_out_before_a_cut_counts_for_volatile_messages() {
    // The first is the last one of a segment that the room does not keep any more; but nothing is lost.
    assert_eq!([8, 9].map(|count| volatile_messages(count, 0, false)), [1, 1]);
}

#[test]
fn a_gap_is_no_message_to_volatile_ones() {
    assert_eq!([8, 10, 11, 30].map(|count| volatile_messages(count, 1, true)), [2, 2, 2, 2]);
}

#[test]
fn an_inbox_whose_drain_stops_wakes_nobody_until_it_is_drained() {
    let namespace = Engine::new().of("/").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join("x").unwrap();
    let wakes = Arc::new(AtomicUsize::new(0));
    inbox.drain(|_| {});
    inbox.on_wake({
        let wakes = Arc::clone(&wakes);
        move || _ = wakes.fetch_add(1, Ordering::SeqCst)
    });
    let told = || wakes.swap(0, Ordering::SeqCst);
    for _ in 0..3 {
        (0..3).for_each(|n| _ = namespace.to("x").emit("e", n.to_string()).unwrap());
        assert_eq!(told(), 1);
        assert!(inbox.try_drain(|_| Break(())).is_break());
        (3..5).for_each(|n| _ = namespace.to("x").emit("e", n.to_string()).unwrap());
        assert_eq!(told(), 0, "it has stopped");
        assert_eq!(in_parts(&mut inbox, 1).len(), 4);
        assert_eq!(told(), 0);
    }
}

#[test]
fn an_inbox_loses_only_the_delivery_at_which_a_drain_in_parts_panics() {
    let namespace = Engine::new().of("/").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join(ROOMS).unwrap();
    for place in 0..6 {
        (0..6).for_each(|n| _ = namespace.to(ROOMS[n % 2]).emit("e", n.to_string()).unwrap());
        let mut texts = Vec::new();
        let drained = catch_unwind(AssertUnwindSafe(|| {
            let _: ControlFlow<()> = inbox.try_drain(|delivery| {
                texts.push(delivery.payload().as_str().unwrap().to_owned());
                if texts.len() > place {
                    resume_unwind(Box::new("on purpose"));
                }
                Continue(())
            });
        }));
        assert!(drained.is_err());
        inbox.drain(|delivery| texts.push(delivery.payload().as_str().unwrap().to_owned()));
        assert_eq!(texts, ["0", "1", "2", "3", "4", "5"]);
    }
}

#[test]
fn wherever_drains_stop_they_count_for_volatile_messages_as_one_drain() {
    for volatile_backlog in 0..5 {
        for most in 1..=6 {
            let engine = Engine::builder().backlog(messages(8)).volatile_backlog(volatile_backlog).build();
            let namespace = engine.of("/").unwrap();
            let [mut one, mut other] = [(); 2].map(|()| {
                let (socket, mut inbox) = namespace.connect();
                socket.join(ROOMS).unwrap();
                inbox.drain(|_| {});
                inbox
            });
            // A gap after the first of these, and one of another room at the end.
            (0..30).for_each(|n| _ = namespace.to("x").volatile().emit("e", n.to_string()).unwrap());
            namespace.to("y").volatile().emit("e", "last").unwrap();
            let place = format!("backlog {volatile_backlog}, stopped after {most}");
            assert_eq!(whole(&mut one), in_parts(&mut other, most), "{place}");
            assert_eq!(one.volatile_dropped(), other.volatile_dropped(), "{place}");
        }
    }
}
