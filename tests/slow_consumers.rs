//! Sockets that do not read, in every way that one can be emitted to: each is told of all that it does not get,
//! those who read lose nothing, and the publisher does the same work for it.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::fmt;
use std::sync::mpsc::channel;
use std::thread;

use common::watched;
use counting::allocations;
use roomcast::{
    Backlog, DisconnectReason, EmitError, Emitted, Engine, Inbox, Namespace, Overflow, Payload, Socket,
};

const CROWD: usize = 20;
/// How many messages a log keeps, and how many bytes: so the largest payloads meet the second limit.
const LIMIT: usize = 32;
const BYTES: usize = 1 << 20;
const PUBLISHED: usize = 5 * LIMIT;

type Share = (&'static str, &'static [usize]);
const NOBODY: Share = ("nobody", &[]);
const SHARES: [Share; 3] = [
    ("one", &[2]),
    ("one in ten", &[2, 12]),
    ("all", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
];
const POLICIES: [Overflow; 2] = [Overflow::DropOldest, Overflow::Disconnect];
const SIZES: [usize; 3] = [0, 1, 64 << 10];

/// What is emitted. All are in room `a`, those with odd numbers in `b` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Room,
    Union,
    Everyone,
    Direct,
    /// From the first one, to all in `a` but itself and those in `b`.
    Except,
    Volatile,
    /// Each of the others in turn.
    Mixed,
}

const KINDS: [Kind; 7] =
    [Kind::Room, Kind::Union, Kind::Everyone, Kind::Direct, Kind::Except, Kind::Volatile, Kind::Mixed];

/// A cell of the table, named by its `Debug` when something is wrong.
#[derive(Clone, Copy)]
struct Cell {
    share: Share,
    policy: Overflow,
    kind: Kind,
    size: usize,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share: (share, _), policy, kind, size } = self;
        write!(f, "{share} stalled, {policy:?}, {kind:?}, {size} bytes")
    }
}

fn cells() -> impl Iterator<Item = Cell> {
    SHARES.into_iter().flat_map(|share| {
        POLICIES.into_iter().flat_map(move |policy| {
            KINDS
                .into_iter()
                .flat_map(move |kind| SIZES.into_iter().map(move |size| Cell { share, policy, kind, size }))
        })
    })
}

struct Member {
    socket: Socket,
    inbox: Inbox,
    stalls: bool,
    /// The sequences of what was emitted to it.
    owed: Vec<u64>,
    /// The sequences of what it has read.
    got: Vec<u64>,
    lost: u64,
}

impl Member {
    fn read(&mut self, cell: Cell) {
        let Self { inbox, got, lost, .. } = self;
        inbox.drain(|delivery| match delivery.gap() {
            Some(gap) => {
                assert!(gap.exact, "{cell:?}: {gap:?}");
                *lost += gap.missed;
            }
            None => {
                assert_eq!(delivery.payload().len(), cell.size, "{cell:?}");
                got.push(delivery.sequence());
            }
        });
    }

    fn accounted_for(&self) -> u64 {
        self.got.len() as u64 + self.lost + self.inbox.volatile_dropped()
    }
}

struct Crowd {
    cell: Cell,
    namespace: Namespace,
    members: Vec<Member>,
    payload: Payload,
    /// What the publisher has allocated in its emits.
    allocations: u64,
}

impl Crowd {
    fn new(cell: Cell) -> Self {
        let backlog = Backlog::new().messages(LIMIT).unwrap().bytes(BYTES).unwrap().overflow(cell.policy);
        let namespace = Engine::builder().backlog(backlog).volatile_backlog(8).build().of("/").unwrap();
        let members = (0..CROWD).map(|number| {
            let (socket, inbox) = namespace.connect();
            socket.join(if number % 2 == 0 { &["a"][..] } else { &["a", "b"] }).unwrap();
            let stalls = cell.share.1.contains(&number);
            Member { socket, inbox, stalls, owed: Vec::new(), got: Vec::new(), lost: 0 }
        });
        Self {
            cell,
            members: members.collect(),
            namespace,
            payload: vec![7; cell.size].into(),
            allocations: 0,
        }
    }

    /// Emits one message of this kind; or one to each, if it is direct.
    fn emit(&mut self, kind: Kind) {
        if kind == Kind::Direct {
            for number in 0..CROWD {
                self.account(|it| it.members[number].socket.emit("n", &it.payload), |other| other == number);
            }
            return;
        }
        let emit = |it: &Self| match kind {
            Kind::Room => it.namespace.to("a").emit("n", &it.payload),
            Kind::Union => it.namespace.to(["a", "b"]).emit("n", &it.payload),
            Kind::Everyone => it.namespace.emit("n", &it.payload),
            Kind::Except => it.members[0].socket.to("a").except("b").emit("n", &it.payload),
            Kind::Volatile => it.namespace.to("a").volatile().emit("n", &it.payload),
            Kind::Direct | Kind::Mixed => unreachable!("made of the others"),
        };
        self.account(emit, |number| kind != Kind::Except || (number != 0 && number % 2 == 0));
    }

