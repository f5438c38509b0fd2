//! Where another panic is under way.

use std::panic::resume_unwind;

use roomcast::Payload;

use super::Fate::Abort;
use super::Place;
use crate::trap::{ANOTHER, OnDrop, Trap, caught, spring_in_hook};

pub(super) const PLACES: &[Place] = &[
    ("the process's panic hook", Abort, |w, trap| {
        spring_in_hook(trap);
        w.namespace.on("e", |_, _: Payload| -> () { panic!("{ANOTHER}") }).unwrap();
        w.receive("e");
    }),
    ("a handler that unwinds", Abort, |w, trap| {
        let trap = trap.clone();
        w.namespace.on("e", move |_, _: Payload| unwind(&trap)).unwrap();
        w.receive("e");
    }),
    ("a drain that unwinds", Abort, |w, trap| {
        w.emit();
        assert!(caught(|| _ = w.inbox.lend(|inbox| inbox.drain(|_| unwind(trap)))));
    }),
    ("a transport's drain that unwinds", Abort, |w, trap| {
        w.emit();
        assert!(caught(|| _ = w.outbox.lend(|outbox| outbox.drain(|_| unwind(trap)))));
    }),
];

fn unwind(trap: &Trap) {
    let _held = OnDrop(trap.clone());
    resume_unwind(Box::new(ANOTHER));
}
