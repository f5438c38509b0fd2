//! Doing something with all sockets of a target, whatever the target.

use roomcast::{DisconnectReason, EmitError, Engine, MembershipError, Namespace, Socket, SocketId, Target};

use crate::rig::{Log, Peer, rooms, text};

/// Four sockets: `a` in red, `b` in red and blue, `c` in blue, `d` in none.
fn four(engine: &Engine) -> [(Peer, Socket); 4] {
    let four = [0; 4].map(|_| Peer::joined(engine, "/"));
    four[0].1.join("red").unwrap();
    four[1].1.join(["red", "blue"]).unwrap();
    four[2].1.join("blue").unwrap();
    four
}

fn names(four: &[(Peer, Socket); 4], sockets: &[Socket]) -> String {
    let name = |id: SocketId| "abcd".chars().nth(four.iter().position(|(_, it)| it.id() == id).unwrap());
    sockets.iter().map(|socket| name(socket.id()).unwrap()).collect()
}

#[test]
fn a_selection_is_exactly_whom_a_message_would_reach() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let mut four = four(&engine);
    let [a, b, _, d] = [0, 1, 2, 3].map(|n| four[n].1.clone());
    let red = io.room("red").unwrap();
    let none: [&str; 0] = [];
    let kept = Target::new().to(&red).to(d.id()).except([a.id(), a.id()]);
    // The first of each pair is in joining order, room by room.
    let targets = [
        (io.to("red"), "ab"),
        (io.to(&red), "ab"),
        (io.to(["red", "blue"]), "abc"),
        (io.to("blue").to("red"), "abc"),
        (io.to("red").except("blue"), "a"),
        (io.to(["red", "blue"]).except(b.id()), "ac"),
        (io.except("red"), "cd"),
        (io.except(["red", "blue"]), "d"),
        (io.except([&red]).except(d.id()), "c"),
        (io.to(d.id()), "d"),
        (io.to([d.id(), a.id()]).to("red"), "abd"),
        (io.to("red").except("red"), ""),
        (io.to("nowhere"), ""),
        (io.to(none), ""),
        (io.except(none), "abcd"),
        (io.target(&kept), "bd"),
        (a.broadcast(), "bcd"),
        (a.to("red"), "b"),
        (a.within("red"), "ab"),
        (a.except("blue"), "d"),
        (a.to("blue").except(b.id()), "c"),
        (a.to(a.id()), ""),
        (a.within(a.id()), "a"),
        (d.target(&kept), "b"),
    ];
    for (n, (target, expected)) in targets.iter().enumerate() {
        let sockets = target.sockets().unwrap();
        let mut sorted: Vec<char> = names(&four, &sockets).chars().collect();
        sorted.sort_unstable();
        assert_eq!(String::from_iter(&sorted), *expected, "target {n}");
        // The same as those who get a message, and those who are asked.
        target.emit("e", n.to_string()).unwrap();
        assert_eq!(target.emit_with_ack("q", "").unwrap().expected(), expected.len(), "target {n}");
        for (place, (peer, _)) in four.iter_mut().enumerate() {
            let gets = expected.contains(char::from(b'a' + place as u8));
            let got = if gets { vec![format!("e:{n}"), "q?:".to_owned()] } else { vec![] };
            assert_eq!(peer.read(), got, "target {n}, socket {place}");
        }
        let all = target.join("all").unwrap();
        assert_eq!((all.sockets(), all.changed()), (expected.len(), expected.len()));
        assert_eq!(io.members("all").len(), expected.len());
        assert_eq!(io.to("all").leave("all").unwrap().changed(), expected.len());
    }
    assert_eq!(names(&four, &io.to(["red", "blue"]).sockets().unwrap()), "abc");
}

#[test]
fn a_change_counts_those_that_it_changed() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let four = four(&engine);
    let joined = io.to(["red", "blue"]).join(["blue", "green"]).unwrap();
    assert_eq!((joined.sockets(), joined.changed(), joined.refused().len()), (3, 3, 0));
    let joined = io.except("nowhere").join("blue").unwrap();
    assert_eq!((joined.sockets(), joined.changed()), (4, 1));
    let left = io.to("blue").leave(["red", "unknown"]).unwrap();
    assert_eq!((left.sockets(), left.changed()), (4, 2));
    // The target is what it was when the call began: leaving it does not cut it short.
    let left = io.to("blue").leave("blue").unwrap();
    assert_eq!((left.sockets(), left.changed()), (4, 4));
    assert_eq!(rooms(&four[0].1), ["green"]);
    let bad = io.to("green").join(["fine", ""]).unwrap();
    assert_eq!((bad.sockets(), bad.changed(), bad.refused().len()), (3, 0, 3));
    assert!(bad.refused().iter().all(|(_, error)| matches!(error, MembershipError::Room(_))));
    assert!(!io.has_room("fine"));
}

