//! The chat on many threads, one for each client, and a check of everything that arrives.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;
use roomcast::{Backlog, Client, ClientSocket, DisconnectReason, Engine, Shared};

use crate::admin::TOKEN;
use crate::protocol::{
    ADMIN, ANNOUNCE, ANNOUNCED, CHAT, Change, JOIN, Line, PRESENCE, Presence, Refused, Reply, SAID, SAY, Say,
    WHISPER, WHISPERED,
};
use crate::server::Server;

const USERS: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const ROOMS: [&str; 4] = ["general", "games", "music", "lounge"];

/// A client that hears nothing looks again after this time whether it is closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client, and what it has brought home so far.
struct Member {
    client: Client,
    chat: ClientSocket,
    report: Arc<Mutex<Report>>,
}

#[derive(Clone, Default)]
struct Report {
    /// The lines that were said or whispered to it, in order.
    heard: Vec<Shared<Line>>,
    joins: usize,
    announced: usize,
    /// What it was answered to its own lines: those said in rooms with their numbers, in order.
    delivered: Vec<(String, u64)>,
    seen: usize,
    refused: Vec<String>,
    /// Why that ended.
    closed: Option<DisconnectReason>,
}

/// Each user is in two rooms.
fn rooms(user: usize) -> [&'static str; 2] {
    [ROOMS[user % ROOMS.len()], ROOMS[(user + 1) % ROOMS.len()]]
}

/// A user's lines go to its two rooms in turn, and every tenth to the next user alone.
fn audience(user: usize, number: usize) -> Result<&'static str, usize> {
    if number % 10 == 9 { Err((user + 1) % USERS.len()) } else { Ok(rooms(user)[number % 2]) }
}

/// Has each user say `lines` lines on a thread of its own, and checks who heard what.
pub(crate) fn run(out: &mut impl Write, lines: usize) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let reports = converse(lines)?;
    let elapsed = started.elapsed();
    check(&reports, lines)?;
    write_table(out, &reports)?;
    let heard: usize = reports.iter().map(|report| report.heard.len()).sum();
    writeln!(out, "\n{} threads, all ended, in {:.1} ms.", reports.len(), elapsed.as_secs_f64() * 1e3)?;
    writeln!(out, "{heard} lines checked: each arrived at all whom it was for and at nobody else, once, in")?;
    writeln!(
        out,
        "the order of its sender, and in each room in the order of the numbers that the server gave."
    )?;
    Ok(())
}

/// Runs all threads from beginning to end.
fn converse(lines: usize) -> Result<Vec<Report>, Box<dyn Error>> {
    // A thread may get no time before all others are done: then its rooms hold all that they said.
    let backlog = Backlog::new().messages(2 * USERS.len() * (lines + 1))?;
    let server = Server::open(Engine::builder().backlog(backlog).build())?;
    let mut members = Vec::new();
    for (user, name) in USERS.into_iter().enumerate() {
        members.push(Member::connect(server.engine(), name, rooms(user))?);
    }
    // The first user is an admin too, on the same connection.
    let admin = members[0].client.socket(ADMIN, TOKEN)?;
    thread::scope(|scope| {
        let (gate, start) = bounded(0);
        let (done, all_done) = unbounded();
        let members = members.into_iter().enumerate();
        let threads: Vec<_> = members
            .map(|(user, member)| {
                let (start, done) = (start.clone(), done.clone());
                scope.spawn(move || member.live(user, lines, &start, done))
            })
            .collect();
        drop(gate); // they all start now
        drop(done); // and when each has dropped its own, this ends, even if one has failed:
        let said: usize = all_done.iter().sum();
        // This thread waits for the answer, and the admin's own polls it.
        let text = format!("closing time, after {said} lines");
        let announced =
            admin.emit_with_ack(ANNOUNCE, Arc::new(text)).map(|ack| ack.timeout(PATIENCE * 10).wait());
        // Every thread polls what was sent before, and then learns that it is over.
        server.close();
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked"));
        let reports = ended.map(|report| Ok(report?.map_err(|Refused(why)| why)?));
        let reports = reports.collect::<Result<_, Box<dyn Error>>>()?;
        match Reply::read(&announced??) {
            Reply::Done(_) => Ok(reports),
            other => Err(format!("the announcement was answered with {other:?}").into()),
        }
    })
}

