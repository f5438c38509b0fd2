//! Who may join, and what is told of it: admission, capacities, room events.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use roomcast::{Engine, MembershipError, Namespace, Refusal, RoomEvent, RoomName, Socket, SocketId};

use crate::common::watched;
use crate::rig::{Log, Peer, rooms};

fn refused(room: impl Into<RoomName>, refusal: Refusal) -> MembershipError {
    MembershipError::Refused { room: room.into(), refusal }
}

/// Logs who is asked for.
fn admission(namespace: &Namespace, log: &Log) {
    let log = log.clone();
    namespace.admission(move |socket, room| {
        log.say(format!("{room}"));
        assert!(!socket.is_in(room));
        match room.as_str() {
            Some("locked") => Err(Refusal::Locked),
            Some("denied") => Err("not you".into()),
            _ => Ok(()),
        }
    });
}

#[test]
fn a_refusal_of_one_of_several_rooms_changes_nothing() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    admission(&io, &log);
    let (_peer, socket) = Peer::joined(&engine, "/");
    socket.join(["kept", "gone"]).unwrap();
    let (events, failures) = (Log::new(), Log::new());
    io.on_room({
        let events = events.clone();
        move |_, event| events.say(format!("{event:?}"))
    });
    io.on_error({
        let failures = failures.clone();
        move |_, failure| failures.say(failure.to_string())
    });
    log.take();
    assert_eq!(socket.join(["new", "locked", "newer"]), Err(refused("locked", Refusal::Locked)));
    assert_eq!(log.take(), ["new", "locked"]); // the first refusal counts
    let denied = || refused("denied", Refusal::Denied("not you".into()));
    assert_eq!(socket.set_rooms(["kept", "denied"]), Err(denied()));
    assert_eq!(log.take(), ["denied"]); // of what it is in, nobody is asked
    let handle = io.room("denied").unwrap();
    assert_eq!(socket.join(&handle), Err(denied()));
    assert!(matches!(socket.join(["new", ""]), Err(MembershipError::Room(_))));
    assert_eq!(log.take(), ["denied"]); // and none for what cannot be
    assert_eq!(rooms(&socket), ["kept", "gone"]);
    assert_eq!((io.rooms().len(), events.take(), failures.take()), (2, vec![], vec![]));
}

