//! Who sees whom: a wood in which animals roam and an owl looks on. Run it with `cargo run --example interest`.
//!
//! The wood is a grid of cells, and each cell is a room. An animal that moves says so in the room of the cell that it comes
//! from and in that of the one that it goes to; the owl is in the rooms of the cells around it, and around the fox that it
//! has an eye on. What the owl knows is kept by a client, which hears nothing but messages. It has to tell an animal that
//! keeps still from one that is out of sight, so it is told which cells come into sight, before it hears anything from
//! there, and which go out of sight, after it has.
//!
//! Chance has a seed: each run is the same.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use roomcast::{Cell, Event, Grid, Inbox, Interest, Plan, Shared, Socket};

const SIDE: f64 = 100.0;
const TICKS: u64 = 200;
const NAMES: [&str; 8] = ["badger", "deer", "fox", "hare", "hedgehog", "mouse", "squirrel", "weasel"];
const FOX: usize = 2;

const SIGHTED: Event<Animal> = Event::new("sighted");
const IN_SIGHT: Event<Vec<Cell>> = Event::new("in sight");
const OUT_OF_SIGHT: Event<Vec<Cell>> = Event::new("out of sight");

#[derive(Clone, Copy, PartialEq)]
struct Animal {
    name: &'static str,
    x: f64,
    y: f64,
}

/// What a client knows: no more than it was told.
struct Client {
    inbox: Inbox,
    grid: Grid,
    in_sight: Vec<Cell>,
    known: BTreeMap<&'static str, Animal>,
    lost: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wood = roomcast::Engine::new().of("/wood")?;
    // In sight from 15 away, and out of sight from 20 away: who sits at a border does not blink.
    let grid = Grid::new(10.0)?.radius(15.0)?.hysteresis(5.0)?;
    let mut chance = 7;
    let mut animals = NAMES.map(|name| Animal { name, x: SIDE / 2.0, y: SIDE / 2.0 });
    for _ in 0..TICKS {
        animals.iter_mut().for_each(|animal| roam(animal, &mut chance));
    }

    let (owl, inbox) = wood.connect();
    let mut client = Client { inbox, grid, in_sight: Vec::new(), known: BTreeMap::new(), lost: 0 };
    let mut interest = Interest::new(grid);
    look(&owl, interest.move_to(SIDE / 2.0, SIDE / 2.0)?, &animals)?;
    let mut most = 0;
    for tick in 0..TICKS {
        for (number, animal) in animals.iter_mut().enumerate() {
            // Each rests half of the time: then it says nothing.
            if (tick / 10 + number as u64) % 2 == 0 {
                let before = *animal;
                roam(animal, &mut chance);
                let rooms = [before, *animal].map(|animal| grid.name(animal.cell(grid)));
                wood.to(rooms).emit(SIGHTED, Arc::new(*animal))?; // who is in both gets it once
            }
        }
        let fox = animals[FOX];
        look(&owl, interest.look(FOX as u64, fox.x, fox.y)?, &animals)?;
        client.read();
        // It knows all that are in sight, where they are, whether they move or not, and no others.
        let seen = animals.iter().filter(|animal| interest.room(animal.cell(grid)).is_some());
        assert!(seen.eq(client.known.values()));
        assert!(interest.cells().eq(client.in_sight.iter().copied()));
        most = most.max(client.known.len());
    }
    println!("{TICKS} ticks: {most} animals in sight at once at most, and {} went out of it", client.lost);
    println!("in the end the owl sees {} cells, and there:", client.in_sight.len());
    for animal in client.known.values() {
        println!("  {:8} at {:2.0}, {:2.0}", animal.name, animal.x, animal.y);
    }
    Ok(())
}

/// Changes what the owl sees. Its client is told of new cells before it is in their rooms, then who is there, and of
/// others when it is in their rooms no more: in its one order of messages, whoever emits there meanwhile.
fn look(owl: &Socket, plan: Plan<'_>, animals: &[Animal]) -> Result<(), Box<dyn Error>> {
    if !plan.entered().is_empty() {
        owl.emit(IN_SIGHT, Arc::new(plan.entered().to_vec()))?;
    }
    let moved = plan.apply(owl)?;
    let grid = *moved.interest().grid();
    for animal in animals.iter().filter(|animal| moved.entered().contains(&animal.cell(grid))) {
        owl.emit(SIGHTED, Arc::new(*animal))?;
    }
    if !moved.left().is_empty() {
        owl.emit(OUT_OF_SIGHT, Arc::new(moved.left().to_vec()))?;
    }
    Ok(())
}

fn roam(animal: &mut Animal, chance: &mut u64) {
    let mut step = || {
        *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*chance >> 33) % 9) as f64 - 4.0
    };
    (animal.x, animal.y) = ((animal.x + step()).clamp(0.0, SIDE), (animal.y + step()).clamp(0.0, SIDE));
}

impl Animal {
    fn cell(self, grid: Grid) -> Cell {
        grid.cell(self.x, self.y).expect("it stays in the wood")
    }
}

impl Client {
    fn read(&mut self) {
        let Self { inbox, grid, in_sight, known, lost } = self;
        inbox.drain(|delivery| {
            if let Some(Ok(Shared(animal))) = delivery.get_as(SIGHTED) {
                if in_sight.contains(&animal.cell(*grid)) {
                    known.insert(animal.name, *animal);
                } else {
                    *lost += usize::from(known.remove(animal.name).is_some()); // it went there
                }
            } else if let Some(Ok(Shared(cells))) = delivery.get_as(IN_SIGHT) {
                in_sight.extend(&*cells);
                in_sight.sort_unstable();
            } else if let Some(Ok(Shared(cells))) = delivery.get_as(OUT_OF_SIGHT) {
                in_sight.retain(|cell| !cells.contains(cell));
                let before = known.len();
                known.retain(|_, animal| in_sight.contains(&animal.cell(*grid)));
                *lost += before - known.len();
            }
        });
    }
}
