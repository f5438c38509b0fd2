//! How a client comes into rooms and out of them, and what it may be sent from then on.

use roomcast::{MembershipError, Past, RoomName, Socket};

use crate::client::Client;
use crate::intake::Strict;
use crate::random::Random;
use crate::tally::Tally;
use crate::walk::{self, Walk};
use crate::world::{Audience, MUTED, Numbers, PUBLISHERS, World, has_history, is_strict};

/// In how many rooms a client is at most.
const ROOMS: usize = 6;
/// And one that is wide: so many that its idle rooms are not looked at.
const MANY_ROOMS: usize = 40;

/// A message that a room keeps.
pub(crate) struct Kept {
    pub(crate) audience: Audience,
    pub(crate) publisher: usize,
    pub(crate) number: u32,
    pub(crate) sequence: u64,
    /// Whether this client does not get it of the past.
    pub(crate) is_left_out: bool,
}

/// What is to become of a client's rooms.
struct Change {
    old: Vec<u32>,
    rooms: Vec<u32>,
    is_muted: bool,
}

impl Client {
    /// Joins, leaves, moves, or changes whether it is muted. Does nothing if it would come back to what it has left
    /// and has yet to read.
    pub(crate) fn change(&mut self, world: &World, random: &mut Random, tally: &mut Tally) {
        if random.one_in(4) {
            let reads = !self.is_stalled && self.is_inbox();
            self.lobby.change(world, &self.socket, reads, random);
            tally.said += 1;
        }
        let old: Vec<u32> = self.checker.rooms().collect();
        let is_muted = self.is_muted;
        match self.walk.take() {
            Some(walk) if random.one_in(8) => {
                self.walk = Some(walk);
                let change = Change { rooms: old.clone(), old, is_muted: !is_muted };
                self.exchange(world, tally, change, |socket| match is_muted {
                    true => socket.leave(MUTED),
                    false => socket.join(MUTED),
                });
            }
            Some(mut walk) => {
                self.walk(world, &mut walk, old, random, tally);
                self.walk = Some(walk);
            }
            None => self.choose(world, old, random, tally),
        }
    }

    fn walk(
        &mut self,
        world: &World,
        walk: &mut Walk,
        old: Vec<u32>,
        random: &mut Random,
        tally: &mut Tally,
    ) {
        let plan = walk.plan(random);
        let left: Vec<u32> = plan.left().iter().copied().map(walk::room).collect();
        let mut rooms = old.clone();
        rooms.retain(|room| !left.contains(room));
        rooms.extend(plan.entered().iter().copied().map(walk::room));
        let change = Change { old, rooms, is_muted: self.is_muted };
        let has_moved = self.exchange(world, tally, change, |socket| {
            plan.apply(socket).map(|moved| moved.entered().len() + moved.left().len())
        });
        tally.moves += u64::from(has_moved);
        if has_moved {
            walk.has_done();
        }
        if let (Some(cell), true) = (walk.missing(), self.is_connected()) {
            self.checker.violated("not in a cell that is near", &(cell, &walk.interest));
        }
        let cells: Vec<u32> = walk.interest.cells().map(walk::room).collect();
        let mut rooms: Vec<u32> = self.checker.rooms().collect();
        rooms.sort_unstable_by_key(|room| walk::cell(*room));
        assert_eq!(cells, rooms, "the cells of {:?}", walk.interest);
    }

