//! Names of rooms and events, paths of namespaces, and their patterns: equal if and only if they are the same, in one form,
//! and refused by the rules alone.

use std::hash::{BuildHasher, RandomState};

use regex::Regex;
use roomcast::{
    Client, Engine, EventError, MembershipError, Namespace, NamespaceError, Payload, RoomName, RoomNameError,
};

use crate::choices::Choices;

const MAX_NAME: usize = 32;
const MAX_PATH: usize = 256;

/// Uses two names for all that has a name.
pub fn names(data: &[u8]) {
    let mut choices = Choices::new(data);
    let numbers = [(); 2].map(|()| numbers(&mut choices));
    let rest = String::from_utf8_lossy(choices.rest());
    let (a, b) = rest.split_once('\n').unwrap_or((&rest, &rest));
    let engine = Engine::builder().max_name_bytes(MAX_NAME).expect("in range").build();
    let namespace = engine.of("/").expect("the path is good");
    room_names([a, b].map(Name::Text), &namespace);
    room_names(numbers.clone().map(Name::Numbers), &namespace);
    let [first, _] = numbers;
    room_names([Name::Text(a), Name::Numbers(first)], &namespace);
    event_names([a, b], &namespace);
    paths([a, b]);
    pattern(a, b);
}

/// A room's name, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name<'a> {
    Text(&'a str),
    Numbers(Vec<i128>),
}

/// Up to three numbers around the edges of their types.
fn numbers(choices: &mut Choices<'_>) -> Vec<i128> {
    let count = 1 + choices.below(3);
    choices.list(count, |choices| {
        let edge = choices.one_of(&[0, i128::from(i64::MIN), i128::from(i64::MAX), i128::from(u64::MAX)]);
        let number = edge + choices.number() as i128 - 128;
        number.clamp(i64::MIN.into(), u64::MAX.into())
    })
}

impl Name<'_> {
    fn room_name(&self) -> RoomName {
        match self {
            Self::Text(text) => RoomName::from(*text),
            Self::Numbers(numbers) => from_numbers(numbers),
        }
    }

    fn check(&self) -> Result<(), RoomNameError> {
        match self {
            Self::Text("") => Err(RoomNameError::Empty),
            Self::Text(text) if text.len() > MAX_NAME => {
                Err(RoomNameError::TooLong { bytes: text.len(), limit: MAX_NAME })
            }
            _ => Ok(()),
        }
    }
}

/// By way of different types, as far as the numbers fit.
fn from_numbers(numbers: &[i128]) -> RoomName {
    macro_rules! name {
        ([$($done:expr),*]) => { RoomName::from(($($done),*)) };
        ([$($done:expr),*] $next:expr $(, $rest:expr)*) => {
            match ($next, i8::try_from($next), i64::try_from($next)) {
                (_, Ok(small), _) => name!([$($done,)* small] $($rest),*),
                (_, _, Ok(signed)) => name!([$($done,)* signed] $($rest),*),
                (large, ..) => name!([$($done,)* u64::try_from(large).expect("in range")] $($rest),*),
            }
        };
    }
    match *numbers {
        [a] => name!([] a),
        [a, b] => name!([] a, b),
        [a, b, c] => name!([] a, b, c),
        _ => unreachable!("a name has one to three numbers"),
    }
}

