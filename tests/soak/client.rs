//! A client: a socket, what reads it, and what it checks that against.

use std::cell::Cell;
use std::ops::ControlFlow::{self, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Emitted, ForgottenTick, Handshake, Inbox, Namespace, Offset,
    Outbox, Payload, Resumption, RoomName, ServerPacket, SessionKey, Socket, Transport,
};

use crate::checker::Checker;
use crate::intake::{Intake, Question, Strict, Taken};
use crate::lobby::Lobby;
use crate::random::Random;
use crate::tally::Tally;
use crate::walk::Walk;
use crate::world::{Audience, LIMIT, Message, PATH, SAY, VOLATILE_BACKLOG, World, payload};

/// How many drains in a row may be too slow for a room.
const LATE_GAPS: usize = 10;
/// Which one of 64 is in many rooms.
const WIDE: u32 = 63;
/// Which one of four walks about on the grid of cells.
const WALKER: u32 = 2;

pub(crate) struct Client {
    pub(crate) socket: Socket,
    line: Line,
    /// Rung when there is something to read, unless the client is polled.
    bell: Option<Arc<Bell>>,
    /// How often it may be: once after each drain.
    wakes_due: u32,
    pub(crate) checker: Checker,
    questions: Vec<Question>,
    pub(crate) is_muted: bool,
    /// Whether it was muted until after its last read.
    pub(crate) has_unmuted: bool,
    pub(crate) is_stalled: bool,
    pub(crate) strict: Vec<Strict>,
    pub(crate) lobby: Lobby,
    pub(crate) walk: Option<Walk>,
    /// Whether it was told that it is disconnected.
    is_over: bool,
    /// By what it comes back if its line is cut.
    session: Option<SessionKey>,
    /// The last that it has seen.
    seen: Option<Offset>,
    /// How many volatile and replaced messages an inbox had done without when accounts were last closed.
    forgone_before: u64,
}

enum Line {
    Inbox(Inbox),
    Outbox(Connection, Outbox),
}

/// Counts how often it is rung.
#[derive(Default)]
struct Bell(AtomicU32);

impl Transport for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Client {
    pub(crate) fn connect(world: &World, slot: u32, random: &mut Random) -> Self {
        let audiences = [Audience::Everyone, Audience::EveryoneUnmuted, Audience::Direct(slot)];
        let done = audiences.map(|audience| world.done(audience));
        let bell = random.one_in(2).then(Arc::<Bell>::default);
        let (socket, line) = if random.one_in(2) {
            let (socket, mut inbox) = world.namespace.connect();
            if let Some(bell) = bell.clone() {
                inbox.on_wake(move || bell.wake());
            }
            (socket, Line::Inbox(inbox))
        } else {
            let (connection, outbox) = match &bell {
                Some(bell) => world.engine.connect(Arc::clone(bell)),
                None => world.engine.connect(Handshake::new()),
            };
            connection.receive(ClientPacket::Connect { namespace: PATH, auth: Payload::default() }).unwrap();
            (connection.socket(PATH).expect("nothing refuses it"), Line::Outbox(connection, outbox))
        };
        *world.slots[slot as usize].socket.write().unwrap() = Some(socket.clone());
        let mut checker = Checker::new(world.settings.seed, slot, socket.id());
        for (audience, done) in audiences.into_iter().zip(done) {
            checker.begin(audience, done, world.begun(audience));
        }
        Self {
            socket,
            line,
            bell,
            wakes_due: 1,
            checker,
            questions: Vec::new(),
            is_muted: false,
            has_unmuted: false,
            is_stalled: false,
            strict: Vec::new(),
            lobby: Lobby::new(world, slot),
            walk: (slot % 4 == WALKER).then(|| Walk::new(world.settings.rooms)),
            is_over: false,
            session: None,
            seen: None,
            forgone_before: 0,
        }
    }

