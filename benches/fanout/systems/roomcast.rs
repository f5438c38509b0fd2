//! This crate, with handles resolved beforehand and default limits.
//!
//! Does more than the others with a message: it has an event, a place in an order over all rooms and direct
//! messages, and members are told of losses. Does less when it publishes: nothing is done for each member, and
//! the payload is counted once for the room. Readers do not count it.

use roomcast::{Acks, Backlog, Engine, EventHandle, Inbox, Namespace, Payload, Room, Target};

use super::{Ask, ByName, Direct, Everyone, Peer, Select, Sleep, System};
use crate::load::{PAYLOAD_BYTES, Tally, first_word};

pub struct Roomcast {
    namespace: Namespace,
    event: EventHandle,
}

impl Peer for Roomcast {
    const ID: &str = "roomcast";
    const PUSHES: bool = false;

    type Payload = Payload;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Payload {
        Payload::from(bytes)
    }

    fn bytes(payload: &Payload) -> &[u8] {
        payload.as_bytes().expect("payloads are bytes")
    }
}

impl System for Roomcast {
    type Room = Room;
    type Socket = Inbox;

    fn new(sockets: usize, unread: usize) -> (Self, Vec<Inbox>) {
        let default = Backlog::new();
        let backlog = if unread <= default.message_limit() {
            default
        } else {
            let large = default.messages(unread).and_then(|large| large.bytes(unread * 4 * PAYLOAD_BYTES));
            large.expect("good limits")
        };
        let namespace = Engine::builder().backlog(backlog).build().of("/bench").expect("a good path");
        let event = namespace.event("moved").expect("a good name");
        let sockets = (0..sockets).map(|_| namespace.connect().1).collect();
        (Self { namespace, event }, sockets)
    }

    fn room(&self, name: &str) -> Room {
        self.namespace.room(name).expect("a good name")
    }

    fn join(&self, inbox: &mut Inbox, room: &Room) {
        inbox.socket().join(room).expect("it is connected");
    }

    fn leave(&self, inbox: &mut Inbox, room: &Room) {
        inbox.socket().leave(room).expect("it is connected");
    }

    #[inline]
    fn publish(&self, room: &Room, payload: &Payload) {
        room.emit(&self.event, payload.clone()).expect("the namespace is open");
    }

    #[inline]
    fn publish_from(&self, sender: &Inbox, room: &Room, payload: &Payload) {
        room.emit_from(sender.socket(), &self.event, payload.clone()).expect("it is connected");
    }

    #[inline(always)]
    fn drain(&self, inbox: &mut Inbox) -> Tally {
        let mut sum = 0_u64;
        let deliveries = inbox.drain(|delivery| {
            let bytes = delivery.payload().as_bytes().expect("payloads are bytes");
            sum = sum.wrapping_add(first_word(bytes));
        });
        Tally { deliveries, sum }
    }
}

impl ByName for Roomcast {
    fn join_by_name(&self, inbox: &mut Inbox, room: &str) {
        inbox.socket().join(room).expect("it is connected");
    }

    fn leave_by_name(&self, inbox: &mut Inbox, room: &str) {
        inbox.socket().leave(room).expect("it is connected");
    }
}

impl Select for Roomcast {
    type Target = Target;

    fn target(&self, to: &[Room], except: &[Room]) -> Target {
        Target::new().to(to).except(except)
    }

    #[inline]
    fn publish_to(&self, target: &Target, payload: &Payload) {
        self.namespace.target(target).emit(&self.event, payload.clone()).expect("the namespace is open");
    }
}

impl Everyone for Roomcast {
    #[inline]
    fn publish_to_everyone(&self, payload: &Payload) {
        self.namespace.emit(&self.event, payload.clone()).expect("the namespace is open");
    }
}

impl Direct for Roomcast {
    #[inline]
    fn send(&self, inbox: &Inbox, payload: &Payload) {
        inbox.socket().emit(&self.event, payload.clone()).expect("it is connected");
    }
}

impl Ask for Roomcast {
    type Answers = Acks;

    #[inline]
    fn ask(&self, room: &Room, payload: &Payload) -> Acks {
        room.emit_with_ack(&self.event, payload.clone()).expect("few wait for answers")
    }
}

impl Sleep for Roomcast {
    async fn next(&self, inbox: &mut Inbox) -> u64 {
        let delivery = inbox.recv_async().await.expect("it is connected");
        first_word(delivery.payload().as_bytes().expect("payloads are bytes"))
    }
}
