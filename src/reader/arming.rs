//! How a reader has its rooms tell it of the next message, and sleeps until one does.

use super::{NOT_COUNTED, Reader};
use crate::mailbox::Wake;

/// What came of trying to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    Asleep,
    /// There is something to read.
    Awake,
    /// There is something to read, and the wake that was left has been used already.
    Woken,
}

impl Reader {
    /// Leaves word to be woken when there is something to read, unless there is something already.
    pub(crate) fn sleep(&mut self, wake: Wake) -> Sleep {
        // One that is closing has been told so already, and needs another pass to notice that it is done.
        let is_closing =
            self.rare.as_ref().is_some_and(|rare| rare.closing.is_some() || rare.closed.is_some());
        if self.in_pass || is_closing {
            return Sleep::Awake;
        }
        if !self.post.sleep(wake) {
            (self.letters, self.short_at) = (NOT_COUNTED, NOT_COUNTED); // it was left, and may be counted later
            return Sleep::Awake;
        }
        if self.rare.as_ref().is_some_and(|rare| rare.cut.is_some()) {
            return Sleep::Asleep; // whatever is in its rooms: what is next is that it is closed
        }
        let may_sleep = match self.wide.take() {
            Some(mut wide) => {
                let may_sleep = wide.hot.iter().all(|hot| self.arm(hot.place as usize));
                wide.hot.retain(|hot| !self.memberships.list()[hot.place as usize].is_armed());
                self.wide = Some(wide);
                may_sleep
            }
            None => (0..self.memberships.len()).all(|place| self.arm(place)),
        };
        if may_sleep {
            return Sleep::Asleep;
        }
        match self.post.stay_awake() {
            Some(_unused) => Sleep::Awake,
            None => Sleep::Woken,
        }
    }

    /// Arms a membership, unless it has something to read: then it returns false.
    fn arm(&mut self, place: usize) -> bool {
        let (cursor, membership) = self.memberships.both_mut(place);
        if !membership.is_armed() {
            let is_armed = membership.room.arm(&self.post, membership.since(), cursor);
            membership.set_armed(is_armed);
        }
        membership.is_armed()
    }

    /// The membership is armed no more.
    pub(super) fn heat(&mut self, since: u64) {
        let Some(place) = self.memberships.position(since) else { return };
        let membership = self.memberships.at_mut(place);
        if membership.is_armed() {
            membership.set_armed(false);
            self.add_hot(place);
        }
    }
}
