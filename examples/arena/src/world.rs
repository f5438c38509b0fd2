//! The agents: where they are, what they say of themselves, and what they make of what they hear. Knows nothing of
//! rooms. Prey flocks, and flees from hunters; a hunter goes for the nearest prey that it has heard of.

use rand::RngExt;
use rand_pcg::Pcg32;
use roomcast::{DecodeError, EncodeError, FromPayload, IntoPayload, Payload};

use crate::grid::{CELL, Grid, Vector};

/// Of this many agents, one hunts.
pub const HUNTERS: usize = 100;

/// How far an agent goes in a tick: in twenty ticks, about a cell.
const PREY_SPEED: i32 = 44;
const HUNTER_SPEED: i32 = 52;
/// By how much a speed changes in a tick.
const TURN: i32 = 8;
/// Nearer than this, agents get out of each other's way.
const ELBOW_ROOM: i32 = CELL;
/// Nearer than this, prey flees.
const FEAR: i32 = CELL * 3 / 2;

/// An agent's body.
#[derive(Clone, Debug)]
pub struct Body {
    agent: u32,
    place: Vector,
    speed: Vector,
    chance: Pcg32,
}

/// What an agent says of itself: the payload of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who.
    pub agent: u32,
    /// Where it is.
    pub place: Vector,
    /// Where to, and how fast.
    pub speed: Vector,
}

/// What an agent has heard in one tick. Comes out the same in whatever order messages are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How many messages.
    pub messages: u64,
    /// How many times it was told that some were lost, and how many those were.
    pub gaps: u64,
    /// See `gaps`.
    pub missed: u64,
    /// The sum of a number for each message, that depends on all there is in it and on who heard it.
    pub digest: u64,
    urge: (i64, i64),
    /// The nearest prey: the square of its distance, who it is, the way there.
    prey: Option<(i64, u32, Vector)>,
}

impl Body {
    /// Creates the bodies of this many agents, spread over the map by chance.
    #[must_use]
    pub fn spread(agents: usize, grid: Grid, seed: u64) -> Vec<Self> {
        let mut chance = Pcg32::new(seed, u64::MAX);
        let mut part = || chance.random_range(0..grid.width());
        let mut places: Vec<_> = (0..agents).map(|_| Vector { x: part(), y: part() }).collect();
        // Those who hear the same are next to each other in memory, at first.
        places.sort_by_key(|place| (grid.cell(*place), *place));
        let body = |(agent, place)| {
            let mut chance = Pcg32::new(seed, agent as u64);
            let speed = whim(&mut chance, PREY_SPEED);
            Self { agent: agent as u32, place, speed, chance }
        };
        places.into_iter().enumerate().map(body).collect()
    }

    /// Returns the agent's number.
    #[must_use]
    pub fn agent(&self) -> u32 {
        self.agent
    }

    /// Returns where it is.
    #[must_use]
    pub fn place(&self) -> Vector {
        self.place
    }

    /// Returns whether it hunts.
    #[must_use]
    pub fn is_hunter(&self) -> bool {
        is_hunter(self.agent)
    }

    /// Returns what it says of itself.
    #[must_use]
    pub fn report(&self) -> Report {
        Report { agent: self.agent, place: self.place, speed: self.speed }
    }

    /// Moves on by one tick.
    pub fn step(&mut self, grid: Grid, heard: &Heard) {
        let limit = if self.is_hunter() { HUNTER_SPEED } else { PREY_SPEED };
        let urge = heard.urge() + whim(&mut self.chance, TURN / 2);
        self.speed = (self.speed + urge).at_most(limit).at_least(limit / 2);
        self.place = grid.wrap(self.place + self.speed);
    }
}

impl Heard {
    /// Adds what `body` is told by another.
    pub fn add(&mut self, grid: Grid, body: &Body, report: &Report) {
        let way = grid.way(body.place, report.place);
        let distance = way.square();
        let urge = match (body.is_hunter(), is_hunter(report.agent)) {
            (false, true) if distance < square(FEAR) => -way * 8,
            (true, true) | (false, false) if distance < square(ELBOW_ROOM) => -way,
            (false, false) => way / 64 + (report.speed - body.speed) * 2,
            _ => Vector::default(),
        };
        if body.is_hunter() && !is_hunter(report.agent) {
            let prey = (distance, report.agent, way);
            self.prey = Some(self.prey.map_or(prey, |nearest| nearest.min(prey)));
        }
        self.urge.0 += i64::from(urge.x);
        self.urge.1 += i64::from(urge.y);
        self.messages += 1;
        let [first, second] = report.words();
        self.digest = self.digest.wrapping_add(mix(mix(first ^ u64::from(body.agent) << 32) ^ second));
    }

    /// Adds that some messages were lost.
    pub fn add_gap(&mut self, missed: u64) {
        self.gaps += 1;
        self.missed += missed;
        self.digest = self.digest.wrapping_add(mix(missed));
    }

    /// Where to, of all this.
    fn urge(&self) -> Vector {
        if let Some((.., way)) = self.prey {
            return way.at_most(TURN);
        }
        let mean = |sum: i64| (sum / self.messages.max(1) as i64) as i32;
        Vector { x: mean(self.urge.0), y: mean(self.urge.1) }.at_most(TURN)
    }
}

impl Report {
    /// Sixteen bytes, as they might go over a network: who; x and y; the speed's parts.
    fn words(&self) -> [u64; 2] {
        let half = |part: i32| u64::from(part as u16);
        let who = u64::from(self.agent) | half(self.speed.x) << 32 | half(self.speed.y) << 48;
        [who, u64::from(self.place.x as u32) | u64::from(self.place.y as u32) << 32]
    }
}

