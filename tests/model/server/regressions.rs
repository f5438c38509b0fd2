//! Failures that the machines have found, each in its smallest form.

use std::sync::{Arc, Mutex};

use roomcast::{
    ClientPacket, Connection, DisconnectReason, Engine, Handshake, MembershipError, Namespace, Outbox,
    Payload, ReceiveError, Refusal, Rejection, RoomEvent, ServerPacket,
};

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn say(&self, line: impl Into<String>) {
        self.0.lock().expect("nothing panics under it").push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics under it"))
    }
}

fn setup() -> (Engine, Namespace, Connection, Outbox) {
    let engine = Engine::new();
    let chat = engine.of("/chat").expect("the path is good");
    let (connection, outbox) = engine.connect(Handshake::new());
    (engine, chat, connection, outbox)
}

fn connect(connection: &Connection, namespace: &str) -> Result<(), ReceiveError> {
    connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() })
}

fn sent(outbox: &mut Outbox) -> Vec<String> {
    let mut sent = Vec::new();
    outbox.drain(|packet| match packet {
        ServerPacket::Connect { .. } => sent.push("connected".to_owned()),
        ServerPacket::ConnectError { message, .. } => sent.push(message.to_owned()),
        other => sent.push(format!("{other:?}")),
    });
    sent
}

#[test]
fn middlewares_are_not_asked_about_a_socket_that_has_gone() {
    let (engine, chat, connection, mut outbox) = setup();
    let seen = Seen::default();
    let client = connection.clone();
    chat.middleware(move |_| {
        let given_up = client.receive(ClientPacket::Disconnect { namespace: "/chat" });
        given_up.map_err(|error| Rejection::new(error.to_string()))
    });
    let next = seen.clone();
    chat.middleware(move |_| {
        next.say("asked");
        Ok(())
    });
    connect(&connection, "/chat").expect("it is open");
    assert!(seen.take().is_empty() && sent(&mut outbox).is_empty());
    engine.close(); // hooks hold what holds them
}

#[test]
fn a_socket_of_a_namespace_that_was_removed_meanwhile_never_connects() {
    let (engine, chat, connection, mut outbox) = setup();
    let seen = Seen::default();
    let again = seen.clone();
    chat.on_connect(move |_| again.say("on_connect"));
    let again = seen.clone();
    chat.on_disconnect(move |_, _| again.say("on_disconnect"));
    chat.middleware(move |_| {
        engine.remove("/chat");
        Ok(())
    });
    connect(&connection, "/chat").expect("it is open");
    assert_eq!(sent(&mut outbox), ["namespace removed"]);
    assert!(seen.take().is_empty());
}

#[test]
fn nobody_is_asked_whether_a_closed_socket_may_join() {
    let (_engine, chat, ..) = setup();
    chat.admission(|_, _| Err("asked".into()));
    let (socket, _inbox) = chat.connect();
    socket.disconnect(DisconnectReason::Server);
    assert_eq!(socket.join("a"), Err(MembershipError::Closed(DisconnectReason::Server)));
}

#[test]
fn a_closed_connection_says_so_whatever_it_is_sent() {
    let (_engine, _chat, connection, _outbox) = setup();
    connection.close(DisconnectReason::Server);
    let received = connection.receive(ClientPacket::Disconnect { namespace: "no path" });
    assert_eq!(received, Err(ReceiveError::Closed(DisconnectReason::Server)));
}

#[test]
fn an_outbox_that_is_dropped_while_its_connection_is_closed_changes_no_reason() {
    let (engine, chat, connection, outbox) = setup();
    let game = engine.of("/game").expect("the path is good");
    let seen = Seen::default();
    let outbox = Mutex::new(Some(outbox));
    chat.on_disconnect(move |_, _| drop(outbox.lock().expect("nothing panics under it").take()));
    let again = seen.clone();
    game.on_disconnect(move |_, reason| again.say(reason.to_string()));
    connect(&connection, "/chat").and_then(|()| connect(&connection, "/game")).expect("it is open");
    connection.close(DisconnectReason::Server);
    assert_eq!(seen.take(), ["disconnected by the server"]);
}

#[test]
fn a_rejection_is_told_before_what_comes_of_it() {
    let (engine, chat, connection, mut outbox) = setup();
    let seen = Seen::default();
    let client = connection.clone();
    chat.middleware(move |socket| {
        if !seen.take().is_empty() {
            return Ok(());
        }
        socket.join("a").expect("it may");
        let (seen, client) = (seen.clone(), client.clone());
        let asked =
            socket.namespace().to("a").emit_with_ack("hello", ()).expect("there is nothing wrong with it");
        asked.on_done(move |_| {
            seen.say("gone");
            connect(&client, "/chat").expect("its place is free");
        });
        Err("not yet".into())
    });
    connect(&connection, "/chat").expect("it is open");
    assert_eq!(sent(&mut outbox), ["not yet", "connected"]);
    engine.close(); // the middleware holds its connection
}

