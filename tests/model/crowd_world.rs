//! Who is present where, who watches that, who is interested in which cells, and what was emitted in which tick; as plain
//! lists and maps.
//!
//! Works out for each socket what it is sent, in order, as it happens: messages, who is there, differences, numbers. What
//! is told of a room is the difference of two maps, and whether a cell is wanted is asked of each cell by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roomcast::Cell;

/// In which sockets are present.
pub(crate) const ROOMS: usize = 2;
pub(crate) const SOCKETS: usize = 4;
pub(crate) const KEYS: usize = 2;
pub(crate) const VIEWS: u64 = 2;
/// How many ticks are remembered.
pub(crate) const TICKS: usize = 3;
pub(crate) const CELL: f64 = 16.0;
/// The smallest part of a cell that a grid tells apart.
const PART: f64 = CELL / 65536.0;
/// No cell that is near a place of a program is as far as this from the middle.
const EDGE: i64 = 12;

/// What a program runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) near: Near,
    pub(crate) hysteresis: u32,
    pub(crate) rooms_per_socket: usize,
    /// How many columns and rows there are, if the world goes round.
    pub(crate) around: Option<u32>,
}

/// Which cells are near a place: within a circle, or by columns and rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Near {
    Circle(u32),
    Square(u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Join(usize, usize),
    Leave(usize, usize),
    LeaveAll(usize),
    /// Disconnected, with all read before; or gone with all that it has to read.
    Replace(usize, bool),
    /// Socket, room, key, what is said of it.
    Track(usize, usize, usize, u8),
    Update(usize, usize, u8),
    Untrack(usize, usize),
    /// The last says whether it watches the number alone.
    Watch(usize, usize, bool),
    Unwatch(usize, usize),
    Flush(usize),
    Interest(usize, Step),
    /// How many may be in a cell.
    Capacity(Cell, Option<usize>),
    Emit(usize, Whom),
    Tick(u64),
    Drain(usize),
    /// So many ticks ago, at most.
    DrainBefore(usize, u64),
    Next(usize, usize),
}

/// What a socket is interested in from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Move(i32, i32),
    Look(u64, i32, i32),
    LookAway(u64),
    Pin(Cell),
    Unpin(Cell),
    Clear,
    /// A plan that is dropped.
    Waver(i32, i32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom {
    Everyone,
    Room(usize),
    /// The cell of the emitter's own place, without itself.
    Here,
    Cell(Cell),
    Socket(usize),
}

/// A socket that is present. All are known by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    /// The place in `World::people`.
    pub(crate) who: usize,
    pub(crate) key: usize,
    pub(crate) meta: u8,
}

/// What a socket is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message(usize),
    State { room: usize, version: u64, entries: Vec<Entry> },
    Diff { room: usize, version: u64, joins: Vec<Entry>, leaves: Vec<Entry>, updates: Vec<Entry> },
    Count { room: usize, keys: usize },
}

/// One that is connected, or was.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) rooms: BTreeSet<usize>,
    pub(crate) wants: Wants,
    /// What it has yet to read, with the numbers of the emits.
    queue: VecDeque<(usize, Item)>,
    /// What is below has begun to be read.
    horizon: usize,
}

/// Why a socket wants which cells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    views: BTreeMap<Option<u64>, BTreeSet<Cell>>,
    pins: BTreeMap<Cell, u64>,
    /// The cell of its own place.
    pub(crate) here: Option<Cell>,
}

/// A room.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// By number.
    pub(crate) here: BTreeMap<u64, Entry>,
    next: u64,
    version: u64,
    /// Who was there when it was told last, and how many keys: while anybody watches.
    told: Option<(BTreeMap<u64, Entry>, usize)>,
    pub(crate) watchers: BTreeSet<usize>,
    pub(crate) counters: BTreeSet<usize>,
}

