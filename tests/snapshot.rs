//! The page that an engine prints of itself.

mod common;

use common::messages;
use roomcast::{Engine, Inbox, Socket};

/// A world in which something of everything has happened.
fn world(engine: &Engine) -> Vec<(Socket, Inbox)> {
    let world = engine.of("/world").unwrap();
    let mut players: Vec<_> = (0..4).map(|_| world.connect()).collect();
    for (number, (player, _)) in players.iter().enumerate() {
        player.join(["lobby", "hall"]).unwrap();
        player.join((number as i64, -1)).unwrap();
    }
    players[0].0.join("\u{1b}[2J, as a client would like it, or longer").unwrap();
    for _ in 0..40 {
        world.to("lobby").emit("news", "hello").unwrap();
        world.to("lobby").to("hall").emit("news", "hello").unwrap();
        world.to((1, -1)).volatile().emit("position", "3, 4").unwrap();
        players[2].0.emit("shot", ()).unwrap();
    }
    players[1].1.drain(|_| {});
    players[2].1.drain(|_| {});
    players[3].1.on_wake(|| {});
    players[3].1.drain(|_| {});
    world.emit("news", "all").unwrap();
    let _asked = world.to("hall").emit_with_ack("question", "?").unwrap();
    players[2].0.leave("hall").unwrap();
    drop(players.pop());
    let (late, _inbox) = world.connect();
    late.disconnect("late");
    players
}

const EXPECTED: &str = r"engine: 3 namespaces, 3 sockets, 0 connecting, 6 rooms, 1 idle
  clients    0 connections; 0 events refused, 0 closed for protocol errors
  events     4 names remembered
  published  162 messages, 764 bytes, for 568 members
  delivered  121; 1 sleeper woken
  lost       177 to the backlog, 0 to moves, in 5 gaps
  forgone    22 volatile, 0 expired, 0 replaced
  retained   55 messages, 263 bytes; 0 to be answered
  moves      13 joins, 4 leaves; 5 connected
  gone       1 inbox_dropped, 1 other
/: 0 sockets, 0 connecting, 0 rooms, 0 idle
  published  0 messages, 0 bytes, for 0 members
  delivered  0; 0 sleepers woken
  lost       0 to the backlog, 0 to moves, in 0 gaps
  forgone    0 volatile, 0 expired, 0 replaced
  retained   0 messages, 0 bytes; 0 to be answered
  moves      0 joins, 0 leaves; 0 connected
  gone       none
  slowest    none: all is read
/attic: 0 sockets, 0 connecting, 0 rooms, 1 idle
  published  0 messages, 0 bytes, for 0 members
  delivered  0; 0 sleepers woken
  lost       0 to the backlog, 0 to moves, in 0 gaps
  forgone    0 volatile, 0 expired, 0 replaced
  retained   0 messages, 0 bytes; 0 to be answered
  moves      0 joins, 0 leaves; 0 connected
  gone       none
  slowest    none: all is read
/world: 3 sockets, 0 connecting, 6 rooms, 0 idle
  published  162 messages, 764 bytes, for 568 members
  delivered  121; 1 sleeper woken
  lost       177 to the backlog, 0 to moves, in 5 gaps
  forgone    22 volatile, 0 expired, 0 replaced
  retained   55 messages, 263 bytes; 0 to be answered
  moves      13 joins, 4 leaves; 5 connected
  gone       1 inbox_dropped, 1 other
  hottest    lobby                             80 messages, 3 members, 26 retained
             hall                              41 messages, 2 members, 26 retained
             (1, -1)                           40 messages, 1 member, 1 retained
             \u{1b}[2J, as a client would li…  0 messages, 1 member, 0 retained
             (0, -1)                           0 messages, 1 member, 0 retained
  slowest    0v1                               53 unread, in 4 rooms
             1v1                               2 unread, in 3 rooms
             2v1                               1 unread, in 2 rooms
";

#[test]
fn it_is_as_it_was() {
    let engine = Engine::builder().backlog(messages(24)).volatile_backlog(8).track_progress().build();
    let _players = world(&engine);
    let _attic = engine.of("/attic").unwrap().room("kept").unwrap();
    let page = engine.snapshot().to_string();
    assert_eq!(page, EXPECTED, "\n{page}");
    assert_eq!(engine.snapshot().to_string(), page);
}

#[test]
fn it_is_the_same_for_the_same_calls() {
    let page = || {
        let engine = Engine::builder().backlog(messages(24)).track_progress().build();
        let players = world(&engine);
        let page = engine.snapshot();
        drop(players);
        page
    };
    assert_eq!(page(), page());
}

#[test]
fn it_says_what_is_not_known() {
    let engine = Engine::builder().backlog(messages(24)).build();
    let _players = world(&engine);
    let page = engine.snapshot().to_string();
    assert!(page.contains("  slowest    not tracked\n"), "{page}");
    assert!(page.contains(" or more; "), "{page}");
}

#[test]
fn it_has_an_end() {
    let engine = Engine::builder().track_progress().build();
    let mut kept = Vec::new();
    for number in 0..30 {
        let namespace = engine.of(&format!("/{}/{number}", "x".repeat(100))).unwrap();
        let (socket, inbox) = namespace.connect();
        socket.join((0..20).map(|room| format!("{}{room}", "\0".repeat(200))).collect::<Vec<_>>()).unwrap();
        for _ in 0..number {
            namespace.emit("n", [0; 1000]).unwrap();
        }
        kept.push((socket, inbox));
    }
    let snapshot = engine.snapshot();
    let shown: Vec<_> = snapshot.namespaces.iter().map(|namespace| &namespace.path[102..]).collect();
    assert_eq!(shown, ["22", "23", "24", "25", "26", "27", "28", "29"]);
    let page = snapshot.to_string();
    assert!(page.ends_with("\nand 23 other namespaces\n"), "{page}");
    let (lines, widest) = (page.lines().count(), page.lines().map(|line| line.chars().count()).max());
    assert!(lines <= 130 && widest <= Some(110), "{lines} {widest:?}\n{page}");
}
