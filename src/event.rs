//! What names events, and the table that makes small numbers of them.

use std::array;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::AtomicU32;

use hashbrown::HashTable;
use smol_str::SmolStr;

use crate::error::EventError;
use crate::sync::{IS_MODEL, Keys, OnceLock, Ordering, RwLock};
use crate::token::{Event, Typed, Untyped};

/// Names that no event has: those that Socket.IO keeps for itself.
const RESERVED: [&str; 4] = ["connect", "connect_error", "disconnect", "disconnecting"];

/// The event name of a [gap](crate::Delivery::gap). Nobody emits it here; to clients it is a name like others.
pub(crate) const GAP: &str = "gap";

/// An event name that its engine has resolved: emitting under it hashes nothing and allocates nothing. It is
/// to the name what a [`Room`](crate::Room) is to a room's.
///
/// Comes from [`Namespace::event`](crate::Namespace::event). It can be used wherever a name can; with
/// another engine than its own it is looked up there like text.
///
/// ```
/// let engine = roomcast::Engine::new();
/// let world = engine.of("/world")?;
/// let moved = world.event("moved")?;
/// let (socket, mut inbox) = world.connect();
/// world.emit(&moved, "north")?;
/// inbox.drain(|delivery| assert!(delivery.is(&moved)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventHandle {
    name: SmolStr,
    table: u32,
    index: u32,
}

impl EventHandle {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for EventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventHandle").field(&self.name).finish()
    }
}

impl fmt::Display for EventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What names an event, in an emit and where messages are read: text, a resolved [`EventHandle`], or an
/// [`Event<T>`](Event), which is text with a type.
///
/// Not to be implemented outside the crate.
pub trait IntoEvent: sealed::Resolve {
    /// What its messages carry: [`Untyped`], or [`Typed<T>`].
    type Data;
}

impl IntoEvent for &str {
    type Data = Untyped;
}

impl IntoEvent for &String {
    type Data = Untyped;
}

impl IntoEvent for &EventHandle {
    type Data = Untyped;
}

impl IntoEvent for EventHandle {
    type Data = Untyped;
}

impl<T> IntoEvent for Event<T> {
    type Data = Typed<T>;
}

impl<T> IntoEvent for &Event<T> {
    type Data = Typed<T>;
}

pub(crate) mod sealed {
    use super::{EventError, EventId, EventTable};

    pub trait Resolve {
        #[doc(hidden)]
        fn text(&self) -> &str;

        #[doc(hidden)]
        fn resolve(self, table: &EventTable) -> Result<EventId, EventError>
        where
            Self: Sized,
        {
            table.id(self.text())
        }

        /// The number in this table, as far as it is known without looking. Apart from `resolve`, as its
        /// result is too large for the hot path.
        #[doc(hidden)]
        #[inline]
        fn number(&self, _table: &EventTable) -> Option<u32> {
            None
        }

        /// Whether it is the event that has this number in this table.
        #[doc(hidden)]
        #[inline]
        fn is(&self, table: &EventTable, index: u32) -> bool {
            self.text() == table.name(index)
        }
    }
}

impl sealed::Resolve for &str {
    fn text(&self) -> &str {
        self
    }
}

impl sealed::Resolve for &String {
    fn text(&self) -> &str {
        self
    }
}

impl<T> sealed::Resolve for Event<T> {
    fn text(&self) -> &str {
        self.name()
    }
}

impl<T> sealed::Resolve for &Event<T> {
    fn text(&self) -> &str {
        self.name()
    }
}

impl sealed::Resolve for &EventHandle {
    fn text(&self) -> &str {
        &self.name
    }

    #[inline]
    fn resolve(self, table: &EventTable) -> Result<EventId, EventError> {
        self.number(table).map_or_else(|| table.id_of(self), |number| Ok(EventId::Listed(number)))
    }

    #[inline]
    fn number(&self, table: &EventTable) -> Option<u32> {
        (self.table == table.number && self.index != UNLISTED).then_some(self.index)
    }

    #[inline]
    fn is(&self, table: &EventTable, index: u32) -> bool {
        if self.table == table.number { self.index == index } else { self.text() == table.name(index) }
    }
}

impl sealed::Resolve for EventHandle {
    fn text(&self) -> &str {
        &self.name
    }

    fn resolve(self, table: &EventTable) -> Result<EventId, EventError> {
        (&self).resolve(table)
    }

