//! Who is present in a lobby: what a client says of itself there, and what it knows of the others from what it is told.
//!
//! A lobby is a room that nobody emits to, so that a gap in it is one in what is told of presence.

use std::sync::Arc;

use roomcast::{
    Delivery, PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, Presence, PresenceEntry, PresenceError,
    PresenceState, RoomName, Shared, Socket, Via,
};

use crate::random::Random;
use crate::world::World;

/// How many slots share a lobby, about.
pub(crate) const GUESTS: u32 = 32;
/// How many keys there are in one: some are of several clients.
const KEYS: u32 = 12;

/// A client's side of its lobby.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    pub(crate) number: usize,
    pub(crate) is_in: bool,
    /// Under which key it is present, and what is said of it.
    own: Option<(Arc<str>, String)>,
    state: Watch<PresenceState>,
    count: Watch<usize>,
    /// How many states and numbers it was sent for the asking, at most, and how many have come.
    asked: u64,
    answered: u64,
}

/// What a client knows by what it was told.
#[derive(Debug, Default)]
enum Watch<T> {
    #[default]
    No,
    /// It has yet to get what it has asked for.
    Asked,
    Known(T),
    /// Something was lost.
    Stale,
}

impl<T> Watch<T> {
    fn is_asked(&self) -> bool {
        !matches!(self, Self::No)
    }

    fn lose(&mut self) {
        if self.is_asked() {
            *self = Self::Stale;
        }
    }
}

impl Lobby {
    pub(crate) fn new(world: &World, slot: u32) -> Self {
        Self { number: slot as usize % world.lobbies.len(), ..Self::default() }
    }

    /// Comes, goes, says something, or watches who does. Only who `reads` soon begins and ceases to watch: what is unread
    /// of a watch that is over may be lost without a word of what it was of.
    pub(crate) fn change(&mut self, world: &World, socket: &Socket, reads: bool, random: &mut Random) {
        let presence = &world.lobbies[self.number];
        let done = match random.below(12) {
            0 if self.is_in => self.leave(presence, socket),
            _ if !self.is_in => socket.join(presence.room()).map(|_| self.is_in = true).map_err(Into::into),
            1..=4 => {
                let key: Arc<str> = format!("key {}", random.below(KEYS)).into();
                let meta = random.below(4).to_string();
                let tracked = presence.track(socket, Arc::clone(&key), meta.as_str());
                tracked.map(|()| self.own = Some((key, meta)))
            }
            5 | 6 if self.own.is_some() => {
                let meta = random.below(4).to_string();
                let updated = presence.update(socket, meta.as_str());
                updated.map(|()| self.own.as_mut().expect("it is present").1 = meta)
            }
            7 => {
                let was_present = presence.untrack(socket);
                let is_right = was_present == self.own.take().is_some() || !socket.is_connected();
                assert!(is_right, "untracked: {was_present}, {self:?}");
                Ok(())
            }
            8 if reads && self.state.is_asked() && self.count.is_asked() => {
                presence.unwatch(socket);
                (self.state, self.count) = (Watch::No, Watch::No);
                Ok(())
            }
            8..=10 if reads => self.ask(presence, socket, random.one_in(3)),
            _ => Ok(()),
        };
        match done {
            Ok(()) | Err(PresenceError::Closed(_)) => {} // as it was behind
            Err(error) => panic!("{error}: {self:?}"),
        }
        if matches!(self.state, Watch::Stale) || matches!(self.count, Watch::Stale) {
            self.ask_anew(world, socket);
        }
    }

    /// It has left all its rooms.
    pub(crate) fn left(&mut self) {
        (self.is_in, self.own) = (false, None);
    }

    fn leave(&mut self, presence: &Presence, socket: &Socket) -> Result<(), PresenceError> {
        socket.leave(presence.room())?;
        self.left();
        Ok(())
    }

