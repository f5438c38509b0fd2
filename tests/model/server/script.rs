//! What a program does, from outside and from inside what it is called back by. All numbers are taken modulo
//! what there is.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use roomcast::DisconnectReason;

/// What clients connect to: two that may exist, one that does not, and what is no path.
pub(crate) const PATHS: [&str; 4] = ["/chat", "/game", "/none", "/bad path"];
/// The one that is none.
pub(crate) const NO_PATH: usize = 3;
/// How many of them may exist.
pub(crate) const REAL: usize = 2;
pub(crate) const ROOMS: [&str; 3] = ["a", "b", "c"];
/// Waiting clients' events, and notes to a client that does not read, are no more than these.
pub(crate) const QUEUE: usize = 4;
/// In seconds.
pub(crate) const MIDDLEWARE_TIMEOUT: u64 = 3;
pub(crate) const CONNECT_TIMEOUT: u64 = 5;
pub(crate) const MAX_CONNECTIONS: usize = 5;

pub(crate) type Script = Arc<Vec<Act>>;

/// A client's wish to connect to a namespace, and what the server does about that socket.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// In the first middleware.
    pub(crate) first: Vec<Act>,
    pub(crate) verdict: Verdict,
    /// In the second one.
    pub(crate) later: Later,
    /// In the third one.
    pub(crate) last: Vec<Act>,
    pub(crate) connected: Vec<Act>,
    pub(crate) leaving: Vec<Act>,
    pub(crate) left: Vec<Act>,
    /// Whether it gets handlers of its own.
    pub(crate) has_own: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    Accept,
    Reject,
    Keep,
    Forget,
    Panic,
}

#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Connect { path: usize, attempt: Arc<Attempt> },
    Event { path: usize, event: usize, script: Script, wants_answer: bool },
    Answer { path: usize, id: u64 },
    Disconnect { path: usize },
}

/// What clients send: the names of events, and what comes of them.
pub(crate) const DO: usize = 0;
pub(crate) const OLD: usize = 1;
pub(crate) const BAD: usize = 2;
pub(crate) const ONCE: usize = 3;
pub(crate) const ASK: usize = 4;
pub(crate) const LATER: usize = 5;
pub(crate) const GARBLED: usize = 6;
pub(crate) const UNHEARD: usize = 7;
pub(crate) const RESERVED: usize = 8;
pub(crate) const GAP: usize = 9;
pub(crate) const KICK: usize = 10;
pub(crate) const FAIL: usize = 11;
pub(crate) const EVENTS: [&str; 12] =
    ["do", "old", "bad", "once", "ask", "later", "do", "unheard", "connect", "gap", "kick", "fail"];

#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Namespace(usize),
    Others(usize),
    Within(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Room(usize),
    Socket(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) from: From,
    pub(crate) to: Option<Vec<Spot>>,
    pub(crate) except: Vec<Spot>,
}

/// What is done about the answers to a message.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) timeout: Option<u64>,
    /// Called back, or else the handle is kept.
    pub(crate) callback: Option<Script>,
}

