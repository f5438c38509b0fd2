//! What was counted, as users see it: plain values, taken at a moment.

use std::fmt;
use std::ops::AddAssign;

use crate::counters::{REASONS, Readings, Tally, reason_number};
use crate::reason::DisconnectReason;

/// What a room has done and holds. Comes from [`Room::stats`](crate::Room::stats) and
/// [`Namespace::hottest`](crate::Namespace::hottest).
///
/// All of it is of one moment. It counts since the room was made, which is when its first member joined or its first
/// handle was taken, and ends when it has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// How many members there are.
    pub members: usize,
    /// How many of these want to be told of the next message: they sleep, or are in many rooms of which this one is
    /// idle. An emit takes time for each. Those that left a moment ago may be among them.
    pub sleeping: usize,
    /// How many messages it has taken in.
    pub published: u64,
    /// How many payload bytes these were; one that is longer than the [backlog](crate::Backlog) lets be counts as that.
    pub bytes: u64,
    /// To how many members they were: each message counts once for each member that there was, those left out included.
    pub addressed: u64,
    /// How often a socket has joined.
    pub joins: u64,
    /// How often one has left, or was disconnected.
    pub leaves: u64,
    /// How many messages it holds, as [`Room::retained`](crate::Room::retained).
    pub retained: u64,
    /// How many payload bytes these are.
    pub retained_bytes: u64,
}

/// What a namespace has done and holds. Comes from [`Namespace::stats`](crate::Namespace::stats).
///
/// What is there now (`sockets`, `connecting`, `rooms`, `idle_rooms`, `retained`, `retained_bytes`, `pending_acks`)
/// rises and falls; all else counts up since the namespace was made, with what rooms and sockets did that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceStats {
    /// How many sockets are connected.
    pub sockets: usize,
    /// How many are about to be.
    pub connecting: usize,
    /// How many rooms have members.
    pub rooms: usize,
    /// How many others have a handle.
    pub idle_rooms: usize,
    /// How many sockets there ever were: those that are connected, connecting, and [disconnected](Self::disconnects).
    pub attempts: u64,
    /// How many of these were connected.
    pub connects: u64,
    /// How many sockets were disconnected or not let in, by reason.
    pub disconnects: Disconnects,
    /// How often a socket has joined a room.
    pub joins: u64,
    /// How often one has left a room, or was disconnected in one.
    pub leaves: u64,
    /// How many messages were emitted to anybody: to rooms with members or a [history](crate::History), to everyone, to
    /// single sockets.
    pub published: u64,
    /// In how many logs they lie or lay: one that was emitted to several rooms counts once for each of them.
    pub copies: u64,
    /// How many payload bytes these copies were; one that is longer than its room's [backlog](crate::Backlog) lets be
    /// counts as that. Copies share their payload: this is no measure of memory.
    pub bytes: u64,
    /// To how many members they were, as the sum of [`Emitted::members`](crate::Emitted::members): at least as many as
    /// there will be deliveries, but for what a socket gets of a [history](crate::History).
    pub addressed: u64,
    /// How many messages inboxes have handed out, as far as they have told: each does when it is dropped, has lost
    /// something, or has dropped a volatile message; and with [`is_tracked`](Self::is_tracked) after every drain.
    pub delivered: u64,
    /// How many gaps inboxes have told of.
    pub gaps: u64,
    /// How many messages those gaps counted that were beyond a [backlog](crate::Backlog).
    pub backlog_missed: u64,
    /// How many they counted that were [folded](crate::GapReason::Memberships) with memberships.
    pub membership_missed: u64,
    /// How many [volatile](crate::Broadcast::volatile) messages were dropped by sockets that were behind.
    pub volatile_dropped: u64,
    /// How many messages sockets passed over whose [lifetime](crate::Broadcast::lifetime) was over.
    pub expired: u64,
    /// How many they passed over for a newer one of the same [key](crate::Broadcast::latest).
    pub replaced: u64,
    /// How often a sleeping reader was woken.
    pub wakes: u64,
    /// How many messages logs hold: those of rooms, of everyone, and of single sockets.
    pub retained: u64,
    /// How many payload bytes these are, where no payload is in several logs.
    pub retained_bytes: u64,
    /// How many messages wait for answers.
    pub pending_acks: usize,
    /// Whether it [tracks](crate::Namespace::track_progress) how far its sockets have read.
    pub is_tracked: bool,
}

/// What an engine has done and holds. Comes from [`Engine::stats`](crate::Engine::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStats {
    /// How many namespaces there are.
    pub namespaces: usize,
    /// How many connections are open.
    pub connections: usize,
    /// How many event names it [remembers](crate::EngineBuilder::event_names).
    pub event_names: usize,
    /// How often an event of a client was [refused](crate::ReceiveError::Busy), as too many waited.
    pub refused: u64,
    /// How many connections were closed for [what their clients sent](crate::ProtocolError).
    pub protocol_errors: u64,
    /// How many sockets have a session that their clients can [resume](crate::Recovery).
    pub sessions: usize,
    /// How many of these are [away](crate::Socket::is_away).
    pub away: usize,
    /// How often one was resumed.
    pub resumed: u64,
    /// How many were given up, as their clients did not come back in time, or too many were away.
    pub expired_sessions: u64,
    /// All namespaces together, those that were removed included. What an inbox of a namespace reads after the
    /// namespace was removed is not in it. `is_tracked` if all that are there are.
    pub total: NamespaceStats,
}

