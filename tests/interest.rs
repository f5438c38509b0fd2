//! Interest: the socket is in the rooms of the cells that it wants, each change tells which, and what fails changes
//! nothing. Against a model that asks of each cell by itself.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::line;
use proptest::prelude::*;
use roomcast::{
    Cell, DisconnectReason, Engine, Grid, Interest, MembershipError, Namespace, OutOfGrid, Refusal, RoomName,
    RoomNameError, Socket,
};

const CELL: f64 = 16.0;

#[derive(Clone, Debug)]
enum Step {
    Move(f64, f64),
    Look(u64, f64, f64),
    LookAway(u64),
    Pin(Cell),
    Unpin(Cell),
    Clear,
    /// The next change that joins anything is refused.
    Refuse,
    /// A plan that is dropped.
    Waver(f64, f64),
}

/// How the cells near a place are told: within a circle, or by columns and rows.
#[derive(Clone, Copy, Debug)]
enum Near {
    Circle(f64),
    Square(u32),
}

/// The cells of each view, and how often each is pinned.
#[derive(Clone, Default)]
struct Model {
    views: BTreeMap<Option<u64>, BTreeSet<Cell>>,
    pins: BTreeMap<Cell, u64>,
}

impl Near {
    /// How far away a cell is in the measure that counts: places are whole numbers, and cells end one before the next.
    fn distance(self, x: f64, y: f64, cell: Cell) -> f64 {
        let nearest = |place: f64, cell: i64| {
            let first = cell as f64 * CELL;
            if place < first { first - place } else { (place - (first + CELL - PART)).max(0.0) }
        };
        let (dx, dy) = (nearest(x, cell.0), nearest(y, cell.1));
        match self {
            Self::Circle(_) => dx.hypot(dy),
            Self::Square(_) => dx.max(dy),
        }
    }

    fn radius(self) -> f64 {
        match self {
            Self::Circle(radius) => radius,
            Self::Square(cells) => f64::from(cells) * CELL,
        }
    }
}

/// The smallest part of a cell that a grid tells apart.
const PART: f64 = CELL / 65536.0;

impl Model {
    fn look(&mut self, key: Option<u64>, near: Near, hysteresis: f64, x: f64, y: f64) {
        let view = self.views.entry(key).or_default();
        let all = (-12..12).flat_map(|x| (-12..12).map(move |y| (x, y)));
        *view = all
            .filter(|cell| {
                let limit = near.radius() + if view.contains(cell) { hysteresis } else { 0.0 };
                near.distance(x, y, *cell) <= limit
            })
            .collect();
    }

    fn apply(&mut self, step: &Step, near: Near, hysteresis: f64) {
        match *step {
            Step::Move(x, y) => self.look(None, near, hysteresis, x, y),
            Step::Look(view, x, y) => self.look(Some(view), near, hysteresis, x, y),
            Step::LookAway(view) => drop(self.views.remove(&Some(view))),
            Step::Pin(cell) => *self.pins.entry(cell).or_default() += 1,
            Step::Unpin(cell) => {
                if let Some(pins) = self.pins.get_mut(&cell) {
                    *pins = pins.saturating_sub(1);
                }
            }
            Step::Clear => *self = Self::default(),
            Step::Refuse | Step::Waver(..) => {}
        }
    }

    fn reasons(&self, cell: Cell) -> u64 {
        let views = self.views.values().filter(|view| view.contains(&cell)).count();
        views as u64 + self.pins.get(&cell).copied().unwrap_or_default()
    }

    fn cells(&self) -> BTreeSet<Cell> {
        let cells = self.views.values().flatten().chain(self.pins.keys());
        cells.copied().filter(|cell| self.reasons(*cell) > 0).collect()
    }
}

fn places() -> impl Strategy<Value = f64> {
    // Whole numbers and fours of them, to be at borders and at exact distances often.
    prop_oneof![(-80_i32..80).prop_map(f64::from), (-20_i32..20).prop_map(|n| f64::from(n * 4))]
}

