//! A run: all clients through all phases, within its time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::client::{self, Failure, Phase, Run};
use crate::inbound::Names;
use crate::loopback;
use crate::options::Options;
use crate::plan::Plan;
use crate::process::Server;
use crate::progress::{Counter, Progress};
use crate::report::Report;

/// Files that are open beside connections.
const OTHER_FILES: u64 = 64;
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Runs all clients. An error is one of the set-up: everything else is in the report.
pub(crate) fn run(options: &Options) -> Result<Report, String> {
    raise_open_files(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads: {error}"))?;
    let outcome = runtime.block_on(load(options));
    // Clients that are cut off are not waited for.
    runtime.shutdown_background();
    outcome
}

/// A connection is an open file; a polling client has two, and a server that is started inherits the limit.
fn raise_open_files(options: &Options) -> Result<(), String> {
    let plan = Plan::new(options);
    let connections = u64::from(plan.clients()) + u64::from(plan.polling());
    let needed = connections + OTHER_FILES;
    let limit =
        rlimit::increase_nofile_limit(needed).map_err(|error| format!("the open file limit: {error}"))?;
    if limit < needed {
        return Err(format!(
            "{} clients need {needed} open files, and the limit is {limit}: raise it (ulimit -Hn), or take fewer",
            options.clients
        ));
    }
    Ok(())
}

async fn load(options: &Options) -> Result<Report, String> {
    let deadline = Instant::now() + options.limit();
    let (server, address) = match (&options.start, &options.url) {
        (Some(program), _) => {
            let started = timeout_at(deadline, Server::start(program)).await;
            let server = started.map_err(|_| "the server does not start in time".to_owned())??;
            let address = server.address;
            (Some(server), address)
        }
        (None, Some(url)) => (None, loopback::parse(url)?),
        (None, None) => return Err("there is no server to be put under load".to_owned()),
    };
    let mut crowd = Crowd::start(options, address);
    let problems = crowd.lead(deadline, options.seconds).await;
    let usage = server.as_ref().and_then(Server::usage);
    let Crowd { run, expected, connecting, speaking, .. } = &crowd;
    Ok(Report::new(options, &run.progress, *expected, *connecting, *speaking, usage, problems))
}

/// All clients, each in a task.
struct Crowd {
    run: Arc<Run>,
    expected: u64,
    clients: JoinSet<Result<(), (u32, Failure)>>,
    done: mpsc::UnboundedReceiver<()>,
    connecting: Duration,
    speaking: Duration,
}

impl Crowd {
    fn start(options: &Options, address: SocketAddr) -> Self {
        let (tell_done, done) = mpsc::unbounded_channel();
        let plan = Plan::new(options);
        let expected = plan.expected();
        let run = Arc::new(Run {
            address,
            plan,
            names: Names::of_this_run(),
            progress: Progress::default(),
            ramp: Semaphore::new(options.ramp as usize),
            phase: watch::Sender::new(Phase::Join),
            done: tell_done,
        });
        let mut clients = JoinSet::new();
        for (number, expected) in (0..).zip(&expected) {
            let client = client::run(Arc::clone(&run), number, *expected);
            clients.spawn(async move { client.await.map_err(|failure| (number, failure)) });
        }
        let expected = expected.iter().sum();
        Self { run, expected, clients, done, connecting: Duration::ZERO, speaking: Duration::ZERO }
    }

    /// Leads all clients through all phases, and returns what went wrong.
    async fn lead(&mut self, deadline: Instant, seconds: u64) -> Vec<String> {
        let run = Arc::clone(&self.run);
        let teller = tokio::spawn(tell_progress(Arc::clone(&run), self.expected));
        let outcome = timeout_at(deadline, self.all_phases()).await;
        teller.abort();
        let told = describe(&run.progress, self.expected);
        eprintln!("{told}");
        match outcome {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(problem)) => vec![problem],
            Err(_) => vec![format!("not done within {seconds} seconds: {told}")],
        }
    }

    async fn all_phases(&mut self) -> Result<(), String> {
        let start = Instant::now();
        self.all_done().await?;
        self.connecting = start.elapsed();

        let start = Instant::now();
        self.run.phase.send_replace(Phase::Speak(start));
        self.all_done().await?;
        self.speaking = start.elapsed();

        self.run.phase.send_replace(Phase::Check);
        self.all_done().await?;

        self.run.phase.send_replace(Phase::Leave);
        while let Some(ended) = self.clients.join_next().await {
            check(ended)?;
        }
        Ok(())
    }

    /// Waits until every client has done its part of a phase, or one cannot.
    async fn all_done(&mut self) -> Result<(), String> {
        for _ in 0..self.run.plan.clients() {
            tokio::select! {
                biased;
                Some(ended) = self.clients.join_next() => check(ended)?,
                _ = self.done.recv() => {}
            }
        }
        Ok(())
    }
}

fn check(ended: Result<Result<(), (u32, Failure)>, JoinError>) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err((number, failure))) => Err(format!("client {number}: {failure}")),
        Err(error) => Err(format!("a client: {error}")),
    }
}

async fn tell_progress(run: Arc<Run>, expected: u64) {
    let mut every = interval(PROGRESS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        eprintln!("{}", describe(&run.progress, expected));
    }
}

fn describe(progress: &Progress, expected: u64) -> String {
    let [connected, joined, said] = [&progress.connected, &progress.joined, &progress.said].map(Counter::get);
    let delivered = progress.delivered.get();
    format!("{connected} connected, {joined} joined, {said} said, {delivered} of {expected} delivered")
}
