//! The chat: people with a name of their own, in as many rooms as they like.
//!
//! It is the namespace `/chat`. A client connects with `{ "name": ".." }`: 1 to 20 letters, digits and `-_.`,
//! a name that nobody else has, in whatever case. Otherwise it gets a connect error, whose data is
//! `{ "code": "bad-name" }` or `{ "code": "name-taken" }`. With a `"key"` of its own making beside the name, a client
//! that was cut off gets its name back at once: whoever has the same name and key is disconnected for it.
//!
//! | a client sends | and is answered |
//! |---|---|
//! | `join` room | `{ room, members: [{ id, name }, ..] }`, in the order in which they joined |
//! | `leave` room | `{ room, count }`: how many are left |
//! | `say` `{ room, text }` | `{ room, count }`: how many hear it |
//! | `who` room | `{ room, members }` |
//! | `ask` `{ room, question, seconds }` | `{ room, from, question, yes, no, silent }`, when it is decided |
//! | `typing` room | nothing |
//!
//! What cannot be done is answered with `{ error, code }`: the one for people, the other for programs.
//!
//! | a client gets | when |
//! |---|---|
//! | `rooms` `[{ room, count }, ..]` | it is connected: all rooms, and how many are in each |
//! | `room` `{ room, count }` | that number has changed, of any room; 0 is the end of it. Told [now and then](Chat::tell_counts) |
//! | `joined` `{ room, member: { id, name } }` | somebody else came to a room that it is in |
//! | `left` `{ room, id }` | somebody else went, disconnects included |
//! | `said` `{ room, from, text }` | somebody else spoke in a room that it is in |
//! | `asked` `{ room, from, question, seconds }` | somebody else wants to know: to be acknowledged with `true` or `false` |
//! | `outcome` `{ room, from, question, yes, no, silent }` | that is decided: all have answered, or the time is over |
//! | `typing` `{ room, from }` | somebody else is at it; not if the client is behind |
//!
//! Rooms are named like people, in up to 32 characters, and there are while somebody is in them. The answer to
//! `join` has its place among `joined` and `left`: a client that starts from the one and applies the others has the
//! exact list.

mod presence;
mod protocol;
mod question;
mod user;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use roomcast::{AckSender, Engine, Event, EventError, Failure, Namespace, Rejection, Room, RoomName, Socket};
use serde::{Deserialize, Serialize};

use presence::{Presence, members};
use protocol::{
    ASK, CHAT, Count, IS_TYPING, JOIN, LEAVE, MAX_NAME, MAX_ROOMS_EACH, MAX_ROOMS_TOTAL, MAX_TEXT, Members,
    Refused, SAID, SAY, Said, Say, TYPING, Typing, WHO, check_name, check_text,
};
use user::{User, answer, check_member, check_room};

/// Opens the chat on an engine.
///
/// # Panics
///
/// If the engine is closed.
pub fn install(engine: &Engine) -> Chat {
    let namespace = engine.of(CHAT).expect("the engine is open, and the path a good one");
    let presence = Arc::new(Presence::default());
    register(&namespace, &presence).expect("events have good names");
    Chat { namespace, presence }
}

/// A chat that is open.
#[derive(Clone, Debug)]
pub struct Chat {
    namespace: Namespace,
    presence: Arc<Presence>,
}

impl Chat {
    /// Tells everybody how many are in each room in which that has changed. To be called every so often.
    pub fn tell_counts(&self) {
        self.presence.tell_counts(&self.namespace);
    }
}

#[derive(Default, Deserialize)]
struct Auth {
    name: String,
    key: Option<String>,
}

fn register(chat: &Namespace, presence: &Arc<Presence>) -> Result<(), EventError> {
    chat.middleware(let_in);
    let (told, presence) = (Arc::clone(presence), Arc::clone(presence));
    chat.on_room(move |chat, event| told.tell(chat, event));
    chat.on_connect(presence::watch_rooms);
    chat.on_with_ack(JOIN, move |socket, room: String, ack| {
        if let Err(refused) = join(socket, &room, &ack, &presence) {
            answer(&ack, &refused);
        }
    })?;
    serve(chat, LEAVE, |socket, room: String| leave(socket, &room))?;
    serve(chat, SAY, |socket, say: Say| say_to(socket, say))?;
    serve(chat, WHO, |socket, room: String| who(socket, &room))?;
    chat.on_with_ack(ASK, question::ask)?;
    chat.on(TYPING, |socket, room: String| typing(socket, &room))?;
    chat.on_error(|_, failure| match failure {
        Failure::Undecodable { ack, error, .. } => {
            answer(ack, &Refused::new("bad-request", error.to_string()));
        }
        bug => eprintln!("chat: {bug}"),
    });
    Ok(())
}

