//! History: what a room keeps, who gets it, and that the past and the present meet without a seam.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use roomcast::{
    Backlog, Delivery, DisconnectReason, Engine, History, Inbox, MembershipError, Namespace, Past, Refusal,
    Room,
};

fn world() -> Namespace {
    Engine::new().of("/world").unwrap()
}

/// A room that keeps so many messages.
fn keeping(world: &Namespace, name: &str, messages: usize) -> Room {
    let room = world.room(name).unwrap();
    room.set_history(History::new().messages(messages).unwrap());
    room
}

fn text(delivery: &Delivery<'_>) -> String {
    match delivery.gap() {
        Some(gap) => format!("{} missed", gap.missed),
        None => delivery.payload().as_str().unwrap().to_owned(),
    }
}

fn drained(inbox: &mut Inbox) -> Vec<String> {
    let mut texts = Vec::new();
    inbox.drain(|delivery| texts.push(text(&delivery)));
    texts
}

fn kept(room: &Room, past: Past) -> Vec<String> {
    let mut texts = Vec::new();
    let (count, _) = room.past(past, |delivery| texts.push(text(&delivery)));
    assert_eq!(count, texts.len());
    texts
}

fn emit_all(room: &Room, texts: impl IntoIterator<Item = usize>) {
    texts.into_iter().for_each(|n| {
        room.emit("said", n.to_string()).unwrap();
    });
}

fn numbers(range: impl IntoIterator<Item = usize>) -> Vec<String> {
    range.into_iter().map(|n| n.to_string()).collect()
}

#[test]
fn who_joins_late_gets_the_last_messages_and_then_the_next() {
    let world = world();
    let room = keeping(&world, "room", 50);
    let (early, mut early_inbox) = world.connect();
    early.join(&room).unwrap();
    let mut all = Vec::new();
    for count in [0, 1, 7, 49, 50, 120] {
        emit_all(&room, 0..count);
        all.extend(numbers(0..count));
        for wanted in [0, 1, 5, 50, 1000] {
            let (late, mut inbox) = world.connect();
            let joined = late.join_with(&room, Past::last(wanted)).unwrap();
            emit_all(&room, [777]);
            let past = wanted.min(50).min(all.len());
            let expected: Vec<String> =
                all[all.len() - past..].iter().cloned().chain(numbers([777])).collect();
            assert_eq!(drained(&mut inbox), expected);
            assert_eq!((joined.is_new(), joined.past()), (true, past));
            all.extend(numbers([777]));
        }
    }
    assert_eq!(drained(&mut early_inbox), all);
}

#[test]
fn the_past_has_its_place_among_the_messages_of_other_rooms() {
    let world = world();
    let (a, b) = (keeping(&world, "a", 9), world.room("b").unwrap());
    let (socket, mut inbox) = world.connect();
    socket.join(&b).unwrap();
    for n in 0..6 {
        let room = if n % 2 == 0 { &a } else { &b };
        emit_all(room, [n]);
    }
    socket.join_with(&a, Past::all()).unwrap();
    emit_all(&b, [6]);
    emit_all(&a, [7]);
    assert_eq!(drained(&mut inbox), numbers(0..8));

    // What was read before is not in the way of what is older.
    emit_all(&a, [8]);
    let (other, mut other_inbox) = world.connect();
    other.join(&b).unwrap();
    emit_all(&b, [9]);
    assert_eq!(drained(&mut other_inbox), ["9"]);
    let joined = other.join_with(&a, Past::last(1)).unwrap();
    let delivery = other_inbox.try_next().unwrap();
    assert_eq!((text(&delivery).as_str(), delivery.room()), ("8", Some(a.name())));
    assert!(delivery.sequence() < joined.sequence());
}

#[test]
fn since_tells_whether_everything_is_there() {
    let world = world();
    let room = keeping(&world, "room", 3);
    let first = room.emit("said", "0").unwrap().sequence().unwrap();
    emit_all(&room, 1..4);
    let (socket, mut inbox) = world.connect();
    let joined = socket.join_with(&room, Past::since(first)).unwrap();
    assert!(joined.is_complete() && joined.past() == 3);
    assert_eq!(drained(&mut inbox), numbers(1..4));
    emit_all(&room, [4]);
    let (late, mut inbox) = world.connect();
    let joined = late.join_with(&room, Past::since(first)).unwrap();
    assert!(!joined.is_complete() && joined.past() == 3);
    assert_eq!(drained(&mut inbox), numbers(2..5));
    let now = joined.sequence();
    assert_eq!(room.past(Past::since(now), |_| ()), (0, true));
    assert_eq!(room.past(Past::since(u64::MAX), |_| ()), (0, true));
    assert_eq!(room.past(Past::since(0), |_| ()), (3, false));
    assert_eq!(room.past(Past::last(3), |_| ()), (3, true));
    assert_eq!(room.past(Past::last(4), |_| ()), (3, false));
    assert_eq!(room.past(Past::all(), |_| ()), (3, false));
}

