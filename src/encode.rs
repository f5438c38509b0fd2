//! From what is `Serialize` to a payload: text and bytes as such, all else as JSON.

use std::error::Error;
use std::fmt;

use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};

use crate::error::EncodeError;
use crate::payload::Payload;

impl Payload {
    /// Encodes a value, once for all who get it. Needs the feature `serde`.
    ///
    /// So that those who read without serde find what they expect, and the other way round,
    ///
    /// - what serialises as a string or a `char` becomes text,
    /// - bytes, and an array, a tuple or a sequence of one `u8` or more and nothing else, become bytes,
    /// - `()`, a unit struct, `None` and the empty array become the empty payload,
    /// - all else becomes [JSON](Self::as_json): enums, structs, maps, numbers, lists, empty ones too.
    ///
    /// Newtypes and `Some` are what they hold. [`decode`](Self::decode) reads all of that back.
    ///
    /// ```
    /// # use roomcast::Payload;
    /// #[derive(serde::Serialize)]
    /// struct Move { dx: i32, dy: i32 }
    ///
    /// assert_eq!(Payload::encode(&Move { dx: 1, dy: 0 })?.as_json(), Some(r#"{"dx":1,"dy":0}"#));
    /// assert_eq!(Payload::encode("north")?.as_str(), Some("north"));
    /// assert_eq!(Payload::encode(&vec![1_u8, 2])?.as_bytes(), Some(&[1, 2][..]));
    /// # Ok::<(), roomcast::EncodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value's own `Serialize` fails, or it has no form in JSON: a map with keys that are not like
    /// strings.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        if let Ok(Found::Plain(payload)) = value.serialize(Probe::Whole) {
            return Ok(payload);
        }
        // Whatever failed above fails here too, and says why.
        match serde_json::to_string(value) {
            Ok(json) => Ok(Self::json(json)),
            Err(error) => Err(EncodeError::new(error.to_string())),
        }
    }
}

/// Looks whether a value is text, bytes or nothing, and gives up at the first sign that it is not.
#[derive(Clone, Copy)]
enum Probe {
    /// At the value.
    Whole,
    /// At an element of a sequence, which is to be a byte.
    Element,
}

enum Found {
    Plain(Payload),
    Byte(u8),
}

/// The value is something else. What is no error yet: JSON is next.
#[derive(Debug)]
struct Other;

type Probed = Result<Found, Other>;

impl Probe {
    fn plain(self, payload: impl FnOnce() -> Payload) -> Probed {
        match self {
            Self::Whole => Ok(Found::Plain(payload())),
            Self::Element => Err(Other),
        }
    }

    fn bytes(self, len: Option<usize>, empty: Probed) -> Result<Bytes, Other> {
        match self {
            Self::Whole => Ok(Bytes { bytes: Vec::new(), len: len.unwrap_or(0), empty }),
            Self::Element => Err(Other),
        }
    }

    fn inner<T: Serialize + ?Sized>(self, value: &T) -> Probed {
        match self {
            Self::Whole => value.serialize(self),
            // One in a newtype would not be read back from bytes.
            Self::Element => Err(Other),
        }
    }
}

macro_rules! give_up {
    ($($method:ident($($arg:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $arg),*) -> Result<$ok, Other> {
            Err(Other)
        }
    )*};
}

impl Serializer for Probe {
    type Ok = Found;
    type Error = Other;
    type SerializeSeq = Bytes;
    type SerializeTuple = Bytes;
    type SerializeTupleStruct = Impossible<Found, Other>;
    type SerializeTupleVariant = Impossible<Found, Other>;
    type SerializeMap = Impossible<Found, Other>;
    type SerializeStruct = Impossible<Found, Other>;
    type SerializeStructVariant = Impossible<Found, Other>;

    fn serialize_u8(self, byte: u8) -> Probed {
        Ok(Found::Byte(byte))
    }

