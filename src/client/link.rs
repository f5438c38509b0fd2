//! The connection of a client, and the one who plays its part: takes what the server sent, and calls handlers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::ack::table::AckTable;
use crate::client::ClientSocket;
use crate::client::peer::{Peer, resolve};
use crate::client::wire::{Line, Loss, Wire};
use crate::connection::Connection;
use crate::engine::Engine;
use crate::error::ReceiveError;
use crate::foreign::contain;
use crate::handshake::Handshake;
use crate::name::normalize_path;
use crate::outbox::Outbox;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::rejection::Rejection;
use crate::serial::Serial;
use crate::sync::{AtomicBool, Mutex, Ordering, Receiver, Sender, bounded};

/// What the handles of a client share. Nothing else holds it, so it goes with the last of them.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) handshake: Handshake,
    pub(super) acks: Arc<AckTable>,
    state: Mutex<State>,
    tasks: Serial<Task>,
    notes: Mutex<VecDeque<Note>>,
    /// Whether a task to drain waits.
    is_drain_due: AtomicBool,
    /// Whether some socket has something to send that the server took in no more of.
    is_stuck: AtomicBool,
    /// Whether all that was registered is taken off.
    is_cleared: AtomicBool,
    wakes: Arc<Wakes>,
}

struct State {
    line: Line,
    /// Unless somebody is at it.
    outbox: Option<Held>,
    /// Why the connection is lost, if it is.
    closed: Option<DisconnectReason>,
    /// Whether it is for good.
    is_over: bool,
    /// Whether outboxes wake.
    is_watching: bool,
    peers: BTreeMap<Box<str>, Arc<Peer>>,
    /// How many sockets there have been.
    numbers: u32,
}

/// What whoever runs is to do.
enum Task {
    Drain,
    /// Have the outbox wake from now on.
    Watch,
    /// Nothing but to tell what waits.
    Tell,
}

/// What handlers and hooks are to be told that is not a packet. Noted under the lock of the socket that it is
/// about, so that the notes are in the order of what happened to it, and told between two packets.
pub(super) enum Note {
    Disconnected(Arc<Peer>, DisconnectReason),
    NotLetIn(Arc<Peer>, Rejection),
    /// An event goes out.
    Outgoing(Arc<Peer>, SmolStr, Payload),
    /// It is over: all that was registered is taken off.
    Clear,
}

struct Held {
    outbox: Outbox,
    /// Whether it wakes.
    is_watched: bool,
}

pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is to be told that there is something to poll.
struct Wakes {
    callback: Mutex<Option<Wake>>,
    /// For a thread that blocks; the channel has room for one token.
    tokens: (Sender<()>, Receiver<()>),
}

impl Core {
    pub(super) fn new(engine: &Engine, handshake: Handshake) -> Arc<Self> {
        let (connection, outbox) = engine.connect(handshake.clone());
        let state = State {
            line: Line { epoch: 0, connection },
            outbox: Some(Held { outbox, is_watched: false }),
            closed: None,
            is_over: false,
            is_watching: false,
            peers: BTreeMap::new(),
            numbers: 0,
        };
        Arc::new(Self {
            engine: engine.clone(),
            handshake,
            acks: Arc::new(AckTable::new(engine.directory().core.config.max_pending_acks)),
            state: Mutex::new(state),
            tasks: Serial::new(),
            notes: Mutex::new(VecDeque::new()),
            is_drain_due: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            is_cleared: AtomicBool::new(false),
            wakes: Arc::new(Wakes { callback: Mutex::new(None), tokens: bounded(1) }),
        })
    }

    pub(super) fn closed(&self) -> Option<DisconnectReason> {
        let (closed, connection) = {
            let state = self.state.lock();
            (state.closed.clone(), state.line.connection.clone())
        };
        closed.or_else(|| connection.closed())
    }

