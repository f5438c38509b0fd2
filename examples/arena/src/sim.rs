//! The simulation: a room for each cell, a socket for each agent, and what happens in a tick.
//!
//! A tick has three phases, each shared by all threads, and each over before the next begins:
//!
//! - **publish**: those whose turn it is say where they are, to the room of their cell;
//! - **drain**: all read what they were sent by the nine rooms around them;
//! - **move**: all move by what they heard, and those who come into another cell change rooms: all join, then all leave.
//!
//! So what an agent hears in a tick depends on no thread's speed. In which order it hears it does, between rooms: sums do
//! not mind. Within a room it is always the same, as one thread publishes all that goes to a room; and a room is without
//! agents for a moment only if it is so at the end of the tick, whoever comes and goes first. For then it begins a new
//! segment. So of what is lost to a room's limit, the same messages are.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use roomcast::{Backlog, Engine, EventHandle, Inbox, Room, Socket};
use serde::Serialize;

use crate::grid::{Grid, Index};
use crate::options::Options;
use crate::world::{Body, Heard, Report, mix};

/// How often agents that stall read.
pub const STALL: u64 = 600;

/// All there is, between two ticks.
#[derive(Debug)]
pub struct Simulation {
    grid: Grid,
    turns: Turns,
    pool: ThreadPool,
    moved: EventHandle,
    rooms: Vec<Room>,
    sockets: Vec<Socket>,
    inboxes: Vec<Inbox>,
    bodies: Vec<Body>,
    heard: Vec<Heard>,
    /// Whether each has come into another cell in this tick.
    has_moved: Vec<bool>,
    index: Index,
    checksum: u64,
}

/// Whose turn it is in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    tick: u64,
    every: u64,
    stalled: u32,
}

/// What happened in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// How much.
    pub counts: Counts,
    /// How long that took, all in all.
    pub time: Duration,
    /// How long each phase took: publish, drain, move.
    pub phases: [Duration; 3],
}

/// What is counted, in a tick or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages that agents have emitted.
    pub published: u64,
    /// Messages that agents have read.
    pub delivered: u64,
    /// Rooms that agents have joined, since they are on the map.
    pub joins: u64,
    /// Rooms that they have left.
    pub leaves: u64,
    /// How many times an agent was told that it has lost messages.
    pub gaps: u64,
    /// How many it lost.
    pub missed: u64,
    /// The most that one agent found unread.
    pub max_backlog: u64,
    /// See [`Heard::digest`].
    #[serde(skip)]
    pub(crate) digest: u64,
}

impl Simulation {
    /// Puts the agents on the map, each in the nine rooms around it.
    ///
    /// # Errors
    ///
    /// If the threads cannot be started.
    pub fn new(options: &Options) -> Result<Self, Box<dyn std::error::Error>> {
        let pool = ThreadPoolBuilder::new().num_threads(options.threads.into()).build()?;
        let grid = Grid::for_agents(options.agents as usize);
        let world = Engine::builder()
            .backlog(Backlog::new().messages(options.backlog as usize)?)
            .build()
            .of("/world")?;
        let rooms: Result<Vec<_>, _> =
            (0..grid.cells()).map(|cell| world.room((cell / grid.side(), cell % grid.side()))).collect();
        let rooms = rooms?;
        let bodies = Body::spread(options.agents as usize, grid, options.seed);
        let (mut sockets, mut inboxes) = (Vec::new(), Vec::new());
        for body in &bodies {
            let (socket, inbox) = world.connect();
            socket.join(grid.around(grid.cell(body.place())).map(|cell| &rooms[cell]))?;
            sockets.push(socket);
            inboxes.push(inbox);
        }
        Ok(Self {
            grid,
            turns: Turns { tick: 0, every: options.every.into(), stalled: options.stalled.into() },
            pool,
            moved: world.event("moved")?,
            heard: vec![Heard::default(); bodies.len()],
            has_moved: vec![false; bodies.len()],
            index: Index::new(grid.cells(), bodies.iter().map(|body| grid.cell(body.place()))),
            rooms,
            sockets,
            inboxes,
            bodies,
            checksum: options.seed,
        })
    }

    /// Goes on by a tick.
    pub fn tick(&mut self) -> Tick {
        let start = Instant::now();
        let published = self.publish();
        let published_at = Instant::now();
        let read = self.drain(false);
        let drained_at = Instant::now();
        let moved = self.relocate();
        let moved_at = Instant::now();
        self.turns.tick += 1;
        Tick {
            counts: published.and(read).and(moved),
            time: moved_at - start,
            phases: [published_at - start, drained_at - published_at, moved_at - drained_at],
        }
    }

    /// Lets those that stall read what they have left, and returns what that was.
    pub fn finish(&mut self) -> Counts {
        self.drain(true)
    }

