//! What one socket is to read, held against what it reads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roomcast::{Gap, GapReason};

use crate::mail::Mail;
use crate::world::{Pile, Way, World};
use crate::{Check, ensure};

/// A message that is for the socket.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) mail: Mail,
    pub(crate) sender: Option<usize>,
    pub(crate) way: Way,
    /// Its place: number `number` of a log.
    pub(crate) log: usize,
    pub(crate) number: usize,
    pub(crate) sequence: u64,
}

/// What an inbox handed out.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) content: Content,
    pub(crate) sequence: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Message { mail: Mail, sender: Option<usize>, way: Way },
    Gap { gap: Gap, way: Option<Way> },
}

#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Yet to be read, oldest first, and how many were before.
    queue: VecDeque<Expected>,
    before: usize,
    /// The sequence of the last delivery, or when everything was read, of the last message.
    read: u64,
    /// The same as others know it: neither a callback that panics nor a gap is progress.
    known: u64,
    /// The sequence of the last delivery, gaps included.
    told: u64,
    accounts: BTreeMap<Way, Account>,
    /// Ways by which the socket got messages and gets no more: only there gaps may be upper bounds.
    left: BTreeSet<Way>,
    /// How many messages of each log the present read has found.
    found: BTreeMap<(usize, Way), usize>,
    /// Whether everything was read the last time that anything was.
    is_at_rest: bool,
    folding: Folding,
}

/// What is missing by one way, and what gaps have told of it.
#[derive(Debug, Default)]
struct Account {
    missing: u64,
    last_missing: u64,
    missed: u64,
    is_bound: bool,
    last_gap: u64,
}

impl Account {
    fn add(&mut self, gap: Gap, sequence: u64) {
        self.missed += gap.missed;
        self.is_bound |= !gap.exact;
        self.last_gap = sequence;
    }

    fn settle(&self, may_be_bound: bool) -> Check {
        ensure!(may_be_bound || !self.is_bound, "a gap that need not be is an upper bound: {self:?}");
        let agrees = if self.is_bound { self.missed >= self.missing } else { self.missed == self.missing };
        ensure!(agrees, "gaps do not tell what is missing: {self:?}");
        ensure!(self.missing == 0 || self.last_missing < self.last_gap, "a gap too early: {self:?}");
        Ok(())
    }
}

/// Joins and leaves since everything was read.
#[derive(Debug, Default)]
struct Folding {
    count: usize,
    /// Those that were not folded away.
    unread: Vec<Moved>,
    /// Messages and bytes in rooms that were joined and left since, and since the last fold.
    held: (usize, usize),
    /// Whether there was a fold, or may have been.
    is_folded: bool,
    /// Where in the stream of messages they are.
    places: BTreeSet<usize>,
    /// What is before this place is lost.
    lost_below: usize,
    /// Whether a gap over all rooms was told, with no message after it so far.
    is_open: bool,
    /// What is missing by all ways since everything was read, once there was such a gap.
    total: Option<Account>,
}

/// A socket was moved into a room, or out of it; memberships are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moved {
    In(usize),
    Out(usize),
    Folded,
}

impl Reading {
    pub(crate) fn expect(&mut self, expected: Expected) {
        self.queue.push_back(expected);
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.queue.is_empty()
    }

    /// All that is at or below this sequence is known to be read.
    pub(crate) fn read_up_to(&self) -> u64 {
        self.known
    }

    /// A read is over, and others know how far it got.
    pub(crate) fn report(&mut self) {
        self.known = self.read;
    }

    /// The number of the oldest unread message of each log that was not folded away.
    pub(crate) fn oldest_by_log(&self) -> BTreeMap<usize, usize> {
        let last_change = self.folding.places.last().filter(|_| self.folding.is_folded);
        let folded = last_change.map_or(0, |place| place.saturating_sub(self.before));
        self.queue.iter().skip(folded).rev().map(|expected| (expected.log, expected.number)).collect()
    }

    /// The socket was moved into a room, or out of one where so much was published meanwhile. What is
    /// unread is folded when there are too many changes, if an eighth of them came to nothing, and when
    /// the rooms that were joined and left in between hold too much.
    pub(crate) fn change(&mut self, moved: Moved, published: (usize, usize), pile: &Pile) {
        let place = self.before + self.queue.len();
        let folding = &mut self.folding;
        folding.places.insert(place);
        folding.count += 1;
        folding.unread.push(moved);
        let all: BTreeSet<_> = folding.unread.iter().copied().collect();
        let is_over = |id| all.contains(&Moved::In(id)) && all.contains(&Moved::Out(id));
        if matches!(moved, Moved::Out(id) if is_over(id)) {
            folding.held = (folding.held.0 + published.0, folding.held.1 + published.1);
        }
        let len = folding.unread.len();
        let is_heavy = folding.held.0 > pile.messages || folding.held.1 > pile.bytes;
        if !self.is_at_rest {
            // Which of the changes were taken in already depends on where the passes of the reader end.
            folding.is_folded |= is_heavy || folding.count >= pile.changes;
            return;
        }
        let mut rest = folding.unread.clone();
        rest.retain(|moved| !matches!(*moved, Moved::In(id) | Moved::Out(id) if is_over(id)));
        if is_heavy || len % pile.changes == 0 && (len - rest.len()) * 4 >= len {
            rest.retain(|moved| *moved != Moved::Folded);
            rest.push(Moved::Folded);
            folding.unread = rest;
            folding.held = (0, 0);
            folding.is_folded = true;
            folding.lost_below = place;
        }
    }

