//! What the references get wrong, or do by the way, in tables 1g to 1i: order, listeners, room events.
//!
//! | row | reference | what it does | here |
//! |---|---|---|---|
//! | 1g volatile | socketioxide | a later regular event may arrive before it | none are volatile here |
//! | 1g buffer full | socketioxide | a broadcast tells that somebody was missed, not who | [`ref_1g_whoever_falls_behind_is_known_and_hurts_nobody`] |
//! | 1g order out | Socket.IO | one order over direct and room messages | [`ref_1g_direct_room_and_answer_packets_keep_one_order`] |
//! | 1g order in | socketioxide | handlers overtake each other | [`ref_1g_handlers_run_in_the_order_in_which_events_came`] |
//! | 1h catch-all in | Socket.IO | runs before packet middlewares, with the event as it came | [`ref_1h_catch_all_handlers_see_what_came_and_not_what_was_made_of_it`] |
//! | 1h middleware | Socket.IO | the next event enters middlewares before the handler of the last | [`ref_1h_an_event_is_handled_before_the_next_one_enters_a_middleware`] |
//! | 1i events | Socket.IO | come between `disconnecting` and `disconnect` | [`ref_1i_room_events_of_a_disconnect_come_between_its_hooks`] |
//!
//! Table 1j is about recovery, which is not part of this; its rows are left out.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use roomcast::{Backlog, DisconnectReason, Engine, Incoming, Overflow, Payload, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer, send, text};

#[test]
fn ref_1g_whoever_falls_behind_is_known_and_hurts_nobody() {
    let backlog = Backlog::new().messages(8).unwrap().overflow(Overflow::Disconnect);
    let engine = Engine::builder().backlog(backlog).build();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.on_disconnect({
        let log = log.clone();
        move |socket, reason| log.say(format!("{} {reason:?}", socket.id()))
    });
    let (mut reads, _) = Peer::joined(&engine, "/");
    let (mut stalls, _) = Peer::joined(&engine, "/");
    for n in 0..40 {
        io.emit("n", n.to_string()).unwrap();
        assert_eq!(reads.read(), [format!("n:{n}")]);
    }
    assert_eq!(log.take(), [format!("{} Backlog", stalls.id("/"))]);
    let packets = stalls.read();
    assert_eq!(packets.last().unwrap(), "disconnect:Backlog");
    assert_eq!((io.socket_count(), stalls.connection.closed()), (1, None));
}

#[test]
fn ref_1g_direct_room_and_answer_packets_keep_one_order() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    io.on_with_ack("q", |socket, payload: Payload, ack| {
        socket.emit("before", "").unwrap();
        ack.send(payload).unwrap();
        socket.namespace().emit("after", "").unwrap();
    })
    .unwrap();
    let (mut peer, socket) = Peer::joined(&engine, "/");
    socket.join(["one", "two"]).unwrap();
    let mut expected = Vec::new();
    for n in 0..20 {
        let n = n.to_string();
        socket.emit("direct", &n).unwrap();
        io.to("one").emit("room", &n).unwrap();
        peer.ask("/", "q", &n, 7);
        io.to(["two", "one"]).emit("rooms", &n).unwrap();
        socket.within("two").emit("within", &n).unwrap();
        expected.extend([format!("direct:{n}"), format!("room:{n}")]);
        expected.extend(["before:".into(), format!("ack 7:{n}"), "after:".into()]);
        expected.extend([format!("rooms:{n}"), format!("within:{n}")]);
    }
    assert_eq!(peer.read(), expected);
}

