//! The newest message of each key in a room: the one that the next message of that key replaces.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use smol_str::SmolStr;

use crate::entry::{Audience, Entry};
use crate::name::RoomName;
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::terms::Latest;

/// One for each key, as long as anybody can read it, or a few more.
#[derive(Debug, Default)]
pub(super) struct Newest {
    messages: HashSet<Newer>,
    /// At this many, those that nobody can read are looked for.
    sweep_at: usize,
}

/// A message with a key, as far as it matters which others it replaces.
#[derive(Debug)]
struct Newer {
    event: u32,
    audience: Arc<Audience>,
}

/// A message that is to be replaced.
#[derive(Debug)]
#[must_use]
pub(super) struct Older(Newer);

/// Event, its name, key, rooms, rooms and sockets that are left out, sender if it is.
type Parts<'a> =
    (u32, &'a Option<SmolStr>, Option<&'a RoomName>, &'a [u64], &'a [u64], &'a [SocketId], Option<SocketId>);

/// Sweeping fewer than this is not worth while.
const FEW: usize = 16;

impl Newest {
    /// Takes in a message that is about to be appended, if it has a key, and returns the one before it.
    pub(super) fn put(&mut self, entry: &Entry) -> Option<Older> {
        let Entry::Aimed { event, audience, .. } = entry else { return None };
        entry.latest()?;
        let newer = Newer { event: *event, audience: Arc::clone(audience) };
        let older = self.messages.replace(newer).map(Older);
        if self.messages.len() > FEW.max(self.sweep_at) {
            // Nobody can read what no slot holds.
            self.messages.retain(|message| Arc::strong_count(&message.audience) > 1);
            self.sweep_at = 2 * self.messages.len();
            self.messages.shrink_to(self.sweep_at);
        }
        older
    }
}

impl Older {
    /// It is replaced by the message of this sequence, which is in the log: so who passes over this one finds that.
    pub(super) fn replace(&self, sequence: u64) {
        self.0.latest().inspect(|latest| latest.replace(sequence));
    }
}

impl Newer {
    fn latest(&self) -> Option<&Latest> {
        self.audience.terms.as_ref()?.latest.as_ref()
    }

    /// What two messages have in common of which one replaces the other.
    fn parts(&self) -> Parts<'_> {
        let Audience { rooms, except_rooms, except_sockets, sender, except_sender, name, .. } =
            &*self.audience;
        let excepted = if *except_sender { *sender } else { None };
        let key = self.latest().map(|latest| &latest.key);
        (self.event, name, key, &rooms[..], &except_rooms[..], &except_sockets[..], excepted)
    }
}

impl PartialEq for Newer {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Newer {}

impl Hash for Newer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // No more than tells most of them apart: what each write costs a hasher is most of it.
        (self.event, self.latest().map(|latest| &latest.key)).hash(state);
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