    fn choose(&mut self, world: &World, old: Vec<u32>, random: &mut Random, tally: &mut Tally) {
        let mut rooms = old.clone();
        let new_room = random.below(world.settings.rooms);
        let most_rooms = if self.is_wide() { MANY_ROOMS } else { ROOMS };
        match random.below(8) {
            0 if !self.is_muted && !self.is_wide() => rooms.clear(),
            0 | 1 => {}
            2 if !rooms.is_empty() => _ = rooms.swap_remove(random.below(rooms.len() as u32) as usize),
            3 | 4 if !rooms.is_empty() && !rooms.contains(&new_room) => {
                let place = random.below(rooms.len() as u32) as usize;
                rooms[place] = new_room;
            }
            _ if rooms.len() < most_rooms && !rooms.contains(&new_room) => rooms.push(new_room),
            _ => return,
        }
        let is_muted = self.is_muted != (rooms == old);
        let joined: Vec<_> = rooms.iter().copied().filter(|room| !old.contains(room)).collect();
        let left: Vec<_> = old.iter().copied().filter(|room| !rooms.contains(room)).collect();
        if let ([room], [], true) = (&joined[..], &left[..], self.can_look_back(world, &joined)) {
            if has_history(*room) && !random.one_in(4) {
                self.join_with(world, *room, Change { old, rooms, is_muted }, random, tally);
                return;
            }
        }
        let name = |room: &u32| world.names[*room as usize].clone();
        let lobby = world.lobbies[self.lobby.number].room().name();
        let names: Vec<RoomName> = rooms
            .iter()
            .map(name)
            .chain(is_muted.then(|| MUTED.into()))
            .chain(self.lobby.is_in.then(|| lobby.clone()))
            .collect();
        let is_in_lobby = usize::from(self.lobby.is_in);
        let leaves_all = rooms.is_empty() && !left.is_empty();
        let change = |socket: &Socket| match (&joined[..], &left[..]) {
            ([], []) if is_muted => socket.join(MUTED),
            ([], []) => socket.leave(MUTED),
            ([room], []) => socket.join(name(room)),
            ([], [room]) if !leaves_all => socket.leave(name(room)),
            _ if leaves_all && !is_muted => socket.leave_all().map(|left| left - is_in_lobby),
            _ => socket.set_rooms(names).map(|(joined, left)| joined + left),
        };
        let has_changed = self.exchange(world, tally, Change { old, rooms, is_muted }, change);
        if has_changed && leaves_all && !is_muted {
            self.lobby.left();
        }
    }

    /// Changes rooms by `f`, which returns how many, and has the checker know. Returns whether anything was done.
    fn exchange(
        &mut self,
        world: &World,
        tally: &mut Tally,
        change: Change,
        f: impl FnOnce(&Socket) -> Result<usize, MembershipError>,
    ) -> bool {
        let Change { old, rooms, is_muted } = change;
        let (before, after) = (audiences(world, &old, self.is_muted), audiences(world, &rooms, is_muted));
        let without = |these: &[Audience], those: &[Audience]| {
            these.iter().copied().filter(|audience| !those.contains(audience)).collect::<Vec<_>>()
        };
        let (begin, end) = (without(&after, &before), without(&before, &after));
        let joined: Vec<_> = rooms.iter().copied().filter(|room| !old.contains(room)).collect();
        let left: Vec<_> = old.iter().copied().filter(|room| !rooms.contains(room)).collect();
        if begin.iter().any(|audience| self.checker.is_ending(*audience))
            || joined.iter().any(|room| self.checker.has_left(*room))
        {
            return false;
        }
        let done: Vec<_> = begin.iter().chain(&end).map(|audience| world.done(*audience)).collect();
        let strict = joined.iter().filter(|room| is_strict(**room));
        let strict =
            strict.map(|&room| Strict { room, read: vec![(0, world.appends_done(room))], left: None });
        let strict: Vec<_> = strict.collect();
        match f(&self.socket) {
            Ok(count) => {
                let expected = joined.len() + left.len() + usize::from(self.is_muted != is_muted);
                assert_eq!(count, expected, "rooms joined and left");
            }
            Err(MembershipError::Closed(_)) => return false, // as it was behind
            Err(error) => panic!("{error}"),
        }
        let since = world.now();
        let begun: Vec<_> = begin.iter().chain(&end).map(|audience| world.begun(*audience)).collect();
        let bounds = || done.iter().copied().zip(begun.iter().copied());
        for (audience, (done, begun)) in begin.iter().zip(bounds()) {
            self.checker.begin(*audience, done, begun);
        }
        for (audience, (done, begun)) in end.iter().zip(bounds().skip(begin.len())) {
            self.checker.end(*audience, done, begun);
        }
        joined.iter().for_each(|room| self.checker.joined(*room, since));
        left.iter().for_each(|room| self.checker.left(*room));
        for old in self.strict.iter_mut().filter(|strict| left.contains(&strict.room)) {
            old.left = Some(since);
        }
        self.strict.extend(strict);
        self.has_unmuted |= self.is_muted && !is_muted;
        self.is_muted = is_muted;
        tally.joins += joined.len() as u64;
        tally.leaves += left.len() as u64;
        tally.mutes += u64::from(joined.is_empty() && left.is_empty());
        true
    }

