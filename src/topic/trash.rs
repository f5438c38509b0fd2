//! What a section under locks leaves to be done after them.

use smallvec::SmallVec;

use super::fold::fold;
use super::{Armed, Change, Pile, Post, Topic};
use crate::entry::Entry;
use crate::log::Garbage;
use crate::mailbox::Wake;
use crate::order::Order;
use crate::roster::PresenceEntry;
use crate::sync::Arc;

/// What is to be dropped, and whom to wake, once no lock is held: all of it is or runs user code.
/// Declared before the first lock is taken, it is dropped after the last one is released.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    pub(crate) topics: SmallVec<[Arc<Topic>; 2]>,
    /// What was said of sockets that were present in rooms that they left.
    #[expect(
        clippy::box_collection,
        reason = "mostly there is none, and each join and leave makes one of these"
    )]
    pub(super) absent: Option<Box<Vec<PresenceEntry>>>,
    /// Rooms that may have kept something for memberships that were folded away, and for them alone.
    pub(super) folded: Vec<Arc<Topic>>,
    pub(super) segments: Garbage<Entry>,
    pub(super) changes: SmallVec<[Change; 1]>,
    pub(super) armed: Vec<Armed>,
    pub(super) posts: SmallVec<[Arc<Post>; 1]>,
    /// The last is what the reader left last; those before it have had their turn.
    wakes: SmallVec<[Wake; 1]>,
}

impl Trash {
    /// Takes what was said of a socket that was present.
    #[cold]
    pub(crate) fn absent(&mut self, entry: PresenceEntry) {
        self.absent.get_or_insert_default().push(entry);
    }

    /// Leaves a change in a mailbox.
    pub(crate) fn tell(&mut self, order: &Order, post: &Post, change: Change, pile: &Pile) {
        let pushed = post.push(change, |changes, held| fold(changes, held, pile, post.id(), self));
        order.count_letter();
        match pushed {
            Ok(None) => {}
            Ok(Some(wake)) => {
                order.counters().count_wakes(1);
                self.wakes.push(wake);
            }
            Err(change) => self.changes.push(change),
        }
    }
}

impl Drop for Trash {
    fn drop(&mut self) {
        if !self.folded.is_empty() {
            self.segments.clear();
            self.folded.drain(..).for_each(|room| room.trim());
        }
        if let Some(wake) = self.wakes.pop() {
            wake.wake();
        }
    }
}
