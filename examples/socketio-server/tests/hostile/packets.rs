//! Packets of Engine.IO and Socket.IO that are wrong, over either transport.

use std::net::SocketAddr;

use super::common::PATIENCE;
use super::common::polling::Polling;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::{Ends, Outcome, PATIENT, Serves, attack};

/// Text that goes out, or binary.
#[derive(Clone, Copy, Debug)]
enum Packet {
    T(&'static str),
    B(&'static [u8]),
}

use Packet::{B, T};

const PLACEHOLDER: &str = r#"451-["message",{"_placeholder":true,"num":0}]"#;

/// A name, what is to come of it, and what is sent.
type Case = (&'static str, Outcome, &'static [Packet]);

/// From a client in the main namespace.
const CONNECTED: &[Case] = &[
    // Engine.IO
    ("engine: no such type", Ends, &[T("9")]),
    ("engine: not a type", Ends, &[T("abc")]),
    ("engine: nothing", Ends, &[T("")]),
    ("engine: control character", Ends, &[T("\u{0}")]),
    ("engine: beyond ascii", Ends, &[T("\u{1f980}")]),
    ("engine: a message of nothing", Ends, &[T("4")]),
    ("engine: a ping, which servers send", Ends, &[T("2")]),
    // Types and numbers
    ("no such type", Ends, &[T("47")]),
    ("a type beyond ascii", Ends, &[T("4\u{661}")]),
    ("an event of nothing", Ends, &[T("42")]),
    ("a connect error from a client", Ends, &[T(r#"44{"message":"no"}"#)]),
    ("connect twice", Ends, &[T("40")]),
    ("connect with a number", Ends, &[T("40/custom,[1]")]),
    ("connect with text", Ends, &[T(r#"40/custom,"x""#)]),
    ("disconnect with data", Ends, &[T(r#"41{"a":1}"#)]),
    ("event to a namespace not connected to", Ends, &[T(r#"42/custom,["message",1]"#)]),
    ("ack to a namespace not connected to", Ends, &[T("43/custom,1[]")]),
    ("disconnect from a namespace not connected to", Serves, &[T("41/custom,")]),
    // Payloads
    ("not json", Ends, &[T("42[oops")]),
    ("two payloads", Ends, &[T(r#"42["message",1]["message",2]"#)]),
    ("trailing comma", Ends, &[T(r#"42["message",1,]"#)]),
    ("not a number", Ends, &[T(r#"42["message",NaN]"#)]),
    ("bad escape", Ends, &[T(r#"42["message","\x"]"#)]),
    ("payload an object", Ends, &[T(r#"42{"message":1}"#)]),
    ("payload text", Ends, &[T(r#"42"message""#)]),
    ("payload null", Ends, &[T("42null")]),
    ("payload empty", Ends, &[T("42[]")]),
    ("event name null", Ends, &[T("42[null]")]),
    ("event name an object", Ends, &[T("42[{}]")]),
    ("event name a list", Ends, &[T(r#"42[["message"]]"#)]),
    ("event name true", Ends, &[T("42[true]")]),
    ("event name empty", Ends, &[T(r#"42[""]"#)]),
    ("reserved: connect", Ends, &[T(r#"42["connect"]"#)]),
    ("reserved: connect_error", Ends, &[T(r#"42["connect_error"]"#)]),
    ("reserved: disconnect", Ends, &[T(r#"42["disconnect"]"#)]),
    ("reserved: disconnecting", Ends, &[T(r#"42["disconnecting","me"]"#)]),
    ("reserved: newListener", Ends, &[T(r#"42["newListener"]"#)]),
    ("reserved: removeListener", Ends, &[T(r#"42["removeListener"]"#)]),
    ("an event nobody listens to", Serves, &[T(r#"42["nobody-listens",1]"#)]),
    ("names with a meaning elsewhere", Serves, &[T(r#"42["__proto__",{"__proto__":{"constructor":1}}]"#)]),
    // Acknowledgements
    ("negative ack id", Ends, &[T(r#"42-1["message"]"#)]),
    ("ack id not a number", Ends, &[T(r#"42x["message"]"#)]),
    ("ack without id", Ends, &[T("43[]")]),
    ("ack without payload", Ends, &[T("431")]),
    ("ack with an object", Ends, &[T("431{}")]),
    ("ack with a bad id", Ends, &[T("43abc[]")]),
    ("ack that nobody asked for", Serves, &[T("43999[1]")]),
    // Attachments
    ("binary out of nowhere", Ends, &[B(&[1, 2, 3])]),
    ("negative number of attachments", Ends, &[T(r#"45-1-["message"]"#)]),
    ("number of attachments not one", Ends, &[T(r#"45x-["message"]"#)]),
    ("number of attachments without end", Ends, &[T(r#"451["message",{"_placeholder":true,"num":0}]"#)]),
    ("a million attachments", Ends, &[T(r#"451000000-["message",{"_placeholder":true,"num":0}]"#)]),
    ("attachments beyond counting", Ends, &[T(r#"4599999999999999999999999-["message"]"#)]),
    ("text in place of an attachment", Ends, &[T(PLACEHOLDER), T(r#"42["message"]"#)]),
    ("one attachment too many", Ends, &[T(PLACEHOLDER), B(&[1]), B(&[2])]),
    ("placeholder out of range", Ends, &[T(r#"451-["message",{"_placeholder":true,"num":1}]"#), B(&[1])]),
    ("placeholder negative", Ends, &[T(r#"451-["message",{"_placeholder":true,"num":-1}]"#), B(&[1])]),
    ("placeholder not a number", Ends, &[T(r#"451-["message",{"_placeholder":true,"num":"0"}]"#), B(&[1])]),
    ("placeholder without number", Ends, &[T(r#"451-["message",{"_placeholder":true}]"#), B(&[1])]),
    (
        "binary event with a reserved name",
        Ends,
        &[T(r#"451-["disconnect",{"_placeholder":true,"num":0}]"#), B(&[1])],
    ),
    ("binary ack with an object", Ends, &[T(r#"461-1{"_placeholder":true,"num":0}"#), B(&[1])]),
    ("binary ack that nobody asked for", Serves, &[T(r#"461-1[{"_placeholder":true,"num":0}]"#), B(&[1])]),
];

/// From a client that is in no namespace.
const UNCONNECTED: &[Case] = &[
    ("an event before connecting", Ends, &[T(r#"42["message",1]"#)]),
    ("an ack before connecting", Ends, &[T("431[]")]),
    ("a binary event before connecting", Ends, &[T(PLACEHOLDER), B(&[1])]),
    ("not a packet", Ends, &[T("4abc")]),
    ("bad json in the auth", Ends, &[T("40{oops")]),
    ("auth a list", Ends, &[T("40[1]")]),
    ("auth null", Ends, &[T("40null")]),
    ("auth text", Ends, &[T(r#"40"me""#)]),
    ("disconnect before connecting, then connect", Serves, &[T("41"), T("40")]),
    ("an unknown namespace, then a known one", Serves, &[T("40/nowhere,"), T("40")]),
];

#[test]
fn bad_packets_over_websocket() {
    attack(&PATIENT, |server| {
        let connected = CONNECTED.iter().map(|case| (case, WebSocket::connected(server.address(), PATIENCE)));
        let session = || WebSocket::session(server.address(), "/socket.io/", PATIENCE);
        let unconnected = UNCONNECTED.iter().map(|case| (case, session()));
        assert_as_expected(connected.chain(unconnected), over_websocket);
    });
}

#[test]
fn bad_packets_over_polling() {
    attack(&PATIENT, |server| {
        let connected = CONNECTED.iter().map(|case| (case, Polling::connected(server.address())));
        let unconnected =
            UNCONNECTED.iter().map(|case| (case, Polling::open(server.address(), "/socket.io/")));
        assert_as_expected(connected.chain(unconnected), over_polling);
    });
}

/// Tries all cases, and tells of all that come out otherwise.
fn assert_as_expected<'a, C>(
    cases: impl Iterator<Item = (&'a Case, C)>,
    send: impl Fn(C, &[Packet]) -> Outcome,
) {
    let wrong: Vec<_> = cases
        .filter_map(|((name, expected, packets), client)| {
            let outcome = send(client, packets);
            (outcome != *expected).then(|| format!("{name}: {outcome:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn deep_or_long_json() {
    let deep = format!(r#"42["message",{}1{}]"#, "[".repeat(50_000), "]".repeat(50_000));
    let long_name = format!(r#"42["{}"]"#, "n".repeat(100_000));
    let long_namespace = format!("40/{},", "n".repeat(100_000));
    let long_ack = format!(r#"42{}["message"]"#, "9".repeat(100_000));
    let placeholders = r#"{"_placeholder":true,"num":0},"#.repeat(5_000);
    let repeated = format!(r#"451-["message",{placeholders}1]"#);
    attack(&PATIENT, |server| {
        // JSON may be refused for its depth, or not; neither is to harm anybody.
        let (socket, _) = answer_to(server.address(), &deep);
        drop(socket);
        for packet in [&long_name, &long_namespace, &long_ack] {
            let (_, answer) = answer_to(server.address(), packet);
            assert_eq!(answer, Incoming::Closed, "{}", &packet[..10]);
        }
        // One attachment in five thousand places is small to send, and to be small to answer, or refused.
        let mut socket = WebSocket::connected(server.address(), PATIENCE);
        socket.send(&Frame::text(&repeated));
        socket.send(&Frame::binary(vec![7; 100_000]));
        match socket.next() {
            Incoming::Closed => {}
            Incoming::Text(answer) => assert!(answer.len() < 2 * repeated.len(), "{}", answer.len()),
            other => panic!("{other:?}"),
        }
    });
}

fn answer_to(address: SocketAddr, packet: &str) -> (WebSocket, Incoming) {
    let mut socket = WebSocket::connected(address, PATIENCE);
    socket.send(&Frame::text(packet));
    let answer = socket.next();
    (socket, answer)
}

const STILL_THERE: &str = r#"42["message","still there"]"#;
const STILL_HERE: &str = r#"42["message-back","still there"]"#;

fn over_websocket(mut socket: WebSocket, packets: &[Packet]) -> Outcome {
    for packet in packets.iter().chain([&T(STILL_THERE)]) {
        socket.send(&match *packet {
            T(text) => Frame::text(text),
            B(bytes) => Frame::binary(bytes),
        });
    }
    if socket.next_where(|packet| packet == STILL_HERE).is_some() { Serves } else { Ends }
}

fn over_polling(session: Polling, packets: &[Packet]) -> Outcome {
    let payload: Vec<_> = packets
        .iter()
        .map(|packet| match *packet {
            T(text) => text.to_owned(),
            B(bytes) => format!("b{}", base64(bytes)),
        })
        .collect();
    let response = session.post(payload.join("\u{1e}"));
    let taken = response.is_some_and(|response| response.status == 200);
    let still_taken = session.post(STILL_THERE).is_some_and(|response| response.status == 200);
    let serves = still_taken
        && loop {
            let Some(response) = session.get() else { break false };
            if response.status != 200 {
                break false;
            }
            if response.text().contains(STILL_HERE) {
                break true;
            }
        };
    assert!(taken || !serves, "a payload was refused, and the session goes on");
    if serves { Serves } else { Ends }
}

/// Attachments here are of up to three bytes, which is one group of four characters.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert!((1..=3).contains(&bytes.len()));
    let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(bytes.get(at).copied().unwrap_or(0)));
    let characters = (0..4).map(|at| char::from(ALPHABET[bits >> (18 - 6 * at) & 63]));
    format!("{:=<4}", characters.take(bytes.len() + 1).collect::<String>())
}
