//! What a namespace has registered, and the calling of it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::error::{EventError, Refusal};
use crate::foreign::catch;
use crate::gate::Gate;
use crate::handlers::{Handlers, Listens, listening, panicked};
use crate::incoming::Incoming;
use crate::journal::RoomEvent;
use crate::listeners::List;
use crate::name::RoomName;
use crate::namespace::Namespace;
use crate::pattern::Params;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::registry::{DisconnectHook, Registers, Registry, hosting, registering};
use crate::rejection::Failure;
use crate::session::{Job, Session};
use crate::socket::Socket;
use crate::state::{Hooks, Mute, NamespaceCore, SocketCore};
use crate::sync::{Arc as Shared, AtomicBool, AtomicUsize, OnceLock, Ordering};
use crate::trace;

/// The registry of a namespace, and where it comes from.
pub(crate) struct Hub {
    registry: Registry,
    origin: OnceLock<Origin>,
    is_retired: AtomicBool,
    /// Shut while hooks are told that there is a new namespace: who connects waits.
    pub(crate) gate: Gate,
}

/// What a parent hands to its children: its registry, kept until the last of them needs it no more.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) registry: Registry,
    /// How many children are not retired.
    children: AtomicUsize,
    is_closed: AtomicBool,
}

impl Family {
    pub(crate) fn new() -> Self {
        Self { registry: Registry::new(), children: AtomicUsize::new(0), is_closed: AtomicBool::new(false) }
    }

    /// There will be no more children.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.clear_if_over();
    }

    /// Lets go of what was registered, if there are no children and will be none.
    pub(crate) fn clear_if_over(&self) {
        if self.is_closed.load(Ordering::SeqCst) && self.children.load(Ordering::SeqCst) == 0 {
            self.registry.clear();
        }
    }
}

/// What to do with a namespace that nobody is in.
pub(crate) type Vacant = Box<dyn Fn(&Shared<NamespaceCore>) + Send + Sync>;

/// Where a namespace comes from, if it is the child of a parent.
pub(crate) struct Origin {
    pub(crate) family: Arc<Family>,
    pub(crate) params: Params,
    /// Takes the namespace away, if nobody is in it.
    pub(crate) vacant: Vacant,
}

impl Hub {
    /// The hub of a namespace, which it gets with the first call.
    pub(crate) fn of(namespace: &NamespaceCore) -> &Self {
        let hooks = namespace.hooks.get_or_init(|| {
            Box::new(Self {
                registry: Registry::new(),
                origin: OnceLock::new(),
                is_retired: AtomicBool::new(false),
                gate: Gate::new(),
            })
        });
        hooks.as_any().downcast_ref().expect("there is one kind of hooks")
    }

    /// The hub of a namespace, if it has one.
    pub(crate) fn get(namespace: &NamespaceCore) -> Option<&Self> {
        namespace.hooks.get()?.as_any().downcast_ref()
    }

    /// Says where a new namespace comes from.
    pub(crate) fn adopt(&self, origin: Origin) {
        origin.family.children.fetch_add(1, Ordering::SeqCst);
        let is_first = self.origin.set(origin).is_ok();
        debug_assert!(is_first, "a namespace comes from one parent");
    }

    /// What was registered with the parent, then what was with the namespace.
    pub(crate) fn registries(&self) -> impl Iterator<Item = &Registry> {
        self.parent().into_iter().chain([&self.registry])
    }

    pub(crate) fn params(&self) -> Option<&Params> {
        self.origin.get().map(|origin| &origin.params)
    }

    fn parent(&self) -> Option<&Registry> {
        self.origin.get().map(|origin| &origin.family.registry)
    }

    /// Tells what went wrong with a socket.
    pub(crate) fn report(&self, socket: &Socket, failure: &Failure) {
        let session = Session::get(socket.core());
        let own = session.as_ref().and_then(|session| session.registered());
        for registry in self.registries().chain(own) {
            registry.error.call_each(|hook| drop(catch(|| hook(socket, failure))));
        }
    }

