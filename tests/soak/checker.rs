//! One client's side of the check: what it may be sent, what it must be sent, and what it was told is lost.

use roomcast::{Gap, SocketId};

use crate::moving::{Kept, firsts};
use crate::world::{Audience, Message, Numbers, PUBLISHERS, World};

/// The messages of all publishers for one audience, as one client that belongs to it gets them.
///
/// Of each publisher it is sent all from some number on up to, and not including, some other. If nobody publishes while it
/// joins, both are known; if somebody does, they lie between what was done before the call and what was begun after it.
#[derive(Debug)]
struct Stream {
    audience: Audience,
    /// What comes next; the earliest that may be first, before the first has come.
    next: Numbers,
    /// The latest that may be first; 0 once one has come.
    latest_first: Numbers,
    /// The earliest and the latest that may be the one after the last, of a stream that has ended.
    end: Option<Box<[Numbers; 2]>>,
}

/// How many, between these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Range {
    fn add(&mut self, least: u64, most: u64) {
        self.least += least;
        self.most += most;
    }
}

/// A room that the client is in, or was in until the drain to come.
#[derive(Debug)]
struct Member {
    room: u32,
    /// It is in it since before this time.
    since: u64,
    has_left: bool,
    /// The sequence of the last message that came by this room.
    last: u64,
}

/// By which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Everyone,
    Direct,
    Room(u32),
}

#[derive(Debug)]
pub(crate) struct Checker {
    seed: u64,
    pub(crate) slot: u32,
    pub(crate) id: SocketId,
    streams: Vec<Stream>,
    members: Vec<Member>,
    /// Messages that leave the client out by identity: audience, publisher, number.
    excluded: Vec<(Audience, usize, u32)>,
    /// Of all messages that came, the latest time at which an emit began.
    newest: u64,
    /// The sequences of the last messages to everyone, and direct ones.
    last: [u64; 2],
    /// What gaps have told.
    told: Range,
    /// What did not come.
    lost: Range,
    /// Of messages to two rooms or to a guest, not in `lost`. One may come by one log before the gap in the other is told
    /// that those before it are in: that comes before the next message of its own log.
    lost_unions: Range,
    /// Of volatile messages and those that others replace, not in `lost`.
    lost_volatile: Range,
}

impl Checker {
    pub(crate) fn new(seed: u64, slot: u32, id: SocketId) -> Self {
        Self {
            seed,
            slot,
            id,
            // All that it ever needs, so that live bytes tell of the engine.
            streams: Vec::with_capacity(80),
            members: Vec::with_capacity(16),
            excluded: Vec::new(),
            newest: 0,
            last: [0; 2],
            told: Range::default(),
            lost: Range::default(),
            lost_unions: Range::default(),
            lost_volatile: Range::default(),
        }
    }

    /// Takes in a message that was delivered.
    pub(crate) fn message(&mut self, world: &World, message: &Message, sequence: u64, way: Way) {
        let Message { audience, publisher, number, .. } = *message;
        if message.returned() < self.newest {
            self.violated("after one that was emitted later", message);
        }
        self.newest = self.newest.max(message.began);
        if !message.agrees(sequence) {
            self.violated("at another place in the order than others have seen it", message);
        }
        if let Err(what) = self.check_way(world, message, sequence, way) {
            self.violated(&format!("{what}: {way:?}, sequence {sequence}"), message);
        }
        if self.take_excluded(audience, publisher, number..number + 1) > 0 {
            self.violated("though it is left out", message);
        }
        let Some(place) = self.streams.iter().rposition(|stream| stream.audience == audience) else {
            self.violated("and it is not a member", message)
        };
        let stream = &mut self.streams[place];
        let (next, latest_first) = (stream.next[publisher], stream.latest_first[publisher]);
        if number < next {
            self.violated("twice, late, or from before it has joined", message);
        }
        if stream.end.as_ref().is_some_and(|ends| number >= ends[1][publisher]) {
            self.violated("though it had left", message);
        }
        stream.next[publisher] = number + 1;
        stream.latest_first[publisher] = 0;
        if number > next {
            self.lose(audience, publisher, next, latest_first, [number; 2]);
            if self.lost.least > self.told.most {
                self.violated("and not those before it", message);
            }
        }
    }

