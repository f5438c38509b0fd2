//! A user: a client in the same process, with a socket in `/chat` and perhaps one in `/admin`, over one
//! connection.

use std::sync::Arc;

use parking_lot::Mutex;
use roomcast::{Ack, Client, ClientSocket, Engine, Event, Rejection, SendError, Shared};

use crate::protocol::{
    ADMIN, ANNOUNCED, CHAT, LOGGED, Line, NOTE, Name, PRESENCE, Presence, Refused, SAID, WHISPERED,
};

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Name,
    client: Client,
    chat: ClientSocket,
    /// Once it has asked to be one.
    admin: Option<ClientSocket>,
    screen: Screen,
    /// The rooms that it has joined. It speaks in the last of them.
    rooms: Vec<String>,
}

/// What a user sees: lines of text, until somebody takes them. Handlers hold it, and not the user: they would
/// keep the client from going.
#[derive(Clone, Debug, Default)]
pub(crate) struct Screen(Arc<Mutex<Vec<String>>>);

impl User {
    /// Connects to the chat. Whether the server lets it in is told by a poll.
    pub(crate) fn connect(engine: &Engine, name: &str) -> Result<Self, Refused> {
        let client = Client::new(engine);
        let chat = client.socket(CHAT, name)?;
        let screen = Screen::default();
        screen.show_chat(&chat)?;
        Ok(Self { name: name.into(), client, chat, admin: None, screen, rooms: Vec::new() })
    }

    /// Connects to `/admin` too, by the same connection. A second call tries again.
    pub(crate) fn be_admin(&mut self, token: &str) -> Result<(), Refused> {
        let admin = self.client.socket(ADMIN, token)?;
        if self.admin.replace(admin.clone()).is_none() {
            self.screen.show_admin(&admin)?;
        }
        Ok(())
    }

    /// Asks the server for something. Its answer comes by a poll.
    pub(crate) fn ask<T: Send + Sync + 'static>(&self, event: Event<T>, data: T) -> Result<Ack, SendError> {
        self.chat.emit_with_ack(event, Arc::new(data))
    }

    /// Asks as an admin.
    pub(crate) fn ask_as_admin<T: Send + Sync + 'static>(
        &self,
        event: Event<T>,
        data: T,
    ) -> Result<Ack, Refused> {
        match self.admin.as_ref().filter(|admin| admin.is_connected()) {
            Some(admin) => Ok(admin.emit_with_ack(event, Arc::new(data))?),
            None => Err(Refused(format!("{0} is no admin: write {0} /admin TOKEN", self.name))),
        }
    }

    /// Where it speaks.
    pub(crate) fn room(&self) -> Result<String, Refused> {
        self.rooms.last().cloned().ok_or_else(|| Refused(format!("{} is in no room", self.name)))
    }

    /// It speaks in this room from now on.
    pub(crate) fn joined(&mut self, room: &str) {
        self.left(Some(room));
        self.rooms.push(room.to_owned());
    }

    /// It has left a room, or the one where it speaks: now it speaks in the one that it joined before.
    pub(crate) fn left(&mut self, room: Option<&str>) {
        match room {
            Some(room) => self.rooms.retain(|joined| joined != room),
            None => drop(self.rooms.pop()),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.chat.is_connected()
    }

    /// Takes in what has come, and returns how much that was.
    pub(crate) fn poll(&self) -> usize {
        self.client.poll()
    }

    /// Takes what there is to be seen.
    pub(crate) fn look(&self) -> Vec<String> {
        std::mem::take(&mut *self.screen.0.lock())
    }

    /// Disconnects from all namespaces.
    pub(crate) fn quit(&self) {
        self.client.close();
    }
}

impl Screen {
    /// Shows a line of text, and by which way it came.
    fn show(&self, way: &str, text: &str) {
        self.0.lock().push(format!("{way:<9} {text}"));
    }

    /// Shows what comes to a socket in `/chat`.
    fn show_chat(&self, chat: &ClientSocket) -> Result<(), Refused> {
        let screen = self.clone();
        chat.on(SAID, move |_, Shared(line): Shared<Line>| {
            let room = line.room.as_deref().unwrap_or_default();
            screen.show(&format!("#{room}"), &format!("<{}> {}", line.from, line.text));
        })?;
        let screen = self.clone();
        chat.on_with_ack(WHISPERED, move |_, Shared(line): Shared<Line>, ack| {
            screen.show("direct", &format!("<{}> (whispers) {}", line.from, line.text));
            // The server waits for this to tell who whispers. Fails if the server is gone.
            let _ = ack.send(());
        })?;
        let screen = self.clone();
        chat.on(PRESENCE, move |_, Shared(presence): Shared<Presence>| {
            let Presence { name, change, room } = &*presence;
            let way = room.as_ref().map_or_else(|| "all".to_owned(), |room| format!("#{room}"));
            screen.show(&way, &format!("{name} {change}"));
        })?;
        let screen = self.clone();
        chat.on(NOTE, move |_, Shared(text): Shared<String>| screen.show("direct", &text))?;
        let screen = self.clone();
        chat.on(ANNOUNCED, move |_, Shared(text): Shared<String>| {
            screen.show("all", &format!("*** {text} ***"));
        })?;
        let screen = self.clone();
        chat.on_disconnect(move |_, reason| screen.show("end", &reason.to_string()));
        let screen = self.clone();
        chat.on_connect_error(move |_, rejection| screen.show("error", &rejected(rejection)));
        Ok(())
    }

    /// Shows what comes to a socket in `/admin`.
    fn show_admin(&self, admin: &ClientSocket) -> Result<(), Refused> {
        let screen = self.clone();
        admin.on(LOGGED, move |_, Shared(text): Shared<String>| screen.show("log", &text))?;
        let screen = self.clone();
        admin.on_connect_error(move |_, rejection| {
            screen.show("error", &format!("{ADMIN}: {}", rejected(rejection)));
        });
        Ok(())
    }
}

/// What a middleware said, in words and with its data.
fn rejected(rejection: &Rejection) -> String {
    match rejection.data().as_str() {
        Some(data) => format!("{rejection} ({data})"),
        None => rejection.to_string(),
    }
}
