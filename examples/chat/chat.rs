//! The chat itself, on roomcast: users and rooms in the namespace `/chat`, and admins in `/admin`.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use roomcast::{
    Closed, Delivery, DisconnectReason, EmitError, Emitted, Engine, Inbox, MembershipError, Namespace,
    NamespaceError, RoomName, Socket, SocketId, Via,
};

/// The names of the events that are emitted.
pub(crate) mod event {
    /// To a room, by a user: a [`Line`](super::Line).
    pub(crate) const SAID: &str = "said";
    /// To one user, by another: a [`Line`](super::Line).
    pub(crate) const WHISPERED: &str = "whispered";
    /// To a room, by who joined or left it: the name.
    pub(crate) const JOINED: &str = "joined";
    pub(crate) const LEFT: &str = "left";
    /// To all rooms of a user who disconnects: the name.
    pub(crate) const GONE: &str = "gone";
    /// To one user, by the chat: text.
    pub(crate) const NOTE: &str = "note";
    /// To all rooms, by an admin: text.
    pub(crate) const ANNOUNCED: &str = "announced";
    /// To all admins: text.
    pub(crate) const LOGGED: &str = "logged";
}

pub(crate) type Name = Arc<str>;

/// What a user says. All who hear it get this very value, not a copy.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) from: Name,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Chat {
    engine: Engine,
    users: Namespace,
    admins: Namespace,
    names: RwLock<Names>,
}

#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<Name, SocketId>,
    by_id: HashMap<SocketId, Name>,
}

/// A user, connected until dropped.
#[derive(Debug)]
pub(crate) struct User {
    chat: Arc<Chat>,
    name: Name,
    socket: Socket,
    inbox: Inbox,
    /// Where it speaks, of the rooms that it is in.
    current: Option<RoomName>,
}

/// An admin: told of what happens in the chat, and able to speak to all rooms.
#[derive(Debug)]
pub(crate) struct Admin {
    chat: Arc<Chat>,
    inbox: Inbox,
}

impl Chat {
    pub(crate) fn open(engine: Engine) -> Result<Arc<Self>, NamespaceError> {
        let (users, admins) = (engine.of("/chat")?, engine.of("/admin")?);
        Ok(Arc::new(Self { engine, users, admins, names: RwLock::default() }))
    }

    pub(crate) fn connect(self: &Arc<Self>, name: &str) -> Result<User, ChatError> {
        check_name(name)?;
        let name = Name::from(name);
        // Locked until the name is entered, so that of two threads only one gets it.
        let mut names = self.names.write();
        if names.by_name.contains_key(&name) {
            return Err(ChatError::NameTaken(name));
        }
        let (socket, inbox) = self.users.connect();
        names.by_name.insert(Arc::clone(&name), socket.id());
        names.by_id.insert(socket.id(), Arc::clone(&name));
        drop(names);
        self.log(format!("{name} has connected"));
        Ok(User { chat: Arc::clone(self), name, socket, inbox, current: None })
    }

    pub(crate) fn connect_admin(self: &Arc<Self>) -> Admin {
        let (_, inbox) = self.admins.connect();
        Admin { chat: Arc::clone(self), inbox }
    }

    /// All rooms with their numbers of members, oldest first.
    pub(crate) fn rooms(&self) -> Vec<(RoomName, usize)> {
        self.users.rooms()
    }

    /// The members of a room, in the order in which they joined.
    pub(crate) fn members(&self, room: &str) -> Result<Vec<Name>, ChatError> {
        // A room exists while it has members.
        let members = self.users.members(room);
        if members.is_empty() {
            return Err(ChatError::UnknownRoom(room.to_owned()));
        }
        let names = self.names.read();
        Ok(members.iter().filter_map(|id| names.by_id.get(id).cloned()).collect())
    }

    /// Disconnects everybody. What was said before can still be read.
    pub(crate) fn close(&self) {
        self.engine.close();
    }

