//! Ends: of sockets, namespaces and the engine. Told once and last, and nothing is left behind.

use std::slice::from_ref;
use std::sync::Arc;

use roomcast::{DisconnectReason, EmitError, MembershipError, NamespaceError, StaleSocket};
use shuttle::sync::Mutex;

use crate::rig::{all, explore, join, join_all, small, spawn, world};
use crate::witness::{Member, Post, Span, Stay, publish};

#[test]
fn a_disconnect_is_an_end_for_one_reason() {
    fn scenario() -> (String, usize) {
        let world = world();
        let (mut member, joined) = Span::of(|| Member::of(&world, &["room"]));
        let enders = ["one", "other"].map(|why| {
            let socket = member.socket.clone();
            spawn(move || Span::of(|| socket.disconnect(why).then_some(why)))
        });
        let publisher = spawn({
            let world = world.clone();
            move || publish(1, 3, |number| world.to("room").emit("n", number))
        });
        while member.closed().is_none() && member.drain() > 0 {}
        let ends = join_all(enders);
        let posts = join(publisher);
        let member = member.finish();
        let Some(reason) = member.closed() else { panic!("the end was not told") };
        let won: Vec<_> = ends.iter().filter_map(|(why, _)| why.map(DisconnectReason::from)).collect();
        assert_eq!(won, from_ref(&reason));
        let left = ends.iter().find_map(|(why, when)| why.map(|_| *when));
        member.check_order(&posts);
        member.check_stays(&posts, &[Stay { joined, left }]);
        assert_eq!((world.socket_count(), world.room_len("room")), (0, 0));
        (reason.to_string(), member.got.len())
    }
    assert_eq!(explore(scenario).len(), 8);
}

#[test]
fn a_dropped_inbox_leaves_nothing_behind() {
    fn scenario() -> (bool, bool) {
        let world = world();
        let Member { socket, inbox, .. } = Member::of(&world, &["room"]);
        let dropper = spawn(move || drop(inbox));
        let joiner = spawn({
            let socket = socket.clone();
            move || match socket.join("other") {
                Ok(joined) => joined == 1,
                Err(error) => {
                    assert_eq!(error, MembershipError::Closed(DisconnectReason::InboxDropped));
                    false
                }
            }
        });
        let publisher = spawn({
            let world = world.clone();
            move || {
                let mut direct = Ok(());
                for room in ["room", "other"] {
                    direct = direct.and(socket.emit("n", "x").map(drop));
                    world.to(room).emit("n", "x").unwrap();
                }
                direct.is_ok()
            }
        });
        join(dropper);
        let outcome = (join(joiner), join(publisher));
        assert_eq!((world.socket_count(), world.rooms()), (0, vec![]));
        outcome
    }
    assert_eq!(explore(scenario), all([(false, false), (false, true), (true, false), (true, true)]));
}

/// The id of a socket that is gone is never somebody else's.
#[test]
fn an_id_names_one_socket_for_ever() {
    fn scenario() -> (bool, bool) {
        let world = world();
        let (old, joined) = Span::of(|| Member::of(&world, &[]));
        let id = old.socket.id();
        let ender = spawn(move || {
            let left = Span::of(|| old.socket.disconnect("gone")).1;
            (old.finish(), Stay { joined, left: Some(left) })
        });
        let others = [(); 2].map(|()| {
            let world = world.clone();
            spawn(move || Member::of(&world, &[]))
        });
        let by_id = spawn({
            let world = world.clone();
            move || match Post::new([1, 0], |number| world.to(id).emit("n", number)) {
                Ok(post) => Some(post),
                Err(error) => {
                    assert_eq!(error, EmitError::Stale(StaleSocket(id)));
                    None
                }
            }
        });
        let was_found = world.socket(id).is_ok_and(|socket| {
            assert_eq!(socket.id(), id);
            true
        });
        let post = join(by_id);
        let (old, stay) = join(ender);
        old.check_order(post.as_slice());
        old.check_stays(&post, &[stay]);
        for other in join_all(others).map(Member::finish) {
            assert_ne!(other.socket.id(), id);
            assert_eq!(other.got, [[0; 2]; 0]);
        }
        assert!(world.socket(id).is_err());
        (was_found, post.is_some())
    }
    assert_eq!(explore(scenario), all([(false, false), (false, true), (true, false), (true, true)]));
}

