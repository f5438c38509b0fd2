//! What becomes of sockets that do not read: both policies, both limits.

mod common;

use std::sync::Arc;

use common::{Read, disconnecting, line, messages, read, watched};
use roomcast::{Backlog, DisconnectReason, Engine, GapReason, Inbox, Namespace, Overflow, Payload, Socket};

fn namespace(backlog: Backlog) -> Namespace {
    Engine::builder().backlog(backlog).build().of("/overflow").unwrap()
}

fn members(namespace: &Namespace, room: &str, count: usize) -> Vec<(Socket, Inbox)> {
    let sockets: Vec<_> = (0..count).map(|_| namespace.connect()).collect();
    for (socket, _) in &sockets {
        socket.join(room).unwrap();
    }
    sockets
}

/// Limits around the sizes of segments.
const LIMITS: [usize; 11] = [1, 2, 3, 7, 8, 9, 31, 32, 100, 1024, 4096];

#[test]
fn delivered_and_missed_make_up_what_was_published() {
    for limit in LIMITS {
        let segment = messages(limit).segment_messages();
        for published in [1, limit - 1, limit, limit + 1, limit + segment, 2 * limit + 3, 5 * limit + 17] {
            let namespace = namespace(messages(limit));
            let mut sockets = members(&namespace, "room", 5);
            for n in 0..published as u64 {
                namespace.to("room").emit("n", n.to_le_bytes()).unwrap();
                // The last one reads as it goes, the one before now and then, the others never.
                assert_eq!(read(&mut sockets[4].1).numbers, [n]);
                if n % (limit as u64 * 2) == limit as u64 {
                    let read = read(&mut sockets[3].1);
                    assert_eq!((read.numbers.last(), read.inexact), (Some(&n), 0));
                }
            }
            let mut first = None;
            for (_, inbox) in &mut sockets[..3] {
                let read = read(inbox);
                let place = format!("limit {limit}, published {published}, {read:?}");
                assert_eq!((read.total(), read.inexact), (published as u64, 0), "{place}");
                assert!(read.numbers.len() >= published.min(limit), "{place}");
                assert!(read.numbers.len() <= limit + 2 * segment, "{place}");
                assert!(read.numbers.is_sorted(), "{place}");
                assert_eq!(read.numbers.last().copied(), (published as u64).checked_sub(1), "{place}");
                assert_eq!(first.get_or_insert_with(|| read.numbers.clone()), &read.numbers, "{place}");
            }
        }
    }
}

#[test]
fn a_gap_stands_where_the_messages_are_missing() {
    let namespace = namespace(messages(8));
    let (socket, mut inbox) = namespace.connect();
    socket.join(["slow", "other"]).unwrap();
    namespace.to("slow").emit("n", "first").unwrap();
    namespace.to("other").emit("o", "before").unwrap();
    for n in 0..100 {
        namespace.to("slow").emit("n", n.to_string()).unwrap();
    }
    namespace.to("other").emit("o", "after").unwrap();
    let mut seen = Vec::new();
    let mut sequence = 0;
    inbox.drain(|delivery| {
        assert!(delivery.sequence() >= sequence);
        sequence = delivery.sequence();
        match delivery.gap() {
            Some(gap) => {
                assert_eq!((gap.exact, gap.reason), (true, GapReason::Backlog));
                assert_eq!(delivery.room().and_then(|room| room.as_str()), Some("slow"));
                assert_eq!((delivery.event(), delivery.payload().len()), ("gap", 0));
                seen.push(format!("gap {}", gap.missed));
            }
            None => seen.push(delivery.payload().as_str().unwrap().to_owned()),
        }
    });
    let newest = seen.iter().rposition(|word| word.starts_with("gap")).unwrap();
    let missed: usize = seen[newest][4..].parse().unwrap();
    assert_eq!(seen[newest + 1], missed.to_string());
    assert_eq!(seen[..newest], ["first", "before"]);
    assert_eq!(seen.last().unwrap(), "after");
}

