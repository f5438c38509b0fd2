//! Encoding once: however many are sent a message, on whatever threads and transports, its codec is called once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use roomcast::{Codec, Engine, Message, Namespace, Outbox, Payload, ServerPacket};

use crate::common::{messages, watched};
use crate::rig::{Bell, Peer, connect};

/// Counts what it has encoded, and what of that is still there.
#[derive(Clone, Default)]
struct Counting {
    made: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

struct Frame {
    text: String,
    alive: Arc<AtomicUsize>,
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Counting {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Codec for Counting {
    type Encoded = Arc<Frame>;

    fn encode(&self, event: &str, payload: &Payload) -> Arc<Frame> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.alive.fetch_add(1, Ordering::SeqCst);
        let text = format!("{event}:{}", payload.as_str().unwrap_or("-"));
        Arc::new(Frame { text, alive: Arc::clone(&self.alive) })
    }
}

/// Another codec, of another kind of transport.
#[derive(Default)]
struct Lengths(AtomicUsize);

impl Codec for Lengths {
    type Encoded = usize;

    fn encode(&self, event: &str, payload: &Payload) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst);
        event.len() + payload.len()
    }
}

const MEMBERS: usize = 1_000;

fn members(count: usize) -> (Engine, Namespace, Vec<Peer>) {
    let engine = Engine::builder().backlog(messages(64)).build();
    let namespace = engine.of("/").unwrap();
    let peers = (0..count).map(|_| Peer::joined(&engine, (), &["/"], "room")).collect();
    (engine, namespace, peers)
}

/// What it is sent now, encoded; and the numbers of the answers that are wanted.
fn frames(outbox: &mut Outbox, codec: &Counting) -> (Vec<Arc<Frame>>, Vec<u64>) {
    let (mut frames, mut asked) = (Vec::new(), Vec::new());
    outbox.drain(|packet| {
        if let ServerPacket::Event { delivery, .. } = packet {
            frames.push(delivery.encoded(codec).into_owned());
            asked.extend(delivery.ack_id());
        }
    });
    (frames, asked)
}

#[test]
fn a_message_to_any_number_is_encoded_once() {
    type Emit = fn(&Namespace, &[Peer]);
    let emits: [(&str, Emit); 7] = [
        ("a room", |to, _| _ = to.to("room").emit("e", "x").unwrap()),
        ("all", |to, _| _ = to.emit("e", "x").unwrap()),
        ("a union", |to, _| _ = to.to(["room", "second", "third"]).emit("e", "x").unwrap()),
        ("a room but one", |_, peers| {
            peers[MEMBERS].socket("/").to("room").emit("e", "x").unwrap();
        }),
        ("a room and a socket", |to, peers| {
            to.to("room").to(peers[MEMBERS].socket("/").id()).emit("e", "x").unwrap();
        }),
        ("volatile", |to, _| _ = to.to("room").volatile().emit("e", "x").unwrap()),
        ("with answers", |to, _| drop(to.to("room").emit_with_ack("e", "x").unwrap())),
    ];
    let (engine, namespace, mut peers) = members(MEMBERS);
    peers.push(Peer::joined(&engine, (), &["/"], "room"));
    for peer in &peers[..MEMBERS / 2] {
        peer.socket("/").join(["second", "third"]).unwrap();
    }
    for (what, emit) in emits {
        let codec = Counting::default();
        emit(&namespace, &peers);
        let mut first = None;
        let mut asked = 0;
        for peer in &mut peers[..MEMBERS] {
            let (frames, ids) = frames(&mut peer.outbox, &codec);
            let [frame] = &frames[..] else { panic!("{what}: {} frames", frames.len()) };
            assert_eq!(frame.text, "e:x");
            assert!(Arc::ptr_eq(frame, first.get_or_insert_with(|| Arc::clone(frame))), "{what}");
            asked += ids.len();
        }
        assert_eq!((codec.made(), asked), (1, if what == "with answers" { MEMBERS } else { 0 }), "{what}");
        peers[MEMBERS].outbox.drain(|_| {});
    }
}

#[test]
fn what_is_direct_is_encoded_once_for_each() {
    let (_, _, mut peers) = members(10);
    let (codec, payload) = (Counting::default(), Payload::from("x"));
    for peer in &peers {
        peer.socket("/").emit("e", "x").unwrap();
        peer.socket("/").emit("e", &payload).unwrap();
    }
    peers.iter_mut().for_each(|peer| assert_eq!(frames(&mut peer.outbox, &codec).0.len(), 2));
    assert_eq!(codec.made(), 10 + 1, "one payload is one, however often it is emitted");
}

#[test]
fn threads_that_drain_at_once_share_one_encoding() {
    watched("four threads", || {
        let (_, namespace, mut peers) = members(MEMBERS);
        const ROUNDS: usize = 20;
        let (codec, barrier, mut made) = (Counting::default(), Barrier::new(5), Vec::new());
        thread::scope(|scope| {
            for part in peers.chunks_mut(MEMBERS / 4) {
                let (codec, barrier) = (&codec, &barrier);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        barrier.wait(); // it is emitted
                        let drained: usize =
                            part.iter_mut().map(|peer| frames(&mut peer.outbox, codec).0.len()).sum();
                        assert_eq!(drained, part.len());
                        barrier.wait();
                    }
                });
            }
            for _ in 0..ROUNDS {
                namespace.to("room").emit("e", "x").unwrap();
                barrier.wait();
                barrier.wait();
                made.push(codec.made());
            }
        });
        assert!(made.into_iter().eq(1..=ROUNDS));
    });
}

