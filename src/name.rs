//! Names: of rooms, and the paths of namespaces.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};

use smol_str::SmolStr;

/// A room's name: text, or up to three integers.
///
/// Everything that takes a room takes `&str`, `String`, any integer, and pairs and triples of integers,
/// so that the cells of a game need no formatting: `join((3, 4))`. Text of up to 23 bytes is stored
/// inline. The number `5`, the text `"5"` and a tuple are different names.
///
/// ```
/// use roomcast::RoomName;
///
/// assert_eq!(RoomName::from("lobby").to_string(), "lobby");
/// assert_eq!(RoomName::from((3, -4)).to_string(), "(3, -4)");
/// assert_eq!(RoomName::from(5_u8), RoomName::from(5_i64));
/// assert_ne!(RoomName::from(5), RoomName::from("5"));
/// assert_eq!(RoomName::from("lobby").as_str(), Some("lobby"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Repr {
    Text(SmolStr),
    /// The first `len` of these. Bit `n` of `large` is set if number `n` is a `u64` above `i64::MAX`, here in
    /// the bits of an `i64`. So equal numbers are equal, whatever their types were.
    Numbers {
        len: u8,
        large: u8,
        bits: [i64; 3],
    },
}

impl Hash for Repr {
    /// In one write: names are hashed with each look-up, and what a hasher does for each write is most of it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => state.write(text.as_bytes()),
            Self::Numbers { len, large, bits } => {
                let mut bytes = [len << 4 | large; 8 * 3 + 1];
                for (bytes, number) in bytes.chunks_exact_mut(8).zip(bits) {
                    bytes.copy_from_slice(&number.to_ne_bytes());
                }
                state.write(&bytes);
            }
        }
    }
}

impl RoomName {
    /// Returns the text, if the name is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(text) => Some(text),
            _ => None,
        }
    }

    fn numbers(numbers: &[Number]) -> Self {
        let (mut large, mut bits) = (0, [0; 3]);
        for (place, number) in numbers.iter().enumerate() {
            large |= u8::from(number.is_large) << place;
            bits[place] = number.bits;
        }
        Self(Repr::Numbers { len: numbers.len() as u8, large, bits })
    }

    /// What it consists of, if it is numbers: how many, which of them are large, and their bits.
    #[cfg(feature = "record")]
    pub(crate) fn numbers_in(&self) -> Option<(u8, u8, [i64; 3])> {
        match self.0 {
            Repr::Numbers { len, large, bits } => Some((len, large, bits)),
            Repr::Text(_) => None,
        }
    }

    /// The name that consists of that, if one does.
    #[cfg(feature = "record")]
    pub(crate) fn of_numbers(len: u8, large: u8, bits: [i64; 3]) -> Option<Self> {
        // Nothing but what is made of integers: so equal numbers stay equal names.
        let is_one = |(place, bits): (usize, &i64)| match large >> place & 1 {
            _ if place >= usize::from(len) => large >> place & 1 == 0 && *bits == 0,
            0 => true,
            _ => *bits < 0,
        };
        let is_name = (1..=3).contains(&len) && large < 8 && bits.iter().enumerate().all(is_one);
        is_name.then_some(Self(Repr::Numbers { len, large, bits }))
    }

    /// How many bytes of text it has.
    pub(crate) fn text_len(&self) -> usize {
        self.as_str().map_or(0, str::len)
    }

    pub(crate) fn check(&self, limit: usize) -> Result<(), RoomNameError> {
        match &self.0 {
            Repr::Text(text) if text.is_empty() => Err(RoomNameError::Empty),
            Repr::Text(text) if text.len() > limit => {
                Err(RoomNameError::TooLong { bytes: text.len(), limit })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => f.pad(text),
            Repr::Numbers { len, large, bits } => {
                let mut shown = String::new();
                for (place, &bits) in bits.iter().take(usize::from(*len)).enumerate() {
                    let comma = if place > 0 { ", " } else { "" };
                    let number = Number { is_large: large >> place & 1 == 1, bits };
                    shown += &format!("{comma}{number}");
                }
                f.pad(&if *len > 1 { format!("({shown})") } else { shown })
            }
        }
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => fmt::Display::fmt(self, f),
        }
    }
}

impl From<&str> for RoomName {
    fn from(text: &str) -> Self {
        Self(Repr::Text(SmolStr::new(text)))
    }
}

impl From<String> for RoomName {
    fn from(text: String) -> Self {
        Self(Repr::Text(SmolStr::from(text)))
    }
}

impl From<&String> for RoomName {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Self> for RoomName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

/// Why a room name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomNameError {
    /// It is empty text.
    Empty,
    /// It is longer than [`EngineBuilder::max_name_bytes`](crate::EngineBuilder::max_name_bytes) allows.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is a [`Room`](crate::Room) of another namespace.
    Foreign,
    /// There is no room of this name, and the namespace has as many rooms as
    /// [`EngineBuilder::max_rooms`](crate::EngineBuilder::max_rooms) allows.
    TooManyRooms {
        /// How many that are.
        limit: usize,
    },
}

