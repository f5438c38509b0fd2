//! A recording that may be: the hold, the notes, and the block that they are gathered in.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::time::Duration;

use super::Step;
use super::sink::{Sink, Take};
use super::wire::{Body, Frame, Header, Id, MAGIC, More, Name, Named, Plain, Present, Published, Read, Wire};
use crate::config::Backlog;
use crate::entry::{Audience, Entry, NAMED};
use crate::event::EventTable;
use crate::foreign::catch;
use crate::history::{History, Past};
use crate::name::RoomName;
use crate::order::Order;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::roster::{PresenceCount, PresenceDiff, PresenceEntry, PresenceState};
use crate::slab::SocketId;
use crate::sync::{AtomicU8, AtomicUsize, Mutex, MutexGuard, OnceLock, Ordering, this_thread};

/// What an engine is recorded with, if it is.
#[derive(Default)]
pub(crate) struct Tape {
    /// [`INPUTS`] and [`READS`], or 0.
    flags: AtomicU8,
    deck: OnceLock<Box<Deck>>,
}

const INPUTS: u8 = 1;
const READS: u8 = 2;

/// How to record.
pub(crate) struct Plan {
    /// A block is written when it has so many bytes.
    pub(crate) block_bytes: usize,
    pub(crate) has_reads: bool,
    pub(crate) encode: Option<EncodeValue>,
}

/// Makes bytes of a value in memory.
pub(crate) type EncodeValue = Box<dyn Fn(&Payload) -> Option<Vec<u8>> + Send + Sync>;

struct Deck {
    plan: Plan,
    turn: Mutex<()>,
    /// The thread whose turn it is, or 0.
    holder: AtomicUsize,
    notes: Mutex<Notes>,
    /// The thread that writes, or 0.
    writing: AtomicUsize,
    /// Gone when the recording is over.
    sink: Mutex<Option<Box<dyn TakeAny>>>,
}

/// A sink that can be told what it is.
pub(crate) trait TakeAny: Take {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// How many bytes it has taken, and whether it has failed.
    fn state(&self) -> (u64, Option<String>);
}

#[derive(Default)]
struct Notes {
    block: Vec<u8>,
    /// Of a message that is being published.
    draft: Vec<u8>,
    /// How many inputs there were.
    inputs: u64,
    /// Which event numbers have been said what they are.
    events: Vec<bool>,
    /// The last read, which may go on.
    read: Option<Read>,
    is_over: bool,
}

/// While there is one that is not empty, nothing else happens that is recorded.
pub(crate) struct Hold<'a>(Option<Held<'a>>);

struct Held<'a> {
    deck: &'a Deck,
    /// `None` if it is held further out.
    turn: Option<MutexGuard<'a, ()>>,
    draft: Option<Draft<'a>>,
}

/// A note of a message that is about to be published, if there is anybody.
struct Draft<'a> {
    order: &'a Order,
    sequence: u64,
}

impl Tape {
    #[inline(always)]
    fn flags(&self) -> u8 {
        // Relaxed: who began to use the engine after the recording began has seen it.
        self.flags.load(Ordering::Relaxed)
    }

