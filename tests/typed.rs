//! Events with a type, and what they meet: names, handles, payloads made before, and each other.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use roomcast::{
    Client, DecodeError, EmitError, EncodeError, Engine, Event, EventError, EventHandle, FromPayload, Inbox,
    IntoPayload, Message, Namespace, Payload, SendError, Shared, Socket, Typed,
};

#[derive(Debug, PartialEq)]
struct Step {
    x: i32,
    y: i32,
}

const STEP: Event<Step> = Event::new("step");
const MAP: Event<Vec<u8>> = Event::new("map");
const PING: Event<()> = Event::new("ping");

fn connect() -> (Namespace, Socket, Inbox) {
    let namespace = Engine::new().of("/typed").unwrap();
    let (socket, inbox) = namespace.connect();
    (namespace, socket, inbox)
}

/// What the only delivery is, as it is borrowed and as it is kept.
fn only<R: PartialEq + std::fmt::Debug>(inbox: &mut Inbox, read: impl Fn(&Message) -> R) -> R {
    let messages: Vec<_> = inbox.iter().collect();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    read(message)
}

#[test]
fn every_emit_takes_one() {
    let (namespace, socket, mut inbox) = connect();
    let (other, _other_inbox) = namespace.connect();
    let room = namespace.room("room").unwrap();
    socket.join(&room).unwrap();
    let value = Arc::new(Step { x: 1, y: 2 });
    let step = &STEP;
    let sequences = [
        room.emit(STEP, Arc::clone(&value)),
        room.emit_from(&other, STEP, Arc::clone(&value)),
        socket.emit(STEP, Arc::clone(&value)),
        namespace.emit(STEP, Arc::clone(&value)),
        namespace.to(&room).emit(step, Arc::clone(&value)),
        other.broadcast().emit(STEP, Arc::clone(&value)),
    ]
    .map(|emitted| emitted.unwrap().sequence().unwrap());
    assert_eq!(sequences.into_iter().collect::<HashSet<_>>().len(), 6);
    assert_eq!(Arc::strong_count(&value), 7);
    let mut read = 0;
    inbox.drain(|delivery| {
        assert!(delivery.is(STEP) && delivery.is(step) && delivery.is("step") && !delivery.is(MAP));
        let Some(Ok(Shared(same))) = delivery.get_as(STEP) else { panic!("{delivery:?}") };
        let Ok(decoded @ Shared::<Step>(_)) = delivery.decode() else { panic!("{delivery:?}") };
        let Shared(again) = decoded.clone(); // whatever `Step` is
        assert!(Arc::ptr_eq(&same, &value) && Arc::ptr_eq(&again, &value));
        read += 1;
    });
    assert_eq!(read, 6);
}

#[test]
fn names_handles_and_types_are_one_event() {
    let (namespace, socket, mut inbox) = connect();
    let handle: EventHandle = namespace.event(STEP).unwrap();
    assert_eq!((handle.name(), STEP.name()), ("step", "step"));
    assert_eq!(handle, namespace.event("step").unwrap());
    assert_eq!(handle, namespace.event(&String::from("step")).unwrap());
    let elsewhere = Engine::new().of("/").unwrap().event(&handle).unwrap();
    assert_ne!(handle, elsewhere);
    assert_eq!(namespace.event(elsewhere).unwrap(), handle);

    let value = Arc::new(Step { x: 1, y: 2 });
    socket.emit(&handle, Arc::clone(&value)).unwrap();
    socket.emit("step", Arc::clone(&value)).unwrap();
    socket.emit("map", Arc::clone(&value)).unwrap();
    let read: Vec<_> = inbox
        .iter()
        .map(|message| {
            assert_eq!(message.is(&handle), message.is(STEP));
            assert_eq!(message.is(handle.clone()), message.is("step"));
            message.get_as(STEP).map(|step: Result<Shared<Step>, _>| step.unwrap().0)
        })
        .collect();
    assert_eq!(read, [Some(Arc::clone(&value)), Some(Arc::clone(&value)), None]);

    // A handle says nothing of the type.
    socket.emit(handle.clone(), "north").unwrap();
    inbox.drain(|delivery| {
        assert!(delivery.is(handle.clone()) && delivery.is(&handle) && !delivery.is(MAP));
        assert!(
            matches!(delivery.get_as::<Payload, _>(&handle), Some(Ok(text)) if text.as_str() == Some("north"))
        );
        assert!(delivery.get_as::<Shared<Step>, _>(STEP).is_some_and(|step| step.is_err()));
    });
}

