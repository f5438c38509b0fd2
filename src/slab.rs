//! Socket ids and the generational slab under them.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;

use slab::Slab;

/// Names a socket of one [`Engine`](crate::Engine): a slab index and a generation, 8 bytes, `Copy`.
///
/// An id outlives its socket harmlessly. The place of a closed socket is given to a later one under
/// another generation, so a stale id is an error wherever one is taken, never somebody else's
/// socket. (After 2³² sockets in one and the same place its generations start over.) Ids compare by
/// place first; that order means nothing but is always the same. `Debug` shows `7v1`: place 7, first
/// generation.
///
/// ```
/// let engine = roomcast::Engine::new();
/// let (socket, _inbox) = engine.of("/")?.connect();
/// let id: roomcast::SocketId = socket.id();
/// assert_eq!(size_of_val(&id), 8);
/// assert_eq!(roomcast::SocketId::from_bits(id.to_bits()), Some(id));
/// # Ok::<(), roomcast::NamespaceError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(
    /// The generation, which is not 0, above the index. One number, as each message is asked whether it leaves its
    /// reader out.
    NonZeroU64,
);

impl SocketId {
    /// Returns the id as a number, to be stored or sent.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// Returns the id of these [bits](Self::to_bits), or `None` for a number that no id has.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).filter(|bits| bits.get() >> 32 != 0).map(Self)
    }

    fn index(self) -> u32 {
        self.0.get() as u32
    }

    fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

impl Ord for SocketId {
    fn cmp(&self, other: &Self) -> Ordering {
        // The index is above the generation then.
        self.0.get().rotate_left(32).cmp(&other.0.get().rotate_left(32))
    }
}

impl PartialOrd for SocketId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index(), self.generation())
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Values by [`SocketId`].
///
/// Places are reused last freed first, so ids depend on nothing but the order of calls. A place
/// keeps four bytes for its generation for ever.
#[derive(Debug)]
pub(crate) struct IdSlab<T> {
    values: Slab<T>,
    /// By place: how often it was given away.
    generations: Vec<u32>,
}

impl<T> IdSlab<T> {
    pub(crate) fn new() -> Self {
        Self { values: Slab::new(), generations: Vec::new() }
    }

    /// Adds what `make` returns for the new id.
    ///
    /// # Panics
    ///
    /// With 2³² values in it.
    pub(crate) fn insert(&mut self, make: impl FnOnce(SocketId) -> T) -> SocketId {
        let entry = self.values.vacant_entry();
        let place = entry.key();
        let index = u32::try_from(place).expect("fewer than 2^32 sockets at a time");
        if place == self.generations.len() {
            self.generations.push(0);
        }
        let generation = self.generations[place].checked_add(1).unwrap_or(1);
        self.generations[place] = generation;
        let id = SocketId::from_bits(u64::from(generation) << 32 | u64::from(index));
        let id = id.expect("generations start at 1");
        entry.insert(make(id));
        id
    }

    /// Whether nothing was ever in it.
    #[cfg(feature = "record")]
    pub(crate) fn is_new(&self) -> bool {
        self.generations.is_empty()
    }

    pub(crate) fn get(&self, id: SocketId) -> Option<&T> {
        if *self.generations.get(id.index() as usize)? != id.generation() {
            return None;
        }
        self.values.get(id.index() as usize)
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<T> {
        self.get(id)?;
        self.values.try_remove(id.index() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_finds_nothing() {
        let mut slab = IdSlab::new();
        let first = slab.insert(|_| 'a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert(|_| 'b');
        assert_eq!(format!("{first:?} {second}"), "0v1 0v2");
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.values.len(), 1);
    }

    #[test]
    fn ids_compare_by_place_first() {
        let id = |index: u64, generation: u64| SocketId::from_bits(generation << 32 | index).unwrap();
        assert!(id(0, 2) < id(1, 1) && id(1, 1) < id(1, 2) && id(7, 1) < id(1 << 31, 1));
        assert_eq!(id(1, 2).cmp(&id(1, 2)), Ordering::Equal);
        assert_eq!((SocketId::from_bits(7), SocketId::from_bits(0)), (None, None));
        assert_eq!(size_of::<Option<SocketId>>(), 8);
    }

    #[test]
    fn generations_wrap_past_zero() {
        let mut slab = IdSlab::new();
        let first = slab.insert(|_| ());
        slab.remove(first);
        slab.generations[0] = u32::MAX;
        let id = slab.insert(|_| ());
        assert_eq!(id.generation(), 1);
    }

    #[test]
    fn bits_round_trip_and_zero_is_no_id() {
        let mut slab = IdSlab::new();
        let id = slab.insert(|_| ());
        assert_eq!(SocketId::from_bits(id.to_bits()), Some(id));
        assert_eq!(SocketId::from_bits(0), None);
        assert_eq!(size_of::<Option<SocketId>>(), 8);
    }
}
