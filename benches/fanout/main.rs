//! Fan-out: what a message costs, published and read, and what joining and leaving does, here and elsewhere.
//!
//! ```text
//! cargo bench --bench fanout                       # everything, some minutes
//! cargo bench --bench fanout -- burst/1000x100     # one group
//! ```
//!
//! All work is done by one thread unless said, with payloads of 64 bytes that are made beforehand and shared. What
//! was read is counted and added up in every round, and compared with what it has to be. Groups:
//!
//! * `burst/{N}x{M}`: M messages to a room of N members, then each member drains. Per delivery.
//! * `sparse/{N}`: one message, then each member drains. Per delivery.
//! * `publish/{N}`: the emit alone, to a room of N members who have read all before it but the rest of
//!   a short batch. Per message.
//! * `grid/{N}`: N sockets on a grid of 100 x 100 rooms without an edge, each in the nine around it. Every socket
//!   publishes to the others in its own cell, one in 20 moves a cell (leaves three rooms, joins three), every socket
//!   drains. Per tick.
//! * `churn/{N}`: one of N sockets joins one of N / 10 rooms by name and leaves it. Every room has ten other members.
//!   Per pair.
//! * `union/{k}`: 10 messages to k rooms with 1,000 sockets, each in two of them; then all drain. Per delivery: each
//!   gets a message once.
//! * `union-emit/{N}`, `except/{N}`, `acked/{N}`: the emit alone: to four rooms with N sockets in all, each in two of
//!   them; to a room of 2 N of which the N members of another are left out; to a room of N that are to answer. Per
//!   message: where it does not double with N, it costs O(rooms).
//! * `except-rooms/{R}`: the emit alone, to a room of 1,000, without the members of R rooms of ten. Per message.
//! * `broadcast/{N}`: 10 messages to all N sockets, whatever rooms they are in; then each drains. Per delivery.
//! * `direct`: a message to each of 1,000 sockets, then each drains. Per delivery.
//! * `wide/{R}`: a message to one of R rooms that a socket is in, then it drains. Per delivery.
//! * `wake/{N}`: a message to N members, each read by a task that sleeps; all are woken, read it, and sleep again. Per
//!   task.
//! * `contend/{T}/{where}`: T threads publish at once: `apart`, each to a room of its own; `together`, to one room;
//!   `churn`, as `apart` while one more thread has sockets join and leave these rooms. Per message of any thread,
//!   reading not included.
//!
//! And what nobody else has, beside the same without it or done by hand:
//!
//! * `latest/emit`, `latest/drain`: 128 messages of 16 keys to one who is behind, and without keys (`no-key`): the
//!   emit, and the reading of what is left. Per message emitted.
//! * `history/emit`: to a room that keeps its last 50, and to one that keeps none. Per message.
//! * `history/join`: a join with the last 50, the reading of them, and the leaving; with 50 sent one by one after the
//!   join (`by-hand`); without any (`plain`). Per join.
//! * `presence/join`: a join, a track and a leave, with 1,000 present and ten who watch; with none who watch
//!   (`unwatched`); without the track (`untracked`). Per visit.
//! * `presence/flush/{N}`: N who watch are told of one who has come or gone, by the flush, and one by one (`by-hand`). Per
//!   flush.
//! * `interest/cross`: a move over the border of a cell, which leaves three rooms and joins three, and the same by name.
//!   `interest/stay`: a move within it, and the look-up of the cell alone. Per move.
//!
//! What those who use none of that pay for its being there is nothing that a clock would show. It is counted in
//! instructions, and held there, by `benches/instructions`. From before the first of these features to after the last, with
//! the counters of the same time included: an emit +2.1 %, a delivery between -0.1 and +1.5 %, a join +5.7 %, a leave
//! +3.8 %, and no atomic instruction more in any of them.
//!
//! The systems are in `systems/`, with what they do that differs, as far as it matters. Where one has nothing to do
//! the job with, it is not in the group. `floor` and `mutex-add-write` are no systems: they are what no system can
//! beat. Heavier ones are measured by the same code in `benches/rivals`.
//!
//! An iteration is a whole round, so what criterion calls `time` is per round, and its throughput is what
//! to compare. After a run, `cargo run -p roomcast-figures` prints medians per element in nanoseconds, how they
//! compare, and which targets they meet.

