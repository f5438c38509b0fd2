//! Names and bad input: the exact error, and nothing else changed.

mod common;

use common::{line, read};
use roomcast::{
    DisconnectReason, EmitError, Engine, EventError, MembershipError, Namespace, NamespaceError,
    ProtocolError, RoomName, RoomNameError, SendError, Socket, SocketId, StaleSocket, Target,
};

#[test]
fn paths() {
    let engine = Engine::new();
    let long = format!("/{}", "x".repeat(255));
    let good = [
        ("", "/"),
        ("/", "/"),
        ("chat", "/chat"),
        ("/chat", "/chat"),
        ("a/b", "/a/b"),
        ("/a/b/c", "/a/b/c"),
        ("/größe", "/größe"),
        ("/a.b:c;d-e_f*(1)", "/a.b:c;d-e_f*(1)"),
        (&long, &long),
    ];
    for (path, normal) in good {
        let namespace = engine.of(path).unwrap();
        assert_eq!(namespace.path(), normal);
        assert_eq!((engine.get(path), engine.of(normal)), (Some(namespace.clone()), Ok(namespace)));
    }
    let mut all: Vec<_> = good.map(|(_, normal)| normal).to_vec();
    all.sort_unstable();
    all.dedup();
    let paths = || engine.namespaces().iter().map(|one| one.path().to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(), all);
    let too_long = format!("/{}", "x".repeat(256));
    for path in [
        "//",
        "/a/",
        "a/",
        "a//b",
        "///",
        "/a b",
        " ",
        "/\t",
        "a\n",
        "/\0",
        "/a,b",
        "/a?b=1",
        "#",
        "/a#b",
        "\u{a0}",
        "/\u{85}",
        "/x\u{2003}y",
        &too_long,
    ] {
        match engine.of(path) {
            Err(NamespaceError::BadPath { path: told, .. }) => assert_eq!(&*told, path),
            other => panic!("{path:?}: {other:?}"),
        }
        assert_eq!((engine.get(path), engine.remove(path)), (None, false), "{path:?}");
    }
    assert_eq!(paths(), all, "a bad path has changed something");
    assert!(engine.get("/nowhere").is_none() && !engine.remove("/nowhere"));
}

/// All that an observer can see of a namespace and two of its sockets.
fn state(namespace: &Namespace, sockets: [&Socket; 2]) -> String {
    let of_sockets = sockets.map(|socket| (socket.rooms(), socket.is_connected()));
    format!("{:?} {:?} {of_sockets:?}", namespace.rooms(), namespace.socket_ids())
}

fn long(bytes: usize) -> String {
    "é".repeat(bytes / 2) + &"x".repeat(bytes % 2)
}

#[test]
fn room_names() {
    let engine = Engine::builder().max_name_bytes(9).unwrap().build();
    let namespace = engine.of("/names").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (other, mut other_inbox) = namespace.connect();
    socket.join(["stays", "goes"]).unwrap();
    other.join("stays").unwrap();
    let too_long = |bytes| RoomNameError::TooLong { bytes, limit: 9 };
    let before = state(&namespace, [&socket, &other]);
    for (name, error) in [
        (String::new(), RoomNameError::Empty),
        (long(10), too_long(10)),
        (long(25), too_long(25)),
        (long(70_000), too_long(70_000)),
    ] {
        let refused = MembershipError::Room(error);
        let list = ["new", &name, "stays"];
        assert_eq!(socket.join(&name), Err(refused.clone()));
        assert_eq!(socket.join(list), Err(refused.clone()));
        assert_eq!(socket.leave(["goes", &name]), Err(refused.clone()));
        assert_eq!(socket.set_rooms(list), Err(refused));
        assert_eq!(namespace.room(&name), Err(error));
        let refused = Err(EmitError::Room(error));
        assert_eq!(namespace.to(&name).emit("n", ()), refused);
        assert_eq!(namespace.to(["stays", &name]).emit("n", ()), refused);
        assert_eq!(namespace.to("stays").except(&name).emit("n", ()), refused);
        assert_eq!(namespace.except(&name).emit("n", ()), refused);
        assert_eq!(socket.to("stays").to(&name).emit("n", ()), refused);
        assert_eq!(socket.within(&name).emit("n", ()), refused);
        // Questions about what cannot be are no errors.
        assert_eq!(
            (namespace.has_room(&name), namespace.room_len(&name), socket.is_in(&name)),
            (false, 0, false)
        );
        assert_eq!(namespace.members(&name), []);
    }
    assert_eq!(state(&namespace, [&socket, &other]), before);
    assert_eq!((read(&mut inbox).total(), read(&mut other_inbox).total()), (0, 0));
    // At the edge, and odd, but fine.
    for name in [long(9), " ".into(), "\0".into(), "\n,?#/".into(), "5".into()] {
        assert_eq!(socket.join(&name), Ok(1), "{name:?}");
        assert_eq!(namespace.to(&name).emit("n", "hello").unwrap().members(), 1);
        assert_eq!((line(&mut inbox), socket.leave(&name)), ("n:hello".into(), Ok(1)));
    }
}

