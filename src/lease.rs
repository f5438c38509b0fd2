//! The right of a client to come back to its socket.
//!
//! # Invariants
//!
//! A lease is *held* by a connection, *lost*, or *over*, for good; and it changes under its lock. Its socket is told of
//! each change by a job, which is pushed under the lock too, so that the hooks see them in that order; that the socket is
//! disconnected is pushed after the lease is over, and so comes last.
//!
//! Whoever loses it is to *park* what its connection has to send, the stream: at once, or when the transport lets go of
//! it. Whoever *claims* it is called with the stream, once it is there: by the one who comes second. One who claims it
//! while another waits takes the other's place. So the stream has one owner at any time: an outbox, the lease, or
//! whoever was called with it; and that one holds the lease for its connection, parks the stream again, or ends the
//! socket. A lease that is over has no stream: it is given to nobody any more, and who waits for it is told so.
//!
//! In the table of leases are those that are not over. Those that are lost are there in the order in which they were,
//! and as many as may be: one more, and the first is given up.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

use crate::clock::TimerId;
use crate::defect::{self, Defect};
use crate::hub::Hub;
use crate::reason::DisconnectReason;
use crate::recovery::{Recovery, SessionKey};
use crate::sent::Limits;
use crate::session::{Job, Session, Tenure};
use crate::socket::Socket;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// The leases of an engine, on streams of this type.
pub(crate) struct Leases<S> {
    pub(crate) recovery: Recovery,
    table: Mutex<Table<S>>,
    /// How many leases there were, which numbers them.
    numbers: AtomicU64,
    secret: RandomState,
    resumed: AtomicU64,
    expired: AtomicU64,
}

struct Table<S> {
    by_key: HashMap<SessionKey, Arc<Lease<S>>>,
    /// Those that are lost, by how many were before.
    lost: BTreeMap<u64, Arc<Lease<S>>>,
    losses: u64,
}

pub(crate) struct Lease<S> {
    pub(crate) key: SessionKey,
    pub(crate) number: u64,
    pub(crate) socket: Socket,
    session: Arc<Session>,
    leases: Weak<Leases<S>>,
    state: Mutex<State<S>>,
}

/// A connection.
pub(crate) trait Holder: Send + Sync {
    /// Closes it, as its client has come by another one. Does nothing if it is closed.
    fn lost(&self);
}

/// How many sessions there are, and were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: usize,
    /// How many of these have no connection.
    pub(crate) away: usize,
    pub(crate) resumed: u64,
    pub(crate) expired: u64,
}

enum State<S> {
    Held(Weak<dyn Holder>),
    Lost(Box<Loss<S>>),
    Over,
}

struct Loss<S> {
    /// Its place among those that are lost.
    place: u64,
    reason: DisconnectReason,
    timer: TimerId,
    /// Unless it has yet to come, or somebody has it.
    stream: Option<S>,
    claim: Option<Claim<S>>,
}

/// Is called with the stream, or with nothing if there will be none.
pub(crate) type Claim<S> = Box<dyn FnOnce(Option<S>) + Send>;

impl<S: Send + 'static> Leases<S> {
    pub(crate) fn new(recovery: Recovery) -> Arc<Self> {
        let table = Table { by_key: HashMap::new(), lost: BTreeMap::new(), losses: 0 };
        Arc::new(Self {
            recovery,
            table: Mutex::new(table),
            numbers: AtomicU64::new(0),
            secret: RandomState::new(),
            resumed: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        })
    }

    /// A lease on a socket that is not open yet, held by this connection. None if its key is taken.
    pub(crate) fn grant(
        self: &Arc<Self>,
        socket: &Socket,
        holder: Weak<dyn Holder>,
    ) -> Option<Arc<Lease<S>>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let key = match &self.recovery.keys {
            Some(keys) => keys(),
            None => {
                let half = |half: u8| u128::from(self.secret.hash_one((number, half)));
                SessionKey::from_bits(half(0) << 64 | half(1))
            }
        };
        let session = Session::of(socket.core());
        let lease = Arc::new(Lease {
            key,
            number,
            socket: socket.clone(),
            session: Arc::clone(&session),
            leases: Arc::downgrade(self),
            state: Mutex::new(State::Held(holder)),
        });
        {
            let mut table = self.table.lock();
            if table.by_key.contains_key(&key) {
                return None;
            }
            table.by_key.insert(key, Arc::clone(&lease));
        }
        let weak: Weak<Lease<S>> = Arc::downgrade(&lease);
        let is_first = session.lease.set(weak).is_ok();
        debug_assert!(is_first, "a socket has one lease");
        Some(lease)
    }

    pub(crate) fn find(&self, key: SessionKey) -> Option<Arc<Lease<S>>> {
        self.table.lock().by_key.get(&key).map(Arc::clone)
    }

    /// How much of what is sent is held, for each.
    pub(crate) fn limits(&self) -> Limits {
        Limits { messages: self.recovery.messages, bytes: self.recovery.bytes }
    }

    pub(crate) fn stats(&self) -> Tally {
        let table = self.table.lock();
        Tally {
            sessions: table.by_key.len(),
            away: table.lost.len(),
            resumed: self.resumed.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
        }
    }

    /// Gives up those that were lost first, if more are lost than may be.
    fn keep_within_bounds(&self) {
        let surplus: Vec<_> = {
            let table = self.table.lock();
            let surplus = table.lost.len().saturating_sub(self.recovery.sessions);
            table.lost.iter().take(surplus).map(|(place, lease)| (*place, Arc::clone(lease))).collect()
        };
        surplus.iter().for_each(|(place, lease)| lease.expire(*place));
    }
}