    /// Has its line cut, perhaps with all that it is to be sent on the way, and comes back by another one. Returns whether
    /// it has its socket; if not, it has gone.
    pub(crate) fn come_back(mut self, world: &World, random: &mut Random, tally: &mut Tally) -> Option<Self> {
        // What wants an answer is not sent twice.
        let (Line::Outbox(..), Some(session), true) = (&self.line, self.session, self.questions.is_empty())
        else {
            return Some(self);
        };
        let bell = self.bell.is_some().then(Arc::<Bell>::default);
        let (connection, outbox) = match &bell {
            Some(bell) => world.engine.connect(Arc::clone(bell)),
            None => world.engine.connect(Handshake::new()),
        };
        let Line::Outbox(old, mut lost) = std::mem::replace(&mut self.line, Line::Outbox(connection, outbox))
        else {
            unreachable!("it has one")
        };
        if random.one_in(2) {
            lost.drain(|packet| self.is_over |= matches!(packet, ServerPacket::Disconnect { .. }));
        }
        match random.below(3) {
            // It comes back before its line is known to be dead.
            0 => self.resume(session),
            1 => {
                old.close(DisconnectReason::Timeout);
                self.resume(session);
            }
            _ => {}
        }
        drop((old, lost));
        if random.one_in(3) {
            thread::yield_now(); // others publish meanwhile
        }
        let mut how = self.told_how();
        if how.is_none() {
            self.resume(session);
            how = self.told_how();
        }
        (self.bell, self.wakes_due) = (bell, 1);
        match how {
            Some(Resumption::Recovered) if self.socket.is_connected() => {
                tally.returned += 1;
                return Some(self);
            }
            Some(Resumption::Recovered) if self.socket.closed() == Some(DisconnectReason::Backlog) => {}
            // More was emitted meanwhile than a room keeps.
            Some(Resumption::TooOld { missed: 1.., .. }) => tally.too_old += 1,
            Some(Resumption::TooLate) if self.socket.closed() == Some(DisconnectReason::Backlog) => {}
            how => self.checker.violated("not what becomes of a cut line", &(how, self.socket.closed())),
        }
        if let Line::Outbox(connection, _) = &self.line {
            connection.close("not as who it was");
        }
        self.die(world);
        None
    }

    /// Asks for its session, unless it has.
    fn resume(&self, session: SessionKey) {
        if let Line::Outbox(connection, _) = &self.line {
            let (auth, seen) = (Payload::default(), self.seen);
            connection.receive(ClientPacket::Resume { namespace: PATH, auth, session, seen }).unwrap();
        }
    }

    /// What it is told of that.
    fn told_how(&mut self) -> Option<Resumption> {
        let Line::Outbox(_, outbox) = &mut self.line else { return None };
        let told = outbox.try_drain(|packet| match packet {
            ServerPacket::Connect { resumption, .. } => ControlFlow::Break(resumption),
            other => panic!("{other:?} before it is connected"),
        });
        told.break_value()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_connected()
    }

    /// Whether it is one of those that are in many rooms.
    pub(crate) fn is_wide(&self) -> bool {
        self.checker.slot % 64 == WIDE
    }

    pub(crate) fn is_inbox(&self) -> bool {
        matches!(self.line, Line::Inbox(_))
    }

    /// Emits to others in a room, in one of the ways in which a client is named. Returns how many it may have reached.
    pub(crate) fn speak(&mut self, world: &World, publisher: usize, random: &mut Random) -> usize {
        let own: Vec<u32> = self.checker.rooms().collect();
        let room = random.pick(&own).copied().unwrap_or_else(|| random.below(world.settings.rooms));
        let (name, event) = (&world.names[room as usize], &world.event);
        let (socket, line, is_member) = (&self.socket, &self.line, own.contains(&room));
        let (way, pair) = (random.below(5), World::pair_near(room));
        let audience = match way {
            2 if is_member => Audience::Guest(room),
            4 => Audience::Pair(pair),
            _ => Audience::Room(room),
        };
        let published = world.publish_but(publisher, audience, Some(socket.id()), |message| {
            let payload = payload(message);
            match (way, &world.handles[room as usize], line) {
                (0, Some(handle), _) => handle.emit_from(socket, event, payload).ok(),
                (1, ..) => world.namespace.to(name).except(socket.id()).emit(event, payload).ok(),
                (2, ..) if is_member => world.namespace.to(socket.id()).to(name).emit(event, payload).ok(),
                (3, _, Line::Outbox(connection, _)) => {
                    SAID.take();
                    let packet = ClientPacket::Event { namespace: PATH, event: SAY, payload, ack: None };
                    _ = connection.receive(packet);
                    SAID.take()
                }
                (4, ..) => socket.target(&world.pairs[pair as usize]).emit(event, payload).ok(),
                _ => socket.to(name).emit(event, payload).ok(),
            }
        });
        let Some((number, members)) = published else { return 0 };
        if !matches!(audience, Audience::Guest(_)) {
            self.checker.exclude(audience, publisher, number);
        }
        members
    }

