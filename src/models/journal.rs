//! The journal: what happened to rooms, each once, in an order that makes sense, told one at a time.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc as StdArc, Mutex as StdMutex};

use loom::thread;

use super::{all, explore};
use crate::config::Config;
use crate::error::Refusal;
use crate::index::add_handle;
use crate::journal::RoomEvent;
use crate::name::RoomName;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::state::{EngineCore, Hooks, NamespaceCore, RoomRef, SocketCore};
use crate::sync::{Arc, Mutex};

type Events = StdArc<StdMutex<Vec<RoomEvent>>>;

/// Hooks that write down what they are told, and never at the same time.
struct Listener {
    events: Events,
    /// Held while they are told, which is where loom switches.
    at_work: Mutex<()>,
    /// How often they were told while they were being told. A panic would end there.
    at_once: StdArc<AtomicUsize>,
}

impl Hooks for Listener {
    fn admit(&self, _: &Arc<SocketCore>, _: &RoomName) -> Result<(), Refusal> {
        Ok(())
    }

    fn opening(&self, _: &Arc<SocketCore>) {}

    fn opened(&self, _: &Arc<SocketCore>) {}

    fn closed(&self, socket: &Arc<SocketCore>, _: &DisconnectReason) {
        socket.end_rooms();
        NamespaceCore::tell_rooms(&socket.namespace);
        socket.end_leaving();
        NamespaceCore::vacate(&socket.namespace);
    }

    fn dismissed(&self, _: &Arc<SocketCore>) {}

    fn room_event(&self, _: &Arc<NamespaceCore>, event: RoomEvent) {
        let one = self.at_work.try_lock();
        self.at_once.fetch_add(usize::from(one.is_none()), Ordering::Relaxed);
        self.events.lock().unwrap().push(event);
    }

    fn vacant(&self, _: &Arc<NamespaceCore>) {}

