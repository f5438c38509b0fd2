//! What can be emitted under an event, and what can be read from it: the two conversions between values and
//! payloads, each for events by name and for events with a type.

use std::any::{Any, type_name};
use std::sync::Arc;

use crate::error::{DecodeError, EncodeError};
use crate::payload::Payload;
use crate::token::{Typed, Untyped};

/// What can be emitted under an event whose messages carry `D`.
///
/// Under a name (`D` is [`Untyped`]) that is
///
/// - bytes: `&[u8]`, `[u8; N]`, `Vec<u8>`, `Arc<[u8]>`;
/// - text: `&str`, `String`, `&String`, `Arc<str>`;
/// - a value, as it is: `Arc<T>`;
/// - a [`Payload`] made before, or a reference to one; and `()`;
/// - with the feature `serde`, a reference to anything that is `Serialize`, as by `Payload::encode`.
///
/// Under an [`Event<T>`](crate::Event) (`D` is [`Typed<T>`]) it is an `Arc<T>`, which readers get as it is;
/// `()` if that is the type, `&str` and `String` for `String`, `&[u8]` and `Vec<u8>` for `Vec<u8>`; and with the feature `serde`, `&T` if `T` is `Serialize`.
///
/// It can be implemented for types of your own. With the feature `serde`, which any crate in a build may
/// turn on, references to what is `Serialize` have it already: implement it for those types by value.
///
/// ```
/// use roomcast::{EncodeError, Engine, IntoPayload, Payload};
///
/// struct Angle(f32);
///
/// impl IntoPayload for Angle {
///     fn into_payload(self) -> Result<Payload, EncodeError> {
///         match self.0.is_finite() {
///             true => Ok(self.0.to_le_bytes().into()),
///             false => Err(EncodeError::new("an angle is finite")),
///         }
///     }
/// }
///
/// let world = Engine::new().of("/world")?;
/// world.emit("turned", Angle(0.5))?;
/// assert!(world.emit("turned", Angle(f32::NAN)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be emitted under an event that carries `{D}`",
    note = "under a name: `&str`, `&[u8]`, `[u8; N]`, `Vec<u8>`, `Arc<T>`, `Payload` and more; under an `Event<T>`: `Arc<T>`",
    note = "with the feature `serde` of roomcast also `&T`, if `T` is `Serialize`",
    note = "a reference to an array of bytes is emitted as `&array[..]` or `*array`"
)]
pub trait IntoPayload<D = Untyped> {
    /// Makes the payload.
    ///
    /// Runs in the emit, under no lock, before anything is published.
    ///
    /// # Errors
    ///
    /// If the value has no form as a payload. Then nothing is emitted.
    fn into_payload(self) -> Result<Payload, EncodeError>;
}

/// What can be read from the messages of an event that carries `D`.
///
/// From a message whatever its event ([`Untyped`]) that is a [`Payload`], to keep; [`Shared<T>`], the value
/// that was emitted as an `Arc<T>`; `String` for text, `Vec<u8>` for bytes, `()` for an empty message; and with
/// the feature `serde`, anything that is `DeserializeOwned`. From the messages of an [`Event<T>`](crate::Event) ([`Typed<T>`]) it is `T`,
/// `Shared<T>` and `Payload`, and no other type.
///
/// It can be implemented for types of your own. With the feature `serde`, which any crate in a build may
/// turn on, what is `DeserializeOwned` has it already: wrap such a type before you implement it.
///
/// ```
/// use roomcast::{DecodeError, Engine, FromPayload, Payload};
///
/// struct Angle(f32);
///
/// impl FromPayload for Angle {
///     fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
///         let bytes = payload.as_bytes().and_then(|bytes| bytes.try_into().ok());
///         bytes.map(|bytes| Self(f32::from_le_bytes(bytes))).ok_or(DecodeError::new("not four bytes"))
///     }
/// }
///
/// let (player, mut inbox) = Engine::new().of("/world")?.connect();
/// player.emit("turned", 0.5_f32.to_le_bytes())?;
/// let Angle(angle) = inbox.try_next().unwrap().decode()?;
/// assert_eq!(angle, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event that carries `{D}`",
    note = "from an `Event<T>`: `Shared<T>`, `Payload`, and with the feature `serde` of roomcast `T` itself",
    note = "from any message: the same, and with the feature `serde` anything that is `DeserializeOwned`"
)]
pub trait FromPayload<D = Untyped>: Sized {
    /// Reads the value.
    ///
    /// # Errors
    ///
    /// If the payload is not one.
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError>;
}

