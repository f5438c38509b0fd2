//! Random programs against the reference.

use proptest::prelude::*;

use crate::program::{CLIENTS, ROOMS, Step, To, run};

fn step() -> impl Strategy<Value = Step> {
    let to = prop_oneof![
        Just(To::All),
        (0..ROOMS).prop_map(To::Room),
        (0..ROOMS, 0..ROOMS).prop_map(|(a, b)| To::Rooms(a, b)),
        (0..CLIENTS).prop_map(To::Client),
    ];
    prop_oneof![
        8 => (to, prop::bool::weighted(0.2)).prop_map(|(to, is_volatile)| Step::Emit(to, is_volatile)),
        1 => (0..CLIENTS).prop_map(Step::Ask),
        2 => (0..CLIENTS, 0..ROOMS).prop_map(|(client, room)| Step::Join(client, room)),
        1 => (0..CLIENTS, 0..ROOMS).prop_map(|(client, room)| Step::Leave(client, room)),
        4 => (0..CLIENTS, 1..6_usize).prop_map(|(client, packets)| Step::See(client, packets)),
        2 => (0..CLIENTS).prop_map(Step::Lose),
        2 => (0..CLIENTS).prop_map(Step::Cut),
        4 => (0..CLIENTS).prop_map(Step::Resume),
        1 => (0..CLIENTS).prop_map(Step::Quit),
        1 => (0..CLIENTS).prop_map(Step::Kick),
        1 => (1..40_u8).prop_map(Step::Tick),
    ]
}

/// How many programs are tried: `ROOMCAST_CASES`, as for the reference model.
fn cases() -> u32 {
    std::env::var("ROOMCAST_CASES").map_or(256, |cases| cases.parse().expect("a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn clients_see_what_the_reference_says(steps in prop::collection::vec(step(), 1..120)) {
        run(&steps);
    }
}
