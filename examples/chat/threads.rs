//! The chat on many threads, and a check of everything that arrives.

use std::error::Error;
use std::io::Write;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use roomcast::{Backlog, DisconnectReason, Engine, Message, RoomName};

use crate::chat::{Chat, ChatError, Line, User, event};

const USERS: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const ROOMS: [&str; 4] = ["general", "games", "music", "lounge"];

/// Whom a line is for.
enum Audience {
    Room(&'static str),
    User(usize),
}

/// What a thread brings home.
#[derive(Clone)]
struct Report {
    /// All that its user received, in order.
    heard: Vec<Message>,
    /// Why that ended.
    closed: DisconnectReason,
}

/// Each user is in two rooms.
fn rooms(user: usize) -> [&'static str; 2] {
    [ROOMS[user % ROOMS.len()], ROOMS[(user + 1) % ROOMS.len()]]
}

/// A user's lines go to its two rooms in turn, and every tenth to the next user alone.
fn audience(user: usize, number: usize) -> Audience {
    if number % 10 == 9 {
        Audience::User((user + 1) % USERS.len())
    } else {
        Audience::Room(rooms(user)[number % 2])
    }
}

/// Has each user say `lines` lines on a thread of its own, and checks who heard what.
pub(crate) fn run(out: &mut impl Write, lines: usize) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let reports = converse(lines)?;
    let elapsed = started.elapsed();
    check(&reports, lines)?;
    write_table(out, &reports, lines)?;
    let heard: usize = reports.iter().map(|report| report.heard.len()).sum();
    writeln!(out, "\n{} threads, all ended, in {:.1} ms.", reports.len(), elapsed.as_secs_f64() * 1e3)?;
    writeln!(out, "{heard} messages checked: each arrived at all whom it was for and at nobody else, once,")?;
    writeln!(out, "in the order in which its sender sent them, and in one order for all in a room.")?;
    Ok(())
}

/// Runs all threads from beginning to end.
fn converse(lines: usize) -> Result<Vec<Report>, Box<dyn Error>> {
    // A thread may get no time before all others are done: then its rooms hold all that they said.
    let backlog = Backlog::new().messages(USERS.len() * (lines + 1))?;
    let chat = Chat::open(Engine::builder().backlog(backlog).build())?;
    let admin = chat.connect_admin();
    let mut users = Vec::new();
    for (index, name) in USERS.into_iter().enumerate() {
        let mut user = chat.connect(name)?;
        for room in rooms(index) {
            user.join(room)?;
        }
        users.push(user);
    }
    thread::scope(|scope| {
        let (gate, start) = bounded(0);
        let (done, all_done) = unbounded();
        let users = users.into_iter().enumerate();
        let threads: Vec<_> = users
            .map(|(index, user)| {
                let (start, done) = (start.clone(), done.clone());
                scope.spawn(move || live(index, user, lines, &start, done))
            })
            .collect();
        drop(gate); // they all start now
        drop(done); // and when each has dropped its own, this ends, even if one has failed:
        let said: usize = all_done.iter().sum();
        let announced = admin.announce(&format!("closing time, after {said} lines"));
        // Every thread reads what was sent before, and then learns that it is over.
        chat.close();
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked"));
        let reports = ended.map(|report| Ok(report??)).collect::<Result<_, Box<dyn Error>>>()?;
        announced?;
        Ok(reports)
    })
}

/// The life of a thread: speak, reading what there is in between; then listen until the chat closes.
fn live(
    index: usize,
    mut user: User,
    lines: usize,
    start: &Receiver<()>,
    done: Sender<usize>,
) -> Result<Report, ChatError> {
    // Nothing is ever sent: waiting ends when the gate is dropped.
    let _ = start.recv();
    let mut heard = Vec::new();
    for number in 0..lines {
        let text = number.to_string();
        match audience(index, number) {
            Audience::Room(room) => {
                user.say_in(&RoomName::from(room), &text)?;
            }
            Audience::User(other) => user.whisper(USERS[other], &text)?,
        }
        user.read(|delivery| heard.push(delivery.to_message()));
    }
    let _ = done.send(lines); // the receiver outlives all threads
    drop(done);
    loop {
        match user.wait() {
            Ok(delivery) => heard.push(delivery.to_message()),
            Err(closed) => return Ok(Report { heard, closed: closed.reason }),
        }
    }
}

