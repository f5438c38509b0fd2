//! The life of a socket: it opens, speaks, and is closed.
//!
//! *Connecting*, *open*, *closed*, in that order, perhaps without the second. While it connects it has an id
//! and can join rooms, so that it misses nothing from then on; but nobody finds it by its id, it is not
//! among the namespace's sockets, and it cannot emit. Closing is one step under its state's lock: from
//! then on nothing reaches it and it can join nothing, whatever hooks do. They are told afterwards.

use std::num::NonZeroU64;

use super::cut::{Closing, Cut};
use super::{CLOSED, Mute, NamespaceCore, OPEN, SocketCore};
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::sync::{Arc, Ordering};
use crate::topic::{Change, Kind, Pile, Post, Topic, Trash};
use crate::trace;

impl SocketCore {
    pub(crate) fn id(&self) -> SocketId {
        self.post.id()
    }

    pub(crate) fn post(&self) -> &Arc<Post> {
        &self.post
    }

    /// Whether it is open. One load.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.phase.load(Ordering::Acquire) == OPEN
    }

    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        if self.phase.load(Ordering::Acquire) != CLOSED {
            return None;
        }
        self.state.lock().closed().cloned()
    }

    /// Fails unless it is open.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<(), Mute> {
        if self.is_open() { Ok(()) } else { Err(self.mute()) }
    }

    /// Fails unless it is open, or closed and yet to say good-bye.
    #[inline]
    pub(crate) fn check_speaks(&self) -> Result<(), Mute> {
        if self.is_open() || self.state.lock().closing.as_ref().is_some_and(|closing| closing.is_leaving) {
            Ok(())
        } else {
            Err(self.mute())
        }
    }

    #[cold]
    fn mute(&self) -> Mute {
        self.state.lock().closed().cloned().map_or(Mute::Connecting, Mute::Closed)
    }

    /// Opens a socket that is connecting, unless it or its namespace is closed: then it is closed for the
    /// same reason. [`opened`](Self::opened) is to follow.
    pub(crate) fn open(this: &Arc<Self>) -> bool {
        let namespace = &this.namespace;
        // One that comes too late was never there: nobody is told of it.
        if let (true, Some(reason)) = (namespace.is_closed(), namespace.closed()) {
            Self::disconnect(this, reason);
            return false;
        }
        if let Some(hooks) = namespace.hooks.get() {
            hooks.opening(this);
        }
        let mut trash = Trash::default();
        let hold = namespace.engine.tape.hold();
        // Under the state's lock: once it is a member, others find it and may disconnect it.
        let mut state = this.state.lock();
        if state.closing.is_some() {
            return false;
        }
        debug_assert!(state.everyone.is_none(), "a socket is opened once");
        let since =
            Topic::join(&namespace.everyone, &namespace.order, &this.post, &namespace.pile(), &mut trash);
        state.everyone = NonZeroU64::new(since); // no sequence is 0
        namespace.engine.tape.opened(this.id(), since);
        {
            let mut connecting = namespace.connecting.lock();
            connecting.sockets.remove(&this.number);
            connecting.opened += 1;
        }
        namespace.engine.open.fetch_add(1, Ordering::Relaxed);
        this.phase.store(OPEN, Ordering::Release);
        drop(state);
        hold.end();
        drop(trash);
        trace::connected(&namespace.path, this.id());
        // Whoever closed the namespace before this look may have missed the socket; whoever does it after
        // finds it among the members.
        if let Some(reason) = namespace.closed() {
            Self::disconnect(this, reason);
        }
        this.is_open()
    }

    /// Tells that it has opened, if so. Under no lock.
    pub(crate) fn opened(this: &Arc<Self>) {
        if let Some(hooks) = this.namespace.hooks.get() {
            hooks.opened(this);
        }
    }

    /// The topic of messages to this socket alone.
    #[inline]
    pub(crate) fn direct(&self) -> Result<&Arc<Topic>, DisconnectReason> {
        match self.direct.get() {
            Some(topic) => Ok(topic),
            None => self.make_direct(),
        }
    }

    #[cold]
    fn make_direct(&self) -> Result<&Arc<Topic>, DisconnectReason> {
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        if let Some(reason) = state.closed() {
            return Err(reason.clone());
        }
        Ok(self.direct.get_or_init(|| {
            let NamespaceCore { order, engine, .. } = &*self.namespace;
            let backlog = self.namespace.backlog();
            let topic = Arc::new(engine.topic(order, Kind::Direct, &backlog));
            state.direct = Topic::join(&topic, order, &self.post, &self.namespace.pile(), &mut trash);
            engine.tape.direct(self.id(), topic.id(), state.direct, &backlog);
            self.namespace.directs.lock().topics.insert(topic.id(), Arc::clone(&topic));
            topic
        }))
    }

    /// Disconnects it, unless it is already. At once: nothing emitted afterwards reaches it.
    pub(crate) fn disconnect(this: &Arc<Self>, reason: DisconnectReason) -> bool {
        Self::cut(this, reason).map(Cut::tell).is_some()
    }

    /// The first half of [disconnecting](Self::disconnect), unless it is already: nothing reaches it from now
    /// on. To close several, cut them all before the hooks of one are called.
    pub(crate) fn cut(this: &Arc<Self>, reason: DisconnectReason) -> Option<Cut> {
        let is_leaving = this.take_out(&reason)?;
        Some(Cut { socket: Arc::clone(this), reason, is_leaving })
    }

    /// It is gone from its rooms for those who ask it, but may still speak.
    pub(crate) fn end_rooms(&self) {
        let rooms = self.state.lock().closing.as_mut().and_then(|closing| closing.rooms.take());
        drop(rooms);
    }

    /// It has said good-bye.
    pub(crate) fn end_leaving(&self) {
        if let Some(closing) = &mut self.state.lock().closing {
            closing.is_leaving = false;
        }
    }

    /// Closes it and takes it out of everything, and tells whether it is to say good-bye; or `None`, if it
    /// is closed.
    fn take_out(&self, reason: &DisconnectReason) -> Option<bool> {
        let (_socket, _asides); // dropped, like the trash, when no lock is held
        let mut trash = Trash::default();
        let _hold = self.namespace.engine.tape.hold();
        let mut state = self.state.lock();
        if state.closing.is_some() {
            return None;
        }
        let NamespaceCore { order, engine, everyone, hooks, .. } = &*self.namespace;
        let is_leaving = state.everyone.is_some() && hooks.get().is_some();
        let rooms = is_leaving.then(|| state.rooms.names().cloned().collect());
        state.closing = Some(Box::new(Closing { reason: reason.clone(), rooms, is_leaving }));
        self.phase.store(CLOSED, Ordering::Release);
        order.counters().count_closed(reason);
        // The cut is one point in the order, whatever the rooms are left at.
        let at = order.next();
        engine.tape.disconnected(self.id(), at, reason);
        trash.tell(order, &self.post, Change::Cut { at }, &Pile::ANY);
        _socket = engine.sockets.write().remove(self.id());
        let rooms: Vec<u64> = state.rooms.iter().map(|(since, _)| since).collect();
        for since in rooms {
            self.leave_one(&mut state, since, &Pile::ANY, &mut trash);
        }
        _asides = self.leave_asides(&mut state, &mut trash);
        if let Some(direct) = self.direct.get() {
            direct.leave(order, &self.post, state.direct, &Pile::ANY, &mut trash);
            self.namespace.end_direct(direct, &mut trash);
        }
        if state.everyone.is_none() {
            self.namespace.connecting.lock().sockets.remove(&self.number);
        }
        if let Some(since) = state.everyone {
            everyone.leave(order, &self.post, since.get(), &Pile::ANY, &mut trash);
            engine.open.fetch_sub(1, Ordering::Relaxed);
        }
        trash.tell(order, &self.post, Change::Closed { at, reason: reason.clone() }, &Pile::ANY);
        Some(is_leaving)
    }
}