    pub(super) fn connection(&self) -> Connection {
        self.state.lock().line.connection.clone()
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        self.state.lock().peers.values().map(Arc::clone).collect()
    }

    pub(super) fn peer(&self, path: &str) -> Option<Arc<Peer>> {
        self.state.lock().peers.get(path).map(Arc::clone)
    }

    /// The socket of a namespace, and whether it is new.
    pub(super) fn peer_of(&self, path: &str, auth: Payload) -> Result<(Arc<Peer>, bool), ReceiveError> {
        let path = normalize_path(path).unwrap_or(path.into());
        let (peer, old);
        {
            let mut state = self.state.lock();
            if let Some(reason) = &state.closed {
                return Err(ReceiveError::Closed(reason.clone()));
            }
            if let Some(found) = state.peers.get(&*path) {
                peer = Arc::clone(found);
                old = peer.wire.lock().set_auth(auth);
            } else {
                let wire = Wire::new(state.numbers, state.line.clone(), auth);
                state.numbers += 1;
                let new = Arc::new(Peer::new((*path).into(), wire));
                state.peers.insert((*path).into(), Arc::clone(&new));
                return Ok((new, true));
            }
        }
        drop(old);
        Ok((peer, false))
    }

    pub(super) fn poll(self: &Arc<Self>) -> usize {
        if !self.is_drain_due.swap(true, Ordering::AcqRel) {
            self.tasks.push_always(Task::Drain);
        }
        self.run()
    }

    /// Has this told. [`run`](Self::run) is to follow, under no lock.
    pub(super) fn note(&self, note: Note) {
        self.notes.lock().push_back(note);
    }

    /// Does what waits, unless somebody is at it, and returns how many packets that took.
    pub(super) fn run(self: &Arc<Self>) -> usize {
        if !self.notes.lock().is_empty() {
            self.tasks.push_always(Task::Tell);
        }
        let mut count = 0;
        self.tasks.run(|task| {
            match task {
                Task::Drain => count += self.drain(),
                Task::Watch => drop(self.borrow(true)),
                Task::Tell => {}
            }
            self.tell();
        });
        count
    }

    pub(super) fn socket(self: &Arc<Self>, peer: Arc<Peer>) -> ClientSocket {
        ClientSocket { core: Arc::clone(self), peer }
    }

    /// A socket has something to send that the server took in no more of: the next poll tries again.
    pub(super) fn stick(&self) {
        self.is_stuck.store(true, Ordering::Release);
        self.wakes.wake();
    }

    /// Something was registered.
    pub(super) fn registered(&self, peer: &Peer) {
        if self.is_cleared.load(Ordering::SeqCst) {
            peer.clear();
        }
    }

    /// Closes the connection, perhaps for good, and returns whether it was open.
    pub(super) fn close(self: &Arc<Self>, for_good: bool) -> bool {
        let (line, outbox, was_over);
        {
            let mut state = self.state.lock();
            line = state.line.clone();
            was_over = state.is_over;
            state.is_over |= for_good;
            outbox = state.outbox.take();
        }
        let reason = DisconnectReason::Client;
        let was_open = line.connection.close(reason.clone());
        drop(outbox);
        self.lost(line.epoch, &reason);
        if for_good && !was_over {
            self.finish();
        }
        self.run();
        was_open
    }

