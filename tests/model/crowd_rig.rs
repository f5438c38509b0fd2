//! A namespace with those who are present, watch and walk about, and its reference, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use roomcast::{
    Cell, Delivery, DisconnectReason, Engine, ForgottenTick, Grid, Inbox, Interest, MembershipError,
    Namespace, PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, Presence, PresenceDiff, PresenceEntry,
    PresenceError, PresenceState, Refusal, Room, RoomName, Shared, Socket, SocketId,
};

use crate::crowd_world::{
    CELL, Entry, Item, KEYS, Near, Op, ROOMS, SOCKETS, Setup, Step, TICKS, Whom, World,
};
use crate::{Check, ensure};

const NAMES: [&str; ROOMS] = ["attic", "barn"];
const WORDS: [&str; KEYS] = ["ann", "bob"];
/// Of the grid: before the numbers of the cells.
const LAYER: i64 = 9;

pub(crate) struct Rig {
    engine: Engine,
    namespace: Namespace,
    presences: Vec<Presence>,
    seats: Vec<Seat>,
    /// Of all who ever were connected.
    ids: Vec<SocketId>,
    /// Those of cells with a capacity, which is forgotten with a room.
    cells: Vec<Room>,
    setup: Setup,
    messages: usize,
    world: World,
}

struct Seat {
    socket: Socket,
    inbox: Inbox,
    interest: Interest,
    /// The sequence of what was read last.
    last: u64,
    /// Who is in which room, as a client knows it from what it was told.
    states: BTreeMap<usize, PresenceState>,
}

/// What was handed out, its sequence, and what it changes for a client.
type Seen = (u64, Item, Option<Told>);

enum Told {
    State(Arc<PresenceState>),
    Diff(Arc<PresenceDiff>),
}

impl Rig {
    pub(crate) fn new(setup: Setup) -> Self {
        let engine =
            Engine::builder().remembered_ticks(TICKS).max_rooms_per_socket(setup.rooms_per_socket).build();
        let namespace = engine.of("/").expect("the path is good");
        let room = |name| Presence::new(&namespace.room(name).expect("the name is good"));
        let presences = NAMES.map(room).into();
        let seats: Vec<_> = (0..SOCKETS).map(|_| Seat::new(&namespace, setup)).collect();
        let ids = seats.iter().map(|seat| seat.socket.id()).collect();
        let world = World::new(setup);
        Self { engine, namespace, presences, seats, ids, cells: Vec::new(), setup, messages: 0, world }
    }

    /// Does it to both, and holds them against each other.
    pub(crate) fn apply(&mut self, op: &Op) -> Check {
        match *op {
            Op::Join(s, r) => {
                let limit = self.setup.rooms_per_socket;
                let joined = self.seats[s].socket.join(NAMES[r]);
                let expected = self.world.join(s, r).ok_or(MembershipError::TooManyRooms { limit });
                ensure!(joined == expected, "joined {joined:?}, expected {expected:?}");
            }
            Op::Leave(s, r) => {
                self.seats[s].socket.leave(NAMES[r]).map_err(|error| error.to_string())?;
                self.world.leave(s, r);
            }
            Op::LeaveAll(s) => self.leave_all(s)?,
            Op::Replace(s, is_read) => self.replace(s, is_read)?,
            Op::Track(s, r, key, meta) => {
                let tracked = self.presences[r].track(&self.seats[s].socket, WORDS[key], meta.to_string());
                let is_in = self.world.track(s, r, key, meta);
                let expected = if is_in { Ok(()) } else { Err(PresenceError::NotInRoom) };
                ensure!(tracked == expected, "tracked {tracked:?}");
            }
            Op::Update(s, r, meta) => {
                let updated = self.presences[r].update(&self.seats[s].socket, meta.to_string());
                let is_there = self.world.places[r].update(self.world.slots[s], meta);
                let expected = if is_there { Ok(()) } else { Err(PresenceError::NotPresent) };
                ensure!(updated == expected, "updated {updated:?}");
            }
            Op::Untrack(s, r) => {
                let untracked = self.presences[r].untrack(&self.seats[s].socket);
                let expected = self.world.places[r].untrack(self.world.slots[s]);
                ensure!(untracked == expected, "untracked {untracked}");
            }
            Op::Watch(s, r, is_count) => {
                let (presence, socket) = (&self.presences[r], &self.seats[s].socket);
                let watched = if is_count { presence.watch_count(socket) } else { presence.watch(socket) };
                watched.map_err(|error| error.to_string())?;
                self.world.watch(s, r, is_count);
            }
            Op::Unwatch(s, r) => {
                self.presences[r].unwatch(&self.seats[s].socket);
                self.world.places[r].unwatch(self.world.slots[s]);
            }
            Op::Flush(r) => {
                self.presences[r].flush();
                self.world.flush(r);
            }
            Op::Interest(s, step) => self.want(s, step)?,
            Op::Capacity(cell, capacity) => self.set_capacity(cell, capacity),
            Op::Emit(s, whom) => self.emit(s, whom)?,
            Op::Tick(by) => {
                self.world.tick(by);
                self.engine.tick(time(self.world.now()));
            }
            Op::Drain(s) => self.drain(s)?,
            Op::DrainBefore(s, ago) => self.drain_before(s, self.world.now().saturating_sub(ago))?,
            Op::Next(s, count) => self.next(s, count)?,
        }
        self.check_presences()?;
        (0..SOCKETS).try_for_each(|s| self.check_interest(s))
    }

