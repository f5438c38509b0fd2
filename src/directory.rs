//! The namespaces of an engine by path, the parents that make some of them, and its connections.
//!
//! # Invariants, under the table's lock
//!
//! A namespace in the table is not closed, and a path has one namespace. Whoever connects finds the namespace,
//! or makes it, and becomes an occupant of it under one hold of the lock; a child is taken away, under the
//! lock, only while it has no occupants. So nobody is ever in a namespace that others no longer find, but
//! for one that was removed by name, which closes it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use slab::Slab;

use crate::config::Config;
use crate::error::NamespaceError;
use crate::foreign::contain;
use crate::hub::{Family, Hub, Origin};
use crate::lease::Leases;
use crate::listeners::List;
use crate::name::normalize_path;
use crate::namespace::Namespace;
use crate::pattern::{Params, Pattern};
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::recovery::Recovery;
use crate::state::{Cut, EngineCore, NamespaceCore, NamespaceFull, SocketCore};
use crate::stats::{EngineStats, NamespaceStats};
use crate::stream::StreamLeases;
use crate::sync::{Arc as Shared, AtomicBool, Mutex, Ordering};
use crate::trace;

pub(crate) struct Directory {
    pub(crate) core: Shared<EngineCore>,
    /// Called with every namespace that is made, but for `/`.
    pub(crate) created: List<dyn Fn(&Namespace) + Send + Sync>,
    /// The rights of clients to come back, if sessions are kept.
    pub(crate) leases: Option<Arc<StreamLeases>>,
    table: Mutex<Table>,
    connections: Mutex<Slab<Weak<dyn Close>>>,
}

/// In how many parts the room table of a child is at most.
const CHILD_SHARDS: usize = 8;

/// Whether there is to be a namespace of this path, for a client that says this of itself.
pub(crate) type Accepts = Box<dyn Fn(&str, &Payload) -> bool + Send + Sync>;

/// What is closed with its engine.
pub(crate) trait Close: Send + Sync {
    /// Closes it, unless it is, and returns what is to be told. Before that all is cut off.
    fn shut(&self, reason: DisconnectReason) -> Option<Shut>;
}

/// What is to be told of something that is closed, under no lock.
pub(crate) struct Shut {
    /// Tells whoever carries it, so that no line stays open for a hook.
    pub(crate) farewell: Box<dyn FnOnce()>,
    /// Calls the hooks.
    pub(crate) hooks: Box<dyn FnOnce()>,
}

/// What namespaces have done and hold.
pub(crate) struct Shares {
    pub(crate) named: Vec<(Shared<NamespaceCore>, NamespaceStats)>,
    pub(crate) rest: NamespaceStats,
    /// How many there are.
    pub(crate) namespaces: usize,
    /// Whether all of them are tracked.
    pub(crate) is_tracked: bool,
}

/// Why nobody enters.
#[derive(Debug)]
pub(crate) enum NoEntry {
    /// There is no namespace of this path.
    Invalid,
    Full,
}

struct Table {
    /// In an order of its own, as it can be told in which one namespaces go.
    by_path: BTreeMap<Box<str>, Entry>,
    /// In the order in which they were made, which is that in which they are asked.
    parents: Vec<Arc<ParentCore>>,
    is_closed: bool,
    /// Namespaces that were taken away and are being closed.
    leaving: Vec<Shared<NamespaceCore>>,
    /// What those did that are closed.
    gone: NamespaceStats,
}

struct Entry {
    core: Shared<NamespaceCore>,
    parent: Option<Arc<ParentCore>>,
    /// Whether it was asked for by name: then it stays when it is empty.
    is_static: bool,
}

/// What makes namespaces when somebody connects to them.
pub(crate) struct ParentCore {
    pub(crate) matcher: Matcher,
    pub(crate) family: Arc<Family>,
    /// Whether children stay when they are empty.
    pub(crate) keeps_empty: AtomicBool,
}

pub(crate) enum Matcher {
    Pattern(Pattern),
    Function(Accepts),
}

impl Directory {
    pub(crate) fn new(config: Config, recovery: Option<Recovery>) -> Arc<Self> {
        let core = Shared::new(EngineCore::new(config));
        let root = Entry::root(&core);
        let by_path = [(root.core.path.clone(), root)].into_iter().collect();
        Arc::new(Self {
            core,
            created: List::new(),
            leases: recovery.map(Leases::new),
            table: Mutex::new(Table {
                by_path,
                parents: Vec::new(),
                is_closed: false,
                leaving: Vec::new(),
                gone: NamespaceStats::default(),
            }),
            connections: Mutex::new(Slab::new()),
        })
    }

