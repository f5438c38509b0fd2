//! What hostile clients can make an engine hold is limited: each limit at its edge, what is refused beyond it changes
//! nothing, and a place that is given back can be taken again.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::line;
use roomcast::{
    Client, ClientPacket, Connection, DisconnectReason, EmitError, Engine, EngineBuilder, Handshake, Inbox,
    MembershipError, Namespace, Outbox, Payload, ProtocolError, ReceiveError, RoomNameError, SendError,
    ServerPacket, Socket,
};

fn namespace(builder: EngineBuilder) -> Namespace {
    builder.build().of("/limited").unwrap()
}

fn sockets<const N: usize>(namespace: &Namespace) -> [(Socket, Inbox); N] {
    std::array::from_fn(|_| namespace.connect())
}

/// All that there is to see of a namespace and a socket.
fn state(namespace: &Namespace, socket: &Socket) -> String {
    format!("{:?} {:?} {:?}", namespace.rooms(), namespace.socket_ids(), socket.rooms())
}

#[test]
fn a_socket_is_in_no_more_rooms_than_it_may_be() {
    let world = namespace(Engine::builder().max_rooms_per_socket(3));
    let [(socket, mut inbox), (other, _inbox)] = sockets(&world);
    let too_many = Err(MembershipError::TooManyRooms { limit: 3 });
    assert_eq!(socket.join(["a", "b"]), Ok(2));
    let before = state(&world, &socket);
    assert_eq!(socket.join(["c", "d"]), too_many);
    assert_eq!(socket.set_rooms(["c", "d", "e", "f"]), Err(MembershipError::TooManyRooms { limit: 3 }));
    assert_eq!(state(&world, &socket), before);
    // What it is in, and what is named twice, counts once.
    assert_eq!(socket.join(["a", "b", "c", "c", "a"]), Ok(1));
    let before = state(&world, &socket);
    assert_eq!(socket.join("d"), too_many);
    assert_eq!(socket.join(world.room("d").unwrap()), too_many);
    assert_eq!(state(&world, &socket), before);
    assert_eq!(socket.join(["c", "b", "a", "b"]), Ok(0));
    // Others have their own.
    assert_eq!(other.join(["d", "e", "f"]), Ok(3));

    // A set of rooms replaces the others; all that counts is how many there are in the end.
    assert_eq!(socket.set_rooms(["d", "e", "f", "d"]), Ok((3, 3)));
    socket.leave("e").unwrap();
    assert_eq!(socket.join("g"), Ok(1));
    for room in ["a", "d", "e", "f", "g"] {
        world.to(room).emit(room, "").unwrap();
    }
    assert_eq!(line(&mut inbox), "d: f: g:");

    let none = namespace(Engine::builder().max_rooms_per_socket(0));
    let [(socket, _inbox)] = sockets(&none);
    assert_eq!(socket.join("a"), Err(MembershipError::TooManyRooms { limit: 0 }));
    assert_eq!(socket.join([""; 0]), Ok(0));
}

#[test]
fn a_namespace_has_no_more_rooms_than_it_may_have() {
    let world = namespace(Engine::builder().max_rooms(3));
    let [(one, _one_inbox), (two, _two_inbox)] = sockets(&world);
    let too_many = RoomNameError::TooManyRooms { limit: 3 };
    let refused = |of: Result<usize, MembershipError>| assert_eq!(of, Err(too_many.into()));
    assert_eq!(one.join(["a", "b"]), Ok(2));
    let before = state(&world, &two);
    refused(two.join(["a", "c", "d"]));
    refused(two.set_rooms(["a", "c", "d"]).map(|(joined, _)| joined));
    assert_eq!(state(&world, &two), before);
    // Those that are there can be joined, and found.
    assert_eq!(two.join(["a", "b", "c"]), Ok(3));
    assert_eq!(world.room("a").unwrap().len(), 2);
    assert_eq!(world.room("d").unwrap_err(), too_many);
    assert_eq!(world.room_len("d"), 0);
    assert_eq!(world.to("d").emit("n", ()).unwrap().rooms(), 0);

    // A handle keeps a room's place, a member too; the last of both gives it back.
    let c = world.room("c").unwrap();
    two.leave("c").unwrap();
    refused(one.join("d"));
    drop(c);
    assert_eq!(one.join("d"), Ok(1));
    // In one step it may need the place before it gives one back.
    refused(one.set_rooms(["b", "e"]).map(|(joined, _)| joined));
    one.leave("d").unwrap();
    assert_eq!(one.set_rooms(["b", "e"]), Ok((1, 1)));
    one.disconnect("bye");
    two.disconnect("bye");
    assert!(world.rooms().is_empty());
    let [(three, _inbox)] = sockets(&world);
    assert_eq!(three.join(["x", "y", "z"]), Ok(3));
    // Namespaces have theirs each, and may have none at all.
    let none = namespace(Engine::builder().max_rooms(0));
    let [(four, _inbox)] = sockets(&none);
    assert_eq!(four.join("a"), Err(RoomNameError::TooManyRooms { limit: 0 }.into()));
    assert_eq!(none.emit("n", ()).unwrap().members(), 1);
}

