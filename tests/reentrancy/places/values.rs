//! Values that users have the engine keep: data, and what is captured.

use roomcast::{Handshake, Payload};

use super::Fate::{Caller, Contained, Told};
use super::Place;
use crate::trap::{OnDrop, Trap};
use crate::world::World;

pub(super) const PLACES: &[Place] = &[
    ("data's making", Caller, |w, trap| {
        w.local.data_or_insert_with(|| trap.spring());
    }),
    ("data's drop with its socket", Contained, |w, trap| {
        let (socket, inbox) = w.namespace.connect();
        drop(socket.set_data(OnDrop(trap.clone())));
        drop(socket);
        drop(inbox);
    }),
    ("data's drop with its client", Contained, |w, trap| {
        let (connection, outbox) = w.visit("/scene");
        drop(connection.socket("/scene").map(|socket| socket.set_data(OnDrop(trap.clone()))));
        drop(outbox);
        drop(connection);
    }),
    ("data's drop with its room", Contained, |w, trap| {
        let room = w.namespace.room("third").unwrap();
        drop(w.local.join(&room));
        drop(room.set_data(OnDrop(trap.clone())));
        drop(room);
        drop(w.local.leave("third"));
        w.settle();
    }),
    ("the drop of what is known of a client", Contained, |w, trap| {
        let (connection, outbox) = w.engine.connect(Handshake::new().with_data(OnDrop(trap.clone())));
        drop(outbox);
        drop(connection);
    }),
    ("a handler's drop as it is taken off", Caller, |w, trap| {
        let held = OnDrop(trap.clone());
        let id = w.namespace.on("e", move |_, _: Payload| _ = &held).unwrap();
        w.namespace.off(id);
    }),
    ("a handler's drop as its event is taken off", Caller, |w, trap| {
        handler(w, trap);
        w.namespace.off_event("e");
    }),
    ("a handler's drop as all are taken off", Contained, |w, trap| {
        handler(w, trap);
        w.namespace.off_all();
    }),
    ("a handler's drop after its one call", Told("socket: handler"), |w, trap| {
        let held = OnDrop(trap.clone());
        w.namespace.once("e", move |_, _: Payload| _ = &held).unwrap();
        w.receive("e");
    }),
    ("a handler's drop with its socket", Contained, |w, trap| {
        let held = OnDrop(trap.clone());
        w.client.on_disconnect(move |_, _| _ = &held);
        w.client.disconnect("bye");
        w.settle();
    }),
    ("a handler's drop with its namespace", Contained, |w, trap| {
        let held = OnDrop(trap.clone());
        w.engine.of("/brief").unwrap().on_connect(move |_| _ = &held);
        w.engine.remove("/brief");
    }),
    ("a hook's drop with the engine", Contained, |w, trap| {
        let held = OnDrop(trap.clone());
        w.engine.on_new_namespace(move |_| _ = &held);
        w.engine.close();
    }),
    ("an ack callback's drop", Contained, |w, trap| {
        let held = OnDrop(trap.clone());
        w.local.emit_with_ack("q", "").unwrap().on_done(move |_| _ = &held);
        w.local.disconnect("bye");
    }),
];

fn handler(w: &World, trap: &Trap) {
    let held = OnDrop(trap.clone());
    w.namespace.on("e", move |_, _: Payload| _ = &held).unwrap();
}
