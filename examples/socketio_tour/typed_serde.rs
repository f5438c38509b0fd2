//! "TypeScript", with the feature `serde`: events of any type that has a form for the wire.

use roomcast::{Client, Engine, Event, Payload};
use serde::{Deserialize, Serialize};

use crate::Done;
use crate::guest::{Guest, Notes, refusal};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Types, with `serde`":
    typed_events,
    by_name,
    several_arguments,
    typed_acknowledgements,
    undecodable,
    auth,
);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Move {
    dx: i32,
    dy: i32,
}

// interface ClientToServerEvents { move: (step: Move) => void; }
const MOVE: Event<Move> = Event::new("move");

fn typed_events() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();

    // socket.on("move", (step) => { io.emit("move", step); });
    ann.socket.on(MOVE, |socket, step: Move| {
        socket.namespace().emit(MOVE, &Move { dx: -step.dx, ..step }).unwrap(); // encoded once
    })?;
    let moves = notes.clone();
    ann.client.on(MOVE, move |_, step: Move| moves.add(format!("{step:?}")))?;

    // socket.emit("move", { dx: 1, dy: 0 });
    ann.client.emit(MOVE, &Move { dx: 1, dy: 0 })?;
    assert_eq!(ann.got(), [r#"move Json({"dx":-1,"dy":0})"#]);
    assert_eq!(notes.take(), ["Move { dx: -1, dy: 0 }"]);
    Ok(())
}

fn by_name() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("move", (step) => { step.dx; });
    let moves = notes.clone();
    ann.socket.on("move", move |_, step: Move| moves.add(step.dx.to_string()))?;

    ann.client.emit("move", &Move { dx: 1, dy: 0 })?;
    assert_eq!(notes.take(), ["1"]);
    Ok(())
}

fn several_arguments() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("hello", (number, text, object) => { .. });
    let hello = notes.clone();
    ann.socket.on("hello", move |_, (number, text, step): (u32, String, Move)| {
        hello.add(format!("{number} {text} {step:?}"));
    })?;

    // socket.emit("hello", 1, "2", { dx: 3, dy: 4 });
    ann.client.emit("hello", &(1, "2", Move { dx: 3, dy: 4 }))?;
    assert_eq!(notes.take(), ["1 2 Move { dx: 3, dy: 4 }"]);
    Ok(())
}

fn typed_acknowledgements() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;

    // socket.on("add", (a, b, callback) => { callback(a + b); });
    ann.socket.on_with_ack("add", |_, (a, b): (u32, u32), ack| {
        ack.send(&(a + b)).unwrap();
    })?;

    // const sum = await socket.emitWithAck("add", 1, 2);
    let sum = ann.client.emit_with_ack("add", &(1, 2))?;
    ann.got();
    assert_eq!(sum.wait()?.decode::<u32>()?, 3);
    Ok(())
}

fn undecodable() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    ann.socket.on(MOVE, |_, _: Move| -> () { unreachable!("it is none") })?;
    let errors = notes.clone();
    ann.socket.on_error(move |_, failure| errors.add(failure.to_string()));

    // socket.emit("move", "north"), which TypeScript cannot keep a client from
    ann.client.emit("move", "north")?;
    assert!(notes.take()[0].starts_with(r#"the event "move" could not be read"#));
    Ok(())
}

fn auth() -> Done {
    #[derive(Serialize, Deserialize)]
    struct Token {
        token: String,
    }

    let io = Engine::new();

    // const token = socket.handshake.auth.token;
    io.of("/")?.middleware(|socket| {
        let auth: Token = socket.auth().decode().map_err(|error| error.to_string())?;
        if auth.token == "abc" { Ok(()) } else { Err("unauthorized".into()) }
    });

    // io({ auth: { token: "abc" } });
    for (token, is_let_in) in [("abc", true), ("xyz", false)] {
        let token = Payload::encode(&Token { token: token.to_owned() })?;
        let socket = Client::new(&io).socket("/", token)?;
        socket.client().poll();
        assert_eq!(socket.is_connected(), is_let_in);
    }
    assert!(refusal(&io, "/").is_some_and(|words| words.contains("expected struct Token")), "no auth at all");
    Ok(())
}
