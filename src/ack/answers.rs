//! What the recipients of one message answered.

use std::fmt;
use std::slice;
use std::vec;

use crate::error::AckError;
use crate::payload::Payload;
use crate::slab::SocketId;

/// What each recipient of a message answered, or why it did not: what [`Acks`](crate::Acks) come to.
///
/// First the answers, in the order in which they came; then the recipients whose answer is missing, in the
/// order in which they got the message. Each recipient is in it once.
///
/// ```
/// use roomcast::{AckError, Engine};
///
/// let game = Engine::new().of("/game")?;
/// let (ann, mut inbox) = game.connect();
/// let (bob, _bob_inbox) = game.connect();
///
/// let asked = game.emit_with_ack("vote", "pizza?")?;
/// inbox.drain(|delivery| assert!(ann.answer(delivery.ack_id().unwrap(), "yes")));
/// let answers = asked.cancel(); // those there are
///
/// assert!(answers.len() == 2 && !answers.is_complete());
/// for (socket, answer) in answers.answered() {
///     assert_eq!((socket, answer.as_str()), (ann.id(), Some("yes")));
/// }
/// for (socket, why) in answers.missing() {
///     assert_eq!((socket, why), (bob.id(), &AckError::TimedOut));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Answers {
    /// The first `answered` are `Ok`, and no others.
    all: Vec<Answer>,
    answered: usize,
}

/// A recipient with what became of it.
type Answer = (SocketId, Result<Payload, AckError>);

impl Answers {
    /// Puts them together: answers as they came, then those that are missing.
    pub(super) fn new(
        answers: Vec<(SocketId, Payload)>,
        missing: impl Iterator<Item = (SocketId, AckError)>,
    ) -> Self {
        let answered = answers.len();
        let answers = answers.into_iter().map(|(socket, payload)| (socket, Ok(payload)));
        Self { all: answers.chain(missing.map(|(socket, error)| (socket, Err(error)))).collect(), answered }
    }

    /// Returns an iterator over all recipients, with the answer of each or why it is missing.
    pub fn iter(&self) -> slice::Iter<'_, (SocketId, Result<Payload, AckError>)> {
        self.all.iter()
    }

    /// Returns what this socket answered, or why it did not; `None` if it was no recipient. O(recipients).
    #[must_use]
    pub fn get(&self, socket: SocketId) -> Option<&Result<Payload, AckError>> {
        self.all.iter().find_map(|(recipient, answer)| (*recipient == socket).then_some(answer))
    }

    /// Returns how many recipients there were, with an answer or without.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there were no recipients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether no answer is missing: every recipient answered, or there were none.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.answered == self.all.len()
    }

    /// Returns an iterator over those that answered, in the order in which they did, with their answers.
    pub fn answered(&self) -> impl Iterator<Item = (SocketId, &Payload)> {
        let answered = self.all[..self.answered].iter();
        answered.filter_map(|(socket, answer)| Some((*socket, answer.as_ref().ok()?)))
    }

    /// Returns an iterator over those that did not answer, with the reasons.
    pub fn missing(&self) -> impl Iterator<Item = (SocketId, &AckError)> {
        let missing = self.all[self.answered..].iter();
        missing.filter_map(|(socket, answer)| Some((*socket, answer.as_ref().err()?)))
    }
}

impl IntoIterator for Answers {
    type Item = (SocketId, Result<Payload, AckError>);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Answers {
    type Item = &'a (SocketId, Result<Payload, AckError>);
    type IntoIter = slice::Iter<'a, (SocketId, Result<Payload, AckError>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all.iter().map(|(socket, answer)| (socket, answer))).finish()
    }
}
