//! Every knob, checked when it is set.

use std::time::Duration;

use crate::error::ConfigError;
use crate::event::MAX_EVENT_NAMES;
use crate::log::Limits;
use crate::segment::Position;
use crate::sync::IS_MODEL;

/// What happens to a socket whose unread backlog in a room is over the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Drop the oldest messages; the socket finds a [gap](crate::Delivery::gap) in their place, which
    /// tells how many were [lost](crate::Gap::missed).
    #[default]
    DropOldest,
    /// Disconnect the socket with [`DisconnectReason::Backlog`](crate::DisconnectReason::Backlog), in
    /// the emit that would have dropped a message addressed to it, whether it ever drains again or not.
    /// A message to several rooms, or that leaves rooms out, counts as addressed to all members of its rooms but
    /// those left out by id and its sender.
    ///
    /// What it had not read stays in its inbox for a while, to be drained: if more is emitted to the room
    /// meanwhile, by the segment, the inbox tells of a gap before it reports closed. So does that of a
    /// socket that has left the room and not yet read what was emitted before: it is not disconnected. If
    /// the first message to be dropped was being emitted at the very moment at which the socket last read,
    /// it is disconnected when it reads again, or when the next segment goes.
    Disconnect,
}

/// How much a room keeps for members that do not read, and what becomes of those that fall further
/// behind.
///
/// Limits are per room, and shared: whoever stalls, a room holds its limit once. The namespace-wide
/// messages and the direct messages of one socket count like a room each. Both limits are lower
/// bounds of what a stalled socket can still read: messages go by whole segments, so up to one segment
/// (at most [`segment_messages`](Self::segment_messages) messages) more may be held, and each stalled
/// socket holds on to the segment that it is in.
///
/// ```
/// use roomcast::{Backlog, Overflow};
///
/// let backlog = Backlog::new().messages(100)?.bytes(1 << 20)?.overflow(Overflow::Disconnect);
/// assert_eq!(backlog.segment_messages(), 12);
/// assert!(Backlog::new().messages(0).is_err());
/// # Ok::<(), roomcast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    messages: usize,
    bytes: usize,
    overflow: Overflow,
}

impl Backlog {
    /// The default: 4096 messages, 16 MiB, [drop the oldest](Overflow::DropOldest).
    #[must_use]
    pub const fn new() -> Self {
        Self { messages: 4096, bytes: 16 << 20, overflow: Overflow::DropOldest }
    }

