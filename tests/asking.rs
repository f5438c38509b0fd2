//! Who is asked by a message that wants an answer, as members come and go: those who are there at that moment, each once.
//! Nobody else's answer counts.

#[path = "common/random.rs"]
mod random;

use std::collections::BTreeSet;

use random::Random;
use roomcast::{AckError, Engine, Inbox, Namespace, Socket, SocketId};

const ROOMS: [&str; 3] = ["red", "green", "blue"];

fn any_room(random: &mut Random) -> &'static str {
    random.pick(&ROOMS).expect("there are some")
}

struct World {
    chat: Namespace,
    random: Random,
    sockets: Vec<(Socket, Inbox)>,
}

impl World {
    /// A socket comes, joins, leaves or goes.
    fn change(&mut self) {
        let Self { chat, random, sockets } = self;
        let place = random.below(sockets.len() as u32 + 1) as usize;
        let Some((socket, _)) = sockets.get(place) else { return sockets.push(chat.connect()) };
        match random.below(8) {
            0 => drop(sockets.swap_remove(place)),
            1..=3 => _ = socket.leave(any_room(random)).unwrap(),
            _ => _ = socket.join(any_room(random)).unwrap(),
        }
    }

    /// Asks one room or two, with or without a sender, and with or without one that is left out.
    fn ask(&mut self) {
        let Self { chat, random, sockets } = self;
        let mut one = |often| {
            let socket = random.pick(sockets).map(|(socket, _)| socket.clone());
            socket.filter(|_| random.one_in(often))
        };
        let (sender, left_out) = (one(2), one(3));
        let (room, other) = (any_room(random), random.one_in(3).then(|| any_room(random)));
        let mut whom = sender.as_ref().map_or_else(|| chat.to(room), |sender| sender.to(room));
        whom = other.into_iter().fold(whom, |whom, room| whom.to(room));
        whom = left_out.iter().fold(whom, |whom, socket| whom.except(socket.id()));
        let rooms = [Some(room), other];
        let members = rooms.into_iter().flatten().flat_map(|room| chat.members(room));
        let mut expected: BTreeSet<SocketId> = members.collect();
        for socket in [&sender, &left_out].into_iter().flatten() {
            expected.remove(&socket.id());
        }
        let asked = whom.emit_with_ack("ask", ()).unwrap();
        assert_eq!((asked.answered(), asked.expected()), (0, expected.len()));

        let mut answered = BTreeSet::new();
        for (socket, inbox) in sockets.iter_mut() {
            let mut question = None;
            inbox.drain(|delivery| question = delivery.ack_id());
            assert_eq!(question.is_some(), expected.contains(&socket.id()));
            if let Some(id) = question.filter(|_| random.one_in(2)) {
                assert!(socket.answer(id, "yes"));
                answered.insert(socket.id());
            }
        }
        let answers = asked.cancel();
        assert_eq!(answers.answered().map(|(socket, _)| socket).collect::<BTreeSet<_>>(), answered);
        let missing: Vec<_> = answers.missing().collect();
        assert!(missing.iter().all(|(_, why)| **why == AckError::TimedOut));
        let missing: Vec<_> = missing.into_iter().map(|(socket, _)| socket).collect();
        if other.is_none() {
            let is_missing = |id: &SocketId| expected.contains(id) && !answered.contains(id);
            assert_eq!(missing, chat.members(room).into_iter().filter(is_missing).collect::<Vec<_>>());
        }
        assert_eq!(answers.len(), expected.len());
        assert_eq!(missing.into_iter().collect::<BTreeSet<_>>(), &expected - &answered);
    }
}

#[test]
fn those_who_are_there_are_asked() {
    for seed in 1..=20 {
        let chat = Engine::new().of("/chat").unwrap();
        let mut world = World { chat, random: Random::new(seed), sockets: Vec::new() };
        for _ in 0..200 {
            (0..world.random.below(4)).for_each(|_| world.change());
            world.ask();
        }
    }
}

#[test]
fn so_are_all_and_so_is_one() {
    let chat = Engine::new().of("/chat").unwrap();
    let mut sockets = Vec::new();
    for number in 0..5 {
        sockets.push(chat.connect());
        assert_eq!(chat.emit_with_ack("ask", ()).unwrap().expected(), number + 1);
        let last = sockets[number].0.clone();
        for _ in 0..2 {
            let asked = chat.to(last.id()).emit_with_ack("ask", ()).unwrap().cancel();
            assert_eq!(asked.missing().map(|(socket, _)| socket).collect::<Vec<_>>(), [last.id()]);
        }
    }
    sockets.remove(2);
    let asked = chat.emit_with_ack("ask", ()).unwrap().cancel();
    let ids: Vec<_> = sockets.iter().map(|(socket, _)| socket.id()).collect();
    assert_eq!(asked.missing().map(|(socket, _)| socket).collect::<Vec<_>>(), ids);
}

#[test]
fn an_answer_of_one_that_was_not_asked_does_not_count() {
    let chat = Engine::new().of("/chat").unwrap();
    let [(ann, mut inbox), (bob, _bob), (cat, _cat)] = [(); 3].map(|()| chat.connect());
    [&ann, &bob].into_iter().for_each(|socket| _ = socket.join("room").unwrap());
    let asked = bob.to("room").emit_with_ack("ask", ()).unwrap();
    let mut id = None;
    inbox.drain(|delivery| id = delivery.ack_id());
    let id = id.unwrap();
    cat.join("room").unwrap();
    assert!(!bob.answer(id, "not me") && !cat.answer(id, "nor me"));
    assert!(ann.answer(id, "yes") && !ann.answer(id, "twice"));
    let answers = asked.wait();
    assert!(answers.is_complete() && answers.len() == 1);
    assert_eq!(answers.get(ann.id()).unwrap().as_ref().unwrap().as_str(), Some("yes"));
}
