//! On what terms a message is delivered: what few messages have, beyond whom they are for.
//!
//! # Which message replaces which
//!
//! Of messages with a key, each one replaces the one before it of the same event and key and with the same
//! recipients by name: rooms, exceptions, excluded sender. When the newer one is in the log, and under the lock of the room,
//! its sequence is noted in the older one. A reader passes over a message if the one that has replaced it is for the same
//! socket, and below the horizon: as that is in the log, the reader gets it in the same pass, or passes over it for one that
//! is newer still. (Of several rooms it may come by another one, and with the next pass.) Links lead from
//! each message to the next one only, and a message holds nothing of the other, so what a stalled reader pins stays
//! as bounded as without.

use std::time::Duration;

use crate::clock::Now;
use crate::name::RoomName;
use crate::sync::{AtomicU64, Ordering};

/// What an emit asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) slack: Option<Slack>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) key: Option<RoomName>,
}

/// How far behind a reader may be that gets a volatile message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slack {
    /// As far as the engine's setting says.
    Default,
    Messages(u32),
}

/// What a message has that asked for anything.
#[derive(Debug)]
pub(crate) struct Terms {
    /// Readers that have more than so many others before it drop it.
    pub(crate) slack: Option<u32>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) latest: Option<Latest>,
}

/// Until when a message is worth reading.
#[derive(Debug)]
pub(crate) struct Lifetime {
    ends: Duration,
    now: Now,
}

/// What a message has that later ones of the same key replace.
#[derive(Debug)]
pub(crate) struct Latest {
    pub(crate) key: RoomName,
    /// The sequence of the one that has replaced it, or 0.
    replaced_at: AtomicU64,
}

impl Wish {
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.slack.is_none() && self.lifetime.is_none() && self.key.is_none()
    }

    /// What the message gets, if it asks for anything.
    pub(crate) fn terms(&self, default_slack: u32, now: &Now) -> Option<Box<Terms>> {
        if self.is_plain() {
            return None;
        }
        let lifetime = self.ends(now).map(|ends| Lifetime { ends, now: now.clone() });
        let latest = self.key.clone().map(Latest::new);
        Some(Box::new(Terms { slack: self.slack(default_slack), lifetime, latest }))
    }

    /// Whether a message that asks for this may share these terms of another one.
    pub(crate) fn may_share(&self, terms: Option<&Terms>, default_slack: u32, now: &Now) -> bool {
        let Some(terms) = terms else { return self.is_plain() };
        // What has a key is replaced by itself.
        terms.latest.is_none()
            && self.key.is_none()
            && terms.slack == self.slack(default_slack)
            && terms.lifetime.as_ref().map(|lifetime| lifetime.ends) == self.ends(now)
    }

    fn slack(&self, default: u32) -> Option<u32> {
        self.slack.map(|slack| match slack {
            Slack::Default => default,
            Slack::Messages(messages) => messages,
        })
    }

    fn ends(&self, now: &Now) -> Option<Duration> {
        // The tick that it is emitted in is never its last moment.
        self.lifetime.map(|lifetime| now.get().saturating_add(lifetime.max(Duration::from_nanos(1))))
    }
}

impl Lifetime {
    /// One that ends at this time.
    #[cfg(feature = "record")]
    pub(crate) fn until(ends: Duration, now: &Now) -> Self {
        Self { ends, now: now.clone() }
    }

    #[cfg(feature = "record")]
    pub(crate) fn ends(&self) -> Duration {
        self.ends
    }

    pub(crate) fn is_over(&self) -> bool {
        self.now.get() >= self.ends
    }
}

impl Latest {
    pub(crate) fn new(key: RoomName) -> Self {
        Self { key, replaced_at: AtomicU64::new(0) }
    }

    /// A newer message has taken this sequence.
    pub(crate) fn replace(&self, sequence: u64) {
        self.replaced_at.store(sequence, Ordering::Release);
    }

    /// The sequence of the one that has replaced it, if one has.
    pub(crate) fn replaced_at(&self) -> Option<u64> {
        // Acquire: who skips it for another may look at what that one was published after.
        Some(self.replaced_at.load(Ordering::Acquire)).filter(|sequence| *sequence > 0)
    }
}
