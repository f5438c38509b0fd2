//! The client of the same process comes back by itself.

use std::sync::{Arc, Mutex};

use roomcast::{Client, DisconnectReason, Payload, Resumption};

use crate::rig::{PATH, Told, engine};

#[test]
fn a_client_that_connects_again_has_its_socket_and_all_that_it_missed() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let client = Client::new(&engine);
    let socket = client.socket(PATH, ()).unwrap();
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let hear = Arc::clone(&heard);
    let listening = socket
        .on("said", move |_, text: Payload| hear.lock().unwrap().push(text.as_str().unwrap().to_owned()));
    listening.unwrap();
    client.poll();
    assert_eq!(socket.resumption(), Resumption::New);
    let id = socket.id();
    let say = |text: &str| _ = chat.emit("said", text).unwrap();
    say("a");
    client.poll();
    for round in 0..3 {
        say("sent, and not polled");
        assert!(chat.socket(id.unwrap()).unwrap().disconnect_client(DisconnectReason::Transport));
        say("while it is away");
        client.poll();
        assert_eq!(socket.id(), None);
        client.reconnect().unwrap();
        client.poll();
        assert_eq!((socket.id(), socket.resumption()), (id, Resumption::Recovered), "{round}");
    }
    assert_eq!(chat.socket_count(), 1);
    let round = ["sent, and not polled", "while it is away"];
    assert_eq!(*heard.lock().unwrap(), [&["a"][..], &round, &round, &round].concat());

    socket.disconnect();
    socket.connect().unwrap();
    client.poll();
    assert_eq!(socket.resumption(), Resumption::New);
    assert_ne!(socket.id(), id);
    drop(told);
}
