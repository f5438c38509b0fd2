//! Figures of the benches: read where criterion and the latency bench have left them, put next to each other, held
//! against the targets, and drawn.

pub mod chart;
pub mod draw;
pub mod figures;
pub mod fresh;
pub mod latency;
pub mod provenance;
pub mod table;
pub mod targets;
pub mod units;
