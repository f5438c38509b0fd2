//! Patterns of namespace paths, such as `/game-{id}`, and what they capture.
//!
//! A capture never spans a slash, except that of the rest, and two captures of one part have text between
//! them. So a part is matched from left to right, by taking each literal text where it first occurs: if that
//! does not lead to a match, a later place does not either. Nothing is tried twice, and a path that somebody
//! chose to be slow takes as long as any other of its length.

use std::fmt;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::error::PatternError;
use crate::name::normalize_path;

/// What a pattern captured from a namespace's path: values by name, in the order of the pattern.
///
/// Comes from [`Namespace::params`](crate::Namespace::params). A namespace that no pattern has made has none.
///
/// ```
/// use roomcast::Engine;
///
/// let engine = Engine::new();
/// engine.of_pattern("/game-{id}/{*rest}")?;
/// let params = engine.of("/game-7/table/3")?.params();
/// assert_eq!(params.get("id").and_then(|id| id.parse().ok()), Some(7));
/// assert_eq!(params.iter().collect::<Vec<_>>(), [("id", "7"), ("rest", "table/3")]);
/// assert!(engine.of("/lobby")?.params().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Box<[(SmolStr, SmolStr)]>);

impl Params {
    /// Returns the value captured under this name. Looks at the names one after the other: there are at most
    /// sixteen.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(captured, _)| *captured == name).map(|(_, value)| value)
    }

    /// Iterates over names and values, in the order of the pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns how many values were captured.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing was captured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// How many captures a pattern has at most.
const MAX_CAPTURES: usize = 16;

