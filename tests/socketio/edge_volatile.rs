//! Edge cases 15 to 17: volatile messages. Socket.IO drops them while the transport is not writable; ours are for
//! sockets that have read all but `volatile_backlog` messages before, and never overtake one.

use roomcast::{DisconnectReason, EmitError, Engine, Namespace};

use crate::rig::Peer;

/// A namespace in which volatile messages are for those who have read everything.
fn strict() -> (Engine, Namespace) {
    let engine = Engine::builder().volatile_backlog(0).build();
    let io = engine.of("/").unwrap();
    (engine, io)
}

#[test]
fn edge_15_a_volatile_message_right_after_a_regular_one_is_dropped_and_the_other_way_round_not() {
    let (engine, io) = strict();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    socket.emit("regular", "").unwrap();
    socket.emit_volatile("volatile", "").unwrap();
    assert_eq!(peer.read(), ["regular:"]);
    socket.emit_volatile("volatile", "").unwrap();
    socket.emit("regular", "").unwrap();
    assert_eq!(peer.read(), ["volatile:", "regular:"]);
    // From the namespace as well, and whatever way the regular one came.
    io.to("room").emit("regular", "").unwrap();
    io.everyone().volatile().emit("volatile", "").unwrap();
    assert_eq!(peer.read(), ["regular:"]);
    io.everyone().volatile().emit("volatile", "").unwrap();
    io.to("room").emit("regular", "").unwrap();
    assert_eq!(peer.read(), ["volatile:", "regular:"]);
}

#[test]
fn edge_16_of_two_volatile_messages_one_arrives_with_bytes_and_as_a_broadcast_too() {
    let (engine, io) = strict();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    let (mut other, _) = Peer::joined(&engine, "/");
    for _ in 0..2 {
        socket.emit_volatile("text", "a").unwrap();
        socket.emit_volatile("text", "b").unwrap();
        assert_eq!(peer.read(), ["text:a"]);
        socket.emit_volatile("bytes", [1]).unwrap();
        socket.emit_volatile("bytes", [2]).unwrap();
        assert_eq!(peer.read(), ["bytes:[1]"]);
    }
    assert_eq!(other.read(), [""; 0]);
    // Each of those who are addressed is behind for itself.
    io.everyone().volatile().emit("all", [1]).unwrap();
    assert_eq!(peer.read(), ["all:[1]"]);
    io.everyone().volatile().emit("all", [2]).unwrap();
    assert_eq!((peer.read(), other.read()), (vec!["all:[2]".into()], vec!["all:[1]".into()]));
    // The one who is left out is not behind for it.
    socket.broadcast().volatile().emit("others", "").unwrap();
    socket.emit_volatile("own", "").unwrap();
    assert_eq!((peer.read(), other.read()), (vec!["own:".into()], vec!["others:".into()]));
}

#[test]
fn edge_17_a_volatile_message_is_no_error_and_does_not_replace_the_one_before() {
    // In socketioxide the second replaces the first, and may overtake what was emitted between them.
    let (engine, io) = strict();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    for n in 0..1000 {
        socket.emit_volatile("n", n.to_string()).unwrap();
        assert_eq!(io.everyone().volatile().emit("n", "all").unwrap().members(), 1);
    }
    socket.emit("last", "").unwrap();
    assert_eq!(peer.read(), ["n:0", "last:"]);
    assert_eq!(peer.closed(), None);
    // What is an error for others is one here: nothing else would say so.
    socket.disconnect(DisconnectReason::Server);
    let closed = EmitError::Closed(DisconnectReason::Server);
    assert_eq!(socket.emit_volatile("n", "").map(drop), Err(closed));
    assert_eq!(io.everyone().volatile().emit("n", "").unwrap().members(), 0);
}
