//! The groups of `cargo bench --bench fanout`, with systems that take much to build: socketioxide, and whatever else
//! fans out in a process and has no rooms.
//!
//! ```text
//! cargo bench -p roomcast-rivals                       # everything, many minutes
//! cargo bench -p roomcast-rivals -- burst/1000x100     # one group
//! ```
//!
//! `benches/fanout/main.rs` says what the groups are, and how to print medians side by side. All are measured by the
//! same code in one run, so that ratios are within it; what they do that differs is said where each is implemented,
//! in `src/`. `bus`, `async-broadcast` and `bevy-messages` have no rooms, so that they are in `burst`, `sparse` and
//! `publish` alone. socketioxide is not in `wake`: its own tasks sleep, and are woken in all groups.
//!
//! Some of them build `smallvec` with its feature `union`, and so this crate too: its figures here may differ a little
//! from those of `cargo bench --bench fanout`.

use criterion::Criterion;
use roomcast_rivals::acked::{self, asks};
use roomcast_rivals::churn::{self, pairs};
use roomcast_rivals::contend::{self, publishers};
use roomcast_rivals::grid::{self, ticks};
use roomcast_rivals::one_room::{self, publishes, publishes_of_one, rounds, rounds_of_one};
use roomcast_rivals::systems::{Floor, MutexAddWrite, Push, Roomcast, TokioBroadcast, TunedPush};
use roomcast_rivals::whom::{self, broadcasts, directs, except_several, excepts, union_emits, unions};
use roomcast_rivals::wide::{self, one_active};
use roomcast_rivals::{AsyncBroadcast, BevyMessages, Bus, Socketioxide};

fn main() {
    let mut criterion = roomcast_rivals::load::criterion();
    one_room(&mut criterion);
    rooms(&mut criterion);
    whom(&mut criterion);
    criterion.final_summary();
}

/// One room, and its members.
fn one_room(criterion: &mut Criterion) {
    let rounds = [
        rounds::<Roomcast>,
        rounds::<TunedPush>,
        rounds::<Push>,
        rounds::<TokioBroadcast>,
        rounds::<Socketioxide>,
        rounds_of_one::<Bus>,
        rounds_of_one::<AsyncBroadcast>,
        rounds_of_one::<BevyMessages>,
        rounds_of_one::<Floor>,
    ];
    one_room::burst(criterion, &rounds);
    one_room::sparse(criterion, &rounds);
    let publishes = [
        publishes::<Roomcast>,
        publishes::<TunedPush>,
        publishes::<Push>,
        publishes::<TokioBroadcast>,
        publishes::<Socketioxide>,
        publishes_of_one::<Bus>,
        publishes_of_one::<AsyncBroadcast>,
        publishes_of_one::<BevyMessages>,
        publishes_of_one::<MutexAddWrite>,
    ];
    one_room::publish(criterion, &publishes);
}

/// Several rooms.
fn rooms(criterion: &mut Criterion) {
    let ticks = [
        ticks::<Roomcast>,
        ticks::<TunedPush>,
        ticks::<Push>,
        ticks::<TokioBroadcast>,
        ticks::<Socketioxide>,
    ];
    grid::grid(criterion, &ticks);
    churn::churn(criterion, &[pairs::<Roomcast>, pairs::<Socketioxide>]);
    wide::wide(criterion, &[one_active::<Roomcast>, one_active::<Socketioxide>]);
    contend::contend(criterion, &[publishers::<Roomcast>, publishers::<Socketioxide>]);
}

/// Other than the members of one room.
fn whom(criterion: &mut Criterion) {
    whom::union(criterion, &[unions::<Roomcast>, unions::<Socketioxide>]);
    whom::union_emit(criterion, &[union_emits::<Roomcast>, union_emits::<Socketioxide>]);
    whom::except(criterion, &[excepts::<Roomcast>, excepts::<Socketioxide>]);
    whom::except_rooms(criterion, &[except_several::<Roomcast>, except_several::<Socketioxide>]);
    acked::acked(criterion, &[asks::<Roomcast>, asks::<Socketioxide>]);
    whom::direct(criterion, &[directs::<Roomcast>, directs::<Socketioxide>]);
    whom::broadcast(criterion, &[broadcasts::<Roomcast>, broadcasts::<Socketioxide>]);
}
