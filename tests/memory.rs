//! Memory is bounded, and comes back.
//!
//! The bound, for one room with limit L and segments of at most S messages (`Backlog::segment_messages`):
//! the room holds at most L + S messages, whoever stalls, and each stalled socket at most S more, those
//! of the one segment that it is in.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::thread;

use common::{Live, messages, read};
use counting::live_bytes;
use roomcast::{Engine, GapReason, Inbox, Namespace, Payload, Socket};

fn namespace(limit: usize) -> Namespace {
    Engine::builder().backlog(messages(limit)).build().of("/memory").unwrap()
}

fn join(namespace: &Namespace, room: &str) -> (Socket, Inbox) {
    let (socket, inbox) = namespace.connect();
    socket.join(room).unwrap();
    (socket, inbox)
}

#[test]
fn live_payloads_never_pass_the_bound() {
    for limit in [1, 8, 100, 1024] {
        let live = Live::default();
        let namespace = namespace(limit);
        let room = namespace.room("room").unwrap();
        let segment = messages(limit).segment_messages();
        let mut stalled = Vec::new();
        let (_reading, mut reader) = join(&namespace, "room");
        for n in 0..20 * limit + 200 {
            if n % (limit + 3) == 0 && stalled.len() < 6 {
                stalled.push(join(&namespace, "room"));
            }
            room.emit("n", live.payload(1)).unwrap();
            let bound = limit + segment + stalled.len() * segment;
            assert!(live.count() <= bound, "limit {limit}: {} > {bound}", live.count());
            assert!(room.retained() <= (limit + segment) as u64, "limit {limit}: {}", room.retained());
            if n % 3 == 0 {
                read(&mut reader);
            }
        }
        for (_, mut inbox) in stalled {
            assert!(read(&mut inbox).missed > 0);
        }
        read(&mut reader);
        assert!(live.count() <= segment, "limit {limit}: {} left", live.count());
    }
}

#[test]
fn a_stalled_cursor_holds_few_large_payloads() {
    let live = Live::default();
    let namespace = namespace(4096);
    let (_stalled, _inbox) = join(&namespace, "room");
    // A megabyte each under a limit of 16 MiB: 16, and a segment of 2 twice.
    for _ in 0..300 {
        namespace.to("room").emit("n", live.payload(1 << 20)).unwrap();
        assert!(live.count() <= 16 + 2 + 2, "{}", live.count());
    }
}

/// Live bytes after so many messages past a stalled socket and one that reads.
fn bytes_after(namespace: &Namespace, reader: &mut Inbox, payload: &Payload, messages: usize) -> i64 {
    let room = namespace.room("room").unwrap();
    let event = namespace.event("n").unwrap();
    for n in 0..messages {
        room.emit(&event, payload).unwrap();
        namespace.emit(&event, payload).unwrap();
        if n % 64 == 0 {
            reader.drain(|_| {});
        }
    }
    live_bytes()
}

#[test]
fn publishing_past_a_stalled_socket_takes_no_more_memory() {
    let payload = Payload::from([7; 64]);
    let namespace = namespace(256);
    let (stalled, mut stalled_inbox) = join(&namespace, "room");
    let (_reading, mut reader) = join(&namespace, "room");
    let hundred_thousand = bytes_after(&namespace, &mut reader, &payload, 50_000);
    let million = bytes_after(&namespace, &mut reader, &payload, 450_000);
    // Within a segment of 32 slots of 32 bytes in each of the two logs, and a header.
    let slack = 2 * (32 * 32 + 128);
    assert!((million - hundred_thousand).abs() <= slack, "{hundred_thousand} {million}");
    let read = read(&mut stalled_inbox);
    assert_eq!((read.total(), read.inexact, stalled.is_connected()), (1_000_000, 0, true));
}

#[test]
fn a_stalled_sender_stays_bounded() {
    // What a stalled socket is not to be told of has to be remembered until it reads: in bounded memory.
    let payload = Payload::from([7; 64]);
    let namespace = namespace(64);
    let (stalled, mut inbox) = join(&namespace, "room");
    let (_other, mut other) = join(&namespace, "room");
    let mut live = Vec::with_capacity(2);
    for _ in 0..2 {
        for _ in 0..20_000 {
            stalled.to("room").emit("n", &payload).unwrap();
            namespace.to(["room", "nobody"]).except("nobody").emit("n", &payload).unwrap();
            other.drain(|_| {});
        }
        live.push(live_bytes());
    }
    assert!(live[1] - live[0] <= 4096, "{live:?}");
    assert_eq!(read(&mut inbox).total(), 20_000 * 2);
}

