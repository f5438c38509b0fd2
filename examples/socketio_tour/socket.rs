//! "The Socket instance".

use roomcast::{Client, DisconnectReason, Engine, Handshake};

use crate::Done;
use crate::guest::{Guest, Notes, line};

pub(crate) const CHAPTER: crate::Chapter = chapter!("The socket":
    id,
    handshake,
    rooms,
    data,
    attributes,
    conn,
    connected,
    nsp,
    disconnect,
    disconnect_event,
    disconnecting_event,
    packet_middleware,
);

fn id() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;

    // socket.id, on both sides
    assert_eq!(Some(ann.socket.id()), ann.client.id());

    // io.sockets.sockets.get(id)
    assert_eq!(io.of("/")?.socket(ann.socket.id())?, ann.socket);
    ann.socket.disconnect(DisconnectReason::Server);
    assert!(io.of("/")?.socket(ann.socket.id()).is_err(), "ids are never used again");
    Ok(())
}

fn handshake() -> Done {
    let io = Engine::new();
    let handshake = Handshake::new().with("address", "192.0.2.7").with("User-Agent", "tour");
    let client = Client::with_handshake(&io, handshake).socket("/", "my token")?;
    client.client().poll();
    let socket = io.of("/")?.socket(client.id().ok_or("not connected")?)?;

    // socket.handshake.address, socket.handshake.headers["user-agent"]: of the connection
    assert_eq!(socket.handshake().get("address"), Some("192.0.2.7"));
    assert_eq!(socket.handshake().get("user-agent"), Some("tour"));
    // socket.handshake.auth: of the namespace
    assert_eq!(socket.auth().as_str(), Some("my token"));
    Ok(())
}

fn rooms() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let socket = &ann.socket;

    // socket.join("room1");  socket.join(["room1", "room2"]);  socket.leave("room1");
    socket.join("room1")?;
    socket.join(["room1", "room2"])?;
    socket.leave("room1")?;

    // socket.rooms; socket.rooms.has("room2"): without a room of its own id, as an id is addressed directly
    assert_eq!(socket.rooms().len(), 1);
    assert!(socket.is_in("room2"));
    Ok(())
}

fn data() -> Done {
    struct User {
        name: &'static str,
    }

    let io = Engine::new();
    let nsp = io.of("/")?;

    // io.on("connection", (socket) => { socket.data.name = "Ann"; });
    nsp.on_connect(|socket| {
        socket.set_data(User { name: "Ann" });
    });

    // const sockets = await io.fetchSockets();  sockets[0].data.name
    let _ann = Guest::new(&io, "/")?;
    assert_eq!(nsp.sockets()[0].data::<User>().map(|user| user.name), Some("Ann"));
    Ok(())
}

fn attributes() -> Done {
    struct Score(u32);

    let ann = Guest::new(&Engine::new(), "/")?;
    let socket = &ann.socket;

    // socket.score = 1;  socket.score = 2;  delete socket.score;
    socket.set_data(Score(1));
    let old = socket.set_data(Score(2)); // one value of each type
    assert_eq!((old.map(|score| score.0), socket.data::<Score>().map(|score| score.0)), (Some(1), Some(2)));
    socket.remove_data::<Score>();
    assert!(socket.data::<Score>().is_none());
    Ok(())
}

fn conn() -> Done {
    let io = Engine::new();
    io.of("/admin")?;
    let client = Client::new(&io);
    let (main, admin) = (client.socket("/", ())?, client.socket("/admin", ())?);
    client.poll();
    let socket = io.of("/")?.socket(main.id().ok_or("not connected")?)?;

    // socket.conn, socket.client: one for all namespaces
    let connection = socket.connection().ok_or("it came without one")?;
    assert_eq!(connection.sockets().len(), 2);
    assert_eq!(connection.socket("/admin").map(|socket| socket.id()), admin.id());
    // socket.request: what the transport knows
    assert_eq!(connection.handshake().iter().count(), 0);
    Ok(())
}

// Not here: socket.conn.transport, its "upgrade", "packet" and "drain". They are a transport's.
// Not here: socket.recovered.

fn connected() -> Done {
    let socket = Guest::new(&Engine::new(), "/")?.socket; // the client is gone again: nobody holds it

    // socket.connected, socket.disconnected
    assert!(!socket.is_connected());
    assert_eq!(socket.closed(), Some(DisconnectReason::Transport));
    Ok(())
}

fn nsp() -> Done {
    let io = Engine::new();
    io.of("/chat")?;
    let ann = Guest::new(&io, "/chat")?;

    // socket.nsp.name
    assert_eq!(ann.socket.namespace().path(), "/chat");
    Ok(())
}

fn disconnect() -> Done {
    let io = Engine::new();
    io.of("/admin")?;
    let client = Client::new(&io);
    client.socket("/", ())?;
    client.socket("/admin", ())?;
    let (main, admin) = (&io.of("/")?.sockets()[0], &io.of("/admin")?.sockets()[0]);

    // socket.disconnect();
    main.disconnect(DisconnectReason::Server);
    assert!(!main.is_connected() && admin.is_connected());

    // socket.disconnect(true);
    admin.connection().map(|connection| connection.close(DisconnectReason::Server));
    client.poll();
    assert_eq!(client.closed(), Some(DisconnectReason::Server));
    Ok(())
}

fn disconnect_event() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    ann.socket.join("room1")?;
    let notes = Notes::default();

    // socket.on("disconnect", (reason) => { socket.rooms.size === 0 });
    let gone = notes.clone();
    ann.socket.on_disconnect(move |socket, reason| gone.add(format!("{reason:?} {:?}", socket.rooms())));

    ann.client.disconnect();
    assert_eq!(notes.take(), ["Client []"]);
    Ok(())
}

fn disconnecting_event() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("room1")?;
    bob.socket.join("room1")?;

    // socket.on("disconnecting", (reason) => {
    //   for (const room of socket.rooms) { socket.to(room).emit("user has left", socket.id); }
    // });
    ann.socket.on_disconnecting(|socket, reason| {
        socket.to(socket.rooms()).emit("user has left", reason.to_string()).unwrap();
    });

    ann.client.disconnect();
    assert_eq!(bob.got(), ["user has left disconnected by the client"]);
    Ok(())
}

fn packet_middleware() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    ann.socket.on("Hello", notes.noting("handled"))?;

    // socket.use(([event, ...args], next) => {
    //   if (isUnauthorized(event)) { return next(new Error("unauthorized event")); }
    //   next();
    // });
    ann.socket.packet_middleware(|_, incoming| match incoming.event() {
        "admin" => Err("unauthorized event".into()),
        "hello" => {
            incoming.set_event("Hello"); // it may rewrite, too
            Ok(())
        }
        _ => Ok(()),
    });
    // socket.on("error", (err) => { .. });
    let errors = notes.clone();
    ann.socket.on_error(move |_, failure| errors.add(failure.to_string()));
    let all = notes.clone();
    ann.socket.on_any(move |_, incoming| all.add(line(incoming.event(), incoming.payload())));

    ann.client.emit("admin", ())?;
    ann.client.emit("hello", "world")?;
    assert_eq!(
        notes.take(),
        ["admin", r#"the event "admin" was refused: unauthorized event"#, "hello world", "handled world"]
    );
    Ok(())
}
