//! The server: the namespace `/chat`. Everything that a user may do is a handler here.
//!
//! Handlers are registered once, with the namespace, and called with the socket that asks, on whatever thread
//! brings the event, under no lock. What belongs to one user is data of its socket.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use roomcast::{
    AckSender, DisconnectReason, Engine, Event, EventError, MembershipError, Namespace, Refusal, Rejection,
    Room, RoomEvent, RoomName, Shared, Socket,
};

use crate::admin;
use crate::protocol::{
    ADMIN, CHAT, Change, JOIN, LEAVE, LOGGED, Line, NOTE, Name, PRESENCE, Presence, Refused, Reply, SAID,
    SAY, Say, WHISPER, WHISPERED, check_name,
};

/// A room for two.
pub(crate) const SMALL_ROOM: &str = "attic";
/// A room for those whom an admin has invited.
pub(crate) const INVITED_ROOM: &str = "vault";

/// A user has as long to acknowledge a whisper. The engine's clock is moved by whoever calls `Engine::tick`.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Server {
    engine: Engine,
    pub(crate) chat: Namespace,
    pub(crate) office: Arc<Office>,
    /// A room keeps its capacity for as long as it has members or a handle: this one.
    _small: Room,
}

/// What the handlers of both namespaces share.
#[derive(Debug)]
pub(crate) struct Office {
    admins: Namespace,
    pub(crate) doors: RwLock<Doors>,
    history: Mutex<Vec<String>>,
}

/// Who may join which room.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) closed: HashSet<String>,
    /// Rooms for guests only, with their guests.
    pub(crate) guests: HashMap<String, HashSet<String>>,
}

/// What a socket of `/chat` has as its data.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Name,
}

impl Server {
    pub(crate) fn open(engine: Engine) -> Result<Self, Box<dyn Error>> {
        let chat = engine.of(CHAT)?;
        let office = Arc::new(Office {
            admins: engine.of(ADMIN)?,
            doors: RwLock::default(),
            history: Mutex::default(),
        });
        office.doors.write().guests.insert(INVITED_ROOM.to_owned(), HashSet::new());
        let small = chat.room(SMALL_ROOM).expect("a good name");
        small.set_capacity(2);

        let_in(&chat);
        tell_presence(&chat, &office);
        let at_the_door = Arc::clone(&office);
        chat.admission(move |socket, room| at_the_door.doors.read().admit(socket, room));
        serve(&chat, JOIN, join)?;
        serve(&chat, LEAVE, leave)?;
        serve(&chat, SAY, say)?;
        chat.on_with_ack(WHISPER, |socket, Shared(say): Shared<Say>, ack| whisper(socket, &say, ack))?;
        admin::open(&office.admins, &chat, &office)?;
        Ok(Self { engine, chat, office, _small: small })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// All rooms with their numbers of members, oldest first.
    pub(crate) fn rooms(&self) -> Vec<(RoomName, usize)> {
        self.chat.rooms().into_iter().filter(|(room, _)| !is_seat(room)).collect()
    }

    /// The members of a room, in the order in which they joined.
    pub(crate) fn members(&self, room: &str) -> Result<Vec<Name>, Refused> {
        check_name(room)?;
        match members(&self.chat, room)? {
            // A room exists while it has members.
            members if members.is_empty() => Err(Refused(format!("there is no room {room:?}"))),
            members => Ok(members),
        }
    }

    /// All that has happened, oldest first.
    pub(crate) fn history(&self) -> Vec<String> {
        self.office.history.lock().clone()
    }

    /// Disconnects everybody. What was sent before can still be polled.
    pub(crate) fn close(&self) {
        self.engine.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Handlers in each namespace hold the other one: this takes them off.
        self.close();
    }
}

impl Office {
    /// Keeps what has happened, and tells the admins.
    pub(crate) fn log(&self, text: String) {
        self.history.lock().push(text.clone());
        // Fails only when the server is closed: then no admin is left to be told.
        let _ = self.admins.emit(LOGGED, Arc::new(text));
    }
}

impl Doors {
    /// Asked before anybody joins any room, before anything has changed.
    fn admit(&self, socket: &Socket, room: &RoomName) -> Result<(), Refusal> {
        let room = room.as_str().unwrap_or_default();
        if self.closed.contains(room) {
            return Err(Refusal::Locked);
        }
        match self.guests.get(room) {
            Some(guests) if !guests.contains(&*name(socket)) => Err("it is for invited guests".into()),
            _ => Ok(()),
        }
    }
}

/// Registers what does a thing that users ask for; its outcome is the answer.
pub(crate) fn serve<T: Send + Sync + 'static>(
    namespace: &Namespace,
    event: Event<T>,
    handler: impl Fn(&Socket, &T) -> Result<Reply, Refused> + Send + Sync + 'static,
) -> Result<(), EventError> {
    namespace.on_with_ack(event, move |socket, Shared(data): Shared<T>, ack| {
        answer(&ack, handler(socket, &data));
    })?;
    Ok(())
}