    /// Does what waits for a socket, unless somebody is at it.
    pub(crate) fn run(&self, socket: &Shared<SocketCore>, session: &Session) {
        let socket = Socket::new(Shared::clone(socket));
        session.jobs.run(|job| match job {
            Job::Connected => self.call_connect(&socket),
            Job::Lost(reason) => self.call_away(&socket, session, &reason),
            Job::Resumed => self.call_resumed(&socket, session),
            Job::Event(incoming) if socket.is_connected() => self.dispatch(&socket, session, incoming),
            Job::Event(_) => {}
            Job::Disconnected(reason) => self.say_good_bye(&socket, session, &reason),
        });
    }

    /// Tells those who watch what goes out to a socket.
    pub(crate) fn call_outgoing(&self, socket: &Socket, event: &str, payload: &Payload) {
        let session = Session::get(socket.core());
        let own = session.as_ref().and_then(|session| session.registered());
        for registry in self.registries().chain(own) {
            let report = |failure| self.report(socket, &failure);
            registry.handlers.call_outgoing(socket, event, payload, report);
        }
    }

    /// Whether anybody watches what goes out to a socket.
    pub(crate) fn watches_outgoing(&self, socket: &Socket) -> bool {
        let watches = |registry: &Registry| !registry.handlers.any_outgoing.is_empty();
        self.registries().any(watches)
            || Session::get(socket.core()).is_some_and(|session| session.registered().is_some_and(watches))
    }

    fn call_connect(&self, socket: &Socket) {
        for registry in self.registries() {
            registry.connect.call_each(|hook| {
                self.check(socket, "on_connect", catch(|| hook(socket)));
            });
        }
    }

    fn call_away(&self, socket: &Socket, session: &Session, reason: &DisconnectReason) {
        trace::away(&socket.core().namespace.path, socket.id(), reason);
        for registry in self.registries().chain(session.registered()) {
            registry.away.call_each(|hook| self.check(socket, "on_away", catch(|| hook(socket, reason))));
        }
    }

    fn call_resumed(&self, socket: &Socket, session: &Session) {
        trace::resumed(&socket.core().namespace.path, socket.id());
        for registry in self.registries().chain(session.registered()) {
            registry.resumed.call_each(|hook| self.check(socket, "on_resume", catch(|| hook(socket))));
        }
    }

    fn dispatch(&self, socket: &Socket, session: &Session, mut incoming: Incoming) {
        let registries = || self.registries().chain(session.registered());
        let report = |failure| self.report(socket, &failure);
        for registry in registries() {
            registry.handlers.call_any(socket, &incoming, report);
        }
        for registry in registries() {
            let passes = registry.packet.call_while(|middleware| {
                let event = incoming.name().clone();
                match catch(|| middleware(socket, &mut incoming)) {
                    Ok(Ok(())) => true,
                    Ok(Err(rejection)) => {
                        let (event, ack) = (event.as_str().into(), incoming.ack().clone());
                        report(Failure::Refused { event, rejection, ack });
                        false
                    }
                    Err(message) => {
                        report(panicked("packet_middleware", Some(&event), message));
                        false
                    }
                }
            });
            if !passes {
                return;
            }
        }
        if !socket.is_connected() {
            return; // a middleware has disconnected it
        }
        for registry in registries() {
            registry.handlers.call(socket, &incoming, report);
        }
    }

    fn say_good_bye(&self, socket: &Socket, session: &Session, reason: &DisconnectReason) {
        let call = |place, hooks: &List<DisconnectHook>| {
            hooks.call_each(|hook| self.check(socket, place, catch(|| hook(socket, reason))));
        };
        for registry in self.registries().chain(session.registered()) {
            call("on_disconnecting", &registry.disconnecting);
        }
        let core = socket.core();
        core.end_rooms();
        NamespaceCore::tell_rooms(&core.namespace);
        for registry in self.registries().chain(session.registered()) {
            call("on_disconnect", &registry.disconnect);
        }
        core.end_leaving();
        session.clear();
        NamespaceCore::vacate(&core.namespace);
    }

    fn check(&self, socket: &Socket, place: &'static str, called: Result<(), Box<str>>) {
        if let Err(message) = called {
            self.report(socket, &panicked(place, None, message));
        }
    }
}

