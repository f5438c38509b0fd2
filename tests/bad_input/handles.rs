//! Ids and handles that are stale, of elsewhere or made up, and what is over.

use std::time::Duration;

use roomcast::{
    AckError, DecodeError, DisconnectReason, EmitError, MembershipError, NamespaceError, Payload, Refusal,
    RoomNameError, Selected, Shared, Socket, SocketId, StaleSocket, Target,
};

use crate::world::World;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = nobodies();
    cases.extend(foreign_rooms());
    cases.extend(closed_sockets());
    cases.extend(closed_namespaces());
    cases.extend(closed_engines());
    cases.extend(refused());
    cases.extend(answers());
    cases.extend(payloads());
    cases
}

fn nobodies() -> Vec<Case> {
    type Emit = fn(&World, SocketId) -> Result<(), EmitError>;
    let emits: [(&str, Emit); 7] = [
        ("emit to", |w, id| w.chat.to(id).emit("e", "").map(drop)),
        ("emit to a room and", |w, id| w.chat.to("room").to(id).emit("e", "").map(drop)),
        ("emit from a socket to", |w, id| w.ann.to(id).emit("e", "").map(drop)),
        ("emit within a room and", |w, id| w.ann.within("room").to(id).emit("e", "").map(drop)),
        ("ask", |w, id| w.chat.to(id).emit_with_ack("e", "").map(drop)),
        ("have moved", |w, id| w.chat.to(id).join("new").map(drop)),
        ("have disconnected", |w, id| w.chat.to(id).disconnect("out").map(drop)),
    ];
    let mut cases = Vec::new();
    for (place, (kind, id)) in World::new().nobodies().into_iter().enumerate() {
        // The same in each world, and each time the same.
        let found = move |w: &World| w.nobodies()[place].1;
        let error = StaleSocket(id);
        for (what, emit) in emits {
            let name = format!("{what} a socket whose id is {kind}");
            cases.push(case(name, Err(EmitError::Stale(error)), move |w| emit(w, found(w))));
        }
        cases.push(case(format!("find a socket whose id is {kind}"), Err(error), move |w| {
            w.chat.socket(found(w))
        }));
        cases.push(case(format!("ask whether a room has a socket whose id is {kind}"), false, move |w| {
            w.room.contains(found(w))
        }));
    }
    for bits in [0, 1, u64::from(u32::MAX)] {
        cases.push(case(format!("make an id of {bits}"), None, move |_| SocketId::from_bits(bits)));
    }
    let portable = Err(EmitError::Stale(StaleSocket(World::new().ann.id())));
    cases.push(case("emit in all games to a socket of elsewhere", portable, |w| {
        w.games.emit_to(&Target::new().to(w.ann.id()), "e", "")
    }));
    cases
}

fn foreign_rooms() -> Vec<Case> {
    type Join = fn(&World) -> Result<usize, MembershipError>;
    type Emit = fn(&World) -> Result<(), EmitError>;
    let joins: [(&str, Join); 6] = [
        ("join a room of another namespace", |w| w.ann.join(&w.far_room)),
        ("join a room of another engine", |w| w.ann.join(&w.foreign_room)),
        ("join a room and one of another namespace", |w| {
            w.ann.join([&w.room, &w.far_room].map(Clone::clone))
        }),
        ("leave a room of another namespace", |w| w.ann.leave(&w.far_room)),
        ("leave a room of another engine", |w| w.ann.leave(&w.foreign_room)),
        ("have a room of another engine", |w| w.ann.set_rooms(&w.foreign_room).map(|(joined, _)| joined)),
    ];
    let emits: [(&str, Emit); 8] = [
        ("emit to a room of another namespace", |w| w.chat.to(&w.far_room).emit("e", "").map(drop)),
        ("emit to a room of another engine", |w| w.chat.to(&w.foreign_room).emit("e", "").map(drop)),
        ("emit to all but a room of another engine", |w| {
            w.chat.except(&w.foreign_room).emit("e", "").map(drop)
        }),
        ("emit to a room of another engine by handle", |w| {
            w.foreign_room.emit_from(&w.ann, "e", "").map(drop)
        }),
        ("emit to a room of another namespace by handle", |w| {
            w.far_room.emit_from(&w.ann, "e", "").map(drop)
        }),
        ("ask a room of another engine", |w| w.chat.to(&w.foreign_room).emit_with_ack("e", "").map(drop)),
        ("list a room of another engine", |w| w.chat.to(&w.foreign_room).sockets().map(drop)),
        ("emit in all games to a room of elsewhere", |w| {
            w.games.emit_to(&Target::new().to(&w.room), "e", "").map(drop)
        }),
    ];
    let mut cases: Vec<_> = joins
        .map(|(name, join)| case(name, Err(MembershipError::Room(RoomNameError::Foreign)), move |w| join(w)))
        .into();
    let error = || Err(EmitError::Room(RoomNameError::Foreign));
    cases.extend(emits.map(|(name, emit)| case(name, error(), move |w| emit(w))));
    cases
}

