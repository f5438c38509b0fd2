//! Emitting: from a target and a message to the rooms' logs.

use std::borrow::Cow;
use std::time::Duration;

use crate::convert::IntoPayload;
use crate::defect::{self, Defect};
use crate::entry::{Audience, Entry, NAMED};
use crate::error::EmitError;
use crate::event::{EventId, IntoEvent};
use crate::name::RoomName;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recipients::{Found, Recipients, find, own};
use crate::room::Room;
use crate::slab::SocketId;
use crate::state::{EngineCore, Mute, NamespaceCore, SocketCore};
use crate::tape::Hold;
use crate::target::{IntoTargets, Target};
use crate::terms::{Slack, Wish};
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
    #[inline]
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
    wish: Wish,
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
        Self { from, target, wish: Wish::default() }
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
        Self { wish: Wish { slack: Some(Slack::Default), ..self.wish }, ..self }
    }

    /// As [`volatile`](Self::volatile), for sockets that have more than this many messages unread when they come to
    /// it.
    pub fn volatile_behind(self, messages: u32) -> Self {
        Self { wish: Wish { slack: Some(Slack::Messages(messages)), ..self.wish }, ..self }
    }

    /// Lets the message replace the one before it with the same key, for sockets that have yet to read that: a
    /// socket that is behind gets only the newest, at the place of the newest. For what is soon out of date, and
    /// whose last state matters: where a unit is, how the vote stands.
    ///
    /// A key is written like a [room's name](crate::RoomName): text, or up to three integers. Messages replace each
    /// other that have the same event and key, and the same recipients by name: the same rooms in the same order,
    /// with the same left out. So what [`Socket::to`](crate::Socket::to) emits replaces what the same socket has
    /// emitted, as the sender is left out. A message is replaced only for those who get the newer one; it is
    /// [counted](crate::Inbox::replaced) by each. One that was replaced still counts towards the room's
    /// [backlog](crate::Backlog) until it is passed over, and a [gap](crate::Gap) does not tell it from others.
    ///
    /// ```
    /// let world = roomcast::Engine::new().of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// player.join((3, 4))?;
    /// for (unit, x) in [(7, "1"), (8, "5"), (7, "2"), (7, "3")] {
    ///     world.to((3, 4)).latest(unit).emit("position", x)?;
    /// }
    /// let mut seen = Vec::new();
    /// inbox.drain(|delivery| seen.push(delivery.payload().as_str().unwrap().to_owned()));
    /// assert_eq!((seen, inbox.replaced()), (vec!["5".to_owned(), "3".to_owned()], 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Costs the publisher two allocations and a look-up beside what the emit costs, whatever the number of members and
    /// keys; a room remembers the last message of each key while somebody can read it. Has no effect on messages that
    /// are to be [answered](Self::emit_with_ack).
    pub fn latest(self, key: impl Into<RoomName>) -> Self {
        Self { wish: Wish { key: Some(key.into()), ..self.wish }, ..self }
    }

    /// Lets the message expire: who has not read it by the first [tick](crate::Engine::tick) that is so long after
    /// the present one gets it no more, and [counts](crate::Inbox::expired) it. For what means nothing later, such
    /// as a sound.
    ///
    /// Without ticks nothing expires; nor does anything in the tick in which it was emitted. Has no effect on messages
    /// that are to be [answered](Self::emit_with_ack).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let engine = roomcast::Engine::new();
    /// let world = engine.of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// world.to(player.id()).lifetime(Duration::from_millis(50)).emit("sound", "step")?;
    /// engine.tick(Duration::from_millis(50));
    /// assert_eq!((inbox.drain(|_| {}), inbox.expired()), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { wish: Wish { lifetime: Some(lifetime), ..self.wish }, ..self }
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
        emit_to(namespace, self.from, &self.target, &self.wish, event, payload.into_payload()?)
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
        let (namespace, topic) = (self.namespace_core(), self.topic());
        let events = &namespace.engine.events;
        let emitted = match event.number(events) {
            Some(event) => {
                let payload = payload.into_payload()?;
                publish(namespace, topic, payload.len(), || Entry::All { payload, event, sender: None })
            }
            None => publish_by_name(namespace, topic, event.resolve(events)?, payload.into_payload()?, None),
        };
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
    let events = &namespace.engine.events;
    Ok(match event.number(events) {
        Some(event) => {
            let payload = payload.into_payload()?;
            publish(namespace, topic, payload.len(), || Entry::NotSender { payload, event, sender })
        }
        None => {
            publish_by_name(namespace, topic, event.resolve(events)?, payload.into_payload()?, Some(sender))
        }
    })
}

/// Emits to one socket.
pub(crate) fn emit_direct<E: IntoEvent>(
    socket: &SocketCore,
    event: E,
    payload: impl IntoPayload<E::Data>,
) -> Result<Emitted, EmitError> {
    socket.check_open()?;
    let namespace = &*socket.namespace;
    let events = &namespace.engine.events;
    let emitted = match event.number(events) {
        Some(event) => {
            let payload = payload.into_payload()?;
            let topic = socket.direct().map_err(EmitError::Closed)?;
            publish(namespace, topic, payload.len(), || Entry::All { payload, event, sender: None })
        }
        None => {
            let (event, payload) = (event.resolve(events)?, payload.into_payload()?);
            let topic = socket.direct().map_err(EmitError::Closed)?;
            publish_by_name(namespace, topic, event, payload, None)
        }
    };
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
    wish: &Wish,
    event: EventId,
    payload: Payload,
) -> Result<Emitted, EmitError> {
    let (&EventId::Listed(event), false, Some(place)) = (&event, !wish.is_plain(), target.only_place())
    else {
        return emit_widely(namespace, from, target, wish, event, payload);
    };
    let found = match place {
        Some(place) => find(namespace, place)?,
        None => Some(Found::Borrowed(&namespace.everyone)),
    };
    let Some(found) = found else { return Ok(Emitted::default()) };
    Ok(publish(namespace, found.topic(), payload.len(), || short(from, event, payload)))
}

