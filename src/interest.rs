//! Which cells a socket is interested in, and why: kept as the rooms that it is in.
//!
//! # Invariant
//!
//! A *view* holds the cells that it has entered and not left: all that are within the radius of its place, none that
//! is beyond radius and hysteresis together. What `held` counts for a cell is how many views hold it, and how often it
//! is pinned; a cell is in `held` while that is above 0, and then, if nobody else meddles, the socket is in its room.
//! Between two calls of [`Plan::apply`] nothing of that changes; one that fails changes nothing.
//!
//! A view keeps its two areas. As the cells of the smaller are all held and none is held beyond the larger, cells can
//! only be entered where the smaller was not before, and nothing changes if neither does.

use std::fmt;

mod area;
mod grid;

pub use self::grid::{Cell, Grid};

use self::area::Area;
use crate::defect::{self, Defect};
use crate::error::{MembershipError, OutOfGrid};
use crate::name::RoomNameError;
use crate::room::Room;
use crate::slab::SocketId;
use crate::socket::Socket;
use crate::state::{RoomRef, SocketCore};

/// The cells of a [`Grid`] that one socket is interested in: keeps it in their rooms as it moves.
///
/// A cell can be wanted for several reasons: the socket's own [place](Self::move_to), other [views](Self::look), such
/// as those of players that it watches, and [pins](Self::pin). It is left with the last of them. Each change is a
/// [`Plan`], which tells what cells are to be entered and left, and does it with [`Plan::apply`], all or nothing.
///
/// ```
/// use roomcast::{Engine, Grid, Interest};
///
/// let world = Engine::new().of("/world")?;
/// let (player, mut inbox) = world.connect();
/// let grid = Grid::new(10.0)?.radius(4.0)?.hysteresis(1.0)?;
///
/// let mut interest = Interest::new(grid);
/// let moved = interest.move_to(5.0, 5.0)?.apply(&player)?;
/// assert_eq!((moved.entered(), moved.left()), (&[(0, 0)][..], &[][..]));
/// let moved = interest.move_to(7.0, 5.0)?.apply(&player)?;
/// assert_eq!((moved.entered(), moved.left()), (&[(1, 0)][..], &[][..]));
/// let moved = interest.move_to(14.5, 5.0)?.apply(&player)?;
/// assert!(moved.is_empty()); // the cell (0, 0) is 4.5 away: it is not left before 5
/// let moved = interest.move_to(15.5, 5.0)?.apply(&player)?;
/// assert_eq!((moved.entered(), moved.left()), (&[][..], &[(0, 0)][..]));
///
/// interest.here().expect("it has a place").emit("spoke", "hello")?;
/// assert_eq!(inbox.drain(|delivery| assert_eq!(delivery.payload().as_str(), Some("hello"))), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The rooms of the grid's layer are to be joined and left by one of these for each socket, and by nothing else: it
/// does not look at what rooms the socket is in otherwise, and does not touch others. It holds no socket, so that
/// it can be kept in the socket's own [data](Socket::set_data), in a lock. Dropping it leaves no room: that does
/// [`clear`](Self::clear), or disconnecting the socket.
///
/// A move within the same areas costs O(columns of the radius), takes no lock and allocates nothing. One over a border
/// costs a join or a leave for each cell that changes, without looking up the rooms that are left, and a pass over the
/// list of cells.
pub struct Interest {
    grid: Grid,
    /// By key. The socket's own comes first.
    views: Vec<View>,
    /// By cell.
    held: Vec<Held>,
    /// Whom it was applied to.
    socket: Option<SocketId>,
    draft: Draft,
}

/// What is to become of an [`Interest`]: the cells that are to be entered and left. Dropped, nothing changes.
#[must_use = "nothing happens before `apply`"]
pub struct Plan<'a> {
    interest: &'a mut Interest,
    step: Step,
}

/// What a change of an [`Interest`] did: the cells entered and left, by column and then by row.
#[derive(Clone, Copy)]
pub struct Moved<'a> {
    interest: &'a Interest,
}

struct View {
    /// `None` is that of the socket's own place.
    key: Option<u64>,
    cell: Cell,
    enter: Area,
    keep: Area,
    /// What it holds, in order.
    cells: Vec<Cell>,
}