#[test]
fn a_name_with_another_payload_is_an_error_to_whoever_reads() {
    let (_, socket, mut inbox) = connect();
    socket.emit("step", "north").unwrap();
    let (step, payload) = only(&mut inbox, |message| {
        (message.get_as::<Shared<Step>, _>(STEP), message.get_as::<Payload, _>(STEP).unwrap().unwrap().len())
    });
    let error = step.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the payload is text, and not an `Arc` of `typed::Step`");
    assert_eq!(payload, 5);

    socket.emit("step", Arc::new(1_u8)).unwrap();
    let step = only(&mut inbox, |message| message.get_as::<Shared<Step>, _>(STEP));
    assert!(step.unwrap().unwrap_err().to_string().starts_with("the payload is a value in memory, and not"));
}

#[test]
fn events_are_constants_whatever_their_type() {
    fn is_plain<T: Copy + Send + Sync + std::hash::Hash + Eq + 'static>(_: T) {}
    const LOCAL: Event<Rc<std::cell::RefCell<String>>> = Event::new("local");
    is_plain(LOCAL);
    assert_eq!((format!("{LOCAL:?}"), format!("{LOCAL}")), ("Event(\"local\")".into(), "local".into()));
    static SHARED: Event<Step> = Event::new("step");
    assert_eq!(SHARED, STEP);
    assert_ne!(SHARED, Event::new("other"));
    let known = HashSet::from([STEP, Event::new("other")]);
    assert!(known.contains(&SHARED) && !known.contains(&Event::new("third")));
    assert_eq!([STEP].to_vec(), [SHARED]);
}

#[test]
fn bad_names_are_told_by_the_first_emit() {
    let (namespace, socket, _inbox) = connect();
    const RESERVED: Event<()> = Event::new("disconnect");
    let error = Err(EventError::Reserved("disconnect".into()));
    assert_eq!(namespace.event(RESERVED), error);
    assert_eq!(socket.emit(RESERVED, ()), Err(EmitError::Event(EventError::Reserved("disconnect".into()))));
    assert_eq!(namespace.event(Event::<()>::new("")), Err(EventError::Empty));
}

#[test]
fn an_event_that_a_full_table_has_no_number_for() {
    let engine = Engine::builder().event_names(0).unwrap().build();
    let (socket, mut inbox) = engine.of("/").unwrap().connect();
    socket.emit(PING, ()).unwrap();
    inbox.drain(|delivery| {
        assert!(delivery.is(PING) && !delivery.is(STEP));
        assert_eq!(delivery.get(PING), Some(Ok(())));
        assert_eq!(delivery.to_message().get(PING), Some(Ok(())));
    });
}

#[test]
fn nothing_is_what_is_empty_with_serde_and_without() {
    for (payload, is_nothing) in [
        (Payload::from(()), true),
        (Payload::from([]), true),
        (Payload::from(Arc::<[u8]>::from([])), true),
        (Payload::json("null"), true),
        (Payload::json(" null\n"), true),
        (Payload::json(""), false),
        (Payload::json("0"), false),
        (Payload::json("\u{a0}null"), false),
        (Payload::from(""), false),
        (Payload::from("null"), false),
        (Payload::from([0]), false),
        (Payload::from(Arc::new(())), false),
    ] {
        assert_eq!(payload.decode::<()>().is_ok(), is_nothing, "{payload:?}");
        assert_eq!(<() as FromPayload<Typed<()>>>::from_payload(&payload).is_ok(), is_nothing, "{payload:?}");
    }
}

/// Neither `Serialize` nor `Deserialize`.
#[derive(Debug, PartialEq)]
struct Angle(f32);

