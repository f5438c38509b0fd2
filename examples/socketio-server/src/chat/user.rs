//! What the chat keeps with a socket, and what its handlers do with every one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roomcast::{AckSender, RoomName, Socket};
use serde::Serialize;

use super::protocol::{MAX_ROOM, Member, Refused, check_name};

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    key: Option<String>,
    /// What answers those of its joins that are not told yet.
    joining: Mutex<Vec<(RoomName, AckSender)>>,
    is_asking: AtomicBool,
}

impl User {
    pub(super) fn new(name: String, key: Option<String>) -> Self {
        Self { name, key, joining: Mutex::default(), is_asking: AtomicBool::new(false) }
    }

    /// Returns whose socket it is.
    pub(super) fn of(socket: &Socket) -> Arc<Self> {
        Self::find(socket).expect("the middleware has set it")
    }

    /// Returns whose socket it is, unless it is one of the server's own, which passes no middleware.
    pub(super) fn find(socket: &Socket) -> Option<Arc<Self>> {
        socket.data()
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    pub(super) fn member(&self, socket: &Socket) -> Member {
        Member { id: socket.id().to_string(), name: self.name.clone() }
    }

    /// Keeps what answers a join.
    pub(super) fn keep_joining(&self, room: RoomName, ack: AckSender) {
        self.joining().push((room, ack));
    }

    /// Takes what answers the oldest join of this room.
    pub(super) fn take_joining(&self, room: &RoomName) -> Option<AckSender> {
        let mut joining = self.joining();
        let place = joining.iter().position(|(joined, _)| joined == room)?;
        Some(joining.remove(place).1)
    }

    /// Notes whether a question of its is open, and returns whether one was.
    pub(super) fn set_asking(&self, is_asking: bool) -> bool {
        self.is_asking.swap(is_asking, Ordering::Relaxed)
    }

    fn joining(&self) -> MutexGuard<'_, Vec<(RoomName, AckSender)>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers, unless the one who asked is gone: then nobody waits for it.
pub(super) fn answer(ack: &AckSender, outcome: &impl Serialize) {
    let _ = ack.send(outcome);
}

pub(super) fn check_room(room: &str) -> Result<(), Refused> {
    check_name("the room", room, MAX_ROOM, "bad-room")
}

pub(super) fn check_member(socket: &Socket, room: &str) -> Result<(), Refused> {
    check_room(room)?;
    match socket.is_in(room) {
        true => Ok(()),
        false => Err(Refused::new("not-a-member", format!("you are not in {room}"))),
    }
}
