//! The chat, played by clients in the same process.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use roomcast::{Ack, Client, ClientSocket, Engine, Payload, SocketId};
use serde_json::{Value, json};

use super::install;

/// Somebody with a connection of its own.
struct Guest {
    socket: ClientSocket,
    note: Sender<(String, Value)>,
    events: Receiver<(String, Value)>,
}

fn chat() -> Engine {
    let engine = Engine::new();
    install(&engine);
    engine
}

fn value(payload: &Payload) -> Value {
    match (payload.as_json(), payload.as_str()) {
        (Some(json), _) => serde_json::from_str(json).unwrap(),
        (_, Some(text)) => text.into(),
        _ => Value::Null,
    }
}

/// Connects with an auth payload, and returns why that is refused.
fn refusal(engine: &Engine, auth: impl Into<Payload>) -> Option<(String, Value)> {
    let (send, refused) = channel();
    let client = Client::new(engine);
    let socket = client.socket("/chat", auth).unwrap();
    socket.on_connect_error(move |_, why| send.send((why.message().to_owned(), value(why.data()))).unwrap());
    client.poll();
    refused.try_recv().ok()
}

fn auth(name: &str) -> Payload {
    Payload::json(json!({ "name": name }).to_string())
}

impl Guest {
    fn new(engine: &Engine, name: &str) -> Self {
        Self::with_auth(engine, auth(name))
    }

    fn with_auth(engine: &Engine, auth: Payload) -> Self {
        let client = Client::new(engine);
        let socket = client.socket("/chat", auth).unwrap();
        let (note, events) = channel();
        let send = note.clone();
        socket.on_any(move |_, event| send.send((event.event().to_owned(), value(event.payload()))).unwrap());
        while client.poll() > 0 {}
        assert!(socket.is_connected(), "it gets in");
        Self { socket, note, events }
    }

    fn start(&self, event: &str, data: Value) -> Ack {
        let data = match data {
            Value::String(text) => Payload::from(text),
            data => Payload::json(data.to_string()),
        };
        self.socket.emit_with_ack(event, data).unwrap()
    }

    fn ask(&self, event: &str, data: impl Into<Value>) -> Value {
        let answer = self.start(event, data.into());
        while !answer.is_done() {
            assert!(self.socket.client().poll_timeout(Duration::from_secs(10)) > 0, "{event} is answered");
        }
        value(&answer.wait().unwrap())
    }