    #[inline]
    fn number(&self, table: &EventTable) -> Option<u32> {
        (&self).number(table)
    }

    #[inline]
    fn is(&self, table: &EventTable, index: u32) -> bool {
        (&self).is(table, index)
    }
}

/// What an emit makes of an event name.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum EventId {
    /// Its number in the table.
    Listed(u32),
    /// The table is full: the message carries the name itself.
    Unlisted(SmolStr),
}

/// The index of an [`EventHandle`] that found the table full.
const UNLISTED: u32 = u32::MAX;

/// Event names by number and back. Grows up to a limit and never shrinks, as programs have few event
/// names; a name past the limit (names made up by clients, say) travels with its message instead, and
/// costs an allocation there.
///
/// Finding a name by number takes no lock: names are in chunks that double in size, each written once.
#[doc(hidden)]
pub struct EventTable {
    number: u32,
    limit: usize,
    max_name_bytes: usize,
    numbers: RwLock<HashTable<u32>>,
    hasher: Keys,
    chunks: [OnceLock<Box<[OnceLock<SmolStr>]>>; CHUNKS],
}

/// Chunk `n` holds `FIRST_CHUNK << n` names.
const FIRST_CHUNK: usize = if IS_MODEL { 2 } else { 32 };
const CHUNKS: usize = 12;
/// What all chunks hold together.
pub(crate) const MAX_EVENT_NAMES: usize = FIRST_CHUNK * ((1 << CHUNKS) - 1);

impl EventTable {
    pub(crate) fn new(limit: usize, max_name_bytes: usize) -> Self {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        Self {
            number: TABLES.fetch_add(1, Ordering::Relaxed),
            limit: limit.min(MAX_EVENT_NAMES),
            max_name_bytes,
            numbers: RwLock::new(HashTable::new()),
            hasher: Keys::default(),
            chunks: array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Resolves a name for later use.
    pub(crate) fn event(&self, name: &str) -> Result<EventHandle, EventError> {
        let index = match self.id(name)? {
            EventId::Listed(index) => index,
            EventId::Unlisted(_) => UNLISTED,
        };
        Ok(EventHandle { name: SmolStr::new(name), table: self.number, index })
    }

    /// Resolves a name of the crate's own, however long names may be.
    pub(crate) fn own(&self, name: &'static str) -> EventHandle {
        let index = match self.number(name) {
            EventId::Listed(index) => index,
            EventId::Unlisted(_) => UNLISTED,
        };
        EventHandle { name: SmolStr::new_static(name), table: self.number, index }
    }

    /// How many names have a number.
    pub(crate) fn len(&self) -> usize {
        self.numbers.read().len()
    }

    /// Returns the name with this number.
    #[inline]
    pub(crate) fn name(&self, index: u32) -> &str {
        self.smol_name(index)
    }

    /// The event with this number.
    pub(crate) fn listed(&self, index: u32) -> EventHandle {
        EventHandle { name: self.smol_name(index).clone(), table: self.number, index }
    }

    /// An event that this table has no number for.
    pub(crate) fn unlisted(&self, name: &str) -> EventHandle {
        EventHandle { name: SmolStr::new(name), table: self.number, index: UNLISTED }
    }

    fn smol_name(&self, index: u32) -> &SmolStr {
        let (chunk, place) = locate(index as usize);
        let name = self.chunks[chunk].get().and_then(|names| names[place].get());
        name.expect("a number that was given out has a name")
    }

    /// Refuses what cannot be the name of an event that is emitted here.
    pub(crate) fn check_emitted(&self, name: &str) -> Result<(), EventError> {
        if name == GAP { Err(EventError::Reserved(name.into())) } else { self.check(name) }
    }

    /// Refuses what cannot be an event's name.
    pub(crate) fn check(&self, name: &str) -> Result<(), EventError> {
        if name.is_empty() {
            return Err(EventError::Empty);
        }
        if name.len() > self.max_name_bytes {
            return Err(EventError::TooLong { bytes: name.len(), limit: self.max_name_bytes });
        }
        if RESERVED.contains(&name) {
            return Err(EventError::Reserved(name.into()));
        }
        Ok(())
    }

    fn id(&self, name: &str) -> Result<EventId, EventError> {
        self.check_emitted(name)?;
        Ok(self.number(name))
    }

    /// The same of a handle that has no number here. The name of one of this table was checked before, or is the
    /// crate's own: then it may be of any length.
    #[cold]
    fn id_of(&self, handle: &EventHandle) -> Result<EventId, EventError> {
        match &*handle.name {
            name if handle.table != self.number => self.id(name),
            GAP => Err(EventError::Reserved(GAP.into())),
            name => Ok(self.number(name)),
        }
    }

    /// The number of a name, which it is given if it has none.
    pub(crate) fn number(&self, name: &str) -> EventId {
        let hash = self.hasher.hash_one(name);
        let is_it = |&index: &u32| self.name(index) == name;
        if let Some(&index) = self.numbers.read().find(hash, is_it) {
            return EventId::Listed(index);
        }
        let mut numbers = self.numbers.write();
        if let Some(&index) = numbers.find(hash, is_it) {
            return EventId::Listed(index);
        }
        if numbers.len() >= self.limit {
            return EventId::Unlisted(SmolStr::new(name));
        }
        let index = numbers.len();
        let (chunk, place) = locate(index);
        let names =
            self.chunks[chunk].get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| OnceLock::new()).collect());
        names[place].set(SmolStr::new(name)).expect("each number is given out once, under the lock");
        let index = u32::try_from(index).expect("the limit is far below");
        numbers.insert_unique(hash, index, |&index| self.hasher.hash_one(self.name(index)));
        EventId::Listed(index)
    }
}