#[test]
fn room_names_of_different_kinds_are_different_rooms() {
    let namespace = Engine::new().of("/names").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let names = [
        RoomName::from("5"),
        RoomName::from(5),
        RoomName::from(-5),
        RoomName::from((5, 5)),
        RoomName::from((5, 5, 5)),
        RoomName::from("(5, 5)"),
        RoomName::from(u64::MAX),
        RoomName::from(i64::MIN),
        RoomName::from((i64::MIN, i64::MAX)),
    ];
    for name in &names {
        assert_eq!(socket.join(name), Ok(1), "{name:?}");
    }
    assert_eq!(socket.rooms(), names);
    assert_eq!(
        socket.join(5_u8).unwrap() + socket.join(5_u64).unwrap() + socket.join((5_i8, 5_u32)).unwrap(),
        0
    );
    for name in &names {
        namespace.to(name).emit("n", ()).unwrap();
        assert_eq!(inbox.try_next().unwrap().room(), Some(name));
    }
    // Each of several may be named twice.
    assert_eq!(socket.leave(vec![names[0].clone(), names[1].clone(), names[0].clone()]), Ok(2));
    assert_eq!((socket.join(["x", "x"]), socket.set_rooms(["x", "y", "y"])), (Ok(1), Ok((1, 7))));
    assert_eq!((socket.leave("nowhere"), socket.leave_all(), socket.leave_all()), (Ok(0), Ok(2), Ok(0)));
    assert_eq!(namespace.rooms(), []);
}

#[test]
fn event_names() {
    let engine = Engine::builder().max_name_bytes(9).unwrap().event_names(2).unwrap().build();
    let namespace = engine.of("/names").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join("room").unwrap();
    let room = namespace.room("room").unwrap();
    for (name, error) in [
        (String::new(), EventError::Empty),
        (long(10), EventError::TooLong { bytes: 10, limit: 9 }),
        ("connect".into(), EventError::Reserved("connect".into())),
        ("disconnect".into(), EventError::TooLong { bytes: 10, limit: 9 }),
        ("gap".into(), EventError::Reserved("gap".into())),
    ] {
        assert_eq!(namespace.event(&name), Err(error.clone()));
        let refused = Err(EmitError::Event(error));
        assert_eq!(namespace.emit(&name, ()), refused);
        assert_eq!(namespace.to("room").emit(&name, ()), refused);
        assert_eq!(room.emit(&name, ()), refused);
        assert_eq!(room.emit_from(&socket, &name, ()), refused);
        assert_eq!(socket.emit(&name, ()), refused);
        assert_eq!(socket.broadcast().emit(&name, ()), refused);
    }
    assert_eq!(inbox.drain(|_| {}), 0);
    let roomy = Engine::new().of("/").unwrap();
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "gap"] {
        assert_eq!(roomy.event(name), Err(EventError::Reserved(name.into())));
    }
    // More names than the table remembers work all the same, in every way to emit.
    for name in ["a", "b", "c", "d", &long(9)] {
        namespace.emit(name, "1").unwrap();
        room.emit(name, "2").unwrap();
        socket.emit(name, "3").unwrap();
        namespace.to("room").to(socket.id()).emit(name, "4").unwrap();
        room.emit_from(&socket, name, "not for itself").unwrap();
        let event = namespace.event(name).unwrap();
        namespace.emit(&event, "5").unwrap();
        let foreign = roomy.event(name).unwrap();
        namespace.emit(foreign.clone(), "6").unwrap();
        let mut seen = String::new();
        inbox.drain(|delivery| {
            assert!(delivery.event() == name && delivery.is(&event) && delivery.is(&foreign));
            assert!(delivery.to_message().is(&event));
            seen.push_str(delivery.payload().as_str().unwrap());
        });
        assert_eq!(seen, "123456", "{name}");
    }
}

