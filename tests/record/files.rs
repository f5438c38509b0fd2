//! Files that are not whole, or were changed: told, at the right place, and no more than told.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use roomcast::{Engine, RecordError, Recorder, Replay, ReplayError};

use crate::program;
use crate::record;
use crate::seen::{inputs, replay_to};

/// A file of many small blocks.
fn file() -> Vec<u8> {
    let engine = program::engine();
    let recording = Recorder::new().block_bytes(100).start(&engine, Vec::new()).unwrap();
    program::run(&engine, 3, 120, true);
    recording.finish().unwrap()
}

#[test]
fn what_is_cut_off_is_good_up_to_there() {
    let file = file();
    let (all, ended) = replay_to(&file);
    assert!(ended.unwrap() > 100 && file.len() > 2000, "{} bytes", file.len());
    let all = all.all();
    let mut before = 0;
    for len in (0..file.len()).filter(|len| len % 3 == 0 || *len < 300 || *len + 300 > file.len()) {
        let (seen, ended) = replay_to(&file[..len]);
        let seen = seen.all();
        assert!(all.starts_with(&seen), "{len} bytes");
        assert!(seen.len() >= before, "{len} bytes have less in them than one less");
        before = seen.len();
        let Err(ReplayError::Truncated { at }) = ended else { panic!("{len} bytes: {ended:?}") };
        assert!(at <= len as u64 && len as u64 - at < 1000, "{len} bytes, cut off at {at}");
    }
}

#[test]
fn what_was_changed_is_noticed() {
    let file = file();
    let (all, _) = replay_to(&file);
    let all = all.all();
    for byte in (0..file.len()).filter(|byte| byte % 5 == 0 || *byte < 200) {
        let mut changed = file.clone();
        changed[byte] ^= 1 << (byte % 8);
        let (seen, ended) = replay_to(&changed);
        assert!(all.starts_with(&seen.all()), "byte {byte}");
        let is_told = match ended {
            Err(ReplayError::NoRecording) => byte < 15,
            Err(ReplayError::Version { .. }) => byte == 15,
            Err(ReplayError::Corrupt { at } | ReplayError::Truncated { at }) => at <= byte as u64,
            _ => false,
        };
        assert!(is_told, "byte {byte}");
    }
    for (bytes, what) in [(&b"something else, that is no recording"[..], "else"), (&[0; 100], "zeroes")] {
        assert!(matches!(Replay::open(bytes), Err(ReplayError::NoRecording)), "{what}");
    }
}

#[test]
fn blocks_that_are_left_out_or_moved_are_noticed() {
    let file = file();
    let mut places = vec![16];
    while let Some(head) = places.last().and_then(|&place| file.get(place..place + 4)) {
        let len = u32::from_le_bytes(head.try_into().unwrap()) as usize;
        places.push(places.last().unwrap() + 8 + len);
    }
    assert!(places.len() > 10 && *places.last().unwrap() == file.len());
    for block in 0..places.len() - 2 {
        let [from, to, end] = [places[block], places[block + 1], places[block + 2]];
        let without = [&file[..from], &file[to..]].concat();
        assert!(matches!(replay_to(&without).1, Err(ReplayError::Corrupt { at }) if at == from as u64));
        let moved = [&file[..from], &file[to..end], &file[from..to], &file[end..]].concat();
        assert!(matches!(replay_to(&moved).1, Err(ReplayError::Corrupt { at }) if at == from as u64));
    }
}

#[test]
fn a_length_that_is_not_there_costs_nothing() {
    let mut file = record(&Engine::new()).finish().unwrap();
    file.truncate(16);
    file.extend([0xff; 8]);
    file.extend([0; 100]);
    assert!(matches!(Replay::open(&file[..]), Err(ReplayError::Truncated { at: 16 })));
}

#[test]
fn only_a_new_engine_is_recorded_and_once() {
    let engine = Engine::new();
    engine.of("/chat").unwrap();
    assert_eq!(engine.record(Vec::new()).unwrap_err(), RecordError::NotNew);
    let engine = Engine::new();
    drop(engine.of("/").unwrap().connect());
    assert_eq!(engine.record(Vec::new()).unwrap_err(), RecordError::NotNew);
    let engine = Engine::new();
    engine.tick(std::time::Duration::from_secs(1));
    assert_eq!(engine.record(Vec::new()).unwrap_err(), RecordError::NotNew);
    let engine = Engine::new();
    let recording = record(&engine);
    assert_eq!(engine.record(Vec::new()).unwrap_err(), RecordError::Recorded);
    assert_eq!(inputs(&recording.finish().unwrap()), []);
    assert_eq!(engine.record(Vec::new()).unwrap_err(), RecordError::Recorded);
}

/// A writer that takes so many bytes, and then fails or panics.
#[derive(Clone)]
struct Small {
    taken: Arc<Mutex<Vec<u8>>>,
    limit: usize,
    panics: bool,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = self.taken.lock().unwrap();
        let left = self.limit - taken.len();
        if left == 0 {
            drop(taken);
            assert!(!self.panics, "no more");
            return Err(io::ErrorKind::StorageFull.into());
        }
        taken.extend(&bytes[..left.min(bytes.len())]);
        Ok(left.min(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_is_told_of_and_harms_nobody() {
    for panics in [false, true] {
        let engine = program::engine();
        let small = Small { taken: Arc::default(), limit: 4000, panics };
        let recording = Recorder::new().block_bytes(50).start(&engine, small.clone()).unwrap();
        let seen = program::run(&engine, 3, 400, true).all();
        assert!(recording.error().is_some() && recording.inputs() > 100);
        let Err(error) = recording.finish() else { panic!("it is told") };
        assert_eq!(error.kind(), if panics { io::ErrorKind::Other } else { io::ErrorKind::StorageFull });
        let (again, ended) = replay_to(&small.taken.lock().unwrap());
        let again = again.all();
        assert!(!again.is_empty() && seen.len() > again.len());
        assert!(matches!(ended, Err(ReplayError::Truncated { .. })));
    }
}

#[test]
fn a_recording_that_is_dropped_is_whole() {
    let small = Small { taken: Arc::default(), limit: usize::MAX, panics: false };
    let engine = program::engine();
    let recording = engine.record(small.clone()).unwrap();
    let seen = program::run(&engine, 5, 100, true).all();
    drop(recording);
    program::run(&engine, 6, 10, true);
    let (again, ended) = replay_to(&small.taken.lock().unwrap());
    assert!(ended.is_ok() && again.all() == seen);
}

/// A writer that uses the engine that it records.
struct Nosy(Engine, Vec<u8>);

impl Write for Nosy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.of("/").unwrap().emit("written", bytes.len().to_string()).unwrap();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_may_use_its_engine() {
    let engine = Engine::new();
    let recording = Recorder::new().block_bytes(0).start(&engine, Nosy(engine.clone(), Vec::new())).unwrap();
    let (socket, mut inbox) = engine.of("/").unwrap().connect();
    for _ in 0..10 {
        socket.emit("hello", "you").unwrap();
    }
    let mut written = 0;
    inbox.drain(|delivery| written += usize::from(delivery.event() == "written"));
    assert!(written > 10, "{written}");
    assert!(replay_to(&recording.finish().unwrap().1).1.is_ok());
}
