//! Rooms by name, in shards that are locked separately.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::counters::Tally;
use crate::name::{RoomName, RoomNameError};
use crate::sync::{Arc, AtomicUsize, Ordering, RwLock};
use crate::topic::{Address, Topic};

type Shard = CachePadded<RwLock<Rooms>>;

#[derive(Debug)]
struct Rooms {
    table: HashTable<Arc<Topic>>,
    /// What those did that were here and are gone.
    gone: Tally,
}

/// The named rooms of a namespace: those that have members or handles.
///
/// Names are hashed with a key of this index's own, as they may come from clients; nothing observable
/// depends on it. A shard's lock comes before the locks of its rooms. A room is added and pinned (by a
/// member or a handle) under one write lock, and removed under one only while nothing pins it.
#[derive(Debug)]
pub(crate) struct RoomIndex {
    shards: Box<[Shard]>,
    hasher: RandomState,
    /// How many rooms there are: at most `limit`, at any moment.
    len: CachePadded<AtomicUsize>,
    limit: usize,
}

impl RoomIndex {
    /// Creates an index of `shards` shards, a power of two, for up to `limit` rooms.
    pub(crate) fn new(shards: usize, limit: usize) -> Self {
        debug_assert!(shards.is_power_of_two());
        Self {
            shards: (0..shards).map(|_| Shard::new(RwLock::new(Rooms::new()))).collect(),
            hasher: RandomState::new(),
            len: CachePadded::new(AtomicUsize::new(0)),
            limit,
        }
    }

    /// How many rooms there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, name: &RoomName) -> Option<Arc<Topic>> {
        let hash = self.hasher.hash_one(name);
        self.shard(hash).read().table.find(hash, is_named(name)).cloned()
    }

    /// The address of the room of this name: known to a socket that is in it, whatever becomes of it meanwhile.
    pub(crate) fn address(&self, name: &RoomName) -> Option<Address> {
        let hash = self.hasher.hash_one(name);
        self.shard(hash).read().table.find(hash, is_named(name)).map(|room| Address::of(room))
    }

    /// Calls `pin` with the room of this name, made by `make` if there is none, before anybody can
    /// remove it.
    pub(crate) fn get_or_insert<R>(
        &self,
        name: &RoomName,
        make: impl FnOnce() -> Topic,
        pin: impl FnOnce(&Arc<Topic>) -> R,
    ) -> Result<R, RoomNameError> {
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).write();
        let room = match shard.table.entry(hash, is_named(name), |room| self.hash(room)) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                let one_more = |len| (len < self.limit).then(|| len + 1);
                let counted = self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
                counted.map_err(|_| RoomNameError::TooManyRooms { limit: self.limit })?;
                entry.insert(Arc::new(make()))
            }
        };
        Ok(pin(room.get()))
    }

    /// Removes a room that has neither members nor handles, and returns it to be dropped under no lock.
    pub(crate) fn remove_idle(&self, room: &Topic) -> Option<Arc<Topic>> {
        let name = room.name()?;
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).write();
        let Rooms { table, gone } = &mut *shard;
        let entry = table.find_entry(hash, |other| std::ptr::eq(&**other, room)).ok()?;
        *gone += entry.get().idle_tally()?;
        let removed = entry.remove().0;
        self.len.fetch_sub(1, Ordering::Relaxed);
        if table.capacity() > 4 * table.len().max(16) {
            table.shrink_to_fit(|room| self.hash(room));
        }
        Some(removed)
    }

    /// All rooms, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.all_and_gone().0
    }

    /// All rooms, oldest first, and what those did that are gone: each room is in one of the two.
    pub(crate) fn all_and_gone(&self) -> (Vec<Arc<Topic>>, Tally) {
        let (mut rooms, mut gone) = (Vec::new(), Tally::default());
        for shard in &self.shards {
            let shard = shard.read();
            rooms.extend(shard.table.iter().cloned());
            gone += shard.gone;
        }
        rooms.sort_unstable_by_key(|room| room.id());
        (rooms, gone)
    }

    fn shard(&self, hash: u64) -> &Shard {
        // The table uses the low bits and the highest seven, so take some from between.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }

    fn hash(&self, room: &Arc<Topic>) -> u64 {
        room.name().map_or(0, |name| self.hasher.hash_one(name))
    }
}

impl Rooms {
    fn new() -> Self {
        Self { table: HashTable::new(), gone: Tally::default() }
    }
}

/// Pins a room by one more handle.
pub(crate) fn add_handle(room: &Topic) {
    room.handles().fetch_add(1, Ordering::Relaxed);
}

/// Unpins it, and tells whether that was the last handle.
pub(crate) fn remove_handle(room: &Topic) -> bool {
    room.handles().fetch_sub(1, Ordering::AcqRel) == 1
}

fn is_named(name: &RoomName) -> impl Fn(&Arc<Topic>) -> bool + '_ {
    move |room| room.name() == Some(name)
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use super::*;

    const SHARDS: usize = 64;

    fn place(index: &RoomIndex, hash: u64) -> Option<usize> {
        index.shards.iter().position(|shard| std::ptr::eq(shard, index.shard(hash)))
    }

    #[test]
    fn names_that_collide_in_one_index_are_spread_over_another() {
        // Whoever knows the key of one index finds names that share a shard, and a part of its table.
        let [known, other] = [(); 2].map(|()| RoomIndex::new(SHARDS, usize::MAX));
        let bucket = |hash: u64| hash as usize % SHARDS;
        let collides = |name: &RoomName| {
            let hash = known.hasher.hash_one(name);
            bucket(hash) == 0 && place(&known, hash) == Some(0)
        };
        let names: Vec<_> = (0..).map(RoomName::from).filter(collides).take(128).collect();
        let (mut shards, mut buckets) = ([0; SHARDS], [0; SHARDS]);
        for name in &names {
            let hash = other.hasher.hash_one(name);
            shards[place(&other, hash).unwrap()] += 1;
            buckets[bucket(hash)] += 1;
        }
        // Two in each are expected; as many as this in one of them by chance once in 10^9 runs.
        let most = shards.iter().chain(&buckets).max();
        assert!(most < Some(&18), "{shards:?} {buckets:?}");
    }
}
