//! What a room, or whoever closes a socket, leaves in the socket's mailbox.

use super::{Before, Topic};
use crate::entry::Entry;
use crate::mailbox::Mailbox;
use crate::reason::DisconnectReason;
use crate::segment::{Cursor, Position};
use crate::sync::Arc;

/// What an inbox is told of its memberships.
#[derive(Debug)]
pub(crate) enum Change {
    /// The socket is a member from `since` on, which also names the membership.
    Joined { since: u64, room: Arc<Topic>, cursor: Cursor<Entry>, at: Position },
    /// It gets what was published before it joined. In a box: it is rare, and larger than the others.
    Past(Box<Before>),
    /// It is a member no more: it gets what is below `until`; `at` is what the room had taken in by then.
    Left { since: u64, until: u64, at: Position },
    /// All that is unread below `floor` is lost; so far that is `lost` messages of rooms that were
    /// joined and left again unread.
    Folded { floor: u64, lost: u64, exact: bool },
    /// The socket is being closed, at this sequence. It leaves its rooms one by one now, and who is still in one but
    /// has left another may be judged wrongly: so it gets nothing from here on. `Closed` follows.
    Cut { at: u64 },
    /// The socket is closed and has left its rooms: it gets what is below `at`.
    Closed { at: u64, reason: DisconnectReason },
}

impl Change {
    /// Lets go of it, and of what its room has kept for it alone.
    pub(crate) fn release(self) {
        let (room, cursor) = match self {
            Self::Joined { room, cursor, .. } => (room, cursor),
            Self::Past(before) => (before.room, before.cursor),
            _ => return,
        };
        drop(cursor);
        room.trim();
    }
}

/// The mailbox of a socket.
pub(crate) type Post = Mailbox<Change>;