/// What cannot be done with a socket that is closed, for this reason.
fn with_a_closed_socket(kind: &str, reason: DisconnectReason, socket: fn(&World) -> &Socket) -> Vec<Case> {
    type Join = fn(&Socket) -> Result<usize, MembershipError>;
    type Emit = fn(&Socket) -> Result<(), EmitError>;
    let joins: [(&str, Join); 4] = [
        ("join", |socket| socket.join("room")),
        ("leave", |socket| socket.leave("room")),
        ("leave all", |socket| socket.leave_all()),
        ("set the rooms", |socket| socket.set_rooms("room").map(|(joined, _)| joined)),
    ];
    let emits: [(&str, Emit); 8] = [
        ("emit to it", |socket| socket.emit("e", "").map(drop)),
        ("emit to it what it may drop", |socket| socket.emit_volatile("e", "").map(drop)),
        ("emit to a room", |socket| socket.to("room").emit("e", "").map(drop)),
        ("emit within a room", |socket| socket.within("room").emit("e", "").map(drop)),
        ("emit to others", |socket| socket.broadcast().emit("e", "").map(drop)),
        ("ask it", |socket| socket.emit_with_ack("e", "").map(drop)),
        ("ask others", |socket| socket.broadcast().emit_with_ack("e", "").map(drop)),
        ("disconnect others", |socket| socket.broadcast().disconnect("out").map(drop)),
    ];
    let mut cases = Vec::new();
    for (what, join) in joins {
        let error = Err(MembershipError::Closed(reason.clone()));
        cases.push(case(format!("{what}, with {kind}"), error, move |w| join(socket(w))));
    }
    for (what, emit) in emits {
        let error = Err(EmitError::Closed(reason.clone()));
        cases.push(case(format!("{what}, with {kind}"), error, move |w| emit(socket(w))));
    }
    cases.push(case(format!("disconnect {kind}"), false, move |w| socket(w).disconnect("again")));
    cases.push(case(format!("disconnect the client of {kind}"), false, move |w| {
        socket(w).disconnect_client("again")
    }));
    let over = (vec![], 0, false, Some(reason));
    cases.push(case(format!("ask for the rooms of {kind}"), over, move |w| {
        let socket = socket(w);
        (socket.rooms(), socket.room_count(), socket.is_in("room"), socket.closed())
    }));
    cases
}

fn closed_sockets() -> Vec<Case> {
    let mut cases = with_a_closed_socket("a closed socket", DisconnectReason::InboxDropped, |w| &w.gone);
    let removed = DisconnectReason::NamespaceRemoved;
    cases.extend(with_a_closed_socket("a socket of a removed namespace", removed, |w| &w.removed.2));
    cases.push(case("emit to a room from a closed socket", Err(closed()), |w| {
        w.room.emit_from(&w.gone, "e", "").map(drop)
    }));
    cases
}

fn closed() -> EmitError {
    EmitError::Closed(DisconnectReason::InboxDropped)
}

fn closed_namespaces() -> Vec<Case> {
    type Emit = fn(&World) -> Result<(), EmitError>;
    let emits: [(&str, Emit); 7] = [
        ("emit to all of a removed namespace", |w| w.removed.0.emit("e", "").map(drop)),
        ("emit to a room of a removed namespace", |w| w.removed.0.to("room").emit("e", "").map(drop)),
        ("emit to a room of a removed namespace by handle", |w| w.removed.1.emit("e", "").map(drop)),
        ("ask all of a removed namespace", |w| w.removed.0.emit_with_ack("e", "").map(drop)),
        ("list a removed namespace", |w| w.removed.0.everyone().sockets().map(drop)),
        ("move all of a removed namespace", |w| w.removed.0.everyone().join("room").map(drop)),
        ("disconnect all of a removed namespace", |w| w.removed.0.everyone().disconnect("out").map(drop)),
    ];
    let mut cases: Vec<_> =
        emits.map(|(name, emit)| case(name, Err(EmitError::NamespaceClosed), move |w| emit(w))).into();
    let late = (Some(DisconnectReason::NamespaceRemoved), 0, Some(DisconnectReason::NamespaceRemoved));
    cases.push(case("connect to a removed namespace", late, |w| {
        let (socket, mut inbox) = w.removed.0.connect();
        (socket.closed(), inbox.drain(|_| {}), inbox.closed().cloned())
    }));
    cases.push(case("remove a namespace twice", false, |w| w.engine.remove("/removed")));
    cases.push(case("look for a removed namespace", None, |w| w.engine.get("/removed")));
    cases
}