#[test]
fn whoever_makes_a_socket_join_admission_is_asked() {
    let engine = Engine::new();
    let log = Log::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    games.admission({
        let log = log.clone();
        move |_, room| {
            log.say(format!("parent {room}"));
            if room == &RoomName::from(7) { Err(Refusal::Locked) } else { Ok(()) }
        }
    });
    games.middleware(|socket| {
        let joined = socket.join(["lobby", "locked"]);
        assert_eq!(joined, Err(refused("locked", Refusal::Locked)));
        socket.join("lobby").map_err(|error| error.to_string())?;
        Ok(())
    });
    let game = engine.of("/game-1").unwrap();
    admission(&game, &log);
    let (mut peer, socket) = Peer::joined(&engine, "/game-1");
    let twice = ["parent lobby", "lobby", "parent locked", "locked", "parent lobby", "lobby"];
    assert_eq!(log.take(), twice);
    let selected = game.to("lobby").join(["locked", "yard"]).unwrap();
    assert_eq!((selected.sockets(), selected.changed()), (1, 0));
    assert_eq!(selected.refused(), [(socket.id(), refused("locked", Refusal::Locked))]);
    // A parent's refusal is not appealed.
    log.take();
    assert_eq!(socket.join(7), Err(refused(7, Refusal::Locked)));
    assert_eq!(log.take(), ["parent 7"]);
    assert_eq!(rooms(&socket), ["lobby"]);
    // A socket that is closed joins nothing, whatever admission says: nobody is asked.
    socket.disconnect("bye");
    assert_eq!(socket.join("locked"), Err(MembershipError::Closed("bye".into())));
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(peer.read(), [r#"disconnect:Other("bye")"#]);
}

#[test]
fn a_capacity_is_exact_between_threads_and_rooms() {
    watched("capacity", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let small = ["one", "two"].map(|name| io.room(name).unwrap());
        for room in &small {
            room.set_capacity(3);
        }
        let peers: Vec<_> = (0..8).map(|_| Peer::joined(&engine, "/").0).collect();
        for round in 0..200 {
            let barrier = Barrier::new(peers.len());
            let joined: usize = thread::scope(|scope| {
                let threads: Vec<_> = peers
                    .iter()
                    .enumerate()
                    .map(|(n, peer)| {
                        let (socket, barrier) = (peer.socket("/"), &barrier);
                        scope.spawn(move || {
                            barrier.wait();
                            let order = if n % 2 == 0 { ["one", "two"] } else { ["two", "one"] };
                            match socket.join([order[0], "free", order[1]]) {
                                Ok(joined) => usize::from(joined == 3),
                                Err(MembershipError::Refused { refusal: Refusal::Full, .. }) => {
                                    assert!(rooms(&socket).is_empty());
                                    0
                                }
                                Err(error) => panic!("{error}"),
                            }
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            // Who has claimed one of two rooms may keep another out, and not get in; but none gets in beyond.
            assert!(joined <= 3, "{joined} in round {round}");
            for room in small.iter().map(|room| room.len()).chain([io.room_len("free")]) {
                assert_eq!(room, joined);
            }
            // No place is lost.
            let left: Vec<_> = peers.iter().filter(|peer| !peer.socket("/").is_in("one")).collect();
            for (n, peer) in left.iter().enumerate() {
                assert_eq!(peer.socket("/").join(["two", "one"]).is_ok(), n < 3 - joined);
            }
            for peer in &peers {
                peer.socket("/").leave_all().unwrap();
            }
        }
    });
}

#[test]
fn a_capacity_counts_who_waits_in_a_middleware_and_lasts_as_long_as_the_room() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.middleware(|socket| {
        socket.join("room").map_err(|error| error.to_string())?;
        Err("no".into())
    });
    let (inside, _inbox) = io.connect();
    inside.join("room").unwrap();
    io.room("room").unwrap().set_capacity(2);
    let mut peer = Peer::new(&engine);
    for _ in 0..3 {
        peer.connect("/"); // and gives its place back
    }
    assert_eq!(peer.read(), ["error:no"; 3]);
    let (second, _inbox) = io.connect();
    assert_eq!(second.join("room"), Ok(1));
    peer.connect("/");
    assert_eq!(peer.read(), ["error:the room room refused the socket: it is full"]);
    assert_eq!(second.join("room"), Ok(0)); // who is in is in
    // Below what there is: they stay, and none comes.
    io.room("room").unwrap().set_capacity(1);
    assert_eq!(io.room("room").unwrap().capacity(), Some(1));
    inside.leave("room").unwrap();
    assert_eq!(inside.join("room"), Err(refused("room", Refusal::Full)));
    assert_eq!(inside.set_rooms(["room"]), Err(refused("room", Refusal::Full)));
    second.leave("room").unwrap();
    assert_eq!(io.room("room").unwrap().capacity(), None); // a new one
    let room = io.room("room").unwrap();
    room.set_capacity(0);
    assert_eq!(inside.join(&room), Err(refused("room", Refusal::Full)));
    room.set_capacity(None);
    assert_eq!(inside.join(&room), Ok(1));
}

/// Checks events as they come: created, joined.., left.., deleted.
#[derive(Default)]
struct Ledger {
    rooms: BTreeMap<RoomName, Vec<SocketId>>,
    events: usize,
}

impl Ledger {
    fn take(&mut self, event: &RoomEvent) {
        self.events += 1;
        let members = self.rooms.get_mut(event.room());
        match (event, members) {
            (RoomEvent::Created(room), None) => drop(self.rooms.insert(room.clone(), vec![])),
            (RoomEvent::Joined(_, socket), Some(members)) if !members.contains(socket) => {
                members.push(*socket);
            }
            (RoomEvent::Left(_, socket), Some(members)) if members.contains(socket) => {
                members.retain(|other| other != socket);
            }
            (RoomEvent::Deleted(room), Some(members)) if members.is_empty() => {
                self.rooms.remove(room);
            }
            (event, members) => panic!("{event:?} of {members:?}"),
        }
    }
}

#[test]
fn room_events_are_exact_between_threads() {
    watched("room events", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let ledger = Arc::new(Mutex::new((Ledger::default(), Vec::new())));
        io.on_room({
            let ledger = Arc::clone(&ledger);
            move |_, event| {
                // One at a time: the lock is free.
                let (ledger, seen) = &mut *ledger.try_lock().unwrap();
                seen.push(event.clone());
                ledger.take(event);
            }
        });
        thread::scope(|scope| {
            for n in 0..4_u64 {
                let engine = &engine;
                scope.spawn(move || {
                    for round in 0..50 {
                        let (_peer, socket) = Peer::joined(engine, "/");
                        socket.join([0, 1]).unwrap();
                        socket.set_rooms([1, 2 + n % 2]).unwrap();
                        socket.leave(1).unwrap();
                        if round % 2 == 0 {
                            socket.disconnect("bye");
                        }
                    }
                });
            }
        });
        let (ledger, seen) = &*ledger.lock().unwrap();
        assert!(ledger.rooms.is_empty() && io.rooms().is_empty());
        let joins = seen.iter().filter(|event| matches!(event, RoomEvent::Joined(..))).count();
        assert_eq!(joins, 4 * 50 * 3);
        assert_eq!(ledger.events, seen.len());
    });
}

#[test]
fn room_events_stay_exact_when_hooks_join_leave_and_disconnect() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (_anchor, anchor) = Peer::joined(&engine, "/");
    let log = Log::new();
    let find = |io: &Namespace, id: SocketId| -> Option<Socket> { io.socket(id).ok() };
    io.on_room({
        let (ledger, log) = (Arc::clone(&ledger), log.clone());
        move |io, event| {
            ledger.lock().unwrap().take(event);
            match event {
                RoomEvent::Joined(room, id) if room == &RoomName::from(1) => {
                    let moved = find(io, *id).map(|socket| socket.set_rooms([2, 3]));
                    log.say(format!("{moved:?}"));
                }
                RoomEvent::Joined(room, id) if room == &RoomName::from(3) => {
                    let gone = find(io, *id).map(|socket| socket.disconnect("out"));
                    log.say(format!("{gone:?}"));
                }
                RoomEvent::Deleted(room) if room == &RoomName::from(3) => {
                    log.say(format!("{:?}", anchor.join([4, 5])));
                }
                _ => {}
            }
        }
    });
    io.on_disconnecting({
        let log = log.clone();
        move |socket, _| log.say(format!("rooms {:?}", rooms(socket)))
    });
    let (_peer, socket) = Peer::joined(&engine, "/");
    assert_eq!(socket.join([0, 1]), Ok(2));
    let said = ["Some(Ok((2, 2)))", r#"rooms ["2", "3"]"#, "Some(true)", "Ok(2)"];
    assert_eq!(log.take(), said);
    let left: Vec<_> = ledger.lock().unwrap().rooms.keys().cloned().collect();
    assert_eq!(left, [RoomName::from(4), RoomName::from(5)]);
    assert_eq!(io.rooms().len(), 2);
    engine.close(); // hooks hold what holds them
}

#[test]
fn a_rejected_socket_has_joined_and_left() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_room({
        let log = log.clone();
        move |_, event| log.say(format!("{event:?}").split('(').next().unwrap())
    });
    io.middleware(|socket| {
        socket.join("room").unwrap();
        Err("no".into())
    });
    let peer = Peer::new(&engine);
    peer.connect("/");
    assert_eq!(log.take(), ["Created", "Joined", "Left", "Deleted"]);
}
