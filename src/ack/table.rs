//! Who has yet to answer what: the bookkeeping of acknowledgements, one table per namespace.
//!
//! # Invariants
//!
//! * *One resolution per recipient.* A recipient is given a [`Fate`] once, under the pending's lock: it has answered, or
//!   it is gone. Who has none when the end comes has timed out.
//! * *One end.* A pending goes from `Open` to `Done` once, under its lock, when its recipients are known and
//!   none of them waits, or its time is over. Whoever does that gets its listener and its timer out, and
//!   nobody else can.
//! * *No registration is left.* Whoever made it `Done` takes it out of the table then, and only it does.
//! * *Nothing is missed.* A pending is in the table before the message is published. What comes before its
//!   recipients are known is remembered. Who is told to be [gone](AckTable::gone) is a recipient of nothing
//!   that is published later; so if it is one of a pending, then that was in the table by then.
//!
//! # Locks
//!
//! The table's, a pending's and the clock's: one at a time, none while another lock of the engine is held.
//! Payloads, wakers and callbacks are moved out, and run or dropped when the lock is released.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
// Pendings are held weakly by timers, and loom's `Arc` knows no `Weak`.
use std::sync::Arc;
use std::task::Waker;

use crate::ack::answers::Answers;
use crate::clock::{Clock, TimerId};
use crate::error::AckError;
use crate::foreign::contain;
use crate::members::Asked;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::sync::{Mutex, Sender};

/// The messages that are to be answered and are not done.
pub(crate) struct AckTable(Mutex<Table>);

struct Table {
    /// How many may wait for one socket, and how many broadcasts.
    limit: usize,
    /// The id of the next one.
    next: u64,
    /// Those to one socket. None of the inner maps is empty.
    direct: BTreeMap<SocketId, BTreeMap<u64, Arc<Pending>>>,
    broadcasts: BTreeMap<u64, Arc<Pending>>,
}

/// Why a message that is to be answered is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyAcks {
    pub(crate) limit: usize,
}

/// One message that is to be answered.
pub(crate) struct Pending {
    id: u64,
    /// The one socket that it is for, if it is for one.
    to: Option<SocketId>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Who is to be told of the end: the last that asked.
    listener: Option<Listener>,
    timer: Option<Timer>,
}

enum Phase {
    Open(Round),
    Done {
        /// Until somebody has taken them.
        answers: Option<Answers>,
        answered: usize,
        expected: usize,
    },
}

/// What has come in so far.
#[derive(Default)]
struct Round {
    /// Once they are known.
    recipients: Option<Asked>,
    /// Of those recipients that have one. Before those are known: of whoever answered or went.
    fates: BTreeMap<SocketId, Fate>,
    /// As they came.
    answers: Vec<(SocketId, Payload)>,
    is_expired: bool,
}

enum Fate {
    Answered,
    Gone(DisconnectReason),
}

/// Who is told that all is done.
pub(super) enum Listener {
    Task(Waker),
    /// For a thread that blocks; the channel has room for one token.
    Thread(Sender<()>),
    /// Is handed the answers.
    Callback(Box<dyn FnOnce(Answers) + Send>),
}

/// A timer that is of no use when all is done.
pub(super) struct Timer {
    pub(super) clock: Arc<Clock>,
    pub(super) id: TimerId,
}

/// What the one who brought the end has to see to, under no lock.
struct Ending {
    listener: Option<Listener>,
    /// For a callback.
    answers: Option<Answers>,
    timer: Option<Timer>,
}

