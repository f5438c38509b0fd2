//! Who is in which rooms and says what when, so that everybody knows what is to come.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::options::Options;

/// The plan of a run. Clients and rooms go by their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    clients: u32,
    rooms: u32,
    rooms_each: u32,
    messages: u32,
    rate: f64,
    polling: u32,
}

impl Plan {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { clients, rooms, messages, rate, .. } = *options;
        let polling = (f64::from(clients) * options.polling_share).round() as u32;
        Self { clients, rooms, rooms_each: options.rooms_each.min(rooms), messages, rate, polling }
    }

    pub(crate) fn clients(&self) -> u32 {
        self.clients
    }

    /// How many of the clients use long-polling.
    pub(crate) fn polling(&self) -> u32 {
        self.polling
    }

    /// How many messages each client sends.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// The rooms that a client is in: its first, and those after it.
    pub(crate) fn rooms_of(&self, client: u32) -> impl Iterator<Item = u32> {
        let (first, rooms) = (client % self.rooms, self.rooms);
        (0..self.rooms_each).map(move |step| (first + step) % rooms)
    }

    /// Whether a client is in a room.
    pub(crate) fn is_in(&self, client: u32, room: u32) -> bool {
        (room + self.rooms - client % self.rooms) % self.rooms < self.rooms_each
    }

    /// The room that a client's message goes to: each of its rooms in turn.
    pub(crate) fn room_of(&self, client: u32, message: u32) -> u32 {
        (client % self.rooms + message % self.rooms_each) % self.rooms
    }

    /// When a client's message is due, from when speaking begins: all clients speak in turn, at the given rate.
    pub(crate) fn due(&self, client: u32, message: u32) -> Duration {
        let turn = u64::from(message) * u64::from(self.clients) + u64::from(client);
        Duration::from_secs_f64(turn as f64 / self.rate)
    }

    /// Whether a client uses long-polling. Those that do are spread evenly.
    pub(crate) fn is_polling(&self, client: u32) -> bool {
        let share = |count: u32| u64::from(count) * u64::from(self.polling) / u64::from(self.clients);
        share(client + 1) > share(client)
    }

    /// How many messages each client is to get: all in its rooms, without its own.
    pub(crate) fn expected(&self) -> Vec<u64> {
        // Clients with the same first room are in the same rooms, and send as many messages to each.
        let mut said = vec![0; self.rooms as usize];
        let firsts = (0..self.clients).map(|client| client % self.rooms);
        let mut alike = BTreeMap::<_, u64>::new();
        firsts.for_each(|first| *alike.entry(first).or_default() += 1);
        for (first, count) in alike {
            for message in 0..self.messages {
                said[self.room_of(first, message) as usize] += count;
            }
        }
        let of = |client| self.rooms_of(client).map(|room| said[room as usize]).sum::<u64>();
        (0..self.clients).map(|client| of(client) - u64::from(self.messages)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> impl Iterator<Item = Plan> {
        [(1, 1, 1), (5, 2, 1), (7, 3, 2), (12, 4, 4), (3, 10, 3), (9, 2, 7)].into_iter().map(
            |(clients, rooms, rooms_each)| Plan {
                clients,
                rooms,
                rooms_each: rooms_each.min(rooms),
                messages: 5,
                rate: 10.0,
                polling: clients / 2,
            },
        )
    }

    #[test]
    fn agrees_with_itself() {
        for plan in plans() {
            for client in 0..plan.clients {
                let rooms: Vec<_> = plan.rooms_of(client).collect();
                assert!(
                    (0..plan.rooms).all(|room| plan.is_in(client, room) == rooms.contains(&room)),
                    "{plan:?}"
                );
                assert!(
                    (0..plan.messages).all(|message| rooms.contains(&plan.room_of(client, message))),
                    "{plan:?}"
                );
            }
            let polling = (0..plan.clients).filter(|client| plan.is_polling(*client)).count();
            assert_eq!(polling, plan.polling as usize);
        }
    }

    #[test]
    fn expects_what_the_others_say_in_ones_rooms() {
        for plan in plans() {
            let counted: Vec<_> = (0..plan.clients)
                .map(|client| {
                    let others = (0..plan.clients).filter(|other| *other != client);
                    let said =
                        others.flat_map(|other| (0..plan.messages).map(move |message| (other, message)));
                    said.filter(|(other, message)| plan.is_in(client, plan.room_of(*other, *message))).count()
                        as u64
                })
                .collect();
            assert_eq!(plan.expected(), counted, "{plan:?}");
        }
    }

    #[test]
    fn speaks_at_the_given_rate() {
        for plan in plans() {
            let last = plan.due(plan.clients - 1, plan.messages - 1);
            let turns = f64::from(plan.clients * plan.messages - 1);
            assert!((last.as_secs_f64() - turns / plan.rate).abs() < 1e-6, "{plan:?}");
        }
    }
}