#[test]
fn what_came_before_the_history_was_set_is_not_kept() {
    let world = world();
    let room = world.room("room").unwrap();
    let (member, mut inbox) = world.connect();
    member.join(&room).unwrap();
    let early = room.emit("said", "early").unwrap().sequence().unwrap();
    room.set_history(History::new());
    let on = room.emit("said", "on").unwrap().sequence().unwrap();
    assert_eq!(kept(&room, Past::all()), ["on"]);
    assert_eq!(room.past(Past::since(early), |_| ()), (1, true));
    assert_eq!(room.past(Past::since(early - 1), |_| ()), (1, false));
    assert_eq!(drained(&mut inbox), ["early", "on"]);

    room.set_history(None);
    assert_eq!((room.history(), room.past(Past::all(), |_| ())), (None, (0, false)));
    let (late, mut late_inbox) = world.connect();
    let joined = late.join_with(&room, Past::since(on)).unwrap();
    assert!(joined.is_new() && !joined.is_complete() && joined.past() == 0);
    assert_eq!(drained(&mut late_inbox), [""; 0]);
}

#[test]
fn of_a_room_that_has_forgotten_its_last_message_nothing_is_known_until_the_history_is_set() {
    let world = world();
    let room = world.room("room").unwrap();
    let (member, _inbox) = world.connect();
    member.join(&room).unwrap();
    room.emit("said", "early").unwrap();
    member.leave(&room).unwrap();
    let last = member.emit("said", "elsewhere").unwrap().sequence().unwrap();
    room.set_history(History::new());
    assert_eq!(room.past(Past::since(last), |_| ()), (0, true));
    assert_eq!(room.past(Past::since(last - 1), |_| ()), (0, false));
}

#[test]
fn limits_are_by_number_bytes_and_age() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let room = world.room("room").unwrap();
    let second = Duration::from_secs(1);
    room.set_history(History::new().messages(10).unwrap().bytes(6).unwrap());
    emit_all(&room, 10..20);
    assert_eq!(kept(&room, Past::all()), ["17", "18", "19"]);
    room.emit("said", "larger than all").unwrap();
    assert_eq!(kept(&room, Past::all()), ["larger than all"]);

    room.set_history(History::new().age(second));
    emit_all(&room, [1]);
    engine.tick(second / 2);
    emit_all(&room, [2]);
    engine.tick(second);
    assert_eq!(kept(&room, Past::all()), ["2"]);
    let (socket, mut inbox) = world.connect();
    engine.tick(second * 3 / 2);
    assert_eq!(socket.join_with(&room, Past::all()).unwrap().past(), 0);
    assert!(drained(&mut inbox).is_empty());
    room.set_history(History::new().age(Duration::ZERO));
    emit_all(&room, [3]);
    assert_eq!(kept(&room, Past::all()), ["3"], "in its own tick it is not old");
    engine.tick(second * 2);
    assert_eq!(kept(&room, Past::all()), [""; 0]);

    // Fewer are allowed than are there.
    room.set_history(History::new());
    emit_all(&room, 0..20);
    room.set_history(History::new().messages(4).unwrap());
    assert_eq!(kept(&room, Past::all()), numbers(16..20));
}

#[test]
fn messages_that_are_not_kept_take_the_place_of_those_that_are() {
    let world = world();
    let room = keeping(&world, "room", 4);
    room.set_backlog(Backlog::new().messages(4).unwrap());
    emit_all(&room, [1]);
    (0..200).for_each(|_| _ = world.to("room").volatile().emit("moved", "").unwrap());
    assert_eq!(room.past(Past::all(), |_| ()), (0, false));
    emit_all(&room, [2]);
    assert_eq!(kept(&room, Past::all()), ["2"]);
}