    /// Whether anything is recorded.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.flags() != 0
    }

    /// Whether reads are recorded.
    #[inline]
    pub(crate) fn has_reads(&self) -> bool {
        self.flags() & READS != 0
    }

    /// Waits for its turn, if the engine is recorded.
    #[inline]
    pub(crate) fn hold(&self) -> Hold<'_> {
        Hold(if self.flags() == 0 { None } else { self.take_turn() })
    }

    /// As [`hold`](Self::hold), for an emit in a namespace, to a room if the entry does not say to which: if it takes a
    /// sequence before the hold ends, it is noted.
    #[inline]
    pub(crate) fn hold_for<'a>(
        &'a self,
        order: &'a Order,
        events: &EventTable,
        places: impl FnOnce() -> (u64, u64),
        entry: &Entry,
    ) -> Hold<'a> {
        Hold(if self.flags() == 0 { None } else { self.begin_message(order, events, places(), entry) })
    }

    pub(crate) fn namespace(&self, path: &str, topic: u64) {
        self.note(|| Wire::Namespace { path, topic });
    }

    pub(crate) fn namespace_gone(&self, topic: u64) {
        self.note(|| Wire::NamespaceGone { topic });
    }

    pub(crate) fn room(
        &self,
        namespace: u64,
        topic: u64,
        name: &RoomName,
        backlog: &Backlog,
        is_aside: bool,
    ) {
        let (name, backlog) = (name.into(), backlog.into());
        self.note(|| Wire::Room { namespace, topic, name, backlog, is_aside });
    }

    pub(crate) fn room_gone(&self, topic: u64) {
        self.note(|| Wire::RoomGone { topic });
    }

    pub(crate) fn direct(&self, socket: SocketId, topic: u64, since: u64, backlog: &Backlog) {
        self.note(|| Wire::Direct { socket: socket.into(), topic, since, backlog: backlog.into() });
    }

    pub(crate) fn connecting(&self, namespace: u64, socket: SocketId) {
        self.note(|| Wire::Connecting { namespace, socket: socket.into() });
    }

    pub(crate) fn opened(&self, socket: SocketId, since: u64) {
        self.note(|| Wire::Opened { socket: socket.into(), since });
    }

    #[inline]
    pub(crate) fn joined(&self, socket: SocketId, topic: u64, since: u64, past: Option<Past>) {
        self.note(|| Wire::Joined { socket: socket.into(), topic, since, past: past.map(Into::into) });
    }

    #[inline]
    pub(crate) fn left(&self, socket: SocketId, topic: u64) {
        self.note(|| Wire::Left { socket: socket.into(), topic });
    }

    pub(crate) fn disconnected(&self, socket: SocketId, at: u64, reason: &DisconnectReason) {
        self.note(|| Wire::Disconnected { socket: socket.into(), at, reason: reason.into() });
    }

    pub(crate) fn inbox_dropped(&self, socket: SocketId) {
        self.note(|| Wire::InboxDropped { socket: socket.into() });
    }

    pub(crate) fn backlog(&self, topic: u64, backlog: &Backlog) {
        self.note(|| Wire::SetBacklog { topic, backlog: backlog.into() });
    }

    pub(crate) fn history(&self, topic: u64, history: Option<History>) {
        let history = history.as_ref().map(Into::into);
        self.note(|| Wire::SetHistory { topic, history });
    }

    pub(crate) fn tick(&self, now: Duration) {
        self.note(|| Wire::Tick { now });
    }

    pub(crate) fn slept(&self, socket: SocketId) {
        if self.has_reads() {
            self.note(|| Wire::Slept { socket: socket.into() });
        }
    }

    /// A reader has taken a step: what it has found has this sequence; it was looking for what is below `horizon`, in
    /// an order that has come to `end`.
    pub(crate) fn read(&self, socket: SocketId, step: Step, found: Option<u64>, horizon: u64, end: u64) {
        let Some(deck) = self.deck() else { return };
        debug_assert!(deck.is_mine());
        let mut notes = deck.notes.lock();
        let socket = Id::from(socket);
        let goes_on =
            step == Step::GoOn && notes.read.is_some_and(|read| read.socket == socket && !read.is_over);
        if !goes_on {
            notes.end_read();
            let start = matches!(step, Step::Start(_)).then(|| end.saturating_sub(horizon));
            notes.read = Some(Read { socket, start, handed: 0, behind: 0, is_over: false });
        }
        let Some(read) = &mut notes.read else { return };
        match found {
            Some(sequence) => {
                read.handed += 1;
                read.behind = end.saturating_sub(sequence);
            }
            None => read.is_over = true,
        }
    }

    /// Has blocks that are full written, by this thread. To be called now and then, under no lock: it calls the user's
    /// writer. Others who come by meanwhile with a block that is full wait, so what has yet to be written stays bounded.
    #[inline]
    pub(crate) fn spill(&self) {
        if self.flags() != 0 {
            self.write_out(|plan| plan.block_bytes);
        }
    }

    /// As [`spill`](Self::spill), of all that there is.
    #[inline]
    pub(crate) fn spill_all(&self) {
        if self.flags() != 0 {
            self.write_out(|_| 1);
        }
    }

    /// Begins to record, and returns whether it does: once at most. The engine is new.
    pub(crate) fn begin<W: Write + Send + 'static>(
        &self,
        writer: W,
        plan: Plan,
        header: &Header<'_>,
    ) -> bool {
        if self.deck.get().is_some() {
            return false;
        }
        let flags = if plan.has_reads { INPUTS | READS } else { INPUTS };
        let mut sink = Sink::new(writer);
        sink.write(&MAGIC);
        sink.take(&postcard::to_stdvec(header).expect("a header has a form"));
        let deck = Box::new(Deck {
            plan,
            turn: Mutex::new(()),
            holder: AtomicUsize::new(0),
            notes: Mutex::new(Notes::default()),
            writing: AtomicUsize::new(0),
            sink: Mutex::new(Some(Box::new(sink))),
        });
        let is_first = self.deck.set(deck).is_ok();
        if is_first {
            self.flags.store(flags, Ordering::Release);
        }
        is_first
    }

    /// Ends the recording, writes what is left, and returns the sink. Under no lock.
    pub(crate) fn end(&self) -> Option<Box<dyn Any>> {
        let deck = self.deck()?;
        {
            let _hold = self.hold(); // nothing is half noted
            self.flags.store(0, Ordering::Release);
            let mut notes = deck.notes.lock();
            notes.end_read();
            notes.is_over = true;
        }
        self.write_out(|_| 1);
        let mut sink = deck.sink.lock().take()?;
        sink.take(&[]);
        sink.flush();
        Some(sink.into_any())
    }

    /// How many inputs were noted, how many bytes were written, and what went wrong.
    pub(crate) fn state(&self) -> (u64, u64, Option<String>) {
        let Some(deck) = self.deck() else { return (0, 0, None) };
        let inputs = deck.notes.lock().inputs;
        let (bytes, error) = deck.sink.lock().as_ref().map_or((0, None), |sink| sink.state());
        (inputs, bytes, error)
    }

    fn deck(&self) -> Option<&Deck> {
        self.deck.get().map(|deck| &**deck)
    }

    #[cold]
    #[inline(never)]
    fn take_turn(&self) -> Option<Held<'_>> {
        let deck = self.deck()?;
        let turn = (!deck.is_mine()).then(|| {
            let turn = deck.turn.lock();
            deck.holder.store(this_thread(), Ordering::Relaxed);
            turn
        });
        Some(Held { deck, turn, draft: None })
    }

    #[cold]
    #[inline(never)]
    fn begin_message<'a>(
        &'a self,
        order: &'a Order,
        events: &EventTable,
        (namespace, room): (u64, u64),
        entry: &Entry,
    ) -> Option<Held<'a>> {
        // What encodes values is the user's: under no lock.
        let bytes = self.deck()?.encode(entry.payload());
        let mut held = self.take_turn()?;
        let mut notes = held.deck.notes.lock();
        notes.end_read();
        notes.say_event(entry.event(), events);
        let sequence = order.horizon();
        notes.draft(&Wire::Published(published(entry, namespace, &[room], sequence, bytes.as_deref())));
        drop(notes);
        held.draft = Some(Draft { order, sequence });
        Some(held)
    }

    #[inline]
    fn note<'a>(&self, wire: impl FnOnce() -> Wire<'a>) {
        if self.flags() != 0 {
            self.note_down(&wire());
        }
    }

    #[cold]
    #[inline(never)]
    fn note_down(&self, wire: &Wire<'_>) {
        let Some(deck) = self.deck() else { return };
        debug_assert!(deck.is_mine(), "what is noted happens under the hold: {wire:?}");
        let mut notes = deck.notes.lock();
        notes.end_read();
        notes.write(wire);
    }

    #[cold]
    #[inline(never)]
    fn write_out(&self, at_least: impl Fn(&Plan) -> usize) {
        let Some(deck) = self.deck() else { return };
        let at_least = at_least(&deck.plan);
        let is_due = || deck.notes.lock().block.len() >= at_least;
        // From inside of the writer: whoever called that goes on afterwards.
        if !is_due() || deck.writing.load(Ordering::Relaxed) == this_thread() {
            return;
        }
        let mut sink = deck.sink.lock();
        deck.writing.store(this_thread(), Ordering::Relaxed);
        // Once: what the writer does to the engine meanwhile is for the next who comes by.
        if let Some(sink) = sink.as_mut().filter(|_| is_due()) {
            let mut block = std::mem::take(&mut deck.notes.lock().block);
            sink.take(&block);
            sink.flush();
            block.clear();
            let mut notes = deck.notes.lock();
            if notes.block.capacity() == 0 {
                notes.block = block;
            }
        }
        deck.writing.store(0, Ordering::Relaxed);
    }
}

