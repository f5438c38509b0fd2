//! Packets of Socket.IO, as clients send them to the example's server and as it sends them to clients.

use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::HeaderMap;
use regex::Regex;
use roomcast::{Engine, Incoming, Payload, Socket};
use serde_json::value::RawValue;
use socketio_server::engineio::{Batch, Flow, Inbound, Message, Opening, Outbound, Packet, Service};
use socketio_server::socketio::{Arguments, SocketIo};

use crate::choices::Choices;

/// Sends messages to a server, which sends each event back, and that to another server, which hears the same. What the
/// protocol's rules refuse is refused, and nothing else is refused for that.
pub fn frames(data: &[u8]) {
    let mut choices = Choices::new(data);
    let max_bytes = choices.one_of(&[1 << 20, 64]);
    if choices.flag() {
        emit(&mut choices);
    } else {
        receive(&messages(choices.rest()), max_bytes);
    }
}

/// A message, as both sides send it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Text(String),
    Binary(Bytes),
}

/// An event that a server has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    namespace: String,
    event: String,
    arguments: Vec<String>,
    attachments: Vec<Bytes>,
    wants_answer: bool,
}

/// A server and its only client.
struct Server {
    engine: Engine,
    events: Arc<Mutex<Vec<Event>>>,
    inbound: <SocketIo as Service>::Inbound,
    outbound: <SocketIo as Service>::Outbound,
}

/// Messages, one in a line. One that begins with `b` is of bytes.
fn messages(data: &[u8]) -> Vec<Sent> {
    let message = |line: &[u8]| match line.strip_prefix(b"b") {
        Some(bytes) => Sent::Binary(Bytes::copy_from_slice(bytes)),
        None => Sent::Text(String::from_utf8_lossy(line).into_owned()),
    };
    data.split(|&byte| byte == b'\n').map(message).collect()
}

fn receive(messages: &[Sent], max_bytes: usize) {
    let (mut server, mut mirror) = (Server::new(max_bytes), Server::new(usize::MAX));
    let mut rules = Rules { lacks: 0, bytes: 0, max_bytes };
    for message in messages {
        let received = server.receive(message);
        let is_refused = received.as_ref().is_err_and(|words| Rules::WORDS.contains(&&**words));
        assert_eq!(is_refused, !rules.allow(message), "{message:?}: {received:?}");
        if received.is_err() {
            return;
        }
        let answers = server.sent();
        if matches!(message, Sent::Text(text) if text.starts_with('1')) {
            mirror.receive(message).expect("the same was taken in before");
        }
        for answer in answers {
            // Refusals go to clients only.
            if !matches!(&answer, Sent::Text(text) if text.starts_with('4')) {
                mirror.receive(&answer).unwrap_or_else(|words| panic!("{words}: {answer:?}"));
            }
        }
        mirror.sent();
        let told = |server: &Server| std::mem::take(&mut *server.events.lock().expect("nobody panics"));
        let (heard, mirrored) = (told(&server), told(&mirror));
        let is_sent = |event: &Event| event.event != "gap"; // a name that only the engine sends
        let heard: Vec<_> = heard.into_iter().filter(is_sent).collect();
        let heard: Vec<_> = heard.into_iter().map(|event| Event { wants_answer: false, ..event }).collect();
        assert_eq!(mirrored, heard, "after {message:?}");
    }
}

/// What an engine emits is what a client's server hears.
fn emit(choices: &mut Choices<'_>) {
    let mut text = || String::from_utf8_lossy(choices.bytes()).into_owned();
    let (path, event, words) = (text(), text(), text());
    let attachments: Vec<_> = choices.list(2, |choices| Bytes::copy_from_slice(choices.bytes()));
    let is_json = serde_json::from_str::<&RawValue>(&words).is_ok();
    let payload = match choices.below(4) {
        0 => Payload::from(words),
        1 => Payload::from(attachments[0].to_vec()),
        2 if is_json => Payload::json(words),
        3 => match Arguments::new(&words, attachments) {
            Ok(arguments) => Payload::from(Arc::new(arguments)),
            Err(_) => return,
        },
        _ => return,
    };
    let (mut server, mut mirror) = (Server::new(usize::MAX), Server::new(usize::MAX));
    let Ok(namespace) = server.engine.of(&path) else { return };
    let connect = Sent::Text(format!("0{},", namespace.path()));
    server.receive(&connect).expect("a namespace that there is");
    mirror.receive(&connect).expect("a namespace that there is");
    server.sent();
    if namespace.emit(&event, payload.clone()).is_err() {
        return;
    }
    let sent = server.sent();
    sent.iter().for_each(|packet| mirror.receive(packet).unwrap_or_else(|words| panic!("{words}: {sent:?}")));
    let (arguments, attachments) = arguments(&payload);
    let namespace = namespace.path().to_owned();
    let expected = Event { namespace, event, arguments, attachments, wants_answer: false };
    assert_eq!(*mirror.events.lock().expect("nobody panics"), [expected], "{sent:?}");
}

