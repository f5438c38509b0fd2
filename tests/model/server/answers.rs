//! The reference: who has yet to answer what.

use std::collections::BTreeMap;

use roomcast::DisconnectReason;

use super::clients::Due;
use super::script::{How, Script, Wanted};
use super::world::World;

/// A message that is to be answered.
pub(crate) struct Ack {
    space: usize,
    id: u64,
    /// The one socket that it is for, if it is for one.
    to: Option<usize>,
    recipients: Vec<usize>,
    /// Those that are gone, and why.
    gone: BTreeMap<usize, DisconnectReason>,
    answers: Vec<(usize, String)>,
    is_done: bool,
    callback: Option<Script>,
    /// Whether somebody holds it.
    pub(crate) is_held: bool,
}

impl World {
    /// The id that the next message of a namespace gets that is to be answered: they count up.
    pub(crate) fn next_ack(&mut self, space: usize) -> u64 {
        self.spaces[space].ack_count += 1;
        self.spaces[space].ack_count - 1
    }

    /// Such a message was sent to these.
    pub(crate) fn want(
        &mut self,
        (space, id): (usize, u64),
        to: Option<usize>,
        recipients: Vec<usize>,
        wanted: &Wanted,
    ) {
        let ack = self.acks.len();
        let (gone, answers) = (BTreeMap::new(), Vec::new());
        let is_done = recipients.is_empty();
        self.acks.push(Ack {
            space,
            id,
            to,
            recipients,
            gone,
            answers,
            is_done,
            callback: None,
            is_held: true,
        });
        match wanted.timeout {
            Some(0) => self.expire(ack),
            Some(seconds) if !is_done => self.schedule(seconds, Due::Ack(ack)),
            _ => {}
        }
        if let Some(script) = &wanted.callback {
            self.listen(ack, script);
        }
    }

    /// Has the script called at the end.
    fn listen(&mut self, ack: usize, script: &Script) {
        self.acks[ack].is_held = false;
        self.acks[ack].callback = Some(Script::clone(script));
        if self.acks[ack].is_done {
            self.tell_answers(ack);
        }
    }

    fn tell_answers(&mut self, ack: usize) {
        if let Some(script) = self.acks[ack].callback.take() {
            self.say(format!("answers to {ack}: {}", self.acks[ack].text()));
            script.iter().for_each(|act| drop(self.act(None, act)));
        }
    }

    pub(crate) fn answer(&mut self, id: u64, from: usize, text: &str) -> bool {
        let space = self.socket(from).space;
        let is_it = |ack: &Ack| ack.space == space && ack.id == id && ack.to.is_none_or(|to| to == from);
        let Some(ack) = self.acks.iter().position(is_it) else { return false };
        if !self.acks[ack].is_awaited(from) {
            return false;
        }
        self.acks[ack].answers.push((from, text.to_owned()));
        self.end_if_over(ack);
        true
    }

    /// A socket is gone, and answers no more: what is for it alone first, and then as emitted.
    pub(crate) fn gone(&mut self, socket: usize, reason: &DisconnectReason) {
        let space = self.socket(socket).space;
        let mut concerned: Vec<usize> = (0..self.acks.len()).collect();
        concerned.retain(|&ack| self.acks[ack].space == space && self.acks[ack].is_awaited(socket));
        concerned.sort_by_key(|&ack| self.acks[ack].to.is_none());
        for ack in concerned {
            if self.acks[ack].is_awaited(socket) {
                self.acks[ack].gone.insert(socket, reason.clone());
                self.end_if_over(ack);
            }
        }
    }

    pub(crate) fn expire(&mut self, ack: usize) {
        if !std::mem::replace(&mut self.acks[ack].is_done, true) {
            self.cancel(Due::Ack(ack));
            self.tell_answers(ack);
        }
    }

    fn end_if_over(&mut self, ack: usize) {
        let it = &self.acks[ack];
        if it.recipients.iter().all(|&socket| !it.is_awaited(socket)) {
            self.expire(ack);
        }
    }

    pub(crate) fn finish(&mut self, ack: usize, how: &How) {
        if !self.acks[ack].is_held {
            return;
        }
        let is_direct = self.acks[ack].to.is_some();
        match how {
            How::Look => {
                let Ack { is_done, answers, recipients, .. } = &self.acks[ack];
                let counts = (!is_direct).then_some((answers.len(), recipients.len()));
                self.say(format!("ack {ack}: {is_done} {counts:?}"));
                return;
            }
            How::Listen(script) => return self.listen(ack, script),
            How::Cancel if !is_direct || self.acks[ack].is_done => {
                self.expire(ack);
                self.say(format!("answers to {ack}: {}", self.acks[ack].text()));
            }
            How::Cancel | How::Drop => self.expire(ack),
        }
        self.acks[ack].is_held = false;
    }
}

impl Ack {
    fn is_awaited(&self, socket: usize) -> bool {
        !self.is_done
            && self.recipients.contains(&socket)
            && !self.gone.contains_key(&socket)
            && self.answers.iter().all(|(other, _)| *other != socket)
    }

    /// What the answers are, or are so far: first as they came, then those that are missing, as sent.
    fn text(&self) -> String {
        let answers = self.answers.iter().map(|(socket, text)| format!("{socket}: {text}"));
        let has_answered = |socket: &&usize| self.answers.iter().any(|(other, _)| other == *socket);
        let missing = self.recipients.iter().filter(|socket| !has_answered(socket));
        let missing = missing.map(|socket| match self.gone.get(socket) {
            Some(reason) => format!("{socket}: not answered before the end: {reason}"),
            None => format!("{socket}: not answered in time"),
        });
        answers.chain(missing).collect::<Vec<_>>().join(", ")
    }
}