fn room_names(pair: [Name<'_>; 2], namespace: &Namespace) {
    let is_same = pair[0] == pair[1];
    let [a, b] = [0, 1].map(|place| pair[place].room_name());
    assert_eq!((a == b, a.cmp(&b).is_eq()), (is_same, is_same), "{pair:?}");
    assert_eq!(a.cmp(&b), b.cmp(&a).reverse(), "{pair:?}");
    let hasher = RandomState::new();
    assert!(!is_same || hasher.hash_one(&a) == hasher.hash_one(&b), "{pair:?}");
    for (name, room_name) in pair.iter().zip([&a, &b]) {
        match name {
            Name::Text(text) => {
                assert_eq!(room_name.as_str(), Some(*text));
                assert_eq!(
                    (room_name.to_string(), format!("{room_name:?}")),
                    (text.to_string(), format!("{text:?}"))
                );
            }
            Name::Numbers(numbers) => {
                let words: Vec<_> = numbers.iter().map(i128::to_string).collect();
                let shown =
                    if words.len() == 1 { words[0].clone() } else { format!("({})", words.join(", ")) };
                assert_eq!((room_name.as_str(), room_name.to_string()), (None, shown));
            }
        }
    }

    let (socket, mut inbox) = namespace.connect();
    let joined = socket.join(&a);
    assert_eq!(joined, pair[0].check().map(|()| 1).map_err(MembershipError::Room), "{pair:?}");
    assert_eq!(namespace.room(&b).map(|room| room.name().clone()), pair[1].check().map(|()| b.clone()));
    if joined.is_ok() {
        assert_eq!((socket.rooms(), namespace.rooms()), (vec![a.clone()], vec![(a.clone(), 1)]));
        assert_eq!((socket.is_in(&b), namespace.has_room(&b)), (is_same, is_same), "{pair:?}");
        if pair[1].check().is_ok() {
            namespace.to(&b).emit("moved", "to b").expect("the name is good");
            let room = inbox.try_next().map(|delivery| delivery.room().cloned());
            assert_eq!(room, is_same.then_some(Some(b.clone())), "{pair:?}");
            assert_eq!(socket.leave(&b), Ok(usize::from(is_same)));
        }
    }
}

fn event_names(names: [&str; 2], namespace: &Namespace) {
    let (_socket, mut inbox) = namespace.connect();
    let events = names.map(|name| {
        let event = namespace.event(name);
        let expected = match name {
            "" => Err(EventError::Empty),
            name if name.len() > MAX_NAME => Err(EventError::TooLong { bytes: name.len(), limit: MAX_NAME }),
            "connect" | "connect_error" | "disconnect" | "disconnecting" | "gap" => {
                Err(EventError::Reserved(name.into()))
            }
            name => Ok(name),
        };
        assert_eq!(event.as_ref().map(|event| event.name()), expected.as_ref().map(|name| *name));
        event
    });
    if let [Ok(a), Ok(b)] = events {
        assert_eq!(a == b, names[0] == names[1], "{names:?}");
        namespace.emit(names[0], ()).expect("the name is good");
        let delivery = inbox.try_next().expect("what was emitted");
        assert_eq!((delivery.event(), delivery.is(&a), delivery.is(&b)), (names[0], true, a == b));
    }
}

/// The one form of a path, if it is one.
fn normal_form(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || ",?#".contains(c);
    let is_good =
        !rest.contains(is_odd) && rest.len() < MAX_PATH && rest.split('/').all(|part| !part.is_empty());
    (rest.is_empty() || is_good).then(|| format!("/{rest}"))
}

fn paths(paths: [&str; 2]) {
    let engine = Engine::new();
    let found = paths.map(|path| {
        let found = engine.of(path);
        match normal_form(path) {
            Some(normal) => {
                let namespace = found.as_ref().expect("the path is good");
                assert_eq!(namespace.path(), normal);
                assert_eq!(engine.get(&normal).as_ref(), Some(namespace));
            }
            None => match &found {
                Err(NamespaceError::BadPath { path: told, .. }) => assert_eq!(&**told, path),
                other => panic!("{path:?}: {other:?}"),
            },
        }
        found
    });
    if let [Ok(a), Ok(b)] = &found {
        assert_eq!(a == b, normal_form(paths[0]) == normal_form(paths[1]), "{paths:?}");
    }
    let [first, second] = paths.map(normal_form);
    assert_eq!(engine.remove(paths[0]), first.is_some(), "{paths:?}");
    // The root is there again at once.
    let is_there = second.is_some() && (second != first || second.as_deref() == Some("/"));
    assert_eq!(engine.remove(paths[1]), is_there, "{paths:?}");
}

/// Holds a pattern against a regular expression, on a path that is or may be one of its own.
fn pattern(pattern: &str, path: &str) {
    let engine = Engine::new();
    let parent = match engine.of_pattern(pattern) {
        Ok(parent) => parent,
        Err(error) => {
            let is_at_brace = error.at().is_none_or(|at| pattern[at..].starts_with(['{', '}']));
            assert!(is_at_brace, "{error}");
            assert!(error.at().is_some() || normal_form(pattern).is_none(), "{error}");
            return;
        }
    };
    let normal = parent.pattern().expect("it is of a pattern").to_owned();
    assert_eq!(Some(&normal), normal_form(pattern).as_ref());
    assert_eq!(
        engine.of_pattern(&normal).map(|same| same.pattern().map(str::to_owned)),
        Ok(Some(normal.clone()))
    );
    let Some(path) = normal_form(path).filter(|path| path != "/") else { return };
    let client = Client::new(&engine);
    let _socket = client.socket(&path, Payload::default()).expect("it is connected");
    client.poll();
    let child = engine.get(&path);
    let captured = child.map(|child| {
        child.params().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    });
    let regex = regex(&normal);
    let expected = regex.captures(&path).map(|captures| {
        let names = regex.capture_names().flatten();
        names.map(|name| (name.to_owned(), captures[name].to_owned())).collect::<Vec<_>>()
    });
    assert_eq!(captured, expected, "{pattern:?} {path:?}");
}

/// The same as a pattern, read off its text alone.
fn regex(pattern: &str) -> Regex {
    let mut regex = String::from(r"\A");
    let mut left = pattern;
    while let Some((literal, after)) = left.split_once('{') {
        let (name, after) = after.split_once('}').expect("a brace that is closed");
        regex += &regex::escape(literal);
        regex += &match name.strip_prefix('*') {
            Some(name) => format!("(?<{name}>(?s:.)+)"),
            None => format!("(?<{name}>[^/]+?)"),
        };
        left = after;
    }
    Regex::new(&format!(r"{regex}{}\z", regex::escape(left))).expect("names of captures are names there too")
}
