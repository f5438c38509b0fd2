//! "Namespaces".

use roomcast::{Client, Engine, Target};

use crate::Done;
use crate::guest::{Guest, Notes, refusal};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Namespaces":
    main_namespace,
    custom_namespaces,
    unknown_namespace,
    dynamic_by_pattern,
    dynamic_by_function,
    parent_of_existing_children,
    parent_emit,
    parent_fetch_sockets,
    manual_children,
    remove,
);

fn main_namespace() -> Done {
    let io = Engine::new();
    let notes = Notes::default();

    // io.on("connection", (socket) => {});  io.of("/").on("connection", (socket) => {});
    let connected = notes.clone();
    io.of("/")?.on_connect(move |socket| connected.add(socket.namespace().path()));

    Guest::new(&io, "/")?;
    assert_eq!(notes.take(), ["/"]);
    Ok(())
}

fn custom_namespaces() -> Done {
    let io = Engine::new();
    let (orders, users) = (io.of("/orders")?, io.of("/users")?);

    // io.of("/orders").on("connection", (socket) => {
    //   socket.join("room1");
    //   io.of("/orders").to("room1").emit("hello");
    // });
    for nsp in [&orders, &users] {
        nsp.on_connect(|socket| {
            socket.join("room1").unwrap(); // of its own namespace: the other one's is another room
        });
    }
    let (ann, bob) = (Guest::new(&io, "/orders")?, Guest::new(&io, "/users")?);
    orders.to("room1").emit("hello", ())?;
    assert_eq!((ann.got().len(), bob.got().len()), (1, 0));

    // io.of("/orders").use((socket, next) => { .. });
    orders.middleware(|_| Err("closed".into()));
    assert_eq!((refusal(&io, "/orders").as_deref(), refusal(&io, "/users")), (Some("closed"), None));
    Ok(())
}

fn unknown_namespace() -> Done {
    let io = Engine::new();
    let notes = Notes::default();

    // io("/unknown").on("connect_error", (err) => { err.message === "Invalid namespace" });
    let client = Client::new(&io);
    let errors = notes.clone();
    client.socket("/unknown", ())?.on_connect_error(move |_, rejection| errors.add(rejection.message()));
    client.poll();
    assert_eq!(notes.take(), ["Invalid namespace"]);
    assert_eq!(client.closed(), None);
    Ok(())
}

fn dynamic_by_pattern() -> Done {
    let io = Engine::new();

    // io.of(/^\/dynamic-\d+$/).on("connection", (socket) => { const namespace = socket.nsp; });
    io.of_pattern("/dynamic-{number}")?.on_connect(|socket| {
        let number = socket.namespace().params().get("number").unwrap_or_default().to_owned();
        socket.emit("number", number).unwrap();
    });

    assert_eq!(Guest::new(&io, "/dynamic-101")?.got(), ["number 101"]);
    assert_eq!(refusal(&io, "/static").as_deref(), Some("Invalid namespace"));
    Ok(())
}

fn dynamic_by_function() -> Done {
    let io = Engine::new();

    // io.of((name, auth, next) => { next(null, isAllowed(name)); });
    let parent = io.of_fn(|path, _auth| path.len() == 4);

    let _ann = Guest::new(&io, "/abc")?;
    assert_eq!(refusal(&io, "/abcd").as_deref(), Some("Invalid namespace"));
    assert_eq!(parent.children(), [io.of("/abc")?]);
    Ok(())
}

fn parent_of_existing_children() -> Done {
    let io = Engine::new();
    let parent = io.of_pattern("/game-{id}")?;
    let _ann = Guest::new(&io, "/game-1")?;

    // const parentNamespace = io.of(/^\/game-\d+$/);
    // parentNamespace.use((socket, next) => { next(new Error("no more players")); });
    assert_eq!(io.of_pattern("/game-{id}")?, parent); // in Socket.IO another one, which never matches
    parent.middleware(|_| Err("no more players".into())); // of children that are there, too
    assert_eq!(refusal(&io, "/game-1").as_deref(), Some("no more players"));
    assert_eq!(refusal(&io, "/game-2").as_deref(), Some("no more players"));
    Ok(())
}

fn parent_emit() -> Done {
    let io = Engine::new();
    let parent = io.of_pattern("/game-{id}")?;
    let (ann, bob) = (Guest::new(&io, "/game-1")?, Guest::new(&io, "/game-2")?);
    bob.socket.join("room1")?;

    // parentNamespace.emit("hello");
    parent.emit("hello", ())?;
    // parentNamespace.to("room1").emit("room");
    parent.emit_to(&Target::new().to("room1"), "room", ())?;
    assert_eq!(ann.got(), ["hello"]);
    assert_eq!(bob.got(), ["hello", "room"]);
    Ok(())
}

fn parent_fetch_sockets() -> Done {
    let io = Engine::new();
    let parent = io.of_pattern("/game-{id}")?;
    let (ann, bob) = (Guest::new(&io, "/game-1")?, Guest::new(&io, "/game-2")?);
    let everyone = Target::new();

    // parentNamespace.fetchSockets(), which throws; .socketsJoin("a"), .disconnectSockets(), which do nothing
    assert_eq!(parent.sockets(&everyone)?, [ann.socket.clone(), bob.socket.clone()]);
    assert_eq!(parent.join(&everyone, "a")?.changed(), 2);
    assert_eq!(parent.disconnect(&everyone, "game over")?.changed(), 2);
    assert!(!ann.socket.is_connected());
    Ok(())
}

fn manual_children() -> Done {
    let io = Engine::new();
    let parent = io.of_pattern("/game-{id}")?;
    parent.middleware(|_| Err("no players yet".into()));

    // io.of("/game-101"); // a child of its parent, and behind its middlewares
    let lobby = io.of("/game-101")?;
    assert_eq!(parent.children(), [lobby]); // and stays when it is empty; see `server` for those that do not
    assert_eq!(refusal(&io, "/game-101").as_deref(), Some("no players yet"));
    assert_eq!(parent.children().len(), 1);
    Ok(())
}

fn remove() -> Done {
    let io = Engine::new();
    io.of("/chat")?;
    let ann = Guest::new(&io, "/chat")?;

    // io.of("/chat").disconnectSockets();  io._nsps.delete("/chat");
    io.remove("/chat");
    assert!(!ann.socket.is_connected() && io.get("/chat").is_none());
    Ok(())
}
