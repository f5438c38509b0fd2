//! What a namespace has registered: each of it writes down that it was called, and does what the socket's
//! script says.

use std::sync::{Arc, Weak};

use roomcast::{
    AckSender, DisconnectReason, Failure, Incoming, Namespace, Payload, Refusal, RoomEvent, Shared, Socket,
};

use super::rig::Rig;
use super::script::{Act, Attempt, Later, ROOMS, Verdict};

/// The number of a socket, and what it is to do.
fn script(socket: &Socket) -> (usize, Arc<Attempt>) {
    let auth = socket.auth();
    auth.downcast_ref::<(usize, Arc<Attempt>)>().expect("clients say so").clone()
}

fn rooms(socket: &Socket) -> Vec<String> {
    socket.rooms().iter().map(ToString::to_string).collect()
}

fn oops() -> ! {
    std::panic::resume_unwind(Box::new("oops"))
}

pub(crate) fn register(rig: &Arc<Rig>, namespace: &Namespace) {
    let space = {
        let mut state = rig.state();
        state.spaces.push(namespace.clone());
        state.events.push(Vec::new());
        state.spaces.len() - 1
    };
    middlewares(rig, namespace);
    life(rig, namespace);
    events(rig, namespace);
    let weak = Arc::downgrade(rig);
    namespace.on_room(move |_, event| {
        let Some(rig) = weak.upgrade() else { return };
        let line = match event {
            RoomEvent::Created(room) => format!("{room} created"),
            RoomEvent::Joined(room, id) => format!("{room} joined by {}", rig.number(*id)),
            RoomEvent::Left(room, id) => format!("{room} left by {}", rig.number(*id)),
            RoomEvent::Deleted(room) => format!("{room} deleted"),
            other => format!("{other:?}"),
        };
        rig.state().events[space].push(line);
    });
    let weak = Arc::downgrade(rig);
    namespace.admission(move |socket, room| {
        let Some(rig) = weak.upgrade() else { return Ok(()) };
        rig.say(format!("admit {} {room}", script(socket).0));
        let locked = rig.state().locked.clone();
        if locked.iter().any(|&locked| room == &ROOMS[locked].into()) { Err(Refusal::Locked) } else { Ok(()) }
    });
}

fn middlewares(rig: &Arc<Rig>, namespace: &Namespace) {
    let weak = Arc::downgrade(rig);
    namespace.middleware(move |socket| {
        let Some(rig) = weak.upgrade() else { return Ok(()) };
        let (number, script) = script(socket);
        rig.meet(number, socket);
        rig.say(format!("middleware 0 of {number}"));
        rig.acts(Some(number), &script.first);
        match script.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Fail => Err("no".into()),
            Verdict::Panic => oops(),
        }
    });
    let weak = Arc::downgrade(rig);
    namespace.deferred_middleware(move |socket, decision| {
        let Some(rig) = weak.upgrade() else { return };
        let (number, script) = script(socket);
        rig.say(format!("middleware 1 of {number}"));
        match script.later {
            Later::Accept => decision.accept(),
            Later::Reject => decision.reject("no"),
            Later::Keep => _ = rig.state().kept.insert(number, decision),
            Later::Forget => drop(decision),
            Later::Panic => {
                let _decision = decision;
                oops();
            }
        }
    });
    let weak = Arc::downgrade(rig);
    namespace.middleware(move |socket| {
        let Some(rig) = weak.upgrade() else { return Ok(()) };
        let (number, script) = script(socket);
        rig.say(format!("middleware 2 of {number}"));
        rig.acts(Some(number), &script.last);
        Ok(())
    });
}

