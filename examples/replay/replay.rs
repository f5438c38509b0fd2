//! The channels of a log, played through the engine: a socket per nick, a room per channel.

use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;

use roomcast::{Engine, EventHandle, Inbox, Namespace, Room, Socket};

use crate::parse::{Line, Parser};

/// Everyone reads after this many emits at the latest, ...
///
/// Far within what an engine keeps by default for those who do not read: 4096 messages and 16 MiB in each
/// room. A line moves a socket into or out of one room and emits once, so the 1024 changes of rooms that an
/// engine remembers for a socket are never reached either.
const BATCH_MESSAGES: usize = 512;
/// ... or this many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// Where everybody talks.
const UBUNTU: &str = "#ubuntu";

/// The figures of one log. What was received is counted at the inboxes, and nowhere else.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sockets: usize,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
    pub(crate) renames: u64,
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    pub(crate) bytes: u64,
    pub(crate) max_inbox: u64,
}

/// Replays a log through an engine of its own.
pub(crate) fn replay(log: impl BufRead) -> Result<Summary, Box<dyn Error>> {
    // Names of channels come from the log, so the longest that can be are none too long.
    let engine = Engine::builder().max_name_bytes(1 << 16)?.build();
    replay_on(&engine, log)
}

fn replay_on(engine: &Engine, mut log: impl BufRead) -> Result<Summary, Box<dyn Error>> {
    let parser = Parser::new();
    let mut replay = Replay::new(engine)?;
    let mut line = Vec::new();
    let mut number = 0_u64;
    while log.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if let Some(line) = parser.parse(&line) {
            replay.play(line).map_err(|error| format!("line {number}: {error}"))?;
        }
        line.clear();
    }
    replay.finish()
}

struct Replay {
    irc: Namespace,
    ubuntu: Room,
    joined: EventHandle,
    left: EventHandle,
    renamed: EventHandle,
    message: EventHandle,
    /// In the order in which they connected.
    users: Vec<User>,
    /// Places in `users`.
    by_nick: HashMap<String, usize>,
    summary: Summary,
    /// What was emitted since everyone read.
    unread_messages: usize,
    unread_bytes: usize,
}

struct User {
    inbox: Inbox,
    received: u64,
}

impl Replay {
    fn new(engine: &Engine) -> Result<Self, Box<dyn Error>> {
        let irc = engine.of("/irc")?;
        Ok(Self {
            ubuntu: irc.room(UBUNTU)?,
            joined: irc.event("joined")?,
            left: irc.event("left")?,
            renamed: irc.event("renamed")?,
            message: irc.event("message")?,
            irc,
            users: Vec::new(),
            by_nick: HashMap::new(),
            summary: Summary::default(),
            unread_messages: 0,
            unread_bytes: 0,
        })
    }

    fn play(&mut self, line: Line<'_>) -> Result<(), Box<dyn Error>> {
        match line {
            Line::Joined { nick, channel } => self.join(&nick, &channel),
            Line::Left { nick, channel } => self.leave(&nick, &channel),
            Line::Renamed { from, to } => self.rename(&from, &to),
            Line::Said { nick, text } => self.say(&nick, &text),
        }
    }

    fn join(&mut self, nick: &str, channel: &str) -> Result<(), Box<dyn Error>> {
        self.make_room(nick.len())?;
        let socket = self.connected(nick);
        if socket.join(channel)? == 1 {
            socket.to(channel).emit(&self.joined, nick)?;
            self.summary.joins += 1;
        }
        Ok(())
    }

