//! Doing something with all sockets that a target addresses: listing them, moving them between rooms,
//! disconnecting them.

use crate::broadcast::Broadcast;
use crate::error::{EmitError, MembershipError};
use crate::namespace::Namespace;
use crate::reason::DisconnectReason;
use crate::recipients::Recipients;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::{Cut, SocketCore};
use crate::target::{IntoRooms, Place};
use crate::topic::Topic;

/// What became of a change to all sockets of a target.
///
/// ```
/// use roomcast::{Engine, MembershipError};
///
/// let game = Engine::new().of("/game")?;
/// let players: Vec<_> = (0..3).map(|_| game.connect()).collect();
/// let table = game.room("table")?;
/// table.set_capacity(2);
/// players[0].0.join(&table)?;
///
/// let seated = game.everyone().join("table")?;
/// assert_eq!((seated.sockets(), seated.changed()), (3, 1)); // one was there
/// let (socket, why) = &seated.refused()[0];
/// assert_eq!(*socket, players[2].0.id());
/// assert!(matches!(why, MembershipError::Refused { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    sockets: usize,
    changed: usize,
    refused: Vec<(SocketId, MembershipError)>,
}

impl Selected {
    /// Adds what became of it in another namespace.
    pub(crate) fn add(&mut self, other: Self) {
        self.sockets += other.sockets;
        self.changed += other.changed;
        self.refused.extend(other.refused);
    }

    /// Returns how many sockets the target addressed.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets
    }

    /// Returns how many of them the call changed something for.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.changed
    }

    /// Returns the sockets that nothing was changed for, and why: a room refused them, or they were closed at
    /// that moment.
    #[must_use]
    pub fn refused(&self) -> &[(SocketId, MembershipError)] {
        &self.refused
    }
}

/// Socket.IO's `fetchSockets`, `socketsJoin`, `socketsLeave` and `disconnectSockets`. The sockets are those
/// that a message emitted at that moment would be for: those too that are in an addressed room and still with the
/// middlewares. What happens to the rooms meanwhile changes nothing about it.
impl Broadcast<'_> {
    /// Returns the sockets, each once: room by room, in joining order. O(members).
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn sockets(&self) -> Result<Vec<Socket>, EmitError> {
        let namespace = self.from.namespace();
        self.from.check()?;
        let mut who = Recipients::new(self.from.sender(), self.from.is_excepted());
        who.find(namespace, &self.target)?;
        let ids = Topic::list(&who.listed()).into_iter().filter(|id| !who.excludes(*id));
        // One that is closed since is not found.
        Ok(ids.filter_map(|id| namespace.occupant(id)).map(Socket::new).collect())
    }

    /// Makes each of the sockets join rooms. See [`Socket::join`].
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit). If a room refuses a socket, that is in what is returned.
    pub fn join(&self, rooms: impl IntoRooms) -> Result<Selected, EmitError> {
        let rooms = collect(rooms);
        self.change(|socket| socket.join_places(&rooms))
    }

    /// Makes each of the sockets leave rooms. See [`Socket::leave`].
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn leave(&self, rooms: impl IntoRooms) -> Result<Selected, EmitError> {
        let rooms = collect(rooms);
        self.change(|socket| socket.leave_places(&rooms))
    }

    /// Disconnects each of the sockets. See [`Socket::disconnect`]. What was emitted to them before can still
    /// be drained.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn disconnect(&self, reason: impl Into<DisconnectReason>) -> Result<Selected, EmitError> {
        let (reason, sockets) = (reason.into(), self.sockets()?);
        // All are cut off before the hooks of one are called.
        let cut: Vec<_> =
            sockets.iter().filter_map(|socket| SocketCore::cut(socket.core(), reason.clone())).collect();
        let selected = Selected { sockets: sockets.len(), changed: cut.len(), refused: Vec::new() };
        Cut::tell_all(cut);
        Ok(selected)
    }

    fn change(
        &self,
        change: impl Fn(&Socket) -> Result<usize, MembershipError>,
    ) -> Result<Selected, EmitError> {
        let mut selected = Selected::default();
        for socket in self.sockets()? {
            selected.sockets += 1;
            match change(&socket) {
                Ok(changes) => selected.changed += usize::from(changes > 0),
                Err(error) => selected.refused.push((socket.id(), error)),
            }
        }
        Ok(selected)
    }
}

impl Namespace {
    /// Returns all connected sockets, in the order in which they connected. O(sockets).
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.socket_ids().into_iter().filter_map(|id| self.socket(id).ok()).collect()
    }
}

fn collect(rooms: impl IntoRooms) -> Vec<Place> {
    let mut places = Vec::new();
    rooms.collect_into(&mut |place| places.push(place));
    places
}
