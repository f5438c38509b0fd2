//! The reference: what a program does.

use roomcast::{DisconnectReason, MembershipError, NamespaceError};

use super::clients::Panicked;
use super::script::{Act, Aim, Change, Doing, From, MAX_CONNECTIONS, PATHS, ROOMS, Spot, Wanted, reason};
use super::world::{Room, World, listed};

impl World {
    /// Runs a script that a socket's handler or hook has, until it panics.
    pub(crate) fn acts(&mut self, me: usize, acts: &[Act]) -> Result<(), Panicked> {
        acts.iter().try_for_each(|act| self.act(Some(me), act))
    }

    pub(crate) fn act(&mut self, me: Option<usize>, act: &Act) -> Result<(), Panicked> {
        match act {
            Act::Open if self.clients.len() < MAX_CONNECTIONS => self.open_client(),
            Act::Open => {}
            Act::Panic if me.is_some() => return Err(Panicked),
            Act::Panic => {}
            Act::Of { path } => {
                let found = match self.present[*path] {
                    _ if self.is_closed => Err(NamespaceError::EngineClosed),
                    Some(space) => Ok(space),
                    None => {
                        let space = self.add_space(*path);
                        self.say(format!("new {}", PATHS[*path]));
                        Ok(space)
                    }
                };
                self.say(format!("of {found:?}"));
            }
            Act::Remove { path } => {
                let space = self.present[*path].take();
                if let Some(space) = space {
                    self.close_spaces(&[space], &DisconnectReason::NamespaceRemoved);
                }
                self.say(format!("remove {}", space.is_some()));
            }
            Act::Shutdown => self.shut_down(),
            Act::Tick { by } => {
                let now = self.now + by;
                self.tick(now);
            }
            Act::Lock { room, is_locked } => {
                if *is_locked {
                    _ = self.locked.insert(*room);
                } else {
                    _ = self.locked.remove(room);
                }
            }
            Act::Unpin { pin } if !self.pins.is_empty() => {
                let pin = pin % self.pins.len();
                let (space, room) = self.pins.swap_remove(pin);
                self.spaces[space].rooms[room].pins -= 1;
                self.forget_idle(space, room);
            }
            Act::Unpin { .. } => {}
            Act::Finish { ack, how } => {
                if !self.acks.is_empty() {
                    self.finish(ack % self.acks.len(), how);
                }
            }
            Act::Reply { ask } if !self.asks.is_empty() => {
                let ask = ask % self.asks.len();
                let (socket, id) = (self.asks[ask].socket, self.asks[ask].id);
                let is_late = std::mem::replace(&mut self.asks[ask].is_answered, true);
                let replied = self.reply(socket, id.filter(|_| !is_late), "later");
                self.say(format!("reply {ask}: {replied}"));
            }
            Act::Reply { .. } => {}
            Act::Send { .. } | Act::Close { .. } | Act::DropOutbox { .. } | Act::Drain { .. } => {
                if !self.clients.is_empty() {
                    self.act_of_client(act);
                }
            }
            Act::Pin { .. } | Act::Capacity { .. } | Act::RoomData { .. } => self.act_of_room(act),
            Act::Emit { aim, wanted } => {
                if let Some(aim) = self.resolve(me, aim) {
                    let emitted = self.emit(&aim, wanted.as_ref());
                    self.say(format!("emit {emitted}"));
                }
            }
            Act::Select { aim, doing } => {
                if let Some(aim) = self.resolve(me, aim) {
                    let selected = self.change_all(&aim, doing);
                    self.say(format!("select {selected}"));
                }
            }
            Act::Move { socket, .. }
            | Act::Direct { socket, .. }
            | Act::Disconnect { socket, .. }
            | Act::Answer { socket, .. }
            | Act::Decide { socket, .. }
            | Act::SocketData { socket, .. } => {
                if let Some(socket) = self.pick(me, *socket) {
                    self.act_of_socket(socket, act);
                }
            }
        }
        Ok(())
    }

