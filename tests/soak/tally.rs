//! What a run did.

use std::fmt;

macro_rules! tally {
    ($($name:ident)*) => {
        /// How often what was done.
        #[derive(Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: u64,)*
        }

        impl Tally {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let names = [$(stringify!($name)),*];
                let counts = [$(self.$name),*];
                let members = names.iter().zip(counts).map(|(name, count)| format!("\"{name}\":{count}"));
                f.write_str(&members.collect::<Vec<_>>().join(","))
            }
        }
    };
}

tally! {
    published
    // Checked, each.
    delivered
    // And what they told.
    gaps missed inexact late_gaps
    joins leaves mutes
    // Joins with the past; moves of those that are in the cells around them.
    pasts moves
    // Reads up to a tick, and ticks that were forgotten before that.
    ticks forgotten
    // Of presence: what was said, told, and lost; and who had to be told anew in the end.
    said told untold refreshed
    // Ended by itself, with everything read and with nothing; ended by the engine, as it was behind.
    left died cut_off
    // Lines that were cut: those who have come back, and those for whom it was too old.
    returned too_old
    stalled resumed
    asked answered
    // Reads that had nothing to read, as no wake-up had said so.
    naps
}
