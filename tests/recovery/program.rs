//! A program of what clients and the server do, and the reference that it is held against: it keeps, for each client, all
//! that it is to see, and how far it is.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use roomcast::{ClientPacket, Payload, Recovery, Resumption, Socket};

use super::rig::{Client, KEEP, PATH, engine_with};

pub(crate) const CLIENTS: usize = 3;
pub(crate) const ROOMS: u8 = 3;
/// How much of a session is kept.
const MESSAGES: usize = 12;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// To all, to a room, to two rooms, to one client; volatile or not.
    Emit(To, bool),
    Ask(usize),
    Join(usize, u8),
    Leave(usize, u8),
    /// The client takes in so many packets.
    See(usize, usize),
    /// All that there is to send is sent, and lost.
    Lose(usize),
    /// Its line is cut.
    Cut(usize),
    /// It comes back.
    Resume(usize),
    /// It gives its socket up.
    Quit(usize),
    /// The server disconnects it.
    Kick(usize),
    Tick(u8),
}

#[derive(Clone, Debug)]
pub(crate) enum To {
    All,
    Room(u8),
    Rooms(u8, u8),
    Client(usize),
}

/// What a message is to those who keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Volatile,
    Question,
}

/// A client as it should be.
#[derive(Default)]
struct Should {
    /// Whether there is a socket, and whether it is away: since when.
    is_in: bool,
    away: Option<u64>,
    rooms: BTreeSet<u8>,
    /// Not sent yet.
    unread: VecDeque<(String, Kind)>,
    /// To be sent again, or for the first time, before that.
    due: VecDeque<(String, Kind)>,
    /// Sent, and not known to be seen. Behind what is forgotten.
    unseen: VecDeque<String>,
    /// How many plain ones were sent and seen, of those that are held.
    seen_held: usize,
    /// How many plain ones that it has not seen are not held any more.
    forgotten: usize,
    is_told: bool,
}

impl Should {
    fn send(&mut self, message: String, kind: Kind) {
        self.unread.push_back((message, kind));
    }

    /// Sends the next one, and returns it.
    fn next(&mut self, is_seen: bool) -> Option<String> {
        if !std::mem::replace(&mut self.is_told, true) {
            return Some(String::new()); // that it is connected
        }
        let is_due = !self.due.is_empty();
        let (message, kind) = self.due.pop_front().or_else(|| self.unread.pop_front())?;
        if kind == Kind::Plain {
            self.unseen.push_back(message.clone());
            if is_seen {
                self.seen_held += self.unseen.len();
                self.unseen.clear();
                self.forgotten = 0;
            }
            if !is_due {
                self.trim(self.due.len());
            }
        }
        Some(message)
    }

    /// No more is held than may be.
    fn trim(&mut self, due: usize) {
        while self.seen_held + self.unseen.len() + due > MESSAGES {
            if self.seen_held > 0 {
                self.seen_held -= 1;
            } else {
                self.unseen.pop_front();
                self.forgotten += 1;
            }
        }
    }

    /// It comes back: how many it has missed, if it has.
    fn rewind(&mut self) -> Option<u64> {
        let mut due: VecDeque<_> =
            std::mem::take(&mut self.unseen).into_iter().map(|m| (m, Kind::Plain)).collect();
        due.append(&mut self.due);
        due.extend(self.unread.drain(..).filter(|(_, kind)| *kind != Kind::Volatile));
        let mut lost = self.forgotten;
        while self.seen_held + due.len() > MESSAGES {
            if self.seen_held > 0 {
                self.seen_held -= 1;
            } else {
                due.pop_front();
                lost += 1;
            }
        }
        self.due = due;
        self.is_told = false;
        (lost > 0).then_some(lost as u64)
    }

    fn end(&mut self) {
        *self = Self::default();
    }

    fn enter(&mut self) {
        *self = Self { is_in: true, ..Self::default() };
    }
}

