//! The chat at a prompt, or with commands from a pipe.

use std::error::Error;
use std::io::{BufRead, Write};

use crate::console::Console;

/// Executes the lines of `input`, up to its end or `/quit`.
pub(crate) fn run(
    mut input: impl BufRead,
    out: &mut impl Write,
    is_terminal: bool,
) -> Result<(), Box<dyn Error>> {
    let mut console = Console::new()?;
    if is_terminal {
        writeln!(out, "A chat on roomcast. Begin with `alice /join general`; /help lists all commands.")?;
    }
    let mut bytes = Vec::new();
    loop {
        if is_terminal {
            write!(out, "> ")?;
        }
        out.flush()?;
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            if is_terminal {
                writeln!(out)?;
            }
            break;
        }
        // A bad byte or a control character is no reason to end, nor to upset the terminal.
        let line = String::from_utf8_lossy(&bytes).replace(char::is_control, " ");
        if console.execute(&line, out)?.is_break() {
            break;
        }
    }
    Ok(console.close(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(input: &[u8], is_terminal: bool) -> String {
        let mut out = Vec::new();
        run(input, &mut out, is_terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pipe_gets_no_prompt() {
        let out = output(b"alice /join a\nbob /join a\r\nalice hello\n\n/rooms", false);
        let expected = "    \
            you are the first in #a\n    \
            alice | direct    welcome, alice\n    \
            you are in #a with alice\n    \
            alice | #a        bob has joined\n      \
              bob | direct    welcome, bob\n    \
            delivered as no. 15, for 1 other\n      \
              bob | #a        <alice> hello\n    \
            #a            2 members\n    \
            alice | end       engine closed\n      \
              bob | end       engine closed\n    \
            closed: 2 users disconnected\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_terminal_does() {
        let out = output(b"alice /join a\n", true);
        assert_eq!(out.matches("\n> ").count(), 2, "{out}");
        assert!(
            out.ends_with("> \n    alice | end       engine closed\n    closed: 1 user disconnected\n"),
            "{out}"
        );
    }

    #[test]
    fn nothing_is_read_after_quit() {
        let out = output(b"alice /join a\n/quit\n/rooms\n", false);
        assert!(out.ends_with("    closed: 1 user disconnected\n"), "{out}");
        assert!(!out.contains("member"), "{out}");
    }

    #[test]
    fn bad_input_does_not_end_it() {
        let input = b"\xff\xfe\n/nonsense\nalice /join a\nbob /join a\nalice \xff\x1b[2J\n/members a\n";
        let out = output(input, false);
        assert_eq!(out.matches("error: ").count(), 2, "{out}");
        assert!(out.contains("bob | #a        <alice> \u{fffd} [2J\n"), "{out}");
        assert!(out.contains("#a: alice, bob\n"), "{out}");
    }
}
