//! The script: four users and an admin, and the same output every time.

use std::error::Error;
use std::io::Write;

use crate::console::Console;

const SCRIPT: &str = "\
# Joining a room makes it. Whoever is in it already gets a notice.
alice /join general
bob /join general
carol /join general
dave /join lounge
carol /join lounge

# A message goes to everyone in the room but its sender.
alice hello, everyone
dave is this the lounge?
carol it is

# Rooms and their members, in the order in which they came.
/rooms
/members general
/users

# A private message goes to one user, in whatever room.
bob /msg dave are you in there?
dave /msg bob I am

# An admin speaks to every room. carol is in both, and hears it once.
/admin tea is served

# Leaving: nothing that is said later arrives.
bob /leave
alice bob does not hear this
bob am I still here?

# carol disconnects: one notice to each, whatever the number of common rooms.
dave /join general
carol /quit
/rooms

# Mistakes change nothing.
erin hello?
alice /join two words
alice /msg carol are you gone?
/members nowhere
/dance

# Empty rooms are gone.
alice /leave
dave /leave lounge
dave /leave
/rooms

# All this time the admin has not read anything. Nothing is lost.
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
