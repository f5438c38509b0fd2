//! The script: users and admins, and the same output every time.

use std::error::Error;
use std::io::Write;

use crate::console::Console;

const SCRIPT: &str = "\
# Joining a room makes it. Whoever is in it already gets a notice.
alice /join general
bob /join general
carol /join general
carol /join lounge

# A message goes to everyone in the room but its sender, whom the server tells its number.
alice hello, everyone
carol is anybody in the lounge?
bob hello, alice

# Rooms and their members, in the order in which they came.
/rooms
/members general
/users

# A whisper goes to one user, in whatever room, and is acknowledged by that user.
bob /msg carol are you in there?
bob /msg dave and you?

# What has happened up to now.
/log

# A room for two, a room for guests.
alice /join attic
bob /join attic
carol /join attic
alice /join vault

# Admins have a namespace of their own, on the same connection. A middleware asks for a token.
bob /kick alice
bob /admin swordfish
bob /admin sesame
bob /list
bob /invite alice vault
alice /join vault
alice nice in here

# An announcement reaches everyone once, whatever rooms they are in.
bob /announce tea is served

# A closed room: all have to leave, and nobody may join.
alice /join lounge
bob /close lounge
carol /join lounge
carol is anybody in the lounge?
bob /open lounge
carol /join lounge

# A kick ends a connection's socket in the chat. Those in common rooms hear of it, once.
dave /join general
dave BUY NOW
bob /kick dave
dave hello?
carol /quit
/members general

# Leaving: nothing that is said later arrives.
bob /leave attic
alice /leave general
bob alice does not hear this
bob /leave
bob does anybody?
/rooms

# Mistakes change nothing.
erin hello?
erin /join a/b
alice /join two words
/members nowhere
/dance

# What has happened since, as the admins were told.
/log
";

pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "A chat on roomcast. After each > is what somebody does; below it, what arrives at whom.\n"
    )?;
    let mut console = Console::new()?;
    for line in SCRIPT.lines() {
        let prompt = if line.is_empty() || line.starts_with('#') { "" } else { "> " };
        writeln!(out, "{prompt}{line}")?;
        if console.execute(line, out)?.is_break() {
            break;
        }
    }
    writeln!(out)?;
    Ok(console.close(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_same_every_time() {
        let mut out = Vec::new();
        run(&mut out).unwrap();
        let (out, expected) = (String::from_utf8(out).unwrap(), include_str!("script.out"));
        for (number, (line, expected)) in out.lines().zip(expected.lines()).enumerate() {
            assert_eq!(line, expected, "line {}", number + 1);
        }
        assert_eq!(out.lines().count(), expected.lines().count());
    }
}
