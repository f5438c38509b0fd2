//! All that can be registered with a namespace, a parent of namespaces, or one socket.

use crate::decision::Decision;
use crate::error::Refusal;
use crate::handlers::Handlers;
use crate::incoming::Incoming;
use crate::journal::RoomEvent;
use crate::listeners::{List, ListenerId};
use crate::name::RoomName;
use crate::namespace::Namespace;
use crate::reason::DisconnectReason;
use crate::rejection::{Failure, Rejection};
use crate::socket::Socket;

type DecidesNow = dyn Fn(&Socket) -> Result<(), Rejection> + Send + Sync;
type DecidesLater = dyn Fn(&Socket, Decision) + Send + Sync;

/// What decides whether a socket may connect.
pub(crate) enum Middleware {
    Now(Box<DecidesNow>),
    Later(Box<DecidesLater>),
}

/// What may rewrite an event, or refuse it.
pub(crate) type PacketMiddleware = dyn Fn(&Socket, &mut Incoming) -> Result<(), Rejection> + Send + Sync;
pub(crate) type SocketHook = dyn Fn(&Socket) + Send + Sync;
pub(crate) type DisconnectHook = dyn Fn(&Socket, &DisconnectReason) + Send + Sync;
pub(crate) type ErrorHook = dyn Fn(&Socket, &Failure) + Send + Sync;
pub(crate) type RoomHook = dyn Fn(&Namespace, &RoomEvent) + Send + Sync;
pub(crate) type Admission = dyn Fn(&Socket, &RoomName) -> Result<(), Refusal> + Send + Sync;

/// One list of each kind. What sockets have of their own uses some of them.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) handlers: Handlers<Socket>,
    pub(crate) packet: List<PacketMiddleware>,
    pub(crate) middlewares: List<Middleware>,
    pub(crate) connect: List<SocketHook>,
    pub(crate) away: List<DisconnectHook>,
    pub(crate) resumed: List<SocketHook>,
    pub(crate) disconnecting: List<DisconnectHook>,
    pub(crate) disconnect: List<DisconnectHook>,
    pub(crate) error: List<ErrorHook>,
    pub(crate) rooms: List<RoomHook>,
    pub(crate) admission: List<Admission>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            handlers: Handlers::new(),
            packet: List::new(),
            middlewares: List::new(),
            connect: List::new(),
            away: List::new(),
            resumed: List::new(),
            disconnecting: List::new(),
            disconnect: List::new(),
            error: List::new(),
            rooms: List::new(),
            admission: List::new(),
        }
    }

    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        self.handlers.remove(id)
            || self.packet.remove(id)
            || self.middlewares.remove(id)
            || self.connect.remove(id)
            || self.away.remove(id)
            || self.resumed.remove(id)
            || self.disconnecting.remove(id)
            || self.disconnect.remove(id)
            || self.error.remove(id)
            || self.rooms.remove(id)
            || self.admission.remove(id)
    }

    /// Lets go of all that was registered: it may refer to what it was registered with.
    pub(crate) fn clear(&self) {
        self.handlers.clear();
        self.packet.clear();
        self.middlewares.clear();
        self.connect.clear();
        self.away.clear();
        self.resumed.clear();
        self.disconnecting.clear();
        self.disconnect.clear();
        self.error.clear();
        self.rooms.clear();
        self.admission.clear();
    }
}

/// What has a [`Registry`].
pub(crate) trait Registers {
    fn with_registry<R>(&self, f: impl FnOnce(&Registry) -> R) -> R;

    /// Something was registered.
    fn registered(&self) {}
}

