//! Sessions through the public handles: who loses one, parks its stream, claims it, lets it expire.

use std::sync::{Arc as StdArc, Mutex as StdMutex};
use std::time::Duration;

use loom::thread;

use super::{all, explore_within};
use crate::{
    ClientPacket, Connection, DisconnectReason, Engine, Outbox, Payload, Recovery, Resumption, ServerPacket,
    SessionKey,
};

/// For how long sessions are kept.
const KEEP: Duration = Duration::from_secs(1);

/// An engine that keeps so many sessions, and writes down what becomes of its sockets.
struct Stage {
    engine: Engine,
    told: StdArc<StdMutex<Vec<&'static str>>>,
}

impl Stage {
    fn new(sessions: usize) -> Self {
        let keys = StdMutex::new(0);
        let recovery = Recovery::new(KEEP).sessions(sessions).unwrap().keys(move || {
            let mut key = keys.lock().unwrap();
            *key += 1;
            SessionKey::from_bits(*key)
        });
        let engine = Engine::builder().shards(1).unwrap().no_connect_timeout().recovery(recovery).build();
        let told = StdArc::<StdMutex<Vec<_>>>::default();
        let tell = |what| {
            let told = StdArc::clone(&told);
            move || told.lock().unwrap().push(what)
        };
        let world = engine.of("/").unwrap();
        let [away, resume, gone] = ["away", "resume", "gone"].map(tell);
        world.on_away(move |_, _| away());
        world.on_resume(move |_| resume());
        world.on_disconnect(move |_, _| gone());
        Self { engine, told }
    }

    /// A client that has seen that it is connected, and its key.
    fn connect(&self) -> (Connection, Outbox, SessionKey) {
        let (connection, mut outbox) = self.engine.connect(());
        connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() }).unwrap();
        let mut key = None;
        outbox.drain(|packet| match packet {
            ServerPacket::Connect { session, .. } => key = session,
            other => panic!("{other:?}"),
        });
        (connection, outbox, key.expect("sessions are kept"))
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }

    /// Sees to it that nothing is left.
    fn end(self) {
        let directory = StdArc::clone(self.engine.directory());
        self.engine.close();
        let stats = self.engine.stats();
        assert_eq!((stats.connections, stats.sessions, stats.away, stats.total.sockets), (0, 0, 0, 0));
        assert_eq!(directory.core.clock.len(), 0);
    }
}

fn resume(engine: &Engine, session: SessionKey) -> (Connection, Outbox) {
    let (connection, outbox) = engine.connect(());
    let auth = Payload::default();
    connection.receive(ClientPacket::Resume { namespace: "/", auth, session, seen: None }).unwrap();
    (connection, outbox)
}

/// What became of it, and how many messages were sent.
fn drain(outbox: &mut Outbox) -> (Option<Resumption>, usize) {
    let (mut how, mut messages) = (None, 0);
    outbox.drain(|packet| match packet {
        ServerPacket::Connect { resumption, .. } => how = Some(resumption),
        ServerPacket::Event { .. } => messages += 1,
        ServerPacket::Disconnect { .. } => {}
        other => panic!("{other:?}"),
    });
    (how, messages)
}

#[test]
fn whoever_closes_a_connection_and_whoever_drops_its_outbox_agree() {
    explore_within(2, "a lost connection against its dropped outbox", 10, || {
        let stage = Stage::new(1);
        let (connection, outbox, key) = stage.connect();
        stage.engine.of("/").unwrap().emit("event", ()).unwrap();
        let closer = thread::spawn(move || connection.close(DisconnectReason::Timeout));
        drop(outbox);
        closer.join().unwrap();
        assert_eq!(stage.engine.stats().away, 1);
        let (_connection, mut outbox) = resume(&stage.engine, key);
        assert_eq!(drain(&mut outbox), (Some(Resumption::Recovered), 1));
        assert_eq!(stage.told(), ["away", "resume"]);
        stage.end();
    });
}