impl Member {
    /// Connects a user, and has it join its rooms.
    fn connect(engine: &Engine, name: &str, rooms: [&str; 2]) -> Result<Self, Box<dyn Error>> {
        let client = Client::new(engine);
        let chat = client.socket(CHAT, name)?;
        let report = Arc::new(Mutex::new(Report::default()));
        let member = Self { client, chat, report };
        member.listen()?;
        for room in rooms {
            let ack = member.chat.emit_with_ack(JOIN, Arc::new(room.to_owned()))?;
            // Until it is connected the question waits; one poll connects it, the next brings the answer.
            while member.client.poll() > 0 {}
            match Reply::read(&ack.timeout(Duration::ZERO).wait()?) {
                Reply::Done(_) => {}
                other => return Err(format!("{name} cannot join #{room}: {other:?}").into()),
            }
        }
        Ok(member)
    }

    /// Notes what comes.
    fn listen(&self) -> Result<(), Box<dyn Error>> {
        let report = Arc::clone(&self.report);
        self.chat.on(SAID, move |_, line: Shared<Line>| report.lock().heard.push(line))?;
        let report = Arc::clone(&self.report);
        self.chat.on_with_ack(WHISPERED, move |_, line: Shared<Line>, ack| {
            report.lock().heard.push(line);
            // Fails if the server is gone.
            let _ = ack.send(());
        })?;
        let report = Arc::clone(&self.report);
        self.chat.on(PRESENCE, move |_, Shared(presence): Shared<Presence>| {
            report.lock().joins += usize::from(presence.change == Change::Joined);
        })?;
        let report = Arc::clone(&self.report);
        self.chat.on(ANNOUNCED, move |_, _: Shared<String>| report.lock().announced += 1)?;
        let report = Arc::clone(&self.report);
        self.chat.on_disconnect(move |_, reason| report.lock().closed = Some(reason.clone()));
        Ok(())
    }

    /// The life of a thread: speak, polling in between; then listen until the server closes.
    fn live(
        self,
        user: usize,
        lines: usize,
        start: &Receiver<()>,
        done: Sender<usize>,
    ) -> Result<Report, Refused> {
        // Nothing is ever sent: waiting ends when the gate is dropped.
        let _ = start.recv();
        for number in 0..lines {
            let text = number.to_string();
            let ack = match audience(user, number) {
                Ok(room) => self.chat.emit_with_ack(SAY, Arc::new(Say { to: room.to_owned(), text }))?,
                Err(other) => {
                    let say = Say { to: USERS[other].to_owned(), text };
                    self.chat.emit_with_ack(WHISPER, Arc::new(say))?
                }
            };
            let (report, text) = (Arc::clone(&self.report), number.to_string());
            ack.on_done(move |answer| {
                let mut report = report.lock();
                match answer.map(|payload| Reply::read(&payload)) {
                    Ok(Reply::Delivered { number, .. }) => report.delivered.push((text, number)),
                    Ok(Reply::Done(_)) => report.seen += 1,
                    Ok(Reply::Refused(why)) => report.refused.push(why),
                    Err(error) => report.refused.push(error.to_string()),
                }
            });
            self.client.poll();
        }
        while self.report.lock().answered() < lines {
            self.client.poll_timeout(PATIENCE);
        }
        let _ = done.send(lines); // the receiver outlives all threads
        drop(done);
        while self.report.lock().closed.is_none() {
            self.client.poll_timeout(PATIENCE);
        }
        let report = self.report.lock().clone();
        Ok(report)
    }
}

impl Report {
    fn answered(&self) -> usize {
        self.delivered.len() + self.seen + self.refused.len()
    }

    fn whispers(&self) -> usize {
        self.heard.iter().filter(|Shared(line)| line.room.is_none()).count()
    }
}

/// Checks that everyone heard exactly what they should, and was told so.
fn check(reports: &[Report], lines: usize) -> Result<(), String> {
    for (listener, report) in reports.iter().enumerate() {
        let name = USERS[listener];
        let mut expected = 0;
        for (speaker, by) in USERS.into_iter().enumerate() {
            // All lines of a speaker, over rooms and whispers alike, in the order of speaking.
            let should = lines_for(listener, speaker, lines);
            let did: Vec<_> =
                report.heard.iter().map(|Shared(line)| &**line).filter(|line| *line.from == *by).collect();
            if let Some(at) =
                (0..should.len().max(did.len())).find(|&at| did.get(at).copied() != should.get(at))
            {
                let (did, should) = (did.get(at), should.get(at));
                return Err(format!("{name} heard {did:?} where {should:?} was due"));
            }
            expected += should.len();
        }
        if report.heard.len() != expected {
            return Err(format!("{name} heard {} lines where {expected} were due", report.heard.len()));
        }
        // Users joined one after the other: each sees those join who come later.
        let later = (listener + 1..USERS.len()).flat_map(rooms);
        let joins = later.filter(|room| rooms(listener).contains(room)).count();
        let whispers = (0..lines).filter(|&number| audience(listener, number).is_err()).count();
        let said = lines - whispers;
        let counts = [
            ("joins", report.joins, joins),
            ("announcements", report.announced, 1),
            ("numbers", report.delivered.len(), said),
            ("acknowledged whispers", report.seen, whispers),
            ("refusals", report.refused.len(), 0),
        ];
        if let Some((what, did, should)) = counts.into_iter().find(|(_, did, should)| did != should) {
            return Err(format!("{name} got {did} {what} where {should} were due"));
        }
        if report.closed != Some(DisconnectReason::Shutdown) {
            return Err(format!("{name} was disconnected for another reason: {:?}", report.closed));
        }
    }
    check_numbers(reports)
}