impl Hold<'_> {
    #[inline(always)]
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Lets go of it.
    #[inline(always)]
    pub(crate) fn end(self) {
        drop(self.0);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(Draft { order, sequence }) = self.draft.take() {
            // It has taken one, if there was anybody.
            if order.horizon() > sequence {
                self.deck.notes.lock().keep_draft();
            }
        }
        if self.turn.is_some() {
            self.deck.holder.store(0, Ordering::Relaxed);
        }
    }
}

impl Deck {
    /// Whether this thread has the turn.
    fn is_mine(&self) -> bool {
        self.holder.load(Ordering::Relaxed) == this_thread()
    }

    /// What the user makes of a value in memory.
    fn encode(&self, payload: &Payload) -> Option<Vec<u8>> {
        let encode = self.plan.encode.as_ref().filter(|_| payload.as_bytes().is_none())?;
        catch(|| encode(payload)).ok()?
    }
}

impl Notes {
    fn write(&mut self, wire: &Wire<'_>) {
        if self.is_over {
            return;
        }
        self.inputs += u64::from(!matches!(wire, Wire::Event { .. }));
        let block = std::mem::take(&mut self.block);
        self.block = postcard::to_extend(wire, block).expect("all that is noted has a form");
    }

    fn draft(&mut self, wire: &Wire<'_>) {
        let mut draft = std::mem::take(&mut self.draft);
        draft.clear();
        self.draft = postcard::to_extend(wire, draft).expect("all that is noted has a form");
    }

