//! Replaying: all that went into an engine, into another one.
//!
//! # What is the same
//!
//! The inputs are done one after the other in the order in which they happened (see `tape.rs`), by the same code, on an
//! engine with the same limits. So sockets have the same ids, messages and joins the same sequences, and an inbox that is
//! read where it was read hands out the same. The first two are compared with what was recorded, at each input, and of
//! what is read how much it was and which message was the last. So a replay that is not the same ends with
//! [`ReplayError::Diverged`], and does not go on unnoticed.

use std::fmt;
use std::io::Read;
use std::time::Duration;

mod error;
mod input;
mod source;
mod stage;
mod values;

pub use self::error::ReplayError;
pub use self::input::{Addressee, Emission, Input};
pub use self::values::Unrecorded;

use self::source::Source;
use self::stage::{Problem, Stage};
use crate::delivery::Delivery;
use crate::engine::Engine;
use crate::inbox::Inbox;
use crate::payload::Payload;
use crate::slab::SocketId;
use crate::tape::wire::{Header, Wire};

/// A recording that is being replayed, input by input, in an engine of its own.
///
/// Whoever wants to see what the recorded sockets were handed is called back with it, at the place at which their
/// inboxes were read. Who would rather read them himself [ignores the reads](Self::ignore_reads).
///
/// ```
/// use roomcast::{Engine, Input, Replay};
/// use std::time::Duration;
///
/// let engine = Engine::new();
/// let recording = engine.record(Vec::new())?;
/// let world = engine.of("/world")?;
/// let (player, mut inbox) = world.connect();
/// player.join((3, 4))?;
/// for second in 1..=3 {
///     world.to((3, 4)).emit("moved", second.to_string())?;
///     engine.tick(Duration::from_secs(second));
/// }
/// inbox.drain(|_| {});
/// let file = recording.finish()?;
///
/// // A spectator, who watches the second second.
/// let mut replay = Replay::open(&file[..])?.ignore_reads();
/// replay.run_to(Duration::from_secs(2), |_, _| {})?;
/// let mut seen = 0;
/// replay.inbox(player.id()).unwrap().drain(|_| seen += 1);
/// assert_eq!(seen, 2);
///
/// // A bug report: what has happened, line by line, and what went to one room.
/// let mut replay = Replay::open(&file[..])?;
/// let mut moves = 0;
/// while let Some(input) = replay.step(|_, _| {})? {
///     println!("{}: {input}", replay.inputs());
///     moves += usize::from(matches!(input, Input::Emitted(emission) if emission.is_to((3, 4))));
/// }
/// assert_eq!(moves, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A live recording can be replayed while it goes on, through a pipe or a socket: [`step`](Self::step) waits for what
/// comes next as reading does.
pub struct Replay<R> {
    source: Source<R>,
    stage: Stage,
    inputs: u64,
    has_reads: bool,
    /// Whether there is nothing more, or it makes no sense.
    is_over: bool,
}

impl<R: Read> Replay<R> {
    /// Opens a recording. It is read as it goes on, a block at a time; give it a buffered reader only if that helps
    /// otherwise.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no recording, or one of another version.
    pub fn open(source: R) -> Result<Self, ReplayError> {
        let mut source = Source::open(source)?;
        let header = source.header()?;
        let (root, has_reads) = (header.root, header.has_reads);
        let engine = engine(&header)
            .ok_or(ReplayError::Invalid { input: 0, problem: "no engine has such limits".into() })?;
        let stage = Stage::new(engine, root, has_reads);
        Ok(Self { source, stage, inputs: 0, has_reads, is_over: false })
    }

    /// Has inboxes left as they are where they were read: whoever replays reads [them](Self::inbox) himself, when
    /// and as far as he likes.
    ///
    /// What they hand out is what they would have been handed then, each message with its sequence; what is lost to
    /// the backlog, replaced or expired depends on when it is read. An inbox that was dropped stays until it is read to
    /// its end.
    #[must_use]
    pub fn ignore_reads(mut self) -> Self {
        self.stage.reads = false;
        self
    }

