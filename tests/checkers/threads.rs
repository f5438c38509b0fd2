//! Four threads that do everything to one engine at once, for the thread sanitizer, which is in nightly compilers:
//!
//! ```text
//! RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg roomcast_tsan" cargo +nightly build \
//!     --release --package roomcast-checkers --bin threads --target x86_64-unknown-linux-gnu --target-dir target/tsan
//! TSAN_OPTIONS=suppressions=.ci/tsan-suppressions target/tsan/x86_64-unknown-linux-gnu/release/threads [MESSAGES]
//! ```
//!
//! It ends with 66 if there was a report. The compiler's `std` is not instrumented, so what threads share here goes
//! through crossbeam's channels, which are. In other builds it is a stress test: it fails if a message comes out of
//! order, or something is left behind.

use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{env, thread};

use roomcast::crossbeam_channel::{Receiver, Sender, unbounded};
use roomcast::{
    Backlog, ClientPacket, Connection, Delivery, DisconnectReason, EmitError, Engine, EventHandle, Inbox,
    Namespace, Outbox, Overflow, Payload, Room, ServerPacket, Socket, SocketId,
};

const THREADS: usize = 4;
const ROOMS: usize = 8;
const SOCKETS: usize = 16;
const CLIENTS: usize = 4;
/// Each is delivered to five sockets or so.
const MESSAGES: u64 = 1_000_000;

fn main() {
    let messages =
        env::args().nth(1).map_or(MESSAGES, |number| number.parse().expect("a number of messages"));
    let world = Arc::new(World::new());
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.work(thread, messages.div_ceil(THREADS as u64)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no check fails"));
    world.end();
}

/// Inboxes and outboxes go from thread to thread: whoever takes one reads it, and puts it back.
struct World {
    engine: Engine,
    namespace: Namespace,
    rooms: Vec<Room>,
    event: EventHandle,
    readers: Queue<Reader>,
    clients: Queue<(Connection, Outbox)>,
    counts: Counts,
}

struct Queue<T>(Sender<T>, Receiver<T>);

#[derive(Debug, Default)]
struct Counts {
    published: AtomicU64,
    delivered: AtomicU64,
    missed: AtomicU64,
    packets: AtomicU64,
    answers: Arc<AtomicUsize>,
    wakes: Arc<AtomicUsize>,
    asked: AtomicUsize,
    ends: AtomicUsize,
}

struct Reader {
    socket: Socket,
    inbox: Inbox,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    /// The last number from each thread.
    last: [u64; THREADS],
    delivered: u64,
    missed: u64,
}

impl<T> Queue<T> {
    fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self(sender, receiver)
    }

    fn put(&self, item: T) {
        self.0.send(item).expect("this has a receiver");
    }
}

impl World {
    fn new() -> Self {
        let engine = Engine::new();
        let namespace = engine.of("/").expect("a path");
        let rooms: Vec<_> = (0..ROOMS as i64).map(|name| namespace.room(name).expect("a name")).collect();
        // Little enough that some fall behind.
        let backlog = Backlog::new().messages(16).expect("a limit");
        rooms[0].set_backlog(backlog);
        rooms[1].set_backlog(backlog.overflow(Overflow::Disconnect));
        namespace
            .on("echo", |socket: &Socket, payload: Payload| drop(socket.emit("echo", payload)))
            .expect("an event");
        let event = namespace.event("moved").expect("an event");
        let (readers, clients) = (Queue::new(), Queue::new());
        let world = Self { engine, namespace, rooms, event, readers, clients, counts: Counts::default() };
        (0..SOCKETS).for_each(|number| world.readers.put(world.reader(number)));
        (0..CLIENTS).for_each(|number| world.clients.put(world.client(number)));
        world
    }

    fn reader(&self, number: usize) -> Reader {
        let (socket, mut inbox) = self.namespace.connect();
        socket.join([&self.rooms[number % ROOMS], &self.rooms[number / 2 % ROOMS]]).expect("open");
        if number % 3 == 0 {
            let wakes = Arc::clone(&self.counts.wakes);
            inbox.on_wake(move || _ = wakes.fetch_add(1, Ordering::Relaxed));
        }
        Reader { socket, inbox, seen: Seen::default() }
    }