struct Held {
    cell: Cell,
    room: Room,
    /// How many views hold it, and how often it is pinned.
    reasons: u64,
    pins: u64,
}

/// What a plan is about. Kept, so that making one allocates nothing.
#[derive(Default)]
struct Draft {
    cell: Cell,
    enter: Area,
    keep: Area,
    /// Cells that get a reason more, and those that get one less; in order, like all of these.
    gains: Vec<Cell>,
    losses: Vec<Cell>,
    /// Those of them that had no reason before, and those that have none after.
    entered: Vec<Cell>,
    left: Vec<Cell>,
}

#[derive(Clone, Copy)]
enum Step {
    Look(Option<u64>),
    LookAway(u64),
    Pin,
    Unpin,
    Clear,
}

impl Interest {
    /// Creates one without a place, and so without cells.
    #[must_use]
    pub fn new(grid: Grid) -> Self {
        Self { grid, views: Vec::new(), held: Vec::new(), socket: None, draft: Draft::default() }
    }

    /// Plans to put the socket's own place here, wherever it was before.
    ///
    /// # Errors
    ///
    /// For what is no place on the grid.
    pub fn move_to(&mut self, x: f64, y: f64) -> Result<Plan<'_>, OutOfGrid> {
        self.plan_look(None, x, y)
    }

    /// Plans to put another view here: one more place whose surroundings the socket is interested in. Views go by a
    /// number of the caller's choice, such as the [bits](SocketId::to_bits) of a watched player's id.
    ///
    /// ```
    /// # use roomcast::{Engine, Grid, Interest};
    /// # let (player, _inbox) = Engine::new().of("/world")?.connect();
    /// let mut interest = Interest::new(Grid::new(10.0)?.cells_around(0)?);
    /// interest.move_to(5.0, 5.0)?.apply(&player)?;
    /// interest.look(7, 15.0, 5.0)?.apply(&player)?;
    /// interest.pin((1, 0)).apply(&player)?;
    /// let moved = interest.look_away(7).apply(&player)?;
    /// assert!(moved.is_empty()); // the cell (1, 0) is pinned
    /// let moved = interest.unpin((1, 0)).apply(&player)?;
    /// assert_eq!(moved.left(), [(1, 0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// For what is no place on the grid.
    pub fn look(&mut self, view: u64, x: f64, y: f64) -> Result<Plan<'_>, OutOfGrid> {
        self.plan_look(Some(view), x, y)
    }

    /// Plans to give up a view. Changes nothing if there is none of this number.
    pub fn look_away(&mut self, view: u64) -> Plan<'_> {
        self.draft.clear();
        if let Ok(place) = self.view(Some(view)) {
            self.draft.losses.extend(&self.views[place].cells);
        }
        self.plan(Step::LookAway(view))
    }

    /// Plans to want a cell, wherever the socket is: once more if it does already.
    pub fn pin(&mut self, cell: Cell) -> Plan<'_> {
        let cell = self.grid.wrapped(cell);
        self.draft.clear();
        self.draft.gains.push(cell);
        self.plan(Step::Pin)
    }

    /// Plans to take back one [`pin`](Self::pin) of a cell. Changes nothing if there is none.
    pub fn unpin(&mut self, cell: Cell) -> Plan<'_> {
        let cell = self.grid.wrapped(cell);
        self.draft.clear();
        if self.held(cell).is_some_and(|held| held.pins > 0) {
            self.draft.losses.push(cell);
        }
        self.plan(Step::Unpin)
    }

    /// Plans to give up all views and pins, and the socket's place.
    pub fn clear(&mut self) -> Plan<'_> {
        self.draft.clear();
        self.draft.left.extend(self.held.iter().map(|held| held.cell));
        Plan { interest: self, step: Step::Clear }
    }

    /// Returns the grid.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the cells, by column and then by row.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Cell> + '_ {
        self.held.iter().map(|held| held.cell)
    }

    /// Returns for how many reasons it wants a cell: 0 for one that the socket is not in.
    #[must_use]
    pub fn reasons(&self, cell: Cell) -> u64 {
        self.held(cell).map_or(0, |held| held.reasons)
    }

    /// Returns the room of one of its cells. O(log cells), without a look-up by name.
    #[must_use]
    pub fn room(&self, cell: Cell) -> Option<&Room> {
        self.held(cell).map(|held| &held.room)
    }

    /// Returns the room of the cell that the socket's own place is in: to emit what happens there.
    #[must_use]
    pub fn here(&self) -> Option<&Room> {
        let place = self.view(None).ok()?;
        self.room(self.views[place].cell)
    }

    fn plan_look(&mut self, key: Option<u64>, x: f64, y: f64) -> Result<Plan<'_>, OutOfGrid> {
        let point = self.grid.point(x, y)?;
        let place = self.view(key);
        let draft = &mut self.draft;
        draft.clear();
        draft.cell = point.cell();
        self.grid.enter_area(point, &mut draft.enter);
        self.grid.keep_area(point, &mut draft.keep);
        match place.ok().map(|place| &self.views[place]) {
            None => draft.gains.extend(draft.enter.cells()),
            Some(view) => {
                if draft.enter != view.enter {
                    let Draft { enter, gains, .. } = draft;
                    enter.each_beyond(&view.enter, |cell| {
                        if view.cells.binary_search(&cell).is_err() {
                            gains.push(cell);
                        }
                    });
                }
                if draft.keep != view.keep {
                    let gone = view.cells.iter().filter(|cell| !draft.keep.contains(**cell));
                    draft.losses.extend(gone);
                }
            }
        }
        Ok(self.plan(Step::Look(key)))
    }

    /// Finds which of the gains and losses are seen from outside.
    fn plan(&mut self, step: Step) -> Plan<'_> {
        let Self { held, draft, .. } = self;
        let reasons = |cell: &Cell| find(held, *cell).map_or(0, |place| held[place].reasons);
        draft.entered.extend(draft.gains.iter().filter(|cell| reasons(cell) == 0));
        draft.left.extend(draft.losses.iter().filter(|cell| reasons(cell) == 1));
        Plan { interest: self, step }
    }

    /// Changes what rooms the socket is in, and returns those of the cells that it has entered.
    fn exchange(&self, socket: &Socket) -> Result<Vec<Room>, MembershipError> {
        let Draft { entered, left, .. } = &self.draft;
        if entered.is_empty() && left.is_empty() {
            return Ok(Vec::new());
        }
        let namespace = &socket.core().namespace;
        let room = |cell: &Cell| Room::new(namespace, &self.grid.name(*cell));
        let rooms = entered.iter().map(room).collect::<Result<Vec<_>, RoomNameError>>()?;
        let joins: Vec<_> = rooms.iter().map(|room| RoomRef::Topic(room.topic())).collect();
        let leaves: Vec<_> =
            left.iter().filter_map(|cell| Some(RoomRef::Topic(self.room(*cell)?.topic()))).collect();
        SocketCore::exchange(socket.core(), &joins, &leaves)?;
        Ok(rooms)
    }

    /// Makes the draft what is.
    fn commit(&mut self, step: Step, rooms: Vec<Room>) {
        let pins = u64::from(matches!(step, Step::Pin | Step::Unpin));
        for cell in &self.draft.losses {
            if let Some(place) = find(&self.held, *cell) {
                self.held[place].reasons -= 1;
                self.held[place].pins -= pins;
            }
        }
        for cell in &self.draft.gains {
            if let Some(place) = find(&self.held, *cell) {
                self.held[place].reasons += u64::from(!defect::is(Defect::FewReasons));
                self.held[place].pins += pins;
            }
        }
        match step {
            Step::Look(key) => self.commit_look(key),
            Step::LookAway(view) => self.views.retain(|other| other.key != Some(view)),
            Step::Pin | Step::Unpin => {}
            Step::Clear => {
                self.views.clear();
                self.held.iter_mut().for_each(|held| held.reasons = 0);
            }
        }
        if !self.draft.left.is_empty() {
            self.held.retain(|held| held.reasons > 0);
        }
        if !rooms.is_empty() {
            let entered = self.draft.entered.iter().zip(rooms);
            self.held.extend(entered.map(|(cell, room)| Held { cell: *cell, room, reasons: 1, pins }));
            self.held.sort_by_key(|held| held.cell);
        }
    }

    fn commit_look(&mut self, key: Option<u64>) {
        let place = self.view(key).unwrap_or_else(|place| {
            self.views.insert(place, View::new(key));
            place
        });
        let (view, draft) = (&mut self.views[place], &mut self.draft);
        view.cell = draft.cell;
        std::mem::swap(&mut view.enter, &mut draft.enter);
        std::mem::swap(&mut view.keep, &mut draft.keep);
        if !draft.losses.is_empty() {
            view.cells.retain(|cell| draft.losses.binary_search(cell).is_err());
        }
        if !draft.gains.is_empty() {
            view.cells.extend(&draft.gains);
            view.cells.sort();
        }
    }

    /// Where the view of this key is, or would be.
    fn view(&self, key: Option<u64>) -> Result<usize, usize> {
        self.views.binary_search_by_key(&key, |view| view.key)
    }

    fn held(&self, cell: Cell) -> Option<&Held> {
        find(&self.held, self.grid.wrapped(cell)).map(|place| &self.held[place])
    }
}