#[test]
fn ref_1g_handlers_run_in_the_order_in_which_events_came() {
    // The thread that is at the first event handles what others bring meanwhile, until there is nothing left.
    watched("order in", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (go, gone) = channel();
        let gone = Mutex::new(gone);
        io.on("n", {
            let seen = Arc::clone(&seen);
            move |_, n: Payload| {
                let n = text(&n).parse::<usize>().unwrap();
                seen.lock().unwrap().push((n, thread::current().id()));
                if n == 0 {
                    gone.lock().unwrap().recv().unwrap();
                }
                thread::yield_now();
                let last = seen.lock().unwrap().last().unwrap().0;
                assert_eq!(last, n, "another one ran meanwhile");
            }
        })
        .unwrap();
        let failures = Log::new();
        io.on_error({
            let failures = failures.clone();
            move |_, failure| failures.say(failure.to_string())
        });
        let (peer, _) = Peer::joined(&engine, "/");
        let first = {
            let (connection, seen) = (peer.connection.clone(), Arc::clone(&seen));
            let first = thread::spawn(move || send(&connection, "/", "n", "0").unwrap());
            while seen.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            first
        };
        let id = first.thread().id();
        for n in 1..500 {
            peer.send("/", "n", n.to_string());
        }
        assert_eq!(seen.lock().unwrap().len(), 1);
        go.send(()).unwrap();
        for n in 500..3000 {
            while peer.try_send("/", "n", n.to_string()).is_err() {
                thread::yield_now();
            }
        }
        first.join().unwrap();
        peer.send("/", "n", "3000");
        let seen = seen.lock().unwrap();
        assert!(seen.iter().map(|(n, _)| *n).eq(0..=3000));
        assert!(seen[..500].iter().all(|(_, thread)| *thread == id));
        assert_eq!(seen[3000].1, thread::current().id());
        assert_eq!(failures.take(), [""; 0]);
    });
}

#[test]
fn ref_1h_catch_all_handlers_see_what_came_and_not_what_was_made_of_it() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.packet_middleware(|_, incoming: &mut Incoming| {
        incoming.set_event("new");
        incoming.set_payload("made").unwrap();
        Ok(())
    });
    let any = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, incoming: &Incoming| {
            log.say(format!("{what} {}:{}", incoming.event(), text(incoming.payload())));
        }
    };
    let (peer, socket) = Peer::joined(&engine, "/");
    socket.on_any(any("socket"));
    io.on_any(any("namespace"));
    io.on("new", {
        let log = log.clone();
        move |_, payload: Payload| log.say(format!("handler {}", text(&payload)))
    })
    .unwrap();
    peer.send("/", "old", "came");
    assert_eq!(log.take(), ["namespace old:came", "socket old:came", "handler made"]);
}

#[test]
fn ref_1h_an_event_is_handled_before_the_next_one_enters_a_middleware() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    io.packet_middleware({
        let log = log.clone();
        move |socket, incoming: &mut Incoming| {
            log.say(format!("middleware {}", incoming.event()));
            if incoming.event() == "one" {
                send(&socket.connection().unwrap(), "/", "two", "").unwrap();
            }
            Ok(())
        }
    });
    for event in ["one", "two"] {
        let log = log.clone();
        io.on(event, move |_, _: Payload| log.say(format!("handler {event}"))).unwrap();
    }
    let (peer, _) = Peer::joined(&engine, "/");
    peer.send("/", "one", "");
    assert_eq!(log.take(), ["middleware one", "handler one", "middleware two", "handler two"]);
}

#[test]
fn ref_1i_room_events_of_a_disconnect_come_between_its_hooks() {
    let engine = Engine::new();
    let io = engine.of("/").unwrap();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |_: &Socket, _: &DisconnectReason| log.say(what)
    };
    io.on_disconnecting(say("disconnecting"));
    io.on_disconnect(say("disconnect"));
    let (_peer, socket) = Peer::joined(&engine, "/");
    socket.join(["one", "two"]).unwrap();
    io.on_room({
        let log = log.clone();
        move |_, event| log.say(format!("{event:?}").split('(').next().unwrap())
    });
    socket.disconnect("bye");
    let told = ["disconnecting", "Left", "Deleted", "Left", "Deleted", "disconnect"];
    assert_eq!(log.take(), told);
}
