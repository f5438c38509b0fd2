//! What recordings are for: bug reports, spectators, tests.

use std::sync::Arc;
use std::time::Duration;

use roomcast::{
    Addressee, Client, DisconnectReason, Engine, Input, Payload, Recorder, Replay, Socket, Unrecorded,
};

use crate::record;
use crate::seen::{Seen, inputs, line, replay};

/// A chat of clients, with middlewares, handlers and answers.
#[test]
fn a_chat_is_delivered_again_without_its_handlers() {
    let engine = Engine::new();
    let recording = record(&engine);
    let chat = engine.of("/chat").unwrap();
    chat.middleware(|socket| match socket.auth().as_str() {
        Some("open sesame") => Ok(()),
        _ => Err("not authorized".into()),
    });
    chat.on_connect(|socket| {
        socket.join("lobby").unwrap();
        socket.to("lobby").emit("came", socket.id().to_string()).unwrap();
    });
    chat.on_disconnecting(|socket, _| _ = socket.to("lobby").emit("went", socket.id().to_string()));
    chat.on_with_ack("say", |socket: &Socket, words: Payload, ack| {
        socket.to("lobby").emit("said", words).unwrap();
        ack.send("told them").unwrap();
    })
    .unwrap();
    let seen = Seen::default();
    let names = ["open sesame", "open sesame", "let me in", "open sesame"];
    let clients: Vec<_> = names
        .map(|word| {
            let client = Client::new(&engine);
            let player = client.socket("/chat", word).unwrap();
            (client, player)
        })
        .into_iter()
        .collect();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    for (_, player) in &clients {
        let heard = Arc::clone(&heard);
        player.on_any(move |player, incoming| {
            heard
                .lock()
                .unwrap()
                .push((player.id().unwrap(), format!("{} {:?}", incoming.event(), incoming.payload())));
        });
    }
    let poll = || clients.iter().for_each(|(client, _)| _ = client.poll());
    poll();
    for round in 0..5 {
        for (_, player) in &clients {
            let _ = player.emit_with_ack("say", round.to_string());
        }
        poll();
        engine.tick(Duration::from_secs(round));
    }
    clients[0].0.close();
    poll();
    let file = recording.finish().unwrap();
    let mut again = Vec::new();
    let mut replay = Replay::open(&file[..]).unwrap();
    replay
        .run(|socket, delivery| {
            seen.see(socket, delivery);
            // Answers are no events.
            if delivery.event() != "ack" {
                again.push((socket, format!("{} {:?}", delivery.event(), delivery.payload())));
            }
        })
        .unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard.len() > 30 && *heard == again, "{heard:#?} {again:#?}");
    let answers = seen.all().iter().filter(|(_, line)| line.contains("told them")).count();
    assert_eq!(answers, 15);
}

#[test]
fn a_spectator_sees_what_a_player_sees_at_a_pace_of_its_own() {
    let engine = Engine::new();
    let recording = Recorder::new().reads(false).start(&engine, Vec::new()).unwrap();
    let world = engine.of("/world").unwrap();
    let (player, mut inbox) = world.connect();
    player.join((1, 1)).unwrap();
    let mut seen = Vec::new();
    for tick in 1..=20 {
        world.to((1, 1)).emit("moved", tick.to_string()).unwrap();
        engine.tick(Duration::from_millis(16 * tick));
        inbox.drain(|delivery| seen.push(line(delivery)));
    }
    let id = player.id();
    drop(inbox);
    let file = recording.finish().unwrap();

    let mut replay = Replay::open(&file[..]).unwrap().ignore_reads();
    assert!(!replay.has_reads());
    let mut watched = Vec::new();
    for frame in 1..=10 {
        assert!(replay.run_to(Duration::from_millis(32 * frame), |_, _| unreachable!()).unwrap());
        replay.inbox(id).unwrap().drain(|delivery| watched.push(line(delivery)));
        assert_eq!(watched.len() as u64, 2 * frame);
    }
    assert_eq!(watched, seen);
    assert!(!replay.run_to(Duration::from_secs(9), |_, _| {}).unwrap());
    // Who is gone can still be read to the end.
    replay.inbox(id).unwrap().drain(|_| unreachable!());
    assert_eq!(replay.inbox(id).unwrap().closed(), Some(&DisconnectReason::InboxDropped));
}

