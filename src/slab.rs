//! Socket ids and the generational slab under them.

use std::fmt;
use std::num::NonZeroU32;

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    index: u32,
    generation: NonZeroU32,
}

impl SocketId {
    /// Returns the id as a number, to be stored or sent.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.index)
    }

    /// Returns the id of these [bits](Self::to_bits), or `None` for a number that no id has.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        Some(Self { index: bits as u32, generation })
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
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
        let generation = NonZeroU32::new(generation).expect("generations start at 1");
        let id = SocketId { index, generation };
        entry.insert(make(id));
        id
    }

    /// Whether nothing was ever in it.
    #[cfg(feature = "record")]
    pub(crate) fn is_new(&self) -> bool {
        self.generations.is_empty()
    }

    pub(crate) fn get(&self, id: SocketId) -> Option<&T> {
        if *self.generations.get(id.index as usize)? != id.generation.get() {
            return None;
        }
        self.values.get(id.index as usize)
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<T> {
        self.get(id)?;
        self.values.try_remove(id.index as usize)
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
    fn generations_wrap_past_zero() {
        let mut slab = IdSlab::new();
        let first = slab.insert(|_| ());
        slab.remove(first);
        slab.generations[0] = u32::MAX;
        let id = slab.insert(|_| ());
        assert_eq!(id.generation.get(), 1);
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
