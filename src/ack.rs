//! Acknowledgements: handles to what the recipients of a message are going to answer.
//!
//! They know a table, a clock and ids, and nothing of namespaces and sockets, so whoever has a table can ask:
//! a namespace its sockets, a client its server.
//!
//! # Invariant
//!
//! A handle has its message withdrawn when it goes, unless a callback took its place: then the registration
//! lives until the callback is called. So a message is in the table while it is not done and somebody is
//! to be told, and no longer. The rest is in `ack/table.rs`.
//!
//! A timer holds the table and the message weakly, and the message its clock: there is no cycle.

pub(crate) mod answers;
pub(crate) mod table;
#[cfg(all(test, not(roomcast_loom)))]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::ack::answers::Answers;
use crate::ack::table::{AckTable, Listener, Pending, Timer, TooManyAcks};
use crate::clock::Clock;
use crate::error::AckError;
use crate::members::Asked;
use crate::payload::Payload;
use crate::slab::SocketId;
use crate::sync::bounded;

/// What the recipients of one message are going to answer.
///
/// Done when each of them has answered or is disconnected, or the [timeout](Self::timeout) is over. Without
/// a timeout that may be never. Choose a way to wait: [block](Self::wait) a thread, leave a
/// [callback](Self::on_done), or `await` it on any runtime; or [look](Self::is_done) now and then, and
/// [take](Self::cancel) what there is.
///
/// Nothing here starts a thread or a timer. The timeout is by the engine's clock, which somebody has to move;
/// only [`wait`](Self::wait) looks at the system's.
///
/// Dropping it, also as a future, forgets the message: answers that come are late.
///
/// ```
/// use roomcast::{Client, Engine};
/// use std::{sync::mpsc, time::Duration};
///
/// let engine = Engine::new();
/// let game = engine.of("/game")?;
/// let (ann, bob) = (Client::new(&engine), Client::new(&engine));
/// ann.socket("/game", ())?.on_with_ack("ready", |_, (), ack| drop(ack.send("yes")))?;
/// bob.socket("/game", ())?;
///
/// let (tell, told) = mpsc::channel();
/// let ready = game.emit_with_ack("ready", ())?.timeout(Duration::from_secs(3));
/// ready.on_done(move |answers| tell.send(answers).unwrap());
/// let ready = game.emit_with_ack("ready", ())?;
/// ann.poll();
/// bob.poll(); // and no answer
/// assert_eq!((ready.answered(), ready.expected(), ready.is_done()), (1, 2, false));
/// bob.close(); // resolves all that it has yet to answer
/// assert!(ready.is_done());
/// assert!(!ready.wait().is_complete());
/// assert_eq!(told.try_recv()?.answered().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it forgets the answers: `wait`, `await` or leave a callback with `on_done`"]
pub struct Acks {
    table: Arc<AckTable>,
    pending: Arc<Pending>,
    clock: Arc<Clock>,
    timeout: Option<Duration>,
    /// Whether a callback is told in its place.
    is_detached: bool,
}

/// What the one recipient of a message is going to answer: [`Acks`] for one.
///
/// Dropping it, also as a future, forgets the message: an answer that comes is late.
///
/// ```
/// use roomcast::{AckError, Client, Engine, Payload};
///
/// let engine = Engine::new();
/// let game = engine.of("/game")?;
/// game.on_connect(|socket| {
///     let name = socket.emit_with_ack("name?", ()).unwrap();
///     let socket = socket.clone();
///     name.on_done(move |name| match name {
///         Ok(name) => drop(socket.emit("welcome", name)),
///         Err(why) => drop(socket.disconnect(why.to_string())),
///     });
/// });
///
/// let client = Client::new(&engine);
/// let socket = client.socket("/game", ())?;
/// socket.on_with_ack("name?", |_, (), ack| drop(ack.send("Ann")))?;
/// socket.on("welcome", |_, name: Payload| assert_eq!(name.as_str(), Some("Ann")))?;
/// assert_eq!(client.poll() + client.poll(), 3); // connected, the question, welcome
///
/// let late = game.sockets()[0].emit_with_ack("name?", ())?;
/// client.close();
/// assert!(matches!(late.wait(), Err(AckError::Disconnected(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it forgets the answer: `wait`, `await` or leave a callback with `on_done`"]
pub struct Ack(Acks);

impl Acks {
    /// Registers a message that is about to be published to several sockets. Then publish it under the
    /// [`id`](Self::id), and say to [whom](Self::sent_to), before anybody else gets the handle. If it
    /// cannot be published, drop it.
    pub(crate) fn open(table: &Arc<AckTable>, clock: &Arc<Clock>) -> Result<Self, TooManyAcks> {
        Self::new(table, clock, None)
    }

    /// Returns what answers have to name.
    pub(crate) fn id(&self) -> u64 {
        self.pending.id()
    }

    /// Says who was sent the message, once, in the order in which they are to be listed.
    pub(crate) fn sent_to(&self, recipients: Asked) {
        self.table.fix_recipients(&self.pending, recipients);
    }