    fn leave(&mut self, nick: &str, channel: &str) -> Result<(), Box<dyn Error>> {
        let Some(socket) = self.socket(nick) else { return Ok(()) };
        if socket.leave(channel)? == 1 {
            self.make_room(nick.len())?;
            socket.to(channel).emit(&self.left, nick)?;
            self.summary.leaves += 1;
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Box<dyn Error>> {
        if self.by_nick.contains_key(to) {
            return Ok(());
        }
        let Some(place) = self.by_nick.remove(from) else { return Ok(()) };
        self.by_nick.insert(to.to_owned(), place);
        self.make_room(to.len())?;
        let socket = self.users[place].inbox.socket();
        // A union: who shares several rooms with it hears of it once.
        socket.to(socket.rooms()).emit(&self.renamed, to)?;
        self.summary.renames += 1;
        Ok(())
    }

    fn say(&mut self, nick: &str, text: &str) -> Result<(), Box<dyn Error>> {
        self.make_room(text.len())?;
        let socket = self.connected(nick);
        socket.join(&self.ubuntu)?;
        self.ubuntu.emit_from(&socket, &self.message, text)?;
        self.summary.messages += 1;
        Ok(())
    }

    fn socket(&self, nick: &str) -> Option<Socket> {
        let &place = self.by_nick.get(nick)?;
        Some(self.users[place].inbox.socket().clone())
    }

    fn connected(&mut self, nick: &str) -> Socket {
        if let Some(socket) = self.socket(nick) {
            return socket;
        }
        let (socket, inbox) = self.irc.connect();
        self.by_nick.insert(nick.to_owned(), self.users.len());
        self.users.push(User { inbox, received: 0 });
        socket
    }

    /// Called before each emit, so that however long a message is, nothing unread has to go for it.
    fn make_room(&mut self, bytes: usize) -> Result<(), Box<dyn Error>> {
        if self.unread_messages == BATCH_MESSAGES || self.unread_bytes + bytes > BATCH_BYTES {
            self.drain()?;
        }
        self.unread_messages += 1;
        self.unread_bytes += bytes;
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Box<dyn Error>> {
        for User { inbox, received } in &mut self.users {
            let mut gap = None;
            inbox.drain(|delivery| {
                gap = gap.or(delivery.gap());
                *received += 1;
                self.summary.bytes += delivery.payload().len() as u64;
            });
            if let Some(gap) = gap {
                return Err(format!("{} messages were lost ({:?})", gap.missed, gap.reason).into());
            }
        }
        (self.unread_messages, self.unread_bytes) = (0, 0);
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, Box<dyn Error>> {
        self.drain()?;
        let received = || self.users.iter().map(|user| user.received);
        Ok(Summary {
            sockets: self.users.len(),
            deliveries: received().sum(),
            max_inbox: received().max().unwrap_or(0),
            ..self.summary
        })
    }
}

#[cfg(test)]
mod tests {
    use roomcast::Backlog;

    use super::*;

    #[track_caller]
    fn check(log: impl AsRef<[u8]>, expected: Summary) {
        assert_eq!(replay(log.as_ref()).unwrap(), expected);
    }

    #[test]
    fn an_empty_log_is_all_zero() {
        check("", Summary::default());
        check("\n\r\n", Summary::default());
        check("* ann waves\n=== Topic is new\n-ann- psst\n", Summary::default());
    }

    #[test]
    fn joins_are_announced_to_the_others() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== cleo [h] has joined #a\n\
                   === dan [h] has joined #b\n";
        // bob to ann; cleo to ann and bob.
        check(log, Summary { sockets: 4, joins: 4, deliveries: 3, bytes: 11, max_inbox: 2, ..zero() });
    }

    #[test]
    fn joining_twice_is_announced_once() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== bob [other] has joined #A\n";
        check(log, Summary { sockets: 2, joins: 2, deliveries: 1, bytes: 3, max_inbox: 1, ..zero() });
    }

    #[test]
    fn channels_are_one_whatever_their_case() {
        let log = "=== ann [h] has joined #Ubuntu\n<bob> hello\n=== ann [h] has left #UBUNTU\n";
        let expected = Summary {
            sockets: 2,
            joins: 1,
            leaves: 1,
            messages: 1,
            deliveries: 2,
            bytes: 8,
            max_inbox: 1,
            ..zero()
        };
        check(log, expected);
    }

    #[test]
    fn nicks_keep_their_case() {
        check(
            "<ann> 1\n<Ann> 2\n",
            Summary { sockets: 2, messages: 2, deliveries: 1, bytes: 1, max_inbox: 1, ..zero() },
        );
    }

    #[test]
    fn leaves_go_to_those_who_stay() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== bob [h] has left #a [bye]\n\
                   === ann [h] has left #a []\n";
        let expected =
            Summary { sockets: 2, joins: 2, leaves: 2, deliveries: 2, bytes: 6, max_inbox: 2, ..zero() };
        check(log, expected);
    }

    #[test]
    fn who_left_hears_no_more_and_may_come_back() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== bob [h] has left #a\n\
                   === cleo [h] has joined #a\n=== bob [h] has joined #a\n";
        // bob, bob and cleo and bob to ann; bob to cleo.
        let expected =
            Summary { sockets: 3, joins: 4, leaves: 1, deliveries: 5, bytes: 16, max_inbox: 4, ..zero() };
        check(log, expected);
    }

