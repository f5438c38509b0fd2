//! A socket's life, and what the layers above are told of it: in one order, each once, whoever ends it.

use std::any::Any;
use std::sync::{Arc as StdArc, Mutex as StdMutex};

use loom::thread;

use super::{Token, all, explore, explore_within};
use crate::config::Config;
use crate::entry::Entry;
use crate::error::{MembershipError, Refusal};
use crate::inbox::Inbox;
use crate::journal::RoomEvent;
use crate::name::RoomName;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::socket::Socket;
use crate::state::{EngineCore, Hooks, NamespaceCore, RoomRef, SocketCore};
use crate::sync::Arc;

/// What a namespace's hooks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Opening,
    Opened,
    Closed,
    Vacant,
    Retired,
}

/// Hooks that write down what they are told, and check that it is so.
#[derive(Default)]
struct Witness(StdArc<StdMutex<Vec<Told>>>);

impl Witness {
    fn note(&self, told: Told) {
        self.0.lock().unwrap().push(told);
    }
}

impl Hooks for Witness {
    fn admit(&self, _: &Arc<SocketCore>, _: &RoomName) -> Result<(), Refusal> {
        Ok(())
    }

    fn opening(&self, _: &Arc<SocketCore>) {
        self.note(Told::Opening);
    }

    fn opened(&self, _: &Arc<SocketCore>) {
        self.note(Told::Opened);
    }

    fn closed(&self, socket: &Arc<SocketCore>, reason: &DisconnectReason) {
        self.note(Told::Closed);
        assert_eq!(socket.closed().as_ref(), Some(reason));
        assert!(!socket.is_open() && socket.check_speaks().is_ok());
        assert!(socket.namespace.socket(socket.id()).is_err());
        let rooms = socket.rooms();
        assert_eq!(rooms.len(), socket.room_count());
        for room in &rooms {
            assert!(socket.is_in_room(room), "visible until it has said good-bye");
            let members = socket.namespace.rooms.get(room).map(|room| room.members());
            assert!(members.is_none_or(|members| !members.contains(&socket.id())), "and left all the same");
        }
        socket.end_rooms();
        assert!(socket.check_speaks().is_ok() && socket.rooms().is_empty());
        socket.end_leaving();
        assert!(socket.check_speaks().is_err());
        assert!(socket.namespace.is_occupied());
        NamespaceCore::vacate(&socket.namespace);
    }

    fn dismissed(&self, _: &Arc<SocketCore>) {}

    fn room_event(&self, _: &Arc<NamespaceCore>, _: RoomEvent) {}

    fn vacant(&self, _: &Arc<NamespaceCore>) {
        self.note(Told::Vacant);
    }

