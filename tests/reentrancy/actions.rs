//! What code of the user's does in the places where it is called: one of each call.

use std::task::{Context, Waker};

use roomcast::{Client, Payload, Target};

use crate::trap::Act;
use crate::world::{BACKLOG, SECOND, World, enter};

impl World {
    /// The sockets that the trap concerns, perhaps.
    fn own(&self) -> [&roomcast::Socket; 2] {
        [&self.local, &self.client]
    }
}

pub(crate) const ACTIONS: [(&str, Act); 46] = [
    ("emit to the same room", |w| w.emit()),
    ("emit to another room", |w| w.emit_second("again")),
    ("emit to two rooms", |w| drop(w.namespace.to(["second", "room"]).emit("x", "again"))),
    ("emit to all", |w| drop(w.namespace.emit("x", "again"))),
    ("emit as a socket", |w| w.own().iter().for_each(|own| drop(own.to("room").emit("x", "again")))),
    ("broadcast", |w| drop(w.other.broadcast().except("second").emit("x", "again"))),
    ("emit to itself", |w| w.own().iter().for_each(|own| drop(own.emit("x", "again")))),
    ("emit to the other", |w| drop(w.other.emit("x", "again"))),
    ("emit volatile", |w| drop(w.namespace.to("room").volatile().emit("x", "again"))),
    ("emit to a target", |w| {
        let target = Target::new().to(w.local.id()).to(w.client.id()).to("room").except(w.other.id());
        drop(w.namespace.target(&target).emit("x", "again"));
    }),
    ("emit more than a room keeps", |w| (0..2 * BACKLOG).for_each(|_| w.emit())),
    ("join", |w| w.own().iter().for_each(|own| drop(own.join(["third", "fourth"])))),
    ("join with the other", |w| drop(w.other.join("third"))),
    ("leave", |w| w.own().iter().for_each(|own| drop(own.leave("room")))),
    ("leave with the other", |w| drop(w.other.leave("room"))),
    ("leave all", |w| w.own().iter().for_each(|own| drop(own.leave_all()))),
    ("set the rooms", |w| w.own().iter().for_each(|own| drop(own.set_rooms(["second", "third"])))),
    ("come and go", |w| {
        (0..20).for_each(|n| w.own().iter().for_each(|own| drop((own.join(n), own.leave(n)))));
    }),
    ("connect", |w| {
        let (socket, mut inbox) = w.namespace.connect();
        let _ = socket.join("room");
        w.emit();
        inbox.drain(|_| {});
    }),
    ("connect a client", |w| {
        let (connection, mut outbox) = w.visit("/scene");
        enter(&connection, "/nowhere");
        w.emit();
        outbox.drain(|_| {});
        connection.close("over");
    }),
    ("play a client", |w| {
        let client = Client::new(&w.engine);
        let Ok(socket) = client.socket("/scene", ()) else { return };
        drop((socket.emit("x", "again"), client.poll(), client.reconnect()));
    }),
    ("disconnect itself", |w| {
        w.own().iter().for_each(|own| assert!(own.disconnect("bye") || !own.is_connected()));
    }),
    ("disconnect the other", |w| assert!(w.other.disconnect("bye") || !w.other.is_connected())),
    ("disconnect the room", |w| drop(w.namespace.to("room").disconnect("bye"))),
    ("close its connection", |w| {
        w.connection.close("bye");
        assert!(w.connection.closed().is_some());
    }),
    ("drain its own", |w| {
        w.inbox.read();
        w.outbox.read();
    }),
    ("drain the other", |w| w.other_inbox.read()),
    ("poll its own", |w| {
        let mut cx = Context::from_waker(Waker::noop());
        w.inbox.lend(|inbox| inbox.poll_recv(&mut cx).is_ready());
        w.outbox.lend(|outbox| outbox.poll_wait(&mut cx).is_ready());
    }),
    ("watch its own", |w| {
        w.inbox.lend(|inbox| inbox.on_wake(|| {}));
        w.outbox.lend(|outbox| outbox.on_wake(|| {}));
    }),
    ("drop its own", |w| drop((w.inbox.take(), w.outbox.take()))),
    ("drop the other", |w| drop(w.other_inbox.take())),
    ("receive", |w| (0..6).for_each(|_| w.receive("x"))),
    ("receive what is forbidden", |w| enter(&w.connection, "/scene")),
    ("make a room", |w| {
        let room = w.namespace.room("fifth").unwrap();
        drop((room.set_data(1_u8), w.local.join(&room), room.emit_from(&w.local, "x", "again")));
        drop(room.data_or_insert_with(|| 2_u8));
    }),
    ("set limits", |w| {
        let room = w.namespace.room("room").unwrap();
        room.set_capacity(100);
        room.set_backlog(crate::common::messages(1));
        w.namespace.set_backlog(crate::common::messages(1));
        w.emit();
    }),
    ("ask", |w| {
        let Ok(acks) = w.namespace.to("room").emit_with_ack("ask", "") else { return };
        acks.timeout(SECOND).on_done(|_| {});
        let answer = w.local.emit_with_ack("ask", "").map(|ack| ack.cancel());
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.is_err()));
    }),
    ("tick", |w| w.engine.tick(w.engine.now() + SECOND * 100)),
    ("look", |w| {
        drop((w.namespace.rooms(), w.namespace.socket_ids(), w.namespace.members("room"), w.local.rooms()));
        drop((w.engine.namespaces(), w.engine.socket_count(), w.namespace.socket(w.other.id())));
        drop((format!("{:?} {:?}", w.engine, w.connection), w.namespace.sockets(), w.connection.sockets()));
    }),
    ("keep data", |w| w.own().iter().for_each(|own| drop((own.set_data(1_u8), own.remove_data::<u8>())))),
    ("register", |w| {
        w.namespace.off(w.namespace.on("x", |_, _: Payload| {}).unwrap());
        w.client.on_any(|_, _| {});
        w.engine.off(w.engine.on_panic(|_, _| {}));
        w.namespace.on_room(|_, _| {});
    }),
    ("take off all handlers", |w| {
        w.namespace.off_all();
        w.own().iter().for_each(|own| own.off_all());
    }),
    ("make a parent", |w| {
        let parent = w.engine.of_pattern("/game-{id}").unwrap();
        drop((w.visit("/game-1"), parent.children(), parent.emit("x", "again")));
    }),
    ("make a namespace", |w| drop(w.engine.of("/new").map(|new| new.emit("x", "again")))),
    ("remove another namespace", |w| drop((w.engine.of("/new"), w.engine.remove("/new")))),
    ("remove the namespace", |w| assert!(w.engine.remove("/scene") || w.engine.get("/scene").is_none())),
    ("close the engine", |w| w.engine.close()),
];
