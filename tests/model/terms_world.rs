//! What messages ask for beyond their recipients, and what rooms keep, as plain lists: keys, lifetimes, distances,
//! histories.
//!
//! Works out at each delivery what is next, from who was in which room when a message was emitted, and from where
//! the passes of a reader begin.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) const ROOMS: usize = 3;
pub(crate) const SOCKETS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    Room(usize),
    Socket(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Emit {
    pub(crate) from: Option<usize>,
    pub(crate) is_excepted: bool,
    /// Everyone, if there are none.
    pub(crate) to: Option<Vec<Spot>>,
    pub(crate) except: Vec<Spot>,
    pub(crate) event: usize,
    pub(crate) key: Option<usize>,
    pub(crate) lifetime: Option<u64>,
    pub(crate) slack: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
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
pub(crate) enum Want {
    All,
    Last(usize),
    /// After a message so many before the last.
    Since(usize),
    Latest,
}

/// A message that was emitted.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) emit: Emit,
    /// Who was in which room.
    pub(crate) members: Vec<BTreeSet<usize>>,
    pub(crate) sequence: u64,
    pub(crate) expires: Option<u64>,
    /// The one that has replaced it.
    pub(crate) next: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The step at which it began.
    pub(crate) id: usize,
    pub(crate) room: usize,
    /// In numbers of messages.
    pub(crate) since: usize,
    pub(crate) until: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PastOf {
    /// The membership that came after it.
    pub(crate) id: usize,
    pub(crate) state: State,
    pub(crate) room: usize,
    pub(crate) from: usize,
    pub(crate) until: usize,
    pub(crate) is_keyed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    InPass,
    Read,
    /// The membership that came after it is forgotten.
    Forgotten,
}

/// A message that a socket comes by, in the room of a past or as a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) message: usize,
    pub(crate) past: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) memberships: Vec<Membership>,
    pub(crate) pasts: Vec<PastOf>,
    pub(crate) pending: Vec<Item>,
    pub(crate) pass: VecDeque<Item>,
    /// How many messages and changes there were when the pass began.
    pub(crate) horizon: (usize, usize),
    pub(crate) handed: u32,
    pub(crate) counts: [u64; 3],
    /// Memberships that are over, by when.
    pub(crate) left: Vec<(usize, Membership)>,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) limit: usize,
    pub(crate) age: Option<u64>,
    /// With their times.
    pub(crate) messages: VecDeque<(usize, u64)>,
    pub(crate) has_lost: bool,
    /// Up to here nothing is kept, in sequences.
    pub(crate) gone: u64,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) sent: Vec<Sent>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) kept: Vec<Option<Kept>>,
    pub(crate) newest: BTreeMap<Audience, usize>,
    pub(crate) now: u64,
    pub(crate) steps: usize,
    /// The sequence of the last message that each room took in.
    pub(crate) last: [u64; ROOMS],
}

/// What two messages have in common of which one replaces the other.
pub(crate) type Audience = (usize, usize, Option<Vec<Spot>>, Vec<Spot>, BTreeSet<usize>, Option<usize>);

pub(crate) const FOREVER: usize = usize::MAX;

impl World {
    pub(crate) fn is_in(&self, socket: usize, room: usize) -> bool {
        self.readings[socket].memberships.iter().any(|it| it.room == room && it.until == FOREVER)
    }

    pub(crate) fn join(&mut self, socket: usize, room: usize) -> bool {
        let is_new = !self.is_in(socket, room);
        if is_new {
            let since = self.sent.len();
            self.steps += 1;
            let it = Membership { id: self.steps, room, since, until: FOREVER };
            self.readings[socket].memberships.push(it);
        }
        is_new
    }

    pub(crate) fn leave(&mut self, socket: usize, room: usize) {
        let (until, reading) = (self.sent.len(), &mut self.readings[socket]);
        self.steps += 1;
        if let Some(it) = reading.memberships.iter_mut().find(|it| it.room == room && it.until == FOREVER) {
            it.until = until;
            let it = *it;
            reading.left.push((self.steps, it));
        }
    }

    pub(crate) fn members(&self, room: usize) -> BTreeSet<usize> {
        (0..SOCKETS).filter(|&socket| self.is_in(socket, room)).collect()
    }