fn answer(ack: &AckSender, outcome: Result<Reply, Refused>) {
    let reply = outcome.unwrap_or_else(|Refused(why)| Reply::Refused(why));
    // Fails if who asked is gone: then nobody waits for it.
    let _ = ack.send(Arc::new(reply));
}

/// Lets users in, under a name that nobody else has.
fn let_in(chat: &Namespace) {
    chat.middleware(|socket| {
        let auth = socket.auth();
        let name = auth.as_str().unwrap_or_default();
        check_name(name).map_err(|Refused(why)| Rejection::new(why))?;
        // Each user has a room of its own, for one: its seat. So a name is taken once, between threads too;
        // it is free again whatever way the user goes; and others can emit to a name.
        let seat = socket.namespace().room(seat(name)).expect("a good name");
        seat.set_capacity(1);
        let taken = |_| Rejection::new("the name is taken").with_data(name);
        socket.join(&seat).map_err(taken)?;
        socket.set_data(User { name: name.into() });
        Ok(())
    });
    chat.on_connect(|socket| {
        let welcome = format!("welcome, {}", name(socket));
        // Fails only if it is gone already.
        let _ = socket.emit(NOTE, Arc::new(welcome));
    });
}

/// Tells those who are in a room who comes and goes.
fn tell_presence(chat: &Namespace, office: &Arc<Office>) {
    let log = Arc::clone(office);
    chat.on_connect(move |socket| log.log(format!("{} has connected", name(socket))));

    let log = Arc::clone(office);
    chat.on_room(move |chat, event| {
        let Some(id) = event.socket().filter(|_| !is_seat(event.room())) else { return };
        // Those who leave because they disconnect are sockets no more. They are told of below, once.
        let Ok(socket) = chat.socket(id) else { return };
        let change = if matches!(event, RoomEvent::Joined(..)) { Change::Joined } else { Change::Left };
        let (name, room) = (name(&socket), event.room().to_string());
        log.log(format!("{name} {change} #{room}"));
        let presence = Presence { name, change, room: Some(room) };
        // A hook has nobody to return an error to. These fail only when the server is closed.
        let _ = chat.to(event.room()).except(id).emit(PRESENCE, Arc::new(presence));
    });

    let log = Arc::clone(office);
    chat.on_disconnecting(move |socket, reason| {
        // Then everybody goes, one after the other, and is told so.
        if *reason == DisconnectReason::Shutdown {
            return;
        }
        let name = name(socket);
        log.log(match reason {
            DisconnectReason::Client => format!("{name} has disconnected"),
            _ => format!("{name} was disconnected: {reason}"),
        });
        // Its rooms are still known here. A union: who shares several of them hears of it once.
        let presence = Presence { name, change: Change::Gone, room: None };
        let _ = socket.to(socket.rooms()).emit(PRESENCE, Arc::new(presence));
    });
}