/// A pattern of namespace paths: literal text, `{name}` for one or more characters other than a slash, and
/// `{*name}` as the last part for all that is left.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// In the form of a path, with a slash in front.
    text: Box<str>,
    /// What is to stand between the slashes, without the rest.
    parts: Box<[Part]>,
    has_rest: bool,
    /// Of all captures, the rest included.
    names: Box<[SmolStr]>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(Box<str>),
    /// One capture more than there are texts `between` them, none of which is empty.
    Captures {
        before: Box<str>,
        between: Box<[Box<str>]>,
        after: Box<str>,
    },
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, PatternError> {
        let path = match normalize_path(text) {
            Ok(path) => path,
            Err(bad) => return Err(error(text, None, bad.problem)),
        };
        let (mut parts, mut has_rest, mut names) = (Vec::new(), false, Vec::new());
        let body = text.strip_prefix('/').unwrap_or(text);
        let mut start = text.len() - body.len();
        for part in body.split('/') {
            match parse_part(text, start, part, &mut names)? {
                Some(part) => parts.push(part),
                None => has_rest = true,
            }
            start += part.len() + 1;
        }
        Ok(Self { text: path.into(), parts: parts.into(), has_rest, names: names.into() })
    }

    /// The pattern with a slash in front. Equal patterns have equal texts.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Matches the whole of a path, given in its one form. Of several captures in a part, the earlier ones
    /// are as short as possible. Takes time linear in the path, and allocates only for a match.
    pub(crate) fn matches(&self, path: &str) -> Option<Params> {
        let mut left = Some(path.strip_prefix('/')?);
        let mut values = SmallVec::<[&str; MAX_CAPTURES]>::new();
        for part in &self.parts {
            let (here, after) = match left?.split_once('/') {
                Some((here, after)) => (here, Some(after)),
                None => (left?, None),
            };
            part.capture(here, &mut values)?;
            left = after;
        }
        match left {
            None if !self.has_rest => {}
            Some(rest) if self.has_rest && !rest.is_empty() => values.push(rest),
            _ => return None,
        }
        Some(Params(self.names.iter().cloned().zip(values.into_iter().map(SmolStr::new)).collect()))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Part {
    /// Matches the whole of what stands between two slashes.
    fn capture<'p>(&self, text: &'p str, values: &mut SmallVec<[&'p str; MAX_CAPTURES]>) -> Option<()> {
        let (before, between, after) = match self {
            Self::Literal(literal) => return (**literal == *text).then_some(()),
            Self::Captures { before, between, after } => (before, between, after),
        };
        let mut left = text.strip_prefix(&**before)?;
        for literal in between {
            let first = left.chars().next()?.len_utf8();
            let end = first + left[first..].find(&**literal)?;
            values.push(&left[..end]);
            left = &left[end + literal.len()..];
        }
        // The last capture has no choice: the text after it is the end.
        let value = left.strip_suffix(&**after)?;
        values.push((!value.is_empty()).then_some(value)?);
        Some(())
    }
}

/// Parses what stands between two slashes of `text`, from byte `start` on. Nothing is returned for the rest.
fn parse_part(
    text: &str,
    start: usize,
    part: &str,
    names: &mut Vec<SmolStr>,
) -> Result<Option<Part>, PatternError> {
    let mut left = part;
    // The text before each capture.
    let mut literals: Vec<Box<str>> = Vec::new();
    while let Some(brace) = left.find(['{', '}']) {
        let (literal, capture) = left.split_at(brace);
        let bad = |problem| Err(error(text, Some(start + part.len() - capture.len()), problem));
        let Some(inside) = capture.strip_prefix('{') else {
            return bad("a brace is closed that is not open");
        };
        let Some((inside, after)) = inside.split_once('}') else {
            return bad("a brace is not closed before the next slash");
        };
        let name = inside.strip_prefix('*').unwrap_or(inside);
        let is_rest = name.len() < inside.len();
        if !is_identifier(name) {
            return bad("the name is not an ASCII identifier");
        }
        let is_whole = capture.len() == part.len() && after.is_empty();
        if is_rest && !(is_whole && start + part.len() == text.len()) {
            return bad("`{*name}` is not the whole last part");
        }
        if literal.is_empty() && !literals.is_empty() {
            return bad("there is no text between it and the capture before");
        }
        if names.iter().any(|other| other == name) {
            return bad("the name is taken by a capture before");
        }
        if names.len() == MAX_CAPTURES {
            return bad("there are more than 16 captures");
        }
        names.push(name.into());
        if is_rest {
            return Ok(None);
        }
        literals.push(literal.into());
        left = after;
    }
    if literals.is_empty() {
        return Ok(Some(Part::Literal(part.into())));
    }
    let before = literals.remove(0);
    Ok(Some(Part::Captures { before, between: literals.into(), after: left.into() }))
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn error(text: &str, at: Option<usize>, problem: &'static str) -> PatternError {
    PatternError { text: text.into(), at, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use regex::Regex;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    /// What the pattern captures from the path, as `name=value`.
    fn captures(text: &str, path: &str) -> Option<Vec<String>> {
        let params = pattern(text).matches(path)?;
        Some(params.iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[test]
    fn whole_paths_match() {
        let table: &[(&str, &str, &[&str])] = &[
            ("", "/", &[]),
            ("/", "/", &[]),
            ("/chat", "/chat", &[]),
            ("chat", "/chat", &[]),
            ("/{a}", "/x", &["a=x"]),
            ("{a}", "/x", &["a=x"]),
            ("/{_A1}", "/{a}", &["_A1={a}"]),
            ("/game-{id}", "/game-7", &["id=7"]),
            ("/game-{id}", "/game--", &["id=-"]),
            ("/{id}.json", "/a.json.json", &["id=a.json"]),
            ("/a/{b}/c/{d}", "/a/1/c/2", &["b=1", "d=2"]),
            ("/{a}-{b}", "/x-y", &["a=x", "b=y"]),
            // The earlier ones are as short as possible, and never empty.
            ("/{a}-{b}", "/x-y-z", &["a=x", "b=y-z"]),
            ("/{a}-{b}", "/---", &["a=-", "b=-"]),
            ("/{a}-{b}", "/----", &["a=-", "b=--"]),
            ("/{a}-{b}!", "/x-y!-z!", &["a=x", "b=y!-z"]),
            ("/{a}aa{b}", "/aaaa", &["a=a", "b=a"]),
            ("/{a}aab{b}", "/xaaabc", &["a=xa", "b=c"]),
            // One character, not one byte.
            ("/{a}é{b}", "/éééé", &["a=é", "b=éé"]),
            ("/ü{a}", "/ü雪", &["a=雪"]),
            ("/{*rest}", "/a", &["rest=a"]),
            ("/{*rest}", "/a/b/c", &["rest=a/b/c"]),
            ("/a-{b}/{*rest}", "/a-b/c/d", &["b=b", "rest=c/d"]),
        ];
        for (text, path, expected) in table {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(captures(text, path), Some(expected), "{text} {path}");
        }
    }

    #[test]
    fn other_paths_do_not() {
        let table = [
            ("/", "/a"),
            ("/", ""),
            ("/chat", "/"),
            ("/chat", "/chats"),
            ("/chat", "/chat/a"),
            ("/chat", "chat"),
            ("/{a}", "/"),
            ("/{a}", "/x/y"),
            ("/{a}", "/x/"),
            ("/game-{id}", "/game-"),
            ("/game-{id}", "/Game-7"),
            ("/game-{id}", "/a/game-7"),
            ("/{id}.json", "/.json"),
            ("/{id}.json", "/a.jso"),
            ("/{a}-{b}", "/-x"),
            ("/{a}-{b}", "/x-"),
            ("/{a}-{b}", "/--"),
            ("/{a}-{b}", "/x"),
            ("/{a}-{b}", "/x/-y"),
            // What stands before and after does not overlap.
            ("/ab{a}ba", "/aba"),
            ("/ab{a}ba", "/abba"),
            ("/{a}ab{b}ba", "/xabba"),
            ("/{a}é{b}", "/éé"),
            ("/{*rest}", "/"),
            ("/a/{*rest}", "/a"),
            ("/a/{*rest}", "/a/"),
            ("/a/{*rest}", "/b/c"),
        ];
        for (text, path) in table {
            assert_eq!(captures(text, path), None, "{text} {path}");
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        let many: String = (0..17).map(|n| format!("/{{a{n}}}")).collect();
        let long = "x".repeat(257);
        let table = [
            (long.as_str(), None, "it is longer than 256 bytes"),
            ("/{a b}", None, "it contains white space or control characters"),
            ("/a?", None, "it contains one of `,`, `?` and `#`"),
            ("/{a}//b", None, "a part between slashes is empty"),
            ("/a}", Some(2), "a brace is closed that is not open"),
            ("/{a}}", Some(4), "a brace is closed that is not open"),
            ("{", Some(0), "a brace is not closed before the next slash"),
            ("/x/{a/b}", Some(3), "a brace is not closed before the next slash"),
            ("/é{}", Some(3), "the name is not an ASCII identifier"),
            ("/{*}", Some(1), "the name is not an ASCII identifier"),
            ("/{**a}", Some(1), "the name is not an ASCII identifier"),
            ("/{{a}}", Some(1), "the name is not an ASCII identifier"),
            ("/{1a}", Some(1), "the name is not an ASCII identifier"),
            ("/{a-b}", Some(1), "the name is not an ASCII identifier"),
            ("/{é}", Some(1), "the name is not an ASCII identifier"),
            ("a/{*b}/c", Some(2), "`{*name}` is not the whole last part"),
            ("/a{*b}", Some(2), "`{*name}` is not the whole last part"),
            ("/{*b}a", Some(1), "`{*name}` is not the whole last part"),
            ("/{a}{*b}", Some(4), "`{*name}` is not the whole last part"),
            ("/x{a}{b}", Some(5), "there is no text between it and the capture before"),
            ("/{a}/{a}", Some(5), "the name is taken by a capture before"),
            ("/{a}/{*a}", Some(5), "the name is taken by a capture before"),
            (&many, Some(10 * 5 + 6 * 6 + 1), "there are more than 16 captures"),
        ];
        for (text, at, problem) in table {
            let error = Pattern::new(text).unwrap_err();
            assert_eq!((error.text(), error.at(), error.problem), (text, at, problem));
        }
        let shown = |text| Pattern::new(text).unwrap_err().to_string();
        assert_eq!(
            shown("/a}"),
            r#"bad pattern of paths "/a}", at byte 2: a brace is closed that is not open"#
        );
        assert_eq!(shown("//"), r#"bad pattern of paths "//": a part between slashes is empty"#);
    }

    #[test]
    fn patterns_are_equal_by_text() {
        assert_eq!(pattern("a/{b}"), pattern("/a/{b}"));
        assert_eq!(pattern("a/{b}").text(), "/a/{b}");
        assert_eq!(pattern("").text(), "/");
        assert_ne!(pattern("/{a}"), pattern("/{b}"));
    }

    #[test]
    fn params_are_found_by_name() {
        let long = "y".repeat(100);
        let params = pattern("/{a}/{b}").matches(&format!("/x/{long}")).unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (Some("x"), Some(&*long), None));
        assert_eq!((params.len(), params.is_empty()), (2, false));
        assert_eq!(params.clone(), params);
        let short = pattern("/{a}/{b}").matches("/x/y").unwrap();
        assert_ne!(short, params);
        assert_eq!(format!("{short:?}"), r#"{"a": "x", "b": "y"}"#);
        let none = pattern("/").matches("/").unwrap();
        assert_eq!((none.len(), none.is_empty(), none), (0, true, Params::default()));
    }

    /// Trying all ways to share 256 dashes among 16 captures would not end. Neither would trying all pairs
    /// of places in the longer ones, which no namespace has.
    #[test]
    fn hostile_paths_take_no_longer() {
        let names: Vec<String> = ('a'..='p').map(|name| format!("{{{name}}}")).collect();
        let text = format!("/{}", names.join("-"));
        for dashes in [255, 1 << 22] {
            let path = format!("/{}", "-".repeat(dashes));
            let params = pattern(&text).matches(&path).unwrap();
            assert!(params.iter().take(15).all(|(_, value)| value == "-"));
            assert_eq!(params.get("p").map(str::len), Some(dashes - 30));
            for text in [format!("{text}x"), text.replace("-{p}", "-x{p}"), text.replace("-{p}", "/{p}")] {
                assert_eq!(pattern(&text).matches(&path), None);
            }
        }
    }

    /// The same as a regular expression, read off the text alone.
    fn regex(text: &str) -> Regex {
        let mut regex = String::from(r"\A");
        let mut left = text;
        while let Some((literal, after)) = left.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            regex += &regex::escape(literal);
            regex += &match name.strip_prefix('*') {
                Some(name) => format!("(?<{name}>(?s:.)+)"),
                None => format!("(?<{name}>[^/]+?)"),
            };
            left = after;
        }
        Regex::new(&format!(r"{regex}{}\z", regex::escape(left))).unwrap()
    }

    /// A pattern and paths, some of which have something in place of each of its captures.
    fn patterns_and_paths() -> impl Strategy<Value = (String, Vec<String>)> {
        let part = (r"[ab.é]{0,2}", vec(r"[ab.é]{1,2}", 0..4), r"[ab.é]{0,2}", any::<bool>());
        (vec(part, 1..4), any::<bool>()).prop_flat_map(|(parts, has_rest)| {
            let (mut text, mut filled) = (String::new(), vec![]);
            let mut capture = |text: &mut String, star, value| {
                *text += &format!("{{{star}c{}}}", filled.len());
                filled.push(value);
            };
            for (before, between, after, is_literal) in parts {
                text = text + "/" + &before;
                if is_literal {
                    text += "a";
                } else {
                    for literal in between {
                        capture(&mut text, "", r"[ab.é]{1,4}");
                        text += &literal;
                    }
                    capture(&mut text, "", r"[ab.é]{1,4}");
                }
                text += &after;
            }
            if has_rest {
                text += "/";
                capture(&mut text, "*", r"[ab.é/]{1,4}");
            }
            let pattern = text.clone();
            let filled = filled.prop_map(move |values| {
                let fill = |path: String, (n, value): (usize, &String)| {
                    path.replace(&format!("{{c{n}}}"), value).replace(&format!("{{*c{n}}}"), value)
                };
                values.iter().enumerate().fold(pattern.clone(), fill)
            });
            // Most of those that lack or have one character too many do not match, or match otherwise.
            let spoilt =
                (filled.clone(), any::<prop::sample::Index>(), r"[ab.é/\n]?").prop_map(|(path, at, new)| {
                    let at = at.index(path.chars().count());
                    path.chars()
                        .enumerate()
                        .map(|(n, c)| if n == at { new.clone() } else { c.into() })
                        .collect()
                });
            (Just(text), vec(prop_oneof![filled, spoilt, r"/[ab.é/]{0,12}"], 8))
        })
    }

    proptest! {
        #[test]
        fn matches_like_a_regex((text, paths) in patterns_and_paths()) {
            let (pattern, regex) = (pattern(&text), regex(&text));
            for path in paths {
                let captured = pattern.matches(&path);
                let captured: Option<Vec<_>> = captured.as_ref().map(|params| params.iter().collect());
                let expected = regex.captures(&path).map(|captures| {
                    let names = regex.capture_names().flatten();
                    names.map(|name| (name, captures.name(name).unwrap().as_str())).collect()
                });
                prop_assert_eq!(captured, expected, "{} {}", text, path);
            }
        }

        /// No text panics, and what is accepted has one form.
        #[test]
        fn any_text_parses_or_not(text in r"[/a{}*_1é ]{0,12}") {
            match Pattern::new(&text) {
                Ok(pattern) => prop_assert_eq!(Pattern::new(pattern.text()), Ok(pattern)),
                Err(error) => {
                    let is_at_brace = error.at().is_none_or(|at| text[at..].starts_with(['{', '}']));
                    prop_assert!(is_at_brace, "{}", error);
                }
            }
        }
    }
}
