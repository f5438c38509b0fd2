//! A session: one client, whichever transport carries it at present.
//!
//! # Invariants
//!
//! * *One writer, one reader.* Whoever holds `outbound` is the only one who takes what is to be sent, and whoever
//!   holds `inbound` the only one who brings what came: a poll and a post for as long as they take, a WebSocket for
//!   good. So nothing is lost or reordered when one transport hands over to another.
//! * *Closed once.* The first reason stays. From then on the session is found by nobody, and everybody who holds
//!   a half of it lets go.

use std::fmt;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::packet::{Packet, Received};
use super::reason::CloseReason;
use super::service::{Batch, Flow, Inbound, Outbound, Refused, Service};

/// How long one request is waited for that may have crossed with another, over another connection.
const CROSSING: Duration = Duration::from_millis(100);

pub(super) struct Session<S: Service> {
    pub(super) sid: Box<str>,
    pub(super) inbound: Mutex<S::Inbound>,
    pub(super) outbound: Mutex<S::Outbound>,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct State {
    carrier: Carrier,
    /// A ping is to be sent.
    is_ping_due: bool,
    /// When a ping has to be answered that is not.
    pong_due: Option<Instant>,
    /// It is to be closed when there is nothing left to send.
    ending: Option<CloseReason>,
    closed: Option<CloseReason>,
}

/// The transport that carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Polling,
    /// Polling still, with a WebSocket that wants to take over. When that was probed, polls are not kept waiting
    /// for long.
    Upgrading {
        is_probed: bool,
    },
    WebSocket,
}

/// What a transport is to do next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Send the batch, and come again.
    Send,
    /// Send the batch, and then nothing more.
    Last(CloseReason),
    /// Send nothing, and leave the sending to a transport that wants to take over.
    Yield,
    /// Stop: another transport has taken over.
    Replaced,
    /// Stop.
    Closed(CloseReason),
}

impl<S: Service> Session<S> {
    pub(super) fn new(
        sid: Box<str>,
        carrier: Carrier,
        (inbound, outbound): (S::Inbound, S::Outbound),
    ) -> Self {
        let state = State { carrier, is_ping_due: false, pong_due: None, ending: None, closed: None };
        let (inbound, outbound) = (Mutex::new(inbound), Mutex::new(outbound));
        Self { sid, inbound, outbound, state: watch::Sender::new(state) }
    }

    /// Pings the client once an interval, and closes the session if that is not answered. Returns why it was
    /// closed.
    pub(super) async fn beat(&self, interval: Duration, timeout: Duration) -> CloseReason {
        let mut state = self.state.subscribe();
        let mut ping_at = Instant::now();
        loop {
            // From ping to ping, and not from pong to ping: a client that is slow to answer is pinged as often.
            ping_at = Instant::now().max(ping_at + interval);
            tokio::select! {
                reason = closed(&mut state) => return reason,
                () = sleep_until(ping_at) => {}
            }
            let pong_due = ping_at + timeout;
            self.state.send_modify(|state| (state.is_ping_due, state.pong_due) = (true, Some(pong_due)));
            tokio::select! {
                answered = state.wait_for(|state| state.pong_due.is_none() || state.closed.is_some()) => {
                    drop(answered);
                }
                () = sleep_until(pong_due) => self.close(CloseReason::PingTimeout),
            }
        }
    }

    /// Closes it, unless it is closed already.
    pub(super) fn close(&self, reason: CloseReason) {
        self.state.send_if_modified(|state| {
            let is_first = state.closed.is_none();
            state.closed.get_or_insert(reason);
            is_first
        });
    }

    /// Closes it as soon as there is nothing left to send; at once if nobody is there to send it to.
    pub(super) fn end(&self) {
        let is_carried = self.outbound.try_lock().is_err();
        self.state.send_modify(|state| state.ending = Some(CloseReason::Shutdown));
        if !is_carried {
            self.close(CloseReason::Shutdown);
        }
    }

    /// Closes it because the client says so in a post. A poll that it has sent before is answered all the same.
    pub(super) async fn leave(&self) {
        self.state.send_modify(|state| state.ending = Some(CloseReason::Client));
        let _ = timeout(CROSSING, self.closed()).await;
        self.close(CloseReason::Client);
    }

