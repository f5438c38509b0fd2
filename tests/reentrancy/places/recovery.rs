//! Hooks of clients whose connections are lost and that come back, where the engine keeps their sessions.

use super::Fate::{Contained, Told};
use super::Place;

pub(super) const PLACES: &[Place] = &[
    ("on_away", Told("socket: on_away"), |w, trap| {
        let trap = trap.clone();
        w.namespace.on_away(move |_, _| trap.spring());
        w.lose();
    }),
    ("on_away of a socket", Told("socket: on_away"), |w, trap| {
        let trap = trap.clone();
        w.client.on_away(move |_, _| trap.spring());
        w.lose();
        w.come_back();
    }),
    ("on_resume", Told("socket: on_resume"), |w, trap| {
        let trap = trap.clone();
        w.namespace.on_resume(move |_| trap.spring());
        w.lose();
        w.emit();
        w.come_back();
    }),
    ("on_resume before the line is known to be dead", Told("socket: on_resume"), |w, trap| {
        let trap = trap.clone();
        w.namespace.on_resume(move |_| trap.spring());
        w.emit();
        w.come_back();
    }),
    ("on_disconnect of a client that is away", Told("socket: on_disconnect"), |w, trap| {
        let trap = trap.clone();
        w.namespace.on_disconnect(move |_, _| trap.spring());
        w.lose();
        w.client.disconnect("bye");
    }),
    ("a transport's end as its client comes back", Contained, |w, trap| {
        *w.line.close.lock() = Some(trap.clone());
        w.come_back();
    }),
];
