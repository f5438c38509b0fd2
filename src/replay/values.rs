//! What messages carry, back from a file.

use std::sync::Arc;

use super::stage::{Problem, id};
use crate::name::RoomName;
use crate::payload::Payload;
use crate::roster::{PresenceCount, PresenceDiff, PresenceEntry, PresenceState};
use crate::tape::wire::{Body, Name, Plain, Present};

/// Makes values of bytes.
pub(super) type DecodeValue = Box<dyn Fn(&[u8]) -> Option<Payload> + Send + Sync>;

/// What a replay has in place of a value in memory that was not encoded, or that nothing decodes: the payload is of this
/// type, and weighs what it weighed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unrecorded {
    /// What [`Recorder::values`](crate::Recorder::values) made of it, if it was asked.
    pub bytes: Option<Box<[u8]>>,
}

pub(super) fn payload(body: &Body<'_>, decode: Option<&DecodeValue>) -> Result<Payload, Problem> {
    Ok(match body {
        Body::Plain(body) => plain(body, decode)?,
        Body::PresenceState { room, version, entries } => {
            let entries = present(entries, decode)?;
            let state = PresenceState { room: name(room)?, version: *version, entries };
            let weight = state.weight();
            Payload::with_weight(Arc::new(state), weight)
        }
        Body::PresenceDiff { room, version, lists: [joins, leaves, updates] } => {
            let [joins, leaves, updates] =
                [present(joins, decode)?, present(leaves, decode)?, present(updates, decode)?];
            let diff = PresenceDiff { room: name(room)?, version: *version, joins, leaves, updates };
            let weight = diff.weight();
            Payload::with_weight(Arc::new(diff), weight)
        }
        Body::PresenceCount { room, keys } => {
            let keys = usize::try_from(*keys).unwrap_or(usize::MAX);
            Payload::from(Arc::new(PresenceCount { room: name(room)?, keys }))
        }
    })
}

fn plain(body: &Plain<'_>, decode: Option<&DecodeValue>) -> Result<Payload, Problem> {
    Ok(match body {
        Plain::Bytes(bytes) => Payload::from(bytes.0),
        Plain::Text(text) => Payload::from(*text),
        Plain::Json(text) => Payload::json(text),
        Plain::Value { weight, bytes } => {
            let weight = usize::try_from(*weight).unwrap_or(usize::MAX);
            let decoded = bytes.and_then(|bytes| decode?(bytes.0));
            if decoded.as_ref().is_some_and(|payload| payload.len() != weight) {
                return Err(Problem::Invalid("a value weighs something else when it is decoded"));
            }
            let unrecorded = || Unrecorded { bytes: bytes.map(|bytes| bytes.0.into()) };
            decoded.unwrap_or_else(|| Payload::with_weight(Arc::new(unrecorded()), weight))
        }
    })
}

fn present(list: &[Present<'_>], decode: Option<&DecodeValue>) -> Result<Vec<PresenceEntry>, Problem> {
    let entry = |present: &Present<'_>| {
        let (key, socket) = (present.key.into(), id(present.socket)?);
        Ok(PresenceEntry { key, socket, number: present.number, meta: plain(&present.meta, decode)? })
    };
    list.iter().map(entry).collect()
}

fn name(name: &Name<'_>) -> Result<RoomName, Problem> {
    name.get().ok_or(Problem::Invalid("a room has no name"))
}
