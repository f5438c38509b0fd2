//! What a subscriber of the `tracing` crate is told: what is rare, and nothing of what is not.

mod common;

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use roomcast::{ClientPacket, DisconnectReason, Engine, Payload, ReceiveError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps each event as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "roomcast"
    }

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                match field.name() {
                    "message" => write!(self.0, " {value:?}:").unwrap(),
                    name => write!(self.0, " {name}={value:?}").unwrap(),
                }
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        unreachable!("there are no spans");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn what_is_rare_is_told() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let engine = Engine::builder().inbound_queue(1).unwrap().backlog(common::messages(8)).build();
        let world = engine.of("/world").unwrap();
        let (socket, mut inbox) = world.connect();
        assert_eq!(
            lines.take(),
            ["DEBUG namespace made: namespace=/world", "DEBUG socket connected: namespace=/world socket=0v1"]
        );
        socket.join("room").unwrap();
        for _ in 0..5 {
            world.to("room").emit("n", ()).unwrap();
            inbox.drain(|_| {});
        }
        socket.leave("room").unwrap();
        assert!(lines.take().is_empty());

        (0..100).for_each(|_| _ = socket.emit("n", ()).unwrap());
        inbox.drain(|_| {});
        let missed = inbox.stats().backlog_missed;
        let gap = "WARN messages lost: namespace=/world socket=0v1 gaps=1";
        assert_eq!(lines.take(), [format!("{gap} backlog_missed={missed} membership_missed=0")]);

        world.set_backlog(common::disconnecting(8));
        let (_stalled, _unread) = world.connect();
        lines.take();
        (0..100).for_each(|_| {
            world.emit("n", ()).unwrap();
            inbox.drain(|_| {});
        });
        let stalled = "WARN socket disconnected: namespace=/world socket=1v1 reason=backlog over the limit";
        assert_eq!(lines.take(), [stalled]);

        engine.remove("/world");
        let gone = "DEBUG socket disconnected: namespace=/world socket=0v1 reason=namespace removed";
        assert_eq!(lines.take(), [gone, "DEBUG namespace removed: namespace=/world"]);
    });
}

#[test]
fn what_clients_may_not_do_is_told() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let engine = Engine::builder().inbound_queue(1).unwrap().build();
        let root = engine.of("/").unwrap();
        root.middleware(|request| if request.auth().is_empty() { Ok(()) } else { Err("no".into()) });
        let (connection, mut outbox) = engine.connect(());
        let connect = |auth| ClientPacket::Connect { namespace: "/", auth };
        connection.receive(connect(Payload::from("wrong"))).unwrap();
        let rejected = "DEBUG socket disconnected: namespace=/ socket=0v1 reason=rejected by a middleware";
        assert_eq!(lines.take(), [rejected]);
        outbox.drain(|_| {});
        connection.receive(connect(Payload::default())).unwrap();
        outbox.drain(|_| {});
        lines.take();
        let event = || {
            let payload = Payload::default();
            connection.receive(ClientPacket::Event { namespace: "/", event: "n", payload, ack: None })
        };
        let again = connection.clone();
        root.on("n", move |_, _: Payload| {
            let payload = Payload::default;
            let again = || {
                again.receive(ClientPacket::Event {
                    namespace: "/",
                    event: "m",
                    payload: payload(),
                    ack: None,
                })
            };
            assert_eq!((again(), again()), (Ok(()), Err(ReceiveError::Busy)));
        })
        .unwrap();
        event().unwrap();
        assert_eq!(
            lines.take(),
            ["WARN event refused: error=too many events wait for a handler that is running"]
        );
        assert!(connection.receive(connect(Payload::default())).is_err());
        let told = lines.take();
        assert_eq!(
            told[0],
            "DEBUG connection closed: error=the client has a socket in that namespace already"
        );
        assert_eq!(told.len(), 2);
    });
}

/// A subscriber that panics, or calls the engine, hurts nobody.
#[test]
fn a_subscriber_may_do_what_it_likes() {
    struct Rude(Engine);
    impl Subscriber for Rude {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "roomcast"
        }

        fn event(&self, event: &Event<'_>) {
            let (world, stats) = (self.0.get("/world").unwrap(), self.0.stats());
            world.emit("n", ()).unwrap();
            assert!(world.hottest(3).is_empty());
            assert!(stats.total.sockets < 100);
            assert!(*event.metadata().level() == Level::TRACE, "as it should");
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            unreachable!("there are no spans");
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    let engine = Engine::builder().backlog(common::messages(8)).build();
    let world = engine.of("/world").unwrap();
    tracing::subscriber::with_default(Rude(engine.clone()), || {
        let ((socket, mut inbox), (_other, _unread)) = (world.connect(), world.connect());
        (0..100).for_each(|_| _ = socket.emit("n", ()).unwrap());
        let deliveries = inbox.drain(|_| {});
        assert!(deliveries > 8);
        assert_eq!(inbox.drain(|_| {}), 1); // what the subscriber emitted when it was told of the gap
        assert!(socket.disconnect("bye"));
        inbox.drain(|_| {});
        assert_eq!(inbox.closed(), Some(&DisconnectReason::from("bye")));
    });
    assert_eq!(world.stats().sockets, 0);
}
