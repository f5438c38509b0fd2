//! What the models of rooms and readers have in common.

use std::convert::Infallible;
use std::ops::ControlFlow;

use loom::sync::Notify;
use smallvec::SmallVec;

use super::Token;
use crate::clock::Clock;
use crate::config::{Backlog, Overflow};
use crate::entry::{Audience, Entry};
use crate::event::EventTable;
use crate::history::{History, Past};
use crate::mailbox::Wake;
use crate::order::Order;
use crate::payload::Payload;
use crate::reader::{Reader, Sleep};
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::sync::Arc;
use crate::tape::Hold;
use crate::terms::Wish;
use crate::topic::{Change, Kind, Listed, Pile, Post, Role, Topic, Trash, Victims};

/// A namespace without the parts that are not modelled: its order, and what an emit does with it.
pub(super) struct Scene {
    pub(super) order: Order,
    clock: Clock,
    events: EventTable,
}

/// What an inbox was handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Got {
    Message(u64),
    Gap { missed: u64, exact: bool },
}

impl Scene {
    pub(super) fn new() -> std::sync::Arc<Self> {
        let order = Order::new();
        order.be_strict(); // rooms here are made apart from it
        std::sync::Arc::new(Self { order, clock: Clock::new(), events: EventTable::new(4, 16) })
    }

    /// A room that keeps all that a model publishes.
    pub(super) fn room(id: u64) -> Arc<Topic> {
        Arc::new(Topic::new(id, Kind::Everyone, &Backlog::new()))
    }

    /// A room with segments of one message that keeps one or two.
    pub(super) fn short_room(id: u64, overflow: Overflow) -> Arc<Topic> {
        let backlog = Backlog::new().messages(1).unwrap().overflow(overflow);
        Arc::new(Topic::new(id, Kind::Everyone, &backlog))
    }

    pub(super) fn join(&self, room: &Arc<Topic>, post: &Arc<Post>) -> u64 {
        let mut trash = Trash::default();
        Topic::join(room, &self.order, post, &Pile::ANY, &mut trash)
    }

    /// A room that keeps so many messages for those who come later.
    pub(super) fn room_with_history(&self, id: u64, messages: usize) -> Arc<Topic> {
        let room = Self::room(id);
        let history = History::new().messages(messages).unwrap();
        room.set_history(Some(history), &self.order, self.clock.shared_now());
        room
    }

    /// Joins with all that the room keeps of the past, and returns how many messages that is.
    pub(super) fn join_with_past(&self, room: &Arc<Topic>, post: &Arc<Post>) -> usize {
        let mut trash = Trash::default();
        let past = (false, Past::all());
        let joined = Topic::join_with(room, &self.order, post, &Pile::ANY, &mut trash, past);
        joined.expect("there is a place").1.messages
    }

    pub(super) fn leave(&self, room: &Topic, post: &Post, since: u64) {
        let mut trash = Trash::default();
        room.leave(&self.order, post, since, &Pile::ANY, &mut trash);
    }

    /// Closes a socket that is in one room.
    pub(super) fn close(&self, room: &Topic, post: &Post, since: u64) {
        self.close_all(&[(room, since)], post);
    }

    /// Closes a socket that is in these rooms, which it leaves in this order.
    pub(super) fn close_all(&self, rooms: &[(&Topic, u64)], post: &Post) {
        let mut trash = Trash::default();
        let at = self.order.next();
        trash.tell(&self.order, post, Change::Cut { at }, &Pile::ANY);
        for (room, since) in rooms {
            room.leave(&self.order, post, *since, &Pile::ANY, &mut trash);
        }
        trash.tell(&self.order, post, Change::Closed { at, reason: DisconnectReason::Server }, &Pile::ANY);
    }

    /// Publishes the message of this number, and returns its sequence, if there are members.
    pub(super) fn publish(&self, room: &Topic, number: u64) -> Option<u64> {
        self.publish_entry(room, Entry::All { payload: payload(number), event: 0, sender: None })
    }

