//! Edge cases 1 to 8: whom a message is for, and rooms.

use roomcast::{EmitError, Engine, Target};

use crate::rig::Peer;

/// Three clients in `/`.
fn three(engine: &Engine) -> [Peer; 3] {
    [0; 3].map(|_| Peer::joined(engine, "/").0)
}

#[test]
fn edge_01_a_stored_broadcast_is_not_changed_by_what_is_made_of_it() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b, mut c] = three(&engine);
    a.socket("/").join("one").unwrap();
    b.socket("/").join("two").unwrap();
    let stored = io.to("one");
    stored.clone().to("two").emit("union", "").unwrap();
    stored.clone().except("one").emit("nobody", "").unwrap();
    stored.emit("again", "").unwrap();
    let everyone = io.except(c.id("/"));
    everyone.clone().except("two").emit("but", "").unwrap();
    everyone.emit("all", "").unwrap();
    let target = Target::new().to("two");
    io.target(&target.clone().to("one")).emit("both", "").unwrap();
    io.target(&target).emit("two", "").unwrap();
    assert_eq!(a.read(), ["union:", "again:", "but:", "all:", "both:"]);
    assert_eq!(b.read(), ["union:", "all:", "both:", "two:"]);
    assert_eq!(c.read(), [""; 0]);
}

#[test]
fn edge_02_a_socket_in_two_targeted_rooms_gets_one_copy() {
    // socketioxide sends a copy for each room.
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b, _c] = three(&engine);
    a.socket("/").join(["one", "two"]).unwrap();
    b.socket("/").join("two").unwrap();
    io.to("one").to("two").emit("chained", "").unwrap();
    io.to(["two", "one", "two"]).emit("listed", "").unwrap();
    io.to(["one", "two"]).to(a.id("/")).emit("by id too", "").unwrap();
    assert_eq!(a.read(), ["chained:", "listed:", "by id too:"]);
    assert_eq!(b.read(), ["chained:", "listed:", "by id too:"]);
}

#[test]
fn edge_03_a_member_that_broadcasts_to_its_room_is_the_only_one_left_out() {
    let engine = Engine::new();
    let [mut a, mut b, mut c] = three(&engine);
    for peer in [&a, &b] {
        peer.socket("/").join("room").unwrap();
    }
    a.socket("/").to("room").emit("others", "").unwrap();
    a.socket("/").broadcast().emit("all others", "").unwrap();
    a.socket("/").within("room").emit("room", "").unwrap();
    engine.of("/").unwrap().to("room").emit("server", "").unwrap();
    // One that is no member leaves out nobody.
    c.socket("/").to("room").emit("guest", "").unwrap();
    assert_eq!(a.read(), ["room:", "server:", "guest:"]);
    assert_eq!(b.read(), ["others:", "all others:", "room:", "server:", "guest:"]);
    assert_eq!(c.read(), ["all others:"]);
}

#[test]
fn edge_04_ids_and_rooms_can_be_left_out_alone_or_with_rooms() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [mut a, mut b, mut c] = three(&engine);
    a.socket("/").join(["one", "muted"]).unwrap();
    b.socket("/").join("one").unwrap();
    io.except(a.id("/")).emit("but an id", "").unwrap();
    io.except("muted").emit("but a room", "").unwrap();
    io.except(["muted", "nowhere"]).except(c.id("/")).emit("but both", "").unwrap();
    io.to("one").except("muted").emit("room but room", "").unwrap();
    io.to("one").except(b.id("/")).emit("room but id", "").unwrap();
    io.except(b.id("/")).to("one").emit("in any order", "").unwrap();
    c.socket("/").except("muted").emit("from one", "").unwrap();
    c.socket("/").to("one").except(b.id("/")).emit("from one to a room", "").unwrap();
    // Exclusion beats inclusion.
    io.to(a.id("/")).to("one").except(a.id("/")).emit("id but id", "").unwrap();
    assert_eq!(a.read(), ["room but id:", "in any order:", "from one to a room:"]);
    let to_b = ["but an id:", "but a room:", "but both:", "room but room:", "from one:", "id but id:"];
    assert_eq!(b.read(), to_b);
    assert_eq!(c.read(), ["but an id:", "but a room:"]);
}

#[test]
fn edge_05_a_room_goes_with_its_last_member_and_leaving_an_unknown_one_changes_nothing() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let [a, b, _c] = three(&engine);
    let (a, b) = (a.socket("/"), b.socket("/"));
    a.join("room").unwrap();
    b.join("room").unwrap();
    a.leave("room").unwrap();
    assert_eq!((io.has_room("room"), io.room_len("room")), (true, 1));
    assert_eq!(b.leave(["room", "unknown"]), Ok(1));
    assert!(!io.has_room("room") && io.rooms().is_empty());
    assert_eq!(b.leave("unknown"), Ok(0));
    assert!(io.rooms().is_empty());
    a.join("room").unwrap();
    a.disconnect("bye");
    assert!(io.rooms().is_empty());
}

#[test]
fn edge_06_joining_several_rooms_is_visible_to_the_next_statement() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    assert_eq!(socket.join(["one", "two", "three", "two"]), Ok(3));
    for room in ["one", "two", "three"] {
        assert!(socket.is_in(room));
        assert_eq!(io.members(room), [socket.id()]);
        io.to(room).emit("in", room).unwrap();
    }
    assert_eq!(socket.room_count(), 3);
    assert_eq!(peer.read(), ["in:one", "in:two", "in:three"]);
}

#[test]
fn edge_07_a_socket_without_rooms_gets_what_is_for_all() {
    let engine = Engine::new();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.join("room").unwrap();
    socket.leave_all().unwrap();
    engine.of("/").unwrap().emit("all", "").unwrap();
    assert_eq!(socket.room_count(), 0);
    assert_eq!(peer.read(), ["all:"]);
}

#[test]
fn edge_08_rooms_of_the_same_name_in_two_namespaces_never_mix() {
    let engine = Engine::new();
    let (chat, news) = (engine.of("/chat").unwrap(), engine.of("/news").unwrap());
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    peer.connect("/news");
    peer.read();
    peer.socket("/chat").join("room").unwrap();
    assert!(!news.has_room("room"));
    news.to("room").emit("lost", "").unwrap();
    peer.socket("/news").join("room").unwrap();
    chat.to("room").emit("one", "").unwrap();
    assert_eq!(peer.read_all(), ["/chat one:"]);
    peer.socket("/chat").leave("room").unwrap();
    news.to("room").emit("two", "").unwrap();
    assert_eq!(peer.read_all(), ["/news two:"]);
    // Nor do ids: a socket of one namespace is not found in the other.
    let id = peer.id("/chat");
    assert!(matches!(news.to(id).emit("three", ""), Err(EmitError::Stale(_))));
    assert!(news.socket(id).is_err());
}