#![expect(unreachable_pub, reason = "what is below is a library to `benches/rivals`")]

use criterion::Criterion;

use crate::one_room::{publishes, publishes_of_one, rounds, rounds_of_one};
use crate::systems::{Floor, MutexAddWrite, Push, Roomcast, TokioBroadcast, TunedPush};

mod acked;
mod churn;
mod contend;
mod crowd;
mod grid;
mod history;
mod interest;
mod latest;
mod load;
mod one_room;
mod presence;
mod systems;
mod wake;
mod whom;
mod wide;

fn main() {
    let mut criterion = load::criterion();
    one_room(&mut criterion);
    rooms(&mut criterion);
    whom(&mut criterion);
    latest::latest(&mut criterion);
    history::history(&mut criterion);
    presence::presence(&mut criterion);
    interest::interest(&mut criterion);
    criterion.final_summary();
}

/// One room, and its members.
fn one_room(criterion: &mut Criterion) {
    let rounds = [
        rounds::<Roomcast>,
        rounds::<TunedPush>,
        rounds::<Push>,
        rounds::<TokioBroadcast>,
        rounds_of_one::<Floor>,
    ];
    one_room::burst(criterion, &rounds);
    one_room::sparse(criterion, &rounds);
    let publishes = [
        publishes::<Roomcast>,
        publishes::<TunedPush>,
        publishes::<Push>,
        publishes::<TokioBroadcast>,
        publishes_of_one::<MutexAddWrite>,
    ];
    one_room::publish(criterion, &publishes);
    wake::wake(
        criterion,
        &[wake::wakes::<Roomcast>, wake::wakes::<TunedPush>, wake::wakes::<TokioBroadcast>],
    );
}

/// Several rooms.
fn rooms(criterion: &mut Criterion) {
    use churn::pairs;
    use contend::publishers;
    use grid::ticks;
    use wide::one_active;

    grid::grid(criterion, &[ticks::<Roomcast>, ticks::<TunedPush>, ticks::<Push>, ticks::<TokioBroadcast>]);
    churn::churn(criterion, &[pairs::<Roomcast>, pairs::<TunedPush>, pairs::<Push>, pairs::<TokioBroadcast>]);
    let active =
        [one_active::<Roomcast>, one_active::<TunedPush>, one_active::<Push>, one_active::<TokioBroadcast>];
    wide::wide(criterion, &active);
    let publishers =
        [publishers::<Roomcast>, publishers::<TunedPush>, publishers::<Push>, publishers::<TokioBroadcast>];
    contend::contend(criterion, &publishers);
}

/// Other than the members of one room.
fn whom(criterion: &mut Criterion) {
    use whom::{broadcasts, directs, except_several, excepts, union_emits, unions};

    whom::union(criterion, &[unions::<Roomcast>, unions::<TunedPush>, unions::<Push>]);
    whom::union_emit(criterion, &[union_emits::<Roomcast>, union_emits::<TunedPush>, union_emits::<Push>]);
    whom::except(criterion, &[excepts::<Roomcast>, excepts::<TunedPush>, excepts::<Push>]);
    let several = [except_several::<Roomcast>, except_several::<TunedPush>, except_several::<Push>];
    whom::except_rooms(criterion, &several);
    acked::acked(criterion, &[acked::asks::<Roomcast>]);
    whom::direct(criterion, &[directs::<Roomcast>, directs::<TunedPush>, directs::<Push>]);
    whom::broadcast(criterion, &[broadcasts::<Roomcast>, broadcasts::<TunedPush>, broadcasts::<Push>]);
}