    /// Sets what makes values of the bytes that [`Recorder::values`](crate::Recorder::values) has made of them. Default:
    /// nothing does, and all are [`Unrecorded`]. A value is to [weigh](Payload::with_weight) what it weighed.
    #[must_use]
    pub fn values(mut self, decode: impl Fn(&[u8]) -> Option<Payload> + Send + Sync + 'static) -> Self {
        self.stage.decode = Some(Box::new(decode));
        self
    }

    /// Does what was recorded next, and returns it, or `None` at the end. What an inbox hands out by that is handed to
    /// `see`, with the id of its socket.
    ///
    /// # Errors
    ///
    /// If the rest cannot be read, is missing or changed, or makes no sense, or does something else than was recorded.
    /// Then there is nothing more. All up to there is as it was.
    pub fn step(
        &mut self,
        mut see: impl FnMut(SocketId, Delivery<'_>),
    ) -> Result<Option<Input>, ReplayError> {
        loop {
            let mut input = None;
            if !self.apply(&mut see, |wire, stage| input = Input::new(wire, stage))? {
                return Ok(None);
            }
            if input.is_some() {
                return Ok(input);
            }
        }
    }

    /// Does all that was recorded. As [`step`](Self::step) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn run(&mut self, mut see: impl FnMut(SocketId, Delivery<'_>)) -> Result<(), ReplayError> {
        while self.apply(&mut see, |_, _| {})? {}
        Ok(())
    }

    /// Does all up to the first tick that brings the time to `now` or later, that tick included, and returns whether there
    /// was one. For spectators: call it with the time of the recording that they are at.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn run_to(
        &mut self,
        now: Duration,
        mut see: impl FnMut(SocketId, Delivery<'_>),
    ) -> Result<bool, ReplayError> {
        while self.stage.engine.now() < now {
            if !self.apply(&mut see, |_, _| {})? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does the next input, of which `look` is shown what it is; and tells whether there was one.
    fn apply(
        &mut self,
        see: &mut impl FnMut(SocketId, Delivery<'_>),
        mut look: impl FnMut(&Wire<'_>, &Stage),
    ) -> Result<bool, ReplayError> {
        if self.is_over {
            return Ok(false);
        }
        self.is_over = true; // if it fails
        if !self.source.advance()? {
            return Ok(false);
        }
        let wire = self.source.input()?;
        look(&wire, &self.stage);
        let is_input = !matches!(wire, Wire::Event { .. });
        self.stage.apply(&wire, see).map_err(|problem| match problem {
            Problem::Invalid(problem) => ReplayError::Invalid { input: self.inputs, problem: problem.into() },
            Problem::Diverged(what) => ReplayError::Diverged { input: self.inputs, what: what.into() },
        })?;
        self.inputs += u64::from(is_input);
        self.is_over = false;
        Ok(true)
    }
}

impl<R> Replay<R> {
    /// Returns the engine of the replay, to be asked who is where. Whoever changes something in it has the replay
    /// diverge.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.stage.engine
    }

    /// Returns the inbox of a socket, as long as it has one. Reading it keeps what is read from the recorded reads, unless
    /// they are [ignored](Self::ignore_reads).
    pub fn inbox(&mut self, socket: SocketId) -> Option<&mut Inbox> {
        self.stage.inbox(socket)
    }

    /// Returns how many inputs were done.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Returns whether it was recorded when inboxes were [read](crate::Recorder::reads).
    #[must_use]
    pub fn has_reads(&self) -> bool {
        self.has_reads
    }
}

/// An engine like the one that was recorded, as far as that matters, and without limits where those were kept before.
fn engine(header: &Header<'_>) -> Option<Engine> {
    let size = |size: u64| usize::try_from(size).ok();
    let builder = Engine::builder().backlog(header.backlog.get()?).shards(1).ok()?;
    let builder = builder.membership_backlog(size(header.membership_backlog)?).ok()?;
    let builder = builder.max_name_bytes(size(header.max_name_bytes)?).ok()?;
    let builder = builder.max_rooms(usize::MAX).max_rooms_per_socket(usize::MAX);
    Some(builder.remembered_ticks(size(header.remembered_ticks)?).build())
}

impl<R> fmt::Debug for Replay<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("inputs", &self.inputs)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
