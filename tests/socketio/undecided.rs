//! Sockets that are closed while a middleware or a hook has yet to let them in; and what may be awaited then.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use roomcast::{
    ClientPacket, Decision, DisconnectReason, Engine, Handshake, Namespace, Payload, ServerPacket,
};

use crate::rig::Peer;

/// Has sockets join `lobby` and wait for a decision, which is kept here.
fn undecided(namespace: &Namespace) -> Arc<Mutex<Vec<Decision>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    namespace.deferred_middleware(move |socket, decision| {
        socket.join("lobby").unwrap();
        keep.lock().unwrap().push(decision);
    });
    kept
}

/// Something that tells when it is entered, and does not return before it is let.
fn gate() -> (Receiver<()>, Sender<()>, impl Fn() + Send + Sync + 'static) {
    let ((entered, inside), (go, wait)) = (channel(), channel());
    let wait = Mutex::new(wait);
    let pass = move || {
        entered.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    };
    (inside, go, pass)
}

#[test]
fn one_that_is_put_out_is_told_at_once() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let kept = undecided(&chat);
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert_eq!(chat.to("lobby").disconnect("kicked").unwrap().changed(), 1);
    assert_eq!(peer.read(), ["error:kicked"]);
    kept.lock().unwrap().drain(..).for_each(Decision::accept);
    assert_eq!((peer.read(), engine.socket_count()), (vec![], 0));
}

#[test]
fn one_whose_namespace_is_removed_is_told_at_once_and_in_no_room() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let kept = undecided(&chat);
    let mut peer = Peer::new(&engine);
    peer.connect("/chat");
    assert_eq!(chat.room_len("lobby"), 1);
    assert!(engine.remove("/chat"));
    assert_eq!((peer.read(), chat.room_len("lobby")), (vec!["error:namespace removed".to_owned()], 0));
    kept.lock().unwrap().drain(..).for_each(Decision::accept);
    assert_eq!((peer.read(), engine.socket_count()), (vec![], 0));
}

#[test]
fn a_middleware_that_does_not_return_holds_up_nobody() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (inside, go, pass) = gate();
    games.middleware(move |socket| {
        socket.join("lobby")?;
        pass();
        Ok(())
    });
    let mut peer = Peer::new(&engine);
    let connect = || {
        let connection = peer.connection.clone();
        let connecting = thread::spawn(move || {
            connection.receive(ClientPacket::Connect { namespace: "/game-1", auth: Payload::default() })
        });
        inside.recv().unwrap();
        connecting
    };
    let first = connect();
    peer.connection.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
    assert!(games.children().is_empty(), "it has given up");
    let second = connect();
    assert_eq!(games.children().len(), 1);
    assert!(peer.connection.close(DisconnectReason::Transport));
    assert!(games.children().is_empty());
    drop(go);
    assert!(first.join().unwrap().is_ok() && second.join().unwrap().is_ok());
    assert_eq!((peer.read(), engine.socket_count()), (vec![], 0));
}

#[test]
fn a_hook_for_new_namespaces_that_does_not_return_keeps_no_engine_open() {
    let engine = Engine::new();
    let games = engine.of_pattern("/game-{id}").unwrap();
    let (inside, go, pass) = gate();
    let held = Arc::new(());
    let left = Arc::downgrade(&held);
    engine.on_new_namespace(move |namespace| {
        pass();
        let held = (Arc::clone(&held), namespace.clone());
        namespace.on_connect(move |_| _ = &held);
    });
    let (peer, mut other) = (Peer::new(&engine), Peer::new(&engine));
    let connection = peer.connection.clone();
    let connecting = thread::spawn(move || {
        connection.receive(ClientPacket::Connect { namespace: "/game-1", auth: Payload::default() })
    });
    inside.recv().unwrap();
    other.connect("/game-1"); // waits
    other.connection.receive(ClientPacket::Disconnect { namespace: "/game-1" }).unwrap();
    other.connect("/game-1");
    engine.close();
    assert_eq!((other.read(), other.closed()), (vec![], Some(DisconnectReason::Shutdown)));
    go.send(()).unwrap();
    assert!(connecting.join().unwrap().is_ok());
    assert_eq!(engine.socket_count(), 0);
    drop((peer, other, games, engine));
    assert!(left.upgrade().is_none(), "hooks are let go of");
}

#[test]
fn a_hook_may_wait_for_the_answer_of_another_that_is_disconnected_with_it() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let chat = Engine::new().of("/chat").unwrap();
        let ((first, _inbox), (second, _its_inbox)) = (chat.connect(), chat.connect());
        let question = Mutex::new(Some(second.emit_with_ack("question", ()).unwrap()));
        first.on_disconnect(move |_, _| drop(question.lock().unwrap().take().unwrap().wait()));
        chat.everyone().disconnect("over").unwrap();
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(Duration::from_secs(10)).is_ok(), "it waits for ever");
}

#[test]
fn a_client_that_leaves_has_left_by_itself_however_its_transport_drains() {
    let engine = Engine::new();
    let chat = engine.of("/chat").unwrap();
    let wrong = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&wrong);
    chat.on_disconnect(move |_, reason| {
        if *reason != DisconnectReason::Client {
            noted.lock().unwrap().push(reason.clone());
        }
    });
    let (connection, mut outbox) = engine.connect(Handshake::new());
    let (is_over, told) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                outbox.drain(|packet| {
                    let is_end = matches!(packet, ServerPacket::Disconnect { .. });
                    told.fetch_add(usize::from(is_end), Ordering::Relaxed);
                });
            }
        });
        for round in 0..20_000 {
            let namespace = "/chat";
            connection.receive(ClientPacket::Connect { namespace, auth: Payload::default() }).unwrap();
            (0..round % 40).for_each(|_| std::hint::spin_loop());
            connection.receive(ClientPacket::Disconnect { namespace }).unwrap();
        }
        is_over.store(true, Ordering::Release);
    });
    assert_eq!((&wrong.lock().unwrap()[..], told.load(Ordering::Relaxed)), (&[][..], 0));
}