    fn client(&self, number: usize) -> (Connection, Outbox) {
        let (connection, outbox) = self.engine.connect(());
        connection
            .receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })
            .expect("the first of this connection");
        let socket = connection.socket("/").expect("connected");
        socket.join(&self.rooms[number % ROOMS]).expect("open");
        (connection, outbox)
    }

    /// Publishes so many messages in all ways, and does everything else in between.
    fn work(&self, thread: usize, messages: u64) {
        let mut dice = Dice(thread as u64 + 1);
        for number in 1..=messages {
            self.publish(&mut dice, thread, number);
            match number % 256 {
                n if n % 16 == 0 => self.read(&mut dice),
                n if n % 64 == 7 => self.serve(&mut dice, number),
                n if n % 64 == 9 => self.move_around(&mut dice),
                n if n == thread as u64 => self.engine.tick(Duration::from_millis(number)),
                _ => {}
            }
        }
        self.counts.published.fetch_add(messages, Ordering::Relaxed);
    }

    fn publish(&self, dice: &mut Dice, thread: usize, number: u64) {
        let payload = Payload::from([(thread as u64).to_le_bytes(), number.to_le_bytes()].concat());
        let (room, other) = (&self.rooms[dice.below(ROOMS)], &self.rooms[dice.below(ROOMS)]);
        let emitted = match dice.below(16) {
            0 | 1 => self.namespace.to([room, other]).emit(&self.event, payload),
            2 => self.namespace.to(room).except(other).emit(&self.event, payload),
            3 => self.namespace.to([room, other]).volatile().emit(&self.event, payload),
            4 => self.namespace.emit(&self.event, payload),
            5 => {
                let id = self.somebody(dice);
                match self.namespace.to(id.as_slice()).emit(&self.event, payload) {
                    Err(EmitError::Stale(_)) => return, // gone at this very moment
                    emitted => emitted,
                }
            }
            _ => room.emit(&self.event, payload),
        };
        emitted.expect("an open namespace");
    }

    fn somebody(&self, dice: &mut Dice) -> Option<SocketId> {
        let ids = self.namespace.socket_ids();
        ids.get(dice.below(ids.len().max(1))).copied()
    }

    /// Reads what is there for a socket, in one of the ways, or ends it.
    fn read(&self, dice: &mut Dice) {
        let Ok(mut reader) = self.readers.1.try_recv() else { return };
        if dice.below(64) == 0 {
            reader.socket.disconnect(DisconnectReason::Server);
        }
        let Reader { socket, inbox, seen } = &mut reader;
        let mut look = |delivery: Delivery<'_>| seen.look(socket, delivery);
        match dice.below(4) {
            0 => {
                while let Some(delivery) = inbox.try_next() {
                    look(delivery);
                }
            }
            1 => {
                while let Poll::Ready(Ok(delivery)) = inbox.poll_recv(&mut Context::from_waker(Waker::noop()))
                {
                    look(delivery);
                }
            }
            2 => {
                if let Ok(delivery) = inbox.recv_timeout(Duration::from_micros(50)) {
                    look(delivery);
                }
            }
            _ => _ = inbox.drain(look),
        }
        self.counts.delivered.fetch_add(take(&mut seen.delivered), Ordering::Relaxed);
        self.counts.missed.fetch_add(take(&mut seen.missed), Ordering::Relaxed);
        if inbox.closed().is_some() {
            self.counts.ends.fetch_add(1, Ordering::Relaxed);
            reader = self.reader(dice.below(ROOMS * 2));
        }
        self.readers.put(reader);
    }

    /// Brings a client's packet, and sends it what it is to be sent; or connects it anew.
    fn serve(&self, dice: &mut Dice, number: u64) {
        let Ok((connection, mut outbox)) = self.clients.1.try_recv() else { return };
        let payload = Payload::from(number.to_le_bytes());
        let packet = ClientPacket::Event { namespace: "/", event: "echo", payload, ack: None };
        // Its socket may have been disconnected meanwhile.
        _ = connection.receive(packet);
        outbox.drain(|packet| {
            if let ServerPacket::Event { delivery, .. } = packet {
                assert!(!delivery.payload().is_empty());
            }
            self.counts.packets.fetch_add(1, Ordering::Relaxed);
        });
        if dice.below(64) == 0 || outbox.closed().is_some() {
            connection.close(DisconnectReason::Client);
            drop((connection, outbox));
            self.clients.put(self.client(dice.below(ROOMS)));
        } else {
            self.clients.put((connection, outbox));
        }
    }

    /// Moves somebody's socket between rooms, or asks it something.
    fn move_around(&self, dice: &mut Dice) {
        let Some(socket) = self.somebody(dice).and_then(|id| self.namespace.socket(id).ok()) else { return };
        let room = &self.rooms[dice.below(ROOMS)];
        // Closed, perhaps, at this very moment.
        match dice.below(4) {
            0 => _ = socket.join(room),
            1 => _ = socket.leave(room),
            2 => _ = socket.set_rooms([room, &self.rooms[dice.below(ROOMS)]]),
            _ => {
                if let Ok(ack) = socket.emit_with_ack("question", "where?") {
                    self.counts.asked.fetch_add(1, Ordering::Relaxed);
                    let answers = Arc::clone(&self.counts.answers);
                    ack.timeout(Duration::from_secs(1))
                        .on_done(move |_| _ = answers.fetch_add(1, Ordering::Relaxed));
                }
            }
        }
    }

    /// Lets everybody go, and checks that nobody and nothing is left.
    fn end(&self) {
        while let Ok(reader) = self.readers.1.try_recv() {
            drop(reader);
        }
        while let Ok(client) = self.clients.1.try_recv() {
            drop(client);
        }
        assert_eq!((self.engine.socket_count(), self.engine.connection_count()), (0, 0));
        assert!(self.rooms.iter().all(|room| room.is_empty() && room.retained() == 0));
        println!("{:?}", self.counts);
        let Counts { asked, answers, missed, ends, .. } = &self.counts;
        assert_eq!(asked.load(Ordering::Relaxed), answers.load(Ordering::Relaxed), "questions end");
        assert!(missed.load(Ordering::Relaxed) > 0 && ends.load(Ordering::Relaxed) > 0, "some fall behind");
    }
}

impl Seen {
    fn look(&mut self, socket: &Socket, delivery: Delivery<'_>) {
        if let Some(gap) = delivery.gap() {
            self.missed += gap.missed;
        } else if let Some(id) = delivery.ack_id() {
            socket.answer(id, "here");
        } else {
            let bytes = delivery.payload().as_bytes().expect("bytes");
            let [thread, number] =
                [0, 8].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")));
            let last = &mut self.last[thread as usize];
            assert!(number > *last, "{number} after {last}, from thread {thread}");
            *last = number;
            self.delivered += 1;
        }
    }
}

/// Throws the same numbers each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}
