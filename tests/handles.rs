//! What handles are as values: equal, printed, names, and what is kept with a room.

use std::sync::{Arc, Mutex};

use roomcast::{AckSender, Client, DisconnectReason, Engine, Handshake, Payload, RoomName};

#[test]
fn handles_of_one_room_are_equal_and_of_others_are_not() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let lobby = world.room("lobby").unwrap();
    assert_eq!(lobby, world.room("lobby").unwrap());
    assert_eq!(lobby, lobby.clone());
    assert_ne!(lobby, world.room("attic").unwrap());
    assert_ne!(lobby, engine.of("/other").unwrap().room("lobby").unwrap());
    assert_eq!(RoomName::from(&lobby), *lobby.name());
}

#[test]
fn handles_print_what_they_stand_for() {
    let world = Engine::new().of("/world").unwrap();
    let room = format!("{:?}", world.room("lobby").unwrap());
    assert!(room.contains("/world") && room.contains("lobby"), "{room}");

    let (socket, mut inbox) = world.connect();
    let open = format!("{inbox:?}");
    assert!(open.contains(&format!("{:?}", socket.id())) && open.contains("None"), "{open}");
    socket.disconnect(DisconnectReason::Server);
    inbox.drain(|_| {});
    let closed = format!("{inbox:?}");
    assert!(closed.contains("Server"), "{closed}");

    let step = world.event("step").unwrap();
    assert_eq!((step.to_string(), format!("{step:?}")), ("step".into(), r#"EventHandle("step")"#.into()));
    let listener = world.on("step", |_, _: Payload| {}).unwrap();
    assert_eq!(format!("{listener:?}"), "ListenerId(..)");

    let (connection, mut outbox) = Engine::new().connect(());
    assert_eq!(format!("{outbox:?}"), "Outbox { sockets: 0, closed: None }");
    connection.close(DisconnectReason::Transport);
    outbox.drain(|_| {});
    let closed = format!("{outbox:?}");
    assert!(closed.contains("Transport"), "{closed}");
}

#[test]
fn what_handlers_are_given_prints_without_what_is_secret_in_it() {
    let handshake = Handshake::new().with("agent", "test").with_data("a password");
    let shown = format!("{handshake:?}");
    assert!(shown.contains(r#"("agent", "test")"#) && shown.contains("data: true"), "{shown}");
    assert!(!shown.contains("password") && format!("{:?}", Handshake::new()).contains("data: false"));

    let (engine, shown) = (Engine::new(), Arc::new(Mutex::new(Vec::new())));
    let world = engine.of("/world").unwrap();
    let say = {
        let shown = Arc::clone(&shown);
        move |text| shown.lock().unwrap().push(text)
    };
    world.deferred_middleware({
        let say = say.clone();
        move |_, decision| {
            say(format!("{decision:?}"));
            decision.accept();
        }
    });
    let answer = move |_: &_, _: Payload, ack: AckSender| {
        say(format!("{ack:?}"));
        ack.send(()).unwrap();
        say(format!("{ack:?}"));
    };
    world.on_with_ack("ask", answer).unwrap();
    let client = Client::new(&engine);
    let _ack = client.socket("/world", ()).unwrap().emit_with_ack("ask", ()).unwrap();
    while client.poll() > 0 {}
    let [wanted, sent] = [true, false].map(|is_wanted| format!("AckSender {{ is_wanted: {is_wanted} }}"));
    assert_eq!(*shown.lock().unwrap(), ["Decision(..)".to_owned(), wanted, sent]);
}

#[test]
fn a_value_that_is_made_while_another_is_stays() {
    let table = Engine::new().of("/world").unwrap().room("table").unwrap();
    let made = table.data_or_insert_with(|| {
        assert_eq!(*table.data_or_insert_with(|| 1_u32), 1);
        2_u32
    });
    assert_eq!((*made, table.data::<u32>().as_deref()), (1, Some(&1)));
}

#[test]
fn an_inbox_is_what_a_loop_goes_over() {
    let (socket, mut inbox) = Engine::new().of("/world").unwrap().connect();
    for n in ["1", "2"] {
        socket.emit("n", n).unwrap();
    }
    let mut seen = Vec::new();
    for message in &mut inbox {
        seen.push(message.payload().as_str().unwrap().to_owned());
    }
    assert_eq!((seen, inbox.drain(|_| {})), (vec!["1".into(), "2".into()], 0));
}

#[test]
fn a_room_keeps_the_first_value_of_a_type_until_it_is_removed() {
    let world = Engine::new().of("/world").unwrap();
    let table = world.room("table").unwrap();
    assert_eq!(table.remove_data::<u32>(), None);
    let first = table.data_or_insert_with(|| 7_u32);
    let again = world.room("table").unwrap().data_or_insert_with(|| 8_u32);
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(table.set_data(9_u32).as_deref(), Some(&7));
    assert_eq!(table.data::<u64>(), None, "another type is another value");
    assert_eq!(table.remove_data::<u32>().as_deref(), Some(&9));
    assert_eq!(table.data::<u32>(), None);
}