    /// Takes down whom a message is owed to: those it is `for_whom`, if they are connected.
    fn account(
        &mut self,
        emit: impl FnOnce(&Self) -> Result<Emitted, EmitError>,
        for_whom: impl Fn(usize) -> bool,
    ) {
        let connected: Vec<_> = self.members.iter().map(|it| it.socket.is_connected()).collect();
        let before = allocations();
        let emitted = emit(self);
        self.allocations += allocations() - before;
        let sequence = match emitted {
            Ok(emitted) => emitted.sequence(),
            Err(EmitError::Closed(DisconnectReason::Backlog)) => None, // the one that emits, or is emitted to
            Err(error) => panic!("{:?}: {error}", self.cell),
        };
        for (number, member) in self.members.iter_mut().enumerate() {
            if connected[number] && for_whom(number) {
                member.owed.extend(sequence);
            }
        }
    }

    fn publish(&mut self) {
        for n in 0..PUBLISHED {
            let kind =
                if self.cell.kind == Kind::Mixed { KINDS[n % (KINDS.len() - 1)] } else { self.cell.kind };
            self.emit(kind);
            for member in self.members.iter_mut().filter(|member| !member.stalls) {
                member.read(self.cell);
            }
        }
    }
}

#[test]
fn each_gets_or_is_told_that_it_has_lost_what_was_emitted_to_it() {
    let mut count = 0;
    for cell in cells() {
        let mut crowd = Crowd::new(cell);
        crowd.publish();
        for (number, member) in crowd.members.iter_mut().enumerate() {
            member.read(cell);
            let place = format!("{cell:?}: number {number}");
            let Member { socket, inbox, stalls, owed, got, lost } = &*member;
            assert!(got.is_sorted_by(|a, b| a < b), "{place}: {got:?}");
            assert!(got.iter().all(|it| owed.binary_search(it).is_ok()), "{place}: {got:?} of {owed:?}");
            assert_eq!(member.accounted_for(), owed.len() as u64, "{place}");
            let loses_nothing = cell.kind == Kind::Except && number == 0;
            if !stalls || loses_nothing {
                assert_eq!((got, *lost, inbox.closed()), (owed, 0, None), "{place}");
            } else if cell.policy == Overflow::Disconnect {
                assert_eq!(socket.closed(), Some(DisconnectReason::Backlog), "{place}");
                assert_eq!(inbox.closed(), Some(&DisconnectReason::Backlog), "{place}");
            } else {
                assert_eq!(inbox.closed(), None, "{place}");
                assert!(got.len() < owed.len() || owed.is_empty(), "{place}: {} of it", got.len());
            }
        }
        count += 1;
    }
    println!("{count} cells, {PUBLISHED} messages each, {CROWD} sockets");
}

#[test]
fn those_who_stall_cost_the_publisher_no_allocation() {
    for kind in KINDS {
        let allocations = |share| {
            let mut crowd = Crowd::new(Cell { share, policy: Overflow::DropOldest, kind, size: 1 });
            (0..3).for_each(|_| crowd.publish());
            crowd.allocations = 0;
            crowd.publish();
            crowd.allocations
        };
        let nobody = allocations(NOBODY);
        for share in SHARES {
            // What is remembered of lost messages that were not for everyone doubles now and then, in two logs.
            let stalled = allocations(share);
            assert!(stalled <= nobody + 4, "{kind:?}: {stalled} with {} stalled, {nobody} without", share.0);
        }
    }
}

#[test]
fn one_that_is_stuck_in_its_drain_holds_up_nobody() {
    watched("a publisher beside a drain that does not end", || {
        for (policy, kind) in POLICIES.into_iter().flat_map(|policy| KINDS.map(|kind| (policy, kind))) {
            let cell = Cell { share: NOBODY, policy, kind, size: 1 };
            let mut crowd = Crowd::new(cell);
            let (stuck, mut inbox) = crowd.namespace.connect();
            stuck.join(["a", "b"]).unwrap();
            stuck.emit("n", &crowd.payload).unwrap();
            let (entered, is_in) = channel();
            let (let_out, wait) = channel::<()>();
            let drain = thread::spawn(move || {
                inbox.drain(|_| {
                    _ = entered.send(());
                    _ = wait.recv(); // at once, from the second on
                })
            });
            is_in.recv().unwrap();
            crowd.publish();
            assert!(crowd.members.iter().all(|it| it.got == it.owed), "{cell:?}");
            drop(let_out);
            assert!(drain.join().unwrap() > 0, "{cell:?}");
        }
    });
}
