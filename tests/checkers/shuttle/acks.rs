//! Answers: each that is awaited comes to one end, and whoever waits is told once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use roomcast::{Ack, AckError, Inbox, Payload, Socket};
use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::thread::yield_now;

use crate::rig::{all, explore, join, join_all, small, spawn, world};

const SECOND: Duration = Duration::from_secs(1);

/// Answers the next question.
fn answer(socket: &Socket, inbox: &mut Inbox, words: &str) -> bool {
    let asked =
        inbox.try_drain(|delivery| delivery.ack_id().map_or(ControlFlow::Continue(()), ControlFlow::Break));
    asked.break_value().is_some_and(|id| socket.answer(id, words))
}

/// What became of an answer, in a word.
fn word(answer: &Result<Payload, AckError>) -> &'static str {
    match answer {
        Ok(answer) => match answer.as_str() {
            Some("yes") => "yes",
            other => panic!("unexpected: {other:?}"),
        },
        Err(AckError::TimedOut) => "late",
        Err(AckError::Disconnected(_)) => "gone",
        Err(error) => panic!("unexpected: {error}"),
    }
}

/// One answers, one goes and one answers nothing, while the time runs out.
#[test]
fn all_who_are_asked_come_to_one_end() {
    fn scenario() -> [&'static str; 3] {
        let engine = small().build();
        let world = engine.of("/world").unwrap();
        let [mut answers, goes, silent] = [(); 3].map(|()| world.connect());
        let ids = [&answers, &goes, &silent].map(|(socket, _)| socket.id());
        let done = Arc::new(Mutex::new(Vec::new()));
        world.emit_with_ack("n", ()).unwrap().timeout(SECOND).on_done({
            let done = Arc::clone(&done);
            move |answers| done.lock().unwrap().push(answers)
        });
        let answerer = spawn(move || answer(&answers.0, &mut answers.1, "yes"));
        let goer = spawn(move || goes.0.disconnect("gone"));
        let tickers = [1, 2].map(|seconds| {
            let engine = engine.clone();
            spawn(move || engine.tick(SECOND * seconds))
        });
        join_all(tickers);
        join(goer);
        let was_wanted = join(answerer);
        let done = done.lock().unwrap();
        let [answers] = &done[..] else { panic!("told {} times", done.len()) };
        assert_eq!(answers.len(), 3);
        let words = ids.map(|id| word(answers.get(id).expect("each that was asked is listed")));
        assert_eq!(was_wanted, words[0] == "yes");
        words
    }
    let outcomes = explore(scenario);
    let outcome = |first, second| [first, second, "late"];
    assert_eq!(
        outcomes,
        all([
            outcome("yes", "gone"),
            outcome("yes", "late"),
            outcome("late", "gone"),
            outcome("late", "late")
        ])
    );
}

/// One waits, in a way of its own, for an answer that comes, or cannot come any more, or comes too late.
fn wait_for_an_answer(wait: fn(Ack) -> Result<Payload, AckError>) -> &'static str {
    let engine = small().build();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    let ack = socket.emit_with_ack("n", ()).unwrap().timeout(SECOND);
    let waiter = spawn(move || wait(ack));
    let ticker = spawn(move || engine.tick(SECOND));
    let goer = spawn({
        let socket = socket.clone();
        move || socket.disconnect("gone")
    });
    let was_wanted = answer(&socket, &mut inbox, "yes");
    join(ticker);
    join(goer);
    let word = word(&join(waiter));
    assert_eq!(was_wanted, word == "yes");
    word
}

#[test]
fn a_thread_that_waits_for_an_answer_is_woken_by_whatever_ends_it() {
    fn scenario() -> &'static str {
        wait_for_an_answer(Ack::wait)
    }
    assert_eq!(explore(scenario), all(["gone", "late", "yes"]));
}

#[test]
fn a_task_that_waits_for_an_answer_is_woken_by_whatever_ends_it() {
    fn scenario() -> &'static str {
        wait_for_an_answer(block_on)
    }
    assert_eq!(explore(scenario), all(["gone", "late", "yes"]));
}

/// Whom a question is for is who was in the room at that moment: whoever gets it counts, and nobody else.
#[test]
fn who_is_asked_is_who_gets_the_question() {
    fn scenario() -> usize {
        let world = world();
        let [stays, leaves, comes] = [(); 3].map(|()| world.connect());
        for (socket, _) in [&stays, &leaves] {
            socket.join("room").unwrap();
        }
        let leaver = spawn(move || {
            leaves.0.leave("room").unwrap();
            leaves
        });
        let comer = spawn(move || {
            comes.0.join("room").unwrap();
            comes
        });
        let acks = world.to("room").emit_with_ack("n", ()).unwrap();
        let expected = acks.expected();
        let others = join_all([leaver, comer]);
        let answered = [stays].into_iter().chain(others).filter_map(|(socket, mut inbox)| {
            let id = socket.id();
            answer(&socket, &mut inbox, "yes").then_some(id)
        });
        let answered: Vec<_> = answered.collect();
        assert!(acks.is_done(), "{answered:?} of {expected}");
        let answers = acks.cancel();
        assert!(answers.is_complete());
        assert_eq!(answers.answered().map(|(id, _)| id).collect::<Vec<_>>(), answered);
        expected
    }
    assert_eq!(explore(scenario), all([1, 2, 3]));
}

/// Two threads answer the same question, one gives the waiting up.
#[test]
fn an_answer_counts_once() {
    fn scenario() -> (&'static str, usize) {
        let world = world();
        let (socket, mut inbox) = world.connect();
        let ack = socket.emit_with_ack("n", ()).unwrap();
        let mut id = None;
        inbox.drain(|delivery| id = delivery.ack_id());
        let id = id.unwrap();
        let answerers = [(); 2].map(|()| {
            let socket = socket.clone();
            spawn(move || socket.answer(id, "yes"))
        });
        yield_now();
        let word = word(&ack.cancel());
        let wanted = join_all(answerers).into_iter().filter(|wanted| *wanted).count();
        assert_eq!(wanted, usize::from(word == "yes"));
        (word, wanted)
    }
    assert_eq!(explore(scenario), all([("late", 0), ("yes", 1)]));
}
