//! What comes from clients. Each is a stranger that the rest of the world knows nothing of.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use roomcast::{
    ClientPacket, DisconnectReason, EventError, Payload, ProtocolError, ReceiveError, ServerPacket,
};

use crate::world::{Client, LONGEST, QUEUE, World};
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = faults();
    cases.extend(no_faults());
    cases.extend(floods());
    cases.extend(after_the_end());
    cases
}

type Receive = Box<dyn Fn(&Client) -> Result<(), ReceiveError>>;

/// What no client does: it is told so, and its connection is closed.
fn faults() -> Vec<Case> {
    let event = |name: String, error| {
        let receive: Receive = Box::new(move |client| client.send(&name, "", None));
        (receive, ProtocolError::Event(error))
    };
    let to = |path: &'static str| {
        let receive: Receive = Box::new(move |client| {
            let payload = Payload::default();
            client.connection.receive(ClientPacket::Event { namespace: path, event: "e", payload, ack: None })
        });
        (receive, ProtocolError::NotConnected)
    };
    let answer = |path: &'static str| {
        let receive: Receive = Box::new(move |client| {
            let payload = Payload::default();
            client.connection.receive(ClientPacket::Ack { namespace: path, id: 0, payload })
        });
        (receive, ProtocolError::NotConnected)
    };
    let enter = |path: String, error| {
        let receive: Receive = Box::new(move |client| client.connect(&path));
        (receive, error)
    };
    let too_long = |bytes| EventError::TooLong { bytes, limit: LONGEST };
    let reserved = |name: &str| event(name.to_owned(), EventError::Reserved(name.into()));
    let again = ProtocolError::AlreadyConnected;
    let faults = [
        ("an event without a name", event(String::new(), EventError::Empty)),
        ("an event with a long name", event("x".repeat(LONGEST + 1), too_long(LONGEST + 1))),
        ("an event with a huge name", event("x".repeat(1 << 20), too_long(1 << 20))),
        ("the event `connect`", reserved("connect")),
        ("the event `connect_error`", reserved("connect_error")),
        ("the event `disconnect`", reserved("disconnect")),
        ("the event `disconnecting`", reserved("disconnecting")),
        ("an event to a namespace that it is not in", to("/there")),
        ("an event to a namespace that there is not", to("/nowhere")),
        ("an event to a namespace that is removed", to("/removed")),
        ("an event to what is no path", to("/a b")),
        ("an event to a path with a NUL", to("/chat\0")),
        ("an answer to a namespace that it is not in", answer("/there")),
        ("an answer to a namespace that there is not", answer("/nowhere")),
        ("an answer to what is no path", answer("//")),
        ("a second connect", enter("/chat".into(), again.clone())),
        ("a second connect under another name", enter("chat".into(), again)),
        ("a connect to a long path", enter(format!("/{}", "x".repeat(256)), ProtocolError::PathTooLong)),
        ("a connect to a huge path", enter("/x".repeat(1 << 19), ProtocolError::PathTooLong)),
    ];
    faults
        .into_iter()
        .map(|(name, (receive, error))| {
            let refused = Err(ReceiveError::Protocol(error));
            let closed = (refused, Some(DisconnectReason::Protocol), 0);
            case(name, closed, move |w| {
                let client = w.stranger();
                let received = receive(&client);
                (received, client.connection.closed(), client.connection.sockets().len())
            })
        })
        .collect()
}

/// What a client may well do, to no effect.
fn no_faults() -> Vec<Case> {
    let answer = |id| -> Receive { Box::new(move |client| client.answer(id)) };
    let leave = |path: &'static str| -> Receive {
        Box::new(move |client| client.connection.receive(ClientPacket::Disconnect { namespace: path }))
    };
    let enter = |path: &'static str| -> Receive { Box::new(move |client| client.connect(path)) };
    let event = |name: &'static str, payload: Payload| -> Receive {
        Box::new(move |client| client.send(name, &payload, Some(u64::MAX)))
    };
    let refused = |path: &str| {
        let data = Payload::default();
        let packet =
            ServerPacket::ConnectError { namespace: path, message: "Invalid namespace", data: &data };
        vec![format!("{packet:?}")]
    };
    let quiet = [
        ("an answer to what nobody asked", answer(0), vec![]),
        ("an answer with the largest number", answer(u64::MAX), vec![]),
        ("leaving what it is not in", leave("/there"), vec![]),
        ("leaving what there is not", leave("/nowhere"), vec![]),
        ("leaving what is no path", leave("/a b"), vec![]),
        ("a connect to what there is not", enter("/nowhere"), refused("/nowhere")),
        ("a connect to what is removed", enter("/removed"), refused("/removed")),
        ("a connect to what is no path", enter("/a b"), refused("/a b")),
        ("a connect to a path above", enter("/../chat/"), refused("/../chat/")),
        ("a connect to a look-alike", enter("/ch\u{430}t"), refused("/ch\u{430}t")),
        ("an event that nobody handles", event("unknown", Payload::default()), vec![]),
        ("an event with a NUL in its name", event("\0", Payload::default()), vec![]),
        ("the event `gap`", event("gap", Payload::default()), vec![]),
        ("an event of a megabyte", event("unknown", vec![0xff; 1 << 20].into()), vec![]),
    ];
    quiet
        .into_iter()
        .map(|(name, receive, told)| {
            case(name, (Ok(()), told, None), move |w: &mut World| {
                let mut client = w.stranger();
                let received = receive(&client);
                (received, client.read(), client.connection.closed())
            })
        })
        .collect()
}

