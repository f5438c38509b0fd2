//! Seeded defects: mistakes that could be made here, each in one line at its place. `.ci/defects` shows that each
//! kind of test still finds those that it is there for.
//!
//! `ROOMCAST_DEFECT=relaxed-publish` makes that one, in builds with `--cfg roomcast_defects` or for a checker. In all
//! others there are none, and an optimised build holds nothing of this.

use std::env;
// Not those of `crate::sync`: this is no step of a model.
use std::sync::atomic::{AtomicU8, Ordering};

const IS_SEEDED: bool =
    cfg!(any(roomcast_defects, roomcast_lock_order, roomcast_loom, roomcast_shuttle, roomcast_tsan));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A message is published by a store that does not take the message along.
    RelaxedPublish,
    /// A reader takes the last slot of a segment for the end.
    SegmentEdge,
    /// A segment is referred to once more than is ever given back.
    ForgottenArc,
    /// A link gives back one reference more than it has.
    ExtraTicket,
    /// A message takes its sequence before it has its room's lock.
    EarlySequence,
    /// Sleepers are woken while their room is locked.
    LockOverHandler,
    /// A union locks its rooms in the order in which they were named.
    UnsortedUnion,
    /// A reader looks at its mailbox before it has the lock under which it goes to sleep.
    LostWake,
    /// A drain takes its horizon after it has looked at its mailbox.
    LateHorizon,
    /// A member of two rooms gets the message to both of them twice.
    UnionTwice,
    /// A gap tells of one message more than was missed.
    GapCount,
    /// A past ends before the last message that there was when the socket joined.
    PastSeam,
    /// A past begins after the first message that was wanted.
    PastStart,
    /// A socket joins in another hold of the room's lock than the one in which it got the past.
    LooseSeam,
    /// A message is told that it is replaced before the one that replaces it is in the log.
    EarlyReplaced,
    /// Who goes and comes back between two differences is told as one who left and another who came.
    LostPlace,
    /// Who begins to watch is sent who is there now, and the next difference to that too.
    EarlyState,
    /// What changes while a difference is made is told with no later one, unless more changes.
    LateClean,
    /// A cell that is wanted already is wanted for no reason more.
    FewReasons,
    /// A tick begins after the first message of it.
    TickEdge,
    /// The last message that a client has seen is sent to it again when it comes back.
    SeenAgain,
    /// What a lost connection had to send is put away, though somebody waits for it.
    DeafPark,
}

const DEFECTS: [(&str, Defect); 22] = [
    ("relaxed-publish", Defect::RelaxedPublish),
    ("segment-edge", Defect::SegmentEdge),
    ("forgotten-arc", Defect::ForgottenArc),
    ("extra-ticket", Defect::ExtraTicket),
    ("early-sequence", Defect::EarlySequence),
    ("lock-over-handler", Defect::LockOverHandler),
    ("unsorted-union", Defect::UnsortedUnion),
    ("lost-wake", Defect::LostWake),
    ("late-horizon", Defect::LateHorizon),
    ("union-twice", Defect::UnionTwice),
    ("gap-count", Defect::GapCount),
    ("past-seam", Defect::PastSeam),
    ("past-start", Defect::PastStart),
    ("loose-seam", Defect::LooseSeam),
    ("early-replaced", Defect::EarlyReplaced),
    ("lost-place", Defect::LostPlace),
    ("early-state", Defect::EarlyState),
    ("late-clean", Defect::LateClean),
    ("few-reasons", Defect::FewReasons),
    ("tick-edge", Defect::TickEdge),
    ("seen-again", Defect::SeenAgain),
    ("deaf-park", Defect::DeafPark),
];

/// Whether this defect is to be made.
#[inline(always)]
pub(crate) fn is(defect: Defect) -> bool {
    IS_SEEDED && chosen() == Some(defect)
}

fn chosen() -> Option<Defect> {
    /// The place of the one that is chosen, or one of these.
    static CHOSEN: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = u8::MAX;
    const NONE: u8 = UNKNOWN - 1;

    let mut chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen == UNKNOWN {
        chosen = env::var("ROOMCAST_DEFECT").map_or(NONE, |name| {
            let place = DEFECTS.iter().position(|(known, _)| *known == name);
            place.unwrap_or_else(|| panic!("ROOMCAST_DEFECT={name}: there is no such defect")) as u8
        });
        CHOSEN.store(chosen, Ordering::Relaxed);
    }
    DEFECTS.get(usize::from(chosen)).map(|(_, defect)| *defect)
}
