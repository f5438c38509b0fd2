//! What an inbox hands out.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use crate::convert::FromPayload;
use crate::entry::{Entry, Frame, NAMED};
use crate::error::DecodeError;
use crate::event::{EventHandle, EventTable, GAP, IntoEvent};
use crate::history::{Extent, Past};
use crate::name::RoomName;
use crate::payload::Payload;
use crate::segment::Next;
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::token::{Event, Typed};
use crate::topic::{Kind, Stretch, Topic};

/// One message, as a socket gets it, or a [gap](Self::gap): borrowed from the room's log.
///
/// To keep it, [`to_message`](Self::to_message), or clone its [`payload`](Self::payload).
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    pub(crate) item: Item<'a>,
    pub(crate) sequence: u64,
    pub(crate) room: Option<&'a Arc<Topic>>,
    pub(crate) events: &'a EventTable,
}

#[derive(Clone, Copy)]
pub(crate) enum Item<'a> {
    Message(&'a Entry),
    Gap(Gap),
}

/// How many messages are missing at this point of the stream, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// How many messages addressed to this socket were lost.
    pub missed: u64,
    /// Whether `missed` is exact. If not it is an upper bound, as some of the messages may not have been
    /// for this socket: more than 4096 of them went to several rooms or left rooms out; or the socket has
    /// left the room since, and was left out of some by identity; or the memberships that would tell are
    /// lost too.
    pub exact: bool,
    /// Why.
    pub reason: GapReason,
}

/// Why messages are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The room's backlog was over its [limit](crate::Backlog).
    Backlog,
    /// The socket was moved between rooms more often than
    /// [`EngineBuilder::membership_backlog`](crate::EngineBuilder::membership_backlog) allows without
    /// being drained. Everything unread is missing, whatever its room.
    Memberships,
}

/// By which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via<'a> {
    /// To all sockets of the namespace.
    Namespace,
    /// To the members of this room.
    Room(&'a RoomName),
    /// To this socket.
    Direct,
}

/// A message to keep: [`Delivery`] without the borrow. Cloning it copies no content.
#[derive(Clone, Debug)]
pub struct Message {
    event: EventHandle,
    payload: Payload,
    sender: Option<SocketId>,
    kind: Option<Kind>,
    sequence: u64,
    gap: Option<Gap>,
    ack_id: Option<u64>,
    is_volatile: bool,
}

