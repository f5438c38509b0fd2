//! The server's other namespace, `/admin`: for those who know the token. What admins do to `/chat`, they do
//! to whole selections of its sockets.

use std::sync::Arc;

use roomcast::{Event, EventError, Namespace, Rejection, Socket};

use crate::protocol::{
    ANNOUNCE, ANNOUNCED, CHAT, CLOSE, INVITE, Invitation, KICK, LIST, NOTE, OPEN, Refused, Reply, check_name,
    count,
};
use crate::server::{Office, User, name, rooms_of, seat, serve};

/// A real server would take it from its configuration.
pub(crate) const TOKEN: &str = "sesame";

/// Opens `/admin` for those who know the token.
pub(crate) fn open(admins: &Namespace, chat: &Namespace, office: &Arc<Office>) -> Result<(), EventError> {
    admins.middleware(|socket| {
        if socket.auth().as_str() == Some(TOKEN) {
            return Ok(());
        }
        // The client sees both, and is in no way connected here; in `/chat` it stays.
        Err(Rejection::new("not authorized").with_data("ask the owner for the token"))
    });
    // The same connection has a socket in `/chat`, if its user is there: an admin is known by the name there.
    admins.middleware(|socket| {
        let chat = socket.connection().and_then(|connection| connection.socket(CHAT));
        let user = chat.ok_or_else(|| Rejection::new("join the chat first"))?;
        socket.set_data(User { name: name(&user) });
        Ok(())
    });
    let log = Arc::clone(office);
    admins.on_connect(move |admin| log.log(format!("{} is an admin now", name(admin))));

    let desk = Arc::new(Desk { chat: chat.clone(), office: Arc::clone(office) });
    command(admins, &desk, ANNOUNCE, Desk::announce)?;
    command(admins, &desk, LIST, Desk::list)?;
    command(admins, &desk, KICK, Desk::kick)?;
    command(admins, &desk, CLOSE, Desk::close)?;
    command(admins, &desk, OPEN, Desk::open)?;
    command(admins, &desk, INVITE, Desk::invite)
}

/// Registers what admins may do. Who has no socket in `/admin` cannot even ask.
fn command<T: Send + Sync + 'static>(
    admins: &Namespace,
    desk: &Arc<Desk>,
    event: Event<T>,
    command: fn(&Desk, &Socket, &T) -> Result<Reply, Refused>,
) -> Result<(), EventError> {
    let desk = Arc::clone(desk);
    serve(admins, event, move |admin, data| command(&desk, admin, data))
}

/// What admins work on.
struct Desk {
    chat: Namespace,
    office: Arc<Office>,
}

impl Desk {
    /// Speaks to everyone: once to each user, whatever rooms they are in.
    fn announce(&self, admin: &Socket, text: &String) -> Result<Reply, Refused> {
        let emitted = self.chat.emit(ANNOUNCED, Arc::new(text.clone()))?;
        self.log(admin, format!("announces: {text}"));
        Ok(Reply::Done(format!("announced to {}", count(emitted.members(), "user"))))
    }

    fn list(&self, _: &Socket, (): &()) -> Result<Reply, Refused> {
        Ok(Reply::Done(list(&self.chat)))
    }

    /// Disconnects a user from the chat. Closing the socket's `connection` would end all its namespaces.
    fn kick(&self, admin: &Socket, user: &String) -> Result<Reply, Refused> {
        check_name(user)?;
        let by = format!("kicked by {}", name(admin));
        let selected = self.chat.to(seat(user)).disconnect(by)?;
        if selected.changed() == 0 {
            return Err(Refused(format!("there is no user {user:?}")));
        }
        Ok(Reply::Done(format!("{user} is out")))
    }

    /// Has all members leave a room, and nobody join it from now on.
    fn close(&self, admin: &Socket, room: &String) -> Result<Reply, Refused> {
        check_name(room)?;
        self.office.doors.write().closed.insert(room.clone());
        self.log(admin, format!("closes #{room}"));
        let members = self.chat.to(room);
        members.emit(NOTE, Arc::new(format!("#{room} is closed")))?;
        let selected = members.leave(room)?;
        Ok(Reply::Done(format!("#{room} is closed, and {} had to leave", count(selected.changed(), "user"))))
    }

    fn open(&self, admin: &Socket, room: &String) -> Result<Reply, Refused> {
        check_name(room)?;
        if !self.office.doors.write().closed.remove(room) {
            return Err(Refused(format!("#{room} is not closed")));
        }
        self.log(admin, format!("opens #{room}"));
        Ok(Reply::Done(format!("#{room} is open again")))
    }

    /// Has a room for guests let in a user.
    fn invite(&self, admin: &Socket, Invitation { user, room }: &Invitation) -> Result<Reply, Refused> {
        check_name(user)?;
        match self.office.doors.write().guests.get_mut(room) {
            Some(guests) => guests.insert(user.clone()),
            None => return Err(Refused(format!("#{room} needs no invitation"))),
        };
        self.log(admin, format!("invites {user} to #{room}"));
        // Who is not connected is not told, and can come all the same.
        self.chat.to(seat(user)).emit(NOTE, Arc::new(format!("you are invited to #{room}")))?;
        Ok(Reply::Done(format!("{user} is invited to #{room}")))
    }

    fn log(&self, admin: &Socket, what: String) {
        self.office.log(format!("{} {what}", name(admin)));
    }
}

/// Who is connected, and in which rooms.
pub(crate) fn list(chat: &Namespace) -> String {
    let sockets = chat.sockets();
    let lines = sockets.iter().map(|socket| {
        let line = format!("{:<12} {}", name(socket), rooms_of(socket));
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use roomcast::{Client, Engine};

    use super::*;
    use crate::protocol::ADMIN;
    use crate::server::Server;

    /// What the server says to somebody who wants to be an admin: the words, and the data.
    fn refusal(client: &Client, token: &str) -> Option<(String, Option<String>)> {
        let admin = client.socket(ADMIN, token).unwrap();
        let told = Arc::new(parking_lot::Mutex::new(None));
        let tell = Arc::clone(&told);
        admin.on_connect_error(move |_, rejection| {
            let data = rejection.data().as_str().map(str::to_owned);
            *tell.lock() = Some((rejection.message().to_owned(), data));
        });
        client.poll();
        let told = told.lock().take();
        assert_eq!(admin.is_connected(), told.is_none());
        told
    }

    #[test]
    fn admins_know_the_token_and_are_in_the_chat() {
        let server = Server::open(Engine::new()).unwrap();
        let client = Client::new(server.engine());
        assert_eq!(refusal(&client, TOKEN), Some(("join the chat first".to_owned(), None)));
        let chat = client.socket(CHAT, "ann").unwrap();
        let (words, data) = ("not authorized".to_owned(), "ask the owner for the token".to_owned());
        assert_eq!(refusal(&client, "swordfish"), Some((words, Some(data))));
        assert_eq!(refusal(&client, TOKEN), None);
        assert!(chat.is_connected());
        assert_eq!(server.engine().connection_count(), 1);
        assert_eq!(server.history(), ["ann has connected", "ann is an admin now"]);
    }
}