    /// Is asked a question, which it answers when it comes to it.
    pub(crate) fn ask(&mut self, world: &World, publisher: usize, tally: &mut Tally) {
        let mut asked = None;
        let published = world.publish(publisher, Audience::Direct(self.checker.slot), |message| {
            asked = Some(self.socket.emit_with_ack(&world.event, payload(message)).ok()?);
            Some(Emitted::default())
        });
        if let (Some((number, _)), Some(ack)) = (published, asked) {
            self.questions.push(Question { publisher, number, ack });
            tally.asked += 1;
        }
    }

    /// Reads everything, unless it is to be woken and was not, and checks that this is everything. Returns whether it
    /// is connected.
    pub(crate) fn read(&mut self, world: &World, random: &mut Random, tally: &mut Tally) -> bool {
        let emitted = self.checker.emitted(world);
        if self.wakes() == Some(0) && self.is_connected() {
            tally.naps += 1;
            return true;
        }
        let appended: Vec<_> = self.strict.iter().map(|strict| world.appends_done(strict.room)).collect();
        let dropped = self.dropped();
        let mut taken = Taken::default();
        let limit = if random.one_in(8) { 1 + u64::from(random.below(64)) } else { u64::MAX };
        if self.is_polled() && random.one_in(16) {
            self.take_before_tick(world, &mut taken, tally);
        } else if self.take(world, limit, &mut taken, tally).is_break() {
            _ = self.take(world, u64::MAX, &mut taken, tally);
        }
        // If a room runs over while it is drained, the gap may be after all that this drain has seen. The next one tells.
        let mut missing = self.checker.missing(&emitted);
        for _ in 0..LATE_GAPS {
            if missing > 0 && self.is_connected() {
                tally.late_gaps += 1;
                _ = self.take(world, u64::MAX, &mut taken, tally);
                missing = self.checker.missing(&emitted);
            }
        }
        if taken.messages <= u64::from(VOLATILE_BACKLOG) && dropped != self.dropped() {
            self.checker.violated("volatile messages dropped, with few others", &taken);
        }
        // Whoever disconnects it, if it is connected now, has begun then or later.
        let under_way = world.under_way();
        if !self.is_connected() {
            return false;
        }
        if taken.is_overrun {
            self.checker.violated("connected, though it has missed messages of a strict room", &self.strict);
        }
        let now = world.now();
        for (strict, appended) in self.strict.iter_mut().zip(appended) {
            let before = strict.read.partition_point(|(over, _)| *over < under_way);
            strict.read.drain(..before.saturating_sub(1));
            strict.read.push((now, appended));
        }
        self.strict.retain(|strict| strict.left.is_none_or(|left| left >= under_way));
        if missing > 0 {
            self.checker.violated("less than was emitted", &(missing, emitted));
        }
        self.checker.settle_ended(&emitted);
        self.has_unmuted = false;
        true
    }

    /// Checks, with nobody publishing, that it is not in a room that was to disconnect it.
    pub(crate) fn check_strict(&self, world: &World) {
        // A segment is an eighth of the limit: one more than that may be held, and one was open when the client last read.
        let most = (LIMIT + LIMIT / 8 * 2) as u64;
        for strict in self.strict.iter().filter(|strict| strict.left.is_none()) {
            let unread = self.checker.unread(world, strict.room);
            if unread > most && self.is_connected() {
                self.checker.violated("connected, though it is behind in a strict room", &(strict, unread));
            }
        }
    }

