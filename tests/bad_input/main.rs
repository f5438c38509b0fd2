//! A table of all that is not to be done: each case has the error that is documented, and nothing else has changed.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod handles;
mod knobs;
mod names;
mod places;
mod texts;
mod world;

use std::collections::HashSet;
use std::fmt::Debug;

use common::watched;
use world::World;

/// Something that is not to be done.
struct Case {
    name: String,
    act: Box<dyn Fn(&mut World) -> String>,
    expected: String,
}

/// A case by what it does and what that is to return. Both are compared, and shown, as their `Debug`.
fn case<T: Debug>(name: impl Into<String>, expected: T, act: impl Fn(&mut World) -> T + 'static) -> Case {
    Case {
        name: name.into(),
        act: Box::new(move |world| format!("{:?}", act(world))),
        expected: format!("{expected:?}"),
    }
}

#[test]
fn each_has_its_error_and_changes_nothing() {
    watched("bad input", || {
        let tables = [
            ("names", names::cases()),
            ("handles", handles::cases()),
            ("clients", clients::cases()),
            ("knobs", knobs::cases()),
            ("places", places::cases()),
        ];
        let mut total = 0;
        for (table, cases) in tables {
            let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
            assert_eq!(names.len(), cases.len(), "two cases of {table} have one name");
            let mut world = World::new();
            let before = world.snapshot();
            for Case { name, act, expected } in &cases {
                assert_eq!(act(&mut world), *expected, "{table}: {name}");
                assert_eq!(world.snapshot(), before, "{table}: {name}: something has changed");
            }
            println!("{table}: {} cases", cases.len());
            total += cases.len();
        }
        println!("{total} cases");
    });
}