fn join(socket: &Socket, room: &String) -> Result<Reply, Refused> {
    check_name(room)?;
    // Refused before anything has changed: by the capacity of the room, or by the admission hook.
    let joined = socket.join(room).map_err(|error| match error {
        MembershipError::Refused { refusal, .. } => Refused(format!("you cannot join #{room}: {refusal}")),
        error => error.into(),
    })?;
    if joined == 0 {
        return Ok(Reply::Done(format!("you are in #{room} already, and speak there now")));
    }
    let mut others = members(&socket.namespace(), room)?;
    let me = name(socket);
    others.retain(|other| *other != me);
    Ok(Reply::Done(match others.len() {
        0 => format!("you are the first in #{room}"),
        _ => format!("you are in #{room} with {}", others.join(", ")),
    }))
}

fn leave(socket: &Socket, room: &String) -> Result<Reply, Refused> {
    check_name(room)?;
    if socket.leave(room)? == 0 {
        return Err(Refused(format!("you are not in #{room}")));
    }
    Ok(Reply::Done(format!("you have left #{room}")))
}

fn say(socket: &Socket, say: &Say) -> Result<Reply, Refused> {
    check_name(&say.to)?;
    if !socket.is_in(&say.to) {
        return Err(Refused(format!("you are not in #{}", say.to)));
    }
    let line = Line { room: Some(say.to.clone()), from: name(socket), text: say.text.clone() };
    // From a socket: to everyone in the room but itself.
    let emitted = socket.to(&say.to).emit(SAID, Arc::new(line))?;
    // Its place in the order of the namespace, known without a counter or a lock: in one room, everybody gets
    // lower numbers first. They have gaps, as all else in the namespace takes one too.
    let number = emitted.sequence().unwrap_or_default();
    // The members include the speaker.
    Ok(Reply::Delivered { number, others: emitted.members().saturating_sub(1) })
}

/// Has the recipient acknowledge it, and only then answers who whispers.
fn whisper(socket: &Socket, say: &Say, ack: AckSender) {
    let ask = || -> Result<_, Refused> {
        let to = &say.to;
        check_name(to)?;
        if *name(socket) == **to {
            return Err(Refused(format!("{to} cannot whisper to {to}")));
        }
        if !socket.namespace().has_room(seat(to)) {
            return Err(Refused(format!("there is no user {to:?}")));
        }
        let line = Line { room: None, from: name(socket), text: say.text.clone() };
        Ok(socket.to(seat(to)).emit_with_ack(WHISPERED, Arc::new(line))?.timeout(PATIENCE))
    };
    match ask() {
        Err(refused) => answer(&ack, Err(refused)),
        // The answer can be sent at any time, from any thread: nobody waits here.
        Ok(acks) => {
            let to = say.to.clone();
            acks.on_done(move |answers| {
                let outcome = match answers.is_complete() {
                    true => Ok(Reply::Done(format!("{to} has seen it"))),
                    false => Err(Refused(format!("{to} has not seen it"))),
                };
                answer(&ack, outcome);
            });
        }
    }
}

/// The name of a socket of `/chat`.
pub(crate) fn name(socket: &Socket) -> Name {
    // The middleware gives one to each socket.
    socket.data::<User>().map_or_else(|| "nobody".into(), |user| Name::clone(&user.name))
}

/// The room in which a user is alone. No user can type its name.
pub(crate) fn seat(name: &str) -> String {
    format!("@{name}")
}

pub(crate) fn is_seat(room: &RoomName) -> bool {
    room.as_str().is_some_and(|room| room.starts_with('@'))
}

fn members(chat: &Namespace, room: &str) -> Result<Vec<Name>, Refused> {
    Ok(chat.to(room).sockets()?.iter().map(name).collect())
}