#[test]
fn volatile_messages_and_questions_are_not_kept() {
    let world = world();
    let room = keeping(&world, "room", 3);
    let (member, mut inbox) = world.connect();
    member.join(&room).unwrap();
    emit_all(&room, 0..3);
    for n in 0..100 {
        world.to("room").volatile().emit("said", n.to_string()).unwrap();
        drop(world.to("room").emit_with_ack("asked", n.to_string()).unwrap());
    }
    let (late, mut late_inbox) = world.connect();
    late.join_with(&room, Past::all()).unwrap();
    assert_eq!(drained(&mut late_inbox), numbers(0..3));
    assert_eq!(kept(&room, Past::all()), numbers(0..3));
    assert!(drained(&mut inbox).len() > 100);
}

#[test]
fn the_newest_message_of_each_key_is_the_state() {
    let world = world();
    let room = keeping(&world, "room", 100);
    for n in 0..30 {
        world.to(&room).latest(n % 3).emit("moved", n.to_string()).unwrap();
        emit_all(&room, [100 + n]);
    }
    world.to(&room).latest(0).emit("turned", "0").unwrap(); // another event
    let state = ["27", "28", "29", "0"];
    assert_eq!(kept(&room, Past::latest()), state);
    let (late, mut inbox) = world.connect();
    late.join_with(&room, Past::latest()).unwrap();
    world.to(&room).latest(1).emit("moved", "30").unwrap();
    assert_eq!(drained(&mut inbox), ["27", "29", "0", "30"], "28 is replaced by one that is there");
    assert_eq!(inbox.replaced(), 28);

    // With all of the past, too, only the newest.
    let (late, mut inbox) = world.connect();
    late.join_with(&room, Past::all()).unwrap();
    assert_eq!(drained(&mut inbox).iter().filter(|text| text.len() < 3).count(), 4);
    let nothing = keeping(&world, "unkeyed", 10);
    emit_all(&nothing, 0..5);
    let (late, mut inbox) = world.connect();
    late.join_with(&nothing, Past::latest()).unwrap();
    emit_all(&nothing, [5]);
    assert_eq!(drained(&mut inbox), ["5"]);
}

#[test]
fn expired_messages_are_not_shown() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let room = keeping(&world, "room", 10);
    world.to(&room).lifetime(Duration::from_secs(1)).emit("said", "short").unwrap();
    emit_all(&room, [1]);
    engine.tick(Duration::from_secs(1));
    assert_eq!(kept(&room, Past::all()), ["1"]);
    let (socket, mut inbox) = world.connect();
    socket.join_with(&room, Past::all()).unwrap();
    assert_eq!((drained(&mut inbox), inbox.expired()), (vec!["1".to_owned()], 1));
}

#[test]
fn a_message_to_several_rooms_comes_once() {
    let world = world();
    let (a, b) = (keeping(&world, "a", 9), keeping(&world, "b", 9));
    let both = |text: &str| world.to("a").to("b").emit("said", text).unwrap();
    both("1");
    let (socket, mut inbox) = world.connect();
    socket.join_with(&a, Past::all()).unwrap();
    socket.join_with(&b, Past::all()).unwrap();
    both("2");
    assert_eq!(drained(&mut inbox), ["1", "2"]);

    // One that it got as a member of one room is not of the past of the other.
    let (socket, mut inbox) = world.connect();
    socket.join(&b).unwrap();
    both("3");
    world.to("a").emit("said", "4").unwrap();
    socket.join_with(&a, Past::last(2)).unwrap();
    assert_eq!(drained(&mut inbox), ["3", "4"]);

    // The first listed has it, but does not reach back that far.
    let (socket, mut inbox) = world.connect();
    socket.join_with(&a, Past::last(1)).unwrap();
    socket.join_with(&b, Past::last(1)).unwrap();
    assert_eq!(drained(&mut inbox), ["3", "4"]);
}

#[test]
fn what_came_with_the_past_of_one_room_does_not_come_again_with_that_of_another() {
    let world = world();
    let rooms = ["a", "b"].map(|name| keeping(&world, name, 9));
    world.to(["a", "b"]).emit("said", "both").unwrap();
    let (late, mut inbox) = world.connect();
    late.join_with(&rooms[0], Past::all()).unwrap();
    assert_eq!(drained(&mut inbox), ["both"]);
    late.join_with(&rooms[1], Past::all()).unwrap();
    assert_eq!(drained(&mut inbox), [""; 0]);
}

#[test]
fn what_a_member_has_yet_to_read_does_not_come_with_the_past_as_well() {
    let world = world();
    let room = keeping(&world, "room", 9);
    let (socket, mut inbox) = world.connect();
    socket.join(&room).unwrap();
    emit_all(&room, 1..4);
    socket.leave(&room).unwrap();
    emit_all(&room, 4..6);
    socket.join_with(&room, Past::all()).unwrap();
    emit_all(&room, 6..8);
    assert_eq!(drained(&mut inbox), numbers(1..8));
}

