//! What recordings, replays, inputs and errors say.

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use roomcast::{
    Addressee, Backlog, Engine, History, Input, Presence, RecordError, Recorder, Replay, ReplayError,
};

use crate::record;
use crate::seen::inputs;

#[test]
fn each_input_is_a_line() {
    let engine = Engine::new();
    let recording = record(&engine);
    let world = engine.of("/world").unwrap();
    let (ann, mut inbox) = world.connect();
    let lobby = world.room("lobby").unwrap();
    lobby.set_backlog(Backlog::new().messages(8).unwrap().bytes(4096).unwrap());
    lobby.set_history(History::new().messages(2).unwrap().bytes(512).unwrap());
    lobby.set_history(None);
    let presence = Presence::new(&lobby);
    presence.watch(&ann).unwrap();
    presence.unwatch(&ann);
    let (room, event) = (world.room("hall").unwrap(), world.event("known").unwrap());
    ann.join(&room).unwrap();
    room.emit(&event, "said").unwrap();
    world.emit("to all", ()).unwrap();
    inbox.on_wake(|| {});
    ann.leave(&room).unwrap();
    drop(room);
    drop(inbox);
    engine.remove("/world");
    let said = inputs(&recording.finish().unwrap());
    let lines: Vec<_> = said.iter().map(ToString::to_string).collect();
    for line in [
        "\"lobby\" of /world keeps 8 unread messages, 4096 bytes",
        "\"lobby\" of /world has a history of 2 messages, 512 bytes",
        "\"lobby\" of /world has no history",
        "0v1 waits to be woken",
        "\"hall\" of /world is gone",
        "0v1 has no inbox any more",
        "/world is removed",
    ] {
        assert!(lines.iter().any(|other| other == line), "{line} in {lines:#?}");
    }
    for (part, times) in [
        ("joins who watches \"lobby\"", 1),
        ("leaves who watches \"lobby\"", 1),
        (", to everyone: to all", 1),
        (", to \"hall\": known", 1),
    ] {
        assert_eq!(lines.iter().filter(|line| line.contains(part)).count(), times, "{part} in {lines:#?}");
    }
    let to_hall = |input: &&Input| matches!(input, Input::Emitted(emission) if emission.is_to("hall"));
    assert_eq!(said.iter().filter(to_hall).count(), 1);
    assert_eq!(Addressee::Everyone.to_string(), "everyone");
}

#[test]
fn a_recording_says_how_much_it_is() {
    let engine = Engine::new();
    let recording = Recorder::default().start(&engine, Vec::new()).unwrap();
    let before = recording.bytes();
    engine.tick(Duration::from_millis(1));
    let world = engine.of("/world").unwrap();
    drop(world.connect());
    let unwritten = recording.bytes();
    recording.flush();
    assert!(before > 0 && recording.bytes() > unwritten);
    let bytes = recording.bytes();
    assert_eq!(
        format!("{recording:?}"),
        format!("Recording {{ inputs: {}, bytes: {bytes}, error: None }}", recording.inputs())
    );
    assert_eq!(
        format!("{:?}", Recorder::new().block_bytes(7).reads(false)),
        "Recorder { reads: false, block_bytes: 7, .. }"
    );
    let file = recording.finish().unwrap();
    let replay = Replay::open(&file[..]).unwrap();
    assert_eq!(format!("{replay:?}"), "Replay { inputs: 0, stage: Stage { sockets: 0, .. }, .. }");
}

/// Is interrupted once, and fails after so many bytes.
struct Frail<'a>(&'a [u8], bool);

impl Read for Frail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.1, true) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is full of sand")),
            bytes => Ok(bytes),
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let engine = Engine::new();
    let recording = record(&engine);
    let again = engine.record(Vec::new()).unwrap_err();
    assert_eq!((again.to_string(), again), ("the engine is recorded, or was".into(), RecordError::Recorded));
    assert_eq!(RecordError::NotNew.to_string(), "the engine is not new");
    let file = recording.finish().unwrap();

    let failed = Replay::open(Frail(&file[..file.len() - 1], false)).unwrap().run(|_, _| {}).unwrap_err();
    assert_eq!(failed.to_string(), "the recording cannot be read: the disk is full of sand");
    assert!(failed.source().is_some());
    let mut newer = file.clone();
    newer[15] = 9;
    let mut changed = file.clone();
    *changed.last_mut().unwrap() ^= 1;
    let end = file.len() - 8;
    for (file, text) in [
        (&b"a letter, and no recording"[..], "this is no recording".to_owned()),
        (&newer, "the recording has format 9, and not 1".to_owned()),
        (&file[..end + 3], format!("the recording is cut off in the block at byte {end}")),
        (&changed, format!("the recording was changed in the block at byte {end}")),
    ] {
        let error: ReplayError = match Replay::open(file) {
            Ok(mut replay) => replay.run(|_, _| {}).unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_none());
    }
    let (input, what) = (7, "it is another");
    for (error, text) in [
        (ReplayError::Invalid { input, problem: what.into() }, "input 7 makes no sense: it is another"),
        (
            ReplayError::Diverged { input, what: what.into() },
            "the replay is different from input 7 on: it is another",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
