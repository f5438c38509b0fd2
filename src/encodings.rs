//! What codecs have made of a payload: kept with it, each made once.
//!
//! # Once
//!
//! A payload holds its encodings: a list that only grows, of one place for each codec and event name, in the order in
//! which they were first asked for. A place is filled by the first who comes to it; who comes meanwhile waits for
//! that encoding, and for no other. No lock of the engine is held.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;

use smol_str::SmolStr;

use crate::foreign::contain;
use crate::sync::{AtomicUsize, OnceLock, Ordering, this_thread};

/// The encodings of a payload.
#[derive(Default)]
pub(crate) struct Encodings(OnceLock<Box<Place>>);

/// Beyond so many, nothing is kept: who emits one payload under ever new names is not to fill the memory with it.
pub(crate) const MAX: usize = 16;

struct Place {
    codec: TypeId,
    event: SmolStr,
    encoded: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The [thread](crate::sync::this_thread) that is filling it, or 0.
    filled_by: AtomicUsize,
    next: Encodings,
}

impl Encodings {
    /// The encoding of a codec under an event, which `encode` makes if there is none.
    pub(crate) fn get<T: Clone + Send + Sync + 'static>(
        &self,
        event: &str,
        codec: TypeId,
        encode: impl FnOnce() -> T,
    ) -> Cow<'_, T> {
        let mut places = self;
        for _ in 0..MAX {
            let place = places.0.get_or_init(|| Box::new(Place::new(codec, event)));
            if place.codec == codec && place.event == event {
                return place.get(encode);
            }
            places = &place.next;
        }
        Cow::Owned(encode())
    }
}

impl Drop for Encodings {
    /// Drops each without a panic, as they are the users': also if those of several would panic.
    fn drop(&mut self) {
        let mut place = self.0.take();
        while let Some(mut this) = place {
            place = this.next.0.take();
            contain(|| drop(this));
        }
    }
}

impl Place {
    fn new(codec: TypeId, event: &str) -> Self {
        Self {
            codec,
            event: event.into(),
            encoded: OnceLock::new(),
            filled_by: AtomicUsize::new(0),
            next: Encodings::default(),
        }
    }

    fn get<T: Clone + Send + Sync + 'static>(&self, encode: impl FnOnce() -> T) -> Cow<'_, T> {
        let encoded = match self.encoded.get() {
            Some(encoded) => encoded,
            // The codec asks for what it is making: it would wait for itself.
            None if self.filled_by.load(Ordering::Relaxed) == this_thread() => return Cow::Owned(encode()),
            None => self.encoded.get_or_init(|| {
                let _filling = Filling::begin(&self.filled_by);
                Box::new(encode())
            }),
        };
        Cow::Borrowed(encoded.downcast_ref().expect("a codec has one type of encoding"))
    }
}

/// Marks the thread that fills a place, until it is dropped.
struct Filling<'a>(&'a AtomicUsize);

impl<'a> Filling<'a> {
    fn begin(filled_by: &'a AtomicUsize) -> Self {
        filled_by.store(this_thread(), Ordering::Relaxed);
        Self(filled_by)
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = std::iter::successors(self.0.get(), |place| place.next.0.get());
        f.debug_list().entries(places.map(|place| &place.event)).finish()
    }
}
