//! Clients in the process: polled by several threads, called by one at a time.

use std::sync::Arc;

use roomcast::{Client, Payload};
use shuttle::sync::Mutex;
use shuttle::thread::yield_now;

use crate::rig::{Bell, all, explore, join, join_all, small, spawn};

/// Two threads emit, two poll: handlers run one at a time, in the order of the messages.
#[test]
fn a_client_handles_one_message_at_a_time_and_in_order() {
    fn scenario() -> Vec<String> {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let client = Client::new(&engine);
        let socket = client.socket("/world", ()).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let busy = Mutex::new(());
        socket
            .on("n", {
                let heard = Arc::clone(&heard);
                move |_, words: Payload| {
                    let busy = busy.try_lock();
                    yield_now();
                    heard
                        .lock()
                        .unwrap()
                        .push(busy.map_or("overlap", |_busy| words.as_str().unwrap()).to_owned());
                }
            })
            .unwrap();
        client.poll();
        let emitters = ["a", "b"].map(|by| {
            let world = world.clone();
            spawn(move || [0, 1].map(|n| world.emit("n", format!("{by}{n}")).unwrap()))
        });
        let poller = spawn({
            let client = client.clone();
            move || client.poll()
        });
        let polled = client.poll();
        join_all(emitters);
        let polled = polled + join(poller);
        assert_eq!(polled + client.poll(), 4);
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        for by in ["a", "b"] {
            let own: Vec<_> = heard.iter().filter(|words| words.starts_with(by)).cloned().collect();
            assert_eq!(own, [format!("{by}0"), format!("{by}1")], "{heard:?}");
        }
        assert_eq!(heard.len(), 4, "{heard:?}");
        heard
    }
    assert_eq!(explore(scenario).len(), 6);
}

/// A client that sleeps is woken for what the server says, and a server's handlers hear what the client says.
#[test]
fn a_client_and_a_server_talk() {
    fn scenario() -> usize {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        world.on("ping", |socket, n: Payload| drop(socket.emit("pong", n))).unwrap();
        let bell = Bell::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let client = Client::new(&engine);
        client.on_wake({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        let socket = client.socket("/world", ()).unwrap();
        socket
            .on("pong", {
                let heard = Arc::clone(&heard);
                move |_, n: Payload| heard.lock().unwrap().push(n.as_bytes().unwrap()[0])
            })
            .unwrap();
        let speakers = [1, 2].map(|n| {
            let socket = socket.clone();
            spawn(move || socket.emit("ping", [n]).unwrap())
        });
        let shouter = spawn(move || world.emit("pong", [3]).unwrap().members());
        let mut rings = 0;
        while heard.lock().unwrap().len() < 3 {
            rings = bell.wait_past(rings);
            client.poll();
        }
        assert_eq!(join(shouter), 1);
        join_all(speakers);
        let mut heard = heard.lock().unwrap().clone();
        heard.sort_unstable();
        assert_eq!((heard, client.poll()), (vec![1, 2, 3], 0));
        rings
    }
    let rings = explore(scenario);
    assert!(rings.len() > 2, "{rings:?}");
}

/// The server, the client and the namespace's end disconnect a client's socket at once: its hook is told once.
#[test]
fn a_client_is_told_of_its_end_once() {
    fn scenario() -> String {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let client = Client::new(&engine);
        let socket = client.socket("/world", ()).unwrap();
        socket.on_disconnect({
            let ends = Arc::clone(&ends);
            move |_, reason| ends.lock().unwrap().push(reason.to_string())
        });
        client.poll();
        let server = spawn(move || world.everyone().disconnect("kicked").is_ok());
        let own = spawn({
            let socket = socket.clone();
            move || socket.disconnect()
        });
        let remover = spawn({
            let engine = engine.clone();
            move || engine.remove("/world")
        });
        client.poll();
        join(server);
        join(own);
        join(remover);
        client.poll();
        assert_eq!((engine.socket_count(), socket.is_connected(), client.poll()), (0, false, 0));
        let mut ends = ends.lock().unwrap();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends.remove(0)
    }
    assert_eq!(
        explore(scenario),
        all(["kicked", "disconnected by the client", "namespace removed"].map(String::from))
    );
}