impl fmt::Display for RoomNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the room name is empty"),
            Self::TooLong { bytes, limit } => {
                write!(f, "the room name has {bytes} bytes, more than the limit of {limit}")
            }
            Self::Foreign => f.write_str("the room handle is of another namespace"),
            Self::TooManyRooms { limit } => write!(f, "the namespace cannot have more than {limit} rooms"),
        }
    }
}

impl Error for RoomNameError {}

/// An integer in a room's name. Comes from any integer type of up to 64 bits.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    is_large: bool,
    bits: i64,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_large { (self.bits as u64).fmt(f) } else { self.bits.fmt(f) }
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Number {
            fn from(number: $integer) -> Self {
                // Only a large `u64` or `usize` does not fit, and keeps its bits.
                Self { is_large: i64::try_from(number).is_err(), bits: number as i64 }
            }
        }

        impl From<$integer> for RoomName {
            fn from(number: $integer) -> Self {
                Self::numbers(&[number.into()])
            }
        }
    )*};
}

from_integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl<A: Into<Number>, B: Into<Number>> From<(A, B)> for RoomName {
    fn from((a, b): (A, B)) -> Self {
        Self::numbers(&[a.into(), b.into()])
    }
}

impl<A: Into<Number>, B: Into<Number>, C: Into<Number>> From<(A, B, C)> for RoomName {
    fn from((a, b, c): (A, B, C)) -> Self {
        Self::numbers(&[a.into(), b.into(), c.into()])
    }
}

/// The longest namespace path, in bytes, with its slash.
pub(crate) const MAX_PATH: usize = 256;

/// A path that cannot be one, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPath {
    pub(crate) path: Box<str>,
    pub(crate) problem: &'static str,
}

/// Brings a namespace path into its one form, with a slash in front: `""` is `/`, `chat` is `/chat`.
pub(crate) fn normalize_path(path: &str) -> Result<Cow<'_, str>, BadPath> {
    let bad = |problem| Err(BadPath { path: path.into(), problem });
    if path.is_empty() || path == "/" {
        return Ok(Cow::Borrowed("/"));
    }
    if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return bad("it contains white space or control characters");
    }
    // Socket.IO's wire format ends a path at a comma and starts a query with a question mark.
    if path.contains([',', '?', '#']) {
        return bad("it contains one of `,`, `?` and `#`");
    }
    let rest = path.strip_prefix('/').unwrap_or(path);
    if rest.len() >= MAX_PATH {
        return bad("it is longer than 256 bytes");
    }
    if rest.split('/').any(str::is_empty) {
        return bad("a part between slashes is empty");
    }
    Ok(if rest.len() == path.len() { Cow::Owned(format!("/{path}")) } else { Cow::Borrowed(path) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_names_never_meet() {
        let names = [
            RoomName::from("1"),
            RoomName::from(1),
            RoomName::from((1, 1)),
            RoomName::from((1, 1, 1)),
            RoomName::from(u64::MAX),
            RoomName::from(-1),
            RoomName::from((u64::MAX, 0)),
            RoomName::from((0, u64::MAX)),
            RoomName::from((-1, 0)),
        ];
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a:?} {b:?}");
            }
        }
        assert_eq!(RoomName::from(1_usize), RoomName::from(1_isize));
        assert_eq!(RoomName::from((3_usize, 4_u64)), RoomName::from((3, 4)));
        assert_eq!(RoomName::from((1_u32, 2_i64)), RoomName::from((1_i8, 2_u8)));
        assert_eq!(
            format!("{:?} {:?}", RoomName::from("a"), RoomName::from(u64::MAX)),
            format!("\"a\" {}", u64::MAX)
        );
    }

    #[test]
    fn long_and_empty_text_is_refused() {
        assert_eq!(RoomName::from("").check(9), Err(RoomNameError::Empty));
        assert_eq!(RoomName::from("1234").check(3), Err(RoomNameError::TooLong { bytes: 4, limit: 3 }));
        assert_eq!(RoomName::from("123").check(3), Ok(()));
        assert_eq!(RoomName::from(123_456).check(0), Ok(()));
    }

    #[test]
    fn paths_have_one_form() {
        for (path, normal) in [("", "/"), ("/", "/"), ("chat", "/chat"), ("/chat", "/chat"), ("a/b", "/a/b")]
        {
            assert_eq!(normalize_path(path).unwrap(), normal);
        }
        assert!(normalize_path(&"x".repeat(255)).is_ok());
        let long = "x".repeat(256);
        for path in ["//", "/a/", "a//b", "/a b", "a\n", "a,b", "a?b", "#", &long, "\u{a0}x"] {
            assert!(matches!(normalize_path(path), Err(BadPath { .. })), "{path:?}");
        }
    }
}