#[test]
fn a_past_is_that_of_the_join_that_asked_for_it() {
    let world = world();
    let room = keeping(&world, "room", 9);
    let say = |text| _ = world.to("room").latest(1).emit("said", text).unwrap();
    emit_all(&room, [0]);
    let (socket, mut inbox) = world.connect();
    socket.join_with(&room, Past::all()).unwrap();
    assert_eq!(drained(&mut inbox), ["0"]);
    say("before");
    socket.leave(&room).unwrap();
    say("when it was out");
    socket.join(&room).unwrap();
    assert_eq!(drained(&mut inbox), ["before"]);
}

#[test]
fn who_is_left_out_by_id_stays_so_and_rooms_are_judged_as_they_were() {
    let world = world();
    let room = keeping(&world, "room", 9);
    let (ann, mut anns) = world.connect();
    let (bob, mut bobs) = world.connect();
    ann.join("others").unwrap();
    world.to(&room).except(ann.id()).emit("said", "not for ann").unwrap();
    world.to(&room).except("others").emit("said", "not for others").unwrap();
    ann.to(&room).emit("said", "by ann").unwrap();
    bob.join("others").unwrap();
    for socket in [&ann, &bob] {
        socket.join_with(&room, Past::all()).unwrap();
    }
    assert_eq!(drained(&mut anns), [""; 0]);
    assert_eq!(drained(&mut bobs), ["not for ann", "not for others", "by ann"]);
}

#[test]
fn whoever_is_refused_gets_nothing_of_the_past() {
    let world = world();
    let room = keeping(&world, "room", 9);
    emit_all(&room, 0..3);
    let (socket, mut inbox) = world.connect();
    room.set_capacity(0);
    let refused = Err(MembershipError::Refused { room: room.name().clone(), refusal: Refusal::Full });
    assert_eq!(socket.join_with(&room, Past::all()), refused);
    room.set_capacity(None);
    let guard = world.admission(|_, _| Err(Refusal::Denied("no".into())));
    assert!(socket.join_with(&room, Past::all()).is_err());
    world.off(guard);
    assert_eq!((drained(&mut inbox), room.len()), (vec![], 0));
    assert!(socket.join_with("", Past::all()).is_err());
    socket.disconnect(DisconnectReason::Server);
    let closed = Err(MembershipError::Closed(DisconnectReason::Server));
    assert_eq!(socket.join_with(&room, Past::all()), closed);
}

#[test]
fn a_member_gets_no_past_and_one_that_comes_back_may_get_it_again() {
    let world = world();
    let room = keeping(&world, "room", 9);
    let (socket, mut inbox) = world.connect();
    let joined = socket.join_with(&room, Past::all()).unwrap();
    emit_all(&room, [1]);
    let again = socket.join_with(&room, Past::all()).unwrap();
    assert_eq!((again.is_new(), again.past(), again.sequence()), (false, 0, joined.sequence()));
    assert_eq!(drained(&mut inbox), ["1"]);
    let seen = emit_last(&room, "2");
    assert_eq!(drained(&mut inbox), ["2"]);
    socket.leave(&room).unwrap();
    emit_all(&room, [3]);
    socket.join_with(&room, Past::since(seen)).unwrap();
    assert_eq!(drained(&mut inbox), ["3"]);
    socket.leave(&room).unwrap();
    socket.join_with(&room, Past::all()).unwrap();
    assert_eq!(drained(&mut inbox), ["1", "2", "3"]);
    // The past is read also by one that has left meanwhile.
    socket.leave(&room).unwrap();
    socket.join_with(&room, Past::last(2)).unwrap();
    socket.leave(&room).unwrap();
    emit_all(&room, [4]);
    assert_eq!(drained(&mut inbox), ["2", "3"]);
}

fn emit_last(room: &Room, text: &str) -> u64 {
    room.emit("said", text).unwrap().sequence().unwrap()
}

#[test]
fn a_room_tells_which_history_it_keeps() {
    let room = world().room("room").unwrap();
    let history = History::new().messages(7).unwrap();
    room.set_history(history);
    assert_eq!(room.history(), Some(history));
    let other = history.messages(3).unwrap();
    room.set_history(other);
    assert_eq!(room.history(), Some(other));
}

