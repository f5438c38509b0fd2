//! What can be wrong with a recording.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a recording cannot be replayed, or no further. What came before is as it was recorded.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    Io(io::Error),
    /// It is none.
    NoRecording,
    /// It is of a version that this one cannot read.
    Version {
        /// The format's version that it has.
        found: u8,
        /// The one that is read.
        expected: u8,
    },
    /// It ends before its end: its process was killed, or the rest is missing.
    Truncated {
        /// Where the block begins of which the rest is missing, in bytes from the start.
        at: u64,
    },
    /// It was changed.
    Corrupt {
        /// Where the block begins that was changed, in bytes from the start.
        at: u64,
    },
    /// An input makes no sense, though nothing was changed since it was written.
    Invalid {
        /// Which input, counted from 0.
        input: u64,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// The replay does something else than was recorded: a defect here, or an engine that was used before the recording
    /// began.
    Diverged {
        /// Which input, counted from 0.
        input: u64,
        /// What is different.
        what: Box<str>,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the recording cannot be read: {error}"),
            Self::NoRecording => f.write_str("this is no recording"),
            Self::Version { found, expected } => {
                write!(f, "the recording has format {found}, and not {expected}")
            }
            Self::Truncated { at } => write!(f, "the recording is cut off in the block at byte {at}"),
            Self::Corrupt { at } => write!(f, "the recording was changed in the block at byte {at}"),
            Self::Invalid { input, problem } => write!(f, "input {input} makes no sense: {problem}"),
            Self::Diverged { input, what } => {
                write!(f, "the replay is different from input {input} on: {what}")
            }
        }
    }
}

impl Error for ReplayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
