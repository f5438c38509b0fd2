//! What messages carry: shared by all recipients, copied for none.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use triomphe::ThinArc;

use crate::encodings::Encodings;
use crate::foreign::contain;

/// The content of a message: bytes, text, JSON, or any value in an [`Arc`].
///
/// A payload is one thin pointer to shared, immutable content. All recipients of a message see the
/// very same bytes or value; cloning a payload counts a reference and copies nothing. Make one
/// beforehand and emit clones of it, and emitting allocates nothing.
///
/// `&str`, `String`, `&[u8]`, `Vec<u8>` and byte arrays are copied once, into the payload. `Arc<str>`,
/// `Arc<[u8]>` and `Arc<T>` are kept as they are. `()` is the empty payload. `Arc<Vec<u8>>` and
/// `Arc<String>` are values like any other: only `Arc<[u8]>` and `Arc<str>` are bytes and text. JSON is
/// text that [says so](Self::json).
///
/// With the feature `serde`, `Payload::encode` makes one from anything that is `Serialize`.
///
/// ```
/// use roomcast::Payload;
/// use std::sync::Arc;
///
/// #[derive(Debug, PartialEq)]
/// struct Position { x: f32, y: f32 }
///
/// let text = Payload::from("hello");
/// assert_eq!(text.as_str(), Some("hello"));
/// assert_eq!(text.as_bytes(), Some(&b"hello"[..]));
///
/// let shared = Arc::new(Position { x: 1.0, y: 2.0 });
/// let value = Payload::from(Arc::clone(&shared));
/// assert!(std::ptr::eq(value.downcast_ref::<Position>().unwrap(), &*shared));
/// assert_eq!(value.as_bytes(), None);
/// ```
#[derive(Clone)]
pub struct Payload(ThinArc<Head, u8>);

/// What reading looks at comes last, beside the length and the bytes that follow: mostly one cache line.
#[repr(C)]
struct Head {
    /// What codecs have made of it.
    encodings: Encodings,
    foreign: Option<Foreign>,
    form: Form,
}

/// What the content is, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Behind the header, in the same block; and so are the next two.
    Bytes,
    Text,
    Json,
    /// In somebody else's `Arc`.
    Foreign,
}

enum Foreign {
    Bytes(Arc<[u8]>),
    Text(Arc<str>),
    Value { value: Arc<dyn Any + Send + Sync>, weight: usize },
}

impl Drop for Head {
    /// The user's value goes without a panic: whoever happens to let go of it last is not to blame.
    fn drop(&mut self) {
        if let Some(Foreign::Value { .. }) = self.foreign {
            let value = self.foreign.take();
            contain(|| drop(value));
        }
    }
}

impl Payload {
    /// Creates a payload from a value whose memory, as it counts against backlog limits, is `weight`
    /// bytes.
    ///
    /// `Payload::from(Arc<T>)` counts `size_of::<T>()`, which is too little for a value that owns more.
    #[must_use]
    pub fn with_weight<T: Any + Send + Sync>(value: Arc<T>, weight: usize) -> Self {
        Self::shared(Foreign::Value { value, weight })
    }

    /// Creates a payload from text that is JSON, written by whoever: it is copied, and not looked at.
    ///
    /// For what a client has sent, say. With the feature `serde`, readers [`decode`](Self::decode) it.
    ///
    /// ```
    /// use roomcast::Payload;
    ///
    /// let payload = Payload::json(r#"{"x":1}"#);
    /// assert_eq!(payload.as_json(), Some(r#"{"x":1}"#));
    /// assert_eq!(payload.as_bytes(), Some(&br#"{"x":1}"#[..]));
    /// assert_eq!(payload.as_str(), None);
    /// ```
    #[must_use]
    pub fn json(text: impl AsRef<str>) -> Self {
        Self::inline(Form::Json, text.as_ref().as_bytes())
    }