    /// Takes in a gap.
    pub(crate) fn gap(&mut self, gap: Gap) {
        if gap.missed == 0 {
            self.violated("a gap of nothing", &gap);
        }
        self.told.add(if gap.exact { gap.missed } else { 0 }, gap.missed);
    }

    /// The client joins an audience, in a call before which `done` messages were emitted and after which `begun` were
    /// begun. It must not be [ending](Self::is_ending).
    pub(crate) fn begin(&mut self, audience: Audience, done: Numbers, begun: Numbers) {
        self.streams.push(Stream { audience, next: done, latest_first: begun, end: None });
    }

    /// The client has joined a room with what it kept before and after that: then the streams that have just begun begin
    /// with this. Before all of it, this was `done`.
    pub(crate) fn look_back(&mut self, done: &[(Audience, Numbers)], before: &[Kept], after: &[Kept]) {
        for stream in &mut self.streams {
            let Stream { audience, next, latest_first, end } = stream;
            let Some((_, done)) = done.iter().find(|(of, _)| of == audience) else { continue };
            // Volatile ones are kept by nobody, and those to everyone are of no room.
            if end.is_some() || matches!(audience, Audience::Volatile(_) | Audience::EveryoneUnmuted) {
                continue;
            }
            let earliest = firsts(before, *audience, *done);
            // Of those that replace each other only the newest are seen, and others may come.
            *next = if let Audience::State(_) = audience { [0; PUBLISHERS] } else { earliest };
            *latest_first = firsts(after, *audience, *latest_first);
        }
        for kept in before.iter().chain(after).filter(|kept| kept.is_left_out) {
            let excluded = (kept.audience, kept.publisher, kept.number);
            if !self.excluded.contains(&excluded) {
                self.excluded.push(excluded);
            }
        }
        // What comes next is older than what came last.
        self.newest = 0;
    }

    /// So many messages that are not counted here were lost at most.
    pub(crate) fn may_have_lost(&mut self, most: u64) {
        self.lost.add(0, most);
    }

    /// The client leaves an audience, as above.
    pub(crate) fn end(&mut self, audience: Audience, done: Numbers, begun: Numbers) {
        let stream = self.streams.iter_mut().rfind(|stream| stream.audience == audience);
        stream.expect("it is in it").end = Some(Box::new([done, begun]));
    }

    /// The client leaves all, in a call that is over, and before which this was [emitted](Self::emitted).
    pub(crate) fn end_all(&mut self, world: &World, emitted: Option<&[Numbers]>) {
        for (place, stream) in self.streams.iter_mut().enumerate() {
            let done = emitted.map_or([0; PUBLISHERS], |emitted| emitted[place]);
            let begun = world.begun(stream.audience);
            stream.end.get_or_insert_with(|| Box::new([done, begun]));
        }
    }

    pub(crate) fn joined(&mut self, room: u32, since: u64) {
        self.members.push(Member { room, since, has_left: false, last: 0 });
    }

    pub(crate) fn left(&mut self, room: u32) {
        let member = self.members.iter_mut().find(|member| member.room == room);
        member.expect("it is in it").has_left = true;
    }

    /// Whether the client has left it, and may have something to read of it.
    pub(crate) fn is_ending(&self, audience: Audience) -> bool {
        self.streams.iter().any(|stream| stream.audience == audience && stream.end.is_some())
    }

    pub(crate) fn has_left(&self, room: u32) -> bool {
        self.members.iter().any(|member| member.room == room && member.has_left)
    }

    /// The client itself has emitted this message, or was named as one who does not get it.
    pub(crate) fn exclude(&mut self, audience: Audience, publisher: usize, number: u32) {
        if self.streams.iter().any(|stream| stream.audience == audience && stream.end.is_none()) {
            self.excluded.push((audience, publisher, number));
        }
    }

    /// What has to be here after a drain: what was emitted before it began.
    pub(crate) fn emitted(&self, world: &World) -> Vec<Numbers> {
        self.streams.iter().map(|stream| world.done(stream.audience)).collect()
    }

