//! How a reader takes in what its mailbox holds: rooms joined and left, folds, the end.

use std::ops::ControlFlow;

use super::Reader;
use super::verdict::is_mine;
use crate::delivery::{Gap, GapReason};
use crate::entry::Entry;
use crate::mailbox::Ready;
use crate::topic::Change;

impl Reader {
    #[cold]
    pub(super) fn take_changes(&mut self) {
        // Joins come in bursts, so their list is not kept; what a sleeper is fired with is.
        let mut ready = self.rare.as_mut().map_or_else(Ready::new, |rare| std::mem::take(&mut rare.ready));
        let mut changes = self.post.take(&mut ready);
        let joined = changes
            .iter()
            .flat_map(|changes| &changes.list)
            .filter(|change| matches!(change, Change::Joined { .. } | Change::Past(_)))
            .count();
        self.memberships.make_room(joined);
        let mut folded = None;
        for change in changes.iter_mut().flat_map(|changes| changes.list.drain(..)) {
            match change {
                Change::Joined { since, room, cursor, .. } => {
                    self.memberships.push(since, room, cursor);
                    self.add_hot(self.memberships.len() - 1);
                }
                Change::Past(past) => {
                    let before = self.memberships.len();
                    self.memberships.push_past(*past);
                    if self.memberships.len() > before {
                        self.left += 1;
                        self.add_hot(before);
                    }
                }
                Change::Left { since, until, at } => {
                    let Some(place) = self.memberships.position(since) else { continue };
                    let rare = self.memberships.at_mut(place).rare();
                    (rare.until, rare.messages) = (until, at.messages);
                    self.left += 1;
                    // It may have been fired without our having been told yet.
                    self.heat(since);
                }
                Change::Folded { floor, lost, exact } => folded = Some((floor, lost, exact)),
                Change::Cut { at } => self.rare().cut = Some(at),
                Change::Closed { at, reason } => {
                    // Rooms are left one by one after the cut, a sequence each.
                    let (mut after, mut last) = (0, at);
                    for place in 0..self.memberships.len() {
                        let rare = self.memberships.at_mut(place).rare();
                        after += u64::from(rare.until > at);
                        last = last.max(rare.until);
                        rare.until = rare.until.min(at);
                    }
                    self.rare().is_cut_blurred = last - at != after;
                    self.rare().cut = None;
                    self.rare().closing = Some((at, reason));
                }
            }
        }
        for since in ready.drain(..) {
            self.heat(since);
        }
        if ready.spilled() {
            self.rare().ready = ready;
        }
        self.fit_width();
        if let Some(at) = self.rare.as_ref().and_then(|rare| rare.cut) {
            self.horizon = self.horizon.min(at.max(self.read));
            self.post.touch(); // for the same in the passes until it is closed
        }
        if let Some((floor, lost, exact)) = folded {
            self.skip_to(floor, lost, exact);
        }
        self.settle();
    }

    /// Passes over all messages below `floor`, which are lost.
    #[cold]
    fn skip_to(&mut self, floor: u64, lost: u64, exact: bool) {
        self.rare().floor = floor;
        // The fold may be newer than the horizon. What lies between is lost with the rest: who it was for may
        // depend on memberships that were folded away. All changes up to the floor were taken with it.
        self.horizon = self.horizon.max(floor);
        let (mut missed, mut exact) = (lost, exact);
        for place in 0..self.memberships.len() {
            while self.next_sequence(place).is_some_and(|sequence| sequence < floor) {
                let gap = self.memberships.at_mut(place).take_gap();
                missed += gap.map_or(0, |gap| gap.missed);
                exact &= gap.is_none_or(|gap| gap.exact);
                let is_past = self.memberships.list()[place].is_past();
                let pass = self.pass(is_past);
                let (cursor, list) = self.memberships.cursor_and_list(place);
                let (room, bound) = (&list[place].room, floor.min(list[place].until()));
                cursor.walk(bound, |sequence, entry| {
                    missed += u64::from(is_mine(entry, sequence, pass, room, list));
                    exact &= !matches!(entry, Entry::Aimed { audience, .. } if audience.asks_for_rooms());
                    ControlFlow::Continue(())
                });
            }
        }
        self.read = self.read.max(floor);
        if missed > 0 {
            self.rare().gap = Some(Gap { missed, exact, reason: GapReason::Memberships });
        }
    }
}
