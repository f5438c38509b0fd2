//! A topic: a log, its members, and those who sleep until it has something to read.
//!
//! Every room is one; so are all sockets of a namespace together, and each socket that was ever sent to
//! directly. Where this file says room it means any of them.
//!
//! # Invariants, all under the room's lock
//!
//! 1. *Sequence under the lock.* Publishing locks the room (or all the rooms addressed, in the order of
//!    their ids), **then** takes the next sequence, appends, unlocks, **then** wakes. So the numbers in
//!    a log rise, and a message is in the logs of all its rooms before any of them is unlocked.
//! 2. *Joins and leaves are points in the same order.* Each takes a sequence under the lock, and leaves
//!    word in the mailbox before unlocking. A member gets exactly what is in the log between the two.
//! 3. *Armed means idle.* A membership is armed only if its cursor is at the log's end; the next publish
//!    takes all armed ones off the list and marks each in its mailbox, still under the lock, so that no
//!    later message of the room is out while one of them is believed to be idle. Then it unlocks, and
//!    wakes their readers.
//!
//! # Why a drain misses nothing (contract 1)
//!
//! A drain first loads the namespace's counter with `Acquire`: the *horizon*. It delivers only what is
//! below. Let it deliver B with sequence b, and let A, addressed to the same socket, be published
//! before B. A's `emit` returned before B's began, so A's sequence a was taken before b was: a < b. The
//! counter is only ever changed by read-modify-write operations with `Release`; the horizon is above b,
//! so the load read a value from B's or a later one, and synchronizes with B's. All that happened before
//! B's increment is visible after the load: A's entry (invariant 1), the word of the membership under
//! which A counts (invariant 2) and the mark on that membership, if it was armed (invariant 3). So the
//! drain meets A, and as it merges by sequence, before B. What was being published *while* the drain
//! began may or may not be below the horizon and visible; the next drain has it.

use std::fmt;

use smallvec::SmallVec;

mod census;
mod fold;
mod kept;
mod many;
mod newest;

pub(crate) use self::census::Census;
pub(crate) use self::fold::Pile;
pub(crate) use self::kept::{Before, Stretch};
pub(crate) use self::many::{Listed, Role};

use self::fold::fold;
use self::kept::Kept;
use self::newest::Newest;
use crate::config::{Backlog, Overflow};
use crate::data::DataMap;
use crate::defect::{self, Defect};
use crate::entry::Entry;
use crate::history::{Found, Past};
use crate::ledger::{Account, Ledger};
use crate::log::{Garbage, Log};
use crate::mailbox::{Mailbox, Wake};
use crate::name::RoomName;
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::roll::Roll;
use crate::roster::{PresenceEntry, Roster};
use crate::segment::{Cursor, Position};
use crate::slab::SocketId;
use crate::sync::{Arc, AtomicUsize, Mutex};

/// What an inbox is told of its memberships.
#[derive(Debug)]
pub(crate) enum Change {
    /// The socket is a member from `since` on, which also names the membership.
    Joined { since: u64, room: Arc<Topic>, cursor: Cursor<Entry>, at: Position },
    /// It gets what was published before it joined. In a box: it is rare, and larger than the others.
    Past(Box<Before>),
    /// It is a member no more: it gets what is below `until`; `at` is what the room had taken in by then.
    Left { since: u64, until: u64, at: Position },
    /// All that is unread below `floor` is lost; so far that is `lost` messages of rooms that were
    /// joined and left again unread.
    Folded { floor: u64, lost: u64, exact: bool },
    /// The socket is being closed, at this sequence. It leaves its rooms one by one now, and who is still in one but
    /// has left another may be judged wrongly: so it gets nothing from here on. `Closed` follows.
    Cut { at: u64 },
    /// The socket is closed and has left its rooms: it gets what is below `at`.
    Closed { at: u64, reason: DisconnectReason },
}

impl Change {
    /// Lets go of it, and of what its room has kept for it alone.
    pub(crate) fn release(self) {
        let (room, cursor) = match self {
            Self::Joined { room, cursor, .. } => (room, cursor),
            Self::Past(before) => (before.room, before.cursor),
            _ => return,
        };
        drop(cursor);
        room.trim();
    }
}

