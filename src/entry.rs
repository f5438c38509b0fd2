//! What lies in a slot of a room's log, and who it is for.

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::defect::{self, Defect};
use crate::payload::Payload;
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::terms::{Latest, Terms};

/// One message, 24 bytes. The short forms are those of every day; the rest is in an [`Audience`].
///
/// The representation puts event and payload at the same place in all forms, so that neither needs a look
/// at the form.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Entry {
    /// For every member.
    All { event: u32, payload: Payload, sender: Option<SocketId> },
    /// For every member but the sender.
    NotSender { event: u32, payload: Payload, sender: SocketId },
    /// For every member but this one.
    NotSocket { event: u32, payload: Payload, excluded: SocketId },
    /// For whom the audience says, and under the name that it says, if the event is [`NAMED`].
    Aimed { event: u32, payload: Payload, audience: Arc<Audience> },
}

/// The event number of a message that carries its name in the audience.
pub(crate) const NAMED: u32 = u32::MAX;

/// Who a message is for, beyond the short forms. Shared by all copies of a message in several rooms,
/// and by all messages to one reusable target.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    /// The rooms by id, in the order in which they were listed, without duplicates. A socket gets the
    /// copy in the first of them that it was a member of.
    pub(crate) rooms: SmallVec<[u64; 4]>,
    pub(crate) except_rooms: SmallVec<[u64; 2]>,
    pub(crate) except_sockets: SmallVec<[SocketId; 2]>,
    pub(crate) sender: Option<SocketId>,
    pub(crate) except_sender: bool,
    /// The event name, when the event table has no number for it.
    pub(crate) name: Option<SmolStr>,
    pub(crate) frame: Frame,
    /// On what terms it is delivered, if there are any.
    pub(crate) terms: Option<Box<Terms>>,
    /// The room whose members all have their copy there, if one is known: the first, if nobody is left out.
    pub(crate) clear_in: Option<u64>,
}

/// What a message is to those who get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An event.
    #[default]
    Event,
    /// An event that wants an answer, under this number.
    Question(u64),
    /// The answer to an event of the other side, which had this number.
    Answer(u64),
}

impl Entry {
    #[inline]
    pub(crate) fn payload(&self) -> &Payload {
        match self {
            Self::All { payload, .. }
            | Self::NotSender { payload, .. }
            | Self::NotSocket { payload, .. }
            | Self::Aimed { payload, .. } => payload,
        }
    }

    #[inline]
    pub(crate) fn event(&self) -> u32 {
        match self {
            Self::All { event, .. }
            | Self::NotSender { event, .. }
            | Self::NotSocket { event, .. }
            | Self::Aimed { event, .. } => *event,
        }
    }

    pub(crate) fn sender(&self) -> Option<SocketId> {
        match self {
            Self::All { sender, .. } => *sender,
            Self::NotSender { sender, .. } => Some(*sender),
            Self::NotSocket { .. } => None,
            Self::Aimed { audience, .. } => audience.sender,
        }
    }

    pub(crate) fn frame(&self) -> Frame {
        match self {
            Self::Aimed { audience, .. } => audience.frame,
            _ => Frame::Event,
        }
    }

    pub(crate) fn is_volatile(&self) -> bool {
        self.terms().is_some_and(|terms| terms.slack.is_some())
    }

    /// Whether a history keeps it.
    pub(crate) fn is_kept(&self) -> bool {
        !self.is_volatile() && self.frame() == Frame::Event
    }

    /// Whether its lifetime is not over, and nothing below this sequence has replaced it.
    pub(crate) fn is_current(&self, horizon: u64) -> bool {
        self.terms().is_none_or(|terms| {
            terms.lifetime.as_ref().is_none_or(|lifetime| !lifetime.is_over())
                && terms.latest.as_ref().and_then(Latest::replaced_at).is_none_or(|at| at >= horizon)
        })
    }

    /// What replaces it, or is replaced by it, has this in common with it.
    #[inline]
    pub(crate) fn latest(&self) -> Option<&Latest> {
        self.terms()?.latest.as_ref()
    }

    #[inline]
    pub(crate) fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Aimed { audience, .. } => audience.terms.as_deref(),
            _ => None,
        }
    }

    /// Whether it is for `socket`, and no more need be known to tell: most are.
    #[inline(always)]
    pub(crate) fn is_plain_for(&self, socket: SocketId) -> bool {
        match self {
            Self::All { .. } => true,
            Self::NotSender { sender, .. } => *sender != socket,
            Self::NotSocket { .. } | Self::Aimed { .. } => false,
        }
    }

    /// Whether `socket` is left out by identity: as the sender, or by its id.
    #[inline]
    pub(crate) fn excludes(&self, socket: SocketId) -> bool {
        match self {
            Self::All { .. } => false,
            Self::NotSender { sender, .. } => *sender == socket,
            Self::NotSocket { excluded, .. } => *excluded == socket,
            Self::Aimed { audience, .. } => audience.excludes(socket),
        }
    }
}

