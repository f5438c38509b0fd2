//! "Client": what `socket.io-client` gives a program, for one in the same process.

use roomcast::{Client, Engine, Payload};

use crate::Done;
use crate::guest::{Guest, Notes};

pub(crate) const CHAPTER: crate::Chapter = chapter!("The client":
    initialization,
    multiplexing,
    lifecycle_events,
    offline_behavior,
    reconnection,
);

fn initialization() -> Done {
    let io = Engine::new();
    io.of("/chat")?;

    // const socket = io("/chat", { auth: { token: "abc" } });
    let client = Client::new(&io); // JavaScript's Manager
    let socket = client.socket("/chat", Payload::json(r#"{"token":"abc"}"#))?;
    assert!(!socket.is_connected());
    client.poll(); // nothing comes in by itself: there is no thread

    // socket.id, socket.connected, socket.active
    assert!(socket.id().is_some() && socket.is_connected() && socket.is_active());
    Ok(())
}

fn multiplexing() -> Done {
    let io = Engine::new();
    io.of("/admin")?;

    // const manager = new Manager();  manager.socket("/");  manager.socket("/admin");
    let client = Client::new(&io);
    let (main, admin) = (client.socket("/", ())?, client.socket("/admin", ())?);
    client.poll();
    assert_ne!(main.id(), admin.id());
    assert_eq!(io.connection_count(), 1);
    Ok(())
}

fn lifecycle_events() -> Done {
    let io = Engine::new();
    let client = Client::new(&io);
    let socket = client.socket("/", ())?;
    let notes = Notes::default();

    // socket.on("connect", () => { .. });
    let connect = notes.clone();
    socket.on_connect(move |socket| connect.add(format!("connect {}", socket.is_connected())));
    // socket.on("disconnect", (reason) => { .. });
    let disconnect = notes.clone();
    socket.on_disconnect(move |_, reason| disconnect.add(format!("disconnect {reason:?}")));
    // socket.on("connect_error", (err) => { .. }): see `middlewares::connect_error`

    client.poll();
    // socket.disconnect();  socket.connect();
    socket.disconnect();
    socket.connect()?;
    client.poll();
    assert_eq!(notes.take(), ["connect true", "disconnect Client", "connect true"]);
    Ok(())
}

fn offline_behavior() -> Done {
    let io = Engine::new();
    let notes = Notes::default();
    io.of("/")?.on("hello", notes.noting("hello"))?;
    let client = Client::new(&io);
    let socket = client.socket("/", ())?;

    // socket.emit("hello", "buffered");  socket.volatile.emit("hello", "dropped");
    socket.emit("hello", "buffered")?;
    assert!(!socket.emit_volatile("hello", "dropped")?);
    assert_eq!(socket.waiting(), 1);

    client.poll(); // it is connected now
    socket.emit_volatile("hello", "in time")?;
    assert_eq!(notes.take(), ["hello buffered", "hello in time"]);
    Ok(())
}

fn reconnection() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let old = ann.client.id();

    // io.engine.close();
    ann.socket.connection().map(|connection| connection.close("unplugged"));
    ann.got();
    assert_eq!(ann.client.client().closed(), Some("unplugged".into()));

    // manager.connect(); it does not do that by itself: there is no timer
    ann.client.client().reconnect()?;
    ann.got();
    assert!(ann.client.is_connected() && ann.client.id() != old);
    Ok(())
}

// Not here: `retries`, `ackTimeout`. Delivery is at most once.
