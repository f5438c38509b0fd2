//! "Broadcasting events".

use std::time::Duration;

use roomcast::{AckError, Engine, Target};

use crate::Done;
use crate::guest::Guest;

pub(crate) const CHAPTER: crate::Chapter = chapter!("Broadcasting events":
    to_all_connected_clients,
    except_the_sender,
    with_acknowledgements,
    with_acknowledgements_of_nobody,
    volatile_broadcast,
    operators_are_values,
);

fn to_all_connected_clients() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);

    // io.emit("hello", "world");
    io.of("/")?.emit("hello", "world")?;
    assert_eq!((ann.got(), bob.got()), (vec!["hello world".to_owned()], vec!["hello world".to_owned()]));

    // Whoever is disconnected does not get it, and does not get it later either.
    bob.client.disconnect();
    io.of("/")?.emit("hello", "again")?;
    bob.client.connect()?;
    assert_eq!((ann.got().len(), bob.got().len()), (1, 0));
    Ok(())
}

fn except_the_sender() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);

    // socket.broadcast.emit("hello", "world");
    ann.socket.broadcast().emit("hello", "world")?;
    assert!(ann.got().is_empty());
    assert_eq!(bob.got(), ["hello world"]);
    Ok(())
}

fn with_acknowledgements() -> Done {
    let io = Engine::new();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.client.on_with_ack("hello", |_, (), ack| {
        ack.send("ann").unwrap();
    })?;

    // io.timeout(5000).emit("hello", (err, responses) => { /* some clients did not answer in time */ });
    // try { await io.timeout(5000).emitWithAck("hello"); } catch (e) { .. }
    let answers = io.of("/")?.emit_with_ack("hello", ())?.timeout(Duration::from_secs(5));
    ann.got(); // bob does not look
    io.tick(Duration::from_secs(5));
    let answers = answers.wait();
    assert_eq!(
        answers.answered().next().map(|(id, answer)| (id, answer.as_str())),
        Some((ann.socket.id(), Some("ann")))
    );
    assert_eq!(answers.missing().collect::<Vec<_>>(), [(bob.socket.id(), &AckError::TimedOut)]);
    Ok(())
}

fn with_acknowledgements_of_nobody() -> Done {
    let io = Engine::new();

    // const responses = await io.to("empty").timeout(5000).emitWithAck("hello");  // []
    let answers = io.of("/")?.to("empty").emit_with_ack("hello", ())?.wait();
    assert!(answers.is_empty() && answers.is_complete());
    Ok(())
}

fn volatile_broadcast() -> Done {
    let io = Engine::builder().volatile_backlog(0).build();
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    bob.socket.emit("a long story", ())?;

    // io.volatile.emit("tick");
    io.of("/")?.everyone().volatile().emit("tick", ())?;
    assert_eq!((ann.got(), bob.got()), (vec!["tick".to_owned()], vec!["a long story".to_owned()]));
    Ok(())
}

fn operators_are_values() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let (ann, bob) = (Guest::new(&io, "/")?, Guest::new(&io, "/")?);
    ann.socket.join("room1")?;
    bob.socket.join(["room1", "room2"])?;

    // const operator = io.to("room1");  operator.emit("a");  operator.except("room2").emit("b");  operator.emit("c");
    let operator = Target::new().to("room1");
    nsp.target(&operator).emit("a", ())?;
    nsp.target(&operator).except("room2").emit("b", ())?;
    nsp.target(&operator).emit("c", ())?;
    assert_eq!(ann.got(), ["a", "b", "c"]);
    assert_eq!(bob.got(), ["a", "c"]);
    Ok(())
}

// Not here: io.local.emit(..). There is one process: nothing else is local.