#[test]
fn a_report_says_what_has_happened() {
    let engine = Engine::new();
    let recording = record(&engine);
    let world = engine.of("/world").unwrap();
    let (ann, mut inbox) = world.connect();
    let (bob, _bob_inbox) = world.connect();
    ann.join(["lobby", "hall"]).unwrap();
    bob.join("lobby").unwrap();
    bob.leave("lobby").unwrap();
    assert!(world.to("nobody").emit("lost", "!").unwrap().sequence().is_none());
    bob.to("lobby").except("hall").latest((3, 4)).emit("moved", "north").unwrap();
    world.to([ann.id(), bob.id()]).emit("direct", [1, 2]).unwrap();
    inbox.drain(|_| {});
    engine.tick(Duration::from_millis(16));
    bob.disconnect("enough");
    let file = recording.finish().unwrap();
    let said: Vec<_> = inputs(&file).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/world is made",
            "0v1 connects to /world",
            "0v1 is let in, as no. 1",
            "1v1 connects to /world",
            "1v1 is let in, as no. 2",
            "\"lobby\" of /world is made",
            "0v1 joins \"lobby\", as no. 3",
            "\"hall\" of /world is made",
            "0v1 joins \"hall\", as no. 4",
            "1v1 joins \"lobby\", as no. 5",
            "1v1 leaves \"lobby\"",
            "no. 7 of /world, from 1v1, to \"lobby\", but not to \"hall\" and 1v1, in place of (3, 4): moved \"north\"",
            "no. 10 of /world, to 0v1 and 1v1: direct b\"\\x01\\x02\"",
            "0v1 reads 1, all that there is",
            "it is 16ms",
            "1v1 is disconnected, as no. 11: enough",
        ]
    );
    let to_ann = |input: &Input| match input {
        Input::Emitted(emission) => emission.to.contains(&Addressee::Socket(ann.id())),
        _ => false,
    };
    assert_eq!(inputs(&file).iter().filter(|input| to_ann(input)).count(), 1);
}

#[derive(Debug, PartialEq)]
struct Place(u8, u8);

#[test]
fn values_are_what_the_user_makes_of_them() {
    let run = |recorder: Recorder| {
        let engine = Engine::new();
        let recording = recorder.start(&engine, Vec::new()).unwrap();
        let world = engine.of("/").unwrap();
        let (_socket, mut inbox) = world.connect();
        world.emit("place", Arc::new(Place(1, 2))).unwrap();
        world.emit("number", Payload::with_weight(Arc::new(7_u64), 1000)).unwrap();
        inbox.drain(|_| {});
        recording.finish().unwrap()
    };
    let place = |payload: &Payload| payload.downcast_ref::<Place>().map(|place| vec![place.0, place.1]);
    let file = run(Recorder::new().values(place));
    let mut payloads = Vec::new();
    let decode = |bytes: &[u8]| Some(Payload::from(Arc::new(Place(bytes[0], bytes[1]))));
    let mut again = Replay::open(&file[..]).unwrap().values(decode);
    again.run(|_, delivery| payloads.push(delivery.payload().clone())).unwrap();
    assert_eq!(payloads[0].downcast_ref(), Some(&Place(1, 2)));
    assert_eq!((payloads[1].downcast_ref(), payloads[1].len()), (Some(&Unrecorded::default()), 1000));

    let mut payloads = Vec::new();
    Replay::open(&file[..]).unwrap().run(|_, delivery| payloads.push(delivery.payload().clone())).unwrap();
    let bytes = payloads[0].downcast_ref::<Unrecorded>().and_then(|value| value.bytes.clone());
    assert_eq!((bytes.as_deref(), payloads[0].len()), (Some(&[1, 2][..]), 2));
    replay(&run(Recorder::new().values(|_| panic!("as it should"))));
}

#[test]
fn what_dropping_a_payload_does_is_recorded_too() {
    struct Talks(Socket);
    impl Drop for Talks {
        fn drop(&mut self) {
            drop(self.0.emit("dropped", "a payload"));
        }
    }
    let engine = Engine::new();
    let recording = record(&engine);
    let world = engine.of("/").unwrap();
    let (ann, mut inbox) = world.connect();
    ann.join("lobby").unwrap();
    let seen = Seen::default();
    for _ in 0..40 {
        world.to("lobby").emit("value", Arc::new(Talks(ann.clone()))).unwrap();
        crate::drain(&seen, &mut inbox);
    }
    assert!(seen.of(ann.id()).iter().any(|line| line.contains("dropped")));
    assert_eq!(replay(&recording.finish().unwrap()).all(), seen.all());
}
