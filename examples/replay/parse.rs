//! From the bytes of a log to what happened in the channel.

use std::borrow::Cow;

use regex::bytes::{Captures, Regex};

/// What a line of a log tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Joined { nick: Cow<'a, str>, channel: String },
    Left { nick: Cow<'a, str>, channel: String },
    Renamed { from: Cow<'a, str>, to: Cow<'a, str> },
    Said { nick: Cow<'a, str>, text: Cow<'a, str> },
}

/// The forms of lines, compiled.
///
/// They look at bytes, as IRC does: `\s` and `\d` are the ASCII ones, so that a no-break space is part of a
/// nick and not its end. Each captured piece lies between ASCII characters, so replacing the invalid UTF-8 in
/// the pieces is the same as replacing it in the line beforehand.
#[derive(Debug)]
pub(crate) struct Parser {
    joined: Regex,
    left: Regex,
    renamed: Regex,
    said: Regex,
}

impl Parser {
    pub(crate) fn new() -> Self {
        let compile = |form: &str| Regex::new(&format!("(?-u){form}")).expect("the forms are well-formed");
        Self {
            joined: compile(r"^=== (\S+) \[[^\]]*\]\s+has joined (#\S+)"),
            left: compile(r"^=== (\S+) \[[^\]]*\]\s+has left (#\S+)"),
            renamed: compile(r"^=== (\S+) is now known as (\S+)"),
            said: compile(r"^(?:\[\d\d:\d\d(?::\d\d)?\] )?<([^>\s]+)> ?(.*)$"),
        }
    }

    /// Reads a line, with or without its ending. The first form that matches counts; a line of no form, like
    /// an action or a notice, tells nothing.
    pub(crate) fn parse<'a>(&self, line: &'a [u8]) -> Option<Line<'a>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(found) = self.joined.captures(line) {
            let (nick, channel) = pieces(&found);
            return Some(Line::Joined { nick, channel: channel.to_lowercase() });
        }
        if let Some(found) = self.left.captures(line) {
            let (nick, channel) = pieces(&found);
            return Some(Line::Left { nick, channel: channel.to_lowercase() });
        }
        if let Some(found) = self.renamed.captures(line) {
            let (from, to) = pieces(&found);
            return Some(Line::Renamed { from, to });
        }
        let (nick, text) = pieces(&self.said.captures(line)?);
        Some(Line::Said { nick, text })
    }
}

