//! All that was counted on one page, for people.

use std::fmt;

use crate::name::RoomName;
use crate::slab::SocketId;
use crate::stats::{EngineStats, NamespaceStats, RoomStats, SocketStats};

/// An engine at a moment, to be printed. Comes from [`Engine::snapshot`](crate::Engine::snapshot).
///
/// What it prints is for people, and may change; what is in it is for programs. It prints no more than some 130 lines
/// of some 100 characters: names are cut, and control characters in them shown as escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// All namespaces together, and the rest of the engine.
    pub engine: EngineStats,
    /// The namespaces in which most was published, at most eight, by path.
    pub namespaces: Vec<NamespaceSnapshot>,
}

/// A namespace at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceSnapshot {
    /// Its path.
    pub path: String,
    /// What it has done and holds.
    pub stats: NamespaceStats,
    /// Its rooms that have taken in most, at most five.
    pub hottest: Vec<(RoomName, RoomStats)>,
    /// Its sockets that have most to read, at most five of those that have anything; if that is
    /// [tracked](crate::Namespace::track_progress).
    pub slowest: Option<Vec<(SocketId, SocketStats)>>,
}

/// How many namespaces are shown.
pub(crate) const NAMESPACES: usize = 8;
/// How many rooms and sockets of each.
pub(crate) const EACH: usize = 5;
/// How many characters of a name.
const NAME: usize = 32;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EngineStats { namespaces, connections, event_names, refused, protocol_errors, total, .. } =
            self.engine;
        writeln!(f, "engine: {}, {}", Count(namespaces as u64, "namespace"), There(&total))?;
        let connections = Count(connections as u64, "connection");
        let closed = format_args!("{protocol_errors} closed for protocol errors");
        line(f, "clients", format_args!("{connections}; {refused} events refused, {closed}"))?;
        if let EngineStats { sessions: sessions @ 1.., away, resumed, expired_sessions, .. } = self.engine {
            let sessions = Count(sessions as u64, "session");
            line(
                f,
                "sessions",
                format_args!("{sessions}, {away} away; {resumed} resumed, {expired_sessions} expired"),
            )?;
        }
        line(f, "events", format_args!("{} remembered", Count(event_names as u64, "name")))?;
        counted(f, &total)?;
        for namespace in &self.namespaces {
            write!(f, "{namespace}")?;
        }
        let more = namespaces.saturating_sub(self.namespaces.len());
        if more > 0 { writeln!(f, "and {}", Count(more as u64, "other namespace")) } else { Ok(()) }
    }
}

impl fmt::Display for NamespaceSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", Name(&self.path), There(&self.stats))?;
        counted(f, &self.stats)?;
        let mut title = "hottest";
        for (name, room) in &self.hottest {
            let (name, retained) = (Name(&name.to_string()).to_string(), room.retained);
            let (messages, members) =
                (Count(room.published, "message"), Count(room.members as u64, "member"));
            line(f, title, format_args!("{name:<NAME$}  {messages}, {members}, {retained} retained"))?;
            title = "";
        }
        let Some(slowest) = &self.slowest else {
            return line(f, "slowest", format_args!("not tracked"));
        };
        if slowest.is_empty() {
            return line(f, "slowest", format_args!("none: all is read"));
        }
        let mut title = "slowest";
        for (id, socket) in slowest {
            let (id, unread) = (id.to_string(), socket.unread.unwrap_or_default());
            let rooms = Count(socket.rooms as u64, "room");
            line(f, title, format_args!("{id:<NAME$}  {unread} unread, in {rooms}"))?;
            title = "";
        }
        Ok(())
    }
}

/// What has happened, and is kept.
fn counted(f: &mut fmt::Formatter<'_>, stats: &NamespaceStats) -> fmt::Result {
    let (messages, bytes) = (Count(stats.published, "message"), Count(stats.bytes, "byte"));
    line(f, "published", format_args!("{messages}, {bytes}, for {}", Count(stats.addressed, "member")))?;
    let (delivered, least) = (stats.delivered, if stats.is_tracked { "" } else { " or more" });
    line(f, "delivered", format_args!("{delivered}{least}; {} woken", Count(stats.wakes, "sleeper")))?;
    let (backlog, moves, gaps) = (stats.backlog_missed, stats.membership_missed, Count(stats.gaps, "gap"));
    line(f, "lost", format_args!("{backlog} to the backlog, {moves} to moves, in {gaps}"))?;
    let (volatile, expired) = (stats.volatile_dropped, stats.expired);
    line(f, "forgone", format_args!("{volatile} volatile, {expired} expired, {} replaced", stats.replaced))?;
    let (messages, bytes) = (Count(stats.retained, "message"), Count(stats.retained_bytes, "byte"));
    line(f, "retained", format_args!("{messages}, {bytes}; {} to be answered", stats.pending_acks))?;
    let (joins, leaves) = (Count(stats.joins, "join"), Count(stats.leaves, "leave"));
    line(f, "moves", format_args!("{joins}, {leaves}; {} connected", stats.connects))?;
    line(f, "gone", format_args!("{}", stats.disconnects))
}

fn line(f: &mut fmt::Formatter<'_>, title: &str, rest: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "  {title:<10} {rest}")
}

/// What there is now.
struct There<'a>(&'a NamespaceStats);

impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NamespaceStats { sockets, connecting, rooms, idle_rooms, .. } = *self.0;
        let (sockets, rooms) = (Count(sockets as u64, "socket"), Count(rooms as u64, "room"));
        write!(f, "{sockets}, {connecting} connecting, {rooms}, {idle_rooms} idle")
    }
}

/// So many of something.
struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A name that may come from a client.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown: String = self.0.escape_debug().take(NAME + 1).collect();
        if let Some((cut, _)) = shown.char_indices().nth(NAME) {
            shown.truncate(cut - shown[..cut].chars().next_back().map_or(0, char::len_utf8));
            shown.push('…');
        }
        f.write_str(&shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_do_nothing_to_a_terminal() {
        let shown = |name: &str| Name(name).to_string();
        assert_eq!(shown("lobby"), "lobby");
        assert_eq!(shown("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(shown(&"x".repeat(32)), "x".repeat(32));
        assert_eq!(shown(&"ä".repeat(33)), format!("{}…", "ä".repeat(31)));
        assert_eq!(shown(&"\0".repeat(1000)).chars().count(), 32);
    }
}