/// Checks that everyone heard exactly what they should.
fn check(reports: &[Report], lines: usize) -> Result<(), String> {
    for (listener, report) in reports.iter().enumerate() {
        let name = USERS[listener];
        let mut expected = 0;
        for (speaker, by) in USERS.into_iter().enumerate() {
            // All lines of a speaker, over rooms and whispers alike, in the order of speaking.
            let should = lines_for(listener, speaker, lines);
            let did: Vec<_> = lines_of(report).filter(|(from, ..)| *from == by).collect();
            if let Some(at) = (0..should.len().max(did.len())).find(|&at| did.get(at) != should.get(at)) {
                let (did, should) = (did.get(at), should.get(at));
                return Err(format!("{name} heard {did:?} where {should:?} was due"));
            }
            expected += should.len();
        }
        // Users joined one after the other: each sees those join who come later.
        let later = (listener + 1..USERS.len()).flat_map(rooms);
        let joins = later.filter(|room| rooms(listener).contains(room)).count();
        for (event, due) in [(event::JOINED, joins), (event::NOTE, 2), (event::ANNOUNCED, 1)] {
            let count = events(report, event);
            if count != due {
                return Err(format!("{name} got {count} {event:?} where {due} were due"));
            }
            expected += due;
        }
        if report.heard.len() != expected {
            return Err(format!("{name} got {} messages where {expected} were due", report.heard.len()));
        }
        if report.closed != DisconnectReason::Shutdown {
            return Err(format!("{name} was disconnected for another reason: {}", report.closed));
        }
    }
    for room in ROOMS {
        let members: Vec<_> = (0..USERS.len()).filter(|&user| rooms(user).contains(&room)).collect();
        for (a, b) in members.iter().flat_map(|&a| members.iter().map(move |&b| (a, b))) {
            // Nobody hears themselves: compare what both heard.
            let heard = |listener: usize| {
                let lines = lines_of(&reports[listener]);
                lines.filter(move |(from, _, by)| *by == Some(room) && *from != USERS[a] && *from != USERS[b])
            };
            if !heard(a).eq(heard(b)) {
                return Err(format!("{} and {} saw different orders in #{room}", USERS[a], USERS[b]));
            }
        }
    }
    Ok(())
}

/// The lines that a listener should hear of a speaker, as [`lines_of`] gives them.
fn lines_for(
    listener: usize,
    speaker: usize,
    lines: usize,
) -> Vec<(&'static str, String, Option<&'static str>)> {
    let lines = (0..lines).filter_map(|number| {
        let room = match audience(speaker, number) {
            Audience::Room(room) if listener != speaker && rooms(listener).contains(&room) => Some(room),
            Audience::User(other) if other == listener => None,
            _ => return None,
        };
        Some((USERS[speaker], number.to_string(), room))
    });
    lines.collect()
}

/// The lines that were heard: from whom, the text, and by which room unless it was whispered.
fn lines_of(report: &Report) -> impl Iterator<Item = (&str, String, Option<&str>)> {
    report.heard.iter().filter_map(|message| {
        let line = message.payload().downcast_ref::<Line>()?;
        Some((&*line.from, line.text.clone(), message.room().and_then(RoomName::as_str)))
    })
}

fn events(report: &Report, event: &str) -> usize {
    report.heard.iter().filter(|message| message.event() == event).count()
}

fn write_table(out: &mut impl Write, reports: &[Report], lines: usize) -> std::io::Result<()> {
    writeln!(out, "user   rooms               said  heard in rooms  whispered to  joins seen  announced")?;
    for (user, report) in reports.iter().enumerate() {
        let rooms = rooms(user).map(|room| format!("#{room}")).join(" ");
        let [heard, whispers, joins, announced] =
            [event::SAID, event::WHISPERED, event::JOINED, event::ANNOUNCED]
                .map(|event| events(report, event));
        writeln!(
            out,
            "{:<6} {rooms:<16} {lines:>7} {heard:>15} {whispers:>13} {joins:>11} {announced:>10}",
            USERS[user]
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_hears_all_and_ends() {
        let mut out = Vec::new();
        run(&mut out, 200).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("\nalice  #general #games      200 "), "{out}");
        assert!(out.contains("\n8 threads, all ended, in "), "{out}");
    }

    #[test]
    fn a_chat_in_which_nobody_speaks_ends_too() {
        let reports = converse(0).unwrap();
        check(&reports, 0).unwrap();
        assert!(reports.iter().all(|report| lines_of(report).next().is_none()));
    }

    #[test]
    fn the_check_finds_every_kind_of_mistake() {
        let good = converse(30).unwrap();
        check(&good, 30).unwrap();
        let is_said = |message: &Message| message.event() == event::SAID;
        let at = good[3].heard.iter().rposition(is_said).unwrap();
        let first = good[3].heard.iter().position(is_said).unwrap();
        let mistakes: [&dyn Fn(&mut Report); 6] = [
            &|report| drop(report.heard.remove(at)),
            &|report| report.heard.insert(at, report.heard[at].clone()),
            &|report| report.heard.swap(first, at),
            &|report| report.heard.retain(|message| message.event() != event::ANNOUNCED),
            &|report| report.heard.extend(good[4].heard.last().cloned()),
            &|report| report.closed = DisconnectReason::Server,
        ];
        for (number, mistake) in mistakes.into_iter().enumerate() {
            let mut bad = good.clone();
            mistake(&mut bad[3]);
            assert!(check(&bad, 30).is_err(), "mistake {number} went unnoticed");
        }
    }

    #[test]
    fn the_check_finds_a_room_seen_in_two_orders() {
        let mut reports = converse(2).unwrap();
        check(&reports, 2).unwrap();
        // One line each of two who have only this room in common with the listener: exchanged, they are
        // right in number and in the order of each speaker.
        let heard = &mut reports[0].heard;
        let from = |name: &str| {
            let is_from = |line: &Line| *line.from == *name;
            heard.iter().position(|message| message.payload().downcast_ref().is_some_and(is_from)).unwrap()
        };
        let (bob, frank) = (from("bob"), from("frank"));
        heard.swap(bob, frank);
        let error = check(&reports, 2).unwrap_err();
        assert!(error.contains("different orders in #games"), "{error}");
    }
}
