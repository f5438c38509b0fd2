//! The public reading side of a socket: all its ways to wait are views of one mechanism.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::counters::Readings;
use crate::delivery::{Delivery, Message};
use crate::error::{Closed, ForgottenTick, RecvTimeoutError};
use crate::foreign::contain;
use crate::mailbox::Wake;
use crate::reader::{Due, Reader, Sleep};
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::NamespaceCore;
use crate::sync::{Arc as Shared, Receiver, RecvTimeoutError as Waited, Sender, bounded};
use crate::tape::Step;
use crate::topic::Change;
use crate::trace;

/// What a socket is sent, in order: from all its rooms, its namespace and directly.
///
/// There is one for each socket. `Send`, and used by one reader at a time. Choose a way to read:
///
/// | | |
/// |---|---|
/// | a game's tick, a poll loop | [`drain`](Self::drain), [`try_drain`](Self::try_drain), [`try_next`](Self::try_next) |
/// | to keep what is read | [`iter`](Self::iter) |
/// | a thread of its own | [`recv`](Self::recv), [`recv_timeout`](Self::recv_timeout) |
/// | a task on any runtime | [`recv_async`](Self::recv_async), [`poll_recv`](Self::poll_recv) |
/// | an event loop | [`on_wake`](Self::on_wake), then `drain` when woken |
///
/// All are views of one mechanism and may be mixed. Between two drains there is at most one wake-up, and
/// none is lost. A socket that is only polled takes no lock and allocates nothing when it reads, unless it is in more
/// than 32 rooms and one has come alive or gone idle, it has joined or left rooms since, lost something, or was
/// disconnected. The last reader to leave a segment of a log frees it, with its payloads.
///
/// Dropping the inbox disconnects the socket.
#[repr(C)] // what a drain touches comes first
pub struct Inbox {
    /// The socket's, here once more so that reading does not touch the socket.
    namespace: Shared<NamespaceCore>,
    waking: Option<Box<Waking>>,
    reader: Reader,
    socket: Socket,
}

/// What it takes to be woken, other than by a `Waker`.
#[derive(Default)]
struct Waking {
    callback: Option<Arc<dyn Fn() + Send + Sync>>,
    /// For blocking: a channel with room for one token.
    tokens: Option<(Sender<()>, Receiver<()>)>,
}

impl Inbox {
    pub(crate) fn new(socket: Socket) -> Self {
        let core = socket.core();
        let reader = Reader::new(Shared::clone(core.post()));
        Self { namespace: Shared::clone(&socket.core().namespace), waking: None, reader, socket }
    }

