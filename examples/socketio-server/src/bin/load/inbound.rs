//! What one client has heard, checked against what it is to hear: each message once, in order, from its rooms alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::plan::Plan;

/// A message, as the chat delivers it.
#[derive(Debug, Deserialize)]
pub(crate) struct Said<'a> {
    #[serde(borrow)]
    pub(crate) room: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) from: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
}

/// What the text of a message says: who sent it, which of its messages it is, and when, from when speaking began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) sender: u32,
    pub(crate) number: u32,
    pub(crate) at: Duration,
}

/// Names of clients and rooms, as no other run uses them at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    run: u32,
}

/// What one client has heard.
#[derive(Debug)]
pub(crate) struct Inbound<'a> {
    plan: &'a Plan,
    names: Names,
    client: u32,
    /// For each sender, the number of the next message of its that is to come.
    next: HashMap<u32, u32>,
    pub(crate) count: u64,
}

/// What is wrong with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Its text is nobody's of this run.
    Garbled(String),
    Own(u32),
    NotInRoom(String),
    /// It is said to be from, or in, what its text does not say.
    Mislabelled(String),
    Repeated {
        sender: u32,
        number: u32,
    },
    Missing {
        sender: u32,
        number: u32,
        expected: u32,
    },
}

impl Names {
    pub(crate) fn of_this_run() -> Self {
        Self { run: std::process::id() }
    }

    pub(crate) fn client(self, client: u32) -> String {
        format!("load-{:x}-{client}", self.run)
    }

    pub(crate) fn room(self, room: u32) -> String {
        format!("load-{:x}-{room}", self.run)
    }
}

impl<'a> Inbound<'a> {
    pub(crate) fn new(plan: &'a Plan, names: Names, client: u32) -> Self {
        Self { plan, names, client, next: HashMap::new(), count: 0 }
    }

    /// Takes a message in, and returns its words if it is the right one.
    pub(crate) fn take(&mut self, said: &Said<'_>) -> Result<Words, Wrong> {
        let words: Words = said.text.parse().map_err(|()| Wrong::Garbled(said.text.to_string()))?;
        let Words { sender, number, .. } = words;
        if sender >= self.plan.clients() || number >= self.plan.messages() {
            return Err(Wrong::Garbled(said.text.to_string()));
        }
        let room = self.plan.room_of(sender, number);
        if said.from != self.names.client(sender) || said.room != self.names.room(room) {
            return Err(Wrong::Mislabelled(format!("{said:?}")));
        }
        if sender == self.client {
            return Err(Wrong::Own(number));
        }
        if !self.plan.is_in(self.client, room) {
            return Err(Wrong::NotInRoom(said.room.to_string()));
        }
        let next = self.next.entry(sender).or_default();
        // What the sender said where this client is not is passed over.
        let is_here = |number: &u32| self.plan.is_in(self.client, self.plan.room_of(sender, *number));
        let expected = (*next..=number).find(is_here);
        match expected {
            Some(expected) if expected == number => {
                *next = number + 1;
                self.count += 1;
                Ok(words)
            }
            Some(expected) => Err(Wrong::Missing { sender, number, expected }),
            None => Err(Wrong::Repeated { sender, number }),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sender, self.number, self.at.as_nanos())
    }
}

impl FromStr for Words {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(' ');
        let mut part = || parts.next()?.parse::<u64>().ok();
        let (sender, number, nanoseconds) = (part().ok_or(())?, part().ok_or(())?, part().ok_or(())?);
        let small = |number: u64| u32::try_from(number).map_err(drop);
        Ok(Self { sender: small(sender)?, number: small(number)?, at: Duration::from_nanos(nanoseconds) })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled(text) => write!(f, "a message that nobody sent: {text:?}"),
            Self::Own(number) => write!(f, "its own message {number}"),
            Self::NotInRoom(room) => write!(f, "a message from {room}, which it is not in"),
            Self::Mislabelled(said) => write!(f, "a message of somebody else or elsewhere: {said}"),
            Self::Repeated { sender, number } => {
                write!(f, "message {number} of {sender} once more, or too late")
            }
            Self::Missing { sender, number, expected } => {
                write!(f, "message {number} of {sender}, where {expected} was next")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::Options;

    /// Four clients in a ring of four rooms, each in two: 1 shares room 1 with 0, and room 2 with 2.
    fn plan() -> Plan {
        let arguments = "load --url http://127.0.0.1:1 --clients 4 --rooms 4 --rooms-each 2 --messages 6";
        Plan::new(&Options::parse_from(arguments.split(' ')))
    }

    fn said(names: Names, sender: u32, room: u32, number: u32) -> Said<'static> {
        let text = Words { sender, number, at: Duration::ZERO }.to_string();
        Said { room: names.room(room).into(), from: names.client(sender).into(), text: text.into() }
    }

    #[test]
    fn takes_each_message_once_and_in_order() {
        let (plan, names) = (plan(), Names { run: 7 });
        let mut inbound = Inbound::new(&plan, names, 1);
        // Of 0 it hears every other message, those to room 1; of 2 those to room 2.
        for (sender, room, number) in [(0, 1, 1), (2, 2, 0), (0, 1, 3), (0, 1, 5), (2, 2, 2)] {
            assert_eq!(
                inbound.take(&said(names, sender, room, number)).map(|words| words.number),
                Ok(number)
            );
        }
        assert_eq!(inbound.count, 5);
        assert_eq!(inbound.take(&said(names, 2, 2, 2)), Err(Wrong::Repeated { sender: 2, number: 2 }));
        assert_eq!(inbound.take(&said(names, 2, 2, 0)), Err(Wrong::Repeated { sender: 2, number: 0 }));
    }

    #[test]
    fn notices_what_is_wrong() {
        let (plan, names) = (plan(), Names { run: 7 });
        let mut inbound = Inbound::new(&plan, names, 1);
        assert_eq!(
            inbound.take(&said(names, 0, 1, 3)),
            Err(Wrong::Missing { sender: 0, number: 3, expected: 1 })
        );
        assert_eq!(inbound.take(&said(names, 1, 1, 0)), Err(Wrong::Own(0)));
        assert_eq!(inbound.take(&said(names, 0, 0, 0)), Err(Wrong::NotInRoom("load-7-0".to_owned())));
        assert!(matches!(inbound.take(&said(names, 0, 2, 1)), Err(Wrong::Mislabelled(_))));
        assert!(matches!(inbound.take(&said(Names { run: 8 }, 0, 1, 1)), Err(Wrong::Mislabelled(_))));
        for (sender, number) in [(4, 0), (0, 6)] {
            assert!(matches!(inbound.take(&said(names, sender, 1, number)), Err(Wrong::Garbled(_))));
        }
        let nonsense = Said { text: "hello".into(), ..said(names, 0, 1, 1) };
        assert_eq!(inbound.take(&nonsense), Err(Wrong::Garbled("hello".to_owned())));
        assert_eq!(inbound.count, 0);
    }
}
