//! What this crate states of memory, measured.

use std::sync::Arc;
use std::task::{Context, Waker};

use roomcast::Payload;

use crate::counting::live_bytes;
use crate::measure::Size;
use crate::report::Report;
use crate::systems::{Roomcast, System};

/// A small world, for what takes as much whatever the size.
const SMALL: Size = Size { sockets: 1000, rooms: 100, per_socket: 10 };

/// What a slot takes, and a segment beside its slots.
const SLOT: usize = 32;
const SEGMENT: usize = 192;

/// Adds what only this crate has, and notes what does not hold.
pub(crate) fn check(report: &mut Report) {
    check_memberships(SMALL, report);
    check_messages(SMALL, report);
}

/// Memberships that the inbox has yet to be told of, and those of inboxes that sleep.
fn check_memberships(size: Size, report: &mut Report) {
    let mut world = world(size);
    let memberships = (size.sockets * size.per_socket) as f64;
    let before = live_bytes();
    for (socket, _) in &world.sockets {
        socket.leave_all().expect("it is connected");
    }
    drain(&mut world);
    for (number, (socket, _)) in world.sockets.iter().enumerate() {
        let rooms: Vec<_> = size.rooms_of(number).into_iter().map(|room| &world.rooms[room]).collect();
        socket.join(rooms).expect("it is connected");
    }
    let joined = live_bytes() - before;
    drain(&mut world);
    let drained = live_bytes() - before;
    report.add(
        "a membership before the inbox drains, more by",
        (joined - drained) as f64 / memberships,
        None,
    );
    // Twice woken, so that all lists are there that waking needs.
    let payload = Roomcast::payload();
    for _ in 0..2 {
        sleep(&mut world);
        (0..size.rooms).for_each(|room| world.publish(room, &payload));
        drain(&mut world);
    }
    sleep(&mut world);
    let asleep = live_bytes() - before;
    report.add("a membership while the inbox sleeps, more by", (asleep - drained) as f64 / memberships, None);
}

/// What is left of messages that everybody has read.
fn check_messages(size: Size, report: &mut Report) {
    let mut world = world(size);
    let segment = world.namespace.backlog().segment_messages();
    let marker = Arc::new(());
    let alive = || Arc::strong_count(&marker) - 1;
    let payload = Roomcast::payload();
    // One message in each room: what readers keep for merging is not the rooms'.
    let idle = live_bytes();
    (0..size.rooms).for_each(|room| world.publish(room, &payload));
    drain(&mut world);
    let before = live_bytes();
    report.add(
        "a socket that has read several rooms, more by",
        (before - idle) as f64 / size.sockets as f64,
        None,
    );
    // So many that segments are as large as they get.
    let burst = 8 * segment;
    for room in 0..size.rooms {
        for _ in 0..burst {
            world.publish(room, &Payload::from(Arc::clone(&marker)));
        }
    }
    assert_eq!(alive(), size.rooms * burst);
    drain(&mut world);
    let most = size.rooms * segment;
    report.state(alive() <= most, format!("{} payloads are kept of those read, not {most}", alive()));
    // Another segment's worth of others, read too: then all of the first are gone.
    for _ in 0..=segment {
        (0..size.rooms).for_each(|room| world.publish(room, &payload));
    }
    drain(&mut world);
    report.state(alive() == 0, format!("{} payloads are kept of a segment that is passed", alive()));
    let kept = (live_bytes() - before) / size.rooms as i64;
    report.add("a room after a burst that all have read, more by", kept as f64, None);
    let most = (SEGMENT + segment * SLOT) as i64;
    report.state(kept <= most, format!("an idle room keeps one segment at most, {most} bytes, not {kept}"));
    drop(world);
    report.state(alive() == 0, "no payload outlives its engine");
}

/// A world that is drained.
fn world(size: Size) -> Roomcast {
    let mut world = Roomcast::new(size);
    (0..size.sockets).for_each(|_| world.connect());
    (0..size.rooms).for_each(|room| world.add_room(room, 0));
    (0..size.sockets).for_each(|socket| world.join(socket, &size.rooms_of(socket)));
    world
}

fn drain(world: &mut Roomcast) {
    for (_, inbox) in &mut world.sockets {
        inbox.drain(|_| {});
    }
}

/// Has each inbox wait for the next message.
fn sleep(world: &mut Roomcast) {
    let mut context = Context::from_waker(Waker::noop());
    for (_, inbox) in &mut world.sockets {
        assert!(inbox.poll_recv(&mut context).is_pending());
    }
}