#[test]
fn a_namespace_has_no_more_sockets_than_it_may_have() {
    let engine = Engine::builder().max_sockets(2).unwrap().build();
    let world = engine.of("/limited").unwrap();
    let [(one, _one_inbox), (_two, mut two_inbox)] = sockets(&world);
    let before = state(&world, &one);

    let (surplus, mut inbox) = world.connect();
    assert_eq!(surplus.closed(), Some(DisconnectReason::NamespaceFull));
    assert_eq!(surplus.join("a"), Err(MembershipError::Closed(DisconnectReason::NamespaceFull)));
    assert!(matches!(surplus.emit("n", ()), Err(EmitError::Closed(DisconnectReason::NamespaceFull))));
    assert_eq!(inbox.recv().map(drop).unwrap_err().reason, DisconnectReason::NamespaceFull);
    assert!(world.socket(surplus.id()).is_err());
    assert_eq!(state(&world, &one), before);
    assert_eq!(engine.socket_count(), 2);
    drop(inbox);

    // One place for whoever comes first after one is given back.
    one.disconnect("bye");
    let (three, _inbox) = world.connect();
    assert!(three.is_connected());
    assert!(!world.connect().0.is_connected());
    world.emit("n", "1").unwrap();
    assert_eq!(line(&mut two_inbox), "n:1");
    // Other namespaces have their own.
    assert!(engine.of("/other").unwrap().connect().0.closed() != Some(DisconnectReason::NamespaceFull));
    assert_eq!(Engine::builder().max_sockets(0).unwrap_err().setting(), "max_sockets");
}

fn receive(connection: &Connection, packet: ClientPacket<'_>) -> Result<(), ReceiveError> {
    connection.receive(packet)
}

fn enter(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    receive(connection, ClientPacket::Connect { namespace, auth: Payload::default() })
}

/// What the transport has to say.
fn told(outbox: &mut Outbox) -> Vec<String> {
    let mut told = Vec::new();
    outbox.drain(|packet| {
        told.push(match packet {
            ServerPacket::Connect { namespace, .. } => format!("in {namespace}"),
            ServerPacket::ConnectError { namespace, message, .. } => format!("{namespace}: {message}"),
            other => format!("{other:?}"),
        });
    });
    told
}

#[test]
fn clients_are_refused_by_a_full_namespace() {
    let engine = Engine::builder().max_sockets(1).unwrap().build();
    let world = engine.of("/limited").unwrap();
    let hooks = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&hooks);
    world.middleware(move |socket| {
        seen.lock().unwrap().push(socket.id());
        Ok(())
    });
    let [(one, mut one_out), (two, mut two_out)] = [(); 2].map(|()| engine.connect(Handshake::new()));
    enter(&one, "/limited").unwrap();
    enter(&two, "/limited").unwrap();
    assert_eq!(told(&mut one_out), ["in /limited"]);
    assert_eq!(told(&mut two_out), ["/limited: namespace full"]);
    assert_eq!((hooks.lock().unwrap().len(), world.socket_count()), (1, 1));
    // Refused as by a middleware: it may try again.
    receive(&one, ClientPacket::Disconnect { namespace: "/limited" }).unwrap();
    enter(&two, "/limited").unwrap();
    assert_eq!(told(&mut two_out), ["in /limited"]);
    two.close(DisconnectReason::Transport);
    assert_eq!(world.socket_count(), 0);
}

