//! What went into the engine, recorded, and done again.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use roomcast::{Engine, Recording, Replay};

pub(crate) struct Recorded {
    path: PathBuf,
    recording: Recording<BufWriter<File>>,
}

impl Recorded {
    /// Records an engine that is new.
    pub(crate) fn new(engine: &Engine) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak.{}", std::process::id()));
        let file = File::create(&path).unwrap();
        Self { recording: engine.record(BufWriter::new(file)).unwrap(), path }
    }

    /// Does all of it again, and returns how many deliveries that were. A replay compares each read with what was read.
    pub(crate) fn replay(self) -> u64 {
        drop(self.recording.finish().unwrap());
        let mut deliveries = 0;
        let mut replay = Replay::open(BufReader::new(File::open(&self.path).unwrap())).unwrap();
        replay.run(|_, _| deliveries += 1).unwrap();
        fs::remove_file(&self.path).unwrap();
        deliveries
    }
}
