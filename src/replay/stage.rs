//! The engine of a replay, and the doing of one input after the other.
//!
//! What was decided once is not decided again: nobody is disconnected for a backlog, refused or timed out but by an
//! input that says so, and the engine here has no limit, handler or hook that could.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc as Std;
use std::time::Duration;

use smallvec::SmallVec;

use super::values::{DecodeValue, payload};
use crate::delivery::Delivery;
use crate::engine::Engine;
use crate::entry::{Audience, Entry, NAMED};
use crate::event::EventId;
use crate::inbox::Inbox;
use crate::mailbox::Wake;
use crate::name::RoomName;
use crate::room::Room;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::{NamespaceCore, RoomRef, SocketCore};
use crate::sync::Arc;
use crate::tape::wire::{Frame, Id, Limits, More, Named, Published, Reach, Read, Wire};
use crate::tape::{Hold, Step};
use crate::terms::{Latest, Lifetime, Terms};
use crate::topic::{Kind, Topic, Victims};

pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) decode: Option<DecodeValue>,
    /// Whether inboxes are read as they were.
    pub(super) reads: bool,
    namespaces: HashMap<u64, Arc<NamespaceCore>>,
    spots: HashMap<u64, Spot>,
    players: HashMap<SocketId, Player>,
    events: HashMap<u32, EventId>,
}

/// Something that messages go to.
pub(super) struct Spot {
    pub(super) namespace: Arc<NamespaceCore>,
    pub(super) topic: Arc<Topic>,
    /// Keeps a room that has a name for as long as it was there.
    room: Option<Room>,
    /// The socket, if it is one's own.
    pub(super) owner: Option<SocketId>,
}

struct Player {
    core: Arc<SocketCore>,
    inbox: Option<Inbox>,
    is_open: bool,
    /// The number of what is sent to it alone.
    direct: Option<u64>,
    /// Whether its inbox was dropped, and is here for somebody else to read.
    is_left: bool,
}

/// What is wrong with an input.
#[derive(Debug)]
pub(super) enum Problem {
    Invalid(&'static str),
    Diverged(String),
}

type Done = Result<(), Problem>;

impl Stage {
    /// A stage on which nothing has happened, with this number for all sockets of `/`.
    pub(super) fn new(engine: Engine, root: u64, reads: bool) -> Self {
        let mut stage = Self {
            engine,
            decode: None,
            reads,
            namespaces: HashMap::new(),
            spots: HashMap::new(),
            players: HashMap::new(),
            events: HashMap::new(),
        };
        let core = stage.engine.get("/").map(|namespace| Arc::clone(namespace.core()));
        stage.add_namespace(root, core.expect("an engine has it"));
        stage
    }

    pub(super) fn inbox(&mut self, socket: SocketId) -> Option<&mut Inbox> {
        self.players.get_mut(&socket)?.inbox.as_mut()
    }

    pub(super) fn path(&self, number: u64) -> Option<&str> {
        self.namespaces.get(&number).map(|namespace| &*namespace.path)
    }

    pub(super) fn spot(&self, number: u64) -> Option<&Spot> {
        self.spots.get(&number)
    }

    pub(super) fn event(&self, number: u32) -> Option<&str> {
        match self.events.get(&number)? {
            EventId::Listed(number) => Some(self.engine.directory().core.events.name(*number)),
            EventId::Unlisted(name) => Some(name),
        }
    }