const TURN: Event<Angle> = Event::new("turn");

impl IntoPayload for Angle {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        match self.0.is_finite() {
            true => Ok(self.0.to_le_bytes().into()),
            false => Err(EncodeError::new("not finite")),
        }
    }
}

impl IntoPayload<Typed<Self>> for Angle {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        IntoPayload::<roomcast::Untyped>::into_payload(self)
    }
}

impl IntoPayload<Typed<Angle>> for &Angle {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        IntoPayload::<roomcast::Untyped>::into_payload(Angle(self.0))
    }
}

impl FromPayload for Angle {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        let bytes = payload.as_bytes().and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| Self(f32::from_le_bytes(bytes))).ok_or_else(|| DecodeError::new("not four bytes"))
    }
}

impl FromPayload<Typed<Self>> for Angle {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        payload.decode()
    }
}

#[test]
fn types_of_ones_own() {
    let (_, socket, mut inbox) = connect();
    socket.emit(TURN, Angle(0.5)).unwrap();
    assert_eq!(only(&mut inbox, |message| message.get(TURN)), Some(Ok(Angle(0.5))));
    let angle = Angle(1.5);
    socket.emit(TURN, &angle).unwrap();
    assert_eq!(only(&mut inbox, |message| message.decode()), Ok(angle));
    socket.emit("turn", Angle(0.5)).unwrap();
    assert_eq!(only(&mut inbox, |message| message.get_as::<Angle, _>("turn")), Some(Ok(Angle(0.5))));
    socket.emit("turn", "north").unwrap();
    let error = only(&mut inbox, |message| message.get(TURN)).unwrap().unwrap_err();
    assert_eq!(error, DecodeError::new("not four bytes"));
}

#[test]
fn nothing_is_emitted_if_it_cannot_be_encoded() {
    for names in [0, 100] {
        let engine = Engine::builder().event_names(names).unwrap().build();
        let namespace = engine.of("/typed").unwrap();
        let (socket, mut inbox) = namespace.connect();
        let (other, _other_inbox) = namespace.connect();
        let room = namespace.room("room").unwrap();
        socket.join(&room).unwrap();
        let turn = namespace.event("turn").unwrap();
        let bad = || Angle(f32::NAN);
        for emitted in [
            room.emit(TURN, bad()),
            room.emit(&turn, bad()),
            room.emit("turn", bad()),
            room.emit_from(&other, TURN, bad()),
            socket.emit(TURN, bad()),
            namespace.emit(TURN, bad()),
            namespace.to(["room", "second"]).emit(TURN, bad()),
            other.to("room").emit(TURN, bad()),
        ] {
            let error = emitted.unwrap_err();
            assert_eq!(error, EmitError::Encode(EncodeError::new("not finite")));
            assert_eq!(error.to_string(), "not finite");
        }
        assert_eq!((inbox.drain(|_| {}), room.retained()), (0, 0));
    }
    let client = Client::new(&Engine::new());
    let socket = client.socket("/", ()).unwrap();
    assert_eq!(socket.emit(TURN, Angle(f32::NAN)), Err(SendError::Encode(EncodeError::new("not finite"))));
    assert_eq!(socket.waiting(), 0);
}

