//! The command language of the chat: one console at which all users type.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use roomcast::{Engine, NamespaceError};

use crate::chat::{Admin, Chat, ChatError, User, check_name, count, describe};

/// All commands, with what they do.
const COMMANDS: [(&str, &str); 12] = [
    ("NAME /join ROOM", "join a room, or speak in it again; a new NAME connects"),
    ("NAME TEXT", "say TEXT in the room where NAME speaks"),
    ("NAME /msg OTHER TEXT", "whisper to one user, in whatever room"),
    ("NAME /leave [ROOM]", "leave a room, or the one where NAME speaks"),
    ("NAME /quit", "disconnect"),
    ("/rooms", "list the rooms, and how many are in each"),
    ("/members ROOM", "list who is in a room"),
    ("/users", "list who is connected, and their rooms"),
    ("/admin TEXT", "announce TEXT to every room"),
    ("/log", "show what the admins have been told since the last /log"),
    ("/help", "show this list"),
    ("/quit", "close the chat"),
];

/// A chat, and whoever is typing.
pub(crate) struct Console {
    chat: Arc<Chat>,
    admin: Admin,
    /// In the order in which they connected.
    users: Vec<User>,
    delivered: usize,
}

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
enum Command<'a> {
    Nothing,
    User(&'a str, UserCommand<'a>),
    Rooms,
    Members(&'a str),
    Users,
    Announce(&'a str),
    Log,
    Help,
    Quit,
}

#[derive(Debug, PartialEq, Eq)]
enum UserCommand<'a> {
    Join(&'a str),
    Say(&'a str),
    Whisper(&'a str, &'a str),
    Leave(Option<&'a str>),
    Quit,
}

impl Console {
    pub(crate) fn new() -> Result<Self, NamespaceError> {
        let chat = Chat::open(Engine::new())?;
        let admin = chat.connect_admin();
        Ok(Self { chat, admin, users: Vec::new(), delivered: 0 })
    }

    /// Does what a line says, and writes what comes of it: an answer or an error, then what arrives at
    /// the users. Breaks at `/quit`.
    pub(crate) fn execute(&mut self, line: &str, out: &mut impl Write) -> io::Result<ControlFlow<()>> {
        let answer = match parse(line) {
            Ok(Command::Quit) => return Ok(ControlFlow::Break(())),
            Ok(command) => self.run(command).unwrap_or_else(|error| format!("error: {error}\n")),
            Err(problem) => format!("error: {problem}\n"),
        };
        for line in answer.lines() {
            writeln!(out, "    {line}")?;
        }
        out.write_all(self.deliver().as_bytes())?;
        Ok(ControlFlow::Continue(()))
    }

    /// Closes the chat.
    pub(crate) fn close(mut self, out: &mut impl Write) -> io::Result<()> {
        self.chat.close();
        out.write_all(self.deliver().as_bytes())?;
        let users = count(self.users.len(), "user");
        writeln!(out, "    closed: {users} disconnected, {} delivered", count(self.delivered, "message"))
    }

    fn run(&mut self, command: Command<'_>) -> Result<String, ChatError> {
        let mut answer = String::new();
        match command {
            Command::User(name, command) => answer = self.run_as(name, command)?,
            Command::Rooms => {
                for (room, len) in self.chat.rooms() {
                    line(&mut answer, &format!("#{room:<12} {}", count(len, "member")));
                }
                if answer.is_empty() {
                    answer.push_str("there are no rooms: the first to join one makes it");
                }
            }
            Command::Members(room) => answer = format!("#{room}: {}", self.chat.members(room)?.join(", ")),
            Command::Users => {
                for user in &self.users {
                    let rooms: Vec<_> = user.rooms().iter().map(|room| format!("#{room}")).collect();
                    line(&mut answer, format!("{:<12} {}", user.name(), rooms.join(" ")).trim_end());
                }
                if answer.is_empty() {
                    answer.push_str("nobody is connected: try `alice /join general`");
                }
            }
            Command::Announce(text) => {
                let emitted = self.admin.announce(text)?;
                answer = format!("announced to {}", count(emitted.rooms(), "room"));
            }
            Command::Log => {
                self.delivered += self
                    .admin
                    .read(|delivery| line(&mut answer, &format!("admin | {}", describe(&delivery))));
                if answer.is_empty() {
                    answer.push_str("nothing has happened");
                }
            }
            Command::Help => {
                for (usage, what) in COMMANDS {
                    line(&mut answer, &format!("{usage:<21} {what}"));
                }
            }
            Command::Nothing | Command::Quit => {}
        }
        Ok(answer)
    }

    fn run_as(&mut self, name: &str, command: UserCommand<'_>) -> Result<String, ChatError> {
        let known = self.users.iter().position(|user| **user.name() == *name);
        let at = match (known, &command) {
            (Some(at), _) => at,
            (None, UserCommand::Join(room)) => {
                check_name(room)?;
                self.users.push(self.chat.connect(name)?);
                self.users.len() - 1
            }
            (None, _) => return Err(ChatError::UnknownUser(name.to_owned())),
        };
        let user = &mut self.users[at];
        match command {
            UserCommand::Join(room) => user.join(room)?,
            UserCommand::Say(text) => {
                if user.say(text)? == 0 {
                    return Ok("nobody else is there to hear it".to_owned());
                }
            }
            UserCommand::Whisper(to, text) => user.whisper(to, text)?,
            UserCommand::Leave(room) => user.leave(room)?,
            UserCommand::Quit => self.users.remove(at).quit()?,
        }
        Ok(String::new())
    }

    /// What has arrived at the users, a line each.
    fn deliver(&mut self) -> String {
        let mut lines = String::new();
        for user in &mut self.users {
            let name = Arc::clone(user.name());
            self.delivered +=
                user.read(|delivery| line(&mut lines, &format!("{name:>9} | {}", describe(&delivery))));
        }
        lines
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

/// Understands a line; or says what is wrong with it.
fn parse(line: &str) -> Result<Command<'_>, String> {
    let (first, rest) = split(line);
    if first.is_empty() || first.starts_with('#') {
        return Ok(Command::Nothing);
    }
    if !first.starts_with('/') {
        return Ok(Command::User(first, parse_user_command(rest)?));
    }
    match first {
        "/rooms" => no_more(rest, "/rooms").map(|()| Command::Rooms),
        "/members" => Ok(Command::Members(room(one_word(rest, "ROOM", "/members ROOM")?))),
        "/users" => no_more(rest, "/users").map(|()| Command::Users),
        "/admin" => Ok(Command::Announce(given(rest, "TEXT", "/admin TEXT")?)),
        "/log" => no_more(rest, "/log").map(|()| Command::Log),
        "/help" => no_more(rest, "/help").map(|()| Command::Help),
        "/quit" => no_more(rest, "/quit").map(|()| Command::Quit),
        _ => match usage(&format!("NAME {first}")) {
            Some(usage) => Err(format!("missing NAME: write {usage}")),
            None => Err(format!("unknown command {first}: /help lists them")),
        },
    }
}

fn parse_user_command(line: &str) -> Result<UserCommand<'_>, String> {
    let (first, rest) = split(line);
    match first {
        "/join" => Ok(UserCommand::Join(room(one_word(rest, "ROOM", "NAME /join ROOM")?))),
        "/msg" => {
            let usage = "NAME /msg OTHER TEXT";
            let (other, text) = split(given(rest, "OTHER", usage)?);
            Ok(UserCommand::Whisper(other, given(text, "TEXT", usage)?))
        }
        "/leave" if rest.is_empty() => Ok(UserCommand::Leave(None)),
        "/leave" => Ok(UserCommand::Leave(Some(room(one_word(rest, "ROOM", "NAME /leave [ROOM]")?)))),
        "/quit" => no_more(rest, "NAME /quit").map(|()| UserCommand::Quit),
        _ if !first.starts_with('/') => Ok(UserCommand::Say(given(line, "TEXT", "NAME TEXT")?)),
        _ => match usage(first) {
            Some(usage) => Err(format!("unexpected NAME: write {usage}")),
            None => Err(format!("unknown command {first}: /help lists them")),
        },
    }
}

/// The first word, and the rest.
fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (first, rest.trim_start())
}

/// Rooms are shown with a `#`, and may be typed with one.
fn room(word: &str) -> &str {
    word.strip_prefix('#').unwrap_or(word)
}

fn given<'a>(rest: &'a str, what: &str, usage: &str) -> Result<&'a str, String> {
    if rest.is_empty() { Err(format!("missing {what}: write {usage}")) } else { Ok(rest) }
}