#[derive(Clone, Debug)]
pub(crate) enum Doing {
    List,
    Join(Vec<usize>),
    Leave(Vec<usize>),
    Disconnect(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum How {
    Look,
    Cancel,
    Drop,
    Listen(Script),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Join,
    Leave,
    Set,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Open,
    Send { conn: usize, packet: Packet },
    Close { conn: usize, reason: usize },
    DropOutbox { conn: usize },
    Drain { conn: usize },
    Move { socket: usize, change: Change, rooms: Vec<usize> },
    Emit { aim: Aim, wanted: Option<Wanted> },
    Direct { socket: usize, wanted: Option<Wanted> },
    Select { aim: Aim, doing: Doing },
    Disconnect { socket: usize, reason: usize },
    Answer { socket: usize, id: u64 },
    Decide { socket: usize, accepts: bool },
    Finish { ack: usize, how: How },
    Reply { ask: usize },
    Tick { by: u64 },
    Pin { space: usize, room: usize },
    Unpin { pin: usize },
    Capacity { space: usize, room: usize, capacity: Option<usize> },
    Lock { room: usize, is_locked: bool },
    SocketData { socket: usize, value: u32 },
    RoomData { space: usize, room: usize, value: u32 },
    Of { path: usize },
    Remove { path: usize },
    Shutdown,
    Panic,
}

pub(crate) fn reason(number: usize) -> DisconnectReason {
    [DisconnectReason::Server, DisconnectReason::Transport, "bye".into()][number % 3].clone()
}

/// A client connects, and nothing else comes of it.
pub(crate) fn connect(conn: usize, path: usize) -> Act {
    begin(conn, path, Vec::new(), Later::Accept)
}

/// A client connects, and its socket has joined a room when a middleware comes to no decision yet.
pub(crate) fn wait(conn: usize, path: usize) -> Act {
    begin(conn, path, vec![Act::Move { socket: 0, change: Change::Join, rooms: vec![0] }], Later::Keep)
}

fn begin(conn: usize, path: usize, first: Vec<Act>, later: Later) -> Act {
    let none = Vec::new;
    let attempt = Attempt {
        first,
        verdict: Verdict::Pass,
        later,
        last: none(),
        connected: none(),
        leaving: none(),
        left: none(),
        has_own: false,
    };
    Act::Send { conn, packet: Packet::Connect { path, attempt: Arc::new(attempt) } }
}

/// What a machine does how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) clients: u32,
    pub(crate) rooms: u32,
    pub(crate) emits: u32,
    pub(crate) acks: u32,
    pub(crate) selections: u32,
    pub(crate) ends: u32,
    pub(crate) times: u32,
    pub(crate) limits: u32,
    pub(crate) spaces: u32,
    /// How deep what is called back may call back.
    pub(crate) depth: u32,
}

pub(crate) const ANY: std::ops::Range<usize> = 0..60;

pub(crate) fn program(mix: Mix, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Act>> {
    vec(act(mix, mix.depth), count)
}

fn act(mix: Mix, depth: u32) -> BoxedStrategy<Act> {
    let kinds: [(u32, BoxedStrategy<Act>); 10] = [
        (mix.clients, client(mix, depth)),
        (mix.rooms, moving()),
        (mix.emits, emit(None.into()).boxed()),
        (mix.acks, acks(mix, depth)),
        (mix.selections, (aim(), doing()).prop_map(|(aim, doing)| Act::Select { aim, doing }).boxed()),
        (mix.ends, ending()),
        (mix.times, time()),
        (mix.limits, limits()),
        (mix.spaces, spaces()),
        (u32::from(depth < mix.depth), Just(Act::Panic).boxed()),
    ];
    Union::new_weighted(kinds.into_iter().filter(|(weight, _)| *weight > 0).collect()).boxed()
}

fn acts(mix: Mix, depth: u32, most: usize) -> BoxedStrategy<Vec<Act>> {
    match depth {
        0 => Just(Vec::new()).boxed(),
        _ => prop_oneof![2 => Just(Vec::new()), 3 => vec(act(mix, depth - 1), 1..=most)].boxed(),
    }
}

fn client(mix: Mix, depth: u32) -> BoxedStrategy<Act> {
    let path = || prop_oneof![8 => Just(0_usize), 6 => Just(1), 1 => 2..4_usize];
    let event = prop_oneof![
        12 => Just(DO), 2 => Just(OLD), 1 => Just(BAD), 1 => Just(ONCE), 3 => Just(ASK), 3 => Just(LATER),
        1 => Just(GARBLED), 1 => Just(UNHEARD), 1 => Just(GAP), 1 => Just(KICK), 1 => Just(FAIL),
        1 => prop_oneof![9 => Just(DO), 1 => Just(RESERVED)],
    ];
    let script = acts(mix, depth, 4).prop_map(Arc::new);
    let packet = prop_oneof![
        6 => (path(), attempt(mix, depth)).prop_map(|(path, attempt)| {
            Packet::Connect { path, attempt: Arc::new(attempt) }
        }),
        8 => (path(), event, script, any::<bool>()).prop_map(|(path, event, script, wants_answer)| {
            Packet::Event { path, event, script, wants_answer }
        }),
        3 => (path(), 0..12_u64).prop_map(|(path, id)| Packet::Answer { path, id }),
        1 => path().prop_map(|path| Packet::Disconnect { path }),
    ];
    prop_oneof![
        16 => (ANY, packet).prop_map(|(conn, packet)| Act::Send { conn, packet }),
        1 => Just(Act::Open),
        5 => ANY.prop_map(|conn| Act::Drain { conn }),
        2 => ANY.prop_map(|ask| Act::Reply { ask }),
        3 => (ANY, prop::bool::weighted(0.7)).prop_map(|(socket, accepts)| Act::Decide { socket, accepts }),
    ]
    .boxed()
}

fn attempt(mix: Mix, depth: u32) -> impl Strategy<Value = Attempt> {
    use Later::{Accept, Forget, Keep, Panic, Reject};
    let verdict = prop_oneof![12 => Just(Verdict::Pass), 1 => Just(Verdict::Fail), 1 => Just(Verdict::Panic)];
    let later = select(&[Accept, Accept, Accept, Accept, Accept, Keep, Keep, Reject, Forget, Panic][..]);
    let some = move || acts(mix, depth, 2);
    (some(), verdict, later, some(), some(), some(), some(), any::<bool>()).prop_map(
        |(first, verdict, later, last, connected, leaving, left, has_own)| Attempt {
            first,
            verdict,
            later,
            last,
            connected,
            leaving,
            left,
            has_own,
        },
    )
}

fn moving() -> BoxedStrategy<Act> {
    let change = prop_oneof![5 => Just(Change::Join), 2 => Just(Change::Leave), 1 => Just(Change::Set)];
    (ANY, change, rooms()).prop_map(|(socket, change, rooms)| Act::Move { socket, change, rooms }).boxed()
}

fn rooms() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![3 => vec(0..ROOMS.len(), 1), 1 => vec(0..ROOMS.len(), 0..2), 3 => vec(0..ROOMS.len(), 2..5)]
}

fn emit(wanted: BoxedWanted) -> impl Strategy<Value = Act> {
    let wanted = wanted.0;
    prop_oneof![
        3 => (aim(), wanted.clone()).prop_map(|(aim, wanted)| Act::Emit { aim, wanted }),
        1 => (ANY, wanted).prop_map(|(socket, wanted)| Act::Direct { socket, wanted }),
    ]
}

/// How answers are wanted, or that none are.
struct BoxedWanted(BoxedStrategy<Option<Wanted>>);

impl std::convert::From<Option<BoxedStrategy<Wanted>>> for BoxedWanted {
    fn from(wanted: Option<BoxedStrategy<Wanted>>) -> Self {
        Self(wanted.map_or_else(|| Just(None).boxed(), |wanted| wanted.prop_map(Some).boxed()))
    }
}

fn acks(mix: Mix, depth: u32) -> BoxedStrategy<Act> {
    let script = move || acts(mix, depth, 2).prop_map(Arc::new);
    let wanted = (prop::option::of(0..5_u64), prop::option::of(script()))
        .prop_map(|(timeout, callback)| Wanted { timeout, callback });
    let how = prop_oneof![
        2 => Just(How::Look), 2 => Just(How::Cancel), 1 => Just(How::Drop), 2 => script().prop_map(How::Listen)
    ];
    prop_oneof![
        3 => emit(Some(wanted.boxed()).into()),
        3 => (ANY, 0..12_u64).prop_map(|(socket, id)| Act::Answer { socket, id }),
        2 => (ANY, how).prop_map(|(ack, how)| Act::Finish { ack, how }),
    ]
    .boxed()
}

fn aim() -> impl Strategy<Value = Aim> {
    let from = prop_oneof![
        3 => ANY.prop_map(From::Namespace), 3 => ANY.prop_map(From::Others), 1 => ANY.prop_map(From::Within)
    ];
    let spot = || prop_oneof![4 => (0..ROOMS.len()).prop_map(Spot::Room), 1 => ANY.prop_map(Spot::Socket)];
    let to = prop_oneof![2 => Just(None), 5 => vec(spot(), 0..4).prop_map(Some)];
    let except = prop_oneof![4 => Just(Vec::new()), 2 => vec(spot(), 1..3)];
    (from, to, except).prop_map(|(from, to, except)| Aim { from, to, except })
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        3 => Just(Doing::List), 3 => rooms().prop_map(Doing::Join), 2 => rooms().prop_map(Doing::Leave),
        1 => ANY.prop_map(Doing::Disconnect),
    ]
}