#[test]
fn hooks_may_change_what_is_selected_meanwhile() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let four = four(&engine);
    let last = four[2].1.clone();
    io.on_disconnect({
        let last = last.clone();
        move |_, _| _ = last.disconnect("by a hook")
    });
    // All are cut off before the first hook: there is nothing left to it.
    let gone = io.to(["red", "blue"]).disconnect(DisconnectReason::Server).unwrap();
    assert_eq!((gone.sockets(), gone.changed()), (3, 3));
    assert_eq!(last.closed(), Some(DisconnectReason::Server));
    assert_eq!(io.socket_ids(), [four[3].1.id()]);

    // One that a room hook throws out of the room joins nothing more, and is told of.
    let io = engine.of("/chat").unwrap();
    let [(_a, a), (_b, b)] = [0; 2].map(|_| Peer::joined(&engine, "/chat"));
    io.on_room({
        let b = b.clone();
        move |_, _| _ = b.disconnect("thrown out")
    });
    let joined = io.except("nowhere").join("room").unwrap();
    assert_eq!((joined.sockets(), joined.changed()), (2, 1));
    assert_eq!(joined.refused(), [(b.id(), MembershipError::Closed("thrown out".into()))]);
    assert!(a.is_in("room"));
    engine.close(); // hooks hold what holds them
}

#[test]
fn whom_an_emit_would_fail_for_a_selection_fails_for() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let other = engine.of("/other").unwrap();
    let (_peer, socket) = Peer::joined(&engine, "/");
    let (_left, left) = Peer::joined(&engine, "/");
    left.disconnect("bye");
    let fails = |namespace: &Namespace, error: &dyn Fn(&EmitError) -> bool, target: &Target| {
        let target = namespace.target(target);
        assert!(error(&target.emit("e", "").unwrap_err()));
        assert!(error(&target.emit_with_ack("e", "").map(drop).unwrap_err()));
        assert!(error(&target.sockets().unwrap_err()));
        assert!(error(&target.join("room").unwrap_err()));
        assert!(error(&target.disconnect("no").unwrap_err()));
    };
    let stale = |error: &EmitError| matches!(error, EmitError::Stale(_));
    let room = |error: &EmitError| matches!(error, EmitError::Room(_));
    let everyone = || Target::new().to(socket.id());
    fails(&io, &stale, &everyone().to(left.id()));
    fails(&other, &stale, &everyone());
    fails(&io, &room, &everyone().to(""));
    fails(&io, &room, &everyone().to(other.room("room").unwrap()));
    fails(&io, &room, &everyone().except(""));
    assert!(matches!(left.broadcast().sockets(), Err(EmitError::Closed(_))));
    // Leaving out who is gone leaves out nobody.
    assert_eq!(io.except(left.id()).sockets().unwrap(), std::slice::from_ref(&socket));
    engine.remove("/");
    fails(&io, &|error| matches!(error, EmitError::NamespaceClosed), &Target::new());
    assert!(!socket.is_connected());
}

#[test]
fn a_socket_that_waits_in_a_middleware_is_selected_by_its_rooms() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.middleware({
        let log = log.clone();
        move |socket| {
            socket.join("room").unwrap();
            let io = socket.namespace();
            let room = io.room("room").unwrap();
            assert!(room.contains(socket.id()) && room.members() == [socket.id()]);
            assert_eq!(io.to("room").sockets().unwrap(), std::slice::from_ref(socket));
            assert_eq!(io.to("room").join("second").unwrap().changed(), 1);
            assert_eq!(io.to("second").leave("second").unwrap().changed(), 1);
            log.say(rooms(socket).join(" "));
            // It is not among all sockets, nor found by its id.
            assert!(io.everyone().sockets().unwrap().is_empty() && io.sockets().is_empty());
            assert!(matches!(io.to(socket.id()).sockets(), Err(EmitError::Stale(_))));
            io.to("room").emit("missed by nobody", "").unwrap();
            if socket.auth().as_str() == Some("kicked") {
                let gone = io.to("room").disconnect("early").unwrap();
                assert_eq!((gone.sockets(), gone.changed()), (1, 1));
                assert!(!room.contains(socket.id()));
            }
            Ok(())
        }
    });
    let mut peer = Peer::new(&engine);
    peer.connect("/");
    assert_eq!(log.take(), ["room"]);
    // What was for its rooms it gets, once it is in.
    assert_eq!(peer.read(), ["connect", "missed by nobody:"]);
    peer.disconnect("/");
    // One that is disconnected there is rejected, whatever the middleware says.
    peer.connect_as("/", "kicked");
    assert_eq!(log.take(), ["room"]);
    assert_eq!(peer.read(), ["error:early"]);
    assert!(io.rooms().is_empty() && engine.socket_count() == 0);
}

#[test]
fn sockets_and_rooms_have_data() {
    struct Name(&'static str);
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.middleware(|socket| {
        socket.set_data(Name(if socket.auth().is_empty() { "nobody" } else { "somebody" }));
        Ok(())
    });
    let mut peer = Peer::new(&engine);
    peer.connect_as("/", "auth");
    assert_eq!(peer.read(), ["connect"]);
    for socket in io.except("nowhere").sockets().unwrap() {
        assert_eq!(socket.data::<Name>().unwrap().0, "somebody");
        assert_eq!(text(&socket.auth()), "auth");
        // It is there until the end, for those who say good-bye too.
        socket.disconnect("bye");
        assert_eq!(socket.data::<Name>().unwrap().0, "somebody");
    }
    let (socket, _inbox) = io.connect();
    socket.join("room").unwrap();
    io.room("room").unwrap().set_data(Name("table"));
    assert_eq!(io.room("room").unwrap().data::<Name>().unwrap().0, "table");
    socket.leave("room").unwrap();
    assert!(io.room("room").unwrap().data::<Name>().is_none());
}
