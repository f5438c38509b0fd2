//! Events on their way in, as handlers get them, and answers to them.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::convert::IntoPayload;
use crate::error::{EmitError, EncodeError};
use crate::payload::Payload;
use crate::sync::{AtomicBool, Ordering};

/// An event from the other side, as catch-all handlers and packet middlewares get it. Cloning it copies no
/// content.
///
/// ```
/// let chat = roomcast::Engine::new().of("/chat")?;
/// chat.on_any(|socket, event| println!("{} sends {}: {:?}", socket.id(), event.event(), event.payload()));
/// chat.packet_middleware(|_socket, event| {
///     if event.event() == "msg" {
///         event.set_event("message"); // what old clients call it
///     }
///     match event.payload().len() {
///         0..=1000 => Ok(()),
///         _ => Err("too long".into()),
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Incoming {
    event: SmolStr,
    payload: Payload,
    ack: AckSender,
}

impl Incoming {
    pub(crate) fn new(event: SmolStr, payload: Payload, ack: AckSender) -> Self {
        Self { event, payload, ack }
    }

    /// Returns the event's name.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    pub(crate) fn name(&self) -> &SmolStr {
        &self.event
    }

    /// Returns what the event carries.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns what answers it. Does nothing if no answer was asked for.
    #[must_use]
    pub fn ack(&self) -> &AckSender {
        &self.ack
    }

    /// Puts another name in place of its own: a packet middleware sends it to other handlers.
    pub fn set_event(&mut self, event: impl AsRef<str>) {
        self.event = SmolStr::new(event);
    }

    /// Puts another payload in place of its own.
    ///
    /// # Errors
    ///
    /// If the payload cannot be encoded; then nothing has changed.
    pub fn set_payload(&mut self, payload: impl IntoPayload) -> Result<(), EncodeError> {
        self.payload = payload.into_payload()?;
        Ok(())
    }
}

/// Answers an event that asked for it, once. `Send`, `Sync`; clones are the same answer, so it can be kept
/// and used later, from any thread. Dropping it answers nothing.
#[derive(Clone)]
pub struct AckSender(Option<Arc<Answer>>);

struct Answer {
    is_sent: AtomicBool,
    send: Box<dyn Fn(Payload) -> Result<(), EmitError> + Send + Sync>,
}

impl AckSender {
    /// One that does nothing, as no answer was asked for.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(send: impl Fn(Payload) -> Result<(), EmitError> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Answer { is_sent: AtomicBool::new(false), send: Box::new(send) })))
    }

    /// Returns whether an answer was asked for and not sent yet.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|answer| !answer.is_sent.load(Ordering::Acquire))
    }

    /// Answers, and returns whether that was wanted: without effect the second time, and if no answer was
    /// asked for.
    ///
    /// The answer takes its place among the messages to the one who asked: after those emitted before it.
    ///
    /// # Errors
    ///
    /// If the payload cannot be encoded, or the one who asked is gone.
    pub fn send(&self, payload: impl IntoPayload) -> Result<bool, EmitError> {
        let Some(answer) = &self.0 else { return Ok(false) };
        let payload = payload.into_payload().map_err(EmitError::Encode)?;
        if answer.is_sent.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        (answer.send)(payload).map(|()| true)
    }
}

impl fmt::Debug for AckSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckSender").field("is_wanted", &self.is_wanted()).finish()
    }
}
