//! The calls that a program makes on an engine, and what they return, as a trace has it.

use std::fmt::Debug;
use std::sync::{Arc, Weak};
use std::time::Duration;

use roomcast::{
    AckError, Answers, Broadcast, ClientPacket, EmitError, MembershipError, Payload, Selected, ServerPacket,
    Socket, StaleSocket,
};

use super::rig::{Handle, Rig};
use super::script::{Act, Change, Doing, EVENTS, GARBLED, How, PATHS, Packet, ROOMS, Wanted, reason};

impl Rig {
    pub(super) fn emit(&self, broadcast: &Broadcast<'_>, wanted: Option<&Wanted>) -> String {
        let mail = self.mail();
        let Some(wanted) = wanted else {
            return self
                .result(broadcast.emit("say", mail).map(|emitted| (emitted.members(), emitted.rooms())));
        };
        let acks = match broadcast.emit_with_ack("say", mail) {
            Ok(acks) => acks,
            Err(error) => return self.error(&error),
        };
        let number = self.state().acks.len();
        self.state().acks.push(None);
        let acks = match wanted.timeout {
            Some(seconds) => acks.timeout(Duration::from_secs(seconds)),
            None => acks,
        };
        self.keep(number, Handle::All(acks), wanted);
        "ok".into()
    }

    fn keep(&self, number: usize, handle: Handle, wanted: &Wanted) {
        match &wanted.callback {
            Some(script) => self.listen(number, handle, script),
            None => self.state().acks[number] = Some(handle),
        }
    }

    fn listen(&self, number: usize, handle: Handle, script: &Arc<Vec<Act>>) {
        let (weak, script) = (Weak::clone(&self.this), Arc::clone(script));
        let tell = move |text: &dyn Fn(&Self) -> String| {
            if let Some(rig) = weak.upgrade() {
                rig.say(format!("answers to {number}: {}", text(&rig)));
                rig.acts(None, &script);
            }
        };
        match handle {
            Handle::All(acks) => acks.on_done(move |answers| tell(&|rig| rig.answers(&answers))),
            Handle::One(to, ack) => ack.on_done(move |answer| tell(&|_| format!("{to}: {}", text(&answer)))),
        }
    }

    pub(super) fn finish(&self, ack: usize, how: &How) {
        let count = self.state().acks.len();
        if count == 0 {
            return;
        }
        let number = ack % count;
        let Some(handle) = self.state().acks[number].take() else { return };
        match (how, handle) {
            (How::Look, handle) => {
                let (is_done, counts) = match &handle {
                    Handle::One(_, ack) => (ack.is_done(), None),
                    Handle::All(acks) => (acks.is_done(), Some((acks.answered(), acks.expected()))),
                };
                self.state().acks[number] = Some(handle);
                self.say(format!("ack {number}: {is_done} {counts:?}"));
            }
            (How::Listen(script), handle) => self.listen(number, handle, script),
            (How::Cancel, Handle::All(acks)) => {
                let answers = self.answers(&acks.cancel());
                self.say(format!("answers to {number}: {answers}"));
            }
            (How::Cancel, Handle::One(to, ack)) if ack.is_done() => {
                self.say(format!("answers to {number}: {to}: {}", text(&ack.wait())));
            }
            (How::Cancel | How::Drop, handle) => drop(handle),
        }
    }