#[test]
fn moving_a_stalled_socket_between_rooms_is_bounded() {
    let live = Live::default();
    let engine = Engine::builder().membership_backlog(64).unwrap().backlog(messages(16)).build();
    let namespace = engine.of("/memory").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let witnesses: Vec<_> = (0..10)
        .map(|n| {
            let (socket, inbox) = namespace.connect();
            socket.join(n).unwrap();
            (socket, inbox)
        })
        .collect();
    let mut at_most = 0;
    let mut published = 0;
    let mut bytes = Vec::with_capacity(2);
    for round in 0..20_000_usize {
        socket.set_rooms(round % 10).unwrap();
        namespace.to(round % 10).emit("n", live.payload(1)).unwrap();
        published += 1;
        at_most = at_most.max(live.count());
        if round % 10_000 == 9_999 {
            bytes.push(live_bytes());
        }
    }
    drop(witnesses);
    // Ten rooms with a limit of 16 and segments of 2, and as many pinned segments as changes pile up.
    assert!(at_most <= 10 * (16 + 2 + 2) + 64 * 2, "{at_most}");
    assert!(bytes[1] - bytes[0] <= 16 << 10, "{bytes:?}");
    let mut delivered = 0;
    let mut missed = 0;
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => {
            assert!(gap.reason == GapReason::Memberships || gap.reason == GapReason::Backlog);
            missed += gap.missed;
        }
        None => delivered += 1,
    });
    assert_eq!((delivered + missed, socket.room_count()), (published, 1));
}

#[test]
fn memory_of_read_messages_comes_back_without_publishing() {
    let live = Live::default();
    let namespace = namespace(4096);
    let room = namespace.room("room").unwrap();
    let segment = messages(4096).segment_messages();
    let (_a, mut a) = join(&namespace, "room");
    let (_b, mut b) = join(&namespace, "room");
    for _ in 0..1000 {
        room.emit("n", live.payload(1)).unwrap();
    }
    read(&mut a);
    assert_eq!((live.count(), room.retained()), (1000, 1000));
    read(&mut b);
    assert!(live.count() <= segment, "{}", live.count());
    assert!(room.retained() <= segment as u64, "{}", room.retained());
}

/// Fills a room that one member reads and the other does not, lets `go` of the other, and returns how
/// many messages are alive afterwards.
fn left_after(go: impl FnOnce(Socket, Inbox)) -> usize {
    let live = Live::default();
    let namespace = namespace(4096);
    let room = namespace.room("room").unwrap();
    let (_reading, mut reader) = join(&namespace, "room");
    let (socket, inbox) = join(&namespace, "room");
    for _ in 0..1000 {
        room.emit("n", live.payload(1)).unwrap();
    }
    read(&mut reader);
    go(socket, inbox);
    live.count()
}

#[test]
fn memory_comes_back_from_a_dropped_inbox() {
    let left = left_after(|_, inbox| drop(inbox));
    assert!(left <= 128, "{left}");
}

#[test]
fn memory_comes_back_from_a_closed_and_drained_socket() {
    let left = left_after(|socket, mut inbox| {
        socket.disconnect("bye");
        assert_eq!(read(&mut inbox).total(), 1000);
    });
    assert!(left <= 128, "{left}");
}

#[test]
fn memory_comes_back_from_a_closed_and_dropped_socket() {
    let left = left_after(|socket, inbox| {
        socket.disconnect("bye");
        drop(inbox);
    });
    assert!(left <= 128, "{left}");
}

#[test]
fn memory_comes_back_from_a_room_left_unread() {
    let left = left_after(|socket, mut inbox| {
        socket.leave("room").unwrap();
        assert_eq!(read(&mut inbox).total(), 1000);
    });
    assert!(left <= 128, "{left}");
}

#[test]
fn memory_comes_back_from_a_membership_that_is_folded_away() {
    let live = Live::default();
    let engine = Engine::builder().membership_backlog(4).unwrap().build();
    let namespace = engine.of("/").unwrap();
    let room = namespace.room("room").unwrap();
    let (socket, _inbox) = namespace.connect();
    let (_reader, mut reader_inbox) = join(&namespace, "room");
    socket.join(&room).unwrap();
    for _ in 0..1000 {
        room.emit("n", live.payload(1)).unwrap();
    }
    assert_eq!(read(&mut reader_inbox).total(), 1000);
    socket.leave(&room).unwrap();
    for _ in 0..4 {
        socket.join("other").unwrap();
        socket.leave("other").unwrap();
    }
    assert!(live.count() <= 128, "{}", live.count());
}

