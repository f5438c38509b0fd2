//! One client: it connects, joins its rooms, speaks when it is its turn, and listens all the time.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::inbound::{Inbound, Names, Said, Words, Wrong};
use crate::packet::{self, Packet};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::transport::{Transport, TransportError};

/// What all clients of a run have in common.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) address: SocketAddr,
    pub(crate) plan: Plan,
    pub(crate) names: Names,
    pub(crate) progress: Progress,
    /// How many may be connecting and joining at the same time.
    pub(crate) ramp: Semaphore,
    /// What all are to do. Speaking begins when everybody has joined, so that it is certain who hears what.
    pub(crate) phase: watch::Sender<Phase>,
    /// Told by each client when it has done its part of a phase.
    pub(crate) done: mpsc::UnboundedSender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Join,
    /// Speak, on a schedule that begins at this time.
    Speak(Instant),
    /// Ask for something, and wait for the answer: it comes after all that was sent before, so that what comes
    /// twice is seen.
    Check,
    Leave,
}

/// Why a client could not do its part.
#[derive(Debug)]
pub(crate) enum Failure {
    Transport(TransportError),
    Refused(String),
    /// The server has disconnected it from the chat.
    Disconnected,
    /// The server says that messages are missing.
    Gap(String),
    /// It was asked for something, and the answer is an error.
    Error(String),
    /// An answer to what was not asked, or is answered already.
    Unasked(u64),
    Wrong(Wrong),
    Unreadable(String),
}

/// Does all that one client is to do.
pub(crate) async fn run(run: Arc<Run>, number: u32, expected: u64) -> Result<(), Failure> {
    let mut phase = run.phase.subscribe();
    let permit = run.ramp.acquire().await.expect("it is never closed");
    let mut client = Client::connect(&run, number).await?;
    client.join().await?;
    drop(permit);
    run.progress.joined.add(1);
    client.tell_done();

    let speaking = client.listen_until(&mut phase, |phase| matches!(phase, Phase::Speak(_))).await?;
    if let Phase::Speak(start) = speaking {
        client.speak(start, expected).await?;
    }
    client.tell_done();

    client.listen_until(&mut phase, |phase| *phase == Phase::Check).await?;
    client.check().await?;
    client.tell_done();

    client.listen_until(&mut phase, |phase| *phase == Phase::Leave).await?;
    client.leave().await
}

struct Client<'a> {
    run: &'a Run,
    number: u32,
    transport: Transport,
    inbound: Inbound<'a>,
    is_connected: bool,
    /// The time that messages are stamped with counts from here.
    start: Option<Instant>,
    /// What it has asked for and is not answered.
    asked: HashSet<u64>,
    next_id: u64,
}

impl<'a> Client<'a> {
    async fn connect(run: &'a Run, number: u32) -> Result<Self, Failure> {
        let begun = Instant::now();
        let transport = Transport::open(run.address, run.plan.is_polling(number)).await?;
        let inbound = Inbound::new(&run.plan, run.names, number);
        let (is_connected, start, asked) = (false, None, HashSet::new());
        let mut this = Self { run, number, transport, inbound, is_connected, start, asked, next_id: 0 };
        this.send(packet::connect(&run.names.client(number))).await?;
        while !this.is_connected {
            this.listen().await?;
        }
        run.progress.connecting.record(begun.elapsed());
        run.progress.connected.add(1);
        Ok(this)
    }

    async fn join(&mut self) -> Result<(), Failure> {
        for room in self.run.plan.rooms_of(self.number) {
            self.ask("join", self.run.names.room(room)).await?;
        }
        self.listen_until_answered().await
    }

    async fn speak(&mut self, start: Instant, expected: u64) -> Result<(), Failure> {
        self.start = Some(start);
        let plan = &self.run.plan;
        for number in 0..plan.messages() {
            let due = sleep_until(start + plan.due(self.number, number));
            tokio::pin!(due);
            loop {
                tokio::select! {
                    packet = self.transport.next(&self.run.progress) => self.take(packet?.as_ref()).await?,
                    () = &mut due => break,
                }
            }
            let room = self.run.names.room(plan.room_of(self.number, number));
            let text = Words { sender: self.number, number, at: start.elapsed() }.to_string();
            self.ask("say", serde_json::json!({ "room": room, "text": text })).await?;
            self.run.progress.said.add(1);
        }
        while self.inbound.count < expected {
            self.listen().await?;
        }
        self.listen_until_answered().await
    }

