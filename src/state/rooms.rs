//! A socket's rooms: joining and leaving.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::{Hooks, NamespaceCore, RoomRef, SocketCore, State};
use crate::config::Config;
use crate::error::{MembershipError, Refusal};
use crate::history::{Joined, Past};
use crate::name::{RoomName, RoomNameError};
use crate::sync::{Arc, Ordering};
use crate::topic::{Address, Pile, Topic, Trash};

/// Rooms with places that are claimed for a socket.
type Claimed = SmallVec<[Arc<Topic>; 1]>;

impl SocketCore {
    /// Joins those of these rooms that it is not in, and returns how many that were.
    pub(crate) fn join(this: &Arc<Self>, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        Self::admit(this, rooms)?;
        let joined = this.join_admitted(rooms);
        NamespaceCore::tell_rooms(&this.namespace);
        joined
    }

    /// Joins a room if it is not in it, with what that keeps of the past.
    pub(crate) fn join_with(
        this: &Arc<Self>,
        room: &RoomName,
        past: Past,
    ) -> Result<Joined, MembershipError> {
        let rooms = [RoomRef::Name(room)];
        Self::admit(this, &rooms)?;
        let joined = this.join_admitted_with(&rooms, past);
        NamespaceCore::tell_rooms(&this.namespace);
        joined
    }

    /// Leaves those of these rooms that it is in, and returns how many that were.
    pub(crate) fn leave(&self, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        self.check(rooms)?;
        let left = self.leave_checked(rooms);
        NamespaceCore::tell_rooms(&self.namespace);
        left
    }

    /// Leaves all rooms, and returns how many that were.
    pub(crate) fn leave_all(this: &Arc<Self>) -> Result<usize, MembershipError> {
        Self::set_rooms(this, &[]).map(|(_, left)| left)
    }

