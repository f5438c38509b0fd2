//! What all threads share: the namespace, the rooms, the clients, and what was published so far.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use roomcast::{
    Backlog, Emitted, Engine, EventHandle, History, Namespace, Overflow, Past, Payload, Presence, Recovery,
    Room, RoomName, Socket, SocketId, Target,
};

use crate::Settings;
use crate::client::{Client, handle_say};
use crate::lobby::GUESTS;
use crate::moving::Kept;
#[cfg(feature = "record")]
use crate::recorded::Recorded;
use crate::walk;

/// The most threads that publish.
pub(crate) const PUBLISHERS: usize = 4;
/// How many messages a room keeps.
pub(crate) const LIMIT: usize = 64;
/// For how long a client may be away: more than all ticks of a run.
pub(crate) const KEEP: Duration = Duration::from_secs(3600);
/// How many messages a client whose line is cut can have missed.
const UNSEEN: usize = 256;
/// How many messages a room with a history keeps.
const KEPT: usize = 24;
/// Behind how many messages a volatile one is dropped.
pub(crate) const VOLATILE_BACKLOG: u32 = 32;
pub(crate) const PATH: &str = "/soak";
/// The room whose members some messages leave out.
pub(crate) const MUTED: &str = "muted";
/// The event by which a client asks its handler to emit to the others in a room.
pub(crate) const SAY: &str = "say";

/// One number for each publisher.
pub(crate) type Numbers = [u32; PUBLISHERS];

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Room(u32),
    /// Members of the room that are not muted.
    Unmuted(u32),
    /// Members of this room or the next one.
    Pair(u32),
    /// Members of the room that are not behind.
    Volatile(u32),
    /// Members of the room, who need only the last one of each publisher.
    State(u32),
    /// Members of the room, of whom one is named too.
    Guest(u32),
    Everyone,
    EveryoneUnmuted,
    /// Whoever is in this slot.
    Direct(u32),
}

/// A message, as all its recipients see it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) audience: Audience,
    pub(crate) publisher: usize,
    /// Of those of the publisher for the audience, from 0.
    pub(crate) number: u32,
    /// When the emit began and returned, by the world's clock.
    pub(crate) began: u64,
    returned: AtomicU64,
    /// Its place in the namespace's order, and 1; 0 before anybody knows.
    place: AtomicU64,
    /// Who does not get it of a past, as the emitter or as one that was named beside the room.
    but: Option<SocketId>,
    live: Arc<AtomicU64>,
}

impl Message {
    /// When the emit returned, or `u64::MAX`.
    pub(crate) fn returned(&self) -> u64 {
        self.returned.load(Ordering::Acquire)
    }