    fn answers(&self, answers: &Answers) -> String {
        let lines = answers.iter().map(|(id, answer)| format!("{}: {}", self.number(*id), text(answer)));
        lines.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn select(&self, broadcast: &Broadcast<'_>, doing: &Doing) -> String {
        let names = |rooms: &[usize]| rooms.iter().map(|&room| ROOMS[room]).collect::<Vec<_>>();
        let selected = match doing {
            Doing::List => {
                let numbers = |sockets: Vec<Socket>| {
                    sockets.iter().map(|socket| self.number(socket.id())).collect::<Vec<_>>()
                };
                return match broadcast.sockets() {
                    Ok(sockets) => format!("{:?}", numbers(sockets)),
                    Err(error) => self.error(&error),
                };
            }
            Doing::Join(rooms) => broadcast.join(names(rooms)),
            Doing::Leave(rooms) => broadcast.leave(names(rooms)),
            Doing::Disconnect(number) => broadcast.disconnect(reason(*number)),
        };
        let text = |selected: Selected| {
            let refused = selected.refused().iter();
            let refused: Vec<_> = refused.map(|(id, error)| (self.number(*id), error)).collect();
            format!("{} {} {refused:?}", selected.sockets(), selected.changed())
        };
        selected.map_or_else(|error| self.error(&error), text)
    }

    pub(super) fn act_of_client(&self, act: &Act) {
        let (Act::Send { conn, .. }
        | Act::Close { conn, .. }
        | Act::DropOutbox { conn }
        | Act::Drain { conn }) = act
        else {
            return;
        };
        let count = self.state().clients.len();
        if count == 0 {
            return;
        }
        let conn = conn % count;
        match act {
            Act::Send { packet, .. } => {
                let client = self.state().clients[conn].clone();
                let number = self.state().sockets.len();
                self.state().sockets.push(None);
                let received = client.receive(client_packet(packet, number));
                self.say(format!("receive {number}: {received:?}"));
            }
            Act::Close { reason: number, .. } => {
                let client = self.state().clients[conn].clone();
                let closed = client.close(reason(*number));
                self.say(format!("close {closed}"));
            }
            Act::DropOutbox { .. } => {
                let outbox = self.state().outboxes[conn].take();
                drop(outbox);
            }
            _ => self.drain(conn),
        }
    }

    fn drain(&self, conn: usize) {
        let Some(mut outbox) = self.state().outboxes[conn].take() else { return };
        let count = outbox.drain(|packet| {
            let line = match packet {
                ServerPacket::Connect { id, .. } => format!("connected {}", self.number(id)),
                ServerPacket::ConnectError { message, .. } => format!("rejected {message}"),
                ServerPacket::Event { delivery, .. } => {
                    format!("{} {} {:?}", delivery.event(), words(delivery.payload()), delivery.ack_id())
                }
                ServerPacket::Ack { id, payload, .. } => format!("answer {id} {}", words(payload)),
                ServerPacket::Disconnect { reason, .. } => format!("disconnected: {reason}"),
                other => format!("{other:?}"),
            };
            let path = PATHS.iter().find(|path| **path == packet.namespace()).copied();
            self.state().stream.push((path.unwrap_or("?"), line));
        });
        self.say(format!("drained {count} of client {conn}: {:?}", outbox.closed()));
        self.state().outboxes[conn] = Some(outbox);
    }

    pub(super) fn act_of_room(&self, act: &Act) {
        let (Act::Pin { space, room }
        | Act::Capacity { space, room, .. }
        | Act::RoomData { space, room, .. }) = *act
        else {
            return;
        };
        let namespace = {
            let state = self.state();
            state.spaces[space % state.spaces.len()].clone()
        };
        let handle = namespace.room(ROOMS[room]).expect("the name is good");
        match act {
            Act::Capacity { capacity, .. } => {
                handle.set_capacity(*capacity);
                self.say(format!("capacity of {}: {:?}", ROOMS[room], handle.capacity()));
            }
            Act::RoomData { value, .. } => {
                let before = handle.set_data(*value);
                self.say(format!("room data {before:?}"));
            }
            _ => self.state().pins.push(handle.clone()),
        }
        let members: Vec<usize> = handle.members().into_iter().map(|id| self.number(id)).collect();
        self.say(format!("room {} has {members:?}", handle.name()));
    }

    pub(super) fn act_of_socket(&self, number: usize, socket: &Socket, act: &Act) {
        let line = match act {
            Act::Move { change, rooms, .. } => {
                let rooms: Vec<&str> = rooms.iter().map(|&room| ROOMS[room]).collect();
                let moved: Result<(usize, usize), MembershipError> = match change {
                    Change::Join => socket.join(rooms).map(|joined| (joined, 0)),
                    Change::Leave => socket.leave(rooms).map(|left| (0, left)),
                    Change::Set => socket.set_rooms(rooms),
                };
                let told = moved.as_ref().ok().map(|_| self.told(socket));
                format!("move {number}: {moved:?}, {told:?} told")
            }
            Act::Direct { wanted, .. } => {
                format!("direct {}", self.emit_direct(number, socket, wanted.as_ref()))
            }
            Act::Disconnect { reason: number, .. } => {
                format!("disconnect {}", socket.disconnect(reason(*number)))
            }
            Act::Answer { id, .. } => format!("answered {}", socket.answer(*id, "by itself")),
            Act::Decide { accepts, .. } => {
                let decision = self.state().kept.remove(&number);
                match decision {
                    Some(decision) if *accepts => decision.accept(),
                    Some(decision) => decision.reject("not this time"),
                    None => {}
                }
                return;
            }
            Act::SocketData { value, .. } => format!("socket data {:?}", socket.set_data(*value)),
            _ => return,
        };
        self.say(line);
    }

    fn emit_direct(&self, to: usize, socket: &Socket, wanted: Option<&Wanted>) -> String {
        let mail = self.mail();
        let Some(wanted) = wanted else {
            return self.result(socket.emit("say", mail).map(|emitted| (emitted.members(), emitted.rooms())));
        };
        let ack = match socket.emit_with_ack("say", mail) {
            Ok(ack) => ack,
            Err(error) => return self.error(&error),
        };
        let number = self.state().acks.len();
        self.state().acks.push(None);
        let ack = match wanted.timeout {
            Some(seconds) => ack.timeout(Duration::from_secs(seconds)),
            None => ack,
        };
        self.keep(number, Handle::One(to, ack), wanted);
        "ok".into()
    }

    /// How much was told of the rooms of a socket's namespace.
    pub(crate) fn told(&self, socket: &Socket) -> usize {
        let state = self.state();
        let space = state.spaces.iter().position(|space| *space == socket.namespace());
        state.events[space.expect("the hook has seen it")].len()
    }

    fn mail(&self) -> String {
        let mails = &mut self.state().mails;
        *mails += 1;
        (*mails - 1).to_string()
    }

    fn result<T: Debug>(&self, result: Result<T, EmitError>) -> String {
        result.map_or_else(|error| self.error(&error), |value| format!("{value:?}"))
    }

    fn error(&self, error: &EmitError) -> String {
        match error {
            EmitError::Stale(StaleSocket(id)) => format!("Err(stale {})", self.number(*id)),
            error => format!("Err({error:?})"),
        }
    }

    /// What there is to see.
    pub(crate) fn look(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (spaces, clients, sockets) = {
            let state = self.state();
            (state.spaces.clone(), state.clients.clone(), state.sockets.clone())
        };
        let numbers = |ids: Vec<_>| ids.into_iter().map(|id| self.number(id)).collect::<Vec<_>>();
        for (number, space) in spaces.iter().enumerate() {
            let rooms = space.rooms().into_iter().map(|(name, _)| {
                let members = numbers(space.members(&name));
                (name.to_string(), members)
            });
            let rooms: Vec<_> = rooms.collect();
            lines.push(format!(
                "namespace {number}: {:?} {rooms:?} {}",
                numbers(space.socket_ids()),
                space.is_closed()
            ));
        }
        for (number, client) in clients.iter().enumerate() {
            let connected = numbers(client.sockets().iter().map(Socket::id).collect());
            lines.push(format!("client {number}: {connected:?} {:?}", client.closed()));
        }
        for (number, socket) in sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            let rooms: Vec<_> = socket.rooms().iter().map(ToString::to_string).collect();
            lines.push(format!(
                "socket {number}: {} {:?} {rooms:?} {:?}",
                socket.is_connected(),
                socket.closed(),
                socket.data::<u32>().map(|value| *value)
            ));
        }
        let (open, clients) = (self.engine.socket_count(), self.engine.connection_count());
        lines.push(format!("{open} sockets, {clients} clients, at {} s", self.engine.now().as_secs()));
        lines
    }
}

fn client_packet(packet: &Packet, number: usize) -> ClientPacket<'static> {
    match packet {
        Packet::Connect { path, attempt } => ClientPacket::Connect {
            namespace: PATHS[*path],
            auth: Arc::new((number, Arc::clone(attempt))).into(),
        },
        Packet::Event { path, event, script, wants_answer } => ClientPacket::Event {
            namespace: PATHS[*path],
            event: EVENTS[*event],
            payload: if *event == GARBLED { "garbled".into() } else { Arc::clone(script).into() },
            ack: wants_answer.then_some(number as u64),
        },
        Packet::Answer { path, id } => {
            ClientPacket::Ack { namespace: PATHS[*path], id: *id, payload: format!("answer {number}").into() }
        }
        Packet::Disconnect { path } => ClientPacket::Disconnect { namespace: PATHS[*path] },
    }
}

fn words(payload: &Payload) -> &str {
    payload.as_str().expect("text")
}

fn text(answer: &Result<Payload, AckError>) -> String {
    answer.as_ref().map_or_else(ToString::to_string, |payload| words(payload).to_owned())
}