impl AckTable {
    /// Creates a table with nothing in it, in which this many messages to one socket can be, and this many
    /// broadcasts.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Mutex::new(Table { limit, next: 0, direct: BTreeMap::new(), broadcasts: BTreeMap::new() }))
    }

    /// Registers a message that is about to be published, under the next id, from 0 up. `to` is the one
    /// socket that it is for, if it is for one: then nobody else can answer.
    ///
    /// It stays until it is done or [withdrawn](Self::withdraw), and it is not done before its recipients
    /// are [fixed](Self::fix_recipients). If there are too many already, nothing changes.
    pub(crate) fn open(&self, to: Option<SocketId>) -> Result<Arc<Pending>, TooManyAcks> {
        let state = State { phase: Phase::Open(Round::default()), listener: None, timer: None };
        let state = Mutex::new(state);
        let mut table = self.0.lock();
        let Table { limit, next: id, .. } = *table;
        let others = match &to {
            Some(socket) => table.direct.get(socket).map_or(0, BTreeMap::len),
            None => table.broadcasts.len(),
        };
        if others >= limit {
            return Err(TooManyAcks { limit });
        }
        table.next += 1;
        let pending = Arc::new(Pending { id, to, state });
        let among = match to {
            Some(socket) => table.direct.entry(socket).or_default(),
            None => &mut table.broadcasts,
        };
        among.insert(id, Arc::clone(&pending));
        Ok(pending)
    }

    /// Says who was sent the message, once, in the order in which they are to be listed. What others
    /// answered meanwhile is dropped. With none, or none that has yet to answer, it is done.
    pub(crate) fn fix_recipients(&self, pending: &Pending, recipients: Asked) {
        if let Some(strangers) = self.update(pending, |round| round.fix_recipients(recipients)) {
            release(strangers);
        }
    }

    /// Takes an answer. Returns false, and changes nothing, if there is no such message or it is done, or
    /// `from` is no recipient, has answered or is gone.
    ///
    /// While the recipients are not known, whoever has not answered yet may be one. O(log n) in what is in
    /// flight, in the recipients and in those left out; but for the first look into a list of recipients, which sorts it.
    pub(crate) fn answer(&self, id: u64, from: SocketId, payload: Payload) -> bool {
        let mut payload = Some(payload);
        let pending = self.find(id, from);
        let is_taken =
            pending.and_then(|pending| self.update(&pending, |round| round.answer(from, &mut payload)));
        release(payload);
        is_taken == Some(true)
    }

    /// Resolves all that this socket has yet to answer: it is disconnected. To be called when it can be a
    /// recipient no more of anything published later. O(what it has yet to answer, and broadcasts in flight).
    pub(crate) fn gone(&self, socket: SocketId, reason: &DisconnectReason) {
        for pending in self.concerning(socket) {
            self.update(&pending, |round| round.gone(socket, reason));
        }
    }

    /// Ends the waiting: whoever has not answered has timed out. Before the recipients are known, it is done
    /// as soon as they are.
    pub(crate) fn expire(&self, pending: &Pending) {
        self.update(pending, |round| round.is_expired = true);
    }

    /// Forgets a message: nobody asks for the answers, and nobody is told.
    pub(crate) fn withdraw(&self, pending: &Pending) {
        let mut state = pending.state.lock();
        let (answered, expected) = state.phase.counts();
        let done = Phase::Done { answers: None, answered, expected };
        let phase = std::mem::replace(&mut state.phase, done);
        let (listener, timer) = (state.listener.take(), state.timer.take());
        drop(state);
        match phase {
            Phase::Open(round) => {
                self.remove(pending);
                release(round.answers);
            }
            Phase::Done { answers, .. } => release(answers.into_iter().flatten()),
        }
        timer.into_iter().for_each(Timer::cancel);
        release(listener);
    }

    /// Returns how many messages are not done.
    pub(crate) fn len(&self) -> usize {
        let table = self.0.lock();
        table.direct.values().map(BTreeMap::len).sum::<usize>() + table.broadcasts.len()
    }

    /// Changes what is known of a message, unless it is done, and does what is due if it then is.
    fn update<R>(&self, pending: &Pending, change: impl FnOnce(&mut Round) -> R) -> Option<R> {
        let (result, ending) = pending.update(change)?;
        if let Some(Ending { listener, answers, timer }) = ending {
            self.remove(pending);
            timer.into_iter().for_each(Timer::cancel);
            if let Some(listener) = listener {
                listener.tell(answers.unwrap_or_default());
            }
        }
        Some(result)
    }

    fn find(&self, id: u64, from: SocketId) -> Option<Arc<Pending>> {
        let table = self.0.lock();
        let direct = table.direct.get(&from).and_then(|direct| direct.get(&id));
        direct.or_else(|| table.broadcasts.get(&id)).map(Arc::clone)
    }

    /// All that this socket may have to answer.
    fn concerning(&self, socket: SocketId) -> Vec<Arc<Pending>> {
        let table = self.0.lock();
        let direct = table.direct.get(&socket).into_iter().flat_map(BTreeMap::values);
        direct.chain(table.broadcasts.values()).map(Arc::clone).collect()
    }

    fn remove(&self, pending: &Pending) {
        let mut table = self.0.lock();
        let removed = match pending.to {
            Some(socket) => table.remove_direct(socket, pending.id),
            None => table.broadcasts.remove(&pending.id),
        };
        drop(table);
        drop(removed); // may be the last
    }
}

impl Table {
    fn remove_direct(&mut self, socket: SocketId, id: u64) -> Option<Arc<Pending>> {
        let direct = self.direct.get_mut(&socket)?;
        let removed = direct.remove(&id);
        if direct.is_empty() {
            self.direct.remove(&socket);
        }
        removed
    }
}

impl Pending {
    /// Returns what answers name it by.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the one socket that it is for, if it is for one.
    pub(super) fn to(&self) -> Option<SocketId> {
        self.to
    }

    /// Has `listener` told of the end in place of the one before; or gives it back with the answers, if it
    /// is done.
    ///
    /// # Panics
    ///
    /// If somebody has the answers already.
    pub(super) fn listen(&self, listener: Listener) -> Option<(Answers, Listener)> {
        let mut state = self.state.lock();
        if let Phase::Done { answers, .. } = &mut state.phase {
            let answers = answers.take();
            drop(state);
            return Some((answers.expect("the answers are taken once"), listener));
        }
        let before = state.listener.replace(listener);
        drop(state);
        drop(before); // a waker's `Drop` is user code
        None
    }

