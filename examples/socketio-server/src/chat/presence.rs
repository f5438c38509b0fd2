//! Who is where: what is told of it to those who are there, and to all.
//!
//! Who comes and goes is told in the hook for rooms, which is called for one change after the other in the order in
//! which they came about. So the lists that clients begin with have their place in that order too.
//!
//! How many are in each room concerns everybody, so that is told now and then, for all rooms in which it has changed:
//! if thousands come at once, each of them hears of a few numbers, and not of thousands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use roomcast::{Namespace, RoomEvent, RoomName, Socket, SocketId};

use super::protocol::{Count, JOINED, Joined, LEFT, Left, MAX_ROOMS_TOTAL, Member, Members, ROOM, ROOMS};
use super::user::{User, answer};

/// The rooms that everybody is in beside those of the chat: a seat, and that of the watchers.
pub(super) const OWN_ROOMS: usize = 2;

/// The room of those who are told of all rooms. As a seat's, its name is none that a client can choose.
const WATCHERS: &str = "*";
const SEAT: char = '@';

/// The rooms.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Rooms>);

#[derive(Debug, Default)]
struct Rooms {
    counts: BTreeMap<String, usize>,
    /// Those in which it has changed since it was told.
    changed: BTreeSet<String>,
}

/// Returns the name of the room that whoever has a name has for itself.
pub(super) fn seat(name: &str) -> String {
    format!("{SEAT}{}", name.to_lowercase())
}

/// Has a socket told of all rooms, from now on.
pub(super) fn watch_rooms(socket: &Socket) {
    // Fails only if it is gone already.
    let _ = socket.join(WATCHERS);
}

/// Returns who is in a room, in the order in which they joined.
pub(super) fn members(chat: &Namespace, room: &str) -> Vec<Member> {
    let member = |id| {
        let socket = chat.socket(id).ok()?;
        Some(User::find(&socket)?.member(&socket))
    };
    chat.members(room).into_iter().filter_map(member).collect()
}

impl Presence {
    /// Returns whether there is this room, or can be.
    pub(super) fn has_place_for(&self, room: &str) -> bool {
        let Rooms { counts, .. } = &*self.rooms();
        counts.len() < MAX_ROOMS_TOTAL || counts.contains_key(room)
    }

    /// Tells everybody how many are in each room in which that has changed.
    pub(super) fn tell_counts(&self, chat: &Namespace) {
        let changed: Vec<_> = {
            let Rooms { counts, changed } = &mut *self.rooms();
            let count = |room: String| Count { count: counts.get(&room).copied().unwrap_or(0), room };
            std::mem::take(changed).into_iter().map(count).collect()
        };
        for count in &changed {
            let _ = chat.to(WATCHERS).emit(ROOM, count);
        }
    }

    /// Tells of a change. Emitting fails only when the engine is closed, and then there is nobody to be told.
    pub(super) fn tell(&self, chat: &Namespace, event: &RoomEvent) {
        match (event, event.room().as_str()) {
            (RoomEvent::Joined(_, id), Some(WATCHERS)) => self.list_rooms(chat, *id),
            (_, None | Some(WATCHERS)) => {}
            (_, Some(room)) if room.starts_with(SEAT) => {}
            (RoomEvent::Joined(name, id), Some(room)) => {
                self.change_count(room, |count| *count += 1);
                tell_joined(chat, name, room, *id);
            }
            (RoomEvent::Left(_, id), Some(room)) => {
                let left = Left { room: room.to_owned(), id: id.to_string() };
                let _ = chat.to(room).emit(LEFT, &left);
                self.change_count(room, |count| *count -= 1);
            }
            _ => {}
        }
    }

    fn list_rooms(&self, chat: &Namespace, id: SocketId) {
        let count = |(room, count): (&String, &usize)| Count { room: room.clone(), count: *count };
        let rooms: Vec<_> = self.rooms().counts.iter().map(count).collect();
        let _ = chat.to(id).emit(ROOMS, &rooms);
    }

    fn change_count(&self, room: &str, change: impl FnOnce(&mut usize)) {
        let Rooms { counts, changed } = &mut *self.rooms();
        let count = counts.entry(room.to_owned()).or_default();
        change(count);
        if *count == 0 {
            counts.remove(room);
        }
        changed.insert(room.to_owned());
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the others in the room who has come, and whoever has come who is there.
fn tell_joined(chat: &Namespace, name: &RoomName, room: &str, id: SocketId) {
    // If it is gone meanwhile, that is told next; and that of a stranger means nothing to anybody.
    let Ok(socket) = chat.socket(id) else { return };
    let Some(user) = User::find(&socket) else { return };
    let joined = Joined { room: room.to_owned(), member: user.member(&socket) };
    let _ = chat.to(room).except(id).emit(JOINED, &joined);
    if let Some(ack) = user.take_joining(name) {
        answer(&ack, &Members { room: room.to_owned(), members: members(chat, room) });
    }
}
