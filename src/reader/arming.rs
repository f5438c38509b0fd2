//! How a reader has its rooms tell it of the next message, and sleeps until one does.

use super::Reader;
use super::membership::FOREVER;
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
        if self.in_pass || is_closing || !self.post.sleep(wake) {
            return Sleep::Awake;
        }
        if self.rare.as_ref().is_some_and(|rare| rare.cut.is_some()) {
            return Sleep::Asleep; // whatever is in its rooms: what is next is that it is closed
        }
        let may_sleep = if self.is_wide {
            let hot = std::mem::take(&mut self.rare().hot);
            let may_sleep =
                hot.iter().all(|&since| self.memberships.position(since).is_none_or(|place| self.arm(place)));
            self.rare().hot = hot;
            self.cool();
            may_sleep
        } else {
            (0..self.memberships.places()).all(|place| self.arm(place))
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
    pub(super) fn arm(&mut self, place: usize) -> bool {
        let Some((since, membership, _)) = self.memberships.split_at_mut(place) else { return true };
        if !membership.is_armed {
            membership.is_armed = membership.room.arm(&self.post, since, &membership.cursor);
        }
        membership.is_armed
    }

    /// The membership is armed no more.
    pub(super) fn heat(&mut self, since: u64) {
        let Some(place) = self.memberships.position(since) else { return };
        let Some(membership) = self.memberships.at_mut(place) else { return };
        if std::mem::take(&mut membership.is_armed) && self.is_wide {
            self.rare().hot.push(since);
        }
    }

    /// Arms what is idle, as far as that needs no waiting.
    pub(super) fn cool(&mut self) {
        let Self { rare: Some(rare), memberships, post, .. } = self else { return };
        rare.hot.retain(|&since| {
            let Some(place) = memberships.position(since) else { return false };
            let Some(membership) = memberships.at_mut(place) else { return false };
            membership.is_armed = membership.is_armed
                || membership.until() == FOREVER && membership.room.try_arm(post, since, &membership.cursor);
            !membership.is_armed
        });
    }
}
