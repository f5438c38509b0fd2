//! What one thread does: publish, and tend clients as fast as it makes work for them.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, TryLockError};

use roomcast::{Emitted, Payload};

use crate::client::Client;
use crate::random::Random;
use crate::tally::Tally;
use crate::world::{Audience, MUTED, World, payload};

/// A client is tended for each so many deliveries that were made due.
pub(crate) const DELIVERIES: usize = 48;
/// A stalled client that is come across reads on once in so many times.
const STALL: u32 = 40;

pub(crate) struct Worker<'a> {
    world: &'a World,
    publisher: usize,
    random: Random,
    tally: Tally,
    due: usize,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(world: &'a World, publisher: usize, phase: u64) -> Self {
        let seed = world.settings.seed ^ (phase << 8) ^ publisher as u64;
        Self { world, publisher, random: Random::new(seed), tally: Tally::default(), due: 0 }
    }

    /// Works until so much is delivered, by all threads together.
    pub(crate) fn work(mut self, deliveries: u64) -> Tally {
        let mut counted = 0;
        while self.world.delivered.load(Ordering::Relaxed) < deliveries
            && !self.world.is_stopped.load(Ordering::Relaxed)
        {
            self.publish();
            while self.due >= DELIVERIES {
                self.due -= DELIVERIES;
                self.tend();
            }
            self.world.delivered.fetch_add(self.tally.delivered - counted, Ordering::Relaxed);
            counted = self.tally.delivered;
        }
        self.tally
    }

    fn publish(&mut self) {
        let (world, random) = (self.world, &mut self.random);
        let (namespace, event) = (&world.namespace, &world.event);
        let (rooms, sockets) = (world.settings.rooms, world.settings.sockets);
        // Some rooms are busier than others.
        let room = random.below(rooms).min(random.below(rooms));
        let name = &world.names[room as usize];
        // Everyone gets a sixth of what is delivered, or so.
        let audience = match random.below(100) {
            _ if random.one_in(sockets.div_ceil(6)) => Audience::Everyone,
            _ if random.one_in(sockets.div_ceil(6)) => Audience::EveryoneUnmuted,
            0..65 => Audience::Room(room),
            65..75 => Audience::Unmuted(room),
            75..85 => Audience::Pair(World::pair_near(room)),
            85..88 => Audience::Volatile(room),
            88..92 => Audience::State(room),
            _ => Audience::Direct(random.below(sockets)),
        };
        let emit = |payload: Payload| -> Option<Emitted> {
            let emitted = match (audience, &world.handles[room as usize]) {
                (Audience::Room(_), Some(handle)) => handle.emit(event, payload),
                (Audience::Room(_), None) => namespace.to(name).emit(event, payload),
                (Audience::Unmuted(_), _) => namespace.to(name).except(MUTED).emit(event, payload),
                (Audience::Pair(first), _) => {
                    namespace.target(&world.pairs[first as usize]).emit(event, payload)
                }
                (Audience::Volatile(_), _) => namespace.to(name).volatile().emit(event, payload),
                (Audience::State(_), _) => namespace.to(name).latest(self.publisher).emit(event, payload),
                (Audience::Everyone, _) => namespace.emit(event, payload),
                (Audience::EveryoneUnmuted, _) => namespace.except(MUTED).emit(event, payload),
                (Audience::Guest(_), _) => unreachable!("a client is one"),
                (Audience::Direct(slot), _) => {
                    let socket = world.slots[slot as usize].socket.read().unwrap().clone()?;
                    return socket.emit(event, payload).ok();
                }
            };
            Some(emitted.expect("the namespace is there"))
        };
        if let Some((_, members)) = world.publish(self.publisher, audience, |message| emit(payload(message)))
        {
            self.due += members;
            self.tally.published += 1;
        }
    }

    /// Does something to a client, or with it, and has it read, unless another thread is at it.
    fn tend(&mut self) {
        let (world, publisher) = (self.world, self.publisher);
        let slot = self.random.below(world.settings.sockets);
        let place: &Mutex<Option<Client>> = &world.slots[slot as usize].client;
        let mut place = match place.try_lock() {
            Ok(place) => place,
            Err(TryLockError::WouldBlock) => return,
            Err(TryLockError::Poisoned(_)) => return, // a violation, shown by the thread that found it
        };
        let Some(mut client) = place.take() else { return };
        let (random, tally) = (&mut self.random, &mut self.tally);
        if client.is_connected() {
            if client.is_stalled && !random.one_in(STALL) {
                if random.one_in(8) {
                    client.change(world, random, tally);
                }
                *place = Some(client);
                return;
            }
            tally.resumed += u64::from(std::mem::take(&mut client.is_stalled));
            if random.one_in(8) {
                client.change(world, random, tally);
            }
            if random.one_in(4) {
                let members = client.speak(world, publisher, random);
                self.due += members;
                tally.published += u64::from(members > 0);
            }
            if random.one_in(64) {
                client.ask(world, publisher, tally);
            }
        }
        let is_over = match random.below(400) {
            0 => {
                client.leave(world, tally);
                tally.left += 1;
                true
            }
            1 => {
                client.die(world);
                tally.died += 1;
                true
            }
            way => {
                if way < 12 && client.is_connected() {
                    match client.come_back(world, random, tally) {
                        Some(back) => client = back,
                        None => {
                            *place = Some(newcomer(world, slot, random, tally));
                            return;
                        }
                    }
                }
                let is_connected = client.read(world, random, tally);
                if is_connected {
                    let percent = world.settings.stalled_percent;
                    client.is_stalled = percent > 0 && random.one_in(STALL * 100 / percent);
                    tally.stalled += u64::from(client.is_stalled);
                    *place = Some(client);
                } else {
                    client.give_up(world, tally);
                }
                !is_connected
            }
        };
        if is_over {
            *place = Some(newcomer(world, slot, random, tally));
        }
    }
}

/// A client with a few rooms.
pub(crate) fn newcomer(world: &World, slot: u32, random: &mut Random, tally: &mut Tally) -> Client {
    let mut client = Client::connect(world, slot, random);
    for _ in 0..if client.is_wide() { 80 } else { 10 } {
        client.change(world, random, tally);
    }
    client
}