    /// Makes a new connection, unless there is one, and connects again what is to be connected.
    pub(super) fn reconnect(self: &Arc<Self>) -> Result<(), ReceiveError> {
        self.poll();
        let (old, peers, line, reason);
        {
            let (connection, outbox) = {
                let state = self.state.lock();
                state.check_not_over()?;
                if state.line.connection.closed().is_none() {
                    return Ok(());
                }
                drop(state);
                self.engine.connect(self.handshake.clone())
            };
            let mut state = self.state.lock();
            state.check_not_over()?;
            let Some(lost) = state.line.connection.closed() else {
                // Somebody else was faster. What was made here closes as it goes.
                return Ok(());
            };
            if let Some(closed) = connection.closed() {
                return Err(ReceiveError::Closed(closed));
            }
            reason = state.closed.take().unwrap_or(lost);
            line = Line { epoch: state.line.epoch + 1, connection };
            state.line = line.clone();
            old = state.outbox.replace(Held { outbox, is_watched: false });
            peers = state.peers.values().map(Arc::clone).collect::<Vec<_>>();
        }
        drop(old);
        self.tasks.push_always(Task::Watch);
        for peer in &peers {
            let mut wire = peer.wire.lock();
            if let Loss::Ended(ended) = wire.relink(line.clone(), &reason) {
                self.note(Note::Disconnected(Arc::clone(peer), reason.clone()));
                drop(wire);
                resolve(&self.acks, ended, &reason);
            }
        }
        let connected = peers.iter().try_for_each(|peer| peer.settle());
        self.run();
        connected
    }

    pub(super) fn set_wake(&self, wake: Option<Wake>) {
        let old = std::mem::replace(&mut *self.wakes.callback.lock(), wake);
        drop(old);
        if self.is_cleared.load(Ordering::SeqCst) {
            self.wakes.forget();
        }
    }

    /// Has outboxes wake from now on. What is there already wakes.
    pub(super) fn watch(self: &Arc<Self>) {
        self.state.lock().is_watching = true;
        self.tasks.push_always(Task::Watch);
        self.run();
    }

    /// As [`watch`](Self::watch), unless they do.
    pub(super) fn watch_once(self: &Arc<Self>) {
        let was_watching = std::mem::replace(&mut self.state.lock().is_watching, true);
        if !was_watching {
            self.tasks.push_always(Task::Watch);
            self.run();
        }
    }

    pub(super) fn tokens(&self) -> &Receiver<()> {
        &self.wakes.tokens.1
    }

    fn drain(self: &Arc<Self>) -> usize {
        self.is_drain_due.store(false, Ordering::Release);
        self.send_what_was_stuck();
        let Some(mut borrowed) = self.borrow(false) else { return 0 };
        let epoch = borrowed.epoch;
        let mut last: Option<ClientSocket> = None;
        let count = borrowed.outbox().drain(|packet| {
            self.tell();
            let path = packet.namespace();
            if last.as_ref().is_none_or(|socket| &*socket.peer.path != path) {
                last = self.peer(path).map(|peer| self.socket(peer));
            }
            if let Some(socket) = &last {
                socket.take(epoch, packet);
            }
        });
        let closed = borrowed.outbox().closed().cloned();
        drop(borrowed);
        if let Some(reason) = closed {
            self.lost(epoch, &reason);
            if self.engine.is_closed() {
                self.finish();
            }
        }
        count
    }