/// To several rooms, or with somebody left out: with what takes lists.
#[inline(never)]
fn emit_widely(
    namespace: &NamespaceCore,
    from: Emitter<'_>,
    target: &Target,
    wish: &Wish,
    event: EventId,
    payload: Payload,
) -> Result<Emitted, EmitError> {
    let EngineCore { config, clock, .. } = &*namespace.engine;
    if let Some(key) = &wish.key {
        let (bytes, limit) = (key.text_len(), config.max_name_bytes);
        if bytes > limit {
            return Err(EmitError::KeyTooLong { bytes, limit });
        }
    }
    let mut who = Recipients::new(from.sender(), from.is_excepted());
    who.find(namespace, target)?;
    let (default_slack, now) = (config.volatile_backlog, clock.shared_now());
    let terms = || wish.terms(default_slack, now);
    let is_short = wish.is_plain() && matches!((&who.rooms[..], &who.except_rooms[..]), ([_], []));
    let entry = match (&event, &who.except_sockets[..], who.sender) {
        _ if who.rooms.is_empty() => return Ok(Emitted::default()),
        (&EventId::Listed(event), [], _) if is_short => short(from, event, payload),
        (&EventId::Listed(event), &[excluded], None) if is_short => {
            Entry::NotSocket { payload, event, excluded }
        }
        (&EventId::Listed(event), ..) => {
            let is_it = |audience: &Audience| {
                who.is(audience) && wish.may_share(audience.terms.as_deref(), default_slack, now)
            };
            let audience = target.cache.find(is_it).unwrap_or_else(|| {
                let audience = Audience { terms: terms(), ..who.audience() }.share();
                // What has a key is no other message's.
                if wish.key.is_some() { audience } else { target.cache.keep(audience) }
            });
            Entry::Aimed { payload, event, audience }
        }
        (EventId::Unlisted(_), ..) => aimed(event, payload, Audience { terms: terms(), ..who.audience() }),
    };
    match &who.rooms[..] {
        // Those that are replaced are not looked for on the short way.
        [room] if wish.key.is_some() => return Ok(publish_slowly(namespace, room.topic(), entry)),
        [room] => return Ok(publish(namespace, room.topic(), entry.payload().len(), || entry)),
        _ => {}
    }
    if !defect::is(Defect::UnsortedUnion) {
        who.rooms.sort_unstable_by_key(|room| room.topic().id());
    }
    let rooms = who.rooms.iter().map(|room| &**room.topic());
    let mut victims = Victims::new();
    let EngineCore { tape, events, .. } = &*namespace.engine;
    let hold = tape.hold_for(&namespace.order, events, || (namespace.everyone.id(), 0), &entry);
    let published = Topic::publish_all(rooms, entry, &namespace.order, &mut victims, hold);
    tape.spill();
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

/// Publishes a message of so many bytes, if that takes no more than to write a slot, or [slowly](publish_slowly).
///
/// In line, so that the entry is made where it is to lie. On its way through the stack it is written in parts and read as
/// a whole, for which a processor waits until the parts are in its cache: that was nearly half of the time.
#[inline(always)]
fn publish(namespace: &NamespaceCore, topic: &Topic, bytes: usize, make: impl FnOnce() -> Entry) -> Emitted {
    if namespace.engine.tape.is_on() {
        return publish_slowly(namespace, topic, make());
    }
    match topic.try_publish(bytes as u64, &namespace.order, make) {
        Ok(published) => Some(published).into(),
        Err(make) => publish_held(namespace, topic, make(), Hold::none()),
    }
}

/// As [`publish`], to all members of a room, but for a sender that is `left_out`.
#[inline(never)]
fn publish_by_name(
    namespace: &NamespaceCore,
    topic: &Topic,
    event: EventId,
    payload: Payload,
    left_out: Option<SocketId>,
) -> Emitted {
    match (event, left_out) {
        (EventId::Listed(event), None) => {
            publish(namespace, topic, payload.len(), || Entry::All { payload, event, sender: None })
        }
        (EventId::Listed(event), Some(sender)) => {
            publish(namespace, topic, payload.len(), || Entry::NotSender { payload, event, sender })
        }
        (named, sender) => {
            let audience =
                Audience { sender, except_sender: sender.is_some(), ..Audience::of_room(topic.id()) };
            publish_slowly(namespace, topic, aimed(named, payload, audience))
        }
    }
}

/// Publishes a message, whatever that takes: a segment ends, a limit is reached, somebody sleeps, nobody is there.
fn publish_slowly(namespace: &NamespaceCore, topic: &Topic, entry: Entry) -> Emitted {
    let EngineCore { tape, events, .. } = &*namespace.engine;
    let hold = tape.hold_for(&namespace.order, events, || (namespace.everyone.id(), topic.id()), &entry);
    publish_held(namespace, topic, entry, hold)
}

#[inline(never)]
fn publish_held(namespace: &NamespaceCore, topic: &Topic, entry: Entry, hold: Hold<'_>) -> Emitted {
    let mut victims = Victims::new();
    let published = topic.publish(entry, &namespace.order, &mut victims, hold);
    namespace.engine.tape.spill();
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
