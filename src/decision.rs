//! A middleware's verdict that comes later.

use std::fmt;

use crate::rejection::Rejection;

/// Lets a connecting socket in or not, from any thread, later: what a
/// [deferred middleware](crate::Namespace::deferred_middleware) is given.
///
/// The socket waits until then; it is rejected if this is dropped, or at the engine's
/// [`middleware_timeout`](crate::EngineBuilder::middleware_timeout). Without effect when the socket has gone
/// meanwhile, and it keeps nothing of it. The next middleware, or what follows the last one, runs on the thread that accepts.
///
/// ```
/// use roomcast::{Client, Decision, Engine};
/// use std::sync::{Arc, Mutex};
///
/// let engine = Engine::new();
/// let waiting = Arc::new(Mutex::new(Vec::<Decision>::new()));
/// engine.of("/club")?.deferred_middleware({
///     let waiting = Arc::clone(&waiting);
///     move |_socket, decision| waiting.lock().unwrap().push(decision)
/// });
///
/// let client = Client::new(&engine);
/// let socket = client.socket("/club", ())?;
/// assert_eq!((client.poll(), socket.is_connected()), (0, false)); // it waits
/// let decision = waiting.lock().unwrap().pop().unwrap();
/// decision.accept(); // or `decision.reject("full")`
/// assert_eq!((client.poll(), socket.is_connected()), (1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it rejects the socket"]
pub struct Decision(Option<Decide>);

type Decide = Box<dyn FnOnce(Result<(), Rejection>) + Send>;

impl Decision {
    pub(crate) fn new(decide: impl FnOnce(Result<(), Rejection>) + Send + 'static) -> Self {
        Self(Some(Box::new(decide)))
    }

    /// Lets the socket pass to the next middleware, or in.
    pub fn accept(mut self) {
        self.decide(Ok(()));
    }

    /// Does not let the socket in.
    pub fn reject(mut self, rejection: impl Into<Rejection>) {
        self.decide(Err(rejection.into()));
    }

    fn decide(&mut self, verdict: Result<(), Rejection>) {
        if let Some(decide) = self.0.take() {
            decide(verdict);
        }
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        self.decide(Err(Rejection::new("the middleware came to no decision")));
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decision(..)")
    }
}
