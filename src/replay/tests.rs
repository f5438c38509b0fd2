//! Recordings that nobody has made: each is told of at the input that makes no sense, or is different.

use super::*;
use crate::config::Backlog;
use crate::tape::sink::{Sink, Take};
use crate::tape::wire::{Body, Bytes, Id, Limits, MAGIC, Name, Named, Plain, Published, Read as Reading};

/// The number of all sockets of `/`.
const ROOT: u64 = 1;

fn socket(index: u64) -> Id {
    SocketId::from_bits(1 << 32 | index).expect("a generation above 0").into()
}

fn limits() -> Limits {
    Limits::from(&Backlog::new())
}

fn header() -> Vec<u8> {
    let header = Header {
        crate_version: "of a test".into(),
        backlog: limits(),
        membership_backlog: 64,
        remembered_ticks: 64,
        max_name_bytes: 64,
        root: ROOT,
        has_reads: true,
    };
    postcard::to_allocvec(&header).unwrap()
}

fn file(blocks: &[&[u8]]) -> Vec<u8> {
    let mut sink = Sink::new(Vec::new());
    sink.write(&MAGIC);
    blocks.iter().for_each(|block| sink.take(block));
    sink.writer
}

/// What replaying these inputs ends with.
fn replayed(inputs: &[Wire<'_>]) -> Result<(), String> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|wire| postcard::to_allocvec(wire).unwrap()).collect();
    let file = file(&[&header(), &inputs, &[]]);
    let mut replay = Replay::open(&file[..]).unwrap();
    let ended = replay.run(|_, _| {});
    // It stays over.
    assert!(!replay.run_to(Duration::MAX, |_, _| {}).unwrap());
    ended.map_err(|error| error.to_string())
}

fn published(rooms: &'static [u64], sequence: u64) -> Wire<'static> {
    Wire::Published(Published {
        namespace: ROOT,
        sequence,
        rooms: rooms.into(),
        sender: None,
        event: Named::Unlisted("e"),
        payload: Body::Plain(Plain::Bytes(Bytes(&[]))),
        more: None,
        leaves_out_sender: false,
    })
}

/// A socket that is let in, two rooms, one of them of another namespace, and what is to come then.
fn then(more: Vec<Wire<'static>>) -> Vec<Wire<'static>> {
    let room = |namespace, topic, name| Wire::Room {
        namespace,
        topic,
        name: Name::Text(name),
        backlog: limits(),
        is_aside: false,
    };
    let mut wires = vec![
        Wire::Connecting { namespace: ROOT, socket: socket(0) },
        Wire::Opened { socket: socket(0), since: 1 },
        Wire::Namespace { path: "/x", topic: 2 },
        room(ROOT, 3, "here"),
        room(2, 4, "there"),
    ];
    wires.extend(more);
    wires
}

#[test]
fn what_makes_no_sense_or_is_different_is_told() {
    let me = socket(0);
    let join = |topic, since| Wire::Joined { socket: me, topic, since, past: None };
    let leave = |topic| Wire::Left { socket: me, topic };
    let direct = |since| Wire::Direct { socket: me, topic: 5, since, backlog: limits() };
    let read =
        |handed, behind| Wire::Read(Reading { socket: me, start: Some(0), handed, behind, is_over: true });
    let room = || Wire::Room {
        namespace: ROOT,
        topic: 5,
        name: Name::Text("here"),
        backlog: limits(),
        is_aside: false,
    };
    let invalid = [
        ("an event has no name", vec![Wire::Event { number: 0, name: "" }]),
        ("a room is made that is there", vec![room()]),
        ("a room goes that is not there", vec![Wire::RoomGone { topic: 9 }]),
        ("there is no such room", vec![join(9, 2)]),
        ("there is no such socket", vec![Wire::InboxDropped { socket: me }, leave(3)]),
        ("what is sent to a socket alone begins twice", vec![direct(2), direct(3)]),
        ("a socket is let in twice", vec![Wire::Opened { socket: me, since: 2 }]),
        ("a socket joins a room of another namespace", vec![join(4, 2)]),
        ("a socket joins what is no room", vec![join(ROOT, 2)]),
        ("a socket leaves what is no room", vec![leave(ROOT)]),
        ("a message is for rooms of another namespace", vec![join(3, 2), published(&[3, 4], 3)]),
        ("a message is for a room twice", vec![join(3, 2), published(&[3, 3], 3)]),
    ];
    for (problem, wires) in invalid {
        let told = replayed(&then(wires)).unwrap_err();
        assert!(
            told.starts_with("input ") && told.ends_with(&format!("makes no sense: {problem}")),
            "{told}"
        );
    }
    let end = Wire::Disconnected { socket: me, at: 2, reason: crate::tape::wire::Reason::Server };
    let diverged = [
        (
            "a socket has the id 1v1 and not 7v1",
            vec![Wire::Connecting { namespace: ROOT, socket: socket(7) }],
        ),
        ("it is number 2 and not 5 of /", vec![published(&[ROOT], 5)]),
        ("it was there before", vec![join(3, 2), join(3, 3)]),
        ("it was not there", vec![leave(3)]),
        ("the socket is closed: disconnected by the server", vec![end, join(3, 3)]),
        ("nobody is there to get it", vec![published(&[3], 2)]),
        ("0v1 was handed 1 deliveries, and is 0", vec![read(1, 1)]),
        ("0v1 was handed 0 deliveries, and is more", vec![published(&[ROOT], 2), read(0, 0)]),
        ("0v1 is handed number 2 instead", vec![published(&[ROOT], 2), read(1, 7)]),
    ];
    for (problem, wires) in diverged {
        let told = replayed(&then(wires)).unwrap_err();
        assert!(told.starts_with("the replay is different from input "), "{told}");
        assert!(told.ends_with(problem), "{told}");
    }
}

#[test]
fn what_is_right_is_done() {
    // Nobody is left in a room that is gone: the message takes its place in the order, and that is all.
    let read = Reading { socket: socket(0), start: Some(0), handed: 1, behind: 1, is_over: true };
    let nobody = [Wire::RoomGone { topic: 3 }, published(&[3], 2)];
    let everyone = [published(&[ROOT], 3), Wire::Read(read)];
    replayed(&then(nobody.into_iter().chain(everyone).collect())).unwrap();
}

#[test]
fn blocks_that_hold_something_else_are_corrupt() {
    for blocks in [&[&[][..]][..], &[&[0xff; 3]]] {
        let at = MAGIC.len() as u64;
        let ended = Replay::open(&file(blocks)[..]).map(drop);
        assert!(matches!(ended, Err(ReplayError::Corrupt { at: here }) if here == at), "{ended:?}");
    }
    let file = file(&[&header(), &[0xff; 3], &[]]);
    let ended = Replay::open(&file[..]).unwrap().run(|_, _| {});
    assert!(matches!(ended, Err(ReplayError::Corrupt { .. })), "{ended:?}");
}