pub(crate) struct World {
    setup: Setup,
    pub(crate) people: Vec<Person>,
    /// Who is in each slot.
    pub(crate) slots: Vec<usize>,
    pub(crate) places: Vec<Place>,
    pub(crate) capacities: BTreeMap<Cell, usize>,
    /// How many emits there were.
    emits: usize,
    /// All ticks, and how many emits there were before each.
    ticks: Vec<(u64, usize)>,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let people = (0..SOCKETS).map(|_| Person::default()).collect();
        let places = (0..ROOMS).map(|_| Place::default()).collect();
        let (slots, capacities, ticks) = ((0..SOCKETS).collect(), BTreeMap::new(), vec![(0, 0)]);
        Self { setup, people, slots, places, capacities, emits: 0, ticks }
    }

    pub(crate) fn person(&self, socket: usize) -> &Person {
        &self.people[self.slots[socket]]
    }

    /// Returns how many rooms were joined, unless those would be too many.
    pub(crate) fn join(&mut self, socket: usize, room: usize) -> Option<usize> {
        let is_new = !self.person(socket).rooms.contains(&room);
        let is_full = self.person(socket).room_count() >= self.setup.rooms_per_socket;
        if is_new && is_full {
            return None;
        }
        self.people[self.slots[socket]].rooms.insert(room);
        Some(is_new.into())
    }

    pub(crate) fn leave(&mut self, socket: usize, room: usize) {
        let who = self.slots[socket];
        self.people[who].rooms.remove(&room);
        self.places[room].untrack(who);
    }

    /// Somebody else takes the place of one who is gone.
    pub(crate) fn replace(&mut self, socket: usize) {
        let who = self.slots[socket];
        self.people[who] = Person::default();
        for place in &mut self.places {
            place.untrack(who);
            place.unwatch(who);
        }
        self.slots[socket] = self.people.len();
        // Only what is emitted from now on is for it.
        self.people.push(Person { horizon: self.emits, ..Person::default() });
    }

    pub(crate) fn track(&mut self, socket: usize, room: usize, key: usize, meta: u8) -> bool {
        let who = self.slots[socket];
        let is_in = self.people[who].rooms.contains(&room);
        if is_in {
            self.places[room].track(who, key, meta);
        }
        is_in
    }

    pub(crate) fn watch(&mut self, socket: usize, room: usize, is_count: bool) {
        let (who, place) = (self.slots[socket], &mut self.places[room]);
        let now = (place.here.clone(), place.keys());
        let (told, keys) = place.told.get_or_insert(now);
        let item = if is_count {
            Item::Count { room, keys: *keys }
        } else {
            Item::State { room, version: place.version, entries: told.values().copied().collect() }
        };
        let watchers = if is_count { &mut place.counters } else { &mut place.watchers };
        watchers.insert(who);
        self.emit(&BTreeSet::from([who]), &item);
    }

    pub(crate) fn flush(&mut self, room: usize) {
        let place = &mut self.places[room];
        let keys = place.keys();
        let Some((told, told_keys)) = &mut place.told else { return };
        let without = |these: &BTreeMap<u64, Entry>, those: &BTreeMap<u64, Entry>| -> Vec<Entry> {
            these.values().filter(|entry| !those.contains_key(&entry.number)).copied().collect()
        };
        let (joins, leaves) = (without(&place.here, told), without(told, &place.here));
        let is_new = |entry: &&Entry| told.get(&entry.number).is_some_and(|told| told != *entry);
        let updates: Vec<Entry> = place.here.values().filter(is_new).copied().collect();
        let has_changed = [&joins, &leaves, &updates].iter().any(|list| !list.is_empty());
        let has_other_keys = *told_keys != keys;
        (*told, *told_keys) = (place.here.clone(), keys);
        place.version += u64::from(has_changed);
        let (version, watchers, counters) = (place.version, place.watchers.clone(), place.counters.clone());
        if has_changed {
            self.emit(&watchers, &Item::Diff { room, version, joins, leaves, updates });
        }
        if has_other_keys {
            self.emit(&counters, &Item::Count { room, keys });
        }
    }

    /// All that has changed is told, and a tick begins.
    pub(crate) fn tick(&mut self, by: u64) {
        (0..ROOMS).for_each(|room| self.flush(room));
        if by > 0 {
            self.ticks.push((self.now() + by, self.emits));
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.ticks[self.ticks.len() - 1].0
    }

    /// What a socket would want after a step.
    pub(crate) fn wanted(&self, socket: usize, step: Step) -> Wants {
        let mut wants = self.person(socket).wants.clone();
        match step {
            Step::Move(x, y) => {
                wants.look(None, self.setup, x, y);
                let [column, row] = [x, y].map(|place| i64::from(place).div_euclid(CELL as i64));
                wants.here = Some(self.setup.home((column, row)));
            }
            Step::Look(view, x, y) => wants.look(Some(view), self.setup, x, y),
            Step::LookAway(view) => drop(wants.views.remove(&Some(view))),
            Step::Pin(cell) => *wants.pins.entry(self.setup.home(cell)).or_default() += 1,
            Step::Unpin(cell) => {
                if let Some(pins) = wants.pins.get_mut(&self.setup.home(cell)) {
                    *pins = pins.saturating_sub(1);
                }
            }
            Step::Clear => wants = Wants::default(),
            Step::Waver(..) => {}
        }
        wants
    }

    /// Has a socket want these, if all the cells that are new to it let it in; or says which does not, none if it would
    /// be in too many rooms.
    pub(crate) fn want(&mut self, socket: usize, wants: Wants) -> Result<(), Option<Cell>> {
        let (before, after) = (self.person(socket).wants.cells(), wants.cells());
        if after.difference(&before).next().is_some()
            && self.person(socket).rooms.len() + after.len() > self.setup.rooms_per_socket
        {
            return Err(None);
        }
        let is_full = |cell: &&Cell| {
            let members = self.in_cell(**cell).len();
            self.capacities.get(cell).is_some_and(|capacity| members >= *capacity)
        };
        if let Some(full) = after.difference(&before).find(is_full) {
            return Err(Some(*full));
        }
        self.people[self.slots[socket]].wants = wants;
        Ok(())
    }

    pub(crate) fn in_cell(&self, cell: Cell) -> BTreeSet<usize> {
        self.slots.iter().copied().filter(|who| self.people[*who].wants.reasons(cell) > 0).collect()
    }

    /// Returns whether there is anybody to send it to, the emitter itself included.
    pub(crate) fn emit_message(&mut self, socket: usize, whom: Whom, message: usize) -> bool {
        let who = self.slots[socket];
        let mut to: BTreeSet<usize> = match whom {
            Whom::Everyone => self.slots.iter().copied().collect(),
            Whom::Room(room) => {
                self.slots.iter().copied().filter(|who| self.people[*who].rooms.contains(&room)).collect()
            }
            Whom::Here => self.people[who].wants.here.map_or_else(BTreeSet::new, |cell| self.in_cell(cell)),
            Whom::Cell(cell) => self.in_cell(self.setup.home(cell)),
            Whom::Socket(socket) => BTreeSet::from([self.slots[socket]]),
        };
        let has_any = !to.is_empty();
        if matches!(whom, Whom::Here) {
            to.remove(&who);
        }
        self.emit(&to, &Item::Message(message));
        has_any
    }

    fn emit(&mut self, to: &BTreeSet<usize>, item: &Item) {
        to.iter().for_each(|who| self.people[*who].queue.push_back((self.emits, item.clone())));
        self.emits += 1;
    }

    /// Has a socket read all that it can read in a drain.
    pub(crate) fn drain(&mut self, socket: usize) -> Vec<(usize, Item)> {
        self.read(socket, self.emits)
    }

    /// The same up to a tick, if that is remembered.
    pub(crate) fn drain_before(&mut self, socket: usize, at: u64) -> Option<Vec<(usize, Item)>> {
        let place = self.ticks.partition_point(|tick| tick.0 < at);
        let is_it = self.ticks.get(place).is_some_and(|tick| tick.0 == at) && self.remembers(place);
        // Which tick comes next is known if the one before is.
        let is_known = is_it || place.checked_sub(1).is_some_and(|place| self.remembers(place));
        let bound = self.ticks.get(place).map_or(self.emits, |tick| tick.1);
        is_known.then(|| self.read(socket, bound))
    }

    /// The next that it is handed, if there is one.
    pub(crate) fn next(&mut self, socket: usize) -> Option<(usize, Item)> {
        let (emits, person) = (self.emits, &mut self.people[self.slots[socket]]);
        let next = person.queue.pop_front();
        if next.as_ref().is_none_or(|(number, _)| *number >= person.horizon) {
            person.horizon = emits;
        }
        next
    }

    /// The tick in which there was this emit, if that is remembered.
    pub(crate) fn tick_of(&self, emit: usize) -> Option<u64> {
        let place = self.ticks.iter().rposition(|tick| tick.1 <= emit)?;
        self.remembers(place).then(|| self.ticks[place].0)
    }

    fn remembers(&self, tick: usize) -> bool {
        // What was before the first tick is no tick itself.
        self.ticks.len() - tick <= TICKS || tick == 0 && self.ticks.len() <= TICKS + 1
    }

    /// What was begun before is read to its end whatever the bound is.
    fn read(&mut self, socket: usize, bound: usize) -> Vec<(usize, Item)> {
        let person = &mut self.people[self.slots[socket]];
        person.horizon = person.horizon.max(bound);
        let end = person.queue.partition_point(|(number, _)| *number < person.horizon);
        person.queue.drain(..end).collect()
    }
}

