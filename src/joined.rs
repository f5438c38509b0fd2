//! The rooms of one socket.

use std::collections::HashMap;

use crate::name::RoomName;
use crate::roll::Roll;
use crate::sync::Arc;
use crate::topic::{Address, Topic};

/// The rooms that a socket is in, in joining order, and when it joined each. Looking for one walks the
/// list while it is short, and asks a map when it is not.
///
/// Rooms are looked for by their addresses: a walk reads nothing of the rooms that it passes, which may all be far away.
#[derive(Debug)]
pub(crate) struct Joined {
    rooms: Roll<Arc<Topic>, 1>,
    /// When each was joined, by room.
    #[expect(clippy::box_collection, reason = "most sockets have none, and a map by itself is six words")]
    by_room: Option<Box<HashMap<Address, u64>>>,
}

/// Lists up to here are walked.
const SHORT: usize = 16;

impl Joined {
    pub(crate) fn new() -> Self {
        Self { rooms: Roll::new(), by_room: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// When the room at this address was joined, if it was.
    pub(crate) fn since(&self, room: Address) -> Option<u64> {
        match &self.by_room {
            Some(map) => map.get(&room).copied(),
            None => self.rooms.find(|topic| Address::of(topic) == room),
        }
    }

    pub(crate) fn push(&mut self, since: u64, topic: Arc<Topic>) {
        if let Some(map) = &mut self.by_room {
            map.insert(Address::of(&topic), since);
        }
        self.rooms.push(since, topic);
        if self.by_room.is_none() && self.rooms.len() > SHORT {
            let by_room = self.rooms.iter().map(|(since, topic)| (Address::of(topic), since)).collect();
            self.by_room = Some(Box::new(by_room));
        }
    }

    pub(crate) fn remove(&mut self, since: u64) -> Option<Arc<Topic>> {
        let topic = self.rooms.remove(since)?;
        if self.rooms.len() <= SHORT / 2 {
            self.by_room = None;
        } else if let Some(map) = &mut self.by_room {
            map.remove(&Address::of(&topic));
        }
        Some(topic)
    }

    /// The names of the rooms, in joining order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &RoomName> {
        self.rooms.iter().filter_map(|(_, topic)| topic.name())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Topic>)> {
        self.rooms.iter()
    }
}
