//! Reading an inbox in every way, and looking at what can be asked.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roomcast::{Delivery, GapReason, Inbox, Message, RecvTimeoutError, Via};

use crate::mail::Mail;
use crate::op::Read;
use crate::reading::{Content, Seen};
use crate::rig::Rig;
use crate::world::Way;
use crate::{Check, ensure};

/// A delivery before names and ids are looked up.
type Raw = (Message, Option<Way>);

impl Rig {
    /// Reads from a socket's inbox, if it still has one, and checks what comes.
    pub(crate) fn read(&mut self, socket: usize, read: Read) -> Check {
        let Some(mut inbox) = self.peers[socket].inbox.take() else { return Ok(()) };
        if let Some(watch) = &self.peers[socket].watch {
            if matches!(read, Read::Drain | Read::Panic(_)) {
                watch.wakes.store(0, Ordering::Relaxed);
            }
        }
        let (raws, is_end) = self.read_raw(&mut inbox, read);
        let closed = inbox.closed().cloned();
        self.peers[socket].inbox = Some(inbox);
        self.world.sockets[socket].reading.begin();
        let mut is_noted = false;
        for raw in raws? {
            is_noted = raw.0.gap().is_none() && !matches!(read, Read::Panic(_));
            let seen = self.look_up(raw)?;
            self.world.deliver(socket, &seen)?;
        }
        if is_end {
            self.world.end(socket)?;
        }
        if is_end || is_noted {
            self.world.sockets[socket].reading.report();
        }
        if !is_end {
            let has_unread = self.world.sockets[socket].reading.has_unread();
            if let (Read::Panic(_), Some(watch)) = (read, &mut self.peers[socket].watch) {
                (watch.is_due, watch.is_replaced) = (has_unread, false);
            }
            return Ok(());
        }
        let expected = &self.world.sockets[socket].closed;
        ensure!(closed == *expected, "closed is {closed:?}, expected {expected:?}");
        if let Some(watch) = &mut self.peers[socket].watch {
            let wakes = watch.wakes.swap(0, Ordering::Relaxed);
            ensure!(wakes <= 1, "socket {socket}: {wakes} wake-ups in a read");
            watch.is_due = false;
            // A poll leaves word to wake its task, in place of the callback.
            watch.is_replaced = matches!(read, Read::Poll(_));
        }
        Ok(())
    }

