//! What is going on in a busy world, as a table: how much is published and delivered, who falls behind, and where it is
//! loud. Run it with `cargo run --release --example stats [-- --ticks N]`.
//!
//! Agents walk over a grid of cells and tell their cell where they are; some shout to a whole quarter, and now and then
//! there is news for all. Most of them read each tick, some every so often, and a few hardly ever: they lose messages, or
//! are thrown out of the quarter that has no patience.
//!
//! The table takes what is counted anyway, once in a while: nothing in the emits and the drains knows of it. In a terminal
//! it runs along slowly; elsewhere it is printed as fast as it goes. Chance has a seed: each run is the same.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use roomcast::{
    Backlog, Engine, EventHandle, Inbox, Namespace, NamespaceStats, Overflow, Payload, Room, Socket,
};

const AGENTS: usize = 400;
/// Cells on a side of the grid.
const SIDE: usize = 12;
/// Every so many ticks there is a line.
const EVERY: u64 = 20;

struct Agent {
    socket: Socket,
    inbox: Inbox,
    at: (usize, usize),
    /// It reads every so many ticks.
    reads_every: u64,
}

struct World {
    namespace: Namespace,
    agents: Vec<Agent>,
    quarters: Vec<Room>,
    moved: EventHandle,
    shout: EventHandle,
    seed: u64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ticks = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(400),
        ["--ticks", ticks] => ticks.parse().ok(),
        _ => None,
    };
    let Some(ticks) = ticks else {
        eprintln!("usage: stats [--ticks N]");
        return ExitCode::from(2);
    };
    match run(ticks) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(ticks: u64) -> Result<(), Box<dyn Error>> {
    let backlog = Backlog::new().messages(64)?;
    let engine = Engine::builder().backlog(backlog).volatile_backlog(32).track_progress().build();
    let mut world = World::new(engine.of("/world")?)?;
    let mut out = io::stdout();
    writeln!(
        out,
        "  tick sockets rooms  published/tick delivered/tick  retained    lost  most unread  loudest cell"
    )?;
    let mut before = world.namespace.stats();
    for tick in 1..=ticks {
        world.tick(tick)?;
        if tick % EVERY == 0 {
            let now = world.namespace.stats();
            writeln!(out, "{}", line(tick, &before, &now, &world.namespace))?;
            before = now;
            if out.is_terminal() {
                out.flush()?;
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    write!(out, "\n{}", engine.snapshot())?;
    Ok(())
}

/// What has happened since `before`, and what is there.
fn line(tick: u64, before: &NamespaceStats, now: &NamespaceStats, namespace: &Namespace) -> String {
    let per_tick = |count: fn(&NamespaceStats) -> u64| (count(now) - count(before)) as f64 / EVERY as f64;
    let (published, delivered) = (per_tick(|it| it.published), per_tick(|it| it.delivered));
    let lost = now.backlog_missed + now.volatile_dropped;
    let (sockets, rooms, retained) = (now.sockets, now.rooms, now.retained);
    let slowest = namespace.slowest(1).unwrap_or_default();
    let unread = slowest.first().and_then(|(_, socket)| socket.unread).unwrap_or_default();
    let cells = namespace.hottest(usize::MAX).into_iter().find(|(name, _)| name.as_str().is_none());
    let loudest = cells.map_or_else(String::new, |(name, room)| format!("{name} with {}", room.members));
    let there = format!("{tick:>6} {sockets:>7} {rooms:>5}");
    let moved = format!("{published:>14.1} {delivered:>14.1}");
    format!("{there}  {moved} {retained:>9} {lost:>7} {unread:>12}  {loudest}")
}

impl World {
    fn new(namespace: Namespace) -> Result<Self, Box<dyn Error>> {
        let quarters: Vec<Room> = ["north", "east", "south", "west"]
            .map(|name| namespace.room(name))
            .into_iter()
            .collect::<Result<_, _>>()?;
        // One quarter has no patience.
        quarters[3].set_backlog(Backlog::new().messages(32)?.overflow(Overflow::Disconnect));
        let (moved, shout) = (namespace.event("moved")?, namespace.event("shout")?);
        let mut world = Self { namespace, agents: Vec::new(), quarters, moved, shout, seed: 1 };
        for number in 0..AGENTS {
            let (socket, inbox) = world.namespace.connect();
            let at = (world.below(SIDE), world.below(SIDE));
            socket.join(at)?;
            socket.join(&world.quarters[number % 4])?;
            let reads_every = match number {
                _ if number % 50 == 7 => 150,
                _ if number % 10 == 3 => 15,
                _ => 1,
            };
            world.agents.push(Agent { socket, inbox, at, reads_every });
        }
        Ok(world)
    }

    fn tick(&mut self, tick: u64) -> Result<(), Box<dyn Error>> {
        for number in 0..self.agents.len() {
            let (chance, step) = (self.below(100), self.below(4));
            let agent = &mut self.agents[number];
            if !agent.socket.is_connected() {
                continue;
            }
            if chance < 20 {
                let before = agent.at;
                agent.at = match step {
                    0 => (before.0.saturating_sub(1), before.1),
                    1 => ((before.0 + 1).min(SIDE - 1), before.1),
                    2 => (before.0, before.1.saturating_sub(1)),
                    _ => (before.0, (before.1 + 1).min(SIDE - 1)),
                };
                if agent.at != before {
                    agent.socket.leave(before)?;
                    agent.socket.join(agent.at)?;
                }
                let position = Payload::from([agent.at.0 as u8, agent.at.1 as u8]);
                agent.socket.to(agent.at).volatile().emit(&self.moved, position)?;
            } else if chance == 99 {
                self.quarters[number % 4].emit(&self.shout, "hear, hear")?;
            }
        }
        if tick % 10 == 0 {
            self.namespace.emit("news", tick.to_le_bytes())?;
        }
        for agent in &mut self.agents {
            if tick % agent.reads_every == 0 {
                agent.inbox.drain(|_| {});
            }
        }
        Ok(())
    }

    /// A number below this one that looks random.
    fn below(&mut self, bound: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % bound
    }
}
