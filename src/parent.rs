//! Parents: dynamic namespaces, by pattern and by function.

use std::sync::Arc;

use crate::broadcast::{Broadcast, Emitted};
use crate::convert::IntoPayload;
use crate::directory::{Directory, Matcher, ParentCore};
use crate::engine::Engine;
use crate::error::{EmitError, EventError, PatternError};
use crate::event::IntoEvent;
use crate::handlers::{Handlers, Listens, listening};
use crate::hub::Hub;
use crate::listeners::{ListenerId, Place};
use crate::namespace::Namespace;
use crate::pattern::{Params, Pattern};
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::registry::{Registers, Registry, hosting, registering};
use crate::selection::Selected;
use crate::socket::Socket;
use crate::sync::Ordering;
use crate::target::{IntoRooms, Target};

/// A parent of namespaces that come to exist when somebody connects to them.
///
/// Comes from [`Engine::of_pattern`](crate::Engine::of_pattern) and
/// [`Engine::of_fn`](crate::Engine::of_fn). What is registered with it holds for all its children, those that
/// exist already too, ahead of what is registered with a child itself.
///
/// A child goes when the last of its sockets has, and when the first does not get in, unless it
/// [is kept](Self::keep_empty) or was asked for by name with [`Engine::of`](crate::Engine::of). What was
/// registered with the child goes with it; what was with the parent is there for the next. A parent stays until
/// the engine is closed, whether there are handles of it or not.
#[derive(Clone, Debug)]
pub struct Parent {
    core: Arc<ParentCore>,
    directory: Arc<Directory>,
}

impl Engine {
    /// Returns the parent of all namespaces whose paths match a pattern. The same pattern has the same parent.
    ///
    /// In a pattern, `{name}` stands for one or more characters but no slash, alone between slashes or beside
    /// other text, and `{*name}` at its end for all that is left. A child tells what they stood for by
    /// [`Namespace::params`](crate::Namespace::params). A namespace that exists by name comes before all
    /// parents, and of several that match the one that was made first. What exists already does not become a
    /// child: make parents first.
    ///
    /// ```
    /// use roomcast::{Client, Engine, Payload};
    ///
    /// let engine = Engine::new();
    /// let games = engine.of_pattern("/game-{id}")?;
    /// games.on_connect(|socket| {
    ///     let id = socket.namespace().params().get("id").unwrap_or_default().to_owned();
    ///     socket.emit("welcome", format!("to game {id}")).unwrap();
    /// });
    /// let client = Client::new(&engine);
    /// let game = client.socket("/game-7", Payload::default())?;
    /// let (heard, words) = std::sync::mpsc::channel();
    /// game.on("welcome", move |_, words: Payload| heard.send(words))?;
    /// assert_eq!(client.poll(), 2); // connected, welcome
    /// assert_eq!(words.recv()?.as_str(), Some("to game 7"));
    /// assert_eq!(games.children().len(), 1);
    /// game.disconnect();
    /// assert!(games.children().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// For what is no pattern.
    pub fn of_pattern(&self, pattern: &str) -> Result<Parent, PatternError> {
        let pattern = Pattern::new(pattern)?;
        let directory = Arc::clone(self.directory());
        Ok(Parent { core: directory.parent_of(pattern), directory })
    }

    /// Returns a new parent of all namespaces that `accepts` returns true for, given the path and what the
    /// client says of itself. It is called under no lock when somebody connects to a namespace that does not
    /// exist and that no earlier parent takes. A panic in it is a no.
    ///
    /// It says whether there is such a namespace. Whether this client may be there is for a
    /// [middleware](Parent::middleware) to say: when the namespace exists, for others, this is not called.
    ///
    /// ```
    /// use roomcast::{Client, Engine};
    ///
    /// let engine = Engine::new();
    /// let tenants = ["/acme", "/umbrella"];
    /// let parent = engine.of_fn(move |path, _auth| tenants.contains(&path));
    /// let client = Client::new(&engine);
    /// let (acme, other) = (client.socket("/acme", ())?, client.socket("/other", ())?);
    /// client.poll();
    /// assert!(acme.is_connected() && !other.is_connected());
    /// assert_eq!(parent.children()[0].path(), "/acme");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_fn(&self, accepts: impl Fn(&str, &Payload) -> bool + Send + Sync + 'static) -> Parent {
        let directory = Arc::clone(self.directory());
        Parent { core: directory.parent_by(Box::new(accepts)), directory }
    }

    /// Calls `hook` with every namespace that comes to exist from now on, but for `/`: by name, or made by a
    /// parent. Clients that connect to it meanwhile wait, so what the hook registers with it holds for all of
    /// them.
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) -> ListenerId {
        let id = self.directory().created.add(Place::Last, Box::new(hook));
        if self.is_closed() {
            self.directory().created.clear();
        }
        id
    }

    /// Calls `hook` when a panic ended that concerns no socket, with what panicked and the panic's message: a
    /// hook for rooms or new namespaces, or a function of [`of_fn`](Self::of_fn). For the others there is
    /// [`Namespace::on_error`].
    pub fn on_panic(&self, hook: impl Fn(&str, &str) + Send + Sync + 'static) -> ListenerId {
        let panics = &self.directory().core.panics;
        let id = panics.add(Place::Last, Box::new(hook));
        if self.is_closed() {
            panics.clear();
        }
        id
    }

    /// Takes off a [hook](Self::on_new_namespace), and returns whether it was there.
    pub fn off(&self, id: ListenerId) -> bool {
        self.directory().created.remove(id) || self.directory().core.panics.remove(id)
    }
}

