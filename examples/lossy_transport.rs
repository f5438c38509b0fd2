//! A transport for games, over something like UDP: datagrams that get lost, come twice, and overtake each other. Run it
//! with `cargo run --example lossy_transport`.
//!
//! What roomcast says of a message decides how it travels:
//!
//! - A **volatile** one (a position) is sent once. The client lets be what is older than what it has of that player.
//! - A **reliable** one (a shot, and all that is no event) is numbered, sent again until the client has confirmed it, and
//!   taken in its order, once.
//! - At most [`WINDOW`] reliable ones are under way to a client. While they are, its outbox is not drained: what is
//!   reliable waits in the logs of the rooms, which are bounded, and what is volatile is dropped there.
//!
//! All is polled, tick by tick, on one thread, and chance has a seed: each run is the same.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::ops::ControlFlow;

use roomcast::{ClientPacket, Codec, Connection, Engine, Handshake, Outbox, Payload, ServerPacket, SocketId};

const PLAYERS: usize = 8;
const TICKS: u64 = 600;
/// How many reliable packets are under way to a client.
const WINDOW: usize = 16;
/// After how many ticks what is not confirmed is sent again.
const RESEND: u64 = 8;

/// What goes over the line. On a real one this would be bytes.
#[derive(Clone)]
enum Datagram {
    Reliable {
        number: u64,
        packet: Box<str>,
    },
    Volatile {
        from: Option<SocketId>,
        sequence: u64,
        packet: Box<str>,
    },
    /// From a client: it has all reliable ones below this.
    Confirm {
        below: u64,
    },
    /// From a client: what its player does. When it is lost, the player has not done it.
    Input {
        event: &'static str,
        text: String,
    },
}

/// One direction of a line. It loses a fifth, doubles a twentieth, and takes one to five ticks.
#[derive(Default)]
struct Line {
    under_way: BTreeMap<u64, Vec<Datagram>>,
    lost: u64,
}

impl Line {
    fn send(&mut self, datagram: Datagram, now: u64, chance: &mut Chance) {
        for _ in 0..=u64::from(chance.below(20) == 0) {
            if chance.below(5) == 0 {
                self.lost += 1;
            } else {
                self.under_way.entry(now + 1 + chance.below(5)).or_default().push(datagram.clone());
            }
        }
    }

    fn arrivals(&mut self, now: u64) -> Vec<Datagram> {
        self.under_way.remove(&now).unwrap_or_default()
    }
}

/// The server's end of a line.
struct Peer {
    connection: Connection,
    outbox: Outbox,
    down: Line,
    /// How many reliable packets there were.
    numbers: u64,
    /// Those that are under way, by number, with the ticks at which they were sent last.
    unconfirmed: VecDeque<(u64, u64, Box<str>)>,
    resent: u64,
}

/// What is the same for all who get a message.
struct Words;

impl Codec for Words {
    type Encoded = Box<str>;

    fn encode(&self, event: &str, payload: &Payload) -> Box<str> {
        format!("{event} {}", payload.as_str().unwrap_or_default()).into()
    }
}

impl Peer {
    fn receive(&mut self, datagram: Datagram) -> Result<(), Box<dyn Error>> {
        match datagram {
            Datagram::Confirm { below } => self.unconfirmed.retain(|(number, ..)| *number >= below),
            Datagram::Input { event, text } => {
                let packet = ClientPacket::Event { namespace: "/", event, payload: text.into(), ack: None };
                self.connection.receive(packet)?;
            }
            Datagram::Reliable { .. } | Datagram::Volatile { .. } => return Err("not from a client".into()),
        }
        Ok(())
    }