impl<S: Send + 'static> Lease<S> {
    /// Hands over the stream of a lease that is lost: to who waits for it, or to who comes. Under no lock.
    pub(crate) fn park(&self, stream: S) {
        let claim = match &mut *self.state.lock() {
            State::Lost(loss) => match loss.claim.take_if(|_| !defect::is(Defect::DeafPark)) {
                Some(claim) => Ok((claim, stream)),
                None => {
                    debug_assert!(loss.stream.is_none(), "there is one stream");
                    loss.stream = Some(stream);
                    return;
                }
            },
            State::Held(_) | State::Over => Err(stream), // dropped below, under no lock
        };
        if let Ok((claim, stream)) = claim {
            claim(Some(stream));
        }
    }

    /// Calls `claim` with the stream, once it is there: that of one that is held is taken from its connection, which is
    /// closed as lost. Under no lock.
    pub(crate) fn claim(self: &Arc<Self>, claim: Claim<S>) {
        let mut claim = Some(claim);
        let stream = loop {
            let holder = match &mut *self.state.lock() {
                State::Held(holder) => holder.clone(),
                State::Lost(loss) => {
                    let stream = loss.stream.take();
                    if stream.is_none() {
                        std::mem::swap(&mut loss.claim, &mut claim);
                    }
                    break stream;
                }
                State::Over => break None,
            };
            if let Some(holder) = holder.upgrade() {
                holder.lost();
            }
            // Whoever closes it may not have come to that yet.
            if Arc::clone(self).lose(&DisconnectReason::Transport) {
                self.tell();
            }
        };
        if let Some(claim) = claim {
            claim(stream);
        }
    }

    /// This connection has it from now on, and returns whether it does: not if it is over. For the one who has the stream.
    pub(crate) fn hold(self: &Arc<Self>, holder: Weak<dyn Holder>) -> bool {
        let Some(leases) = self.leases.upgrade() else { return false };
        let loss = {
            let mut state = self.state.lock();
            let State::Lost(loss) = &mut *state else { return false };
            leases.table.lock().lost.remove(&loss.place);
            self.session.jobs.push_always(Job::Resumed);
            match std::mem::replace(&mut *state, State::Held(holder)) {
                State::Lost(loss) => loss,
                State::Held(_) | State::Over => return true,
            }
        };
        self.socket.core().namespace.engine.clock.cancel(loss.timer);
        leases.resumed.fetch_add(1, Ordering::Relaxed);
        if let Some(claim) = loss.claim {
            self.claim(claim); // by yet another connection
        }
        true
    }

    /// Ends its socket, with the reason for which it is lost. For the one who has the stream.
    pub(crate) fn end(&self) {
        self.end_if(|_| true);
    }

    /// Ends its socket, if it is lost, and this is its place among those that are.
    fn expire(&self, place: u64) {
        if let (true, Some(leases)) = (self.end_if(|loss| loss.place == place), self.leases.upgrade()) {
            leases.expired.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn end_if(&self, is_due: impl FnOnce(&Loss<S>) -> bool) -> bool {
        let loss = {
            let mut state = self.state.lock();
            match std::mem::replace(&mut *state, State::Over) {
                State::Lost(loss) if is_due(&loss) => loss,
                other => {
                    *state = other;
                    return false;
                }
            }
        };
        // From here on nobody gets it.
        self.socket.disconnect(loss.reason.clone());
        self.clear(State::Lost(loss));
        true
    }

    /// It is over, after this.
    fn clear(&self, old: State<S>) {
        if let Some(leases) = self.leases.upgrade() {
            let mut table = leases.table.lock();
            table.by_key.remove(&self.key);
            if let State::Lost(loss) = &old {
                table.lost.remove(&loss.place);
            }
        }
        let State::Lost(loss) = old else { return };
        let Loss { timer, stream, claim, .. } = *loss;
        self.socket.core().namespace.engine.clock.cancel(timer);
        if let Some(claim) = claim {
            claim(None);
        }
        drop(stream);
    }
}

impl<S: Send + 'static> Tenure for Lease<S> {
    fn lose(self: Arc<Self>, reason: &DisconnectReason) -> bool {
        let Some(leases) = self.leases.upgrade() else { return false };
        {
            let mut state = self.state.lock();
            match &*state {
                State::Over => return false,
                State::Lost(_) => return true,
                State::Held(_) => {}
            }
            let place = leases.table.lock().add_lost(&self);
            let clock = &self.socket.core().namespace.engine.clock;
            let weak = Arc::downgrade(&self);
            let timer = clock.schedule(clock.deadline(leases.recovery.time), move || {
                if let Some(lease) = weak.upgrade() {
                    lease.expire(place);
                }
            });
            self.session.jobs.push_always(Job::Lost(reason.clone()));
            let loss = Loss { place, reason: reason.clone(), timer, stream: None, claim: None };
            *state = State::Lost(Box::new(loss));
        }
        true
    }

    fn tell(&self) {
        let core = self.socket.core();
        Hub::of(&core.namespace).run(core, &self.session);
        if let Some(leases) = self.leases.upgrade() {
            leases.keep_within_bounds();
        }
    }

    fn over(&self) {
        let old = std::mem::replace(&mut *self.state.lock(), State::Over);
        self.clear(old);
    }

    fn is_lost(&self) -> bool {
        matches!(*self.state.lock(), State::Lost(_))
    }
}

impl<S> Table<S> {
    fn add_lost(&mut self, lease: &Arc<Lease<S>>) -> u64 {
        self.losses += 1;
        self.lost.insert(self.losses, Arc::clone(lease));
        self.losses
    }
}