/// Registers a request whose outcome is its answer.
fn serve<T, A>(
    chat: &Namespace,
    event: Event<T>,
    handler: impl Fn(&Socket, T) -> Result<A, Refused> + Send + Sync + 'static,
) -> Result<(), EventError>
where
    T: for<'de> Deserialize<'de> + 'static,
    A: Serialize,
{
    chat.on_with_ack(event, move |socket, data: T, ack| match handler(socket, data) {
        Ok(done) => answer(&ack, &done),
        Err(refused) => answer(&ack, &refused),
    })?;
    Ok(())
}

/// Lets people in, under a name that nobody else has.
fn let_in(socket: &Socket) -> Result<(), Rejection> {
    let Auth { name, key } = socket.auth().decode().unwrap_or_default();
    check_name("your name", &name, MAX_NAME, "bad-name")?;
    // Each has a room of its own, for one: its seat. So a name is taken once, between threads too, and free again
    // whatever way its owner goes.
    let seat = socket.namespace().room(presence::seat(&name))?;
    seat.set_capacity(1);
    if socket.join(&seat).is_err() {
        make_way(&seat, key.as_deref());
        if socket.join(&seat).is_err() {
            return Err(Refused::new("name-taken", format!("somebody is called {name} already")).into());
        }
    }
    socket.set_data(User::new(name, key));
    Ok(())
}

/// Disconnects who has the seat, if it is the same person: one who was lost, and not missed so far.
fn make_way(seat: &Room, key: Option<&str>) {
    let Some(key) = key else { return };
    for id in seat.members() {
        let Ok(owner) = seat.namespace().socket(id) else { continue };
        if User::find(&owner).is_some_and(|user| user.has_key(key)) {
            owner.disconnect("signed in elsewhere");
        }
    }
}

/// Joins. It is answered when all others are told, which may be now or, by another thread, in a moment.
fn join(socket: &Socket, room: &str, ack: &AckSender, presence: &Presence) -> Result<(), Refused> {
    check_room(room)?;
    if socket.is_in(room) {
        return Err(Refused::new("already-joined", format!("you are in {room} already")));
    }
    if socket.room_count() >= presence::OWN_ROOMS + MAX_ROOMS_EACH {
        return Err(Refused::new(
            "too-many-rooms",
            format!("nobody can be in more than {MAX_ROOMS_EACH} rooms"),
        ));
    }
    if !presence.has_place_for(room) {
        return Err(Refused::new(
            "too-many-rooms",
            format!("there are {MAX_ROOMS_TOTAL} rooms, and no more can be"),
        ));
    }
    let user = User::of(socket);
    let name = RoomName::from(room);
    user.keep_joining(name.clone(), ack.clone());
    if let Err(error) = socket.join(room) {
        user.take_joining(&name);
        return Err(error.into());
    }
    Ok(())
}

fn leave(socket: &Socket, room: &str) -> Result<Count, Refused> {
    check_member(socket, room)?;
    socket.leave(room)?;
    Ok(Count { room: room.to_owned(), count: socket.namespace().room_len(room) })
}

fn say_to(socket: &Socket, Say { room, text }: Say) -> Result<Count, Refused> {
    check_member(socket, &room)?;
    check_text(&text, MAX_TEXT)?;
    let said = Said { room, from: User::of(socket).name.clone(), text };
    let emitted = socket.to(&said.room).emit(SAID, &said)?;
    Ok(Count { count: emitted.members().saturating_sub(1), room: said.room }) // a member itself
}

fn who(socket: &Socket, room: &str) -> Result<Members, Refused> {
    check_room(room)?;
    Ok(Members { room: room.to_owned(), members: members(&socket.namespace(), room) })
}

fn typing(socket: &Socket, room: &str) {
    if check_member(socket, room).is_ok() {
        let typing = Typing { room: room.to_owned(), from: User::of(socket).name.clone() };
        // Fails only if it is gone already.
        let _ = socket.to(room).volatile().emit(IS_TYPING, &typing);
    }
}
