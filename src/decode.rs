//! From a payload to what is `Deserialize`: the inverse of `encode.rs`, and a bit more, as others may have
//! made the payload.

use std::fmt;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::DecodeError;
use crate::payload::Payload;

/// Reads a payload as a value that is decoded.
pub(crate) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, DecodeError> {
    if let Some(json) = payload.as_json() {
        return serde_json::from_str(json).map_err(de::Error::custom);
    }
    match (payload.as_str(), payload.as_bytes()) {
        (Some(text), _) => T::deserialize(Plain::Text(text)),
        (None, Some(bytes)) => T::deserialize(Plain::Bytes(bytes)),
        (None, None) => Err(DecodeError::new(format!("the payload is {}: take `Shared<T>`", payload.kind()))),
    }
}

/// What is not JSON.
#[derive(Clone, Copy)]
enum Plain<'a> {
    Text(&'a str),
    /// None of them is `()` and `None`, and a list of none too.
    Bytes(&'a [u8]),
}

impl<'a> Plain<'a> {
    fn text(text: &'a str) -> StrDeserializer<'a, DecodeError> {
        text.into_deserializer()
    }

    fn seq<'de, V: Visitor<'de>>(bytes: &[u8], visitor: V) -> Result<V::Value, DecodeError> {
        let mut seq = SeqDeserializer::new(bytes.iter().copied());
        let value = visitor.visit_seq(&mut seq)?;
        seq.end()?; // all of them are read
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for Plain<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Text(text) => visitor.visit_str(text),
            Self::Bytes([]) => visitor.visit_unit(),
            Self::Bytes(bytes) => Self::seq(bytes, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Bytes([]) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self {
            Self::Text(text) => Self::text(text).deserialize_enum(name, variants, visitor),
            Self::Bytes(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Bytes(bytes) => visitor.visit_bytes(bytes),
            Self::Text(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Bytes(bytes) => Self::seq(bytes, visitor),
            Self::Text(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        unit unit_struct tuple_struct map struct identifier ignored_any
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::sync::Arc;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    enum Direction {
        North,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: u8,
    }

    #[track_caller]
    fn fails<T: DeserializeOwned + Debug>(payload: impl Into<Payload>, message: &str) {
        assert_eq!(decode::<T>(&payload.into()).unwrap_err().to_string(), message);
    }

    #[test]
    fn text_is_what_strings_are() {
        for payload in [Payload::from("North"), Payload::from(Arc::<str>::from("North"))] {
            assert_eq!(decode::<String>(&payload).unwrap(), "North");
            assert_eq!(decode::<Box<str>>(&payload).unwrap(), "North".into());
            assert_eq!(decode::<Direction>(&payload).unwrap(), Direction::North);
            assert_eq!(decode::<serde_json::Value>(&payload).unwrap(), "North");
            assert!(decode::<de::IgnoredAny>(&payload).is_ok());
        }
        fails::<Direction>("South", "unknown variant `South`, expected `North`");
        fails::<i32>("7", r#"invalid type: string "7", expected i32"#);
        fails::<Point>(r#"{"x":1}"#, r#"invalid type: string "{\"x\":1}", expected struct Point"#);
        fails::<()>("", r#"invalid type: string "", expected unit"#);
        fails::<Vec<u8>>("ab", r#"invalid type: string "ab", expected a sequence"#);
    }

    #[test]
    fn bytes_are_what_numbers_are() {
        for payload in [Payload::from([1, 2]), Payload::from(Arc::<[u8]>::from([1, 2]))] {
            assert_eq!(decode::<Vec<u8>>(&payload).unwrap(), [1, 2]);
            assert_eq!(decode::<[u8; 2]>(&payload).unwrap(), [1, 2]);
            assert_eq!(decode::<Vec<u64>>(&payload).unwrap(), [1, 2]);
            assert_eq!(decode::<serde_json::Value>(&payload).unwrap(), serde_json::json!([1, 2]));
        }
        fails::<[u8; 3]>([1, 2], "invalid length 2, expected an array of length 3");
        fails::<[u8; 1]>([1, 2], "invalid length 2, expected 1 element in sequence");
        fails::<String>(*b"ab", "invalid type: sequence, expected a string");
        fails::<()>([0], "invalid type: sequence, expected unit");
        fails::<Direction>([0], "invalid type: sequence, expected enum Direction");
    }

    #[test]
    fn nothing_is_what_is_empty() {
        for payload in [Payload::default(), Payload::from(vec![]), Payload::from(Arc::<[u8]>::from([]))] {
            assert_eq!(decode::<()>(&payload), Ok(()));
            assert_eq!(decode::<Option<String>>(&payload), Ok(None));
            assert_eq!(decode::<Vec<u8>>(&payload), Ok(vec![]));
            assert_eq!(decode::<serde_json::Value>(&payload).unwrap(), serde_json::Value::Null);
        }
        fails::<String>((), "invalid type: unit value, expected a string");
        fails::<[u8; 1]>((), "invalid length 0, expected an array of length 1");
    }

    #[test]
    fn json_is_what_it_says() {
        assert_eq!(decode(&Payload::json(r#" {"x": 1, "y": 2} "#)), Ok(Point { x: 1 }));
        assert_eq!(decode(&Payload::json("null")), Ok(()));
        assert_eq!(decode::<String>(&Payload::json(r#""a""#)).unwrap(), "a");
        assert_eq!(decode::<Vec<u8>>(&Payload::json("[1]")).unwrap(), [1]);
        fails::<Point>(Payload::json("{"), "EOF while parsing an object at line 1 column 1");
        fails::<Point>(Payload::json(r#"{"x":1}}"#), "trailing characters at line 1 column 8");
        fails::<()>(Payload::json(""), "EOF while parsing a value at line 1 column 0");
    }

    #[test]
    fn a_value_in_memory_is_not_decoded() {
        fails::<u8>(Arc::new(1_u8), "the payload is a value in memory: take `Shared<T>`");
        fails::<()>(Arc::new(()), "the payload is a value in memory: take `Shared<T>`");
    }
}
