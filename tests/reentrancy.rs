//! Every call is legal from inside a drain, a wake-up and a payload's `Drop`: none hangs, and none, nor a
//! panic there, spoils anything for anybody else.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Wake, Waker};

use common::{line, messages, read, watched};
use roomcast::{Engine, Inbox, IntoPayload, Namespace, Socket, Target};

/// A small world: two sockets in two rooms.
struct Scene {
    engine: Engine,
    namespace: Namespace,
    me: Socket,
    other: Socket,
    other_inbox: Mutex<Option<Inbox>>,
    /// How often the action was run.
    runs: AtomicUsize,
}

impl Scene {
    fn new() -> (Arc<Self>, Inbox) {
        let engine = Engine::builder().backlog(messages(64)).build();
        let namespace = engine.of("/scene").unwrap();
        let (me, inbox) = namespace.connect();
        let (other, other_inbox) = namespace.connect();
        me.join(["room", "second"]).unwrap();
        other.join(["room", "second"]).unwrap();
        let (runs, other_inbox) = (AtomicUsize::new(0), Mutex::new(Some(other_inbox)));
        (Arc::new(Self { engine, namespace, me, other, other_inbox, runs }), inbox)
    }

    fn emit(&self, payload: impl IntoPayload) {
        let _ = self.namespace.to("room").emit("n", payload);
    }

    /// Takes the other inbox, unless somebody is using it.
    fn with_other(&self, f: impl FnOnce(&mut Option<Inbox>)) {
        if let Ok(mut inbox) = self.other_inbox.try_lock() {
            f(&mut inbox);
        }
    }

    /// Everything still works, for everybody who is there.
    fn check(&self, place: &str) {
        assert!(self.runs.load(Ordering::SeqCst) > 0, "{place}: the action was never run");
        let rooms = self.namespace.rooms();
        for (name, len) in &rooms {
            assert_eq!(self.namespace.members(name).len(), *len, "{place}");
        }
        assert_eq!(self.namespace.socket_ids().len(), self.namespace.socket_count(), "{place}");
        for socket in [&self.me, &self.other] {
            assert_eq!(socket.rooms().len(), socket.room_count(), "{place}");
            let is_member = self.namespace.members("room").contains(&socket.id());
            assert_eq!(socket.is_in("room"), is_member, "{place}");
        }
        let Ok(namespace) = self.engine.of("/scene") else {
            return assert!(self.engine.is_closed(), "{place}");
        };
        let (socket, mut inbox) = namespace.connect();
        socket.join(["room", "second"]).unwrap();
        namespace.to(["room", "second"]).emit("check", "1").unwrap();
        namespace.emit("check", "2").unwrap();
        socket.emit("check", "3").unwrap();
        let seen = line(&mut inbox);
        assert_eq!(seen, "check:1 check:2 check:3", "{place}");
    }
}

type Action = fn(&Scene);

