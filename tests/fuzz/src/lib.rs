//! Bodies of the fuzz targets: each takes any bytes, and panics if a promise is broken.
//!
//! They are plain functions, so that an ordinary test can run them on the corpus.

mod choices;
mod chunks;
mod crowd;
mod frames;
mod names;
mod operations;
mod recorder;
mod recordings;
mod sessions;
mod terms;

// The reference model of the integration tests. Its modules know each other by these names.
#[path = "../../model/check.rs"]
mod check;
#[path = "../../model/crowd_rig.rs"]
mod crowd_rig;
#[path = "../../model/crowd_world.rs"]
mod crowd_world;
#[path = "../../model/mail.rs"]
mod mail;
#[path = "../../model/op.rs"]
mod op;
#[path = "../../model/reading.rs"]
mod reading;
#[path = "../../model/reads.rs"]
mod reads;
#[path = "../../model/rig.rs"]
#[expect(dead_code, reason = "the fuzzer applies operations one by one")]
mod rig;
#[path = "../../model/terms_rig.rs"]
mod terms_rig;
#[path = "../../model/terms_world.rs"]
mod terms_world;
#[path = "../../model/world.rs"]
mod world;

use check::{Check, ensure};

pub use chunks::chunks;
pub use crowd::crowd;
pub use frames::frames;
pub use names::names;
pub use operations::operations;
pub use recordings::recordings;
pub use sessions::sessions;
pub use terms::terms;

/// The body of a target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("operations", operations),
    ("terms", terms),
    ("crowd", crowd),
    ("names", names),
    ("frames", frames),
    ("chunks", chunks),
    ("recordings", recordings),
    ("sessions", sessions),
];