/// The two captured pieces that each form has.
fn pieces<'a>(found: &Captures<'a>) -> (Cow<'a, str>, Cow<'a, str>) {
    let (_, [first, second]) = found.extract();
    (String::from_utf8_lossy(first), String::from_utf8_lossy(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined<'a>(nick: &'a str, channel: &str) -> Option<Line<'a>> {
        Some(Line::Joined { nick: nick.into(), channel: channel.into() })
    }

    fn left<'a>(nick: &'a str, channel: &str) -> Option<Line<'a>> {
        Some(Line::Left { nick: nick.into(), channel: channel.into() })
    }

    fn renamed<'a>(from: &'a str, to: &'a str) -> Option<Line<'a>> {
        Some(Line::Renamed { from: from.into(), to: to.into() })
    }

    fn said<'a>(nick: &'a str, text: &'a str) -> Option<Line<'a>> {
        Some(Line::Said { nick: nick.into(), text: text.into() })
    }

    #[track_caller]
    fn check(line: impl AsRef<[u8]>, expected: Option<Line<'_>>) {
        let line = line.as_ref();
        assert_eq!(Parser::new().parse(line), expected, "{}", line.escape_ascii());
    }

    #[test]
    fn joins_name_a_nick_and_a_channel() {
        check("=== ann [~a@host.example]  has joined #Ubuntu", joined("ann", "#ubuntu"));
        check("=== `a|b_ []\t has joined #x and more", joined("`a|b_", "#x"));
        check("=== ann [a b [c] has joined #x", joined("ann", "#x"));
        check("=== ann [host]has joined #x", None);
        check("=== ann [a]b] has joined #x", None);
        check("=== ann host has joined #x", None);
        check("=== ann  [host] has joined #x", None);
        check("=== ann [host] has joined x", None);
        check("=== ann [host] has joined #", None);
        check(" === ann [host] has joined #x", None);
        check("== ann [host] has joined #x", None);
        check("=== ann [host] Has joined #x", None);
    }

    #[test]
    fn leaves_name_a_nick_and_a_channel() {
        check("=== ann [~a@host.example]  has left #Ubuntu []", left("ann", "#ubuntu"));
        check("=== ann [host] has left #x [\"Leaving\"]", left("ann", "#x"));
        check("=== ann [host] has left x", None);
        check("=== ann has left #x", None);
    }

    #[test]
    fn renames_name_two_nicks() {
        check("=== ann is now known as beth", renamed("ann", "beth"));
        check("=== ann is now known as beth now", renamed("ann", "beth"));
        check("=== ann is now known as", None);
        check("=== ann is now known as ", None);
        check("=== ann and bob are now known as beth", None);
    }

    #[test]
    fn messages_may_tell_the_time() {
        check("<ann> hello", said("ann", "hello"));
        check("[09:14] <ann> hello", said("ann", "hello"));
        check("[09:14:59] <ann> hello", said("ann", "hello"));
        check("[99:99] <ann> hello", said("ann", "hello"));
        check("[9:14] <ann> hello", None);
        check("[09:14:5] <ann> hello", None);
        check("[09:14:59:00] <ann> hello", None);
        check("[09:14]<ann> hello", None);
        check("[09:14]  <ann> hello", None);
        check("09:14 <ann> hello", None);
    }

    #[test]
    fn messages_keep_all_but_one_space() {
        check("<ann>hello", said("ann", "hello"));
        check("<ann>  two\tand  two ", said("ann", " two\tand  two "));
        check("<ann>", said("ann", ""));
        check("<ann> ", said("ann", ""));
        check("<ann>> quoted", said("ann", "> quoted"));
        check("<a<b> hello", said("a<b", "hello"));
        check("<> hello", None);
        check("<ann b> hello", None);
        check("<ann hello", None);
        check(" <ann> hello", None);
        check("* ann waves", None);
    }

    #[test]
    fn what_is_said_is_not_an_announcement() {
        check("<ann> === ann is now known as beth", said("ann", "=== ann is now known as beth"));
        check("[09:14] === ann is now known as beth", None);
        check("=== <ann> hello", None);
    }

    #[test]
    fn the_first_form_that_matches_counts() {
        check("=== ann [is now known as] has joined #x", joined("ann", "#x"));
        check("=== ann [] has joined #x [] has left #y", joined("ann", "#x"));
        check("=== ann is now known as [] has joined #x", renamed("ann", "[]"));
    }

    #[test]
    fn one_line_ending_is_no_part_of_the_line() {
        check("<ann> hello\n", said("ann", "hello"));
        check("<ann> hello\r\n", said("ann", "hello"));
        check("<ann> hello\r", said("ann", "hello"));
        check("<ann> hello\r\r\n", said("ann", "hello\r"));
        check("<ann> one\rtwo\r\n", said("ann", "one\rtwo"));
        check("=== ann is now known as beth\r\n", renamed("ann", "beth"));
        check("\r\n", None);
        check("\n", None);
        check("", None);
    }

    #[test]
    fn nicks_and_channels_can_be_in_any_script() {
        check("=== Ünïcødé [h] has joined #ΑΒΓ", joined("Ünïcødé", "#αβγ"));
        check("=== 安 is now known as 🦀", renamed("安", "🦀"));
        check("<Ünïcødé> grüß\u{2028}dich", said("Ünïcødé", "grüß\u{2028}dich"));
    }

    #[test]
    fn white_space_and_digits_are_those_of_ascii() {
        check("<a\u{a0}b> hello", said("a\u{a0}b", "hello"));
        check("=== a\u{3000}b is now known as c\u{a0}d", renamed("a\u{3000}b", "c\u{a0}d"));
        check("=== ann []\u{a0}has joined #x", None);
        check("<a\u{b}b> hello", None);
        check("[٠٩:١٤] <ann> hello", None);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        check(b"<a\xffb> \xc3(\xe2\x82\xf0\x9f", said("a\u{fffd}b", "\u{fffd}(\u{fffd}\u{fffd}"));
        check(b"=== \xff [\xff] has left #\xc3", left("\u{fffd}", "#\u{fffd}"));
        let line = b"<ann> \xf0\x9f\xa6 \x80\xe2\x82\n";
        let whole = String::from_utf8_lossy(line);
        assert_eq!(Parser::new().parse(line), Parser::new().parse(whole.as_bytes()));
    }
}