fn cells() -> impl Strategy<Value = Cell> {
    (-3_i64..3, -3_i64..3)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (places(), places()).prop_map(|(x, y)| Step::Move(x, y)),
        3 => (0_u64..3, places(), places()).prop_map(|(view, x, y)| Step::Look(view, x, y)),
        1 => (0_u64..3).prop_map(Step::LookAway),
        2 => cells().prop_map(Step::Pin),
        2 => cells().prop_map(Step::Unpin),
        1 => Just(Step::Clear),
        1 => Just(Step::Refuse),
        1 => (places(), places()).prop_map(|(x, y)| Step::Waver(x, y)),
    ];
    proptest::collection::vec(step, 1..40)
}

fn nears() -> impl Strategy<Value = Near> {
    prop_oneof![(0_i32..50).prop_map(|r| Near::Circle(f64::from(r))), (0_u32..4).prop_map(Near::Square)]
}

fn grid(near: Near, hysteresis: f64) -> Grid {
    let grid = Grid::new(CELL).unwrap().layer(9);
    let grid = match near {
        Near::Circle(radius) => grid.radius(radius).unwrap(),
        Near::Square(cells) => grid.cells_around(cells).unwrap(),
    };
    grid.hysteresis(hysteresis).unwrap()
}

/// Returns which cells were entered and left, unless the step is none of the interest's.
fn apply(
    interest: &mut Interest,
    step: &Step,
    socket: &Socket,
) -> Option<Result<[Vec<Cell>; 2], MembershipError>> {
    let plan = match *step {
        Step::Move(x, y) => interest.move_to(x, y).unwrap(),
        Step::Look(view, x, y) => interest.look(view, x, y).unwrap(),
        Step::LookAway(view) => interest.look_away(view),
        Step::Pin(cell) => interest.pin(cell),
        Step::Unpin(cell) => interest.unpin(cell),
        Step::Clear => interest.clear(),
        Step::Refuse => return None,
        Step::Waver(x, y) => {
            let _ = interest.move_to(x, y).unwrap();
            return None;
        }
    };
    let planned = [plan.entered().to_vec(), plan.left().to_vec()];
    Some(plan.apply(socket).map(|moved| {
        assert_eq!((moved.entered(), moved.left()), (&planned[0][..], &planned[1][..]));
        assert_eq!(moved.is_empty(), planned.iter().all(Vec::is_empty));
        planned
    }))
}

fn check(interest: &Interest, model: &Model, socket: &Socket, world: &Namespace) {
    let cells = model.cells();
    assert!(interest.cells().eq(cells.iter().copied()), "{interest:?} {cells:?}");
    assert!(cells.iter().all(|cell| interest.reasons(*cell) == model.reasons(*cell)));
    let rooms: BTreeSet<RoomName> = socket.rooms().into_iter().collect();
    let wanted = cells.iter().map(|cell| RoomName::from((9, cell.0, cell.1)));
    assert_eq!(rooms, wanted.chain(["elsewhere".into()]).collect());
    assert!(cells.iter().all(|cell| interest.room(*cell).unwrap().contains(socket.id())));
    assert_eq!(world.rooms().len(), rooms.len(), "rooms are left behind");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_socket_is_in_the_rooms_of_the_cells_that_the_model_wants(
        near in nears(), hysteresis in 0_i32..20, steps in steps(),
    ) {
        let hysteresis = f64::from(hysteresis);
        let world = world();
        let refuses = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&refuses);
        // So that some rooms are let in before one is refused.
        world.admission(move |_, room| match asked.load(Ordering::Relaxed) && *room > RoomName::from((9, 0, 0)) {
            true => Err(Refusal::Locked),
            false => Ok(()),
        });
        let (socket, _inbox) = world.connect();
        socket.join("elsewhere").unwrap();
        let (mut interest, mut model) = (Interest::new(grid(near, hysteresis)), Model::default());
        for step in steps {
            refuses.fetch_or(matches!(step, Step::Refuse), Ordering::Relaxed);
            let mut after = model.clone();
            after.apply(&step, near, hysteresis);
            match apply(&mut interest, &step, &socket) {
                None => {}
                Some(Ok([entered, left])) => {
                    let (before, now) = (model.cells(), after.cells());
                    prop_assert!(entered.iter().eq(now.difference(&before)), "{entered:?}");
                    prop_assert!(left.iter().eq(before.difference(&now)), "{left:?}");
                    model = after;
                }
                Some(Err(error)) => {
                    prop_assert!(matches!(error, MembershipError::Refused { .. }), "{error}");
                    refuses.store(false, Ordering::Relaxed);
                }
            }
            check(&interest, &model, &socket, &world);
        }
        interest.clear().apply(&socket).unwrap();
        prop_assert_eq!(world.rooms(), [("elsewhere".into(), 1)]);
    }
}