/// The mailbox of a socket.
pub(crate) type Post = Mailbox<Change>;

/// What kind of room it is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// All sockets of a namespace.
    Everyone,
    /// One socket.
    Direct,
    Named(RoomName),
    /// What is told of a room, to those who watch it.
    Aside(RoomName),
}

impl Kind {
    /// The room that it is, or is about.
    pub(crate) fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Named(name) | Self::Aside(name) => Some(name),
            Self::Everyone | Self::Direct => None,
        }
    }
}

pub(crate) struct Topic {
    /// Unique in its engine. Rooms are locked in the order of their ids.
    id: u64,
    kind: Kind,
    /// Public handles: while there are any, an empty room stays in the index.
    handles: AtomicUsize,
    /// What users, and layers above, keep with it.
    data: DataMap,
    inner: Mutex<Inner>,
}

struct Inner {
    log: Log<Entry>,
    overflow: Overflow,
    /// Messages from this number on are not let go of while a member has yet to read them.
    strict_from: u64,
    members: Roll<Arc<Post>, 1>,
    /// How many members there can be. Existing ones stay when it sinks below.
    capacity: usize,
    /// How many places are kept for sockets that are about to join.
    claimed: u32,
    /// Idle memberships that want to be told of the next message. May name some that have left.
    armed: Vec<Armed>,
    /// An empty list with room in it, so that arming and firing in turn allocates nothing.
    spare: Vec<Armed>,
    /// How many members left since `armed` was last swept.
    left: u32,
    /// Of the messages, how many are counted in another room as well.
    copies: u64,
    /// What those that left were due, less what those that are here were not: how many messages there were when each
    /// left, less how many there were when each joined. Wraps.
    due: u64,
    joins: u64,
    ledger: Option<Box<Ledger>>,
    later: Option<Box<Later>>,
}

/// What few rooms have, for messages and members that come later.
#[derive(Debug, Default)]
struct Later {
    /// What later messages with the same keys are to replace.
    newest: Newest,
    /// What is kept for those who join later.
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Armed {
    since: u64,
    post: Arc<Post>,
}

/// What an emit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) sequence: u64,
    /// Members of the rooms, one counted in each.
    pub(crate) members: usize,
    /// Rooms that had any.
    pub(crate) rooms: usize,
}

/// What a cursor has missed that was parked.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) messages: u64,
    pub(crate) account: Account,
    /// Whether members were to be disconnected rather than miss any of that.
    pub(crate) breaks_policy: bool,
}

/// An emit to up to this many rooms allocates nothing.
pub(crate) const MANY: usize = 16;

/// Sockets to be disconnected for their backlog.
pub(crate) type Victims = SmallVec<[SocketId; 1]>;

