//! What is worth doing often.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::mail::MIN_SIZE;
use crate::op::{Change, From, Op, Place, Read, Route};
use crate::world::Limits;

/// What a machine does how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// Sizes around the edges: of segments, of limits.
    pub(crate) times: &'static [usize],
    pub(crate) sizes: &'static [usize],
    /// How many rooms a socket joins, leaves or sets at a time; what is long comes as a range.
    pub(crate) rooms: &'static [usize],
    pub(crate) moves: u32,
    pub(crate) emits: u32,
    pub(crate) reads: u32,
    pub(crate) ends: u32,
    pub(crate) keeps: u32,
    pub(crate) backlogs: u32,
    pub(crate) watches: u32,
}

pub(crate) const PLAIN: Mix = Mix {
    times: &[1, 1, 1, 1, 1, 2, 3, 4, 5, 8, 11, 12, 13, 16, 28, 29, 33],
    sizes: &[MIN_SIZE, 40],
    rooms: &[0, 1, 1, 1, 2, 3],
    moves: 10,
    emits: 20,
    reads: 8,
    ends: 1,
    keeps: 2,
    backlogs: 0,
    watches: 0,
};

const ANY: std::ops::Range<usize> = 0..1000;

pub(crate) fn ops(mix: Mix, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Op>> {
    vec(op(mix), count)
}

pub(crate) fn op(mix: Mix) -> impl Strategy<Value = Op> {
    let kinds: [(u32, BoxedStrategy<Op>); 8] = [
        (mix.moves, moving(mix).boxed()),
        (mix.emits, emit(mix).boxed()),
        (mix.reads, (ANY, read()).prop_map(|(socket, read)| Op::Read { socket, read }).boxed()),
        (mix.ends, ending().boxed()),
        (mix.keeps, keeping().boxed()),
        (mix.backlogs, backlog().boxed()),
        (mix.watches, watching().boxed()),
        (1, prop_oneof![2 => Just(Op::Connect), 1 => Just(Op::Look)].boxed()),
    ];
    Union::new_weighted(kinds.into_iter().filter(|(weight, _)| *weight > 0).collect())
}

pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    let messages = select(&[1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 4096][..]);
    let bytes = select(&[1, 8, 63, 64, 65, 200, 1000, 1 << 20, 1 << 20, 1 << 20][..]);
    (messages, bytes, prop::bool::weighted(0.3)).prop_map(|(messages, bytes, disconnects)| Limits {
        messages,
        bytes,
        disconnects,
    })
}

fn moving(mix: Mix) -> impl Strategy<Value = Op> {
    let change = prop_oneof![3 => Just(Change::Join), 2 => Just(Change::Leave), 1 => Just(Change::Set)];
    prop_oneof![
        12 => (ANY, change, rooms(mix), any::<bool>()).prop_map(|(socket, change, rooms, by_handle)| {
            Op::Move { socket, change, rooms, by_handle }
        }),
        1 => ANY.prop_map(|socket| Op::LeaveAll { socket }),
    ]
}

fn rooms(mix: Mix) -> impl Strategy<Value = Vec<usize>> {
    (select(mix.rooms), ANY).prop_flat_map(|(count, first)| match count {
        0..=4 => vec(ANY, count).boxed(),
        _ => Just((first..first + count).collect()).boxed(),
    })
}

fn emit(mix: Mix) -> impl Strategy<Value = Op> {
    (select(mix.times), select(mix.sizes), ANY, any::<bool>(), route()).prop_map(
        |(times, size, event, is_resolved, route)| Op::Emit { times, size, event, is_resolved, route },
    )
}

fn route() -> impl Strategy<Value = Route> {
    prop_oneof![
        8 => (from(), to(), except(), any::<bool>())
            .prop_map(|(from, to, except, as_target)| Route::Places { from, to, except, as_target }),
        2 => (from(), ANY).prop_map(|(from, target)| Route::Kept { from, target }),
        1 => ANY.prop_map(|socket| Route::Direct { socket }),
        3 => (ANY, prop::option::of(ANY)).prop_map(|(room, from)| Route::Room { room, from }),
    ]
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![2 => Just(From::Namespace), 2 => ANY.prop_map(From::Others), 1 => ANY.prop_map(From::Within)]
}

fn to() -> impl Strategy<Value = Option<Vec<Place>>> {
    prop_oneof![
        2 => Just(None),
        4 => vec(place(), 1).prop_map(Some),
        4 => vec(place(), 0..5).prop_map(Some),
    ]
}

fn except() -> impl Strategy<Value = Vec<Place>> {
    prop_oneof![5 => Just(Vec::new()), 2 => vec(place(), 1), 1 => vec(place(), 2..4)]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        4 => ANY.prop_map(Place::Room),
        2 => ANY.prop_map(Place::Handle),
        1 => ANY.prop_map(Place::Socket),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    let few = || select(&[0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 40][..]);
    prop_oneof![
        6 => Just(Read::Drain),
        4 => few().prop_map(Read::Next),
        1 => few().prop_map(Read::Poll),
        1 => few().prop_map(Read::Iter),
        1 => few().prop_map(Read::Panic),
        1 => few().prop_map(Read::Wait),
    ]
}

fn ending() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (ANY, ANY).prop_map(|(socket, reason)| Op::Disconnect { socket, reason }),
        1 => ANY.prop_map(|socket| Op::DropInbox { socket }),
    ]
}

fn keeping() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => ANY.prop_map(|room| Op::KeepHandle { room }),
        2 => ANY.prop_map(|handle| Op::DropHandle { handle }),
        3 => (ANY, to(), except()).prop_map(|(slot, to, except)| Op::KeepTarget { slot, to, except }),
    ]
}

fn backlog() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (ANY, limits()).prop_map(|(room, limits)| Op::RoomBacklog { room, limits }),
        1 => limits().prop_map(|limits| Op::Backlog { limits }),
    ]
}

fn watching() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => ANY.prop_map(|socket| Op::Watch { socket }),
        1 => ANY.prop_map(|socket| Op::Unwatch { socket }),
    ]
}
