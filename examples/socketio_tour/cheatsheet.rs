//! "Emit cheatsheet": every line of it.

use std::time::Duration;

use roomcast::{Engine, EventError, Namespace, Payload};

use crate::Done;
use crate::guest::{Guest, Notes, line};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Emit cheatsheet":
    server_single_client,
    server_single_client_acknowledgement,
    server_broadcasting,
    server_broadcasting_acknowledgements,
    server_broadcasting_in_a_room,
    server_from_a_socket,
    server_to_oneself_by_id,
    server_in_a_namespace,
    server_flags,
    client_basic_emit,
    client_acknowledgement,
    client_volatile,
    reserved_events,
);

/// An engine with four clients: ann in `room1`, bob in `room1` and `room2`, cid in `room3`, dan in none.
fn four() -> Result<(Engine, Namespace, [Guest; 4]), Box<dyn std::error::Error>> {
    let io = Engine::builder().volatile_backlog(0).build(); // for `server_flags`
    let nsp = io.of("/")?;
    let guests = [Guest::new(&io, "/")?, Guest::new(&io, "/")?, Guest::new(&io, "/")?, Guest::new(&io, "/")?];
    guests[0].socket.join("room1")?;
    guests[1].socket.join(["room1", "room2"])?;
    guests[2].socket.join("room3")?;
    Ok((io, nsp, guests))
}

/// Who has got how many events since the last time.
fn got(guests: &[Guest; 4]) -> [usize; 4] {
    guests.each_ref().map(|guest| guest.got().len())
}

// Server side: single client.