/// What compiles without the feature `serde` does the same with it.
#[test]
fn payloads_are_the_same_with_serde_and_without() {
    let (_, socket, mut inbox) = connect();
    let text = String::from("text");
    let many = vec![1, 2, 3];
    socket.emit("text", "text").unwrap();
    socket.emit("text", &text).unwrap();
    socket.emit("text", text.clone()).unwrap();
    socket.emit("text", Arc::<str>::from("text")).unwrap();
    socket.emit("text", &Payload::from("text")).unwrap();
    socket.emit("bytes", [1, 2, 3]).unwrap(); // a literal is of bytes
    socket.emit("bytes", &[1, 2, 3][..]).unwrap();
    socket.emit("bytes", &many[..]).unwrap();
    socket.emit("bytes", many.clone()).unwrap();
    socket.emit("bytes", vec![1, 2, 3]).unwrap();
    socket.emit("bytes", Arc::<[u8]>::from(many)).unwrap();
    socket.emit("long", [7; 100]).unwrap();
    socket.emit("empty", ()).unwrap();
    socket.emit("empty", []).unwrap();
    socket.emit("empty", vec![]).unwrap();
    let mut count = 0;
    inbox.drain(|delivery| {
        let payload = delivery.payload();
        assert_eq!(payload.as_json(), None);
        match delivery.event() {
            "text" => assert_eq!(payload.as_str(), Some("text")),
            "bytes" => assert_eq!((payload.as_str(), payload.as_bytes()), (None, Some(&[1, 2, 3][..]))),
            "long" => assert_eq!(payload.as_bytes(), Some(&[7; 100][..])),
            _ => assert_eq!((payload.as_str(), payload.as_bytes()), (None, Some(&[][..]))),
        }
        count += 1;
    });
    assert_eq!(count, 15);
}

#[cfg(feature = "serde")]
mod encoded {
    use std::collections::BTreeMap;
    use std::fmt;

    use serde::de::Visitor;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Move {
        dx: i32,
        dy: i32,
    }

    const MOVE: Event<Move> = Event::new("move");
    const SAID: Event<String> = Event::new("said");
    const NORTH: Move = Move { dx: 0, dy: -1 };

