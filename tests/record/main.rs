//! What is recorded is replayed: the same deliveries, to the same sockets, at the same places; and a file that is not whole
//! is good up to where it is.

mod files;
mod program;
mod seen;
mod texts;
mod threads;
mod uses;

#[path = "../determinism/program.rs"]
mod everything;

use roomcast::{Engine, Recording};

use seen::{drain, replay};

fn record(engine: &Engine) -> Recording<Vec<u8>> {
    engine.record(Vec::new()).unwrap()
}

/// How many programs are drawn.
fn cases(few: u64) -> u64 {
    std::env::var("ROOMCAST_CASES").map_or(few, |cases| cases.parse().unwrap())
}

#[test]
fn programs_are_delivered_the_same_a_second_time() {
    let mut handed = 0;
    for seed in 0..cases(60) {
        let engine = program::engine();
        let recording = record(&engine);
        let seen = program::run(&engine, seed, 600, true);
        let file = recording.finish().unwrap();
        let again = replay(&file);
        // Of sockets of clients that were disconnected, the program has not seen all.
        let all = again.all();
        let mut rest = all.iter();
        for (place, line) in seen.all().iter().enumerate() {
            assert!(rest.any(|other| other == line), "seed {seed}, delivery {place}: {line:?}");
        }
        handed += all.len();
        // Written again from its replay's trace, nothing is different either.
        assert_eq!(replay(&file).all(), all);
    }
    assert!(handed > 10_000, "{handed}");
}

#[test]
fn what_the_engine_has_beside_is_in_what_it_comes_to() {
    for seed in 1..=cases(4) {
        let mut recording = None;
        let trace = everything::trace(seed, |engine| recording = Some(record(engine)));
        let file = recording.unwrap().finish().unwrap();
        let mut lines = Vec::new();
        let mut replay = roomcast::Replay::open(&file[..]).unwrap();
        let ended = replay.run(|_, delivery| {
            let read = (delivery, delivery.sequence(), delivery.via(), delivery.sender());
            lines.push(format!("read {read:?}"));
        });
        ended.unwrap_or_else(|error| panic!("{error}\n{}", seen::listing(&file)));
        let mut rest = lines.iter();
        let reads: Vec<_> = trace.lines().filter(|line| line.starts_with("read ")).collect();
        assert!(reads.len() > 100, "{}", reads.len());
        for read in reads {
            assert!(
                rest.any(|line| line == read),
                "{read}, {:?}",
                lines.iter().position(|line| line == read)
            );
        }
    }
}

#[test]
fn the_same_program_is_the_same_file() {
    let files = [(); 2].map(|()| {
        let engine = program::engine();
        let recording = record(&engine);
        program::run(&engine, 7, 400, true);
        recording.finish().unwrap()
    });
    assert!(files[0] == files[1]);
}

#[test]
fn nobody_who_loses_nothing_notices_that_an_engine_is_recorded() {
    let engine = || Engine::builder().volatile_backlog(3).build();
    let mut lossless = 0;
    for seed in 0..cases(20) {
        let recorded = engine();
        let recording = record(&recorded);
        let seen = program::run(&recorded, seed, 600, false).all();
        let alone = program::run(&engine(), seed, 600, false).all();
        // Where something is lost, it may be a segment more or less.
        if alone.iter().any(|(_, line)| line.contains("Some(Gap")) {
            continue;
        }
        lossless += 1;
        let differs = seen.iter().zip(&alone).enumerate().find(|(_, (seen, alone))| seen != alone);
        assert!(seen == alone, "seed {seed}: {differs:#?}");
        drop(recording);
    }
    assert!(lossless > cases(20) / 2, "{lossless} programs that lost nothing");
}

#[test]
fn what_is_left_is_in_the_inboxes() {
    let engine = Engine::new();
    let recording = record(&engine);
    let world = engine.of("/world").unwrap();
    let (ann, mut inbox) = world.connect();
    world.emit("news", "one").unwrap();
    drain(&seen::Seen::default(), &mut inbox);
    world.emit("news", "two").unwrap();
    let file = recording.finish().unwrap();
    let mut replay = roomcast::Replay::open(&file[..]).unwrap();
    replay.run(|_, _| {}).unwrap();
    let [mut left, mut again] = [Vec::new(), Vec::new()];
    inbox.drain(|delivery| left.push(seen::line(delivery)));
    replay.inbox(ann.id()).unwrap().drain(|delivery| again.push(seen::line(delivery)));
    assert_eq!((left.len(), &left), (1, &again));
    assert_eq!(replay.engine().get("/world").unwrap().socket_ids(), world.socket_ids());
}
