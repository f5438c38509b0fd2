//! What agents hear, held against what they must hear by where they are; and that a seed tells all.

use arena::grid::Vector;
use arena::options::Options;
use arena::sim::{Counts, STALL, Simulation};
use clap::Parser;

fn options(arguments: &str) -> Options {
    Options::parse_from(["arena"].into_iter().chain(arguments.split(' ')))
}

/// How many of those who speak in the next tick each agent is to hear, by the distance of their cells alone.
fn expected(simulation: &Simulation) -> Vec<u64> {
    let side = simulation.grid().side() as i32;
    let cells: Vec<_> = simulation.bodies().iter().map(|body| body.place() / arena::grid::CELL).collect();
    let is_near = |a: i32, b: i32| [0, 1, side - 1].contains(&(a - b).abs());
    let hears = |(me, here): (usize, &Vector)| {
        let speaks = |other: &usize| simulation.turns().speaks(*other as u32);
        let others = (0..cells.len()).filter(|other| *other != me).filter(speaks);
        others.filter(|other| is_near(here.x, cells[*other].x) && is_near(here.y, cells[*other].y)).count()
            as u64
    };
    cells.iter().enumerate().map(hears).collect()
}

#[test]
fn each_agent_hears_what_is_said_around_it_and_nothing_else() {
    for arguments in
        ["--agents 1", "--agents 9 --every 1", "--agents 300 --every 1", "--agents 500 --threads 3 --seed 9"]
    {
        let mut simulation = Simulation::new(&options(arguments)).unwrap();
        let (mut sum, agents) = (Counts::default(), simulation.bodies().len());
        for _ in 0..150 {
            let expected = expected(&simulation);
            let speakers = (0..agents as u32).filter(|agent| simulation.turns().speaks(*agent)).count();
            let tick = simulation.tick();
            let heard: Vec<_> = simulation.heard().iter().map(|heard| heard.messages).collect();
            assert_eq!(heard, expected, "{arguments}, tick {}", simulation.ticks());
            assert_eq!(tick.counts.delivered, expected.iter().sum::<u64>());
            assert_eq!(tick.counts.published, speakers as u64);
            assert_eq!(tick.counts.max_backlog, expected.into_iter().max().unwrap());
            sum = sum.and(tick.counts);
        }
        assert_eq!((sum.gaps, sum.missed, sum.joins), (0, 0, sum.leaves), "{arguments}");
        // A map of three by three cells has no cell that is not around.
        assert_eq!(sum.joins > 100, agents > 9, "{arguments}: {} joins", sum.joins);
    }
}

/// The counts and the checksum of a whole run.
fn outcome(arguments: &str) -> (Counts, u64) {
    let options = options(arguments);
    let mut simulation = Simulation::new(&options).unwrap();
    let ticks = (0..options.ticks.unwrap()).map(|_| simulation.tick().counts);
    let counts = ticks.fold(Counts::default(), Counts::and).and(simulation.finish());
    (counts, simulation.checksum())
}

#[test]
fn a_seed_tells_all_whatever_the_number_of_threads() {
    for arguments in [
        "--agents 2000 --ticks 100",
        "--agents 1000 --ticks 60 --every 1",
        "--agents 400 --ticks 650 --every 1 --stalled 25 --backlog 16",
    ] {
        let one = outcome(&format!("{arguments} --seed 5"));
        assert!(one.0.delivered > 10_000, "{arguments}: {one:?}");
        assert_eq!(one.0.missed > 0, arguments.contains("stalled"), "{arguments}: {one:?}");
        for threads in [1, 2, 4] {
            assert_eq!(outcome(&format!("{arguments} --seed 5 --threads {threads}")), one, "{arguments}");
        }
        let other = outcome(&format!("{arguments} --seed 6 --threads 4"));
        assert_ne!(other.1, one.1, "{arguments}");
        assert_ne!(other.0, one.0, "{arguments}");
    }
}

#[test]
fn those_who_stall_are_told_what_they_lost_and_nobody_else_loses() {
    let options = options("--agents 300 --every 1 --stalled 10 --backlog 64");
    let mut simulation = Simulation::new(&options).unwrap();
    let mut published_for = vec![0; simulation.bodies().len()];
    let (mut heard, mut missed, mut gaps) = (vec![0; published_for.len()], vec![0; published_for.len()], 0);
    for tick in 0..STALL + 100 {
        published_for.iter_mut().zip(expected(&simulation)).for_each(|(sum, now)| *sum += now);
        simulation.tick();
        if tick == STALL + 99 {
            break;
        }
        for (agent, now) in simulation.heard().iter().enumerate() {
            heard[agent] += now.messages;
            missed[agent] += now.missed;
            gaps += now.gaps;
        }
    }
    let last = simulation.heard().to_vec();
    simulation.finish();
    for (agent, (last, rest)) in last.iter().zip(simulation.heard()).enumerate() {
        heard[agent] += last.messages + rest.messages;
        missed[agent] += last.missed + rest.missed;
        let stalls = agent % 100 < 10;
        assert_eq!(missed[agent] > 0, stalls, "{agent}: {} of {}", missed[agent], published_for[agent]);
        // What is told of a room that was left since may count the agent's own messages.
        let (told, most) = (heard[agent] + missed[agent], published_for[agent] + simulation.ticks());
        assert!((published_for[agent]..=most).contains(&told), "{agent}: {told}");
        assert!(stalls || heard[agent] == published_for[agent], "{agent}");
    }
    assert!(gaps > 0);
}

#[test]
fn what_agents_hear_changes_where_they_go() {
    let (mut hearing, mut deaf) = ["", " --stalled 100"]
        .map(|more| Simulation::new(&options(&format!("--agents 400{more}"))).unwrap())
        .into();
    for _ in 0..100 {
        hearing.tick();
        deaf.tick();
    }
    let places =
        |simulation: &Simulation| simulation.bodies().iter().map(|body| body.place()).collect::<Vec<_>>();
    let same = places(&hearing).into_iter().zip(places(&deaf)).filter(|(a, b)| a == b).count();
    assert!(same < 40, "{same}");
}