/// Defines the methods that register what a socket, a namespace and a parent have alike.
macro_rules! registering {
    ($handle:ty) => {
        impl $handle {
            /// Calls `middleware` with every event that comes in, before handlers are: it may rewrite the
            /// [event](crate::Incoming), its name too, or refuse it. They run in the order in which they were registered; after
            /// a refusal neither the next ones nor handlers are called, and error hooks are told.
            pub fn packet_middleware(
                &self,
                middleware: impl Fn(
                    &$crate::socket::Socket,
                    &mut $crate::incoming::Incoming,
                ) -> Result<(), $crate::rejection::Rejection>
                + Send
                + Sync
                + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    registry.packet.add($crate::listeners::Place::Last, Box::new(middleware))
                })
            }

            /// Calls `hook` when the connection of a socket is lost and the socket is [kept](crate::Recovery): its
            /// client may come back. With the reason for which it was lost. After the events that came before.
            pub fn on_away(
                &self,
                hook: impl Fn(&$crate::socket::Socket, &$crate::reason::DisconnectReason) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| registry.away.add($crate::listeners::Place::Last, Box::new(hook)))
            }

            /// Calls `hook` when the client of a socket has come back, before any of its events is handled.
            /// [`on_connect`](crate::Namespace::on_connect) hooks are not called again.
            pub fn on_resume(
                &self,
                hook: impl Fn(&$crate::socket::Socket) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| registry.resumed.add($crate::listeners::Place::Last, Box::new(hook)))
            }

            /// Calls `hook` when a socket is disconnected, before [`on_disconnect`](Self::on_disconnect).
            /// Nothing reaches the socket any more, but it says where it was, and can say good-bye:
            /// [`Socket::rooms`](crate::Socket::rooms) and [`Socket::is_in`](crate::Socket::is_in) answer as
            /// before, and [`Socket::to`](crate::Socket::to) and its like still emit.
            pub fn on_disconnecting(
                &self,
                hook: impl Fn(&$crate::socket::Socket, &$crate::reason::DisconnectReason) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    registry.disconnecting.add($crate::listeners::Place::Last, Box::new(hook))
                })
            }

            /// Calls `hook` when a socket was disconnected, once, after all that its handlers were called
            /// with: on the thread that disconnected it, unless another one runs a handler of that socket at
            /// the time; then that one calls it next.
            pub fn on_disconnect(
                &self,
                hook: impl Fn(&$crate::socket::Socket, &$crate::reason::DisconnectReason) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    registry.disconnect.add($crate::listeners::Place::Last, Box::new(hook))
                })
            }

            /// Calls `hook` when an event was refused or could not be read, and when a handler, hook or
            /// middleware of a socket panicked: with a [`Failure`](crate::Failure). Without such a hook, that has
            /// no consequence but for the one concerned. Hooks of rooms and of new namespaces belong to no socket:
            /// of a panic in them [`Engine::on_panic`](crate::Engine::on_panic) tells, and of one in this hook only
            /// the process's panic hook.
            pub fn on_error(
                &self,
                hook: impl Fn(&$crate::socket::Socket, &$crate::rejection::Failure) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| registry.error.add($crate::listeners::Place::Last, Box::new(hook)))
            }

            /// Takes off what was registered here under this id, and returns whether it was there. A call
            /// that has begun goes on. O(all that is registered here).
            pub fn off(&self, id: $crate::listeners::ListenerId) -> bool {
                $crate::registry::Registers::with_registry(self, |registry| registry.remove(id))
            }

            /// Takes off all handlers of events that were registered here, the catch-all ones too. Middlewares
            /// and hooks stay.
            pub fn off_all(&self) {
                $crate::registry::Registers::with_registry(self, |registry| registry.handlers.clear());
            }

            fn register(
                &self,
                add: impl FnOnce(&$crate::registry::Registry) -> $crate::listeners::ListenerId,
            ) -> $crate::listeners::ListenerId {
                use $crate::registry::Registers;
                let id = self.with_registry(add);
                self.registered();
                id
            }
        }
    };
}

/// Defines the methods that register what a namespace and a parent have alike.
macro_rules! hosting {
    ($handle:ty) => {
        impl $handle {
            /// Has `middleware` decide whether a socket may connect: those that come by a
            /// [`Connection`](crate::Connection), not those of [`Namespace::connect`](crate::Namespace::connect).
            /// What the client is told is the [`Rejection`](crate::Rejection).
            ///
            /// Middlewares run in the order in which they were registered, a parent's first, until one
            /// rejects. The socket is not connected yet: it has [`auth`](crate::Socket::auth), a
            /// [`handshake`](crate::Socket::handshake) and an id, can join rooms and be given data, and is
            /// released from all of it if it is rejected. A panic rejects it.
            pub fn middleware(
                &self,
                middleware: impl Fn(&$crate::socket::Socket) -> Result<(), $crate::rejection::Rejection>
                + Send
                + Sync
                + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    let middleware = $crate::registry::Middleware::Now(Box::new(middleware));
                    registry.middlewares.add($crate::listeners::Place::Last, Box::new(middleware))
                })
            }

            /// As [`middleware`](Self::middleware), for one that decides later, on any thread: by the
            /// [`Decision`](crate::Decision) that it is given, before the engine's
            /// [`middleware_timeout`](crate::EngineBuilder::middleware_timeout).
            pub fn deferred_middleware(
                &self,
                middleware: impl Fn(&$crate::socket::Socket, $crate::decision::Decision) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    let middleware = $crate::registry::Middleware::Later(Box::new(middleware));
                    registry.middlewares.add($crate::listeners::Place::Last, Box::new(middleware))
                })
            }

            /// Calls `hook` with every socket that connects from now on, by a connection or by
            /// [`Namespace::connect`](crate::Namespace::connect), before any of its events is handled. The place
            /// to join rooms, to greet, and to register handlers of this socket alone.
            pub fn on_connect(
                &self,
                hook: impl Fn(&$crate::socket::Socket) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| registry.connect.add($crate::listeners::Place::Last, Box::new(hook)))
            }

            /// Calls `hook` with what happens to rooms from now on: created, joined, left, deleted, each
            /// once, in the order in which it happened, and one at a time. When a call that joins or leaves
            /// returns, its own were told, unless another thread, or a hook that made the call, is telling
            /// at that moment: then they are told there, next.
            pub fn on_room(
                &self,
                hook: impl Fn(&$crate::namespace::Namespace, &$crate::journal::RoomEvent) + Send + Sync + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| registry.rooms.add($crate::listeners::Place::Last, Box::new(hook)))
            }

            /// Has `admission` decide whether a socket may join a room, each time before anything changes.
            /// The first [refusal](crate::Refusal) counts, and none of the rooms of that call is joined. Asked for
            /// every join, whoever makes it, in middlewares too, into a room that the socket is not in; before the
            /// room's [capacity](crate::Room::set_capacity) is. A panic in it refuses.
            ///
            /// It runs in the call that joins, under no lock: several threads may be let in at the same moment, so
            /// to count members is for the capacity.
            pub fn admission(
                &self,
                admission: impl Fn(&$crate::socket::Socket, &$crate::name::RoomName) -> Result<(), $crate::error::Refusal>
                + Send
                + Sync
                + 'static,
            ) -> $crate::listeners::ListenerId {
                self.register(|registry| {
                    registry.admission.add($crate::listeners::Place::Last, Box::new(admission))
                })
            }
        }
    };
}

pub(crate) use {hosting, registering};