    /// Returns the bytes of a payload of bytes, text or JSON.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let inline = &self.0.slice;
        if !inline.is_empty() {
            return Some(inline); // nearly always, and without a look at anything but what is returned
        }
        self.other_bytes()
    }

    /// Returns the text of a payload of text. Bytes are not text, whatever they are, and
    /// [JSON](Self::as_json) is not either, so that a text is told from a document.
    ///
    /// Costs a look over the text, to see that it is UTF-8, unless it was made from an `Arc<str>`.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match (self.form(), self.foreign()) {
            (Form::Text, _) => std::str::from_utf8(&self.0.slice).ok(),
            (_, Some(Foreign::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a payload of [JSON](Self::json). Costs a look over it, as
    /// [`as_str`](Self::as_str).
    #[must_use]
    pub fn as_json(&self) -> Option<&str> {
        match self.form() {
            Form::Json => std::str::from_utf8(&self.0.slice).ok(),
            _ => None,
        }
    }

    /// Returns the value, if the payload was made from an `Arc<T>`.
    #[must_use]
    pub fn downcast_ref<T: Any + Send + Sync>(&self) -> Option<&T> {
        match self.foreign() {
            Some(Foreign::Value { value, .. }) => value.downcast_ref(),
            _ => None,
        }
    }

    /// Returns a reference-counted handle to the value, if the payload was made from an `Arc<T>`.
    #[must_use]
    pub fn downcast<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        match self.foreign() {
            Some(Foreign::Value { value, .. }) => Arc::clone(value).downcast().ok(),
            _ => None,
        }
    }

    /// Returns how many bytes the payload counts for: its length, or the value's weight.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        let inline = self.0.slice.len();
        if inline > 0 {
            return inline;
        }
        match self.foreign() {
            None => 0,
            Some(Foreign::Bytes(bytes)) => bytes.len(),
            Some(Foreign::Text(text)) => text.len(),
            Some(Foreign::Value { weight, .. }) => *weight,
        }
    }

    /// Returns whether [`len`](Self::len) is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether both are the same content in memory, not merely equal.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }

    /// What it is, to say so in an error.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.form(), self.foreign()) {
            (Form::Text, _) | (_, Some(Foreign::Text(_))) => "text",
            (Form::Json, _) => "JSON",
            (_, Some(Foreign::Value { .. })) => "a value in memory",
            _ if self.is_empty() => "empty",
            _ => "bytes",
        }
    }

    pub(crate) fn encodings(&self) -> &Encodings {
        &self.0.header.header.encodings
    }

    /// The bytes, if there are none behind the header.
    #[cold]
    fn other_bytes(&self) -> Option<&[u8]> {
        match self.foreign() {
            None => Some(&[]),
            Some(Foreign::Bytes(bytes)) => Some(bytes),
            Some(Foreign::Text(text)) => Some(text.as_bytes()),
            Some(Foreign::Value { .. }) => None,
        }
    }

    #[inline]
    fn form(&self) -> Form {
        self.0.header.header.form
    }

    /// The content, if it is not behind the header. The form tells first: it is where the bytes are.
    #[inline]
    fn foreign(&self) -> Option<&Foreign> {
        let head = &self.0.header.header;
        if head.form == Form::Foreign { head.foreign.as_ref() } else { None }
    }

    fn inline(form: Form, bytes: &[u8]) -> Self {
        let head = Head { encodings: Encodings::default(), foreign: None, form };
        Self(ThinArc::from_header_and_slice(head, bytes))
    }

    fn shared(foreign: Foreign) -> Self {
        let head = Head { encodings: Encodings::default(), foreign: Some(foreign), form: Form::Foreign };
        Self(ThinArc::from_header_and_slice(head, &[]))
    }
}

/// Payloads are equal if they are both bytes, both text or both JSON, and the same ones; values only if they are
/// the same in memory.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        if self.ptr_eq(other) {
            return true;
        }
        match (self.foreign(), other.foreign()) {
            (Some(Foreign::Value { value, .. }), Some(Foreign::Value { value: other, .. })) => {
                Arc::ptr_eq(value, other)
            }
            _ => {
                let kind = |payload: &Self| (payload.as_json().is_some(), payload.as_str().is_some());
                kind(self) == kind(other) && self.as_bytes().is_some() && self.as_bytes() == other.as_bytes()
            }
        }
    }
}

impl Eq for Payload {}

impl Default for Payload {
    fn default() -> Self {
        Self::from(())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.as_str() {
            return fmt::Debug::fmt(text, f);
        }
        if let Some(json) = self.as_json() {
            return write!(f, "Json({json})");
        }
        match self.as_bytes() {
            Some(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            None => write!(f, "Value({} bytes)", self.len()),
        }
    }
}

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self::inline(Form::Bytes, &[])
    }
}