    /// Returns how much of that has neither come nor was told to be lost: nothing, if the client has read everything.
    pub(crate) fn missing(&self, emitted: &[Numbers]) -> u64 {
        let mut missing = self.lost.least + self.lost_unions.least;
        for (stream, done) in self.streams.iter().zip(emitted) {
            if matches!(stream.audience, Audience::Volatile(_)) {
                continue;
            }
            for publisher in 0..PUBLISHERS {
                let next = stream.next[publisher].max(stream.latest_first[publisher]);
                let end = stream.end.as_ref().map_or(u32::MAX, |ends| ends[0][publisher]);
                let done = done[publisher].min(end);
                if let (Audience::State(_), true) = (stream.audience, done > next) {
                    missing += 1; // the newest, or one that has replaced it
                } else if done > next {
                    missing +=
                        u64::from(done - next - self.count_excluded(stream.audience, publisher, next..done));
                }
            }
        }
        missing.saturating_sub(self.told.most)
    }

    /// Closes the account of what had ended before a drain that is over, and before which this was
    /// [emitted](Self::emitted).
    ///
    /// Who is muted has the lock of that room, not of the one that is emitted to: a message of before may be under way
    /// yet, and come later.
    pub(crate) fn settle_ended(&mut self, emitted: &[Numbers]) {
        self.members.retain(|member| !member.has_left);
        let is_over = |(stream, done): (&Stream, &Numbers)| {
            let latest = stream.end.as_ref().map(|ends| ends[1]);
            latest.is_some_and(|latest| latest.iter().zip(done).all(|(latest, done)| latest <= done))
        };
        let over: Vec<bool> = self.streams.iter().zip(emitted).map(is_over).collect();
        for place in (0..over.len()).rev().filter(|place| over[*place]) {
            self.close(place);
        }
    }

    /// Closes the account of all that has ended, with nothing more to come.
    pub(crate) fn settle_all_ended(&mut self) {
        self.members.retain(|member| !member.has_left);
        while let Some(place) = self.streams.iter().position(|stream| stream.end.is_some()) {
            self.close(place);
        }
    }

    fn close(&mut self, place: usize) {
        let Stream { audience, next, latest_first, end } = self.streams.swap_remove(place);
        let [earliest, latest] = *end.expect("it has ended");
        for publisher in 0..PUBLISHERS {
            let ends = [earliest[publisher], latest[publisher]];
            self.lose(audience, publisher, next[publisher], latest_first[publisher], ends);
        }
    }

    /// Closes all accounts, with nobody publishing: what was lost has to be what was told. `dropped` is how many volatile
    /// messages and replaced ones were, if that is known.
    pub(crate) fn settle(&mut self, world: &World, dropped: Option<u64>) {
        self.settle_all_ended();
        for place in 0..self.streams.len() {
            let audience = self.streams[place].audience;
            let done = world.done(audience);
            for (publisher, done) in done.into_iter().enumerate() {
                let stream = &mut self.streams[place];
                let next = std::mem::replace(&mut stream.next[publisher], done);
                let latest_first = std::mem::take(&mut stream.latest_first[publisher]);
                self.lose(audience, publisher, next, latest_first, [done; 2]);
            }
        }
        self.balance(dropped);
        (self.told, self.lost, self.lost_unions, self.lost_volatile) = Default::default();
    }

    /// Checks that what did not come is what was told.
    pub(crate) fn balance(&self, dropped: Option<u64>) {
        let (told, mut lost, volatile) = (self.told, self.lost, self.lost_volatile);
        lost.add(self.lost_unions.least, self.lost_unions.most);
        let [least, most] = dropped.map_or([0, volatile.most], |dropped| [dropped; 2]);
        let is_possible = told.least + least <= lost.most + volatile.most
            && lost.least + volatile.least <= told.most + most;
        if !is_possible || lost.least > told.most {
            self.violated("other numbers than were lost", &(told, lost, volatile, dropped));
        }
    }