    /// The namespace of this path, which stays until it is removed.
    pub(crate) fn of(self: &Arc<Self>, path: &str) -> Result<Shared<NamespaceCore>, NamespaceError> {
        let path = normalize_path(path)?;
        let (namespace, is_new) = {
            let mut table = self.table.lock();
            if table.is_closed {
                return Err(NamespaceError::EngineClosed);
            }
            if let Some(entry) = table.by_path.get_mut(&*path) {
                entry.is_static = true;
                (Shared::clone(&entry.core), false)
            } else {
                // A pattern's middlewares guard what is made by name too.
                let found = table.parents.iter().find_map(|parent| match &parent.matcher {
                    Matcher::Pattern(pattern) => Some((Arc::clone(parent), pattern.matches(&path)?)),
                    Matcher::Function(_) => None,
                });
                (self.insert(&mut table, &path, found, true), true)
            }
        };
        self.announce(&namespace, is_new);
        Ok(namespace)
    }

    /// A connecting socket in the namespace of this path, which a parent may make.
    pub(crate) fn enter(self: &Arc<Self>, path: &str, auth: &Payload) -> Result<Shared<SocketCore>, NoEntry> {
        let parents = {
            let table = self.table.lock();
            if let Some(entry) = table.by_path.get(path) {
                return Ok(NamespaceCore::begin(&entry.core)?);
            }
            table.parents.clone()
        };
        // Functions are called under no lock.
        let found = parents.into_iter().find_map(|parent| {
            let params = parent.matcher.matches(&self.core, path, auth)?;
            Some((parent, params))
        });
        let (parent, params) = found.ok_or(NoEntry::Invalid)?;
        let (socket, is_new) = {
            let mut table = self.table.lock();
            if table.is_closed {
                return Err(NoEntry::Invalid);
            }
            let (namespace, is_new) = match table.by_path.get(path) {
                Some(entry) => (Shared::clone(&entry.core), false),
                None => (self.insert(&mut table, path, Some((parent, params)), false), true),
            };
            // A new one has a place: there may be one socket at least.
            (NamespaceCore::begin(&namespace)?, is_new)
        };
        self.announce(&socket.namespace, is_new);
        Ok(socket)
    }

    pub(crate) fn get(&self, path: &str) -> Option<Shared<NamespaceCore>> {
        let path = normalize_path(path).ok()?;
        self.table.lock().by_path.get(&*path).map(|entry| Shared::clone(&entry.core))
    }

    /// All namespaces, by path.
    pub(crate) fn namespaces(&self) -> Vec<Shared<NamespaceCore>> {
        cores(self.table.lock().by_path.values())
    }

    /// It is this time now: a tick begins in each namespace, and what is due runs.
    pub(crate) fn tick(&self, now: Duration) {
        {
            let table = self.table.lock();
            let _hold = self.core.tape.hold();
            for entry in table.by_path.values() {
                entry.core.ticks.begin(now, &entry.core.order);
            }
            self.core.clock.set(now);
            self.core.tape.tick(now);
        }
        self.core.clock.tick(now);
        self.core.tape.spill_all();
    }

    /// The namespaces that a parent has made, by path.
    pub(crate) fn children(&self, parent: &Arc<ParentCore>) -> Vec<Shared<NamespaceCore>> {
        let is_child = |entry: &&Entry| entry.parent.as_ref().is_some_and(|other| Arc::ptr_eq(other, parent));
        cores(self.table.lock().by_path.values().filter(is_child))
    }

    /// The parent of this pattern, made if there is none.
    pub(crate) fn parent_of(&self, pattern: Pattern) -> Arc<ParentCore> {
        let mut table = self.table.lock();
        let is_it =
            |parent: &&Arc<ParentCore>| matches!(&parent.matcher, Matcher::Pattern(it) if *it == pattern);
        if let Some(parent) = table.parents.iter().find(is_it) {
            return Arc::clone(parent);
        }
        table.add_parent(Matcher::Pattern(pattern))
    }

    /// A new parent.
    pub(crate) fn parent_by(&self, function: Accepts) -> Arc<ParentCore> {
        self.table.lock().add_parent(Matcher::Function(function))
    }

    /// Removes a namespace, and returns whether there was one.
    pub(crate) fn remove(&self, path: &str) -> bool {
        let Ok(path) = normalize_path(path) else { return false };
        let removed = {
            let mut table = self.table.lock();
            let removed = self.take_away(&mut table, &path);
            table.leaving.extend(removed.iter().map(|entry| Shared::clone(&entry.core)));
            removed
        };
        let Some(removed) = removed else { return false };
        removed.core.close(&DisconnectReason::NamespaceRemoved);
        self.count_gone(&[removed.core]);
        true
    }

    /// Takes a namespace out, whose sockets are disconnected one by one.
    #[cfg(feature = "record")]
    pub(crate) fn detach(&self, path: &str) {
        let removed = self.take_away(&mut self.table.lock(), path);
        drop(removed);
    }

