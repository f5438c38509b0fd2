//! What is made once, by the first of those who want it at the same time.

use std::sync::Arc as StdArc;

use loom::thread;

use super::{Token, all, explore};
use crate::hub::Hub;
use crate::sync::{Arc, AtomicUsize, OnceLock, Ordering};
use crate::{Codec, Engine, Inbox, Namespace, Payload, Target};

fn world() -> Namespace {
    Engine::new().of("/").unwrap()
}

fn message(number: u64) -> Payload {
    Payload::from(StdArc::new(Token::new(number)))
}

/// The numbers of all messages that can be drained now.
fn drain(inbox: &mut Inbox) -> Vec<u64> {
    let mut numbers = Vec::new();
    inbox.drain(|delivery| numbers.push(delivery.payload().downcast_ref::<Token>().unwrap().number));
    numbers
}

#[test]
fn what_is_set_is_seen_whole_and_set_once() {
    let outcomes = explore("set against set and get", 90, || {
        let once = Arc::new(OnceLock::new());
        let setters = [1, 2].map(|number| {
            let once = Arc::clone(&once);
            thread::spawn(move || once.set(Token::new(number)).is_ok())
        });
        let seen = once.get().map(|token| token.number);
        let [one, two] = setters.map(|setter| setter.join().unwrap());
        assert!(one != two);
        let set = once.get().unwrap().number;
        assert_eq!(set, if one { 1 } else { 2 });
        assert!(seen.is_none_or(|seen| seen == set));
        (seen.is_some(), one)
    });
    assert_eq!(outcomes, all([(false, false), (false, true), (true, false), (true, true)]));
}

#[test]
fn one_of_two_makers_makes_it() {
    let outcomes = explore("made against made", 35, || {
        let once = Arc::new(OnceLock::new());
        let made = Arc::new(AtomicUsize::new(0));
        let make = |number: u64| {
            let (once, made) = (Arc::clone(&once), Arc::clone(&made));
            move || {
                let token = once.get_or_init(|| {
                    made.fetch_add(1, Ordering::Relaxed);
                    Token::new(number)
                });
                token.number
            }
        };
        let other = thread::spawn(make(1));
        let mine = make(2)();
        assert_eq!((other.join().unwrap(), made.load(Ordering::Relaxed)), (mine, 1));
        mine
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn two_first_direct_messages_arrive() {
    let outcomes = explore("direct message against direct message", 100, || {
        let (socket, mut inbox) = world().connect();
        let other = thread::spawn({
            let socket = socket.clone();
            move || socket.emit("m", message(1)).unwrap()
        });
        socket.emit("m", message(2)).unwrap();
        other.join().unwrap();
        drain(&mut inbox)
    });
    assert_eq!(outcomes, all([vec![1, 2], vec![2, 1]]));
}

#[test]
fn two_who_want_an_encoding_get_one() {
    struct Counting(AtomicUsize);
    impl Codec for Counting {
        type Encoded = usize;
        fn encode(&self, _: &str, _: &Payload) -> usize {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
    }
    explore("encoded against encoded", 300, || {
        let codec = Arc::new(Counting(AtomicUsize::new(7)));
        let payload = message(1);
        let other = thread::spawn({
            let (codec, payload) = (Arc::clone(&codec), payload.clone());
            move || *payload.encoded("m", &*codec)
        });
        assert_eq!(*payload.encoded("m", &*codec), 7);
        assert_eq!(other.join().unwrap(), 7);
        assert_eq!(codec.0.load(Ordering::Relaxed), 8, "encoded once");
    });
}

#[test]
fn two_encodings_of_a_payload_have_a_place_each() {
    struct Name;
    impl Codec for Name {
        type Encoded = String;
        fn encode(&self, event: &str, _: &Payload) -> String {
            event.to_owned()
        }
    }
    explore("encoded against encoded under another name", 12, || {
        let payload = message(1);
        let other = thread::spawn({
            let payload = payload.clone();
            move || assert_eq!(*payload.encoded("a", &Name), "a")
        });
        assert_eq!(*payload.encoded("b", &Name), "b");
        other.join().unwrap();
        assert_eq!(format!("{:?}", payload.encodings()).matches('"').count(), 4);
    });
}

#[test]
fn two_who_keep_something_of_a_type_with_a_socket_keep_one() {
    let outcomes = explore("data made against data made", 30, || {
        let (socket, _inbox) = world().connect();
        let other = thread::spawn({
            let socket = socket.clone();
            move || socket.data_or_insert_with(|| Token::new(1)).number
        });
        let mine = socket.data_or_insert_with(|| Token::new(2)).number;
        assert_eq!(other.join().unwrap(), mine);
        mine
    });
    assert_eq!(outcomes, all([1, 2]));
}

#[test]
fn two_who_want_the_hub_find_one() {
    explore("hub made against hub made", 7, || {
        let world = world();
        let hub = |world: &Namespace| std::ptr::from_ref(Hub::of(world.core())).addr();
        let other = thread::spawn({
            let world = world.clone();
            move || hub(&world)
        });
        assert_eq!(hub(&world), other.join().unwrap());
    });
}

#[test]
fn two_emits_share_a_target() {
    explore("emit against emit to one target", 400, || {
        let world = world();
        let (socket, mut inbox) = world.connect();
        let target = StdArc::new(Target::new().to(socket.id()).except("nobody"));
        let other = thread::spawn({
            let (world, target) = (world.clone(), StdArc::clone(&target));
            move || world.target(&target).emit("m", message(1)).unwrap()
        });
        world.target(&target).emit("m", message(2)).unwrap();
        other.join().unwrap();
        let mut numbers = drain(&mut inbox);
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
    });
}
