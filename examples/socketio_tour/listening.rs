//! "Listening to events".

use std::panic;

use roomcast::{DecodeError, Engine, Failure, FromPayload, Payload};

use crate::Done;
use crate::guest::{Guest, Notes, line};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Listening to events":
    on,
    on_for_all_sockets,
    once,
    off,
    remove_all_listeners,
    on_any,
    prepend_any,
    off_any,
    on_any_outgoing,
    prepend_any_outgoing,
    off_any_outgoing,
    validation,
    error_handling,
    panics,
);

fn on() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("details", (...args) => { .. });  socket.addListener("details", ..);
    ann.socket.on("details", notes.noting("first"))?;
    ann.socket.on("details", notes.noting("second"))?;

    ann.client.emit("details", "x")?;
    assert_eq!(notes.take(), ["first x", "second x"]);
    Ok(())
}

fn on_for_all_sockets() -> Done {
    let io = Engine::new();
    let notes = Notes::default();

    // io.on("connection", (socket) => { socket.on("details", (...args) => { .. }); });
    io.of("/")?.on("details", notes.noting("got"))?; // once, and no memory for each socket

    Guest::new(&io, "/")?.client.emit("details", "x")?;
    Guest::new(&io, "/")?.client.emit("details", "y")?;
    assert_eq!(notes.take(), ["got x", "got y"]);
    Ok(())
}

fn once() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.once("details", (...args) => { .. });
    ann.socket.once("details", notes.noting("got"))?;

    ann.client.emit("details", "1")?;
    ann.client.emit("details", "2")?;
    assert_eq!(notes.take(), ["got 1"]);
    Ok(())
}

fn off() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("details", listener);  socket.off("details", listener);
    let listener = ann.socket.on("details", notes.noting("got"))?;
    assert!(ann.socket.off(listener));

    ann.client.emit("details", ())?;
    assert!(notes.take().is_empty());
    Ok(())
}

fn remove_all_listeners() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    ann.socket.on("details", notes.noting("got"))?;
    ann.socket.on("details", notes.noting("got"))?;

    // socket.removeAllListeners("details");
    assert_eq!(ann.socket.off_event("details"), 2);
    // Not here, for the server's side: socket.removeAllListeners(). The client's has `off_all`.
    ann.client.off_all();

    ann.client.emit("details", ())?;
    assert!(notes.take().is_empty());
    Ok(())
}

// Not here: socket.listeners("details"), socket.eventNames(), socket.listenersAny(). Keep the `ListenerId`s.

fn on_any() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    ann.socket.on("hello", notes.noting("handled"))?;

    // socket.onAny((eventName, ...args) => { .. });
    let any = notes.clone();
    ann.socket.on_any(move |_, incoming| any.add(line(incoming.event(), incoming.payload())));

    ann.client.emit("hello", "1")?;
    ann.client.emit("unheard of", ())?;
    assert_eq!(notes.take(), ["hello 1", "handled 1", "unheard of"]);
    Ok(())
}

fn prepend_any() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    let (second, first) = (notes.clone(), notes.clone());
    ann.socket.on_any(move |_, _| second.add("second"));

    // socket.prependAny((eventName, ...args) => { .. });
    ann.socket.prepend_any(move |_, _| first.add("first"));

    ann.client.emit("hello", ())?;
    assert_eq!(notes.take(), ["first", "second"]);
    Ok(())
}

fn off_any() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    let any = notes.clone();
    let listener = ann.socket.on_any(move |_, _| any.add("any"));

    // socket.offAny(listener);
    assert!(ann.socket.off(listener));

    ann.client.emit("hello", ())?;
    assert!(notes.take().is_empty());
    Ok(())
}

fn on_any_outgoing() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();

    // socket.onAnyOutgoing((eventName, ...args) => { .. });
    let any = notes.clone();
    ann.socket.on_any_outgoing(move |_, event, payload| any.add(line(event, payload)));

    ann.socket.emit("direct", "1")?;
    io.of("/")?.emit("broadcast", "2")?;
    assert!(notes.take().is_empty(), "not when it is emitted, but when it is on its way to this client");
    ann.got();
    assert_eq!(notes.take(), ["direct 1", "broadcast 2"]);
    Ok(())
}

fn prepend_any_outgoing() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    let (second, first) = (notes.clone(), notes.clone());
    ann.socket.on_any_outgoing(move |_, _, _| second.add("second"));

    // socket.prependAnyOutgoing((eventName, ...args) => { .. });
    ann.socket.prepend_any_outgoing(move |_, _, _| first.add("first"));

    ann.socket.emit("hello", ())?;
    ann.got();
    assert_eq!(notes.take(), ["first", "second"]);
    Ok(())
}

fn off_any_outgoing() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    let any = notes.clone();
    let listener = ann.socket.on_any_outgoing(move |_, _, _| any.add("any"));

    // socket.offAnyOutgoing(listener);
    assert!(ann.socket.off(listener));

    ann.socket.emit("hello", ())?;
    assert_eq!((ann.got().len(), notes.take().len()), (1, 0));
    Ok(())
}

fn validation() -> Done {
    /// What a handler takes when not every payload will do.
    struct Age(u8);

    impl FromPayload for Age {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            let age = payload.as_str().and_then(|text| text.parse().ok());
            age.map(Age).ok_or_else(|| DecodeError::new("not an age"))
        }
    }

    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("create user", (payload) => {
    //   const { error, value } = userSchema.validate(payload);
    //   if (error) { return console.warn(error); }
    // });
    let users = notes.clone();
    ann.socket.on("create user", move |_, Age(age)| users.add(format!("user of {age}")))?;
    let warnings = notes.clone();
    ann.socket.on_error(move |_, failure| {
        if let Failure::Undecodable { event, error, .. } = failure {
            warnings.add(format!("{event}: {error}"));
        }
    });

    ann.client.emit("create user", "41")?;
    ann.client.emit("create user", "old")?;
    assert_eq!(notes.take(), ["user of 41", "create user: not an age"]);
    Ok(())
}

fn error_handling() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;

    // socket.on("list items", async (callback) => {
    //   try { callback({ status: "OK", items: await findItems() }); } catch (e) { callback({ status: "NOK" }); }
    // });
    ann.socket.on_with_ack("list items", |_, of: Payload, ack| {
        let items = if of.as_str() == Some("fruit") { Ok("apples") } else { Err("NOK") };
        ack.send(items.unwrap_or_else(|error| error)).unwrap();
    })?;

    let (fruit, stones) =
        (ann.client.emit_with_ack("list items", "fruit")?, ann.client.emit_with_ack("list items", "stones")?);
    ann.got();
    assert_eq!((fruit.wait()?.as_str(), stones.wait()?.as_str()), (Some("apples"), Some("NOK")));
    Ok(())
}

fn panics() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("hello", () => { throw new Error("boom"); }), which ends a Socket.IO server, and no engine
    ann.socket.on("hello", |_, ()| -> () { panic!("boom") })?;
    ann.socket.on("hello", notes.noting("the next one runs"))?;
    let errors = notes.clone();
    ann.socket.on_error(move |_, failure| {
        if let Failure::Panicked { place, message, .. } = failure {
            errors.add(format!("{place}: {message}"));
        }
    });

    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {})); // it is not to be printed
    let emitted = ann.client.emit("hello", ());
    panic::set_hook(hook);
    emitted?;
    assert_eq!(notes.take(), ["handler: boom", "the next one runs"]);
    Ok(())
}