#[test]
fn a_history_lives_as_long_as_members_or_handles() {
    let world = world();
    let room = keeping(&world, "room", 9);
    let (socket, _inbox) = world.connect();
    socket.join(&room).unwrap();
    emit_all(&room, [1]);
    socket.leave(&room).unwrap();
    assert_eq!((room.len(), kept(&room, Past::all())), (0, vec!["1".to_owned()]));
    emit_all(&room, [2]); // to nobody, and kept
    let emitted = world.to(["room", "nobody"]).emit("said", "3").unwrap();
    assert!(emitted.sequence().is_some() && emitted.members() == 0 && emitted.rooms() == 0);
    assert_eq!(kept(&room, Past::all()), numbers(1..4));
    drop(room);
    let room = world.room("room").unwrap();
    assert_eq!((room.history(), kept(&room, Past::all())), (None, vec![]));
}

#[test]
fn memory_stays_within_the_limits_and_comes_back() {
    let world = world();
    let room = keeping(&world, "room", 100);
    let payload = Arc::new(());
    let emit = || room.emit("said", Arc::clone(&payload)).unwrap();
    for _ in 0..10_000 {
        emit();
        assert!(Arc::strong_count(&payload) <= 1 + 100 + 16);
    }
    // Readers of the past hold no more than others.
    let (_idle, inboxes): (Vec<_>, Vec<_>) = (0..10)
        .map(|_| {
            let (socket, inbox) = world.connect();
            socket.join_with(&room, Past::all()).unwrap();
            (socket, inbox)
        })
        .unzip();
    for _ in 0..100_000 {
        emit();
    }
    let most = Backlog::new().message_limit() + 2 * Backlog::new().segment_messages() + 10 * 128;
    assert!(Arc::strong_count(&payload) <= most, "{}", Arc::strong_count(&payload));
    drop(inboxes);
    emit();
    assert!(Arc::strong_count(&payload) <= 1 + 100 + 128);
    room.set_history(None);
    assert!(Arc::strong_count(&payload) <= 1 + 16, "{}", Arc::strong_count(&payload));
    drop(room);
    assert_eq!(Arc::strong_count(&payload), 1);
}

#[test]
fn a_history_may_be_longer_than_the_backlog_and_the_other_way_round() {
    for (backlog, history) in [(8, 100), (100, 8)] {
        let world = world();
        let room = keeping(&world, "room", history);
        room.set_backlog(Backlog::new().messages(backlog).unwrap());
        let (stalled, mut stalled_inbox) = world.connect();
        stalled.join(&room).unwrap();
        emit_all(&room, 0..1000);
        assert_eq!(kept(&room, Past::all()), numbers(1000 - history..1000));
        let (late, mut inbox) = world.connect();
        late.join_with(&room, Past::all()).unwrap();
        assert_eq!(drained(&mut inbox), numbers(1000 - history..1000));
        let got = drained(&mut stalled_inbox);
        assert!(got.len() >= backlog.max(history), "{}", got.len());
        assert!(got.iter().any(|text| text.ends_with("missed")));
        assert_eq!(got.last().unwrap(), "999");
    }
}

#[test]
fn a_joiner_that_does_not_read_is_told_what_of_the_past_it_has_lost() {
    let world = world();
    let room = keeping(&world, "room", 20);
    room.set_backlog(Backlog::new().messages(20).unwrap());
    emit_all(&room, 0..20);
    let (late, mut inbox) = world.connect();
    late.join_with(&room, Past::all()).unwrap();
    emit_all(&room, 20..1000);
    let (mut missed, mut seen) = (0, BTreeSet::new());
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => missed += gap.missed as usize,
        None => assert!(seen.insert(text(&delivery).parse::<usize>().unwrap())),
    });
    assert_eq!(missed + seen.len(), 1000);
    assert!(seen.contains(&0) && seen.contains(&999));
}

