//! Questions to a room: everybody is asked, and has some seconds to say yes or no.

use std::time::Duration;

use roomcast::{AckSender, Acks, Answers, Socket};

use super::protocol::{ASKED, Ask, Asked, MAX_QUESTION, MAX_SECONDS, OUTCOME, Outcome, Refused, check_text};
use super::user::{User, answer, check_member};

/// Asks the others in a room. Whoever asked is answered when it is decided, and the room is told.
pub(super) fn ask(socket: &Socket, ask: Ask, ack: AckSender) {
    let asked = Asked {
        room: ask.room,
        from: User::of(socket).name.clone(),
        question: ask.question,
        seconds: ask.seconds,
    };
    match put(socket, &asked) {
        Ok(acks) => {
            let socket = socket.clone();
            acks.on_done(move |answers| decide(&socket, asked, &answers, &ack));
        }
        Err(refused) => answer(&ack, &refused),
    }
}

fn put(socket: &Socket, asked: &Asked) -> Result<Acks, Refused> {
    check_member(socket, &asked.room)?;
    check_text(&asked.question, MAX_QUESTION)?;
    if !(1..=MAX_SECONDS).contains(&asked.seconds) {
        return Err(Refused::new("bad-time", format!("there are 1 to {MAX_SECONDS} seconds to answer")));
    }
    let user = User::of(socket);
    if user.set_asking(true) {
        return Err(Refused::new("already-asking", "a question of yours is open: one at a time"));
    }
    let acks = socket.to(&asked.room).emit_with_ack(ASKED, asked).inspect_err(|_| {
        user.set_asking(false);
    })?;
    Ok(acks.timeout(Duration::from_secs(asked.seconds)))
}

fn decide(socket: &Socket, asked: Asked, answers: &Answers, ack: &AckSender) {
    let said = |wanted| answers.answered().filter(|(_, answer)| answer.decode() == Ok(wanted)).count();
    let (yes, no) = (said(true), said(false));
    let Asked { room, from, question, .. } = asked;
    // What is neither is as good as none.
    let outcome = Outcome { room, from, question, yes, no, silent: answers.len() - yes - no };
    User::of(socket).set_asking(false);
    // Fails only when the engine is closed.
    let _ = socket.namespace().to(&outcome.room).except(socket.id()).emit(OUTCOME, &outcome);
    answer(ack, &outcome);
}
