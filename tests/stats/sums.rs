//! A world in which everything happens, counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use roomcast::{Backlog, DisconnectReason, Engine, Inbox, Namespace, NamespaceStats, Overflow, Room, Socket};

use crate::Chance;

/// A socket, and what it ought to have got.
struct Player {
    socket: Socket,
    inbox: Inbox,
    rooms: BTreeSet<usize>,
    /// How many messages were for it, by a count of our own.
    due: u64,
    inexact: bool,
}

const ROOMS: usize = 6;

/// Whether a message is for the player of this number.
type Recipients = Box<dyn Fn(usize, &Player) -> bool>;

/// A world in which everything happens: who is where is kept twice, here and there.
struct World {
    namespace: Namespace,
    rooms: Vec<Room>,
    players: Vec<Player>,
    expected: Expected,
    chance: Chance,
}

#[derive(Default)]
struct Expected {
    connects: u64,
    joins: u64,
    leaves: u64,
    published: u64,
    copies: u64,
    bytes: u64,
    addressed: u64,
    disconnects: BTreeMap<&'static str, u64>,
    /// Of inboxes that are dropped.
    past: Readings,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Readings {
    delivered: u64,
    gaps: u64,
    backlog: u64,
    moves: u64,
    volatile: u64,
}

impl Readings {
    fn add(&mut self, inbox: &Inbox) {
        let stats = inbox.stats();
        self.delivered += stats.delivered;
        self.gaps += stats.gaps;
        self.backlog += stats.backlog_missed;
        self.moves += stats.membership_missed;
        self.volatile += stats.volatile_dropped;
    }

    fn of(stats: &NamespaceStats) -> Self {
        Self {
            delivered: stats.delivered,
            gaps: stats.gaps,
            backlog: stats.backlog_missed,
            moves: stats.membership_missed,
            volatile: stats.volatile_dropped,
        }
    }
}

impl World {
    fn new(overflow: Overflow, seed: u64) -> Self {
        let backlog = Backlog::new().messages(24).unwrap().overflow(overflow);
        let engine = Engine::builder().backlog(backlog).volatile_backlog(4).membership_backlog(32).unwrap();
        let namespace = engine.track_progress().build().of("/world").unwrap();
        let rooms = (0..ROOMS).map(|room| namespace.room(room).unwrap()).collect();
        let expected = Expected::default();
        let mut world = Self { namespace, rooms, players: Vec::new(), expected, chance: Chance(seed) };
        (0..8).for_each(|_| world.connect());
        world
    }

    fn connect(&mut self) {
        let (socket, inbox) = self.namespace.connect();
        self.players.push(Player { socket, inbox, rooms: BTreeSet::new(), due: 0, inexact: false });
        self.expected.connects += 1;
    }

    fn step(&mut self) {
        let (player, room) = (self.chance.below(self.players.len()), self.chance.below(ROOMS));
        match self.chance.below(20) {
            0..=2 => self.join(player, room),
            3 => self.leave(player, room),
            4..=14 => self.emit(player),
            // The first two stall, and are moved about all the same.
            15..=18 if player > 1 => self.players[player].read(usize::MAX),
            19 if player > 1 => self.players[player].read(3),
            _ => {}
        }
    }

    fn join(&mut self, player: usize, room: usize) {
        let player = &mut self.players[player];
        let joined = player.socket.join(&self.rooms[room]).unwrap_or(0);
        self.expected.joins += joined as u64;
        if joined > 0 {
            assert!(player.rooms.insert(room));
        }
    }

    fn leave(&mut self, player: usize, room: usize) {
        let player = &mut self.players[player];
        let left = player.socket.leave(&self.rooms[room]).unwrap_or(0);
        self.expected.leaves += left as u64;
        if left > 0 {
            assert!(player.rooms.remove(&room));
        }
    }

    /// Emits in any of the ways that there are, and counts for whom that is.
    fn emit(&mut self, sender: usize) {
        let [a, b, c] = [(); 3].map(|()| self.chance.below(ROOMS));
        let payload = vec![0_u8; self.chance.below(5)];
        let bytes = payload.len();
        let is_volatile = self.chance.below(3) == 0;
        let other = self.chance.below(self.players.len());
        let socket = &self.players[sender].socket;
        let (rooms, world) = (&self.rooms, &self.namespace);
        let id = self.players[other].socket.id();
        let mut is_for: Recipients = Box::new(move |_, it| it.rooms.contains(&a));
        let broadcast = match self.chance.below(8) {
            0 => world.to(&rooms[a]),
            1 if socket.is_connected() => {
                is_for = Box::new(move |n, it| n != sender && it.rooms.contains(&a));
                socket.to(&rooms[a])
            }
            2 => {
                is_for = Box::new(move |_, it| it.rooms.contains(&a) || it.rooms.contains(&b));
                world.to(&rooms[a]).to(&rooms[b])
            }
            3 => {
                is_for = Box::new(move |_, it| it.rooms.contains(&a) && !it.rooms.contains(&b));
                world.to(&rooms[a]).except(&rooms[b])
            }
            4 if socket.is_connected() => {
                is_for = Box::new(move |n, it| {
                    n != sender && (it.rooms.contains(&a) || it.rooms.contains(&b)) && !it.rooms.contains(&c)
                });
                socket.to([&rooms[a], &rooms[b]]).except(&rooms[c])
            }
            5 if self.players[other].socket.is_connected() => {
                is_for = Box::new(move |n, _| n == other);
                world.to(id)
            }
            6 => {
                is_for = Box::new(move |n, _| n != other);
                world.except(id)
            }
            _ => {
                is_for = Box::new(|_, _| true);
                world.everyone()
            }
        };
        let broadcast = if is_volatile { broadcast.volatile() } else { broadcast };
        let connected: Vec<bool> = self.players.iter().map(|player| player.socket.is_connected()).collect();
        let emitted = broadcast.emit("n", payload).unwrap();
        for (number, player) in self.players.iter_mut().enumerate() {
            player.due += u64::from(connected[number] && is_for(number, player));
        }
        self.expected.published += u64::from(emitted.sequence().is_some());
        self.expected.copies += emitted.rooms() as u64;
        self.expected.bytes += (emitted.rooms() * bytes) as u64;
        self.expected.addressed += emitted.members() as u64;
        for (player, was_connected) in connected.into_iter().enumerate() {
            if was_connected && !self.players[player].socket.is_connected() {
                self.gone(player, "backlog");
            }
        }
    }