    fn id(&self, name: &str) -> Result<SocketId, ChatError> {
        let id = self.names.read().by_name.get(name).copied();
        id.ok_or_else(|| ChatError::UnknownUser(name.to_owned()))
    }

    fn log(&self, text: String) {
        // Fails only when the chat is closed: then no admin is left to be told.
        let _ = self.admins.emit(event::LOGGED, text);
    }
}

impl User {
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn rooms(&self) -> Vec<RoomName> {
        self.socket.rooms()
    }

    /// Joins a room, which comes to exist if nobody is in it, and speaks there from now on.
    pub(crate) fn join(&mut self, room: &str) -> Result<(), ChatError> {
        check_name(room)?;
        let note = if self.socket.join(room)? == 0 {
            format!("you are in #{room} already, and speak there now")
        } else {
            // From a socket: to everyone in the room but itself.
            self.socket.to(room).emit(event::JOINED, Arc::clone(&self.name))?;
            self.chat.log(format!("{} has joined #{room}", self.name));
            let mut others = self.chat.members(room)?;
            others.retain(|name| *name != self.name);
            match others.len() {
                0 => format!("you are the first in #{room}"),
                _ => format!("you are in #{room} with {}", others.join(", ")),
            }
        };
        self.current = Some(RoomName::from(room));
        self.socket.emit(event::NOTE, note)?;
        Ok(())
    }

    /// Leaves a room, or the current one. The room joined last is the current one then.
    pub(crate) fn leave(&mut self, room: Option<&str>) -> Result<(), ChatError> {
        let room = match room {
            Some(room) => RoomName::from(room),
            None => self.current()?,
        };
        if self.socket.leave(&room)? == 0 {
            return Err(ChatError::NotInRoom(Arc::clone(&self.name), room));
        }
        self.socket.to(&room).emit(event::LEFT, Arc::clone(&self.name))?;
        self.chat.log(format!("{} has left #{room}", self.name));
        if self.current.as_ref() == Some(&room) {
            self.current = self.socket.rooms().pop();
        }
        let note = match &self.current {
            Some(current) => format!("you have left #{room}, and speak in #{current}"),
            None => format!("you have left #{room}, and are in no room now"),
        };
        self.socket.emit(event::NOTE, note)?;
        Ok(())
    }

    /// Speaks in the current room, and returns how many others hear it.
    pub(crate) fn say(&self, text: &str) -> Result<usize, ChatError> {
        self.say_in(&self.current()?, text)
    }

    /// Speaks in a room that it is in, and returns how many others hear it.
    pub(crate) fn say_in(&self, room: &RoomName, text: &str) -> Result<usize, ChatError> {
        if !self.socket.is_in(room) {
            return Err(ChatError::NotInRoom(Arc::clone(&self.name), room.clone()));
        }
        let emitted = self.socket.to(room).emit(event::SAID, self.line(text))?;
        // The members include the speaker.
        Ok(emitted.members().saturating_sub(1))
    }

    /// Speaks to one user alone.
    pub(crate) fn whisper(&self, to: &str, text: &str) -> Result<(), ChatError> {
        let id = self.chat.id(to)?;
        if id == self.socket.id() {
            return Err(ChatError::Oneself(Arc::clone(&self.name)));
        }
        self.socket.to(id).emit(event::WHISPERED, self.line(text))?;
        Ok(())
    }

    /// Disconnects, and tells those in the same rooms.
    pub(crate) fn quit(self) -> Result<(), ChatError> {
        // A union: who is in several of these rooms hears of it once.
        self.socket.to(self.socket.rooms()).emit(event::GONE, Arc::clone(&self.name))?;
        self.socket.disconnect(DisconnectReason::Client);
        self.chat.log(format!("{} has disconnected", self.name));
        Ok(())
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self, read: impl FnMut(Delivery<'_>)) -> usize {
        self.inbox.drain(read)
    }

    /// Waits for the next message.
    pub(crate) fn wait(&mut self) -> Result<Delivery<'_>, Closed> {
        self.inbox.recv()
    }