#[test]
fn one_who_has_yet_to_be_let_in_takes_a_place() {
    let engine = Engine::builder().max_sockets(1).unwrap().build();
    let world = engine.of("/limited").unwrap();
    let decisions = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&decisions);
    world.deferred_middleware(move |_, decision| kept.lock().unwrap().push(decision));
    let (connection, mut outbox) = engine.connect(Handshake::new());
    enter(&connection, "/limited").unwrap();
    assert!(!world.connect().0.is_connected());
    decisions.lock().unwrap().pop().unwrap().reject("no");
    assert_eq!(told(&mut outbox), ["/limited: no"]);
    assert!(world.connect().0.closed() != Some(DisconnectReason::NamespaceFull));
}

#[test]
fn a_full_child_goes_with_its_last_socket() {
    let engine = Engine::builder().max_sockets(1).unwrap().build();
    engine.of_pattern("/game/{id}").unwrap();
    let [one, two] = [(); 2].map(|()| Client::new(&engine));
    let (first, second) = (one.socket("/game/7", ()).unwrap(), two.socket("/game/7", ()).unwrap());
    while one.poll() + two.poll() > 0 {}
    assert!(first.is_connected() && !second.is_connected());
    assert!(engine.get("/game/7").is_some());
    one.close();
    assert!(engine.get("/game/7").is_none(), "who was refused keeps nothing alive");
}

#[test]
fn only_so_many_wait_for_one_socket_to_answer() {
    let engine = Engine::builder().max_pending_acks(2).build();
    let world = engine.of("/limited").unwrap();
    let [(one, mut inbox), (two, _inbox)] = sockets(&world);
    let too_many = |error: EmitError| assert_eq!(error, EmitError::TooManyAcks { limit: 2 });
    let ask = || one.emit_with_ack("q", ());
    let (first, second) = (ask().unwrap(), ask().unwrap());
    too_many(ask().unwrap_err());
    assert!(two.emit_with_ack("q", ()).is_ok(), "others have their own");

    let mut ids = Vec::new();
    inbox.drain(|delivery| ids.extend(delivery.ack_id()));
    assert_eq!(ids.len(), 2, "what was refused was not published");
    // Each way in which one is over gives its place back.
    assert!(one.answer(ids[0], "a"));
    assert_eq!(first.wait().unwrap().as_str(), Some("a"));
    let third = ask().unwrap();
    too_many(ask().unwrap_err());
    drop(second);
    let fourth = ask().unwrap().timeout(Duration::from_secs(1));
    too_many(ask().unwrap_err());
    engine.tick(Duration::from_secs(1));
    assert!(fourth.wait().is_err());
    let fifth = ask().unwrap();
    too_many(ask().unwrap_err());
    one.disconnect("bye");
    assert!(third.wait().is_err() && fifth.wait().is_err());
}

#[test]
fn only_so_many_broadcasts_wait_for_answers() {
    let world = namespace(Engine::builder().max_pending_acks(1));
    let [(one, mut inbox)] = sockets(&world);
    one.join("room").unwrap();
    let votes = world.emit_with_ack("vote", "1").unwrap();
    let too_many = EmitError::TooManyAcks { limit: 1 };
    assert_eq!(world.to("room").emit_with_ack("vote", "2").map(drop), Err(too_many.clone()));
    assert_eq!(world.room("room").unwrap().emit_with_ack("vote", "3").map(drop), Err(too_many));
    let direct = one.emit_with_ack("q", "4").unwrap(); // counts by itself
    assert_eq!(line(&mut inbox), "vote:1 q:4");
    drop(votes);
    assert!(world.to("room").emit_with_ack("vote", "5").is_ok());
    drop(direct);
    let none = namespace(Engine::builder().max_pending_acks(0));
    assert_eq!(none.emit_with_ack("q", ()).map(drop), Err(EmitError::TooManyAcks { limit: 0 }));
}

