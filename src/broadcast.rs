//! Emitting: from a target and a message to the rooms' logs.

use std::borrow::Cow;

use crate::convert::IntoPayload;
use crate::defect::{self, Defect};
use crate::entry::{Audience, Entry, NAMED};
use crate::error::EmitError;
use crate::event::{EventId, IntoEvent};
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recipients::{Found, Recipients, find, own};
use crate::room::Room;
use crate::slab::SocketId;
use crate::state::{Mute, NamespaceCore, SocketCore};
use crate::target::{IntoTargets, Target};
use crate::topic::{Published, Topic, Victims};

/// What an emit did, as far as that is free to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    sequence: Option<u64>,
    members: usize,
    rooms: usize,
}

impl Emitted {
    /// Returns the message's place in the namespace's order, or `None` if it was addressed to nobody.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Returns how many members the addressed rooms had, those left out and those in several of them
    /// included: an upper bound of the recipients, and exact for one room with nobody left out.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// Returns how many rooms with members it was addressed to. Everyone counts as one, and so does a
    /// socket.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms
    }
}

impl Emitted {
    /// Adds what an emit in another namespace did.
    pub(crate) fn add(&mut self, other: Self) {
        self.sequence = None;
        self.members += other.members;
        self.rooms += other.rooms;
    }
}

impl From<Option<Published>> for Emitted {
    fn from(published: Option<Published>) -> Self {
        published.map_or(Self::default(), |published| Self {
            sequence: Some(published.sequence),
            members: published.members,
            rooms: published.rooms,
        })
    }
}

/// An emit in the making: whom it is for, and who it is from. Comes from
/// [`Namespace::to`](crate::Namespace::to), [`Socket::to`](crate::Socket::to) and their like.
///
/// A plain value: each call returns a new one, and one can be used for many emits. To keep it beyond the
/// borrow of the namespace or socket, keep a [`Target`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit`"]
pub struct Broadcast<'a> {
    pub(crate) from: Emitter<'a>,
    pub(crate) target: Cow<'a, Target>,
    is_volatile: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Emitter<'a> {
    Namespace(&'a NamespaceCore),
    /// A socket, which gets the message too if it is addressed.
    Socket(&'a SocketCore),
    /// A socket, which does not.
    Others(&'a SocketCore),
}

impl<'a> Broadcast<'a> {
    pub(crate) fn new(from: Emitter<'a>, target: Cow<'a, Target>) -> Self {
        Self { from, target, is_volatile: false }
    }

    /// Adds rooms and sockets to those that are addressed: a union, each socket gets the message once.
    pub fn to(self, places: impl IntoTargets) -> Self {
        Self { target: Cow::Owned(self.target.into_owned().to(places)), ..self }
    }

    /// Leaves out the members of rooms, and sockets. Exclusion beats inclusion.
    pub fn except(self, places: impl IntoTargets) -> Self {
        Self { target: Cow::Owned(self.target.into_owned().except(places)), ..self }
    }

    /// Lets sockets that are behind do without: one that has more than
    /// [`EngineBuilder::volatile_backlog`](crate::EngineBuilder::volatile_backlog) messages unread when it
    /// comes to this one drops it, and [counts](crate::Inbox::volatile_dropped) it. For what is soon out of
    /// date. It keeps its place among the other messages: it never overtakes one, and does not replace an
    /// earlier volatile one.
    ///
    /// ```
    /// let world = roomcast::Engine::builder().volatile_backlog(0).build().of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// player.join((3, 4))?;
    /// for x in ["1", "2", "3"] {
    ///     world.to((3, 4)).volatile().emit("position", x)?;
    /// }
    /// inbox.drain(|delivery| assert_eq!(delivery.payload().as_str(), Some("1")));
    /// assert_eq!(inbox.volatile_dropped(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What counts as unread is what the same drain, or with the other ways to read the same look at what
    /// there is, hands out before. Has no effect on messages that are to be [answered](Self::emit_with_ack).
    pub fn volatile(self) -> Self {
        Self { is_volatile: true, ..self }
    }

    /// Emits a message, from any thread: it is in the inboxes of all whom it is for when this returns.
    ///
    /// Costs the same whatever the number of members. Room names cost a look-up each; a message to
    /// several rooms, or that leaves out more than one socket, allocates the first time for
    /// this value. If sockets sleep in an addressed room, waking them is part of this call, and so is
    /// disconnecting those over their [backlog](crate::Backlog).
    ///
    /// # Errors
    ///
    /// Nobody gets anything if the event name or a room name is refused, the payload cannot be made, an
    /// addressed socket is gone, the emitting socket is closed or the namespace is removed. An addressed
    /// room that does not exist is no error: it has no members.
    pub fn emit<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        let namespace = self.from.namespace();
        self.from.check()?;
        let event = event.resolve(&namespace.engine.events)?;
        emit_to(namespace, self.from, &self.target, self.is_volatile, event, payload.into_payload()?)
    }
}

impl<'a> Emitter<'a> {
    pub(crate) fn namespace(self) -> &'a NamespaceCore {
        match self {
            Self::Namespace(namespace) => namespace,
            Self::Socket(socket) | Self::Others(socket) => &socket.namespace,
        }
    }

    pub(crate) fn check(self) -> Result<(), EmitError> {
        match self {
            Self::Namespace(namespace) if namespace.is_closed() => Err(EmitError::NamespaceClosed),
            Self::Namespace(_) => Ok(()),
            Self::Socket(socket) | Self::Others(socket) => Ok(socket.check_speaks()?),
        }
    }

    pub(crate) fn sender(self) -> Option<SocketId> {
        match self {
            Self::Namespace(_) => None,
            Self::Socket(socket) | Self::Others(socket) => Some(socket.id()),
        }
    }

    /// Whether the sender does not get the message.
    pub(crate) fn is_excepted(self) -> bool {
        matches!(self, Self::Others(_))
    }
}