/// How far a socket is, for others to see. Comes from [`Socket::stats`](crate::Socket::stats) and
/// [`Namespace::slowest`](crate::Namespace::slowest).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// How many rooms it is in.
    pub rooms: usize,
    /// Whether its reader sleeps, and is to be woken.
    pub is_sleeping: bool,
    /// How many messages lie before it in the logs of its rooms, of everyone, and of its own; if its namespace
    /// [tracks](crate::Namespace::track_progress) that.
    ///
    /// An upper bound of what it will be handed, and exact if nobody was left out of them, none was to several of its
    /// rooms and it does without none. What was let go of, which it will be told of in a gap, is not counted, nor what
    /// lies in rooms that it has left or in the past of one.
    pub unread: Option<u64>,
}

/// What an inbox has read and lost. Comes from [`Inbox::stats`](crate::Inbox::stats).
///
/// Exact, but for a drain that panicked: not all that it handed out or passed over may be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxStats {
    /// How many messages it has handed out. Gaps are none.
    pub delivered: u64,
    /// How many gaps it has told of.
    pub gaps: u64,
    /// How many messages those gaps counted that were beyond a [backlog](crate::Backlog).
    pub backlog_missed: u64,
    /// How many they counted that were [folded](crate::GapReason::Memberships) with memberships.
    pub membership_missed: u64,
    /// How many volatile messages it has dropped, as [`Inbox::volatile_dropped`](crate::Inbox::volatile_dropped).
    pub volatile_dropped: u64,
    /// How many it has passed over whose lifetime was over, as [`Inbox::expired`](crate::Inbox::expired).
    pub expired: u64,
    /// How many it has passed over for newer ones, as [`Inbox::replaced`](crate::Inbox::replaced).
    pub replaced: u64,
}

/// How many sockets were disconnected, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnects {
    by_reason: [u64; REASONS.len()],
}

impl Disconnects {
    pub(crate) fn new(by_reason: [u64; REASONS.len()]) -> Self {
        Self { by_reason }
    }

    /// Returns how many that were for this reason. All that are [`Other`](DisconnectReason::Other) count as one.
    ///
    /// ```
    /// use roomcast::DisconnectReason;
    ///
    /// let world = roomcast::Engine::new().of("/world")?;
    /// let (player, _inbox) = world.connect();
    /// player.disconnect("cheating");
    /// let disconnects = world.stats().disconnects;
    /// assert_eq!(disconnects.by(&DisconnectReason::from("anything")), 1);
    /// assert_eq!(disconnects.by(&DisconnectReason::Backlog), 0);
    /// # Ok::<(), roomcast::NamespaceError>(())
    /// ```
    #[must_use]
    pub fn by(&self, reason: &DisconnectReason) -> u64 {
        self.by_reason[reason_number(reason)]
    }

    /// Returns how many that were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Returns each reason in a word, such as `inbox_dropped`, with how many that were: always all, in the same order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(self.by_reason)
    }
}

impl RoomStats {
    pub(crate) fn add_tally(&mut self, tally: Tally) {
        self.published += tally.taken.messages;
        self.bytes = self.bytes.saturating_add(tally.taken.bytes);
        self.addressed += tally.addressed;
        self.joins += tally.joins;
        self.leaves += tally.leaves;
    }
}

impl NamespaceStats {
    pub(crate) fn add_tally(&mut self, tally: Tally) {
        self.published += tally.taken.messages - tally.copies;
        self.copies += tally.taken.messages;
        self.bytes = self.bytes.saturating_add(tally.taken.bytes);
        self.addressed += tally.addressed;
    }

    pub(crate) fn add_readings(&mut self, readings: Readings) {
        self.delivered += readings.delivered;
        self.gaps += readings.gaps;
        self.backlog_missed += readings.backlog;
        self.membership_missed += readings.memberships;
        self.volatile_dropped += readings.volatile;
        self.expired += readings.expired;
        self.replaced += readings.replaced;
    }

    /// What stays of it when there is nothing left.
    pub(crate) fn past(self) -> Self {
        Self {
            sockets: 0,
            connecting: 0,
            rooms: 0,
            idle_rooms: 0,
            retained: 0,
            retained_bytes: 0,
            pending_acks: 0,
            is_tracked: false,
            ..self
        }
    }
}

impl AddAssign for NamespaceStats {
    /// Adds all but `is_tracked`.
    fn add_assign(&mut self, other: Self) {
        self.sockets += other.sockets;
        self.connecting += other.connecting;
        self.rooms += other.rooms;
        self.idle_rooms += other.idle_rooms;
        self.attempts += other.attempts;
        self.connects += other.connects;
        self.disconnects += other.disconnects;
        self.joins += other.joins;
        self.leaves += other.leaves;
        self.published += other.published;
        self.copies += other.copies;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.addressed += other.addressed;
        self.delivered += other.delivered;
        self.gaps += other.gaps;
        self.backlog_missed += other.backlog_missed;
        self.membership_missed += other.membership_missed;
        self.volatile_dropped += other.volatile_dropped;
        self.expired += other.expired;
        self.replaced += other.replaced;
        self.wakes += other.wakes;
        self.retained += other.retained;
        self.retained_bytes = self.retained_bytes.saturating_add(other.retained_bytes);
        self.pending_acks += other.pending_acks;
    }
}

impl AddAssign for Disconnects {
    fn add_assign(&mut self, other: Self) {
        self.by_reason.iter_mut().zip(other.by_reason).for_each(|(count, more)| *count += more);
    }
}

impl From<Readings> for InboxStats {
    fn from(readings: Readings) -> Self {
        Self {
            delivered: readings.delivered,
            gaps: readings.gaps,
            backlog_missed: readings.backlog,
            membership_missed: readings.memberships,
            volatile_dropped: readings.volatile,
            expired: readings.expired,
            replaced: readings.replaced,
        }
    }
}

/// Those that there were: `2 client, 1 backlog`, or `none`.
impl fmt::Display for Disconnects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (reason, count) in self.iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{count} {reason}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}
