//! "Rooms".

use roomcast::{Engine, MembershipError, Refusal};

use crate::Done;
use crate::guest::{Guest, Notes};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Rooms":
    joining_and_leaving,
    broadcast_to_a_room,
    union_of_rooms,
    to_a_room_from_a_socket,
    default_room,
    sample_use_cases,
    disconnection,
    maps_of_the_adapter,
    room_events,
    admission,
);

fn joining_and_leaving() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;

    // socket.join("some room");
    ann.socket.join("some room")?; // visible with the next statement: there is no promise
    assert_eq!(io.of("/")?.members("some room"), [ann.socket.id()]);

    // socket.leave("some room");
    ann.socket.leave("some room")?;
    assert!(!io.of("/")?.has_room("some room"));
    Ok(())
}

fn broadcast_to_a_room() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("some room")?;

    // io.to("some room").emit("some event");
    io.of("/")?.to("some room").emit("some event", ())?;
    // or, found once and for the hot path:
    io.of("/")?.room("some room")?.emit("some event", ())?;
    assert_eq!((ann.got().len(), bob.got().len()), (2, 0));
    Ok(())
}

fn union_of_rooms() -> Done {
    let io = Engine::new();
    let (ann, bob, eve) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join(["room1", "room2"])?;
    bob.socket.join("room3")?;
    eve.socket.join(["room3", "room4"])?;

    // io.to("room1").to("room2").to("room3").except("room4").emit("some event");
    let nsp = io.of("/")?;
    nsp.to("room1").to(["room2", "room3"]).except("room4").emit("some event", ())?;
    assert_eq!((ann.got().len(), bob.got().len(), eve.got().len()), (1, 1, 0), "each once");

    // io.to([]).emit("some event"), which is everybody in Socket.IO, and nobody here
    let computed: Vec<String> = Vec::new();
    nsp.to(computed).emit("some event", ())?;
    assert!(ann.got().is_empty());
    Ok(())
}

fn to_a_room_from_a_socket() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    bob.socket.join("some room")?;

    // socket.to("some room").emit("some event");
    ann.socket.to("some room").emit("from outside", ())?;
    bob.socket.to("some room").emit("from inside", ())?;
    // and to the sender too, if it is in there:
    bob.socket.within("some room").emit("to me too", ())?;
    assert_eq!(bob.got(), ["from outside", "to me too"]);
    Ok(())
}

fn default_room() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);

    // socket.on("private message", (anotherSocketId, msg) => {
    //   socket.to(anotherSocketId).emit("private message", socket.id, msg);
    // });
    ann.socket.to(bob.socket.id()).emit("private message", "psst")?;
    assert_eq!((ann.got().len(), bob.got()), (0, vec!["private message psst".to_owned()]));
    assert!(bob.socket.rooms().is_empty(), "an id is no room that others can join, or that it can leave");
    Ok(())
}

fn sample_use_cases() -> Done {
    let io = Engine::new();

    // io.on("connection", async (socket) => { socket.join(await computeUserIdFromHeaders(socket)); });
    io.of("/")?.on_connect(|socket| {
        socket.join(7).unwrap(); // a name is text, a number, or a pair or triple of numbers
    });
    let (phone, laptop) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);

    // io.to(userId).emit("hi");
    io.of("/")?.to(7).emit("hi", ())?;
    assert_eq!((phone.got().len(), laptop.got().len()), (1, 1));

    // phone: socket.to(userId).emit("read");
    phone.socket.to(7).emit("read", ())?;
    assert_eq!((phone.got().len(), laptop.got().len()), (0, 1));
    Ok(())
}

fn disconnection() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    ann.socket.join(["room1", "room2"])?;

    // "Upon disconnection, sockets leave all the channels they were part of automatically."
    ann.client.disconnect();
    assert!(io.of("/")?.rooms().is_empty());
    // and joining afterwards is refused; see `socket::disconnecting_event` for where it was
    assert!(matches!(ann.socket.join("room1"), Err(MembershipError::Closed(_))));
    Ok(())
}

fn maps_of_the_adapter() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let ann = Guest::new(&io, "/")?;
    ann.socket.join(["room1", "room2"])?;

    // io.of("/").adapter.rooms; .rooms.get("room1").size; .rooms.get("room1")
    assert_eq!(nsp.rooms(), [("room1".into(), 1), ("room2".into(), 1)]);
    assert_eq!((nsp.room_len("room1"), nsp.members("room1")), (1, vec![ann.socket.id()]));
    // io.of("/").adapter.sids.get(id)
    assert_eq!(nsp.socket(ann.socket.id())?.rooms(), ["room1".into(), "room2".into()]);
    Ok(())
}

fn room_events() -> Done {
    let io = Engine::new();
    let notes = Notes::default();
    let events = notes.clone();

    // io.of("/").adapter.on("create-room", (room) => { .. });  .on("delete-room", ..);
    // io.of("/").adapter.on("join-room", (room, id) => { .. });  .on("leave-room", ..);
    io.of("/")?.on_room(move |_, event| {
        use roomcast::RoomEvent::{Created, Deleted, Joined, Left};
        events.add(match event {
            Created(room) => format!("{room} was created"),
            Joined(room, _) => format!("{room} was joined"),
            Left(room, _) => format!("{room} was left"),
            Deleted(room) => format!("{room} was deleted"),
            other => format!("{other:?}"),
        });
    });

    let ann = Guest::new(&io, "/")?;
    ann.socket.join("room1")?;
    ann.client.disconnect();
    assert_eq!(
        notes.take(),
        ["room1 was created", "room1 was joined", "room1 was left", "room1 was deleted"]
    );
    Ok(())
}

fn admission() -> Done {
    // socket.join("table"); // lets everybody in. Here a room can have a limit, and a namespace a say.
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    let table = nsp.room("table")?;
    table.set_capacity(1);
    nsp.admission(|_, room| if room.as_str() == Some("staff") { Err("staff only".into()) } else { Ok(()) });

    ann.socket.join("table")?;
    assert!(matches!(bob.socket.join("table"), Err(MembershipError::Refused { refusal: Refusal::Full, .. })));
    assert!(ann.socket.join(["lobby", "staff"]).is_err());
    assert!(!ann.socket.is_in("lobby"), "all or none");
    Ok(())
}