    /// A membership ended right after it began, with nothing in between in all the namespace. If the reader knows
    /// nothing of it, it has never been: returns whether.
    pub(crate) fn forget(&mut self, membership: usize) -> bool {
        let unread = &mut self.folding.unread;
        let last = unread.iter().rposition(|moved| *moved != Moved::Folded);
        let place = last.filter(|&place| self.is_at_rest && unread[place] == Moved::In(membership));
        place.map(|place| unread.remove(place)).is_some()
    }

    /// A read begins.
    pub(crate) fn begin(&mut self) {
        self.found.clear();
        self.is_at_rest = false;
    }

    /// The socket gets no more by these ways.
    pub(crate) fn left(&mut self, ways: impl IntoIterator<Item = Way>) {
        self.left.extend(ways);
    }
}

impl World {
    /// Checks one delivery.
    pub(crate) fn deliver(&mut self, socket: usize, seen: &Seen) -> Check {
        let has_overflown = self.logs.iter().any(|log| log.safe_from > 0);
        let reading = &mut self.sockets[socket].reading;
        ensure!(seen.sequence >= reading.told, "out of order: {seen:?} after {}", reading.told);
        reading.told = seen.sequence;
        match seen.content {
            Content::Message { mail, sender, way } => {
                let place = reading.queue.iter().position(|expected| expected.mail.id == mail.id);
                let place = place.ok_or_else(|| format!("not for socket {socket}, or again: {seen:?}"))?;
                self.lose(socket, place)?;
                let reading = &mut self.sockets[socket].reading;
                let folding = &mut reading.folding;
                let is_cut = std::mem::take(&mut folding.is_open) && place > 0 && !has_overflown;
                let is_moved = folding.places.contains(&reading.before);
                ensure!(!is_cut || is_moved, "a gap over all rooms ends where there was no change");
                ensure!(reading.before >= folding.lost_below, "kept in spite of changes: {seen:?}");
                let expected = reading.queue.pop_front().ok_or("nothing to read")?;
                reading.before += 1;
                let found = (mail, sender, way, seen.sequence);
                let wanted = (expected.mail, expected.sender, expected.way, expected.sequence);
                ensure!(found == wanted, "found {found:?}, expected {wanted:?}");
                *reading.found.entry((expected.log, way)).or_default() += 1;
                reading.read = seen.sequence;
                if reading.folding.total.is_none() {
                    if let Some(account) = reading.accounts.remove(&way) {
                        account.settle(reading.left.contains(&way) || reading.folding.is_folded)?;
                    }
                }
            }
            Content::Gap { gap, way } => {
                ensure!(gap.missed > 0, "an empty gap: {seen:?}");
                let folding = &mut reading.folding;
                match (gap.reason, way) {
                    (GapReason::Memberships, None) => {
                        ensure!(folding.is_folded, "a fold too early: {folding:?}");
                        folding.is_open = true;
                        folding.total.get_or_insert_default().add(gap, seen.sequence);
                    }
                    (GapReason::Backlog, Some(way)) => {
                        reading.accounts.entry(way).or_default().add(gap, seen.sequence);
                    }
                    _ => return Err(format!("a gap that there is not: {seen:?}")),
                }
            }
        }
        Ok(())
    }

    /// Checks that nothing is left, and that all that is missing was told of.
    pub(crate) fn end(&mut self, socket: usize) -> Check {
        self.lose(socket, self.sockets[socket].reading.queue.len())?;
        let reading = &mut self.sockets[socket].reading;
        let accounts = std::mem::take(&mut reading.accounts);
        let left = std::mem::take(&mut reading.left);
        match reading.folding.total.take() {
            Some(mut total) => {
                for account in accounts.values() {
                    total.missing += account.missing;
                    total.missed += account.missed;
                    total.is_bound |= account.is_bound;
                }
                total.last_missing = 0; // which of the gaps told of it is not known
                total.settle(true)?;
            }
            None => {
                let is_folded = reading.folding.is_folded;
                for (way, account) in &accounts {
                    account.settle(is_folded || left.contains(way))?;
                }
            }
        }
        reading.read = self.sequence;
        reading.is_at_rest = true;
        reading.folding = Folding::default();
        for (&(log, way), &count) in &reading.found {
            let most = self.logs[log].most;
            ensure!(left.contains(&way) || count <= most, "{count} messages kept where {most} are the most");
        }
        Ok(())
    }

    /// Takes the next `count` messages as lost, if they may be.
    fn lose(&mut self, socket: usize, count: usize) -> Check {
        for _ in 0..count {
            let reading = &mut self.sockets[socket].reading;
            let expected = reading.queue.pop_front().ok_or("nothing to lose")?;
            reading.before += 1;
            let last_change = reading.folding.places.last().copied().unwrap_or(0);
            let is_folded = reading.folding.is_open && reading.before <= last_change;
            let account = reading.accounts.entry(expected.way).or_default();
            account.missing += 1;
            account.last_missing = expected.sequence;
            let may_be_lost = is_folded || self.may_be_lost(socket, expected.log, expected.number);
            ensure!(may_be_lost, "socket {socket} lost {expected:?}");
        }
        Ok(())
    }
}