    pub(crate) fn finish(&mut self) -> Check {
        self.apply(&Op::Tick(1))?;
        (0..SOCKETS).try_for_each(|s| self.drain(s))
    }

    /// Its interest is given up first, as that is to know of all that the cells' rooms see.
    fn leave_all(&mut self, s: usize) -> Check {
        self.want(s, Step::Clear)?;
        let left = self.seats[s].socket.leave_all();
        let rooms = self.world.person(s).rooms.clone();
        ensure!(left == Ok(rooms.len()), "left {left:?}");
        rooms.into_iter().for_each(|room| self.world.leave(s, room));
        Ok(())
    }

    fn replace(&mut self, s: usize, is_read: bool) -> Check {
        if is_read {
            self.seats[s].socket.disconnect("gone");
            self.drain(s)?;
            let closed = self.seats[s].inbox.closed();
            ensure!(closed == Some(&DisconnectReason::from("gone")), "closed: {closed:?}");
        }
        self.seats[s] = Seat::new(&self.namespace, self.setup);
        self.ids.push(self.seats[s].socket.id());
        self.world.replace(s);
        Ok(())
    }

    fn want(&mut self, s: usize, step: Step) -> Check {
        let before = self.world.person(s).wants.cells();
        let wants = self.world.wanted(s, step);
        let after = wants.cells();
        let Seat { socket, interest, .. } = &mut self.seats[s];
        let plan = match step {
            Step::Move(x, y) => interest.move_to(x.into(), y.into()),
            Step::Look(view, x, y) => interest.look(view, x.into(), y.into()),
            Step::LookAway(view) => Ok(interest.look_away(view)),
            Step::Pin(cell) => Ok(interest.pin(cell)),
            Step::Unpin(cell) => Ok(interest.unpin(cell)),
            Step::Clear => Ok(interest.clear()),
            Step::Waver(x, y) => {
                drop(interest.move_to(x.into(), y.into()));
                return Ok(());
            }
        };
        let plan = plan.map_err(|error| error.to_string())?;
        let planned = [plan.entered(), plan.left()].map(<[Cell]>::to_vec);
        let expected: [Vec<Cell>; 2] =
            [after.difference(&before), before.difference(&after)].map(|cells| cells.copied().collect());
        ensure!(planned == expected, "planned {planned:?}, expected {expected:?}");
        let applied = plan.apply(socket).map(|moved| [moved.entered(), moved.left()].map(<[Cell]>::to_vec));
        let limit = self.setup.rooms_per_socket;
        let expected = self.world.want(s, wants).map(|()| expected).map_err(|full| match full {
            None => MembershipError::TooManyRooms { limit },
            Some(cell) => MembershipError::Refused { room: name(cell), refusal: Refusal::Full },
        });
        ensure!(applied == expected, "moved {applied:?}, expected {expected:?}");
        Ok(())
    }

    fn set_capacity(&mut self, cell: Cell, capacity: Option<usize>) {
        let cell = self.setup.home(cell);
        let room = self.namespace.room(name(cell)).expect("the name is good");
        room.set_capacity(capacity);
        self.cells.push(room);
        match capacity {
            Some(capacity) => self.world.capacities.insert(cell, capacity),
            None => self.world.capacities.remove(&cell),
        };
    }

