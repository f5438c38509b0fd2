//! How far sockets are behind.

use std::ops::ControlFlow;

use roomcast::{Backlog, Engine, Inbox, Socket};

use crate::Chance;

#[test]
fn what_lies_before_a_socket_is_what_it_reads() {
    let engine = Engine::builder().backlog(Backlog::new().messages(1 << 16).unwrap()).build();
    let world = engine.of("/world").unwrap();
    let mut chance = Chance(7);
    let mut players: Vec<_> = (0..6).map(|_| world.connect()).collect();
    for (number, (socket, _)) in players.iter().enumerate() {
        socket.join([number % 3, (number + 1) % 3]).unwrap();
    }
    let emit = |chance: &mut Chance, players: &[(Socket, Inbox)]| match chance.below(8) {
        0 => world.emit("n", ()).unwrap(),
        1 => players[chance.below(players.len())].0.emit("n", ()).unwrap(),
        _ => world.to(chance.below(3)).emit("n", ()).unwrap(),
    };
    (0..100).for_each(|_| _ = emit(&mut chance, &players));
    assert_eq!((world.slowest(1), players[0].0.stats().unread), (None, None));
    world.track_progress();
    // What was before is not known, and counts as read.
    assert!(players.iter().all(|(socket, _)| socket.stats().unread == Some(0)));
    players.iter_mut().for_each(|(_, inbox)| _ = inbox.drain(|_| {}));
    for round in 0..200 {
        (0..chance.below(300)).for_each(|_| _ = emit(&mut chance, &players));
        if round % 7 == 0 {
            let (socket, inbox) = world.connect();
            socket.join([round % 3]).unwrap();
            players.push((socket, inbox));
        }
        let unread: Vec<_> = players.iter().map(|(socket, _)| socket.stats().unread.unwrap()).collect();
        let mut sorted: Vec<_> =
            players.iter().zip(&unread).map(|((socket, _), unread)| (*unread, socket.id())).collect();
        sorted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let slowest = world.slowest(4).unwrap();
        let slowest: Vec<_> = slowest.iter().map(|(id, stats)| (stats.unread.unwrap(), *id)).collect();
        assert_eq!(slowest, sorted[..4]);
        for ((socket, inbox), unread) in players.iter_mut().zip(unread) {
            let before = inbox.stats().delivered;
            match chance.below(6) {
                0 => {}
                1 => {
                    let mut most = 1 + chance.below(40);
                    let _ = inbox.try_drain(|_| {
                        most -= 1;
                        if most == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    });
                    let read = inbox.stats().delivered - before;
                    assert_eq!(socket.stats().unread, Some(unread - read));
                }
                2 => {
                    let read = inbox.iter().take(20).count() as u64;
                    assert_eq!(socket.stats().unread, Some(unread - read));
                }
                _ => {
                    assert_eq!(inbox.drain(|_| {}) as u64, unread);
                    assert_eq!(socket.stats().unread, Some(0));
                }
            }
        }
    }
    players[0].0.disconnect("gone");
    assert_eq!((players[0].0.stats().unread, players[0].0.stats().rooms), (Some(0), 0));
}
