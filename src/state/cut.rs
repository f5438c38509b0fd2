//! The second half of closing: telling of it, when everything is cut off.

use super::{NamespaceCore, SocketCore};
use crate::name::RoomName;
use crate::reason::DisconnectReason;
use crate::sync::Arc;
use crate::trace;

/// What a socket that is closed keeps.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) reason: DisconnectReason,
    /// The rooms that it was in when it was closed, while it is said to be disconnecting.
    pub(super) rooms: Option<Box<[RoomName]>>,
    /// Whether it has yet to say good-bye.
    pub(super) is_leaving: bool,
}

/// A socket that was just closed. Those who wait for it have yet to be [told](Self::tell).
#[derive(Debug)]
#[must_use]
pub(crate) struct Cut {
    pub(super) socket: Arc<SocketCore>,
    pub(super) reason: DisconnectReason,
    pub(super) is_leaving: bool,
}

impl Cut {
    /// Tells whoever waits for their answers, of all of them; then the hooks of each, and those who watch its
    /// rooms. Under no lock.
    pub(crate) fn tell_all(cut: Vec<Self>) {
        cut.iter().for_each(Self::tell_askers);
        cut.into_iter().for_each(Self::tell_hooks);
    }

    /// The same for one.
    pub(crate) fn tell(self) {
        self.tell_askers();
        self.tell_hooks();
    }

    fn tell_askers(&self) {
        self.socket.namespace.acks.gone(self.socket.id(), &self.reason);
    }

    fn tell_hooks(self) {
        let Self { socket, reason, is_leaving } = self;
        let namespace = &socket.namespace;
        trace::disconnected(&namespace.path, socket.id(), &reason);
        let hooks = namespace.hooks.get();
        if let (true, Some(hooks)) = (is_leaving, hooks) {
            // Rooms are told of between its hooks, when their turn comes.
            hooks.closed(&socket, &reason);
            return;
        }
        NamespaceCore::tell_rooms(namespace);
        if let Some(hooks) = hooks {
            hooks.dismissed(&socket);
        }
        if !socket.is_surplus {
            NamespaceCore::vacate(namespace);
        }
    }
}
