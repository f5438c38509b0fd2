//! Values that use everything when they are dropped, wherever a user can put one. The engine drops none of them
//! under a lock of its own: a deadlock here is a lock held.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use roomcast::{
    ClientPacket, Connection, Engine, Handshake, ListenerId, Namespace, Outbox, Parent, Payload, Rejection,
    Room, ServerPacket, Socket,
};

use crate::common::watched;

/// What there is to use.
struct World {
    engine: Engine,
    namespace: Namespace,
    parent: Parent,
    room: Room,
    now: Mutex<Option<(Socket, Connection)>>,
    /// How many were made, and how many dropped.
    made: AtomicUsize,
    drops: AtomicUsize,
}

thread_local!(static IS_NOSY: Cell<bool> = const { Cell::new(false) });

/// Looks into everything when it is dropped, unless it is one that another one has made do so.
struct Nosy(Weak<World>);

impl Drop for Nosy {
    fn drop(&mut self) {
        let Some(world) = self.0.upgrade() else { return };
        world.drops.fetch_add(1, Ordering::SeqCst);
        if !IS_NOSY.replace(true) {
            world.look();
            IS_NOSY.set(false);
        }
    }
}

impl World {
    fn new() -> Arc<Self> {
        let engine = Engine::builder().inbound_queue(4).unwrap().build();
        let namespace = engine.of("/ns").unwrap();
        let parent = engine.of_pattern("/game-{id}").unwrap();
        let room = namespace.room("room").unwrap();
        let (made, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { engine, namespace, parent, room, now: Mutex::default(), made, drops })
    }

    fn nosy(self: &Arc<Self>) -> Nosy {
        self.made.fetch_add(1, Ordering::SeqCst);
        Nosy(Arc::downgrade(self))
    }

    fn payload(self: &Arc<Self>) -> Payload {
        Payload::from(Arc::new(self.nosy()))
    }

    /// Takes every lock there is. What it returns depends on who drops, and when.
    fn look(&self) {
        let Self { engine, namespace, parent, room, .. } = self;
        let now = self.now.lock().unwrap().clone();
        drop((engine.namespaces(), engine.connection_count(), parent.children()));
        drop((namespace.members("room"), namespace.rooms(), namespace.sockets()));
        drop((namespace.emit("nosy", ""), room.emit("nosy", "")));
        drop(namespace.to("room").except("other").emit_with_ack("nosy", ""));
        engine.tick(engine.now());
        drop(room.set_data(1_u8));
        namespace.off(namespace.on("nosy", |_, _: Payload| {}).unwrap());
        parent.off(parent.on_any(|_, _| {}));
        engine.off(engine.on_panic(|_, _| {}));
        if let Some((socket, connection)) = now {
            drop((socket.join("nosy"), socket.leave("nosy"), socket.emit("nosy", ""), socket.rooms()));
            drop(socket.set_data(1_u8));
            socket.off(socket.on_error(|_, _| {}));
            drop((connection.sockets(), connection.closed()));
            drop(event(&connection, "nosy", Payload::default()));
        }
        let (connection, mut outbox) = engine.connect(Handshake::new());
        drop(enter(&connection, "/game-nosy", Payload::default()));
        outbox.drain(|_| {});
    }
}

fn enter(connection: &Connection, namespace: &str, auth: Payload) -> Result<(), roomcast::ReceiveError> {
    connection.receive(ClientPacket::Connect { namespace, auth })
}

fn event(connection: &Connection, event: &str, payload: Payload) -> Result<(), roomcast::ReceiveError> {
    connection.receive(ClientPacket::Event { namespace: "/ns", event, payload, ack: Some(1) })
}

/// Registers what a socket, a namespace and a parent have alike, each of it holding a nosy value.
macro_rules! listen {
    ($to:expr, $world:expr) => {{
        let (to, world) = ($to, $world);
        let hold = || world.nosy();
        let (a, b, c, d, e) = (hold(), hold(), hold(), hold(), hold());
        let (f, g, h, i) = (hold(), hold(), hold(), hold());
        to.on("gone", move |_, _: Payload| _ = &i).unwrap();
        assert_eq!(to.off_event("gone"), 1);
        vec![
            to.packet_middleware(move |_, _| {
                _ = &a;
                Ok(())
            }),
            to.on_disconnecting(move |_, _| _ = &b),
            to.on_disconnect(move |_, _| _ = &c),
            to.on_error(move |_, _| _ = &d),
            to.on("e", move |_, _: Payload| _ = &e).unwrap(),
            to.once("e", move |_, _: Payload| drop(f)).unwrap(),
            to.on_any(move |_, _| _ = &g),
            to.prepend_any_outgoing(move |_, _, _| _ = &h),
        ]
    }};
}

/// The same for what a namespace and a parent have alike.
macro_rules! host {
    ($to:expr, $world:expr) => {{
        let (to, world) = ($to, $world);
        let hold = || world.nosy();
        let (a, b, c, d, e) = (hold(), hold(), hold(), hold(), hold());
        let mut ids: Vec<ListenerId> = listen!(to, world);
        ids.push(to.middleware(move |_| {
            _ = &a;
            Ok(())
        }));
        ids.push(to.deferred_middleware(move |_, decision| {
            _ = &b;
            decision.accept();
        }));
        ids.push(to.on_connect(move |_| _ = &c));
        ids.push(to.on_room(move |_, _| _ = &d));
        ids.push(to.admission(move |_, _| {
            _ = &e;
            Ok(())
        }));
        ids
    }};
}