#[test]
fn one_by_one_and_in_part_the_past_reads_like_any_message() {
    let world = world();
    let room = keeping(&world, "room", 40);
    emit_all(&room, 0..40);
    let (socket, mut inbox) = world.connect();
    socket.join_with(&room, Past::all()).unwrap();
    let mut got: Vec<String> = (0..3).map(|_| text(&inbox.try_next().unwrap())).collect();
    socket.leave(&room).unwrap();
    let mut left = 20;
    let _ = inbox.try_drain(|delivery| {
        got.push(text(&delivery));
        left -= 1;
        if left == 0 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    got.extend(inbox.iter().map(|message| message.payload().as_str().unwrap().to_owned()));
    assert_eq!(got, numbers(0..40));
}

#[test]
fn a_sleeper_wakes_for_the_past() {
    let world = world();
    let room = keeping(&world, "room", 9);
    emit_all(&room, [1]);
    let (socket, mut inbox) = world.connect();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    inbox.on_wake(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    socket.join_with(&room, Past::all()).unwrap();
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    assert_eq!(drained(&mut inbox), ["1"]);
}

#[test]
fn a_socket_in_many_rooms_gets_the_past_of_each() {
    let world = world();
    let rooms: Vec<Room> = (0..100).map(|n| keeping(&world, &format!("room {n}"), 3)).collect();
    for (n, room) in rooms.iter().enumerate() {
        emit_all(room, [n]);
    }
    let (socket, mut inbox) = world.connect();
    for room in rooms.iter().rev() {
        socket.join_with(room, Past::all()).unwrap();
    }
    assert_eq!(drained(&mut inbox), numbers(0..100));
    emit_all(&rooms[50], [7]);
    assert_eq!(drained(&mut inbox), ["7"]);
}

/// Whoever joins while others emit gets everything from some message on, each once, in order.
#[test]
fn the_past_and_the_present_meet_without_a_seam() {
    const MESSAGES: usize = 20_000;
    let world =
        Engine::builder().backlog(Backlog::new().messages(MESSAGES).unwrap()).build().of("/").unwrap();
    let (room, is_done) = (keeping(&world, "room", 64), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            emit_all(&room, 0..MESSAGES);
            is_done.store(true, Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut joins = 0;
                while !is_done.load(Ordering::Acquire) || joins == 0 {
                    let (socket, mut inbox) = world.connect();
                    let joined = socket.join_with(&room, Past::last(10)).unwrap();
                    let (mut next, mut past) = (None, 0);
                    for _ in 0..20 {
                        inbox.drain(|delivery| {
                            let n: usize = text(&delivery).parse().unwrap();
                            assert_eq!(next.replace(n + 1).unwrap_or(n), n);
                            past += usize::from(delivery.sequence() < joined.sequence());
                        });
                        thread::yield_now();
                    }
                    assert_eq!(past, joined.past());
                    let mut last = None;
                    room.past(Past::all(), |delivery| {
                        let n: usize = text(&delivery).parse().unwrap();
                        assert_eq!(last.replace(n + 1).unwrap_or(n), n);
                    });
                    joins += 1;
                }
            });
        }
    });
    assert_eq!(kept(&room, Past::all()), numbers(MESSAGES - 64..MESSAGES));
}

#[test]
fn a_long_history_is_read_like_a_short_one() {
    const MESSAGES: usize = 50_000;
    let world = world();
    let room = keeping(&world, "room", MESSAGES);
    emit_all(&room, 0..MESSAGES + 5_000);
    let held = room.retained() as usize;
    assert!((MESSAGES..=MESSAGES + 128).contains(&held), "{held}");
    let (socket, mut inbox) = world.connect();
    socket.join_with(&room, Past::last(MESSAGES - 1)).unwrap();
    assert!(drained(&mut inbox) == numbers(5_001..MESSAGES + 5_000));
    room.set_history(History::new().messages(10).unwrap());
    assert!(room.retained() <= 10 + 128);
    assert_eq!(kept(&room, Past::all()), numbers(MESSAGES + 4_990..MESSAGES + 5_000));
}

#[test]
fn moving_through_rooms_with_histories_is_bounded() {
    let world = Engine::builder().backlog(Backlog::new().messages(100).unwrap()).build().of("/").unwrap();
    let payload = Arc::new(());
    let (socket, mut inbox) = world.connect();
    for round in 0..500 {
        let room = world.room(round).unwrap();
        room.set_history(History::new().messages(50).unwrap());
        for _ in 0..50 {
            room.emit("e", Arc::clone(&payload)).unwrap();
        }
        assert_eq!(socket.join_with(&room, Past::all()).unwrap().past(), 50);
        socket.leave(&room).unwrap();
        drop(room); // and with it all, but for what the socket has yet to read
        assert!(Arc::strong_count(&payload) <= 1 + 100 + 2 * 64, "{}", Arc::strong_count(&payload));
    }
    let (mut missed, mut seen) = (0, 0);
    inbox.drain(|delivery| match delivery.gap() {
        Some(gap) => {
            assert!(!gap.exact);
            missed += gap.missed;
        }
        None => seen += 1,
    });
    assert_eq!(missed + seen, 500 * 50);
    assert_eq!(Arc::strong_count(&payload), 1);
}
