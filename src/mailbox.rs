//! What others leave for a socket's inbox, and how it is woken.
//!
//! An inbox belongs to its one reader, who takes no lock to read. What others have to tell it goes
//! through its mailbox: changes of membership, and rooms that have something to read. A flag says
//! whether there is anything, so that an idle mailbox costs a load per drain.
//!
//! # No lost wake-up, and one at most
//!
//! The post's lock decides. The reader leaves a [`Wake`] there and then looks for anything to read,
//! room by room, each under the room's lock, leaving word that it wants to be told. Whoever brings
//! something afterwards finds that word, or brings it to the mailbox itself; either way it takes the
//! wake out of the post, so nobody else can: one wake for each that was left.

use std::fmt;
use std::task::Waker;

use smallvec::SmallVec;

use crate::defect::{self, Defect};
use crate::foreign::contain;
use crate::segment::Position;
use crate::slab::SocketId;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, Sender};

/// The order of the fields is kept: what every drain touches comes first, in one cache line, and not
/// around the post. With many sockets that line is most of what a drain costs.
#[repr(C)]
pub(crate) struct Mailbox<C> {
    /// All that was addressed to the socket below this sequence has been read, but for emits that were
    /// under way at that moment.
    progress: AtomicU64,
    /// Whether the post holds changes or ready rooms.
    is_dirty: AtomicBool,
    id: SocketId,
    post: Mutex<Contents<C>>,
}

struct Contents<C> {
    /// Made by the first who leaves one, and gone when the reader has taken it.
    changes: Option<Box<Changes<C>>>,
    ready: Ready,
    reader: Reader,
}

/// What has become of memberships, for the reader to take in.
#[derive(Debug)]
pub(crate) struct Changes<C> {
    /// In the order in which they happened.
    pub(crate) list: ChangeList<C>,
    /// How much they keep in memory, as far as those who leave them count it.
    held: Position,
}

/// As a rule a join and a leave.
pub(crate) type ChangeList<C> = SmallVec<[C; 2]>;

/// The `since` of memberships that were armed and have something to read now.
pub(crate) type Ready = SmallVec<[u64; 2]>;

/// What the reader is about.
enum Reader {
    Awake,
    Asleep(Wake),
    /// Nobody is going to look any more.
    Gone,
}

/// How an inbox wants to be woken.
#[derive(Clone)]
pub(crate) enum Wake {
    Task(Waker),
    Callback(std::sync::Arc<dyn Fn() + Send + Sync>),
    /// For a thread that blocks in `recv`; the channel has room for one token.
    Thread(Sender<()>),
}

impl Wake {
    /// Wakes. Under no lock: this is user code.
    pub(crate) fn wake(self) {
        match self {
            Self::Task(waker) => contain(|| waker.wake()),
            Self::Callback(callback) => contain(move || callback()),
            // A full channel holds a token already, and then the thread is about to look anyway.
            Self::Thread(token) => drop(token.try_send(())),
        }
    }
}

