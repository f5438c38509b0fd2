//! The reference: which namespaces there are, where they come from, and what is registered for them.

use std::collections::BTreeSet;

use super::{CLIENTS, PATHS, Step, Where};

#[derive(Default)]
pub(super) struct World {
    parents: Vec<Kin>,
    /// By path; those that exist.
    spaces: Vec<Option<Space>>,
    /// The paths that a client has a socket in.
    joined: Vec<Option<BTreeSet<usize>>>,
    pub(super) is_closed: bool,
    pub(super) trace: Vec<String>,
    labels: usize,
    /// What was registered: where, and its label. A namespace goes by its number.
    registered: Vec<(Place, usize)>,
    made: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Parent(usize),
    Space(usize),
}

struct Kin {
    kind: Kind,
    keeps_empty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pattern(usize),
    Function(usize),
}

struct Space {
    number: usize,
    parent: Option<usize>,
    is_static: bool,
    members: Vec<usize>,
}

/// What a pattern stands for in a path.
fn matches(pattern: usize, path: usize) -> Option<&'static [(&'static str, &'static str)]> {
    Some(match (pattern, path) {
        (0, 0) => &[("id", "1")],
        (0, 1) => &[("id", "2")],
        (1, 0) => &[("all", "game-1")],
        (1, 1) => &[("all", "game-2")],
        (1, 2) => &[("all", "game-1/x/y")],
        (1, 3) => &[("all", "lobby")],
        (1, 4) => &[("all", "fn-1")],
        (2, 2) => &[("id", "1"), ("rest", "x/y")],
        _ => return None,
    })
}