    /// Sends again what is overdue, and then what is new, as far as the window goes.
    fn send(&mut self, now: u64, chance: &mut Chance) {
        let Self { outbox, down, numbers, unconfirmed, resent, .. } = self;
        for (number, sent, packet) in &mut *unconfirmed {
            if now - *sent >= RESEND {
                *sent = now;
                *resent += 1;
                down.send(Datagram::Reliable { number: *number, packet: packet.clone() }, now, chance);
            }
        }
        if unconfirmed.len() == WINDOW {
            return;
        }
        let _ = outbox.try_drain(|packet| {
            let packet = match packet {
                ServerPacket::Event { delivery, .. } => {
                    let packet = delivery.encoded(&Words).into_owned();
                    if delivery.is_volatile() {
                        let (from, sequence) = (delivery.sender(), delivery.sequence());
                        down.send(Datagram::Volatile { from, sequence, packet }, now, chance);
                        return ControlFlow::Continue(());
                    }
                    packet
                }
                ServerPacket::Connect { id, .. } => format!("you are {id}").into(),
                ServerPacket::ConnectError { message, .. } => format!("refused: {message}").into(),
                ServerPacket::Gap { gap, .. } => format!("{} lost", gap.missed).into(),
                ServerPacket::Ack { id, payload, .. } => format!("answer {id}: {payload:?}").into(),
                ServerPacket::Disconnect { reason, .. } => format!("good bye: {reason}").into(),
            };
            down.send(Datagram::Reliable { number: *numbers, packet: packet.clone() }, now, chance);
            unconfirmed.push_back((*numbers, now, packet));
            *numbers += 1;
            if unconfirmed.len() < WINDOW { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
}

/// The client's end of a line.
#[derive(Default)]
struct Client {
    up: Line,
    /// The reliable packet that comes next, and those that came before it.
    next: u64,
    early: BTreeMap<u64, Box<str>>,
    /// The newest position of each player.
    newest: BTreeMap<Option<SocketId>, u64>,
    /// What the player has seen of what is reliable, and how many positions, and how many came too late.
    seen: Vec<Box<str>>,
    moved: u64,
    late: u64,
}

impl Client {
    fn receive(&mut self, datagram: Datagram) -> Result<(), Box<dyn Error>> {
        match datagram {
            Datagram::Reliable { number, packet } if number >= self.next => {
                self.early.insert(number, packet);
                while let Some(packet) = self.early.remove(&self.next) {
                    self.seen.push(packet);
                    self.next += 1;
                }
            }
            Datagram::Reliable { .. } => {} // once more: the confirmation was lost
            Datagram::Volatile { from, sequence, packet } => {
                let newest = self.newest.entry(from).or_default();
                if sequence > *newest && packet.starts_with("moved ") {
                    *newest = sequence;
                    self.moved += 1;
                } else {
                    self.late += 1;
                }
            }
            Datagram::Confirm { .. } | Datagram::Input { .. } => return Err("not from a server".into()),
        }
        Ok(())
    }
}

/// Numbers from a seed: Marsaglia's xorshift, of 64 bits.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new();
    let game = engine.of("/")?;
    game.on_connect(|socket| drop(socket.join("arena")));
    game.on("move", |socket, at: Payload| drop(socket.to("arena").volatile().emit("moved", at)))?;
    game.on("shoot", |socket, shot: Payload| drop(socket.within("arena").emit("shot", shot)))?;

    let mut chance = Chance(0x5EED);
    let mut peers = Vec::new();
    for number in 0..PLAYERS {
        let (connection, outbox) = engine.connect(Handshake::new().with("player", number.to_string()));
        connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
        let (down, unconfirmed) = (Line::default(), VecDeque::new());
        peers.push(Peer { connection, outbox, down, numbers: 0, unconfirmed, resent: 0 });
    }
    let mut clients: Vec<_> = (0..PLAYERS).map(|_| Client::default()).collect();

    let mut now = 0;
    while now < TICKS || peers.iter().any(|peer| !peer.unconfirmed.is_empty()) {
        for (number, (peer, client)) in peers.iter_mut().zip(&mut clients).enumerate() {
            if now < TICKS {
                let input = Datagram::Input { event: "move", text: format!("{number} to {now}") };
                client.up.send(input, now, &mut chance);
                if chance.below(10) == 0 {
                    let input = Datagram::Input { event: "shoot", text: format!("{number} at {now}") };
                    client.up.send(input, now, &mut chance);
                }
            }
            client.up.send(Datagram::Confirm { below: client.next }, now, &mut chance);
            client.up.arrivals(now).into_iter().try_for_each(|datagram| peer.receive(datagram))?;
            peer.send(now, &mut chance);
            peer.down.arrivals(now).into_iter().try_for_each(|datagram| client.receive(datagram))?;
        }
        now += 1;
    }

    // Everybody has seen the same shots in the same order, each once, whatever the line did.
    let shots = |client: &Client| client.seen[1..].to_vec();
    assert!(clients.iter().all(|client| client.seen[0].starts_with("you are ")));
    assert!(clients.iter().all(|client| shots(client) == shots(&clients[0])));
    let sum = |of: fn(&Client) -> u64| clients.iter().map(of).sum::<u64>();
    let lost = peers.iter().map(|peer| peer.down.lost).sum::<u64>() + sum(|client| client.up.lost);
    println!("{now} ticks, {PLAYERS} players, {lost} datagrams lost");
    println!("positions: {} seen, {} came too late", sum(|client| client.moved), sum(|client| client.late));
    let resent: u64 = peers.iter().map(|peer| peer.resent).sum();
    println!(
        "shots: {} seen by each player, in one order; {resent} packets sent again",
        shots(&clients[0]).len()
    );
    Ok(())
}
