//! The reference: what a client is to be sent, and what a drain sends of it.

use roomcast::DisconnectReason;

use super::clients::Place;
use super::script::{PATHS, QUEUE};
use super::world::{Item, World};

/// For whoever drains.
pub(super) enum Note {
    Connected(usize),
    Rejected(usize, String),
    Dropped(usize),
    Closed(DisconnectReason),
}

/// What is drained, one after the other as they came.
pub(super) enum Feed {
    Live { socket: usize, is_told: bool },
    Refused { path: usize, message: String },
}

impl World {
    pub(crate) fn drop_outbox(&mut self, client: usize) {
        self.close_client(client, &DisconnectReason::Transport);
        let it = &mut self.clients[client];
        it.notes.clear();
        it.feeds.clear();
    }

    /// Leaves a note for the client, and returns how many there are.
    pub(super) fn note(&mut self, client: usize, note: Note) -> usize {
        self.clients[client].notes.push(note);
        self.clients[client].notes.len()
    }

    /// The client has given up a socket: nothing more goes to it, and nothing at all if it was not told of it.
    pub(super) fn note_dropped(&mut self, client: usize, socket: usize) -> usize {
        let notes = &mut self.clients[client].notes;
        let is_it = |note: &Note| matches!(note, Note::Connected(other) if *other == socket);
        match notes.iter().position(is_it) {
            Some(place) => {
                notes.remove(place);
                0
            }
            None => self.note(client, Note::Dropped(socket)),
        }
    }

    /// One who asks and asks, or comes and goes, is to read what comes of it.
    pub(super) fn check_notes(&mut self, client: usize, notes: usize) {
        if notes > QUEUE {
            self.close_client(client, &DisconnectReason::Backlog);
        }
    }

    /// Sends what there is, and returns how many packets that were.
    pub(crate) fn drain(&mut self, client: usize) -> usize {
        let it = &mut self.clients[client];
        for note in std::mem::take(&mut it.notes) {
            match note {
                Note::Connected(socket) => it.feeds.push(Feed::Live { socket, is_told: false }),
                Note::Rejected(path, message) => it.feeds.push(Feed::Refused { path, message }),
                Note::Dropped(socket) => {
                    let is_it =
                        |feed: &Feed| matches!(feed, Feed::Live { socket: other, .. } if *other == socket);
                    it.feeds.retain(|feed| !is_it(feed));
                }
                Note::Closed(reason) => it.told = Some(reason),
            }
        }
        let feeds = std::mem::take(&mut it.feeds);
        let (mut count, mut staying) = (0, Vec::new());
        for feed in feeds {
            match feed {
                Feed::Refused { path, message } => {
                    self.stream.push((PATHS[path], format!("rejected {message}")));
                    count += 1;
                }
                Feed::Live { socket, is_told } => {
                    if !is_told {
                        self.stream.push((self.path(socket), format!("connected {socket}")));
                        count += 1;
                    }
                    count += self.feed(socket);
                    if self.socket(socket).closed.is_none() {
                        staying.push(Feed::Live { socket, is_told: true });
                    }
                }
            }
        }
        self.clients[client].feeds = staying;
        self.say(format!("drained {count} of client {client}: {:?}", self.clients[client].told));
        count
    }

    fn path(&self, socket: usize) -> &'static str {
        PATHS[self.spaces[self.socket(socket).space].path]
    }

    /// What a socket is sent, to its end if it is closed.
    fn feed(&mut self, number: usize) -> usize {
        let path = self.path(number);
        let (space, client) = (self.socket(number).space, self.socket(number).client);
        let is_watched = self.spaces[space].has_hooks;
        let items = std::mem::take(&mut self.socket_mut(number).inbox);
        let mut count = items.len();
        for item in items {
            match item {
                Item::Event { mail, ack } => {
                    if is_watched {
                        self.stream.push((path, format!("outgoing of {number}: say {mail}")));
                    }
                    self.stream.push((path, format!("say {mail} {ack:?}")));
                }
                Item::Answer { id, text } => self.stream.push((path, format!("answer {id} {text}"))),
            }
        }
        if let Some(reason) = self.socket(number).closed.clone() {
            let place = &mut self.clients[client].places[self.spaces[space].path];
            if *place == Place::Connected(number) {
                *place = Place::Left;
            }
            self.stream.push((path, format!("disconnected: {reason}")));
            count += 1;
        }
        count
    }
}
