//! The entry: Socket.IO's `io`.

use std::fmt;

use hashbrown::HashMap;
use std::collections::hash_map::RandomState;

use crate::config::{Backlog, Config};
use crate::error::{ConfigError, NamespaceError};
use crate::name::normalize_path;
use crate::namespace::Namespace;
use crate::reason::DisconnectReason;
use crate::state::{EngineCore, NamespaceCore};
use crate::sync::{Arc, Mutex};

/// A pub/sub engine: namespaces by path.
///
/// `Send`, `Sync`; cloning counts a reference, and all clones are the same engine. It has no thread, no
/// timer and no clock of its own. Dropping it closes nothing: namespaces and sockets live on by
/// themselves; [`close`](Self::close) closes.
///
/// ```
/// let engine = roomcast::Engine::new();
/// let world = engine.of("/world")?;
/// let (player, mut inbox) = world.connect();
/// player.join("cell:3:4")?;
/// world.to("cell:3:4").emit("moved", "north")?;
/// let mut seen = Vec::new();
/// inbox.drain(|delivery| seen.push(delivery.event().to_owned()));
/// assert_eq!(seen, ["moved"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    core: Arc<EngineCore>,
    namespaces: Arc<Mutex<Namespaces>>,
}

struct Namespaces {
    by_path: HashMap<Box<str>, Arc<NamespaceCore>, RandomState>,
    is_closed: bool,
}

impl Engine {
    /// Creates an engine with the default settings. Its namespace `/` exists.
    #[must_use]
    pub fn new() -> Self {
        EngineBuilder::default().build()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Returns the namespace of this path, which it creates if there is none. `chat` and `/chat` are the
    /// same; an empty path is `/`.
    ///
    /// # Errors
    ///
    /// If the engine is closed; for a path of more than 256 bytes, with white space, control characters or
    /// one of `,?#` in it, or with an empty part.
    pub fn of(&self, path: &str) -> Result<Namespace, NamespaceError> {
        let path = normalize_path(path)?;
        let mut namespaces = self.namespaces.lock();
        if namespaces.is_closed {
            return Err(NamespaceError::EngineClosed);
        }
        if let Some(namespace) = namespaces.by_path.get(&*path) {
            return Ok(Namespace::new(Arc::clone(namespace)));
        }
        let namespace = Arc::new(NamespaceCore::new(&path, Arc::clone(&self.core)));
        namespaces.by_path.insert(path.into(), Arc::clone(&namespace));
        Ok(Namespace::new(namespace))
    }

    /// Returns the namespace of this path, if it exists.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Namespace> {
        let path = normalize_path(path).ok()?;
        self.namespaces.lock().by_path.get(&*path).cloned().map(Namespace::new)
    }

    /// Returns all namespaces, by path.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Namespace> {
        let mut all: Vec<_> = self.namespaces.lock().by_path.values().cloned().collect();
        all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        all.into_iter().map(Namespace::new).collect()
    }

    /// Removes a namespace, and returns whether there was one. `/` is replaced by a new one.
    ///
    /// Its sockets are disconnected with [`DisconnectReason::NamespaceRemoved`]. Handles of it stay closed
    /// for good, also when the path is used again.
    pub fn remove(&self, path: &str) -> bool {
        let Ok(path) = normalize_path(path) else { return false };
        let mut namespaces = self.namespaces.lock();
        let Some(removed) = namespaces.by_path.remove(&*path) else { return false };
        if path == "/" {
            let root = Arc::new(NamespaceCore::new("/", Arc::clone(&self.core)));
            namespaces.by_path.insert("/".into(), root);
        }
        drop(namespaces);
        removed.close(&DisconnectReason::NamespaceRemoved);
        true
    }

    /// Closes the engine, for good: disconnects all sockets with [`DisconnectReason::Shutdown`] and removes
    /// all namespaces. Does nothing the second time.
    pub fn close(&self) {
        let mut namespaces = self.namespaces.lock();
        namespaces.is_closed = true;
        let mut closed: Vec<_> = namespaces.by_path.drain().map(|(_, namespace)| namespace).collect();
        drop(namespaces);
        closed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for namespace in closed {
            namespace.close(&DisconnectReason::Shutdown);
        }
    }

    /// Returns whether the engine is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.namespaces.lock().is_closed
    }

    /// Returns how many sockets are connected, in all namespaces. O(1).
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.core.socket_count()
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("namespaces", &self.namespaces()).finish_non_exhaustive()
    }
}

/// The settings of an [`Engine`], each checked when it is set.
///
/// ```
/// use roomcast::{Backlog, Engine};
///
/// let engine = Engine::builder()
///     .backlog(Backlog::new().messages(256)?)
///     .shards(16)?
///     .event_names(100)?
///     .build();
/// assert!(Engine::builder().shards(12).is_err());
/// # Ok::<(), roomcast::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before `build`"]
pub struct EngineBuilder {
    config: Config,
}

impl EngineBuilder {
    /// Sets what rooms keep for members that do not read, where a namespace or room sets nothing else.
    /// Default [`Backlog::new`].
    pub fn backlog(mut self, backlog: Backlog) -> Self {
        self.config.backlog = backlog;
        self
    }

    /// Sets in how many separately locked parts a namespace's table of room names is. Default 64.
    ///
    /// More let more threads join, leave and look up rooms at the same time; each costs 128 bytes per
    /// namespace. Emitting through a [`Room`](crate::Room) handle takes none of these locks.
    ///
    /// # Errors
    ///
    /// If it is not a power of two, or above 4096.
    pub fn shards(self, shards: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.shards = shards)
    }

    /// Sets how many different event names the engine remembers. Default 4096.
    ///
    /// Each costs about 30 bytes plus its length, for the life of the engine. Further names work all the
    /// same, and each emit under one costs an allocation.
    ///
    /// # Errors
    ///
    /// Above 131,040.
    pub fn event_names(self, names: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.event_names = names)
    }

    /// Sets how many bytes the name of an event or of a room can have. Default 256.
    ///
    /// A name of up to 23 bytes is stored inline; a longer one is allocated.
    ///
    /// # Errors
    ///
    /// For 0, and above 65,536.
    pub fn max_name_bytes(self, bytes: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.max_name_bytes = bytes)
    }

    /// Sets how many joins and leaves of a socket can pile up while it does not drain. Default 1024.
    ///
    /// Each costs about 60 bytes. Beyond it, or when the rooms that it has joined and left unread hold
    /// more than the engine's [backlog](Self::backlog) together, what the socket has not read so far turns
    /// into one [gap](crate::GapReason::Memberships), and it is left with what its present rooms need.
    ///
    /// # Errors
    ///
    /// Below 2.
    pub fn membership_backlog(self, changes: usize) -> Result<Self, ConfigError> {
        self.set(|config| config.membership_backlog = changes)
    }

    /// Creates the engine.
    #[must_use]
    pub fn build(self) -> Engine {
        let core = Arc::new(EngineCore::new(self.config));
        let root = Arc::new(NamespaceCore::new("/", Arc::clone(&core)));
        let by_path = [(root.path.clone(), root)].into_iter().collect();
        Engine { core, namespaces: Arc::new(Mutex::new(Namespaces { by_path, is_closed: false })) }
    }

    fn set(mut self, change: impl FnOnce(&mut Config)) -> Result<Self, ConfigError> {
        change(&mut self.config);
        self.config.check()?;
        Ok(self)
    }
}