    #[test]
    fn only_members_leave() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has left #a\n=== ann [h] has left #b\n";
        check(log, Summary { sockets: 1, joins: 1, ..zero() });
        let log = "<ann> hi\n<bob> hi\n=== bob [h] has left #ubuntu\n=== bob [h] has left #ubuntu\n";
        let expected =
            Summary { sockets: 2, leaves: 1, messages: 2, deliveries: 2, bytes: 5, max_inbox: 2, ..zero() };
        check(log, expected);
    }

    #[test]
    fn renames_reach_each_neighbour_once() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== ann [h] has joined #b\n\
                   === bob [h] has joined #b\n=== ann is now known as annabel\n";
        let expected =
            Summary { sockets: 2, joins: 4, renames: 1, deliveries: 3, bytes: 13, max_inbox: 2, ..zero() };
        check(log, expected);
    }

    #[test]
    fn renames_reach_every_room() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n=== cleo [h] has joined #b\n\
                   === ann [h] has joined #b\n=== dan [h] has joined #c\n=== ann is now known as a\n";
        // ann gets bob; bob gets a; cleo gets ann and a.
        let expected =
            Summary { sockets: 4, joins: 5, renames: 1, deliveries: 4, bytes: 8, max_inbox: 2, ..zero() };
        check(log, expected);
    }

    #[test]
    fn the_socket_goes_by_its_new_nick() {
        let log = "<ann> one\n<bob> two\n=== ann is now known as beth\n<beth> three\n<ann> four\n";
        // two to ann; beth and three to bob; four to both.
        let expected =
            Summary { sockets: 3, renames: 1, messages: 4, deliveries: 5, bytes: 20, max_inbox: 3, ..zero() };
        check(log, expected);
    }

    #[test]
    fn a_rename_of_an_unknown_nick_or_onto_a_known_one_is_ignored() {
        let both = "<ann> 1\n<bob> 2\n";
        let expected =
            || Summary { sockets: 2, messages: 2, deliveries: 1, bytes: 1, max_inbox: 1, ..zero() };
        check(format!("{both}=== ann is now known as bob\n"), expected());
        check(format!("{both}=== ann is now known as ann\n"), expected());
        check(format!("{both}=== cleo is now known as dan\n"), expected());
        check(format!("{both}=== cleo is now known as bob\n"), expected());
    }

    #[test]
    fn a_rename_without_rooms_counts_and_reaches_nobody() {
        let log =
            "<bob> 1\n=== ann [h] has joined #a\n=== ann [h] has left #a\n=== ann is now known as beth\n";
        check(log, Summary { sockets: 2, joins: 1, leaves: 1, renames: 1, messages: 1, ..zero() });
    }

    #[test]
    fn a_nick_that_was_given_up_is_free() {
        let log = "<ann> 1\n=== ann is now known as beth\n=== beth is now known as ann\n<ann> 2\n";
        check(log, Summary { sockets: 1, renames: 2, messages: 2, ..zero() });
    }

    #[test]
    fn who_talks_is_in_ubuntu_unannounced() {
        let log = "=== ann [h] has joined #other\n<ann> one\n<bob> two\n=== bob [h] has joined #ubuntu\n\
                   === bob [h] has left #ubuntu\n<bob> back\n";
        // two, bob (who left) and back to ann; nothing to bob, for ann says nothing after he came.
        let expected = Summary {
            sockets: 2,
            joins: 1,
            leaves: 1,
            messages: 3,
            deliveries: 3,
            bytes: 10,
            max_inbox: 3,
            ..zero()
        };
        check(log, expected);
    }

    #[test]
    fn messages_go_to_ubuntu_alone() {
        let log = "=== ann [h] has joined #a\n=== bob [h] has joined #a\n<ann> hello\n";
        let expected =
            Summary { sockets: 2, joins: 2, messages: 1, deliveries: 1, bytes: 3, max_inbox: 1, ..zero() };
        check(log, expected);
    }

    #[test]
    fn an_empty_message_is_a_delivery_of_no_bytes() {
        let log = "[00:00:00] <ann>\n[00:00:01] <bob> \n[00:00] <ann> \r\n";
        check(log, Summary { sockets: 2, messages: 3, deliveries: 2, max_inbox: 1, ..zero() });
    }

    #[test]
    fn the_last_line_needs_no_ending() {
        for log in
            ["<ann> a\n<bob> b", "<ann> a\n<bob> b\n", "<ann> a\r\n<bob> b\r\n", "<ann> a\r\n<bob> b\r"]
        {
            check(log, Summary { sockets: 2, messages: 2, deliveries: 1, bytes: 1, max_inbox: 1, ..zero() });
        }
    }

    #[test]
    fn bytes_are_those_of_the_text_as_it_was_received() {
        // Each invalid byte is replaced by a character of three bytes.
        let log = b"<ann> \n<\xc3\xa9> \xc3\xa9\n<\xff> a\xff\n=== \xff is now known as \xfe\xfe\n";
        // é (2) to ann; a\u{fffd} (4) to ann and é; \u{fffd}\u{fffd} (6) to ann and é.
        let expected =
            Summary { sockets: 3, renames: 1, messages: 3, deliveries: 5, bytes: 22, max_inbox: 3, ..zero() };
        check(log, expected);
        // All that is invalid looks the same afterwards.
        check(b"<\xff> 1\n<\xfe> 2\n", Summary { sockets: 1, messages: 2, ..zero() });
    }

    #[test]
    fn a_long_log_loses_nothing() {
        let turn = "<ann> one\n<bob> three\n";
        let log = turn.repeat(5000);
        // ann misses nothing; bob comes after her first.
        let (deliveries, bytes) = (9999, 5000 * 5 + 4999 * 3);
        let expected = Summary { sockets: 2, messages: 10_000, deliveries, bytes, max_inbox: 5000, ..zero() };
        check(log, expected);
    }

    #[test]
    fn long_messages_lose_nothing() {
        let mut replay = Replay::new(&Engine::new()).unwrap();
        for length in [1, 1, 9 << 20, 9 << 20, 1, 17 << 20, 1] {
            for nick in ["ann", "bob"] {
                let text = "x".repeat(length);
                replay.play(Line::Said { nick: nick.into(), text: text.into() }).unwrap();
            }
        }
        let bytes = (35 << 20) * 2 + 7;
        let expected = Summary { sockets: 2, messages: 14, deliveries: 13, bytes, max_inbox: 7, ..zero() };
        assert_eq!(replay.finish().unwrap(), expected);
    }

    #[test]
    fn nicks_can_wander_through_many_rooms() {
        let visit = |n| {
            format!(
                "=== bob [h] has joined #{n}\n=== cleo [h] has joined #{n}\n\
                 === bob [h] has left #{n}\n=== cleo [h] has left #{n}\n"
            )
        };
        let log: String = (0..2000).map(visit).collect();
        let expected = Summary {
            sockets: 2,
            joins: 4000,
            leaves: 4000,
            deliveries: 4000,
            bytes: 14_000,
            max_inbox: 2000,
            ..zero()
        };
        check(log, expected);
    }

    #[test]
    fn a_rename_reaches_many_rooms_at_once() {
        let rooms = (0..1000).map(|n| format!("=== ann [h] has joined #{n}\n=== bob [h] has joined #{n}\n"));
        let log = rooms.collect::<String>() + "=== bob is now known as beth\n";
        let expected = Summary {
            sockets: 2,
            joins: 2000,
            renames: 1,
            deliveries: 1001,
            bytes: 3004,
            max_inbox: 1001,
            ..zero()
        };
        check(log, expected);
    }

    #[test]
    fn a_long_channel_name_is_a_name() {
        let channel = "#Ä".repeat(2000);
        let log = format!("=== ann [h] has joined {channel}\n=== bob [h] has joined {channel}\n");
        check(log, Summary { sockets: 2, joins: 2, deliveries: 1, bytes: 3, max_inbox: 1, ..zero() });
    }

    #[test]
    fn what_the_engine_refuses_is_told_with_its_line() {
        let log = format!("* waves\n=== ann [h] has joined #{}\n", "x".repeat(1 << 16));
        let error = replay(log.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "line 2: the room name has 65537 bytes, more than the limit of 65536");
    }

    #[test]
    fn a_gap_is_an_error() {
        let engine = Engine::builder().backlog(Backlog::new().messages(1).unwrap()).build();
        let error = replay_on(&engine, "<ann> 1\n<bob> 2\n<bob> 3\n<bob> 4\n".as_bytes()).unwrap_err();
        assert!(error.to_string().contains("messages were lost (Backlog)"), "{error}");
    }

    fn zero() -> Summary {
        Summary::default()
    }
}