#[test]
fn only_so_many_events_of_a_client_wait_for_answers() {
    let engine = Engine::builder().max_pending_acks(1).build();
    engine.of("/limited").unwrap();
    let world = engine.get("/limited").unwrap();
    let client = Client::new(&engine);
    let socket = client.socket("/limited", ()).unwrap();
    // While it waits to be connected, and then.
    for _ in 0..2 {
        let answer = socket.emit_with_ack("q", ()).unwrap();
        let refused = socket.emit_with_ack("q", ()).map(drop);
        assert_eq!(refused, Err(SendError::TooManyAcks { limit: 1 }));
        drop(answer);
        assert!(socket.emit_with_ack("q", ()).is_ok());
        assert!(socket.emit("plain", ()).is_ok());
        client.poll();
    }
    // What was refused is not waited for.
    assert!(socket.disconnect());
    assert_eq!(world.socket_count(), 0);
}

#[test]
fn a_client_that_sends_too_much_is_cut_off() {
    let text = |bytes| Payload::from("x".repeat(bytes));
    let packets: [fn(Payload) -> ClientPacket<'static>; 3] = [
        |auth| ClientPacket::Connect { namespace: "/other", auth },
        |payload| ClientPacket::Event { namespace: "/limited", event: "e", payload, ack: None },
        |payload| ClientPacket::Ack { namespace: "/limited", id: 0, payload },
    ];
    for packet in packets {
        let engine = Engine::builder().max_payload_bytes(100).build();
        let world = engine.of("/limited").unwrap();
        engine.of("/other").unwrap();
        let [(hostile, _out), (other, _other_out)] = [(); 2].map(|()| engine.connect(Handshake::new()));
        enter(&hostile, "/limited").unwrap();
        enter(&other, "/limited").unwrap();
        assert_eq!(receive(&hostile, packet(text(100))), Ok(()));
        let shown = format!("{:?}", packet(text(1)));
        let too_long = ProtocolError::PayloadTooLong { bytes: 101, limit: 100 };
        assert_eq!(receive(&hostile, packet(text(101))), Err(too_long.into()), "{shown}");
        assert_eq!(hostile.closed(), Some(DisconnectReason::Protocol));
        assert_eq!(
            receive(&hostile, packet(text(101))),
            Err(ReceiveError::Closed(DisconnectReason::Protocol))
        );
        assert_eq!((world.socket_count(), other.closed()), (1, None), "{shown}");
    }
}

#[test]
fn a_client_does_not_send_what_would_cut_it_off() {
    let engine = Engine::builder().max_payload_bytes(100).build();
    engine.of("/limited").unwrap();
    let client = Client::new(&engine);
    let socket = client.socket("/limited", ()).unwrap();
    client.poll();
    assert_eq!(socket.emit("e", "x".repeat(100)), Ok(()));
    assert_eq!(socket.emit("e", "x".repeat(101)), Err(SendError::TooLong { bytes: 101, limit: 100 }));
    assert!(socket.is_connected());
    // The other way there is no limit.
    engine.get("/limited").unwrap().emit("e", "x".repeat(101)).unwrap();
    assert_eq!(client.poll(), 1);
}

/// What many threads are let do at the same time, and how many that were.
fn at_once(threads: usize, work: impl Fn(usize) -> bool + Send + Sync + 'static) -> usize {
    let (work, start) = (Arc::new(work), Arc::new(Barrier::new(threads)));
    let threads: Vec<_> = (0..threads)
        .map(|number| {
            let (work, start) = (Arc::clone(&work), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                work(number)
            })
        })
        .collect();
    threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
}

#[test]
fn limits_are_exact_between_threads() {
    for _ in 0..100 {
        let world = namespace(Engine::builder().max_rooms(3).max_sockets(6).unwrap());
        let members = Arc::new(sockets::<4>(&world));
        // Each wants two rooms, of which one is the same for all: three rooms are made.
        let joined = at_once(4, {
            let members = Arc::clone(&members);
            move |number| members[number].0.join(["shared", ["a", "b", "c", "d"][number]]).is_ok()
        });
        assert_eq!((joined, world.rooms().len()), (2, 3));
        let names: BTreeSet<_> = members.iter().flat_map(|(socket, _)| socket.rooms()).collect();
        assert_eq!(names.len(), 3, "who was refused is in no room: {names:?}");
        assert_eq!(world.room_len("shared"), 2);

        let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
        let connected = at_once(4, {
            let (world, kept) = (world.clone(), Arc::clone(&kept));
            move |_| {
                let (socket, inbox) = world.connect();
                kept.lock().unwrap().push(inbox);
                socket.is_connected()
            }
        });
        assert_eq!((connected, world.socket_count()), (2, 6));
    }
}