#[test]
fn a_session_is_taken_from_a_connection_that_is_being_lost() {
    let outcomes = explore_within(2, "resume against the loss of the connection", 10, || {
        let stage = Stage::new(1);
        let (connection, outbox, key) = stage.connect();
        let world = stage.engine.of("/").unwrap();
        let loser = thread::spawn(move || {
            drop((connection, outbox));
        });
        let (_connection, mut outbox) = resume(&stage.engine, key);
        world.emit("event", ()).unwrap();
        let early = drain(&mut outbox);
        loser.join().unwrap();
        let late = drain(&mut outbox);
        assert_eq!(early.0.or(late.0), Some(Resumption::Recovered));
        assert_eq!(early.1 + late.1, 1);
        assert_eq!(stage.told(), ["away", "resume"]);
        stage.end();
        early.0.is_some()
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn a_session_is_resumed_or_expires() {
    let outcomes = explore_within(2, "resume against the end of the time", 10, || {
        let stage = Stage::new(1);
        let (connection, outbox, key) = stage.connect();
        drop((connection, outbox));
        let ticker = thread::spawn({
            let engine = stage.engine.clone();
            move || engine.tick(KEEP)
        });
        let (_connection, mut outbox) = resume(&stage.engine, key);
        ticker.join().unwrap();
        let (how, _) = drain(&mut outbox);
        let how = how.expect("it is let in, one way or the other");
        assert_eq!(stage.engine.stats().total.sockets, 1);
        let told = stage.told();
        let expected: &[_] = if how.is_recovered() { &["away", "resume"] } else { &["away", "gone"] };
        assert_eq!(told, expected);
        stage.end();
        how.is_recovered()
    });
    assert_eq!(outcomes, all([false, true]));
}

#[test]
fn of_two_who_want_a_session_one_has_it_in_the_end() {
    let outcomes = explore_within(2, "resume against resume", 10, || {
        let stage = Stage::new(1);
        let (connection, outbox, key) = stage.connect();
        drop((connection, outbox));
        stage.engine.of("/").unwrap().emit("event", ()).unwrap();
        let other = thread::spawn({
            let engine = stage.engine.clone();
            move || resume(&engine, key)
        });
        let (_one, mut first) = resume(&stage.engine, key);
        let (_two, mut second) = other.join().unwrap();
        // Whoever was first may have to let go of it for the other.
        let mut got = [drain(&mut first), drain(&mut second)];
        for (seen, outbox) in got.iter_mut().zip([&mut first, &mut second]) {
            let more = drain(outbox);
            *seen = (seen.0.or(more.0), seen.1 + more.1);
        }
        let closed = [first.closed().is_some(), second.closed().is_some()];
        assert!(closed != [true, true], "{got:?}");
        let has_it: Vec<_> =
            (0..2).filter(|place| got[*place].0 == Some(Resumption::Recovered) && !closed[*place]).collect();
        assert_eq!(has_it.len(), 1, "{got:?} {closed:?}");
        assert_eq!(got[has_it[0]].1, 1, "{got:?}");
        stage.end();
        has_it[0]
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn a_session_that_is_ended_is_not_resumed() {
    let outcomes = explore_within(2, "resume against disconnect", 10, || {
        let stage = Stage::new(1);
        let (connection, outbox, key) = stage.connect();
        let socket = connection.socket("/").unwrap();
        drop((connection, outbox));
        let ender = thread::spawn({
            let socket = socket.clone();
            move || assert!(socket.disconnect(DisconnectReason::Server))
        });
        let (_connection, mut outbox) = resume(&stage.engine, key);
        ender.join().unwrap();
        assert!(!socket.is_connected() && !socket.is_away());
        let (how, _) = drain(&mut outbox);
        let told = stage.told();
        assert_eq!((told[0], told.last()), ("away", Some(&"gone")));
        drop(socket);
        stage.end();
        (how, told.len())
    });
    let (late, same) = (Some(Resumption::TooLate), Some(Resumption::Recovered));
    assert!(outcomes.contains(&(late, 2)) && outcomes.contains(&(same, 3)), "{outcomes:?}");
    assert!(outcomes.iter().all(|(how, _)| how.is_some()), "{outcomes:?}");
}

#[test]
fn no_more_are_kept_than_may_be() {
    explore_within(2, "two connections lost at once", 10, || {
        let stage = Stage::new(1);
        let [one, two] = [stage.connect(), stage.connect()];
        let loser = thread::spawn(move || drop((one.0, one.1)));
        drop((two.0, two.1));
        loser.join().unwrap();
        let stats = stage.engine.stats();
        assert_eq!((stats.away, stats.sessions, stats.expired_sessions), (1, 1, 1));
        stage.end();
    });
}