impl Topic {
    pub(crate) fn new(id: u64, kind: Kind, backlog: &Backlog) -> Self {
        Self {
            id,
            kind,
            handles: AtomicUsize::new(0),
            data: DataMap::default(),
            inner: Mutex::new(Inner {
                log: Log::new(backlog.limits()),
                overflow: backlog.policy(),
                strict_from: if backlog.policy() == Overflow::Disconnect { 0 } else { u64::MAX },
                members: Roll::new(),
                capacity: usize::MAX,
                claimed: 0,
                armed: Vec::new(),
                spare: Vec::new(),
                left: 0,
                copies: 0,
                due: 0,
                joins: 0,
                ledger: None,
                later: None,
            }),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn name(&self) -> Option<&RoomName> {
        match &self.kind {
            Kind::Named(name) => Some(name),
            Kind::Everyone | Kind::Direct | Kind::Aside(_) => None,
        }
    }

    pub(crate) fn handles(&self) -> &AtomicUsize {
        &self.handles
    }

    pub(crate) fn data(&self) -> &DataMap {
        &self.data
    }

    /// Who is present, if that is kept: with the data, as few rooms have it. One load for a room without any.
    #[inline]
    pub(crate) fn roster(&self) -> Option<std::sync::Arc<Roster>> {
        self.data.get()
    }

    /// Who is present, which is kept from now on.
    pub(crate) fn keep_roster(&self) -> std::sync::Arc<Roster> {
        self.data.get_or_insert_with(Roster::new)
    }

    pub(crate) fn len(&self) -> usize {
        self.inner.lock().members.len()
    }

    /// Members in joining order.
    pub(crate) fn members(&self) -> Vec<SocketId> {
        self.inner.lock().members.iter().map(|(_, post)| post.id()).collect()
    }

    /// How many messages it holds for members that lag.
    pub(crate) fn retained(&self) -> u64 {
        self.inner.lock().log.retained()
    }

    pub(crate) fn set_backlog(&self, order: &Order, backlog: &Backlog) {
        if backlog.policy() == Overflow::Disconnect {
            order.be_strict();
        }
        let mut inner = self.inner.lock();
        inner.set_limits(backlog.limits());
        inner.strict_from = match (inner.overflow, backlog.policy()) {
            (_, Overflow::DropOldest) => u64::MAX,
            // Nobody has kept account of how far it has read in what came before.
            (Overflow::DropOldest, Overflow::Disconnect) => inner.log.messages(),
            (Overflow::Disconnect, Overflow::Disconnect) => inner.strict_from,
        };
        inner.overflow = backlog.policy();
    }

    pub(crate) fn capacity(&self) -> usize {
        self.inner.lock().capacity
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.inner.lock().capacity = capacity;
    }

    /// Keeps a place for a socket that is about to join, if there is one left. It takes it by
    /// [`join_if_free`](Self::join_if_free), or [gives it back](Self::unclaim).
    pub(crate) fn claim(&self) -> bool {
        let mut inner = self.inner.lock();
        let is_free = inner.members.len() + (inner.claimed as usize) < inner.capacity;
        inner.claimed += u32::from(is_free);
        is_free
    }

    pub(crate) fn unclaim(&self) {
        self.inner.lock().claimed -= 1;
    }

    /// Makes a socket that is none yet a member, whatever the capacity, and returns the sequence that names the
    /// membership.
    pub(crate) fn join(
        this: &Arc<Self>,
        order: &Order,
        post: &Arc<Post>,
        pile: &Pile,
        trash: &mut Trash,
    ) -> u64 {
        let mut inner = this.inner.lock();
        Self::add(this, &mut inner, order, post, pile, trash)
    }

    /// As [`join_if_free`](Self::join_if_free), with what the room keeps of the past.
    #[inline(never)]
    pub(crate) fn join_with(
        this: &Arc<Self>,
        order: &Order,
        post: &Arc<Post>,
        pile: &Pile,
        trash: &mut Trash,
        (is_claimed, past): (bool, Past),
    ) -> Option<(u64, Found)> {
        let mut inner = this.inner.lock();
        if !inner.take_place(is_claimed) {
            return None;
        }
        let found = Self::add_past(this, &mut inner, past, (order, post, pile), trash);
        Some((Self::add(this, &mut inner, order, post, pile, trash), found))
    }

    /// As [`join`](Self::join), in a place that was [claimed](Self::claim), or else in one that is left, if one
    /// is.
    pub(crate) fn join_if_free(
        this: &Arc<Self>,
        order: &Order,
        post: &Arc<Post>,
        pile: &Pile,
        trash: &mut Trash,
        is_claimed: bool,
    ) -> Option<u64> {
        let mut inner = this.inner.lock();
        if !inner.take_place(is_claimed) {
            return None;
        }
        Some(Self::add(this, &mut inner, order, post, pile, trash))
    }

    #[inline(always)] // into the joins that there are, of which one is hot
    fn add(
        this: &Arc<Self>,
        inner: &mut Inner,
        order: &Order,
        post: &Arc<Post>,
        pile: &Pile,
        trash: &mut Trash,
    ) -> u64 {
        if let (true, Some(name)) = (order.journal().is_watched(), this.name()) {
            order.journal().joined(name, post.id(), inner.members.is_empty());
        }
        let since = order.next();
        inner.members.push(since, Arc::clone(post));
        inner.joins += 1;
        inner.due = inner.due.wrapping_sub(inner.log.messages());
        let joined =
            Change::Joined { since, room: Arc::clone(this), cursor: inner.log.end(), at: inner.log.taken() };
        trash.tell(order, post, joined, pile);
        since
    }

    /// Ends a membership, and tells whether the room is without members now.
    pub(crate) fn leave(
        &self,
        order: &Order,
        post: &Post,
        since: u64,
        pile: &Pile,
        trash: &mut Trash,
    ) -> bool {
        let mut inner = self.inner.lock();
        let until = order.next();
        let member = inner.members.remove(since);
        debug_assert!(member.is_some(), "a membership ends once");
        trash.tell(order, post, Change::Left { since, until, at: inner.log.taken() }, pile);
        inner.left += 1;
        if inner.armed.is_empty() {
            inner.left = 0;
        } else if inner.left as usize > inner.armed.len() {
            inner.left = 0;
            let armed = std::mem::take(&mut inner.armed).into_iter();
            let (armed, gone): (_, Vec<_>) = armed.partition(|armed| inner.members.contains(armed.since));
            inner.armed = armed;
            trash.armed.extend(gone);
        }
        if let Some(member) = member {
            inner.due = inner.due.wrapping_add(inner.log.messages());
            trash.posts.push(member);
        }
        if let (true, Some(name)) = (order.journal().is_watched(), self.name()) {
            order.journal().left(name, post.id(), inner.members.is_empty());
        }
        if inner.members.is_empty() {
            inner.log.retire(&mut trash.segments);
            true
        } else {
            inner.log.trim(&mut trash.segments);
            false
        }
    }

    /// Publishes to the members, if that takes no more than writing a slot: there is room in the log, and
    /// nobody sleeps. Otherwise gives the entry back, for [`publish`](Self::publish).
    #[inline]
    pub(crate) fn try_publish(&self, entry: Entry, order: &Order) -> Result<Published, Entry> {
        let bytes = entry.payload().len() as u64;
        let mut inner = self.inner.lock();
        let members = inner.members.len();
        if members == 0 || !inner.armed.is_empty() || !inner.log.fits(bytes) || inner.keeps() {
            return Err(entry);
        }
        let sequence = order.next();
        inner.log.append_fitting(sequence, entry, bytes);
        Ok(Published { sequence, members, rooms: 1 })
    }

    /// Publishes to the members, if there are any.
    #[inline(never)]
    pub(crate) fn publish(&self, entry: Entry, order: &Order, victims: &mut Victims) -> Option<Published> {
        let mut trash = Garbage::new();
        let bytes = entry.payload().len() as u64;
        let early = defect::is(Defect::EarlySequence).then(|| order.next());
        let mut inner = self.inner.lock();
        let members = inner.members.len();
        if members == 0 && !inner.keeps() {
            drop(inner); // the entry is dropped under no lock
            return None;
        }
        let sequence = early.unwrap_or_else(|| order.next());
        if entry.latest().is_some() {
            inner.later.get_or_insert_default().newest.replace(&entry, sequence);
        }
        inner.append(sequence, entry, bytes, victims, &mut trash);
        if inner.armed.is_empty() {
            drop(inner);
        } else {
            let armed = inner.take_armed(order);
            if defect::is(Defect::LockOverHandler) {
                armed.iter().for_each(|armed| _ = armed.post.wake());
            }
            drop(inner);
            self.fire(armed, order);
        }
        Some(Published { sequence, members, rooms: usize::from(members > 0) })
    }

    /// Has the next publish [mark](Mailbox::mark) this membership, unless its cursor has something to
    /// read already: then it returns false.
    pub(crate) fn arm(&self, post: &Arc<Post>, since: u64, cursor: &mut Cursor<Entry>) -> bool {
        let mut trash = Garbage::new();
        let is_armed = self.inner.lock().arm(post, since, cursor, &mut trash);
        if !trash.is_empty() {
            drop(trash);
            self.trim();
        }
        is_armed
    }

    /// As [`arm`](Self::arm), but returns false too when the room is busy: it never waits.
    pub(crate) fn try_arm(&self, post: &Arc<Post>, since: u64, cursor: &mut Cursor<Entry>) -> bool {
        let mut trash = Garbage::new();
        let inner = self.inner.try_lock();
        let is_armed = inner.is_some_and(|mut inner| inner.arm(post, since, cursor, &mut trash));
        if !trash.is_empty() {
            drop(trash);
            self.try_trim(); // if it is busy, the next segment does it
        }
        is_armed
    }

    /// Moves a parked cursor on to what is left, and tells what it has missed, below message number `end`.
    ///
    /// Does nothing if what is left begins at or above the sequence `horizon`.
    pub(crate) fn resume(
        &self,
        cursor: &mut Cursor<Entry>,
        (socket, since): (SocketId, u64),
        end: u64,
        horizon: u64,
    ) -> Option<Loss> {
        let mut trash = Garbage::new();
        let inner = self.inner.lock();
        if inner.log.head().iter().next().is_none_or(|(sequence, _)| sequence >= horizon) {
            return None;
        }
        let missed = inner.log.resume(cursor, &mut trash);
        let to = missed.to.min(end);
        let mut account = Account { complete: true, ..Account::default() };
        if let Some(ledger) = &inner.ledger {
            account = ledger.account(socket, missed.from, to);
        }
        let breaks_policy = missed.from >= inner.strict_from && inner.members.contains(since);
        drop(inner);
        drop(trash); // the segment that it was parked in: perhaps the last one
        self.trim();
        let messages = to.saturating_sub(missed.from) + u64::from(defect::is(Defect::GapCount));
        Some(Loss { messages, account, breaks_policy })
    }

    /// Lets go of what nobody is going to read.
    pub(crate) fn trim(&self) {
        let mut trash = Garbage::new();
        self.inner.lock().trim(&mut trash);
    }

    /// As [`trim`](Self::trim), unless the room is busy at this moment: then it returns false. It never
    /// waits.
    pub(crate) fn try_trim(&self) -> bool {
        let mut trash = Garbage::new();
        let inner = self.inner.try_lock();
        inner.map(|mut inner| inner.trim(&mut trash)).is_some()
    }

    /// Wakes those who sleep here. Under no lock.
    #[cold]
    fn fire(&self, mut armed: Vec<Armed>, order: &Order) {
        let mut woken = 0;
        for armed in armed.drain(..) {
            woken += u64::from(armed.post.wake());
        }
        order.counters().count_wakes(woken);
        let mut inner = self.inner.lock();
        if inner.spare.capacity() < armed.capacity() {
            std::mem::swap(&mut inner.spare, &mut armed);
        }
    }
}

impl Inner {
    /// Takes a place that was claimed, or else one that is left, if one is.
    fn take_place(&mut self, is_claimed: bool) -> bool {
        if is_claimed {
            self.claimed -= 1;
            return true;
        }
        self.members.len() + (self.claimed as usize) < self.capacity
    }

    /// Whether it keeps messages for those who join later.
    #[inline]
    fn keeps(&self) -> bool {
        self.later.as_ref().is_some_and(|later| later.kept.is_some())
    }

    #[inline]
    fn append(
        &mut self,
        sequence: u64,
        entry: Entry,
        bytes: u64,
        victims: &mut Victims,
        trash: &mut Garbage<Entry>,
    ) {
        if self.keeps() {
            return self.append_kept(sequence, entry, bytes, victims, trash);
        }
        if self.log.append(sequence, entry, bytes, trash) {
            self.shed(victims, trash);
        }
    }

    fn trim(&mut self, trash: &mut Garbage<Entry>) {
        self.log.trim(trash);
        if !self.log.has_parked() {
            self.ledger = None;
        }
    }

    fn take_armed(&mut self, order: &Order) -> Vec<Armed> {
        if self.armed.is_empty() {
            return Vec::new(); // and keep the memory of both lists
        }
        let spare = std::mem::take(&mut self.spare);
        let armed = std::mem::replace(&mut self.armed, spare);
        armed.iter().for_each(|armed| armed.post.mark(armed.since));
        order.count_letter();
        armed
    }

    fn arm(
        &mut self,
        post: &Arc<Post>,
        since: u64,
        cursor: &mut Cursor<Entry>,
        trash: &mut Garbage<Entry>,
    ) -> bool {
        let is_idle = cursor.messages() == self.log.messages();
        if is_idle {
            self.log.settle(cursor, trash);
            self.armed.push(Armed { since, post: Arc::clone(post) });
        }
        is_idle
    }

    /// Gets back under the limit.
    #[cold]
    fn shed(&mut self, victims: &mut Victims, trash: &mut Garbage<Entry>) {
        while self.log.is_over() {
            // Members that were parked at the end of the head before are behind, though not in it.
            let is_behind = !self.log.head().is_unique() || self.log.has_parked();
            if self.overflow == Overflow::Disconnect && is_behind {
                let before = victims.len();
                self.find_victims(victims);
                if victims.len() > before {
                    // They leave as soon as the lock is released, and keep what they can drain.
                    self.log.put_off();
                    return;
                }
            }
            if self.log.has_parked() {
                let ledger = self.ledger.get_or_insert_default();
                ledger.record(self.log.head(), self.log.last_parked());
                ledger.sweep(|end| self.log.is_parked(end));
            }
            if !self.log.let_go(trash) {
                return;
            }
        }
    }

    /// Members that would lose a message of the head that is addressed to them. Whether one depends on
    /// memberships is not looked into: it counts.
    ///
    /// A message that was being published while its reader looked may be below the reader's progress,
    /// unread. Then this misses the reader, which finds out itself when it resumes, or is found with the
    /// next segment.
    fn find_victims(&self, victims: &mut Victims) {
        let head = self.log.head();
        let lenient = self.strict_from.saturating_sub(head.start().messages) as usize;
        let strict = || head.iter().skip(lenient);
        let Some((last, _)) = strict().last() else { return };
        for (since, post) in self.members.iter().take_while(|(since, _)| *since < last) {
            let from = since.max(post.progress());
            let loses = |(sequence, entry): (u64, &Entry)| sequence >= from && !entry.excludes(post.id());
            if from <= last && strict().any(loses) && !victims.contains(&post.id()) {
                victims.push(post.id());
            }
        }
    }
}

/// What is to be dropped, and whom to wake, once no lock is held: all of it is or runs user code.
/// Declared before the first lock is taken, it is dropped after the last one is released.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    pub(crate) topics: SmallVec<[Arc<Topic>; 2]>,
    /// What was said of sockets that were present in rooms that they left.
    #[expect(
        clippy::box_collection,
        reason = "mostly there is none, and each join and leave makes one of these"
    )]
    absent: Option<Box<Vec<PresenceEntry>>>,
    /// Rooms that may have kept something for memberships that were folded away, and for them alone.
    folded: Vec<Arc<Topic>>,
    segments: Garbage<Entry>,
    changes: SmallVec<[Change; 1]>,
    armed: Vec<Armed>,
    posts: SmallVec<[Arc<Post>; 1]>,
    /// The last is what the reader left last; those before it have had their turn.
    wakes: SmallVec<[Wake; 1]>,
}

impl Trash {
    /// Takes what was said of a socket that was present.
    #[cold]
    pub(crate) fn absent(&mut self, entry: PresenceEntry) {
        self.absent.get_or_insert_default().push(entry);
    }

    /// Leaves a change in a mailbox.
    pub(crate) fn tell(&mut self, order: &Order, post: &Post, change: Change, pile: &Pile) {
        let pushed = post.push(change, |changes, held| fold(changes, held, pile, post.id(), self));
        order.count_letter();
        match pushed {
            Ok(None) => {}
            Ok(Some(wake)) => {
                order.counters().count_wakes(1);
                self.wakes.push(wake);
            }
            Err(change) => self.changes.push(change),
        }
    }
}

impl Drop for Trash {
    fn drop(&mut self) {
        if !self.folded.is_empty() {
            self.segments.clear();
            self.folded.drain(..).for_each(|room| room.trim());
        }
        if let Some(wake) = self.wakes.pop() {
            wake.wake();
        }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}