pub(super) fn accepts(function: usize, path: usize, says: bool) -> bool {
    match function {
        0 => PATHS[path].starts_with("/fn"),
        1 => says,
        _ => false,
    }
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self { joined: vec![Some(BTreeSet::new()); CLIENTS], ..Self::default() };
        world.spaces.resize_with(PATHS.len(), || None);
        world.make(5, None, true);
        world
    }

    fn make(&mut self, path: usize, parent: Option<usize>, is_static: bool) {
        self.spaces[path] = Some(Space { number: self.made, parent, is_static, members: Vec::new() });
        self.made += 1;
        if path != 5 {
            let params = parent.and_then(|parent| match self.parents[parent].kind {
                Kind::Pattern(pattern) => matches(pattern, path),
                Kind::Function(_) => None,
            });
            self.trace.push(format!("new {} {:?}", PATHS[path], params.unwrap_or_default()));
        }
    }

    /// What is registered for a namespace: with its parent, and then with itself.
    fn labels(&self, path: usize) -> Vec<usize> {
        let Some(space) = &self.spaces[path] else { return Vec::new() };
        let of = |place: Place| self.registered.iter().filter(move |(other, _)| *other == place);
        let parents = space.parent.into_iter().flat_map(|parent| of(Place::Parent(parent)));
        parents.chain(of(Place::Space(space.number))).map(|(_, label)| *label).collect()
    }

    fn call(&mut self, what: &str, path: usize) {
        for label in self.labels(path) {
            self.trace.push(format!("{what} {label} in {}", PATHS[path]));
        }
    }

    pub(super) fn apply(&mut self, step: Step) {
        match step {
            Step::Pattern(pattern) => {
                let kind = Kind::Pattern(pattern);
                if self.parents.iter().all(|parent| parent.kind != kind) {
                    self.parents.push(Kin { kind, keeps_empty: false });
                }
            }
            Step::Function(function) => {
                self.parents.push(Kin { kind: Kind::Function(function), keeps_empty: false });
            }
            Step::Register(place) => {
                let place = match place {
                    Where::Parent(_) if self.parents.is_empty() => return,
                    Where::Parent(parent) => Place::Parent(parent % self.parents.len()),
                    Where::Path(path) => match &self.spaces[path] {
                        Some(space) => Place::Space(space.number),
                        None => return,
                    },
                };
                self.registered.push((place, self.labels));
                self.labels += 1;
            }
            Step::Off(label) => {
                if self.labels > 0 {
                    let label = label % self.labels;
                    self.registered.retain(|(_, other)| *other != label);
                }
            }
            Step::Connect { client, path, says, is_let_in } => self.connect(client, path, says, is_let_in),
            Step::Leave { client, path } => {
                let Some(joined) = &mut self.joined[client] else { return };
                if joined.remove(&path) {
                    self.gone(client, path);
                    self.clean_up(path);
                }
            }
            Step::Close { client } => self.close(client),
            Step::Of(path) => {
                if self.is_closed {
                    return;
                }
                if let Some(space) = &mut self.spaces[path] {
                    space.is_static = true;
                } else {
                    let is_for = |parent: &Kin| match parent.kind {
                        Kind::Pattern(pattern) => matches(pattern, path).is_some(),
                        Kind::Function(_) => false,
                    };
                    let parent = self.parents.iter().position(is_for);
                    self.make(path, parent, true);
                }
            }
            Step::Remove(path) => self.remove(path),
            Step::KeepEmpty(parent, keep) => {
                let count = self.parents.len();
                if count > 0 {
                    self.parents[parent % count].keeps_empty = keep;
                }
            }
            Step::Emit(parent) => {
                let count = self.parents.len();
                if count > 0 {
                    let is_child = |space: &&Space| space.parent == Some(parent % count);
                    let members = self.spaces.iter().flatten().filter(is_child).map(|s| s.members.len());
                    let members: usize = members.sum();
                    self.trace.push(format!("emitted to {members}"));
                }
            }
            Step::Event { client, path } => {
                let Some(joined) = &self.joined[client] else { return };
                if joined.contains(&path) {
                    self.call("event", path);
                }
            }
            Step::Shutdown => {
                self.is_closed = true;
                let mut paths: Vec<usize> = (0..PATHS.len()).collect();
                paths.sort_by_key(|&path| PATHS[path]);
                paths.into_iter().for_each(|path| self.take(path));
                self.joined.iter_mut().for_each(|joined| *joined = None);
                self.registered.clear();
                self.parents.clear();
            }
        }
    }

    fn connect(&mut self, client: usize, path: usize, says: bool, is_let_in: bool) {
        if self.joined[client].as_ref().is_none_or(|joined| joined.contains(&path)) {
            return;
        }
        if self.spaces[path].is_none() {
            let is_for = |parent: &Kin| match parent.kind {
                Kind::Pattern(pattern) => matches(pattern, path).is_some(),
                Kind::Function(function) => accepts(function, path, says),
            };
            let Some(parent) = self.parents.iter().position(is_for) else {
                self.trace.push("refused".into());
                return;
            };
            self.make(path, Some(parent), false);
        }
        // Any middleware refuses whom it is to refuse, so the first does.
        for label in self.labels(path) {
            self.trace.push(format!("middleware {label} in {}", PATHS[path]));
            if !is_let_in {
                self.trace.push("refused".into());
                return self.clean_up(path);
            }
        }
        self.joined[client].as_mut().expect("it is open").insert(path);
        self.spaces[path].as_mut().expect("it exists").members.push(client);
        self.call("connect", path);
        self.trace.push("connected".into());
    }

    /// A socket has left: its hooks are told.
    fn gone(&mut self, client: usize, path: usize) {
        if let Some(space) = &mut self.spaces[path] {
            space.members.retain(|other| *other != client);
        }
        self.call("disconnect", path);
    }

    fn close(&mut self, client: usize) {
        let Some(joined) = self.joined[client].take() else { return };
        let mut paths: Vec<usize> = joined.into_iter().collect();
        paths.sort_by_key(|&path| PATHS[path]);
        for path in paths {
            self.gone(client, path);
            self.clean_up(path);
        }
    }

    fn clean_up(&mut self, path: usize) {
        let goes = |space: &Space| {
            let keeps = space.parent.is_none_or(|parent| self.parents[parent].keeps_empty);
            space.members.is_empty() && !space.is_static && !keeps
        };
        if self.spaces[path].as_ref().is_some_and(goes) {
            self.forget(path);
        }
    }

    fn forget(&mut self, path: usize) {
        if let Some(space) = self.spaces[path].take() {
            self.registered.retain(|(place, _)| *place != Place::Space(space.number));
        }
    }

    fn remove(&mut self, path: usize) {
        let was_there = self.spaces[path].is_some();
        self.take(path);
        if path == 5 && was_there {
            self.make(5, None, true);
        }
        self.trace.push(format!("removed {was_there}"));
    }

    /// Disconnects all in a namespace, as they came, and takes it away.
    fn take(&mut self, path: usize) {
        let members = self.spaces[path].as_ref().map_or_else(Vec::new, |space| space.members.clone());
        for client in members {
            if let Some(joined) = &mut self.joined[client] {
                joined.remove(&path);
            }
            self.gone(client, path);
        }
        self.forget(path);
    }

    pub(super) fn look(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut paths: Vec<usize> = (0..PATHS.len()).filter(|&path| self.spaces[path].is_some()).collect();
        paths.sort_by_key(|&path| PATHS[path]);
        let size = |path: usize| self.spaces[path].as_ref().map_or(0, |space| space.members.len());
        let all: Vec<_> = paths.iter().map(|&path| (PATHS[path], size(path))).collect();
        lines.push(format!("{all:?}"));
        for parent in 0..self.parents.len() {
            let is_child = |&&path: &&usize| {
                self.spaces[path].as_ref().is_some_and(|space| space.parent == Some(parent))
            };
            let children: Vec<_> = paths.iter().filter(is_child).map(|&path| PATHS[path]).collect();
            lines.push(format!("children of {parent}: {children:?}"));
        }
        lines
    }
}