fn server_single_client() -> Done {
    let (_io, _nsp, guests) = four()?;
    let socket = &guests[0].socket;

    // socket.emit("hello", 1, "2", { 3: "4", 5: Buffer.from([6]) });
    socket.emit("hello", Payload::json(r#"[1,"2",{"3":"4"}]"#))?; // bytes are a payload of their own
    assert_eq!(got(&guests), [1, 0, 0, 0]);
    Ok(())
}

fn server_single_client_acknowledgement() -> Done {
    let (io, _nsp, guests) = four()?;
    let socket = &guests[0].socket;
    guests[0].client.on_with_ack("hello", |_, name: Payload, ack| {
        ack.send(line("hello", &name)).unwrap();
    })?;
    let notes = Notes::default();
    let answers = notes.clone();
    let note = move |answer: Result<Payload, _>| answers.add(format!("{answer:?}"));

    // socket.emit("hello", "world", (arg1, arg2, arg3) => { .. });
    socket.emit_with_ack("hello", "world")?.on_done(note.clone());
    guests[0].got();
    assert_eq!(notes.take(), [r#"Ok("hello world")"#]);

    // const response = await socket.emitWithAck("hello", "world");
    let response = socket.emit_with_ack("hello", "world")?;
    guests[0].got();
    assert_eq!(response.wait()?.as_str(), Some("hello world")); // or `.await`

    // socket.timeout(5000).emit("hello", "world", (err, arg1, arg2, arg3) => { .. });
    // await socket.timeout(5000).emitWithAck("hello", "world");
    socket.emit_with_ack("hello", "world")?.timeout(Duration::from_secs(5)).on_done(note);
    io.tick(Duration::from_secs(5));
    assert_eq!(notes.take(), ["Err(TimedOut)"]);
    Ok(())
}

// Server side: broadcasting.

fn server_broadcasting() -> Done {
    let (_io, nsp, guests) = four()?;
    let socket = &guests[0].socket;

    // io.emit("hello"); // to all connected clients
    nsp.emit("hello", ())?;
    assert_eq!(got(&guests), [1, 1, 1, 1]);

    // socket.broadcast.emit("hello"); // except the sender
    socket.broadcast().emit("hello", ())?;
    assert_eq!(got(&guests), [0, 1, 1, 1]);
    Ok(())
}

fn server_broadcasting_acknowledgements() -> Done {
    let (io, nsp, guests) = four()?;
    for guest in &guests[..3] {
        guest.client.on_with_ack("hello", |_, name: Payload, ack| {
            ack.send(name).unwrap();
        })?;
    }

    // io.timeout(5000).emit("hello", "world", (err, responses) => { .. });
    // const responses = await io.timeout(5000).emitWithAck("hello", "world");
    let answers = nsp.emit_with_ack("hello", "world")?.timeout(Duration::from_secs(5));
    got(&guests);
    io.tick(Duration::from_secs(5));
    let answers = answers.wait();
    assert_eq!((answers.answered().count(), answers.missing().count()), (3, 1));

    // socket.broadcast.timeout(5000).emit("hello", "world", (err, responses) => { .. });
    let answers = guests[3].socket.broadcast().emit_with_ack("hello", "world")?;
    got(&guests);
    assert!(answers.wait().is_complete());

    // io.to("room1").timeout(5000).emit("hello", "world", (err, responses) => { .. });
    let answers = nsp.to("room1").emit_with_ack("hello", "world")?;
    got(&guests);
    assert_eq!(answers.wait().len(), 2);
    Ok(())
}

fn server_broadcasting_in_a_room() -> Done {
    let (_io, nsp, guests) = four()?;

    // io.to("room1").emit("hello");  io.in("room1").emit("hello"); // to all connected clients in the room
    nsp.to("room1").emit("hello", ())?;
    assert_eq!(got(&guests), [1, 1, 0, 0]);

    // io.except("room1").emit("hello"); // to all connected clients except the ones in the room
    nsp.except("room1").emit("hello", ())?;
    assert_eq!(got(&guests), [0, 0, 1, 1]);

    // io.to(["room1", "room3"]).except("room2").emit("hello"); // in room1 and/or room3, except those in room2
    // io.to("room1").to("room3").except("room2").emit("hello"); // the same
    nsp.to(["room1", "room3"]).except("room2").emit("hello", ())?;
    assert_eq!(got(&guests), [1, 0, 1, 0]);

    // io.to(socketId).emit("hello"); // to individual socketid (private message)
    nsp.to(guests[3].socket.id()).emit("hello", ())?;
    assert_eq!(got(&guests), [0, 0, 0, 1]);
    Ok(())
}

fn server_from_a_socket() -> Done {
    let (_io, _nsp, guests) = four()?;
    let socket = &guests[0].socket;

    // socket.to("room1").emit("hello"); // to all clients in room1 except the sender
    socket.to("room1").emit("hello", ())?;
    assert_eq!(got(&guests), [0, 1, 0, 0]);

    // socket.to(["room1", "room3"]).emit("hello"); // in room1 and/or room3, except the sender
    socket.to(["room1", "room3"]).emit("hello", ())?;
    assert_eq!(got(&guests), [0, 1, 1, 0]);

    // socket.except("room3").emit("hello"); // to all clients except those in room3, and the sender
    socket.except("room3").emit("hello", ())?;
    assert_eq!(got(&guests), [0, 1, 0, 1]);
    Ok(())
}

fn server_to_oneself_by_id() -> Done {
    let (_io, _nsp, guests) = four()?;
    let socket = &guests[0].socket;

    // socket.to(socket.id).emit("hello"); // WARNING: will NOT work, as it will send to everyone in the room
    // named socket.id but the sender.
    socket.to(socket.id()).emit("hello", ())?;
    assert_eq!(got(&guests), [0, 0, 0, 0]);
    // Please use the classic socket.emit("hello") instead.
    socket.emit("hello", ())?;
    assert_eq!(got(&guests), [1, 0, 0, 0]);
    Ok(())
}

fn server_in_a_namespace() -> Done {
    let (io, _nsp, guests) = four()?;
    let other = io.of("/my-namespace")?;
    let (eve, fay) = (Guest::new(&io, "/my-namespace")?, Guest::new(&io, "/my-namespace")?);
    eve.socket.join("room1")?;

    // io.of("/my-namespace").emit("hello");
    other.emit("hello", ())?;
    // io.of("/my-namespace").to("room1").emit("hello");
    other.to("room1").emit("hello", ())?;
    assert_eq!((eve.got().len(), fay.got().len(), got(&guests)), (2, 1, [0, 0, 0, 0]));
    Ok(())
}

fn server_flags() -> Done {
    let (_io, nsp, guests) = four()?;
    let socket = &guests[0].socket;

    // socket.volatile.emit("hello");  io.volatile.emit("hello"); // might be dropped
    socket.emit_volatile("hello", ())?;
    nsp.everyone().volatile().emit("hello", ())?; // behind the first one for this socket
    assert_eq!(got(&guests), [1, 1, 1, 1]);

    // Not here: socket.compress(false).emit("hello");  io.local.emit("hello");
    Ok(())
}

// Between servers.
// Not here: io.serverSideEmit("hello", "world"), with acknowledgements or without.

// Client side.

fn client_basic_emit() -> Done {
    let (_io, nsp, guests) = four()?;
    let notes = Notes::default();
    nsp.on("hello", notes.noting("hello"))?;

    // socket.emit("hello", 1, "2", { 3: "4", 5: Uint8Array.from([6]) });
    guests[0].client.emit("hello", Payload::json(r#"[1,"2",{"3":"4"}]"#))?;
    assert_eq!(notes.take(), [r#"hello Json([1,"2",{"3":"4"}])"#]);
    Ok(())
}

fn client_acknowledgement() -> Done {
    let (io, nsp, guests) = four()?;
    let socket = &guests[0].client;
    let listener = nsp.on_with_ack("hello", |_, name: Payload, ack| {
        ack.send(line("hello", &name)).unwrap();
    })?;
    let notes = Notes::default();
    let answers = notes.clone();
    let note = move |answer: Result<Payload, _>| answers.add(format!("{answer:?}"));

    // socket.emit("hello", "world", (arg1, arg2, arg3) => { .. });
    socket.emit_with_ack("hello", "world")?.on_done(note.clone());
    guests[0].got();
    assert_eq!(notes.take(), [r#"Ok("hello world")"#]);

    // const response = await socket.emitWithAck("hello", "world");
    let response = socket.emit_with_ack("hello", "world")?;
    guests[0].got();
    assert_eq!(response.wait()?.as_str(), Some("hello world"));

    // socket.timeout(5000).emit("hello", "world", (err, arg1, arg2, arg3) => { .. });
    // await socket.timeout(5000).emitWithAck("hello", "world");
    nsp.off(listener);
    socket.emit_with_ack("hello", "world")?.timeout(Duration::from_secs(5)).on_done(note);
    io.tick(Duration::from_secs(5));
    assert_eq!(notes.take(), ["Err(TimedOut)"]);
    Ok(())
}

fn client_volatile() -> Done {
    let (_io, nsp, guests) = four()?;
    let notes = Notes::default();
    nsp.on("hello", notes.noting("hello"))?;
    let socket = &guests[0].client;

    // socket.volatile.emit("hello");
    assert!(socket.emit_volatile("hello", "connected")?);
    socket.disconnect();
    assert!(!socket.emit_volatile("hello", "not connected")?);
    assert_eq!(notes.take(), ["hello connected"]);
    Ok(())
}

fn reserved_events() -> Done {
    let (_io, nsp, _guests) = four()?;

    // connect, connect_error, disconnect, disconnecting; and newListener, removeListener, which are free here
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "gap"] {
        // socket.emit("disconnecting");  // BAD, will throw an exception
        assert_eq!(nsp.event(name).unwrap_err(), EventError::Reserved(name.into()));
        assert!(nsp.emit(name, ()).is_err());
    }
    Ok(())
}