impl IntoPayload for Report {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        let mut bytes = [0; 16];
        let [first, second] = self.words();
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..].copy_from_slice(&second.to_le_bytes());
        Ok(bytes.into())
    }
}

impl FromPayload for Report {
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        let bytes: Option<&[u8; 16]> = payload.as_bytes().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or(DecodeError::new("not sixteen bytes"))?;
        let word = |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let half = |at: usize| i32::from(i16::from_le_bytes([bytes[at], bytes[at + 1]]));
        Ok(Self {
            agent: word(0) as u32,
            speed: Vector { x: half(4), y: half(6) },
            place: Vector { x: word(8), y: word(12) },
        })
    }
}

/// Scatters a number over 64 bits, so that sums tell what was added (the finaliser of SplitMix64).
#[must_use]
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

fn square(length: i32) -> i64 {
    i64::from(length).pow(2)
}

fn is_hunter(agent: u32) -> bool {
    agent as usize % HUNTERS == HUNTERS - 1
}

/// A way by chance, each of its parts at most this long.
fn whim(chance: &mut Pcg32, limit: i32) -> Vector {
    let mut part = || chance.random_range(-limit..=limit);
    Vector { x: part(), y: part() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid::for_agents(100)
    }

    /// An agent that stands still in the middle, or so far to the right of it.
    fn body(agent: u32, right: i32) -> Body {
        let place = Vector { x: grid().width() / 2 + right, y: grid().width() / 2 };
        Body { agent, place, speed: Vector::default(), chance: Pcg32::new(1, 1) }
    }

    /// Where the first wants to go when it has heard of the others.
    fn urge(body: &Body, others: &[Body]) -> Vector {
        let mut heard = Heard::default();
        others.iter().for_each(|other| heard.add(grid(), body, &other.report()));
        heard.urge()
    }

    const HUNTER: u32 = HUNTERS as u32 - 1;

    #[test]
    fn prey_keeps_together_but_not_too_close() {
        assert!(urge(&body(0, 0), &[body(1, CELL)]).x > 0);
        assert!(urge(&body(0, 0), &[body(1, -CELL)]).x < 0);
        assert!(urge(&body(0, 0), &[body(1, CELL / 4)]).x < 0);
        let mut other = body(1, CELL);
        other.speed = Vector { x: 0, y: PREY_SPEED };
        assert!(urge(&body(0, 0), &[other]).y > 0, "it flies along");
        assert_eq!(urge(&body(0, 0), &[]), Vector::default());
    }

    #[test]
    fn prey_flees_and_hunters_go_for_the_nearest() {
        assert_eq!(urge(&body(0, 0), &[body(HUNTER, CELL)]), Vector { x: -TURN, y: 0 });
        assert_eq!(urge(&body(0, 0), &[body(HUNTER, 2 * CELL)]), Vector::default());
        let prey = [body(0, 2 * CELL), body(1, -CELL), body(2, CELL + 1)];
        assert_eq!(urge(&body(HUNTER, 0), &prey), Vector { x: -TURN, y: 0 });
        assert!(urge(&body(HUNTER, 0), &[body(2 * HUNTERS as u32 - 1, CELL / 4)]).x < 0);
    }

    #[test]
    fn the_order_of_messages_does_not_matter_but_each_does() {
        let others: Vec<_> =
            (1..120).map(|agent| body(agent, 37 * agent as i32 % (2 * CELL) - CELL)).collect();
        for me in [body(0, 0), body(HUNTER, 0)] {
            let (mut forwards, mut backwards) = (Heard::default(), Heard::default());
            others.iter().for_each(|other| forwards.add(grid(), &me, &other.report()));
            others.iter().rev().for_each(|other| backwards.add(grid(), &me, &other.report()));
            assert_eq!(forwards, backwards);
            let mut doubled = forwards;
            doubled.add(grid(), &me, &others[0].report());
            assert_ne!(doubled.digest, forwards.digest);
        }
    }

    #[test]
    fn reports_go_through_payloads() {
        let report = Report {
            agent: 4_000_000_000,
            place: Vector { x: 1_023_999, y: 7 },
            speed: Vector { x: -52, y: 52 },
        };
        assert_eq!(report.into_payload().unwrap().decode::<Report>().unwrap(), report);
        assert!(Payload::from("north").decode::<Report>().is_err());
    }

    #[test]
    fn agents_start_all_over_the_map_and_stay_on_it() {
        let grid = Grid::for_agents(2000);
        let mut bodies = Body::spread(2000, grid, 7);
        let is_in =
            |place: Vector| (0..grid.width()).contains(&place.x) && (0..grid.width()).contains(&place.y);
        let right = bodies.iter().filter(|body| body.place.x > grid.width() / 2).count();
        let low = bodies.iter().filter(|body| body.place.y > grid.width() / 2).count();
        assert!((800..1200).contains(&right) && (800..1200).contains(&low), "{right} {low}");
        for _ in 0..200 {
            for body in &mut bodies {
                let before = body.place;
                body.step(grid, &Heard::default());
                assert!(is_in(body.place));
                assert!(grid.way(before, body.place).length() <= HUNTER_SPEED);
            }
        }
        assert!(
            bodies.iter().zip(Body::spread(2000, grid, 7)).all(|(body, start)| body.place != start.place)
        );
    }
}