    /// Sets how many messages a stalled member can be behind. Default 4096.
    ///
    /// Costs 32 bytes a message, beside the payloads, once for a room that somebody lags in.
    ///
    /// # Errors
    ///
    /// For 0, and above 2³².
    pub const fn messages(mut self, messages: usize) -> Result<Self, ConfigError> {
        self.messages = messages;
        match check_messages(messages) {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Sets how many payload bytes a stalled member can be behind. Default 16 MiB.
    ///
    /// The newest message is kept whatever its size. Costs as much memory, once for a room that somebody
    /// lags in.
    ///
    /// # Errors
    ///
    /// For 0, and above 2⁴⁸.
    pub const fn bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.bytes = bytes;
        match check_bytes(bytes) {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Sets what happens beyond. Default [`Overflow::DropOldest`].
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Returns how many messages a stalled member can be behind.
    #[must_use]
    pub const fn message_limit(&self) -> usize {
        self.messages
    }

    /// Returns how many payload bytes a stalled member can be behind.
    #[must_use]
    pub const fn byte_limit(&self) -> usize {
        self.bytes
    }

    /// Returns what happens beyond.
    #[must_use]
    pub const fn policy(&self) -> Overflow {
        self.overflow
    }

    /// Returns the most messages in one segment: an eighth of the limit, at most 128.
    #[must_use]
    pub const fn segment_messages(&self) -> usize {
        match self.messages / 8 {
            0 => 1,
            slots if slots > 128 => 128,
            slots => slots,
        }
    }

    /// Returns after how many payload bytes a segment closes: a sixteenth of the limit.
    #[must_use]
    pub const fn segment_bytes(&self) -> usize {
        if self.bytes < 16 { 1 } else { self.bytes / 16 }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            backlog: Position { messages: self.messages as u64, bytes: self.bytes as u64 },
            segment_slots: self.segment_messages() as u32,
            segment_bytes: self.segment_bytes() as u64,
        }
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self::new()
    }
}

/// What an [`EngineBuilder`](crate::EngineBuilder) collects.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) backlog: Backlog,
    pub(crate) shards: usize,
    pub(crate) event_names: usize,
    pub(crate) max_name_bytes: usize,
    pub(crate) membership_backlog: usize,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) middleware_timeout: Option<Duration>,
    pub(crate) inbound_queue: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) volatile_backlog: u32,
    pub(crate) track_progress: bool,
    pub(crate) max_sockets: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_rooms_per_socket: usize,
    pub(crate) max_pending_acks: usize,
    pub(crate) max_payload_bytes: usize,
    pub(crate) remembered_ticks: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backlog: Backlog::new(),
            shards: if IS_MODEL { 1 } else { 64 },
            event_names: 4096,
            max_name_bytes: 256,
            membership_backlog: 1024,
            connect_timeout: Some(Duration::from_secs(45)),
            middleware_timeout: Some(Duration::from_secs(30)),
            inbound_queue: 1024,
            max_namespaces: 64,
            volatile_backlog: 64,
            track_progress: false,
            max_sockets: 1 << 20,
            max_rooms: 1 << 20,
            max_rooms_per_socket: 1 << 14,
            max_pending_acks: 4096,
            max_payload_bytes: 1 << 20,
            remembered_ticks: 256,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.shards.is_power_of_two() || self.shards > 1 << 12 {
            return Err(bad("shards", "must be a power of two, at most 4096"));
        }
        if self.event_names > MAX_EVENT_NAMES {
            return Err(bad("event_names", "must be at most 131040"));
        }
        if self.max_name_bytes == 0 || self.max_name_bytes > 1 << 16 {
            return Err(bad("max_name_bytes", "must be from 1 to 65536"));
        }
        if self.membership_backlog < 2 {
            return Err(bad("membership_backlog", "must be at least 2"));
        }
        if self.max_namespaces == 0 {
            return Err(bad("max_namespaces", "must be at least 1"));
        }
        if self.max_sockets == 0 {
            return Err(bad("max_sockets", "must be at least 1"));
        }
        if self.inbound_queue == 0 {
            return Err(bad("inbound_queue", "must be at least 1"));
        }
        Ok(())
    }
}

/// Whether a room can be told to hold so many messages.
pub(crate) const fn check_messages(messages: usize) -> Result<(), ConfigError> {
    if messages == 0 || messages as u64 > 1 << 32 {
        return Err(bad("messages", "must be from 1 to 4294967296"));
    }
    Ok(())
}

/// Whether a room can be told to hold so many bytes.
pub(crate) const fn check_bytes(bytes: usize) -> Result<(), ConfigError> {
    if bytes == 0 || bytes as u64 > 1 << 48 {
        return Err(bad("bytes", "must be from 1 to 2^48"));
    }
    Ok(())
}

const fn bad(setting: &'static str, problem: &'static str) -> ConfigError {
    ConfigError { setting, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_checked() {
        assert_eq!(MAX_EVENT_NAMES, 131_040);
        assert!(Backlog::new().messages(1).is_ok_and(|backlog| backlog.segment_messages() == 1));
        assert!(Backlog::new().messages(1 << 32).is_ok_and(|backlog| backlog.segment_messages() == 128));
        for bad in [
            Backlog::new().messages(0),
            Backlog::new().messages((1 << 32) + 1),
            Backlog::new().bytes(0),
            Backlog::new().bytes((1 << 48) + 1),
        ] {
            assert!(bad.is_err());
        }
        let small = Backlog::new().bytes(3).unwrap();
        assert_eq!((small.segment_bytes(), small.limits().backlog.bytes), (1, 3));
    }
}