/// One of each call.
const ACTIONS: [(&str, Action); 27] = [
    ("emit to the same room", |s| s.emit("again")),
    ("emit to another room", |s| drop(s.namespace.to("second").emit("n", "again"))),
    ("emit to two rooms", |s| drop(s.namespace.to(["second", "room"]).emit("n", "again"))),
    ("emit to all", |s| drop(s.namespace.emit("n", "again"))),
    ("emit as a socket", |s| drop(s.me.to("room").emit("n", "again"))),
    ("broadcast", |s| drop(s.other.broadcast().except("second").emit("n", "again"))),
    ("emit to itself", |s| drop(s.me.emit("n", "again"))),
    ("emit to the other", |s| drop(s.other.emit("n", "again"))),
    ("emit to a target", |s| {
        drop(s.namespace.target(&Target::new().to(s.me.id()).to("room")).emit("n", "again"));
    }),
    ("emit often", |s| (0..300).for_each(|_| s.emit("again"))),
    ("join", |s| drop(s.me.join(["third", "fourth"]))),
    ("join with the other", |s| drop(s.other.join("third"))),
    ("leave", |s| drop(s.me.leave("room"))),
    ("leave with the other", |s| drop(s.other.leave("room"))),
    ("leave_all", |s| drop(s.me.leave_all())),
    ("set_rooms", |s| drop(s.me.set_rooms(["second", "third"]))),
    ("come and go", |s| (0..3000).for_each(|n| drop((s.me.join(n), s.me.leave(n))))),
    ("connect", |s| {
        let (socket, mut inbox) = s.namespace.connect();
        let _ = socket.join("room");
        s.emit("again");
        inbox.drain(|_| {});
    }),
    ("disconnect itself", |s| assert!(s.me.disconnect("bye") || !s.me.is_connected())),
    ("disconnect the other", |s| assert!(s.other.disconnect("bye") || !s.other.is_connected())),
    ("drain the other inbox", |s| s.with_other(|inbox| drop(inbox.as_mut().map(read)))),
    ("drop the other inbox", |s| s.with_other(|inbox| drop(inbox.take()))),
    ("make a room", |s| {
        let room = s.namespace.room("fifth").unwrap();
        drop((s.me.join(&room), room.emit("n", "again"), room.emit_from(&s.me, "n", "again")));
    }),
    ("set backlogs", |s| {
        s.namespace.set_backlog(messages(1));
        s.namespace.room("room").unwrap().set_backlog(messages(1));
        s.emit("again");
    }),
    ("ask", |s| {
        drop((s.namespace.rooms(), s.namespace.socket_ids(), s.namespace.members("room"), s.me.rooms()));
        drop((s.engine.namespaces(), s.engine.socket_count(), s.namespace.socket(s.other.id())));
    }),
    ("remove the namespace", |s| assert!(s.engine.remove("/scene") || s.engine.get("/scene").is_none())),
    ("close the engine", |s| s.engine.close()),
];

/// Where the action is run, and what it does then.
#[derive(Clone)]
struct Run {
    scene: Weak<Scene>,
    action: Action,
    panics: bool,
}

impl Run {
    fn run(&self) {
        let Some(scene) = self.scene.upgrade() else { return };
        // Once each: an action that makes itself run again would go on for ever.
        if scene.runs.fetch_add(1, Ordering::SeqCst) == 0 {
            (self.action)(&scene);
            assert!(!self.panics, "a panic on purpose");
        }
    }
}

impl Wake for Run {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

/// A payload that runs it when it is dropped.
struct OnDrop(Run);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.run();
    }
}

