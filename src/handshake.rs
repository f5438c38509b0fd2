//! What is known of a connection from the start.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::foreign::contain;

/// What is known of a connection before anything is said on it: what its transport tells of the other side.
///
/// Named text, such as headers, the query of a URL and an address, in order and with repeats; and one value
/// of any type, for what is the transport's own. Middlewares and handlers read it from
/// [`Socket::handshake`](crate::Socket::handshake); cloning it counts a reference.
///
/// ```
/// use roomcast::Handshake;
///
/// let handshake = Handshake::new().with("address", "192.0.2.7").with("version", "3").with_data(7_u64);
/// assert_eq!(handshake.get("version"), Some("3"));
/// assert_eq!(handshake.data::<u64>(), Some(&7));
/// ```
#[derive(Clone, Default)]
pub struct Handshake(Arc<Known>);

#[derive(Clone, Default)]
struct Known {
    text: Vec<(Box<str>, Box<str>)>,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

impl Drop for Known {
    /// Drops the transport's value without a panic: whoever happens to let go of it last is not to blame.
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            contain(|| drop(data));
        }
    }
}

impl Handshake {
    /// Creates an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds named text. A name may be there several times.
    #[must_use]
    pub fn with(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        Arc::make_mut(&mut self.0).text.push((name.into(), value.into()));
        self
    }

    /// Sets the transport's own value.
    #[must_use]
    pub fn with_data(mut self, value: impl Any + Send + Sync) -> Self {
        Arc::make_mut(&mut self.0).data = Some(Arc::new(value));
        self
    }

    /// Returns the first text of this name, compared without regard to ASCII case, as headers are.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Iterates over all text, in the order in which it was added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.text.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the transport's own value, if it is of this type.
    #[must_use]
    pub fn data<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.data.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("text", &self.0.text).field("data", &self.0.data.is_some()).finish()
    }
}