#[test]
fn a_client_that_comes_again_and_again_and_does_not_read_is_thrown_out() {
    let engine = Engine::builder().inbound_queue(100).expect("it is not 0").build();
    let chat = engine.of("/chat").expect("the path is good");
    chat.on_connect(|socket| assert!(socket.disconnect(DisconnectReason::Server)));
    let (connection, _outbox) = engine.connect(Handshake::new());
    let refused = (0..1000).find_map(|n| connect(&connection, "/chat").err().map(|error| (n, error)));
    assert_eq!(refused, Some((101, ReceiveError::Closed(DisconnectReason::Backlog))));
}

#[test]
fn of_a_client_that_comes_and_goes_between_two_drains_nothing_is_left() {
    let engine = Engine::builder().inbound_queue(1).expect("it is not 0").build();
    engine.of("/chat").expect("the path is good");
    let (connection, mut outbox) = engine.connect(Handshake::new());
    for _ in 0..100 {
        connect(&connection, "/chat").expect("it is open");
        connection.receive(ClientPacket::Disconnect { namespace: "/chat" }).expect("it is connected");
    }
    assert!(sent(&mut outbox).is_empty() && connection.closed().is_none());
}

#[test]
fn places_that_were_claimed_are_given_back_when_another_room_is_full() {
    let (_engine, chat, ..) = setup();
    let rooms = ["a", "b", "full"].map(|name| chat.room(name).expect("the name is good"));
    rooms.iter().zip([1, 1, 0]).for_each(|(room, capacity)| room.set_capacity(capacity));
    let (socket, _inbox) = chat.connect();
    let refused = |room: &str| Err(MembershipError::Refused { room: room.into(), refusal: Refusal::Full });
    for _ in 0..3 {
        assert_eq!(socket.join(["a", "b", "full"]), refused("full"));
        assert_eq!(socket.join(["a", "full", "b"]), refused("full"));
        assert_eq!(socket.set_rooms(["b", "a", "full"]).map(|_| 0), refused("full"));
    }
    assert_eq!(socket.join(["a", "b"]), Ok(2));
    let (other, _inbox) = chat.connect();
    assert_eq!(other.join("a"), refused("a"));
}

#[test]
fn rooms_are_told_of_between_the_hooks_of_a_disconnect() {
    let (_engine, chat, ..) = setup();
    let seen = Seen::default();
    let again = seen.clone();
    chat.on_disconnecting(move |_, _| again.say("disconnecting"));
    let again = seen.clone();
    chat.on_room(move |_, event| {
        again.say(format!("{} {}", event.room(), matches!(event, RoomEvent::Left(..))));
    });
    let again = seen.clone();
    chat.on_disconnect(move |_, _| again.say("gone"));
    let sockets: Vec<_> = (0..2).map(|_| chat.connect()).collect();
    sockets.iter().for_each(|(socket, _)| assert_eq!(socket.join("a"), Ok(1)));
    seen.take();
    sockets[0].0.disconnect(DisconnectReason::Server);
    assert_eq!(seen.take(), ["disconnecting", "a true", "gone"]);
}
// For tests/model/server/regressions.rs, once src is patched (model2-close.patch); red without.
#[test]
fn a_socket_that_is_still_with_the_middlewares_goes_with_its_connection_before_hooks_are_called() {
    let (engine, chat, connection, _outbox) = setup();
    let game = engine.of("/game").expect("the path is good");
    let seen = Seen::default();
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    game.deferred_middleware(move |socket, decision| {
        socket.join("lobby").expect("it may");
        *keep.lock().expect("nothing panics under it") = Some(decision);
    });
    let again = seen.clone();
    game.on_connect(move |_| again.say("connected"));
    let (again, lobby) = (seen.clone(), game.clone());
    chat.on_disconnecting(move |_, _| {
        again.say(format!("{} in the lobby", lobby.room_len("lobby")));
        let decision = kept.lock().expect("nothing panics under it").take();
        decision.expect("it was asked").accept();
    });
    connect(&connection, "/chat").and_then(|()| connect(&connection, "/game")).expect("it is open");
    connection.close(DisconnectReason::Server);
    assert_eq!(seen.take(), ["0 in the lobby"]); // not ["1 in the lobby", "connected"]
}
