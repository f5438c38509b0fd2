//! Asking an engine, a namespace, a room, a socket or an inbox what it has done and holds.

use std::cmp::Reverse;

use crate::engine::Engine;
use crate::inbox::Inbox;
use crate::name::RoomName;
use crate::namespace::Namespace;
use crate::room::Room;
use crate::slab::SocketId;
use crate::snapshot::{EACH, NAMESPACES, NamespaceSnapshot, Snapshot};
use crate::socket::Socket;
use crate::stats::{EngineStats, InboxStats, NamespaceStats, RoomStats, SocketStats};

impl Engine {
    /// Returns what all its namespaces have done and hold, and the rest of it.
    ///
    /// As [`Namespace::stats`] of one after the other. What namespaces did that were removed stays in it.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.directory().stats()
    }

    /// Returns all of that for people, with the rooms in which most is going on and the sockets that lag most:
    /// `println!("{}", engine.snapshot())`.
    ///
    /// As [`stats`](Self::stats), and for the namespaces that are shown [`hottest`](Namespace::hottest) and
    /// [`slowest`](Namespace::slowest).
    ///
    /// ```
    /// let engine = roomcast::Engine::builder().track_progress().build();
    /// let world = engine.of("/world")?;
    /// let (player, _inbox) = world.connect();
    /// player.join("lobby")?;
    /// world.to("lobby").emit("news", "hello")?;
    /// let page = engine.snapshot().to_string();
    /// assert!(page.contains("/world: 1 socket, 0 connecting, 1 room, 0 idle\n"));
    /// assert!(page.contains("0v1                               1 unread, in 1 room\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let engine = self.stats();
        let mut shown: Vec<_> =
            self.namespaces().into_iter().map(|namespace| (namespace.stats(), namespace)).collect();
        shown.sort_by_key(|(stats, _)| Reverse(stats.published)); // of as many the first by path
        shown.truncate(NAMESPACES);
        shown.sort_by(|(_, a), (_, b)| a.path().cmp(b.path()));
        let namespaces = shown.into_iter().map(|(stats, namespace)| {
            let mut slowest = namespace.slowest(EACH);
            slowest.iter_mut().for_each(|slowest| slowest.retain(|(_, socket)| socket.unread > Some(0)));
            NamespaceSnapshot {
                path: namespace.path().to_owned(),
                stats,
                hottest: namespace.hottest(EACH),
                slowest,
            }
        });
        Snapshot { engine, namespaces: namespaces.collect() }
    }
}

impl Namespace {
    /// Returns what it has done and holds.
    ///
    /// Exact while nothing else is going on. Otherwise each number is of some moment during the call, numbers of
    /// different rooms of different moments, and what counts up never sinks from one call to the next. Takes a look at
    /// every room and every socket that was sent to directly, under one lock at a time and only for as long as it takes
    /// to read a few numbers: O(rooms · log rooms + sockets). An emit meanwhile waits for the look at its own room only.
    ///
    /// ```
    /// let world = roomcast::Engine::new().of("/world")?;
    /// let players: Vec<_> = (0..3).map(|_| world.connect()).collect();
    /// for (player, _inbox) in &players {
    ///     player.join(["lobby", "hall"])?;
    /// }
    /// world.to("lobby").to("hall").emit("news", "hello")?;
    /// world.emit("news", "more")?;
    /// let stats = world.stats();
    /// assert_eq!((stats.sockets, stats.rooms, stats.joins), (3, 2, 6));
    /// assert_eq!((stats.published, stats.copies, stats.bytes), (2, 3, 5 + 5 + 4));
    /// assert_eq!(stats.addressed, 3 + 3 + 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> NamespaceStats {
        self.core().stats()
    }

    /// Returns the rooms with members that have taken in most messages since they were made, at most so many, and of two
    /// with as many the first by name. O(rooms · log rooms).
    ///
    /// ```
    /// let world = roomcast::Engine::new().of("/world")?;
    /// let (player, _inbox) = world.connect();
    /// player.join(["attic", "hall", "lobby"])?;
    /// world.to(["hall", "lobby"]).emit("news", "hello")?;
    /// world.to("lobby").emit("news", "more")?;
    /// let hottest = world.hottest(2);
    /// let names: Vec<_> = hottest.iter().map(|(name, room)| (name.as_str().unwrap(), room.published)).collect();
    /// assert_eq!(names, [("lobby", 2), ("hall", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn hottest(&self, rooms: usize) -> Vec<(RoomName, RoomStats)> {
        self.core().hottest(rooms)
    }

    /// Has the readers of its sockets say, from now on and for good, how far they have read, so that others can ask:
    /// [`slowest`](Self::slowest), [`Socket::stats`] and the snapshot; and how much they have handed out.
    ///
    /// Costs a store in the socket's mailbox after each drain, and after one that handed out anything an addition to a
    /// counter of the namespace. Where a room is to [disconnect](crate::Overflow::Disconnect) who falls behind, the store
    /// is made anyway. Without either, nobody but a reader itself knows how far it is, and reading costs nothing for it.
    ///
    /// A socket that has not read since this call counts as having read what was emitted before it. Twice is as once.
    pub fn track_progress(&self) {
        self.core().order.track();
    }

    /// Returns the sockets that have most to read, at most so many, and of two with as much the first by id; or `None`
    /// unless that is [tracked](Self::track_progress).
    ///
    /// O(sockets · log sockets, and the rooms and segments that each has to read), under one lock at a time.
    ///
    /// ```
    /// let engine = roomcast::Engine::builder().track_progress().build();
    /// let world = engine.of("/world")?;
    /// let ((_stalled, _unread), (_reader, mut inbox)) = (world.connect(), world.connect());
    /// for _ in 0..10 {
    ///     world.emit("tick", ())?;
    ///     inbox.drain(|_| {});
    /// }
    /// let unread: Vec<_> = world.slowest(5).unwrap().iter().map(|(_, socket)| socket.unread).collect();
    /// assert_eq!(unread, [Some(10), Some(0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn slowest(&self, sockets: usize) -> Option<Vec<(SocketId, SocketStats)>> {
        self.core().slowest(sockets)
    }
}

impl Room {
    /// Returns what the room has done and holds. O(1), under the room's lock.
    ///
    /// ```
    /// let world = roomcast::Engine::new().of("/world")?;
    /// let ((player, _inbox), lobby) = (world.connect(), world.room("lobby")?);
    /// lobby.emit("news", "to nobody")?;
    /// player.join(&lobby)?;
    /// lobby.emit("news", "hello")?;
    /// let stats = lobby.stats();
    /// assert_eq!((stats.published, stats.bytes, stats.addressed, stats.retained), (1, 5, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        self.topic().stats()
    }
}

impl Socket {
    /// Returns how far it is, as others can see it: all that its inbox knows, [`Inbox::stats`] tells. O(rooms, and the
    /// segments that it has to read). Of a closed socket nothing is known.
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.core().stats()
    }
}

impl Inbox {
    /// Returns what was read and lost so far. O(1).
    ///
    /// ```
    /// # let world = roomcast::Engine::builder().volatile_backlog(0).build().of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// for _ in 0..3 {
    ///     player.emit("shot", ())?;
    ///     player.emit_volatile("position", "3, 4")?;
    /// }
    /// inbox.drain(|_| {});
    /// let stats = inbox.stats();
    /// assert_eq!((stats.delivered, stats.volatile_dropped, stats.gaps), (3, 3, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> InboxStats {
        self.readings().into()
    }
}
