//! One console at which all users type: does what a line says, and shows what arrives at whom.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use roomcast::{Ack, Engine};

use crate::admin;
use crate::command::{COMMANDS, Command, UserCommand, parse};
use crate::protocol::{
    ANNOUNCE, CLOSE, INVITE, Invitation, JOIN, KICK, LEAVE, LIST, OPEN, Refused, Reply, SAY, Say, WHISPER,
    check_name, count,
};
use crate::server::Server;
use crate::user::User;

/// A server, and whoever is typing.
#[derive(Debug)]
pub(crate) struct Console {
    server: Server,
    /// In the order in which they connected.
    users: Vec<User>,
    /// How much of the history was shown.
    shown: usize,
}

impl Console {
    pub(crate) fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self { server: Server::open(Engine::new())?, users: Vec::new(), shown: 0 })
    }

    /// Does what a line says, and writes what comes of it: an answer or an error, then what arrives at
    /// the users. Breaks at `/quit`.
    pub(crate) fn execute(&mut self, line: &str, out: &mut impl Write) -> io::Result<ControlFlow<()>> {
        let answer = match parse(line) {
            Ok(Command::Quit) => return Ok(ControlFlow::Break(())),
            Ok(command) => self.run(command).unwrap_or_else(|Refused(why)| format!("error: {why}\n")),
            Err(problem) => format!("error: {problem}\n"),
        };
        for line in answer.lines() {
            writeln!(out, "    {line}")?;
        }
        self.deliver(out)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Closes the server.
    pub(crate) fn close(mut self, out: &mut impl Write) -> io::Result<()> {
        let users = count(self.users.len(), "user");
        self.server.close();
        self.deliver(out)?;
        writeln!(out, "    closed: {users} disconnected")
    }

    fn run(&mut self, command: Command<'_>) -> Result<String, Refused> {
        let mut answer = String::new();
        match command {
            Command::User(name, command) => answer = self.run_as(name, command)?,
            Command::Rooms => {
                for (room, len) in self.server.rooms() {
                    line(&mut answer, &format!("#{room:<12} {}", count(len, "member")));
                }
                if answer.is_empty() {
                    answer.push_str("there are no rooms: the first to join one makes it");
                }
            }
            Command::Members(room) => answer = format!("#{room}: {}", self.server.members(room)?.join(", ")),
            Command::Users => {
                answer = admin::list(&self.server.chat);
                if answer.is_empty() {
                    answer.push_str("nobody is connected: try `alice /join general`");
                }
            }
            Command::Log => {
                let history = self.server.history();
                history[self.shown..].iter().for_each(|text| line(&mut answer, text));
                self.shown = history.len();
                if answer.is_empty() {
                    answer.push_str("nothing has happened");
                }
            }
            Command::Help => {
                for (usage, what) in COMMANDS {
                    line(&mut answer, &format!("{usage:<24} {what}"));
                }
            }
            Command::Nothing | Command::Quit => {}
        }
        Ok(answer)
    }

    /// Has a user do something, and returns what the server answers.
    fn run_as(&mut self, name: &str, command: UserCommand<'_>) -> Result<String, Refused> {
        let known = self.users.iter().position(|user| *user.name == *name);
        let at = match (known, &command) {
            (Some(at), _) => at,
            (None, UserCommand::Join(room)) => {
                check_name(room)?;
                self.users.push(User::connect(self.server.engine(), name)?);
                self.settle();
                self.users.len() - 1
            }
            (None, _) => return Err(Refused(format!("there is no user {name:?}"))),
        };
        let user = &mut self.users[at];
        if !user.is_connected() {
            // The server did not let it in: the screen says why.
            return Ok(String::new());
        }
        let ack = match command {
            UserCommand::Join(room) => user.ask(JOIN, room.to_owned())?,
            UserCommand::Leave(room) => {
                let room = room.map_or_else(|| user.room(), |room| Ok(room.to_owned()))?;
                user.ask(LEAVE, room)?
            }
            UserCommand::Say(text) => user.ask(SAY, Say { to: user.room()?, text: text.to_owned() })?,
            UserCommand::Whisper(to, text) => {
                user.ask(WHISPER, Say { to: to.to_owned(), text: text.to_owned() })?
            }
            UserCommand::Quit => {
                user.quit();
                return Ok(String::new());
            }
            UserCommand::Admin(token) => {
                user.be_admin(token)?;
                return Ok(String::new());
            }
            UserCommand::Announce(text) => user.ask_as_admin(ANNOUNCE, text.to_owned())?,
            UserCommand::List => user.ask_as_admin(LIST, ())?,
            UserCommand::Kick(other) => user.ask_as_admin(KICK, other.to_owned())?,
            UserCommand::Close(room) => user.ask_as_admin(CLOSE, room.to_owned())?,
            UserCommand::Open(room) => user.ask_as_admin(OPEN, room.to_owned())?,
            UserCommand::Invite(other, room) => {
                user.ask_as_admin(INVITE, Invitation { user: other.to_owned(), room: room.to_owned() })?
            }
        };
        let reply = self.reply(ack)?;
        let user = &mut self.users[at];
        match (&command, &reply) {
            (UserCommand::Join(room), Reply::Done(_)) => user.joined(room),
            (UserCommand::Leave(room), Reply::Done(_)) => user.left(*room),
            _ => {}
        }
        match reply {
            Reply::Done(text) => Ok(text),
            Reply::Delivered { number, others } => {
                Ok(format!("delivered as no. {number}, for {}", count(others, "other")))
            }
            Reply::Refused(why) => Err(Refused(why)),
        }
    }

    /// What the server answers, once all users have done their part.
    fn reply(&self, ack: Ack) -> Result<Reply, Refused> {
        self.settle();
        // Nobody is left who could answer: do not wait.
        Ok(Reply::read(&ack.timeout(Duration::ZERO).wait()?))
    }

    /// Has all users take in what has come, until nothing comes any more.
    fn settle(&self) {
        while self.users.iter().map(User::poll).sum::<usize>() > 0 {}
    }

    /// Shows what has arrived at the users.
    fn deliver(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.settle();
        for user in &self.users {
            for line in user.look() {
                writeln!(out, "{:>9} | {line}", user.name)?;
            }
        }
        // Who has quit, was kicked or was not let in is gone.
        self.users.retain(User::is_connected);
        Ok(())
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line writes.
    fn type_in(console: &mut Console, line: &str) -> String {
        let mut out = Vec::new();
        assert!(console.execute(line, &mut out).unwrap().is_continue());
        String::from_utf8(out).unwrap()
    }

    /// Types in lines, of which nobody looks at what they write.
    fn set_up(lines: &[&str]) -> Console {
        let mut console = Console::new().unwrap();
        lines.iter().for_each(|line| drop(type_in(&mut console, line)));
        console
    }

    #[test]
    fn errors_change_nothing() {
        let mut console = set_up(&["alice /join general", "bob /join general", "carol /join lounge"]);
        set_up_admin(&mut console);
        type_in(&mut console, "carol /leave");
        let state = ["/users", "/rooms", "/members general"];
        let before = state.map(|line| type_in(&mut console, line));
        type_in(&mut console, "/log");
        let cases = [
            ("zed hello", "there is no user \"zed\""),
            ("zed /leave", "there is no user \"zed\""),
            ("zed /quit", "there is no user \"zed\""),
            ("alice /msg zed hello", "there is no user \"zed\""),
            ("alice /msg alice hello", "alice cannot whisper to alice"),
            ("alice /leave lounge", "you are not in #lounge"),
            ("alice /join vault", "you cannot join #vault: it is for invited guests"),
            ("carol hello", "carol is in no room"),
            ("carol /leave", "carol is in no room"),
            ("carol /kick bob", "carol is no admin: write carol /admin TOKEN"),
            ("alice /kick zed", "there is no user \"zed\""),
            ("alice /invite bob general", "#general needs no invitation"),
            ("alice /open general", "#general is not closed"),
            ("/members lounge", "there is no room \"lounge\""),
        ];
        for (line, problem) in cases {
            assert_eq!(type_in(&mut console, line), format!("    error: {problem}\n"), "{line:?}");
        }
        let long = "x".repeat(33);
        for name in ["\u{1b}[2J", "a/b", "#", &long] {
            for line in [format!("zed /join {name}"), format!("{name}x /join general")] {
                // A name that begins with `#` makes the line a comment.
                let written = type_in(&mut console, &line);
                assert!(written.contains("is no good name") || line.starts_with('#'), "{line:?}: {written}");
            }
        }
        assert_eq!(state.map(|line| type_in(&mut console, line)), before);
        assert_eq!(type_in(&mut console, "/log"), "    nothing has happened\n");
    }

    /// Makes alice an admin, by the second token.
    fn set_up_admin(console: &mut Console) {
        let wrong = type_in(console, "alice /admin swordfish");
        assert_eq!(wrong, "    alice | error     /admin: not authorized (ask the owner for the token)\n");
        assert!(type_in(console, "alice /list").contains("error: alice is no admin"));
        let right = type_in(console, &format!("alice /admin {}", admin::TOKEN));
        assert_eq!(right, "    alice | log       alice is an admin now\n");
    }

    #[test]
    fn the_current_room_is_the_one_joined_last() {
        let mut console = set_up(&["alice /join a", "alice /join b", "bob /join a", "carol /join b"]);
        let heard = |console: &mut Console, line| type_in(console, line).lines().nth(1).map(str::to_owned);
        assert_eq!(heard(&mut console, "alice 1").unwrap(), "    carol | #b        <alice> 1");
        let again = "    you are in #a already, and speak there now\n";
        assert_eq!(type_in(&mut console, "alice /join a"), again);
        assert_eq!(heard(&mut console, "alice 2").unwrap(), "      bob | #a        <alice> 2");
        type_in(&mut console, "alice /leave");
        assert_eq!(heard(&mut console, "alice 3").unwrap(), "    carol | #b        <alice> 3");
        type_in(&mut console, "carol /quit");
        assert_eq!(heard(&mut console, "alice 4"), None);
    }

    #[test]
    fn a_name_is_free_again_after_quit() {
        let mut console = set_up(&["alice /join a"]);
        let end = "    alice | end       disconnected by the client\n";
        assert_eq!(type_in(&mut console, "alice /quit"), end);
        assert_eq!(type_in(&mut console, "alice hello"), "    error: there is no user \"alice\"\n");
        assert!(type_in(&mut console, "alice /join a").contains("you are the first in #a"));
    }

    #[test]
    fn admins_close_rooms_and_kick() {
        let mut console = set_up(&["alice /join a", "bob /join a", "carol /join a"]);
        set_up_admin(&mut console);
        let closed = type_in(&mut console, "alice /close a");
        assert!(closed.starts_with("    #a is closed, and 3 users had to leave\n"), "{closed}");
        assert_eq!(type_in(&mut console, "bob /join a"), "    error: you cannot join #a: it is locked\n");
        assert_eq!(type_in(&mut console, "bob hello?"), "    error: you are not in #a\n");
        type_in(&mut console, "alice /open a");
        assert!(type_in(&mut console, "bob /join a").contains("you are the first in #a"));
        type_in(&mut console, "carol /join a");
        let kicked = type_in(&mut console, "alice /kick bob");
        assert!(kicked.starts_with("    bob is out\n"), "{kicked}");
        assert!(kicked.contains("      bob | end       kicked by alice\n"), "{kicked}");
        assert!(kicked.contains("    carol | all       bob is gone\n"), "{kicked}");
        assert!(!type_in(&mut console, "/users").contains("bob"));
    }

    #[test]
    fn help_lists_every_command() {
        let help = type_in(&mut Console::new().unwrap(), "/help");
        assert!(COMMANDS.iter().all(|(usage, what)| help.contains(usage) && help.contains(what)));
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    }
}