    /// Closes everything, for good.
    pub(crate) fn close(&self) {
        let (closed, parents) = {
            let mut table = self.table.lock();
            table.is_closed = true;
            let cores = cores(table.by_path.values());
            let _hold = self.core.tape.hold();
            cores.iter().for_each(|namespace| self.core.tape.namespace_gone(namespace.everyone.id()));
            table.leaving.extend(cores);
            (std::mem::take(&mut table.by_path), std::mem::take(&mut table.parents))
        };
        // All are cut off before the hooks of one are called.
        let namespaces = cores(closed.values());
        let cut: Vec<_> =
            namespaces.iter().flat_map(|namespace| namespace.cut(&DisconnectReason::Shutdown)).collect();
        let connections: Vec<_> =
            self.connections.lock().iter().map(|(_, connection)| connection.clone()).collect();
        let (farewells, hooks): (Vec<_>, Vec<_>) = connections
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|connection| connection.shut(DisconnectReason::Shutdown))
            .map(|Shut { farewell, hooks }| (farewell, hooks))
            .unzip();
        farewells.into_iter().for_each(|tell| tell());
        Cut::tell_all(cut);
        hooks.into_iter().for_each(|tell| tell());
        namespaces.iter().for_each(|namespace| namespace.retire());
        self.count_gone(&namespaces);
        for entry in closed.into_values() {
            contain(|| drop(entry)); // with a parent, perhaps
        }
        for parent in parents {
            parent.family.close();
            contain(|| drop(parent)); // with a function, perhaps
        }
        self.created.clear();
        self.core.panics.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.table.lock().is_closed
    }

    /// Adds what is to be closed with the engine, and returns its place.
    pub(crate) fn add_connection(&self, connection: Weak<dyn Close>) -> usize {
        self.connections.lock().insert(connection)
    }

    pub(crate) fn remove_connection(&self, place: usize) {
        let removed = self.connections.lock().try_remove(place);
        drop(removed);
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.lock().len()
    }

    /// What all namespaces have done and hold: those that are there, those that are being closed, and those that are
    /// gone. Each is in one of the three.
    pub(crate) fn stats(&self) -> EngineStats {
        let Shares { named, rest, namespaces, is_tracked } = self.shares();
        let mut total = rest;
        named.iter().for_each(|(_, stats)| total += *stats);
        total.is_tracked = is_tracked;
        let sessions = self.leases.as_ref().map(|leases| leases.stats()).unwrap_or_default();
        EngineStats {
            namespaces,
            connections: self.connection_count(),
            event_names: self.core.events.len(),
            refused: self.core.refused.busy(),
            protocol_errors: self.core.refused.protocol(),
            sessions: sessions.sessions,
            away: sessions.away,
            resumed: sessions.resumed,
            expired_sessions: sessions.expired,
            total,
        }
    }

    /// The same by namespace: those that were asked for by name, by path; and all others together.
    pub(crate) fn shares(&self) -> Shares {
        let (present, leaving, gone) = {
            let table = self.table.lock();
            let present = table.by_path.values().map(|entry| (Shared::clone(&entry.core), entry.is_static));
            (present.collect::<Vec<_>>(), table.leaving.clone(), table.gone)
        };
        let mut shares = Shares {
            named: Vec::new(),
            rest: gone,
            namespaces: present.len(),
            is_tracked: !present.is_empty(),
        };
        for (namespace, is_static) in present {
            let stats = namespace.stats();
            shares.is_tracked &= stats.is_tracked;
            if is_static {
                shares.named.push((namespace, stats));
            } else {
                shares.rest += stats;
            }
        }
        leaving.iter().for_each(|namespace| shares.rest += namespace.stats());
        shares
    }

    /// Adds what namespaces did that are closed: nothing more is emitted in them.
    fn count_gone(&self, closed: &[Shared<NamespaceCore>]) {
        let stats: Vec<_> = closed.iter().map(|namespace| namespace.stats().past()).collect();
        let left: Vec<_> = {
            let mut table = self.table.lock();
            stats.into_iter().for_each(|stats| table.gone += stats);
            let is_closed = |namespace: &Shared<NamespaceCore>| {
                closed.iter().any(|other| Shared::ptr_eq(other, namespace))
            };
            let (left, leaving) = std::mem::take(&mut table.leaving).into_iter().partition(is_closed);
            table.leaving = leaving;
            left
        };
        drop(left); // each the last handle, perhaps
        closed.iter().for_each(|namespace| trace::removed(&namespace.path));
    }

    /// Takes a child away if nobody is in it.
    fn remove_vacant(&self, namespace: &Shared<NamespaceCore>) {
        let removed = {
            let mut table = self.table.lock();
            let is_vacant = |entry: &Entry| {
                Shared::ptr_eq(&entry.core, namespace)
                    && !entry.is_static
                    && !entry.core.is_occupied()
                    && entry.parent.as_ref().is_some_and(|parent| !parent.keeps_empty.load(Ordering::Acquire))
            };
            if !table.by_path.get(&*namespace.path).is_some_and(is_vacant) {
                return;
            }
            table.leaving.push(Shared::clone(namespace));
            self.take_away(&mut table, &namespace.path)
        };
        namespace.close(&DisconnectReason::NamespaceRemoved);
        self.count_gone(&[Shared::clone(namespace)]);
        drop(removed);
    }

    /// Takes a namespace out of the table, and puts another one there if it is `/`.
    fn take_away(&self, table: &mut Table, path: &str) -> Option<Entry> {
        let _hold = self.core.tape.hold();
        let removed = table.by_path.remove(path)?;
        self.core.tape.namespace_gone(removed.core.everyone.id());
        if path == "/" {
            let root = Entry::root(&self.core);
            table.by_path.insert(root.core.path.clone(), root);
        }
        Some(removed)
    }

    fn insert(
        self: &Arc<Self>,
        table: &mut Table,
        path: &str,
        from: Option<(Arc<ParentCore>, Params)>,
        is_static: bool,
    ) -> Shared<NamespaceCore> {
        // A child is one of many, and made by clients: it is to be cheap.
        let shards = self.core.config.shards;
        let shards = if from.is_some() && !is_static { shards.min(CHILD_SHARDS) } else { shards };
        let core = make(path, &self.core, shards);
        let parent = from.map(|(parent, params)| {
            let directory = Arc::downgrade(self);
            let vacant = move |namespace: &Shared<NamespaceCore>| {
                if let Some(directory) = directory.upgrade() {
                    directory.remove_vacant(namespace);
                }
            };
            if !parent.family.registry.rooms.is_empty() {
                core.order.journal().watch();
            }
            let vacant = Box::new(vacant);
            Hub::of(&core).adopt(Origin { family: Arc::clone(&parent.family), params, vacant });
            parent
        });
        if !self.created.is_empty() {
            Hub::of(&core).gate.shut();
        }
        let entry = Entry { core: Shared::clone(&core), parent, is_static };
        table.by_path.insert(path.into(), entry);
        core
    }

    /// Tells of a namespace, if it is new. Under no lock.
    fn announce(&self, namespace: &Shared<NamespaceCore>, is_new: bool) {
        if is_new {
            trace::made(&namespace.path);
            let handle = Namespace::new(Shared::clone(namespace));
            self.created.call_each(|hook| {
                self.core.guard("on_new_namespace", || hook(&handle));
            });
            if let Some(hub) = Hub::get(namespace) {
                hub.gate.open();
            }
        }
    }
}

