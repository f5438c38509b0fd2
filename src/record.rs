//! Recording: all that goes into an engine, to a file. What is recorded, and when, is in `tape.rs`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::Directory;
use crate::engine::Engine;
use crate::payload::Payload;
use crate::tape::sink::Sink;
use crate::tape::wire::Header;
use crate::tape::{EncodeValue, Plan};

/// What to record, and how. [`start`](Self::start) begins.
///
/// ```
/// use roomcast::{Engine, Recorder, Replay};
///
/// let engine = Engine::new();
/// let recording = Recorder::new().reads(false).start(&engine, Vec::new())?;
/// let world = engine.of("/world")?;
/// let (player, _inbox) = world.connect();
/// player.emit("welcome", "hello")?;
///
/// let file = recording.finish()?;
/// let mut replay = Replay::open(&file[..])?;
/// replay.run(|_, _| unreachable!("nobody has read anything"))?;
/// let mut told = Vec::new();
/// replay.inbox(player.id()).unwrap().drain(|delivery| told.push(delivery.event().to_owned()));
/// assert_eq!(told, ["welcome"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing happens before `start`"]
pub struct Recorder {
    plan: Plan,
}

/// An engine that is being recorded. Comes from [`Engine::record`] and [`Recorder::start`].
///
/// Dropping it ends the recording as [`finish`](Self::finish) does, and drops the writer.
pub struct Recording<W> {
    /// Gone when it is finished.
    directory: Option<Arc<Directory>>,
    writer: PhantomData<fn() -> W>,
}

/// Why an engine cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// It is recorded, or was.
    Recorded,
    /// It is not new: it has had a socket, a room, a namespace beside `/`, or a tick.
    NotNew,
}

impl Engine {
    /// Records all that goes into the engine from now on, until the recording is [finished](Recording::finish): as
    /// [`Recorder::start`] with the default settings.
    ///
    /// ```
    /// use roomcast::{Engine, Replay};
    ///
    /// let engine = Engine::new();
    /// let recording = engine.record(Vec::new())?; // or a file, or a socket
    /// let world = engine.of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// player.join("cell")?;
    /// world.to("cell").emit("moved", "north")?;
    /// inbox.drain(|delivery| assert_eq!(delivery.event(), "moved"));
    /// let file = recording.finish()?;
    ///
    /// let mut replay = Replay::open(&file[..])?;
    /// let mut told = Vec::new();
    /// replay.run(|socket, delivery| told.push((socket, delivery.event().to_owned(), delivery.sequence())))?;
    /// assert_eq!(told, [(player.id(), "moved".to_owned(), 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Recorder::start`].
    pub fn record<W: Write + Send + 'static>(&self, writer: W) -> Result<Recording<W>, RecordError> {
        Recorder::new().start(self, writer)
    }
}

impl Recorder {
    /// Returns the default settings: reads are recorded, blocks have 64 KiB, values in memory are not encoded.
    pub fn new() -> Self {
        Self { plan: Plan { block_bytes: 64 << 10, has_reads: true, encode: None } }
    }

    /// Sets whether it is recorded when inboxes are read, and how far. Default: it is.
    ///
    /// What a socket loses, drops, passes over or gets only the newest of depends on when it is read. A replay with the
    /// reads hands out the same gaps and leaves out the same messages. One without has all messages for whoever reads
    /// it, within the limits of the backlog; recording then costs readers nothing.
    pub fn reads(mut self, are_recorded: bool) -> Self {
        self.plan.has_reads = are_recorded;
        self
    }

    /// Sets how many bytes come together before they are written, in one block. Default 64 KiB; with 0 each input is
    /// written by the call that makes it.
    ///
    /// At each [tick](Engine::tick) all is written that there is, too. A process that is killed loses what has not been
    /// written; what has is good.
    pub fn block_bytes(mut self, bytes: usize) -> Self {
        self.plan.block_bytes = bytes.max(1);
        self
    }