    /// Does what was recorded. What is read is handed to `see`.
    pub(super) fn apply(&mut self, wire: &Wire<'_>, see: &mut impl FnMut(SocketId, Delivery<'_>)) -> Done {
        match wire {
            Wire::Namespace { path, topic } => self.make_namespace(path, *topic),
            Wire::NamespaceGone { topic } => {
                let path = self.namespace(*topic)?.path.clone();
                self.engine.directory().detach(&path);
                Ok(())
            }
            Wire::Room { namespace, topic, name, backlog, is_aside } => {
                let name = name.get().ok_or(Problem::Invalid("a room has no name"))?;
                self.make_room(*namespace, *topic, &name, *backlog, *is_aside)
            }
            Wire::Direct { socket, topic, since, backlog } => {
                self.make_direct(*socket, *topic, *since, *backlog)
            }
            Wire::RoomGone { topic } => {
                let gone = self.spots.remove(topic);
                gone.map(drop).ok_or(Problem::Invalid("a room goes that is not there"))
            }
            Wire::Connecting { namespace, socket } => self.connect(*namespace, *socket),
            Wire::Opened { socket, since } => self.open(*socket, *since),
            Wire::Joined { socket, topic, since, past } => self.join(*socket, *topic, *since, *past),
            Wire::Left { socket, topic } => self.leave(*socket, *topic),
            Wire::Disconnected { socket, at, reason } => {
                let player = self.player(*socket)?;
                check_order(&player.core.namespace, *at)?;
                let direct = player.direct;
                let is_new = SocketCore::disconnect(&player.core, reason.into());
                direct.inspect(|number| _ = self.spots.remove(number));
                if is_new { Ok(()) } else { Err(Problem::Diverged("it was disconnected before".into())) }
            }
            Wire::InboxDropped { socket } => {
                let id = id(*socket)?;
                if self.reads {
                    self.players.remove(&id);
                } else {
                    self.player(*socket)?.is_left = true;
                }
                Ok(())
            }
            Wire::Event { number, name } => {
                if name.is_empty() {
                    return Err(Problem::Invalid("an event has no name"));
                }
                let id = self.engine.directory().core.events.number(name);
                self.events.insert(*number, id);
                Ok(())
            }
            Wire::Published(published) => self.publish(published),
            Wire::SetBacklog { topic, backlog } => {
                let backlog = limits(*backlog)?;
                let spot = self.known(*topic)?;
                spot.topic.set_backlog(&spot.namespace.order, &backlog);
                Ok(())
            }
            Wire::SetHistory { topic, history } => {
                let history = match history {
                    Some(keeps) => Some(keeps.get().ok_or(Problem::Invalid("a history has no such size"))?),
                    None => None,
                };
                let spot = self.known(*topic)?;
                let NamespaceCore { order, engine, .. } = &*spot.namespace;
                drop(spot.topic.set_history(history, order, engine.clock.shared_now()));
                Ok(())
            }
            Wire::Tick { now } => {
                self.tick(*now);
                Ok(())
            }
            Wire::Read(read) if self.reads => self.read(*read, see),
            Wire::Slept { socket } if self.reads => {
                let player = self.player(*socket)?;
                let inbox = player.inbox.as_mut().ok_or(Problem::Invalid("an inbox is read that is gone"))?;
                let _ = inbox.sleep(Wake::Callback(Std::new(|| {})));
                Ok(())
            }
            Wire::Read(_) | Wire::Slept { .. } => Ok(()),
        }
    }

    fn make_namespace(&mut self, path: &str, number: u64) -> Done {
        let bad = |_| Problem::Invalid("a namespace has no such path");
        let namespace = self.engine.of(path).map_err(bad)?;
        self.add_namespace(number, Arc::clone(namespace.core()));
        Ok(())
    }

    fn add_namespace(&mut self, number: u64, core: Arc<NamespaceCore>) {
        let topic = Arc::clone(&core.everyone);
        let spot = Spot { namespace: Arc::clone(&core), topic, room: None, owner: None };
        self.spots.insert(number, spot);
        self.namespaces.insert(number, core);
    }

