//! "Emitting events".

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use roomcast::{AckError, Engine, Payload};

use crate::Done;
use crate::guest::{Guest, Notes, line};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Emitting events":
    basic_emit,
    several_arguments,
    binary,
    no_serialization,
    acknowledgement_of_the_server,
    acknowledgement_of_the_client,
    emit_with_ack,
    emit_with_ack_and_wait,
    timeout,
    volatile_events,
);

fn basic_emit() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;
    let notes = Notes::default();

    // socket.on("hello", (arg) => { .. });          (server)
    ann.socket.on("hello", notes.noting("server got"))?;
    // socket.emit("hello", "world");                (client)
    ann.client.emit("hello", "world")?; // its handlers run in this call
    assert_eq!(notes.take(), ["server got world"]);

    // socket.emit("hello", "world");                (server)
    ann.socket.emit("hello", "world")?;
    // socket.on("hello", (arg) => { .. });          (client)
    assert_eq!(ann.got(), ["hello world"]);
    Ok(())
}

fn several_arguments() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;

    // socket.emit("hello", 1, "2", { 3: "4" });
    ann.socket.emit("hello", Payload::json(r#"[1,"2",{"3":"4"}]"#))?; // one payload; a tuple with `serde`
    assert_eq!(ann.got(), [r#"hello Json([1,"2",{"3":"4"}])"#]);
    Ok(())
}

fn binary() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;

    // socket.emit("hello", Uint8Array.from([6]));
    ann.socket.emit("hello", [6])?;
    assert_eq!(ann.got(), [r#"hello b"\x06""#]);
    Ok(())
}

fn no_serialization() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    let sizes = notes.clone();
    ann.client.on("map", move |_, payload: Payload| {
        sizes.add(format!("{:?}", payload.downcast_ref::<Vec<char>>()));
    })?;

    // socket.emit("map", [...myMap.entries()]), "as a Map cannot be serialized". In one process nothing has to be:
    let map = Arc::new(vec!['a', 'b']);
    ann.socket.emit("map", Arc::clone(&map))?;
    ann.got();
    assert_eq!(notes.take(), ["Some(['a', 'b'])"]);
    Ok(())
}

fn acknowledgement_of_the_server() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();

    // socket.on("update item", (arg, callback) => { callback({ status: "ok" }); });
    ann.socket.on_with_ack("update item", |_, item: Payload, ack| {
        ack.send(format!("updated {}", item.as_str().unwrap_or("nothing"))).unwrap();
    })?;

    // socket.emit("update item", "1", (response) => { .. });
    let response = notes.clone();
    ann.client.emit_with_ack("update item", "1")?.on_done(move |answer| {
        response.add(line("answer:", &answer.unwrap_or_default()));
    });
    ann.got();
    assert_eq!(notes.take(), ["answer: updated 1"]);
    Ok(())
}

fn acknowledgement_of_the_client() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    let notes = Notes::default();
    ann.client.on_with_ack("are you there", |_, (), ack| {
        ack.send("yes").unwrap();
    })?;

    // socket.emit("are you there", (response) => { .. });
    let response = notes.clone();
    ann.socket.emit_with_ack("are you there", ())?.on_done(move |answer| {
        response.add(line("answer:", &answer.unwrap_or_default()));
    });
    ann.got();
    assert_eq!(notes.take(), ["answer: yes"]);
    Ok(())
}

fn emit_with_ack() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    ann.client.on_with_ack("hello", |_, (), ack| {
        ack.send("world").unwrap();
    })?;

    // const response = await socket.emitWithAck("hello");
    let mut response = pin!(ann.socket.emit_with_ack("hello", ())?);
    let mut cx = Context::from_waker(Waker::noop()); // a runtime, at its smallest
    assert!(response.as_mut().poll(&mut cx).is_pending());
    ann.got();
    let Poll::Ready(answer) = response.poll(&mut cx) else { return Err("still no answer".into()) };
    assert_eq!(answer?.as_str(), Some("world"));
    Ok(())
}

fn emit_with_ack_and_wait() -> Done {
    let ann = Guest::new(&Engine::new(), "/")?;
    ann.client.on_with_ack("hello", |_, (), ack| {
        ack.send("world").unwrap();
    })?;

    // const response = await socket.emitWithAck("hello");
    let answer = ann.socket.emit_with_ack("hello", ())?;
    // In a program without a runtime: the client has a thread of its own, and this one waits.
    let client = ann.client.client();
    let player = thread::spawn(move || client.poll_timeout(Duration::from_secs(60)));
    assert_eq!(answer.wait()?.as_str(), Some("world"));
    player.join().map_err(|_| "the player panicked")?;
    Ok(())
}

fn timeout() -> Done {
    let io = Engine::new();
    let ann = Guest::new(&io, "/")?;

    // socket.timeout(5000).emit("hello", (err, response) => { /* no answer in time */ });
    // try { await socket.timeout(5000).emitWithAck("hello"); } catch (err) { .. }
    let answer = ann.socket.emit_with_ack("hello", ())?.timeout(Duration::from_secs(5));
    io.tick(Duration::from_secs(5));
    assert_eq!(answer.wait().unwrap_err(), AckError::TimedOut);

    // Without a timeout it ends with the socket at the latest; in Socket.IO never.
    let answer = ann.socket.emit_with_ack("hello", ())?;
    ann.client.disconnect();
    assert!(matches!(answer.wait(), Err(AckError::Disconnected(_))));
    Ok(())
}

fn volatile_events() -> Done {
    // socket.volatile.emit("position", "1"); // dropped behind any other that is not sent yet
    let io = Engine::builder().volatile_backlog(0).build(); // so here, too; else behind more than 64
    let ann = Guest::new(&io, "/")?;
    ann.socket.emit_volatile("position", "1")?;
    ann.socket.emit_volatile("position", "2")?;
    ann.socket.emit("hello", ())?;
    assert_eq!(ann.got(), ["position 1", "hello"]);
    Ok(())
}

// Not here: socket.compress(false).emit(..). A transport's.