    /// Checks what it knows of its lobby and what the lobby knows of it, with all told, and nobody else at it.
    pub(crate) fn check_lobby(&mut self, world: &World, random: &mut Random, tally: &mut Tally) {
        tally.refreshed += u64::from(self.lobby.refresh(world, &self.socket));
        let presence = &world.lobbies[self.lobby.number];
        if !self.read(world, random, tally) || !self.lobby.is_listed(presence.of(self.socket.id()).as_ref()) {
            self.checker.violated("not as it says of itself", &(presence.list(), &self.lobby));
        }
        if let Some(mistake) = self.lobby.mistake(presence) {
            self.checker.violated("who is present", &mistake);
        }
    }

    /// Closes all accounts, with nobody publishing.
    pub(crate) fn settle(&mut self, world: &World) {
        self.checker.may_have_lost(self.lobby.take_unanswered());
        let forgone = self.forgone().map(|forgone| forgone - self.forgone_before);
        self.checker.settle(world, forgone);
        self.forgone_before = self.forgone().unwrap_or(0);
        self.questions.clear(); // those that are left went lost, in gaps that were told
    }

    /// Disconnects it, reads to the end what came before, and checks that this is everything.
    pub(crate) fn leave(mut self, world: &World, tally: &mut Tally) {
        let emitted = self.checker.emitted(world);
        let reason = DisconnectReason::Other("that is it".into());
        let was_connected = match &self.line {
            Line::Inbox(_) => self.socket.disconnect(reason.clone()),
            Line::Outbox(connection, _) => {
                let is_connected = self.is_connected();
                connection.close(reason.clone());
                is_connected && self.socket.closed() == Some(reason.clone())
            }
        };
        if was_connected {
            self.checker.end_all(world, Some(&emitted));
            self.finish(world, &reason, tally);
        } else {
            self.give_up(world, tally);
        }
    }

    /// Reads to the end what came before it was disconnected for its backlog.
    pub(crate) fn give_up(mut self, world: &World, tally: &mut Tally) {
        // With one thread nobody is late.
        let drain = if world.settings.threads == 1 { <[_]>::last } else { <[_]>::first };
        let is_behind = |strict: &Strict| {
            let (_, read) = drain(&strict.read).expect("there is the join at least");
            world.appends_begun(strict.room) - read >= LIMIT as u64
        };
        if !self.strict.iter().any(is_behind) {
            self.checker.violated("disconnected, and not behind", &(self.socket.closed(), &self.strict));
        }
        // By another thread, which may be at it.
        while !self.is_over {
            _ = self.take(world, u64::MAX, &mut Taken::default(), tally);
            thread::yield_now();
        }
        self.checker.end_all(world, None);
        tally.cut_off += 1;
        self.finish(world, &DisconnectReason::Backlog, tally);
    }

    fn finish(&mut self, world: &World, reason: &DisconnectReason, tally: &mut Tally) {
        _ = self.take(world, u64::MAX, &mut Taken::default(), tally);
        if !self.is_over || self.socket.closed().as_ref() != Some(reason) {
            self.checker.violated("another end", &(self.socket.closed(), reason));
        }
        self.checker.settle_all_ended();
        self.checker.may_have_lost(self.lobby.take_unanswered());
        self.checker.balance(self.forgone().map(|forgone| forgone - self.forgone_before));
        check_gone(world, &self.socket, &self.checker, std::mem::take(&mut self.questions));
    }

    /// Goes without reading what there is.
    pub(crate) fn die(self, world: &World) {
        let Self { line, socket, mut checker, questions, .. } = self;
        drop(line);
        if socket.is_away() {
            socket.disconnect("does not come back");
        }
        if socket.is_connected() {
            checker.violated("connected, without an inbox", &socket);
        }
        checker.settle_all_ended();
        check_gone(world, &socket, &checker, questions);
    }

    /// How often it was woken since this was last asked, unless it is polled.
    fn wakes(&mut self) -> Option<u32> {
        let wakes = self.bell.as_ref()?.0.swap(0, Ordering::SeqCst);
        if wakes > self.wakes_due {
            self.checker.violated("more wake-ups than one for each drain", &wakes);
        }
        self.wakes_due -= wakes;
        Some(wakes)
    }

    /// How many volatile and replaced messages it has done without, if that is known.
    fn forgone(&self) -> Option<u64> {
        match &self.line {
            Line::Inbox(inbox) => Some(inbox.volatile_dropped() + inbox.replaced()),
            Line::Outbox(..) => None,
        }
    }

