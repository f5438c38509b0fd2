//! What clients and the chat say to one another, and how much of it.

use std::fmt::Display;

use roomcast::{Event, Payload, Rejection};
use serde::{Deserialize, Serialize};

/// The path of the namespace.
pub(super) const CHAT: &str = "/chat";

/// The most characters in the name of a person.
pub(super) const MAX_NAME: usize = 20;
/// The most characters in the name of a room.
pub(super) const MAX_ROOM: usize = 32;
/// The most characters in what is said.
pub(super) const MAX_TEXT: usize = 2000;
/// The most characters in a question.
pub(super) const MAX_QUESTION: usize = 200;
/// The most seconds in which a question is to be answered.
pub(super) const MAX_SECONDS: u64 = 60;
/// The most rooms that one person is in.
pub(super) const MAX_ROOMS_EACH: usize = 32;
/// The most rooms of all: everybody has a list of them.
pub(super) const MAX_ROOMS_TOTAL: usize = 1000;

// From clients.
pub(super) const JOIN: Event<String> = Event::new("join");
pub(super) const LEAVE: Event<String> = Event::new("leave");
pub(super) const SAY: Event<Say> = Event::new("say");
pub(super) const WHO: Event<String> = Event::new("who");
pub(super) const ASK: Event<Ask> = Event::new("ask");
pub(super) const TYPING: Event<String> = Event::new("typing");

// To clients.
pub(super) const ROOMS: Event<Vec<Count>> = Event::new("rooms");
pub(super) const ROOM: Event<Count> = Event::new("room");
pub(super) const JOINED: Event<Joined> = Event::new("joined");
pub(super) const LEFT: Event<Left> = Event::new("left");
pub(super) const SAID: Event<Said> = Event::new("said");
pub(super) const ASKED: Event<Asked> = Event::new("asked");
pub(super) const OUTCOME: Event<Outcome> = Event::new("outcome");
pub(super) const IS_TYPING: Event<Typing> = Event::new("typing");

#[derive(Debug, Deserialize)]
pub(super) struct Say {
    pub(super) room: String,
    pub(super) text: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    pub(super) room: String,
    pub(super) question: String,
    pub(super) seconds: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) room: String,
    pub(super) count: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Members {
    pub(super) room: String,
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Serialize)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Joined {
    pub(super) room: String,
    pub(super) member: Member,
}

#[derive(Debug, Serialize)]
pub(super) struct Left {
    pub(super) room: String,
    pub(super) id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) room: String,
    pub(super) from: String,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Typing {
    pub(super) room: String,
    pub(super) from: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) room: String,
    pub(super) from: String,
    pub(super) question: String,
    pub(super) seconds: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) room: String,
    pub(super) from: String,
    pub(super) question: String,
    pub(super) yes: usize,
    pub(super) no: usize,
    pub(super) silent: usize,
}

/// Why the chat does not do what was asked.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    /// For people.
    error: String,
    /// For programs.
    code: &'static str,
}

impl Refused {
    pub(super) fn new(code: &'static str, error: impl Into<String>) -> Self {
        Self { error: error.into(), code }
    }
}

impl From<Refused> for Rejection {
    fn from(Refused { error, code }: Refused) -> Self {
        Self::new(error).with_data(Payload::json(format!(r#"{{"code":"{code}"}}"#)))
    }
}

/// Errors of the engine, which say that the client or the server is on its way out.
macro_rules! from_errors {
    ($($error:ty)*) => {$(
        impl From<$error> for Refused {
            fn from(error: $error) -> Self {
                Self::new("failed", error.to_string())
            }
        }
    )*};
}

from_errors! { roomcast::MembershipError roomcast::EmitError }

/// Names can be typed, told apart, and do no harm where they are shown.
pub(super) fn check_name(
    what: impl Display,
    name: &str,
    limit: usize,
    code: &'static str,
) -> Result<(), Refused> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let length = name.chars().count();
    if !(1..=limit).contains(&length) || !name.chars().all(is_good) {
        let error = format!("{what} is to have 1 to {limit} letters, digits and -_. and nothing else");
        return Err(Refused::new(code, error));
    }
    Ok(())
}

/// Text says something, and not too much.
pub(super) fn check_text(text: &str, limit: usize) -> Result<(), Refused> {
    if text.trim().is_empty() || text.chars().count() > limit {
        return Err(Refused::new("bad-text", format!("a text is to have 1 to {limit} characters")));
    }
    Ok(())
}
