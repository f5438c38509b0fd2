//! What a socket watches beside the rooms that it is in: told to it, and no membership.

use std::any::Any;

use super::{NamespaceCore, SocketCore, State};
use crate::error::MembershipError;
use crate::sync::Arc;
use crate::topic::{Address, Pile, Topic, Trash};

/// What a socket watches. Few do, and few things.
pub(super) type Asides = Option<Box<Vec<Aside>>>;

#[derive(Debug)]
pub(super) struct Aside {
    since: u64,
    topic: Arc<Topic>,
    /// What is kept for as long as it is watched.
    _keeper: Keeper,
}

type Keeper = Box<dyn Any + Send + Sync>;

impl SocketCore {
    /// Calls `f` if it is in a room, which it cannot leave meanwhile. Otherwise `f` is dropped under no lock.
    pub(crate) fn while_in<R>(
        &self,
        topic: &Topic,
        f: impl FnOnce() -> R,
    ) -> Result<Option<R>, MembershipError> {
        let state = self.state.lock();
        state.check_open()?;
        let is_in = state.rooms.since(Address::of(topic)).is_some();
        // Not by `map`, which would drop it here.
        Ok(if is_in { Some(f()) } else { None })
    }

    /// Has it watch a topic, unless it does.
    pub(crate) fn attach(
        &self,
        topic: &Arc<Topic>,
        keeper: impl Any + Send + Sync,
    ) -> Result<(), MembershipError> {
        let keeper = Box::new(keeper); // dropped under no lock
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        state.check_open()?;
        let asides = state.asides.get_or_insert_default();
        if asides.iter().all(|aside| !Arc::ptr_eq(&aside.topic, topic)) {
            let NamespaceCore { order, engine, .. } = &*self.namespace;
            let since = Topic::join(topic, order, &self.post, &self.namespace.pile(), &mut trash);
            engine.tape.joined(self.id(), topic.id(), since, None);
            asides.push(Aside { since, topic: Arc::clone(topic), _keeper: keeper });
        }
        Ok(())
    }

    /// Has it watch a topic no more.
    pub(crate) fn detach(&self, topic: &Arc<Topic>) {
        let _gone; // dropped, like the trash, when no lock is held
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        let Some(asides) = &mut state.asides else { return };
        let Some(place) = asides.iter().position(|aside| Arc::ptr_eq(&aside.topic, topic)) else { return };
        let aside = asides.remove(place);
        if asides.is_empty() {
            state.asides = None;
        }
        let NamespaceCore { order, engine, .. } = &*self.namespace;
        topic.leave(order, &self.post, aside.since, &self.namespace.pile(), &mut trash);
        engine.tape.left(self.id(), topic.id());
        _gone = aside;
    }

    /// Has a socket that is closed watch nothing any more. What is returned is to be dropped under no lock.
    pub(super) fn leave_asides(&self, state: &mut State, trash: &mut Trash) -> Asides {
        let asides = state.asides.take();
        for aside in asides.iter().flat_map(|asides| &**asides) {
            aside.topic.leave(&self.namespace.order, &self.post, aside.since, &Pile::ANY, trash);
        }
        asides
    }
}
