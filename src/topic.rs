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

mod backlog;
mod census;
mod change;
mod extras;
mod fold;
mod kept;
mod many;
mod newest;
mod trash;

pub(crate) use self::census::Census;
pub(crate) use self::change::{Change, Post};
pub(crate) use self::fold::Pile;
pub(crate) use self::kept::{Before, Stretch};
pub(crate) use self::many::{Listed, Role};
pub(crate) use self::trash::Trash;

use self::extras::{Dormitory, Extras};
use self::newest::Older;
use crate::config::{Backlog, Overflow};
use crate::data::DataMap;
use crate::defect::{self, Defect};
use crate::entry::Entry;
use crate::history::{Found, Past};
use crate::ledger::Account;
use crate::log::{Garbage, Log};
use crate::name::RoomName;
use crate::order::Order;
use crate::roll::Roll;
use crate::roster::Roster;
use crate::segment::Cursor;
use crate::slab::SocketId;
use crate::sync::{Arc, AtomicUsize, Mutex};
use crate::tape::Hold;

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

#[repr(C)] // what it is found by, what leaving asks for, then what publishing touches
pub(crate) struct Topic {
    kind: Kind,
    /// Unique in its engine. Rooms are locked in the order of their ids.
    id: u64,
    /// What users, and layers above, keep with it.
    data: DataMap,
    inner: Mutex<Inner>,
    /// Public handles: while there are any, an empty room stays in the index.
    handles: AtomicUsize,
}

/// Where a room lies. One that a socket is in lies there for as long, and no other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(usize);

impl Address {
    pub(crate) fn of(topic: &Topic) -> Self {
        Self(std::ptr::from_ref(topic).addr())
    }
}

/// What publishing touches comes first.
#[repr(C)]
struct Inner {
    /// Idle memberships that want to be told of the next message. May name some that have left.
    armed: Vec<Armed>,
    extras: Option<Box<Extras>>,
    members: Roll<Arc<Post>, 1>,
    log: Log<Entry>,
    /// Members that have yet to read messages from this number on are disconnected before those are let go of.
    strict_from: u64,
    /// Of the messages, how many are counted in another room as well.
    copies: u64,
    /// What those that left were due, less what those that are here were not: how many messages there were when each
    /// left, less how many there were when each joined. Wraps.
    due: u64,
    joins: u64,
    dormitory: Option<Box<Dormitory>>,
    /// How many places are kept for sockets that are about to join.
    claimed: u32,
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

/// Above all message numbers: no member is disconnected for what it has not read.
const LENIENT: u64 = u64::MAX;

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
                strict_from: if backlog.policy() == Overflow::Disconnect { 0 } else { LENIENT },
                members: Roll::new(),
                armed: Vec::new(),
                copies: 0,
                due: 0,
                joins: 0,
                extras: None,
                dormitory: None,
                claimed: 0,
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
        inner.strict_from = match backlog.policy() {
            Overflow::DropOldest => LENIENT,
            // Nobody has kept account of how far it has read in what came before, if it was lenient.
            Overflow::Disconnect => inner.strict_from.min(inner.log.messages()),
        };
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
        if defect::is(Defect::LooseSeam) {
            drop(inner);
            inner = this.inner.lock();
        }
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
        inner.forget_list();
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
        inner.forget_list();
        let member = inner.members.remove(since);
        debug_assert!(member.is_some(), "a membership ends once");
        trash.tell(order, post, Change::Left { since, until, at: inner.log.taken() }, pile);
        if !inner.armed.is_empty() {
            inner.count_left(trash);
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

    /// Publishes to the members what `make` makes, if that takes no more than writing a slot: there is room in the log,
    /// and nobody sleeps. Otherwise gives `make` back, for [`publish`](Self::publish).
    #[inline(always)]
    pub(crate) fn try_publish<F: FnOnce() -> Entry>(
        &self,
        bytes: u64,
        order: &Order,
        make: F,
    ) -> Result<Published, F> {
        let mut inner = self.inner.lock();
        let members = inner.members.len();
        if members == 0 || !inner.armed.is_empty() || !inner.log.fits(bytes) || inner.keeps() {
            return Err(make);
        }
        let sequence = order.next();
        inner.log.append_fitting(sequence, bytes, make);
        Ok(Published { sequence, members, rooms: 1 })
    }

    /// Publishes to the members, if there are any. The hold ends with the room's lock.
    #[inline(never)]
    pub(crate) fn publish(
        &self,
        entry: Entry,
        order: &Order,
        victims: &mut Victims,
        hold: Hold<'_>,
    ) -> Option<Published> {
        let mut trash = Garbage::new();
        let bytes = entry.payload().len() as u64;
        let early = defect::is(Defect::EarlySequence).then(|| order.next());
        let mut inner = self.inner.lock();
        let members = inner.members.len();
        if members == 0 && !inner.keeps() {
            drop(inner); // the entry is dropped under no lock
            hold.end();
            return None;
        }
        let sequence = early.unwrap_or_else(|| order.next());
        let older = if entry.latest().is_some() { inner.put_newest(&entry) } else { None };
        if defect::is(Defect::EarlyReplaced) {
            older.iter().for_each(|older| older.replace(sequence));
        }
        inner.append(sequence, entry, bytes, victims, &mut trash);
        older.inspect(|older| older.replace(sequence));
        if inner.armed.is_empty() {
            drop(inner);
            hold.end();
        } else {
            let armed = inner.take_armed(order);
            if defect::is(Defect::LockOverHandler) {
                armed.iter().for_each(|armed| _ = armed.post.wake());
            }
            drop(inner);
            hold.end();
            self.fire(armed, order);
        }
        Some(Published { sequence, members, rooms: usize::from(members > 0) })
    }

    /// Has the next publish [mark](crate::mailbox::Mailbox::mark) this membership, unless its cursor has something to
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
        let account = inner
            .extras
            .as_ref()
            .and_then(|extras| extras.ledger.as_ref())
            .map_or_else(Account::of_nothing, |ledger| ledger.account(socket, missed.from, to));
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
        let spare = &mut inner.dormitory.get_or_insert_default().spare;
        if spare.capacity() < armed.capacity() {
            std::mem::swap(spare, &mut armed);
        }
    }
}

impl Inner {
    /// Whether it keeps messages for those who join later.
    #[inline]
    fn keeps(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.kept.is_some())
    }

    /// Takes in a message with a key that is about to be appended, and returns the one that it replaces then.
    #[cold]
    fn put_newest(&mut self, entry: &Entry) -> Option<Older> {
        self.extras().newest.put(entry)
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
        if let Some(extras) = &mut self.extras {
            if !self.log.has_parked() {
                extras.ledger = None;
            }
        }
    }

    fn take_armed(&mut self, order: &Order) -> Vec<Armed> {
        if self.armed.is_empty() {
            return Vec::new(); // and keep the memory of both lists
        }
        let Dormitory { spare, left } = &mut **self.dormitory.get_or_insert_default();
        *left = 0;
        let spare = std::mem::take(spare);
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
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests;