impl Hooks for Hub {
    fn admit(&self, socket: &Shared<SocketCore>, room: &RoomName) -> Result<(), Refusal> {
        let mut admitted = Ok(());
        for registry in self.registries() {
            if registry.admission.is_empty() {
                continue;
            }
            let socket = Socket::new(Shared::clone(socket));
            registry.admission.call_while(|admission| {
                admitted = catch(|| admission(&socket, room)).unwrap_or_else(|message| {
                    self.report(&socket, &panicked("admission", None, message));
                    Err(Refusal::from("the admission hook panicked"))
                });
                admitted.is_ok()
            });
            admitted.clone()?;
        }
        admitted
    }

    fn opening(&self, socket: &Shared<SocketCore>) {
        if self.registries().any(|registry| !registry.connect.is_empty()) {
            Session::of(socket).jobs.push_always(Job::Connected);
        }
    }

    fn opened(&self, socket: &Shared<SocketCore>) {
        if let Some(session) = Session::get(socket) {
            self.run(socket, &session);
        }
    }

    fn closed(&self, socket: &Shared<SocketCore>, reason: &DisconnectReason) {
        let session = Session::of(socket);
        if let Some(lease) = session.lease() {
            lease.over(); // before that is pushed
        }
        session.jobs.push_always(Job::Disconnected(reason.clone()));
        self.run(socket, &session);
    }

    fn dismissed(&self, socket: &Shared<SocketCore>) {
        let Some(session) = Session::get(socket) else { return };
        if let Some(lease) = session.lease() {
            lease.over();
        }
        session.clear();
        if let Some(attempt) = session.attempt.get().and_then(Weak::upgrade) {
            attempt.dismiss();
        }
    }

    fn room_event(&self, namespace: &Shared<NamespaceCore>, event: RoomEvent) {
        let namespace = Namespace::new(Shared::clone(namespace));
        for registry in self.registries() {
            registry.rooms.call_each(|hook| {
                namespace.core().engine.guard("on_room", || hook(&namespace, &event));
            });
        }
    }

    fn vacant(&self, namespace: &Shared<NamespaceCore>) {
        if let Some(origin) = self.origin.get() {
            (origin.vacant)(namespace);
        }
    }

    fn retire(&self) {
        self.registry.clear();
        if self.is_retired.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(Origin { family, .. }) = self.origin.get() {
            family.children.fetch_sub(1, Ordering::SeqCst);
            family.clear_if_over();
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Registers for Namespace {
    fn with_registry<R>(&self, f: impl FnOnce(&Registry) -> R) -> R {
        f(&Hub::of(self.core()).registry)
    }

    fn registered(&self) {
        let registry = &Hub::of(self.core()).registry;
        if !registry.rooms.is_empty() {
            self.core().order.journal().watch();
        }
        if self.is_closed() && !self.core().is_occupied() {
            registry.clear();
        }
    }
}

impl Listens for Namespace {
    type Socket = Socket;

    fn with_handlers<R>(&self, f: impl FnOnce(&Handlers<Socket>) -> R) -> R {
        f(&Hub::of(self.core()).registry.handlers)
    }

    fn check_event(&self, event: &str) -> Result<(), EventError> {
        self.core().engine.events.check(event)
    }

    fn listening(&self) {
        self.registered();
    }
}

impl Registers for Socket {
    fn with_registry<R>(&self, f: impl FnOnce(&Registry) -> R) -> R {
        f(Session::of(self.core()).registry())
    }

    fn registered(&self) {
        Hub::of(&self.core().namespace);
        if let Err(Mute::Closed(_)) = self.core().check_speaks() {
            self.with_registry(Registry::clear);
        }
    }
}

impl Listens for Socket {
    type Socket = Self;

    fn with_handlers<R>(&self, f: impl FnOnce(&Handlers<Self>) -> R) -> R {
        f(&Session::of(self.core()).registry().handlers)
    }

    fn check_event(&self, event: &str) -> Result<(), EventError> {
        self.core().namespace.engine.events.check(event)
    }

    fn listening(&self) {
        self.registered();
    }
}

registering!(Socket);
listening!(Socket, Socket);
registering!(Namespace);
hosting!(Namespace);
listening!(Namespace, Socket);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("registry", &self.registry).finish_non_exhaustive()
    }
}
