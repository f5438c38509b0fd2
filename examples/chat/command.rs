//! The command language of the chat: what a line means.

/// All commands, with what they do.
pub(crate) const COMMANDS: [(&str, &str); 18] = [
    ("NAME /join ROOM", "join a room, or speak in it again; a new NAME connects"),
    ("NAME TEXT", "say TEXT in the room where NAME speaks"),
    ("NAME /msg OTHER TEXT", "whisper to one user, in whatever room"),
    ("NAME /leave [ROOM]", "leave a room, or the one where NAME speaks"),
    ("NAME /quit", "disconnect"),
    ("NAME /admin TOKEN", "become an admin, for the commands up to /invite"),
    ("NAME /announce TEXT", "announce TEXT to everyone"),
    ("NAME /list", "list who is connected, and their rooms"),
    ("NAME /kick OTHER", "disconnect a user"),
    ("NAME /close ROOM", "have all leave a room, and nobody join it"),
    ("NAME /open ROOM", "open it again"),
    ("NAME /invite OTHER ROOM", "let a user into a room for guests"),
    ("/rooms", "list the rooms, and how many are in each"),
    ("/members ROOM", "list who is in a room"),
    ("/users", "list who is connected, and their rooms"),
    ("/log", "show what has happened since the last /log"),
    ("/help", "show this list"),
    ("/quit", "close the chat"),
];

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Nothing,
    User(&'a str, UserCommand<'a>),
    Rooms,
    Members(&'a str),
    Users,
    Log,
    Help,
    Quit,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UserCommand<'a> {
    Join(&'a str),
    Say(&'a str),
    Whisper(&'a str, &'a str),
    Leave(Option<&'a str>),
    Quit,
    Admin(&'a str),
    Announce(&'a str),
    List,
    Kick(&'a str),
    Close(&'a str),
    Open(&'a str),
    Invite(&'a str, &'a str),
}

/// Understands a line; or says what is wrong with it.
pub(crate) fn parse(line: &str) -> Result<Command<'_>, String> {
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
        "/admin" => Ok(UserCommand::Admin(one_word(rest, "TOKEN", "NAME /admin TOKEN")?)),
        "/announce" => Ok(UserCommand::Announce(given(rest, "TEXT", "NAME /announce TEXT")?)),
        "/list" => no_more(rest, "NAME /list").map(|()| UserCommand::List),
        "/kick" => Ok(UserCommand::Kick(one_word(rest, "OTHER", "NAME /kick OTHER")?)),
        "/close" => Ok(UserCommand::Close(room(one_word(rest, "ROOM", "NAME /close ROOM")?))),
        "/open" => Ok(UserCommand::Open(room(one_word(rest, "ROOM", "NAME /open ROOM")?))),
        "/invite" => {
            let usage = "NAME /invite OTHER ROOM";
            let (other, rest) = split(given(rest, "OTHER", usage)?);
            Ok(UserCommand::Invite(other, room(one_word(rest, "ROOM", usage)?)))
        }
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
            ("alice /admin sesame", Command::User("alice", UserCommand::Admin("sesame"))),
            ("alice /announce tea  time", Command::User("alice", UserCommand::Announce("tea  time"))),
            ("alice /list", Command::User("alice", UserCommand::List)),
            ("alice /kick bob", Command::User("alice", UserCommand::Kick("bob"))),
            ("alice /close #x", Command::User("alice", UserCommand::Close("x"))),
            ("alice /open x", Command::User("alice", UserCommand::Open("x"))),
            ("alice /invite bob #x", Command::User("alice", UserCommand::Invite("bob", "x"))),
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
            ("alice /admin", "missing TOKEN: write NAME /admin TOKEN"),
            ("alice /invite bob", "missing ROOM: write NAME /invite OTHER ROOM"),
            ("alice /kick a b", "unexpected \"b\": write NAME /kick OTHER"),
            ("/admin sesame", "missing NAME: write NAME /admin TOKEN"),
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
}
