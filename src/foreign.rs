//! Running code that is not ours where its panic has nobody to go to.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

/// Runs a wake-up or a payload's `Drop`. A panic in it ends here (the panic hook has told of it): the
/// thread that happens to run it, a publisher or another reader, is not to blame.
pub(crate) fn contain(code: impl FnOnce()) {
    drop(catch(code));
}

/// Runs a handler. A panic in it ends here; its message is the error.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Box<str>> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(|panic| {
        let message = message(&*panic).into();
        // What was thrown has a `Drop` of its own. What that throws is let be, unless it is mere words: there has
        // to be an end.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            if !again.is::<&str>() && !again.is::<String>() {
                std::mem::forget(again);
            }
        }
        message
    })
}

fn message(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(panic = "unwind")]
    fn a_panic_ends_here_with_its_message() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".into()));
        assert_eq!(catch(|| panic!("number {}", 7)), Err::<(), _>("number 7".into()));
        assert!(catch(|| panic::panic_any(7)).is_err());
    }

    #[test]
    #[cfg(panic = "unwind")]
    fn what_was_thrown_may_panic_when_it_is_dropped() {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        contain(|| panic::panic_any(Again));
    }
}
