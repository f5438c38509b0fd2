//! The systems under test, and what they can do: all can do what [`System`] asks for, and some more than that.

pub use floor::{Floor, MutexAddWrite};
pub use push::Push;
pub use roomcast::Roomcast;
pub use tokio_broadcast::TokioBroadcast;
pub use tuned_push::TunedPush;

use crate::load::{PAYLOAD_BYTES, Tally};

mod floor;
mod push;
mod roomcast;
mod tokio_broadcast;
mod tuned_push;

/// Whatever is measured.
pub trait Peer {
    /// What criterion calls it.
    const ID: &str;

    /// Whether publishing takes a step for each member.
    const PUSHES: bool;

    /// A payload made beforehand: publishing it shares it and copies nothing.
    type Payload: Clone;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Self::Payload;

    fn bytes(payload: &Self::Payload) -> &[u8];
}

/// Sockets in rooms, each with an inbox of its own.
pub trait System: Peer + Sized {
    /// What it takes to publish to a room, looked up beforehand where that can be.
    type Room;

    /// A socket and its inbox.
    type Socket;

    /// Creates so many sockets that are in no room. None will ever be more than `unread` messages behind.
    fn new(sockets: usize, unread: usize) -> (Self, Vec<Self::Socket>);

    fn room(&self, name: &str) -> Self::Room;

    fn join(&self, socket: &mut Self::Socket, room: &Self::Room);

    /// What was published to the socket before is still for it.
    fn leave(&self, socket: &mut Self::Socket, room: &Self::Room);

    fn publish(&self, room: &Self::Room, payload: &Self::Payload);

    /// Publishes to all in the room but this one.
    fn publish_from(&self, sender: &Self::Socket, room: &Self::Room, payload: &Self::Payload);

    /// Has the socket read all that it has not read yet.
    fn drain(&self, socket: &mut Self::Socket) -> Tally;

    /// Makes calls from where the system wants them to come from.
    #[inline]
    fn within<T>(&self, calls: impl FnOnce() -> T) -> T {
        calls()
    }

    /// Has tasks of the system's own do what there is to do before sockets read.
    #[inline]
    fn settle(&self) {}
}

/// Rooms are joined and left by name.
pub trait ByName: System {
    fn join_by_name(&self, socket: &mut Self::Socket, room: &str);

    fn leave_by_name(&self, socket: &mut Self::Socket, room: &str);
}

/// A message goes to several rooms, once to each socket, and not to those in others.
pub trait Select: System {
    type Target;

    fn target(&self, to: &[Self::Room], except: &[Self::Room]) -> Self::Target;

    fn publish_to(&self, target: &Self::Target, payload: &Self::Payload);
}

/// A message goes to all sockets, whatever rooms they are in.
pub trait Everyone: System {
    fn publish_to_everyone(&self, payload: &Self::Payload);
}

/// A message goes to one socket.
pub trait Direct: System {
    fn send(&self, socket: &Self::Socket, payload: &Self::Payload);
}

/// A message is to be answered by each member.
pub trait Ask: System {
    /// What collects the answers.
    type Answers;

    fn ask(&self, room: &Self::Room, payload: &Self::Payload) -> Self::Answers;
}

/// An inbox that is empty sleeps until there is something.
pub trait Sleep: System {
    /// Waits for the next message, and returns the first word of its payload.
    fn next(&self, socket: &mut Self::Socket) -> impl Future<Output = u64>;
}