#[test]
fn one_room_of_many_overflows_alone() {
    let namespace = namespace(messages(64));
    let (socket, mut inbox) = namespace.connect();
    socket.join(["busy", "quiet", "direct"]).unwrap();
    namespace.to("quiet").emit("quiet", "kept").unwrap();
    socket.emit("direct", "kept").unwrap();
    for n in 0..10_000_u64 {
        namespace.to("busy").emit("busy", n.to_le_bytes()).unwrap();
    }
    let (mut busy, mut others, mut missed) = (0, 0, 0);
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => missed += gap.missed,
        None if delivery.event() == "busy" => busy += 1,
        None => others += 1,
    });
    assert_eq!((busy + missed, others), (10_000, 2));
}

#[test]
fn namespace_wide_and_direct_messages_have_limits_too() {
    let namespace = namespace(messages(16));
    let (socket, mut inbox) = namespace.connect();
    for _ in 0..1000 {
        namespace.emit("all", ()).unwrap();
        socket.emit("you", ()).unwrap();
    }
    let read = read(&mut inbox);
    assert_eq!((read.total(), read.gaps, read.inexact), (2000, 2, 0));
    assert!(read.numbers.len() <= 2 * (16 + 2 * 2));
}

#[test]
fn a_backlog_of_one_room_differs_from_its_namespace() {
    let namespace = namespace(messages(8));
    let room = namespace.room("deep").unwrap();
    room.set_backlog(messages(1000));
    let mut sockets = members(&namespace, "deep", 2);
    sockets[0].0.join("shallow").unwrap();
    for n in 0..500_u64 {
        namespace.to("deep").emit("n", n.to_le_bytes()).unwrap();
        namespace.to("shallow").emit("n", n.to_le_bytes()).unwrap();
    }
    assert_eq!(read(&mut sockets[1].1).numbers.len(), 500);
    let read = read(&mut sockets[0].1);
    assert_eq!((read.total(), read.gaps), (1000, 1));
    assert!((508..=520).contains(&read.numbers.len()));
}

#[test]
fn a_lower_limit_takes_effect_with_the_next_message() {
    let namespace = namespace(messages(4096));
    let room = namespace.room("room").unwrap();
    let mut sockets = members(&namespace, "room", 1);
    for n in 0..2000_u64 {
        room.emit("n", n.to_le_bytes()).unwrap();
    }
    assert!(room.retained() >= 2000 - 4);
    room.set_backlog(messages(10));
    room.emit("n", 2000_u64.to_le_bytes()).unwrap();
    assert!(room.retained() <= 10 + 128, "{}", room.retained());
    let read = read(&mut sockets[0].1);
    assert_eq!((read.total(), read.inexact, read.numbers.last()), (2001, 0, Some(&2000)));
}

#[test]
fn bytes_are_limited_as_messages_are() {
    for size in [1, 100, 1000, 5000, 100_000] {
        let limit = 8000;
        let namespace = namespace(messages(1 << 20).bytes(limit).unwrap());
        let mut sockets = members(&namespace, "room", 2);
        let published = 5 * limit / size + 50;
        let payload = Payload::from(vec![7; size]);
        for n in 0..published {
            namespace.to("room").emit("n", &payload).unwrap();
            if n % 3 == 0 {
                read(&mut sockets[1].1);
            }
        }
        let Read { numbers, missed, inexact, .. } = read(&mut sockets[0].1);
        assert_eq!((numbers.len() + missed as usize, inexact), (published, 0), "{size}");
        let held = numbers.len() * size;
        // The limit, a segment of it in the log and one under the cursor, and the newest message.
        assert!(held <= limit + 2 * (limit / 8) + 2 * size, "{size}: {held}");
        assert!(held >= limit.min(published * size) || numbers.len() <= 2, "{size}: {held}");
        assert!(missed > 0 && !numbers.is_empty(), "{size}");
    }
}