    async fn check(&mut self) -> Result<(), Failure> {
        self.ask("who", self.run.names.room(self.run.plan.room_of(self.number, 0))).await?;
        self.listen_until_answered().await
    }

    async fn leave(&mut self) -> Result<(), Failure> {
        self.send(packet::disconnect()).await?;
        self.send(packet::CLOSE.to_owned()).await
    }

    fn tell_done(&self) {
        // Fails only when the run is over.
        let _ = self.run.done.send(());
    }

    async fn send(&mut self, packet: String) -> Result<(), Failure> {
        Ok(self.transport.send(packet, &self.run.progress).await?)
    }

    async fn ask(&mut self, event: &str, data: impl serde::Serialize) -> Result<(), Failure> {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id);
        self.send(packet::event(id, event, data)).await
    }

    async fn listen_until_answered(&mut self) -> Result<(), Failure> {
        while !self.asked.is_empty() {
            self.listen().await?;
        }
        Ok(())
    }

    async fn listen_until(
        &mut self,
        phase: &mut watch::Receiver<Phase>,
        mut is_it: impl FnMut(&Phase) -> bool,
    ) -> Result<Phase, Failure> {
        let change =
            async { *phase.wait_for(|phase| is_it(phase)).await.expect("the run outlives its clients") };
        tokio::pin!(change);
        loop {
            tokio::select! {
                packet = self.transport.next(&self.run.progress) => self.take(packet?.as_ref()).await?,
                phase = &mut change => return Ok(phase),
            }
        }
    }

    async fn listen(&mut self) -> Result<(), Failure> {
        let packet = self.transport.next(&self.run.progress).await?;
        self.take(packet.as_ref()).await
    }

    async fn take(&mut self, packet: &str) -> Result<(), Failure> {
        match Packet::parse(packet).map_err(TransportError::from)? {
            Packet::Ping => self.send(packet::PONG.to_owned()).await?,
            Packet::Noop => {}
            Packet::Connected => self.is_connected = true,
            Packet::Event { name, data } => self.take_event(&name, data)?,
            Packet::Ack { id, data } => self.take_answer(id, data)?,
            Packet::Refused(why) => return Err(Failure::Refused(why.to_owned())),
            Packet::Disconnected => return Err(Failure::Disconnected),
            Packet::Close => return Err(TransportError::Closed(None).into()),
            Packet::Open(_) => {
                return Err(TransportError::Unexpected("a session that is opened twice").into());
            }
        }
        Ok(())
    }

    fn take_event(&mut self, name: &str, data: &RawValue) -> Result<(), Failure> {
        match name {
            "said" => {
                let said: Said<'_> = read(data)?;
                let words = self.inbound.take(&said).map_err(Failure::Wrong)?;
                let heard = self.start.map_or(Duration::ZERO, |start| start.elapsed());
                self.run.progress.latency.record(heard.saturating_sub(words.at));
                self.run.progress.delivered.add(1);
            }
            "gap" => return Err(Failure::Gap(data.get().to_owned())),
            _ => self.run.progress.noticed.add(1),
        }
        Ok(())
    }

    fn take_answer(&mut self, id: u64, data: &RawValue) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            error: Option<Cow<'a, str>>,
        }
        if !self.asked.remove(&id) {
            return Err(Failure::Unasked(id));
        }
        read::<Answer<'_>>(data)?.error.map_or(Ok(()), |error| Err(Failure::Error(error.into_owned())))
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, Failure> {
    serde_json::from_str(data.get()).map_err(|error| Failure::Unreadable(format!("{error}: {}", data.get())))
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "{error}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Disconnected => write!(f, "disconnected by the server"),
            Self::Gap(gap) => write!(f, "messages are missing: {gap}"),
            Self::Error(error) => write!(f, "answered with an error: {error}"),
            Self::Unasked(id) => write!(f, "answer {id} to what was not asked"),
            Self::Wrong(wrong) => write!(f, "got {wrong}"),
            Self::Unreadable(data) => write!(f, "got what cannot be read: {data}"),
        }
    }
}