    /// A socket was disconnected.
    fn gone(&mut self, player: usize, reason: &'static str) {
        let player = &mut self.players[player];
        self.expected.leaves += player.rooms.len() as u64;
        player.rooms.clear();
        *self.expected.disconnects.entry(reason).or_default() += 1;
    }

    /// Compares all that is counted with what is known.
    fn check(&self) {
        let (stats, expected) = (self.namespace.stats(), &self.expected);
        let open = self.players.iter().filter(|player| player.socket.is_connected());
        assert_eq!(stats.sockets, open.count());
        let occupied: BTreeSet<_> = self.players.iter().flat_map(|player| &player.rooms).collect();
        assert_eq!((stats.rooms, stats.idle_rooms), (occupied.len(), ROOMS - occupied.len()));
        assert_eq!((stats.connects, stats.connecting), (expected.connects, 0));
        assert_eq!(stats.attempts, stats.sockets as u64 + stats.disconnects.total());
        assert_eq!((stats.joins, stats.leaves), (expected.joins, expected.leaves));
        assert_eq!((stats.published, stats.copies), (expected.published, expected.copies));
        assert_eq!((stats.bytes, stats.addressed), (expected.bytes, expected.addressed));
        let disconnects: BTreeMap<_, _> = stats.disconnects.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(disconnects, expected.disconnects);
        let mut readings = expected.past;
        self.players.iter().for_each(|player| readings.add(&player.inbox));
        assert_eq!(Readings::of(&stats), readings);
        for room in &self.rooms {
            let stats = room.stats();
            assert_eq!((stats.members, stats.retained), (room.len(), room.retained()));
            assert_eq!(stats.joins - stats.leaves, room.len() as u64);
        }
    }
}

impl Player {
    /// Reads so much, and then knows whether all gaps were exact.
    fn read(&mut self, mut most: usize) {
        let inexact = &mut self.inexact;
        let _ = self.inbox.try_drain(|delivery| {
            *inexact |= delivery.gap().is_some_and(|gap| !gap.exact);
            most -= 1;
            if most == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// All that was for it has become something.
    fn settle(&mut self) -> u64 {
        self.read(usize::MAX);
        self.read(usize::MAX); // a gap may have waited for a second pass
        let stats = self.inbox.stats();
        let missed = stats.backlog_missed + stats.membership_missed;
        let sum = stats.delivered + stats.volatile_dropped + missed;
        assert!(if self.inexact { sum >= self.due } else { sum == self.due }, "{stats:?}, due {}", self.due);
        assert_eq!(stats.volatile_dropped, self.inbox.volatile_dropped());
        missed
    }
}

#[test]
fn everything_adds_up_whatever_happens() {
    let (mut missed, mut thrown_out, mut volatile, mut moved) = (0, 0, 0, 0);
    for seed in 0..40 {
        for overflow in [Overflow::DropOldest, Overflow::Disconnect] {
            let mut world = World::new(overflow, seed);
            for step in 0..1500 {
                world.step();
                if step % 100 == 0 {
                    world.check();
                }
            }
            missed += world.players.iter_mut().map(Player::settle).sum::<u64>();
            world.check();
            let stats = world.namespace.stats();
            thrown_out += stats.disconnects.by(&DisconnectReason::Backlog);
            volatile += stats.volatile_dropped;
            moved += stats.membership_missed;
            // All has gone into the sums of what is gone.
            for player in 0..world.players.len() {
                if world.players[player].socket.is_connected() {
                    world.gone(player, "inbox_dropped");
                }
            }
            for player in world.players.drain(..) {
                world.expected.past.add(&player.inbox);
            }
            world.check();
            let (published, idle) = (world.namespace.stats().published, world.namespace.stats().idle_rooms);
            assert_eq!(idle, ROOMS);
            world.rooms.clear();
            let stats = world.namespace.stats();
            assert_eq!((stats.published, stats.sockets, stats.rooms), (published, 0, 0));
            assert_eq!((stats.idle_rooms, stats.retained, stats.retained_bytes), (0, 0, 0));
        }
    }
    assert!(
        missed > 1000 && thrown_out > 50 && volatile > 1000 && moved > 10,
        "{missed} {thrown_out} {volatile} {moved}"
    );
}