    /// Takes the outbox, for the one who runs; and has it wake, if it is to, if need be once more.
    fn borrow(&self, again: bool) -> Option<Borrowed<'_>> {
        let (epoch, mut held, is_watching);
        {
            let mut state = self.state.lock();
            held = state.outbox.take()?;
            (epoch, is_watching) = (state.line.epoch, state.is_watching);
        }
        let is_due = is_watching && (again || !held.is_watched);
        held.is_watched |= is_due;
        let mut borrowed = Borrowed { core: self, epoch, held: Some(held) };
        if is_due {
            let wakes = Arc::downgrade(&self.wakes);
            borrowed.outbox().on_wake(move || {
                if let Some(wakes) = wakes.upgrade() {
                    wakes.wake();
                }
            });
        }
        Some(borrowed)
    }

    /// Tells what is noted. For the one who runs.
    fn tell(self: &Arc<Self>) {
        loop {
            let note = self.notes.lock().pop_front();
            match note {
                None => return,
                Some(Note::Disconnected(peer, reason)) => self.socket(peer).tell_end(&reason),
                Some(Note::NotLetIn(peer, rejection)) => self.socket(peer).tell_rejection(&rejection),
                Some(Note::Outgoing(peer, event, payload)) => {
                    self.socket(peer).tell_outgoing(&event, &payload);
                }
                Some(Note::Clear) => self.clear(),
            }
        }
    }

    fn send_what_was_stuck(self: &Arc<Self>) {
        if !self.is_stuck.swap(false, Ordering::AcqRel) {
            return;
        }
        for peer in self.peers() {
            if peer.wire.lock().is_stuck() {
                self.socket(peer).flush();
            }
        }
    }

    /// The connection is lost. Tells the sockets.
    fn lost(&self, epoch: u64, reason: &DisconnectReason) {
        let peers: Vec<_> = {
            let mut state = self.state.lock();
            if state.line.epoch != epoch || state.closed.is_some() {
                return;
            }
            state.closed = Some(reason.clone());
            state.peers.values().map(Arc::clone).collect()
        };
        for peer in &peers {
            let mut wire = peer.wire.lock();
            match wire.lost(epoch, reason) {
                Loss::Nothing => {}
                Loss::Ended(ended) => {
                    self.note(Note::Disconnected(Arc::clone(peer), reason.clone()));
                    drop(wire);
                    resolve(&self.acks, ended, reason);
                }
                // Who closes it knows.
                Loss::NotLetIn if *reason == DisconnectReason::Client => {}
                Loss::NotLetIn => {
                    self.note(Note::NotLetIn(Arc::clone(peer), Rejection::new(reason.to_string())));
                }
            }
        }
    }

    /// It is over, and the connection is lost.
    fn finish(&self) {
        let (peers, reason);
        {
            let mut state = self.state.lock();
            state.is_over = true;
            reason = state.closed.clone().unwrap_or(DisconnectReason::Client);
            peers = state.peers.values().map(Arc::clone).collect::<Vec<_>>();
        }
        for peer in &peers {
            let ended = peer.wire.lock().finish(&reason);
            resolve(&self.acks, ended, &reason);
        }
        self.note(Note::Clear);
    }

    /// Takes off all that was registered: it may hold the client that holds it.
    fn clear(&self) {
        self.is_cleared.store(true, Ordering::SeqCst);
        self.peers().iter().for_each(|peer| peer.clear());
        self.wakes.forget();
    }
}

impl State {
    fn check_not_over(&self) -> Result<(), ReceiveError> {
        if !self.is_over {
            return Ok(());
        }
        Err(ReceiveError::Closed(self.closed.clone().unwrap_or(DisconnectReason::Client)))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let reason = DisconnectReason::Transport;
        let (line, outbox) = {
            let mut state = self.state.lock();
            (state.line.clone(), state.outbox.take())
        };
        line.connection.close(reason.clone());
        drop(outbox);
        self.lost(line.epoch, &reason);
        self.finish();
        let notes = std::mem::take(&mut *self.notes.lock());
        drop(notes);
        self.clear();
    }
}

/// The outbox, which is put back when this goes, unless its connection is not the client's any more.
struct Borrowed<'a> {
    core: &'a Core,
    epoch: u64,
    /// Till then.
    held: Option<Held>,
}

impl Borrowed<'_> {
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.held.as_mut().expect("here until it is put back").outbox
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut state = self.core.state.lock();
        if state.line.epoch == self.epoch && state.closed.is_none() {
            state.outbox = self.held.take();
        }
    }
}

impl Wakes {
    fn forget(&self) {
        let callback = self.callback.lock().take();
        drop(callback);
    }

    fn wake(&self) {
        // A full channel holds a token already, and then the thread is about to look anyway.
        let _ = self.tokens.0.try_send(());
        let callback = self.callback.lock().clone();
        if let Some(callback) = callback {
            contain(move || callback());
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespaces: Vec<_> = self.peers().iter().map(|peer| peer.path.clone()).collect();
        f.debug_struct("Client")
            .field("namespaces", &namespaces)
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}