    fn make_room(
        &mut self,
        namespace: u64,
        number: u64,
        name: &RoomName,
        backlog: Limits,
        is_aside: bool,
    ) -> Done {
        let namespace = Arc::clone(self.namespace(namespace)?);
        namespace.assume_backlog(limits(backlog)?);
        let (topic, room) = if is_aside {
            (namespace.aside(name), None)
        } else {
            if namespace.rooms.get(name).is_some() {
                return Err(Problem::Invalid("a room is made that is there"));
            }
            let bad = |_| Problem::Invalid("a room has no such name");
            let room = Room::new(&namespace, name).map_err(bad)?;
            (Arc::clone(room.topic()), Some(room))
        };
        self.spots.insert(number, Spot { namespace, topic, room, owner: None });
        Ok(())
    }

    fn make_direct(&mut self, socket: Id, number: u64, since: u64, backlog: Limits) -> Done {
        let backlog = limits(backlog)?;
        let player = self.player(socket)?;
        if player.direct.is_some() {
            return Err(Problem::Invalid("what is sent to a socket alone begins twice"));
        }
        let namespace = Arc::clone(&player.core.namespace);
        check_order(&namespace, since)?;
        namespace.assume_backlog(backlog);
        let bad = |_| Problem::Invalid("something is sent to a socket that is closed");
        let topic = Arc::clone(player.core.direct().map_err(bad)?);
        player.direct = Some(number);
        self.spots.insert(number, Spot { namespace, topic, room: None, owner: Some(id(socket)?) });
        Ok(())
    }

    fn connect(&mut self, namespace: u64, socket: Id) -> Done {
        let (namespace, expected) = (self.namespace(namespace)?, id(socket)?);
        let core = NamespaceCore::make_socket(namespace, true);
        let inbox = Inbox::new(Socket::new(Arc::clone(&core)));
        if core.id() != expected {
            return Err(Problem::Diverged(format!("a socket has the id {} and not {expected}", core.id())));
        }
        let player = Player { core, inbox: Some(inbox), is_open: false, direct: None, is_left: false };
        self.players.insert(expected, player);
        Ok(())
    }

    fn open(&mut self, socket: Id, since: u64) -> Done {
        let player = self.player(socket)?;
        if player.is_open {
            return Err(Problem::Invalid("a socket is let in twice"));
        }
        check_order(&player.core.namespace, since)?;
        player.is_open = SocketCore::open(&player.core);
        if player.is_open { Ok(()) } else { Err(Problem::Invalid("a socket is let in that is closed")) }
    }

    fn join(&mut self, socket: Id, topic: u64, since: u64, past: Option<Reach>) -> Done {
        let core = Arc::clone(&self.player(socket)?.core);
        let Spot { namespace, topic, room, .. } = self.known(topic)?;
        if !Arc::ptr_eq(namespace, &core.namespace) {
            return Err(Problem::Invalid("a socket joins a room of another namespace"));
        }
        let joined = match (topic.kind(), room, past) {
            (Kind::Named(name), Some(_), Some(past)) => {
                let joined = SocketCore::join_with(&core, name, past.into());
                joined.map(|joined| usize::from(joined.is_new()))
            }
            (Kind::Named(_), Some(_), None) => SocketCore::join(&core, &[RoomRef::Topic(topic)]),
            (Kind::Aside(_), ..) => {
                let before = namespace.order.horizon();
                let attached = SocketCore::attach(&core, topic, ());
                attached.map(|()| usize::from(namespace.order.horizon() > before))
            }
            _ => return Err(Problem::Invalid("a socket joins what is no room")),
        };
        match joined {
            Ok(1) => check_order(namespace, since.wrapping_add(1)),
            Ok(_) => Err(Problem::Diverged("it was there before".into())),
            Err(error) => Err(Problem::Diverged(error.to_string())),
        }
    }