impl Room {
    /// Emits a message to all members: the fastest way. Otherwise as [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// If the event name is refused, the payload cannot be made or the namespace is removed.
    pub fn emit<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        let namespace = self.namespace_core();
        let events = &namespace.engine.events;
        let entry = match event.number(events) {
            Some(event) => Entry::All { payload: payload.into_payload()?, event, sender: None },
            None => match event.resolve(events)? {
                EventId::Listed(event) => {
                    Entry::All { payload: payload.into_payload()?, event, sender: None }
                }
                named @ EventId::Unlisted(_) => {
                    aimed(named, payload.into_payload()?, Audience::of_room(self.topic().id()))
                }
            },
        };
        let emitted = publish(namespace, self.topic(), entry);
        if emitted.sequence.is_none() && namespace.is_closed() {
            return Err(EmitError::NamespaceClosed);
        }
        Ok(emitted)
    }
}

/// Emits to a room, from a socket, that socket excluded.
pub(crate) fn emit_from<E: IntoEvent>(
    room: &Room,
    socket: &SocketCore,
    event: E,
    payload: impl IntoPayload<E::Data>,
) -> Result<Emitted, EmitError> {
    socket.check_speaks()?;
    let namespace = &*socket.namespace;
    let topic = own(namespace, room)?;
    let sender = socket.id();
    let event = event.resolve(&namespace.engine.events)?;
    let payload = payload.into_payload()?;
    let entry = match event {
        EventId::Listed(event) => Entry::NotSender { payload, event, sender },
        named @ EventId::Unlisted(_) => {
            let audience =
                Audience { sender: Some(sender), except_sender: true, ..Audience::of_room(topic.id()) };
            aimed(named, payload, audience)
        }
    };
    Ok(publish(namespace, topic, entry))
}

/// Emits to one socket.
pub(crate) fn emit_direct<E: IntoEvent>(
    socket: &SocketCore,
    event: E,
    payload: impl IntoPayload<E::Data>,
) -> Result<Emitted, EmitError> {
    socket.check_open()?;
    let namespace = &*socket.namespace;
    let event = event.resolve(&namespace.engine.events)?;
    let payload = payload.into_payload()?;
    let topic = socket.direct().map_err(EmitError::Closed)?;
    let entry = match event {
        EventId::Listed(event) => Entry::All { payload, event, sender: None },
        named @ EventId::Unlisted(_) => aimed(named, payload, Audience::of_room(topic.id())),
    };
    let emitted = publish(namespace, topic, entry);
    if emitted.sequence.is_none() {
        socket.check_open()?; // closed meanwhile
    }
    Ok(emitted)
}

impl From<Mute> for EmitError {
    fn from(mute: Mute) -> Self {
        match mute {
            Mute::Connecting => Self::Connecting,
            Mute::Closed(reason) => Self::Closed(reason),
        }
    }
}