fn one_word<'a>(rest: &'a str, what: &str, usage: &str) -> Result<&'a str, String> {
    let (word, more) = split(given(rest, what, usage)?);
    no_more(more, usage).map(|()| word)
}

fn no_more(rest: &str, usage: &str) -> Result<(), String> {
    if rest.is_empty() { Ok(()) } else { Err(format!("unexpected {rest:?}: write {usage}")) }
}

/// The usage of the command that begins with these words.
fn usage(words: &str) -> Option<&'static str> {
    let begins =
        |usage: &str| usage.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    COMMANDS.iter().map(|(usage, _)| *usage).find(|usage| begins(usage))
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

    #[test]
    fn lines_are_understood() {
        let cases = [
            ("", Command::Nothing),
            ("  # a comment", Command::Nothing),
            ("alice /join general", Command::User("alice", UserCommand::Join("general"))),
            ("  alice   /join   #general  ", Command::User("alice", UserCommand::Join("general"))),
            ("alice hello  there /all", Command::User("alice", UserCommand::Say("hello  there /all"))),
            ("alice /msg bob  a  b ", Command::User("alice", UserCommand::Whisper("bob", "a  b"))),
            ("alice /leave", Command::User("alice", UserCommand::Leave(None))),
            ("alice /leave #x", Command::User("alice", UserCommand::Leave(Some("x")))),
            ("alice /quit", Command::User("alice", UserCommand::Quit)),
            ("/rooms", Command::Rooms),
            ("/members #general", Command::Members("general")),
            ("/users", Command::Users),
            ("/admin tea  time", Command::Announce("tea  time")),
            ("/log", Command::Log),
            ("/help", Command::Help),
            ("/quit", Command::Quit),
        ];
        for (line, command) in cases {
            assert_eq!(parse(line), Ok(command), "{line:?}");
        }
    }

    #[test]
    fn bad_lines_are_told_what_is_wrong() {
        let cases = [
            ("alice", "missing TEXT: write NAME TEXT"),
            ("alice /join", "missing ROOM: write NAME /join ROOM"),
            ("alice /join a b", "unexpected \"b\": write NAME /join ROOM"),
            ("alice /msg", "missing OTHER: write NAME /msg OTHER TEXT"),
            ("alice /msg bob", "missing TEXT: write NAME /msg OTHER TEXT"),
            ("alice /leave a b", "unexpected \"b\": write NAME /leave [ROOM]"),
            ("alice /quit now", "unexpected \"now\": write NAME /quit"),
            ("alice /rooms", "unexpected NAME: write /rooms"),
            ("alice /dance", "unknown command /dance: /help lists them"),
            ("/members", "missing ROOM: write /members ROOM"),
            ("/admin", "missing TEXT: write /admin TEXT"),
            ("/rooms now", "unexpected \"now\": write /rooms"),
            ("/join general", "missing NAME: write NAME /join ROOM"),
            ("/leave", "missing NAME: write NAME /leave [ROOM]"),
            ("/dance", "unknown command /dance: /help lists them"),
            ("/", "unknown command /: /help lists them"),
        ];
        for (line, problem) in cases {
            assert_eq!(parse(line), Err(problem.to_owned()), "{line:?}");
        }
    }

    #[test]
    fn errors_change_nothing() {
        let mut console = Console::new().unwrap();
        for line in ["alice /join general", "bob /join general", "carol /join lounge", "carol /leave"] {
            type_in(&mut console, line);
        }
        let state = ["/users", "/rooms", "/members general"];
        let before = state.map(|line| type_in(&mut console, line));
        type_in(&mut console, "/log");
        let cases = [
            ("zed hello", "there is no user \"zed\""),
            ("zed /leave", "there is no user \"zed\""),
            ("zed /quit", "there is no user \"zed\""),
            ("alice /msg zed hello", "there is no user \"zed\""),
            ("alice /msg alice hello", "alice cannot whisper to alice"),
            ("alice /leave lounge", "alice is not in #lounge"),
            ("carol hello", "carol is in no room"),
            ("carol /leave", "carol is in no room"),
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

    #[test]
    fn the_current_room_is_the_one_joined_last() {
        let mut console = Console::new().unwrap();
        for line in ["alice /join a", "alice /join b", "bob /join a", "carol /join b"] {
            type_in(&mut console, line);
        }
        assert_eq!(type_in(&mut console, "alice 1"), "    carol | #b        <alice> 1\n");
        let again = "    alice | direct    you are in #a already, and speak there now\n";
        assert_eq!(type_in(&mut console, "alice /join a"), again);
        assert_eq!(type_in(&mut console, "alice 2"), "      bob | #a        <alice> 2\n");
        type_in(&mut console, "alice /leave");
        assert_eq!(type_in(&mut console, "alice 3"), "    carol | #b        <alice> 3\n");
        type_in(&mut console, "carol /quit");
        assert_eq!(type_in(&mut console, "alice 4"), "    nobody else is there to hear it\n");
    }

    #[test]
    fn a_name_is_free_again_after_quit() {
        let mut console = Console::new().unwrap();
        type_in(&mut console, "alice /join a");
        assert_eq!(type_in(&mut console, "alice /quit"), "");
        assert_eq!(type_in(&mut console, "alice hello"), "    error: there is no user \"alice\"\n");
        let first = "    alice | direct    you are the first in #a\n";
        assert_eq!(type_in(&mut console, "alice /join a"), first);
    }

    #[test]
    fn an_announcement_without_rooms_reaches_nobody() {
        let mut console = Console::new().unwrap();
        assert_eq!(type_in(&mut console, "/admin hello?"), "    announced to 0 rooms\n");
        type_in(&mut console, "alice /join a");
        let both = "    announced to 1 room\n    alice | #a        *** hello! ***\n";
        assert_eq!(type_in(&mut console, "/admin hello!"), both);
    }

    #[test]
    fn help_lists_every_command() {
        let help = type_in(&mut Console::new().unwrap(), "/help");
        assert!(COMMANDS.iter().all(|(usage, what)| help.contains(usage) && help.contains(what)));
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    }
}