/// Checks that no two lines have the same number, and that in each room everyone heard them in that order.
fn check_numbers(reports: &[Report]) -> Result<(), String> {
    let (mut numbers, mut taken) = (HashMap::new(), HashSet::new());
    for (name, report) in USERS.into_iter().zip(reports) {
        for (text, number) in &report.delivered {
            numbers.insert((name, text.as_str()), *number);
            if !taken.insert(*number) {
                return Err(format!("there are two lines of number {number}"));
            }
        }
    }
    for (name, report) in USERS.into_iter().zip(reports) {
        for room in ROOMS {
            let said = report.heard.iter().filter(|Shared(line)| line.room.as_deref() == Some(room));
            if !said.map(|Shared(line)| numbers.get(&(&*line.from, &*line.text))).is_sorted() {
                return Err(format!("{name} heard #{room} in another order than that of the numbers"));
            }
        }
    }
    Ok(())
}

/// The lines that a listener should hear of a speaker.
fn lines_for(listener: usize, speaker: usize, lines: usize) -> Vec<Line> {
    let lines = (0..lines).filter_map(|number| {
        let room = match audience(speaker, number) {
            Ok(room) if listener != speaker && rooms(listener).contains(&room) => Some(room.to_owned()),
            Err(other) if other == listener => None,
            _ => return None,
        };
        Some(Line { room, from: USERS[speaker].into(), text: number.to_string() })
    });
    lines.collect()
}

fn write_table(out: &mut impl Write, reports: &[Report]) -> std::io::Result<()> {
    writeln!(
        out,
        "user   rooms              numbered  heard in rooms  whispered to  seen  joins  announced"
    )?;
    for (user, report) in reports.iter().enumerate() {
        let rooms = rooms(user).map(|room| format!("#{room}")).join(" ");
        let (numbered, whispers) = (report.delivered.len(), report.whispers());
        let heard = report.heard.len() - whispers;
        writeln!(
            out,
            "{:<6} {rooms:<17} {numbered:>9} {heard:>15} {whispers:>13} {:>5} {:>6} {:>10}",
            USERS[user], report.seen, report.joins, report.announced
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
        assert!(out.contains("\nalice  #general #games         180 "), "{out}");
        assert!(out.contains("\n8 threads, all ended, in "), "{out}");
    }

    #[test]
    fn a_chat_in_which_nobody_speaks_ends_too() {
        let reports = converse(0).unwrap();
        check(&reports, 0).unwrap();
        assert!(reports.iter().all(|report| report.heard.is_empty()));
    }

    #[test]
    fn the_check_finds_every_kind_of_mistake() {
        let good = converse(30).unwrap();
        check(&good, 30).unwrap();
        let last = good[3].heard.len() - 1;
        let mistakes: [&dyn Fn(&mut Report); 9] = [
            &|report| drop(report.heard.remove(last)),
            &|report| report.heard.insert(last, report.heard[last].clone()),
            &|report| report.heard.swap(0, last),
            &|report| report.heard.extend(good[5].heard.last().cloned()),
            &|report| report.announced = 0,
            &|report| report.seen -= 1,
            &|report| report.refused.push("full".to_owned()),
            &|report| report.delivered[1].1 = report.delivered[0].1,
            &|report| report.closed = Some(DisconnectReason::Server),
        ];
        for (number, mistake) in mistakes.into_iter().enumerate() {
            let mut bad = good.clone();
            mistake(&mut bad[3]);
            assert!(check(&bad, 30).is_err(), "mistake {number} went unnoticed");
        }
    }

    #[test]
    fn the_check_finds_lines_in_another_order_than_that_of_their_numbers() {
        let mut reports = converse(2).unwrap();
        check(&reports, 2).unwrap();
        // Exchanged, lines of two speakers are still right in number and in the order of each speaker.
        let heard = &mut reports[0].heard;
        let from = |name: &str| heard.iter().position(|Shared(line)| *line.from == *name).unwrap();
        let (bob, frank) = (from("bob"), from("frank"));
        heard.swap(bob, frank);
        let error = check(&reports, 2).unwrap_err();
        assert!(error.contains("heard #games in another order"), "{error}");
    }
}
