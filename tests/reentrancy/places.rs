//! Where the engine calls code of the user's, and who is told of a panic there.

mod clients;
mod connections;
mod handlers;
#[cfg(panic = "unwind")]
mod panicking;
mod payloads;
mod reading;
mod recovery;
mod values;

use std::sync::Arc;

use crate::trap::Trap;
use crate::world::World;

/// What becomes of a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the panic of the call in which it was called, as that is the caller's own code.
    Caller,
    /// It ends there, and this hook is told that it was in this place.
    Told(&'static str),
    /// It ends there, and only the process's panic hook is told.
    Contained,
    /// It is a second one on top of another, and so the end of the process.
    #[cfg(panic = "unwind")]
    Abort,
}

impl Fate {
    /// Whether the process goes on.
    pub(crate) fn is_survived(self) -> bool {
        matches!(self, Self::Caller | Self::Told(_) | Self::Contained)
    }
}

/// Brings the engine to call the trap in a place.
pub(crate) type Bring = fn(&Arc<World>, &Trap);

pub(crate) type Place = (&'static str, Fate, Bring);

/// Where it is brought to do so.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) bring: Bring,
    /// Whether sessions are kept there.
    pub(crate) recovers: bool,
}

/// All places.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Fate, Scene)> {
    let tables = [
        reading::PLACES,
        payloads::PLACES,
        values::PLACES,
        handlers::PLACES,
        connections::PLACES,
        clients::PLACES,
        #[cfg(panic = "unwind")]
        panicking::PLACES,
    ];
    let plain = tables.into_iter().flatten().map(|place| (place, false));
    let all = plain.chain(recovery::PLACES.iter().map(|place| (place, true)));
    all.map(|(&(name, fate, bring), recovers)| (name, fate, Scene { bring, recovers }))
}
