//! What errors and reasons say to people, and what clients are told of them.

use std::error::Error;
use std::time::Duration;

use roomcast::{
    AckError, Backlog, Closed, DecodeError, DisconnectReason, EmitError, EncodeError, Engine, EventError,
    ForgottenTick, MembershipError, NamespaceError, OutOfGrid, PresenceError, ProtocolError, ReceiveError,
    RecvTimeoutError, Refusal, Rejection, RoomName, RoomNameError, SendError, StaleSocket,
};

#[track_caller]
fn say<E: Error>(cases: impl IntoIterator<Item = (E, &'static str)>) {
    for (error, text) in cases {
        assert_eq!(error.to_string(), text, "{error:?}");
    }
}

#[test]
fn errors_of_names_say_which_and_what_is_wrong() {
    say([
        (EventError::Empty, "the event name is empty"),
        (EventError::TooLong { bytes: 9, limit: 8 }, "the event name has 9 bytes, more than the limit of 8"),
        (EventError::Reserved("gap".into()), r#"the event name "gap" is reserved"#),
    ]);
    say([
        (RoomNameError::Empty, "the room name is empty"),
        (
            RoomNameError::TooLong { bytes: 9, limit: 8 },
            "the room name has 9 bytes, more than the limit of 8",
        ),
        (RoomNameError::Foreign, "the room handle is of another namespace"),
        (RoomNameError::TooManyRooms { limit: 3 }, "the namespace cannot have more than 3 rooms"),
    ]);
    let problem = "no good";
    say([
        (NamespaceError::BadPath { path: "/a b".into(), problem }, r#"bad namespace path "/a b": no good"#),
        (NamespaceError::EngineClosed, "the engine is closed"),
    ]);
    let error = Engine::new().of_pattern("/game-{id").unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(r#"bad pattern of paths "/game-{id", at byte 6: "#), "{text}");
    let text = Backlog::new().messages(0).unwrap_err().to_string();
    assert!(text.starts_with("`messages` "), "{text}");
}

#[test]
fn errors_of_sockets_say_what_stands_in_the_way() {
    let room = RoomName::from((3, -4));
    let refused = |refusal| MembershipError::Refused { room: room.clone(), refusal };
    say([
        (
            MembershipError::Closed(DisconnectReason::Server),
            "the socket is closed: disconnected by the server",
        ),
        (RoomNameError::Empty.into(), "the room name is empty"),
        (MembershipError::TooManyRooms { limit: 2 }, "the socket cannot be in more than 2 rooms"),
        (refused(Refusal::Full), "the room (3, -4) refused the socket: it is full"),
        (refused(Refusal::Locked), "the room (3, -4) refused the socket: it is locked"),
        (refused("members only".into()), "the room (3, -4) refused the socket: members only"),
        (refused(String::from("not you").into()), "the room (3, -4) refused the socket: not you"),
    ]);
    say([
        (EmitError::Event(EventError::Empty), "the event name is empty"),
        (EmitError::Room(RoomNameError::Empty), "the room name is empty"),
        (EmitError::Closed("bye".into()), "the socket is closed: bye"),
        (EmitError::Connecting, "the socket is not connected yet"),
        (EmitError::NamespaceClosed, "the namespace is removed"),
        (EmitError::Encode(EncodeError::new("not finite")), "not finite"),
        (EmitError::TooManyAcks { limit: 7 }, "7 messages wait for answers, and no more can"),
        (EmitError::KeyTooLong { bytes: 9, limit: 8 }, "the key has 9 bytes, more than the limit of 8"),
    ]);
    let (socket, _inbox) = Engine::new().of("/").unwrap().connect();
    let stale = StaleSocket(socket.id());
    assert_eq!(stale.to_string(), format!("there is no socket {} in this namespace", socket.id()));
    assert_eq!(EmitError::Stale(stale).to_string(), stale.to_string());
}

#[test]
fn errors_of_waiting_say_how_it_ended() {
    let reason = DisconnectReason::Timeout;
    say([(Closed { reason: reason.clone() }, "the inbox is closed: timed out")]);
    say([
        (RecvTimeoutError::Timeout, "nothing arrived in time"),
        (RecvTimeoutError::Closed(reason.clone()), "the inbox is closed: timed out"),
    ]);
    say([
        (AckError::TimedOut, "not answered in time"),
        (AckError::Disconnected(reason), "not answered before the end: timed out"),
    ]);
}

#[test]
fn errors_of_clients_say_what_they_did() {
    let event = || ProtocolError::Event(EventError::Empty);
    let too_long = "the payload has 9 bytes, more than the limit of 8";
    say([
        (ProtocolError::AlreadyConnected, "the client has a socket in that namespace already"),
        (ProtocolError::NotConnected, "the client has no socket in that namespace"),
        (event(), "the event name is empty"),
        (ProtocolError::PathTooLong, "the path of the namespace has more than 256 bytes"),
        (ProtocolError::PayloadTooLong { bytes: 9, limit: 8 }, too_long),
    ]);
    let busy = "too many events wait for a handler that is running";
    say([
        (ReceiveError::Protocol(event()), "the event name is empty"),
        (ReceiveError::Busy, busy),
        (ReceiveError::Closed("bye".into()), "the connection is closed: bye"),
    ]);
    say([
        (SendError::Event(EventError::Empty), "the event name is empty"),
        (SendError::Encode(EncodeError::new("not finite")), "not finite"),
        (SendError::Full { limit: 2 }, "2 events wait for the socket to be connected, and no more can"),
        (SendError::TooLong { bytes: 9, limit: 8 }, too_long),
        (SendError::TooManyAcks { limit: 7 }, "7 events wait for answers, and no more can"),
        (SendError::Receive(ReceiveError::Busy), busy),
    ]);
}

#[test]
fn reasons_say_who_ended_it() {
    for (reason, text) in [
        (DisconnectReason::Client, "disconnected by the client"),
        (DisconnectReason::Server, "disconnected by the server"),
        (DisconnectReason::Transport, "transport closed"),
        (DisconnectReason::Backlog, "backlog over the limit"),
        (DisconnectReason::Timeout, "timed out"),
        (DisconnectReason::Protocol, "protocol error"),
        (DisconnectReason::Rejected, "rejected by a middleware"),
        (DisconnectReason::InboxDropped, "inbox dropped"),
        (DisconnectReason::NamespaceFull, "namespace full"),
        (DisconnectReason::NamespaceRemoved, "namespace removed"),
        (DisconnectReason::Shutdown, "engine closed"),
        (String::from("cheats").into(), "cheats"),
    ] {
        assert_eq!(reason.to_string(), text, "{reason:?}");
    }
}

/// A middleware may use `?` on whatever the engine returns.
#[test]
fn a_client_is_told_of_an_error_in_its_words() {
    let told = [
        (MembershipError::TooManyRooms { limit: 2 }.into(), "the socket cannot be in more than 2 rooms"),
        (Refusal::Locked.into(), "it is locked"),
        (EmitError::NamespaceClosed.into(), "the namespace is removed"),
        (EncodeError::new("not finite").into(), "not finite"),
        (DecodeError::new("not four bytes").into(), "not four bytes"),
        (EventError::Empty.into(), "the event name is empty"),
        (NamespaceError::EngineClosed.into(), "the engine is closed"),
        (RoomNameError::Foreign.into(), "the room handle is of another namespace"),
    ];
    for (rejection, text) in told {
        let rejection: Rejection = rejection;
        assert_eq!((rejection.message(), rejection.data().len()), (text, 0));
        assert_eq!(rejection.to_string(), text);
    }
}

#[test]
fn errors_beside_the_rooms_say_what_is_wrong() {
    say([
        (PresenceError::Closed("bye".into()), "the socket is closed: bye"),
        (PresenceError::Connecting, "the socket is not connected yet"),
        (PresenceError::Foreign, "the socket is of another namespace"),
        (PresenceError::NotInRoom, "the socket is not in the room"),
        (PresenceError::NotPresent, "the socket is not present"),
        (PresenceError::EmptyKey, "the key is empty"),
        (PresenceError::KeyTooLong { bytes: 9, limit: 8 }, "the key has 9 bytes, more than the limit of 8"),
        (EncodeError::new("not finite").into(), "not finite"),
    ]);
    say([(OutOfGrid, "the place is not on the grid")]);
    say([(ForgottenTick(Duration::from_secs(3)), "the tick at 3s is not remembered any more")]);
}
