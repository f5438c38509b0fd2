//! A reader with many rooms, most of them idle: it arms those, and looks at the others only.

use super::memberships::FOREVER;
use super::{FEW, MANY, Reader};
use crate::sync::IS_MODEL;

/// The memberships that are not armed.
#[derive(Debug, Default)]
pub(super) struct Wide {
    pub(super) hot: Vec<Hot>,
}

/// A membership that is looked at in each pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hot {
    since: u64,
    /// Where it is now.
    pub(super) place: u32,
    /// Where its cursor stood at the end of the pass before.
    index: u32,
    /// How many passes have ended with it there.
    passes: u32,
}

/// How many passes end with a cursor at the same place before the membership is armed. Arming and firing cost what some fifty looks
/// cost, so a room with a message now and then is better looked at.
const PATIENCE: u32 = if IS_MODEL { 1 } else { 8 };

impl Reader {
    /// Begins or ends to be wide, by the number of rooms.
    pub(super) fn fit_width(&mut self) {
        let is_wide = self.memberships.len() > if self.wide.is_some() { FEW } else { MANY };
        if is_wide == self.wide.is_some() {
            return;
        }
        self.wide = None;
        if is_wide {
            let list = self.memberships.list().iter().enumerate();
            let awake = list.filter(|(_, membership)| !membership.is_armed());
            let hot = awake.map(|(place, membership)| Hot::new(membership.since(), place)).collect();
            self.wide = Some(Box::new(Wide { hot }));
        }
    }

    /// The membership at this place is not armed, or not any more.
    pub(super) fn add_hot(&mut self, place: usize) {
        if let Some(wide) = &mut self.wide {
            wide.hot.push(Hot::new(self.memberships.list()[place].since(), place));
        }
    }

    /// Memberships were forgotten, and others have moved up.
    pub(super) fn find_hot(&mut self) {
        let Self { wide: Some(wide), memberships, .. } = self else { return };
        wide.hot.retain_mut(|hot| {
            let place = memberships.position(hot.since);
            hot.place = place.map_or(hot.place, |place| place as u32);
            place.is_some()
        });
    }

    /// Arms what has been idle for some time, as far as that needs no waiting. At the end of a pass.
    pub(super) fn cool(&mut self) {
        let Self { wide: Some(wide), memberships, .. } = self else { return };
        let mut longest = 0;
        for hot in &mut wide.hot {
            let index = memberships.cursors()[hot.place as usize].index();
            hot.passes = if hot.index == index { hot.passes + 1 } else { 1 };
            hot.index = index;
            longest = longest.max(hot.passes);
        }
        if longest >= PATIENCE {
            self.arm_idle();
        }
    }

    /// Arms those that were idle long enough.
    #[inline(never)]
    fn arm_idle(&mut self) {
        let Self { wide: Some(wide), memberships, post, .. } = self else { return };
        wide.hot.retain_mut(|hot| {
            let (cursor, membership) = memberships.both_mut(hot.place as usize);
            if hot.passes >= PATIENCE && !membership.is_armed() && membership.until() == FOREVER {
                let is_armed = membership.room.try_arm(post, hot.since, cursor);
                membership.set_armed(is_armed);
            }
            !membership.is_armed()
        });
    }
}

impl Wide {
    /// Where the memberships are that are not armed.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.hot.iter().map(|hot| hot.place as usize)
    }
}

impl Hot {
    fn new(since: u64, place: usize) -> Self {
        Self { since, place: place as u32, index: u32::MAX, passes: 0 }
    }
}