#[test]
fn handles_of_another_namespace() {
    let engine = Engine::new();
    let [here, there] = ["/here", "/there"].map(|path| engine.of(path).unwrap());
    let elsewhere = Engine::new().of("/here").unwrap();
    let (socket, mut inbox) = here.connect();
    let (stranger, mut stranger_inbox) = there.connect();
    let (far, mut far_inbox) = elsewhere.connect();
    socket.join("room").unwrap();
    stranger.join("room").unwrap();
    far.join("room").unwrap();
    let before = state(&here, [&socket, &stranger]);
    for foreign in [there.room("room").unwrap(), elsewhere.room("room").unwrap()] {
        let refused = Err(MembershipError::Room(RoomNameError::Foreign));
        assert_eq!(socket.join(&foreign), refused);
        assert_eq!(socket.join([here.room("new").unwrap(), foreign.clone()]), refused);
        assert_eq!(socket.leave(&foreign), refused);
        assert_eq!(socket.set_rooms(&foreign).map(|_| 0), refused);
        let refused = Err(EmitError::Room(RoomNameError::Foreign));
        assert_eq!(here.to(&foreign).emit("n", ()), refused);
        assert_eq!(here.to("room").except(&foreign).emit("n", ()), refused);
        assert_eq!(foreign.emit_from(&socket, "n", ()), refused);
    }
    let stale = |id| Err(EmitError::Stale(StaleSocket(id)));
    assert_eq!(here.socket(stranger.id()), Err(StaleSocket(stranger.id())));
    assert_eq!(here.to(stranger.id()).emit("n", ()), stale(stranger.id()));
    assert_eq!(socket.to("room").to(stranger.id()).emit("n", ()), stale(stranger.id()));
    assert_eq!(here.target(&Target::new().to(stranger.id())).emit("n", ()), stale(stranger.id()));
    // To leave out somebody who is not there leaves out nobody.
    assert_eq!(here.to("room").except(stranger.id()).emit("n", "kept").unwrap().members(), 1);
    assert_eq!(state(&here, [&socket, &stranger]), before);
    assert_eq!(line(&mut inbox), "n:kept");
    assert_eq!((read(&mut stranger_inbox).total(), read(&mut far_inbox).total()), (0, 0));
}

#[test]
fn stale_ids() {
    let namespace = Engine::new().of("/stale").unwrap();
    let (gone, _gone_inbox) = namespace.connect();
    let id = gone.id();
    gone.disconnect("gone");
    let (heir, mut heir_inbox) = namespace.connect();
    heir.join("room").unwrap();
    let room = namespace.room("room").unwrap();
    assert_ne!(heir.id(), id);
    assert_eq!(heir.id().to_bits() as u32, id.to_bits() as u32, "the place is used again");
    for stale in [id, SocketId::from_bits(1 << 32 | 0xffff).unwrap(), SocketId::from_bits(u64::MAX).unwrap()]
    {
        assert_eq!(namespace.socket(stale), Err(StaleSocket(stale)));
        let refused = Err(EmitError::Stale(StaleSocket(stale)));
        assert_eq!(namespace.to(stale).emit("n", ()), refused);
        assert_eq!(namespace.to("room").to(stale).emit("n", ()), refused);
        assert_eq!(heir.within("room").to(stale).emit("n", ()), refused);
        assert!(!room.contains(stale));
    }
    assert_eq!(heir_inbox.drain(|_| {}), 0);
    namespace.to("room").except(id).emit("n", "for the heir").unwrap();
    assert_eq!(line(&mut heir_inbox), "n:for the heir");
    assert_eq!(SocketId::from_bits(5), None);
}

#[test]
fn closed_sockets_and_namespaces() {
    let engine = Engine::new();
    let namespace = engine.of("/closed").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (other, mut other_inbox) = namespace.connect();
    socket.join("room").unwrap();
    other.join("room").unwrap();
    let room = namespace.room("room").unwrap();
    assert!(socket.disconnect("first") && !socket.disconnect("second"));
    let reason = || DisconnectReason::from("first");
    let refused = || MembershipError::Closed(reason());
    assert_eq!(socket.join("room"), Err(refused()));
    assert_eq!(socket.leave("room"), Err(refused()));
    assert_eq!(socket.leave_all(), Err(refused()));
    assert_eq!(socket.set_rooms("room"), Err(refused()));
    let refused = || Err(EmitError::Closed(reason()));
    assert_eq!(socket.emit("n", ()), refused());
    assert_eq!(socket.to("room").emit("n", ()), refused());
    assert_eq!(socket.within("room").emit("n", ()), refused());
    assert_eq!(socket.broadcast().emit("n", ()), refused());
    assert_eq!(socket.except("room").emit("n", ()), refused());
    assert_eq!(socket.target(&Target::new()).emit("n", ()), refused());
    assert_eq!(room.emit_from(&socket, "n", ()), refused());
    assert_eq!((socket.rooms(), socket.room_count(), socket.is_in("room")), (vec![], 0, false));
    assert_eq!(
        (inbox.drain(|_| {}), inbox.closed().cloned(), socket.closed()),
        (0, Some(reason()), Some(reason()))
    );
    assert_eq!((read(&mut other_inbox).total(), room.members()), (0, vec![other.id()]));

    assert!(engine.remove("closed"));
    let removed = DisconnectReason::NamespaceRemoved;
    assert_eq!(other.closed(), Some(removed.clone()));
    assert_eq!(namespace.emit("n", ()), Err(EmitError::NamespaceClosed));
    assert_eq!(namespace.to("room").emit("n", ()), Err(EmitError::NamespaceClosed));
    assert_eq!(room.emit("n", ()), Err(EmitError::NamespaceClosed));
    let (late, mut late_inbox) = namespace.connect();
    assert_eq!((late.is_connected(), late.closed()), (false, Some(removed.clone())));
    assert_eq!(late.join("room"), Err(MembershipError::Closed(removed.clone())));
    assert_eq!((late_inbox.drain(|_| {}), late_inbox.closed()), (0, Some(&removed)));
    assert_eq!((namespace.is_closed(), namespace.socket_count(), namespace.rooms()), (true, 0, vec![]));
    let again = engine.of("closed").unwrap();
    assert!(again != namespace && !again.is_closed());

    engine.close();
    engine.close();
    assert_eq!(engine.of("/new"), Err(NamespaceError::EngineClosed));
    assert_eq!((engine.get("/"), engine.namespaces(), engine.is_closed()), (None, vec![], true));
    assert_eq!(again.connect().0.closed(), Some(DisconnectReason::Shutdown));
}