impl<'a> Plan<'a> {
    /// Returns the cells that are to be entered, by column and then by row.
    #[must_use]
    pub fn entered(&self) -> &[Cell] {
        &self.interest.draft.entered
    }

    /// Returns the cells that are to be left, by column and then by row.
    #[must_use]
    pub fn left(&self) -> &[Cell] {
        &self.interest.draft.left
    }

    /// Does it: the socket joins the rooms of the cells to be entered, then leaves those of the cells to be left.
    ///
    /// Membership is that of [`Socket::join`] and [`Socket::leave`]: all that is emitted to an entered cell from now
    /// on arrives, and nothing to one that is left. Where other threads emit, a client that is to hear of a cell before
    /// anything in it is told of what is [entered](Self::entered) before this, and of what is left after it.
    ///
    /// # Errors
    ///
    /// As [`Socket::join`]; then nothing has changed, neither here nor for the socket.
    ///
    /// # Panics
    ///
    /// If it is another socket than the last time.
    pub fn apply(self, socket: &Socket) -> Result<Moved<'a>, MembershipError> {
        let Self { interest, step } = self;
        let is_it = interest.socket.is_none_or(|id| id == socket.id());
        assert!(is_it, "an `Interest` is one socket's");
        if let Some(reason) = socket.closed() {
            return Err(MembershipError::Closed(reason));
        }
        let rooms = interest.exchange(socket)?;
        interest.socket = Some(socket.id());
        interest.commit(step, rooms);
        Ok(Moved { interest })
    }
}

