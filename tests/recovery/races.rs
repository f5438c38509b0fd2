//! Several lines of one client at the same time.

use std::sync::Arc;
use std::thread;

use roomcast::{DisconnectReason, Recovery, Resumption};

use crate::rig::{Client, KEEP, Told, engine, engine_with};

#[test]
fn of_several_that_want_a_session_the_newest_gets_it() {
    let (engine, chat) = engine();
    let told = Told::by(&chat);
    let mut old = Client::new(&engine);
    let (id, session) = (old.id, old.session.unwrap());
    let mut waiting: Vec<_> = (0..3).map(|_| Client::resume(&engine, session, None)).collect();
    chat.emit("a", ()).unwrap();
    old.see(); // and lets go
    let mut newest = waiting.pop().unwrap();
    assert_eq!(
        (newest.got(), newest.id, newest.resumption),
        (vec!["a".to_owned()], id, Some(Resumption::Recovered))
    );
    for client in &mut waiting {
        client.see();
        assert_eq!((client.resumption, client.connection.closed()), (Some(Resumption::TooLate), None));
        assert_ne!(client.id, id);
    }
    assert_eq!((chat.socket_count(), engine.stats().resumed), (3, 1));
    assert_eq!(told.take().iter().filter(|what| *what == "resume").count(), 1);
}

#[test]
fn one_that_waits_and_is_lost_itself_leaves_the_session_to_the_next() {
    let (engine, chat) = engine();
    let mut old = Client::new(&engine);
    let session = old.session.unwrap();
    drop(Client::resume(&engine, session, None));
    chat.emit("a", ()).unwrap();
    old.see();
    assert_eq!((chat.socket_count(), engine.stats().away), (1, 1));
    assert_eq!(Client::resume(&engine, session, None).got(), ["a"]);
}

#[test]
fn whoever_closes_and_whoever_drops_agree_that_it_is_kept() {
    for _ in 0..200 {
        let (engine, chat) = engine();
        let ann = Client::new(&engine);
        let session = ann.session.unwrap();
        let connection = ann.connection.clone();
        chat.emit("a", ()).unwrap();
        let closer = thread::spawn(move || connection.close(DisconnectReason::Transport));
        let dropper = thread::spawn(move || drop(ann));
        let mut new = Client::resume(&engine, session, None);
        closer.join().unwrap();
        dropper.join().unwrap();
        assert_eq!((new.got(), new.resumption), (vec!["a".to_owned()], Some(Resumption::Recovered)));
        assert_eq!(chat.socket_count(), 1);
    }
}

#[test]
fn clients_that_come_and_go_on_threads_get_everything_once_and_in_order() {
    const MESSAGES: usize = 3000;
    let (engine, chat) = engine_with(Recovery::new(KEEP).messages(MESSAGES).unwrap());
    let room = chat.room("room").unwrap();
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let client = Client::new(&engine);
            client.socket().join(&room).unwrap();
            client
        })
        .collect();
    let publisher = thread::spawn(move || {
        for number in 0..MESSAGES {
            room.emit("n", number.to_string()).unwrap();
            if number % 16 == 0 {
                thread::yield_now();
            }
        }
    });
    let readers: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(reader, mut client)| {
            let engine = engine.clone();
            thread::spawn(move || {
                let mut got = Vec::new();
                for round in reader.. {
                    match round % 3 {
                        0 => client.see(),
                        1 => client.see_some(round % 7 + 1),
                        _ => drop(client.lose()),
                    }
                    assert_ne!(client.resumption, Some(Resumption::TooLate));
                    assert!(!matches!(client.resumption, Some(Resumption::TooOld { .. })));
                    got.append(&mut client.got);
                    if got.len() == MESSAGES {
                        return got;
                    }
                    if round % 3 != 0 || round % 5 == 0 {
                        let connection = client.connection.clone();
                        let closer = (round % 2 == 0)
                            .then(|| thread::spawn(move || connection.close(DisconnectReason::Timeout)));
                        client = client.come_back(&engine);
                        closer.map(thread::JoinHandle::join);
                    }
                }
                unreachable!()
            })
        })
        .collect();
    publisher.join().unwrap();
    let expected: Arc<[String]> = (0..MESSAGES).map(|number| format!("n{number}")).collect();
    for reader in readers {
        let got = reader.join().unwrap();
        assert!(got[..] == expected[..], "{:?}", got.iter().zip(&*expected).find(|(a, b)| a != b));
    }
    assert_eq!(chat.socket_count(), 3); // kept
}