impl Person {
    pub(crate) fn room_count(&self) -> usize {
        self.rooms.len() + self.wants.cells().len()
    }
}

impl Place {
    pub(crate) fn keys(&self) -> usize {
        self.here.values().map(|entry| entry.key).collect::<BTreeSet<_>>().len()
    }

    /// Who was there when it was told last, if anybody watches.
    pub(crate) fn told(&self) -> Option<Vec<Entry>> {
        self.told.as_ref().map(|(told, _)| told.values().copied().collect())
    }

    pub(crate) fn of(&self, who: usize) -> Option<&Entry> {
        self.here.values().find(|entry| entry.who == who)
    }

    /// Who was there under this key, or was told to be, keeps its number.
    fn track(&mut self, who: usize, key: usize, meta: u8) {
        let known = self.here.values().chain(self.told.iter().flat_map(|(told, _)| told.values()));
        let same = known.clone().find(|entry| (entry.who, entry.key) == (who, key));
        let number = same.map_or(self.next, |same| same.number);
        self.next = self.next.max(number + 1);
        self.here.retain(|_, entry| entry.who != who);
        self.here.insert(number, Entry { number, who, key, meta });
    }

    pub(crate) fn update(&mut self, who: usize, meta: u8) -> bool {
        let entry = self.here.values_mut().find(|entry| entry.who == who);
        entry.map(|entry| entry.meta = meta).is_some()
    }