fn caught(f: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

fn in_a_drain(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    (0..3).for_each(|n| scene.emit(n.to_string()));
    let mut seen = Vec::new();
    let panicked = caught(|| {
        inbox.drain(|delivery| {
            seen.extend(delivery.payload().as_str().map(str::to_owned));
            run.run();
        });
    });
    assert_eq!(panicked, run.panics);
    // The rest of what was there comes next, whatever has happened.
    inbox.drain(|delivery| seen.extend(delivery.payload().as_str().map(str::to_owned)));
    let mut expected = ["0", "1", "2"].into_iter();
    let mut next = expected.next();
    seen.iter().for_each(|text| {
        if next == Some(text) {
            next = expected.next();
        }
    });
    assert_eq!((seen[0].as_str(), next), ("0", None), "{seen:?}");
}

fn in_a_callback(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    inbox.drain(|_| {});
    let run = run.clone();
    inbox.on_wake(move || run.run());
    scene.emit("wake");
    inbox.drain(|_| {});
}

fn in_a_waker(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    let waker = Waker::from(Arc::new(run.clone()));
    assert!(inbox.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    scene.emit("wake");
    inbox.drain(|_| {});
}

fn in_a_callback_at_a_join(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    inbox.drain(|_| {});
    let run = run.clone();
    inbox.on_wake(move || run.run());
    let _ = scene.me.join("sixth");
    inbox.drain(|_| {});
}

fn in_a_callback_at_disconnect(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    inbox.drain(|_| {});
    let run = run.clone();
    inbox.on_wake(move || run.run());
    scene.me.disconnect("bye");
    inbox.drain(|_| {});
}

/// The payload goes as it is published past.
fn in_a_drop_at_a_publish(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    scene.emit(Arc::new(OnDrop(run.clone())));
    for _ in 0..20 {
        inbox.drain(|_| {});
        scene.with_other(|inbox| drop(inbox.as_mut().map(read)));
        (0..10).for_each(|_| scene.emit("more"));
    }
}

/// The payload goes as it is over the limit.
fn in_a_drop_at_the_limit(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    scene.emit(Arc::new(OnDrop(run.clone())));
    (0..500).for_each(|_| scene.emit("more"));
    inbox.drain(|_| {});
    scene.with_other(|inbox| drop(inbox.as_mut().map(read)));
}

/// The payload goes as the last reader goes past it.
fn in_a_drop_at_a_read(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    scene.emit(Arc::new(OnDrop(run.clone())));
    (0..50).for_each(|_| scene.emit("more"));
    scene.with_other(|inbox| drop(inbox.as_mut().map(read)));
    inbox.drain(|_| {});
}

/// The payload goes with its room.
fn in_a_drop_at_a_leave(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    scene.emit(Arc::new(OnDrop(run.clone())));
    let _ = scene.other.leave_all();
    scene.with_other(|inbox| drop(inbox.as_mut().map(read)));
    inbox.drain(|_| {});
    let _ = scene.me.leave_all();
    inbox.drain(|_| {});
}

/// The payload goes with the last inbox.
fn in_a_drop_with_an_inbox(scene: &Arc<Scene>, inbox: Inbox, run: &Run) {
    scene.emit(Arc::new(OnDrop(run.clone())));
    let other = scene.other_inbox.lock().unwrap().take();
    drop(other);
    drop(inbox);
}

/// The payload goes while changes that pile up are folded.
fn in_a_drop_at_a_fold(scene: &Arc<Scene>, mut inbox: Inbox, run: &Run) {
    let _ = scene.me.join("folded");
    let _ = scene.namespace.to("folded").emit("n", Arc::new(OnDrop(run.clone())));
    for n in 0..2000 {
        let _ = scene.me.leave("folded");
        let _ = scene.me.join(n);
        let _ = scene.me.leave(n);
    }
    inbox.drain(|_| {});
}

type Place = fn(&Arc<Scene>, Inbox, &Run);

const PLACES: [(&str, Place); 11] = [
    ("a drain", in_a_drain),
    ("a callback", in_a_callback),
    ("a waker", in_a_waker),
    ("a callback at a join", in_a_callback_at_a_join),
    ("a callback at a disconnection", in_a_callback_at_disconnect),
    ("a drop at a publish", in_a_drop_at_a_publish),
    ("a drop at the limit", in_a_drop_at_the_limit),
    ("a drop at a read", in_a_drop_at_a_read),
    ("a drop at a leave", in_a_drop_at_a_leave),
    ("a drop with an inbox", in_a_drop_with_an_inbox),
    ("a drop at a fold", in_a_drop_at_a_fold),
];

fn run_all(panics: bool) {
    for (place, run_in) in PLACES {
        for (name, action) in ACTIONS {
            let what = format!("{name}, from inside {place}");
            watched(&what.clone(), move || {
                let (scene, inbox) = Scene::new();
                let run = Run { scene: Arc::downgrade(&scene), action, panics };
                run_in(&scene, inbox, &run);
                scene.check(&what);
            });
        }
    }
}

#[test]
fn every_call_is_legal_everywhere() {
    run_all(false);
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_anywhere_spoils_nothing() {
    run_all(true);
}

#[test]
#[cfg(panic = "unwind")]
fn a_panicking_callback_does_not_keep_the_others_asleep() {
    let namespace = Engine::new().of("/panics").unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let mut sockets: Vec<_> = (0..10).map(|_| namespace.connect()).collect();
    for (n, (socket, inbox)) in sockets.iter_mut().enumerate() {
        socket.join("room").unwrap();
        inbox.drain(|_| {});
        let woken = Arc::clone(&woken);
        inbox.on_wake(move || {
            woken.fetch_add(1, Ordering::SeqCst);
            assert!(n % 2 == 1, "a panic on purpose");
        });
    }
    for round in 1..=3 {
        namespace.to("room").emit("n", ()).unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), 10 * round);
        assert!(sockets.iter_mut().all(|(_, inbox)| inbox.drain(|_| {}) == 1));
    }
}

/// A value in a callback, whose drop is user code too.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a panic on purpose");
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_callback_that_ends_with_its_inbox_spoils_nothing_for_the_publisher() {
    let namespace = Engine::new().of("/panics").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let (_later, mut later_inbox) = namespace.connect();
    socket.join("room").unwrap();
    let (dropped, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    inbox.drain(|_| {});
    let slot = Arc::new(Mutex::new(None::<Inbox>));
    let bomb = Bomb(Arc::clone(&dropped));
    inbox.on_wake({
        let slot = Arc::clone(&slot);
        move || {
            let inbox = slot.lock().unwrap().take();
            drop((inbox, &bomb)); // now the publisher holds the callback alone
        }
    });
    later_inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || drop(woken.fetch_add(1, Ordering::SeqCst).to_string())
    });
    later_inbox.drain(|_| {});
    inbox.drain(|_| {});
    *slot.lock().unwrap() = Some(inbox);
    let before = woken.load(Ordering::SeqCst);
    assert!(!caught(|| drop(namespace.emit("n", ()))), "the panic reached the publisher");
    assert_eq!((dropped.load(Ordering::SeqCst), woken.load(Ordering::SeqCst)), (1, before + 1));
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_a_drain_loses_one_delivery_and_no_wake_up() {
    let namespace = Engine::new().of("/panics").unwrap();
    let (socket, mut inbox) = namespace.connect();
    let woken = Arc::new(AtomicUsize::new(0));
    inbox.drain(|_| {});
    inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || {
            woken.fetch_add(1, Ordering::SeqCst);
        }
    });
    for text in ["a", "b", "c"] {
        socket.emit("n", text).unwrap();
    }
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    let panicked = caught(|| {
        inbox.drain(|delivery| assert_ne!(delivery.payload().as_str(), Some("b"), "a panic on purpose"));
    });
    assert!(panicked);
    assert_eq!(woken.load(Ordering::SeqCst), 2, "woken for what is left");
    assert_eq!(line(&mut inbox), "n:c");
    socket.emit("n", "d").unwrap();
    assert_eq!((woken.load(Ordering::SeqCst), line(&mut inbox)), (3, "n:d".into()));
}

#[test]
fn what_is_published_before_is_seen_before_even_while_others_are_woken() {
    // A wakes two; the first of them publishes B and then C, in its callback. Whoever gets C has got B.
    let namespace = Engine::new().of("/order").unwrap();
    let (first, mut first_inbox) = namespace.connect();
    let (second, mut second_inbox) = namespace.connect();
    first.join("room").unwrap();
    second.join(["room", "other"]).unwrap();
    first_inbox.drain(|_| {});
    second_inbox.drain(|_| {});
    let second_inbox = Arc::new(Mutex::new(second_inbox));
    let seen = Arc::new(Mutex::new(String::new()));
    first_inbox.on_wake({
        let (namespace, seen) = (namespace.clone(), Arc::clone(&seen));
        let second_inbox = Arc::clone(&second_inbox);
        move || {
            namespace.to("room").emit("n", "B").unwrap();
            namespace.to("other").emit("n", "C").unwrap();
            seen.lock().unwrap().push_str(&line(&mut second_inbox.lock().unwrap()));
        }
    });
    second_inbox.lock().unwrap().on_wake(|| {});
    namespace.to("room").emit("n", "A").unwrap();
    assert_eq!(*seen.lock().unwrap(), "n:A n:B n:C");
}