#[test]
fn two_kinds_of_transports_have_an_encoding_each() {
    let (engine, namespace, mut peers) = members(20);
    peers.extend((0..20).map(|_| Peer::joined(&engine, Arc::new(Bell::default()), &["/"], "room")));
    let (codec, lengths) = (Counting::default(), Lengths::default());
    namespace.to("room").emit("e", "xyz").unwrap();
    for (place, peer) in peers.iter_mut().enumerate() {
        if place % 2 == 0 {
            assert_eq!(frames(&mut peer.outbox, &codec).0[0].text, "e:xyz");
        } else {
            let mut length = 0;
            peer.outbox.drain(|packet| {
                if let ServerPacket::Event { delivery, .. } = packet {
                    length += *delivery.encoded(&lengths);
                }
            });
            assert_eq!(length, 4);
        }
    }
    assert_eq!((codec.made(), lengths.0.into_inner()), (1, 1));
}

#[test]
fn a_message_that_is_kept_keeps_its_encoding() {
    let (_, namespace, mut peers) = members(3);
    let codec = Counting::default();
    namespace.to("room").emit("e", "x").unwrap();
    let mut kept: Vec<Message> = Vec::new();
    let mut sent = Vec::new();
    for peer in &mut peers {
        peer.outbox.drain(|packet| {
            if let ServerPacket::Event { delivery, .. } = packet {
                // One is kept before it is encoded.
                kept.push(delivery.to_message());
                sent.push(delivery.encoded(&codec).into_owned());
                kept.push(delivery.to_message());
            }
        });
    }
    drop(peers);
    drop(namespace);
    assert_eq!((kept.len(), sent.len()), (6, 3));
    assert!(kept.iter().all(|message| Arc::ptr_eq(&message.encoded(&codec), &sent[0])));
    assert_eq!((codec.made(), codec.alive()), (1, 1));
    sent.clear();
    kept.truncate(1);
    assert_eq!(codec.alive(), 1);
    drop(kept);
    assert_eq!(codec.alive(), 0);
}

#[test]
fn events_that_carry_one_payload_are_encoded_apart() {
    let (_, namespace, mut peers) = members(5);
    let (codec, payload) = (Counting::default(), Payload::from("x"));
    for event in ["moved", "turned", "moved"] {
        namespace.to("room").emit(event, &payload).unwrap();
    }
    for peer in &mut peers {
        let (frames, _) = frames(&mut peer.outbox, &codec);
        let texts: Vec<_> = frames.iter().map(|frame| &*frame.text).collect();
        assert_eq!(texts, ["moved:x", "turned:x", "moved:x"]);
        assert!(Arc::ptr_eq(&frames[0], &frames[2]));
    }
    assert_eq!(codec.made(), 2);
}

#[test]
fn an_answer_has_an_encoding_and_what_is_not_asked_for_has_none() {
    let engine = Engine::new();
    let namespace = engine.of("/").unwrap();
    namespace.on_with_ack("ask", |_, _: Payload, ack: roomcast::AckSender| drop(ack.send("answer"))).unwrap();
    let mut peer = Peer::new(&engine, ());
    connect(&peer.connection, "/").unwrap();
    crate::rig::send(&peer.connection, "/", "ask", 7).unwrap();
    let codec = Counting::default();
    let mut seen = Vec::new();
    peer.outbox.drain(|packet| {
        if let ServerPacket::Ack { id, payload, .. } = packet {
            seen.push((id, payload.encoded("", &codec).text.clone()));
        }
    });
    assert_eq!((seen, codec.made()), (vec![(7, ":answer".to_owned())], 1));
    namespace.emit("e", "x").unwrap();
    peer.outbox.drain(|_| {});
    assert_eq!(codec.made(), 1);
}

#[test]
fn encodings_go_when_their_messages_are_read() {
    const LIMIT: usize = 64;
    let segment = messages(LIMIT).segment_messages();
    let (engine, namespace, mut peers) = members(10);
    let codec = Counting::default();
    let stalled = peers.pop().unwrap();
    let bound = |stalled: usize| LIMIT + segment * (1 + stalled);
    for n in 0..20 * LIMIT {
        namespace.to("room").emit("e", n.to_string()).unwrap();
        peers.iter_mut().for_each(|peer| _ = frames(&mut peer.outbox, &codec));
        assert_eq!(codec.made(), n + 1);
        assert!(codec.alive() <= bound(1), "{} are kept", codec.alive());
    }
    assert!(codec.alive() >= LIMIT, "one of them has not read");
    drop(stalled);
    peers.iter_mut().for_each(|peer| _ = frames(&mut peer.outbox, &codec));
    assert!(codec.alive() <= segment, "{} are kept for nobody", codec.alive());
    drop(peers);
    drop(namespace);
    assert!(engine.remove("/"));
    assert_eq!(codec.alive(), 0);
}