    fn ask(&mut self, presence: &Presence, socket: &Socket, is_count: bool) -> Result<(), PresenceError> {
        // Before, as another thread may be the one that answers.
        self.asked += 1;
        if is_count {
            self.count = Watch::Asked;
            presence.watch_count(socket)
        } else {
            self.state = Watch::Asked;
            presence.watch(socket)
        }
    }

    fn ask_anew(&mut self, world: &World, socket: &Socket) {
        let presence = &world.lobbies[self.number];
        for (is_stale, is_count) in
            [(matches!(self.state, Watch::Stale), false), (matches!(self.count, Watch::Stale), true)]
        {
            if is_stale {
                _ = self.ask(presence, socket, is_count); // it is closed, if this fails
            }
        }
    }

    /// Takes in what it is told, in order; `false` if this is nothing of the kind.
    pub(crate) fn told(&mut self, world: &World, delivery: &Delivery<'_>) -> Result<bool, String> {
        let room = world.lobbies[self.number].room().name();
        let of_room = |told: &RoomName| {
            if told == room { Ok(()) } else { Err(format!("told of {told}, not of {room}")) }
        };
        if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
            of_room(state.room())?;
            if self.state.is_asked() {
                self.state = Watch::Known(PresenceState::clone(&state));
            }
        } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
            of_room(&diff.room)?;
            if let Watch::Known(state) = &mut self.state {
                let version = state.version();
                if !state.apply(&diff) {
                    return Err(format!("a difference of version {} after {version}", diff.version));
                }
            }
        } else if let Some(Ok(Shared(count))) = delivery.get_as(PRESENCE_COUNT) {
            of_room(&count.room)?;
            if self.count.is_asked() {
                self.count = Watch::Known(count.keys);
            }
        } else {
            return Ok(false);
        }
        self.answered += u64::from(delivery.via() == Some(Via::Direct));
        Ok(true)
    }

    /// Some of what it was to be told is lost, if it was to be told anything.
    pub(crate) fn lost(&mut self) -> bool {
        self.state.lose();
        self.count.lose();
        self.state.is_asked() || self.count.is_asked()
    }

    /// How many of the answers have not come: they may have been lost with direct messages. Counts anew from now on.
    pub(crate) fn take_unanswered(&mut self) -> u64 {
        std::mem::take(&mut self.asked).saturating_sub(std::mem::take(&mut self.answered))
    }

    /// Asks for what it has lost, with nobody else at it. Returns whether it had.
    pub(crate) fn refresh(&mut self, world: &World, socket: &Socket) -> bool {
        let is_missing = |is_known: bool, is_asked: bool| is_asked && !is_known;
        let state = is_missing(matches!(self.state, Watch::Known(_)), self.state.is_asked());
        let count = is_missing(matches!(self.count, Watch::Known(_)), self.count.is_asked());
        if state {
            self.state = Watch::Stale;
        }
        if count {
            self.count = Watch::Stale;
        }
        self.ask_anew(world, socket);
        state || count
    }

    /// What is wrong with what it knows, with nobody else at it and everything told and read.
    pub(crate) fn mistake(&self, presence: &Presence) -> Option<String> {
        let (list, keys) = (presence.list(), presence.count());
        match (&self.state, &self.count) {
            (Watch::Known(state), _) if state.entries() != list => {
                Some(format!("{:?} are known, {list:?} are there", state.entries()))
            }
            (_, Watch::Known(count)) if *count != keys => Some(format!("{count} keys are known of {keys}")),
            (Watch::Asked | Watch::Stale, _) | (_, Watch::Asked | Watch::Stale) => {
                Some(format!("has not got what it has asked for: {self:?}"))
            }
            _ => None,
        }
    }

    /// Whether it is listed as it is, and not if it is not present.
    pub(crate) fn is_listed(&self, entry: Option<&PresenceEntry>) -> bool {
        let listed = entry.map(|entry| (&*entry.key, entry.meta.as_str().unwrap_or_default()));
        listed == self.own.as_ref().map(|(key, meta)| (&**key, &**meta))
    }
}