impl From<&Self> for Payload {
    fn from(payload: &Self) -> Self {
        payload.clone()
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::inline(Form::Bytes, bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Payload {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(&bytes[..])
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::inline(Form::Text, text.as_bytes())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::from(&text[..])
    }
}

impl From<&String> for Payload {
    fn from(text: &String) -> Self {
        Self::from(&text[..])
    }
}

impl From<Arc<[u8]>> for Payload {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::shared(Foreign::Bytes(bytes))
    }
}

impl From<Arc<str>> for Payload {
    fn from(text: Arc<str>) -> Self {
        Self::shared(Foreign::Text(text))
    }
}

impl<T: Any + Send + Sync> From<Arc<T>> for Payload {
    fn from(value: Arc<T>) -> Self {
        Self::with_weight(value, size_of::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_its_content_and_weight() {
        let bytes: Arc<[u8]> = Arc::from(&b"\xff\x00z"[..]);
        let text: Arc<str> = Arc::from("naïve");
        for (payload, as_bytes, as_str) in [
            (Payload::from(()), &b""[..], None),
            (Payload::from([1, 2, 3]), &[1, 2, 3], None),
            (Payload::from(vec![9]), &[9], None),
            (Payload::from("naïve"), "naïve".as_bytes(), Some("naïve")),
            (Payload::from(String::new()), b"", Some("")),
            (Payload::from(Arc::clone(&bytes)), &bytes, None),
            (Payload::from(Arc::clone(&text)), text.as_bytes(), Some("naïve")),
        ] {
            assert_eq!(payload.as_bytes(), Some(as_bytes));
            assert_eq!(payload.as_str(), as_str);
            assert_eq!(payload.len(), as_bytes.len());
            assert_eq!(payload.is_empty(), as_bytes.is_empty());
            assert!(payload.downcast_ref::<u8>().is_none());
        }
        for json in ["", "null", r#"{"x":1}"#] {
            let payload = Payload::json(json);
            assert_eq!((payload.as_json(), payload.as_bytes()), (Some(json), Some(json.as_bytes())));
            assert_eq!((payload.as_str(), payload.len()), (None, json.len()));
        }
        assert_eq!(Payload::from("null").as_json(), None);
        assert!(std::ptr::eq(Payload::from(Arc::clone(&bytes)).as_bytes().unwrap(), &*bytes));
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    fn a_value_is_found_by_its_type_only() {
        let value = Arc::new(7_u32);
        let payload = Payload::from(Arc::clone(&value));
        assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
        assert!(payload.downcast_ref::<i32>().is_none());
        assert!(Arc::ptr_eq(&payload.downcast::<u32>().unwrap(), &value));
        assert_eq!((payload.as_bytes(), payload.as_str(), payload.len()), (None, None, 4));
        assert_eq!(Payload::with_weight(value, 1000).len(), 1000);
        assert_eq!(size_of::<Option<Payload>>(), 8);
    }

    #[test]
    fn equal_is_the_same_content_of_the_same_kind() {
        let bytes: Arc<[u8]> = Arc::from(&b"a"[..]);
        assert_eq!(Payload::from("a"), Payload::from(Arc::<str>::from("a")));
        assert_eq!(Payload::from(bytes), Payload::from(*b"a"));
        assert_ne!(Payload::from("a"), Payload::from(*b"a"));
        assert_ne!(Payload::from("1"), Payload::json("1"));
        assert_ne!(Payload::json("1"), Payload::json("2"));
        let value = Arc::new(1_u8);
        assert_eq!(Payload::from(Arc::clone(&value)), Payload::from(value));
        assert_ne!(Payload::from(Arc::new(1_u8)), Payload::from(Arc::new(1_u8)));
    }

    #[test]
    fn debug_shows_text_bytes_and_values() {
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Payload::from("a\"b"),
            Payload::json("[1]"),
            Payload::from(b"\x00b"),
            Payload::from(Arc::new(1_u64))
        );
        assert_eq!(shown, r#""a\"b" Json([1]) b"\x00b" Value(8 bytes)"#);
    }
}