#[test]
fn an_empty_room_holds_no_message() {
    let live = Live::default();
    let namespace = namespace(100);
    let room = namespace.room("room").unwrap();
    let (socket, mut inbox) = join(&namespace, "room");
    for _ in 0..1003 {
        room.emit("n", live.payload(1)).unwrap();
        namespace.emit("n", live.payload(1)).unwrap();
        socket.emit("n", live.payload(1)).unwrap();
    }
    read(&mut inbox);
    drop((socket, inbox));
    assert_eq!((room.len(), namespace.socket_count(), live.count()), (0, 0, 0));
}

/// Sockets, rooms and namespaces that come and go, with messages unread and read.
fn churn(engine: &Engine) {
    for path in ["/a", "/b"] {
        let namespace = engine.of(path).unwrap();
        let mut sockets: Vec<_> = (0..50).map(|_| namespace.connect()).collect();
        for round in 0..20_i64 {
            for (n, (socket, inbox)) in sockets.iter_mut().enumerate() {
                socket.join([(round, n as i64 % 7), (round, 9)]).unwrap();
                socket.to((round, 9)).emit("n", "to the others").unwrap();
                socket.emit("direct", "to one").unwrap();
                if n % 2 == 0 {
                    read(inbox);
                }
                if n % 3 == 0 {
                    socket.leave_all().unwrap();
                }
            }
            namespace.emit("all", "to everyone").unwrap();
        }
        sockets.drain(..25).for_each(|(socket, _)| assert!(socket.is_connected()));
        engine.remove(path);
        for (_, mut inbox) in sockets {
            inbox.on_wake(|| {});
            read(&mut inbox);
        }
    }
}

#[test]
fn churn_leaves_nothing_behind() {
    let before = live_bytes();
    let engine = Engine::new();
    churn(&engine);
    let once = live_bytes();
    for _ in 0..5 {
        churn(&engine);
    }
    assert_eq!(live_bytes(), once, "the engine grows");
    drop(engine);
    assert_eq!(live_bytes(), before, "something outlives the engine");
}

#[test]
fn churn_in_one_namespace_leaves_nothing_behind() {
    let namespace = Engine::new().of("/churn").unwrap();
    let mut live = Vec::with_capacity(6);
    for _ in 0..6 {
        let mut sockets: Vec<_> = (0..200).map(|_| namespace.connect()).collect();
        for (n, (socket, inbox)) in sockets.iter_mut().enumerate() {
            socket.join([format!("room {}", n % 20), "all".into()]).unwrap();
            inbox.on_wake(|| {});
            namespace.to("all").emit("n", "hello").unwrap();
            if n % 4 == 0 {
                read(inbox);
            }
        }
        drop(sockets);
        assert_eq!((namespace.rooms().len(), namespace.socket_count()), (0, 0));
        live.push(live_bytes());
    }
    assert!(live[2..].iter().all(|bytes| *bytes == live[1]), "{live:?}");
}

/// A stack far too small for a call per segment.
const SMALL_STACK: usize = 96 << 10;
const SEGMENTS: usize = 6_000;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(SMALL_STACK).spawn(work).unwrap().join().unwrap();
}

fn long_chain() -> (Namespace, Socket, Inbox) {
    let namespace = namespace(1 << 32);
    let (socket, inbox) = join(&namespace, "room");
    let (room, event) = (namespace.room("room").unwrap(), namespace.event("n").unwrap());
    let payload = Payload::default();
    for _ in 0..SEGMENTS * messages(1 << 32).segment_messages() {
        room.emit(&event, &payload).unwrap();
    }
    (namespace, socket, inbox)
}

#[test]
fn the_last_cursor_drops_a_long_chain_without_recursion() {
    let (namespace, socket, inbox) = long_chain();
    socket.disconnect("bye"); // and the room goes, so that the cursor holds the chain alone
    assert_eq!(namespace.rooms(), []);
    on_a_small_stack(move || drop(inbox));
}

#[test]
fn draining_and_dropping_a_log_does_not_recurse() {
    let (namespace, socket, mut inbox) = long_chain();
    on_a_small_stack(move || {
        assert_eq!(inbox.drain(|_| {}), SEGMENTS * 128);
        drop(inbox);
    });
    assert_eq!((namespace.rooms(), socket.is_connected()), (vec![], false));
}