    /// The code of the error that answers.
    fn code(&self, event: &str, data: impl Into<Value>) -> String {
        let answer = self.ask(event, data);
        assert!(answer["error"].as_str().is_some_and(|words| !words.is_empty()), "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    }

    fn poll(&self) {
        while self.socket.client().poll() > 0 {}
    }

    fn got(&self, event: &str) -> Vec<Value> {
        self.poll();
        self.events.try_iter().filter(|(name, _)| name == event).map(|(_, data)| data).collect()
    }

    fn names(&self, room: &str) -> Vec<String> {
        let who = self.ask("who", room);
        let members = who["members"].as_array().unwrap();
        members.iter().map(|member| member["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn names_are_good_and_taken_once() {
    let engine = chat();
    let long = "x".repeat(21);
    for name in ["", " ", "a b", "@ann", "*", "a\u{202e}b", "<b>", "a\n", long.as_str()] {
        let (message, data) = refusal(&engine, auth(name)).unwrap();
        assert!(message.contains("1 to 20"), "{message}");
        assert_eq!(data, json!({ "code": "bad-name" }), "{name:?}");
    }
    for auth in
        [Payload::default(), Payload::from("Ann"), Payload::json("{}"), Payload::json(r#"{"name":7}"#)]
    {
        assert_eq!(refusal(&engine, &auth).unwrap().1, json!({ "code": "bad-name" }), "{auth:?}");
    }
    let ann = Guest::new(&engine, "Ann");
    assert_eq!(refusal(&engine, auth("aNN")).unwrap().1, json!({ "code": "name-taken" }));
    let _zoe = Guest::new(&engine, "Zoë");
    assert_eq!(refusal(&engine, auth("ZOË")).unwrap().1, json!({ "code": "name-taken" }));
    ann.socket.disconnect();
    assert_eq!(refusal(&engine, auth("ann")), None);
    assert_eq!(refusal(&engine, auth(&long[1..])), None);
}

#[test]
fn with_a_key_one_gets_the_own_name_back() {
    let engine = chat();
    let with_key = |key| Payload::json(json!({ "name": "Ann", "key": key }).to_string());
    let lost = Guest::with_auth(&engine, with_key("k1"));
    lost.ask("join", "lobby");
    for auth in [auth("Ann"), with_key("k2"), with_key("")] {
        assert_eq!(refusal(&engine, auth).unwrap().1, json!({ "code": "name-taken" }));
    }
    lost.poll();
    assert!(lost.socket.is_connected());
    let ann = Guest::with_auth(&engine, with_key("k1"));
    lost.poll();
    assert!(!lost.socket.is_connected());
    assert_eq!(ann.ask("join", "lobby")["members"].as_array().unwrap().len(), 1);

    let _bob = Guest::new(&engine, "Bob");
    assert_eq!(
        refusal(&engine, auth("Bob")).unwrap().1,
        json!({ "code": "name-taken" }),
        "no keys are not the same"
    );
}

#[test]
fn what_is_said_is_heard_by_the_others_in_the_room() {
    let engine = chat();
    let [ann, bob, eve] = ["Ann", "Bob", "Eve"].map(|name| Guest::new(&engine, name));
    ann.ask("join", "lobby");
    bob.ask("join", "lobby");
    eve.ask("join", "attic");
    assert_eq!(
        ann.ask("say", json!({ "room": "lobby", "text": "hi <b>" })),
        json!({ "room": "lobby", "count": 1 })
    );
    assert_eq!(bob.got("said"), [json!({ "room": "lobby", "from": "Ann", "text": "hi <b>" })]);
    assert!(ann.got("said").is_empty() && eve.got("said").is_empty());
    assert_eq!(eve.code("say", json!({ "room": "lobby", "text": "hi" })), "not-a-member");

    bob.socket.emit("typing", "lobby").unwrap();
    eve.socket.emit("typing", "lobby").unwrap();
    assert_eq!(ann.got("typing"), [json!({ "room": "lobby", "from": "Bob" })]);

    assert_eq!(bob.ask("leave", "lobby"), json!({ "room": "lobby", "count": 1 }));
    ann.ask("say", json!({ "room": "lobby", "text": "anybody?" }));
    assert!(bob.got("said").is_empty());
}

#[test]
fn what_makes_no_sense_is_answered_with_an_error() {
    let engine = chat();
    let ann = Guest::new(&engine, "Ann");
    ann.ask("join", "lobby");
    for (event, data, code) in [
        ("join", json!(""), "bad-room"),
        ("join", json!("@ann"), "bad-room"),
        ("join", json!("*"), "bad-room"),
        ("join", json!("x".repeat(33)), "bad-room"),
        ("join", json!(5), "bad-request"),
        ("join", json!("lobby"), "already-joined"),
        ("leave", json!("attic"), "not-a-member"),
        ("leave", json!("*"), "bad-room"),
        ("who", json!("@ann"), "bad-room"),
        ("say", json!("lobby"), "bad-request"),
        ("say", json!({ "room": "lobby" }), "bad-request"),
        ("say", json!({ "room": "lobby", "text": " \n" }), "bad-text"),
        ("say", json!({ "room": "lobby", "text": "x".repeat(2001) }), "bad-text"),
        ("ask", json!({ "room": "lobby", "question": "", "seconds": 5 }), "bad-text"),
        ("ask", json!({ "room": "lobby", "question": "?", "seconds": 0 }), "bad-time"),
        ("ask", json!({ "room": "lobby", "question": "?", "seconds": 61 }), "bad-time"),
        ("ask", json!({ "room": "lobby", "question": "?", "seconds": -1 }), "bad-request"),
        ("ask", json!({ "room": "attic", "question": "?", "seconds": 5 }), "not-a-member"),
    ] {
        assert_eq!(ann.code(event, data.clone()), code, "{event} {data}");
    }
    assert_eq!(ann.ask("say", json!({ "room": "lobby", "text": "ü".repeat(2000) }))["count"], 0);
    assert!(ann.socket.is_connected());
}

#[test]
fn members_are_told_of_who_comes_and_goes() {
    let engine = chat();
    let [ann, bob] = ["Ann", "Bob"].map(|name| Guest::new(&engine, name));
    let joined = ann.ask("join", "lobby");
    assert_eq!((&joined["room"], &joined["members"][0]["name"]), (&json!("lobby"), &json!("Ann")));
    let joined = bob.ask("join", "lobby");
    let member = joined["members"][1].clone();
    assert_eq!(member["name"], "Bob");
    assert_eq!(ann.got("joined"), [json!({ "room": "lobby", "member": member })]);
    assert!(bob.got("joined").is_empty(), "it has the list");
    assert_eq!(bob.names("lobby"), ["Ann", "Bob"]);

    bob.ask("leave", "lobby");
    assert_eq!(ann.got("left"), [json!({ "room": "lobby", "id": member["id"] })]);
    bob.ask("join", "lobby");
    bob.socket.client().disconnect();
    assert_eq!(ann.got("left"), [json!({ "room": "lobby", "id": member["id"] })]);
    assert_eq!(ann.names("lobby"), ["Ann"]);
}

#[test]
fn all_are_told_of_all_rooms() {
    let engine = Engine::new();
    let chat = install(&engine);
    let ann = Guest::new(&engine, "Ann");
    assert_eq!(ann.got("rooms"), [json!([])]);
    ann.ask("join", "lobby");
    ann.ask("join", "attic");
    let bob = Guest::new(&engine, "Bob");
    assert_eq!(bob.got("rooms"), [json!([{ "room": "attic", "count": 1 }, { "room": "lobby", "count": 1 }])]);
    chat.tell_counts();
    bob.got("room");
    bob.ask("join", "lobby");
    assert_eq!(bob.got("room"), [json!(null); 0]);
    chat.tell_counts();
    chat.tell_counts();
    assert_eq!(bob.got("room"), [json!({ "room": "lobby", "count": 2 })]);
    ann.socket.disconnect();
    chat.tell_counts();
    let mut counts = bob.got("room");
    counts.sort_by_key(|count| count["room"].to_string());
    assert_eq!(counts, [json!({ "room": "attic", "count": 0 }), json!({ "room": "lobby", "count": 1 })]);
}

#[test]
fn a_question_is_decided_when_all_have_answered_or_the_time_is_over() {
    let engine = chat();
    let [ann, bob, eve] = ["Ann", "Bob", "Eve"].map(|name| Guest::new(&engine, name));
    for guest in [&ann, &bob, &eve] {
        guest.ask("join", "lobby");
    }
    bob.socket.on_with_ack("asked", |_, _: Payload, ack| drop(ack.send(&true))).unwrap();
    let question = json!({ "room": "lobby", "question": "lunch?", "seconds": 10 });
    let outcome = |yes, no, silent| json!({ "room": "lobby", "from": "Ann", "question": "lunch?", "yes": yes, "no": no, "silent": silent });

    let decided = ann.start("ask", question.clone());
    assert_eq!(
        eve.got("asked"),
        [json!({ "room": "lobby", "from": "Ann", "question": "lunch?", "seconds": 10 })]
    );
    bob.poll();
    assert_eq!(ann.code("ask", question.clone()), "already-asking");
    assert!(!decided.is_done());
    engine.tick(Duration::from_secs(10));
    ann.poll();
    assert_eq!(value(&decided.wait().unwrap()), outcome(1, 0, 1));
    assert_eq!(eve.got("outcome"), [outcome(1, 0, 1)]);

    eve.socket.on_with_ack("asked", |_, _: Payload, ack| drop(ack.send(&false))).unwrap();
    let decided = ann.start("ask", question.clone());
    for guest in [&bob, &eve, &ann] {
        guest.poll();
    }
    assert_eq!(value(&decided.wait().unwrap()), outcome(1, 1, 0));

    for guest in [&bob, &eve] {
        guest.socket.disconnect();
    }
    assert_eq!(ann.ask("ask", question), outcome(0, 0, 0));
}

#[test]
fn nobody_is_in_too_many_rooms() {
    let engine = chat();
    let ann = Guest::new(&engine, "Ann");
    for n in 0..32 {
        assert_eq!(ann.ask("join", format!("r{n}"))["members"].as_array().unwrap().len(), 1);
    }
    assert_eq!(ann.code("join", "one-more"), "too-many-rooms");
    ann.ask("leave", "r0");
    ann.ask("join", "one-more");

    let others: Vec<_> = (0..32).map(|n| Guest::new(&engine, &format!("guest{n}"))).collect();
    let rooms = others
        .iter()
        .enumerate()
        .flat_map(|(n, guest)| (0..32).map(move |room| (guest, format!("r{n}-{room}"))));
    let codes: Vec<_> = rooms.map(|(guest, room)| guest.ask("join", room)["code"].clone()).collect();
    assert_eq!(codes.iter().filter(|code| code.is_null()).count(), 1000 - 32);
    assert_eq!(codes.iter().filter(|code| *code == "too-many-rooms").count(), 32 * 32 - 968);
    assert!(others[31].ask("join", "one-more")["members"].is_array(), "one that there is");
}

/// Threads join and leave and go, and whoever stays knows exactly who is there.
#[test]
fn lists_are_exact_whoever_comes_and_goes_meanwhile() {
    let engine = chat();
    let watcher = Guest::new(&engine, "watcher");
    watcher.join_and_note("lobby");
    thread::scope(|scope| {
        for n in 0..3 {
            let engine = &engine;
            scope.spawn(move || {
                for _ in 0..60 {
                    let guest = Guest::new(engine, &format!("guest{n}"));
                    guest.join_and_note("lobby");
                    guest.ask("leave", "lobby");
                    guest.join_and_note("lobby");
                    let known = guest.members_as_told();
                    assert!((2..=4).contains(&known.len()), "{known:?}");
                }
            });
        }
    });
    let there: BTreeSet<_> =
        engine.of("/chat").unwrap().members("lobby").iter().map(SocketId::to_string).collect();
    assert_eq!((watcher.members_as_told(), there.len()), (there, 1));
}

impl Guest {
    /// Joins, and notes the answer among the events, where it came.
    fn join_and_note(&self, room: &str) {
        let note = self.note.clone();
        let (done, is_done) = channel();
        self.start("join", room.into()).on_done(move |list| {
            note.send(("list".to_owned(), value(&list.unwrap()))).unwrap();
            done.send(()).unwrap();
        });
        while is_done.try_recv().is_err() {
            assert!(self.socket.client().poll_timeout(Duration::from_secs(10)) > 0, "it is answered");
        }
    }

    fn members_as_told(&self) -> BTreeSet<String> {
        let id = |member: &Value| member["id"].as_str().unwrap().to_owned();
        let mut known = BTreeSet::new();
        self.poll();
        for (event, data) in self.events.try_iter() {
            match &*event {
                "list" => known = data["members"].as_array().unwrap().iter().map(id).collect(),
                "joined" => drop(known.insert(id(&data["member"]))),
                "left" => drop(known.remove(&id(&data))),
                _ => {}
            }
        }
        known
    }
}