    /// As [`publish`](Self::publish), but not for the sender.
    pub(super) fn publish_from(&self, room: &Topic, number: u64, sender: SocketId) -> Option<u64> {
        self.publish_entry(room, Entry::NotSender { payload: payload(number), event: 0, sender })
    }

    /// As [`publish`](Self::publish), but not for members of another room.
    pub(super) fn publish_except(&self, room: &Topic, except: &Topic, number: u64) -> Option<u64> {
        let except_rooms = SmallVec::from_slice(&[except.id()]);
        let audience = Audience { except_rooms, ..audience(&[room]) }.share();
        self.publish_entry(room, Entry::Aimed { payload: payload(number), event: 0, audience })
    }

    /// As [`publish`](Self::publish), to replace the one before it.
    pub(super) fn publish_latest(&self, room: &Topic, number: u64) -> Option<u64> {
        let wish = Wish { key: Some(7.into()), ..Wish::default() };
        let audience = Audience { terms: wish.terms(0, self.clock.shared_now()), ..audience(&[room]) };
        let entry = Entry::Aimed { payload: payload(number), event: 0, audience: audience.share() };
        self.publish_entry(room, entry)
    }

    /// Publishes one message to several rooms, in the order of their ids.
    pub(super) fn publish_all(&self, rooms: &[&Topic], number: u64) {
        let entry = Entry::Aimed { payload: payload(number), event: 0, audience: audience(rooms).share() };
        let mut victims = Victims::new();
        Topic::publish_all(rooms.iter().copied(), entry, &self.order, &mut victims, Hold::none());
        assert!(victims.is_empty());
    }

    /// Publishes one message to those who are in rooms and not in others, and returns who they are.
    pub(super) fn publish_listed(&self, rooms: &[&Topic], except: &[&Topic], number: u64) -> Vec<SocketId> {
        let except_rooms = except.iter().map(|room| room.id()).collect();
        let audience = Audience { except_rooms, ..audience(rooms) }.share();
        let entry = Entry::Aimed { payload: payload(number), event: 0, audience };
        let mut victims = Victims::new();
        let (published, sockets) =
            Topic::publish_listed(&listed(rooms, except), entry, &self.order, &mut victims, Hold::none());
        assert!(victims.is_empty());
        let sockets: Vec<_> = sockets.iter().collect();
        assert!(published.is_some() || sockets.is_empty());
        sockets
    }

    /// As [`publish`](Self::publish), but returns how many members are to be disconnected.
    pub(super) fn publish_and_find(&self, room: &Topic, number: u64) -> usize {
        let mut victims = Victims::new();
        let entry = Entry::All { payload: payload(number), event: 0, sender: None };
        assert!(room.publish(entry, &self.order, &mut victims, Hold::none()).is_some());
        victims.len()
    }

    fn publish_entry(&self, room: &Topic, entry: Entry) -> Option<u64> {
        let mut victims = Victims::new();
        let published = room.publish(entry, &self.order, &mut victims, Hold::none());
        assert!(victims.is_empty());
        published.map(|published| published.sequence)
    }
}

