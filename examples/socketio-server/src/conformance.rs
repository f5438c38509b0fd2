//! What the protocol's own test suite expects of a server.

use roomcast::{Engine, EventError, Namespace, Payload};

/// Has an engine tell clients of `/` and `/custom` how they authenticated, and those of `/` what they said.
///
/// # Panics
///
/// If the engine is closed.
pub fn install(engine: &Engine) {
    let [main, custom] =
        ["/", "/custom"].map(|path| engine.of(path).expect("the engine is open, and the path good"));
    tell_auth(&main);
    tell_auth(&custom);
    echo(&main).expect("the events have good names");
}

// Who is gone meanwhile is told nothing.

fn tell_auth(namespace: &Namespace) {
    namespace.on_connect(|socket| drop(socket.emit("auth", socket.auth())));
}

fn echo(namespace: &Namespace) -> Result<(), EventError> {
    namespace.on("message", |socket, payload: Payload| drop(socket.emit("message-back", payload)))?;
    namespace.on_with_ack("message-with-ack", |_, payload: Payload, ack| drop(ack.send(payload)))?;
    Ok(())
}