    fn current(&self) -> Result<RoomName, ChatError> {
        self.current.clone().ok_or_else(|| ChatError::InNoRoom(Arc::clone(&self.name)))
    }

    fn line(&self, text: &str) -> Arc<Line> {
        Arc::new(Line { from: Arc::clone(&self.name), text: text.to_owned() })
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // The name is free again. The socket is disconnected by the drop of its inbox.
        let mut names = self.chat.names.write();
        names.by_name.remove(&self.name);
        names.by_id.remove(&self.socket.id());
    }
}

impl Admin {
    /// Speaks to all rooms: once to each user, whatever the number of their rooms.
    pub(crate) fn announce(&self, text: &str) -> Result<Emitted, ChatError> {
        let rooms: Vec<RoomName> = self.chat.rooms().into_iter().map(|(room, _)| room).collect();
        let emitted = self.chat.users.to(rooms).emit(event::ANNOUNCED, text)?;
        self.chat.log(format!("announced to {}: {text}", count(emitted.rooms(), "room")));
        Ok(emitted)
    }

    /// Reads what the admins were told since the last time.
    pub(crate) fn read(&mut self, read: impl FnMut(Delivery<'_>)) -> usize {
        self.inbox.drain(read)
    }
}

/// A delivery as a line of text: by which way it came, and what it is.
pub(crate) fn describe(delivery: &Delivery<'_>) -> String {
    let way = match delivery.via() {
        Some(Via::Room(room)) => format!("#{room}"),
        Some(Via::Direct) => "direct".to_owned(),
        _ => "all".to_owned(),
    };
    if let Some(gap) = delivery.gap() {
        return format!("{way:<9} ... {} missing", count(gap.missed, "message"));
    }
    let payload = delivery.payload();
    let text = payload.as_str().unwrap_or_default();
    match (delivery.event(), payload.downcast_ref::<Line>()) {
        (event::WHISPERED, Some(line)) => format!("{way:<9} <{}> (whispers) {}", line.from, line.text),
        (_, Some(line)) => format!("{way:<9} <{}> {}", line.from, line.text),
        (event::JOINED, _) => format!("{way:<9} {text} has joined"),
        (event::LEFT, _) => format!("{way:<9} {text} has left"),
        (event::GONE, _) => format!("{way:<9} {text} has disconnected"),
        (event::ANNOUNCED, _) => format!("{way:<9} *** {text} ***"),
        _ => format!("{way:<9} {text}"),
    }
}

/// `1 room`, `2 rooms`.
pub(crate) fn count(number: impl fmt::Display, what: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Names of users and rooms can be typed, and do no harm to a terminal.
pub(crate) fn check_name(name: &str) -> Result<(), ChatError> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.chars().count() > 32 || !name.chars().all(is_good) {
        return Err(ChatError::BadName(name.to_owned()));
    }
    Ok(())
}

/// Why something was not done. Nothing has changed then.
#[derive(Debug)]
pub(crate) enum ChatError {
    BadName(String),
    NameTaken(Name),
    UnknownUser(String),
    UnknownRoom(String),
    NotInRoom(Name, RoomName),
    InNoRoom(Name),
    Oneself(Name),
    Membership(MembershipError),
    Emit(EmitError),
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(name) => {
                write!(f, "{name:?} is no good name: use letters, digits and -_. and at most 32 of them")
            }
            Self::NameTaken(name) => write!(f, "there is a user {name:?} already"),
            Self::UnknownUser(name) => write!(f, "there is no user {name:?}"),
            Self::UnknownRoom(room) => write!(f, "there is no room {room:?}"),
            Self::NotInRoom(name, room) => write!(f, "{name} is not in #{room}"),
            Self::InNoRoom(name) => write!(f, "{name} is in no room"),
            Self::Oneself(name) => write!(f, "{name} cannot whisper to {name}"),
            Self::Membership(error) => error.fmt(f),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl Error for ChatError {}

impl From<MembershipError> for ChatError {
    fn from(error: MembershipError) -> Self {
        Self::Membership(error)
    }
}

impl From<EmitError> for ChatError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}