impl<'a> Moved<'a> {
    /// Returns the cells that were entered.
    #[must_use]
    pub fn entered(self) -> &'a [Cell] {
        &self.interest.draft.entered
    }

    /// Returns the cells that were left.
    #[must_use]
    pub fn left(self) -> &'a [Cell] {
        &self.interest.draft.left
    }

    /// Returns whether no cell was entered or left.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.entered().is_empty() && self.left().is_empty()
    }

    /// Returns the interest, to look at the rooms that were entered.
    #[must_use]
    pub fn interest(self) -> &'a Interest {
        self.interest
    }
}

impl View {
    fn new(key: Option<u64>) -> Self {
        Self { key, cell: (0, 0), enter: Area::default(), keep: Area::default(), cells: Vec::new() }
    }
}

impl Draft {
    fn clear(&mut self) {
        let Self { gains, losses, entered, left, .. } = self;
        [gains, losses, entered, left].into_iter().for_each(Vec::clear);
    }
}

fn find(held: &[Held], cell: Cell) -> Option<usize> {
    held.binary_search_by_key(&cell, |held| held.cell).ok()
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interest")
            .field("grid", &self.grid)
            .field("views", &self.views.len())
            .field("cells", &self.held.iter().map(|held| held.cell).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("entered", &self.entered())
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Moved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moved").field("entered", &self.entered()).field("left", &self.left()).finish()
    }
}