/// A value that was emitted as an [`Arc<T>`]: that very `Arc`.
///
/// ```
/// use roomcast::{Payload, Shared};
/// use std::sync::Arc;
///
/// let map = Arc::new(vec!["here", "there"]);
/// let Shared(read) = Payload::from(Arc::clone(&map)).decode()?;
/// assert!(Arc::ptr_eq(&map, &read));
/// assert!(Payload::from("here").decode::<Shared<String>>().is_err());
/// # Ok::<(), roomcast::DecodeError>(())
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shared<T>(pub Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Payload {
    /// Reads the payload as a value.
    ///
    /// Without the feature `serde`, a [`Shared`], a `Payload` or a [`FromPayload`] of your own. With it also
    /// whatever is `DeserializeOwned`: text is a string, or what is made from one; bytes are a sequence of
    /// numbers, or bytes; the empty payload is `()` or `None`; JSON is what it says.
    ///
    /// # Errors
    ///
    /// If it is no such value. An `Arc<T>` is never decoded: take [`Shared<T>`].
    #[inline]
    pub fn decode<T: FromPayload>(&self) -> Result<T, DecodeError> {
        T::from_payload(self)
    }
}

macro_rules! infallible {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> IntoPayload for $type {
            #[inline]
            fn into_payload(self) -> Result<Payload, EncodeError> {
                Ok(self.into())
            }
        }
    )*};
}

infallible! {
    [] Payload; [] &Payload; [] ();
    [] &[u8]; [const N: usize] [u8; N]; [] Vec<u8>; [] Arc<[u8]>;
    [] &str; [] String; [] Arc<str>;
    [T: Any + Send + Sync] Arc<T>;
}

// No `&[u8; N]`: with the feature `serde` it would overlap with `&T`, and be missing above 32 bytes, where
// arrays are not `Serialize`; and `&[1, 2, 3]` would be of bytes without the feature and of `i32` with it.

impl<T: Any + Send + Sync> IntoPayload<Typed<T>> for Arc<T> {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl IntoPayload<Typed<()>> for () {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl IntoPayload<Typed<Self>> for String {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl IntoPayload<Typed<String>> for &str {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl IntoPayload<Typed<Self>> for Vec<u8> {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl IntoPayload<Typed<Vec<u8>>> for &[u8] {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        Ok(self.into())
    }
}

impl FromPayload for Payload {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        Ok(payload.clone())
    }
}

impl<T> FromPayload<Typed<T>> for Payload {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        Ok(payload.clone())
    }
}

impl<T: Any + Send + Sync> FromPayload for Shared<T> {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        payload.downcast().map(Self).ok_or_else(|| {
            let (kind, name) = (payload.kind(), type_name::<T>());
            DecodeError::new(format!("the payload is {kind}, and not an `Arc` of `{name}`"))
        })
    }
}

impl<T: Any + Send + Sync> FromPayload<Typed<T>> for Shared<T> {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        payload.decode()
    }
}

#[cfg(feature = "serde")]
mod serde {
    use ::serde::Serialize;
    use ::serde::de::DeserializeOwned;

    use super::{DecodeError, EncodeError, FromPayload, IntoPayload, Payload, Typed};
    use crate::decode::decode;

    // `T` is sized, which leaves room for `&str` and `&[u8]` above.
    impl<T: Serialize> IntoPayload for &T {
        fn into_payload(self) -> Result<Payload, EncodeError> {
            Payload::encode(self)
        }
    }

    impl<T: Serialize> IntoPayload<Typed<T>> for &T {
        fn into_payload(self) -> Result<Payload, EncodeError> {
            Payload::encode(self)
        }
    }

    impl<T: DeserializeOwned> FromPayload for T {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            decode(payload)
        }
    }

    impl<T: DeserializeOwned> FromPayload<Typed<T>> for T {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            decode(payload)
        }
    }
}

/// What the feature `serde` has for all types, for those that are there without it, with the same result.
#[cfg(not(feature = "serde"))]
mod plain {
    use super::{DecodeError, EncodeError, FromPayload, IntoPayload, Payload, Typed};

    impl IntoPayload for &String {
        fn into_payload(self) -> Result<Payload, EncodeError> {
            Ok(self.into())
        }
    }

    impl FromPayload for () {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            let is_null = |json: &str| json.trim_matches([' ', '\t', '\n', '\r']) == "null";
            match payload.kind() {
                "empty" => Ok(()),
                _ if payload.as_json().is_some_and(is_null) => Ok(()),
                kind => Err(DecodeError::new(format!("the payload is {kind}, and not empty"))),
            }
        }
    }

    impl FromPayload for String {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            payload.as_str().map(Self::from).ok_or_else(|| unread(payload, "text"))
        }
    }

    impl FromPayload for Vec<u8> {
        fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
            let is_bytes = payload.as_str().is_none() && payload.as_json().is_none();
            let bytes = payload.as_bytes().filter(|_| is_bytes);
            bytes.map(Self::from).ok_or_else(|| unread(payload, "bytes"))
        }
    }

    /// JSON may hold both, but takes the feature to read.
    fn unread(payload: &Payload, what: &str) -> DecodeError {
        match payload.as_json() {
            Some(_) => DecodeError::new("the payload is JSON, which takes the feature `serde` to read"),
            None => DecodeError::new(format!("the payload is {}, and not {what}", payload.kind())),
        }
    }

    macro_rules! typed {
        ($($type:ty)*) => {$(
            impl FromPayload<Typed<Self>> for $type {
                fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
                    payload.decode()
                }
            }
        )*};
    }

    typed!(() String Vec<u8>);
}