    /// Returns the id of its socket.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.socket.id()
    }

    /// Returns its socket.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Hands everything that was emitted to the socket before this call to `deliver`, oldest first, and
    /// returns how many deliveries that were, [gaps](Delivery::gap) included.
    ///
    /// What is emitted meanwhile, from inside `deliver` too, waits for the next drain, so a drain always
    /// ends. Costs a load for each room, or with more than 32 rooms for each that was active in the last eight
    /// drains, and a few per delivery; allocates nothing. If `deliver` panics, the delivery that it was called with
    /// counts as read, and the next drain goes on after it.
    ///
    /// ```
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// # let (player, mut inbox) = world.connect();
    /// player.emit("welcome", "hello")?;
    /// inbox.drain(|delivery| {
    ///     if let Some(gap) = delivery.gap() {
    ///         eprintln!("{} messages lost", gap.missed);
    ///         return;
    ///     }
    ///     match delivery.event() {
    ///         "welcome" => assert_eq!(delivery.payload().as_str(), Some("hello")),
    ///         other => panic!("unexpected {other}"),
    ///     }
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn drain(&mut self, mut deliver: impl FnMut(Delivery<'_>)) -> usize {
        let mut count = 0;
        let ControlFlow::Continue(()) =
            self.drain_counting::<Infallible>(false, &mut count, move |delivery| {
                deliver(delivery);
                ControlFlow::Continue(())
            });
        count
    }

    /// As [`drain`](Self::drain), until `deliver` breaks: with a value of its own, an error perhaps, which is
    /// returned. The delivery with which it breaks counts as read, and the next call goes on after it.
    ///
    /// For those who can take in only so much at a time, such as a game with so many milliseconds for a frame. After
    /// a break no wake-up is due: whoever has stopped knows that there may be more, and comes back.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// # let world = roomcast::Engine::new().of("/world")?;
    /// # let (player, mut inbox) = world.connect();
    /// for number in 0..10_u8 {
    ///     player.emit("number", [number])?;
    /// }
    /// let mut room = 4;
    /// let stopped = inbox.try_drain(|_delivery| {
    ///     room -= 1;
    ///     if room == 0 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
    /// });
    /// assert_eq!(stopped, ControlFlow::Break("enough"));
    /// assert_eq!(inbox.drain(|_| {}), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_drain<B>(&mut self, deliver: impl FnMut(Delivery<'_>) -> ControlFlow<B>) -> ControlFlow<B> {
        self.drain_counting(false, &mut 0, deliver)
    }

    /// As [`drain`](Self::drain), but hands out only what was emitted before this [tick](crate::Engine::tick) began: what
    /// was emitted in it, or later, waits. For simulations whose steps see what all others did in the steps before,
    /// whoever runs first; and for those who show the world a few ticks late.
    ///
    /// All that there is is before a tick that has yet to begin. A drain that has [stopped](Self::try_drain) comes to its
    /// end first, whatever tick that is in. Leaves no word to be woken: whoever reads by ticks comes back.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let engine = roomcast::Engine::new();
    /// let world = engine.of("/world")?;
    /// let (player, mut inbox) = world.connect();
    /// let tick = Duration::from_millis(16);
    /// player.emit("moved", "in the tick before")?;
    /// engine.tick(tick);
    /// player.emit("moved", "in this tick")?;
    /// assert_eq!(inbox.drain_before(tick, |_| {})?, 1);
    /// assert_eq!(inbox.drain_before(tick, |_| {})?, 0);
    /// engine.tick(2 * tick);
    /// assert_eq!(inbox.drain_before(engine.now(), |_| {})?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the namespace does not [remember](crate::EngineBuilder::remembered_ticks) that tick any more; then nothing is
    /// read.
    pub fn drain_before(
        &mut self,
        tick: Duration,
        mut deliver: impl FnMut(Delivery<'_>),
    ) -> Result<usize, ForgottenTick> {
        let NamespaceCore { order, ticks, .. } = &*self.namespace;
        // First: if the tick has yet to begin afterwards, what is below is before it.
        let horizon = order.horizon();
        let bound = ticks.sequence_at(tick).ok_or(ForgottenTick(tick))?.min(horizon);
        if self.namespace.engine.tape.has_reads() {
            let mut count = 0;
            let ControlFlow::Continue(()) = self.drain_by_steps(Some(bound), false, &mut count, |delivery| {
                deliver(delivery);
                ControlFlow::<Infallible>::Continue(())
            });
            return Ok(count);
        }
        let mut after = AfterDrain { inbox: self, handed: 0 };
        let AfterDrain { inbox, handed } = &mut after;
        let Self { namespace, reader, .. } = &mut **inbox;
        let NamespaceCore { order, engine, .. } = &**namespace;
        let ControlFlow::Continue(()) =
            reader.drain_below(bound, order, &engine.events, handed, |delivery| {
                deliver(delivery);
                ControlFlow::<Infallible>::Continue(())
            });
        let handed = *handed;
        after.account();
        std::mem::forget(after);
        Ok(handed)
    }

    /// Returns the next delivery, if there is one now.
    ///
    /// `None` says that everything is read; [`closed`](Self::closed) tells whether more can come.
    pub fn try_next(&mut self) -> Option<Delivery<'_>> {
        if self.advance() {
            return self.current();
        }
        self.watch();
        None
    }

    /// Returns an iterator over what can be read, as messages to keep.
    ///
    /// Costs two reference counts a message more than [`drain`](Self::drain). Each step is a
    /// [`try_next`](Self::try_next): it ends when everything is read, and that includes what is emitted
    /// while it goes on. So a loop that answers each message to its own socket has no end; a drain has.
    /// A later call goes on.
    pub fn iter(&mut self) -> Iter<'_> {
        Iter { inbox: self }
    }

    /// Waits for the next delivery, blocking the thread.
    ///
    /// # Errors
    ///
    /// When the socket is disconnected and everything emitted before is read.
    pub fn recv(&mut self) -> Result<Delivery<'_>, Closed> {
        loop {
            if self.advance() {
                return Ok(self.current().expect("advanced to a delivery"));
            }
            self.check_closed()?;
            let (sender, receiver) = self.tokens();
            if self.sleep(Wake::Thread(sender)) == Sleep::Asleep {
                // This inbox holds a sender, so it cannot fail; a stale token only costs another look.
                let _ = receiver.recv();
            }
        }
    }

    /// Waits for the next delivery for as long as `timeout`, blocking the thread.
    ///
    /// # Errors
    ///
    /// When the time is over, or the socket is disconnected and everything emitted before is read.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Delivery<'_>, RecvTimeoutError> {
        let deadline = std::time::Instant::now().checked_add(timeout);
        loop {
            if self.advance() {
                return Ok(self.current().expect("advanced to a delivery"));
            }
            self.check_closed()?;
            let (sender, receiver) = self.tokens();
            if self.sleep(Wake::Thread(sender)) == Sleep::Asleep {
                let waited = match deadline {
                    Some(deadline) => receiver.recv_deadline(deadline),
                    None => receiver.recv().map_err(|_| Waited::Disconnected),
                };
                if waited == Err(Waited::Timeout) && !self.advance_after_timeout() {
                    self.check_closed()?;
                    self.watch();
                    return Err(RecvTimeoutError::Timeout);
                } else if waited.is_err() {
                    return Ok(self.current().expect("advanced to a delivery"));
                }
            }
        }
    }

    /// Waits for the next delivery, on any runtime.
    ///
    /// Cancel safe: dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// When the socket is disconnected and everything emitted before is read.
    pub async fn recv_async(&mut self) -> Result<Delivery<'_>, Closed> {
        let mut waiting = Waiting { inbox: self, is_over: false };
        let ready = poll_fn(|cx| waiting.inbox.poll_ready(cx)).await;
        waiting.is_over = true;
        drop(waiting);
        ready?;
        Ok(self.current().expect("ready with a delivery"))
    }

    /// Returns the next delivery, or has the task woken when there may be one: the shape of a `Stream`.
    ///
    /// A `Stream` of messages to keep is
    /// `poll_fn(move |cx| inbox.poll_recv(cx).map(|it| it.ok().map(|delivery| delivery.to_message())))` with
    /// the `poll_fn` of `futures::stream`. Until the next drain, the task is woken in place of a callback.
    ///
    /// # Errors
    ///
    /// When the socket is disconnected and everything emitted before is read.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery<'_>, Closed>> {
        self.poll_ready(cx).map_ok(|()| self.current().expect("ready with a delivery"))
    }

    /// Has `wake` called whenever there is something to drain: once after each drain at most, from the
    /// thread that emits, joins it to a room or disconnects it, under no lock.
    ///
    /// Called at once if there is something already. A wake-up may turn out to be about a change of
    /// rooms, with nothing to read. `drain`, and `try_next` when it returns `None`, make ready for the
    /// next. A panic in `wake` ends there. Replaces the callback that was set before;
    /// [`no_wake`](Self::no_wake) removes it.
    pub fn on_wake(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.wake_after_drain(wake);
        self.watch();
    }

    /// As [`on_wake`](Self::on_wake), from the next drain on, which is to follow now.
    pub(crate) fn wake_after_drain(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.waking.get_or_insert_default().callback = Some(Arc::new(wake));
    }

    /// Removes the callback.
    pub fn no_wake(&mut self) {
        let callback = self.waking.as_mut().and_then(|waking| waking.callback.take());
        drop((callback, self.socket.core().post().take_callback()));
    }

    /// Returns how many [volatile](crate::Broadcast::volatile) messages were dropped so far, as the socket was
    /// behind. Those that a drain has dropped before it panicked may not be among them, and how far the socket is
    /// behind counts from there.
    #[must_use]
    pub fn volatile_dropped(&self) -> u64 {
        self.reader.dropped()
    }

    /// Returns how many messages were passed over so far, as their [lifetime](crate::Broadcast::lifetime) was over.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.reader.expired()
    }

    /// Returns how many messages were passed over so far for a newer one of the same
    /// [key](crate::Broadcast::latest).
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.reader.replaced()
    }

    /// Returns why the socket was disconnected, once everything that was emitted before is read: from
    /// then on there is nothing more to come.
    #[must_use]
    pub fn closed(&self) -> Option<&DisconnectReason> {
        self.reader.closed()
    }

    /// As [`try_drain`](Self::try_drain), and counts the deliveries. With `rest_only`, if there was a drain that has
    /// stopped, goes on to the end of that, and arms nothing: another drain is to follow.
    #[inline(always)]
    pub(crate) fn drain_counting<B>(
        &mut self,
        rest_only: bool,
        count: &mut usize,
        deliver: impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.namespace.engine.tape.has_reads() {
            return self.drain_by_steps(None, rest_only, count, deliver);
        }
        let is_rest = rest_only && self.reader.in_pass();
        let mut after = AfterDrain { inbox: self, handed: 0 };
        let AfterDrain { inbox, handed } = &mut after;
        let Self { namespace, reader, .. } = &mut **inbox;
        let drained = reader.drain(&namespace.order, &namespace.engine.events, is_rest, handed, deliver);
        *count += *handed;
        if drained.is_break() || is_rest {
            after.account();
            std::mem::forget(after);
        }
        drained
    }

    pub(crate) fn readings(&self) -> Readings {
        self.reader.readings()
    }

    /// As [`drain_counting`](Self::drain_counting), or [`drain_before`](Self::drain_before) with a bound: one message
    /// after the other, as it is recorded.
    #[cold]
    fn drain_by_steps<B>(
        &mut self,
        bound: Option<u64>,
        rest_only: bool,
        count: &mut usize,
        mut deliver: impl FnMut(Delivery<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        // What `deliver` emits is beyond it, also while an older pass comes to its end.
        let bound = bound.unwrap_or_else(|| self.namespace.order.horizon());
        let is_rest = rest_only && self.reader.in_pass();
        // Whether a pass is yet to begin after the rest of the one before.
        let mut begins = self.reader.in_pass() && !is_rest;
        let mut step = if self.reader.in_pass() { Step::GoOn } else { Step::Start(Some(bound)) };
        let mut after = AfterDrain { inbox: self, handed: 0 };
        let mut drained = ControlFlow::Continue(());
        loop {
            if after.inbox.step(step) {
                step = Step::GoOn;
                after.handed += 1;
                *count += 1;
                drained = deliver(after.inbox.current().expect("a step to a delivery"));
                if drained.is_break() {
                    break;
                }
            } else if std::mem::take(&mut begins) {
                step = Step::Start(Some(bound));
            } else {
                break;
            }
        }
        after.inbox.namespace.engine.tape.spill();
        if drained.is_break() || is_rest {
            after.account();
            std::mem::forget(after);
        }
        drained
    }

    /// Takes a step, as it is recorded, and tells whether it has come to a delivery.
    #[cold]
    pub(crate) fn step(&mut self, step: Step) -> bool {
        let NamespaceCore { order, engine, .. } = &*self.namespace;
        let (tape, events, reader) = (&engine.tape, &engine.events, &mut self.reader);
        let _hold = tape.hold();
        let (found, horizon) = match step {
            Step::GoOn if !reader.in_pass() => return false,
            Step::GoOn => (reader.go_on(events), 0),
            Step::Start(_) if reader.is_up_to_date(order) => return false,
            Step::Start(bound) => {
                let horizon = reader.horizon_below(bound.unwrap_or(u64::MAX), order);
                (reader.start(horizon, order, events), horizon)
            }
        };
        let sequence = reader.current(events).map(|delivery| delivery.sequence());
        tape.read(self.socket.id(), step, sequence.filter(|_| found), horizon, order.horizon());
        found
    }

    fn advance(&mut self) -> bool {
        let namespace = &*self.namespace;
        if namespace.engine.tape.has_reads() {
            let is_delivery = self.step(Step::GoOn) || self.step(Step::Start(None));
            self.namespace.engine.tape.spill();
            self.reader.count(usize::from(is_delivery));
            self.account();
            return is_delivery;
        }
        let is_delivery = self.reader.advance(&namespace.order, &namespace.engine.events);
        self.reader.count(usize::from(is_delivery));
        self.account();
        is_delivery
    }

    /// Does what is due about what was read.
    #[inline]
    fn account(&mut self) {
        if self.reader.is_due() {
            let due = self.reader.take_due();
            self.account_for(due);
        }
    }

    /// Adds to what the namespace counts, and disconnects the socket, if it has missed messages where that is the
    /// policy.
    #[cold]
    fn account_for(&self, due: Due) {
        self.namespace.order.counters().count_readings(due.more);
        if due.more.gaps > 0 {
            trace::lost(&self.namespace.path, self.id(), due.more);
        }
        if due.is_overrun {
            self.socket.disconnect(DisconnectReason::Backlog);
        }
    }

    pub(crate) fn sleep(&mut self, wake: Wake) -> Sleep {
        let tape = &self.namespace.engine.tape;
        let _hold = tape.hold();
        tape.slept(self.socket.id());
        self.reader.sleep(wake)
    }

    pub(crate) fn current(&self) -> Option<Delivery<'_>> {
        self.reader.current(&self.namespace.engine.events)
    }

    /// The last look when the time is over: what came at that moment is not left behind.
    fn advance_after_timeout(&mut self) -> bool {
        drop(self.socket.core().post().stay_awake());
        self.advance()
    }

    fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), Closed>> {
        loop {
            if self.advance() {
                return Poll::Ready(Ok(()));
            }
            self.check_closed()?;
            if self.sleep(Wake::Task(cx.waker().clone())) == Sleep::Asleep {
                return Poll::Pending;
            }
        }
    }

    /// Has the callback, if there is one, called for what comes next, or now if that is there.
    #[inline]
    fn watch(&mut self) {
        if self.waking.is_some() {
            self.call_or_sleep();
        }
    }

    #[cold]
    fn call_or_sleep(&mut self) {
        let callback = self.waking.as_ref().and_then(|waking| waking.callback.clone());
        let Some(callback) = callback else { return };
        if self.sleep(Wake::Callback(Arc::clone(&callback))) == Sleep::Awake && self.closed().is_none() {
            contain(|| callback());
        }
    }

    fn check_closed(&self) -> Result<(), Closed> {
        self.closed().map_or(Ok(()), |reason| Err(Closed { reason: reason.clone() }))
    }

    fn tokens(&mut self) -> (Sender<()>, Receiver<()>) {
        self.waking.get_or_insert_default().tokens.get_or_insert_with(|| bounded(1)).clone()
    }
}