    /// Gives the recipients until the engine's clock is `timeout` later than now. Whoever has not answered
    /// then, in the tick that brings it there, has [timed out](AckError::TimedOut).
    ///
    /// Zero does not wait for a tick: the time is over at once. Replaces a timeout that was set before,
    /// unless that is over.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        if timeout.is_zero() {
            self.table.expire(&self.pending);
            return self;
        }
        let (table, pending) = (Arc::downgrade(&self.table), Arc::downgrade(&self.pending));
        let id = self.clock.schedule(self.clock.deadline(timeout), move || {
            if let (Some(table), Some(pending)) = (table.upgrade(), pending.upgrade()) {
                table.expire(&pending);
            }
        });
        self.pending.set_timer(Timer { clock: Arc::clone(&self.clock), id });
        self
    }

    /// Blocks the thread until it is done, and returns the answers.
    ///
    /// Without a [timeout](Self::timeout) it waits for as long as it takes, and for ever if the answers would be
    /// brought by this thread: do not call it then, in a handler least of all. [`on_done`](Self::on_done) is for
    /// that.
    ///
    /// With a [timeout](Self::timeout) it waits no longer than that from this call on by the system's clock
    /// either, so it ends even if nobody moves the engine's.
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    #[must_use]
    pub fn wait(self) -> Answers {
        let (sender, receiver) = bounded(1);
        if let Some((answers, _)) = self.pending.listen(Listener::Thread(sender)) {
            return answers;
        }
        // It cannot be disconnected before the token is in it: the pending holds the sender till then.
        let is_over = match self.timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
            Some(deadline) => receiver.recv_deadline(deadline).is_err(),
            None => receiver.recv().is_err(),
        };
        if is_over {
            self.table.expire(&self.pending);
        }
        self.take()
    }

    /// Has `callback` called with the answers, once: when it is done, by the thread that brings the last
    /// answer, a disconnect or a tick, or now if it is done already. Under no lock.
    ///
    /// A panic in `callback` ends there. Nothing takes it back.
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    pub fn on_done(mut self, callback: impl FnOnce(Answers) + Send + 'static) {
        self.is_detached = true;
        if let Some((answers, callback)) = self.pending.listen(Listener::Callback(Box::new(callback))) {
            callback.tell(answers);
        }
    }

    /// Ends the waiting now, and returns the answers so far; whoever has not answered has
    /// [timed out](AckError::TimedOut).
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    #[must_use]
    pub fn cancel(self) -> Answers {
        self.table.expire(&self.pending);
        self.take()
    }

    /// Returns whether each recipient has answered or is disconnected, or the time is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pending.is_done()
    }

    /// Returns how many have answered so far.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.pending.counts().0
    }

    /// Returns how many recipients the message has.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.pending.counts().1
    }

    fn new(table: &Arc<AckTable>, clock: &Arc<Clock>, to: Option<SocketId>) -> Result<Self, TooManyAcks> {
        let pending = table.open(to)?;
        let (table, clock) = (Arc::clone(table), Arc::clone(clock));
        Ok(Self { table, pending, clock, timeout: None, is_detached: false })
    }

    fn take(&self) -> Answers {
        self.pending.take().expect("done, and the answers are taken once")
    }
}

impl Ack {
    /// Registers a message that is about to be published to one socket. Then publish it under the
    /// [`id`](Self::id), and say that it is [sent](Self::sent), before anybody else gets the handle. If it
    /// cannot be published, drop it.
    pub(crate) fn open(table: &Arc<AckTable>, clock: &Arc<Clock>, to: SocketId) -> Result<Self, TooManyAcks> {
        Acks::new(table, clock, Some(to)).map(Self)
    }

    /// Returns what the answer has to name.
    pub(crate) fn id(&self) -> u64 {
        self.0.id()
    }

    /// Says that the recipient was sent the message, once.
    pub(crate) fn sent(&self) {
        self.0.sent_to(Asked::One(self.0.pending.to().expect("made for one socket")));
    }

    /// Gives the recipient until the engine's clock is `timeout` later than now, as [`Acks::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Blocks the thread until there is an answer or there will be none. Not for a thread that would bring the
    /// answer itself: see [`Acks::wait`].
    ///
    /// With a [timeout](Self::timeout) it waits no longer than that from this call on by the system's clock
    /// either, so it ends even if nobody moves the engine's.
    ///
    /// # Errors
    ///
    /// If the recipient was disconnected before it answered, or the time is over.
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    pub fn wait(self) -> Result<Payload, AckError> {
        only(self.0.wait())
    }

    /// Has `callback` called once, with the answer or with why there is none, as [`Acks::on_done`].
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    pub fn on_done(self, callback: impl FnOnce(Result<Payload, AckError>) + Send + 'static) {
        self.0.on_done(move |answers| callback(only(answers)));
    }

    /// Ends the waiting now, and returns the answer if it is there.
    ///
    /// # Errors
    ///
    /// If it is not: as if the time were over, unless the recipient was disconnected before.
    ///
    /// # Panics
    ///
    /// If it was polled to its end as a future.
    pub fn cancel(self) -> Result<Payload, AckError> {
        only(self.0.cancel())
    }

    /// Returns whether there is an answer, or there will be none.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

/// The answer of the one recipient that an [`Ack`] has.
fn only(answers: Answers) -> Result<Payload, AckError> {
    answers.into_iter().next().expect("one recipient").1
}

impl Future for Acks {
    type Output = Answers;

    /// # Panics
    ///
    /// After it returned the answers.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answers> {
        let listener = Listener::Task(cx.waker().clone());
        self.pending.listen(listener).map_or(Poll::Pending, |(answers, _)| Poll::Ready(answers))
    }
}

impl Future for Ack {
    type Output = Result<Payload, AckError>;

    /// # Panics
    ///
    /// After it returned the answer.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(only)
    }
}

impl Drop for Acks {
    fn drop(&mut self) {
        if !self.is_detached {
            self.table.withdraw(&self.pending);
        }
    }
}

impl fmt::Debug for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answered, expected) = self.pending.counts();
        f.debug_struct("Acks")
            .field("answered", &answered)
            .field("expected", &expected)
            .field("is_done", &self.is_done())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}