/// Does all that, and panics if something is not as it should be.
pub(crate) fn run(steps: &[Step]) {
    let recovery = Recovery::new(KEEP).messages(MESSAGES).unwrap();
    let (engine, chat) = engine_with(recovery);
    let mut clients: Vec<Option<Client>> = (0..CLIENTS).map(|_| None).collect();
    let mut known: Vec<_> = (0..CLIENTS).map(|_| None).collect();
    let mut sockets: Vec<Option<Socket>> = (0..CLIENTS).map(|_| None).collect();
    let mut should: Vec<Should> = (0..CLIENTS).map(|_| Should::default()).collect();
    let (mut number, mut now) = (0, 0);
    let mut questions = Vec::new();
    for step in steps {
        match *step {
            Step::Emit(ref to, is_volatile) => {
                number += 1;
                let text = number.to_string();
                let kind = if is_volatile { Kind::Volatile } else { Kind::Plain };
                let mut target = match to {
                    To::All => chat.everyone(),
                    To::Room(room) => chat.to(*room),
                    To::Rooms(a, b) => chat.to([*a, *b]),
                    To::Client(client) => match &sockets[*client] {
                        Some(socket) if should[*client].is_in => chat.to(socket.id()),
                        _ => continue,
                    },
                };
                if is_volatile {
                    target = target.volatile();
                }
                target.emit("n", text.clone()).unwrap();
                for (place, should) in should.iter_mut().enumerate() {
                    let is_for = match to {
                        To::All => true,
                        To::Room(room) => should.rooms.contains(room),
                        To::Rooms(a, b) => should.rooms.contains(a) || should.rooms.contains(b),
                        To::Client(client) => place == *client,
                    };
                    if should.is_in && is_for {
                        should.send(format!("n{text}"), kind);
                    }
                }
            }
            Step::Ask(client) => {
                if let (Some(socket), true) = (&sockets[client], should[client].is_in) {
                    number += 1;
                    questions.push(socket.emit_with_ack("ask", number.to_string()).unwrap());
                    should[client].send(format!("ask?{number}"), Kind::Question);
                }
            }
            Step::Join(client, room) => {
                if let (Some(socket), true) = (&sockets[client], should[client].is_in) {
                    socket.join(room).unwrap();
                    should[client].rooms.insert(room);
                }
            }
            Step::Leave(client, room) => {
                if let (Some(socket), true) = (&sockets[client], should[client].is_in) {
                    socket.leave(room).unwrap();
                    should[client].rooms.remove(&room);
                }
            }
            Step::See(place, packets) => {
                let (Some(client), should) = (&mut clients[place], &mut should[place]) else { continue };
                client.see_some(packets);
                let expected: Vec<_> =
                    (0..packets).map_while(|_| should.next(true)).filter(|m| !m.is_empty()).collect();
                assert_eq!(std::mem::take(&mut client.got), expected);
                known[place] = client.session.map(|session| (session, client.seen));
            }
            Step::Lose(place) => {
                let (Some(client), should) = (&mut clients[place], &mut should[place]) else { continue };
                let count = client.lose();
                assert_eq!(count, std::iter::from_fn(|| should.next(false)).count());
            }
            Step::Cut(place) => {
                if clients[place].take().is_some() && should[place].is_in {
                    should[place].away = Some(now);
                }
            }
            Step::Resume(place) => {
                if clients[place].is_some() && should[place].is_in && should[place].away.is_none() {
                    // By another line, before this one is known to be lost.
                    clients[place] = None;
                }
                let (was_in, expected) = (should[place].is_in, &mut should[place]);
                let mut client = match known[place] {
                    Some((session, seen)) => Client::resume(&engine, session, seen),
                    None => {
                        // It does not know who it is.
                        let client = Client::open(&engine);
                        client
                            .enter(ClientPacket::Connect { namespace: PATH, auth: Payload::default() })
                            .unwrap();
                        client
                    }
                };
                let is_known = known[place].is_some();
                client.see_some(1);
                let how = match (is_known, was_in) {
                    (false, _) => Resumption::New,
                    (true, false) => Resumption::TooLate,
                    (true, true) => match expected.rewind() {
                        Some(missed) => Resumption::TooOld { missed, exact: true },
                        None => Resumption::Recovered,
                    },
                };
                assert_eq!(client.resumption, Some(how));
                if how.is_recovered() {
                    assert_eq!(sockets[place].as_ref(), Some(&client.socket()));
                    (expected.is_told, expected.away) = (true, None);
                } else {
                    if let (false, true, Some(socket)) = (is_known, was_in, sockets[place].take()) {
                        // One that nobody comes back to.
                        socket.disconnect("forgotten");
                    }
                    sockets[place] = Some(client.socket());
                    expected.enter();
                    expected.is_told = true;
                }
                known[place] = client.session.map(|session| (session, client.seen));
                clients[place] = Some(client);
            }
            Step::Quit(place) => {
                if let (Some(client), true) = (&clients[place], should[place].is_in) {
                    client.enter(ClientPacket::Disconnect { namespace: PATH }).unwrap();
                    should[place].end();
                    clients[place] = None;
                }
            }
            Step::Kick(place) => {
                if let (Some(socket), true) = (&sockets[place], should[place].is_in) {
                    assert!(socket.disconnect("kicked"));
                    should[place].end();
                    clients[place] = None;
                }
            }
            Step::Tick(seconds) => {
                now += u64::from(seconds);
                engine.tick(Duration::from_secs(now));
                for should in &mut should {
                    if should.away.is_some_and(|since| now >= since + KEEP.as_secs()) {
                        should.end();
                    }
                }
            }
        }
        let (here, away) = should.iter().fold((0, 0), |(here, away), should| {
            (here + usize::from(should.is_in), away + usize::from(should.away.is_some()))
        });
        assert_eq!((chat.socket_count(), engine.stats().sessions, engine.stats().away), (here, here, away));
        for room in 0..ROOMS {
            let members = should.iter().filter(|should| should.rooms.contains(&room)).count();
            assert_eq!(chat.room_len(room), members);
        }
    }
}
