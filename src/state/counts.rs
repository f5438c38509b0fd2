//! What a namespace and a socket have counted, put together on demand: one lock at a time.

use super::{NamespaceCore, SocketCore};
use crate::name::RoomName;
use crate::slab::SocketId;
use crate::stats::{Disconnects, NamespaceStats, RoomStats, SocketStats};
use crate::sync::Arc;
use crate::topic::{Census, Topic};

impl NamespaceCore {
    pub(crate) fn stats(&self) -> NamespaceStats {
        let counters = self.order.counters();
        let mut stats = NamespaceStats {
            disconnects: Disconnects::new(counters.closed()),
            wakes: counters.wakes(),
            pending_acks: self.acks.len(),
            is_tracked: self.order.tracked_from().is_some(),
            ..NamespaceStats::default()
        };
        stats.add_readings(counters.readings());
        {
            let connecting = self.connecting.lock();
            stats.connecting = connecting.sockets.len();
            (stats.attempts, stats.connects) = (connecting.next, connecting.opened);
        }
        stats.sockets = add_log(&mut stats, &self.everyone).members;

        let (directs, gone): (Vec<_>, _) = {
            let directs = self.directs.lock();
            (directs.topics.values().cloned().collect(), directs.gone)
        };
        stats.add_tally(gone);
        for direct in directs {
            add_log(&mut stats, &direct);
        }

        let (rooms, gone) = self.rooms.all_and_gone();
        stats.add_tally(gone);
        (stats.joins, stats.leaves) = (gone.joins, gone.leaves);
        for room in rooms {
            let Census { tally, members, .. } = add_log(&mut stats, &room);
            stats.rooms += usize::from(members > 0);
            stats.idle_rooms += usize::from(members == 0);
            stats.joins += tally.joins;
            stats.leaves += tally.leaves;
        }
        stats
    }

    /// The rooms with members that have taken in most, and of as much the first by name.
    pub(crate) fn hottest(&self, rooms: usize) -> Vec<(RoomName, RoomStats)> {
        let all = self.rooms.all();
        let stats = all.iter().filter_map(|room| Some((room.name()?.clone(), room.stats())));
        let mut stats: Vec<_> = stats.filter(|(_, stats)| stats.members > 0).collect();
        stats.sort_unstable_by(|(name, a), (other, b)| {
            b.published.cmp(&a.published).then_with(|| name.cmp(other))
        });
        stats.truncate(rooms);
        stats
    }

    /// The open sockets that have most to read, and of as much the first by id; if that is tracked.
    pub(crate) fn slowest(&self, sockets: usize) -> Option<Vec<(SocketId, SocketStats)>> {
        self.order.tracked_from()?;
        let open = self.everyone.members().into_iter().filter_map(|id| self.socket(id).ok());
        let mut stats: Vec<_> = open.map(|socket| (socket.id(), socket.stats())).collect();
        stats.sort_unstable_by(|(id, a), (other, b)| b.unread.cmp(&a.unread).then_with(|| id.cmp(other)));
        stats.truncate(sockets);
        Some(stats)
    }
}

impl SocketCore {
    pub(crate) fn stats(&self) -> SocketStats {
        let from = self.namespace.order.tracked_from();
        SocketStats {
            rooms: self.room_count(),
            is_sleeping: self.post.is_asleep(),
            unread: from.map(|from| self.unread(from)),
        }
    }

    /// How many messages from this sequence on lie before it.
    fn unread(&self, from: u64) -> u64 {
        let topics: Vec<(u64, Arc<Topic>)> = {
            let state = self.state.lock();
            if state.closing.is_some() {
                return 0;
            }
            let everyone = state.everyone.map(|since| (since.get(), Arc::clone(&self.namespace.everyone)));
            let direct = self.direct.get().map(|direct| (state.direct, Arc::clone(direct)));
            let rooms = state.rooms.iter().map(|(since, room)| (since, Arc::clone(room)));
            rooms.chain(everyone).chain(direct).collect()
        };
        let from = from.max(self.post.progress());
        topics.iter().map(|(since, topic)| topic.unread(from.max(*since))).sum()
    }
}

impl Topic {
    pub(crate) fn stats(&self) -> RoomStats {
        let Census { tally, members, armed, retained } = self.census();
        let mut stats = RoomStats {
            members,
            sleeping: armed,
            retained: retained.messages,
            retained_bytes: retained.bytes,
            ..RoomStats::default()
        };
        stats.add_tally(tally);
        stats
    }
}

/// Adds what one log has taken in and holds.
fn add_log(stats: &mut NamespaceStats, topic: &Topic) -> Census {
    let census = topic.census();
    stats.add_tally(census.tally);
    stats.retained += census.retained.messages;
    stats.retained_bytes = stats.retained_bytes.saturating_add(census.retained.bytes);
    census
}