/// `#a #b`: the rooms of a user.
pub(crate) fn rooms_of(socket: &Socket) -> String {
    let rooms = socket.rooms().into_iter().filter(|room| !is_seat(room));
    rooms.map(|room| format!("#{room}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use roomcast::{Ack, Client, ClientSocket, Payload};

    use super::*;

    fn server() -> Server {
        Server::open(Engine::new()).unwrap()
    }

    /// Connects a user, and returns what the server said if it did not let it in.
    fn connect(server: &Server, name: &str) -> (Client, ClientSocket, Option<String>) {
        let client = Client::new(server.engine());
        let chat = client.socket(CHAT, name).unwrap();
        let rejected = Arc::new(Mutex::new(None));
        let told = Arc::clone(&rejected);
        chat.on_connect_error(move |_, rejection| *told.lock() = Some(rejection.to_string()));
        client.poll();
        let rejected = rejected.lock().take();
        assert_eq!(chat.is_connected(), rejected.is_none());
        (client, chat, rejected)
    }

    fn reply(client: &Client, ack: Ack) -> Reply {
        client.poll();
        Reply::read(&ack.timeout(Duration::ZERO).wait().unwrap())
    }

    fn ask(chat: &ClientSocket, event: Event<String>, text: &str) -> Reply {
        reply(&chat.client(), chat.emit_with_ack(event, Arc::new(text.to_owned())).unwrap())
    }

    #[test]
    fn a_name_is_taken_until_its_user_goes() {
        let server = server();
        let (ann, _chat, rejected) = connect(&server, "ann");
        assert_eq!(rejected, None);
        assert_eq!(connect(&server, "ann").2.as_deref(), Some("the name is taken"));
        ann.disconnect();
        assert_eq!(connect(&server, "ann").2, None);
        assert!(connect(&server, "@ann").2.unwrap().contains("is no good name"));
        assert!(server.rooms().is_empty());
    }

    #[test]
    fn rooms_refuse_before_anything_has_changed() {
        let server = server();
        let users = ["ann", "bob", "cem"].map(|name| connect(&server, name));
        for (_, chat, _) in &users[..2] {
            assert!(matches!(ask(chat, JOIN, SMALL_ROOM), Reply::Done(_)));
        }
        let cem = &users[2].1;
        let refused = |words: &str| Reply::Refused(words.to_owned());
        assert_eq!(ask(cem, JOIN, SMALL_ROOM), refused("you cannot join #attic: it is full"));
        let guests_only = "you cannot join #vault: it is for invited guests";
        assert_eq!(ask(cem, JOIN, INVITED_ROOM), refused(guests_only));
        server.office.doors.write().closed.insert("bar".to_owned());
        assert_eq!(ask(cem, JOIN, "bar"), refused("you cannot join #bar: it is locked"));
        assert!(matches!(ask(cem, JOIN, "@ann"), Reply::Refused(_)));
        assert!(server.chat.socket(cem.id().unwrap()).unwrap().room_count() == 1); // its seat
        assert!(matches!(ask(&users[0].1, LEAVE, SMALL_ROOM), Reply::Done(_)));
        assert_eq!(ask(cem, JOIN, SMALL_ROOM), Reply::Done("you are in #attic with bob".to_owned()));
    }

    #[test]
    fn a_whisper_is_answered_by_its_recipient_or_its_end() {
        let server = server();
        let (ann, ann_chat, _) = connect(&server, "ann");
        let (bob, bob_chat, _) = connect(&server, "bob");
        bob_chat.on_with_ack(WHISPERED, |_, _: Payload, ack| assert!(ack.send(()).unwrap())).unwrap();
        let whisper = || {
            let say = Say { to: "bob".to_owned(), text: "psst".to_owned() };
            let ack = ann_chat.emit_with_ack(WHISPER, Arc::new(say)).unwrap();
            ann.poll();
            assert!(!ack.is_done());
            ack
        };
        let ack = whisper();
        bob.poll();
        assert_eq!(reply(&ann, ack), Reply::Done("bob has seen it".to_owned()));
        let ack = whisper();
        server.engine().tick(PATIENCE);
        assert_eq!(reply(&ann, ack), Reply::Refused("bob has not seen it".to_owned()));
        let ack = whisper();
        bob.disconnect();
        assert_eq!(reply(&ann, ack), Reply::Refused("bob has not seen it".to_owned()));
    }
}
