//! Recovery: a player whose line is cut in the middle of a game, over and over, and who misses nothing.
//!
//! `cargo run --example resume`

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Engine, Offset, Outbox, Payload, Recovery, Resumption,
    ServerPacket, SessionKey,
};

/// What the player's side knows: who it was, and what it has seen last.
#[derive(Default)]
struct Player {
    session: Option<SessionKey>,
    seen: Option<Offset>,
    heard: Vec<u32>,
}

/// A line between the two, on which so many packets arrive before it is cut.
struct Line {
    connection: Connection,
    outbox: Outbox,
    patience: usize,
}

impl Line {
    /// Comes by a new line: as who it was, if it was there before.
    fn open(engine: &Engine, player: &Player, patience: usize) -> Result<Self, Box<dyn Error>> {
        let (connection, outbox) = engine.connect(());
        let (namespace, auth) = ("/game", Payload::default());
        connection.receive(match player.session {
            Some(session) => ClientPacket::Resume { namespace, auth, session, seen: player.seen },
            None => ClientPacket::Connect { namespace, auth },
        })?;
        Ok(Self { connection, outbox, patience })
    }

    /// Sends all that there is. What does not arrive was sent all the same.
    fn carry(&mut self, player: &mut Player) -> Result<(), Box<dyn Error>> {
        let patience = &mut self.patience;
        let carried = self.outbox.try_drain(|packet| {
            let arrives = *patience > 0;
            *patience = patience.saturating_sub(1);
            match packet {
                ServerPacket::Connect { session, resumption, .. } if arrives => {
                    player.session = session;
                    match resumption {
                        Resumption::New | Resumption::Recovered => {}
                        other => return ControlFlow::Break(format!("{other:?}")),
                    }
                }
                ServerPacket::Event { delivery, offset, .. } if arrives => {
                    player.seen = offset.or(player.seen);
                    player
                        .heard
                        .extend(delivery.payload().as_str().and_then(|round| round.parse::<u32>().ok()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        carried.break_value().map_or(Ok(()), |why| Err(why.into()))
    }

    fn is_cut(&self) -> bool {
        self.patience == 0
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().recovery(Recovery::new(Duration::from_secs(30))).build();
    let game = engine.of("/game")?;
    game.on_connect(|socket| {
        // Closed already, perhaps: then there is nobody to let in.
        let _ = socket.join("table");
    });
    game.on_away(|socket, reason| println!("{} is away: {reason}", socket.id()));
    game.on_resume(|socket| println!("{} is back, in {} room", socket.id(), socket.room_count()));
    game.on_disconnect(|socket, reason| println!("{} has gone: {reason}", socket.id()));

    let mut player = Player::default();
    let mut line = Some(Line::open(&engine, &player, 4)?);
    let mut lines = 1;
    for round in 1..=40_u32 {
        engine.tick(Duration::from_secs(u64::from(round)));
        game.to("table").emit("round", round.to_string())?;
        if let Some(open) = &mut line {
            open.carry(&mut player)?;
            if open.is_cut() {
                open.connection.close(DisconnectReason::Transport);
                line = None;
            }
        } else if round % 3 == 0 {
            // Each line is a little better than the last.
            lines += 1;
            line = Some(Line::open(&engine, &player, 4 + lines)?);
        }
    }
    drop(line);
    let mut last = Line::open(&engine, &player, usize::MAX)?;
    last.carry(&mut player)?;
    println!("{lines} lines were cut; the last round that was heard is {:?}", player.heard.last());
    if !player.heard.iter().copied().eq(1..=40) {
        return Err(format!("something is missing, or came twice: {:?}", player.heard).into());
    }
    println!("nothing is missing, and nothing came twice");

    println!("this time the player does not come back:");
    drop(last);
    engine.tick(Duration::from_secs(1000));
    let mut late = Line::open(&engine, &player, usize::MAX)?;
    let told = late.carry(&mut player).unwrap_err();
    println!("who comes then is told: {told}");
    engine.close();
    Ok(())
}
