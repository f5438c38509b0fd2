//! What a message asks for beyond its recipients, and what rooms keep: keys, lifetimes, distances, histories.
//!
//! A reference of its own. It works out at each delivery what is next, from who was in which room when a message
//! was emitted, and from where the passes of a reader begin.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use roomcast::{Broadcast, Delivery, Engine, History, Inbox, Namespace, Past, Room, Socket, SocketId};

use crate::{Check, ensure, machine};

const ROOMS: usize = 3;
const SOCKETS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Room(usize),
    Socket(usize),
}

#[derive(Clone, Debug)]
struct Emit {
    from: Option<usize>,
    is_excepted: bool,
    /// Everyone, if there are none.
    to: Option<Vec<Spot>>,
    except: Vec<Spot>,
    event: usize,
    key: Option<usize>,
    lifetime: Option<u64>,
    slack: Option<u32>,
}

#[derive(Clone, Debug)]
enum Op {
    Join(usize, usize),
    JoinWith(usize, usize, Want),
    Leave(usize, usize),
    Emit(Emit),
    Tick(u64),
    History(usize, Option<(usize, Option<u64>)>),
    Ask(usize, Want),
    Drain(usize),
    Next(usize, usize),
    TryDrain(usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum Want {
    All,
    Last(usize),
    /// After a message so many before the last.
    Since(usize),
    Latest,
}

/// A message that was emitted.
#[derive(Debug)]
struct Sent {
    emit: Emit,
    /// Who was in which room.
    members: Vec<BTreeSet<usize>>,
    sequence: u64,
    expires: Option<u64>,
    /// The one that has replaced it.
    next: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Membership {
    /// The step at which it began.
    id: usize,
    room: usize,
    /// In numbers of messages.
    since: usize,
    until: usize,
}

#[derive(Clone, Copy, Debug)]
struct PastOf {
    /// The membership that came after it.
    id: usize,
    state: State,
    room: usize,
    from: usize,
    until: usize,
    is_keyed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    InPass,
    Read,
    /// The membership that came after it is forgotten.
    Forgotten,
}

/// A message that a socket comes by, in the room of a past or as a member.
#[derive(Clone, Copy, Debug)]
struct Item {
    message: usize,
    past: Option<usize>,
}

#[derive(Debug, Default)]
struct Reading {
    memberships: Vec<Membership>,
    pasts: Vec<PastOf>,
    pending: Vec<Item>,
    pass: VecDeque<Item>,
    /// How many messages and changes there were when the pass began.
    horizon: (usize, usize),
    handed: u32,
    counts: [u64; 3],
    /// Memberships that are over, by when.
    left: Vec<(usize, Membership)>,
}

#[derive(Debug, Default)]
struct Kept {
    limit: usize,
    age: Option<u64>,
    /// With their times.
    messages: VecDeque<(usize, u64)>,
    has_lost: bool,
    /// Up to here nothing is kept, in sequences.
    gone: u64,
}

#[derive(Default)]
struct World {
    sent: Vec<Sent>,
    readings: Vec<Reading>,
    kept: Vec<Option<Kept>>,
    newest: BTreeMap<Audience, usize>,
    now: u64,
    steps: usize,
    /// The sequence of the last message that each room took in.
    last: [u64; ROOMS],
}

/// What two messages have in common of which one replaces the other.
type Audience = (usize, usize, Option<Vec<Spot>>, Vec<Spot>, BTreeSet<usize>, Option<usize>);

const FOREVER: usize = usize::MAX;

impl World {
    fn is_in(&self, socket: usize, room: usize) -> bool {
        self.readings[socket].memberships.iter().any(|it| it.room == room && it.until == FOREVER)
    }

    fn join(&mut self, socket: usize, room: usize) -> bool {
        let is_new = !self.is_in(socket, room);
        if is_new {
            let since = self.sent.len();
            self.steps += 1;
            let it = Membership { id: self.steps, room, since, until: FOREVER };
            self.readings[socket].memberships.push(it);
        }
        is_new
    }

    fn leave(&mut self, socket: usize, room: usize) {
        let (until, reading) = (self.sent.len(), &mut self.readings[socket]);
        self.steps += 1;
        if let Some(it) = reading.memberships.iter_mut().find(|it| it.room == room && it.until == FOREVER) {
            it.until = until;
            let it = *it;
            reading.left.push((self.steps, it));
        }
    }

    fn members(&self, room: usize) -> BTreeSet<usize> {
        (0..SOCKETS).filter(|&socket| self.is_in(socket, room)).collect()
    }

    fn takes_in(&self, spot: Spot) -> bool {
        match spot {
            Spot::Room(room) => self.kept[room].is_some() || !self.members(room).is_empty(),
            Spot::Socket(_) => true,
        }
    }

    fn publish(&mut self, emit: &Emit, sequence: u64) {
        let id = self.sent.len();
        let expires = emit.lifetime.map(|lifetime| (self.now + lifetime).max(self.now + 1));
        let members = (0..ROOMS).map(|room| self.members(room)).collect();
        self.sent.push(Sent { emit: emit.clone(), members, sequence, expires, next: None });
        if emit.key.is_some() {
            if let Some(older) = self.newest.insert(audience(emit), id) {
                self.sent[older].next = Some(id);
            }
        }
        for spot in emit.to.iter().flatten() {
            let now = self.now;
            if let (&Spot::Room(room), true) = (spot, self.takes_in(*spot)) {
                self.last[room] = sequence;
            }
            if let Spot::Room(room) = *spot {
                if let (Some(kept), None) = (&mut self.kept[room], emit.slack) {
                    kept.messages.push_back((id, now));
                }
                self.sweep(room);
            }
        }
        for socket in 0..SOCKETS {
            if self.gets(socket, id) {
                self.readings[socket].pending.push(Item { message: id, past: None });
            }
        }
    }

    /// Whether it was for a socket when it was published.
    fn gets(&self, socket: usize, message: usize) -> bool {
        let Sent { emit, members, .. } = &self.sent[message];
        let is_in = |spot: &Spot| match *spot {
            Spot::Room(room) => members[room].contains(&socket),
            Spot::Socket(it) => it == socket,
        };
        !is_excluded(emit, socket)
            && emit.to.as_ref().is_none_or(|to| to.iter().any(is_in))
            && !emit.except.iter().any(is_in)
    }

    /// The same as the reader knows it, by the memberships that it has not forgotten.
    fn knows_of(&self, socket: usize, spot: Spot, message: usize) -> bool {
        match spot {
            Spot::Room(room) => self.readings[socket]
                .memberships
                .iter()
                .any(|it| it.room == room && it.since <= message && message < it.until),
            Spot::Socket(it) => it == socket,
        }
    }

    fn sweep(&mut self, room: usize) {
        let (now, sent) = (self.now, &self.sent);
        let Some(kept) = &mut self.kept[room] else { return };
        while let Some(&(message, at)) = kept.messages.front() {
            let is_old = kept.age.is_some_and(|age| now >= at + age && now > at);
            if kept.messages.len() <= kept.limit && !is_old {
                break;
            }
            kept.messages.pop_front();
            (kept.has_lost, kept.gone) = (true, sent[message].sequence);
        }
    }

    /// The messages that are wanted of what is kept, and whether those are all.
    fn find(&mut self, room: usize, want: Want) -> (Vec<usize>, bool) {
        self.sweep(room);
        let since = self.since(want);
        let Some(kept) = &self.kept[room] else { return (Vec::new(), false) };
        let all: Vec<usize> = kept.messages.iter().map(|(message, _)| *message).collect();
        match want {
            Want::All | Want::Latest => (all, !kept.has_lost),
            Want::Last(count) => {
                let is_complete = count <= all.len() || !kept.has_lost;
                (all[all.len().saturating_sub(count)..].to_vec(), is_complete)
            }
            Want::Since(_) => {
                (all.into_iter().filter(|it| self.sent[*it].sequence > since).collect(), since >= kept.gone)
            }
        }
    }

    fn since(&self, want: Want) -> u64 {
        let Want::Since(back) = want else { return 0 };
        let place = self.sent.len().checked_sub(back + 1);
        place.map_or(0, |place| self.sent[place].sequence)
    }

    fn join_with(&mut self, socket: usize, room: usize, want: Want) -> (bool, usize, bool) {
        if self.is_in(socket, room) {
            return (false, 0, false);
        }
        let (found, is_complete) = self.find(room, want);
        if let Some(&from) = found.first() {
            let is_keyed = matches!(want, Want::Latest);
            let (id, state) = (self.steps + 1, State::Pending);
            let past = PastOf { id, state, room, from, until: self.sent.len(), is_keyed };
            let reading = &mut self.readings[socket];
            let number = reading.pasts.len();
            reading.pasts.push(past);
            // All that the log holds from there on: what is not kept is not for it.
            let items = (from..self.sent.len()).map(|message| Item { message, past: Some(number) });
            reading.pending.extend(items);
        }
        self.join(socket, room);
        (true, found.len(), is_complete)
    }

    /// Whether a past has a message, whoever it is for.
    fn has(&self, past: &PastOf, message: usize) -> bool {
        let Sent { emit, .. } = &self.sent[message];
        let is_there = emit.to.as_ref().is_some_and(|to| to.contains(&Spot::Room(past.room)));
        (past.from..past.until).contains(&message) && is_there && (emit.key.is_some() || !past.is_keyed)
    }

    fn is_kept_for(&self, socket: usize, past: &PastOf, message: usize) -> bool {
        let Sent { emit, .. } = &self.sent[message];
        let to = emit.to.as_deref().unwrap_or_default();
        let knows_of = |spot: &Spot| self.knows_of(socket, *spot, message);
        let is_in = |spot: &Spot, state: State| {
            let is_it = |it: &&PastOf| it.state == state && Spot::Room(it.room) == *spot;
            self.readings[socket].pasts.iter().filter(is_it).any(|it| self.has(it, message))
        };
        let is_in_past = |spot: &Spot| is_in(spot, State::InPass);
        let was_in_past = |spot: &Spot| is_in(spot, State::Read) && !is_in_past(spot);
        self.has(past, message)
            && emit.slack.is_none()
            && !is_excluded(emit, socket)
            && !emit.except.iter().any(|spot| *spot == Spot::Room(past.room) || knows_of(spot))
            && !to.iter().any(|spot| knows_of(spot) || was_in_past(spot))
            && to.iter().find(|spot| is_in_past(spot)) == Some(&Spot::Room(past.room))
    }

    /// Whether it is known to get a message that has replaced another.
    fn is_reached(&self, socket: usize, message: usize) -> bool {
        let Sent { emit, .. } = &self.sent[message];
        let reading = &self.readings[socket];
        let gets = |spot: &Spot| {
            let is_past = |it: &PastOf| {
                let is_known = matches!(it.state, State::InPass | State::Read);
                is_known && Spot::Room(it.room) == *spot && self.has(it, message)
            };
            self.knows_of(socket, *spot, message) || reading.pasts.iter().any(is_past)
        };
        emit.to.as_ref().is_none_or(|to| to.iter().any(gets))
            && !emit.except.iter().any(|spot| self.knows_of(socket, *spot, message))
    }

    /// The next message that the socket is handed, if there is one.
    fn next(&mut self, socket: usize) -> Option<usize> {
        let mut has_begun = false;
        loop {
            let Some(item) = self.readings[socket].pass.pop_front() else {
                self.finish(socket);
                if has_begun && self.readings[socket].pending.is_empty() {
                    return None;
                }
                has_begun = true;
                self.begin(socket);
                continue;
            };
            if self.is_handed(socket, item) {
                self.readings[socket].handed += 1;
                return Some(item.message);
            }
        }
    }

    fn begin(&mut self, socket: usize) {
        let (horizon, sent) = ((self.sent.len(), self.steps), &self.sent);
        let reading = &mut self.readings[socket];
        let mut items = std::mem::take(&mut reading.pending);
        items.sort_by_key(|item| sent[item.message].sequence);
        let pending = reading.pasts.iter_mut().filter(|it| it.state == State::Pending);
        pending.for_each(|it| it.state = State::InPass);
        (reading.pass, reading.horizon, reading.handed) = (items.into(), horizon, 0);
    }

    /// The pass is read to its end: what was over before it began is forgotten.
    fn finish(&mut self, socket: usize) {
        let reading = &mut self.readings[socket];
        let steps = reading.horizon.1;
        for (_, over) in reading.left.extract_if(.., |(step, _)| *step <= steps) {
            if let Some(place) = reading.memberships.iter().position(|it| *it == over) {
                reading.memberships.remove(place);
            }
        }
        // What was read of the past is known as long as the membership that came after it.
        let known: BTreeSet<usize> = reading.memberships.iter().map(|it| it.id).collect();
        for past in reading.pasts.iter_mut().filter(|it| it.state != State::Pending) {
            past.state = if known.contains(&past.id) { State::Read } else { State::Forgotten };
        }
    }

    fn is_handed(&mut self, socket: usize, Item { message, past }: Item) -> bool {
        let reading = &self.readings[socket];
        if past.is_some_and(|past| !self.is_kept_for(socket, &reading.pasts[past], message)) {
            return false;
        }
        let sent = &self.sent[message];
        let is_replaced = |next: usize| next < reading.horizon.0 && self.is_reached(socket, next);
        let why = if sent.expires.is_some_and(|expires| self.now >= expires) {
            1
        } else if sent.next.is_some_and(is_replaced) {
            2
        } else if sent.emit.slack.is_some_and(|slack| reading.handed > slack) {
            0
        } else {
            return true;
        };
        self.readings[socket].counts[why] += 1;
        false
    }
}

fn is_excluded(emit: &Emit, socket: usize) -> bool {
    emit.except.contains(&Spot::Socket(socket)) || emit.is_excepted && emit.from == Some(socket)
}

fn audience(emit: &Emit) -> Audience {
    let sender = emit.from.filter(|_| emit.is_excepted);
    let rooms = emit.except.iter().copied().filter(|spot| matches!(spot, Spot::Room(_))).collect();
    let sockets = emit.except.iter().filter_map(|spot| match *spot {
        Spot::Socket(socket) if Some(socket) != sender => Some(socket),
        _ => None,
    });
    (emit.event, emit.key.unwrap_or(0), emit.to.clone(), rooms, sockets.collect(), sender)
}

struct Rig {
    engine: Engine,
    namespace: Namespace,
    rooms: Vec<Room>,
    sockets: Vec<Socket>,
    inboxes: Vec<Inbox>,
    world: World,
}

impl Rig {
    fn new() -> Self {
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

    fn apply(&mut self, op: &Op) -> Check {
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

    fn finish(&mut self) -> Check {
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

fn spots(most: usize) -> impl Strategy<Value = Vec<Spot>> {
    let rooms = (0..ROOMS).map(Spot::Room);
    let all: Vec<Spot> = rooms.chain((0..SOCKETS).map(Spot::Socket)).collect();
    let weighted: Vec<Spot> = all.iter().copied().filter(|spot| matches!(spot, Spot::Room(_))).collect();
    prop_oneof![3 => subsequence(weighted, 0..=ROOMS).prop_shuffle(), 1 => subsequence(all, 0..=most).prop_shuffle()]
}

fn emit() -> impl Strategy<Value = Emit> {
    let from = prop_oneof![3 => Just(None), 2 => (0..SOCKETS).prop_map(Some)];
    let to = prop_oneof![1 => Just(None), 8 => spots(3).prop_map(Some)];
    let except = prop_oneof![4 => Just(Vec::new()), 1 => spots(2)];
    let terms =
        (option::weighted(0.6, 0..2_usize), option::weighted(0.2, 0..4_u64), option::weighted(0.2, 0..5_u32));
    (from, any::<bool>(), to, except, 0..2_usize, terms).prop_map(
        |(from, is_excepted, to, except, event, (key, lifetime, slack))| {
            // From within there is no way to address everyone.
            let is_excepted = is_excepted || to.is_none();
            Emit { from, is_excepted: is_excepted && from.is_some(), to, except, event, key, lifetime, slack }
        },
    )
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        2 => Just(Want::All),
        2 => (0..8_usize).prop_map(Want::Last),
        2 => (0..8_usize).prop_map(Want::Since),
        1 => Just(Want::Latest),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (sockets, rooms) = (0..SOCKETS, 0..ROOMS);
    let history = option::weighted(0.9, (1..12_usize, option::weighted(0.3, 0..4_u64)));
    let op = prop_oneof![
        3 => (sockets.clone(), rooms.clone()).prop_map(|(socket, room)| Op::Join(socket, room)),
        4 => (sockets.clone(), rooms.clone(), want()).prop_map(|(socket, room, want)| Op::JoinWith(socket, room, want)),
        4 => (sockets.clone(), rooms.clone()).prop_map(|(socket, room)| Op::Leave(socket, room)),
        24 => emit().prop_map(Op::Emit),
        2 => (0..3_u64).prop_map(Op::Tick),
        2 => (rooms.clone(), history).prop_map(|(room, history)| Op::History(room, history)),
        1 => (rooms, want()).prop_map(|(room, want)| Op::Ask(room, want)),
        3 => sockets.clone().prop_map(Op::Drain),
        3 => (sockets.clone(), 1..6_usize).prop_map(|(socket, count)| Op::Next(socket, count)),
        2 => (sockets, 1..6_usize).prop_map(|(socket, count)| Op::TryDrain(socket, count)),
    ];
    vec(op, 1..80)
}

fn check(ops: &[Op]) -> Check {
    let mut rig = Rig::new();
    for op in ops {
        rig.apply(op).map_err(|problem| format!("{problem}\n  in {op:?}"))?;
    }
    rig.finish()
}

#[test]
fn every_message_comes_on_its_terms_and_every_past_meets_the_present() {
    machine(400, ops(), |ops| check(&ops));
}
