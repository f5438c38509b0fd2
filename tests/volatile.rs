//! Volatile messages: dropped by sockets that are behind, and never out of order.

use roomcast::{Engine, Inbox, Namespace, Payload};

fn world(volatile_backlog: u32) -> Namespace {
    Engine::builder().volatile_backlog(volatile_backlog).build().of("/world").unwrap()
}

fn drained(inbox: &mut Inbox) -> Vec<String> {
    let mut events = Vec::new();
    inbox.drain(|delivery| events.push(delivery.payload().as_str().unwrap().to_owned()));
    events
}

#[test]
fn without_a_backlog_it_is_for_those_who_have_read_everything() {
    let world = world(0);
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    let volatile = |text: &str| world.to("room").volatile().emit("e", text).unwrap();
    let reliable = |text: &str| world.to("room").emit("e", text).unwrap();

    reliable("1");
    volatile("2"); // right after a regular one
    assert_eq!(drained(&mut inbox), ["1"]);
    volatile("3");
    volatile("4"); // of two the first
    reliable("5"); // a regular one right after is not dropped
    assert_eq!(drained(&mut inbox), ["3", "5"]);
    assert_eq!(inbox.volatile_dropped(), 2);
}

#[test]
fn distance_counts_over_all_rooms_and_across_segments() {
    for rooms in [1, 3] {
        let world = world(100);
        let (socket, mut inbox) = world.connect();
        for room in 0..rooms {
            socket.join(room).unwrap();
        }
        for n in 0..200 {
            world.to(n % rooms).emit("e", "reliable").unwrap();
            world.to((n + 1) % rooms).volatile().emit("e", "volatile").unwrap();
        }
        let got = drained(&mut inbox);
        // The volatile one of 50 pairs has at most 100 before it.
        let volatile = got.iter().filter(|text| *text == "volatile").count();
        assert_eq!((volatile, got.len()), (50, 250), "{rooms} rooms");
        assert_eq!(inbox.volatile_dropped(), 150);
    }
}

#[test]
fn one_by_one_counts_like_a_drain() {
    let world = world(1);
    let (socket, mut inbox) = world.connect();
    for text in ["a", "b", "c"] {
        socket.emit_volatile("e", text).unwrap();
    }
    let next = |inbox: &mut Inbox| inbox.try_next().map(|it| it.payload().as_str().unwrap().to_owned());
    assert_eq!(next(&mut inbox).as_deref(), Some("a"));
    // Everything up to here was there when it looked; this was not.
    socket.emit_volatile("e", "d").unwrap();
    assert_eq!(next(&mut inbox).as_deref(), Some("b"));
    assert_eq!(next(&mut inbox).as_deref(), Some("d"));
    assert_eq!(next(&mut inbox), None);
    assert_eq!(inbox.volatile_dropped(), 1);
}

#[test]
fn those_who_are_left_out_drop_nothing() {
    let world = world(0);
    let (sender, mut its_inbox) = world.connect();
    let (other, mut inbox) = world.connect();
    sender.join("room").unwrap();
    other.join("room").unwrap();
    for n in 0..3 {
        sender.to("room").volatile().emit("e", format!("{n}")).unwrap();
    }
    assert_eq!((drained(&mut its_inbox).len(), its_inbox.volatile_dropped()), (0, 0));
    assert_eq!((drained(&mut inbox), inbox.volatile_dropped()), (vec!["0".to_owned()], 2));
    // Several rooms, once each.
    other.join("second").unwrap();
    world.to(["room", "second"]).volatile().emit("e", "both").unwrap();
    assert_eq!(drained(&mut inbox), ["both"]);
}

#[test]
fn what_is_not_for_a_socket_does_not_count() {
    for one_by_one in [false, true] {
        let world = world(1);
        let (socket, mut inbox) = world.connect();
        socket.join("room").unwrap();
        for round in 1..=3 {
            for n in 0..4 {
                socket.to("room").emit("e", "its own").unwrap();
                world.to("room").volatile().emit("e", n.to_string()).unwrap();
            }
            let first = one_by_one.then(|| inbox.try_next()).flatten();
            let first = first.map(|delivery| delivery.payload().as_str().unwrap().to_owned());
            let got: Vec<_> = first.into_iter().chain(drained(&mut inbox)).collect();
            assert_eq!((got, inbox.volatile_dropped()), (vec!["0".to_owned(), "1".to_owned()], 2 * round));
        }
    }
}

#[test]
fn a_gap_over_all_rooms_is_none_of_the_messages_before_it() {
    let engine = Engine::builder().volatile_backlog(0).membership_backlog(2).unwrap().build();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    inbox.drain(|_| {});
    socket.join("room").unwrap();
    world.to("room").emit("e", "lost").unwrap();
    socket.leave("room").unwrap();
    socket.emit_volatile("e", "new").unwrap();
    let mut got = Vec::new();
    inbox.drain(|delivery| got.push((delivery.gap().map_or(0, |gap| gap.missed), delivery.payload().len())));
    assert_eq!((got, inbox.volatile_dropped()), (vec![(1, 0), (0, 3)], 0));
}

#[test]
fn a_kept_target_is_volatile_only_where_it_says_so() {
    let world = world(0);
    let (socket, mut inbox) = world.connect();
    let target = roomcast::Target::new().to(socket.id());
    let payload = Payload::from("x");
    for _ in 0..2 {
        world.target(&target).volatile().emit("e", &payload).unwrap();
        world.target(&target).emit("e", &payload).unwrap();
    }
    assert_eq!((inbox.drain(|_| {}), inbox.volatile_dropped()), (3, 1));
    assert!(socket.disconnect("over"));
    assert!(socket.emit_volatile("e", &payload).is_err());
}

#[test]
fn it_is_dropped_exactly_when_too_many_come_before_it() {
    for (one_by_one, backlog) in
        [false, true].into_iter().flat_map(|step| [0, 1, 3, 1000].map(|it| (step, it)))
    {
        let world = world(backlog);
        let (socket, mut inbox) = world.connect();
        socket.join(["a", "b"]).unwrap();
        let mut dropped = 0;
        for round in 0..3 {
            let (mut expected, mut handed) = (Vec::new(), 0);
            for n in 0..700 {
                let text = format!("{round} {n}");
                let room = world.to(["a", "b"][n % 2]);
                let is_volatile = n % 3 == 1;
                let room = if is_volatile { room.volatile() } else { room };
                room.emit("e", &*text).unwrap();
                if is_volatile && handed > backlog {
                    dropped += 1;
                } else {
                    handed += 1;
                    expected.push(text);
                }
            }
            let mut got = Vec::new();
            while let Some(delivery) = one_by_one.then(|| inbox.try_next()).flatten() {
                got.push(delivery.payload().as_str().unwrap().to_owned());
            }
            got.extend(drained(&mut inbox));
            assert_eq!((got, inbox.volatile_dropped()), (expected, dropped));
        }
    }
}

#[test]
fn what_is_emitted_to_one_socket_has_no_sender_volatile_or_not() {
    let (socket, mut inbox) = world(0).connect();
    socket.emit_volatile("e", ()).unwrap();
    assert_eq!(inbox.try_next().unwrap().sender(), None);
    socket.emit("e", ()).unwrap();
    assert_eq!(inbox.try_next().unwrap().sender(), None);
}