    /// Returns a number that depends on all deliveries so far and on all places, and on nothing else.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.bodies.iter().fold(self.checksum, |sum, body| {
            let place = body.place();
            mix(sum ^ place.x as u64 ^ (place.y as u64) << 32)
        })
    }

    /// Returns how many ticks there were.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.turns.tick
    }

    /// Returns whose turn it is in the next tick.
    #[must_use]
    pub fn turns(&self) -> Turns {
        self.turns
    }

    /// Returns the map.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Returns the agents' bodies.
    #[must_use]
    pub fn bodies(&self) -> &[Body] {
        &self.bodies
    }

    /// Returns what each agent heard in the last tick.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// Returns how many messages all rooms hold.
    #[must_use]
    pub fn retained(&self) -> u64 {
        self.rooms.iter().map(Room::retained).sum()
    }

    /// Returns every how many ticks an agent speaks.
    #[must_use]
    pub fn every(&self) -> u64 {
        self.turns.every
    }

    /// Sets every how many ticks an agent speaks, from the next on.
    pub fn set_every(&mut self, every: u64) {
        self.turns.every = every.max(1);
    }

    fn publish(&self) -> Counts {
        let publish_in = |(cell, room): (usize, &Room)| {
            let agents = self.index.agents(cell).iter().filter(|&&agent| self.turns.speaks(agent));
            let published = agents.map(|&agent| {
                let (socket, body) = (&self.sockets[agent as usize], &self.bodies[agent as usize]);
                room.emit_from(socket, &self.moved, body.report()).expect("all agents stay connected");
            });
            Counts { published: published.count() as u64, ..Counts::default() }
        };
        self.pool.install(|| {
            self.rooms.par_iter().enumerate().map(publish_in).reduce(Counts::default, Counts::and)
        })
    }

    fn drain(&mut self, everybody: bool) -> Counts {
        let Self { grid, turns, pool, moved, inboxes, bodies, heard, .. } = self;
        let drain = |((inbox, heard), body): ((&mut Inbox, &mut Heard), &Body)| {
            *heard = Heard::default();
            if !everybody && !turns.reads(body.agent()) {
                return Counts::default();
            }
            let read = inbox.drain(|delivery| match delivery.gap() {
                Some(gap) => heard.add_gap(gap.missed),
                None => {
                    let report = delivery.get_as::<Report, _>(&*moved).expect("there is no other event");
                    heard.add(*grid, body, &report.expect("all agents speak in reports"));
                }
            });
            Counts { max_backlog: read as u64, ..Counts::from(&*heard) }
        };
        let counts = pool.install(|| {
            let each = inboxes.par_iter_mut().zip(heard).zip(&*bodies);
            each.map(drain).reduce(Counts::default, Counts::and)
        });
        self.checksum = mix(self.checksum ^ counts.digest);
        counts
    }

    fn relocate(&mut self) -> Counts {
        let Self { grid, rooms, sockets, bodies, heard, has_moved, index, pool, .. } = self;
        let around = |body: &Body| grid.around(grid.cell(body.place())).map(|cell| &rooms[cell]);
        let arrive = |(((body, heard), has_moved), socket): (((&mut Body, &Heard), &mut bool), &Socket)| {
            let before = grid.cell(body.place());
            body.step(*grid, heard);
            *has_moved = grid.cell(body.place()) != before;
            if !*has_moved {
                return Counts::default();
            }
            let joins = socket.join(around(body)).expect("all agents stay connected");
            Counts { joins: joins as u64, ..Counts::default() }
        };
        let depart = |((body, _), socket): ((&Body, &bool), &Socket)| {
            let (_, leaves) = socket.set_rooms(around(body)).expect("all agents stay connected");
            Counts { leaves: leaves as u64, ..Counts::default() }
        };
        let counts = pool.install(|| {
            let each = bodies.par_iter_mut().zip(&*heard).zip(&mut *has_moved).zip(&*sockets);
            let arrived = each.map(arrive).reduce(Counts::default, Counts::and);
            let each =
                bodies.par_iter().zip(&*has_moved).zip(&*sockets).filter(|((_, has_moved), _)| **has_moved);
            arrived.and(each.map(depart).reduce(Counts::default, Counts::and))
        });
        index.rebuild(bodies.iter().map(|body| grid.cell(body.place())));
        counts
    }
}

impl Turns {
    /// Returns whether an agent says where it is.
    #[must_use]
    pub fn speaks(self, agent: u32) -> bool {
        (self.tick + u64::from(agent)).is_multiple_of(self.every)
    }

    /// Returns whether an agent reads what it was sent.
    #[must_use]
    pub fn reads(self, agent: u32) -> bool {
        agent % 100 >= self.stalled || (self.tick + u64::from(agent)) % STALL == STALL - 1
    }
}

impl Counts {
    /// Returns what both are together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            delivered: self.delivered + other.delivered,
            joins: self.joins + other.joins,
            leaves: self.leaves + other.leaves,
            gaps: self.gaps + other.gaps,
            missed: self.missed + other.missed,
            max_backlog: self.max_backlog.max(other.max_backlog),
            digest: self.digest.wrapping_add(other.digest),
        }
    }
}

impl From<&Heard> for Counts {
    fn from(heard: &Heard) -> Self {
        let Heard { messages, gaps, missed, digest, .. } = *heard;
        Self { delivered: messages, gaps, missed, digest, ..Self::default() }
    }
}
