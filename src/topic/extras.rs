//! What few rooms have: keys, a history, a capacity, losses; and apart from that, sleepers. Not with what all have, so that a
//! room is small.

use super::kept::Kept;
use super::newest::Newest;
use super::{Armed, Inner, Topic, Trash};
use crate::ledger::Ledger;
use crate::members::Members;

/// What few rooms have.
#[derive(Debug)]
pub(super) struct Extras {
    /// What later messages with the same keys are to replace.
    pub(super) newest: Newest,
    /// What is kept for those who join later.
    pub(super) kept: Option<Box<Kept>>,
    /// The members, if somebody has asked all of them, and nobody has joined or left since.
    pub(super) listed: Option<std::sync::Arc<Members>>,
    /// How many members there can be. Existing ones stay when it sinks below.
    capacity: usize,
    /// Of what was let go of unread.
    pub(super) ledger: Option<Box<Ledger>>,
}

/// What rooms have beside that whose members sleep. By itself, as many may, and a publish asks for the rest.
#[derive(Debug, Default)]
pub(super) struct Dormitory {
    /// An empty list with room in it, so that arming and firing in turn allocates nothing.
    pub(super) spare: Vec<Armed>,
    /// How many members left since the armed ones were last swept.
    pub(super) left: u32,
}

impl Topic {
    pub(crate) fn capacity(&self) -> usize {
        self.inner.lock().extras.as_ref().map_or(usize::MAX, |extras| extras.capacity)
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.inner.lock().extras().capacity = capacity;
    }

    /// Keeps a place for a socket that is about to join, if there is one left. It takes it by
    /// [`join_if_free`](Self::join_if_free), or [gives it back](Self::unclaim).
    pub(crate) fn claim(&self) -> bool {
        let mut inner = self.inner.lock();
        let is_free = inner.has_place();
        inner.claimed += u32::from(is_free);
        is_free
    }

    pub(crate) fn unclaim(&self) {
        self.inner.lock().claimed -= 1;
    }
}

impl Inner {
    /// Takes a place that was claimed, or else one that is left, if one is.
    pub(super) fn take_place(&mut self, is_claimed: bool) -> bool {
        self.claimed -= u32::from(is_claimed);
        is_claimed || self.has_place()
    }

    fn has_place(&self) -> bool {
        let taken = self.members.len() + self.claimed as usize;
        self.extras.as_ref().is_none_or(|extras| taken < extras.capacity)
    }

    /// What few rooms have, which this one has from now on.
    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The members, in joining order.
    pub(super) fn list(&mut self) -> std::sync::Arc<Members> {
        let listed = &mut self.extras.get_or_insert_default().listed;
        let members = || Members::new(self.members.iter().map(|(_, post)| post.id()).collect());
        std::sync::Arc::clone(listed.get_or_insert_with(|| std::sync::Arc::new(members())))
    }

    /// Others are members now.
    #[inline]
    pub(super) fn forget_list(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.listed = None;
        }
    }

    /// Counts a member that has left while others sleep, and lets go of armed memberships that are over, once that may
    /// be half of them.
    #[inline(never)]
    pub(super) fn count_left(&mut self, trash: &mut Trash) {
        let most = self.armed.len() / 2;
        let left = &mut self.dormitory.get_or_insert_default().left;
        *left += 1;
        if *left as usize > most {
            *left = 0;
            let armed = std::mem::take(&mut self.armed).into_iter();
            let (armed, gone): (_, Vec<_>) = armed.partition(|armed| self.members.contains(armed.since));
            self.armed = armed;
            trash.armed.extend(gone);
        }
    }
}

impl Default for Extras {
    fn default() -> Self {
        Self { newest: Newest::default(), kept: None, listed: None, capacity: usize::MAX, ledger: None }
    }
}