impl Audience {
    /// All members of one room.
    pub(crate) fn of_room(room: u64) -> Self {
        Self { rooms: SmallVec::from_slice(&[room]), ..Self::default() }
    }

    /// Whether `socket` is left out by identity.
    #[inline(always)]
    pub(crate) fn excludes(&self, socket: SocketId) -> bool {
        self.except_sockets.contains(&socket) || self.except_sender && self.sender == Some(socket)
    }

    /// Whether it takes a look at memberships to tell who a message is for.
    pub(crate) fn asks_for_rooms(&self) -> bool {
        self.rooms.len() > 1 || !self.except_rooms.is_empty()
    }

    /// Makes it ready to be shared by all copies.
    pub(crate) fn share(mut self) -> Arc<Self> {
        if self.except_rooms.is_empty() && self.except_sockets.is_empty() && !self.except_sender {
            self.clear_in = self.rooms.first().copied();
        }
        Arc::new(self)
    }

    /// Whether a member of room `here` is to have the copy there, when `was_member` tells which other
    /// rooms it was a member of as the message was published.
    #[inline]
    pub(crate) fn is_for(&self, socket: SocketId, here: u64, was_member: impl Fn(u64) -> bool) -> bool {
        if self.clear_in == Some(here) {
            return true;
        }
        if self.excludes(socket) || self.except_rooms.iter().any(|&room| room == here || was_member(room)) {
            return false;
        }

        let first = self.rooms.iter().find(|&&room| room == here || was_member(room));
        defect::is(Defect::UnionTwice) || first == Some(&here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_half_a_cache_line() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn the_first_listed_room_of_a_member_has_its_copy() {
        let id = SocketId::from_bits(1 << 32).unwrap();
        let audience = Audience {
            rooms: SmallVec::from_slice(&[7, 5, 9]),
            except_rooms: SmallVec::from_slice(&[3]),
            ..Audience::default()
        }
        .share();
        let is_for = |here, other| audience.is_for(id, here, |room| room == other);
        assert!(is_for(7, 5) && is_for(5, 9) && is_for(9, 1));
        assert!(!is_for(9, 5));
        assert!(!is_for(5, 3) && !is_for(7, 3) && !is_for(3, 7));
        assert!(!is_for(5, 7));
    }

    #[test]
    fn all_members_of_the_first_room_have_its_copy_unless_somebody_is_left_out() {
        let [a, b] = [1, 2].map(|bits| SocketId::from_bits(1 << 32 | bits).unwrap());
        let audience =
            || Audience { sender: Some(a), rooms: SmallVec::from_slice(&[7, 5]), ..Audience::default() };
        let but = |except_sockets, except_sender, except_rooms| {
            Audience { except_sockets, except_sender, except_rooms, ..audience() }.share()
        };
        let [nobody, one] = [SmallVec::new(), SmallVec::from_slice(&[a])];
        for (audience, is_for_a) in [
            (audience().share(), true),
            (but(nobody.clone(), true, SmallVec::new()), false),
            (but(one, false, SmallVec::new()), false),
            (but(nobody, false, SmallVec::from_slice(&[3])), true),
        ] {
            let is_for = |socket, here| audience.is_for(socket, here, |room| room == 7);
            assert_eq!((is_for(a, 7), is_for(b, 7)), (is_for_a, true));
            assert!(!is_for(a, 5) && !is_for(b, 5));
        }
    }

    #[test]
    fn exclusion_is_by_identity() {
        let [a, b] = [1, 2].map(|bits| SocketId::from_bits(1 << 32 | bits).unwrap());
        let payload = Payload::default();
        assert!(!Entry::All { payload: payload.clone(), event: 0, sender: Some(a) }.excludes(a));
        let entry = Entry::NotSender { payload: payload.clone(), event: 0, sender: a };
        assert_eq!((entry.excludes(a), entry.excludes(b), entry.sender()), (true, false, Some(a)));
        let entry = Entry::NotSocket { payload, event: 0, excluded: b };
        assert_eq!((entry.excludes(a), entry.excludes(b), entry.sender()), (false, true, None));
    }
}