    /// Returns whether all who have seen the message, and who emitted it, saw it at this sequence.
    pub(crate) fn agrees(&self, sequence: u64) -> bool {
        let place = sequence + 1;
        match self.place.load(Ordering::Relaxed) {
            0 => {
                let seen = self.place.compare_exchange(0, place, Ordering::Relaxed, Ordering::Relaxed);
                seen.is_ok() || seen == Err(place)
            }
            seen => seen == place,
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many messages each publisher has begun to emit to one audience, and how many it has emitted.
#[derive(Default)]
struct Counts {
    begun: [AtomicU32; PUBLISHERS],
    done: [AtomicU32; PUBLISHERS],
}

/// One place for a client: whoever is in it is replaced when it dies.
pub(crate) struct Slot {
    pub(crate) client: Mutex<Option<Client>>,
    /// To send to it without holding the client.
    pub(crate) socket: RwLock<Option<Socket>>,
}

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    #[cfg(feature = "record")]
    pub(crate) recorded: Option<Recorded>,
    pub(crate) namespace: Namespace,
    pub(crate) event: EventHandle,
    pub(crate) names: Arc<[RoomName]>,
    /// Of two thirds of the rooms. The others are found by name, and cease to exist when they are empty.
    pub(crate) handles: Vec<Option<Room>>,
    /// What is named beside another room has to be there: one that comes to exist while an emit looks up one name after
    /// the other may be missed by it.
    pub(crate) muted: Room,
    pub(crate) pairs: Vec<Target>,
    /// Of rooms that are there for nothing else.
    pub(crate) lobbies: Vec<Presence>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) live: Arc<AtomicU64>,
    pub(crate) delivered: AtomicU64,
    pub(crate) is_stopped: AtomicBool,
    counts: Vec<Counts>,
    /// Since when each publisher is in an emit, or `u64::MAX`.
    emitting: [AtomicU64; PUBLISHERS],
    /// Begun and done, of all messages that went into a room's log.
    appended: Vec<[AtomicU64; 2]>,
    clock: AtomicU64,
    ticks: AtomicU64,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let backlog = Backlog::new().messages(LIMIT).unwrap();
        let recovery = Recovery::new(KEEP).messages(UNSEEN).unwrap();
        let engine =
            Engine::builder().backlog(backlog).volatile_backlog(VOLATILE_BACKLOG).recovery(recovery).build();
        #[cfg(feature = "record")]
        let recorded = settings.is_recorded.then(|| Recorded::new(&engine));
        let namespace = engine.of(PATH).unwrap();
        let rooms = settings.rooms;
        let names: Arc<[_]> = (0..rooms)
            .map(|room| match walk::cell(room) {
                Some(cell) => walk::grid().name(cell),
                None if room % 3 == 0 => format!("room {room}").into(),
                None => RoomName::from(room),
            })
            .collect();
        handle_say(&namespace, Arc::clone(&names));
        let handle = |room: u32| {
            let handle = namespace.room(&names[room as usize]).unwrap();
            if has_history(room) {
                handle.set_history(History::new().messages(KEPT).unwrap());
            }
            if is_strict(room) {
                handle.set_backlog(backlog.overflow(Overflow::Disconnect));
            }
            handle
        };
        let handles: Vec<_> =
            (0..rooms).map(|room| (room % 3 != 2 || is_strict(room)).then(|| handle(room))).collect();
        let pair = |room: u32| {
            let names = [room, (room + 1) % rooms].map(|room| names[room as usize].clone());
            Target::new().to(names)
        };
        let lobby = |number| Presence::new(&namespace.room(format!("lobby {number}")).unwrap());
        let slot = |_| Slot { client: Mutex::default(), socket: RwLock::default() };
        Self {
            event: namespace.event("message").unwrap(),
            pairs: (0..rooms).map(pair).collect(),
            lobbies: (0..settings.sockets.div_ceil(GUESTS)).map(lobby).collect(),
            slots: (0..settings.sockets).map(slot).collect(),
            live: Arc::default(),
            delivered: AtomicU64::default(),
            is_stopped: AtomicBool::default(),
            counts: (0..rooms * 6 + 2 + settings.sockets).map(|_| Counts::default()).collect(),
            emitting: array::from_fn(|_| AtomicU64::new(u64::MAX)),
            appended: (0..rooms).map(|_| Default::default()).collect(),
            clock: AtomicU64::new(1),
            ticks: AtomicU64::default(),
            settings,
            engine,
            #[cfg(feature = "record")]
            recorded,
            names,
            handles,
            muted: namespace.room(MUTED).unwrap(),
            namespace,
        }
    }

    /// Has a message made and emitted, numbered and stamped. Returns its number and how many sockets it may have
    /// reached; `None` if the emit was refused, and then the number is the next message's.
    pub(crate) fn publish(
        &self,
        publisher: usize,
        audience: Audience,
        emit: impl FnOnce(&Arc<Message>) -> Option<Emitted>,
    ) -> Option<(u32, usize)> {
        self.publish_but(publisher, audience, None, emit)
    }

    /// The same of a message that a client emits to others, or names itself in.
    pub(crate) fn publish_but(
        &self,
        publisher: usize,
        audience: Audience,
        but: Option<SocketId>,
        emit: impl FnOnce(&Arc<Message>) -> Option<Emitted>,
    ) -> Option<(u32, usize)> {
        let counts = &self.counts[self.index(audience)];
        let number = counts.begun[publisher].load(Ordering::Relaxed);
        counts.begun[publisher].store(number + 1, Ordering::SeqCst);
        let [first, second] = self.rooms_of(audience);
        let rooms = || first.into_iter().chain(second);
        rooms().for_each(|room| _ = self.appended[room as usize][0].fetch_add(1, Ordering::SeqCst));
        self.live.fetch_add(1, Ordering::Relaxed);
        self.emitting[publisher].store(self.now(), Ordering::SeqCst);
        let message = Arc::new(Message {
            audience,
            publisher,
            number,
            began: self.now(),
            returned: AtomicU64::new(u64::MAX),
            place: AtomicU64::default(),
            but,
            live: Arc::clone(&self.live),
        });
        let emitted = emit(&message);
        message.returned.store(self.now(), Ordering::Release);
        self.emitting[publisher].store(u64::MAX, Ordering::SeqCst);
        rooms().for_each(|room| _ = self.appended[room as usize][1].fetch_add(1, Ordering::SeqCst));
        let Some(emitted) = emitted else {
            counts.begun[publisher].store(number, Ordering::SeqCst);
            return None;
        };
        if let Some(sequence) = emitted.sequence() {
            assert!(message.agrees(sequence), "emitted at {sequence}, and read as {message:?}");
        }
        counts.done[publisher].store(number + 1, Ordering::Release);
        Some((number, emitted.members()))
    }

