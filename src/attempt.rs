//! The way of a socket through the middlewares, to its connection.
//!
//! # Invariant
//!
//! An attempt waits at one place at most, and goes on from there once: by the decision, by the deadline, or
//! not at all if the connection is closed. Whoever takes the place out of `waiting` goes on.

use std::fmt;
use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use crate::clock::{Clock, TimerId};
use crate::decision::Decision;
use crate::foreign::catch;
use crate::handlers::panicked;
use crate::hub::Hub;
use crate::listeners::Snapshot;
use crate::payload::Payload;
use crate::registry::Middleware;
use crate::rejection::Rejection;
use crate::session::Dismiss;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::sync::{Mutex, OnceLock};

pub(crate) struct Attempt {
    pub(crate) socket: Socket,
    /// Until it goes to the transport, or the attempt fails.
    stream: Mutex<Option<Box<Stream>>>,
    /// If the client comes back to it: how it says it does.
    pub(crate) resume: Option<Resume>,
    host: Weak<dyn Host>,
    clock: Arc<Clock>,
    /// The middlewares as they were when it began.
    middlewares: OnceLock<SmallVec<[Snapshot<Middleware>; 2]>>,
    waiting: Mutex<Option<Waiting>>,
}

/// What an attempt is made on.
pub(crate) trait Host: Send + Sync {
    fn accept(self: Arc<Self>, attempt: &Arc<Attempt>);

    fn reject(self: Arc<Self>, attempt: &Arc<Attempt>, rejection: Rejection);
}

/// A client that wants to come back to a socket.
pub(crate) struct Resume {
    /// Which one of its connects it is.
    pub(crate) number: u64,
    pub(crate) auth: Payload,
}

struct Waiting {
    /// For this middleware's decision.
    place: usize,
    timer: Option<TimerId>,
}

impl Attempt {
    pub(crate) fn new(stream: Box<Stream>, host: Weak<dyn Host>, resume: Option<Resume>) -> Arc<Self> {
        let socket = stream.socket().clone();
        let clock = Arc::clone(&socket.core().namespace.engine.clock);
        let (stream, waiting) = (Mutex::new(Some(stream)), Mutex::new(None));
        Arc::new(Self { socket, stream, resume, host, clock, middlewares: OnceLock::new(), waiting })
    }

    /// Asks the middlewares one after the other, and then the host; when hooks for new namespaces have had
    /// their say. Under no lock.
    pub(crate) fn begin(self: &Arc<Self>) {
        let attempt = Arc::downgrade(self);
        Hub::of(&self.socket.core().namespace).gate.pass(move || {
            if let Some(attempt) = attempt.upgrade() {
                attempt.run(0);
            }
        });
    }

    /// Asks the middlewares from this place on, and then the host.
    fn run(self: &Arc<Self>, mut place: usize) {
        let Some(host) = self.host.upgrade() else { return };
        loop {
            // Given up by the client, or disconnected by the middleware before: the next ones are not asked.
            if let Some(reason) = self.socket.closed() {
                return host.reject(self, Rejection::new(reason.to_string()));
            }
            match self.middleware(place) {
                None => return host.accept(self),
                Some(Middleware::Now(middleware)) => match catch(|| middleware(&self.socket)) {
                    Ok(Ok(())) => place += 1,
                    Ok(Err(rejection)) => return host.reject(self, rejection),
                    Err(message) => {
                        self.report(message);
                        return host.reject(self, Rejection::new("internal error"));
                    }
                },
                Some(Middleware::Later(middleware)) => {
                    let decision = self.wait(place);
                    if let Err(message) = catch(|| middleware(&self.socket, decision)) {
                        self.report(message);
                    }
                    return;
                }
            }
        }
    }

    /// Ends the waiting for good, and returns the stream if it is still here.
    pub(crate) fn finish(&self) -> Option<Box<Stream>> {
        self.stop_waiting(None);
        self.stream.lock().take()
    }

    /// Waits at this place.
    fn wait(self: &Arc<Self>, place: usize) -> Decision {
        let timeout = self.socket.core().namespace.engine.config.middleware_timeout;
        *self.waiting.lock() = Some(Waiting { place, timer: None });
        if self.socket.closed().is_some() {
            Arc::clone(self).dismiss(); // whoever closed it before this has found nobody who waits
        }
        if let Some(timeout) = timeout {
            let attempt = Arc::downgrade(self);
            let timer = self.clock.schedule(self.clock.deadline(timeout), move || {
                if let Some(attempt) = attempt.upgrade() {
                    attempt.decide(place, Err(Rejection::new("timed out")));
                }
            });
            let waits = match &mut *self.waiting.lock() {
                Some(waiting) if waiting.place == place => {
                    waiting.timer = Some(timer);
                    true
                }
                _ => false,
            };
            if !waits {
                self.clock.cancel(timer);
            }
        }
        // Weakly: the connection has the attempt, and users may keep decisions for good.
        let attempt = Arc::downgrade(self);
        Decision::new(move |verdict| {
            if let Some(attempt) = attempt.upgrade() {
                attempt.decide(place, verdict);
            }
        })
    }

    fn decide(self: &Arc<Self>, place: usize, verdict: Result<(), Rejection>) {
        if !self.stop_waiting(Some(place)) {
            return;
        }
        match verdict {
            Ok(()) => self.run(place + 1),
            Err(rejection) => {
                if let Some(host) = self.host.upgrade() {
                    host.reject(self, rejection);
                }
            }
        }
    }

    /// Waits no more at this place, or at any; and returns whether it did.
    fn stop_waiting(&self, place: Option<usize>) -> bool {
        let stopped = self.waiting.lock().take_if(|waiting| place.is_none_or(|place| waiting.place == place));
        let Some(stopped) = stopped else { return false };
        if let Some(timer) = stopped.timer {
            self.clock.cancel(timer);
        }
        true
    }

    fn middleware(&self, mut place: usize) -> Option<&Middleware> {
        let lists = self.middlewares.get_or_init(|| {
            let hub = Hub::of(&self.socket.core().namespace);
            hub.registries().map(|registry| registry.middlewares.snapshot()).collect()
        });
        for list in lists {
            if place < list.len() {
                return list.at(place);
            }
            place -= list.len();
        }
        None
    }

    fn report(&self, message: Box<str>) {
        Hub::of(&self.socket.core().namespace).report(&self.socket, &panicked("middleware", None, message));
    }
}

impl Dismiss for Attempt {
    /// One that is being asked about sees to it itself; one that waits is rejected now.
    fn dismiss(self: Arc<Self>) {
        if !self.stop_waiting(None) {
            return;
        }
        if let (Some(host), Some(reason)) = (self.host.upgrade(), self.socket.closed()) {
            host.reject(&self, Rejection::new(reason.to_string()));
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("socket", &self.socket).finish_non_exhaustive()
    }
}