    /// What was read, and whether that was everything.
    fn read_raw(&self, inbox: &mut Inbox, read: Read) -> (Check<Vec<Raw>>, bool) {
        let mut raws = Vec::new();
        let keep =
            |delivery: Delivery<'_>| (delivery.to_message(), delivery.via().and_then(|via| self.way(via)));
        let is_end = match read {
            Read::Drain => {
                let count = inbox.drain(|delivery| raws.push(keep(delivery)));
                if count != raws.len() {
                    return (Err(format!("drain returned {count} for {} deliveries", raws.len())), true);
                }
                true
            }
            Read::Next(count) => (0..count).any(|_| match inbox.try_next() {
                Some(delivery) => {
                    raws.push(keep(delivery));
                    false
                }
                None => true,
            }),
            Read::Iter(count) => {
                let mut iter = inbox.iter();
                (0..count).any(|_| match iter.next() {
                    Some(message) => {
                        let way = message.via().and_then(|via| self.way(via));
                        raws.push((message, way));
                        false
                    }
                    None => true,
                })
            }
            Read::Poll(count) => {
                (0..count).any(|_| match inbox.poll_recv(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Ok(delivery)) => {
                        raws.push(keep(delivery));
                        false
                    }
                    Poll::Ready(Err(_)) | Poll::Pending => true,
                })
            }
            Read::Wait(count) => (0..count).any(|_| match inbox.recv_timeout(Duration::ZERO) {
                Ok(delivery) => {
                    raws.push(keep(delivery));
                    false
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Closed(_)) => true,
                Err(_) => unreachable!("there are no other errors"),
            }),
            Read::Panic(count) => {
                let drain = || {
                    inbox.drain(|delivery| {
                        raws.push(keep(delivery));
                        if raws.len() > count {
                            resume_unwind(Box::new("from the callback")); // without the panic hook
                        }
                    })
                };
                catch_unwind(AssertUnwindSafe(drain)).is_ok()
            }
        };
        (Ok(raws), is_end)
    }

    fn way(&self, via: Via<'_>) -> Option<Way> {
        match via {
            Via::Namespace => Some(Way::Everyone),
            Via::Room(room) => self.names.iter().position(|name| name == room).map(Way::Room),
            Via::Direct => Some(Way::Direct),
            _ => None,
        }
    }

    fn look_up(&self, (message, way): Raw) -> Check<Seen> {
        let sequence = message.sequence();
        let room = way.and_then(|way| if let Way::Room(room) = way { Some(&self.names[room]) } else { None });
        ensure!(message.room() == room, "by {way:?}: {message:?}");
        if let Some(gap) = message.gap() {
            let is_whole = gap.reason == GapReason::Memberships;
            ensure!(message.event() == "gap" && message.payload().is_empty(), "a gap with {message:?}");
            ensure!(is_whole == way.is_none(), "a gap without a way: {message:?}");
            return Ok(Seen { content: Content::Gap { gap, way }, sequence });
        }
        let mail = Mail::read(message.event(), message.payload())?;
        let sender = message.sender().map(|id| {
            let sender = self.peers.iter().position(|peer| peer.socket.id() == id);
            sender.ok_or(format!("an unknown sender in {message:?}"))
        });
        let way = way.ok_or(format!("a message without a way: {message:?}"))?;
        Ok(Seen { content: Content::Message { mail, sender: sender.transpose()?, way }, sequence })
    }

    /// Compares all that can be asked.
    pub(crate) fn look(&self) -> Check {
        let (namespace, world) = (&self.namespace, &self.world);
        let ids = |sockets: &[usize]| -> Vec<_> { sockets.iter().map(|&socket| self.id(socket)).collect() };
        let rooms = world.existing().into_iter().map(|(room, size)| (self.names[room].clone(), size));
        let (found, rooms) = (namespace.rooms(), rooms.collect::<Vec<_>>());
        ensure!(found == rooms, "rooms are {found:?}, expected {rooms:?}");
        let (found, sockets) = (namespace.socket_ids(), ids(&world.connected));
        ensure!(found == sockets, "sockets are {found:?}, expected {sockets:?}");
        ensure!(namespace.socket_count() == sockets.len(), "{} sockets", namespace.socket_count());
        ensure!(namespace.is_closed() == world.is_closed, "is_closed is {}", namespace.is_closed());
        for (room, name) in self.names.iter().enumerate() {
            let members = ids(&world.rooms[room].members);
            let found = namespace.members(name);
            ensure!(found == members, "members of {name} are {found:?}, expected {members:?}");
            ensure!(namespace.room_len(name) == members.len(), "{name}: {}", namespace.room_len(name));
            ensure!(namespace.has_room(name) != members.is_empty(), "{name}: {}", namespace.has_room(name));
            let handle = namespace.room(name).map_err(|error| error.to_string())?;
            ensure!(handle.members() == members && handle.len() == members.len(), "handle of {name}");
            ensure!(handle.is_empty() == members.is_empty() && handle.name() == name, "handle of {name}");
            for peer in &self.peers {
                let (id, is_in) = (peer.socket.id(), members.contains(&peer.socket.id()));
                ensure!(peer.socket.is_in(name) == is_in, "{id} in {name}: {}", !is_in);
                ensure!(handle.contains(id) == is_in, "{name} contains {id}: {}", !is_in);
            }
        }
        for (peer, state) in self.peers.iter().zip(&world.sockets) {
            let rooms: Vec<_> = state.rooms.iter().map(|&room| self.names[room].clone()).collect();
            let (id, found) = (peer.socket.id(), peer.socket.rooms());
            ensure!(found == rooms, "rooms of {id} are {found:?}, expected {rooms:?}");
            ensure!(peer.socket.room_count() == rooms.len(), "{id}: {} rooms", peer.socket.room_count());
            let closed = peer.socket.closed();
            ensure!(closed == state.closed, "{id} is {closed:?}, expected {:?}", state.closed);
            ensure!(peer.socket.is_connected() == closed.is_none(), "{id}: {}", peer.socket.is_connected());
            let found = namespace.socket(id).ok();
            ensure!(found.is_some() == closed.is_none(), "{id} finds {found:?}");
        }
        Ok(())
    }
}
