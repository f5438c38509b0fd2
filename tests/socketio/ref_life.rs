//! What the references get wrong in tables 1c to 1e: how sockets end, rooms, targets.
//!
//! | row | reference | what it does | here |
//! |---|---|---|---|
//! | 1c order | socketioxide | a socket whose handler is slow gets broadcasts after its disconnect packet, and is listed | [`ref_1c_nothing_reaches_a_socket_while_its_disconnect_hook_is_slow`] |
//! | 1c order | socketioxide | a second `disconnect` succeeds | the same |
//! | 1c reasons | Socket.IO | `disconnect(true)` tells every namespace that it was that one | [`ref_1c_the_reason_for_which_a_connection_was_closed_is_told_everywhere`] |
//! | 1c `disconnect` | socketioxide | fails if the send buffer is full, and the socket stays | [`ref_1c_disconnecting_succeeds_whatever_is_queued`] |
//! | 1c after close | Socket.IO | emitting after the disconnect is dropped in silence | [`ref_1c_emitting_after_the_disconnect_is_an_error`] |
//! | 1c server close | socketioxide | runs no handlers | [`ref_1c_closing_the_engine_runs_hooks_and_tells_clients`] |
//! | 1c server close | Socket.IO | sends no disconnect packet, the client sees a lost transport | the same |
//! | 1d after disconnect | socketioxide | joining re-creates the membership for good | [`ref_1d_joining_at_the_moment_of_the_disconnect_leaves_nothing`], `edge_21` |
//! | 1d own-id room | socketioxide | `to(id)` reaches nobody | [`ref_1d_an_id_reaches_its_socket_whatever_rooms_it_is_in`] |
//! | 1d own-id room | Socket.IO | who left its own room gets its own broadcast, and is not reachable | the same |
//! | 1e union | socketioxide | a copy for each room, and listed twice | [`ref_1e_a_socket_in_two_rooms_is_listed_once`], `edge_02` |
//! | 1e exclusion | socketioxide | `within(r).except(x)` leaves out the sender too | [`ref_1e_leaving_out_another_does_not_leave_out_the_sender`] |
//! | 1e sender | socketioxide | `local().emit` goes to the sender only | no counterpart: there is one node |
//! | 1e empty list | both | an empty list of rooms is everyone | [`ref_1e_an_empty_list_of_rooms_is_nobody`] |
//! | 1e reserved names | Socket.IO | throws; for some names only on one side | [`ref_1e_reserved_names_are_refused_everywhere`] |

use std::sync::Barrier;
use std::thread;

use roomcast::{
    Backlog, DisconnectReason, EmitError, Engine, EventError, MembershipError, Overflow, Payload, Target,
};

use crate::common::watched;
use crate::rig::{Log, Peer, rooms, text};

#[test]
fn ref_1c_nothing_reaches_a_socket_while_its_disconnect_hook_is_slow() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    socket.on_disconnecting(|socket, _| {
        // As others see it while this takes its time.
        let io = socket.namespace();
        assert!(io.sockets().is_empty() && io.socket(socket.id()).is_err());
        assert!(io.to("room").sockets().unwrap().is_empty() && io.room_len("room") == 0);
        assert_eq!(io.to("room").emit("late", "").unwrap().members(), 0);
        io.emit("late", "").unwrap();
        assert!(matches!(socket.emit("late", ""), Err(EmitError::Closed(DisconnectReason::Server))));
        assert!(!socket.disconnect("again"));
    });
    let log = Log::new();
    socket.on_error({
        let log = log.clone();
        move |_, failure| log.say(failure.to_string())
    });
    assert!(socket.disconnect(DisconnectReason::Server));
    assert!(!socket.disconnect("again"));
    assert_eq!(socket.closed(), Some(DisconnectReason::Server));
    assert_eq!(peer.read(), ["disconnect:Server"]);
    assert_eq!((log.take(), io.rooms().len()), (vec![], 0));
}

#[test]
fn ref_1c_the_reason_for_which_a_connection_was_closed_is_told_everywhere() {
    let engine = Engine::new();
    let log = Log::new();
    let mut peer = Peer::new(&engine);
    for path in ["/a", "/b", "/c"] {
        let log = log.clone();
        let namespace = engine.of(path).unwrap();
        namespace.on_disconnect(move |_, reason| log.say(format!("{path} {reason}")));
        peer.connect(path);
    }
    peer.socket("/b").disconnect("this one");
    assert!(peer.connection.close("all of them"));
    assert!(!peer.connection.close("again"));
    assert_eq!(log.take(), ["/b this one", "/a all of them", "/c all of them"]);
    peer.read();
    assert_eq!(peer.closed(), Some("all of them".into()));
}

