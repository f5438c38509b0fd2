//! Drains and wake-ups of an inbox.

use std::ops::ControlFlow::Break;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::Fate::{Caller, Contained};
use super::Place;
use crate::trap::{OnDrop, Trap};
use crate::world::{BACKLOG, World, one_by_one, text};

pub(super) const PLACES: &[Place] = &[
    ("a drain", Caller, |w, trap| {
        (0..3).for_each(|_| w.emit());
        w.inbox.lend(|inbox| {
            inbox.drain(|delivery| {
                w.inbox.hear(text(&delivery));
                trap.spring();
            })
        });
    }),
    ("a drain that stops", Caller, |w, trap| {
        (0..3).for_each(|_| w.emit());
        w.inbox.lend(|inbox| {
            one_by_one(|| {
                inbox.try_drain(|delivery| {
                    w.inbox.hear(text(&delivery));
                    trap.spring();
                    Break(())
                })
            });
        });
    }),
    ("a gap", Caller, |w, trap| {
        (0..2 * BACKLOG).for_each(|_| drop(w.local.emit("x", "")));
        w.inbox.lend(|inbox| {
            inbox.drain(|delivery| {
                w.inbox.hear(text(&delivery));
                if delivery.gap().is_some() {
                    trap.spring();
                }
            })
        });
    }),
    ("a callback at an emit", Contained, |w, trap| callback(w, trap, World::emit)),
    ("a callback at a join", Contained, |w, trap| callback(w, trap, |w| drop(w.local.join("sixth")))),
    ("a callback at a leave", Contained, |w, trap| callback(w, trap, |w| drop(w.local.leave("second")))),
    ("a callback at a disconnect", Contained, |w, trap| callback(w, trap, |w| _ = w.local.disconnect("bye"))),
    ("a callback at once", Contained, |w, trap| {
        w.emit();
        callback_of(w, trap);
    }),
    ("a callback after a drain", Contained, |w, trap| {
        callback_of(w, trap);
        w.inbox.lend(|inbox| {
            inbox.drain(|_| {});
            w.emit(); // calls it
            inbox.drain(|delivery| w.inbox.hear(text(&delivery)));
        });
    }),
    ("a waker at an emit", Contained, |w, trap| waker(w, trap, World::emit)),
    ("a waker at a disconnect", Contained, |w, trap| waker(w, trap, |w| _ = w.local.disconnect("bye"))),
    ("the drop of a waker that is replaced", Caller, |w, trap| {
        poll(w, &Arc::new(OnDrop(trap.clone())).into());
        poll(w, Waker::noop());
    }),
    ("the drop of a waker that has woken", Contained, |w, trap| {
        poll(w, &Arc::new(OnDrop(trap.clone())).into());
        w.emit();
    }),
    ("the drop of a waker with its inbox", Contained, |w, trap| {
        poll(w, &Arc::new(OnDrop(trap.clone())).into());
        drop(w.inbox.take());
    }),
    ("the drop of a callback that is removed", Caller, |w, trap| {
        callback_that_holds(w, trap);
        w.inbox.lend(|inbox| inbox.no_wake());
    }),
    ("the drop of a callback that is replaced", Caller, |w, trap| {
        callback_that_holds(w, trap);
        w.inbox.lend(|inbox| inbox.on_wake(|| {}));
    }),
    ("the drop of a callback with its inbox", Caller, |w, trap| {
        callback_that_holds(w, trap);
        drop(w.inbox.take());
    }),
];

fn callback_of(w: &World, trap: &Trap) {
    let trap = trap.clone();
    w.inbox.lend(|inbox| inbox.on_wake(move || trap.spring()));
}

fn callback_that_holds(w: &World, trap: &Trap) {
    w.inbox.read();
    let held = OnDrop(trap.clone());
    w.inbox.lend(|inbox| inbox.on_wake(move || _ = &held));
}

fn callback(w: &World, trap: &Trap, cause: fn(&World)) {
    w.inbox.read();
    callback_of(w, trap);
    cause(w);
}

fn poll(w: &World, waker: &Waker) {
    w.inbox.read();
    w.inbox.lend(|inbox| assert!(inbox.poll_recv(&mut Context::from_waker(waker)).is_pending()));
}

fn waker(w: &World, trap: &Trap, cause: fn(&World)) {
    poll(w, &Arc::new(trap.clone()).into());
    cause(w);
}
