//! What becomes of a room's log, and of members that lag, when it is over its limit.

use super::{Inner, LENIENT, Victims};
use crate::entry::Entry;
use crate::log::Garbage;

impl Inner {
    /// Gets back under the limit.
    #[cold]
    pub(super) fn shed(&mut self, victims: &mut Victims, trash: &mut Garbage<Entry>) {
        while self.log.is_over() {
            // Members that were parked at the end of the head before are behind, though not in it.
            let is_behind = !self.log.head().is_unique() || self.log.has_parked();
            if self.strict_from != LENIENT && is_behind {
                let before = victims.len();
                self.find_victims(victims);
                if victims.len() > before {
                    // They leave as soon as the lock is released, and keep what they can drain.
                    self.log.put_off();
                    return;
                }
            }
            if self.log.has_parked() {
                let ledger = self.extras.get_or_insert_default().ledger.get_or_insert_default();
                ledger.record(self.log.head(), self.log.last_parked());
                ledger.sweep(|end| self.log.is_parked(end));
            }
            if !self.log.let_go(trash) {
                return;
            }
        }
    }

    /// Members that would lose a message of the head that is addressed to them. Whether one depends on
    /// memberships is not looked into: it counts.
    ///
    /// A message that was being published while its reader looked may be below the reader's progress,
    /// unread. Then this misses the reader, which finds out itself when it resumes, or is found with the
    /// next segment.
    fn find_victims(&self, victims: &mut Victims) {
        let head = self.log.head();
        let lenient = self.strict_from.saturating_sub(head.start().messages) as usize;
        let strict = || head.iter().skip(lenient);
        let Some((last, _)) = strict().last() else { return };
        for (since, post) in self.members.iter().take_while(|(since, _)| *since < last) {
            let from = since.max(post.progress());
            let loses = |(sequence, entry): (u64, &Entry)| sequence >= from && !entry.excludes(post.id());
            if from <= last && strict().any(loses) && !victims.contains(&post.id()) {
                victims.push(post.id());
            }
        }
    }
}
