//! What is told of who is here: all of them, differences, numbers.

use std::sync::Arc;

use crate::name::RoomName;
use crate::payload::Payload;
use crate::slab::SocketId;
use crate::token::Event;

/// Who is here, to a socket that begins to [watch](crate::Presence::watch): [`PresenceState`].
pub const PRESENCE_STATE: Event<PresenceState> = Event::new("presence_state");

/// What has changed since: [`PresenceDiff`].
pub const PRESENCE_DIFF: Event<PresenceDiff> = Event::new("presence_diff");

/// How many are here, to a socket that [watches the number](crate::Presence::watch_count), when it begins and
/// when it has changed: [`PresenceCount`].
pub const PRESENCE_COUNT: Event<PresenceCount> = Event::new("presence_count");

/// A socket that is present, under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceEntry {
    /// Who it is: sockets of one key are one.
    pub key: Arc<str>,
    /// The socket.
    pub socket: SocketId,
    /// Rises with each arrival: what entries are ordered by, and known by.
    pub number: u64,
    /// What was said of it.
    pub meta: Payload,
}

/// Who is present in a room, in the order of arrival: what [`PRESENCE_STATE`] carries, and what a watcher keeps up to
/// date with the [differences](PresenceDiff) that follow.
///
/// ```
/// use roomcast::{Engine, PRESENCE_DIFF, PRESENCE_STATE, Presence, PresenceState, Shared};
///
/// let chat = Engine::new().of("/chat")?;
/// let presence = Presence::new(&chat.room("lobby")?);
/// let (watcher, mut inbox) = chat.connect();
/// let (ann, _ann_inbox) = chat.connect();
/// presence.watch(&watcher)?;
/// ann.join("lobby")?;
/// presence.track(&ann, "ann", "typing")?;
/// presence.flush();
///
/// let mut here: Option<PresenceState> = None;
/// inbox.drain(|delivery| {
///     if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
///         here = Some(PresenceState::clone(&state));
///     } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
///         assert!(here.as_mut().unwrap().apply(&diff));
///     }
/// });
/// assert_eq!(here.unwrap().entries(), presence.list());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceState {
    pub(crate) room: RoomName,
    pub(crate) version: u64,
    pub(crate) entries: Vec<PresenceEntry>,
}

/// Who has come, gone and changed between two [flushes](crate::Presence::flush): what [`PRESENCE_DIFF`] carries.
///
/// Who came and went in between is not in it, nor who went and came back the same. Each list is in the order of
/// arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceDiff {
    /// The room.
    pub room: RoomName,
    /// One more than that of the state that it belongs to.
    pub version: u64,
    /// Who has come.
    pub joins: Vec<PresenceEntry>,
    /// Who has gone, as they were told of last.
    pub leaves: Vec<PresenceEntry>,
    /// Of whom something else is said now.
    pub updates: Vec<PresenceEntry>,
}

/// How many keys are present in a room: what [`PRESENCE_COUNT`] carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceCount {
    /// The room.
    pub room: RoomName,
    /// The number of keys.
    pub keys: usize,
}

impl PresenceState {
    /// Returns the room.
    #[must_use]
    pub fn room(&self) -> &RoomName {
        &self.room
    }

    /// Returns how many differences there were before it.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns who is present, in the order of arrival.
    #[must_use]
    pub fn entries(&self) -> &[PresenceEntry] {
        &self.entries
    }

    /// Returns the keys, each once, in the order in which their first entries have arrived.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        self.entries.iter().map(|entry| &*entry.key).filter(|key| seen.insert(*key)).collect()
    }

    /// Brings it up to date, and returns whether the difference is the next one. If it is not, as some were lost in a
    /// [gap](crate::Delivery::gap), nothing is changed: [watch](crate::Presence::watch) again, to get another state.
    /// O(entries).
    pub fn apply(&mut self, diff: &PresenceDiff) -> bool {
        if diff.version != self.version + 1 {
            return false;
        }
        self.version = diff.version;
        let is_in = |list: &[PresenceEntry], entry: &PresenceEntry| find(list, entry.number).is_some();
        self.entries.retain(|entry| !is_in(&diff.leaves, entry));
        for update in &diff.updates {
            if let Some(place) = find(&self.entries, update.number) {
                self.entries[place] = update.clone();
            }
        }
        self.entries.extend(diff.joins.iter().cloned());
        true
    }

    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + weight(&self.entries)
    }
}

impl PresenceDiff {
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + [&self.joins, &self.leaves, &self.updates].map(|list| weight(list)).iter().sum::<usize>()
    }
}

/// Where the entry of this number is in a list.
fn find(list: &[PresenceEntry], number: u64) -> Option<usize> {
    list.binary_search_by_key(&number, |entry| entry.number).ok()
}

/// What a list of entries counts for in a backlog.
fn weight(list: &[PresenceEntry]) -> usize {
    list.iter().map(|entry| size_of::<PresenceEntry>() + entry.key.len() + entry.meta.len()).sum()
}

#[cfg(feature = "serde")]
mod serialize {
    use serde::ser::{Error, Serialize, SerializeStruct, Serializer};

    use super::{PresenceCount, PresenceDiff, PresenceEntry, PresenceState};
    use crate::payload::Payload;

    /// Metadata: text as a string, JSON as it is, bytes as numbers, nothing as null.
    struct Meta<'a>(&'a Payload);

    impl Serialize for Meta<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if let Some(text) = self.0.as_str() {
                return serializer.serialize_str(text);
            }
            if let Some(json) = self.0.as_json() {
                let value: serde_json::Value = serde_json::from_str(json).map_err(S::Error::custom)?;
                return value.serialize(serializer);
            }
            match self.0.as_bytes() {
                Some([]) => serializer.serialize_unit(),
                Some(bytes) => bytes.serialize(serializer),
                None => Err(S::Error::custom("the metadata is a value in memory, which is not encoded")),
            }
        }
    }

    impl Serialize for PresenceEntry {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut entry = serializer.serialize_struct("PresenceEntry", 4)?;
            entry.serialize_field("key", &*self.key)?;
            entry.serialize_field("socket", &self.socket.to_string())?;
            entry.serialize_field("number", &self.number)?;
            entry.serialize_field("meta", &Meta(&self.meta))?;
            entry.end()
        }
    }

    impl Serialize for PresenceState {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut state = serializer.serialize_struct("PresenceState", 3)?;
            state.serialize_field("room", &self.room.to_string())?;
            state.serialize_field("version", &self.version)?;
            state.serialize_field("entries", &self.entries)?;
            state.end()
        }
    }

    impl Serialize for PresenceDiff {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut diff = serializer.serialize_struct("PresenceDiff", 5)?;
            diff.serialize_field("room", &self.room.to_string())?;
            diff.serialize_field("version", &self.version)?;
            diff.serialize_field("joins", &self.joins)?;
            diff.serialize_field("leaves", &self.leaves)?;
            diff.serialize_field("updates", &self.updates)?;
            diff.end()
        }
    }

    impl Serialize for PresenceCount {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut count = serializer.serialize_struct("PresenceCount", 2)?;
            count.serialize_field("room", &self.room.to_string())?;
            count.serialize_field("keys", &self.keys)?;
            count.end()
        }
    }
}