    /// The rooms that the client is in.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = u32> {
        self.members.iter().filter(|member| !member.has_left).map(|member| member.room)
    }

    /// How many messages to all members of the room the client has yet to read, at least: nobody publishes.
    pub(crate) fn unread(&self, world: &World, room: u32) -> u64 {
        let audience = Audience::Room(room);
        let Some(stream) = self.streams.iter().find(|stream| stream.audience == audience) else { return 0 };
        let done = world.done(audience);
        let unread = |publisher: usize| {
            let next = stream.next[publisher].max(stream.latest_first[publisher]);
            done[publisher]
                .saturating_sub(next + self.count_excluded(audience, publisher, next..done[publisher]))
        };
        (0..PUBLISHERS).map(|publisher| u64::from(unread(publisher))).sum()
    }

    fn check_way(
        &mut self,
        world: &World,
        message: &Message,
        sequence: u64,
        way: Way,
    ) -> Result<(), &'static str> {
        let [first, second] = world.rooms_of(message.audience);
        let last = match way {
            Way::Everyone if matches!(message.audience, Audience::Everyone | Audience::EveryoneUnmuted) => {
                &mut self.last[0]
            }
            // Some messages to a room name one of its members, too, and then in the first place.
            Way::Direct if matches!(message.audience, Audience::Direct(_) | Audience::Guest(_)) => {
                &mut self.last[1]
            }
            Way::Room(room) if first == Some(room) || second == Some(room) => {
                let is_first = |member: &Member| {
                    Some(member.room) == first && !member.has_left && member.since < message.began
                };
                if Some(room) == second && self.members.iter().any(is_first) {
                    return Err("by another room than the first that it is in");
                }
                let member = self.members.iter_mut().find(|member| member.room == room);
                &mut member.ok_or("by a room that it is not in")?.last
            }
            _ => return Err("by a way that it was not addressed to"),
        };
        if *last >= sequence {
            return Err("out of the order of its room");
        }
        *last = sequence;
        Ok(())
    }

    /// Messages from `next` up to one of these ends did not come.
    fn lose(&mut self, audience: Audience, publisher: usize, next: u32, latest_first: u32, ends: [u32; 2]) {
        let [earliest, latest] = ends;
        if latest <= next {
            return;
        }
        let excluded = u64::from(self.take_excluded(audience, publisher, next..latest));
        let least = u64::from(earliest.saturating_sub(next.max(latest_first))).saturating_sub(excluded);
        let account = match audience {
            Audience::Pair(_) | Audience::Guest(_) => &mut self.lost_unions,
            Audience::Volatile(_) | Audience::State(_) => &mut self.lost_volatile,
            _ => &mut self.lost,
        };
        account.add(least, u64::from(latest - next) - excluded);
    }

    fn count_excluded(&self, audience: Audience, publisher: usize, numbers: std::ops::Range<u32>) -> u32 {
        let is_it = |excluded: &&(Audience, usize, u32)| {
            (excluded.0, excluded.1) == (audience, publisher) && numbers.contains(&excluded.2)
        };
        self.excluded.iter().filter(is_it).count() as u32
    }

    fn take_excluded(&mut self, audience: Audience, publisher: usize, numbers: std::ops::Range<u32>) -> u32 {
        if self.excluded.is_empty() {
            return 0;
        }
        let count = self.count_excluded(audience, publisher, numbers.clone());
        if count > 0 {
            self.excluded.retain(|excluded| {
                (excluded.0, excluded.1) != (audience, publisher) || !numbers.contains(&excluded.2)
            });
        }
        count
    }

    /// Ends the run with all that is known of what was got.
    #[cold]
    pub(crate) fn violated(&self, what: &str, got: &dyn std::fmt::Debug) -> ! {
        let stream = |message: &Stream| format!("\n    {message:?}");
        panic!(
            "VIOLATION, seed {}: socket {:?} in slot {} got {got:?}, {what}\n  told {:?}, lost {:?}, unions {:?}, volatile \
             {:?}, excluded {:?}, newest {}\n  {:?}\n  streams:{}",
            self.seed,
            self.id,
            self.slot,
            self.told,
            self.lost,
            self.lost_unions,
            self.lost_volatile,
            self.excluded,
            self.newest,
            self.members,
            self.streams.iter().map(stream).collect::<String>()
        );
    }
}