impl Table {
    fn add_parent(&mut self, matcher: Matcher) -> Arc<ParentCore> {
        let family = Arc::new(Family::new());
        let parent = Arc::new(ParentCore { matcher, family, keeps_empty: AtomicBool::new(false) });
        if self.is_closed {
            parent.family.close();
        } else {
            self.parents.push(Arc::clone(&parent));
        }
        parent
    }
}

impl Entry {
    fn root(engine: &Shared<EngineCore>) -> Self {
        let core = make("/", engine, engine.config.shards);
        Self { core, parent: None, is_static: true }
    }
}

impl Matcher {
    /// What was captured, if it is for this path. A function that panics does not match.
    fn matches(&self, engine: &EngineCore, path: &str, auth: &Payload) -> Option<Params> {
        match self {
            Self::Pattern(pattern) => pattern.matches(path),
            Self::Function(function) => {
                engine.guard("of_fn", || function(path, auth)).unwrap_or(false).then(Params::default)
            }
        }
    }
}

fn make(path: &str, engine: &Shared<EngineCore>, shards: usize) -> Shared<NamespaceCore> {
    let _hold = engine.tape.hold();
    let core = Shared::new(NamespaceCore::new(path, Shared::clone(engine), shards));
    engine.tape.namespace(path, core.everyone.id());
    core
}

fn cores<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Shared<NamespaceCore>> {
    entries.map(|entry| Shared::clone(&entry.core)).collect()
}

impl NoEntry {
    /// What the client is told.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Invalid => "Invalid namespace".into(),
            Self::Full => DisconnectReason::NamespaceFull.to_string(),
        }
    }
}

impl From<NamespaceFull> for NoEntry {
    fn from(NamespaceFull: NamespaceFull) -> Self {
        Self::Full
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl fmt::Debug for ParentCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Parent");
        match &self.matcher {
            Matcher::Pattern(pattern) => f.field("pattern", &pattern.text()),
            Matcher::Function(_) => f.field("function", &".."),
        };
        f.finish_non_exhaustive()
    }
}