impl Server {
    /// Has all namespaces, and sends each event back to where it came from, as its answer too.
    fn new(max_bytes: usize) -> Self {
        let engine = Engine::new();
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let echo = move |socket: &Socket, incoming: &Incoming| {
            let (arguments, attachments) = arguments(incoming.payload());
            heard.lock().expect("nobody panics").push(Event {
                namespace: socket.namespace().path().to_owned(),
                event: incoming.event().to_owned(),
                arguments,
                attachments,
                wants_answer: incoming.ack().is_wanted(),
            });
            // Neither goes to a client that has left, and a gap is only for the engine to tell.
            let _ = socket.emit(incoming.event(), incoming.payload().clone());
            let _ = incoming.ack().send(incoming.payload().clone());
        };
        engine.of("/").expect("the path is good").on_any(echo.clone());
        engine.of_pattern("/{*any}").expect("the pattern is good").on_any(echo);
        let service = SocketIo::new(engine.clone(), max_bytes);
        let address = ([127, 0, 0, 1], 0).into();
        let opening = Opening { address, query: Vec::new(), headers: HeaderMap::new() };
        let (inbound, outbound) = service.open(&opening);
        Self { engine, events, inbound, outbound }
    }

    /// Takes in a message, or returns why it does not.
    fn receive(&mut self, message: &Sent) -> Result<(), String> {
        let receiving = pin!(self.inbound.receive(match message {
            Sent::Text(text) => Message::Text(text),
            Sent::Binary(bytes) => Message::Binary(bytes.clone()),
        }));
        match receiving.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(received) => received.map_err(|refused| refused.0.into_owned()),
            Poll::Pending => panic!("there are too few messages to wait for anything"),
        }
    }

    /// What it sends.
    fn sent(&mut self) -> Vec<Sent> {
        let mut batch = Batch::new(usize::MAX);
        assert_eq!(self.outbound.pull(&mut batch), Flow::Open);
        let message = |packet: Packet| match packet {
            Packet::Binary(bytes) => Sent::Binary(bytes),
            text => Sent::Text(text.message_text().expect("it sends messages").to_owned()),
        };
        batch.take().into_iter().map(message).collect()
    }
}

/// What a payload is in a packet: arguments as JSON, and attachments. Texts in the one form that they are written in.
fn arguments(payload: &Payload) -> (Vec<String>, Vec<Bytes>) {
    let json = |text: &str| serde_json::to_string(text).expect("text is JSON");
    let in_one_form = |value: &str| {
        serde_json::from_str::<String>(value).map_or_else(|_| value.trim().to_owned(), |text| json(&text))
    };
    if let Some(arguments) = payload.downcast_ref::<Arguments>() {
        let values: Vec<&RawValue> = serde_json::from_str(arguments.json()).expect("it is an array");
        let values = values.iter().map(|value| in_one_form(value.get())).collect();
        return (values, arguments.attachments().to_vec());
    }
    if let Some(text) = payload.as_str() {
        (vec![json(text)], Vec::new())
    } else if let Some(text) = payload.as_json() {
        (vec![in_one_form(text)], Vec::new())
    } else {
        match payload.as_bytes() {
            Some(bytes) if !bytes.is_empty() => {
                (vec![r#"{"_placeholder":true,"num":0}"#.to_owned()], vec![Bytes::copy_from_slice(bytes)])
            }
            _ => (Vec::new(), Vec::new()),
        }
    }
}

/// The protocol's rules for what clients send, by its grammar.
struct Rules {
    /// How many attachments of the present packet are yet to come.
    lacks: usize,
    bytes: usize,
    max_bytes: usize,
}

impl Rules {
    /// What whoever breaks them is told.
    const WORDS: [&str; 8] = [
        "unknown packet type",
        "bad number of attachments",
        "bad acknowledgement id",
        "bad payload",
        "bad event name",
        "text in place of an attachment",
        "an attachment of no packet",
        "a packet with its attachments is too large",
    ];

    /// Names that clients do not send.
    const RESERVED: [&str; 6] =
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

    const MAX_ATTACHMENTS: usize = 256;

    fn allow(&mut self, message: &Sent) -> bool {
        match message {
            Sent::Binary(bytes) => {
                self.bytes += bytes.len();
                self.lacks > 0 && {
                    self.lacks -= 1;
                    self.bytes <= self.max_bytes
                }
            }
            Sent::Text(text) => {
                self.bytes = text.len();
                self.lacks == 0
                    && Self::attachments(text).is_some_and(|count| {
                        self.lacks = count;
                        count <= Self::MAX_ATTACHMENTS
                    })
            }
        }
    }

    /// How many attachments a packet has, if it is one.
    fn attachments(packet: &str) -> Option<usize> {
        static PACKET: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?s)\A([01235-6])(?:([0-9]+)-)?(/[^,]*,?)?([0-9]*)(.*)\z").expect("a good pattern")
        });
        let parts = PACKET.captures(packet)?;
        let (kind, count) = (&parts[1], parts.get(2));
        let (id, payload) = (&parts[4], &parts[5]);
        let array = || serde_json::from_str::<Vec<&RawValue>>(payload).ok();
        let is_good = match kind {
            "0" => id.is_empty() && (payload.is_empty() || is_object(payload)),
            "1" => id.is_empty() && payload.is_empty(),
            "2" | "5" => array().is_some_and(|array| array.first().is_some_and(|name| is_event(name))),
            _ => !id.is_empty() && array().is_some(),
        };
        let is_good = is_good && (id.is_empty() || id.parse::<u64>().is_ok());
        match (is_good, matches!(kind, "5" | "6"), count) {
            (true, true, Some(count)) => count.as_str().parse().ok(),
            (true, false, None) => Some(0),
            _ => None,
        }
    }
}

fn is_object(json: &str) -> bool {
    serde_json::from_str::<&RawValue>(json).is_ok_and(|json| json.get().starts_with('{'))
}

fn is_event(name: &RawValue) -> bool {
    serde_json::from_str::<String>(name.get()).is_ok_and(|name| !Rules::RESERVED.contains(&&*name))
}