    /// The socket of this number; every third one is that in whose handler this is.
    fn pick(&self, me: Option<usize>, number: usize) -> Option<usize> {
        match me {
            Some(me) if number % 3 == 0 => Some(me),
            _ if self.sockets.is_empty() => None,
            _ => {
                let number = number % self.sockets.len();
                self.sockets[number].is_some().then_some(number)
            }
        }
    }

    /// With numbers of what there is; or nothing, if whom it is from is not.
    fn resolve(&self, me: Option<usize>, aim: &Aim) -> Option<Aim> {
        let from = match aim.from {
            From::Namespace(space) => From::Namespace(space % self.spaces.len()),
            From::Others(socket) => From::Others(self.pick(me, socket)?),
            From::Within(socket) => From::Within(self.pick(me, socket)?),
        };
        let spot = |spot: &Spot| match *spot {
            Spot::Room(room) => Some(Spot::Room(room)),
            Spot::Socket(socket) => self.pick(me, socket).map(Spot::Socket),
        };
        // Nothing is said within everyone.
        let nobody = matches!(from, From::Within(_)).then(Vec::new);
        let to = aim.to.clone().or(nobody).map(|to| to.iter().filter_map(spot).collect());
        Some(Aim { from, to, except: aim.except.iter().filter_map(spot).collect() })
    }

    fn act_of_client(&mut self, act: &Act) {
        let count = self.clients.len();
        match act {
            Act::Send { conn, packet } => {
                let number = self.sockets.len();
                self.sockets.push(None);
                let received = self.receive(conn % count, packet, number);
                self.say(format!("receive {number}: {received:?}"));
            }
            Act::Close { conn, reason: number } => {
                let closed = self.close_client(conn % count, &reason(*number));
                self.say(format!("close {closed}"));
            }
            Act::DropOutbox { conn } => {
                let conn = conn % count;
                if std::mem::take(&mut self.clients[conn].has_outbox) {
                    self.drop_outbox(conn);
                }
            }
            Act::Drain { conn } if self.clients[conn % count].has_outbox => _ = self.drain(conn % count),
            _ => {}
        }
    }

    fn act_of_room(&mut self, act: &Act) {
        let (Act::Pin { space, room }
        | Act::Capacity { space, room, .. }
        | Act::RoomData { space, room, .. }) = *act
        else {
            return;
        };
        let space = space % self.spaces.len();
        self.make(space, room);
        let it = &mut self.spaces[space].rooms[room];
        match act {
            Act::Capacity { capacity, .. } => {
                it.capacity = *capacity;
                let line = format!("capacity of {}: {:?}", ROOMS[room], it.capacity);
                self.say(line);
            }
            Act::RoomData { value, .. } => {
                let line = format!("room data {:?}", it.data.replace(*value));
                self.say(line);
            }
            _ => {
                it.pins += 1;
                self.pins.push((space, room));
            }
        }
        let Room { members, .. } = &self.spaces[space].rooms[room];
        let line = format!("room {} has {members:?}", ROOMS[room]);
        self.say(line);
        self.forget_idle(space, room);
    }

    fn act_of_socket(&mut self, socket: usize, act: &Act) {
        let line = match act {
            Act::Move { change, rooms, .. } => {
                let moved = self.change(socket, *change, rooms);
                let told: usize = self.spaces[self.socket(socket).space].events.len();
                // If it returns an error, there may be what others are about to tell.
                format!("move {socket}: {moved:?}, {:?} told", moved.as_ref().ok().map(|_| told))
            }
            Act::Direct { wanted, .. } => {
                let emitted = self.emit_direct(socket, wanted.as_ref());
                format!("direct {emitted}")
            }
            Act::Disconnect { reason: number, .. } => {
                format!("disconnect {}", self.disconnect(socket, &reason(*number)))
            }
            Act::Answer { id, .. } => format!("answered {}", self.answer(*id, socket, "by itself")),
            Act::Decide { accepts, .. } => {
                if self.kept.remove(&socket) {
                    self.decide(socket, (!accepts).then_some("not this time"));
                }
                return;
            }
            Act::SocketData { value, .. } => {
                format!("socket data {:?}", self.socket_mut(socket).data.replace(*value))
            }
            _ => return,
        };
        self.say(line);
    }

