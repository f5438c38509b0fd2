//! Handlers of events: by name, and for all. The same on both sides of a connection.

use std::fmt;

use crate::error::{DecodeError, EventError};
use crate::foreign::catch;
use crate::incoming::Incoming;
use crate::listeners::{List, ListenerId, Table};
use crate::payload::Payload;
use crate::rejection::Failure;

/// A handler of one event.
pub(crate) type Handler<S> = dyn Fn(&S, &Incoming) -> Result<(), Fault> + Send + Sync;
/// A handler of all events that come in.
pub(crate) type AnyHandler<S> = dyn Fn(&S, &Incoming) + Send + Sync;
/// A handler of all events that go out.
pub(crate) type OutgoingHandler<S> = dyn Fn(&S, &str, &Payload) + Send + Sync;

/// Why a handler did not do what it is there for.
pub(crate) enum Fault {
    /// It was not called.
    Undecodable(DecodeError),
    /// What it returned.
    Failed(Box<str>),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error)
    }
}

/// What a handler of an event returns: nothing, or a `Result` whose error goes to
/// [error hooks](crate::Namespace::on_error).
///
/// Not to be implemented outside the crate.
///
/// ```
/// use roomcast::{Engine, MembershipError, Payload, Socket};
///
/// fn join(socket: &Socket, room: Payload) -> Result<(), MembershipError> {
///     socket.join(room.as_str().unwrap_or_default())?;
///     Ok(())
/// }
///
/// let chat = Engine::new().of("/chat")?;
/// chat.on("join", join)?;
/// chat.on_error(|_, failure| eprintln!("{failure}")); // the room name is empty, for one
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Outcome: sealed::Outcome {}

impl Outcome for () {}
impl<E: fmt::Display> Outcome for Result<(), E> {}

mod sealed {
    pub trait Outcome {
        #[doc(hidden)]
        fn into_result(self) -> Result<(), Box<str>>;
    }

    impl Outcome for () {
        fn into_result(self) -> Result<(), Box<str>> {
            Ok(())
        }
    }

    impl<E: std::fmt::Display> Outcome for Result<(), E> {
        fn into_result(self) -> Result<(), Box<str>> {
            self.map_err(|error| error.to_string().into())
        }
    }
}

/// Makes of what a handler has returned what is reported.
pub(crate) fn finish(outcome: impl Outcome) -> Result<(), Fault> {
    outcome.into_result().map_err(Fault::Failed)
}

/// What handles the events of a socket, `S`.
#[derive(Debug)]
pub(crate) struct Handlers<S> {
    pub(crate) events: Table<Handler<S>>,
    pub(crate) any: List<AnyHandler<S>>,
    pub(crate) any_outgoing: List<OutgoingHandler<S>>,
}

impl<S> Handlers<S> {
    pub(crate) fn new() -> Self {
        Self { events: Table::new(), any: List::new(), any_outgoing: List::new() }
    }

    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        self.events.remove(id) || self.any.remove(id) || self.any_outgoing.remove(id)
    }

    pub(crate) fn clear(&self) {
        self.events.clear();
        self.any.clear();
        self.any_outgoing.clear();
    }

    /// Calls the handlers of all events.
    pub(crate) fn call_any(&self, socket: &S, incoming: &Incoming, mut report: impl FnMut(Failure)) {
        self.any.call_each(|handler| {
            catch(|| handler(socket, incoming))
                .unwrap_or_else(|message| report(panicked("on_any", Some(incoming.event()), message)));
        });
    }

    /// Calls the handlers of this event.
    pub(crate) fn call(&self, socket: &S, incoming: &Incoming, mut report: impl FnMut(Failure)) {
        self.events.call_each(incoming.event(), |handler| match catch(|| handler(socket, incoming)) {
            Ok(Ok(())) => {}
            Ok(Err(Fault::Failed(message))) => {
                let (event, ack) = (incoming.event().into(), incoming.ack().clone());
                report(Failure::Failed { event, message, ack });
            }
            Ok(Err(Fault::Undecodable(error))) => {
                let (event, ack) = (incoming.event().into(), incoming.ack().clone());
                report(Failure::Undecodable { event, error, ack });
            }
            Err(message) => report(panicked("handler", Some(incoming.event()), message)),
        });
    }

    /// Calls the handlers of all events that go out.
    pub(crate) fn call_outgoing(
        &self,
        socket: &S,
        event: &str,
        payload: &Payload,
        mut report: impl FnMut(Failure),
    ) {
        self.any_outgoing.call_each(|handler| {
            catch(|| handler(socket, event, payload))
                .unwrap_or_else(|message| report(panicked("on_any_outgoing", Some(event), message)));
        });
    }
}