    fn retire(&self) {
        self.note(Told::Retired);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A namespace with a witness.
struct Stage {
    namespace: Arc<NamespaceCore>,
    told: StdArc<StdMutex<Vec<Told>>>,
}

impl Stage {
    fn new() -> Self {
        let engine = Arc::new(EngineCore::new(Config::default()));
        let namespace = Arc::new(NamespaceCore::new("/", engine, 1));
        let witness = Witness::default();
        let told = StdArc::clone(&witness.0);
        assert!(namespace.hooks.set(Box::new(witness)).is_ok());
        Self { namespace, told }
    }

    /// A socket that is connecting, and in a room already.
    fn begin(&self) -> Arc<SocketCore> {
        let socket = NamespaceCore::begin(&self.namespace).unwrap();
        assert_eq!(join(&socket, "room"), Ok(1));
        socket
    }

    /// An open socket in a room.
    fn connect(&self) -> Arc<SocketCore> {
        let socket = self.begin();
        assert!(SocketCore::open(&socket));
        SocketCore::opened(&socket);
        self.told.lock().unwrap().clear();
        socket
    }

    /// Nobody is here, and nothing is left of those who were.
    fn assert_empty(&self) {
        let Self { namespace, .. } = self;
        assert!(!namespace.is_occupied());
        assert_eq!((namespace.everyone.len(), namespace.engine.socket_count()), (0, 0));
        assert!(namespace.rooms.all().is_empty());
    }

    /// What was told, of the socket and of the namespace.
    fn told(&self) -> (Vec<Told>, Vec<Told>) {
        let told = self.told.lock().unwrap().clone();
        told.into_iter().partition(|told| *told < Told::Vacant)
    }
}

fn join(socket: &Arc<SocketCore>, room: &str) -> Result<usize, MembershipError> {
    SocketCore::join(socket, &[RoomRef::Name(&room.into())])
}

fn open(socket: &Arc<SocketCore>) -> bool {
    let is_open = SocketCore::open(socket);
    SocketCore::opened(socket);
    is_open
}

#[test]
fn a_socket_that_is_disconnected_while_it_opens() {
    let outcomes = explore("open against disconnect", 12, || {
        let stage = Stage::new();
        let socket = stage.begin();
        let opener = thread::spawn({
            let socket = Arc::clone(&socket);
            move || open(&socket)
        });
        assert!(SocketCore::disconnect(&socket, DisconnectReason::Server));
        let was_open = opener.join().unwrap();
        stage.assert_empty();
        assert_eq!((socket.is_open(), socket.closed()), (false, Some(DisconnectReason::Server)));
        let (of_socket, of_namespace) = stage.told();
        assert_eq!(of_namespace, [Told::Vacant]);
        assert!(!was_open || of_socket.contains(&Told::Closed), "who was open says good-bye");
        (was_open, of_socket)
    });
    use Told::{Closed, Opened, Opening};
    let never = vec![Opening, Opened];
    let [early, late] = [vec![Opening, Closed, Opened], vec![Opening, Opened, Closed]];
    let either = [early, late].into_iter().flat_map(|told| [(false, told.clone()), (true, told)]);
    assert_eq!(outcomes, all(either.chain([(false, never)])));
}

#[test]
fn a_socket_whose_namespace_closes_while_it_opens() {
    let outcomes = explore("open against the close of the namespace", 250, || {
        let stage = Stage::new();
        let socket = stage.begin();
        let closer = thread::spawn({
            let namespace = Arc::clone(&stage.namespace);
            move || namespace.close(&DisconnectReason::Shutdown)
        });
        let was_open = open(&socket);
        closer.join().unwrap();
        stage.assert_empty();
        assert_eq!(socket.closed(), Some(DisconnectReason::Shutdown));
        let (of_socket, of_namespace) = stage.told();
        assert!(of_namespace.contains(&Told::Retired), "{of_namespace:?}");
        (was_open, of_socket)
    });
    use Told::{Closed, Opened, Opening};
    let lives = [(false, vec![Opening, Closed, Opened]), (true, vec![Opening, Opened, Closed])];
    assert!(outcomes.is_superset(&all(lives)), "{outcomes:?}");
    // One that comes after the close, or is found while it connects, was never there.
    let was_there = |told: &[_]| told[0] == Opening && told.len() == 3;
    let is_whole = |told: &[_]| was_there(told) || told == [Opened] || told == [Opening, Opened];
    assert!(outcomes.iter().all(|(_, told)| is_whole(told)), "{outcomes:?}");
}

#[test]
fn a_socket_that_is_disconnected_twice_while_it_opens() {
    let outcomes = explore_within(2, "open against two disconnects", 70, || {
        let stage = Stage::new();
        let socket = stage.begin();
        let opener = thread::spawn({
            let socket = Arc::clone(&socket);
            move || _ = open(&socket)
        });
        let other = thread::spawn({
            let socket = Arc::clone(&socket);
            move || SocketCore::disconnect(&socket, DisconnectReason::Client)
        });
        let mine = SocketCore::disconnect(&socket, DisconnectReason::Server);
        let its = other.join().unwrap();
        opener.join().unwrap();
        assert!(mine != its, "one has done it");
        let reason = if mine { DisconnectReason::Server } else { DisconnectReason::Client };
        assert_eq!(socket.closed(), Some(reason));
        stage.assert_empty();
        let (of_socket, of_namespace) = stage.told();
        assert_eq!(of_namespace, [Told::Vacant]);
        (mine, of_socket)
    });
    use Told::{Closed, Opened, Opening};
    let lives = [vec![Opening, Opened], vec![Opening, Closed, Opened], vec![Opening, Opened, Closed]];
    assert_eq!(outcomes, all(lives.into_iter().flat_map(|life| [(false, life.clone()), (true, life)])));
}

#[test]
fn the_last_to_go_retires_a_closed_namespace() {
    let outcomes = explore("disconnect against the close of the namespace", 100, || {
        let stage = Stage::new();
        let socket = stage.connect();
        let closer = thread::spawn({
            let namespace = Arc::clone(&stage.namespace);
            move || namespace.close(&DisconnectReason::Shutdown)
        });
        let mine = SocketCore::disconnect(&socket, DisconnectReason::Server);
        closer.join().unwrap();
        stage.assert_empty();
        let (of_socket, of_namespace) = stage.told();
        assert_eq!(of_socket, [Told::Closed]);
        assert!(of_namespace.contains(&Told::Retired), "{of_namespace:?}");
        // It may go before the namespace is closed.
        let vacant = of_namespace.iter().filter(|told| **told == Told::Vacant).count();
        (mine, vacant)
    });
    assert_eq!(outcomes, all([(false, 0), (true, 0), (true, 1)]));
}

#[test]
fn a_join_while_connecting_is_undone_with_the_socket() {
    let outcomes = explore("join while connecting against disconnect", 20, || {
        let stage = Stage::new();
        let socket = stage.begin();
        let joiner = thread::spawn({
            let socket = Arc::clone(&socket);
            move || join(&socket, "other")
        });
        assert!(SocketCore::disconnect(&socket, DisconnectReason::Rejected));
        let joined = joiner.join().unwrap();
        stage.assert_empty();
        assert_eq!(stage.told(), (vec![], vec![Told::Vacant]));
        assert!(socket.check_speaks().is_err() && socket.rooms().is_empty());
        match joined {
            Ok(count) => count,
            Err(MembershipError::Closed(DisconnectReason::Rejected)) => 0,
            Err(error) => panic!("{error}"),
        }
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn who_joins_while_connecting_misses_nothing() {
    let outcomes = explore("join and open against publish", 100, || {
        let stage = Stage::new();
        let socket = NamespaceCore::begin(&stage.namespace).unwrap();
        let mut inbox = Inbox::new(Socket::new(Arc::clone(&socket)));
        let publisher = thread::spawn({
            let namespace = Arc::clone(&stage.namespace);
            move || {
                let room = namespace.rooms.get(&"room".into());
                let topics = [room.as_ref(), Some(&namespace.everyone)];
                topics.map(|topic| topic.is_some_and(|topic| publish(&namespace, topic)))
            }
        });
        join(&socket, "room").unwrap();
        let early = inbox.drain(|_| {});
        open(&socket);
        let published = publisher.join().unwrap();
        let late = inbox.drain(|_| {});
        assert_eq!(early + late, published.into_iter().filter(|is_published| *is_published).count());
        SocketCore::disconnect(&socket, DisconnectReason::Server);
        (early, published)
    });
    let published = [[false, false], [false, true], [true, false], [true, true]];
    assert_eq!(
        outcomes,
        all(published
            .map(|published| (0, published))
            .into_iter()
            .chain([(1, [true, false]), (1, [true, true]),]))
    );
}

/// Publishes to a topic, and tells whether it had members.
fn publish(namespace: &NamespaceCore, topic: &crate::topic::Topic) -> bool {
    let payload = Payload::from(StdArc::new(Token::new(1)));
    let entry = Entry::All { payload, event: 0, sender: None };
    topic
        .publish(entry, &namespace.order, &mut crate::topic::Victims::new(), crate::tape::Hold::none())
        .is_some()
}

#[test]
fn a_socket_speaks_until_it_has_said_good_bye() {
    let outcomes = explore("look against disconnect", 100, || {
        let stage = Stage::new();
        let socket = stage.connect();
        let closer = thread::spawn({
            let socket = Arc::clone(&socket);
            move || SocketCore::disconnect(&socket, DisconnectReason::Server)
        });
        let speaks = socket.check_speaks().is_ok();
        let is_in = socket.is_in_room(&"room".into());
        let rooms = socket.rooms().len();
        let still_speaks = socket.check_speaks().is_ok();
        let is_open = socket.is_open();
        // Who has fallen silent stays so, and has no rooms; who has no rooms may still speak, but is closed.
        assert!(speaks || (!is_in && rooms == 0 && !still_speaks && !is_open));
        assert!(is_in || rooms == 0);
        assert!(rooms == 1 || !is_open);
        assert!(!is_open || still_speaks);
        assert!(closer.join().unwrap());
        stage.assert_empty();
        (speaks, rooms, still_speaks, is_open)
    });
    assert_eq!(
        outcomes,
        all([
            (true, 1, true, true),
            (true, 1, true, false),
            (true, 1, false, false),
            (true, 0, true, false),
            (true, 0, false, false),
            (false, 0, false, false),
        ])
    );
}
