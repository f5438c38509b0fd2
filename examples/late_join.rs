//! Late joins: what a room keeps for those who come later. A table of a card game, whose guests come and go.
//!
//! `cargo run --example late_join`

use std::error::Error;
use std::time::Duration;

use roomcast::{Delivery, Engine, History, Inbox, Namespace, Past, Socket};

/// A guest, and the last that it has seen.
struct Guest {
    name: &'static str,
    socket: Socket,
    inbox: Inbox,
    seen: u64,
}

impl Guest {
    fn new(game: &Namespace, name: &'static str) -> Self {
        let (socket, inbox) = game.connect();
        Self { name, socket, inbox, seen: 0 }
    }

    /// Reads everything, and shows it.
    fn read(&mut self) {
        let Self { name, inbox, seen, .. } = self;
        let show = |delivery: Delivery<'_>| {
            *seen = delivery.sequence().max(*seen);
            println!("  {name:>5} | {}: {}", delivery.event(), delivery.payload().as_str().unwrap_or("?"));
        };
        let count = inbox.drain(show);
        if count == 0 {
            println!("  {name:>5} | nothing new");
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new();
    let game = engine.of("/game")?;
    let table = game.room("table 1")?;
    table.set_history(History::new().messages(20)?.age(Duration::from_secs(600)));

    println!("Ann plays alone: nobody hears her, and the table remembers.");
    let ann = Guest::new(&game, "Ann");
    ann.socket.join(&table)?;
    let say = |text: &str| game.to(&table).emit("said", text);
    let state = |what: &'static str, text: String| game.to(&table).latest(what).emit(what, text);
    say("is anybody there?")?;
    for round in 1..=3 {
        state("round", round.to_string())?;
        state("score", format!("Ann {}", 10 * round))?;
    }
    say("I am winning")?;

    println!("Bob joins with the last few messages, in order, and then hears what comes:");
    let mut bob = Guest::new(&game, "Bob");
    let joined = bob.socket.join_with(&table, Past::last(4))?;
    say("welcome, Bob")?;
    bob.read();
    assert_eq!(joined.past(), 4);

    println!("Cat wants to know how things stand, and no more:");
    let mut cat = Guest::new(&game, "Cat");
    cat.socket.join_with(&table, Past::latest())?;
    cat.read();

    println!("Bob loses his line. He comes back with a new socket, and tells what he has seen last:");
    bob.socket.disconnect("the line is dead");
    state("round", "4".to_owned())?;
    say("where is Bob?")?;
    let mut again = Guest::new(&game, "Bob");
    let joined = again.socket.join_with(&table, Past::since(bob.seen))?;
    again.read();
    println!("  nothing of that is missing: {}", joined.is_complete());
    assert!(joined.is_complete());

    println!("What was said to all is there for whoever asks, too:");
    table.past(Past::last(2), |delivery| {
        println!("  {:>5} | {}", "log", delivery.payload().as_str().unwrap_or("?"));
    });

    println!("Ten minutes later all that is old is gone:");
    engine.tick(Duration::from_secs(600));
    let mut dan = Guest::new(&game, "Dan");
    let joined = dan.socket.join_with(&table, Past::all())?;
    dan.read();
    assert_eq!((joined.past(), joined.is_complete()), (0, false));
    Ok(())
}
