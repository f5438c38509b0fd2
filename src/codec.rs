//! Encoding a message once for all who get it.

use std::any::TypeId;
use std::borrow::Cow;

use crate::delivery::{Delivery, Message};
use crate::payload::Payload;

/// Turns messages into what a transport sends: bytes, frames, text.
///
/// Each message is encoded once for each type of codec, whoever asks first, and all recipients share the result: by
/// [`Delivery::encoded`], [`Message::encoded`] or [`Payload::encoded`]. It is made of the event's name and the payload
/// alone. All else is not in it, and goes before it when it is sent: the namespace, the sender, the
/// [number](Delivery::ack_id) of an answer that is wanted, a frame's own header.
///
/// Two codecs of one type have to encode alike, as the type is all that tells encodings apart. An answer
/// ([`ServerPacket::Ack`](crate::ServerPacket::Ack)) has no event: if it takes a form of its own, give it a codec of
/// its own.
///
/// ```
/// use roomcast::{Codec, Engine, Payload};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// /// Lines of text: the event's name, and what it carries.
/// struct Lines {
///     encoded: AtomicUsize,
/// }
///
/// impl Codec for Lines {
///     type Encoded = Arc<str>;
///
///     fn encode(&self, event: &str, payload: &Payload) -> Arc<str> {
///         self.encoded.fetch_add(1, Ordering::Relaxed);
///         format!("{event} {}\n", payload.as_str().unwrap_or_default()).into()
///     }
/// }
///
/// let codec = Lines { encoded: AtomicUsize::new(0) };
/// let chat = Engine::new().of("/chat")?;
/// let mut inboxes: Vec<_> = (0..100).map(|_| chat.connect().1).collect();
/// chat.emit("said", "hello")?;
/// let mut sent = Vec::new();
/// for inbox in &mut inboxes {
///     inbox.drain(|delivery| sent.push(delivery.encoded(&codec).into_owned()));
/// }
/// assert_eq!(&*sent[99], "said hello\n");
/// assert!(sent.iter().all(|line| Arc::ptr_eq(line, &sent[0])));
/// assert_eq!(codec.encoded.load(Ordering::Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Codec: 'static {
    /// The encoded message, cheap to clone: an `Arc<[u8]>`, a `Bytes`. If encoding can fail, a `Result`.
    ///
    /// It is kept with the payload, so it is not to hold a clone of it: they would keep each other.
    type Encoded: Clone + Send + Sync + 'static;

    /// Encodes a message: its event's name, and what it carries.
    ///
    /// Called under no lock. Others who want the same encoding of the same message wait meanwhile; so codecs are not
    /// to ask for each other's encodings in a circle. If it panics, the panic is the caller's, and who comes next tries
    /// again.
    fn encode(&self, event: &str, payload: &Payload) -> Self::Encoded;
}

impl Payload {
    /// Returns the payload as a codec encodes it under this event, which it does the first time.
    ///
    /// The encoding is kept with the payload, and goes with it. Finding it takes a few steps for each that there is. A
    /// payload keeps up to 16, of different codecs and event names, and what is asked for beyond those is made anew
    /// each time: make a payload for each message if its name is the choice of clients. Encodings do not count
    /// against [backlog](crate::Backlog) limits.
    ///
    /// ```
    /// # use roomcast::{Codec, Payload};
    /// struct Length;
    ///
    /// impl Codec for Length {
    ///     type Encoded = usize;
    ///     fn encode(&self, event: &str, payload: &Payload) -> usize {
    ///         event.len() + payload.len()
    ///     }
    /// }
    ///
    /// let payload = Payload::from("hello");
    /// assert_eq!(*payload.encoded("said", &Length), 9);
    /// assert_eq!(*payload.encoded("shouted", &Length), 12);
    /// ```
    pub fn encoded<C: Codec>(&self, event: &str, codec: &C) -> Cow<'_, C::Encoded> {
        self.encodings().get(event, TypeId::of::<C>(), || codec.encode(event, self))
    }
}

impl<'a> Delivery<'a> {
    /// Returns the message as a codec encodes it, which it does once for all who get it. As [`Payload::encoded`].
    ///
    /// A [gap](Self::gap) is encoded as an empty message, each time.
    pub fn encoded<C: Codec>(&self, codec: &C) -> Cow<'a, C::Encoded> {
        match self.gap() {
            None => self.payload().encoded(self.event(), codec),
            Some(_) => Cow::Owned(codec.encode(self.event(), self.payload())),
        }
    }
}

impl Message {
    /// Returns the message as a codec encodes it, which it does once for all who get it. As [`Payload::encoded`].
    pub fn encoded<C: Codec>(&self, codec: &C) -> Cow<'_, C::Encoded> {
        self.payload().encoded(self.event(), codec)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::encodings::MAX;