    fn retire(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Stage {
    namespace: Arc<NamespaceCore>,
    events: Events,
    at_once: StdArc<AtomicUsize>,
}

impl Stage {
    fn new() -> Self {
        let engine = Arc::new(EngineCore::new(Config::default()));
        let namespace = Arc::new(NamespaceCore::new("/", engine, 1));
        let events = Events::default();
        let at_once = StdArc::<AtomicUsize>::default();
        let (at_work, counter) = (Mutex::new(()), StdArc::clone(&at_once));
        let listener = Listener { events: StdArc::clone(&events), at_work, at_once: counter };
        assert!(namespace.hooks.set(Box::new(listener)).is_ok());
        namespace.order.journal().watch();
        Self { namespace, events, at_once }
    }

    fn connect(&self) -> Arc<SocketCore> {
        NamespaceCore::connect(&self.namespace)
    }

    /// Closes the namespace; then all rooms are gone, and everything is told.
    fn close(self) {
        self.namespace.close(&DisconnectReason::Shutdown);
        let (counts, rooms) = self.check();
        assert!(rooms.is_empty());
        assert_eq!((counts.created, counts.joined), (counts.deleted, counts.left));
    }

    /// Checks what was told so far: of each room that it was created, that sockets came and went, and that it
    /// was deleted with the last. Returns how many of each kind there were, and who is in which room.
    fn check(&self) -> (Counts, BTreeMap<RoomName, Vec<SocketId>>) {
        assert_eq!(self.at_once.load(Ordering::Relaxed), 0, "one at a time");
        let mut counts = Counts::default();
        let mut rooms = BTreeMap::<RoomName, Vec<SocketId>>::new();
        let mut new = Vec::new();
        for event in &*self.events.lock().unwrap() {
            let is_first = new.iter().position(|room| room == event.room()).map(|place| new.remove(place));
            let is_joined = matches!(event, RoomEvent::Joined(..));
            assert!(is_first.is_none() || is_joined, "a room is created by a join: {event:?}");
            match event {
                RoomEvent::Created(room) => {
                    counts.created += 1;
                    assert!(rooms.insert(room.clone(), Vec::new()).is_none(), "is there already");
                    new.push(room.clone());
                }
                RoomEvent::Joined(room, socket) => {
                    counts.joined += 1;
                    let members = rooms.get_mut(room).expect("was created");
                    assert!(!members.contains(socket), "joins and leaves take turns");
                    members.push(*socket);
                }
                RoomEvent::Left(room, socket) => {
                    counts.left += 1;
                    let members = rooms.get_mut(room).expect("was created");
                    let place = members.iter().position(|member| member == socket);
                    members.remove(place.expect("joins and leaves take turns"));
                }
                RoomEvent::Deleted(room) => {
                    counts.deleted += 1;
                    assert_eq!(rooms.remove(room), Some(vec![]), "with the last");
                }
            }
        }
        (counts, rooms)
    }

    fn was_told(&self, event: &RoomEvent) -> bool {
        self.events.lock().unwrap().contains(event)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    created: usize,
    joined: usize,
    left: usize,
    deleted: usize,
}

fn join(socket: &Arc<SocketCore>, room: u32) {
    assert_eq!(SocketCore::join(socket, &[RoomRef::Name(&room.into())]), Ok(1));
}

fn leave(socket: &SocketCore, room: u32) {
    assert_eq!(socket.leave(&[RoomRef::Name(&room.into())]), Ok(1));
}

#[test]
fn a_room_is_created_by_the_first_and_deleted_by_the_last() {
    let outcomes = explore("two joins and leaves, watched", 1000, || {
        let stage = Stage::new();
        let [one, two] = [(); 2].map(|()| stage.connect());
        let other = thread::spawn(move || {
            join(&two, 1);
            leave(&two, 1);
        });
        join(&one, 1);
        // Told, or being told by the other thread.
        let was_told = stage.was_told(&RoomEvent::Joined(1.into(), one.id()));
        leave(&one, 1);
        other.join().unwrap();
        let (counts, rooms) = stage.check();
        assert!(rooms.is_empty(), "all is told at the end: {rooms:?}");
        assert_eq!((counts.joined, counts.left), (2, 2));
        assert_eq!(counts.created, counts.deleted);
        stage.close();
        (counts.created, was_told)
    });
    assert_eq!(outcomes, all([(1, false), (1, true), (2, false), (2, true)]));
}

#[test]
fn a_room_that_is_joined_by_handle_is_created_first() {
    let outcomes = explore("two joins and leaves by handle, watched", 500, || {
        let stage = Stage::new();
        let room = stage.namespace.pin_room(&1.into(), |topic| {
            add_handle(topic);
            Arc::clone(topic)
        });
        let room = room.unwrap();
        let [one, two] = [(); 2].map(|()| stage.connect());
        let other = thread::spawn({
            let room = Arc::clone(&room);
            move || {
                assert_eq!(SocketCore::join(&two, &[RoomRef::Topic(&room)]), Ok(1));
                assert_eq!(two.leave(&[RoomRef::Topic(&room)]), Ok(1));
            }
        });
        assert_eq!(SocketCore::join(&one, &[RoomRef::Topic(&room)]), Ok(1));
        assert_eq!(one.leave(&[RoomRef::Topic(&room)]), Ok(1));
        other.join().unwrap();
        let (counts, _) = stage.check();
        stage.close();
        counts.created
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn who_is_alone_is_told_at_once() {
    let outcomes = explore("a join and leave, watched, against a join elsewhere", 100, || {
        let stage = Stage::new();
        let [one, two] = [(); 2].map(|()| stage.connect());
        let (first, second) = (two.id(), one.id());
        let other = thread::spawn(move || {
            join(&two, 2);
            two
        });
        join(&one, 1);
        let was_told = stage.was_told(&RoomEvent::Joined(1.into(), second));
        let two = other.join().unwrap();
        assert!(stage.was_told(&RoomEvent::Joined(2.into(), first)));
        SocketCore::set_rooms(&one, &[RoomRef::Name(&2.into())]).unwrap();
        SocketCore::disconnect(&two, DisconnectReason::Client);
        let (counts, rooms) = stage.check();
        assert_eq!(counts, Counts { created: 2, joined: 3, left: 2, deleted: 1 });
        assert_eq!(rooms.into_iter().collect::<Vec<_>>(), [(2.into(), vec![second])]);
        stage.close();
        was_told
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn a_disconnect_is_told_as_leaves() {
    let outcomes = explore("disconnect against a join, watched", 1000, || {
        let stage = Stage::new();
        let [one, two] = [(); 2].map(|()| stage.connect());
        [1, 2].into_iter().for_each(|room| join(&one, room));
        let stays = two.id();
        let other = thread::spawn(move || {
            join(&two, 2);
            join(&two, 1);
        });
        assert!(SocketCore::disconnect(&one, DisconnectReason::Client));
        other.join().unwrap();
        let (counts, rooms) = stage.check();
        assert_eq!((counts.joined, counts.left), (4, 2));
        assert_eq!(rooms, BTreeMap::from([1, 2].map(|room| (room.into(), vec![stays]))));
        stage.close();
        (counts.created, counts.deleted)
    });
    // Each of the rooms is never without members, or goes and comes back.
    assert_eq!(outcomes, all([(2, 0), (3, 1), (4, 2)]));
}

#[test]
fn a_socket_joins_and_leaves_in_turns() {
    let outcomes = explore("join against leave and disconnect of one socket, watched", 100, || {
        let stage = Stage::new();
        let socket = stage.connect();
        join(&socket, 1);
        let other = thread::spawn({
            let socket = Arc::clone(&socket);
            move || SocketCore::join(&socket, &[RoomRef::Name(&1.into())]).unwrap_or_default()
        });
        leave(&socket, 1);
        SocketCore::disconnect(&socket, DisconnectReason::Server);
        let joined = other.join().unwrap();
        let (counts, rooms) = stage.check();
        assert!(rooms.is_empty());
        let times = joined + 1;
        assert_eq!(counts, Counts { created: times, joined: times, left: times, deleted: times });
        joined
    });
    assert_eq!(outcomes, all([0, 1]));
}
