//! One socket of a client: what is registered with it, and what it sends.

use smol_str::SmolStr;

use crate::ack::table::AckTable;
use crate::client::ClientSocket;
use crate::client::wire::{Ended, Kept, Line, Outbound, Step, Wire};
use crate::delivery::Gap;
use crate::error::{EmitError, ReceiveError};
use crate::handlers::Handlers;
use crate::listeners::{List, ListenerId};
use crate::packet::ClientPacket;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::rejection::{Failure, Rejection};
use crate::sync::Mutex;

type RejectionHook = dyn Fn(&ClientSocket, &Rejection) + Send + Sync;
type ReasonHook = dyn Fn(&ClientSocket, &DisconnectReason) + Send + Sync;
type GapHook = dyn Fn(&ClientSocket, Gap) + Send + Sync;
type FailureHook = dyn Fn(&ClientSocket, &Failure) + Send + Sync;

pub(super) struct Peer {
    pub(super) path: Box<str>,
    pub(super) wire: Mutex<Wire>,
    pub(super) handlers: Handlers<ClientSocket>,
    pub(super) connect: List<dyn Fn(&ClientSocket) + Send + Sync>,
    pub(super) connect_error: List<RejectionHook>,
    pub(super) disconnect: List<ReasonHook>,
    pub(super) gap: List<GapHook>,
    pub(super) error: List<FailureHook>,
}

impl Peer {
    pub(super) fn new(path: Box<str>, wire: Wire) -> Self {
        Self {
            path,
            wire: Mutex::new(wire),
            handlers: Handlers::new(),
            connect: List::new(),
            connect_error: List::new(),
            disconnect: List::new(),
            gap: List::new(),
            error: List::new(),
        }
    }

    pub(super) fn remove(&self, id: ListenerId) -> bool {
        self.handlers.remove(id)
            || self.connect.remove(id)
            || self.connect_error.remove(id)
            || self.disconnect.remove(id)
            || self.gap.remove(id)
            || self.error.remove(id)
    }

    pub(super) fn clear(&self) {
        self.handlers.clear();
        self.connect.clear();
        self.connect_error.clear();
        self.disconnect.clear();
        self.gap.clear();
        self.error.clear();
    }

    /// Does what is due at the server, until nothing is, or somebody else is at it. Under no lock.
    pub(super) fn settle(&self) -> Result<(), ReceiveError> {
        loop {
            let step = self.wire.lock().next_step();
            match step {
                None => return Ok(()),
                Some(Step::Leave(line)) => {
                    // An error says that the connection is closed: then it is given up as well.
                    drop(line.connection.receive(ClientPacket::Disconnect { namespace: &self.path }));
                    self.wire.lock().left(line.epoch);
                }
                Some(Step::Ask(line, auth, kept)) => {
                    let namespace = &*self.path;
                    let packet = match kept {
                        Some(Kept { session, seen }) => {
                            ClientPacket::Resume { namespace, auth, session, seen }
                        }
                        None => ClientPacket::Connect { namespace, auth },
                    };
                    if let Err(error) = line.connection.receive(packet) {
                        self.wire.lock().not_asked(line.epoch);
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Sends an event on a line that was given for it.
    pub(super) fn send_event(
        &self,
        line: &Line,
        event: &str,
        payload: Payload,
        ack: Option<u64>,
    ) -> Result<(), ReceiveError> {
        self.send(line, ClientPacket::Event { namespace: &self.path, event, payload, ack })
    }

    /// Answers an event of a session.
    pub(super) fn answer(&self, session: u32, id: u64, payload: Payload) -> Result<(), EmitError> {
        let line = self.wire.lock().answer(session).map_err(EmitError::Closed)?;
        let packet = ClientPacket::Ack { namespace: &self.path, id, payload };
        self.send(&line, packet).map_err(|error| match error {
            ReceiveError::Closed(reason) => EmitError::Closed(reason),
            ReceiveError::Protocol(_) | ReceiveError::Busy => EmitError::Closed(DisconnectReason::Protocol),
        })
    }

    /// Sends what waits, in order, until it is not connected any more or the server takes in no more for now;
    /// then it returns false.
    pub(super) fn flush(&self, mut tell: impl FnMut(&SmolStr, &Payload)) -> bool {
        loop {
            let next = self.wire.lock().next_waiting();
            let Some((line, outbound)) = next else { return true };
            tell(&outbound.event, &outbound.payload);
            let Outbound { event, payload, ack } = &outbound;
            let sent = self.send_event(&line, event, payload.clone(), ack.map(|(id, _)| id));
            if sent.is_err() {
                let given_back = self.wire.lock().put_back(outbound);
                drop(given_back);
                return sent != Err(ReceiveError::Busy);
            }
        }
    }

    fn send(&self, line: &Line, packet: ClientPacket<'_>) -> Result<(), ReceiveError> {
        let received = line.connection.receive(packet);
        self.wire.lock().sent(line.epoch);
        // It may be that it was given up meanwhile. Who connects it again learns of errors by itself.
        drop(self.settle());
        received
    }
}

/// Has all that waits for an answer in a session told that there will be none. Under no lock.
pub(super) fn resolve(acks: &AckTable, ended: Ended, reason: &DisconnectReason) {
    drop(ended.unsent);
    acks.gone(ended.key, reason);
}