fn emit_to(
    namespace: &NamespaceCore,
    from: Emitter<'_>,
    target: &Target,
    is_volatile: bool,
    event: EventId,
    payload: Payload,
) -> Result<Emitted, EmitError> {
    let (&EventId::Listed(event), false, Some(place)) = (&event, is_volatile, target.only_place()) else {
        return emit_widely(namespace, from, target, is_volatile, event, payload);
    };
    let found = match place {
        Some(place) => find(namespace, place)?,
        None => Some(Found::Borrowed(&namespace.everyone)),
    };
    let Some(found) = found else { return Ok(Emitted::default()) };
    Ok(publish(namespace, found.topic(), short(from, event, payload)))
}

/// To several rooms, or with somebody left out: with what takes lists.
#[inline(never)]
fn emit_widely(
    namespace: &NamespaceCore,
    from: Emitter<'_>,
    target: &Target,
    is_volatile: bool,
    event: EventId,
    payload: Payload,
) -> Result<Emitted, EmitError> {
    let mut who = Recipients::new(from.sender(), from.is_excepted());
    who.find(namespace, target)?;
    let is_short = !is_volatile && matches!((&who.rooms[..], &who.except_rooms[..]), ([_], []));
    let entry = match (&event, &who.except_sockets[..], who.sender) {
        _ if who.rooms.is_empty() => return Ok(Emitted::default()),
        (&EventId::Listed(event), [], _) if is_short => short(from, event, payload),
        (&EventId::Listed(event), &[excluded], None) if is_short => {
            Entry::NotSocket { payload, event, excluded }
        }
        (&EventId::Listed(event), ..) => {
            let is_it = |audience: &Audience| audience.is_volatile == is_volatile && who.is(audience);
            let audience = target.cache.get(is_it, || Audience { is_volatile, ..who.audience() });
            Entry::Aimed { payload, event, audience }
        }
        (EventId::Unlisted(_), ..) => aimed(event, payload, Audience { is_volatile, ..who.audience() }),
    };
    if let [room] = &who.rooms[..] {
        return Ok(publish(namespace, room.topic(), entry));
    }
    if !defect::is(Defect::UnsortedUnion) {
        who.rooms.sort_unstable_by_key(|room| room.topic().id());
    }
    let rooms = who.rooms.iter().map(|room| &**room.topic());
    let mut victims = Victims::new();
    let published = Topic::publish_all(rooms, entry, &namespace.order, &mut victims);
    disconnect_all(namespace, &victims);
    Ok(published.into())
}

/// A message to a room with nobody left out but the sender, if that is.
fn short(from: Emitter<'_>, event: u32, payload: Payload) -> Entry {
    match from {
        Emitter::Namespace(_) => Entry::All { payload, event, sender: None },
        Emitter::Socket(socket) => Entry::All { payload, event, sender: Some(socket.id()) },
        Emitter::Others(socket) => Entry::NotSender { payload, event, sender: socket.id() },
    }
}

/// A message that takes an audience, as a short form cannot say what it says.
pub(crate) fn aimed(event: EventId, payload: Payload, audience: Audience) -> Entry {
    let (event, name) = match event {
        EventId::Listed(event) => (event, None),
        EventId::Unlisted(name) => (NAMED, Some(name)),
    };
    Entry::Aimed { payload, event, audience: Audience { name, ..audience }.share() }
}

#[inline]
fn publish(namespace: &NamespaceCore, topic: &Topic, entry: Entry) -> Emitted {
    match topic.try_publish(entry, &namespace.order) {
        Ok(published) => Some(published).into(),
        Err(entry) => publish_slowly(namespace, topic, entry),
    }
}

/// What is rare: a segment ends, a limit is reached, somebody sleeps, nobody is there.
#[inline(never)]
fn publish_slowly(namespace: &NamespaceCore, topic: &Topic, entry: Entry) -> Emitted {
    let mut victims = Victims::new();
    let published = topic.publish(entry, &namespace.order, &mut victims);
    disconnect_all(namespace, &victims);
    published.into()
}

#[inline]
pub(crate) fn disconnect_all(namespace: &NamespaceCore, victims: &[SocketId]) {
    for &id in victims {
        if let Ok(socket) = namespace.socket(id) {
            SocketCore::disconnect(&socket, DisconnectReason::Backlog);
        }
    }
}
