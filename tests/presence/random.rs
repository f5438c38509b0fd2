//! Random steps against a model of plain maps: what is listed is so, and what each watcher has is what was so at the last
//! flush.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use roomcast::{Engine, Namespace, Presence, PresenceEntry, PresenceError, SocketId};

use super::{Client, Seat};

const ROOMS: [&str; 2] = ["attic", "barn"];
const KEYS: [&str; 3] = ["ann", "bob", "cat"];
const SOCKETS: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    LeaveAll(usize),
    Track(usize, usize, usize, u8),
    Update(usize, usize, u8),
    Untrack(usize, usize),
    Reconnect(usize),
    Watch(usize, usize),
    WatchCount(usize, usize),
    Unwatch(usize, usize),
    Flush(usize),
    Tick,
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (s, r) = (0..SOCKETS, 0..ROOMS.len());
    let sr = (s.clone(), r.clone());
    let step = prop_oneof![
        3 => sr.clone().prop_map(|(s, r)| Step::Join(s, r)),
        2 => sr.clone().prop_map(|(s, r)| Step::Leave(s, r)),
        1 => s.clone().prop_map(Step::LeaveAll),
        6 => (s.clone(), r.clone(), 0..KEYS.len(), 0_u8..3).prop_map(|(s, r, k, m)| Step::Track(s, r, k, m)),
        2 => (s.clone(), r.clone(), 0_u8..3).prop_map(|(s, r, m)| Step::Update(s, r, m)),
        2 => sr.clone().prop_map(|(s, r)| Step::Untrack(s, r)),
        1 => s.clone().prop_map(Step::Reconnect),
        3 => sr.clone().prop_map(|(s, r)| Step::Watch(s, r)),
        1 => sr.clone().prop_map(|(s, r)| Step::WatchCount(s, r)),
        1 => sr.prop_map(|(s, r)| Step::Unwatch(s, r)),
        3 => r.prop_map(Step::Flush),
        2 => Just(Step::Tick),
        3 => s.prop_map(Step::Read),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Who is present by the model: key and metadata of each socket, by number.
type Here = BTreeMap<u64, (SocketId, usize, u8)>;

/// The same, of what the engine tells.
fn here(entries: &[PresenceEntry]) -> Here {
    let entry = |entry: &PresenceEntry| {
        let key = KEYS.iter().position(|key| *key == &*entry.key).unwrap();
        (entry.number, (entry.socket, key, entry.meta.as_str().unwrap().parse().unwrap()))
    };
    entries.iter().map(entry).collect()
}

/// A room by the model.
#[derive(Default)]
struct Place {
    members: BTreeSet<SocketId>,
    here: Here,
    next: u64,
    /// While anybody watches.
    told: Option<(Here, usize)>,
    watchers: BTreeSet<SocketId>,
    counters: BTreeSet<SocketId>,
}

impl Place {
    fn number(&self, socket: SocketId) -> Option<u64> {
        self.here.iter().find(|(_, entry)| entry.0 == socket).map(|(number, _)| *number)
    }

    fn keys(&self) -> usize {
        self.here.values().map(|entry| entry.1).collect::<BTreeSet<_>>().len()
    }

    fn track(&mut self, socket: SocketId, key: usize, meta: u8) -> bool {
        if !self.members.contains(&socket) {
            return false;
        }
        let is_same = |(_, entry): &(&u64, &(SocketId, usize, u8))| (entry.0, entry.1) == (socket, key);
        let before = self.here.iter().chain(self.told.iter().flat_map(|told| &told.0));
        let number = before.clone().find(is_same).map(|(number, _)| *number);
        self.here.retain(|_, entry| entry.0 != socket);
        let number = number.unwrap_or(self.next);
        self.next = self.next.max(number + 1);
        self.here.insert(number, (socket, key, meta));
        true
    }

    fn untrack(&mut self, socket: SocketId) -> bool {
        let number = self.number(socket);
        number.and_then(|number| self.here.remove(&number)).is_some()
    }

    fn leave(&mut self, socket: SocketId) {
        self.members.remove(&socket);
        self.untrack(socket);
    }

    fn watch(&mut self) {
        let keys = self.keys();
        self.told.get_or_insert_with(|| (self.here.clone(), keys));
    }

    fn unwatch(&mut self, socket: SocketId) {
        self.watchers.remove(&socket);
        self.counters.remove(&socket);
        if self.watchers.is_empty() && self.counters.is_empty() {
            self.told = None;
        }
    }

    fn flush(&mut self) {
        let now = (self.here.clone(), self.keys());
        self.told = self.told.take().map(|_| now);
    }
}

struct Rig {
    engine: Engine,
    world: Namespace,
    presences: Vec<Presence>,
    sockets: Vec<Seat>,
    places: Vec<Place>,
    ticks: u64,
}

impl Rig {
    fn new() -> Self {
        let engine = Engine::new();
        let world = engine.of("/world").unwrap();
        let presences = ROOMS.map(|room| Presence::new(&world.room(room).unwrap())).into();
        let sockets = (0..SOCKETS).map(|_| Self::connect(&world)).collect();
        let places = ROOMS.map(|_| Place::default()).into();
        Self { engine, world, presences, sockets, places, ticks: 0 }
    }

    fn connect(world: &Namespace) -> Seat {
        let (socket, inbox) = world.connect();
        (socket, inbox, Client::default())
    }

    fn apply(&mut self, step: &Step) {
        let socket = |s: usize| self.sockets[s].0.clone();
        match *step {
            Step::Join(s, r) => {
                socket(s).join(ROOMS[r]).unwrap();
                self.places[r].members.insert(socket(s).id());
            }
            Step::Leave(s, r) => {
                socket(s).leave(ROOMS[r]).unwrap();
                self.places[r].leave(socket(s).id());
            }
            Step::LeaveAll(s) => {
                socket(s).leave_all().unwrap();
                self.places.iter_mut().for_each(|place| place.leave(self.sockets[s].0.id()));
            }
            Step::Track(s, r, k, m) => {
                let tracked = self.presences[r].track(&socket(s), KEYS[k], m.to_string());
                let expected = self.places[r].track(self.sockets[s].0.id(), k, m);
                assert_eq!(tracked, if expected { Ok(()) } else { Err(PresenceError::NotInRoom) });
            }
            Step::Update(s, r, m) => {
                let updated = self.presences[r].update(&socket(s), m.to_string());
                let number = self.places[r].number(socket(s).id());
                let entry = number.and_then(|number| self.places[r].here.get_mut(&number));
                assert_eq!(updated, entry.map(|entry| entry.2 = m).ok_or(PresenceError::NotPresent));
            }
            Step::Untrack(s, r) => {
                let untracked = self.presences[r].untrack(&socket(s));
                assert_eq!(untracked, self.places[r].untrack(self.sockets[s].0.id()));
            }
            Step::Reconnect(s) => {
                let id = socket(s).id();
                self.sockets[s] = Self::connect(&self.world); // the inbox is dropped
                for place in &mut self.places {
                    place.leave(id);
                    place.unwatch(id);
                }
            }
            Step::Watch(s, r) => {
                self.presences[r].watch(&socket(s)).unwrap();
                self.places[r].watch();
                self.places[r].watchers.insert(self.sockets[s].0.id());
            }
            Step::WatchCount(s, r) => {
                self.presences[r].watch_count(&socket(s)).unwrap();
                self.places[r].watch();
                self.places[r].counters.insert(self.sockets[s].0.id());
            }
            Step::Unwatch(s, r) => {
                let socket = socket(s);
                self.read(s);
                self.presences[r].unwatch(&socket);
                self.places[r].unwatch(socket.id());
                // What is known of it from before is out of date from now on.
                self.sockets[s].2.states.remove(&ROOMS[r].into());
                self.sockets[s].2.counts.remove(&ROOMS[r].into());
            }
            Step::Flush(r) => {
                self.presences[r].flush();
                self.places[r].flush();
            }
            Step::Tick => {
                self.ticks += 1;
                self.places.iter_mut().for_each(Place::flush);
                self.engine.tick(Duration::from_millis(self.ticks));
            }
            Step::Read(s) => self.read(s),
        }
    }

    fn read(&mut self, s: usize) {
        let (socket, inbox, client) = &mut self.sockets[s];
        client.read(inbox);
        for (place, room) in self.places.iter().zip(ROOMS) {
            let (state, count) = (client.states.get(&room.into()), client.counts.get(&room.into()));
            assert_eq!(state.is_some(), place.watchers.contains(&socket.id()));
            assert_eq!(count.is_some(), place.counters.contains(&socket.id()));
            let Some((told, keys)) = &place.told else { continue };
            assert!(state.is_none_or(|state| here(state.entries()) == *told), "{state:?} {told:?}");
            assert!(count.is_none_or(|count| count == keys));
        }
    }

    fn check(&self) {
        for (presence, place) in self.presences.iter().zip(&self.places) {
            let list = presence.list();
            assert_eq!(here(&list), place.here);
            assert!(list.is_sorted_by_key(|entry| entry.number));
            assert!(list.iter().all(|entry| presence.of(entry.socket).as_ref() == Some(entry)));
            assert_eq!(presence.count(), place.keys());
            for key in KEYS {
                let of_key: Vec<_> = list.iter().filter(|entry| &*entry.key == key).cloned().collect();
                assert_eq!(presence.get(key), of_key);
            }
            assert_eq!(presence.watchers(), (place.watchers.len(), place.counters.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn who_applies_what_it_was_told_knows_who_was_there_at_the_last_flush(steps in steps()) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.apply(step);
            rig.check();
        }
        (0..SOCKETS).for_each(|s| rig.read(s));
    }
}