    /// Takes the answers, if it is done and nobody has them.
    pub(super) fn take(&self) -> Option<Answers> {
        match &mut self.state.lock().phase {
            Phase::Open(_) => None,
            Phase::Done { answers, .. } => answers.take(),
        }
    }

    /// Has `timer` cancelled at the end, and the one before now; or both now, if it is done.
    pub(super) fn set_timer(&self, timer: Timer) {
        let mut state = self.state.lock();
        let useless = match state.phase {
            Phase::Open(_) => state.timer.replace(timer),
            Phase::Done { .. } => Some(timer),
        };
        drop(state);
        useless.into_iter().for_each(Timer::cancel);
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Done { .. })
    }

    /// How many have answered, of how many.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.state.lock().phase.counts()
    }

    fn update<R>(&self, change: impl FnOnce(&mut Round) -> R) -> Option<(R, Option<Ending>)> {
        let mut state = self.state.lock();
        let Phase::Open(round) = &mut state.phase else { return None };
        let result = change(round);
        let ending = round.is_over().then(|| std::mem::take(round)).map(|round| state.end(round));
        Some((result, ending))
    }
}

impl State {
    fn end(&mut self, round: Round) -> Ending {
        let (answered, expected) = round.counts();
        let mut answers = Some(round.into_answers());
        let listener = self.listener.take();
        let for_listener = match &listener {
            Some(Listener::Callback(_)) => answers.take(),
            _ => None,
        };
        self.phase = Phase::Done { answers, answered, expected };
        Ending { listener, answers: for_listener, timer: self.timer.take() }
    }
}

impl Phase {
    fn counts(&self) -> (usize, usize) {
        match self {
            Self::Open(round) => round.counts(),
            Self::Done { answered, expected, .. } => (*answered, *expected),
        }
    }
}

impl Round {
    fn fix_recipients(&mut self, recipients: Asked) -> Vec<(SocketId, Payload)> {
        debug_assert!(self.recipients.is_none(), "fixed once");
        self.fates.retain(|socket, _| recipients.contains(*socket));
        let is_recipient = |(from, _): &(SocketId, Payload)| recipients.contains(*from);
        let (answers, strangers) = std::mem::take(&mut self.answers).into_iter().partition(is_recipient);
        self.answers = answers;
        self.recipients = Some(recipients);
        strangers
    }

    /// Takes the payload out if it is one that was waited for.
    fn answer(&mut self, from: SocketId, payload: &mut Option<Payload>) -> bool {
        let is_awaited = self.resolve(from, Fate::Answered);
        if is_awaited {
            self.answers.extend(payload.take().map(|payload| (from, payload)));
        }
        is_awaited
    }

    fn gone(&mut self, socket: SocketId, reason: &DisconnectReason) {
        self.resolve(socket, Fate::Gone(reason.clone()));
    }

    fn resolve(&mut self, socket: SocketId, to: Fate) -> bool {
        if self.recipients.as_ref().is_some_and(|recipients| !recipients.contains(socket)) {
            return false;
        }
        let Entry::Vacant(fate) = self.fates.entry(socket) else { return false };
        fate.insert(to);
        true
    }

    fn is_over(&self) -> bool {
        let recipients = self.recipients.as_ref();
        recipients.is_some_and(|recipients| self.is_expired || self.fates.len() == recipients.len())
    }

    fn counts(&self) -> (usize, usize) {
        (self.answers.len(), self.recipients.as_ref().map_or(0, Asked::len))
    }

    fn into_answers(self) -> Answers {
        let recipients = self.recipients.iter().flat_map(Asked::iter);
        let missing = recipients.filter_map(|socket| match self.fates.get(&socket) {
            None => Some((socket, AckError::TimedOut)),
            Some(Fate::Gone(reason)) => Some((socket, AckError::Disconnected(reason.clone()))),
            Some(Fate::Answered) => None,
        });
        Answers::new(self.answers, missing)
    }
}

impl Listener {
    /// Tells of the end. Under no lock: this is user code.
    pub(super) fn tell(self, answers: Answers) {
        match self {
            Self::Task(waker) => contain(|| waker.wake()),
            // Nobody else sends, so there is room.
            Self::Thread(token) => drop(token.try_send(())),
            Self::Callback(callback) => contain(|| callback(answers)),
        }
    }
}

impl Timer {
    fn cancel(self) {
        self.clock.cancel(self.id);
    }
}

/// Drops what users gave, one by one, each with an eye on its panics. Under no lock.
fn release<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(|value| contain(|| drop(value)));
}

impl fmt::Debug for AckTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckTable").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id).field("to", &self.to).finish_non_exhaustive()
    }
}