fn closed_engines() -> Vec<Case> {
    vec![
        case("make a namespace in a closed engine", Err(NamespaceError::EngineClosed), |w| {
            w.closed_engine.of("/chat")
        }),
        case("look for a namespace in a closed engine", None, |w| w.closed_engine.get("/")),
        case("remove a namespace of a closed engine", false, |w| w.closed_engine.remove("/")),
        case("close an engine twice", (), |w| w.closed_engine.close()),
        case("connect to a closed engine", Some(DisconnectReason::Shutdown), |w| {
            w.closed_engine.connect(()).0.closed()
        }),
        case("set the time back", Duration::ZERO, |w| {
            w.engine.tick(Duration::ZERO);
            w.engine.now()
        }),
        case("set the time of a closed engine as far as it goes", (), |w| {
            w.closed_engine.tick(Duration::MAX);
        }),
    ]
}

fn refused() -> Vec<Case> {
    let full = || {
        let (room, refusal) = ("full".into(), Refusal::Full);
        Err::<usize, _>(MembershipError::Refused { room, refusal })
    };
    vec![
        case("join a full room", full(), |w| w.ann.join("full")),
        case("join a full room among others", full(), |w| w.ann.join(["new", "full", "newer"])),
        case("have a full room as the only one", full(), |w| {
            w.ann.set_rooms("full").map(|(joined, _)| joined)
        }),
        case("have all join a full room", Ok(0), |w| {
            w.chat.to("other").join("full").map(|selected: Selected| selected.changed())
        }),
        case("join a room twice", Ok(0), |w| w.ann.join(["room", "room"])),
        case("leave a room that it is not in", Ok(0), |w| w.ann.leave("full")),
    ]
}

fn answers() -> Vec<Case> {
    vec![
        case("answer what nobody asked", [false; 3], |w| [0, 1, u64::MAX].map(|id| w.ann.answer(id, ""))),
        case("answer what another one was asked, twice, and after the end", answered(), |w| {
            let namespace = w.far.namespace();
            let [(asked, mut inbox), (stranger, _inbox)] = [(); 2].map(|()| namespace.connect());
            let mut ask = || {
                let ack = asked.emit_with_ack("e", "").unwrap();
                (ack, inbox.try_next().unwrap().ack_id().unwrap())
            };
            let ((first, id), (second, late)) = (ask(), ask());
            let answers =
                [&stranger, &w.ann, &w.foreign, &asked, &asked].map(|socket| socket.answer(id, "so"));
            let cancelled = second.cancel().map(drop);
            (answers, first.wait().is_ok(), cancelled, asked.answer(late, "so"))
        }),
        case("answer in the name of a closed socket", false, |w| w.gone.answer(1, "")),
        case("ask nobody", (0, true, true), |w| {
            let acks = w.chat.to("nowhere").emit_with_ack("e", "").unwrap();
            (acks.expected(), acks.is_done(), acks.wait().is_complete())
        }),
        case("wait for no time", Some(Err(AckError::TimedOut)), |w| {
            let acks = w.far.emit_with_ack("e", "").unwrap().timeout(Duration::ZERO);
            acks.is_done().then(|| acks.wait().map(|_| ()))
        }),
        case("wait for ever, and give up", Err(AckError::TimedOut), |w| {
            w.far.emit_with_ack("e", "").unwrap().timeout(Duration::MAX).cancel().map(|_| ())
        }),
    ]
    .into_iter()
    .map(unread)
    .collect()
}

fn answered() -> ([bool; 5], bool, Result<(), AckError>, bool) {
    ([false, false, false, true, false], true, Err(AckError::TimedOut), false)
}

/// What is asked for such a case is read by the one who is asked, before the next look at the world.
fn unread(Case { name, act, expected }: Case) -> Case {
    let act = Box::new(move |world: &mut World| {
        let result = act(world);
        world.forget();
        result
    });
    Case { name, act, expected }
}

fn payloads() -> Vec<Case> {
    fn shared<T>(result: Result<Shared<T>, DecodeError>) -> bool {
        result.is_ok()
    }
    let deep = "[".repeat(1 << 20);
    vec![
        case("read bytes that are no UTF-8 as text", None, |_| {
            Payload::from([0xff, 0xfe, 0xc0, 0x80]).as_str().map(str::to_owned)
        }),
        case("read JSON as text", None, |_| Payload::json("\"text\"").as_str().map(str::to_owned)),
        case("read text as a value", false, |_| shared(Payload::from("5").decode::<Shared<u32>>())),
        case("read a value as another one", false, |_| {
            shared(Payload::from(std::sync::Arc::new(5_u64)).decode::<Shared<u32>>())
        }),
        case("read nothing as a value", false, |_| shared(Payload::from(()).decode::<Shared<u32>>())),
        case("read brackets without end", Some(1 << 20), move |_| {
            Payload::json(&deep).as_json().map(str::len)
        }),
    ]
}
