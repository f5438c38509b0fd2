//! A small game is recorded to a file, and replayed from it: the same deliveries to the same players. Run it with
//! `cargo run --example record --features record`, with the name of a file at the end if you want to keep that.
//!
//! Players run about on a grid and hear what happens in the cells around them; one of them is slow, and loses something.
//! Then there are a bug report, a spectator, and a file that is cut off. Chance has a seed: each run is the same.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roomcast::{
    Backlog, Delivery, Engine, Grid, Inbox, Input, Interest, Replay, ReplayError, Socket, SocketId,
};

const PLAYERS: usize = 8;
const TICKS: u64 = 60;

/// What somebody was handed.
type Seen = Vec<(SocketId, String)>;

struct Player {
    socket: Socket,
    inbox: Inbox,
    interest: Interest,
    place: (f64, f64),
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).map(PathBuf::from);
    let file = path.clone().unwrap_or_else(|| std::env::temp_dir().join("roomcast-example.record"));
    let seen = play(&file)?;
    println!("{} deliveries to {PLAYERS} players, {} bytes of file", seen.len(), fs::metadata(&file)?.len());

    let again = replay(&file)?;
    println!("replayed: {} deliveries, the same: {}", again.len(), again == seen);

    println!("\nthe first inputs, for a bug report:");
    for input in report(&file)?.iter().filter(|input| !matches!(input, Input::RoomMade { .. })).take(8) {
        println!("  {input}");
    }
    let watched = watch(&file, seen[0].0)?;
    println!("\na spectator of {}, two ticks at a time, has read {watched}", seen[0].0);

    let whole = fs::read(&file)?;
    let (inputs, error) = cut(&whole[..whole.len() / 2]);
    println!("half of the file: {inputs} inputs, then: {error}");
    if path.is_none() {
        fs::remove_file(&file)?;
    }
    Ok(())
}

/// Plays the game, and returns what the players were handed.
fn play(path: &Path) -> Result<Seen, Box<dyn Error>> {
    let backlog = Backlog::new().messages(16)?;
    let engine = Engine::builder().backlog(backlog).build();
    let recording = engine.record(File::create(path)?)?;
    let world = engine.of("/world")?;
    let grid = Grid::new(10.0)?.radius(10.0)?;
    let mut seed = 1_u64;
    let mut random = move |limit: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % limit
    };
    let player = |n: usize| {
        let (socket, inbox) = world.connect();
        Player { socket, inbox, interest: Interest::new(grid), place: (n as f64 * 5.0, 20.0) }
    };
    let mut players: Vec<_> = (0..PLAYERS).map(player).collect();
    let mut seen = Seen::new();
    for tick in 1..=TICKS {
        for player in &mut players {
            player.place.0 = (player.place.0 + random(7) as f64 - 3.0).clamp(0.0, 60.0);
            let (x, y) = player.place;
            player.interest.move_to(x, y)?.apply(&player.socket)?;
            let here = player.interest.here().expect("it has moved somewhere");
            player.socket.to(here).latest(1).emit("moved", format!("{x:.0}"))?;
            if random(10) == 0 {
                here.emit_from(&player.socket, "shouted", "hey")?;
            }
        }
        engine.tick(Duration::from_millis(16 * tick));
        for (n, Player { socket, inbox, .. }) in players.iter_mut().enumerate() {
            // The last one has a bad connection.
            if n + 1 < PLAYERS || tick % 20 == 0 {
                inbox.drain(|delivery| seen.push((socket.id(), line(delivery))));
            }
        }
    }
    recording.finish()?.sync_all()?;
    Ok(seen)
}

/// Replays the game, and returns what the players are handed.
fn replay(path: &Path) -> Result<Seen, ReplayError> {
    let mut seen = Seen::new();
    Replay::open(File::open(path)?)?.run(|socket, delivery| seen.push((socket, line(delivery))))?;
    Ok(seen)
}

fn report(path: &Path) -> Result<Vec<Input>, ReplayError> {
    let mut replay = Replay::open(File::open(path)?)?;
    let mut inputs = Vec::new();
    while let Some(input) = replay.step(|_, _| {})? {
        inputs.push(input);
    }
    Ok(inputs)
}

/// Watches one player, at a pace of its own, and returns how many deliveries that were.
fn watch(path: &Path, player: SocketId) -> Result<usize, ReplayError> {
    let mut replay = Replay::open(File::open(path)?)?.ignore_reads();
    let (mut now, mut read) = (Duration::ZERO, 0);
    while replay.run_to(now, |_, _| {})? {
        read += replay.inbox(player).map_or(0, |inbox| inbox.drain(|_| {}));
        now += Duration::from_millis(32);
    }
    Ok(read)
}

/// Replays what is left of a file, and returns how far that went and why no further.
fn cut(file: &[u8]) -> (u64, String) {
    match Replay::open(file) {
        Err(error) => (0, error.to_string()),
        Ok(mut replay) => {
            let ended = replay.run(|_, _| {});
            (replay.inputs(), ended.map_or_else(|error| error.to_string(), |()| "nothing is missing".into()))
        }
    }
}

fn line(delivery: Delivery<'_>) -> String {
    format!("{delivery:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_game_is_the_same_a_second_time() {
        let path = std::env::temp_dir().join(format!("roomcast-example-{}.record", std::process::id()));
        let seen = play(&path).unwrap();
        assert!(seen.iter().any(|(_, line)| line.contains("gap")), "nobody has lost anything");
        assert!(seen.len() > 1000 && replay(&path).unwrap() == seen);
        assert!(report(&path).unwrap().len() > 1000);
        assert!(watch(&path, seen[0].0).unwrap() > 10);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (inputs, error) = cut(&whole[..whole.len() - 1]);
        assert!(inputs > 1000 && error.contains("cut off"), "{error}");
        assert_eq!(cut(&whole).1, "nothing is missing");
    }
}
