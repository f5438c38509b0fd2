//! What becomes of what the server has sent: the calling of handlers and hooks, by the one who runs.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::client::ClientSocket;
use crate::client::link::Note;
use crate::client::peer::resolve;
use crate::error::EmitError;
use crate::foreign::catch;
use crate::handlers::panicked;
use crate::incoming::{AckSender, Incoming};
use crate::packet::ServerPacket;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Offset;
use crate::rejection::{Failure, Rejection};

impl ClientSocket {
    /// Takes what the server has sent.
    pub(super) fn take(&self, epoch: u64, packet: ServerPacket<'_>) {
        match packet {
            ServerPacket::Connect { id, session, resumption, .. } => {
                let is_begun = self.peer.wire.lock().accepted(epoch, id, session, resumption);
                if is_begun {
                    self.flush();
                    self.peer.connect.call_each(|hook| self.check("on_connect", catch(|| hook(self))));
                } else {
                    drop(self.peer.settle());
                }
            }
            ServerPacket::ConnectError { message, data, .. } => {
                let is_told = self.peer.wire.lock().rejected(epoch);
                if is_told {
                    self.tell_rejection(&Rejection::new(message).with_data(data.clone()));
                } else {
                    drop(self.peer.settle());
                }
            }
            ServerPacket::Event { delivery, offset, .. } => {
                let Some(session) = self.saw(epoch, offset) else { return };
                let ack = delivery.ack_id().map_or_else(AckSender::none, |id| {
                    let peer = Arc::downgrade(&self.peer);
                    AckSender::new(move |payload| match peer.upgrade() {
                        Some(peer) => peer.answer(session, id, payload),
                        None => Err(EmitError::Closed(DisconnectReason::Transport)),
                    })
                });
                let incoming = Incoming::new(SmolStr::new(delivery.event()), delivery.payload().clone(), ack);
                let report = |failure| self.report(&failure);
                self.peer.handlers.call_any(self, &incoming, report);
                self.peer.handlers.call(self, &incoming, report);
            }
            ServerPacket::Gap { gap, offset, .. } => {
                if self.saw(epoch, offset).is_some() {
                    self.peer.gap.call_each(|hook| self.check("on_gap", catch(|| hook(self, gap))));
                }
            }
            ServerPacket::Ack { id, payload, .. } => {
                if let Some(session) = self.saw(epoch, None) {
                    let key = self.peer.wire.lock().key(session);
                    self.core.acks.answer(id, key, payload.clone());
                }
            }
            ServerPacket::Disconnect { reason, .. } => {
                // One that goes with the connection is not meant for this socket.
                let connection = self.core.connection();
                let with_connection = connection.closed().as_ref() == Some(reason);
                let on_purpose = !with_connection || *reason == DisconnectReason::Server;
                let ended = {
                    let mut wire = self.peer.wire.lock();
                    let ended = wire.dismissed(epoch, reason, on_purpose);
                    if ended.is_some() {
                        self.core.note(Note::Disconnected(Arc::clone(&self.peer), reason.clone()));
                    }
                    ended
                };
                if let Some(ended) = ended {
                    resolve(&self.core.acks, ended, reason);
                }
                drop(self.peer.settle());
            }
        }
    }

    /// It has seen what has this offset: in this session, if that is live and of this connection.
    fn saw(&self, epoch: u64, offset: Option<Offset>) -> Option<u32> {
        self.peer.wire.lock().saw(epoch, offset)
    }

    /// Sends what waits.
    pub(super) fn flush(&self) {
        let is_done = self.peer.flush(|event, payload| self.tell_outgoing(event, payload));
        if !is_done {
            self.core.stick();
        }
    }

    pub(super) fn tell_end(&self, reason: &DisconnectReason) {
        self.peer.disconnect.call_each(|hook| self.check("on_disconnect", catch(|| hook(self, reason))));
    }

    pub(super) fn tell_rejection(&self, rejection: &Rejection) {
        self.peer
            .connect_error
            .call_each(|hook| self.check("on_connect_error", catch(|| hook(self, rejection))));
    }

    pub(super) fn tell_outgoing(&self, event: &str, payload: &Payload) {
        self.peer.handlers.call_outgoing(self, event, payload, |failure| self.report(&failure));
    }

    fn check(&self, place: &'static str, called: Result<(), Box<str>>) {
        if let Err(message) = called {
            self.report(&panicked(place, None, message));
        }
    }

    fn report(&self, failure: &Failure) {
        self.peer.error.call_each(|hook| drop(catch(|| hook(self, failure))));
    }
}
