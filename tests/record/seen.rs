//! What inboxes hand out, as far as it can be seen, to be compared.

use std::sync::{Arc, Mutex};

use roomcast::{Delivery, Inbox, Input, Payload, Replay, ReplayError, SocketId};

/// All that was handed out, in order, and to whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(SocketId, String)>>>);

impl Seen {
    pub(crate) fn see(&self, socket: SocketId, delivery: Delivery<'_>) {
        self.0.lock().unwrap().push((socket, line(delivery)));
    }

    /// What one socket saw.
    pub(crate) fn of(&self, socket: SocketId) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|(id, _)| *id == socket).map(|(_, line)| line.clone()).collect()
    }

    pub(crate) fn all(&self) -> Vec<(SocketId, String)> {
        self.0.lock().unwrap().clone()
    }
}

/// A delivery, with all that there is to it.
pub(crate) fn line(delivery: Delivery<'_>) -> String {
    let head =
        (delivery.sequence(), delivery.via(), delivery.sender(), delivery.is_volatile(), delivery.ack_id());
    format!("{head:?} {} {} {:?}", delivery.event(), words(delivery.payload()), delivery.gap())
}

/// Presence by what it says, all else as it shows itself.
fn words(payload: &Payload) -> String {
    payload
        .downcast_ref::<roomcast::PresenceState>()
        .map(|state| format!("{state:?}"))
        .or_else(|| payload.downcast_ref::<roomcast::PresenceDiff>().map(|diff| format!("{diff:?}")))
        .or_else(|| payload.downcast_ref::<roomcast::PresenceCount>().map(|count| format!("{count:?}")))
        .unwrap_or_else(|| format!("{payload:?}"))
}

/// Drains an inbox, and keeps what it hands out.
pub(crate) fn drain(seen: &Seen, inbox: &mut Inbox) {
    let id = inbox.id();
    inbox.drain(|delivery| seen.see(id, delivery));
}

/// Replays a file to its end.
pub(crate) fn replay(file: &[u8]) -> Seen {
    let (seen, ended) = replay_to(file);
    if let Err(error) = ended {
        panic!("{error}\n{}", listing(file));
    }
    seen
}

/// Replays a file as far as it goes.
pub(crate) fn replay_to(file: &[u8]) -> (Seen, Result<u64, ReplayError>) {
    let seen = Seen::default();
    let ended = Replay::open(file).and_then(|mut replay| {
        replay.run(|socket, delivery| seen.see(socket, delivery)).map(|()| replay.inputs())
    });
    (seen, ended)
}

/// The last inputs of a file, a line each.
pub(crate) fn listing(file: &[u8]) -> String {
    let mut lines = Vec::new();
    let Ok(mut replay) = Replay::open(file) else { return String::new() };
    while let Ok(Some(input)) = replay.step(|_, _| {}) {
        lines.push(format!("{}: {input}\n", replay.inputs()));
    }
    lines.split_off(lines.len().saturating_sub(40)).concat()
}

/// All inputs of a file.
pub(crate) fn inputs(file: &[u8]) -> Vec<Input> {
    let mut replay = Replay::open(file).unwrap();
    std::iter::from_fn(|| replay.step(|_, _| {}).unwrap()).collect()
}