    fn emit(&mut self, s: usize, whom: Whom) -> Check {
        let Seat { socket, interest, .. } = &self.seats[s];
        let text = self.messages.to_string();
        let emitted = match whom {
            Whom::Everyone => self.namespace.emit("said", text),
            Whom::Room(r) => self.namespace.to(NAMES[r]).emit("said", text),
            Whom::Here => match interest.here() {
                Some(room) => room.emit_from(socket, "said", text),
                None => return Ok(()),
            },
            Whom::Cell(cell) => self.namespace.to(interest.grid().name(cell)).emit("said", text),
            Whom::Socket(s) => self.seats[s].socket.emit("said", text),
        };
        let sequence = emitted.map_err(|error| error.to_string())?.sequence();
        let has_any = self.world.emit_message(s, whom, self.messages);
        ensure!(sequence.is_some() == has_any, "a sequence: {sequence:?}");
        self.messages += 1;
        Ok(())
    }

    fn drain(&mut self, s: usize) -> Check {
        let mut seen = Vec::new();
        self.seats[s].inbox.drain(|delivery| seen.push(look(&self.ids, &delivery)));
        let expected = self.world.drain(s);
        self.compare(s, seen, expected)?;
        self.check_states(s)
    }

    fn drain_before(&mut self, s: usize, at: u64) -> Check {
        let mut seen = Vec::new();
        let drained =
            self.seats[s].inbox.drain_before(time(at), |delivery| seen.push(look(&self.ids, &delivery)));
        let expected = self.world.drain_before(s, at);
        let count = expected.as_ref().map(Vec::len).ok_or(ForgottenTick(time(at)));
        ensure!(drained == count, "before the tick {at}: {drained:?}, expected {count:?}");
        self.compare(s, seen, expected.unwrap_or_default())
    }