    /// Counts, and encodes to the event, the content, and how many came before.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Counting {
        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Codec for Counting {
        type Encoded = (String, usize);

        fn encode(&self, event: &str, payload: &Payload) -> Self::Encoded {
            (format!("{event}: {payload:?}"), self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    /// Another encoding.
    struct Length;

    impl Codec for Length {
        type Encoded = usize;

        fn encode(&self, _: &str, payload: &Payload) -> usize {
            payload.len()
        }
    }

    /// One panic in the middle of another ends the process: one `contain` around all of them would not do.
    #[test]
    #[cfg(panic = "unwind")]
    fn encodings_may_all_panic_when_they_are_dropped() {
        #[derive(Clone)]
        struct Rude;
        impl Drop for Rude {
            fn drop(&mut self) {
                panic!("rude");
            }
        }
        impl Codec for Rude {
            type Encoded = std::sync::Arc<Self>;

            fn encode(&self, _: &str, _: &Payload) -> Self::Encoded {
                std::sync::Arc::new(Self)
            }
        }
        let codec = std::mem::ManuallyDrop::new(Rude);
        let payload = Payload::from("a");
        for event in ["x", "y", "z"] {
            payload.encoded(event, &*codec);
        }
        drop(payload);
    }

    #[test]
    fn each_codec_and_event_has_its_own() {
        let (codec, payload) = (Counting::default(), Payload::from("a"));
        let first = payload.encoded("x", &codec).into_owned();
        assert_eq!(first, (r#"x: "a""#.to_owned(), 0));
        assert_eq!(payload.encoded("y", &codec).0, r#"y: "a""#);
        assert_eq!(*payload.encoded("x", &Length), 1);
        let again = payload.clone();
        assert_eq!(*again.encoded("x", &codec), first);
        assert!(matches!(again.encoded("x", &codec), Cow::Borrowed(_)));
        assert_eq!(codec.count(), 2);
        // Equal is not the same.
        Payload::from("a").encoded("x", &codec);
        assert_eq!(codec.count(), 3);
    }

    #[test]
    fn beyond_sixteen_nothing_is_kept_and_all_is_right() {
        let (codec, payload) = (Counting::default(), Payload::from("a"));
        for round in 0..2 {
            for event in 0..20 {
                let event = event.to_string();
                assert_eq!(payload.encoded(&event, &codec).0, format!("{event}: \"a\""));
            }
            assert_eq!(codec.count(), 20 + round * 4);
        }
    }

    #[test]
    fn threads_that_ask_at_the_same_time_share_one() {
        for _ in 0..200 {
            let (codec, payload, barrier) = (Counting::default(), Payload::from("a"), Barrier::new(4));
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (codec, payload, barrier) = (&codec, &payload, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        for event in ["x", "y", "z"].iter().cycle().skip(thread).take(3) {
                            payload.encoded(event, codec);
                        }
                    });
                }
            });
            assert_eq!(codec.count(), 3);
        }
    }

    #[test]
    #[cfg(panic = "unwind")]
    fn a_codec_that_panics_leaves_the_place_to_the_next() {
        struct Once(AtomicUsize);
        impl Codec for Once {
            type Encoded = usize;
            fn encode(&self, _: &str, _: &Payload) -> usize {
                match self.0.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("not yet"),
                    count => count,
                }
            }
        }
        let (codec, payload) = (Once(AtomicUsize::new(0)), Payload::from("a"));
        let encode = || *payload.encoded("x", &codec);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(encode)).is_err());
        assert_eq!((encode(), encode()), (1, 1));
    }

    #[test]
    fn a_codec_that_asks_for_what_it_makes_gets_one_made_anew() {
        struct Nested(Cell<u8>);
        impl Codec for Nested {
            type Encoded = u8;
            fn encode(&self, event: &str, payload: &Payload) -> u8 {
                let depth = self.0.replace(self.0.get() + 1);
                if depth < 3 { *payload.encoded(event, self) + 1 } else { 0 }
            }
        }
        let payload = Payload::from("a");
        let codec = Nested(Cell::new(0));
        assert_eq!(*payload.encoded("x", &codec), 3);
        assert_eq!((*payload.encoded("x", &codec), codec.0.get()), (3, 4));
    }

    #[test]
    fn encodings_go_with_the_payload() {
        struct Shares(std::sync::Arc<()>);
        impl Codec for Shares {
            type Encoded = std::sync::Arc<()>;
            fn encode(&self, _: &str, _: &Payload) -> Self::Encoded {
                std::sync::Arc::clone(&self.0)
            }
        }
        let shared = std::sync::Arc::new(());
        let payload = Payload::from("a");
        (0..20).for_each(|event| _ = payload.encoded(&event.to_string(), &Shares(shared.clone())));
        assert_eq!(std::sync::Arc::strong_count(&shared), 1 + MAX);
        drop(payload);
        assert_eq!(std::sync::Arc::strong_count(&shared), 1);
    }
}