impl Namespace {
    /// Returns what the parts of the [pattern](Engine::of_pattern) stand for that this namespace was made by.
    /// Empty if it was not.
    #[must_use]
    pub fn params(&self) -> Params {
        Hub::get(self.core()).and_then(Hub::params).cloned().unwrap_or_default()
    }
}

impl Parent {
    /// Returns its pattern, if it has one and not a function.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        match &self.core.matcher {
            Matcher::Pattern(pattern) => Some(pattern.text()),
            Matcher::Function(_) => None,
        }
    }

    /// Returns the namespaces that it has made and that exist, by path.
    #[must_use]
    pub fn children(&self) -> Vec<Namespace> {
        self.directory.children(&self.core).into_iter().map(Namespace::new).collect()
    }

    /// Sets whether children stay when they are empty. They do not unless this says so; it holds for what
    /// becomes empty from now on.
    pub fn keep_empty(&self, keep: bool) {
        self.core.keeps_empty.store(keep, Ordering::Release);
    }

    /// Emits a message to all sockets of all children. As [`emit_to`](Self::emit_to).
    ///
    /// # Errors
    ///
    /// As [`emit_to`](Self::emit_to).
    pub fn emit<E: IntoEvent>(
        &self,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        self.emit_to(&Target::new(), event, payload)
    }

    /// Emits a message to a target in each of the children, and returns their numbers of members and rooms
    /// together. The payload is made once. Each child has an order of its own, so there is no sequence.
    ///
    /// # Errors
    ///
    /// If the event, the payload or a room name is refused, or the target names a [`Room`](crate::Room) handle
    /// or a socket: those are of one child. A child that is removed meanwhile is no error.
    pub fn emit_to<E: IntoEvent>(
        &self,
        target: &Target,
        event: E,
        payload: impl IntoPayload<E::Data>,
    ) -> Result<Emitted, EmitError> {
        let payload = payload.into_payload().map_err(EmitError::Encode)?;
        self.directory.core.events.check_emitted(event.text())?;
        let mut emitted = Emitted::default();
        self.each(target, |child| {
            emitted.add(child.emit(event.text(), &payload)?);
            Ok(())
        })?;
        Ok(emitted)
    }
}

/// The same for the sockets that a target addresses in each of the children.
impl Parent {
    /// Returns the sockets, child by child. As [`Broadcast::sockets`](crate::Broadcast::sockets).
    ///
    /// # Errors
    ///
    /// As [`emit_to`](Self::emit_to).
    pub fn sockets(&self, target: &Target) -> Result<Vec<Socket>, EmitError> {
        let mut sockets = Vec::new();
        self.each(target, |child| {
            sockets.extend(child.sockets()?);
            Ok(())
        })?;
        Ok(sockets)
    }

    /// Makes each of the sockets join rooms of its namespace. As [`Broadcast::join`](crate::Broadcast::join).
    ///
    /// # Errors
    ///
    /// As [`emit_to`](Self::emit_to).
    pub fn join(&self, target: &Target, rooms: impl IntoRooms + Clone) -> Result<Selected, EmitError> {
        self.select(target, |child| child.join(rooms.clone()))
    }

    /// Makes each of the sockets leave rooms of its namespace. As
    /// [`Broadcast::leave`](crate::Broadcast::leave).
    ///
    /// # Errors
    ///
    /// As [`emit_to`](Self::emit_to).
    pub fn leave(&self, target: &Target, rooms: impl IntoRooms + Clone) -> Result<Selected, EmitError> {
        self.select(target, |child| child.leave(rooms.clone()))
    }

    /// Disconnects each of the sockets. As [`Broadcast::disconnect`](crate::Broadcast::disconnect).
    ///
    /// # Errors
    ///
    /// As [`emit_to`](Self::emit_to).
    pub fn disconnect(
        &self,
        target: &Target,
        reason: impl Into<DisconnectReason>,
    ) -> Result<Selected, EmitError> {
        let reason = reason.into();
        self.select(target, |child| child.disconnect(reason.clone()))
    }

    fn select(
        &self,
        target: &Target,
        select: impl Fn(Broadcast<'_>) -> Result<Selected, EmitError>,
    ) -> Result<Selected, EmitError> {
        let mut selected = Selected::default();
        self.each(target, |child| {
            selected.add(select(child)?);
            Ok(())
        })?;
        Ok(selected)
    }

    /// Calls `f` with the target in each of the children that are not removed meanwhile.
    fn each(
        &self,
        target: &Target,
        mut f: impl FnMut(Broadcast<'_>) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        target.check_portable(self.directory.core.config.max_name_bytes)?;
        for child in self.children() {
            match f(child.target(target)) {
                Err(EmitError::NamespaceClosed) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Registers for Parent {
    fn with_registry<R>(&self, f: impl FnOnce(&Registry) -> R) -> R {
        f(&self.core.family.registry)
    }

    fn registered(&self) {
        self.core.family.clear_if_over();
        if !self.core.family.registry.rooms.is_empty() {
            for child in self.directory.children(&self.core) {
                child.order.journal().watch();
            }
        }
    }
}

impl Listens for Parent {
    type Socket = Socket;

    fn with_handlers<R>(&self, f: impl FnOnce(&Handlers<Socket>) -> R) -> R {
        f(&self.core.family.registry.handlers)
    }

    fn check_event(&self, event: &str) -> Result<(), EventError> {
        self.directory.core.events.check(event)
    }

    fn listening(&self) {
        self.registered();
    }
}

registering!(Parent);
hosting!(Parent);
listening!(Parent, Socket);

impl PartialEq for Parent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Parent {}
