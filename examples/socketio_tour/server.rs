//! "Server initialization" and "The Server instance".

use std::time::Duration;

use roomcast::{Client, ClientPacket, DisconnectReason, Engine, Handshake, Payload, RoomName, ServerPacket};

use crate::Done;
use crate::guest::{Guest, Notes, refusal};

pub(crate) const CHAPTER: crate::Chapter = chapter!("The server":
    constructor,
    connect_timeout,
    cleanup_empty_child_namespaces,
    backlog,
    attach,
    clients_count,
    sockets_join,
    sockets_leave,
    disconnect_sockets,
    fetch_sockets,
    connection,
    new_namespace,
    of,
    use_middleware,
    emit_to_except,
    close,
);

fn constructor() -> Done {
    // const io = new Server();
    let io = Engine::new();

    // io.sockets
    let main = io.of("/")?;
    assert_eq!((main.path(), main.socket_count()), ("/", 0));
    Ok(())
}

// Options.
// Not here: path, serveClient, cors, cookie, transports, pingInterval, maxHttpBufferSize and other wire options.
// Not here: adapter, parser, connectionStateRecovery.

fn connect_timeout() -> Done {
    // new Server({ connectTimeout: 45000 });
    let io = Engine::builder().connect_timeout(Duration::from_secs(45)).build();

    // The engine has no clock of its own: it is told what time it is.
    let (connection, _outbox) = io.connect(Handshake::new());
    io.tick(Duration::from_secs(44));
    assert_eq!(connection.closed(), None);
    io.tick(Duration::from_secs(45));
    assert_eq!(connection.closed(), Some(DisconnectReason::Timeout));
    Ok(())
}

fn cleanup_empty_child_namespaces() -> Done {
    let io = Engine::new();
    let games = io.of_pattern("/game-{id}")?;

    // new Server({ cleanupEmptyChildNamespaces: true });
    Guest::new(&io, "/game-1")?.client.disconnect();
    assert!(games.children().is_empty());

    // new Server({ cleanupEmptyChildNamespaces: false });
    games.keep_empty(true); // of one parent
    Guest::new(&io, "/game-1")?.client.disconnect();
    assert_eq!(games.children().len(), 1);
    Ok(())
}

fn backlog() -> Done {
    // for (;;) io.emit("tick"); // buffers without a limit for who does not read. Here a room keeps so much:
    let io = Engine::builder().backlog(roomcast::Backlog::new().messages(10)?).build();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();
    let gaps = notes.clone();
    ann.client.on_gap(move |_, gap| gaps.add(format!("missed {}", gap.missed > 0)));

    for n in 0..1000 {
        io.of("/")?.emit("tick", n.to_string())?;
    }
    assert_eq!(ann.got().last().unwrap(), "tick 999");
    assert_eq!(notes.take(), ["missed true"]);
    Ok(())
}

fn attach() -> Done {
    // io.attach(httpServer);  io.bind(engine);  io.onconnection(conn);
    let io = Engine::new();
    let (connection, mut outbox) = io.connect(Handshake::new().with("address", "192.0.2.7"));

    // A transport hands over what its client sent, and sends what it drains.
    connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
    let socket = connection.socket("/").ok_or("not connected")?;
    socket.emit("hello", "world")?;
    let mut sent = Vec::new();
    outbox.drain(|packet| {
        sent.push(match packet {
            ServerPacket::Connect { namespace, id, .. } => format!("{namespace} {}", id == socket.id()),
            ServerPacket::Event { delivery, .. } => delivery.event().to_owned(),
            other => format!("{other:?}"),
        });
    });
    assert_eq!(sent, ["/ true", "hello"]);
    Ok(())
}

fn clients_count() -> Done {
    let io = Engine::new();
    io.of("/admin")?;
    let client = Client::new(&io);
    let (_main, _admin) = (client.socket("/", ())?, client.socket("/admin", ())?);

    // const count = io.engine.clientsCount;
    assert_eq!(io.connection_count(), 1);
    // const count2 = io.of("/").sockets.size;
    assert_eq!(io.of("/")?.socket_count(), 1);
    Ok(())
}

// Not here: io.engine.generateId, "initial_headers", "headers", "connection_error". They are a transport's.

fn sockets_join() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);

    // io.socketsJoin("room1");
    nsp.everyone().join("room1")?;
    assert_eq!(nsp.room_len("room1"), 2);

    // io.in(theSocketId).socketsJoin("room2");
    nsp.to(ann.socket.id()).join("room2")?;
    assert_eq!(nsp.members("room2"), [ann.socket.id()]);

    // io.in("room2").socketsJoin(["room1", "room3"]);
    let selected = nsp.to("room2").join(["room1", "room3"])?;
    assert_eq!((selected.sockets(), selected.changed()), (1, 1));
    assert!(ann.socket.is_in("room3") && !bob.socket.is_in("room3"));
    Ok(())
}

