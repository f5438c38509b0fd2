//! The reference: what is called for a socket, one thing at a time.

use std::sync::Arc;

use roomcast::{DisconnectReason, EmitError};

use super::script::{ASK, Act, BAD, DO, EVENTS, FAIL, GAP, GARBLED, KICK, LATER, OLD, ONCE};
use super::world::{Ask, Event, Item, Job, World};

impl World {
    /// One job of a socket at a time, in the order in which they came.
    pub(super) fn run(&mut self, number: usize) {
        if std::mem::replace(&mut self.socket_mut(number).is_busy, true) {
            return;
        }
        while let Some(job) = self.socket_mut(number).jobs.pop_front() {
            match job {
                Job::Connected => self.call_connect(number),
                Job::Event(event) if self.socket(number).is_open => self.dispatch(number, event),
                Job::Event(_) => {}
                Job::Left(reason) => self.say_good_bye(number, &reason),
            }
        }
        self.socket_mut(number).is_busy = false;
    }

    fn call_connect(&mut self, number: usize) {
        let script = Arc::clone(&self.socket(number).script);
        self.say(format!("on_connect of {number} {:?}", self.rooms_of(number)));
        self.socket_mut(number).has_own = script.has_own;
        self.call(number, "on_connect", &script.connected);
    }

    fn call(&mut self, number: usize, place: &str, acts: &[Act]) {
        if self.acts(number, acts).is_err() {
            self.say(format!("error of {number}: panic in {place}: oops"));
        }
    }

    fn dispatch(&mut self, number: usize, event: Event) {
        self.say(format!("any of {number}: {}", EVENTS[event.event]));
        let handled = match event.event {
            BAD => {
                self.say(format!("error of {number}: the event \"bad\" was refused: no"));
                return;
            }
            KICK => {
                self.disconnect(number, &"kicked".into());
                return;
            }
            OLD => DO,
            other => other,
        };
        let space = self.socket(number).space;
        match handled {
            DO | GARBLED => {
                if handled == DO {
                    self.say(format!("do of {number}"));
                    self.call(number, "handler of \"do\"", &event.script);
                } else {
                    self.say(format!("error of {number}: undecodable"));
                }
                self.say(format!("also do of {number}"));
                if self.socket(number).has_own {
                    self.say(format!("own do of {number}"));
                }
            }
            ONCE if !std::mem::replace(&mut self.spaces[space].has_had_once, true) => {
                self.say(format!("once of {number}"));
            }
            GAP => self.say(format!("gap of {number}")),
            FAIL => {
                self.say(format!("error of {number}: the handler of \"fail\" failed: it did not work"));
            }
            ASK => {
                let answered = self.reply(number, event.answer, "at once");
                self.say(format!("ask of {number}: {answered}"));
            }
            LATER => {
                self.say(format!("later of {number}"));
                self.asks.push(Ask { socket: number, id: event.answer, is_answered: false });
            }
            _ => {}
        }
    }

    /// Answers a client's event, for the first time.
    pub(crate) fn reply(&mut self, number: usize, id: Option<u64>, text: &str) -> String {
        let socket = self.socket_mut(number);
        let result = match (id, socket.closed.clone()) {
            (None, _) => Ok(false),
            (Some(_), Some(reason)) => Err(EmitError::Closed(reason)),
            (Some(id), None) => {
                socket.inbox.push(Item::Answer { id, text: text.into() });
                Ok(true)
            }
        };
        if let Ok(true) = result {
            assert!(self.find_direct(number).is_ok(), "whom an event came from was open");
        }
        format!("{result:?}")
    }

    fn say_good_bye(&mut self, number: usize, reason: &DisconnectReason) {
        let script = Arc::clone(&self.socket(number).script);
        self.say(format!("on_disconnecting of {number} {:?}: {reason}", self.rooms_of(number)));
        self.call(number, "on_disconnecting", &script.leaving);
        self.socket_mut(number).leaving = None;
        let told = self.spaces[self.socket(number).space].events.len();
        let rooms = self.rooms_of(number);
        self.say(format!("on_disconnect of {number} {rooms:?}: {reason}, {told} told"));
        self.call(number, "on_disconnect", &script.left);
        if self.socket(number).has_own {
            self.say(format!("own on_disconnect of {number}"));
        }
        self.socket_mut(number).is_leaving = false;
        self.vacate(number);
    }
}