    #[test]
    fn there_and_back() {
        let (_, socket, mut inbox) = connect();
        socket.emit(MOVE, &NORTH).unwrap();
        inbox.drain(|delivery| {
            assert_eq!(delivery.payload().as_json(), Some(r#"{"dx":0,"dy":-1}"#));
            if let Some(step) = delivery.get(MOVE) {
                assert_eq!(step.unwrap().dy, -1); // the type is known
            }
            assert!(delivery.get(SAID).is_none());
            assert_eq!(delivery.get_as("move"), Some(Ok(NORTH)));
            assert_eq!(delivery.decode(), Ok(NORTH));
            assert_eq!(delivery.decode::<BTreeMap<String, i32>>().unwrap()["dx"], 0);
        });
        socket.emit("move", &NORTH).unwrap();
        assert_eq!(only(&mut inbox, |message| message.get(MOVE)), Some(Ok(NORTH)));
        socket.emit("move", &Payload::json(r#"{"dx":0,"dy":-1}"#)).unwrap();
        assert_eq!(only(&mut inbox, |message| message.get(MOVE)), Some(Ok(NORTH)));
    }

    #[test]
    fn text_and_bytes_are_the_same_with_a_type_and_without() {
        let (_, socket, mut inbox) = connect();
        let hello = "hello".to_owned();
        socket.emit(SAID, &hello).unwrap();
        assert_eq!(
            only(&mut inbox, |message| message.payload().as_str().map(str::to_owned)).unwrap(),
            "hello"
        );
        socket.emit("said", "hello").unwrap();
        assert_eq!(only(&mut inbox, |message| message.get(SAID)).unwrap().unwrap(), "hello");
        for map in [vec![], vec![1, 2]] {
            socket.emit(MAP, &map).unwrap();
            assert_eq!(only(&mut inbox, |message| message.get(MAP)), Some(Ok(map.clone())));
            socket.emit("map", &map[..]).unwrap();
            assert_eq!(only(&mut inbox, |message| message.get(MAP)), Some(Ok(map.clone())));
            socket.emit("map", &map).unwrap();
            assert_eq!(only(&mut inbox, |message| message.get(MAP)), Some(Ok(map)));
        }
        socket.emit("bytes", b"\xff").unwrap();
        assert_eq!(only(&mut inbox, |message| message.payload().as_bytes().unwrap().to_owned()), b"\xff");
    }

    #[test]
    fn a_value_in_memory_is_read_as_one() {
        let (_, socket, mut inbox) = connect();
        socket.emit(MOVE, Arc::new(NORTH)).unwrap();
        inbox.drain(|delivery| {
            let error = delivery.get(MOVE).unwrap().unwrap_err();
            assert_eq!(error.to_string(), "the payload is a value in memory: take `Shared<T>`");
            let Some(Ok(Shared(step))) = delivery.get_as(MOVE) else { panic!("{delivery:?}") };
            assert_eq!(*step, NORTH);
        });
        socket.emit(MOVE, &NORTH).unwrap();
        let error = only(&mut inbox, |message| message.get_as::<Shared<_>, _>(MOVE)).unwrap().unwrap_err();
        assert!(error.to_string().starts_with("the payload is JSON, and not"));
    }

    /// Asks for bytes, as types do that hold many.
    #[derive(Debug, PartialEq)]
    struct Blob(Vec<u8>);

    impl<'de> Deserialize<'de> for Blob {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Blob;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                    Ok(Blob(bytes.to_vec()))
                }
            }
            deserializer.deserialize_byte_buf(Bytes)
        }
    }

    #[test]
    fn bytes_are_read_as_a_whole_by_those_who_ask_for_them() {
        assert_eq!(Payload::from(*b"\xff\x00").decode(), Ok(Blob(vec![255, 0])));
        assert_eq!(Payload::default().decode(), Ok(Blob(vec![])));
        assert_eq!(Payload::json("\"ab\"").decode(), Ok(Blob(b"ab".to_vec()))); // as `serde_json` has it
        let error = Payload::from("ab").decode::<Blob>().unwrap_err();
        assert_eq!(error.to_string(), r#"invalid type: string "ab", expected bytes"#);
    }

    #[test]
    fn what_fails_to_encode_is_not_emitted() {
        let (namespace, socket, mut inbox) = connect();
        let map = BTreeMap::from([([1, 2], 3)]);
        const BAD: Event<BTreeMap<[i32; 2], i32>> = Event::new("bad");
        for emitted in [socket.emit(BAD, &map), namespace.emit("bad", &map)] {
            assert!(matches!(emitted, Err(EmitError::Encode(_))), "{emitted:?}");
        }
        assert_eq!(inbox.drain(|_| {}), 0);
    }

    #[test]
    fn encoding_may_use_the_engine() {
        struct Nosy(Socket, Namespace);
        impl Serialize for Nosy {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.join("room").unwrap();
                self.1.to("room").emit("nosy", "inner").unwrap();
                serializer.serialize_str("outer")
            }
        }
        let (namespace, socket, mut inbox) = connect();
        let room = namespace.room("room").unwrap();
        room.emit("nosy", &Nosy(socket, namespace)).unwrap();
        let mut texts = Vec::new();
        inbox.drain(|delivery| texts.push(delivery.decode::<String>().unwrap()));
        assert_eq!(texts, ["inner", "outer"]);
    }
}

#[test]
fn strings_and_bytes_are_read_with_the_feature_and_without() {
    const SAID: Event<String> = Event::new("said");
    const FRAME: Event<Vec<u8>> = Event::new("frame");
    let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
    socket.emit(SAID, "one").unwrap();
    socket.emit(SAID, "two".to_owned()).unwrap();
    socket.emit("said", "").unwrap();
    socket.emit(FRAME, &b"\xff\x00"[..]).unwrap();
    socket.emit(FRAME, vec![7]).unwrap();
    let (mut said, mut frames) = (Vec::new(), Vec::new());
    inbox.drain(|delivery| {
        said.extend(delivery.get(SAID).map(Result::unwrap));
        frames.extend(delivery.get(FRAME).map(Result::unwrap));
    });
    assert_eq!(
        (said, frames),
        (vec!["one".into(), "two".into(), String::new()], vec![vec![255, 0], vec![7]])
    );

    assert!(Payload::from(*b"bytes").decode::<String>().is_err());
    assert!(Payload::from("text").decode::<Vec<u8>>().is_err());
    assert!(Payload::from(std::sync::Arc::new(7)).decode::<String>().is_err());
    assert_eq!(Payload::from(&b""[..]).decode::<Vec<u8>>().ok(), Some(vec![]));
    assert!(Payload::default().decode::<String>().is_err());
}
