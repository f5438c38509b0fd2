//! Who is present in a room, and what of it was told to those who watch.
//!
//! # Invariant, under the roster's lock
//!
//! A socket has a *slot* while it is present, or was so when it was told of last: `now` and `told`. While nobody
//! watches, nothing is `told`. Each slot in which the two differ is in `dirty`; a slot with neither is gone at once. So
//! a flush, which makes `told` what is `now`, looks at nothing else, and what piles up without one is bounded by who
//! is here and who was told of.
//!
//! Who goes and comes back under the same key before that was told gets its old number: then `now` is again what was
//! told, place and all. Any other number is above all before, so what a difference adds comes last in every watcher's
//! list as it does here.
//!
//! A socket is present only while it is a member of the room: [`track`](Roster::track) is called while it cannot leave,
//! and [`remove`](Roster::remove) before whoever has it leave lets go of its state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod messages;

pub use self::messages::{
    PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, PresenceCount, PresenceDiff, PresenceEntry, PresenceState,
};

use crate::defect::{self, Defect};
use crate::payload::Payload;
use crate::slab::SocketId;
use crate::sync::{AtomicBool, Mutex, Ordering};

#[derive(Debug)]
pub(crate) struct Roster {
    list: Mutex<List>,
    /// Whether there may be something to flush.
    is_dirty: AtomicBool,
}

#[derive(Debug, Default)]
struct List {
    slots: BTreeMap<SocketId, Slot>,
    /// The sockets of each key, by number.
    keys: BTreeMap<Arc<str>, BTreeMap<u64, SocketId>>,
    next: u64,
    is_watched: bool,
    dirty: BTreeSet<SocketId>,
    /// How many differences there were.
    version: u64,
    /// How many keys there were when it was told.
    told_keys: usize,
}

#[derive(Debug, Default)]
struct Slot {
    now: Option<PresenceEntry>,
    told: Option<PresenceEntry>,
}

/// What there is to tell.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Of the difference, if there is one.
    pub(crate) version: Option<u64>,
    pub(crate) joins: Vec<PresenceEntry>,
    pub(crate) leaves: Vec<PresenceEntry>,
    pub(crate) updates: Vec<PresenceEntry>,
    /// How many keys there are, if that has changed.
    pub(crate) keys: Option<usize>,
    /// What was told before, to be dropped under no lock.
    _gone: Vec<PresenceEntry>,
}

/// What was told last.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) version: u64,
    pub(crate) keys: usize,
    pub(crate) entries: Vec<PresenceEntry>,
}

impl Roster {
    pub(crate) fn new() -> Self {
        Self { list: Mutex::new(List::default()), is_dirty: AtomicBool::new(false) }
    }

    /// Makes a socket present, under this key and no other. What is returned is to be dropped under no lock.
    pub(crate) fn track(&self, socket: SocketId, key: Arc<str>, meta: Payload) -> Option<PresenceEntry> {
        let mut list = self.list.lock();
        let before = list.take(socket);
        let told = list.slots.get(&socket).and_then(|slot| slot.told.as_ref());
        let told = told.filter(|_| !defect::is(Defect::LostPlace));
        let same = before.iter().chain(told).find(|entry| entry.key == key);
        let number = same.map_or(list.next, |same| same.number);
        list.next = list.next.max(number + 1);
        list.keys.entry(Arc::clone(&key)).or_default().insert(number, socket);
        let entry = PresenceEntry { key, socket, number, meta };
        list.slots.entry(socket).or_default().now = Some(entry);
        self.touched(&mut list, socket);
        before
    }

    /// Changes what is said of a socket that is present, and returns what was said before; or what was to be said, if
    /// it is not present.
    pub(crate) fn update(&self, socket: SocketId, meta: Payload) -> Result<Payload, Payload> {
        let mut list = self.list.lock();
        let Some(entry) = list.slots.get_mut(&socket).and_then(|slot| slot.now.as_mut()) else {
            return Err(meta);
        };
        let before = std::mem::replace(&mut entry.meta, meta);
        self.touched(&mut list, socket);
        Ok(before)
    }

    /// Ends the presence of a socket, and returns what it was, to be dropped under no lock.
    pub(crate) fn remove(&self, socket: SocketId) -> Option<PresenceEntry> {
        let mut list = self.list.lock();
        let before = list.take(socket)?;
        self.touched(&mut list, socket);
        Some(before)
    }

    /// Who is present, in the order of arrival.
    pub(crate) fn all(&self) -> Vec<PresenceEntry> {
        let list = self.list.lock();
        let all = list.slots.values().filter_map(|slot| slot.now.clone()).collect();
        drop(list);
        sorted(all)
    }

    /// Who is present under a key, in the order of arrival.
    pub(crate) fn of_key(&self, key: &str) -> Vec<PresenceEntry> {
        let list = self.list.lock();
        let sockets = list.keys.get(key).into_iter().flat_map(BTreeMap::values);
        sockets.filter_map(|socket| list.slots.get(socket)?.now.clone()).collect()
    }