fn ending() -> BoxedStrategy<Act> {
    prop_oneof![
        6 => (ANY, ANY).prop_map(|(socket, reason)| Act::Disconnect { socket, reason }),
        2 => (ANY, ANY).prop_map(|(conn, reason)| Act::Close { conn, reason }),
        1 => ANY.prop_map(|conn| Act::DropOutbox { conn }),
    ]
    .boxed()
}

fn time() -> BoxedStrategy<Act> {
    (0..3_u64).prop_map(|by| Act::Tick { by }).boxed()
}

fn limits() -> BoxedStrategy<Act> {
    let room = || 0..ROOMS.len();
    prop_oneof![
        4 => (ANY, room()).prop_map(|(space, room)| Act::Pin { space, room }),
        1 => ANY.prop_map(|pin| Act::Unpin { pin }),
        5 => (ANY, room(), prop::option::weighted(0.8, 0..3_usize))
            .prop_map(|(space, room, capacity)| Act::Capacity { space, room, capacity }),
        2 => (room(), any::<bool>()).prop_map(|(room, is_locked)| Act::Lock { room, is_locked }),
        1 => (ANY, 0..100_u32).prop_map(|(socket, value)| Act::SocketData { socket, value }),
        1 => (ANY, room(), 0..100_u32).prop_map(|(space, room, value)| Act::RoomData { space, room, value }),
    ]
    .boxed()
}

fn spaces() -> BoxedStrategy<Act> {
    prop_oneof![
        12 => (0..REAL).prop_map(|path| Act::Of { path }),
        6 => (0..REAL).prop_map(|path| Act::Remove { path }),
        1 => Just(Act::Shutdown),
    ]
    .boxed()
}