    fn keep_draft(&mut self) {
        if !self.is_over {
            self.inputs += 1;
            self.block.extend_from_slice(&self.draft);
        }
    }

    fn end_read(&mut self) {
        if let Some(read) = self.read.take() {
            self.write(&Wire::Read(read));
        }
    }

    fn say_event(&mut self, number: u32, events: &EventTable) {
        let place = number as usize;
        if number == NAMED || self.events.get(place) == Some(&true) {
            return;
        }
        if self.events.len() <= place {
            self.events.resize(place + 1, false);
        }
        self.events[place] = true;
        self.write(&Wire::Event { number, name: events.name(number) });
    }
}

fn published<'a>(
    entry: &'a Entry,
    namespace: u64,
    room: &'a [u64],
    sequence: u64,
    bytes: Option<&'a [u8]>,
) -> Published<'a> {
    let mut published = Published {
        namespace,
        sequence,
        rooms: Cow::Borrowed(room),
        sender: entry.sender().map(Into::into),
        event: Named::Listed(entry.event()),
        payload: body(entry.payload(), bytes),
        more: None,
        leaves_out_sender: matches!(entry, Entry::NotSender { .. }),
    };
    match entry {
        Entry::All { .. } | Entry::NotSender { .. } => {}
        Entry::NotSocket { excluded, .. } => {
            let except_sockets = vec![(*excluded).into()];
            published.more = Some(Box::new(More { except_sockets, ..More::default() }));
        }
        Entry::Aimed { audience, .. } => aim(&mut published, audience),
    }
    published
}

fn aim<'a>(published: &mut Published<'a>, audience: &'a Audience) {
    let Audience { rooms, except_rooms, except_sockets, except_sender, name, frame, terms, .. } = audience;
    published.rooms = Cow::Borrowed(&rooms[..]);
    published.leaves_out_sender = *except_sender;
    if let Some(name) = name {
        published.event = Named::Unlisted(name);
    }
    let terms = terms.as_deref();
    let more = More {
        except_rooms: except_rooms.to_vec(),
        except_sockets: except_sockets.iter().map(|id| (*id).into()).collect(),
        frame: (*frame).into(),
        slack: terms.and_then(|terms| terms.slack),
        ends: terms.and_then(|terms| terms.lifetime.as_ref()).map(|lifetime| lifetime.ends()),
        key: terms.and_then(|terms| terms.latest.as_ref()).map(|latest| Name::from(&latest.key)),
    };
    if !more.is_nothing() {
        published.more = Some(Box::new(more));
    }
}

impl More<'_> {
    fn is_nothing(&self) -> bool {
        let Self { except_rooms, except_sockets, frame, slack, ends, key } = self;
        let has_exceptions = !except_rooms.is_empty() || !except_sockets.is_empty();
        let has_terms = slack.is_some() || ends.is_some() || key.is_some();
        !has_exceptions && !has_terms && *frame == Frame::Event
    }
}

fn body<'a>(payload: &'a Payload, bytes: Option<&'a [u8]>) -> Body<'a> {
    if let Some(PresenceState { room, version, entries }) = payload.downcast_ref() {
        return Body::PresenceState { room: room.into(), version: *version, entries: present(entries) };
    }
    if let Some(PresenceDiff { room, version, joins, leaves, updates }) = payload.downcast_ref() {
        let lists = [joins, leaves, updates].map(|list| present(list));
        return Body::PresenceDiff { room: room.into(), version: *version, lists };
    }
    if let Some(PresenceCount { room, keys }) = payload.downcast_ref() {
        return Body::PresenceCount { room: room.into(), keys: *keys as u64 };
    }
    Body::Plain(Plain::new(payload, bytes))
}

fn present(entries: &[PresenceEntry]) -> Vec<Present<'_>> {
    let mut present = Vec::with_capacity(entries.len());
    for PresenceEntry { key, socket, number, meta } in entries {
        present.push(Present {
            key,
            socket: (*socket).into(),
            number: *number,
            meta: Plain::new(meta, None),
        });
    }
    present
}

impl<W: Write + Send + 'static> TakeAny for Sink<W> {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn state(&self) -> (u64, Option<String>) {
        (self.bytes, self.error.as_ref().map(ToString::to_string))
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("flags", &self.flags()).finish_non_exhaustive()
    }
}