#[test]
fn exclusions_are_not_counted_as_missed() {
    // Whoever reads along and then stalls must not be told of its own messages, even when somebody
    // else has been behind all the time.
    for limit in [8, 64, 1024] {
        let namespace = namespace(messages(limit));
        let mut sockets = members(&namespace, "room", 3);
        let talk = |socket: &Socket, times: usize| {
            for _ in 0..times {
                socket.to("room").emit("own", ()).unwrap();
                namespace.to("room").emit("all", ()).unwrap();
                namespace.to("room").except(socket.id()).emit("other", ()).unwrap();
            }
        };
        let talker = sockets[0].0.clone();
        for _ in 0..50 {
            talk(&talker, 4);
            assert_eq!(read(&mut sockets[0].1).total(), 4, "limit {limit}");
        }
        talk(&talker, 2000);
        let totals: Vec<_> = sockets
            .iter_mut()
            .map(|(_, inbox)| read(inbox))
            .map(|read| (read.total(), read.inexact))
            .collect();
        assert_eq!(totals, [(2000, 0), (3 * 2200, 0), (3 * 2200, 0)], "limit {limit}");
    }
}

#[test]
fn a_union_counts_once_in_what_is_missed() {
    let namespace = namespace(messages(32));
    let mut sockets = members(&namespace, "a", 2);
    sockets[0].0.join("b").unwrap();
    for _ in 0..600 {
        namespace.to(["a", "b"]).emit("n", ()).unwrap();
        namespace.to("b").except("a").emit("n", ()).unwrap();
    }
    for (_, inbox) in &mut sockets {
        let read = read(inbox);
        assert_eq!((read.total(), read.inexact), (600, 0));
    }
}

/// What a room remembers of messages that are gone is bounded: beyond that a gap counts some that were not for the
/// socket, and says so.
#[test]
fn a_gap_over_more_than_a_room_remembers_is_an_upper_bound() {
    let check = |inbox: &mut Inbox, wanted: u64, others: u64, is_exact: bool| {
        let read = read(inbox);
        assert_eq!(read.inexact == 0, is_exact, "{read:?}");
        let most = if is_exact { wanted } else { wanted + others };
        assert!((wanted..=most).contains(&read.total()), "{wanted} to {most}: {read:?}");
    };
    // 4096 messages that depend on memberships.
    for (others, is_exact) in [(4000, true), (5000, false)] {
        let namespace = namespace(messages(16));
        let (socket, mut inbox) = members(&namespace, "a", 1).swap_remove(0);
        socket.join("b").unwrap();
        for _ in 0..others {
            namespace.to("a").except("b").emit("n", ()).unwrap();
        }
        for _ in 0..100 {
            namespace.to("a").emit("n", ()).unwrap();
        }
        check(&mut inbox, 100, others, is_exact);
    }
    // 65536 sockets that did not get their own.
    for (senders, is_exact) in [(65_000, true), (66_000, false)] {
        let namespace = namespace(messages(16));
        let (socket, mut inbox) = members(&namespace, "a", 1).swap_remove(0);
        for _ in 0..senders {
            namespace.connect().0.to("a").emit("n", ()).unwrap();
        }
        for _ in 0..100 {
            socket.to("a").emit("n", ()).unwrap();
        }
        check(&mut inbox, senders, 100, is_exact);
    }
}

#[test]
fn what_a_socket_has_missed_that_was_disconnected_is_exact() {
    let namespace = namespace(messages(8));
    let (socket, mut inbox) = namespace.connect();
    let rooms = [1, 2, 3];
    socket.join(rooms).unwrap();
    let emit = |times: usize| {
        for room in (0..times).flat_map(|_| rooms) {
            namespace.to(room).emit("n", ()).unwrap();
            namespace.to(room).except(9).emit("n", ()).unwrap();
        }
    };
    emit(50);
    assert!(socket.disconnect("bye"));
    emit(50);
    let read = read(&mut inbox);
    assert_eq!((read.total(), read.gaps, read.inexact), (3 * 2 * 50, 3, 0));
    assert!(inbox.closed().is_some());
}