pub(crate) fn panicked(place: &'static str, event: Option<&str>, message: Box<str>) -> Failure {
    Failure::Panicked { place, event: event.map(Box::from), message }
}

/// What can have handlers.
pub(crate) trait Listens {
    /// What its handlers are called with.
    type Socket;

    fn with_handlers<R>(&self, f: impl FnOnce(&Handlers<Self::Socket>) -> R) -> R;

    /// Refuses what is no event's name.
    fn check_event(&self, event: &str) -> Result<(), EventError>;

    /// A handler was added.
    fn listening(&self) {}
}

/// Defines the methods that register handlers, on something that [`Listens`]. One text for all that have
/// them.
macro_rules! listening {
    ($handle:ty, $socket:ty) => {
        impl $handle {
            /// Calls `handler` with every event of this name that comes in, and what it carries.
            ///
            /// Handlers run on the thread that brings the event, one at a time for a socket, in the order in
            /// which the events came; several for one event in the order in which they were registered. They
            /// may call anything here, and a panic in one ends there. `T` is what the payload is
            /// [turned into](crate::FromPayload); with a payload that it cannot be, the handler is not called.
            /// [Error hooks](Self::on_error) are told of either.
            ///
            /// The [`ListenerId`](crate::ListenerId) is for [`off`](Self::off), and need not be kept. Costs
            /// O(handlers of this event here), and a call of them a look-up by name.
            ///
            /// # Errors
            ///
            /// For a name that is empty, too long or reserved.
            pub fn on<E, T, R>(
                &self,
                event: E,
                handler: impl Fn(&$socket, T) -> R + Send + Sync + 'static,
            ) -> Result<$crate::listeners::ListenerId, $crate::error::EventError>
            where
                E: $crate::event::IntoEvent,
                T: $crate::convert::FromPayload<E::Data>,
                R: $crate::handlers::Outcome,
            {
                self.add_handler(
                    event.text(),
                    $crate::listeners::Place::Last,
                    Box::new(move |socket, incoming| {
                        $crate::handlers::finish(handler(socket, T::from_payload(incoming.payload())?))
                    }),
                )
            }

            /// As [`on`](Self::on), with what answers the event: now, or later from any thread. It does nothing
            /// if no answer is wanted.
            ///
            /// # Errors
            ///
            /// As `on`.
            pub fn on_with_ack<E, T, R>(
                &self,
                event: E,
                handler: impl Fn(&$socket, T, $crate::incoming::AckSender) -> R + Send + Sync + 'static,
            ) -> Result<$crate::listeners::ListenerId, $crate::error::EventError>
            where
                E: $crate::event::IntoEvent,
                T: $crate::convert::FromPayload<E::Data>,
                R: $crate::handlers::Outcome,
            {
                self.add_handler(
                    event.text(),
                    $crate::listeners::Place::Last,
                    Box::new(move |socket, incoming| {
                        let data = T::from_payload(incoming.payload())?;
                        $crate::handlers::finish(handler(socket, data, incoming.ack().clone()))
                    }),
                )
            }

            /// As [`on`](Self::on), for the next such event only, whichever thread brings it, and whichever
            /// socket it is for if this has several. One whose payload is not a `T` counts.
            ///
            /// # Errors
            ///
            /// As `on`.
            pub fn once<E, T, R>(
                &self,
                event: E,
                handler: impl FnOnce(&$socket, T) -> R + Send + 'static,
            ) -> Result<$crate::listeners::ListenerId, $crate::error::EventError>
            where
                E: $crate::event::IntoEvent,
                T: $crate::convert::FromPayload<E::Data>,
                R: $crate::handlers::Outcome,
            {
                let handler = $crate::sync::Mutex::new(Some(handler));
                self.add_handler(
                    event.text(),
                    $crate::listeners::Place::Once,
                    Box::new(move |socket, incoming| {
                        let data = T::from_payload(incoming.payload())?;
                        let handler = handler.lock().take();
                        handler.map_or(Ok(()), |handler| $crate::handlers::finish(handler(socket, data)))
                    }),
                )
            }

            /// Calls `handler` with every event that comes in, ahead of all other handlers, as it came: before a
            /// packet middleware may rewrite or refuse it.
            pub fn on_any(
                &self,
                handler: impl Fn(&$socket, &$crate::incoming::Incoming) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.add_any($crate::listeners::Place::Last, Box::new(handler))
            }

            /// As [`on_any`](Self::on_any), ahead of those that are there.
            pub fn prepend_any(
                &self,
                handler: impl Fn(&$socket, &$crate::incoming::Incoming) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.add_any($crate::listeners::Place::First, Box::new(handler))
            }

            /// Calls `handler` with every event that goes out over a connection, answers excepted, as its turn
            /// comes to go: at a server, on the thread that drains the [`Outbox`](crate::Outbox), whatever else
            /// runs for the socket, and for each socket that gets it. Messages that are read by an
            /// [`Inbox`](crate::Inbox) do not pass here.
            pub fn on_any_outgoing(
                &self,
                handler: impl Fn(&$socket, &str, &$crate::payload::Payload) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.add_outgoing($crate::listeners::Place::Last, Box::new(handler))
            }

            /// As [`on_any_outgoing`](Self::on_any_outgoing), ahead of those that are there.
            pub fn prepend_any_outgoing(
                &self,
                handler: impl Fn(&$socket, &str, &$crate::payload::Payload) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.add_outgoing($crate::listeners::Place::First, Box::new(handler))
            }

            /// Takes off all handlers of an event that were registered here, and returns how many there were.
            pub fn off_event<E: $crate::event::IntoEvent>(&self, event: E) -> usize {
                $crate::handlers::Listens::with_handlers(self, |handlers| {
                    handlers.events.remove_event(event.text())
                })
            }

            fn add_handler(
                &self,
                event: &str,
                place: $crate::listeners::Place,
                handler: Box<$crate::handlers::Handler<$socket>>,
            ) -> Result<$crate::listeners::ListenerId, $crate::error::EventError> {
                use $crate::handlers::Listens;
                self.check_event(event)?;
                let id = self.with_handlers(|handlers| handlers.events.add(event, place, handler));
                self.listening();
                Ok(id)
            }

            fn add_any(
                &self,
                place: $crate::listeners::Place,
                handler: Box<$crate::handlers::AnyHandler<$socket>>,
            ) -> $crate::listeners::ListenerId {
                use $crate::handlers::Listens;
                let id = self.with_handlers(|handlers| handlers.any.add(place, handler));
                self.listening();
                id
            }

            fn add_outgoing(
                &self,
                place: $crate::listeners::Place,
                handler: Box<$crate::handlers::OutgoingHandler<$socket>>,
            ) -> $crate::listeners::ListenerId {
                use $crate::handlers::Listens;
                let id = self.with_handlers(|handlers| handlers.any_outgoing.add(place, handler));
                self.listening();
                id
            }
        }
    };
}

pub(crate) use listening;