    pub(crate) fn untrack(&mut self, who: usize) -> bool {
        let before = self.here.len();
        self.here.retain(|_, entry| entry.who != who);
        self.here.len() < before
    }

    pub(crate) fn unwatch(&mut self, who: usize) {
        self.watchers.remove(&who);
        self.counters.remove(&who);
        if self.watchers.is_empty() && self.counters.is_empty() {
            self.told = None;
        }
    }
}

impl Wants {
    pub(crate) fn reasons(&self, cell: Cell) -> u64 {
        let views = self.views.values().filter(|view| view.contains(&cell)).count();
        views as u64 + self.pins.get(&cell).copied().unwrap_or_default()
    }

    pub(crate) fn cells(&self) -> BTreeSet<Cell> {
        let cells = self.views.values().flatten().chain(self.pins.keys());
        cells.copied().filter(|cell| self.reasons(*cell) > 0).collect()
    }

    fn look(&mut self, key: Option<u64>, setup: Setup, x: i32, y: i32) {
        let view = self.views.entry(key).or_default();
        let edges = setup.around.map_or(-EDGE..EDGE, |size| 0..size.into());
        let all = edges.clone().flat_map(|x| edges.clone().map(move |y| (x, y)));
        *view = all
            .filter(|cell| {
                let hysteresis = if view.contains(cell) { f64::from(setup.hysteresis) } else { 0.0 };
                setup.distance(x.into(), y.into(), *cell) <= setup.near.radius() + hysteresis
            })
            .collect();
    }
}

impl Setup {
    /// The least size of a world that goes round.
    pub(crate) fn least_size(&self) -> u32 {
        let reach = (self.near.radius() + f64::from(self.hysteresis)) / CELL;
        (2.0 * reach).ceil() as u32 + 1
    }

    /// The cell that goes by this column and row.
    pub(crate) fn home(&self, (x, y): Cell) -> Cell {
        self.around.map_or((x, y), |size| (x.rem_euclid(size.into()), y.rem_euclid(size.into())))
    }

    /// How far away a cell is: where the world goes round, by the shortest way.
    fn distance(&self, x: f64, y: f64, cell: Cell) -> f64 {
        let Some(size) = self.around else { return self.near.distance(x, y, cell) };
        let (size, width) = (i64::from(size), f64::from(size) * CELL);
        let (x, y) = (x.rem_euclid(width), y.rem_euclid(width));
        let ways = [-size, 0, size];
        let cells = ways.iter().flat_map(|dx| ways.iter().map(move |dy| (cell.0 + dx, cell.1 + dy)));
        cells.map(|cell| self.near.distance(x, y, cell)).fold(f64::INFINITY, f64::min)
    }
}

impl Near {
    /// How far away a cell is, by the measure that counts: a cell ends one part before the next.
    fn distance(self, x: f64, y: f64, cell: Cell) -> f64 {
        let nearest = |place: f64, cell: i64| {
            let first = cell as f64 * CELL;
            if place < first { first - place } else { (place - (first + CELL - PART)).max(0.0) }
        };
        let (dx, dy) = (nearest(x, cell.0), nearest(y, cell.1));
        match self {
            Self::Circle(_) => dx.hypot(dy),
            Self::Square(_) => dx.max(dy),
        }
    }

    fn radius(self) -> f64 {
        match self {
            Self::Circle(radius) => radius.into(),
            Self::Square(cells) => f64::from(cells) * CELL,
        }
    }
}