fn sockets_leave() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join(["room1", "room2"])?;
    bob.socket.join(["room2", "room3"])?;

    // io.in("room1").socketsLeave(["room2", "room3"]);
    nsp.to("room1").leave(["room2", "room3"])?;
    assert_eq!(nsp.members("room2"), [bob.socket.id()]);

    // io.socketsLeave("room2");
    nsp.everyone().leave("room2")?;
    assert!(!nsp.has_room("room2") && bob.socket.is_in("room3"));
    Ok(())
}

fn disconnect_sockets() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob, eve) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("room1")?;
    eve.socket.join("room2")?;

    // io.in("room1").disconnectSockets();
    nsp.to("room1").disconnect(DisconnectReason::Server)?;
    assert_eq!(ann.socket.closed(), Some(DisconnectReason::Server));
    assert!(bob.socket.is_connected());

    // io.in("room2").disconnectSockets(true);
    for socket in nsp.to("room2").sockets()? {
        socket.connection().map(|connection| connection.close(DisconnectReason::Server));
    }
    eve.got();
    assert_eq!(eve.client.client().closed(), Some(DisconnectReason::Server));

    // io.disconnectSockets();
    nsp.everyone().disconnect("maintenance")?;
    assert_eq!(nsp.socket_count(), 0);
    Ok(())
}

fn fetch_sockets() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("room1")?;

    // const sockets = await io.fetchSockets();
    assert_eq!(nsp.sockets(), [ann.socket.clone(), bob.socket.clone()]);

    // const sockets = await io.in("room1").fetchSockets();
    for socket in nsp.to("room1").sockets()? {
        // socket.id, socket.handshake, socket.rooms, socket.data, socket.emit(..), socket.join(..), ..
        assert_eq!((socket.id(), socket.rooms()), (ann.socket.id(), vec![RoomName::from("room1")]));
        socket.emit("found", ())?;
    }
    assert_eq!((ann.got(), bob.got().len()), (vec!["found".to_owned()], 0));

    // const sockets = await io.in(theSocketId).fetchSockets();
    assert_eq!(nsp.socket(bob.socket.id())?, bob.socket);
    Ok(())
}

// Not here: io.serverSideEmit, io.serverSideEmitWithAck. There is one process.

fn connection() -> Done {
    let io = Engine::new();

    // io.on("connection", (socket) => {
    //   socket.emit("welcome");
    // });
    io.of("/")?.on_connect(|socket| {
        socket.emit("welcome", ()).unwrap();
    });

    assert_eq!(Guest::new(&io, "/")?.got(), ["welcome"]);
    Ok(())
}

fn new_namespace() -> Done {
    let io = Engine::new();
    let notes = Notes::default();

    // io.on("new_namespace", (namespace) => { .. });
    let new = notes.clone();
    io.on_new_namespace(move |nsp| new.add(nsp.path()));

    io.of("/chat")?;
    io.of("/chat")?;
    assert_eq!(notes.take(), ["/chat"]);
    Ok(())
}

fn of() -> Done {
    let io = Engine::new();

    // const chat = io.of("/chat");
    let chat = io.of("/chat")?;
    assert_eq!(io.of("chat")?, chat);

    // io._nsps
    assert_eq!(io.namespaces(), [io.of("/")?, chat]);
    assert!(io.get("/admin").is_none(), "`of` creates, `get` does not");
    Ok(())
}

fn use_middleware() -> Done {
    let io = Engine::new();

    // io.use((socket, next) => { next(new Error("closed today")); });
    io.of("/")?.middleware(|_| Err("closed today".into()));

    assert_eq!(refusal(&io, "/").as_deref(), Some("closed today"));
    Ok(())
}

fn emit_to_except() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?; // an engine is no namespace
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("room1")?;

    // io.emit("hello");  io.to("room1").emit("room");  io.in("room1").emit("room");
    nsp.emit("hello", ())?;
    nsp.to("room1").emit("room", ())?;
    // io.except("room1").emit("others");  io.send("text");
    nsp.except("room1").emit("others", ())?;
    nsp.emit("message", "text")?;

    assert_eq!(ann.got(), ["hello", "room", "message text"]);
    assert_eq!(bob.got(), ["hello", "others", "message text"]);
    Ok(())
}

fn close() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();
    let ended = notes.clone();
    ann.client.on_disconnect(move |_, reason| ended.add(reason.to_string()));

    // io.close();
    io.close();
    ann.got();
    assert_eq!(notes.take(), ["engine closed"]);
    assert!(io.of("/").is_err());
    Ok(())
}