    fn leave(&mut self, socket: Id, topic: u64) -> Done {
        let core = Arc::clone(&self.player(socket)?.core);
        let Spot { namespace, topic, .. } = self.known(topic)?;
        let left = match topic.kind() {
            Kind::Named(_) if Arc::ptr_eq(namespace, &core.namespace) => {
                core.leave(&[RoomRef::Topic(topic)]).is_ok_and(|left| left == 1)
            }
            Kind::Aside(_) => {
                let before = namespace.order.horizon();
                core.detach(topic);
                namespace.order.horizon() > before
            }
            _ => return Err(Problem::Invalid("a socket leaves what is no room")),
        };
        if left { Ok(()) } else { Err(Problem::Diverged("it was not there".into())) }
    }

    fn publish(&mut self, published: &Published<'_>) -> Done {
        let namespace = Arc::clone(self.namespace(published.namespace)?);
        check_order(&namespace, published.sequence)?;
        // Of a room that is gone, nobody is left.
        let known: SmallVec<[&Spot; 4]> =
            published.rooms.iter().filter_map(|number| self.spots.get(number)).collect();
        if known.iter().any(|spot| !Arc::ptr_eq(&spot.namespace, &namespace)) {
            return Err(Problem::Invalid("a message is for rooms of another namespace"));
        }
        let mut topics: SmallVec<[&Arc<Topic>; 4]> = known.iter().map(|spot| &spot.topic).collect();
        let entry = self.entry(published, &topics)?;
        if let Some(More { frame: Frame::Question(_), except_rooms, .. }) = published.more.as_deref() {
            // It is for nobody in there, and so is put into none of these.
            let excepted = |topic: &Topic| {
                let is_it =
                    |number| self.spots.get(number).is_some_and(|spot| std::ptr::eq(&*spot.topic, topic));
                except_rooms.iter().any(is_it)
            };
            topics.retain(|topic| !excepted(topic));
        }
        topics.sort_unstable_by_key(|topic| topic.id());
        if topics.windows(2).any(|pair| pair[0].id() == pair[1].id()) {
            return Err(Problem::Invalid("a message is for a room twice"));
        }
        let mut victims = Victims::new(); // who was one, is disconnected next
        let is_out = match &topics[..] {
            [] => {
                namespace.order.next();
                true
            }
            [topic] => topic.publish(entry, &namespace.order, &mut victims, Hold::none()).is_some(),
            topics => {
                let topics = topics.iter().map(|topic| &***topic);
                Topic::publish_all(topics, entry, &namespace.order, &mut victims, Hold::none()).is_some()
            }
        };
        if is_out { Ok(()) } else { Err(Problem::Diverged("nobody is there to get it".into())) }
    }

