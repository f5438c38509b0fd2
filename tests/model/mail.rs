//! Messages that can be told apart.

use std::sync::Arc;

use roomcast::Payload;

use crate::Check;

/// Event names. With a small [`event_names`](roomcast::EngineBuilder::event_names) some of them travel with
/// their messages.
pub(crate) const EVENTS: [&str; 4] = ["moved", "said", "left", "an event with a rather long name"];

/// The smallest payload: it holds the number of the message.
pub(crate) const MIN_SIZE: usize = 8;

/// One message: its number, its event and how many bytes its payload counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) id: u64,
    pub(crate) event: usize,
    pub(crate) size: usize,
}

impl Mail {
    /// Bytes, text and values in turn.
    pub(crate) fn payload(self) -> Payload {
        let Self { id, size, .. } = self;
        match id % 3 {
            0 => {
                let mut bytes = id.to_le_bytes().to_vec();
                bytes.resize(size, 0);
                bytes.into()
            }
            1 => format!("{id:0size$}").into(),
            _ => Payload::with_weight(Arc::new(id), size),
        }
    }

    pub(crate) fn read(event: &str, payload: &Payload) -> Check<Self> {
        let event = EVENTS.iter().position(|name| *name == event).ok_or(format!("event {event:?}"))?;
        let id = if let Some(text) = payload.as_str() {
            text.parse().ok()
        } else if let Some(bytes) = payload.as_bytes() {
            bytes.first_chunk().map(|id| u64::from_le_bytes(*id))
        } else {
            payload.downcast_ref().copied()
        };
        let id = id.ok_or(format!("payload {payload:?}"))?;
        Ok(Self { id, event, size: payload.len() })
    }
}
