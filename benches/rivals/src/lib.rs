//! The systems and workloads of the main package's benches, and rivals that take much to build.

#[path = "../../fanout/acked.rs"]
pub mod acked;
#[path = "../../fanout/churn.rs"]
pub mod churn;
#[path = "../../fanout/contend.rs"]
pub mod contend;
#[path = "../../fanout/crowd.rs"]
pub mod crowd;
#[path = "../../fanout/grid.rs"]
pub mod grid;
#[path = "../../fanout/load.rs"]
pub mod load;
#[path = "../../fanout/one_room.rs"]
pub mod one_room;
#[path = "../../fanout/systems/mod.rs"]
pub mod systems;
#[path = "../../fanout/whom.rs"]
pub mod whom;
#[path = "../../fanout/wide.rs"]
pub mod wide;

pub use async_broadcast::AsyncBroadcast;
pub use bevy::BevyMessages;
pub use bus::Bus;
pub use socketioxide::Socketioxide;

mod async_broadcast;
mod bevy;
mod bus;
mod socketioxide;