    /// Sets what makes bytes of payloads that are values in memory. Default: nothing does.
    ///
    /// It is called once for each emit of one, under no lock, and returns `None` for values that it does not know. Those
    /// are recorded by their weight, and a replay has an [`Unrecorded`](crate::Unrecorded) in their place. What
    /// presence tells needs none, and nor does text, bytes, JSON and all else that [`serde`](Payload::encode) encodes.
    pub fn values(mut self, encode: impl Fn(&Payload) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let encode: EncodeValue = Box::new(encode);
        self.plan.encode = Some(encode);
        self
    }

    /// Begins to record a new engine: before anything else is done with it, and before another thread has it.
    ///
    /// The calls that fill a block write it, under no lock, and others who fill the next one meanwhile wait for them; so
    /// a slow writer holds up the engine, and should be given a buffer or a thread of its own. It may use the engine,
    /// but must not wait for anybody else who does. Nor must dropping a payload, to which reading an inbox may lead. While
    /// an engine is recorded, what changes it happens one thing at a time.
    ///
    /// # Errors
    ///
    /// If the engine is not new, or was recorded before; then the writer is dropped. That it cannot be written to shows
    /// when the recording is [finished](Recording::finish).
    pub fn start<W: Write + Send + 'static>(
        self,
        engine: &Engine,
        writer: W,
    ) -> Result<Recording<W>, RecordError> {
        let directory = engine.directory();
        let core = &directory.core;
        let root = directory.untouched().ok_or(RecordError::NotNew)?;
        let config = &core.config;
        let header = Header {
            crate_version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            backlog: (&config.backlog).into(),
            membership_backlog: config.membership_backlog as u64,
            remembered_ticks: config.remembered_ticks as u64,
            max_name_bytes: config.max_name_bytes as u64,
            root,
            has_reads: self.plan.has_reads,
        };
        if !core.tape.begin(writer, self.plan, &header) {
            return Err(RecordError::Recorded);
        }
        Ok(Recording { directory: Some(Arc::clone(directory)), writer: PhantomData })
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Write + Send + 'static> Recording<W> {
    /// Ends the recording, writes what is left of it, and returns the writer. The engine goes on.
    ///
    /// # Errors
    ///
    /// The first error of the writer, after which nothing more was written. What was written before is good.
    pub fn finish(mut self) -> io::Result<W> {
        let directory = self.directory.take().expect("finished once");
        let sink = directory.core.tape.end().and_then(|sink| sink.downcast::<Sink<W>>().ok());
        let Sink { writer, error, .. } = *sink.expect("the sink is of the writer that it was given");
        error.map_or(Ok(writer), Err)
    }
}

impl<W> Recording<W> {
    /// Writes what there is, so that it is not lost with the process.
    pub fn flush(&self) {
        self.directory.iter().for_each(|directory| directory.core.tape.spill_all());
    }

    /// Returns how many inputs were recorded so far.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.state().0
    }

    /// Returns how many bytes were written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state().1
    }

    /// Returns what went wrong with the writer, if anything did: nothing more is written then.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.state().2
    }

    fn state(&self) -> (u64, u64, Option<String>) {
        self.directory.as_ref().map_or((0, 0, None), |directory| directory.core.tape.state())
    }
}

impl<W> Drop for Recording<W> {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take() {
            drop(directory.core.tape.end());
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recorded => "the engine is recorded, or was",
            Self::NotNew => "the engine is not new",
        })
    }
}

impl Error for RecordError {}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("reads", &self.plan.has_reads)
            .field("block_bytes", &self.plan.block_bytes)
            .finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for Recording<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, bytes, error) = self.state();
        f.debug_struct("Recording")
            .field("inputs", &inputs)
            .field("bytes", &bytes)
            .field("error", &error)
            .finish()
    }
}

impl Directory {
    /// The number of all sockets of `/`, if nothing was done yet with the engine.
    fn untouched(&self) -> Option<u64> {
        let [root] = &self.namespaces()[..] else { return None };
        let is_new = self.core.is_new() && root.order.horizon() == 1 && !self.is_closed();
        (is_new && self.core.clock.now() == Duration::ZERO).then(|| root.everyone.id())
    }
}
