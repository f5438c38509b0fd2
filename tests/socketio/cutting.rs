//! Closing several sockets at once: all are cut off before the hooks of one run, and nothing of that waits for a
//! hook that does not return.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use roomcast::{DisconnectReason, Engine, Namespace, Socket};

use crate::common::watched;
use crate::rig::{Log, Peer};

/// Holds the thread that comes first, and lets all others pass.
struct Gate {
    enter: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

/// The other side of a [`Gate`].
struct Keeper {
    entered: Receiver<()>,
    go: Sender<()>,
}

fn gate() -> (Arc<Gate>, Keeper) {
    let ((enter, entered), (go, gone)) = (channel(), channel());
    (Arc::new(Gate { enter: Mutex::new(Some((enter, gone))) }), Keeper { entered, go })
}

impl Gate {
    fn pass(&self) {
        let first = self.enter.lock().unwrap().take();
        if let Some((enter, gone)) = first {
            enter.send(()).unwrap();
            gone.recv().unwrap();
        }
    }

    /// Has the first disconnect hook of a namespace stand in the gate.
    fn stands_in(self: &Arc<Self>, namespace: &Namespace) {
        let gate = Arc::clone(self);
        namespace.on_disconnect(move |_, _| gate.pass());
    }
}

impl Keeper {
    /// Runs `end` on another thread, and `check` while a hook that it has called does not return.
    fn meanwhile(self, end: impl FnOnce() + Send + 'static, check: impl FnOnce()) {
        let ending = thread::spawn(end);
        self.entered.recv().unwrap();
        check();
        self.go.send(()).unwrap();
        ending.join().unwrap();
    }
}

#[test]
fn a_connection_whose_hook_does_not_return_is_out_of_everything() {
    watched("closing a connection", || {
        let engine = Engine::new();
        let [a, b, c] = ["/a", "/b", "/c"].map(|path| engine.of(path).unwrap());
        let (gate, keeper) = gate();
        for namespace in [&a, &b] {
            gate.stands_in(namespace);
            namespace.on_connect(|socket| _ = socket.join("room"));
        }
        // One that waits for its middleware is in rooms too.
        let decisions = Arc::new(Mutex::new(Vec::new()));
        c.deferred_middleware({
            let decisions = Arc::clone(&decisions);
            move |socket, decision| {
                socket.join("room").unwrap();
                decisions.lock().unwrap().push(decision);
            }
        });
        let mut peer = Peer::new(&engine);
        ["/a", "/b", "/c"].into_iter().for_each(|path| peer.connect(path));
        assert_eq!(peer.read(), ["connect", "connect"]);
        let answers = Log::new();
        b.emit_with_ack("q", "").unwrap().on_done({
            let answers = answers.clone();
            move |all| answers.say(format!("{}", all.len()))
        });
        assert_eq!((a.room_len("room"), b.room_len("room"), c.room_len("room")), (1, 1, 1));
        let connection = peer.connection.clone();
        keeper.meanwhile(
            move || assert!(connection.close(DisconnectReason::Transport)),
            || {
                assert_eq!((engine.socket_count(), engine.connection_count()), (0, 0));
                assert_eq!((a.room_len("room"), b.room_len("room")), (0, 0));
                assert_eq!(c.room_len("room"), 0, "of one that was still connecting");
                a.to("room").emit("late", "").unwrap();
                b.emit("late", "").unwrap();
                // Whoever asked it, in whichever namespace, knows.
                assert_eq!(answers.take(), ["1"]);
                let told = ["disconnect:Transport", "q?:", "disconnect:Transport"];
                assert_eq!(peer.read(), told);
                assert_eq!(peer.closed(), Some(DisconnectReason::Transport));
            },
        );
    });
}

#[test]
fn a_namespace_whose_hook_does_not_return_has_nobody_left() {
    watched("removing a namespace", || {
        let engine = Engine::new();
        let chat = engine.of("/chat").unwrap();
        let (gate, keeper) = gate();
        gate.stands_in(&chat);
        let mut peers = [0; 3].map(|_| Peer::joined(&engine, "/chat"));
        peers.iter().for_each(|(_, socket)| _ = socket.join("room"));
        let ender = engine.clone();
        keeper.meanwhile(
            move || assert!(ender.remove("/chat")),
            || {
                assert_eq!((chat.room_len("room"), chat.socket_count()), (0, 0));
                for (peer, socket) in &mut peers {
                    assert_eq!(peer.read(), ["disconnect:NamespaceRemoved"]);
                    assert_eq!(socket.closed(), Some(DisconnectReason::NamespaceRemoved));
                }
                // Another one of that name is open already.
                engine.of("/chat").unwrap();
                let (_peer, _) = Peer::joined(&engine, "/chat");
            },
        );
    });
}

#[test]
fn an_engine_whose_hook_does_not_return_has_told_every_transport() {
    watched("closing the engine", || {
        let engine = Engine::new();
        let (gate, keeper) = gate();
        let namespaces = ["/a", "/b"].map(|path| engine.of(path).unwrap());
        namespaces.iter().for_each(|namespace| gate.stands_in(namespace));
        let mut peers = ["/a", "/b", "/a"].map(|path| Peer::joined(&engine, path).0);
        let mut idle = Peer::new(&engine);
        let ender = engine.clone();
        keeper.meanwhile(
            move || ender.close(),
            || {
                assert_eq!((engine.socket_count(), engine.is_closed()), (0, true));
                for peer in &mut peers {
                    assert_eq!(peer.read(), ["disconnect:Shutdown"]);
                    assert_eq!(peer.closed(), Some(DisconnectReason::Shutdown));
                }
                assert_eq!((idle.read(), idle.closed()), (vec![], Some(DisconnectReason::Shutdown)));
                assert_eq!(engine.connection_count(), 0);
            },
        );
    });
}

#[test]
fn a_selection_whose_hook_does_not_return_is_cut_off_as_a_whole() {
    watched("disconnecting a selection", || {
        let engine = Engine::new();
        let io = engine.of("/").unwrap();
        let (gate, keeper) = gate();
        gate.stands_in(&io);
        let mut peers = [0; 3].map(|_| Peer::joined(&engine, "/"));
        peers[1..].iter().for_each(|(_, socket)| _ = socket.join("room"));
        let ender = io.clone();
        keeper.meanwhile(
            move || assert_eq!(ender.to("room").disconnect("out").unwrap().changed(), 2),
            || {
                assert_eq!((io.room_len("room"), io.socket_count()), (0, 1));
                let told = peers.each_mut().map(|(peer, _)| peer.read());
                let out = vec![r#"disconnect:Other("out")"#.to_owned()];
                assert_eq!(told, [vec![], out.clone(), out]);
            },
        );
    });
}

#[test]
fn hooks_of_those_that_go_together_find_none_of_the_others() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let log = Log::new();
    let say = |what: &'static str| {
        let log = log.clone();
        move |socket: &Socket, _: &DisconnectReason| {
            let game = socket.namespace();
            let heard = socket.to("room").emit("bye", "").unwrap().members();
            log.say(format!("{what} {} {} {heard}", game.socket_count(), game.room_len("room")));
        }
    };
    games.on_disconnecting(say("disconnecting"));
    games.on_disconnect(say("disconnect"));
    let ends: [fn(&Engine, &Namespace); 3] = [
        |_, game| drop(game.everyone().disconnect("out")),
        |engine, game| assert!(engine.remove(game.path())),
        |engine, _| engine.close(),
    ];
    for end in ends {
        let peers = [0; 2].map(|_| Peer::joined(&engine, "/game-7"));
        peers.iter().for_each(|(_, socket)| _ = socket.join("room"));
        end(&engine, &peers[0].1.namespace());
        let one = ["disconnecting 0 0 0", "disconnect 0 0 0"];
        assert_eq!(log.take(), [one, one].concat());
        assert_eq!(games.children().len(), 0);
    }
}