impl<C> Mailbox<C> {
    /// Creates the mailbox of a socket that gets nothing up to `since`.
    pub(crate) fn new(id: SocketId, since: u64) -> Self {
        Self {
            id,
            is_dirty: AtomicBool::new(false),
            progress: AtomicU64::new(since),
            post: Mutex::new(Contents { changes: None, ready: Ready::new(), reader: Reader::Awake }),
        }
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Acquire)
    }

    pub(crate) fn set_progress(&self, below: u64) {
        self.progress.store(below, Ordering::Release);
    }

    /// Leaves a change for the reader, and returns how to wake it, to be done once no lock is held. An
    /// abandoned mailbox gives the change back.
    ///
    /// `fold` may shorten the list, and gets what was [held](Changes::held) so far.
    pub(crate) fn push(
        &self,
        change: C,
        fold: impl FnOnce(&mut ChangeList<C>, &mut Position),
    ) -> Result<Option<Wake>, C> {
        let mut post = self.post.lock();
        if post.is_abandoned() {
            return Err(change);
        }
        let Changes { list, held } = &mut **post.changes.get_or_insert_default();
        list.push(change);
        fold(list, held);
        self.is_dirty.store(true, Ordering::Release);
        Ok(post.take_wake())
    }

    /// Tells the reader that the membership of `since` has something to read. Under the room's lock, so
    /// that no later message of that room is out before. [`wake`](Self::wake) is to follow.
    pub(crate) fn mark(&self, since: u64) {
        let mut post = self.post.lock();
        if !post.is_abandoned() {
            post.ready.push(since);
            self.is_dirty.store(true, Ordering::Release);
        }
    }

    /// Wakes the reader if it sleeps, and tells whether it did. Under no lock.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        let wake = self.post.lock().take_wake();
        let Some(wake) = wake else { return false };
        wake.wake();
        true
    }

    /// Whether the reader sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(self.post.lock().reader, Reader::Asleep(_))
    }

    /// Whether there is anything to [take](Self::take). One load.
    #[inline]
    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty.load(Ordering::Acquire)
    }

    /// Takes all changes, and the ready rooms in exchange for an empty list.
    pub(crate) fn take(&self, ready: &mut Ready) -> Option<Box<Changes<C>>> {
        debug_assert!(ready.is_empty());
        let mut post = self.post.lock();
        std::mem::swap(&mut post.ready, ready);
        self.is_dirty.store(false, Ordering::Relaxed);
        post.changes.take()
    }

    /// Makes the reader [take](Self::take) what there is with its next pass, though it may be nothing.
    pub(crate) fn touch(&self) {
        self.is_dirty.store(true, Ordering::Relaxed);
    }

    /// Leaves word how to wake the reader, unless there is something to take: then it returns false.
    pub(crate) fn sleep(&self, wake: Wake) -> bool {
        let mut old = None;
        let early = defect::is(Defect::LostWake).then(|| !self.is_dirty());
        let mut post = self.post.lock();
        let may_sleep = early.unwrap_or_else(|| post.changes.is_none() && post.ready.is_empty());
        if may_sleep {
            old = Some(std::mem::replace(&mut post.reader, Reader::Asleep(wake)));
        }
        drop(post);
        drop(old); // a waker's `Drop` is user code
        may_sleep
    }

    /// Takes back what [`sleep`](Self::sleep) left, if nobody has used it.
    pub(crate) fn stay_awake(&self) -> Option<Wake> {
        self.post.lock().take_wake()
    }

    /// Takes back a callback that was left, if nobody has used it.
    pub(crate) fn take_callback(&self) -> Option<Wake> {
        let mut post = self.post.lock();
        if matches!(post.reader, Reader::Asleep(Wake::Callback(_))) { post.take_wake() } else { None }
    }

    /// Nobody is going to look any more. Returns what was there, to be dropped under no lock.
    pub(crate) fn abandon(&self) -> (Option<Box<Changes<C>>>, Option<Wake>) {
        let mut post = self.post.lock();
        let wake = post.take_wake();
        post.reader = Reader::Gone;
        post.ready = Ready::new();
        (post.changes.take(), wake)
    }
}

impl<C> Contents<C> {
    fn is_abandoned(&self) -> bool {
        matches!(self.reader, Reader::Gone)
    }

    fn take_wake(&mut self) -> Option<Wake> {
        if !matches!(self.reader, Reader::Asleep(_)) {
            return None;
        }
        match std::mem::replace(&mut self.reader, Reader::Awake) {
            Reader::Asleep(wake) => Some(wake),
            Reader::Awake | Reader::Gone => None,
        }
    }
}

impl<C> Default for Changes<C> {
    fn default() -> Self {
        Self { list: ChangeList::new(), held: Position::default() }
    }
}

impl<C> fmt::Debug for Mailbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task(_) => "Task",
            Self::Callback(_) => "Callback",
            Self::Thread(_) => "Thread",
        })
    }
}