    /// Whether it is closed, or about to be because the client is late.
    pub(super) fn is_closed(&self) -> bool {
        let state = self.state.borrow();
        state.closed.is_some() || state.pong_due.is_some_and(|due| due <= Instant::now())
    }

    pub(super) async fn closed(&self) -> CloseReason {
        closed(&mut self.state.subscribe()).await
    }

    pub(super) fn carrier(&self) -> Carrier {
        self.state.borrow().carrier
    }

    pub(super) fn set_carrier(&self, carrier: Carrier) {
        self.state.send_modify(|state| state.carrier = carrier);
    }

    /// Lets a WebSocket try to take over, if none does and none has.
    pub(super) fn begin_upgrade(&self) -> bool {
        self.state.send_if_modified(|state| {
            let is_free = state.carrier == Carrier::Polling;
            if is_free {
                state.carrier = Carrier::Upgrading { is_probed: false };
            }
            is_free
        })
    }

    /// Waits until there is something to do for a transport, and fills its batch.
    pub(super) async fn turn(&self, over: Carrier, outbound: &mut S::Outbound, batch: &mut Batch) -> Turn {
        const PROBED: Carrier = Carrier::Upgrading { is_probed: true };
        let mut states = self.state.subscribe();
        let was_probed = self.carrier() == PROBED;
        loop {
            let (carrier, ending) = {
                let state = states.borrow_and_update();
                if let Some(reason) = &state.closed {
                    return Turn::Closed(reason.clone());
                }
                (state.carrier, state.ending.clone())
            };
            if over == Carrier::Polling && carrier == Carrier::WebSocket {
                return Turn::Replaced;
            }
            if self.take_ping() {
                batch.push(Packet::ping());
            }
            if let Flow::Ended(words) = outbound.pull(batch) {
                return Turn::Last(CloseReason::Service(words));
            }
            if !batch.is_empty() {
                return Turn::Send;
            }
            if let Some(reason) = ending {
                return Turn::Last(reason);
            }
            let is_to_yield = carrier == PROBED;
            if is_to_yield && !was_probed {
                return Turn::Yield; // it waited when the probe came
            }
            // The client may have switched already, by a packet that is behind this poll.
            tokio::select! {
                () = outbound.ready() => {}
                _ = states.changed() => {}
                () = sleep(CROSSING), if is_to_yield => return Turn::Yield,
            }
        }
    }

    /// Takes in what the client has sent.
    pub(super) async fn take(
        &self,
        packet: Received<'_>,
        inbound: &mut S::Inbound,
    ) -> Result<(), CloseReason> {
        // Others get a turn, this client's own writer among them, however much has come.
        consume_budget().await;
        match packet {
            Received::Message(message) => tokio::select! {
                biased;
                received = inbound.receive(message) => {
                    received.map_err(|Refused(words)| CloseReason::Protocol(words))
                }
                reason = self.closed() => Err(reason),
            },
            Received::Pong => {
                self.state.send_modify(|state| state.pong_due = None);
                Ok(())
            }
            Received::Close => Err(CloseReason::Client),
            Received::Ping(_) => Err(CloseReason::protocol("pings are for the server to send")),
            Received::Upgrade => Err(CloseReason::protocol("there is nothing to upgrade")),
        }
    }

    /// Closes the session if what this returns is dropped: when a request is given up.
    pub(super) fn close_on_drop(&self) -> CloseOnDrop<'_, S> {
        CloseOnDrop(Some(self))
    }

    /// Whether it is time for a ping, which is then the caller's to send.
    fn take_ping(&self) -> bool {
        let mut is_due = false;
        self.state.send_if_modified(|state| {
            is_due = std::mem::take(&mut state.is_ping_due);
            false
        });
        is_due
    }
}

/// Closes a session when it is dropped.
pub(super) struct CloseOnDrop<'a, S: Service>(Option<&'a Session<S>>);

impl<S: Service> CloseOnDrop<'_, S> {
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl<S: Service> Drop for CloseOnDrop<'_, S> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.close(CloseReason::Transport);
        }
    }
}

async fn closed(state: &mut watch::Receiver<State>) -> CloseReason {
    let state = state.wait_for(|state| state.closed.is_some()).await;
    state.ok().and_then(|state| state.closed.clone()).unwrap_or(CloseReason::Transport)
}

impl<S: Service> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("sid", &self.sid).field("state", &*self.state.borrow()).finish()
    }
}
