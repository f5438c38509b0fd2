//! A namespace with members and histories, and its reference, side by side.

use std::ops::ControlFlow;
use std::time::Duration;

use roomcast::{Broadcast, Delivery, Engine, History, Inbox, Namespace, Past, Room, Socket, SocketId};

use crate::terms_world::{Emit, Kept, Op, ROOMS, Reading, SOCKETS, Spot, Want, World};
use crate::{Check, ensure};

pub(crate) struct Rig {
    engine: Engine,
    namespace: Namespace,
    rooms: Vec<Room>,
    sockets: Vec<Socket>,
    inboxes: Vec<Inbox>,
    world: World,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let engine = Engine::builder().event_names(1).expect("in range").build();
        let namespace = engine.of("/").expect("the path is good");
        let rooms = (0..ROOMS).map(|room| namespace.room(room).expect("the name is good")).collect();
        let (sockets, inboxes) = (0..SOCKETS).map(|_| namespace.connect()).unzip();
        let world = World {
            readings: (0..SOCKETS).map(|_| Reading::default()).collect(),
            kept: (0..ROOMS).map(|_| None).collect(),
            ..World::default()
        };
        Self { engine, namespace, rooms, sockets, inboxes, world }
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Check {
        match op {
            &Op::Join(socket, room) => {
                let joined = self.sockets[socket].join(&self.rooms[room]);
                ensure!(joined == Ok(usize::from(self.world.join(socket, room))), "joined {joined:?}");
            }
            &Op::JoinWith(socket, room, want) => {
                let past = self.past(want);
                let joined = self.sockets[socket].join_with(&self.rooms[room], past);
                let joined = joined.map(|it| (it.is_new(), it.past(), it.is_complete()));
                let expected = self.world.join_with(socket, room, want);
                let agrees = |joined: (bool, usize, bool)| {
                    (joined.0, joined.1) == (expected.0, expected.1)
                        && self.is_as_complete(room, joined.2, expected.2)
                };
                ensure!(joined.clone().is_ok_and(agrees), "joined {joined:?}, expected {expected:?}");
            }
            &Op::Leave(socket, room) => {
                self.sockets[socket].leave(&self.rooms[room]).map_err(|error| error.to_string())?;
                self.world.leave(socket, room);
            }
            Op::Emit(emit) => {
                let emitted = self.emit(emit);
                let is_taken_in =
                    emit.to.as_ref().is_none_or(|to| to.iter().any(|spot| self.world.takes_in(*spot)));
                ensure!(emitted.is_some() == is_taken_in, "a sequence: {emitted:?}");
                emitted.into_iter().for_each(|sequence| self.world.publish(emit, sequence));
            }
            &Op::Tick(by) => {
                self.world.now += by;
                self.engine.tick(Duration::from_secs(self.world.now));
            }
            &Op::History(room, history) => self.set_history(room, history),
            &Op::Ask(room, want) => self.ask(room, want)?,
            &Op::Drain(socket) => {
                let mut seen = Vec::new();
                self.inboxes[socket].drain(|delivery| seen.push(look(&delivery)));
                self.compare(socket, &seen, true)?;
            }
            &Op::Next(socket, count) => {
                let mut seen = Vec::new();
                let is_end = (0..count).any(|_| match self.inboxes[socket].try_next() {
                    Some(delivery) => {
                        seen.push(look(&delivery));
                        false
                    }
                    None => true,
                });
                self.compare(socket, &seen, is_end)?;
            }
            &Op::TryDrain(socket, count) => {
                let mut seen = Vec::new();
                let drained = self.inboxes[socket].try_drain(|delivery| {
                    seen.push(look(&delivery));
                    if seen.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                self.compare(socket, &seen, drained.is_continue())?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Check {
        (0..SOCKETS).try_for_each(|socket| self.apply(&Op::Drain(socket)))
    }

    fn compare(&mut self, socket: usize, seen: &[(String, u64)], is_end: bool) -> Check {
        for (text, sequence) in seen {
            let expected = self.world.next(socket).ok_or(format!("{text} is not for {socket}"))?;
            let wanted = (expected.to_string(), self.world.sent[expected].sequence);
            ensure!((text, *sequence) == (&wanted.0, wanted.1), "{text} came where {wanted:?} was expected");
        }
        if is_end {
            let rest = self.world.next(socket);
            ensure!(rest.is_none(), "{rest:?} did not come to {socket}");
            let inbox = &self.inboxes[socket];
            let (found, expected) = (
                [inbox.volatile_dropped(), inbox.expired(), inbox.replaced()],
                self.world.readings[socket].counts,
            );
            ensure!(found == expected, "dropped, expired, replaced: {found:?}, expected {expected:?}");
        }
        Ok(())
    }

    fn set_history(&mut self, room: usize, history: Option<(usize, Option<u64>)>) {
        let kept = &mut self.world.kept[room];
        match (history, kept) {
            (None, kept) => *kept = None,
            (Some((limit, age)), Some(kept)) => (kept.limit, kept.age) = (limit, age),
            (Some((limit, age)), kept) => {
                *kept = Some(Kept { limit, age, gone: self.world.last[room], ..Kept::default() });
            }
        }
        self.world.sweep(room);
        let history = history.map(|(limit, age)| {
            let history = History::new().messages(limit).expect("in range");
            age.map_or(history, |age| history.age(Duration::from_secs(age)))
        });
        self.rooms[room].set_history(history);
    }

    fn ask(&mut self, room: usize, want: Want) -> Check {
        let mut seen = Vec::new();
        let (count, is_complete) =
            self.rooms[room].past(self.past(want), |delivery| seen.push(look(&delivery).0));
        let (found, expected_complete) = self.world.find(room, want);
        let is_shown = |message: &usize| {
            let sent = &self.world.sent[*message];
            let is_keyed = matches!(want, Want::Latest);
            sent.next.is_none()
                && sent.expires.is_none_or(|expires| self.world.now < expires)
                && (sent.emit.key.is_some() || !is_keyed)
        };
        let expected: Vec<String> = found.into_iter().filter(is_shown).map(|it| it.to_string()).collect();
        ensure!(seen == expected && count == seen.len(), "the past is {seen:?}, expected {expected:?}");
        ensure!(self.is_as_complete(room, is_complete, expected_complete), "complete: {is_complete}");
        Ok(())
    }

    /// Whether a room tells the truth of whether all is there: it may not know when its last message came before it
    /// kept any.
    fn is_as_complete(&self, room: usize, found: bool, expected: bool) -> bool {
        let is_known = self.world.kept[room].as_ref().is_none_or(|kept| kept.has_lost || kept.gone == 0);
        found == expected || !found && !is_known
    }

    fn past(&self, want: Want) -> Past {
        match want {
            Want::All => Past::all(),
            Want::Last(count) => Past::last(count),
            Want::Since(_) => Past::since(self.world.since(want)),
            Want::Latest => Past::latest(),
        }
    }

    fn id(&self, socket: usize) -> SocketId {
        self.sockets[socket].id()
    }

    fn emit(&self, emit: &Emit) -> Option<u64> {
        let none: [usize; 0] = [];
        let mut broadcast: Broadcast<'_> = match (emit.from, emit.is_excepted, &emit.to) {
            (None, _, None) => self.namespace.except(none),
            (None, _, Some(_)) => self.namespace.to(none),
            (Some(socket), true, None) => self.sockets[socket].broadcast(),
            (Some(socket), true, Some(_)) => self.sockets[socket].to(none),
            (Some(socket), false, _) => self.sockets[socket].within(none),
        };
        for spot in emit.to.iter().flatten() {
            broadcast = match *spot {
                Spot::Room(room) => broadcast.to(&self.rooms[room]),
                Spot::Socket(socket) => broadcast.to(self.id(socket)),
            };
        }
        for spot in &emit.except {
            broadcast = match *spot {
                Spot::Room(room) => broadcast.except(room),
                Spot::Socket(socket) => broadcast.except(self.id(socket)),
            };
        }
        if let Some(key) = emit.key {
            broadcast = broadcast.latest(key);
        }
        if let Some(lifetime) = emit.lifetime {
            broadcast = broadcast.lifetime(Duration::from_secs(lifetime));
        }
        if let Some(slack) = emit.slack {
            broadcast = broadcast.volatile_behind(slack);
        }
        let event = ["listed", "not listed"][emit.event];
        let emitted = broadcast.emit(event, self.world.sent.len().to_string());
        emitted.expect("nobody is gone").sequence()
    }
}

fn look(delivery: &Delivery<'_>) -> (String, u64) {
    assert!(delivery.gap().is_none(), "a gap: {delivery:?}");
    (delivery.payload().as_str().unwrap_or_default().to_owned(), delivery.sequence())
}