impl<'a> Delivery<'a> {
    /// Returns the event's name; `gap` for a [gap](Self::gap).
    #[must_use]
    pub fn event(&self) -> &'a str {
        match self.item {
            Item::Gap(_) => GAP,
            Item::Message(Entry::Aimed { event: NAMED, audience, .. }) => {
                audience.name.as_deref().expect("an event without a number has a name")
            }
            Item::Message(entry) => self.events.name(entry.event()),
        }
    }

    /// Returns whether it is this event. An [`EventHandle`] is compared by its number, which is cheaper than
    /// comparing names; text and an [`Event`] by name.
    #[must_use]
    #[inline]
    pub fn is(&self, event: impl IntoEvent) -> bool {
        match self.item {
            Item::Message(entry) if entry.event() != NAMED => event.is(self.events, entry.event()),
            _ => self.event() == event.text(),
        }
    }

    /// Reads what the message carries, if it is this event.
    ///
    /// Takes a type that is decoded, which takes the feature `serde`, or `()`. What was emitted as an `Arc<T>`
    /// is read with [`get_as`](Self::get_as).
    ///
    /// ```
    /// # #[cfg(feature = "serde")] {
    /// # use roomcast::{Engine, Event};
    /// const MOVE: Event<(i32, i32)> = Event::new("move");
    /// const SAID: Event<String> = Event::new("said");
    ///
    /// let (player, mut inbox) = Engine::new().of("/world").unwrap().connect();
    /// player.emit(MOVE, &(1, 0)).unwrap();
    /// inbox.drain(|delivery| {
    ///     if let Some(step) = delivery.get(MOVE) {
    ///         let (dx, dy) = step.unwrap();
    ///         assert_eq!((dx, dy), (1, 0));
    ///     } else if let Some(Ok(text)) = delivery.get(SAID) {
    ///         println!("{}", text.trim());
    ///     }
    /// });
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Some` error if it is the event, and carries something else: whoever emits by name may emit anything.
    #[inline]
    pub fn get<T: FromPayload<Typed<T>>>(&self, event: Event<T>) -> Option<Result<T, DecodeError>> {
        self.get_as(event)
    }

    /// Reads what the message carries as a type of your choice, if it is this event: of an
    /// [`Event<T>`](Event) as [`Shared<T>`](crate::Shared), `T` or [`Payload`], and of a name or an
    /// [`EventHandle`] as any [`FromPayload`].
    ///
    /// ```
    /// use roomcast::{Engine, Event, Shared};
    /// use std::sync::Arc;
    ///
    /// const MAP: Event<Vec<u8>> = Event::new("map");
    ///
    /// let (player, mut inbox) = Engine::new().of("/world")?.connect();
    /// let map = Arc::new(vec![0; 1000]);
    /// player.emit(MAP, Arc::clone(&map))?;
    /// let delivery = inbox.try_next().unwrap();
    /// let Some(Ok(Shared(same))) = delivery.get_as(MAP) else { panic!("a map was emitted") };
    /// assert!(Arc::ptr_eq(&map, &same));
    /// assert!(delivery.get_as::<Shared<Vec<u8>>, _>("map").is_some());
    /// assert!(delivery.get_as::<Shared<Vec<u8>>, _>("moved").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_as<T, E>(&self, event: E) -> Option<Result<T, DecodeError>>
    where
        E: IntoEvent,
        T: FromPayload<E::Data>,
    {
        self.is(event).then(|| T::from_payload(self.payload()))
    }

    /// Reads what the message carries, whatever its event, as [`Payload::decode`].
    ///
    /// # Errors
    ///
    /// If it is no such value.
    #[inline]
    pub fn decode<T: FromPayload>(&self) -> Result<T, DecodeError> {
        self.payload().decode()
    }

    /// Returns what the message carries; nothing for a [gap](Self::gap).
    #[must_use]
    #[inline]
    pub fn payload(&self) -> &'a Payload {
        match self.item {
            Item::Message(entry) => entry.payload(),
            Item::Gap(_) => empty_payload(),
        }
    }

    /// Returns the socket that emitted the message, if one did and not the namespace.
    #[must_use]
    pub fn sender(&self) -> Option<SocketId> {
        match self.item {
            Item::Message(entry) => entry.sender(),
            Item::Gap(_) => None,
        }
    }

    /// Returns the number of the answer that the message wants, if it wants one: to be given with
    /// [`Socket::answer`](crate::Socket::answer).
    #[must_use]
    pub fn ack_id(&self) -> Option<u64> {
        match self.frame() {
            Frame::Question(id) => Some(id),
            Frame::Event | Frame::Answer(_) => None,
        }
    }

    /// Returns whether it is [volatile](crate::Broadcast::volatile): not worth sending again if it gets lost.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        matches!(self.item, Item::Message(entry) if entry.is_volatile())
    }

    /// The number that this is the answer to, if it is one.
    pub(crate) fn answer_id(&self) -> Option<u64> {
        match self.frame() {
            Frame::Answer(id) => Some(id),
            Frame::Event | Frame::Question(_) => None,
        }
    }

    fn frame(&self) -> Frame {
        match self.item {
            Item::Message(entry) => entry.frame(),
            Item::Gap(_) => Frame::Event,
        }
    }

    /// Returns the room that the message came by, unless it was to everyone or direct. Of several
    /// targeted rooms, it is the first listed one that the socket was a member of.
    #[must_use]
    pub fn room(&self) -> Option<&'a RoomName> {
        self.room?.kind().room()
    }

    /// Returns by which way the message came, or `None` for a gap over all rooms.
    #[must_use]
    pub fn via(&self) -> Option<Via<'a>> {
        self.room.map(|room| Via::from(room.kind()))
    }

    /// Returns its place in the namespace's order.
    ///
    /// Sequences are unique, except for the copies of one message, and rise with time; joins and leaves
    /// take one too, so they are not contiguous. A socket sees them rise, but for messages that were
    /// being emitted at the same moment by several threads.
    #[must_use]
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns how much is missing at this point, if this tells of a gap and not of a message.
    #[must_use]
    #[inline]
    pub fn gap(&self) -> Option<Gap> {
        match self.item {
            Item::Gap(gap) => Some(gap),
            Item::Message(_) => None,
        }
    }

    /// Returns the message, to keep.
    #[must_use]
    pub fn to_message(&self) -> Message {
        let name = match self.item {
            Item::Message(entry) if entry.event() != NAMED => self.events.listed(entry.event()),
            _ => self.events.unlisted(self.event()),
        };
        Message {
            event: name,
            payload: self.payload().clone(),
            sender: self.sender(),
            kind: self.room.map(|room| room.kind().clone()),
            sequence: self.sequence,
            gap: self.gap(),
            ack_id: self.ack_id(),
            is_volatile: self.is_volatile(),
        }
    }
}