#[test]
fn disconnect_takes_effect_inside_the_emit() {
    for limit in LIMITS {
        let namespace = namespace(disconnecting(limit));
        let mut sockets = members(&namespace, "room", 4);
        let room = namespace.room("room").unwrap();
        let segment = messages(limit).segment_messages();
        let mut cut = None;
        for n in 0..(limit + 2 * segment + 2) as u64 {
            room.emit("n", n.to_le_bytes()).unwrap();
            assert_eq!(read(&mut sockets[3].1).numbers, [n], "limit {limit}");
            if cut.is_none() && room.len() < 4 {
                cut = Some(n);
                assert_eq!(room.members(), [sockets[3].0.id()], "limit {limit}");
            }
        }
        let cut = cut.expect("over the limit");
        assert!(cut >= limit as u64, "limit {limit}: {cut}");
        for (socket, inbox) in &mut sockets[..3] {
            assert_eq!(socket.closed(), Some(DisconnectReason::Backlog));
            assert!(socket.emit("n", ()).is_err() && namespace.socket(socket.id()).is_err());
            let read = read(inbox);
            assert!(read.total() <= cut + 1, "limit {limit}: {read:?}");
            assert_eq!(inbox.closed(), Some(&DisconnectReason::Backlog));
        }
        assert!(sockets[3].0.is_connected());
    }
}

#[test]
fn disconnect_leaves_out_those_who_lose_nothing() {
    let namespace = namespace(disconnecting(16));
    let mut sockets = members(&namespace, "room", 3);
    let sender = sockets[0].0.clone();
    for _ in 0..200 {
        sender.to("room").emit("n", ()).unwrap();
        read(&mut sockets[1].1);
    }
    // The sender has not drained, but none of it was for the sender.
    let open: Vec<_> = sockets.iter().map(|(socket, _)| socket.is_connected()).collect();
    assert_eq!(open, [true, true, false]);
    assert_eq!(line(&mut sockets[0].1), "");
    // One that joins late has lost nothing either.
    let (late, mut inbox) = namespace.connect();
    late.join("room").unwrap();
    sender.to("room").emit("n", ()).unwrap();
    assert_eq!((late.is_connected(), read(&mut inbox).total()), (true, 1));
}

#[test]
fn a_room_that_is_set_to_disconnect_spares_those_who_read_along() {
    let namespace = namespace(messages(16));
    let mut sockets = members(&namespace, "room", 2);
    let room = namespace.room("room").unwrap();
    room.set_backlog(disconnecting(16));
    for _ in 0..200 {
        room.emit("n", ()).unwrap();
        read(&mut sockets[1].1);
    }
    let open: Vec<_> = sockets.iter().map(|(socket, _)| socket.is_connected()).collect();
    assert_eq!(open, [false, true]);
}

#[test]
fn all_stalled_sockets_go_in_one_emit() {
    let namespace = namespace(Backlog::new().bytes(1000).unwrap().overflow(Overflow::Disconnect));
    let sockets = members(&namespace, "room", 100);
    let room = namespace.room("room").unwrap();
    let mut emits = 0;
    while !room.is_empty() {
        room.emit("n", [0; 100]).unwrap();
        assert!(room.is_empty() || room.len() == 100);
        emits += 1;
    }
    assert!((10..=13).contains(&emits), "{emits}");
    assert!(sockets.iter().all(|(socket, _)| socket.closed() == Some(DisconnectReason::Backlog)));
    assert_eq!(namespace.socket_count(), 0);
}

#[test]
fn a_weight_beyond_all_limits_is_no_special_case() {
    watched("weights", || {
        let namespace = namespace(Backlog::new());
        let mut sockets = members(&namespace, "room", 2);
        for _ in 0..10 {
            let payload = Payload::with_weight(Arc::new(()), usize::MAX);
            namespace.to("room").emit("n", payload).unwrap();
            assert_eq!(read(&mut sockets[1].1).total(), 1);
        }
        namespace.to("room").emit("n", ()).unwrap();
        assert_eq!(read(&mut sockets[1].1).total(), 1);
        let read = read(&mut sockets[0].1);
        assert_eq!((read.total(), read.inexact), (11, 0));
        assert!((1..=4).contains(&read.numbers.len()), "{read:?}");
    });
}
