//! What can be done to a namespace. All numbers are taken modulo what there is.

use crate::world::Limits;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Room(usize),
    /// A handle that is kept, or else one of the room of this number, made for the occasion.
    Handle(usize),
    Socket(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// To everyone or to places, with places left out.
    Places { from: From, to: Option<Vec<Place>>, except: Vec<Place>, as_target: bool },
    /// To a target that is kept.
    Kept { from: From, target: usize },
    /// `Socket::emit`.
    Direct { socket: usize },
    /// `Room::emit` or `Room::emit_from`.
    Room { room: usize, from: Option<usize> },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Namespace,
    Others(usize),
    Within(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Read {
    Drain,
    /// Up to so many, one by one.
    Next(usize),
    Poll(usize),
    Iter(usize),
    /// A drain whose callback panics after so many.
    Panic(usize),
    /// `recv_timeout` without any time, up to so many.
    Wait(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Join,
    Leave,
    Set,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Connect,
    Move { socket: usize, change: Change, rooms: Vec<usize>, by_handle: bool },
    LeaveAll { socket: usize },
    Emit { times: usize, size: usize, event: usize, is_resolved: bool, route: Route },
    Read { socket: usize, read: Read },
    Disconnect { socket: usize, reason: usize },
    DropInbox { socket: usize },
    KeepHandle { room: usize },
    DropHandle { handle: usize },
    KeepTarget { slot: usize, to: Option<Vec<Place>>, except: Vec<Place> },
    RoomBacklog { room: usize, limits: Limits },
    Backlog { limits: Limits },
    Watch { socket: usize },
    Unwatch { socket: usize },
    Look,
}
