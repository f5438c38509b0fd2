//! Whom a message is for, as plain data; and what names rooms and sockets in calls.

use std::fmt;

use smallvec::SmallVec;

use crate::entry::Audience;
use crate::error::{EmitError, StaleSocket};
use crate::name::{Number, RoomName, RoomNameError};
use crate::room::Room;
use crate::slab::SocketId;
use crate::state::{NamespaceCore, RoomRef};
use crate::sync::{Arc, OnceLock};

/// Whom a message is for: a reusable plain value.
///
/// Without [`to`](Self::to) it is every socket of the namespace. With it, the union of all that was
/// named: each socket gets a message once. [`except`](Self::except) takes away, whatever the order of
/// calls. An empty list of rooms is nobody.
///
/// A target belongs to no namespace, unless it names a [`Room`] handle. Kept and used again with
/// handles and ids, it emits without looking up names and without allocating, to several rooms too.
///
/// ```
/// use roomcast::{Engine, Target};
///
/// let engine = Engine::new();
/// let chat = engine.of("/chat")?;
/// let (alice, mut alice_inbox) = chat.connect();
/// let (bob, mut bob_inbox) = chat.connect();
/// alice.join(["red", "blue"])?;
/// bob.join("blue")?;
///
/// let both = Target::new().to(["red", "blue"]);
/// chat.target(&both).emit("news", "once")?;
/// chat.target(&both.clone().except(bob.id())).emit("news", "for alice")?;
/// let none: [&str; 0] = [];
/// chat.target(&Target::new().to(none)).emit("news", "for nobody")?;
///
/// assert_eq!((alice_inbox.drain(|_| {}), bob_inbox.drain(|_| {})), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Target {
    /// `None` is everyone.
    pub(crate) to: Option<SmallVec<[Place; 1]>>,
    pub(crate) except: SmallVec<[Place; 1]>,
    /// The audience of the last message that needed one: good for the next if it is the same.
    pub(crate) cache: Cache,
}

/// A room or a socket, as it was named.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Place {
    Name(RoomName),
    Room(Room),
    Socket(SocketId),
}

/// An audience made before. Not part of a target's value.
#[derive(Default)]
pub(crate) struct Cache(OnceLock<Arc<Audience>>);

impl Cache {
    /// The audience made before, if it is the one that is wanted.
    pub(crate) fn find(&self, is_it: impl FnOnce(&Audience) -> bool) -> Option<Arc<Audience>> {
        let cached = self.0.get()?;
        is_it(cached).then(|| Arc::clone(cached))
    }

    /// Keeps an audience that may be wanted again, if there is none yet, and returns it.
    pub(crate) fn keep(&self, made: Arc<Audience>) -> Arc<Audience> {
        if self.0.get().is_none() {
            // If somebody else was faster, that is one as good as another.
            let _ = self.0.set(Arc::clone(&made));
        }
        made
    }
}

impl Clone for Cache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Target {
    /// Creates the target of all sockets of a namespace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rooms and sockets to those that are addressed.
    #[must_use]
    pub fn to(mut self, places: impl IntoTargets) -> Self {
        add(self.to.get_or_insert_default(), places);
        self.cache = Cache::default();
        self
    }

    /// Leaves out the members of rooms, and sockets.
    #[must_use]
    pub fn except(mut self, places: impl IntoTargets) -> Self {
        add(&mut self.except, places);
        self.cache = Cache::default();
        self
    }
}

impl Target {
    /// The only place that is addressed, `None` for everyone; unless there are others, or some that are left out.
    #[inline]
    pub(crate) fn only_place(&self) -> Option<Option<&Place>> {
        match (self.to.as_deref(), &self.except[..]) {
            (None, []) => Some(None),
            (Some([place]), []) => Some(Some(place)),
            _ => None,
        }
    }

    /// Fails if it names what is of one namespace, or what cannot be a room.
    pub(crate) fn check_portable(&self, max_name_bytes: usize) -> Result<(), EmitError> {
        let to = self.to.iter().flatten();
        to.chain(&self.except).try_for_each(|place| match place {
            Place::Name(name) => Ok(name.check(max_name_bytes)?),
            Place::Room(_) => Err(RoomNameError::Foreign.into()),
            Place::Socket(id) => Err(StaleSocket(*id).into()),
        })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("to", &self.to).field("except", &self.except).finish()
    }
}

/// What names rooms in [`Socket::join`](crate::Socket::join) and its like: anything that makes a
/// [`RoomName`], a [`Room`] handle, and arrays, slices and vectors of these.
///
/// Not to be implemented outside the crate.
pub trait IntoRooms: sealed::Collect {}

/// What names rooms and sockets in [`Namespace::to`](crate::Namespace::to) and its like: all that
/// [`IntoRooms`] takes, and [`SocketId`]s.
///
/// Not to be implemented outside the crate.
pub trait IntoTargets: sealed::Collect {}

pub(crate) mod sealed {
    use super::{Place, Room, RoomName};

    pub trait Collect: Sized {
        #[doc(hidden)]
        fn count(&self) -> usize {
            1
        }

        /// The handle that it is, if it is one: to be used without being cloned, which others see.
        #[doc(hidden)]
        #[inline]
        fn as_room(&self) -> Option<&Room> {
            None
        }