    fn serialize_char(self, char: char) -> Probed {
        self.plain(|| Payload::from(&*char.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, text: &str) -> Probed {
        self.plain(|| text.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Probed {
        self.plain(|| bytes.into())
    }

    fn serialize_unit(self) -> Probed {
        self.plain(Payload::default)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Probed {
        self.plain(Payload::default)
    }

    fn serialize_none(self) -> Probed {
        self.plain(Payload::default)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Probed {
        self.inner(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Probed {
        self.inner(value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Bytes, Other> {
        // An empty list does not tell of what it is one.
        self.bytes(len, Err(Other))
    }

    fn serialize_tuple(self, len: usize) -> Result<Bytes, Other> {
        self.bytes(Some(len), Ok(Found::Plain(Payload::default())))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Probed {
        Err(Other)
    }

    give_up! {
        serialize_bool(bool) -> Found;
        serialize_i8(i8) -> Found;
        serialize_i16(i16) -> Found;
        serialize_i32(i32) -> Found;
        serialize_i64(i64) -> Found;
        serialize_i128(i128) -> Found;
        serialize_u16(u16) -> Found;
        serialize_u32(u32) -> Found;
        serialize_u64(u64) -> Found;
        serialize_u128(u128) -> Found;
        serialize_f32(f32) -> Found;
        serialize_f64(f64) -> Found;
        serialize_unit_variant(&'static str, u32, &'static str) -> Found;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

/// Up to here, memory is taken for as many bytes as a value says that it has.
const TRUSTED: usize = 64 * 1024;

/// The bytes of a sequence so far.
struct Bytes {
    bytes: Vec<u8>,
    /// How many the value says that there are.
    len: usize,
    /// What it is if there are none.
    empty: Probed,
}

impl Bytes {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Other> {
        match value.serialize(Probe::Element)? {
            Found::Byte(byte) => {
                if self.bytes.is_empty() {
                    self.bytes.reserve(self.len.min(TRUSTED));
                }
                self.bytes.push(byte);
                Ok(())
            }
            Found::Plain(_) => Err(Other),
        }
    }

    fn finish(self) -> Probed {
        if self.bytes.is_empty() { self.empty } else { Ok(Found::Plain(self.bytes.into())) }
    }
}

impl SerializeSeq for Bytes {
    type Ok = Found;
    type Error = Other;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Other> {
        self.push(value)
    }

    fn end(self) -> Probed {
        self.finish()
    }
}

impl SerializeTuple for Bytes {
    type Ok = Found;
    type Error = Other;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Other> {
        self.push(value)
    }

    fn end(self) -> Probed {
        self.finish()
    }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither text nor bytes")
    }
}

impl Error for Other {}

impl ser::Error for Other {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet, HashMap};
    use std::fmt::Debug;
    use std::net::Ipv4Addr;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;

    fn encode(value: &(impl Serialize + ?Sized)) -> Payload {
        Payload::encode(value).unwrap()
    }

    #[track_caller]
    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, shown: &str) {
        let payload = encode(&value);
        assert_eq!(format!("{payload:?}"), shown);
        assert_eq!(payload.decode::<T>().unwrap(), value);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Of<T>(T);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Color(u8, u8, u8);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Field<T> {
        value: T,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Step {
        Stay,
        By(i8),
        Named(String),
        To(u8, u8),
        At { x: u8 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Nothing,
        Number(i64),
        Text(String),
        Bytes(Vec<u8>),
        Field(Field<bool>),
    }

    #[test]
    fn text_is_text() {
        there_and_back("naïve \"x\"".to_owned(), r#""naïve \"x\"""#);
        there_and_back(String::new(), r#""""#);
        there_and_back('ï', r#""ï""#);
        there_and_back(Of("a".to_owned()), r#""a""#);
        there_and_back(Of(Of('a')), r#""a""#);
        there_and_back(Some("a".to_owned()), r#""a""#);
        there_and_back(Some(String::new()), r#""""#);
        there_and_back(Ipv4Addr::LOCALHOST, r#""127.0.0.1""#);
        assert_eq!(encode("a").as_str(), Some("a"));
    }

    #[test]
    fn bytes_are_bytes() {
        there_and_back(vec![0_u8, 255], r#"b"\x00\xff""#);
        there_and_back([1_u8, 2, 3], r#"b"\x01\x02\x03""#);
        there_and_back([b'a'], r#"b"a""#);
        there_and_back((b'a', b'b'), r#"b"ab""#);
        there_and_back(Of([b'a', b'b']), r#"b"ab""#);
        there_and_back(Some(vec![b'a']), r#"b"a""#);
        there_and_back(BTreeSet::from([b'b', b'a']), r#"b"ab""#);
        struct Raw(&'static [u8]);
        impl Serialize for Raw {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        assert_eq!(encode(&Raw(b"\xff")).as_bytes(), Some(&b"\xff"[..]));
        assert_eq!(encode(&Raw(b"")).as_bytes(), Some(&b""[..]));
    }

    #[test]
    fn nothing_is_empty() {
        there_and_back((), r#"b"""#);
        there_and_back(Unit, r#"b"""#);
        there_and_back(Of(Unit), r#"b"""#);
        there_and_back(None::<String>, r#"b"""#);
        there_and_back(None::<i32>, r#"b"""#);
        there_and_back([0_u8; 0], r#"b"""#);
        there_and_back([0_i32; 0], r#"b"""#);
    }

    #[test]
    fn all_else_is_json() {
        there_and_back(7_u8, "Json(7)");
        there_and_back(-7, "Json(-7)");
        there_and_back(u128::MAX, &format!("Json({})", u128::MAX));
        there_and_back(0.5, "Json(0.5)");
        there_and_back(true, "Json(true)");
        there_and_back(Some(7), "Json(7)");
        there_and_back(Of(7), "Json(7)");
        there_and_back(Color(1, 2, 3), "Json([1,2,3])");
        there_and_back(Field { value: 7 }, r#"Json({"value":7})"#);
        there_and_back(Field { value: Field { value: vec![1_u8] } }, r#"Json({"value":{"value":[1]}})"#);
        there_and_back(HashMap::from([("a".to_owned(), 1)]), r#"Json({"a":1})"#);
        there_and_back(HashMap::from([(1, 'a')]), r#"Json({"1":"a"})"#);
    }

    #[test]
    fn a_list_is_bytes_only_if_all_of_it_is() {
        there_and_back(Vec::<u8>::new(), "Json([])");
        there_and_back(Some(Vec::<u8>::new()), "Json([])");
        there_and_back(Vec::<String>::new(), "Json([])");
        there_and_back(vec![1, 2], "Json([1,2])");
        there_and_back((b'a', 1_i32), "Json([97,1])");
        there_and_back((b'a', "b".to_owned()), r#"Json([97,"b"])"#);
        there_and_back(vec!["a".to_owned()], r#"Json(["a"])"#);
        there_and_back(["a".to_owned()], r#"Json(["a"])"#);
        there_and_back(vec![vec![1_u8]], "Json([[1]])");
        there_and_back(vec![Some(1_u8)], "Json([1])");
        there_and_back(vec![Some(1_u8), None], "Json([1,null])");
        there_and_back(vec![Of(1_u8)], "Json([1])");
        there_and_back(vec![()], "Json([null])");
    }

    #[test]
    fn enums_are_json() {
        there_and_back(Step::Stay, r#"Json("Stay")"#);
        there_and_back(Step::By(-1), r#"Json({"By":-1})"#);
        there_and_back(Step::Named("a".to_owned()), r#"Json({"Named":"a"})"#);
        there_and_back(Step::To(1, 2), r#"Json({"To":[1,2]})"#);
        there_and_back(Step::At { x: 1 }, r#"Json({"At":{"x":1}})"#);
        there_and_back(Ok::<i32, String>(1), r#"Json({"Ok":1})"#);
        // Without a tag they are what they hold.
        there_and_back(Any::Nothing, r#"b"""#);
        there_and_back(Any::Number(1), "Json(1)");
        there_and_back(Any::Text("a".to_owned()), r#""a""#);
        there_and_back(Any::Bytes(vec![b'a', b'b']), r#"b"ab""#);
        there_and_back(Any::Field(Field { value: true }), r#"Json({"value":true})"#);
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        let error = Payload::encode(&BTreeMap::from([([1, 2], 3)])).unwrap_err();
        assert_eq!(error.to_string(), "key must be a string");
        #[derive(Serialize)]
        #[serde(transparent)]
        struct Fails(#[serde(serialize_with = "fail")] ());
        fn fail<S: Serializer>((): &(), _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("out of order"))
        }
        for error in
            [Payload::encode(&Fails(())), Payload::encode(&Of(Fails(()))), Payload::encode(&[Fails(())])]
        {
            assert_eq!(error.unwrap_err().to_string(), "out of order");
        }
    }

    #[test]
    fn probing_stops_at_once() {
        struct Counts<'a>(&'a Cell<u32>);
        impl Serialize for Counts<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.set(self.0.get() + 1);
                serializer.serialize_i32(1)
            }
        }
        let count = Cell::new(0);
        encode(&Field { value: [Counts(&count), Counts(&count)] });
        assert_eq!(count.replace(0), 2);
        encode(&[Counts(&count), Counts(&count)]);
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn a_length_that_is_a_lie_takes_no_memory() {
        struct Lies;
        impl Serialize for Lies {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut seq = serializer.serialize_seq(Some(usize::MAX))?;
                seq.serialize_element(&1_u8)?;
                seq.end()
            }
        }
        assert_eq!(encode(&Lies).as_bytes(), Some(&[1][..]));
    }
}