/// Has everything that can be registered hold a nosy value; some of it is taken off again.
fn furnish(world: &Arc<World>) {
    let World { engine, namespace, parent, .. } = &**world;
    host!(namespace, world).into_iter().for_each(|id| assert!(namespace.off(id)));
    host!(parent, world).into_iter().for_each(|id| assert!(parent.off(id)));
    drop((host!(namespace, world), host!(parent, world)));
    for stays in [false, true] {
        let (a, b) = (world.nosy(), world.nosy());
        let ids = [engine.on_new_namespace(move |_| _ = &a), engine.on_panic(move |_, _| _ = &b)];
        assert!(stays || ids.into_iter().all(|id| engine.off(id)));
    }
    let nosy = world.nosy();
    engine.of_fn(move |_, _| {
        _ = &nosy;
        false
    });
}

/// Has a socket and its connection carry nosy values of all kinds, some of them over again.
fn use_up(world: &Arc<World>, socket: &Socket, connection: &Connection, outbox: &mut Outbox) {
    let namespace = &world.namespace;
    listen!(socket, world).into_iter().for_each(|id| _ = socket.off(id));
    drop(listen!(socket, world));
    drop((socket.set_data(world.nosy()), socket.set_data(world.nosy())));
    drop((socket.remove_data::<Nosy>(), socket.set_data(world.nosy())));
    socket.join(["room", "other"]).unwrap();
    let room = namespace.room("for a moment").unwrap();
    drop((room.set_data(world.nosy()), room.set_data(world.nosy()), room));
    // Events that are handled, that wait, that find no room to wait, and that are answered twice.
    socket
        .on("busy", {
            let world = Arc::downgrade(world);
            move |socket, _: Payload| {
                let (world, connection) = (world.upgrade().unwrap(), socket.connection().unwrap());
                let taken = (0..7).filter(|_| event(&connection, "e", world.payload()).is_ok()).count();
                assert!((1..=4).contains(&taken), "{taken}");
            }
        })
        .unwrap();
    socket
        .on_with_ack("q", {
            let world = Arc::downgrade(world);
            move |_, _: Payload, ack| {
                let world = world.upgrade().unwrap();
                assert!(ack.send(world.payload()).unwrap() && !ack.send(world.payload()).unwrap());
            }
        })
        .unwrap();
    ["e", "busy", "q", "nobody's"]
        .into_iter()
        .for_each(|name| event(connection, name, world.payload()).unwrap());
    // Questions that are answered, answered twice, and let be; callbacks that are called, and dropped.
    let one = socket.emit_with_ack("q", world.payload()).unwrap();
    let all = namespace.to("room").emit_with_ack("q", world.payload()).unwrap();
    let nosy = world.nosy();
    all.timeout(Duration::from_secs(1)).on_done(move |_| _ = &nosy);
    let mut ids = Vec::new();
    outbox.drain(|packet| {
        if let ServerPacket::Event { delivery, .. } = packet {
            ids.extend(delivery.ack_id());
        }
    });
    assert!(ids.len() >= 2, "{ids:?}");
    for id in ids {
        for _ in 0..2 {
            let (namespace, payload) = ("/ns", world.payload());
            connection.receive(ClientPacket::Ack { namespace, id, payload }).unwrap();
        }
    }
    assert_eq!(one.wait().unwrap().downcast_ref::<Nosy>().map(|_| ()), Some(()));
    let nosy = world.nosy();
    namespace.emit_with_ack("q", world.payload()).unwrap().on_done(move |_| _ = &nosy);
}

/// One that is rejected, with data, and told of it or not.
fn reject(world: &Arc<World>, reads: bool) {
    let late = world.namespace.middleware({
        let world = Arc::downgrade(world);
        move |_| Err(Rejection::new("no").with_data(world.upgrade().unwrap().payload()))
    });
    let (connection, mut outbox) = world.engine.connect(Handshake::new().with_data(world.nosy()));
    enter(&connection, "/ns", world.payload()).unwrap();
    if reads {
        outbox.drain(|_| {});
    }
    drop((connection, outbox));
    assert!(world.namespace.off(late));
}

#[test]
fn whatever_is_dropped_may_use_everything() {
    watched("drops that use everything", || {
        let world = World::new();
        furnish(&world);
        let World { engine, .. } = &*world;
        let ends: [fn(&Engine, &Socket, &Connection, Outbox); 3] = [
            |_, socket, connection, mut outbox| {
                assert!(socket.disconnect("kick"));
                outbox.drain(|_| {});
                assert!(connection.close("over"));
                outbox.drain(|_| {});
            },
            |_, _, _, outbox| drop(outbox),
            |engine, _, _, mut outbox| {
                assert!(engine.remove("/ns"));
                engine.close();
                outbox.drain(|_| {});
                assert!(outbox.closed().is_some());
            },
        ];
        for (round, end) in ends.into_iter().enumerate() {
            let (connection, mut outbox) = engine.connect(Handshake::new().with_data(world.nosy()));
            for _ in 0..2 {
                let nosy = world.nosy();
                outbox.on_wake(move || _ = &nosy);
            }
            for path in ["/ns", "/game-1", "/nowhere"] {
                enter(&connection, path, world.payload()).unwrap();
            }
            let socket = connection.socket("/ns").unwrap();
            *world.now.lock().unwrap() = Some((socket.clone(), connection.clone()));
            use_up(&world, &socket, &connection, &mut outbox);
            reject(&world, round == 0);
            end(engine, &socket, &connection, outbox);
            let now = world.now.lock().unwrap().take();
            drop(now);
        }
        // Messages are kept by logs that go with the last handles; all the rest is gone by now.
        let (made, drops) = (world.made.load(Ordering::SeqCst), world.drops.load(Ordering::SeqCst));
        assert!(drops > 150 && drops <= made && made - drops < 20, "{drops} of {made} were dropped");
    });
}