    pub(crate) fn takes_in(&self, spot: Spot) -> bool {
        match spot {
            Spot::Room(room) => self.kept[room].is_some() || !self.members(room).is_empty(),
            Spot::Socket(_) => true,
        }
    }

    pub(crate) fn publish(&mut self, emit: &Emit, sequence: u64) {
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
    pub(crate) fn gets(&self, socket: usize, message: usize) -> bool {
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
    pub(crate) fn knows_of(&self, socket: usize, spot: Spot, message: usize) -> bool {
        match spot {
            Spot::Room(room) => self.readings[socket]
                .memberships
                .iter()
                .any(|it| it.room == room && it.since <= message && message < it.until),
            Spot::Socket(it) => it == socket,
        }
    }

    pub(crate) fn sweep(&mut self, room: usize) {
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
    pub(crate) fn find(&mut self, room: usize, want: Want) -> (Vec<usize>, bool) {
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

    pub(crate) fn since(&self, want: Want) -> u64 {
        let Want::Since(back) = want else { return 0 };
        let place = self.sent.len().checked_sub(back + 1);
        place.map_or(0, |place| self.sent[place].sequence)
    }

    pub(crate) fn join_with(&mut self, socket: usize, room: usize, want: Want) -> (bool, usize, bool) {
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
    pub(crate) fn has(&self, past: &PastOf, message: usize) -> bool {
        let Sent { emit, .. } = &self.sent[message];
        let is_there = emit.to.as_ref().is_some_and(|to| to.contains(&Spot::Room(past.room)));
        (past.from..past.until).contains(&message) && is_there && (emit.key.is_some() || !past.is_keyed)
    }

    pub(crate) fn is_kept_for(&self, socket: usize, past: &PastOf, message: usize) -> bool {
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
    pub(crate) fn is_reached(&self, socket: usize, message: usize) -> bool {
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
    pub(crate) fn next(&mut self, socket: usize) -> Option<usize> {
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

    pub(crate) fn begin(&mut self, socket: usize) {
        let (horizon, sent) = ((self.sent.len(), self.steps), &self.sent);
        let reading = &mut self.readings[socket];
        let mut items = std::mem::take(&mut reading.pending);
        items.sort_by_key(|item| sent[item.message].sequence);
        let pending = reading.pasts.iter_mut().filter(|it| it.state == State::Pending);
        pending.for_each(|it| it.state = State::InPass);
        (reading.pass, reading.horizon, reading.handed) = (items.into(), horizon, 0);
    }

    /// The pass is read to its end: what was over before it began is forgotten.
    pub(crate) fn finish(&mut self, socket: usize) {
        let reading = &mut self.readings[socket];
        let steps = reading.horizon.1;
        let (over, left) = reading.left.iter().copied().partition(|(step, _)| *step <= steps);
        reading.left = left;
        let over: Vec<(usize, Membership)> = over;
        reading.memberships.retain(|it| over.iter().all(|(_, over)| over != it));
        // What was read of the past is known as long as the membership that came after it.
        let known: BTreeSet<usize> = reading.memberships.iter().map(|it| it.id).collect();
        for past in reading.pasts.iter_mut().filter(|it| it.state != State::Pending) {
            past.state = if known.contains(&past.id) { State::Read } else { State::Forgotten };
        }
    }

    pub(crate) fn is_handed(&mut self, socket: usize, Item { message, past }: Item) -> bool {
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

pub(crate) fn is_excluded(emit: &Emit, socket: usize) -> bool {
    emit.except.contains(&Spot::Socket(socket)) || emit.is_excepted && emit.from == Some(socket)
}

pub(crate) fn audience(emit: &Emit) -> Audience {
    let sender = emit.from.filter(|_| emit.is_excepted);
    let rooms = emit.except.iter().copied().filter(|spot| matches!(spot, Spot::Room(_))).collect();
    let sockets = emit.except.iter().filter_map(|spot| match *spot {
        Spot::Socket(socket) if Some(socket) != sender => Some(socket),
        _ => None,
    });
    (emit.event, emit.key.unwrap_or(0), emit.to.clone(), rooms, sockets.collect(), sender)
}