#[test]
fn ref_1c_disconnecting_succeeds_whatever_is_queued() {
    for overflow in [Overflow::DropOldest, Overflow::Disconnect] {
        let backlog = Backlog::new().messages(4).unwrap().overflow(overflow);
        let engine = Engine::builder().backlog(backlog).build();
        let io = engine.of("/").unwrap();
        let (mut peer, socket) = Peer::joined(&engine, "/");
        for _ in 0..4 {
            socket.emit("news", "").unwrap();
        }
        assert!(socket.disconnect(DisconnectReason::Server));
        assert!(!socket.is_connected() && io.sockets().is_empty());
        assert_eq!(peer.read(), ["news:", "news:", "news:", "news:", "disconnect:Server"]);
    }
}

#[test]
fn ref_1c_emitting_after_the_disconnect_is_an_error() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let (mut other, _) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    let room = engine.of("/").unwrap().room("room").unwrap();
    socket.disconnect("bye");
    let closed = Err(EmitError::Closed("bye".into()));
    assert_eq!(socket.emit("late", ""), closed);
    assert_eq!(socket.broadcast().emit("late", ""), closed);
    assert_eq!(socket.within("room").emit("late", ""), closed);
    assert_eq!(room.emit_from(&socket, "late", ""), closed);
    assert_eq!(socket.emit_with_ack("late", "").map(drop), closed.clone().map(|_| ()));
    assert_eq!(socket.broadcast().emit_with_ack("late", "").map(drop), closed.map(|_| ()));
    assert_eq!(peer.read(), [r#"disconnect:Other("bye")"#]);
    assert_eq!(other.read(), [""; 0]);
}

#[test]
fn ref_1c_closing_the_engine_runs_hooks_and_tells_clients() {
    let engine = Engine::new();
    let log = Log::new();
    let mut peer = Peer::new(&engine);
    for path in ["/", "/chat"] {
        let namespace = engine.of(path).unwrap();
        let say = |what: &'static str| {
            let log = log.clone();
            move |socket: &roomcast::Socket, reason: &DisconnectReason| {
                log.say(format!("{path} {what} {reason:?} {:?}", rooms(socket)));
            }
        };
        namespace.on_disconnecting(say("disconnecting"));
        namespace.on_disconnect(say("disconnect"));
        peer.connect(path);
        peer.socket(path).join("room").unwrap();
    }
    peer.read();
    engine.of("/chat").unwrap().emit("last", "").unwrap();
    engine.close();
    let told = [
        r#"/ disconnecting Shutdown ["room"]"#,
        "/ disconnect Shutdown []",
        r#"/chat disconnecting Shutdown ["room"]"#,
        "/chat disconnect Shutdown []",
    ];
    assert_eq!(log.take(), told);
    assert_eq!(peer.read_all(), ["/ disconnect:Shutdown", "/chat last:", "/chat disconnect:Shutdown"]);
    assert_eq!(peer.closed(), Some(DisconnectReason::Shutdown));
}

#[test]
fn ref_1d_joining_at_the_moment_of_the_disconnect_leaves_nothing() {
    watched("join against disconnect", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        for _ in 0..200 {
            let (_peer, socket) = Peer::joined(&engine, "/");
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    for room in 0..20 {
                        if let Err(error) = socket.join(room) {
                            assert_eq!(error, MembershipError::Closed(DisconnectReason::Server));
                        }
                    }
                });
                barrier.wait();
                socket.disconnect(DisconnectReason::Server);
            });
            assert!(io.rooms().is_empty() && socket.rooms().is_empty());
        }
    });
}

#[test]
fn ref_1d_an_id_reaches_its_socket_whatever_rooms_it_is_in() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut a, socket) = Peer::joined(&engine, "/");
    let (mut b, _) = Peer::joined(&engine, "/");
    assert_eq!(socket.room_count(), 0);
    assert_eq!(socket.leave(socket.id().to_string()), Ok(0));
    socket.join("room").unwrap();
    socket.leave_all().unwrap();
    io.to(socket.id()).emit("private", "").unwrap();
    b.socket("/").to(socket.id()).emit("private", "").unwrap();
    // It is left out of its own broadcast by what it is, and others that join a room of that name hear nothing.
    b.socket("/").join(socket.id().to_string()).unwrap();
    socket.broadcast().emit("others", "").unwrap();
    io.to(socket.id()).emit("private", "").unwrap();
    assert_eq!(a.read(), ["private:", "private:", "private:"]);
    assert_eq!(b.read(), ["others:"]);
    // An id that is stale is an error, and nobody else gets the message.
    socket.disconnect("bye");
    assert!(matches!(io.to(socket.id()).to("room").emit("late", ""), Err(EmitError::Stale(_))));
}

