//! What people may not do in the chat.

use std::net::SocketAddr;
use std::time::Instant;

use super::common::PATIENCE;
use super::common::websocket::{Frame, Incoming, WebSocket};
use super::common::well_behaved::Mode;
use super::{PATIENT, attack_in};

/// Requests that are answered with an error, after which all goes on.
const REFUSED: &[(&str, &str)] = &[
    ("join nothing", r#"["join"]"#),
    ("join null", r#"["join",null]"#),
    ("join a number", r#"["join",1]"#),
    ("join an object", r#"["join",{"room":"den"}]"#),
    ("join a list", r#"["join",["den"]]"#),
    ("join two rooms", r#"["join","den","pit"]"#),
    ("join no name", r#"["join",""]"#),
    ("join a space", r#"["join"," "]"#),
    ("join a long name", r#"["join","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#),
    ("join with a zero byte", r#"["join","a\u0000b"]"#),
    ("join with a line break", r#"["join","a\nb"]"#),
    ("join with markup", r#"["join","<script>"]"#),
    ("join with a change of direction", r#"["join","a\u202eb"]"#),
    ("join somebody's own room", r#"["join","@ann"]"#),
    ("join the room of all", r#"["join","*"]"#),
    ("join twice", r#"["join","lobby"]"#),
    ("leave another room", r#"["leave","den"]"#),
    ("leave the room of all", r#"["leave","*"]"#),
    ("leave one's own room", r#"["leave","@mallory"]"#),
    ("say nothing", r#"["say"]"#),
    ("say text alone", r#"["say","hello"]"#),
    ("say it nowhere", r#"["say",{"text":"hello"}]"#),
    ("say it in another room", r#"["say",{"room":"den","text":"hello"}]"#),
    ("say it to all", r#"["say",{"room":"*","text":"hello"}]"#),
    ("say it to somebody's own room", r#"["say",{"room":"@ann","text":"hello"}]"#),
    ("say a number", r#"["say",{"room":"lobby","text":1}]"#),
    ("say an object", r#"["say",{"room":"lobby","text":{"toString":1}}]"#),
    ("say no word", r#"["say",{"room":"lobby","text":""}]"#),
    ("say a space", r#"["say",{"room":"lobby","text":" "}]"#),
    ("ask in another room", r#"["ask",{"room":"den","question":"well?","seconds":1}]"#),
    ("ask for ever", r#"["ask",{"room":"lobby","question":"well?","seconds":18446744073709551615}]"#),
    ("ask for less than no time", r#"["ask",{"room":"lobby","question":"well?","seconds":-1}]"#),
    ("ask nothing", r#"["ask",{"room":"lobby","question":"","seconds":1}]"#),
    ("who is nowhere", r#"["who",{}]"#),
];

const MALLORY: &str = r#"{"name":"mallory"}"#;

/// What a client may not say of itself.
const BAD_AUTH: &[&str] = &[
    "",
    "{}",
    r#"{"name":null}"#,
    r#"{"name":1}"#,
    r#"{"name":["mallory"]}"#,
    r#"{"name":{"length":3}}"#,
    r#"{"name":""}"#,
    r#"{"name":" "}"#,
    r#"{"name":"a b"}"#,
    r#"{"name":"<b>"}"#,
    r#"{"name":"a\u0000"}"#,
    r#"{"name":"a\u202eb"}"#,
    r#"{"name":"xxxxxxxxxxxxxxxxxxxxx"}"#,
    r#"{"name":"@ann"}"#,
    r#"{"nom":"mallory"}"#,
];

/// Signs in, or returns how that was refused.
fn sign_in(address: SocketAddr, auth: &str) -> Result<WebSocket, Incoming> {
    let mut socket = WebSocket::session(address, "/socket.io/", PATIENCE);
    socket.send(&Frame::text(format!("40/chat,{auth}")));
    match socket.next() {
        Incoming::Text(packet) if packet.starts_with("40/chat,{") => Ok(socket),
        refused => Err(refused),
    }
}

#[test]
fn requests_of_the_chat() {
    attack_in(Mode::Chat, &PATIENT, |server| {
        let mut socket = sign_in(server.address(), MALLORY).unwrap();
        socket.send(&Frame::text(r#"42/chat,0["join","lobby"]"#));
        socket.next_where(|packet| packet.starts_with("43/chat,0[")).unwrap();
        let long = format!(r#"["say",{{"room":"lobby","text":"{}"}}]"#, "x".repeat(2_001));
        let cases = REFUSED.iter().copied().chain([("say a lot", long.as_str())]);
        let mut wrong = Vec::new();
        for (id, (name, request)) in (1..).zip(cases) {
            socket.send(&Frame::text(format!("42/chat,{id}{request}")));
            let answer = socket.next_where(|packet| packet.starts_with("43/chat,")).expect(name);
            if !answer.starts_with(&format!(r#"43/chat,{id}[{{"error":"#)) {
                wrong.push(format!("{name}: {answer}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

#[test]
fn names_of_the_chat() {
    attack_in(Mode::Chat, &PATIENT, |server| {
        let mut taken = sign_in(server.address(), MALLORY).unwrap();
        for auth in BAD_AUTH.iter().chain([&MALLORY, &r#"{"name":"MALLORY"}"#]) {
            let answer = sign_in(server.address(), auth).unwrap_err();
            let is_refusal =
                |packet: &str| packet.starts_with(r#"44/chat,{"message":"#) && packet.contains("\"code\":");
            assert!(matches!(&answer, Incoming::Text(packet) if is_refusal(packet)), "{auth}: {answer:?}");
        }
        taken.send(&Frame::text("41/chat,"));
        // The other may be heard first.
        let start = Instant::now();
        while sign_in(server.address(), MALLORY).is_err() {
            assert!(start.elapsed() < PATIENCE, "a name that was given up is taken");
        }
    });
}

#[test]
fn rooms_without_end() {
    attack_in(Mode::Chat, &PATIENT, |server| {
        let mut socket = sign_in(server.address(), MALLORY).unwrap();
        let mut joined = 0;
        for id in 0..200 {
            socket.send(&Frame::text(format!(r#"42/chat,{id}["join","room-{id}"]"#)));
            let answer = socket.next_where(|packet| packet.starts_with(&format!("43/chat,{id}["))).unwrap();
            joined += usize::from(!answer.contains("\"error\":"));
        }
        assert!((1..200).contains(&joined), "{joined} rooms for one");
    });
}