impl fmt::Debug for EventTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventTable").field("names", &self.numbers.read().len()).finish_non_exhaustive()
    }
}

/// The chunk of a number, and its place there.
#[inline]
fn locate(index: usize) -> (usize, usize) {
    let chunk = (index / FIRST_CHUNK + 1).ilog2() as usize;
    (chunk, index - FIRST_CHUNK * ((1 << chunk) - 1))
}

#[cfg(test)]
mod tests {
    use super::sealed::Resolve;
    use super::*;

    #[test]
    fn numbers_and_names_agree_over_all_chunks() {
        let table = EventTable::new(1000, 64);
        let events: Vec<_> = (0..1000).map(|n| table.event(&format!("e{n}")).unwrap()).collect();
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event.index as usize, n);
            assert_eq!(table.name(event.index), format!("e{n}"));
            assert_eq!(table.event(event.name()).unwrap(), *event);
        }
    }

    #[test]
    fn a_full_table_lets_names_travel() {
        let table = EventTable::new(1, 64);
        assert!(matches!("a".resolve(&table), Ok(EventId::Listed(0))));
        let event = table.event("b").unwrap();
        assert!(matches!((&event).resolve(&table), Ok(EventId::Unlisted(name)) if name == "b"));
        assert!(matches!("a".resolve(&table), Ok(EventId::Listed(0))));
    }

    #[test]
    fn a_full_table_takes_names_of_our_own_of_any_length() {
        let table = EventTable::new(1, 4);
        table.event("a").unwrap();
        let event = table.own("longer");
        assert!(matches!((&event).resolve(&table), Ok(EventId::Unlisted(name)) if name == "longer"));
        assert!(matches!((&event).resolve(&EventTable::new(1, 4)), Err(EventError::TooLong { .. })));
        assert!(matches!(table.unlisted(GAP).resolve(&table), Err(EventError::Reserved(_))));
    }

    #[test]
    fn an_event_of_another_engine_is_looked_up_by_name() {
        let (here, there) = (EventTable::new(9, 64), EventTable::new(9, 64));
        there.event("first").unwrap();
        let event = there.event("second").unwrap();
        assert!(matches!(event.resolve(&here), Ok(EventId::Listed(0))));
        assert_eq!(here.name(0), "second");
    }

    #[test]
    fn bad_names_are_refused() {
        let table = EventTable::new(9, 8);
        assert_eq!(table.event("").unwrap_err(), EventError::Empty);
        assert!(matches!(table.event("123456789"), Err(EventError::TooLong { bytes: 9, limit: 8 })));
        for name in RESERVED.into_iter().filter(|name| name.len() <= 8) {
            assert!(matches!(table.event(name), Err(EventError::Reserved(_))));
        }
        assert_eq!(table.numbers.read().len(), 0);
    }

    #[test]
    fn chunks_meet_without_a_hole() {
        let mut expected = (0, 0);
        for index in 0..MAX_EVENT_NAMES {
            assert_eq!(locate(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_CHUNK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(expected, (CHUNKS, 0));
    }
}
