//! "Middlewares".

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use roomcast::{Client, ClientSocket, Engine, Payload, Rejection};

use crate::Done;
use crate::guest::{Notes, refusal};

pub(crate) const CHAPTER: crate::Chapter = chapter!("Middlewares":
    registering,
    order,
    credentials,
    connect_error,
    joining_in_one,
    asynchronous,
    one_that_never_decides,
);

/// A client whose connect errors are noted.
fn knocking(io: &Engine, auth: &str, notes: &Notes) -> Result<ClientSocket, roomcast::ReceiveError> {
    let socket = Client::new(io).socket("/", auth)?;
    let notes = notes.clone();
    socket.on_connect_error(move |_, rejection| notes.add(format!("{rejection} {:?}", rejection.data())));
    Ok(socket)
}

fn registering() -> Done {
    let io = Engine::new();

    // io.use((socket, next) => {
    //   if (isValid(socket.request)) { next(); } else { next(new Error("invalid")); }
    // });
    io.of("/")?.middleware(|socket| match socket.auth().as_str() {
        Some("valid") => Ok(()),
        _ => Err("invalid".into()),
    });

    let notes = Notes::default();
    let (ann, eve) = (knocking(&io, "valid", &notes)?, knocking(&io, "", &notes)?);
    ann.client().poll();
    eve.client().poll();
    assert!(ann.is_connected() && !eve.is_connected());
    assert_eq!(notes.take(), [r#"invalid b"""#]);
    Ok(())
}

fn order() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;
    let notes = Notes::default();
    let note = |word: &'static str| {
        let notes = notes.clone();
        move || notes.add(word)
    };

    // io.use((socket, next) => { next(); });
    // io.use((socket, next) => { next(new Error("thou shall not pass")); });
    // io.use((socket, next) => { /* not executed, since the previous middleware has returned an error */ });
    let (first, second, third) = (note("first"), note("second"), note("third"));
    nsp.middleware(move |_| {
        first();
        Ok(())
    });
    nsp.middleware(move |_| {
        second();
        Err("thou shall not pass".into())
    });
    nsp.middleware(move |_| {
        third();
        Ok(())
    });

    assert_eq!(refusal(&io, "/").as_deref(), Some("thou shall not pass"));
    assert_eq!(notes.take(), ["first", "second"]);
    Ok(())
}

fn credentials() -> Done {
    struct User(String);

    let io = Engine::new();

    // const token = socket.handshake.auth.token;
    io.of("/")?.middleware(|socket| {
        let auth = socket.auth();
        let name = auth.as_str().and_then(|token| token.strip_prefix("token of "));
        socket.set_data(User(name.ok_or("unauthorized")?.to_owned()));
        Ok(())
    });

    // const socket = io({ auth: { token: "abc" } });
    Client::new(&io).socket("/", "abc")?;
    assert_eq!(io.socket_count(), 0);
    let _ann = Client::new(&io).socket("/", "token of Ann")?;
    assert_eq!(io.of("/")?.sockets()[0].data::<User>().map(|user| user.0.clone()), Some("Ann".to_owned()));
    Ok(())
}

fn connect_error() -> Done {
    let io = Engine::new();

    // const err = new Error("not authorized");
    // err.data = { content: "Please retry later" };
    // next(err);
    io.of("/")?.middleware(|_| {
        let data = Payload::json(r#"{"content":"Please retry later"}"#);
        Err(Rejection::new("not authorized").with_data(data))
    });

    // socket.on("connect_error", (err) => { err.message; err.data; });
    let notes = Notes::default();
    knocking(&io, "", &notes)?.client().poll();
    assert_eq!(notes.take(), [r#"not authorized Json({"content":"Please retry later"})"#]);
    Ok(())
}

fn joining_in_one() -> Done {
    let io = Engine::new();
    let nsp = io.of("/")?;

    // io.use((socket, next) => { socket.join("room1"); next(); });
    nsp.middleware(|socket| {
        socket.join("room1").map_err(|error| error.to_string())?;
        match socket.auth().as_str() {
            Some("valid") => Ok(()),
            _ => Err("invalid".into()),
        }
    });

    let notes = Notes::default();
    let (_ann, _eve) = (knocking(&io, "valid", &notes)?, knocking(&io, "", &notes)?);
    assert_eq!(nsp.room_len("room1"), 1, "who is rejected is released from rooms");
    Ok(())
}

fn asynchronous() -> Done {
    let io = Engine::new();

    // io.use(async (socket, next) => {
    //   try { await fetchUser(socket); next(); } catch (e) { next(new Error("unknown user")); }
    // });
    let (ask, asked) = mpsc::channel();
    io.of("/")?.deferred_middleware(move |socket, decision| {
        drop(ask.send((socket.auth(), decision))); // to nobody: the decision is dropped, which rejects
    });
    let database = thread::spawn(move || {
        for (auth, decision) in asked {
            match auth.as_str() {
                Some("Ann") => decision.accept(),
                _ => decision.reject("unknown user"),
            }
        }
    });

    let notes = Notes::default();
    let (ann, eve) = (knocking(&io, "Ann", &notes)?, knocking(&io, "Eve", &notes)?);
    ann.client().poll_timeout(Duration::from_secs(60));
    eve.client().poll_timeout(Duration::from_secs(60));
    assert!(ann.is_connected());
    assert_eq!(notes.take(), [r#"unknown user b"""#]);

    io.close(); // takes off the middleware, and with it `ask`
    database.join().map_err(|_| "the database panicked")?;
    Ok(())
}

fn one_that_never_decides() -> Done {
    // io.use((socket, next) => {}); // keeps its socket for ever. Here it has 30 s, or so long:
    let io = Engine::builder().middleware_timeout(Duration::from_secs(5)).build();
    let (keep, _kept) = mpsc::channel();
    io.of("/")?.deferred_middleware(move |_, decision| keep.send(decision).unwrap());

    let notes = Notes::default();
    let ann = knocking(&io, "", &notes)?;
    io.tick(Duration::from_secs(5));
    ann.client().poll();
    assert_eq!(notes.take().len(), 1);
    Ok(())
}

// Not here: io.engine.use, and Express middlewares. They see HTTP requests: a transport's.
