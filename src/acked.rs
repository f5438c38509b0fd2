//! Emitting messages that are to be answered, and answering them.

use smol_str::SmolStr;

use crate::ack::table::TooManyAcks;
use crate::ack::{Ack, Acks};
use crate::broadcast::{Broadcast, aimed, disconnect_all};
use crate::convert::IntoPayload;
use crate::entry::{Audience, Frame};
use crate::error::EmitError;
use crate::event::{EventId, IntoEvent};
use crate::members::Asked;
use crate::namespace::Namespace;
use crate::payload::Payload;
use crate::recipients::Recipients;
use crate::room::Room;
use crate::socket::Socket;
use crate::state::{EngineCore, NamespaceCore};
use crate::sync::Arc;
use crate::target::Target;
use crate::topic::{Topic, Victims};

impl Broadcast<'_> {
    /// Emits a message that each recipient is to answer.
    ///
    /// It is for those who are addressed at this moment, and no others. Each answers once, or is disconnected,
    /// or has not answered when the [timeout](Acks::timeout) is over; then the answers are complete. For
    /// nobody they are from the start.
    ///
    /// Costs O(1) for one room, or for the whole namespace, as an emit does; but O(members) the first time, and again
    /// after somebody has joined or left, to list whose answers are awaited. For several rooms, or with one left out,
    /// that each time. The list is kept with the room until somebody joins or leaves.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let engine = roomcast::Engine::new();
    /// let game = engine.of("/game")?;
    /// let (ann, mut ann_inbox) = game.connect();
    /// let (bob, _bob_inbox) = game.connect();
    ///
    /// let votes = game.to([ann.id(), bob.id()]).emit_with_ack("vote", "pizza?")?.timeout(Duration::from_secs(5));
    /// ann_inbox.drain(|delivery| {
    ///     let id = delivery.ack_id().expect("an answer is wanted");
    ///     assert!(ann.answer(id, "yes"));
    /// });
    /// engine.tick(Duration::from_secs(5));
    /// let votes = votes.wait();
    /// assert_eq!(votes.get(ann.id()).unwrap().as_ref().unwrap().as_str(), Some("yes"));
    /// assert!(votes.get(bob.id()).unwrap().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); and if too many [wait already](crate::EngineBuilder::max_pending_acks).
    pub fn emit_with_ack<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Acks, EmitError> {
        let namespace = self.from.namespace();
        self.from.check()?;
        let event = event.resolve(&namespace.engine.events)?;
        let payload = payload.into_payload()?;
        let mut who = Recipients::new(self.from.sender(), self.from.is_excepted());
        who.find(namespace, &self.target)?;
        let acks = Acks::open(&namespace.acks, &namespace.engine.clock)?;
        acks.sent_to(publish(namespace, &who, event, payload, acks.id()));
        Ok(acks)
    }
}

impl Namespace {
    /// Emits a message that each socket is to answer. As [`Broadcast::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn emit_with_ack<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Acks, EmitError> {
        self.target(&Target::new()).emit_with_ack(event, payload)
    }
}

impl Room {
    /// Emits a message that each member is to answer. As [`Broadcast::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn emit_with_ack<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Acks, EmitError> {
        self.namespace().to(self).emit_with_ack(event, payload)
    }
}

impl Socket {
    /// Emits a message to this socket alone that it is to answer.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); and if it has [too many](crate::EngineBuilder::max_pending_acks) to answer.
    pub fn emit_with_ack<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Ack, EmitError> {
        let core = self.core();
        core.check_open()?;
        let namespace = &*core.namespace;
        let event = event.resolve(&namespace.engine.events)?;
        let payload = payload.into_payload()?;
        let topic = core.direct().map_err(EmitError::Closed)?;
        let ack = Ack::open(&namespace.acks, &namespace.engine.clock, self.id())?;
        if !publish_direct(namespace, topic, event, payload, Frame::Question(ack.id())) {
            core.check_open()?; // closed meanwhile
        }
        ack.sent();
        Ok(ack)
    }

    /// Answers a message that [wants an answer](crate::Delivery::ack_id), for a socket that is read by an
    /// inbox; and returns whether the answer was awaited. The second one is not, nor one that is late, nor one
    /// from a socket that was not asked. Callbacks that wait for it run in this call.
    pub fn answer(&self, ack_id: u64, payload: impl Into<Payload>) -> bool {
        self.core().namespace.acks.answer(ack_id, self.id(), payload.into())
    }

    /// Answers an event of the client, at this place in the order of messages to it.
    pub(crate) fn reply(&self, id: u64, payload: Payload) -> Result<(), EmitError> {
        let core = self.core();
        core.check_open()?;
        let topic = core.direct().map_err(EmitError::Closed)?;
        let name = EventId::Unlisted(SmolStr::new_static("ack"));
        if !publish_direct(&core.namespace, topic, name, payload, Frame::Answer(id)) {
            core.check_open()?; // closed meanwhile
        }
        Ok(())
    }
}

impl From<TooManyAcks> for EmitError {
    fn from(TooManyAcks { limit }: TooManyAcks) -> Self {
        Self::TooManyAcks { limit }
    }
}

/// Publishes a question to several sockets, and returns who is to answer.
fn publish(
    namespace: &NamespaceCore,
    who: &Recipients<'_>,
    event: EventId,
    payload: Payload,
    ack: u64,
) -> Asked {
    let entry = aimed(event, payload, Audience { frame: Frame::Question(ack), ..who.audience() });
    let mut victims = Victims::new();
    let EngineCore { tape, events, .. } = &*namespace.engine;
    let hold = tape.hold_for(&namespace.order, events, || (namespace.everyone.id(), 0), &entry);
    let (_, members) = Topic::publish_listed(&who.listed(), entry, &namespace.order, &mut victims, hold);
    tape.spill();
    disconnect_all(namespace, &victims);
    Asked::several(members, who.left_out())
}

/// Publishes to one socket, and returns whether it was there.
fn publish_direct(
    namespace: &NamespaceCore,
    topic: &Arc<Topic>,
    event: EventId,
    payload: Payload,
    frame: Frame,
) -> bool {
    let audience = Audience { frame, ..Audience::of_room(topic.id()) };
    let mut victims = Victims::new();
    let EngineCore { tape, events, .. } = &*namespace.engine;
    let entry = aimed(event, payload, audience);
    let hold = tape.hold_for(&namespace.order, events, || (namespace.everyone.id(), topic.id()), &entry);
    let published = topic.publish(entry, &namespace.order, &mut victims, hold);
    tape.spill();
    disconnect_all(namespace, &victims);
    published.is_some()
}