    pub(crate) fn of_socket(&self, socket: SocketId) -> Option<PresenceEntry> {
        self.list.lock().slots.get(&socket)?.now.clone()
    }

    /// How many keys are present.
    pub(crate) fn len(&self) -> usize {
        self.list.lock().keys.len()
    }

    /// Whether there may be something to flush. One load.
    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty.load(Ordering::Acquire)
    }

    /// Keeps account for watchers from now on, unless it does; and returns what they are to know: who is present, if
    /// that `is_wanted`, and how many.
    pub(crate) fn watch(&self, is_wanted: bool) -> Told {
        let mut list = self.list.lock();
        if !list.is_watched {
            list.is_watched = true;
            list.told_keys = list.keys.len();
            list.slots.values_mut().for_each(|slot| slot.told.clone_from(&slot.now));
        }
        let known =
            |slot: &Slot| if defect::is(Defect::EarlyState) { slot.now.clone() } else { slot.told.clone() };
        let told = list.slots.values().filter(|_| is_wanted).filter_map(known).collect();
        let told = Told { version: list.version, keys: list.told_keys, entries: told };
        drop(list);
        Told { entries: sorted(told.entries), ..told }
    }

    /// Keeps no account any more, as nobody watches. What is returned is to be dropped under no lock.
    pub(crate) fn unwatch(&self) -> Vec<PresenceEntry> {
        let mut list = self.list.lock();
        if !list.is_watched {
            return Vec::new();
        }
        self.is_dirty.store(false, Ordering::Release);
        list.is_watched = false;
        list.dirty = BTreeSet::new();
        let told = list.slots.values_mut().filter_map(|slot| slot.told.take()).collect();
        list.slots.retain(|_, slot| slot.now.is_some());
        drop(list);
        sorted(told)
    }

    /// Takes what there is to tell.
    pub(crate) fn flush(&self) -> News {
        let mut guard = self.list.lock();
        if !defect::is(Defect::LateClean) {
            self.is_dirty.store(false, Ordering::Release);
        }
        let list = &mut *guard;
        let mut news = News::default();
        for socket in std::mem::take(&mut list.dirty) {
            let Some(slot) = list.slots.get_mut(&socket) else { continue };
            match (&slot.told, &slot.now) {
                (Some(told), Some(now)) if told.number == now.number => {
                    if told.meta != now.meta {
                        news.updates.push(now.clone());
                    }
                }
                (told, now) => {
                    news.leaves.extend(told.clone());
                    news.joins.extend(now.clone());
                }
            }
            news._gone.extend(std::mem::replace(&mut slot.told, slot.now.clone()));
            if slot.now.is_none() {
                list.slots.remove(&socket);
            }
        }
        if !(news.joins.is_empty() && news.leaves.is_empty() && news.updates.is_empty()) {
            list.version += 1;
            news.version = Some(list.version);
        }
        if list.told_keys != list.keys.len() {
            list.told_keys = list.keys.len();
            news.keys = Some(list.told_keys);
        }
        drop(guard);
        if defect::is(Defect::LateClean) {
            self.is_dirty.store(false, Ordering::Release);
        }
        for entries in [&mut news.joins, &mut news.leaves, &mut news.updates, &mut news._gone] {
            entries.sort_unstable_by_key(|entry| entry.number);
        }
        news
    }

    /// Sees to the account after a slot has changed.
    fn touched(&self, list: &mut List, socket: SocketId) {
        let is_gone = list.slots.get(&socket).is_none_or(|slot| slot.now.is_none() && slot.told.is_none());
        if is_gone {
            list.slots.remove(&socket);
            list.dirty.remove(&socket);
        } else if list.is_watched {
            list.dirty.insert(socket);
        }
        // Also for who came and went: keys may have.
        if list.is_watched {
            self.is_dirty.store(true, Ordering::Release);
        }
    }
}

impl List {
    /// Takes a socket off the list of those who are present, but not out of its slot's past.
    fn take(&mut self, socket: SocketId) -> Option<PresenceEntry> {
        let entry = self.slots.get_mut(&socket)?.now.take()?;
        if let Some(sockets) = self.keys.get_mut(&entry.key) {
            sockets.remove(&entry.number);
            if sockets.is_empty() {
                self.keys.remove(&entry.key);
            }
        }
        Some(entry)
    }
}

impl Drop for List {
    /// Drops what is left in the order of arrival, as it is the users'.
    fn drop(&mut self) {
        let slots = std::mem::take(&mut self.slots).into_values();
        drop(sorted(slots.flat_map(|slot| [slot.told, slot.now]).flatten().collect()));
    }
}

/// By arrival; of two of one socket, the first stays first.
fn sorted(mut entries: Vec<PresenceEntry>) -> Vec<PresenceEntry> {
    entries.sort_by_key(|entry| entry.number);
    entries
}