#[test]
fn nobody_is_no_error() {
    let namespace = Engine::new().of("/nobody").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join("room").unwrap();
    let empty = namespace.room("empty").unwrap();
    let none: [&str; 0] = [];
    let nobody = namespace.to("nowhere").emit("n", ()).unwrap();
    assert_eq!((nobody.sequence(), nobody.members(), nobody.rooms()), (None, 0, 0));
    assert_eq!(namespace.to(none).emit("n", ()), Ok(nobody));
    assert_eq!(socket.to(none).emit("n", ()), Ok(nobody));
    assert_eq!(empty.emit("n", ()), Ok(nobody));
    assert_eq!(empty.emit_from(&socket, "n", ()), Ok(nobody));
    assert_eq!((socket.join(none), socket.leave(none)), (Ok(0), Ok(0)));
    assert_eq!(inbox.drain(|_| {}), 0);
    let some = namespace.to(["nowhere", "room"]).except(none).emit("n", ()).unwrap();
    assert_eq!(
        (some.sequence().is_some(), some.members(), some.rooms(), inbox.drain(|_| {})),
        (true, 1, 1, 1)
    );
    assert_eq!(socket.set_rooms(none), Ok((0, 1)));
    assert_eq!((namespace.has_room("room"), namespace.rooms()), (false, vec![]));
}

#[test]
fn errors_say_what_is_wrong() {
    let told = [
        (NamespaceError::EngineClosed.to_string(), "the engine is closed"),
        (EventError::Empty.to_string(), "the event name is empty"),
        (EventError::Reserved("gap".into()).to_string(), "the event name \"gap\" is reserved"),
        (
            RoomNameError::TooLong { bytes: 9, limit: 8 }.to_string(),
            "the room name has 9 bytes, more than the limit of 8",
        ),
        (MembershipError::Room(RoomNameError::Empty).to_string(), "the room name is empty"),
        (
            EmitError::Closed(DisconnectReason::Backlog).to_string(),
            "the socket is closed: backlog over the limit",
        ),
        (EmitError::NamespaceClosed.to_string(), "the namespace is removed"),
        (RoomNameError::TooManyRooms { limit: 3 }.to_string(), "the namespace cannot have more than 3 rooms"),
        (MembershipError::TooManyRooms { limit: 3 }.to_string(), "the socket cannot be in more than 3 rooms"),
        (EmitError::TooManyAcks { limit: 2 }.to_string(), "2 messages wait for answers, and no more can"),
        (SendError::TooManyAcks { limit: 2 }.to_string(), "2 events wait for answers, and no more can"),
        (
            SendError::TooLong { bytes: 9, limit: 8 }.to_string(),
            "the payload has 9 bytes, more than the limit of 8",
        ),
        (
            ProtocolError::PayloadTooLong { bytes: 9, limit: 8 }.to_string(),
            "the payload has 9 bytes, more than the limit of 8",
        ),
        (DisconnectReason::NamespaceFull.to_string(), "namespace full"),
    ];
    for (message, expected) in told {
        assert_eq!(message, expected);
    }
    let (socket, _inbox) = Engine::new().of("/").unwrap().connect();
    assert_eq!(StaleSocket(socket.id()).to_string(), "there is no socket 0v1 in this namespace");
}
