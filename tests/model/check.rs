//! How a check fails: with words.

/// What a failed check says.
pub(crate) type Check<T = ()> = Result<T, String>;

/// Fails the check, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;
