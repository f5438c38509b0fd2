//! Messages that are worth less with time, in a game that goes by ticks: a rover and who watches it, one in time and one
//! who looks up now and then.
//!
//! `cargo run --example ticks`

use std::error::Error;
use std::time::Duration;

use roomcast::{Delivery, Engine, Inbox, Namespace, Socket};

const TICK: Duration = Duration::from_millis(50);

/// One of the audience, who looks up each so many ticks.
struct Watcher {
    name: &'static str,
    each: u32,
    _socket: Socket,
    inbox: Inbox,
}

impl Watcher {
    fn new(world: &Namespace, name: &'static str, each: u32) -> Result<Self, Box<dyn Error>> {
        let (socket, inbox) = world.connect();
        socket.join("crater")?;
        Ok(Self { name, each, _socket: socket, inbox })
    }

    /// Reads what was emitted before the tick of this time began, and no more: whoever moves first in it, all see the
    /// same.
    fn look(&mut self, world: &Namespace, now: Duration) -> Result<(), Box<dyn Error>> {
        let mut heard = Vec::new();
        self.inbox.drain_before(now, |delivery: Delivery<'_>| {
            let tick =
                world.tick_of(delivery.sequence()).map_or(0, |tick| tick.as_millis() / TICK.as_millis());
            heard.push(format!(
                "{} {} (tick {tick})",
                delivery.event(),
                delivery.payload().as_str().unwrap_or("?")
            ));
        })?;
        let shown = if heard.is_empty() { "nothing new".to_owned() } else { heard.join(", ") };
        println!("  {:>4} | {shown}", self.name);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new();
    let world = engine.of("/mars")?;
    let crater = world.room("crater")?;
    let mut watchers = [Watcher::new(&world, "Ann", 1)?, Watcher::new(&world, "Bob", 4)?];

    for tick in 1..=8 {
        // The only one who says what time it is.
        let now = tick * TICK;
        engine.tick(now);
        println!("tick {tick}");
        for watcher in watchers.iter_mut().filter(|watcher| tick % watcher.each == 0) {
            watcher.look(&world, now)?;
        }
        let rover = || world.to(&crater);
        // Who is behind needs to know where it is, not where it was.
        rover().latest("rover").emit("at", tick.to_string())?;
        // A sound of the tick before last is none.
        rover().lifetime(2 * TICK).emit("sound", format!("wheel {tick}"))?;
        // Dust is for those who have nothing else to look at.
        rover().volatile_behind(3).emit("dust", format!("cloud {tick}"))?;
        if tick == 2 {
            rover().emit("found", "a strange stone")?;
        }
    }

    println!("what each has done without:");
    let done_without = watchers.map(|Watcher { name, inbox, .. }| {
        let counts = (inbox.replaced(), inbox.expired(), inbox.volatile_dropped());
        let (replaced, expired, dropped) = counts;
        println!("  {name:>4} | {replaced} places, {expired} sounds, {dropped} clouds of dust");
        counts
    });
    assert_eq!(done_without[0], (0, 0, 0));
    let (replaced, expired, dropped) = done_without[1];
    assert!(replaced > 0 && expired > 0 && dropped > 0, "{done_without:?}");
    Ok(())
}