impl Stretch {
    /// Hands those messages to `f` that are kept and wanted, and returns how many, and whether all were there: the room
    /// may let go of some meanwhile.
    pub(crate) fn read(
        mut self,
        past: Past,
        room: &Arc<Topic>,
        events: &EventTable,
        mut f: impl FnMut(Delivery<'_>),
    ) -> (usize, bool) {
        let (mut count, is_keyed) = (0, past.extent == Extent::Latest);
        while self.cursor.messages() < self.end {
            self.cursor.walk(self.horizon, |sequence, entry| {
                if entry.is_kept()
                    && entry.is_current(self.horizon)
                    && (!is_keyed || entry.latest().is_some())
                {
                    count += 1;
                    f(Delivery { item: Item::Message(entry), sequence, room: Some(room), events });
                }
                ControlFlow::Continue(())
            });
            if self.cursor.messages() < self.end {
                let Next::Segment(next) = self.cursor.segment().next() else { return (count, false) };
                self.cursor.enter(next);
            }
        }
        (count, true)
    }
}

impl<'a> From<&'a Kind> for Via<'a> {
    fn from(kind: &'a Kind) -> Self {
        match kind {
            Kind::Everyone => Self::Namespace,
            Kind::Named(name) | Kind::Aside(name) => Self::Room(name),
            Kind::Direct => Self::Direct,
        }
    }
}

impl Message {
    /// Returns the event's name; `gap` for a gap.
    #[must_use]
    pub fn event(&self) -> &str {
        self.event.name()
    }

    /// Returns whether it is this event.
    #[must_use]
    pub fn is(&self, event: impl IntoEvent) -> bool {
        self.event.name() == event.text()
    }

    /// Reads what it carries, if it is this event, as [`Delivery::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get<T: FromPayload<Typed<T>>>(&self, event: Event<T>) -> Option<Result<T, DecodeError>> {
        self.get_as(event)
    }

    /// Reads what it carries as a type of your choice, if it is this event, as [`Delivery::get_as`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_as<T, E>(&self, event: E) -> Option<Result<T, DecodeError>>
    where
        E: IntoEvent,
        T: FromPayload<E::Data>,
    {
        self.is(event).then(|| T::from_payload(&self.payload))
    }

    /// Reads what it carries, whatever its event, as [`Payload::decode`].
    ///
    /// # Errors
    ///
    /// If it is no such value.
    pub fn decode<T: FromPayload>(&self) -> Result<T, DecodeError> {
        self.payload.decode()
    }

    /// Returns what the message carries.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns the socket that emitted it, as [`Delivery::sender`].
    #[must_use]
    pub fn sender(&self) -> Option<SocketId> {
        self.sender
    }

    /// Returns the room that it came by, as [`Delivery::room`].
    #[must_use]
    pub fn room(&self) -> Option<&RoomName> {
        self.kind.as_ref()?.room()
    }

    /// Returns by which way it came, as [`Delivery::via`].
    #[must_use]
    pub fn via(&self) -> Option<Via<'_>> {
        self.kind.as_ref().map(Via::from)
    }

    /// Returns its place in the namespace's order, as [`Delivery::sequence`].
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the number of the answer that it wants, as [`Delivery::ack_id`].
    #[must_use]
    pub fn ack_id(&self) -> Option<u64> {
        self.ack_id
    }

    /// Returns whether it is [volatile](crate::Broadcast::volatile), as [`Delivery::is_volatile`].
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.is_volatile
    }

    /// Returns how much is missing at this point, as [`Delivery::gap`].
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        self.gap
    }
}

#[cold]
fn empty_payload() -> &'static Payload {
    static EMPTY: LazyLock<Payload> = LazyLock::new(Payload::default);
    &EMPTY
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Delivery");
        f.field("event", &self.event());
        match self.gap() {
            Some(gap) => f.field("gap", &gap),
            None => f.field("payload", self.payload()).field("sender", &self.sender()),
        };
        f.field("room", &self.room()).field("sequence", &self.sequence).finish()
    }
}
