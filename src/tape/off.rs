//! No recording: nothing of it is left where it is called.

use std::marker::PhantomData;
use std::time::Duration;

use super::Step;
use crate::config::Backlog;
use crate::entry::Entry;
use crate::event::EventTable;
use crate::history::{History, Past};
use crate::name::RoomName;
use crate::order::Order;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;

#[derive(Debug, Default)]
pub(crate) struct Tape {}

#[derive(Debug)]
pub(crate) struct Hold<'a>(PhantomData<&'a ()>);

macro_rules! nothing {
    ($($name:ident($($of:ty),*);)*) => {
        impl Tape {$(
            #[inline(always)]
            pub(crate) fn $name(&self $(, _: $of)*) {}
        )*}
    };
}

nothing! {
    namespace(&str, u64);
    namespace_gone(u64);
    room(u64, u64, &RoomName, &Backlog, bool);
    room_gone(u64);
    direct(SocketId, u64, u64, &Backlog);
    connecting(u64, SocketId);
    opened(SocketId, u64);
    joined(SocketId, u64, u64, Option<Past>);
    left(SocketId, u64);
    disconnected(SocketId, u64, &DisconnectReason);
    inbox_dropped(SocketId);
    backlog(u64, &Backlog);
    history(u64, Option<History>);
    tick(Duration);
    read(SocketId, Step, Option<u64>, u64, u64);
    slept(SocketId);
    spill();
    spill_all();
}

impl Tape {
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn has_reads(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn hold(&self) -> Hold<'_> {
        Hold::none()
    }

    #[inline(always)]
    pub(crate) fn hold_for(
        &self,
        _: &Order,
        _: &EventTable,
        _: impl FnOnce() -> (u64, u64),
        _: &Entry,
    ) -> Hold<'_> {
        Hold::none()
    }
}

impl Hold<'_> {
    #[inline(always)]
    pub(crate) fn none() -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn end(self) {}
}
