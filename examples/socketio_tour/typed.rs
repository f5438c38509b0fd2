//! "TypeScript": events that say what they carry. Here without a form for the wire: values as they are.

use std::sync::Arc;

use roomcast::{Engine, Event, Shared};

use crate::Done;
use crate::guest::{Guest, Notes};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Types":
    client_to_server_events,
    server_to_client_events,
    socket_data,
);

/// What a client sends.
#[derive(Debug)]
struct Step {
    dx: i32,
    dy: i32,
}

// interface ClientToServerEvents { step: (step: Step) => void; }
const STEP: Event<Step> = Event::new("step");

// interface ServerToClientEvents { noArg: () => void; moved: (step: Step) => void; }
const NO_ARG: Event<()> = Event::new("noArg");
const MOVED: Event<Step> = Event::new("moved");

fn client_to_server_events() -> Done {
    let io = Engine::new();
    let notes = Notes::default();

    // const io = new Server<ClientToServerEvents, ServerToClientEvents>();
    // io.on("connection", (socket) => { socket.on("step", (step) => { step.dx; }); });
    let steps = notes.clone();
    io.of("/")?.on(STEP, move |_, Shared(step): Shared<Step>| steps.add(format!("{step:?}")))?;

    // socket.emit("step", { dx: 1, dy: 0 });
    Guest::new(&io, "/")?.client.emit(STEP, Arc::new(Step { dx: 1, dy: 0 }))?; // anything else does not compile
    assert_eq!(notes.take(), ["Step { dx: 1, dy: 0 }"]);
    Ok(())
}

fn server_to_client_events() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();
    let moved = notes.clone();
    ann.client.on(MOVED, move |_, Shared(step): Shared<Step>| moved.add(format!("{}", step.dx + step.dy)))?;
    let called = notes.clone();
    ann.client.on(NO_ARG, move |_, ()| called.add("called"))?;

    // socket.emit("noArg");  io.emit("moved", step);
    ann.socket.emit(NO_ARG, ())?;
    io.of("/")?.emit(MOVED, Arc::new(Step { dx: 1, dy: 1 }))?; // the very value, for all of them
    ann.got();
    assert_eq!(notes.take(), ["called", "2"]);
    Ok(())
}

// Not here: interface InterServerEvents. There is one process.

fn socket_data() -> Done {
    struct SocketData {
        name: String,
        age: u8,
    }

    let ann = Guest::new(&Engine::new(), "/")?;

    // interface SocketData { name: string; age: number; }  socket.data.age
    ann.socket.set_data(SocketData { name: "Ann".to_owned(), age: 41 });
    let data = ann.socket.data::<SocketData>().ok_or("no data")?;
    assert_eq!((&*data.name, data.age), ("Ann", 41));
    Ok(())
}
