//! Events of the `tracing` crate, for what is rare; without the feature of that name, nothing at all.
//!
//! A subscriber is user code: events are told under no lock, and a panic in one ends there.

use crate::counters::Readings;
use crate::error::ReceiveError;
#[cfg(feature = "tracing")]
use crate::foreign::contain;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;

#[cfg(feature = "tracing")]
macro_rules! tell {
    ($level:ident, $($event:tt)*) => {
        contain(|| tracing::event!(target: "roomcast", tracing::Level::$level, $($event)*))
    };
}
#[cfg(not(feature = "tracing"))]
macro_rules! tell {
    ($level:ident, $($field:ident = %$value:expr,)* $message:literal) => {{
        $(let _ = $value;)*
        let _ = concat!(stringify!($level), $message);
    }};
}

/// A namespace was made.
pub(crate) fn made(namespace: &str) {
    tell!(DEBUG, namespace = %namespace, "namespace made");
}

/// A namespace was removed, and its sockets are gone.
pub(crate) fn removed(namespace: &str) {
    tell!(DEBUG, namespace = %namespace, "namespace removed");
}

/// A socket was connected.
pub(crate) fn connected(namespace: &str, socket: SocketId) {
    tell!(DEBUG, namespace = %namespace, socket = %socket, "socket connected");
}

/// The connection of a socket is lost, and its client may come back.
pub(crate) fn away(namespace: &str, socket: SocketId, reason: &DisconnectReason) {
    tell!(DEBUG, namespace = %namespace, socket = %socket, reason = %reason, "socket away");
}

/// It has.
pub(crate) fn resumed(namespace: &str, socket: SocketId) {
    tell!(DEBUG, namespace = %namespace, socket = %socket, "socket resumed");
}

/// A socket was disconnected, or not let in.
pub(crate) fn disconnected(namespace: &str, socket: SocketId, reason: &DisconnectReason) {
    if *reason == DisconnectReason::Backlog {
        tell!(WARN, namespace = %namespace, socket = %socket, reason = %reason, "socket disconnected");
    } else {
        tell!(DEBUG, namespace = %namespace, socket = %socket, reason = %reason, "socket disconnected");
    }
}

/// A socket was told of gaps, in one drain.
pub(crate) fn lost(namespace: &str, socket: SocketId, more: Readings) {
    let Readings { gaps, backlog, memberships, .. } = more;
    tell!(
        WARN,
        namespace = %namespace,
        socket = %socket,
        gaps = %gaps,
        backlog_missed = %backlog,
        membership_missed = %memberships,
        "messages lost"
    );
}

/// What a client sent was refused.
pub(crate) fn refused(error: &ReceiveError) {
    if *error == ReceiveError::Busy {
        tell!(WARN, error = %error, "event refused");
    } else {
        tell!(DEBUG, error = %error, "connection closed");
    }
}
