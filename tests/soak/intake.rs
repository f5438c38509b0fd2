//! What a client does with what comes: it has it checked, and answers what asks.

use std::ops::ControlFlow::{self, Break, Continue};

use roomcast::{Ack, ClientPacket, Connection, Delivery, Gap, GapReason, Payload, Socket, Via};

use crate::checker::{Checker, Way};
use crate::lobby::Lobby;
use crate::tally::Tally;
use crate::world::{Message, PATH, World};

/// A room that is to disconnect the client if it falls behind.
#[derive(Debug)]
pub(crate) struct Strict {
    pub(crate) room: u32,
    /// When a drain was over, and how much the room had taken in before: for the last drain that was over when the
    /// oldest emit began that may disconnect the client, and all since. Whoever has found the client to be behind may
    /// come late to disconnecting it.
    pub(crate) read: Vec<(u64, u64)>,
    /// When the client has left it.
    pub(crate) left: Option<u64>,
}

/// A direct message that the client is to answer with its number.
pub(crate) struct Question {
    pub(crate) publisher: usize,
    pub(crate) number: u32,
    pub(crate) ack: Ack,
}

/// What was read in one go.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) messages: u64,
    /// Messages were missing of a room that is to disconnect who misses any.
    pub(crate) is_overrun: bool,
}

/// What deliveries go into.
pub(crate) struct Intake<'a> {
    pub(crate) world: &'a World,
    pub(crate) socket: &'a Socket,
    pub(crate) connection: Option<Connection>,
    pub(crate) checker: &'a mut Checker,
    pub(crate) questions: &'a mut Vec<Question>,
    pub(crate) strict: &'a [Strict],
    pub(crate) lobby: &'a mut Lobby,
    pub(crate) limit: u64,
    /// Nothing is to come that was begun to be emitted later, by the world's clock.
    pub(crate) until: u64,
    pub(crate) taken: &'a mut Taken,
    pub(crate) tally: &'a mut Tally,
}

impl Intake<'_> {
    #[inline]
    pub(crate) fn delivery(&mut self, delivery: &Delivery<'_>) -> ControlFlow<()> {
        if let Some(gap) = delivery.gap() {
            if delivery.room() == Some(self.world.lobbies[self.lobby.number].room().name()) {
                _ = self.lobby.lost();
                self.tally.untold += gap.missed;
                return Continue(());
            }
            // Whatever it had not read is in this one, what it was to be told of presence too.
            if gap.reason == GapReason::Memberships && self.lobby.lost() {
                self.checker.may_have_lost(gap.missed);
            }
            let is_it = |strict: &Strict| {
                strict.left.is_none() && Some(&self.world.names[strict.room as usize]) == delivery.room()
            };
            self.taken.is_overrun |= self.strict.iter().any(is_it);
            return self.gap(gap);
        }
        let Some(message) = delivery.payload().downcast_ref::<Message>() else {
            return self.told(delivery);
        };
        if message.began > self.until {
            self.checker.violated("of a later tick than it reads to", message);
        }
        let way = match delivery.via() {
            Some(Via::Namespace) => Way::Everyone,
            Some(Via::Direct) => Way::Direct,
            Some(Via::Room(name)) => {
                let mut rooms = self.world.rooms_of(message.audience).into_iter().flatten();
                match rooms.find(|room| self.world.names[*room as usize] == *name) {
                    Some(room) => Way::Room(room),
                    None => self.checker.violated("by a room that it was not addressed to", delivery),
                }
            }
            other => self.checker.violated("by no way that there is", &other),
        };
        self.checker.message(self.world, message, delivery.sequence(), way);
        if let Some(id) = delivery.ack_id() {
            self.answer(id, message);
        }
        self.tally.delivered += 1;
        self.count()
    }

    /// What it is told of who is present.
    fn told(&mut self, delivery: &Delivery<'_>) -> ControlFlow<()> {
        match self.lobby.told(self.world, delivery) {
            Ok(true) => {}
            Ok(false) => self.checker.violated("no message of this run", delivery),
            Err(mistake) => self.checker.violated("of who is present", &mistake),
        }
        self.tally.told += 1;
        self.count()
    }

    fn count(&mut self) -> ControlFlow<()> {
        self.taken.messages += 1;
        if self.taken.messages == self.limit { Break(()) } else { Continue(()) }
    }

    pub(crate) fn gap(&mut self, gap: Gap) -> ControlFlow<()> {
        self.checker.gap(gap);
        self.tally.gaps += 1;
        self.tally.missed += gap.missed;
        self.tally.inexact += u64::from(!gap.exact);
        Continue(())
    }

    fn answer(&mut self, id: u64, message: &Message) {
        let Message { publisher, number, .. } = *message;
        let is_it = |question: &Question| (question.publisher, question.number) == (publisher, number);
        let Some(place) = self.questions.iter().position(is_it) else {
            self.checker.violated("a question that nobody has asked", message)
        };
        let Question { ack, .. } = self.questions.swap_remove(place);
        let answer = Payload::from(number.to_le_bytes());
        match &self.connection {
            Some(connection) => {
                let packet = ClientPacket::Ack { namespace: PATH, id, payload: answer.clone() };
                _ = connection.receive(packet);
            }
            None => _ = self.socket.answer(id, answer.clone()),
        }
        let is_connected = self.socket.is_connected();
        let got = ack.cancel();
        if got.as_ref() == Ok(&answer) {
            self.tally.answered += 1;
        } else if is_connected {
            self.checker.violated("and its answer has not come", &(message, got));
        }
    }
}