    fn dropped(&self) -> Option<u64> {
        match &self.line {
            Line::Inbox(inbox) => Some(inbox.volatile_dropped()),
            Line::Outbox(..) => None,
        }
    }

    fn is_polled(&self) -> bool {
        self.bell.is_none() && self.is_inbox()
    }

    /// Has a tick begin, and reads what came before it: all that was emitted before the call, and nothing that was begun
    /// after it.
    fn take_before_tick(&mut self, world: &World, taken: &mut Taken, tally: &mut Tally) {
        let (tick, until) = world.tick();
        tally.ticks += 1;
        let Self { socket, line: Line::Inbox(inbox), checker, questions, strict, is_over, lobby, .. } = self
        else {
            return;
        };
        let (connection, limit) = (None, u64::MAX);
        let mut intake = Intake {
            world,
            socket,
            connection,
            checker,
            questions,
            strict,
            lobby,
            limit,
            until,
            taken,
            tally,
        };
        let drained = inbox.drain_before(tick, |delivery| _ = intake.delivery(&delivery));
        *is_over = inbox.closed().is_some();
        if let Err(ForgottenTick(_)) = drained {
            tally.forgotten += 1; // others have ticked on and on meanwhile
            _ = self.take(world, u64::MAX, taken, tally);
        }
    }

    /// Reads until there is nothing left, or breaks at this many messages.
    fn take(&mut self, world: &World, limit: u64, taken: &mut Taken, tally: &mut Tally) -> ControlFlow<()> {
        let Self { socket, line, checker, questions, strict, is_over, lobby, session, seen, .. } = self;
        let connection = match line {
            Line::Inbox(_) => None,
            Line::Outbox(connection, _) => Some(connection.clone()),
        };
        let until = u64::MAX;
        let mut intake = Intake {
            world,
            socket,
            connection,
            checker,
            questions,
            strict,
            lobby,
            limit,
            until,
            taken,
            tally,
        };
        let drained = match line {
            Line::Inbox(inbox) => inbox.try_drain(|delivery| intake.delivery(&delivery)),
            Line::Outbox(_, outbox) => outbox.try_drain(|packet| match packet {
                ServerPacket::Event { delivery, offset, .. } => {
                    *seen = offset.or(*seen);
                    intake.delivery(&delivery)
                }
                ServerPacket::Gap { gap, offset, .. } => {
                    *seen = offset.or(*seen);
                    intake.gap(gap)
                }
                ServerPacket::Connect { session: key, .. } => {
                    *session = key;
                    Continue(())
                }
                ServerPacket::Disconnect { .. } => {
                    *is_over = true;
                    Continue(())
                }
                other => intake.checker.violated("not a packet of this run", &other),
            }),
        };
        if let Line::Inbox(inbox) = line {
            self.is_over = inbox.closed().is_some();
        }
        self.wakes_due += u32::from(drained.is_continue());
        drained
    }
}

/// Checks that a socket that is gone is nobody's, and that nobody waits for it.
fn check_gone(world: &World, socket: &Socket, checker: &Checker, questions: Vec<Question>) {
    if socket.closed() == Some(DisconnectReason::Backlog) {
        return; // by another thread, which may be at it
    }
    if socket.join("nowhere").is_ok() || world.namespace.socket(socket.id()).is_ok() {
        checker.violated("there, though it is gone", &socket);
    }
    if let Some(question) = questions.into_iter().find(|question| !question.ack.is_done()) {
        checker.violated("waited for, though it is gone", &question.number);
    }
}

thread_local! {
    /// What the handler has emitted that the client had called on this thread.
    static SAID: Cell<Option<Emitted>> = const { Cell::new(None) };
}

/// Lets clients emit to the others in a room.
pub(crate) fn handle_say(namespace: &Namespace, names: Arc<[RoomName]>) {
    let handler = move |socket: &Socket, payload: Payload| {
        let Some(Audience::Room(room)) = payload.downcast_ref::<Message>().map(|message| message.audience)
        else {
            panic!("not what clients say");
        };
        SAID.set(socket.to(names[room as usize].clone()).emit("message", payload).ok());
    };
    namespace.on(SAY, handler).unwrap();
}