    /// How many messages were begun: whatever is published from now on has a higher number.
    pub(crate) fn begun(&self, audience: Audience) -> Numbers {
        array::from_fn(|publisher| self.counts[self.index(audience)].begun[publisher].load(Ordering::SeqCst))
    }

    /// How many messages were emitted: all of these were published before now.
    pub(crate) fn done(&self, audience: Audience) -> Numbers {
        array::from_fn(|publisher| self.counts[self.index(audience)].done[publisher].load(Ordering::Acquire))
    }

    /// How many messages were begun to be emitted into a room's log.
    pub(crate) fn appends_begun(&self, room: u32) -> u64 {
        self.appended[room as usize][0].load(Ordering::SeqCst)
    }

    /// How many messages were emitted into a room's log, those that were refused included.
    pub(crate) fn appends_done(&self, room: u32) -> u64 {
        self.appended[room as usize][1].load(Ordering::SeqCst)
    }

    /// When the oldest emit began that is not over, or will.
    pub(crate) fn under_way(&self) -> u64 {
        let now = self.now();
        let emitting = self.emitting.iter().map(|since| since.load(Ordering::SeqCst));
        emitting.min().map_or(now, |since| since.min(now))
    }

    /// Has a tick begin, and returns it, and a moment that is after that.
    pub(crate) fn tick(&self) -> (Duration, u64) {
        let tick = Duration::from_micros(self.ticks.fetch_add(1, Ordering::SeqCst) + 1);
        self.engine.tick(tick);
        (tick, self.now())
    }

    /// What a room keeps of this past, in order.
    pub(crate) fn kept(&self, room: u32, past: Past, socket: &Socket) -> Vec<Kept> {
        let mut kept = Vec::with_capacity(KEPT);
        let room = self.namespace.room(&self.names[room as usize]).expect("the name is good");
        room.past(past, |delivery| {
            let message: &Message = delivery.payload().downcast_ref().expect("a message of this run");
            let Message { audience, publisher, number, but, .. } = *message;
            let is_left_out = but == Some(socket.id());
            kept.push(Kept { audience, publisher, number, sequence: delivery.sequence(), is_left_out });
        });
        kept
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn next_room(&self, room: u32) -> u32 {
        (room + 1) % self.settings.rooms
    }

    /// The first room of the pair that this one, or one near it, belongs to: there are handles of both.
    pub(crate) fn pair_near(room: u32) -> u32 {
        room - room % 3
    }

    /// The first rooms of the pairs that a room belongs to.
    pub(crate) fn pairs_of(&self, room: u32) -> impl Iterator<Item = u32> {
        let firsts = [room, self.previous_room(room)];
        firsts.into_iter().filter(|first| Self::pair_near(*first) == *first)
    }

    fn previous_room(&self, room: u32) -> u32 {
        (room + self.settings.rooms - 1) % self.settings.rooms
    }

    /// The rooms that an audience names, in this order.
    pub(crate) fn rooms_of(&self, audience: Audience) -> [Option<u32>; 2] {
        match audience {
            Audience::Room(room)
            | Audience::Unmuted(room)
            | Audience::Volatile(room)
            | Audience::State(room)
            | Audience::Guest(room) => [Some(room), None],
            Audience::Pair(room) => [Some(room), Some(self.next_room(room))],
            Audience::Everyone | Audience::EveryoneUnmuted | Audience::Direct(_) => [None; 2],
        }
    }

    fn index(&self, audience: Audience) -> usize {
        let everyone = self.settings.rooms * 6;
        let index = match audience {
            Audience::Room(room) => room * 6,
            Audience::Unmuted(room) => room * 6 + 1,
            Audience::Pair(room) => room * 6 + 2,
            Audience::Volatile(room) => room * 6 + 3,
            Audience::Guest(room) => room * 6 + 4,
            Audience::State(room) => room * 6 + 5,
            Audience::Everyone => everyone,
            Audience::EveryoneUnmuted => everyone + 1,
            Audience::Direct(slot) => everyone + 2 + slot,
        };
        index as usize
    }
}

/// Whether a room disconnects those who fall behind.
pub(crate) fn is_strict(room: u32) -> bool {
    room % 8 == 4
}

/// Whether a room keeps messages beyond those that its members have yet to read.
pub(crate) fn has_history(room: u32) -> bool {
    room % 4 == 1 && room % 3 != 2
}

/// The message as a payload.
pub(crate) fn payload(message: &Arc<Message>) -> Payload {
    Payload::from(Arc::clone(message))
}