/// What is too much of something good.
fn floods() -> Vec<Case> {
    let busy = || Err::<(), _>(ReceiveError::Busy);
    vec![
        case("events of a handler that sends itself events", (busy(), QUEUE + 1), |w| {
            let client = w.stranger();
            let socket = client.connection.socket("/chat").unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let refused = Arc::new(Mutex::new(Ok(())));
            let (counted, error) = (Arc::clone(&calls), Arc::clone(&refused));
            let again = client.connection.clone();
            let _ = socket.on("loop", move |_, _: Payload| {
                if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                    return;
                }
                for _ in 0..=QUEUE {
                    let (namespace, event, payload) = ("/chat", "loop", Payload::default());
                    let received =
                        again.receive(ClientPacket::Event { namespace, event, payload, ack: None });
                    if received.is_err() {
                        *error.lock().unwrap() = received;
                    }
                }
            });
            client.send("loop", "", None).unwrap();
            let refused = refused.lock().unwrap().clone();
            (refused, calls.load(Ordering::SeqCst))
        }),
        case("events that lead to events, ten thousand deep", 10_000, |w| {
            let client = w.stranger();
            let socket = client.connection.socket("/chat").unwrap();
            let deepest = Arc::new(AtomicUsize::new(0));
            let (depth, again) = (Arc::clone(&deepest), client.connection.clone());
            let _ = socket.on("deeper", move |_, _: Payload| {
                if depth.fetch_add(1, Ordering::SeqCst) < 9_999 {
                    let (namespace, event, payload) = ("/chat", "deeper", Payload::default());
                    again.receive(ClientPacket::Event { namespace, event, payload, ack: None }).unwrap();
                }
            });
            client.send("deeper", "", None).unwrap();
            deepest.load(Ordering::SeqCst)
        }),
        case("an event that is answered twice", vec![true, false, false], |w| {
            let client = w.stranger();
            let socket = client.connection.socket("/chat").unwrap();
            let sent = Arc::new(Mutex::new(Vec::new()));
            let answers = Arc::clone(&sent);
            let _ = socket.on_with_ack("twice", move |_, _: Payload, ack| {
                answers.lock().unwrap().extend([(); 3].map(|()| ack.send("answer").unwrap()));
            });
            client.send("twice", "", Some(0)).unwrap();
            sent.lock().unwrap().clone()
        }),
        case("a question that is answered twice, and by others", (1, vec![Some("first".to_owned())]), |w| {
            let (client, other) = (w.stranger(), w.stranger());
            let socket = client.connection.socket("/chat").unwrap();
            let acks = w.chat.to(socket.id()).emit_with_ack("question", "").unwrap();
            other.answer_all("stranger");
            client.answer_all("first");
            client.answer_all("second");
            let answers = acks.cancel();
            let texts = answers.answered().map(|(_, text)| text.as_str().map(str::to_owned)).collect();
            (answers.len(), texts)
        }),
    ]
}

fn after_the_end() -> Vec<Case> {
    type Act = fn(&Client) -> Result<(), ReceiveError>;
    let acts: [(&str, Act); 5] = [
        ("an event", |client| client.send("e", "", None)),
        ("an answer", |client| client.answer(0)),
        ("a connect", |client| client.connect("/there")),
        ("a disconnect", |client| client.connection.receive(ClientPacket::Disconnect { namespace: "/chat" })),
        ("a connect to a path that is too long", |client| client.connect(&"x".repeat(1000))),
    ];
    let mut cases: Vec<_> = acts
        .map(|(name, act)| {
            let over = Err(ReceiveError::Closed(DisconnectReason::Server));
            case(format!("{name} after the end"), (true, over, false), move |w| {
                let client = w.stranger();
                let first = client.connection.close(DisconnectReason::Server);
                (first, act(&client), client.connection.close(DisconnectReason::Transport))
            })
        })
        .into();
    cases.push(case("an outbox that is dropped", Some(DisconnectReason::Transport), |w| {
        let (connection, outbox) = w.engine.connect(());
        drop(outbox);
        connection.closed()
    }));
    cases
}