fn world() -> Namespace {
    Engine::new().of("/world").unwrap()
}

fn state(world: &Namespace, interest: &Interest) -> String {
    format!("{:?} {interest:?}", world.rooms())
}

#[test]
fn who_walks_to_and_fro_at_a_border_enters_and_leaves_nothing() {
    let world = world();
    let (socket, _inbox) = world.connect();
    let mut interest = Interest::new(Grid::new(10.0).unwrap().hysteresis(2.0).unwrap());
    interest.move_to(9.0, 5.0).unwrap().apply(&socket).unwrap();
    let moved = interest.move_to(11.0, 5.0).unwrap().apply(&socket).unwrap();
    assert_eq!((moved.entered(), moved.left()), (&[(2, -1), (2, 0), (2, 1)][..], &[][..]));
    for x in [9.0, 10.0, 11.9, 8.1, 10.0] {
        assert!(interest.move_to(x, 5.0).unwrap().apply(&socket).unwrap().is_empty(), "{x}");
    }
    let moved = interest.move_to(12.1, 5.0).unwrap().apply(&socket).unwrap();
    assert_eq!(moved.left(), [(-1, -1), (-1, 0), (-1, 1)]);
    assert_eq!(socket.room_count(), 9);
}

#[test]
fn it_shows_what_it_is_about() {
    let world = world();
    let (socket, _inbox) = world.connect();
    let grid = Grid::new(10.0).unwrap();
    let mut interest = Interest::new(grid);
    assert_eq!(*interest.grid(), grid);
    let plan = interest.move_to(5.0, 5.0).unwrap();
    assert!(format!("{plan:?}").contains("entered: [(-1, -1), "), "{plan:?}");
    let moved = plan.apply(&socket).unwrap();
    assert!(format!("{moved:?}").ends_with("left: [] }"), "{moved:?}");
    assert!(moved.interest().here().is_some());
}

#[test]
fn what_is_no_place_changes_nothing() {
    let world = world();
    let (socket, _inbox) = world.connect();
    let mut interest = Interest::new(Grid::new(10.0).unwrap());
    assert!(interest.here().is_none());
    interest.move_to(5.0, 5.0).unwrap().apply(&socket).unwrap();
    let before = state(&world, &interest);
    assert_eq!(interest.move_to(f64::NAN, 5.0).unwrap_err(), OutOfGrid);
    assert_eq!(interest.look(1, 5.0, f64::INFINITY).unwrap_err(), OutOfGrid);
    assert_eq!(state(&world, &interest), before);
    assert_eq!(interest.here().unwrap().name(), &(0, 0).into());
}