/// Does what is due after a drain when it goes, a drain that panicked included.
struct AfterDrain<'a> {
    inbox: &'a mut Inbox,
    /// How many deliveries it has handed out, as far as that is known of one that panicked.
    handed: usize,
}

impl AfterDrain<'_> {
    #[inline(always)]
    fn account(&mut self) {
        self.inbox.reader.count(self.handed);
        self.inbox.account();
    }
}

impl Drop for AfterDrain<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.account();
        self.inbox.watch();
    }
}

/// A wait that may be given up: then the callback, if there is one, is to be called again in place of the
/// task's waker.
struct Waiting<'a> {
    inbox: &'a mut Inbox,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.inbox.watch();
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.socket.disconnect(DisconnectReason::InboxDropped);
        self.namespace.order.counters().count_readings(self.reader.last_readings());
        let tape = &self.namespace.engine.tape;
        let hold = tape.hold();
        let (changes, wake) = self.socket.core().post().abandon();
        changes.into_iter().flat_map(|changes| changes.list).for_each(Change::release);
        self.reader.release();
        tape.inbox_dropped(self.socket.id());
        hold.end();
        drop(wake);
        tape.spill();
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

/// An iterator over what can be read now. Comes from [`Inbox::iter`].
#[derive(Debug)]
pub struct Iter<'a> {
    inbox: &'a mut Inbox,
}

impl Iterator for Iter<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.inbox.try_next().map(|delivery| delivery.to_message())
    }
}

impl<'a> IntoIterator for &'a mut Inbox {
    type Item = Message;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
