//! What the engine asks of a transport.

use std::sync::Arc;

use crate::handshake::Handshake;
use crate::reason::DisconnectReason;

/// What carries packets between a client and the engine, as the engine sees it: something that is told when there is
/// something to send, and when to close. Goes into [`Engine::connect`](crate::Engine::connect).
///
/// It is the smaller half of a transport. The other half is a loop of yours: it hands what the client sends to
/// [`Connection::receive`](crate::Connection::receive), and sends what comes out of
/// [`Outbox::drain`](crate::Outbox::drain). Nothing here names a wire format, a runtime or a thread; the
/// [chapter on transports](crate::guide::transport) shows the drivers that there are.
///
/// All methods are optional. They are called under no lock, from whatever thread brought the matter about, in the
/// middle of its call: an emit, a disconnect, a tick. So let them unpark a thread, wake a task or put a token into a
/// channel. They may call anything of the engine. A panic in [`wake`](Self::wake) or [`close`](Self::close) ends there;
/// one in the other two is a panic of the connect.
///
/// They may be called before [`connect`](crate::Engine::connect) has returned: the engine may be closed, or be closed
/// at that moment. The engine lets go of the transport when the [`Outbox`](crate::Outbox) is dropped, and then calls
/// nothing of it any more, but for calls that are under way. So do not keep the outbox in the transport: they would
/// keep each other.
///
/// A [`Handshake`] is a transport that is only polled. So is `()`, of whom nothing is known. A [`Box`] and an [`Arc`]
/// of a transport are transports.
///
/// ```
/// use roomcast::{ClientPacket, DisconnectReason, Engine, Handshake, Payload, Transport};
/// use std::sync::{Arc, mpsc};
///
/// enum Told {
///     Ready,
///     Close(DisconnectReason),
/// }
///
/// struct Line {
///     address: String,
///     told: mpsc::Sender<Told>,
/// }
///
/// impl Transport for Line {
///     fn handshake(&self) -> Handshake {
///         Handshake::new().with("address", self.address.as_str())
///     }
///     fn wake(&self) {
///         drop(self.told.send(Told::Ready));
///     }
///     fn close(&self, reason: &DisconnectReason) {
///         drop(self.told.send(Told::Close(reason.clone())));
///     }
/// }
///
/// let engine = Engine::new();
/// let (told, tells) = mpsc::channel();
/// let (connection, mut outbox) = engine.connect(Line { address: "192.0.2.7".to_owned(), told });
///
/// connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
/// engine.of("/")?.emit("news", "1")?;
/// assert!(matches!(tells.try_recv(), Ok(Told::Ready))); // once, for both
/// assert!(tells.try_recv().is_err());
/// assert_eq!(outbox.drain(|packet| println!("{packet:?}")), 2);
///
/// engine.close();
/// assert!(matches!(tells.try_recv(), Ok(Told::Ready)));
/// assert!(matches!(tells.try_recv(), Ok(Told::Close(DisconnectReason::Shutdown))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Returns what is known of the client from the start. Called once, by
    /// [`Engine::connect`](crate::Engine::connect), before anything else.
    fn handshake(&self) -> Handshake {
        Handshake::new()
    }

    /// There is something to drain: called once between two drains at most, and never too late.
    ///
    /// What comes while a drain is under way is told when that is over, by the thread that drains; not if it was
    /// [stopped](crate::Outbox::try_drain), as whoever has stopped it knows. It may turn out to be about nothing that
    /// is sent. Not called while there is a callback in its place, by [`Outbox::on_wake`](crate::Outbox::on_wake); if
    /// that changes, the new one is told of what the old one was told already.
    fn wake(&self) {}

    /// The connection is closed, by whomever: drain what is left, and close the line. Called once.
    ///
    /// For a transport that has to act at once, also when it cannot send. For others [`wake`](Self::wake) is enough:
    /// it comes too, unless it was called since the last drain, and after the drain
    /// [`Outbox::closed`](crate::Outbox::closed) has the reason.
    fn close(&self, reason: &DisconnectReason) {
        let _ = reason;
    }

    /// Returns whether the transport drains by itself, in a game's tick perhaps, and is never to be
    /// [woken](Self::wake). Then emitting to its sockets costs nothing for it. Called once, by
    /// [`Engine::connect`](crate::Engine::connect).
    fn is_polled(&self) -> bool {
        false
    }
}

impl Transport for Handshake {
    fn handshake(&self) -> Handshake {
        self.clone()
    }

    fn is_polled(&self) -> bool {
        true
    }
}

impl Transport for () {
    fn is_polled(&self) -> bool {
        true
    }
}

macro_rules! pointing {
    ($($pointer:ident)*) => {$(
        impl<T: Transport + ?Sized> Transport for $pointer<T> {
            fn handshake(&self) -> Handshake {
                T::handshake(self)
            }

            fn wake(&self) {
                T::wake(self);
            }

            fn close(&self, reason: &DisconnectReason) {
                T::close(self, reason);
            }

            fn is_polled(&self) -> bool {
                T::is_polled(self)
            }
        }
    )*};
}

pointing!(Box Arc);