#[test]
fn ref_1e_a_socket_in_two_rooms_is_listed_once() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (_a, a) = Peer::joined(&engine, "/");
    let (_b, b) = Peer::joined(&engine, "/");
    a.join(["one", "two"]).unwrap();
    b.join(["two", "one"]).unwrap();
    let target = io.to(["one", "two"]).to(a.id());
    let mut sockets = target.sockets().unwrap();
    sockets.sort_by_key(roomcast::Socket::id);
    assert_eq!(sockets, [a.clone(), b.clone()]);
    let selected = target.join("three").unwrap();
    assert_eq!((selected.sockets(), selected.changed()), (2, 2));
    let acks = target.emit_with_ack("q", "").unwrap();
    assert_eq!(acks.expected(), 2);
    let selected = target.disconnect("over").unwrap();
    assert_eq!((selected.sockets(), selected.changed(), selected.refused().len()), (2, 2, 0));
}

#[test]
fn ref_1e_leaving_out_another_does_not_leave_out_the_sender() {
    let engine = Engine::new();
    let (mut a, sender) = Peer::joined(&engine, "/");
    let (mut b, other) = Peer::joined(&engine, "/");
    let (mut c, third) = Peer::joined(&engine, "/");
    for socket in [&sender, &other, &third] {
        socket.join("room").unwrap();
    }
    sender.within("room").except(other.id()).emit("within", "").unwrap();
    let target = Target::new().to("room").except(other.id());
    sender.target(&target).emit("others", "").unwrap();
    assert_eq!(a.read(), ["within:"]);
    assert_eq!(b.read(), [""; 0]);
    assert_eq!(c.read(), ["within:", "others:"]);
}

#[test]
fn ref_1e_an_empty_list_of_rooms_is_nobody() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut a, socket) = Peer::joined(&engine, "/");
    let (mut b, _) = Peer::joined(&engine, "/");
    let none: Vec<String> = Vec::new();
    assert_eq!(io.to(&none).emit("nobody", "").unwrap().sequence(), None);
    socket.to(&none).emit("nobody", "").unwrap();
    socket.within(&none).emit("nobody", "").unwrap();
    io.target(&Target::new().to(&none)).emit("nobody", "").unwrap();
    io.to(&none).except(socket.id()).emit("nobody", "").unwrap();
    assert!(io.to(&none).sockets().unwrap().is_empty());
    assert_eq!(io.to(&none).disconnect("nobody").unwrap().sockets(), 0);
    // It adds nothing, and takes nothing away.
    io.to(&none).to(socket.id()).emit("one", "").unwrap();
    io.except(&none).emit("all", "").unwrap();
    assert_eq!(a.read(), ["one:", "all:"]);
    assert_eq!(b.read(), ["all:"]);
}

#[test]
fn ref_1e_reserved_names_are_refused_everywhere() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (peer, socket) = Peer::joined(&engine, "/");
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "gap"] {
        let reserved = || EventError::Reserved(name.into());
        assert_eq!(io.emit(name, ""), Err(EmitError::Event(reserved())));
        assert_eq!(socket.emit(name, ""), Err(EmitError::Event(reserved())));
        assert_eq!(games.emit(name, ""), Err(EmitError::Event(reserved())));
        assert_eq!(io.emit_with_ack(name, "").map(drop), Err(EmitError::Event(reserved())));
        assert_eq!(io.event(name).map(drop), Err(reserved()));
        if name == "gap" {
            continue;
        }
        assert_eq!(io.on(name, |_, _: Payload| {}), Err(reserved()));
        assert_eq!(games.once(name, |_, _: Payload| {}), Err(reserved()));
        assert_eq!(socket.on_with_ack(name, |_, _: Payload, _| {}), Err(reserved()));
    }
    assert!(socket.is_connected());
    // "gap" is a word of ours that servers do not say, and no client need know of it.
    let log = Log::new();
    socket
        .on("gap", {
            let log = log.clone();
            move |_, payload: Payload| log.say(text(&payload))
        })
        .unwrap();
    peer.send("/", "gap", "mind it");
    assert_eq!((log.take(), peer.closed()), (vec!["mind it".into()], None));
}
