//! Event names with a type: what is emitted under one, and what is read.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// An event name that says what its messages carry: a `T`.
///
/// A constant, shared by those that emit and those that read; nothing is registered anywhere. What is
/// emitted under it has to be a `T`, and so has what is read, or it does not compile:
///
/// ```
/// use roomcast::{Engine, Event, Shared};
/// use std::sync::Arc;
///
/// #[derive(Debug, PartialEq)]
/// struct Step { x: i32, y: i32 }
///
/// const STEP: Event<Step> = Event::new("step");
///
/// let world = Engine::new().of("/world")?;
/// let (player, mut inbox) = world.connect();
/// player.emit(STEP, Arc::new(Step { x: 1, y: -1 }))?; // the very value, for readers in this process
/// inbox.drain(|delivery| {
///     if let Some(Ok(Shared(step))) = delivery.get_as(STEP) {
///         assert_eq!(*step, Step { x: 1, y: -1 });
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// # use roomcast::{Engine, Event, Shared};
/// # use std::sync::Arc;
/// # struct Step { x: i32, y: i32 }
/// # const STEP: Event<Step> = Event::new("step");
/// # let world = Engine::new().of("/world").unwrap();
/// # let (player, mut inbox) = world.connect();
/// player.emit(STEP, Arc::new("north")); // not a `Step`
/// ```
///
/// ```compile_fail,E0277
/// # use roomcast::{Engine, Event, Shared};
/// # use std::sync::Arc;
/// # struct Step { x: i32, y: i32 }
/// # const STEP: Event<Step> = Event::new("step");
/// # let world = Engine::new().of("/world").unwrap();
/// # let (player, mut inbox) = world.connect();
/// inbox.drain(|delivery| {
///     let step: Option<Result<Shared<String>, _>> = delivery.get_as(STEP); // not a `Step`
/// });
/// ```
///
/// With the feature `serde`, a `T` that is `Serialize` is emitted by reference, encoded once for all who
/// get it, and one that is `DeserializeOwned` is read with [`Delivery::get`](crate::Delivery::get):
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use roomcast::{Engine, Event};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Move { dx: i32, dy: i32 }
///
/// const MOVE: Event<Move> = Event::new("move");
///
/// let world = Engine::new().of("/world").unwrap();
/// let (player, mut inbox) = world.connect();
/// player.emit(MOVE, &Move { dx: 1, dy: 0 }).unwrap();
/// inbox.drain(|delivery| {
///     if let Some(step) = delivery.get(MOVE) {
///         assert_eq!(step.unwrap().dx, 1);
///     }
/// });
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # use roomcast::{Engine, Event};
/// # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// # struct Move { dx: i32, dy: i32 }
/// # const MOVE: Event<Move> = Event::new("move");
/// # let world = Engine::new().of("/world").unwrap();
/// # let (player, mut inbox) = world.connect();
/// player.emit(MOVE, &(1, 0)).unwrap(); // not a `Move`
/// ```
///
/// Nor does a handler take another type than the event's:
///
/// ```compile_fail,E0277
/// # use roomcast::{Engine, Event, Shared};
/// const MAP: Event<Vec<u8>> = Event::new("map");
/// let world = Engine::new().of("/world").unwrap();
/// world.on(MAP, |_socket, map: Shared<String>| println!("{}", map.0)).unwrap(); // not a `Vec<u8>`
/// ```
///
/// It is found by its name in each emit, as text is. For the hot path there is
/// [`Namespace::event`](crate::Namespace::event), which takes one too, and gives a handle without the type.
/// Whether the name is a good one is told by the first emit.
pub struct Event<T> {
    name: &'static str,
    data: PhantomData<fn(T) -> T>,
}

/// What the messages of an event carry if only its name is known: anything.
///
/// A marker, of which there are no values: see [`IntoPayload`](crate::IntoPayload) and
/// [`FromPayload`](crate::FromPayload).
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

/// What the messages of an [`Event<T>`] carry: a `T`.
///
/// A marker, as [`Untyped`].
pub struct Typed<T> {
    data: PhantomData<fn(T) -> T>,
}

impl<T> Event<T> {
    /// Creates the event of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, data: PhantomData }
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

// By hand, as deriving would ask the same of `T`.

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Event<T> {}

impl<T> PartialEq for Event<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<T> Eq for Event<T> {}

impl<T> Hash for Event<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<T> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.name).finish()
    }
}

impl<T> fmt::Display for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data } = self;
        f.debug_tuple("Typed").field(data).finish()
    }
}