    /// Whether all that a room keeps is for who joins it: a message that was for the client before, or was kept from it,
    /// would be no part of the past. And whether rooms may be asked what they keep: that is no input, and can have a
    /// replay count a gap differently.
    fn can_look_back(&self, world: &World, joined: &[u32]) -> bool {
        let is_new = |room: &u32| {
            let own: Vec<u32> = self.checker.rooms().collect();
            let has = audiences(world, &own, self.is_muted);
            audiences(world, &[*room], true).iter().all(|audience| !has.contains(audience))
        };
        !world.settings.is_recorded && !self.is_muted && !self.has_unmuted && joined.iter().all(is_new)
    }

    /// Joins a room with what it keeps: the stream of each audience begins where the past does, and goes on into the
    /// present.
    ///
    /// What a room keeps are its last messages. So the past begins, for each audience and publisher, no earlier than
    /// with what the room kept before, and no later than with what it keeps after.
    fn join_with(
        &mut self,
        world: &World,
        room: u32,
        change: Change,
        random: &mut Random,
        tally: &mut Tally,
    ) {
        let past = match (random.below(3), world.kept(room, Past::all(), &self.socket).first()) {
            (0, _) => Past::last(random.below(30) as usize),
            (1, Some(kept)) => Past::since(kept.sequence + u64::from(random.below(100))),
            _ => Past::all(),
        };
        // Before it is asked: what comes between is in the past, and not in the answer.
        let done =
            audiences(world, &[room], false).into_iter().map(|audience| (audience, world.done(audience)));
        let done: Vec<_> = done.collect();
        let before = world.kept(room, past, &self.socket);
        let is_joined = self.exchange(world, tally, change, |socket| {
            socket.join_with(&world.names[room as usize], past).map(|joined| usize::from(joined.is_new()))
        });
        if is_joined {
            let after = world.kept(room, past, &self.socket);
            self.checker.look_back(&done, &before, &after);
            tally.pasts += 1;
        }
    }
}

/// The first number of each publisher.
pub(crate) fn firsts(kept: &[Kept], audience: Audience, otherwise: Numbers) -> Numbers {
    let first = |publisher: usize| {
        kept.iter()
            .find(|kept| (kept.audience, kept.publisher) == (audience, publisher))
            .map(|kept| kept.number)
    };
    let mut firsts = otherwise;
    (0..PUBLISHERS)
        .for_each(|publisher| firsts[publisher] = first(publisher).unwrap_or(otherwise[publisher]));
    firsts
}

/// All that a client in these rooms is sent, but what is for it alone and for everyone.
fn audiences(world: &World, rooms: &[u32], is_muted: bool) -> Vec<Audience> {
    let mut audiences = Vec::with_capacity(rooms.len() * 7 + 1);
    for &room in rooms {
        let all = [Audience::Room, Audience::Volatile, Audience::State, Audience::Guest];
        audiences.extend(all.map(|audience| audience(room)));
        for pair in world.pairs_of(room).map(Audience::Pair) {
            if !audiences.contains(&pair) {
                audiences.push(pair);
            }
        }
        if !is_muted {
            audiences.push(Audience::Unmuted(room));
        }
    }
    if !is_muted {
        audiences.push(Audience::EveryoneUnmuted);
    }
    audiences
}