#[test]
fn a_namespace_that_is_removed_takes_all_with_it() {
    fn scenario() -> (bool, usize, bool) {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let there = Member::of(&world, &["room"]);
        let reader = spawn(move || there.drain_often(2));
        let comer = spawn({
            let world = world.clone();
            move || {
                let (socket, mut inbox) = world.connect();
                let is_in = socket.join("room").is_ok();
                inbox.drain(|_| {});
                (is_in, inbox)
            }
        });
        let publisher = spawn({
            let world = world.clone();
            move || {
                let post = |n| match Post::new([1, n], |number| world.to("room").emit("n", number)) {
                    Ok(post) => Some(post),
                    Err(error) => {
                        assert_eq!(error, EmitError::NamespaceClosed);
                        None
                    }
                };
                (0..2).map_while(post).collect::<Vec<_>>()
            }
        });
        let (is_removed, when) = Span::of(|| engine.remove("/world"));
        assert!(is_removed && world.is_closed());
        let posts = join(publisher);
        let there = join(reader).finish();
        assert_eq!(there.closed(), Some(DisconnectReason::NamespaceRemoved));
        let published: Vec<_> = posts.iter().filter(|post| post.sequence.is_some()).copied().collect();
        there.check_order(&published);
        assert!(posts.iter().filter(|post| post.when.is_before(&when)).all(|post| there.has(post)));
        assert!(!posts.iter().any(|post| when.is_before(&post.when)));
        let (is_in, mut inbox) = join(comer);
        inbox.drain(|_| {});
        assert_eq!(inbox.closed(), Some(&DisconnectReason::NamespaceRemoved));
        assert_eq!((engine.socket_count(), world.socket_count(), world.rooms()), (0, 0, vec![]));
        assert!(engine.get("/world").is_none());
        (is_in, there.got.len(), posts.len() > there.got.len())
    }
    let outcomes = explore(scenario);
    let seen = |is_in, got| outcomes.iter().any(|outcome| (outcome.0, outcome.1) == (is_in, got));
    assert!([false, true].into_iter().all(|is_in| (0..=2).all(|got| seen(is_in, got))), "{outcomes:?}");
}

#[test]
fn a_closed_engine_keeps_nobody() {
    fn scenario() -> (bool, bool) {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        world.on_disconnect({
            let ends = Arc::clone(&ends);
            move |socket, reason| ends.lock().unwrap().push((socket.id(), reason.clone()))
        });
        let member = Member::of(&world, &["room"]);
        let comer = spawn({
            let world = world.clone();
            move || {
                let (socket, inbox) = world.connect();
                (socket.is_connected(), inbox)
            }
        });
        let maker = spawn({
            let engine = engine.clone();
            move || match engine.of("/new") {
                Ok(new) => Some(Member::new(new.connect())),
                Err(error) => {
                    assert_eq!(error, NamespaceError::EngineClosed);
                    None
                }
            }
        });
        let closers = [(); 2].map(|()| {
            let engine = engine.clone();
            spawn(move || engine.close())
        });
        join_all(closers);
        let (came, mut inbox) = join(comer);
        inbox.drain(|_| {});
        assert_eq!(inbox.closed(), Some(&DisconnectReason::Shutdown));
        let made = join(maker).map(Member::finish);
        assert!(made.as_ref().is_none_or(|made| made.closed() == Some(DisconnectReason::Shutdown)));
        let member = member.finish();
        assert_eq!(member.closed(), Some(DisconnectReason::Shutdown));
        assert_eq!((engine.socket_count(), engine.namespaces().len(), engine.is_closed()), (0, 0, true));
        let mut ends = std::mem::take(&mut *ends.lock().unwrap());
        ends.retain(|(socket, _)| *socket == member.socket.id());
        assert_eq!(ends, [(member.socket.id(), DisconnectReason::Shutdown)]);
        (came, made.is_some())
    }
    assert_eq!(explore(scenario), all([(false, false), (false, true), (true, false), (true, true)]));
}