#[test]
fn limits_and_refusals_change_nothing() {
    let engine = Engine::builder().max_rooms_per_socket(10).max_rooms(14).build();
    let world = engine.of("/world").unwrap();
    let [(socket, _inbox), (other, _other)] = [(); 2].map(|()| world.connect());
    let mut interest = Interest::new(Grid::new(10.0).unwrap());
    interest.move_to(5.0, 5.0).unwrap().apply(&socket).unwrap();
    // Nine rooms to nine others: never more than ten at the end, so that is no error.
    interest.move_to(105.0, 5.0).unwrap().apply(&socket).unwrap_err(); // of fourteen, four are left to make
    interest.move_to(15.0, 5.0).unwrap().apply(&socket).unwrap();
    assert_eq!((socket.room_count(), world.rooms().len()), (9, 9));

    let refused = |interest: &mut Interest, error: MembershipError| {
        let before = state(&world, interest);
        assert_eq!(interest.move_to(25.0, 5.0).unwrap().apply(&socket).unwrap_err(), error);
        assert_eq!(state(&world, interest), before);
    };
    other.join(["a", "b", "c"]).unwrap();
    refused(&mut interest, RoomNameError::TooManyRooms { limit: 14 }.into());
    other.leave("c").unwrap();
    let full = world.room((3, 1)).unwrap();
    full.set_capacity(0);
    let refusal = Refusal::Full;
    refused(&mut interest, MembershipError::Refused { room: (3, 1).into(), refusal });
    full.set_capacity(None);
    socket.join(["a", "b"]).unwrap_err();
    socket.join("a").unwrap();
    interest.move_to(25.0, 5.0).unwrap().apply(&socket).unwrap();
    let before = state(&world, &interest);
    let too_many = MembershipError::TooManyRooms { limit: 10 };
    assert_eq!(interest.pin((9, 9)).apply(&socket).unwrap_err(), too_many);
    assert_eq!(state(&world, &interest), before);

    socket.disconnect("gone");
    let closed = MembershipError::Closed(DisconnectReason::from("gone"));
    refused(&mut interest, closed.clone());
    // Also if nothing would change.
    assert_eq!(interest.unpin((9, 9)).apply(&socket).unwrap_err(), closed);
    drop((interest, full));
    assert_eq!(world.rooms(), [("a".into(), 1), ("b".into(), 1)]);
}

#[test]
fn what_is_told_before_and_after_stands_around_what_is_heard() {
    let world = world();
    let (socket, mut inbox) = world.connect();
    let grid = Grid::new(10.0).unwrap().cells_around(0).unwrap();
    let mut interest = Interest::new(grid);
    for (x, word) in [(5.0, "one"), (15.0, "two"), (25.0, "three")] {
        let plan = interest.move_to(x, 5.0).unwrap();
        let left = plan.left().to_vec();
        socket.emit("enter", format!("{:?}", plan.entered())).unwrap();
        plan.apply(&socket).unwrap();
        if !left.is_empty() {
            socket.emit("leave", format!("{left:?}")).unwrap();
        }
        // Everywhere: what is not near is not heard.
        for column in 0..3 {
            world.to((column, 0)).emit("say", format!("{word} {column}")).unwrap();
        }
    }
    assert_eq!(
        line(&mut inbox),
        "enter:[(0, 0)] say:one 0 enter:[(1, 0)] leave:[(0, 0)] say:two 1 enter:[(2, 0)] leave:[(1, 0)] say:three 2"
    );
}

#[test]
fn it_can_be_kept_with_its_socket() {
    let engine = Engine::new();
    let world = engine.of("/world").unwrap();
    let (socket, inbox) = world.connect();
    socket.set_data(Mutex::new(Interest::new(Grid::new(10.0).unwrap())));
    let interest = socket.data::<Mutex<Interest>>().unwrap();
    interest.lock().unwrap().move_to(5.0, 5.0).unwrap().apply(&socket).unwrap();
    let alive = Arc::downgrade(&interest);
    drop((interest, inbox, socket));
    assert!(alive.upgrade().is_none(), "they keep each other");
    assert!(world.rooms().is_empty());
}

#[test]
#[should_panic(expected = "one socket's")]
fn it_is_one_sockets() {
    let world = world();
    let [(one, _one), (other, _other)] = [(); 2].map(|()| world.connect());
    let mut interest = Interest::new(Grid::new(10.0).unwrap());
    interest.move_to(5.0, 5.0).unwrap().apply(&one).unwrap();
    let _ = interest.move_to(15.0, 5.0).unwrap().apply(&other);
}