    /// The message as it lies in the logs of these rooms, which are in the order in which they were named.
    fn entry(&self, published: &Published<'_>, topics: &[&Arc<Topic>]) -> Result<Entry, Problem> {
        let payload = payload(&published.payload, self.decode.as_ref())?;
        let sender = published.sender.map(id).transpose()?;
        let name = match published.event {
            Named::Listed(number) => {
                self.events.get(&number).ok_or(Problem::Invalid("an event has no name"))?.clone()
            }
            Named::Unlisted(name) => EventId::Unlisted(name.into()),
        };
        let excluded = |more: &More<'_>| -> Result<SmallVec<[SocketId; 2]>, Problem> {
            more.except_sockets.iter().map(|socket| id(*socket)).collect()
        };
        let leaves_out = published.leaves_out_sender;
        match (&name, published.more.as_deref(), topics, sender) {
            (&EventId::Listed(event), None, [_], Some(sender)) if leaves_out => {
                return Ok(Entry::NotSender { payload, event, sender });
            }
            (&EventId::Listed(event), None, [_], sender) if !leaves_out => {
                return Ok(Entry::All { payload, event, sender });
            }
            _ => {}
        }
        let nothing = More::default();
        let more = published.more.as_deref().unwrap_or(&nothing);
        let numbers = more.except_rooms.iter();
        let (event, name) = match name {
            EventId::Listed(event) => (event, None),
            EventId::Unlisted(name) => (NAMED, Some(name)),
        };
        let audience = Audience {
            rooms: topics.iter().map(|topic| topic.id()).collect(),
            except_rooms: numbers.filter_map(|number| Some(self.spots.get(number)?.topic.id())).collect(),
            except_sockets: excluded(more)?,
            sender,
            except_sender: leaves_out,
            name,
            frame: more.frame.into(),
            terms: self.terms(more)?,
            ..Audience::default()
        };
        Ok(Entry::Aimed { payload, event, audience: audience.share() })
    }

    fn terms(&self, more: &More<'_>) -> Result<Option<Box<Terms>>, Problem> {
        let More { slack, ends, key, .. } = more;
        if slack.is_none() && ends.is_none() && key.is_none() {
            return Ok(None);
        }
        let now = self.engine.directory().core.clock.shared_now();
        let key = key.as_ref().map(|key| key.get().unwrap_or_else(|| RoomName::from("")));
        Ok(Some(Box::new(Terms {
            slack: *slack,
            lifetime: ends.map(|ends| Lifetime::until(ends, now)),
            latest: key.map(Latest::new),
        })))
    }

    fn tick(&mut self, now: Duration) {
        self.engine.directory().tick(now);
        let is_read = |player: &Player| player.inbox.as_ref().is_none_or(|inbox| inbox.closed().is_some());
        self.players.retain(|_, player| !(player.is_left && is_read(player)));
    }

    fn read(&mut self, read: Read, see: &mut impl FnMut(SocketId, Delivery<'_>)) -> Done {
        let socket = id(read.socket)?;
        let player = self.player(read.socket)?;
        let inbox = player.inbox.as_mut().ok_or(Problem::Invalid("an inbox is read that is gone"))?;
        let order = &player.core.namespace.order;
        let start = |back| Step::Start(Some(order.horizon().saturating_sub(back)));
        let mut step = read.start.map_or(Step::GoOn, start);
        for handed in 0..read.handed {
            if !inbox.step(step) {
                let what = format!("{socket} was handed {} deliveries, and is {handed}", read.handed);
                return Err(Problem::Diverged(what));
            }
            step = Step::GoOn;
            let delivery = inbox.current().expect("a step to a delivery");
            if handed + 1 == read.handed && order.horizon().saturating_sub(delivery.sequence()) != read.behind
            {
                let what = format!("{socket} is handed number {} instead", delivery.sequence());
                return Err(Problem::Diverged(what));
            }
            see(socket, delivery);
        }
        if read.is_over && inbox.step(step) {
            return Err(Problem::Diverged(format!(
                "{socket} was handed {} deliveries, and is more",
                read.handed
            )));
        }
        Ok(())
    }

    fn namespace(&self, number: u64) -> Result<&Arc<NamespaceCore>, Problem> {
        self.namespaces.get(&number).ok_or(Problem::Invalid("there is no such namespace"))
    }

    fn known(&self, number: u64) -> Result<&Spot, Problem> {
        self.spots.get(&number).ok_or(Problem::Invalid("there is no such room"))
    }

    fn player(&mut self, socket: Id) -> Result<&mut Player, Problem> {
        self.players.get_mut(&id(socket)?).ok_or(Problem::Invalid("there is no such socket"))
    }
}

pub(super) fn id(socket: Id) -> Result<SocketId, Problem> {
    socket.get().ok_or(Problem::Invalid("an id is none"))
}

fn limits(limits: Limits) -> Result<crate::config::Backlog, Problem> {
    limits.get().ok_or(Problem::Invalid("a backlog has no such size"))
}

/// Fails unless this is the next place in the order.
fn check_order(namespace: &NamespaceCore, sequence: u64) -> Done {
    let next = namespace.order.horizon();
    if next == sequence {
        return Ok(());
    }
    Err(Problem::Diverged(format!("it is number {next} and not {sequence} of {}", namespace.path)))
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("sockets", &self.players.len()).finish_non_exhaustive()
    }
}
