//! Whom an emit is for: from the places that a target names to rooms.

use smallvec::SmallVec;

use crate::entry::{Audience, Frame};
use crate::error::{EmitError, StaleSocket};
use crate::name::RoomNameError;
use crate::room::Room;
use crate::slab::SocketId;
use crate::state::NamespaceCore;
use crate::sync::Arc;
use crate::target::{Place, Target};
use crate::topic::{Listed, MANY, Role, Topic};

/// A room to publish to: borrowed from the target, or found for this emit.
pub(crate) enum Found<'a> {
    Borrowed(&'a Arc<Topic>),
    Owned(Arc<Topic>),
}

/// What a target names, found, and who emits to it.
pub(crate) struct Recipients<'a> {
    /// In the order in which the target lists them, each once.
    pub(crate) rooms: SmallVec<[Found<'a>; MANY]>,
    pub(crate) except_rooms: SmallVec<[Found<'a>; 2]>,
    /// Not the sender, if that is left out anyway.
    pub(crate) except_sockets: SmallVec<[SocketId; 2]>,
    pub(crate) sender: Option<SocketId>,
    pub(crate) except_sender: bool,
}

impl Found<'_> {
    #[inline]
    pub(crate) fn topic(&self) -> &Arc<Topic> {
        match self {
            Self::Borrowed(topic) => topic,
            Self::Owned(topic) => topic,
        }
    }
}

impl<'a> Recipients<'a> {
    /// Nobody so far.
    #[inline]
    pub(crate) fn new(sender: Option<SocketId>, except_sender: bool) -> Self {
        Self {
            rooms: SmallVec::new(),
            except_rooms: SmallVec::new(),
            except_sockets: SmallVec::new(),
            sender,
            except_sender,
        }
    }

    /// Finds all that a target names. In place, as this is large.
    #[inline(always)] // into the emit to several rooms
    pub(crate) fn find(&mut self, namespace: &'a NamespaceCore, target: &'a Target) -> Result<(), EmitError> {
        let Some(places) = &target.to else {
            self.rooms.push(Found::Borrowed(&namespace.everyone));
            return self.find_excepted(namespace, target);
        };
        for place in places {
            if let Some(next) = find(namespace, place)? {
                let id = next.topic().id();
                if !self.rooms.iter().any(|found| found.topic().id() == id) {
                    self.rooms.push(next);
                }
            }
        }
        self.find_excepted(namespace, target)
    }

    fn find_excepted(&mut self, namespace: &'a NamespaceCore, target: &'a Target) -> Result<(), EmitError> {
        for place in &target.except {
            match place {
                Place::Name(name) => {
                    namespace.check(name)?;
                    self.except_rooms.extend(namespace.rooms.get(name).map(Found::Owned));
                }
                Place::Room(room) => self.except_rooms.push(Found::Borrowed(own(namespace, room)?)),
                // A stale id leaves out nobody, as it should.
                Place::Socket(id) if self.excludes(*id) => {}
                Place::Socket(id) => self.except_sockets.push(*id),
            }
        }
        Ok(())
    }

    /// Whether a socket is left out by identity.
    pub(crate) fn excludes(&self, socket: SocketId) -> bool {
        self.except_sockets.contains(&socket) || self.except_sender && self.sender == Some(socket)
    }

    /// Who is left out by identity, each once.
    pub(crate) fn left_out(&self) -> SmallVec<[SocketId; 2]> {
        let sender = self.sender.filter(|_| self.except_sender);
        self.except_sockets.iter().copied().chain(sender).collect()
    }

    pub(crate) fn audience(&self) -> Audience {
        Audience {
            rooms: self.rooms.iter().map(|found| found.topic().id()).collect(),
            except_rooms: self.except_rooms.iter().map(|found| found.topic().id()).collect(),
            except_sockets: SmallVec::from_slice(&self.except_sockets),
            sender: self.sender,
            except_sender: self.except_sender,
            ..Audience::default()
        }
    }

    /// Whether this is the [audience](Self::audience) of an event with a number, on whatever terms.
    pub(crate) fn is(&self, audience: &Audience) -> bool {
        let are = |found: &[Found<'_>], rooms: &[u64]| {
            found.len() == rooms.len()
                && found.iter().zip(rooms).all(|(found, room)| found.topic().id() == *room)
        };
        // All is named here, so that whatever is added to an audience is thought of.
        let Audience {
            rooms,
            except_rooms,
            except_sockets,
            sender,
            except_sender,
            name,
            frame,
            terms: _,
            clear_in: _,
        } = audience;
        are(&self.rooms, rooms)
            && are(&self.except_rooms, except_rooms)
            && self.except_sockets == *except_sockets
            && (self.sender, self.except_sender) == (*sender, *except_sender)
            && (name, *frame) == (&None, Frame::Event)
    }

    /// All rooms by id, each once: what is left out is not addressed.
    pub(crate) fn listed(&self) -> SmallVec<[Listed<'_>; 4]> {
        fn as_role<'a>(role: Role) -> impl Fn(&'a Found<'a>) -> Listed<'a> {
            move |found| (&**found.topic(), role)
        }
        let except_rooms = self.except_rooms.iter().map(as_role(Role::LeftOut));
        let mut rooms: SmallVec<[Listed<'_>; 4]> =
            except_rooms.chain(self.rooms.iter().map(as_role(Role::Addressed))).collect();
        // Stable: of a room that is both, what it is first stays.
        rooms.sort_by_key(|(topic, _)| topic.id());
        rooms.dedup_by_key(|(topic, _)| topic.id());
        rooms
    }
}

/// Finds an addressed room, if it exists, or a socket's.
#[inline]
pub(crate) fn find<'a>(namespace: &NamespaceCore, place: &'a Place) -> Result<Option<Found<'a>>, EmitError> {
    Ok(match place {
        Place::Name(name) => {
            namespace.check(name)?;
            namespace.rooms.get(name).map(Found::Owned)
        }
        Place::Room(room) => Some(Found::Borrowed(own(namespace, room)?)),
        Place::Socket(id) => {
            let socket = namespace.socket(*id)?;
            let topic = socket.direct().map_err(|_| StaleSocket(*id))?;
            Some(Found::Owned(Arc::clone(topic)))
        }
    })
}

/// The topic of a room that is of this namespace.
#[inline]
pub(crate) fn own<'a>(namespace: &NamespaceCore, room: &'a Room) -> Result<&'a Arc<Topic>, RoomNameError> {
    if room.is_of(namespace) { Ok(room.topic()) } else { Err(RoomNameError::Foreign) }
}