    /// Leaves all rooms but these, joins those of them that it is not in, and returns how many it joined
    /// and left.
    pub(crate) fn set_rooms(
        this: &Arc<Self>,
        rooms: &[RoomRef<'_>],
    ) -> Result<(usize, usize), MembershipError> {
        Self::admit(this, rooms)?;
        let changed = this.set_admitted(rooms);
        NamespaceCore::tell_rooms(&this.namespace);
        changed
    }

    /// Joins those of the first rooms that it is not in, then leaves those of the second that it is in. Both are of
    /// different rooms, each once.
    pub(crate) fn exchange(
        this: &Arc<Self>,
        join: &[RoomRef<'_>],
        leave: &[RoomRef<'_>],
    ) -> Result<(), MembershipError> {
        Self::admit(this, join)?;
        this.check(leave)?;
        let exchanged = this.exchange_admitted(join, leave);
        NamespaceCore::tell_rooms(&this.namespace);
        exchanged
    }

    /// The rooms that it is in, in joining order; until it has said good-bye those that it was in.
    pub(crate) fn rooms(&self) -> Vec<RoomName> {
        let state = self.state.lock();
        match state.leaving() {
            Some(rooms) => rooms.to_vec(),
            None => state.rooms.names().cloned().collect(),
        }
    }

    pub(crate) fn room_count(&self) -> usize {
        let state = self.state.lock();
        state.leaving().map_or(state.rooms.len(), <[_]>::len)
    }

    /// Whether it is a member of the room of this name.
    pub(crate) fn is_in_room(&self, name: &RoomName) -> bool {
        let topic = self.namespace.rooms.get(name);
        topic.is_some_and(|topic| self.is_in(&topic))
            || self.state.lock().leaving().is_some_and(|rooms| rooms.contains(name))
    }

    pub(crate) fn is_in(&self, topic: &Topic) -> bool {
        self.state.lock().rooms.since(Address::of(topic)).is_some()
    }

    /// Asks whether it may join those of these rooms that it is not in.
    #[inline]
    fn admit(this: &Arc<Self>, rooms: &[RoomRef<'_>]) -> Result<(), MembershipError> {
        this.check(rooms)?;
        match this.namespace.hooks.get() {
            Some(hooks) => Self::ask(this, &**hooks, rooms),
            None => Ok(()),
        }
    }

    /// Asks hooks, of which a namespace may have none.
    #[cold]
    fn ask(this: &Arc<Self>, hooks: &dyn Hooks, rooms: &[RoomRef<'_>]) -> Result<(), MembershipError> {
        this.state.lock().check_open()?; // nobody is asked for one that cannot join anyway
        let mut asked: SmallVec<[&RoomName; 4]> = SmallVec::new();
        for room in rooms {
            let (name, is_in) = match room {
                RoomRef::Name(name) => (*name, this.is_in_room(name)),
                RoomRef::Topic(topic) => (room.name(), this.is_in(topic)),
            };
            if !is_in && !asked.contains(&name) {
                asked.push(name);
                let refused = |refusal| MembershipError::Refused { room: name.clone(), refusal };
                hooks.admit(this, name).map_err(refused)?;
            }
        }
        Ok(())
    }

    fn join_admitted(&self, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        let before = state.rooms.len();
        self.check_number(&state, rooms, before, true, &mut trash)?;
        self.join_all(&mut state, rooms, &mut trash)?;
        Ok(state.rooms.len() - before)
    }

    fn exchange_admitted(&self, join: &[RoomRef<'_>], leave: &[RoomRef<'_>]) -> Result<(), MembershipError> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        let gone: SmallVec<[u64; 8]> = leave.iter().filter_map(|room| self.since(&state, *room)).collect();
        self.check_number(&state, join, state.rooms.len() - gone.len(), true, &mut trash)?;
        self.join_all(&mut state, join, &mut trash)?;
        for since in gone {
            self.leave_one(&mut state, since, &self.namespace.pile(), &mut trash);
        }
        Ok(())
    }

    fn join_admitted_with(&self, room: &[RoomRef<'_>; 1], past: Past) -> Result<Joined, MembershipError> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        self.check_number(&state, room, state.rooms.len(), true, &mut trash)?;
        let mut claimed = self.claim(&state, room, &mut trash)?;
        let mut entered = None;
        let sequence = self.enter_one(
            &mut state,
            room[0],
            Some(past),
            &mut claimed,
            &mut trash,
            |topic, is_claimed, trash| {
                let (order, pile) = (&self.namespace.order, self.namespace.pile());
                let (since, found) =
                    Topic::join_with(topic, order, &self.post, &pile, trash, (is_claimed, past))?;
                entered = Some(found);
                Some(since)
            },
        );
        give_back(claimed, &mut trash);
        Ok(Joined { is_new: entered.is_some(), sequence: sequence?, found: entered.unwrap_or_default() })
    }

    fn leave_checked(&self, rooms: &[RoomRef<'_>]) -> Result<usize, MembershipError> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        let before = state.rooms.len();
        for &room in rooms {
            if let Some(since) = self.since(&state, room) {
                self.leave_one(&mut state, since, &self.namespace.pile(), &mut trash);
            }
        }
        Ok(before - state.rooms.len())
    }

    fn set_admitted(&self, rooms: &[RoomRef<'_>]) -> Result<(usize, usize), MembershipError> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        self.check_number(&state, rooms, 0, false, &mut trash)?;
        let mut claimed = self.claim(&state, rooms, &mut trash)?;
        let before = state.rooms.len();
        let join = |&room| self.join_one(&mut state, room, &mut claimed, &mut trash);
        let kept: Result<HashSet<u64>, _> = rooms.iter().map(join).collect();
        give_back(claimed, &mut trash);
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => {
                self.undo(&mut state, before, &mut trash);
                return Err(error);
            }
        };
        let joined = state.rooms.len() - before;
        let gone: Vec<u64> =
            state.rooms.iter().map(|(since, _)| since).filter(|since| !kept.contains(since)).collect();
        for &since in &gone {
            self.leave_one(&mut state, since, &self.namespace.pile(), &mut trash);
        }
        Ok((joined, gone.len()))
    }

    /// Fails if it would be in too many rooms when it has joined these, beside as many others as it will be in
    /// `before`: those of these that it is in are among them if it `keeps` them. Or if too many would be made.
    #[inline]
    fn check_number(
        &self,
        state: &State,
        rooms: &[RoomRef<'_>],
        before: usize,
        keeps: bool,
        trash: &mut Trash,
    ) -> Result<(), MembershipError> {
        let Config { max_rooms_per_socket, max_rooms, .. } = self.namespace.engine.config;
        let fits = |number: usize, limit: usize| rooms.len() <= limit.saturating_sub(number);
        if fits(before, max_rooms_per_socket) && fits(self.namespace.rooms.len(), max_rooms) {
            return Ok(()); // nearly always: without counting which are new
        }
        self.count_new(state, rooms, (before, keeps), trash)
    }

    /// The same, room by room.
    #[cold]
    fn count_new(
        &self,
        state: &State,
        rooms: &[RoomRef<'_>],
        (before, keeps): (usize, bool),
        trash: &mut Trash,
    ) -> Result<(), MembershipError> {
        let index = &self.namespace.rooms;
        let Config { max_rooms_per_socket, max_rooms, .. } = self.namespace.engine.config;
        let mut names = HashSet::new();
        let (mut after, mut made) = (before, 0);
        for room in rooms.iter().filter(|room| names.insert(room.name())) {
            let topic = match room {
                RoomRef::Name(name) => index.get(name),
                RoomRef::Topic(topic) => Some(Arc::clone(topic)),
            };
            let is_in = topic.as_ref().is_some_and(|topic| state.rooms.since(Address::of(topic)).is_some());
            after += usize::from(!(keeps && is_in));
            made += usize::from(topic.is_none());
            trash.topics.extend(topic);
        }
        if after > max_rooms_per_socket {
            return Err(MembershipError::TooManyRooms { limit: max_rooms_per_socket });
        }
        if made > 0 && made > max_rooms.saturating_sub(index.len()) {
            return Err(RoomNameError::TooManyRooms { limit: max_rooms }.into());
        }
        Ok(())
    }

    /// Claims a place in each of these rooms that has a capacity and that it is not in, or in none of them.
    #[inline]
    fn claim(
        &self,
        state: &State,
        rooms: &[RoomRef<'_>],
        trash: &mut Trash,
    ) -> Result<Claimed, MembershipError> {
        if self.namespace.has_capacities.load(Ordering::Acquire) {
            self.claim_each(state, rooms, trash)
        } else {
            Ok(Claimed::new())
        }
    }

    /// The same, where some rooms have a capacity.
    #[cold]
    fn claim_each(
        &self,
        state: &State,
        rooms: &[RoomRef<'_>],
        trash: &mut Trash,
    ) -> Result<Claimed, MembershipError> {
        let mut claimed = Claimed::new();
        for room in rooms {
            let found = match room {
                RoomRef::Name(name) => self.namespace.rooms.get(name),
                RoomRef::Topic(topic) => Some(Arc::clone(topic)),
            };
            let Some(topic) = found else { continue };
            let is_new = state.rooms.since(Address::of(&topic)).is_none() && !is_among(&claimed, &topic);
            if is_new && !topic.claim() {
                let full = full(&topic);
                trash.topics.push(topic);
                give_back(claimed, trash);
                return Err(full);
            }
            if is_new {
                claimed.push(topic);
            } else {
                trash.topics.push(topic);
            }
        }
        Ok(claimed)
    }

    /// Joins those of these rooms that it is not in, or none of them.
    #[inline]
    fn join_all(
        &self,
        state: &mut State,
        rooms: &[RoomRef<'_>],
        trash: &mut Trash,
    ) -> Result<(), MembershipError> {
        let mut claimed = self.claim(state, rooms, trash)?;
        let before = state.rooms.len();
        let mut join = |&room| self.join_one(state, room, &mut claimed, trash).map(drop);
        let joined = rooms.iter().try_for_each(&mut join);
        give_back(claimed, trash);
        if joined.is_err() {
            self.undo(state, before, trash);
        }
        joined
    }

    /// Joins a room if it is not in it, and returns since when it is.
    fn join_one(
        &self,
        state: &mut State,
        room: RoomRef<'_>,
        claimed: &mut Claimed,
        trash: &mut Trash,
    ) -> Result<u64, MembershipError> {
        let NamespaceCore { order, .. } = &*self.namespace;
        self.enter_one(state, room, None, claimed, trash, |topic, is_claimed, trash| {
            Topic::join_if_free(topic, order, &self.post, &self.namespace.pile(), trash, is_claimed)
        })
    }

    /// The same, where `enter` makes it a member of a room that it is not in, if there is a place.
    ///
    /// Fails if it is full: one that had no capacity, or was not there, when places were claimed. Or if others
    /// have made the last room that there may be since that was checked.
    #[inline(always)]
    fn enter_one(
        &self,
        state: &mut State,
        room: RoomRef<'_>,
        past: Option<Past>,
        claimed: &mut Claimed,
        trash: &mut Trash,
        enter: impl FnOnce(&Arc<Topic>, bool, &mut Trash) -> Option<u64>,
    ) -> Result<u64, MembershipError> {
        let rooms = &mut state.rooms;
        let join = |topic: &Arc<Topic>| {
            if let Some(since) = rooms.since(Address::of(topic)) {
                return Ok(since);
            }
            let place = claimed.iter().position(|other| Arc::ptr_eq(other, topic));
            let since = enter(topic, place.is_some(), trash).ok_or_else(|| full(topic))?;
            if let Some(place) = place {
                trash.topics.push(claimed.swap_remove(place));
            }
            rooms.push(since, Arc::clone(topic));
            self.namespace.engine.tape.joined(self.id(), topic.id(), since, past);
            Ok(since)
        };
        match room {
            RoomRef::Topic(topic) => join(topic),
            RoomRef::Name(name) => self.namespace.pin_room(name, join)?,
        }
    }

    /// Since when it is in a room, if it is.
    #[inline]
    fn since(&self, state: &State, room: RoomRef<'_>) -> Option<u64> {
        let address = match room {
            RoomRef::Topic(topic) => Address::of(topic),
            RoomRef::Name(name) => self.namespace.rooms.address(name)?,
        };
        state.rooms.since(address)
    }

    /// Leaves the rooms that it has joined since it was in this many.
    fn undo(&self, state: &mut State, before: usize, trash: &mut Trash) {
        let joined: Vec<u64> = state.rooms.iter().map(|(since, _)| since).skip(before).collect();
        for since in joined {
            self.leave_one(state, since, &self.namespace.pile(), trash);
        }
    }

    pub(super) fn leave_one(&self, state: &mut State, since: u64, pile: &Pile, trash: &mut Trash) {
        let Some(topic) = state.rooms.remove(since) else { return };
        // First: who is present is a member.
        if let Some(roster) = topic.roster() {
            roster.remove(self.id()).into_iter().for_each(|entry| trash.absent(entry));
        }
        let NamespaceCore { order, rooms, engine, .. } = &*self.namespace;
        let is_empty = topic.leave(order, &self.post, since, pile, trash);
        // With its disconnect it leaves all.
        if state.closing.is_none() {
            engine.tape.left(self.id(), topic.id());
        }
        let gone = if is_empty { rooms.remove_idle(&topic) } else { None };
        if let Some(gone) = gone {
            engine.tape.room_gone(gone.id());
            trash.topics.push(gone);
        }
        trash.topics.push(topic);
    }

    fn check(&self, rooms: &[RoomRef<'_>]) -> Result<(), RoomNameError> {
        rooms.iter().try_for_each(|room| match room {
            RoomRef::Name(name) => self.namespace.check(name),
            RoomRef::Topic(_) => Ok(()),
        })
    }
}

fn full(topic: &Topic) -> MembershipError {
    let room = topic.name().expect("only named rooms have capacities").clone();
    MembershipError::Refused { room, refusal: Refusal::Full }
}

fn is_among(claimed: &Claimed, topic: &Arc<Topic>) -> bool {
    claimed.iter().any(|other| Arc::ptr_eq(other, topic))
}

/// Gives places back that were not taken: those of rooms that have gone and come again meanwhile.
fn give_back(claimed: Claimed, trash: &mut Trash) {
    if claimed.is_empty() {
        return;
    }
    claimed.iter().for_each(|topic| topic.unclaim());
    trash.topics.extend(claimed);
}