    fn emit(&mut self, aim: &Aim, wanted: Option<&Wanted>) -> String {
        let mail = self.mails;
        self.mails += 1;
        let (space, addressed, left_out) = match self.find(aim) {
            Ok(found) => found,
            Err(error) => return error,
        };
        let Some(wanted) = wanted else {
            return format!("{:?}", self.publish(&addressed, &left_out, mail, None));
        };
        let id = self.next_ack(space);
        self.publish(&addressed, &left_out, mail, Some(id));
        self.want((space, id), None, listed(&addressed, &left_out), wanted);
        "ok".into()
    }

    fn emit_direct(&mut self, socket: usize, wanted: Option<&Wanted>) -> String {
        let mail = self.mails;
        self.mails += 1;
        if let Err(error) = self.find_direct(socket) {
            return error;
        }
        let addressed = [(0, vec![socket])].into();
        let Some(wanted) = wanted else {
            return format!("{:?}", self.publish(&addressed, &[].into(), mail, None));
        };
        let space = self.socket(socket).space;
        let id = self.next_ack(space);
        self.publish(&addressed, &[].into(), mail, Some(id));
        self.want((space, id), Some(socket), vec![socket], wanted);
        "ok".into()
    }

    fn change_all(&mut self, aim: &Aim, doing: &Doing) -> String {
        let sockets = match self.select(aim) {
            Ok(sockets) => sockets,
            Err(error) => return error,
        };
        if let Doing::List = doing {
            return format!("{sockets:?}");
        }
        if let Doing::Disconnect(number) = doing {
            return format!("{} {} []", sockets.len(), self.disconnect_all(&sockets, &reason(*number)));
        }
        let (mut changed, mut refused) = (0, Vec::new());
        for &socket in &sockets {
            let result: Result<usize, MembershipError> = match doing {
                Doing::Join(rooms) => self.change(socket, Change::Join, rooms).map(|(joined, _)| joined),
                Doing::Leave(rooms) => self.change(socket, Change::Leave, rooms).map(|(_, left)| left),
                Doing::Disconnect(_) | Doing::List => Ok(0),
            };
            match result {
                Ok(count) => changed += usize::from(count > 0),
                Err(error) => refused.push((socket, error)),
            }
        }
        format!("{} {changed} {refused:?}", sockets.len())
    }

    /// Closes namespaces, and takes their sockets out of everything. Those are to be told.
    fn shut_spaces(&mut self, spaces: &[usize], reason: &DisconnectReason) -> Vec<usize> {
        let mut sockets = Vec::new();
        for &space in spaces {
            self.spaces[space].closed.get_or_insert_with(|| reason.clone());
            sockets.extend(&self.spaces[space].open);
            // Then those who are still with the middlewares, in the order in which they came.
            let all = self.sockets.iter().enumerate().filter_map(|(number, it)| Some((number, it.as_ref()?)));
            let here = all.filter(|(_, it)| it.space == space && !it.is_open && it.closed.is_none());
            sockets.extend(here.map(|(number, _)| number));
        }
        self.cut_all(&sockets, reason)
    }

    fn close_spaces(&mut self, spaces: &[usize], reason: &DisconnectReason) {
        let cut = self.shut_spaces(spaces, reason);
        self.tell_all(&cut);
        spaces.iter().for_each(|&space| self.retire(space));
    }

    fn shut_down(&mut self) {
        self.is_closed = true;
        let spaces: Vec<usize> = std::mem::take(&mut self.present).into_iter().flatten().collect();
        let reason = DisconnectReason::Shutdown;
        let mut cut = vec![self.shut_spaces(&spaces, &reason)];
        let clients: Vec<usize> = self.places.clone().into_iter().flatten().collect();
        cut.extend(clients.into_iter().filter_map(|client| self.shut_client(client, &reason)));
        cut.iter().for_each(|cut| self.tell_all(cut));
        spaces.iter().for_each(|&space| self.retire(space));
    }
}