fn life(rig: &Arc<Rig>, namespace: &Namespace) {
    let weak = Arc::downgrade(rig);
    namespace.on_connect(move |socket| {
        let Some(rig) = weak.upgrade() else { return };
        let (number, script) = script(socket);
        rig.say(format!("on_connect of {number} {:?}", rooms(socket)));
        if script.has_own {
            let weak = Weak::clone(&rig.this);
            socket.on_disconnect(move |_, _| say(&weak, || format!("own on_disconnect of {number}")));
            let weak = Weak::clone(&rig.this);
            let own = move |_: &Socket, _: Payload| say(&weak, || format!("own do of {number}"));
            socket.on("do", own).expect("the name is good");
        }
        rig.acts(Some(number), &script.connected);
    });
    let weak = Arc::downgrade(rig);
    namespace.on_disconnecting(move |socket, reason| {
        let Some(rig) = weak.upgrade() else { return };
        let (number, script) = script(socket);
        rig.say(format!("on_disconnecting of {number} {:?}: {reason}", rooms(socket)));
        rig.acts(Some(number), &script.leaving);
    });
    let weak = Arc::downgrade(rig);
    namespace.on_disconnect(move |socket, reason: &DisconnectReason| {
        let Some(rig) = weak.upgrade() else { return };
        let (number, script) = script(socket);
        // What has happened to rooms was told before.
        let told = rig.told(socket);
        rig.say(format!("on_disconnect of {number} {:?}: {reason}, {told} told", rooms(socket)));
        rig.acts(Some(number), &script.left);
    });
    let weak = Arc::downgrade(rig);
    namespace.on_error(move |socket, failure| {
        let number = script(socket).0;
        say(&weak, || match failure {
            Failure::Undecodable { .. } => format!("error of {number}: undecodable"),
            failure => format!("error of {number}: {failure}"),
        });
    });
}

fn say(rig: &Weak<Rig>, line: impl FnOnce() -> String) {
    if let Some(rig) = rig.upgrade() {
        rig.say(line());
    }
}

fn events(rig: &Arc<Rig>, namespace: &Namespace) {
    let weak = Arc::downgrade(rig);
    namespace.on_any(move |socket, incoming: &Incoming| {
        say(&weak, || format!("any of {}: {}", script(socket).0, incoming.event()));
    });
    namespace.packet_middleware(|socket, incoming| {
        match incoming.event() {
            "bad" => return Err("no".into()),
            "old" => incoming.set_event("do"),
            "kick" => {
                socket.disconnect("kicked");
                incoming.set_event("do");
            }
            _ => {}
        }
        Ok(())
    });
    let weak = Arc::downgrade(rig);
    let act = move |socket: &Socket, Shared(acts): Shared<Vec<Act>>| {
        let Some(rig) = weak.upgrade() else { return };
        let number = script(socket).0;
        rig.say(format!("do of {number}"));
        rig.acts(Some(number), &acts);
    };
    namespace.on("do", act).expect("the name is good");
    let weak = Arc::downgrade(rig);
    let also = move |socket: &Socket, _: Payload| say(&weak, || format!("also do of {}", script(socket).0));
    namespace.on("do", also).expect("the name is good");
    let weak = Arc::downgrade(rig);
    let gap = move |socket: &Socket, _: Payload| say(&weak, || format!("gap of {}", script(socket).0));
    namespace.on("gap", gap).expect("the name is good");
    let fail = |_: &Socket, _: Payload| Err::<(), _>("it did not work");
    namespace.on("fail", fail).expect("the name is good");
    let weak = Arc::downgrade(rig);
    let once = move |socket: &Socket, _: Payload| say(&weak, || format!("once of {}", script(socket).0));
    namespace.once("once", once).expect("the name is good");
    let weak = Arc::downgrade(rig);
    let ask = move |socket: &Socket, _: Payload, ack: AckSender| {
        let answered = ack.send("at once");
        say(&weak, || format!("ask of {}: {answered:?}", script(socket).0));
    };
    namespace.on_with_ack("ask", ask).expect("the name is good");
    let weak = Arc::downgrade(rig);
    let later = move |socket: &Socket, _: Payload, ack: AckSender| {
        let Some(rig) = weak.upgrade() else { return };
        rig.say(format!("later of {}", script(socket).0));
        rig.state().asks.push(ack);
    };
    namespace.on_with_ack("later", later).expect("the name is good");
    let weak = Arc::downgrade(rig);
    namespace.on_any_outgoing(move |socket, event, payload| {
        let Some(rig) = weak.upgrade() else { return };
        let path = super::script::PATHS.iter().find(|path| **path == socket.namespace().path());
        let line = format!("outgoing of {}: {event} {}", script(socket).0, payload.as_str().expect("text"));
        rig.state().stream.push((path.expect("it is one of them"), line));
    });
}