        /// The name that it is, if it is one.
        #[doc(hidden)]
        #[inline]
        fn into_name(self) -> Result<RoomName, Self> {
            Err(self)
        }

        #[doc(hidden)]
        fn collect_into(self, push: &mut impl FnMut(Place));
    }
}

macro_rules! names {
    ($([$($generic:ident)*] $name:ty;)*) => {$(
        impl<$($generic: Into<Number>),*> sealed::Collect for $name {
            #[inline]
            fn into_name(self) -> Result<RoomName, Self> {
                Ok(self.into())
            }

            fn collect_into(self, push: &mut impl FnMut(Place)) {
                push(Place::Name(self.into()));
            }
        }
        impl<$($generic: Into<Number>),*> IntoRooms for $name {}
        impl<$($generic: Into<Number>),*> IntoTargets for $name {}
    )*};
}

names! {
    [] &str; [] String; [] &String; [] RoomName; [] &RoomName;
    [] i8; [] i16; [] i32; [] i64; [] isize; [] u8; [] u16; [] u32; [] u64; [] usize;
    [A B] (A, B);
    [A B C] (A, B, C);
}

impl sealed::Collect for Room {
    #[inline]
    fn as_room(&self) -> Option<&Room> {
        Some(self)
    }

    fn collect_into(self, push: &mut impl FnMut(Place)) {
        push(Place::Room(self));
    }
}

impl sealed::Collect for &Room {
    #[inline]
    fn as_room(&self) -> Option<&Room> {
        Some(self)
    }

    fn collect_into(self, push: &mut impl FnMut(Place)) {
        push(Place::Room(self.clone()));
    }
}

impl sealed::Collect for SocketId {
    fn collect_into(self, push: &mut impl FnMut(Place)) {
        push(Place::Socket(self));
    }
}

impl IntoRooms for Room {}
impl IntoRooms for &Room {}
impl IntoTargets for Room {}
impl IntoTargets for &Room {}
impl IntoTargets for SocketId {}

macro_rules! lists {
    ($([$($size:ident)?] $list:ty, $each:ident, $item:ident => $place:expr;)*) => {$(
        impl<'a, T $(, const $size: usize)?> sealed::Collect for $list
        where
            T: sealed::Collect + Clone,
        {
            fn count(&self) -> usize {
                self.len()
            }

            fn collect_into(self, push: &mut impl FnMut(Place)) {
                self.$each().for_each(|$item| $place.collect_into(push));
            }
        }
        impl<'a, T: IntoRooms + Clone $(, const $size: usize)?> IntoRooms for $list {}
        impl<'a, T: IntoTargets + Clone $(, const $size: usize)?> IntoTargets for $list {}
    )*};
}

lists! {
    [] &'a [T], iter, item => item.clone();
    [] &'a Vec<T>, iter, item => item.clone();
    [N] &'a [T; N], iter, item => item.clone();
    [] Vec<T>, into_iter, item => item;
    [N] [T; N], into_iter, item => item;
}

/// Adds what is named to a list.
#[inline]
fn add<A: smallvec::Array<Item = Place>>(list: &mut SmallVec<A>, places: impl sealed::Collect) {
    list.reserve_exact(places.count());
    places.collect_into(&mut |place| list.push(place));
}

/// Calls `f` with rooms as they are named in a call on a socket of this namespace.
pub(crate) fn with_rooms<R, E: From<RoomNameError>>(
    rooms: impl IntoRooms,
    namespace: &NamespaceCore,
    f: impl FnOnce(&[RoomRef<'_>]) -> Result<R, E>,
) -> Result<R, E> {
    // Nearly always it is one: then without a list.
    if let Some(handle) = rooms.as_room() {
        return f(&[of_handle(handle, namespace)?]);
    }
    let rooms = match rooms.into_name() {
        Ok(name) => return f(&[RoomRef::Name(&name)]),
        Err(rooms) => rooms,
    };
    let mut places: SmallVec<[Place; 2]> = SmallVec::new();
    add(&mut places, rooms);
    with_places(&places, namespace, f)
}

/// Calls `f` with rooms as they were named, in a call on a socket of this namespace.
pub(crate) fn with_places<R, E: From<RoomNameError>>(
    places: &[Place],
    namespace: &NamespaceCore,
    f: impl FnOnce(&[RoomRef<'_>]) -> Result<R, E>,
) -> Result<R, E> {
    let rooms: Result<SmallVec<[_; 4]>, RoomNameError> =
        places.iter().map(|place| room(place, namespace)).collect();
    f(&rooms?)
}

#[inline]
fn room<'a>(place: &'a Place, namespace: &NamespaceCore) -> Result<RoomRef<'a>, RoomNameError> {
    match place {
        Place::Name(name) => Ok(RoomRef::Name(name)),
        Place::Room(room) => of_handle(room, namespace),
        Place::Socket(_) => unreachable!("an id is not `IntoRooms`"),
    }
}

#[inline]
fn of_handle<'a>(room: &'a Room, namespace: &NamespaceCore) -> Result<RoomRef<'a>, RoomNameError> {
    if room.is_of(namespace) { Ok(RoomRef::Topic(room.topic())) } else { Err(RoomNameError::Foreign) }
}