#[test]
fn memory_comes_back_as_publishing_goes_on() {
    let live = Live::default();
    let namespace = namespace(4096);
    let room = namespace.room("room").unwrap();
    let (_reading, mut reader) = join(&namespace, "room");
    let stalled = join(&namespace, "room");
    for _ in 0..3000 {
        room.emit("n", live.payload(1)).unwrap();
    }
    read(&mut reader);
    drop(stalled);
    // Two segments, of 128 at most, are enough to notice.
    for _ in 0..256 {
        room.emit("n", live.payload(1)).unwrap();
        read(&mut reader);
    }
    assert!(live.count() <= 128, "{} alive, {} retained", live.count(), room.retained());
}

#[test]
fn handlers_of_a_namespace_take_no_memory_in_its_sockets() {
    let bytes_of_hundred = |handlers: usize| {
        let chat = Engine::new().of("/chat").unwrap();
        for n in 0..handlers {
            chat.on(&format!("event {n}"), |_, _: Payload| {}).unwrap();
            chat.on_any(|_, _| {});
            chat.packet_middleware(|_, _| Ok(()));
            chat.on_disconnect(|_, _| {});
        }
        let (first, _inbox) = chat.connect();
        drop(first); // what the first one makes room for
        let before = live_bytes();
        let sockets: Vec<_> = (0..100).map(|_| chat.connect()).collect();
        let bytes = live_bytes() - before;
        drop(sockets);
        bytes
    };
    assert_eq!(bytes_of_hundred(1000), bytes_of_hundred(0));
}

/// Payloads that are left when a burst of so many, of this size, was read by sockets that sleep now.
fn left_by_sleepers(messages: usize, size: usize) -> usize {
    let live = Live::default();
    let namespace = Engine::new().of("/memory").unwrap();
    let room = namespace.room("room").unwrap();
    let mut members: Vec<_> = (0..3).map(|_| join(&namespace, "room")).collect();
    for (_, inbox) in &mut members {
        inbox.on_wake(|| {});
        inbox.drain(|_| {});
    }
    for _ in 0..3 {
        for _ in 0..messages {
            room.emit("n", live.payload(size)).unwrap();
        }
        for (_, inbox) in &mut members {
            assert_eq!(inbox.drain(|_| {}), messages);
        }
    }
    live.count()
}

#[test]
fn a_room_in_which_all_sleep_keeps_little_of_a_burst() {
    assert_eq!(left_by_sleepers(1000, 1), 0, "the segments of a burst are large");
    assert_eq!(left_by_sleepers(1, 20 << 10), 0, "or heavy");
    assert!((1..=16).contains(&left_by_sleepers(5, 1)), "what is neither is not worth a new one");
}

#[test]
fn a_burst_goes_when_the_only_reader_of_its_room_is_idle() {
    for rooms in [1, 40] {
        let namespace = Engine::new().of("/memory").unwrap();
        let (socket, mut inbox) = namespace.connect();
        socket.join((0..rooms).collect::<Vec<i32>>()).unwrap();
        let room = namespace.room(0).unwrap();
        for messages in [3, 20] {
            (0..messages).for_each(|_| _ = room.emit("n", vec![0; 4 << 10]).unwrap());
            assert_eq!(inbox.drain(|_| {}), messages);
            if rooms == 1 {
                inbox.on_wake(|| {});
            }
            // With many rooms, those that have been idle for some drains are not looked at any more.
            (0..20).for_each(|_| _ = inbox.drain(|_| {}));
        }
        assert_eq!(room.retained(), 0, "{rooms} rooms");
    }
}

#[test]
fn a_socket_that_has_left_most_of_its_rooms_keeps_no_room_for_them() {
    let namespace = namespace(100);
    let rooms: Vec<_> = (0..2000).map(|n| namespace.room(n).unwrap()).collect();
    let (socket, mut inbox) = join(&namespace, "room");
    inbox.drain(|_| {});
    let before = live_bytes();
    socket.join(&rooms).unwrap();
    inbox.drain(|_| {});
    let most = live_bytes() - before;
    socket.leave(&rooms).unwrap();
    inbox.drain(|_| {});
    let left = live_bytes() - before;
    println!("{most} {left}");
    assert!(most > 2000 * 50 && left < 2000, "{most} bytes in 2000 rooms, {left} afterwards");
}
