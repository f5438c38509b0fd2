//! What users and the server say to one another: events that carry their type, and the answers to them.
//!
//! Values travel as they are, without encoding: all who hear a line get the same `Arc<Line>`. Over a network
//! the types would be `Serialize`, and emitted as `&line` with the feature `serde`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use roomcast::{Event, Payload};

/// The namespace of all users.
pub(crate) const CHAT: &str = "/chat";
/// The namespace of those among them who know the token.
pub(crate) const ADMIN: &str = "/admin";

pub(crate) type Name = Arc<str>;

// What users ask in `/chat`. The server answers each with a `Reply`.
pub(crate) const JOIN: Event<String> = Event::new("join");
pub(crate) const LEAVE: Event<String> = Event::new("leave");
pub(crate) const SAY: Event<Say> = Event::new("say");
pub(crate) const WHISPER: Event<Say> = Event::new("whisper");

// What admins ask in `/admin`. The server answers each with a `Reply`.
pub(crate) const ANNOUNCE: Event<String> = Event::new("announce");
pub(crate) const LIST: Event<()> = Event::new("list");
pub(crate) const KICK: Event<String> = Event::new("kick");
pub(crate) const CLOSE: Event<String> = Event::new("close");
pub(crate) const OPEN: Event<String> = Event::new("open");
pub(crate) const INVITE: Event<Invitation> = Event::new("invite");

// What the server tells users in `/chat`.
/// To a room.
pub(crate) const SAID: Event<Line> = Event::new("said");
/// To one user, who acknowledges it.
pub(crate) const WHISPERED: Event<Line> = Event::new("whispered");
/// To a room: who came and went.
pub(crate) const PRESENCE: Event<Presence> = Event::new("presence");
/// To one user.
pub(crate) const NOTE: Event<String> = Event::new("note");
/// To everyone.
pub(crate) const ANNOUNCED: Event<String> = Event::new("announced");

/// What the server tells admins in `/admin`: what happens.
pub(crate) const LOGGED: Event<String> = Event::new("logged");

/// Text for a room or a user.
#[derive(Debug)]
pub(crate) struct Say {
    pub(crate) to: String,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) user: String,
    pub(crate) room: String,
}

/// What somebody says, as others hear it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where, unless it is whispered.
    pub(crate) room: Option<String>,
    pub(crate) from: Name,
    pub(crate) text: String,
}

/// Somebody comes or goes.
#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) name: Name,
    pub(crate) change: Change,
    /// The room, unless it is all rooms.
    pub(crate) room: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Joined,
    Left,
    /// Is disconnected, and so has left all rooms.
    Gone,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joined => "has joined",
            Self::Left => "has left",
            Self::Gone => "is gone",
        })
    }
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is done: in words.
    Done(String),
    /// What was said is in the room, under this number, for so many others to hear.
    Delivered { number: u64, others: usize },
    /// Nothing has changed. Why, in words.
    Refused(String),
}

impl Reply {
    /// Reads an answer.
    pub(crate) fn read(payload: &Payload) -> Self {
        let reply = payload.downcast_ref().cloned();
        reply.unwrap_or_else(|| Self::Refused(format!("the answer makes no sense: {payload:?}")))
    }
}

/// Why the server does not do what was asked. Any error of roomcast becomes one by `?`.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

impl<E: Error> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Names of users and rooms can be typed, and do no harm to a terminal.
pub(crate) fn check_name(name: &str) -> Result<(), Refused> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.chars().count() > 32 || !name.chars().all(is_good) {
        let problem = "is no good name: use letters, digits and -_. and at most 32 of them";
        return Err(Refused(format!("{name:?} {problem}")));
    }
    Ok(())
}

/// `1 room`, `2 rooms`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