    fn next(&mut self, s: usize, count: usize) -> Check {
        for _ in 0..count {
            let seen = self.seats[s].inbox.try_next().map(|delivery| look(&self.ids, &delivery));
            let expected = self.world.next(s);
            let is_over = seen.is_none();
            self.compare(s, seen.into_iter().collect(), expected.into_iter().collect())?;
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn compare(&mut self, s: usize, seen: Vec<Result<Seen, String>>, expected: Vec<(usize, Item)>) -> Check {
        let mut expected = expected.into_iter();
        for seen in seen {
            let (sequence, item, told) = seen?;
            let Some((emit, wanted)) = expected.next() else {
                return Err(format!("{item:?} is not for {s}"));
            };
            ensure!(item == wanted, "{s} got {item:?} where {wanted:?} was expected");
            ensure!(sequence > self.seats[s].last, "{item:?} is out of order");
            self.seats[s].last = sequence;
            self.seats[s].take_in(&item, told)?;
            let (tick, wanted) = (self.namespace.tick_of(sequence), self.world.tick_of(emit).map(time));
            ensure!(tick == wanted, "{item:?} is of the tick {tick:?}, expected {wanted:?}");
        }
        let rest: Vec<_> = expected.collect();
        ensure!(rest.is_empty(), "{s} did not get {rest:?}");
        Ok(())
    }

    fn check_presences(&self) -> Check {
        for (presence, place) in self.presences.iter().zip(&self.world.places) {
            let expected: Vec<Entry> = place.here.values().copied().collect();
            let list = entries(&self.ids, &presence.list())?;
            ensure!(list == expected, "present are {list:?}, expected {expected:?}");
            for (who, id) in self.ids.iter().enumerate() {
                let of = presence.of(*id).map(|entry| entries(&self.ids, &[entry])).transpose()?;
                let expected = place.of(who).map(|entry| vec![*entry]);
                ensure!(of == expected, "of {who}: {of:?}, expected {expected:?}");
            }
            for (key, word) in WORDS.iter().enumerate() {
                let of_key = entries(&self.ids, &presence.get(word))?;
                ensure!(
                    of_key.iter().eq(expected.iter().filter(|entry| entry.key == key)),
                    "{word}: {of_key:?}"
                );
            }
            let (found, expected) = (
                (presence.count(), presence.watchers()),
                (place.keys(), (place.watchers.len(), place.counters.len())),
            );
            ensure!(found == expected, "keys and watchers: {found:?}, expected {expected:?}");
        }
        Ok(())
    }

    /// Whoever has read all, and applied each difference, knows who was there when it was told last.
    fn check_states(&self, s: usize) -> Check {
        for (room, place) in self.world.places.iter().enumerate() {
            let is_watcher = place.watchers.contains(&self.world.slots[s]);
            let Some(told) = place.told().filter(|_| is_watcher) else { continue };
            let state = self.seats[s].states.get(&room).map(|state| entries(&self.ids, state.entries()));
            ensure!(state == Some(Ok(told.clone())), "{s} knows of {state:?}, expected {told:?}");
        }
        Ok(())
    }

    fn check_interest(&self, s: usize) -> Check {
        let (Seat { socket, interest, .. }, person) = (&self.seats[s], self.world.person(s));
        let cells = person.wants.cells();
        ensure!(interest.cells().eq(cells.iter().copied()), "{interest:?}, expected {cells:?}");
        for cell in &cells {
            let (reasons, expected) = (interest.reasons(*cell), person.wants.reasons(*cell));
            ensure!(reasons == expected, "{reasons} reasons for {cell:?}, expected {expected}");
            let members = interest.room(*cell).map_or(0, Room::len);
            ensure!(members == self.world.in_cell(*cell).len(), "{members} members of {cell:?}");
        }
        let here = interest.here().map(Room::name).cloned();
        ensure!(here == person.wants.here.map(name), "it is in {here:?}");
        let rooms: BTreeSet<RoomName> = socket.rooms().into_iter().collect();
        let expected: BTreeSet<RoomName> =
            cells.into_iter().map(name).chain(person.rooms.iter().map(|room| NAMES[*room].into())).collect();
        ensure!(rooms == expected, "in the rooms {rooms:?}, expected {expected:?}");
        Ok(())
    }
}

impl Seat {
    fn new(namespace: &Namespace, setup: Setup) -> Self {
        let (socket, inbox) = namespace.connect();
        let grid = Grid::new(CELL).expect("a good size").layer(LAYER);
        let grid = match setup.near {
            Near::Circle(radius) => grid.radius(radius.into()),
            Near::Square(cells) => grid.cells_around(cells),
        };
        let grid = grid.and_then(|grid| grid.hysteresis(setup.hysteresis.into()));
        let grid = grid.and_then(|grid| setup.around.map_or(Ok(grid), |size| grid.wrapping(size, size)));
        let grid = grid.expect("in range");
        Self { socket, inbox, interest: Interest::new(grid), last: 0, states: BTreeMap::new() }
    }

    fn take_in(&mut self, item: &Item, told: Option<Told>) -> Check {
        match (item, told) {
            (Item::State { room, .. }, Some(Told::State(state))) => {
                self.states.insert(*room, PresenceState::clone(&state));
            }
            (Item::Diff { room, .. }, Some(Told::Diff(diff))) => {
                let is_next = self.states.get_mut(room).is_some_and(|state| state.apply(&diff));
                ensure!(is_next, "{item:?} does not follow what was told before");
            }
            _ => {}
        }
        Ok(())
    }
}

fn time(tick: u64) -> Duration {
    Duration::from_millis(tick)
}

fn name((x, y): Cell) -> RoomName {
    RoomName::from((LAYER, x, y))
}

/// What a delivery tells.
fn look(ids: &[SocketId], delivery: &Delivery<'_>) -> Result<Seen, String> {
    ensure!(delivery.gap().is_none(), "a gap: {delivery:?}");
    let of_room = |name: &RoomName| {
        let place = NAMES.iter().position(|room| name == &RoomName::from(*room));
        place.ok_or_else(|| format!("told of {name}"))
    };
    let mut told = None;
    let item = if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
        let (room, version) = (of_room(state.room())?, state.version());
        let entries = entries(ids, state.entries())?;
        told = Some(Told::State(state));
        Item::State { room, version, entries }
    } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
        ensure!(delivery.room() == Some(&diff.room), "by {:?}: {diff:?}", delivery.room());
        let [joins, leaves, updates] =
            [&diff.joins, &diff.leaves, &diff.updates].map(|list| entries(ids, list));
        let (joins, leaves, updates) = (joins?, leaves?, updates?);
        let (room, version) = (of_room(&diff.room)?, diff.version);
        told = Some(Told::Diff(diff));
        Item::Diff { room, version, joins, leaves, updates }
    } else if let Some(Ok(Shared(count))) = delivery.get_as(PRESENCE_COUNT) {
        Item::Count { room: of_room(&count.room)?, keys: count.keys }
    } else {
        let number = delivery.payload().as_str().and_then(|text| text.parse().ok());
        Item::Message(number.ok_or_else(|| format!("no message of this run: {delivery:?}"))?)
    };
    Ok((delivery.sequence(), item, told))
}

fn entries(ids: &[SocketId], list: &[PresenceEntry]) -> Result<Vec<Entry>, String> {
    let entry = |entry: &PresenceEntry| {
        let PresenceEntry { socket, number, key, meta, .. } = entry;
        let who = ids.iter().position(|id| id == socket)?;
        let key = WORDS.iter().position(|word| **word == **key)?;
        Some(Entry { number: *number, who, key, meta: meta.as_str()?.parse().ok()? })
    };
    list.iter().map(|one| entry(one).ok_or_else(|| format!("nobody tracked {one:?}"))).collect()
}