/// The rooms of a target, in the order in which they are locked.
pub(super) fn listed<'a>(rooms: &[&'a Topic], except: &[&'a Topic]) -> Vec<Listed<'a>> {
    let role = |role: Role| move |room: &&'a Topic| (*room, role);
    let except = except.iter().map(role(Role::LeftOut));
    let mut listed: Vec<_> = rooms.iter().map(role(Role::Addressed)).chain(except).collect();
    listed.sort_by_key(|(room, _)| room.id());
    listed
}

fn payload(number: u64) -> Payload {
    Payload::from(std::sync::Arc::new(Token::new(number)))
}

fn audience(rooms: &[&Topic]) -> Audience {
    Audience { rooms: rooms.iter().map(|room| room.id()).collect(), ..Audience::default() }
}

/// A socket's reading half, and all that it was handed.
pub(super) struct Member {
    scene: std::sync::Arc<Scene>,
    pub(super) post: Arc<Post>,
    pub(super) reader: Reader,
    pub(super) got: Vec<Got>,
}

impl Member {
    pub(super) fn new(scene: &std::sync::Arc<Scene>, number: u64) -> Self {
        let id = SocketId::from_bits(1 << 32 | number).unwrap();
        let post = Arc::new(Post::new(id, scene.order.horizon()));
        let reader = Reader::new(Arc::clone(&post));
        Self { scene: std::sync::Arc::clone(scene), post, reader, got: Vec::new() }
    }

    /// A member of these rooms that knows of it.
    pub(super) fn of(scene: &std::sync::Arc<Scene>, rooms: &[&Arc<Topic>]) -> Self {
        let mut member = Self::new(scene, 1);
        for room in rooms {
            scene.join(room, &member.post);
        }
        assert_eq!(member.drain(), 0);
        member
    }

    pub(super) fn drain(&mut self) -> usize {
        let (got, mut count) = (&mut self.got, 0);
        let _ = self.reader.drain(&self.scene.order, &self.scene.events, false, &mut count, |delivery| {
            got.push(match delivery.gap() {
                Some(gap) => Got::Gap { missed: gap.missed, exact: gap.exact },
                None => Got::Message(delivery.payload().downcast_ref::<Token>().unwrap().number),
            });
            ControlFlow::<Infallible>::Continue(())
        });
        count
    }

    /// Drains what is below this sequence.
    pub(super) fn drain_below(&mut self, bound: u64) {
        let got = &mut self.got;
        let (order, events) = (&self.scene.order, &self.scene.events);
        let _ = self.reader.drain_below(bound, order, events, &mut 0, |delivery| {
            got.push(Got::Message(delivery.payload().downcast_ref::<Token>().unwrap().number));
            ControlFlow::<Infallible>::Continue(())
        });
    }

    /// Drains, and returns the numbers of all messages so far; there are no gaps.
    pub(super) fn numbers(&mut self) -> Vec<u64> {
        self.drain();
        let numbers = self.got.iter().map(|got| match got {
            Got::Message(number) => *number,
            Got::Gap { .. } => panic!("a gap: {:?}", self.got),
        });
        numbers.collect()
    }

    /// Drains and sleeps until it was handed this many messages. Returns how often it slept.
    pub(super) fn wait_for(&mut self, messages: usize, alarm: &std::sync::Arc<Alarm>) -> usize {
        self.wait_until(alarm, |member| member.got.len() >= messages)
    }

    pub(super) fn wait_until(
        &mut self,
        alarm: &std::sync::Arc<Alarm>,
        done: impl Fn(&Self) -> bool,
    ) -> usize {
        let mut slept = 0;
        loop {
            self.drain();
            if done(self) {
                return slept;
            }
            if self.sleep(alarm) {
                slept += 1;
                alarm.bell.wait();
            }
        }
    }

    /// Leaves word to be woken, and tells whether there was nothing to read.
    pub(super) fn sleep(&mut self, alarm: &std::sync::Arc<Alarm>) -> bool {
        self.reader.sleep(Alarm::wake(alarm)) == Sleep::Asleep
    }
}

/// A wake-up that loom sees: a reader that waits for one that never comes is a deadlock.
#[derive(Default)]
pub(super) struct Alarm {
    pub(super) bell: Notify,
    rung: std::sync::atomic::AtomicUsize,
}

impl Alarm {
    pub(super) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::default()
    }

    pub(super) fn wake(alarm: &std::sync::Arc<Self>) -> Wake {
        let alarm = std::sync::Arc::clone(alarm);
        Wake::Callback(std::sync::Arc::new(move || {
            alarm.rung.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            alarm.bell.notify();
        }))
    }

    pub(super) fn rung(&self) -> usize {
        self.rung.load(std::sync::atomic::Ordering::Relaxed)
    }
}
